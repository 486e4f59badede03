//! Why bytes could not be understood.

use core::fmt;

/// The layer whose header could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Layer {
    /// Ethernet II, with 802.1Q tags.
    Ethernet,
    /// ARP (RFC 826).
    Arp,
    /// IPv4 (RFC 791).
    Ipv4,
    /// IPv6 (RFC 8200) and its extension headers.
    Ipv6,
    /// ICMP for IPv4 (RFC 792).
    Icmpv4,
    /// ICMP for IPv6 (RFC 4443).
    Icmpv6,
    /// Neighbour discovery (RFC 4861).
    Ndp,
    /// Multicast listener discovery (RFC 9777).
    Mld,
    /// UDP (RFC 768).
    Udp,
    /// TCP (RFC 9293).
    Tcp,
    /// DHCP for IPv4 (RFC 2131).
    Dhcp,
}

impl Layer {
    /// The protocol's usual name.
    pub const fn name(self) -> &'static str {
        match self {
            Layer::Ethernet => "Ethernet",
            Layer::Arp => "ARP",
            Layer::Ipv4 => "IPv4",
            Layer::Ipv6 => "IPv6",
            Layer::Icmpv4 => "ICMP",
            Layer::Icmpv6 => "ICMPv6",
            Layer::Ndp => "NDP",
            Layer::Mld => "MLD",
            Layer::Udp => "UDP",
            Layer::Tcp => "TCP",
            Layer::Dhcp => "DHCP",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who said that more bytes would follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClaimedBy {
    /// The fixed part of the header itself.
    FixedHeader,
    /// IPv4's header length (IHL).
    Ipv4HeaderLength,
    /// IPv4's total length.
    Ipv4TotalLength,
    /// IPv6's payload length.
    Ipv6PayloadLength,
    /// The length field of an IPv6 extension header.
    Ipv6ExtensionLength,
    /// UDP's length.
    UdpLength,
    /// TCP's data offset.
    TcpDataOffset,
    /// The length byte of an option.
    OptionLength,
    /// ARP's address length fields.
    ArpAddressLength,
    /// The length of the quoted packet in an ICMP error (RFC 4884).
    IcmpQuoteLength,
    /// A count of records or sources in an MLD message.
    MldCount,
}

impl fmt::Display for ClaimedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ClaimedBy::FixedHeader => "the fixed header",
            ClaimedBy::Ipv4HeaderLength => "IPv4's header length",
            ClaimedBy::Ipv4TotalLength => "IPv4's total length",
            ClaimedBy::Ipv6PayloadLength => "IPv6's payload length",
            ClaimedBy::Ipv6ExtensionLength => "an extension header's length",
            ClaimedBy::UdpLength => "UDP's length",
            ClaimedBy::TcpDataOffset => "TCP's data offset",
            ClaimedBy::OptionLength => "an option's length",
            ClaimedBy::ArpAddressLength => "ARP's address lengths",
            ClaimedBy::IcmpQuoteLength => "the ICMP length field",
            ClaimedBy::MldCount => "an MLD count",
        })
    }
}

/// Bytes that are not what they claim to be. It completes "failed to read the packet: ...".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// Fewer bytes than needed.
    Truncated {
        /// The layer whose header wanted them.
        layer: Layer,
        /// Offset, within that layer's bytes, of the part that does not fit.
        at: usize,
        /// Bytes needed from `at` on.
        need: usize,
        /// Bytes there from `at` on.
        have: usize,
        /// The field that claimed they would be there.
        claimed_by: ClaimedBy,
    },
    /// A field holds a value that the format does not allow.
    Illegal {
        /// The layer whose field it is.
        layer: Layer,
        /// Offset of the field within that layer's bytes.
        at: usize,
        /// What is wrong, as a phrase: "version is not 4".
        what: &'static str,
    },
    /// The checksum does not match the bytes.
    Checksum {
        /// The layer whose checksum it is.
        layer: Layer,
    },
}

impl ParseError {
    /// The layer that could not be read.
    pub const fn layer(&self) -> Layer {
        match self {
            ParseError::Truncated { layer, .. }
            | ParseError::Illegal { layer, .. }
            | ParseError::Checksum { layer } => *layer,
        }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParseError::Truncated { layer, at, need, have, claimed_by } => {
                let bytes = if *need == 1 { "byte" } else { "bytes" };
                write!(
                    f,
                    "{layer} is cut short: {need} {bytes} wanted at offset {at} (says {claimed_by}), {have} there"
                )
            }
            ParseError::Illegal { layer, at, what } => write!(f, "{layer}: {what} (offset {at})"),
            ParseError::Checksum { layer } => {
                write!(f, "{layer}: the checksum does not match the bytes")
            }
        }
    }
}

impl core::error::Error for ParseError {}

/// `Ok` if `bytes` holds the `need` bytes of a layer's fixed header.
#[inline]
pub(crate) fn fixed_header(layer: Layer, bytes: &[u8], need: usize) -> Result<(), ParseError> {
    claimed(layer, bytes, 0, need, ClaimedBy::FixedHeader)
}

/// `Ok` if `bytes` holds `need` bytes from `at` on.
#[inline]
pub(crate) fn claimed(
    layer: Layer,
    bytes: &[u8],
    at: usize,
    need: usize,
    claimed_by: ClaimedBy,
) -> Result<(), ParseError> {
    let have = bytes.len().saturating_sub(at);
    if have < need { Err(ParseError::Truncated { layer, at, need, have, claimed_by }) } else { Ok(()) }
}

/// The big-endian 16-bit field at `at`, which the caller has checked to be there.
#[inline]
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// The big-endian 32-bit field at `at`, which the caller has checked to be there.
#[inline]
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The IPv6 address at `at`, which the caller has checked to be there.
#[inline]
pub(crate) fn ipv6_at(bytes: &[u8], at: usize) -> core::net::Ipv6Addr {
    let mut octets = [0; 16];
    octets.copy_from_slice(&bytes[at..at + 16]);
    octets.into()
}

/// The IPv4 address at `at`, which the caller has checked to be there.
#[inline]
pub(crate) fn ipv4_at(bytes: &[u8], at: usize) -> core::net::Ipv4Addr {
    core::net::Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3])
}
