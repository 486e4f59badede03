//! IPv6 headers and their extension headers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thru_wire::ipv4::Protocol;
use thru_wire::ipv6::{Extension, Ipv6, Ipv6View, walk};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(view) = Ipv6View::new(bytes) {
        let _ = (view.dscp(), view.ecn(), view.flow_label(), view.payload());
        assert!(view.extensions().count() <= bytes.len() / 8);
    }
    if let Ok((header, payload)) = Ipv6::parse(bytes) {
        let mut out = Vec::new();
        header.emit_into(payload.len(), &mut out);
        out.extend_from_slice(payload);
        assert_eq!(out, bytes[..out.len()], "IPv6 keeps every bit");
        assert_eq!(Ipv6::parse(&out), Ok((header, payload)));
    }
    if let Ok(chain) = walk(bytes) {
        assert!(chain.upper_at <= bytes.len());
        assert_eq!(bytes[chain.upper_named_at], chain.upper.0);
        if let Some(problem) = chain.option_problem {
            assert!(problem.pointer < chain.upper_at);
        }
    }
    for kind in [0, 43, 44, 51, 60] {
        let kind = Protocol(kind);
        if let Ok((header, rest)) = Extension::parse(kind, bytes) {
            let mut out = Vec::new();
            header.emit_into(&mut out);
            out.extend_from_slice(rest);
            assert_eq!(out.len(), bytes.len());
            assert_eq!(Extension::parse(kind, &out), Ok((header, rest)));
        }
    }
});
