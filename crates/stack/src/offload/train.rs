//! A train: several segments of one connection that leave at the same time, kept together as long as possible. One
//! TCP header in front, the payload shared with the send queue.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use thru_wire::checksum::{PseudoHeader, Sum};
use thru_wire::ipv4::Protocol;

use super::segment::{PacketHeaders, SegmentHeader};
use crate::buffers::Spare;
use crate::tcp::{SegmentBytes, SegmentOut};

/// Pieces of payload that travel beside the headers of a frame; the first comes first.
pub type Pieces = [Option<Bytes>; 2];

/// What makes a [`SegmentOut`] a train: its `bytes` are the TCP header, whose checksum field holds the folded sum of
/// the pseudo header for the whole, and the payload is here.
#[derive(Clone, Debug)]
pub struct Train {
    /// Payload bytes of each segment; the last may have fewer.
    pub segment_size: u16,
    /// The payload of all.
    pub payload: Pieces,
    /// See [`Segmentation::cwr_once`](crate::frame::Segmentation::cwr_once).
    pub cwr_once: bool,
}

impl Train {
    /// Payload bytes of all segments.
    pub fn len(&self) -> usize {
        pieces_len(&self.payload)
    }

    /// Segments.
    pub fn segments(&self) -> usize {
        self.len().div_ceil(usize::from(self.segment_size).max(1))
    }

    /// Whether there is no payload.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Bytes of all pieces.
pub fn pieces_len(pieces: &Pieces) -> usize {
    pieces.iter().flatten().map(Bytes::len).sum()
}

/// The segments of a train, one by one, as they would have left without it.
#[derive(Debug)]
pub(crate) struct Cars {
    /// All but bytes and train.
    like: SegmentOut,
    header: SegmentHeader,
    train: Train,
    left: usize,
}

impl Cars {
    /// The segments of `segment`; `None` if it is no train.
    pub(crate) fn of(mut segment: SegmentOut) -> Option<Cars> {
        let train = segment.train.take()?;
        let pseudo = PseudoHeader::new(segment.src, segment.dst, Protocol::TCP);
        let header = SegmentHeader::new(&segment.bytes, pseudo, train.segment_size, train.cwr_once);
        let left = train.len();
        Some(Cars { like: segment, header, train, left })
    }

    /// What the header of the whole was in.
    pub(crate) fn into_buffer(self) -> BytesMut {
        self.like.bytes.into_buffer()
    }

    pub(crate) fn next(&mut self, spare: &mut Spare) -> Option<SegmentOut> {
        if self.left == 0 {
            return None;
        }
        let len = self.left.min(usize::from(self.train.segment_size));
        self.left -= len;
        let header_len = self.header.len();
        let buffer = spare.take(SegmentBytes::HEADROOM + header_len + len);
        let mut bytes = SegmentBytes::in_buffer(buffer, header_len);
        take(&mut self.train.payload, len, bytes.end());
        let sum = Sum::of(&bytes[header_len..]);
        bytes[..header_len].copy_from_slice(self.header.step(len, self.left == 0, sum));
        let SegmentOut { src, dst, ecn, class, ttl, .. } = self.like;
        Some(SegmentOut { src, dst, ecn, class, ttl, bytes, train: None })
    }
}

/// The packets of a train, one by one, complete from the link's header on: what [`Cars`] and the layers below make of it,
/// in one go.
#[derive(Debug)]
pub(crate) struct Packets {
    headers: PacketHeaders,
    train: Train,
    left: usize,
}

impl Packets {
    /// `headers` are those of the first packet.
    pub(crate) fn new(headers: PacketHeaders, train: Train) -> Packets {
        let left = train.len();
        Packets { headers, train, left }
    }

    /// Bytes of the next packet; `None` if there is none left.
    #[inline]
    pub(crate) fn next_len(&self) -> Option<usize> {
        let len = self.left.min(usize::from(self.train.segment_size));
        (len > 0).then_some(self.headers.len() + len)
    }

    /// Appends the next packet to a buffer with so much room.
    pub(crate) fn write_next(&mut self, packet: &mut BytesMut) {
        let len = self.left.min(usize::from(self.train.segment_size));
        self.left -= len;
        let sum = front_sum(&self.train.payload, len);
        packet.extend_from_slice(self.headers.step(len, self.left == 0, sum));
        take(&mut self.train.payload, len, packet);
    }
}

/// The sum of the first `len` bytes of the pieces.
fn front_sum(pieces: &Pieces, mut len: usize) -> Sum {
    let mut sum = Sum::EMPTY;
    for piece in pieces.iter().flatten() {
        let part = &piece[..len.min(piece.len())];
        sum.add_sum(Sum::of(part));
        len -= part.len();
    }
    sum
}

/// Moves `len` bytes from the front of the pieces to the end of `out`.
fn take(pieces: &mut Pieces, mut len: usize, out: &mut BytesMut) {
    for piece in pieces.iter_mut().flatten() {
        let part = len.min(piece.len());
        out.put_slice(&piece[..part]);
        piece.advance(part);
        len -= part;
    }
}

#[cfg(test)]
mod tests;
