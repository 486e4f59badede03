//! One request, followed through every layer: resolve, connect, secure, request; and, where something went wrong,
//! the control probes that tell one cause from its lookalikes.
//!
//! - [`run`]: start here.
//! - [`controls`]: what is asked when a step failed.
//! - [`compare`]: the request made once more in another way.
//! - [`quality`]: was the way good?
//! - [`tunnel`]: the way through a proxy.

pub mod compare;
pub mod controls;
pub mod quality;
pub mod tunnel;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use thru_names::resolver::ResolverConfig;
use thru_net::{ConnectOptions, Network, TcpInspector};
use thru_trace::{Family, Layer, SpanId, Trace};
use thru_wire::Instant;
use url::{Host, Url};

use crate::Recorder;
use crate::connect::{self, Connected};
use crate::request::{Answer, Client, Limits, Request};
use crate::resolve::{self, Families, ResolveOptions};
use crate::route::{Route, RouteOptions, route};
use crate::secure::quic::QuicOptions;
use crate::secure::{Failure, TlsClient, TlsOptions};
use quality::QualityBudget;

/// The HTTP versions one can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpVersion {
    /// HTTP/1.1 (RFC 9112).
    Http1,
    /// HTTP/2 (RFC 9113).
    Http2,
    /// HTTP/3 (RFC 9114).
    Http3,
}

/// What to ask, and how far to look.
#[derive(Clone, Debug)]
pub struct JourneyOptions {
    /// Where to go.
    pub url: Url,
    /// The only HTTP version to use; `None`: what TLS negotiates over TCP.
    pub http: Option<HttpVersion>,
    /// The only address family to use.
    pub family: Option<Family>,
    /// Whom to believe, where secrets go.
    pub tls: TlsOptions,
    /// Where DNS starts, for asking from the root down ourselves; `None`: we don't.
    pub from_root: Option<ResolverConfig>,
    /// Resolvers to ask when our own are silent.
    pub other_resolvers: Vec<SocketAddr>,
    /// Names that need no DNS.
    pub hosts: Vec<(String, IpAddr)>,
    /// A site that is known to work, to prove our own way out.
    pub control_site: Option<Url>,
    /// Who passes requests on; `None`: nobody. What compares with other sites goes without it, and is left out then.
    pub proxy: Option<tunnel::Proxy>,
    /// How long one TCP handshake may take.
    pub connect_limit: Duration,
    /// How long answers may take.
    pub limits: Limits,
    /// How many redirects are followed.
    pub redirects: u32,
    /// Look for the way hop by hop even if all is well.
    pub always_route: bool,
    /// How many pings a look at the way's quality may cost; `None`: no look unless something failed.
    pub quality: Option<QualityBudget>,
}

impl JourneyOptions {
    /// As one would ask on a real network.
    pub fn new(url: Url, tls: TlsOptions) -> JourneyOptions {
        JourneyOptions {
            url,
            http: None,
            family: None,
            tls,
            from_root: None,
            other_resolvers: Vec::new(),
            hosts: Vec::new(),
            control_site: None,
            proxy: None,
            connect_limit: Duration::from_secs(10),
            limits: Limits::default(),
            redirects: 10,
            always_route: false,
            quality: None,
        }
    }

    /// How names are looked up.
    fn resolve_options(&self) -> ResolveOptions {
        let families = match self.family {
            Some(Family::V4) => Families::V4,
            Some(Family::V6) => Families::V6,
            None => Families::Any,
        };
        ResolveOptions { families, hosts: self.hosts.clone(), ..ResolveOptions::default() }
    }
}

/// What a journey brought.
#[derive(Debug)]
pub struct Journey {
    /// The story so far; packets, names and secrets are added by whoever holds them.
    pub trace: Trace,
    /// The answer, if there was one.
    pub answer: Option<Answer>,
}

/// Follows one request. It never fails: what failed is in the trace.
pub async fn run(network: &Network, options: &JourneyOptions) -> Journey {
    let recorder = Recorder::new(network.clone());
    let epoch = network.unix_time().saturating_sub(network.now().since(Instant::START));
    let tls = TlsClient::new(network, options.tls.clone());
    let alone = options.proxy.as_ref().map(|_| JourneyOptions { control_site: None, ..options.clone() });
    let options = alone.as_ref().unwrap_or(options);
    let mut traveller = Traveller {
        recorder: recorder.clone(),
        options,
        tls,
        target: None,
        addresses: Vec::new(),
        inspector: None,
    };
    let mut url = options.url.clone();
    let mut answer = None;
    for _ in 0..=options.redirects {
        answer = traveller.one(&url).await;
        let Some(next) = answer.as_ref().and_then(|answer| answer.redirect(&url)) else { break };
        if !matches!(next.scheme(), "http" | "https") {
            let text = format!("redirected to {next}, which is no address of a page");
            recorder.fail(answer.as_ref().map_or(SpanId(0), |answer| answer.span), "http.bad_redirect", text);
            break;
        }
        url = next;
    }
    if let Some(answer) = answer.as_ref().filter(|answer| answer.leads_nowhere(&url)) {
        recorder.fail(answer.span, "http.bad_redirect", "redirected, but not to any address");
    }
    let redirected_forever = answer.as_ref().and_then(|answer| answer.redirect(&url));
    let redirected_forever = redirected_forever.is_some_and(|next| matches!(next.scheme(), "http" | "https"));
    if let Some(answer) = answer.as_ref().filter(|_| redirected_forever) {
        recorder.fail(
            answer.span,
            "http.redirect_loop",
            format!("still redirected after {} steps", options.redirects),
        );
    }
    traveller.look_around().await;
    let trace = Trace {
        target: options.url.to_string(),
        network: network.name(),
        epoch_unix_nanos: u64::try_from(epoch.as_nanos()).unwrap_or(u64::MAX),
        spans: recorder.spans(),
        ..Trace::default()
    };
    Journey { trace, answer }
}

/// What the steps share.
struct Traveller<'a> {
    recorder: Recorder,
    options: &'a JourneyOptions,
    tls: TlsClient,
    /// The address that the last request went to.
    target: Option<IpAddr>,
    /// All addresses of the host that was connected to last.
    addresses: Vec<SocketAddr>,
    /// The last TCP connection.
    inspector: Option<TcpInspector>,
}

/// Where a request goes.
struct Destination<'a> {
    url: &'a Url,
    /// Name or address, as TLS and HTTP want it.
    host: String,
    addresses: Vec<SocketAddr>,
    secure: bool,
}

impl Traveller<'_> {
    /// One request without redirects; on failure, the controls that its failure calls for.
    async fn one(&mut self, url: &Url) -> Option<Answer> {
        if let Some(proxy) = &self.options.proxy {
            return self.through(proxy, url).await;
        }
        let destination = self.resolve(url).await?;
        self.target = destination.addresses.first().map(SocketAddr::ip);
        if self.options.http == Some(HttpVersion::Http3) && destination.secure {
            return self.over_quic(&destination).await;
        }
        let connected = match self.connect(&destination, None).await {
            Ok(connected) => connected,
            Err(spans) => {
                controls::after_connect(&self.recorder, self.options, &destination.addresses, &spans).await;
                return None;
            }
        };
        self.addresses = destination.addresses.clone();
        self.over_connection(&destination, connected).await
    }

    /// The same through a proxy, which looks the name up itself.
    async fn through(&mut self, proxy: &tunnel::Proxy, url: &Url) -> Option<Answer> {
        let host = match url.host()? {
            Host::Ipv6(address) => address.to_string(),
            other => other.to_string(),
        };
        let (port, secure) = (url.port_or_known_default().unwrap_or(443), url.scheme() == "https");
        let connected = tunnel::open(&self.recorder, self.options, proxy, &host, port).await.ok()?;
        let destination = Destination { url, host, addresses: Vec::new(), secure };
        self.over_connection(&destination, connected).await
    }

    /// Encryption, request and answer over a connection that is made.
    async fn over_connection(
        &mut self,
        destination: &Destination<'_>,
        connected: Connected,
    ) -> Option<Answer> {
        self.target = Some(connected.remote.ip());
        let (remote, started) = (connected.remote, self.recorder.network().now());
        let inspector = connected.stream.inspector();
        self.inspector = Some(inspector.clone());
        let asking = self.over_stream(destination, connected);
        let result = quality::beside(&self.recorder, remote.ip(), self.options.quality, asking).await;
        // An exchange notes its connection itself; one that failed in the handshake is noted here.
        let noted = self
            .recorder
            .spans()
            .iter()
            .any(|span| span.what == "connection" && span.start == started.nanos());
        if let Some(info) = inspector.info().filter(|_| !noted) {
            connect::note_connection(&self.recorder, None, remote, started, &info, &inspector.events());
        }
        match result {
            Ok(answer) => {
                if answer.times.first_byte.since(answer.times.sent) > SLOW_ANSWER {
                    self.once_more(destination, remote).await;
                }
                if (500..600).contains(&answer.status) {
                    self.repeat(destination, remote).await;
                }
                Some(answer)
            }
            Err(failure) => {
                self.after_exchange(destination, remote, &failure).await;
                None
            }
        }
    }

    /// The answer came late: does it the second time?
    async fn once_more(&self, destination: &Destination<'_>, remote: SocketAddr) {
        let control = self.recorder.open(None, Layer::App, "control", "the same request once more");
        self.recorder.set(control, "control.kind", "once_more");
        // One that is quick the second time had to wake up, or is one of several machines: then it is slow again soon.
        let mut waits = Vec::new();
        for _ in 0..3 {
            match self.again(destination, remote, control, None).await {
                Ok(answer) => waits.push(answer.times.first_byte.since(answer.times.sent)),
                Err(code) => return self.recorder.fail(control, code, "the second time it fails"),
            }
            if waits.last().is_some_and(|wait| *wait > SLOW_ANSWER) {
                break;
            }
        }
        self.recorder.set_duration(control, "once_more.wait", waits[0]);
        if let Some(last) = waits.last().filter(|_| waits.len() > 1) {
            self.recorder.set_duration(control, "once_more.last", *last);
        }
        self.recorder.ok(control);
    }

    /// The same request over a new connection, as a part of `control`.
    async fn again(
        &self,
        destination: &Destination<'_>,
        remote: SocketAddr,
        control: SpanId,
        mss_limit: Option<u16>,
    ) -> Result<Answer, String> {
        // A second tunnel would tell of the proxy once more, not of the target.
        if self.options.proxy.is_some() {
            return Err("proxy.once".to_owned());
        }
        let wishes = ConnectOptions { limit: Some(self.options.connect_limit), mss_limit, nodelay: true };
        let connected = connect::single(&self.recorder, Some(control), remote, wishes)
            .await
            .map_err(|_| "tcp.timeout".to_owned())?;
        let (request, tls) = (Request::get(destination.url.clone()), self.tls.fresh());
        let parent = Some(control);
        over_stream(&self.recorder, parent, &tls, destination, connected, self.options, &request)
            .await
            .map_err(|failure| failure.code)
    }

    async fn resolve<'u>(&self, url: &'u Url) -> Option<Destination<'u>> {
        let port = url.port_or_known_default().unwrap_or(443);
        let secure = url.scheme() == "https";
        let (host, addresses) = match url.host()? {
            Host::Ipv4(address) => (address.to_string(), vec![IpAddr::V4(address)]),
            Host::Ipv6(address) => (address.to_string(), vec![IpAddr::V6(address)]),
            Host::Domain(name) => (name.to_owned(), self.lookup(name).await?),
        };
        let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect();
        Some(Destination { url, host, addresses, secure })
    }

    async fn lookup(&self, name: &str) -> Option<Vec<IpAddr>> {
        let options = self.options.resolve_options();
        match resolve::resolve(&self.recorder, None, name, &options).await {
            Ok(found) => Some(found.addresses),
            Err(failure) => {
                controls::after_resolve(&self.recorder, self.options, name, failure.code).await;
                None
            }
        }
    }

    async fn connect(
        &self,
        destination: &Destination<'_>,
        mss_limit: Option<u16>,
    ) -> Result<Connected, Vec<SpanId>> {
        let wishes = ConnectOptions { limit: Some(self.options.connect_limit), mss_limit, nodelay: true };
        connect::race(&self.recorder, None, &destination.addresses, wishes).await
    }

    async fn over_stream(
        &self,
        destination: &Destination<'_>,
        connected: Connected,
    ) -> Result<Answer, Failure> {
        let request = Request::get(destination.url.clone());
        over_stream(&self.recorder, None, &self.tls, destination, connected, self.options, &request).await
    }

    async fn over_quic(&mut self, destination: &Destination<'_>) -> Option<Answer> {
        let recorder = self.recorder.clone();
        let mut failure = None;
        for remote in &destination.addresses {
            self.target = Some(remote.ip());
            let connecting =
                self.tls.connect_quic(&recorder, None, &destination.host, *remote, QuicOptions::default());
            let connection = match connecting.await {
                Ok(connection) => connection,
                Err(error) => {
                    failure = Some(error);
                    continue;
                }
            };
            let request = Request::get(destination.url.clone());
            let mut client = match Client::over_quic(recorder.network(), connection).await {
                Ok(client) => client,
                Err(problem) => {
                    let span = recorder.open(None, Layer::Http, "exchange", destination.url.to_string());
                    recorder.fail(span, problem.code, problem.text);
                    return None;
                }
            };
            let asking = client.exchange(&recorder, None, &request, &self.options.limits);
            let result = quality::beside(&recorder, remote.ip(), self.options.quality, asking).await;
            client.close().await;
            if let Err(failure) = &result
                && matches!(failure.code.as_str(), "http.timeout" | "http.stalled")
            {
                let control = recorder.open(None, Layer::Tcp, "control", "the same request over TCP");
                recorder.set(control, "control.kind", "by_tcp");
                match self.again(destination, *remote, control, None).await {
                    Ok(_) => recorder.ok(control),
                    Err(code) => recorder.fail(control, code, "it is not answered either"),
                }
            }
            return result.ok();
        }
        if failure.is_some() {
            controls::after_quic(&recorder, self.options, &destination.addresses).await;
        }
        None
    }

    /// Would the same request pass in small packets? Only for failures that an MTU black hole could have caused.
    async fn after_exchange(&self, destination: &Destination<'_>, remote: SocketAddr, failure: &Failure) {
        if matches!(failure.code.as_str(), "tls.timeout" | "http.timeout" | "http.stalled") {
            let control = self.recorder.open(None, Layer::Ip, "control", "the same request in small packets");
            self.recorder.set(control, "control.kind", "small_mss");
            match self.again(destination, remote, control, Some(SMALL_MSS)).await {
                Ok(_) => {
                    self.recorder.ok(control);
                    self.other_family_large(destination, remote).await;
                }
                Err(code) => {
                    self.recorder.fail(control, code, "small packets do not get through either");
                    self.other_name(destination, remote).await;
                }
            }
            return;
        }
        if matches!(failure.code.as_str(), "tls.reset" | "tls.closed" | "http.reset") {
            self.other_name(destination, remote).await;
        }
        if failure.code.starts_with("tls.") {
            controls::other_site(&self.recorder, self.options, &self.tls.fresh()).await;
            if matches!(failure.code.as_str(), "tls.certificate_expired" | "tls.certificate_not_yet_valid") {
                controls::clock(&self.recorder, self.options).await;
            }
        }
        self.compare(destination, remote, failure).await;
    }

    /// Does the same address answer who asks for another name? Any word of the server is an answer.
    async fn other_name(&self, destination: &Destination<'_>, remote: SocketAddr) {
        let Some(name) = self.options.control_site.as_ref().and_then(Url::host_str) else { return };
        let control = self.recorder.open(
            None,
            if destination.secure { Layer::Tls } else { Layer::Http },
            "control",
            format!("does {remote} answer who asks for {name}?"),
        );
        self.recorder.set(control, "control.kind", "other_name");
        let mut url = destination.url.clone();
        if url.set_host(Some(name)).is_err() {
            return self.recorder.skip(control, "there is no other name to ask for");
        }
        let other = Destination {
            url: &url,
            host: name.to_owned(),
            addresses: Vec::new(),
            secure: destination.secure,
        };
        let silent = |code: &str| {
            matches!(code, "tls.reset" | "tls.closed" | "tls.timeout" | "tcp.timeout")
                || matches!(code, "http.reset" | "http.closed" | "http.timeout") && !destination.secure
        };
        match self.again(&other, remote, control, None).await {
            Err(code) if silent(&code) => self.recorder.fail(control, code, "it does not"),
            _ => self.recorder.ok(control),
        }
    }

    /// The way and its quality: once, at the end, for the address that was used last.
    async fn look_around(&self) {
        let addresses = if self.options.family.is_none() { &self.addresses[..] } else { &[] };
        controls::other_family(&self.recorder, addresses, self.options.connect_limit).await;
        controls::without_hosts(&self.recorder, self.options).await;
        controls::repeated_lookup(&self.recorder, self.options, SLOW_LOOKUP).await;
        let Some(target) = self.target else { return };
        let way =
            if self.options.always_route && !self.has_route() { self.route(target).await } else { None };
        if let Some(budget) = self.options.quality {
            let info = self.inspector.as_ref().and_then(TcpInspector::info);
            quality::look(&self.recorder, None, target, info.as_ref(), way.as_ref(), budget).await;
        }
    }

    fn has_route(&self) -> bool {
        self.recorder.spans().iter().any(|span| span.what == "route")
    }

    async fn route(&self, target: IpAddr) -> Option<Route> {
        // A machine that may not probe says so in the span.
        route(&self.recorder, None, target, RouteOptions { probes: 1, ..RouteOptions::default() }).await.ok()
    }
}

/// An answer that began later than this is asked for once more.
const SLOW_ANSWER: Duration = Duration::from_millis(700);

/// A lookup that took longer is worth a second look.
const SLOW_LOOKUP: Duration = Duration::from_millis(500);

/// Small enough for any IPv4 and IPv6 path: 536 is what RFC 9293 3.7.1 assumes of a host that says nothing.
const SMALL_MSS: u16 = 536;

/// TLS if the URL wants it, then one exchange.
async fn over_stream(
    recorder: &Recorder,
    parent: Option<SpanId>,
    tls: &TlsClient,
    destination: &Destination<'_>,
    connected: Connected,
    options: &JourneyOptions,
    request: &Request,
) -> Result<Answer, Failure> {
    let network = recorder.network();
    let (inspector, remote, started) = (connected.stream.inspector(), connected.remote, network.now());
    let client = if destination.secure {
        let alpn: &[&str] = match options.http {
            Some(HttpVersion::Http1) => &["http/1.1"],
            Some(HttpVersion::Http2) => &["h2"],
            _ => &["h2", "http/1.1"],
        };
        let secured = tls.secure(recorder, parent, &destination.host, alpn, connected.stream).await?;
        let http2 = secured.alpn.as_deref() == Some("h2");
        Client::over_stream(network, secured.stream, http2).await
    } else {
        Client::over_stream(network, connected.stream, options.http == Some(HttpVersion::Http2)).await
    };
    let mut client = client.map_err(|problem| {
        let span = recorder.open(parent, Layer::Http, "exchange", format!("GET {}", destination.url));
        recorder.fail(span, problem.code.clone(), problem.text.clone());
        Failure { span, code: problem.code, text: problem.text }
    })?;
    let result = client.exchange(recorder, parent, request, &options.limits).await;
    // Before the goodbye: its bytes are still on their way and would look like bytes that nobody acknowledges.
    if let Some(info) = inspector.info().filter(|_| parent.is_none()) {
        connect::note_connection(recorder, None, remote, started, &info, &inspector.events());
    }
    client.close().await;
    result
}
