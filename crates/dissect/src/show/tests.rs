use super::*;
use crate::{Arena, Dissector, Meta, Options};

#[test]
fn hostile_words_cannot_move_a_cursor() {
    let shown = |words: &[u8]| {
        let mut out = Vec::new();
        escape(&mut out, words);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(shown(b"a\x1b[2Jb\xff\n"), "a\\x1b[2Jb\\xff\\n");
    assert_eq!(shown("x\u{202e}y\u{200b}\u{9b}".as_bytes()), "x\\u{202e}y\\u{200b}\\x9b");
    assert_eq!(shown("zoë 東京".as_bytes()), "zoë 東京");
}

fn line_of(bytes: &[u8], options: &LineOptions) -> String {
    let mut arena = Arena::new();
    let meta = Meta {
        number: 3,
        time: Some(1_700_000_000_123_456_000),
        interface: 0,
        interface_name: None,
        link: 101,
        original: bytes.len() as u32,
        comments: &[],
    };
    let tree = Dissector::new(Options::default()).dissect(&meta, bytes, &mut arena);
    let mut out = Vec::new();
    line(&mut out, tree, options);
    String::from_utf8(out).unwrap()
}

#[test]
fn lines_are_tcpdumps() {
    let syn = [
        0x45, 0, 0, 44, 0, 1, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 0x9C, 0x40, 1, 0xBB, 0, 0, 0,
        9, 0, 0, 0, 0, 0x60, 2, 0xFF, 0xFF, 0, 0, 0, 0, 2, 4, 5, 0xB4,
    ];
    assert_eq!(
        line_of(&syn, &LineOptions::default()),
        "22:13:20.123456 IP 192.0.2.1.40000 > 192.0.2.2.443: Flags [S], seq 9, win 65535, options [mss 1460], length 0\n"
    );
    let options = LineOptions { time: TimeStyle::Date, number: true, link: false, interface: false };
    assert!(line_of(&syn, &options).starts_with("    3  2023-11-14 22:13:20.123456 IP "));
    let options = LineOptions { time: TimeStyle::None, ..LineOptions::default() };
    assert!(line_of(&syn, &options).starts_with("IP "));
    assert_eq!(line_of(&[0xFF; 9], &options), "Raw, length 9\n");
}
