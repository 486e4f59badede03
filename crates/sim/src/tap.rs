//! What was seen on a link, and what became of it.

use bytes::Bytes;
use thru_wire::Instant;
use crate::link::Direction;
use crate::world::{LinkId, NodeId};

/// A frame seen entering a link (or a host's decision to discard it).
#[derive(Clone, Debug)]
pub struct Sighting {
    pub at: Instant,
    pub link: LinkId,
    pub direction: Direction,
    pub bytes: Bytes,
    pub fate: Fate,
    /// Whether the link was tapped; `false` for a drop kept because of `keep_drops`.
    pub tapped: bool,
}

/// On a tapped link a frame is sighted where the tapped side sees it: when it enters (A to B: at A; B to A: when delivered to A).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate { Passed, Dropped(DropReason), Corrupted, Duplicate }

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    LinkDown, Mtu, Loss, QueueFull, Aqm,
    /// A hook (firewall, NAT) on this node said so.
    Hook(NodeId, &'static str),
}
