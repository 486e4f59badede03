//! UDP sockets.

use core::net::SocketAddr;
use bytes::Bytes;
use thru_wire::Instant;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UdpId(pub(crate) u64);

/// One datagram to send.
#[derive(Clone, Debug)]
pub struct UdpSend<'a> {
    pub to: SocketAddr,
    /// Source address to use instead of the chosen one.
    pub from: Option<core::net::IpAddr>,
    pub payload: &'a [u8],
    pub ttl: Option<u8>,
    /// The two ECN bits.
    pub ecn: u8,
    /// Set DF / never fragment at the source; larger datagrams fail with `UdpError::TooBig`.
    pub dont_fragment: bool,
}

/// One datagram received.
#[derive(Clone, Debug)]
pub struct UdpDatagram {
    pub from: SocketAddr,
    /// The address it was sent to (matters on a wildcard socket).
    pub to: SocketAddr,
    pub payload: Bytes,
    pub ttl: u8,
    pub ecn: u8,
    pub rx_time: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UdpError { AddressInUse, AddressNotAvailable, NoRoute, TooBig { mtu: usize }, Closed, NoPorts }
