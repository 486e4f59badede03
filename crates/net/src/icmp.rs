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

/// What an ICMP error means; a type nobody has heard of is one that nobody can answer.
pub(crate) fn error_kind(v6: bool, icmp_type: u8, code: u8, info: u32) -> IcmpErrorKind {
    IcmpErrorKind::of(v6, icmp_type, code, info.to_be_bytes()).unwrap_or(IcmpErrorKind::ParameterProblem)
}
