//! What the application has written and the peer has not acknowledged: a rope of shared bytes.

use std::collections::VecDeque;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::buffers::{BLOCK, BUFFER, Spare};

/// Beyond this a queue grows by blocks.
const PIECE: usize = 16 * 1024;
/// What a piece costs beside its bytes, roughly.
const OVERHEAD: usize = 64;

/// Bytes in order, with the places of their sequence numbers. Holds no memory when empty.
#[derive(Debug)]
pub(crate) struct SendQueue {
    pieces: VecDeque<Piece>,
    /// The last, still growing piece.
    tail: BytesMut,
    /// Place of the first byte kept.
    start: u64,
    /// Place after the last byte written.
    end: u64,
    /// No more than 32 bits can count: connections are many.
    limit: u32,
    /// Allocations that are full.
    closed: u32,
}

/// Shared bytes of the rope.
#[derive(Debug)]
pub(crate) struct Piece {
    start: u64,
    bytes: Bytes,
    /// Whether nothing more of its allocation follows.
    closes: bool,
}

impl SendQueue {
    pub(crate) fn new(start: u64, limit: usize) -> SendQueue {
        let limit = clamped(limit);
        SendQueue { pieces: VecDeque::new(), tail: BytesMut::new(), start, end: start, limit, closed: 0 }
    }

    /// Takes what fits.
    pub(crate) fn push(&mut self, data: &[u8], spare: &mut Spare) -> usize {
        let taken = data.len().min(self.space());
        self.push_beyond(&data[..taken], spare)
    }

    /// Takes all of it, whatever the limit.
    pub(crate) fn push_beyond(&mut self, data: &[u8], spare: &mut Spare) -> usize {
        let taken = data.len();
        let mut data = data;
        while !data.is_empty() {
            if self.tail.capacity() == self.tail.len() {
                spare.pieces.fill(&mut self.pieces);
                self.share_tail();
                self.close_last();
                // A block for a large write, or for a queue that grows; small ones share a buffer.
                let held = (self.end - self.start) as usize;
                let tail = match data.len() {
                    len if len > BLOCK / 4 || held >= PIECE => spare.take(BLOCK),
                    ..=BUFFER => spare.take(BUFFER),
                    len => BytesMut::with_capacity(len),
                };
                // It may be the last to hold its block.
                spare.give_mut(core::mem::replace(&mut self.tail, tail));
            }
            let room = (self.tail.capacity() - self.tail.len()).min(data.len());
            self.tail.extend_from_slice(&data[..room]);
            self.end += room as u64;
            data = &data[room..];
        }
        taken
    }

    /// Takes shared bytes without copying them; `false` if they don't fit as a whole.
    #[cfg(test)]
    pub(crate) fn push_bytes(&mut self, bytes: Bytes) -> bool {
        if bytes.len() > self.space() {
            return false;
        }
        self.share_tail();
        self.close_last();
        let start = self.end;
        self.end += bytes.len() as u64;
        self.pieces.push_back(Piece { start, bytes, closes: false });
        true
    }

    /// Memory held, as far as it can be known.
    pub(crate) fn memory(&self) -> usize {
        let idle = self.tail.capacity() - self.tail.len();
        (self.end - self.start) as usize + self.pieces.len() * OVERHEAD + idle
    }

    /// Bytes that may be written now.
    pub(crate) fn space(&self) -> usize {
        self.limit().saturating_sub((self.end - self.start) as usize + self.closed as usize * OVERHEAD)
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit as usize
    }

    /// What is held beyond a smaller limit stays.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = clamped(limit);
    }

    /// Place after the last byte written.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Forgets bytes before `place`.
    pub(crate) fn acknowledge(&mut self, place: u64, spare: &mut Spare) {
        let place = place.min(self.end);
        self.start = self.start.max(place);
        while let Some(first) = self.pieces.front_mut() {
            let done = place.saturating_sub(first.start);
            if done < first.bytes.len() as u64 {
                // The allocation lives on, but the place must agree with the bytes.
                first.bytes.advance(done as usize);
                first.start += done;
                break;
            }
            if let Some(piece) = self.pieces.pop_front() {
                self.closed -= u32::from(piece.closes);
                spare.give(piece.bytes);
            }
        }
        if self.start == self.end {
            spare.pieces.empty(&mut self.pieces);
            spare.give_mut(core::mem::take(&mut self.tail));
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.start = self.end;
        self.pieces = VecDeque::new();
        self.tail = BytesMut::new();
        self.closed = 0;
    }

    /// Bytes from `place` on that can be shared: what lies in the first two pieces there.
    pub(crate) fn shareable(&mut self, place: u64) -> usize {
        self.share_tail();
        let index = self.pieces.partition_point(|piece| piece.end() <= place);
        let last = self.pieces.get(index + 1).or_else(|| self.pieces.get(index));
        last.map_or(0, |piece| (piece.end() - place) as usize)
    }

    /// The same bytes, shared: as many as [`SendQueue::shareable`] said at most.
    pub(crate) fn share(&self, place: u64, len: usize) -> [Option<Bytes>; 2] {
        let index = self.pieces.partition_point(|piece| piece.end() <= place);
        let Some(first) = self.pieces.get(index) else { return [None, None] };
        let from = (place - first.start) as usize;
        let until = (from + len).min(first.bytes.len());
        let rest = len - (until - from);
        let second = self.pieces.get(index + 1).filter(|_| rest > 0);
        [Some(first.bytes.slice(from..until)), second.map(|piece| piece.bytes.slice(..rest))]
    }

    /// Appends `len` bytes from `place` on to `out`.
    pub(crate) fn copy(&self, place: u64, len: usize, out: &mut impl BufMut) {
        if len == 0 {
            return;
        }
        debug_assert!(place >= self.start && place + len as u64 <= self.end);
        let (mut place, mut left) = (place, len);
        let mut index = self.pieces.partition_point(|piece| piece.end() <= place);
        while left > 0 {
            let (start, bytes) = match self.pieces.get(index) {
                Some(piece) => (piece.start, &piece.bytes[..]),
                None => (self.end - self.tail.len() as u64, &self.tail[..]),
            };
            let from = (place - start) as usize;
            let count = left.min(bytes.len() - from);
            if count == 0 {
                return;
            }
            out.put_slice(&bytes[from..from + count]);
            place += count as u64;
            left -= count;
            index += 1;
        }
    }

    /// What the growing piece holds so far becomes a piece that can be shared; what it has room for stays.
    fn share_tail(&mut self) {
        if !self.tail.is_empty() {
            let start = self.end - self.tail.len() as u64;
            self.pieces.push_back(Piece { start, bytes: self.tail.split().freeze(), closes: false });
        }
    }

    /// Another allocation follows the last piece's.
    fn close_last(&mut self) {
        if let Some(last) = self.pieces.back_mut()
            && !last.closes
        {
            last.closes = true;
            self.closed += 1;
        }
    }
}

fn clamped(limit: usize) -> u32 {
    u32::try_from(limit).unwrap_or(u32::MAX)
}

impl Piece {
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn gives_back_what_was_written_whatever_the_cuts() {
        let mut random = Random::new(7, "queue");
        let mut queue = SendQueue::new(1_000, 100_000);
        let (mut written, mut acknowledged) = (Vec::new(), 0);
        for round in 0..2_000u32 {
            let data: Vec<u8> = (0..random.below(3_000)).map(|byte| (byte as u32 ^ round) as u8).collect();
            if random.below(4) == 0 {
                if queue.push_bytes(Bytes::copy_from_slice(&data)) {
                    written.extend_from_slice(&data);
                }
            } else {
                let taken = queue.push(&data, &mut Spare::default());
                written.extend_from_slice(&data[..taken]);
            }
            let from = acknowledged + random.below((written.len() - acknowledged) as u64 + 1) as usize;
            let len = random.below((written.len() - from) as u64 + 1) as usize;
            let mut copy = Vec::new();
            queue.copy(1_000 + from as u64, len, &mut copy);
            assert_eq!(copy, written[from..from + len]);
            let shared = queue.shareable(1_000 + from as u64).min(len);
            let pieces = queue.share(1_000 + from as u64, shared);
            assert_eq!(pieces.into_iter().flatten().collect::<Vec<_>>().concat(), copy[..shared]);
            if random.below(3) == 0 {
                acknowledged = from;
                queue.acknowledge(1_000 + from as u64, &mut Spare::default());
            }
        }
    }

    #[test]
    fn an_empty_queue_holds_no_memory() {
        let mut queue = SendQueue::new(0, 1 << 20);
        assert_eq!(queue.push(&[7; 100_000], &mut Spare::default()), 100_000);
        queue.acknowledge(100_000, &mut Spare::default());
        assert_eq!((queue.pieces.capacity(), queue.tail.capacity()), (0, 0));
        assert_eq!(queue.space(), 1 << 20);
    }

    #[test]
    fn takes_no_more_than_its_limit() {
        let mut queue = SendQueue::new(0, 1_000);
        assert_eq!(queue.push(&[1; 700], &mut Spare::default()), 700);
        assert!(queue.push(&[1; 700], &mut Spare::default()) <= 300);
    }
}
