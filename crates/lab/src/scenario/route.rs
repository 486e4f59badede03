//! Who sends where: shortest paths by number of routers, equal ones by order of declaration, computed once.
//!
//! Hosts have a default route to the first router of their first link that has one. A NAT has a default route
//! out of its outer interface. Every other router knows every prefix: what nobody has is answered with "no
//! route". IPv4 prefixes behind a NAT are not known outside of it.

use std::collections::VecDeque;
use std::net::IpAddr;

use super::{Node, NodeKind, RouteAction, RouteLine, Segment};
use crate::prefix::Prefix;

/// Fills in `routes` of every node.
pub(crate) fn compute(nodes: &mut [Node], segments: &[Segment]) {
    for index in 0..nodes.len() {
        let routes = match nodes[index].kind {
            NodeKind::Switch => Vec::new(),
            NodeKind::Host => [false, true]
                .into_iter()
                .filter_map(|v6| default_of_host(nodes, segments, index, v6))
                .collect(),
            NodeKind::Nat => {
                let mut routes = Vec::new();
                for v6 in [false, true] {
                    routes.extend(shortest(nodes, segments, index, v6));
                    if let Some(outside) = nodes[index].outside {
                        routes.extend(
                            gateway(nodes, segments, index, outside, v6)
                                .map(|action| RouteLine { prefix: default(v6), action }),
                        );
                    }
                }
                routes
            }
            NodeKind::Router | NodeKind::Firewall => {
                [false, true].into_iter().flat_map(|v6| shortest(nodes, segments, index, v6)).collect()
            }
        };
        nodes[index].routes = routes;
    }
    anycast(nodes, segments);
}

/// Leads every router to the nearest of the nodes that share an address.
fn anycast(nodes: &mut [Node], segments: &[Segment]) {
    let mut shared: Vec<IpAddr> = nodes.iter().flat_map(|node| node.anycast.clone()).collect();
    shared.sort_unstable();
    shared.dedup();
    for index in 0..nodes.len() {
        if !matches!(nodes[index].kind, NodeKind::Router | NodeKind::Firewall) {
            continue;
        }
        for address in &shared {
            if nodes[index].anycast.contains(address) {
                continue;
            }
            let nearest =
                reached(nodes, segments, index, address.is_ipv6()).into_iter().find_map(|(at, first)| {
                    let holder =
                        segments[at].members.iter().find(|(node, _)| nodes[*node].anycast.contains(address));
                    holder.map(|holder| (at, first, *holder))
                });
            let Some((at, first, (holder, theirs))) = nearest else { continue };
            let own = nodes[index].interfaces.iter().position(|interface| interface.segment == at);
            let via = self::address(nodes, holder, theirs, address.is_ipv6());
            let action = first.or_else(|| Some(RouteAction::Via(via?, own?)));
            let prefix = Prefix::new(*address, if address.is_ipv6() { 128 } else { 32 });
            if let (Some(action), Some(prefix)) = (action, prefix) {
                nodes[index].routes.push(RouteLine { prefix, action });
            }
        }
    }
}

/// `0.0.0.0/0` or `::/0`.
pub(crate) fn default(v6: bool) -> Prefix {
    let any = if v6 { IpAddr::from([0u16; 8]) } else { IpAddr::from([0u8; 4]) };
    Prefix::new(any, 0).expect("a legal length")
}

fn default_of_host(nodes: &[Node], segments: &[Segment], host: usize, v6: bool) -> Option<RouteLine> {
    (0..nodes[host].interfaces.len())
        .find_map(|interface| gateway(nodes, segments, host, interface, v6))
        .map(|action| RouteLine { prefix: default(v6), action })
}

/// The first router on that interface's segment.
fn gateway(
    nodes: &[Node],
    segments: &[Segment],
    node: usize,
    interface: usize,
    v6: bool,
) -> Option<RouteAction> {
    let segment = nodes[node].interfaces[interface].segment;
    segments[segment]
        .members
        .iter()
        .filter(|(member, _)| *member != node && nodes[*member].kind.forwards())
        .find_map(|(member, theirs)| address(nodes, *member, *theirs, v6))
        .map(|address| RouteAction::Via(address, interface))
}

fn address(nodes: &[Node], node: usize, interface: usize, v6: bool) -> Option<IpAddr> {
    nodes[node].interfaces[interface]
        .addresses
        .iter()
        .map(|(address, _)| *address)
        .find(|address| address.is_ipv6() == v6)
}

/// The prefixes of all segments that are not its own, with the first hop.
fn shortest(nodes: &[Node], segments: &[Segment], from: usize, v6: bool) -> Vec<RouteLine> {
    let lines = |(segment, first): (usize, Option<RouteAction>)| {
        let prefixes = segments[segment].prefixes.iter().filter(|prefix| prefix.is_v6() == v6);
        first.map(|action| prefixes.map(move |prefix| RouteLine { prefix: *prefix, action }))
    };
    reached(nodes, segments, from, v6).into_iter().filter_map(lines).flatten().collect()
}

/// Breadth first from `from`: all segments, the nearest first, with the first hop; its own have none.
fn reached(nodes: &[Node], segments: &[Segment], from: usize, v6: bool) -> Vec<(usize, Option<RouteAction>)> {
    let mut found = Vec::new();
    let mut segment_seen = vec![false; segments.len()];
    let mut node_seen = vec![false; nodes.len()];
    node_seen[from] = true;
    for interface in &nodes[from].interfaces {
        if !std::mem::replace(&mut segment_seen[interface.segment], true) {
            found.push((interface.segment, None));
        }
    }
    // (node, first hop: None at the start)
    let mut queue: VecDeque<(usize, Option<RouteAction>)> = VecDeque::from([(from, None)]);
    while let Some((node, first)) = queue.pop_front() {
        for (index, interface) in nodes[node].interfaces.iter().enumerate() {
            if node == from && nodes[from].kind == NodeKind::Nat && nodes[from].outside == Some(index) {
                continue;
            }
            let segment = &segments[interface.segment];
            if !std::mem::replace(&mut segment_seen[interface.segment], true) {
                found.push((interface.segment, first));
            }
            for &(next, theirs) in &segment.members {
                if node_seen[next] || !nodes[next].kind.forwards() {
                    continue;
                }
                let Some(via) = address(nodes, next, theirs, v6) else {
                    continue;
                };
                node_seen[next] = true;
                let hidden = !v6 && nodes[next].kind == NodeKind::Nat && nodes[next].outside == Some(theirs);
                if !hidden {
                    queue.push_back((next, Some(first.unwrap_or(RouteAction::Via(via, index)))));
                }
            }
        }
    }
    found
}
