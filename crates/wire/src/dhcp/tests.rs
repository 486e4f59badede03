use super::*;
use crate::address::IpPrefix;
use crate::tests::{hex, sweep};
use proptest::prelude::*;

const CLIENT: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

fn sample() -> Dhcp {
    let mut offer = Dhcp::new(DhcpKind::Offer, 0x1234_5678, CLIENT);
    offer.yiaddr = Ipv4Addr::new(192, 0, 2, 77);
    offer.secs = 3;
    offer.broadcast = true;
    offer.options = DhcpOptions {
        prefix_len: Some(24),
        routers: vec![Ipv4Addr::new(192, 0, 2, 1)],
        dns: vec![Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)],
        domain: Some("home.example".to_owned()),
        mtu: Some(1_400),
        lease: Some(3_600),
        server: Some(Ipv4Addr::new(192, 0, 2, 1)),
        renew: Some(1_800),
        rebind: Some(3_150),
        routes: vec![("198.51.100.0/25".parse::<IpPrefix>().unwrap(), Ipv4Addr::new(192, 0, 2, 9))],
        ..DhcpOptions::default()
    };
    offer
}

fn emitted(message: &Dhcp) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.emit_into(&mut bytes);
    bytes
}

/// A message with these options, as hex digits.
fn with_options(options: &str) -> Vec<u8> {
    let mut bytes = emitted(&Dhcp::new(DhcpKind::Ack, 1, CLIENT));
    bytes.truncate(OPTIONS_AT);
    bytes.extend(hex(options));
    bytes
}

#[test]
fn a_message_has_the_published_layout_and_comes_back() {
    let bytes = emitted(&sample());
    assert_eq!(emitted(&Dhcp::new(DhcpKind::Discover, 1, CLIENT)).len(), LEAST);
    assert_eq!(bytes[..12], hex("02 01 06 00 12345678 0003 8000"));
    assert_eq!(bytes[16..20], [192, 0, 2, 77]);
    assert_eq!(bytes[28..34], CLIENT.0);
    assert_eq!(bytes[236..243], hex("63825363 35 01 02"));
    assert_eq!(Dhcp::parse(&bytes).unwrap(), sample());
}

#[test]
fn every_cut_is_survived_and_says_where() {
    let mut bytes = emitted(&sample());
    let end = bytes.iter().rposition(|byte| *byte == 255).unwrap();
    bytes.truncate(end);
    // Up to the end of the fixed part nothing can be read; behind it, what is left out is an option less.
    sweep(&bytes[..243], |bytes| Dhcp::parse(bytes).map(drop));
    for cut in 243..bytes.len() {
        let _ = Dhcp::parse(&bytes[..cut]);
    }
    let error = Dhcp::parse(&with_options("350105 36 04 c000")).unwrap_err();
    assert_eq!(
        error.to_string().starts_with("DHCP"),
        matches!(error, ParseError::Truncated { at: 243, need: 6, have: 4, .. }),
        "{error}"
    );
}

#[test]
fn long_options_are_joined_and_overloaded_fields_read() {
    // A server's address in two pieces, and an option of option 52 in `file`, then one in `sname`.
    let mut bytes = with_options("350105 3602c000 36020201 340103 ff");
    bytes[108..115].copy_from_slice(&hex("33 04 00000e10 ff"));
    bytes[44..51].copy_from_slice(&hex("1a 02 05dc ff 0000"));
    let message = Dhcp::parse(&bytes).unwrap();
    assert_eq!(message.options.server, Some(Ipv4Addr::new(192, 0, 2, 1)));
    assert_eq!(message.options.lease, Some(3_600));
    assert_eq!(message.options.mtu, Some(1_500));
    // One that says so itself there does not make us go round.
    bytes[108..112].copy_from_slice(&hex("34 01 03 ff"));
    assert_eq!(Dhcp::parse(&bytes).unwrap().options.mtu, Some(1_500));
    let mut long = sample();
    long.options.message = Some("x".repeat(700));
    assert_eq!(Dhcp::parse(&emitted(&long)).unwrap(), long);
}

#[test]
fn what_makes_no_sense_is_absent_or_refused() {
    // A mask with holes, an address of three bytes, an MTU of 67, a route of 33 bits.
    let message =
        Dhcp::parse(&with_options("350105 0104ff00ff00 3603c00002 1a020043 790a21c0000201ffc0000201 ff"))
            .unwrap();
    assert_eq!(message.options, DhcpOptions::default());
    for (options, what) in [("ff", "no type"), ("350109ff", "unknown type"), ("350101ff", "a client's")] {
        assert!(Dhcp::parse(&with_options(options)).is_err(), "{what}");
    }
    let mut token_ring = emitted(&sample());
    token_ring[1] = 6;
    assert!(Dhcp::parse(&token_ring).is_err());
    let mut bootp = emitted(&sample());
    bootp[236] = 0;
    assert!(Dhcp::parse(&bootp).is_err());
}

proptest! {
    #[test]
    fn any_bytes_behind_the_cookie_are_survived(options in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut bytes = with_options("350105");
        bytes.extend(options);
        if let Ok(message) = Dhcp::parse(&bytes) {
            prop_assert_eq!(Dhcp::parse(&emitted(&message)), Ok(message));
        }
        if let Ok(view) = DhcpView::new(&bytes) {
            prop_assert!(view.options().count() <= bytes.len());
        }
    }
}
