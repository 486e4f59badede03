//! Pacing rate, send quantum and window from the model (draft-ietf-ccwg-bbr 5.6).

use core::time::Duration;

use super::model::percent;
use super::{Bbr3, INFINITY, MIN_PIPE, PACING_MARGIN, State};
use crate::tcp::congestion::Ack;

/// The round trip that is assumed before one was measured.
const NOMINAL_RTT: Duration = Duration::from_millis(1);
/// Bounds of the quantum.
const LARGEST_QUANTUM: u64 = 64 * 1_024;
/// Quanta that senders, offload engines and receivers hold.
const OFFLOAD_QUANTA: u64 = 3;

impl Bbr3 {
    pub(super) fn init_pacing_rate(&mut self, rtt: Option<Duration>) {
        let nanos = rtt.filter(|rtt| !rtt.is_zero()).unwrap_or(NOMINAL_RTT).as_nanos();
        let nominal = u128::from(self.initial) * 1_000_000_000 / nanos;
        let nominal = u64::try_from(nominal).unwrap_or(u64::MAX / 1_000);
        self.pacing_rate = percent(nominal, self.pacing_gain());
        self.set_send_quantum();
    }

    pub(super) fn set_pacing_rate(&mut self, gain: u64) {
        let rate = percent(percent(self.bw, gain), 100 - PACING_MARGIN);
        if self.full_bw_reached || rate > self.pacing_rate {
            self.pacing_rate = rate;
        }
    }

    pub(super) fn set_send_quantum(&mut self) {
        self.send_quantum = (self.pacing_rate / 1_000).min(LARGEST_QUANTUM).max(2 * self.mss);
    }

    /// BDPMultiple: what `gain` per cent of `bw` hold in the shortest round trip.
    fn bdp_at(&self, bw: u64, gain: u64) -> u64 {
        let Some(rtt) = self.min_rtt else { return self.initial };
        let bdp = u128::from(bw) * rtt.as_nanos() / 1_000_000_000;
        percent(u64::try_from(bdp).unwrap_or(u64::MAX), gain)
    }

    pub(super) fn bdp(&self, gain: u64) -> u64 {
        self.bdp_at(self.bw, gain)
    }

    fn quantization_budget(&self, inflight: u64) -> u64 {
        let budget = inflight.max(OFFLOAD_QUANTA * self.send_quantum).max(MIN_PIPE * self.mss);
        if self.state == State::ProbeUp { budget + 2 * self.mss } else { budget }
    }

    pub(super) fn inflight_at(&self, bw: u64, gain: u64) -> u64 {
        self.quantization_budget(self.bdp_at(bw, gain))
    }

    pub(super) fn inflight(&self, gain: u64) -> u64 {
        self.inflight_at(self.bw, gain)
    }

    pub(super) fn target_inflight(&self) -> u64 {
        self.bdp(100).min(self.window)
    }

    pub(super) fn probe_rtt_window(&self) -> u64 {
        self.bdp(50).max(MIN_PIPE * self.mss)
    }

    pub(super) fn save_window(&mut self) {
        self.prior_window = if !self.in_recovery && self.state != State::ProbeRtt {
            self.window
        } else {
            self.prior_window.max(self.window)
        };
    }

    pub(super) fn restore_window(&mut self) {
        self.window = self.window.max(self.prior_window);
    }

    /// 5.6.4.6.
    pub(super) fn set_window(&mut self, ack: &Ack) {
        let max_inflight =
            self.quantization_budget(self.bdp(self.window_gain()).saturating_add(self.extra_acked.get()));
        if self.full_bw_reached {
            self.window = (self.window + ack.delivered).min(max_inflight);
        } else if self.window < max_inflight || ack.total_delivered < self.initial {
            self.window += ack.delivered;
        }
        self.window = self.window.max(MIN_PIPE * self.mss);
        if self.state == State::ProbeRtt {
            self.window = self.window.min(self.probe_rtt_window());
        }
        self.bound_window_for_model();
    }

    fn bound_window_for_model(&mut self) {
        let cap = match self.state {
            State::ProbeDown | State::ProbeRefill | State::ProbeUp => self.inflight_longterm,
            State::ProbeRtt | State::ProbeCruise => self.inflight_with_headroom(),
            State::Startup | State::Drain => INFINITY,
        };
        let cap = cap.min(self.inflight_shortterm).max(MIN_PIPE * self.mss);
        self.window = self.window.min(cap);
    }
}
