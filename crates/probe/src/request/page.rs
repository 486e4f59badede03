//! A page and the objects it names, loaded as a browser would, and every moment of it: what the versions of HTTP differ in.
//!
//! - [`load`]: start here.
//! - [`Way`]: six connections of HTTP/1.1, one of HTTP/2 or HTTP/3, or HTTP/3 that resumes with 0-RTT.
//! - [`PageLoad`]: when each object began and ended, and how many round trips the handshake took.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thru_net::ConnectOptions;
use thru_trace::{Layer, SpanId};
use thru_wire::Instant;
use tokio::task::JoinSet;
use url::Url;

use super::{Answer, Client, Limits, Problem, Progress, Request};
use crate::login::Login;
use crate::secure::quic::QuicOptions;
use crate::secure::{Failure, TlsClient};
use crate::{Recorder, connect};

/// Connections a browser opens to one host over HTTP/1.1.
pub const PARALLEL: usize = 6;
/// Objects of a page that are loaded.
const OBJECTS_MAX: usize = 200;

/// How to load a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Six connections, one request at a time on each.
    Http1,
    /// One connection, all requests at once.
    Http2,
    /// One QUIC connection, all requests at once.
    Http3,
    /// One QUIC connection that resumes an earlier one: the first request leaves with the first packet.
    Http3Early,
}

impl Way {
    /// All of them, in the order they were invented.
    pub const ALL: [Way; 4] = [Way::Http1, Way::Http2, Way::Http3, Way::Http3Early];

    /// `HTTP/3 0-RTT` and the like.
    pub fn name(self) -> &'static str {
        match self {
            Way::Http1 => "HTTP/1.1",
            Way::Http2 => "HTTP/2",
            Way::Http3 => "HTTP/3",
            Way::Http3Early => "HTTP/3 0-RTT",
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One request of a page.
#[derive(Clone, Debug, PartialEq)]
pub struct Load {
    /// `/object/7`.
    pub path: String,
    /// The status; `None`: it failed.
    pub status: Option<u16>,
    /// Why it failed.
    pub problem: Option<Problem>,
    /// Which connection carried it, from 0.
    pub connection: usize,
    /// The request was handed over.
    pub start: Instant,
    /// The answer began.
    pub first_byte: Option<Instant>,
    /// The answer was complete, or failed.
    pub end: Instant,
    /// Bytes of the body.
    pub bytes: u64,
}

/// A page that was loaded.
#[derive(Clone, Debug)]
pub struct PageLoad {
    /// How.
    pub way: Way,
    /// The span above everything it did.
    pub span: SpanId,
    /// Nothing was sent before.
    pub start: Instant,
    /// The first connection could carry a request.
    pub ready: Instant,
    /// The first byte of the page came.
    pub first_byte: Instant,
    /// The last byte of the last object came.
    pub end: Instant,
    /// Round-trip time as the first connection's handshake saw it.
    pub rtt: Duration,
    /// Connections opened.
    pub connections: usize,
    /// The page, then its objects in the order the page names them.
    pub loads: Vec<Load>,
}

impl PageLoad {
    /// Round trips until the first request could leave: 2 for TCP and TLS 1.3, 1 for QUIC, 0 for 0-RTT.
    pub fn handshake_round_trips(&self) -> u32 {
        round_trips(self.ready.since(self.start), self.rtt)
    }

    /// Round trips until the first byte of the page; what the server took to think counts too.
    pub fn first_byte_round_trips(&self) -> u32 {
        round_trips(self.first_byte.since(self.start), self.rtt)
    }

    /// From the start to the last byte.
    pub fn total(&self) -> Duration {
        self.end.since(self.start)
    }

    /// Bytes of all bodies.
    pub fn bytes(&self) -> u64 {
        self.loads.iter().map(|load| load.bytes).sum()
    }

    /// Requests that did not end with a status below 400.
    pub fn failed(&self) -> usize {
        self.loads.iter().filter(|load| load.status.is_none_or(|status| status >= 400)).count()
    }
}

/// `duration` in round trips, rounded to the nearest.
fn round_trips(duration: Duration, rtt: Duration) -> u32 {
    let rtt = rtt.as_nanos().max(1);
    u32::try_from((duration.as_nanos() + rtt / 2) / rtt).unwrap_or(u32::MAX)
}

/// Loads `url` from `remote`, and then everything its `src` attributes name on the same host.
///
/// It starts without sessions; for [`Way::Http3Early`] an earlier connection, which is not counted, gets one. An object
/// that fails is told in its [`Load`]; `Err` means that there was no page.
pub async fn load(
    recorder: &Recorder,
    parent: Option<SpanId>,
    tls: &TlsClient,
    remote: SocketAddr,
    url: &Url,
    way: Way,
    limits: &Limits,
) -> Result<PageLoad, Failure> {
    let mut url = url.clone();
    let login = Login::take(&mut url);
    let span = recorder.open(parent, Layer::Http, "page", format!("{url} over {way}"));
    let loader = Loader {
        recorder: recorder.clone(),
        span,
        tls: tls.fresh(),
        remote,
        host: url.host_str().unwrap_or_default().to_owned(),
        login,
        way,
        limits: *limits,
    };
    let result = loader.load(&url).await;
    match &result {
        Ok(_) => recorder.ok(span),
        Err(failure) => recorder.fail(span, failure.code.clone(), failure.text.clone()),
    }
    result
}

/// What every connection of one page needs.
#[derive(Clone)]
struct Loader {
    recorder: Recorder,
    span: SpanId,
    tls: TlsClient,
    remote: SocketAddr,
    host: String,
    login: Option<Login>,
    way: Way,
    limits: Limits,
}

/// A connection, and what its handshake took.
struct Opened {
    client: Client,
    rtt: Duration,
    ready: Instant,
}

impl Loader {
    async fn load(&self, url: &Url) -> Result<PageLoad, Failure> {
        let network = self.recorder.network();
        let mut earlier_rtt = None;
        if self.way == Way::Http3Early {
            let mut earlier = self.open(false).await?;
            let request = self.request(url.join("/bytes/1").unwrap_or_else(|_| url.clone()));
            earlier.client.exchange(&self.recorder, Some(self.span), &request, &self.limits).await?;
            earlier_rtt = Some(earlier.rtt);
            earlier.client.close().await;
        }
        let start = network.now();
        let Opened { mut client, rtt, ready } = self.open(self.way == Way::Http3Early).await?;
        let page = client
            .exchange(&self.recorder, Some(self.span), &self.request(url.clone()), &self.limits)
            .await?;
        let paths = sources(&page, url);
        let mut loads = vec![Load {
            path: url.path().to_owned(),
            status: Some(page.status),
            problem: None,
            connection: 0,
            start: page.times.start,
            first_byte: Some(page.times.first_byte),
            end: page.times.end,
            bytes: page.bytes,
        }];
        let connections = match self.way {
            Way::Http1 => self.one_by_one(&mut client, paths, &mut loads).await,
            Way::Http2 | Way::Http3 | Way::Http3Early => {
                self.all_at_once(&client, paths, &mut loads).await;
                1
            }
        };
        let end = loads.iter().map(|load| load.end).max().unwrap_or(start);
        client.close().await;
        Ok(PageLoad {
            way: self.way,
            span: self.span,
            start,
            ready,
            first_byte: page.times.first_byte,
            end,
            rtt: earlier_rtt.unwrap_or(rtt),
            connections,
            loads,
        })
    }

    /// A GET, with the page's login: all its objects are of the same origin.
    fn request(&self, url: Url) -> Request {
        let mut request = Request::get(url);
        if let Some(login) = &self.login {
            request.bring(login);
        }
        request
    }

    async fn open(&self, early_data: bool) -> Result<Opened, Failure> {
        let network = self.recorder.network();
        let problem = |problem: Problem| Failure { span: self.span, code: problem.code, text: problem.text };
        let parent = Some(self.span);
        match self.way {
            Way::Http1 | Way::Http2 => {
                let started = network.now();
                let options =
                    ConnectOptions { limit: Some(self.limits.wait), nodelay: true, ..Default::default() };
                let connected =
                    connect::single(&self.recorder, parent, self.remote, options).await.map_err(|span| {
                        let code = self.recorder.code(span).unwrap_or_else(|| "tcp.timeout".to_owned());
                        Failure { span, code, text: format!("no connection to {}", self.remote) }
                    })?;
                let rtt = network.now().since(started);
                let alpn = if self.way == Way::Http2 { "h2" } else { "http/1.1" };
                let secured =
                    self.tls.secure(&self.recorder, parent, &self.host, &[alpn], connected.stream).await?;
                let ready = network.now();
                let http2 = self.way == Way::Http2;
                if http2 && secured.alpn.as_deref() != Some("h2") {
                    let text = "the server does not speak HTTP/2".to_owned();
                    return Err(Failure { span: secured.span, code: "http.protocol".to_owned(), text });
                }
                let client = Client::over_stream(network, secured.stream, http2).await.map_err(problem)?;
                Ok(Opened { client, rtt, ready })
            }
            Way::Http3 | Way::Http3Early => {
                let options = QuicOptions { early_data, ..QuicOptions::default() };
                let quic =
                    self.tls.connect_quic(&self.recorder, parent, &self.host, self.remote, options).await?;
                let (rtt, ready) = (quic.rtt(), network.now());
                let client = Client::over_quic(network, quic).await.map_err(problem)?;
                Ok(Opened { client, rtt, ready })
            }
        }
    }

    /// HTTP/1.1: six connections take from one queue. Returns how many were opened.
    async fn one_by_one(&self, first: &mut Client, paths: Vec<Url>, loads: &mut Vec<Load>) -> usize {
        let wanted = paths.len();
        let queue: Arc<Mutex<VecDeque<(usize, Url)>>> =
            Arc::new(Mutex::new(paths.into_iter().enumerate().collect()));
        let mut others = JoinSet::new();
        for connection in 1..PARALLEL.min(wanted) {
            let (loader, queue) = (self.clone(), Arc::clone(&queue));
            others.spawn(async move {
                let mut done = Vec::new();
                // A connection that can't be had leaves its share to the others.
                let Ok(mut opened) = loader.open(false).await else { return (false, done) };
                loader.drain(&mut opened.client, connection, &queue, &mut done).await;
                opened.client.close().await;
                (true, done)
            });
        }
        let mut done = Vec::new();
        self.drain(first, 0, &queue, &mut done).await;
        let mut connections = 1;
        while let Some(other) = others.join_next().await {
            if let Ok((opened, theirs)) = other {
                connections += usize::from(opened);
                done.extend(theirs);
            }
        }
        let now = self.recorder.network().now();
        let left = std::mem::take(&mut *queue.lock().unwrap_or_else(PoisonError::into_inner));
        done.extend(left.into_iter().map(|(index, url)| {
            let problem = Problem::new("http.closed", "every connection had failed by then");
            let path = url.path().to_owned();
            let load = Load {
                path,
                status: None,
                problem: Some(problem),
                connection: 0,
                start: now,
                first_byte: None,
                end: now,
                bytes: 0,
            };
            (index, load)
        }));
        done.sort_by_key(|(index, _)| *index);
        loads.extend(done.into_iter().map(|(_, load)| load));
        connections
    }

    async fn drain(
        &self,
        client: &mut Client,
        connection: usize,
        queue: &Mutex<VecDeque<(usize, Url)>>,
        done: &mut Vec<(usize, Load)>,
    ) {
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some((index, url)) = next else { return };
            let load = self.one(client, connection, url).await;
            let broken = load.problem.is_some();
            done.push((index, load));
            // A connection that failed once is not asked again.
            if broken {
                return;
            }
        }
    }

    /// HTTP/2 and HTTP/3: every request at once.
    async fn all_at_once(&self, client: &Client, paths: Vec<Url>, loads: &mut Vec<Load>) {
        let mut requests = JoinSet::new();
        for (index, url) in paths.into_iter().enumerate() {
            let Some(mut client) = client.share() else { return };
            let loader = self.clone();
            requests.spawn(async move { (index, loader.one(&mut client, 0, url).await) });
        }
        let mut done = Vec::new();
        while let Some(request) = requests.join_next().await {
            done.extend(request.ok());
        }
        done.sort_by_key(|(index, _)| *index);
        loads.extend(done.into_iter().map(|(_, load)| load));
    }

    async fn one(&self, client: &mut Client, connection: usize, url: Url) -> Load {
        let network = self.recorder.network();
        let path = url.path().to_owned();
        let mut progress = Progress::new(network.now());
        let result = match self.request(url).message(client.takes_absolute()) {
            Ok(message) => client.send(message, &self.limits, &mut progress).await,
            Err(problem) => Err(problem),
        };
        Load {
            path,
            status: result
                .is_ok()
                .then(|| progress.head.as_ref().map(|(status, _)| status.as_u16()))
                .flatten(),
            problem: result.err(),
            connection,
            start: progress.start,
            first_byte: progress.first_byte,
            end: progress.end.unwrap_or_else(|| network.now()),
            bytes: progress.bytes,
        }
    }
}

/// What the page's `src` attributes name on the page's own host.
pub(super) fn sources(page: &Answer, base: &Url) -> Vec<Url> {
    let text = String::from_utf8_lossy(&page.body);
    text.split("src=\"")
        .skip(1)
        .filter_map(|rest| rest.split_once('"'))
        .filter_map(|(source, _)| base.join(source).ok())
        .filter(|source| source.origin() == base.origin())
        .take(OBJECTS_MAX)
        .collect()
}
