//! What is known of each server's address: how fast, how reliable, whether it takes EDNS.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use thru_wire::Instant;

/// Addresses remembered; beyond it the one heard of longest ago is forgotten.
const SERVERS_MAX: usize = 4096;
/// First patience with a server we know nothing of.
const UNKNOWN: Duration = Duration::from_millis(400);
/// What an unknown server is ranked as: it is tried before known slow ones, not before known fast ones.
const UNKNOWN_RANK: Duration = Duration::from_millis(96);
/// Least and most patience for one try.
const LEAST: Duration = Duration::from_millis(200);
const MOST: Duration = Duration::from_secs(3);
/// How long a server that did not answer is put behind the others.
const PENALTY: Duration = Duration::from_secs(60);

#[derive(Clone, Debug)]
struct Server {
    /// Smoothed round trip and its variation (RFC 6298's arithmetic), zero while unmeasured.
    round_trip: Duration,
    variation: Duration,
    avoid_until: Instant,
    plain: bool,
    /// Its half of the cookie between it and us.
    cookie: Vec<u8>,
    blamed_until: Instant,
    last_used: Instant,
}

/// All servers we have dealt with.
#[derive(Debug, Default)]
pub(super) struct Servers {
    known: BTreeMap<IpAddr, Server>,
}

impl Servers {
    /// Smaller is better: servers that failed lately come last.
    pub(super) fn rank(&self, now: Instant, address: IpAddr) -> (bool, Duration) {
        match self.known.get(&address) {
            None => (false, UNKNOWN_RANK),
            // In bands of 16 ms, so that equals share the load.
            Some(server) => {
                let band = Duration::from_millis((server.round_trip.as_millis() / 16 * 16) as u64);
                (now < server.avoid_until, band)
            }
        }
    }

    /// How long to wait for the answer to try number `tries` (from 0): it doubles with each.
    pub(super) fn patience(&self, address: IpAddr, tries: u32) -> Duration {
        let first = match self.known.get(&address) {
            Some(server) if !server.round_trip.is_zero() => server.round_trip + 4 * server.variation,
            _ => UNKNOWN,
        };
        first.clamp(LEAST, MOST).saturating_mul(1 << tries.min(4)).min(MOST)
    }

    /// Whether to leave EDNS out: it was answered with an error that went away without it.
    pub(super) fn is_plain(&self, address: IpAddr) -> bool {
        self.known.get(&address).is_some_and(|server| server.plain)
    }

    pub(super) fn answered(&mut self, now: Instant, address: IpAddr, took: Duration) {
        let server = self.entry(now, address);
        server.avoid_until = Instant::START;
        if server.round_trip.is_zero() {
            server.round_trip = took;
            server.variation = took / 2;
        } else {
            server.variation = (server.variation * 3 + server.round_trip.abs_diff(took)) / 4;
            server.round_trip = (server.round_trip * 7 + took) / 8;
        }
    }

    pub(super) fn failed(&mut self, now: Instant, address: IpAddr) {
        self.entry(now, address).avoid_until = now + PENALTY;
    }

    pub(super) fn refused_edns(&mut self, now: Instant, address: IpAddr) {
        self.entry(now, address).plain = true;
    }

    /// What it said did not validate: for a while others are asked first.
    pub(super) fn blame(&mut self, now: Instant, address: IpAddr) {
        self.entry(now, address).blamed_until = now + PENALTY;
    }

    /// Whether it said something lately that did not validate.
    pub(super) fn is_blamed(&self, now: Instant, address: IpAddr) -> bool {
        self.known.get(&address).is_some_and(|server| now < server.blamed_until)
    }

    /// The server's half of our cookie, empty while we have none.
    pub(super) fn cookie(&self, address: IpAddr) -> &[u8] {
        self.known.get(&address).map_or(&[], |server| &server.cookie)
    }

    /// Whether this server has sent a cookie before: from then on an answer without is not its own.
    pub(super) fn has_cookie(&self, address: IpAddr) -> bool {
        !self.cookie(address).is_empty()
    }

    pub(super) fn learn_cookie(&mut self, now: Instant, address: IpAddr, cookie: &[u8]) {
        self.entry(now, address).cookie = cookie.to_vec();
    }

    pub(super) fn clear(&mut self) {
        self.known.clear();
    }

    fn entry(&mut self, now: Instant, address: IpAddr) -> &mut Server {
        if self.known.len() >= SERVERS_MAX && !self.known.contains_key(&address) {
            let oldest =
                self.known.iter().min_by_key(|(_, server)| server.last_used).map(|(address, _)| *address);
            if let Some(oldest) = oldest {
                self.known.remove(&oldest);
            }
        }
        let server = self.known.entry(address).or_insert(Server {
            round_trip: Duration::ZERO,
            variation: Duration::ZERO,
            avoid_until: Instant::START,
            plain: false,
            cookie: Vec::new(),
            blamed_until: Instant::START,
            last_used: now,
        });
        server.last_used = now;
        server
    }
}
