//! How a sender's figures went over time, for plots: window, flight, round-trip time, pace and what it was doing.
//! Bounded: when the points are too many, every second one goes, and from then on they are taken half as often.

use core::time::Duration;

use thru_wire::Instant;

use super::TcpConfig;
use super::connection::Connection;
use super::recovery::Phase;

/// Points kept at most.
const MOST: usize = 256;

/// A sender's figures at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpSample {
    /// When; an acknowledgement arrived or a timer ran out then.
    pub at: Instant,
    /// Bytes that may be in the network.
    pub congestion_window: u64,
    /// Bytes in the network.
    pub bytes_in_flight: u64,
    /// Smoothed round-trip time.
    pub rtt: Option<Duration>,
    /// Bytes per second that segments leave at, at most; `None`: not paced.
    pub pacing_rate: Option<u64>,
    /// What the sender is doing: `recovery`, `loss`, or the controller's own word.
    pub phase: &'static str,
}

/// The points of one connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    points: Vec<TcpSample>,
    /// Time between two points, unless the phase changes.
    interval: Duration,
}

impl History {
    fn wants(&self, at: Instant, phase: &'static str) -> bool {
        self.points.last().is_none_or(|last| last.phase != phase || at.since(last.at) >= self.interval)
    }

    /// Nothing happens for a while.
    pub(crate) fn rest(&mut self) {
        self.points.shrink_to_fit();
    }

    /// Whether memory is held for points that were not taken.
    pub(crate) fn has_something_to_let_go(&self) -> bool {
        self.points.capacity() > self.points.len()
    }

    fn push(&mut self, point: TcpSample) {
        if self.points.len() == MOST {
            let mut index = 0;
            self.points.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            let span = point.at.since(self.points.first().map_or(point.at, |first| first.at));
            // Points that came at a steady pace leave twice the interval. Changes of phase come at their own: they
            // must not stretch it without end.
            self.interval = self.interval.max(span * 2 / MOST as u32);
        }
        self.points.push(point);
    }
}

impl Connection {
    pub(crate) fn phase(&self) -> &'static str {
        match self.recovery.phase {
            Phase::Open | Phase::Reduced { .. } => self.congestion.phase(),
            Phase::Recovery { .. } => "recovery",
            Phase::Loss { .. } => "loss",
        }
    }

    /// Something changed: take a point if one is due.
    pub(crate) fn note_history(&mut self, at: Instant, config: &TcpConfig) {
        if !config.events {
            return;
        }
        let phase = self.phase();
        if !self.history.get_or_insert_default().wants(at, phase) {
            return;
        }
        let point = TcpSample {
            at,
            congestion_window: self.send_window(),
            bytes_in_flight: self.runs.in_flight(),
            rtt: self.rtt.smoothed(),
            pacing_rate: self.pacing_rate(config),
            phase,
        };
        if let Some(history) = &mut self.history {
            history.push(point);
        }
    }

    /// The points, oldest first.
    pub(crate) fn history(&self) -> &[TcpSample] {
        self.history.as_ref().map_or(&[], |history| &history.points)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at: u64, phase: &'static str) -> TcpSample {
        TcpSample {
            at: Instant::from_millis(at),
            congestion_window: at,
            bytes_in_flight: 0,
            rtt: None,
            pacing_rate: None,
            phase,
        }
    }

    #[test]
    fn however_long_it_takes_the_points_stay_few_and_cover_all_of_it() {
        let mut history = History::default();
        for at in 0..100_000 {
            if history.wants(Instant::from_millis(at), "a") {
                history.push(point(at, "a"));
            }
        }
        let times: Vec<u64> = history.points.iter().map(|point| point.congestion_window).collect();
        assert!((MOST / 2..=MOST).contains(&times.len()), "{}", times.len());
        assert_eq!(times[0], 0);
        assert!(*times.last().unwrap() > 99_000);
        let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| *gap <= 2_000), "{gaps:?}");
    }

    /// A lossy path changes phase all the time: thinning out must not stretch the interval for ever.
    #[test]
    fn any_number_of_changes_of_phase_leaves_room_for_points_between() {
        let mut history = History::default();
        for at in 0..100_000 {
            let phase = if at / 2 % 2 == 0 { "a" } else { "b" };
            if history.wants(Instant::from_millis(at), phase) {
                history.push(point(at, phase));
            }
        }
        assert!(history.points.len() <= MOST);
        assert!(history.interval <= Duration::from_secs(1), "{:?}", history.interval);
    }

    #[test]
    fn a_change_of_phase_is_always_kept_for_a_while() {
        let mut history = History { interval: Duration::from_secs(10), ..History::default() };
        for (at, phase) in [(0, "a"), (1, "a"), (2, "b"), (3, "b"), (4, "a")] {
            if history.wants(Instant::from_millis(at), phase) {
                history.push(point(at, phase));
            }
        }
        assert_eq!(history.points.iter().map(|point| point.congestion_window).collect::<Vec<_>>(), [0, 2, 4]);
    }
}
