//! BBR version 3 (draft-ietf-ccwg-bbr, of August 2026): a model of the path, made of the rate it delivers, its
//! shortest round trip and what it bears in flight, and a pace and a window from that.
//!
//! Names are the draft's. Gains are per cent, rates bytes per second.
//! - here: the connection's side, rounds, and the order of things on an acknowledgement;
//! - `states`: Startup, Drain, ProbeBW, ProbeRTT and what moves between them;
//! - `model`: bandwidth, round trip, aggregation, and what loss and marks teach;
//! - `control`: pacing rate, send quantum and window.

use core::time::Duration;

use thru_wire::Instant;

use super::filter::MaxFilter;
use super::{Ack, Controller, Lost, RateSample, Sent};
use crate::random::Random;

mod control;
mod model;
mod states;

/// What stands for no limit.
const INFINITY: u64 = u64::MAX;
/// BBR.LossThresh is one in so many.
const LOSS_THRESHOLD: u64 = 50;
/// BBR.Beta in per cent.
const BETA: u64 = 70;
/// BBR.Headroom in per cent.
const HEADROOM: u64 = 15;
/// BBR.PacingMarginPercent.
const PACING_MARGIN: u64 = 1;
/// BBR.MinPipeCwnd in segments.
const MIN_PIPE: u64 = 4;
const MIN_RTT_WINDOW: Duration = Duration::from_secs(10);
const PROBE_RTT_INTERVAL: Duration = Duration::from_secs(5);
const PROBE_RTT_DURATION: Duration = Duration::from_millis(200);

/// BBR.state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Startup,
    Drain,
    ProbeDown,
    ProbeCruise,
    ProbeRefill,
    ProbeUp,
    ProbeRtt,
}

/// BBR.ack_phase: what the feedback that arrives now is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AckPhase {
    Init,
    Refilling,
    ProbeStarting,
    ProbeFeedback,
    ProbeStopping,
}

/// Which state a loss ended, should it turn out never to have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum UndoState {
    None,
    Startup,
    ProbeUp,
}

/// draft-ietf-ccwg-bbr.
#[derive(Clone, Debug)]
pub(crate) struct Bbr3 {
    mss: u64,
    initial: u64,
    sack: bool,
    random: Random,

    window: u64,
    pacing_rate: u64,
    send_quantum: u64,
    measured_rtt: bool,

    state: State,
    round: Round,
    idle_restart: bool,
    drain_start_round: u64,
    in_recovery: bool,
    /// The window was filled at some point of the last and of this round.
    window_limited: bool,
    window_limited_now: bool,

    /// Largest rate of the previous and of the current probing cycle (BBR.max_bw_filter).
    max_bw: [u64; 2],
    bw: u64,
    bw_shortterm: u64,
    inflight_shortterm: u64,
    inflight_longterm: u64,
    bw_latest: u64,
    inflight_latest: u64,

    min_rtt: Option<Duration>,
    min_rtt_stamp: Instant,
    probe_rtt_min_delay: Option<Duration>,
    probe_rtt_min_stamp: Instant,
    probe_rtt_expired: bool,
    probe_rtt_done: Option<Instant>,
    probe_rtt_round_done: bool,
    prior_window: u64,
    /// What the recovery that begins or goes on may have to give back is saved.
    saved: bool,

    extra_acked: MaxFilter,
    extra_acked_interval_start: Instant,
    extra_acked_delivered: u64,

    full_bw_reached: bool,
    full_bw_now: bool,
    full_bw: u64,
    full_bw_count: u32,

    loss_round_delivered: u64,
    loss_round_start: bool,
    is_loss_in_round: bool,
    loss_events_in_round: u32,
    marked_rounds: u32,

    ack_phase: AckPhase,
    is_bw_probe_sample: bool,
    bw_probe_up_acked: u64,
    probe_up_acked_per_inc: u64,
    bw_probe_up_rounds: u32,
    rounds_since_probe_up: u64,
    bw_probe_wait: Duration,
    cycle_stamp: Instant,
    prev_probe_too_high: bool,
    prev_probe_precautionary: bool,

    undo: Undo,
    /// The rate sample of the latest acknowledgement that delivered something.
    latest: Option<Latest>,
}

/// Packet-timed round trips (draft 5.5.1).
#[derive(Clone, Debug, Default)]
struct Round {
    count: u64,
    start: bool,
    next_delivered: u64,
    /// C.delivered as of the latest acknowledgement.
    delivered: u64,
}

/// What a spurious loss recovery gives back (draft 5.5.11).
#[derive(Clone, Debug)]
struct Undo {
    state: UndoState,
    bw_shortterm: u64,
    inflight_shortterm: u64,
    inflight_longterm: u64,
}

/// RS, as far as it is needed beyond its acknowledgement.
#[derive(Clone, Copy, Debug)]
struct Latest {
    tx_in_flight: u64,
    app_limited: bool,
}

impl Bbr3 {
    pub(crate) fn new(mss: u64, initial: u32, seed: u64) -> Bbr3 {
        let initial = mss * u64::from(initial.max(1));
        let mut bbr = Bbr3 {
            mss,
            initial,
            sack: true,
            random: Random::new(seed, "bbr"),
            window: initial,
            pacing_rate: 0,
            send_quantum: 2 * mss,
            measured_rtt: false,
            state: State::Startup,
            round: Round::default(),
            idle_restart: false,
            drain_start_round: 0,
            in_recovery: false,
            window_limited: false,
            window_limited_now: false,
            max_bw: [0; 2],
            bw: 0,
            bw_shortterm: INFINITY,
            inflight_shortterm: INFINITY,
            inflight_longterm: INFINITY,
            bw_latest: 0,
            inflight_latest: 0,
            min_rtt: None,
            min_rtt_stamp: Instant::START,
            probe_rtt_min_delay: None,
            probe_rtt_min_stamp: Instant::START,
            probe_rtt_expired: false,
            probe_rtt_done: None,
            probe_rtt_round_done: false,
            prior_window: 0,
            saved: false,
            extra_acked: MaxFilter::default(),
            extra_acked_interval_start: Instant::START,
            extra_acked_delivered: 0,
            full_bw_reached: false,
            full_bw_now: false,
            full_bw: 0,
            full_bw_count: 0,
            loss_round_delivered: 0,
            loss_round_start: false,
            is_loss_in_round: false,
            loss_events_in_round: 0,
            marked_rounds: 0,
            ack_phase: AckPhase::Init,
            is_bw_probe_sample: false,
            bw_probe_up_acked: 0,
            probe_up_acked_per_inc: INFINITY,
            bw_probe_up_rounds: 0,
            rounds_since_probe_up: 0,
            bw_probe_wait: Duration::ZERO,
            cycle_stamp: Instant::START,
            prev_probe_too_high: false,
            prev_probe_precautionary: false,
            undo: Undo {
                state: UndoState::None,
                bw_shortterm: INFINITY,
                inflight_shortterm: INFINITY,
                inflight_longterm: INFINITY,
            },
            latest: None,
        };
        bbr.init_pacing_rate(None);
        bbr
    }

    fn update_round(&mut self, sample: &RateSample) {
        self.round.start = sample.prior_delivered >= self.round.next_delivered;
        if self.round.start {
            self.start_round();
            self.round.count += 1;
            self.rounds_since_probe_up += 1;
            self.window_limited = self.window_limited_now;
            self.window_limited_now = false;
        }
    }

    fn start_round(&mut self) {
        self.round.next_delivered = self.round.delivered;
    }

    fn is_window_limited(&self) -> bool {
        self.window_limited || self.window_limited_now
    }
}

impl Controller for Bbr3 {
    fn on_established(&mut self, now: Instant, rtt: Option<Duration>, sack: bool) {
        self.sack = sack;
        self.min_rtt = rtt;
        self.probe_rtt_min_delay = rtt;
        (self.min_rtt_stamp, self.probe_rtt_min_stamp) = (now, now);
        self.extra_acked_interval_start = now;
        self.init_pacing_rate(rtt);
    }

    fn take_over(&mut self, window: u64, _threshold: u64) {
        self.window = window.max(self.mss);
    }

    fn on_ack(&mut self, ack: &Ack) {
        self.round.delivered = ack.total_delivered;
        self.loss_events_in_round += u32::from(ack.newly_lost > 0);
        let Some(sample) = &ack.rate else { return };
        let rate = sample.rate().unwrap_or(0);
        self.latest = Some(Latest { tx_in_flight: sample.tx_in_flight, app_limited: sample.app_limited });
        if !self.measured_rtt
            && let Some(rtt) = ack.rtt
        {
            self.measured_rtt = true;
            if self.bw == 0 {
                self.init_pacing_rate(Some(rtt));
            }
        }
        self.update_latest_delivery_signals(ack, sample, rate);
        self.update_congestion_signals(sample, rate);
        self.update_ack_aggregation(ack);
        self.check_full_bw_reached(sample, rate);
        self.check_startup_done(ack, sample);
        self.check_drain_done(ack);
        self.update_probe_bw_cycle_phase(ack, sample, rate);
        self.update_min_rtt(ack);
        self.check_probe_rtt(ack);
        self.advance_latest_delivery_signals(sample, rate);
        self.bound_bw_for_model();

        self.set_pacing_rate(self.pacing_gain());
        self.set_send_quantum();
        self.set_window(ack);
    }

    fn on_sent(&mut self, sent: &Sent) {
        if sent.in_flight + sent.len + self.mss > self.window {
            self.window_limited_now = true;
        }
        // Draft 5.4.1: restarting from idle.
        if sent.in_flight == 0 && sent.app_limited {
            self.idle_restart = true;
            self.extra_acked_interval_start = sent.now;
            if self.is_in_probe_bw() {
                self.set_pacing_rate(100);
            } else if self.state == State::ProbeRtt {
                self.check_probe_rtt_done(sent.now);
            }
        }
    }

    fn on_lost(&mut self, now: Instant, lost: &Lost) {
        self.handle_lost(now, lost);
    }

    fn wants_lost(&self) -> bool {
        true
    }

    fn on_loss(&mut self, _now: Instant, _in_flight: u64) {
        // Without a lost stretch that was told, this is the first word of it.
        self.note_loss();
        self.save_before_loss();
        self.in_recovery = true;
    }

    fn on_timeout(&mut self, _now: Instant, _in_flight: u64) {
        self.note_loss();
        self.save_before_loss();
        self.in_recovery = true;
        // Draft 5.6.4.4: all that was in flight is lost, so one segment may leave.
        self.window = self.mss;
    }

    fn on_timeout_again(&mut self, _now: Instant) {
        self.window = self.mss;
    }

    fn on_recovered(&mut self, _now: Instant, _in_flight: u64) {
        self.in_recovery = false;
        self.saved = false;
        self.restore_window();
    }

    fn on_undo(&mut self, _now: Instant) {
        self.in_recovery = false;
        self.saved = false;
        self.handle_spurious_loss();
    }

    fn on_ecn(&mut self, now: Instant, _in_flight: u64) {
        self.handle_marks(now);
    }

    fn on_idle(&mut self, _now: Instant) {
        // Draft 5.4.2: the model outlives silence; what leaves first is paced at the known bandwidth.
    }

    fn on_mss(&mut self, mss: u64) {
        if self.bw == 0 {
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
        // BBR has none; Linux shows the window before the latest recovery.
        if self.full_bw_reached { self.prior_window.max(self.mss) } else { u64::MAX }
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
            State::ProbeDown => "probe down",
            State::ProbeCruise => "cruise",
            State::ProbeRefill => "refill",
            State::ProbeUp => "probe up",
            State::ProbeRtt => "probe rtt",
        }
    }
}

#[cfg(test)]
mod tests;
