//! Who was looked for on the local network: who never answered, and for whom two answered.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use thru_wire::MacAddr;
use thru_wire::arp::ArpView;
use thru_wire::ethernet::{EtherType, EthernetView};
use thru_wire::ipv4::Protocol;
use thru_wire::ipv6::Ipv6View;
use thru_wire::ndp::NdpView;

use crate::{PacketFate, Trace};

/// Frames that look for the hardware address of a neighbour (ARP requests, RFC 826; neighbour solicitations, RFC 4861
/// 4.3) which no answer followed, by number, under the address that was looked for.
pub fn unanswered_searches(trace: &Trace) -> BTreeMap<IpAddr, Vec<u64>> {
    let mut searches: BTreeMap<IpAddr, Vec<u64>> = BTreeMap::new();
    for packet in &trace.packets {
        match Word::of(&packet.bytes) {
            Some(Word::WhoHas(address)) => searches.entry(address).or_default().push(packet.number),
            Some(Word::IsHere(address)) if packet.fate == PacketFate::Passed => {
                searches.remove(&address);
            }
            _ => {}
        }
    }
    searches
}

/// An address that two machines of the local network call their own (RFC 5227): it, and frames in which each says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// The address.
    pub address: IpAddr,
    /// Who says so, by hardware address, and in which frames.
    pub by: BTreeMap<MacAddr, Vec<u64>>,
}

/// The first address for which answers of two hardware addresses came. An answer takes the asked address's own hardware
/// address as sender; that of a group of routers (VRRP, RFC 5798) is the same whoever speaks for it.
pub fn claimed_twice(trace: &Trace) -> Option<Claimed> {
    let mut claims: BTreeMap<IpAddr, BTreeMap<MacAddr, Vec<u64>>> = BTreeMap::new();
    for packet in trace.packets.iter().filter(|packet| packet.fate == PacketFate::Passed) {
        if let (Some(Word::IsHere(address)), Ok(frame)) =
            (Word::of(&packet.bytes), EthernetView::new(&packet.bytes))
        {
            claims.entry(address).or_default().entry(frame.src()).or_default().push(packet.number);
        }
    }
    claims.into_iter().find(|(_, by)| by.len() > 1).map(|(address, by)| Claimed { address, by })
}

enum Word {
    WhoHas(IpAddr),
    IsHere(IpAddr),
}

impl Word {
    fn of(frame: &[u8]) -> Option<Word> {
        let ethernet = EthernetView::new(frame).ok()?;
        match ethernet.ethertype() {
            EtherType::ARP => {
                let arp = ArpView::new(ethernet.payload()).ok()?;
                let address =
                    |bytes: &[u8]| Some(IpAddr::from(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?)));
                match arp.operation() {
                    1 => Some(Word::WhoHas(address(arp.target_protocol())?)),
                    2 => Some(Word::IsHere(address(arp.sender_protocol())?)),
                    _ => None,
                }
            }
            EtherType::IPV6 => {
                let ip = Ipv6View::new(ethernet.payload()).ok()?;
                if ip.next_header() != Protocol::ICMPV6 {
                    return None;
                }
                let message = NdpView::new(ip.payload()).ok()?;
                let target = message.target()?;
                match message.kind() {
                    135 => Some(Word::WhoHas(target.into())),
                    136 => Some(Word::IsHere(target.into())),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Packet;
    use thru_wire::arp::{Arp, ArpOperation};
    use thru_wire::ethernet::Ethernet;

    fn arp(operation: ArpOperation, sender: [u8; 4], target: [u8; 4]) -> Vec<u8> {
        let mac = MacAddr([2, 0, 0, 0, 0, 1]);
        let arp = Arp {
            operation,
            sender_mac: mac,
            sender_ip: sender.into(),
            target_mac: MacAddr([0; 6]),
            target_ip: target.into(),
        };
        (Ethernet { ethertype: EtherType::ARP, ..Ethernet::default() } / arp).to_vec()
    }

    #[test]
    fn only_who_never_answered_is_listed() {
        let mut trace = Trace::default();
        let (laptop, router, printer) = ([192, 168, 1, 2], [192, 168, 1, 1], [192, 168, 1, 9]);
        for bytes in [
            arp(ArpOperation::Request, laptop, router),
            arp(ArpOperation::Request, laptop, printer),
            arp(ArpOperation::Reply, printer, laptop),
            arp(ArpOperation::Request, laptop, router),
        ] {
            let number = trace.packets.len() as u64 + 1;
            let (fate, comment) = (PacketFate::Passed, None);
            trace.packets.push(Packet {
                number,
                at: number,
                interface: 0,
                bytes: bytes.into(),
                fate,
                comment,
            });
        }
        let searches = unanswered_searches(&trace);
        assert_eq!(searches, BTreeMap::from([(IpAddr::from(router), vec![1, 4])]));
    }
}
