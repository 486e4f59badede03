//! Nodes, links and the loop.

use thru_stack::{Host, HostConfig, InterfaceConfig, InterfaceId};
use thru_wire::Instant;
use crate::link::{Direction, LinkConfig, LinkStats, Pipe};
use crate::tap::Sighting;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u32);

/// The whole simulated network.
pub struct World { /* private */ }

impl World {
    pub fn new(seed: u64) -> World { todo!() }
    pub fn now(&self) -> Instant { todo!() }
    /// A host or router (`config.forwarding`). The world overrides `config.seed` with one derived from (seed, name).
    pub fn add_host(&mut self, name: &str, config: HostConfig) -> NodeId { todo!() }
    /// A learning switch; `links` connect to its ports in the order of [`World::connect`].
    pub fn add_switch(&mut self, name: &str) -> NodeId { todo!() }
    /// Joins two nodes. A host gets a new interface made from `InterfaceConfig` (name, MAC, MTU); a switch a port (`None`).
    pub fn connect(&mut self, name: &str, a: (NodeId, Option<InterfaceConfig>), b: (NodeId, Option<InterfaceConfig>), config: LinkConfig) -> (LinkId, Option<InterfaceId>, Option<InterfaceId>) { todo!() }
    pub fn node_name(&self, node: NodeId) -> &str { todo!() }
    pub fn node(&self, name: &str) -> Option<NodeId> { todo!() }
    pub fn link_name(&self, link: LinkId) -> &str { todo!() }
    pub fn link(&self, name: &str) -> Option<LinkId> { todo!() }
    pub fn links(&self) -> usize { todo!() }

    /// Read-only look at a host. Panics if the node is a switch.
    pub fn host(&self, node: NodeId) -> &Host { todo!() }
    /// Calls into a host at the current time, then carries out what it wants to send and re-arms its deadline.
    pub fn with_host<R>(&mut self, node: NodeId, call: impl FnOnce(&mut Host, Instant) -> R) -> R { todo!() }

    /// When the next event is due; [`Instant::NEVER`] if nothing is to come.
    pub fn next_event(&self) -> Instant { todo!() }
    /// Carries out the next event and moves `now` to it. `false` if there is none.
    pub fn step(&mut self) -> bool { todo!() }
    /// Moves `now` forward without an event. Panics if an event is due earlier.
    pub fn advance_to(&mut self, now: Instant) { todo!() }
    /// Runs until `until` (inclusive) or until nothing is to come.
    pub fn run_until(&mut self, until: Instant) { todo!() }
    /// Sum of all hosts' woken wakers and of timers that fired: changes when some task has become ready.
    pub fn wakes(&self) -> u64 { todo!() }
    /// Wakes `waker` at `at` (nanosecond exact). Returns a key for [`World::cancel_timer`].
    pub fn set_timer(&mut self, at: Instant, waker: core::task::Waker) -> u64 { todo!() }
    pub fn cancel_timer(&mut self, key: u64) { todo!() }
    /// Calls `action` at `at`: faults on a timeline.
    pub fn schedule(&mut self, at: Instant, action: Box<dyn FnOnce(&mut World) + Send>) { todo!() }

    /// Changes one direction of a link from now on; packets already in flight keep their fate.
    pub fn set_pipe(&mut self, link: LinkId, direction: Direction, pipe: Pipe) { todo!() }
    pub fn pipe(&self, link: LinkId, direction: Direction) -> &Pipe { todo!() }
    /// A link that is down discards what enters it and what is in flight.
    pub fn set_up(&mut self, link: LinkId, up: bool) { todo!() }
    pub fn link_stats(&self, link: LinkId, direction: Direction) -> LinkStats { todo!() }

    /// From now on, sightings on this link are kept (whole frames, entering and dropped).
    pub fn tap(&mut self, link: LinkId) { todo!() }
    /// From now on, frames dropped anywhere are kept as sightings, tapped link or not, bounded to the given count.
    pub fn keep_drops(&mut self, at_most: usize) { todo!() }
    /// Takes the sightings collected so far, in order of time.
    pub fn take_sightings(&mut self) -> Vec<Sighting> { todo!() }
    /// Running digest over (time, link, direction, bytes, fate) of every frame entering every link.
    pub fn digest(&self) -> u64 { todo!() }
    /// Frames that entered links so far: the "packet-hops" of the published figures.
    pub fn packet_hops(&self) -> u64 { todo!() }
}
