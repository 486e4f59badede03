//! ICMP errors told and heard.

use core::net::{IpAddr, SocketAddr};
use thru_wire::Instant;

/// An ICMP error that came back, after its quoted packet was matched to a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IcmpReport {
    /// Arrival of the frame that brought it.
    pub at: Instant,
    /// Who sent it.
    pub from: IpAddr,
    /// What it says.
    pub kind: IcmpErrorKind,
    /// ICMP type and code as on the wire (version-specific).
    pub icmp_type: u8,
    /// ICMP code.
    pub icmp_code: u8,
    /// Destination of the quoted packet.
    pub quoted_destination: SocketAddr,
    /// Source port of the quoted packet.
    pub quoted_source_port: u16,
    /// TTL / hop limit at which the error arrived here.
    pub ttl: u8,
}

/// The meaning of an ICMP error, the same for both versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IcmpErrorKind {
    NetworkUnreachable, HostUnreachable, ProtocolUnreachable, PortUnreachable,
    /// With the next hop's MTU (RFC 1191, RFC 8201).
    PacketTooBig { mtu: u32 },
    SourceRouteFailed, AdministrativelyProhibited, TimeExceeded, ReassemblyTimeExceeded, ParameterProblem,
}
