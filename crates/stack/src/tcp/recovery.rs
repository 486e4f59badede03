//! Loss: noticed by acknowledgements (RFC 6675 with SACK, RFC 6582 without) or by the timer (RFC 6298), and repaired.

use core::time::Duration;

use thru_wire::Instant;

use super::connection::{Connection, Context};
use super::insight::TcpEventKind;
use super::{State, TcpError};

/// DupThresh of RFC 6675.
const DUPLICATES: u32 = 3;

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
}

/// State of loss recovery.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recovery {
    pub(crate) phase: Phase,
    /// Duplicate acknowledgements in a row.
    pub(crate) duplicates: u32,
    /// The next lost run leaves even if the window is full (RFC 6675 5 step 4.3).
    pub(crate) force: bool,
    /// Timeouts since something was last acknowledged.
    pub(crate) retries: u32,
    /// When the most recently sent of all delivered runs had left.
    newest_delivered: Option<Instant>,
}

impl Recovery {
    pub(crate) fn delivered(&mut self, sent_at: Instant) {
        self.newest_delivered = Some(self.newest_delivered.map_or(sent_at, |newest| newest.max(sent_at)));
    }

    pub(crate) fn in_recovery(&self) -> bool {
        matches!(self.phase, Phase::Recovery { .. })
    }
}

impl Connection {
    /// An acknowledgement was taken in: is something lost, or is all repaired? `before`: in the network before it.
    pub(crate) fn judge_loss(&mut self, cx: &mut Context<'_>, advanced: bool, before: u64) {
        if let Phase::Recovery { until } | Phase::Loss { until } = self.recovery.phase
            && self.una >= until
        {
            self.recovery.phase = Phase::Open;
            self.recovery.duplicates = 0;
            self.congestion.on_recovered(cx.now, self.runs.in_flight());
        }
        let lost = if self.options.sack { self.judge_by_sack() } else { self.judge_by_count(advanced) };
        self.tell_lost(cx.now);
        if lost > 0 && self.recovery.phase == Phase::Open {
            self.enter_recovery(cx, before);
        }
    }

    /// RFC 6675 IsLost: three ranges, or more than two segments' worth of bytes, arrived above. And what was sent
    /// again is lost again if something sent a quarter of a round trip later has arrived.
    fn judge_by_sack(&mut self) -> u64 {
        let enough = u64::from(DUPLICATES - 1) * u64::from(self.options.mss);
        let (mut ranges, mut bytes, mut edge) = (0, 0, self.una);
        for range in self.scoreboard.iter().rev() {
            ranges += 1;
            bytes += range.end - range.start;
            if ranges >= DUPLICATES || bytes > enough {
                edge = range.start;
                break;
            }
        }
        let mut lost = self.runs.lose_below(edge);
        if let Some(newest) = self.recovery.newest_delivered {
            let slack = self.rtt.min().unwrap_or_default() / 4;
            lost += self.runs.lose_resent_before(newest - slack);
        }
        lost
    }

    /// RFC 6582: the third duplicate in a row, and then each partial acknowledgement.
    fn judge_by_count(&mut self, advanced: bool) -> u64 {
        match self.recovery.phase {
            Phase::Open if self.recovery.duplicates == DUPLICATES => self.runs.lose_first(),
            Phase::Recovery { .. } if advanced => {
                self.recovery.force = true;
                self.runs.lose_first()
            }
            _ => 0,
        }
    }

    /// The controller hears of each stretch that was marked lost, before it hears that a recovery or timeout begins.
    pub(crate) fn tell_lost(&mut self, now: Instant) {
        for lost in self.runs.notes() {
            self.congestion.on_lost(now, &lost);
        }
    }

    fn enter_recovery(&mut self, cx: &mut Context<'_>, before: u64) {
        self.congestion.on_loss(cx.now, before);
        self.recovery.phase = Phase::Recovery { until: self.nxt };
        self.recovery.force = true;
        self.insight.fast_recoveries += 1;
        self.insight.record(cx.now, TcpEventKind::FastRecovery);
    }

    /// RFC 6298 5.4 to 5.7, RFC 5681 3.1, RFC 6675 5.1.
    pub(crate) fn on_retransmit_timeout(&mut self, cx: &mut Context<'_>) {
        if matches!(self.state, State::SynSent | State::SynReceived) {
            self.on_syn_timeout(cx);
            return;
        }
        let Some(first) = self.runs.first() else { return };
        // The peer threw away what it had reported (RFC 2018 8): it would be the first to be acknowledged.
        let reneged = first.fate == super::runs::Fate::Sacked;
        let rto = self.rtt.rto(cx.config);
        self.insight.timeouts += 1;
        self.insight.record(cx.now, TcpEventKind::Timeout { rto });
        if self.recovery.retries >= cx.config.data_retries {
            let icmp = self.last_icmp.clone();
            self.end(cx, Some(TcpError::TimedOut { icmp }));
            return;
        }
        self.recovery.retries += 1;
        self.suspect_black_hole(cx, self.recovery.retries);
        self.rtt.back_off();
        let flight = self.nxt - self.una;
        self.runs.lose_all(reneged);
        self.tell_lost(cx.now);
        if self.recovery.retries == 1 {
            self.congestion.on_timeout(cx.now, flight);
        }
        if reneged {
            self.scoreboard.clear();
        }
        self.recovery.phase = Phase::Loss { until: self.nxt };
        self.recovery.duplicates = 0;
        self.recovery.force = true;
        self.timers.retransmit = cx.now + self.rtt.rto(cx.config);
    }

    /// After an acknowledgement of new data: the timer starts anew while something is unacknowledged (RFC 6298 5.2, 5.3).
    pub(crate) fn restart_retransmit(&mut self, cx: &Context<'_>) {
        self.timers.retransmit =
            if self.runs.is_empty() { Instant::NEVER } else { cx.now + self.rtt.rto(cx.config) };
    }

    /// What a probe waits for, backed off `times` times.
    pub(crate) fn persist_timeout(&self, cx: &Context<'_>, times: u32) -> Duration {
        super::rtt::backed_off(self.rtt.rto(cx.config), times).min(cx.config.max_rto)
    }
}
