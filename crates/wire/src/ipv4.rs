//! IPv4 (RFC 791), with options and fragments.

use core::fmt;
use core::net::Ipv4Addr;

use bytes::BufMut;

use crate::checksum;
use crate::error::{ClaimedBy, Layer, ParseError, claimed, fixed_header, ipv4_at, u16_at};

mod options;

pub use options::{Ipv4Option, Ipv4OptionIter, Ipv4Options};

/// An IP protocol number, which is also IPv6's next header value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Protocol(pub u8);

impl Protocol {
    /// IPv6 hop-by-hop options (0).
    pub const HOP_BY_HOP: Protocol = Protocol(0);
    /// ICMP for IPv4 (1).
    pub const ICMPV4: Protocol = Protocol(1);
    /// IGMP (2).
    pub const IGMP: Protocol = Protocol(2);
    /// IPv4 inside (4).
    pub const IPV4: Protocol = Protocol(4);
    /// TCP (6).
    pub const TCP: Protocol = Protocol(6);
    /// UDP (17).
    pub const UDP: Protocol = Protocol(17);
    /// IPv6 inside (41).
    pub const IPV6: Protocol = Protocol(41);
    /// IPv6 routing header (43).
    pub const ROUTING: Protocol = Protocol(43);
    /// IPv6 fragment header (44).
    pub const FRAGMENT: Protocol = Protocol(44);
    /// Encapsulating security payload (50).
    pub const ESP: Protocol = Protocol(50);
    /// Authentication header (51).
    pub const AUTHENTICATION: Protocol = Protocol(51);
    /// ICMP for IPv6 (58).
    pub const ICMPV6: Protocol = Protocol(58);
    /// Nothing follows (59).
    pub const NO_NEXT: Protocol = Protocol(59);
    /// IPv6 destination options (60).
    pub const DESTINATION_OPTIONS: Protocol = Protocol(60);

    /// Whether an IPv6 extension header of this kind is one that a header chain may be walked through.
    pub const fn is_extension(self) -> bool {
        matches!(
            self,
            Protocol::HOP_BY_HOP
                | Protocol::ROUTING
                | Protocol::FRAGMENT
                | Protocol::AUTHENTICATION
                | Protocol::DESTINATION_OPTIONS
        )
    }
}

impl fmt::Debug for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Protocol::HOP_BY_HOP => f.write_str("hop-by-hop options"),
            Protocol::ICMPV4 => f.write_str("ICMP"),
            Protocol::IGMP => f.write_str("IGMP"),
            Protocol::IPV4 => f.write_str("IPv4"),
            Protocol::TCP => f.write_str("TCP"),
            Protocol::UDP => f.write_str("UDP"),
            Protocol::IPV6 => f.write_str("IPv6"),
            Protocol::ROUTING => f.write_str("routing header"),
            Protocol::FRAGMENT => f.write_str("fragment header"),
            Protocol::ESP => f.write_str("ESP"),
            Protocol::AUTHENTICATION => f.write_str("AH"),
            Protocol::ICMPV6 => f.write_str("ICMPv6"),
            Protocol::NO_NEXT => f.write_str("nothing"),
            Protocol::DESTINATION_OPTIONS => f.write_str("destination options"),
            Protocol(other) => write!(f, "protocol {other}"),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Looks at the bytes of an IPv4 packet.
#[derive(Clone, Copy, Debug)]
pub struct Ipv4View<'a> {
    bytes: &'a [u8],
}

impl<'a> Ipv4View<'a> {
    /// Checks that the fixed header is there.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Result<Ipv4View<'a>, ParseError> {
        fixed_header(Layer::Ipv4, bytes, Ipv4::MIN_LEN)?;
        Ok(Ipv4View { bytes })
    }

    /// Version; should be 4.
    #[inline]
    pub fn version(&self) -> u8 {
        self.bytes[0] >> 4
    }

    /// Bytes of the header as claimed (IHL times 4); less than 20 is a lie.
    #[inline]
    pub fn header_len(&self) -> usize {
        usize::from(self.bytes[0] & 15) * 4
    }

    /// Differentiated services code point (RFC 2474).
    #[inline]
    pub fn dscp(&self) -> u8 {
        self.bytes[1] >> 2
    }

    /// Explicit congestion notification bits (RFC 3168).
    #[inline]
    pub fn ecn(&self) -> u8 {
        self.bytes[1] & 3
    }

    /// Bytes of header and payload, as claimed.
    #[inline]
    pub fn total_length(&self) -> u16 {
        u16_at(self.bytes, 2)
    }

    /// Names the packet that a fragment belongs to.
    #[inline]
    pub fn identification(&self) -> u16 {
        u16_at(self.bytes, 4)
    }

    /// The reserved flag; should be clear.
    pub fn reserved_flag(&self) -> bool {
        self.bytes[6] & 0x80 != 0
    }

    /// Routers must not fragment it.
    #[inline]
    pub fn dont_fragment(&self) -> bool {
        self.bytes[6] & 0x40 != 0
    }

    /// More fragments follow this one.
    #[inline]
    pub fn more_fragments(&self) -> bool {
        self.bytes[6] & 0x20 != 0
    }

    /// Where this fragment's payload belongs, in bytes: 0 to 65528.
    #[inline]
    pub fn fragment_offset(&self) -> u16 {
        (u16_at(self.bytes, 6) & 0x1fff) << 3
    }

    /// Whether it is a fragment.
    pub fn is_fragment(&self) -> bool {
        self.more_fragments() || self.fragment_offset() != 0
    }

    /// Time to live.
    #[inline]
    pub fn ttl(&self) -> u8 {
        self.bytes[8]
    }

    /// What it carries.
    #[inline]
    pub fn protocol(&self) -> Protocol {
        Protocol(self.bytes[9])
    }

    /// The header's checksum.
    pub fn checksum(&self) -> u16 {
        u16_at(self.bytes, 10)
    }

    /// Who sent it.
    #[inline]
    pub fn src(&self) -> Ipv4Addr {
        ipv4_at(self.bytes, 12)
    }

    /// Who is to receive it.
    #[inline]
    pub fn dst(&self) -> Ipv4Addr {
        ipv4_at(self.bytes, 16)
    }

    /// As much of the header as is there.
    pub fn header(&self) -> &'a [u8] {
        &self.bytes[..self.header_end()]
    }

    /// Whether the header's checksum is right.
    pub fn checksum_is_valid(&self) -> bool {
        checksum::is_valid(self.header())
    }

    /// The options, as far as they are there.
    pub fn options(&self) -> Ipv4OptionIter<'a> {
        Ipv4OptionIter::new(&self.bytes[Ipv4::MIN_LEN..self.header_end()])
    }

    /// The payload: as much of what `total_length` claims as is there.
    pub fn payload(&self) -> &'a [u8] {
        let start = self.header_end();
        let end = usize::from(self.total_length()).clamp(start, self.bytes.len());
        &self.bytes[start..end]
    }

    fn header_end(&self) -> usize {
        self.header_len().clamp(Ipv4::MIN_LEN, self.bytes.len())
    }
}

/// An IPv4 header, always legal. Length and checksum are made when it is emitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ipv4 {
    /// Who sent it.
    pub src: Ipv4Addr,
    /// Who is to receive it.
    pub dst: Ipv4Addr,
    /// Time to live.
    pub ttl: u8,
    /// What it carries. Building by layering fills it in.
    pub protocol: Protocol,
    /// Differentiated services code point, 0 to 63 (RFC 2474).
    pub dscp: u8,
    /// Explicit congestion notification, 0 to 3 (RFC 3168): 1 and 2 capable, 3 congestion experienced.
    pub ecn: u8,
    /// Names the packet that a fragment belongs to.
    pub identification: u16,
    /// Routers must not fragment it.
    pub dont_fragment: bool,
    /// More fragments follow this one.
    pub more_fragments: bool,
    /// Where this fragment's payload belongs, in bytes; its low three bits are not sent.
    pub fragment_offset: u16,
    /// Options, at most 40 bytes of them.
    pub options: Ipv4Options,
}

impl Default for Ipv4 {
    /// Unspecified addresses, TTL 64, nothing else set.
    fn default() -> Ipv4 {
        Ipv4 {
            src: Ipv4Addr::UNSPECIFIED,
            dst: Ipv4Addr::UNSPECIFIED,
            ttl: 64,
            protocol: Protocol::default(),
            dscp: 0,
            ecn: 0,
            identification: 0,
            dont_fragment: false,
            more_fragments: false,
            fragment_offset: 0,
            options: Ipv4Options::NONE,
        }
    }
}

impl Ipv4 {
    /// Bytes of a header without options.
    pub const MIN_LEN: usize = 20;
    /// Bytes of the longest header.
    pub const MAX_LEN: usize = 60;

    /// A header with TTL 64 and nothing else set.
    pub fn new(src: Ipv4Addr, dst: Ipv4Addr, protocol: Protocol) -> Ipv4 {
        Ipv4 { src, dst, protocol, ..Ipv4::default() }
    }

    /// Whether it is a fragment.
    pub const fn is_fragment(&self) -> bool {
        self.more_fragments || self.fragment_offset != 0
    }

    /// Reads a packet and verifies the header's checksum; returns the header and the payload, without
    /// what follows the packet (Ethernet pads short frames).
    pub fn parse(bytes: &[u8]) -> Result<(Ipv4, &[u8]), ParseError> {
        let (header, payload) = Ipv4::parse_header(bytes)?;
        if !checksum::is_valid(&bytes[..header]) {
            return Err(ParseError::Checksum { layer: Layer::Ipv4 });
        }
        Ok((Ipv4::from_view(&Ipv4View { bytes }, header)?, payload))
    }

    /// As [`Ipv4::parse`] for a packet quoted in an ICMP error: its payload may be cut short, and its
    /// checksum is not verified (routers change the TTL before they quote, and some don't mend it).
    pub fn parse_quoted(bytes: &[u8]) -> Result<(Ipv4, &[u8]), ParseError> {
        let view = Ipv4View::new(bytes)?;
        let header = Ipv4::checked_header_len(&view)?;
        Ok((Ipv4::from_view(&view, header)?, view.payload()))
    }

    fn parse_header(bytes: &[u8]) -> Result<(usize, &[u8]), ParseError> {
        let view = Ipv4View::new(bytes)?;
        let header = Ipv4::checked_header_len(&view)?;
        let total = usize::from(view.total_length());
        if total < header {
            return Err(ParseError::Illegal {
                layer: Layer::Ipv4,
                at: 2,
                what: "total length is less than the header",
            });
        }
        claimed(Layer::Ipv4, bytes, 0, total, ClaimedBy::Ipv4TotalLength)?;
        Ok((header, &bytes[header..total]))
    }

    fn checked_header_len(view: &Ipv4View<'_>) -> Result<usize, ParseError> {
        if view.version() != 4 {
            return Err(ParseError::Illegal { layer: Layer::Ipv4, at: 0, what: "version is not 4" });
        }
        let header = view.header_len();
        if header < Ipv4::MIN_LEN {
            return Err(ParseError::Illegal {
                layer: Layer::Ipv4,
                at: 0,
                what: "header length is less than 20 bytes",
            });
        }
        claimed(Layer::Ipv4, view.bytes, 0, header, ClaimedBy::Ipv4HeaderLength)?;
        Ok(header)
    }

    fn from_view(view: &Ipv4View<'_>, header: usize) -> Result<Ipv4, ParseError> {
        Ok(Ipv4 {
            src: view.src(),
            dst: view.dst(),
            ttl: view.ttl(),
            protocol: view.protocol(),
            dscp: view.dscp(),
            ecn: view.ecn(),
            identification: view.identification(),
            dont_fragment: view.dont_fragment(),
            more_fragments: view.more_fragments(),
            fragment_offset: view.fragment_offset(),
            options: if header == Ipv4::MIN_LEN {
                Ipv4Options::NONE
            } else {
                Ipv4Options::parse(&view.bytes[Ipv4::MIN_LEN..header])?
            },
        })
    }

    /// Bytes of the header with its options.
    #[inline]
    pub fn header_len(&self) -> usize {
        Ipv4::MIN_LEN + self.options.padded_len()
    }

    /// Appends the header in front of `payload_len` bytes, length and checksum filled in.
    ///
    /// # Panics
    ///
    /// If header and payload together exceed 65535 bytes.
    pub fn emit_into(&self, payload_len: usize, out: &mut impl BufMut) {
        let len = self.header_len();
        let total = u16::try_from(len + payload_len).expect("an IPv4 packet holds at most 65535 bytes");
        let mut header = [0; Ipv4::MAX_LEN];
        header[0] = 0x40 | (len / 4) as u8;
        header[1] = self.dscp << 2 | self.ecn & 3;
        header[2..4].copy_from_slice(&total.to_be_bytes());
        header[4..6].copy_from_slice(&self.identification.to_be_bytes());
        let fragment = u16::from(self.dont_fragment) << 14
            | u16::from(self.more_fragments) << 13
            | self.fragment_offset >> 3;
        header[6..8].copy_from_slice(&fragment.to_be_bytes());
        header[8] = self.ttl;
        header[9] = self.protocol.0;
        header[12..16].copy_from_slice(&self.src.octets());
        header[16..20].copy_from_slice(&self.dst.octets());
        self.options.emit(&mut header[Ipv4::MIN_LEN..]);
        let checksum = checksum::of(&header[..len]);
        header[10..12].copy_from_slice(&checksum.to_be_bytes());
        out.put_slice(&header[..len]);
    }
}

/// Takes one from the TTL of an IPv4 packet and mends its checksum, as a router does (RFC 1141).
/// `false`, and nothing changed, if the TTL is already 0 or the fixed header is not there.
pub fn decrement_ttl(packet: &mut [u8]) -> bool {
    if packet.len() < Ipv4::MIN_LEN || packet[8] == 0 {
        return false;
    }
    let old = u16_at(packet, 8);
    packet[8] -= 1;
    let checksum = checksum::update_u16(u16_at(packet, 10), old, u16_at(packet, 8));
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
    true
}

/// Sets the two ECN bits of an IPv4 packet and mends its checksum, as a marking queue does (RFC 3168).
pub fn set_ecn(packet: &mut [u8], ecn: u8) {
    if packet.len() < Ipv4::MIN_LEN {
        return;
    }
    let old = u16_at(packet, 0);
    packet[1] = packet[1] & !3 | ecn & 3;
    let checksum = checksum::update_u16(u16_at(packet, 10), old, u16_at(packet, 0));
    packet[10..12].copy_from_slice(&checksum.to_be_bytes());
}

#[cfg(test)]
pub(crate) mod tests;
