//! What came instead of an answer.

use crate::flow::TcpFlow;
use crate::kept::Moment;
use thru_trace::Value;

/// What came instead of an answer: when, in words, and the values that a live probe writes.
pub(super) type Instead = (Moment, &'static str, Vec<(&'static str, Value)>);

/// The server was asked over HTTP/2 and answered in HTTP/1.
pub(super) fn other_version(flow: &TcpFlow) -> Option<Instead> {
    let (time, number) = flow.sides[flow.server()].last_data.map(|time| (time, flow.last.number))?;
    flow.plain_opening[flow.server()].starts_with(b"HTTP/1.").then(|| {
        let spoke = vec![("http2.spoke_http1", Value::Bool(true))];
        (Moment { time, number }, "the server agreed to HTTP/2 and answered in HTTP/1", spoke)
    })
}

/// What came back to a request in HTTP/1 is no answer of HTTP.
pub(super) fn no_answer(flow: &TcpFlow) -> Option<Instead> {
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

/// Whether the server sent a page without any head (HTTP/0.9) to its end, and the client heard it out.
pub(super) fn is_bare(flow: &TcpFlow) -> bool {
    let fin = |side: usize| flow.sides[side].fin.map(|(time, _)| time);
    let heard_out = fin(flow.server()).is_some_and(|bye| fin(flow.client()).is_none_or(|left| left >= bye));
    let text = flow.opening[flow.server()].trim_ascii_start();
    heard_out && flow.resets.is_empty() && text.first() == Some(&b'<')
}
