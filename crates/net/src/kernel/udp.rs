//! UDP sockets of the kernel.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;

use crate::udp::{Received, SendOptions, Socket as AnySocket, UdpEvent, UdpSocket};

/// The largest datagram there can be.
const LARGEST: usize = 65_535;

pub(crate) async fn bind(local: SocketAddr) -> io::Result<UdpSocket> {
    let socket = tokio::net::UdpSocket::bind(local).await?;
    let local = socket.local_addr()?;
    Ok(UdpSocket(AnySocket::Kernel(Socket { socket, local })))
}

/// One socket.
#[derive(Debug)]
pub struct Socket {
    socket: tokio::net::UdpSocket,
    local: SocketAddr,
}

impl Socket {
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    pub(crate) async fn send(&self, payload: &[u8], to: SocketAddr, _options: SendOptions) -> io::Result<()> {
        self.socket.send_to(payload, to).await?;
        Ok(())
    }

    pub(crate) async fn receive_event(&self) -> io::Result<UdpEvent> {
        let mut buffer = vec![0; LARGEST];
        let (len, from) = self.socket.recv_from(&mut buffer).await?;
        buffer.truncate(len);
        Ok(UdpEvent::Datagram(Received {
            from,
            payload: Bytes::from(buffer),
            ttl: None,
            ecn: 0,
            at: thru_os::clock::now(),
        }))
    }
}
