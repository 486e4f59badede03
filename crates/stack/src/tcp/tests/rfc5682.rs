//! RFC 5682 (F-RTO), RFC 3522 (Eifel) and RFC 2883 (D-SACK): what was for nothing is taken back.

use super::super::*;
use super::trace::*;

fn with_blocks() -> TcpConfig {
    TcpConfig { timestamps: false, window_scaling: false, tail_loss_probe: false, ..TcpConfig::default() }
}

/// Ten segments leave at 40, ten more wait; nothing is heard, and at 280 the first leaves again.
fn timed_out(config: TcpConfig, with: &str) -> Trace {
    let mut trace = Trace::established_over_40_ms(config, with);
    trace.write(20_000);
    for index in 0..10 {
        trace.expect(&format!("ACK seq={} len=1000", 1 + 1_000 * index));
    }
    trace.at(280).expect("ACK seq=1 len=1000").silence();
    assert_eq!((trace.info().congestion_window, trace.info().timeouts), (1_000, 1));
    trace
}

#[test]
fn section_3_1_a_timeout_that_came_too_early_is_taken_back() {
    let mut trace = timed_out(with_blocks(), "sackok");
    // Step 2 b: the window advances, so new data leaves, not what the timeout called lost.
    trace.at(290).send("ACK seq=101 ack=1001");
    trace.expect("ACK seq=10001 len=1000").expect("ACK seq=11001 len=1000").silence();
    // Step 3 b: what was sent once is acknowledged. It was all only late.
    trace.at(291).send("ACK seq=101 ack=2001");
    assert!(trace.info().congestion_window >= 10_000, "{}", trace.info().congestion_window);
    assert_eq!(trace.info().slow_start_threshold, u64::MAX);
    assert_eq!((trace.info().retransmissions, trace.info().loss.undone), (1, 1));
}

#[test]
fn section_3_1_without_blocks_the_same() {
    let mut trace = timed_out(plain(), "");
    trace.at(290).send("ACK seq=101 ack=1001");
    trace.expect("ACK seq=10001 len=1000").expect("ACK seq=11001 len=1000").silence();
    trace.at(291).send("ACK seq=101 ack=2001");
    assert!(trace.info().congestion_window >= 10_000);
    assert_eq!(trace.info().loss.undone, 1);
}

#[test]
fn section_3_1_step_3_a_duplicates_confirm_the_loss() {
    let mut trace = timed_out(with_blocks(), "sackok");
    trace.at(320).send("ACK seq=101 ack=1001");
    trace.expect("ACK seq=10001 len=1000").expect("ACK seq=11001 len=1000").silence();
    // The new data arrives, what is before it does not.
    trace.at(360).send("ACK seq=101 ack=1001 sack=10001-11001");
    trace.expect("ACK seq=1001 len=1000");
    assert_eq!(trace.info().loss.undone, 0);
}

#[test]
fn section_3_1_step_2_a_everything_acknowledged_ends_it() {
    let mut trace = timed_out(plain(), "");
    trace.at(320).send("ACK seq=101 ack=10001").forget_output();
    assert_eq!((trace.info().loss.undone, trace.info().slow_start_threshold), (0, 7_000));
    // With blocks it is known that the other nine were not lost, and then the first hardly was, as Linux judges.
    let mut trace = timed_out(with_blocks(), "sackok");
    trace.at(320).send("ACK seq=101 ack=10001").forget_output();
    assert_eq!((trace.info().loss.undone, trace.info().slow_start_threshold), (1, u64::MAX));
}

#[test]
fn without_new_data_the_timeout_is_believed() {
    let mut trace = Trace::established_over_40_ms(with_blocks(), "sackok");
    trace.write(5_000);
    for index in 0..5 {
        trace.expect(&format!("ACK seq={} len=1000", 1 + 1_000 * index));
    }
    trace.at(280).expect("ACK seq=1 len=1000").silence();
    trace.at(320).send("ACK seq=101 ack=1001");
    trace.expect("ACK seq=1001 len=1000").expect("ACK seq=2001 len=1000").silence();
}

#[test]
fn it_can_be_switched_off() {
    let mut trace = timed_out(TcpConfig { frto: false, ..with_blocks() }, "sackok");
    trace.at(290).send("ACK seq=101 ack=1001");
    trace.expect("ACK seq=1001 len=1000").expect("ACK seq=2001 len=1000").silence();
}

#[test]
fn rfc_3522_an_echo_from_before_the_repetition_takes_the_timeout_back_at_once() {
    let config = TcpConfig { window_scaling: false, tail_loss_probe: false, ..TcpConfig::default() };
    let mut trace = Trace::server(config);
    trace.at(0).send("SYN seq=100 win=65535 mss=1012 sackok ts=1/0").expect("SYN ACK seq=0");
    trace.at(40).send("ACK seq=101 ack=1 ts=2/0").accept();
    trace.write(5_000);
    for index in 0..5 {
        trace.expect(&format!("ACK seq={} len=1000", 1 + 1_000 * index));
    }
    let original = trace.last_timestamp.unwrap().value;
    trace.at(280).expect("ACK seq=1 len=1000").silence();
    assert_eq!(trace.info().congestion_window, 1_000);
    trace.at(290).send(&format!("ACK seq=101 ack=1001 ts=3/{original}")).silence();
    assert_eq!((trace.info().loss.undone, trace.info().bytes_in_flight), (1, 4_000));
    assert_eq!((trace.info().congestion_window, trace.info().slow_start_threshold), (11_000, u64::MAX));
}

#[test]
fn rfc_3522_an_echo_of_the_repetition_takes_nothing_back() {
    let config = TcpConfig { window_scaling: false, tail_loss_probe: false, ..TcpConfig::default() };
    let mut trace = Trace::server(config);
    trace.at(0).send("SYN seq=100 win=65535 mss=1012 sackok ts=1/0").expect("SYN ACK seq=0");
    trace.at(40).send("ACK seq=101 ack=1 ts=2/0").accept();
    trace.write(1_000).expect("ACK seq=1 len=1000");
    trace.at(280).expect("ACK seq=1 len=1000");
    let repetition = trace.last_timestamp.unwrap().value;
    trace.at(320).send(&format!("ACK seq=101 ack=1001 ts=3/{repetition}")).silence();
    assert_eq!((trace.info().loss.undone, trace.info().slow_start_threshold), (0, 2_000));
}

/// Three above arrived, the first was repeated; both copies arrive.
#[test]
fn rfc_2883_a_recovery_whose_every_repetition_arrived_twice_is_taken_back() {
    let mut trace = Trace::established_over_40_ms(with_blocks(), "sackok");
    trace.write(10_000);
    for index in 0..10 {
        trace.expect(&format!("ACK seq={} len=1000", 1 + 1_000 * index));
    }
    trace.at(80).send("ACK seq=101 ack=1 sack=1001-4001").expect("ACK seq=1 len=1000");
    assert_eq!(trace.info().slow_start_threshold, 7_000);
    trace.at(85).send("ACK seq=101 ack=10001").silence();
    assert_eq!((trace.info().congestion_window, trace.info().loss.undone), (7_000, 0));
    trace.at(120).send("ACK seq=101 ack=10001 sack=1-1001").silence();
    let info = trace.info();
    assert_eq!((info.loss.undone, info.slow_start_threshold, info.congestion_window), (1, u64::MAX, 10_000));
}

#[test]
fn duplicates_made_by_the_network_prove_nothing() {
    let mut trace = Trace::established_over_40_ms(with_blocks(), "sackok");
    trace.write(10_000);
    trace.forget_output();
    trace.at(80).send("ACK seq=101 ack=2001 sack=1001-2001").forget_output();
    trace.send("ACK seq=101 ack=2001 sack=3001-6001").expect("ACK seq=2001 len=1000").forget_output();
    trace.at(120).send("ACK seq=101 ack=10001").silence();
    assert_eq!((trace.info().loss.undone, trace.info().slow_start_threshold), (0, 5_600));
}

/// A second timeout within the same trouble reduces nothing more; undone, all comes back.
#[test]
fn repeated_timeouts_reduce_once_and_are_taken_back_at_once() {
    let mut trace = timed_out(with_blocks(), "sackok");
    trace.at(760).expect("ACK seq=1 len=1000").silence();
    assert_eq!(trace.info().slow_start_threshold, 7_000);
    trace.at(1_720).expect("ACK seq=1 len=1000").silence();
    assert_eq!(trace.info().slow_start_threshold, 7_000);
    trace.at(1_730).send("ACK seq=101 ack=1001").forget_output();
    trace.at(1_731).send("ACK seq=101 ack=2001").forget_output();
    assert_eq!(trace.info().slow_start_threshold, u64::MAX);
}
