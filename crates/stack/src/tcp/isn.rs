//! Numbers a stranger must not foresee: initial sequence numbers (RFC 6528), timestamp offsets
//! (RFC 7323 5.4), and where the search for an ephemeral port begins (RFC 6056 3.3.4).

use siphasher::sip::SipHasher24;
use thru_wire::Instant;
use thru_wire::tcp::SeqNumber;

use super::demux::{Endpoint, Pair};
use crate::random::{Random, key};

/// First and last ephemeral port, as Linux has them.
const EPHEMERAL: core::ops::RangeInclusive<u16> = 32_768..=60_999;
const COUNTERS: usize = 256;

/// The keys of one host.
#[derive(Debug)]
pub(crate) struct Secrets {
    isn: SipHasher24,
    timestamp: SipHasher24,
    port: SipHasher24,
    /// How far the ports of each class of destinations have come (RFC 6056 algorithm 4).
    counters: Vec<u32>,
    random: Random,
}

impl Secrets {
    pub(crate) fn new(seed: u64) -> Secrets {
        let hasher = |purpose| SipHasher24::new_with_key(&key(seed, purpose));
        Secrets {
            isn: hasher("tcp isn"),
            timestamp: hasher("tcp timestamp offset"),
            port: hasher("tcp port"),
            counters: Vec::new(),
            random: Random::new(seed, "tcp port increments"),
        }
    }

    /// RFC 6528: a clock of 4 µs plus a keyed hash of the pair, so that each pair has its own rising sequence.
    pub(crate) fn isn(&self, pair: &Pair, now: Instant) -> SeqNumber {
        let clock = (now.nanos() / 4_000) as u32;
        SeqNumber(clock.wrapping_add(self.isn.hash(&pair.bytes()) as u32))
    }

    /// What is added to the millisecond clock for the timestamps of a pair. It depends on nothing else, so the
    /// clock keeps rising from one connection of the pair to the next, as TIME-WAIT reuse wants.
    pub(crate) fn timestamp_offset(&self, pair: &Pair) -> u32 {
        self.timestamp.hash(&pair.bytes()) as u32
    }

    /// An ephemeral port towards `remote` that is `free`: RFC 6056 algorithm 4 with the random increments of 5.
    /// The next search of the class goes on where this one ends.
    pub(crate) fn port(
        &mut self,
        local: Endpoint,
        remote: Endpoint,
        free: impl Fn(u16) -> bool,
    ) -> Option<u16> {
        let hash = self.port.hash(&Pair { local, remote }.bytes());
        self.counters.resize(COUNTERS, 0);
        let counter = &mut self.counters[(hash >> 32) as usize % COUNTERS];
        *counter = counter.wrapping_add(1 + self.random.below(8) as u32);
        let count = u64::from(EPHEMERAL.end() - EPHEMERAL.start()) + 1;
        for _ in 0..count {
            let port = EPHEMERAL.start() + ((u64::from(hash as u32) + u64::from(*counter)) % count) as u16;
            if free(port) {
                return Some(port);
            }
            *counter = counter.wrapping_add(1);
        }
        None
    }
}
