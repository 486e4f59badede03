//! What the kernel knows about a TCP connection (`TCP_INFO`, tcp(7)).

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

/// The fields of the kernel's `tcp_info`. Those that an older kernel does not know are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelTcpInfo {
    /// The kernel's number for the state (1 is ESTABLISHED).
    pub state: u8,
    /// Smoothed round-trip time.
    pub rtt: Duration,
    /// Its mean deviation.
    pub rtt_variation: Duration,
    /// Smallest round-trip time seen.
    pub min_rtt: Option<Duration>,
    /// Retransmission timeout.
    pub rto: Duration,
    /// Largest segment that is sent, in bytes.
    pub send_mss: u32,
    /// Congestion window in segments.
    pub congestion_window: u32,
    /// Slow start threshold in segments.
    pub slow_start_threshold: u32,
    /// Segments sent and not yet acknowledged.
    pub unacked: u32,
    /// Segments sent again, ever.
    pub total_retransmissions: u32,
    /// Bytes acknowledged by the peer.
    pub bytes_acked: u64,
    /// Bytes received.
    pub bytes_received: u64,
    /// Segments sent.
    pub segments_out: u32,
    /// Segments received.
    pub segments_in: u32,
    /// The peer's and our window scale, if scaling is on.
    pub window_scale: Option<(u8, u8)>,
    /// Whether SACK is on.
    pub sack: bool,
    /// Whether timestamps are on.
    pub timestamps: bool,
    /// Where loss recovery stands: 0 open, 1 disorder, 2 reduced by marks, 3 recovery, 4 after a timeout.
    pub recovery: u8,
    /// Timeouts in a row without progress, and doublings of the timeout.
    pub retries: u8,
    /// See above.
    pub backoff: u8,
    /// Unanswered probes.
    pub probes: u8,
    /// How long an acknowledgement waits for company.
    pub delayed_ack: Duration,
    /// Largest segment received, in bytes.
    pub receive_mss: u32,
    /// Segments selectively acknowledged, believed lost, and sent again and on their way.
    pub sacked: u32,
    /// See above.
    pub lost: u32,
    /// See above.
    pub resent: u32,
    /// Segments by which reordering is believed to delay one.
    pub reordering: u32,
    /// Largest IP packet of the path, in bytes.
    pub path_mtu: u32,
    /// Largest segment announced, in bytes.
    pub announced_mss: u32,
    /// Round trip as the receiver sees it.
    pub receive_rtt: Duration,
    /// Bytes read in the last round trip.
    pub receive_space: u32,
    /// Bytes per second that segments leave at, at most; `None`: not paced.
    pub pacing_rate: Option<u64>,
    /// Bytes written and not sent yet.
    pub unsent_bytes: u32,
    /// Segments with payload, received and sent.
    pub data_segments_in: u32,
    /// See above.
    pub data_segments_out: u32,
    /// Time with data to send, of that held back by the peer's window, and by the send buffer.
    pub busy: Duration,
    /// See above.
    pub window_limited: Duration,
    /// See above.
    pub buffer_limited: Duration,
    /// Segments delivered, of them marked.
    pub delivered: u32,
    /// See above.
    pub delivered_marked: u32,
    /// Bytes sent, of them again.
    pub bytes_sent: u64,
    /// See above.
    pub bytes_resent: u64,
    /// Segments reported to have arrived twice.
    pub duplicates: u32,
    /// Times reordering was seen.
    pub reorderings: u32,
    /// Segments received after a gap.
    pub out_of_order_in: u32,
    /// The peer's window and ours, in bytes.
    pub peer_window: u32,
    /// See above.
    pub own_window: u32,
    /// Retransmission timeouts.
    pub timeouts: u16,
    /// Whether ECN was agreed on, and whether data in a SYN was taken.
    pub ecn: bool,
    /// See above.
    pub syn_data: bool,
}

impl KernelTcpInfo {
    /// Segments believed to be in the network.
    pub fn in_flight(&self) -> u32 {
        (self.unacked + self.resent).saturating_sub(self.sacked + self.lost)
    }
}

/// Reads it; `None` where the kernel does not tell.
pub fn read(socket: &impl AsRawFd) -> Option<KernelTcpInfo> {
    read_fd(socket.as_raw_fd())
}

const TIMESTAMPS: u8 = 1;
const SACK: u8 = 2;
const WINDOW_SCALE: u8 = 4;
const ECN: u8 = 8;
const SYN_DATA: u8 = 32;

fn read_fd(fd: RawFd) -> Option<KernelTcpInfo> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes into `info`, which has that size; all-zero is a valid value.
    let info = unsafe {
        let result =
            libc::getsockopt(fd, libc::IPPROTO_TCP, libc::TCP_INFO, info.as_mut_ptr().cast(), &mut length);
        if result != 0 {
            return None;
        }
        info.assume_init()
    };
    let micros = |value: u32| Duration::from_micros(u64::from(value));
    Some(KernelTcpInfo {
        state: info.tcpi_state,
        rtt: micros(info.tcpi_rtt),
        rtt_variation: micros(info.tcpi_rttvar),
        min_rtt: Some(info.tcpi_min_rtt).filter(|rtt| *rtt != 0 && *rtt != u32::MAX).map(micros),
        rto: micros(info.tcpi_rto),
        send_mss: info.tcpi_snd_mss,
        congestion_window: info.tcpi_snd_cwnd,
        slow_start_threshold: info.tcpi_snd_ssthresh,
        unacked: info.tcpi_unacked,
        total_retransmissions: info.tcpi_total_retrans,
        bytes_acked: info.tcpi_bytes_acked,
        bytes_received: info.tcpi_bytes_received,
        segments_out: info.tcpi_segs_out,
        segments_in: info.tcpi_segs_in,
        window_scale: (info.tcpi_options & WINDOW_SCALE != 0)
            .then_some((info.tcpi_snd_rcv_wscale & 0xf, info.tcpi_snd_rcv_wscale >> 4)),
        sack: info.tcpi_options & SACK != 0,
        timestamps: info.tcpi_options & TIMESTAMPS != 0,
        recovery: info.tcpi_ca_state,
        retries: info.tcpi_retransmits,
        backoff: info.tcpi_backoff,
        probes: info.tcpi_probes,
        delayed_ack: micros(info.tcpi_ato),
        receive_mss: info.tcpi_rcv_mss,
        sacked: info.tcpi_sacked,
        lost: info.tcpi_lost,
        resent: info.tcpi_retrans,
        reordering: info.tcpi_reordering,
        path_mtu: info.tcpi_pmtu,
        announced_mss: info.tcpi_advmss,
        receive_rtt: micros(info.tcpi_rcv_rtt),
        receive_space: info.tcpi_rcv_space,
        pacing_rate: Some(info.tcpi_pacing_rate).filter(|rate| *rate != u64::MAX && *rate != 0),
        unsent_bytes: info.tcpi_notsent_bytes,
        data_segments_in: info.tcpi_data_segs_in,
        data_segments_out: info.tcpi_data_segs_out,
        busy: Duration::from_micros(info.tcpi_busy_time),
        window_limited: Duration::from_micros(info.tcpi_rwnd_limited),
        buffer_limited: Duration::from_micros(info.tcpi_sndbuf_limited),
        delivered: info.tcpi_delivered,
        delivered_marked: info.tcpi_delivered_ce,
        bytes_sent: info.tcpi_bytes_sent,
        bytes_resent: info.tcpi_bytes_retrans,
        duplicates: info.tcpi_dsack_dups,
        reorderings: info.tcpi_reord_seen,
        out_of_order_in: info.tcpi_rcv_ooopack,
        peer_window: info.tcpi_snd_wnd,
        own_window: info.tcpi_rcv_wnd,
        timeouts: info.tcpi_total_rto,
        ecn: info.tcpi_options & ECN != 0,
        syn_data: info.tcpi_options & SYN_DATA != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loopback_connection_tells_about_itself() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let info = read(&stream).expect("Linux tells");
        assert_eq!(info.state, 1);
        assert!(info.rtt > Duration::ZERO);
        assert!(info.send_mss > 500);
    }
}
