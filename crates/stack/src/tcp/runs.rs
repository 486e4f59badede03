//! Runs of bytes that were sent and are not acknowledged cumulatively: when each was sent, how often, and what
//! became of it. The sender's scoreboard (RFC 6675), delivery rates and, next, RACK read and write here.

use std::collections::{BTreeSet, VecDeque};

use thru_wire::Instant;

use crate::buffers::Spare;

use super::congestion::Lost;
use super::rate::Stamp;

/// One transmission's worth of sequence numbers. A FIN counts one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) start: u64,
    /// When it last left.
    pub(crate) sent_at: Instant,
    /// What a delivery rate sample needs of the moment it left.
    pub(crate) stamp: Stamp,
    pub(crate) len: u32,
    pub(crate) fate: Fate,
    pub(crate) retransmitted: bool,
}

impl Run {
    pub(crate) fn end(&self) -> u64 {
        self.start + u64::from(self.len)
    }
}

/// What is believed of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Sent once, on its way.
    InFlight,
    /// Selectively acknowledged.
    Sacked,
    /// Believed lost, not sent again yet.
    Lost,
    /// Sent again, on its way.
    Resent,
}

/// All runs between the first unacknowledged byte and the next to be sent, without gaps.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    runs: VecDeque<Run>,
    /// Starts of the lost runs: the lowest is sent next.
    lost: BTreeSet<u64>,
    /// Retransmissions in the order they left, to notice that one of them was lost too. Stale entries stay.
    resent: VecDeque<(u64, Instant)>,
    /// Bytes believed to be in the network (RFC 6675 calls it pipe).
    in_flight: u64,
    /// Bytes ever believed lost.
    lost_bytes: u64,
    /// Losses nobody was told of yet, if somebody asked for them.
    notes: Vec<Lost>,
    takes_notes: bool,
    /// Every run below was judged by the rule of three.
    judged: u64,
    /// Runs touched so far, for tests of cost.
    work: u64,
}

impl Runs {
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Bytes ever believed lost.
    pub(crate) fn lost_bytes(&self) -> u64 {
        self.lost_bytes
    }

    /// From now on, each loss is noted for [`Runs::notes`].
    pub(crate) fn take_notes(&mut self) {
        self.takes_notes = true;
    }

    /// The losses since the last call, in the order they were noticed.
    pub(crate) fn notes(&mut self) -> impl Iterator<Item = Lost> + '_ {
        self.notes.drain(..)
    }

    /// `self.runs[index]` is believed lost. Every such belief comes through here.
    fn lose(&mut self, index: usize) -> u64 {
        let Some(run) = self.runs.get(index) else { return 0 };
        if matches!(run.fate, Fate::InFlight | Fate::Resent) {
            let len = u64::from(run.len);
            self.lost_bytes += len;
            if self.takes_notes {
                self.notes.push(Lost {
                    len,
                    tx_in_flight: run.stamp.tx_in_flight(),
                    lost_since: run.stamp.lost_since(self.lost_bytes),
                    app_limited: run.stamp.app_limited,
                });
            }
        }
        self.take_out(index)
    }

    /// `self.runs[index]` has to be sent again, whyever.
    fn take_out(&mut self, index: usize) -> u64 {
        let Some(run) = self.runs.get_mut(index) else { return 0 };
        let len = u64::from(run.len);
        if matches!(run.fate, Fate::InFlight | Fate::Resent) {
            self.in_flight -= len;
        }
        run.fate = Fate::Lost;
        self.lost.insert(run.start);
        len
    }

    pub(crate) fn first(&self) -> Option<&Run> {
        self.runs.front()
    }

    /// The lowest run to be sent again.
    pub(crate) fn next_lost(&self) -> Option<&Run> {
        let start = *self.lost.first()?;
        self.at(start)
    }

    /// How many runs were touched by all calls.
    #[cfg(test)]
    pub(crate) fn work(&self) -> u64 {
        self.work
    }

    /// Without runs, their container goes back to where others can use it.
    pub(crate) fn give_room(&mut self, spare: &mut Spare) {
        if self.runs.is_empty() {
            spare.runs.empty(&mut self.runs);
        }
    }

    /// A container for runs, if there is none.
    pub(crate) fn take_room(&mut self, spare: &mut Spare) {
        spare.runs.fill(&mut self.runs);
    }

    /// A run that was just sent for the first time.
    pub(crate) fn push(&mut self, run: Run) {
        debug_assert!(self.runs.back().is_none_or(|last| last.end() == run.start));
        debug_assert_eq!(run.fate, Fate::InFlight);
        self.in_flight += u64::from(run.len);
        self.runs.push_back(run);
    }

    /// Everything below `to` was acknowledged: each run (or its part) that leaves is shown to `leaves`.
    pub(crate) fn acknowledge(&mut self, to: u64, mut leaves: impl FnMut(Run)) {
        while let Some(first) = self.runs.front().copied() {
            if first.start >= to {
                break;
            }
            self.work += 1;
            let gone = if first.end() <= to {
                self.runs.pop_front();
                self.lost.remove(&first.start);
                first
            } else {
                let part = (to - first.start) as u32;
                if self.lost.remove(&first.start) {
                    self.lost.insert(to);
                }
                if let Some(rest) = self.runs.front_mut() {
                    rest.start = to;
                    rest.len -= part;
                    if rest.fate == Fate::Resent {
                        self.resent.push_front((to, rest.sent_at));
                    }
                }
                Run { len: part, ..first }
            };
            match gone.fate {
                Fate::InFlight | Fate::Resent => self.in_flight -= u64::from(gone.len),
                Fate::Sacked | Fate::Lost => {}
            }
            leaves(gone);
        }
        if self.runs.is_empty() {
            let runs = core::mem::take(&mut self.runs);
            *self = Runs {
                runs,
                judged: self.judged,
                work: self.work,
                lost_bytes: self.lost_bytes,
                takes_notes: self.takes_notes,
                notes: core::mem::take(&mut self.notes),
                ..Runs::default()
            };
        }
    }

    /// `block` was reported as received, as part of `range`: runs wholly inside the range count as received.
    /// A run that is reported in part waits for the rest: our own segments have the edges of runs.
    pub(crate) fn sack(&mut self, block: (u64, u64), range: (u64, u64), mut delivered: impl FnMut(&Run)) {
        let mut index = self.runs.partition_point(|run| run.end() <= block.0);
        while let Some(run) = self.runs.get_mut(index) {
            if run.start >= block.1 {
                break;
            }
            self.work += 1;
            if run.start >= range.0 && run.end() <= range.1 && run.fate != Fate::Sacked {
                delivered(run);
                if run.fate == Fate::Lost {
                    self.lost.remove(&run.start);
                } else {
                    self.in_flight -= u64::from(run.len);
                }
                run.fate = Fate::Sacked;
            }
            index += 1;
        }
    }

    /// Runs below `edge` that are still on their first way are lost. Returns the bytes newly lost. Each run is looked at once.
    pub(crate) fn lose_below(&mut self, edge: u64) -> u64 {
        let from = self.judged;
        if edge <= from {
            return 0;
        }
        self.judged = edge;
        let mut newly = 0;
        let mut index = self.runs.partition_point(|run| run.start < from);
        while let Some(run) = self.runs.get(index) {
            if run.end() > edge {
                // Judged when the edge has passed its end.
                self.judged = run.start;
                break;
            }
            self.work += 1;
            if run.fate == Fate::InFlight {
                newly += self.lose(index);
            }
            index += 1;
        }
        newly
    }

    /// The first run is lost, unless that is known already (RFC 6582 3.2, for peers without SACK).
    pub(crate) fn lose_first(&mut self) -> u64 {
        match self.runs.front() {
            Some(run) if matches!(run.fate, Fate::InFlight | Fate::Resent) => self.lose(0),
            _ => 0,
        }
    }

    /// Retransmissions that left before `limit` and were not delivered are lost too, since something sent after
    /// it has arrived. Returns the bytes newly lost.
    pub(crate) fn lose_resent_before(&mut self, limit: Instant) -> u64 {
        let mut newly = 0;
        while let Some(&(start, sent_at)) = self.resent.front() {
            if sent_at >= limit {
                break;
            }
            self.resent.pop_front();
            self.work += 1;
            let index = self.runs.partition_point(|run| run.start < start);
            if let Some(run) = self.runs.get(index)
                && run.start == start
                && run.fate == Fate::Resent
                && run.sent_at == sent_at
            {
                newly += self.lose(index);
            }
        }
        newly
    }

    /// The timer ran out: everything not selectively acknowledged is lost (RFC 6675 5.1). With `reneged`, the peer
    /// has thrown away what it had reported, and that is lost too.
    pub(crate) fn lose_all(&mut self, reneged: bool) {
        for index in 0..self.runs.len() {
            self.work += 1;
            if self.runs[index].fate != Fate::Sacked || reneged {
                self.lose(index);
            }
        }
        self.resent.clear();
        debug_assert_eq!(self.in_flight, 0);
    }

    /// Runs longer than `mss` can't get through (RFC 1191 6.5): they are sent again in pieces that can. No sign of
    /// congestion, so nothing is counted or noted as lost.
    pub(crate) fn lose_longer_than(&mut self, mss: u32) -> u64 {
        let mut newly = 0;
        for index in 0..self.runs.len() {
            self.work += 1;
            let run = &self.runs[index];
            if run.len > mss && matches!(run.fate, Fate::InFlight | Fate::Resent) {
                newly += self.take_out(index);
            }
        }
        newly
    }

    /// The lost run at `start` leaves again, cut to `len`. `stamp` carries the new stamps.
    pub(crate) fn resend(&mut self, start: u64, len: u32, stamp: &Run) {
        let index = self.runs.partition_point(|run| run.start < start);
        let Some(run) = self.runs.get_mut(index).filter(|run| run.start == start && run.fate == Fate::Lost)
        else {
            debug_assert!(false, "only lost runs are sent again");
            return;
        };
        self.lost.remove(&start);
        if len < run.len {
            let rest = Run { start: start + u64::from(len), len: run.len - len, ..*run };
            run.len = len;
            self.lost.insert(rest.start);
            self.runs.insert(index + 1, rest);
        }
        let run = &mut self.runs[index];
        *run = Run { start, len, fate: Fate::Resent, retransmitted: true, ..*stamp };
        self.in_flight += u64::from(len);
        self.resent.push_back((start, stamp.sent_at));
    }

    fn at(&self, start: u64) -> Option<&Run> {
        let index = self.runs.partition_point(|run| run.start < start);
        self.runs.get(index).filter(|run| run.start == start)
    }
}

#[cfg(test)]
mod tests;
