//! Datagrams and what is said about them.

use super::*;
use crate::icmp::IcmpErrorKind;
use crate::udp::{UdpError, UdpSend};

fn to<'a>(to: &str, payload: &'a [u8]) -> UdpSend<'a> {
    UdpSend { to: to.parse().unwrap(), from: None, payload, ttl: None, ecn: 0, dont_fragment: false }
}

#[test]
fn a_closed_port_is_told() {
    let mut bench = Bench::bare_router();
    bench
        .packet(0, &Make::new("10.0.0.2", "10.0.0.1").udp(1, 53, b"x"))
        .expect(&["eth0 10.0.0.1>10.0.0.2 ttl=64 icmp 3/3 about 10.0.0.2>10.0.0.1"]);
    bench
        .packet(0, &Make::new("fd00::2", "fd00::1").udp(1, 53, b"x"))
        .expect(&["eth0 fd00::1>fd00::2 ttl=64 icmp 1/4 about fd00::2>fd00::1"]);
    // The address of another interface answers as itself.
    bench
        .packet(0, &Make::new("10.0.0.2", "10.0.1.1").udp(1, 53, b"x"))
        .expect(&["eth0 10.0.1.1>10.0.0.2 ttl=64 icmp 3/3 about 10.0.0.2>10.0.1.1"]);
    bench.packet(0, &Make::new("10.0.0.2", "10.0.0.255").udp(1, 53, b"x")).expect_silence();
    bench.packet(0, &Make::new("fd00::2", "ff02::1").udp(1, 53, b"x")).expect_silence();
}

#[test]
fn an_unknown_protocol_is_told() {
    let mut bench = Bench::bare_router();
    bench
        .packet(0, &Make::new("10.0.0.2", "10.0.0.1").any(200, b"x"))
        .expect(&["eth0 10.0.0.1>10.0.0.2 ttl=64 icmp 3/2 about 10.0.0.2>10.0.0.1"]);
    bench
        .packet(0, &Make::new("fd00::2", "fd00::1").any(200, b"x"))
        .expect(&["eth0 fd00::1>fd00::2 ttl=64 icmp 4/1 info=6 about fd00::2>fd00::1"]);
}

#[test]
fn errors_find_the_socket_that_sent() {
    let mut bench = Bench::bare_router();
    let socket = bench.host.udp_bind("0.0.0.0:1000".parse().unwrap()).unwrap();
    let other = bench.host.udp_bind("0.0.0.0:1001".parse().unwrap()).unwrap();
    bench.host.udp_send(bench.now, socket, to("10.0.0.2:33434", b"probe")).unwrap();
    let sent = bench.packets().remove(0);
    for (icmp_type, code, kind) in [
        (11, 0, IcmpErrorKind::TimeExceeded),
        (3, 3, IcmpErrorKind::PortUnreachable),
        (3, 1, IcmpErrorKind::HostUnreachable),
        (3, 0, IcmpErrorKind::NetworkUnreachable),
        (3, 13, IcmpErrorKind::AdministrativelyProhibited),
        (12, 0, IcmpErrorKind::ParameterProblem),
    ] {
        bench.packet(0, &Make::new("10.0.0.9", "10.0.0.1").ttl(61).error(icmp_type, code, 0, &sent));
        let report = bench.host.udp_error(socket).expect("an error");
        assert_eq!((report.kind, report.icmp_type, report.icmp_code), (kind, icmp_type, code));
        assert_eq!((report.from, report.ttl, report.at), (ip("10.0.0.9"), 61, bench.now));
        assert_eq!(report.quoted_destination, "10.0.0.2:33434".parse().unwrap());
        assert_eq!(report.quoted_source_port, 1000);
    }
    assert_eq!(bench.host.udp_error(other), None);
    // A redirect is no error, and an error about somebody else's packet is none of ours.
    bench.packet(0, &Make::new("10.0.0.9", "10.0.0.1").error(5, 0, 0, &sent));
    assert_eq!(bench.host.udp_error(socket), None);
}

#[test]
fn ttl_ecn_and_dont_fragment_are_per_datagram() {
    let mut bench = Bench::bare_router();
    let socket = bench.host.udp_bind("[::]:1000".parse().unwrap()).unwrap();
    for address in ["10.0.0.2:1", "[fd00::2]:1"] {
        let send = UdpSend { ttl: Some(3), ecn: 2, dont_fragment: true, ..to(address, b"x") };
        bench.host.udp_send(bench.now, socket, send).unwrap();
        let packet = bench.packets().remove(0);
        let header = Header::parse(&packet).unwrap();
        assert_eq!((header.ttl, header.ecn(), header.dont_fragment), (3, 2, true));
    }
    bench.host.udp_send(bench.now, socket, to("10.0.0.2:1", b"x")).unwrap();
    let packet = bench.packets().remove(0);
    let header = Header::parse(&packet).unwrap();
    assert_eq!((header.ttl, header.ecn(), header.dont_fragment), (64, 0, false));
    // What arrives tells its own.
    bench.packet(0, &Make::new("10.0.0.2", "10.0.0.1").ttl(57).class(3).udp(9, 1000, b"x"));
    let datagram = bench.host.udp_receive(socket).unwrap();
    assert_eq!((datagram.ttl, datagram.ecn, datagram.from), (57, 3, "10.0.0.2:9".parse().unwrap()));
    assert_eq!((datagram.to, datagram.rx_time), ("10.0.0.1:1000".parse().unwrap(), bench.now));
}

#[test]
fn what_cannot_be_sent_says_why() {
    let mut bench = Bench::bare_router();
    let socket = bench.host.udp_bind("10.0.0.1:1000".parse().unwrap()).unwrap();
    let now = bench.now;
    let mut send = |send: UdpSend<'_>| bench.host.udp_send(now, socket, send);
    assert_eq!(send(to("192.0.2.1:1", b"x")), Err(UdpError::NoRoute));
    assert_eq!(send(to("[fd00::2]:1", b"x")), Err(UdpError::AddressNotAvailable));
    let foreign = UdpSend { from: Some(ip("10.0.0.77")), ..to("10.0.0.2:1", b"x") };
    assert_eq!(send(foreign), Err(UdpError::AddressNotAvailable));
    let other = UdpSend { from: Some(ip("10.0.1.1")), ..to("10.0.0.2:1", b"x") };
    assert_eq!(send(other), Ok(()));
    let huge = vec![0; 65_508];
    assert_eq!(send(to("10.0.0.2:1", &huge)), Err(UdpError::TooBig { mtu: 65_535 }));
    assert_eq!(send(to("10.0.0.2:1", &huge[1..])), Ok(()));
    let whole = UdpSend { dont_fragment: true, ..to("10.0.0.2:1", &huge[..1_473]) };
    assert_eq!(send(whole), Err(UdpError::TooBig { mtu: 1_500 }));
    let whole = UdpSend { dont_fragment: true, ..to("10.0.0.2:1", &huge[..1_472]) };
    assert_eq!(send(whole), Ok(()));
    assert_eq!(bench.host.udp_bind("10.0.0.77:1".parse().unwrap()), Err(UdpError::AddressNotAvailable));
    bench.host.udp_close(socket);
    assert_eq!(bench.host.udp_send(now, socket, to("10.0.0.2:1", b"x")), Err(UdpError::Closed));
}

#[test]
fn damaged_datagrams_are_dropped() {
    let mut bench = Bench::bare_router();
    let socket = bench.host.udp_bind("[::]:53".parse().unwrap()).unwrap();
    for (src, dst) in [("10.0.0.2", "10.0.0.1"), ("fd00::2", "fd00::1")] {
        let good = Make::new(src, dst).udp(1, 53, b"payload");
        let at = good.len() - 15;
        for (offset, value) in [(4, 0xff), (5, 7), (6, good[at + 6] ^ 1), (8, b'P')] {
            let mut bad = good.clone();
            bad[at + offset] = value;
            bench.packet(0, &bad).expect_silence();
            assert!(bench.host.udp_receive(socket).is_none());
        }
        // "No checksum" is fine in IPv4 only.
        let mut unchecked = good.clone();
        unchecked[at + 6..at + 8].fill(0);
        bench.packet(0, &unchecked).expect_silence();
        assert_eq!(bench.host.udp_receive(socket).is_some(), src == "10.0.0.2");
    }
}

#[test]
fn broadcasts_reach_the_wildcard() {
    let mut bench = Bench::host();
    let socket = bench.host.udp_bind("0.0.0.0:68".parse().unwrap()).unwrap();
    let mut frame = ethernet_header(PEER_MAC, MacAddr::BROADCAST, EtherType::IPV4).to_vec();
    frame.extend_from_slice(&Make::new("10.0.0.2", "255.255.255.255").udp(67, 68, b"offer"));
    bench.frame(0, frame);
    assert!(bench.host.udp_receive(socket).is_some());
    bench.host.udp_send(bench.now, socket, to("10.0.0.255:67", b"x")).unwrap();
    bench.expect(&["eth0 to all: 10.0.0.1>10.0.0.255 ttl=64 udp 68>67 len=1"]);
    bench.host.udp_send(bench.now, socket, to("224.0.0.251:5353", b"x")).unwrap();
    assert_eq!(bench.frames()[0].1[..6], [1, 0, 0x5e, 0, 0, 251]);
}
