//! Buffers for frames that are used again, so that a host that is busy allocates nothing.
//!
//! A frame's bytes belong to whoever holds them; when the last holder is a host, it takes the buffer back. Data flows
//! one way, though, so the buffers of a sender would all end up with the receiver: hosts of one process share a
//! [`BufferPool`] ([`Host::share_buffers`](crate::Host::share_buffers)), and a device gives back to its host's pool
//! what it has written out.
//!
//! What is in the pool has no influence on what a host does.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};

use crate::tcp::shelved::{Piece, Run};

/// What one buffer holds: a packet of an Ethernet link, with room in front and to spare.
pub(crate) const BUFFER: usize = 2_048;
/// What one block holds: what an application writes at once, or the payload of a super-segment.
pub(crate) const BLOCK: usize = 65_536;
/// Buffers and blocks kept in a pool: 4 MiB each.
const MOST_BUFFERS: usize = 2_048;
const MOST_BLOCKS: usize = 64;
/// Buffers that a host keeps to itself, and how many it exchanges with the pool at once.
const NEAR: usize = 64;
const BATCH: usize = 32;
/// Containers kept of each kind, and the entries of the largest that is worth keeping.
const SHELF: usize = 64;
const ENTRIES: usize = 65_536;

/// Buffers that nobody uses now, for all who hold a clone of this.
#[derive(Clone, Debug, Default)]
pub struct BufferPool(Arc<Mutex<Stock>>);

#[derive(Debug, Default)]
struct Stock {
    buffers: Vec<BytesMut>,
    blocks: Vec<BytesMut>,
}

impl BufferPool {
    /// An empty buffer with room for `len` bytes.
    pub fn take(&self, len: usize) -> BytesMut {
        let taken = if len <= BUFFER {
            self.lock().buffers.pop()
        } else if len <= BLOCK {
            self.lock().blocks.pop()
        } else {
            None
        };
        taken.unwrap_or_else(|| fresh(len))
    }

    /// Takes a buffer back, if nobody else holds it and it is worth keeping.
    pub fn give(&self, bytes: Bytes) {
        let Ok(mut buffer) = bytes.try_into_mut() else { return };
        match reclaim(&mut buffer) {
            Some(Size::Buffer) => {
                let mut stock = self.lock();
                if stock.buffers.len() < MOST_BUFFERS {
                    stock.buffers.push(buffer);
                }
            }
            Some(Size::Block) => self.give_block(buffer),
            None => {}
        }
    }

    fn give_block(&self, block: BytesMut) {
        let mut stock = self.lock();
        if stock.blocks.len() < MOST_BLOCKS {
            stock.blocks.push(block);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Stock> {
        // Nothing can be half done in lists of empty buffers.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One host's way to a pool, without a lock in most calls, and containers that its connections use in turns: those of
/// a connection that has nothing to keep hold no memory.
#[derive(Debug, Default)]
pub(crate) struct Spare {
    pool: BufferPool,
    near: Vec<BytesMut>,
    pub(crate) runs: Shelf<Run>,
    pub(crate) pieces: Shelf<Piece>,
    pub(crate) ready: Shelf<Bytes>,
}

impl Spare {
    pub(crate) fn new(pool: BufferPool) -> Spare {
        Spare { pool, ..Spare::default() }
    }

    pub(crate) fn pool(&self) -> &BufferPool {
        &self.pool
    }

    /// An empty buffer with room for `len` bytes.
    #[inline]
    pub(crate) fn take(&mut self, len: usize) -> BytesMut {
        if len <= BUFFER
            && let Some(buffer) = self.near.pop()
        {
            return buffer;
        }
        self.take_far(len)
    }

    fn take_far(&mut self, len: usize) -> BytesMut {
        if len > BUFFER {
            return self.pool.take(len);
        }
        let buffers = &mut self.pool.lock().buffers;
        let rest = buffers.len().saturating_sub(BATCH);
        self.near.extend(buffers.drain(rest..));
        self.near.pop().unwrap_or_else(|| fresh(BUFFER))
    }

    /// Takes a buffer back, if nobody else holds it and it is worth keeping.
    #[inline]
    pub(crate) fn give(&mut self, bytes: Bytes) {
        let mut taken = bytes.try_into_mut();
        // Looked at where it is: what was just written in pieces is slow to be moved.
        let Ok(buffer) = &mut taken else { return };
        let size = reclaim(buffer);
        if let Ok(buffer) = taken {
            self.keep(size, buffer);
        }
    }

    /// The same.
    pub(crate) fn give_mut(&mut self, mut buffer: BytesMut) {
        let size = reclaim(&mut buffer);
        self.keep(size, buffer);
    }

    #[inline]
    fn keep(&mut self, size: Option<Size>, buffer: BytesMut) {
        match size {
            Some(Size::Buffer) => self.near.push(buffer),
            Some(Size::Block) => return self.pool.give_block(buffer),
            None => return,
        }
        if self.near.len() >= NEAR {
            self.share();
        }
    }

    #[inline(never)]
    fn share(&mut self) {
        let buffers = &mut self.pool.lock().buffers;
        let room = MOST_BUFFERS.saturating_sub(buffers.len()).min(BATCH);
        let rest = self.near.len() - BATCH;
        buffers.extend(self.near.drain(rest..).take(room));
    }
}

/// Empty containers of one kind.
#[derive(Debug)]
pub(crate) struct Shelf<T>(Vec<VecDeque<T>>);

impl<T> Default for Shelf<T> {
    fn default() -> Shelf<T> {
        Shelf(Vec::new())
    }
}

impl<T> Shelf<T> {
    /// Gives `container` room, if it has none at all.
    pub(crate) fn fill(&mut self, container: &mut VecDeque<T>) {
        if container.capacity() == 0
            && let Some(room) = self.0.pop()
        {
            *container = room;
        }
    }

    /// Takes the room of an empty container; it holds no memory afterwards.
    pub(crate) fn empty(&mut self, container: &mut VecDeque<T>) {
        let mut room = core::mem::take(container);
        room.clear();
        if room.capacity() > 0 && room.capacity() <= ENTRIES && self.0.len() < SHELF {
            self.0.push(room);
        }
    }
}

/// Of what is worth keeping.
enum Size {
    Buffer,
    Block,
}

/// A buffer that can be given away as [`Bytes`] and taken back without touching the allocator: `bytes` counts the
/// holders of a split buffer in a place of its own, which stays with it.
fn fresh(len: usize) -> BytesMut {
    let size = if len <= BUFFER { BUFFER } else { BLOCK };
    if len > BLOCK {
        return BytesMut::with_capacity(len);
    }
    let mut buffer = BytesMut::with_capacity(size);
    drop(buffer.split_off(size));
    buffer
}

/// Empties a buffer and gets back what was cut off its beginning on the way; `None` if it is not worth keeping.
#[inline]
fn reclaim(buffer: &mut BytesMut) -> Option<Size> {
    buffer.clear();
    // One byte less than there is: a buffer that began elsewhere then shows all it has, and needs no second question.
    if !buffer.try_reclaim(BUFFER - 1) {
        return None;
    }
    if buffer.capacity() == BUFFER {
        return Some(Size::Buffer);
    }
    reclaim_odd(buffer)
}

#[inline(never)]
fn reclaim_odd(buffer: &mut BytesMut) -> Option<Size> {
    if buffer.try_reclaim(BLOCK) {
        return Some(Size::Block);
    }
    (buffer.try_reclaim(BUFFER) && buffer.capacity() < 2 * BUFFER).then_some(Size::Buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_whatever_was_cut_off_on_the_way() {
        let pool = BufferPool::default();
        let mut spare = Spare::new(pool.clone());
        let mut buffer = spare.take(1_500);
        let place = buffer.as_ptr();
        buffer.extend_from_slice(&[7; 1_500]);
        let mut frame = buffer.freeze();
        bytes::Buf::advance(&mut frame, 40);
        let held = frame.slice(100..);
        spare.give(frame);
        assert!(spare.near.is_empty(), "somebody still holds it");
        spare.give(held);
        let again = spare.take(BUFFER);
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
        assert!(again.capacity() >= BUFFER);
    }

    #[test]
    fn what_one_host_gives_another_takes_and_the_pool_is_bounded() {
        let pool = BufferPool::default();
        let (mut receiver, mut sender) = (Spare::new(pool.clone()), Spare::new(pool.clone()));
        let frames: Vec<Bytes> = (0..3 * MOST_BUFFERS).map(|_| sender.take(100).freeze()).collect();
        for frame in frames {
            receiver.give(frame);
        }
        assert_eq!(pool.lock().buffers.len(), MOST_BUFFERS);
        assert!(receiver.near.len() <= NEAR);
        sender.take(100);
        assert_eq!(pool.lock().buffers.len(), MOST_BUFFERS - BATCH);
    }

    #[test]
    fn blocks_come_back_as_blocks_when_their_last_slice_does() {
        let mut spare = Spare::default();
        let mut block = spare.take(BLOCK);
        let place = block.as_ptr();
        block.extend_from_slice(&[1; 50_000]);
        let (first, second) = (block.split_to(20_000).freeze(), block.freeze());
        spare.give(second);
        assert!(spare.pool.lock().blocks.is_empty());
        spare.give(first);
        assert_eq!(spare.take(BLOCK).as_ptr(), place);
        assert!(spare.near.is_empty());
    }

    #[test]
    fn large_ones_are_not_kept_as_small_ones_and_foreign_ones_not_at_all() {
        let mut spare = Spare::default();
        spare.give(Bytes::from_static(b"x"));
        spare.give(Bytes::from(vec![1; 100]));
        assert!(spare.near.is_empty());
        assert!(spare.take(9_000).capacity() >= 9_000);
    }
}
