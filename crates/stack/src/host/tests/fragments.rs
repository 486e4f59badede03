//! Fragments for us and from us.

use super::*;
use crate::fragment::split;
use crate::udp::UdpSend;

fn cut(packet: &[u8], mtu: usize) -> Vec<Vec<u8>> {
    let pieces = if packet[0] >> 4 == 6 { split::ipv6(packet, mtu, 99) } else { split::ipv4(packet, mtu) };
    pieces.unwrap().into_iter().map(|piece| piece.bytes().to_vec()).collect()
}

#[test]
fn fragments_for_us_become_a_datagram() {
    for (src, dst) in [("10.0.0.2", "10.0.0.1"), ("fd00::2", "fd00::1")] {
        let mut bench = Bench::host();
        let socket = bench.host.udp_bind("[::]:53".parse().unwrap()).unwrap();
        let payload: Vec<u8> = (0..5_000).map(|index| index as u8).collect();
        let pieces = cut(&Make::new(src, dst).udp(1, 53, &payload), 1_300);
        for piece in pieces.iter().rev() {
            assert!(bench.host.udp_receive(socket).is_none());
            bench.packet(0, piece);
        }
        let datagram = bench.host.udp_receive(socket).expect("whole");
        assert_eq!(datagram.payload, payload);
        assert!(bench.host.next_deadline().is_never(), "nothing waits any more");
    }
}

#[test]
fn a_missing_fragment_is_told_after_a_minute() {
    for (src, dst, expected) in [
        ("10.0.0.2", "10.0.0.1", "eth0 10.0.0.1>10.0.0.2 ttl=64 icmp 11/1 about 10.0.0.2>10.0.0.1"),
        ("fd00::2", "fd00::1", "eth0 fd00::1>fd00::2 ttl=64 icmp 3/1 about fd00::2>fd00::1"),
    ] {
        let mut bench = Bench::bare_router();
        let pieces = cut(&Make::new(src, dst).udp(1, 53, &[0; 3_000]), 1_300);
        bench.packet(0, &pieces[0]).packet(0, &pieces[1]);
        bench.at(59_999).expect_silence();
        bench.at(60_000).expect(&[expected]);
        // Without the first fragment nobody can be told what is missing.
        bench.packet(0, &pieces[1]);
        bench.at(200_000).expect_silence();
        assert_eq!(bench.host.stats().reassembly_failed, 2);
    }
}

#[test]
fn a_length_that_is_no_multiple_of_eight_is_told() {
    let mut bench = Bench::bare_router();
    let mut piece = cut(&Make::new("fd00::2", "fd00::1").udp(1, 53, &[0; 3_000]), 1_300).remove(0);
    piece.pop();
    let len = piece.len() as u16 - 40;
    piece[4..6].copy_from_slice(&len.to_be_bytes());
    bench.packet(0, &piece).expect(&["eth0 fd00::1>fd00::2 ttl=64 icmp 4/0 info=4 about fd00::2>fd00::1"]);
}

#[test]
fn an_atomic_fragment_stands_alone() {
    let mut bench = Bench::host();
    let socket = bench.host.udp_bind("[::]:53".parse().unwrap()).unwrap();
    let mut packet = Make::new("fd00::2", "fd00::1").udp(1, 53, b"alone");
    let len = packet.len() as u16 - 40 + 8;
    packet[4..6].copy_from_slice(&len.to_be_bytes());
    packet[6] = protocol::FRAGMENT;
    packet.splice(40..40, [17, 0, 0, 0, 1, 2, 3, 4]);
    bench.packet(0, &packet);
    assert_eq!(bench.host.udp_receive(socket).expect("delivered").payload, &b"alone"[..]);
}

#[test]
fn a_fragment_within_a_fragment_is_refused() {
    let mut bench = Bench::bare_router();
    bench.host.udp_bind("[::]:53".parse().unwrap()).unwrap();
    let mut inner = cut(&Make::new("fd00::2", "fd00::1").udp(1, 53, &[0; 3_000]), 1_300).remove(0);
    inner.splice(..40, []);
    let packet = Make::new("fd00::2", "fd00::1").any(protocol::FRAGMENT, &inner);
    // The outer cut can't be made by `split`, which refuses such packets too.
    assert!(split::ipv6(&packet, 600, 1).is_none());
    let piece = |offset: u16, more: u16, range: core::ops::Range<usize>| {
        let mut piece = vec![protocol::FRAGMENT, 0];
        piece.extend_from_slice(&(offset | more).to_be_bytes());
        piece.extend_from_slice(&[0, 0, 0, 5]);
        piece.extend_from_slice(&inner[range]);
        Make::new("fd00::2", "fd00::1").any(protocol::FRAGMENT, &piece)
    };
    bench.packet(0, &piece(608, 0, 608..inner.len())).expect_silence();
    bench
        .packet(0, &piece(0, 1, 0..608))
        .expect(&["eth0 fd00::1>fd00::2 ttl=64 icmp 4/1 info=48 about fd00::2>fd00::1"]);
}

#[test]
fn big_datagrams_leave_in_fragments() {
    let mut bench = Bench::bare_router();
    let socket = bench.host.udp_bind("[::]:53".parse().unwrap()).unwrap();
    for (to, expected) in [
        (
            "10.0.0.2:1",
            [
                "eth0 10.0.0.1>10.0.0.2 ttl=64 fragment 0+1480 more",
                "eth0 10.0.0.1>10.0.0.2 ttl=64 fragment 1480+528",
            ],
        ),
        (
            "[fd00::2]:1",
            [
                "eth0 fd00::1>fd00::2 ttl=64 fragment 0+1448 more",
                "eth0 fd00::1>fd00::2 ttl=64 fragment 1448+560",
            ],
        ),
    ] {
        let send = UdpSend {
            to: to.parse().unwrap(),
            from: None,
            payload: &[1; 2_000],
            ttl: None,
            ecn: 0,
            dont_fragment: false,
        };
        bench.host.udp_send(bench.now, socket, send).unwrap();
        bench.expect(&expected);
    }
}
