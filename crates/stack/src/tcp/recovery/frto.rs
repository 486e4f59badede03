//! F-RTO (RFC 5682): after a timeout, new data is sent where possible, and if what was never sent again is acknowledged
//! nevertheless, the timeout was spurious.

use super::super::acknowledge::News;
use super::super::connection::{Connection, Context};
use super::Phase;

impl Connection {
    /// An acknowledgement after a timeout. `true`: nothing more is to be judged by it.
    pub(crate) fn follow_timeout(&mut self, cx: &Context<'_>, news: &News) -> bool {
        let Phase::Loss { until } = self.recovery.phase else { return false };
        if news.advanced && self.may_undo(news) {
            // RFC 3522: the echo is older than the repetition.
            self.undo_timeout(cx);
            return false;
        }
        let over = self.una >= until;
        if self.recovery.frto {
            if news.original {
                // Step 3 b: what was sent once was delivered.
                self.undo_timeout(cx);
                return false;
            }
            if self.nxt > until {
                // Step 3 a.
                self.recovery.frto = !(news.sacked || news.duplicate);
            } else if news.advanced && !over {
                // Step 2 b.
                self.recovery.phase = Phase::Loss { until: self.nxt };
                let unsent = self.queue.end() > self.nxt || (self.closing && !self.fin_sent());
                self.recovery.new_first = unsent && self.una + self.peer_window.size() > self.nxt;
                self.recovery.frto = self.recovery.new_first;
                if self.recovery.frto {
                    return true;
                }
            }
        }
        if over {
            self.finish(cx, news, until);
        }
        false
    }

    /// New data was to leave, and there is none that may: lost data is sent again as after any timeout.
    pub(crate) fn frto_found_nothing_new(&mut self) -> bool {
        let gives_up = self.recovery.new_first && self.recovery.frto && self.nxt <= self.recovery.until();
        if gives_up {
            self.recovery.frto = false;
            self.recovery.new_first = false;
        }
        gives_up
    }

    fn undo_timeout(&mut self, cx: &Context<'_>) {
        self.undo(cx.now, true);
        self.recovery.retries = 0;
        self.recovery.frto = false;
        self.recovery.force = false;
        self.recovery.phase = Phase::Open;
    }
}
