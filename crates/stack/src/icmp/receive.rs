//! Errors heard: what they mean, and which packet of ours they are about.

use core::net::{IpAddr, SocketAddr};

use crate::header::{Header, Upper, protocol};
use crate::icmp::IcmpErrorKind;

/// The packet that an ICMP error quotes, as far as it was quoted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quote {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) protocol: u8,
    /// Bytes of the packet before it was cut for quoting.
    pub(crate) total_len: usize,
    /// The first eight bytes of the upper layer.
    pub(crate) upper: [u8; 8],
}

impl Quote {
    /// Reads the quoted packet; `None` if it ends before the upper layer's first eight bytes, or is a later fragment.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Quote> {
        let header = Header::parse_quoted(bytes)?;
        if header.fragment.0 != 0 {
            return None;
        }
        let (protocol, at) = match header.upper(bytes) {
            Upper::Protocol { protocol, at, .. } => (protocol, at),
            Upper::Fragment { offset: 0, header, .. } => (header.next_header, header.header_at + 8),
            _ => return None,
        };
        let upper = *bytes.get(at..)?.first_chunk()?;
        Some(Quote { src: header.src, dst: header.dst, protocol, total_len: header.total_len, upper })
    }

    /// Where the packet came from; the port is 0 for protocols without.
    pub(crate) fn source(&self) -> SocketAddr {
        SocketAddr::new(self.src, self.port(0))
    }

    /// Where the packet went; the port is 0 for protocols without.
    pub(crate) fn destination(&self) -> SocketAddr {
        SocketAddr::new(self.dst, self.port(2))
    }

    /// The identifier of an echo request.
    pub(crate) fn echo_identifier(&self) -> Option<u16> {
        let request = match self.protocol {
            protocol::ICMPV4 => 8,
            protocol::ICMPV6 => 128,
            _ => return None,
        };
        (self.upper[0] == request).then(|| u16::from_be_bytes([self.upper[4], self.upper[5]]))
    }

    fn port(&self, at: usize) -> u16 {
        match self.protocol {
            protocol::TCP | protocol::UDP => u16::from_be_bytes([self.upper[at], self.upper[at + 1]]),
            _ => 0,
        }
    }
}

impl IcmpErrorKind {
    /// What an ICMP message of that type and code says if it is an error; `rest` are its bytes 4 to 7.
    pub fn of(v6: bool, icmp_type: u8, code: u8, rest: [u8; 4]) -> Option<IcmpErrorKind> {
        use IcmpErrorKind as Kind;
        if v6 {
            return Some(match (icmp_type, code) {
                // RFC 4443 3.1: 1 prohibited, 5 policy on the source, 6 reject route, 7 error in source routing header.
                (1, 1 | 5 | 6) => Kind::AdministrativelyProhibited,
                (1, 2 | 3) => Kind::HostUnreachable,
                (1, 4) => Kind::PortUnreachable,
                (1, 7) => Kind::SourceRouteFailed,
                (1, _) => Kind::NetworkUnreachable,
                (2, _) => Kind::PacketTooBig { mtu: u32::from_be_bytes(rest) },
                (3, 1) => Kind::ReassemblyTimeExceeded,
                (3, _) => Kind::TimeExceeded,
                (4, 1) => Kind::ProtocolUnreachable,
                (4, _) => Kind::ParameterProblem,
                _ => return None,
            });
        }
        Some(match (icmp_type, code) {
            // RFC 1122 3.2.2.1, RFC 1812 5.2.7.1.
            (3, 1 | 7 | 8 | 12) => Kind::HostUnreachable,
            (3, 2) => Kind::ProtocolUnreachable,
            (3, 3) => Kind::PortUnreachable,
            (3, 4) => Kind::PacketTooBig { mtu: u32::from(u16::from_be_bytes([rest[2], rest[3]])) },
            (3, 5) => Kind::SourceRouteFailed,
            (3, 9 | 10 | 13 | 14 | 15) => Kind::AdministrativelyProhibited,
            (3, _) => Kind::NetworkUnreachable,
            (11, 1) => Kind::ReassemblyTimeExceeded,
            (11, _) => Kind::TimeExceeded,
            (12, _) => Kind::ParameterProblem,
            _ => return None,
        })
    }
}
