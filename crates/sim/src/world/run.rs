//! The loop: events are carried out, hosts are called, frames move.

use super::*;
use crate::frames::each_packet;
use crate::queue::Packet;
use crate::tap::{DropReason, Fate};
use thru_stack::{Frame, Offload};

/// Events at one instant after which the run is given up. A thousand hosts that all speak at once need far fewer.
const MOST_EVENTS_AT_ONCE: u64 = 4_000_000;
/// Of so many last ones the names are told.
const EVENTS_TOLD: u64 = 1000;

/// Notices when time stands still: two nodes that answer each other without delay would go on for ever.
#[derive(Debug, Default)]
pub(super) struct Guard {
    at: Instant,
    events: u64,
    /// Who took part in the last ones.
    suspects: std::collections::BTreeSet<Lane>,
}

impl World {
    /// When the next event is due; [`Instant::NEVER`] if nothing is to come.
    pub fn next_event(&self) -> Instant {
        self.schedule.peek().map_or(Instant::NEVER, |(at, _)| at)
    }

    /// Carries out the next event and moves `now` to it. `false` if there is none.
    ///
    /// Panics, naming the nodes, after four million events at one instant.
    pub fn step(&mut self) -> bool {
        let Some((at, slot)) = self.schedule.pop() else { return false };
        self.now = at;
        self.events += 1;
        let lane = self.schedule.lane(slot);
        self.watch(lane);
        match lane {
            Lane::Line(index) => {
                let direction = if index % 2 == 0 { Direction::AToB } else { Direction::BToA };
                self.deliver(LinkId(index / 2), direction);
            }
            Lane::Host(index) => {
                self.with_host(NodeId(index), Host::handle_deadline);
            }
            Lane::Action | Lane::Timer => {
                let task = core::mem::replace(&mut self.tasks[slot.index()], Task::None);
                self.schedule.remove_slot(slot);
                match task {
                    Task::Wake { waker, .. } => {
                        self.wakes += 1;
                        waker.wake();
                    }
                    Task::Act(action) => action(self),
                    Task::None => unreachable!("a slot without a task is not due"),
                }
            }
        }
        true
    }

    /// Moves `now` forward without an event. Panics if an event is due earlier.
    pub fn advance_to(&mut self, now: Instant) {
        assert!(now <= self.next_event(), "an event at {:?} is due before {now:?}", self.next_event());
        self.now = self.now.max(now);
    }

    /// Runs until `until` (inclusive) or until nothing is to come. Afterwards it is `until`, whatever happened last,
    /// unless that is [`Instant::NEVER`].
    pub fn run_until(&mut self, until: Instant) {
        while self.next_event() <= until && self.step() {}
        if !until.is_never() {
            self.advance_to(until);
        }
    }

    /// Calls into a host at the current time, then carries out what it wants to send and re-arms its deadline.
    /// Panics if the node is a switch.
    pub fn with_host<R>(&mut self, node: NodeId, call: impl FnOnce(&mut Host, Instant) -> R) -> R {
        let now = self.now;
        let result = call(&mut self.nodes[node.0 as usize].host_mut().host, now);
        self.settle(node);
        result
    }

    /// After a call into a host: its frames go onto their links, its deadline into the schedule.
    pub(super) fn settle(&mut self, node: NodeId) {
        let index = node.0 as usize;
        if matches!(self.nodes[index].device, Device::Switch(_)) {
            return;
        }
        loop {
            let host = self.nodes[index].host_mut();
            let Some((interface, frame)) = host.host.poll_transmit() else { break };
            let Some(&(link, leaving, _)) = host.interfaces.get(interface.0 as usize) else { continue };
            if host.external {
                continue;
            }
            if frame.offload.is_packet() {
                self.enter(link, leaving, frame.bytes);
            } else {
                self.enter_whole(link, leaving, frame);
            }
        }
        let host = self.nodes[index].host_mut();
        let woken = host.host.wakes() - host.wakes;
        host.wakes += woken;
        self.wakes += woken;
        let (slot, deadline) = (host.slot, host.host.next_deadline());
        let hook_drops = host.take_hook_drops();
        self.schedule.set(slot, deadline.max(self.now));
        for drop in hook_drops {
            self.note_hook_drop(node, drop);
        }
    }

    /// A frame enters one direction of a link.
    pub(super) fn enter(&mut self, link: LinkId, direction: Direction, bytes: Bytes) {
        self.enter_at(self.now, link, direction, bytes);
    }

    pub(super) fn enter_at(&mut self, now: Instant, link: LinkId, direction: Direction, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        let entry = &self.links[link.0 as usize];
        let leaves_tap = entry.tap == Some(direction);
        let seen = (entry.tap.is_some() || self.keeps_drops).then(|| bytes.clone());
        self.packet_hops += 1;
        self.digest.word(now.nanos());
        self.digest.word(u64::from(link.0) << 1 | direction.index() as u64);
        self.digest.bytes(&bytes);
        let entered = self.with_line(link, direction, |line, dropped| line.enqueue(now, bytes, dropped));
        self.digest.word(fate_code(entered.fate) << 1 | u64::from(entered.duplicated));
        let Some(bytes) = seen else { return };
        let dropped = matches!(entered.fate, Fate::Dropped(_));
        let tapped = self.links[link.0 as usize].tap.is_some();
        let sighting = Sighting { at: now, link, direction, bytes, fate: entered.fate, tapped };
        if leaves_tap {
            self.sightings.seen(sighting, entered.number);
        } else if dropped {
            self.sightings.dropped(sighting, None);
        }
    }

    /// A super-segment enters one direction of a link: whole, if nothing there looks at packets.
    pub(super) fn enter_whole(&mut self, link: LinkId, direction: Direction, frame: Frame) {
        let now = self.now;
        let entry = &self.links[link.0 as usize];
        let line = &entry.lines[direction.index()];
        let (medium, offload) = (line.medium(), frame.offload);
        if entry.tap.is_some() || self.keeps_drops || !line.carries_whole() {
            let mut packets = Vec::new();
            each_packet(&frame.bytes, offload, medium, |packet| packets.push(packet));
            for packet in packets {
                self.enter(link, direction, packet);
            }
            return;
        }
        let bytes = frame.bytes.clone();
        let fate = self.with_line(link, direction, |line, dropped| line.enqueue_whole(now, frame, dropped));
        // The digest of a run is that of its packets, however they were carried.
        each_packet(&bytes, offload, medium, |packet| {
            self.packet_hops += 1;
            self.digest.word(now.nanos());
            self.digest.word(u64::from(link.0) << 1 | direction.index() as u64);
            self.digest.bytes(&packet);
            self.digest.word(fate_code(fate) << 1);
        });
    }

    /// Calls into a line, notes what it dropped, and re-arms it.
    pub(super) fn with_line<R>(
        &mut self,
        link: LinkId,
        direction: Direction,
        call: impl FnOnce(&mut Line, &mut Vec<Dropped>) -> R,
    ) -> R {
        let mut dropped = core::mem::take(&mut self.dropped);
        let entry = &mut self.links[link.0 as usize];
        let line = &mut entry.lines[direction.index()];
        let result = call(line, &mut dropped);
        // A frame that was handed over late may have been due before now.
        let due = line.next_due().max(self.now);
        self.schedule.set(entry.slots[direction.index()], due);
        let (tapped, leaves_tap) = (entry.tap.is_some(), entry.tap == Some(direction));
        let medium = entry.lines[direction.index()].medium();
        for Dropped { at, packet, reason } in dropped.drain(..) {
            let fate = Fate::Dropped(reason);
            let mut number = packet.number;
            each_packet(&packet.bytes, packet.offload, medium, |bytes| {
                self.digest.word(at.nanos());
                self.digest.word(u64::from(link.0) << 1 | direction.index() as u64);
                self.digest.word(number << 1 | u64::from(packet.copy));
                self.digest.word(fate_code(fate));
                if tapped || self.keeps_drops {
                    let seen_entering = (leaves_tap && !packet.copy).then_some(number);
                    let sighting = Sighting { at, link, direction, bytes, fate, tapped };
                    self.sightings.dropped(sighting, seen_entering);
                }
                number += 1;
            });
        }
        self.dropped = dropped;
        result
    }

    /// One direction of a link is due: a frame arrives, or the transmitter takes the next one.
    fn deliver(&mut self, link: LinkId, direction: Direction) {
        let now = self.now;
        let Some(packet) = self.with_line(link, direction, |line, dropped| line.poll(now, dropped)) else {
            return;
        };
        let medium = self.links[link.0 as usize].lines[direction.index()].medium();
        if packet.offload.is_packet() || self.links[link.0 as usize].tap.is_none() {
            return self.arrive(link, direction, packet);
        }
        // The link was tapped with the super-segment on its way.
        let mut packets = Vec::new();
        each_packet(&packet.bytes, packet.offload, medium, |bytes| packets.push(bytes));
        for (bytes, number) in packets.into_iter().zip(packet.number..) {
            let offload = Offload::NONE;
            self.arrive(link, direction, Packet { bytes, offload, number, ..packet.clone() });
        }
    }

    /// A frame is handed to the node at the end of its direction.
    fn arrive(&mut self, link: LinkId, direction: Direction, packet: Packet) {
        let now = self.now;
        let entry = &self.links[link.0 as usize];
        if entry.tap == Some(direction.reverse()) {
            let fate = match (packet.corrupted, packet.copy) {
                (true, _) => Fate::Corrupted,
                (false, true) => Fate::Duplicate,
                (false, false) => Fate::Passed,
            };
            let sighting =
                Sighting { at: now, link, direction, bytes: packet.bytes.clone(), fate, tapped: true };
            self.sightings.seen(sighting, packet.number);
        }
        let End { node, port } = entry.ends[1 - direction.index()];
        match (&mut self.nodes[node.0 as usize].device, port) {
            (Device::Host(host), Port::Interface(interface)) if host.external => {
                let frame = Frame { offload: packet.offload, ..Frame::new(packet.bytes, now) };
                self.external.leave(node, interface, frame);
            }
            (Device::Host(host), Port::Interface(interface)) => {
                let frame = Frame { offload: packet.offload, ..Frame::new(packet.bytes, now) };
                host.host.handle_frame(now, interface, frame);
                self.settle(node);
            }
            (Device::Switch(switch), Port::Switch(port)) => {
                for (link, leaving, bytes) in switch.forward(now, port, packet.bytes) {
                    self.enter(link, leaving, bytes);
                }
            }
            _ => unreachable!("a link ends at an interface of a host or at a port of a switch"),
        }
    }

    fn note_hook_drop(&mut self, node: NodeId, drop: node::HookDrop) {
        let host = self.nodes[node.0 as usize].host_mut();
        let Some(&(link, leaving, medium)) = host.interfaces.get(drop.interface.0 as usize) else { return };
        let tapped = self.links[link.0 as usize].tap.is_some();
        if !tapped && !self.keeps_drops {
            return;
        }
        let direction = if drop.incoming { leaving.reverse() } else { leaving };
        let mut bytes = Vec::with_capacity(14 + drop.packet.len());
        if medium == Medium::Ethernet {
            bytes.extend_from_slice(&[0; 12]);
            let v6 = drop.packet.first().is_some_and(|first| first >> 4 == 6);
            bytes.extend_from_slice(if v6 { &[0x86, 0xdd] } else { &[0x08, 0x00] });
        }
        bytes.extend_from_slice(&drop.packet);
        let fate = Fate::Dropped(DropReason::Hook(node, drop.reason));
        let sighting = Sighting { at: self.now, link, direction, bytes: bytes.into(), fate, tapped };
        self.sightings.dropped(sighting, None);
    }

    /// Counts events at one instant.
    fn watch(&mut self, lane: Lane) {
        if self.guard.at != self.now {
            self.guard.at = self.now;
            self.guard.events = 0;
            self.guard.suspects.clear();
        }
        self.guard.events += 1;
        if self.guard.events + EVENTS_TOLD < MOST_EVENTS_AT_ONCE {
            return;
        }
        self.guard.suspects.insert(lane);
        if self.guard.events < MOST_EVENTS_AT_ONCE {
            return;
        }
        let names: Vec<String> = self.guard.suspects.iter().map(|&lane| self.lane_name(lane)).collect();
        panic!(
            "time stands still at {:?}: {MOST_EVENTS_AT_ONCE} events, lately of {}; a loop without delay?",
            self.now,
            names.join(", ")
        );
    }

    fn lane_name(&self, lane: Lane) -> String {
        match lane {
            Lane::Action => "planned actions".to_owned(),
            Lane::Timer => "timers".to_owned(),
            Lane::Host(index) => format!("node {}", self.node_name(NodeId(index))),
            Lane::Line(index) => {
                let link = &self.links[(index / 2) as usize];
                let ends = link.ends.map(|end| self.node_name(end.node));
                format!("link {} ({} -- {})", link.name, ends[0], ends[1])
            }
        }
    }
}

fn fate_code(fate: Fate) -> u64 {
    match fate {
        Fate::Passed => 0,
        Fate::Corrupted => 1,
        Fate::Duplicate => 2,
        Fate::Dropped(reason) => match reason {
            DropReason::LinkDown => 16,
            DropReason::Mtu => 17,
            DropReason::Loss => 18,
            DropReason::QueueFull => 19,
            DropReason::Aqm => 20,
            DropReason::Hook(node, _) => 32 + u64::from(node.0),
        },
    }
}
