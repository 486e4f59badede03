//! What a node is made of, and how its hook's drops become known.

use std::sync::{Arc, Mutex, PoisonError};

use thru_stack::hook::{Hook, Judgement, Place};
use thru_stack::{Host, InterfaceConfig, InterfaceId, Medium};
use thru_wire::Instant;

use super::LinkId;
use crate::event::Slot;
use crate::link::Direction;
use crate::switch::Switch;

/// A node of the world.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) device: Device,
}

pub(super) enum Device {
    Host(Box<HostNode>),
    Switch(Switch),
}

/// Where a link is plugged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Port {
    Interface(InterfaceId),
    Switch(usize),
}

/// A host in the world.
pub(super) struct HostNode {
    pub(super) host: Host,
    /// By number of the interface: its link, the direction that leaves by it, and its medium.
    pub(super) interfaces: Vec<(LinkId, Direction, Medium)>,
    pub(super) slot: Slot,
    /// The host's wakes that the world has counted.
    pub(super) wakes: u64,
    hook_drops: Option<HookDrops>,
    /// Its frames come from outside of the world and go there; the host itself is cut off.
    pub(super) external: bool,
}

/// Packets that a hook has discarded, shared between the hook (in the host) and the world.
type HookDrops = Arc<Mutex<Vec<HookDrop>>>;

/// One packet that a hook has discarded.
pub(super) struct HookDrop {
    pub(super) packet: Vec<u8>,
    pub(super) reason: &'static str,
    /// The interface it came in by, or else the one it was to leave by.
    pub(super) interface: InterfaceId,
    /// Whether it came in by it.
    pub(super) incoming: bool,
}

impl Node {
    pub(super) fn host(&self) -> &Host {
        match &self.device {
            Device::Host(node) => &node.host,
            Device::Switch(_) => panic!("{} is a switch, not a host", self.name),
        }
    }

    pub(super) fn host_mut(&mut self) -> &mut HostNode {
        match &mut self.device {
            Device::Host(node) => node,
            Device::Switch(_) => panic!("{} is a switch, not a host", self.name),
        }
    }

    pub(super) fn switch(&self) -> &Switch {
        match &self.device {
            Device::Switch(switch) => switch,
            Device::Host(_) => panic!("{} is a host, not a switch", self.name),
        }
    }

    pub(super) fn switch_mut(&mut self) -> &mut Switch {
        match &mut self.device {
            Device::Switch(switch) => switch,
            Device::Host(_) => panic!("{} is a host, not a switch", self.name),
        }
    }

    /// Plugs a link in: a new interface or a new port.
    pub(super) fn add_port(
        &mut self,
        interface: Option<InterfaceConfig>,
        link: LinkId,
        leaving: Direction,
    ) -> Port {
        let name = &self.name;
        match (&mut self.device, interface) {
            (Device::Host(node), Some(interface)) => {
                let medium = interface.medium;
                let id = node.host.add_interface(interface);
                assert!(
                    id.0 as usize == node.interfaces.len(),
                    "{name} has an interface that the world did not make"
                );
                node.interfaces.push((link, leaving, medium));
                Port::Interface(id)
            }
            (Device::Switch(switch), None) => Port::Switch(switch.add_port(link, leaving)),
            (Device::Host(_), None) => panic!("{name} is a host: its end of a link needs an interface"),
            (Device::Switch(_), Some(_)) => panic!("{name} is a switch: its ports have no interface"),
        }
    }
}

impl HostNode {
    pub(super) fn new(host: Host, slot: Slot) -> HostNode {
        HostNode { host, interfaces: Vec::new(), slot, wakes: 0, hook_drops: None, external: false }
    }

    pub(super) fn set_hook(&mut self, hook: Box<dyn Hook>) {
        let drops = HookDrops::default();
        self.hook_drops = Some(drops.clone());
        self.host.set_hook(Box::new(Observed { hook, drops }));
    }

    /// What the hook has discarded since the last call.
    pub(super) fn take_hook_drops(&mut self) -> Vec<HookDrop> {
        let Some(drops) = &self.hook_drops else { return Vec::new() };
        core::mem::take(&mut *drops.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A hook whose drops are noted.
struct Observed {
    hook: Box<dyn Hook>,
    drops: HookDrops,
}

impl Hook for Observed {
    fn judge(
        &mut self,
        now: Instant,
        place: Place,
        input: Option<InterfaceId>,
        output: Option<InterfaceId>,
        packet: &mut Vec<u8>,
    ) -> Judgement {
        let judgement = self.hook.judge(now, place, input, output, packet);
        let reason = match judgement {
            Judgement::Accept => return Judgement::Accept,
            Judgement::Drop(reason) | Judgement::RejectIcmp(reason) | Judgement::RejectReset(reason) => {
                reason
            }
        };
        if let Some(interface) = input.or(output) {
            let drop = HookDrop { packet: packet.clone(), reason, interface, incoming: input.is_some() };
            self.drops.lock().unwrap_or_else(PoisonError::into_inner).push(drop);
        }
        judgement
    }

    fn next_expiry(&self, now: Instant) -> Option<core::time::Duration> {
        self.hook.next_expiry(now)
    }

    fn expire(&mut self, now: Instant) {
        self.hook.expire(now);
    }

    fn dropped(&self) -> u64 {
        self.hook.dropped()
    }
}
