//! Sets of records compared, and how they differ in words.

use std::collections::BTreeMap;

use crate::rdata;
use crate::text::{name_text, type_text};
use crate::wire::{CLASS_IN, RawRecord};

/// Records named in one complaint.
const TOLD_MAX: usize = 3;
/// Characters of one record that are told.
const TEXT_MAX: usize = 110;

/// What of a record is compared: name, class, type, data in canonical form, and its TTL where that counts.
type Key = (String, u16, u16, Vec<u8>, Option<u32>);

fn key(record: &RawRecord, ttl: bool) -> Key {
    let name = name_text(&record.name.to_lowercase());
    let data = rdata::canonical(record.rtype, &record.data).to_vec();
    (name, record.class, record.rtype.into(), data, ttl.then_some(record.ttl))
}

/// How what is there differs from what is wanted, the order aside; `None`: it doesn't.
pub(in crate::replay) fn differing(wanted: &[RawRecord], have: &[RawRecord], ttl: bool) -> Option<String> {
    let mut counts: BTreeMap<Key, (i64, &RawRecord)> = BTreeMap::new();
    for (records, step) in [(wanted, -1), (have, 1)] {
        for record in records {
            counts.entry(key(record, ttl)).or_insert((0, record)).0 += step;
        }
    }
    let off = |sign: i64| {
        let found = counts.values().filter(|(count, _)| count.signum() == sign);
        found.map(|(_, record)| told(record, ttl)).collect::<Vec<_>>()
    };
    let parts = [("missing", off(-1)), ("unexpected", off(1))];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(_, records)| !records.is_empty())
        .map(|(what, records)| listed(what, &records))
        .collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn listed(what: &str, records: &[String]) -> String {
    let mut text = format!("{what} `{}`", records[..records.len().min(TOLD_MAX)].join("`, `"));
    if records.len() > TOLD_MAX {
        text.push_str(&format!(" and {} more", records.len() - TOLD_MAX));
    }
    text
}

/// A record as a person would write it, as much of it as a complaint can hold.
fn told(record: &RawRecord, ttl: bool) -> String {
    let mut text = name_text(&record.name.to_lowercase());
    if ttl {
        text.push_str(&format!(" {}", record.ttl));
    }
    if record.class != CLASS_IN {
        text.push_str(&format!(" CLASS{}", record.class));
    }
    text.push_str(&format!(" {} {}", type_text(record.rtype), rdata::data_text(record.rtype, &record.data)));
    if text.chars().count() > TEXT_MAX {
        text = text.chars().take(TEXT_MAX).chain("...".chars()).collect();
    }
    text
}
