//! How far an exchange has come: what it measured as it went, and what its span says in the end.

use std::io::Read;
use std::time::Duration;

use http::header::{self, HeaderMap};
use http::{Method, StatusCode};
use thru_trace::{Layer, SpanId, Value};
use thru_wire::Instant;

use super::{Answer, Limits, Problem, Times, headers};
use crate::Recorder;
use crate::secure::{Counts, Failure};

/// How far an exchange has come.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) start: Instant,
    pub(super) sent: Option<Instant>,
    pub(super) first_byte: Option<Instant>,
    pub(super) end: Option<Instant>,
    pub(super) head: Option<(StatusCode, HeaderMap)>,
    body: Vec<u8>,
    pub(super) bytes: u64,
    pauses: Pauses,
    /// Bytes that came after the end of the body.
    excess: u64,
    /// The body was not read to its end, because what came was enough.
    cut: bool,
}

/// An answer is still coming if a piece of it came within this part of the time that it was given.
const FLOWING: u32 = 4;
/// What unpacks to more is not unpacked to its end.
const UNPACKED_MAX: u64 = 16 << 20;

/// The silence between the pieces of a body.
#[derive(Debug, Default)]
struct Pauses {
    last: Option<Instant>,
    pieces: u32,
    longest: Duration,
    /// Sum of all silences of a millisecond and more, and how many there were.
    total: Duration,
    count: u32,
}

impl Pauses {
    fn piece(&mut self, now: Instant) {
        let pause = self.last.map_or(Duration::ZERO, |last| now.since(last));
        self.last = Some(now);
        self.pieces += 1;
        self.longest = self.longest.max(pause);
        if pause >= Duration::from_millis(1) {
            self.total += pause;
            self.count += 1;
        }
    }
}

impl Progress {
    pub(super) fn new(start: Instant) -> Progress {
        Progress {
            start,
            sent: None,
            first_byte: None,
            end: None,
            head: None,
            body: Vec::new(),
            bytes: 0,
            pauses: Pauses::default(),
            excess: 0,
            cut: false,
        }
    }

    /// Whether what came of the body is enough. One that is as long as was announced has come to its end.
    pub(super) fn is_enough(&mut self, limits: &Limits) -> bool {
        self.cut |= self.bytes >= limits.enough;
        self.cut
    }

    /// The time is up. An answer that is still coming is no worse for being long: what came of it is what is told. Else
    /// the error says that it has stopped.
    pub(super) fn time_is_up(&mut self, now: Instant, limits: &Limits) -> Result<(), Problem> {
        let flows = self.pauses.last.is_some_and(|last| now.since(last) < limits.total / FLOWING);
        if !flows {
            return Err(endless(limits, self.bytes));
        }
        self.cut = true;
        self.end = Some(now);
        Ok(())
    }

    /// Counts a piece of the body that came at `now`, and keeps it if there is room.
    pub(super) fn data(&mut self, data: &[u8], now: Instant, limits: &Limits) {
        self.bytes += data.len() as u64;
        self.pauses.piece(now);
        let room = limits.kept.saturating_sub(self.body.len()).min(data.len());
        self.body.extend_from_slice(&data[..room]);
    }

    /// The body has ended: is it as long as the head said?
    pub(super) fn check_length(&self, method: &Method) -> Result<(), Problem> {
        let Some((status, headers)) = &self.head else { return Ok(()) };
        let bodiless = method == Method::HEAD || matches!(status.as_u16(), 204 | 304);
        let announced = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok())
            .and_then(|length| length.parse::<u64>().ok());
        match announced {
            Some(length) if !bodiless && self.bytes < length => {
                Err(Problem::new("http.truncated", format!("{} of {length} bytes came", self.bytes)))
            }
            _ => Ok(()),
        }
    }

    /// Whether more came than the length that was announced (RFC 9112 9.2). Heads of interim answers are no excess.
    pub(super) fn note_excess(&mut self, counts: &Counts) {
        let Some((_, headers)) = &self.head else { return };
        let interim = counts.head.get(9) == Some(&b'1');
        if interim || counts.head_end == 0 || !headers.contains_key(header::CONTENT_LENGTH) {
            return;
        }
        self.excess = counts.bytes_read.saturating_sub(counts.head_end + self.bytes);
    }

    /// Whether a body that says that it is compressed (RFC 9110 8.4) can be unpacked, as far as it was kept.
    pub(super) fn check_coding(&self) -> Result<(), Problem> {
        let coding = self.head.as_ref().and_then(|(_, headers)| headers.get(header::CONTENT_ENCODING));
        let coding =
            coding.and_then(|coding| coding.to_str().ok()).unwrap_or_default().trim().to_ascii_lowercase();
        if self.body.is_empty() || !matches!(coding.as_str(), "gzip" | "x-gzip" | "deflate") {
            return Ok(());
        }
        let whole = self.body.len() as u64 == self.bytes;
        let mut sink = std::io::sink();
        let unpacked = match coding.as_str() {
            "deflate" => std::io::copy(
                &mut flate2::read::ZlibDecoder::new(&self.body[..]).take(UNPACKED_MAX),
                &mut sink,
            ),
            _ => {
                std::io::copy(&mut flate2::read::GzDecoder::new(&self.body[..]).take(UNPACKED_MAX), &mut sink)
            }
        };
        match unpacked {
            Err(error) if whole || error.kind() != std::io::ErrorKind::UnexpectedEof => Err(Problem::new(
                "http.coding",
                format!("the answer says that it is compressed ({coding}), and cannot be unpacked: {error}"),
            )),
            _ => Ok(()),
        }
    }

    pub(super) fn record(&self, recorder: &Recorder, span: SpanId, problem: Option<&Problem>) {
        let child = |what: &str, label: &str, start: Option<Instant>, end: Option<Instant>| {
            let Some(start) = start else { return };
            let child = recorder.open_at(Some(span), Layer::Http, what, label, start);
            match (end, problem) {
                (Some(end), _) => recorder.set_times(child, start, end.max(start)),
                (None, Some(problem)) => recorder.fail(child, problem.code.clone(), problem.text.clone()),
                (None, None) => recorder.ok(child),
            }
        };
        child("request", "send the request", Some(self.start), self.sent);
        child("wait", "wait for the answer", self.sent, self.first_byte);
        child("transfer", "receive the answer", self.first_byte, self.end);
        recorder.set(span, "http.pieces", self.pauses.pieces);
        recorder.set_duration(span, "http.longest_pause", self.pauses.longest);
        recorder.set(span, "http.pauses", self.pauses.count);
        recorder.set_duration(span, "http.paused", self.pauses.total);
        if self.excess > 0 {
            recorder.set(span, "http.excess", i64::try_from(self.excess).unwrap_or(i64::MAX));
        }
        if self.cut {
            recorder.set(span, "http.cut", true);
        }
        let Some((status, headers)) = &self.head else { return };
        recorder.set(span, "http.status", i64::from(status.as_u16()));
        recorder.set(span, "http.bytes", Value::Int(i64::try_from(self.bytes).unwrap_or(i64::MAX)));
        recorder.set(span, "http.response.headers", headers::told(headers));
        let chunked = headers.get(header::TRANSFER_ENCODING).is_some();
        if chunked && headers.contains_key(header::CONTENT_LENGTH) {
            recorder.set(span, "http.two_lengths", true);
        }
        if chunked || headers.contains_key(header::CONTENT_LENGTH) {
            recorder.set(span, "http.chunked", chunked);
        }
        let values = [
            ("http.alt_svc", header::ALT_SVC),
            ("http.server", header::SERVER),
            ("http.retry_after", header::RETRY_AFTER),
            ("http.location", header::LOCATION),
            ("http.server_timing", header::HeaderName::from_static("server-timing")),
            ("http.upstream_ms", header::HeaderName::from_static("x-envoy-upstream-service-time")),
            ("http.age", header::AGE),
            ("http.cache_control", header::CACHE_CONTROL),
        ];
        for (key, name) in values {
            if let Some(value) = headers.get(&name) {
                recorder.set(span, key, headers::shown(&name, value));
            }
        }
    }

    pub(super) fn answer(
        self,
        recorder: &Recorder,
        span: SpanId,
        version: &'static str,
    ) -> Result<Answer, Failure> {
        let now = recorder.network().now();
        let Some((status, headers)) = self.head else {
            return Err(Failure::record(recorder, span, "http.protocol", "the answer has no head"));
        };
        if status.is_client_error() || status.is_server_error() {
            recorder.fail(
                span,
                format!("http.status.{}", status.as_u16()),
                format!("the server answered {status}"),
            );
        } else {
            recorder.ok(span);
        }
        let sent = self.sent.unwrap_or(self.start);
        Ok(Answer {
            span,
            version,
            status: status.as_u16(),
            headers,
            body: self.body.into(),
            bytes: self.bytes,
            times: Times {
                start: self.start,
                sent,
                first_byte: self.first_byte.unwrap_or(now),
                end: self.end.unwrap_or(now),
            },
        })
    }
}

pub(super) fn no_answer(limits: &Limits) -> Problem {
    Problem::new("http.timeout", format!("the request was sent, and no answer came within {:?}", limits.wait))
}

pub(super) fn stalled(limits: &Limits, bytes: u64) -> Problem {
    Problem::new(
        "http.stalled",
        format!("the answer stopped after {bytes} bytes of body, for {:?}", limits.stall),
    )
}

fn endless(limits: &Limits, bytes: u64) -> Problem {
    Problem::new(
        "http.stalled",
        format!("the answer was not complete within {:?}; {bytes} bytes came", limits.total),
    )
}
