//! What NSEC3 records prove (RFC 5155 section 8), with bounds on hashing (RFC 9276, CVE-2023-50868).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use hickory_proto::rr::{Name, RecordType};

use super::algorithm::sha1;
use super::nsec::{strictly_below, wildcard_below};
use super::records::Nsec3;
use crate::rrset::Rrset;
use crate::wire::name_to_wire;

/// Hashes computed for one proof.
const HASHES_MAX: u32 = 64;

/// A proof's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It holds.
    Secure,
    /// It holds as far as it goes: an insecure delegation may hide in an opt-out span, or hashing costs too much.
    Insecure,
    /// It does not hold.
    Bogus,
    /// There is no such delegation: nothing is proven about a cut.
    NoCut,
}

/// The verified NSEC3 records of one message that belong to one zone and share parameters.
#[derive(Debug)]
pub struct Denial<'a> {
    zone: Name,
    records: Vec<(Vec<u8>, Nsec3<'a>)>,
    iterations: u16,
    salt: &'a [u8],
    cache: RefCell<BTreeMap<Name, [u8; 20]>>,
    left: Cell<u32>,
}

/// The closest encloser of a name, and the record that covers the name one label longer.
struct Encloser<'d, 'a> {
    name: Name,
    next_closer: Option<&'d Nsec3<'a>>,
    record: &'d Nsec3<'a>,
}

impl<'a> Denial<'a> {
    /// Picks the usable records for `name`; `None` when there are none.
    pub fn new(sets: &'a [Arc<Rrset>], name: &Name) -> Option<Denial<'a>> {
        let usable = |set: &'a Arc<Rrset>| {
            let record = Nsec3::read(set.data.first()?)?;
            let sound = record.algorithm == 1 && record.flags & !1 == 0 && record.next.len() == 20;
            let zone = set.name.base_name();
            (set.rtype == RecordType::NSEC3 && sound && zone.zone_of(name)).then_some((set, record, zone))
        };
        let found: Vec<_> = sets.iter().filter_map(usable).collect();
        // The deepest zone: that is who signed the denial for this name.
        let (_, first, zone) = found.iter().max_by_key(|(_, _, zone)| zone.iter().len())?.clone();
        let records = found
            .iter()
            .filter(|(_, record, of)| {
                *of == zone && record.iterations == first.iterations && record.salt == first.salt
            })
            .filter_map(|(set, record, _)| Some((base32(set.name.iter().next()?)?, *record)))
            .collect();
        Some(Denial {
            zone,
            records,
            iterations: first.iterations,
            salt: first.salt,
            cache: RefCell::new(BTreeMap::new()),
            left: Cell::new(HASHES_MAX),
        })
    }

    /// More rounds than this are not worth doing (RFC 9276 section 3.2).
    pub fn too_many_iterations(&self, limit: u16) -> bool {
        self.iterations > limit
    }

    fn hash(&self, name: &Name) -> Option<[u8; 20]> {
        if let Some(hash) = self.cache.borrow().get(name) {
            return Some(*hash);
        }
        self.left.set(self.left.get().checked_sub(1)?);
        let hash = hash_name(name, self.iterations, self.salt);
        self.cache.borrow_mut().insert(name.clone(), hash);
        Some(hash)
    }

    fn matching(&self, name: &Name) -> Option<&Nsec3<'a>> {
        let hash = self.hash(name)?;
        self.records.iter().find(|(owner, _)| owner[..] == hash).map(|(_, record)| record)
    }

    fn covering(&self, name: &Name) -> Option<&Nsec3<'a>> {
        let hash = &self.hash(name)?[..];
        self.records
            .iter()
            .find(|(owner, record)| {
                let (owner, next) = (&owner[..], record.next);
                if owner < next { owner < hash && hash < next } else { owner < hash || hash < next }
            })
            .map(|(_, record)| record)
    }

    /// Whether one of the records is that of this name.
    pub fn matches(&self, name: &Name) -> bool {
        self.matching(name).is_some()
    }

    /// RFC 5155 section 8.3.
    fn closest_encloser(&self, name: &Name) -> Option<Encloser<'_, 'a>> {
        let mut candidate = name.clone();
        let mut longer = None;
        loop {
            if !self.zone.zone_of(&candidate) {
                return None;
            }
            if let Some(record) = self.matching(&candidate) {
                let next_closer = longer.as_ref().and_then(|longer| self.covering(longer));
                return Some(Encloser { name: candidate, next_closer, record });
            }
            if candidate.is_root() {
                return None;
            }
            longer = Some(candidate.clone());
            candidate = candidate.base_name();
        }
    }

    /// The encloser of a name that does not exist; it may be neither a delegation nor hold a DNAME.
    fn proven_encloser(&self, name: &Name) -> Result<Encloser<'_, 'a>, Proof> {
        let Some(encloser) = self.closest_encloser(name) else { return Err(Proof::Bogus) };
        if encloser.name == *name {
            return Err(Proof::Bogus);
        }
        if encloser.record.has(RecordType::NS) && !encloser.record.has(RecordType::SOA) {
            // A record of the parent's side proves an insecure delegation when there is no DS.
            return Err(if encloser.record.has(RecordType::DS) { Proof::Bogus } else { Proof::Insecure });
        }
        if encloser.record.has(RecordType::from(39)) || encloser.next_closer.is_none() {
            return Err(Proof::Bogus);
        }
        Ok(encloser)
    }

    /// Whether `name` does not exist (RFC 5155 section 8.4).
    pub fn no_name(&self, name: &Name) -> Proof {
        let encloser = match self.proven_encloser(name) {
            Ok(encloser) => encloser,
            Err(proof) => return proof,
        };
        let covered = wildcard_below(&encloser.name).and_then(|wildcard| self.covering(&wildcard));
        match (covered, encloser.next_closer) {
            (None, _) => Proof::Bogus,
            (_, Some(next)) if next.opt_out() => Proof::Insecure,
            _ => Proof::Secure,
        }
    }

    /// Whether `name` has no `rtype` (RFC 5155 sections 8.5 to 8.7).
    pub fn no_data(&self, name: &Name, rtype: RecordType) -> Proof {
        if let Some(record) = self.matching(name) {
            return if lacks(record, rtype, name) { Proof::Secure } else { Proof::Bogus };
        }
        let encloser = match self.proven_encloser(name) {
            Ok(encloser) => encloser,
            Err(proof) => return proof,
        };
        let opt_out = encloser.next_closer.is_some_and(Nsec3::opt_out);
        if let Some(record) = wildcard_below(&encloser.name).and_then(|wildcard| self.matching(&wildcard)) {
            let there = record.has(rtype)
                || record.has(RecordType::CNAME)
                || (rtype != RecordType::DS && record.has(RecordType::NS) && !record.has(RecordType::SOA));
            return match (there, opt_out) {
                (true, _) => Proof::Bogus,
                (false, true) => Proof::Insecure,
                (false, false) => Proof::Secure,
            };
        }
        // RFC 5155 section 8.6; and other types of a name hidden in an opt-out span.
        if opt_out { Proof::Insecure } else { Proof::Bogus }
    }

    /// Whether an answer out of the wildcard below `encloser` was due for `name` (RFC 5155 section 8.8).
    pub fn wildcard_answer(&self, name: &Name, encloser: &Name) -> Proof {
        if !strictly_below(name, encloser) {
            return Proof::Bogus;
        }
        let next_closer = name.trim_to(encloser.iter().len() + 1);
        match self.covering(&next_closer) {
            Some(record) if record.opt_out() => Proof::Insecure,
            Some(_) => Proof::Secure,
            None => Proof::Bogus,
        }
    }

    /// Whether there is no DS at `name`, on the way down the chain (RFC 5155 section 8.9).
    pub fn no_ds(&self, name: &Name) -> Proof {
        if let Some(record) = self.matching(name) {
            if record.has(RecordType::SOA) && !name.is_root() || record.has(RecordType::DS) {
                return Proof::Bogus;
            }
            return if record.has(RecordType::NS) { Proof::Secure } else { Proof::NoCut };
        }
        match self.proven_encloser(name) {
            Ok(encloser) if encloser.next_closer.is_some_and(Nsec3::opt_out) => Proof::Insecure,
            Ok(_) => Proof::Bogus,
            Err(proof) => proof,
        }
    }
}

fn lacks(record: &Nsec3<'_>, rtype: RecordType, name: &Name) -> bool {
    if record.has(rtype) || record.has(RecordType::CNAME) {
        return false;
    }
    if rtype == RecordType::DS {
        return !record.has(RecordType::SOA) || name.is_root();
    }
    !record.has(RecordType::NS) || record.has(RecordType::SOA)
}

/// The hash of a name (RFC 5155 section 5).
pub fn hash_name(name: &Name, iterations: u16, salt: &[u8]) -> [u8; 20] {
    let mut hash = sha1(&[&name_to_wire(&name.to_lowercase()), salt]);
    for _ in 0..iterations {
        hash = sha1(&[&hash, salt]);
    }
    hash
}

/// The label that carries a hash, as octets.
pub(crate) fn base32(label: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(20);
    let (mut have, mut count) = (0_u32, 0);
    for c in label {
        let value = match c.to_ascii_lowercase() {
            digit @ b'0'..=b'9' => digit - b'0',
            letter @ b'a'..=b'v' => letter - b'a' + 10,
            _ => return None,
        };
        have = have << 5 | u32::from(value);
        count += 5;
        if count >= 8 {
            count -= 8;
            out.push((have >> count) as u8);
            have &= (1 << count) - 1;
        }
    }
    (out.len() == 20).then_some(out)
}
