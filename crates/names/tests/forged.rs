//! Somebody who sees none of our packets, but knows what we ask and of whom, sends a million answers of its own.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_proto::rr::{Name, RecordType};
use thru_names::resolver::{ExchangeId, Input, Output, Resolver, ResolverConfig};
use thru_names::text::parse_name;
use thru_names::wire::{Packet, RawRecord};
use thru_wire::Instant;

/// Answers forged in all.
const FORGED: u32 = 1_000_000;
/// Answers forged for one question before the true one arrives: at 20 ms, a million a second.
const BURST: u32 = 20_000;
const GOOD: [u8; 4] = [192, 0, 2, 80];
const EVIL: [u8; 4] = [6, 6, 6, 6];

fn name(text: &str) -> Name {
    parse_name(text).expect("a legal name")
}

fn resolver() -> Resolver {
    let root: IpAddr = "192.0.2.1".parse().expect("an address");
    Resolver::new(ResolverConfig::new(vec![(name("a.root"), vec![root])]), [42; 32])
}

/// A question that left: on which exchange, to whom, and as which octets.
struct Asked {
    exchange: ExchangeId,
    to: SocketAddr,
    over_tcp: bool,
    packet: Packet,
}

/// What the resolver sends, and the addresses it answers with.
fn drain(resolver: &mut Resolver, asked: &mut Vec<Asked>, answers: &mut Vec<String>) {
    while let Some(output) = resolver.poll_output() {
        match output {
            Output::Send { exchange, to, over_tcp, message } => {
                let packet = Packet::read(&message).expect("our own message");
                asked.push(Asked { exchange, to, over_tcp, packet });
            }
            Output::Finished(exchange) => asked.retain(|open| open.exchange != exchange),
            Output::Answer { answer, .. } => {
                answers.extend(answer.records.iter().map(|r| r.data.to_string()))
            }
        }
    }
}

fn reply(query: &Packet, address: [u8; 4]) -> Packet {
    let mut packet = query.clone();
    packet.header.response = true;
    packet.header.authoritative = true;
    packet.opt = None;
    packet.answers.push(RawRecord {
        name: query.questions[0].name.clone(),
        rtype: RecordType::A,
        class: 1,
        ttl: 300,
        data: address.to_vec().into(),
    });
    packet
}

/// The attacker's own dice.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[test]
fn a_million_forged_answers_poison_nothing() {
    let mut resolver = resolver();
    let mut dice = Dice(0x1234_5678_9abc_def1);
    let mut now = Instant::START;
    let (mut sent, mut taken_in) = (0, 0);
    for round in 0..FORGED / BURST {
        let asked_name = name(&format!("host{round}.bank.example"));
        let query = Input::Query {
            token: u64::from(round),
            name: &asked_name,
            record_type: RecordType::A,
            checking_disabled: false,
        };
        let (mut asked, mut answers) = (Vec::new(), Vec::new());
        resolver.handle(now, query);
        drain(&mut resolver, &mut asked, &mut answers);
        let first = asked.first().expect("a question left");
        let mut guess = reply(&first.packet, EVIL);
        // The letter case is as secret as the id: the attacker writes the name in its own.
        guess.questions[0].name = asked_name.clone();
        let mut bytes = guess.write(512).expect("it fits");
        let (exchange, to) = (first.exchange, first.to);
        let letters: Vec<usize> =
            (12..12 + asked_name.len()).filter(|at| bytes[*at].is_ascii_alphabetic()).collect();
        for _ in 0..BURST {
            let roll = dice.roll();
            bytes[..2].copy_from_slice(&((roll >> 48) as u16).to_be_bytes());
            for (bit, at) in letters.iter().enumerate() {
                bytes[*at] = (bytes[*at] & !0x20) | (((roll >> bit) as u8 & 1) << 5);
            }
            resolver.handle(
                now + Duration::from_millis(5),
                Input::Response { exchange, from: to, message: &bytes },
            );
            sent += 1;
        }
        drain(&mut resolver, &mut asked, &mut answers);
        taken_in += answers.len();
        // So many guesses moved the question to TCP, where guessing ends.
        now += Duration::from_millis(20);
        let open = asked.last().expect("still asked");
        assert!(open.over_tcp, "a flood of guesses is noticed");
        let truth = reply(&open.packet, GOOD).write(65_535).expect("it fits");
        let (exchange, to) = (open.exchange, open.to);
        resolver.handle(now, Input::Response { exchange, from: to, message: &truth });
        drain(&mut resolver, &mut asked, &mut answers);
        assert_eq!(answers, ["192.0.2.80"], "round {round}");
        now += Duration::from_secs(1);
    }
    assert_eq!((sent, taken_in), (FORGED, 0));
}

/// Ids are spread evenly, and one says nothing about the next.
#[test]
fn ids_cannot_be_predicted() {
    let mut resolver = resolver();
    let mut now = Instant::START;
    let mut ids = Vec::new();
    for round in 0..16_384_u64 {
        let asked_name = name(&format!("n{round}.example"));
        let input = Input::Query {
            token: round,
            name: &asked_name,
            record_type: RecordType::A,
            checking_disabled: false,
        };
        resolver.handle(now, input);
        let (mut asked, mut answers) = (Vec::new(), Vec::new());
        drain(&mut resolver, &mut asked, &mut answers);
        let open = asked.pop().expect("a question left");
        ids.push(open.packet.header.id);
        let truth = reply(&open.packet, GOOD).write(512).expect("it fits");
        now += Duration::from_millis(1);
        resolver.handle(now, Input::Response { exchange: open.exchange, from: open.to, message: &truth });
        drain(&mut resolver, &mut asked, &mut answers);
    }
    // Chi-square with 255 degrees of freedom: above 347 by chance once in 10,000. The seed is fixed, so it is no dice.
    let even = |bucket: &dyn Fn(usize) -> u8| {
        let mut counts = [0_u32; 256];
        (1..ids.len()).for_each(|at| counts[usize::from(bucket(at))] += 1);
        let expected = (ids.len() - 1) as f64 / 256.0;
        counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum::<f64>()
    };
    assert!(even(&|at| (ids[at] >> 8) as u8) < 347.0, "high octets");
    assert!(even(&|at| ids[at] as u8) < 347.0, "low octets");
    assert!(even(&|at| (ids[at].wrapping_sub(ids[at - 1]) >> 8) as u8) < 347.0, "steps");
    let distinct: BTreeSet<u16> = ids.iter().copied().collect();
    // Of 16,384 drawn from 65,536, some 14,500 are distinct.
    assert!((14_200..14_800).contains(&distinct.len()), "{} distinct", distinct.len());
}
