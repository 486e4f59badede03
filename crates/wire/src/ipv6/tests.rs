use super::*;
use crate::tests::{hex, sweep};
use proptest::prelude::*;

fn packet(next_header: Protocol, rest: &str) -> Vec<u8> {
    let rest = hex(rest);
    let mut out = Vec::new();
    let (src, dst) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
    Ipv6::new(src, dst, next_header).emit_into(rest.len(), &mut out);
    out.extend(rest);
    out
}

#[test]
fn a_known_packet() {
    let bytes = hex(
        "6af12345 0008 11 40 20010db8000000000000000000000001 20010db8000000000000000000000002 1234003500080000",
    );
    let (header, payload) = Ipv6::parse(&bytes).unwrap();
    assert_eq!((header.dscp, header.ecn, header.flow_label), (0x2b, 3, 0x12345));
    assert_eq!((header.next_header, header.hop_limit, payload), (Protocol::UDP, 64, &bytes[40..]));
    let mut out = Vec::new();
    header.emit_into(payload.len(), &mut out);
    assert_eq!(out, bytes[..40]);
    sweep(&bytes, |bytes| Ipv6::parse(bytes).map(|_| ()));
}

#[test]
fn lies_are_named() {
    let mut bytes = packet(Protocol::UDP, "1234003500080000");
    bytes[5] = 9;
    let error = ParseError::Truncated {
        layer: Layer::Ipv6,
        at: 40,
        need: 9,
        have: 8,
        claimed_by: ClaimedBy::Ipv6PayloadLength,
    };
    assert_eq!(Ipv6::parse(&bytes), Err(error));
    assert_eq!(Ipv6::parse_quoted(&bytes).unwrap().1.len(), 8);
    bytes[0] = 0x40;
    assert!(matches!(Ipv6::parse(&bytes), Err(ParseError::Illegal { at: 0, .. })));
}

#[test]
fn a_chain_of_every_header_is_walked() {
    let bytes = packet(
        Protocol::HOP_BY_HOP,
        // Hop-by-hop with router alert; routing; destination options; fragment (atomic); AH; UDP.
        "2b 00 0502 0000 0100  3c 00 04 00 00000000  2c 00 0104 00000000  33 00 0000 0000002a  \
         11 01 0000 00000001 00000002  1234 0035 0008 0000",
    );
    let chain = walk(&bytes).unwrap();
    assert_eq!((chain.upper, chain.upper_at, chain.upper_named_at), (Protocol::UDP, 84, 72));
    assert_eq!((chain.has_hop_by_hop, chain.router_alert, chain.option_problem), (true, Some(0), None));
    assert_eq!(chain.routing, Some(RoutingAt { at: 48, kind: 4, segments_left: 0 }));
    let fragment = chain.fragment.unwrap();
    assert!(fragment.header.is_atomic() && fragment.header.identification == 42);
    assert_eq!((fragment.at, fragment.named_at), (64, 56));
    let kinds: Vec<_> =
        Ipv6View::new(&bytes).unwrap().extensions().map(|header| header.unwrap().kind.0).collect();
    assert_eq!(kinds, [0, 43, 60, 44, 51]);
    // Any cut is either inside a header, and refused, or behind the last.
    for cut in 0..84 {
        assert!(walk(&bytes[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn a_later_fragment_ends_the_walk() {
    // Its next header is destination options, but what follows is the middle of something.
    let chain = walk(&packet(Protocol::FRAGMENT, "3c 00 05a9 0000002a ffff")).unwrap();
    assert_eq!((chain.upper, chain.upper_at), (Protocol::DESTINATION_OPTIONS, 48));
    let header = chain.fragment.unwrap().header;
    assert_eq!((header.offset, header.more), (1448, true));
}

#[test]
fn hostile_chains_are_refused() {
    let check = |first: Protocol, rest: &str, at: usize, what: &str| match walk(&packet(first, rest)) {
        Err(ParseError::Illegal { at: found, what: found_what, .. }) => {
            assert_eq!((found, found_what), (at, what))
        }
        other => panic!("{other:?}"),
    };
    let options = "3c00010400000000";
    check(Protocol::DESTINATION_OPTIONS, &options.repeat(9), 40 + 64, "more than 8 extension headers");
    check(
        Protocol::DESTINATION_OPTIONS,
        "0000010400000000 3b00010400000000",
        40,
        "hop-by-hop options are not the first extension header",
    );
    check(Protocol::FRAGMENT, "2c00000000000001 2c00000000000001", 48, "a second fragment header");
    check(
        Protocol::HOP_BY_HOP,
        &format!("3b02{}", "1e00".repeat(11)),
        42 + 16,
        "more than 8 options in one header",
    );
    check(Protocol::AUTHENTICATION, "3b00000000000000", 41, "authentication header is less than 12 bytes");
    // A first fragment must hold the whole chain (RFC 7112).
    assert!(walk(&packet(Protocol::FRAGMENT, "3c00000100000001 3b05")).is_err());
    // A length byte that runs out of its header.
    let error = walk(&packet(Protocol::HOP_BY_HOP, "3b00 0506 0000 0000")).unwrap_err();
    assert_eq!(
        error,
        ParseError::Truncated {
            layer: Layer::Ipv6,
            at: 42,
            need: 8,
            have: 6,
            claimed_by: ClaimedBy::OptionLength
        }
    );
}

#[test]
fn unknown_options_say_what_to_do() {
    let check = |kind: &str, want: Option<OptionAction>| {
        let chain =
            walk(&packet(Protocol::DESTINATION_OPTIONS, &format!("3b00 01 00 {kind} 02 0000"))).unwrap();
        assert_eq!(chain.option_problem, want.map(|action| OptionProblem { pointer: 44, action }), "{kind}");
    };
    check("1e", None);
    check("5e", Some(OptionAction::Discard));
    check("9e", Some(OptionAction::Report));
    check("de", Some(OptionAction::ReportUnlessMulticast));
}

#[test]
fn extension_headers_as_values() {
    let check = |kind: Protocol, text: &str| {
        let bytes = hex(text);
        let (value, rest) = Extension::parse(kind, &bytes).unwrap();
        assert_eq!((value.kind(), rest), (kind, &[][..]));
        let mut out = Vec::new();
        value.emit_into(&mut out);
        assert_eq!(out, bytes, "{text}");
        sweep(&bytes, |bytes| Extension::parse(kind, bytes).map(|_| ()));
    };
    check(Protocol::HOP_BY_HOP, "3a00050200000100");
    check(Protocol::DESTINATION_OPTIONS, "0601 0401 0a 00 c204 00010000 01020000");
    check(Protocol::ROUTING, "0602 0401 00000000 20010db8000000000000000000000009");
    check(Protocol::FRAGMENT, "06000011deadbeef");
    check(Protocol::AUTHENTICATION, "0604 0000 00000001 00000002 000102030405060708090a0b");

    let mut out = Vec::new();
    Options::router_alert().emit_into(&mut out);
    assert_eq!(out, hex("3a00050200000100"));
    let made = Options::new([(0x1e, &[1, 2, 3][..])]).unwrap();
    assert_eq!(made.header_len(), 8);
    assert_eq!(made.iter().count(), 2, "the option and one byte of padding");
    let route = Routing::new(4, 1, &hex("00000000 20010db8000000000000000000000009")).unwrap();
    assert_eq!(route.addresses().collect::<Vec<_>>(), ["2001:db8::9".parse::<Ipv6Addr>().unwrap()]);
    assert_eq!(Authentication::new(1, 2, &[0; 12]).unwrap().header_len(), 24);
}

prop_compose! {
    pub(crate) fn any_header()(
        addresses in any::<([u8; 16], [u8; 16])>(), bytes in any::<(u8, u8)>(), dscp in 0u8..64, ecn in 0u8..4, label in 0u32..1 << 20,
    ) -> Ipv6 {
        Ipv6 {
            src: addresses.0.into(), dst: addresses.1.into(), hop_limit: bytes.0, next_header: Protocol(bytes.1), dscp, ecn,
            flow_label: label,
        }
    }
}

proptest! {
    #[test]
    fn round_trip(header in any_header(), payload in proptest::collection::vec(any::<u8>(), 0..50), pad in 0usize..4) {
        let mut out = Vec::new();
        header.emit_into(payload.len(), &mut out);
        out.extend(&payload);
        out.resize(out.len() + pad, 0);
        prop_assert_eq!(Ipv6::parse(&out), Ok((header, &payload[..])));
        set_ecn(&mut out, 1);
        prop_assert_eq!(Ipv6::parse(&out).unwrap().0, Ipv6 { ecn: 1, ..header });
        prop_assert_eq!(decrement_hop_limit(&mut out), header.hop_limit > 0);
    }

    #[test]
    fn any_chain_is_walked_or_refused(kinds in proptest::collection::vec(prop_oneof![Just(0u8), Just(43), Just(44), Just(51), Just(60), any::<u8>()], 0..12), noise in proptest::collection::vec(any::<u8>(), 0..120)) {
        let first = kinds.first().copied().unwrap_or(59);
        let mut bytes = packet(Protocol(first), "");
        for (index, _) in kinds.iter().enumerate() {
            bytes.extend([kinds.get(index + 1).copied().unwrap_or(59), 0]);
            bytes.extend(noise.iter().skip(index * 6).chain(&[0; 6]).take(6));
        }
        if let Ok(chain) = walk(&bytes) {
            prop_assert!(chain.upper_at <= bytes.len());
            prop_assert_eq!(bytes[chain.upper_named_at], chain.upper.0);
        }
        prop_assert!(Ipv6View::new(&bytes).unwrap().extensions().count() <= bytes.len() / 8);
    }

    #[test]
    fn parsed_extensions_are_kept(kind in prop_oneof![Just(0u8), Just(43), Just(44), Just(51), Just(60)], bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        if let Ok((value, rest)) = Extension::parse(Protocol(kind), &bytes) {
            let mut out = Vec::new();
            value.emit_into(&mut out);
            out.extend(rest);
            let (again, rest_again) = Extension::parse(Protocol(kind), &out).unwrap();
            prop_assert_eq!((again, rest_again), (value, rest));
        }
    }
}
