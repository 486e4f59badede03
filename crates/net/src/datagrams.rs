//! UDP for servers, over any network: many datagrams at a time where the kernel carries them.

use std::io;
use std::net::SocketAddr;

use thru_os::batch::{self, BatchSocket};
pub use thru_os::batch::{Inbox, Outbox, Peer};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::network::{Kind, Network};
use crate::udp::UdpSocket;

/// A server's UDP socket.
#[derive(Debug)]
pub struct Datagrams {
    socket: Socket,
    local: SocketAddr,
}

#[derive(Debug)]
enum Socket {
    Kernel(AsyncFd<BatchSocket>),
    Own(UdpSocket),
}

impl Datagrams {
    /// Binds to an address; port 0 means any. On the wildcard of the host's network answers leave from the address
    /// that was asked; our own stack chooses one by its routes. With `shared`, several sockets may have that address on the host's
    /// network, and the kernel deals the clients out among them.
    pub async fn bind(network: &Network, local: SocketAddr, shared: bool) -> io::Result<Datagrams> {
        match &network.0 {
            Kind::Kernel => {
                let socket = BatchSocket::bind(local, shared)?;
                let local = socket.local_addr()?;
                Ok(Datagrams { socket: Socket::Kernel(batch::register(socket)?), local })
            }
            Kind::Own(_) => {
                let socket = network.bind_udp(local).await?;
                Ok(Datagrams { local: socket.local_addr(), socket: Socket::Own(socket) })
            }
        }
    }

    /// The address bound to, with the real port.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Waits until something came, and puts what is there into the inbox.
    pub async fn receive(&self, inbox: &mut Inbox) -> io::Result<()> {
        match &self.socket {
            Socket::Kernel(socket) => {
                socket.async_io(Interest::READABLE, |socket| socket.receive(inbox)).await
            }
            Socket::Own(socket) => {
                let received = socket.receive().await?;
                inbox.only(received.from, &received.payload);
                Ok(())
            }
        }
    }

    /// Sends what is in the outbox and empties it. What can't be sent is lost, as datagrams are.
    pub async fn send(&self, outbox: &mut Outbox) -> io::Result<()> {
        match &self.socket {
            Socket::Kernel(socket) => {
                let mut sent = 0;
                while sent < outbox.len() {
                    sent = socket.async_io(Interest::WRITABLE, |socket| socket.send(outbox, sent)).await?;
                }
            }
            Socket::Own(socket) => {
                for (to, payload) in outbox.iter() {
                    // Its receiver's business: no way there, or too large.
                    let _ = socket.send_to(payload, to.address).await;
                }
            }
        }
        outbox.clear();
        Ok(())
    }
}
