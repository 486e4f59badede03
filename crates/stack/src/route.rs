//! Routes: longest prefix first, then the lowest metric.

use core::net::IpAddr;
use std::collections::BTreeMap;

use thru_wire::IpPrefix;

use crate::host::InterfaceId;

/// One line of the routing table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Destinations it covers.
    pub prefix: IpPrefix,
    /// What to do with them.
    pub target: RouteTarget,
    /// Lower wins between equal prefixes.
    pub metric: u32,
}

/// What a route does with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RouteTarget {
    /// The destination is a neighbour on this interface.
    OnLink(InterfaceId),
    /// Via a router on this interface.
    Via(InterfaceId, IpAddr),
    /// Discard and tell (ICMP 3/0, ICMPv6 1/0).
    Unreachable,
    /// Discard and tell that it is forbidden (ICMP 3/13, ICMPv6 1/1).
    Prohibit,
    /// Discard silently.
    Blackhole,
}

/// The routing table of one host, for both families.
#[derive(Debug, Default)]
pub(crate) struct RouteTable {
    /// Longest prefix first, then lowest metric, then oldest: the order in which people read it.
    listed: Vec<Route>,
    v4: Vec<Level>,
    v6: Vec<Level>,
}

/// All prefixes of one length. A lookup asks each level once: as many steps as there are distinct lengths.
#[derive(Debug)]
struct Level {
    len: u8,
    /// The best route of each network.
    best: BTreeMap<IpAddr, Route>,
}

impl RouteTable {
    /// The most specific route to `destination`.
    pub(crate) fn lookup(&self, destination: IpAddr) -> Option<Route> {
        let levels = if destination.is_ipv6() { &self.v6 } else { &self.v4 };
        levels.iter().find_map(|level| {
            let network = IpPrefix::new(destination, level.len)?.network();
            level.best.get(&network).copied()
        })
    }

    /// Adds a route; the very same one is not added twice.
    pub(crate) fn add(&mut self, route: Route) {
        if self.listed.contains(&route) {
            return;
        }
        let place = self.listed.partition_point(|other| rank(other) <= rank(&route));
        self.listed.insert(place, route);
        self.rebuild(route.prefix);
    }

    /// Takes away the best route of exactly this prefix.
    pub(crate) fn remove(&mut self, prefix: IpPrefix) -> bool {
        self.remove_where(|route| route.prefix == prefix)
    }

    /// Takes away the best of the routes that `condition` describes.
    pub(crate) fn remove_where(&mut self, condition: impl FnMut(&Route) -> bool) -> bool {
        let Some(place) = self.listed.iter().position(condition) else { return false };
        let route = self.listed.remove(place);
        self.rebuild(route.prefix);
        true
    }

    pub(crate) fn list(&self) -> &[Route] {
        &self.listed
    }

    /// Makes the level of `prefix` agree with the list again.
    fn rebuild(&mut self, prefix: IpPrefix) {
        let start = self.listed.partition_point(|other| other.prefix.len() > prefix.len());
        let best = self.listed[start..]
            .iter()
            .take_while(|other| other.prefix.len() == prefix.len())
            .find(|other| other.prefix == prefix)
            .copied();
        let levels = if prefix.is_ipv6() { &mut self.v6 } else { &mut self.v4 };
        let at = levels.partition_point(|level| level.len > prefix.len());
        if levels.get(at).is_none_or(|level| level.len != prefix.len()) {
            levels.insert(at, Level { len: prefix.len(), best: BTreeMap::new() });
        }
        match best {
            Some(route) => {
                levels[at].best.insert(prefix.network(), route);
            }
            None => {
                levels[at].best.remove(&prefix.network());
                if levels[at].best.is_empty() {
                    levels.remove(at);
                }
            }
        }
    }
}

fn rank(route: &Route) -> (core::cmp::Reverse<u8>, u32) {
    (core::cmp::Reverse(route.prefix.len()), route.metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(prefix: &str, via: u32, metric: u32) -> Route {
        let prefix = prefix.parse().unwrap();
        Route { prefix, target: RouteTarget::OnLink(InterfaceId(via)), metric }
    }

    fn check(table: &RouteTable, to: &str, expected: Option<u32>) {
        let found = table.lookup(to.parse().unwrap()).map(|route| route.target);
        assert_eq!(found, expected.map(|id| RouteTarget::OnLink(InterfaceId(id))), "to {to}");
    }

    #[test]
    fn longest_prefix_then_metric() {
        let mut table = RouteTable::default();
        for route in [
            route("0.0.0.0/0", 0, 0),
            route("10.0.0.0/8", 1, 0),
            route("10.1.0.0/16", 2, 20),
            route("10.1.0.0/16", 3, 10),
            route("10.1.2.3/32", 4, 0),
            route("2001:db8::/32", 5, 0),
        ] {
            table.add(route);
        }
        check(&table, "192.0.2.1", Some(0));
        check(&table, "10.2.0.1", Some(1));
        check(&table, "10.1.0.1", Some(3));
        check(&table, "10.1.2.3", Some(4));
        check(&table, "2001:db8::1", Some(5));
        check(&table, "2001:db9::1", None);

        assert!(table.remove("10.1.0.0/16".parse().unwrap()));
        check(&table, "10.1.0.1", Some(2));
        assert!(table.remove("10.1.0.0/16".parse().unwrap()));
        check(&table, "10.1.0.1", Some(1));
        assert!(!table.remove("10.1.0.0/16".parse().unwrap()));
        assert_eq!(table.list().len(), 4);
    }

    #[test]
    fn equal_routes_keep_the_older_and_are_listed_once() {
        let mut table = RouteTable::default();
        table.add(route("10.0.0.0/8", 1, 0));
        table.add(route("10.0.0.0/8", 2, 0));
        table.add(route("10.0.0.0/8", 1, 0));
        check(&table, "10.0.0.1", Some(1));
        assert_eq!(table.list().len(), 2);
    }
}
