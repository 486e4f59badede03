//! Names answered by configuration, before anybody is asked.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hickory_proto::rr::{Name, RecordType};

use super::clients::{Client, Tags, fitting};
use crate::prefixes::Prefixes;
use crate::rdata;
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
    /// A questions get "no such record", data or not; the rest is resolved.
    BlockA,
    /// AAAA questions get "no such record", data or not; the rest is resolved.
    BlockAaaa,
    /// As [`Kind::BlockA`], but names that have data keep it.
    BlockAWithData,
    /// As [`Kind::BlockAaaa`], but names that have data keep it.
    BlockAaaaWithData,
    /// In a view: what everybody has counts here.
    NoView,
}

impl Kind {
    /// The kind with this name, as unbound's configuration spells it. Kinds that only write a log line besides are what
    /// they are without it.
    pub fn from_word(word: &str) -> Option<Kind> {
        Some(match word {
            "deny" | "inform_deny" => Kind::Deny,
            "refuse" => Kind::Refuse,
            "static" => Kind::Static,
            "transparent" | "inform" => Kind::Transparent,
            "typetransparent" => Kind::TypeTransparent,
            "redirect" | "inform_redirect" => Kind::Redirect,
            "always_transparent" => Kind::AlwaysTransparent,
            "always_refuse" => Kind::AlwaysRefuse,
            "always_nxdomain" => Kind::AlwaysNxdomain,
            "always_nodata" => Kind::AlwaysNodata,
            "always_deny" => Kind::AlwaysDeny,
            "always_null" => Kind::AlwaysNull,
            "block_a" => Kind::BlockA,
            "block_aaaa" => Kind::BlockAaaa,
            "block_a_wdata" => Kind::BlockAWithData,
            "block_aaaa_wdata" => Kind::BlockAaaaWithData,
            "noview" => Kind::NoView,
            _ => return None,
        })
    }
}

/// One zone.
#[derive(Clone, Debug)]
struct LocalZone {
    kind: Kind,
    /// Only clients with one of these tags see it; none: all.
    tags: Tags,
    /// What it is for clients of some prefixes.
    overrides: Prefixes<Kind>,
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
    /// Nothing, and in a view: what everybody has counts.
    NoView,
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
    /// Additional section; left out where replies are minimal.
    pub additional: Vec<RawRecord>,
    /// RA is taken away.
    pub hides_recursion: bool,
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
        for zone in of_172() {
            zones.add_default(&zone);
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
            tags: Tags::NONE,
            overrides: Prefixes::default(),
            records: BTreeMap::new(),
        });
        zone.kind = kind;
    }

    /// Takes a zone away, its data too.
    pub fn remove_zone(&mut self, name: &Name) {
        self.zones.remove(name);
    }

    /// The reverse zones of private networks.
    pub fn private_zones() -> impl Iterator<Item = Name> {
        let own = |zone: &&&str| zone.ends_with("arpa") && PRIVATE.iter().any(|end| zone.ends_with(end));
        let listed = EMPTY_ZONES.iter().filter(own).map(|zone| (*zone).to_owned());
        listed.chain(of_172()).map(|zone| crate::text::parse_name(&zone).expect("a legal name"))
    }

    /// Takes those away, so that questions about them are resolved: where a server of the network answers them.
    pub fn remove_private(&mut self) {
        LocalZones::private_zones().for_each(|zone| self.remove_zone(&zone));
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

    /// Whether there is no zone at all.
    pub fn is_empty(&self) -> bool {
        self.zones.is_empty()
    }

    /// Only clients with one of these tags see the zone. `false`: there is no such zone.
    pub fn set_tags(&mut self, zone: &Name, tags: Tags) -> bool {
        self.zones.get_mut(&super::lower(zone)).map(|zone| zone.tags = tags).is_some()
    }

    /// For clients of a prefix the zone is of another kind. `false`: there is no such zone.
    pub fn override_kind(&mut self, zone: &Name, prefix: IpAddr, length: u8, kind: Kind) -> bool {
        let zone = self.zones.get_mut(&super::lower(zone));
        zone.map(|zone| zone.overrides.insert(prefix, length, kind)).is_some()
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

    /// What is said to the question of a client that asks from there.
    pub fn answer(&self, question: &Question, from: IpAddr, client: Option<&Client>) -> Verdict {
        let name = super::lower(&question.name);
        let mut below =
            if question.rtype == RecordType::DS && !name.is_root() { name.base_name() } else { name.clone() };
        let tags = client.map_or(Tags::NONE, |client| client.tags);
        loop {
            let Some(apex) = self.above(&below) else { return Verdict::Pass };
            let zone = &self.zones[apex];
            if zone.tags.is_empty() || zone.tags.meet(tags) {
                return zone.answer(apex, &name, question, from, client);
            }
            // Not for this client: perhaps a zone above is.
            if apex.is_root() {
                return Verdict::Pass;
            }
            below = apex.base_name();
        }
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
    fn answer(
        &self,
        apex: &Name,
        name: &Name,
        question: &Question,
        from: IpAddr,
        client: Option<&Client>,
    ) -> Verdict {
        let by_tag = client.and_then(|client| client.kind(self.tags));
        let kind = self.overrides.longest(from).copied().or(by_tag).unwrap_or(self.kind);
        match kind {
            Kind::NoView => return Verdict::NoView,
            Kind::BlockA if question.rtype != RecordType::A => return Verdict::Pass,
            Kind::BlockAaaa if question.rtype != RecordType::AAAA => return Verdict::Pass,
            Kind::BlockA | Kind::BlockAaaa => return self.empty(apex, 0),
            Kind::AlwaysTransparent => return Verdict::Pass,
            Kind::AlwaysRefuse => return self.empty(apex, 5),
            Kind::AlwaysNxdomain => return self.empty(apex, 3),
            Kind::AlwaysNodata => return self.empty(apex, 0),
            Kind::AlwaysDeny => return Verdict::Drop,
            Kind::AlwaysNull => return self.null(question),
            _ => {}
        }
        let owner = if kind == Kind::Redirect { apex } else { name };
        let here = self.records.get(owner).map(Vec::as_slice);
        let of_tag = client.and_then(|client| client.records(self.tags)).filter(|_| kind == Kind::Redirect);
        let of_tag = of_tag.filter(|records| !fitting(records, name, question.rtype).is_empty());
        if let Some(records) = of_tag.or(here) {
            let wanted = |record: &&RawRecord| {
                record.class == question.class
                    && (record.rtype == question.rtype || question.rtype == RecordType::ANY)
            };
            let found: Vec<RawRecord> = records
                .iter()
                .filter(wanted)
                .map(|record| RawRecord { name: question.name.clone(), ..record.clone() })
                .collect();
            if !found.is_empty() {
                return Verdict::Answer(LocalAnswer {
                    answer: found,
                    authoritative: true,
                    ..LocalAnswer::default()
                });
            }
            if let Some(alias) = records.iter().find(|record| record.rtype == RecordType::CNAME) {
                let alias = RawRecord { name: question.name.clone(), ..alias.clone() };
                match rdata::target(RecordType::CNAME, &alias.data) {
                    // `*.garden.`: the name asked for, inside the garden.
                    Some(target) if kind == Kind::Redirect && target.iter().next() == Some(b"*") => {
                        return inside(alias, question, &target);
                    }
                    Some(target) => return Verdict::Alias(alias, target),
                    None => {}
                }
            }
        }
        let below = self.records.keys().any(|other| name.zone_of(other));
        match kind {
            Kind::Deny => Verdict::Drop,
            Kind::Refuse => self.empty(apex, 5),
            Kind::Transparent if here.is_none() => Verdict::Pass,
            Kind::TypeTransparent => Verdict::Pass,
            Kind::BlockAWithData if question.rtype != RecordType::A => Verdict::Pass,
            Kind::BlockAaaaWithData if question.rtype != RecordType::AAAA => Verdict::Pass,
            Kind::Static if here.is_none() && !below => self.empty(apex, 3),
            _ => self.empty(apex, 0),
        }
    }

    fn empty(&self, apex: &Name, rcode: u16) -> Verdict {
        let own = self.records.get(apex).into_iter().flatten();
        let soa = own.filter(|record| record.rtype == RecordType::SOA).map(|record| {
            // RFC 2308 section 3: no longer than its last field says.
            let minimum =
                record.data.last_chunk::<4>().map_or(record.ttl, |octets| u32::from_be_bytes(*octets));
            RawRecord { ttl: record.ttl.min(minimum), ..record.clone() }
        });
        Verdict::Answer(LocalAnswer {
            rcode,
            authority: if rcode == 5 { Vec::new() } else { soa.collect() },
            authoritative: true,
            ..LocalAnswer::default()
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
            answer: record.into_iter().collect(),
            authoritative: true,
            ..LocalAnswer::default()
        })
    }
}

/// The reverse zones of 172.16.0.0/12 (RFC 6303 section 4.1).
fn of_172() -> impl Iterator<Item = String> {
    (16..32).map(|second| format!("{second}.172.in-addr.arpa"))
}

/// What private networks' reverse zones end in (RFC 1918, RFC 3927, RFC 4193, RFC 4291).
const PRIVATE: [&str; 8] = [
    "10.in-addr.arpa",
    "168.192.in-addr.arpa",
    "254.169.in-addr.arpa",
    "d.f.ip6.arpa",
    "8.e.f.ip6.arpa",
    "9.e.f.ip6.arpa",
    "a.e.f.ip6.arpa",
    "b.e.f.ip6.arpa",
];

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
