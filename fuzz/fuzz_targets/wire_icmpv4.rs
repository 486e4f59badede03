//! ICMP messages.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thru_wire::icmpv4::{Icmpv4, Icmpv4View};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(view) = Icmpv4View::new(bytes) {
        let (quoted, extensions) =
            (view.quoted().map_or(0, <[u8]>::len), view.extensions().map_or(0, <[u8]>::len));
        assert!(quoted + extensions <= view.payload().len());
    }
    if let Ok((message, payload)) = Icmpv4::parse_quoted(bytes) {
        let mut out = Vec::new();
        message.emit_into(payload, &mut out);
        assert_eq!(out.len(), bytes.len());
        assert_eq!(Icmpv4::parse(&out), Ok((message, payload)));
    }
});
