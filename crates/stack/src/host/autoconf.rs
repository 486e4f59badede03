//! What the autoconfiguration of an interface wants, carried out; and what it has to hear.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::task::Waker;

use thru_wire::address::solicited_node;
use thru_wire::arp::Arp;
use thru_wire::checksum::PseudoHeader;
use thru_wire::dhcp::{CLIENT_PORT, Dhcp, SERVER_PORT};
use thru_wire::ipv4::Protocol;
use thru_wire::ndp::Ndp;
use thru_wire::udp::Udp;
use thru_wire::{Instant, IpPrefix, MacAddr, mld};

use super::neighbors::ndp_packet;
use super::{Host, InterfaceId, Medium};
use crate::autoconf::dhcp::{self, DhcpClient, Lease};
use crate::autoconf::slaac::{self, Slaac};
use crate::autoconf::{AutoconfConfig, AutoconfEvent, Events};
use crate::header::{Header, Origin, protocol};
use crate::packet::Packet;
use crate::route::{Route, RouteTarget};
use crate::udp::{add_waker, wake_all};

/// The machines of the interface that is configured by its network, and what has come of them.
#[derive(Debug)]
pub(super) struct Autoconf {
    interface: InterfaceId,
    mac: MacAddr,
    /// The interface's own limit; networks may ask for less.
    mtu: usize,
    dhcp: Option<DhcpClient>,
    slaac: Option<Slaac>,
    /// Routes that stand in the table because of us.
    routes: Vec<Route>,
    events: Events,
    wakers: Vec<Waker>,
}

/// How far autoconfiguration has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AutoconfState {
    /// The lease of an IPv4 address.
    pub lease: Option<Lease>,
    /// A router has answered, and the addresses made since then are ours or known to be somebody else's.
    pub ipv6_settled: bool,
    /// Recursive resolvers that the network offers: IPv4's first.
    pub resolvers: Vec<IpAddr>,
}

/// Autoconfiguration ([`crate::autoconf`]).
impl Host {
    /// Lets the network of an Ethernet interface give it addresses, routes and an MTU from now on. A link-local
    /// address that the interface was made with is checked first, as every other. One interface of a host can be
    /// configured so: `false` if another one is, or this is none.
    pub fn autoconfigure(&mut self, now: Instant, id: InterfaceId, config: AutoconfConfig) -> bool {
        let Some(interface) = self.tables.interface(id).map(|interface| interface.config.clone()) else {
            return false;
        };
        if self.autoconf.is_some() || interface.medium != Medium::Ethernet {
            return false;
        }
        self.begin(now);
        let seed = self.config.seed;
        let mut autoconf = Autoconf {
            interface: id,
            mac: interface.mac,
            mtu: interface.mtu,
            dhcp: config.ipv4.then(|| DhcpClient::new(interface.mac, seed, config.timing)),
            slaac: config.ipv6.then(|| Slaac::new(&interface.name, interface.mac, config.secret, seed)),
            routes: Vec::new(),
            events: Events::default(),
            wakers: Vec::new(),
        };
        self.tables.remove_address(id, interface.mac.link_local().into());
        if let Some(dhcp) = &mut autoconf.dhcp {
            dhcp.start(now);
        }
        if let Some(slaac) = &mut autoconf.slaac {
            slaac.start(now);
        }
        self.autoconf = Some(Box::new(autoconf));
        self.carry_out_autoconf(now);
        self.finish(now);
        true
    }

    /// What has happened since the last call; the latest 64 are kept.
    pub fn autoconf_event(&mut self) -> Option<AutoconfEvent> {
        self.autoconf.as_mut()?.events.pop()
    }

    /// `waker` is woken once when there is an event.
    pub fn autoconf_waker(&mut self, waker: &Waker) {
        if let Some(autoconf) = &mut self.autoconf {
            add_waker(&mut autoconf.wakers, waker);
        }
    }

    /// How far it has come; `None` if no interface is configured by its network.
    pub fn autoconf_state(&self) -> Option<AutoconfState> {
        let autoconf = self.autoconf.as_ref()?;
        let lease = autoconf.dhcp.as_ref().and_then(DhcpClient::lease);
        let v4 = lease.into_iter().flat_map(|lease| &lease.resolvers).map(|address| IpAddr::V4(*address));
        let v6 = autoconf.slaac.iter().flat_map(Slaac::resolvers).map(IpAddr::V6);
        Some(AutoconfState {
            lease: lease.cloned(),
            ipv6_settled: autoconf.slaac.as_ref().is_some_and(Slaac::is_settled),
            resolvers: v4.chain(v6).collect(),
        })
    }

    /// Gives a leased address back. It stays usable, since the message may have to wait for its neighbour's address:
    /// for a host that is about to end.
    pub fn autoconf_release(&mut self, now: Instant) {
        self.begin(now);
        if let Some(dhcp) = self.autoconf.as_mut().and_then(|autoconf| autoconf.dhcp.as_mut()) {
            dhcp.release();
        }
        self.carry_out_autoconf(now);
        self.finish(now);
    }
}

/// What the machines hear. Each call is from a place that is not on the way of ordinary packets.
impl Host {
    pub(super) fn autoconf_deadline(&self) -> Instant {
        let Some(autoconf) = &self.autoconf else { return Instant::NEVER };
        let dhcp = autoconf.dhcp.as_ref().map_or(Instant::NEVER, DhcpClient::next_deadline);
        dhcp.min(autoconf.slaac.as_ref().map_or(Instant::NEVER, Slaac::next_deadline))
    }

    pub(super) fn autoconf_due(&mut self, now: Instant) {
        if self.autoconf_deadline() > now {
            return;
        }
        if let Some(autoconf) = &mut self.autoconf {
            if let Some(dhcp) = &mut autoconf.dhcp {
                dhcp.handle_deadline(now);
            }
            if let Some(slaac) = &mut autoconf.slaac {
                slaac.handle_deadline(now);
            }
        }
        self.carry_out_autoconf(now);
    }

    pub(super) fn autoconf_arp(&mut self, now: Instant, id: InterfaceId, arp: &Arp) {
        let Some(dhcp) = self.autoconf_of(id).and_then(|autoconf| autoconf.dhcp.as_mut()) else { return };
        dhcp.handle_arp(now, arp);
        self.carry_out_autoconf(now);
    }

    pub(super) fn autoconf_ndp(&mut self, now: Instant, id: InterfaceId, src: Ipv6Addr, message: &Ndp) {
        let Some(slaac) = self.autoconf_of(id).and_then(|autoconf| autoconf.slaac.as_mut()) else { return };
        slaac.handle_ndp(now, src, message);
        self.carry_out_autoconf(now);
    }

    /// A datagram; whether it was one for the DHCP client.
    pub(super) fn autoconf_datagram(
        &mut self,
        now: Instant,
        id: Option<InterfaceId>,
        ports: (u16, u16),
        payload: &[u8],
    ) -> bool {
        let client = id.and_then(|id| self.autoconf_of(id)).and_then(|autoconf| autoconf.dhcp.as_mut());
        let Some(dhcp) = client.filter(|_| ports.1 == CLIENT_PORT) else { return false };
        if ports.0 == SERVER_PORT {
            dhcp.handle_message(now, payload);
            self.carry_out_autoconf(now);
        }
        true
    }

    /// Whether a packet to an address that is not ours (yet) is for the DHCP client: not every server broadcasts what
    /// it gives (RFC 2131 4.1).
    pub(super) fn autoconf_wants(&self, id: Option<InterfaceId>, header: &Header, packet: &[u8]) -> bool {
        let waits = self.autoconf.as_ref().is_some_and(|autoconf| {
            Some(autoconf.interface) == id
                && autoconf.dhcp.as_ref().is_some_and(|dhcp| dhcp.lease().is_none())
        });
        let to_client = || packet.get(header.len + 2..header.len + 4) == Some(&CLIENT_PORT.to_be_bytes());
        waits
            && header.src.is_ipv4()
            && header.protocol == protocol::UDP
            && !header.is_v4_fragment()
            && to_client()
    }

    fn autoconf_of(&mut self, id: InterfaceId) -> Option<&mut Autoconf> {
        self.autoconf.as_deref_mut().filter(|autoconf| autoconf.interface == id)
    }
}

/// What the machines want.
impl Host {
    fn carry_out_autoconf(&mut self, now: Instant) {
        let Some(mut autoconf) = self.autoconf.take() else { return };
        while let Some(output) = autoconf.dhcp.as_mut().and_then(DhcpClient::poll_output) {
            self.carry_out_dhcp(now, &mut autoconf, output);
        }
        while let Some(output) = autoconf.slaac.as_mut().and_then(Slaac::poll_output) {
            self.carry_out_slaac(now, &mut autoconf, output);
        }
        self.put_routes_right(&mut autoconf);
        self.autoconf = Some(autoconf);
    }

    fn carry_out_dhcp(&mut self, now: Instant, autoconf: &mut Autoconf, output: dhcp::Output) {
        let (id, mac) = (autoconf.interface, autoconf.mac);
        match output {
            dhcp::Output::Broadcast(message) => {
                let packet = dhcp_packet(Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST, &message);
                if let Some(packet) = packet {
                    self.transmit_ip(now, id, mac, MacAddr::BROADCAST, packet);
                }
            }
            dhcp::Output::Unicast { from, to, message } => {
                if let Some(packet) = dhcp_packet(from, to, &message) {
                    let _ = self.send(now, packet);
                }
            }
            dhcp::Output::Arp(arp) => self.transmit_arp(now, id, MacAddr::BROADCAST, arp),
            dhcp::Output::Use(lease) => {
                self.tables.add_address(id, lease.cidr());
                let mtu = lease.mtu.map_or(autoconf.mtu, usize::from);
                self.tables.set_mtu(id, mtu.min(autoconf.mtu));
            }
            dhcp::Output::Drop(address) => {
                self.tables.remove_address(id, address.into());
            }
            dhcp::Output::Tell(event) => self.tell_autoconf(autoconf, event),
        }
    }

    fn carry_out_slaac(&mut self, now: Instant, autoconf: &mut Autoconf, output: slaac::Output) {
        let id = autoconf.interface;
        match output {
            slaac::Output::Send { src, dst, message } => {
                if let Some(packet) = ndp_packet(src, dst, message) {
                    self.transmit_to_group(now, autoconf, dst, packet);
                }
            }
            slaac::Output::Watch(address) => {
                self.tables.watch(id, address, true);
                let report = membership_report(solicited_node(address));
                if let Some(packet) = report {
                    self.transmit_to_group(now, autoconf, mld::ALL_MLDV2_ROUTERS, packet);
                }
            }
            slaac::Output::Unwatch(address) => self.tables.watch(id, address, false),
            slaac::Output::Assign(cidr) => self.tables.add_address(id, cidr),
            slaac::Output::Deprecate(address, deprecated) => {
                self.tables.deprecate(id, address.into(), deprecated);
            }
            slaac::Output::Remove(address) => {
                self.tables.remove_address(id, address.into());
            }
            slaac::Output::Mtu(mtu) => self.tables.set_mtu(id, autoconf.mtu.min(mtu as usize)),
            slaac::Output::Tell(event) => self.tell_autoconf(autoconf, event),
        }
    }

    fn transmit_to_group(&mut self, now: Instant, autoconf: &Autoconf, group: Ipv6Addr, packet: Packet) {
        let to = MacAddr::of_group(group.into()).unwrap_or(MacAddr::BROADCAST);
        self.transmit_ip(now, autoconf.interface, autoconf.mac, to, packet);
    }

    fn tell_autoconf(&mut self, autoconf: &mut Autoconf, event: AutoconfEvent) {
        autoconf.events.push(event);
        self.autoconf_wakes += wake_all(&mut autoconf.wakers);
    }

    /// Routes come and go with leases and promises: the table is made to agree.
    fn put_routes_right(&mut self, autoconf: &mut Autoconf) {
        let id = autoconf.interface;
        let target = |router: Option<IpAddr>| match router {
            Some(router) => RouteTarget::Via(id, router),
            None => RouteTarget::OnLink(id),
        };
        let route = |prefix: IpPrefix, router| Route { prefix, target: target(router), metric: 0 };
        let lease = autoconf.dhcp.as_ref().and_then(DhcpClient::lease);
        let v4 = lease.into_iter().flat_map(|lease| &lease.routes).map(|(prefix, router)| {
            route(*prefix, (!router.is_unspecified()).then_some(IpAddr::V4(*router)))
        });
        let v6 = autoconf.slaac.iter().flat_map(Slaac::routes);
        let wanted: Vec<Route> =
            v4.chain(v6.map(|(prefix, router)| route(prefix, router.map(IpAddr::V6)))).collect();
        if wanted == autoconf.routes {
            return;
        }
        for old in autoconf.routes.iter().filter(|route| !wanted.contains(route)) {
            self.tables.remove_route_exactly(old);
        }
        for new in &wanted {
            self.tables.add_route(*new);
        }
        autoconf.routes = wanted;
    }
}

fn dhcp_packet(src: Ipv4Addr, dst: Ipv4Addr, message: &Dhcp) -> Option<Packet> {
    let mut payload = Vec::new();
    message.emit_into(&mut payload);
    let origin = Origin {
        src: src.into(),
        dst: dst.into(),
        protocol: protocol::UDP,
        ttl: 64,
        class: 0,
        dont_fragment: false,
        id: 0,
        flow_label: 0,
    };
    let mut packet = origin.packet(Udp::LEN + payload.len())?;
    let pseudo = PseudoHeader::v4(src, dst, Protocol::UDP);
    Udp::new(CLIENT_PORT, SERVER_PORT).emit_into(&payload, &pseudo, packet.end());
    Some(packet)
}

/// "I listen to this group" (RFC 9777 5.2), which switches must know to pass its packets on. From the unspecified
/// address, as RFC 3590 has it while there is no other.
fn membership_report(group: Ipv6Addr) -> Option<Packet> {
    let origin = Origin {
        src: Ipv6Addr::UNSPECIFIED.into(),
        dst: mld::ALL_MLDV2_ROUTERS.into(),
        protocol: Protocol::HOP_BY_HOP.0,
        ttl: 1,
        class: 0,
        dont_fragment: false,
        id: 0,
        flow_label: 0,
    };
    let bytes = mld::join_report(Ipv6Addr::UNSPECIFIED, group);
    let mut packet = origin.packet(bytes.len())?;
    packet.end().extend_from_slice(&bytes);
    Some(packet)
}
