//! Whether a congestion window is put to use: a window that nobody filled says nothing about the path and must not grow
//! (RFC 7661 4.2, RFC 9438 4.2; remembered for a round trip, as Linux does).

use super::connection::Connection;

/// How much of the window was used in this round trip.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// The place after which the next round trip begins.
    until: u64,
    /// The most bytes that were sent and unacknowledged.
    most: u32,
    /// It was full.
    full: bool,
}

impl Connection {
    /// A burst is over. `blocked`: the window, and nothing else, ended it.
    pub(crate) fn note_usage(&mut self, blocked: bool) {
        let full = blocked || self.network_load() + u64::from(self.options.mss) > self.send_window();
        let out = u32::try_from(self.nxt - self.una).unwrap_or(u32::MAX);
        let usage = &mut self.usage;
        if full || self.una >= usage.until || (!usage.full && out > usage.most) {
            *usage = Usage { until: self.nxt, most: out, full };
        }
    }

    /// Whether an acknowledgement now proves that the path carries more. In slow start a window that was half used
    /// may double.
    pub(crate) fn window_is_used(&self) -> bool {
        let window = self.congestion.window();
        let in_slow_start = window < self.congestion.slow_start_threshold();
        self.usage.full || (in_slow_start && window < 2 * u64::from(self.usage.most))
    }
}
