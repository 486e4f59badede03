//! Packet in, packet out: one host with a script around it.
//!
//! [`Bench`] gives frames to a host, lets time pass and says in words what comes out.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::time::Duration;

use bytes::Bytes;
use thru_wire::arp::{Arp, ArpOperation};
use thru_wire::checksum::PseudoHeader;
use thru_wire::ethernet::EtherType;
use thru_wire::ipv4::Protocol;
use thru_wire::ndp::Ndp;
use thru_wire::{Cidr, Instant, IpPrefix, MacAddr};

use super::egress::ethernet_header;
use super::{Host, HostConfig, InterfaceConfig, InterfaceId, Medium};
use crate::frame::Frame;
use crate::header::{Header, Origin, Upper, protocol};
use crate::icmp::send::fill_checksum;
use crate::route::{Route, RouteTarget};

mod forwarding;
mod fragments;
mod hooks;
mod hostile;
mod local;
mod neighbors;
mod offload;
mod path_mtu;
mod raw;
mod udp;

/// A host under test: `eth0` has 10.0.0.1/24 and fd00::1/64, `eth1` has 10.0.1.1/24 and fd00:1::1/64.
struct Bench {
    host: Host,
    now: Instant,
}

const OUR_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const OUR_OTHER_MAC: MacAddr = MacAddr([2, 0, 0, 0, 1, 1]);
/// 10.0.0.2 and fd00::2.
const PEER_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
/// 10.0.1.2 and fd00:1::2.
const FAR_MAC: MacAddr = MacAddr([2, 0, 0, 0, 1, 2]);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl Bench {
    fn host() -> Bench {
        Bench::with(HostConfig::default(), Medium::Ethernet)
    }

    fn router() -> Bench {
        Bench::with(HostConfig { forwarding: true, ..HostConfig::default() }, Medium::Ethernet)
    }

    /// A router between two links without neighbours.
    fn bare_router() -> Bench {
        Bench::with(HostConfig { forwarding: true, ..HostConfig::default() }, Medium::Ip)
    }

    fn with(config: HostConfig, medium: Medium) -> Bench {
        let mut host = Host::new(config);
        for (index, mac) in [OUR_MAC, OUR_OTHER_MAC].into_iter().enumerate() {
            let id =
                host.add_interface(InterfaceConfig { name: format!("eth{index}"), medium, mac, mtu: 1_500 });
            let (v4, v6) = [("10.0.0.1/24", "fd00::1/64"), ("10.0.1.1/24", "fd00:1::1/64")][index];
            host.add_address(id, v4.parse::<Cidr>().unwrap());
            host.add_address(id, v6.parse::<Cidr>().unwrap());
        }
        Bench { host, now: Instant::START }
    }

    fn route(&mut self, prefix: &str, target: RouteTarget) {
        let prefix: IpPrefix = prefix.parse().unwrap();
        self.host.add_route(Route { prefix, target, metric: 0 });
    }

    /// Moves the time; deadlines on the way are carried out when they are due.
    fn at(&mut self, ms: u64) -> &mut Bench {
        let until = Instant::from_millis(ms);
        for _ in 0..10_000 {
            let deadline = self.host.next_deadline();
            if deadline > until {
                self.now = until;
                return self;
            }
            self.now = self.now.max(deadline);
            self.host.handle_deadline(self.now);
        }
        panic!("the host never rests");
    }

    /// A frame arrives on an interface.
    fn frame(&mut self, interface: u32, bytes: Vec<u8>) -> &mut Bench {
        let frame = Frame::new(Bytes::from(bytes), self.now);
        self.host.handle_frame(self.now, InterfaceId(interface), frame);
        self
    }

    /// An IP packet arrives on `eth0` from the peer (or on `eth1` from the far one).
    fn packet(&mut self, interface: u32, packet: &[u8]) -> &mut Bench {
        if self.host.interface(InterfaceId(0)).unwrap().medium == Medium::Ip {
            return self.frame(interface, packet.to_vec());
        }
        let (from, to) = [(PEER_MAC, OUR_MAC), (FAR_MAC, OUR_OTHER_MAC)][interface as usize];
        let kind = if packet[0] >> 4 == 6 { EtherType::IPV6 } else { EtherType::IPV4 };
        let mut frame = ethernet_header(from, to, kind).to_vec();
        frame.extend_from_slice(packet);
        self.frame(interface, frame)
    }

    fn arp(&mut self, arp: Arp) -> &mut Bench {
        let mut frame = ethernet_header(arp.sender_mac, MacAddr::BROADCAST, EtherType::ARP).to_vec();
        arp.emit_into(&mut frame);
        self.frame(0, frame)
    }

    /// Everything that comes out now.
    fn frames(&mut self) -> Vec<(u32, Bytes)> {
        core::iter::from_fn(|| self.host.poll_transmit()).map(|(id, frame)| (id.0, frame.bytes)).collect()
    }

    /// IP packets that come out now, without their Ethernet headers.
    fn packets(&mut self) -> Vec<Bytes> {
        let bare = self.host.interface(InterfaceId(0)).unwrap().medium == Medium::Ip;
        self.frames().into_iter().map(|(_, bytes)| if bare { bytes } else { bytes.slice(14..) }).collect()
    }

    /// Everything that comes out now, in words.
    #[track_caller]
    fn expect(&mut self, expected: &[&str]) -> &mut Bench {
        let bare = self.host.interface(InterfaceId(0)).unwrap().medium == Medium::Ip;
        let frames = self.frames();
        let said: Vec<String> = frames.iter().map(|(id, bytes)| say_frame(*id, bytes, bare)).collect();
        assert_eq!(said, expected, "at {:?}", self.now);
        self
    }

    #[track_caller]
    fn expect_silence(&mut self) -> &mut Bench {
        self.expect(&[])
    }
}

/// "eth0 02:..:01>02:..:02 10.0.0.1>10.0.0.2 ttl=64 udp 1000>53 len=5"
fn say_frame(interface: u32, bytes: &[u8], bare: bool) -> String {
    if bare {
        return format!("eth{interface} {}", say_packet(bytes));
    }
    let to = MacAddr(bytes[..6].try_into().unwrap());
    let to = match to {
        OUR_MAC | OUR_OTHER_MAC => "us".into(),
        PEER_MAC => "peer".into(),
        FAR_MAC => "far".into(),
        MacAddr::BROADCAST => "all".into(),
        to if to.is_multicast() => "group".into(),
        to => to.to_string(),
    };
    let what = match EtherType(u16::from_be_bytes([bytes[12], bytes[13]])) {
        EtherType::ARP => say_arp(&Arp::parse(&bytes[14..]).unwrap()),
        _ => say_packet(&bytes[14..]),
    };
    format!("eth{interface} to {to}: {what}")
}

fn say_arp(arp: &Arp) -> String {
    match arp.operation {
        ArpOperation::Request => format!("who has {} tell {}", arp.target_ip, arp.sender_ip),
        ArpOperation::Reply => format!("{} is at {}", arp.sender_ip, arp.sender_mac),
    }
}

fn say_packet(packet: &[u8]) -> String {
    let Some(header) = Header::parse(packet) else { return "not legal".into() };
    let Header { src, dst, ttl, .. } = header;
    let what = match header.upper(packet) {
        Upper::Protocol { protocol, at, .. } if header.fragment == (0, false) => {
            say_upper(&header, protocol, &packet[at..])
        }
        Upper::Protocol { .. } => {
            let (offset, more) = header.fragment;
            format!("fragment {offset}+{}{}", header.total_len - header.len, if more { " more" } else { "" })
        }
        Upper::Fragment { offset, more, header: v6, .. } => {
            let len = header.total_len - v6.header_at - 8;
            format!("fragment {offset}+{len}{}", if more { " more" } else { "" })
        }
        other => format!("{other:?}"),
    };
    format!("{src}>{dst} ttl={ttl} {what}")
}

fn say_upper(header: &Header, protocol: u8, bytes: &[u8]) -> String {
    let port = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    match protocol {
        protocol::UDP => format!("udp {}>{} len={}", port(0), port(2), bytes.len() - 8),
        protocol::TCP => format!("tcp {}>{} flags={:#04x}", port(0), port(2), bytes[13]),
        protocol::ICMPV4 | protocol::ICMPV6 => {
            let v6 = header.src.is_ipv6();
            match (v6, bytes[0]) {
                (false, 8) | (true, 128) => format!("echo request {} len={}", port(4), bytes.len() - 8),
                (false, 0) | (true, 129) => format!("echo reply {} len={}", port(4), bytes.len() - 8),
                (true, 135 | 136) => match Ndp::parse(bytes) {
                    Ok(Ndp::NeighborSolicitation { target, .. }) => format!("who has {target}"),
                    Ok(Ndp::NeighborAdvertisement { target, target_mac, solicited, .. }) => {
                        let kind = if solicited { "" } else { " (unasked)" };
                        format!("{target} is at {}{kind}", target_mac.unwrap())
                    }
                    _ => "bad ndp".into(),
                },
                (_, kind) => {
                    let quoted = Header::parse_quoted(&bytes[8..]).unwrap();
                    let info = u32::from_be_bytes(bytes[4..8].try_into().unwrap());
                    let info = if info == 0 { String::new() } else { format!(" info={info}") };
                    format!("icmp {kind}/{}{info} about {}>{}", bytes[1], quoted.src, quoted.dst)
                }
            }
        }
        other => format!("protocol {other}"),
    }
}

/// "Who has `target`? Tell `mac`."
fn solicitation(target: &str, mac: MacAddr) -> Vec<u8> {
    let mut bytes = Vec::new();
    Ndp::NeighborSolicitation { target: target.parse().unwrap(), source_mac: Some(mac) }
        .emit_into(&mut bytes);
    bytes
}

/// "`target` is at `mac`", with these flags: 0x40 solicited, 0x20 override.
fn advertisement(target: &str, mac: MacAddr, flags: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    Ndp::NeighborAdvertisement {
        router: false,
        solicited: flags & 0x40 != 0,
        override_flag: flags & 0x20 != 0,
        target: target.parse().unwrap(),
        target_mac: Some(mac),
    }
    .emit_into(&mut bytes);
    bytes
}

/// What a test packet is made of.
#[derive(Clone, Copy)]
struct Make<'a> {
    src: &'a str,
    dst: &'a str,
    ttl: u8,
    dont_fragment: bool,
    class: u8,
}

impl Make<'_> {
    fn new<'a>(src: &'a str, dst: &'a str) -> Make<'a> {
        Make { src, dst, ttl: 64, dont_fragment: false, class: 0 }
    }

    fn ttl(self, ttl: u8) -> Self {
        Make { ttl, ..self }
    }

    fn dont_fragment(self) -> Self {
        Make { dont_fragment: true, ..self }
    }

    fn class(self, class: u8) -> Self {
        Make { class, ..self }
    }

    fn any(self, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let Make { src, dst, ttl, dont_fragment, class } = self;
        let (src, dst) = (ip(src), ip(dst));
        let origin = Origin { src, dst, protocol, ttl, class, dont_fragment, id: 7, flow_label: 0 };
        let mut packet = origin.packet(payload.len()).unwrap();
        packet.extend(payload);
        packet.into_bytes().to_vec()
    }

    fn udp(self, src_port: u16, dst_port: u16, payload: &[u8]) -> Vec<u8> {
        let mut datagram = Vec::new();
        datagram.extend_from_slice(&src_port.to_be_bytes());
        datagram.extend_from_slice(&dst_port.to_be_bytes());
        datagram.extend_from_slice(&(8 + payload.len() as u16).to_be_bytes());
        datagram.extend_from_slice(&[0, 0]);
        datagram.extend_from_slice(payload);
        let pseudo = PseudoHeader::new(ip(self.src), ip(self.dst), Protocol(protocol::UDP));
        let mut sum = pseudo.sum(datagram.len());
        sum.add_bytes(&datagram);
        datagram[6..8].copy_from_slice(&sum.checksum().to_be_bytes());
        self.any(protocol::UDP, &datagram)
    }

    /// An ICMP message of either version; `message` from the type on, the checksum is filled in.
    fn icmp(self, message: &[u8]) -> Vec<u8> {
        let (src, dst) = (ip(self.src), ip(self.dst));
        let protocol = if src.is_ipv6() { protocol::ICMPV6 } else { protocol::ICMPV4 };
        let origin = Origin {
            src,
            dst,
            protocol,
            ttl: self.ttl,
            class: self.class,
            dont_fragment: self.dont_fragment,
            id: 7,
            flow_label: 0,
        };
        let mut packet = origin.packet(message.len()).unwrap();
        packet.extend(message);
        fill_checksum(&mut packet, src, dst);
        packet.into_bytes().to_vec()
    }

    fn echo_request(self, identifier: u16, len: usize) -> Vec<u8> {
        let kind = if self.src.contains(':') { 128 } else { 8 };
        let [high, low] = identifier.to_be_bytes();
        let mut message = vec![kind, 0, 0, 0, high, low, 0, 1];
        message.extend((0..len).map(|index| index as u8));
        self.icmp(&message)
    }

    /// An ICMP error about `quoted`.
    fn error(self, icmp_type: u8, code: u8, info: u32, quoted: &[u8]) -> Vec<u8> {
        let mut message = vec![icmp_type, code, 0, 0];
        message.extend_from_slice(&info.to_be_bytes());
        message.extend_from_slice(&quoted[..quoted.len().min(500)]);
        self.icmp(&message)
    }
}

/// Lets the host know the peer's and the far host's hardware addresses, by asking it as they would.
fn introduce(bench: &mut Bench) {
    let pairs: [(u32, MacAddr, Ipv4Addr, Ipv4Addr, Ipv6Addr, Ipv6Addr); 2] = [
        (
            0,
            PEER_MAC,
            [10, 0, 0, 2].into(),
            [10, 0, 0, 1].into(),
            "fd00::2".parse().unwrap(),
            "fd00::1".parse().unwrap(),
        ),
        (
            1,
            FAR_MAC,
            [10, 0, 1, 2].into(),
            [10, 0, 1, 1].into(),
            "fd00:1::2".parse().unwrap(),
            "fd00:1::1".parse().unwrap(),
        ),
    ];
    for (interface, mac, peer4, our4, peer6, our6) in pairs {
        let mut frame = ethernet_header(mac, MacAddr::BROADCAST, EtherType::ARP).to_vec();
        Arp::request(mac, peer4, our4).emit_into(&mut frame);
        bench.frame(interface, frame);
        let packet = Make::new(&peer6.to_string(), &our6.to_string())
            .ttl(255)
            .icmp(&solicitation(&our6.to_string(), mac));
        bench.packet(interface, &packet);
    }
    bench.frames();
}
