//! What a diagnosis may cost beyond the request it explains, and what of that is left.
//!
//! Nothing is counted twice: every probe writes what it did into the trace, and what was spent is read from there. A probe
//! that is not needed for the first finding asks before it begins whether its cost is still there.

use std::time::Duration;

use thru_trace::{Trace, cost};

use crate::Recorder;

/// So much, of packets and of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Packets sent and received.
    pub packets: u32,
    /// Time in which neither the request was under way nor anything was waited for in vain.
    pub time: Duration,
}

impl Budget {
    /// What a user may be asked to wait, and a network to carry, for an explanation.
    pub const DIAGNOSIS: Budget = Budget { packets: 300, time: Duration::from_secs(5) };

    /// What the steps recorded so far leave of it. A part is held back for what no step writes down: searches for
    /// neighbours, farewells of connections, answers that were sent again.
    pub fn left(self, recorder: &Recorder) -> Budget {
        let trace = Trace { spans: recorder.spans(), ..Trace::default() };
        let packets = u32::try_from(cost::packets(&trace)).unwrap_or(u32::MAX);
        let time = Duration::from_nanos(cost::beyond(&trace.spans));
        Budget {
            packets: self.packets.saturating_sub(HELD_BACK.packets).saturating_sub(packets),
            time: self.time.saturating_sub(HELD_BACK.time).saturating_sub(time),
        }
    }

    /// Whether `cost` is within it.
    pub fn allows(self, cost: Budget) -> bool {
        cost.packets <= self.packets && cost.time <= self.time
    }

    /// What is left if `cost` is set aside.
    pub fn without(self, cost: Budget) -> Budget {
        Budget {
            packets: self.packets.saturating_sub(cost.packets),
            time: self.time.saturating_sub(cost.time),
        }
    }

    /// How many pings it pays for, of `wanted`, sent `interval` apart, if an answer takes up to `wait`.
    pub fn pings(self, wanted: u16, interval: Duration, wait: Duration) -> u16 {
        let by_packets = self.packets / 2;
        let by_time = self.time.saturating_sub(wait).as_nanos() / interval.as_nanos().max(1);
        let by_time = u32::try_from(by_time).unwrap_or(u32::MAX);
        u16::try_from(by_packets.min(by_time)).unwrap_or(u16::MAX).min(wanted)
    }
}

const HELD_BACK: Budget = Budget { packets: 36, time: Duration::from_millis(200) };

#[cfg(test)]
mod tests {
    use super::*;

    const fn budget(packets: u32, millis: u64) -> Budget {
        Budget { packets, time: Duration::from_millis(millis) }
    }

    #[test]
    fn pings_are_paid_in_packets_and_in_time() {
        let (interval, wait) = (Duration::from_millis(20), Duration::from_millis(200));
        assert_eq!(budget(300, 5_000).pings(50, interval, wait), 50);
        assert_eq!(budget(60, 5_000).pings(50, interval, wait), 30);
        assert_eq!(budget(300, 600).pings(50, interval, wait), 20);
        assert_eq!(budget(300, 100).pings(50, interval, wait), 0);
    }

    #[test]
    fn what_is_set_aside_is_not_spent() {
        assert!(budget(40, 1_000).allows(budget(40, 1_000)));
        assert!(!budget(40, 1_000).allows(budget(41, 0)));
        assert!(!budget(40, 1_000).without(budget(10, 0)).allows(budget(31, 0)));
        assert_eq!(budget(10, 10).without(budget(20, 20)), budget(0, 0));
    }
}
