//! A frame on its way: the bytes, and what travels with them.

use bytes::Bytes;
use thru_wire::Instant;

use crate::buffers::BufferPool;
use crate::offload::train::{Pieces, pieces_len};

/// Link-layer bytes (from the Ethernet header on, or from the IP header on a medium without one).
#[derive(Clone, Debug)]
pub struct Frame {
    /// The bytes as they are on the wire, but for what `offload` says. Cloning shares them.
    pub bytes: Bytes,
    /// When the frame arrived at (or left) the host. Every RTT and loss sample uses this, never the
    /// time at which it happened to be processed.
    pub rx_time: Instant,
    /// What is left to be done to the bytes before they are packets on a wire, or was done already.
    pub offload: Offload,
    /// Payload that follows `bytes`, where it is shared rather than copied. Only super-segments have it, and only towards
    /// a device that said [`Offloads::gather`].
    pub payload: Pieces,
}

impl Frame {
    /// One complete packet: nothing is left to be done, nothing was verified.
    pub fn new(bytes: Bytes, rx_time: Instant) -> Frame {
        Frame { bytes, rx_time, offload: Offload::NONE, payload: [None, None] }
    }
}

impl Frame {
    /// Bytes of the whole.
    pub fn len(&self) -> usize {
        self.bytes.len() + pieces_len(&self.payload)
    }

    /// Its parts, one behind the other; those that are not there are empty.
    pub fn parts(&self) -> [&[u8]; 3] {
        let [first, second] = &self.payload;
        [&self.bytes, first.as_deref().unwrap_or_default(), second.as_deref().unwrap_or_default()]
    }

    /// The two ECN bits (RFC 3168 5) of an IP packet; 0 for anything else. `ethernet`: whether the bytes begin with an
    /// Ethernet header; VLAN tags are not looked behind.
    pub fn ecn(&self, ethernet: bool) -> u8 {
        let Some(packet) = ip_packet(&self.bytes, ethernet) else { return 0 };
        match (packet.first().map(|byte| byte >> 4), packet.get(1)) {
            (Some(4), Some(tos)) => tos & 3,
            (Some(6), Some(class)) => (class >> 4) & 3,
            _ => 0,
        }
    }

    /// Whether its IP header is version 6.
    pub fn is_v6(&self, ethernet: bool) -> bool {
        ip_packet(&self.bytes, ethernet).and_then(<[u8]>::first).is_some_and(|byte| byte >> 4 == 6)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same frame with everything in `bytes`; the buffer for that comes from `pool`.
    pub fn contiguous(mut self, pool: &BufferPool) -> Frame {
        if self.payload[0].is_none() {
            return self;
        }
        let mut buffer = pool.take(self.len());
        buffer.extend_from_slice(&self.bytes);
        for piece in self.payload.iter_mut().filter_map(Option::take) {
            buffer.extend_from_slice(&piece);
            pool.give(piece);
        }
        pool.give(core::mem::replace(&mut self.bytes, buffer.freeze()));
        self
    }
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

/// What a frame still needs before it is packets on a wire (outgoing), or what its device has done for us already
/// (incoming). The fields are those of virtio's `virtio_net_hdr`, so that a TUN device takes and gives them as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offload {
    /// `Some`: the frame is a super-segment that stands for several TCP segments. Its IP header tells the length of the
    /// whole; the packets repeat the headers, with sequence number, identification, length, PSH and FIN as
    /// [`offload::segment`](crate::offload::segment) makes them.
    pub segmentation: Option<Segmentation>,
    /// The state of the upper layer's checksum. A super-segment never has [`Checksum::Full`].
    pub checksum: Checksum,
}

impl Offload {
    /// One packet with a complete checksum that nobody has verified.
    pub const NONE: Offload = Offload { segmentation: None, checksum: Checksum::Full };

    /// Whether the bytes are a packet as it is on a wire.
    pub fn is_packet(self) -> bool {
        self.segmentation.is_none() && !matches!(self.checksum, Checksum::Partial { .. })
    }
}

/// How a super-segment is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segmentation {
    /// Payload bytes of each packet; the last may have fewer (virtio: `gso_size`). Never 0.
    pub segment_size: u16,
    /// Bytes in front of the payload: link, IP and TCP headers with their options (virtio: `hdr_len`).
    pub header_len: u16,
    /// CWR belongs on the first packet only (RFC 3168 6.1.2; virtio: `VIRTIO_NET_HDR_GSO_ECN`). Otherwise, as accurate
    /// ECN wants it (RFC 9768 3.2.2), every packet carries the three ECN flags as they are.
    pub cwr_once: bool,
}

/// The checksum of the layer above IP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksum {
    /// In the bytes and complete; a receiver verifies it.
    #[default]
    Full,
    /// The field holds the folded sum of the pseudo header, not inverted (virtio: `VIRTIO_NET_HDR_F_NEEDS_CSUM`).
    /// Whoever puts the packet on a wire adds everything from `start` to the end and stores the inverted sum at
    /// `start + offset`. On arrival: the packet never was on a wire, so there is nothing to verify.
    Partial {
        /// Offset of the upper layer's header in the frame (virtio: `csum_start`).
        start: u16,
        /// Offset of the checksum field in that header: 16 for TCP, 6 for UDP (virtio: `csum_offset`).
        offset: u16,
    },
    /// On arrival: the device verified it (virtio: `VIRTIO_NET_HDR_F_DATA_VALID`). Never on a frame that leaves.
    Verified,
}

impl Checksum {
    /// Whether a receiver has to compute it.
    pub fn must_be_verified(self) -> bool {
        self == Checksum::Full
    }
}

/// What the device below an interface does for the host. `Default`: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offloads {
    /// Largest super-segment it takes, in bytes of the IP packet (at most 65,535); 0: none.
    pub segmentation: usize,
    /// Whether it completes [`Checksum::Partial`]. Needed for super-segments in any case.
    pub checksum: bool,
    /// Whether it takes frames whose payload stands beside their headers ([`Frame::payload`]).
    pub gather: bool,
    /// Whether segments of several connections have to leave in turns, each alone, as without super-segments; one
    /// that sends alone still sends large ones. For links that promise the same packets with and without offload.
    pub in_turns: bool,
}
