//! A resolver's questions under way: each exchange has a socket and a port of its own.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use thru_names::resolver::{ExchangeId, Input};
use thru_net::{ConnectOptions, Network, UdpEvent, UdpSocket};
use thru_wire::Instant;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::exchange::{bind_for, receive_framed, send_framed};

/// Messages from all sockets that wait to be handled; beyond it, the sockets wait.
const WAITING_MAX: usize = 1024;
/// A connection to a name server that takes longer is of no use: the resolver has moved on.
const CONNECT_LIMIT: Duration = Duration::from_secs(6);
/// Ports below are other programs' (RFC 6335 section 6).
const PORT_MIN: u16 = 1024;
/// Random ports tried before the kernel is asked for one.
const PORT_TRIES: usize = 8;

/// The sockets of a resolver's exchanges. Dropping them closes them.
#[derive(Debug)]
pub struct Exchanges {
    network: Network,
    open: BTreeMap<ExchangeId, AbortHandle>,
    sockets: JoinSet<()>,
    sender: mpsc::Sender<Arrival>,
}

/// Something a socket had to say.
#[derive(Debug)]
pub struct Arrival {
    exchange: ExchangeId,
    /// When the frame arrived, not when it was looked at: round trips are measured by it.
    pub at: Instant,
    event: Event,
}

#[derive(Debug)]
enum Event {
    Message(SocketAddr, Vec<u8>),
    Unreachable(String),
}

impl Arrival {
    /// What the resolver is to be told.
    pub fn input(&self) -> Input<'_> {
        let exchange = self.exchange;
        match &self.event {
            Event::Message(from, message) => Input::Response { exchange, from: *from, message },
            Event::Unreachable(why) => Input::Unreachable { exchange, why: why.clone() },
        }
    }
}

impl Exchanges {
    /// None yet; and where what they hear comes out.
    pub fn new(network: &Network) -> (Exchanges, mpsc::Receiver<Arrival>) {
        let (sender, arrivals) = mpsc::channel(WAITING_MAX);
        let network = network.clone();
        (Exchanges { network, open: BTreeMap::new(), sockets: JoinSet::new(), sender }, arrivals)
    }

    /// Sends a message from a fresh socket and listens there until [`Exchanges::end`].
    pub fn begin(&mut self, exchange: ExchangeId, to: SocketAddr, over_tcp: bool, message: Vec<u8>) {
        let speaker = Speaker { network: self.network.clone(), sender: self.sender.clone(), exchange, to };
        let socket = if over_tcp {
            self.sockets.spawn(speaker.over_tcp(message))
        } else {
            self.sockets.spawn(speaker.over_udp(message))
        };
        self.open.insert(exchange, socket);
        while self.sockets.try_join_next().is_some() {}
    }

    /// Closes the socket of an exchange.
    pub fn end(&mut self, exchange: ExchangeId) {
        if let Some(socket) = self.open.remove(&exchange) {
            socket.abort();
        }
        while self.sockets.try_join_next().is_some() {}
    }

    /// Exchanges under way.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

/// A socket towards `server` whose port a forger has to guess (RFC 5452 section 9.2). Our own stack draws ports over
/// the whole range by itself; the kernel, asked for any, draws from fewer than half of them.
async fn bind_unguessable(network: &Network, server: SocketAddr) -> io::Result<UdpSocket> {
    if network.name() != "host" {
        return bind_for(network, server).await;
    }
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    for _ in 0..PORT_TRIES {
        let Some(port) = port_from(&network.random("dns port")) else { continue };
        match network.bind_udp(SocketAddr::new(any, port)).await {
            Err(error) if matches!(error.kind(), ErrorKind::AddrInUse | ErrorKind::PermissionDenied) => {}
            other => return other,
        }
    }
    bind_for(network, server).await
}

/// A port from 1024 up, each with the same chance; `None`: these octets give none.
fn port_from(random: &[u8; 32]) -> Option<u16> {
    // A reserved port is drawn once in 64 times; sixteen times in a row it never is.
    random.as_chunks::<2>().0.iter().map(|octets| u16::from_be_bytes(*octets)).find(|port| *port >= PORT_MIN)
}

/// The task of one exchange.
struct Speaker {
    network: Network,
    sender: mpsc::Sender<Arrival>,
    exchange: ExchangeId,
    to: SocketAddr,
}

impl Speaker {
    async fn say(&self, at: Instant, event: Event) {
        // The driver is gone: so is the need.
        let _ = self.sender.send(Arrival { exchange: self.exchange, at, event }).await;
    }

    async fn unreachable(&self, why: String) {
        self.say(self.network.now(), Event::Unreachable(why)).await;
    }

    async fn over_udp(self, message: Vec<u8>) {
        let socket = match bind_unguessable(&self.network, self.to).await {
            Ok(socket) => socket,
            Err(error) => return self.unreachable(format!("cannot open a socket: {error}")).await,
        };
        if let Err(error) = socket.send_to(&message, self.to).await {
            return self.unreachable(error.to_string()).await;
        }
        loop {
            match socket.receive_event().await {
                Ok(UdpEvent::Datagram(received)) => {
                    self.say(received.at, Event::Message(received.from, received.payload.to_vec())).await;
                }
                Ok(UdpEvent::Icmp(report)) => {
                    let what = crate::connect::icmp_words(report.kind);
                    return self.unreachable(format!("{what} told by {}", report.from)).await;
                }
                Err(error) => return self.unreachable(error.to_string()).await,
            }
        }
    }

    async fn over_tcp(self, message: Vec<u8>) {
        let options =
            ConnectOptions { limit: Some(CONNECT_LIMIT), nodelay: true, ..ConnectOptions::default() };
        let mut stream = match self.network.connect_tcp(self.to, options).await {
            Ok(stream) => stream,
            Err(error) => return self.unreachable(error.to_string()).await,
        };
        if let Err(error) = send_framed(&mut stream, &message).await {
            return self.unreachable(error.to_string()).await;
        }
        loop {
            match receive_framed(&mut stream).await {
                Ok(Some(message)) => self.say(self.network.now(), Event::Message(self.to, message)).await,
                Ok(None) => return self.unreachable("the connection was closed".into()).await,
                Err(error) => return self.unreachable(error.to_string()).await,
            }
        }
    }
}

#[cfg(test)]
mod tests;
