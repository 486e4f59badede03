//! An IP packet on its way through the host, with room in front for a link header.

use bytes::Bytes;

/// Bytes that an Ethernet header takes.
pub(crate) const HEADROOM: usize = 14;

/// An IP packet in a buffer of its own. A frame becomes one without copying if nobody else holds its bytes, and a
/// packet made with [`Packet::with_room`] becomes a frame without copying.
#[derive(Debug)]
pub(crate) struct Packet {
    buffer: Vec<u8>,
    /// Where the IP header begins.
    start: usize,
    /// It was put together from fragments no larger than this: if it is passed on, it goes out like that again.
    pub(crate) fragment: Option<WasFragmented>,
}

/// How a reassembled packet was cut, so that a router that put it together for its hook can undo it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WasFragmented {
    /// Size of the largest fragment, IP header included.
    pub(crate) largest: usize,
    /// The identification all fragments had.
    pub(crate) id: u32,
    /// Don't Fragment was set on a fragment: routers further on may not cut it smaller.
    pub(crate) dont_fragment: bool,
}

impl Packet {
    /// An empty packet with room for a link header in front and for `len` bytes of IP.
    pub(crate) fn with_room(len: usize) -> Packet {
        let mut buffer = Vec::with_capacity(HEADROOM + len);
        buffer.resize(HEADROOM, 0);
        Packet { buffer, start: HEADROOM, fragment: None }
    }

    /// The packet that begins at `start` of `bytes` and ends at `end`.
    pub(crate) fn from_frame(bytes: Bytes, start: usize, end: usize) -> Packet {
        let mut buffer = Vec::from(bytes);
        buffer.truncate(end);
        Packet { buffer, start, fragment: None }
    }

    /// The packet that begins at `start` of `buffer`.
    pub(crate) fn from_buffer(buffer: Vec<u8>, start: usize) -> Packet {
        Packet { buffer, start, fragment: None }
    }

    /// From the IP header on.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// From the IP header on.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[self.start..]
    }

    /// Adds to the end.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Where something that writes itself can be appended.
    pub(crate) fn end(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Bytes of IP.
    pub(crate) fn len(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// The bare packet as a hook wants to see it; give it back with [`Packet::set_vec`].
    pub(crate) fn take_vec(&mut self) -> Vec<u8> {
        let mut vec = core::mem::take(&mut self.buffer);
        vec.drain(..self.start);
        self.start = 0;
        vec
    }

    /// Puts back what [`Packet::take_vec`] gave.
    pub(crate) fn set_vec(&mut self, vec: Vec<u8>) {
        self.buffer = vec;
        self.start = 0;
    }

    /// The bare packet, shared from now on.
    pub(crate) fn into_bytes(self) -> Bytes {
        Bytes::from(self.buffer).slice(self.start..)
    }

    /// The packet behind `header`: a frame.
    pub(crate) fn into_frame(mut self, header: &[u8; HEADROOM]) -> Bytes {
        if self.start < HEADROOM {
            self.buffer.splice(..self.start, header.iter().copied());
            return Bytes::from(self.buffer);
        }
        let frame = self.start - HEADROOM;
        self.buffer[frame..self.start].copy_from_slice(header);
        Bytes::from(self.buffer).slice(frame..)
    }
}
