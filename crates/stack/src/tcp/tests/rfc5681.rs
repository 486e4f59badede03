//! RFC 5681, 6582, 6928 and 3042: congestion control, and recovery without SACK.

use super::super::*;
use super::trace::*;

fn reno() -> TcpConfig {
    TcpConfig { congestion: Congestion::NewReno, ..plain() }
}

fn burst(trace: &mut Trace, from: usize, segments: usize) {
    for index in from..from + segments {
        trace.expect(&format!("ACK seq={} len=1000", 1 + 1_000 * index));
    }
    trace.silence();
}

#[test]
fn rfc_6928_ten_segments_begin_and_slow_start_doubles() {
    for config in [reno(), plain()] {
        let mut trace = Trace::established(config, "");
        trace.write(100_000);
        burst(&mut trace, 0, 10);
        for (round, acknowledged) in [1, 2, 3, 4, 5].into_iter().enumerate() {
            trace.at(40).send(&format!("ACK seq=101 ack={}", 1 + 2_000 * acknowledged));
            burst(&mut trace, 10 + 4 * round, 4);
        }
        assert_eq!(trace.info().congestion_window, 20_000);
    }
}

#[test]
fn section_3_1_congestion_avoidance_grows_by_a_segment_a_round() {
    let mut trace = Trace::established(reno(), "");
    trace.write(200_000);
    burst(&mut trace, 0, 10);
    trace.at(40).send("ACK seq=101 ack=1").send("ACK seq=101 ack=1").send("ACK seq=101 ack=1");
    // The window is 5: one fast retransmission.
    trace.expect("ACK seq=10001 len=1000").expect("ACK seq=11001 len=1000");
    trace.expect("ACK seq=1 len=1000").silence();
    trace.at(80).send("ACK seq=101 ack=12001");
    burst(&mut trace, 12, 5);
    assert_eq!(trace.info().congestion_window, 5_000);
    trace.at(120).send("ACK seq=101 ack=16001");
    burst(&mut trace, 17, 4);
    // That one ended the recovery. From here on, five acknowledged segments make one more.
    trace.send("ACK seq=101 ack=17001");
    burst(&mut trace, 21, 1);
    trace.at(160).send("ACK seq=101 ack=21001");
    burst(&mut trace, 22, 5);
    assert_eq!(trace.info().congestion_window, 6_000);
}

#[test]
fn rfc_3042_limited_transmit_and_rfc_6582_fast_recovery() {
    let mut trace = Trace::established(reno(), "");
    trace.write(100_000);
    burst(&mut trace, 0, 10);
    trace.at(40).send("ACK seq=101 ack=1").expect("ACK seq=10001 len=1000").silence();
    trace.send("ACK seq=101 ack=1").expect("ACK seq=11001 len=1000").silence();
    trace.send("ACK seq=101 ack=1").expect("ACK seq=1 len=1000").silence();
    let info = trace.info();
    assert_eq!(
        (info.slow_start_threshold, info.duplicate_acks_received, info.fast_recoveries),
        (5_000, 3, 1)
    );
    // RFC 9937: towards half the flight, one segment leaves for two that were delivered.
    for index in 0..2 {
        trace.send("ACK seq=101 ack=1").silence();
        trace
            .send("ACK seq=101 ack=1")
            .expect(&format!("ACK seq={} len=1000", 12_001 + 1_000 * index))
            .silence();
    }
    // A partial acknowledgement: the next hole leaves at once.
    trace.at(80).send("ACK seq=101 ack=3001").expect("ACK seq=3001 len=1000");
    trace.silence();
    trace.at(120).send("ACK seq=101 ack=14001");
    burst(&mut trace, 14, 5);
    assert_eq!(trace.info().fast_recoveries, 1);
}

#[test]
fn duplicates_that_are_none() {
    let mut trace = Trace::established(plain(), "");
    trace.write(10_000);
    burst(&mut trace, 0, 10);
    // A new window, or data along with it, is no duplicate.
    trace
        .at(40)
        .send("ACK seq=101 ack=1 win=60000")
        .send("ACK seq=101 ack=1 win=50000")
        .send("ACK seq=101 ack=1 win=40000");
    trace.send("ACK seq=101 ack=1 win=40000 len=10").expect("ACK ack=111");
    trace.silence();
    assert_eq!(trace.info().duplicate_acks_received, 0);
}

#[test]
fn a_window_that_is_not_used_does_not_grow() {
    for config in [reno(), plain()] {
        let mut trace = Trace::established(config, "");
        for round in 0..50 {
            trace.at(round * 50).write(1_000).expect("ACK len=1000");
            trace.at(round * 50 + 40).send(&format!("ACK seq=101 ack={}", 1_001 + 1_000 * round));
        }
        assert_eq!(trace.info().congestion_window, 10_000);
    }
}

#[test]
fn section_4_1_an_idle_connection_begins_anew() {
    let mut trace = Trace::established(reno(), "");
    trace.write(20_000);
    burst(&mut trace, 0, 10);
    trace.at(40).send("ACK seq=101 ack=10001");
    burst(&mut trace, 10, 10);
    // No more than half of the window was ever used: it stays.
    trace.at(80).send("ACK seq=101 ack=20001");
    assert_eq!(trace.info().congestion_window, 20_000);
    trace.at(5_000).write(100_000);
    burst(&mut trace, 20, 10);
}
