//! Queue disciplines: what waits for the rate, in which order it leaves, and what is dropped or marked meanwhile.
//!
//! All limits are bytes, and hold at every instant: a queue drops before it takes a frame that would exceed them.
//! The frame being transmitted is no longer in the queue. Where ECN is asked for, frames that carry it are marked
//! instead of dropped; a full queue always drops.

mod codel;
mod fifo;
mod fq_codel;
mod pie;
mod red;

use core::time::Duration;

use bytes::Bytes;
use thru_stack::random::Random;
use thru_stack::{Medium, Offload};
use thru_wire::Instant;

use crate::link::Chance;
use crate::tap::DropReason;

/// Which discipline, and its settings. Limits are bytes.
#[derive(Clone, Debug, PartialEq)]
pub enum QueueConfig {
    /// First in, first out; what does not fit is dropped.
    DropTail {
        /// Most bytes that may wait.
        limit: usize,
    },
    /// First in, first out; the oldest makes room for the newest.
    DropHead {
        /// Most bytes that may wait.
        limit: usize,
    },
    /// Random early detection (Floyd and Jacobson 1993), the average weighted 1/512.
    Red {
        /// Most bytes that may wait.
        limit: usize,
        /// Average below which nothing is dropped.
        min: usize,
        /// Average from which everything is dropped (or marked).
        max: usize,
        /// Chance of a drop just below `max`.
        max_probability: Chance,
        /// Mark instead of drop.
        ecn: bool,
    },
    /// Controlled delay (RFC 8289).
    Codel {
        /// Most bytes that may wait.
        limit: usize,
        /// Standing delay that is acceptable (RFC 8289 4.3: 5 ms).
        target: Duration,
        /// For how long it may be exceeded (RFC 8289 4.2: 100 ms).
        interval: Duration,
        /// Mark instead of drop.
        ecn: bool,
    },
    /// Fair queueing by flow, each flow under CoDel (RFC 8290).
    FqCodel {
        /// Most bytes that may wait, over all flows.
        limit: usize,
        /// Number of queues that flows are hashed to (RFC 8290 5.2: 1024).
        flows: u32,
        /// Bytes a flow may send per round (RFC 8290 5.2: 1514).
        quantum: usize,
        /// CoDel's target.
        target: Duration,
        /// CoDel's interval.
        interval: Duration,
        /// Mark instead of drop.
        ecn: bool,
    },
    /// Proportional integral controller, enhanced (RFC 8033).
    Pie {
        /// Most bytes that may wait.
        limit: usize,
        /// Delay that is aimed at (RFC 8033 4.2: 15 ms).
        target: Duration,
        /// How often the drop probability is recalculated (RFC 8033 4.2: 15 ms).
        update: Duration,
        /// Mark instead of drop, while the probability is below 10 %.
        ecn: bool,
    },
}

impl Default for QueueConfig {
    /// Drop-tail of 1000 full Ethernet frames, as a Linux interface has.
    fn default() -> QueueConfig {
        QueueConfig::DropTail { limit: 1_514_000 }
    }
}

impl QueueConfig {
    /// CoDel with the RFC's target and interval.
    pub fn codel(limit: usize) -> QueueConfig {
        QueueConfig::Codel {
            limit,
            target: Duration::from_millis(5),
            interval: Duration::from_millis(100),
            ecn: false,
        }
    }

    /// FQ-CoDel with the RFC's settings.
    pub fn fq_codel(limit: usize) -> QueueConfig {
        let (target, interval) = (Duration::from_millis(5), Duration::from_millis(100));
        QueueConfig::FqCodel { limit, flows: 1024, quantum: 1514, target, interval, ecn: false }
    }

    /// PIE with the RFC's settings.
    pub fn pie(limit: usize) -> QueueConfig {
        let (target, update) = (Duration::from_millis(15), Duration::from_millis(15));
        QueueConfig::Pie { limit, target, update, ecn: false }
    }

    /// Most bytes that may wait.
    pub fn limit(&self) -> usize {
        match *self {
            QueueConfig::DropTail { limit }
            | QueueConfig::DropHead { limit }
            | QueueConfig::Red { limit, .. }
            | QueueConfig::Codel { limit, .. }
            | QueueConfig::FqCodel { limit, .. }
            | QueueConfig::Pie { limit, .. } => limit,
        }
    }
}

/// A frame in one direction of a link, with what was decided about it when it entered.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) bytes: Bytes,
    /// What is left to be done to the bytes: only a line that carries super-segments whole has any other than
    /// [`Offload::NONE`].
    pub(crate) offload: Offload,
    /// How many frames had entered this direction before it.
    pub(crate) number: u64,
    /// When it joined the queue.
    pub(crate) queued_at: Instant,
    /// What it was given of the jitter.
    pub(crate) jitter: Duration,
    /// Whether it overtakes those before it on the wire.
    pub(crate) overtakes: bool,
    /// A duplicate made by the link.
    pub(crate) copy: bool,
    /// A bit was flipped.
    pub(crate) corrupted: bool,
}

impl Packet {
    /// How many packets it stands for.
    pub(crate) fn count(&self) -> u64 {
        crate::frames::packets(&self.bytes, self.offload)
    }
}

/// A frame that a queue or a link gave up after it had entered.
#[derive(Clone, Debug)]
pub(crate) struct Dropped {
    pub(crate) at: Instant,
    pub(crate) packet: Packet,
    pub(crate) reason: DropReason,
}

/// What a discipline may use besides its own state.
pub(crate) struct Context<'a> {
    pub(crate) now: Instant,
    /// The stream (seed, link and direction, "queue").
    pub(crate) random: &'a mut Random,
    pub(crate) dropped: &'a mut Vec<Dropped>,
    /// Frames marked so far.
    pub(crate) marked: &'a mut u64,
    pub(crate) rate: Option<u64>,
    pub(crate) medium: Medium,
}

impl Context<'_> {
    fn drop(&mut self, packet: Packet, reason: DropReason) {
        self.dropped.push(Dropped { at: self.now, packet, reason });
    }

    /// Marks the packet if that is wanted and it says it understands marks.
    fn mark(&mut self, packet: &mut Packet, ecn: bool) -> bool {
        let marked = ecn && crate::frames::mark_congestion(&mut packet.bytes, self.medium);
        *self.marked += u64::from(marked);
        marked
    }
}

/// A queue of any discipline.
#[derive(Debug)]
pub(crate) enum Queue {
    Fifo(fifo::Fifo),
    Red(red::Red),
    Codel(codel::CodelQueue),
    FqCodel(Box<fq_codel::FqCodel>),
    Pie(Box<pie::Pie>),
}

impl Queue {
    /// An empty queue; `key` decides how flows are hashed.
    pub(crate) fn new(config: &QueueConfig, key: u64) -> Queue {
        match *config {
            QueueConfig::DropTail { limit } => Queue::Fifo(fifo::Fifo::new(limit, fifo::Full::DropTail)),
            QueueConfig::DropHead { limit } => Queue::Fifo(fifo::Fifo::new(limit, fifo::Full::DropHead)),
            QueueConfig::Red { limit, min, max, max_probability, ecn } => {
                Queue::Red(red::Red::new(red::RedConfig { limit, min, max, max_probability, ecn }))
            }
            QueueConfig::Codel { limit, target, interval, ecn } => {
                Queue::Codel(codel::CodelQueue::new(limit, codel::CodelConfig { target, interval, ecn }))
            }
            QueueConfig::FqCodel { limit, flows, quantum, target, interval, ecn } => {
                let codel = codel::CodelConfig { target, interval, ecn };
                Queue::FqCodel(Box::new(fq_codel::FqCodel::new(limit, flows, quantum, codel, key)))
            }
            QueueConfig::Pie { limit, target, update, ecn } => {
                Queue::Pie(Box::new(pie::Pie::new(pie::PieConfig { limit, target, update, ecn })))
            }
        }
    }

    /// Takes a packet in or drops it, or drops others to make room for it.
    pub(crate) fn enqueue(&mut self, context: &mut Context<'_>, packet: Packet) {
        match self {
            Queue::Fifo(queue) => queue.enqueue(context, packet),
            Queue::Red(queue) => queue.enqueue(context, packet),
            Queue::Codel(queue) => queue.enqueue(context, packet),
            Queue::FqCodel(queue) => queue.enqueue(context, packet),
            Queue::Pie(queue) => queue.enqueue(context, packet),
        }
    }

    /// The packet to transmit next. `None` although the queue held packets: all of them were dropped.
    pub(crate) fn dequeue(&mut self, context: &mut Context<'_>) -> Option<Packet> {
        match self {
            Queue::Fifo(queue) => queue.dequeue(),
            Queue::Red(queue) => queue.dequeue(context),
            Queue::Codel(queue) => queue.dequeue(context),
            Queue::FqCodel(queue) => queue.dequeue(context),
            Queue::Pie(queue) => queue.dequeue(context),
        }
    }

    /// Bytes waiting.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Queue::Fifo(queue) => queue.bytes(),
            Queue::Red(queue) => queue.bytes(),
            Queue::Codel(queue) => queue.bytes(),
            Queue::FqCodel(queue) => queue.bytes(),
            Queue::Pie(queue) => queue.bytes(),
        }
    }

    /// Whether nothing waits. Frames always have bytes.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes() == 0
    }

    /// Takes everything out, in the order in which it joined.
    pub(crate) fn drain(&mut self) -> Vec<Packet> {
        match self {
            Queue::Fifo(queue) => queue.drain(),
            Queue::Red(queue) => queue.drain(),
            Queue::Codel(queue) => queue.drain(),
            Queue::FqCodel(queue) => queue.drain(),
            Queue::Pie(queue) => queue.drain(),
        }
    }
}

#[cfg(test)]
mod tests;
