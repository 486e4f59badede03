//! Sets as the cache holds them: a key and octets, instead of names, vectors and counters. A set with one address takes
//! 20 octets so.

use std::sync::Arc;

use hickory_proto::rr::{Name, RecordType};
use thru_wire::Instant;

use super::super::message::Set;
use crate::rrset::{Data, Rrset, Security, Trust};
use crate::wire::{Question, name_to_wire, read_name};

/// Owner in lower case, type and class. Shared by the map and its order of ends.
pub(super) type Key = Arc<[u8]>;
/// A set without what stands in the key.
pub(super) type Octets = Box<[u8]>;

/// The key of a set.
pub(super) fn key(name: &Name, rtype: RecordType, class: u16) -> Vec<u8> {
    let mut key = name_key(name);
    key.extend_from_slice(&u16::from(rtype).to_be_bytes());
    key.extend_from_slice(&class.to_be_bytes());
    key
}

/// The key of a name's own.
pub(super) fn name_key(name: &Name) -> Vec<u8> {
    let mut key = name_to_wire(name);
    // A label's length is below 64 and so never taken for a letter.
    key.make_ascii_lowercase();
    key
}

/// The key of a message.
pub(super) fn question_key(question: &Question) -> Vec<u8> {
    key(&question.name, question.rtype, question.class)
}

/// The name in a key.
pub(super) fn name_of(key: &[u8]) -> Option<Name> {
    read_name(key, 0).ok().map(|(name, _)| name)
}

const TRUST: [Trust; 11] = [
    Trust::None,
    Trust::AdditionalNonAuth,
    Trust::AuthorityNonAuth,
    Trust::AdditionalAuth,
    Trust::AnswerBehindAlias,
    Trust::AnswerNonAuth,
    Trust::Glue,
    Trust::AuthorityAuth,
    Trust::AnswerAuth,
    Trust::Validated,
    Trust::Ultimate,
];

const SECURITY: [Security; 5] =
    [Security::Unchecked, Security::Bogus, Security::Indeterminate, Security::Insecure, Security::Secure];

/// The set as octets: what its key and its end do not say. The owner's own spelling is kept where it has capitals.
pub(super) fn pack(set: &Rrset) -> Octets {
    let size: usize = set.data.iter().chain(&set.sigs).map(|data| data.len() + 2).sum();
    let mut octets = Vec::with_capacity(10 + size);
    octets.extend_from_slice(&set.ttl.to_be_bytes());
    let wire = name_to_wire(&set.name);
    let spelled = wire.iter().any(u8::is_ascii_uppercase);
    let security = SECURITY.iter().position(|other| *other == set.security).unwrap_or(0);
    let trust = TRUST.iter().position(|other| *other == set.trust).unwrap_or(0);
    octets.push((trust << 4 | usize::from(spelled) << 3 | security) as u8);
    octets.extend_from_slice(&(set.data.len() as u16).to_be_bytes());
    for data in set.data.iter().chain(&set.sigs) {
        octets.extend_from_slice(&(data.len() as u16).to_be_bytes());
        octets.extend_from_slice(data);
    }
    if spelled {
        octets.extend_from_slice(&wire);
    }
    octets.into()
}

/// The set again.
pub(super) fn unpack(
    name: &Name,
    rtype: RecordType,
    class: u16,
    octets: &[u8],
    expires: Instant,
) -> Option<Set> {
    let (ttl, rest) = octets.split_first_chunk::<4>()?;
    let (&kind, rest) = rest.split_first()?;
    let (count, mut rest) = rest.split_first_chunk::<2>()?;
    let count = usize::from(u16::from_be_bytes(*count));
    let mut data: Vec<Data> = Vec::new();
    let mut name = name.clone();
    let mut spelling = None;
    // Behind the records stands the owner, if it is spelled with capitals: as long as the key says.
    if kind & 8 != 0 {
        let length = name_to_wire(&name).len();
        let (records, spelled) = rest.split_at_checked(rest.len().checked_sub(length)?)?;
        (rest, spelling) = (records, Some(spelled));
    }
    while let Some((length, tail)) = rest.split_first_chunk::<2>() {
        let (one, tail) = tail.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        data.push(one.into());
        rest = tail;
    }
    if let Some(spelled) = spelling {
        name = name_of(spelled)?;
    }
    let sigs = data.split_off(count.min(data.len()));
    Some(Arc::new(Rrset {
        name,
        rtype,
        class,
        data,
        sigs,
        ttl: u32::from_be_bytes(*ttl),
        expires,
        trust: *TRUST.get(usize::from(kind >> 4))?,
        security: *SECURITY.get(usize::from(kind & 7))?,
    }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_packed_comes_out_again(
            labels in prop::collection::vec("[a-zA-Z0-9]{1,9}", 0..5),
            data in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..5),
            sigs in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..3),
            (ttl, trust, security) in (any::<u32>(), 0_usize..11, 0_usize..5),
        ) {
            let name = Name::from_labels(labels.iter().map(String::as_bytes)).expect("legal labels");
            let mut set = Rrset::new(name.clone(), RecordType::TXT, 1, ttl, Instant::START);
            set.data = data.into_iter().map(Data::from).collect();
            set.sigs = sigs.into_iter().map(Data::from).collect();
            (set.trust, set.security) = (TRUST[trust], SECURITY[security]);
            let octets = pack(&set);
            let asked = name_of(&key(&name, RecordType::TXT, 1)).expect("a name");
            let again = unpack(&asked, RecordType::TXT, 1, &octets, set.expires).expect("it comes out");
            prop_assert_eq!(&*again, &set);
            prop_assert_eq!(again.name.to_string(), name.to_string(), "the spelling, too");
            for cut in 0..octets.len() {
                let _ = unpack(&asked, RecordType::TXT, 1, &octets[..cut], set.expires);
            }
        }
    }
}
