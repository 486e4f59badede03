#![no_main]
//! Encrypted connections of real programs, with the secrets that open them, whose packets were changed: dropped,
//! doubled, cut, bytes overwritten. Then any bytes as frames of HTTP/2 in the clear, on a connection of their own.

use libfuzzer_sys::fuzz_target;
use thru_dissect::file::{Item, Reader};
use thru_dissect::show::{JsonScratch, LineOptions, json_line, line, outline};
use thru_dissect::{Arena, Dissector, Meta, Options};

const CAPTURES: [&[u8]; 9] = [
    include_bytes!("../../crates/dissect/tests/data/tls13-early.pcapng"),
    include_bytes!("../../crates/dissect/tests/data/tls13-update.pcapng"),
    include_bytes!("../../crates/dissect/tests/data/tls12-chacha.pcapng"),
    include_bytes!("../../crates/dissect/tests/data/quic-update.pcapng"),
    include_bytes!("../../crates/dissect/tests/data/h3.pcapng"),
    include_bytes!("../../crates/dissect/tests/data/tls12-blocks.pcapng"),
    include_bytes!("../../crates/dissect/tests/data/tls-old.pcapng"),
    include_bytes!("../../crates/dissect/tests/data/dtls.pcapng"),
    include_bytes!("../../crates/dissect/tests/data/websocket.pcapng"),
];

fuzz_target!(|input: (u8, Vec<(u8, u8, u16, u8)>, Vec<Vec<u8>>)| {
    let (which, changes, frames) = input;
    let mut dissector = Dissector::new(Options::default());
    let (mut arena, mut out, mut scratch) = (Arena::new(), Vec::new(), JsonScratch::default());
    let mut show = |dissector: &mut Dissector, meta: &Meta<'_>, bytes: &[u8]| {
        let tree = dissector.dissect(meta, bytes, &mut arena);
        out.clear();
        line(&mut out, tree, &LineOptions::default());
        outline(&mut out, tree);
        assert!(std::str::from_utf8(&out).is_ok());
        out.clear();
        json_line(&mut out, tree, &mut scratch);
        for piece in tree.pieces() {
            let _ = tree.piece_bytes(piece);
        }
    };
    let file = CAPTURES[usize::from(which) % CAPTURES.len()];
    let mut reader = Reader::new(file).expect("a capture");
    while let Some(item) = reader.next().expect("a whole capture") {
        match item {
            Item::Secrets { kind, bytes } => {
                dissector.secrets(kind, bytes);
            }
            Item::Packet(record) => {
                let mut bytes = record.bytes.to_vec();
                let mut times = 1;
                for (_, what, at, byte) in
                    changes.iter().filter(|change| u64::from(change.0) == record.number)
                {
                    let at = usize::from(*at) % bytes.len().max(1);
                    match what % 4 {
                        0 => times = 0,
                        1 => times = 2,
                        2 => bytes.truncate(at),
                        _ => bytes.iter_mut().skip(at).take(1).for_each(|old| *old = *byte),
                    }
                }
                for _ in 0..times {
                    show(&mut dissector, &Meta::of(&record, None), &bytes);
                }
            }
            _ => {}
        }
    }
    let mut stream = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    for frame in &frames {
        stream.extend(&(frame.len().saturating_sub(6) as u32).to_be_bytes()[1..]);
        stream.extend(frame);
    }
    let mut seq = 1_u32;
    for (number, piece) in stream.chunks(200).enumerate() {
        let mut packet =
            vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 0x9C, 0x40, 0x1F, 0x90];
        packet[2..4].copy_from_slice(&((40 + piece.len()) as u16).to_be_bytes());
        packet.extend(seq.to_be_bytes());
        packet.extend([0, 0, 0, 0, 0x50, 16, 1, 0, 0, 0, 0, 0]);
        packet.extend(piece);
        seq += piece.len() as u32;
        let meta = Meta {
            number: number as u64 + 1000,
            time: None,
            interface: 0,
            interface_name: None,
            link: 101,
            original: packet.len() as u32,
            comments: &[],
        };
        show(&mut dissector, &meta, &packet);
    }
});
