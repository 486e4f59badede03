//! Bytes that arrived: those in order wait for the application, those after a gap wait for the gap.
//! No memory is held when nothing waits, and what is held is counted as it is, not as the payload claims.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Buf, Bytes, BytesMut};

use super::memory::FLOOR;
use super::on_demand::{OnDemand, idle};
use super::ranges::Ranges;
use crate::buffers::{BUFFER, Spare};

/// Payloads below this are copied together: a shared slice keeps its whole frame alive.
const SHARE_FROM: usize = 512;
/// What one shared slice costs beside its bytes: the frame's headers, the slice, its place in a table.
const OVERHEAD: usize = 160;
/// More gaps than this are not remembered: each acknowledgement looks at all of them.
const MOST_RANGES: usize = 1_024;

/// The receive buffer of a connection.
#[derive(Debug)]
pub(crate) struct Receive {
    /// Place of the next byte expected: everything below has arrived.
    next: u64,
    ready: VecDeque<Bytes>,
    /// Bytes of the first of these that were read: no piece comes near what 32 bits can count.
    done: u32,
    /// The last, still growing piece of what is ready: where small payloads gather.
    tail: BytesMut,
    /// Payload bytes ready for the application.
    unread: usize,
    /// Payload after a gap, by place; pieces don't overlap.
    early: OnDemand<BTreeMap<u64, Bytes>>,
    ranges: OnDemand<Ranges>,
    /// Memory held, as far as it can be known.
    memory: usize,
    limit: usize,
    /// The host has little memory left.
    pressed: bool,
}

idle!(BTreeMap<u64, Bytes>, BTreeMap::new());

/// What became of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It continued the stream; `filled`: a gap got smaller.
    InOrder { filled: bool },
    /// It waits for a gap to be filled.
    Early,
    /// All of it was known.
    Duplicate,
    /// There is no memory for it.
    Refused,
}

impl Receive {
    pub(crate) fn new(next: u64, limit: usize) -> Receive {
        Receive {
            next,
            ready: VecDeque::new(),
            done: 0,
            tail: BytesMut::new(),
            unread: 0,
            early: OnDemand::default(),
            ranges: OnDemand::default(),
            memory: 0,
            limit,
            pressed: false,
        }
    }

    /// Place of the next byte expected.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// Counts a SYN or FIN.
    pub(crate) fn skip_one(&mut self) {
        self.next += 1;
    }

    pub(crate) fn unread(&self) -> usize {
        self.unread
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// What was allowed to the peer already stays allowed.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    pub(crate) fn set_pressed(&mut self, pressed: bool) {
        self.pressed = pressed;
    }

    /// Gives up what waits for a gap: the peer will send it again (RFC 2018 8 allows that as a last resort). Whether
    /// there was anything.
    pub(crate) fn prune(&mut self) -> bool {
        let freed: usize = self.early.values().map(|piece| piece.len() + OVERHEAD).sum();
        self.early.release();
        self.ranges.release();
        self.memory -= freed;
        freed > 0
    }

    /// Nothing has arrived for a while.
    pub(crate) fn rest(&mut self) {
        if self.ranges.is_empty() && self.early.is_empty() {
            self.early.release();
            self.ranges.release();
        }
    }

    pub(crate) fn has_something_to_let_go(&self) -> bool {
        self.ranges.is_held() && self.ranges.is_empty() && self.early.is_empty()
    }

    /// Ranges that arrived after a gap.
    pub(crate) fn ranges(&self) -> &Ranges {
        &self.ranges
    }

    /// Bytes missing below the highest place received.
    pub(crate) fn gap_bytes(&self) -> u64 {
        let held: u64 = self.ranges.iter().map(|range| range.end - range.start).sum();
        self.ranges.last().map_or(0, |last| last.end - self.next - held)
    }

    /// Bytes that the peer may send beyond `next`: what the buffer holds less what waits, and nothing
    /// while tiny pieces take more memory than twice the buffer.
    pub(crate) fn window(&self) -> usize {
        if self.memory > self.memory_limit() {
            return 0;
        }
        let free = self.limit.saturating_sub(self.unread);
        // As Linux: what fills while memory is scarce is opened again only by a few segments.
        if self.pressed && free < self.limit / 2 { free.min(FLOOR) } else { free }
    }

    /// Memory held, as far as it can be known.
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }

    pub(crate) fn memory_limit(&self) -> usize {
        2 * self.limit + 64 * 1024
    }

    /// A container for what arrives, if there is none.
    pub(crate) fn take_room(&mut self, spare: &mut Spare) {
        spare.ready.fill(&mut self.ready);
    }

    /// The first part of `start..end` that has arrived already.
    pub(crate) fn first_known(&self, start: u64, end: u64) -> Option<(u64, u64)> {
        if start < self.next {
            return Some((start, end.min(self.next)));
        }
        let range = self.ranges.iter().find(|range| range.end > start)?;
        (range.start < end).then(|| (range.start.max(start), range.end.min(end)))
    }

    /// Payload from `place` on, already cut to the window.
    pub(crate) fn insert(&mut self, place: u64, mut payload: Bytes, spare: &mut Spare) -> Arrival {
        let end = place + payload.len() as u64;
        if end <= self.next {
            return Arrival::Duplicate;
        }
        if place > self.next {
            return self.insert_early(place, end, payload);
        }
        if place < self.next {
            payload.advance((self.next - place) as usize);
        }
        self.next = end;
        self.append(payload, spare);
        let filled = !self.ranges.is_empty();
        if filled {
            self.take_early(spare);
        }
        Arrival::InOrder { filled }
    }

    /// Copies out what is ready; the number of bytes copied.
    pub(crate) fn read(&mut self, buffer: &mut [u8], spare: &mut Spare) -> usize {
        let mut copied = 0;
        while copied < buffer.len() && self.unread > 0 {
            let piece = match self.ready.front() {
                Some(piece) => &piece[self.done as usize..],
                None => &self.tail[..],
            };
            let count = piece.len().min(buffer.len() - copied);
            buffer[copied..copied + count].copy_from_slice(&piece[..count]);
            copied += count;
            self.unread -= count;
            let whole = count == piece.len();
            if self.ready.is_empty() {
                self.tail.advance(count);
            } else if whole {
                self.pop(spare);
            } else {
                self.done += count as u32;
            }
        }
        if self.unread == 0 {
            spare.ready.empty(&mut self.ready);
            if self.tail.capacity() > 0 {
                self.memory -= BUFFER;
                spare.give_mut(core::mem::take(&mut self.tail));
            }
        }
        copied
    }

    /// The first piece was read.
    fn pop(&mut self, spare: &mut Spare) {
        if let Some(piece) = self.ready.pop_front() {
            self.done = 0;
            self.memory -= cost(&piece);
            spare.give(piece);
        }
    }

    /// Copies what is ready and keeps it; the number of bytes copied.
    pub(crate) fn peek(&self, buffer: &mut [u8]) -> usize {
        let mut copied = 0;
        let first = self.ready.iter().take(1).map(|piece| &piece[self.done as usize..]);
        let others = self.ready.iter().skip(1).map(|piece| &piece[..]);
        for piece in first.chain(others).chain([&self.tail[..]]) {
            let count = piece.len().min(buffer.len() - copied);
            buffer[copied..copied + count].copy_from_slice(&piece[..count]);
            copied += count;
        }
        copied
    }

    /// Throws away everything: nobody will read it.
    pub(crate) fn clear(&mut self) {
        *self = Receive::new(self.next, self.limit);
    }

    fn insert_early(&mut self, place: u64, end: u64, payload: Bytes) -> Arrival {
        if self.ranges.contains(place, end) {
            // It counts as news for the order of the blocks all the same (RFC 2018 4: the block with the
            // segment that triggered the acknowledgement comes first).
            self.ranges.insert(place, end, usize::MAX);
            return Arrival::Duplicate;
        }
        if self.memory + payload.len() + OVERHEAD > self.memory_limit() {
            return Arrival::Refused;
        }
        if self.ranges.insert(place, end, MOST_RANGES).is_none() {
            return Arrival::Refused;
        }
        let mut payload = if payload.len() < SHARE_FROM { Bytes::copy_from_slice(&payload) } else { payload };
        let mut place = place;
        // A piece that began before keeps its bytes; pieces that this one covers give way to it.
        if let Some((&start, piece)) = self.early.range(..=place).next_back() {
            let known = (start + piece.len() as u64).saturating_sub(place);
            if known >= payload.len() as u64 {
                return Arrival::Duplicate;
            }
            payload.advance(known as usize);
            place += known;
        }
        while let Some((&start, piece)) = self.early.range(place..end).next() {
            let piece_end = start + piece.len() as u64;
            if piece_end > end {
                payload.truncate((start - place) as usize);
                break;
            }
            self.memory -= piece.len() + OVERHEAD;
            self.early.remove(&start);
        }
        if !payload.is_empty() {
            self.memory += payload.len() + OVERHEAD;
            self.early.insert(place, payload);
        }
        Arrival::Early
    }

    /// Moves what now continues the stream.
    fn take_early(&mut self, spare: &mut Spare) {
        while let Some(entry) = self.early.first_entry() {
            let start = *entry.key();
            if start > self.next {
                break;
            }
            let mut piece = entry.remove();
            self.memory -= piece.len() + OVERHEAD;
            let known = self.next - start;
            if known < piece.len() as u64 {
                piece.advance(known as usize);
                self.next += piece.len() as u64;
                self.append(piece, spare);
            }
        }
        self.ranges.remove_below(self.next);
    }

    fn append(&mut self, payload: Bytes, spare: &mut Spare) {
        self.unread += payload.len();
        // A small one behind a large one, as at the end of a train, doubles what is held at most: it is shared too.
        let ends_train =
            self.tail.capacity() == 0 && self.ready.back().is_some_and(|last| last.len() >= SHARE_FROM);
        if payload.len() >= SHARE_FROM || ends_train {
            self.close_tail();
            self.memory += cost(&payload);
            self.ready.push_back(payload);
            return;
        }
        if self.tail.capacity() - self.tail.len() < payload.len() {
            self.close_tail();
            self.tail = spare.take(BUFFER);
            self.memory += BUFFER;
        }
        self.tail.extend_from_slice(&payload);
        spare.give(payload);
    }

    fn close_tail(&mut self) {
        if self.tail.is_empty() {
            return;
        }
        let piece = core::mem::take(&mut self.tail).freeze();
        self.memory = self.memory - BUFFER + cost(&piece);
        self.ready.push_back(piece);
    }
}

/// What a piece that is ready holds: a small one, what it was cut from.
fn cost(piece: &Bytes) -> usize {
    OVERHEAD + if piece.len() < SHARE_FROM { BUFFER } else { piece.len() }
}

#[cfg(test)]
mod tests;
