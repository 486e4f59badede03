//! Round-trip times and the retransmission timeout (RFC 6298), samples by RFC 7323 and Karn.

use core::time::Duration;

use super::TcpConfig;

/// RFC 6298 2.1.
const INITIAL_RTO: Duration = Duration::from_secs(1);
/// RFC 6298 5.7: after a SYN was lost and nothing could be measured.
const CAUTIOUS_RTO: Duration = Duration::from_secs(3);

/// G of RFC 6298 2.3: also on a path without delay, time must pass before something is sent again.
const GRANULARITY: Duration = Duration::from_millis(1);

/// What is known of the path's delay.
#[derive(Clone, Debug)]
pub(crate) struct Rtt {
    /// In nanoseconds, as the three below; none yet: [`UNKNOWN`].
    smoothed: u64,
    variation: u64,
    min: u64,
    max: u64,
    /// Nothing was measured, and a SYN was lost.
    cautious: bool,
    backoff: u32,
}

/// No sample yet.
const UNKNOWN: u64 = u64::MAX;

#[inline]
pub(crate) fn nanos(time: Duration) -> u64 {
    let nanos = time.as_secs().saturating_mul(1_000_000_000).saturating_add(u64::from(time.subsec_nanos()));
    nanos.min(UNKNOWN - 1)
}

fn known(nanos: u64) -> Option<Duration> {
    (nanos != UNKNOWN).then(|| Duration::from_nanos(nanos))
}

impl Rtt {
    pub(crate) fn new() -> Rtt {
        Rtt { smoothed: UNKNOWN, variation: 0, min: UNKNOWN, max: UNKNOWN, cautious: false, backoff: 0 }
    }

    /// A measured time; ends any backoff (RFC 6298 5.7, Karn: only unambiguous samples get here).
    pub(crate) fn sample(&mut self, rtt: Duration) {
        self.backoff = 0;
        self.shortest(rtt);
        let rtt = nanos(rtt);
        self.max = if self.max == UNKNOWN { rtt } else { self.max.max(rtt) };
        if self.smoothed == UNKNOWN {
            self.variation = rtt / 2;
            self.smoothed = rtt;
        } else {
            // RFC 6298 2.3, in this order: the variation uses the old mean.
            self.variation = self.variation - self.variation / 4 + self.smoothed.abs_diff(rtt) / 4;
            self.smoothed = self.smoothed - self.smoothed / 8 + rtt / 8;
        }
    }

    /// A time that counts for the minimum only: what was sent last and acknowledged met no delayed acknowledgement.
    pub(crate) fn shortest(&mut self, rtt: Duration) {
        self.min = self.min.min(nanos(rtt));
    }

    /// RFC 6298 5.7: the first data after a lost SYN starts with a longer timeout.
    pub(crate) fn syn_was_lost(&mut self) {
        self.cautious = self.smoothed == UNKNOWN;
    }

    /// RFC 6298 5.5.
    pub(crate) fn back_off(&mut self) {
        self.backoff = self.backoff.saturating_add(1);
    }

    /// New data was acknowledged: the path works, even if the sample was ambiguous.
    pub(crate) fn forget_backoff(&mut self) {
        self.backoff = 0;
    }

    /// The timeout now, backoff included. The floor is put under the variation rather than under the sum, as
    /// Linux does: on a steady path of 300 ms, a timeout of 301 ms would fire whenever an acknowledgement is delayed.
    pub(crate) fn rto(&self, config: &TcpConfig) -> Duration {
        Duration::from_nanos(self.rto_nanos(config))
    }

    /// The same in nanoseconds: it is asked for every segment.
    pub(crate) fn rto_nanos(&self, config: &TcpConfig) -> u64 {
        let base = match self.smoothed {
            UNKNOWN if self.cautious => nanos(CAUTIOUS_RTO),
            UNKNOWN => nanos(INITIAL_RTO),
            smoothed => {
                let floor = nanos(config.min_rto.max(GRANULARITY));
                smoothed.saturating_add(self.variation.saturating_mul(4).max(floor))
            }
        };
        if self.backoff == 0 {
            return base.min(nanos(config.max_rto));
        }
        let doubled = base.saturating_mul(1 << self.backoff.min(MOST_DOUBLINGS));
        doubled.saturating_add(nanos(config.habits.rto_slop)).min(nanos(config.max_rto))
    }

    /// How often the timeout is doubled.
    pub(crate) fn backoff(&self) -> u32 {
        self.backoff
    }

    pub(crate) fn smoothed(&self) -> Option<Duration> {
        known(self.smoothed)
    }

    pub(crate) fn variation(&self) -> Duration {
        Duration::from_nanos(self.variation)
    }

    pub(crate) fn min(&self) -> Option<Duration> {
        known(self.min)
    }

    pub(crate) fn max(&self) -> Option<Duration> {
        known(self.max)
    }
}

/// Beyond this any timeout has reached its ceiling.
const MOST_DOUBLINGS: u32 = 16;

/// `base` doubled `times` times, without overflow.
pub(crate) fn backed_off(base: Duration, times: u32) -> Duration {
    base.saturating_mul(1 << times.min(MOST_DOUBLINGS))
}

/// How long the SYN waits before transmission number `sent + 1`: five waits of a second, then doubling, so that
/// SYNs leave at 0, 1, 2, 3, 4, 5, 7, 11, 19, 35 and 67 s, as from a current Linux (`tcp_syn_linear_timeouts` = 4).
pub(crate) fn syn_timeout(retransmissions: u32, config: &TcpConfig) -> Duration {
    let doubled = retransmissions.saturating_sub(config.habits.syn_linear_timeouts);
    let slop = if retransmissions > 0 { config.habits.rto_slop } else { Duration::ZERO };
    (backed_off(config.habits.initial_rto, doubled) + slop).min(config.max_rto)
}

/// How long a SYN ACK waits: doubling from the start.
pub(crate) fn syn_ack_timeout(retransmissions: u32, config: &TcpConfig) -> Duration {
    backed_off(config.habits.initial_rto, retransmissions).min(config.max_rto)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn rfc_6298_arithmetic() {
        let config = TcpConfig { min_rto: Duration::ZERO, ..TcpConfig::default() };
        let mut rtt = Rtt::new();
        assert_eq!(rtt.rto(&config), ms(1_000));
        rtt.sample(ms(100));
        assert_eq!((rtt.smoothed(), rtt.variation()), (Some(ms(100)), ms(50)));
        assert_eq!(rtt.rto(&config), ms(300));
        rtt.sample(ms(180));
        assert_eq!((rtt.smoothed(), rtt.variation()), (Some(ms(110)), Duration::from_micros(57_500)));
        assert_eq!(rtt.rto(&config), ms(340));
    }

    #[test]
    fn a_timeout_is_never_zero() {
        let config = TcpConfig { min_rto: Duration::ZERO, ..TcpConfig::default() };
        let mut rtt = Rtt::new();
        rtt.sample(Duration::ZERO);
        assert_eq!(rtt.rto(&config), ms(1));
    }

    #[test]
    fn backoff_doubles_up_to_the_ceiling_and_a_sample_ends_it() {
        let config = TcpConfig::default();
        let mut rtt = Rtt::new();
        rtt.sample(ms(100));
        rtt.sample(ms(100));
        let base = rtt.rto(&config);
        rtt.back_off();
        assert_eq!(rtt.rto(&config), base * 2);
        for _ in 0..40 {
            rtt.back_off();
        }
        assert_eq!(rtt.rto(&config), config.max_rto);
        rtt.sample(ms(100));
        assert!(rtt.rto(&config) < base * 2);
    }

    #[test]
    fn syns_leave_when_linux_sends_them() {
        let config = TcpConfig::default();
        let mut at = Duration::ZERO;
        let times: Vec<u64> = (0..=10)
            .map(|sent| {
                at += syn_timeout(sent, &config);
                at.as_secs()
            })
            .collect();
        assert_eq!(times, [1, 2, 3, 4, 5, 7, 11, 19, 35, 67, 131]);
    }
}
