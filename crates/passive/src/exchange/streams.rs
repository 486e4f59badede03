//! Requests and answers in HTTP/2 and HTTP/3, as far as they were deciphered.

use super::Exchange;
use super::http1::is_tunnel;
use crate::coding::misbegins;
use crate::flow::{Said, What};
use crate::glance::Message;
use crate::http1::{is_stream, noted};
use crate::kept::Moment;
use thru_trace::Value;

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
            exchange.streams = get("content-type").is_some_and(|kind| is_stream(&kind));
            // What follows is another protocol's (RFC 8441 4).
            exchange.ended |= is_tunnel(exchange);
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
