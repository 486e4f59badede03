use std::cell::Cell;

use hickory_proto::rr::{Name, RecordType};
use thru_wire::Instant;

use super::algorithm::{Algorithms, ds_digest};
use super::nsec;
use super::nsec3::hash_name;
use super::records::{Dnskey, bitmap_has};
use super::verify::{Context, verify_set};
use crate::rdata::{record_from_text, time};
use crate::rrset::Rrset;
use crate::wire::{RawRecord, name_to_wire};

fn record(line: &str) -> RawRecord {
    record_from_text(line, &Name::root(), 3600, None).expect("a record")
}

fn name(text: &str) -> Name {
    crate::rdata::name_from_text(text, &Name::root()).expect("a name")
}

fn set(line: &str) -> Rrset {
    let record = record(line);
    let mut set = Rrset::new(record.name, record.rtype, record.class, record.ttl, Instant::START);
    set.data.push(record.data);
    set
}

/// RFC 4034 section 5.4.
#[test]
fn the_ds_of_rfc_4034() {
    let key = record(
        "dskey.example.com. 86400 IN DNSKEY 256 3 5 AQOeiiR0GOMYkDshWoSKz9Xz fwJr1AYtsmx3TGkJaNXVbfi/2pHm822aJ5iI9BMz\
         NXxeYCmZDRD99WYwYqUSdjMmmAphXdvx egXd/M5+X7OrzKBaMbCVdFLUUh6DhweJBjEVv5f2wwjM9XzcnOf+EPbtG9DMBmAD\
         jFDc2w/rljwvFw==",
    );
    assert_eq!(Dnskey::read(&key.data).expect("a key").tag(), 60485);
    let digest = ds_digest(1, &name_to_wire(&key.name), &key.data).expect("a known digest");
    assert_eq!(digest, crate::rdata::hex("2BB183AF5F22588179A53B0A98631FAD1A292118").expect("hex"));
}

/// RFC 5155 appendix A.
#[test]
fn the_hashes_of_rfc_5155() {
    let salt = [0xaa, 0xbb, 0xcc, 0xdd];
    for (text, hash) in [
        ("example.", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"),
        ("a.example.", "35mthgpgcu1qg68fab165klnsnk3dpvl"),
        ("*.w.example.", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"),
    ] {
        let line = format!("x. NSEC3 1 0 0 - {hash} A");
        let owner = record(&line);
        // The next hash stands behind five octets and its length.
        assert_eq!(&owner.data[6..26], &hash_name(&name(text), 12, &salt), "{text}");
    }
}

/// RFC 8080 section 6.1: an Ed25519 signature made by others.
#[test]
fn the_signature_of_rfc_8080() {
    let key = record("example.com. 3600 IN DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=");
    let mut mx = set("example.com. 3600 IN MX 10 mail.example.com.");
    let sig = record(
        "example.com. 3600 IN RRSIG MX 15 2 3600 1440021600 1438207200 3613 example.com. \
         oL9krJun7xfBOIWcGHi7mag5/hdZrKWw15jPGrHpjQeRAvTdszaPD+QLs3fx8A4M3e23mRZ9VrbpMngwcrqNAg==",
    );
    mx.sigs.push(sig.data);
    let operations = Cell::new(8);
    let context = |now| Context {
        algorithms: Algorithms::default(),
        now,
        ignore_times: false,
        every_algorithm: false,
        operations: &operations,
    };
    let zone = name("example.com.");
    let keys = [key.data];
    let good = verify_set(context(1_439_000_000), &mx, &zone, &keys).expect("it holds");
    assert_eq!((good.wildcard, good.ttl_max), (None, 3600));
    assert_eq!(
        verify_set(context(1_445_000_000), &mx, &zone, &keys).expect_err("too late").code,
        super::ede::EXPIRED
    );
    assert_eq!(
        verify_set(context(1_430_000_000), &mx, &zone, &keys).expect_err("too early").code,
        super::ede::NOT_YET_VALID
    );
    let mut forged = set("example.com. 3600 IN MX 10 mail.example.net.");
    forged.sigs.clone_from(&mx.sigs);
    assert_eq!(
        verify_set(context(1_439_000_000), &forged, &zone, &keys).expect_err("forged").code,
        super::ede::BOGUS
    );
}

#[test]
fn work_for_one_message_is_bounded() {
    let key = record("example.com. 3600 IN DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=");
    let mut mx = set("example.com. 3600 IN MX 10 other.example.com.");
    let sig = record(
        "example.com. 3600 IN RRSIG MX 15 2 3600 1440021600 1438207200 3613 example.com. \
         oL9krJun7xfBOIWcGHi7mag5/hdZrKWw15jPGrHpjQeRAvTdszaPD+QLs3fx8A4M3e23mRZ9VrbpMngwcrqNAg==",
    );
    mx.sigs = vec![sig.data; 100];
    let operations = Cell::new(1000);
    let context = Context {
        algorithms: Algorithms::default(),
        now: 1_439_000_000,
        ignore_times: false,
        every_algorithm: false,
        operations: &operations,
    };
    verify_set(context, &mx, &name("example.com."), &vec![key.data; 100]).expect_err("none holds");
    assert!(operations.get() >= 984, "{} operations spent", 1000 - operations.get());
}

#[test]
fn denials_prove_what_lies_between() {
    let nsec = set("b.shop.lab. NSEC f.shop.lab. A RRSIG NSEC");
    assert!(nsec::proves_no_name(&nsec, &name("d.shop.lab.")));
    assert!(nsec::proves_no_name(&nsec, &name("x.b.shop.lab.")));
    for there in ["b.shop.lab.", "f.shop.lab.", "a.shop.lab.", "g.shop.lab."] {
        assert!(!nsec::proves_no_name(&nsec, &name(there)), "{there}");
    }
    assert_eq!(nsec::proves_nodata(&nsec, &name("b.shop.lab."), RecordType::MX), Some(nsec::Nodata::Exact));
    assert_eq!(nsec::proves_nodata(&nsec, &name("b.shop.lab."), RecordType::A), None);
    let last = set("w.shop.lab. NSEC shop.lab. A");
    assert!(
        nsec::proves_no_name(&last, &name("z.shop.lab."))
            && !nsec::proves_no_name(&last, &name("z.other.lab."))
    );
    let cut = set("b.shop.lab. NSEC f.shop.lab. NS RRSIG NSEC");
    assert!(!nsec::proves_no_name(&cut, &name("x.b.shop.lab.")), "the parent knows nothing below a cut");
    let between = set("a.shop.lab. NSEC x.y.shop.lab. A");
    assert_eq!(
        nsec::proves_nodata(&between, &name("y.shop.lab."), RecordType::A),
        Some(nsec::Nodata::EmptyNonTerminal)
    );
}

#[test]
fn bitmaps_and_times() {
    let nsec = record("b.shop.lab. NSEC f.shop.lab. A MX RRSIG NSEC TYPE1234");
    let bitmap = &nsec.data[12..];
    for (rtype, there) in
        [(1, true), (15, true), (46, true), (47, true), (1234, true), (2, false), (1235, false)]
    {
        assert_eq!(bitmap_has(bitmap, RecordType::from(rtype)), there, "{rtype}");
    }
    assert_eq!(time("20070916134226"), Some(1_189_950_146));
    assert_eq!(time("19700101000000"), Some(0));
    assert_eq!(time("20240229120000"), Some(1_709_208_000));
}
