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
use crate::scenario::{Change, Rule, ServiceKind};

/// How to undo a change: what only the moment knew that it was made in. The rest is told by the scenario, as what is still in
/// force when it ends: a change takes back what it did, never what another did meanwhile.
enum Undo {
    /// Routes that were put there; those that they replaced are in the state.
    Routes(Vec<Route>),
    /// Nothing that the scenario would not tell.
    Told,
}

impl Internet {
    /// Changes at time 0 that last: they are in force before anything runs.
    pub(super) fn begin_timeline(&self) {
        for (index, event) in self.scenario().timeline.iter().enumerate() {
            if event.at.is_zero() && event.lasts.is_none() {
                // Nothing runs yet, so no service has to be started anew.
                let _ = self.change(index, &event.change);
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
                let (undo, slots) = internet.change(index, change);
                internet.renew(slots).await;
                if let Some(lasts) = lasts {
                    network.sleep_until(at + lasts).await;
                    let slots = internet.undo(index, undo);
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

    /// Changes a service; gives the places where servers have to be started anew: a changed port leaves one and takes
    /// another.
    fn replace_service(&self, service: usize, to: ServiceKind) -> Vec<Slot> {
        let left = self.slot_of(service);
        self.state().services[service] = to;
        let mut slots = vec![left, self.slot_of(service)];
        slots.dedup();
        slots
    }

    /// Makes the change of the event of that place; tells how to undo it, and what has to be started anew.
    fn change(&self, index: usize, change: &Change) -> (Undo, Vec<Slot>) {
        match change {
            Change::Link { link, settings } => {
                let mut spec = self.state().links[*link].clone();
                set(&mut spec, settings);
                self.set_link(*link, spec);
            }
            Change::Up { link, up } => self.shared.lab.world().set_up(self.shared.links[*link], *up),
            Change::Service { service, to, .. } => {
                return (Undo::Told, self.replace_service(*service, (**to).clone()));
            }
            Change::Routes { node, routes } => {
                let new: Vec<Route> = routes.iter().map(build::route).collect();
                let before = self.replace_routes(*node, &[], &new);
                self.state().replaced_routes.insert(index, before);
                return (Undo::Routes(new), Vec::new());
            }
            Change::Rules { node, rules } => self.set_rules(*node, rules),
            // It takes time: see `spawn_timeline`.
            Change::Update { .. } => {}
            Change::Date { unix_nanos } => {
                self.shared.lab.set_epoch(unix_nanos.saturating_sub(self.shared.lab.now().nanos()));
            }
        }
        (Undo::Told, Vec::new())
    }

    /// Takes back what the event of that place changed, at its end.
    fn undo(&self, index: usize, undo: Undo) -> Vec<Slot> {
        let scenario = self.scenario();
        let event = &scenario.timeline[index];
        let now = event.ends().unwrap_or_default();
        let others =
            || scenario.timeline.iter().filter(move |event| event.in_force(now)).map(|event| &event.change);
        match &event.change {
            Change::Link { link, .. } => {
                let mut spec = scenario.links[*link].spec.clone();
                for other in others() {
                    if let Change::Link { link: same, settings } = other
                        && same == link
                    {
                        set(&mut spec, settings);
                    }
                }
                self.set_link(*link, spec);
            }
            Change::Up { link, .. } => {
                let up = others().rev().find_map(|other| match other {
                    Change::Up { link: same, up } if same == link => Some(*up),
                    _ => None,
                });
                self.shared.lab.world().set_up(self.shared.links[*link], up.unwrap_or(true));
            }
            Change::Service { service, after, .. } => {
                return self.replace_service(*service, (**after).clone());
            }
            Change::Routes { node, .. } => {
                if let Undo::Routes(put) = undo {
                    self.undo_routes(index, *node, put);
                }
            }
            Change::Rules { node, .. } => {
                let rules = others().rev().find_map(|other| match other {
                    Change::Rules { node: same, rules } if same == node => Some(rules),
                    _ => None,
                });
                self.set_rules(*node, rules.unwrap_or(&scenario.nodes[*node].rules));
            }
            Change::Date { .. } => {
                // The clock goes on from the last date that still holds, or as it began.
                let epoch =
                    scenario.timeline.iter().rev().filter(|other| other.in_force(now)).find_map(|other| {
                        let Change::Date { unix_nanos } = other.change else { return None };
                        Some(unix_nanos.saturating_sub((Instant::START + other.at).nanos()))
                    });
                self.shared.lab.set_epoch(epoch.unwrap_or(scenario.date));
            }
            // What was asked of others stays.
            Change::Update { .. } => {}
        }
        Vec::new()
    }

    /// Takes back the routes that the event of that place put there. Those of prefixes that a later change has taken over
    /// are that one's; what stood there before either comes back when that one ends.
    fn undo_routes(&self, index: usize, node: usize, mut put: Vec<Route>) {
        let timeline = &self.scenario().timeline;
        let now = timeline[index].ends().unwrap_or_default();
        let mut state = self.state();
        let mut before = state.replaced_routes.remove(&index).unwrap_or_default();
        for (later, other) in
            timeline.iter().enumerate().skip(index + 1).filter(|(_, event)| event.in_force(now))
        {
            let Change::Routes { node: same, routes } = &other.change else { continue };
            let taken: Vec<_> = routes.iter().map(|route| build::route(route).prefix).collect();
            let is_taken = |route: &Route| *same == node && taken.contains(&route.prefix);
            put.retain(|route| !is_taken(route));
            let (theirs, ours) = before.into_iter().partition(is_taken);
            before = ours;
            let replaced: &mut Vec<Route> = state.replaced_routes.entry(later).or_default();
            replaced.retain(|route| !is_taken(route));
            replaced.extend::<Vec<Route>>(theirs);
        }
        drop(state);
        self.replace_routes(node, &put, &before);
    }

    fn set_rules(&self, node: usize, rules: &[Rule]) {
        if let Some(firewall) = &self.shared.firewalls[node] {
            firewall.set_rules(build::rules(rules));
        }
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

/// Changes those settings of a link, in their order.
fn set(spec: &mut LinkSpec, settings: &[(String, String)]) {
    for (key, value) in settings {
        spec.set(&Text::new(key, None), &Text::new(value, None)).expect("checked when the file was read");
    }
}
