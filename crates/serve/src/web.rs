//! Web sites over HTTP/1.1, HTTP/2 and HTTP/3, well or badly behaved.
//!
//! - [`Site`]: start here; names, certificate, versions, and how it behaves.
//! - [`serve`]: sites on ports 80 and 443 of some addresses, until dropped. [`Server`] is the same with other ports.
//! - [`Behaviour`]: what a site does wrong, on purpose.
//! - [`pages`]: what it says when nothing is wrong: `/`, `/page30`, `/object/N`, `/bytes/N`, `/redirect`, `/loop`,
//!   `/status/N`, and `POST /upload`.
//!
//! Sites share their addresses. TLS chooses by the name in the client's hello (RFC 6066 section 3), HTTP by `Host`;
//! who asks for a name nobody has gets the first site, as most servers do. Everything that happens before a name
//! is known follows the first site's [`Behaviour`].

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use thru_net::{ConnectOptions, Network, TcpListener, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::pki::CertifiedKey;
use sockets::{PORTS_TRIED, QuicSocket, bind_quic};

mod body;
mod datagrams;
mod http;
mod http3;
mod idle;
pub mod pages;
mod raw;
mod sockets;
mod tls;

#[cfg(test)]
mod tests;

/// Serves `sites` on ports 80 (HTTP), 443 (HTTPS) and, if a site speaks HTTP/3, UDP 443 of every address, until dropped.
///
/// Returns only if it could not start.
pub async fn serve(network: Network, addresses: Vec<IpAddr>, sites: Vec<Site>) -> Result<(), ServeError> {
    let server = Server::bind(&network, Options { addresses, ..Options::default() }, sites).await?;
    server.run().await;
    Ok(())
}

/// One web site.
#[derive(Clone, Debug)]
pub struct Site {
    /// Host names it answers to; `*.shop.lab` matches one label. The first is the one it calls itself.
    pub names: Vec<String>,
    /// What it shows in TLS. A site without one is reachable over plain HTTP only.
    pub certificate: Option<CertifiedKey>,
    /// TLS versions it speaks over TCP. QUIC always has 1.3.
    pub tls: TlsVersions,
    /// HTTP versions it speaks over TLS.
    pub http: HttpVersions,
    /// The `Alt-Svc` header (RFC 7838) of its answers over TCP.
    pub alt_svc: Option<String>,
    /// What port 80 does.
    pub plain: PlainHttp,
    /// What it does wrong.
    pub behaviour: Behaviour,
}

impl Site {
    /// A healthy site: TLS 1.2 and 1.3, HTTP/1.1, HTTP/2 and HTTP/3 with `Alt-Svc`, port 80 redirecting to it.
    pub fn new(name: impl Into<String>, certificate: CertifiedKey) -> Site {
        Site {
            names: vec![name.into()],
            certificate: Some(certificate),
            tls: TlsVersions::Both,
            http: HttpVersions::ALL,
            alt_svc: Some("h3=\":443\"; ma=86400".to_owned()),
            plain: PlainHttp::Redirect,
            behaviour: Behaviour::default(),
        }
    }

    /// A site without TLS.
    pub fn plain(name: impl Into<String>) -> Site {
        Site {
            names: vec![name.into()],
            certificate: None,
            tls: TlsVersions::Both,
            http: HttpVersions { http1: true, http2: false, http3: false },
            alt_svc: None,
            plain: PlainHttp::Serve,
            behaviour: Behaviour::default(),
        }
    }

    /// The name it calls itself.
    pub fn name(&self) -> &str {
        self.names.first().map_or("nameless", String::as_str)
    }

    fn answers_to(&self, host: &str) -> bool {
        self.names.iter().any(|name| match name.strip_prefix("*.") {
            None => name.eq_ignore_ascii_case(host),
            Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent)),
        })
    }

    fn speaks_http3(&self) -> bool {
        self.http.http3 && self.certificate.is_some()
    }
}

/// TLS versions over TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum TlsVersions {
    /// 1.2 and 1.3.
    #[default]
    Both,
    /// RFC 8446 only.
    Only13,
    /// RFC 5246 only.
    Only12,
    /// Only versions that no client of today speaks: every hello is answered with alert 70, `protocol_version`.
    Outdated,
}

/// HTTP versions, chosen by ALPN (RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpVersions {
    /// HTTP/1.1 (RFC 9112).
    pub http1: bool,
    /// HTTP/2 (RFC 9113).
    pub http2: bool,
    /// HTTP/3 (RFC 9114), on UDP.
    pub http3: bool,
}

impl HttpVersions {
    /// All three.
    pub const ALL: HttpVersions = HttpVersions { http1: true, http2: true, http3: true };
}

/// What a site does on port 80.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainHttp {
    /// 301 to the same path under `https`.
    Redirect,
    /// The pages.
    Serve,
}

/// What a site does wrong. The default is nothing.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    /// How it receives a connection.
    pub door: Door,
    /// How long it thinks before it answers a request.
    pub think: Duration,
    /// What it answers.
    pub answer: Answer,
    /// How it delivers the body.
    pub delivery: Delivery,
    /// How QUIC is received.
    pub quic: QuicDoor,
    /// How long it computes before it answers the client's hello (over TCP).
    pub hello: Duration,
    /// How much longer it thinks about the very first request.
    pub cold: Duration,
    /// Headers set in every answer, over those it would have; an empty value takes the header out.
    pub headers: Vec<(String, String)>,
    /// Clients must show a certificate of this authority, DER (RFC 8446 4.3.2). TCP only.
    pub client_authority: Option<Vec<u8>>,
    /// Who has no certificate is let in all the same.
    pub client_optional: bool,
    /// Only the first so many of so many TCP connections meet all this, the others a healthy server: one bad machine
    /// behind a balancer. Of the first site, for all sites that share the port.
    pub share: Option<(u32, u32)>,
}

/// How QUIC is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum QuicDoor {
    /// As it should be.
    #[default]
    Open,
    /// Every connection is refused (RFC 9000 20.1, CONNECTION_REFUSED). First site only.
    Refuse,
    /// It speaks another protocol than HTTP/3 inside QUIC: no ALPN in common. Of all sites that share the port.
    OtherProtocol,
    /// It knows only versions of QUIC that nobody else does (RFC 9000 6). First site only.
    OtherVersion,
    /// It answers with a Retry whose integrity tag is wrong (RFC 9001 5.8), which clients have to ignore. First site only.
    BadRetry,
    /// It has no certificate for anybody. Of all sites that share the port.
    NoCertificate,
}

/// How a connection is received. QUIC knows the first, the second (it refuses) and [`Door::Silent`]; the others are
/// about TCP.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Door {
    /// As it should be.
    #[default]
    Open,
    /// Accepts, then closes at once. First site only.
    CloseOnAccept,
    /// The TLS port speaks plain HTTP, a common slip. First site only.
    PlainOnTlsPort,
    /// Accepts, then neither reads nor writes. First site only.
    Silent,
    /// Closes after the client's hello.
    CloseAfterHello,
    /// Never answers the client's hello.
    SilentAfterHello,
    /// Accepts, then resets at once. First site only.
    ResetOnAccept,
    /// Resets after the client's hello.
    ResetAfterHello,
    /// Answers the client's hello with this fatal alert (RFC 8446 6).
    Alert(u8),
    /// Says these bytes as soon as it is connected to, waits for a word, and closes. First site only.
    Greet(Arc<[u8]>),
    /// Takes no connection off its queue, which is full. First site only.
    Full,
}

/// What a request is answered with.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Answer {
    /// The page.
    #[default]
    Page,
    /// This status with a short text, whatever was asked.
    Status {
        /// 200..=599.
        code: u16,
        /// Seconds in `Retry-After` (RFC 9110 10.2.3).
        retry_after: Option<u32>,
    },
    /// Reads the request and never answers.
    Never,
    /// Reads the request and closes the connection (HTTP/2 and HTTP/3: resets the stream).
    Close,
    /// A redirect to this place, whatever was asked; sent as it stands, be it nonsense.
    Redirect(String),
    /// Waits for the request, writes these very bytes inside TLS (or on the plain port of a site without TLS), and
    /// closes; none: neither writes nor closes. Over HTTP/2 they are frames.
    Bytes {
        /// What it writes.
        bytes: Arc<[u8]>,
        /// Whether TLS says goodbye (`close_notify`, RFC 8446 6.1) before the connection is closed.
        goodbye: bool,
    },
}

/// How a body is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Delivery {
    /// As fast as it goes.
    #[default]
    Whole,
    /// `bytes` at a time, one piece every `every`.
    Drip {
        /// At most 16 kB.
        bytes: usize,
        /// Between pieces.
        every: Duration,
    },
    /// Stops after this many bytes and keeps the connection.
    Stall {
        /// Delivered before.
        after: u64,
    },
    /// Breaks off after this many bytes: closes (HTTP/2 and HTTP/3: resets the stream) in the middle of the body.
    Break {
        /// Handed to the transport before; fewer arrive if it is too slow to take them.
        after: u64,
        /// How the end of the body was announced.
        announced: Announced,
    },
    /// Resets the connection after this many bytes (HTTP/3: the stream).
    Reset {
        /// Handed to the transport before.
        after: u64,
    },
}

/// How the receiver can know where a body ends (RFC 9112 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Announced {
    /// By `Content-Length`.
    #[default]
    Length,
    /// By the last chunk.
    Chunks,
}

/// Where and how much to serve.
#[derive(Clone, Debug)]
pub struct Options {
    /// Addresses to listen on.
    pub addresses: Vec<IpAddr>,
    /// Port of plain HTTP; `None`: none; 0: any free one.
    pub plain_port: Option<u16>,
    /// Port of HTTPS, TCP and UDP; `None`: none; 0: any free one.
    pub secure_port: Option<u16>,
    /// Connections served at once per listener; more wait in its backlog.
    pub connections_max: usize,
    /// A connection that neither reads nor writes for this long is closed.
    pub idle: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            addresses: Vec::new(),
            plain_port: Some(80),
            secure_port: Some(443),
            connections_max: 1024,
            idle: Duration::from_secs(120),
        }
    }
}

/// A server that has its ports.
pub struct Server {
    shared: Arc<Shared>,
    plain: Vec<TcpListener>,
    secure: Vec<TcpListener>,
    quic: Vec<quinn::Endpoint>,
    /// Where datagrams are answered that no endpoint sees.
    strange: Vec<(UdpSocket, QuicDoor)>,
}

impl Server {
    /// Takes the ports.
    pub async fn bind(network: &Network, options: Options, sites: Vec<Site>) -> Result<Server, ServeError> {
        if sites.is_empty() {
            return Err(ServeError::new("serve", "there is no site"));
        }
        let any_tls = sites.iter().any(|site| site.certificate.is_some());
        let any_http3 = sites.iter().any(Site::speaks_http3);
        let plain_on_tls_port = matches!(sites[0].behaviour.door, Door::PlainOnTlsPort | Door::Greet(_));
        let backlog = if sites[0].behaviour.door == Door::Full { 0 } else { BACKLOG };
        let share = sites[0].behaviour.share;
        let sound: Vec<Site> =
            sites.iter().map(|site| Site { behaviour: Behaviour::default(), ..site.clone() }).collect();
        let sites = tls::prepare(network, sites)?;
        let quic_config =
            if any_http3 { Some(tls::quic_config(network, &sites, options.idle)?) } else { None };
        let (mut plain, mut secure, mut quic) = (Vec::new(), Vec::new(), Vec::new());
        let mut strange = Vec::new();
        let quic_door = sites[0].site.behaviour.quic;
        for address in &options.addresses {
            let listen = |port| {
                let local = SocketAddr::new(*address, port);
                async move {
                    network
                        .listen_tcp(local, backlog)
                        .await
                        .map_err(|error| ServeError::new(format!("listen on {local}"), error))
                }
            };
            if let Some(port) = options.plain_port {
                plain.push(listen(port).await?);
            }
            if let Some(port) = options.secure_port.filter(|_| any_tls || plain_on_tls_port) {
                for attempt in 0.. {
                    let listener = listen(port).await?;
                    let local = listener.local_addr();
                    match bind_quic(network, local, quic_config.as_ref(), quic_door).await {
                        // A port that is free for TCP may be taken for UDP: where any will do, another may not be.
                        Err(_) if port == 0 && attempt < PORTS_TRIED => continue,
                        bound => match bound? {
                            Some(QuicSocket::Strange(socket)) => strange.push((socket, quic_door)),
                            Some(QuicSocket::Usual(endpoint)) => quic.push(endpoint),
                            None => {}
                        },
                    }
                    secure.push(listener);
                    break;
                }
            }
        }
        let shared = |sites, options, others| {
            let (network, warm, dealt) = (network.clone(), AtomicBool::new(false), AtomicU32::new(0));
            Arc::new(Shared { network, options, sites, warm, others, dealt })
        };
        let others = match share {
            Some(share) => Some((share, shared(tls::prepare(network, sound)?, options.clone(), None))),
            None => None,
        };
        let shared = shared(sites, options, others);
        Ok(Server { shared, plain, secure, quic, strange })
    }

    /// Addresses and ports of plain HTTP.
    pub fn plain_addresses(&self) -> Vec<SocketAddr> {
        self.plain.iter().map(TcpListener::local_addr).collect()
    }

    /// Addresses and ports of HTTPS (and HTTP/3, on UDP).
    pub fn secure_addresses(&self) -> Vec<SocketAddr> {
        self.secure.iter().map(TcpListener::local_addr).collect()
    }

    /// Serves until dropped; then every connection ends too.
    pub async fn run(self) {
        let mut listeners = JoinSet::new();
        if *self.shared.door() == Door::Full {
            fill(&self.shared, self.plain.iter().chain(&self.secure)).await;
            // Nobody takes connections; the listeners only must not be dropped.
            return std::future::pending().await;
        }
        for listener in self.plain {
            listeners.spawn(accept(Arc::clone(&self.shared), listener, http::plain));
        }
        for listener in self.secure {
            listeners.spawn(accept(Arc::clone(&self.shared), listener, tls::secure));
        }
        for (socket, door) in self.strange {
            listeners.spawn(datagrams::answer(socket, door));
        }
        for endpoint in self.quic {
            listeners.spawn(http3::accept(Arc::clone(&self.shared), endpoint));
        }
        while listeners.join_next().await.is_some() {}
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("plain", &self.plain_addresses())
            .field("secure", &self.secure_addresses())
            .finish_non_exhaustive()
    }
}

/// Why a server could not start; the text completes "failed to".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServeError(String);

impl ServeError {
    fn new(what: impl fmt::Display, why: impl fmt::Display) -> ServeError {
        ServeError(format!("{what}: {why}"))
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ServeError {}

/// Connections waiting to be accepted, per listener.
const BACKLOG: usize = 256;

/// What every connection needs to know.
struct Shared {
    network: Network,
    options: Options,
    sites: Vec<tls::PreparedSite>,
    /// A first request was answered.
    warm: AtomicBool,
    /// Which share of the connections is served as the sites say, and how all others are.
    others: Option<((u32, u32), Arc<Shared>)>,
    /// Connections so far.
    dealt: AtomicU32,
}

impl Shared {
    /// The site that answers to `host` (without a port); else `otherwise`.
    fn site_for(&self, host: Option<&str>, otherwise: usize) -> usize {
        host.and_then(|host| self.sites.iter().position(|site| site.site.answers_to(host)))
            .unwrap_or(otherwise)
    }

    fn site(&self, index: usize) -> &Site {
        &self.sites[index].site
    }

    /// Who serves the next connection.
    fn deal(self: &Arc<Shared>) -> Arc<Shared> {
        match &self.others {
            Some(((first, of), others))
                if self.dealt.fetch_add(1, Ordering::Relaxed) % of.max(&1) >= *first =>
            {
                Arc::clone(others)
            }
            _ => Arc::clone(self),
        }
    }

    fn door(&self) -> &Door {
        &self.site(0).behaviour.door
    }
}

/// Connects to each listener until its queue takes no more: a connection that nobody accepts stays in it.
async fn fill(shared: &Shared, listeners: impl Iterator<Item = &TcpListener>) {
    let limit = Some(Duration::from_millis(100));
    let mut queued = Vec::new();
    for listener in listeners {
        let wishes = ConnectOptions { limit, ..ConnectOptions::default() };
        // A queue of no length still holds one or two.
        for _ in 0..4 {
            match shared.network.connect_tcp(listener.local_addr(), wishes).await {
                Ok(stream) => queued.push(stream),
                Err(_) => break,
            }
        }
    }
    std::mem::forget(queued);
}

/// Accepts connections and serves each in a task of its own, as many at once as allowed.
async fn accept<F, Fut>(shared: Arc<Shared>, listener: TcpListener, serve: F)
where
    F: Fn(Arc<Shared>, thru_net::TcpStream) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(shared.options.connections_max));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        // A listener that fails for one connection (out of file descriptors, say) goes on with the next one.
        let accepted = listener.accept().await;
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, _)) => {
                let connection = serve(shared.deal(), stream);
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) if error.kind() == io::ErrorKind::NotConnected => return,
            Err(_) => shared.network.sleep(Duration::from_millis(10)).await,
        }
    }
}
