//! What a server gives, as far as it makes sense.

use core::net::Ipv4Addr;

use thru_wire::dhcp::Dhcp;
use thru_wire::{Cidr, Instant, IpPrefix};

use crate::autoconf::in_seconds;

/// An address for a while, and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The address.
    pub address: Ipv4Addr,
    /// The length of its network's prefix.
    pub prefix_len: u8,
    /// Who gave it.
    pub server: Ipv4Addr,
    /// Routes, the default one among them; an unspecified router means that the destinations are neighbours.
    pub routes: Vec<(IpPrefix, Ipv4Addr)>,
    /// Recursive resolvers, best first.
    pub resolvers: Vec<Ipv4Addr>,
    /// MTU of the link, if the server knows it.
    pub mtu: Option<u16>,
    /// When to ask the server for more time (T1).
    pub renew_at: Instant,
    /// When to ask any server (T2).
    pub rebind_at: Instant,
    /// When the address must no longer be used; [`Instant::NEVER`]: it may be used for ever.
    pub expires_at: Instant,
}

/// Most routers, routes and resolvers that are kept of each.
const MOST: usize = 16;
/// A shorter lease would keep us busy asking for more: it counts as this long.
const SHORTEST: u64 = 10;

impl Lease {
    /// The address in its network.
    pub fn cidr(&self) -> Cidr {
        Cidr::new(self.address.into(), self.prefix_len).expect("a length that an IPv4 prefix can have")
    }

    /// What an offer or an acknowledgement gives, counted from when it was asked for. `None` if it lacks the server's
    /// name or the lease's length, or names an address that no host can have.
    pub(super) fn of(message: &Dhcp, asked: Instant) -> Option<Lease> {
        let options = &message.options;
        let (server, address) = (options.server?, message.yiaddr);
        let len = options.prefix_len.filter(|len| *len > 0).unwrap_or_else(|| classful(address));
        if !is_host(address, len) || !is_host(server, 0) {
            return None;
        }
        let seconds = u64::from(options.lease?).max(SHORTEST);
        let (t1, t2) = times(seconds, options.renew, options.rebind);
        let good = |routers: &[Ipv4Addr]| -> Vec<Ipv4Addr> {
            routers.iter().copied().filter(|router| is_host(*router, 0)).take(MOST).collect()
        };
        // RFC 3442: whoever gives routes with a length means them instead of the routers.
        let routes = if options.routes.is_empty() {
            let router = good(&options.routers).into_iter().find(|router| *router != address);
            router.map(|router| (IpPrefix::V4_ALL, router)).into_iter().collect()
        } else {
            let usable = |router: &Ipv4Addr| router.is_unspecified() || is_host(*router, 0);
            options.routes.iter().copied().filter(|(_, router)| usable(router)).take(MOST).collect()
        };
        Some(Lease {
            address,
            prefix_len: len,
            server,
            routes,
            resolvers: good(&options.dns),
            mtu: options.mtu.filter(|mtu| *mtu >= 576),
            renew_at: in_seconds(asked, t1),
            rebind_at: in_seconds(asked, t2),
            expires_at: in_seconds(asked, seconds),
        })
    }
}

/// RFC 2131 4.4.5: half the lease and seven eighths of it, unless the server says otherwise and it makes sense.
fn times(lease: u64, t1: Option<u32>, t2: Option<u32>) -> (u64, u64) {
    if lease >= u64::from(u32::MAX) {
        return (lease, lease);
    }
    let (t1, t2) = (t1.map_or(lease / 2, u64::from), t2.map_or(lease * 7 / 8, u64::from));
    if 0 < t1 && t1 < t2 && t2 < lease { (t1, t2) } else { (lease / 2, lease * 7 / 8) }
}

/// Whether a host can have the address, in a network of `len` bits (0: unknown).
fn is_host(address: Ipv4Addr, len: u8) -> bool {
    let special = address.is_unspecified()
        || address.is_loopback()
        || address.is_multicast()
        || address.is_broadcast()
        || address.octets()[0] == 0
        || address.octets()[0] >= 240;
    let host_bits = u32::MAX.checked_shr(u32::from(len)).unwrap_or(0);
    // RFC 3021: networks of 31 and 32 bits have no address of their own and no broadcast.
    let whole = (1..=30).contains(&len)
        && (address.to_bits() & host_bits == 0 || address.to_bits() & host_bits == host_bits);
    !special && !whole
}

/// The length that an address without a mask implies (RFC 950 2.1).
fn classful(address: Ipv4Addr) -> u8 {
    match address.octets()[0] {
        0..=127 => 8,
        128..=191 => 16,
        _ => 24,
    }
}
