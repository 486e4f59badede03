//! What BBR believes of the path (draft-ietf-ccwg-bbr 5.5), and what loss and marks teach it.

use super::{
    AckPhase, BETA, Bbr3, INFINITY, LOSS_THRESHOLD, MIN_RTT_WINDOW, PROBE_RTT_INTERVAL, State, UndoState,
};
use crate::tcp::congestion::{Ack, Lost, RateSample};
use thru_wire::Instant;

/// BBR.ExtraAckedFilterLen, in rounds.
const EXTRA_ACKED_ROUNDS: u64 = 10;

impl Bbr3 {
    pub(super) fn max_bw(&self) -> u64 {
        self.max_bw[0].max(self.max_bw[1])
    }

    pub(super) fn advance_max_bw_filter(&mut self) {
        // A cycle without any sample is no news.
        if self.max_bw[1] > 0 {
            self.max_bw = [self.max_bw[1], 0];
        }
    }

    /// 5.5.10.3, at the beginning.
    pub(super) fn update_latest_delivery_signals(&mut self, ack: &Ack, sample: &RateSample, rate: u64) {
        self.bw_latest = self.bw_latest.max(rate);
        self.inflight_latest = self.inflight_latest.max(sample.delivered);
        self.loss_round_start = sample.prior_delivered >= self.loss_round_delivered;
        if self.loss_round_start {
            self.loss_round_delivered = ack.total_delivered;
        }
    }

    /// At the end: what comes next belongs to the next round.
    pub(super) fn advance_latest_delivery_signals(&mut self, sample: &RateSample, rate: u64) {
        if self.loss_round_start {
            self.bw_latest = rate;
            self.inflight_latest = sample.delivered;
            self.loss_events_in_round = 0;
        }
    }

    pub(super) fn reset_congestion_signals(&mut self) {
        self.is_loss_in_round = false;
        self.bw_latest = 0;
        self.inflight_latest = 0;
    }

    pub(super) fn reset_short_term_model(&mut self) {
        self.bw_shortterm = INFINITY;
        self.inflight_shortterm = INFINITY;
    }

    pub(super) fn update_congestion_signals(&mut self, sample: &RateSample, rate: u64) {
        self.update_round(sample);
        if rate > 0 && (rate >= self.max_bw() || !sample.app_limited) {
            self.max_bw[1] = self.max_bw[1].max(rate);
        }
        if !self.loss_round_start {
            return;
        }
        if self.is_loss_in_round && !self.is_probing_bw() {
            self.adapt_lower_bounds();
        }
        if !self.is_loss_in_round {
            self.marked_rounds = 0;
        }
        self.is_loss_in_round = false;
    }

    /// Once per round with loss, when not probing: towards what was delivered, by no more than Beta.
    fn adapt_lower_bounds(&mut self) {
        if self.bw_shortterm == INFINITY {
            self.bw_shortterm = self.max_bw();
        }
        if self.inflight_shortterm == INFINITY {
            self.inflight_shortterm = self.window;
        }
        self.bw_shortterm = self.bw_latest.max(percent(self.bw_shortterm, BETA));
        self.inflight_shortterm = self.inflight_latest.max(percent(self.inflight_shortterm, BETA));
    }

    pub(super) fn bound_bw_for_model(&mut self) {
        self.bw = self.max_bw().min(self.bw_shortterm);
    }

    /// 5.5.9: how much more arrives at once than the rate explains.
    pub(super) fn update_ack_aggregation(&mut self, ack: &Ack) {
        let interval = ack.now.since(self.extra_acked_interval_start).as_nanos();
        let expected = u128::from(self.bw) * interval / 1_000_000_000;
        let mut expected = u64::try_from(expected).unwrap_or(u64::MAX);
        if self.extra_acked_delivered <= expected {
            self.extra_acked_delivered = 0;
            self.extra_acked_interval_start = ack.now;
            expected = 0;
        }
        self.extra_acked_delivered += ack.delivered;
        let extra = (self.extra_acked_delivered - expected).min(self.window);
        let rounds = if self.full_bw_reached { EXTRA_ACKED_ROUNDS } else { 1 };
        self.extra_acked.update(rounds, self.round.count, extra);
    }

    /// 5.3.4.3.
    pub(super) fn update_min_rtt(&mut self, ack: &Ack) {
        self.probe_rtt_expired = ack.now > self.probe_rtt_min_stamp + PROBE_RTT_INTERVAL;
        if let Some(rtt) = ack.shortest_rtt
            && (self.probe_rtt_min_delay.is_none_or(|min| rtt < min) || self.probe_rtt_expired)
        {
            self.probe_rtt_min_delay = Some(rtt);
            self.probe_rtt_min_stamp = ack.now;
        }
        let expired = ack.now > self.min_rtt_stamp + MIN_RTT_WINDOW;
        if let Some(delay) = self.probe_rtt_min_delay
            && (self.min_rtt.is_none_or(|min| delay < min) || expired)
        {
            self.min_rtt = Some(delay);
            self.min_rtt_stamp = self.probe_rtt_min_stamp;
        }
    }

    /// 5.5.10.2: do losses say that too much was in flight?
    pub(super) fn is_inflight_too_high(&self, lost: u64, tx_in_flight: u64) -> bool {
        lost > tx_in_flight / LOSS_THRESHOLD || (lost > 0 && !self.sack)
    }

    fn handle_inflight_too_high(&mut self, now: Instant, tx_in_flight: u64, app_limited: bool) {
        self.prev_probe_too_high = true;
        self.is_bw_probe_sample = false;
        if !app_limited {
            self.inflight_longterm = tx_in_flight.max(percent(self.target_inflight(), BETA));
        }
        if self.state == State::ProbeUp {
            self.undo.state = UndoState::ProbeUp;
            self.start_probe_down(now);
        }
    }

    pub(super) fn note_loss(&mut self) {
        if !self.is_loss_in_round {
            self.loss_round_delivered = self.round.delivered;
        }
        self.is_loss_in_round = true;
    }

    pub(super) fn handle_lost(&mut self, now: Instant, lost: &Lost) {
        self.save_before_loss();
        self.note_loss();
        if !self.is_bw_probe_sample || !self.is_inflight_too_high(lost.lost_since, lost.tx_in_flight) {
            return;
        }
        // At what prefix of this stretch did losses cross the threshold?
        let before = lost.tx_in_flight.saturating_sub(lost.len);
        let lost_before = lost.lost_since.saturating_sub(lost.len);
        let prefix =
            (before / LOSS_THRESHOLD).saturating_sub(lost_before) * LOSS_THRESHOLD / (LOSS_THRESHOLD - 1);
        self.handle_inflight_too_high(now, before + prefix, lost.app_limited);
    }

    /// The draft leaves the answer to marks open beyond that they MUST count as congestion. A round with marks is a
    /// round with loss; marks that answer a probe end it, as too much loss does; and two rounds of them in a row end
    /// Startup, as Google's version does.
    pub(super) fn handle_marks(&mut self, now: Instant) {
        self.note_loss();
        self.marked_rounds += 1;
        if self.state == State::Startup && self.marked_rounds >= 2 && !self.full_bw_reached {
            self.leave_startup_for_congestion();
        } else if self.is_bw_probe_sample
            && let Some(latest) = self.latest
        {
            self.handle_inflight_too_high(now, latest.tx_in_flight, latest.app_limited);
        }
    }

    /// SaveStateUponLoss, once per recovery: the draft saves in each round of it anew, and would forget which state
    /// the first losses had ended.
    pub(super) fn save_before_loss(&mut self) {
        if self.in_recovery || self.saved {
            return;
        }
        self.saved = true;
        self.save_window();
        self.undo.state = UndoState::None;
        self.undo.bw_shortterm = self.bw_shortterm;
        self.undo.inflight_shortterm = self.inflight_shortterm;
        self.undo.inflight_longterm = self.inflight_longterm;
    }

    /// 5.5.11.2.
    pub(super) fn handle_spurious_loss(&mut self) {
        self.restore_window();
        self.is_loss_in_round = false;
        self.reset_full_bw(0);
        self.bw_shortterm = self.bw_shortterm.max(self.undo.bw_shortterm);
        self.inflight_shortterm = self.inflight_shortterm.max(self.undo.inflight_shortterm);
        self.inflight_longterm = self.inflight_longterm.max(self.undo.inflight_longterm);
        match self.undo.state {
            UndoState::Startup if self.state != State::Startup => {
                self.full_bw_reached = false;
                if self.state != State::ProbeRtt {
                    self.state = State::Startup;
                }
            }
            UndoState::ProbeUp if !matches!(self.state, State::ProbeUp | State::ProbeRtt) => {
                self.start_probe_refill();
            }
            _ => {}
        }
        self.undo.state = UndoState::None;
    }

    /// 5.3.3.6: the ends of probes, and upper bounds that hold turn out to be too low. Whether the state changed.
    pub(super) fn adapt_long_term_model(&mut self, ack: &Ack, sample: &RateSample) -> bool {
        if self.ack_phase == AckPhase::ProbeStarting && self.round.start {
            self.ack_phase = AckPhase::ProbeFeedback;
        }
        if self.ack_phase == AckPhase::ProbeStopping && self.round.start {
            self.is_bw_probe_sample = false;
            self.ack_phase = AckPhase::Init;
            if self.is_in_probe_bw() && !sample.app_limited {
                self.advance_max_bw_filter();
            }
            if self.is_in_probe_bw() && self.prev_probe_precautionary && !self.prev_probe_too_high {
                self.start_probe_refill();
                return true;
            }
        }
        if self.is_inflight_too_high(sample.lost, sample.tx_in_flight) || self.inflight_longterm == INFINITY {
            return false;
        }
        self.inflight_longterm = self.inflight_longterm.max(sample.tx_in_flight);
        if self.state == State::ProbeUp {
            self.probe_inflight_longterm_upward(ack);
        }
        false
    }

    fn probe_inflight_longterm_upward(&mut self, ack: &Ack) {
        if !self.is_window_limited() || self.window < self.inflight_longterm {
            return;
        }
        self.bw_probe_up_acked += ack.delivered;
        if self.bw_probe_up_acked >= self.probe_up_acked_per_inc {
            let steps = self.bw_probe_up_acked / self.probe_up_acked_per_inc;
            self.bw_probe_up_acked %= self.probe_up_acked_per_inc;
            self.inflight_longterm += steps * self.mss;
        }
        if self.round.start {
            self.raise_inflight_longterm_slope();
        }
    }

    pub(super) fn raise_inflight_longterm_slope(&mut self) {
        let growth_this_round = 1u64 << self.bw_probe_up_rounds;
        self.bw_probe_up_rounds = (self.bw_probe_up_rounds + 1).min(30);
        self.probe_up_acked_per_inc = (self.window / growth_this_round).max(self.mss);
    }
}

/// `part` per cent of `whole`, which may stand for infinity.
pub(super) fn percent(whole: u64, part: u64) -> u64 {
    u64::try_from(u128::from(whole) * u128::from(part) / 100).unwrap_or(u64::MAX)
}
