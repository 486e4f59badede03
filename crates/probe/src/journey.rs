//! One request, followed through every layer: resolve, connect, secure, request; and, where something went wrong,
//! the control probes that tell one cause from its lookalikes.
//!
//! - [`run`]: start here.
//! - [`budget`]: what all of it may cost.
//! - [`controls`]: what is asked when a step failed. [`pause`]: a connection that is left alone for a while.
//! - [`compare`]: the request made once more in another way.
//! - [`quality`]: was the way good?
//! - [`tunnel`]: the way through a proxy.

pub mod budget;
pub mod compare;
pub mod controls;
pub mod pause;
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
use budget::Budget;
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
    /// How many pings a look at the way's quality may take; `None`: no look unless something failed.
    pub quality: Option<QualityBudget>,
    /// A proxy in another place, to look from there if the request fails.
    pub vantage: Option<tunnel::Proxy>,
    /// What explaining may cost beyond the request itself.
    pub budget: Budget,
    /// After a good answer, leave the connection alone for so long and make the same request over it again.
    pub again_after: Option<Duration>,
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
            budget: Budget::DIAGNOSIS,
            vantage: None,
            again_after: None,
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
                let here =
                    controls::after_connect(&self.recorder, self.options, &destination.addresses, &spans);
                tokio::join!(biased; here, self.seen_elsewhere(&destination));
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
        let connected = tunnel::open(&self.recorder, None, self.options, proxy, (&host, port)).await.ok()?;
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
        let moved = || inspector.info().map(|info| info.bytes_received);
        let quality = self.options.quality;
        let result = quality::beside(&self.recorder, remote.ip(), quality, moved, asking).await;
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
                    self.repeat(destination, remote, Again::HEAD, |answer| answer.status < 400).await;
                }
                Some(answer)
            }
            Err(failure) => {
                let here = self.after_exchange(destination, remote, &failure);
                tokio::join!(biased; here, self.seen_elsewhere(destination));
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
            match self
                .again(destination, remote, control, Again::HEAD.as_patient_as(&self.options.limits))
                .await
            {
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
        again: Again,
    ) -> Result<Answer, String> {
        // A second tunnel would tell of the proxy once more, not of the target.
        if self.options.proxy.is_some() {
            return Err("proxy.once".to_owned());
        }
        let Again { mss_limit, enough, patience } = again;
        let wishes = ConnectOptions { limit: Some(patience), mss_limit, nodelay: true };
        let connected = connect::single(&self.recorder, Some(control), remote, wishes)
            .await
            .map_err(|_| "tcp.timeout".to_owned())?;
        let (connect, inspector) = (connected.span, connected.stream.inspector());
        let (request, tls) = (Request::get(destination.url.clone()), self.tls.fresh().within(patience));
        let limits = Limits { wait: patience, stall: patience, enough, ..self.options.limits };
        let http = self.options.http;
        let parent = Some(control);
        let result =
            over_stream(&self.recorder, parent, &tls, destination, connected, (http, &limits), &request)
                .await;
        if let Some(info) = inspector.info() {
            self.recorder.set(connect, "tcp.segments", info.segments_sent + info.segments_received);
        }
        if result.as_ref().is_ok_and(|answer| answer.bytes >= enough) {
            // It would go on sending what nobody reads.
            inspector.reset();
        }
        result.map_err(|failure| failure.code)
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
        let (recorder, http, limits) = (&self.recorder, self.options.http, &self.options.limits);
        let Some(pause) = self.options.again_after else {
            return over_stream(recorder, None, &self.tls, destination, connected, (http, limits), &request)
                .await;
        };
        let (inspector, started) = (connected.stream.inspector(), recorder.network().now());
        let mut client = open_client(recorder, None, &self.tls, destination, connected, http).await?;
        let answer = client.exchange(recorder, None, &request, limits).await;
        let answer = match answer {
            Ok(first) => {
                let asked = (&request, limits);
                pause::ask_again(recorder, &mut client, asked, &inspector, pause, first).await
            }
            failed => failed,
        };
        pause::note(recorder, &inspector, started, answer.as_ref().err());
        client.close().await;
        answer
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
            let result = quality::beside(&recorder, remote.ip(), self.options.quality, || None, asking).await;
            client.close().await;
            if let Err(failure) = &result
                && matches!(failure.code.as_str(), "http.timeout" | "http.stalled")
            {
                let control = recorder.open(None, Layer::Tcp, "control", "the same request over TCP");
                recorder.set(control, "control.kind", "by_tcp");
                match self.again(destination, *remote, control, Again::FLIGHT).await {
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
        if pause::ended_badly(&self.recorder) {
            return self.new_connection(destination, remote).await;
        }
        let code = failure.code.as_str();
        if matches!(code, "tls.timeout" | "http.timeout" | "http.stalled") {
            return self.after_silence(destination, remote).await;
        }
        let cut = matches!(code, "tls.reset" | "tls.closed" | "http.reset");
        let once = cut || code.starts_with("tls.alert") || matches!(code, "http.closed" | "http.protocol");
        let again = if code.starts_with("http.") { Again::WHOLE } else { Again::HEAD };
        // Where the same request passes on another connection, its name cannot be what is objected to.
        if once && self.repeat(destination, remote, again, |_| true).await > 0 {
            return;
        }
        if cut {
            self.other_name(destination, remote).await;
        }
        let elsewhere = async {
            if failure.code.starts_with("tls.") {
                controls::other_site(&self.recorder, self.options, &self.tls.fresh()).await;
            }
        };
        let time = async {
            if matches!(failure.code.as_str(), "tls.certificate_expired" | "tls.certificate_not_yet_valid") {
                controls::clock(&self.recorder, self.options).await;
            }
        };
        tokio::join!(biased; elsewhere, time, self.compare(destination, remote, failure));
    }

    /// Nothing came, or nothing more: does the same request pass now, or in small packets, or over the other IP version, or
    /// under another name?
    async fn after_silence(&self, destination: &Destination<'_>, remote: SocketAddr) {
        // What stopped in the middle has to come further than it came.
        let enough = Again::FLIGHT.enough + self.bytes_so_far();
        let large = Again { enough, ..Again::FLIGHT };
        let small = async {
            let control = self.recorder.open(None, Layer::Ip, "control", "the same request in small packets");
            self.recorder.set(control, "control.kind", "small_mss");
            let small = Again { mss_limit: Some(SMALL_MSS), ..large };
            match self.again(destination, remote, control, small).await {
                Ok(_) => self.recorder.ok(control),
                Err(code) => {
                    self.recorder.fail(control, code, "small packets do not get through either");
                }
            }
            self.recorder.code(control).is_none()
        };
        let same = self.repeat(destination, remote, large, |_| true);
        let (small_passes, answered) = tokio::join!(biased; small, same);
        match (answered, small_passes) {
            (0, true) => self.other_family_large(destination, remote).await,
            (0, false) => self.other_name(destination, remote).await,
            // It is not its size, nor its name.
            _ => {}
        }
    }

    /// How much of the answer's body came before the request failed.
    fn bytes_so_far(&self) -> u64 {
        let spans = self.recorder.spans();
        let asked = spans.iter().rfind(|span| span.what == "exchange" && span.parent.is_none());
        asked.and_then(|span| u64::try_from(span.int("http.bytes")?).ok()).unwrap_or(0)
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
        match self.again(&other, remote, control, Again::HEAD).await {
            Err(code) if silent(&code) => self.recorder.fail(control, code, "it does not"),
            _ => self.recorder.ok(control),
        }
    }

    /// The way and its quality: once, at the end, for the address that was used last.
    async fn look_around(&self) {
        let addresses = if self.options.family.is_none() { &self.addresses[..] } else { &[] };
        let (recorder, options) = (&self.recorder, self.options);
        let target = self.target;
        let family = controls::other_family(recorder, addresses, Again::HEAD.patience);
        let hosts = controls::without_hosts(recorder, options);
        let lookup = controls::repeated_lookup(recorder, options, SLOW_LOOKUP);
        let way = async {
            match target.filter(|_| options.always_route && !self.has_route()) {
                Some(target) => self.route(target).await,
                None => None,
            }
        };
        let glance = async {
            let (target, quality) = target.filter(|target| !self.is_silent(*target)).zip(options.quality)?;
            let beside = Budget { packets: BESIDE_A_GLANCE, time: Duration::ZERO };
            quality::glance(recorder, target, quality, options.budget.without(beside)).await
        };
        // They have nothing to do with each other, and take no longer than the longest of them.
        let ((), (), (), way, glance) = tokio::join!(biased; family, hosts, lookup, way, glance);
        if let (Some(target), Some(quality), Some(glance)) = (target, options.quality, glance) {
            let info = self.inspector.as_ref().and_then(TcpInspector::info);
            quality::look(recorder, target, info.as_ref(), &glance, way.as_ref(), quality, options.budget)
                .await;
        }
    }

    /// Whether a check found already that `target` answers no pings.
    fn is_silent(&self, target: IpAddr) -> bool {
        self.recorder.spans().iter().any(|span| {
            span.what == "ping"
                && span.address("ping.target") == Some(target)
                // Those beside a transfer fell into whatever befell it.
                && span.text("ping.purpose") == Some("control")
                && span.int("ping.received") == Some(0)
        })
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

/// What the checks beside the first pings take: the way, another address, a lookup.
const BESIDE_A_GLANCE: u32 = 60;

/// How a request is made once more.
#[derive(Clone, Copy, Debug)]
struct Again {
    /// The largest segments; `None`: as large as they may be.
    mss_limit: Option<u16>,
    /// So much of the answer tells what there is to know.
    enough: u64,
    /// How long each step may take. Less than the request was given: it was slow then, and what differs shows at once.
    patience: Duration,
}

impl Again {
    /// Whether an answer begins.
    const HEAD: Again = Again { mss_limit: None, enough: 0, patience: Duration::from_secs(4) };
    /// Whether full-sized packets come through: more than a first window holds would only repeat it.
    const FLIGHT: Again = Again { enough: 6_000, ..Again::HEAD };
    /// The whole answer.
    const WHOLE: Again = Again { enough: u64::MAX, ..Again::HEAD };

    /// Waits as long as the request itself did.
    fn as_patient_as(self, limits: &Limits) -> Again {
        Again { patience: limits.wait, ..self }
    }
}

/// Small enough for any IPv4 and IPv6 path: 536 is what RFC 9293 3.7.1 assumes of a host that says nothing.
const SMALL_MSS: u16 = 536;

/// TLS if the URL wants it, then one exchange.
async fn over_stream(
    recorder: &Recorder,
    parent: Option<SpanId>,
    tls: &TlsClient,
    destination: &Destination<'_>,
    connected: Connected,
    (http, limits): (Option<HttpVersion>, &Limits),
    request: &Request,
) -> Result<Answer, Failure> {
    let (inspector, remote, started) =
        (connected.stream.inspector(), connected.remote, recorder.network().now());
    let mut client = open_client(recorder, parent, tls, destination, connected, http).await?;
    let result = client.exchange(recorder, parent, request, limits).await;
    // Before the goodbye: its bytes are still on their way and would look like bytes that nobody acknowledges.
    if let Some(info) = inspector.info().filter(|_| parent.is_none()) {
        connect::note_connection(recorder, None, remote, started, &info, &inspector.events());
    }
    if result.as_ref().is_ok_and(|answer| answer.bytes >= limits.enough) {
        return result;
    }
    client.close().await;
    result
}

/// TLS if the URL wants it, and HTTP over it.
async fn open_client(
    recorder: &Recorder,
    parent: Option<SpanId>,
    tls: &TlsClient,
    destination: &Destination<'_>,
    connected: Connected,
    http: Option<HttpVersion>,
) -> Result<Client, Failure> {
    let network = recorder.network();
    let client = if destination.secure {
        let alpn: &[&str] = match http {
            Some(HttpVersion::Http1) => &["http/1.1"],
            Some(HttpVersion::Http2) => &["h2"],
            _ => &["h2", "http/1.1"],
        };
        let secured = tls.secure(recorder, parent, &destination.host, alpn, connected.stream).await?;
        let http2 = secured.alpn.as_deref() == Some("h2");
        Client::over_stream(network, secured.stream, http2).await
    } else {
        Client::over_stream(network, connected.stream, http == Some(HttpVersion::Http2)).await
    };
    client.map_err(|problem| {
        let span = recorder.open(parent, Layer::Http, "exchange", format!("GET {}", destination.url));
        recorder.fail(span, problem.code.clone(), problem.text.clone());
        Failure { span, code: problem.code, text: problem.text }
    })
}
