//! RFC 5961: blind attackers get challenged, and not too often.

use super::super::*;
use super::trace::*;

#[test]
fn section_3_2_a_reset_must_name_exactly_the_next_number() {
    let mut trace = Trace::established(plain(), "");
    trace.at(1_000).send("RST seq=150").expect("ACK seq=1 ack=101").state(State::Established);
    trace.at(2_000).send("RST seq=100").silence().send("RST seq=70000").silence().state(State::Established);
    trace.at(3_000).send("RST seq=101").silence().state(State::Closed);
    assert_eq!(trace.read_error(), TcpError::Reset);
}

#[test]
fn section_4_2_a_syn_on_a_living_connection_is_challenged() {
    let mut trace = Trace::established(plain(), "");
    trace.at(1_000).send("SYN seq=150").expect("ACK seq=1 ack=101").state(State::Established);
    trace.at(2_000).send("SYN ACK seq=150 ack=1").expect("ACK seq=1 ack=101");
    // Also one from long ago: a peer that crashed calls again, and answers our acknowledgement with RST.
    trace.at(3_000).send("SYN seq=7").expect("ACK seq=1 ack=101").send("RST seq=101").state(State::Closed);
}

#[test]
fn section_5_2_data_with_a_senseless_acknowledgement_is_not_taken() {
    let mut trace = Trace::established(plain(), "");
    trace.at(1_000).send("ACK seq=101 ack=5000 len=10").expect("ACK seq=1 ack=101");
    trace.at(2_000).send("ACK seq=101 ack=-100000 len=10").expect("ACK seq=1 ack=101");
    // An old one, within what was ever allowed, is fine.
    trace
        .write(10)
        .expect("ACK seq=1 len=10")
        .send("ACK seq=101 ack=11")
        .send("ACK seq=101 ack=1 len=10")
        .expect("ACK ack=111");
    assert_eq!(trace.info().bytes_received, 10);
}

#[test]
fn section_7_challenges_are_limited_for_the_whole_host() {
    let config = TcpConfig { challenge_acks_per_second: 10, ..plain() };
    let mut trace = Trace::server(config);
    let listener = trace.listener.unwrap();
    trace.at(0);
    for port in 1..=40 {
        trace.port(port).send("SYN seq=100").expect("SYN ACK ack=101").send("ACK seq=101 ack=1");
        trace.tcp.accept(listener).unwrap();
    }
    trace.at(1_000);
    for port in 1..=40 {
        trace.port(port).send("RST seq=150");
    }
    let mut challenges = 0;
    while trace.take().is_some() {
        challenges += 1;
    }
    assert!((5..=10).contains(&challenges), "{challenges} challenges of at most 10, at least half of it");
}

#[test]
fn one_connection_is_challenged_twice_a_second_at_most() {
    let mut trace = Trace::established(plain(), "");
    trace.at(1_000).send("RST seq=150").expect("ACK seq=1");
    trace.at(1_400).send("RST seq=151").silence();
    trace.at(1_500).send("RST seq=152").expect("ACK seq=1");
}
