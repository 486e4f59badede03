#![no_main]
//! Any text as a `.proto` file.

use libfuzzer_sys::fuzz_target;
use thru_dissect::schema::Schema;

fuzz_target!(|text: &str| {
    let mut schema = Schema::new();
    if schema.take(text).is_ok() {
        // What was understood once is understood again.
        assert!(schema.clone().take(text).is_ok());
    }
});
