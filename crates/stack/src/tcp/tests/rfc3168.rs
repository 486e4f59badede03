//! RFC 3168: explicit congestion notification.

use super::super::*;
use super::trace::*;

fn requests() -> TcpConfig {
    TcpConfig { ecn: Ecn::Request, ..plain() }
}

/// A server's connection with ECN.
fn established() -> Trace {
    let mut trace = Trace::server(plain());
    trace.at(0).send("SYN ECE CWR seq=100 win=65535 mss=1000").expect("SYN ACK ECE seq=0 ecn=not");
    trace.send("ACK seq=101 ack=1 win=65535").accept();
    trace
}

#[test]
fn section_6_1_1_a_client_asks_and_the_answer_decides() {
    for (answer, mode) in [
        ("SYN ACK ECE", EcnMode::Classic),
        ("SYN ACK", EcnMode::Off),
        // Somebody reflects reserved bits.
        ("SYN ACK ECE CWR", EcnMode::Off),
    ] {
        let mut trace = Trace::client(requests());
        trace.at(0).expect("SYN ECE CWR ecn=not");
        trace.send(&format!("{answer} seq=100 ack=1 win=65535 mss=1000")).expect("ACK seq=1 ecn=not");
        assert_eq!(trace.info().ecn.mode, mode);
        trace.write(1_000);
        trace.expect(if mode == EcnMode::Off {
            "ACK seq=1 len=1000 ecn=not"
        } else {
            "ACK seq=1 len=1000 ecn=ect0"
        });
    }
}

#[test]
fn section_6_1_1_1_the_second_syn_does_without() {
    let mut trace = Trace::client(requests());
    trace.at(0).expect("SYN ECE CWR");
    trace.at(1_000).expect("SYN");
    trace.send("SYN ACK seq=100 ack=1 win=65535 mss=1000").expect("ACK seq=1");
    assert_eq!(trace.info().ecn.mode, EcnMode::Off);
}

#[test]
fn section_6_1_1_a_server_answers_only_who_asks_and_unless_told_not_to() {
    let mut trace = Trace::server(plain());
    trace.at(0).send("SYN seq=100").expect("SYN ACK seq=0");
    let mut trace = Trace::server(plain());
    trace.at(0).send("SYN ECE seq=100").expect("SYN ACK seq=0");
    let mut trace = Trace::server(TcpConfig { ecn: Ecn::Off, ..plain() });
    trace.at(0).send("SYN ECE CWR seq=100").expect("SYN ACK seq=0");
}

#[test]
fn section_6_1_3_a_mark_is_echoed_until_the_sender_has_slowed_down() {
    let mut trace = established();
    trace.at(10).send("ACK seq=101 ack=1 len=500 ecn=ce").expect("ACK ECE seq=1 ack=601");
    trace.at(20).send("ACK seq=601 ack=1 len=500 ecn=ect0").expect("ACK ECE seq=1 ack=1101");
    trace.write(100).expect("ACK ECE seq=1 ack=1101 len=100 ecn=ect0");
    trace.at(30).send("ACK CWR seq=1101 ack=101 len=500 ecn=ect0").expect("ACK seq=101 ack=1601");
    // A new mark on the segment that carries CWR counts anew.
    trace.at(40).send("ACK CWR seq=1601 ack=101 len=500 ecn=ce").expect("ACK ECE seq=101 ack=2101");
    assert_eq!(trace.info().ecn.received_ce, 2);
    assert_eq!(trace.info().ecn.received_ce_bytes, 1_000);
}

#[test]
fn section_6_1_2_an_echo_halves_the_window_once_a_round_and_new_data_says_so() {
    let mut trace = Trace::server(TcpConfig { congestion: Congestion::NewReno, ..plain() });
    trace.at(0).send("SYN ECE CWR seq=100 win=65535 mss=1000").expect("SYN ACK ECE");
    trace.send("ACK seq=101 ack=1 win=65535").accept();
    trace.write(60_000);
    for index in 0..10 {
        trace.expect(&format!("ACK seq={} len=1000 ecn=ect0", 1 + 1_000 * index));
    }
    // Half of the ten; the flight comes down to that evenly: one leaves for two that were delivered (RFC 9937).
    trace.at(40).send("ACK ECE seq=101 ack=2001").expect("ACK CWR seq=10001 len=1000 ecn=ect0").silence();
    let info = trace.info();
    assert_eq!((info.ecn.reductions, info.ecn.delivered_ce), (1, 1));
    assert_eq!((info.slow_start_threshold, info.congestion_window), (5_000, 9_000));
    trace.send("ACK ECE seq=101 ack=4001").expect("ACK seq=11001 len=1000").silence();
    trace.send("ACK ECE seq=101 ack=6001").expect("ACK seq=12001 len=1000").silence();
    trace.send("ACK ECE seq=101 ack=8001").silence();
    trace.send("ACK seq=101 ack=10001").expect("ACK seq=13001 len=1000").expect("ACK seq=14001 len=1000");
    trace.silence();
    assert_eq!(trace.info().congestion_window, 5_000);
    assert_eq!(trace.info().ecn.reductions, 1);
    // What was sent since: a new round, a new answer.
    trace.at(80).send("ACK ECE seq=101 ack=12001");
    assert_eq!(trace.info().ecn.reductions, 2);
}

#[test]
fn section_6_1_5_what_is_sent_again_is_not_capable() {
    let mut trace = established();
    trace.write(1_000).expect("ACK seq=1 len=1000 ecn=ect0");
    trace.at(200).expect("ACK seq=1 len=1000 ecn=not");
    // The timeout reduced the window, and the next new data says so.
    trace.at(210).send("ACK seq=101 ack=1001");
    trace.write(1_000).expect("ACK CWR seq=1001 len=1000 ecn=ect0");
}

#[test]
fn marks_while_losses_are_answered_change_nothing() {
    let mut trace = established();
    trace.write(60_000);
    trace.forget_output();
    for _ in 0..3 {
        trace.at(40).send("ACK seq=101 ack=1");
    }
    trace.forget_output();
    let window = trace.info().slow_start_threshold;
    trace.send("ACK ECE seq=101 ack=1");
    trace.forget_output();
    assert_eq!(trace.info().slow_start_threshold, window);
    assert_eq!(trace.info().ecn.reductions, 0);
}
