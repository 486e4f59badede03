//! Nodes whose stack is not ours: frames go out of the world to whoever plays them, and come in from there.
//!
//! What comes from outside is not decided by the seed, so a world with such a node does not repeat, unless whoever plays
//! it does.

use std::collections::VecDeque;

use thru_stack::Frame;

use super::*;
use crate::frames::each_complete_packet;

/// Frames that have arrived at nodes which are played outside.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub(super) waiting: BTreeMap<(NodeId, InterfaceId), VecDeque<Frame>>,
    dropped: u64,
}

/// Most frames that wait to be fetched at an interface. As with any queue, what comes when it is full is lost.
const MOST: usize = 16_384;

impl Outbox {
    pub(super) fn leave(&mut self, node: NodeId, interface: InterfaceId, frame: Frame) {
        let queue = self.waiting.entry((node, interface)).or_default();
        if queue.len() < MOST {
            queue.push_back(frame);
        } else {
            self.dropped += 1;
        }
    }
}

impl World {
    /// From now on this node is played by something outside of the world: frames that arrive at it are handed out by
    /// [`World::take_external`] or [`World::link_end`], and [`World::inject`] or [`World::link_end`] sends frames in its
    /// place. Its own host is cut off. Panics if the node is a switch.
    pub fn set_external(&mut self, node: NodeId) {
        self.nodes[node.0 as usize].host_mut().external = true;
    }

    /// A frame leaves an external node by one of its interfaces, now. A node without that interface sends nothing.
    /// Panics if the node is a switch.
    pub fn inject(&mut self, node: NodeId, interface: InterfaceId, bytes: Bytes) {
        self.inject_at(self.now, node, interface, bytes);
    }

    /// The same for a frame that left at `at`, which is not later than now: its delay counts from there. Whoever carries
    /// frames in from outside hands them over when they get round to it.
    pub fn inject_at(&mut self, at: Instant, node: NodeId, interface: InterfaceId, bytes: Bytes) {
        let host = self.nodes[node.0 as usize].host_mut();
        if let Some(&(link, leaving, _)) = host.interfaces.get(interface.0 as usize) {
            self.enter_at(at.min(self.now), link, leaving, bytes);
        }
    }

    /// The next packet that has arrived at this interface of an external node, as a wire would carry it.
    pub fn take_external(&mut self, node: NodeId, interface: InterfaceId) -> Option<Bytes> {
        let queue = self.external.waiting.get_mut(&(node, interface))?;
        let frame = queue.pop_front()?;
        if frame.offload.is_packet() {
            return Some(frame.bytes);
        }
        let medium = self.nodes[node.0 as usize].host_mut().interfaces.get(interface.0 as usize)?.2;
        let mut packets = VecDeque::new();
        each_complete_packet(&frame, medium, |bytes| packets.push_back(Frame::new(bytes, frame.rx_time)));
        let first = packets.pop_front()?;
        for frame in packets.into_iter().rev() {
            queue.push_front(frame);
        }
        Some(first.bytes)
    }

    /// Whether something has arrived at this interface of an external node.
    pub fn has_external(&self, node: NodeId, interface: InterfaceId) -> bool {
        self.external.waiting.get(&(node, interface)).is_some_and(|queue| !queue.is_empty())
    }

    /// Frames for external nodes that nobody fetched in time.
    pub fn external_dropped(&self) -> u64 {
        self.external.dropped
    }
}
