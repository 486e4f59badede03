//! Replay scripts out of any text: read and run to their end, and never a panic. What is changed is a script that works, so
//! that the changes reach the resolver.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thru_names::replay::run;

const SCRIPTS: [&str; 3] = [
    include_str!("../../crates/names/tests/dns-replay/answer-from-the-root-down.rpl"),
    include_str!("../../crates/names/tests/dns-replay/deckard.rpl"),
    include_str!("../../crates/names/tests/dns-replay/policy-alias-end.rpl"),
];

fuzz_target!(|data: &[u8]| {
    let _ = run(&String::from_utf8_lossy(data));
    let [which, high, low, insert @ ..] = data else { return };
    let script = SCRIPTS[usize::from(*which) % SCRIPTS.len()].as_bytes();
    let at = usize::from(u16::from_be_bytes([*high, *low])) % script.len();
    let insert = &insert[..insert.len().min(256)];
    // Once between, and once instead of what is there.
    let between = [&script[..at], insert, &script[at..]].concat();
    let instead = [&script[..at], insert, script.get(at + insert.len()..).unwrap_or(&[])].concat();
    let _ = run(&String::from_utf8_lossy(&between));
    let _ = run(&String::from_utf8_lossy(&instead));
});
