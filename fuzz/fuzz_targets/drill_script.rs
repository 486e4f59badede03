//! Any text as a script: parsed and run to its end, whatever it says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thru_drill::{Options, Persona, Verdict, run};

fuzz_target!(|data: &[u8]| {
    let Some((first, text)) = data.split_first() else { return };
    let Ok(text) = core::str::from_utf8(text) else { return };
    let persona = if first & 1 == 0 { Persona::Linux } else { Persona::FreeBsd };
    let outcome =
        run(text, &Options { persona: Some(persona), verbose: first & 2 != 0, ipv6: first & 4 != 0 });
    assert!(outcome.verdict == Verdict::Pass || !outcome.reason.is_empty(), "a verdict without a reason");
});
