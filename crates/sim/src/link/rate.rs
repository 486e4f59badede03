//! The rate stage: when a frame has left a link of limited rate, by an exact token bucket in integers.

use core::time::Duration;

use thru_wire::Instant;

/// Nanoseconds per second.
const SECOND: u64 = 1_000_000_000;

/// A token bucket, kept as the instant at which it was empty: at `t` it holds `rate * (t - empty_at)`, at most `burst`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pacer {
    empty_at: Instant,
    /// What `empty_at` falls short of the exact instant, in 1/rate nanoseconds: without it, rounding would make a
    /// 3 Gbit/s link a percent too fast on small frames.
    remainder: u64,
}

impl Pacer {
    /// When a frame of `bytes` that starts at `start` has left, and the tokens for it are spent.
    pub(crate) fn send(&mut self, start: Instant, bytes: usize, rate: Option<u64>, burst: usize) -> Instant {
        let Some(rate) = rate else { return start };
        let rate = rate.max(1);
        // The bucket cannot hold more than `burst`: it was empty no longer ago than it takes to fill.
        let depth = Duration::from_nanos(transmission(burst, rate, 0).0);
        // (A frame that starts when the one before it has left starts at the rounded instant: nothing was missed.)
        if self.left() < start - depth {
            self.empty_at = start - depth;
            self.remainder = 0;
        }
        let (nanos, remainder) = transmission(bytes, rate, self.remainder);
        self.empty_at += Duration::from_nanos(nanos);
        self.remainder = remainder;
        self.left().max(start)
    }

    /// The first whole nanosecond at which the bucket is no longer below empty.
    fn left(&self) -> Instant {
        self.empty_at + Duration::from_nanos(u64::from(self.remainder != 0))
    }

    /// The rate has changed: what was owed in fractions of the old one is forgotten.
    pub(crate) fn rate_changed(&mut self) {
        self.remainder = 0;
    }
}

/// How long `bytes` take at `rate` bits per second: whole nanoseconds, and what is left in 1/rate nanoseconds.
fn transmission(bytes: usize, rate: u64, remainder: u64) -> (u64, u64) {
    let work = u128::from(bytes as u64) * 8 * u128::from(SECOND) + u128::from(remainder);
    if let Ok(work) = u64::try_from(work) {
        return (work / rate, work % rate);
    }
    let nanos = u64::try_from(work / u128::from(rate)).unwrap_or(u64::MAX);
    (nanos, (work % u128::from(rate)) as u64)
}
