//! The chain of trust of one answer, link by link, and where it breaks: what there is to show.
//!
//! [`crate::resolver::Resolver::chain`] fills it with what validation found and decided, so that what is shown and what
//! is believed can't differ. [`text`] and [`svg`] draw it.

pub mod svg;
pub mod text;

use hickory_proto::rr::{Name, RecordType};

use super::ede;
use super::records::{Dnskey, Ds, Rrsig};
use crate::rrset::{Data, Rrset};

/// What is wrong with a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Extended error code (RFC 8914).
    pub code: u16,
    /// In words, a sentence.
    pub what: String,
    /// The RFC section that says how it should be.
    pub rfc: &'static str,
}

/// What a link is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It holds.
    Secure,
    /// From here on nothing is signed, which the zone above proves; why, if it is signed and does not count.
    Insecure(Option<Problem>),
    /// It is broken.
    Broken(Problem),
}

/// A key of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its tag.
    pub tag: u16,
    /// Its algorithm's number.
    pub algorithm: u8,
    /// Whether it is an entry point (KSK).
    pub entry_point: bool,
    /// Whether a DS of the zone above, or the anchor, names it.
    pub vouched: bool,
    /// Whether it has been withdrawn (RFC 5011).
    pub revoked: bool,
}

/// What the zone above, or the anchor, says of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouch {
    /// The key's tag.
    pub tag: u16,
    /// The key's algorithm.
    pub algorithm: u8,
    /// The digest's type.
    pub digest_type: u8,
    /// Whether the zone has such a key.
    pub matches: bool,
}

/// A signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The type that it signs.
    pub covered: RecordType,
    /// The tag of the key it was made with.
    pub tag: u16,
    /// Seconds since 1970: not before.
    pub inception: u32,
    /// Not after.
    pub expiration: u32,
}

/// One zone on the way down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The zone.
    pub zone: Name,
    /// What vouches for its keys: the anchor for the first, then the DS records of the zone above.
    pub vouches: Vec<Vouch>,
    /// Who signed those.
    pub vouches_signed: Vec<Signature>,
    /// Its keys.
    pub keys: Vec<Key>,
    /// Who signed those.
    pub keys_signed: Vec<Signature>,
    /// What it is worth.
    pub state: State,
}

/// The answer at the end of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The name asked for.
    pub name: Name,
    /// The type asked for.
    pub rtype: RecordType,
    /// The records, or that there are none, in words.
    pub says: String,
    /// Who signed that.
    pub signed: Vec<Signature>,
    /// What it is worth.
    pub state: State,
}

/// A chain of trust, as far as it could be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Zones above the first link that stand in the chain before this one: 0 unless an alias led here.
    pub depth: usize,
    /// Zones from the anchor down.
    pub links: Vec<Link>,
    /// The answer; `None` when the chain ended before it.
    pub leaf: Option<Leaf>,
    /// The chain of the name that an alias leads to, where that lies in another zone.
    pub next: Option<Box<Chain>>,
    /// Seconds since 1970 when it was looked at.
    pub now: u32,
}

impl Chain {
    /// This chain and those that its aliases lead to.
    fn all(&self) -> impl Iterator<Item = &Chain> {
        std::iter::successors(Some(self), |chain| chain.next.as_deref())
    }

    fn states(&self) -> impl Iterator<Item = (&Name, &State)> {
        self.all().flat_map(|chain| {
            let links = chain.links.iter().map(|link| (&link.zone, &link.state));
            links.chain(chain.leaf.iter().map(|leaf| (&leaf.name, &leaf.state)))
        })
    }

    /// The first broken link: the zone (or name) where it broke, and the problem.
    pub fn broken(&self) -> Option<(&Name, &Problem)> {
        self.states().find_map(|(at, state)| match state {
            State::Broken(problem) => Some((at, problem)),
            _ => None,
        })
    }

    /// The zone from which on nothing is signed, or the name whose answer counts as unsigned.
    pub fn insecure(&self) -> Option<(&Name, Option<&Problem>)> {
        self.states().find_map(|(at, state)| match state {
            State::Insecure(problem) => Some((at, problem.as_ref())),
            _ => None,
        })
    }

    /// Whether every link holds, down to the answer.
    pub fn secure(&self) -> bool {
        self.all().all(|chain| chain.leaf.is_some())
            && self.states().all(|(_, state)| *state == State::Secure)
    }
}

impl Link {
    /// A zone with what vouches for it (DS data), who signed that, and its keys.
    pub fn new(zone: Name, vouching: &[Data], vouches_signed: Vec<Signature>, keys: Option<&Rrset>) -> Link {
        let owner = crate::wire::name_to_wire(&zone.to_lowercase());
        let matches = |ds: &Ds<'_>, data: &Data| {
            Dnskey::read(data).is_some_and(|key| key.tag() == ds.tag && key.algorithm == ds.algorithm)
                && super::algorithm::ds_digest(ds.digest_type, &owner, data).as_deref() == Some(ds.digest)
        };
        let data = keys.map_or(&[][..], |set| &set.data[..]);
        let all_ds = || vouching.iter().filter_map(|data| Ds::read(data));
        let vouches = all_ds().map(|ds| Vouch {
            tag: ds.tag,
            algorithm: ds.algorithm,
            digest_type: ds.digest_type,
            matches: data.iter().any(|data| matches(&ds, data)),
        });
        let own = data.iter().filter_map(|data| Some((data, Dnskey::read(data)?)));
        let own = own.map(|(data, key)| Key {
            tag: key.tag(),
            algorithm: key.algorithm,
            entry_point: key.is_entry_point(),
            vouched: all_ds().any(|ds| matches(&ds, data)),
            revoked: key.is_revoked(),
        });
        Link {
            vouches: vouches.collect(),
            vouches_signed,
            keys: own.collect(),
            keys_signed: keys.map(signatures).unwrap_or_default(),
            state: State::Secure,
            zone,
        }
    }
}

/// The signatures over a set.
pub fn signatures(set: &Rrset) -> Vec<Signature> {
    let of = |sig: &Rrsig<'_>| Signature {
        covered: sig.covered,
        tag: sig.tag,
        inception: sig.inception,
        expiration: sig.expiration,
    };
    set.sigs.iter().filter_map(|sig| Rrsig::read(sig)).map(|sig| of(&sig)).collect()
}

/// Where it is written how it should be, by extended error.
pub fn section(code: u16) -> &'static str {
    match code {
        ede::UNSUPPORTED_ALGORITHM | ede::UNSUPPORTED_DIGEST => "RFC 4035 5.2",
        ede::EXPIRED | ede::NOT_YET_VALID | ede::EXPIRED_BEFORE_VALID => "RFC 4035 5.3.1",
        ede::DNSKEY_MISSING => "RFC 4035 5.2",
        ede::RRSIGS_MISSING => "RFC 4035 2.2",
        ede::NO_ZONE_KEY => "RFC 4034 2.1.1",
        ede::NSEC_MISSING => "RFC 4035 5.4",
        ede::NSEC3_ITERATIONS => "RFC 9276 3.2",
        22 => "RFC 8914 4.23",
        23 => "RFC 8914 4.24",
        _ => "RFC 4035 5.3.3",
    }
}

#[cfg(test)]
mod tests;
