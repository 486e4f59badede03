//! A connection on which nothing happens lets go of what serves data on its way.

use thru_wire::Instant;

use super::TcpConfig;
use super::connection::Connection;
use super::history::History;

impl Connection {
    /// The wheel has turned for it. The entry of a timer that nothing waits for any more, which every segment sent
    /// leaves behind, comes in handy: no deadline is set for the sake of this unless something happened since. A flow
    /// that pauses for less than a timeout keeps what it will need again.
    pub(crate) fn rest_if_quiet(&mut self, now: Instant, config: &TcpConfig) {
        self.timers.rest = Instant::NEVER;
        let busy = !self.runs.is_empty() || !self.timers.retransmit.is_never() || !self.is_synchronized();
        if busy || !self.has_something_to_let_go() {
            return;
        }
        let from = self.last_sent.max(self.last_received) + self.rtt.rto(config);
        if from > now {
            self.timers.rest = from;
        } else {
            self.rest();
        }
    }

    fn has_something_to_let_go(&self) -> bool {
        self.runs.is_held() && self.runs.is_forgettable()
            || self.recovery.is_held() && self.recovery.is_forgettable()
            || self.scoreboard.is_held() && self.scoreboard.is_empty()
            || self.receive.has_something_to_let_go()
            || self.insight.has_something_to_let_go()
            || self.history.as_deref().is_some_and(History::has_something_to_let_go)
    }

    /// What should be known the next time (losses, reordering) stays.
    fn rest(&mut self) {
        if self.runs.is_forgettable() {
            self.runs.release();
        }
        if self.recovery.is_forgettable() {
            self.recovery.release();
        }
        if self.scoreboard.is_empty() {
            self.scoreboard.release();
        }
        self.receive.rest();
        self.insight.rest();
        if let Some(history) = &mut self.history {
            history.rest();
        }
    }
}
