//! Routes: longest prefix first, then the lowest metric.

use core::net::IpAddr;
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
