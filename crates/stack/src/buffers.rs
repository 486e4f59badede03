//! Buffers for frames that are used again, so that a host that is busy allocates nothing.
//!
//! A frame's bytes belong to whoever holds them; when the last holder is a host, it takes the buffer back. Data flows
//! one way, though, so the buffers of a sender would all end up with the receiver: hosts of one process share a
//! [`BufferPool`] ([`Host::share_buffers`](crate::Host::share_buffers)), and a device gives back to its host's pool
//! what it has written out.
//!
//! What is in the pool has no influence on what a host does.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};

/// What one buffer holds: a packet of an Ethernet link, with room in front and to spare.
pub(crate) const BUFFER: usize = 2_048;
/// Buffers kept in a pool: 4 MiB.
const MOST: usize = 2_048;
/// Buffers that a host keeps to itself, and how many it exchanges with the pool at once.
const NEAR: usize = 64;
const BATCH: usize = 32;

/// Buffers that nobody uses now, for all who hold a clone of this.
#[derive(Clone, Debug, Default)]
pub struct BufferPool(Arc<Mutex<Vec<BytesMut>>>);

impl BufferPool {
    /// An empty buffer with room for `len` bytes.
    pub fn take(&self, len: usize) -> BytesMut {
        if len > BUFFER {
            return BytesMut::with_capacity(len);
        }
        self.lock().pop().unwrap_or_else(fresh)
    }

    /// Takes a buffer back, if nobody else holds it and it is worth keeping.
    pub fn give(&self, bytes: Bytes) {
        if let Some(buffer) = reclaim(bytes) {
            let mut buffers = self.lock();
            if buffers.len() < MOST {
                buffers.push(buffer);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<BytesMut>> {
        // Nothing can be half done in a list of empty buffers.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One host's way to a pool: most calls need no lock.
#[derive(Debug, Default)]
pub(crate) struct Spare {
    pool: BufferPool,
    near: Vec<BytesMut>,
}

impl Spare {
    pub(crate) fn new(pool: BufferPool) -> Spare {
        Spare { pool, near: Vec::new() }
    }

    pub(crate) fn pool(&self) -> &BufferPool {
        &self.pool
    }

    /// An empty buffer with room for `len` bytes.
    pub(crate) fn take(&mut self, len: usize) -> BytesMut {
        if len > BUFFER {
            return BytesMut::with_capacity(len);
        }
        if self.near.is_empty() {
            let mut buffers = self.pool.lock();
            let rest = buffers.len().saturating_sub(BATCH);
            self.near.extend(buffers.drain(rest..));
        }
        self.near.pop().unwrap_or_else(fresh)
    }

    /// Takes a buffer back, if nobody else holds it and it is worth keeping.
    pub(crate) fn give(&mut self, bytes: Bytes) {
        let Some(buffer) = reclaim(bytes) else { return };
        self.near.push(buffer);
        if self.near.len() >= NEAR {
            let mut buffers = self.pool.lock();
            let room = MOST.saturating_sub(buffers.len()).min(BATCH);
            let rest = self.near.len() - BATCH;
            buffers.extend(self.near.drain(rest..).take(room));
        }
    }
}

/// A buffer that can be given away as [`Bytes`] and taken back without touching the allocator: `bytes` counts the
/// holders of a split buffer in a place of its own, which stays with it.
fn fresh() -> BytesMut {
    let mut buffer = BytesMut::with_capacity(BUFFER);
    drop(buffer.split_off(BUFFER));
    buffer
}

fn reclaim(bytes: Bytes) -> Option<BytesMut> {
    let mut buffer = bytes.try_into_mut().ok()?;
    buffer.clear();
    // Its beginning may have been cut off on the way.
    buffer.try_reclaim(BUFFER).then_some(buffer)
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
        let frames: Vec<Bytes> = (0..3 * MOST).map(|_| sender.take(100).freeze()).collect();
        for frame in frames {
            receiver.give(frame);
        }
        assert_eq!(pool.lock().len(), MOST);
        assert!(receiver.near.len() <= NEAR);
        sender.take(100);
        assert_eq!(pool.lock().len(), MOST - BATCH);
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
