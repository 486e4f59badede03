//! RFC 7323: window scaling, timestamps, PAWS.

use super::super::*;
use super::trace::*;

fn stamped() -> TcpConfig {
    TcpConfig { sack: false, window_scaling: false, ..TcpConfig::default() }
}

#[test]
fn section_2_windows_are_scaled_but_in_the_syn() {
    let config = TcpConfig { timestamps: false, sack: false, receive_buffer: 1 << 20, ..fixed() };
    let mut trace = Trace::server(config);
    trace.at(0).send("SYN seq=100 win=1000 ws=7 mss=1000").expect("SYN ACK win=65535 ws=5");
    assert_eq!(1_000, { trace.send("ACK seq=101 ack=1 win=100").accept().info().peer_window / 128 * 10 });
    assert_eq!(trace.info().peer_window, 12_800);
    trace.at(10).send("ACK seq=101 ack=1 len=1000").expect("ACK ack=1101 win=32736");
    assert_eq!(trace.info().window_scale, Some((5, 7)));
}

#[test]
fn the_announced_window_never_shrinks() {
    let config = TcpConfig { timestamps: false, sack: false, receive_buffer: 200_001, ..fixed() };
    let mut trace = Trace::server(config);
    trace
        .at(0)
        .send("SYN seq=100 ws=0 mss=1000")
        .expect("SYN ACK win=65535 ws=2")
        .send("ACK seq=101 ack=1")
        .accept();
    let (mut seq, mut edge) = (101u64, 0);
    for round in 0..150u64 {
        let len = 1 + round * 37 % 1_000;
        trace.at(10 * round).send(&format!("ACK seq={seq} ack=1 len={len}"));
        seq += len;
        while let Some(segment) = trace.take() {
            let header = thru_wire::tcp::Tcp::parse(&segment.bytes, None).unwrap().0;
            let now = u64::from(header.ack.0) + (u64::from(header.window) << 2);
            assert!(now >= edge, "round {round}: {now} after {edge}");
            edge = now;
        }
    }
}

#[test]
fn section_4_3_the_echo_is_that_of_the_first_unacknowledged_segment() {
    let mut trace = Trace::established(stamped(), "ts=10/0");
    trace.at(10).send("ACK seq=101 ack=1 len=10 ts=20/0").expect("ACK ack=111 echo=20");
    // After a gap: the echo stays that of the last in order.
    trace.send("ACK seq=121 ack=1 len=10 ts=30/0").expect("ACK ack=111 echo=20");
    trace.send("ACK seq=111 ack=1 len=10 ts=40/0").expect("ACK ack=131 echo=40");
}

#[test]
fn section_5_3_segments_from_the_past_are_dropped_and_answered() {
    let mut trace = Trace::established(stamped(), "ts=1000/0");
    trace.at(1_000).send("ACK seq=101 ack=1 len=10 ts=1010/0").expect("ACK ack=111");
    trace.send("ACK seq=111 ack=1 len=10 ts=1009/0").expect("ACK ack=111");
    trace.at(2_000).send("FIN ACK seq=111 ack=1 ts=900/0").expect("ACK ack=111").state(State::Established);
    trace.send("ACK seq=111 ack=1 len=10 ts=1010/0").expect("ACK ack=121");
    // RST is exempt.
    trace.send("RST seq=121 ts=5/0").state(State::Closed);
}

#[test]
fn timestamps_wrap() {
    let mut trace = Trace::established(stamped(), "ts=4294967290/0");
    trace.at(10).send("ACK seq=101 ack=1 len=10 ts=5/0").expect("ACK ack=111 echo=5");
    trace.send("ACK seq=111 ack=1 len=10 ts=4294967295/0").expect("ACK ack=111 echo=5");
}

#[test]
fn section_5_5_after_24_days_a_timestamp_says_nothing() {
    let mut trace = Trace::established(stamped(), "ts=1000/0");
    trace.at(25 * 24 * 3_600 * 1_000).send("ACK seq=101 ack=1 len=10 ts=1/0").expect("ACK ack=111 echo=1");
}

#[test]
fn our_clock_ticks_in_milliseconds_from_a_hidden_offset() {
    let mut trace = Trace::established(stamped(), "ts=1/0");
    trace.write(10).expect("ACK len=10");
    let first = trace.last_timestamp.unwrap().value;
    trace.at(200).expect("ACK len=10");
    assert_eq!(trace.last_timestamp.unwrap().value.wrapping_sub(first), 200);
}
