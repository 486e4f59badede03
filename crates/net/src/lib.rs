//! Async sockets and timers over the kernel (`host`) or over our own stack in virtual time (`lab`).
//!
//! Protocol code takes a [`Network`] and runs unchanged on either. Start there.
//!
//! - [`network`]: [`Network`]: connect, listen, bind, ping, sleep, the time.
//! - [`tcp`], [`udp`], [`icmp`]: the sockets; streams are tokio's `AsyncRead`/`AsyncWrite`. [`tcp_options`]: what may be
//!   set on those of TCP.
//! - [`datagrams`]: UDP for servers, many datagrams at a time.
//! - [`knock`]: one SYN and what answers it.
//! - [`packet`]: whole packets of any making, sent and seen.
//! - [`sleep`]: timers that follow the network's clock.
//! - [`kernel`]: the host network: kernel sockets, the real clock.
//! - [`own`]: sockets over a [`thru_stack::Host`], wherever that host lives.
//! - [`autoconf`]: what the network gives a host that joins it.
//! - [`iface`]: our own stack in real time on a device of the machine.
//! - [`lab`]: the runtime in virtual time: [`lab::run`].
//! - [`tls`]: rustls crypto that repeats under a seed and is truly random outside a lab.
//! - [`quic`], [`http`]: quinn and hyper on a network's sockets and clock.

/// What a network gives whoever joins it, as our own stack tells.
pub mod autoconf {
    pub use thru_stack::AutoconfState;
    pub use thru_stack::autoconf::{AutoconfEvent, Lease};
}
pub mod datagrams;
pub mod http;
pub mod icmp;
pub mod iface;
pub mod kernel;
pub mod knock;
pub mod lab;
pub mod network;
pub mod own;
pub mod packet;
pub mod quic;
pub mod sleep;
pub mod tcp;
pub mod tcp_options;
pub mod tls;
pub mod udp;

pub use icmp::{IcmpEvent, IcmpSocket};
pub use knock::KnockOutcome;
pub use network::{ConnectError, ConnectErrorKind, ConnectOptions, Network};
pub use sleep::Sleep;
pub use tcp::{TcpInsight, TcpInspector, TcpListener, TcpStream};
pub use tcp_options::{Keepalive, TcpOption, TcpOptions};
pub use thru_stack::icmp::{IcmpErrorKind, IcmpReport};
pub use thru_stack::tcp::{State as TcpState, TcpEvent, TcpEventKind, TcpInfo, TcpSample};
pub use udp::{Received, SendOptions, UdpEvent, UdpSocket};
