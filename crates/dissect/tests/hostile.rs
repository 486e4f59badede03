//! No bytes make a dissector panic, loop or allocate without bound: every truncation of real packets, every link type,
//! bits turned over, and nonsense.

use proptest::prelude::*;
use std::path::Path;
use thru_dissect::file::{Item, Reader};
use thru_dissect::filter::Filter;
use thru_dissect::show::{JsonScratch, LineOptions, hex_dump, json_line, line, outline};
use thru_dissect::{Arena, Dissector, Meta, Options, Tree};

/// Link types that are understood, and one that is not.
const LINKS: [u16; 9] = [0, 1, 12, 101, 108, 113, 228, 276, 147];

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
        let mut dissector = Dissector::new(Options { verify_checksums: true });
        let step = if frame.len() > 400 { 7 } else { 1 };
        for cut in (0..=frame.len()).step_by(step) {
            for original in [cut, frame.len()] {
                let tree = dissector.dissect(&meta(cut as u64 + 1, 1, original), &frame[..cut], &mut arena);
                show(tree, &mut out, &mut scratch);
            }
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
        let mut dissector = Dissector::new(Options { verify_checksums: true });
        for number in 1..3 {
            let tree = dissector.dissect(&meta(number, 1, len), &frame, &mut arena);
            show(tree, &mut out, &mut scratch);
        }
    }

    #[test]
    fn any_bytes_as_udp_to_any_port(port in prop::sample::select(vec![53u16, 67, 123, 443, 2152, 4789, 5353, 6081]), payload in prop::collection::vec(any::<u8>(), 0..300)) {
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
