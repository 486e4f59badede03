use super::*;
use proptest::prelude::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn mac_addresses_are_read_and_printed() {
    for text in ["02:00:5e:10:00:ff", "02-00-5E-10-00-FF"] {
        assert_eq!(text.parse::<MacAddr>().unwrap().to_string(), "02:00:5e:10:00:ff");
    }
    for text in [
        "",
        "02:00:5e:10:00",
        "02:00:5e:10:00:ff:00",
        "2:0:5e:10:0:ff",
        "02:00:5e:10:00:+f",
        "02-00:5e:10:00:ff",
    ] {
        assert_eq!(text.parse::<MacAddr>(), Err(MacAddrError), "{text}");
    }
}

#[test]
fn groups_map_to_ethernet() {
    // RFC 1112: the highest bit of the low 24 is not mapped. RFC 2464: the last four bytes.
    let check = |group: &str, mac: Option<&str>| {
        assert_eq!(MacAddr::of_group(ip(group)), mac.map(|mac| mac.parse().unwrap()), "{group}");
    };
    check("224.0.0.1", Some("01:00:5e:00:00:01"));
    check("239.129.2.3", Some("01:00:5e:01:02:03"));
    check("255.255.255.255", Some("ff:ff:ff:ff:ff:ff"));
    check("ff02::1:ff28:9c5a", Some("33:33:ff:28:9c:5a"));
    check("192.0.2.1", None);
    check("2001:db8::1", None);
}

#[test]
fn link_local_address_from_a_mac() {
    // RFC 4291 appendix A: the universal/local bit is inverted and ff:fe goes into the middle.
    let mac: MacAddr = "34:56:78:9a:bc:de".parse().unwrap();
    assert_eq!(mac.link_local().to_string(), "fe80::3656:78ff:fe9a:bcde");
}

#[test]
fn solicited_node_group() {
    // The example of RFC 4291 section 2.7.1.
    assert_eq!(solicited_node("4037::1:800:200e:8c6c".parse().unwrap()).to_string(), "ff02::1:ff0e:8c6c");
}

#[test]
fn prefixes_are_read_and_printed() {
    for text in ["0.0.0.0/0", "10.0.0.0/8", "192.0.2.1/32", "::/0", "2001:db8::/32", "fe80::1/128"] {
        assert_eq!(text.parse::<IpPrefix>().unwrap().to_string(), text);
    }
    assert_eq!("192.0.2.7/24".parse::<Cidr>().unwrap().prefix().to_string(), "192.0.2.0/24");
    let meant = "192.0.2.0/24".parse().unwrap();
    assert_eq!("192.0.2.7/24".parse::<IpPrefix>(), Err(PrefixError::HostBits { meant }));
    assert_eq!("192.0.2.0".parse::<IpPrefix>(), Err(PrefixError::NoLength));
    assert_eq!("192.0.2/24".parse::<IpPrefix>(), Err(PrefixError::BadAddress));
    for len in ["33", "+8", "", "256", "8 "] {
        assert_eq!(format!("10.0.0.0/{len}").parse::<IpPrefix>(), Err(PrefixError::BadLength { max: 32 }));
    }
    assert_eq!("::/129".parse::<Cidr>(), Err(PrefixError::BadLength { max: 128 }));
}

#[test]
fn prefix_arithmetic() {
    let prefix: IpPrefix = "192.0.2.128/25".parse().unwrap();
    assert!(prefix.contains(ip("192.0.2.200")) && !prefix.contains(ip("192.0.2.1")));
    assert!(!IpPrefix::V6_ALL.contains(ip("192.0.2.1")) && !IpPrefix::V4_ALL.contains(ip("::")));
    assert!(IpPrefix::V4_ALL.covers(prefix) && !prefix.covers(IpPrefix::V4_ALL));
    assert_eq!(prefix.broadcast(), Some(Ipv4Addr::new(192, 0, 2, 255)));
    assert_eq!("192.0.2.0/31".parse::<IpPrefix>().unwrap().broadcast(), None);
    assert_eq!(prefix.nth(127), Some(ip("192.0.2.255")));
    assert_eq!(prefix.nth(128), None);
    assert_eq!(IpPrefix::V6_ALL.nth(u128::MAX), Some(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")));
    assert_eq!(IpPrefix::V4_ALL.nth(u128::MAX), None);
}

#[test]
fn every_category() {
    use Category::*;
    let check = |want: Category, addresses: &[&str]| {
        for address in addresses {
            assert_eq!(category(ip(address)), want, "{address}");
        }
    };
    check(Unspecified, &["0.0.0.0", "::"]);
    check(ThisNetwork, &["0.1.2.3"]);
    check(Loopback, &["127.0.0.1", "127.255.255.255", "::1"]);
    check(Private, &["10.1.2.3", "172.16.0.0", "172.31.255.255", "192.168.1.1"]);
    check(SharedCgnat, &["100.64.0.0", "100.127.255.255"]);
    check(LinkLocal, &["169.254.1.1", "fe80::1", "febf::"]);
    check(UniqueLocal, &["fc00::1", "fd12:3456::1"]);
    check(Documentation, &["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff:fff::1"]);
    check(Benchmarking, &["198.18.0.1", "198.19.255.255", "2001:2::1"]);
    check(Mapped, &["::ffff:192.0.2.1"]);
    check(Nat64, &["64:ff9b::192.0.2.1", "64:ff9b:1::1"]);
    check(SixToFour, &["2002:c000:201::1"]);
    check(Teredo, &["2001::1"]);
    check(Discard, &["100::1"]);
    check(ProtocolAssignment, &["192.0.0.8", "2001:100::1", "2001:10::1"]);
    check(Multicast, &["224.0.0.1", "239.255.255.255", "ff02::1"]);
    check(Broadcast, &["255.255.255.255"]);
    check(Reserved, &["240.0.0.1", "fec0::1", "::2", "4000::1", "64:ff9c::1", "100:0:0:1::"]);
    check(
        Global,
        &[
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "192.0.0.9",
            "2606:4700::1111",
            "2001:4860::1",
            "2001:200::1",
            "2001:20::1",
        ],
    );
}

#[test]
fn nat64_holds_an_ipv4_address() {
    assert_eq!(nat64_embedded("64:ff9b::192.0.2.33".parse().unwrap()), Some(Ipv4Addr::new(192, 0, 2, 33)));
    assert_eq!(nat64_embedded("2001:db8::1".parse().unwrap()), None);
}

proptest! {
    #[test]
    fn a_prefix_contains_what_it_was_made_from(octets in any::<[u8; 16]>(), v4 in any::<bool>(), len in 0u8..=128) {
        let address = if v4 { IpAddr::from([octets[0], octets[1], octets[2], octets[3]]) } else { IpAddr::from(octets) };
        let made = IpPrefix::new(address, len);
        prop_assert_eq!(made.is_some(), !v4 || len <= 32);
        if let Some(prefix) = made {
            prop_assert!(prefix.contains(address));
            prop_assert_eq!(prefix.to_string().parse(), Ok(prefix));
            prop_assert_eq!(Cidr::new(address, len).unwrap().prefix(), prefix);
            prop_assert_eq!(prefix.nth(0), Some(prefix.network()));
        }
    }

    #[test]
    fn text_never_panics(text in "\\PC*") {
        let _ = (text.parse::<MacAddr>(), text.parse::<IpPrefix>(), text.parse::<Cidr>());
    }
}
