//! The HTTP step: one request and its answer, over HTTP/1.1, HTTP/2 or HTTP/3.
//!
//! - [`Client`]: start here; made from a connected stream or a QUIC connection, usable for many requests.
//! - [`Client::exchange`]: sends a [`Request`], writes the span `exchange` with its children `request`, `wait` and
//!   `transfer`, and returns the [`Answer`]. Redirects are reported; following them is the caller's decision.
//! - [`page`]: a page and its objects, timed, over any of the versions, for comparing them.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap};
use http::{HeaderValue, Method};
use thru_net::Network;
use thru_trace::{Layer, SpanId, Value};
use thru_wire::Instant;
use tokio::io::{AsyncRead, AsyncWrite};
use url::Url;

use crate::Recorder;
use crate::login::Login;
use crate::secure::Failure;
use crate::secure::quic::QuicConnection;
use progress::{Progress, no_answer, stalled};

mod failure;
mod headers;
mod http3;
pub mod page;
mod progress;
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
    /// A GET. A login in `url` is taken off and brought as a header.
    pub fn get(mut url: Url) -> Request {
        let login = Login::take(&mut url);
        let mut request = Request { method: Method::GET, url, headers: HeaderMap::new(), body: Bytes::new() };
        if let Some(login) = login {
            request.bring(&login);
        }
        request
    }

    /// Shows this login to the server (RFC 7617).
    pub fn bring(&mut self, login: &Login) {
        self.headers.insert(header::AUTHORIZATION, login.basic());
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

    /// As the `http` crate wants it: with an absolute URI for HTTP/2 and HTTP/3, a path and `Host` for HTTP/1.1.
    fn message(&self, absolute: bool) -> Result<http::Request<Bytes>, Problem> {
        let refused = |error: http::Error| Problem::new("http.protocol", error.to_string());
        let uri = match absolute {
            true => format!("{}://{}{}", self.url.scheme(), self.authority(), self.path()),
            false => self.path(),
        };
        let mut request = http::Request::builder()
            .method(self.method.clone())
            .uri(uri)
            .body(self.body.clone())
            .map_err(refused)?;
        let headers = request.headers_mut();
        if !absolute {
            let host = HeaderValue::from_str(&self.authority()).map_err(|error| refused(error.into()))?;
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
    /// For everything. A body that is still coming then is cut there, and no failure.
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
        if request.headers.contains_key(header::AUTHORIZATION) {
            recorder.set(span, "http.login", true);
        }
        let mut progress = Progress::new(recorder.network().now());
        let result = match request.message(self.takes_absolute()) {
            Ok(message) => {
                recorder.set(span, "http.request.headers", headers::told(message.headers()));
                self.send(message, limits, &mut progress).await
            }
            Err(problem) => Err(problem),
        };
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

    /// Whether a request's head has an absolute URI, as in HTTP/2 and HTTP/3.
    fn takes_absolute(&self) -> bool {
        self.version() != "HTTP/1.1"
    }

    /// The exchange itself; `progress` tells how far it came even if it fails.
    async fn send(
        &mut self,
        message: http::Request<Bytes>,
        limits: &Limits,
        progress: &mut Progress,
    ) -> Result<(), Problem> {
        match self {
            Client::Tcp(client) => client.send(message, limits, progress).await,
            Client::Quic(client) => client.send(message, limits, progress).await,
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
