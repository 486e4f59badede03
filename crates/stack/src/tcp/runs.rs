//! Runs of bytes that were sent and are not acknowledged cumulatively: when each was sent, how often, and what
//! became of it. RACK (RFC 8985), the count of duplicates (RFC 6582) and delivery rates read and write here.

use std::collections::{BTreeSet, VecDeque};

use thru_wire::Instant;

use crate::buffers::Spare;

use super::congestion::Lost;
use super::on_demand::idle;
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
    /// It was the last of what was written when it left first.
    pub(crate) pushed: bool,
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
    /// Runs, and bytes of them, that were selectively acknowledged.
    sacked: (u32, u64),
    /// Runs whose retransmission is on its way.
    resent_runs: u32,
    /// Bytes ever believed lost.
    lost_bytes: u64,
    /// Losses nobody was told of yet, if somebody asked for them.
    notes: Vec<Lost>,
    /// Where a run begins that tries a larger packet: its loss says nothing of congestion. And whether it was lost.
    probe: Option<u64>,
    probe_lost: bool,
    takes_notes: bool,
    /// No run below is on its first way: each run is passed once.
    judged: u64,
    /// Runs touched so far, for tests of cost.
    work: u64,
}

idle!(
    Runs,
    Runs {
        runs: VecDeque::new(),
        lost: BTreeSet::new(),
        resent: VecDeque::new(),
        in_flight: 0,
        sacked: (0, 0),
        resent_runs: 0,
        lost_bytes: 0,
        notes: Vec::new(),
        probe: None,
        probe_lost: false,
        takes_notes: false,
        judged: 0,
        work: 0,
    }
);

/// What a look for lost runs found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Bytes newly believed lost.
    pub(crate) lost: u64,
    /// Whether a retransmission is among them.
    pub(crate) again: bool,
    /// Whether something that was overtaken may still come.
    pub(crate) waiting: bool,
}

impl Runs {
    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Whether there is nothing to be remembered of what was acknowledged.
    pub(crate) fn is_forgettable(&self) -> bool {
        self.runs.is_empty() && self.lost_bytes == 0 && !self.takes_notes && !self.probe_lost
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.runs.len()
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    /// Segments selectively acknowledged: runs, or, where one run was several segments, as many as its bytes make.
    pub(crate) fn sacked_segments(&self, mss: u64) -> u64 {
        let (runs, bytes) = self.sacked;
        u64::from(runs).max(bytes / mss.max(1))
    }

    /// Runs believed lost and not sent again yet.
    pub(crate) fn lost_runs(&self) -> usize {
        self.lost.len()
    }

    /// Runs whose retransmission is on its way.
    pub(crate) fn resent_runs(&self) -> u32 {
        self.resent_runs
    }

    /// Bytes ever believed lost.
    pub(crate) fn lost_bytes(&self) -> u64 {
        self.lost_bytes
    }

    /// The run at `start` tries a larger packet.
    pub(crate) fn expect_probe(&mut self, start: u64) {
        self.probe = Some(start);
        self.probe_lost = false;
    }

    pub(crate) fn forget_probe(&mut self) {
        self.probe = None;
        self.probe_lost = false;
    }

    /// Whether it was lost since the last question.
    pub(crate) fn take_probe_lost(&mut self) -> bool {
        core::mem::take(&mut self.probe_lost)
    }

    /// From now on, each loss is noted for [`Runs::notes`].
    pub(crate) fn take_notes(&mut self) {
        self.takes_notes = true;
    }

    /// The losses since the last call, in the order they were noticed.
    pub(crate) fn notes(&mut self) -> impl Iterator<Item = Lost> + '_ {
        self.notes.drain(..)
    }

    pub(crate) fn first(&self) -> Option<&Run> {
        self.runs.front()
    }

    pub(crate) fn last(&self) -> Option<&Run> {
        self.runs.back()
    }

    /// The lowest run to be sent again.
    pub(crate) fn next_lost(&self) -> Option<&Run> {
        let start = *self.lost.first()?;
        self.at(start)
    }

    /// Whether the run that begins here was ever sent again.
    pub(crate) fn was_resent(&self, start: u64) -> bool {
        self.at(start).is_some_and(|run| run.retransmitted)
    }

    /// Whether the run that begins here was the last of what was written when it left first.
    pub(crate) fn was_pushed(&self, start: u64) -> bool {
        self.at(start).is_some_and(|run| run.pushed)
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
            if first.end() > to {
                self.split(0, to);
            }
            let Some(gone) = self.runs.pop_front() else { break };
            self.uncount(&gone);
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
                probe_lost: self.probe_lost,
                ..Runs::default()
            };
        }
    }

    /// `block` was reported as received, as part of `range`: runs wholly inside the range count as received. Of a run
    /// longer than `mss`, which left as several segments, a part may. A shorter one that is reported in part waits for
    /// the rest: our own segments have the edges of runs.
    pub(crate) fn sack(
        &mut self,
        block: (u64, u64),
        range: (u64, u64),
        mss: u32,
        mut delivered: impl FnMut(&Run),
    ) {
        let mut index = self.runs.partition_point(|run| run.end() <= block.0);
        while let Some(run) = self.runs.get(index).copied() {
            if run.start >= block.1 {
                break;
            }
            self.work += 1;
            if run.fate == Fate::Sacked {
                index += 1;
                continue;
            }
            if run.len > mss && run.start < range.0 {
                self.split(index, range.0);
                index += 1;
                continue;
            }
            if run.len > mss && run.end() > range.1 {
                self.split(index, range.1);
                continue;
            }
            if run.start >= range.0 && run.end() <= range.1 {
                delivered(&run);
                self.turn(index, Fate::Sacked);
            }
            index += 1;
        }
    }

    /// RFC 8985 6.2 step 5: what left before `newest` (the most recently sent of all that was delivered: when, and the
    /// place after it), and at or before `limit`, is lost. Runs on their first way left in order, and so did
    /// retransmissions: both are looked at from the front, and each is passed once.
    pub(crate) fn lose_overtaken(&mut self, newest: (Instant, u64), limit: Instant) -> Found {
        let mut found = Found::default();
        let from = self.judged;
        let mut index = self.runs.partition_point(|run| run.start < from);
        while let Some(run) = self.runs.get(index).copied() {
            self.judged = run.start;
            if run.fate == Fate::InFlight {
                if (run.sent_at, run.end()) >= newest {
                    break;
                }
                if run.sent_at > limit {
                    found.waiting = true;
                    break;
                }
                found.lost += self.lose(index);
            }
            self.work += 1;
            index += 1;
        }
        while let Some(&(start, sent_at)) = self.resent.front() {
            let index = self.runs.partition_point(|run| run.start < start);
            let current = self
                .runs
                .get(index)
                .copied()
                .filter(|run| run.start == start && run.fate == Fate::Resent && run.sent_at == sent_at);
            if let Some(run) = current {
                if (sent_at, run.end()) >= newest {
                    break;
                }
                if sent_at > limit {
                    found.waiting = true;
                    break;
                }
                found.again = true;
                found.lost += self.lose(index);
            }
            self.resent.pop_front();
            self.work += 1;
        }
        found
    }

    /// The first run is lost, unless that is known already (RFC 6582 3.2, for peers without SACK).
    pub(crate) fn lose_first(&mut self) -> u64 {
        match self.runs.front() {
            Some(run) if matches!(run.fate, Fate::InFlight | Fate::Resent) => self.lose(0),
            _ => 0,
        }
    }

    /// The timer ran out: the first run is lost, and so is what left at or before `limit` and was not selectively
    /// acknowledged (RFC 6675 5.1, RFC 8985 6.3). With `reneged`, the peer has thrown away what it had reported, and
    /// all of that is lost too.
    pub(crate) fn lose_timed_out(&mut self, limit: Instant, reneged: bool) {
        for index in 0..self.runs.len() {
            self.work += 1;
            let run = &self.runs[index];
            let lost = match run.fate {
                Fate::Lost => false,
                Fate::Sacked => reneged,
                Fate::InFlight | Fate::Resent => index == 0 || reneged || run.sent_at <= limit,
            };
            if lost {
                self.lose(index);
            }
        }
    }

    /// Nothing was lost after all: what was not sent again yet is on its way as before.
    pub(crate) fn unlose(&mut self) {
        for start in core::mem::take(&mut self.lost) {
            self.work += 1;
            let index = self.runs.partition_point(|run| run.start < start);
            let Some(run) = self.runs.get(index).copied().filter(|run| run.start == start) else { continue };
            self.judged = self.judged.min(start);
            self.turn(index, if run.retransmitted { Fate::Resent } else { Fate::InFlight });
            if run.retransmitted {
                self.resent.push_back((start, run.sent_at));
            }
        }
        self.resent.make_contiguous().sort_by_key(|&(_, sent_at)| sent_at);
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

    /// The lost run at `start`, or any other on its way, leaves again, cut to `len`. `stamp` carries the new stamps.
    pub(crate) fn resend(&mut self, start: u64, len: u32, stamp: &Run) {
        let mut index = self.runs.partition_point(|run| run.start <= start).saturating_sub(1);
        let Some(run) = self.runs.get(index).copied().filter(|run| {
            run.start <= start && start + u64::from(len) <= run.end() && run.fate != Fate::Sacked
        }) else {
            debug_assert!(false, "only what was sent and not received is sent again");
            return;
        };
        if run.start < start {
            self.split(index, start);
            index += 1;
        }
        if start + u64::from(len) < run.end() {
            self.split(index, start + u64::from(len));
        }
        self.turn(index, Fate::Resent);
        let run = &mut self.runs[index];
        *run = Run { start, len, fate: Fate::Resent, retransmitted: true, pushed: run.pushed, ..*stamp };
        self.resent.push_back((start, stamp.sent_at));
    }

    /// `self.runs[index]` is believed lost. Every such belief comes through here.
    fn lose(&mut self, index: usize) -> u64 {
        let Some(run) = self.runs.get(index) else { return 0 };
        if self.probe == Some(run.start) {
            self.probe = None;
            self.probe_lost = true;
            self.take_out(index);
            return 0;
        }
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
        self.turn(index, Fate::Lost);
        self.runs.get(index).map_or(0, |run| u64::from(run.len))
    }

    /// The one place where a fate changes, and the counts with it.
    fn turn(&mut self, index: usize, fate: Fate) {
        let Some(run) = self.runs.get(index).copied() else { return };
        self.uncount(&run);
        let run = Run { fate, ..run };
        self.count(&run);
        self.runs[index] = run;
    }

    fn count(&mut self, run: &Run) {
        let len = u64::from(run.len);
        match run.fate {
            Fate::InFlight => self.in_flight += len,
            Fate::Resent => {
                self.in_flight += len;
                self.resent_runs += 1;
            }
            Fate::Sacked => self.sacked = (self.sacked.0 + 1, self.sacked.1 + len),
            Fate::Lost => {
                self.lost.insert(run.start);
            }
        }
    }

    fn uncount(&mut self, run: &Run) {
        let len = u64::from(run.len);
        match run.fate {
            Fate::InFlight => self.in_flight -= len,
            Fate::Resent => {
                self.in_flight -= len;
                self.resent_runs -= 1;
            }
            Fate::Sacked => self.sacked = (self.sacked.0 - 1, self.sacked.1 - len),
            Fate::Lost => {
                self.lost.remove(&run.start);
            }
        }
    }

    /// Makes two runs of one: `place` lies within it.
    fn split(&mut self, index: usize, place: u64) {
        let Some(run) = self.runs.get(index).copied() else { return };
        debug_assert!(run.start < place && place < run.end());
        let first = Run { len: (place - run.start) as u32, pushed: false, ..run };
        let second = Run { start: place, len: (run.end() - place) as u32, ..run };
        self.uncount(&run);
        self.count(&first);
        self.count(&second);
        self.runs[index] = first;
        self.runs.insert(index + 1, second);
        if run.fate == Fate::Resent {
            // Beside its twin: the queue stays in the order of departure.
            let after = self.resent.partition_point(|&(_, sent_at)| sent_at <= run.sent_at);
            self.resent.insert(after, (place, run.sent_at));
        }
    }

    fn at(&self, start: u64) -> Option<&Run> {
        let index = self.runs.partition_point(|run| run.start < start);
        self.runs.get(index).filter(|run| run.start == start)
    }
}

#[cfg(test)]
mod tests;
