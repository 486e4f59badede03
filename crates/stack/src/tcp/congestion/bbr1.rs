//! BBR version 1 (draft-cardwell-iccrg-bbr-congestion-control-00): paces at the largest recent delivery rate and
//! lets loss change little.
//!
//! Beyond that draft, as Linux does: the window makes room for acknowledgements that come in lumps, and a round of
//! recovery begins with packet conservation. Linux's detection of policers is left out.
//! Marks (ECN), of which the draft knows nothing, slow the round after them to three quarters.

use core::time::Duration;

use thru_wire::Instant;

use super::filter::MaxFilter;
use super::{Ack, Controller, Sent};
use crate::random::Random;

/// Gains in thousandths: 2/ln 2 and its inverse.
const HIGH_GAIN: u64 = 2_885;
const DRAIN_GAIN: u64 = 347;
const WINDOW_GAIN: u64 = 2_000;
/// The eight phases of ProbeBW, a shortest round trip each.
const CYCLE: [u64; 8] = [1_250, 750, 1_000, 1_000, 1_000, 1_000, 1_000, 1_000];
/// What a round after a mark is paced at.
const MARKED_GAIN: u64 = 750;
/// Rounds over which the largest rate counts.
const BW_ROUNDS: u64 = 10;
const EXTRA_ACKED_ROUNDS: u64 = 10;
const MIN_RTT_WINDOW: Duration = Duration::from_secs(10);
const PROBE_RTT_DURATION: Duration = Duration::from_millis(200);
/// Segments in flight that ProbeRTT allows and nothing goes below.
const MIN_PIPE: u64 = 4;
const FULL_BW_ROUNDS: u32 = 3;
/// Linux paces this much below the estimate, so that queues don't build from its error.
const PACING_MARGIN: u64 = 1;
const LARGEST_QUANTUM: u64 = 64 * 1_024;
const NOMINAL_RTT: Duration = Duration::from_millis(1);
/// More than this time's worth of aggregation is not believed.
const MOST_EXTRA: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Startup,
    Drain,
    ProbeBw { phase: usize },
    ProbeRtt,
}

/// Version 1.
#[derive(Clone, Debug)]
pub(crate) struct Bbr1 {
    mss: u64,
    initial: u64,
    random: Random,
    window: u64,
    pacing_rate: u64,
    send_quantum: u64,
    measured_rtt: bool,

    state: State,
    round_count: u64,
    round_start: bool,
    next_round_delivered: u64,
    delivered: u64,
    bw: MaxFilter,
    min_rtt: Option<Duration>,
    min_rtt_stamp: Instant,
    full_bw: u64,
    full_bw_count: u32,
    filled_pipe: bool,
    cycle_stamp: Instant,
    probe_rtt_done: Option<Instant>,
    probe_rtt_round_done: bool,
    prior_window: u64,
    idle_restart: bool,
    in_recovery: bool,
    /// Packet conservation lasts until so much was delivered.
    conserves_until: Option<u64>,
    /// The slower round after a mark lasts until so much was delivered.
    marked_until: Option<u64>,
    extra_acked: MaxFilter,
    extra_acked_start: Instant,
    extra_acked_delivered: u64,
    /// The full pipe that the latest recovery may have been wrong about.
    undo: (u64, u32, bool),
}

impl Bbr1 {
    pub(crate) fn new(mss: u64, initial: u32, seed: u64) -> Bbr1 {
        let initial = mss * u64::from(initial.max(1));
        let mut bbr = Bbr1 {
            mss,
            initial,
            random: Random::new(seed, "bbr"),
            window: initial,
            pacing_rate: 0,
            send_quantum: 2 * mss,
            measured_rtt: false,
            state: State::Startup,
            round_count: 0,
            round_start: false,
            next_round_delivered: 0,
            delivered: 0,
            bw: MaxFilter::default(),
            min_rtt: None,
            min_rtt_stamp: Instant::START,
            full_bw: 0,
            full_bw_count: 0,
            filled_pipe: false,
            cycle_stamp: Instant::START,
            probe_rtt_done: None,
            probe_rtt_round_done: false,
            prior_window: 0,
            idle_restart: false,
            in_recovery: false,
            conserves_until: None,
            marked_until: None,
            extra_acked: MaxFilter::default(),
            extra_acked_start: Instant::START,
            extra_acked_delivered: 0,
            undo: (0, 0, false),
        };
        bbr.init_pacing_rate(None);
        bbr
    }

    fn pacing_gain(&self) -> u64 {
        let gain = match self.state {
            State::Startup => HIGH_GAIN,
            State::Drain => DRAIN_GAIN,
            State::ProbeBw { phase } => CYCLE[phase % CYCLE.len()],
            State::ProbeRtt => 1_000,
        };
        if self.marked_until.is_some() { gain.min(MARKED_GAIN) } else { gain }
    }

    fn window_gain(&self) -> u64 {
        match self.state {
            State::Startup | State::Drain => HIGH_GAIN,
            State::ProbeBw { .. } => WINDOW_GAIN,
            State::ProbeRtt => 1_000,
        }
    }

    fn init_pacing_rate(&mut self, rtt: Option<Duration>) {
        let nanos = rtt.filter(|rtt| !rtt.is_zero()).unwrap_or(NOMINAL_RTT).as_nanos();
        let nominal = u128::from(self.initial) * 1_000_000_000 / nanos;
        self.pacing_rate = gained(u64::try_from(nominal).unwrap_or(u64::MAX / 10_000), HIGH_GAIN);
        self.set_send_quantum();
    }

    fn set_pacing_rate(&mut self, gain: u64) {
        let rate = gained(self.bw.get(), gain) / 100 * (100 - PACING_MARGIN);
        if self.filled_pipe || rate > self.pacing_rate {
            self.pacing_rate = rate;
        }
    }

    fn set_send_quantum(&mut self) {
        self.send_quantum = (self.pacing_rate / 1_000).min(LARGEST_QUANTUM).max(2 * self.mss);
    }

    /// BBRInflight: what the estimated path holds, times `gain`, and what ends hold back in quanta.
    fn inflight(&self, gain: u64) -> u64 {
        let Some(rtt) = self.min_rtt else { return self.initial };
        let bdp = u128::from(self.bw.get()) * rtt.as_nanos() / 1_000_000_000;
        let inflight =
            gained(u64::try_from(bdp).unwrap_or(u64::MAX), gain).saturating_add(3 * self.send_quantum);
        if self.state == (State::ProbeBw { phase: 0 }) { inflight + 2 * self.mss } else { inflight }
    }

    fn update_round(&mut self, prior_delivered: u64) {
        self.round_start = prior_delivered >= self.next_round_delivered;
        if self.round_start {
            self.next_round_delivered = self.delivered;
            self.round_count += 1;
        }
        if self.conserves_until.is_some_and(|until| prior_delivered >= until) {
            self.conserves_until = None;
        }
        if self.marked_until.is_some_and(|until| prior_delivered >= until) {
            self.marked_until = None;
        }
    }

    fn update_ack_aggregation(&mut self, ack: &Ack) {
        let interval = ack.now.since(self.extra_acked_start).as_nanos();
        let expected = u128::from(self.bw.get()) * interval / 1_000_000_000;
        let mut expected = u64::try_from(expected).unwrap_or(u64::MAX);
        if self.extra_acked_delivered <= expected {
            self.extra_acked_delivered = 0;
            self.extra_acked_start = ack.now;
            expected = 0;
        }
        self.extra_acked_delivered += ack.delivered;
        let extra = (self.extra_acked_delivered - expected).min(self.window);
        self.extra_acked.update(EXTRA_ACKED_ROUNDS, self.round_count, extra);
    }

    fn aggregation_budget(&self) -> u64 {
        if !self.filled_pipe {
            return 0;
        }
        let most = u128::from(self.bw.get()) * MOST_EXTRA.as_nanos() / 1_000_000_000;
        self.extra_acked.get().min(u64::try_from(most).unwrap_or(u64::MAX))
    }

    fn update_cycle_phase(&mut self, ack: &Ack) {
        let State::ProbeBw { phase } = self.state else { return };
        let gain = CYCLE[phase];
        let full_length = ack.now.since(self.cycle_stamp) > self.min_rtt.unwrap_or_default();
        let over = if gain > 1_000 {
            // Probe until the pipe was filled that far, or something was lost on the way.
            full_length && (ack.newly_lost > 0 || ack.prior_in_flight >= self.inflight(gain))
        } else if gain < 1_000 {
            // Drain for a round trip at most.
            full_length || ack.prior_in_flight <= self.inflight(1_000)
        } else {
            full_length
        };
        if over {
            self.state = State::ProbeBw { phase: (phase + 1) % CYCLE.len() };
            self.cycle_stamp = ack.now;
        }
    }

    fn enter_probe_bw(&mut self, now: Instant) {
        // Anywhere but in the phase that drains: flows shall not all probe at once.
        let skipped = self.random.below(CYCLE.len() as u64 - 1) as usize;
        self.state = State::ProbeBw { phase: (CYCLE.len() - skipped) % CYCLE.len() };
        self.cycle_stamp = now;
    }

    fn check_full_pipe(&mut self, app_limited: bool) {
        if self.filled_pipe || !self.round_start || app_limited {
            return;
        }
        if self.bw.get() >= self.full_bw + self.full_bw / 4 {
            self.full_bw = self.bw.get();
            self.full_bw_count = 0;
            return;
        }
        self.full_bw_count += 1;
        self.filled_pipe = self.full_bw_count >= FULL_BW_ROUNDS;
    }

    fn check_drain(&mut self, ack: &Ack) {
        if self.state == State::Startup && self.filled_pipe {
            self.state = State::Drain;
        }
        if self.state == State::Drain && ack.in_flight <= self.inflight(1_000) {
            self.enter_probe_bw(ack.now);
        }
    }

    fn update_min_rtt(&mut self, ack: &Ack) {
        let expired = ack.now > self.min_rtt_stamp + MIN_RTT_WINDOW;
        if let Some(rtt) = ack.shortest_rtt
            && (self.min_rtt.is_none_or(|min| rtt <= min) || expired)
        {
            self.min_rtt = Some(rtt);
            self.min_rtt_stamp = ack.now;
        }
        if expired && !self.idle_restart && self.state != State::ProbeRtt {
            self.save_window();
            self.state = State::ProbeRtt;
            self.probe_rtt_done = None;
        }
        if self.state == State::ProbeRtt {
            self.handle_probe_rtt(ack);
        }
        self.idle_restart = false;
    }

    fn handle_probe_rtt(&mut self, ack: &Ack) {
        let Some(_) = self.probe_rtt_done else {
            if ack.in_flight <= MIN_PIPE * self.mss {
                self.probe_rtt_done = Some(ack.now + PROBE_RTT_DURATION);
                self.probe_rtt_round_done = false;
                self.next_round_delivered = self.delivered;
            }
            return;
        };
        self.probe_rtt_round_done |= self.round_start;
        if self.probe_rtt_round_done {
            self.check_probe_rtt_done(ack.now);
        }
    }

    fn check_probe_rtt_done(&mut self, now: Instant) {
        if self.probe_rtt_done.is_some_and(|done| now > done) {
            self.min_rtt_stamp = now;
            self.window = self.window.max(self.prior_window);
            if self.filled_pipe {
                self.enter_probe_bw(now);
            } else {
                self.state = State::Startup;
            }
        }
    }

    fn save_window(&mut self) {
        self.prior_window = if !self.in_recovery && self.state != State::ProbeRtt {
            self.window
        } else {
            self.prior_window.max(self.window)
        };
    }

    fn set_window(&mut self, ack: &Ack) {
        let target = self.inflight(self.window_gain()) + self.aggregation_budget();
        if self.in_recovery && ack.newly_lost > 0 {
            self.window = self.window.saturating_sub(ack.newly_lost).max(self.mss);
        }
        if self.conserves_until.is_some() {
            // Packet conservation: one leaves for each that arrived.
            self.window = self.window.max(ack.in_flight + ack.delivered);
        } else if self.filled_pipe {
            self.window = (self.window + ack.delivered).min(target);
        } else if self.window < target || ack.total_delivered < self.initial {
            self.window += ack.delivered;
        }
        self.window = self.window.max(MIN_PIPE * self.mss);
        if self.state == State::ProbeRtt {
            self.window = self.window.min(MIN_PIPE * self.mss);
        }
    }
}

impl Controller for Bbr1 {
    fn on_established(&mut self, now: Instant, rtt: Option<Duration>, _sack: bool) {
        self.min_rtt = rtt;
        self.min_rtt_stamp = now;
        self.extra_acked_start = now;
        self.init_pacing_rate(rtt);
    }

    fn take_over(&mut self, window: u64, _threshold: u64) {
        self.window = window.max(self.mss);
    }

    fn on_ack(&mut self, ack: &Ack) {
        self.delivered = ack.total_delivered;
        let Some(sample) = &ack.rate else { return };
        if !self.measured_rtt
            && let Some(rtt) = ack.rtt
        {
            self.measured_rtt = true;
            if self.bw.get() == 0 {
                self.init_pacing_rate(Some(rtt));
            }
        }
        self.update_round(sample.prior_delivered);
        if let Some(rate) = sample.rate()
            && (rate >= self.bw.get() || !sample.app_limited)
        {
            self.bw.update(BW_ROUNDS, self.round_count, rate);
        }
        self.update_ack_aggregation(ack);
        self.update_cycle_phase(ack);
        self.check_full_pipe(sample.app_limited);
        self.check_drain(ack);
        self.update_min_rtt(ack);
        self.set_pacing_rate(self.pacing_gain());
        self.set_send_quantum();
        self.set_window(ack);
    }

    fn on_sent(&mut self, sent: &Sent) {
        if sent.in_flight == 0 && sent.app_limited {
            self.idle_restart = true;
            self.extra_acked_start = sent.now;
            match self.state {
                State::ProbeBw { .. } => self.set_pacing_rate(1_000),
                State::ProbeRtt => self.check_probe_rtt_done(sent.now),
                _ => {}
            }
        }
    }

    fn on_loss(&mut self, _now: Instant, _in_flight: u64) {
        self.save_window();
        self.undo = (self.full_bw, self.full_bw_count, self.filled_pipe);
        self.in_recovery = true;
        self.conserves_until = Some(self.delivered);
        // From what is in flight, which `set_window` adds as it hears of it.
        self.window = MIN_PIPE * self.mss;
    }

    fn on_timeout(&mut self, _now: Instant, _in_flight: u64) {
        self.save_window();
        self.undo = (self.full_bw, self.full_bw_count, self.filled_pipe);
        self.in_recovery = true;
        self.conserves_until = None;
        // As Linux does: what the pipe holds is to be found anew.
        self.full_bw = 0;
        self.window = self.mss;
    }

    fn on_timeout_again(&mut self, _now: Instant) {
        self.window = self.mss;
    }

    fn on_recovered(&mut self, _now: Instant, _in_flight: u64) {
        self.in_recovery = false;
        self.conserves_until = None;
        self.window = self.window.max(self.prior_window);
    }

    fn on_undo(&mut self, now: Instant) {
        (self.full_bw, self.full_bw_count, self.filled_pipe) = self.undo;
        self.on_recovered(now, 0);
    }

    fn on_ecn(&mut self, _now: Instant, _in_flight: u64) {
        self.marked_until = Some(self.delivered);
        // Startup has found what there is.
        self.filled_pipe |= self.state == State::Startup;
    }

    fn on_idle(&mut self, _now: Instant) {}

    fn on_mss(&mut self, mss: u64) {
        if self.bw.get() == 0 {
            let segments = (self.window / self.mss).max(1);
            self.initial = (self.initial / self.mss).max(1) * mss;
            self.window = segments * mss;
        }
        self.mss = mss;
        self.set_send_quantum();
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn slow_start_threshold(&self) -> u64 {
        if self.filled_pipe { self.prior_window.max(self.mss) } else { u64::MAX }
    }

    fn pacing_rate(&self) -> Option<u64> {
        Some(self.pacing_rate.max(1))
    }

    fn send_quantum(&self) -> u64 {
        self.send_quantum
    }

    fn owns_recovery_window(&self) -> bool {
        true
    }

    fn limits_itself(&self) -> bool {
        self.state == State::ProbeRtt
    }

    fn phase(&self) -> &'static str {
        match self.state {
            State::Startup => "startup",
            State::Drain => "drain",
            State::ProbeBw { phase: 0 } => "probe up",
            State::ProbeBw { phase: 1 } => "probe down",
            State::ProbeBw { .. } => "cruise",
            State::ProbeRtt => "probe rtt",
        }
    }
}

/// `value` times so many thousandths.
fn gained(value: u64, thousandths: u64) -> u64 {
    u64::try_from(u128::from(value) * u128::from(thousandths) / 1_000).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
