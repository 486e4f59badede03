//! The rhythm of one side's data: its pauses, and when its window was shut.

use super::TcpFlow;
use crate::glance::Tcp;
use crate::kept::Moment;
use crate::side::{FIN, RST, SYN};

/// A pause from which on it is long.
const LONG: u64 = 300_000_000;

/// The rhythm of one side's data.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pauses {
    pub(crate) last: Option<u64>,
    pub(crate) longest: u64,
    pub(crate) total: u64,
    pub(crate) count: u64,
    /// Of those, the ones that nobody takes for a round trip.
    pub(crate) long: (u64, u64),
}

impl Pauses {
    /// `idle`: all that was sent had been acknowledged, so nothing but the sender itself held it back. `asked`: the other
    /// side had said something since, so what comes now answers that, and until then nothing was due.
    pub(crate) fn take(&mut self, time: u64, idle: bool, asked: bool) {
        if let Some(last) = self.last.filter(|_| !asked) {
            let pause = time.saturating_sub(last);
            self.longest = self.longest.max(pause);
            if pause >= 1_000_000 && idle {
                self.total = self.total.saturating_add(pause).min(crate::YEAR);
                self.count += 1;
                if pause >= LONG {
                    self.long = (self.long.0 + 1, self.long.1.saturating_add(pause).min(crate::YEAR));
                }
            }
        }
        self.last = Some(time);
    }
}

/// A window that was closed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shut {
    pub(crate) since: Option<Moment>,
    pub(crate) longest: u64,
    pub(crate) total: u64,
    pub(crate) times: u64,
}

impl TcpFlow {
    /// For how long a side's window was shut at most; still shut counts until the last packet.
    pub(crate) fn shut_for(&self, side: usize) -> u64 {
        let shut = self.shut[side];
        let open = shut.since.map_or(0, |since| self.last.time.saturating_sub(since.time));
        shut.longest.max(open)
    }

    pub(super) fn window(&mut self, by: usize, at: Moment, tcp: &Tcp) {
        // Whoever gives up takes nothing more, whatever the window says.
        if tcp.flags & RST != 0 {
            return;
        }
        let shut = &mut self.shut[by];
        if tcp.window == 0 && tcp.flags & (SYN | FIN) == 0 {
            if shut.since.is_none() {
                shut.since = Some(at);
                shut.times += 1;
            }
        } else if let Some(since) = shut.since.take() {
            let time = at.time.saturating_sub(since.time);
            (shut.longest, shut.total) = (shut.longest.max(time), shut.total.saturating_add(time));
        }
    }
}
