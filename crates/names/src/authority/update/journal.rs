//! What updates have changed, as text on top of a zone's file: it outlasts the process, and people can read it.
//!
//! ```text
//! ; updates of shop.example. (RFC 2136), on top of its zone's file
//! file 5f1ec6d0a1b2c3d4
//! from 7 to 8
//! - shop.example. 300 IN SOA ns.shop.example. admin.shop.example. 7 3600 600 86400 60
//! + shop.example. 300 IN SOA ns.shop.example. admin.shop.example. 8 3600 600 86400 60
//! + new.shop.example. 60 IN A 192.0.2.9
//! end
//! ```
//!
//! A change without its `end` was not confirmed to anybody, and does not count. `file PRINT edited` says that the first
//! change leads from a file that people edited to what was served then: nobody ever had the version that it begins with.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hickory_proto::rr::{Name, RecordType};
use ring::digest::{SHA256, digest};

use crate::authority::changes::{Change, identity, is_newer, soa_serial};
use crate::rdata::{data_text, record_from_text};
use crate::text::{name_text, type_text};
use crate::wire::{CLASS_IN, RawRecord};

/// A zone's journal, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    /// What the zone's file said when the journal was begun: see [`print_of`].
    pub file: String,
    /// The first change begins with a version that was never served.
    pub edited: bool,
    /// The changes, the oldest first.
    pub changes: Vec<Change>,
    /// Octets up to the end of the last whole change.
    pub whole: usize,
}

/// A short print of what a file says: whether it is still the same.
pub fn print_of(records: &[RawRecord]) -> String {
    let text: String = records.iter().map(line).collect();
    let mut print = String::new();
    for octet in &digest(&SHA256, text.as_bytes()).as_ref()[..8] {
        let _ = write!(print, "{octet:02x}");
    }
    print
}

/// How a journal on top of a file with this print begins; `edited`: see [`Journal::edited`].
pub fn head(origin: &Name, print: &str, edited: bool) -> String {
    let edited = if edited { " edited" } else { "" };
    format!(
        "; updates of {} (RFC 2136), on top of its zone's file\nfile {print}{edited}\n",
        name_text(origin)
    )
}

/// A change as it stands in a journal.
pub fn step(change: &Change) -> String {
    let mut text = format!("from {} to {}\n", change.from, change.to);
    let lists = [('-', &change.removed), ('+', &change.added)];
    for (mark, record) in lists.iter().flat_map(|(mark, list)| list.iter().map(move |record| (mark, record)))
    {
        let _ = write!(text, "{mark} {}", line(record));
    }
    text.push_str("end\n");
    text
}

/// A record in a line.
fn line(record: &RawRecord) -> String {
    let RawRecord { name, rtype, ttl, data, .. } = record;
    format!("{} {ttl} IN {} {}\n", name_text(name), type_text(*rtype), data_text(*rtype, data))
}

impl Journal {
    /// Reads one. The error names the line that is not understood.
    pub fn read(text: &str) -> Result<Journal, String> {
        let mut journal = Journal::default();
        let mut open: Option<Change> = None;
        let mut at = 0;
        let last_end = text.rfind("\nend\n").map_or(0, |before| before + 1);
        for (number, line) in text.split_inclusive('\n').enumerate() {
            // What a power cut left behind the last whole change may be anything.
            if at > last_end && (open.is_some() || line.contains('\0')) {
                break;
            }
            at += line.len();
            if !line.ends_with('\n') {
                // The process ended in the middle of it.
                break;
            }
            let line = line.trim_end_matches('\n');
            let bad = |why: &str| format!("line {}: {why}", number + 1);
            let words: Vec<&str> = line.split(' ').collect();
            match (&words[..], &mut open) {
                ([first, ..], None) if first.is_empty() || first.starts_with(';') => journal.whole = at,
                (["file", print] | ["file", print, "edited"], None) => {
                    journal.file = (*print).to_owned();
                    journal.edited = words.len() == 3;
                    journal.whole = at;
                }
                (["from", from, "to", to], None) => {
                    let serial = |text: &str| text.parse().map_err(|_| bad("a serial is no number"));
                    let (removed, added) = (Vec::new(), Vec::new());
                    open = Some(Change { from: serial(from)?, to: serial(to)?, removed, added });
                }
                ([mark @ ("-" | "+"), ..], Some(change)) => {
                    let record = record_from_text(line.get(2..).unwrap_or_default(), &Name::root(), 0, None);
                    let mut record = record.map_err(|why| bad(&format!("a record that {why}")))?;
                    if record.class != CLASS_IN {
                        return Err(bad("a record of another class"));
                    }
                    record.name = record.name.to_lowercase();
                    if *mark == "-" { change.removed.push(record) } else { change.added.push(record) }
                }
                (["end"], Some(_)) => {
                    journal.changes.extend(open.take());
                    journal.whole = at;
                }
                _ => return Err(bad(&format!("`{line}` is not understood here"))),
            }
        }
        Ok(journal)
    }

    /// The records of the zone's file with the changes on top. Where the file says something else than when the journal
    /// was begun, what was added is added and what was taken away is taken away all the same, and the serial is a later one.
    pub fn on_top_of(&self, origin: &Name, file: &[RawRecord]) -> Vec<RawRecord> {
        let mut zone = Records::of(origin, file);
        self.changes.iter().for_each(|change| zone.apply(origin, change));
        let mut records = zone.into_list();
        let Some(last) = self.changes.last().map(|change| change.to) else { return records };
        let given = soa_of(origin, file).and_then(|soa| soa_serial(&soa.data)).unwrap_or(last);
        let same = self.file == print_of(file);
        let serial = match same {
            true => last,
            false if is_newer(given, last) => given,
            false => last.wrapping_add(1),
        };
        let is_soa = |own: &&mut RawRecord| own.rtype == RecordType::SOA && own.name == *origin;
        if let Some(soa) = records.iter_mut().find(is_soa) {
            set_serial(soa, serial);
        }
        records
    }

    /// The changes from one version that was served to the next: what other servers may be given as steps.
    pub fn steps(&self) -> &[Change] {
        &self.changes[usize::from(self.edited).min(self.changes.len())..]
    }

    /// The same with no more than `max` changes, the oldest ones made one.
    pub fn shortened(mut self, max: usize) -> Journal {
        let surplus = self.changes.len().saturating_sub(max.max(1));
        if surplus > 0 {
            let old: Vec<Change> = self.changes.drain(..=surplus).collect();
            self.changes.insert(0, merged(&old));
        }
        self
    }
}

/// One change for several that follow each other.
fn merged(changes: &[Change]) -> Change {
    let is_soa = |record: &&RawRecord| record.rtype == RecordType::SOA;
    let (mut gone, mut came) = (BTreeMap::new(), BTreeMap::new());
    for change in changes {
        for record in change.removed.iter().filter(|record| !is_soa(record)) {
            let key = identity(record);
            // What came in between and is gone again was never there.
            if came.remove(&key).is_none() {
                gone.insert(key, record.clone());
            }
        }
        let added = change.added.iter().filter(|record| !is_soa(record));
        came.extend(added.map(|record| (identity(record), record.clone())));
    }
    // It begins with the first SOA and ends with the last.
    let (first, last) = (&changes[0], &changes[changes.len() - 1]);
    let removed = first.removed.iter().filter(is_soa).cloned().chain(gone.into_values()).collect();
    let added = last.added.iter().filter(is_soa).cloned().chain(came.into_values()).collect();
    Change { from: first.from, to: last.to, removed, added }
}

/// The records of a zone, to be changed many times.
struct Records {
    soa: Vec<RawRecord>,
    /// The others, each with its place.
    rest: BTreeMap<(Name, u16, Vec<u8>), (usize, RawRecord)>,
    /// The place of the next.
    next: usize,
}

impl Records {
    fn of(origin: &Name, file: &[RawRecord]) -> Records {
        let is_soa = |own: &&RawRecord| own.rtype == RecordType::SOA && own.name == *origin;
        let mut records =
            Records { soa: file.iter().filter(is_soa).cloned().collect(), rest: BTreeMap::new(), next: 0 };
        file.iter().filter(|own| !is_soa(own)).for_each(|own| records.add(own));
        records
    }

    fn add(&mut self, record: &RawRecord) {
        self.rest.entry(identity(record)).or_insert_with(|| (self.next, record.clone()));
        self.next += 1;
    }

    fn apply(&mut self, origin: &Name, change: &Change) {
        let is_soa = |own: &&RawRecord| own.rtype == RecordType::SOA && own.name == *origin;
        for gone in change.removed.iter().filter(|own| !is_soa(own)) {
            self.rest.remove(&identity(gone));
        }
        change.added.iter().filter(|own| !is_soa(own)).for_each(|own| self.add(own));
        // Unless an update changed more of the SOA than its serial, the file's stays.
        let (old, new) = (soa_of(origin, &change.removed), soa_of(origin, &change.added));
        let mut raised = old.cloned();
        raised.iter_mut().for_each(|old| set_serial(old, change.to));
        if let Some(new) = new
            && raised.as_ref() != Some(new)
        {
            self.soa.iter_mut().for_each(|own| *own = new.clone());
        }
    }

    /// The SOA first, the others in the order of their coming.
    fn into_list(self) -> Vec<RawRecord> {
        let mut rest: Vec<(usize, RawRecord)> = self.rest.into_values().collect();
        rest.sort_by_key(|(place, _)| *place);
        self.soa.into_iter().chain(rest.into_iter().map(|(_, record)| record)).collect()
    }
}

fn soa_of<'a>(origin: &Name, records: &'a [RawRecord]) -> Option<&'a RawRecord> {
    records.iter().find(|own| own.rtype == RecordType::SOA && own.name == *origin)
}

fn set_serial(soa: &mut RawRecord, serial: u32) {
    if soa_serial(&soa.data).is_some() {
        let mut data = soa.data.to_vec();
        let at = data.len() - 20;
        data[at..at + 4].copy_from_slice(&serial.to_be_bytes());
        soa.data = data.into();
    }
}

#[cfg(test)]
mod tests;
