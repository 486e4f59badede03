//! RFC 8985: RACK and tail loss probes, over a path of 40 ms.

use core::time::Duration;

use super::super::*;
use super::trace::*;

fn with_blocks() -> TcpConfig {
    TcpConfig { timestamps: false, window_scaling: false, ..TcpConfig::default() }
}

/// `segments` full ones leave at 40.
fn sender(segments: usize) -> Trace {
    let mut trace = Trace::established_over_40_ms(with_blocks(), "sackok");
    trace.write(1_000 * segments);
    for index in 0..segments.min(10) {
        trace.expect(&format!("ACK seq={} len=1000", 1 + 1_000 * index));
    }
    trace.silence();
    trace
}

#[test]
fn section_6_2_what_was_overtaken_waits_a_quarter_of_the_round_trip() {
    let mut trace = sender(10);
    // The second has arrived, the first not: it may still come for 10 ms, and 2 for the timer.
    trace.at(80).send("ACK seq=101 ack=1 sack=1001-2001").silence();
    trace.at(91).silence().at(92).expect("ACK seq=1 len=1000").silence();
    assert_eq!((trace.info().fast_recoveries, trace.info().timeouts), (1, 0));
}

#[test]
fn section_6_2_what_arrives_within_the_window_was_only_reordered() {
    let mut trace = sender(10);
    trace.at(80).send("ACK seq=101 ack=1 sack=1001-2001").silence();
    trace.at(85).send("ACK seq=101 ack=2001").silence();
    trace.at(90).send("ACK seq=101 ack=10001").at(2_000).silence();
    assert_eq!((trace.info().fast_recoveries, trace.info().retransmissions), (0, 0));
}

#[test]
fn section_6_2_once_reordering_was_seen_no_number_of_duplicates_means_loss() {
    let mut trace = sender(10);
    trace.at(80).send("ACK seq=101 ack=1 sack=1001-2001").silence();
    trace.at(85).send("ACK seq=101 ack=2001").silence();
    // 3 is missing, and all above arrives.
    for segment in 4..=10 {
        let right = 1 + segment * 1_000;
        trace.send(&format!("ACK seq=101 ack=2001 sack=3001-{right}")).silence();
    }
    // The latest round trip was 45 ms: 10 more, and 2 for the timer.
    trace.at(96).silence().at(97).expect("ACK seq=2001 len=1000");
    assert!(trace.info().loss.reordering_seen);
}

#[test]
fn section_6_2_time_passes_between_acknowledgements_too() {
    let mut trace = sender(5);
    trace.at(50).write(1_000).expect("ACK seq=5001 len=1000");
    trace.at(80).send("ACK seq=101 ack=1 sack=1001-2001").silence();
    // What left 10 ms later is there after 40: the acknowledgement itself shows that the time is over, no timer.
    trace.at(90).send("ACK seq=101 ack=1 sack=5001-6001,1001-2001").expect("ACK seq=1 len=1000").silence();
}

#[test]
fn a_lost_retransmission_is_noticed_when_later_data_arrives() {
    let mut trace = sender(10);
    trace.at(80).send("ACK seq=101 ack=1 sack=1001-10001").expect("ACK seq=1 len=1000").silence();
    trace.at(100).write(3_000).expect("ACK seq=10001 len=1000").expect("ACK seq=11001 len=1000");
    trace.expect("ACK seq=12001 len=1000");
    // Sent 20 ms after the retransmission, and here: that one is lost again.
    trace.at(140).send("ACK seq=101 ack=1 sack=1001-11001").expect("ACK seq=1 len=1000").silence();
    assert_eq!((trace.info().retransmissions, trace.info().fast_recoveries), (2, 1));
}

#[test]
fn section_6_2_step_2_an_answer_too_soon_for_the_repetition_speaks_for_the_original() {
    let mut trace = sender(10);
    trace.at(80).send("ACK seq=101 ack=1 sack=1001-4001").expect("ACK seq=1 len=1000");
    // 5 ms after it: the original of 1 has arrived, and nothing that left after the repetition can have.
    // By the repetition's departure at 80, all the others would be 40 ms late.
    trace.at(85).send("ACK seq=101 ack=4001").silence();
    assert_eq!(trace.info().loss.segments_lost, 0);
}

#[test]
fn section_6_2_step_4_duplicates_widen_the_window_and_recoveries_narrow_it_again() {
    let mut trace = sender(40);
    let window = |trace: &Trace| trace.connection().reordering_window();
    let quarter = Duration::from_millis(10);
    // Reordering by 12 ms: the first is repeated needlessly, and the peer says so.
    trace.at(80).send("ACK seq=101 ack=1001");
    trace.send("ACK seq=101 ack=1001 sack=2001-3001").forget_output();
    trace.at(85).send("ACK seq=101 ack=3001").forget_output();
    assert_eq!(window(&trace), quarter);
    trace.at(86).send("ACK seq=101 ack=3001 sack=4001-5001").forget_output();
    trace.at(98).expect("ACK seq=3001 len=1000").forget_output();
    trace.at(99).send("ACK seq=101 ack=5001").forget_output();
    trace.at(138).send("ACK seq=101 ack=6001 sack=3001-4001").forget_output();
    assert_eq!(window(&trace), 2 * quarter);
}

#[test]
fn section_7_2_the_probe_leaves_after_two_round_trips() {
    let mut trace = sender(2);
    trace.at(121).silence().at(122).expect("ACK seq=1001 len=1000").silence();
    assert_eq!((trace.info().loss.tail_loss_probes, trace.info().timeouts), (1, 0));
}

#[test]
fn section_7_2_a_single_segment_gives_its_acknowledgement_time() {
    let mut trace = sender(1);
    // The timeout, 40 + 200 ms, is earlier than 2 * 40 + 200.
    trace.at(279).silence().at(280).expect("ACK seq=1 len=1000");
    assert_eq!((trace.info().loss.tail_loss_probes, trace.info().timeouts), (1, 0));
    // From here the timeout counts: one probe, not two.
    trace.at(519).silence().at(520).expect("ACK seq=1 len=1000");
    assert_eq!((trace.info().loss.tail_loss_probes, trace.info().timeouts), (1, 1));
}

#[test]
fn section_7_3_new_data_makes_a_better_probe() {
    let mut trace = sender(12);
    // The window of ten is full; the probe goes beyond it.
    trace.at(122).expect("ACK seq=10001 len=1000").silence();
    trace.at(162).send("ACK seq=101 ack=1 sack=10001-11001");
    // Everything before it is overdue.
    trace.expect("ACK seq=1 len=1000").silence();
    let info = trace.info();
    assert_eq!((info.timeouts, info.fast_recoveries, info.slow_start_threshold), (0, 1, 7_000));
}

#[test]
fn a_lost_tail_is_found_by_the_probe() {
    let mut trace = sender(5);
    trace.at(80).send("ACK seq=101 ack=2001").silence();
    // 3, 4 and 5 are lost. The probe repeats 5, its block tells of the others.
    trace.at(162).expect("ACK seq=4001 len=1000").silence();
    trace.at(202).send("ACK seq=101 ack=2001 sack=4001-5001");
    // One was delivered, so one leaves (RFC 9937), then the other.
    trace.expect("ACK seq=2001 len=1000").silence();
    trace.at(242).send("ACK seq=101 ack=3001 sack=4001-5001").expect("ACK seq=3001 len=1000").silence();
    trace.at(282).send("ACK seq=101 ack=5001").at(5_000).silence();
    assert_eq!((trace.info().timeouts, trace.info().fast_recoveries), (0, 1));
}

#[test]
fn section_7_4_a_loss_that_the_probe_repaired_is_answered() {
    let mut trace = sender(10);
    trace.at(80).send("ACK seq=101 ack=8001").silence();
    trace.at(162).expect("ACK seq=9001 len=1000").silence();
    let before = trace.info().congestion_window;
    trace.write(1_000).expect("ACK seq=10001 len=1000");
    // Beyond the probe and no duplicate was told of: the original was lost.
    trace.at(202).send("ACK seq=101 ack=11001").silence();
    assert!(trace.info().congestion_window < before, "{} of {before}", trace.info().congestion_window);
}

#[test]
fn section_7_4_a_probe_that_was_not_needed_changes_nothing() {
    for told_by in ["ACK seq=101 ack=10001 sack=9001-10001", "ACK seq=101 ack=10001"] {
        let mut trace = sender(10);
        trace.at(80).send("ACK seq=101 ack=8001").silence();
        trace.at(162).expect("ACK seq=9001 len=1000").silence();
        // The acknowledgement of the original was delayed; that of the probe is a duplicate, with a block or without.
        trace.at(170).send("ACK seq=101 ack=10001");
        let before = trace.info().congestion_window;
        trace.at(202).send(told_by).silence();
        trace.at(210).write(1_000).expect("ACK seq=10001 len=1000");
        trace.at(250).send("ACK seq=101 ack=11001").silence();
        assert!(trace.info().congestion_window >= before);
        assert_eq!(trace.info().slow_start_threshold, u64::MAX);
    }
}

#[test]
fn probes_are_for_peers_with_blocks_and_can_be_switched_off() {
    for config in [plain(), TcpConfig { tail_loss_probe: false, ..with_blocks() }] {
        let mut trace = Trace::established_over_40_ms(config, "sackok");
        trace.write(2_000).expect("ACK seq=1 len=1000").expect("ACK seq=1001 len=1000");
        trace.at(279).silence().at(280).expect("ACK seq=1 len=1000");
        assert_eq!((trace.info().loss.tail_loss_probes, trace.info().timeouts), (0, 1));
    }
}

#[test]
fn section_6_3_a_timeout_spares_what_left_within_the_last_round_trip() {
    let config = TcpConfig { tail_loss_probe: false, ..with_blocks() };
    let mut trace = Trace::established_over_40_ms(config, "sackok");
    trace.write(1_000).expect("ACK seq=1 len=1000");
    trace.at(80).send("ACK seq=101 ack=1001").write(1_000).expect("ACK seq=1001 len=1000");
    let due = Duration::from_millis(80) + trace.info().rto;
    trace.at_exactly(due - Duration::from_millis(10)).write(1_000).expect("ACK seq=2001 len=1000");
    trace.at_exactly(due).expect("ACK seq=1001 len=1000").silence();
    assert_eq!(trace.info().bytes_in_flight, 2_000, "the second is still on its way");
    trace.at_exactly(due + Duration::from_millis(40)).send("ACK seq=101 ack=3001").silence();
    assert_eq!(trace.info().retransmissions, 1);
}
