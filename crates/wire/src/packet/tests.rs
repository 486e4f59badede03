use super::*;
use crate::address::MacAddr;
use crate::error::ParseError;
use crate::ipv6::Options;
use crate::tcp::{Flags, SeqNumber};
use crate::tests::hex;
use core::net::{Ipv4Addr, Ipv6Addr};
use proptest::prelude::*;

fn v4() -> Ipv4 {
    Ipv4::new(Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 2), Protocol(0))
}

fn v6() -> Ipv6 {
    Ipv6::new("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap(), Protocol::NO_NEXT)
}

/// What was built is read as the same layers, with the numbers filled in, and is built the same again.
fn check(packet: Packet) -> Packet {
    let bytes = packet.to_vec();
    let (found, error) = match packet.layers()[0] {
        Layer::Ethernet(_) => dissect(&bytes),
        _ => dissect_ip(&bytes),
    };
    assert_eq!(error, None, "{packet:?}");
    assert_eq!(found.layers().len(), packet.layers().len(), "{found:?}");
    assert_eq!(found.to_vec(), bytes);
    found
}

#[test]
fn numbers_are_filled_in() {
    let found = check(Ethernet::default() / v4() / Udp::new(1, 53) / b"hi");
    let [Layer::Ethernet(ethernet), Layer::Ipv4(ip), Layer::Udp(_), Layer::Payload(payload)] = found.layers()
    else {
        panic!("{found:?}");
    };
    assert_eq!((ethernet.ethertype, ip.protocol, &payload[..]), (EtherType::IPV4, Protocol::UDP, &b"hi"[..]));
    check(Ethernet::default() / Arp::request(MacAddr::BROADCAST, Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST));
    check(v4() / Tcp { flags: Flags::SYN, seq: SeqNumber(9), ..Tcp::default() });
    check(v4() / Icmpv4::EchoRequest { identifier: 1, sequence: 2 } / vec![7; 56]);
    check(v6() / Icmpv6::EchoReply { identifier: 1, sequence: 2 } / "ping");
    check(v6() / Ndp::NeighborSolicitation { target: Ipv6Addr::LOCALHOST, source_mac: None });
    check(Ethernet::default() / v6() / Udp::new(1, 2) / Bytes::from_static(b"x"));
}

#[test]
fn extension_headers_are_chained() {
    let found = check(
        Ethernet::default()
            / v6()
            / Extension::HopByHop(Options::router_alert())
            / Routing::new(4, 0, &[0; 20]).unwrap()
            / Authentication::new(1, 2, &[3; 12]).unwrap()
            / Tcp::default()
            / b"data",
    );
    let announced: Vec<u8> = found
        .layers()
        .iter()
        .filter_map(|layer| match layer {
            Layer::Ipv6(header) => Some(header.next_header.0),
            Layer::Extension(header) => Some(header.next_header().0),
            _ => None,
        })
        .collect();
    assert_eq!(announced, [0, 43, 51, 6]);
}

#[test]
fn fragments_carry_bytes() {
    let whole = (v4() / Udp::new(1, 2) / vec![5; 40]).to_vec();
    let fragment =
        Ipv4 { protocol: Protocol::UDP, more_fragments: true, identification: 7, ..v4() } / &whole[20..44];
    assert!(matches!(check(fragment).layers(), [Layer::Ipv4(_), Layer::Payload(_)]));
    let header = Fragment { next_header: Protocol::UDP, offset: 24, more: false, identification: 7 };
    let found = check(v6() / header / &whole[44..]);
    assert!(matches!(
        found.layers(),
        [Layer::Ipv6(_), Layer::Extension(Extension::Fragment(_)), Layer::Payload(_)]
    ));
    assert_eq!(Transport::of(&(v6() / header / &whole[44..]).to_vec()).unwrap().ports(&whole), None);
}

#[test]
fn an_error_quotes_a_packet() {
    let quoted = v4() / Udp::new(49152, 33434) / b"probe";
    let error = Icmpv4::TimeExceeded { code: 0 };
    let bytes = (v4() / error / quoted.clone()).to_vec();
    let (found, None) = dissect_ip(&bytes) else { panic!("the error is well-formed") };
    let Some(Layer::Payload(inside)) = found.layers().last() else { panic!("{found:?}") };
    assert_eq!(inside[..], quoted.to_vec());
    let transport = Transport::of(&inside[..28]).unwrap();
    assert_eq!((transport.protocol, transport.ports(inside)), (Protocol::UDP, Some((49152, 33434))));
}

#[test]
fn what_is_not_understood_is_kept_with_the_reason() {
    let mut bytes = (Ethernet::default() / v4() / Udp::new(1, 2) / b"hi").to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    let (found, error) = dissect(&bytes);
    assert_eq!(error, Some(ParseError::Checksum { layer: crate::error::Layer::Udp }));
    assert!(
        matches!(found.layers(), [Layer::Ethernet(_), Layer::Ipv4(_), Layer::Payload(rest)] if rest.len() == 10)
    );
    for cut in 0..bytes.len() {
        let (_, error) = dissect(&bytes[..cut]);
        assert!(error.is_some(), "{cut}");
    }
}

#[test]
fn a_known_frame() {
    // A ping from fe80::1 to fe80::2, with the checksum worked out by hand: fe80*2 + 1 + 2 + 8 + 3a + 8000 + 1 + 1.
    let src = "fe80::1".parse().unwrap();
    let dst = "fe80::2".parse().unwrap();
    let packet = Ethernet { dst: MacAddr([2; 6]), src: MacAddr([4; 6]), ..Ethernet::default() }
        / Ipv6 { hop_limit: 255, ..Ipv6::new(src, dst, Protocol::NO_NEXT) }
        / Icmpv6::EchoRequest { identifier: 1, sequence: 1 };
    let sum: u32 = 0xfe80 * 2 + 1 + 2 + 8 + 0x3a + 0x8000 + 1 + 1;
    let checksum = !((sum & 0xffff) + (sum >> 16)) as u16;
    let mut want = hex("020202020202 040404040404 86dd 60000000 0008 3a ff");
    want.extend(hex("fe800000000000000000000000000001 fe800000000000000000000000000002 8000 0000 0001 0001"));
    want[56..58].copy_from_slice(&checksum.to_be_bytes());
    assert_eq!(packet.to_vec(), want);
}

proptest! {
    #[test]
    fn any_bytes_are_dissected(bytes in proptest::collection::vec(any::<u8>(), 0..120), kind in 0usize..4) {
        let mut bytes = bytes;
        if bytes.len() >= 16 {
            let forced: [&[u8]; 4] = [&[], &[8, 0, 0x45], &[0x86, 0xdd, 0x60], &[8, 6, 0]];
            bytes[12..12 + forced[kind].len()].copy_from_slice(forced[kind]);
        }
        let (packet, _) = dissect(&bytes);
        prop_assert!(packet.layers().len() <= 12);
        let _ = dissect_ip(&bytes);
        if let Ok(transport) = Transport::of(&bytes) {
            prop_assert!(transport.at <= transport.end && transport.end <= bytes.len());
            let _ = transport.ports(&bytes);
        }
    }

    #[test]
    fn layers_round_trip(ip in crate::ipv4::tests::any_header(), tcp in crate::tcp::tests::any_header(), v6 in crate::ipv6::tests::any_header(), payload in proptest::collection::vec(any::<u8>(), 1..60)) {
        let whole = Ipv4 { more_fragments: false, fragment_offset: 0, ..ip };
        check(whole / tcp / payload.clone());
        check(Ethernet::default() / v6 / tcp / payload);
    }
}
