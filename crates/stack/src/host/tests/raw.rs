//! Raw sockets and pings.

use super::*;
use crate::raw::{RawError, RawProtocol};

#[test]
fn pings_are_answered() {
    let mut bench = Bench::bare_router();
    for (src, dst) in [("10.0.0.2", "10.0.0.1"), ("fd00::2", "fd00::1")] {
        let request = Make::new(src, dst).class(0xb8).echo_request(77, 100);
        bench.packet(0, &request);
        let reply = bench.packets().remove(0);
        assert_eq!(say_packet(&reply), format!("{dst}>{src} ttl=64 echo reply 77 len=100"));
        let at = if src.contains(':') { 40 } else { 20 };
        assert_eq!(reply[at + 4..], request[at + 4..], "identifier, sequence and data come back");
        assert_eq!(Header::parse(&reply).unwrap().class, 0xb8);
    }
    // A large one comes back in fragments.
    let big = Make::new("10.0.0.2", "10.0.0.1").echo_request(77, 3_000);
    for piece in crate::fragment::split::ipv4(&big, 1_500).unwrap() {
        bench.packet(0, piece.bytes());
    }
    assert_eq!(bench.packets().len(), 3);
    // To everyone: IPv6 hosts answer as themselves, IPv4 hosts don't.
    bench.packet(0, &Make::new("10.0.0.2", "10.0.0.255").echo_request(77, 10)).expect_silence();
    bench
        .packet(0, &Make::new("fd00::2", "ff02::1").echo_request(77, 10))
        .expect(&["eth0 fd00::1>fd00::2 ttl=64 echo reply 77 len=10"]);
    // A damaged one is dropped.
    let mut bad = Make::new("10.0.0.2", "10.0.0.1").echo_request(77, 10);
    bad[30] ^= 1;
    bench.packet(0, &bad).expect_silence();
}

#[test]
fn a_host_may_refuse_to_answer() {
    let mut bench = Bench::with(HostConfig { answers_ping: false, ..HostConfig::default() }, Medium::Ip);
    bench.packet(0, &Make::new("10.0.0.2", "10.0.0.1").echo_request(77, 10)).expect_silence();
}

#[test]
fn a_ping_socket_hears_replies_and_errors_of_its_identifier_only() {
    let mut bench = Bench::bare_router();
    for (us, them, protocol, error) in [
        ("10.0.0.1", "10.0.0.2", RawProtocol::PingV4(5), (11, 0)),
        ("fd00::1", "fd00::2", RawProtocol::PingV6(5), (3, 0)),
    ] {
        let socket = bench.host.raw_open(protocol).unwrap();
        // Source, identification and checksums are left to the stack.
        let mut request = Make::new(us, them).ttl(2).echo_request(5, 8);
        let zero = if us.contains(':') { 8..24 } else { 10..16 };
        request[zero].fill(0);
        let at = request.len() - 16;
        request[at + 2..at + 4].fill(0);
        bench.host.raw_send(bench.now, socket, request.into()).unwrap();
        let sent = bench.packets().remove(0);
        assert_eq!(say_packet(&sent), format!("{us}>{them} ttl=2 echo request 5 len=8"));
        let header = Header::parse(&sent).expect("the header checksum is right");
        assert!(header.src.is_ipv6() || header.id != 0);

        let reply = |identifier: u16| {
            let kind = if us.contains(':') { 129 } else { 0 };
            Make::new(them, us).icmp(&[kind, 0, 0, 0, 0, identifier as u8, 0, 1, 9, 9])
        };
        bench.packet(0, &reply(5)).packet(0, &reply(6));
        bench.packet(0, &Make::new(them, us).error(error.0, error.1, 0, &sent));
        let other = Make::new(us, them).echo_request(6, 8);
        bench.packet(0, &Make::new(them, us).error(error.0, error.1, 0, &other));
        assert_eq!(bench.host.raw_receive(socket).unwrap().packet[..], reply(5));
        let heard = bench.host.raw_receive(socket).unwrap();
        assert!(
            say_packet(&heard.packet).contains(&format!("icmp {}/{} about {us}>{them}", error.0, error.1))
        );
        assert!(bench.host.raw_receive(socket).is_none());
        bench.host.raw_close(socket);
        assert_eq!(bench.host.raw_send(bench.now, socket, Bytes::new()), Err(RawError::Closed));
    }
}

#[test]
fn a_protocol_socket_gets_whole_packets_and_silences_the_error() {
    let mut bench = Bench::bare_router();
    let socket = bench.host.raw_open(RawProtocol::Ipv4(89)).unwrap();
    let icmp = bench.host.raw_open(RawProtocol::Ipv4(1)).unwrap();
    let packet = Make::new("10.0.0.2", "10.0.0.1").any(89, b"hello");
    bench.packet(0, &packet).expect_silence();
    assert_eq!(bench.host.raw_receive(socket).unwrap().packet[..], packet);
    bench.packet(0, &Make::new("10.0.0.2", "10.0.0.1").echo_request(5, 8));
    assert!(bench.host.raw_receive(icmp).is_some(), "everything of its protocol");
    assert_eq!(bench.packets().len(), 1, "and the request is answered all the same");
    bench.host.raw_close(socket);
    bench.packet(0, &packet).expect(&["eth0 10.0.0.1>10.0.0.2 ttl=64 icmp 3/2 about 10.0.0.2>10.0.0.1"]);
}

#[test]
fn what_is_no_packet_is_refused() {
    let mut bench = Bench::bare_router();
    let socket = bench.host.raw_open(RawProtocol::PingV4(5)).unwrap();
    let v6 = Make::new("fd00::1", "fd00::2").echo_request(5, 8);
    let nowhere = Make::new("10.0.0.1", "192.0.2.1").echo_request(5, 8);
    let mut short_header = Make::new("10.0.0.1", "10.0.0.2").echo_request(5, 8);
    short_header[0] = 0x44;
    for (packet, error) in [
        (Vec::new(), RawError::Malformed),
        (vec![0x45; 19], RawError::Malformed),
        (v6, RawError::Malformed),
        (short_header, RawError::Malformed),
        (vec![0x45; 65_536], RawError::Malformed),
        (nowhere, RawError::NoRoute),
    ] {
        assert_eq!(bench.host.raw_send(bench.now, socket, packet.into()), Err(error));
    }
    bench.expect_silence();
}
