//! Queue disciplines.
use core::time::Duration;
#[derive(Clone, Debug, PartialEq)]
pub enum QueueConfig {
    /// Limits: bytes.
    DropTail { limit: usize }, DropHead { limit: usize },
    Red { limit: usize, min: usize, max: usize, max_probability: crate::link::Chance, ecn: bool },
    Codel { limit: usize, target: Duration, interval: Duration, ecn: bool },
    FqCodel { limit: usize, flows: u32, quantum: usize, target: Duration, interval: Duration, ecn: bool },
    Pie { limit: usize, target: Duration, update: Duration, ecn: bool },
}
