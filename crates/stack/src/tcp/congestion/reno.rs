//! Reno: slow start and congestion avoidance (RFC 5681), with appropriate byte counting (RFC 3465).

use thru_wire::Instant;

use super::{Ack, Controller};

/// RFC 5681 with the initial window of RFC 6928.
#[derive(Clone, Debug)]
pub(crate) struct Reno {
    mss: u64,
    initial: u64,
    window: u64,
    threshold: u64,
    /// Bytes acknowledged since the window last grew by a segment.
    acked: u64,
    /// After a timeout, an acknowledgement may speak for much that arrived long ago: growth is limited until then.
    after_timeout: bool,
    /// Window and threshold before the last reduction.
    before: (u64, u64),
}

impl Reno {
    pub(crate) fn new(mss: u64, initial: u32) -> Reno {
        let initial = mss * u64::from(initial.max(1));
        Reno {
            mss,
            initial,
            window: initial,
            threshold: u64::MAX,
            acked: 0,
            after_timeout: false,
            before: (0, u64::MAX),
        }
    }

    /// RFC 5681 equation 4. What limited transmit sent beyond the window doesn't count (3.2 step 2).
    fn half(&self, in_flight: u64) -> u64 {
        (in_flight.min(self.window) / 2).max(2 * self.mss)
    }
}

impl Controller for Reno {
    fn take_over(&mut self, window: u64, threshold: u64) {
        (self.window, self.threshold) = (window.max(self.mss), threshold);
    }

    fn on_ack(&mut self, ack: &Ack) {
        if ack.in_recovery || ack.app_limited {
            return;
        }
        if self.window < self.threshold {
            let acked = if self.after_timeout { ack.acked.min(2 * self.mss) } else { ack.acked };
            self.window = (self.window + acked).min(self.threshold.max(self.window));
            return;
        }
        self.acked += ack.acked;
        if self.acked >= self.window {
            self.acked -= self.window;
            self.window += self.mss;
        }
    }

    fn on_loss(&mut self, _now: Instant, in_flight: u64) {
        self.before = (self.window, self.threshold);
        self.threshold = self.half(in_flight);
        self.window = self.threshold;
        self.acked = 0;
        self.after_timeout = false;
    }

    fn on_timeout(&mut self, _now: Instant, in_flight: u64) {
        self.before = (self.window, self.threshold);
        self.threshold = self.half(in_flight);
        self.window = self.mss;
        self.acked = 0;
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
        let (window, threshold) = self.before;
        self.window = self.window.max(window);
        self.threshold = self.threshold.max(threshold);
        self.after_timeout = false;
    }

    fn on_ecn(&mut self, now: Instant, in_flight: u64) {
        self.on_loss(now, in_flight);
    }

    fn on_idle(&mut self, _now: Instant) {
        self.window = self.window.min(self.initial);
    }

    fn on_mss(&mut self, mss: u64) {
        // Smaller segments: as many as before. Larger ones are no reason to send more bytes (RFC 4821 7.4).
        if mss < self.mss {
            self.window = self.window / self.mss * mss;
            self.initial = self.initial / self.mss * mss;
        }
        self.window = self.window.max(mss);
        self.mss = mss;
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn slow_start_threshold(&self) -> u64 {
        self.threshold
    }
}
