//! A name server for real use: the machines of `names` behind every transport, on any network.
//!
//! - [`NameServer`]: start here; a [`Role`], listeners for each [`Transport`], and then [`NameServer::run`].
//! - [`Engine`]: the machine with what it waits for; clients of all transports meet there. Clones are the same engine.
//! - [`Statistics`], [`Logged`]: what it did; a line for each query. [`control`]: flush and statistics for other
//!   programs, through a socket in the file system.
//! - Rooms: `datagrams` (UDP, in batches), `streams` (TCP, and TLS), `https`, `quic`,
//!   `secured` (certificates), `dress` (EDNS options of a transport),
//!   `zones` (which zone a question is for), `signed` (zones that are signed here), `updates` (zones that clients change).
//!
//! [`crate::dns`] serves in labs and can misbehave on purpose; this does not.

pub mod control;
mod datagrams;
mod dress;
mod engine;
mod https;
mod quic;
mod secured;
mod signed;
mod statistics;
mod streams;
mod updates;
mod zones;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use thru_names::service::ServiceConfig;
use thru_net::datagrams::Datagrams;
use thru_net::{Network, TcpListener};
use tokio::task::JoinSet;

pub use engine::Engine;
pub use https::PATH;
pub use secured::Certificate;
pub use signed::SaveFn;
pub use statistics::{LogFn, Logged, Statistics};
pub use updates::JournalFn;
pub use zones::Zones;

/// Connections waiting to be accepted, per listener.
const BACKLOG: usize = 1024;

/// What the server does.
#[derive(Debug)]
pub enum Role {
    /// Resolves, from the root down or by asking others.
    Recursive(Box<ServiceConfig>),
    /// Answers for zones of its own.
    Authoritative(Zones),
}

/// How queries come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// Datagrams (RFC 1035 section 4.2.1).
    Udp,
    /// A connection (RFC 7766).
    Tcp,
    /// TLS (RFC 7858).
    Tls,
    /// HTTPS (RFC 8484), whatever the version of HTTP.
    Https,
    /// QUIC (RFC 9250).
    Quic,
}

impl Transport {
    /// All of them.
    pub const ALL: [Transport; 5] =
        [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Https, Transport::Quic];

    /// Whether others on the way can't read along.
    pub fn is_encrypted(self) -> bool {
        !matches!(self, Transport::Udp | Transport::Tcp)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
            Transport::Tls => "tls",
            Transport::Https => "https",
            Transport::Quic => "quic",
        })
    }
}

/// The kernel's randomness, for keys that need some to sign.
pub fn randomness() -> thru_names::dnssec::signing::Randomness {
    std::sync::Arc::new(ring::rand::SystemRandom::new())
}

/// A server with its ports.
#[derive(Debug)]
pub struct NameServer {
    network: Network,
    engine: Engine,
    arrivals: engine::Arrivals,
    datagrams: Vec<Datagrams>,
    streams: Vec<TcpListener>,
    /// Listeners of TLS and HTTPS, with what they show.
    secured: Vec<(TcpListener, Transport, Arc<ServerConfig>)>,
    /// Endpoints of HTTP/3 and DNS over QUIC.
    quic: Vec<(quinn::Endpoint, Transport)>,
}

impl NameServer {
    /// A server that listens nowhere yet.
    pub fn new(network: &Network, role: Role, log: Option<Box<LogFn>>) -> NameServer {
        let (engine, arrivals) = Engine::new(network, role, log);
        NameServer {
            network: network.clone(),
            engine,
            arrivals,
            datagrams: Vec::new(),
            streams: Vec::new(),
            secured: Vec::new(),
            quic: Vec::new(),
        }
    }

    /// Listens for UDP and TCP. On the host's network the wildcard will do, too: answers leave from the address that was
    /// asked. Gives the address with the real port, which is one for both.
    pub async fn listen(&mut self, local: SocketAddr) -> io::Result<SocketAddr> {
        let mut refused = None;
        // A port free for UDP may be taken for TCP: look for another, a few times.
        for _ in 0..16 {
            let datagrams = Datagrams::bind(&self.network, local, false).await?;
            let bound = datagrams.local_addr();
            match self.network.listen_tcp(bound, BACKLOG).await {
                Ok(streams) => {
                    self.datagrams.push(datagrams);
                    self.streams.push(streams);
                    return Ok(bound);
                }
                Err(error) if local.port() == 0 => refused = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(refused.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
    }

    /// Listens for DNS over TLS, HTTPS (with HTTP/3 on the same port of UDP) or QUIC. Gives the address with the real
    /// port.
    pub async fn listen_secured(
        &mut self,
        local: SocketAddr,
        transport: Transport,
        certificate: &Certificate,
    ) -> io::Result<SocketAddr> {
        let mut bound = local;
        if matches!(transport, Transport::Tls | Transport::Https) {
            let protocols: &[&[u8]] =
                if transport == Transport::Tls { &[b"dot"] } else { &[b"h2", b"http/1.1"] };
            let tls = certificate.server(&self.network, protocols)?;
            let listener = self.network.listen_tcp(local, BACKLOG).await?;
            bound = listener.local_addr();
            self.secured.push((listener, transport, tls));
        }
        if matches!(transport, Transport::Https | Transport::Quic) {
            let protocol: &[u8] = if transport == Transport::Quic { b"doq" } else { b"h3" };
            let config = certificate.quic(&self.network, protocol)?;
            let endpoint = thru_net::quic::endpoint(&self.network, bound, Some(config)).await?;
            bound = endpoint.local_addr()?;
            self.quic.push((endpoint, transport));
        }
        Ok(bound)
    }

    /// The engine, for statistics and flushes.
    pub fn engine(&self) -> Engine {
        self.engine.clone()
    }

    /// Serves until dropped. Returns when a socket fails.
    pub async fn run(self) -> io::Result<()> {
        let NameServer { network, engine, arrivals, datagrams, streams, secured, quic } = self;
        let mut tasks: JoinSet<io::Result<()>> = JoinSet::new();
        tasks.spawn(engine.clone().drive(arrivals));
        for (index, socket) in datagrams.into_iter().enumerate() {
            tasks.spawn(datagrams::serve(socket, index, engine.clone()));
        }
        for listener in streams {
            tasks.spawn(streams::plain(network.clone(), listener, engine.clone()));
        }
        for (listener, transport, tls) in secured {
            tasks.spawn(streams::secured(network.clone(), listener, transport, tls, engine.clone()));
        }
        for (endpoint, transport) in quic {
            if transport == Transport::Quic {
                tasks.spawn(quic::serve(network.clone(), endpoint, engine.clone()));
            } else {
                tasks.spawn(https::http3(network.clone(), endpoint, engine.clone()));
            }
        }
        while let Some(ended) = tasks.join_next().await {
            ended.map_err(io::Error::other)??;
        }
        Ok(())
    }
}
