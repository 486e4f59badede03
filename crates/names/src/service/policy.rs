//! Response policy zones (draft-vixie-dnsop-dns-rpz): an operator's rules about names and addresses, kept as a zone.
//!
//! - [`PolicyZone`]: the rules of one zone: on the name asked for, on the client's address (`rpz-client-ip`), on
//!   addresses in answers (`rpz-ip`), on name servers by name (`rpz-nsdname`) and by address (`rpz-nsip`). Start here.
//! - [`Policies`]: all zones, the weightiest first; it stops resolutions before they ask a server that a rule is about.
//! - `judge`: what they say to a question, to an answer, and to what a resolution meets on its way.

mod judge;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use hickory_proto::rr::{Name, RecordType};

use super::clients::Tags;
use crate::prefixes::Prefixes;
use crate::rdata;
use crate::wire::RawRecord;
pub(super) use judge::Verdict;

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// "No such name" (`CNAME .`).
    NoName,
    /// "No such record" (`CNAME *.`).
    NoData,
    /// As if there were no policy (`CNAME rpz-passthru.`).
    PassThrough,
    /// Silence (`CNAME rpz-drop.`).
    Drop,
    /// A truncated answer over UDP, nothing over TCP (`CNAME rpz-tcp-only.`).
    TcpOnly,
    /// These records instead.
    Data(Vec<RawRecord>),
}

/// What is done whatever a zone's rules say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Override {
    /// The rules' own actions.
    #[default]
    None,
    /// Nothing: the zone only watches.
    Disabled,
    /// This, for every rule that fits.
    Action(Action),
}

/// One policy zone.
#[derive(Clone, Debug)]
pub struct PolicyZone {
    origin: Name,
    names: BTreeMap<Name, Action>,
    clients: Prefixes<Action>,
    addresses: Prefixes<Action>,
    server_names: BTreeMap<Name, Action>,
    servers: Prefixes<Action>,
    soa: Option<RawRecord>,
    /// What is done instead of what the rules say.
    pub instead: Override,
    /// Only clients with one of these tags are concerned; none: all.
    pub tags: Tags,
    /// "No such name" goes out without RA, so that who asks can tell it from the truth.
    pub signals_denial: bool,
}

/// Zones that can be told apart; a bit more says that the client came over TCP.
pub const ZONES_MAX: usize = 63;

/// All policy zones, the weightiest first.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    pub(super) zones: Vec<Arc<PolicyZone>>,
}

impl PolicyZone {
    /// A zone out of its records, those of its apex aside. The error names the rule that is not understood.
    pub fn new(origin: &Name, records: &[RawRecord]) -> Result<PolicyZone, String> {
        let (zone, unused) = PolicyZone::read(origin, records);
        match unused.into_iter().next() {
            Some(rule) => Err(rule),
            None => Ok(zone),
        }
    }

    /// A zone out of its records, and what of it is no rule that can be understood.
    pub fn read(origin: &Name, records: &[RawRecord]) -> (PolicyZone, Vec<String>) {
        let origin = origin.to_lowercase();
        let mut rules: BTreeMap<Name, Vec<RawRecord>> = BTreeMap::new();
        let mut zone = PolicyZone {
            origin: origin.clone(),
            names: BTreeMap::new(),
            clients: Prefixes::default(),
            addresses: Prefixes::default(),
            server_names: BTreeMap::new(),
            servers: Prefixes::default(),
            soa: None,
            instead: Override::None,
            tags: Tags::NONE,
            signals_denial: false,
        };
        for record in records {
            let name = record.name.to_lowercase();
            if name == origin && record.rtype == RecordType::SOA {
                zone.soa = Some(record.clone());
            }
            if !origin.zone_of(&name) || name == origin || is_of_a_zone(record.rtype) {
                continue;
            }
            let labels = name.iter().len() - origin.iter().len();
            if let Ok(relative) = Name::from_labels(name.iter().take(labels)) {
                rules.entry(relative).or_default().push(record.clone());
            }
        }
        let mut unused = Vec::new();
        for (trigger, records) in rules {
            let action = action(&records);
            if let Err(why) = zone.add(&trigger, action) {
                unused.push(why);
            }
        }
        (zone, unused)
    }

    fn add(&mut self, trigger: &Name, action: Action) -> Result<(), String> {
        let labels: Vec<&[u8]> = trigger.iter().collect();
        let (last, rest) = labels.split_last().ok_or("a rule about nothing")?;
        let place = || place(rest).ok_or_else(|| format!("{trigger} is no address"));
        let of = match *last {
            b"rpz-client-ip" => &mut self.clients,
            b"rpz-ip" => &mut self.addresses,
            b"rpz-nsip" => &mut self.servers,
            b"rpz-nsdname" => {
                let name = Name::from_labels(rest.iter().copied()).map_err(|why| why.to_string())?;
                self.server_names.insert(name, action);
                return Ok(());
            }
            _ => {
                self.names.insert(trigger.clone(), action);
                return Ok(());
            }
        };
        let (at, bits) = place()?;
        of.insert(at, bits, action);
        Ok(())
    }

    /// The zone's name.
    pub fn origin(&self) -> &Name {
        &self.origin
    }

    /// The same with other rules: how they are used stays.
    pub fn with_records(&self, records: &[RawRecord]) -> PolicyZone {
        let (zone, _) = PolicyZone::read(&self.origin, records);
        PolicyZone {
            instead: self.instead.clone(),
            tags: self.tags,
            signals_denial: self.signals_denial,
            ..zone
        }
    }

    fn concerns(&self, tags: Tags) -> bool {
        self.instead != Override::Disabled && (self.tags.is_empty() || self.tags.meet(tags))
    }

    fn done<'a>(&'a self, own: &'a Action) -> &'a Action {
        match &self.instead {
            Override::Action(action) => action,
            _ => own,
        }
    }
}

/// Records that every zone has, and that are no rules.
fn is_of_a_zone(rtype: RecordType) -> bool {
    // SOA, NS, and DNSSEC's.
    matches!(u16::from(rtype), 2 | 6 | 43 | 46 | 47 | 48 | 50 | 51 | 63)
}

/// The rule for a name: its own, or that of the wildcard below the closest name that exists (RFC 4592 section 3.3.1).
fn of_name<'a>(rules: &'a BTreeMap<Name, Action>, name: &Name) -> Option<&'a Action> {
    if rules.is_empty() {
        return None;
    }
    let name = name.to_lowercase();
    if let Some(action) = rules.get(&name) {
        return Some(action);
    }
    let mut above = name;
    while !above.is_root() {
        above = above.base_name();
        let exists = rules.range::<Name, _>(&above..).next().is_some_and(|(first, _)| above.zone_of(first));
        if exists {
            let wildcard = Name::from_labels(std::iter::once(&b"*"[..]).chain(above.iter())).ok()?;
            return rules.get(&wildcard);
        }
    }
    None
}

fn action(records: &[RawRecord]) -> Action {
    let alias = records.iter().find(|record| record.rtype == RecordType::CNAME);
    let target = alias.and_then(|alias| rdata::target(RecordType::CNAME, &alias.data));
    match target.map(|target| crate::text::name_text(&target.to_lowercase())).as_deref() {
        Some(".") => Action::NoName,
        Some("*.") => Action::NoData,
        Some("rpz-passthru.") => Action::PassThrough,
        Some("rpz-drop.") => Action::Drop,
        Some("rpz-tcp-only.") => Action::TcpOnly,
        _ => Action::Data(records.to_vec()),
    }
}

/// A prefix as owners spell it: its length, then the address from its end; `zz` stands for the run of zeros in IPv6.
fn place(labels: &[&[u8]]) -> Option<(IpAddr, u8)> {
    let texts: Vec<&str> =
        labels.iter().map(|label| std::str::from_utf8(label).ok()).collect::<Option<_>>()?;
    let (bits, rest) = texts.split_first()?;
    let bits: u8 = bits.parse().ok()?;
    if rest.len() == 4 && rest.iter().all(|text| text.parse::<u8>().is_ok()) {
        let octet = |at: usize| rest[3 - at].parse::<u8>().ok();
        let address = Ipv4Addr::new(octet(0)?, octet(1)?, octet(2)?, octet(3)?);
        return (bits <= 32).then_some((address.into(), bits));
    }
    let text: Vec<&str> = rest.iter().rev().map(|text| if *text == "zz" { "" } else { *text }).collect();
    let mut text = text.join(":");
    if text.starts_with(':') {
        text.insert(0, ':');
    }
    if text.ends_with(':') {
        text.push(':');
    }
    let address: Ipv6Addr = text.parse().ok()?;
    (bits <= 128).then_some((address.into(), bits))
}

#[cfg(test)]
mod tests;
