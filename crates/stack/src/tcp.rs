//! TCP, one mechanism a file.

use core::net::SocketAddr;
use core::time::Duration;
use thru_wire::Instant;
use crate::icmp::IcmpReport;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TcpId(pub(crate) u64);
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId(pub(crate) u64);

/// Settings of a host's TCP. `Default` is what a current Linux does, where the RFCs leave room.
#[derive(Clone, Debug)]
pub struct TcpConfig {
    pub send_buffer: usize, pub receive_buffer: usize,
    pub initial_window_segments: u32, pub delayed_ack: Duration, pub min_rto: Duration, pub max_rto: Duration,
    pub syn_retries: u32, pub data_retries: u32, pub time_wait: Duration, pub keepalive: Option<Duration>,
    pub timestamps: bool, pub sack: bool, pub window_scaling: bool, pub congestion: Congestion, pub nodelay: bool,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Congestion { NewReno, Cubic }

/// RFC 9293 3.3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State { Listen, SynSent, SynReceived, Established, FinWait1, FinWait2, CloseWait, Closing, LastAck, TimeWait, Closed }

/// Why a connection is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpError {
    /// RST in answer to our SYN.
    Refused,
    /// RST on a living connection.
    Reset,
    /// Nothing acknowledged for too long. The last ICMP error heard meanwhile, if any.
    TimedOut { icmp: Option<IcmpReport> },
    /// A hard ICMP error, or a soft one during the handshake.
    Unreachable(IcmpReport),
    /// We ended it.
    Aborted,
    /// Written to after shutdown.
    WriteAfterShutdown,
    /// No such connection.
    Unknown,
}
/// Wishes for one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpConnectOptions {
    /// Announce and use no larger segments than this: a way past an MTU black hole.
    pub mss_limit: Option<u16>,
    /// Switch Nagle's algorithm off.
    pub nodelay: bool,
}
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectError { NoRoute, AddressNotAvailable, AddressInUse, NoPorts, TooMany }
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenError { AddressInUse, AddressNotAvailable }

/// What `TCP_INFO` tells, and a little more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpInfo {
    pub state: State, pub mss: usize, pub rtt: Option<Duration>, pub rtt_variation: Duration, pub min_rtt: Option<Duration>, pub rto: Duration,
    pub congestion_window: u64, pub slow_start_threshold: u64, pub bytes_in_flight: u64, pub peer_window: u64, pub own_window: u64,
    pub bytes_sent: u64, pub bytes_acked: u64, pub bytes_received: u64,
    pub segments_sent: u64, pub segments_received: u64, pub retransmissions: u64, pub timeouts: u64, pub fast_recoveries: u64, pub duplicate_acks_received: u64,
    /// Segments that arrived again (D-SACK's other side), and segments that arrived after a gap.
    pub duplicates_received: u64, pub out_of_order_received: u64,
    pub window_scale: Option<(u8, u8)>, pub sack: bool, pub timestamps: bool,
}

/// One thing that happened on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpEvent { pub at: Instant, pub what: TcpEventKind }
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpEventKind {
    /// Sequence numbers are relative to the initial ones.
    Sent { flags: thru_wire::tcp::Flags, seq: u64, ack: u64, len: u32, window: u32, retransmission: bool },
    Received { flags: thru_wire::tcp::Flags, seq: u64, ack: u64, len: u32, window: u32, ttl: u8 },
    State(State),
    Timeout { rto: Duration }, FastRecovery, ZeroWindow, Icmp(IcmpReport), Error(TcpError),
}
#[allow(dead_code)]
fn _unused(_: SocketAddr) {}
