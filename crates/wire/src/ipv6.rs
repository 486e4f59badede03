//! IPv6 (RFC 8200), with extension headers and fragments.
//!
//! - [`Ipv6`]: the fixed header as a value; [`Ipv6View`] looks at bytes.
//! - [`walk`]: from the fixed header to the upper layer, past the extension headers.
//! - [`Fragment`], [`Options`], [`Routing`], [`Authentication`]: extension headers as values.

use core::net::Ipv6Addr;

use bytes::BufMut;

use crate::error::{ClaimedBy, Layer, ParseError, claimed, fixed_header, ipv6_at, u16_at, u32_at};
use crate::ipv4::Protocol;

mod chain;
mod extension;
mod options;

pub use chain::{Chain, FragmentAt, RoutingAt, walk, walk_headers};
pub use extension::{Authentication, Extension, ExtensionIter, ExtensionView, Fragment, Routing};
pub use options::{Ipv6Option, Ipv6OptionIter, OptionAction, OptionProblem, Options};

/// Looks at the bytes of an IPv6 packet.
#[derive(Clone, Copy, Debug)]
pub struct Ipv6View<'a> {
    bytes: &'a [u8],
}

impl<'a> Ipv6View<'a> {
    /// Checks that the fixed header is there.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Result<Ipv6View<'a>, ParseError> {
        fixed_header(Layer::Ipv6, bytes, Ipv6::LEN)?;
        Ok(Ipv6View { bytes })
    }

    /// Version; should be 6.
    #[inline]
    pub fn version(&self) -> u8 {
        self.bytes[0] >> 4
    }

    /// Differentiated services code point (RFC 2474).
    #[inline]
    pub fn dscp(&self) -> u8 {
        (u16_at(self.bytes, 0) >> 6) as u8 & 0x3f
    }

    /// Explicit congestion notification bits (RFC 3168).
    #[inline]
    pub fn ecn(&self) -> u8 {
        self.bytes[1] >> 4 & 3
    }

    /// Flow label, 20 bits (RFC 6437).
    pub fn flow_label(&self) -> u32 {
        u32_at(self.bytes, 0) & 0xf_ffff
    }

    /// Bytes after the fixed header, as claimed.
    #[inline]
    pub fn payload_length(&self) -> u16 {
        u16_at(self.bytes, 4)
    }

    /// What follows the fixed header.
    #[inline]
    pub fn next_header(&self) -> Protocol {
        Protocol(self.bytes[6])
    }

    /// Hop limit.
    #[inline]
    pub fn hop_limit(&self) -> u8 {
        self.bytes[7]
    }

    /// Who sent it.
    #[inline]
    pub fn src(&self) -> Ipv6Addr {
        ipv6_at(self.bytes, 8)
    }

    /// Who is to receive it.
    #[inline]
    pub fn dst(&self) -> Ipv6Addr {
        ipv6_at(self.bytes, 24)
    }

    /// As much of what `payload_length` claims as is there, extension headers included.
    pub fn payload(&self) -> &'a [u8] {
        let end = (Ipv6::LEN + usize::from(self.payload_length())).min(self.bytes.len());
        &self.bytes[Ipv6::LEN..end]
    }

    /// The extension headers, as far as they are there.
    pub fn extensions(&self) -> ExtensionIter<'a> {
        ExtensionIter::new(self.next_header(), self.payload())
    }
}

/// The fixed IPv6 header, always legal. Its length field is made when it is emitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ipv6 {
    /// Who sent it.
    pub src: Ipv6Addr,
    /// Who is to receive it.
    pub dst: Ipv6Addr,
    /// Hop limit.
    pub hop_limit: u8,
    /// What follows it. Building by layering fills it in.
    pub next_header: Protocol,
    /// Differentiated services code point, 0 to 63 (RFC 2474).
    pub dscp: u8,
    /// Explicit congestion notification, 0 to 3 (RFC 3168): 1 and 2 capable, 3 congestion experienced.
    pub ecn: u8,
    /// Flow label, 20 bits (RFC 6437).
    pub flow_label: u32,
}

impl Default for Ipv6 {
    /// Unspecified addresses, hop limit 64, nothing else set.
    fn default() -> Ipv6 {
        Ipv6 {
            src: Ipv6Addr::UNSPECIFIED,
            dst: Ipv6Addr::UNSPECIFIED,
            hop_limit: 64,
            next_header: Protocol::NO_NEXT,
            dscp: 0,
            ecn: 0,
            flow_label: 0,
        }
    }
}

impl Ipv6 {
    /// Bytes of the fixed header.
    pub const LEN: usize = 40;

    /// A header with hop limit 64 and nothing else set.
    pub fn new(src: Ipv6Addr, dst: Ipv6Addr, next_header: Protocol) -> Ipv6 {
        Ipv6 { src, dst, next_header, ..Ipv6::default() }
    }

    /// Reads the fixed header; returns it and what follows it: extension headers (see [`walk`]) and the
    /// upper layer, without what follows the packet (Ethernet pads short frames). Jumbograms (RFC 2675)
    /// are not understood: they appear as packets without payload.
    pub fn parse(bytes: &[u8]) -> Result<(Ipv6, &[u8]), ParseError> {
        let (header, payload) = Ipv6::parse_quoted(bytes)?;
        let length = usize::from(u16_at(bytes, 4));
        claimed(Layer::Ipv6, bytes, Ipv6::LEN, length, ClaimedBy::Ipv6PayloadLength)?;
        Ok((header, payload))
    }

    /// As [`Ipv6::parse`] for a packet quoted in an ICMP error, whose payload may be cut short.
    pub fn parse_quoted(bytes: &[u8]) -> Result<(Ipv6, &[u8]), ParseError> {
        let view = Ipv6View::new(bytes)?;
        if view.version() != 6 {
            return Err(ParseError::Illegal { layer: Layer::Ipv6, at: 0, what: "version is not 6" });
        }
        let header = Ipv6 {
            src: view.src(),
            dst: view.dst(),
            hop_limit: view.hop_limit(),
            next_header: view.next_header(),
            dscp: view.dscp(),
            ecn: view.ecn(),
            flow_label: view.flow_label(),
        };
        Ok((header, view.payload()))
    }

    /// Bytes of the fixed header.
    pub const fn header_len(&self) -> usize {
        Ipv6::LEN
    }

    /// Appends the fixed header in front of `payload_len` bytes (extension headers included).
    ///
    /// # Panics
    ///
    /// If the payload exceeds 65535 bytes.
    pub fn emit_into(&self, payload_len: usize, out: &mut impl BufMut) {
        let length =
            u16::try_from(payload_len).expect("an IPv6 packet holds at most 65535 bytes after its header");
        let class = self.dscp << 2 | self.ecn & 3;
        let mut header = [0; Ipv6::LEN];
        let first = 6 << 28 | u32::from(class) << 20 | self.flow_label & 0xf_ffff;
        header[0..4].copy_from_slice(&first.to_be_bytes());
        header[4..6].copy_from_slice(&length.to_be_bytes());
        header[6] = self.next_header.0;
        header[7] = self.hop_limit;
        header[8..24].copy_from_slice(&self.src.octets());
        header[24..40].copy_from_slice(&self.dst.octets());
        out.put_slice(&header);
    }
}

/// Takes one from the hop limit of an IPv6 packet. `false`, and nothing changed, if it is already 0 or
/// the fixed header is not there.
pub fn decrement_hop_limit(packet: &mut [u8]) -> bool {
    if packet.len() < Ipv6::LEN || packet[7] == 0 {
        return false;
    }
    packet[7] -= 1;
    true
}

/// Sets the two ECN bits of an IPv6 packet, as a marking queue does (RFC 3168).
pub fn set_ecn(packet: &mut [u8], ecn: u8) {
    if packet.len() >= Ipv6::LEN {
        packet[1] = packet[1] & 0xcf | (ecn & 3) << 4;
    }
}

#[cfg(test)]
pub(crate) mod tests;
