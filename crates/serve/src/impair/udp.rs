//! Datagrams through a wire of the simulator's: lost, late, twice, damaged, out of order.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use thru_net::lab::real::wire::{Arrivals, End, Wire};
use thru_net::{Network, UdpSocket};
use tokio::task::JoinSet;

/// Clients at a time; who was silent longest is forgotten for a new one.
const CLIENTS_MAX: usize = 4_096;

/// Carries datagrams between clients of `listener` (at the wire's end A) and `upstream` (at its end B), until the
/// listener fails. Each client has a socket of its own towards the upstream, so that answers find back.
pub async fn run(
    network: &Network,
    listener: UdpSocket,
    upstream: SocketAddr,
    wire: Arc<Wire>,
    arrivals: [Arrivals; 2],
) -> io::Result<()> {
    let [mut to_clients, mut to_upstream] = arrivals;
    let mut clients = Clients::default();
    loop {
        tokio::select! {
            biased;
            arrival = to_upstream.next() => match arrival {
                Some((tag, payload)) => clients.forward(network, upstream, &wire, tag, &payload).await?,
                None => return Ok(()),
            },
            arrival = to_clients.next() => match arrival {
                Some((tag, payload)) => {
                    if let Some(address) = clients.address(tag) {
                        // What can't be sent now is lost, as datagrams may be.
                        let _ = listener.send_to(&payload, address).await;
                    }
                }
                None => return Ok(()),
            },
            received = listener.receive() => {
                let received = received?;
                let tag = clients.tag(received.from);
                wire.send(End::A, tag, &received.payload);
            }
        }
    }
}

/// Who has spoken, by the tag its datagrams have on the wire.
#[derive(Default)]
struct Clients {
    by_address: BTreeMap<SocketAddr, u32>,
    by_tag: BTreeMap<u32, Client>,
    last_tag: u32,
    /// Reads answers of the upstream.
    readers: JoinSet<()>,
    heard: u64,
}

struct Client {
    address: SocketAddr,
    /// Towards the upstream, once something has arrived there.
    socket: Option<Arc<UdpSocket>>,
    reader: Option<tokio::task::AbortHandle>,
    heard: u64,
}

impl Clients {
    fn address(&self, tag: u32) -> Option<SocketAddr> {
        self.by_tag.get(&tag).map(|client| client.address)
    }

    fn tag(&mut self, address: SocketAddr) -> u32 {
        self.heard += 1;
        let heard = self.heard;
        if let Some(tag) = self.by_address.get(&address) {
            if let Some(client) = self.by_tag.get_mut(tag) {
                client.heard = heard;
            }
            return *tag;
        }
        if self.by_tag.len() >= CLIENTS_MAX
            && let Some(oldest) =
                self.by_tag.iter().min_by_key(|(_, client)| client.heard).map(|(tag, _)| *tag)
            && let Some(client) = self.by_tag.remove(&oldest)
        {
            self.by_address.remove(&client.address);
            if let Some(reader) = client.reader {
                reader.abort();
            }
        }
        self.last_tag = self.last_tag.wrapping_add(1);
        let tag = self.last_tag;
        self.by_address.insert(address, tag);
        self.by_tag.insert(tag, Client { address, socket: None, reader: None, heard });
        tag
    }

    /// What has come through the wire goes on to the upstream.
    async fn forward(
        &mut self,
        network: &Network,
        upstream: SocketAddr,
        wire: &Arc<Wire>,
        tag: u32,
        payload: &Bytes,
    ) -> io::Result<()> {
        while self.readers.try_join_next().is_some() {}
        let Some(client) = self.by_tag.get_mut(&tag) else { return Ok(()) };
        let socket = match &client.socket {
            Some(socket) => socket.clone(),
            None => {
                let any: IpAddr = if upstream.is_ipv6() {
                    Ipv6Addr::UNSPECIFIED.into()
                } else {
                    Ipv4Addr::UNSPECIFIED.into()
                };
                let socket = Arc::new(network.bind_udp(SocketAddr::new(any, 0)).await?);
                let reader = self.readers.spawn(answers(socket.clone(), upstream, wire.clone(), tag));
                (client.socket, client.reader) = (Some(socket.clone()), Some(reader));
                socket
            }
        };
        let _ = socket.send_to(payload, upstream).await;
        Ok(())
    }
}

/// Answers of the upstream go back over the wire.
async fn answers(socket: Arc<UdpSocket>, upstream: SocketAddr, wire: Arc<Wire>, tag: u32) {
    while let Ok(received) = socket.receive().await {
        if received.from == upstream {
            wire.send(End::B, tag, &received.payload);
        }
    }
}
