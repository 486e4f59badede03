//! What the kernel knows about a TCP connection (`TCP_INFO`, tcp(7)).

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

/// The fields of the kernel's `tcp_info` that have been there since Linux 4.6.
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
}

/// Reads it; `None` where the kernel does not tell.
pub fn read(socket: &impl AsRawFd) -> Option<KernelTcpInfo> {
    read_fd(socket.as_raw_fd())
}

const TIMESTAMPS: u8 = 1;
const SACK: u8 = 2;
const WINDOW_SCALE: u8 = 4;

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
