//! A whole zone signed: keys by their state, a signature for every set, and a chain of denials.

use std::collections::{BTreeMap, BTreeSet};

use hickory_proto::rr::{Name, RecordType};
use thru_wire::Instant;

use super::{SigningKey, Window};
use crate::authority::SignedZone;
use crate::dnssec::nsec3::hash_name;
use crate::dnssec::records::Rrsig;
use crate::rdata::type_bitmap;
use crate::rrset::{Data, Rrset, Security, Trust, negative_ttl};
use crate::wire::{CLASS_IN, RawRecord, name_to_wire};

/// Where a key is in its life (RFC 7583 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// In the DNSKEY set, so that caches know it, and signing nothing yet: a zone signing key before its time.
    Published,
    /// In the DNSKEY set, and signing.
    Active,
    /// Still in the DNSKEY set because of old signatures in caches, and signing nothing new.
    Retired,
    /// Not in the DNSKEY set, and signing the zone's data: the first and the last that is seen of an algorithm
    /// (RFC 6781 section 4.1.4).
    Unpublished,
    /// Withdrawn: with the REVOKE flag, signing only the DNSKEY set (RFC 5011 section 2.1).
    Revoked,
}

/// How absence is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chain {
    /// NSEC (RFC 4034 section 4): names can be listed.
    Nsec,
    /// NSEC3 (RFC 5155). RFC 9276 wants no iterations and no salt.
    Nsec3 {
        /// Additional rounds.
        iterations: u16,
        /// Salt, at most 255 octets.
        salt: Vec<u8>,
        /// Leave insecure delegations out of the chain.
        opt_out: bool,
    },
}

/// How to sign.
#[derive(Debug)]
pub struct Plan {
    /// Keys and where each is in its life.
    pub keys: Vec<(SigningKey, KeyState)>,
    /// When the signatures hold.
    pub window: Window,
    /// How absence is proven.
    pub chain: Chain,
    /// TTL of the DNSKEY set, in seconds.
    pub dnskey_ttl: u32,
}

type Sets = BTreeMap<(Name, u16), Rrset>;

/// Signs a zone: the records that came, and all that signing adds.
///
/// Errors say what of the zone can't be signed: no SOA at its origin, records outside of it, no key that is active.
pub fn sign(origin: &Name, records: &[RawRecord], plan: &Plan) -> Result<Vec<RawRecord>, String> {
    sign_after(origin, records, plan, None)
}

/// A version signed before, whose signatures are kept where they still fit: only what has changed is signed anew, and
/// only that has to be transferred.
#[derive(Debug)]
pub struct Before<'a> {
    /// The version.
    pub zone: &'a SignedZone,
    /// Signatures that end before this are not kept; seconds since 1970, modulo 2^32.
    pub until: u32,
}

impl Before<'_> {
    fn signature(&self, origin: &Name, set: &Rrset, key: &SigningKey) -> Option<Vec<u8>> {
        let old = self.zone.any_set(&set.name, set.rtype)?;
        // Tags are not unique: the key itself has to have been there.
        let published = self.zone.set(origin, RecordType::DNSKEY)?;
        let own = |data: &&Data| {
            Rrsig::read(data).is_some_and(|sig| {
                (sig.tag, sig.algorithm, &sig.signer) == (key.tag(), key.algorithm(), origin)
                    && sig.original_ttl == set.ttl
                    && (sig.expiration.wrapping_sub(self.until) as i32) > 0
            })
        };
        let same = old.ttl == set.ttl
            && old.data.len() == set.data.len()
            && set.data.iter().all(|data| old.data.contains(data))
            && published.data.iter().any(|data| data[..] == key.dnskey());
        let kept = old.sigs.iter().find(own).filter(|_| same)?;
        Some(kept.to_vec())
    }
}

/// As [`sign`], after an earlier version.
pub fn sign_after(
    origin: &Name,
    records: &[RawRecord],
    plan: &Plan,
    before: Option<&Before<'_>>,
) -> Result<Vec<RawRecord>, String> {
    let mut sets = gather(origin, records)?;
    let soa = sets.get(&(origin.clone(), RecordType::SOA.into())).ok_or("there is no SOA at its origin")?;
    let denial_ttl = negative_ttl(soa);
    if !plan.keys.iter().any(|(_, state)| *state == KeyState::Active) {
        return Err("no key is active".into());
    }
    publish_keys(origin, &mut sets, plan);
    let cuts: BTreeSet<Name> = sets
        .keys()
        .filter(|(name, rtype)| *rtype == u16::from(RecordType::NS) && name != origin)
        .map(|(name, _)| name.clone())
        .collect();
    match &plan.chain {
        Chain::Nsec => nsec_chain(origin, &mut sets, &cuts, denial_ttl),
        Chain::Nsec3 { iterations, salt, opt_out } => {
            let parameters = Parameters { iterations: *iterations, salt, opt_out: *opt_out };
            nsec3_chain(origin, &mut sets, &cuts, denial_ttl, &parameters)?;
        }
    }
    let mut out = Vec::new();
    for set in sets.values() {
        out.extend(set.records(&set.name, set.ttl, false));
        if is_signed(&cuts, &set.name, set.rtype) {
            out.extend(signatures(origin, set, plan, before).into_iter().map(|data| RawRecord {
                name: set.name.clone(),
                rtype: RecordType::RRSIG,
                class: set.class,
                ttl: set.ttl,
                data: data.into(),
            }));
        }
    }
    Ok(out)
}

fn gather(origin: &Name, records: &[RawRecord]) -> Result<Sets, String> {
    let mut sets = Sets::new();
    for record in records {
        let name = record.name.to_lowercase();
        if !origin.zone_of(&name) {
            return Err(format!("{} lies outside", crate::text::name_text(&name)));
        }
        let set = sets
            .entry((name.clone(), record.rtype.into()))
            .or_insert_with(|| empty(&name, record.rtype, record.ttl));
        if !set.data.contains(&record.data) {
            set.data.push(record.data.clone());
        }
    }
    Ok(sets)
}

fn empty(name: &Name, rtype: RecordType, ttl: u32) -> Rrset {
    Rrset {
        trust: Trust::Ultimate,
        security: Security::Unchecked,
        ..Rrset::new(name.clone(), rtype, CLASS_IN, ttl, Instant::START)
    }
}

fn publish_keys(origin: &Name, sets: &mut Sets, plan: &Plan) {
    let mut set = empty(origin, RecordType::DNSKEY, plan.dnskey_ttl);
    for (key, state) in plan.keys.iter().filter(|(_, state)| *state != KeyState::Unpublished) {
        let data = if *state == KeyState::Revoked { key.revoked_dnskey() } else { key.dnskey() };
        set.data.push(data.into());
    }
    sets.insert((origin.clone(), RecordType::DNSKEY.into()), set);
}

/// Whether a set is the zone's own: not glue, and of a delegation only DS and the denial (RFC 4035 section 2.2).
fn is_signed(cuts: &BTreeSet<Name>, name: &Name, rtype: RecordType) -> bool {
    let own = matches!(rtype, RecordType::DS | RecordType::NSEC);
    if cuts.contains(name) {
        return own;
    }
    !below_cut(cuts, name)
}

fn below_cut(cuts: &BTreeSet<Name>, name: &Name) -> bool {
    let mut above = name.clone();
    while !above.is_root() {
        above = above.base_name();
        if cuts.contains(&above) {
            return true;
        }
    }
    false
}

/// By whom a set is signed, in each algorithm: the keys, and what the parent is told of them, by the entry points, the
/// rest by the others; a key alone signs all.
fn signatures(origin: &Name, set: &Rrset, plan: &Plan, before: Option<&Before<'_>>) -> Vec<Vec<u8>> {
    let of_keys = matches!(set.rtype, RecordType::DNSKEY | RecordType::CDS | RecordType::CDNSKEY);
    let signs = |state: KeyState| state == KeyState::Active || (state == KeyState::Unpublished && !of_keys);
    let active = || plan.keys.iter().filter(|(_, state)| signs(*state)).map(|(key, _)| key);
    let mut algorithms: Vec<u8> = Vec::new();
    for key in active() {
        if !algorithms.contains(&key.algorithm()) {
            algorithms.push(key.algorithm());
        }
    }
    let mut out: Vec<Vec<u8>> = Vec::new();
    for algorithm in algorithms {
        let own = || active().filter(|key| key.algorithm() == algorithm);
        let fitting: Vec<&SigningKey> = own().filter(|key| key.is_entry_point() == of_keys).collect();
        let chosen = if fitting.is_empty() { own().collect() } else { fitting };
        out.extend(chosen.iter().map(|key| {
            let kept = before.and_then(|before| before.signature(origin, set, key));
            kept.unwrap_or_else(|| key.sign(set, origin, plan.window))
        }));
    }
    if set.rtype == RecordType::DNSKEY {
        let revoked = plan.keys.iter().filter(|(_, state)| *state == KeyState::Revoked);
        out.extend(revoked.map(|(key, _)| key.sign_revoked(set, origin, plan.window)));
    }
    out
}

/// Types at each name that the chain speaks of.
fn owners(sets: &Sets, cuts: &BTreeSet<Name>) -> BTreeMap<Name, BTreeSet<u16>> {
    let mut owners: BTreeMap<Name, BTreeSet<u16>> = BTreeMap::new();
    for (name, rtype) in sets.keys() {
        if below_cut(cuts, name) {
            continue;
        }
        let at_cut = cuts.contains(name);
        let kind = RecordType::from(*rtype);
        if at_cut && !matches!(kind, RecordType::NS | RecordType::DS) {
            continue;
        }
        owners.entry(name.clone()).or_default().insert(*rtype);
    }
    owners
}

fn nsec_chain(origin: &Name, sets: &mut Sets, cuts: &BTreeSet<Name>, ttl: u32) {
    let owners = owners(sets, cuts);
    let names: Vec<&Name> = owners.keys().collect();
    for (at, name) in names.iter().enumerate() {
        let next = names.get(at + 1).copied().unwrap_or(origin);
        let mut types = owners[*name].clone();
        types.extend([u16::from(RecordType::RRSIG), u16::from(RecordType::NSEC)]);
        let mut data = name_to_wire(next);
        data.extend(type_bitmap(&types.into_iter().collect::<Vec<u16>>()));
        let mut set = empty(name, RecordType::NSEC, ttl);
        set.data.push(data.into());
        sets.insert(((*name).clone(), RecordType::NSEC.into()), set);
    }
}

struct Parameters<'a> {
    iterations: u16,
    salt: &'a [u8],
    opt_out: bool,
}

fn nsec3_chain(
    origin: &Name,
    sets: &mut Sets,
    cuts: &BTreeSet<Name>,
    ttl: u32,
    parameters: &Parameters<'_>,
) -> Result<(), String> {
    let salt_length = u8::try_from(parameters.salt.len()).map_err(|_| "the salt has more than 255 octets")?;
    let head = |flags: u8| {
        let mut data = vec![1, flags];
        data.extend_from_slice(&parameters.iterations.to_be_bytes());
        data.push(salt_length);
        data.extend_from_slice(parameters.salt);
        data
    };
    let mut set = empty(origin, RecordType::NSEC3PARAM, ttl);
    set.data.push(head(0).into());
    sets.insert((origin.clone(), RecordType::NSEC3PARAM.into()), set);
    let mut owners = owners(sets, cuts);
    if parameters.opt_out {
        let secure = |types: &BTreeSet<u16>| types.contains(&u16::from(RecordType::DS));
        owners.retain(|name, types| !cuts.contains(name) || secure(types));
    }
    // Names that exist because others below them do have a place in the chain, too (RFC 5155 section 7.1).
    for name in owners.keys().cloned().collect::<Vec<Name>>() {
        let mut above = name;
        while above != *origin && !above.is_root() {
            above = above.base_name();
            owners.entry(above.clone()).or_default();
        }
    }
    let mut hashed: BTreeMap<[u8; 20], Vec<u16>> = BTreeMap::new();
    for (name, mut types) in owners {
        let insecure_cut = cuts.contains(&name) && !types.contains(&u16::from(RecordType::DS));
        if !types.is_empty() && !insecure_cut {
            types.insert(RecordType::RRSIG.into());
        }
        let hash = hash_name(&name, parameters.iterations, parameters.salt);
        if hashed.insert(hash, types.into_iter().collect()).is_some() {
            return Err("two names have one hash: take another salt".into());
        }
    }
    let order: Vec<[u8; 20]> = hashed.keys().copied().collect();
    for (at, (hash, types)) in hashed.into_iter().enumerate() {
        let next = order[(at + 1) % order.len()];
        let mut data = head(u8::from(parameters.opt_out));
        data.push(20);
        data.extend_from_slice(&next);
        data.extend(type_bitmap(&types));
        let owner = hashed_name(&hash, origin)?;
        let mut set = empty(&owner, RecordType::NSEC3, ttl);
        set.data.push(data.into());
        sets.insert((owner, RecordType::NSEC3.into()), set);
    }
    Ok(())
}

/// The owner of an NSEC3 record (RFC 5155 section 3).
pub fn hashed_name(hash: &[u8; 20], origin: &Name) -> Result<Name, String> {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let mut label = Vec::with_capacity(32);
    for chunk in hash.chunks(5) {
        let word = chunk.iter().fold(0_u64, |word, octet| word << 8 | u64::from(*octet));
        label.extend((0..8).map(|at| DIGITS[(word >> (35 - 5 * at) & 31) as usize]));
    }
    Name::from_labels(std::iter::once(&label[..]).chain(origin.iter()))
        .map_err(|_| "a hashed name would be too long".into())
}
