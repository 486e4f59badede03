//! From bytes back to layers.

use core::net::IpAddr;

use bytes::Bytes;

use super::{Layer, Packet};
use crate::arp::Arp;
use crate::checksum::PseudoHeader;
use crate::error::ParseError;
use crate::ethernet::{EtherType, Ethernet};
use crate::icmpv4::Icmpv4;
use crate::icmpv6::Icmpv6;
use crate::ipv4::{Ipv4, Protocol};
use crate::ipv6::{Extension, Ipv6, walk};
use crate::tcp::Tcp;
use crate::udp::Udp;

/// Reads an Ethernet frame in layers. It goes as far as it understands: what is left is a payload, and
/// the error says why a layer was not understood. Never allocates more than the frame is long.
pub fn dissect(frame: &[u8]) -> (Packet, Option<ParseError>) {
    let mut packet = Packet::default();
    let (header, payload) = match Ethernet::parse(frame) {
        Ok(parsed) => parsed,
        Err(error) => return (Packet::from(frame), Some(error)),
    };
    packet.layers.push(Layer::Ethernet(header));
    let result = match header.ethertype {
        EtherType::ARP => Arp::parse(payload)
            .map(|arp| packet.layers.push(Layer::Arp(arp)))
            .map_err(|error| (error, payload)),
        EtherType::IPV4 => ipv4(payload, &mut packet),
        EtherType::IPV6 => ipv6(payload, &mut packet),
        _ => {
            push_payload(payload, &mut packet);
            Ok(())
        }
    };
    finish(packet, result)
}

/// As [`dissect`] for a packet that starts with its IP header.
pub fn dissect_ip(bytes: &[u8]) -> (Packet, Option<ParseError>) {
    let mut packet = Packet::default();
    let result = match bytes.first().map(|first| first >> 4) {
        Some(6) => ipv6(bytes, &mut packet),
        _ => ipv4(bytes, &mut packet),
    };
    finish(packet, result)
}

/// What a layer that failed leaves behind: why, and the bytes from it on.
type Failed<'a> = (ParseError, &'a [u8]);

fn finish(mut packet: Packet, result: Result<(), Failed<'_>>) -> (Packet, Option<ParseError>) {
    match result {
        Ok(()) => (packet, None),
        Err((error, rest)) => {
            push_payload(rest, &mut packet);
            (packet, Some(error))
        }
    }
}

fn push_payload(bytes: &[u8], packet: &mut Packet) {
    if !bytes.is_empty() {
        packet.layers.push(Layer::Payload(Bytes::copy_from_slice(bytes)));
    }
}

fn ipv4<'a>(bytes: &'a [u8], packet: &mut Packet) -> Result<(), Failed<'a>> {
    let (header, payload) = Ipv4::parse(bytes).map_err(|error| (error, bytes))?;
    packet.layers.push(Layer::Ipv4(header));
    if header.is_fragment() {
        push_payload(payload, packet);
        return Ok(());
    }
    transport(header.src.into(), header.dst.into(), header.protocol, payload, packet)
}

fn ipv6<'a>(bytes: &'a [u8], packet: &mut Packet) -> Result<(), Failed<'a>> {
    let (header, payload) = Ipv6::parse(bytes).map_err(|error| (error, bytes))?;
    packet.layers.push(Layer::Ipv6(header));
    let chain = walk(&bytes[..Ipv6::LEN + payload.len()]).map_err(|error| (error, payload))?;
    let (mut kind, mut rest, mut at) = (header.next_header, payload, Ipv6::LEN);
    while at < chain.upper_at {
        let (extension, after) = Extension::parse(kind, rest).map_err(|error| (error, rest))?;
        kind = extension.next_header();
        packet.layers.push(Layer::Extension(extension));
        at += rest.len() - after.len();
        rest = after;
    }
    if chain.fragment.is_some_and(|fragment| !fragment.header.is_atomic()) {
        push_payload(rest, packet);
        return Ok(());
    }
    transport(header.src.into(), header.dst.into(), chain.upper, rest, packet)
}

fn transport<'a>(
    src: IpAddr,
    dst: IpAddr,
    protocol: Protocol,
    bytes: &'a [u8],
    packet: &mut Packet,
) -> Result<(), Failed<'a>> {
    let pseudo = PseudoHeader::new(src, dst, protocol);
    let failed = |error| (error, bytes);
    let (layer, payload) = match (protocol, src.is_ipv4()) {
        (Protocol::ICMPV4, true) => {
            Icmpv4::parse(bytes).map(|(message, rest)| (Layer::Icmpv4(message), rest))
        }
        (Protocol::ICMPV6, false) => {
            Icmpv6::parse(bytes, Some(&pseudo)).map(|(message, rest)| (Layer::Icmpv6(message), rest))
        }
        (Protocol::UDP, _) => {
            Udp::parse(bytes, Some(&pseudo)).map(|(header, rest)| (Layer::Udp(header), rest))
        }
        (Protocol::TCP, _) => {
            Tcp::parse(bytes, Some(&pseudo)).map(|(header, rest)| (Layer::Tcp(header), rest))
        }
        _ => {
            push_payload(bytes, packet);
            return Ok(());
        }
    }
    .map_err(failed)?;
    packet.layers.push(layer);
    push_payload(payload, packet);
    Ok(())
}

/// Where the transport header of an IP packet lies, found without allocating: enough for a tap, a
/// filter or a NAT that looks at every packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transport {
    /// Who sent it.
    pub src: IpAddr,
    /// Who is to receive it.
    pub dst: IpAddr,
    /// TTL or hop limit.
    pub ttl: u8,
    /// The ECN bits.
    pub ecn: u8,
    /// The upper layer.
    pub protocol: Protocol,
    /// Where it starts, counted from the start of the IP packet.
    pub at: usize,
    /// Where the packet ends; more bytes are padding.
    pub end: usize,
    /// Whether it is a fragment.
    pub is_fragment: bool,
    /// Whether it is a fragment without the start of the upper layer.
    pub is_later_fragment: bool,
}

impl Transport {
    /// Looks at an IP packet. No checksum is verified, and a payload may be cut short (as in the quoted
    /// packet of an ICMP error).
    pub fn of(packet: &[u8]) -> Result<Transport, ParseError> {
        if packet.first().is_some_and(|first| first >> 4 == 6) {
            let (header, payload) = Ipv6::parse_quoted(packet)?;
            let end = Ipv6::LEN + payload.len();
            let chain = walk(&packet[..end])?;
            let fragment = chain.fragment.map(|fragment| fragment.header);
            return Ok(Transport {
                src: header.src.into(),
                dst: header.dst.into(),
                ttl: header.hop_limit,
                ecn: header.ecn,
                protocol: chain.upper,
                at: chain.upper_at,
                end,
                is_fragment: fragment.is_some_and(|fragment| !fragment.is_atomic()),
                is_later_fragment: fragment.is_some_and(|fragment| fragment.offset != 0),
            });
        }
        let (header, payload) = Ipv4::parse_quoted(packet)?;
        let at = header_len(packet);
        Ok(Transport {
            src: header.src.into(),
            dst: header.dst.into(),
            ttl: header.ttl,
            ecn: header.ecn,
            protocol: header.protocol,
            at,
            end: at + payload.len(),
            is_fragment: header.is_fragment(),
            is_later_fragment: header.fragment_offset != 0,
        })
    }

    /// The ports of UDP and TCP (and of what is built like them), if they are there.
    pub fn ports(&self, packet: &[u8]) -> Option<(u16, u16)> {
        // UDP, TCP, DCCP, SCTP and UDP-Lite all start with the two ports.
        if self.is_later_fragment || !matches!(self.protocol.0, 6 | 17 | 33 | 132 | 136) {
            return None;
        }
        match packet.get(self.at..self.end)? {
            &[a, b, c, d, ..] => Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))),
            _ => None,
        }
    }
}

/// The header length that an IPv4 header claims, options dropped by its value included.
fn header_len(packet: &[u8]) -> usize {
    usize::from(packet[0] & 15) * 4
}
