//! DHCP messages.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thru_wire::dhcp::{Dhcp, DhcpView};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(view) = DhcpView::new(bytes) {
        let _ = (view.op(), view.xid(), view.secs(), view.broadcast(), view.addresses(), view.chaddr());
        assert!(view.options().count() <= bytes.len());
    }
    if let Ok(message) = Dhcp::parse(bytes) {
        let mut out = Vec::new();
        message.emit_into(&mut out);
        assert_eq!(Dhcp::parse(&out), Ok(message));
    }
});
