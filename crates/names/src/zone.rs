//! A zone: names, record sets, delegations and wildcards, and the lookup that knows them.
//!
//! - [`Zone::parse`]: from master-file text; errors name the line.
//! - [`Zone::lookup`]: RFC 1034 section 4.3.2 with the wildcard rules of RFC 4592.

mod parse;

use std::collections::BTreeMap;
use std::fmt;

use hickory_proto::rr::{Name, RData, Record, RecordType};

/// Why text is not a zone: the line, what is wrong there, and perhaps the way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneError {
    /// Line of the text, from 1; 0 when the fault is of the whole (no SOA).
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for ZoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        write!(f, "{}", self.what)?;
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

impl std::error::Error for ZoneError {}

/// All records of one type at one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSet {
    /// Seconds.
    pub ttl: u32,
    /// In the order they were given, without doubles.
    pub data: Vec<RData>,
}

impl RecordSet {
    /// The records of this set under `owner` (which may be a name that a wildcard stood in for).
    pub fn records<'a>(&'a self, owner: &'a Name) -> impl Iterator<Item = Record> + 'a {
        self.data.iter().map(move |data| Record::from_rdata(owner.clone(), self.ttl, data.clone()))
    }
}

/// What exists at one name. Empty for a name that exists only because names below it do.
type Node = BTreeMap<RecordType, RecordSet>;

/// One zone. Always has a SOA and an NS set at its origin, and no CNAME beside other data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    origin: Name,
    /// Keys compare without case (RFC 4343) in canonical order, and include every name on the way to a record.
    nodes: BTreeMap<Name, Node>,
}

/// What a zone says about a name and a type.
#[derive(Debug, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// The name is not in this zone at all.
    OutOfZone,
    /// The sets asked for: one, or all at the name for `ANY`.
    Found(Vec<(RecordType, &'a RecordSet)>),
    /// The name is an alias.
    Alias(&'a RecordSet),
    /// The name lies in a zone delegated at `cut`.
    Delegated {
        /// The name of the delegated zone.
        cut: Name,
        /// Its name servers, as the parent knows them.
        servers: &'a RecordSet,
    },
    /// The name exists without that type.
    NoData,
    /// The name does not exist.
    NoName,
}

impl Zone {
    /// Reads master-file text (RFC 1035 section 5.1, with `$ORIGIN`, `$TTL`, TTL units as in `2h30m`,
    /// RFC 3597's `\#` form; without `$INCLUDE` and `$GENERATE`).
    ///
    /// `origin` is where relative names hang until the text's own `$ORIGIN`, and the zone's name; `None`: the zone is
    /// named by its SOA record.
    pub fn parse(text: &str, origin: Option<&Name>) -> Result<Zone, ZoneError> {
        parse::parse(text, origin)
    }

    /// The zone's name.
    pub fn origin(&self) -> &Name {
        &self.origin
    }

    /// The set of `record_type` at exactly `name`, delegations and wildcards not considered.
    pub fn set_at(&self, name: &Name, record_type: RecordType) -> Option<&RecordSet> {
        self.nodes.get(name)?.get(&record_type)
    }

    /// Every record, names in canonical order, SOA first.
    pub fn records(&self) -> impl Iterator<Item = Record> + '_ {
        let soa = self.set_at(&self.origin, RecordType::SOA).expect("a zone has a SOA");
        let rest = self.nodes.iter().flat_map(|(name, node)| {
            node.iter()
                .filter(|(record_type, _)| **record_type != RecordType::SOA)
                .flat_map(move |(_, set)| set.records(name))
        });
        soa.records(&self.origin).chain(rest)
    }

    /// The SOA record as negative answers carry it: its TTL is the negative TTL (RFC 2308 section 3).
    pub fn negative_soa(&self) -> Record {
        let set = self.set_at(&self.origin, RecordType::SOA).expect("a zone has a SOA");
        let data = set.data[0].clone();
        let minimum = match &data {
            RData::SOA(soa) => soa.minimum,
            _ => unreachable!("a SOA set holds SOA data"),
        };
        Record::from_rdata(self.origin.clone(), set.ttl.min(minimum), data)
    }

    /// What this zone says about `name` and `record_type`.
    pub fn lookup(&self, name: &Name, record_type: RecordType) -> Lookup<'_> {
        if !self.origin.zone_of(name) {
            return Lookup::OutOfZone;
        }
        if let Some((cut, servers)) = self.cut_above(name, record_type) {
            return Lookup::Delegated { cut, servers };
        }
        if let Some(node) = self.nodes.get(name) {
            return answer_from(node, record_type);
        }
        // RFC 4592 section 3.3.1: the wildcard directly below the closest name that exists, and no other.
        let mut encloser = name.base_name();
        while !self.nodes.contains_key(&encloser) {
            encloser = encloser.base_name();
        }
        let wildcard = encloser.prepend_label("*").ok().and_then(|wildcard| self.nodes.get(&wildcard));
        match wildcard {
            Some(node) => answer_from(node, record_type),
            None => Lookup::NoName,
        }
    }

    /// The addresses this zone holds for `name`, as authority or as glue.
    pub fn addresses(&self, name: &Name) -> impl Iterator<Item = Record> + '_ {
        let found = self.nodes.get_key_value(name);
        found.into_iter().flat_map(|(owner, node)| {
            [RecordType::A, RecordType::AAAA]
                .into_iter()
                .filter_map(move |record_type| node.get(&record_type))
                .flat_map(move |set| set.records(owner))
        })
    }

    /// The highest delegation on the way from the origin down to `name`.
    fn cut_above(&self, name: &Name, record_type: RecordType) -> Option<(Name, &RecordSet)> {
        let depth = name.iter().len();
        let from = self.origin.iter().len() + 1;
        for labels in from..=depth {
            let ancestor = name.trim_to(labels);
            // RFC 4035 section 3.1.4.1: DS belongs to the parent, so at the cut itself it is answered here.
            if labels == depth && record_type == RecordType::DS {
                return None;
            }
            match self.nodes.get(&ancestor) {
                None => return None,
                Some(node) => {
                    if let Some(servers) = node.get(&RecordType::NS) {
                        return Some((ancestor, servers));
                    }
                }
            }
        }
        None
    }
}

fn answer_from(node: &Node, record_type: RecordType) -> Lookup<'_> {
    if record_type == RecordType::ANY && !node.is_empty() {
        return Lookup::Found(node.iter().map(|(kind, set)| (*kind, set)).collect());
    }
    if let Some(set) = node.get(&record_type) {
        return Lookup::Found(vec![(record_type, set)]);
    }
    match node.get(&RecordType::CNAME) {
        Some(set) => Lookup::Alias(set),
        None => Lookup::NoData,
    }
}

#[cfg(test)]
mod tests;
