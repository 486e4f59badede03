//! UDP sockets of our own stack.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use thru_stack::udp::{UdpError, UdpId, UdpSend};

use super::{Driver, OwnNetwork, with};
use crate::udp::{Received, SendOptions, Socket as AnySocket, UdpEvent, UdpSocket};

pub(crate) fn bind(own: &Arc<OwnNetwork>, local: SocketAddr) -> io::Result<UdpSocket> {
    let (id, local) = own
        .with(|host, _| {
            let id = host.udp_bind(local)?;
            Ok((id, host.udp_local_addr(id).unwrap_or(local)))
        })
        .map_err(io_error)?;
    Ok(UdpSocket(AnySocket::Own(Socket { driver: own.driver.clone(), id, local })))
}

/// One socket. Dropping it closes it.
pub struct Socket {
    driver: Arc<dyn Driver>,
    id: UdpId,
    local: SocketAddr,
}

impl Socket {
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn send(&self, payload: &[u8], to: SocketAddr, options: SendOptions) -> io::Result<()> {
        let send = UdpSend {
            to,
            from: None,
            payload,
            ttl: options.ttl,
            ecn: options.ecn,
            dont_fragment: options.dont_fragment,
        };
        with(&*self.driver, |host, now| host.udp_send(now, self.id, send)).map_err(io_error)
    }

    /// One task at a time: the last waker is the one that is woken.
    pub(crate) fn poll_event(&self, cx: &mut Context<'_>) -> Poll<io::Result<UdpEvent>> {
        with(&*self.driver, |host, _| {
            if let Some(report) = host.udp_error(self.id) {
                return Poll::Ready(Ok(UdpEvent::Icmp(report)));
            }
            match host.udp_receive(self.id) {
                Some(datagram) => Poll::Ready(Ok(UdpEvent::Datagram(Received {
                    from: datagram.from,
                    payload: datagram.payload,
                    ttl: Some(datagram.ttl),
                    ecn: datagram.ecn,
                    at: datagram.rx_time,
                }))),
                None => {
                    host.udp_waker(self.id, cx.waker());
                    Poll::Pending
                }
            }
        })
    }
}

fn io_error(error: UdpError) -> io::Error {
    match error {
        UdpError::AddressInUse => io::ErrorKind::AddrInUse.into(),
        UdpError::AddressNotAvailable => io::ErrorKind::AddrNotAvailable.into(),
        UdpError::NoRoute => io::Error::new(io::ErrorKind::NetworkUnreachable, "no route to the destination"),
        UdpError::TooBig { mtu } => io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("datagram larger than the path's MTU of {mtu} bytes"),
        ),
        UdpError::NoPorts => io::Error::new(io::ErrorKind::AddrInUse, "no local port is free"),
        other => io::Error::other(format!("{other:?}")),
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        with(&*self.driver, |host, _| host.udp_close(self.id));
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Socket({})", self.local)
    }
}
