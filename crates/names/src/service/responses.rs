//! Rules about addresses in answers: an operator's word about networks that names of others lead to.

use std::net::IpAddr;

use hickory_proto::rr::{Name, RecordType};

use super::clients::{Client, Tags, fitting};
use super::local::Kind;
use crate::prefixes::Prefixes;
use crate::rdata;
use crate::resolver::Answer;
use crate::wire::RawRecord;

/// What is done with answers that hold an address of one prefix.
#[derive(Clone, Debug)]
pub struct AddressRule {
    /// What kind of zone the addresses are, as it were.
    pub kind: Kind,
    /// Records that take their place; their owner does not matter.
    pub records: Vec<RawRecord>,
    /// Tags of the rule.
    pub tags: Tags,
}

/// The rules, by prefix; the longest counts.
#[derive(Clone, Debug, Default)]
pub struct AddressRules {
    places: Prefixes<AddressRule>,
}

/// What the rules make of an answer. `kept`: the aliases before the address, which stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Say nothing to the client.
    Drop,
    /// REFUSED.
    Refuse,
    /// These records, or none, with this code.
    Answer { code: u16, kept: Vec<RawRecord> },
    /// An alias, whose target is to be resolved.
    Alias { kept: Vec<RawRecord>, target: Name },
}

impl AddressRules {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// What addresses of a prefix are.
    pub fn set(&mut self, prefix: IpAddr, length: u8, kind: Kind) {
        self.rule(prefix, length).kind = kind;
    }

    /// Adds a record to a prefix: type and data in master-file form.
    pub fn add_data(&mut self, prefix: IpAddr, length: u8, text: &str) -> Result<(), String> {
        let record = rdata::record_from_text(&format!(". {text}"), &Name::root(), 3600, None)?;
        self.rule(prefix, length).records.push(record);
        Ok(())
    }

    /// Gives a prefix tags.
    pub fn set_tags(&mut self, prefix: IpAddr, length: u8, tags: Tags) {
        self.rule(prefix, length).tags = tags;
    }

    fn rule(&mut self, prefix: IpAddr, length: u8) -> &mut AddressRule {
        if self.places.get_mut(prefix, length).is_none() {
            let rule = AddressRule { kind: Kind::Redirect, records: Vec::new(), tags: Tags::NONE };
            self.places.insert(prefix, length, rule);
        }
        self.places.get_mut(prefix, length).expect("just put there")
    }

    /// What becomes of an answer for this client; `None`: it stays as it is.
    pub(super) fn judge(&self, answer: &Answer, client: Option<&Client>) -> Option<Verdict> {
        let sections = &answer.sections.answer;
        let (at, rule) = sections.iter().enumerate().find_map(|(at, record)| {
            let address = address(record)?;
            Some((at, self.places.longest(address)?))
        })?;
        let kind = client.and_then(|client| client.kind(rule.tags)).unwrap_or(rule.kind);
        let kept = |count: usize| {
            let before = sections[..count].iter();
            before.filter(|record| record.rtype != RecordType::RRSIG).cloned().collect::<Vec<_>>()
        };
        // To whom asks for everything nothing but the rule's own word is told.
        let start = if answer.record_type == RecordType::ANY { 0 } else { at };
        // The records of one set stand together: what precedes the first is what leads there.
        let owner = &sections[at].name;
        match kind {
            Kind::AlwaysRefuse => return Some(Verdict::Refuse),
            Kind::AlwaysTransparent => return None,
            Kind::AlwaysNxdomain => return Some(Verdict::Answer { code: 3, kept: kept(start) }),
            Kind::AlwaysNodata => return Some(Verdict::Answer { code: 0, kept: kept(start) }),
            Kind::AlwaysDeny => return Some(Verdict::Drop),
            _ => {}
        }
        let own = client.and_then(|client| client.records(rule.tags)).filter(|_| kind == Kind::Redirect);
        let records = fitting(own.unwrap_or(&rule.records), owner, answer.record_type);
        let alias = records.iter().find(|record| record.rtype == RecordType::CNAME);
        let target = alias.and_then(|alias| rdata::target(RecordType::CNAME, &alias.data));
        if !records.is_empty() {
            let mut kept = kept(start);
            kept.extend(records);
            let leads_on = !matches!(answer.record_type, RecordType::CNAME | RecordType::ANY);
            return Some(match target.filter(|_| leads_on) {
                Some(target) => Verdict::Alias { kept, target },
                None => Verdict::Answer { code: 0, kept },
            });
        }
        match kind {
            Kind::Deny => Some(Verdict::Drop),
            Kind::Refuse => Some(Verdict::Refuse),
            Kind::Static | Kind::Redirect => Some(Verdict::Answer { code: 0, kept: kept(start) }),
            _ => None,
        }
    }
}

/// The address in a record.
pub(super) fn address(record: &RawRecord) -> Option<IpAddr> {
    match record.rtype {
        RecordType::A => <[u8; 4]>::try_from(&record.data[..]).ok().map(IpAddr::from),
        RecordType::AAAA => <[u8; 16]>::try_from(&record.data[..]).ok().map(IpAddr::from),
        _ => None,
    }
}
