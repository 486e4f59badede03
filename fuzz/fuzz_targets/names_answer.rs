//! Queries of any bytes to name servers, and zones of any text.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use thru_names::resolver::ResolverConfig;
use thru_names::responder::Responder;
use thru_names::service::{Out, Service, ServiceConfig};
use thru_names::zone::Zone;
use thru_wire::Instant;

static RESPONDER: LazyLock<Responder> = LazyLock::new(|| {
    let text = "$ORIGIN a.\n$TTL 60\n@ SOA ns mail 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\nb CNAME c\nc CNAME b\n\
                * TXT \"any\"\nd NS ns.d\nns.d AAAA 2001:db8::1\n";
    Responder::new([Zone::parse(text, None).expect("a legal zone")])
});

fuzz_target!(|bytes: &[u8]| {
    for over_udp in [false, true] {
        if let Some(answer) = RESPONDER.answer(bytes, over_udp) {
            assert!(answer.len() >= 12 && answer[..2] == bytes[..2], "an answer to something else");
            assert!(answer[2] & 0x80 != 0, "an answer that is a query");
            // Two servers must not talk for ever.
            assert!(RESPONDER.answer(&answer, over_udp).is_none());
        }
        let mut service = Service::new(ServiceConfig::new(ResolverConfig::new(Vec::new())), [7; 32]);
        service.query(Instant::START, 1, [192, 0, 2, 1].into(), !over_udp, bytes);
        while let Some(out) = service.poll() {
            if let Out::Reply { message: Some(reply), .. } = out {
                assert!(reply.len() >= 12 && reply[..2] == bytes[..2]);
            }
        }
    }
    if let Ok(text) = core::str::from_utf8(bytes) {
        if let Ok(zone) = Zone::parse(text, None) {
            let responder = Responder::new([zone]);
            let _ = responder.answer(b"\0\0\x01\0\0\x01\0\0\0\0\0\0\x01b\x01a\0\0\x01\0\x01", true);
        }
    }
});
