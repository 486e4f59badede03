#![no_main]
//! Any bytes as a capture, as a file and as frames: the doctor reads them to their end and says something whose evidence
//! is there.

use libfuzzer_sys::fuzz_target;
use thru_dissect::Meta;
use thru_dissect::file::{Item, Reader};
use thru_passive::Doctor;

const LINKS: [u16; 6] = [1, 101, 113, 276, 228, 0];

fuzz_target!(|bytes: &[u8]| {
    let mut doctor = Doctor::new();
    if let Ok(mut reader) = Reader::new(bytes) {
        let mut interfaces = reader.interfaces().to_vec();
        while let Ok(Some(item)) = reader.next() {
            match item {
                Item::Packet(record) => {
                    let meta = Meta::of(&record, interfaces.get(record.interface as usize));
                    doctor.packet(&meta, record.bytes);
                }
                Item::Interface(_) => interfaces = reader.interfaces().to_vec(),
                Item::Section(_) => interfaces.clear(),
                _ => {}
            }
        }
    } else if let Some((&first, mut rest)) = bytes.split_first() {
        let (mut number, mut time) = (0, 0);
        while let Some(&[wait, length]) = rest.first_chunk() {
            rest = &rest[2..];
            let (frame, after) = rest.split_at(rest.len().min(usize::from(length)));
            rest = after;
            number += 1;
            time += u64::from(wait) * u64::from(wait) * 100_000;
            let meta = Meta {
                number,
                time: Some(time),
                interface: 0,
                interface_name: None,
                link: LINKS[usize::from(first) % LINKS.len()],
                // Some are cut.
                original: frame.len() as u32 + u32::from(wait % 3),
                comments: &[],
            };
            doctor.packet(&meta, frame);
        }
    }
    let packets = doctor.packets();
    let found = doctor.finish();
    assert!(found.flows.len() as u64 <= packets + 1);
    for span in &found.trace.spans {
        assert!(span.start <= span.end, "a step that ends before it begins");
    }
});
