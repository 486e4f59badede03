#![no_main]
//! Any bytes are described by an expression that makes exactly these bytes.

use libfuzzer_sys::fuzz_target;
use thru_craft::{First, Plan, describe};

fuzz_target!(|input: (bool, &[u8])| {
    let (ethernet, bytes) = input;
    let words = describe(if ethernet { First::Ethernet } else { First::Ip }, bytes);
    let plan = Plan::parse(&words).expect("a description is an expression");
    assert_eq!(plan.count(), 1);
    assert_eq!(plan.nth(0).expect("one").bytes().expect("as large"), bytes, "{words}");
});
