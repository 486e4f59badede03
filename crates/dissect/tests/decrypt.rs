//! Encrypted connections are opened with the secrets that a lab wrote beside the packets, and only with those.

use std::path::Path;
use thru_dissect::file::{Item, Reader};
use thru_dissect::show::write_value;
use thru_dissect::{Arena, Dissector, Meta, Options};

/// The values of a field in all packets of a capture. `secrets`: whether those in the file are used.
fn values(name: &str, field: &str, secrets: bool) -> Vec<String> {
    values_if(name, field, secrets, |_| true)
}

/// The same, but one packet was not captured.
fn values_without(name: &str, field: &str, gone: u64) -> Vec<String> {
    values_if(name, field, true, |number| number != gone)
}

fn values_if(name: &str, field: &str, secrets: bool, keep: impl Fn(u64) -> bool) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let file = std::fs::read(path).expect("the capture is there");
    let mut reader = Reader::new(&file[..]).expect("a capture");
    let (mut dissector, mut arena) =
        (Dissector::new(Options { reassemble_out_of_order: true, ..Options::default() }), Arena::new());
    let mut found = Vec::new();
    while let Some(item) = reader.next().expect("a whole capture") {
        match item {
            Item::Secrets { kind, bytes } if secrets => assert!(dissector.secrets(kind, bytes) > 0),
            Item::Packet(record) if keep(record.number) => {
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

#[test]
fn every_suite_resumption_early_data_and_key_updates() {
    let words = |name, field| values(name, field, true);
    // ChaCha20 in TLS 1.2 and AES-256 in a session that is resumed: no certificate the second time.
    assert_eq!(words("tls12-chacha.pcapng", "http.request.method"), ["GET"]);
    assert_eq!(words("tls12-resumed.pcapng", "http.request.uri"), ["/", "/two"]);
    let types = words("tls12-resumed.pcapng", "tls.handshake.type");
    assert_eq!(types.iter().filter(|kind| *kind == "11").count(), 1);
    assert_eq!(types.iter().filter(|kind| *kind == "20").count(), 4, "two times Finished for each");
    // Words that were said after one, two and three updates, by hand through openssl.
    let said: Vec<Vec<u8>> = words("tls13-update.pcapng", "data.data").iter().map(|hex| unhex(hex)).collect();
    assert_eq!(
        said,
        [&b"one\n"[..], b"hello\n", b"two\n", b"three\n", b"more\n", b"four\n"].map(<[u8]>::to_vec)
    );
    assert_eq!(words("tls13-update.pcapng", "tls.handshake.key_update.request_update").len(), 4);
    let said: Vec<Vec<u8>> = words("tls13-early.pcapng", "data.data").iter().map(|hex| unhex(hex)).collect();
    assert_eq!(said, [&b"first\n"[..], b"early words\n", b"second\n"].map(<[u8]>::to_vec));
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).expect("a digit") as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

#[test]
fn records_that_are_missing_are_passed_over_and_nothing_is_made_up() {
    let all = values("tls13-update.pcapng", "data.data", true);
    for gone in 1..=36u64 {
        let left = values_without("tls13-update.pcapng", "data.data", gone);
        assert!(left.iter().all(|one| all.contains(one)), "without frame {gone}: {left:?}");
    }
    // The third update's record is lost, but not what follows.
    let left = values_without("tls13-update.pcapng", "data.data", 24);
    assert_eq!(left.len(), all.len(), "{left:?}");
}

#[test]
fn headers_of_http3_are_read() {
    assert_eq!(values("h3.pcapng", "http3.headers.method", true), ["GET"]);
    assert_eq!(values("h3.pcapng", "http3.headers.authority", true), ["www.shop.lab"]);
    assert_eq!(
        values("h3.pcapng", "tls.handshake.type", true),
        ["1", "2", "8", "11", "15", "20", "20", "4", "4"]
    );
    assert_eq!(
        values("h3.pcapng", "tls.handshake.type", false),
        ["1", "2"],
        "Initial packets anyone can open"
    );
    assert!(values("h3.pcapng", "quic.not_decrypted", true).is_empty());
}

#[test]
fn quic_of_another_program_is_followed_through_everything() {
    // aioquic, asked for keys to be updated, for another connection ID and address, for version 2, early data, a retry.
    for (name, paths) in [
        ("quic-update.pcapng", &["/", "/big", "/update", "/two", "/three", "/update", "/four", "/last"][..]),
        ("quic-migrate.pcapng", &["/", "/big", "/cid", "/moved", "/last"]),
        ("quic-v2.pcapng", &["/", "/big", "/last"]),
        ("quic-early.pcapng", &["/", "/big", "/last", "/early"]),
        ("quic-retry.pcapng", &["/", "/big", "/last"]),
    ] {
        let value = |field| values(name, field, true);
        assert_eq!(value("http3.headers.path"), paths, "{name}");
        assert_eq!(value("http3.headers.status").len(), paths.len(), "{name}");
        assert!(
            value("http3.headers.broken").is_empty() && value("http3.headers.blocked").is_empty(),
            "{name}"
        );
        assert!(value("quic.not_decrypted").is_empty(), "{name}");
        // One for each connection, whatever its addresses.
        let mut numbers = value("quic.connection.number");
        numbers.dedup();
        assert_eq!(numbers.len(), 1 + usize::from(name.contains("early")), "{name}");
    }
    let phases = values("quic-update.pcapng", "quic.key_phase", true);
    assert!(phases.contains(&"0".to_owned()) && phases.contains(&"1".to_owned()));
}

#[test]
fn blocks_in_chains_and_counters_with_macs_are_opened() {
    // OpenSSL's client and server: AES128-SHA, DHE-RSA-AES256-SHA256, ECDHE-RSA-AES256-SHA384 (each encrypted before its
    // MAC, as both offer it), AES128-CCM; then TLS 1.0 and 1.1, with what they agree upon.
    for (name, count) in [("tls12-blocks.pcapng", 4), ("tls-old.pcapng", 2)] {
        assert_eq!(values(name, "http.request.method", true), vec!["GET"; count], "{name}");
        assert!(values(name, "http.request.method", false).is_empty(), "{name}");
        let ends = values(name, "tls.handshake.verify_data", true);
        assert_eq!(ends.len(), 2 * count, "{name}: both have finished");
        assert!(values(name, "tls.not_decrypted", true).is_empty(), "{name}");
    }
}

#[test]
fn datagrams_are_opened() {
    // DTLS 1.2 with AES-GCM, AES128-SHA, a key that both knew before, a client's certificate and small datagrams; DTLS 1.0.
    let words = [&b"words of the client\n"[..], b"words of the server\n"].map(<[u8]>::to_vec);
    let said = |gone| -> Vec<Vec<u8>> {
        values_without("dtls.pcapng", "data.data", gone).iter().map(|hex| unhex(hex)).collect()
    };
    assert_eq!(said(0), words.iter().cycle().take(10).cloned().collect::<Vec<_>>());
    let types = values("dtls.pcapng", "dtls.handshake.type", true);
    assert_eq!(types.iter().filter(|kind| *kind == "20").count(), 10, "Finished, which is sealed");
    assert!(values("dtls.pcapng", "data.data", false).is_empty());
    // Datagrams do not depend on each other, only on the hellos.
    for gone in 1..=82 {
        let said = said(gone);
        assert!(said.len() >= 8 && said.iter().all(|one| words.contains(one)), "without frame {gone}");
    }
}

#[test]
fn compressed_messages_of_websocket_are_unpacked() {
    let said = values("websocket.pcapng", "websocket.payload.text", true);
    let long = "\u{e4}".repeat(25);
    for text in ["words", "go"] {
        assert_eq!(said.iter().filter(|one| *one == text).count(), 4, "{said:?}");
    }
    assert_eq!(said.iter().filter(|one| one.starts_with(&long)).count(), 4, "{said:?}");
}
