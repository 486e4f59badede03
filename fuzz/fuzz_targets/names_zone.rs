//! Any text as a zone: an error or a zone; a zone written out is the same zone again, and every lookup ends.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thru_names::proto::rr::RecordType;
use thru_names::text::{parse_name, record_text};
use thru_names::zone::Zone;

fuzz_target!(|text: &str| {
    let origin = parse_name("a.lab").expect("a name");
    let Ok(zone) = Zone::parse(text, Some(&origin)) else { return };
    let mut written = String::new();
    for record in zone.records() {
        written.push_str(&record_text(&record));
        written.push('\n');
        for kind in [RecordType::A, RecordType::DS, RecordType::ANY, record.record_type()] {
            let _ = zone.lookup(&record.name, kind);
            if let Ok(below) = record.name.prepend_label("x") {
                let _ = zone.lookup(&below, kind);
            }
        }
    }
    let again = Zone::parse(&written, None).unwrap_or_else(|error| panic!("{error} in\n{written}"));
    assert_eq!(again, zone, "{written}");
});
