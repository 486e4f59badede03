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
    /// UDP (RFC 768).
    Udp,
    /// TCP (RFC 9293).
    Tcp,
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
