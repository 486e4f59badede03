//! What the host knows about itself: interfaces, addresses, routes, path MTUs. TCP asks it through [`Path`].

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::{BTreeMap, BTreeSet};

use thru_wire::address::{ALL_NODES, ALL_ROUTERS, solicited_node};
use thru_wire::{Cidr, Instant, IpPrefix, MacAddr};

use super::{InterfaceConfig, InterfaceId, Medium};
use crate::frame::Offloads;
use crate::icmp::path_mtu::{PathMtu, PathMtuCache};
use crate::route::{Route, RouteTable, RouteTarget};
use crate::tcp::{Path, Together};

/// Largest packet within the host: IPv4's limit.
pub(super) const LOOPBACK_MTU: usize = 65_535;

/// Headers of IP and TCP have no more bytes than this, and so a train of segments no more than the other.
const MOST_HEADERS: usize = 40 + 60;
const MOST_TOGETHER: usize = LOOPBACK_MTU - MOST_HEADERS;

/// An interface and what was configured on it.
#[derive(Debug)]
pub(super) struct Interface {
    pub(super) config: InterfaceConfig,
    /// In the order in which they were added.
    pub(super) addresses: Vec<Cidr>,
    /// Addresses that may become ours: what is said about them is heard.
    watched: Vec<Ipv6Addr>,
    /// Addresses that new connections should not use (RFC 4862 5.5.4).
    deprecated: Vec<IpAddr>,
    /// What the device below does for us.
    pub(super) offloads: Offloads,
}

/// Where a packet goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextHop {
    /// To this host.
    Local,
    /// To this neighbour on this interface.
    Neighbor(InterfaceId, IpAddr),
    /// Nowhere, for one of the reasons a route can give.
    Refused(RouteTarget),
    /// No route at all.
    None,
}

/// What kind of destination an address is for this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One of ours.
    Local,
    /// A group we listen to, or a broadcast on a link of ours.
    LocalGroup,
    /// A group we don't listen to.
    OtherGroup,
    /// Somebody else's.
    Other,
}

#[derive(Debug)]
pub(super) struct Tables {
    pub(super) interfaces: Vec<Interface>,
    pub(super) routes: RouteTable,
    pub(super) path_mtus: PathMtuCache,
    /// How many interfaces have each address.
    local: BTreeMap<IpAddr, u32>,
    /// Directed broadcast addresses of the links.
    broadcasts: BTreeSet<Ipv4Addr>,
    forwarding: bool,
    /// Rises with every change of interfaces, addresses, routes and path MTUs.
    pub(super) version: u64,
    /// Whether any device does anything for us.
    offloads: bool,
    /// The time of the call being handled.
    pub(super) now: Instant,
}

impl Tables {
    pub(super) fn new(seed: u64, forwarding: bool) -> Tables {
        Tables {
            interfaces: Vec::new(),
            routes: RouteTable::default(),
            path_mtus: PathMtuCache::new(seed),
            local: BTreeMap::new(),
            broadcasts: BTreeSet::new(),
            forwarding,
            version: 0,
            offloads: false,
            now: Instant::START,
        }
    }

    pub(super) fn interface(&self, id: InterfaceId) -> Option<&Interface> {
        self.interfaces.get(id.0 as usize)
    }

    pub(super) fn add_interface(&mut self, config: InterfaceConfig) -> InterfaceId {
        self.version += 1;
        let id = InterfaceId(self.interfaces.len() as u32);
        let link_local = (config.medium == Medium::Ethernet).then(|| config.mac.link_local());
        self.interfaces.push(Interface {
            config,
            addresses: Vec::new(),
            watched: Vec::new(),
            deprecated: Vec::new(),
            offloads: Offloads::default(),
        });
        if let Some(cidr) = link_local.and_then(|address| Cidr::new(address.into(), 64)) {
            self.add_address(id, cidr);
        }
        id
    }

    pub(super) fn add_route(&mut self, route: Route) {
        self.version += 1;
        self.routes.add(route);
    }

    pub(super) fn remove_route(&mut self, prefix: IpPrefix) -> bool {
        self.version += 1;
        self.routes.remove(prefix)
    }

    pub(super) fn set_mtu(&mut self, id: InterfaceId, mtu: usize) {
        self.version += 1;
        if let Some(interface) = self.interfaces.get_mut(id.0 as usize) {
            interface.config.mtu = mtu;
        }
    }

    pub(super) fn set_offloads(&mut self, id: InterfaceId, offloads: Offloads) {
        self.version += 1;
        if let Some(interface) = self.interfaces.get_mut(id.0 as usize) {
            interface.offloads = offloads;
        }
        self.offloads = self.interfaces.iter().any(|interface| interface.offloads != Offloads::default());
    }

    pub(super) fn offloads(&self, id: InterfaceId) -> Offloads {
        self.interface(id).map_or(Offloads::default(), |interface| interface.offloads)
    }

    /// See [`PathMtuCache::told`].
    pub(super) fn told(&mut self, now: Instant, dst: IpAddr, mtu: usize, len: usize) -> Option<PathMtu> {
        self.version += 1;
        self.path_mtus.told(now, dst, mtu, len)
    }

    pub(super) fn add_address(&mut self, id: InterfaceId, cidr: Cidr) {
        self.version += 1;
        let Some(interface) = self.interfaces.get_mut(id.0 as usize) else { return };
        if interface.addresses.iter().any(|other| other.address() == cidr.address()) {
            return;
        }
        interface.addresses.push(cidr);
        *self.local.entry(cidr.address()).or_default() += 1;
        self.broadcasts.extend(cidr.broadcast());
        self.routes.add(Route { prefix: cidr.prefix(), target: RouteTarget::OnLink(id), metric: 0 });
    }

    pub(super) fn remove_address(&mut self, id: InterfaceId, address: IpAddr) -> bool {
        self.version += 1;
        let Some(interface) = self.interfaces.get_mut(id.0 as usize) else { return false };
        let Some(place) = interface.addresses.iter().position(|cidr| cidr.address() == address) else {
            return false;
        };
        let removed = interface.addresses.remove(place);
        interface.deprecated.retain(|other| *other != address);
        let last = !interface.addresses.iter().any(|cidr| cidr.prefix() == removed.prefix());
        if last {
            let target = RouteTarget::OnLink(id);
            self.routes.remove_where(|route| route.prefix == removed.prefix() && route.target == target);
        }
        if let Some(count) = self.local.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                self.local.remove(&address);
            }
        }
        self.broadcasts = self
            .interfaces
            .iter()
            .flat_map(|interface| interface.addresses.iter().filter_map(|cidr| cidr.broadcast()))
            .collect();
        true
    }

    /// Whether packets about `address`, which is not ours, are heard.
    pub(super) fn watch(&mut self, id: InterfaceId, address: Ipv6Addr, watched: bool) {
        self.version += 1;
        let Some(interface) = self.interfaces.get_mut(id.0 as usize) else { return };
        interface.watched.retain(|other| *other != address);
        if watched {
            interface.watched.push(address);
        }
    }

    /// Whether `address` should be passed over for new connections.
    pub(super) fn deprecate(&mut self, id: InterfaceId, address: IpAddr, deprecated: bool) {
        self.version += 1;
        let Some(interface) = self.interfaces.get_mut(id.0 as usize) else { return };
        interface.deprecated.retain(|other| *other != address);
        if deprecated {
            interface.deprecated.push(address);
        }
    }

    /// Takes away this very route.
    pub(super) fn remove_route_exactly(&mut self, route: &Route) {
        self.version += 1;
        self.routes.remove_where(|other| other == route);
    }

    /// Own hardware address, on a medium that has one.
    pub(super) fn mac(&self, id: InterfaceId) -> Option<MacAddr> {
        let config = &self.interface(id)?.config;
        (config.medium == Medium::Ethernet).then_some(config.mac)
    }

    /// Whether `address` is an address of this interface.
    pub(super) fn owns(&self, id: InterfaceId, address: IpAddr) -> bool {
        self.interface(id)
            .is_some_and(|interface| interface.addresses.iter().any(|cidr| cidr.address() == address))
    }

    /// What a packet to `destination`, seen on `interface`, is for us.
    pub(super) fn kind(&self, interface: InterfaceId, destination: IpAddr) -> Kind {
        if self.is_local(destination) {
            return match destination {
                // Link-local addresses are ours only on their own link.
                IpAddr::V6(v6) if v6.is_unicast_link_local() && !self.owns(interface, destination) => {
                    Kind::Other
                }
                _ => Kind::Local,
            };
        }
        match destination {
            IpAddr::V4(v4) if v4.is_broadcast() || self.broadcasts.contains(&v4) => Kind::LocalGroup,
            // RFC 1122 3.2.1.3: we are in the all-hosts group; no other can be joined.
            IpAddr::V4(v4) if v4 == Ipv4Addr::new(224, 0, 0, 1) => Kind::LocalGroup,
            IpAddr::V6(v6) if v6.is_multicast() && self.is_member(interface, v6) => Kind::LocalGroup,
            _ if destination.is_multicast() => Kind::OtherGroup,
            _ => Kind::Other,
        }
    }

    /// Whether it is a group or a broadcast address rather than one host's.
    pub(super) fn is_group(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => v4.is_multicast() || v4.is_broadcast() || self.broadcasts.contains(&v4),
            IpAddr::V6(v6) => v6.is_multicast(),
        }
    }

    /// The groups every node is in (RFC 4291 2.8).
    fn is_member(&self, id: InterfaceId, group: Ipv6Addr) -> bool {
        if group == ALL_NODES || (self.forwarding && group == ALL_ROUTERS) {
            return true;
        }
        // Solicited-node groups only: spare everyone else the walk.
        if group.octets()[..13] != solicited_node(Ipv6Addr::UNSPECIFIED).octets()[..13] {
            return false;
        }
        self.interface(id).is_some_and(|interface| {
            interface.addresses.iter().any(|cidr| match cidr.address() {
                IpAddr::V6(own) => solicited_node(own) == group,
                IpAddr::V4(_) => false,
            }) || interface.watched.iter().any(|watched| solicited_node(*watched) == group)
        })
    }

    /// Where a packet to `destination` goes.
    pub(super) fn next_hop(&self, destination: IpAddr) -> NextHop {
        if self.is_local(destination) {
            return NextHop::Local;
        }
        match self.routes.lookup(destination) {
            Some(Route { target: RouteTarget::OnLink(id), .. }) => NextHop::Neighbor(id, destination),
            Some(Route { target: RouteTarget::Via(id, router), .. }) => NextHop::Neighbor(id, router),
            Some(Route { target, .. }) => NextHop::Refused(target),
            // Groups on the link need no route: the first interface is as good as any.
            None if !self.interfaces.is_empty() && self.is_group(destination) => {
                NextHop::Neighbor(InterfaceId(0), destination)
            }
            None => NextHop::None,
        }
    }

    /// What is known about the path to `destination`: the first link's MTU, or less.
    pub(super) fn path(&self, destination: IpAddr) -> PathMtu {
        let first_link = self.first_link_mtu(destination);
        match self.path_mtus.get(self.now, destination) {
            Some(path) if path.mtu < first_link => path,
            _ => PathMtu { mtu: first_link, fragment_on_the_way: false },
        }
    }

    fn first_link_mtu(&self, destination: IpAddr) -> usize {
        match self.next_hop(destination) {
            NextHop::Local => LOOPBACK_MTU,
            NextHop::Neighbor(id, _) => self.link_mtu(id),
            NextHop::Refused(_) | NextHop::None => 1_500,
        }
    }

    pub(super) fn link_mtu(&self, id: InterfaceId) -> usize {
        self.interface(id).map_or(LOOPBACK_MTU, |interface| interface.config.mtu)
    }

    /// The address to use on the link of `out`, towards a neighbour.
    pub(super) fn source_on(&self, out: InterfaceId, neighbor: IpAddr) -> Option<IpAddr> {
        self.choose_source(neighbor, out, neighbor).filter(|&source| self.owns(out, source))
    }

    /// The address to use towards `destination` when its packets leave by `out` to `next_hop` (RFC 6724 5: rules
    /// 1, 2, 3, 5 and 8; no address is ever temporary or mobile here).
    fn choose_source(&self, destination: IpAddr, out: InterfaceId, next_hop: IpAddr) -> Option<IpAddr> {
        let wanted = scope(destination);
        // IPv4 has no rule 8; what people expect is the address that shares the link with the next hop.
        let near = if destination.is_ipv4() { next_hop } else { destination };
        let mut best: Option<(Rank, IpAddr)> = None;
        for (index, interface) in self.interfaces.iter().enumerate() {
            for cidr in &interface.addresses {
                let address = cidr.address();
                if address.is_ipv4() != destination.is_ipv4() {
                    continue;
                }
                let same_link = index == out.0 as usize;
                let scope = scope(address);
                if scope == LINK_SCOPE && address.is_ipv6() && !same_link {
                    continue;
                }
                let rank = Rank {
                    // Rule 2: large enough for the destination, and no larger than needed.
                    reaches: scope >= wanted,
                    tightness: if scope >= wanted { u8::MAX - scope } else { scope },
                    preferred: !interface.deprecated.contains(&address),
                    same_link,
                    common: common_bits(address, near).min(cidr.len()),
                };
                if best.is_none_or(|(other, _)| rank > other) {
                    best = Some((rank, address));
                }
            }
        }
        best.map(|(_, address)| address)
    }
}

/// Larger is better, field by field.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    reaches: bool,
    tightness: u8,
    preferred: bool,
    same_link: bool,
    common: u8,
}

const LINK_SCOPE: u8 = 2;
const GLOBAL_SCOPE: u8 = 14;

/// RFC 6724 3.1.
fn scope(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(v4) if v4.is_link_local() || v4.is_loopback() => LINK_SCOPE,
        IpAddr::V4(_) => GLOBAL_SCOPE,
        IpAddr::V6(v6) if v6.is_multicast() => v6.octets()[1] & 0xf,
        IpAddr::V6(v6) if v6.is_unicast_link_local() || v6.is_loopback() => LINK_SCOPE,
        IpAddr::V6(_) => GLOBAL_SCOPE,
    }
}

fn common_bits(a: IpAddr, b: IpAddr) -> u8 {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() as u8,
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros() as u8,
        _ => 0,
    }
}

impl Path for Tables {
    fn source_for(&self, destination: IpAddr) -> Option<IpAddr> {
        match self.next_hop(destination) {
            NextHop::Local => Some(match destination {
                IpAddr::V4(v4) if v4.is_loopback() => Ipv4Addr::LOCALHOST.into(),
                _ => destination,
            }),
            NextHop::Neighbor(out, next_hop) => self.choose_source(destination, out, next_hop),
            NextHop::Refused(_) | NextHop::None => None,
        }
    }

    fn mtu(&self, destination: IpAddr) -> usize {
        self.path(destination).mtu
    }

    fn link_mtu(&self, destination: IpAddr) -> usize {
        self.first_link_mtu(destination)
    }

    fn together(&self, destination: IpAddr) -> Together {
        // What no device takes whole, the host cuts: then, too, most of the work is done once for all.
        let mut together = Together { most: MOST_TOGETHER, in_turns: true };
        if self.offloads
            && let NextHop::Neighbor(id, _) = self.next_hop(destination)
        {
            let offloads = self.offloads(id);
            if offloads.segmentation > 0 {
                together.most = offloads.segmentation.saturating_sub(MOST_HEADERS).min(MOST_TOGETHER);
                together.in_turns = offloads.in_turns;
            }
        }
        together
    }

    fn is_local(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.local.contains_key(&address)
    }
}

#[cfg(test)]
mod tests;
