//! A hierarchical timing wheel: any number of deadlines, the earliest in O(1).
//!
//! Each entry is what one connection (or half-open, or TIME-WAIT object) waits for next. Owners re-arm lazily: an
//! entry that has become too early stays, fires, finds nothing due and is set again, which is cheaper than moving
//! it at each acknowledgement.

use core::cmp::Reverse;
use std::collections::BinaryHeap;

use thru_wire::Instant;

/// Bits of time below the finest slot: 2^16 ns, about 66 µs. Deadlines are exact all the same: what shares the
/// slot whose time has come is put in order.
const TICK_BITS: u32 = 16;
/// 64 slots a level: one machine word says which of them are occupied.
const LEVEL_BITS: u32 = 6;
const SLOTS: usize = 1 << LEVEL_BITS;
/// Eight levels of six bits over sixteen cover all of a `u64`.
const LEVELS: usize = 8;
const NONE: u32 = u32::MAX;
/// The level of a node that has left the slots and is in order.
const IN_ORDER: u8 = u8::MAX;

/// An entry of a [`Wheel`]; stale once it has fired or was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerHandle(u32);

/// Deadlines, each with a key that says whose it is.
#[derive(Debug)]
pub struct Wheel {
    levels: [Level; LEVELS],
    nodes: Vec<Node>,
    free: u32,
    /// Deadlines of slots whose time has come, by time and then by age; stale ones stay until they surface.
    in_order: BinaryHeap<Reverse<(u64, u64, u32)>>,
    /// Rises with each entry.
    serial: u64,
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
    serial: u64,
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
            in_order: BinaryHeap::new(),
            serial: 0,
            now: 0,
            len: 0,
            next: Instant::NEVER,
            work: 0,
        }
    }

    /// Adds a deadline; one that has passed fires at the next [`Wheel::pop`].
    pub fn insert(&mut self, at: Instant, key: u64) -> TimerHandle {
        self.serial += 1;
        let node =
            Node { at: at.nanos(), key, serial: self.serial, previous: NONE, next: NONE, level: 0, slot: 0 };
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

    /// The entry that is due first of those due at `now`, taken out; of equal ones the oldest.
    pub fn pop(&mut self, now: Instant) -> Option<u64> {
        while self.next <= now && self.len > 0 {
            let slot = self.earliest_slot();
            let ordered = self.in_order.peek().map_or(u64::MAX, |Reverse((at, _, _))| *at);
            let bound = slot.map_or(u64::MAX, |(bound, _, _)| bound);
            self.next = Instant::from_nanos(bound.min(ordered));
            if self.next > now {
                break;
            }
            if let Some((_, level, slot)) = slot.filter(|_| bound <= ordered) {
                self.turn(level, slot);
                continue;
            }
            let Some(Reverse((_, serial, index))) = self.in_order.pop() else { break };
            self.work += 1;
            let node = self.nodes[index as usize];
            if node.serial == serial && node.level == IN_ORDER {
                self.release(index);
                self.next = self.bound();
                return Some(node.key);
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

    /// The time of a slot has come: its entries move down, or, from the finest level, into order.
    fn turn(&mut self, level: usize, slot: usize) {
        let Slot { head: mut index, earliest: bound, .. } = self.levels[level].slots[slot];
        self.levels[level].occupied &= !(1 << slot);
        self.levels[level].slots[slot] = Slot { head: NONE, tail: NONE, earliest: u64::MAX };
        // Nothing lies before the slot's start, so the wheel may turn to it.
        let shift = TICK_BITS + LEVEL_BITS * level as u32;
        self.now = self.now.max(bound >> shift << shift);
        while index != NONE {
            let node = &mut self.nodes[index as usize];
            let next = node.next;
            if level == 0 {
                node.level = IN_ORDER;
                self.in_order.push(Reverse((node.at, node.serial, index)));
                self.work += 1;
            } else {
                self.link(index);
            }
            index = next;
        }
    }

    /// The occupied slot with the earliest bound, the finest level first.
    fn earliest_slot(&self) -> Option<(u64, usize, usize)> {
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
        best
    }

    fn bound(&self) -> Instant {
        let slots = self.earliest_slot().map_or(u64::MAX, |(bound, _, _)| bound);
        let ordered = self.in_order.peek().map_or(u64::MAX, |Reverse((at, _, _))| *at);
        Instant::from_nanos(slots.min(ordered))
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
        if node.level == IN_ORDER {
            return;
        }
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
        let node = &mut self.nodes[index as usize];
        node.next = self.free;
        // Its place in the order, if it has one, is stale now.
        node.serial = 0;
        self.free = index;
        self.len -= 1;
        if self.len == 0 {
            self.in_order.clear();
        }
    }
}

#[cfg(test)]
mod tests;
