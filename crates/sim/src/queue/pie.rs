//! PIE (RFC 8033): drops arriving packets with a chance that a controller derives from the queueing delay.

use core::time::Duration;

use thru_wire::Instant;

use super::fifo::Line;
use super::{Context, Packet};
use crate::tap::DropReason;

/// PIE's settings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PieConfig {
    pub(crate) limit: usize,
    pub(crate) target: Duration,
    pub(crate) update: Duration,
    pub(crate) ecn: bool,
}

/// Probabilities are counted in 10^-12.
const ONE: i128 = 1_000_000_000_000;
/// RFC 8033 4.2: alpha = 0.125 per second: 125 * 10^-12 per nanosecond.
const ALPHA: i128 = 125;
/// RFC 8033 4.2: beta = 1.25 per second.
const BETA: i128 = 1250;
/// RFC 8033 4.4: how long after idleness nothing is dropped.
const MAX_BURST: Duration = Duration::from_millis(150);
/// RFC 8033 4.1: a queue of two mean packets is never dropped from.
const FEW_BYTES: usize = 2 * 1024;
/// RFC 8033 5.1: above this probability, marking gives way to dropping.
const MARK_LIMIT: i128 = ONE / 10;

/// One line under PIE.
#[derive(Debug)]
pub(crate) struct Pie {
    line: Line,
    config: PieConfig,
    /// Chance that an arriving packet is dropped.
    probability: i128,
    /// Sum of the chances since the last drop (RFC 8033 5.4: de-randomisation).
    accumulated: i128,
    burst_left: Duration,
    /// Delay at the last update and now: how long the packet that left last had waited (RFC 8033 5.2 by timestamps).
    old_delay: Duration,
    delay: Duration,
    next_update: Option<Instant>,
}

impl Pie {
    pub(crate) fn new(config: PieConfig) -> Pie {
        Pie {
            line: Line::default(),
            config,
            probability: 0,
            accumulated: 0,
            burst_left: MAX_BURST,
            old_delay: Duration::ZERO,
            delay: Duration::ZERO,
            next_update: None,
        }
    }

    pub(crate) fn enqueue(&mut self, context: &mut Context<'_>, mut packet: Packet) {
        self.catch_up(context.now);
        // One draw per packet, whether or not it decides.
        let draw = i128::from(context.random.below(ONE as u64));
        if !self.line.fits(&packet, self.config.limit) {
            self.accumulated = 0;
            context.drop(packet, DropReason::QueueFull);
            return;
        }
        if self.judge(draw) {
            let may_mark = self.config.ecn && self.probability <= MARK_LIMIT;
            if !context.mark(&mut packet, may_mark) {
                context.drop(packet, DropReason::Aqm);
                return;
            }
        }
        self.line.push(packet);
    }

    pub(crate) fn dequeue(&mut self, context: &mut Context<'_>) -> Option<Packet> {
        self.catch_up(context.now);
        let packet = self.line.pop()?;
        self.delay = if self.line.is_empty() { Duration::ZERO } else { context.now.since(packet.queued_at) };
        Some(packet)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.line.bytes()
    }

    pub(crate) fn drain(&mut self) -> Vec<Packet> {
        self.line.drain()
    }

    /// RFC 8033 4.1 and appendix A: whether an arriving packet is dropped (or marked).
    fn judge(&mut self, draw: i128) -> bool {
        if !self.burst_left.is_zero() {
            return false;
        }
        let harmless = self.old_delay < self.config.target / 2 && self.probability < ONE / 5;
        if harmless || self.line.bytes() <= FEW_BYTES {
            return false;
        }
        if self.probability == 0 {
            self.accumulated = 0;
        }
        self.accumulated += self.probability;
        // Neither two drops too close nor too far apart.
        if self.accumulated < ONE * 85 / 100 {
            return false;
        }
        let drop = self.accumulated >= ONE * 17 / 2 || draw < self.probability;
        if drop {
            self.accumulated = 0;
        }
        drop
    }

    /// Carries out the updates that were due: they need no event of their own.
    fn catch_up(&mut self, now: Instant) {
        let mut next = *self.next_update.get_or_insert(now + self.config.update);
        while next <= now {
            let idle = self.probability == 0 && self.delay.is_zero() && self.old_delay.is_zero();
            if idle && self.burst_left == MAX_BURST {
                // Nothing changes any more: the periods that are left can be skipped.
                next = now + self.config.update;
                break;
            }
            self.update();
            next += self.config.update.max(Duration::from_micros(1));
        }
        self.next_update = Some(next);
    }

    /// RFC 8033 4.2 and 4.4.
    fn update(&mut self) {
        let delay = self.delay.as_nanos() as i128;
        let mut change = ALPHA * (delay - self.config.target.as_nanos() as i128)
            + BETA * (delay - self.old_delay.as_nanos() as i128);
        // Small probabilities move in small steps.
        change /= match self.probability {
            p if p < ONE / 1_000_000 => 2048,
            p if p < ONE / 100_000 => 512,
            p if p < ONE / 10_000 => 128,
            p if p < ONE / 1_000 => 32,
            p if p < ONE / 100 => 8,
            p if p < ONE / 10 => 2,
            _ => 1,
        };
        if self.probability >= ONE / 10 {
            change = change.min(ONE / 50);
        }
        self.probability += change;
        if self.delay.is_zero() && self.old_delay.is_zero() {
            self.probability = self.probability * 98 / 100;
        }
        self.probability = self.probability.clamp(0, ONE);
        self.burst_left = self.burst_left.saturating_sub(self.config.update);
        let half = self.config.target / 2;
        if self.probability == 0 && self.delay < half && self.old_delay < half {
            self.burst_left = MAX_BURST;
        }
        self.old_delay = self.delay;
    }
}
