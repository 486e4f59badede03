//! Answers kept as octets: any query, any reply kept for it; and the files of a key.

#![no_main]

use std::sync::Arc;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use thru_names::dnssec::signing::keyfile::Keys;
use thru_names::packed::{PackedAnswers, PlainQuery, lowest_ttl};
use thru_wire::Instant;

fuzz_target!(|input: (&[u8], &[u8])| {
    let (query, reply) = input;
    lowest_ttl(reply);
    if let Some(plain) = PlainQuery::read(query) {
        let mut packed = PackedAnswers::new((1, 2), 1 << 16);
        packed.keep(Instant::START, Instant::START + Duration::from_secs(9), &plain, reply);
        let mut out = Vec::new();
        let found = packed.answer(Instant::START + Duration::from_secs(3), &plain, query, &mut out);
        assert_eq!(found, !out.is_empty());
        assert!(!found || (out.len() == reply.len() && out[..2] == query[..2]));
    }
    if let (Ok(private), Ok(public)) = (std::str::from_utf8(query), std::str::from_utf8(reply)) {
        let random = Arc::new(ring::rand::SystemRandom::new());
        let _ = Keys { private, public }.read(random);
    }
});
