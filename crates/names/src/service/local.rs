//! Names answered by configuration, before anybody is asked.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hickory_proto::rr::{Name, RecordType};

use crate::rdata;
use crate::resolver::in_prefix;
use crate::wire::{Question, RawRecord};

/// What becomes of names in a zone that have no data of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Silence.
    Deny,
    /// REFUSED.
    Refuse,
    /// "No such name", "no such record".
    Static,
    /// They are resolved.
    Transparent,
    /// They are resolved, also for other types of names that have data.
    TypeTransparent,
    /// Every name below is answered with the zone's own data.
    Redirect,
    /// They are resolved, data or not.
    AlwaysTransparent,
    /// REFUSED, data or not.
    AlwaysRefuse,
    /// "No such name", data or not.
    AlwaysNxdomain,
    /// "No such record", data or not.
    AlwaysNodata,
    /// Silence, data or not.
    AlwaysDeny,
    /// 0.0.0.0 and ::, data or not.
    AlwaysNull,
    /// A questions get "no such record", the rest is resolved.
    BlockA,
    /// AAAA questions get "no such record", the rest is resolved.
    BlockAaaa,
}

/// One zone.
#[derive(Clone, Debug)]
struct LocalZone {
    kind: Kind,
    /// Only clients in one of these prefixes see it; empty: all.
    clients: Vec<(IpAddr, u8)>,
    records: BTreeMap<Name, Vec<RawRecord>>,
}

/// The zones.
#[derive(Clone, Debug, Default)]
pub struct LocalZones {
    zones: BTreeMap<Name, LocalZone>,
}

/// What the local zones say.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Nothing.
    Pass,
    /// Say nothing to the client.
    Drop,
    /// This.
    Answer(LocalAnswer),
    /// An alias, whose target is to be resolved.
    Alias(RawRecord, Name),
}

/// An answer out of local data.
#[derive(Clone, Debug, Default)]
pub struct LocalAnswer {
    /// Response code.
    pub rcode: u16,
    /// Answer section.
    pub answer: Vec<RawRecord>,
    /// The SOA of a negative answer, if the zone has one.
    pub authority: Vec<RawRecord>,
    /// Extended error.
    pub extended_error: Option<u16>,
    /// AA.
    pub authoritative: bool,
}

impl LocalZones {
    /// What must not leave a network (RFC 6761, RFC 6303), as static zones.
    pub fn with_defaults() -> LocalZones {
        let mut zones = LocalZones::with_localhost();
        for (zone, ptr) in [("127.in-addr.arpa", "1.0.0.127.in-addr.arpa"), (LOOPBACK6, LOOPBACK6)] {
            zones.add_default(zone);
            zones.add_line(&format!("{ptr}. 10800 IN PTR localhost.")).expect("a legal record");
        }
        for zone in EMPTY_ZONES {
            zones.add_default(zone);
        }
        zones
    }

    /// `localhost` and nothing else: its questions never leave a resolver (RFC 6761 section 6.3).
    pub fn with_localhost() -> LocalZones {
        let mut zones = LocalZones::default();
        zones.add_zone(crate::text::parse_name("localhost").expect("a legal name"), Kind::Redirect);
        for line in [
            "localhost. 10800 IN A 127.0.0.1",
            "localhost. 10800 IN AAAA ::1",
            "localhost. 10800 IN NS localhost.",
            "localhost. 10800 IN SOA localhost. nobody.invalid. 1 3600 1200 604800 10800",
        ] {
            zones.add_line(line).expect("a legal record");
        }
        zones
    }

    fn add_default(&mut self, zone: &str) {
        self.add_zone(crate::text::parse_name(zone).expect("a legal name"), Kind::Static);
        for data in ["NS localhost.", "SOA localhost. nobody.invalid. 1 3600 1200 604800 10800"] {
            self.add_line(&format!("{zone}. 10800 IN {data}")).expect("a legal record");
        }
    }

    /// Adds a zone, or changes what it is.
    pub fn add_zone(&mut self, name: Name, kind: Kind) {
        let name = super::lower(&name);
        let zone = self.zones.entry(name).or_insert(LocalZone {
            kind,
            clients: Vec::new(),
            records: BTreeMap::new(),
        });
        zone.kind = kind;
    }

    /// Takes a zone away, its data too.
    pub fn remove_zone(&mut self, name: &Name) {
        self.zones.remove(name);
    }

    /// Adds a record in master-file form, to a transparent zone of its own if there is none that holds it.
    pub fn add_line(&mut self, line: &str) -> Result<(), String> {
        let record = rdata::record_from_text(line, &Name::root(), 3600, None)?;
        self.add(record);
        Ok(())
    }

    /// Adds a record.
    pub fn add(&mut self, record: RawRecord) {
        let name = super::lower(&record.name);
        let zone = match self.above(&name) {
            Some(zone) => zone.clone(),
            None => {
                self.add_zone(name.clone(), Kind::Transparent);
                name.clone()
            }
        };
        let zone = self.zones.get_mut(&zone).expect("it is there");
        zone.records.entry(name).or_default().push(record);
    }

    /// Only these clients see the zone.
    pub fn restrict(&mut self, zone: &Name, prefix: IpAddr, length: u8) {
        if let Some(zone) = self.zones.get_mut(&super::lower(zone)) {
            zone.clients.push((prefix, length));
        }
    }

    fn above(&self, name: &Name) -> Option<&Name> {
        let mut candidate = name.clone();
        loop {
            if let Some((zone, _)) = self.zones.get_key_value(&candidate) {
                return Some(zone);
            }
            if candidate.is_root() {
                return None;
            }
            candidate = candidate.base_name();
        }
    }

    /// What is said to this client's question.
    pub fn answer(&self, question: &Question, client: IpAddr) -> Verdict {
        let name = super::lower(&question.name);
        let from =
            if question.rtype == RecordType::DS && !name.is_root() { name.base_name() } else { name.clone() };
        let Some(apex) = self.above(&from) else { return Verdict::Pass };
        let zone = &self.zones[apex];
        let may = |(prefix, length): &(IpAddr, u8)| in_prefix(client, *prefix, *length);
        if !zone.clients.is_empty() && !zone.clients.iter().any(may) {
            return Verdict::Pass;
        }
        zone.answer(apex, &name, question)
    }
}

/// The alias from the name asked for to the same name in front of what follows the asterisk.
fn inside(alias: RawRecord, question: &Question, target: &Name) -> Verdict {
    match Name::from_labels(question.name.iter().chain(target.iter().skip(1))) {
        Ok(target) => {
            let data = crate::wire::name_to_wire(&target).into();
            Verdict::Alias(RawRecord { data, ..alias }, target)
        }
        // As with a DNAME: the name that comes of it is too long (RFC 6672 section 2.2).
        Err(_) => Verdict::Answer(LocalAnswer {
            rcode: 6,
            extended_error: Some(0),
            authoritative: true,
            ..LocalAnswer::default()
        }),
    }
}

impl LocalZone {
    fn answer(&self, apex: &Name, name: &Name, question: &Question) -> Verdict {
        match self.kind {
            Kind::AlwaysTransparent => return Verdict::Pass,
            Kind::AlwaysRefuse => return self.empty(apex, 5),
            Kind::AlwaysNxdomain => return self.empty(apex, 3),
            Kind::AlwaysNodata => return self.empty(apex, 0),
            Kind::AlwaysDeny => return Verdict::Drop,
            Kind::AlwaysNull => return self.null(question),
            _ => {}
        }
        let owner = if self.kind == Kind::Redirect { apex } else { name };
        let here = self.records.get(owner);
        if let Some(records) = here {
            let wanted =
                |record: &&RawRecord| record.rtype == question.rtype || question.rtype == RecordType::ANY;
            let found: Vec<RawRecord> = records
                .iter()
                .filter(wanted)
                .map(|record| RawRecord { name: question.name.clone(), ..record.clone() })
                .collect();
            if !found.is_empty() {
                return Verdict::Answer(LocalAnswer {
                    rcode: 0,
                    answer: found,
                    authority: Vec::new(),
                    extended_error: None,
                    authoritative: true,
                });
            }
            if let Some(alias) = records.iter().find(|record| record.rtype == RecordType::CNAME) {
                let alias = RawRecord { name: question.name.clone(), ..alias.clone() };
                match rdata::target(RecordType::CNAME, &alias.data) {
                    // `*.garden.`: the name asked for, inside the garden.
                    Some(target) if self.kind == Kind::Redirect && target.iter().next() == Some(b"*") => {
                        return inside(alias, question, &target);
                    }
                    Some(target) => return Verdict::Alias(alias, target),
                    None => {}
                }
            }
        }
        let below = self.records.keys().any(|other| name.zone_of(other));
        match self.kind {
            Kind::Deny => Verdict::Drop,
            Kind::Refuse => self.empty(apex, 5),
            Kind::Transparent if here.is_none() => Verdict::Pass,
            Kind::TypeTransparent => Verdict::Pass,
            Kind::BlockA if question.rtype != RecordType::A => Verdict::Pass,
            Kind::BlockA => self.empty(apex, 0),
            Kind::BlockAaaa if question.rtype != RecordType::AAAA => Verdict::Pass,
            Kind::BlockAaaa => self.empty(apex, 0),
            Kind::Static if here.is_none() && !below => self.empty(apex, 3),
            _ => self.empty(apex, 0),
        }
    }

    fn empty(&self, apex: &Name, rcode: u16) -> Verdict {
        let soa =
            self.records.get(apex).into_iter().flatten().filter(|record| record.rtype == RecordType::SOA);
        Verdict::Answer(LocalAnswer {
            rcode,
            answer: Vec::new(),
            authority: if rcode == 5 { Vec::new() } else { soa.cloned().collect() },
            extended_error: None,
            authoritative: rcode != 5,
        })
    }

    fn null(&self, question: &Question) -> Verdict {
        let data: Option<Vec<u8>> = match question.rtype {
            RecordType::A => Some(vec![0; 4]),
            RecordType::AAAA => Some(vec![0; 16]),
            _ => None,
        };
        let record = data.map(|data| RawRecord {
            name: question.name.clone(),
            rtype: question.rtype,
            class: question.class,
            ttl: 3600,
            data: data.into(),
        });
        Verdict::Answer(LocalAnswer {
            rcode: 0,
            answer: record.into_iter().collect(),
            authority: Vec::new(),
            extended_error: None,
            authoritative: true,
        })
    }
}

const LOOPBACK6: &str = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa";

/// RFC 6303 section 4, RFC 7793, RFC 6761, RFC 7686, RFC 8375.
const EMPTY_ZONES: [&str; 20] = [
    "onion",
    "test",
    "invalid",
    "home.arpa",
    "resolver.arpa",
    "service.arpa",
    "0.in-addr.arpa",
    "10.in-addr.arpa",
    "168.192.in-addr.arpa",
    "254.169.in-addr.arpa",
    "2.0.192.in-addr.arpa",
    "100.51.198.in-addr.arpa",
    "113.0.203.in-addr.arpa",
    "255.255.255.255.in-addr.arpa",
    "d.f.ip6.arpa",
    "8.e.f.ip6.arpa",
    "9.e.f.ip6.arpa",
    "a.e.f.ip6.arpa",
    "b.e.f.ip6.arpa",
    "8.b.d.0.1.0.0.2.ip6.arpa",
];
