//! Whether a set's signature holds (RFC 4035 section 5.3), in bounded work.

use std::cell::Cell;
use std::time::Duration;

use hickory_proto::rr::Name;

use super::algorithm::{self, Algorithms};
use super::ede;
use super::records::{Dnskey, Rrsig};
use crate::rdata;
use crate::rrset::{Data, Rrset};
use crate::wire::name_to_wire;

/// Cryptographic operations one set may cost: many colliding keys times many signatures is an attack (KeyTrap).
const OPERATIONS_MAX: u32 = 16;
/// Least and most tolerance for clocks that are wrong, in seconds; between them, a tenth of the lifetime.
const SKEW: (u32, u32) = (3600, 86_400);

/// What verification needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// What we can verify.
    pub algorithms: Algorithms,
    /// Seconds since 1970, modulo 2^32.
    pub now: u32,
    /// Times are not looked at.
    pub ignore_times: bool,
    /// A zone's keys have to be signed with every algorithm that its DS set or anchor names: stricter than RFC 6840
    /// section 5.11, so that who breaks one algorithm gains nothing where there are two.
    pub every_algorithm: bool,
    /// Cryptographic operations left for the whole message.
    pub operations: &'a Cell<u32>,
}

/// A signature that held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The closest encloser, when the owner came out of a wildcard below it.
    pub wildcard: Option<Name>,
    /// The longest TTL that the signature allows, in seconds.
    pub ttl_max: u32,
}

/// Why none held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unverified {
    /// Extended error code.
    pub code: u16,
    /// In words, completing "the records of X ...".
    pub why: String,
}

fn fail<T>(code: u16, why: impl Into<String>) -> Result<T, Unverified> {
    Err(Unverified { code, why: why.into() })
}

/// Whether one of the zone's keys signed the set.
pub fn verify_set(
    context: Context<'_>,
    set: &Rrset,
    zone: &Name,
    keys: &[Data],
) -> Result<Verified, Unverified> {
    if set.sigs.is_empty() {
        return fail(ede::RRSIGS_MISSING, "have no signatures");
    }
    let mut operations = OPERATIONS_MAX;
    let mut best: Option<Unverified> = None;
    for sig in &set.sigs {
        let Some(sig) = Rrsig::read(sig) else { continue };
        match verify_one(context, set, zone, keys, &sig, &mut operations) {
            Ok(verified) => return Ok(verified),
            Err(failure) => {
                // A signature that is wrong tells more than one that is only old.
                let rank = |code| match code {
                    ede::BOGUS => 4,
                    ede::EXPIRED | ede::NOT_YET_VALID | ede::EXPIRED_BEFORE_VALID => 3,
                    ede::DNSKEY_MISSING => 2,
                    _ => 1,
                };
                if best.as_ref().is_none_or(|best| rank(failure.code) >= rank(best.code)) {
                    best = Some(failure);
                }
            }
        }
    }
    Err(best.unwrap_or(Unverified { code: ede::BOGUS, why: "have no readable signature".into() }))
}

fn verify_one(
    context: Context<'_>,
    set: &Rrset,
    zone: &Name,
    keys: &[Data],
    sig: &Rrsig<'_>,
    operations: &mut u32,
) -> Result<Verified, Unverified> {
    let labels = labels_of(&set.name);
    if sig.covered != set.rtype || !sig.signer.zone_of(&set.name) || usize::from(sig.labels) > labels {
        return fail(ede::BOGUS, "have a signature that belongs elsewhere");
    }
    if sig.signer != *zone {
        return fail(ede::DNSKEY_MISSING, "are signed by another zone");
    }
    if !context.algorithms.supports(sig.algorithm) {
        return fail(ede::UNSUPPORTED_ALGORITHM, format!("are signed with algorithm {}", sig.algorithm));
    }
    let found = keys
        .iter()
        .filter_map(|key| Dnskey::read(key))
        .filter(|key| key.algorithm == sig.algorithm && key.tag() == sig.tag && key.is_zone_key());
    let mut message = None;
    let mut matched = false;
    for key in found {
        matched = true;
        if !context.ignore_times {
            check_times(context.now, sig)?;
        }
        if *operations == 0 || context.operations.get() == 0 {
            return fail(ede::BOGUS, "cost more to verify than they are worth");
        }
        *operations -= 1;
        context.operations.set(context.operations.get() - 1);
        let message = message.get_or_insert_with(|| signed_data(set, sig));
        if algorithm::verify(context.algorithms, sig.algorithm, key.key, message, sig.signature) {
            let wildcard =
                (usize::from(sig.labels) < labels).then(|| set.name.trim_to(usize::from(sig.labels)));
            let left = sig.expiration.wrapping_sub(context.now);
            let left = match left as i32 {
                _ if context.ignore_times => u32::MAX,
                late if late < 0 => 0,
                _ => left,
            };
            return Ok(Verified { wildcard, ttl_max: sig.original_ttl.min(left) });
        }
    }
    if matched {
        fail(ede::BOGUS, "have a signature that does not verify")
    } else {
        fail(ede::DNSKEY_MISSING, format!("are signed with key {} which the zone does not have", sig.tag))
    }
}

/// Labels without the root and without a leading `*` (RFC 4034 section 3.1.3).
pub fn labels_of(name: &Name) -> usize {
    let labels = name.iter().len();
    if name.iter().next() == Some(b"*") { labels - 1 } else { labels }
}

/// RFC 4034 section 3.1.5: serial arithmetic. Clocks are wrong, so a little is forgiven.
fn check_times(now: u32, sig: &Rrsig<'_>) -> Result<(), Unverified> {
    let lifetime = sig.expiration.wrapping_sub(sig.inception);
    if (lifetime as i32) < 0 {
        return fail(ede::EXPIRED_BEFORE_VALID, "have a signature that ends before it begins");
    }
    let skew = (lifetime / 10).clamp(SKEW.0, SKEW.1);
    let late = now.wrapping_sub(sig.expiration) as i32;
    if late > 0 && late as u32 > skew {
        let days = Duration::from_secs(u64::from(late as u32)).as_secs() / 86_400;
        return fail(ede::EXPIRED, format!("have a signature that expired {days} days ago"));
    }
    let early = sig.inception.wrapping_sub(now) as i32;
    if early > 0 && early as u32 > skew {
        return fail(ede::NOT_YET_VALID, "have a signature of the future");
    }
    Ok(())
}

/// The octets that were signed (RFC 4034 section 3.1.8.1).
pub(super) fn signed_data(set: &Rrset, sig: &Rrsig<'_>) -> Vec<u8> {
    // The signer's name is signed in lower case.
    let mut out = sig.head[..18].to_vec();
    out.extend_from_slice(&name_to_wire(&sig.signer.to_lowercase()));
    let mut owner = name_to_wire(&set.name.to_lowercase());
    let labels = labels_of(&set.name);
    if usize::from(sig.labels) < labels {
        owner = vec![1, b'*'];
        owner.extend(name_to_wire(&set.name.to_lowercase().trim_to(usize::from(sig.labels))));
    }
    owner.extend_from_slice(&u16::from(set.rtype).to_be_bytes());
    owner.extend_from_slice(&set.class.to_be_bytes());
    owner.extend_from_slice(&sig.original_ttl.to_be_bytes());
    let mut data: Vec<Vec<u8>> = set.data.iter().map(|data| rdata::canonical(set.rtype, data)).collect();
    data.sort();
    data.dedup();
    for data in data {
        out.extend_from_slice(&owner);
        out.extend_from_slice(&(data.len() as u16).to_be_bytes());
        out.extend_from_slice(&data);
    }
    out
}
