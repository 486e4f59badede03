//! The retransmission timeout (RFC 6298 5) and what it believes lost; the one timer it shares with RACK and the probe.

use core::time::Duration;

use thru_wire::Instant;

use super::super::acknowledge::News;
use super::super::connection::{Connection, Context};
use super::super::insight::TcpEventKind;
use super::super::rtt::backed_off;
use super::super::runs::Fate;
use super::super::{State, TcpError};
use super::{Pending, Phase};

/// A peer that seems to have thrown away what it reported has at least this long to show that it has not.
const RENEGING: Duration = Duration::from_millis(10);

impl Connection {
    /// The timer of unacknowledged data, or of the SYN, ran out.
    pub(crate) fn on_retransmit_timer(&mut self, cx: &mut Context<'_>) {
        if matches!(self.state, State::SynSent | State::SynReceived) {
            self.on_syn_timeout(cx);
            return;
        }
        match self.recovery.pending {
            Pending::Retransmit => self.on_retransmit_timeout(cx),
            Pending::Reorder => self.on_reordering_timeout(cx),
            Pending::Probe => self.on_probe_timeout(cx),
        }
    }

    /// RFC 6298 5.4 to 5.7, RFC 5681 3.1.
    fn on_retransmit_timeout(&mut self, cx: &mut Context<'_>) {
        let Some(first) = self.runs.first() else { return };
        // The peer threw away what it had reported (RFC 2018 8): it would be the first to be acknowledged.
        let reneged = first.fate == Fate::Sacked;
        let rto = self.rtt.rto(cx.config);
        self.insight.rare.timeouts += 1;
        self.insight.record(cx.now, TcpEventKind::Timeout { rto });
        if self.has_tried_enough(cx) {
            let icmp = self.last_icmp.as_deref().cloned();
            self.end(cx, Some(TcpError::TimedOut { icmp }));
            return;
        }
        let flight = self.nxt - self.una;
        let new_episode = match self.recovery.phase {
            Phase::Open => true,
            Phase::Recovery { until } | Phase::Reduced { until } => self.una >= until,
            Phase::Loss { until } => self.una >= until || self.recovery.retries == 0,
        };
        let from_open = matches!(self.recovery.phase, Phase::Open | Phase::Reduced { .. });
        if new_episode {
            self.begin_undo();
        }
        // RFC 8985 6.3: what left within the last round trip may still arrive.
        let limit = if self.options.sack { cx.now - self.recovery.rack.rtt() } else { cx.now };
        self.runs.lose_timed_out(limit, reneged);
        self.tell_lost(cx.now);
        if reneged {
            self.scoreboard.clear();
        }
        if new_episode {
            self.congestion.on_timeout(cx.now, flight);
            self.loss_answers_marks();
        } else {
            self.congestion.on_timeout_again(cx.now);
        }
        // RFC 5682 2.1 step 1, as Linux: not when retransmissions of a recovery are still out.
        self.recovery.frto = cx.config.frto && (from_open || self.recovery.retries > 0);
        self.recovery.phase = Phase::Loss { until: self.nxt };
        self.recovery.probe.forget();
        self.recovery.duplicates = 0;
        self.recovery.new_first = false;
        self.recovery.force = true;
        self.recovery.retries += 1;
        self.suspect_black_hole(cx, self.recovery.retries);
        self.rtt.back_off();
        self.recovery.struggles_since = self.recovery.struggles_since.min(cx.now);
        self.timers.retransmit = cx.now + self.timeout_within_limit(cx);
    }

    /// After an acknowledgement of new data: a probe or the timeout starts anew while something is unacknowledged
    /// (RFC 6298 5.2, 5.3).
    pub(crate) fn restart_timer(&mut self, cx: &Context<'_>) {
        if !self.schedule_probe(cx, true) {
            self.rearm_timeout(cx);
        }
    }

    /// The timer is that of the timeout again. What replaced it for a while must not have made it longer.
    pub(crate) fn rearm_timeout(&mut self, cx: &Context<'_>) {
        let replaced = core::mem::take(&mut self.recovery.pending) != Pending::Retransmit;
        self.timers.retransmit = if self.runs.is_empty() {
            Instant::NEVER
        } else if replaced {
            self.timeout_of_first(cx).max(cx.now + Duration::from_millis(1))
        } else {
            cx.now + self.timeout_within_limit(cx)
        };
    }

    /// New data left; `alone`: nothing was out before (RFC 6298 5.1, RFC 8985 7.2).
    pub(crate) fn arm_after_new(&mut self, cx: &Context<'_>, alone: bool) {
        if alone || self.timers.retransmit.is_never() || self.recovery.pending == Pending::Probe {
            self.rearm_timeout(cx);
        }
        self.schedule_probe(cx, false);
    }

    /// Something left again; if it was the first that is unacknowledged, the timeout counts from here.
    pub(crate) fn arm_after_repetition(&mut self, cx: &Context<'_>, start: u64) {
        let first = start == self.una && self.recovery.pending != Pending::Reorder;
        if first || self.timers.retransmit.is_never() {
            self.recovery.pending = Pending::Retransmit;
            self.timers.retransmit = cx.now + self.timeout_within_limit(cx);
        }
    }

    /// The acknowledgement ends where a reported range begins: the peer has thrown that away, or another
    /// acknowledgement is about to show that it has not (RFC 2018 8). `true`: wait for that.
    pub(crate) fn suspect_reneging(&mut self, cx: &Context<'_>, news: &News) -> bool {
        let reneging = self.runs.first().is_some_and(|first| first.fate == Fate::Sacked);
        if !news.advanced || !reneging {
            return false;
        }
        let wait = (self.rtt.smoothed().unwrap_or_default() / 2).max(RENEGING);
        self.timers.retransmit = cx.now + wait;
        self.recovery.pending = Pending::Retransmit;
        self.recovery.timer_set = true;
        true
    }

    /// What a probe of a closed window waits for, backed off `times` times.
    pub(crate) fn persist_timeout(&self, cx: &Context<'_>, times: u32) -> Duration {
        backed_off(self.rtt.rto(cx.config), times).min(cx.config.max_rto)
    }
}
