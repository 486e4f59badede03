//! Delivery rate samples (draft-ietf-ccwg-bbr 4.1): how fast the network carried the flight an acknowledgement speaks for.

use core::time::Duration;
use thru_wire::Instant;

use super::runs::Run;

/// A measurement of the rate at which data was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateSample {
    /// Bytes delivered over `interval`.
    pub delivered: u64,
    /// The longer of the time it took to send them and the time it took to acknowledge them.
    pub interval: Duration,
    /// Whether the application had too little to send meanwhile: the network may be faster.
    pub app_limited: bool,
}

/// The sender's count of what was delivered and when.
#[derive(Clone, Debug, Default)]
pub(crate) struct Delivery {
    pub(crate) delivered: u64,
    pub(crate) delivered_at: Instant,
    /// When the first byte of the flight that is being measured left.
    flight_began: Instant,
    /// Above 0: samples count as limited by the application until this much was delivered.
    limited_until: u64,
    sample: Option<Pending>,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    prior_delivered: u64,
    prior_at: Instant,
    send_elapsed: Duration,
    sent_at: Instant,
    app_limited: bool,
}

impl Delivery {
    /// The stamps of a run that leaves now.
    pub(crate) fn stamp(&mut self, now: Instant, nothing_in_flight: bool) -> (u64, Instant, Instant, bool) {
        if nothing_in_flight {
            self.flight_began = now;
            self.delivered_at = now;
        }
        (self.delivered, self.delivered_at, self.flight_began, self.limited_until > 0)
    }

    /// The application has nothing more to send although it could.
    pub(crate) fn app_limited(&mut self, in_flight: u64) {
        self.limited_until = (self.delivered + in_flight).max(1);
    }

    /// `run` was delivered, as an acknowledgement that arrived at `now` says.
    pub(crate) fn delivered(&mut self, run: &Run, now: Instant) {
        self.delivered += u64::from(run.len);
        self.delivered_at = now;
        // The most recently sent run speaks for the latest flight.
        if self
            .sample
            .is_none_or(|sample| (run.delivered, run.sent_at) > (sample.prior_delivered, sample.sent_at))
        {
            self.sample = Some(Pending {
                prior_delivered: run.delivered,
                prior_at: run.delivered_at,
                send_elapsed: run.sent_at.since(run.flight_began),
                sent_at: run.sent_at,
                app_limited: run.app_limited,
            });
            self.flight_began = run.sent_at;
        }
    }

    /// The sample of one acknowledgement, after all it delivered was counted. `None` if it is shorter than any
    /// round trip: then the interval tells of bunched acknowledgements, not of the network.
    pub(crate) fn take(&mut self, min_rtt: Option<Duration>) -> Option<RateSample> {
        let pending = self.sample.take()?;
        if self.limited_until > 0 && self.delivered > self.limited_until {
            self.limited_until = 0;
        }
        let ack_elapsed = self.delivered_at.since(pending.prior_at);
        let interval = pending.send_elapsed.max(ack_elapsed);
        if interval.is_zero() || min_rtt.is_some_and(|min| interval < min) {
            return None;
        }
        Some(RateSample {
            delivered: self.delivered - pending.prior_delivered,
            interval,
            app_limited: pending.app_limited,
        })
    }
}
