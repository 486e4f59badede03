//! Answers kept as the octets that went out, for the queries that come most: plain ones, asked again.
//!
//! A query is plain when it asks one question and, at the most, announces EDNS without options. Two plain queries that
//! differ only in id and in the letter case of the name get the same octets but for id, name and TTLs, so an answer
//! that was written once is copied for all others until the first of its records is over. Whoever fills this decides
//! what may be kept, and looks first whether the client may ask at all.
//!
//! - [`PlainQuery`]: what a query comes down to. - [`PackedAnswers`]: the answers.

use std::collections::HashMap;
use std::hash::BuildHasher;

use siphasher::sip::SipHasher13;
use thru_wire::Instant;

use crate::message::{HEADER_LEN, UDP_PAYLOAD, UDP_PAYLOAD_PLAIN};

/// Octets of a name in wire form (RFC 1035 section 2.3.4).
const NAME_MAX: usize = 255;
/// Flags, name, type and class.
const KEY_MAX: usize = 1 + NAME_MAX + 4;
/// What an entry costs beside its octets: the map's share, three boxes and two instants.
const ENTRY_COST: usize = 120;
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
            let end = at + 1 + label;
            if label > 63 || end - HEADER_LEN > NAME_MAX {
                return None;
            }
            let octets = query.get(at..end)?;
            for (kept, octet) in plain.key[plain.length..].iter_mut().zip(octets) {
                // A label's length is below 64 and so never taken for a letter.
                *kept = octet.to_ascii_lowercase();
            }
            plain.length += octets.len();
            at = end;
            if label == 0 {
                break;
            }
        }
        plain.key[plain.length..plain.length + 4].copy_from_slice(query.get(at..at + 4)?);
        plain.length += 4;
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

/// Keys the map's hashes, so that nobody can choose names that collide.
#[derive(Clone, Copy, Debug)]
struct Keyed(u64, u64);

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0, self.1)
    }
}

#[derive(Debug)]
struct Entry {
    octets: Box<[u8]>,
    /// Where the records' TTLs stand.
    ttls: Box<[u16]>,
    made: Instant,
    until: Instant,
}

impl Entry {
    /// Appends it as the answer to this query, if it still holds and fits the client.
    fn put(&self, now: Instant, plain: &PlainQuery, query: &[u8], out: &mut Vec<u8>) -> bool {
        if self.until <= now || self.octets.len() > plain.limit {
            return false;
        }
        let start = out.len();
        out.extend_from_slice(&self.octets);
        let reply = &mut out[start..];
        reply[..2].copy_from_slice(&query[..2]);
        let name = HEADER_LEN..HEADER_LEN + plain.name_length();
        reply[name.clone()].copy_from_slice(&query[name]);
        let age = now.since(self.made).as_secs();
        if age > 0 {
            for &at in &self.ttls {
                let place = &mut reply[usize::from(at)..usize::from(at) + 4];
                let ttl = u32::from_be_bytes([place[0], place[1], place[2], place[3]]);
                let left = u64::from(ttl).saturating_sub(age) as u32;
                place.copy_from_slice(&left.to_be_bytes());
            }
        }
        true
    }
}

type Generation = HashMap<Box<[u8]>, Entry, Keyed>;

/// Answers by plain query, bounded in octets: what has not been asked for since about half of the bound came in goes.
/// Nothing ever iterates the maps.
#[derive(Debug)]
pub struct PackedAnswers {
    young: Generation,
    old: Generation,
    /// What the young generation costs.
    octets: usize,
    octets_max: usize,
}

impl PackedAnswers {
    /// No answers; they will take about this many octets at the most.
    pub fn new(key: (u64, u64), octets_max: usize) -> PackedAnswers {
        let generation = || HashMap::with_hasher(Keyed(key.0, key.1));
        PackedAnswers { young: generation(), old: generation(), octets: 0, octets_max }
    }

    /// Appends the answer to `query`, whose [`PlainQuery`] this is, to `out`; `false` if there is none that still holds
    /// and that fits the client.
    pub fn answer(&mut self, now: Instant, plain: &PlainQuery, query: &[u8], out: &mut Vec<u8>) -> bool {
        let key = plain.key();
        if let Some(entry) = self.young.get(key) {
            return entry.put(now, plain, query, out);
        }
        let Some((key, entry)) = self.old.remove_entry(key) else { return false };
        let put = entry.put(now, plain, query, out);
        if entry.until > now {
            self.insert(key, entry);
        }
        put
    }

    /// Keeps a reply to the query until `until`. One that was cut, or that is no reply to it, is not kept.
    pub fn keep(&mut self, now: Instant, until: Instant, plain: &PlainQuery, reply: &[u8]) {
        let cut = reply.get(2).is_none_or(|flags| flags & 2 != 0);
        let Some(ttls) = ttl_offsets(reply, plain) else { return };
        if cut || until <= now {
            return;
        }
        let entry = Entry { octets: reply.into(), ttls, made: now, until };
        self.old.remove(plain.key());
        self.insert(plain.key().into(), entry);
    }

    fn insert(&mut self, key: Box<[u8]>, entry: Entry) {
        self.octets += key.len() + entry.octets.len() + 2 * entry.ttls.len() + ENTRY_COST;
        self.young.insert(key, entry);
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
fn ttl_offsets(reply: &[u8], plain: &PlainQuery) -> Option<Box<[u16]>> {
    let header = reply.first_chunk::<HEADER_LEN>()?;
    let name = reply.get(HEADER_LEN..HEADER_LEN + plain.name_length())?;
    if !name.eq_ignore_ascii_case(&plain.key()[1..=plain.name_length()]) || header[4..6] != [0, 1] {
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
    (at == reply.len()).then(|| offsets.into())
}

#[cfg(test)]
mod tests;
