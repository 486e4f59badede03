//! Random early detection (Floyd and Jacobson, 1993): drops with a chance that grows with the average queue.

use thru_wire::Instant;

use super::fifo::Line;
use super::{Context, Packet};
use crate::link::Chance;
use crate::tap::DropReason;

/// RED's settings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RedConfig {
    pub(crate) limit: usize,
    pub(crate) min: usize,
    pub(crate) max: usize,
    pub(crate) max_probability: Chance,
    pub(crate) ecn: bool,
}

/// The weight of a new sample in the average is 2^-9 (their w_q = 0.002).
const WEIGHT_SHIFT: u32 = 9;
/// Fraction bits of the average: it must move by less than a byte per sample.
const FRACTION_BITS: u32 = 20;
/// Size of the packets that an idle time is counted in.
const TYPICAL_PACKET: u64 = 1000;
const BILLION: u128 = 1_000_000_000;

/// One line under RED.
#[derive(Debug)]
pub(crate) struct Red {
    line: Line,
    config: RedConfig,
    /// Average bytes waiting, with [`FRACTION_BITS`].
    average: u64,
    /// Packets since the last drop (or mark), while the average is between the thresholds.
    since_drop: Option<u64>,
    /// When the queue ran empty.
    empty_since: Option<Instant>,
}

impl Red {
    pub(crate) fn new(config: RedConfig) -> Red {
        Red { line: Line::default(), config, average: 0, since_drop: None, empty_since: Some(Instant::START) }
    }

    pub(crate) fn enqueue(&mut self, context: &mut Context<'_>, mut packet: Packet) {
        self.update_average(context);
        // One draw per packet, whether or not it decides.
        let draw = context.random.below(BILLION as u64);
        let early = self.judge(draw);
        if early && !context.mark(&mut packet, self.config.ecn) {
            context.drop(packet, DropReason::Aqm);
            return;
        }
        if !self.line.fits(&packet, self.config.limit) {
            context.drop(packet, DropReason::QueueFull);
            return;
        }
        self.empty_since = None;
        self.line.push(packet);
    }

    pub(crate) fn dequeue(&mut self, context: &mut Context<'_>) -> Option<Packet> {
        let packet = self.line.pop()?;
        if self.line.is_empty() {
            self.empty_since = Some(context.now);
        }
        Some(packet)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.line.bytes()
    }

    pub(crate) fn drain(&mut self) -> Vec<Packet> {
        self.line.drain()
    }

    /// Whether this packet is dropped (or marked) early.
    fn judge(&mut self, draw: u64) -> bool {
        let average = self.average >> FRACTION_BITS;
        let (min, max) = (self.config.min as u64, self.config.max as u64);
        if average < min {
            self.since_drop = None;
            return false;
        }
        if average >= max {
            self.since_drop = Some(0);
            return true;
        }
        let count = self.since_drop.map_or(0, |count| count + 1);
        // p_b grows linearly; p_a = p_b / (1 - count * p_b) spreads the drops evenly.
        let base =
            u128::from(self.config.max_probability.0) * u128::from(average - min) / u128::from(max - min);
        let rest = BILLION.saturating_sub(u128::from(count) * base);
        let drop = rest == 0 || u128::from(draw) * rest < base * BILLION;
        self.since_drop = Some(if drop { 0 } else { count });
        drop
    }

    fn update_average(&mut self, context: &Context<'_>) {
        let queue = (self.line.bytes() as u64) << FRACTION_BITS;
        if let Some(since) = self.empty_since {
            // As if so many packets had found an empty queue while it was idle.
            let idle = context.now.since(since).as_nanos();
            let packets = idle * u128::from(context.rate.unwrap_or(u64::MAX))
                / (u128::from(TYPICAL_PACKET) * 8 * BILLION);
            // After 2^14 of them nothing is left of any average (e^-32).
            for _ in 0..packets.min(1 << 14) {
                if self.average == 0 {
                    break;
                }
                self.average -= (self.average >> WEIGHT_SHIFT).max(1);
            }
            self.empty_since = Some(context.now);
            return;
        }
        if queue >= self.average {
            self.average += (queue - self.average) >> WEIGHT_SHIFT;
        } else {
            self.average -= (self.average - queue) >> WEIGHT_SHIFT;
        }
    }
}
