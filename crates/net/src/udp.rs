//! UDP sockets over any network.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use thru_stack::icmp::IcmpReport;
use thru_wire::Instant;

use crate::{kernel, own};

/// A UDP socket. All calls take `&self`; one task at a time may receive.
#[derive(Debug)]
pub struct UdpSocket(pub(crate) Socket);

#[derive(Debug)]
pub(crate) enum Socket {
    Kernel(kernel::udp::Socket),
    Own(own::udp::Socket),
}

/// Wishes for one datagram.
#[derive(Clone, Copy, Debug, Default)]
pub struct SendOptions {
    /// TTL or hop limit; `None`: the usual one.
    pub ttl: Option<u8>,
    /// The two ECN bits.
    pub ecn: u8,
    /// Never fragment; what is too large fails.
    pub dont_fragment: bool,
}

/// One datagram received.
#[derive(Clone, Debug)]
pub struct Received {
    /// Who sent it.
    pub from: SocketAddr,
    /// Its payload.
    pub payload: Bytes,
    /// TTL or hop limit on arrival, where it is known.
    pub ttl: Option<u8>,
    /// The two ECN bits.
    pub ecn: u8,
    /// When the frame arrived.
    pub at: Instant,
}

/// What a UDP socket can tell.
#[derive(Clone, Debug)]
pub enum UdpEvent {
    /// A datagram.
    Datagram(Received),
    /// An ICMP error about a datagram that this socket sent.
    Icmp(IcmpReport),
}

impl UdpSocket {
    /// The address bound to, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        match &self.0 {
            Socket::Kernel(socket) => socket.local_addr(),
            Socket::Own(socket) => socket.local_addr(),
        }
    }

    /// Sends one datagram.
    pub async fn send_to(&self, payload: &[u8], to: SocketAddr) -> io::Result<()> {
        self.send_with(payload, to, SendOptions::default()).await
    }

    /// Sends one datagram with wishes.
    pub async fn send_with(&self, payload: &[u8], to: SocketAddr, options: SendOptions) -> io::Result<()> {
        match &self.0 {
            Socket::Kernel(socket) => socket.send(payload, to, options).await,
            Socket::Own(socket) => socket.send(payload, to, options),
        }
    }

    /// The next datagram; ICMP errors are skipped.
    pub async fn receive(&self) -> io::Result<Received> {
        loop {
            if let UdpEvent::Datagram(received) = self.receive_event().await? {
                return Ok(received);
            }
        }
    }

    /// The next datagram, or the next ICMP error about one we sent.
    pub async fn receive_event(&self) -> io::Result<UdpEvent> {
        match &self.0 {
            Socket::Kernel(socket) => socket.receive_event().await,
            Socket::Own(socket) => std::future::poll_fn(|cx| socket.poll_event(cx)).await,
        }
    }

    /// The socket of our own stack, for hand-written futures.
    pub(crate) fn own(&self) -> Option<&own::udp::Socket> {
        match &self.0 {
            Socket::Kernel(_) => None,
            Socket::Own(socket) => Some(socket),
        }
    }
}
