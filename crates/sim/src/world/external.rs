//! Nodes whose stack is not ours: frames go out of the world to whoever plays them, and come in from there.
//!
//! What comes from outside is not decided by the seed, so a world with such a node does not repeat.

use std::collections::VecDeque;

use super::*;

/// Frames that have arrived at nodes which are played outside.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    frames: VecDeque<(NodeId, InterfaceId, Bytes)>,
    dropped: u64,
}

/// Most frames that wait to be fetched. As with any queue, what comes when it is full is lost.
const MOST: usize = 16_384;

impl Outbox {
    pub(super) fn leave(&mut self, node: NodeId, interface: InterfaceId, bytes: Bytes) {
        if self.frames.len() < MOST {
            self.frames.push_back((node, interface, bytes));
        } else {
            self.dropped += 1;
        }
    }
}

impl World {
    /// From now on this node is played by something outside of the world: frames that arrive at it are handed out by
    /// [`World::take_external`], and [`World::inject`] sends frames in its place. Its own host is cut off.
    /// Panics if the node is a switch.
    pub fn set_external(&mut self, node: NodeId) {
        self.nodes[node.0 as usize].host_mut().external = true;
    }

    /// A frame leaves an external node by one of its interfaces, now. A node without that interface sends nothing.
    /// Panics if the node is a switch.
    pub fn inject(&mut self, node: NodeId, interface: InterfaceId, bytes: Bytes) {
        let host = self.nodes[node.0 as usize].host_mut();
        if let Some(&(link, leaving, _)) = host.interfaces.get(interface.0 as usize) {
            self.enter(link, leaving, bytes);
        }
    }

    /// The same for a frame that left at `at`, which is not later than now: its delay counts from there. Whoever carries
    /// frames in from outside hands them over when they get round to it.
    pub fn inject_at(&mut self, at: Instant, node: NodeId, interface: InterfaceId, bytes: Bytes) {
        let host = self.nodes[node.0 as usize].host_mut();
        if let Some(&(link, leaving, _)) = host.interfaces.get(interface.0 as usize) {
            self.enter_at(at.min(self.now), link, leaving, bytes);
        }
    }

    /// The next frame that has arrived at an external node.
    pub fn take_external(&mut self) -> Option<(NodeId, InterfaceId, Bytes)> {
        self.external.frames.pop_front()
    }

    /// Frames for external nodes that nobody fetched in time.
    pub fn external_dropped(&self) -> u64 {
        self.external.dropped
    }
}
