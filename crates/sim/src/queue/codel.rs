//! CoDel (RFC 8289): drops when packets have waited longer than `target` for a whole `interval`, then more and more
//! often until the delay is gone.

use core::time::Duration;

use thru_wire::Instant;

use super::fifo::Line;
use super::{Context, Packet};
use crate::tap::DropReason;

/// CoDel's settings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CodelConfig {
    pub(crate) target: Duration,
    pub(crate) interval: Duration,
    pub(crate) ecn: bool,
}

/// CoDel's state for one queue (RFC 8289 5.3). FQ-CoDel has one per flow.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Codel {
    /// When the delay will have been above target for an interval; `None`: it is below.
    first_above: Option<Instant>,
    dropping: bool,
    drop_next: Instant,
    /// Drops since the dropping state was entered.
    count: u32,
    /// `count` when the dropping state was last entered.
    last_count: u32,
    /// Largest frame seen: a queue of no more than that is not standing.
    max_packet: usize,
}

impl Codel {
    /// The next packet of `line` (RFC 8289 5.5). `None` although the line held packets: all were dropped.
    pub(crate) fn dequeue(
        &mut self,
        context: &mut Context<'_>,
        line: &mut Line,
        config: &CodelConfig,
    ) -> Option<Packet> {
        let now = context.now;
        let (mut packet, mut may_drop) = self.take(now, line, config);
        if self.dropping {
            if !may_drop {
                self.dropping = false;
            }
            while self.dropping && now >= self.drop_next {
                let mut victim = packet?;
                self.count = self.count.saturating_add(1);
                let next = control_law(self.drop_next, config.interval, self.count);
                if context.mark(&mut victim, config.ecn) {
                    self.drop_next = next;
                    return Some(victim);
                }
                context.drop(victim, DropReason::Aqm);
                (packet, may_drop) = self.take(now, line, config);
                if may_drop {
                    self.drop_next = next;
                } else {
                    self.dropping = false;
                }
            }
        } else if may_drop {
            let mut victim = packet?;
            let marked = context.mark(&mut victim, config.ecn);
            packet = if marked {
                Some(victim)
            } else {
                context.drop(victim, DropReason::Aqm);
                self.take(now, line, config).0
            };
            self.dropping = true;
            // RFC 8289 4.5: coming back soon, go on near the rate that had worked.
            let delta = self.count.wrapping_sub(self.last_count);
            let recently = now.since(self.drop_next) < config.interval * 16;
            self.count = if delta > 1 && recently { delta } else { 1 };
            self.drop_next = control_law(now, config.interval, self.count);
            self.last_count = self.count;
        }
        packet
    }

    /// Whether it is as if nothing had ever been dropped or delayed.
    pub(crate) fn is_fresh(&self) -> bool {
        self.first_above.is_none() && !self.dropping && self.count == 0
    }

    /// A packet joins: its size is remembered.
    pub(crate) fn saw(&mut self, packet: &Packet) {
        self.max_packet = self.max_packet.max(packet.bytes.len());
    }

    /// The head of the line, and whether it may be dropped (RFC 8289 5.4).
    fn take(&mut self, now: Instant, line: &mut Line, config: &CodelConfig) -> (Option<Packet>, bool) {
        let Some(packet) = line.pop() else {
            self.first_above = None;
            return (None, false);
        };
        let waited = now.since(packet.queued_at);
        if waited < config.target || line.bytes() <= self.max_packet {
            self.first_above = None;
            return (Some(packet), false);
        }
        match self.first_above {
            None => {
                self.first_above = Some(now + config.interval);
                (Some(packet), false)
            }
            Some(first_above) => (Some(packet), now >= first_above),
        }
    }
}

/// RFC 8289 4.4: the n-th drop follows `interval / sqrt(n)` after the one before; in integers.
fn control_law(from: Instant, interval: Duration, count: u32) -> Instant {
    let nanos = interval.as_nanos();
    let squared = nanos.saturating_mul(nanos) / u128::from(count.max(1));
    from + Duration::from_nanos(u64::try_from(squared.isqrt()).unwrap_or(u64::MAX))
}

/// One line under CoDel.
#[derive(Debug)]
pub(crate) struct CodelQueue {
    line: Line,
    limit: usize,
    config: CodelConfig,
    codel: Codel,
}

impl CodelQueue {
    pub(crate) fn new(limit: usize, config: CodelConfig) -> CodelQueue {
        CodelQueue { line: Line::default(), limit, config, codel: Codel::default() }
    }

    pub(crate) fn enqueue(&mut self, context: &mut Context<'_>, packet: Packet) {
        if !self.line.fits(&packet, self.limit) {
            context.drop(packet, DropReason::QueueFull);
            return;
        }
        self.codel.saw(&packet);
        self.line.push(packet);
    }

    pub(crate) fn dequeue(&mut self, context: &mut Context<'_>) -> Option<Packet> {
        self.codel.dequeue(context, &mut self.line, &self.config)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.line.bytes()
    }

    pub(crate) fn drain(&mut self) -> Vec<Packet> {
        self.line.drain()
    }
}
