//! Somebody who knows addresses and ports, and nothing else, forges segments (RFC 5961): the connection lives on, and
//! answers no oftener than it may.

use super::super::*;
use super::trace::*;
use crate::random::Random;

/// `count` forged segments within `seconds`: RST, SYN, SYN ACK, data, FIN and acknowledgements with numbers drawn at
/// random. How many answers they got.
fn inject(count: u64, seconds: u64, seed: u64) -> u64 {
    let mut trace = Trace::established_over_40_ms(TcpConfig::default(), "sackok ws=7 ts=1/0");
    let mut random = Random::new(seed, "injection");
    let began = trace.now;
    let mut answers = 0;
    for index in 0..count {
        trace.pass_until(40 + index * seconds * 1_000 / count);
        let (seq, ack) = (random.next_u64() as u32, random.next_u64() as u32);
        // A number that hits exactly is no failure of ours: 1 in 2^32.
        if seq == 101 {
            continue;
        }
        let stamp = random.next_u64() as u32;
        let text = match random.below(6) {
            0 => format!("RST seq={seq}"),
            1 => format!("RST ACK seq={seq} ack={ack}"),
            2 => format!("SYN seq={seq} ts={stamp}/0"),
            3 => format!("SYN ACK seq={seq} ack={ack}"),
            4 => format!("ACK seq={seq} ack={ack} len=10 ts={stamp}/{stamp}"),
            _ => format!("FIN ACK seq={seq} ack={ack} ts={stamp}/{stamp}"),
        };
        trace.send(&text);
        while trace.take().is_some() {
            answers += 1;
        }
        assert_eq!(trace.info().state, State::Established, "after segment {index}: {text}");
    }
    // It still works in both directions, with the right bytes.
    trace.write(988).expect("ACK seq=1 len=988");
    let stamp = trace.last_timestamp.unwrap().value;
    let past = trace.now.since(began).as_millis() as u32 + 10;
    trace.send(&format!("ACK seq=101 ack=989 len=100 ts={past}/{stamp}")).forget_output();
    trace.read(101, 100);
    assert_eq!(trace.info().bytes_acked, 988);
    answers
}

#[test]
fn blind_injection_ends_nothing_and_is_hardly_answered() {
    // Ten million in the bench `injection`.
    let (seconds, count) = (10, 100_000);
    let answers = inject(count, seconds, 1);
    let allowed = u64::from(TcpConfig::default().challenge_acks_per_second) * (seconds + 1);
    println!("{answers} answers, {allowed} allowed");
    assert!(answers <= allowed);
    assert!(answers > 0, "somebody who asks in earnest is answered");
}

/// The same where the attacker is lucky with the window: every segment lies in it, and none at its edge.
#[test]
fn resets_and_syns_within_the_window_are_challenged_twice_a_second() {
    let mut trace = Trace::established_over_40_ms(TcpConfig::default(), "sackok ws=7");
    let mut random = Random::new(3, "injection");
    let mut answers = 0;
    for index in 0..20_000 {
        trace.pass_until(40 + index / 2);
        let seq = 102 + random.below(60_000);
        match random.below(2) {
            0 => trace.send(&format!("RST seq={seq}")),
            _ => trace.send(&format!("SYN seq={seq}")),
        };
        while trace.take().is_some() {
            answers += 1;
        }
    }
    trace.state(State::Established);
    assert!((15..=21).contains(&answers), "{answers} answers in 10 s");
}

/// Data with an acknowledgement that nobody who knows the connection would send is not taken (RFC 5961 5.2).
#[test]
fn data_within_the_window_needs_an_acknowledgement_that_makes_sense() {
    let mut trace = Trace::established(plain(), "");
    let mut random = Random::new(4, "injection");
    for _ in 0..10_000 {
        let ack = i64::from(random.next_u64() as i32);
        if !(-65_536..=1).contains(&ack) {
            trace.send(&format!("ACK seq=101 ack={ack} len=10")).forget_output();
        }
    }
    assert_eq!(trace.info().bytes_received, 0);
}
