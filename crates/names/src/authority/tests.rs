//! The answers themselves are looked at where zones are signed: `dnssec/signing/tests.rs`.

use super::SignedZone;
use crate::rdata::master_records;
use hickory_proto::rr::Name;

#[test]
fn a_zone_without_soa_or_with_strangers_is_none() {
    let zone = |text: &str| SignedZone::new(&master_records(text, &Name::root()).expect("legal records"));
    assert!(zone("www.shop.lab. A 192.0.2.1").is_err());
    let strangers = "shop.lab. SOA . . 1 2 3 4 5\nwww.other.lab. A 192.0.2.1";
    assert_eq!(zone(strangers).map(|_| ()), Err("www.other.lab. lies outside".into()));
}
