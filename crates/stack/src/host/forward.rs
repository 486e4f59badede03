//! Packets for others.

use core::net::IpAddr;

use thru_wire::Instant;

use super::Host;
use super::ingress::Arrival;
use super::tables::NextHop;
use crate::header::{Header, decrement_ttl};
use crate::hook::Place;
use crate::icmp::send::Tell;
use crate::packet::Packet;
use crate::route::RouteTarget;

impl Host {
    /// RFC 1812 5.2, RFC 8200 3: one hop less, towards the next router, or an error to the source.
    pub(super) fn forward(&mut self, now: Instant, arrival: Arrival, header: Header, packet: Packet) {
        if !self.config.forwarding
            || arrival.to_group
            || !may_be_forwarded(&header)
            || self.tables.is_group(header.src)
        {
            self.stats.not_for_us += 1;
            return;
        }
        if header.ttl <= 1 {
            self.stats.ttl_exceeded += 1;
            return self.tell(now, Tell::TimeExceeded, packet.bytes(), false);
        }
        let refusal = match self.tables.next_hop(header.dst) {
            NextHop::Neighbor(out, next_hop) => {
                return self.forward_to(now, arrival, (header, packet), out, next_hop);
            }
            // One of our addresses, but of another link's scope.
            NextHop::Local => None,
            NextHop::Refused(RouteTarget::Blackhole) => None,
            NextHop::Refused(RouteTarget::Prohibit) => Some(Tell::Prohibited),
            NextHop::Refused(_) | NextHop::None => Some(Tell::NoRoute),
        };
        self.stats.no_route += 1;
        if let Some(tell) = refusal {
            self.tell(now, tell, packet.bytes(), false);
        }
    }

    fn forward_to(
        &mut self,
        now: Instant,
        arrival: Arrival,
        (header, mut packet): (Header, Packet),
        out: super::InterfaceId,
        next_hop: IpAddr,
    ) {
        let mtu = self.tables.link_mtu(out);
        // What was put together here for the hook goes out as it was cut; so that is what has to fit.
        let (largest, fixed) = match packet.fragment {
            Some(was) => (was.largest, was.dont_fragment || header.src.is_ipv6()),
            None => (packet.len(), header.dont_fragment),
        };
        if largest > mtu && fixed {
            self.stats.too_big += 1;
            return self.tell(now, Tell::TooBig { mtu }, packet.bytes(), false);
        }
        decrement_ttl(packet.bytes_mut());
        let Some((_, packet)) =
            self.ask_hook(now, Place::Forward, arrival.interface, Some(out), header, packet)
        else {
            return;
        };
        self.stats.forwarded += 1;
        self.leave(now, arrival.interface, out, next_hop, packet);
    }
}

/// Addresses with a meaning only on their link, or none at all, stay there (RFC 3927 7, RFC 4291 2.5.6, RFC 1812 5.3.7).
fn may_be_forwarded(header: &Header) -> bool {
    match (header.src, header.dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            !src.is_unspecified()
                && !src.is_link_local()
                && !dst.is_link_local()
                && dst.octets()[0] != 0
                && dst.octets()[0] < 240
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            !src.is_unspecified() && !src.is_unicast_link_local() && !dst.is_unicast_link_local()
        }
        _ => false,
    }
}
