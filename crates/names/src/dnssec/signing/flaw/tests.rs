use super::*;
use crate::dnssec::signing::{KEY_SIGNING, ZONE_SIGNING};
use crate::rdata::master_records;

const DATE: u32 = 1_780_272_000;

fn keys() -> [SigningKey; 3] {
    let key = |number, flags| SigningKey::ed25519(&[number; 32], flags);
    [key(1, KEY_SIGNING), key(2, ZONE_SIGNING), key(3, KEY_SIGNING)]
}

fn signed(flaws: &[Flaw]) -> Vec<RawRecord> {
    let text =
        "shop.lab. 300 SOA ns. nobody. 1 2 3 4 60\nshop.lab. 300 NS ns.\na.shop.lab. 300 A 192.0.2.1\n";
    let origin = crate::text::parse_name("shop.lab").expect("a name");
    let records = master_records(text, &Name::root()).expect("legal records");
    sign(&origin, &records, keys(), Chain::Nsec, DATE, flaws).expect("a good zone")
}

fn ds_with(flaws: &[Flaw]) -> Option<Vec<u8>> {
    let origin = crate::text::parse_name("shop.lab").expect("a name");
    ds(keys()[0].ds(&origin, 2).expect("SHA-256 is known"), flaws)
}

#[test]
fn each_flaw_leaves_its_mark_on_the_zone_or_on_what_the_zone_above_says() {
    let (zone, above) = (signed(&[]), ds_with(&[]));
    for (word, flaw) in Flaw::WORDS {
        assert_eq!(flaw.word(), word);
        assert!(signed(&[flaw]) != zone || ds_with(&[flaw]) != above, "{word} changes nothing");
    }
}

#[test]
fn a_zone_of_one_seed_is_the_same_octet_for_octet() {
    assert_eq!(signed(&[]), signed(&[]));
    assert_eq!(signed(&[Flaw::Expired, Flaw::BadDenial]), signed(&[Flaw::Expired, Flaw::BadDenial]));
}

#[test]
fn only_what_is_over_the_data_expires() {
    let expires =
        |record: &RawRecord| u32::from_be_bytes(record.data[8..12].try_into().expect("four octets"));
    for record in signed(&[Flaw::ExpiredData]).iter().filter(|record| record.rtype == RecordType::RRSIG) {
        assert_eq!(expires(record) > DATE, of_keys(record), "{record:?}");
    }
}
