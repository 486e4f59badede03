//! The HTTP step: one request and its answer, over HTTP/1.1, HTTP/2 or HTTP/3.
//!
//! - [`Client`]: start here; made from a connected stream or a QUIC connection, usable for many requests.
//! - [`Client::exchange`]: sends a [`Request`], writes the span `exchange` with its children `request`, `wait` and
//!   `transfer`, and returns the [`Answer`]. Redirects are reported; following them is the caller's decision.
//! - [`page`]: a page and its objects, timed, over any of the versions, for comparing them.

use std::fmt;
use std::io::Read;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap};
use http::{HeaderValue, Method, StatusCode};
use thru_net::Network;
use thru_trace::{Layer, SpanId, Value};
use thru_wire::Instant;
use tokio::io::{AsyncRead, AsyncWrite};
use url::Url;

use crate::Recorder;
use crate::secure::quic::QuicConnection;
use crate::secure::{Counts, Failure};

mod failure;
mod headers;
mod http3;
pub mod page;
mod tcp;

#[cfg(test)]
mod tests;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET` mostly.
    pub method: Method,
    /// With scheme, host and path.
    pub url: Url,
    /// Besides `Host`, `User-Agent` and `Accept`.
    pub headers: HeaderMap,
    /// Sent with it; empty: none.
    pub body: Bytes,
}

impl Request {
    /// A GET.
    pub fn get(url: Url) -> Request {
        Request { method: Method::GET, url, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// Host and, where it is not the scheme's own, port: for `Host` and `:authority`.
    fn authority(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    fn path(&self) -> String {
        match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        }
    }

    /// The head as the `http` crate wants it: with an absolute URI for HTTP/2 and HTTP/3, a path and `Host` for HTTP/1.1.
    fn head(&self, absolute: bool) -> Result<http::Request<()>, String> {
        let uri = match absolute {
            true => format!("{}://{}{}", self.url.scheme(), self.authority(), self.path()),
            false => self.path(),
        };
        let mut request = http::Request::builder()
            .method(self.method.clone())
            .uri(uri)
            .body(())
            .map_err(|error| error.to_string())?;
        let headers = request.headers_mut();
        if !absolute {
            let host = HeaderValue::from_str(&self.authority()).map_err(|error| error.to_string())?;
            headers.insert(header::HOST, host);
        }
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("thru/", env!("CARGO_PKG_VERSION"))),
        );
        headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
        if !self.body.is_empty() {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        }
        for (name, value) in &self.headers {
            headers.insert(name.clone(), value.clone());
        }
        Ok(request)
    }
}

/// How long to wait, and how much to keep.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For the answer to begin.
    pub wait: Duration,
    /// Between two pieces of the answer.
    pub stall: Duration,
    /// For everything.
    pub total: Duration,
    /// Bytes of the body kept; the rest is counted only.
    pub kept: usize,
    /// So many bytes of the body tell what there is to know: what comes after them is not waited for.
    pub enough: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            wait: Duration::from_secs(10),
            stall: Duration::from_secs(10),
            total: Duration::from_secs(300),
            kept: 64 * 1024,
            enough: u64::MAX,
        }
    }
}

/// What came back. A status of 400 or more is an answer too, though its span says failed.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The span `exchange`.
    pub span: SpanId,
    /// `HTTP/1.1`, `HTTP/2`, `HTTP/3`.
    pub version: &'static str,
    /// 200 and so on.
    pub status: u16,
    /// All of them.
    pub headers: HeaderMap,
    /// The beginning of the body.
    pub body: Bytes,
    /// Bytes of the whole body.
    pub bytes: u64,
    /// When what happened.
    pub times: Times,
}

impl Answer {
    /// Whether it is a redirect without a place to go to.
    pub fn leads_nowhere(&self, base: &Url) -> bool {
        matches!(self.status, 301 | 302 | 303 | 307 | 308) && self.redirect(base).is_none()
    }

    /// Where a redirect (RFC 9110 15.4) leads; `None` if it is none or leads nowhere.
    pub fn redirect(&self, base: &Url) -> Option<Url> {
        let redirects = matches!(self.status, 301 | 302 | 303 | 307 | 308);
        let location = self.headers.get(header::LOCATION).filter(|_| redirects)?;
        base.join(location.to_str().ok()?).ok()
    }
}

/// The moments of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// The request was handed over.
    pub start: Instant,
    /// Its last byte was handed to the transport.
    pub sent: Instant,
    /// The answer began.
    pub first_byte: Instant,
    /// The answer was complete.
    pub end: Instant,
}

/// A connection that takes requests.
#[derive(Debug)]
pub enum Client {
    /// HTTP/1.1 or HTTP/2 over a stream.
    Tcp(tcp::TcpClient),
    /// HTTP/3.
    Quic(Box<http3::QuicClient>),
}

impl Client {
    /// HTTP over `stream`: HTTP/2 if `http2` (that is what ALPN said), else HTTP/1.1.
    pub async fn over_stream<S>(network: &Network, stream: S, http2: bool) -> Result<Client, Problem>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        tcp::TcpClient::new(network, stream, http2).await.map(Client::Tcp)
    }

    /// HTTP/3 over a QUIC connection.
    pub async fn over_quic(network: &Network, connection: QuicConnection) -> Result<Client, Problem> {
        http3::QuicClient::new(network, connection).await.map(|client| Client::Quic(Box::new(client)))
    }

    /// `HTTP/1.1`, `HTTP/2`, `HTTP/3`.
    pub fn version(&self) -> &'static str {
        match self {
            Client::Tcp(client) => client.version(),
            Client::Quic(_) => "HTTP/3",
        }
    }

    /// Sends a request and reads its answer.
    pub async fn exchange(
        &mut self,
        recorder: &Recorder,
        parent: Option<SpanId>,
        request: &Request,
        limits: &Limits,
    ) -> Result<Answer, Failure> {
        let label = format!("{} {}", request.method, request.url);
        let span = recorder.open(parent, Layer::Http, "exchange", label);
        recorder.set(span, "http.url", request.url.to_string());
        recorder.set(span, "http.method", request.method.to_string());
        recorder.set(span, "http.version", self.version());
        if let Ok(head) = request.head(self.version() != "HTTP/1.1") {
            recorder.set(span, "http.request.headers", headers::told(head.headers()));
        }
        let mut progress = Progress::new(recorder.network().now());
        let result = self.send(request, limits, &mut progress).await;
        if let Client::Quic(client) = self {
            client.finish(recorder).await;
        }
        progress.record(recorder, span, result.as_ref().err());
        match result {
            Ok(()) => progress.answer(recorder, span, self.version()),
            Err(Problem { code, text, details }) => {
                for (key, value) in details {
                    recorder.set(span, key, value);
                }
                Err(Failure::record(recorder, span, code, text))
            }
        }
    }

    /// The exchange itself; `progress` tells how far it came even if it fails.
    async fn send(
        &mut self,
        request: &Request,
        limits: &Limits,
        progress: &mut Progress,
    ) -> Result<(), Problem> {
        match self {
            Client::Tcp(client) => client.send(request, limits, progress).await,
            Client::Quic(client) => client.send(request, limits, progress).await,
        }
    }

    /// A second handle on the same connection, for requests at the same time; `None` over HTTP/1.1.
    fn share(&self) -> Option<Client> {
        match self {
            Client::Tcp(client) => client.share().map(Client::Tcp),
            Client::Quic(client) => Some(Client::Quic(Box::new(client.share()))),
        }
    }

    /// Closes the connection in order: what TLS and the transport have to say at the end gets said.
    pub async fn close(self) {
        match self {
            Client::Tcp(client) => client.close().await,
            Client::Quic(client) => client.close().await,
        }
    }
}

/// Why there is no answer: a stable word and a sentence.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// `http.timeout`, `http.closed`...
    pub code: String,
    /// For people.
    pub text: String,
    /// What else is known, as values of the span.
    details: Vec<(&'static str, Value)>,
}

impl Problem {
    fn new(code: impl Into<String>, text: impl Into<String>) -> Problem {
        Problem { code: code.into(), text: text.into(), details: Vec::new() }
    }

    fn with(mut self, key: &'static str, value: impl Into<Value>) -> Problem {
        self.details.push((key, value.into()));
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.text)
    }
}

impl std::error::Error for Problem {}

/// How far an exchange has come.
#[derive(Debug)]
struct Progress {
    start: Instant,
    sent: Option<Instant>,
    first_byte: Option<Instant>,
    end: Option<Instant>,
    head: Option<(StatusCode, HeaderMap)>,
    body: Vec<u8>,
    bytes: u64,
    pauses: Pauses,
    /// Bytes that came after the end of the body.
    excess: u64,
    /// The body was not read to its end, because what came was enough.
    cut: bool,
}

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
    fn new(start: Instant) -> Progress {
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
    fn is_enough(&mut self, limits: &Limits) -> bool {
        self.cut |= self.bytes >= limits.enough;
        self.cut
    }

    /// Counts a piece of the body that came at `now`, and keeps it if there is room.
    fn data(&mut self, data: &[u8], now: Instant, limits: &Limits) {
        self.bytes += data.len() as u64;
        self.pauses.piece(now);
        let room = limits.kept.saturating_sub(self.body.len()).min(data.len());
        self.body.extend_from_slice(&data[..room]);
    }

    /// The body has ended: is it as long as the head said?
    fn check_length(&self, method: &Method) -> Result<(), Problem> {
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
    fn note_excess(&mut self, counts: &Counts) {
        let Some((_, headers)) = &self.head else { return };
        let interim = counts.head.get(9) == Some(&b'1');
        if interim || counts.head_end == 0 || !headers.contains_key(header::CONTENT_LENGTH) {
            return;
        }
        self.excess = counts.bytes_read.saturating_sub(counts.head_end + self.bytes);
    }

    /// Whether a body that says that it is compressed (RFC 9110 8.4) can be unpacked, as far as it was kept.
    fn check_coding(&self) -> Result<(), Problem> {
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

    fn record(&self, recorder: &Recorder, span: SpanId, problem: Option<&Problem>) {
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
            if let Some(value) = headers.get(name) {
                let value = value.as_bytes();
                recorder.set(
                    span,
                    key,
                    String::from_utf8_lossy(&value[..value.len().min(1024)]).into_owned(),
                );
            }
        }
    }

    fn answer(self, recorder: &Recorder, span: SpanId, version: &'static str) -> Result<Answer, Failure> {
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

fn no_answer(limits: &Limits) -> Problem {
    Problem::new("http.timeout", format!("the request was sent, and no answer came within {:?}", limits.wait))
}

fn stalled(limits: &Limits, bytes: u64) -> Problem {
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
