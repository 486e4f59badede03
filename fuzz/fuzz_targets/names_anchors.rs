//! Any text as a file of trust anchors: an error, or a trust point whose own file reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thru_names::dnssec::upkeep::TrustPoint;

fuzz_target!(|text: &str| {
    if let Ok(point) = TrustPoint::from_text(text) {
        let once = TrustPoint::from_text(&point.to_text());
        if let Ok(once) = once {
            // Each reading turns the order of the keys round.
            let twice = TrustPoint::from_text(&once.to_text()).expect("its own file");
            assert_eq!(twice.keys.len(), once.keys.len());
        }
    }
});
