//! A host that is configured by its network hears anything: answers to its DHCP messages, ARP, router advertisements.
#![no_main]

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use thru_stack::autoconf::{AutoconfConfig, Timing};
use thru_stack::{Frame, Host, HostConfig, InterfaceConfig, Medium};
use thru_wire::arp::Arp;
use thru_wire::dhcp::{Dhcp, DhcpKind, DhcpView};
use thru_wire::ethernet::{EtherType, Ethernet};
use thru_wire::{Instant, MacAddr};

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const PEER: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);

#[derive(Arbitrary, Debug)]
enum Step {
    Wait(u32),
    /// The last question of the client answered: kind, address, and options behind those that it needs.
    Answer(u8, [u8; 4], u32, Vec<u8>),
    Arp(bool, [u8; 4], [u8; 4]),
    /// ICMPv6 from its type on; the checksum is mended.
    Icmpv6(u8, Vec<u8>),
    Frame(Vec<u8>),
    Release,
}

fuzz_target!(|steps: Vec<Step>| {
    let mut host = Host::new(HostConfig::default());
    let id = host.add_interface(InterfaceConfig {
        name: "eth0".to_owned(),
        medium: Medium::Ethernet,
        mac: MAC,
        mtu: 1_500,
    });
    let mut now = Instant::START;
    let config = AutoconfConfig { timing: Timing::BRIEF, ..AutoconfConfig::default() };
    assert!(host.autoconfigure(now, id, config));
    let mut xid = 0;
    for step in steps.into_iter().take(64) {
        match step {
            Step::Wait(millis) => now += Duration::from_millis(u64::from(millis)),
            Step::Answer(kind, address, lease, options) => {
                let frame = answer(xid, kind, address, lease, &options);
                host.handle_frame(now, id, Frame::new(frame, now));
            }
            Step::Arp(reply, sender, target) => {
                let request = Arp::request(PEER, Ipv4Addr::from(target), Ipv4Addr::from(sender));
                let arp = if reply { request.reply(PEER) } else { request };
                let mut frame = header(EtherType::ARP);
                arp.emit_into(&mut frame);
                host.handle_frame(now, id, Frame::new(frame.into(), now));
            }
            Step::Icmpv6(kind, rest) => {
                let mut frame = header(EtherType::IPV6);
                let length = (rest.len() + 4) as u16;
                frame.extend([0x60, 0, 0, 0]);
                frame.extend(length.to_be_bytes());
                frame.extend([58, 255]);
                frame.extend(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2).octets());
                frame.extend(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1).octets());
                frame.extend([kind, 0, 0, 0]);
                frame.extend(rest);
                thru_fuzz::mend(&mut frame[Ethernet::LEN..]);
                host.handle_frame(now, id, Frame::new(frame.into(), now));
            }
            Step::Frame(bytes) => host.handle_frame(now, id, Frame::new(bytes.into(), now)),
            Step::Release => host.autoconf_release(now),
        }
        if host.next_deadline() <= now {
            host.handle_deadline(now);
        }
        while let Some((_, frame)) = host.poll_transmit() {
            if let Some(Ok(view)) = frame.bytes.get(42..).map(DhcpView::new) {
                xid = view.xid();
            }
        }
        assert!(host.addresses().count() <= 20 && host.routes().len() <= 100);
        while host.autoconf_event().is_some() {}
    }
});

fn header(ethertype: EtherType) -> Vec<u8> {
    let mut frame = Vec::new();
    Ethernet::new(PEER, MAC, ethertype).emit_into(&mut frame);
    frame
}

/// A server's message to the client, by unicast.
fn answer(xid: u32, kind: u8, address: [u8; 4], lease: u32, options: &[u8]) -> Bytes {
    let kind = [DhcpKind::Offer, DhcpKind::Ack, DhcpKind::Nak][usize::from(kind % 3)];
    let mut message = Dhcp::new(kind, xid, MAC);
    message.yiaddr = Ipv4Addr::from(address);
    message.options.server = Some(Ipv4Addr::new(192, 0, 2, 1));
    message.options.lease = Some(lease);
    let mut payload = Vec::new();
    message.emit_into(&mut payload);
    if let Some(end) = payload.iter().rposition(|byte| *byte == 255) {
        payload.truncate(end);
    }
    payload.extend_from_slice(options);
    let mut frame = header(EtherType::IPV4);
    let total = (28 + payload.len()) as u16;
    frame.extend([0x45, 0]);
    frame.extend(total.to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1]);
    frame.extend(address);
    frame.extend([0, 67, 0, 68]);
    frame.extend((total - 20).to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(payload);
    thru_fuzz::mend(&mut frame[Ethernet::LEN..]);
    frame.into()
}
