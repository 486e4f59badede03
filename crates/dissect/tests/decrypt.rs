//! Encrypted connections are opened with the secrets that a lab wrote beside the packets, and only with those.

use std::path::Path;
use thru_dissect::file::{Item, Reader};
use thru_dissect::show::write_value;
use thru_dissect::{Arena, Dissector, Meta, Options};

/// The values of a field in all packets of a capture. `secrets`: whether those in the file are used.
fn values(name: &str, field: &str, secrets: bool) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let file = std::fs::read(path).expect("the capture is there");
    let mut reader = Reader::new(&file[..]).expect("a capture");
    let (mut dissector, mut arena) = (Dissector::new(Options::default()), Arena::new());
    let mut found = Vec::new();
    while let Some(item) = reader.next().expect("a whole capture") {
        match item {
            Item::Secrets { kind, bytes } if secrets => assert!(dissector.secrets(kind, bytes) > 0),
            Item::Packet(record) => {
                let tree = dissector.dissect(&Meta::of(&record, None), record.bytes, &mut arena);
                for field in tree.all(field) {
                    let mut text = Vec::new();
                    write_value(&mut text, tree, field);
                    found.push(String::from_utf8(text).expect("text"));
                }
            }
            _ => {}
        }
    }
    found
}

#[test]
fn the_handshake_of_tls_1_3_is_opened() {
    // Client hello, server hello, encrypted extensions, certificate, verify, finished, finished, two tickets.
    let types = values("tls.pcapng", "tls.handshake.type", true);
    assert_eq!(types, ["1", "2", "8", "11", "15", "20", "20", "4", "4"]);
    assert_eq!(values("tls.pcapng", "tls.handshake.type", false), ["1", "2"]);
    let names = values("tls.pcapng", "x509ce.dNSName", true);
    assert!(names.iter().any(|name| name == "www.shop.lab"), "{names:?}");
    assert_eq!(values("tls.pcapng", "tls.handshake.extensions_alpn_str", true).last().unwrap(), "h2");
}

#[test]
fn what_is_not_opened_says_why_once() {
    assert!(values("tls.pcapng", "tls.not_decrypted", false).is_empty(), "nobody asked");
    // A router's drop was captured with addresses that are not those of the connection.
    let why = ["the beginning of the connection was not captured"];
    assert_eq!(values("tls.pcapng", "tls.not_decrypted", true), why);
}
