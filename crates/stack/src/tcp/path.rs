//! The seam between TCP and the IP layer below it.

use core::net::IpAddr;
use core::ops::{Deref, DerefMut};

use bytes::{Buf, Bytes, BytesMut};
use thru_wire::Instant;

use crate::offload::Train;

/// What TCP asks the IP layer.
pub trait Path {
    /// The address to use towards `destination`; `None`: no route.
    fn source_for(&self, destination: IpAddr) -> Option<IpAddr>;
    /// Largest IP packet towards `destination`, in bytes: what path MTU discovery knows, or the interface's MTU.
    fn mtu(&self, destination: IpAddr) -> usize;
    /// The MTU of the interface towards `destination`, in bytes: what can be received there, whatever the path takes.
    fn link_mtu(&self, destination: IpAddr) -> usize {
        self.mtu(destination)
    }
    /// Whether `address` is one of ours.
    fn is_local(&self, address: IpAddr) -> bool;
    /// How segments towards `destination` may leave together.
    fn together(&self, _destination: IpAddr) -> Together {
        Together::NO
    }
}

/// How segments of one connection may leave as a [`Train`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Together {
    /// Most bytes of payload; 0: each segment leaves alone.
    pub most: usize,
    /// Only while no other connection wants to send: segments of several leave in turns.
    pub in_turns: bool,
}

/// How the first and the last segment of a train differ from those between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrainEnds {
    /// The last one carries FIN.
    pub fin: bool,
    /// Only the first one may carry CWR.
    pub cwr_once: bool,
}

impl Together {
    /// Each segment leaves alone.
    pub const NO: Together = Together { most: 0, in_turns: true };
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
    /// TCP header and payload.
    pub bytes: Bytes,
    /// Whether the checksum was verified before, or never had to be; otherwise TCP verifies it.
    pub verified: bool,
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
    /// The six upper bits of the traffic class, in their place; the two lower ones are `ecn`.
    pub class: u8,
    /// TTL or hop limit; `None`: the host's.
    pub ttl: Option<u8>,
    /// TCP header with checksum, and payload.
    pub bytes: SegmentBytes,
    /// `Some`: several segments in one; their payload is here.
    pub train: Option<Train>,
}

impl SegmentOut {
    /// Whether it ends a connection at once.
    pub(crate) fn is_reset(&self) -> bool {
        self.bytes.get(13).is_some_and(|flags| flags & 4 != 0)
    }
}

/// A segment in a buffer with room in front for the headers below, so that a frame takes one allocation.
#[derive(Clone, Debug, Default)]
pub struct SegmentBytes {
    buffer: BytesMut,
}

impl SegmentBytes {
    /// Room for an IPv6 and an Ethernet header.
    pub const HEADROOM: usize = 40 + 14;

    /// Room, and then `len` zero bytes, in an empty buffer that is large enough.
    pub(crate) fn in_buffer(mut buffer: BytesMut, len: usize) -> SegmentBytes {
        buffer.resize(SegmentBytes::HEADROOM + len, 0);
        SegmentBytes { buffer }
    }

    /// Where more can be appended.
    pub(crate) fn end(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// All of it, with the room in front.
    pub(crate) fn whole_mut(&mut self) -> &mut [u8] {
        &mut self.buffer
    }

    /// The whole buffer: the segment starts at [`SegmentBytes::HEADROOM`].
    pub fn into_buffer(self) -> BytesMut {
        self.buffer
    }
}

impl Deref for SegmentBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.buffer.get(SegmentBytes::HEADROOM..).unwrap_or_default()
    }
}

impl DerefMut for SegmentBytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[SegmentBytes::HEADROOM..]
    }
}

impl From<SegmentBytes> for Bytes {
    fn from(segment: SegmentBytes) -> Bytes {
        let mut buffer = segment.buffer;
        buffer.advance(SegmentBytes::HEADROOM);
        buffer.freeze()
    }
}
