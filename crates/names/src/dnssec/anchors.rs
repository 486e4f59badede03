//! Trust anchors: where chains of signatures begin, and names that are not to be checked (RFC 7646).

use std::collections::{BTreeMap, BTreeSet};

use hickory_proto::rr::{Name, RecordType};

use super::records::{Ds, key_tag};
use crate::rrset::Data;
use crate::wire::RawRecord;

/// A zone's anchor: DS or DNSKEY data, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Anchor {
    /// DS data.
    pub ds: Vec<Data>,
    /// DNSKEY data.
    pub keys: Vec<Data>,
}

/// All anchors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Anchors {
    positive: BTreeMap<Name, Anchor>,
    negative: BTreeSet<Name>,
}

impl Anchors {
    /// The root's keys as of 2026: KSK-2017 and KSK-2024 (IANA's root-anchors.xml).
    pub fn iana() -> Anchors {
        let mut anchors = Anchors::default();
        for line in [
            ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
            ". IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16",
        ] {
            let record =
                crate::rdata::record_from_text(line, &Name::root(), 3600, None).expect("a legal record");
            anchors.add(&record);
        }
        anchors
    }

    /// Adds a DS or DNSKEY record; `false` for any other type.
    pub fn add(&mut self, record: &RawRecord) -> bool {
        let anchor = self.positive.entry(record.name.to_lowercase()).or_default();
        let list = match record.rtype {
            RecordType::DS => &mut anchor.ds,
            RecordType::DNSKEY => &mut anchor.keys,
            _ => return false,
        };
        if !list.contains(&record.data) {
            list.push(record.data.clone());
        }
        true
    }

    /// Replaces the keys trusted for a zone, as upkeep does. An anchor without keys and DS makes the zone insecure.
    pub fn set_keys(&mut self, zone: &Name, keys: Vec<Data>) {
        self.positive.insert(zone.to_lowercase(), Anchor { ds: Vec::new(), keys });
    }

    /// Adds DS data to a zone's anchor.
    pub fn add_ds(&mut self, zone: &Name, data: Data) {
        let anchor = self.positive.entry(zone.to_lowercase()).or_default();
        if !anchor.ds.contains(&data) {
            anchor.ds.push(data);
        }
    }

    /// Takes a zone's anchor away.
    pub fn remove(&mut self, zone: &Name) {
        self.positive.remove(zone);
    }

    /// Nothing at or below this name is to be checked.
    pub fn add_negative(&mut self, name: Name) {
        self.negative.insert(name);
    }

    /// Whether there is no anchor at all.
    pub fn is_empty(&self) -> bool {
        self.positive.is_empty()
    }

    /// The anchor of exactly this zone.
    pub fn of(&self, zone: &Name) -> Option<&Anchor> {
        self.positive.get(zone)
    }

    /// The tags of the keys trusted for a zone, each once, in order.
    pub fn tags(&self, zone: &Name) -> Vec<u16> {
        let Some(anchor) = self.positive.get(zone) else { return Vec::new() };
        let ds = anchor.ds.iter().filter_map(|data| Ds::read(data)).map(|ds| ds.tag);
        let tags: BTreeSet<u16> = ds.chain(anchor.keys.iter().map(|data| key_tag(data))).collect();
        tags.into_iter().collect()
    }

    /// Zones with anchors.
    pub fn zones(&self) -> impl Iterator<Item = &Name> {
        self.positive.keys()
    }

    /// The deepest anchor at or above `name`; `None` below a negative anchor that is deeper or equal.
    pub fn above(&self, name: &Name) -> Option<(&Name, &Anchor)> {
        let mut candidate = name.clone();
        loop {
            if self.negative.contains(&candidate) {
                return None;
            }
            if let Some(found) = self.positive.get_key_value(&candidate) {
                return Some(found);
            }
            if candidate.is_root() {
                return None;
            }
            candidate = candidate.base_name();
        }
    }
}
