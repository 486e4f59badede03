//! RFC 7413: TCP Fast Open.

use super::super::*;
use super::trace::*;

const COOKIE: &str = "0102030405060708";

fn fast() -> SocketOptions {
    SocketOptions { fast_open_connect: true, ..SocketOptions::new(&plain()) }
}

/// A client that has a cookie; its first connection is over.
fn with_cookie() -> Trace {
    let mut trace = Trace::caller(plain());
    trace.at(0).call(5_000, fast(), 100).expect("SYN seq=0 fo");
    trace.at(50).send(&format!("SYN ACK seq=100 ack=1 mss=1000 fo={COOKIE}"));
    trace.expect("ACK seq=1 ack=101 len=100 nofo").at(100).send("ACK seq=101 ack=101");
    trace.abort().forget_output();
    trace
}

#[test]
fn a_cookie_is_asked_for_first_and_data_leaves_with_the_syn_from_then_on() {
    let mut trace = with_cookie();
    trace.call(5_001, fast(), 100).expect(&format!("SYN seq=0 len=100 fo={COOKIE}"));
    trace.at(150).send("SYN ACK seq=500 ack=101 mss=1000").expect("ACK seq=101 ack=501");
    assert_eq!((trace.info().bytes_acked, trace.info().bytes_sent), (100, 100));
    trace.write(10).expect("ACK seq=101 len=10").send("ACK seq=501 ack=111");
    let stats = trace.tcp.stats();
    assert_eq!((stats.fast_open_active, stats.fast_open_active_failed), (1, 0));
}

#[test]
fn the_answer_may_come_before_the_handshake_is_done() {
    let mut trace = with_cookie();
    trace.call(5_001, fast(), 100).expect("SYN seq=0 len=100");
    trace.at(150).send("SYN ACK seq=500 ack=101 len=20 from=501").expect("ACK seq=101 ack=521");
    trace.read(501, 20);
}

#[test]
fn no_more_data_than_the_server_takes_leaves_with_the_syn() {
    let mut trace = with_cookie();
    // MSS and cookie take 16 bytes of the 1000 that the server takes.
    trace.call(5_001, fast(), 3_000).expect("SYN seq=0 len=984");
    trace.at(150).send("SYN ACK seq=500 ack=985 mss=1000");
    trace
        .expect("ACK seq=985 ack=501 len=1000")
        .expect("ACK seq=1985 len=1000")
        .expect("ACK seq=2985 len=16");
}

#[test]
fn a_connection_without_first_bytes_waits_for_them_if_a_cookie_is_known() {
    let mut trace = with_cookie();
    trace.call(5_001, fast(), 0).silence();
    assert_eq!(trace.tcp.connected(trace.id.unwrap()), Some(Ok(())), "it can be written to");
    trace.at(500).write(7).expect(&format!("SYN seq=0 len=7 fo={COOKIE}"));
    assert_eq!(trace.tcp.connected(trace.id.unwrap()), None);
    trace.call(5_002, fast(), 0).silence().shutdown().expect(&format!("SYN seq=0 fo={COOKIE}"));
}

#[test]
fn refused_data_is_sent_again_and_the_server_left_in_peace() {
    let mut trace = with_cookie();
    trace.call(5_001, fast(), 100).expect("SYN seq=0 len=100");
    trace.at(150).send("SYN ACK seq=500 ack=1").expect("ACK seq=1 ack=501 len=100");
    assert_eq!(trace.tcp.stats().fast_open_active_failed, 1);
    trace.abort().forget_output();
    trace.call(5_002, fast(), 100).expect("SYN seq=0 nofo").abort();
    trace.at(150 + 899_000).call(5_003, fast(), 100).expect("SYN seq=0 nofo").abort();
    trace.at(150 + 900_000).call(5_004, fast(), 100).expect("SYN seq=0 fo").abort();
}

#[test]
fn refused_data_with_a_new_cookie_is_no_refusal() {
    let mut trace = with_cookie();
    trace.call(5_001, fast(), 100).expect("SYN seq=0 len=100");
    trace.at(150).send("SYN ACK seq=500 ack=1 fo=aabbccdd").expect("ACK seq=1 ack=501 len=100").abort();
    trace.forget_output();
    trace.call(5_002, fast(), 100).expect("SYN seq=0 len=100 fo=aabbccdd");
}

#[test]
fn cookies_of_illegal_length_are_none() {
    for illegal in ["01", "010203", "0102030405", "000102030405060708090a0b0c0d0e0f1011"] {
        let mut trace = Trace::caller(plain());
        trace.at(0).call(5_000, fast(), 100).expect("SYN seq=0 fo");
        trace.at(50).send(&format!("SYN ACK seq=100 ack=1 fo={illegal}")).expect("ACK seq=1 len=100").abort();
        trace.forget_output();
        trace.call(5_001, fast(), 100).expect("SYN seq=0 nofo");
    }
}

#[test]
fn a_lost_syn_is_repeated_without_data_and_option_and_remembered() {
    let mut trace = with_cookie();
    trace.call(5_001, fast(), 100).expect("SYN seq=0 len=100");
    trace
        .at(1_100)
        .expect("SYN seq=0 nofo")
        .send("SYN ACK seq=500 ack=1")
        .expect("ACK seq=1 len=100")
        .abort();
    trace.forget_output();
    trace.call(5_002, fast(), 100).expect("SYN seq=0 nofo").abort();
    trace.at(1_100 + 120_000).call(5_003, fast(), 100).expect("SYN seq=0 len=100").abort();
}

#[test]
fn data_of_a_syn_that_was_only_late_is_not_sent_again() {
    let mut trace = with_cookie();
    trace.call(5_001, fast(), 100).expect("SYN seq=0 len=100");
    trace.at(1_100).expect("SYN seq=0 nofo").send("SYN ACK seq=500 ack=101").expect("ACK seq=101 ack=501");
}

#[test]
fn a_path_that_swallows_what_follows_switches_it_off_for_a_while() {
    let mut trace = with_cookie();
    trace.call(5_001, fast(), 100).expect("SYN seq=0 len=100");
    trace.at(150).send("SYN ACK seq=500 ack=101").expect("ACK seq=101 ack=501").write(50).forget_output();
    while trace.tcp.stats().fast_open_black_holes == 0 {
        trace.pass();
    }
    trace.abort().forget_output();
    trace.call(5_002, fast(), 100).expect("SYN seq=0 nofo").abort();
    trace.tcp.forget_fast_open();
    trace.call(5_003, fast(), 100).expect("SYN seq=0 fo");
}

#[test]
fn without_cookies_where_both_sides_agree_not_to_need_them() {
    let mut trace = Trace::caller(plain());
    let options = SocketOptions { fast_open_no_cookie: true, ..fast() };
    trace.at(0).call(5_000, options, 100).expect("SYN seq=0 len=100 nofo");
    let options =
        SocketOptions { fast_open_no_cookie: true, fast_open_pending: 1, ..SocketOptions::new(&plain()) };
    let mut trace = Trace::server_with(plain(), options);
    trace.at(0).send("SYN seq=100 len=10 from=101").expect("SYN ACK ack=111").accept().read(101, 10);
}

fn server(pending: u32) -> Trace {
    let options = SocketOptions { fast_open_pending: pending, ..SocketOptions::new(&plain()) };
    Trace::server_with(plain(), options)
}

/// The cookie that the server gives to the peer.
fn ask_cookie(trace: &mut Trace) -> String {
    trace.port(999).send("SYN seq=100 fo").expect("SYN ACK seq=0 ack=101");
    let cookie = trace.last_cookie.clone().unwrap();
    trace.send("RST seq=101").port(5_000);
    cookie
}

#[test]
fn a_server_takes_data_from_a_syn_with_its_cookie_and_answers_at_once() {
    let mut trace = server(2);
    trace.at(0);
    let cookie = ask_cookie(&mut trace);
    assert_eq!(cookie.len(), 16);
    trace.send(&format!("SYN seq=100 mss=1000 len=50 from=101 fo={cookie}"));
    trace.expect("SYN ACK seq=0 ack=151 nofo").accept().read(101, 50);
    assert_eq!(trace.tcp.connected(trace.id.unwrap()), Some(Ok(())));
    trace.state(State::SynReceived).write(1_500).expect("ACK seq=1 ack=151 len=1000");
    trace.expect("ACK seq=1001 len=500");
    trace.at(40).send("ACK seq=151 ack=1501").silence().state(State::Established);
    assert_eq!(trace.info().bytes_acked, 1_500);
    let stats = trace.tcp.stats();
    assert_eq!((stats.fast_open_cookies, stats.fast_open_passive, stats.passive_opens), (1, 1, 1));
    trace
        .at(1_000)
        .send("FIN ACK seq=151 ack=1501")
        .expect("ACK ack=152")
        .shutdown()
        .expect("FIN ACK seq=1501");
}

#[test]
fn early_answers_that_are_lost_are_sent_again_after_the_handshake() {
    let mut trace = server(2);
    trace.at(0);
    let cookie = ask_cookie(&mut trace);
    trace.send(&format!("SYN seq=100 mss=1000 len=50 fo={cookie}")).expect("SYN ACK ack=151").accept();
    trace.write(10).expect("ACK seq=1 len=10").at(40).send("ACK seq=151 ack=1").silence();
    trace.pass();
    assert_eq!(trace.info().retransmissions, 1);
}

#[test]
fn a_lost_syn_ack_is_repeated_and_the_handshake_given_up_at_last() {
    let mut trace = server(2);
    trace.at(0);
    let cookie = ask_cookie(&mut trace);
    let syn = format!("SYN seq=100 len=50 fo={cookie}");
    trace.send(&syn).expect("SYN ACK seq=0 ack=151").accept();
    trace.at(500).send(&syn).expect("SYN ACK seq=0 ack=151");
    for time in [1_500, 3_500, 7_500, 15_500, 31_500] {
        trace.at(time).expect("SYN ACK seq=0 ack=151");
    }
    trace.at(63_500).silence().state(State::Closed);
}

#[test]
fn cookies_of_others_are_answered_by_good_ones() {
    let mut trace = server(2);
    trace.at(0);
    let cookie = ask_cookie(&mut trace);
    trace.send("SYN seq=100 len=50 fo=0102030405060708").expect(&format!("SYN ACK ack=101 fo={cookie}"));
    assert_eq!((trace.tcp.population(), trace.tcp.stats().fast_open_passive_failed), ((1, 0, 0), 1));
    trace.send("ACK seq=101 ack=1 len=50").expect("ACK ack=151").accept().read(101, 50);
}

#[test]
fn a_rotated_key_takes_old_cookies_once_more_and_gives_new_ones() {
    let mut trace = server(9);
    trace.at(0);
    let old = ask_cookie(&mut trace);
    trace.tcp.rotate_fast_open_key([7; 16]);
    let new = ask_cookie(&mut trace);
    assert_ne!(old, new);
    trace.send(&format!("SYN seq=100 len=50 fo={old}")).expect(&format!("SYN ACK ack=151 fo={new}"));
    trace.tcp.rotate_fast_open_key([8; 16]);
    trace.port(5_001).send(&format!("SYN seq=100 len=50 fo={old}")).expect("SYN ACK ack=101");
    assert_eq!(trace.tcp.stats().fast_open_passive_failed, 1);
}

#[test]
fn no_more_than_so_many_wait_with_data_and_resets_count_for_a_minute() {
    let mut trace = server(1);
    trace.at(0);
    let cookie = ask_cookie(&mut trace);
    let syn = format!("SYN seq=100 len=50 fo={cookie}");
    trace.port(1).send(&syn).expect("SYN ACK ack=151");
    trace.port(2).send(&syn).expect("SYN ACK ack=101 nofo");
    assert_eq!(trace.tcp.stats().fast_open_overflows, 1);
    trace.send("RST seq=101").port(1).send("RST seq=151");
    trace.at(1_000).port(3).send(&syn).expect("SYN ACK ack=101 nofo").send("RST seq=101");
    trace.at(60_000).port(4).send(&syn).expect("SYN ACK ack=151").send("ACK seq=151 ack=1");
    trace.port(5).send(&syn).expect("SYN ACK ack=151");
}

#[test]
fn a_listener_that_was_not_told_to_ignores_the_option() {
    let mut trace = Trace::server(plain());
    trace.at(0).send("SYN seq=100 fo").expect("SYN ACK ack=101 nofo");
}
