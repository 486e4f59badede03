//! What lies between two versions of a zone, and the versions of the past (RFC 1995).

use std::collections::{BTreeSet, VecDeque};

use hickory_proto::rr::{Name, RecordType};

use super::SignedZone;
use crate::rdata;
use crate::text::{name_text, type_text};
use crate::wire::RawRecord;

/// From one version to the next: the records that go and those that come, each list with its version's SOA first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Serial of the version before.
    pub from: u32,
    /// Serial of the version after.
    pub to: u32,
    /// Records of the old version that the new one lacks.
    pub removed: Vec<RawRecord>,
    /// Records of the new version that the old one lacks.
    pub added: Vec<RawRecord>,
}

impl Change {
    /// What leads from these records of a zone to those. A record whose TTL changed goes and comes.
    pub fn between(origin: &Name, old: &[RawRecord], new: &[RawRecord]) -> Change {
        let known = |records: &[RawRecord]| -> BTreeSet<_> {
            records.iter().map(|record| (identity(record), record.ttl)).collect()
        };
        let (before, after) = (known(old), known(new));
        let soa = |record: &&RawRecord| record.rtype == RecordType::SOA && record.name == *origin;
        let serial = |records: &[RawRecord]| {
            records.iter().find(soa).and_then(|soa| soa_serial(&soa.data)).unwrap_or_default()
        };
        let only = |records: &[RawRecord], other: &BTreeSet<_>| -> Vec<RawRecord> {
            let rest = records.iter().filter(|record| !soa(record));
            let rest = rest.filter(|record| !other.contains(&(identity(record), record.ttl)));
            records.iter().filter(soa).chain(rest).cloned().collect()
        };
        Change { from: serial(old), to: serial(new), removed: only(old, &after), added: only(new, &before) }
    }

    fn records(&self) -> usize {
        self.removed.len() + self.added.len()
    }
}

/// Serials in the arithmetic of RFC 1982: whether `a` is later than `b`.
pub fn is_newer(a: u32, b: u32) -> bool {
    a != b && a.wrapping_sub(b) < 1 << 31
}

/// The serial in a SOA record's data.
pub fn soa_serial(data: &[u8]) -> Option<u32> {
    let at = data.len().checked_sub(20)?;
    Some(u32::from_be_bytes(data.get(at..at + 4)?.try_into().ok()?))
}

/// What makes two records the same one: TTLs do not count, letter case does not either.
pub(super) fn identity(record: &RawRecord) -> (Name, u16, Vec<u8>) {
    (record.name.to_lowercase(), record.rtype.into(), rdata::canonical(record.rtype, &record.data))
}

impl SignedZone {
    /// What leads from this version to `newer`. A record whose TTL changed goes and comes.
    pub fn change_to(&self, newer: &SignedZone) -> Change {
        Change::between(self.origin(), &self.records(), &newer.records())
    }

    /// The version after a change. The error says what does not fit: then only a whole transfer helps.
    pub fn changed(&self, change: &Change) -> Result<SignedZone, String> {
        if change.from != self.serial() {
            return Err(format!(
                "the change begins at serial {}, the zone is at {}",
                change.from,
                self.serial()
            ));
        }
        let mut gone: BTreeSet<_> = change.removed.iter().map(identity).collect();
        let mut records = Vec::new();
        for record in self.records() {
            if !gone.remove(&identity(&record)) {
                records.push(record);
            }
        }
        if let Some((name, rtype, _)) = gone.first() {
            let (name, rtype) = (name_text(name), type_text(RecordType::from(*rtype)));
            return Err(format!("a record to be removed is not there: {name} {rtype}"));
        }
        let there: BTreeSet<_> = records.iter().map(identity).collect();
        if let Some(double) = change.added.iter().find(|record| there.contains(&identity(record))) {
            let (name, rtype) = (name_text(&double.name), type_text(double.rtype));
            return Err(format!("a record to be added is there already: {name} {rtype}"));
        }
        records.extend(change.added.iter().cloned());
        let zone = SignedZone::named(self.origin(), &records)?;
        if zone.serial() != change.to {
            return Err(format!(
                "the change should lead to serial {}, it leads to {}",
                change.to,
                zone.serial()
            ));
        }
        Ok(zone)
    }
}

/// The changes of the past, the oldest first; bounded by how many records they hold.
#[derive(Clone, Debug)]
pub struct Journal {
    changes: VecDeque<Change>,
    records: usize,
    max: usize,
}

impl Default for Journal {
    fn default() -> Journal {
        Journal::new(100_000)
    }
}

impl Journal {
    /// A journal of at most so many records.
    pub fn new(max: usize) -> Journal {
        Journal { changes: VecDeque::new(), records: 0, max }
    }

    /// Adds the newest change. One that does not follow the last begins the journal anew.
    pub fn push(&mut self, change: Change) {
        if self.changes.back().is_some_and(|last| last.to != change.from) {
            self.clear();
        }
        self.records += change.records();
        self.changes.push_back(change);
        while self.records > self.max
            && let Some(first) = self.changes.pop_front()
        {
            self.records -= first.records();
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.changes.clear();
        self.records = 0;
    }

    /// The changes from that serial on; `None` when they are not known (any more).
    pub fn since(&self, serial: u32) -> Option<impl Iterator<Item = &Change>> {
        let at = self.changes.iter().position(|change| change.from == serial)?;
        Some(self.changes.range(at..))
    }

    /// Changes held.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether nothing is known of the past.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

#[cfg(test)]
mod tests;
