//! Zone transfers of any messages, and authorities that are asked for steps they may not have.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use thru_names::authority::incoming::{Incoming, Progress};
use thru_names::authority::{Authority, SignedZone};
use thru_names::proto::rr::Name;
use thru_names::rdata::master_records;

fn zone(serial: u32, address: &str) -> Arc<SignedZone> {
    let text =
        format!("a. SOA ns.a. mail.a. {serial} 2 3 4 5\na. NS ns.a.\nns.a. A 192.0.2.1\nw.a. A {address}\n");
    let records = master_records(&text, &Name::root()).expect("legal records");
    Arc::new(SignedZone::new(&records).expect("it has a SOA"))
}

static AUTHORITY: LazyLock<Authority> = LazyLock::new(|| {
    let mut authority = Authority::new([zone(1, "192.0.2.2")]);
    assert!(authority.replace(zone(2, "192.0.2.3")));
    authority
});

fuzz_target!(|bytes: &[u8]| {
    // Messages with their length before them, as over TCP; the first octet chooses what was asked for.
    let Some((kind, mut rest)) = bytes.split_first() else { return };
    let held = (kind & 1 == 1).then(|| zone(1, "192.0.2.2"));
    let origin = AUTHORITY.zones().next().expect("a zone").origin().clone();
    let mut incoming = Incoming::new(origin.clone(), 7, held);
    while let Some((length, tail)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(tail.len());
        let mut message = tail[..length].to_vec();
        if kind & 2 == 2 && message.len() > 2 {
            message[..2].copy_from_slice(&[0, 7]);
        }
        match incoming.message(&message) {
            Ok(Progress::Done(zone, _)) => {
                assert_eq!(*zone.origin(), origin);
                break;
            }
            Ok(_) => {}
            Err(_) => break,
        }
        rest = &tail[length..];
    }
    if let Some(messages) = AUTHORITY.transfer(bytes) {
        // What we send we can read.
        let mut incoming =
            Incoming::new(origin, u16::from_be_bytes([bytes[0], bytes[1]]), Some(zone(1, "192.0.2.2")));
        for message in messages {
            incoming.message(&message).expect("our own transfer is sound");
        }
    }
});
