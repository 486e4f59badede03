//! What was seen on a link, and what became of it.

use bytes::Bytes;
use thru_wire::Instant;

use crate::link::Direction;
use crate::world::{LinkId, NodeId};

/// A frame seen at the tapped end of a link, or dropped somewhere.
///
/// A tap sits at one end of its link. Frames that leave that end are sighted when they enter the link, as they were
/// sent; frames towards it are sighted when they are delivered, as they arrive. A frame dropped on a tapped link is
/// sighted whichever way it went, because here somebody knows: towards the tapped end at the time of its drop.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// When.
    pub at: Instant,
    /// Where. For a drop by a hook: the link the packet came in by, or was to leave by.
    pub link: LinkId,
    /// Which way it went.
    pub direction: Direction,
    /// The whole frame from its link header on. A hook sees packets without one: theirs is made up (addresses zero).
    pub bytes: Bytes,
    /// What became of it, as far as it is known when the sightings are taken.
    pub fate: Fate,
    /// Whether the link was tapped; `false` for a drop kept because of [`World::keep_drops`](crate::World::keep_drops).
    pub tapped: bool,
}

/// What a link did to a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was passed on as it was.
    Passed,
    /// It was discarded.
    Dropped(DropReason),
    /// A bit was flipped on the way.
    Corrupted,
    /// It is the second copy, made by the link.
    Duplicate,
}

/// Why a frame was discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// The link was down, or went down with the frame in flight.
    LinkDown,
    /// Larger than the link's MTU.
    Mtu,
    /// Lost on the wire.
    Loss,
    /// The queue was at its limit.
    QueueFull,
    /// Active queue management chose it.
    Aqm,
    /// A hook (firewall, NAT) on this node said so.
    Hook(NodeId, &'static str),
}

impl core::fmt::Display for DropReason {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            DropReason::LinkDown => "link down",
            DropReason::Mtu => "larger than the link's MTU",
            DropReason::Loss => "lost on the wire",
            DropReason::QueueFull => "queue full",
            DropReason::Aqm => "active queue management",
            DropReason::Hook(_, reason) => reason,
        })
    }
}

/// All sightings of a world, in the making.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    kept: Vec<Noted>,
    /// Drops on untapped links that may still be kept.
    drops_left: usize,
    drops_limit: usize,
}

#[derive(Debug)]
struct Noted {
    sighting: Sighting,
    /// Number of the frame in its direction, to find it when it is dropped later.
    number: Option<u64>,
}

impl Sightings {
    pub(crate) fn keep_drops(&mut self, at_most: usize) {
        self.drops_limit = at_most;
        self.drops_left = at_most;
    }

    /// A frame entered at the tapped end, or was delivered there.
    pub(crate) fn seen(&mut self, sighting: Sighting, number: u64) {
        self.kept.push(Noted { sighting, number: Some(number) });
    }

    /// A frame was dropped. `seen_entering`: its number, if it was sighted when it entered.
    pub(crate) fn dropped(&mut self, sighting: Sighting, seen_entering: Option<u64>) {
        if let Some(number) = seen_entering {
            let same = |noted: &&mut Noted| {
                noted.number == Some(number)
                    && noted.sighting.link == sighting.link
                    && noted.sighting.direction == sighting.direction
            };
            if let Some(noted) = self.kept.iter_mut().rev().find(same) {
                noted.sighting.fate = sighting.fate;
                return;
            }
        }
        if !sighting.tapped {
            if self.drops_left == 0 {
                return;
            }
            self.drops_left -= 1;
        }
        self.kept.push(Noted { sighting, number: None });
    }

    /// Takes them all, in order of time.
    pub(crate) fn take(&mut self) -> Vec<Sighting> {
        self.drops_left = self.drops_limit;
        core::mem::take(&mut self.kept).into_iter().map(|noted| noted.sighting).collect()
    }
}
