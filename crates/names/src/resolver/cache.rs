//! What is known and until when: records, negative answers (RFC 2308), delegations, recent failures (RFC 9520).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hickory_proto::rr::{Name, RData, Record, RecordType};
use thru_wire::Instant;

use super::classify::Delegation;

/// Longest we keep anything positive, whatever its TTL says.
const POSITIVE_MAX: Duration = Duration::from_secs(86_400);
/// Longest we keep a negative answer (RFC 2308 section 5 advises one to three hours).
const NEGATIVE_MAX: Duration = Duration::from_secs(3 * 3600);
/// How long a failure is remembered (RFC 9520 section 3.2: at least 1 s, at most 5 minutes).
const FAILURE: Duration = Duration::from_secs(5);

/// What the cache knows of a name and a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Records(Vec<Record>),
    Alias(Record),
    NoName(Record),
    NoData(Record),
    /// It failed a moment ago: code and text of the extended error.
    Failed(u16, String),
}

#[derive(Debug)]
pub(super) struct Cache {
    /// `None` as type: the name itself does not exist.
    records: Timed<(Name, Option<RecordType>), Known>,
    delegations: Timed<Name, Delegation>,
    failures: Timed<(Name, RecordType), (u16, String)>,
}

impl Cache {
    /// A cache of at most `max` entries of each kind.
    pub(super) fn new(max: usize) -> Cache {
        Cache { records: Timed::new(max), delegations: Timed::new(max), failures: Timed::new(max) }
    }

    pub(super) fn look_up(&self, now: Instant, name: &Name, record_type: RecordType) -> Option<Known> {
        if let Some((known, since)) = self.records.get(now, &(name.clone(), Some(record_type))) {
            return Some(aged(known, now.since(since)));
        }
        if !matches!(record_type, RecordType::CNAME | RecordType::ANY)
            && let Some((Known::Records(alias), since)) =
                self.records.get(now, &(name.clone(), Some(RecordType::CNAME)))
        {
            return Some(aged(&Known::Alias(alias[0].clone()), now.since(since)));
        }
        if let Some((known, since)) = self.records.get(now, &(name.clone(), None)) {
            return Some(aged(known, now.since(since)));
        }
        let ((code, text), _) = self.failures.get(now, &(name.clone(), record_type))?;
        Some(Known::Failed(*code, text.clone()))
    }

    /// Keeps a set; all records have one owner and type.
    pub(super) fn keep_records(&mut self, now: Instant, records: &[Record]) {
        let Some(first) = records.first() else { return };
        let ttl = records.iter().map(|record| record.ttl).min().unwrap_or(0);
        let key = (first.name.clone(), Some(first.record_type()));
        self.records.put(now, until(now, ttl, POSITIVE_MAX), key, Known::Records(records.to_vec()));
    }

    /// Keeps "no such name" (`record_type` `None`) or "no such record", as long as its SOA allows.
    pub(super) fn keep_negative(
        &mut self,
        now: Instant,
        name: &Name,
        record_type: Option<RecordType>,
        soa: &Record,
    ) {
        let RData::SOA(data) = &soa.data else { return };
        let ttl = soa.ttl.min(data.minimum);
        let mut soa = soa.clone();
        soa.ttl = ttl;
        let known = if record_type.is_none() { Known::NoName(soa) } else { Known::NoData(soa) };
        self.records.put(now, until(now, ttl, NEGATIVE_MAX), (name.clone(), record_type), known);
    }

    pub(super) fn keep_delegation(&mut self, now: Instant, delegation: Delegation, ttl: u32) {
        // A delegation is used at once, so it lives for a second even with a TTL of zero.
        let expires = until(now, ttl.max(1), POSITIVE_MAX);
        self.delegations.put(now, expires, delegation.zone.clone(), delegation);
    }

    pub(super) fn keep_failure(
        &mut self,
        now: Instant,
        name: &Name,
        record_type: RecordType,
        code: u16,
        text: &str,
    ) {
        self.failures.put(now, now + FAILURE, (name.clone(), record_type), (code, text.to_owned()));
    }

    /// The deepest known delegation at or above `name`.
    pub(super) fn closest_delegation(&self, now: Instant, name: &Name) -> Option<&Delegation> {
        let labels = name.iter().len();
        (0..=labels)
            .rev()
            .find_map(|count| self.delegations.get(now, &name.trim_to(count)))
            .map(|(delegation, _)| delegation)
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.records.clear();
        self.delegations.clear();
        self.failures.clear();
    }

    /// Entries held, expired ones that nothing has pushed out yet included.
    pub(super) fn len(&self) -> usize {
        self.records.len() + self.delegations.len() + self.failures.len()
    }
}

fn until(now: Instant, ttl: u32, max: Duration) -> Instant {
    now + Duration::from_secs(u64::from(ttl)).min(max)
}

/// The same with the time since it was learned taken off its TTLs.
fn aged(known: &Known, age: Duration) -> Known {
    let age = u32::try_from(age.as_secs()).unwrap_or(u32::MAX);
    let older = |record: &Record| {
        let mut record = record.clone();
        record.ttl = record.ttl.saturating_sub(age);
        record
    };
    match known {
        Known::Records(records) => Known::Records(records.iter().map(older).collect()),
        Known::Alias(record) => Known::Alias(older(record)),
        Known::NoName(soa) => Known::NoName(older(soa)),
        Known::NoData(soa) => Known::NoData(older(soa)),
        Known::Failed(code, text) => Known::Failed(*code, text.clone()),
    }
}

/// A bounded map whose entries expire; when it is full, what would expire first makes room.
#[derive(Debug)]
struct Timed<K, V> {
    entries: BTreeMap<K, Entry<V>>,
    by_expiry: BTreeSet<(Instant, K)>,
    max: usize,
}

#[derive(Debug)]
struct Entry<V> {
    since: Instant,
    expires: Instant,
    value: V,
}

impl<K: Ord + Clone, V> Timed<K, V> {
    fn new(max: usize) -> Timed<K, V> {
        Timed { entries: BTreeMap::new(), by_expiry: BTreeSet::new(), max: max.max(1) }
    }

    fn get(&self, now: Instant, key: &K) -> Option<(&V, Instant)> {
        let entry = self.entries.get(key)?;
        (now < entry.expires).then_some((&entry.value, entry.since))
    }

    fn put(&mut self, now: Instant, expires: Instant, key: K, value: V) {
        if expires <= now {
            return;
        }
        if let Some(old) = self.entries.insert(key.clone(), Entry { since: now, expires, value }) {
            self.by_expiry.remove(&(old.expires, key.clone()));
        }
        self.by_expiry.insert((expires, key));
        while self.entries.len() > self.max || self.by_expiry.first().is_some_and(|(at, _)| *at <= now) {
            let Some((_, first)) = self.by_expiry.pop_first() else { break };
            self.entries.remove(&first);
        }
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.by_expiry.clear();
    }

    fn len(&self) -> usize {
        self.entries.len()
    }
}
