//! Nodes, links and the loop.

mod external;
mod link_end;
mod node;
mod run;

use core::task::Waker;
use std::collections::BTreeMap;

use bytes::Bytes;
use thru_stack::hook::Hook;
use thru_stack::random::Random;
use thru_stack::{BufferPool, Host, HostConfig, InterfaceConfig, InterfaceId, Medium, Offloads};
use thru_wire::Instant;

use crate::digest::Digest;
use crate::event::{Lane, Schedule, Slot};
use crate::link::line::Line;
use crate::link::{Direction, LinkConfig, LinkStats, Pipe};
use crate::queue::Dropped;
use crate::switch::{PortMode, Switch};
use crate::tap::{Sighting, Sightings};
pub use link_end::LinkEnd;
use node::{Device, HostNode, Node, Port};

/// Largest IP packet that stands for several, in bytes.
const LARGEST: usize = 65_535;

/// A host, router or switch of one world; the first is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// A link of one world; the first is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u32);

/// The whole simulated network.
///
/// It is moved by [`World::step`]: one event a call, in the order of (time, lane, sequence). Between steps, hosts are
/// called through [`World::with_host`]. Everything that happens is a function of the seed and of these calls.
pub struct World {
    seed: u64,
    now: Instant,
    nodes: Vec<Node>,
    node_names: BTreeMap<String, NodeId>,
    links: Vec<Link>,
    link_names: BTreeMap<String, LinkId>,
    schedule: Schedule,
    /// What a timer's or an action's slot is for, by index of the slot.
    tasks: Vec<Task>,
    next_timer: u32,
    wakes: u64,
    digest: Digest,
    packet_hops: u64,
    events: u64,
    sightings: Sightings,
    keeps_drops: bool,
    /// Whether super-segments may leave hosts at all.
    offload: bool,
    guard: run::Guard,
    external: external::Outbox,
    /// What all hosts make their frames in.
    buffers: BufferPool,
    /// Reused by every call into a line.
    dropped: Vec<Dropped>,
}

/// A link: two lines and what they lead to.
struct Link {
    name: String,
    /// By [`Direction::index`].
    lines: [Line; 2],
    slots: [Slot; 2],
    /// A's end, then B's.
    ends: [End; 2],
    /// The direction that leaves the tapped end.
    tap: Option<Direction>,
    up: bool,
}

/// Where a link ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct End {
    node: NodeId,
    port: Port,
}

/// What becomes due in a slot that is neither a line's nor a host's.
enum Task {
    None,
    Wake { waker: Waker, generation: u32 },
    Act(Box<dyn FnOnce(&mut World) + Send>),
}

impl World {
    /// An empty network at [`Instant::START`].
    pub fn new(seed: u64) -> World {
        World {
            seed,
            now: Instant::START,
            nodes: Vec::new(),
            node_names: BTreeMap::new(),
            links: Vec::new(),
            link_names: BTreeMap::new(),
            schedule: Schedule::new(),
            tasks: Vec::new(),
            next_timer: 0,
            wakes: 0,
            digest: Digest::new(seed),
            packet_hops: 0,
            events: 0,
            sightings: Sightings::default(),
            keeps_drops: false,
            offload: true,
            buffers: BufferPool::default(),
            guard: run::Guard::default(),
            external: external::Outbox::default(),
            dropped: Vec::new(),
        }
    }

    /// The simulated time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// What every random choice depends on.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    // --- building

    /// A host or router (`config.forwarding`). The world overrides `config.seed` with one derived from (seed, name).
    /// Panics if the name is taken.
    pub fn add_host(&mut self, name: &str, mut config: HostConfig) -> NodeId {
        config.seed = Random::new(self.seed, &format!("host {name}")).next_u64();
        let index = u32::try_from(self.nodes.len()).expect("fewer than 2^32 nodes");
        let slot = self.schedule.add_slot(Lane::Host(index));
        let mut host = Host::new(config);
        host.share_buffers(self.buffers.clone());
        self.add_node(name, Device::Host(Box::new(HostNode::new(host, slot))))
    }

    /// A learning switch; `links` connect to its ports in the order of [`World::connect`].
    /// Panics if the name is taken.
    pub fn add_switch(&mut self, name: &str) -> NodeId {
        self.add_node(name, Device::Switch(Switch::new()))
    }

    fn add_node(&mut self, name: &str, device: Device) -> NodeId {
        let id = NodeId(u32::try_from(self.nodes.len()).expect("fewer than 2^32 nodes"));
        let before = self.node_names.insert(name.to_owned(), id);
        assert!(before.is_none(), "two nodes are named {name}");
        self.nodes.push(Node { name: name.to_owned(), device });
        id
    }

    /// Joins two nodes. A host gets a new interface made from `InterfaceConfig` (name, MAC, MTU); a switch a port (`None`).
    ///
    /// Panics if the name is taken, if a host comes without or a switch with an interface, and if one end speaks
    /// Ethernet and the other bare IP.
    pub fn connect(
        &mut self,
        name: &str,
        a: (NodeId, Option<InterfaceConfig>),
        b: (NodeId, Option<InterfaceConfig>),
        config: LinkConfig,
    ) -> (LinkId, Option<InterfaceId>, Option<InterfaceId>) {
        let id = LinkId(u32::try_from(self.links.len()).expect("fewer than 2^31 links"));
        let before = self.link_names.insert(name.to_owned(), id);
        assert!(before.is_none(), "two links are named {name}");
        let medium_of = |end: &Option<InterfaceConfig>| {
            end.as_ref().map_or(Medium::Ethernet, |interface| interface.medium)
        };
        let medium = medium_of(&a.1);
        assert!(medium == medium_of(&b.1), "the ends of link {name} differ in medium");

        let LinkConfig { a_to_b, b_to_a } = config;
        let ends = [(a, Direction::AToB), (b, Direction::BToA)].map(|((node, interface), leaving)| {
            let port = self.nodes[node.0 as usize].add_port(interface, id, leaving);
            End { node, port }
        });
        let line = |direction: Direction, pipe| {
            Line::new(self.seed, &format!("link {name} {direction}"), medium, pipe)
        };
        let lines = [line(Direction::AToB, a_to_b), line(Direction::BToA, b_to_a)];
        let slots = [0, 1].map(|index| self.schedule.add_slot(Lane::Line(id.0 * 2 + index)));
        self.links.push(Link { name: name.to_owned(), lines, slots, ends, tap: None, up: true });
        self.settle_offload(id);
        // A new interface may want to speak (duplicate address detection, router solicitation).
        for end in ends {
            self.settle(end.node);
        }
        let interface = |end: End| match end.port {
            Port::Interface(interface) => Some(interface),
            Port::Switch(_) => None,
        };
        (id, interface(ends[0]), interface(ends[1]))
    }

    /// Sets the hook of a host, in such a way that [`World::keep_drops`] and taps learn what it drops.
    /// Panics if the node is a switch.
    pub fn set_hook(&mut self, node: NodeId, hook: Box<dyn Hook>) {
        self.nodes[node.0 as usize].host_mut().set_hook(hook);
    }

    /// Sets how a switch treats VLANs on a port; ports count from 0 in the order of [`World::connect`].
    /// Panics if the node is a host or has no such port.
    pub fn set_switch_port(&mut self, node: NodeId, port: usize, mode: PortMode) {
        self.nodes[node.0 as usize].switch_mut().set_port(port, mode);
    }

    // --- looking

    /// Name of a node.
    pub fn node_name(&self, node: NodeId) -> &str {
        &self.nodes[node.0 as usize].name
    }

    /// The node of that name.
    pub fn node(&self, name: &str) -> Option<NodeId> {
        self.node_names.get(name).copied()
    }

    /// How many nodes there are; their ids count from 0.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Whether a node is a switch (and so has no [`Host`]).
    pub fn is_switch(&self, node: NodeId) -> bool {
        matches!(self.nodes[node.0 as usize].device, Device::Switch(_))
    }

    /// Name of a link.
    pub fn link_name(&self, link: LinkId) -> &str {
        &self.links[link.0 as usize].name
    }

    /// The link of that name.
    pub fn link(&self, name: &str) -> Option<LinkId> {
        self.link_names.get(name).copied()
    }

    /// How many links there are; their ids count from 0.
    pub fn links(&self) -> usize {
        self.links.len()
    }

    /// The nodes at A's and at B's end of a link, with the interface if it is a host.
    pub fn link_ends(&self, link: LinkId) -> [(NodeId, Option<InterfaceId>); 2] {
        self.links[link.0 as usize].ends.map(|end| match end.port {
            Port::Interface(interface) => (end.node, Some(interface)),
            Port::Switch(_) => (end.node, None),
        })
    }

    /// Read-only look at a host. Panics if the node is a switch.
    pub fn host(&self, node: NodeId) -> &Host {
        self.nodes[node.0 as usize].host()
    }

    /// Read-only look at a switch. Panics if the node is a host.
    pub fn switch(&self, node: NodeId) -> &Switch {
        self.nodes[node.0 as usize].switch()
    }

    /// Sum of all hosts' woken wakers and of timers that fired: changes when some task has become ready.
    pub fn wakes(&self) -> u64 {
        self.wakes
    }

    /// Running digest over (time, link, direction, bytes, fate) of every frame entering every link, and over every
    /// drop that came later.
    pub fn digest(&self) -> u64 {
        self.digest.finish()
    }

    /// Frames that entered links so far: the "packet-hops" of the published figures.
    pub fn packet_hops(&self) -> u64 {
        self.packet_hops
    }

    /// Events carried out so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    // --- links

    /// Changes one direction of a link from now on; packets already in flight keep their fate.
    pub fn set_pipe(&mut self, link: LinkId, direction: Direction, pipe: Pipe) {
        let now = self.now;
        self.with_line(link, direction, |line, dropped| line.set_pipe(now, pipe, dropped));
        self.settle_offload(link);
    }

    /// The present settings of one direction of a link.
    pub fn pipe(&self, link: LinkId, direction: Direction) -> &Pipe {
        self.links[link.0 as usize].lines[direction.index()].pipe()
    }

    /// A link that is down discards what enters it and what is in flight.
    pub fn set_up(&mut self, link: LinkId, up: bool) {
        let now = self.now;
        self.links[link.0 as usize].up = up;
        for direction in [Direction::AToB, Direction::BToA] {
            self.with_line(link, direction, |line, dropped| line.set_up(now, up, dropped));
        }
    }

    /// Whether a link is up.
    pub fn is_up(&self, link: LinkId) -> bool {
        self.links[link.0 as usize].up
    }

    /// What one direction of a link has done so far.
    pub fn link_stats(&self, link: LinkId, direction: Direction) -> LinkStats {
        self.links[link.0 as usize].lines[direction.index()].stats()
    }

    // --- taps

    /// From now on, sightings on this link are kept (whole frames, entering and dropped), seen from A's end.
    /// There is no bound but [`World::take_sightings`].
    pub fn tap(&mut self, link: LinkId) {
        self.tap_at(link, Direction::AToB);
    }

    /// The same, seen from the end that `leaving` leaves: A's for A to B, B's for B to A.
    pub fn tap_at(&mut self, link: LinkId, leaving: Direction) {
        self.links[link.0 as usize].tap = Some(leaving);
        self.settle_offload(link);
    }

    /// From now on, frames dropped anywhere are kept as sightings, tapped link or not, bounded to the given count
    /// between two calls of [`World::take_sightings`] (the first ones are kept).
    pub fn keep_drops(&mut self, at_most: usize) {
        self.sightings.keep_drops(at_most);
        self.keeps_drops = at_most > 0;
        self.settle_offloads();
    }

    /// Takes the sightings collected so far, in order of time.
    pub fn take_sightings(&mut self) -> Vec<Sighting> {
        self.sightings.take()
    }

    // --- offload

    /// Whether hosts may send super-segments over links that carry them whole: untapped ones without rate, loss,
    /// duplication, corruption, jitter, reordering and MTU of their own. By default they may.
    ///
    /// Taps, digest and counts show single packets either way, the same ones at the same times where a link on the way
    /// needs packets. What changes is how often a receiver acknowledges to which super-segments travel all the way, in
    /// which order links without delay see the packets of one instant, and how long a run takes.
    pub fn set_offload(&mut self, offload: bool) {
        self.offload = offload;
        self.settle_offloads();
    }

    fn settle_offloads(&mut self) {
        for link in 0..self.links.len() {
            self.settle_offload(LinkId(link as u32));
        }
    }

    /// Tells the hosts at the ends of a link what it carries.
    fn settle_offload(&mut self, link: LinkId) {
        let entry = &self.links[link.0 as usize];
        let hosts = entry.ends.iter().all(|end| matches!(end.port, Port::Interface(_)));
        let unseen = self.offload && hosts && entry.tap.is_none() && !self.keeps_drops;
        for (end, line) in entry.ends.into_iter().zip(&entry.lines) {
            let Port::Interface(interface) = end.port else { continue };
            let whole = unseen && line.carries_whole();
            let offloads = Offloads {
                segmentation: if whole { LARGEST } else { 0 },
                checksum: whole,
                gather: false,
                in_turns: true,
            };
            self.nodes[end.node.0 as usize].host_mut().host.set_offloads(interface, offloads);
        }
    }

    // --- things to come

    /// Wakes `waker` at `at` (nanosecond exact). Returns a key for [`World::cancel_timer`].
    pub fn set_timer(&mut self, at: Instant, waker: Waker) -> u64 {
        let generation = self.next_timer;
        self.next_timer = self.next_timer.wrapping_add(1);
        let slot = self.add_task(Lane::Timer, at, Task::Wake { waker, generation });
        u64::from(generation) << 32 | slot.index() as u64
    }

    /// Forgets a timer; one that has fired or was cancelled before is left alone.
    pub fn cancel_timer(&mut self, key: u64) {
        let index = (key & u64::from(u32::MAX)) as usize;
        let wanted = (key >> 32) as u32;
        if matches!(self.tasks.get(index), Some(Task::Wake { generation, .. }) if *generation == wanted) {
            self.tasks[index] = Task::None;
            self.schedule.remove_slot(Slot::from_index(index));
        }
    }

    /// Calls `action` at `at`: faults on a timeline. A time that has passed means now.
    pub fn schedule(&mut self, at: Instant, action: Box<dyn FnOnce(&mut World) + Send>) {
        self.add_task(Lane::Action, at, Task::Act(action));
    }

    fn add_task(&mut self, lane: Lane, at: Instant, task: Task) -> Slot {
        let slot = self.schedule.add_slot(lane);
        if self.tasks.len() <= slot.index() {
            self.tasks.resize_with(slot.index() + 1, || Task::None);
        }
        self.tasks[slot.index()] = task;
        self.schedule.set(slot, at.max(self.now));
        slot
    }
}

#[cfg(test)]
mod tests;
