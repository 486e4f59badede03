//! What a connection tells about itself: everything Linux's `TCP_INFO` has, in one struct and, by the kernel's names
//! and in its units, one by one.

use core::time::Duration;

use thru_wire::Instant;

use super::Waiting;
use super::ack::header_bytes;
use super::connection::Connection;
use super::handshake::TIMESTAMPS_LEN;
use super::insight::{LossInfo, RecoveryState};
use super::{EcnInfo, EcnMode, MtuInfo, State, TcpConfig};

/// What `TCP_INFO` tells, and a little more. Beside fields, the kernel's name where it is not the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// What loss recovery knows and did.
    pub loss: LossInfo,
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
    /// Explicit congestion notification.
    pub ecn: EcnInfo,
    /// What is known of the packets the path carries.
    pub mtu: MtuInfo,
    /// Questions, for a window or for life, without an answer so far (`tcpi_probes`).
    pub probes_unanswered: u32,
    /// Whether data in a SYN was taken, ours or the peer's (`TCPI_OPT_SYN_DATA`).
    pub fast_open: bool,
    /// Largest payload received in one segment, which the delay of acknowledgements goes by (`tcpi_rcv_mss`).
    pub receive_mss: usize,
    /// How long an acknowledgement waits for company now (`tcpi_ato`).
    pub delayed_ack: Duration,
    /// Largest IP packet of the path, in bytes, as far as it is known (`tcpi_pmtu`).
    pub path_mtu: usize,
    /// Largest payload we announced to take (`tcpi_advmss`).
    pub announced_mss: usize,
    /// Round-trip time as the receiver sees it (`tcpi_rcv_rtt`).
    pub receive_rtt: Option<Duration>,
    /// Bytes the application read in the last round trip measured (`tcpi_rcv_space`).
    pub receive_space: u64,
    /// Bytes that may wait for acknowledgement (`SO_SNDBUF`).
    pub send_buffer: usize,
    /// Bytes that may wait for the application (`SO_RCVBUF`).
    pub receive_buffer: usize,
    /// Bytes that arrived in order and wait for the application (`SIOCINQ`).
    pub bytes_unread: usize,
    /// Bytes per second that segments leave at, at most; `None`: not paced (`tcpi_pacing_rate`).
    pub pacing_rate: Option<u64>,
    /// Payload bytes sent again (`tcpi_bytes_retrans`).
    pub bytes_retransmitted: u64,
    /// Segments with payload sent (`tcpi_data_segs_out`).
    pub data_segments_sent: u64,
    /// Segments with payload received (`tcpi_data_segs_in`).
    pub data_segments_received: u64,
    /// Bytes known to have arrived, selectively acknowledged ones included.
    pub bytes_delivered: u64,
    /// When a segment with payload left last (`tcpi_last_data_sent` tells how long ago).
    pub last_data_sent: Option<Instant>,
    /// When a segment with payload arrived last, or the connection was established (`tcpi_last_data_recv`).
    pub last_data_received: Option<Instant>,
    /// When anything arrived last (`tcpi_last_ack_recv`).
    pub last_received: Option<Instant>,
    /// Time with data to send or on its way (`tcpi_busy_time`).
    pub busy: Duration,
    /// Of that, time in which the peer's window held data back (`tcpi_rwnd_limited`).
    pub window_limited: Duration,
    /// Of that, time in which the application waited for room in the send buffer (`tcpi_sndbuf_limited`).
    pub buffer_limited: Duration,
    /// What the sender waits for just now, and since when: not counted in the three times yet.
    pub waiting: Option<(Waiting, Instant)>,
    /// Segments known to have arrived, the SYN included (`tcpi_delivered`).
    pub segments_delivered: u64,
}

impl TcpInfo {
    /// A field of Linux's `struct tcp_info` by its name, with or without `tcpi_`, in its unit: microseconds for times
    /// (milliseconds for those since something last happened, which need `now`), segments for windows and counts
    /// where the kernel counts segments, bytes and bytes per second else. `None`: no such field here.
    pub fn kernel_field(&self, name: &str, now: Instant) -> Option<u64> {
        let micros = |time: Duration| time.as_micros() as u64;
        let ago = |at: Option<Instant>| at.map_or(0, |at| now.since(at).as_millis() as u64);
        let mss = self.mss.max(1) as u64;
        let waited = |what: Option<Waiting>| match self.waiting {
            Some((now_for, since)) if what.is_none_or(|what| what == now_for) => now.since(since),
            _ => Duration::ZERO,
        };
        Some(match name.strip_prefix("tcpi_").unwrap_or(name) {
            "state" => kernel_state(self.state),
            "ca_state" => match self.loss.state {
                RecoveryState::Open => 0,
                RecoveryState::Disorder => 1,
                RecoveryState::Reduced => 2,
                RecoveryState::Recovery => 3,
                RecoveryState::Loss => 4,
            },
            "retransmits" => u64::from(self.loss.retries),
            "probes" => u64::from(self.probes_unanswered),
            "backoff" => u64::from(self.loss.backoff),
            "options" => self.kernel_options(),
            "snd_wscale" => self.window_scale.map_or(0, |(_, peer)| u64::from(peer)),
            "rcv_wscale" => self.window_scale.map_or(0, |(own, _)| u64::from(own)),
            "rto" => micros(self.rto),
            "ato" => micros(self.delayed_ack),
            "snd_mss" => self.mss as u64,
            "rcv_mss" => self.receive_mss as u64,
            "unacked" => self.loss.segments_out,
            "sacked" => self.loss.segments_sacked,
            "lost" => self.loss.segments_lost,
            "retrans" => self.loss.segments_resent,
            "fackets" => 0,
            "last_data_sent" => ago(self.last_data_sent),
            "last_ack_sent" => 0,
            "last_data_recv" => ago(self.last_data_received),
            "last_ack_recv" => ago(self.last_received),
            "pmtu" => self.path_mtu as u64,
            "rcv_ssthresh" => self.own_window,
            "rtt" => self.rtt.map_or(0, micros),
            "rttvar" => micros(self.rtt_variation),
            "snd_ssthresh" if self.slow_start_threshold >= u64::MAX / 2 => 0x7fff_ffff,
            "snd_ssthresh" => self.slow_start_threshold / mss,
            "snd_cwnd" => (self.congestion_window / mss).max(1),
            "advmss" => self.announced_mss as u64,
            "reordering" => u64::from(self.loss.reordering),
            "rcv_rtt" => self.receive_rtt.map_or(0, micros),
            "rcv_space" => self.receive_space,
            "total_retrans" => self.retransmissions,
            "pacing_rate" => self.pacing_rate.unwrap_or(u64::MAX),
            "max_pacing_rate" => u64::MAX,
            "bytes_acked" => self.bytes_acked,
            "bytes_received" => self.bytes_received,
            "segs_out" => self.segments_sent,
            "segs_in" => self.segments_received,
            "notsent_bytes" => self.bytes_unsent,
            "min_rtt" => self.min_rtt.map_or(u64::from(u32::MAX), micros),
            "data_segs_in" => self.data_segments_received,
            "data_segs_out" => self.data_segments_sent,
            "busy_time" => micros(self.busy + waited(None)),
            "rwnd_limited" => micros(self.window_limited + waited(Some(Waiting::Window))),
            "sndbuf_limited" => micros(self.buffer_limited + waited(Some(Waiting::Buffer))),
            "delivered" => self.segments_delivered,
            "bytes_sent" => self.bytes_sent,
            "bytes_retrans" => self.bytes_retransmitted,
            "dsack_dups" => self.loss.dsack_duplicates,
            "reord_seen" => u64::from(self.loss.reordering_seen),
            "rcv_ooopack" => self.out_of_order_received,
            "delivered_ce" => self.ecn.delivered_ce,
            "delivered_ce_bytes" => self.ecn.delivered_ce_bytes,
            "delivered_e0_bytes" => self.ecn.delivered_ect0_bytes,
            "delivered_e1_bytes" => self.ecn.delivered_ect1_bytes,
            "received_ce" => self.ecn.received_ce,
            "received_e0_bytes" => self.ecn.received_ect0_bytes,
            "received_e1_bytes" => self.ecn.received_ect1_bytes,
            "received_ce_bytes" => self.ecn.received_ce_bytes,
            "snd_wnd" => self.peer_window,
            "rcv_wnd" => self.own_window,
            "total_rto" => self.timeouts,
            _ => return None,
        })
    }

    /// `TCPI_OPT_*`.
    fn kernel_options(&self) -> u64 {
        let flag = |set: bool, bit: u64| if set { bit } else { 0 };
        flag(self.timestamps, 1)
            | flag(self.sack, 2)
            | flag(self.window_scale.is_some(), 4)
            | flag(self.ecn.mode != EcnMode::Off, 8)
            | flag(self.fast_open, 32)
    }
}

/// The kernel's numbers (`include/net/tcp_states.h`).
fn kernel_state(state: State) -> u64 {
    match state {
        State::Established => 1,
        State::SynSent => 2,
        State::SynReceived => 3,
        State::FinWait1 => 4,
        State::FinWait2 => 5,
        State::TimeWait => 6,
        State::Closed => 7,
        State::CloseWait => 8,
        State::LastAck => 9,
        State::Listen => 10,
        State::Closing => 11,
    }
}

impl Connection {
    pub(crate) fn info(&self, config: &TcpConfig) -> TcpInfo {
        let insight = &self.insight;
        let stamps = if self.options.timestamps.is_some() { TIMESTAMPS_LEN } else { 0 };
        TcpInfo {
            state: self.state,
            mss: usize::from(self.options.mss),
            rtt: self.rtt.smoothed(),
            rtt_variation: self.rtt.variation(),
            min_rtt: self.rtt.min(),
            max_rtt: self.rtt.max(),
            rto: self.rtt.rto(config),
            congestion_window: self.send_window(),
            slow_start_threshold: self.congestion.slow_start_threshold(),
            bytes_in_flight: self.runs.in_flight(),
            peer_window: self.peer_window.size(),
            own_window: self.own_window.remaining(self.receive.next()),
            bytes_sent: insight.bytes_sent,
            bytes_acked: insight.bytes_acked,
            bytes_received: insight.bytes_received,
            segments_sent: insight.segments_sent,
            segments_received: insight.segments_received,
            retransmissions: insight.rare.retransmissions,
            timeouts: u64::from(insight.rare.timeouts),
            fast_recoveries: u64::from(insight.rare.fast_recoveries),
            loss: self.loss_info(),
            duplicate_acks_received: insight.rare.duplicate_acks_received,
            duplicates_received: insight.rare.duplicates_received,
            out_of_order_received: insight.rare.out_of_order_received,
            gap_bytes: self.receive.gap_bytes(),
            window_scale: self.options.scale,
            sack: self.options.sack,
            timestamps: self.options.timestamps.is_some(),
            syn_retransmissions: u64::from(insight.rare.syn_retransmissions),
            bytes_unsent: self.queue.end().saturating_sub(self.nxt.max(self.iss + 1)),
            reset_ttl: insight.rare.reset_ttl,
            ecn: self.ecn_info(),
            mtu: self.mtu_info(),
            probes_unanswered: self.probe.unanswered(),
            fast_open: insight.fast_open,
            receive_mss: self.ack.largest() as usize,
            delayed_ack: self.ack_delay(config),
            path_mtu: usize::from(self.options.mss) + stamps + header_bytes(self.pair.remote.address),
            announced_mss: usize::from(self.options.own_mss),
            receive_rtt: self.tuning.rtt(),
            receive_space: self.tuning.space(),
            send_buffer: self.queue.limit(),
            receive_buffer: self.receive.limit(),
            bytes_unread: self.receive.unread(),
            pacing_rate: self.pacing_rate(config),
            bytes_retransmitted: insight.rare.bytes_retransmitted,
            data_segments_sent: insight.data_segments_sent,
            data_segments_received: insight.data_segments_received,
            bytes_delivered: self.delivery.delivered,
            last_data_sent: (insight.data_segments_sent > 0).then_some(self.last_sent),
            last_data_received: (insight.data_segments_received > 0 || self.is_synchronized())
                .then_some(insight.last_data_received),
            last_received: (insight.segments_received > 0).then_some(self.last_received),
            busy: insight.chrono.total(Waiting::Network)
                + insight.chrono.total(Waiting::Window)
                + insight.chrono.total(Waiting::Buffer),
            window_limited: insight.chrono.total(Waiting::Window),
            buffer_limited: insight.chrono.total(Waiting::Buffer),
            waiting: insight.chrono.running(),
            segments_delivered: u64::from(insight.segments_delivered),
        }
    }
}
