//! A scenario, running: the simulated network with its services, faults and tap.
//!
//! - [`Internet`]: start here; [`Scenario::start`] makes one inside [`thru_net::lab::run`].
//! - `build`: nodes, links, addresses and routes. `services`: what runs on the nodes. `attach`: who gets addresses from his network. `zones`: what name servers say.
//! - `timeline`: what changes when. `capture`: what the tap saw, as packets of a trace.

mod attach;
pub(crate) mod build;
mod capture;
mod services;
mod timeline;
mod updates;
mod zones;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thru_net::Network;
use thru_net::iface::Pollable;
use thru_net::lab::real::Join;
use thru_net::lab::{Lab, LabOptions};
use thru_sim::firewall::Firewall;
use thru_sim::{Direction, LinkId, NodeId};
use thru_stack::InterfaceId;
use thru_stack::route::Route;
use thru_trace::Trace;

use crate::Scenario;
use crate::link::LinkSpec;
use crate::scenario::ServiceKind;
use services::Running;
use zones::Served;

/// Frames dropped away from the tap that are kept; a run that drops more is in no doubt about its loss.
const DROPS_MAX: usize = 20_000;

/// A running scenario. Cheap to clone.
#[derive(Clone)]
pub struct Internet {
    shared: Arc<Shared>,
}

struct Shared {
    lab: Lab,
    scenario: Scenario,
    nodes: Vec<NodeId>,
    links: Vec<LinkId>,
    firewalls: Vec<Option<Firewall>>,
    pki: services::Pki,
    state: Mutex<State>,
}

/// What the timeline changes.
struct State {
    links: Vec<LinkSpec>,
    services: Vec<ServiceKind>,
    running: BTreeMap<services::Slot, Running>,
    served: Served,
    /// Routes that a change of the timeline replaced, by its place there.
    replaced_routes: BTreeMap<usize, Vec<Route>>,
}

/// Why a scenario could not be started; the text completes "failed to".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartError(String);

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for StartError {}

impl Scenario {
    /// How [`thru_net::lab::run`] is to run this scenario.
    pub fn options(&self, seed: u64) -> LabOptions {
        LabOptions { name: self.name.clone(), seed, epoch_unix_nanos: self.date, limit: self.limit }
    }

    /// Builds the network in `lab`, starts every service, and begins the timeline. Changes at time 0 are in
    /// force from the first packet on.
    pub async fn start(self, lab: &Lab) -> Result<Internet, StartError> {
        let built = build::build(&self, lab);
        for (node, id) in self.nodes.iter().zip(&built.nodes).filter(|(node, _)| node.clock != 0) {
            lab.set_clock_offset(*id, node.clock);
        }
        let state = State {
            links: self.links.iter().map(|link| link.spec.clone()).collect(),
            services: self.services.iter().map(|service| service.kind.clone()).collect(),
            running: BTreeMap::new(),
            served: Served::default(),
            replaced_routes: BTreeMap::new(),
        };
        let shared = Shared {
            lab: lab.clone(),
            pki: services::Pki::new(lab.is_virtual(), self.date),
            scenario: self,
            nodes: built.nodes,
            links: built.links,
            firewalls: built.firewalls,
            state: Mutex::new(state),
        };
        let internet = Internet { shared: Arc::new(shared) };
        internet.begin_timeline();
        internet.serve_zones()?;
        internet.start_services().await?;
        internet.attach_hosts();
        internet.spawn_timeline();
        Ok(internet)
    }
}

impl Internet {
    /// The scenario it runs.
    pub fn scenario(&self) -> &Scenario {
        &self.shared.scenario
    }

    /// The simulation below.
    pub fn lab(&self) -> &Lab {
        &self.shared.lab
    }

    /// The network as the node of that index sees it.
    pub fn network_of(&self, node: usize) -> Network {
        // Whoever is configured by the network hears of resolvers from it.
        let by_hand = !self.scenario().nodes[node].autoconfigure;
        let resolvers = self.scenario().nodes[node]
            .resolvers
            .iter()
            .filter(|_| by_hand)
            .map(|address| SocketAddr::new(*address, 53))
            .collect();
        self.shared.lab.network(self.shared.nodes[node], resolvers)
    }

    /// The network as the node of that name sees it.
    pub fn network(&self, name: &str) -> Option<Network> {
        self.scenario().node(name).map(|node| self.network_of(node))
    }

    /// The network as the user sees it.
    pub fn client(&self) -> Network {
        self.network_of(self.scenario().client)
    }

    /// Lets `device` play the node of that index, by its interface of that number, where the lab runs in real time.
    pub fn join(&self, node: usize, interface: usize, device: Box<dyn Pollable>) -> io::Result<Join> {
        let interface = InterfaceId(interface as u32);
        thru_net::lab::real::join(&self.shared.lab, self.shared.nodes[node], interface, device)
    }

    /// Roots of trust of the lab's clients, DER.
    pub fn trust(&self) -> Vec<rustls::pki_types::CertificateDer<'static>> {
        vec![self.shared.pki.root().clone()]
    }

    /// The same in PEM, as `--cacert` wants it.
    pub fn trust_pem(&self) -> String {
        self.shared.pki.root_pem()
    }

    /// What the user shows a server that wants to know who he is.
    pub fn visitor(&self) -> Option<thru_probe::secure::Identity> {
        self.shared.pki.identify(self.scenario().identity?, self.scenario().date)
    }

    /// Addresses of the root name servers.
    pub fn root_hints(&self) -> Vec<IpAddr> {
        self.scenario().root_hints()
    }

    /// Names that need no DNS: nodes may be called by their own names.
    pub fn hosts(&self) -> Vec<(String, IpAddr)> {
        let scenario = self.scenario();
        let mut hosts = scenario.nodes[scenario.client].hosts.clone();
        for (index, node) in scenario.nodes.iter().enumerate() {
            let addresses = [true, false].into_iter().filter_map(|v6| scenario.address(index, v6));
            hosts.extend(addresses.map(|address| (node.name.to_ascii_lowercase(), address)));
        }
        hosts
    }

    /// Resolvers that anybody may ask, to compare with one's own.
    pub fn other_resolvers(&self) -> Vec<SocketAddr> {
        self.scenario().other_resolvers.iter().map(|address| SocketAddr::new(*address, 53)).collect()
    }

    /// Stops the capture and moves what it saw into the trace, with interfaces and names.
    pub fn finish(&self, trace: &mut Trace) {
        capture::fill(self, trace);
    }

    /// Digest over every frame on every link so far.
    pub fn digest(&self) -> u64 {
        self.shared.lab.world().digest()
    }

    /// Frames that the client sent and received so far.
    pub fn client_packets(&self) -> u64 {
        let scenario = self.scenario();
        let world = self.shared.lab.world();
        let mut frames = 0;
        for interface in &scenario.nodes[scenario.client].interfaces {
            let link = self.shared.links[interface.link];
            let left = scenario.links[interface.link].ends.0 == scenario.client;
            let (away, towards) =
                if left { (Direction::AToB, Direction::BToA) } else { (Direction::BToA, Direction::AToB) };
            frames += world.link_stats(link, away).frames + world.link_stats(link, towards).delivered;
        }
        frames
    }

    /// Time since the start.
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.shared.lab.now().nanos())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Internet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Internet").field("name", &self.scenario().name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
