//! Packets for others: one hop less, or an error.

use super::*;
use crate::header::set_ipv4_checksum;

/// A router that knows its neighbours.
fn router() -> Bench {
    let mut bench = Bench::router();
    introduce(&mut bench);
    bench
}

#[test]
fn one_hop_less_and_nothing_else_changes() {
    for (src, dst) in [("10.0.0.2", "10.0.1.2"), ("fd00::2", "fd00:1::2")] {
        let mut bench = router();
        // DSCP AF41 and ECT(0): both travel on.
        let packet = Make::new(src, dst).ttl(9).class(0x8a).udp(1, 2, b"payload");
        bench.packet(0, &packet);
        let frames = bench.frames();
        assert_eq!(frames.len(), 1);
        let (interface, frame) = &frames[0];
        assert_eq!(*interface, 1);
        assert_eq!(
            frame[..14],
            ethernet_header(OUR_OTHER_MAC, FAR_MAC, EtherType(u16::from_be_bytes([frame[12], frame[13]])))
        );
        let mut expected = packet.clone();
        if src.contains(':') {
            expected[7] = 8;
        } else {
            expected[8] = 8;
            set_ipv4_checksum(&mut expected[..20]);
        }
        assert_eq!(frame[14..], expected);
        assert_eq!(bench.host.stats().forwarded, 1);
    }
}

#[test]
fn padding_is_not_passed_on() {
    let mut bench = router();
    let mut packet = Make::new("10.0.0.2", "10.0.1.2").udp(1, 2, b"x");
    let len = packet.len();
    packet.resize(46, 0);
    bench.packet(0, &packet);
    assert_eq!(bench.packets()[0].len(), len);
}

#[test]
fn the_frame_of_a_forwarded_packet_is_the_one_that_came() {
    let mut bench = router();
    let packet = Make::new("10.0.0.2", "10.0.1.2").udp(1, 2, &[7; 1_000]);
    let mut frame = ethernet_header(PEER_MAC, OUR_MAC, EtherType::IPV4).to_vec();
    frame.extend_from_slice(&packet);
    let frame = frame.into_boxed_slice();
    let place = frame.as_ptr();
    let frame = Frame::new(Bytes::from(frame), bench.now);
    bench.host.handle_frame(bench.now, InterfaceId(0), frame);
    let (_, out) = bench.host.poll_transmit().unwrap();
    assert_eq!(out.bytes.as_ptr(), place, "no copy when nobody else holds the bytes");
}

#[test]
fn a_host_is_no_router() {
    let mut bench = Bench::host();
    introduce(&mut bench);
    bench.packet(0, &Make::new("10.0.0.2", "10.0.1.2").udp(1, 2, b"x")).expect_silence();
    bench.packet(0, &Make::new("fd00::2", "fd00:1::2").udp(1, 2, b"x")).expect_silence();
    assert_eq!(bench.host.stats().not_for_us, 2);
}

#[test]
fn errors_go_to_the_source() {
    let mut bench = router();
    for (prefix, target) in [
        ("10.9.0.0/16", RouteTarget::Unreachable),
        ("10.8.0.0/16", RouteTarget::Prohibit),
        ("10.7.0.0/16", RouteTarget::Blackhole),
        ("fd09::/16", RouteTarget::Unreachable),
        ("fd08::/16", RouteTarget::Prohibit),
        ("fd07::/16", RouteTarget::Blackhole),
    ] {
        bench.route(prefix, target);
    }
    let v4 = |dst: &str, ttl| Make::new("10.0.0.2", dst).ttl(ttl).udp(1, 2, b"x");
    let v6 = |dst: &str, ttl| Make::new("fd00::2", dst).ttl(ttl).udp(1, 2, b"x");
    for (packet, expected) in [
        (v4("10.0.1.2", 1), Some("10.0.0.1>10.0.0.2 ttl=64 icmp 11/0 about 10.0.0.2>10.0.1.2")),
        (v6("fd00:1::2", 1), Some("fd00::1>fd00::2 ttl=64 icmp 3/0 about fd00::2>fd00:1::2")),
        (v4("192.0.2.1", 9), Some("10.0.0.1>10.0.0.2 ttl=64 icmp 3/0 about 10.0.0.2>192.0.2.1")),
        (v6("2001:db8::1", 9), Some("fd00::1>fd00::2 ttl=64 icmp 1/0 about fd00::2>2001:db8::1")),
        (v4("10.9.0.1", 9), Some("10.0.0.1>10.0.0.2 ttl=64 icmp 3/0 about 10.0.0.2>10.9.0.1")),
        (v4("10.8.0.1", 9), Some("10.0.0.1>10.0.0.2 ttl=64 icmp 3/13 about 10.0.0.2>10.8.0.1")),
        (v6("fd08::1", 9), Some("fd00::1>fd00::2 ttl=64 icmp 1/1 about fd00::2>fd08::1")),
        (v6("fd09::1", 9), Some("fd00::1>fd00::2 ttl=64 icmp 1/0 about fd00::2>fd09::1")),
        (v4("10.7.0.1", 9), None),
        (v6("fd07::1", 9), None),
    ] {
        let expected = expected.map(|said| format!("eth0 to peer: {said}"));
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        bench.packet(0, &packet).expect(&expected);
    }
}

#[test]
fn a_neighbour_that_does_not_answer_is_told_of() {
    let mut bench = router();
    bench.packet(0, &Make::new("10.0.0.2", "10.0.1.77").udp(1, 2, b"x"));
    bench.packet(0, &Make::new("fd00::2", "fd00:1::77").udp(1, 2, b"x"));
    bench.frames();
    bench.at(2_999).frames();
    bench.at(3_000).expect(&[
        "eth0 to peer: 10.0.0.1>10.0.0.2 ttl=64 icmp 3/1 about 10.0.0.2>10.0.1.77",
        "eth0 to peer: fd00::1>fd00::2 ttl=64 icmp 1/3 about fd00::2>fd00:1::77",
    ]);
}

#[test]
fn too_big_is_told_with_the_mtu_or_the_packet_is_cut() {
    let mut bench = router();
    bench.host.set_mtu(InterfaceId(1), 1_280);
    let big = [1; 1_400];
    bench.packet(0, &Make::new("10.0.0.2", "10.0.1.2").dont_fragment().udp(1, 2, &big));
    bench.packet(0, &Make::new("fd00::2", "fd00:1::2").udp(1, 2, &big));
    bench.packet(0, &Make::new("10.0.0.2", "10.0.1.2").udp(1, 2, &big));
    bench.expect(&[
        "eth0 to peer: 10.0.0.1>10.0.0.2 ttl=64 icmp 3/4 info=1280 about 10.0.0.2>10.0.1.2",
        "eth0 to peer: fd00::1>fd00::2 ttl=64 icmp 2/0 info=1280 about fd00::2>fd00:1::2",
        "eth1 to far: 10.0.0.2>10.0.1.2 ttl=63 fragment 0+1256 more",
        "eth1 to far: 10.0.0.2>10.0.1.2 ttl=63 fragment 1256+152",
    ]);
    assert_eq!(bench.host.stats().too_big, 2);
}

#[test]
fn errors_quote_as_much_as_the_rfcs_say() {
    let mut bench = router();
    bench.packet(0, &Make::new("10.0.0.2", "10.0.1.2").ttl(1).udp(1, 2, &[1; 1_400]));
    bench.packet(0, &Make::new("fd00::2", "fd00:1::2").ttl(1).udp(1, 2, &[1; 1_400]));
    bench.packet(0, &Make::new("10.0.0.2", "10.0.1.2").ttl(1).udp(1, 2, b"short"));
    let lens: Vec<usize> = bench.packets().iter().map(Bytes::len).collect();
    assert_eq!(lens, [576, 1_280, 20 + 8 + 20 + 8 + 5]);
}

#[test]
fn no_errors_about_errors_groups_later_fragments_or_nobody() {
    let mut bench = router();
    let inner = Make::new("10.0.1.2", "10.0.0.2").udp(1, 2, b"x");
    let inner6 = Make::new("fd00:1::2", "fd00::2").udp(1, 2, b"x");
    let mut later = Make::new("10.0.0.2", "10.0.1.2").ttl(1).udp(1, 2, &[0; 64]);
    later[7] = 8;
    set_ipv4_checksum(&mut later[..20]);
    for packet in [
        Make::new("10.0.0.2", "10.0.1.2").ttl(1).error(3, 3, 0, &inner),
        Make::new("10.0.0.2", "10.0.1.2").ttl(1).error(5, 0, 0, &inner),
        Make::new("fd00::2", "fd00:1::2").ttl(1).error(1, 4, 0, &inner6),
        later,
        Make::new("0.0.0.0", "10.0.1.2").ttl(1).udp(1, 2, b"x"),
        Make::new("10.0.0.255", "10.0.1.2").ttl(1).udp(1, 2, b"x"),
        Make::new("224.0.0.5", "10.0.1.2").ttl(1).udp(1, 2, b"x"),
        Make::new("127.0.0.1", "10.0.1.2").ttl(1).udp(1, 2, b"x"),
        Make::new("10.0.0.2", "224.0.0.251").ttl(1).udp(1, 2, b"x"),
        Make::new("10.0.0.2", "10.0.1.255").ttl(9).udp(1, 2, b"x"),
        Make::new("fe80::2", "fd00:1::2").ttl(1).udp(1, 2, b"x"),
        Make::new("fd00::2", "fe80::9").ttl(9).udp(1, 2, b"x"),
    ] {
        bench.packet(0, &packet).expect_silence();
    }
    // An echo request is no error: whoever sent it learns of it.
    bench
        .packet(0, &Make::new("10.0.0.2", "10.0.1.2").ttl(1).echo_request(5, 8))
        .expect(&["eth0 to peer: 10.0.0.1>10.0.0.2 ttl=64 icmp 11/0 about 10.0.0.2>10.0.1.2"]);
}

#[test]
fn a_frame_for_everyone_is_not_forwarded() {
    let mut bench = router();
    let mut frame = ethernet_header(PEER_MAC, MacAddr::BROADCAST, EtherType::IPV4).to_vec();
    frame.extend_from_slice(&Make::new("10.0.0.2", "10.0.1.2").udp(1, 2, b"x"));
    bench.frame(0, frame).expect_silence();
}

#[test]
fn errors_are_rate_limited() {
    let config = HostConfig { forwarding: true, icmp_errors_per_second: 10, ..HostConfig::default() };
    let mut bench = Bench::with(config, Medium::Ip);
    let packet = Make::new("10.0.0.2", "10.0.1.2").ttl(1).udp(1, 2, b"x");
    for _ in 0..50 {
        bench.packet(0, &packet);
    }
    assert_eq!(bench.packets().len(), 10);
    bench.at(500);
    for _ in 0..50 {
        bench.packet(0, &packet);
    }
    assert_eq!(bench.packets().len(), 5);
    assert_eq!((bench.host.stats().errors_sent, bench.host.stats().errors_withheld), (15, 85));
}

#[test]
fn a_silent_router_says_nothing() {
    let config = HostConfig { forwarding: true, sends_icmp_errors: false, ..HostConfig::default() };
    let mut bench = Bench::with(config, Medium::Ip);
    bench.packet(0, &Make::new("10.0.0.2", "10.0.1.2").ttl(1).udp(1, 2, b"x")).expect_silence();
    bench.packet(0, &Make::new("10.0.0.2", "192.0.2.1").udp(1, 2, b"x")).expect_silence();
    // It still answers pings.
    bench
        .packet(0, &Make::new("10.0.0.2", "10.0.0.1").echo_request(5, 8))
        .expect(&["eth0 10.0.0.1>10.0.0.2 ttl=64 echo reply 5 len=8"]);
}

#[test]
fn between_bare_links_packets_have_no_ethernet_header() {
    let mut bench = Bench::bare_router();
    bench
        .packet(0, &Make::new("10.0.0.2", "10.0.1.2").udp(1, 2, b"x"))
        .expect(&["eth1 10.0.0.2>10.0.1.2 ttl=63 udp 1>2 len=1"]);
}

#[test]
fn damaged_and_lying_headers_are_dropped() {
    let mut bench = router();
    let good = Make::new("10.0.0.2", "10.0.1.2").udp(1, 2, b"payload");
    for (at, value) in [(0, 0x44), (0, 0x4f), (0, 0x54), (2, 0xff), (3, 10), (10, 0), (16, 11)] {
        let mut bad = good.clone();
        bad[at] = value;
        bench.packet(0, &bad).expect_silence();
    }
    for cut in 1..good.len() {
        bench.packet(0, &good[..cut]);
    }
    bench.expect_silence();
    let good = Make::new("fd00::2", "fd00:1::2").udp(1, 2, b"payload");
    for cut in 1..good.len() {
        bench.packet(0, &good[..cut]);
    }
    bench.expect_silence();
}
