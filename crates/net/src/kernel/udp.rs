//! UDP sockets of the kernel.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use thru_os::datagram::{self, DatagramSocket, ErrorMessage, SendWishes};
use thru_stack::icmp::IcmpReport;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::icmp::error_kind;
use crate::udp::{Received, SendOptions, Socket as AnySocket, UdpEvent, UdpSocket};

pub(crate) async fn bind(local: SocketAddr) -> io::Result<UdpSocket> {
    let socket = DatagramSocket::udp(local)?;
    let local = socket.local_addr()?;
    let socket = datagram::register(socket)?;
    Ok(UdpSocket(AnySocket::Kernel(Socket { socket, local, dont_fragment: AtomicBool::new(false) })))
}

/// One socket.
#[derive(Debug)]
pub struct Socket {
    socket: AsyncFd<DatagramSocket>,
    local: SocketAddr,
    dont_fragment: AtomicBool,
}

impl Socket {
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    pub(crate) async fn send(&self, payload: &[u8], to: SocketAddr, options: SendOptions) -> io::Result<()> {
        if self.dont_fragment.swap(options.dont_fragment, Ordering::Relaxed) != options.dont_fragment {
            self.socket.get_ref().set_dont_fragment(options.dont_fragment)?;
        }
        let wishes = SendWishes { ttl: options.ttl, ecn: options.ecn };
        send(&self.socket, payload, to, wishes).await
    }

    pub(crate) async fn receive_event(&self) -> io::Result<UdpEvent> {
        match receive(&self.socket).await? {
            Heard::Error(error) => Ok(UdpEvent::Icmp(report(&error, self.local.port()))),
            Heard::Message(message) => Ok(UdpEvent::Datagram(Received {
                from: message.from,
                payload: Bytes::from(message.payload),
                ttl: message.ttl,
                ecn: message.ecn,
                at: thru_os::clock::now(),
            })),
        }
    }
}

/// What a kernel socket had to say.
pub(super) enum Heard {
    Message(thru_os::datagram::Message),
    Error(ErrorMessage),
}

pub(super) async fn send(
    socket: &AsyncFd<DatagramSocket>,
    payload: &[u8],
    to: SocketAddr,
    wishes: SendWishes,
) -> io::Result<()> {
    socket.async_io(Interest::WRITABLE, |socket| socket.send(payload, to, wishes)).await
}

pub(super) async fn receive(socket: &AsyncFd<DatagramSocket>) -> io::Result<Heard> {
    let either = Interest::READABLE | Interest::ERROR;
    socket
        .async_io(either, |socket| match socket.receive_error() {
            Ok(error) => Ok(Heard::Error(error)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => socket.receive().map(Heard::Message),
            Err(error) => Err(error),
        })
        .await
}

/// The kernel's word for an ICMP error as ours.
pub(crate) fn report(error: &ErrorMessage, source_port: u16) -> IcmpReport {
    let v6 = error.destination.is_ipv6();
    IcmpReport {
        at: thru_os::clock::now(),
        // An error that arose here has no sender: it is ours.
        from: error.from.unwrap_or(error.destination.ip()),
        kind: error_kind(v6, error.icmp_type, error.icmp_code, error.info),
        icmp_type: error.icmp_type,
        icmp_code: error.icmp_code,
        quoted_destination: error.destination,
        quoted_source_port: source_port,
        // The kernel does not tell which of our addresses it was.
        quoted_source: if v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() },
        ttl: 0,
    }
}

/// The address as a socket address without a port.
pub(super) fn without_port(address: IpAddr) -> SocketAddr {
    SocketAddr::new(address, 0)
}
