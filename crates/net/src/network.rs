//! A network as one node sees it.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use thru_stack::AutoconfState;
use thru_stack::autoconf::AutoconfEvent;
use thru_stack::icmp::IcmpReport;
use thru_stack::tcp::TcpEvent;
use thru_wire::Instant;

use crate::icmp::IcmpSocket;
use crate::kernel;
use crate::own::OwnNetwork;
use crate::packet::PacketSocket;
use crate::sleep::Sleep;
use crate::tcp::{TcpListener, TcpStream};
use crate::udp::UdpSocket;

/// A network as one node sees it: what carries the bytes, and whose clock counts. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Network(pub(crate) Kind);

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// The kernel's sockets and the real clock.
    Kernel,
    /// Our own stack, on whatever drives it.
    Own(Arc<OwnNetwork>),
}

/// Wishes for one connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConnectOptions {
    /// Give up after this long with `TimedOut`, keeping the events; `None`: as long as the stack tries
    /// (Linux: about 130 s).
    pub limit: Option<Duration>,
    /// Announce and use no larger segments than this.
    pub mss_limit: Option<u16>,
    /// Switch Nagle's algorithm off.
    pub nodelay: bool,
}

/// Why a connection could not be made.
#[derive(Debug, Clone)]
pub struct ConnectError {
    /// What ended the attempt.
    pub kind: ConnectErrorKind,
    /// What happened on the wire as far as it is known (empty on the host network).
    pub events: Vec<TcpEvent>,
}

/// What ended an attempt to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectErrorKind {
    /// RST came back.
    Refused,
    /// No answer in time.
    TimedOut {
        /// The last ICMP error heard meanwhile.
        icmp: Option<IcmpReport>,
    },
    /// An ICMP error (or the kernel's word for one) ended it.
    Unreachable {
        /// The error itself, where it is known.
        icmp: Option<IcmpReport>,
        /// In words.
        text: String,
    },
    /// No route on this machine; nothing was sent.
    NoRoute,
    /// Every local port is taken; nothing was sent.
    NoPorts,
    /// This machine itself forbids it; nothing was sent.
    Forbidden(String),
    /// Anything else, in words.
    Other(String),
}

impl std::fmt::Display for ConnectError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.kind {
            ConnectErrorKind::Refused => f.write_str("connection refused"),
            ConnectErrorKind::TimedOut { .. } => f.write_str("no answer in time"),
            ConnectErrorKind::Unreachable { text, .. } | ConnectErrorKind::Other(text) => f.write_str(text),
            ConnectErrorKind::NoPorts => f.write_str("no local port is free"),
            ConnectErrorKind::Forbidden(text) => f.write_str(text),
            ConnectErrorKind::NoRoute => f.write_str("no route to the destination"),
        }
    }
}

impl std::error::Error for ConnectError {}

impl Network {
    /// The kernel's sockets and the real clock. Its calls need a tokio runtime with I/O and time.
    pub fn host() -> Network {
        Network(Kind::Kernel)
    }

    /// `host`, `iface:NAME` or `lab:NAME`.
    pub fn name(&self) -> String {
        match &self.0 {
            Kind::Kernel => "host".to_owned(),
            Kind::Own(own) => own.name.clone(),
        }
    }

    /// Whether time is virtual.
    pub fn is_virtual(&self) -> bool {
        match &self.0 {
            Kind::Kernel => false,
            Kind::Own(own) => own.driver.is_virtual(),
        }
    }

    /// Time since the network's start: never the wall clock.
    pub fn now(&self) -> Instant {
        match &self.0 {
            Kind::Kernel => thru_os::clock::now(),
            Kind::Own(own) => own.driver.now(),
        }
    }

    /// The date on this network: time since the Unix epoch.
    pub fn unix_time(&self) -> Duration {
        match &self.0 {
            Kind::Kernel => thru_os::clock::unix_time(),
            Kind::Own(own) => own.driver.unix_time(),
        }
    }

    /// `instant` of this network as the standard library's type, for libraries that want one. Only differences
    /// between two of them mean anything.
    pub fn to_std(&self, instant: Instant) -> std::time::Instant {
        let origin = match &self.0 {
            Kind::Kernel => thru_os::clock::origin(),
            Kind::Own(own) => own.driver.origin(),
        };
        origin + Duration::from_nanos(instant.nanos().min(u64::MAX / 4))
    }

    /// The inverse of [`Network::to_std`].
    pub fn from_std(&self, instant: std::time::Instant) -> Instant {
        let origin = match &self.0 {
            Kind::Kernel => thru_os::clock::origin(),
            Kind::Own(own) => own.driver.origin(),
        };
        Instant::START + instant.saturating_duration_since(origin)
    }

    /// Completes at `at`.
    pub fn sleep_until(&self, at: Instant) -> Sleep {
        Sleep::new(self, at)
    }

    /// Completes after `duration`.
    pub fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(self, self.now() + duration)
    }

    /// Runs `future` for at most `duration`; `None` when the time passes first.
    pub async fn timeout<F: Future>(&self, duration: Duration, future: F) -> Option<F::Output> {
        let sleep = self.sleep(duration);
        tokio::select! {
            biased;
            output = future => Some(output),
            () = sleep => None,
        }
    }

    /// 32 random bytes: in a lab from the stream `purpose` of this node, otherwise from the kernel.
    pub fn random(&self, purpose: &str) -> [u8; 32] {
        let mut bytes = [0; 32];
        match &self.0 {
            Kind::Kernel => thru_os::entropy::fill(&mut bytes),
            Kind::Own(own) => own.driver.random(purpose, &mut bytes),
        }
        bytes
    }

    /// Spawns on the current tokio runtime.
    pub fn spawn<F>(&self, future: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(future)
    }

    /// Opens a TCP connection.
    pub async fn connect_tcp(
        &self,
        remote: SocketAddr,
        options: ConnectOptions,
    ) -> Result<TcpStream, ConnectError> {
        match &self.0 {
            Kind::Kernel => kernel::tcp::connect(self, remote, options).await,
            Kind::Own(own) => crate::own::tcp::connect(self, own, remote, options).await,
        }
    }

    /// Listens for TCP connections; at most `backlog` wait to be accepted.
    pub async fn listen_tcp(&self, local: SocketAddr, backlog: usize) -> io::Result<TcpListener> {
        match &self.0 {
            Kind::Kernel => kernel::tcp::listen(local, backlog),
            Kind::Own(own) => crate::own::tcp::listen(own, local, backlog),
        }
    }

    /// Binds a UDP socket; port 0 means any.
    pub async fn bind_udp(&self, local: SocketAddr) -> io::Result<UdpSocket> {
        match &self.0 {
            Kind::Kernel => kernel::udp::bind(local).await,
            Kind::Own(own) => crate::own::udp::bind(own, local),
        }
    }

    /// Echo requests towards addresses of `to`'s family, and the errors that answer them
    /// (unprivileged where the kernel allows it).
    pub async fn icmp(&self, to: IpAddr) -> io::Result<IcmpSocket> {
        match &self.0 {
            Kind::Kernel => kernel::icmp::open(to),
            Kind::Own(own) => crate::own::icmp::open(own, to),
        }
    }

    /// Whole packets, sent as they are, and all that arrive. On the host's network it needs `CAP_NET_RAW`, and fails
    /// with `PermissionDenied` without.
    pub async fn packets(&self) -> io::Result<PacketSocket> {
        match &self.0 {
            Kind::Kernel => kernel::packet::open(),
            Kind::Own(own) => crate::own::packet::open(own),
        }
    }

    /// Recursive resolvers this node is told to use: by hand, or else by the network it is on.
    pub fn resolvers(&self) -> Vec<SocketAddr> {
        match &self.0 {
            Kind::Kernel => kernel::resolvers(),
            Kind::Own(own) if own.resolvers.is_empty() => {
                let given = self.autoconf_state().map(|state| state.resolvers).unwrap_or_default();
                given.into_iter().map(|address| SocketAddr::new(address, 53)).collect()
            }
            Kind::Own(own) => own.resolvers.clone(),
        }
    }

    /// What the network has given this node so far; `None` where it is configured by hand, and on the host's network,
    /// whose kernel does that.
    pub fn autoconf_state(&self) -> Option<AutoconfState> {
        match &self.0 {
            Kind::Kernel => None,
            Kind::Own(own) => own.with(|host, _| host.autoconf_state()),
        }
    }

    /// What happens next to the addresses that the network gives; never completes where it is configured by hand.
    pub async fn autoconf_event(&self) -> AutoconfEvent {
        std::future::poll_fn(|context| match &self.0 {
            Kind::Kernel => Poll::Pending,
            Kind::Own(own) => own.with(|host, _| match host.autoconf_event() {
                Some(event) => Poll::Ready(event),
                None => {
                    host.autoconf_waker(context.waker());
                    Poll::Pending
                }
            }),
        })
        .await
    }

    /// The source address that would be used towards `destination`; `None` without a route.
    pub fn source_for(&self, destination: IpAddr) -> Option<IpAddr> {
        match &self.0 {
            Kind::Kernel => kernel::source_for(destination),
            Kind::Own(own) => own.with(|host, _| host.source_for(destination)),
        }
    }

    /// Whether this node could reach the global Internet of that family: a route and a source address with more
    /// than link scope.
    pub fn has_family(&self, v6: bool) -> bool {
        // Any global address does: nothing is sent.
        let probe = if v6 {
            IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1))
        } else {
            IpAddr::V4(Ipv4Addr::new(192, 0, 2, 254))
        };
        match self.source_for(probe) {
            Some(IpAddr::V6(source)) => !source.is_unicast_link_local() && !source.is_loopback(),
            Some(IpAddr::V4(source)) => !source.is_link_local() && !source.is_loopback(),
            None => false,
        }
    }
}
