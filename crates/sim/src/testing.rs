//! What the tests of several parts share: packets of every kind, and small networks.

use core::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

use thru_stack::route::{Route, RouteTarget};
use thru_stack::{HostConfig, InterfaceConfig, InterfaceId, Medium};
use thru_wire::checksum::{self, PseudoHeader};
use thru_wire::ipv4::{Ipv4, Ipv4View, Protocol};
use thru_wire::tcp::{Flags, Tcp, TcpView};
use thru_wire::udp::{Udp, UdpView};
use thru_wire::{Cidr, IpPrefix, MacAddr};

use crate::{LinkConfig, LinkId, NodeId, World};

/// An IPv4 endpoint from text.
pub(crate) fn end(text: &str) -> SocketAddrV4 {
    text.parse().expect("an address and a port")
}

/// An IPv4 packet around a payload.
pub(crate) fn ipv4(source: Ipv4Addr, destination: Ipv4Addr, protocol: Protocol, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    Ipv4::new(source, destination, protocol).emit_into(payload.len(), &mut packet);
    packet.extend_from_slice(payload);
    packet
}

pub(crate) fn udp(source: SocketAddrV4, destination: SocketAddrV4, payload: &[u8]) -> Vec<u8> {
    let pseudo = PseudoHeader::v4(*source.ip(), *destination.ip(), Protocol::UDP);
    let mut datagram = Vec::new();
    Udp::new(source.port(), destination.port()).emit_into(payload, &pseudo, &mut datagram);
    ipv4(*source.ip(), *destination.ip(), Protocol::UDP, &datagram)
}

pub(crate) fn tcp(source: SocketAddrV4, destination: SocketAddrV4, flags: Flags, payload: &[u8]) -> Vec<u8> {
    let pseudo = PseudoHeader::v4(*source.ip(), *destination.ip(), Protocol::TCP);
    let header = Tcp { src_port: source.port(), dst_port: destination.port(), flags, ..Tcp::default() };
    let mut segment = Vec::new();
    header.emit_into(payload, &pseudo, &mut segment);
    ipv4(*source.ip(), *destination.ip(), Protocol::TCP, &segment)
}

/// An ICMP message; `rest` is its second word.
pub(crate) fn icmp(
    source: Ipv4Addr,
    destination: Ipv4Addr,
    kind: (u8, u8),
    rest: u32,
    payload: &[u8],
) -> Vec<u8> {
    let mut message = vec![kind.0, kind.1, 0, 0];
    message.extend_from_slice(&rest.to_be_bytes());
    message.extend_from_slice(payload);
    let sum = checksum::of(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    ipv4(source, destination, Protocol::ICMPV4, &message)
}

/// An echo request.
pub(crate) fn echo(source: Ipv4Addr, destination: Ipv4Addr, identifier: u16, payload: &[u8]) -> Vec<u8> {
    icmp(source, destination, (8, 0), u32::from(identifier) << 16 | 1, payload)
}

/// The answer to any UDP datagram, TCP segment or echo request: its ends exchanged.
pub(crate) fn answer(packet: &[u8]) -> Vec<u8> {
    let view = Ipv4View::new(packet).expect("IPv4");
    let (source, destination, inner) = (view.dst(), view.src(), view.payload());
    match view.protocol() {
        Protocol::UDP => {
            let view = UdpView::new(inner).expect("UDP");
            let ends =
                [SocketAddrV4::new(source, view.dst_port()), SocketAddrV4::new(destination, view.src_port())];
            udp(ends[0], ends[1], view.payload())
        }
        Protocol::TCP => {
            let view = TcpView::new(inner).expect("TCP");
            let ends =
                [SocketAddrV4::new(source, view.dst_port()), SocketAddrV4::new(destination, view.src_port())];
            tcp(ends[0], ends[1], Flags::SYN | Flags::ACK, view.payload())
        }
        _ => {
            let rest = u32::from_be_bytes(*inner[4..].first_chunk().expect("ICMP"));
            icmp(source, destination, (0, 0), rest, &inner[8..])
        }
    }
}

/// Panics unless every checksum in the packet is right; of a quoted packet as much as is there.
pub(crate) fn assert_checksums(packet: &[u8]) {
    let view = Ipv4View::new(packet).expect("IPv4");
    assert!(view.checksum_is_valid(), "IPv4 header {packet:02x?}");
    let inner = view.payload();
    let pseudo = PseudoHeader::v4(view.src(), view.dst(), view.protocol());
    match view.protocol() {
        Protocol::UDP => {
            let valid = UdpView::new(inner).expect("UDP").checksum_is_valid(&pseudo);
            assert!(valid != Some(false), "UDP {packet:02x?}");
        }
        Protocol::TCP => {
            assert!(TcpView::new(inner).expect("TCP").checksum_is_valid(&pseudo), "TCP {packet:02x?}")
        }
        Protocol::ICMPV4 => {
            assert!(checksum::is_valid(inner), "ICMP {packet:02x?}");
            if matches!(inner[0], 3 | 11 | 12) {
                let quoted = Ipv4View::new(&inner[8..]).expect("a quoted packet");
                assert!(quoted.checksum_is_valid(), "quoted IPv4 header {packet:02x?}");
                if usize::from(quoted.total_length()) <= inner.len() - 8 {
                    assert_checksums(&inner[8..]);
                }
            }
        }
        other => panic!("no checksum is known for {other:?}"),
    }
}

/// A network of hosts and routers under construction, with addresses handed out by hand.
pub(crate) struct Net {
    pub(crate) world: World,
    next_mac: u8,
}

impl Net {
    pub(crate) fn new(seed: u64) -> Net {
        Net { world: World::new(seed), next_mac: 1 }
    }

    pub(crate) fn host(&mut self, name: &str) -> NodeId {
        self.world.add_host(name, HostConfig::default())
    }

    pub(crate) fn router(&mut self, name: &str) -> NodeId {
        self.world.add_host(name, HostConfig { forwarding: true, ..HostConfig::default() })
    }

    pub(crate) fn interface(&mut self) -> InterfaceConfig {
        let mac = MacAddr([2, 0, 0, 0, 0, self.next_mac]);
        self.next_mac += 1;
        InterfaceConfig { name: format!("eth{}", self.next_mac), medium: Medium::Ethernet, mac, mtu: 1500 }
    }

    /// A link between two hosts with an address each, as in `10.0.0.1/24`.
    pub(crate) fn join(
        &mut self,
        name: &str,
        a: (NodeId, &str),
        b: (NodeId, &str),
        config: LinkConfig,
    ) -> (LinkId, InterfaceId, InterfaceId) {
        let (on_a, on_b) = (self.interface(), self.interface());
        let (link, on_a, on_b) = self.world.connect(name, (a.0, Some(on_a)), (b.0, Some(on_b)), config);
        let (on_a, on_b) = (on_a.expect("a host"), on_b.expect("a host"));
        self.address(a.0, on_a, a.1);
        self.address(b.0, on_b, b.1);
        (link, on_a, on_b)
    }

    pub(crate) fn address(&mut self, node: NodeId, interface: InterfaceId, cidr: &str) {
        let (address, len) = cidr.split_once('/').expect("address/length");
        let address = address.parse().expect("an address");
        let cidr = Cidr::new(address, len.parse().expect("a length")).expect("a prefix length");
        self.world.with_host(node, |host, _| host.add_address(interface, cidr));
    }

    pub(crate) fn route(&mut self, node: NodeId, prefix: &str, interface: InterfaceId, via: &str) {
        let (address, len) = prefix.split_once('/').expect("address/length");
        let prefix = IpPrefix::new(address.parse().expect("an address"), len.parse().expect("a length"));
        let target = RouteTarget::Via(interface, via.parse().expect("an address"));
        let route = Route { prefix: prefix.expect("a prefix"), target, metric: 0 };
        self.world.with_host(node, |host, _| host.add_route(route));
    }
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

pub(crate) fn socket(text: &str) -> SocketAddr {
    text.parse().expect("an address and a port")
}
