//! ARP and NDP, question by question.

use super::*;
use crate::udp::{UdpId, UdpSend};

fn send(bench: &mut Bench, socket: UdpId, to: &str) {
    let send = UdpSend {
        to: to.parse().unwrap(),
        from: None,
        payload: b"hello",
        ttl: None,
        ecn: 0,
        dont_fragment: false,
    };
    bench.host.udp_send(bench.now, socket, send).unwrap();
}

fn socket(bench: &mut Bench) -> UdpId {
    bench.host.udp_bind("[::]:1000".parse().unwrap()).unwrap()
}

const PEER_REPLY: Arp = Arp {
    operation: ArpOperation::Reply,
    sender_mac: PEER_MAC,
    sender_ip: Ipv4Addr::new(10, 0, 0, 2),
    target_mac: OUR_MAC,
    target_ip: Ipv4Addr::new(10, 0, 0, 1),
};

fn peer_advertisement(flags: u8) -> Vec<u8> {
    Make::new("fd00::2", "fd00::1").ttl(255).icmp(&advertisement("fd00::2", PEER_MAC, flags))
}

#[test]
fn a_packet_waits_for_the_answer() {
    let mut bench = Bench::host();
    let socket = socket(&mut bench);
    send(&mut bench, socket, "10.0.0.2:53");
    bench.expect(&["eth0 to all: who has 10.0.0.2 tell 10.0.0.1"]);
    bench.at(5).arp(PEER_REPLY).expect(&["eth0 to peer: 10.0.0.1>10.0.0.2 ttl=64 udp 1000>53 len=5"]);
    send(&mut bench, socket, "10.0.0.2:53");
    bench.expect(&["eth0 to peer: 10.0.0.1>10.0.0.2 ttl=64 udp 1000>53 len=5"]);
    assert!(bench.host.next_deadline().is_never(), "a confirmed neighbour needs no timer");
}

#[test]
fn the_same_with_ipv6() {
    let mut bench = Bench::host();
    let socket = socket(&mut bench);
    send(&mut bench, socket, "[fd00::2]:53");
    bench.expect(&["eth0 to group: fd00::1>ff02::1:ff00:2 ttl=255 who has fd00::2"]);
    bench
        .at(5)
        .packet(0, &peer_advertisement(0x60))
        .expect(&["eth0 to peer: fd00::1>fd00::2 ttl=64 udp 1000>53 len=5"]);
    assert!(bench.host.next_deadline().is_never());
}

#[test]
fn three_questions_then_the_socket_hears_of_it() {
    for (to, question, kind) in [
        ("10.0.0.2:53", "eth0 to all: who has 10.0.0.2 tell 10.0.0.1", (3, 1)),
        ("[fd00::2]:53", "eth0 to group: fd00::1>ff02::1:ff00:2 ttl=255 who has fd00::2", (1, 3)),
    ] {
        let mut bench = Bench::host();
        let socket = socket(&mut bench);
        send(&mut bench, socket, to);
        bench.expect(&[question]);
        bench.at(999).expect_silence();
        bench.at(1_000).expect(&[question]);
        bench.at(2_000).expect(&[question]);
        bench.at(2_999).expect_silence();
        assert_eq!(bench.host.udp_error(socket), None);
        bench.at(3_000).expect_silence();
        let report = bench.host.udp_error(socket).expect("an error");
        assert_eq!((report.icmp_type, report.icmp_code), kind);
        assert_eq!(report.quoted_destination, to.parse().unwrap());
        assert!(
            bench.host.addresses().any(|(_, cidr)| cidr.address() == report.from),
            "we said so ourselves"
        );
        assert!(bench.host.next_deadline().is_never());
    }
}

#[test]
fn a_flight_of_packets_waits_in_order() {
    let mut bench = Bench::host();
    let socket = socket(&mut bench);
    for port in 1..=38 {
        send(&mut bench, socket, &format!("10.0.0.2:{port}"));
    }
    bench.expect(&["eth0 to all: who has 10.0.0.2 tell 10.0.0.1"]);
    // The first six had to make room.
    let expected: Vec<String> = (7..=38)
        .map(|port| format!("eth0 to peer: 10.0.0.1>10.0.0.2 ttl=64 udp 1000>{port} len=5"))
        .collect();
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    bench.arp(PEER_REPLY).expect(&expected);
}

#[test]
fn a_stale_neighbour_is_used_then_probed_then_given_up() {
    let mut bench = Bench::host();
    let socket = socket(&mut bench);
    let question = "eth0 to peer: who has 10.0.0.2 tell 10.0.0.1";
    send(&mut bench, socket, "10.0.0.2:53");
    bench.arp(PEER_REPLY).frames();
    // Reachability lasts at most 45 s; then the address is still used, but checked after 5 s.
    bench.at(46_000);
    send(&mut bench, socket, "10.0.0.2:53");
    bench.expect(&["eth0 to peer: 10.0.0.1>10.0.0.2 ttl=64 udp 1000>53 len=5"]);
    bench.at(50_999).expect_silence();
    bench.at(51_000).expect(&[question]);
    bench.arp(PEER_REPLY).expect_silence();
    assert!(bench.host.next_deadline().is_never(), "confirmed again");

    bench.at(100_000);
    send(&mut bench, socket, "10.0.0.2:53");
    bench.frames();
    bench.at(107_000).expect(&[question, question, question]);
    bench.at(108_000).expect_silence();
    send(&mut bench, socket, "10.0.0.2:53");
    bench.expect(&["eth0 to all: who has 10.0.0.2 tell 10.0.0.1"]);
}

#[test]
fn whoever_asks_for_us_is_answered_and_remembered() {
    let mut bench = Bench::host();
    let socket = socket(&mut bench);
    bench
        .arp(Arp::request(PEER_MAC, [10, 0, 0, 2].into(), [10, 0, 0, 1].into()))
        .expect(&["eth0 to peer: 10.0.0.1 is at 02:00:00:00:00:01"]);
    send(&mut bench, socket, "10.0.0.2:53");
    bench.expect(&["eth0 to peer: 10.0.0.1>10.0.0.2 ttl=64 udp 1000>53 len=5"]);

    let question = solicitation("fd00::1", PEER_MAC);
    let question = Make::new("fd00::2", "ff02::1:ff00:1").ttl(255).icmp(&question);
    let mut frame = ethernet_header(PEER_MAC, MacAddr([0x33, 0x33, 0xff, 0, 0, 1]), EtherType::IPV6).to_vec();
    frame.extend_from_slice(&question);
    bench.frame(0, frame).expect(&["eth0 to peer: fd00::1>fd00::2 ttl=255 fd00::1 is at 02:00:00:00:00:01"]);
    send(&mut bench, socket, "[fd00::2]:53");
    bench.expect(&["eth0 to peer: fd00::1>fd00::2 ttl=64 udp 1000>53 len=5"]);
}

#[test]
fn a_probe_for_a_free_address_learns_that_it_is_taken() {
    let mut bench = Bench::host();
    bench
        .arp(Arp::request(PEER_MAC, Ipv4Addr::UNSPECIFIED, [10, 0, 0, 1].into()))
        .expect(&["eth0 to peer: 10.0.0.1 is at 02:00:00:00:00:01"]);
    let mut question = solicitation("fd00::1", PEER_MAC);
    question.truncate(24);
    bench
        .packet(0, &Make::new("::", "ff02::1:ff00:1").ttl(255).icmp(&question))
        .expect(&["eth0 to group: fd00::1>ff02::1 ttl=255 fd00::1 is at 02:00:00:00:00:01 (unasked)"]);
}

#[test]
fn questions_for_others_and_forged_distance_are_ignored() {
    let mut bench = Bench::host();
    bench.arp(Arp::request(PEER_MAC, [10, 0, 0, 2].into(), [10, 0, 0, 9].into())).expect_silence();
    // The address of the other interface is not answered for here.
    bench.arp(Arp::request(PEER_MAC, [10, 0, 0, 2].into(), [10, 0, 1, 1].into())).expect_silence();
    let question = solicitation("fd00::1", PEER_MAC);
    bench.packet(0, &Make::new("fd00::2", "fd00::1").ttl(254).icmp(&question)).expect_silence();
    bench.packet(0, &Make::new("fd00::2", "fd00::1").ttl(255).icmp(&question[..31])).expect_silence();
    assert_eq!(bench.host.neighbors.len(), 0);
}

#[test]
fn an_answer_nobody_asked_for_creates_nothing() {
    let mut bench = Bench::host();
    bench.arp(PEER_REPLY).packet(0, &peer_advertisement(0x60)).expect_silence();
    assert_eq!(bench.host.neighbors.len(), 0);
}

#[test]
fn nobody_may_claim_our_own_address() {
    let mut bench = Bench::host();
    bench.arp(Arp { sender_ip: [10, 0, 0, 1].into(), ..PEER_REPLY }).expect_silence();
    bench.arp(Arp::request(PEER_MAC, [10, 0, 0, 1].into(), [10, 0, 0, 1].into()));
    assert_eq!(bench.host.neighbors.len(), 0);
}

#[test]
fn a_scan_of_a_prefix_is_bounded_and_spares_neighbours_in_use() {
    let mut bench = Bench::router();
    introduce(&mut bench);
    let socket = socket(&mut bench);
    send(&mut bench, socket, "10.0.0.2:53");
    for host in 0..5_000_u32 {
        let to = format!("fd00:1::{:x}:{:x}", 1 + (host >> 12), host & 0xfff);
        bench.packet(0, &Make::new("fd00::2", &to).udp(1, 2, b"scan"));
        if host % 500 == 0 {
            send(&mut bench, socket, "10.0.0.2:53");
        }
    }
    assert!(bench.host.neighbors.len() <= 1_024);
    bench.frames();
    send(&mut bench, socket, "10.0.0.2:53");
    bench.expect(&["eth0 to peer: 10.0.0.1>10.0.0.2 ttl=64 udp 1000>53 len=5"]);
}
