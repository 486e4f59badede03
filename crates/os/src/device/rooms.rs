//! Memory for frames that arrive, used again as soon as nobody holds a frame in it: fresh memory costs a page fault
//! every 4 KiB, which is more than the copy of what fills it.

use bytes::{Bytes, BytesMut};

/// What is allocated at once: a few super-segments, or a hundred packets.
const ROOM: usize = 1 << 18;
/// Rooms that are remembered: 8 MiB, the largest window of a connection or two.
const MOST: usize = 32;
/// How many are asked whether they are free before a new one is made.
const ASKED: usize = 8;

/// Rooms for frames, each for several.
#[derive(Debug)]
pub(crate) struct Rooms {
    /// What is left of the room in use.
    current: BytesMut,
    /// The ends of full rooms: each shows, once it is its room's only holder, that the room is free. Those that were
    /// filled last come last.
    full: Vec<BytesMut>,
}

impl Rooms {
    /// With one room.
    pub(crate) fn new() -> Rooms {
        Rooms { current: BytesMut::with_capacity(ROOM), full: Vec::new() }
    }

    /// Empty memory for a frame of `len` bytes; what is written there is split off.
    pub(crate) fn reserve(&mut self, len: usize) -> &mut BytesMut {
        if self.current.capacity() < len {
            self.change(len.max(ROOM));
        }
        &mut self.current
    }

    /// A copy.
    pub(crate) fn copy(&mut self, bytes: &[u8]) -> Bytes {
        let room = self.reserve(bytes.len());
        room.extend_from_slice(bytes);
        room.split().freeze()
    }

    fn change(&mut self, len: usize) {
        // The one that was used last is still in the processor's cache; the oldest had the most time to become free.
        let full = &mut self.full;
        let count = full.len();
        let mut asked = (0..count).rev().take(ASKED).chain((count > ASKED).then_some(0));
        let next = match asked.find(|index| full[*index].try_reclaim(len)) {
            Some(index) => full.remove(index),
            None => BytesMut::with_capacity(len),
        };
        if full.len() == MOST {
            full.remove(0);
        }
        full.push(std::mem::replace(&mut self.current, next));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_used_again_when_its_last_frame_is_gone() {
        let mut rooms = Rooms::new();
        let first = rooms.copy(&[1; 100_000]);
        let place = first.as_ptr();
        let second = rooms.copy(&[2; 100_000]);
        // Does not fit any more: another room.
        let third = rooms.copy(&[3; 100_000]);
        assert_eq!(rooms.full.len(), 1);
        drop(first);
        rooms.copy(&[4; 100_000]);
        let held = rooms.copy(&[5; 100_000]);
        assert_ne!(held.as_ptr(), place, "the second still holds the first room");
        assert!(second.iter().all(|byte| *byte == 2) && third.iter().all(|byte| *byte == 3));
        drop((second, third, held));
        let frames: Vec<Bytes> = (0..4).map(|_| rooms.copy(&[6; 100_000])).collect();
        assert!(frames.iter().any(|frame| frame.as_ptr() == place));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut rooms = Rooms::new();
        let held: Vec<Bytes> = (0..10 * MOST).map(|_| rooms.copy(&[0; ROOM])).collect();
        assert_eq!(rooms.full.len(), MOST);
        drop(held);
        let large = rooms.copy(&[0; 3 * ROOM]);
        assert_eq!(large.len(), 3 * ROOM);
    }
}
