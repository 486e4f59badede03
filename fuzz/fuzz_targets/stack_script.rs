//! Two hosts, a bad link, and a script: write, deliver, lose, duplicate, reorder, wait, close.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thru_fuzz::script::{Script, run};

fuzz_target!(|script: Script| run(&script));
