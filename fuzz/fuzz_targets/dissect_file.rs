#![no_main]
//! Any bytes as a capture file.

use libfuzzer_sys::fuzz_target;
use thru_dissect::file::{Item, Reader};

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut reader) = Reader::new(bytes) else { return };
    while let Ok(Some(item)) = reader.next() {
        match item {
            Item::Packet(packet) => assert!(packet.comments().count() <= bytes.len()),
            Item::Names(names) => assert!(names.pairs().count() <= bytes.len()),
            _ => {}
        }
    }
});
