//! Where TIME-WAIT objects lie: 40 bytes each for IPv4 and 64 for IPv6, in blocks, with an index of four bytes a
//! place beside them, in the order in which they end. Nothing is held when there are none.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use siphasher::sip::SipHasher13;
use thru_wire::tcp::SeqNumber;

use super::super::demux::{Endpoint, Pair};
use super::Facts;

const NONE: u32 = u32::MAX;
/// Objects of one block.
const BLOCK: usize = 64;

/// One object; `N` bytes hold both addresses and ports.
#[derive(Clone, Copy, Debug)]
pub(super) struct Object<const N: usize> {
    next_to_send: SeqNumber,
    next_expected: SeqNumber,
    /// The peer's latest timestamp.
    recent: u32,
    /// When it ends: the low bits of milliseconds.
    ends: u32,
    /// Neighbours in the order of ends; `next` links free places, too.
    previous: u32,
    next: u32,
    pair: [u8; N],
    window: u16,
    timestamps: bool,
}

/// Objects of one size, keyed by both ends.
#[derive(Debug)]
pub(super) struct Store<const N: usize> {
    blocks: Vec<Vec<Object<N>>>,
    free: u32,
    head: u32,
    tail: u32,
    len: usize,
    /// Open addressing: numbers of objects, at most three places of four taken.
    index: Vec<u32>,
    hasher: SipHasher13,
}

/// Both ends in as few bytes as they need.
pub(super) trait Packed<const N: usize> {
    fn pack(pair: &Pair) -> Option<[u8; N]>;
    fn unpack(bytes: &[u8; N]) -> Pair;
}

impl<const N: usize> Store<N>
where
    Self: Packed<N>,
{
    pub(super) fn new(hasher: SipHasher13) -> Store<N> {
        let (free, head, tail) = (NONE, NONE, NONE);
        Store { blocks: Vec::new(), free, head, tail, len: 0, index: Vec::new(), hasher }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn find(&self, pair: &Pair) -> Option<u32> {
        let packed = Self::pack(pair)?;
        let mut place = self.slot_of(&packed)?;
        loop {
            match self.index[place] {
                NONE => return None,
                number if self.at(number).pair == packed => return Some(number),
                _ => place = (place + 1) & (self.index.len() - 1),
            }
        }
    }

    /// `ends`, in milliseconds, is not before that of any other.
    pub(super) fn insert(&mut self, facts: &Facts, ends: u64) -> Option<u32> {
        let object = Object {
            next_to_send: facts.next_to_send,
            next_expected: facts.next_expected,
            recent: facts.recent.unwrap_or(0),
            ends: ends as u32,
            previous: NONE,
            next: NONE,
            pair: Self::pack(&facts.pair)?,
            window: facts.window,
            timestamps: facts.recent.is_some(),
        };
        let number = self.take_place(object);
        self.len += 1;
        self.append(number);
        self.add_to_index(number);
        Some(number)
    }

    pub(super) fn facts(&self, number: u32) -> Facts {
        let object = self.at(number);
        Facts {
            pair: Self::unpack(&object.pair),
            next_to_send: object.next_to_send,
            next_expected: object.next_expected,
            window: object.window,
            recent: object.timestamps.then_some(object.recent),
        }
    }

    /// Our ports of all objects, the one that ends first in front.
    pub(super) fn local_ports(&self) -> Vec<u16> {
        let step = |number: &u32| Some(self.at(*number).next).filter(|next| *next != NONE);
        let numbers = core::iter::successors(Some(self.head).filter(|head| *head != NONE), step);
        numbers.map(|number| Self::unpack(&self.at(number).pair).local.port).collect()
    }

    pub(super) fn set_recent(&mut self, number: u32, recent: u32) {
        self.at_mut(number).recent = recent;
    }

    /// Waits anew, until `ends`.
    pub(super) fn restart(&mut self, number: u32, ends: u64) {
        self.unlink(number);
        self.at_mut(number).ends = ends as u32;
        self.append(number);
    }

    /// The one that ends first, and when, as seen from `now`, in milliseconds.
    pub(super) fn first(&self, now: u64) -> Option<(u32, u64)> {
        (self.head != NONE).then(|| (self.head, self.ends(self.head, now)))
    }

    pub(super) fn ends(&self, number: u32, now: u64) -> u64 {
        let ahead = self.at(number).ends.wrapping_sub(now as u32) as i32;
        now.saturating_add_signed(i64::from(ahead))
    }

    pub(super) fn remove(&mut self, number: u32) {
        self.remove_from_index(number);
        self.unlink(number);
        self.len -= 1;
        if self.len == 0 {
            (self.blocks, self.index, self.free) = (Vec::new(), Vec::new(), NONE);
            return;
        }
        self.at_mut(number).next = self.free;
        self.free = number;
    }

    fn at(&self, number: u32) -> &Object<N> {
        &self.blocks[number as usize / BLOCK][number as usize % BLOCK]
    }

    fn at_mut(&mut self, number: u32) -> &mut Object<N> {
        &mut self.blocks[number as usize / BLOCK][number as usize % BLOCK]
    }

    fn take_place(&mut self, object: Object<N>) -> u32 {
        if self.free != NONE {
            let number = self.free;
            self.free = self.at(number).next;
            *self.at_mut(number) = object;
            return number;
        }
        if self.blocks.last().is_none_or(|block| block.len() == BLOCK) {
            self.blocks.push(Vec::with_capacity(BLOCK));
        }
        let blocks = self.blocks.len();
        let block = &mut self.blocks[blocks - 1];
        block.push(object);
        ((blocks - 1) * BLOCK + block.len() - 1) as u32
    }

    fn append(&mut self, number: u32) {
        let tail = self.tail;
        let object = self.at_mut(number);
        (object.previous, object.next) = (tail, NONE);
        if tail == NONE {
            self.head = number;
        } else {
            self.at_mut(tail).next = number;
        }
        self.tail = number;
    }

    fn unlink(&mut self, number: u32) {
        let Object { previous, next, .. } = *self.at(number);
        if previous == NONE {
            self.head = next;
        } else {
            self.at_mut(previous).next = next;
        }
        if next == NONE {
            self.tail = previous;
        } else {
            self.at_mut(next).previous = previous;
        }
    }

    /// Where the search for a pair begins.
    fn slot_of(&self, packed: &[u8; N]) -> Option<usize> {
        let mask = self.index.len().checked_sub(1)?;
        Some(self.hasher.hash(packed) as usize & mask)
    }

    fn add_to_index(&mut self, number: u32) {
        if 4 * self.len > 3 * self.index.len() {
            let size = (2 * self.index.len()).max(BLOCK);
            let old = core::mem::replace(&mut self.index, vec![NONE; size]);
            for number in old.into_iter().filter(|&number| number != NONE) {
                self.put(number);
            }
        }
        self.put(number);
    }

    fn put(&mut self, number: u32) {
        let packed = self.at(number).pair;
        let Some(mut place) = self.slot_of(&packed) else { return };
        while self.index[place] != NONE {
            place = (place + 1) & (self.index.len() - 1);
        }
        self.index[place] = number;
    }

    /// Closes the gap, so that every search still ends at the first empty place.
    fn remove_from_index(&mut self, number: u32) {
        let packed = self.at(number).pair;
        let mask = self.index.len() - 1;
        let Some(mut gap) = self.slot_of(&packed) else { return };
        while self.index[gap] != number {
            gap = (gap + 1) & mask;
        }
        let mut place = gap;
        loop {
            place = (place + 1) & mask;
            let other = self.index[place];
            if other == NONE {
                break;
            }
            let home = self.slot_of(&self.at(other).pair).unwrap_or(place);
            // It may move back if the gap lies on the way from its home to where it is.
            if (place.wrapping_sub(home) & mask) >= (place.wrapping_sub(gap) & mask) {
                self.index[gap] = other;
                gap = place;
            }
        }
        self.index[gap] = NONE;
    }
}

impl Packed<12> for Store<12> {
    fn pack(pair: &Pair) -> Option<[u8; 12]> {
        let (IpAddr::V4(local), IpAddr::V4(remote)) = (pair.local.address, pair.remote.address) else {
            return None;
        };
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&local.octets());
        bytes[4..8].copy_from_slice(&remote.octets());
        bytes[8..10].copy_from_slice(&pair.local.port.to_be_bytes());
        bytes[10..].copy_from_slice(&pair.remote.port.to_be_bytes());
        Some(bytes)
    }

    fn unpack(bytes: &[u8; 12]) -> Pair {
        let address =
            |at: usize| IpAddr::V4(Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]));
        let port = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        Pair {
            local: Endpoint { address: address(0), port: port(8) },
            remote: Endpoint { address: address(4), port: port(10) },
        }
    }
}

impl Packed<36> for Store<36> {
    fn pack(pair: &Pair) -> Option<[u8; 36]> {
        let (IpAddr::V6(local), IpAddr::V6(remote)) = (pair.local.address, pair.remote.address) else {
            return None;
        };
        let mut bytes = [0; 36];
        bytes[..16].copy_from_slice(&local.octets());
        bytes[16..32].copy_from_slice(&remote.octets());
        bytes[32..34].copy_from_slice(&pair.local.port.to_be_bytes());
        bytes[34..].copy_from_slice(&pair.remote.port.to_be_bytes());
        Some(bytes)
    }

    fn unpack(bytes: &[u8; 36]) -> Pair {
        let address = |at: usize| {
            let mut octets = [0; 16];
            octets.copy_from_slice(&bytes[at..at + 16]);
            IpAddr::V6(Ipv6Addr::from(octets))
        };
        let port = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        Pair {
            local: Endpoint { address: address(0), port: port(32) },
            remote: Endpoint { address: address(16), port: port(34) },
        }
    }
}
