//! Questions to a peer: whether its window is still closed (RFC 9293 3.8.6.1), whether it still lives (3.8.4).

use core::time::Duration;

use thru_wire::Instant;

use super::connection::{Connection, Context};
use super::{State, TcpError};

/// As long as this a cork may hold back what would not fill a segment, as in Linux.
const CORK: Duration = Duration::from_millis(200);

/// State of both kinds of probes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probe {
    /// One must leave now.
    pub(crate) due: bool,
    /// A window too small to be used well is used all the same, once: the peer will not open it further.
    pub(crate) force_small: bool,
    /// Probes for a window in a row: their time doubles.
    asked: u32,
    /// Probes in a row that nobody answered.
    unanswered: u32,
    /// When the first of them was due.
    asks_since: Instant,
}

impl Probe {
    /// Probes in a row that nobody answered.
    pub(crate) fn unanswered(&self) -> u32 {
        self.unanswered
    }

    /// Something came from the peer.
    pub(crate) fn answered(&mut self) {
        self.unanswered = 0;
    }
}

impl Connection {
    /// Nothing can be sent: if only the peer's window forbids it, ask for it from time to time.
    pub(crate) fn watch_peer_window(&mut self, cx: &Context<'_>) {
        let waits = self.is_synchronized()
            && self.runs.is_empty()
            && (self.queue.end() > self.nxt || (self.closing && !self.fin_sent()))
            && (self.settings.cork || self.holds() || self.peer_window_blocks());
        if !waits {
            self.timers.persist = Instant::NEVER;
            self.probe.asked = 0;
        } else if self.timers.persist.is_never() {
            let blocked = self.peer_window_blocks();
            let held = self.holds() && !self.settings.cork;
            let wait = if blocked || held { self.persist_timeout(cx, self.probe.asked) } else { CORK };
            self.timers.persist = cx.now + wait;
        }
    }

    pub(crate) fn peer_window_blocks(&self) -> bool {
        let window = (self.una + self.peer_window.size()).saturating_sub(self.nxt);
        let unsent = self.queue.end().saturating_sub(self.nxt) + u64::from(self.closing);
        window < unsent.min(u64::from(self.options.mss))
    }

    pub(crate) fn on_persist(&mut self, cx: &mut Context<'_>) {
        if !self.peer_window_blocks() {
            // What a cork held back has waited long enough.
            self.probe.force_small = true;
            self.push_all();
            return;
        }
        if self.probe.asked == 0 {
            self.probe.asks_since = cx.now;
        } else if self.closed_window_is_over(cx, cx.now.since(self.probe.asks_since)) {
            return;
        }
        if self.probe.unanswered > cx.config.data_retries {
            let icmp = self.last_icmp.as_deref().cloned();
            self.end(cx, Some(TcpError::TimedOut { icmp }));
            return;
        }
        if self.peer_window.size() > 0 {
            self.probe.force_small = true;
        } else {
            self.probe.due = true;
            cx.stats.window_probes += 1;
        }
        self.probe.asked += 1;
        self.probe.unanswered += 1;
        self.timers.persist = cx.now + self.persist_timeout(cx, self.probe.asked);
    }

    pub(crate) fn on_keepalive(&mut self, cx: &mut Context<'_>) {
        if !self.settings.keepalive {
            return;
        }
        // Whatever the settings say, time passes between two questions.
        let interval = self.settings.keepalive_interval.max(Duration::from_millis(1));
        let idle = self.settings.keepalive_idle.max(Duration::from_millis(1));
        if matches!(self.state, State::SynSent | State::SynReceived | State::Closed | State::TimeWait) {
            return;
        }
        let due = self.last_received + idle;
        // Data on its way, or waiting for a window, asks the same question with its own timers.
        if due > cx.now || !self.runs.is_empty() || !self.timers.persist.is_never() {
            self.timers.keepalive = due.max(cx.now + interval.min(idle));
            return;
        }
        let silent = cx.now.since(self.last_received);
        if self.keepalive_is_over(self.probe.unanswered, silent) {
            let icmp = self.last_icmp.as_deref().cloned();
            self.abort_silently_dead(cx, TcpError::TimedOut { icmp });
            return;
        }
        self.probe.unanswered += 1;
        self.probe.due = true;
        cx.stats.keepalives += 1;
        self.timers.keepalive = cx.now + interval;
    }

    /// The peer is gone; a RST tells it, should it come back (as Linux does).
    fn abort_silently_dead(&mut self, cx: &mut Context<'_>, error: TcpError) {
        let reset = self.build_bare(
            cx.spare,
            cx.now,
            thru_wire::tcp::Flags::RST | thru_wire::tcp::Flags::ACK,
            self.nxt,
        );
        cx.out.push_back(reset);
        self.end(cx, Some(error));
    }
}
