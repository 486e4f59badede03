//! Answers kept as the octets that went out, for the queries that come most: plain ones, asked again.
//!
//! A query is plain when it asks one question and, at the most, announces EDNS without options. Two plain queries that
//! differ only in id and in the letter case of the name get the same octets but for id, name and TTLs, so an answer
//! that was written once is copied for all others until the first of its records is over. Whoever fills this decides
//! what may be kept, and looks first whether the client may ask at all.
//!
//! - [`PlainQuery`]: what a query comes down to. - [`PackedAnswers`]: the answers.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use siphasher::sip::SipHasher13;
use thru_wire::Instant;

use crate::message::{HEADER_LEN, UDP_PAYLOAD, UDP_PAYLOAD_PLAIN};

/// Octets of a name in wire form (RFC 1035 section 2.3.4).
const NAME_MAX: usize = 255;
/// Flags, name, type and class.
const KEY_MAX: usize = 1 + NAME_MAX + 4;
/// What an entry costs beside its octets: the map's share, a box and two instants.
const ENTRY_COST: usize = 96;
/// Type OPT.
const OPT: [u8; 3] = [0, 0, 41];

/// What makes one plain query ask for the same octets as another.
#[derive(Clone, Debug)]
pub struct PlainQuery {
    key: [u8; KEY_MAX],
    length: usize,
    /// Octets of the answer that the client takes over UDP.
    limit: usize,
}

impl PlainQuery {
    /// `None`: not a plain query; somebody has to look closer.
    pub fn read(query: &[u8]) -> Option<PlainQuery> {
        let header = query.first_chunk::<HEADER_LEN>()?;
        // A standard query without AA and TC; of the second octet RD, AD and CD say something.
        if header[2] & 0xfe != 0 || header[3] & 0xcf != 0 {
            return None;
        }
        if header[4..11] != [0, 1, 0, 0, 0, 0, 0] || header[11] > 1 {
            return None;
        }
        let mut plain = PlainQuery { key: [0; KEY_MAX], length: 1, limit: usize::from(UDP_PAYLOAD_PLAIN) };
        let mut at = HEADER_LEN;
        loop {
            let label = usize::from(*query.get(at)?);
            at += 1 + label;
            if label > 63 || at - HEADER_LEN > NAME_MAX {
                return None;
            }
            if label == 0 {
                break;
            }
        }
        // Name, type and class. Of them only the name may be spelled differently; a label's length is below 64 and so
        // never taken for a letter.
        let asked = query.get(HEADER_LEN..at + 4)?;
        plain.key[1..=asked.len()].copy_from_slice(asked);
        plain.length += asked.len();
        plain.key[1..=at - HEADER_LEN].make_ascii_lowercase();
        at += 4;
        let mut flags = header[2] & 1 | header[3] & 0x30;
        if header[11] == 1 {
            let opt = query.get(at..)?.first_chunk::<11>()?;
            // Version 0, no extended code, no flag but DO, no options.
            if opt[..3] != OPT || opt[5..7] != [0, 0] || opt[7] & 0x7f != 0 || opt[8..] != [0, 0, 0] {
                return None;
            }
            flags |= 2 | opt[7] >> 5;
            let announced = u16::from_be_bytes([opt[3], opt[4]]);
            plain.limit = usize::from(announced.clamp(UDP_PAYLOAD_PLAIN, UDP_PAYLOAD));
            at += 11;
        }
        plain.key[0] = flags;
        (at == query.len()).then_some(plain)
    }

    fn key(&self) -> &[u8] {
        &self.key[..self.length]
    }

    /// Octets of the name.
    fn name_length(&self) -> usize {
        self.length - 5
    }
}

/// The map's keys are hashes already.
#[derive(Clone, Copy, Debug, Default)]
struct Ready(u64);

impl Hasher for Ready {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("keys are numbers");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[derive(Debug)]
struct Entry {
    /// The reply, whose question is spelled in lower case, and behind it where its records' TTLs stand, two octets
    /// each: all in one place, for every further one has to be fetched from memory.
    octets: Box<[u8]>,
    reply: u16,
    /// What the query said beside its question.
    flags: u8,
    made: Instant,
    until: Instant,
}

impl Entry {
    /// Whether this is the answer to that query: another may have the same hash.
    fn answers(&self, plain: &PlainQuery) -> bool {
        let asked = &plain.key()[1..];
        self.flags == plain.key[0] && self.octets.get(HEADER_LEN..HEADER_LEN + asked.len()) == Some(asked)
    }

    /// Appends it as the answer to this query, if it still holds and fits the client.
    fn put(&self, now: Instant, plain: &PlainQuery, query: &[u8], out: &mut Vec<u8>) -> bool {
        let length = usize::from(self.reply);
        if self.until <= now || length > plain.limit {
            return false;
        }
        let (octets, ttls) = self.octets.split_at(length);
        let start = out.len();
        out.extend_from_slice(octets);
        let reply = &mut out[start..];
        reply[..2].copy_from_slice(&query[..2]);
        let name = HEADER_LEN..HEADER_LEN + plain.name_length();
        reply[name.clone()].copy_from_slice(&query[name]);
        let age = now.since(self.made).as_secs();
        if age > 0 {
            for at in ttls.as_chunks::<2>().0 {
                let at = usize::from(u16::from_ne_bytes(*at));
                let place = &mut reply[at..at + 4];
                let ttl = u32::from_be_bytes([place[0], place[1], place[2], place[3]]);
                let left = u64::from(ttl).saturating_sub(age) as u32;
                place.copy_from_slice(&left.to_be_bytes());
            }
        }
        true
    }
}

/// By the hash of what was asked.
type Generation = HashMap<u64, Entry, BuildHasherDefault<Ready>>;

/// Answers by plain query, bounded in octets: what has not been asked for since about half of the bound came in goes.
/// Nothing ever iterates the maps.
#[derive(Debug)]
pub struct PackedAnswers {
    /// Keyed, so that nobody can choose names that collide.
    hash: SipHasher13,
    young: Generation,
    old: Generation,
    /// What the young generation costs.
    octets: usize,
    octets_max: usize,
}

impl PackedAnswers {
    /// No answers; they will take about this many octets at the most.
    pub fn new(key: (u64, u64), octets_max: usize) -> PackedAnswers {
        PackedAnswers {
            hash: SipHasher13::new_with_keys(key.0, key.1),
            young: Generation::default(),
            old: Generation::default(),
            octets: 0,
            octets_max,
        }
    }

    /// Appends the answer to `query`, whose [`PlainQuery`] this is, to `out`; `false` if there is none that still holds
    /// and that fits the client.
    pub fn answer(&mut self, now: Instant, plain: &PlainQuery, query: &[u8], out: &mut Vec<u8>) -> bool {
        let hash = self.hash.hash(plain.key());
        if let Some(entry) = self.young.get(&hash) {
            return entry.answers(plain) && entry.put(now, plain, query, out);
        }
        let Some(entry) = self.old.remove(&hash) else { return false };
        let put = entry.answers(plain) && entry.put(now, plain, query, out);
        if entry.until > now {
            self.insert(hash, entry);
        }
        put
    }

    /// Keeps a reply to the query until `until`. One that was cut, or that is no reply to it, is not kept.
    pub fn keep(&mut self, now: Instant, until: Instant, plain: &PlainQuery, reply: &[u8]) {
        let cut = reply.get(2).is_none_or(|flags| flags & 2 != 0);
        let (Some(ttls), Ok(length)) = (ttl_offsets(reply, plain), u16::try_from(reply.len())) else {
            return;
        };
        if cut || until <= now {
            return;
        }
        let mut octets = Vec::with_capacity(reply.len() + 2 * ttls.len());
        octets.extend_from_slice(reply);
        octets[HEADER_LEN..HEADER_LEN + plain.length - 1].copy_from_slice(&plain.key()[1..]);
        octets.extend(ttls.iter().flat_map(|at| at.to_ne_bytes()));
        let entry = Entry { octets: octets.into(), reply: length, flags: plain.key[0], made: now, until };
        let hash = self.hash.hash(plain.key());
        self.old.remove(&hash);
        self.insert(hash, entry);
    }

    fn insert(&mut self, hash: u64, entry: Entry) {
        self.octets += entry.octets.len() + ENTRY_COST;
        self.young.insert(hash, entry);
        if self.octets > self.octets_max / 2 {
            self.octets = 0;
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
        self.octets = 0;
    }

    /// Answers held.
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The lowest TTL of a reply's records; `None` for none, and for octets that are no reply.
pub fn lowest_ttl(reply: &[u8]) -> Option<u32> {
    let packet = crate::wire::Packet::read(reply).ok()?;
    packet.records().map(|record| record.ttl).min()
}

/// Where the TTLs of a reply stand, OPT's field of that place left out; `None` for octets that are no reply to this.
fn ttl_offsets(reply: &[u8], plain: &PlainQuery) -> Option<Vec<u16>> {
    let header = reply.first_chunk::<HEADER_LEN>()?;
    let (name, kind) = reply.get(HEADER_LEN..HEADER_LEN + plain.length - 1)?.split_at(plain.name_length());
    let (asked, asked_kind) = plain.key()[1..].split_at(plain.name_length());
    if !name.eq_ignore_ascii_case(asked) || kind != asked_kind || header[4..6] != [0, 1] {
        return None;
    }
    let records: usize =
        (3..6).map(|at| usize::from(u16::from_be_bytes([header[2 * at], header[2 * at + 1]]))).sum();
    let mut at = HEADER_LEN + plain.name_length() + 4;
    let mut offsets = Vec::new();
    for _ in 0..records {
        loop {
            match *reply.get(at)? {
                0 => break at += 1,
                label @ 1..=63 => at += 1 + usize::from(label),
                0xc0.. => break at += 2,
                _ => return None,
            }
        }
        let fixed = reply.get(at..at + 10)?;
        if fixed[..2] != OPT[1..] {
            offsets.push(u16::try_from(at + 4).ok()?);
        }
        at += 10 + usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
    }
    (at == reply.len()).then_some(offsets)
}

#[cfg(test)]
mod tests;
