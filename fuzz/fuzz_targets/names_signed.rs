//! Queries of any bytes to an authority of a signed zone; zones of any records.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use thru_names::authority::SignedZone;
use thru_names::dnssec::signing::zone::{Chain, KeyState, Plan, sign};
use thru_names::dnssec::signing::{KEY_SIGNING, SigningKey, Window};
use thru_names::proto::rr::Name;
use thru_names::rdata::master_records;
use thru_names::text::parse_name;

static ZONE: LazyLock<SignedZone> = LazyLock::new(|| {
    let text = "a. SOA ns.a. mail.a. 1 2 3 4 5\na. NS ns.a.\nns.a. A 192.0.2.1\n*.w.a. A 192.0.2.2\nd.a. DNAME e.a.\n\
                c.a. NS ns.c.a.\nns.c.a. A 192.0.2.3\n";
    let records = master_records(text, &Name::root()).expect("legal records");
    let plan = Plan {
        keys: vec![(SigningKey::ed25519(&[1; 32], KEY_SIGNING), KeyState::Active)],
        window: Window { inception: 0, expiration: u32::MAX / 2 },
        chain: Chain::Nsec3 { iterations: 0, salt: Vec::new(), opt_out: true },
        dnskey_ttl: 60,
    };
    let records = sign(&parse_name("a").expect("a name"), &records, &plan).expect("a good zone");
    SignedZone::new(&records).expect("it has a SOA")
});

fuzz_target!(|bytes: &[u8]| {
    for over_udp in [false, true] {
        if let Some(answer) = ZONE.answer(bytes, over_udp) {
            assert!(answer.len() >= 12 && answer[..2] == bytes[..2], "an answer to something else");
            assert!(ZONE.answer(&answer, over_udp).is_none(), "two servers must not talk for ever");
        }
    }
    let _ = ZONE.transfer(bytes);
    if let Ok(text) = core::str::from_utf8(bytes) {
        if let Ok(zone) = master_records(text, &Name::root()).and_then(|records| SignedZone::new(&records)) {
            let _ = zone.answer(b"\0\0\x01\0\0\x01\0\0\0\0\0\0\x01b\x01a\0\0\x01\0\x01", true);
        }
    }
});
