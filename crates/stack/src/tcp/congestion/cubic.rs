//! CUBIC (RFC 9438) in integers: bytes, and milliseconds since the epoch began.

use core::time::Duration;

use thru_wire::Instant;

use super::super::on_demand::OnDemand;
use super::hystart::{Growth, HyStart};
use super::{Ack, Controller, Habits};

/// Beyond this the cubic is as steep as anybody needs, and its arithmetic stays in 64 bits.
const LONGEST_MILLIS: u64 = 100_000;

/// RFC 9438. C = 0.4 segments per cubic second, beta = 0.7, fast convergence on.
#[derive(Debug)]
pub(crate) struct Cubic {
    mss: u64,
    initial: u64,
    window: u64,
    threshold: u64,
    /// Where the curve's plateau lies (W_max): the window before the last reduction, or a little below.
    max: u64,
    /// Window before the last reduction (cwnd_prior): from here on the estimate grows like Reno proper.
    prior: u64,
    /// The first slow start has not ended.
    hystart: Option<OnDemand<HyStart>>,
    /// See [`Habits::classic_hystart`](super::super::Habits) and its neighbour.
    classic: bool,
    reduces_window: bool,
    /// The shortest round trip, for the classic kind.
    shortest: Option<Duration>,
    epoch: Option<Box<Epoch>>,
    /// Bytes acknowledged that have not grown the window yet, times the target's distance.
    credit: u64,
    after_timeout: bool,
    /// What the last reduction took.
    before: Option<Box<Before>>,
}

/// The state before a reduction, for the case that it was made in error (RFC 9438 4.9).
#[derive(Clone, Debug)]
struct Before {
    window: u64,
    threshold: u64,
    max: u64,
    prior: u64,
    epoch: Option<Box<Epoch>>,
}

/// A stretch of congestion avoidance.
#[derive(Clone, Debug)]
struct Epoch {
    began: Instant,
    /// When, after the beginning, the cubic reaches `Cubic::max` (K), in milliseconds.
    reaches_max: u64,
    /// Where its plateau lies.
    origin: u64,
    /// What Reno would have (W_est), and bytes acknowledged that have not grown it yet.
    estimate: u64,
    estimate_credit: u64,
    /// The latest acknowledgement.
    seen: Instant,
}

impl Cubic {
    pub(crate) fn new(mss: u64, initial: u32) -> Cubic {
        let initial = mss * u64::from(initial.max(1));
        Cubic {
            mss,
            initial,
            window: initial,
            threshold: u64::MAX,
            max: 0,
            prior: 0,
            hystart: Some(OnDemand::default()),
            classic: false,
            reduces_window: false,
            shortest: None,
            epoch: None,
            credit: 0,
            after_timeout: false,
            before: None,
        }
    }

    pub(crate) fn with(self, habits: &Habits) -> Cubic {
        Cubic { classic: habits.classic_hystart, reduces_window: habits.cubic_reduces_window, ..self }
    }

    fn begin(&self, now: Instant) -> Epoch {
        let missing = self.max.saturating_sub(self.window);
        Epoch {
            began: now,
            // RFC 9438 4.2 figure 2: K = cbrt((W_max - cwnd_epoch) / C), in ms: cbrt(segments * 2.5 * 10^9).
            reaches_max: cube_root(missing.saturating_mul(2_500_000_000) / self.mss),
            origin: self.max.max(self.window),
            estimate: self.window,
            estimate_credit: 0,
            seen: now,
        }
    }

    /// As the classic kind has it: at most a segment for two, and before the first loss at least one for twenty.
    fn paced_growth(&self, grown: u64, acked: u64) -> u64 {
        let least = if self.max == 0 { acked / 20 } else { 0 };
        grown.max(least).min(acked / 2)
    }

    fn reduce(&mut self, in_flight: u64) {
        self.before = Some(Box::new(Before {
            window: self.window,
            threshold: self.threshold,
            max: self.max,
            prior: self.prior,
            epoch: self.epoch.clone(),
        }));
        self.hystart = None;
        self.prior = self.window;
        // RFC 9438 4.7: fast convergence gives room to newcomers.
        self.max = if self.window < self.max { self.window * 17 / 20 } else { self.window };
        // RFC 9438 4.6 lets the flight take the window's place: a window nobody filled says nothing.
        let in_flight = if self.reduces_window { self.window } else { in_flight };
        let used = in_flight.min(self.window).max(self.mss);
        self.threshold = (used * 7 / 10).max(2 * self.mss);
        self.epoch = None;
        self.credit = 0;
    }
}

impl Controller for Cubic {
    fn take_over(&mut self, window: u64, threshold: u64) {
        (self.window, self.threshold) = (window.max(self.mss), threshold);
        self.hystart = None;
    }

    fn on_ack(&mut self, ack: &Ack) {
        if self.classic
            && let Some(rtt) = ack.shortest_rtt.or(ack.rtt)
        {
            self.shortest = Some(self.shortest.map_or(rtt, |least| least.min(rtt)));
        }
        if ack.in_recovery {
            return;
        }
        if ack.app_limited {
            // RFC 9438 4.2: time in which the window was not put to use MUST NOT count.
            if let Some(epoch) = &mut self.epoch {
                epoch.began += ack.now.since(epoch.seen);
                epoch.seen = ack.now;
            }
            return;
        }
        if self.window < self.threshold {
            if let Some(hystart) = &mut self.hystart {
                if ack.total_delivered == 0 && ack.acked == 0 {
                    // Not even its first round has begun.
                    return;
                }
                let growth = if self.classic {
                    hystart.on_ack_classic(ack, self.mss, self.window)
                } else {
                    hystart.on_ack(ack, self.mss)
                };
                match growth {
                    Growth::By(bytes) => self.window += bytes,
                    Growth::Stop => {
                        self.threshold = self.window;
                        self.hystart = None;
                    }
                }
                return;
            }
            let acked =
                if self.after_timeout && !self.classic { ack.acked.min(2 * self.mss) } else { ack.acked };
            self.window = (self.window + acked).min(self.threshold.max(self.window));
            return;
        }
        let mss = self.mss;
        let mut epoch = match self.epoch.take() {
            Some(epoch) => epoch,
            None => Box::new(self.begin(ack.now)),
        };
        epoch.seen = ack.now;
        // RFC 9438 4.2: the target is the curve one round trip ahead, between the window and half again of it.
        let ahead = if self.classic { self.shortest } else { ack.rtt };
        let elapsed = ack.now.since(epoch.began) + ahead.unwrap_or_default();
        let elapsed = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).min(LONGEST_MILLIS);
        let curve = curve(elapsed, epoch.reaches_max, epoch.origin, mss);
        let target = curve.clamp(self.window, self.window + self.window / 2);

        // RFC 9438 4.3, the Reno-friendly region: alpha = 3 (1 - beta) / (1 + beta) = 9/17, or 1 above cwnd_prior.
        epoch.estimate_credit += if epoch.estimate >= self.prior { ack.acked * 17 } else { ack.acked * 9 };
        let step = self.window * 17;
        if epoch.estimate_credit >= step {
            epoch.estimate += mss * (epoch.estimate_credit / step);
            epoch.estimate_credit %= step;
        }
        if curve < epoch.estimate {
            self.window = self.window.max(epoch.estimate);
            self.credit = 0;
        } else {
            // RFC 9438 4.4 and 4.5: (target - cwnd) / cwnd per acknowledged byte, what doesn't make a whole byte is kept.
            self.credit = self.credit.saturating_add((target - self.window).saturating_mul(ack.acked));
            let grown = self.credit / self.window;
            self.credit -= grown * self.window;
            self.window += if self.classic { self.paced_growth(grown, ack.acked) } else { grown };
        }
        self.epoch = Some(epoch);
    }

    fn on_loss(&mut self, _now: Instant, in_flight: u64) {
        self.reduce(in_flight);
        self.window = self.threshold;
        self.after_timeout = false;
    }

    fn on_timeout(&mut self, _now: Instant, in_flight: u64) {
        // RFC 9438 4.8.
        self.reduce(in_flight);
        // The first avoidance after a timeout starts on the plateau: K is 0 and W_max the window it starts with.
        self.max = 0;
        self.window = self.mss;
        self.after_timeout = true;
    }

    fn on_timeout_again(&mut self, _now: Instant) {
        self.window = self.mss;
        self.after_timeout = true;
    }

    fn on_recovered(&mut self, _now: Instant, _in_flight: u64) {
        self.after_timeout = false;
    }

    fn on_undo(&mut self, _now: Instant) {
        // RFC 9438 4.9.1 and 4.9.2: W_max, K, the epoch, window and threshold as they were.
        if let Some(before) = self.before.take() {
            self.window = self.window.max(before.window);
            self.threshold = self.threshold.max(before.threshold);
            (self.max, self.prior, self.epoch) = (before.max, before.prior, before.epoch);
            self.credit = 0;
        }
        self.after_timeout = false;
    }

    fn on_ecn(&mut self, now: Instant, in_flight: u64) {
        self.on_loss(now, in_flight);
    }

    fn on_idle(&mut self, _now: Instant) {
        self.window = self.window.min(self.initial);
        // RFC 9438 5.8: time without data doesn't count.
        self.epoch = None;
    }

    fn on_mss(&mut self, mss: u64) {
        // Smaller segments: as many as before. Larger ones are no reason to send more bytes (RFC 4821 7.4).
        let rescale = |bytes: u64| if mss < self.mss { bytes / self.mss * mss } else { bytes };
        let (window, initial, max) = (rescale(self.window), rescale(self.initial), rescale(self.max));
        (self.window, self.initial, self.max) = (window.max(mss), initial, max);
        self.prior = rescale(self.prior);
        self.mss = mss;
        self.epoch = None;
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn slow_start_threshold(&self) -> u64 {
        self.threshold
    }

    fn phase(&self) -> &'static str {
        if self.window >= self.threshold {
            "avoidance"
        } else if self.hystart.as_ref().is_some_and(|hystart| hystart.is_conservative()) {
            "conservative slow start"
        } else {
            "slow start"
        }
    }
}

/// RFC 9438 figure 1: C (t - K)^3 + W_max, in bytes; times in milliseconds.
fn curve(elapsed: u64, reaches_max: u64, origin: u64, mss: u64) -> u64 {
    let distance = elapsed.abs_diff(reaches_max).min(LONGEST_MILLIS);
    // 0.4 * d^3 / 10^9 segments: 10^15 * 64 KiB stays below 2^64 only with the division between.
    let offset = (distance * distance * distance / 1_000).saturating_mul(mss) / 2_500_000;
    if elapsed < reaches_max { origin.saturating_sub(offset) } else { origin.saturating_add(offset) }
}

/// The largest integer whose cube is at most `value`.
fn cube_root(value: u64) -> u64 {
    let mut root = 0u64;
    for bit in (0..22).rev() {
        let candidate = root | 1 << bit;
        if candidate.checked_pow(3).is_some_and(|cube| cube <= value) {
            root = candidate;
        }
    }
    root
}

#[cfg(test)]
mod tests;
