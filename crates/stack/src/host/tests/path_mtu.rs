//! "Too big", heard and believed or not.

use super::*;
use crate::icmp::IcmpErrorKind;
use crate::raw::{RawError, RawProtocol};
use crate::udp::{UdpError, UdpId, UdpSend};

fn send(bench: &mut Bench, socket: UdpId, to: &str, len: usize) -> Result<(), UdpError> {
    let payload = vec![1; len];
    let send = UdpSend {
        to: to.parse().unwrap(),
        from: None,
        payload: &payload,
        ttl: None,
        ecn: 0,
        dont_fragment: true,
    };
    bench.host.udp_send(bench.now, socket, send)
}

fn bench() -> (Bench, UdpId) {
    let mut bench = Bench::bare_router();
    let socket = bench.host.udp_bind("[::]:1000".parse().unwrap()).unwrap();
    (bench, socket)
}

#[test]
fn udp_learns_and_the_socket_hears_why() {
    for (to, router, us, kind) in
        [("10.0.0.2:53", "10.0.0.9", "10.0.0.1", (3, 4)), ("[fd00::2]:53", "fd00::9", "fd00::1", (2, 0))]
    {
        let (mut bench, socket) = bench();
        send(&mut bench, socket, to, 1_400).unwrap();
        let sent = bench.packets().remove(0);
        bench.packet(0, &Make::new(router, us).error(kind.0, kind.1, 1_300, &sent)).expect_silence();
        let report = bench.host.udp_error(socket).expect("an error");
        assert_eq!(report.kind, IcmpErrorKind::PacketTooBig { mtu: 1_300 });
        assert_eq!((report.from, report.quoted_source), (ip(router), ip(us)));
        assert_eq!(bench.host.path_mtu(report.quoted_destination.ip()), 1_300);
        assert_eq!(send(&mut bench, socket, to, 1_400), Err(UdpError::TooBig { mtu: 1_300 }));
        assert!(send(&mut bench, socket, to, 1_200).is_ok());
        // After ten minutes larger packets are tried again.
        bench.frames();
        bench.at(600_001);
        assert!(send(&mut bench, socket, to, 1_400).is_ok());
    }
}

#[test]
fn forgeries_change_nothing() {
    let (mut bench, socket) = bench();
    send(&mut bench, socket, "10.0.0.2:53", 1_400).unwrap();
    send(&mut bench, socket, "[fd00::2]:53", 1_400).unwrap();
    let sent = bench.packets();
    let other_source = Make::new("10.0.0.7", "10.0.0.2").udp(1000, 53, &[1; 1_400]);
    let other_port = Make::new("10.0.0.1", "10.0.0.2").udp(1001, 53, &[1; 1_400]);
    let no_ping = Make::new("10.0.0.1", "10.0.0.2").echo_request(77, 1_400);
    let other_family = Make::new("10.0.0.9", "10.0.0.1").error(3, 4, 1_300, &sent[1]);
    for packet in [
        Make::new("10.0.0.9", "10.0.0.1").error(3, 4, 1_300, &other_source),
        Make::new("10.0.0.9", "10.0.0.1").error(3, 4, 1_300, &other_port),
        Make::new("10.0.0.9", "10.0.0.1").error(3, 4, 1_300, &no_ping),
        Make::new("10.0.0.9", "10.0.0.1").error(3, 4, 1_300, &sent[0][..27]),
        Make::new("fd00::9", "fd00::1").error(2, 0, 1_279, &sent[1]),
        other_family,
    ] {
        bench.packet(0, &packet);
    }
    bench.expect_silence();
    assert_eq!(bench.host.path_mtu(ip("10.0.0.2")), 1_500);
    assert_eq!(bench.host.path_mtu(ip("fd00::2")), 1_500);
    // A message that makes no sense as to size is still heard by the socket.
    assert!(bench.host.udp_error(socket).is_some_and(|report| report.from == ip("fd00::9")));
    assert!(bench.host.udp_error(socket).is_none());
}

#[test]
fn a_larger_value_does_not_undo_a_smaller_one() {
    let (mut bench, socket) = bench();
    send(&mut bench, socket, "10.0.0.2:53", 1_400).unwrap();
    let sent = bench.packets().remove(0);
    // An old router says nothing (0): then the next size that occurs in practice below what was sent.
    for (told, believed) in [(1_400, 1_400), (1_200, 1_200), (1_300, 1_200), (0, 1_006)] {
        bench.packet(0, &Make::new("10.0.0.9", "10.0.0.1").error(3, 4, told, &sent));
        assert_eq!(bench.host.path_mtu(ip("10.0.0.2")), believed, "told {told}");
    }
}

#[test]
fn a_raw_packet_that_must_not_be_cut_fails() {
    let mut bench = Bench::bare_router();
    let socket = bench.host.raw_open(RawProtocol::PingV4(5)).unwrap();
    let big = Make::new("10.0.0.1", "10.0.0.2").dont_fragment().echo_request(5, 1_400);
    bench.host.raw_send(bench.now, socket, big.clone().into()).unwrap();
    let sent = bench.packets().remove(0);
    bench.packet(0, &Make::new("10.0.0.9", "10.0.0.1").error(3, 4, 1_300, &sent));
    assert!(bench.host.raw_receive(socket).is_some(), "ping shows the error");
    assert_eq!(bench.host.raw_send(bench.now, socket, big.into()), Err(RawError::TooBig { mtu: 1_300 }));
    let may_be_cut = Make::new("10.0.0.1", "10.0.0.2").echo_request(5, 1_400);
    bench.host.raw_send(bench.now, socket, may_be_cut.into()).unwrap();
    bench.expect(&[
        "eth0 10.0.0.1>10.0.0.2 ttl=64 fragment 0+1280 more",
        "eth0 10.0.0.1>10.0.0.2 ttl=64 fragment 1280+128",
    ]);
}

#[test]
fn an_absurdly_small_path_leaves_the_cutting_to_routers() {
    let (mut bench, socket) = bench();
    send(&mut bench, socket, "10.0.0.2:53", 600).unwrap();
    let sent = bench.packets().remove(0);
    bench.packet(0, &Make::new("10.0.0.9", "10.0.0.1").error(3, 4, 100, &sent));
    assert_eq!(bench.host.path_mtu(ip("10.0.0.2")), 552);
    assert!(bench.host.tables.path(ip("10.0.0.2")).fragment_on_the_way);
}

#[test]
fn tcp_believes_only_who_names_a_segment_in_flight() {
    let mut bench = Bench::bare_router();
    let remote = "10.0.0.2:80".parse().unwrap();
    bench.host.tcp_connect(bench.now, None, remote, Default::default()).unwrap();
    let syn = bench.packets().remove(0);
    let mut forged = syn.to_vec();
    forged[20 + 4..20 + 8].copy_from_slice(&[1, 2, 3, 4]);
    for quoted in [&forged, &syn.to_vec()] {
        // As if the SYN had been a large packet: what is checked here is only whose word is taken.
        let mut quoted = quoted.clone();
        quoted[2..4].copy_from_slice(&1_500_u16.to_be_bytes());
        bench.packet(0, &Make::new("10.0.0.9", "10.0.0.1").error(3, 4, 1_300, &quoted));
        let expected = if quoted[24..28] == [1, 2, 3, 4] { 1_500 } else { 1_300 };
        assert_eq!(bench.host.path_mtu(ip("10.0.0.2")), expected);
    }
}
