//! Ways to get a signed zone wrong, on purpose: for labs and tests.
//!
//! A [`Flaw`] is what an operator's slip leaves behind: signatures that ran out, a DS that fits no key, a chain of
//! denials with holes. [`sign`] makes a zone with some of them, [`ds`] what the zone above says of it. The words are
//! those of scenario files.

use hickory_proto::rr::{Name, RecordType};

use super::zone::{Chain, KeyState, Plan};
use super::{SigningKey, Window};
use crate::wire::RawRecord;

const DAY: u32 = 86_400;

/// One thing that is wrong with a signed zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flaw {
    /// Every signature ended ten days ago.
    Expired,
    /// So did those over all but the keys.
    ExpiredData,
    /// Every signature begins in ten days.
    NotYetValid,
    /// Every signature ends within a day: nothing is wrong yet.
    Expiring,
    /// There are no signatures at all.
    NoSignatures,
    /// Only the keys are signed.
    UnsignedData,
    /// The signatures over all but the keys do not verify.
    BadSignatures,
    /// The signatures over the keys do not verify.
    BadKeySignatures,
    /// The keys are not signed.
    NoKeySignatures,
    /// There are no keys.
    NoKeys,
    /// The key that the zone above speaks of is missing.
    NoKsk,
    /// The key that signs the data is missing.
    NoZsk,
    /// The key that signs the data is another one than was used.
    BadZsk,
    /// The keys lack the flag that makes them zone keys.
    NotZoneKeys,
    /// Keys and signatures are of an algorithm that nobody knows.
    UnknownAlgorithm,
    /// The zone was given a new key signing key, and the zone above still speaks of the old one.
    KskReplaced,
    /// The digest in the DS is of another key.
    DsDigest,
    /// The DS names another key tag.
    DsTag,
    /// The DS names another algorithm than the key's.
    DsAlgorithm,
    /// The DS names an algorithm that nobody knows.
    DsUnknownAlgorithm,
    /// The DS is of a digest type that nobody knows.
    DsUnknownDigest,
    /// The zone above has no DS: an island of signatures.
    NoDs,
    /// There are no NSEC or NSEC3 records.
    NoDenial,
    /// All but the first link of the chain of denials are missing.
    DenialGap,
    /// Denials are not signed.
    UnsignedDenial,
    /// The signatures over denials do not verify.
    BadDenial,
    /// NSEC3 with 500 iterations (RFC 9276 section 3.2).
    Iterations,
}

impl Flaw {
    /// Every flaw and its word.
    pub const WORDS: [(&'static str, Flaw); 27] = [
        ("expired", Flaw::Expired),
        ("expired-data", Flaw::ExpiredData),
        ("not-yet-valid", Flaw::NotYetValid),
        ("expiring", Flaw::Expiring),
        ("no-signatures", Flaw::NoSignatures),
        ("unsigned-data", Flaw::UnsignedData),
        ("bad-signatures", Flaw::BadSignatures),
        ("bad-key-signatures", Flaw::BadKeySignatures),
        ("no-key-signatures", Flaw::NoKeySignatures),
        ("no-keys", Flaw::NoKeys),
        ("no-ksk", Flaw::NoKsk),
        ("no-zsk", Flaw::NoZsk),
        ("bad-zsk", Flaw::BadZsk),
        ("not-zone-keys", Flaw::NotZoneKeys),
        ("unknown-algorithm", Flaw::UnknownAlgorithm),
        ("ksk-replaced", Flaw::KskReplaced),
        ("ds-digest", Flaw::DsDigest),
        ("ds-tag", Flaw::DsTag),
        ("ds-algorithm", Flaw::DsAlgorithm),
        ("ds-unknown-algorithm", Flaw::DsUnknownAlgorithm),
        ("ds-unknown-digest", Flaw::DsUnknownDigest),
        ("no-ds", Flaw::NoDs),
        ("no-denial", Flaw::NoDenial),
        ("denial-gap", Flaw::DenialGap),
        ("unsigned-denial", Flaw::UnsignedDenial),
        ("bad-denial", Flaw::BadDenial),
        ("iterations", Flaw::Iterations),
    ];

    /// The word in scenario files.
    pub fn word(self) -> &'static str {
        Flaw::WORDS.iter().find(|(_, known)| *known == self).map_or("", |(word, _)| word)
    }
}

/// Signs a zone with its flaws, at `date` (seconds since 1970). Good signatures began ten days before and hold for
/// twenty more. `keys` are the entry point and the one for the data; `spare` is what replaces the former.
pub fn sign(
    origin: &Name,
    records: &[RawRecord],
    [ksk, zsk, spare]: [SigningKey; 3],
    mut chain: Chain,
    date: u32,
    flaws: &[Flaw],
) -> Result<Vec<RawRecord>, String> {
    let has = |flaw| flaws.contains(&flaw);
    if has(Flaw::Iterations) {
        chain = Chain::Nsec3 { iterations: 500, salt: Vec::new(), opt_out: false };
    }
    let ksk = if has(Flaw::KskReplaced) { spare } else { ksk };
    let keys = vec![(ksk, KeyState::Active), (zsk, KeyState::Active)];
    let mut plan = Plan { keys, window: window(date, flaws), chain, dnskey_ttl: 3600 };
    let mut out = super::zone::sign(origin, records, &plan)?;
    if has(Flaw::ExpiredData) {
        plan.window = window(date, &[Flaw::Expired]);
        let old = super::zone::sign(origin, records, &plan)?;
        out.retain(|record| !of_data(record));
        out.extend(old.into_iter().filter(of_data));
    }
    for flaw in flaws {
        spoil(&mut out, *flaw);
    }
    Ok(out)
}

/// The DS data that the zone above has for a zone with these flaws, of its original key; `None`: it has none.
pub fn ds(mut data: Vec<u8>, flaws: &[Flaw]) -> Option<Vec<u8>> {
    for flaw in flaws {
        match flaw {
            Flaw::NoDs => return None,
            Flaw::DsDigest => spoil_last(&mut data),
            Flaw::DsTag => data[1] ^= 1,
            Flaw::DsAlgorithm => data[2] = super::ECDSAP256SHA256,
            Flaw::DsUnknownAlgorithm | Flaw::UnknownAlgorithm => data[2] = 100,
            Flaw::DsUnknownDigest => data[3] = 100,
            _ => {}
        }
    }
    Some(data)
}

fn window(date: u32, flaws: &[Flaw]) -> Window {
    let from = |inception: i64, expiration: i64| {
        let at = |days: i64| (i64::from(date) + days * i64::from(DAY)) as u32;
        Window { inception: at(inception), expiration: at(expiration) }
    };
    let found = flaws.iter().find_map(|flaw| match flaw {
        Flaw::Expired => Some(from(-40, -10)),
        Flaw::NotYetValid => Some(from(10, 40)),
        Flaw::Expiring => Some(Window { expiration: date + DAY / 2, ..from(-29, 0) }),
        _ => None,
    });
    found.unwrap_or_else(|| from(-10, 20))
}

fn spoil(records: &mut Vec<RawRecord>, flaw: Flaw) {
    let key = |record: &RawRecord| record.rtype == RecordType::DNSKEY;
    let ksk = |record: &RawRecord| key(record) && record.data.get(1) == Some(&1);
    let zsk = |record: &RawRecord| key(record) && record.data.get(1) == Some(&0);
    match flaw {
        Flaw::NoSignatures => records.retain(|record| record.rtype != RecordType::RRSIG),
        Flaw::UnsignedData => records.retain(|record| !of_data(record)),
        Flaw::BadSignatures => alter(records, of_data, |data| spoil_last(data)),
        Flaw::BadKeySignatures => alter(records, of_keys, |data| spoil_last(data)),
        Flaw::NoKeySignatures => records.retain(|record| !of_keys(record)),
        Flaw::NoKeys => records.retain(|record| !key(record) && !of_keys(record)),
        Flaw::NoKsk => records.retain(|record| !ksk(record)),
        Flaw::NoZsk => records.retain(|record| !zsk(record)),
        Flaw::BadZsk => alter(records, zsk, |data| spoil_last(data)),
        Flaw::NotZoneKeys => alter(records, key, |data| data[0] &= !1),
        Flaw::UnknownAlgorithm => {
            alter(records, key, |data| data[3] = 100);
            alter(records, |record| record.rtype == RecordType::RRSIG, |data| data[2] = 100);
        }
        Flaw::NoDenial => records.retain(|record| !is_denial(record) && !of_denial(record)),
        Flaw::DenialGap => {
            let first = records.iter().find(|record| is_denial(record)).map(|record| record.name.clone());
            records.retain(|record| {
                !(is_denial(record) || of_denial(record)) || Some(&record.name) == first.as_ref()
            });
        }
        Flaw::UnsignedDenial => records.retain(|record| !of_denial(record)),
        Flaw::BadDenial => alter(records, of_denial, |data| spoil_last(data)),
        _ => {}
    }
}

/// An RRSIG, and the type that it covers.
fn covered(record: &RawRecord) -> Option<RecordType> {
    let covered = record.data.get(..2).filter(|_| record.rtype == RecordType::RRSIG)?;
    Some(RecordType::from(u16::from_be_bytes([covered[0], covered[1]])))
}

fn of_keys(record: &RawRecord) -> bool {
    covered(record) == Some(RecordType::DNSKEY)
}

fn of_data(record: &RawRecord) -> bool {
    covered(record).is_some_and(|covered| covered != RecordType::DNSKEY)
}

fn of_denial(record: &RawRecord) -> bool {
    matches!(covered(record), Some(RecordType::NSEC | RecordType::NSEC3))
}

fn is_denial(record: &RawRecord) -> bool {
    matches!(record.rtype, RecordType::NSEC | RecordType::NSEC3)
}

fn alter(records: &mut [RawRecord], which: impl Fn(&RawRecord) -> bool, change: impl Fn(&mut Vec<u8>)) {
    for record in records.iter_mut().filter(|record| which(record)) {
        let mut data = record.data.to_vec();
        change(&mut data);
        record.data = data.into();
    }
}

fn spoil_last(data: &mut [u8]) {
    if let Some(last) = data.last_mut() {
        *last ^= 0x55;
    }
}

#[cfg(test)]
mod tests;
