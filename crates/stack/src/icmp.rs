//! ICMP errors told and heard.
//!
//! - [`IcmpReport`]: an error that came back, for the socket whose packet it quotes.
//! - `send`: which errors may be told, and what they quote.
//! - `receive`: what an error means, and which packet of ours it is about.
//! - `path_mtu`: what "too big" teaches.
//! - `limit`: how many may leave in a second.

use core::net::{IpAddr, SocketAddr};

use thru_wire::Instant;

pub(crate) mod limit;
pub(crate) mod path_mtu;
pub(crate) mod receive;
pub(crate) mod send;

/// An ICMP error that came back, after its quoted packet was matched to a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IcmpReport {
    /// Arrival of the frame that brought it.
    pub at: Instant,
    /// Who sent it; one of our own addresses if this host itself could not deliver the packet.
    pub from: IpAddr,
    /// What it says.
    pub kind: IcmpErrorKind,
    /// ICMP type as on the wire (version-specific).
    pub icmp_type: u8,
    /// ICMP code.
    pub icmp_code: u8,
    /// Destination of the quoted packet.
    pub quoted_destination: SocketAddr,
    /// Source port of the quoted packet.
    pub quoted_source_port: u16,
    /// Source address of the quoted packet: the address of ours that sent it. Unspecified where a kernel hides it.
    pub quoted_source: IpAddr,
    /// TTL / hop limit at which the error arrived here.
    pub ttl: u8,
}

impl IcmpReport {
    /// Whether it says that the destination can't be reached at all, not only what was asked for there.
    pub(crate) fn says_unreachable(&self) -> bool {
        matches!(self.kind, IcmpErrorKind::NetworkUnreachable | IcmpErrorKind::HostUnreachable)
    }
}

/// The meaning of an ICMP error, the same for both versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IcmpErrorKind {
    /// No route to the destination's network.
    NetworkUnreachable,
    /// The last router could not reach the host.
    HostUnreachable,
    /// The host does not speak the protocol.
    ProtocolUnreachable,
    /// Nobody listens on the port.
    PortUnreachable,
    /// With the next hop's MTU (RFC 1191, RFC 8201).
    PacketTooBig {
        /// In bytes of IP packet; 0 if an old router did not say.
        mtu: u32,
    },
    /// A source route could not be followed.
    SourceRouteFailed,
    /// A filter forbids it.
    AdministrativelyProhibited,
    /// The TTL or hop limit ran out on the way.
    TimeExceeded,
    /// Fragments were missing when their time was over.
    ReassemblyTimeExceeded,
    /// A header field could not be understood.
    ParameterProblem,
}
