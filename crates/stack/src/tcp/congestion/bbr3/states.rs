//! Startup, Drain, ProbeBW's four phases and ProbeRTT (draft-ietf-ccwg-bbr 5.3).

use core::time::Duration;

use thru_wire::Instant;

use super::model::percent;
use super::{AckPhase, Bbr3, HEADROOM, INFINITY, MIN_PIPE, PROBE_RTT_DURATION, State, UndoState};
use crate::tcp::congestion::{Ack, RateSample};

/// BBRStartupFullLossCnt.
const STARTUP_LOSS_EVENTS: u32 = 6;
/// Rounds without growth after which the pipe is full.
const FULL_BW_ROUNDS: u32 = 3;
/// Bound of T_reno in rounds.
const RENO_ROUNDS: u64 = 63;
/// Rounds after which Drain is given up.
const DRAIN_ROUNDS: u64 = 3;

impl Bbr3 {
    pub(super) fn pacing_gain(&self) -> u64 {
        match self.state {
            State::Startup => 277,
            State::Drain => 50,
            State::ProbeDown => 90,
            State::ProbeCruise | State::ProbeRefill | State::ProbeRtt => 100,
            State::ProbeUp => 125,
        }
    }

    pub(super) fn window_gain(&self) -> u64 {
        match self.state {
            State::ProbeUp => 225,
            State::ProbeRtt => 50,
            _ => 200,
        }
    }

    pub(super) fn is_in_probe_bw(&self) -> bool {
        matches!(self.state, State::ProbeDown | State::ProbeCruise | State::ProbeRefill | State::ProbeUp)
    }

    pub(super) fn is_probing_bw(&self) -> bool {
        matches!(self.state, State::Startup | State::ProbeRefill | State::ProbeUp)
    }

    pub(super) fn reset_full_bw(&mut self, baseline: u64) {
        self.full_bw = baseline;
        self.full_bw_count = 0;
        self.full_bw_now = false;
    }

    /// 5.3.1.2: three rounds without a quarter more.
    pub(super) fn check_full_bw_reached(&mut self, sample: &RateSample, rate: u64) {
        if self.full_bw_now || !self.round.start || sample.app_limited {
            return;
        }
        if rate >= self.full_bw + self.full_bw / 4 {
            self.reset_full_bw(rate);
            return;
        }
        self.full_bw_count += 1;
        self.full_bw_now = self.full_bw_count >= FULL_BW_ROUNDS;
        self.full_bw_reached |= self.full_bw_now;
    }

    pub(super) fn check_startup_done(&mut self, ack: &Ack, sample: &RateSample) {
        self.check_startup_high_loss(ack, sample);
        if self.state == State::Startup && self.full_bw_reached {
            self.state = State::Drain;
            self.drain_start_round = self.round.count;
        }
    }

    /// 5.3.1.3: a round in recovery that lost more than the threshold, in at least six places.
    fn check_startup_high_loss(&mut self, ack: &Ack, sample: &RateSample) {
        if self.state != State::Startup || self.full_bw_reached || !ack.in_recovery {
            return;
        }
        let too_high = if self.sack {
            self.loss_round_start
                && self.loss_events_in_round >= STARTUP_LOSS_EVENTS
                && self.is_inflight_too_high(sample.lost, sample.tx_in_flight)
        } else {
            ack.newly_lost > 0 || sample.lost > 0
        };
        if too_high {
            self.leave_startup_for_congestion();
        }
    }

    pub(super) fn leave_startup_for_congestion(&mut self) {
        self.undo.state = UndoState::Startup;
        self.full_bw_reached = true;
        self.full_bw_now = true;
        self.inflight_longterm = self.bdp(100).max(self.inflight_latest);
    }

    pub(super) fn check_drain_done(&mut self, ack: &Ack) {
        if self.state == State::Drain
            && (ack.in_flight <= self.inflight(100)
                || self.round.count > self.drain_start_round + DRAIN_ROUNDS)
        {
            self.start_probe_down(ack.now);
        }
    }

    pub(super) fn start_probe_down(&mut self, now: Instant) {
        self.reset_congestion_signals();
        self.probe_up_acked_per_inc = INFINITY;
        // PickProbeWait: 2 to 3 seconds, or 62 to 63 rounds.
        self.rounds_since_probe_up = self.random.below(2);
        self.bw_probe_wait = Duration::from_micros(2_000_000 + self.random.below(1_000_001));
        self.cycle_stamp = now;
        self.ack_phase = AckPhase::ProbeStopping;
        self.start_round();
        self.state = State::ProbeDown;
    }

    pub(super) fn start_probe_refill(&mut self) {
        self.reset_short_term_model();
        self.bw_probe_up_rounds = 0;
        self.bw_probe_up_acked = 0;
        self.prev_probe_precautionary = false;
        self.ack_phase = AckPhase::Refilling;
        self.start_round();
        self.state = State::ProbeRefill;
    }

    fn start_probe_up(&mut self, rate: u64) {
        self.ack_phase = AckPhase::ProbeStarting;
        self.start_round();
        self.reset_full_bw(rate);
        self.state = State::ProbeUp;
        self.raise_inflight_longterm_slope();
    }

    /// 5.3.3.6: the core of ProbeBW.
    pub(super) fn update_probe_bw_cycle_phase(&mut self, ack: &Ack, sample: &RateSample, rate: u64) {
        if !self.full_bw_reached || self.adapt_long_term_model(ack, sample) {
            return;
        }
        match self.state {
            State::ProbeDown => {
                if self.is_time_to_probe(ack.now) {
                    self.start_probe_refill();
                } else if self.is_time_to_cruise(ack) {
                    self.state = State::ProbeCruise;
                }
            }
            State::ProbeCruise if self.is_time_to_probe(ack.now) => self.start_probe_refill(),
            State::ProbeRefill if self.round.start => {
                self.is_bw_probe_sample = true;
                self.start_probe_up(rate);
            }
            State::ProbeUp => self.go_down_in_time(ack, rate),
            _ => {}
        }
    }

    fn go_down_in_time(&mut self, ack: &Ack, rate: u64) {
        if self.is_time_to_go_down(ack, rate) {
            self.prev_probe_too_high = false;
            self.start_probe_down(ack.now);
        }
    }

    fn is_time_to_probe(&self, now: Instant) -> bool {
        // T_reno counts rounds by segments.
        let rounds = (self.target_inflight() / self.mss).min(RENO_ROUNDS);
        now > self.cycle_stamp + self.bw_probe_wait || self.rounds_since_probe_up >= rounds
    }

    fn is_time_to_cruise(&self, ack: &Ack) -> bool {
        ack.in_flight <= self.inflight_with_headroom()
            && ack.in_flight <= self.inflight_at(self.max_bw(), 100)
    }

    fn is_time_to_go_down(&mut self, ack: &Ack, rate: u64) -> bool {
        if self.prev_probe_too_high && ack.in_flight >= self.inflight_longterm {
            self.prev_probe_precautionary = true;
            return true;
        }
        if self.is_window_limited() && self.window >= self.inflight_longterm {
            self.reset_full_bw(rate);
            return false;
        }
        self.full_bw_now
    }

    pub(super) fn inflight_with_headroom(&self) -> u64 {
        if self.inflight_longterm == INFINITY {
            return INFINITY;
        }
        let headroom = percent(self.inflight_longterm, HEADROOM).max(self.mss);
        self.inflight_longterm.saturating_sub(headroom).max(MIN_PIPE * self.mss)
    }

    /// 5.3.4.3.
    pub(super) fn check_probe_rtt(&mut self, ack: &Ack) {
        if self.state != State::ProbeRtt && self.probe_rtt_expired && !self.idle_restart {
            self.save_window();
            self.state = State::ProbeRtt;
            self.probe_rtt_done = None;
            self.ack_phase = AckPhase::ProbeStopping;
            self.start_round();
        }
        if self.state == State::ProbeRtt {
            self.handle_probe_rtt(ack);
        }
        self.idle_restart = false;
    }

    fn handle_probe_rtt(&mut self, ack: &Ack) {
        if self.probe_rtt_done.is_none() {
            if ack.in_flight <= self.probe_rtt_window() {
                self.probe_rtt_done = Some(ack.now + PROBE_RTT_DURATION);
                self.probe_rtt_round_done = false;
                self.start_round();
            }
            return;
        }
        self.probe_rtt_round_done |= self.round.start;
        if self.probe_rtt_round_done {
            self.check_probe_rtt_done(ack.now);
        }
    }

    pub(super) fn check_probe_rtt_done(&mut self, now: Instant) {
        if self.probe_rtt_done.is_none_or(|done| now <= done) {
            return;
        }
        self.probe_rtt_min_stamp = now;
        self.restore_window();
        self.reset_short_term_model();
        if self.full_bw_reached {
            self.start_probe_down(now);
            self.state = State::ProbeCruise;
        } else {
            self.state = State::Startup;
        }
    }
}
