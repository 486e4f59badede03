use hickory_proto::rr::rdata::{NULL, TXT};

use super::*;

#[test]
fn types_as_written() {
    assert_eq!(parse_type("aaaa"), Some(RecordType::AAAA));
    assert_eq!(parse_type("TYPE65"), Some(RecordType::HTTPS));
    assert_eq!(parse_type("type64000").map(type_text).as_deref(), Some("TYPE64000"));
    assert_eq!(parse_type("TYPE70000"), None);
    assert_eq!(parse_type("www"), None);
    assert_eq!(type_text(RecordType::HTTPS), "HTTPS");
}

#[test]
fn names_as_written() {
    assert_eq!(parse_name("www.Shop.lab").map(|name| name_text(&name)).as_deref(), Ok("www.Shop.lab."));
    assert_eq!(parse_name(".").map(|name| name_text(&name)).as_deref(), Ok("."));
    assert_eq!(parse_name(""), Err("an empty name".into()));
    assert!(parse_name(&"a".repeat(64)).expect_err("long label").contains("64 characters"));
    assert!(parse_name(&"abcdefg.".repeat(40)).is_err());
    assert!(parse_name("a..b").is_err());
}

#[test]
fn reverse_names() {
    let v4 = reverse_name("192.0.2.80".parse().expect("an address"));
    assert_eq!(name_text(&v4), "80.2.0.192.in-addr.arpa.");
    let v6 = reverse_name("2001:db8::1".parse().expect("an address"));
    assert!(name_text(&v6).starts_with("1.0.0.0.") && name_text(&v6).ends_with("8.b.d.0.1.0.0.2.ip6.arpa."));
}

#[test]
fn hostile_bytes_never_reach_a_terminal() {
    let name = Name::from_labels([&b"a\x1b[2J.b"[..], &b"lab"[..]]).expect("a name");
    assert_eq!(name_text(&name), r"a\027[2J\.b.lab.");
    let txt = RData::TXT(TXT::from_bytes(vec![b"\x1b]0;\xff\"x"]));
    assert_eq!(data_text(&txt), r#""\027]0;\255\"x""#);
    let unknown = RData::Unknown { code: RecordType::Unknown(64000), rdata: NULL::with(vec![1, 0xab]) };
    assert_eq!(data_text(&unknown), r"\# 2 01ab");
}

/// What is written down is read again: journals and zone files name types so.
#[test]
fn every_type_is_read_as_it_is_written() {
    for number in 0..=u16::MAX {
        let rtype = RecordType::from(number);
        assert_eq!(parse_type(&type_text(rtype)).map(u16::from), Some(number), "{}", type_text(rtype));
    }
}
