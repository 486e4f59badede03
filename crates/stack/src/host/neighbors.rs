//! ARP and NDP on the wire: questions asked and answered for the neighbour cache.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use thru_wire::address::{ALL_NODES, solicited_node};
use thru_wire::arp::{Arp, ArpOperation};
use thru_wire::checksum::PseudoHeader;
use thru_wire::ethernet::EtherType;
use thru_wire::icmpv6::Icmpv6;
use thru_wire::ipv4::Protocol;
use thru_wire::ndp::Ndp;
use thru_wire::{Instant, MacAddr};

use super::egress::ethernet_header;
use super::{Host, InterfaceId};
use crate::header::{Header, Origin, protocol};
use crate::icmp::send::Tell;
use crate::neighbor::cache::{Answer, Due, Released};
use crate::packet::Packet;
use crate::tcp::Path;

impl Host {
    /// Asks everyone on the link who has `target`. `prompted_by`: source of the packet that wants to go there.
    pub(super) fn ask_neighbor(
        &mut self,
        now: Instant,
        out: InterfaceId,
        target: IpAddr,
        prompted_by: Option<IpAddr>,
    ) {
        self.solicit(now, out, target, None, prompted_by);
    }

    /// What the neighbour cache's timers ask for.
    pub(super) fn neighbors_due(&mut self, now: Instant) {
        while let Some(due) = self.neighbors.due(now) {
            match due {
                Due::Ask((out, target)) => self.solicit(now, out, target, None, None),
                Due::Probe((out, target), mac) => self.solicit(now, out, target, Some(mac), None),
                Due::Failed(pending) => {
                    for packet in pending {
                        self.stats.unresolved += 1;
                        self.tell(now, Tell::HostUnreachable, packet.bytes(), false);
                    }
                }
                Due::Nothing => {}
            }
        }
    }

    /// RFC 826: learn if it is about us, answer if it asks for us.
    pub(super) fn receive_arp(&mut self, now: Instant, id: InterfaceId, bytes: &[u8]) {
        let Ok(arp) = Arp::parse(bytes) else {
            self.stats.malformed += 1;
            return;
        };
        self.autoconf_arp(now, id, &arp);
        let for_us = self.tables.owns(id, arp.target_ip.into());
        let sender = IpAddr::V4(arp.sender_ip);
        let credible =
            arp.sender_mac.is_unicast() && !self.tables.is_local(sender) && !self.tables.is_group(sender);
        if credible && !arp.sender_ip.is_unspecified() {
            let released = match arp.operation {
                ArpOperation::Request => self.neighbors.heard(now, (id, sender), arp.sender_mac, for_us),
                ArpOperation::Reply => {
                    let answer =
                        Answer { mac: Some(arp.sender_mac), solicited: for_us, override_known: true };
                    self.neighbors.answered(now, (id, sender), answer)
                }
            };
            self.release(now, id, released);
        }
        let Some(mac) = self.tables.mac(id) else { return };
        // A sender of 0.0.0.0 probes whether the address is free (RFC 5227 2.1.1): it is not.
        if for_us && arp.operation == ArpOperation::Request && arp.sender_mac.is_unicast() {
            self.transmit_arp(now, id, arp.sender_mac, arp.reply(mac));
        }
    }

    /// A neighbour solicitation or advertisement (RFC 4861 7.1).
    pub(super) fn receive_ndp(&mut self, now: Instant, id: InterfaceId, header: &Header, message: &[u8]) {
        let (IpAddr::V6(src), IpAddr::V6(dst)) = (header.src, header.dst) else { return };
        // 255: nobody has forwarded it, so it comes from this link.
        let Ok(ndp) = Ndp::parse(message) else {
            self.stats.malformed += 1;
            return;
        };
        if header.ttl != 255 {
            self.stats.malformed += 1;
            return;
        }
        self.autoconf_ndp(now, id, src, &ndp);
        match ndp {
            Ndp::NeighborSolicitation { target, source_mac } => {
                self.receive_solicitation(now, id, (src, dst), target, source_mac);
            }
            Ndp::NeighborAdvertisement { solicited, override_flag, target, target_mac, .. } => {
                let own = self.tables.is_local(target.into());
                if own || (dst.is_multicast() && solicited) {
                    return;
                }
                let mac = target_mac.filter(|mac| mac.is_unicast());
                let answer = Answer { mac, solicited, override_known: override_flag };
                let released = self.neighbors.answered(now, (id, target.into()), answer);
                self.release(now, id, released);
            }
            // What routers tell is for autoconfiguration; redirects are not followed.
            Ndp::RouterSolicitation { .. } | Ndp::RouterAdvertisement(_) | Ndp::Redirect { .. } => {}
        }
    }

    fn receive_solicitation(
        &mut self,
        now: Instant,
        id: InterfaceId,
        (src, dst): (Ipv6Addr, Ipv6Addr),
        target: Ipv6Addr,
        source_mac: Option<MacAddr>,
    ) {
        if !self.tables.owns(id, target.into()) {
            return;
        }
        let source_mac = source_mac.filter(|mac| mac.is_unicast());
        if src.is_unspecified() {
            // Somebody checks whether the address is free (RFC 4862): tell everyone that it is ours.
            if source_mac.is_none() && dst == solicited_node(target) {
                self.advertise(now, id, target, ALL_NODES, None);
            }
            return;
        }
        if self.tables.is_local(src.into()) {
            return;
        }
        if let Some(mac) = source_mac {
            let released = self.neighbors.heard(now, (id, src.into()), mac, true);
            self.release(now, id, released);
        }
        self.advertise(now, id, target, src, source_mac);
    }

    /// "`target` is at our hardware address", to whoever asked, or to everyone.
    fn advertise(
        &mut self,
        now: Instant,
        id: InterfaceId,
        target: Ipv6Addr,
        to: Ipv6Addr,
        to_mac: Option<MacAddr>,
    ) {
        let Some(mac) = self.tables.mac(id) else { return };
        let solicited = !to.is_multicast();
        let message = Ndp::NeighborAdvertisement {
            router: self.config.forwarding,
            solicited,
            override_flag: true,
            target,
            target_mac: Some(mac),
        };
        let Some(packet) = ndp_packet(target, to, message) else { return };
        match to_mac.or_else(|| MacAddr::of_group(to.into())) {
            Some(to_mac) => self.transmit_ip(now, id, mac, to_mac, packet),
            None => self.put_on_link(now, id, to.into(), packet),
        }
    }

    /// Asks for `target`: everyone, or `to` alone.
    fn solicit(
        &mut self,
        now: Instant,
        out: InterfaceId,
        target: IpAddr,
        to: Option<MacAddr>,
        prompted_by: Option<IpAddr>,
    ) {
        let Some(mac) = self.tables.mac(out) else { return };
        // RFC 4861 7.2.2: the source of the packet that prompted the question, if it is ours.
        let source = prompted_by
            .filter(|&source| self.tables.owns(out, source))
            .or_else(|| self.tables.source_on(out, target));
        match target {
            IpAddr::V4(target) => {
                let source = match source {
                    Some(IpAddr::V4(source)) => source,
                    _ => Ipv4Addr::UNSPECIFIED,
                };
                let arp = Arp::request(mac, source, target);
                self.transmit_arp(now, out, to.unwrap_or(MacAddr::BROADCAST), arp);
            }
            IpAddr::V6(target) => {
                let Some(IpAddr::V6(source)) = source else { return };
                let destination = if to.is_some() { target } else { solicited_node(target) };
                let message = Ndp::NeighborSolicitation { target, source_mac: Some(mac) };
                let Some(packet) = ndp_packet(source, destination, message) else { return };
                let to = to.or_else(|| MacAddr::of_group(destination.into()));
                self.transmit_ip(now, out, mac, to.unwrap_or(MacAddr::BROADCAST), packet);
            }
        }
    }

    pub(super) fn transmit_arp(&mut self, now: Instant, out: InterfaceId, to: MacAddr, arp: Arp) {
        let mut frame = Vec::with_capacity(14 + Arp::LEN);
        frame.extend_from_slice(&ethernet_header(arp.sender_mac, to, EtherType::ARP));
        arp.emit_into(&mut frame);
        self.transmit(now, out, Bytes::from(frame));
    }

    fn release(&mut self, now: Instant, out: InterfaceId, released: Released) {
        let Some((to, packets)) = released else { return };
        let Some(mac) = self.tables.mac(out) else { return };
        for packet in packets {
            self.transmit_ip(now, out, mac, to, packet);
        }
    }
}

/// NDP travels with hop limit 255, which proves that it was not forwarded (RFC 4861 3.1).
pub(super) fn ndp_packet(src: Ipv6Addr, dst: Ipv6Addr, message: Ndp) -> Option<Packet> {
    let origin = Origin {
        src: src.into(),
        dst: dst.into(),
        protocol: protocol::ICMPV6,
        ttl: 255,
        class: 0,
        dont_fragment: false,
        id: 0,
        flow_label: 0,
    };
    let mut packet = origin.packet(message.len())?;
    let pseudo = PseudoHeader::v6(src, dst, Protocol::ICMPV6);
    Icmpv6::Ndp(message).emit_into(&[], &pseudo, packet.end());
    Some(packet)
}
