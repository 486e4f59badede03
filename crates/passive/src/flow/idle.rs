//! What became of a connection that had stood still: used again after a silence, or a stream that went on by itself.

use super::TcpFlow;
use crate::glance::Tcp;
use crate::kept::Moment;
use crate::side::{ACK, RST};

/// A silence from which on a connection counts as left alone.
pub(super) const REVIVED: u64 = 1_000_000_000;

/// A goodbye is no longer than this: an alert of TLS with the longest of its paddings.
const GOODBYE_LEN: u32 = 85;
/// The end of the stream follows a goodbye within this time.
const GOODBYE: u64 = 10_000_000;

/// A connection that was used again after a silence: when, by whom, and what became of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Revival {
    pub(crate) at: Moment,
    pub(crate) by: usize,
    /// How long nothing at all had been said before.
    pub(crate) idle: u64,
    /// The other side has said something since.
    answered: bool,
    /// Its bytes.
    len: u32,
    /// How often it was said again.
    repeats: u64,
    /// It was answered with a reset.
    reset: bool,
}

/// What became of a connection that was used again after a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterIdle {
    /// It was answered with a reset.
    Reset,
    /// It was sent again and again, and never answered.
    Silence,
}

impl AfterIdle {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            AfterIdle::Reset => "reset",
            AfterIdle::Silence => "silence",
        }
    }
}

/// A stream that went on after it had stood still.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resumption {
    at: u64,
    gap: u64,
    /// Segments within the first part of a round trip.
    segments: u64,
}

impl TcpFlow {
    /// Watches what becomes of the first thing that is said after a silence, by a side that had been answered before.
    pub(super) fn revive(&mut self, by: usize, at: Moment, silent: u64, tcp: &Tcp) {
        let resets = tcp.flags & RST != 0;
        if let Some(revival) = &mut self.revival {
            if by != revival.by {
                // Who does not know the connection acknowledges nothing (RFC 9293 3.10.7.1); a program that cuts it does.
                let unknown = resets && tcp.flags & ACK == 0;
                revival.reset |= unknown && !revival.answered;
                revival.answered |= !unknown;
            } else if tcp.len > 0 && !revival.answered {
                revival.repeats += 1;
            }
        }
        let known = self.sides[by].segments > 1 && self.sides[1 - by].segments > 1;
        let over = self.sides.iter().any(|side| side.fin.is_some()) || !self.resets.is_empty();
        let pending = self.sides[by].unacknowledged() > 0 && self.sides[by].bytes > 0;
        // A probe whether the peer lives is no use of the connection (RFC 9293 3.8.4).
        if silent >= REVIVED && tcp.len > 1 && !resets && known && !over && !pending {
            self.revival = Some(Revival {
                at,
                by,
                idle: silent,
                answered: false,
                len: tcp.len,
                repeats: 0,
                reset: false,
            });
        }
    }

    /// How the connection was found when it was used again after a silence; `None`: well, or nobody knows.
    pub(crate) fn after_idle(&self) -> Option<(Revival, AfterIdle)> {
        let revival = self.revival.filter(|revival| !revival.answered && !self.is_goodbye(revival))?;
        let waited = self.last.time.saturating_sub(revival.at.time);
        match (revival.reset, revival.repeats) {
            (true, _) => Some((revival, AfterIdle::Reset)),
            (false, 2..) if waited >= REVIVED => Some((revival, AfterIdle::Silence)),
            _ => None,
        }
    }

    /// Whether a few words and the end of the stream were said in one breath, as TLS closes (RFC 8446 6.1) and whoever says
    /// `QUIT`: nobody waits for an answer to that.
    fn is_goodbye(&self, revival: &Revival) -> bool {
        let ended = self.sides[revival.by].fin.map(|(time, _)| time.saturating_sub(revival.at.time));
        revival.len <= GOODBYE_LEN && revival.repeats == 0 && ended.is_some_and(|behind| behind < GOODBYE)
    }

    /// Watches how the server's stream goes on after it stood still though nothing new was asked.
    /// `again`: this was sent before, so a timer had run out.
    pub(super) fn resume(&mut self, by: usize, time: u64, len: u32, again: bool) {
        if by == self.client() {
            return;
        }
        let mss = self.mss.iter().flatten().min().copied().unwrap_or(1_460);
        let segments = u64::from(len).div_ceil(u64::from(mss.max(1)));
        let rtt = if self.resumption.is_some() { self.least_rtt() } else { 0 };
        if let Some(resumed) = &mut self.resumption {
            if time.saturating_sub(resumed.at) < (rtt / 2).max(500_000) {
                resumed.segments += segments;
            } else {
                // Whatever limits a program lets it send as much as before; a timer that ran out lets one packet go.
                if resumed.segments == 1
                    && time.saturating_sub(resumed.at) < rtt.max(1_000_000) * 4
                    && self.lone_restarts.len() < 64
                {
                    self.lone_restarts.push(resumed.gap);
                }
                self.resumption = None;
            }
        }
        let asked = self.sides[self.client()].last_data.unwrap_or(0);
        if let Some(last) = self.pauses[by].last
            && time.saturating_sub(last) >= REVIVED
            && asked < last
            && u64::from(len) * 10 >= u64::from(mss) * 9
        {
            let gap = time.saturating_sub(last);
            if !again {
                self.resumption = Some(Resumption { at: time, gap, segments });
            } else if self.lone_restarts.len() < 64 {
                self.lone_restarts.push(gap);
            }
        }
    }
}
