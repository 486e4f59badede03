//! ARP packets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thru_wire::arp::{Arp, ArpView};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(view) = ArpView::new(bytes) {
        let _ = (view.hardware_type(), view.protocol_type(), view.operation());
        let _ =
            (view.sender_hardware(), view.sender_protocol(), view.target_hardware(), view.target_protocol());
    }
    if let Ok(packet) = Arp::parse(bytes) {
        let mut out = Vec::new();
        packet.emit_into(&mut out);
        assert_eq!(out, bytes[..Arp::LEN]);
        assert_eq!(Arp::parse(&out), Ok(packet));
    }
});
