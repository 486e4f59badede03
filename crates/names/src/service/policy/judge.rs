//! What the policies say.

use std::net::IpAddr;

use hickory_proto::rr::{Name, RecordType};

use super::{Action, Policies, PolicyZone, ZONES_MAX, of_name};
use crate::rdata;
use crate::resolver::{Answer, Leave, Met, Stopped, Watch};
use crate::service::clients::Tags;
use crate::service::responses::address;
use crate::wire::{CLASS_IN, Question, RawRecord, name_to_wire};

/// The bit that says that the client came over TCP.
const OVER_TCP: u64 = 1 << ZONES_MAX;

/// What the policies say to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::service) enum Verdict {
    /// Nothing.
    Pass,
    /// That no policy is to be looked at.
    PassThrough,
    /// Silence.
    Drop,
    /// Come back over TCP.
    Truncate,
    /// This.
    Answer(Said),
    /// An alias, to be followed.
    Alias(RawRecord, Name),
}

/// An answer that a rule gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::service) struct Said {
    /// Response code.
    pub(in crate::service) code: u16,
    /// Answer section.
    pub(in crate::service) records: Vec<RawRecord>,
    /// The zone's SOA, so that who looks closely learns whose rule it was.
    pub(in crate::service) soa: Option<RawRecord>,
    /// RA is taken away.
    pub(in crate::service) signals: bool,
}

impl Policies {
    /// Whether there is none.
    pub(in crate::service) fn is_empty(&self) -> bool {
        self.zones.is_empty()
    }

    /// The zones that concern a client with these tags, for [`Watch`].
    pub(in crate::service) fn rules(&self, tags: Tags, over_tcp: bool) -> u64 {
        let concerned = self.zones.iter().take(ZONES_MAX).enumerate();
        let bits = concerned.filter(|(_, zone)| zone.concerns(tags)).fold(0, |bits, (at, _)| bits | 1 << at);
        if bits != 0 && over_tcp { bits | OVER_TCP } else { bits }
    }

    fn concerned(&self, tags: Tags) -> impl Iterator<Item = &PolicyZone> {
        self.zones.iter().map(|zone| &**zone).filter(move |zone| zone.concerns(tags))
    }

    /// What is said to a question. `first`: also by the client's address, which counts once only.
    pub(in crate::service) fn on_question(
        &self,
        question: &Question,
        client: IpAddr,
        tags: Tags,
        first: bool,
    ) -> Verdict {
        for zone in self.concerned(tags) {
            let by_client = if first { zone.clients.longest(client) } else { None };
            if let Some(action) = by_client {
                // With records of its own, a rule about a client says whose it is.
                let action = zone.done(action);
                return verdict(zone, action, question, matches!(action, Action::Data(_)));
            }
            if let Some(action) = of_name(&zone.names, &question.name) {
                return verdict(zone, zone.done(action), question, !first);
            }
        }
        Verdict::Pass
    }

    /// What is said where a resolution was stopped.
    pub(in crate::service) fn on_way(&self, question: &Question, stopped: &Stopped, tags: Tags) -> Verdict {
        let question = Question { name: stopped.name.clone(), ..question.clone() };
        let by_name = stopped.servers.is_empty() && stopped.addresses.is_empty();
        for zone in self.concerned(tags) {
            let met = if by_name {
                Met::Name(&stopped.name)
            } else {
                Met::Servers(&stopped.servers, &stopped.addresses)
            };
            if let Some(action) = rule(zone, met) {
                return verdict(zone, zone.done(action), &question, true);
            }
        }
        Verdict::PassThrough
    }

    /// What is said to an answer: by the names that its aliases lead to, then by its addresses. With it, the aliases
    /// that stay, and whether it is by a name.
    pub(in crate::service) fn on_answer(
        &self,
        question: &Question,
        answer: &Answer,
        client: IpAddr,
        tags: Tags,
    ) -> Option<(Verdict, Vec<RawRecord>, bool)> {
        if self.is_empty() {
            return None;
        }
        let mut kept = Vec::new();
        let mut name = question.name.clone();
        for record in &answer.sections.answer {
            if record.rtype != RecordType::CNAME || record.name != name || question.rtype == RecordType::CNAME
            {
                continue;
            }
            name = rdata::target(RecordType::CNAME, &record.data)?;
            kept.push(record.clone());
            let asked = Question { name: name.clone(), ..question.clone() };
            match self.on_question(&asked, client, tags, false) {
                Verdict::Pass => {}
                Verdict::PassThrough => return None,
                verdict => return Some((verdict, kept, true)),
            }
        }
        for zone in self.concerned(tags) {
            for record in &answer.sections.answer {
                let Some(action) = address(record).and_then(|address| zone.addresses.longest(address)) else {
                    continue;
                };
                let asked = Question { name: record.name.clone(), ..question.clone() };
                return match verdict(zone, zone.done(action), &asked, false) {
                    Verdict::PassThrough => None,
                    verdict => Some((verdict, kept, false)),
                };
            }
        }
        None
    }
}

impl Watch for Policies {
    fn look(&self, rules: u64, met: Met<'_>) -> Leave {
        let concerned = self.zones.iter().take(ZONES_MAX).enumerate();
        let mut concerned = concerned.filter(|(at, _)| rules >> at & 1 == 1);
        let found = concerned.find_map(|(_, zone)| Some(zone.done(rule(zone, met)?)));
        match found {
            None => Leave::On,
            Some(Action::PassThrough) => Leave::Unwatched,
            Some(Action::TcpOnly) if rules & OVER_TCP != 0 => Leave::Unwatched,
            Some(_) => Leave::Stop,
        }
    }
}

/// The zone's rule about what is met. Rules on servers' names weigh more than those on their addresses.
fn rule<'a>(zone: &'a PolicyZone, met: Met<'_>) -> Option<&'a Action> {
    match met {
        Met::Name(name) => of_name(&zone.names, name),
        Met::Servers(names, addresses) => names
            .iter()
            .find_map(|name| of_name(&zone.server_names, name))
            .or_else(|| addresses.iter().find_map(|address| zone.servers.longest(*address))),
    }
}

fn verdict(zone: &PolicyZone, action: &Action, question: &Question, with_soa: bool) -> Verdict {
    let said = |code: u16, records: Vec<RawRecord>| {
        let soa = zone.soa.clone().filter(|_| with_soa);
        Verdict::Answer(Said { code, records, soa, signals: zone.signals_denial && code == 3 })
    };
    let records = match action {
        Action::NoName => return said(3, Vec::new()),
        Action::NoData => return said(0, Vec::new()),
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
    said(0, fitting.map(own).collect())
}
