//! RFC 9768: accurate ECN.

use super::super::*;
use super::trace::*;

fn accurate(ecn: Ecn) -> TcpConfig {
    TcpConfig { ecn, accurate_ecn: true, ..plain() }
}

/// A server's connection with AccECN.
fn established() -> Trace {
    let mut trace = Trace::server(accurate(Ecn::Accept));
    trace
        .at(0)
        .send("SYN AE ECE CWR seq=100 win=65535 mss=1000")
        .expect("SYN ACK CWR seq=0 ecn=not acc=1/0/1");
    trace.send("ACK CWR seq=101 ack=1 win=65535").accept();
    assert!(trace.info().ecn.capable);
    trace
}

#[test]
fn table_2_a_client_learns_what_the_server_can() {
    for (flags, mode, capable) in [
        ("CWR", EcnMode::Accurate, true),
        // It says that our SYN, which was not ECT, arrived as something else.
        ("CWR ECE", EcnMode::Accurate, false),
        ("AE", EcnMode::Accurate, false),
        ("AE CWR", EcnMode::Accurate, false),
        ("ECE", EcnMode::Classic, true),
        ("AE ECE", EcnMode::Classic, true),
        ("", EcnMode::Off, false),
        ("AE CWR ECE", EcnMode::Off, false),
    ] {
        let mut trace = Trace::client(accurate(Ecn::Request));
        trace.at(0).expect("SYN AE CWR ECE ecn=not");
        trace.send(&format!("SYN ACK {flags} seq=100 ack=1 win=65535 mss=1000"));
        let accurate = mode == EcnMode::Accurate;
        trace.expect(if accurate { "ACK CWR seq=1 acc=1/0/1" } else { "ACK seq=1 noacc" });
        let info = trace.info().ecn;
        assert_eq!((info.mode, info.capable), (mode, capable), "{flags}");
    }
}

#[test]
fn table_3_the_last_word_of_the_handshake_tells_how_the_syn_ack_arrived() {
    for (arrived, flags, first) in [
        ("not", "CWR", "AE ECE"),
        ("ect1", "CWR ECE", "AE ECE"),
        ("ect0", "AE", "AE ECE"),
        ("ce", "AE CWR", "AE CWR"),
    ] {
        let mut trace = Trace::client(accurate(Ecn::Request));
        trace.at(0).expect("SYN AE CWR ECE");
        trace.send(&format!("SYN ACK CWR seq=100 ack=1 win=65535 mss=1000 ecn={arrived}"));
        trace.expect(&format!("ACK {flags} seq=1"));
        trace.write(100).expect(&format!("ACK {first} seq=1 len=100"));
        // It comes again: our answer was lost.
        trace.send(&format!("SYN ACK CWR seq=100 ack=1 win=65535 mss=1000 ecn={arrived}"));
        trace.forget_output();
    }
}

#[test]
fn section_3_1_2_a_server_tells_how_the_syn_arrived_and_takes_unknown_combinations() {
    for (arrived, flags) in [("not", "CWR"), ("ect1", "CWR ECE"), ("ect0", "AE"), ("ce", "AE CWR")] {
        let mut trace = Trace::server(accurate(Ecn::Accept));
        trace
            .at(0)
            .send(&format!("SYN AE CWR ECE seq=100 ecn={arrived}"))
            .expect(&format!("SYN ACK {flags}"));
    }
    for unknown in ["AE", "AE ECE", "AE CWR", "CWR", "ECE"] {
        let mut trace = Trace::server(accurate(Ecn::Accept));
        trace.at(0).send(&format!("SYN {unknown} seq=100")).expect("SYN ACK CWR acc=1/0/1");
    }
    let mut trace = Trace::server(accurate(Ecn::Accept));
    trace.at(0).send("SYN ECE CWR seq=100").expect("SYN ACK ECE noacc");
    // Who knows only the classic kind takes the rest for it.
    let mut trace = Trace::server(plain());
    trace.at(0).send("SYN AE CWR ECE seq=100").expect("SYN ACK ECE noacc");
}

#[test]
fn section_3_1_4_the_third_syn_does_without_and_the_second_syn_ack_has_no_option() {
    let mut trace = Trace::client(accurate(Ecn::Request));
    trace.at(0).expect("SYN AE CWR ECE");
    trace.at(1_000).expect("SYN AE CWR ECE");
    trace.at(2_000).expect("SYN");
    let mut trace = Trace::server(accurate(Ecn::Accept));
    trace.at(0).send("SYN AE CWR ECE seq=100").expect("SYN ACK CWR acc=1/0/1");
    trace.at(1_000).expect("SYN ACK CWR noacc");
}

#[test]
fn table_4_a_server_stops_when_the_handshake_was_damaged() {
    for (flags, capable) in
        [("", false), ("ECE", true), ("CWR", true), ("CWR ECE", false), ("AE", false), ("AE ECE", true)]
    {
        let mut trace = Trace::server(accurate(Ecn::Accept));
        trace.at(0).send("SYN AE CWR ECE seq=100 win=65535 mss=1000").expect("SYN ACK CWR");
        trace.send(&format!("ACK {flags} seq=101 ack=1 win=65535")).accept();
        assert_eq!(trace.info().ecn.capable, capable, "{flags}");
        let ecn = if capable { "ect0" } else { "not" };
        trace.write(100).expect(&format!("ACK AE ECE seq=1 len=100 ecn={ecn}"));
    }
}

#[test]
fn section_3_2_2_marks_are_counted_modulo_eight_and_told_at_once() {
    let mut trace = established();
    // 5 and one.
    trace.at(10).send("ACK AE ECE seq=101 ack=1 len=100 ecn=ce").expect("ACK AE CWR ack=201 acc=1/100/1");
    trace.at(20).send("ACK AE ECE seq=201 ack=1 len=100 ecn=ce").expect("ACK AE CWR ECE ack=301 acc=1/200/1");
    trace.at(30).send("ACK AE ECE seq=301 ack=1 len=100 ecn=ce").expect("ACK ack=401 acc=1/300/1");
    // Of the other order, when only that counter moves.
    trace.at(40).send("ACK AE ECE seq=401 ack=1 len=100 ecn=ect1").expect("ACK ack=501 acc=1:101/300/1");
    trace.at(50).send("ACK AE ECE seq=501 ack=1 len=100 ecn=ect0").expect("ACK ack=601 acc=101/300/101");
    trace.at(60).send("ACK AE ECE seq=601 ack=1 len=100 ecn=not").expect("ACK ack=701 noacc");
    let info = trace.info().ecn;
    assert_eq!((info.received_ce, info.received_ce_bytes), (3, 300));
    assert_eq!((info.received_ect0_bytes, info.received_ect1_bytes), (100, 100));
}

fn with_flight(segments: usize) -> Trace {
    let mut trace = established();
    trace.write(1_000 * segments);
    for index in 0..segments.min(10) {
        trace.expect(&format!("ACK AE ECE seq={} len=1000 ecn=ect0", 1 + 1_000 * index));
    }
    trace
}

#[test]
fn a_counter_that_moved_reduces_the_window_once_a_round() {
    let mut trace = with_flight(10);
    let before = trace.info().congestion_window;
    trace.at(40).send("ACK AE ECE seq=101 ack=1001");
    assert_eq!(trace.info().ecn.reductions, 0);
    trace.send("ACK AE CWR seq=101 ack=3001");
    let info = trace.info();
    assert_eq!((info.ecn.reductions, info.ecn.delivered_ce), (1, 1));
    assert!(info.congestion_window < before);
    // 6 to 0: two more, of the same round.
    trace.send("ACK seq=101 ack=5001");
    assert_eq!((trace.info().ecn.reductions, trace.info().ecn.delivered_ce), (1, 3));
    // The same again tells nothing, and one that was overtaken even less.
    trace.send("ACK seq=101 ack=5001").send("ACK AE ECE seq=101 ack=3001");
    assert_eq!(trace.info().ecn.delivered_ce, 3);
}

#[test]
fn appendix_a_2_an_acknowledgement_of_many_may_hide_a_turn_and_the_option_says_whether() {
    for (option, packets) in [("", 9), ("acc=9001/1000/1", 1), ("acc=1:1/1000", 1), ("acc=1/9000/1", 9)] {
        let mut trace = with_flight(10);
        trace.at(40).send(&format!("ACK AE CWR seq=101 ack=10001 {option}"));
        assert_eq!(trace.info().ecn.delivered_ce, packets, "{option}");
    }
}

#[test]
fn section_3_2_2_4_a_field_that_is_cleared_ends_it() {
    let mut trace = Trace::client(accurate(Ecn::Request));
    trace.at(0).expect("SYN AE CWR ECE");
    trace.send("SYN ACK CWR seq=100 ack=1 win=65535 mss=1000").expect("ACK CWR");
    trace
        .write(2_000)
        .expect("ACK AE ECE seq=1 len=1000 ecn=ect0")
        .expect("ACK AE ECE seq=1001 len=1000 ecn=ect0");
    trace.at(40).send("ACK seq=101 ack=2001");
    let info = trace.info().ecn;
    assert_eq!((info.capable, info.reductions), (false, 0));
    // Nothing is sent as capable any more, but what arrives is counted and told.
    trace.write(1_000).expect("ACK AE ECE seq=2001 len=1000 ecn=not");
    trace.send("ACK seq=101 ack=3001 len=100 ecn=ce").expect("ACK AE CWR seq=3001 ack=201");
}

#[test]
fn section_3_2_2_3_when_everything_is_marked_for_rounds_it_is_no_queue() {
    let mut trace = with_flight(2);
    let mut counter = 5u32;
    let mut acknowledged = 1;
    for round in 0..5 {
        let sent = 2;
        acknowledged += 1_000 * sent;
        counter += sent;
        let flags =
            ["", "ECE", "CWR", "CWR ECE", "AE", "AE ECE", "AE CWR", "AE CWR ECE"][counter as usize % 8];
        trace.at(100 * (round + 1)).send(&format!("ACK {flags} seq=101 ack={acknowledged}"));
        trace.write(2_000);
        trace.forget_output();
    }
    let info = trace.info().ecn;
    assert_eq!((info.capable, info.reductions), (false, 4));
}
