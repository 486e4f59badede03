//! From a DS set, or a trust anchor, to the keys of a zone (RFC 4035 section 5.2).

use std::collections::BTreeSet;

use hickory_proto::rr::{Name, RecordType};

use super::algorithm::{ds_digest, key_is_sound};
use super::ede;
use super::records::{Dnskey, Ds};
use super::verify::{Context, Unverified, Verified, verify_set};
use crate::rrset::{Data, Rrset};
use crate::wire::name_to_wire;

/// DS records and keys looked at in one set: more is an attack.
const PAIRS_MAX: usize = 64;

/// What a DNSKEY set is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trusted {
    /// These keys may sign the zone; the longest TTL they may be kept.
    Keys(Vec<Data>, Verified),
    /// Nothing above names an algorithm and digest that we know: as if unsigned (RFC 4035 section 5.2). The extended
    /// error that says so.
    Insecure(u16),
    /// The set can't be trusted.
    Bogus(Unverified),
}

/// Whether at least one DS has an algorithm and a digest that we know.
pub fn has_useful_ds(context: Context<'_>, ds: &[Data]) -> bool {
    ds.iter().filter_map(|data| Ds::read(data)).any(|ds| {
        context.algorithms.supports(ds.algorithm) && context.algorithms.supports_digest(ds.digest_type)
    })
}

/// Why no DS is useful, as an extended error.
fn useless_reason(context: Context<'_>, ds: &[Data]) -> u16 {
    let known = |ds: Ds<'_>| context.algorithms.supports(ds.algorithm);
    if ds.iter().filter_map(|data| Ds::read(data)).any(known) {
        ede::UNSUPPORTED_DIGEST
    } else {
        ede::UNSUPPORTED_ALGORITHM
    }
}

/// The first algorithm that DS data (of the best digest) or anchored keys name and the DNSKEY set is not signed with.
fn unsigned_algorithm(
    context: Context<'_>,
    zone: &Name,
    ds: &[Data],
    anchored: &[Data],
    dnskeys: &Rrset,
) -> Option<Unverified> {
    if !context.every_algorithm {
        return None;
    }
    let known =
        || ds.iter().filter_map(|data| Ds::read(data)).filter(|ds| context.algorithms.supports(ds.algorithm));
    let best = known()
        .filter(|ds| context.algorithms.supports_digest(ds.digest_type))
        .map(|ds| ds.digest_type)
        .max();
    let of_ds = known().filter(|ds| Some(ds.digest_type) == best).map(|ds| ds.algorithm);
    let of_keys = anchored.iter().filter_map(|data| Dnskey::read(data)).map(|key| key.algorithm);
    let wanted: BTreeSet<u8> = of_ds.chain(of_keys).filter(|a| context.algorithms.supports(*a)).collect();
    wanted.into_iter().find_map(|algorithm| {
        let own = |data: &&Data| Dnskey::read(data).is_some_and(|key| key.algorithm == algorithm);
        let keys: Vec<Data> = dnskeys.data.iter().filter(own).cloned().collect();
        let signed = verify_set(context, dnskeys, zone, &keys).is_ok();
        let why = || format!("are not signed with algorithm {algorithm}, which stands above them");
        (!signed).then(|| Unverified { code: ede::BOGUS, why: why() })
    })
}

/// The keys in `dnskeys` if one of them matches `ds` and signed the set.
pub fn keys_by_ds(context: Context<'_>, zone: &Name, ds: &[Data], dnskeys: &Rrset) -> Trusted {
    match keys_by_one_ds(context, zone, ds, dnskeys) {
        Trusted::Keys(keys, verified) => match unsigned_algorithm(context, zone, ds, &[], dnskeys) {
            None => Trusted::Keys(keys, verified),
            Some(why) => Trusted::Bogus(why),
        },
        other => other,
    }
}

fn keys_by_one_ds(context: Context<'_>, zone: &Name, ds: &[Data], dnskeys: &Rrset) -> Trusted {
    if !has_useful_ds(context, ds) {
        return Trusted::Insecure(useless_reason(context, ds));
    }
    // RFC 4509 section 3: SHA-1 digests do not count beside better ones.
    let useful = || {
        ds.iter().filter_map(|data| Ds::read(data)).filter(|ds| {
            context.algorithms.supports(ds.algorithm) && context.algorithms.supports_digest(ds.digest_type)
        })
    };
    let best = useful().map(|ds| ds.digest_type).max().unwrap_or(0);
    let owner = name_to_wire(&zone.to_lowercase());
    let mut pairs = 0;
    let mut failure = None;
    for ds in useful().filter(|ds| ds.digest_type == best) {
        for data in &dnskeys.data {
            let Some(key) = Dnskey::read(data) else { continue };
            if key.algorithm != ds.algorithm || key.tag() != ds.tag {
                continue;
            }
            pairs += 1;
            if pairs > PAIRS_MAX {
                break;
            }
            if !key.is_zone_key() {
                failure.get_or_insert(Unverified {
                    code: ede::NO_ZONE_KEY,
                    why: "have no key that may sign a zone".into(),
                });
                continue;
            }
            if !key_is_sound(context.algorithms, key.algorithm, key.key)
                || ds_digest(ds.digest_type, &owner, data).as_deref() != Some(ds.digest)
            {
                continue;
            }
            match verify_set(context, dnskeys, zone, std::slice::from_ref(data)) {
                Ok(verified) => return Trusted::Keys(zone_keys(dnskeys), verified),
                Err(why) => {
                    if failure.as_ref().is_none_or(|f: &Unverified| {
                        f.code == ede::NO_ZONE_KEY || f.code == ede::DNSKEY_MISSING
                    }) {
                        failure = Some(why);
                    }
                }
            }
        }
    }
    Trusted::Bogus(failure.unwrap_or(Unverified {
        code: ede::DNSKEY_MISSING,
        why: "have no key that matches the DS set above".into(),
    }))
}

/// Whether an anchor can be used at all; otherwise the extended error that says why not.
pub fn anchor_use(context: Context<'_>, anchor_ds: &[Data], anchor_keys: &[Data]) -> Result<(), u16> {
    let known = anchor_keys.iter().filter_map(|data| Dnskey::read(data)).any(|key| {
        context.algorithms.supports(key.algorithm) && key_is_sound(context.algorithms, key.algorithm, key.key)
    });
    if known || has_useful_ds(context, anchor_ds) { Ok(()) } else { Err(useless_reason(context, anchor_ds)) }
}

/// The keys in `dnskeys` if one of the anchor's keys, or a key that one of its DS stands for, signed the set.
pub fn keys_by_anchor(
    context: Context<'_>,
    zone: &Name,
    anchor_ds: &[Data],
    anchor_keys: &[Data],
    dnskeys: &Rrset,
) -> Trusted {
    let known = anchor_keys.iter().filter_map(|data| Dnskey::read(data)).any(|key| {
        context.algorithms.supports(key.algorithm) && key_is_sound(context.algorithms, key.algorithm, key.key)
    });
    if !known && !has_useful_ds(context, anchor_ds) {
        return Trusted::Insecure(useless_reason(context, anchor_ds));
    }
    let mut failure = None;
    if known {
        let usable: Vec<Data> = anchor_keys
            .iter()
            .filter(|data| Dnskey::read(data).is_some_and(|key| context.algorithms.supports(key.algorithm)))
            .cloned()
            .collect();
        // A revoked key is another key, with another tag (RFC 5011 section 2.1): it must be in the set as we know it.
        match verify_set(context, dnskeys, zone, &usable) {
            Ok(verified) => {
                return match unsigned_algorithm(context, zone, anchor_ds, &usable, dnskeys) {
                    None => Trusted::Keys(zone_keys(dnskeys), verified),
                    Some(why) => Trusted::Bogus(why),
                };
            }
            // No DS asks for a key that is missing (RFC 8914 section 4.10): signatures of other keys are just wrong.
            Err(why) if why.code == ede::DNSKEY_MISSING => {
                failure = Some(Unverified { code: ede::BOGUS, ..why });
            }
            Err(why) => failure = Some(why),
        }
    }
    if has_useful_ds(context, anchor_ds) {
        return keys_by_ds(context, zone, anchor_ds, dnskeys);
    }
    Trusted::Bogus(failure.expect("a known key was tried"))
}

/// The keys of a set that may sign a zone.
pub fn zone_keys(dnskeys: &Rrset) -> Vec<Data> {
    debug_assert_eq!(dnskeys.rtype, RecordType::DNSKEY, "keys come from a DNSKEY set");
    let usable = |data: &&Data| Dnskey::read(data).is_some_and(|key| key.is_zone_key() && !key.is_revoked());
    dnskeys.data.iter().filter(usable).cloned().collect()
}
