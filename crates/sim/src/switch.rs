//! A learning switch (IEEE 802.1Q, in simple form): frames go where their addressee was last heard, within their VLAN.
//!
//! There is no spanning tree: a loop of switches storms, as it does in life without one. Cost: labs must be trees.

use core::time::Duration;
use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use thru_wire::{Instant, MacAddr};

use crate::link::Direction;
use crate::world::LinkId;

/// How a port treats VLANs. VLANs count from 1 to 4094.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortMode {
    /// Frames without a tag, all of one VLAN.
    Access {
        /// The VLAN they belong to.
        vlan: u16,
    },
    /// Tagged frames of several VLANs.
    Trunk {
        /// VLANs that may pass; empty: all.
        allowed: Vec<u16>,
        /// The VLAN whose frames go without a tag; `None`: untagged frames are dropped.
        native: Option<u16>,
    },
}

impl Default for PortMode {
    /// An access port of VLAN 1, as on a switch fresh from its box.
    fn default() -> PortMode {
        PortMode::Access { vlan: 1 }
    }
}

/// Addresses that are remembered at most: a flood of false ones ends in flooding, not in memory.
const MOST_ADDRESSES: usize = 8192;
/// IEEE 802.1Q 8.8.3: an address that is not heard for so long is forgotten.
const AGEING: Duration = Duration::from_secs(300);

/// A learning switch.
#[derive(Debug, Default)]
pub struct Switch {
    ports: Vec<PortState>,
    heard: BTreeMap<(u16, MacAddr), Heard>,
    flooded: u64,
}

#[derive(Debug)]
struct PortState {
    link: LinkId,
    /// The direction that leaves by this port.
    leaving: Direction,
    mode: PortMode,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    port: usize,
    at: Instant,
}

impl Switch {
    pub(crate) fn new() -> Switch {
        Switch::default()
    }

    pub(crate) fn add_port(&mut self, link: LinkId, leaving: Direction) -> usize {
        self.ports.push(PortState { link, leaving, mode: PortMode::default() });
        self.ports.len() - 1
    }

    pub(crate) fn set_port(&mut self, port: usize, mode: PortMode) {
        self.ports[port].mode = mode;
        self.heard.retain(|_, heard| heard.port != port);
    }

    /// How many ports there are.
    pub fn ports(&self) -> usize {
        self.ports.len()
    }

    /// Frames that went to every port of their VLAN because their addressee was not known, or is many.
    pub fn flooded(&self) -> u64 {
        self.flooded
    }

    /// The port behind which an address was heard lately.
    pub fn port_of(&self, now: Instant, vlan: u16, address: MacAddr) -> Option<usize> {
        let heard = self.heard.get(&(vlan, address))?;
        (now.since(heard.at) < AGEING).then_some(heard.port)
    }

    /// A frame came in by a port: where it goes.
    pub(crate) fn forward(
        &mut self,
        now: Instant,
        port: usize,
        frame: Bytes,
    ) -> Vec<(LinkId, Direction, Bytes)> {
        let Some(parsed) = Parsed::of(&frame) else { return Vec::new() };
        let Some(vlan) = self.ports[port].mode.vlan_of_incoming(parsed.tag) else { return Vec::new() };
        self.learn(now, vlan, parsed.source, port);
        // IEEE 802.1Q 8.6.3: these never leave the link they were sent on.
        if let MacAddr([0x01, 0x80, 0xc2, 0x00, 0x00, 0x00..=0x0f]) = parsed.destination {
            return Vec::new();
        }
        let group = parsed.destination.0[0] & 1 != 0;
        let known = if group { None } else { self.port_of(now, vlan, parsed.destination) };
        let targets = match known {
            Some(known) => known..known + 1,
            None => {
                self.flooded += 1;
                0..self.ports.len()
            }
        };
        targets
            .filter(|&target| target != port)
            .filter_map(|target| {
                let PortState { link, leaving, mode } = &self.ports[target];
                let tagged = mode.tags_outgoing(vlan)?;
                Some((*link, *leaving, parsed.with_tag(&frame, tagged.then_some(vlan))))
            })
            .collect()
    }

    fn learn(&mut self, now: Instant, vlan: u16, source: MacAddr, port: usize) {
        if source.0[0] & 1 != 0 {
            return;
        }
        if self.heard.len() >= MOST_ADDRESSES && !self.heard.contains_key(&(vlan, source)) {
            self.heard.retain(|_, heard| now.since(heard.at) < AGEING);
            if self.heard.len() >= MOST_ADDRESSES {
                return;
            }
        }
        self.heard.insert((vlan, source), Heard { port, at: now });
    }
}

impl PortMode {
    /// The VLAN of a frame with this tag; `None`: it may not come in.
    fn vlan_of_incoming(&self, tag: Option<u16>) -> Option<u16> {
        // VLAN 0 only carries a priority (IEEE 802.1Q 9.6).
        let tag = tag.filter(|&vlan| vlan != 0);
        match (self, tag) {
            (PortMode::Access { vlan }, None) => Some(*vlan),
            (PortMode::Access { vlan }, Some(tag)) => (tag == *vlan).then_some(tag),
            (PortMode::Trunk { native, .. }, None) => *native,
            (PortMode::Trunk { allowed, native }, Some(tag)) => {
                (allowed.is_empty() || allowed.contains(&tag) || *native == Some(tag)).then_some(tag)
            }
        }
    }

    /// Whether a frame of `vlan` leaves with a tag; `None`: it may not leave.
    fn tags_outgoing(&self, vlan: u16) -> Option<bool> {
        match self {
            PortMode::Access { vlan: own } => (vlan == *own).then_some(false),
            PortMode::Trunk { native, .. } if *native == Some(vlan) => Some(false),
            PortMode::Trunk { allowed, .. } => {
                (allowed.is_empty() || allowed.contains(&vlan)).then_some(true)
            }
        }
    }
}

/// The part of an Ethernet header that a switch looks at.
#[derive(Clone, Copy, Debug)]
struct Parsed {
    destination: MacAddr,
    source: MacAddr,
    /// VLAN of the tag, 0 to 4095.
    tag: Option<u16>,
    /// The tag's priority bits.
    priority: u16,
}

impl Parsed {
    fn of(frame: &[u8]) -> Option<Parsed> {
        let destination = MacAddr(*frame.first_chunk()?);
        let source = MacAddr(*frame.get(6..)?.first_chunk()?);
        let kind: [u8; 2] = *frame.get(12..)?.first_chunk()?;
        let mut parsed = Parsed { destination, source, tag: None, priority: 0 };
        if kind == [0x81, 0x00] {
            let tag = u16::from_be_bytes(*frame.get(14..18)?.first_chunk()?);
            parsed.tag = Some(tag & 0x0fff);
            parsed.priority = tag & 0xf000;
        }
        Some(parsed)
    }

    /// The frame with that tag or without one; shared if it is so already.
    fn with_tag(&self, frame: &Bytes, tag: Option<u16>) -> Bytes {
        if self.tag == tag {
            return frame.clone();
        }
        let rest = if self.tag.is_some() { 16 } else { 12 };
        let mut bytes = BytesMut::with_capacity(frame.len() + 4);
        bytes.extend_from_slice(&frame[..12]);
        if let Some(vlan) = tag {
            bytes.put_u16(0x8100);
            bytes.put_u16(self.priority | vlan);
        }
        bytes.extend_from_slice(&frame[rest..]);
        bytes.freeze()
    }
}

#[cfg(test)]
mod tests;
