//! Interfaces as devices: frames in batches, each with what its interface knows about it.
//!
//! - [`Device`]: the one interface of all of them. Start there.
//! - [`tun`]: TUN and TAP, with segmentation offload where the kernel gives it.
//! - [`packet`]: packet sockets (`AF_PACKET`) with memory-mapped rings.
//! - [`xdp`]: AF_XDP: frames of one station, before the kernel's stack sees them.
//! - [`replay`]: recorded frames, as those of a capture file, at the pace at which they were recorded.
//! - [`virtio`]: the header in which both tell offloads.
//!
//! Devices never block: wait until the file descriptor is readable or writable ([`Device::fd`]), then call.

use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;

use bytes::Bytes;
use thru_wire::{Instant, MacAddr};

pub mod packet;
pub mod replay;
mod rooms;
pub mod tun;
pub mod virtio;
pub mod xdp;

/// A batch ends early once its frames have this many bytes together: what is read is still in the processor's cache
/// when it is used.
pub const BATCH_BYTES: usize = 1 << 18;

/// A network interface that gives and takes frames in batches.
pub trait Device: Send {
    /// What it is and what it can do.
    fn properties(&self) -> &Properties;

    /// The descriptor to wait on: readable when frames can be had, writable when there is room again.
    fn fd(&self) -> RawFd;

    /// Adds at most `limit` frames to `frames`; how many. Whether there may be more now: [`is_full`].
    fn recv_batch(&mut self, frames: &mut Vec<Received>, limit: usize) -> io::Result<usize>;

    /// Sends frames from the front until there are no more or no room; how many left. Those that did not leave stay.
    /// A frame that the interface refuses for good (it is down, or the frame is too large) counts as gone: the wire
    /// loses frames too.
    fn send_batch(&mut self, frames: &mut VecDeque<Sending>) -> io::Result<usize>;

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
pub fn is_full(batch: &[Received], limit: usize) -> bool {
    batch.len() >= limit || batch.iter().map(|frame| frame.bytes.len()).sum::<usize>() >= BATCH_BYTES
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
}

/// What a device does for those who send. `Default`: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offloads {
    /// It completes [`Checksum::Partial`].
    pub checksum: bool,
    /// It cuts super-segments of TCP over IPv4 and IPv6, of at most 65,535 bytes of IP; their payload may stand beside
    /// their headers ([`Sending::payload`]).
    pub segmentation: bool,
}

/// A frame that arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// From the Ethernet header on, or from the IP header on.
    pub bytes: Bytes,
    /// When it arrived: the kernel's time stamp where there is one, else when it was fetched.
    pub rx_time: Instant,
    /// What the device did or left undone.
    pub offload: Offload,
}

impl Received {
    /// The two ECN bits (RFC 3168 5) of an IP packet; 0 for anything else.
    pub fn ecn(&self, ethernet: bool) -> u8 {
        let Some(packet) = ip_packet(&self.bytes, ethernet) else { return 0 };
        match (packet.first().map(|byte| byte >> 4), packet.get(1)) {
            (Some(4), Some(tos)) => tos & 3,
            (Some(6), Some(class)) => (class >> 4) & 3,
            _ => 0,
        }
    }
}

/// A frame to send.
#[derive(Clone, Debug)]
pub struct Sending {
    /// From the Ethernet header on, or from the IP header on.
    pub bytes: Bytes,
    /// What follows `bytes`, where it is shared rather than copied: of super-segments only.
    pub payload: [Option<Bytes>; 2],
    /// What is left for the device to do; no more than its [`Offloads`] say.
    pub offload: Offload,
}

impl Sending {
    /// One complete packet.
    pub fn packet(bytes: Bytes) -> Sending {
        Sending { bytes, payload: [None, None], offload: Offload::NONE }
    }

    /// Its parts, one behind the other; those that are not there are empty.
    pub(crate) fn parts(&self) -> [&[u8]; 3] {
        let [first, second] = &self.payload;
        [&self.bytes, first.as_deref().unwrap_or_default(), second.as_deref().unwrap_or_default()]
    }
}

/// What a frame still needs before it is packets on a wire, or what its device has done for us already. The fields
/// are those of [`virtio`]'s header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offload {
    /// The frame stands for several TCP segments.
    pub segmentation: Option<Segmentation>,
    /// The state of the checksum of the layer above IP.
    pub checksum: Checksum,
}

impl Offload {
    /// One packet with a complete checksum that nobody has verified.
    pub const NONE: Offload = Offload { segmentation: None, checksum: Checksum::Full };
}

/// How a super-segment is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segmentation {
    /// Payload bytes of each packet; the last may have fewer. Never 0.
    pub segment_size: u16,
    /// Bytes in front of the payload: link, IP and TCP headers with their options. On arrival only a hint.
    pub header_len: u16,
    /// CWR belongs on the first packet only (RFC 3168 6.1.2).
    pub cwr_once: bool,
}

/// The checksum of the layer above IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// In the bytes and complete; on arrival it has to be verified.
    Full,
    /// The field at `start + offset` holds the folded sum of the pseudo header only, not inverted. On arrival: the
    /// frame never was on a wire, so there is nothing to verify.
    Partial {
        /// Offset of the upper layer's header in the frame.
        start: u16,
        /// Offset of the field in that header.
        offset: u16,
    },
    /// On arrival: the interface verified it.
    Verified,
}

/// The IP packet of a frame, if it is one; VLAN tags are not looked behind.
fn ip_packet(frame: &[u8], ethernet: bool) -> Option<&[u8]> {
    if !ethernet {
        return Some(frame);
    }
    match frame.get(12..14)? {
        [0x08, 0x00] | [0x86, 0xdd] => frame.get(14..),
        _ => None,
    }
}

/// Whether a frame's IP header is version 6.
pub(crate) fn is_v6(frame: &[u8], ethernet: bool) -> bool {
    ip_packet(frame, ethernet).and_then(<[u8]>::first).is_some_and(|byte| byte >> 4 == 6)
}

/// The error of the last system call.
pub(crate) fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
