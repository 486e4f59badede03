//! Async sockets and timers over the kernel (`host`) or over our own stack in virtual time (`lab`).
//!
//! Protocol code takes a [`Network`] and runs unchanged on either. Start there.
//!
//! - [`Network`]: connect, listen, bind, ping, sleep, the time.
//! - [`TcpStream`], [`TcpListener`], [`UdpSocket`], [`IcmpSocket`]: tokio's `AsyncRead`/`AsyncWrite` and async calls.
//! - [`lab`]: the runtime in virtual time: `lab::Lab::run(seed, build_world, main)`.
//! - [`tls`]: rustls crypto that repeats under a seed and is truly random outside a lab.
//! - [`quic`]: quinn over a `Network`.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use thru_wire::Instant;
pub use thru_stack::icmp::{IcmpErrorKind, IcmpReport};
pub use thru_stack::tcp::{TcpEvent, TcpEventKind, TcpInfo};

/// A network as one node sees it. Cheap to clone.
#[derive(Clone)]
pub struct Network { /* private */ }

/// Why a connection could not be made.
#[derive(Debug, Clone)]
pub struct ConnectError {
    pub kind: ConnectErrorKind,
    /// What happened on the wire as far as it is known (empty on the host network).
    pub events: Vec<TcpEvent>,
}
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectErrorKind {
    /// RST came back.
    Refused,
    /// No answer in time. The last ICMP error heard meanwhile.
    TimedOut { icmp: Option<IcmpReport> },
    /// An ICMP error (or the kernel's word for one) ended it.
    Unreachable { icmp: Option<IcmpReport>, text: String },
    /// No route on this machine; nothing was sent.
    NoRoute,
    Other(String),
}

/// Wishes for one connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConnectOptions {
    /// Give up after this long with `TimedOut`, keeping the events; `None`: as long as the stack tries (Linux: ~130 s).
    pub limit: Option<Duration>,
    /// Announce and use no larger segments than this.
    pub mss_limit: Option<u16>,
    pub nodelay: bool,
}

impl Network {
    /// The kernel's sockets and the real clock. Needs a tokio runtime.
    pub fn host() -> Network { todo!() }
    /// `host`, or `lab:NAME`.
    pub fn name(&self) -> String { todo!() }
    /// Whether time is virtual.
    pub fn is_virtual(&self) -> bool { todo!() }
    /// Time since the network's start: never the wall clock.
    pub fn now(&self) -> Instant { todo!() }
    /// The date on this network: time since the Unix epoch.
    pub fn unix_time(&self) -> Duration { todo!() }
    pub fn sleep_until(&self, at: Instant) -> Sleep { todo!() }
    pub fn sleep(&self, duration: Duration) -> Sleep { todo!() }
    /// `None` when `duration` passes first.
    pub async fn timeout<F: Future>(&self, duration: Duration, future: F) -> Option<F::Output> { let _ = (duration, future); todo!() }
    /// 32 random bytes from the network's stream `purpose` (the kernel's on the host network).
    pub fn random(&self, purpose: &str) -> [u8; 32] { let _ = purpose; todo!() }
    /// Spawns on the current tokio runtime.
    pub fn spawn<F>(&self, future: F) -> tokio::task::JoinHandle<F::Output> where F: Future + Send + 'static, F::Output: Send + 'static { tokio::spawn(future) }

    pub async fn connect_tcp(&self, remote: SocketAddr, options: ConnectOptions) -> Result<TcpStream, ConnectError> { let _ = (remote, options); todo!() }
    pub async fn listen_tcp(&self, local: SocketAddr, backlog: usize) -> io::Result<TcpListener> { let _ = (local, backlog); todo!() }
    pub async fn bind_udp(&self, local: SocketAddr) -> io::Result<UdpSocket> { let _ = local; todo!() }
    /// Echo requests and the errors that answer them (unprivileged where the kernel allows).
    pub async fn icmp(&self, to: IpAddr) -> io::Result<IcmpSocket> { let _ = to; todo!() }
    /// Recursive resolvers this node is told to use.
    pub fn resolvers(&self) -> Vec<SocketAddr> { todo!() }
    /// The source address that would be used towards `destination`.
    pub fn source_for(&self, destination: IpAddr) -> Option<IpAddr> { let _ = destination; todo!() }
    /// Whether this node has a (non link-local) address and a default route of that family.
    pub fn has_family(&self, v6: bool) -> bool { let _ = v6; todo!() }
}

/// Completes at its instant.
pub struct Sleep {}
impl Future for Sleep { type Output = (); fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> { todo!() } }

/// A TCP connection: `tokio::io::{AsyncRead, AsyncWrite}`, `Send + Unpin`.
pub struct TcpStream {}
impl TcpStream {
    pub fn local_addr(&self) -> SocketAddr { todo!() }
    pub fn peer_addr(&self) -> SocketAddr { todo!() }
    pub fn set_nodelay(&self, nodelay: bool) { let _ = nodelay; todo!() }
    /// What the stack knows now (`TCP_INFO` on the host network). Usable through [`TcpStream::inspector`] after the stream is given away.
    pub fn info(&self) -> Option<TcpInfo> { todo!() }
    pub fn events(&self) -> Vec<TcpEvent> { todo!() }
    /// A handle that goes on answering `info` and `events` after the stream was moved into TLS or HTTP, and after it closed (last known state).
    pub fn inspector(&self) -> TcpInspector { todo!() }
}
#[derive(Clone)]
pub struct TcpInspector {}
impl TcpInspector { pub fn info(&self) -> Option<TcpInfo> { todo!() } pub fn events(&self) -> Vec<TcpEvent> { todo!() } }

pub struct TcpListener {}
impl TcpListener {
    pub async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> { todo!() }
    pub fn local_addr(&self) -> SocketAddr { todo!() }
}

/// A UDP socket. Shared by reference: all calls take `&self`.
pub struct UdpSocket {}
/// Per-datagram wishes.
#[derive(Clone, Copy, Debug, Default)]
pub struct SendOptions { pub ttl: Option<u8>, pub ecn: u8, pub dont_fragment: bool }
#[derive(Clone, Debug)]
pub struct Received { pub from: SocketAddr, pub payload: bytes::Bytes, pub ttl: Option<u8>, pub ecn: u8, pub at: Instant }
/// What a UDP socket can tell besides datagrams.
#[derive(Clone, Debug)]
pub enum UdpEvent { Datagram(Received), Icmp(IcmpReport) }
impl UdpSocket {
    pub fn local_addr(&self) -> SocketAddr { todo!() }
    pub async fn send_to(&self, payload: &[u8], to: SocketAddr) -> io::Result<()> { let _ = (payload, to); todo!() }
    pub async fn send_with(&self, payload: &[u8], to: SocketAddr, options: SendOptions) -> io::Result<()> { let _ = (payload, to, options); todo!() }
    /// Next datagram; ICMP errors are skipped.
    pub async fn receive(&self) -> io::Result<Received> { todo!() }
    /// Next datagram or ICMP error about one we sent (traceroute).
    pub async fn receive_event(&self) -> io::Result<UdpEvent> { todo!() }
}

/// Pings and their answers.
pub struct IcmpSocket {}
#[derive(Clone, Debug)]
pub enum IcmpEvent { Reply { from: IpAddr, sequence: u16, ttl: Option<u8>, payload: bytes::Bytes, at: Instant }, Error { report: IcmpReport, sequence: Option<u16> } }
impl IcmpSocket {
    pub async fn send_echo(&self, to: IpAddr, sequence: u16, ttl: Option<u8>, payload: &[u8]) -> io::Result<()> { let _ = (to, sequence, ttl, payload); todo!() }
    pub async fn receive(&self) -> io::Result<IcmpEvent> { todo!() }
}

pub mod lab {
    //! Our own stack on a simulated network, in virtual time, on an unmodified tokio.
    use super::*;
    use thru_sim::{NodeId, World};
    use std::sync::{Arc, MutexGuard};

    /// A running simulation; lives on its own thread. Cheap to clone (`Arc` inside).
    #[derive(Clone)]
    pub struct Lab { _p: Arc<()> }
    /// How to run one.
    #[derive(Clone, Debug)]
    pub struct LabOptions { pub name: String, pub seed: u64, /** Date at instant 0: nanoseconds since the Unix epoch. */ pub epoch_unix_nanos: u64, /** Give up (error) when virtual time passes this. */ pub limit: Duration }
    #[derive(Debug)]
    pub enum LabError { /** Virtual time passed the limit. */ Limit(Duration), Panicked(String) }

    /// Runs `main` in virtual time on a fresh thread (own tokio current-thread runtime, seeded entropy) to its end.
    /// The world is whatever `main` builds through [`Lab::world`].
    pub fn run<F, Fut, R>(options: LabOptions, main: F) -> Result<R, LabError>
    where F: FnOnce(Lab) -> Fut + Send + 'static, Fut: Future<Output = R> + 'static, R: Send + 'static { let _ = (options, main); todo!() }

    impl Lab {
        /// The simulated network, locked. Never hold it across an await.
        pub fn world(&self) -> MutexGuard<'_, World> { todo!() }
        /// The network as `node` sees it; `resolvers` is what its resolv.conf would say.
        pub fn network(&self, node: NodeId, resolvers: Vec<SocketAddr>) -> Network { let _ = (node, resolvers); todo!() }
        /// Moves the lab's date (not its clock): `date` in nanoseconds since the Unix epoch at instant 0.
        pub fn set_epoch(&self, unix_nanos: u64) { let _ = unix_nanos; todo!() }
    }
}

pub mod tls {
    //! rustls crypto that repeats under a seed and is truly random outside a lab.
    use super::*;
    use std::sync::Arc;
    /// ring's provider; inside a lab its randomness (hello, key shares) comes from the network's streams.
    pub fn crypto_provider(network: &Network) -> Arc<rustls::crypto::CryptoProvider> { let _ = network; todo!() }
    /// Certificate dates are judged by the network's date.
    pub fn time_provider(network: &Network) -> Arc<dyn rustls::time_provider::TimeProvider> { let _ = network; todo!() }
    /// Collects NSS key log lines in memory.
    #[derive(Clone, Debug, Default)]
    pub struct KeyLogBuffer(Arc<std::sync::Mutex<String>>);
    impl KeyLogBuffer { pub fn text(&self) -> String { self.0.lock().unwrap().clone() } }
    impl rustls::KeyLog for KeyLogBuffer { fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) { let _ = (label, client_random, secret); todo!() } }
}

pub mod quic {
    //! quinn over a [`Network`](super::Network).
    use super::*;
    /// A quinn endpoint on `network`, bound to `local`. `server`: accept connections too. All of quinn's own
    /// choices (connection ids, reset key, seeds) come from the network's streams.
    pub async fn endpoint(network: &Network, local: SocketAddr, server: Option<quinn::ServerConfig>) -> io::Result<quinn::Endpoint> { let _ = (network, local, server); todo!() }
}
