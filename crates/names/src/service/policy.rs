//! Response policy zones (draft-vixie-dnsop-dns-rpz): an operator's rules about names and addresses, kept as a zone.
//!
//! Understood are the triggers on the name asked for, on the client's address (`rpz-client-ip`) and on addresses in
//! answers (`rpz-ip`). Rules on name servers (`rpz-nsip`, `rpz-nsdname`) are not: [`PolicyZone::new`] refuses them, so
//! that no rule is silently without effect.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_proto::rr::{Name, RecordType};

use crate::rdata;
use crate::resolver::{Answer, in_prefix};
use crate::wire::{CLASS_IN, Question, RawRecord, name_to_wire};

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

type Places = Vec<(IpAddr, u8, Action)>;

/// One policy zone.
#[derive(Clone, Debug)]
pub struct PolicyZone {
    names: BTreeMap<Name, Action>,
    clients: Places,
    addresses: Places,
    /// What is done instead of what the rules say.
    pub instead: Override,
    /// Only clients in one of these prefixes are concerned; `None`: all.
    pub only: Option<Vec<(IpAddr, u8)>>,
}

/// What the policies say to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    Pass,
    /// That no policy is to be looked at.
    PassThrough,
    /// Silence.
    Drop,
    /// Come back over TCP.
    Truncate,
    /// This code and these records.
    Answer(u16, Vec<RawRecord>),
    /// An alias, to be followed.
    Alias(RawRecord, Name),
}

impl PolicyZone {
    /// A zone out of its records, those of its apex aside. The error names the rule that is not understood.
    pub fn new(origin: &Name, records: &[RawRecord]) -> Result<PolicyZone, String> {
        let mut rules: BTreeMap<Name, Vec<RawRecord>> = BTreeMap::new();
        for record in records {
            let name = record.name.to_lowercase();
            let apex = name == *origin || matches!(record.rtype, RecordType::SOA | RecordType::NS);
            if origin.zone_of(&name) && !apex {
                let labels = name.iter().len() - origin.iter().len();
                let relative = Name::from_labels(name.iter().take(labels)).map_err(|why| why.to_string())?;
                rules.entry(relative).or_default().push(record.clone());
            }
        }
        let mut zone = PolicyZone {
            names: BTreeMap::new(),
            clients: Places::new(),
            addresses: Places::new(),
            instead: Override::None,
            only: None,
        };
        for (trigger, records) in rules {
            let action = action(&records);
            let last = trigger.iter().next_back().map(<[u8]>::to_vec).unwrap_or_default();
            let place = || {
                let labels: Vec<&[u8]> = trigger.iter().collect();
                place(&labels[..labels.len() - 1]).ok_or_else(|| format!("{trigger} is no address"))
            };
            match &last[..] {
                b"rpz-client-ip" => zone.clients.push(with(place()?, action)),
                b"rpz-ip" => zone.addresses.push(with(place()?, action)),
                b"rpz-nsip" | b"rpz-nsdname" => return Err(format!("rules on name servers ({trigger})")),
                _ => {
                    zone.names.insert(trigger, action);
                }
            }
        }
        Ok(zone)
    }

    fn concerns(&self, client: IpAddr) -> bool {
        self.instead != Override::Disabled
            && self
                .only
                .as_ref()
                .is_none_or(|only| only.iter().any(|(at, bits)| in_prefix(client, *at, *bits)))
    }

    fn done<'a>(&'a self, own: &'a Action) -> &'a Action {
        match &self.instead {
            Override::Action(action) => action,
            _ => own,
        }
    }

    /// The rule for a name: its own, or the closest wildcard's.
    fn of_name(&self, name: &Name) -> Option<&Action> {
        let name = name.to_lowercase();
        if let Some(action) = self.names.get(&name) {
            return Some(action);
        }
        let mut above = name;
        while !above.is_root() {
            above = above.base_name();
            let wildcard = Name::from_labels(std::iter::once(&b"*"[..]).chain(above.iter())).ok()?;
            if let Some(action) = self.names.get(&wildcard) {
                return Some(action);
            }
        }
        None
    }
}

fn with((at, bits): (IpAddr, u8), action: Action) -> (IpAddr, u8, Action) {
    (at, bits, action)
}

/// The longest prefix that holds the address.
fn of_address(places: &Places, address: IpAddr) -> Option<&Action> {
    let fitting = places.iter().filter(|(at, bits, _)| in_prefix(address, *at, *bits));
    fitting.max_by_key(|(_, bits, _)| *bits).map(|(_, _, action)| action)
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

/// What the policies say to a question. `client`: also by the client's address, which counts once only.
pub(super) fn on_question(zones: &[PolicyZone], question: &Question, client: IpAddr, first: bool) -> Verdict {
    for zone in zones.iter().filter(|zone| zone.concerns(client)) {
        let by_client = if first { of_address(&zone.clients, client) } else { None };
        if let Some(action) = by_client.or_else(|| zone.of_name(&question.name)) {
            return verdict(zone.done(action), question);
        }
    }
    Verdict::Pass
}

/// What the policies say to an answer: by the names that its aliases lead to, then by its addresses. With it, the
/// aliases that stay, and whether it is by a name.
pub(super) fn on_answer(
    zones: &[PolicyZone],
    question: &Question,
    answer: &Answer,
    client: IpAddr,
) -> Option<(Verdict, Vec<RawRecord>, bool)> {
    let mut kept = Vec::new();
    let mut name = question.name.clone();
    for record in &answer.sections.answer {
        if record.rtype != RecordType::CNAME || record.name != name || question.rtype == RecordType::CNAME {
            continue;
        }
        name = rdata::target(RecordType::CNAME, &record.data)?;
        kept.push(record.clone());
        let asked = Question { name: name.clone(), ..question.clone() };
        match on_question(zones, &asked, client, false) {
            Verdict::Pass => {}
            Verdict::PassThrough => return None,
            verdict => return Some((verdict, kept, true)),
        }
    }
    for zone in zones.iter().filter(|zone| zone.concerns(client)) {
        for record in answer.sections.answer.iter() {
            let address = match record.rtype {
                RecordType::A => <[u8; 4]>::try_from(&record.data[..]).ok().map(IpAddr::from),
                RecordType::AAAA => <[u8; 16]>::try_from(&record.data[..]).ok().map(IpAddr::from),
                _ => None,
            };
            if let Some(action) = address.and_then(|address| of_address(&zone.addresses, address)) {
                let asked = Question { name: record.name.clone(), ..question.clone() };
                return match verdict(zone.done(action), &asked) {
                    Verdict::PassThrough => None,
                    verdict => Some((verdict, kept, false)),
                };
            }
        }
    }
    None
}

fn verdict(action: &Action, question: &Question) -> Verdict {
    let records = match action {
        Action::NoName => return Verdict::Answer(3, Vec::new()),
        Action::NoData => return Verdict::Answer(0, Vec::new()),
        Action::PassThrough => return Verdict::PassThrough,
        Action::Drop => return Verdict::Drop,
        Action::TcpOnly => return Verdict::Truncate,
        Action::Data(records) => records,
    };
    let own = |record: &RawRecord| RawRecord { name: question.name.clone(), ..record.clone() };
    let alias = records.iter().find(|record| record.rtype == RecordType::CNAME);
    if let Some(alias) = alias
        && !matches!(question.rtype, RecordType::CNAME | RecordType::ANY)
        && let Some(target) = rdata::target(RecordType::CNAME, &alias.data)
    {
        let mut labels = target.iter();
        // `*.garden.`: the name asked for, inside the garden.
        let target = if labels.next() == Some(b"*") {
            Name::from_labels(question.name.iter().chain(labels)).unwrap_or(target)
        } else {
            target
        };
        let record = RawRecord { data: name_to_wire(&target).into(), class: CLASS_IN, ..own(alias) };
        return Verdict::Alias(record, target);
    }
    let fitting = records.iter().filter(|r| r.rtype == question.rtype || question.rtype == RecordType::ANY);
    Verdict::Answer(0, fitting.map(own).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdata::master_records;
    use crate::text::parse_name;

    const RULES: &str = "rpz. SOA . . 1 2 3 4 5\nbad.example.rpz. CNAME .\n*.bad.example.rpz. CNAME *.\n\
                         good.bad.example.rpz. CNAME rpz-passthru.\nwalled.rpz. CNAME *.garden.\n\
                         24.0.2.0.192.rpz-client-ip.rpz. CNAME rpz-drop.\n32.9.113.0.203.rpz-ip.rpz. A 192.0.2.1\n\
                         128.1.zz.db8.2001.rpz-ip.rpz. CNAME .\n";

    fn name(text: &str) -> Name {
        parse_name(text).expect("a legal name")
    }

    fn zone() -> PolicyZone {
        let records = master_records(RULES, &Name::root()).expect("legal records");
        PolicyZone::new(&name("rpz"), &records).expect("rules that are understood")
    }

    #[test]
    fn the_closest_rule_counts() {
        let zones = [zone()];
        let client = |text: &str| text.parse::<IpAddr>().expect("an address");
        let check = |asked: &str, from: &str, wanted: Verdict| {
            let question = Question::new(name(asked), RecordType::A);
            assert_eq!(on_question(&zones, &question, client(from), true), wanted, "{asked} from {from}");
        };
        check("bad.example", "10.0.0.1", Verdict::Answer(3, Vec::new()));
        check("www.BAD.example", "10.0.0.1", Verdict::Answer(0, Vec::new()));
        check("good.bad.example", "10.0.0.1", Verdict::PassThrough);
        check("other.example", "10.0.0.1", Verdict::Pass);
        check("other.example", "192.0.2.7", Verdict::Drop);
        let question = Question::new(name("walled"), RecordType::A);
        let Verdict::Alias(_, target) = on_question(&zones, &question, client("10.0.0.1"), true) else {
            panic!("an alias into the garden");
        };
        assert_eq!(target, name("walled.garden"));
    }

    #[test]
    fn addresses_are_spelled_from_their_end() {
        let check = |text: &str, wanted: Option<(&str, u8)>| {
            let labels: Vec<&[u8]> = text.split('.').map(str::as_bytes).collect();
            let wanted = wanted.map(|(text, bits)| (text.parse().expect("an address"), bits));
            assert_eq!(place(&labels), wanted, "{text}");
        };
        check("32.1.2.0.192", Some(("192.0.2.1", 32)));
        check("128.1.zz.db8.2001", Some(("2001:db8::1", 128)));
        check("48.zz.1.db8.2001", Some(("2001:db8:1::", 48)));
        check("33.1.2.0.192", None);
        check("x.1.2.0.192", None);
    }

    #[test]
    fn rules_that_are_not_understood_are_refused() {
        let records =
            master_records("32.1.2.0.192.rpz-nsip.rpz. CNAME .", &Name::root()).expect("legal records");
        assert!(PolicyZone::new(&name("rpz"), &records).is_err());
    }
}
