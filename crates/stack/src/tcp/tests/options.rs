//! The options of sockets: what each changes on the wire.

use core::time::Duration;

use super::super::*;
use super::trace::*;

fn change(trace: &mut Trace, change: impl FnOnce(&mut SocketOptions)) {
    let id = trace.id.unwrap();
    let mut options = *trace.tcp.options(id).unwrap();
    change(&mut options);
    trace.tcp.set_options(trace.now, id, &options).unwrap();
    trace.pump();
    assert_eq!(trace.tcp.options(id), Some(&options));
}

#[test]
fn nagle_keeps_one_small_segment_in_flight_until_it_is_switched_off() {
    let mut trace = Trace::established(plain(), "");
    trace.at(100).write(10).expect("ACK seq=1 len=10").write(10).silence();
    change(&mut trace, |options| options.nodelay = true);
    trace.expect("ACK seq=11 len=10").write(5).expect("ACK seq=21 len=5");
}

#[test]
fn a_cork_holds_small_segments_for_200_ms_and_lets_full_ones_pass() {
    let mut trace = Trace::established(plain(), "");
    change(&mut trace, |options| options.cork = true);
    trace.at(100).write(400).silence().write(700).expect("ACK seq=1 len=1000").silence();
    trace.at(120).send("ACK seq=101 ack=1001").silence();
    trace.at(320).expect("ACK seq=1001 len=100");
    trace.at(330).send("ACK seq=101 ack=1101").silence();
    trace.write(30).silence();
    change(&mut trace, |options| options.cork = false);
    trace.expect("ACK seq=1101 len=30");
}

#[test]
fn switching_nagle_off_pushes_what_a_cork_holds() {
    let mut trace = Trace::established(plain(), "");
    change(&mut trace, |options| options.cork = true);
    trace.at(100).write(30).silence();
    change(&mut trace, |options| options.nodelay = true);
    trace.expect("ACK seq=1 len=30").write(10).silence();
}

#[test]
fn packets_carry_the_traffic_class_and_the_ttl_of_their_socket() {
    let mut trace = Trace::established(plain(), "");
    change(&mut trace, |options| (options.traffic_class, options.ttl) = (0xbb, Some(7)));
    trace.at(100).write(10);
    let segment = trace.take().unwrap();
    assert_eq!((segment.class, segment.ttl), (0xb8, Some(7)), "the ECN bits are not the socket's");
}

#[test]
fn what_has_come_too_far_is_dropped() {
    // The peer's segments arrive with a TTL of 57.
    let mut trace = Trace::established(plain(), "");
    change(&mut trace, |options| options.min_ttl = 58);
    trace.at(100).send("ACK seq=101 ack=1 len=10").silence();
    assert_eq!(trace.tcp.stats().min_ttl_drops, 1);
    change(&mut trace, |options| options.min_ttl = 57);
    trace.send("ACK seq=101 ack=1 len=10").expect("ACK ack=111");
}

#[test]
fn keepalive_can_be_switched_on_at_any_time_and_counts_from_the_peers_last_word() {
    let mut trace = Trace::established(plain(), "");
    trace.at(10_000).send("ACK seq=101 ack=1 len=1").expect("ACK ack=102");
    trace.at(12_000);
    change(&mut trace, |options| {
        options.keepalive = true;
        options.keepalive_idle = Duration::from_secs(5);
        options.keepalive_interval = Duration::from_secs(3);
        options.keepalive_probes = 2;
    });
    trace.at(15_000).expect("ACK seq=0 ack=102").at(18_000).expect("ACK seq=0 ack=102");
    trace.at(21_000).expect("RST ACK seq=1");
    assert_eq!(trace.read_error_after_data(), TcpError::TimedOut { icmp: None });
}

#[test]
fn the_largest_segment_may_be_lowered_before_and_after_the_handshake() {
    let options = SocketOptions { mss_limit: Some(700), ..SocketOptions::new(&plain()) };
    let mut trace = Trace::server_with(plain(), options);
    trace.at(0).send("SYN seq=100 win=65535 mss=1000").expect("SYN ACK ack=101 mss=700");
    trace.send("ACK seq=101 ack=1").accept();
    trace.at(10).write(1_400).expect("ACK seq=1 len=700").expect("ACK seq=701 len=700");
    change(&mut trace, |options| options.mss_limit = Some(500));
    trace.write(1_000).expect("ACK seq=1401 len=500").expect("ACK seq=1901 len=500");
}

#[test]
fn what_ended_a_connection_is_told_once() {
    let mut trace = Trace::established(plain(), "");
    trace.at(100).send("RST seq=101");
    let id = trace.id.unwrap();
    assert_eq!(trace.tcp.take_error(id), Some(TcpError::Reset));
    assert_eq!(trace.tcp.take_error(id), None);
    trace.read_end();
}

#[test]
fn quick_acknowledgements_can_be_asked_for_and_taken_back() {
    let mut trace = Trace::established(plain(), "");
    let id = trace.id.unwrap();
    trace.tcp.set_quick_ack(trace.now, id, false).unwrap();
    assert_eq!(trace.tcp.quick_ack(id), Some(false));
    trace.at(10).send("ACK seq=101 ack=1 len=10").silence();
    trace.tcp.set_quick_ack(trace.now, id, true).unwrap();
    trace.pump();
    trace.expect("ACK ack=111").send("ACK seq=111 ack=1 len=10").expect("ACK ack=121");
}

#[test]
fn a_port_in_use_is_shared_only_by_who_says_so() {
    let mut trace = Trace::established(plain(), "");
    let alone = SocketOptions { reuse_address: false, ..SocketOptions::new(&plain()) };
    let local = "10.0.0.1:80".parse().unwrap();
    let listen = |trace: &mut Trace, options| trace.tcp.listen_with(&trace.way, local, 4, options);
    let listener = trace.listener.unwrap();
    trace.tcp.close_listener(trace.now, listener);
    // A connection is left, then what is left of it in TIME-WAIT, then nothing.
    assert_eq!(listen(&mut trace, alone), Err(ListenError::AddressInUse));
    trace
        .at(10)
        .shutdown()
        .expect("FIN ACK seq=1")
        .send("FIN ACK seq=101 ack=2")
        .expect("ACK seq=2")
        .release();
    assert_eq!(
        (trace.tcp.population(), listen(&mut trace, alone)),
        ((0, 0, 1), Err(ListenError::AddressInUse))
    );
    let shared = listen(&mut trace, SocketOptions::new(&plain())).unwrap();
    trace.tcp.close_listener(trace.now, shared);
    trace.at(60_010);
    assert!(listen(&mut trace, alone).is_ok());
    // The wildcard beside it: only where that is meant.
    let any = "0.0.0.0:80".parse().unwrap();
    assert_eq!(trace.tcp.listen_with(&trace.way, any, 4, alone), Err(ListenError::AddressInUse));
    assert!(trace.tcp.listen(&trace.way, any, 4).is_ok());
}

#[test]
fn lingering_for_no_time_aborts() {
    let mut trace = Trace::established(plain(), "");
    change(&mut trace, |options| options.linger = Some(Duration::ZERO));
    trace.at(10).write(10).expect("ACK seq=1 len=10").release().expect("RST ACK seq=11");
    assert_eq!(trace.tcp.stats().aborts_on_linger, 1);
    let mut trace = Trace::established(plain(), "");
    change(&mut trace, |options| options.linger = Some(Duration::from_secs(5)));
    trace.at(10).write(10).expect("ACK seq=1 len=10").release().expect("FIN ACK seq=11");
}

#[test]
fn whoever_lingers_can_see_when_all_has_arrived() {
    let mut trace = Trace::established(plain(), "");
    let id = trace.id.unwrap();
    assert!(trace.tcp.drained(id));
    trace.at(10).write(10).expect("ACK seq=1 len=10").shutdown().expect("FIN ACK seq=11");
    trace.send("ACK seq=101 ack=11");
    assert!(!trace.tcp.drained(id));
    trace.send("ACK seq=101 ack=12");
    assert!(trace.tcp.drained(id));
}

#[test]
fn a_connection_let_go_waits_as_long_in_fin_wait_2_as_it_was_told() {
    let mut trace = Trace::established(plain(), "");
    change(&mut trace, |options| options.fin_wait2 = Some(Duration::from_secs(3)));
    trace.at(10).release().expect("FIN ACK seq=1").send("ACK seq=101 ack=2");
    trace.at(3_009);
    assert_eq!(trace.tcp.population(), (0, 1, 0));
    trace.at(3_010);
    assert_eq!(trace.tcp.population(), (0, 0, 0));
    trace.send("FIN ACK seq=101 ack=2").expect("RST seq=2");
}

#[test]
fn too_little_to_read_wakes_nobody() {
    let mut trace = Trace::established(plain(), "");
    change(&mut trace, |options| options.receive_low = 100);
    let id = trace.id.unwrap();
    trace.tcp.read_waker(id, core::task::Waker::noop());
    let before = trace.tcp.wakes();
    trace.at(10).send("ACK seq=101 ack=1 len=99").forget_output();
    assert_eq!(trace.tcp.wakes(), before);
    trace.send("ACK seq=200 ack=1 len=1").forget_output();
    assert_eq!(trace.tcp.wakes(), before + 1);
}

#[test]
fn no_more_waits_to_be_sent_first_than_was_asked_for() {
    let mut trace = Trace::established(plain(), "");
    change(&mut trace, |options| options.notsent_low = Some(3_000));
    let id = trace.id.unwrap();
    trace.at(10);
    assert_eq!(trace.tcp.write(trace.now, id, &[1; 50_000]), Ok(3_000));
    assert_eq!(trace.tcp.write(trace.now, id, &[1; 50_000]), Ok(0));
    trace.pump();
    assert_eq!(trace.tcp.write(trace.now, id, &[1; 50_000]), Ok(3_000));
}

#[test]
fn an_attempt_takes_no_longer_and_no_more_syns_than_allowed() {
    let options =
        SocketOptions { connect_timeout: Some(Duration::from_millis(2_500)), ..SocketOptions::new(&plain()) };
    let mut trace = Trace::caller(plain());
    trace.at(0).call(5_000, options, 0).expect("SYN").at(1_000).expect("SYN").at(2_000).expect("SYN");
    trace.at(2_499).state(State::SynSent).at(2_500).silence().state(State::Closed);
    let options = SocketOptions { syn_retries: Some(1), ..SocketOptions::new(&plain()) };
    trace.call(5_001, options, 0).expect("SYN").at(3_500).expect("SYN").at(4_500).state(State::Closed);
}

#[test]
fn no_window_larger_than_the_clamp_is_announced_and_no_options_are_used_where_unwanted() {
    let options = SocketOptions { window_clamp: Some(5_000), ..SocketOptions::new(&plain()) };
    let mut trace = Trace::server_with(plain(), options);
    trace.at(0).send("SYN seq=100 win=65535 mss=1000").expect("SYN ACK ack=101 win=5000");
    trace.send("ACK seq=101 ack=1").accept();
    trace.send("ACK seq=101 ack=1 len=1000").expect("ACK ack=1101 win=4000");
    trace.send("ACK seq=1101 ack=1 len=1000").expect("ACK ack=2101 win=5000");

    let options = SocketOptions { no_options: true, ..SocketOptions::new(&TcpConfig::default()) };
    let mut trace = Trace::caller(TcpConfig::default());
    trace.at(0).call(5_000, options, 0).expect("SYN bare");
    trace.send("SYN ACK seq=100 ack=1 ws=3 sackok ts=1/1").expect("ACK bare");
}
