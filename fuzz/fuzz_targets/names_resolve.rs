//! A resolver among servers that answer whatever they like, whenever they like: it never panics, asks no more than its
//! limit for each query, answers each query once, and comes to rest with nothing left open.
#![no_main]

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use thru_names::message::decode;
use thru_names::proto::op::{Message, OpCode, ResponseCode};
use thru_names::proto::rr::rdata::{A, CNAME, NS, SOA, TXT};
use thru_names::proto::rr::{Name, RData, Record, RecordType};
use thru_names::resolver::{ExchangeId, Input, Output, Resolver, ResolverConfig};
use thru_wire::Instant;

#[derive(Arbitrary, Debug)]
enum Step {
    Ask { name: AnyName, kind: u8 },
    Answer { exchange: u8, answer: Answer },
    Bytes { exchange: u8, with_id: bool, bytes: Vec<u8> },
    Unreachable { exchange: u8 },
    Wait { millis: u16 },
}

#[derive(Arbitrary, Debug)]
struct Answer {
    code: u8,
    authoritative: bool,
    truncated: bool,
    other_source: bool,
    wrong_id: bool,
    sections: Vec<(u8, AnyRecord)>,
}

/// Up to four labels of a small alphabet: names have to meet each other.
#[derive(Arbitrary, Debug, Clone)]
struct AnyName(u16);

#[derive(Arbitrary, Debug)]
struct AnyRecord {
    owner: AnyName,
    asked_owner: bool,
    ttl: u8,
    kind: u8,
    target: AnyName,
    address: u8,
}

impl AnyName {
    fn name(&self) -> Name {
        let labels = self.0 & 7;
        let label = |at: u16| [b'a' + ((self.0 >> (3 + 2 * at)) & 3) as u8];
        let labels: Vec<[u8; 1]> = (0..labels.min(5)).map(label).collect();
        Name::from_labels(labels.iter().map(|label| &label[..])).expect("short labels")
    }
}

impl AnyRecord {
    fn record(&self, asked: &Name) -> Record {
        let owner = if self.asked_owner { asked.clone() } else { self.owner.name() };
        let data = match self.kind % 5 {
            0 => RData::A(A([192, 0, 2, self.address].into())),
            1 => RData::NS(NS(self.target.name())),
            2 => RData::CNAME(CNAME(self.target.name())),
            3 => RData::SOA(SOA::new(self.target.name(), Name::root(), 1, 1, 1, 1, u32::from(self.ttl))),
            _ => RData::TXT(TXT::new(vec!["x".into()])),
        };
        Record::from_rdata(owner, u32::from(self.ttl), data)
    }
}

struct Machine {
    resolver: Resolver,
    now: Instant,
    open: BTreeMap<ExchangeId, (SocketAddr, Message)>,
    asked: u64,
    answered: u64,
    sent: u64,
}

impl Machine {
    fn handle(&mut self, input: Input<'_>) {
        self.resolver.handle(self.now, input);
        while let Some(output) = self.resolver.poll_output() {
            match output {
                Output::Send { exchange, to, message, .. } => {
                    self.sent += 1;
                    let message = decode(&message).expect("our own query");
                    assert!(self.open.insert(exchange, (to, message)).is_none());
                }
                Output::Finished(exchange) => assert!(self.open.remove(&exchange).is_some(), "closed twice"),
                Output::Answer { .. } => self.answered += 1,
            }
        }
        assert_eq!(self.resolver.under_way().1, self.open.len());
    }

    fn pick(&self, which: u8) -> Option<(ExchangeId, SocketAddr, Message)> {
        let at = usize::from(which) % self.open.len().max(1);
        self.open.iter().nth(at).map(|(id, (to, message))| (*id, *to, message.clone()))
    }
}

fuzz_target!(|steps: Vec<Step>| {
    let hints = vec![(Name::root(), vec![IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2])])];
    let config = ResolverConfig::new(hints);
    let limit = u64::from(config.limits.queries);
    let mut machine = Machine {
        resolver: Resolver::new(config, [1; 32]),
        now: Instant::START,
        open: BTreeMap::new(),
        asked: 0,
        answered: 0,
        sent: 0,
    };
    for step in steps {
        match step {
            Step::Ask { name, kind } => {
                machine.asked += 1;
                let record_type = [
                    RecordType::A,
                    RecordType::TXT,
                    RecordType::NS,
                    RecordType::CNAME,
                    RecordType::DS,
                    RecordType::ANY,
                ][usize::from(kind) % 6];
                let token = machine.asked;
                machine.handle(Input::Query {
                    token,
                    name: &name.name(),
                    record_type,
                    checking_disabled: false,
                });
            }
            Step::Answer { exchange, answer } => {
                let Some((exchange, to, query)) = machine.pick(exchange) else { continue };
                let name = query.queries[0].name().clone();
                let mut message =
                    Message::response(query.metadata.id ^ u16::from(answer.wrong_id), OpCode::Query);
                message.add_queries(query.queries);
                message.metadata.response_code = ResponseCode::from_low(answer.code & 7);
                message.metadata.authoritative = answer.authoritative;
                message.metadata.truncation = answer.truncated;
                for (section, record) in answer.sections.iter().take(64) {
                    let record = record.record(&name);
                    match section % 3 {
                        0 => message.add_answer(record),
                        1 => message.add_authority(record),
                        _ => message.add_additional(record),
                    };
                }
                let from =
                    if answer.other_source { "192.0.2.99:53".parse().expect("an address") } else { to };
                let bytes = message.to_vec().expect("a small message");
                machine.handle(Input::Response { exchange, from, message: &bytes });
            }
            Step::Bytes { exchange, with_id, mut bytes } => {
                let Some((exchange, from, query)) = machine.pick(exchange) else { continue };
                if with_id && bytes.len() > 2 {
                    bytes[..2].copy_from_slice(&query.metadata.id.to_be_bytes());
                    bytes[2] |= 0x80;
                }
                machine.handle(Input::Response { exchange, from, message: &bytes });
            }
            Step::Unreachable { exchange } => {
                let Some((exchange, ..)) = machine.pick(exchange) else { continue };
                machine.handle(Input::Unreachable { exchange, why: "no".into() });
            }
            Step::Wait { millis } => {
                machine.now += std::time::Duration::from_millis(millis.into());
                machine.handle(Input::Timeout);
            }
        }
    }
    for _ in 0..100_000 {
        let deadline = machine.resolver.next_deadline();
        if deadline.is_never() {
            break;
        }
        machine.now = machine.now.max(deadline);
        machine.handle(Input::Timeout);
    }
    assert_eq!(machine.resolver.under_way(), (0, 0), "it never comes to rest");
    assert_eq!(machine.answered, machine.asked);
    assert!(
        machine.sent <= machine.asked * limit,
        "{} questions for {} queries",
        machine.sent,
        machine.asked
    );
});
