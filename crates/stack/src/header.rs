//! What the host reads in and writes into IP headers: the few fields that decide, for both versions alike.

use core::net::IpAddr;

use bytes::{BufMut, BytesMut};
use thru_wire::ParseError;
use thru_wire::checksum;
use thru_wire::ipv4::{self, Ipv4, Ipv4View, Protocol};
use thru_wire::ipv6::{self, Ipv6, Ipv6View, OptionAction};

use crate::fragment::reassemble::V6Fragment;
use crate::packet::Packet;

/// Numbers of the protocols that the host acts upon.
pub(crate) mod protocol {
    use thru_wire::ipv4::Protocol;

    pub(crate) const HOP_BY_HOP: u8 = Protocol::HOP_BY_HOP.0;
    pub(crate) const ICMPV4: u8 = Protocol::ICMPV4.0;
    pub(crate) const TCP: u8 = Protocol::TCP.0;
    pub(crate) const UDP: u8 = Protocol::UDP.0;
    pub(crate) const ROUTING: u8 = Protocol::ROUTING.0;
    pub(crate) const FRAGMENT: u8 = Protocol::FRAGMENT.0;
    pub(crate) const ICMPV6: u8 = Protocol::ICMPV6.0;
    pub(crate) const DESTINATION_OPTIONS: u8 = Protocol::DESTINATION_OPTIONS.0;
}

/// An IP header, checked: lengths are within the bytes, the IPv4 checksum is right.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    /// What follows this header (IPv6: perhaps an extension header, see [`Header::upper`]).
    pub(crate) protocol: u8,
    /// Bytes of this header, with IPv4 options.
    pub(crate) len: usize,
    /// Bytes of the whole packet; what the frame holds beyond is padding.
    pub(crate) total_len: usize,
    pub(crate) ttl: u8,
    /// TOS or traffic class: DSCP and ECN.
    pub(crate) class: u8,
    pub(crate) dont_fragment: bool,
    /// IPv4 only: offset in bytes and "more fragments"; `(0, false)` is a whole packet.
    pub(crate) fragment: (usize, bool),
    /// IPv4 only.
    pub(crate) id: u16,
}

impl Header {
    /// Reads the header of a whole packet; `None` if it is not legal.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Header> {
        let header = Header::parse_quoted(bytes)?;
        let whole = header.total_len <= bytes.len();
        let undamaged = header.src.is_ipv6() || checksum::is_valid(&bytes[..header.len]);
        (whole && undamaged).then_some(header)
    }

    /// Reads the header of a packet that may be cut short, as in an ICMP error, where the checksum may have been
    /// left as it was before a router changed the header.
    pub(crate) fn parse_quoted(bytes: &[u8]) -> Option<Header> {
        match bytes.first()? >> 4 {
            4 => Header::parse_v4(bytes),
            6 => Header::parse_v6(bytes),
            _ => None,
        }
    }

    fn parse_v4(bytes: &[u8]) -> Option<Header> {
        let view = Ipv4View::new(bytes).ok()?;
        let (len, total_len) = (view.header_len(), usize::from(view.total_length()));
        if len < Ipv4::MIN_LEN || len > bytes.len() || total_len < len {
            return None;
        }
        Some(Header {
            src: view.src().into(),
            dst: view.dst().into(),
            protocol: view.protocol().0,
            len,
            total_len,
            ttl: view.ttl(),
            class: view.dscp() << 2 | view.ecn(),
            dont_fragment: view.dont_fragment(),
            fragment: (usize::from(view.fragment_offset()), view.more_fragments()),
            id: view.identification(),
        })
    }

    fn parse_v6(bytes: &[u8]) -> Option<Header> {
        let view = Ipv6View::new(bytes).ok()?;
        Some(Header {
            src: view.src().into(),
            dst: view.dst().into(),
            protocol: view.next_header().0,
            len: Ipv6::LEN,
            total_len: Ipv6::LEN + usize::from(view.payload_length()),
            ttl: view.hop_limit(),
            class: view.dscp() << 2 | view.ecn(),
            dont_fragment: true,
            fragment: (0, false),
            id: 0,
        })
    }

    /// The two ECN bits.
    pub(crate) fn ecn(&self) -> u8 {
        self.class & 3
    }

    /// Whether it is an IPv4 fragment.
    pub(crate) fn is_v4_fragment(&self) -> bool {
        self.fragment != (0, false)
    }

    /// Finds the upper-layer protocol behind IPv6 extension headers. `bytes` is the packet, perhaps cut short.
    pub(crate) fn upper(&self, bytes: &[u8]) -> Upper {
        if self.src.is_ipv4() {
            return Upper::Protocol { protocol: self.protocol, at: self.len, named_at: 9 };
        }
        let first = Protocol(self.protocol);
        if !first.is_extension() {
            return Upper::of(first, self.len, 6);
        }
        let packet = &bytes[..self.total_len.min(bytes.len())];
        if let Some(found) = authentication(packet) {
            return found;
        }
        let chain = match ipv6::walk(packet) {
            Ok(chain) => chain,
            Err(ParseError::Truncated { .. }) => return Upper::Truncated,
            // RFC 8200 4.1: hop-by-hop options in the wrong place are an unknown next header; the rest of what is
            // refused comes from nobody honest, and telling does no harm.
            Err(ParseError::Illegal { at, .. }) => {
                return Upper::Problem { code: 1, pointer: at, even_to_group: false };
            }
            Err(_) => return Upper::Nothing,
        };
        if let Some(problem) = chain.option_problem {
            let tell = |even_to_group| Upper::Problem { code: 2, pointer: problem.pointer, even_to_group };
            match problem.action {
                OptionAction::Skip => {}
                OptionAction::Discard => return Upper::Nothing,
                OptionAction::Report => return tell(true),
                OptionAction::ReportUnlessMulticast => return tell(false),
            }
        }
        // RFC 8200 4.4: a route that goes on is not ours to follow (and type 0 is forbidden, RFC 5095).
        if let Some(routing) = chain.routing.filter(|routing| routing.segments_left != 0) {
            return Upper::Problem { code: 0, pointer: routing.at + 2, even_to_group: false };
        }
        // RFC 6946: an atomic fragment stands alone, whatever others have its identification.
        if let Some(fragment) = chain.fragment.filter(|fragment| !fragment.header.is_atomic()) {
            return Upper::Fragment {
                id: fragment.header.identification,
                offset: usize::from(fragment.header.offset),
                more: fragment.header.more,
                header: V6Fragment {
                    header_at: fragment.at,
                    named_at: fragment.named_at,
                    next_header: fragment.header.next_header.0,
                },
            };
        }
        Upper::of(chain.upper, chain.upper_at, chain.upper_named_at)
    }
}

/// An authentication header in the way: without keys to check it, it is a protocol that we don't speak.
fn authentication(packet: &[u8]) -> Option<Upper> {
    let mut named_at = 6;
    for extension in Ipv6View::new(packet).ok()?.extensions() {
        let extension = extension.ok()?;
        let at = Ipv6::LEN + extension.offset;
        if extension.kind == Protocol::AUTHENTICATION {
            return Some(Upper::of(extension.kind, at, named_at));
        }
        named_at = at;
    }
    None
}

/// What the headers of a packet lead to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Upper {
    /// An upper-layer packet at offset `at`; `named_at` is the byte that says so.
    Protocol { protocol: u8, at: usize, named_at: usize },
    /// An IPv6 fragment.
    Fragment { id: u32, offset: usize, more: bool, header: V6Fragment },
    /// Nothing for anyone, or to be discarded without a word.
    Nothing,
    /// The packet ends within a header.
    Truncated,
    /// An ICMPv6 parameter problem is due; `even_to_group`: although the destination is a group (RFC 4443 2.4(e)).
    Problem { code: u8, pointer: usize, even_to_group: bool },
}

impl Upper {
    fn of(protocol: Protocol, at: usize, named_at: usize) -> Upper {
        match protocol {
            Protocol::NO_NEXT => Upper::Nothing,
            Protocol(protocol) => Upper::Protocol { protocol, at, named_at },
        }
    }
}

/// The header fields of a packet that this host makes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) ttl: u8,
    pub(crate) class: u8,
    pub(crate) dont_fragment: bool,
    /// IPv4 only.
    pub(crate) id: u16,
    /// IPv6 only; 20 bits.
    pub(crate) flow_label: u32,
}

impl Origin {
    /// A packet of this header in front of `payload_len` bytes that the caller appends; `None` if that many don't
    /// fit into an IP packet, or the addresses are of different families.
    pub(crate) fn packet(&self, payload_len: usize) -> Option<Packet> {
        let mut packet = Packet::with_room(base_len(self.src) + payload_len);
        self.emit(payload_len, packet.end())?;
        Some(packet)
    }

    /// A packet of this header in front of what begins at `start` of `buffer`, where there is room for it.
    pub(crate) fn packet_around(&self, mut buffer: BytesMut, start: usize) -> Option<Packet> {
        let header = start.checked_sub(base_len(self.src))?;
        let payload_len = buffer.len() - start;
        self.emit(payload_len, &mut &mut buffer[header..start])?;
        Some(Packet::from_buffer(buffer, header))
    }

    fn emit(&self, payload_len: usize, out: &mut impl BufMut) -> Option<()> {
        match (self.src, self.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                u16::try_from(Ipv4::MIN_LEN + payload_len).ok()?;
                let header = Ipv4 {
                    ttl: self.ttl,
                    dscp: self.class >> 2,
                    ecn: self.class & 3,
                    identification: self.id,
                    dont_fragment: self.dont_fragment,
                    ..Ipv4::new(src, dst, Protocol(self.protocol))
                };
                header.emit_into(payload_len, out);
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                u16::try_from(payload_len).ok()?;
                let header = Ipv6 {
                    hop_limit: self.ttl,
                    dscp: self.class >> 2,
                    ecn: self.class & 3,
                    flow_label: self.flow_label,
                    ..Ipv6::new(src, dst, Protocol(self.protocol))
                };
                header.emit_into(payload_len, out);
            }
            _ => return None,
        }
        Some(())
    }
}

/// Bytes of the header that [`Origin::packet`] writes.
pub(crate) fn base_len(address: IpAddr) -> usize {
    if address.is_ipv6() { Ipv6::LEN } else { Ipv4::MIN_LEN }
}

/// Fills in the checksum of an IPv4 header.
pub(crate) fn set_ipv4_checksum(header: &mut [u8]) {
    header[10..12].fill(0);
    let sum = checksum::of(header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// One hop less.
pub(crate) fn decrement_ttl(bytes: &mut [u8]) {
    if bytes[0] >> 4 == 6 {
        ipv6::decrement_hop_limit(bytes);
    } else {
        ipv4::decrement_ttl(bytes);
    }
}

#[cfg(test)]
mod tests;
