//! Ethernet headers with VLAN tags.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thru_wire::ethernet::{Ethernet, EthernetView};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(view) = EthernetView::new(bytes) {
        let _ = (view.dst(), view.src(), view.tags().count(), view.ethertype(), view.payload());
        assert_eq!(view.header_len() + view.payload().len(), bytes.len());
    }
    if let Ok((header, payload)) = Ethernet::parse(bytes) {
        let mut out = Vec::new();
        header.emit_into(&mut out);
        assert_eq!(out.len(), header.header_len());
        out.extend_from_slice(payload);
        assert_eq!(out, bytes, "Ethernet keeps every bit");
        assert_eq!(Ethernet::parse(&out), Ok((header, payload)));
    }
});
