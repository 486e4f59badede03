//! The queue of things to come, ordered by (time, lane, sequence).
//!
//! Each thing that can be due (a link direction, a host, a timer, a planned action) owns one *slot* and so has
//! at most one entry in the heap; moving a deadline moves the entry in place instead of leaving a dead one behind.
//! The heap is therefore as large as the number of busy things, not the number of packets in flight, and the
//! earliest entry is always a real event.

use thru_wire::Instant;

/// Which kind of thing acts first among those due at the same instant; then by index within the kind.
///
/// Planned actions come first, so that a fault at 5 s touches the packets of 5 s; tasks' timers come last, so that
/// they see all that arrived in their instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Something planned with [`World::schedule`](crate::World::schedule).
    Action,
    /// One direction of a link: the link's number times two, plus one for B to A.
    Line(u32),
    /// A host's earliest deadline.
    Host(u32),
    /// A waker set with [`World::set_timer`](crate::World::set_timer).
    Timer,
}

/// A place in the schedule, owned by one thing that can be due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(u32);

impl Slot {
    /// Number of the slot, dense from 0: usable as an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }

    pub(crate) fn from_index(index: usize) -> Slot {
        Slot(index as u32)
    }
}

/// The event queue: a 4-ary heap whose entries can be moved and removed through their slot.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    heap: Vec<Entry>,
    slots: Vec<SlotState>,
    free: Vec<Slot>,
    next_sequence: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at: Instant,
    lane: Lane,
    sequence: u64,
    slot: Slot,
}

#[derive(Clone, Copy, Debug)]
struct SlotState {
    lane: Lane,
    /// Place in the heap, or [`IDLE`].
    position: u32,
}

/// Position of a slot that has nothing due.
const IDLE: u32 = u32::MAX;
/// Children per node: shallower than a binary heap, and the children share a cache line or two.
const ARITY: usize = 4;

impl Schedule {
    /// An empty schedule.
    pub fn new() -> Schedule {
        Schedule::default()
    }

    /// A slot with nothing due yet.
    pub fn add_slot(&mut self, lane: Lane) -> Slot {
        let state = SlotState { lane, position: IDLE };
        if let Some(slot) = self.free.pop() {
            self.slots[slot.index()] = state;
            return slot;
        }
        let slot = Slot(u32::try_from(self.slots.len()).expect("fewer than 2^32 things are due"));
        self.slots.push(state);
        slot
    }

    /// Gives a slot back; what it had due is forgotten.
    pub fn remove_slot(&mut self, slot: Slot) {
        self.clear(slot);
        self.free.push(slot);
    }

    /// Makes the slot due at `at`, instead of when it was due before. [`Instant::NEVER`] clears it.
    ///
    /// Setting the time it already has changes nothing: the entry keeps its sequence.
    pub fn set(&mut self, slot: Slot, at: Instant) {
        if at.is_never() {
            self.clear(slot);
            return;
        }
        let SlotState { lane, position } = self.slots[slot.index()];
        if position != IDLE && self.heap[position as usize].at == at {
            return;
        }
        let entry = Entry { at, lane, sequence: self.next_sequence, slot };
        self.next_sequence += 1;
        if position == IDLE {
            self.heap.push(entry);
            self.sift_up(self.heap.len() - 1, entry);
        } else {
            self.replace(position as usize, entry);
        }
    }

    /// Makes the slot due never.
    pub fn clear(&mut self, slot: Slot) {
        let position = self.slots[slot.index()].position;
        if position == IDLE {
            return;
        }
        self.slots[slot.index()].position = IDLE;
        let last = self.heap.pop().expect("an armed slot is in the heap");
        if last.slot != slot {
            self.replace(position as usize, last);
        }
    }

    /// The earliest entry: when, and whose.
    pub fn peek(&self) -> Option<(Instant, Slot)> {
        self.heap.first().map(|entry| (entry.at, entry.slot))
    }

    /// Takes the earliest entry out; its slot is idle afterwards.
    pub fn pop(&mut self) -> Option<(Instant, Slot)> {
        let first = self.peek()?;
        self.clear(first.1);
        Some(first)
    }

    /// The lane a slot was made with.
    pub fn lane(&self, slot: Slot) -> Lane {
        self.slots[slot.index()].lane
    }

    /// How many things are due at some time.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether nothing is due.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Puts `entry` where another was, up or down as its order wants.
    fn replace(&mut self, position: usize, entry: Entry) {
        if position > 0 && entry < self.heap[(position - 1) / ARITY] {
            self.sift_up(position, entry);
        } else {
            self.sift_down(position, entry);
        }
    }

    fn sift_up(&mut self, mut position: usize, entry: Entry) {
        while position > 0 {
            let parent = (position - 1) / ARITY;
            if self.heap[parent] <= entry {
                break;
            }
            self.place(position, self.heap[parent]);
            position = parent;
        }
        self.place(position, entry);
    }

    fn sift_down(&mut self, mut position: usize, entry: Entry) {
        loop {
            let first = position * ARITY + 1;
            let children = first..(first + ARITY).min(self.heap.len());
            let Some(smallest) = children.min_by_key(|&child| self.heap[child]) else { break };
            if entry <= self.heap[smallest] {
                break;
            }
            self.place(position, self.heap[smallest]);
            position = smallest;
        }
        self.place(position, entry);
    }

    fn place(&mut self, position: usize, entry: Entry) {
        self.heap[position] = entry;
        self.slots[entry.slot.index()].position = u32::try_from(position).expect("as many entries as slots");
    }
}

#[cfg(test)]
mod tests;
