use core::net::{IpAddr, SocketAddrV4};

use proptest::prelude::*;
use thru_wire::checksum::{self, PseudoHeader};
use thru_wire::ipv4::{Ipv4View, Protocol};
use thru_wire::tcp::{Flags, TcpView};
use thru_wire::udp::UdpView;

use super::*;
use crate::testing::{answer, assert_checksums, echo, end, icmp, tcp, udp};

const CLIENT: &str = "2001:db8:1::23";
const POOL: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const SERVER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 80);
const INSIDE: InterfaceId = InterfaceId(0);
const OUTSIDE: InterfaceId = InterfaceId(1);

fn v6(text: &str) -> Ipv6Addr {
    text.parse().expect("an address")
}

fn nat64() -> Nat64 {
    Nat64::new(Nat64Config::new(v6("2001:db8:1::1"), OUTSIDE, POOL), 1)
}

/// A packet of IPv4's as the IPv6 client would send it to the server: by the translation that is tested below by itself.
fn from_client(packet: &[u8]) -> Vec<u8> {
    struct Fixed;
    impl Addresses for Fixed {
        fn to_v4(&mut self, _: Ipv6Addr) -> Option<Ipv4Addr> {
            None
        }
        fn to_v6(&mut self, address: Ipv4Addr) -> Option<Ipv6Addr> {
            let client = address == Ipv4Addr::new(10, 0, 0, 9);
            Some(if client { v6(CLIENT) } else { v6(&format!("64:ff9b::{address}")) })
        }
    }
    translate::to_v6(packet, &mut Fixed).expect("it can be translated")
}

fn pass(nat64: &mut Nat64, input: InterfaceId, mut packet: Vec<u8>) -> Result<Vec<u8>, &'static str> {
    match nat64.judge(Instant::START, Place::Prerouting, Some(input), None, &mut packet) {
        Judgement::Accept => Ok(packet),
        Judgement::Drop(why) => Err(why),
        other => panic!("{other:?}"),
    }
}

/// Panics unless the packet is one of IPv6 whose checksums are right; source, destination and payload.
#[track_caller]
fn checked(packet: &[u8]) -> (Ipv6Addr, Ipv6Addr, Vec<u8>) {
    assert_eq!(packet[0] >> 4, 6, "{packet:02x?}");
    let (source, destination) = (v6_at(packet, 8).expect("IPv6"), v6_at(packet, 24).expect("IPv6"));
    let inner = &packet[40..];
    assert_eq!(usize::from(u16::from_be_bytes([packet[4], packet[5]])), inner.len());
    let pseudo = PseudoHeader::v6(source, destination, Protocol(packet[6]));
    match packet[6] {
        6 => assert!(TcpView::new(inner).expect("TCP").checksum_is_valid(&pseudo)),
        17 => assert_eq!(UdpView::new(inner).expect("UDP").checksum_is_valid(&pseudo), Some(true)),
        58 => {
            let mut sum = checksum::Sum::default();
            sum.add_bytes(&source.octets());
            sum.add_bytes(&destination.octets());
            sum.add_u32(inner.len() as u32);
            sum.add_u32(58);
            sum.add_bytes(inner);
            assert!(sum.is_valid(), "ICMPv6 {packet:02x?}");
        }
        other => panic!("no checksum is known for {other}"),
    }
    (source, destination, inner.to_vec())
}

#[test]
fn a_question_goes_out_and_its_answer_comes_back() {
    let server = SocketAddrV4::new(SERVER, 443);
    let inside = end("10.0.0.9:40001");
    for packet in [
        udp(inside, server, b"hello"),
        tcp(inside, server, Flags::SYN, b""),
        echo(*inside.ip(), SERVER, 7, b"are you there, at an odd length"),
    ] {
        let mut nat64 = nat64();
        let question = from_client(&packet);
        let (source, destination, _) = checked(&question);
        assert_eq!((source, destination), (v6(CLIENT), v6("64:ff9b::203.0.113.80")));
        let outside = pass(&mut nat64, INSIDE, question).expect("it goes out");
        assert_checksums(&outside);
        let view = Ipv4View::new(&outside).expect("IPv4");
        assert_eq!((view.src(), view.dst()), (POOL, SERVER));
        assert_eq!(view.payload().len(), Ipv4View::new(&packet).expect("IPv4").payload().len());
        let back = pass(&mut nat64, OUTSIDE, answer(&outside)).expect("it comes back");
        let (source, destination, _) = checked(&back);
        assert_eq!((source, destination), (v6("64:ff9b::203.0.113.80"), v6(CLIENT)));
        let stats = nat64.stats();
        assert_eq!((stats.hosts, stats.outbound, stats.inbound, stats.dropped), (1, 1, 1, 0));
    }
}

#[test]
fn who_was_not_asked_is_not_let_in() {
    let mut nat64 = nat64();
    let stranger = udp(end("203.0.113.80:53"), SocketAddrV4::new(POOL, 40_001), b"?");
    assert_eq!(pass(&mut nat64, OUTSIDE, stranger), Err("nat: no such connection"));
    let other = from_client(&udp(end("10.0.0.9:40001"), SocketAddrV4::new(POOL, 53), b"?"));
    assert_eq!(pass(&mut nat64, INSIDE, other), Err(reason::HAIRPIN));
    let mut forged = from_client(&udp(end("10.0.0.9:40001"), end("203.0.113.80:53"), b"?"));
    forged[8..24].copy_from_slice(&v6("64:ff9b::198.51.100.1").octets());
    assert_eq!(pass(&mut nat64, INSIDE, forged), Err(reason::SOURCE));
    // Not to the prefix: none of its business.
    let mut native = from_client(&udp(end("10.0.0.9:40001"), end("203.0.113.80:53"), b"?"));
    native[24..40].copy_from_slice(&v6("2001:db8::1").octets());
    assert_eq!(pass(&mut nat64, INSIDE, native.clone()), Ok(native));
}

#[test]
fn errors_of_routers_reach_the_ipv6_host_with_what_it_sent() {
    let mut nat64 = nat64();
    let question = from_client(&udp(end("10.0.0.9:40001"), end("203.0.113.80:33434"), &[7; 900]));
    let outside = pass(&mut nat64, INSIDE, question.clone()).expect("it goes out");
    let router = Ipv4Addr::new(198, 51, 100, 1);
    for (kind, rest, expected, told) in [
        ((11, 0), 0, (3, 0), 0),
        ((3, 3), 0, (1, 4), 0),
        ((3, 13), 0, (1, 1), 0),
        ((3, 4), 1400, (2, 0), 1420),
        ((3, 4), 0, (2, 0), 1280),
    ] {
        let error = icmp(router, POOL, kind, rest, &outside[..28 + 100]);
        let (source, destination, inner) = checked(&pass(&mut nat64, OUTSIDE, error).expect("it comes in"));
        assert_eq!((source, destination), (v6("64:ff9b::198.51.100.1"), v6(CLIENT)));
        assert_eq!((inner[0], inner[1]), expected, "{kind:?}");
        assert_eq!(u32::from_be_bytes([inner[4], inner[5], inner[6], inner[7]]), told);
        // The client finds its own packet: but for the checksum's place, octet for octet.
        assert_eq!(&inner[8..8 + 48], &question[..48], "{kind:?}");
        assert_eq!(inner[8 + 46..8 + 48], question[46..48], "its checksum, too");
    }
}

#[test]
fn errors_of_the_ipv6_host_reach_the_server() {
    let mut nat64 = nat64();
    let question = from_client(&udp(end("10.0.0.9:40001"), end("203.0.113.80:53"), b"?"));
    let outside = pass(&mut nat64, INSIDE, question).expect("it goes out");
    let back = pass(&mut nat64, OUTSIDE, answer(&outside)).expect("it comes back");
    for (kind, rest, expected, told) in [((1, 4), 0, (3, 3), 0), ((2, 0), 1280, (3, 4), 1260)] {
        let message = {
            let mut sum = checksum::Sum::default();
            let mut message = vec![kind.0, kind.1, 0, 0];
            message.extend_from_slice(&u32::to_be_bytes(rest));
            message.extend_from_slice(&back);
            sum.add_bytes(&v6(CLIENT).octets());
            sum.add_bytes(&v6("64:ff9b::203.0.113.80").octets());
            sum.add_u32(message.len() as u32);
            sum.add_u32(58);
            sum.add_bytes(&message);
            message[2..4].copy_from_slice(&sum.checksum().to_be_bytes());
            message
        };
        let mut error = vec![0x60, 0, 0, 0, 0, message.len() as u8, 58, 64];
        error.extend_from_slice(&v6(CLIENT).octets());
        error.extend_from_slice(&v6("64:ff9b::203.0.113.80").octets());
        error.extend_from_slice(&message);
        checked(&error);
        let out = pass(&mut nat64, INSIDE, error).expect("it goes out");
        assert_checksums(&out);
        let view = Ipv4View::new(&out).expect("IPv4");
        assert_eq!((view.src(), view.dst()), (POOL, SERVER));
        let inner = view.payload();
        assert_eq!((inner[0], inner[1]), expected);
        assert_eq!(u32::from_be_bytes([inner[4], inner[5], inner[6], inner[7]]), told);
        let quoted = Ipv4View::new(&inner[8..]).expect("a quoted packet");
        assert_eq!((quoted.src(), quoted.dst()), (SERVER, POOL));
    }
}

#[test]
fn what_is_too_large_is_told_to_its_sender_in_its_own_words() {
    let mut config = Nat64Config::new(v6("2001:db8:1::1"), OUTSIDE, POOL);
    (config.outer_mtu, config.inner_mtu) = (1400, 1280);
    let mut nat64 = Nat64::new(config, 1);
    let (inside, server) = (end("10.0.0.9:40001"), SocketAddrV4::new(SERVER, 443));
    let syn = from_client(&tcp(inside, server, Flags::SYN, b""));
    let outside = pass(&mut nat64, INSIDE, syn).expect("it goes out");
    let mapped =
        Ipv4View::new(&outside).map(|view| u16::from_be_bytes([view.payload()[0], view.payload()[1]]));
    let back = tcp(server, SocketAddrV4::new(POOL, mapped.expect("IPv4")), Flags::ACK, &[1; 1241]);
    let told = pass(&mut nat64, OUTSIDE, back).expect("the server is told");
    assert_checksums(&told);
    let view = Ipv4View::new(&told).expect("IPv4");
    assert_eq!((view.src(), view.dst(), view.payload()[0], view.payload()[1]), (POOL, SERVER, 3, 4));
    assert_eq!(view.payload()[6..8], 1260_u16.to_be_bytes());
    let large = from_client(&tcp(inside, server, Flags::ACK, &[1; 1361]));
    // (Of 1421 octets it would have come in fragments, were the inner link as small as that one: take a larger one.)
    let mut config = Nat64Config::new(v6("2001:db8:1::1"), OUTSIDE, POOL);
    config.outer_mtu = 1400;
    let mut nat64 = Nat64::new(config, 1);
    let told = pass(&mut nat64, INSIDE, large).expect("the client is told");
    let (source, destination, inner) = checked(&told);
    assert_eq!((source, destination), (v6("2001:db8:1::1"), v6(CLIENT)));
    assert_eq!((inner[0], &inner[4..8]), (2, &1420_u32.to_be_bytes()[..]));
    assert_eq!(nat64.stats().too_big, 1);
}

#[test]
fn hosts_are_bounded() {
    let mut hosts = Hosts { prefix: [0; 12], aliases: BTreeMap::new(), hosts: Vec::new() };
    hosts.prefix[..4].copy_from_slice(&[0, 0x64, 0xff, 0x9b]);
    for number in 0..HOSTS_MAX {
        assert!(hosts.to_v4(Ipv6Addr::from(1_u128 << 100 | u128::from(number))).is_some());
    }
    assert_eq!(hosts.to_v4(Ipv6Addr::from(2_u128 << 100)), None);
    assert_eq!(hosts.to_v4(v6("64:ff9b::192.0.2.1")), Some(Ipv4Addr::new(192, 0, 2, 1)));
    let first = hosts.to_v4(Ipv6Addr::from(1_u128 << 100)).expect("known");
    assert_eq!(hosts.to_v6(first).map(IpAddr::from), Some(Ipv6Addr::from(1_u128 << 100).into()));
}

#[test]
fn truncated_packets_do_no_harm() {
    let question = from_client(&udp(end("10.0.0.9:40001"), end("203.0.113.80:33434"), b"hello"));
    let mut nat64 = nat64();
    let outside = pass(&mut nat64, INSIDE, question.clone()).expect("it goes out");
    let error = icmp(Ipv4Addr::new(198, 51, 100, 1), POOL, (11, 0), 0, &outside);
    for (input, packet) in [(INSIDE, question), (OUTSIDE, answer(&outside)), (OUTSIDE, error)] {
        for cut in 0..packet.len() {
            let _ = pass(&mut nat64, input, packet[..cut].to_vec());
        }
    }
}

proptest! {
    #[test]
    fn any_octets_do_no_harm(
        head in prop::collection::vec(any::<u8>(), 0..60),
        tail in prop::collection::vec(any::<u8>(), 0..200),
        to_prefix in any::<bool>(),
        v4 in any::<bool>(),
    ) {
        let mut nat64 = nat64();
        let mut packet = [head, tail].concat();
        if let Some(first) = packet.first_mut() {
            *first = (*first & 15) | if v4 { 0x40 } else { 0x60 };
        }
        if to_prefix && packet.len() >= 40 {
            if v4 {
                packet[16..20].copy_from_slice(&POOL.octets());
            } else {
                packet[24..40].copy_from_slice(&v6("64:ff9b::203.0.113.80").octets());
            }
        }
        let _ = pass(&mut nat64, if v4 { OUTSIDE } else { INSIDE }, packet);
    }
}

/// Every address behind the prefix, both ways.
struct Embedded;

impl Addresses for Embedded {
    fn to_v4(&mut self, address: Ipv6Addr) -> Option<Ipv4Addr> {
        let [.., a, b, c, d] = address.octets();
        Some(Ipv4Addr::new(a, b, c, d))
    }

    fn to_v6(&mut self, address: Ipv4Addr) -> Option<Ipv6Addr> {
        Some(v6(&format!("64:ff9b::{address}")))
    }
}

/// An IPv4 packet in fragments of so many bytes.
fn cut(packet: &[u8], size: usize) -> Vec<Vec<u8>> {
    let (header, payload) = packet.split_at(20);
    let pieces = payload.chunks(size);
    let last = pieces.len() - 1;
    let piece = |(number, piece): (usize, &[u8])| {
        let mut out = header.to_vec();
        out[2..4].copy_from_slice(&((20 + piece.len()) as u16).to_be_bytes());
        out[4..6].copy_from_slice(&0x1234u16.to_be_bytes());
        let word = (number * size / 8) as u16 | u16::from(number < last) << 13;
        out[6..8].copy_from_slice(&word.to_be_bytes());
        out[10..12].copy_from_slice(&[0, 0]);
        let sum = checksum::of(&out[..20]);
        out[10..12].copy_from_slice(&sum.to_be_bytes());
        [out, piece.to_vec()].concat()
    };
    pieces.enumerate().map(piece).collect()
}

#[test]
fn fragments_keep_place_and_number_and_make_the_datagram_again() {
    let packet = udp(end("10.0.0.9:40001"), end("203.0.113.80:53"), &[5; 1_900]);
    let pieces = cut(&packet, 800);
    assert_eq!(pieces.len(), 3);
    let mut whole = Vec::new();
    for (number, piece) in pieces.iter().enumerate() {
        let there = translate::to_v6(piece, &mut Embedded).expect("a fragment can be translated");
        // The fragment header (RFC 8200 4.5): what follows, offset and "more", the number.
        assert_eq!((there[6], there[40]), (44, 17));
        let word = u16::from_be_bytes([there[42], there[43]]);
        assert_eq!((usize::from(word & !7), word & 1 == 1), (number * 800, number < 2));
        assert_eq!(there[44..48], [0, 0, 0x12, 0x34]);
        let back = translate::to_v4(&there, &mut Embedded, 7, false).expect("and back");
        assert_eq!(Ipv4View::new(&back).expect("IPv4").fragment_offset() as usize, number * 800);
        assert_eq!(back[4..6], [0x12, 0x34]);
        whole.extend_from_slice(&back[20..]);
    }
    assert_eq!(whole, packet[20..], "the datagram with its checksum");
}

#[test]
fn later_fragments_of_icmp_have_no_sum_that_could_be_changed() {
    let packet = echo(Ipv4Addr::new(10, 0, 0, 9), SERVER, 7, &[1; 1_000]);
    let pieces = cut(&packet, 504);
    assert_eq!(translate::to_v6(&pieces[1], &mut Embedded), Err("nat64: fragment without ports"));
}
