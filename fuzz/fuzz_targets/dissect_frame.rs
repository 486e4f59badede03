#![no_main]
//! Any bytes as frames of any link type, one after the other through one dissector. The first two bytes choose the link
//! type and whether checksums are verified.

use libfuzzer_sys::fuzz_target;
use thru_dissect::show::{JsonScratch, LineOptions, hex_dump, json_line, line, outline};
use thru_dissect::{Arena, Dissector, Meta, Options};

fuzz_target!(|input: (u16, bool, Vec<Vec<u8>>)| {
    let (link, verify_checksums, frames) = input;
    let links = [0, 1, 9, 12, 51, 101, 108, 113, 228, 276, link];
    let mut dissector =
        Dissector::new(Options { verify_checksums, reassemble_out_of_order: link & 512 != 0 });
    let (mut arena, mut out, mut scratch) = (Arena::new(), Vec::new(), JsonScratch::default());
    for (number, frame) in frames.iter().enumerate() {
        let meta = Meta {
            number: number as u64 + 1,
            time: Some(number as u64 * 1_000_000),
            interface: 0,
            interface_name: None,
            link: links[usize::from(link) % links.len()],
            original: frame.len() as u32 + u32::from(link & 256 != 0),
            comments: &[],
        };
        let tree = dissector.dissect(&meta, frame, &mut arena);
        out.clear();
        line(&mut out, tree, &LineOptions::default());
        outline(&mut out, tree);
        hex_dump(&mut out, tree);
        assert!(std::str::from_utf8(&out).is_ok());
        out.clear();
        json_line(&mut out, tree, &mut scratch);
    }
});
