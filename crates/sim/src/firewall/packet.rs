//! What rules look at in a packet, IPv4 and IPv6 alike.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thru_wire::ipv4::Protocol;

use super::Match;

/// A packet as a rule sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen<'a> {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) protocol: Protocol,
    /// The transport header and what follows; empty in fragments other than the first.
    pub(super) transport: &'a [u8],
    size: usize,
}

/// An IPv6 header chain is followed no further.
const MOST_EXTENSIONS: usize = 8;

impl<'a> Seen<'a> {
    pub(super) fn of(packet: &'a [u8]) -> Option<Seen<'a>> {
        match packet.first()? >> 4 {
            4 => Seen::v4(packet),
            6 => Seen::v6(packet),
            _ => None,
        }
    }

    fn v4(packet: &'a [u8]) -> Option<Seen<'a>> {
        let fixed: &[u8; 20] = packet.first_chunk()?;
        let header = usize::from(fixed[0] & 0xf) * 4;
        let total = usize::from(u16::from_be_bytes([fixed[2], fixed[3]])).min(packet.len());
        let first = u16::from_be_bytes([fixed[6], fixed[7]]) & 0x1fff == 0;
        let [a, b, c, d] = *fixed[12..].first_chunk()?;
        let [e, f, g, h] = *fixed[16..].first_chunk()?;
        Some(Seen {
            source: Ipv4Addr::new(a, b, c, d).into(),
            destination: Ipv4Addr::new(e, f, g, h).into(),
            protocol: Protocol(fixed[9]),
            transport: if first { packet.get(header..total).unwrap_or_default() } else { &[] },
            size: packet.len(),
        })
    }

    fn v6(packet: &'a [u8]) -> Option<Seen<'a>> {
        let fixed: &[u8; 40] = packet.first_chunk()?;
        let source: [u8; 16] = *fixed[8..].first_chunk()?;
        let destination: [u8; 16] = *fixed[24..].first_chunk()?;
        let mut protocol = Protocol(fixed[6]);
        let mut transport = &packet[40..];
        for _ in 0..MOST_EXTENSIONS {
            if !protocol.is_extension() {
                break;
            }
            let Some(&[next, length, high, low]) = transport.first_chunk() else { break };
            let bytes = match protocol {
                Protocol::FRAGMENT if u16::from_be_bytes([high, low]) >> 3 != 0 => {
                    (protocol, transport) = (Protocol(next), &[]);
                    break;
                }
                Protocol::FRAGMENT => 8,
                Protocol::AUTHENTICATION => (usize::from(length) + 2) * 4,
                _ => (usize::from(length) + 1) * 8,
            };
            protocol = Protocol(next);
            transport = transport.get(bytes..).unwrap_or_default();
        }
        let (source, destination) = (Ipv6Addr::from(source).into(), Ipv6Addr::from(destination).into());
        Some(Seen { source, destination, protocol, transport, size: packet.len() })
    }

    /// Whether everything holds that a rule wants of the packet itself.
    pub(super) fn matches(&self, wanted: &Match) -> bool {
        // Listed so that a new field can't be forgotten; the first seven are about the packet's way and its flow, not its bytes.
        let Match {
            place: _,
            input: _,
            output: _,
            state: _,
            flows: _,
            after: _,
            first: _,
            source,
            destination,
            protocol,
            source_ports,
            destination_ports,
            tcp_flags,
            icmp_type,
            size,
            payload,
        } = wanted;
        let ports = self.ports();
        source.is_none_or(|prefix| prefix.contains(self.source))
            && destination.is_none_or(|prefix| prefix.contains(self.destination))
            && protocol.is_none_or(|protocol| protocol == self.protocol)
            && source_ports
                .as_ref()
                .is_none_or(|range| ports.is_some_and(|(source, _)| range.contains(&source)))
            && destination_ports
                .as_ref()
                .is_none_or(|range| ports.is_some_and(|(_, port)| range.contains(&port)))
            && tcp_flags
                .is_none_or(|flags| self.tcp_flags().is_some_and(|seen| seen & flags.mask == flags.set))
            && icmp_type.is_none_or(|kind| self.icmp_type() == Some(kind))
            && size.as_ref().is_none_or(|range| range.contains(&self.size))
            && payload.as_ref().is_none_or(|bytes| contains(self.payload(), bytes))
    }

    /// Source and destination port of TCP and UDP.
    pub(super) fn ports(&self) -> Option<(u16, u16)> {
        let &[a, b, c, d] = self.transport.first_chunk()?;
        matches!(self.protocol, Protocol::TCP | Protocol::UDP)
            .then(|| (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
    }

    pub(super) fn tcp_flags(&self) -> Option<u8> {
        (self.protocol == Protocol::TCP).then(|| self.transport.get(13).copied()).flatten()
    }

    pub(super) fn icmp_type(&self) -> Option<u8> {
        matches!(self.protocol, Protocol::ICMPV4 | Protocol::ICMPV6)
            .then(|| self.transport.first().copied())
            .flatten()
    }

    /// The packet that an ICMP error quotes.
    pub(super) fn quoted(&self) -> Option<Seen<'a>> {
        let error = match (self.protocol, self.icmp_type()?) {
            (Protocol::ICMPV4, kind) => matches!(kind, 3 | 4 | 5 | 11 | 12),
            (Protocol::ICMPV6, kind) => (1..=4).contains(&kind),
            _ => false,
        };
        if error { Seen::of(self.transport.get(8..)?) } else { None }
    }

    /// What TCP or UDP carry.
    fn payload(&self) -> &'a [u8] {
        let header = match self.protocol {
            Protocol::TCP => self.transport.get(12).map_or(0, |byte| usize::from(byte >> 4) * 4),
            Protocol::UDP => 8,
            _ => return &[],
        };
        self.transport.get(header..).unwrap_or_default()
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    needle.is_empty() || haystack.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle))
}
