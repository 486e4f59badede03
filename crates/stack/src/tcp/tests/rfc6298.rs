//! RFC 6298: when things are sent again.

use super::super::*;
use super::trace::*;

#[test]
fn syns_leave_as_from_a_current_linux_and_then_the_attempt_ends() {
    let mut trace = Trace::client(plain());
    trace.expect("SYN seq=0");
    for second in [1, 2, 3, 4, 5, 7, 11, 19, 35, 67] {
        trace.at(second * 1_000).expect("SYN seq=0");
    }
    trace.at(130_999).state(State::SynSent);
    trace.at(131_000).silence().state(State::Closed);
    assert_eq!(trace.tcp.connected(trace.id.unwrap()), Some(Err(TcpError::TimedOut { icmp: None })));
    let info = trace.info();
    assert_eq!((info.syn_retransmissions, info.retransmissions, info.timeouts), (10, 10, 11));
}

#[test]
fn section_5_data_backs_off_and_the_connection_ends_after_the_retries() {
    let mut trace = Trace::established(TcpConfig { data_retries: 5, ..plain() }, "");
    trace.write(10).expect("ACK seq=1 len=10");
    // The handshake took no time: the floor of 200 ms counts.
    for time in [200, 600, 1_400, 3_000, 6_200] {
        trace.at(time).expect("ACK seq=1 len=10");
    }
    trace.at(12_599).state(State::Established).at(12_600).silence().state(State::Closed);
    assert_eq!(trace.read_error(), TcpError::TimedOut { icmp: None });
    assert_eq!((trace.info().timeouts, trace.info().retransmissions), (6, 5));
}

#[test]
fn section_2_the_timeout_follows_the_round_trips() {
    let mut trace = Trace::server(plain());
    trace.at(0).send("SYN seq=100 mss=1000").expect("SYN ACK").at(400).send("ACK seq=101 ack=1").accept();
    // First sample 400 ms: deviation 200, timeout 400 + 4 * 200.
    trace.write(10).expect("ACK seq=1 len=10").at(1_599).silence().at(1_600).expect("ACK seq=1 len=10");
}

#[test]
fn section_5_3_the_timer_starts_anew_with_each_acknowledgement_of_new_data() {
    let mut trace = Trace::established(plain(), "");
    trace.write(3_000);
    trace.expect("ACK seq=1 len=1000").expect("ACK seq=1001 len=1000").expect("ACK seq=2001 len=1000");
    trace.at(150).send("ACK seq=101 ack=1001").silence();
    let rto = trace.info().rto;
    trace
        .at_exactly(core::time::Duration::from_millis(150) + rto - core::time::Duration::from_nanos(1))
        .silence();
    trace.at_exactly(core::time::Duration::from_millis(150) + rto).expect("ACK seq=1001 len=1000").silence();
    // RFC 5681 3.1: a window of one segment, the rest follows as it is acknowledged.
    assert_eq!(trace.info().congestion_window, 1_000);
    trace.at(450).send("ACK seq=101 ack=2001").expect("ACK seq=2001 len=1000");
}

#[test]
fn karn_a_retransmitted_segment_measures_nothing_without_timestamps() {
    let mut trace = Trace::server(plain());
    trace.at(0).send("SYN seq=100 mss=1000").expect("SYN ACK").at(100).send("ACK seq=101 ack=1").accept();
    trace.write(10).expect("ACK seq=1 len=10").at(400).expect("ACK seq=1 len=10");
    let before = trace.info().rtt;
    trace.at(410).send("ACK seq=101 ack=11");
    assert_eq!(trace.info().rtt, before);
}

#[test]
fn with_timestamps_the_echo_tells_which_transmission_is_answered() {
    let config = TcpConfig { sack: false, window_scaling: false, ..TcpConfig::default() };
    let mut trace = Trace::server(config);
    trace
        .at(0)
        .send("SYN seq=100 mss=1012 ts=1/0")
        .expect("SYN ACK")
        .at(100)
        .send("ACK seq=101 ack=1 ts=2/0")
        .accept();
    trace.write(10).expect("ACK seq=1 len=10");
    let first = trace.last_timestamp.unwrap().value;
    trace.at(400).expect("ACK seq=1 len=10");
    let second = trace.last_timestamp.unwrap().value;
    // 100 ms after the repetition, which it echoes.
    trace.at(500).send(&format!("ACK seq=101 ack=11 ts=3/{second}"));
    assert_eq!(
        (trace.info().max_rtt, trace.info().min_rtt),
        (Some(super::pair::ms(100)), Some(super::pair::ms(100)))
    );

    // Again; now the answer to the original had been lost, and the repetition is answered with the old echo.
    trace.write(10).expect("ACK seq=11 len=10");
    let third = trace.last_timestamp.unwrap().value;
    assert!(third != first);
    let rto = trace.info().rto;
    trace.at_exactly(super::pair::ms(500) + rto).expect("ACK seq=11 len=10");
    trace.at(1_300).send(&format!("ACK seq=101 ack=21 ts=4/{third}"));
    assert_eq!(trace.info().max_rtt, Some(super::pair::ms(100)), "the timeout is no round trip");
}

#[test]
fn a_timeout_that_was_premature_teaches_the_longer_round_trip() {
    let config = TcpConfig { sack: false, window_scaling: false, ..TcpConfig::default() };
    let mut trace = Trace::server(config);
    trace
        .at(0)
        .send("SYN seq=100 mss=1012 ts=1/0")
        .expect("SYN ACK")
        .at(100)
        .send("ACK seq=101 ack=1 ts=2/0")
        .accept();
    trace.write(10).expect("ACK seq=1 len=10");
    let first = trace.last_timestamp.unwrap().value;
    trace.at(400).expect("ACK seq=1 len=10").at(450).send(&format!("ACK seq=101 ack=11 ts=3/{first}"));
    assert_eq!(trace.info().max_rtt, Some(super::pair::ms(350)));
}

/// The costliest lesson of others: a frame that waited in a queue of ours must not look like a slow network.
#[test]
fn a_sample_ends_when_the_frame_arrived_not_when_it_was_looked_at() {
    let mut trace = Trace::client(TcpConfig { tail_loss_probe: false, ..TcpConfig::default() });
    trace.expect("SYN seq=0").at(30);
    let syn_ack = trace.bytes_of("SYN ACK seq=500 ack=1 mss=1000 sackok ts=1/0");
    trace.at(400).deliver(syn_ack);
    trace.expect("ACK seq=1 ack=501").write(3_000);
    trace.expect("ACK seq=1 len=988").expect("ACK seq=989 len=988").expect("ACK seq=1977 len=988");
    trace.expect("ACK seq=2965 len=36").at(430);
    let echo = trace.last_timestamp.unwrap().value;
    let acknowledgement = trace.bytes_of(&format!("ACK seq=501 ack=3001 ts=2/{echo}"));
    trace.at(600).deliver(acknowledgement);
    let info = trace.info();
    let thirty = Some(super::pair::ms(30));
    assert_eq!((info.rtt, info.min_rtt, info.max_rtt), (thirty, thirty, thirty));
}
