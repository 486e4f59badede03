//! What IPv6 extension headers lead to.

use super::*;

/// An IPv6 packet whose first extension header is of kind `first`.
fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0, 0, rest.len() as u8, first, 64];
    bytes.extend_from_slice(&[0xfd; 16]);
    bytes.extend_from_slice(&[0xfe; 16]);
    bytes.extend_from_slice(rest);
    bytes
}

#[track_caller]
fn check(first: u8, rest: &[u8], expected: &str) {
    let bytes = packet(first, rest);
    let said = match Header::parse(&bytes).unwrap().upper(&bytes) {
        Upper::Protocol { protocol, at, named_at } => {
            format!("protocol {protocol} at {at} named at {named_at}")
        }
        Upper::Fragment { id, offset, more, header } => {
            format!("fragment {id} {offset} {more} at {} named at {}", header.header_at, header.named_at)
        }
        Upper::Nothing => "nothing".into(),
        Upper::Truncated => "truncated".into(),
        Upper::Problem { code, pointer, even_to_group } => {
            format!("problem {code} at {pointer} {even_to_group}")
        }
    };
    assert_eq!(said, expected, "{first} then {rest:02x?}");
}

#[test]
fn the_way_to_the_upper_layer() {
    check(17, &[0; 8], "protocol 17 at 40 named at 6");
    check(59, &[0; 8], "nothing");
    check(0, &[17, 0, 1, 4, 0, 0, 0, 0], "protocol 17 at 48 named at 40");
    check(60, &[17, 0, 1, 4, 0, 0, 0, 0], "protocol 17 at 48 named at 40");
    check(0, &[43, 0, 1, 4, 0, 0, 0, 0, 6, 0, 9, 0, 0, 0, 0, 0], "protocol 6 at 56 named at 48");
    check(60, &[17, 1, 1, 4, 0, 0, 0, 0], "truncated");
    check(60, &[17, 0, 1], "truncated");
}

#[test]
fn fragments_and_atomic_ones() {
    check(44, &[17, 0, 0, 0, 0, 0, 0, 9], "protocol 17 at 48 named at 40");
    check(44, &[17, 0, 0, 1, 0, 0, 0, 9], "fragment 9 0 true at 40 named at 6");
    check(44, &[17, 0, 0, 16, 0, 0, 0, 9], "fragment 9 16 false at 40 named at 6");
    check(0, &[44, 0, 1, 4, 0, 0, 0, 0, 17, 0, 0, 17, 0, 0, 0, 9], "fragment 9 16 true at 48 named at 40");
}

#[test]
fn what_we_do_not_know_says_itself_what_to_do() {
    check(60, &[17, 0, 0x1e, 4, 0, 0, 0, 0], "protocol 17 at 48 named at 40");
    check(60, &[17, 0, 0x5e, 4, 0, 0, 0, 0], "nothing");
    check(60, &[17, 0, 0x9e, 4, 0, 0, 0, 0], "problem 2 at 42 true");
    check(60, &[17, 0, 0xde, 4, 0, 0, 0, 0], "problem 2 at 42 false");
    check(43, &[17, 0, 0, 1, 0, 0, 0, 0], "problem 0 at 42 false");
    check(60, &[0, 0, 1, 4, 0, 0, 0, 0, 17, 0, 1, 4, 0, 0, 0, 0], "problem 1 at 40 false");
    // Nobody can check an authentication header here.
    check(51, &[17, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1], "protocol 51 at 40 named at 6");
    check(
        60,
        &[51, 0, 1, 4, 0, 0, 0, 0, 17, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1],
        "protocol 51 at 48 named at 40",
    );
}
