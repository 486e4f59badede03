//! Requests and answers on a connection: read where they can be, told from the rhythm of encrypted records otherwise.
//!
//! - [`exchanges`]: start here. `http1`, `streams`: what was read. `instead`: what came that is no answer.
//! - `ending`: how the last of them ended. `sealed`: what encrypted records tell.

mod ending;
mod http1;
mod instead;
mod sealed;
mod streams;

pub(crate) use instead::head_line;
pub(crate) use streams::streams;

use crate::flow::{TcpFlow, What};
use crate::glance::Message;
use crate::kept::Moment;
use crate::tls::Tls;
use ending::{Close, Limits, cut_while_sending, end, without_goodbye};
use http1::{http1, is_tunnel};
use instead::{no_answer, other_version};
use sealed::sealed;
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
    /// The answer has no end that anybody waits for: a stream of events.
    pub(crate) streams: bool,
    /// All of the request was sent.
    pub(crate) sent: Option<Moment>,
    /// How the body says it is packed, as long as none of it came.
    pub(crate) coding: Option<String>,
    /// What else is to be said of it, as values of its span.
    pub(crate) noted: Vec<(&'static str, Value)>,
}

/// The exchanges of a connection.
pub(crate) fn exchanges(flow: &TcpFlow, tls: Option<&Tls>, host: &str, capture_end: u64) -> Vec<Exchange> {
    // HTTP/2, as far as its headers were deciphered: a stream is an exchange (RFC 9113 8.1).
    let mut list = streams(&flow.said, flow.client(), host);
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
    // What was asked for is within the tunnel.
    if list.iter().all(is_tunnel)
        && let Some(within) = tls.and_then(|tls| sealed(flow, tls, host, capture_end))
    {
        list.push(within);
        return list;
    }
    let heard = if is_2 { other_version(flow) } else { no_answer(flow) };
    if let Some((at, text, noted)) = heard
        && let Some(open) = list.iter_mut().find(|exchange| exchange.answered.is_none())
    {
        open.end = open.end.max(at);
        if instead::is_bare(flow) {
            open.unclear =
                Some("its answer is a page without a head, as before HTTP/1.0; some programs take it");
        } else {
            open.failure = Some(("http.protocol".into(), text.into()));
        }
        open.noted.extend(noted);
    }
    let close = Close::of(flow);
    let count = list.len();
    for (place, exchange) in list.iter_mut().enumerate() {
        let longest_pause = flow.pauses[flow.server()].longest;
        let shut = flow.shut[flow.client()].since.is_some();
        let limits = Limits { capture_end, last: place + 1 == count, lost, longest_pause, shut };
        end(exchange, &close, &limits);
    }
    by_the_way(&mut list);
    if let (Some(last), Some(tls), Some(closed)) = (list.last_mut(), tls, close.closed) {
        without_goodbye(last, flow, tls, closed);
    }
    if let Some(last) = list.last_mut().filter(|_| count > 1) {
        crossed(last, flow);
    }
    if let Some(last) = list.last_mut().filter(|last| cut_while_sending(last, flow, is_2)) {
        last.noted.push(("http.cut_while_sending", Value::Bool(true)));
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
