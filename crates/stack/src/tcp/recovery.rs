//! Loss: noticed, judged, repaired, and taken back where it was none.
//!
//! With SACK, time decides what is lost ([`rack`], RFC 8985) and a probe finds a lost tail ([`tail`]); without, three
//! duplicates do ([`count`], RFC 6582). The timer is the last resort ([`timeout`], RFC 6298). While lost data is sent
//! again, [`prr`] says how much may leave (RFC 9937). [`undo`] (RFC 3522, RFC 2883) and [`frto`] (RFC 5682) notice that
//! nothing was lost. Here: the phases, and the order in which an acknowledgement asks all of these.

use thru_wire::Instant;

use super::TcpConfig;
use super::acknowledge::News;
use super::connection::{Connection, Context};
use super::insight::{LossInfo, RecoveryState, TcpEventKind};
use super::on_demand::{OnDemand, idle};
use super::runs::Runs;

mod count;
mod frto;
pub(crate) mod prr;
pub(crate) mod rack;
pub(crate) mod tail;
mod timeout;
pub(crate) mod undo;
mod user_timeout;

use prr::Prr;
use rack::Rack;
use tail::TailProbe;
use undo::Undo;
use user_timeout::UserTimeout;

/// Where the sender stands with loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Phase {
    /// Nothing is known to be missing.
    #[default]
    Open,
    /// Acknowledgements told of loss; over when all that was sent by then is acknowledged.
    Recovery { until: u64 },
    /// The timer ran out; over likewise.
    Loss { until: u64 },
    /// Marks have reduced the window, nothing is lost; over when something sent later is acknowledged.
    Reduced { until: u64 },
}

/// What the one timer of unacknowledged data is set for (RFC 8985 8: they never run side by side).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Pending {
    /// The retransmission timeout.
    #[default]
    Retransmit,
    /// What was overtaken has had its time to arrive.
    Reorder,
    /// A probe of the tail.
    Probe,
}

/// State of loss recovery.
#[derive(Clone, Debug)]
pub(crate) struct Recovery {
    pub(crate) phase: Phase,
    pub(crate) pending: Pending,
    /// Duplicate acknowledgements in a row.
    pub(crate) duplicates: u32,
    /// The next lost run leaves even if the window is full.
    pub(crate) force: bool,
    /// New data leaves, and lost data waits, until the next acknowledgement (RFC 5682 2.1 step 2, and a hole that
    /// filled by itself).
    pub(crate) new_first: bool,
    /// Timeouts since something was last acknowledged.
    pub(crate) retries: u32,
    /// When, since then, something first left again; [`Instant::NEVER`]: nothing did.
    pub(crate) struggles_since: Instant,
    /// This acknowledgement has set the timer already.
    pub(crate) timer_set: bool,
    /// Whether the next acknowledgements decide if the timeout was spurious.
    pub(crate) frto: bool,
    pub(crate) rack: Rack,
    pub(crate) probe: TailProbe,
    /// The last recovery or timeout; connections without any hold no memory for it.
    pub(crate) episode: Option<Box<Episode>>,
    /// Retransmissions, and segments reported to have arrived twice, in all the connection's time.
    pub(crate) repeated: u32,
    pub(crate) duplicated: u32,
    pub(crate) user_timeout: UserTimeout,
}

/// What belongs to one recovery or timeout.
#[derive(Clone, Debug, Default)]
pub(crate) struct Episode {
    pub(crate) prr: Prr,
    pub(crate) undo: Undo,
}

impl Default for Recovery {
    fn default() -> Recovery {
        Recovery::with(UserTimeout::OFF)
    }
}

idle!(Recovery, Recovery::with(UserTimeout::OFF));

impl Recovery {
    const fn with(user_timeout: UserTimeout) -> Recovery {
        Recovery {
            phase: Phase::Open,
            pending: Pending::Retransmit,
            duplicates: 0,
            force: false,
            new_first: false,
            retries: 0,
            struggles_since: Instant::NEVER,
            timer_set: false,
            frto: false,
            rack: Rack::NEW,
            probe: TailProbe::NONE,
            episode: None,
            repeated: 0,
            duplicated: 0,
            user_timeout,
        }
    }

    /// Of a connection that has sent nothing.
    pub(crate) fn new(config: &TcpConfig) -> OnDemand<Recovery> {
        let user_timeout = UserTimeout::new(config);
        if user_timeout.is_idle() { OnDemand::default() } else { Recovery::with(user_timeout).into() }
    }

    /// With nothing on its way: whether all that is known speaks of what was acknowledged.
    pub(crate) fn is_forgettable(&self) -> bool {
        self.phase == Phase::Open
            && self.episode.is_none()
            && (self.duplicates, self.retries, self.repeated, self.duplicated) == (0, 0, 0, 0)
            && !self.force
            && !self.new_first
            && self.struggles_since.is_never()
            && !self.frto
            && self.probe.is_idle()
            && self.rack.is_forgettable()
            && self.user_timeout.is_idle()
    }

    pub(crate) fn in_recovery(&self) -> bool {
        matches!(self.phase, Phase::Recovery { .. })
    }

    /// Whether the flight is being brought down to what the controller has decided.
    pub(crate) fn is_reducing(&self) -> bool {
        matches!(self.phase, Phase::Recovery { .. } | Phase::Reduced { .. })
    }

    /// Place at which the phase is over; the beginning of time if it is not one.
    pub(crate) fn until(&self) -> u64 {
        match self.phase {
            Phase::Open | Phase::Reduced { .. } => 0,
            Phase::Recovery { until } | Phase::Loss { until } => until,
        }
    }
}

impl Connection {
    /// Bytes that may be in the network now.
    pub(crate) fn send_window(&self) -> u64 {
        match &self.recovery.episode {
            Some(episode) if self.recovery.is_reducing() && !self.congestion.owns_recovery_window() => {
                episode.prr.window()
            }
            _ => self.congestion.window(),
        }
    }

    pub(crate) fn loss_info(&self) -> LossInfo {
        LossInfo {
            tail_loss_probes: u64::from(self.insight.rare.tail_loss_probes),
            undone: u64::from(self.insight.rare.undone),
            reordering_seen: self.recovery.rack.reordering_seen,
            reordering: self.duplicate_threshold(),
            dsack_duplicates: u64::from(self.recovery.duplicated),
            state: match self.recovery.phase {
                // A probe alone is no disorder.
                Phase::Open if self.is_disordered() && !self.recovery.probe.is_repetition() => {
                    RecoveryState::Disorder
                }
                Phase::Open => RecoveryState::Open,
                Phase::Recovery { .. } => RecoveryState::Recovery,
                Phase::Loss { .. } => RecoveryState::Loss,
                Phase::Reduced { .. } => RecoveryState::Reduced,
            },
            segments_out: self.runs.len() as u64,
            segments_sacked: self.segments_sacked(),
            segments_lost: self.segments_lost(),
            segments_resent: u64::from(self.runs.resent_runs()),
            retries: self.recovery.retries,
            backoff: self.rtt.backoff(),
        }
    }

    /// Segments known to have arrived beyond the acknowledgement, by blocks or by duplicates. Of these there may be
    /// more than segments, if the network duplicates.
    fn segments_sacked(&self) -> u64 {
        if self.options.sack {
            return self.runs.sacked_segments(u64::from(self.options.mss));
        }
        u64::from(self.recovery.duplicates).min((self.runs.len() as u64).saturating_sub(self.segments_lost()))
    }

    /// Segments believed lost, those that were sent again since included; a probe of the tail is only a question.
    fn segments_lost(&self) -> u64 {
        let probes = u64::from(self.recovery.probe.is_repetition());
        self.runs.lost_runs() as u64 + u64::from(self.runs.resent_runs()).saturating_sub(probes)
    }

    /// Something left of which `again` says whether it had left before.
    pub(crate) fn count_sent(&mut self, now: Instant, len: u32, again: bool) {
        let reducing = self.recovery.is_reducing();
        if let Some(episode) = self.recovery.held().and_then(|recovery| recovery.episode.as_mut()) {
            if reducing {
                episode.prr.sent(u64::from(len));
            }
            if again {
                episode.undo.sent_again(self.options.timestamps.map(|state| state.value(now)));
            }
        }
        if again {
            self.recovery.repeated = self.recovery.repeated.saturating_add(1);
            self.recovery.struggles_since = self.recovery.struggles_since.min(now);
        }
    }

    /// An acknowledgement was taken in: is something lost, is all repaired, was nothing lost at all?
    pub(crate) fn judge_loss(&mut self, cx: &mut Context<'_>, news: &News) {
        if let Some(recovery) = self.recovery.held() {
            recovery.new_first = false;
        }
        self.adapt_reordering_window(news);
        self.on_probe_answer(cx, news);
        let lost_before = self.runs.lost_bytes();
        self.judge_phase(cx, news);
        if self.recovery.is_reducing() {
            let safe = news.advanced && self.runs.lost_bytes() == lost_before;
            self.allow_by_prr(self.delivered_for_prr(news), self.network_load(), safe);
        }
    }

    fn judge_phase(&mut self, cx: &mut Context<'_>, news: &News) {
        if self.suspect_reneging(cx, news) {
            return;
        }
        if let Phase::Recovery { until } = self.recovery.phase
            && self.una >= until
            && self.finish(cx, news, until)
        {
            return;
        }
        if matches!(self.recovery.phase, Phase::Reduced { until } if self.una > until) {
            self.recovery.phase = Phase::Open;
        }
        let reopened = match self.recovery.phase {
            Phase::Recovery { .. } => {
                if news.advanced && self.undo_partly(cx, news) {
                    return;
                }
                self.undo_by_dsack(cx)
            }
            Phase::Loss { .. } => {
                if self.follow_timeout(cx, news) {
                    return;
                }
                false
            }
            Phase::Open => self.undo_by_dsack(cx),
            Phase::Reduced { .. } => false,
        };
        let found = self.find_lost(cx, news);
        self.tell_lost(cx.now);
        let begins = match self.recovery.phase {
            Phase::Recovery { .. } => false,
            // A retransmission was lost after the timeout: congestion again.
            Phase::Loss { .. } => found.again,
            Phase::Reduced { .. } => found.lost > 0,
            Phase::Open => found.lost > 0 || (reopened && self.runs.lost_runs() > 0),
        };
        if begins {
            self.enter_recovery(cx, news.flight);
        }
    }

    fn allow_by_prr(&mut self, delivered: u64, load: u64, safe: bool) {
        if let Some(episode) = &mut self.recovery.episode {
            episode.prr.on_ack(delivered, load, u64::from(self.options.mss), safe);
        }
    }

    fn find_lost(&mut self, cx: &Context<'_>, news: &News) -> super::runs::Found {
        if self.runs.is_empty() {
            return Default::default();
        }
        if self.options.sack { self.find_overtaken(cx) } else { self.find_by_count(news) }
    }

    /// The end of a phase is acknowledged. `true`: the phase goes on all the same.
    fn finish(&mut self, cx: &Context<'_>, news: &News, until: u64) -> bool {
        let undone = self.may_undo(news);
        if undone {
            self.undo(cx.now, false);
        } else {
            self.recovery.rack.recovered();
        }
        if !self.options.sack && self.una == until {
            // RFC 6582 4: duplicates of what was repaired must not begin another recovery.
            self.recovery.duplicates = 0;
            return true;
        }
        self.recovery.phase = Phase::Open;
        self.recovery.duplicates = 0;
        if !undone {
            self.congestion.on_recovered(cx.now, self.runs.in_flight());
        }
        false
    }

    /// The controller hears of each stretch that was marked lost, before it hears that a recovery or timeout begins.
    pub(crate) fn tell_lost(&mut self, now: Instant) {
        for lost in self.runs.held().into_iter().flat_map(Runs::notes) {
            self.congestion.on_lost(now, &lost);
        }
    }

    /// `flight`: what was sent and unacknowledged before.
    fn enter_recovery(&mut self, cx: &Context<'_>, flight: u64) {
        if matches!(self.recovery.phase, Phase::Reduced { .. }) {
            // The same round's marks have done it already, and there is nothing to take back.
            self.recovery.episode.get_or_insert_default().undo = Undo::default();
        } else {
            let window = self.congestion.window();
            self.begin_undo();
            self.congestion.on_loss(cx.now, flight);
            self.begin_reduction(flight, window);
        }
        self.recovery.probe.forget();
        self.recovery.frto = false;
        self.recovery.phase = Phase::Recovery { until: self.nxt };
        self.loss_answers_marks();
        self.insight.rare.fast_recoveries += 1;
        self.insight.record(cx.now, TcpEventKind::FastRecovery);
    }

    /// The controller has decided; from here on the flight comes down to that evenly.
    fn begin_reduction(&mut self, flight: u64, window: u64) {
        let prr = Prr::begin(flight.min(window), self.congestion.slow_start_threshold());
        self.recovery.episode.get_or_insert_default().prr = prr;
    }

    /// Marks are answered (RFC 3168 6.1.2), with the same even reduction as losses (RFC 9937 5, and Linux).
    pub(crate) fn reduce_by_marks(&mut self, now: Instant, news: &News) {
        let window = self.congestion.window();
        self.congestion.on_ecn(now, news.flight);
        if !self.congestion.owns_recovery_window() {
            self.begin_reduction(news.flight, window);
            self.recovery.phase = Phase::Reduced { until: self.nxt };
            self.recovery.probe.forget();
            self.allow_by_prr(self.delivered_for_prr(news), self.network_load(), false);
        }
    }

    /// From here on, signs are collected that it is for nothing.
    fn begin_undo(&mut self) {
        // Segments that were sent again before and may still be on their way.
        let probe = u32::from(self.recovery.probe.is_repetition());
        let out = self.runs.resent_runs().max(probe);
        self.recovery.episode.get_or_insert_default().undo.begin(self.una, out);
    }
}
