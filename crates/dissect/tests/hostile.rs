//! No bytes make a dissector panic, loop or allocate without bound: every truncation of real packets, every link type,
//! bits turned over, and nonsense.

use proptest::prelude::*;
use std::path::Path;
use thru_dissect::file::{Item, Reader};
use thru_dissect::filter::Filter;
use thru_dissect::show::{JsonScratch, LineOptions, hex_dump, json_line, line, outline};
use thru_dissect::{Arena, Dissector, Meta, Options, Tree};

/// Link types that are understood, and one that is not.
const LINKS: [u16; 12] = [0, 1, 9, 12, 50, 51, 101, 108, 113, 228, 276, 147];

/// The frames of the captures that a lab wrote.
fn samples() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut frames = Vec::new();
    for name in ["h3.pcapng", "tls.pcapng", "icmp.pcapng"] {
        let file = std::fs::read(folder.join(name)).expect("the capture is there");
        let mut reader = Reader::new(&file[..]).expect("a capture");
        while let Some(item) = reader.next().expect("a whole capture") {
            if let Item::Packet(packet) = item {
                frames.push(packet.bytes.to_vec());
            }
        }
    }
    assert!(frames.len() > 60, "{} frames", frames.len());
    frames
}

/// Packets of every protocol: of each capture that is compared with tshark's, the first of each length.
fn samples_of_protocols() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agree");
    let entries = std::fs::read_dir(folder).expect("the captures are there");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "pcap"));
    paths.sort();
    let mut frames = Vec::new();
    for path in paths {
        let file = std::fs::read(path).expect("the capture is there");
        let mut reader = Reader::new(&file[..]).expect("a capture");
        let mut lengths = std::collections::BTreeSet::new();
        while let Some(item) = reader.next().expect("a whole capture") {
            if let Item::Packet(packet) = item
                && packet.bytes.len() < 1000
                && lengths.len() < 16
                && lengths.insert(packet.bytes.len())
            {
                frames.push(packet.bytes.to_vec());
            }
        }
    }
    assert!(frames.len() > 200, "{} frames", frames.len());
    frames
}

#[test]
fn claims_of_any_length_on_the_wire() {
    let mut arena = Arena::new();
    for claimed in [0, 1, 65_536, u32::MAX] {
        let mut dissector = Dissector::new(Options::default());
        for (number, mut frame) in samples().into_iter().chain(samples_of_protocols()).enumerate() {
            for told in [true, false] {
                // IPv4's and IPv6's length of 0: the frame tells.
                if !told && frame.len() > 20 {
                    let at = if frame[12] == 0x86 { 18 } else { 16 };
                    frame[at..at + 2].fill(0);
                }
                let meta = meta(number as u64, 1, claimed as usize);
                let tree = dissector.dissect(&meta, &frame, &mut arena);
                let mut out = Vec::new();
                line(&mut out, tree, &LineOptions::default());
                outline(&mut out, tree);
            }
        }
    }
}

fn meta(number: u64, link: u16, original: usize) -> Meta<'static> {
    let time = Some(1_700_000_000_000_000_000 + number * 1_000_000);
    Meta { number, time, interface: 0, interface_name: None, link, original: original as u32, comments: &[] }
}

/// Shows a tree in every form; what is shown is legal text, and JSON is JSON.
fn show(tree: Tree<'_>, out: &mut Vec<u8>, scratch: &mut JsonScratch) {
    for field in tree.fields() {
        assert!(tree.bytes(field).len() <= field.len as usize);
    }
    out.clear();
    line(out, tree, &LineOptions::default());
    outline(out, tree);
    hex_dump(out, tree);
    let text = std::str::from_utf8(out).expect("text");
    assert!(
        !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')),
        "nothing moves a cursor: {text:?}"
    );
    out.clear();
    json_line(out, tree, scratch);
    let value: serde_json::Value = serde_json::from_slice(out).expect("JSON");
    assert!(value["layers"].is_array());
}

#[test]
fn every_truncation_of_real_packets() {
    let (mut arena, mut out, mut scratch) = (Arena::new(), Vec::new(), JsonScratch::default());
    for frame in samples() {
        let mut dissector = Dissector::new(Options { verify_checksums: true, ..Options::default() });
        let step = if frame.len() > 400 { 7 } else { 1 };
        for cut in (0..=frame.len()).step_by(step) {
            for original in [cut, frame.len()] {
                let tree = dissector.dissect(&meta(cut as u64 + 1, 1, original), &frame[..cut], &mut arena);
                show(tree, &mut out, &mut scratch);
            }
        }
    }
}

/// Each cut goes through a dissector of its own, and in a row through one that remembers the cuts before.
#[test]
fn every_truncation_of_every_protocol() {
    let (mut arena, mut out, mut scratch) = (Arena::new(), Vec::new(), JsonScratch::default());
    for frame in samples_of_protocols() {
        let mut remembers = Dissector::new(Options::default());
        for cut in (14..=frame.len()).step_by(if frame.len() > 150 { 5 } else { 1 }) {
            let meta = meta(cut as u64 + 1, 1, cut);
            Dissector::new(Options::default()).dissect(&meta, &frame[..cut], &mut arena);
            show(remembers.dissect(&meta, &frame[..cut], &mut arena), &mut out, &mut scratch);
        }
    }
}

#[test]
fn every_packet_as_every_link_type() {
    let (mut arena, mut out, mut scratch) = (Arena::new(), Vec::new(), JsonScratch::default());
    let mut dissector = Dissector::new(Options::default());
    for (number, frame) in samples().iter().enumerate() {
        for link in LINKS {
            for skip in [0, 14] {
                let bytes = &frame[skip..];
                let tree = dissector.dissect(&meta(number as u64 + 1, link, bytes.len()), bytes, &mut arena);
                show(tree, &mut out, &mut scratch);
            }
        }
    }
}

/// Captures of encrypted connections, with the secrets in them.
const OPENED: [&str; 7] = [
    "h2-nginx.pcapng",
    "h3.pcapng",
    "quic-early.pcapng",
    "quic-update.pcapng",
    "tls12-resumed.pcapng",
    "tls13-early.pcapng",
    "tls13-update.pcapng",
];

/// Shows a capture whose packets `change` has changed; `None`: one was not captured.
fn show_changed(name: &str, mut change: impl FnMut(usize, Vec<u8>) -> Option<Vec<u8>>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    let file = std::fs::read(path).expect("the capture is there");
    let mut reader = Reader::new(&file[..]).expect("a capture");
    let (mut arena, mut out, mut scratch) = (Arena::new(), Vec::new(), JsonScratch::default());
    let mut dissector = Dissector::new(Options::default());
    while let Some(item) = reader.next().expect("a whole capture") {
        match item {
            Item::Secrets { kind, bytes } => assert!(dissector.secrets(kind, bytes) > 0),
            Item::Packet(packet) => {
                if let Some(bytes) = change(packet.number as usize, packet.bytes.to_vec()) {
                    let meta = meta(packet.number, 1, packet.original as usize);
                    show(dissector.dissect(&meta, &bytes, &mut arena), &mut out, &mut scratch);
                }
            }
            _ => {}
        }
    }
}

#[test]
fn opened_connections_with_each_packet_missing_or_cut() {
    for name in OPENED {
        for place in 1..=40 {
            show_changed(name, |number, bytes| (number != place).then_some(bytes));
            show_changed(name, |number, mut bytes| {
                if number == place {
                    bytes.truncate(bytes.len() / 2 + 27);
                }
                Some(bytes)
            });
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn opened_connections_with_packets_swapped_doubled_and_changed(
        which in 0usize..7,
        changes in prop::collection::vec((1usize..60, 0usize..1200, any::<u8>()), 1..8),
    ) {
        let mut held: Option<Vec<u8>> = None;
        show_changed(OPENED[which], |number, mut bytes| {
            for (place, at, byte) in &changes {
                if *place == number {
                    match at % 3 {
                        0 => return held.replace(bytes),
                        1 => held = Some(bytes.clone()),
                        _ => {
                            let len = bytes.len();
                            bytes[at % len] = *byte;
                        }
                    }
                }
            }
            Some(bytes)
        });
    }

    /// What is inside of TLS or QUIC can be anything, too: here it comes in the clear.
    #[test]
    fn any_bytes_as_frames_of_http2(
        frames in prop::collection::vec((0u8..12, any::<u8>(), 0u32..6, prop::collection::vec(any::<u8>(), 0..80)), 1..20),
        cut in 1usize..60,
    ) {
        let mut stream = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        for (kind, flags, id, payload) in &frames {
            stream.extend(&(payload.len() as u32).to_be_bytes()[1..]);
            stream.extend([*kind, *flags]);
            stream.extend(id.to_be_bytes());
            stream.extend(payload);
        }
        let (mut arena, mut out, mut scratch) = (Arena::new(), Vec::new(), JsonScratch::default());
        let mut dissector = Dissector::new(Options::default());
        let mut seq = 1u32;
        for (number, piece) in stream.chunks(cut.max(24)).enumerate() {
            let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
            packet[2..4].copy_from_slice(&((40 + piece.len()) as u16).to_be_bytes());
            packet.extend([0x9C, 0x40, 0x1F, 0x90]);
            packet.extend(seq.to_be_bytes());
            packet.extend([0, 0, 0, 0, 0x50, 16, 1, 0, 0, 0, 0, 0]);
            packet.extend(piece);
            seq += piece.len() as u32;
            let meta = meta(number as u64 + 1, 101, packet.len());
            show(dissector.dissect(&meta, &packet, &mut arena), &mut out, &mut scratch);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn real_packets_with_bytes_changed(at in 0usize..70, changes in prop::collection::vec((0usize..1500, any::<u8>()), 1..12)) {
        let frames = samples();
        let mut frame = frames[at % frames.len()].clone();
        let len = frame.len();
        for (place, byte) in changes {
            frame[place % len] = byte;
        }
        let (mut arena, mut out, mut scratch) = (Arena::new(), Vec::new(), JsonScratch::default());
        let mut dissector = Dissector::new(Options { verify_checksums: true, ..Options::default() });
        for number in 1..3 {
            let tree = dissector.dissect(&meta(number, 1, len), &frame, &mut arena);
            show(tree, &mut out, &mut scratch);
        }
    }

    #[test]
    fn any_bytes_as_udp_to_any_port(port in prop::sample::select(vec![53u16, 67, 123, 161, 443, 514, 547, 853, 2055, 2152, 3478, 4739, 4789, 5060, 5353, 6081]), payload in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
        let total = (28 + payload.len()) as u16;
        packet[2..4].copy_from_slice(&total.to_be_bytes());
        packet.extend(40_000u16.to_be_bytes());
        packet.extend(port.to_be_bytes());
        packet.extend((8 + payload.len() as u16).to_be_bytes());
        packet.extend([0, 0]);
        packet.extend(payload);
        let (mut arena, mut out, mut scratch) = (Arena::new(), Vec::new(), JsonScratch::default());
        let tree = Dissector::new(Options::default()).dissect(&meta(1, 101, packet.len()), &packet, &mut arena);
        show(tree, &mut out, &mut scratch);
    }

    #[test]
    fn any_bytes_as_a_stream_to_any_port(port in prop::sample::select(vec![21u16, 22, 25, 53, 80, 179, 443, 1080, 1883, 3306, 3478, 5060, 5432, 6379]), pieces in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 1..120)), 1..6)) {
        let (mut arena, mut out, mut scratch) = (Arena::new(), Vec::new(), JsonScratch::default());
        let mut dissector = Dissector::new(Options::default());
        let mut sequence = [1000u32, 9000];
        for (number, (to_server, payload)) in pieces.into_iter().enumerate() {
            let side = usize::from(to_server);
            let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
            packet[2..4].copy_from_slice(&(40 + payload.len() as u16).to_be_bytes());
            let (from, to) = if to_server { (40_000u16, port) } else { (port, 40_000u16) };
            if !to_server {
                packet.swap(15, 19);
            }
            packet.extend(from.to_be_bytes());
            packet.extend(to.to_be_bytes());
            packet.extend(sequence[side].to_be_bytes());
            packet.extend(sequence[1 - side].to_be_bytes());
            packet.extend([0x50, 0x18, 0x10, 0, 0, 0, 0, 0]);
            sequence[side] += payload.len() as u32;
            packet.extend(payload);
            let tree = dissector.dissect(&meta(number as u64 + 1, 101, packet.len()), &packet, &mut arena);
            show(tree, &mut out, &mut scratch);
        }
    }

    #[test]
    fn any_text_as_a_filter(text in "[a-z0-9.=!&|()\\[\\]:<>\" -]{0,60}") {
        for filter in [Filter::display(&text), Filter::pcap(&text)] {
            if let Err(error) = filter {
                prop_assert!(error.column <= text.chars().count(), "{error:?}");
            }
        }
    }

    #[test]
    fn any_bytes_as_a_file(mut bytes in prop::collection::vec(any::<u8>(), 0..400), magic in 0usize..3) {
        let magics: [&[u8]; 3] = [&[0xD4, 0xC3, 0xB2, 0xA1], &[0x0A, 0x0D, 0x0D, 0x0A, 28, 0, 0, 0, 0x4D, 0x3C, 0x2B, 0x1A], &[]];
        bytes.splice(0..0, magics[magic].iter().copied());
        if let Ok(mut reader) = Reader::new(&bytes[..]) {
            while let Ok(Some(_)) = reader.next() {}
        }
    }
}
