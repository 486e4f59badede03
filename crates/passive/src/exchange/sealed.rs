//! What encrypted records tell of a request: sizes and times.

use super::Exchange;
use super::ending::Close;
use crate::flow::{RECORDS_MAX, TcpFlow};
use crate::kept::Moment;
use crate::tls::{SILENCE, Tls};
use thru_trace::Value;

/// What encrypted records tell: the client said something after the handshake, and something came back, or not.
pub(super) fn sealed(flow: &TcpFlow, tls: &Tls, host: &str, capture_end: u64) -> Option<Exchange> {
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
        answered: answer_began(&after, start, small_talk_time(flow)),
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
    // What the server says to somebody who has left is no answer.
    let last_heard = close.left.and(flow.heard_till_left).or(flow.sides[server].last_data).unwrap_or(0);
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
        // Who hears such leaves at once, too.
        let farewell = tls.sealed_alert[1].filter(|at| close.left.is_none_or(|left| *at <= left));
        let over = close.closed.or(close.left);
        if let Some(closed) =
            over.filter(|_| tls.is_13() && farewell.is_some() && flow.sides[server].uncaptured == 0)
        {
            // Its last words are encrypted: a goodbye, or what it thinks of the client's certificate.
            exchange.end = exchange.end.max(closed);
            exchange.failure =
                fail("http.turned_away", "the server ended the connection with an encrypted alert");
            if tls.seems_to_show_certificate() {
                exchange.noted.push(("tls.certificate_likely", Value::Bool(true)));
            }
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
    let silent = exchange.failure.as_ref().is_some_and(|(code, _)| code == "http.timeout");
    exchange.bytes = Some(if silent { 0 } else { bytes });
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
fn answer_began(after: &[&(Moment, u16)], start: Moment, small_talk: u64) -> Option<Moment> {
    let mut sum = 0;
    let soon = start.time.saturating_add(small_talk);
    let beyond = after.iter().find(|(at, len)| {
        sum += u32::from(*len);
        sum > u32::from(SMALL_TALK) || at.time > soon
    });
    beyond.or(after.iter().find(|(at, _)| *at > start)).map(|(at, _)| *at).filter(|at| *at > start)
}

/// So long after the handshake the protocol's own messages may come: where something was lost, with the next try.
fn small_talk_time(flow: &TcpFlow) -> u64 {
    let again = if flow.sides.iter().any(|side| side.episodes > 0) { NEXT_TRY } else { 0 };
    flow.rtt().unwrap_or(0).saturating_mul(2).saturating_add(AT_ONCE / 2).saturating_add(again)
}

/// A timer that sends again waits so long, mostly (RFC 6298 2.1).
const NEXT_TRY: u64 = 1_000_000_000;
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
