//! Raw sockets: whole IP packets of one protocol, or echo replies of one identifier (ping).

use bytes::Bytes;
use thru_wire::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawId(pub(crate) u64);

/// What a raw socket receives copies of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawProtocol {
    /// All IPv4 packets of this protocol number.
    Ipv4(u8),
    /// All IPv6 packets with this next header.
    Ipv6(u8),
    /// ICMP errors and echo replies of IPv4 that belong to echo identifier `.0`, and nothing else.
    PingV4(u16),
    /// The same for ICMPv6.
    PingV6(u16),
}

#[derive(Clone, Debug)]
pub struct RawPacket { /** The whole IP packet. */ pub packet: Bytes, pub rx_time: Instant }

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RawError { NoRoute, Malformed, Closed, TooBig { mtu: usize } }
