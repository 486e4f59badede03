//! Challenge acknowledgements against blind attackers, and their limit (RFC 5961 7).

use core::time::Duration;
use thru_wire::Instant;

use crate::random::Random;

const PERIOD: Duration = Duration::from_secs(1);

/// What the whole host may still send in this second.
#[derive(Debug)]
pub(crate) struct ChallengeLimit {
    per_second: u32,
    /// One connection answers senseless segments no oftener.
    interval: Duration,
    since: Option<Instant>,
    left: u64,
    random: Random,
}

impl ChallengeLimit {
    pub(crate) fn new(per_second: u32, interval: Duration, random: Random) -> ChallengeLimit {
        ChallengeLimit { per_second, interval, since: None, left: 0, random }
    }

    /// Whether one more may be sent. `last` is when this connection last did.
    pub(crate) fn allow(&mut self, now: Instant, last: &mut Option<Instant>) -> bool {
        if last.is_some_and(|last| now.since(last) < self.interval) {
            return false;
        }
        if self.since.is_none_or(|since| now.since(since) >= PERIOD) {
            self.since = Some(now);
            // A fixed number would let one connection count another's challenges (CVE-2016-5696).
            let half = u64::from(self.per_second) / 2;
            self.left = half + self.random.below(half + 1);
        }
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        *last = Some(now);
        true
    }
}
