use proptest::prelude::*;

use super::*;
use crate::text::parse_type;

/// The text is read, and shown as the same text.
#[track_caller]
fn check(kind: &str, text: &str) {
    let rtype = parse_type(kind).expect("a type");
    let data = from_text(rtype, &words(text), &Name::root()).expect(text);
    assert_eq!(data_text(rtype, &data), text);
    for end in 0..data.len() {
        // Cut anywhere it is still shown, and as what it is.
        let shown = data_text(rtype, &data[..end]);
        assert_eq!(from_text(rtype, &words(&shown), &Name::root()).as_deref(), Ok(&data[..end]), "{shown}");
    }
}

#[test]
fn data_is_shown_as_it_is_written() {
    check("A", "192.0.2.1");
    check("AAAA", "2001:db8::1");
    check("SOA", "ns.lab. admin.lab. 7 3600 900 604800 60");
    check("TXT", "\"a b\" \"c\\\"d\" \"\"");
    check("DNAME", "shop.lab.");
    check("NAPTR", "10 20 \"s\" \"SIP+D2U\" \"\" _sip._udp.lab.");
    check("DS", "12345 15 2 00FF");
    check("DNSKEY", "257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=");
    check(
        "RRSIG",
        "AAAA 15 2 300 20260308105936 20260222040000 33955 shop.lab. oL8xrDbz0dmJBxRZm3VhkdYUrBM7fQ==",
    );
    check("NSEC", "api.shop.lab. A NS SOA RRSIG NSEC DNSKEY TYPE64000");
    check("NSEC3", "1 1 0 - 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A RRSIG");
    check("NSEC3PARAM", "1 0 5 AABB");
    check("TLSA", "3 1 1 0A0B");
    check("SSHFP", "4 2 0A0B");
    check("CAA", "0 issue \"ca.example; x=1\"");
    check("ZONEMD", "7 1 1 AA");
    check("URI", "10 1 \"https://www.shop.lab/\"");
}

#[test]
fn times_are_dates() {
    for (seconds, text) in [
        (0, "19700101000000"),
        (951_782_399, "20000228235959"),
        (951_782_400, "20000229000000"),
        (u32::MAX, "21060207062815"),
    ] {
        assert_eq!(time_text(seconds), text);
        assert_eq!(crate::rdata::time(text), Some(seconds));
    }
}

proptest! {
    #[test]
    fn any_octets_are_shown_and_read_again(kind in 0_u16..300, data in prop::collection::vec(any::<u8>(), 0..80)) {
        let rtype = RecordType::from(kind);
        let shown = data_text(rtype, &data);
        prop_assert!(!shown.chars().any(char::is_control));
        if shown != "\\# 0" {
            prop_assert_eq!(from_text(rtype, &words(&shown), &Name::root()), Ok(data));
        }
    }
}
