//! Captures of local networks: who was given which settings, who was looked for, and at whose machine that was seen.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use thru_dissect::Meta;
use thru_passive::{Doctor, Examination};
use thru_trace::configured::{DhcpKind, MacAddr, advertisements, dhcp};
use thru_wire::arp::Arp;
use thru_wire::dhcp::{Dhcp, DhcpOptions};
use thru_wire::ethernet::Ethernet;
use thru_wire::ipv4::{Ipv4, Protocol};
use thru_wire::ipv6::Ipv6;
use thru_wire::ndp::{DnsServers, Ndp, RouterAdvertisement};
use thru_wire::tcp::{Flags, SeqNumber, Tcp};
use thru_wire::udp::Udp;

const EPOCH: u64 = 1_772_442_000_000_000_000;
const MS: u64 = 1_000_000;
const GATEWAY: u8 = 1;
const SERVER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);

/// The machine of this number: its hardware address and its address on the network.
fn mac(number: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, number])
}

fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, 1, number)
}

/// A capture on an Ethernet link.
#[derive(Default)]
struct Lan(Vec<(u64, Vec<u8>)>);

impl Lan {
    fn push(&mut self, at_ms: u64, frame: Vec<u8>) -> &mut Lan {
        self.0.push((EPOCH + at_ms * MS, frame));
        self
    }

    /// A message of DHCP, which everybody hears.
    fn dhcp(&mut self, at_ms: u64, client: u8, kind: DhcpKind, id: u32) -> &mut Lan {
        let mut message = Dhcp::new(kind, id, mac(client));
        let from_server = kind.is_from_server();
        if from_server {
            message.yiaddr = address(client);
            message.options = DhcpOptions {
                server: Some(address(GATEWAY)),
                routers: vec![address(GATEWAY)],
                ..DhcpOptions::default()
            };
        }
        let mut bytes = Vec::new();
        message.emit_into(&mut bytes);
        let from = if from_server { GATEWAY } else { client };
        let link = Ethernet { src: mac(from), dst: MacAddr::BROADCAST, ..Ethernet::default() };
        let source = if from_server { address(GATEWAY) } else { Ipv4Addr::UNSPECIFIED };
        let ports = if from_server { Udp::new(67, 68) } else { Udp::new(68, 67) };
        let ip = Ipv4 { ttl: 64, ..Ipv4::new(source, Ipv4Addr::BROADCAST, Protocol::UDP) };
        self.push(at_ms, (link / ip / ports / bytes).to_vec())
    }

    fn looks_for(&mut self, at_ms: u64, machine: u8, wanted: u8) -> &mut Lan {
        let link = Ethernet { src: mac(machine), dst: MacAddr::BROADCAST, ..Ethernet::default() };
        let arp = Arp::request(mac(machine), address(machine), address(wanted));
        self.push(at_ms, (link / arp).to_vec())
    }

    /// What a house never stops saying.
    fn tells_its_name(&mut self, at_ms: u64, machine: u8) -> &mut Lan {
        let link =
            Ethernet { src: mac(machine), dst: MacAddr([1, 0, 0x5E, 0, 0, 0xFB]), ..Ethernet::default() };
        let ip = Ipv4 { ttl: 255, ..Ipv4::new(address(machine), [224, 0, 0, 251].into(), Protocol::UDP) };
        self.push(at_ms, (link / ip / Udp::new(5353, 5353) / b"\0\0\x84\0\0\0\0\0\0\0\0\0").to_vec())
    }

    /// A question for a connection, by the gateway.
    fn syn(&mut self, at_ms: u64, machine: u8) -> &mut Lan {
        let link = Ethernet { src: mac(machine), dst: mac(GATEWAY), ..Ethernet::default() };
        let ip = Ipv4 { ttl: 64, ..Ipv4::new(address(machine), SERVER, Protocol::TCP) };
        let tcp =
            Tcp { src_port: 40_000, dst_port: 443, seq: SeqNumber(9), flags: Flags::SYN, ..Tcp::default() };
        self.push(at_ms, (link / ip / tcp).to_vec())
    }

    fn judge(&self) -> Examination {
        let mut doctor = Doctor::new();
        for (place, (time, bytes)) in self.0.iter().enumerate() {
            let meta = Meta {
                number: place as u64 + 1,
                time: Some(*time),
                interface: 0,
                interface_name: None,
                link: 1,
                original: bytes.len() as u32,
                comments: &[],
            };
            doctor.packet(&meta, bytes);
        }
        doctor.finish()
    }
}

#[test]
fn nobody_answers_who_asks_for_an_address_however_much_others_say() {
    let mut lan = Lan::default();
    for at in [0, 3_000, 10_000, 25_000] {
        lan.dhcp(at, 20, DhcpKind::Discover, 7).tells_its_name(at + 100, 30).tells_its_name(at + 200, 31);
    }
    assert_eq!(lan.judge().verdict.causes, ["LNK02"]);
    // Overheard at another machine, a question and what followed from an answer that went to one machine alone.
    let mut lan = Lan::default();
    lan.syn(0, 30).dhcp(10, 20, DhcpKind::Discover, 7).dhcp(20, 20, DhcpKind::Request, 7);
    assert!(!lan.judge().verdict.causes.contains(&"LNK02".to_owned()));
}

#[test]
fn an_offer_that_was_taken_at_the_end_of_a_capture_is_under_way() {
    let taken = |again: bool| {
        let mut lan = Lan::default();
        lan.dhcp(0, 20, DhcpKind::Discover, 7).dhcp(5, 20, DhcpKind::Offer, 7);
        lan.dhcp(10, 20, DhcpKind::Request, 7);
        if again {
            lan.dhcp(4_010, 20, DhcpKind::Request, 7).dhcp(12_010, 20, DhcpKind::Request, 7);
        }
        lan.judge().verdict.causes
    };
    assert_eq!(taken(true), ["LNK03"]);
    assert!(taken(false).is_empty());
}

#[test]
fn a_gateway_that_is_silent_is_found_among_others_that_talk() {
    let mut lan = Lan::default();
    for at in [0, 1_000, 2_000, 4_000] {
        lan.looks_for(at, 20, GATEWAY).tells_its_name(at + 100, 30).tells_its_name(at + 200, 31);
    }
    assert_eq!(lan.judge().verdict.causes, ["LNK04"]);
}

#[test]
fn only_what_the_own_machine_was_given_is_told() {
    let mut lan = Lan::default();
    for other in 100..140 {
        lan.dhcp(0, other, DhcpKind::Discover, u32::from(other)).dhcp(
            1,
            other,
            DhcpKind::Ack,
            u32::from(other),
        );
    }
    for again in 0..9 {
        lan.dhcp(5, 20, DhcpKind::Request, again).dhcp(6, 20, DhcpKind::Ack, again);
    }
    for at in [10, 1_010, 3_010, 7_010] {
        lan.syn(at, 20);
    }
    let trace = lan.judge().trace;
    let told = dhcp(&trace);
    assert_eq!(told.len(), 8, "of the last four conversations");
    assert!(told.iter().all(|one| one.message.chaddr == mac(20)));
}

#[test]
fn long_advertisements_are_kept_whole() {
    let resolvers: Vec<Ipv6Addr> =
        (0..40).map(|last| Ipv6Addr::new(0x2001, 0xDB8, 0, 0, 0, 0, 0, last)).collect();
    let advertisement = RouterAdvertisement {
        lifetime: Duration::from_secs(1_800),
        dns: vec![DnsServers { lifetime: Duration::from_secs(600), servers: resolvers.clone() }],
        ..RouterAdvertisement::default()
    };
    let router = Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 1);
    let all = Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 0, 0, 1);
    let ip = Ipv6 { hop_limit: 255, ..Ipv6::new(router, all, Protocol::ICMPV6) };
    let mut lan = Lan::default();
    lan.push(0, (Ethernet::default() / ip / Ndp::RouterAdvertisement(advertisement)).to_vec());
    lan.syn(1, 20).syn(1_001, 20).syn(3_001, 20);
    let trace = lan.judge().trace;
    let heard = advertisements(&trace);
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].advertisement.dns[0].servers, resolvers);
    assert_eq!(IpAddr::from(heard[0].router), IpAddr::from(router));
}
