//! Links: two directions, each a pipeline in a fixed order:
//! mtu, loss, duplicate, corrupt, rate and burst, queue, delay and jitter, reorder.
//!
//! What each stage does is said at the fields of [`Pipe`]. The order matters, and is a promise: a frame that is too
//! large never counts as lost, a lost frame is never duplicated, a duplicate costs its share of the rate and of the
//! queue, and a frame delayed by the queue is delayed by the wire on top.
//!
//! Every random draw belongs to the stream (seed, link name and direction, purpose), and loss, duplication,
//! corruption, jitter and reordering are all drawn when a frame enters, whether or not it gets that far. So changing
//! one impairment leaves the fates decided by the others as they were.

pub(crate) mod line;
mod loss;
mod rate;

use core::fmt;
use core::time::Duration;

use thru_stack::random::Random;

use crate::queue::QueueConfig;

/// A link's two directions. Words and meanings are netem's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkConfig {
    /// From the end named first to the other.
    pub a_to_b: Pipe,
    /// The way back.
    pub b_to_a: Pipe,
}

impl LinkConfig {
    /// A link that is the same in both directions.
    pub fn symmetric(pipe: Pipe) -> LinkConfig {
        LinkConfig { a_to_b: pipe.clone(), b_to_a: pipe }
    }
}

/// One of a link's two directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the end named first to the other.
    AToB,
    /// From the end named second to the first.
    BToA,
}

impl Direction {
    /// The other one.
    pub fn reverse(self) -> Direction {
        match self {
            Direction::AToB => Direction::BToA,
            Direction::BToA => Direction::AToB,
        }
    }

    /// 0 for A to B, 1 for B to A.
    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

/// A probability in parts per billion, so that no float decides a packet's fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chance(pub u32);

impl Chance {
    /// It never happens.
    pub const NEVER: Chance = Chance(0);
    /// It always happens.
    pub const ALWAYS: Chance = Chance(1_000_000_000);

    /// So many percent; more than 100 is 100.
    pub const fn percent(percent: u32) -> Chance {
        if percent >= 100 { Chance::ALWAYS } else { Chance(percent * 10_000_000) }
    }

    /// Takes one draw from the stream, whatever the chance is, and says whether it happens.
    pub(crate) fn draw(self, random: &mut Random) -> bool {
        random.below(1_000_000_000) < u64::from(self.0)
    }
}

/// One direction of a link. The default has no impairment, no delay and no limit of rate.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pipe {
    /// Frames whose IP packet is larger (in bytes) are discarded without a word; `None`: no limit.
    pub mtu: Option<usize>,
    /// Frames lost on the wire, before they take part in anything else.
    pub loss: Loss,
    /// A second copy follows at once.
    pub duplicate: Chance,
    /// One random bit is flipped, behind the link header: the frame still reaches its addressee, whose checksums
    /// have to notice. A copy draws for itself.
    pub corrupt: Chance,
    /// Bits per second, counted over the whole frame with its link header; `None`: infinitely fast.
    pub rate: Option<u64>,
    /// Token bucket depth in bytes at `rate`; 0: pure serialisation. A frame leaves when the tokens for all of it
    /// have come; one larger than the bucket waits for the rest at `rate`.
    pub burst: usize,
    /// Where frames wait for the rate. It has no effect without one.
    pub queue: QueueConfig,
    /// Time on the wire, after the queue.
    pub delay: Duration,
    /// Uniform in 0..=jitter on top of delay; keeps order: a frame is never delivered before the one sent earlier.
    pub jitter: Duration,
    /// Chance that a frame overtakes by skipping `reorder_by` of the delay.
    pub reorder: Chance,
    /// How much sooner an overtaking frame arrives (at most its whole delay).
    pub reorder_by: Duration,
}

/// How frames are lost.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Loss {
    /// Not at all.
    #[default]
    None,
    /// Each frame for itself.
    Random(Chance),
    /// Gilbert-Elliott: two states, each with its own loss. The state moves first, then the frame is judged.
    GilbertElliott {
        /// Good to bad, drawn per frame.
        enter_bad: Chance,
        /// Bad to good, drawn per frame.
        leave_bad: Chance,
        /// Loss in the bad state.
        loss_bad: Chance,
        /// Loss in the good state.
        loss_good: Chance,
    },
    /// Every n-th frame: the n-th, the 2n-th, ... ; 0 loses none.
    Every(u32),
    /// `true` = lost, repeated. An empty pattern loses none.
    Pattern(Vec<bool>),
}

/// What one direction of a link has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Frames that entered.
    pub frames: u64,
    /// Their bytes, with the link header.
    pub bytes: u64,
    /// Frames handed to the far end, copies included.
    pub delivered: u64,
    /// Lost by [`Pipe::loss`].
    pub lost: u64,
    /// Copies made.
    pub duplicated: u64,
    /// Frames with a flipped bit.
    pub corrupted: u64,
    /// Discarded by the queue: full, or by active queue management.
    pub queue_drops: u64,
    /// Frames whose IP header was marked "congestion experienced".
    pub ecn_marked: u64,
    /// Larger than [`Pipe::mtu`].
    pub mtu_drops: u64,
    /// Entered, waited or were in flight while the link was down.
    pub down_drops: u64,
    /// Largest time a frame has waited in the queue.
    pub queue_delay_max: Duration,
    /// Sum of the waiting times of all frames that left the queue.
    pub queue_delay_sum: Duration,
    /// Frames that left the queue towards the wire.
    pub dequeued: u64,
    /// Most bytes that have waited at once.
    pub queue_bytes_max: usize,
}

impl LinkStats {
    /// Mean waiting time of the frames that left the queue.
    pub fn queue_delay_mean(&self) -> Duration {
        let nanos = self.queue_delay_sum.as_nanos() / u128::from(self.dequeued.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::AToB => "a>b",
            Direction::BToA => "b>a",
        })
    }
}

#[cfg(test)]
mod tests;
