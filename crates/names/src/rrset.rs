//! A set of records with one owner, type and class: what a resolver stores, trusts and validates as one.

use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::{Name, RecordType};
use thru_wire::Instant;

use crate::rdata;
use crate::wire::RawRecord;

/// How much a set is believed, by where it came from (RFC 2181 section 5.4.1). Later is better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trust {
    /// Not at all.
    #[default]
    None,
    /// Additional section of an answer without AA.
    AdditionalNonAuth,
    /// Authority section of an answer without AA: a referral's NS set.
    AuthorityNonAuth,
    /// Additional section of an authoritative answer.
    AdditionalAuth,
    /// Answer section behind an alias of an authoritative answer: it may belong to another zone.
    AnswerBehindAlias,
    /// Answer section without AA.
    AnswerNonAuth,
    /// Glue of a referral.
    Glue,
    /// Authority section of an authoritative answer.
    AuthorityAuth,
    /// Answer section of an authoritative answer.
    AnswerAuth,
    /// Its signature was verified.
    Validated,
    /// From our own configuration.
    Ultimate,
}

/// What validation said (RFC 4035 section 4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Security {
    /// Nobody looked.
    #[default]
    Unchecked,
    /// Its signatures or proofs are wrong or missing.
    Bogus,
    /// No trust anchor above it.
    Indeterminate,
    /// Proven to lie below an unsigned delegation.
    Insecure,
    /// A chain of signatures leads to it.
    Secure,
}

/// Data of one record.
pub type Data = Arc<[u8]>;

/// A set of records, with the signatures over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rrset {
    /// Owner.
    pub name: Name,
    /// Type.
    pub rtype: RecordType,
    /// Class.
    pub class: u16,
    /// Data of the records, in the order they came.
    pub data: Vec<Data>,
    /// Data of the RRSIG records over it.
    pub sigs: Vec<Data>,
    /// TTL as it was when the set was learned, in seconds.
    pub ttl: u32,
    /// From this instant on it may not be used.
    pub expires: Instant,
    /// By where it came from.
    pub trust: Trust,
    /// What validation said.
    pub security: Security,
}

impl Rrset {
    /// A set learned at `now`.
    pub fn new(name: Name, rtype: RecordType, class: u16, ttl: u32, now: Instant) -> Rrset {
        Rrset {
            name,
            rtype,
            class,
            data: Vec::new(),
            sigs: Vec::new(),
            ttl,
            expires: now + Duration::from_secs(u64::from(ttl)),
            trust: Trust::None,
            security: Security::Unchecked,
        }
    }

    /// Gives it another TTL, counted from `now`.
    pub fn set_ttl(&mut self, now: Instant, ttl: u32) {
        self.ttl = ttl;
        self.expires = now + Duration::from_secs(u64::from(ttl));
    }

    /// Whether its time is over.
    pub fn expired(&self, now: Instant) -> bool {
        now >= self.expires
    }

    /// Seconds left, as answers show them.
    pub fn ttl_at(&self, now: Instant) -> u32 {
        seconds_left(now, self.expires)
    }

    /// The same records in any order, and the same signatures.
    pub fn same_data(&self, other: &Rrset) -> bool {
        let sorted = |set: &Rrset| {
            let mut data: Vec<Vec<u8>> =
                set.data.iter().map(|data| rdata::canonical(set.rtype, data)).collect();
            data.sort();
            data
        };
        let signed = |set: &Rrset| {
            let mut sigs = set.sigs.clone();
            sigs.sort();
            sigs
        };
        self.data.len() == other.data.len()
            && self.sigs.len() == other.sigs.len()
            && sorted(self) == sorted(other)
            && signed(self) == signed(other)
    }

    /// Whether this is the set for `name` and `rtype`.
    pub fn is(&self, name: &Name, rtype: RecordType) -> bool {
        self.rtype == rtype && self.name == *name
    }

    /// The first name in the first record's data: where an alias leads.
    pub fn target(&self) -> Option<Name> {
        rdata::target(self.rtype, self.data.first()?)
    }

    /// The records, signatures last when `signed`, under `owner` and with this TTL.
    pub fn records(&self, owner: &Name, ttl: u32, signed: bool) -> Vec<RawRecord> {
        let record = |rtype, data: &Data| RawRecord {
            name: owner.clone(),
            rtype,
            class: self.class,
            ttl,
            data: data.clone(),
        };
        let sigs = self.sigs.iter().filter(|_| signed).map(|data| record(RecordType::RRSIG, data));
        self.data.iter().map(|data| record(self.rtype, data)).chain(sigs).collect()
    }
}

/// Whole seconds from `now` to `expires`, rounded up.
pub fn seconds_left(now: Instant, expires: Instant) -> u32 {
    let left = expires.since(now);
    let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

/// The TTL of negative answers under this SOA, in seconds (RFC 2308 section 5).
pub fn negative_ttl(soa: &Rrset) -> u32 {
    let minimum = soa.data.first().and_then(|data| {
        let at = data.len().checked_sub(4)?;
        Some(u32::from_be_bytes(data[at..].try_into().ok()?))
    });
    soa.ttl.min(minimum.unwrap_or(soa.ttl))
}
