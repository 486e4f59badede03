//! Whole frames: what was dissected is built again and dissected to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thru_wire::packet::{Transport, dissect, dissect_ip};

fuzz_target!(|bytes: &[u8]| {
    let mut frame = bytes.to_vec();
    if frame.len() > 14 {
        thru_fuzz::mend(&mut frame[14..]);
        if let Ok(transport) = Transport::of(&frame[14..]) {
            assert!(transport.at <= transport.end && transport.end <= frame.len() - 14);
            let _ = transport.ports(&frame[14..]);
        }
        let _ = dissect_ip(&frame[14..]);
    }
    let (packet, error) = dissect(&frame);
    if error.is_none() {
        let built = packet.to_vec();
        let (again, error) = dissect(&built);
        assert_eq!((again, error), (packet, None));
    }
});
