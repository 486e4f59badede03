#![no_main]
//! Any text as a filter of either kind; what is understood is compiled and run.

use libfuzzer_sys::fuzz_target;
use thru_dissect::filter::Filter;

fuzz_target!(|input: (&str, &[u8])| {
    let (text, packet) = input;
    for filter in [Filter::display(text), Filter::pcap(text)] {
        match filter {
            Ok(filter) => {
                if let Ok(program) = filter.compile(1) {
                    program.run(packet, packet.len() as u32);
                    thru_dissect::filter::ebpf::xdp(&program, 1, 2);
                }
                if let Ok(Some(program)) = filter.for_socket(276) {
                    program.keeping(96).run(packet, packet.len() as u32);
                }
            }
            Err(error) => assert!(error.column <= text.chars().count()),
        }
    }
});
