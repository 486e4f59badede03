//! `thru dig` as a user meets it in the lab: chains of trust, audits, one-line answers, JSON.

use std::process::{Command, Output};

fn thru(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_thru")).args(args).env_remove("COLUMNS").output().expect("it starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Exit code, and that the output says all of this.
fn check(args: &[&str], code: i32, wanted: &[&str]) {
    let output = thru(args);
    let text = said(&output);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}\n{text}\n{errors}");
    for part in wanted {
        assert!(text.contains(part), "{args:?} lacks {part:?}:\n{text}");
    }
}

#[test]
fn a_chain_of_trust_holds_ends_or_breaks() {
    check(
        &["dig", "www.shop.lab", "+chain"],
        0,
        &["anchor ", "shop.lab.  secure", "www.shop.lab. A: 1 A record  secure", "secure: every link holds"],
    );
    check(&["dig", "old.bank.lab", "+chain"], 0, &["no DS, proven by", "insecure: from bank.lab. on"]);
    check(&["dig", "nosuch.shop.lab", "AAAA", "+chain"], 0, &["no such name  secure"]);
    check(
        &["dig", "www.shop.lab", "+chain", "--on", "lab:dnssec-ds-digest"],
        1,
        &[
            "FITS NO KEY",
            "broken at shop.lab.: the DNSKEY records of shop.lab. have no key that matches the DS set above",
            "RFC 4035 5.2",
        ],
    );
    check(
        &["dig", "www.shop.lab", "+chain", "--on", "lab:dnssec-expired", "--json"],
        1,
        &["\"kind\":\"dig-chain\"", "\"state\":\"broken\""],
    );
}

#[test]
fn the_picture_of_a_chain_goes_where_asked() {
    let file = std::env::temp_dir().join(format!("thru-chain-{}.svg", std::process::id()));
    check(&["dig", "www.shop.lab", "--svg", file.to_str().expect("a name")], 0, &["secure"]);
    let svg = std::fs::read_to_string(&file).expect("it was written");
    assert!(svg.starts_with("<svg") && svg.contains("www.shop.lab. A"), "{svg}");
    std::fs::remove_file(&file).expect("it is there");
}

#[test]
fn an_audit_finds_what_is_wrong_and_only_that() {
    check(
        &["dig", "--check", "www.shop.lab"],
        0,
        &["zone shop.lab., delegated by lab.", "serial 2026030201", "[one-server; RFC 1034 4.1]"],
    );
    check(
        &["dig", "--check", "www.shop.lab", "--on", "lab:dns-lame"],
        1,
        &["error: ", "[lame-server; RFC 1912 2.8]"],
    );
    check(
        &["dig", "--check", "www.shop.lab", "--on", "lab:dnssec-expired", "--json"],
        1,
        &["\"code\":\"chain-broken\""],
    );
}

#[test]
fn one_line_and_the_whole_message() {
    check(
        &["dig", "www.shop.lab", "+brief"],
        0,
        &["www.shop.lab is at 203.0.113.10 (signed and checked; good for"],
    );
    check(&["dig", "www.nosuch.lab", "+brief"], 0, &["www.nosuch.lab does not exist"]);
    check(
        &["dig", "www.shop.lab", "+dnssec", "--json"],
        0,
        &["\"QNAME\":\"www.shop.lab.\"", "\"TYPEname\":\"RRSIG\"", "\"AD\":1"],
    );
    check(&["dig", "www.shop.lab", "+trace"], 0, &[" ms  ", " (a.root-servers.lab.) for .: "]);
}
