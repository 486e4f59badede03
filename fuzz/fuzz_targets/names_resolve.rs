//! A resolver among servers that answer with any bytes: it asks a bounded number of times and answers once.
#![no_main]

use core::net::SocketAddr;
use core::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use thru_names::resolver::{Input, Output, Resolver, ResolverConfig};
use thru_names::text::{parse_name, parse_type};
use thru_wire::Instant;

#[derive(Arbitrary, Debug)]
struct Script {
    /// Names asked for, one after the other: an index into a few.
    questions: Vec<u8>,
    replies: Vec<Reply>,
}

/// What a server does.
#[derive(Arbitrary, Debug)]
enum Reply {
    Silence,
    Unreachable,
    /// The question comes back with these header bytes and, behind it, these records.
    Sections {
        flags: [u8; 2],
        counts: [u8; 3],
        records: Vec<u8>,
    },
    /// Anything.
    Noise(Vec<u8>),
    /// From somewhere else.
    Forged(Vec<u8>),
}

const NAMES: [&str; 4] = ["www.shop.lab", "shop.lab", "a.b.c.d.e.lab", "lab"];

fuzz_target!(|script: Script| {
    let root = parse_name("root.").expect("a name");
    let config = ResolverConfig::new(vec![(root, vec!["192.0.2.1".parse().expect("an address")])]);
    let mut resolver = Resolver::new(config, [7; 32]);
    let mut now = Instant::START;
    let mut replies = script.replies.iter();
    let questions = script.questions.iter().take(4);
    for (token, question) in questions.enumerate() {
        let name = parse_name(NAMES[usize::from(*question) % NAMES.len()]).expect("a name");
        let record_type = parse_type(if question & 128 == 0 { "A" } else { "AAAA" }).expect("a type");
        resolver.handle(now, Input::Query { token: token as u64, name: &name, record_type });
        let mut answers = 0;
        for turn in 0.. {
            assert!(turn < 20_000, "a question without end");
            match resolver.poll_output() {
                Some(Output::Send { exchange, to, message, .. }) => {
                    now += Duration::from_millis(1);
                    match replies.next() {
                        None | Some(Reply::Silence) => {}
                        Some(Reply::Unreachable) => {
                            resolver.handle(now, Input::Unreachable { exchange, why: "no route".into() });
                        }
                        Some(Reply::Sections { flags, counts, records }) => {
                            let mut reply = message.clone();
                            reply[2] = flags[0] | 0x80;
                            reply[3] = flags[1];
                            for (at, count) in [7, 9, 11].into_iter().zip(counts) {
                                reply[at] = *count;
                            }
                            // Records stand behind the question, before what the query had there.
                            let end = question_end(&message);
                            reply.splice(end..end, records.iter().copied());
                            resolver.handle(now, Input::Response { exchange, from: to, message: &reply });
                        }
                        Some(Reply::Noise(bytes)) => {
                            resolver.handle(now, Input::Response { exchange, from: to, message: bytes });
                        }
                        Some(Reply::Forged(bytes)) => {
                            let from: SocketAddr = "203.0.113.9:53".parse().expect("an address");
                            resolver.handle(now, Input::Response { exchange, from, message: bytes });
                        }
                    }
                }
                Some(Output::Finished(_)) => {}
                Some(Output::Answer { token: found, .. }) => {
                    assert_eq!(found, token as u64);
                    answers += 1;
                }
                None if answers > 0 => break,
                None => {
                    let next = resolver.next_deadline();
                    assert!(!next.is_never(), "the question was forgotten");
                    now = now.max(next);
                    resolver.handle(now, Input::Timeout);
                }
            }
        }
        assert_eq!(answers, 1);
    }
});

/// Where the question of a query ends.
fn question_end(message: &[u8]) -> usize {
    let mut at = 12;
    while message[at] != 0 {
        at += 1 + usize::from(message[at]);
    }
    at + 5
}
