//! The instant at which something happened, in nanoseconds since a network's start.

use core::fmt;
use core::ops::{Add, AddAssign, Sub};
use core::time::Duration;

/// A point in time: nanoseconds since the start of the network it belongs to.
///
/// It is only a number: whoever owns the clock (a simulation, the kernel) makes these and passes them in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// The start of the network.
    pub const START: Instant = Instant(0);
    /// Later than any instant that can be reached: "no deadline".
    pub const NEVER: Instant = Instant(u64::MAX);

    /// The instant `nanos` nanoseconds after the start.
    #[inline]
    pub const fn from_nanos(nanos: u64) -> Instant {
        Instant(nanos)
    }

    /// The instant `millis` milliseconds after the start.
    pub const fn from_millis(millis: u64) -> Instant {
        Instant(millis * 1_000_000)
    }

    /// Nanoseconds since the start.
    #[inline]
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to this instant; zero if `earlier` is later.
    #[inline]
    pub const fn since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Whether this is [`Instant::NEVER`].
    #[inline]
    pub const fn is_never(self) -> bool {
        self.0 == u64::MAX
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    /// Saturates at [`Instant::NEVER`].
    #[inline]
    fn add(self, duration: Duration) -> Instant {
        Instant(self.0.saturating_add(nanos_of(duration)))
    }
}

/// The duration in nanoseconds, at most [`u64::MAX`]: in 64 bits, since this happens for every packet.
#[inline]
fn nanos_of(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(duration.subsec_nanos()))
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;

    /// Saturates at [`Instant::START`].
    #[inline]
    fn sub(self, duration: Duration) -> Instant {
        Instant(self.0.saturating_sub(nanos_of(duration)))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_never() {
            return f.write_str("never");
        }
        write!(f, "{}.{:09}s", self.0 / 1_000_000_000, self.0 % 1_000_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_stays_between_start_and_never() {
        let at = Instant::from_millis(1_500);
        assert_eq!(at + Duration::from_nanos(7), Instant::from_nanos(1_500_000_007));
        assert_eq!(at - Duration::from_secs(2), Instant::START);
        assert!((at + Duration::MAX).is_never());
        assert_eq!(at.since(Instant::from_millis(500)), Duration::from_secs(1));
        assert_eq!(at.since(Instant::NEVER), Duration::ZERO);
    }

    #[test]
    fn it_shows_itself_in_seconds() {
        assert_eq!(format!("{:?}", Instant::from_nanos(1_000_000_007)), "1.000000007s");
        assert_eq!(format!("{:?}", Instant::NEVER), "never");
    }
}
