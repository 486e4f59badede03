//! Requests and answers in HTTP/1, as they were read.

use super::Exchange;
use crate::flow::{Said, TcpFlow, What};
use crate::http1::{Event, Request, Response};
use crate::kept::Moment;
use thru_trace::Value;

/// Asks a proxy for a tunnel (RFC 9110 9.3.6).
const CONNECT: &str = "CONNECT";
/// "Switching Protocols".
const SWITCHING: u16 = 101;

/// HTTP/1: answers come in the order of the requests (RFC 9112 9.3.2).
pub(super) fn http1(flow: &TcpFlow, host: &str, secure: bool) -> Vec<Exchange> {
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
            Event::End if *by == client => {
                if let Some(exchange) = list.last_mut() {
                    exchange.sent = Some(*at);
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

/// Whether a proxy made the tunnel that it was asked for.
pub(super) fn is_tunnel(exchange: &Exchange) -> bool {
    exchange.method == CONNECT && exchange.status.is_some_and(|status| (200..300).contains(&status))
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
        // Whoever asks for a tunnel names its end, and no page (RFC 9112 3.2.3).
        url: if request.path.starts_with("http") || request.method == CONNECT {
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
    exchange.streams = response.streams;
    exchange.noted.extend(response.noted.iter().map(|(key, text)| (*key, Value::Text(text.clone()))));
    if response.odd_header {
        exchange.noted.push(("http.odd_header", Value::Bool(true)));
    }
    if response.two_lengths {
        exchange.noted.push(("http.two_lengths", Value::Bool(true)));
    }
}
