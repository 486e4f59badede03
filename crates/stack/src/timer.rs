//! A hierarchical timing wheel: any number of deadlines, the earliest in O(1).
//!
//! Each entry is what one connection (or half-open, or TIME-WAIT object) waits for next. Owners re-arm lazily: an
//! entry that has become too early stays, fires, finds nothing due and is set again, which is cheaper than moving
//! it at each acknowledgement.

use thru_wire::Instant;

/// Bits of time below the finest slot: 2^16 ns, about 66 µs. Deadlines are exact all the same; the
/// slots only sort.
const TICK_BITS: u32 = 16;
/// 64 slots a level: one machine word says which of them are occupied.
const LEVEL_BITS: u32 = 6;
const SLOTS: usize = 1 << LEVEL_BITS;
/// Eight levels of six bits over sixteen cover all of a `u64`.
const LEVELS: usize = 8;
const NONE: u32 = u32::MAX;

/// An entry of a [`Wheel`]; stale once it has fired or was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerHandle(u32);

/// Deadlines, each with a key that says whose it is.
#[derive(Debug)]
pub struct Wheel {
    levels: [Level; LEVELS],
    nodes: Vec<Node>,
    free: u32,
    /// Slots are relative to this: no entry lies before it.
    now: u64,
    len: usize,
    next: Instant,
    /// Entries touched so far: lets a test see that nothing scans.
    work: u64,
}

#[derive(Debug)]
struct Level {
    occupied: u64,
    slots: [Slot; SLOTS],
}

/// A doubly linked list of nodes, and a lower bound of their deadlines.
#[derive(Clone, Copy, Debug)]
struct Slot {
    head: u32,
    tail: u32,
    earliest: u64,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    at: u64,
    key: u64,
    previous: u32,
    next: u32,
    level: u8,
    slot: u8,
}

impl Default for Wheel {
    fn default() -> Wheel {
        Wheel::new()
    }
}

impl Wheel {
    /// A wheel without entries.
    pub fn new() -> Wheel {
        let slot = Slot { head: NONE, tail: NONE, earliest: u64::MAX };
        Wheel {
            levels: core::array::from_fn(|_| Level { occupied: 0, slots: [slot; SLOTS] }),
            nodes: Vec::new(),
            free: NONE,
            now: 0,
            len: 0,
            next: Instant::NEVER,
            work: 0,
        }
    }

    /// Adds a deadline; one that has passed fires at the next [`Wheel::pop`].
    pub fn insert(&mut self, at: Instant, key: u64) -> TimerHandle {
        let node = Node { at: at.nanos(), key, previous: NONE, next: NONE, level: 0, slot: 0 };
        let index = if self.free == NONE {
            self.nodes.push(node);
            (self.nodes.len() - 1) as u32
        } else {
            let index = self.free;
            self.free = self.nodes[index as usize].next;
            self.nodes[index as usize] = node;
            index
        };
        self.len += 1;
        self.link(index);
        if at < self.next {
            self.next = at;
        }
        TimerHandle(index)
    }

    /// Takes a deadline back. The wheel may still wake its owner once at that time: the bound of a slot is not
    /// recomputed.
    pub fn remove(&mut self, handle: TimerHandle) {
        self.unlink(handle.0);
        self.release(handle.0);
        if self.len == 0 {
            self.next = Instant::NEVER;
        }
    }

    /// No entry is due before this. O(1). Exact, unless an entry was removed or moved since.
    pub fn next(&self) -> Instant {
        self.next
    }

    /// An entry that is due at `now`, taken out; entries of one slot come in the order they were added.
    pub fn pop(&mut self, now: Instant) -> Option<u64> {
        while self.next <= now && self.len > 0 {
            match self.first(now.nanos()) {
                Some(index) => {
                    let key = self.nodes[index as usize].key;
                    self.unlink(index);
                    self.release(index);
                    self.next = self.bound();
                    return Some(key);
                }
                None => {
                    self.next = self.bound();
                    if self.next <= now {
                        continue;
                    }
                }
            }
        }
        None
    }

    /// Entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is waited for.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many entries were touched so far, in all calls.
    pub fn work(&self) -> u64 {
        self.work
    }

    /// An entry due at `now` from the earliest occupied slot. Without one, either that slot's bound becomes exact
    /// or its entries move down a level: each call makes progress.
    fn first(&mut self, now: u64) -> Option<u32> {
        let (level, slot) = self.earliest_slot()?;
        let mut index = self.levels[level].slots[slot].head;
        if level == 0 {
            let mut earliest = u64::MAX;
            while index != NONE {
                self.work += 1;
                let node = self.nodes[index as usize];
                if node.at <= now {
                    return Some(index);
                }
                earliest = earliest.min(node.at);
                index = node.next;
            }
            self.levels[0].slots[slot].earliest = earliest;
            return None;
        }
        // The bound of this slot has come: nothing lies before the slot's start, so the wheel may turn to it.
        let shift = TICK_BITS + LEVEL_BITS * level as u32;
        let bound = self.levels[level].slots[slot].earliest;
        self.now = self.now.max(bound >> shift << shift);
        self.levels[level].occupied &= !(1 << slot);
        self.levels[level].slots[slot] = Slot { head: NONE, tail: NONE, earliest: u64::MAX };
        while index != NONE {
            let next = self.nodes[index as usize].next;
            self.link(index);
            index = next;
        }
        None
    }

    /// The occupied slot with the earliest bound, the finest level first.
    fn earliest_slot(&self) -> Option<(usize, usize)> {
        let mut best = None;
        for (number, level) in self.levels.iter().enumerate() {
            if level.occupied == 0 {
                continue;
            }
            // Slots from the current one on, then around: deadlines of one level span less than a turn.
            let current = (self.now >> (TICK_BITS + LEVEL_BITS * number as u32)) as u32 % SLOTS as u32;
            let ahead = level.occupied.rotate_right(current).trailing_zeros();
            let slot = ((current + ahead) % SLOTS as u32) as usize;
            let earliest = level.slots[slot].earliest;
            if best.is_none_or(|(least, _, _)| earliest < least) {
                best = Some((earliest, number, slot));
            }
        }
        best.map(|(_, level, slot)| (level, slot))
    }

    fn bound(&self) -> Instant {
        match self.earliest_slot() {
            Some((level, slot)) => Instant::from_nanos(self.levels[level].slots[slot].earliest),
            None => Instant::NEVER,
        }
    }

    /// Puts a node where its deadline belongs: the level of the highest bits in which it differs from now.
    fn link(&mut self, index: u32) {
        self.work += 1;
        let at = self.nodes[index as usize].at;
        let place = at.max(self.now);
        let differing = (place ^ self.now) >> TICK_BITS;
        let level = if differing == 0 { 0 } else { ((63 - differing.leading_zeros()) / LEVEL_BITS) as usize };
        let slot = ((place >> (TICK_BITS + LEVEL_BITS * level as u32)) % SLOTS as u64) as usize;
        let list = &mut self.levels[level].slots[slot];
        let previous = list.tail;
        list.tail = index;
        list.earliest = list.earliest.min(at);
        if previous == NONE {
            list.head = index;
        } else {
            self.nodes[previous as usize].next = index;
        }
        self.levels[level].occupied |= 1 << slot;
        let node = &mut self.nodes[index as usize];
        (node.previous, node.next, node.level, node.slot) = (previous, NONE, level as u8, slot as u8);
    }

    fn unlink(&mut self, index: u32) {
        self.work += 1;
        let node = self.nodes[index as usize];
        let (level, slot) = (node.level as usize, node.slot as usize);
        match node.previous {
            NONE => self.levels[level].slots[slot].head = node.next,
            previous => self.nodes[previous as usize].next = node.next,
        }
        match node.next {
            NONE => self.levels[level].slots[slot].tail = node.previous,
            next => self.nodes[next as usize].previous = node.previous,
        }
        let list = &mut self.levels[level].slots[slot];
        if list.head == NONE {
            list.earliest = u64::MAX;
            self.levels[level].occupied &= !(1 << slot);
        }
    }

    fn release(&mut self, index: u32) {
        self.nodes[index as usize].next = self.free;
        self.free = index;
        self.len -= 1;
    }
}

#[cfg(test)]
mod tests;
