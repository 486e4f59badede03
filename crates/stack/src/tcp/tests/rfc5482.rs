//! RFC 5482 and RFC 9293 3.8.3: how long data may stay unacknowledged.

use core::time::Duration;

use super::super::*;
use super::trace::*;

fn within(trace: &mut Trace, timeout: Duration) {
    let id = trace.id.unwrap();
    let options = SocketOptions { user_timeout: Some(timeout), ..*trace.tcp.options(id).unwrap() };
    trace.tcp.set_options(trace.now, id, &options).unwrap();
    trace.pump();
}

#[test]
fn data_is_given_up_when_the_users_time_is_over() {
    let mut trace = Trace::established(plain(), "");
    within(&mut trace, Duration::from_secs(3));
    trace.write(10).expect("ACK seq=1 len=10");
    // As Linux, it counts from the first repetition; the last wait is cut.
    for time in [200, 600, 1_400, 3_000] {
        trace.at(time).expect("ACK seq=1 len=10");
    }
    trace.at(3_199).state(State::Established).at(3_200).silence().state(State::Closed);
    assert_eq!(trace.read_error(), TcpError::TimedOut { icmp: None });
}

#[test]
fn a_longer_time_outlasts_the_count_of_repetitions() {
    let mut trace = Trace::established(TcpConfig { data_retries: 2, ..plain() }, "");
    within(&mut trace, Duration::from_secs(30));
    trace.write(10).expect("ACK seq=1 len=10");
    for time in [200, 600, 1_400, 3_000, 6_200, 12_600] {
        trace.at(time).expect("ACK seq=1 len=10");
    }
    trace.send("ACK seq=101 ack=11").at(100_000).state(State::Established);
}

#[test]
fn progress_begins_the_time_anew() {
    let mut trace = Trace::established(plain(), "");
    within(&mut trace, Duration::from_secs(1));
    trace.write(2_000).expect("ACK seq=1 len=1000").expect("ACK seq=1001 len=1000");
    trace.at(200).expect("ACK seq=1 len=1000").at(600).expect("ACK seq=1 len=1000");
    trace.at(1_100).send("ACK seq=101 ack=1001").forget_output();
    trace.pass_until(2_000);
    trace.state(State::Established);
}

#[test]
fn a_window_that_stays_closed_is_given_up_only_if_the_user_says_so() {
    let mut trace = Trace::established(plain(), "");
    within(&mut trace, Duration::from_secs(2));
    trace.send("ACK seq=101 ack=1 win=0").write(10).silence();
    for time in [200, 600, 1_400] {
        trace.at(time).expect("ACK seq=0 ack=101").send("ACK seq=101 ack=1 win=0").silence();
    }
    trace.at(3_000).silence().state(State::Closed);
}

#[test]
fn keepalive_gives_up_when_the_users_time_is_over() {
    let mut trace = Trace::established(plain(), "");
    let id = trace.id.unwrap();
    let options = SocketOptions {
        keepalive: true,
        keepalive_idle: Duration::from_secs(10),
        keepalive_interval: Duration::from_secs(1),
        keepalive_probes: 100,
        user_timeout: Some(Duration::from_secs(13)),
        ..*trace.tcp.options(id).unwrap()
    };
    trace.tcp.set_options(trace.now, id, &options).unwrap();
    for second in [10, 11, 12] {
        trace.at(second * 1_000).expect("ACK seq=0");
    }
    trace.at(13_000).expect("RST ACK seq=1").state(State::Closed);
}

#[test]
fn the_peers_wish_is_heard_within_limits() {
    let limits = Some((Duration::from_secs(100), Duration::from_secs(600)));
    let heard = |seconds: u64| {
        let mut trace = Trace::established(TcpConfig { user_timeout_limits: limits, ..plain() }, "");
        trace.send(&format!("ACK seq=101 ack=1 uto={seconds}")).silence();
        trace.write(10).forget_output();
        for _ in 0..100 {
            if trace.info().state == State::Closed {
                break;
            }
            trace.pass();
        }
        trace.now.since(thru_wire::Instant::from_millis(10_200)).as_secs()
    };
    assert_eq!((heard(5), heard(300), heard(30_000)), (100, 300, 600));
}

#[test]
fn our_wish_is_told_with_the_syn_and_once_after_it() {
    let limits = Some((Duration::from_secs(100), Duration::from_secs(600)));
    let config = TcpConfig { user_timeout_limits: limits, ..plain() };
    let mut trace = Trace::established(config.clone(), "");
    within(&mut trace, Duration::from_secs(120));
    trace.write(10).expect("ACK seq=1 len=10 uto=120").write(1_000);
    trace.send("ACK seq=101 ack=11").expect("ACK seq=11 len=1000 nouto");
    // Not where it finds no room: full segments stay full.
    within(&mut trace, Duration::from_secs(130));
    trace.send("ACK seq=101 ack=1011").write(1_000).expect("ACK seq=1011 len=1000 nouto");
    trace.send("ACK seq=101 ack=2011 len=10").expect("ACK ack=111 uto=130");

    let mut silent = Trace::established(plain(), "");
    within(&mut silent, Duration::from_secs(120));
    silent.write(10).expect("ACK seq=1 len=10 nouto");
}
