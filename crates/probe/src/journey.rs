//! One request, followed through every layer: resolve, connect, secure, request; and, where something went wrong,
//! the control probes that tell one cause from its lookalikes.
//!
//! - [`run`]: start here.
//! - [`budget`]: what all of it may cost.
//! - `exchange`: the request over TLS and HTTP. `again`: the same once more, smaller, later, under another name.
//! - [`controls`]: what is asked when a step failed. [`pause`]: a connection that is left alone for a while.
//! - [`compare`]: the request made once more in another way.
//! - [`join`]: waiting for an address, where the network gives them.
//! - [`quality`]: was the way good?
//! - [`tunnel`]: the way through a proxy.

mod again;
pub mod budget;
pub mod compare;
pub mod controls;
mod exchange;
pub mod join;
pub mod pause;
pub mod quality;
pub mod tunnel;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use thru_names::resolver::ResolverConfig;
use thru_net::{ConnectOptions, Network, TcpInspector};
use thru_trace::{Family, SpanId, Trace};
use thru_wire::Instant;
use url::{Host, Origin, Url};

use crate::Recorder;
use crate::connect::{self, Connected};
use crate::login::Login;
use crate::request::{Answer, Limits, Request};
use crate::resolve::{self, Families, ResolveOptions};
use crate::route::{Route, RouteOptions, route};
use crate::secure::{TlsClient, TlsOptions};
use again::{Again, SLOW_ANSWER};
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
    /// Where to go: without a login, which would be shown wherever the address is.
    pub url: Url,
    /// The login that stood in it, sent to its origin and nowhere else.
    pub login: Option<Login>,
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
    /// As one would ask on a real network. A login in `url` moves to [`login`](JourneyOptions::login).
    pub fn new(mut url: Url, tls: TlsOptions) -> JourneyOptions {
        let login = Login::take(&mut url);
        JourneyOptions {
            url,
            login,
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
        login: options.login.clone().map(|login| (login, options.url.origin())),
    };
    let mut url = options.url.clone();
    let mut answer = None;
    let joined = join::join(&recorder).await;
    // Without an address of its own this machine has nothing to ask with.
    for _ in 0..if joined { options.redirects + 1 } else { 0 } {
        answer = traveller.one(&url).await;
        let Some(mut next) = answer.as_ref().and_then(|answer| answer.redirect(&url)) else { break };
        if let Some(login) = Login::take(&mut next) {
            traveller.login = Some((login, next.origin()));
        }
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
    if joined {
        traveller.look_around().await;
    }
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
    /// A login, and the only origin that gets it (RFC 7617 2.2).
    login: Option<(Login, Origin)>,
}

/// Where a request goes.
struct Destination<'a> {
    url: &'a Url,
    /// Name or address, as TLS and HTTP want it.
    host: String,
    addresses: Vec<SocketAddr>,
    secure: bool,
    login: Option<Login>,
}

impl Destination<'_> {
    /// A GET, with the login that belongs there.
    fn request(&self) -> Request {
        let mut request = Request::get(self.url.clone());
        if let Some(login) = &self.login {
            request.bring(login);
        }
        request
    }
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
        let destination =
            Destination { url, host, addresses: Vec::new(), secure, login: self.login_for(url) };
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
                connect::note_told(&self.recorder, failure.span, started, &inspector.events());
                let here = self.after_exchange(destination, remote, &failure);
                tokio::join!(biased; here, self.seen_elsewhere(destination));
                None
            }
        }
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
        Some(Destination { url, host, addresses, secure, login: self.login_for(url) })
    }

    /// The login for an address, if its origin is the one that it was given for.
    fn login_for(&self, url: &Url) -> Option<Login> {
        let (login, origin) = self.login.as_ref()?;
        (*origin == url.origin()).then(|| login.clone())
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

/// A lookup that took longer is worth a second look.
const SLOW_LOOKUP: Duration = Duration::from_millis(500);

/// What the checks beside the first pings take: the way, another address, a lookup.
const BESIDE_A_GLANCE: u32 = 60;
