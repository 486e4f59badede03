//! An IP packet on its way through the host, with room in front for a link header.

use bytes::{Buf, Bytes, BytesMut};

/// Bytes that an Ethernet header takes.
pub(crate) const HEADROOM: usize = 14;

/// An IP packet in a buffer of its own. A frame becomes one without copying if nobody else holds its bytes, and a
/// packet made with [`Packet::with_room`] becomes a frame without copying.
#[derive(Debug)]
pub(crate) struct Packet {
    buffer: BytesMut,
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
        let mut buffer = BytesMut::with_capacity(HEADROOM + len);
        buffer.resize(HEADROOM, 0);
        Packet { buffer, start: HEADROOM, fragment: None }
    }

    /// Nothing, which takes no memory.
    pub(crate) fn empty() -> Packet {
        Packet { buffer: BytesMut::new(), start: 0, fragment: None }
    }

    /// The packet that begins at `start` of `bytes` and ends at `end`.
    pub(crate) fn from_frame(bytes: Bytes, start: usize, end: usize) -> Packet {
        let mut buffer = BytesMut::from(bytes);
        buffer.truncate(end);
        Packet { buffer, start, fragment: None }
    }

    /// The packet that begins at `start` of `buffer`.
    pub(crate) fn from_buffer(buffer: BytesMut, start: usize) -> Packet {
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
    pub(crate) fn end(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Bytes of IP.
    pub(crate) fn len(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Puts these bytes in the place of the packet's.
    pub(crate) fn replace(&mut self, bytes: &[u8]) {
        if self.len() == bytes.len() {
            self.bytes_mut().copy_from_slice(bytes);
        } else {
            self.buffer.truncate(self.start);
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The bare packet, shared from now on.
    pub(crate) fn into_bytes(mut self) -> Bytes {
        self.buffer.advance(self.start);
        self.buffer.freeze()
    }

    /// The packet behind `header`: a frame.
    pub(crate) fn into_frame(mut self, header: &[u8; HEADROOM]) -> Bytes {
        let Some(frame) = self.start.checked_sub(HEADROOM) else {
            let mut buffer = BytesMut::with_capacity(HEADROOM + self.len());
            buffer.extend_from_slice(header);
            buffer.extend_from_slice(self.bytes());
            return buffer.freeze();
        };
        self.buffer[frame..self.start].copy_from_slice(header);
        self.buffer.advance(frame);
        self.buffer.freeze()
    }
}
