//! ICMPv6 messages: errors, echo, neighbour discovery, listener discovery.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thru_wire::icmpv6::{Icmpv6, Icmpv6View};
use thru_wire::ipv4::Protocol;
use thru_wire::mld::MldView;
use thru_wire::ndp::NdpView;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(view) = Icmpv6View::new(bytes) {
        let (quoted, extensions) =
            (view.quoted().map_or(0, <[u8]>::len), view.extensions().map_or(0, <[u8]>::len));
        assert!(quoted + extensions <= view.payload().len());
    }
    if let Ok(view) = NdpView::new(bytes) {
        assert!(view.options().count() <= bytes.len());
    }
    if let Ok(view) = MldView::new(bytes) {
        let _ = (view.kind(), view.group(), view.max_response_code(), view.sources().count());
        for record in view.records().flatten() {
            let _ = record.sources().count();
        }
    }
    if let Ok((message, payload)) = Icmpv6::parse(bytes, None) {
        let pseudo = thru_fuzz::pseudo(true, Protocol::ICMPV6);
        let mut out = Vec::new();
        message.emit_into(payload, &pseudo, &mut out);
        assert_eq!(out.len(), message.header_len() + payload.len());
        assert_eq!(Icmpv6::parse(&out, Some(&pseudo)), Ok((message, payload)));
    }
});
