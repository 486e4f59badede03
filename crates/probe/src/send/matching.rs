//! Which packet answers which: by the flow turned round, by what an ICMP error quotes, by an identifier.

use std::net::{IpAddr, Ipv4Addr};

use thru_wire::packet::Transport;

use super::Question;

/// What a packet begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Link {
    /// An Ethernet header.
    Ethernet,
    /// An IP header.
    Ip,
}

/// How an answer was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// It comes from where the question went, with the ports or the identifier turned round.
    Flow,
    /// It is an ICMP error that quotes the question.
    Quoted,
    /// It is an ARP reply about the address asked for.
    Arp,
}

/// What a question and its answers have in common.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    from: Option<IpAddr>,
    /// `None` if the question went to a group: anybody may answer.
    to: Option<IpAddr>,
    protocol: u16,
    /// Ports, or identifier and sequence number.
    detail: (u16, u16),
}

/// Ethernet type of ARP, as a protocol beyond IP's.
const ARP: u16 = 0x0806;

/// The key of a question; `None` if no answer could be known as one.
pub fn question(link: Link, bytes: &[u8]) -> Option<Key> {
    match (link, bytes) {
        (Link::Ethernet, [_, _, _, _, _, _, _, _, _, _, _, _, 0x08, 0x06, packet @ ..]) => arp(packet, 1, 24),
        (Link::Ethernet, _) => flow(ip(bytes)?),
        (Link::Ip, _) => flow(bytes),
    }
}

/// The keys of questions that a packet may answer, the closest first.
pub fn answers(link: Link, bytes: &[u8]) -> Vec<(Key, Relation)> {
    let packet = match (link, bytes) {
        (Link::Ethernet, [_, _, _, _, _, _, _, _, _, _, _, _, 0x08, 0x06, packet @ ..]) => {
            return arp(packet, 2, 14).map(|key| (key, Relation::Arp)).into_iter().collect();
        }
        (Link::Ethernet, _) => ip(bytes),
        (Link::Ip, _) => Some(bytes),
    };
    let Some(packet) = packet else { return Vec::new() };
    if let Some(quoted) = quote(packet) {
        return flow(quoted).map(|key| (key, Relation::Quoted)).into_iter().collect();
    }
    let Some(turned) = turned(packet) else { return Vec::new() };
    // Who asked a group does not know who answers.
    let of_group = Key { to: None, ..turned.clone() };
    vec![(turned, Relation::Flow), (of_group, Relation::Flow)]
}

/// How closely an answer that has a question's key belongs to it: by the identification of a quoted packet, by what TCP
/// acknowledges.
pub(super) fn closeness(question: &Question, answer: &[u8], link: Link, relation: Relation) -> u8 {
    let packet_of = |link: Link, bytes: &'_ [u8]| -> Option<Vec<u8>> {
        match link {
            Link::Ethernet => ip(bytes).map(<[u8]>::to_vec),
            Link::Ip => Some(bytes.to_vec()),
        }
    };
    let (Some(asked), Some(answer)) = (packet_of(question.link, &question.bytes), packet_of(link, answer))
    else {
        return 0;
    };
    match relation {
        Relation::Quoted => {
            let quoted = quote(&answer).unwrap_or_default();
            // Identification of IPv4, then as much of the upper layer as is there.
            let same_id = asked.first().is_some_and(|first| first >> 4 == 4)
                && asked.get(4..6) == quoted.get(4..6)
                && asked.get(4..6) != Some(&[0, 0]);
            let upper = |packet: &[u8]| {
                Transport::of(packet).ok().and_then(|parts| Some(packet.get(parts.at..parts.end)?.to_vec()))
            };
            let same_upper = match (upper(&asked), upper(quoted)) {
                (Some(asked), Some(quoted)) => asked.starts_with(&quoted),
                _ => false,
            };
            2 * u8::from(same_id) + u8::from(same_upper)
        }
        Relation::Flow => u8::from(acknowledges(&asked, &answer)),
        Relation::Arp => 0,
    }
}

/// Whether a TCP segment acknowledges what another began with.
fn acknowledges(asked: &[u8], answer: &[u8]) -> bool {
    let word = |packet: &[u8], at: usize| -> Option<u32> {
        let parts = Transport::of(packet).ok().filter(|parts| parts.protocol.0 == 6)?;
        let from = parts.at + at;
        Some(u32::from_be_bytes(packet.get(from..from + 4)?.try_into().ok()?))
    };
    match (word(asked, 4), word(answer, 8)) {
        (Some(sent), Some(acknowledged)) => (1..=65_536).contains(&acknowledged.wrapping_sub(sent)),
        _ => false,
    }
}

fn ip(frame: &[u8]) -> Option<&[u8]> {
    let mut at = 12;
    // Behind at most two VLAN tags.
    for _ in 0..3 {
        match frame.get(at..at + 2)? {
            [0x08, 0x00] | [0x86, 0xdd] => return frame.get(at + 2..),
            [0x81, 0x00] | [0x88, 0xa8] => at += 4,
            _ => return None,
        }
    }
    None
}

/// An ARP packet of this operation about the protocol address at `at`.
fn arp(packet: &[u8], operation: u16, at: usize) -> Option<Key> {
    if packet.get(6..8)? != operation.to_be_bytes() {
        return None;
    }
    let address: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
    Some(Key { from: None, to: Some(Ipv4Addr::from(address).into()), protocol: ARP, detail: (0, 0) })
}

fn flow(packet: &[u8]) -> Option<Key> {
    let parts = Transport::of(packet).ok()?;
    let is_group = match parts.dst {
        IpAddr::V4(to) => to.is_multicast() || to.is_broadcast() || to.octets()[3] == 255,
        IpAddr::V6(to) => to.is_multicast(),
    };
    let to = (!is_group).then_some(parts.dst);
    let detail = detail(&parts, packet, true);
    Some(Key { from: Some(parts.src), to, protocol: u16::from(parts.protocol.0), detail })
}

/// The key of a question that this packet would answer.
fn turned(packet: &[u8]) -> Option<Key> {
    let parts = Transport::of(packet).ok()?;
    let detail = detail(&parts, packet, false);
    Some(Key { from: Some(parts.dst), to: Some(parts.src), protocol: u16::from(parts.protocol.0), detail })
}

/// Ports as the asker has them, or identifier and sequence number of an echo.
fn detail(parts: &Transport, packet: &[u8], asks: bool) -> (u16, u16) {
    if let Some((src, dst)) = parts.ports(packet) {
        return if asks { (src, dst) } else { (dst, src) };
    }
    let message = packet.get(parts.at..parts.end).unwrap_or_default();
    let is_echo = match (parts.protocol.0, message.first(), asks) {
        // Echo and time stamp of ICMP, echo of ICMPv6.
        (1, Some(8 | 13), true) | (1, Some(0 | 14), false) => true,
        (58, Some(128), true) | (58, Some(129), false) => true,
        _ => false,
    };
    match message.get(4..8) {
        Some(&[a, b, c, d]) if is_echo => (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])),
        _ => (0, 0),
    }
}

/// What an ICMP error quotes.
fn quote(packet: &[u8]) -> Option<&[u8]> {
    let parts = Transport::of(packet).ok()?;
    let message = packet.get(parts.at..parts.end)?;
    let is_error = match parts.protocol.0 {
        1 => matches!(message.first()?, 3 | 4 | 5 | 11 | 12),
        58 => *message.first()? < 128,
        _ => false,
    };
    is_error.then(|| message.get(8..))?
}
