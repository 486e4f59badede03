//! RFC 9293 3.5 and 3.10: opening, data, and what is answered how.

use super::super::*;
use super::trace::*;

#[test]
fn section_3_5_three_way_handshake_of_a_server() {
    let mut trace = Trace::server(plain());
    trace.at(0).send("SYN seq=100 mss=1000").expect("SYN ACK seq=0 ack=101 mss=1460 win=65535");
    assert!(trace.tcp.accept(trace.listener.unwrap()).is_none(), "half-open");
    assert_eq!(trace.tcp.population(), (1, 0, 0));
    trace.at(50).send("ACK seq=101 ack=1").silence().accept().state(State::Established);
    assert_eq!(trace.tcp.population(), (0, 1, 0));
    assert_eq!(trace.info().rtt, Some(core::time::Duration::from_millis(50)));
    assert_eq!(trace.info().mss, 1_000);
}

#[test]
fn section_3_5_three_way_handshake_of_a_client() {
    let mut trace = Trace::client(TcpConfig::default());
    trace.expect("SYN seq=0 mss=1460 ws=7 sackok").state(State::SynSent);
    assert_eq!(trace.tcp.connected(trace.id.unwrap()), None);
    trace
        .at(30)
        .send("SYN ACK seq=500 ack=1 mss=1400 ws=3 sackok ts=77/0")
        .expect("ACK seq=1 ack=501 echo=77");
    trace.state(State::Established);
    let info = trace.info();
    assert_eq!(trace.tcp.connected(trace.id.unwrap()), Some(Ok(())));
    assert_eq!((info.mss, info.window_scale, info.sack, info.timestamps), (1_388, Some((7, 3)), true, true));
    assert_eq!(info.rtt, Some(core::time::Duration::from_millis(30)));
}

#[test]
fn options_that_the_peer_does_not_offer_are_not_used() {
    let mut trace = Trace::client(TcpConfig::default());
    trace.expect("SYN seq=0").send("SYN ACK seq=500 ack=1").expect("ACK seq=1 ack=501 bare");
    let info = trace.info();
    assert_eq!((info.mss, info.window_scale, info.sack, info.timestamps), (536, None, false, false));
}

#[test]
fn section_3_5_figure_8_simultaneous_open() {
    let mut trace = Trace::client(plain());
    trace.expect("SYN seq=0").at(10).send("SYN seq=500 mss=1000").expect("SYN ACK seq=0 ack=501");
    trace.state(State::SynReceived);
    trace.at(20).send("SYN ACK seq=500 ack=1 mss=1000").state(State::Established);
    trace.at(20).send("ACK seq=501 ack=1 len=10").expect("ACK seq=1 ack=511").read(501, 10);
}

#[test]
fn section_3_5_figure_8_simultaneous_open_when_only_an_ack_comes_back() {
    let mut trace = Trace::client(plain());
    trace.expect("SYN seq=0").send("SYN seq=500").expect("SYN ACK seq=0 ack=501");
    trace.send("ACK seq=501 ack=1").silence().state(State::Established);
}

#[test]
fn section_3_10_7_1_nobody_there() {
    let mut trace = Trace::server(plain());
    trace.port(1).at(0);
    let mut closed = Trace::client(plain());
    closed.expect("SYN seq=0");
    // Segments for a pair that does not exist.
    closed.port(99).send("SYN seq=100 len=5").expect("RST ACK rawseq=0 ack=106");
    closed.send("ACK seq=100 ack=7 len=5").expect("RST seq=7");
    closed.send("RST seq=100").silence();
    closed.send("RST ACK seq=100 ack=1").silence();
}

#[test]
fn section_3_10_7_2_a_listener_answers_ack_with_rst_and_ignores_rst() {
    let mut trace = Trace::server(plain());
    trace.at(0).send("RST seq=1").silence();
    trace.send("ACK seq=1 ack=9").expect("RST seq=9");
    trace.send("FIN seq=1").silence();
    assert_eq!(trace.tcp.population(), (0, 0, 0));
}

#[test]
fn section_3_10_7_3_syn_sent() {
    let mut trace = Trace::client(plain());
    trace.expect("SYN seq=0");
    // Acknowledges what was never sent.
    trace.send("SYN ACK seq=500 ack=2").expect("RST seq=2").state(State::SynSent);
    trace.send("ACK seq=500 ack=0").expect("RST seq=0").state(State::SynSent);
    trace.send("RST seq=500").silence().state(State::SynSent);
    trace.send("RST ACK seq=500 ack=2").silence().state(State::SynSent);
    trace.send("ACK seq=500 ack=1").silence().state(State::SynSent);
    trace.send("RST ACK seq=0 ack=1").silence().state(State::Closed);
    assert_eq!(trace.tcp.connected(trace.id.unwrap()), Some(Err(TcpError::Refused)));
    assert_eq!(trace.info().reset_ttl, Some(57));
    assert_eq!(trace.tcp.population(), (0, 1, 0), "until released it can be asked");
    trace.release();
    assert_eq!(trace.tcp.population(), (0, 0, 0));
}

#[test]
fn a_handshake_that_failed_still_tells_its_events() {
    let mut trace = Trace::client(plain());
    trace.expect("SYN seq=0").at(1_000).expect("SYN seq=0").at(1_010).send("RST ACK seq=0 ack=1");
    let events = trace.tcp.events(trace.id.unwrap());
    let kinds: Vec<String> = events
        .iter()
        .map(|event| match &event.what {
            TcpEventKind::Sent { flags, retransmission, .. } => format!("sent {flags} {retransmission}"),
            TcpEventKind::Received { flags, ttl, .. } => format!("received {flags} {ttl}"),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "State(SynSent)",
            "sent SYN false",
            "Timeout { rto: 1s }",
            "sent SYN true",
            "received RST ACK 57",
            "Error(Refused)",
            "State(Closed)"
        ]
    );
    assert_eq!(trace.info().syn_retransmissions, 1);
}

#[test]
fn data_with_the_handshake_is_kept() {
    let mut trace = Trace::server(plain());
    trace.at(0).send("SYN seq=100").expect("SYN ACK ack=101");
    trace.send("ACK seq=101 ack=1 len=10").expect("ACK seq=1 ack=111").accept().read(101, 10);
    let mut trace = Trace::client(plain());
    trace
        .expect("SYN seq=0")
        .send("SYN ACK seq=500 ack=1 len=4 from=501")
        .expect("ACK seq=1 ack=505")
        .read(501, 4);
}

#[test]
fn data_written_during_the_handshake_follows_it() {
    let mut trace = Trace::client(plain());
    trace.expect("SYN seq=0").write(5).silence();
    trace.send("SYN ACK seq=500 ack=1").expect("ACK seq=1 ack=501 len=5");
}

#[test]
fn section_3_10_7_4_unacceptable_segments_are_answered() {
    let mut trace = Trace::established(plain(), "");
    trace.at(1_000).send("ACK seq=90 ack=1 len=5").expect("ACK seq=1 ack=101");
    trace.send("ACK seq=70000 ack=1 len=5").expect("ACK seq=1 ack=101");
    assert_eq!(trace.info().duplicates_received, 1);
    trace.send("RST seq=90").silence().state(State::Established);
}

#[test]
fn data_beyond_the_window_is_cut() {
    let config = TcpConfig { receive_buffer: 2_000, ..plain() };
    let mut trace = Trace::established(config, "");
    trace.at(10).send("ACK seq=101 ack=1 len=1900").expect("ACK ack=2001 win=100");
    trace.send("ACK seq=2001 ack=1 len=500").expect("ACK ack=2101 win=0").read(101, 2_000);
    trace.expect("ACK ack=2101 win=2000");
}

#[test]
fn overlaps_are_joined() {
    let mut trace = Trace::established(plain(), "");
    trace.at(10).send("ACK seq=151 ack=1 len=50").expect("ACK ack=101");
    trace.send("ACK seq=201 ack=1 len=30").expect("ACK ack=101");
    trace.send("ACK seq=101 ack=1 len=80").expect("ACK ack=231").read(101, 130);
    let info = trace.info();
    assert_eq!((info.out_of_order_received, info.bytes_received, info.gap_bytes), (2, 130, 0));
}

#[test]
fn a_gap_is_told_in_the_information() {
    let mut trace = Trace::established(plain(), "");
    trace.at(10).send("ACK seq=151 ack=1 len=50").expect("ACK ack=101");
    assert_eq!(trace.info().gap_bytes, 50);
}

#[test]
fn damaged_segments_are_ignored() {
    let mut trace = Trace::established(plain(), "");
    let whole = trace.bytes_of("ACK seq=101 ack=1 len=20");
    for place in 0..whole.bytes.len() {
        let mut bytes = whole.bytes.to_vec();
        bytes[place] ^= 0x10;
        trace.deliver(SegmentIn { bytes: bytes.into(), ..whole.clone() }).silence();
    }
    for cut in 0..whole.bytes.len() {
        trace.deliver(SegmentIn { bytes: whole.bytes.slice(..cut), ..whole.clone() }).silence();
    }
    assert_eq!(trace.info().bytes_received, 0);
    trace.deliver(whole).expect("ACK ack=121");
}

#[test]
fn section_3_10_5_abort() {
    let mut trace = Trace::established(plain(), "");
    trace.write(10).expect("ACK seq=1 len=10").abort().expect("RST ACK seq=11 ack=101").state(State::Closed);
    assert_eq!(trace.read_error(), TcpError::Aborted);
    assert_eq!(trace.tcp.write(trace.now, trace.id.unwrap(), b"x"), Err(TcpError::Aborted));
    trace.send("ACK seq=101 ack=11").expect("RST seq=11");
}

#[test]
fn a_reset_is_told_after_what_arrived_before_it() {
    let mut trace = Trace::established(plain(), "");
    trace.at(5).send("ACK seq=101 ack=1 len=10").expect("ACK ack=111").send("RST seq=111").silence();
    trace.read(101, 10);
    assert_eq!(trace.read_error(), TcpError::Reset);
    assert_eq!(trace.tcp.write(trace.now, trace.id.unwrap(), b"x"), Err(TcpError::Reset));
}

#[test]
fn numbers_wrap_in_both_directions() {
    for initial in [u32::MAX - 5, u32::MAX, 0, 1 << 31, (1 << 31) - 1] {
        let mut trace = Trace::server(plain());
        let seq = |offset: u32| initial.wrapping_add(offset);
        trace.at(0).send(&format!("SYN seq={initial} mss=1000")).expect(&format!("SYN ACK ack={}", seq(1)));
        trace.send(&format!("ACK seq={} ack=1", seq(1))).accept();
        trace.send(&format!("ACK seq={} ack=1 len=10", seq(11))).expect(&format!("ACK ack={}", seq(1)));
        trace.send(&format!("ACK seq={} ack=1 len=10", seq(1))).expect(&format!("ACK ack={}", seq(21)));
        assert_eq!(trace.info().bytes_received, 20);
    }
}

#[test]
fn unknown_handles_are_refused() {
    let mut trace = Trace::established(plain(), "");
    let id = trace.id.unwrap();
    trace.release().expect("FIN ACK seq=1");
    assert_eq!(trace.tcp.write(trace.now, id, b"x"), Err(TcpError::Unknown));
    assert_eq!(trace.tcp.info(id), None);
    assert_eq!(trace.tcp.connected(id), Some(Err(TcpError::Unknown)));
    assert_eq!(trace.tcp.shutdown(trace.now, TcpId(77)), Err(TcpError::Unknown));
}
