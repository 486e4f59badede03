//! Errors told: which ones, about what, quoting how much.

use core::net::IpAddr;

use thru_wire::checksum::{self, PseudoHeader};
use thru_wire::ipv4::Protocol;

use crate::header::{Header, Origin, Upper, protocol};
use crate::packet::Packet;

/// An error that this host tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tell {
    NoRoute,
    Prohibited,
    HostUnreachable,
    /// `pointer`: the byte that names the protocol.
    ProtocolUnreachable {
        pointer: usize,
    },
    PortUnreachable,
    TooBig {
        mtu: usize,
    },
    SourceRouteFailed,
    TimeExceeded,
    ReassemblyTimeExceeded,
    /// IPv6's codes; `even_to_group` lifts the ban on errors about packets to groups (RFC 4443 2.4(e)).
    ParameterProblem {
        code: u8,
        pointer: usize,
        even_to_group: bool,
    },
}

impl Tell {
    /// Whether it may be told about a packet to a group.
    fn even_to_group(self, v6: bool) -> bool {
        match self {
            Tell::TooBig { .. } => v6,
            Tell::ParameterProblem { even_to_group, .. } => v6 && even_to_group,
            _ => false,
        }
    }

    /// Type, code and the four bytes after the checksum (RFC 792, 1191; RFC 4443 3).
    fn wire(self, v6: bool) -> (u8, u8, u32) {
        let narrow = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        if v6 {
            return match self {
                Tell::NoRoute => (1, 0, 0),
                Tell::Prohibited => (1, 1, 0),
                Tell::HostUnreachable => (1, 3, 0),
                Tell::PortUnreachable => (1, 4, 0),
                Tell::TooBig { mtu } => (2, 0, narrow(mtu)),
                Tell::TimeExceeded => (3, 0, 0),
                Tell::ReassemblyTimeExceeded => (3, 1, 0),
                Tell::SourceRouteFailed => (4, 0, 0),
                Tell::ProtocolUnreachable { pointer } => (4, 1, narrow(pointer)),
                Tell::ParameterProblem { code, pointer, .. } => (4, code, narrow(pointer)),
            };
        }
        match self {
            Tell::NoRoute => (3, 0, 0),
            Tell::HostUnreachable => (3, 1, 0),
            Tell::ProtocolUnreachable { .. } => (3, 2, 0),
            Tell::PortUnreachable => (3, 3, 0),
            Tell::TooBig { mtu } => (3, 4, narrow(mtu.min(0xffff))),
            Tell::SourceRouteFailed => (3, 5, 0),
            Tell::Prohibited => (3, 13, 0),
            Tell::TimeExceeded => (11, 0, 0),
            Tell::ReassemblyTimeExceeded => (11, 1, 0),
            Tell::ParameterProblem { pointer, .. } => (12, 0, narrow(pointer) << 24),
        }
    }
}

/// Whether an error may be told about this packet at all (RFC 1122 3.2.2, RFC 1812 4.3.2.7, RFC 4443 2.4(e)).
/// `to_group`: its destination, at either layer, is more than one host.
pub(crate) fn may_tell(tell: Tell, header: &Header, packet: &[u8], to_group: bool) -> bool {
    let v6 = header.src.is_ipv6();
    if to_group && !tell.even_to_group(v6) {
        return false;
    }
    if header.src.is_unspecified() || header.src.is_multicast() || is_broadcast(header.src) {
        return false;
    }
    if header.fragment.0 != 0 {
        return false;
    }
    match header.upper(packet) {
        Upper::Fragment { offset, header: fragment, .. } => {
            offset == 0 && !is_error(fragment.next_header, packet.get(fragment.header_at + 8))
        }
        Upper::Protocol { protocol, at, .. } => !is_error(protocol, packet.get(at)),
        Upper::Problem { .. } | Upper::Nothing | Upper::Truncated => v6,
    }
}

/// Whether an ICMP message of this type is an error, or may be one. Redirects count.
fn is_error(protocol: u8, icmp_type: Option<&u8>) -> bool {
    match (protocol, icmp_type) {
        (protocol::ICMPV4, Some(kind)) => !matches!(kind, 0 | 8 | 9 | 10 | 13..=18),
        (protocol::ICMPV6, Some(&kind)) => kind < 128 || kind == 137,
        (protocol::ICMPV4 | protocol::ICMPV6, None) => true,
        _ => false,
    }
}

fn is_broadcast(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if v4.is_broadcast())
}

/// The error `tell` about `packet`, from `src` to whoever sent it.
pub(crate) fn build(
    tell: Tell,
    src: IpAddr,
    header: &Header,
    packet: &[u8],
    ttl: u8,
    id: u16,
) -> Option<Packet> {
    let v6 = header.src.is_ipv6();
    let (icmp_type, code, rest) = tell.wire(v6);
    // RFC 1812 4.3.2.3: as much as fits into 576 bytes. RFC 4443 3: as much as fits into the minimum MTU.
    let room = if v6 { 1_280 - 40 - 8 } else { 576 - 20 - 8 };
    let quote = &packet[..header.total_len.min(packet.len()).min(room)];
    let origin = Origin {
        src,
        dst: header.src,
        protocol: if v6 { protocol::ICMPV6 } else { protocol::ICMPV4 },
        ttl,
        // RFC 1812 4.3.2.5: precedence "internetwork control".
        class: if v6 { 0 } else { 0xc0 },
        dont_fragment: false,
        id,
        flow_label: 0,
    };
    let mut error = origin.packet(8 + quote.len())?;
    error.extend(&[icmp_type, code, 0, 0]);
    error.extend(&rest.to_be_bytes());
    error.extend(quote);
    fill_checksum(&mut error, src, header.src);
    Some(error)
}

/// Fills in the checksum of the ICMP message behind a header that [`Origin::packet`] wrote.
pub(crate) fn fill_checksum(packet: &mut Packet, src: IpAddr, dst: IpAddr) {
    let at = crate::header::base_len(src);
    let message = &mut packet.bytes_mut()[at..];
    message[2..4].fill(0);
    let sum = icmp_checksum(src, dst, message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
}

/// The checksum of an ICMP message whose checksum field is zero.
pub(crate) fn icmp_checksum(src: IpAddr, dst: IpAddr, message: &[u8]) -> u16 {
    match (src, dst) {
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            let mut sum = PseudoHeader::v6(src, dst, Protocol(protocol::ICMPV6)).sum(message.len());
            sum.add_bytes(message);
            sum.checksum()
        }
        _ => checksum::of(message),
    }
}
