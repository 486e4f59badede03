//! UDP datagrams.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thru_wire::ipv4::Protocol;
use thru_wire::udp::{Udp, UdpView};

fuzz_target!(|bytes: &[u8]| {
    for v6 in [false, true] {
        let pseudo = thru_fuzz::pseudo(v6, Protocol::UDP);
        if let Ok(view) = UdpView::new(bytes) {
            let _ = (view.payload(), view.checksum_is_valid(&pseudo));
        }
        let _ = Udp::parse(bytes, Some(&pseudo));
        if let Ok((header, payload)) = Udp::parse(bytes, None) {
            let mut out = Vec::new();
            header.emit_into(payload, &pseudo, &mut out);
            assert_eq!(Udp::parse(&out, Some(&pseudo)), Ok((header, payload)));
        }
    }
});
