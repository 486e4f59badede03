//! Tail loss probes (RFC 8985 7): when acknowledgements stop although something is out, one segment is sent before the
//! timeout would be due, so that an acknowledgement comes which RACK can judge by.

use core::time::Duration;

use thru_wire::Instant;

use super::super::acknowledge::News;
use super::super::connection::{Connection, Context};
use super::super::insight::TcpEventKind;
use super::rack::SLACK;
use super::{Pending, Phase};

/// Before anything was measured.
const UNMEASURED: Duration = Duration::from_secs(1);

/// The one probe that may be out.
#[derive(Clone, Debug, Default)]
pub(crate) struct TailProbe {
    /// The place up to which all had been sent with it (TLP.end_seq), while it is out; else 0.
    end: u64,
    /// Whether it repeated the last segment, rather than carrying new data.
    again: bool,
    /// It leaves next.
    pub(crate) due: bool,
}

impl TailProbe {
    pub(crate) const NONE: TailProbe = TailProbe { end: 0, again: false, due: false };

    pub(crate) fn is_idle(&self) -> bool {
        self.end == 0 && !self.due
    }

    pub(crate) fn forget(&mut self) {
        *self = TailProbe::default();
    }

    /// Whether a repetition is out.
    pub(crate) fn is_repetition(&self) -> bool {
        self.end > 0 && self.again
    }

    /// Whether a duplicate that ends at `end` is that of the probe.
    pub(crate) fn is_duplicated_by(&self, end: u64) -> bool {
        self.is_repetition() && self.end == end
    }
}

impl Connection {
    /// RFC 8985 7.2: two round trips after the last transmission or acknowledgement; longer if the only segment's
    /// acknowledgement may be delayed; never later than the timeout. `restart`: the timeout starts anew as well.
    /// `false`: this is no time for a probe.
    pub(crate) fn schedule_probe(&mut self, cx: &Context<'_>, restart: bool) -> bool {
        let idle = !cx.config.tail_loss_probe || !self.options.sack || self.runs.is_empty();
        let calm = matches!(self.recovery.phase, Phase::Open | Phase::Reduced { .. });
        if idle || !calm || self.is_disordered() {
            return false;
        }
        let wait = match self.rtt.smoothed() {
            // Linux adds its floor of the timeout where RFC 8985 adds the longest delay of an acknowledgement.
            Some(smoothed) if self.runs.len() == 1 => 2 * smoothed + cx.config.min_rto,
            Some(smoothed) => 2 * smoothed + SLACK,
            None => UNMEASURED,
        };
        let timeout = if restart { cx.now + self.rtt.rto(cx.config) } else { self.timeout_of_first(cx) };
        let probe = cx.now + wait;
        self.timers.retransmit = if timeout > cx.now { probe.min(timeout) } else { probe };
        self.recovery.pending = Pending::Probe;
        true
    }

    /// Something arrived out of order, or was sent again and is not known to have arrived.
    pub(crate) fn is_disordered(&self) -> bool {
        self.runs.sacked_segments(u64::from(self.options.mss)) > 0
            || self.recovery.duplicates > 0
            || self.runs.resent_runs() > 0
            || self.runs.first().is_some_and(|run| run.retransmitted)
    }

    /// RFC 8985 7.3: the probe is due.
    pub(crate) fn on_probe_timeout(&mut self, cx: &Context<'_>) {
        if self.recovery.probe.end > 0 || self.runs.is_empty() {
            self.rearm_timeout(cx);
            return;
        }
        self.recovery.probe.due = true;
        // It leaves in this very moment; should it not, the timeout counts from now.
        self.recovery.pending = Pending::Retransmit;
        self.timers.retransmit = cx.now + self.rtt.rto(cx.config);
    }

    /// The probe left.
    pub(crate) fn probe_sent(&mut self, cx: &Context<'_>, again: bool) {
        self.recovery.probe = TailProbe { end: self.nxt, again, due: false };
        self.insight.rare.tail_loss_probes += 1;
        self.insight.record(cx.now, TcpEventKind::TailLossProbe);
        self.recovery.pending = Pending::Retransmit;
        self.timers.retransmit = cx.now + self.rtt.rto(cx.config);
    }

    /// RFC 8985 7.4: was the probe needed? If it repaired a loss, that loss is answered as any other.
    pub(crate) fn on_probe_answer(&mut self, cx: &Context<'_>, news: &News) {
        let end = self.recovery.probe.end;
        if end == 0 || news.ack < end {
            return;
        }
        if !self.recovery.probe.again || news.probe_duplicated {
            self.recovery.probe.forget();
        } else if news.ack > end {
            self.recovery.probe.forget();
            self.congestion.on_loss(cx.now, news.flight);
            self.congestion.on_recovered(cx.now, self.runs.in_flight());
        } else if !news.advanced && !news.sacked && news.duplicate_in_form {
            self.recovery.probe.forget();
        }
    }

    /// The timeout of what was sent first and is not acknowledged, from when that last left.
    pub(crate) fn timeout_of_first(&self, cx: &Context<'_>) -> Instant {
        self.runs.first().map_or(Instant::NEVER, |first| first.sent_at + self.rtt.rto(cx.config))
    }
}
