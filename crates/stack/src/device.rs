//! What carries frames between a host and a wire, in batches: an interface of a machine, a recording, the end of a
//! simulated link.
//!
//! The metadata of a frame travels with it ([`Frame`]): when it arrived, the state of its checksum, how it is to be cut,
//! and (within its bytes) its ECN bits. What is the same for all frames of a device is in its [`Properties`].
//!
//! Nothing here waits: how to know that frames have come is the business of whoever owns the device (a descriptor on a
//! machine, the event queue in a simulation).

use std::collections::VecDeque;
use std::io;

use thru_wire::MacAddr;

use crate::frame::{Frame, Offloads};

/// A batch ends early once its frames have this many bytes together: what is read is still in the processor's cache
/// when it is used.
pub const BATCH_BYTES: usize = 1 << 18;

/// A network interface that gives and takes frames in batches, and never blocks.
pub trait Device: Send {
    /// What it is and what it can do.
    fn properties(&self) -> &Properties;

    /// Adds at most `limit` frames to `frames`; how many. Whether there may be more now: [`is_full`].
    ///
    /// # Errors
    /// The device no longer works.
    fn recv_batch(&mut self, frames: &mut Vec<Frame>, limit: usize) -> io::Result<usize>;

    /// Sends frames from the front until there are no more or no room; how many left. Those that did not leave stay.
    /// A frame that the interface refuses for good (it is down, or the frame is too large) counts as gone: the wire
    /// loses frames too.
    ///
    /// # Errors
    /// The device no longer works.
    fn send_batch(&mut self, frames: &mut VecDeque<Frame>) -> io::Result<usize>;

    /// Whether frames that were taken have not left, and nobody will tell when they can: call
    /// [`Device::send_batch`] again soon.
    fn is_stuck(&self) -> bool {
        false
    }

    /// Whether no frame will ever arrive again: of recordings only.
    fn is_over(&self) -> bool {
        false
    }

    /// Frames that arrived and were lost because nobody fetched them in time, since the device was opened; 0 also
    /// where it does not count them.
    fn missed(&mut self) -> u64 {
        0
    }
}

/// Whether a batch that was received with this limit may have left frames behind. If not, there were no more.
pub fn is_full(batch: &[Frame], limit: usize) -> bool {
    batch.len() >= limit || batch.iter().map(Frame::len).sum::<usize>() >= BATCH_BYTES
}

/// What a device is and can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Properties {
    /// The interface's name, as in `eth0`.
    pub name: String,
    /// Whether frames begin with an Ethernet header; otherwise with the IP header.
    pub ethernet: bool,
    /// The interface's own hardware address; all zeros where it has none.
    pub mac: MacAddr,
    /// Largest IP packet, in bytes.
    pub mtu: usize,
    /// What the device does for those who send.
    pub offloads: Offloads,
    /// What [`Frame::rx_time`] means on it.
    pub stamps: Stamps,
}

/// Who says when a frame arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamps {
    /// The kernel, when the frame came in: packet sockets. However late the frame is fetched, its time is right.
    Kernel,
    /// Nobody: the time is that at which the frame was fetched. TUN, TAP and AF_XDP hand frames over without any. (AF_XDP
    /// frames to groups come by a packet socket, with the kernel's.)
    Fetched,
    /// Whoever recorded the frame, moved to the present.
    Recorded,
    /// The simulation, to the nanosecond.
    Simulated,
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use thru_wire::Instant;

    use super::*;

    #[test]
    fn a_batch_is_full_by_frames_or_by_bytes() {
        let frame = |len: usize| Frame::new(Bytes::from(vec![0; len]), Instant::START);
        assert!(!is_full(&[frame(60)], 2));
        assert!(is_full(&[frame(60), frame(60)], 2));
        let large: Vec<Frame> = (0..4).map(|_| frame(65_536)).collect();
        assert!(is_full(&large, 64) && !is_full(&large[1..], 64));
    }

    #[test]
    fn the_ecn_bits_of_either_family() {
        let ecn =
            |bytes: &[u8], ethernet| Frame::new(Bytes::copy_from_slice(bytes), Instant::START).ecn(ethernet);
        assert_eq!(ecn(&[0x45, 0b0000_0010], false), 2);
        assert_eq!(ecn(&[0x60, 0b0011_0000], false), 3);
        let ethernet = |kind: [u8; 2]| [&[0; 12][..], &kind, &[0x45, 1]].concat();
        assert_eq!(ecn(&ethernet([8, 0]), true), 1);
        assert_eq!(ecn(&ethernet([8, 6]), true), 0, "ARP has none");
        for cut in 0..16 {
            let _ = ecn(&ethernet([8, 0])[..cut], true);
        }
    }
}
