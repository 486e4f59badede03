//! The digest over a whole zone (ZONEMD, RFC 8976): whether a copy is what its maker published.
//!
//! - [`check`]: compares a zone with the digests that it carries. Start here.
//! - [`digest`]: the SIMPLE scheme (RFC 8976 section 3.3.1).

use std::collections::BTreeSet;

use hickory_proto::rr::{Name, RecordType};
use ring::digest::{Algorithm, Context, SHA384, SHA512};

use super::SignedZone;
use crate::rdata;
use crate::rrset::Rrset;
use crate::wire::{CLASS_IN, name_to_wire};

/// ZONEMD (RFC 8976 section 2).
pub const ZONEMD: RecordType = RecordType::Unknown(63);

/// The scheme that hashes every record.
const SIMPLE: u8 = 1;
/// Shortest digest that counts, in octets (RFC 8976 section 2.2.4).
const DIGEST_MIN: usize = 12;

/// What the digests of a zone say about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// One of them fits.
    Fits,
    /// All that could be compared are of schemes or algorithms that we do not know.
    Unknown,
    /// There is none.
    None,
}

/// Compares a zone with its digests (RFC 8976 section 4). The error says in words why none fits.
pub fn check(zone: &SignedZone) -> Result<Found, String> {
    let Some(set) = zone.set(zone.origin(), ZONEMD) else { return Ok(Found::None) };
    let kind = |data: &[u8]| data.get(4..6).map(<[u8]>::to_vec);
    let mut why = String::from("no digest of the zone can be read");
    let mut unknown = false;
    let mut failed = false;
    for data in &set.data {
        let (Some(serial), Some(&[scheme, algorithm]), Some(wanted)) =
            (data.get(..4), data.get(4..6), data.get(6..))
        else {
            failed = true;
            continue;
        };
        if set.data.iter().filter(|other| kind(other) == kind(data)).count() > 1 {
            (failed, why) = (true, "two digests of one kind contradict each other".into());
            continue;
        }
        if serial != zone.serial().to_be_bytes() {
            (failed, why) = (true, "the digest is that of another serial".into());
            continue;
        }
        match algorithm_of(scheme, algorithm) {
            None => unknown = true,
            Some(_) if wanted.len() < DIGEST_MIN => {
                (failed, why) = (true, "the digest is too short to count".into());
            }
            Some(algorithm) if digest(zone, algorithm).as_ref() == wanted => return Ok(Found::Fits),
            Some(_) => (failed, why) = (true, "the digest is that of other records".into()),
        }
    }
    if unknown && !failed { Ok(Found::Unknown) } else { Err(why) }
}

fn algorithm_of(scheme: u8, algorithm: u8) -> Option<&'static Algorithm> {
    match (scheme, algorithm) {
        (SIMPLE, 1) => Some(&SHA384),
        (SIMPLE, 2) => Some(&SHA512),
        _ => None,
    }
}

/// The digest over all records in canonical order, those about the digest itself left out (RFC 8976 section 3.3.1).
pub fn digest(zone: &SignedZone, algorithm: &'static Algorithm) -> ring::digest::Digest {
    let mut context = Context::new(algorithm);
    let mut hashed: Vec<&Rrset> = zone.hashed.values().collect();
    hashed.sort_by(|a, b| a.name.cmp(&b.name));
    let mut hashed = hashed.into_iter().peekable();
    for (name, node) in &zone.nodes {
        while let Some(set) = hashed.next_if(|set| set.name < *name) {
            owner(&mut context, &set.name, &[set], false);
        }
        let mut sets: Vec<&Rrset> = node.values().collect();
        sets.extend(hashed.next_if(|set| set.name == *name));
        sets.sort_by_key(|set| u16::from(set.rtype));
        owner(&mut context, name, &sets, name == zone.origin());
    }
    hashed.for_each(|set| owner(&mut context, &set.name, &[set], false));
    context.finish()
}

/// The sets of one name in order of their types, with the signatures among them.
fn owner(context: &mut Context, name: &Name, sets: &[&Rrset], apex: bool) {
    let about_digest = |rtype: RecordType| apex && rtype == ZONEMD;
    let covers_digest = |sig: &[u8]| apex && sig.get(..2) == Some(&[0, 63]);
    let alone = sets.iter().filter(|set| set.rtype == RecordType::RRSIG).flat_map(|set| &set.data);
    let sigs = sets.iter().flat_map(|set| set.sigs.iter().map(|sig| (set.ttl, sig)));
    let alone = alone
        .map(|sig| (sets.iter().find(|set| set.rtype == RecordType::RRSIG).map_or(0, |set| set.ttl), sig));
    let mut sigs: Vec<(u32, Vec<u8>)> = sigs
        .chain(alone)
        .filter(|(_, sig)| !covers_digest(sig))
        .map(|(ttl, sig)| (ttl, rdata::canonical(RecordType::RRSIG, sig)))
        .collect();
    sigs.sort_by(|a, b| a.1.cmp(&b.1));
    sigs.dedup_by(|a, b| a.1 == b.1);
    let number = u16::from(RecordType::RRSIG);
    let mut sigs_done = sigs.is_empty();
    for set in sets.iter().filter(|set| set.rtype != RecordType::RRSIG && !about_digest(set.rtype)) {
        if !sigs_done && u16::from(set.rtype) > number {
            sigs.iter().for_each(|(ttl, data)| record(context, name, number, *ttl, data));
            sigs_done = true;
        }
        let data: BTreeSet<Vec<u8>> = set.data.iter().map(|data| rdata::canonical(set.rtype, data)).collect();
        data.iter().for_each(|data| record(context, name, set.rtype.into(), set.ttl, data));
    }
    if !sigs_done {
        sigs.iter().for_each(|(ttl, data)| record(context, name, number, *ttl, data));
    }
}

/// One record in canonical form (RFC 4034 section 6.2).
fn record(context: &mut Context, name: &Name, rtype: u16, ttl: u32, data: &[u8]) {
    context.update(&name_to_wire(&name.to_lowercase()));
    context.update(&rtype.to_be_bytes());
    context.update(&CLASS_IN.to_be_bytes());
    context.update(&ttl.to_be_bytes());
    context.update(&(data.len() as u16).to_be_bytes());
    context.update(data);
}

#[cfg(test)]
mod tests;
