//! Links: two directions, each a pipeline in a fixed order:
//! mtu, loss, duplicate, corrupt, rate and burst, queue, delay and jitter, reorder.

use core::time::Duration;
use crate::queue::QueueConfig;

/// A link's two directions. Words and meanings are netem's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkConfig { pub a_to_b: Pipe, pub b_to_a: Pipe }

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction { AToB, BToA }

/// A probability in parts per billion, so that no float decides a packet's fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Chance(pub u32);

/// One direction of a link.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipe {
    /// Frames whose IP packet is larger are discarded without a word; `None`: no limit.
    pub mtu: Option<usize>,
    pub loss: Loss,
    pub duplicate: Chance,
    /// One random bit is flipped.
    pub corrupt: Chance,
    /// Bits per second; `None`: infinitely fast.
    pub rate: Option<u64>,
    /// Token bucket depth in bytes at `rate`; 0: pure serialisation.
    pub burst: usize,
    pub queue: QueueConfig,
    pub delay: Duration,
    /// Uniform in 0..=jitter on top of delay; keeps order.
    pub jitter: Duration,
    /// Chance that a frame overtakes by skipping this much of the delay.
    pub reorder: Chance,
    pub reorder_by: Duration,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub enum Loss {
    #[default] None,
    Random(Chance),
    /// Gilbert-Elliott: chances good->bad, bad->good, loss in bad, loss in good.
    GilbertElliott { enter_bad: Chance, leave_bad: Chance, loss_bad: Chance, loss_good: Chance },
    /// Every n-th frame.
    Every(u32),
    /// `true` = lost, repeated.
    Pattern(Vec<bool>),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    pub frames: u64, pub bytes: u64, pub delivered: u64, pub lost: u64, pub duplicated: u64, pub corrupted: u64, pub queue_drops: u64, pub ecn_marked: u64, pub mtu_drops: u64, pub down_drops: u64,
    /// Largest time a frame has waited in the queue.
    pub queue_delay_max: Duration,
}
impl Default for Pipe { fn default() -> Pipe { todo!("no impairment, no delay, no rate") } }
