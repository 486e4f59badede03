//! IPv4 headers with options.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thru_wire::ipv4::{self, Ipv4, Ipv4Options, Ipv4View};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(view) = Ipv4View::new(bytes) {
        let _ = (view.header(), view.payload(), view.checksum_is_valid(), view.is_fragment());
        for option in view.options().flatten() {
            let _ = option.addresses().count();
        }
    }
    let mut mended = bytes.to_vec();
    thru_fuzz::mend_ipv4(&mut mended);
    if let Ok((header, payload)) = Ipv4::parse(&mended) {
        check(header, payload);
        assert!(ipv4::decrement_ttl(&mut mended) == (header.ttl > 0));
        ipv4::set_ecn(&mut mended, 3);
        let marked = Ipv4 { ttl: header.ttl.saturating_sub(1), ecn: 3, ..header };
        assert_eq!(Ipv4::parse(&mended).map(|(header, _)| header), Ok(marked));
    }
    if let Ok((header, payload)) = Ipv4::parse_quoted(bytes) {
        check(header, payload);
    }
});

fn check(header: Ipv4, payload: &[u8]) {
    let mut out = Vec::new();
    header.emit_into(payload.len(), &mut out);
    assert_eq!(out.len(), header.header_len());
    out.extend_from_slice(payload);
    assert_eq!(Ipv4::parse(&out), Ok((header, payload)));
    let copied = header.options.copied();
    assert_eq!(copied.copied(), copied);
    assert!(copied.iter().count() <= header.options.iter().count());
    let _ = Ipv4Options::parse(payload);
}
