//! Pings and what answers them.

use std::io;
use std::net::IpAddr;

use bytes::Bytes;
use thru_stack::icmp::{IcmpErrorKind, IcmpReport};
use thru_wire::Instant;

use crate::{kernel, own};

/// A socket for echo requests of one address family. One task at a time may receive.
#[derive(Debug)]
pub struct IcmpSocket(pub(crate) Socket);

#[derive(Debug)]
pub(crate) enum Socket {
    Kernel(kernel::icmp::Socket),
    Own(own::icmp::Socket),
}

/// What comes back.
#[derive(Clone, Debug)]
pub enum IcmpEvent {
    /// An echo reply.
    Reply {
        /// Who answered.
        from: IpAddr,
        /// The number the request had.
        sequence: u16,
        /// TTL or hop limit on arrival, where it is known.
        ttl: Option<u8>,
        /// The request's payload, returned.
        payload: Bytes,
        /// When the frame arrived.
        at: Instant,
    },
    /// An ICMP error about one of our requests.
    Error {
        /// The error.
        report: IcmpReport,
        /// The number of the request, if enough of it was quoted.
        sequence: Option<u16>,
    },
}

impl IcmpSocket {
    /// Sends one echo request.
    pub async fn send_echo(
        &self,
        to: IpAddr,
        sequence: u16,
        ttl: Option<u8>,
        payload: &[u8],
    ) -> io::Result<()> {
        match &self.0 {
            Socket::Kernel(socket) => socket.send_echo(to, sequence, ttl, payload).await,
            Socket::Own(socket) => socket.send_echo(to, sequence, ttl, payload),
        }
    }

    /// The next answer.
    pub async fn receive(&self) -> io::Result<IcmpEvent> {
        match &self.0 {
            Socket::Kernel(socket) => socket.receive().await,
            Socket::Own(socket) => std::future::poll_fn(|cx| socket.poll_receive(cx)).await,
        }
    }
}

/// What an ICMP error means: RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1 and RFC 4443 3.
pub(crate) fn error_kind(v6: bool, icmp_type: u8, code: u8, info: u32) -> IcmpErrorKind {
    match (v6, icmp_type, code) {
        (false, 3, 1 | 7 | 12) => IcmpErrorKind::HostUnreachable,
        (false, 3, 2) => IcmpErrorKind::ProtocolUnreachable,
        (false, 3, 3) | (true, 1, 4) => IcmpErrorKind::PortUnreachable,
        (false, 3, 4) | (true, 2, _) => IcmpErrorKind::PacketTooBig { mtu: info },
        (false, 3, 5) => IcmpErrorKind::SourceRouteFailed,
        (false, 3, 9 | 10 | 13) | (true, 1, 1 | 5 | 6) => IcmpErrorKind::AdministrativelyProhibited,
        (true, 1, 3) => IcmpErrorKind::HostUnreachable,
        (false, 11, 1) | (true, 3, 1) => IcmpErrorKind::ReassemblyTimeExceeded,
        (false, 11, _) | (true, 3, _) => IcmpErrorKind::TimeExceeded,
        (false, 12, _) | (true, 4, _) => IcmpErrorKind::ParameterProblem,
        _ => IcmpErrorKind::NetworkUnreachable,
    }
}
