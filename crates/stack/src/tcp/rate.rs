//! Delivery rate samples (draft-ietf-ccwg-bbr 4.1): how fast the network carried the flight an acknowledgement speaks for.

use core::time::Duration;
use thru_wire::Instant;

use super::runs::Run;

/// A measurement of the rate at which data was delivered, from the newest stretch an acknowledgement delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateSample {
    /// Bytes delivered over `interval`.
    pub delivered: u64,
    /// The longer of the time it took to send them and the time it took to acknowledge them.
    pub interval: Duration,
    /// Whether the interval can be trusted: one shorter than any round trip tells of bunched acknowledgements, not of
    /// the network.
    pub valid: bool,
    /// Whether the application had too little to send meanwhile: the network may be faster.
    pub app_limited: bool,
    /// Bytes the connection had delivered when the newest stretch left.
    pub prior_delivered: u64,
    /// Bytes in the network just after it had left.
    pub tx_in_flight: u64,
    /// Bytes believed lost between its departure and this acknowledgement.
    pub lost: u64,
    /// How long ago it left; ambiguous if it had left before.
    pub rtt: Duration,
    /// Whether it had left before.
    pub retransmitted: bool,
}

impl RateSample {
    /// Bytes per second; `None` if the interval can't be trusted.
    pub fn rate(&self) -> Option<u64> {
        let nanos = self.interval.as_nanos();
        if !self.valid || nanos == 0 {
            return None;
        }
        u64::try_from(u128::from(self.delivered) * 1_000_000_000 / nanos).ok()
    }
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
}

/// What a run carries from its departure to the acknowledgement that delivers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Bytes the connection had delivered, and when the last of those was.
    pub(crate) delivered: u64,
    pub(crate) delivered_at: Instant,
    /// When the first byte of that flight had left.
    pub(crate) flight_began: Instant,
    /// Low half of the bytes believed lost by then.
    lost: u32,
    /// Bytes in the network, this run included.
    tx_in_flight: u32,
    pub(crate) app_limited: bool,
}

impl Stamp {
    /// Bytes believed lost since then, if by now that are `lost`.
    pub(crate) fn lost_since(&self, lost: u64) -> u64 {
        u64::from((lost as u32).wrapping_sub(self.lost))
    }

    pub(crate) fn tx_in_flight(&self) -> u64 {
        u64::from(self.tx_in_flight)
    }
}

/// The most recently sent run that one acknowledgement delivers: it speaks for the latest flight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Newest {
    stamp: Stamp,
    sent_at: Instant,
    end: u64,
    retransmitted: bool,
}

impl Newest {
    /// What had been delivered when it left.
    pub(crate) fn prior_delivered(&self) -> u64 {
        self.stamp.delivered
    }
}

impl Delivery {
    /// The stamp of a run of `len` bytes that leaves now, with `in_flight` in the network before it and `lost` bytes
    /// believed lost so far.
    pub(crate) fn stamp(&mut self, now: Instant, len: u32, in_flight: u64, lost: u64) -> Stamp {
        if in_flight == 0 {
            self.flight_began = now;
            self.delivered_at = now;
        }
        Stamp {
            delivered: self.delivered,
            delivered_at: self.delivered_at,
            flight_began: self.flight_began,
            lost: lost as u32,
            tx_in_flight: u32::try_from(in_flight + u64::from(len)).unwrap_or(u32::MAX),
            app_limited: self.limited_until > 0,
        }
    }

    /// The application has nothing more to send although it could.
    pub(crate) fn app_limited(&mut self, in_flight: u64) {
        self.limited_until = (self.delivered + in_flight).max(1);
    }

    pub(crate) fn is_app_limited(&self) -> bool {
        self.limited_until > 0
    }

    /// `run` was delivered, as an acknowledgement that arrived at `now` says; `newest` is that acknowledgement's.
    pub(crate) fn delivered(&mut self, run: &Run, now: Instant, newest: &mut Option<Newest>) {
        self.delivered += u64::from(run.len);
        self.delivered_at = now;
        if newest.is_none_or(|newest| (run.sent_at, run.end()) > (newest.sent_at, newest.end)) {
            *newest = Some(Newest {
                stamp: run.stamp,
                sent_at: run.sent_at,
                end: run.end(),
                retransmitted: run.retransmitted,
            });
            self.flight_began = run.sent_at;
        }
    }

    /// The sample of one acknowledgement that arrived at `now`, after all it delivered was counted; `lost`: bytes
    /// believed lost so far.
    pub(crate) fn sample(
        &mut self,
        now: Instant,
        min_rtt: Option<Duration>,
        lost: u64,
        newest: Option<Newest>,
    ) -> Option<RateSample> {
        if self.limited_until > 0 && self.delivered > self.limited_until {
            self.limited_until = 0;
        }
        let Newest { stamp, sent_at, end: _, retransmitted } = newest?;
        let ack_elapsed = self.delivered_at.since(stamp.delivered_at);
        let interval = sent_at.since(stamp.flight_began).max(ack_elapsed);
        Some(RateSample {
            delivered: self.delivered - stamp.delivered,
            interval,
            valid: !interval.is_zero() && min_rtt.is_none_or(|min| interval >= min),
            app_limited: stamp.app_limited,
            prior_delivered: stamp.delivered,
            tx_in_flight: stamp.tx_in_flight(),
            lost: stamp.lost_since(lost),
            rtt: now.since(sent_at),
            retransmitted,
        })
    }
}
