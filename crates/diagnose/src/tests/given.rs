//! Who gave machines their settings, read from frames.

use super::*;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use thru_trace::configured::{DhcpKind, MacAddr};
use thru_trace::{Packet, PacketFate};
use thru_wire::dhcp::{Dhcp, DhcpOptions};
use thru_wire::ethernet::Ethernet;
use thru_wire::ipv4::{Ipv4, Protocol};
use thru_wire::ipv6::Ipv6;
use thru_wire::ndp::{Ndp, RouterAdvertisement};
use thru_wire::tcp::{Flags, Tcp};
use thru_wire::udp::Udp;

const OURS: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const ANOTHER: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);

fn frame(visit: &mut Visit, at_ms: u64, bytes: Vec<u8>) {
    visit.trace.interfaces = vec!["home".into()];
    let number = visit.trace.packets.len() as u64 + 1;
    let (at, fate) = (at_ms * 1_000_000, PacketFate::Passed);
    visit.trace.packets.push(Packet { number, at, interface: 0, bytes: bytes.into(), fate, comment: None });
}

/// What a server tells a machine: this router, and itself as name server.
fn told(visit: &mut Visit, client: MacAddr, kind: DhcpKind, server: u8) {
    let server = Ipv4Addr::new(192, 168, 1, server);
    let mut message = Dhcp::new(kind, u32::from(client.0[5]), client);
    message.options = DhcpOptions {
        routers: vec![server],
        dns: vec![server],
        server: Some(server),
        ..DhcpOptions::default()
    };
    let mut bytes = Vec::new();
    message.emit_into(&mut bytes);
    let link = Ethernet { src: MacAddr([6, 0, 0, 0, 0, server.octets()[3]]), ..Ethernet::default() };
    let ip = Ipv4::new(server, Ipv4Addr::BROADCAST, Protocol::UDP);
    frame(visit, 1, (link / ip / Udp::new(67, 68) / bytes).to_vec());
}

/// A connection attempt over IPv4 that nobody answers, with its frame.
fn in_vain() -> Visit {
    let mut visit = Visit::new();
    visit.lookup().connect_fails("tcp.timeout", 7_000, |step| {
        step.set("tcp.local", LOCAL).set("tcp.syn_retransmissions", 3)
    });
    let ip = Ipv4::new([192, 168, 1, 10].into(), [203, 0, 113, 10].into(), Protocol::TCP);
    let tcp = Tcp { src_port: 40_000, dst_port: 443, flags: Flags::SYN, ..Tcp::default() };
    let link = Ethernet { src: OURS, ..Ethernet::default() };
    frame(&mut visit, 50, (link / ip / tcp).to_vec());
    visit
}

#[test]
fn two_servers_that_contradict_each_other() {
    let mut visit = in_vain();
    told(&mut visit, OURS, DhcpKind::Offer, 1);
    told(&mut visit, OURS, DhcpKind::Ack, 66);
    let verdict = fails(&visit, Layer::Link, &["LNK13"]);
    assert!(verdict.evidence[1].says.contains("06:00:00:00:00:42"), "{}", verdict.evidence[1].says);
}

#[test]
fn what_another_machine_was_given_is_no_contradiction() {
    let mut visit = in_vain();
    told(&mut visit, OURS, DhcpKind::Ack, 66);
    told(&mut visit, ANOTHER, DhcpKind::Offer, 1);
    told(&mut visit, ANOTHER, DhcpKind::Ack, 1);
    assert!(!judged(&visit).causes.contains(&"LNK13".to_owned()));
    // Which of several machines this one is can be told by what it sent.
    let mut sent = visit.trace.packets[0].bytes.to_vec();
    sent[6..12].fill(9);
    visit.trace.packets[0].bytes = sent.into();
    told(&mut visit, OURS, DhcpKind::Offer, 1);
    assert!(!judged(&visit).causes.contains(&"LNK13".to_owned()));
}

#[test]
fn a_link_without_hardware_addresses_names_none() {
    let mut visit = in_vain();
    told(&mut visit, OURS, DhcpKind::Offer, 1);
    told(&mut visit, OURS, DhcpKind::Ack, 66);
    for packet in &mut visit.trace.packets {
        let mut bytes = packet.bytes.to_vec();
        bytes[..12].fill(0);
        packet.bytes = bytes.into();
    }
    let verdict = fails(&visit, Layer::Link, &["LNK13"]);
    assert!(verdict.evidence.iter().all(|evidence| !evidence.says.contains("hardware address")));
}

/// A router's advertisement of itself as default router for so many seconds.
fn advertises(visit: &mut Visit, at_ms: u64, router: u16, seconds: u64) {
    let mut advertisement = RouterAdvertisement { hop_limit: 64, ..RouterAdvertisement::default() };
    advertisement.lifetime = Duration::from_secs(seconds);
    let source = Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, router);
    let ip = Ipv6 {
        hop_limit: 255,
        ..Ipv6::new(source, Ipv6Addr::new(0xFF02, 0, 0, 0, 0, 0, 0, 1), Protocol::ICMPV6)
    };
    let bytes = (Ethernet::default() / ip / Ndp::RouterAdvertisement(advertisement)).to_vec();
    frame(visit, at_ms, bytes);
}

#[test]
fn a_router_that_took_itself_back_is_none() {
    let visit = |withdraws: bool| {
        let mut visit = Visit::new();
        advertises(&mut visit, 0, 1, 1_800);
        advertises(&mut visit, 0, 2, 1_800);
        if withdraws {
            advertises(&mut visit, 10, 2, 0);
        }
        visit
            .lookup()
            .connect_to_fails(SERVER_V6, "tcp.timeout", 7_000, |step| step.set("tcp.syn_retransmissions", 3));
        judged(&visit).causes
    };
    assert!(visit(false).contains(&"LNK13".to_owned()));
    assert!(!visit(true).contains(&"LNK13".to_owned()));
}
