//! Updates and transaction signatures in any octets: what is refused does no harm, what is taken leaves a zone, and its
//! journal leads there again. Journals and keys in any text.
#![no_main]

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use thru_names::authority::SignedZone;
use thru_names::authority::tsig::{Key, Keyring, sign_query};
use thru_names::authority::update::journal::{self, Journal};
use thru_names::authority::update::{Grant, Updates, changed_zone};
use thru_names::proto::rr::{Name, RecordType};
use thru_names::rdata::master_records;
use thru_names::text::record_line;
use thru_names::wire::RawRecord;

static ZONE: LazyLock<SignedZone> = LazyLock::new(|| {
    let text = "a. 9 SOA ns.a. m.a. 1 2 3 4 5\na. 9 NS ns.a.\nns.a. 9 A 192.0.2.1\nw.a. 9 A 192.0.2.2\nz.a. 9 CNAME w.a.\n";
    SignedZone::new(&master_records(text, &Name::root()).expect("legal records")).expect("it has a SOA")
});
static KEY: LazyLock<Key> = LazyLock::new(|| Key::new("k", "hmac-sha256", b"secret").expect("a key"));

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, message)) = bytes.split_first() else { return };
    let from = IpAddr::from([192, 0, 2, 9]);
    let mut updates = Updates { keys: Keyring::new([KEY.clone()]), ..Updates::default() };
    if kind & 4 == 4 {
        let text = String::from_utf8_lossy(message);
        let _ = Key::from_file(&text);
        if let Ok(journal) = Journal::read(&text) {
            assert!(journal.whole <= text.len());
            let _ = journal.shortened(2).on_top_of(ZONE.origin(), &ZONE.records());
        }
        return;
    }
    let mut message = message.to_vec();
    if kind & 1 == 1 {
        updates.grant = Grant { keys: vec![KEY.name().clone()], ..Grant::default() };
    } else {
        updates.grant = Grant { from: vec![(from, 32)], ..Grant::default() };
    }
    if kind & 2 == 2 && message.len() >= 12 {
        message = sign_query(&Arc::new(KEY.clone()), 1000, &message).0;
    }
    let _ = updates.respond(1000, from, &message, |_, packet| match changed_zone(&ZONE, packet) {
        Ok(Some(zone)) => {
            let origin = zone.origin();
            assert!(zone.set(origin, RecordType::SOA).is_some_and(|set| set.data.len() == 1));
            assert!(zone.set(origin, RecordType::NS).is_some());
            let (old, new) = (ZONE.records(), zone.records());
            let text = journal::head(origin, &journal::print_of(&old), false) + &journal::step(&ZONE.change_to(&zone));
            let again = Journal::read(&text).expect("our own").on_top_of(origin, &old);
            let lines = |records: &[RawRecord]| records.iter().map(record_line).collect::<BTreeSet<_>>();
            assert_eq!(lines(&again), lines(&new), "{text}");
            0
        }
        Ok(None) => 0,
        Err(code) => code,
    });
});
