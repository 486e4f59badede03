use super::*;
use crate::tests::{hex, sweep};
use proptest::prelude::*;

/// A header with its checksum worked out by hand: a UDP packet from 192.0.2.1 to 198.51.100.2.
const SAMPLE: &str = "4500 001c 1c46 4000 4011 0000 c0000201 c6336402 1234 0035 0008 0000";

fn sample() -> Vec<u8> {
    let mut bytes = hex(SAMPLE);
    let words: u32 = [0x4500, 0x001c, 0x1c46, 0x4000, 0x4011, 0xc000, 0x0201, 0xc633, 0x6402].iter().sum();
    let folded = (words >> 16) + (words & 0xffff);
    bytes[10..12].copy_from_slice(&(!(folded as u16)).to_be_bytes());
    bytes
}

#[test]
fn a_known_packet() {
    let bytes = sample();
    let (header, payload) = Ipv4::parse(&bytes).unwrap();
    let want = Ipv4 {
        identification: 0x1c46,
        dont_fragment: true,
        ..Ipv4::new(Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 2), Protocol::UDP)
    };
    assert_eq!((header, payload), (want, &bytes[20..]));
    let mut out = Vec::new();
    header.emit_into(payload.len(), &mut out);
    assert_eq!(out, bytes[..20]);
    sweep(&bytes, |bytes| Ipv4::parse(bytes).map(|_| ()));
}

#[test]
fn padding_after_the_packet_is_no_payload() {
    let mut bytes = sample();
    bytes.extend([0; 18]);
    assert_eq!(Ipv4::parse(&bytes).unwrap().1.len(), 8);
}

#[test]
fn lies_are_named() {
    let check = |at: usize, value: u8, want: ParseError| {
        let mut bytes = sample();
        bytes[at] = value;
        assert_eq!(Ipv4::parse(&bytes), Err(want));
    };
    let layer = Layer::Ipv4;
    check(0, 0x65, ParseError::Illegal { layer, at: 0, what: "version is not 4" });
    check(0, 0x44, ParseError::Illegal { layer, at: 0, what: "header length is less than 20 bytes" });
    check(
        0,
        0x4f,
        ParseError::Truncated { layer, at: 0, need: 60, have: 28, claimed_by: ClaimedBy::Ipv4HeaderLength },
    );
    check(3, 19, ParseError::Illegal { layer, at: 2, what: "total length is less than the header" });
    check(
        3,
        29,
        ParseError::Truncated { layer, at: 0, need: 29, have: 28, claimed_by: ClaimedBy::Ipv4TotalLength },
    );
    check(8, 63, ParseError::Checksum { layer });
}

#[test]
fn options_are_read_and_kept() {
    let mut header = Ipv4::new(Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST, Protocol::IGMP);
    // Record route with room for two, no operation, router alert, end.
    let raw = hex("07 0b 08 c0000201 00000000 01 94 04 0000");
    header.options = Ipv4Options::parse(&raw).unwrap();
    let mut out = Vec::new();
    header.emit_into(0, &mut out);
    assert_eq!((out.len(), header.header_len(), &out[20..36]), (36, 36, &raw[..16]));
    let (again, _) = Ipv4::parse(&out).unwrap();
    assert_eq!(again, header);
    let options: Vec<_> = again.options.iter().collect();
    assert_eq!(options[0].addresses().next(), Some(Ipv4Addr::new(192, 0, 2, 1)));
    assert_eq!(options[1..], [Ipv4Option::NoOperation, Ipv4Option::RouterAlert(0)]);
    assert_eq!(again.options.copied(), Ipv4Options::ROUTER_ALERT);
    sweep(&out, |bytes| Ipv4::parse(bytes).map(|_| ()));
}

#[test]
fn malformed_options_are_refused() {
    assert!(matches!(Ipv4Options::parse(&[7, 1]), Err(ParseError::Illegal { at: 21, .. })));
    assert!(matches!(
        Ipv4Options::parse(&[1, 7, 9, 4]),
        Err(ParseError::Truncated { at: 21, need: 9, have: 3, .. })
    ));
    assert!(matches!(Ipv4Options::parse(&[7]), Err(ParseError::Truncated { at: 20, need: 2, have: 1, .. })));
}

#[test]
fn a_router_takes_one_hop_and_marks() {
    let mut bytes = sample();
    assert!(decrement_ttl(&mut bytes));
    set_ecn(&mut bytes, 3);
    let (header, _) = Ipv4::parse(&bytes).unwrap();
    assert_eq!((header.ttl, header.ecn), (63, 3));
    bytes[8] = 0;
    assert!(!decrement_ttl(&mut bytes));
}

prop_compose! {
    pub(crate) fn any_header()(
        addresses in any::<([u8; 4], [u8; 4])>(), bytes in any::<(u8, u8)>(), dscp in 0u8..64, ecn in 0u8..4,
        identification in any::<u16>(), flags in any::<(bool, bool)>(), offset in 0u16..8192, alert in any::<bool>(),
    ) -> Ipv4 {
        Ipv4 {
            src: addresses.0.into(), dst: addresses.1.into(), ttl: bytes.0, protocol: Protocol(bytes.1), dscp, ecn, identification,
            dont_fragment: flags.0, more_fragments: flags.1, fragment_offset: offset * 8,
            options: if alert { Ipv4Options::ROUTER_ALERT } else { Ipv4Options::NONE },
        }
    }
}

proptest! {
    #[test]
    fn round_trip(header in any_header(), payload in proptest::collection::vec(any::<u8>(), 0..50)) {
        let mut out = Vec::new();
        header.emit_into(payload.len(), &mut out);
        out.extend(&payload);
        prop_assert_eq!(Ipv4::parse(&out), Ok((header, &payload[..])));
    }

    #[test]
    fn any_bytes_are_shown(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(view) = Ipv4View::new(&bytes) {
            let _ = (view.options().count(), view.payload(), view.checksum_is_valid());
        }
        if let Ok((header, payload)) = Ipv4::parse_quoted(&bytes) {
            let mut out = Vec::new();
            header.emit_into(payload.len(), &mut out);
            out.extend(payload);
            prop_assert_eq!(Ipv4::parse(&out), Ok((header, payload)));
        }
    }
}
