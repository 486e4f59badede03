//! TCP (RFC 9293) without I/O, one mechanism a file.
//!
//! Start with [`Tcp`]: every connection and listener of one host. It asks the IP layer through [`Path`],
//! takes [`SegmentIn`] and gives [`SegmentOut`].

use core::net::{IpAddr, SocketAddr};
use core::task::Waker;
use core::time::Duration;

use bytes::Bytes;
use thru_wire::Instant;
use thru_wire::tcp::{Flags, SeqNumber};

use crate::icmp::IcmpReport;

/// A connection of one host. Never used again for another connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TcpId(pub(crate) u64);

/// A listener of one host. Never used again for another listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId(pub(crate) u64);

/// Settings of a host's TCP. `Default` is what a current Linux does, where the RFCs leave room.
#[derive(Clone, Debug)]
pub struct TcpConfig {
    /// Most bytes that wait for transmission or acknowledgement, per connection.
    pub send_buffer: usize,
    /// Most bytes that wait for the application, per connection; the largest window announced.
    pub receive_buffer: usize,
    /// Initial congestion window in segments (RFC 6928).
    pub initial_window_segments: u32,
    /// How long an acknowledgement may wait for company (RFC 9293 3.8.6.3: below 500 ms).
    pub delayed_ack: Duration,
    /// Floor of the variance term of the retransmission timeout, as Linux does; so also a floor of the timeout.
    pub min_rto: Duration,
    /// Ceiling of the retransmission timeout, also when backed off.
    pub max_rto: Duration,
    /// How often a SYN or SYN ACK is sent again before the attempt ends.
    pub syn_retries: u32,
    /// How often the same data is sent again without any acknowledgement before the connection ends.
    pub data_retries: u32,
    /// How long TIME-WAIT lasts: twice the maximum segment lifetime.
    pub time_wait: Duration,
    /// How long a silent connection waits before the peer is probed; `None`: never probed.
    pub keepalive: Option<Duration>,
    /// Offer timestamps (RFC 7323 3).
    pub timestamps: bool,
    /// Offer selective acknowledgements (RFC 2018).
    pub sack: bool,
    /// Offer window scaling (RFC 7323 2).
    pub window_scaling: bool,
    /// The congestion controller of new connections.
    pub congestion: Congestion,
    /// Whether new connections start with Nagle's algorithm switched off.
    pub nodelay: bool,
    /// Between two unanswered keepalive probes.
    pub keepalive_interval: Duration,
    /// Unanswered keepalive probes after which the connection has timed out.
    pub keepalive_probes: u32,
    /// How long a connection that the application has released waits in FIN-WAIT-2 for the peer's FIN.
    pub fin_wait2: Duration,
    /// Challenge acknowledgements the whole host sends per second (RFC 5961 7); a random half of it is spread over
    /// the seconds, so that nobody can count others' challenges by its own.
    pub challenge_acks_per_second: u32,
    /// Whether [`Tcp::events`] are recorded.
    pub events: bool,
}

impl Default for TcpConfig {
    fn default() -> TcpConfig {
        TcpConfig {
            send_buffer: 1 << 20,
            receive_buffer: 1 << 20,
            initial_window_segments: 10,
            delayed_ack: Duration::from_millis(40),
            min_rto: Duration::from_millis(200),
            max_rto: Duration::from_secs(120),
            syn_retries: 6,
            data_retries: 15,
            time_wait: Duration::from_secs(60),
            keepalive: None,
            timestamps: true,
            sack: true,
            window_scaling: true,
            congestion: Congestion::Cubic,
            nodelay: false,
            keepalive_interval: Duration::from_secs(75),
            keepalive_probes: 9,
            fin_wait2: Duration::from_secs(60),
            challenge_acks_per_second: 1_000,
            events: true,
        }
    }
}

/// Which congestion controller a connection uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Congestion {
    /// RFC 5681 and 6582.
    NewReno,
    /// RFC 9438.
    Cubic,
}

/// The states of a connection (RFC 9293 3.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// A half-open connection's listener; no connection object is ever in it.
    Listen,
    /// Our SYN is out.
    SynSent,
    /// Both SYNs are known, ours is not acknowledged.
    SynReceived,
    /// Data may flow.
    Established,
    /// We have closed; our FIN is not acknowledged.
    FinWait1,
    /// We have closed; the peer may still send.
    FinWait2,
    /// The peer has closed; we may still send.
    CloseWait,
    /// Both have closed; our FIN is not acknowledged.
    Closing,
    /// The peer closed first, then we; our FIN is not acknowledged.
    LastAck,
    /// Closed on both sides; old segments may still wander about.
    TimeWait,
    /// Gone.
    Closed,
}

/// Why a connection is gone, or why a call could not be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpError {
    /// RST in answer to our SYN.
    Refused,
    /// RST on a living connection.
    Reset,
    /// Nothing acknowledged for too long.
    TimedOut {
        /// The last ICMP error heard meanwhile, if any.
        icmp: Option<IcmpReport>,
    },
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

/// Why a connection could not even be tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectError {
    /// No route leads to the destination.
    NoRoute,
    /// The local address asked for is not ours.
    AddressNotAvailable,
    /// Another connection has the same pair of addresses and ports.
    AddressInUse,
    /// Every ephemeral port towards this destination is taken.
    NoPorts,
    /// The host holds as many connections as it can.
    TooMany,
}

/// Why nobody can listen there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenError {
    /// Another listener has the address and port.
    AddressInUse,
    /// The address is not ours.
    AddressNotAvailable,
}

/// What `TCP_INFO` tells, and a little more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpInfo {
    /// Where the connection stands.
    pub state: State,
    /// Largest payload sent in one segment, options subtracted.
    pub mss: usize,
    /// Smoothed round-trip time; `None` before the first sample.
    pub rtt: Option<Duration>,
    /// Smoothed deviation of the round-trip time.
    pub rtt_variation: Duration,
    /// Smallest round-trip time seen.
    pub min_rtt: Option<Duration>,
    /// Largest round-trip time seen.
    pub max_rtt: Option<Duration>,
    /// Retransmission timeout, backoff included.
    pub rto: Duration,
    /// Congestion window in bytes.
    pub congestion_window: u64,
    /// Slow start threshold in bytes; `u64::MAX` before the first loss.
    pub slow_start_threshold: u64,
    /// Bytes sent and believed to be in the network.
    pub bytes_in_flight: u64,
    /// What the peer allows beyond its last acknowledgement, in bytes.
    pub peer_window: u64,
    /// What we allow the peer, in bytes.
    pub own_window: u64,
    /// Payload bytes sent, again-sent ones included.
    pub bytes_sent: u64,
    /// Payload bytes acknowledged by the peer.
    pub bytes_acked: u64,
    /// Payload bytes received in order.
    pub bytes_received: u64,
    /// Segments sent, those without payload included.
    pub segments_sent: u64,
    /// Segments received, those without payload included.
    pub segments_received: u64,
    /// Segments sent again, SYN and FIN included.
    pub retransmissions: u64,
    /// Times the retransmission timer ran out, during the handshake too.
    pub timeouts: u64,
    /// Times loss was noticed by acknowledgements.
    pub fast_recoveries: u64,
    /// Duplicate acknowledgements received.
    pub duplicate_acks_received: u64,
    /// Segments that arrived again (D-SACK's other side).
    pub duplicates_received: u64,
    /// Segments that arrived after a gap.
    pub out_of_order_received: u64,
    /// Bytes missing below the highest sequence number received.
    pub gap_bytes: u64,
    /// Shifts of the window (ours, the peer's) when scaling is in use.
    pub window_scale: Option<(u8, u8)>,
    /// Whether both sides allow selective acknowledgements.
    pub sack: bool,
    /// Whether both sides send timestamps.
    pub timestamps: bool,
    /// Retransmissions of our SYN or SYN ACK.
    pub syn_retransmissions: u64,
    /// Payload bytes written by the application that were not sent yet.
    pub bytes_unsent: u64,
    /// TTL or hop limit of the RST that ended the connection, if one did.
    pub reset_ttl: Option<u8>,
}

/// One thing that happened on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TcpEvent {
    /// When: for segments, when they left or when their frame arrived.
    pub at: Instant,
    /// What.
    pub what: TcpEventKind,
}

/// What can happen on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TcpEventKind {
    /// A segment left. Sequence numbers are relative to the initial ones.
    Sent {
        /// Control bits.
        flags: Flags,
        /// Of the first byte, relative to our initial number.
        seq: u64,
        /// Acknowledgement, relative to the peer's initial number; 0 without ACK bit.
        ack: u64,
        /// Payload bytes.
        len: u32,
        /// Window in bytes, scaled.
        window: u32,
        /// Whether any of it had been sent before.
        retransmission: bool,
    },
    /// A segment arrived. Sequence numbers are relative to the initial ones.
    Received {
        /// Control bits.
        flags: Flags,
        /// Of the first byte, relative to the peer's initial number.
        seq: u64,
        /// Acknowledgement, relative to our initial number; 0 without ACK bit.
        ack: u64,
        /// Payload bytes.
        len: u32,
        /// Window in bytes, scaled.
        window: u32,
        /// TTL or hop limit on arrival.
        ttl: u8,
    },
    /// The connection changed its state.
    State(State),
    /// The retransmission timer ran out.
    Timeout {
        /// The timeout that had been waited for.
        rto: Duration,
    },
    /// Loss was noticed by acknowledgements.
    FastRecovery,
    /// The peer closed its window.
    ZeroWindow,
    /// An ICMP error about this connection was heard.
    Icmp(IcmpReport),
    /// The connection ended badly.
    Error(TcpError),
}

/// What TCP asks the IP layer.
pub trait Path {
    /// The address to use towards `destination`; `None`: no route.
    fn source_for(&self, destination: IpAddr) -> Option<IpAddr>;
    /// Largest IP packet towards `destination`, in bytes: what path MTU discovery knows, or the interface's MTU.
    fn mtu(&self, destination: IpAddr) -> usize;
    /// Whether `address` is one of ours.
    fn is_local(&self, address: IpAddr) -> bool;
}

/// A segment that arrived, out of its IP packet.
#[derive(Clone, Debug)]
pub struct SegmentIn {
    /// Source address of the packet.
    pub src: IpAddr,
    /// Destination address of the packet: one of ours.
    pub dst: IpAddr,
    /// TTL or hop limit on arrival.
    pub ttl: u8,
    /// The two ECN bits.
    pub ecn: u8,
    /// Arrival of the frame.
    pub rx_time: Instant,
    /// TCP header and payload; the checksum is verified here.
    pub bytes: Bytes,
}

/// A segment that wants to leave, to be put into an IP packet.
#[derive(Clone, Debug)]
pub struct SegmentOut {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// The two ECN bits.
    pub ecn: u8,
    /// TTL or hop limit; `None`: the host's.
    pub ttl: Option<u8>,
    /// TCP header with checksum, and payload.
    pub bytes: Bytes,
}

/// Every connection and listener of one host.
#[derive(Debug)]
pub struct Tcp {
    wakes: u64,
}

#[expect(unused_variables, reason = "the seam lands before the mechanisms")]
impl Tcp {
    /// A TCP without connections. `seed` gives every key and random choice.
    pub fn new(config: TcpConfig, seed: u64) -> Tcp {
        Tcp { wakes: 0 }
    }
    /// A segment for one of our addresses.
    pub fn handle_segment(&mut self, path: &dyn Path, segment: SegmentIn) {}
    /// An ICMP error that quotes a segment of ours with `quoted_seq`. [`IcmpErrorKind::PacketTooBig`](crate::icmp::IcmpErrorKind)
    /// comes after the path MTU was updated.
    pub fn handle_icmp(&mut self, path: &dyn Path, report: &IcmpReport, quoted_seq: SeqNumber) {}
    /// The next segment to send. Drain until `None`.
    pub fn poll_transmit(&mut self, now: Instant, path: &dyn Path) -> Option<SegmentOut> {
        None
    }
    /// When [`Tcp::handle_deadline`] wants to be called. O(1).
    pub fn next_deadline(&self) -> Instant {
        Instant::NEVER
    }
    /// Carries out what is due at `now`.
    pub fn handle_deadline(&mut self, now: Instant, path: &dyn Path) {}
    /// How many wakers were woken so far.
    pub fn wakes(&self) -> u64 {
        self.wakes
    }

    /// Listens at `local`; an unspecified IPv6 address takes IPv4 too where no IPv4 listener has the port; port 0 means "choose".
    pub fn listen(
        &mut self,
        path: &dyn Path,
        local: SocketAddr,
        backlog: usize,
    ) -> Result<ListenerId, ListenError> {
        Err(ListenError::AddressNotAvailable)
    }
    /// Where a listener listens.
    pub fn listener_addr(&self, listener: ListenerId) -> Option<SocketAddr> {
        None
    }
    /// A finished connection from the accept queue.
    pub fn accept(&mut self, listener: ListenerId) -> Option<TcpId> {
        None
    }
    /// Ends a listener, its half-open connections and those nobody accepted.
    pub fn close_listener(&mut self, now: Instant, listener: ListenerId) {}
    /// `waker` is woken once when a connection can be accepted.
    pub fn accept_waker(&mut self, listener: ListenerId, waker: &Waker) {}
    /// Starts a connection. `local`: address and port 0 mean "choose".
    pub fn connect(
        &mut self,
        now: Instant,
        path: &dyn Path,
        local: Option<SocketAddr>,
        remote: SocketAddr,
        options: TcpConnectOptions,
    ) -> Result<TcpId, ConnectError> {
        Err(ConnectError::NoRoute)
    }
    /// Whether the handshake is done: `None` while it lasts.
    pub fn connected(&self, id: TcpId) -> Option<Result<(), TcpError>> {
        Some(Err(TcpError::Unknown))
    }
    /// Takes as many bytes as fit in the send buffer; `Ok(0)` means full.
    pub fn write(&mut self, now: Instant, id: TcpId, data: &[u8]) -> Result<usize, TcpError> {
        Err(TcpError::Unknown)
    }
    /// `Ok(None)`: nothing there yet. `Ok(Some(0))`: the peer has closed its side.
    pub fn read(&mut self, now: Instant, id: TcpId, buffer: &mut [u8]) -> Result<Option<usize>, TcpError> {
        Err(TcpError::Unknown)
    }
    /// Woken when connected, readable, closed by the peer or failed.
    pub fn read_waker(&mut self, id: TcpId, waker: &Waker) {}
    /// Woken when connected, writable or failed.
    pub fn write_waker(&mut self, id: TcpId, waker: &Waker) {}
    /// Sends FIN after what is queued; reading goes on.
    pub fn shutdown(&mut self, now: Instant, id: TcpId) -> Result<(), TcpError> {
        Err(TcpError::Unknown)
    }
    /// RST now.
    pub fn abort(&mut self, now: Instant, id: TcpId) {}
    /// The application lets go: the connection closes in the background (RST if unread data remains, RFC 2525 2.17).
    pub fn release(&mut self, now: Instant, id: TcpId) {}
    /// Switches Nagle's algorithm off or on.
    pub fn set_nodelay(&mut self, now: Instant, id: TcpId, nodelay: bool) {}
    /// Our end of a connection.
    pub fn local_addr(&self, id: TcpId) -> Option<SocketAddr> {
        None
    }
    /// The peer's end of a connection.
    pub fn remote_addr(&self, id: TcpId) -> Option<SocketAddr> {
        None
    }
    /// The state and the counters of a connection.
    pub fn info(&self, id: TcpId) -> Option<TcpInfo> {
        None
    }
    /// What happened on the connection so far, bounded: the first 64 events and the last 192.
    pub fn events(&self, id: TcpId) -> Vec<TcpEvent> {
        Vec::new()
    }
}
