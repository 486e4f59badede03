//! The end of a link as a device: the batch interface of real ones, for a host outside of the world.

use std::collections::VecDeque;
use std::io;

use thru_stack::Frame;
use thru_stack::device::{Device, Properties, Stamps};
use thru_wire::MacAddr;

use super::{Direction, InterfaceId, LARGEST, LinkId, Medium, NodeId, Offloads, World};
use crate::frames::each_complete_packet;

impl World {
    /// The end of the link at an interface of an external node, as a device. `None`: the node has no such interface.
    /// Panics if the node is a switch.
    pub fn link_end(&mut self, node: NodeId, interface: InterfaceId) -> Option<LinkEnd<'_>> {
        let host = self.nodes[node.0 as usize].host_mut();
        let &(link, leaving, medium) = host.interfaces.get(interface.0 as usize)?;
        let config = host.host.interface(interface)?;
        let properties = Properties {
            name: config.name.clone(),
            ethernet: medium == Medium::Ethernet,
            mac: MacAddr::UNSPECIFIED,
            mtu: config.mtu,
            offloads: Offloads { segmentation: LARGEST, checksum: true, gather: true, in_turns: false },
            stamps: Stamps::Simulated,
        };
        Some(LinkEnd { world: self, node, interface, link, leaving, medium, properties })
    }
}

/// The end of a link, as a device: what is sent there enters the link now, and what has arrived there by now can be
/// received, with the nanosecond of its arrival. Super-segments stay whole where nothing on the link looks at packets.
pub struct LinkEnd<'w> {
    world: &'w mut World,
    node: NodeId,
    interface: InterfaceId,
    link: LinkId,
    leaving: Direction,
    medium: Medium,
    properties: Properties,
}

impl Device for LinkEnd<'_> {
    fn properties(&self) -> &Properties {
        &self.properties
    }

    fn recv_batch(&mut self, frames: &mut Vec<Frame>, limit: usize) -> io::Result<usize> {
        let waiting = self.world.external.waiting.get_mut(&(self.node, self.interface));
        let Some(queue) = waiting else { return Ok(0) };
        let count = limit.min(queue.len());
        frames.extend(queue.drain(..count));
        Ok(count)
    }

    fn send_batch(&mut self, frames: &mut VecDeque<Frame>) -> io::Result<usize> {
        let count = frames.len();
        for frame in frames.drain(..) {
            let frame = frame.contiguous(&self.world.buffers);
            if frame.offload.segmentation.is_some() {
                self.world.enter_whole(self.link, self.leaving, frame);
            } else {
                let LinkEnd { world, link, leaving, medium, .. } = self;
                each_complete_packet(&frame, *medium, |bytes| world.enter(*link, *leaving, bytes));
            }
        }
        Ok(count)
    }

    fn missed(&mut self) -> u64 {
        self.world.external_dropped()
    }
}
