//! HyStart++ (RFC 9406): slow start ends when round trips become longer, before loss tells that the pipe is full.

use core::time::Duration;

use super::super::on_demand::idle;
use thru_wire::Instant;

use super::Ack;

const MIN_RTT_THRESHOLD: Duration = Duration::from_millis(4);
const MAX_RTT_THRESHOLD: Duration = Duration::from_millis(16);
const MIN_RTT_DIVISOR: u32 = 8;
const RTT_SAMPLES: u32 = 8;
const CSS_GROWTH_DIVISOR: u64 = 4;
const CSS_ROUNDS: u32 = 5;
/// Segments one acknowledgement may add to the window when nothing paces them.
const L: u64 = 8;
/// The classic kind looks at windows of so many segments and more, and at acknowledgements no further apart than this.
const CLASSIC_LEAST: u64 = 16;
const TRAIN_GAP: Duration = Duration::from_millis(2);

/// State of the first slow start of a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct HyStart {
    /// The round ends when so many bytes were delivered.
    round_end: u64,
    last_round: Option<Duration>,
    this_round: Option<Duration>,
    samples: u32,
    /// Conservative slow start: what the round trip was when it began, and rounds spent in it.
    conservative: Option<(Duration, u32)>,
    /// The classic kind: the shortest round trip of all, when this round began, and the last acknowledgement of its train.
    shortest: Option<Duration>,
    train: (Instant, Instant),
}

idle!(
    HyStart,
    HyStart {
        round_end: 0,
        last_round: None,
        this_round: None,
        samples: 0,
        conservative: None,
        shortest: None,
        train: (Instant::START, Instant::START),
    }
);

/// What an acknowledgement means for the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Growth {
    /// It grows by so many bytes.
    By(u64),
    /// Slow start is over.
    Stop,
}

impl HyStart {
    pub(crate) fn is_conservative(&self) -> bool {
        self.conservative.is_some()
    }

    /// An acknowledgement in slow start. RFC 9406 4.2 and 4.3.
    pub(crate) fn on_ack(&mut self, ack: &Ack, mss: u64) -> Growth {
        if ack.total_delivered >= self.round_end {
            if let Some((_, rounds)) = &mut self.conservative {
                *rounds += 1;
                if *rounds >= CSS_ROUNDS {
                    return Growth::Stop;
                }
            }
            self.round_end = ack.total_delivered + ack.in_flight.max(1);
            self.last_round = self.this_round;
            self.this_round = None;
            self.samples = 0;
        }
        if let Some(rtt) = ack.shortest_rtt.or(ack.rtt) {
            self.this_round = Some(self.this_round.map_or(rtt, |least| least.min(rtt)));
            self.samples += 1;
        }
        self.judge();
        let growth = ack.acked.min(L * mss);
        Growth::By(if self.is_conservative() { growth / CSS_GROWTH_DIVISOR } else { growth })
    }

    /// The classic kind (Ha and Rhee, 2011): slow start is over when eight round trips of one round are all longer than
    /// the shortest of all by an eighth, or when a train of acknowledgements lasts as long as half of that.
    pub(crate) fn on_ack_classic(&mut self, ack: &Ack, mss: u64, window: u64) -> Growth {
        let Some(rtt) = ack.shortest_rtt.or(ack.rtt) else { return Growth::By(ack.acked) };
        let shortest = self.shortest.map_or(rtt, |least| least.min(rtt));
        self.shortest = Some(shortest);
        if window < CLASSIC_LEAST * mss {
            return Growth::By(ack.acked);
        }
        if ack.total_delivered > self.round_end {
            // What is in flight before this acknowledgement was all sent by now.
            self.round_end = ack.total_delivered - ack.delivered + ack.prior_in_flight;
            (self.this_round, self.samples) = (None, 0);
            self.train = (ack.now, ack.now);
        }
        let (began, last) = self.train;
        if ack.now.since(last) <= TRAIN_GAP {
            self.train.1 = ack.now;
            if ack.now.since(began) > shortest / 2 {
                return Growth::Stop;
            }
        }
        let this = self.this_round.map_or(rtt, |least| least.min(rtt));
        self.this_round = Some(this);
        if self.samples < RTT_SAMPLES {
            self.samples += 1;
        } else if this > shortest + (shortest / MIN_RTT_DIVISOR).clamp(MIN_RTT_THRESHOLD, MAX_RTT_THRESHOLD) {
            return Growth::Stop;
        }
        Growth::By(ack.acked)
    }

    fn judge(&mut self) {
        let (Some(now), true) = (self.this_round, self.samples >= RTT_SAMPLES) else { return };
        match self.conservative {
            // The round trip has become shorter again: the increase was not ours.
            Some((baseline, _)) if now < baseline => self.conservative = None,
            Some(_) => {}
            None => {
                let Some(last) = self.last_round else { return };
                let threshold = (last / MIN_RTT_DIVISOR).clamp(MIN_RTT_THRESHOLD, MAX_RTT_THRESHOLD);
                if now >= last + threshold {
                    self.conservative = Some((now, 0));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MSS: u64 = 1_000;

    /// Rounds of ten acknowledgements with these round-trip times in milliseconds; the growth of each round in
    /// segments, up to where slow start ends.
    fn rounds(rtts: &[u64]) -> Vec<Option<u64>> {
        let mut hystart = HyStart::default();
        let mut delivered = 0;
        let mut growths = Vec::new();
        for &rtt in rtts {
            let mut growth = 0;
            for left in (0..10).rev() {
                delivered += MSS;
                let rtt = Some(Duration::from_millis(rtt));
                let ack = Ack {
                    acked: MSS,
                    total_delivered: delivered,
                    // The round ends when what is in flight at its first acknowledgement has arrived.
                    in_flight: 10 * MSS,
                    shortest_rtt: rtt,
                    rtt,
                    ..Ack::nothing(Instant::START)
                };
                let _ = left;
                match hystart.on_ack(&ack, MSS) {
                    Growth::By(bytes) => growth += bytes,
                    Growth::Stop => {
                        growths.push(None);
                        return growths;
                    }
                }
            }
            growths.push(Some(growth * 10 / MSS));
        }
        growths
    }

    #[test]
    fn steady_round_trips_double_the_window() {
        assert!(rounds(&[50; 20]).iter().all(|growth| *growth == Some(100)));
    }

    #[test]
    fn longer_round_trips_slow_the_growth_and_end_it_after_five_rounds() {
        let growths = rounds(&[50, 50, 50, 60, 62, 64, 66, 68, 70, 72, 74]);
        assert_eq!(growths[..3], [Some(100); 3]);
        // The eighth sample of the fourth round tells.
        assert!(growths[3] < Some(100), "{growths:?}");
        assert_eq!(growths[4], Some(25));
        assert_eq!(growths.iter().position(Option::is_none), Some(8), "{growths:?}");
    }

    #[test]
    fn a_passing_delay_is_forgiven() {
        let growths = rounds(&[50, 50, 60, 50, 50, 50]);
        assert!(growths[2] < Some(100));
        assert_eq!(growths[5], Some(100));
    }

    #[test]
    fn one_acknowledgement_adds_eight_segments_at_most() {
        let mut hystart = HyStart::default();
        let ack = Ack { acked: 100 * MSS, total_delivered: 100 * MSS, ..Ack::nothing(Instant::START) };
        assert_eq!(hystart.on_ack(&ack, MSS), Growth::By(8 * MSS));
    }
}
