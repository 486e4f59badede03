//! Requests and answers on a connection: read where they can be, told from the rhythm of encrypted records otherwise.

use crate::coding::misbegins;
use crate::flow::{RECORDS_MAX, Said, TcpFlow, What};
use crate::glance::Message;
use crate::http1::{Event, Request, Response, noted};
use crate::kept::Moment;
use crate::tls::{SILENCE, Tls};
use thru_trace::Value;

/// One request and what became of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exchange {
    pub(crate) start: Moment,
    /// The last of the request's body was sent.
    pub(crate) asked: Option<Moment>,
    /// The answer began.
    pub(crate) answered: Option<Moment>,
    pub(crate) end: Moment,
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) version: String,
    pub(crate) status: Option<u16>,
    pub(crate) bytes: Option<u64>,
    pub(crate) chunked: Option<bool>,
    pub(crate) location: Option<String>,
    pub(crate) server: Option<String>,
    pub(crate) retry_after: Option<String>,
    pub(crate) date: Option<String>,
    /// The stable word and a sentence.
    pub(crate) failure: Option<(String, String)>,
    /// Nothing can be said of how it ended: why.
    pub(crate) unclear: Option<&'static str>,
    /// Encrypted: that there was a request, and what came back, is told by sizes and times alone.
    pub(crate) sealed: bool,
    /// Its end was seen.
    pub(crate) ended: bool,
    pub(crate) head_only: bool,
    /// Since when the body waits for a permission.
    pub(crate) expects: Option<u64>,
    /// Nothing but the end of the connection tells where the answer ends.
    pub(crate) until_close: bool,
    /// How the body says it is packed, as long as none of it came.
    pub(crate) coding: Option<String>,
    /// What else is to be said of it, as values of its span.
    pub(crate) noted: Vec<(&'static str, Value)>,
}

/// How a connection ended for whoever waits for an answer.
struct Close {
    /// The server closed in order, before the client did.
    closed: Option<Moment>,
    /// The server, or somebody in its name, cut it.
    reset: Option<Moment>,
    /// The client left first.
    left: Option<Moment>,
}

impl Close {
    fn of(flow: &TcpFlow) -> Close {
        let (client, server) = (flow.client(), flow.server());
        let reset_by = |side: usize| flow.resets.iter().find(|reset| reset.by == side).map(|reset| reset.at);
        let fin = |side: usize| flow.sides[side].fin.map(|(time, number)| Moment { time, number });
        let left = [fin(client), reset_by(client)].into_iter().flatten().min();
        let before = |at: &Moment| left.is_none_or(|left| *at <= left);
        // After its own goodbye a server resets whatever still comes: that undoes nothing of what it said before.
        let goodbye = fin(server).filter(before);
        let reset = reset_by(server).filter(before).filter(|reset| goodbye.is_none_or(|bye| *reset <= bye));
        let closed = goodbye.filter(|closed| reset.is_none_or(|reset| *closed <= reset));
        Close { closed, reset, left }
    }
}

/// The exchanges of a connection.
pub(crate) fn exchanges(flow: &TcpFlow, tls: Option<&Tls>, host: &str, capture_end: u64) -> Vec<Exchange> {
    let mut list = http2(flow, host);
    let is_2 = !list.is_empty();
    if list.is_empty() {
        list = http1(flow, host, tls.is_some_and(Tls::is_begun));
    }
    // What is encrypted cannot be read behind a gap of the capture.
    let holey = flow.sides[flow.server()].uncaptured > 0;
    let lost = flow.lost_track(flow.server()) || holey && (is_2 || tls.is_some_and(Tls::is_begun));
    if list.is_empty() {
        return tls.and_then(|tls| sealed(flow, tls, host, capture_end)).into_iter().collect();
    }
    let heard = if is_2 { other_version(flow) } else { no_answer(flow) };
    if let Some((at, text, noted)) = heard
        && let Some(open) = list.iter_mut().find(|exchange| exchange.answered.is_none())
    {
        open.end = open.end.max(at);
        open.failure = Some(("http.protocol".into(), text.into()));
        open.noted.extend(noted);
    }
    let close = Close::of(flow);
    let count = list.len();
    for (place, exchange) in list.iter_mut().enumerate() {
        end(exchange, &close, capture_end, place + 1 == count, lost);
    }
    by_the_way(&mut list);
    if let (Some(last), Some(tls), Some(closed)) = (list.last_mut(), tls, close.closed) {
        without_goodbye(last, flow, tls, closed);
    }
    if let Some(last) = list.last_mut().filter(|_| count > 1) {
        crossed(last, flow);
    }
    let silent =
        is_2 && !holey && !flow.said.iter().any(|said| said.by != flow.client() && is_http2(&said.what));
    for exchange in list.iter_mut().filter(|_| silent) {
        exchange.noted.push(("http.silent", Value::Bool(true)));
    }
    list
}

/// That there is no icon is no fault of a page that is there: browsers look for it by themselves.
fn by_the_way(list: &mut [Exchange]) {
    let served = list.iter().any(|exchange| exchange.status.is_some_and(|status| status < 400));
    for exchange in list.iter_mut().filter(|_| served) {
        let missing = matches!(exchange.status, Some(401 | 403 | 404 | 410));
        let path = exchange.url.split(['?', '#']).next().unwrap_or_default();
        let icon = OWN_ERRANDS.iter().any(|name| path.ends_with(name)) || path.contains("/apple-touch-icon");
        if missing
            && icon
            && exchange.failure.as_ref().is_some_and(|(code, _)| code.starts_with("http.status."))
        {
            exchange.failure = None;
            exchange.unclear = Some("a browser looks for this by itself, and many sites have none");
        }
    }
}

/// "Switching Protocols".
const SWITCHING: u16 = 101;

/// What browsers ask every site for.
const OWN_ERRANDS: [&str; 3] = ["/favicon.ico", "/robots.txt", "/site.webmanifest"];

/// A later request on a connection that the server was closing before it can have seen it (RFC 9112 9.5).
fn crossed(last: &mut Exchange, flow: &TcpFlow) {
    let failed = matches!(&last.failure, Some((code, _)) if code == "http.reset" || code == "http.closed");
    let closed = flow.sides[flow.server()].fin.map(|(time, _)| time);
    let way = flow.rtt().unwrap_or(0) * 9 / 10;
    if failed && last.answered.is_none() && closed.is_some_and(|closed| closed < last.start.time + way) {
        last.noted.push(("http.crossed", Value::Bool(true)));
    }
}

fn is_http2(what: &What) -> bool {
    matches!(what, What::Message(Message::Http2(_)))
}

/// What came instead of an answer: when, in words, and the values that a live probe writes.
type Instead = (Moment, &'static str, Vec<(&'static str, Value)>);

/// The server was asked over HTTP/2 and answered in HTTP/1.
fn other_version(flow: &TcpFlow) -> Option<Instead> {
    let (time, number) = flow.sides[flow.server()].last_data.map(|time| (time, flow.last.number))?;
    flow.plain_opening[flow.server()].starts_with(b"HTTP/1.").then(|| {
        let spoke = vec![("http2.spoke_http1", Value::Bool(true))];
        (Moment { time, number }, "the server agreed to HTTP/2 and answered in HTTP/1", spoke)
    })
}

/// What came back to a request in HTTP/1 is no answer of HTTP.
fn no_answer(flow: &TcpFlow) -> Option<Instead> {
    let server = flow.server();
    let (opening, asked) = (&flow.opening[server], &flow.opening[flow.client()]);
    // Messages of TLS to somebody who asked in plain words (RFC 8446 5.1).
    if matches!(opening.as_slice(), [20..=23, 3, ..]) && asked.first().is_some_and(u8::is_ascii_uppercase) {
        let (time, number) = flow.sides[server].first_data?;
        let noted = vec![("http.head_tls", Value::Bool(true))];
        return Some((Moment { time, number }, "the server answered with a message of TLS", noted));
    }
    // Behind a gap of the capture, the rest of an answer looks like anything.
    if flow.sides[server].uncaptured > 0 || flow.sides[server].missing() > 0 {
        return None;
    }
    let garbage = flow.garbage.as_ref().filter(|said| said.by == server)?;
    let plain = &flow.plain_opening[server];
    let head = head_line(if plain.is_empty() { opening } else { plain });
    let noted = head.filter(|head| !head.starts_with("HTTP/")).map(|head| ("http.head", Value::Text(head)));
    Some((garbage.at, "what the server sent is no HTTP", noted.into_iter().collect()))
}

/// The first line of an answer, if it is made of letters.
pub(crate) fn head_line(opening: &[u8]) -> Option<String> {
    let line: String = opening
        .iter()
        .take_while(|byte| byte.is_ascii_graphic() || **byte == b' ')
        .map(|byte| char::from(*byte))
        .collect();
    (!line.is_empty()).then_some(line)
}

/// An answer that ends with the connection, which TLS has to end in words, lest somebody else cut it short (RFC 8446
/// 6.1, RFC 9112 9.8).
fn without_goodbye(last: &mut Exchange, flow: &TcpFlow, tls: &Tls, closed: Moment) {
    let whole = flow.sides[flow.server()].uncaptured == 0 && flow.sides[flow.server()].missing() == 0;
    if last.until_close && last.failure.is_none() && last.unclear.is_none() && tls.goodbye.is_none() && whole
    {
        last.end = last.end.max(closed);
        let text =
            "the connection ended without the goodbye of TLS, and nothing else says where the answer ends";
        last.failure = Some(("http.truncated".into(), text.into()));
    }
}

/// HTTP/1: answers come in the order of the requests (RFC 9112 9.3.2).
fn http1(flow: &TcpFlow, host: &str, secure: bool) -> Vec<Exchange> {
    let mut list: Vec<Exchange> = Vec::new();
    let (mut answering, client) = (0, flow.client());
    for Said { by, at, what } in &flow.said {
        let What::Http(event) = what else { continue };
        match event {
            Event::Request(request) if *by == client => list.push(asked(request, *at, host, secure)),
            Event::Response(response) if *by != client => {
                if answering == list.len() && is_farewell(flow, response) {
                    break;
                }
                if answering == list.len() {
                    // The request was before the capture.
                    list.push(Exchange { start: *at, url: host.to_owned(), ..Exchange::default() });
                }
                head(&mut list[answering], response, *at);
                // What follows is another protocol's (RFC 9110 15.2.2).
                if response.status == SWITCHING {
                    (list[answering].ended, list[answering].until_close) = (true, false);
                }
            }
            Event::Body(count) if *by != client => {
                if let Some(exchange) = list.get_mut(answering) {
                    exchange.bytes = Some(exchange.bytes.unwrap_or(0) + count);
                    exchange.end = *at;
                }
            }
            Event::Permission if *by != client => {
                if let Some(exchange) = list.last_mut() {
                    exchange.expects = None;
                }
            }
            // The request goes on.
            Event::Body(_) => {
                if let Some(exchange) = list.last_mut() {
                    exchange.asked = Some(*at);
                    if let Some(since) = exchange.expects.take().filter(|_| exchange.answered.is_none()) {
                        let waited = at.time.saturating_sub(since);
                        exchange.noted.push(("http.expect_wait", Value::Nanos(waited)));
                    }
                    exchange.end = *at;
                }
            }
            Event::Spoiled(why) if *by != client => {
                if let Some(exchange) = list.get_mut(answering) {
                    exchange.failure =
                        Some(("http.coding".into(), format!("its body cannot be unpacked: {why}")));
                }
            }
            // What follows the last answer while nothing else was asked.
            Event::Excess(count) if *by != client && answering > 0 && answering == list.len() => {
                list[answering - 1].noted.push(("http.excess", Value::from(*count)));
            }
            Event::End if *by != client => {
                if let Some(exchange) = list.get_mut(answering) {
                    exchange.ended = true;
                    exchange.end = exchange.end.max(*at);
                    exchange.bytes.get_or_insert(0);
                    answering += 1;
                }
            }
            _ => {}
        }
    }
    list
}

/// Some servers say 408 as they close a connection that nobody used (RFC 9110 15.5.9): it answers no request.
fn is_farewell(flow: &TcpFlow, response: &Response) -> bool {
    let unused = flow.established.is_some() && flow.sides[flow.client()].bytes == 0;
    unused || response.status == 408 && !flow.syns.is_empty()
}

fn asked(request: &Request, at: Moment, host: &str, secure: bool) -> Exchange {
    let scheme = if secure { "https" } else { "http" };
    let authority = request.host.as_deref().unwrap_or(host);
    Exchange {
        start: at,
        end: at,
        method: request.method.clone(),
        url: if request.path.starts_with("http") {
            request.path.clone()
        } else {
            format!("{scheme}://{authority}{}", request.path)
        },
        version: "HTTP/1.1".into(),
        head_only: request.method == "HEAD",
        expects: request.expects.then_some(at.time),
        ..Exchange::default()
    }
}

fn head(exchange: &mut Exchange, response: &Response, at: Moment) {
    exchange.answered = Some(at);
    exchange.end = at;
    exchange.status = Some(response.status);
    exchange.version = response.version.clone();
    exchange.chunked = (response.chunked || response.length.is_some()).then_some(response.chunked);
    exchange.location = response.location.clone();
    exchange.server = response.server.clone();
    exchange.retry_after = response.retry_after.clone();
    exchange.date = response.date.clone();
    exchange.bytes = Some(0);
    exchange.until_close = response.until_close;
    exchange.noted.extend(response.noted.iter().map(|(key, text)| (*key, Value::Text(text.clone()))));
    if response.chunked && response.length.is_some() {
        exchange.noted.push(("http.two_lengths", Value::Bool(true)));
    }
}

/// HTTP/2, as far as its headers were deciphered: a stream is an exchange (RFC 9113 8.1).
fn http2(flow: &TcpFlow, host: &str) -> Vec<Exchange> {
    streams(&flow.said, flow.client(), host)
}

/// Requests and answers by their streams, of HTTP/2 and HTTP/3.
pub(crate) fn streams(said: &[Said], client: usize, host: &str) -> Vec<Exchange> {
    let mut list: Vec<(u64, Exchange)> = Vec::new();
    let mut gone: Option<(u64, u64, Moment)> = None;
    for Said { by, at, what } in said {
        let What::Message(Message::Http2(message)) = what else { continue };
        if *by == client && message.method.is_some() {
            let authority = message.authority.as_deref().unwrap_or(host);
            let path = message.path.as_deref().unwrap_or("/");
            list.push((
                message.stream,
                Exchange {
                    start: *at,
                    end: *at,
                    method: message.method.clone().unwrap_or_default(),
                    url: format!("https://{authority}{path}"),
                    version: if message.is_3 { "HTTP/3" } else { "HTTP/2" }.into(),
                    ..Exchange::default()
                },
            ));
        }
        // The last word on which streams are still answered counts (RFC 9113 6.8).
        if let Some((error, last)) = message.goes_away.filter(|_| *by != client) {
            gone = Some((error, last, *at));
            continue;
        }
        if *by == client {
            if message.data > 0
                && let Some((_, exchange)) = list.iter_mut().rfind(|(stream, _)| *stream == message.stream)
            {
                exchange.asked = Some(*at);
                exchange.end = *at;
            }
            continue;
        }
        let open = list.iter().position(|(_, exchange)| !exchange.ended && exchange.failure.is_none());
        let place = match (message.is_3 && message.resets, open) {
            (true, Some(open)) => Some(open),
            _ => list.iter().rposition(|(stream, _)| *stream == message.stream),
        };
        let Some(place) =
            place.or_else(|| message.status.and(list.iter().position(|(_, e)| e.status.is_none())))
        else {
            continue;
        };
        let exchange = &mut list[place].1;
        exchange.end = exchange.end.max(*at);
        if let Some(status) = message.status.filter(|status| *status >= 200) {
            let get =
                |name: &str| message.headers.iter().find(|(known, _)| known == name).map(|(_, v)| v.clone());
            exchange.answered.get_or_insert(*at);
            exchange.status = Some(status);
            exchange.location = get("location");
            exchange.server = get("server");
            exchange.retry_after = get("retry-after");
            exchange.date = get("date");
            exchange.coding = get("content-encoding");
            let known = noted(&message.headers);
            exchange.noted.extend(known.into_iter().map(|(key, text)| (key, Value::Text(text))));
        }
        exchange.bytes = Some(exchange.bytes.unwrap_or(0) + message.data);
        if let Some(coding) = exchange.coding.take_if(|_| message.data > 0)
            && let Some(why) = misbegins(&coding, &message.sample)
        {
            exchange.failure = Some(("http.coding".into(), format!("its body cannot be unpacked: {why}")));
        }
        exchange.ended |= message.ends;
        // Who has the whole answer needs no more of the request (RFC 9113 8.1).
        if message.resets && !exchange.ended && exchange.failure.is_none() {
            exchange.failure = Some(("http.reset".into(), "the server gave the stream up".into()));
            let error = message.error.unwrap_or(0);
            exchange
                .noted
                .push((if message.is_3 { "http3.error" } else { "http2.error" }, Value::from(error)));
            if !message.is_3 {
                exchange.noted.push(("http2.remote", Value::Bool(true)));
                exchange.noted.push(("http2.goaway", Value::Bool(false)));
            }
        }
    }
    if let Some((error, last, at)) = gone {
        // Whatever the server has promised to answer did not end by this.
        let unanswered = list.iter_mut().filter(|(stream, exchange)| {
            (*stream > last || error != 0) && !exchange.ended && exchange.failure.is_none()
        });
        for (_, exchange) in unanswered {
            exchange.end = exchange.end.max(at);
            exchange.failure = Some(("http.closed".into(), "the server is closing the connection".into()));
            exchange.noted.push(("http2.error", Value::from(error)));
            exchange.noted.push(("http2.remote", Value::Bool(true)));
            exchange.noted.push(("http2.goaway", Value::Bool(true)));
        }
    }
    list.into_iter().map(|(_, exchange)| exchange).collect()
}

/// Gives an exchange its end. `last`: it is the connection's last, so the connection's end is its.
fn end(exchange: &mut Exchange, close: &Close, capture_end: u64, last: bool, lost: bool) {
    if exchange.failure.is_some() {
        return;
    }
    let whole = exchange.ended || (exchange.status.is_some() && (!last || lost || exchange.head_only));
    if whole {
        if let Some(status) = exchange.status.filter(|status| *status >= 400) {
            exchange.failure =
                Some((format!("http.status.{status}"), format!("the server answered {status}")));
        }
        return;
    }
    if !last || lost {
        exchange.unclear = Some("its answer was not captured");
        return;
    }
    let bytes = exchange.bytes.unwrap_or(0);
    let began = exchange.answered.is_some();
    let fail = |code: &str, text: String| Some((code.to_owned(), text));
    // What either said of it last; goodbyes of the connection are not of it.
    let since = exchange.end.time.max(exchange.start.time);
    if let Some(reset) = close.reset {
        exchange.end = exchange.end.max(reset);
        exchange.failure = fail("http.reset", "the connection was reset".into());
    } else if exchange.method.is_empty() && began {
        // Whether a body was to come depends on the request (RFC 9110 9.3.2).
        exchange.unclear = Some("its request was not captured");
    } else if let Some(closed) = close.closed {
        exchange.end = exchange.end.max(closed);
        exchange.failure = if began {
            fail("http.truncated", format!("the connection was closed after {bytes} bytes of the answer"))
        } else {
            fail("http.closed", "the connection was closed without an answer".into())
        };
    } else {
        silent(exchange, close, since, began, capture_end);
    }
}

fn silent(exchange: &mut Exchange, close: &Close, since: u64, began: bool, capture_end: u64) {
    let until = close.left.map_or(capture_end, |left| left.time);
    if until.saturating_sub(since) < SILENCE {
        exchange.unclear = Some(if close.left.is_some() {
            "the client broke it off"
        } else {
            "the capture ends before its answer"
        });
        return;
    }
    exchange.end = Moment { time: until, number: exchange.end.number };
    exchange.failure = Some(if began {
        ("http.stalled".into(), "the answer stopped before it was complete".into())
    } else {
        ("http.timeout".into(), "no answer to the request".into())
    });
}

/// What encrypted records tell: the client said something after the handshake, and something came back, or not.
fn sealed(flow: &TcpFlow, tls: &Tls, host: &str, capture_end: u64) -> Option<Exchange> {
    let finished = tls.finished?;
    let (client, server) = (flow.client(), flow.server());
    let (start, _) = *tls.data[0].first()?;
    let after: Vec<&(Moment, u16)> = tls.data[1].iter().filter(|(at, _)| *at > finished).collect();
    let bytes: u64 = after.iter().map(|(_, len)| u64::from(*len)).sum();
    // Of many records only the first are remembered: then the stream itself tells how much there was, and until when.
    let many = flow.records[server] > RECORDS_MAX;
    let bytes = if many { bytes.max(flow.sides[server].bytes) } else { bytes };
    let mut exchange = Exchange {
        start,
        end: after.last().map_or(start, |(at, _)| (*at).max(start)),
        answered: answer_began(&after, start, flow.rtt().unwrap_or(0)),
        url: format!("https://{host}/"),
        method: "encrypted request".into(),
        version: tls
            .alpn
            .as_deref()
            .map(|alpn| if alpn == "h2" { "HTTP/2" } else { "HTTP/1.1" })
            .unwrap_or("HTTP")
            .into(),
        sealed: true,
        ..Exchange::default()
    };
    exchange.asked = exchange.answered.and_then(|answered| asked_last(tls, answered));
    let close = Close::of(flow);
    let holey = flow.sides[server].uncaptured > 0;
    let fail = |code: &str, text: &str| Some((code.to_owned(), text.to_owned()));
    let last_sent = flow.sides[client].last_data.unwrap_or(start.time);
    let last_heard = flow.sides[server].last_data.unwrap_or(0);
    let until = close.left.map_or(capture_end, |left| left.time);
    let quiet = until.saturating_sub(last_heard.max(start.time)) >= SILENCE;
    // Tickets and settings are no answer, and smaller than one.
    let something = bytes > u64::from(SMALL_TALK) && exchange.answered.is_some();
    let missing = flow.sides[server].missing() > 0;
    let unheard = flow.sides[client].unacknowledged() > 1 && flow.sides[client].resent_count > 0;
    let open = flow.framing[server].is_open() && flow.sides[server].uncaptured == 0;
    let foreign = |reset: Moment| {
        let by = flow.resets.iter().find(|known| known.by == server && known.at == reset);
        by.zip(flow.ttl[server]).is_some_and(|(by, ttl)| by.ttl != ttl)
    };
    if let Some(reset) = close.reset.filter(|reset| something && (open || foreign(*reset))) {
        // No polite end comes from somebody else, or in the middle of a record.
        exchange.end = exchange.end.max(reset);
        exchange.failure = fail("http.reset", "the connection was reset in the middle of the answer");
    } else if let Some(closed) = close.closed.filter(|_| something && open) {
        exchange.end = exchange.end.max(closed);
        exchange.failure =
            fail("http.truncated", "the connection was closed in the middle of an encrypted record");
    } else if holey && !something {
        exchange.unclear = Some("its answer was not captured whole");
    } else if let Some(reset) = close.reset {
        // After both had their say, a reset is a rude goodbye: what came before is not undone by it.
        let idle = reset.time.saturating_sub(last_heard.max(last_sent));
        let busy = idle < BUSY && !tls_said_goodbye(tls);
        if !something && tls_said_goodbye(tls) && close.left.is_none_or(|left| reset <= left) {
            exchange.end = exchange.end.max(reset);
            exchange.failure =
                fail("http.turned_away", "the server ended the connection with an encrypted alert");
        } else if !something && !missing && bytes > 0 && idle >= TIDIES_UP {
            exchange.unclear = Some("the connection was idle when it was reset");
        } else if !something && !missing && bytes > 0 && !is_alike(&after) {
            // Tickets are of one length, mostly; what differs may have been a small answer, and this a rude goodbye.
            exchange.unclear = Some("what came before the reset is too small to tell an answer from tickets");
        } else if !something || missing || (busy && exchange.answered.is_none()) {
            exchange.end = exchange.end.max(reset);
            exchange.failure = fail("http.reset", "the connection was reset");
        } else if let Some(failure) = cut_while_waiting(flow, reset, last_heard.max(last_sent)) {
            exchange.end = exchange.end.max(reset);
            exchange.failure = Some(failure);
        }
    } else if (missing || unheard) && quiet {
        exchange.end = Moment { time: until, number: exchange.end.number };
        exchange.failure = Some(if something {
            ("http.stalled".into(), "the answer stopped before it was complete".into())
        } else {
            ("http.timeout".into(), "no answer to the request".into())
        });
    } else if !something && bytes > 0 && quiet && close.closed.is_none() {
        // Tickets and settings, and then silence.
        exchange.answered = None;
        exchange.unclear = Some(
            "what came back is too small to tell an answer from the protocol's own messages, and then there was silence",
        );
    } else if bytes == 0 {
        if let Some(closed) = close
            .closed
            .filter(|_| tls.is_13() && tls_said_goodbye(tls) && flow.sides[server].uncaptured == 0)
        {
            // Its last words are encrypted: a goodbye, or what it thinks of the client's certificate.
            exchange.end = exchange.end.max(closed);
            exchange.failure =
                fail("http.turned_away", "the server ended the connection with an encrypted alert");
        } else if let Some(closed) = close.closed {
            exchange.end = exchange.end.max(closed);
            if WEB.contains(&flow.remote().1) || tls.alpn.is_some() {
                exchange.failure = fail("http.closed", "the connection was closed without an answer");
            } else {
                exchange.unclear = Some("whether an answer is due on such a port depends on the protocol");
            }
        } else if quiet {
            exchange.end = Moment { time: until, number: exchange.end.number };
            exchange.failure = fail("http.timeout", "no answer to the request");
        } else {
            exchange.unclear = Some("the capture ends before its answer");
        }
    }
    if many && let Some(last) = flow.pauses[server].last {
        exchange.end = exchange.end.max(Moment { time: last, number: flow.last.number });
    }
    exchange.bytes = Some(bytes);
    Some(exchange)
}

/// The server was silent for a moment, without a goodbye, and cut the connection while the client still held it: too late
/// for an impolite end of a whole answer, which follows it at once, and too early for a server that tidies up, which
/// leaves connections alone for five seconds and more.
fn cut_while_waiting(flow: &TcpFlow, reset: Moment, last: u64) -> Option<(String, String)> {
    let silent = reset.time.saturating_sub(last);
    let at_once = flow.rtt().unwrap_or(0).saturating_mul(3).max(AT_ONCE);
    let polite = flow.sides[flow.server()].fin.is_some();
    (!polite && (at_once..TIDIES_UP).contains(&silent))
        .then(|| ("http.reset".into(), "the connection was reset while the client waited for more".into()))
}

/// Whether all of these records have one length.
fn is_alike(records: &[&(Moment, u16)]) -> bool {
    records.windows(2).all(|pair| pair[0].1 == pair[1].1)
}

/// What the client said last before the answer: of a conversation of many small words, only that was being answered.
fn asked_last(tls: &Tls, answered: Moment) -> Option<Moment> {
    tls.data[0].iter().rev().map(|(at, _)| *at).find(|at| *at < answered)
}

/// When the answer began: behind the small talk, which comes soon after the handshake; later it is no small talk.
fn answer_began(after: &[&(Moment, u16)], start: Moment, rtt: u64) -> Option<Moment> {
    let mut sum = 0;
    let soon = start.time.saturating_add(rtt.saturating_mul(2)).saturating_add(AT_ONCE / 2);
    let beyond = after.iter().find(|(at, len)| {
        sum += u32::from(*len);
        sum > u32::from(SMALL_TALK) || at.time > soon
    });
    beyond.or(after.iter().find(|(at, _)| *at > start)).map(|(at, _)| *at).filter(|at| *at > start)
}

/// Where whatever is said over TLS is a request.
const WEB: [u16; 6] = [443, 853, 4433, 8443, 9443, 8080];

fn tls_said_goodbye(tls: &Tls) -> bool {
    tls.sealed_alert[1].is_some()
}

/// Session tickets and HTTP/2's settings have so many bytes altogether at most, mostly.
const SMALL_TALK: u16 = 900;
/// What follows so soon belongs to what was before.
const AT_ONCE: u64 = 200_000_000;
/// No server of note closes idle connections sooner.
const TIDIES_UP: u64 = 4_000_000_000;
/// Somebody was still speaking so shortly before.
const BUSY: u64 = 1_000_000_000;
