//! MUSTs that belong to no RFC's traces, for the list in `conformance/`.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use thru_wire::tcp::{Flags, Tcp as Header};

use super::super::*;
use super::pair::{Duo, Link, SERVER, Way};
use super::trace::*;

#[test]
fn initial_numbers_move_with_the_clock_and_with_the_key() {
    let first = |seed: u64, millis: u64| {
        let mut tcp = Tcp::new(TcpConfig::default(), seed);
        let way = Way { own: vec!["10.0.0.1".parse().unwrap()], mtu: 1_500 };
        let now = thru_wire::Instant::from_millis(millis);
        let (local, remote) = ("10.0.0.1:5000".parse().unwrap(), "10.0.0.2:80".parse().unwrap());
        tcp.connect(now, &way, Some(local), remote, TcpConnectOptions::default()).unwrap();
        Header::parse(&tcp.poll_transmit(now, &way).unwrap().bytes, None).unwrap().0.seq.0
    };
    // RFC 6528: the same pair moves by the clock, one in 4 µs or faster.
    let moved = first(7, 2_000).wrapping_sub(first(7, 1_000));
    assert!((250_000..20_000_000).contains(&moved), "{moved} in a second");
    // Another key, another place.
    let apart = first(8, 1_000).wrapping_sub(first(7, 1_000));
    assert!(apart > 1_000_000 && apart < u32::MAX - 1_000_000, "{apart}");
}

#[test]
fn the_mss_option_is_sent_in_syns_only_and_heard() {
    let mut trace = Trace::client(plain());
    trace.expect("SYN seq=0 mss=1460").send("SYN ACK seq=100 ack=1 mss=700").expect("ACK seq=1 ack=101 bare");
    trace.write(1_000).expect("ACK seq=1 len=700 bare");
    let mut trace = Trace::server(plain());
    trace.at(0).send("SYN seq=100 mss=900").expect("SYN ACK seq=0 mss=1460");
}

#[test]
fn without_the_mss_option_segments_are_small() {
    let mut trace = Trace::server(plain());
    trace.at(0).send("SYN seq=100").expect("SYN ACK seq=0").send("ACK seq=101 ack=1").accept();
    trace.write(2_000).expect("ACK seq=1 len=536").expect("ACK seq=537 len=536");
}

#[test]
fn a_window_that_shrinks_does_no_harm() {
    let mut trace = Trace::established_over_40_ms(TcpConfig { tail_loss_probe: false, ..plain() }, "");
    trace.write(5_000);
    for index in 0..5 {
        trace.expect(&format!("ACK seq={} len=1000", 1 + 1_000 * index));
    }
    // The window ends before what was sent already.
    trace.at(80).send("ACK seq=101 ack=1001 win=1000").silence().write(1_000).silence();
    // What lies within is sent again, what lies beyond is not; the connection waits.
    let rto = trace.info().rto;
    trace.at_exactly(Duration::from_millis(80) + rto).expect("ACK seq=1001 len=1000").silence();
    trace.send("ACK seq=101 ack=5001 win=5000").expect("ACK seq=5001 len=1000");
    trace.state(State::Established);
}

#[test]
fn a_reset_counts_while_the_window_is_closed() {
    let mut trace = Trace::established(TcpConfig { receive_buffer: 1_000, ..plain() }, "");
    trace.send("ACK seq=101 ack=1 len=1000").expect("ACK ack=1101 win=0");
    trace.at(1_000).send("RST seq=1102").silence().state(State::Established);
    trace.send("RST seq=1101").silence().state(State::Closed);
}

#[test]
fn what_was_written_leaves_with_a_push() {
    let mut trace = Trace::established(plain(), "");
    let flags = |trace: &mut Trace| {
        let segment = trace.take().unwrap();
        Header::parse(&segment.bytes, None).unwrap().0.flags
    };
    trace.write(2_500);
    assert!(!flags(&mut trace).contains(Flags::PSH));
    assert!(!flags(&mut trace).contains(Flags::PSH));
    assert!(flags(&mut trace).contains(Flags::PSH));
}

#[test]
fn nobody_calls_or_is_called_from_a_group() {
    let mut pair = Duo::over(Link::default());
    pair.listen(80, 4);
    let (now, way) = (pair.now, &pair.ways[SERVER]);
    for remote in ["224.0.0.1:80", "0.0.0.0:80", "10.0.0.1:0"] {
        let remote: SocketAddr = remote.parse().unwrap();
        let call = pair.ends[SERVER].connect(now, way, None, remote, TcpConnectOptions::default());
        assert_eq!(call, Err(ConnectError::NoRoute), "{remote}");
    }
    let mut trace = Trace::server(plain());
    for source in ["224.0.0.1", "0.0.0.0"] {
        let mut syn = trace.bytes_of("SYN seq=100");
        syn.src = source.parse::<IpAddr>().unwrap();
        trace.deliver(syn).silence();
    }
    let mut syn = trace.bytes_of("SYN seq=100");
    syn.dst = "224.0.0.1".parse::<IpAddr>().unwrap();
    trace.deliver(syn).silence();
}

#[test]
fn a_shift_above_fourteen_counts_as_fourteen() {
    let mut trace = Trace::server(TcpConfig { timestamps: false, sack: false, ..TcpConfig::default() });
    trace.at(0).send("SYN seq=100 mss=1000 ws=15").expect("SYN ACK seq=0");
    trace.send("ACK seq=101 ack=1 win=1").accept();
    assert_eq!(trace.info().peer_window, 1 << 14);
}

#[test]
fn data_after_a_lost_syn_waits_three_seconds() {
    let mut trace = Trace::client(plain());
    trace.expect("SYN seq=0").at(1_000).expect("SYN seq=0");
    trace.at(1_100).send("SYN ACK seq=100 ack=1 mss=1000").expect("ACK seq=1 ack=101");
    trace.write(10).expect("ACK seq=1 len=10").at(4_099).silence().at(4_100).expect("ACK seq=1 len=10");
}

#[test]
fn defaults_are_those_the_rfcs_ask_for() {
    let config = TcpConfig::default();
    let options = SocketOptions::new(&config);
    assert!(!options.keepalive && options.keepalive_idle >= Duration::from_secs(7_200));
    assert!(config.delayed_ack < Duration::from_millis(500));
    assert!(config.max_rto >= Duration::from_secs(60));
    assert!(config.initial_window_segments <= 10);
}
