#![no_main]
//! Any text as an expression; what is understood makes packets, and those are described by one that makes the same.

use libfuzzer_sys::fuzz_target;
use thru_craft::mutate::{Seeded, mutate};
use thru_craft::{First, Plan, describe};

fuzz_target!(|input: (&str, u64)| {
    let (text, seed) = input;
    let plan = match Plan::parse(text) {
        Ok(plan) => plan,
        Err(error) => return assert!(error.column <= text.chars().count() && error.length > 0),
    };
    let mut random = Seeded::new(seed);
    for index in [0, plan.count() / 2, plan.count() - 1] {
        let packet = plan.nth(index).expect("within the set");
        for packet in [mutate(&packet, &mut random), packet] {
            let Ok(bytes) = packet.bytes() else { continue };
            if bytes.len() > 2_000 {
                continue;
            }
            for first in [First::Ethernet, First::Ip] {
                let words = describe(first, &bytes);
                let again = Plan::parse(&words).expect("a description is an expression");
                assert_eq!(again.nth(0).expect("one").bytes().expect("as large"), bytes, "{words}");
            }
        }
    }
});
