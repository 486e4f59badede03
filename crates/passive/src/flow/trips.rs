//! Round trips: of the handshake, and by the clocks that both ends send along (RFC 7323).

use super::{End, TcpFlow};
use crate::glance::Tcp;
use crate::kept::Moment;

/// Round trips that are remembered.
const SAMPLES_MAX: usize = 4096;

/// A pause in the data longer than this is the sender's, and says nothing of the way.
const IDLE: u64 = 50_000_000;

/// An acknowledgement may be held back for so long (RFC 9293 3.8.6.3 allows 500 ms; 40 are usual).
const SOON: u64 = 100_000_000;

/// What takes longer was not held back, but was on its way.
const HELD_BACK: u64 = 250_000_000;

impl TcpFlow {
    /// The smallest round trip between both ends that the handshake shows, wherever it was captured.
    pub(crate) fn rtt(&self) -> Option<u64> {
        let (syn, done) = (self.syns.last()?, self.established?);
        // With more than one question nobody knows which was answered.
        (self.syns.len() == 1).then(|| done.time.saturating_sub(syn.time))
    }

    /// Time from the point of capture to the server and back.
    pub(crate) fn rtt_beyond(&self) -> Option<u64> {
        let (syn, answer) = (self.syns.last()?, self.synacks.first()?);
        (self.syns.len() == 1).then(|| answer.time.saturating_sub(syn.time))
    }

    /// Whether the first question was answered after all, only later than it was asked again: nobody answers the second
    /// sooner than the way takes. Seen at the client, and told by the first data that was acknowledged.
    pub(crate) fn is_answered_late(&self) -> bool {
        let (Some(again), Some(answer)) = (self.syns.last(), self.synacks.first()) else { return false };
        let asked = self.sides[self.client()].first_data.map(|(time, _)| time);
        // Data in the first packet itself is no measure.
        let asked = asked.filter(|asked| *asked >= answer.time);
        let took = asked.and_then(|asked| {
            self.taken.iter().find(|taken| taken.time > asked).map(|taken| taken.time - asked)
        });
        let way = took.into_iter().chain(self.samples[self.client()].iter().copied()).min().unwrap_or(0);
        self.syns.len() == 2
            && answer > again
            && way > HELD_BACK
            && (answer.time - again.time).saturating_mul(4) < way.saturating_mul(3)
    }

    /// The shortest way to the other end and back, as far as anything has shown.
    pub(super) fn least_rtt(&self) -> u64 {
        let sampled: u64 = self.samples.iter().filter_map(|samples| samples.iter().min()).sum();
        let known = [self.rtt(), Some(sampled)].into_iter().flatten().filter(|rtt| *rtt > 0);
        known.min().unwrap_or(0)
    }

    /// Each end sends its clock, and the other sends it back (RFC 7323 3): a round trip beyond the point of capture.
    pub(super) fn stamp(&mut self, by: usize, time: u64, tcp: &Tcp) {
        if let Some(echo) = tcp.tsecr {
            let stamps = &mut self.stamps[1 - by];
            while let Some((stamp, sent)) = stamps.front().copied() {
                let ahead = stamp.wrapping_sub(echo) as i32;
                if ahead > 0 {
                    break;
                }
                stamps.pop_front();
                // After a silence the clock that comes back is old.
                let flows = self.pauses[by].last.is_some_and(|last| time.saturating_sub(last) < IDLE);
                if ahead == 0 && flows && self.samples[1 - by].len() < SAMPLES_MAX {
                    self.samples[1 - by].push(time.saturating_sub(sent));
                }
            }
        }
        if let Some(stamp) = tcp.tsval {
            let stamps = &mut self.stamps[by];
            if stamps.back().is_none_or(|(last, _)| *last != stamp) && stamps.len() < 4096 {
                stamps.push_back((stamp, time));
            }
        }
    }

    /// What a side's own clock said last (RFC 7323 3), and when.
    pub(crate) fn last_stamp(&self, from: End) -> Option<(u32, u64)> {
        self.stamps[usize::from(self.ends[0] != from)].back().copied()
    }

    /// Whether a request was acknowledged soon, and nothing of either side was sent again between that and the answer:
    /// then it was the server that took its time, whatever else was lost before and after.
    pub(crate) fn waited_in_peace(&self, asked: Moment, answered: Moment) -> bool {
        let during = asked.number..=answered.number;
        let taken = self.taken.iter().rev().find(|taken| during.contains(&taken.number));
        let Some(taken) = taken else { return false };
        let soon = taken.time.saturating_sub(asked.time) < self.least_rtt() * 2 + SOON;
        let (sent, got) = (&self.sides[self.client()], &self.sides[self.server()]);
        let after = taken.number..=answered.number;
        let again = sent.resent.iter().chain(&got.resent).chain(&got.repaired);
        soon && !again.into_iter().any(|number| after.contains(number))
    }
}
