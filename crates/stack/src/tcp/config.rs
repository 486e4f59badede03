//! What a host's TCP, and one connection, can be told.

use core::time::Duration;

use thru_wire::tcp::OptionLayout;

use super::{Ecn, Habits, MtuProbing, SocketOptions};

/// Settings of a host's TCP. `Default` is what a current Linux does, where the RFCs leave room.
#[derive(Clone, Debug)]
pub struct TcpConfig {
    /// Other programs hold every ephemeral port: nothing can connect without naming a port of its own.
    pub ports_taken: bool,
    /// Bytes that may wait for transmission or acknowledgement, per connection, in the beginning.
    pub send_buffer: usize,
    /// Bytes that may wait for the application, per connection, in the beginning.
    pub receive_buffer: usize,
    /// Whether the send buffer grows with the congestion window, as far as `send_buffer_most`.
    pub send_autotuning: bool,
    /// Most bytes of a send buffer that grows.
    pub send_buffer_most: usize,
    /// Whether the receive buffer grows with what the application reads, as far as `receive_buffer_most`.
    pub receive_autotuning: bool,
    /// Most bytes of a receive buffer that grows: the largest window announced.
    pub receive_buffer_most: usize,
    /// Bytes in the buffers of all connections from which on nothing grows.
    pub memory_pressure: usize,
    /// Bytes in the buffers of all connections at which nothing more is taken in.
    pub memory_limit: usize,
    /// Connections that the application has let go and that are not closed yet, at most; further ones are reset.
    pub orphans_most: usize,
    /// Initial congestion window in segments (RFC 6928).
    pub initial_window_segments: u32,
    /// How long an acknowledgement may wait for company (RFC 9293 3.8.6.3: below 500 ms).
    pub delayed_ack: Duration,
    /// Floor of the variance term of the retransmission timeout, as Linux does; so also a floor of the timeout.
    pub min_rto: Duration,
    /// Ceiling of the retransmission timeout, also when backed off.
    pub max_rto: Duration,
    /// How often a SYN is sent again before the attempt ends, beyond the four early times whose timeout is not
    /// doubled (Linux counts likewise): by default at 1, 2, 3, 4, 5, 7, 11, 19, 35 and 67 s, giving up at 131 s.
    pub syn_retries: u32,
    /// How often a SYN ACK is sent again before the half-open connection is forgotten.
    pub syn_ack_retries: u32,
    /// How often the same data is sent again without any acknowledgement before the connection ends.
    pub data_retries: u32,
    /// Probe for a lost tail before the timeout (RFC 8985 7; Linux: `tcp_early_retrans`).
    pub tail_loss_probe: bool,
    /// Look whether a timeout was spurious (RFC 5682; Linux: `tcp_frto`).
    pub frto: bool,
    /// Most segments by which reordering is believed to delay one (Linux: `tcp_max_reordering`).
    pub max_reordering: u32,
    /// `Some`: the user timeout option (RFC 5482) is sent and heard, and what a peer asks for is kept within these two
    /// limits. RFC 5482 3.1 wants the lower one to be at least 100 s.
    pub user_timeout_limits: Option<(Duration, Duration)>,
    /// How long TIME-WAIT lasts: twice the maximum segment lifetime.
    pub time_wait: Duration,
    /// TIME-WAIT objects at most; beyond, connections end without.
    pub time_wait_most: usize,
    /// Whether a call of ours may take the place of a TIME-WAIT of the same ends, a second after it began, if both
    /// sides had timestamps (RFC 6191, as Linux's `tcp_tw_reuse`).
    pub time_wait_reuse: bool,
    /// Whether a RST ends TIME-WAIT, which RFC 1337 advises against.
    pub time_wait_assassination: bool,
    /// How long a silent connection waits before the peer is probed; `None`: never probed.
    pub keepalive: Option<Duration>,
    /// Offer timestamps (RFC 7323 3).
    pub timestamps: bool,
    /// Offer selective acknowledgements (RFC 2018).
    pub sack: bool,
    /// Offer window scaling (RFC 7323 2).
    pub window_scaling: bool,
    /// In which order options are written.
    pub option_layout: OptionLayout,
    /// Where stacks in use differ and the RFCs leave room.
    pub habits: Habits,
    /// The congestion controller of new connections.
    pub congestion: Congestion,
    /// Whether controllers without a pace of their own are paced, at the rate of their window (as Linux with `fq`).
    pub pacing: bool,
    /// How far to go along with explicit congestion notification (RFC 3168).
    pub ecn: Ecn,
    /// Whether that also means AccECN (RFC 9768): asked for before classic ECN, and agreed to.
    pub accurate_ecn: bool,
    /// Whether our SYNs ask for AccECN, too, where it is switched on and ECN is asked for.
    pub accurate_ecn_asks: bool,
    /// Whether paths are probed for the packets they carry (RFC 4821).
    pub mtu_probing: MtuProbing,
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
    /// When SYNs are answered by cookies (RFC 4987 3.6).
    pub syn_cookies: SynCookies,
    /// What a finished handshake meets when the accept queue is full.
    pub accept_overflow: AcceptOverflow,
    /// Whether sockets that ask for it open fast as clients (RFC 7413).
    pub fast_open_client: bool,
    /// Whether listeners that ask for it give cookies and take data from SYNs (RFC 7413).
    pub fast_open_server: bool,
    /// How long a server that took no data from a SYN, or gave no cookie, is asked no more (RFC 7413 4.1.3.1).
    pub fast_open_refusal: Duration,
    /// How long no connection opens fast after one that did heard nothing more; doubles each time, up to 64 times.
    pub fast_open_black_hole: Duration,
    /// Whether [`Tcp::events`](super::Tcp::events) are recorded.
    pub events: bool,
}

impl Default for TcpConfig {
    fn default() -> TcpConfig {
        TcpConfig {
            ports_taken: false,
            send_buffer: 128 << 10,
            receive_buffer: 128 << 10,
            send_autotuning: true,
            send_buffer_most: 4 << 20,
            receive_autotuning: true,
            receive_buffer_most: 6 << 20,
            memory_pressure: 384 << 20,
            memory_limit: 512 << 20,
            orphans_most: 65_536,
            initial_window_segments: 10,
            delayed_ack: Duration::from_millis(40),
            min_rto: Duration::from_millis(200),
            max_rto: Duration::from_secs(120),
            syn_retries: 6,
            syn_ack_retries: 5,
            data_retries: 15,
            tail_loss_probe: true,
            frto: true,
            max_reordering: 300,
            user_timeout_limits: None,
            time_wait: Duration::from_secs(60),
            time_wait_most: 262_144,
            time_wait_reuse: true,
            time_wait_assassination: false,
            keepalive: None,
            timestamps: true,
            sack: true,
            window_scaling: true,
            option_layout: OptionLayout::TimestampsFirst,
            habits: Habits::default(),
            congestion: Congestion::Cubic,
            pacing: false,
            ecn: Ecn::Accept,
            accurate_ecn: false,
            accurate_ecn_asks: true,
            mtu_probing: MtuProbing::Off,
            nodelay: false,
            keepalive_interval: Duration::from_secs(75),
            keepalive_probes: 9,
            fin_wait2: Duration::from_secs(60),
            challenge_acks_per_second: 1_000,
            syn_cookies: SynCookies::WhenFull,
            accept_overflow: AcceptOverflow::Drop,
            fast_open_client: true,
            fast_open_server: true,
            fast_open_refusal: Duration::from_secs(900),
            fast_open_black_hole: Duration::from_secs(3_600),
            events: true,
        }
    }
}

/// Which congestion controller a connection uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Congestion {
    /// RFC 5681 and 6582.
    NewReno,
    /// RFC 9438, with HyStart++ (RFC 9406).
    Cubic,
    /// BBR version 1 (draft-cardwell-iccrg-bbr-congestion-control-00). Paces.
    Bbr1,
    /// BBR version 3 (draft-ietf-ccwg-bbr). Paces.
    Bbr3,
}

impl Congestion {
    /// By its name: `reno`, `cubic`, `bbr1`, `bbr3`; `bbr` is the latest of those.
    pub fn named(name: &str) -> Option<Congestion> {
        match name {
            "reno" => Some(Congestion::NewReno),
            "cubic" => Some(Congestion::Cubic),
            "bbr1" => Some(Congestion::Bbr1),
            "bbr" | "bbr3" => Some(Congestion::Bbr3),
            _ => None,
        }
    }

    /// `reno`, `cubic`, `bbr1` or `bbr3`.
    pub fn name(self) -> &'static str {
        match self {
            Congestion::NewReno => "reno",
            Congestion::Cubic => "cubic",
            Congestion::Bbr1 => "bbr1",
            Congestion::Bbr3 => "bbr3",
        }
    }
}

/// When SYNs are answered by cookies, as Linux's `tcp_syncookies`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SynCookies {
    /// Never: SYNs are dropped while too many connections are half open.
    Never,
    /// While as many connections are half open as the listener's backlog says.
    WhenFull,
    /// Always: nothing is remembered of a SYN.
    Always,
}

/// What a finished handshake meets when the accept queue is full, as Linux's `tcp_abort_on_overflow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptOverflow {
    /// Silence: the SYN ACK is repeated, and the peer's next answer may find room.
    Drop,
    /// RST.
    Reset,
}

/// Wishes for one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpConnectOptions {
    /// All options of the socket; `None`: the host's defaults. The two wishes below come on top.
    pub socket: Option<SocketOptions>,
    /// Announce and use no larger segments than this: a way past an MTU black hole.
    pub mss_limit: Option<u16>,
    /// Switch Nagle's algorithm off.
    pub nodelay: bool,
}
