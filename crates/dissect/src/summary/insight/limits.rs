//! What held a sender back, interval by interval.
//!
//! The time between two packets belongs to what held the sender back meanwhile. All of a connection's time lies in at
//! most [`INTERVALS_MAX`] intervals of a round length; when it goes on beyond them, they become longer.

use crate::show::put;
use crate::summary::wider;

/// So many intervals at most.
const INTERVALS_MAX: usize = 40;
/// The shortest interval, in nanoseconds.
const SHORTEST: u64 = 10_000;

/// What held a sender back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// It had nothing to send.
    Application,
    /// The receiver's window was full.
    Receiver,
    /// Its own window did not grow although nothing was lost and nothing waited on the way: its buffer.
    Sender,
    /// The congestion window, which stands for the path, or what was lost on it.
    Network,
}

/// All of them: the word for it, as a name in JSON, and the letter in a bar.
pub(super) const LIMITS: [(Limit, &str, &str, char); 4] = [
    (Limit::Application, "application", "application", 'a'),
    (Limit::Receiver, "receiver's window", "receiver", 'r'),
    (Limit::Sender, "sender's window", "sender", 's'),
    (Limit::Network, "network", "network", 'n'),
];

/// How long a sender was held back by what, and when.
#[derive(Debug)]
pub(super) struct Limits {
    interval: u64,
    /// Nanoseconds for each limit in each interval since the connection began.
    spent: Vec<[u64; 4]>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { interval: SHORTEST, spent: Vec::new() }
    }
}

/// Neighbouring intervals with the same chief limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Run {
    /// Nanoseconds since the connection began.
    pub(super) begins: u64,
    pub(super) ends: u64,
    pub(super) limit: Limit,
    /// Its share of the time in which the sender was held back by anything.
    pub(super) share: f64,
}

impl Limits {
    /// Adds the time from one moment to another, both since the connection began.
    pub(super) fn spend(&mut self, from: u64, to: u64, limit: Limit) {
        while to / self.interval >= INTERVALS_MAX as u64 {
            self.widen();
        }
        let mut from = from.min(to);
        while from < to {
            let place = (from / self.interval) as usize;
            let ends = to.min((place as u64 + 1) * self.interval);
            if self.spent.len() <= place {
                self.spent.resize(place + 1, [0; 4]);
            }
            self.spent[place][limit as usize] += ends - from;
            from = ends;
        }
    }

    /// The time from one moment to another was taken for something else; all of it was spent.
    pub(super) fn amend(&mut self, from: u64, to: u64, was: Limit, is: Limit) {
        let mut from = from;
        while from < to {
            let place = (from / self.interval) as usize;
            let ends = to.min((place as u64 + 1).saturating_mul(self.interval));
            let Some(spent) = self.spent.get_mut(place) else { return };
            let moved = spent[was as usize].min(ends - from);
            spent[was as usize] -= moved;
            spent[is as usize] += moved;
            from = ends;
        }
    }

    /// Several intervals become one.
    fn widen(&mut self) {
        let wider = wider(self.interval);
        let mut spent: Vec<[u64; 4]> = Vec::new();
        for (place, old) in self.spent.iter().enumerate() {
            let at = (place as u64 * self.interval / wider) as usize;
            spent.resize(spent.len().max(at + 1), [0; 4]);
            spent[at].iter_mut().zip(old).for_each(|(sum, part)| *sum += part);
        }
        (self.interval, self.spent) = (wider, spent);
    }

    /// The time for each limit over all.
    pub(super) fn totals(&self) -> [u64; 4] {
        let mut totals = [0; 4];
        for spent in &self.spent {
            totals.iter_mut().zip(spent).for_each(|(sum, part)| *sum += part);
        }
        totals
    }

    /// What chiefly held it back, one interval after the other; those of a kind are one.
    pub(super) fn runs(&self) -> Vec<Run> {
        let mut runs: Vec<(Run, u64, u64)> = Vec::new();
        for (place, spent) in self.spent.iter().enumerate() {
            let Some(limit) = chief(spent) else { continue };
            let begins = place as u64 * self.interval;
            let (part, all) = (spent[limit as usize], spent.iter().sum::<u64>());
            match runs.last_mut() {
                Some((run, parts, alls)) if run.limit == limit && run.ends == begins => {
                    run.ends += self.interval;
                    (*parts, *alls) = (*parts + part, *alls + all);
                }
                _ => {
                    let run = Run { begins, ends: begins + self.interval, limit, share: 0.0 };
                    runs.push((run, part, all));
                }
            }
        }
        let share = |(run, part, all): (Run, u64, u64)| Run { share: part as f64 / all as f64, ..run };
        runs.into_iter().map(share).collect()
    }

    /// A letter for each interval, and a line for each run; nothing if it was the same all the time.
    pub(super) fn text(&self, out: &mut Vec<u8>) {
        let runs = self.runs();
        if runs.len() < 2 {
            return;
        }
        let seconds = |nanos: u64| nanos as f64 / 1e9;
        let letter = |spent: &[u64; 4]| chief(spent).map_or(' ', |limit| LIMITS[limit as usize].3);
        let bar: String = self.spent.iter().map(letter).collect();
        put!(out, "       held back, {} s a letter  [{bar}]\n", seconds(self.interval));
        for run in runs {
            let (_, word, _, letter) = LIMITS[run.limit as usize];
            put!(out, "         {:>12.6} to {:>12.6} s  ", seconds(run.begins), seconds(run.ends));
            put!(out, "{letter} {word} ({:.0} %)\n", run.share * 100.0);
        }
    }

    /// A list of runs.
    pub(super) fn json(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        for (place, run) in self.runs().into_iter().enumerate() {
            let seconds = |nanos: u64| nanos as f64 / 1e9;
            let comma = if place > 0 { "," } else { "" };
            put!(out, "{comma}{{\"begins\":{:.9},\"ends\":{:.9},", seconds(run.begins), seconds(run.ends));
            put!(out, "\"by\":\"{}\",\"share\":{:.3}}}", LIMITS[run.limit as usize].2, run.share);
        }
        out.push(b']');
    }
}

/// What most of an interval was spent on.
fn chief(spent: &[u64; 4]) -> Option<Limit> {
    let (limit, most) =
        LIMITS.iter().zip(spent).map(|((limit, ..), time)| (*limit, *time)).max_by_key(|(_, time)| *time)?;
    (most > 0).then_some(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn intervals_of_a_kind_are_one_and_become_longer() {
        let mut limits = Limits::default();
        limits.spend(0, 30 * MS, Limit::Network);
        limits.spend(30 * MS, 90 * MS, Limit::Receiver);
        limits.spend(90 * MS, 95 * MS, Limit::Application);
        limits.spend(95 * MS, 100 * MS, Limit::Receiver);
        assert_eq!(limits.totals(), [5 * MS, 65 * MS, 0, 30 * MS]);
        let kinds: Vec<_> = limits.runs().iter().map(|run| (run.begins, run.ends, run.limit)).collect();
        assert_eq!(
            kinds,
            [
                (0, 30 * MS, Limit::Network),
                (30 * MS, 90 * MS, Limit::Receiver),
                (90 * MS, 95 * MS, Limit::Application),
                (95 * MS, 100 * MS, Limit::Receiver)
            ]
        );
        // An hour later nothing has been lost, and the beginning is one interval.
        limits.spend(3_600_000 * MS, 3_600_001 * MS, Limit::Sender);
        assert_eq!(limits.totals(), [5 * MS, 65 * MS, MS, 30 * MS]);
        assert!(limits.spent.len() <= INTERVALS_MAX);
        assert_eq!(limits.runs()[0].limit, Limit::Receiver);
        let mut text = Vec::new();
        limits.text(&mut text);
        let text = String::from_utf8(text).expect("text");
        assert!(text.contains("a letter  [r") && text.contains("s sender's window (100 %)"), "{text}");
    }
}
