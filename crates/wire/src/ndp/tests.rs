use super::*;
use crate::tests::{hex, sweep};

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

fn check(text: &str, want: Ndp) {
    let bytes = hex(text);
    assert_eq!(Ndp::parse(&bytes), Ok(want.clone()), "{text}");
    let mut out = Vec::new();
    want.emit_into(&mut out);
    assert_eq!(out, bytes, "{text}");
    assert_eq!(want.len(), bytes.len(), "{text}");
    // A cut between two options is legal, so every cut is only tried.
    for cut in 0..bytes.len() {
        let _ = Ndp::parse(&bytes[..cut]);
    }
}

#[test]
fn every_message() {
    check("8500 0000 00000000 0101 020000000001", Ndp::RouterSolicitation { source_mac: Some(MAC) });
    let target = "fe80::2".parse().unwrap();
    check(
        "8700 0000 00000000 fe800000000000000000000000000002 0101 020000000001",
        Ndp::NeighborSolicitation { target, source_mac: Some(MAC) },
    );
    check(
        "8800 0000 60000000 fe800000000000000000000000000002 0201 020000000001",
        Ndp::NeighborAdvertisement {
            router: false,
            solicited: true,
            override_flag: true,
            target,
            target_mac: Some(MAC),
        },
    );
    check(
        "8900 0000 00000000 fe800000000000000000000000000002 20010db8000000000000000000000009",
        Ndp::Redirect { target, destination: "2001:db8::9".parse().unwrap(), target_mac: None },
    );
    sweep(&hex("8700 0000 00000000 fe800000000000000000000000000002"), |bytes| Ndp::parse(bytes).map(|_| ()));
}

#[test]
fn a_router_advertisement_with_every_option() {
    check(
        "8600 0000 40 c8 0708 00007530 000003e8  0101 020000000001  0501 0000 000005dc \
         0304 40 c0 00278d00 00093a80 00000000 20010db8000100000000000000000000 \
         1802 40 18 00000708 20010db800020000  1903 0000 00000258 20010db8000000000000000000000053",
        Ndp::RouterAdvertisement(RouterAdvertisement {
            hop_limit: 64,
            managed: true,
            other: true,
            preference: 1,
            lifetime: Duration::from_secs(1800),
            reachable_time: Duration::from_secs(30),
            retrans_timer: Duration::from_secs(1),
            source_mac: Some(MAC),
            mtu: Some(1500),
            prefixes: vec![PrefixInformation {
                prefix: "2001:db8:1::/64".parse().unwrap(),
                on_link: true,
                autonomous: true,
                valid: Duration::from_secs(2_592_000),
                preferred: Duration::from_secs(604_800),
            }],
            routes: vec![RouteInformation {
                prefix: "2001:db8:2::/64".parse().unwrap(),
                preference: -1,
                lifetime: Duration::from_secs(1800),
            }],
            dns: vec![DnsServers {
                lifetime: Duration::from_secs(600),
                servers: vec!["2001:db8::53".parse().unwrap()],
            }],
        }),
    );
}

#[test]
fn lies_are_named() {
    let layer = Layer::Ndp;
    let fixed = "8500 0000 00000000";
    let check = |text: String, want: ParseError| assert_eq!(Ndp::parse(&hex(&text)), Err(want), "{text}");
    check(format!("{fixed} 0100"), ParseError::Illegal { layer, at: 9, what: "option length is zero" });
    let claimed_by = ClaimedBy::OptionLength;
    check(
        format!("{fixed} 0102 0000"),
        ParseError::Truncated { layer, at: 8, need: 16, have: 4, claimed_by },
    );
    check(format!("{fixed} 01"), ParseError::Truncated { layer, at: 8, need: 2, have: 1, claimed_by });
    check("8501 0000 00000000".into(), ParseError::Illegal { layer, at: 1, what: "code is not 0" });
    check(
        "8700 0000 00000000 ff020000000000000000000000000002".into(),
        ParseError::Illegal { layer, at: 8, what: "the target is a group" },
    );
}

#[test]
fn options_of_an_impossible_length_are_shown_as_bytes() {
    let bytes =
        hex("8500 0000 00000000 0102 0000 00000000 00000000 00000000 0401 000000000000 0e01 112233445566");
    let view = NdpView::new(&bytes).unwrap();
    let options: Vec<_> = view.options().map(Result::unwrap).collect();
    assert_eq!(options[0], NdpOption::Other { kind: 1, data: &[0; 14] });
    assert_eq!(options[1], NdpOption::Redirected(&[]));
    assert_eq!(options[2], NdpOption::Other { kind: 14, data: &[0x11, 0x22, 0x33, 0x44, 0x55, 0x66] });
    assert_eq!(Ndp::parse(&bytes), Ok(Ndp::RouterSolicitation { source_mac: None }));
}
