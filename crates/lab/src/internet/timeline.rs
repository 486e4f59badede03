//! What changes when: faults begin and end.

use std::time::Duration;

use thru_sim::Direction;
use thru_stack::InterfaceId;
use thru_stack::route::Route;
use thru_wire::Instant;

use super::Internet;
use super::build::{self, DEFAULT_MTU};
use super::services::Slot;
use crate::link::{LinkSpec, Text};
use crate::scenario::{Change, ServiceKind};

/// How to undo a change.
enum Undo {
    Link(usize, Box<LinkSpec>),
    Up(usize, bool),
    Service(usize, Box<ServiceKind>),
    Routes(usize, Vec<Route>, Vec<Route>),
    Rules(usize, Vec<crate::scenario::Rule>),
    Epoch(u64),
    /// What was asked of others stays.
    Nothing,
}

impl Internet {
    /// Changes at time 0 that last: they are in force before anything runs.
    pub(super) fn begin_timeline(&self) {
        for event in &self.scenario().timeline {
            if event.at.is_zero() && event.lasts.is_none() {
                // Nothing runs yet, so no service has to be started anew.
                let _ = self.change(&event.change);
            }
        }
    }

    /// All other changes, each in its time.
    pub(super) fn spawn_timeline(&self) {
        let events = &self.scenario().timeline;
        for (index, event) in events.iter().enumerate() {
            let sent = matches!(event.change, Change::Update { .. });
            if event.at.is_zero() && event.lasts.is_none() && !sent {
                continue;
            }
            let internet = self.clone();
            let (at, lasts) = (event.at, event.lasts);
            let network = self.client();
            tokio::spawn(async move {
                let at = Instant::START + at;
                network.sleep_until(at).await;
                let change = &internet.scenario().timeline[index].change;
                if let Change::Update { node, to, zone, lines } = change {
                    internet.send_update(*node, *to, zone, lines).await;
                    return;
                }
                let (undo, slots) = internet.change(change);
                internet.renew(slots).await;
                if let Some(lasts) = lasts {
                    network.sleep_until(at + lasts).await;
                    let slots = internet.undo(undo);
                    internet.renew(slots).await;
                }
            });
        }
    }

    async fn renew(&self, mut slots: Vec<Slot>) {
        if !slots.is_empty() {
            let changed =
                self.serve_zones().unwrap_or_else(|error| panic!("a changed zone is none: {error}"));
            for slot in changed.into_iter().map(|service| self.slot_of(service)) {
                if !slots.contains(&slot) {
                    slots.push(slot);
                }
            }
        }
        for slot in slots {
            if let Err(error) = self.start_slot(slot).await {
                // The port was free a moment ago and the settings were checked when the file was read.
                panic!("a changed service does not start: {error}");
            }
        }
    }

    /// Changes a service; gives what it was, and the places where servers have to be started anew: a changed port
    /// leaves one and takes another.
    fn replace_service(&self, service: usize, to: ServiceKind) -> (ServiceKind, Vec<Slot>) {
        let left = self.slot_of(service);
        let before = std::mem::replace(&mut self.state().services[service], to);
        let mut slots = vec![left, self.slot_of(service)];
        slots.dedup();
        (before, slots)
    }

    /// Makes the change; tells how to undo it, and what has to be started anew.
    fn change(&self, change: &Change) -> (Undo, Vec<Slot>) {
        match change {
            Change::Link { link, settings } => {
                let before = self.state().links[*link].clone();
                let mut spec = before.clone();
                for (key, value) in settings {
                    spec.set(&Text::new(key, None), &Text::new(value, None))
                        .expect("checked when the file was read");
                }
                self.set_link(*link, spec);
                (Undo::Link(*link, Box::new(before)), Vec::new())
            }
            Change::Up { link, up } => {
                let mut world = self.shared.lab.world();
                let before = world.is_up(self.shared.links[*link]);
                world.set_up(self.shared.links[*link], *up);
                (Undo::Up(*link, before), Vec::new())
            }
            Change::Service { service, to } => {
                let (before, slots) = self.replace_service(*service, (**to).clone());
                (Undo::Service(*service, Box::new(before)), slots)
            }
            Change::Routes { node, routes } => {
                let new: Vec<Route> = routes.iter().map(build::route).collect();
                let before = self.replace_routes(*node, &[], &new);
                (Undo::Routes(*node, new, before), Vec::new())
            }
            Change::Rules { node, rules } => {
                if let Some(firewall) = &self.shared.firewalls[*node] {
                    firewall.set_rules(build::rules(rules));
                }
                (Undo::Rules(*node, self.scenario().nodes[*node].rules.clone()), Vec::new())
            }
            // It takes time: see `spawn_timeline`.
            Change::Update { .. } => (Undo::Nothing, Vec::new()),
            Change::Date { unix_nanos } => {
                let before = self.shared.lab.epoch();
                self.shared.lab.set_epoch(unix_nanos.saturating_sub(self.shared.lab.now().nanos()));
                (Undo::Epoch(before), Vec::new())
            }
        }
    }

    fn undo(&self, undo: Undo) -> Vec<Slot> {
        match undo {
            Undo::Link(link, spec) => self.set_link(link, *spec),
            Undo::Up(link, up) => self.shared.lab.world().set_up(self.shared.links[link], up),
            Undo::Service(service, before) => return self.replace_service(service, *before).1,
            Undo::Routes(node, remove, add) => {
                self.replace_routes(node, &remove, &add);
            }
            Undo::Rules(node, rules) => {
                if let Some(firewall) = &self.shared.firewalls[node] {
                    firewall.set_rules(build::rules(&rules));
                }
            }
            Undo::Epoch(epoch) => self.shared.lab.set_epoch(epoch),
            Undo::Nothing => {}
        }
        Vec::new()
    }

    /// Removes `remove`, and whatever `add` has a prefix of; gives back the latter.
    fn replace_routes(&self, node: usize, remove: &[Route], add: &[Route]) -> Vec<Route> {
        self.shared.lab.world().with_host(self.shared.nodes[node], |host, _| {
            let has = |list: &[Route], route: &Route| list.iter().any(|other| other.prefix == route.prefix);
            let before: Vec<Route> = host.routes().iter().filter(|route| has(add, route)).copied().collect();
            for route in remove.iter().chain(add) {
                while host.remove_route(route.prefix) {}
            }
            for route in add {
                host.add_route(*route);
            }
            before
        })
    }

    fn set_link(&self, index: usize, spec: LinkSpec) {
        let link = &self.scenario().links[index];
        let mut world = self.shared.lab.world();
        let config = spec.config();
        world.set_pipe(self.shared.links[index], Direction::AToB, config.a_to_b);
        world.set_pipe(self.shared.links[index], Direction::BToA, config.b_to_a);
        let mtu = spec.mtu.unwrap_or(DEFAULT_MTU);
        for end in [link.ends.0, link.ends.1] {
            let interfaces = &self.scenario().nodes[end].interfaces;
            if let Some(number) = interfaces.iter().position(|interface| interface.link == index) {
                world.with_host(self.shared.nodes[end], |host, _| {
                    host.set_mtu(InterfaceId(number as u32), mtu)
                });
            }
        }
        drop(world);
        self.state().links[index] = spec;
    }

    /// Time until which the timeline has something to do.
    pub fn timeline_end(&self) -> Duration {
        let ends = self.scenario().timeline.iter().map(|event| event.at + event.lasts.unwrap_or_default());
        ends.max().unwrap_or_default()
    }
}
