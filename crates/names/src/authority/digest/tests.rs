use hickory_proto::rr::Name;
use proptest::prelude::*;

use super::*;
use crate::rdata::master_records;
use crate::wire::RawRecord;

fn zone(text: &str) -> SignedZone {
    SignedZone::new(&master_records(text, &Name::root()).expect("legal records")).expect("a zone")
}

/// The zone of RFC 8976 appendix A.1.
const SIMPLE_ZONE: &str = "example. 86400 IN SOA ns1.example. admin.example. 2018031900 1800 900 604800 86400\n\
    example. 86400 IN NS ns1.example.\nexample. 86400 IN NS ns2.example.\n\
    example. 86400 IN ZONEMD 2018031900 1 1 c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3a1ddc0b9a87153b9\
    a9713b3c9ae5cc27777f98b8e730044c\nns1.example. 3600 IN A 203.0.113.63\nns2.example. 3600 IN AAAA 2001:db8::63\n";

#[test]
fn the_rfcs_example_fits() {
    assert_eq!(check(&zone(SIMPLE_ZONE)), Ok(Found::Fits), "RFC 8976 appendix A.1");
}

#[test]
fn what_was_changed_does_not_fit() {
    let check_with = |from: &str, to: &str| check(&zone(&SIMPLE_ZONE.replace(from, to)));
    assert!(check_with("203.0.113.63", "203.0.113.64").is_err(), "an address");
    assert!(check_with("3600 IN A ", "3601 IN A ").is_err(), "a TTL");
    assert!(check_with("ZONEMD 2018031900", "ZONEMD 2018031901").is_err(), "the digest's serial");
    assert_eq!(
        check_with("2018031900 1 1 c", "2018031900 1 240 c"),
        Ok(Found::Unknown),
        "an algorithm of its own"
    );
    assert_eq!(
        check_with("2018031900 1 1 c", "2018031900 240 1 c"),
        Ok(Found::Unknown),
        "a scheme of its own"
    );
}

#[test]
fn two_of_one_kind_do_not_count() {
    let doubled = format!("{SIMPLE_ZONE}example. 86400 IN ZONEMD 2018031900 1 1 {}\n", "ab".repeat(48));
    assert!(check(&zone(&doubled)).is_err(), "RFC 8976 section 4 step 4");
}

#[test]
fn none_is_none() {
    let without: String =
        SIMPLE_ZONE.lines().filter(|line| !line.contains("ZONEMD")).map(|l| format!("{l}\n")).collect();
    assert_eq!(check(&zone(&without)), Ok(Found::None));
}

#[test]
fn order_and_letter_case_do_not_matter() {
    let lines: Vec<&str> = SIMPLE_ZONE.lines().collect();
    let turned: String = lines.iter().rev().map(|line| format!("{line}\n")).collect();
    assert_eq!(check(&zone(&turned.replace("ns1.example. 3600", "NS1.Example. 3600"))), Ok(Found::Fits));
}

proptest! {
    #[test]
    fn any_octets_as_a_digest_are_only_wrong(data in proptest::collection::vec(any::<u8>(), 0..80)) {
        let without: String = SIMPLE_ZONE.lines().filter(|l| !l.contains("ZONEMD")).map(|l| format!("{l}\n")).collect();
        let mut records = master_records(&without, &Name::root()).expect("legal records");
        let owner = records[0].name.clone();
        records.push(RawRecord { name: owner, rtype: ZONEMD, class: CLASS_IN, ttl: 86400, data: data.into() });
        let zone = SignedZone::new(&records).expect("a zone");
        prop_assert_ne!(check(&zone), Ok(Found::Fits));
    }
}
