//! From the model to the simulator: nodes, links, addresses, routes, NAT and filters.

use std::net::IpAddr;

use thru_net::lab::Lab;
use thru_sim::chain::Chain;
use thru_sim::firewall::{Action, Firewall, FirewallConfig, FlagMatch, FlowShare, Match, Rule as FilterRule};
use thru_sim::nat::{Nat, NatConfig};
use thru_sim::nat64::{Nat64, Nat64Config};
use thru_sim::{Direction, LinkId, NodeId, World};
use thru_stack::route::{Route, RouteTarget};
use thru_stack::tcp::{Ecn, TcpConfig};
use thru_stack::{HostConfig, InterfaceConfig, InterfaceId, Medium};
use thru_wire::ipv4::Protocol;
use thru_wire::{Cidr, IpPrefix, MacAddr};

use super::DROPS_MAX;
use crate::prefix::Prefix;
use crate::scenario::{Change, Node, NodeKind, RouteAction, RouteLine, Rule, RuleVerdict, Scenario};

pub(super) struct Built {
    pub(super) nodes: Vec<NodeId>,
    pub(super) links: Vec<LinkId>,
    pub(super) firewalls: Vec<Option<Firewall>>,
}

/// MTU of interfaces whose link says nothing.
pub(crate) const DEFAULT_MTU: usize = 1500;

pub(super) fn build(scenario: &Scenario, lab: &Lab) -> Built {
    let world = &mut *lab.world();
    let nodes: Vec<NodeId> = scenario.nodes.iter().map(|node| add_node(world, node)).collect();
    let links: Vec<LinkId> =
        (0..scenario.links.len()).map(|index| connect(world, scenario, &nodes, index)).collect();
    let mut firewalls = vec![None; nodes.len()];
    for (index, node) in scenario.nodes.iter().enumerate().filter(|(_, node)| node.kind != NodeKind::Switch) {
        world.with_host(nodes[index], |host, _| {
            for (number, interface) in node.interfaces.iter().enumerate().filter(|_| !node.autoconfigure) {
                for (address, len) in &interface.addresses {
                    host.add_address(
                        InterfaceId(number as u32),
                        Cidr::new(*address, *len).expect("a checked length"),
                    );
                }
                for claimed in &node.claims {
                    let on = interface.addresses.iter().find_map(|(own, len)| {
                        Prefix::new(*own, *len).filter(|prefix| prefix.contains(*claimed)).map(|_| *len)
                    });
                    if let Some(len) = on {
                        let cidr = Cidr::new(*claimed, len).expect("a checked length");
                        host.add_address(InterfaceId(number as u32), cidr);
                    }
                }
            }
            for address in &node.anycast {
                let length = if address.is_ipv6() { 128 } else { 32 };
                host.add_address(InterfaceId(0), Cidr::new(*address, length).expect("a checked length"));
            }
            for line in node.routes.iter().filter(|_| !node.autoconfigure) {
                host.add_route(route(line));
            }
        });
        let filtered = !node.rules.is_empty()
            || scenario
                .timeline
                .iter()
                .any(|event| matches!(&event.change, Change::Rules { node, .. } if *node == index));
        let mut chain = Chain::new();
        let hooked = node.outside.is_some() || filtered;
        if let Some(config) = nat(node) {
            let seed = lab.seed() ^ index as u64;
            chain = match nat64(scenario, node, &config) {
                Some(config) => chain.then(Nat64::new(config, seed)),
                None => chain.then(Nat::new(config, seed)),
            };
        }
        if filtered {
            let firewall =
                Firewall::new(FirewallConfig { rules: rules(&node.rules), ..FirewallConfig::default() });
            chain = chain.then(firewall.clone());
            firewalls[index] = Some(firewall);
        }
        if hooked {
            world.set_hook(nodes[index], Box::new(chain));
        }
    }
    introduce(world, scenario, &nodes);
    tap(world, scenario, &links);
    Built { nodes, links, firewalls }
}

fn add_node(world: &mut World, node: &Node) -> NodeId {
    if node.kind == NodeKind::Switch {
        return world.add_switch(&node.name);
    }
    let mut tcp = TcpConfig { ports_taken: node.ports_taken, ..TcpConfig::default() };
    if let Some(bytes) = node.receive_buffer {
        (tcp.receive_buffer, tcp.receive_buffer_most, tcp.receive_autotuning) = (bytes, bytes, false);
    }
    if node.ecn {
        tcp.ecn = Ecn::Request;
    }
    let config = HostConfig {
        forwarding: node.kind.forwards(),
        answers_ping: node.answers_ping,
        sends_icmp_errors: node.sends_icmp_errors,
        tcp,
        ..HostConfig::default()
    };
    world.add_host(&node.name, config)
}

fn connect(world: &mut World, scenario: &Scenario, nodes: &[NodeId], index: usize) -> LinkId {
    let link = &scenario.links[index];
    let mtu = link.spec.mtu.unwrap_or(DEFAULT_MTU);
    let end = |node: usize| {
        let interface = scenario.nodes[node].interfaces.iter().position(|interface| interface.link == index);
        let config = interface.map(|number| InterfaceConfig {
            name: scenario.nodes[node].interfaces[number].name.clone(),
            medium: Medium::Ethernet,
            mac: mac(node, number),
            mtu,
        });
        (nodes[node], config)
    };
    world.connect(&link.name, end(link.ends.0), end(link.ends.1), link.spec.config()).0
}

/// A locally administered address that tells node and interface: `02:6c:NN:NN:00:II`.
pub(crate) fn mac(node: usize, interface: usize) -> MacAddr {
    let [.., high, low] = (node as u32 + 1).to_be_bytes();
    MacAddr([0x02, 0x6c, high, low, (interface >> 8) as u8, interface as u8])
}

fn nat(node: &Node) -> Option<NatConfig> {
    let outside = node.outside?;
    let address = node.interfaces[outside].addresses.iter().find_map(|(address, _)| match address {
        IpAddr::V4(address) => Some(*address),
        IpAddr::V6(_) => None,
    })?;
    let mut config = NatConfig::new(InterfaceId(outside as u32), address);
    if let Some(forgets) = node.forgets {
        config.timeouts.tcp_established = forgets;
    }
    Some(config)
}

/// The translator on top of it, if the node is one.
fn nat64(scenario: &Scenario, node: &Node, nat: &NatConfig) -> Option<Nat64Config> {
    let IpAddr::V6(prefix) = node.nat64?.network() else { return None };
    let mtu = |number: usize| scenario.links[node.interfaces[number].link].spec.mtu.unwrap_or(DEFAULT_MTU);
    let outside = node.outside?;
    let inner = (0..node.interfaces.len()).filter(|number| *number != outside);
    let own = inner.clone().flat_map(|number| &node.interfaces[number].addresses);
    let own = own.into_iter().find_map(|(address, _)| match address {
        IpAddr::V6(address) => Some(*address),
        IpAddr::V4(_) => None,
    })?;
    Some(Nat64Config {
        prefix,
        own,
        inner_mtu: inner.map(mtu).min().unwrap_or(DEFAULT_MTU),
        outer_mtu: mtu(outside),
        nat: nat.clone(),
    })
}

/// Both ends of a line between two nodes know each other from the start, as on an internet that has long been
/// running: else the first packet to cross it would wait a round trip at every router. Around a switch, and so
/// on the home LAN, they have to ask.
fn introduce(world: &mut World, scenario: &Scenario, nodes: &[NodeId]) {
    for segment in &scenario.segments {
        let [(a, a_interface), (b, b_interface)] = segment.members[..] else { continue };
        let link = &scenario.links[scenario.nodes[a].interfaces[a_interface].link];
        if link.ends != (a, b) && link.ends != (b, a) {
            continue;
        }
        for (node, interface, peer, peer_interface) in
            [(a, a_interface, b, b_interface), (b, b_interface, a, a_interface)]
        {
            world.with_host(nodes[node], |host, _| {
                for (address, _) in &scenario.nodes[peer].interfaces[peer_interface].addresses {
                    host.set_neighbor(InterfaceId(interface as u32), *address, mac(peer, peer_interface));
                }
            });
        }
    }
}

/// Captures what the user's machine sends and receives, and every drop anywhere.
fn tap(world: &mut World, scenario: &Scenario, links: &[LinkId]) {
    for interface in &scenario.nodes[scenario.client].interfaces {
        let left = scenario.links[interface.link].ends.0 == scenario.client;
        world.tap_at(links[interface.link], if left { Direction::AToB } else { Direction::BToA });
    }
    world.keep_drops(DROPS_MAX);
}

pub(super) fn prefix(prefix: &Prefix) -> IpPrefix {
    IpPrefix::new(prefix.network(), prefix.length()).expect("a checked length")
}

pub(super) fn route(line: &RouteLine) -> Route {
    let target = match line.action {
        RouteAction::Via(address, interface) => RouteTarget::Via(InterfaceId(interface as u32), address),
        RouteAction::Unreachable => RouteTarget::Unreachable,
        RouteAction::Prohibit => RouteTarget::Prohibit,
        RouteAction::Blackhole => RouteTarget::Blackhole,
    };
    Route { prefix: prefix(&line.prefix), target, metric: 0 }
}

pub(super) fn rules(rules: &[Rule]) -> Vec<FilterRule> {
    rules.iter().flat_map(filter_rules).collect()
}

/// One rule as the simulator knows it; `icmp` without a prefix becomes two, one for each version.
fn filter_rules(rule: &Rule) -> Vec<FilterRule> {
    let action = match rule.verdict {
        RuleVerdict::Accept => Action::Accept,
        RuleVerdict::Drop => Action::Drop,
        RuleVerdict::Reject => Action::RejectIcmp,
        RuleVerdict::Reset => Action::RejectReset,
        RuleVerdict::Strip(kinds) => Action::Strip(kinds),
    };
    let protocols = match rule.protocol {
        None => vec![None],
        Some(1) => vec![Some(Protocol::ICMPV4), Some(Protocol::ICMPV6)],
        Some(number) => vec![Some(Protocol(number))],
    };
    let any = |prefixes: &[Prefix]| match prefixes {
        [] => vec![None],
        some => some.iter().map(|one| Some(prefix(one))).collect(),
    };
    let mut filters = Vec::new();
    for protocol in protocols {
        for source in any(&rule.from) {
            for destination in any(&rule.to) {
                let matches = Match {
                    source,
                    destination,
                    protocol,
                    destination_ports: rule.port.map(|port| port..=port),
                    tcp_flags: rule.flags.map(|(mask, set)| FlagMatch { mask, set }),
                    size: rule.over.map(|size| size + 1..=usize::MAX),
                    payload: rule.containing.clone(),
                    flows: rule.flows.map(|(first, of)| FlowShare { first, of }),
                    after: rule.after,
                    first: rule.first,
                    ..Match::default()
                };
                filters.push(FilterRule::new(matches, action));
            }
        }
    }
    filters
}
