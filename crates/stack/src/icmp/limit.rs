//! How many ICMP errors may leave in a second.

use thru_wire::Instant;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// A token bucket (RFC 1812 4.3.2.8, RFC 4443 2.4(f)): `rate` per second, and as many at once after a quiet second.
#[derive(Debug)]
pub(crate) struct RateLimit {
    rate: u64,
    /// Tokens in nanoseconds of waiting: one error costs `NANOS_PER_SECOND / rate`.
    credit: u64,
    counted_at: Instant,
}

impl RateLimit {
    pub(crate) fn per_second(rate: u32) -> RateLimit {
        RateLimit { rate: u64::from(rate), credit: NANOS_PER_SECOND, counted_at: Instant::START }
    }

    /// Whether one more may go now; if so, it is counted.
    pub(crate) fn allow(&mut self, now: Instant) -> bool {
        let waited = u64::try_from(now.since(self.counted_at).as_nanos()).unwrap_or(u64::MAX);
        self.counted_at = now.max(self.counted_at);
        self.credit = self.credit.saturating_add(waited).min(NANOS_PER_SECOND);
        let Some(cost) = NANOS_PER_SECOND.checked_div(self.rate) else { return false };
        let allowed = self.credit >= cost;
        if allowed {
            self.credit -= cost;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(limit: &mut RateLimit, now: Instant, tries: u32) -> usize {
        (0..tries).filter(|_| limit.allow(now)).count()
    }

    #[test]
    fn a_burst_then_the_rate() {
        let mut limit = RateLimit::per_second(10);
        assert_eq!(allowed(&mut limit, Instant::START, 50), 10);
        assert_eq!(allowed(&mut limit, Instant::from_millis(99), 5), 0);
        assert_eq!(allowed(&mut limit, Instant::from_millis(300), 5), 3);
        assert_eq!(allowed(&mut limit, Instant::from_millis(90_000), 50), 10);
    }

    #[test]
    fn none_means_none() {
        assert_eq!(allowed(&mut RateLimit::per_second(0), Instant::from_millis(5_000), 5), 0);
    }
}
