//! TCP headers with options.
#![no_main]

use libfuzzer_sys::fuzz_target;
use thru_wire::ipv4::Protocol;
use thru_wire::tcp::{Tcp, TcpOptions, TcpView};

fuzz_target!(|bytes: &[u8]| {
    let pseudo = thru_fuzz::pseudo(false, Protocol::TCP);
    if let Ok(view) = TcpView::new(bytes) {
        let _ = (view.flags(), view.reserved(), view.payload(), view.checksum_is_valid(&pseudo));
        assert!(view.options().count() <= 41);
    }
    if let Ok((header, payload)) = Tcp::parse(bytes, None) {
        check(header, payload);
    }
    // The option list alone, so that every byte of the input counts.
    if let Ok(options) = TcpOptions::parse(&bytes[..bytes.len().min(40)]) {
        let _ = (
            options.extra.fast_open(),
            options.extra.user_timeout(),
            options.extra.md5(),
            options.extra.acc_ecn(),
        );
        check(Tcp { options, ..Tcp::default() }, b"");
    }
});

fn check(header: Tcp, payload: &[u8]) {
    let pseudo = thru_fuzz::pseudo(true, Protocol::TCP);
    let mut out = Vec::new();
    header.emit_into(payload, &pseudo, &mut out);
    assert_eq!(out.len(), header.header_len() + payload.len());
    assert_eq!(Tcp::parse(&out, Some(&pseudo)), Ok((header, payload)));
}
