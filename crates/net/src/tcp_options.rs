//! Options of TCP sockets, the same on every network: what may be set, and what is read back.
//!
//! On the host they are the kernel's, by `setsockopt`; elsewhere those of our own stack.

use std::io;
use std::time::Duration;

use thru_stack::tcp::{Congestion, SocketOptions};

/// One option and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpOption {
    /// `TCP_NODELAY`: Nagle's algorithm (RFC 9293 3.7.4) is off.
    Nodelay(bool),
    /// `TCP_CORK`: only full segments leave, for 200 ms at most; taking it back sends what waits.
    Cork(bool),
    /// `SO_KEEPALIVE` and its times: a silent peer is asked whether it lives (RFC 9293 3.8.4); `None`: it is not.
    Keepalive(Option<Keepalive>),
    /// `TCP_QUICKACK`: acknowledges at once for a while, or delays (RFC 9293 3.8.6.3). No lasting choice, and only for
    /// streams.
    QuickAck(bool),
    /// `TCP_MAXSEG`: the largest segment in bytes, 88 to 32,767.
    MssLimit(u16),
    /// `IP_TOS`, `IPV6_TCLASS`: the traffic class; its two ECN bits are TCP's own.
    TrafficClass(u8),
    /// `IP_TTL`, `IPV6_UNICAST_HOPS`: TTL or hop limit, from 1.
    Ttl(u8),
    /// `TCP_USER_TIMEOUT` (RFC 5482): how long sent data may stay unacknowledged; `None`: as the retries give.
    UserTimeout(Option<Duration>),
    /// `SO_LINGER`: what closing does with what was not sent: `None`: it goes in the background; zero: the connection is
    /// aborted with RST.
    Linger(Option<Duration>),
    /// `TCP_NOTSENT_LOWAT`: not writable while as many bytes wait to be sent for the first time.
    NotSentLow(u32),
    /// `SO_SNDBUF`: bytes that may wait for acknowledgement. (A kernel doubles it, for its own bookkeeping.)
    SendBuffer(usize),
    /// `SO_RCVBUF`: bytes that may wait for the application, likewise.
    ReceiveBuffer(usize),
    /// `TCP_CONGESTION`: the congestion controller, by name: `reno`, `cubic`, `bbr`; our own stack also has `bbr1` and
    /// `bbr3`, of which `bbr` means the latter.
    Congestion(String),
}

/// When and how often a silent peer is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// `TCP_KEEPIDLE`: silence before the first question, in whole seconds on the host.
    pub idle: Duration,
    /// `TCP_KEEPINTVL`: time between two questions, likewise.
    pub interval: Duration,
    /// `TCP_KEEPCNT`: questions without an answer after which the connection has timed out.
    pub probes: u32,
}

/// The options a socket has now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpOptions {
    /// See [`TcpOption::Nodelay`].
    pub nodelay: bool,
    /// See [`TcpOption::Cork`].
    pub cork: bool,
    /// See [`TcpOption::Keepalive`].
    pub keepalive: Option<Keepalive>,
    /// See [`TcpOption::TrafficClass`].
    pub traffic_class: u8,
    /// See [`TcpOption::Ttl`]; `None`: the host's.
    pub ttl: Option<u8>,
    /// See [`TcpOption::UserTimeout`].
    pub user_timeout: Option<Duration>,
    /// See [`TcpOption::Linger`].
    pub linger: Option<Duration>,
    /// See [`TcpOption::Congestion`].
    pub congestion: String,
}

impl TcpOption {
    /// Sets it on a socket of the kernel.
    pub(crate) fn set_on_kernel(&self, socket: &socket2::SockRef<'_>, v6: bool) -> io::Result<()> {
        match self {
            TcpOption::Nodelay(on) => socket.set_tcp_nodelay(*on),
            TcpOption::Cork(on) => socket.set_tcp_cork(*on),
            TcpOption::Keepalive(None) => socket.set_keepalive(false),
            TcpOption::Keepalive(Some(Keepalive { idle, interval, probes })) => {
                let times = socket2::TcpKeepalive::new();
                let times = times.with_time(*idle).with_interval(*interval).with_retries(*probes);
                // This switches it on, too.
                socket.set_tcp_keepalive(&times)
            }
            TcpOption::QuickAck(on) => socket.set_tcp_quickack(*on),
            TcpOption::MssLimit(mss) => socket.set_tcp_mss(u32::from(*mss)),
            TcpOption::TrafficClass(class) if v6 => socket.set_tclass_v6(u32::from(*class)),
            TcpOption::TrafficClass(class) => socket.set_tos_v4(u32::from(*class)),
            // With IPv6 a kernel would take it, and nothing would leave the machine.
            TcpOption::Ttl(0) => Err(invalid("a TTL of 0")),
            TcpOption::Ttl(ttl) if v6 => socket.set_unicast_hops_v6(u32::from(*ttl)),
            TcpOption::Ttl(ttl) => socket.set_ttl_v4(u32::from(*ttl)),
            TcpOption::UserTimeout(time) => socket.set_tcp_user_timeout(*time),
            TcpOption::Linger(time) => socket.set_linger(*time),
            TcpOption::NotSentLow(bytes) => socket.set_tcp_notsent_lowat(*bytes),
            TcpOption::SendBuffer(bytes) => socket.set_send_buffer_size(*bytes),
            TcpOption::ReceiveBuffer(bytes) => socket.set_recv_buffer_size(*bytes),
            TcpOption::Congestion(name) => socket.set_tcp_congestion(name.as_bytes()),
        }
    }

    /// Sets it among the options of a socket of our own stack. [`TcpOption::QuickAck`] is none of those.
    pub(crate) fn set_on_own(&self, options: &mut SocketOptions) -> io::Result<()> {
        match self {
            TcpOption::Nodelay(on) => options.nodelay = *on,
            TcpOption::Cork(on) => options.cork = *on,
            TcpOption::Keepalive(None) => options.keepalive = false,
            TcpOption::Keepalive(Some(Keepalive { idle, interval, probes })) => {
                options.keepalive = true;
                options.keepalive_idle = *idle;
                options.keepalive_interval = *interval;
                options.keepalive_probes = *probes;
            }
            TcpOption::QuickAck(_) => return Err(io::ErrorKind::Unsupported.into()),
            TcpOption::MssLimit(mss) => options.mss_limit = Some(*mss),
            TcpOption::TrafficClass(class) => options.traffic_class = *class,
            TcpOption::Ttl(0) => return Err(invalid("a TTL of 0")),
            TcpOption::Ttl(ttl) => options.ttl = Some(*ttl),
            TcpOption::UserTimeout(time) => options.user_timeout = *time,
            TcpOption::Linger(time) => options.linger = *time,
            TcpOption::NotSentLow(bytes) => options.notsent_low = Some(*bytes as usize),
            TcpOption::SendBuffer(bytes) => options.send_buffer = Some(*bytes),
            TcpOption::ReceiveBuffer(bytes) => options.receive_buffer = Some(*bytes),
            TcpOption::Congestion(name) => {
                // As the kernel says it of a name that it doesn't know.
                options.congestion =
                    Congestion::named(name).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
            }
        }
        Ok(())
    }
}

/// No socket takes this value.
pub(crate) fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{what} is no value for this option"))
}

impl TcpOptions {
    /// Those of a socket of the kernel.
    pub(crate) fn of_kernel(socket: &socket2::SockRef<'_>, v6: bool) -> io::Result<TcpOptions> {
        let keepalive = if socket.keepalive()? {
            Some(Keepalive {
                idle: socket.tcp_keepalive_time()?,
                interval: socket.tcp_keepalive_interval()?,
                probes: socket.tcp_keepalive_retries()?,
            })
        } else {
            None
        };
        let class = if v6 { socket.tclass_v6()? } else { socket.tos_v4()? };
        let ttl = if v6 { socket.unicast_hops_v6()? } else { socket.ttl_v4()? };
        let name = socket.tcp_congestion()?;
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        Ok(TcpOptions {
            nodelay: socket.tcp_nodelay()?,
            cork: socket.tcp_cork()?,
            keepalive,
            traffic_class: class as u8,
            ttl: u8::try_from(ttl).ok(),
            user_timeout: socket.tcp_user_timeout()?,
            linger: socket.linger()?,
            congestion: String::from_utf8_lossy(name).into_owned(),
        })
    }

    /// Those of a socket of our own stack.
    pub(crate) fn of_own(options: &SocketOptions) -> TcpOptions {
        TcpOptions {
            nodelay: options.nodelay,
            cork: options.cork,
            keepalive: options.keepalive.then_some(Keepalive {
                idle: options.keepalive_idle,
                interval: options.keepalive_interval,
                probes: options.keepalive_probes,
            }),
            traffic_class: options.traffic_class,
            ttl: options.ttl,
            user_timeout: options.user_timeout,
            linger: options.linger,
            congestion: options.congestion.name().to_owned(),
        }
    }
}
