//! RFC 4987: SYN floods, and what a host does about them.

use super::super::*;
use super::trace::*;

fn always() -> TcpConfig {
    TcpConfig { syn_cookies: SynCookies::Always, ..TcpConfig::default() }
}

#[test]
fn without_cookies_half_open_connections_are_bounded_by_the_backlog() {
    let mut trace = Trace::server(TcpConfig { syn_cookies: SynCookies::Never, ..plain() });
    trace.at(0);
    for port in 1..=4 {
        trace.port(port).send("SYN seq=100").expect("SYN ACK ack=101");
    }
    trace.port(5).send("SYN seq=100").silence();
    assert_eq!(trace.tcp.population(), (4, 0, 0));
    let stats = trace.tcp.stats();
    assert_eq!((stats.half_open_drops, stats.listen_drops, stats.cookies_sent), (1, 1, 0));
}

#[test]
fn a_full_table_answers_with_cookies_that_come_back_as_connections() {
    let mut trace = Trace::server(plain());
    trace.at(0);
    for port in 1..=4 {
        trace.port(port).send("SYN seq=100").expect("SYN ACK ack=101");
    }
    trace.port(5).send("SYN seq=100 mss=1300").expect("SYN ACK ack=101 mss=1460");
    assert_eq!(trace.tcp.population(), (4, 0, 0), "nothing is remembered");
    trace.at(300).send("ACK seq=101 ack=1 len=10 win=5000").expect("ACK ack=111").accept();
    assert_eq!(trace.tcp.population(), (4, 1, 0));
    assert_eq!(trace.info().mss, 1_300);
    trace.read(101, 10).write(2_000).expect("ACK seq=1 len=1300").expect("ACK seq=1301 len=700");
    let stats = trace.tcp.stats();
    assert_eq!((stats.half_open_cookies, stats.cookies_sent, stats.cookies_received), (1, 1, 1));
    assert_eq!(stats.passive_opens, 1);
}

#[test]
fn a_cookie_keeps_scaling_and_sack_in_the_timestamp() {
    let mut trace = Trace::server(always());
    trace.at(0).send("SYN seq=100 mss=1460 ws=7 sackok ts=500/0").expect("SYN ACK ack=101 sackok echo=500");
    let stamps = trace.last_timestamp.unwrap();
    trace.at(20).send(&format!("ACK seq=101 ack=1 win=100 ts=520/{}", stamps.value)).accept();
    let info = trace.info();
    assert_eq!((info.window_scale.map(|(_, peer)| peer), info.sack, info.timestamps), (Some(7), true, true));
    assert_eq!((info.peer_window, info.mss), (100 << 7, 1_448));
    // The clock of a connection goes on where its SYN ACK's stood.
    trace.at(30).write(10).expect("ACK seq=1 len=10 echo=520");
    let passed = trace.last_timestamp.unwrap().value.wrapping_sub(stamps.value);
    assert!((30..30 + 128).contains(&passed), "{passed}");
}

#[test]
fn a_cookie_without_timestamps_offers_no_more_than_it_can_remember() {
    let mut trace = Trace::server(always());
    trace.at(0).send("SYN seq=100 mss=1460 ws=7 sackok").expect("SYN ACK ack=101 mss=1460");
    trace.send("ACK seq=101 ack=1 win=100").accept();
    let info = trace.info();
    assert_eq!((info.window_scale, info.sack, info.timestamps), (None, false, false));
    assert_eq!(info.peer_window, 100);
}

#[test]
fn what_is_no_cookie_of_ours_is_reset() {
    let mut trace = Trace::server(always());
    trace.at(0).send("SYN seq=100").expect("SYN ACK ack=101");
    trace.send("ACK seq=101 ack=2").expect("RST seq=2");
    trace.send("ACK seq=102 ack=1").expect("RST seq=1");
    assert_eq!(trace.tcp.stats().cookies_failed, 2);
    trace.at(129_000).send("ACK seq=101 ack=1").expect("RST seq=1");
    assert_eq!(trace.tcp.population(), (0, 0, 0));
    assert_eq!(trace.tcp.stats().cookies_received, 0);
}

#[test]
fn no_cookie_is_looked_for_where_none_was_sent() {
    let mut trace = Trace::server(plain());
    trace.at(0).send("ACK seq=101 ack=1").expect("RST seq=1");
    assert_eq!(trace.tcp.stats().cookies_failed, 0);
}

#[test]
fn a_cookie_that_finds_the_accept_queue_full_is_dropped_or_reset() {
    for (overflow, resets) in [(AcceptOverflow::Drop, 0), (AcceptOverflow::Reset, 1)] {
        let mut trace = Trace::server(TcpConfig { accept_overflow: overflow, ..always() });
        trace.at(0);
        for port in 1..=6 {
            trace.port(port).send("SYN seq=100").expect("SYN ACK ack=101");
        }
        for port in 1..=5 {
            trace.port(port).send("ACK seq=101 ack=1").silence();
        }
        trace.port(6).send("ACK seq=101 ack=1");
        if resets > 0 {
            trace.expect("RST seq=1");
        }
        trace.silence();
        let stats = trace.tcp.stats();
        assert_eq!((stats.listen_overflows, stats.listen_drops, stats.overflow_resets), (1, 1, resets));
        assert_eq!(trace.tcp.population(), (0, 5, 0));
    }
}
