//! Putting fragments together again, in bounded memory.
//!
//! The fragments of a datagram are kept as slices of their frames, ordered by offset (RFC 815's holes are the gaps
//! between them). An overlap discards the whole datagram and what still comes of it, as RFC 5722 demands for IPv6;
//! for IPv4 too, since honest senders don't overlap there either (Linux does the same). Exact copies are ignored.

use core::net::IpAddr;
use core::ops::Range;
use core::time::Duration;
use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use thru_wire::Instant;

use crate::packet::{Packet, WasFragmented};
use crate::random::KeyedState;

/// Bytes of fragments held at most, counted with their overhead (Linux's `ipfrag_high_thresh`).
const MEMORY_MAX: usize = 4 << 20;
/// What the bookkeeping of one fragment or one datagram costs, roughly.
const OVERHEAD: usize = 160;
/// RFC 8200 4.5: 60 s. RFC 1122 3.3.2 wants 60 to 120 s for IPv4.
const TIMEOUT: Duration = Duration::from_secs(60);
/// IPv4's length field and IPv6's payload length field end here.
const LENGTH_MAX: usize = 65_535;

/// What the fragments of one datagram have in common (RFC 791 3.2, RFC 8200 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FragmentKey {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    /// IPv4 only; IPv6 takes the protocol from the first fragment, so it is 0 here.
    pub(crate) protocol: u8,
    pub(crate) id: u32,
}

/// One fragment, as found in a packet.
#[derive(Clone, Debug)]
pub(crate) struct Fragment {
    pub(crate) key: FragmentKey,
    /// In bytes.
    pub(crate) offset: usize,
    /// Others follow.
    pub(crate) more: bool,
    pub(crate) dont_fragment: bool,
    /// The two ECN bits.
    pub(crate) ecn: u8,
    /// The whole IP packet.
    pub(crate) packet: Bytes,
    /// Where in `packet` the fragment's data is.
    pub(crate) data: Range<usize>,
    /// IPv6: the protocol of the data, and where the fragment header begins and who points to it.
    pub(crate) v6: Option<V6Fragment>,
}

/// Where an IPv6 fragment header stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct V6Fragment {
    /// Offset of the fragment header.
    pub(crate) header_at: usize,
    /// Offset of the next-header byte that names it.
    pub(crate) named_at: usize,
    /// What follows the fragment header.
    pub(crate) next_header: u8,
}

/// What became of a fragment.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Kept; others are missing.
    Waiting,
    /// Refused; nothing to tell the sender.
    Discarded,
    /// Refused; the sender is told that this byte of its packet is wrong (RFC 8200 4.5).
    Illegal { at: usize },
    /// The datagram is whole.
    Whole(Packet),
}

/// Every datagram of a host of which fragments are missing.
#[derive(Debug)]
pub(crate) struct Reassembler {
    datagrams: HashMap<FragmentKey, Datagram, KeyedState>,
    /// In order of their first fragment's arrival, which is also the order of their deadlines.
    by_age: BTreeMap<u64, (Instant, FragmentKey)>,
    next_order: u64,
    memory: usize,
}

#[derive(Debug)]
struct Datagram {
    pieces: BTreeMap<usize, Piece>,
    /// Known once the last fragment is there.
    total: Option<usize>,
    /// Bytes of data in `pieces`.
    received: usize,
    /// The first fragment: its header becomes the datagram's.
    first: Option<Fragment>,
    largest: usize,
    dont_fragment: bool,
    /// ECN code points seen, one bit each (RFC 3168 5.3).
    ecn_seen: u8,
    /// It had an overlap: everything that still comes is discarded.
    poisoned: bool,
    memory: usize,
    order: u64,
}

#[derive(Debug)]
struct Piece {
    data: Bytes,
}

impl Reassembler {
    pub(crate) fn new(seed: u64) -> Reassembler {
        Reassembler {
            datagrams: HashMap::with_hasher(KeyedState::new(seed, "fragments")),
            by_age: BTreeMap::new(),
            next_order: 0,
            memory: 0,
        }
    }

    /// Takes one fragment.
    pub(crate) fn insert(&mut self, now: Instant, fragment: Fragment) -> Outcome {
        let key = fragment.key;
        let end = fragment.offset + fragment.data.len();
        if fragment.more && !fragment.data.len().is_multiple_of(8) {
            // RFC 8200 4.5: the payload length is what is wrong.
            return if fragment.v6.is_some() { Outcome::Illegal { at: 4 } } else { Outcome::Discarded };
        }
        let header = fragment.v6.map_or(fragment.data.start, |v6| v6.header_at);
        let counted = if fragment.v6.is_some() { header - 40 } else { header };
        if counted + end > LENGTH_MAX {
            return match fragment.v6 {
                Some(v6) => Outcome::Illegal { at: v6.header_at + 2 },
                None => Outcome::Discarded,
            };
        }
        if fragment.data.is_empty() {
            return Outcome::Discarded;
        }

        let cost = fragment.packet.len() + OVERHEAD;
        while self.memory + cost + OVERHEAD > MEMORY_MAX {
            let Some((_, (_, oldest))) = self.by_age.pop_first() else { return Outcome::Discarded };
            self.forget(oldest);
        }
        let datagram = self.datagrams.entry(key).or_insert_with(|| {
            let order = self.next_order;
            self.next_order += 1;
            self.by_age.insert(order, (now + TIMEOUT, key));
            self.memory += OVERHEAD;
            Datagram::new(order)
        });
        match datagram.add(fragment, end) {
            Added::Copy | Added::Refused => Outcome::Discarded,
            Added::Overlap => {
                self.memory -= datagram.poison();
                Outcome::Discarded
            }
            Added::Kept => {
                datagram.memory += cost;
                self.memory += cost;
                if datagram.total != Some(datagram.received) {
                    return Outcome::Waiting;
                }
                let Some(datagram) = self.forget(key) else { return Outcome::Discarded };
                datagram.assemble().map_or(Outcome::Discarded, Outcome::Whole)
            }
        }
    }

    /// When [`Reassembler::expire`] has something to do.
    pub(crate) fn next_deadline(&self) -> Instant {
        self.by_age.first_key_value().map_or(Instant::NEVER, |(_, &(at, _))| at)
    }

    /// Gives up the oldest datagram if its time was over by `now`. `Some(Some(packet))`: its first fragment had
    /// arrived, so its sender may be told (RFC 792, RFC 4443 3.3). Call until `None`.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Option<Bytes>> {
        let (_, &(at, key)) = self.by_age.first_key_value()?;
        if at > now {
            return None;
        }
        let datagram = self.forget(key)?;
        Some(datagram.first.filter(|_| !datagram.poisoned).map(|first| first.packet))
    }

    /// Bytes held, with overhead.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        self.memory
    }

    fn forget(&mut self, key: FragmentKey) -> Option<Datagram> {
        let datagram = self.datagrams.remove(&key)?;
        self.by_age.remove(&datagram.order);
        self.memory -= datagram.memory + OVERHEAD;
        Some(datagram)
    }
}

/// What adding a fragment to a datagram meant.
enum Added {
    Kept,
    Copy,
    Overlap,
    Refused,
}

impl Datagram {
    fn new(order: u64) -> Datagram {
        Datagram {
            pieces: BTreeMap::new(),
            total: None,
            received: 0,
            first: None,
            largest: 0,
            dont_fragment: false,
            ecn_seen: 0,
            poisoned: false,
            memory: 0,
            order,
        }
    }

    fn add(&mut self, fragment: Fragment, end: usize) -> Added {
        if self.poisoned {
            return Added::Refused;
        }
        let data = fragment.packet.slice(fragment.data.clone());
        if let Some((&start, before)) = self.pieces.range(..=fragment.offset).next_back() {
            if start == fragment.offset && before.data == data {
                return Added::Copy;
            }
            if start + before.data.len() > fragment.offset {
                return Added::Overlap;
            }
        }
        if self.pieces.range(fragment.offset..).next().is_some_and(|(&start, _)| start < end) {
            return Added::Overlap;
        }
        // An end that moves, or data beyond it, is an overlap in spirit: two versions of one datagram.
        let last_end = self.pieces.last_key_value().map_or(0, |(&start, piece)| start + piece.data.len());
        match self.total {
            Some(total) if end > total || !fragment.more => return Added::Overlap,
            None if !fragment.more && last_end > end => return Added::Overlap,
            None if !fragment.more => self.total = Some(end),
            Some(_) | None => {}
        }
        self.received += data.len();
        self.largest = self.largest.max(fragment.packet.len());
        self.dont_fragment |= fragment.dont_fragment;
        self.ecn_seen |= 1 << (fragment.ecn & 3);
        self.pieces.insert(fragment.offset, Piece { data });
        if fragment.offset == 0 {
            self.first = Some(fragment);
        }
        Added::Kept
    }

    /// Drops all data and says how much memory that freed.
    fn poison(&mut self) -> usize {
        self.poisoned = true;
        self.pieces.clear();
        self.first = None;
        core::mem::take(&mut self.memory)
    }

    fn assemble(self) -> Option<Packet> {
        let first = self.first?;
        let total = self.total?;
        let header_len = first.v6.map_or(first.data.start, |v6| v6.header_at);
        let mut packet = Packet::with_room(header_len + total);
        packet.extend(&first.packet[..header_len]);
        for piece in self.pieces.values() {
            packet.extend(&piece.data);
        }
        let ecn = merged_ecn(self.ecn_seen)?;
        let len = packet.len();
        let bytes = packet.bytes_mut();
        match first.v6 {
            Some(v6) => {
                bytes[v6.named_at] = v6.next_header;
                bytes[4..6].copy_from_slice(&u16::try_from(len - 40).ok()?.to_be_bytes());
                bytes[1] = bytes[1] & !0x30 | ecn << 4;
            }
            None => {
                bytes[1] = bytes[1] & !3 | ecn;
                bytes[2..4].copy_from_slice(&u16::try_from(len).ok()?.to_be_bytes());
                bytes[6] = if self.dont_fragment { 0x40 } else { 0 };
                bytes[7] = 0;
                super::set_ipv4_checksum(&mut bytes[..header_len]);
            }
        }
        packet.fragment = Some(WasFragmented {
            largest: self.largest,
            id: first.key.id,
            dont_fragment: self.dont_fragment,
        });
        Some(packet)
    }
}

/// RFC 3168 5.3: a mark on one fragment is a mark on the datagram; a mix of capable and not capable is a lie.
fn merged_ecn(seen: u8) -> Option<u8> {
    const NOT_ECT: u8 = 1 << 0;
    const ECT_1: u8 = 1 << 1;
    const ECT_0: u8 = 1 << 2;
    const CE: u8 = 1 << 3;
    match seen {
        _ if seen & CE != 0 && seen & NOT_ECT != 0 => None,
        _ if seen & CE != 0 => Some(3),
        _ if seen & NOT_ECT != 0 => Some(0),
        ECT_1 => Some(1),
        ECT_0 => Some(2),
        // Both code points of the same meaning (before RFC 8311): the weaker claim.
        _ => Some(2),
    }
}

#[cfg(test)]
mod tests;
