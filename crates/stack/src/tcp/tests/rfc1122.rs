//! RFC 1122 4.2 and RFC 9293 3.8.6: delayed acknowledgements, Nagle, silly windows, probes, keepalive.

use core::time::Duration;

use super::super::*;
use super::trace::*;

/// Uses up the acknowledgements that a beginning connection sends at once; the next byte is number 101 + 16 * 1000.
fn calm(config: TcpConfig) -> Trace {
    let mut trace = Trace::established(config, "");
    for index in 0..16 {
        trace.send(&format!("ACK seq={} ack=1 len=1000", 101 + index * 1_000));
        trace.expect(&format!("ACK ack={}", 1_101 + index * 1_000));
        trace.read(101 + index * 1_000, 1_000);
    }
    trace
}

#[test]
fn an_acknowledgement_waits_40_ms_for_company() {
    let mut trace = calm(plain());
    trace.at(100).send("ACK seq=16101 ack=1 len=1000").silence();
    trace.at(139).silence();
    trace.at(140).expect("ACK ack=17101");
    trace.at(1_000).silence();
}

#[test]
fn every_second_full_segment_is_acknowledged_at_once() {
    let mut trace = calm(plain());
    trace.at(100).send("ACK seq=16101 ack=1 len=1000").silence();
    trace.at(110).send("ACK seq=17101 ack=1 len=1000").expect("ACK ack=18101");
    trace.at(500).silence();
}

#[test]
fn data_takes_the_acknowledgement_along() {
    let mut trace = calm(plain());
    trace.at(100).send("ACK seq=16101 ack=1 len=100").silence().write(5).expect("ACK seq=1 ack=16201 len=5");
    trace.send("ACK seq=16201 ack=6").at(1_000).silence();
}

#[test]
fn rfc_5681_4_2_gaps_and_their_filling_are_acknowledged_at_once() {
    let mut trace = calm(plain());
    trace.at(100).send("ACK seq=17101 ack=1 len=1000").expect("ACK ack=16101");
    trace.send("ACK seq=18101 ack=1 len=1000").expect("ACK ack=16101");
    trace.send("ACK seq=16101 ack=1 len=500").expect("ACK ack=16601");
    trace.send("ACK seq=16601 ack=1 len=500").expect("ACK ack=19101");
}

#[test]
fn nagle_holds_a_second_small_segment_until_the_first_is_acknowledged() {
    let mut trace = Trace::established(plain(), "");
    trace.write(10).expect("ACK seq=1 len=10").write(10).write(10).silence();
    trace.at(50).send("ACK seq=101 ack=11").expect("ACK seq=11 len=20");
    // A full segment never waits.
    trace.write(1_100).expect("ACK seq=31 len=1000").silence();
    trace.send("ACK seq=101 ack=1031").expect("ACK seq=1031 len=100");
}

#[test]
fn nodelay_switches_nagle_off() {
    let mut trace = Trace::established(plain(), "");
    trace.write(10).expect("ACK seq=1 len=10").write(10).silence();
    trace.tcp.set_nodelay(trace.now, trace.id.unwrap(), true);
    trace.pump();
    trace.expect("ACK seq=11 len=10").write(3).expect("ACK seq=21 len=3");
}

#[test]
fn a_large_write_leaves_its_last_small_piece_at_once() {
    // Minshall: only a small segment in flight holds another small one back.
    let mut trace = Trace::established(plain(), "");
    trace
        .write(2_500)
        .expect("ACK seq=1 len=1000")
        .expect("ACK seq=1001 len=1000")
        .expect("ACK seq=2001 len=500");
}

#[test]
fn the_receiver_opens_its_window_in_large_steps_only() {
    let mut trace = Trace::established(TcpConfig { receive_buffer: 10_000, ..plain() }, "");
    for index in 0..10 {
        let at = 101 + index * 1_000;
        trace.send(&format!("ACK seq={at} ack=1 len=1000")).expect(&format!("ACK ack={}", at + 1_000));
    }
    trace.at(100).send("ACK seq=10101 ack=1 len=1").expect("ACK ack=10101 win=0");
    trace.read(101, 500).silence().read(601, 500).silence();
    trace.read(1_101, 460).expect("ACK ack=10101 win=1460");
    trace.read(1_561, 1_000).silence();
    trace.read(2_561, 1_000).expect("ACK ack=10101 win=3460");
}

#[test]
fn the_sender_does_not_use_small_pieces_of_a_window() {
    let mut trace = Trace::established(plain(), "");
    trace.write(3_000);
    trace.expect("ACK seq=1 len=1000").expect("ACK seq=1001 len=1000").expect("ACK seq=2001 len=1000");
    trace.write(1_000).expect("ACK seq=3001 len=1000").write(1_000).expect("ACK seq=4001 len=1000");
    trace.send("ACK seq=101 ack=5001 win=300").write(1_000).silence();
    // The override: RFC 9293 3.8.6.2.1, when the timer of the probe runs out.
    trace.at(200).expect("ACK seq=5001 len=300");
    trace.send("ACK seq=101 ack=5301 win=2000").expect("ACK seq=5301 len=700");
}

#[test]
fn a_closed_window_is_probed_with_backoff_for_ever() {
    let mut trace = Trace::established(TcpConfig { data_retries: 3, ..plain() }, "");
    trace.send("ACK seq=101 ack=1 win=0").write(10).silence();
    let mut time = 0;
    for wait in [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 102_400, 120_000, 120_000] {
        time += wait;
        trace.at(time - 1).silence();
        trace.at(time).expect("ACK seq=0 ack=101").send("ACK seq=101 ack=1 win=0").silence();
    }
    trace.send("ACK seq=101 ack=1 win=5000").expect("ACK seq=1 len=10");
    assert!(trace.tcp.events(trace.id.unwrap()).iter().any(|event| event.what == TcpEventKind::ZeroWindow));
}

#[test]
fn a_closed_window_whose_owner_is_gone_times_out() {
    let mut trace = Trace::established(TcpConfig { data_retries: 3, ..plain() }, "");
    trace.send("ACK seq=101 ack=1 win=0").write(10).silence();
    for time in [200, 600, 1_400, 3_000] {
        trace.at(time).expect("ACK seq=0");
    }
    trace.at(60_000).silence();
    assert_eq!(trace.read_error(), TcpError::TimedOut { icmp: None });
}

#[test]
fn a_peer_that_stays_closed_but_answers_does_not_time_out_with_data_in_flight() {
    let mut trace = Trace::established(TcpConfig { data_retries: 2, ..plain() }, "");
    trace.write(10).expect("ACK seq=1 len=10");
    let mut time = 0;
    for wait in [200, 400, 800, 1_600, 3_200] {
        time += wait;
        trace.at(time).expect("ACK seq=1 len=10").send("ACK seq=101 ack=1 win=0");
    }
    trace.state(State::Established);
}

#[test]
fn our_own_closed_window_answers_probes_of_both_kinds() {
    let mut trace = Trace::established(TcpConfig { receive_buffer: 1_000, ..plain() }, "");
    trace.send("ACK seq=101 ack=1 len=1000").expect("ACK ack=1101 win=0");
    trace.at(100).send("ACK seq=1100 ack=1").expect("ACK ack=1101 win=0");
    trace.at(110).send("ACK seq=1101 ack=1 len=1").expect("ACK ack=1101 win=0");
    trace.at(120).send("ACK seq=1100 ack=1").expect("ACK ack=1101 win=0");
    trace.read(101, 1_000).expect("ACK ack=1101 win=1000");
}

#[test]
fn keepalive_asks_and_at_last_gives_up() {
    let config = TcpConfig {
        keepalive: Some(Duration::from_secs(60)),
        keepalive_interval: Duration::from_secs(10),
        keepalive_probes: 3,
        ..plain()
    };
    let mut trace = Trace::established(config, "");
    trace.at(30_000).send("ACK seq=101 ack=1 len=10").expect("ACK ack=111").read(101, 10);
    trace.at(89_999).silence().at(90_000).expect("ACK seq=0 ack=111").send("ACK seq=111 ack=1").silence();
    trace.at(150_000).expect("ACK seq=0").at(160_000).expect("ACK seq=0").at(170_000).expect("ACK seq=0");
    trace.at(180_000).expect("RST ACK seq=1");
    assert_eq!(trace.read_error(), TcpError::TimedOut { icmp: None });
}

/// One small segment each `gap`; when the acknowledgement of each left, in milliseconds after it came.
fn delays(trace: &mut Trace, gaps: &[u64]) -> Vec<u64> {
    let (mut at, mut seq) = (trace.now.nanos() / 1_000_000 - 10_000, 101 + trace.info().bytes_received);
    gaps.iter()
        .map(|gap| {
            at += gap;
            trace.at(at).send(&format!("ACK seq={seq} ack=1 len=700"));
            seq += 700;
            let came = trace.now;
            if trace.take().is_some() {
                return 0;
            }
            let due = trace.tcp.next_deadline();
            trace.at_exactly(due.since(thru_wire::Instant::from_millis(10_000)));
            assert!(trace.take().is_some());
            at = trace.now.nanos() / 1_000_000 - 10_000;
            trace.now.since(came).as_millis() as u64
        })
        .collect()
}

#[test]
fn section_4_2_3_2_the_delay_follows_the_pace_of_the_data_and_a_pause_ends_it() {
    let mut trace = Trace::server(plain());
    trace.at(0).send("SYN seq=100 win=65535 mss=1000").expect("SYN ACK seq=0 ack=101");
    trace.at(150).send("ACK seq=101 ack=1 win=65535").accept();
    assert_eq!(delays(&mut trace, &[200; 16]), [0; 16], "at once in the beginning");
    // Each wait in vain doubles the next (and the pace of the data is mixed in: half of 80 and the 50 between the two),
    // up to a round trip.
    assert_eq!(delays(&mut trace, &[100, 10, 10, 10]), [40, 90, 150, 150]);
    // A pause longer than the retransmission timeout: the peer may be in slow start.
    assert_eq!(delays(&mut trace, &[1_500, 10]), [0, 0]);
}

#[test]
fn section_4_2_3_2_answers_carry_acknowledgements_where_both_sides_talk_in_turns() {
    let mut trace = Trace::established(plain(), "");
    let id = trace.id.unwrap();
    trace.at(10).send("ACK seq=101 ack=1 len=10").expect("ACK ack=111");
    assert_eq!(trace.tcp.quick_ack(id), Some(true));
    trace.tcp.set_quick_ack(trace.now, id, false).unwrap();
    trace
        .at(20)
        .send("ACK seq=111 ack=1 len=10")
        .silence()
        .at(30)
        .write(10)
        .expect("ACK seq=1 ack=121 len=10");
    trace.at(40).send("ACK seq=121 ack=11 len=10").silence();
    assert_eq!(trace.tcp.quick_ack(id), Some(false));
    // The application has nothing to say any more.
    trace.at(80).expect("ACK ack=131");
    assert_eq!((trace.tcp.quick_ack(id), trace.tcp.stats().delayed_acks), (Some(true), 1));
}
