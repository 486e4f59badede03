//! What a sender spends its time waiting for (Linux's `tcpi_busy_time`, `tcpi_rwnd_limited`, `tcpi_sndbuf_limited`).

use core::time::Duration;

use thru_wire::Instant;

/// What holds data back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Data is on its way, or the congestion window is full.
    Network,
    /// The peer's window is closed or too small.
    Window,
    /// All that was written is on its way, and the application could not write more.
    Buffer,
}

/// A stop watch with three counters.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chrono {
    running: Option<(Waiting, Instant)>,
    totals: [u64; 3],
}

impl Chrono {
    /// From `now` on; `None`: nothing to send.
    pub(crate) fn switch(&mut self, now: Instant, to: Option<Waiting>) {
        match self.running {
            Some((what, _)) if Some(what) == to => return,
            Some((what, since)) => self.totals[what as usize] += now.since(since).as_nanos() as u64,
            None if to.is_none() => return,
            None => {}
        }
        self.running = to.map(|what| (what, now));
    }

    /// What is being counted, and since when.
    pub(crate) fn running(&self) -> Option<(Waiting, Instant)> {
        self.running
    }

    /// What was counted by the last change.
    pub(crate) fn total(&self, what: Waiting) -> Duration {
        Duration::from_nanos(self.totals[what as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_span_counts_once_for_what_it_was_spent_on() {
        let at = Instant::from_millis;
        let mut chrono = Chrono::default();
        chrono.switch(at(5), None);
        chrono.switch(at(10), Some(Waiting::Network));
        chrono.switch(at(20), Some(Waiting::Network));
        chrono.switch(at(30), Some(Waiting::Window));
        chrono.switch(at(70), None);
        chrono.switch(at(100), Some(Waiting::Network));
        chrono.switch(at(101), None);
        let totals =
            [Waiting::Network, Waiting::Window, Waiting::Buffer].map(|what| chrono.total(what).as_millis());
        assert_eq!(totals, [21, 40, 0]);
    }
}
