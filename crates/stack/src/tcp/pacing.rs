//! When the next segment may leave: earliest departure times at the controller's rate (draft-ietf-ccwg-bbr 5.6.2),
//! in bursts of its quantum, to the nanosecond.

use core::time::Duration;

use thru_wire::Instant;

use super::congestion::Controller;
use super::on_demand::idle;
use super::rtt::Rtt;

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

/// The clock of one connection's departures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pacer {
    /// When the next burst may begin.
    next: Instant,
    /// What is left of the burst that has begun, in bytes.
    left: u64,
    /// Parts of a nanosecond that divisions left over, times the rate.
    rest: u64,
}

idle!(Pacer, Pacer { next: Instant::START, left: 0, rest: 0 });

impl Pacer {
    /// When the next segment may leave; a time that has passed means now.
    pub(crate) fn departure(&self) -> Instant {
        if self.left > 0 { Instant::START } else { self.next }
    }

    /// `len` bytes leave at `now`, at `rate` bytes per second in bursts of `quantum` bytes.
    pub(crate) fn sent(&mut self, now: Instant, len: u64, rate: u64, quantum: u64) {
        let rate = rate.max(1);
        if self.left == 0 {
            self.left = quantum.max(1);
            // A timer that came late is made up for, but by no more than half a burst (as Linux does).
            let credit = span(self.left / 2, rate);
            self.next = self.next.max(now - credit);
        }
        self.left = self.left.saturating_sub(len);
        let nanos = u128::from(len) * u128::from(SECOND) + u128::from(self.rest.min(rate - 1));
        let rate = u128::from(rate);
        self.rest = (nanos % rate) as u64;
        self.next += Duration::from_nanos(u64::try_from(nanos / rate).unwrap_or(u64::MAX));
    }
}

/// How long `bytes` take at `rate` bytes per second.
fn span(bytes: u64, rate: u64) -> Duration {
    let nanos = u128::from(bytes) * u128::from(SECOND) / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// The rate for a controller that has none of its own, in bytes per second: the window in a bit less than a round
/// trip, twice that while it may double (Linux's `tcp_pacing_ss_ratio` and `tcp_pacing_ca_ratio`).
pub(crate) fn rate_of_window(controller: &dyn Controller, rtt: &Rtt) -> Option<u64> {
    let nanos = rtt.smoothed()?.as_nanos().max(1);
    let window = controller.window();
    let percent = if window < controller.slow_start_threshold() / 2 { 200 } else { 120 };
    u64::try_from(u128::from(window) * u128::from(SECOND) * percent / 100 / nanos).ok()
}

/// The quantum for such a rate: a millisecond's worth, between two segments and 64 KiB.
pub(crate) fn quantum_of_rate(rate: u64, mss: u64) -> u64 {
    (rate / 1_000).min(64 * 1_024).max(2 * mss)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends `count` segments of `len` bytes as early as allowed; when each left.
    fn departures(pacer: &mut Pacer, count: usize, len: u64, rate: u64, quantum: u64) -> Vec<u64> {
        let mut now = Instant::from_millis(1_000);
        (0..count)
            .map(|_| {
                now = now.max(pacer.departure());
                pacer.sent(now, len, rate, quantum);
                now.nanos() - 1_000_000_000
            })
            .collect()
    }

    #[test]
    fn departures_keep_the_rate_to_the_nanosecond() {
        // 1500 bytes at 7 MB/s: 214285.714... ns.
        let times = departures(&mut Pacer::default(), 7_001, 1_500, 7_000_000, 1);
        // The first burst owes half a quantum, here nothing.
        assert_eq!(times[0], 0);
        assert_eq!(times[7_000], 1_500_000_000);
        assert!(times.windows(2).all(|pair| (214_285..=214_286).contains(&(pair[1] - pair[0]))));
    }

    #[test]
    fn bursts_have_the_quantum_and_the_mean_keeps_the_rate() {
        let times = departures(&mut Pacer::default(), 4_000, 1_000, 1_000_000, 4_000);
        for burst in times.chunks(4) {
            assert!(burst.iter().all(|&at| at == burst[0]), "{burst:?}");
        }
        // A burst every 4 ms, the first with half of one in advance.
        assert_eq!(times[3_999], 999 * 4_000_000 - 2_000_000);
    }

    #[test]
    fn a_pause_earns_half_a_burst_and_no_more() {
        let mut pacer = Pacer::default();
        departures(&mut pacer, 8, 1_000, 1_000_000, 2_000);
        let now = Instant::from_millis(9_000);
        pacer.sent(now, 1_000, 1_000_000, 2_000);
        pacer.sent(now, 1_000, 1_000_000, 2_000);
        assert_eq!(pacer.departure(), now + Duration::from_millis(1));
    }

    #[test]
    fn extreme_rates_neither_overflow_nor_divide_by_zero() {
        let mut pacer = Pacer::default();
        pacer.sent(Instant::START, u64::MAX, 0, u64::MAX);
        pacer.sent(Instant::START, 1, u64::MAX, 0);
        let mut pacer = Pacer::default();
        pacer.sent(Instant::START, 1_500, u64::MAX, 3_000);
        assert_eq!(pacer.departure(), Instant::START);
    }
}
