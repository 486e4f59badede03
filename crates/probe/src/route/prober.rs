//! How a probe is sent and how its answer is known: by the kernel's sockets, which need no privilege, or as whole
//! packets, which leave the flow to us.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use thru_net::{
    IcmpErrorKind, IcmpEvent, IcmpReport, IcmpSocket, KnockOutcome, Network, SendOptions, UdpEvent, UdpSocket,
};
use thru_wire::Instant;
use tokio::task::JoinSet;

use super::raw::Raw;
use super::{FlowControl, Method, RouteOptions};

/// A probe to send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    /// Its number, from 0; below 1 << 16.
    pub(super) number: u16,
    pub(super) ttl: u8,
    /// Which flow it belongs to.
    pub(super) flow: u16,
    /// Bytes of the whole IP packet; it may not be fragmented. `None`: a small one.
    pub(super) size: Option<usize>,
}

/// What came back.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    /// The probe it answers.
    pub(super) number: u16,
    pub(super) from: IpAddr,
    pub(super) at: Instant,
    pub(super) what: What,
    /// What it quotes is not what we sent: somebody between rewrites packets.
    pub(super) rewritten: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// An ICMP error.
    Error(IcmpErrorKind),
    /// The destination itself, in the protocol's own words.
    Destination,
}

/// Sends probes of one method.
pub(super) enum Prober {
    /// Each probe to a port of its own.
    Udp(UdpProber),
    Icmp {
        socket: IcmpSocket,
        target: IpAddr,
    },
    Tcp(TcpProber),
    Raw(Box<Raw>),
}

/// Where traceroute's probes have always gone: ports on which nobody listens.
const FIRST_PORT: u16 = 33_434;
/// Ports in use at a time.
const PORTS: u16 = 1_000;

impl Prober {
    /// The least privileged one that does what is asked for.
    pub(super) async fn open(
        network: &Network,
        target: IpAddr,
        options: &RouteOptions,
    ) -> io::Result<Prober> {
        let steady = options.flow != FlowControl::Classic;
        // The kernel's sockets can't tell one probe of a flow from the next, but by ICMP's sequence number.
        let whole = match options.method {
            Method::Udp => steady,
            Method::Icmp => matches!(options.flow, FlowControl::Dublin { .. }) || options.path_mtu,
            Method::Tcp => steady || network.name() != "host",
        };
        if whole {
            return Ok(Prober::Raw(Box::new(Raw::open(network, target, options).await?)));
        }
        Ok(match options.method {
            Method::Udp => Prober::Udp(UdpProber::open(network, target, options.port).await?),
            Method::Icmp => Prober::Icmp { socket: network.icmp(target).await?, target },
            Method::Tcp => {
                let remote = SocketAddr::new(target, options.port.unwrap_or(80));
                Prober::Tcp(TcpProber { network: network.clone(), remote, running: JoinSet::new() })
            }
        })
    }

    /// Sends a probe.
    pub(super) async fn send(&mut self, probe: Probe) -> io::Result<()> {
        match self {
            Prober::Udp(prober) => prober.send(probe).await,
            Prober::Icmp { socket, target } => {
                let payload = steady_payload(probe.number, 56);
                socket.send_echo(*target, probe.number, Some(probe.ttl), &payload).await
            }
            Prober::Tcp(prober) => {
                prober.send(probe);
                Ok(())
            }
            Prober::Raw(raw) => raw.send(probe).await,
        }
    }

    /// The next answer.
    pub(super) async fn reply(&mut self) -> io::Result<Reply> {
        match self {
            Prober::Udp(prober) => prober.reply().await,
            Prober::Icmp { socket, .. } => loop {
                match socket.receive().await? {
                    IcmpEvent::Reply { from, sequence, at, .. } => {
                        return Ok(Reply {
                            number: sequence,
                            from,
                            at,
                            what: What::Destination,
                            rewritten: false,
                        });
                    }
                    IcmpEvent::Error { report, sequence: Some(number) } => {
                        return Ok(of_report(number, &report));
                    }
                    IcmpEvent::Error { sequence: None, .. } => {}
                }
            },
            Prober::Tcp(prober) => prober.reply().await,
            Prober::Raw(raw) => raw.reply().await,
        }
    }
}

/// A payload that makes up for the sequence number: the checksum of all such echo requests is the same, and with it the
/// flow, where routers look at it.
pub(super) fn steady_payload(sequence: u16, length: usize) -> Vec<u8> {
    let mut payload = vec![0; length.max(2)];
    payload[..2].copy_from_slice(&(!sequence).to_be_bytes());
    payload
}

fn of_report(number: u16, report: &IcmpReport) -> Reply {
    Reply { number, from: report.from, at: report.at, what: What::Error(report.kind), rewritten: false }
}

/// UDP by an ordinary socket.
pub(super) struct UdpProber {
    socket: UdpSocket,
    target: IpAddr,
    /// Always this port: then probes go one by one, for nothing else tells them apart.
    port: Option<u16>,
    /// Destination port to the probe that went there last.
    sent: BTreeMap<u16, u16>,
}

impl UdpProber {
    async fn open(network: &Network, target: IpAddr, port: Option<u16>) -> io::Result<UdpProber> {
        let any: IpAddr =
            if target.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
        let socket = network.bind_udp(SocketAddr::new(any, 0)).await?;
        Ok(UdpProber { socket, target, port, sent: BTreeMap::new() })
    }

    async fn send(&mut self, probe: Probe) -> io::Result<()> {
        let first = self.port.unwrap_or(FIRST_PORT);
        let port = first.saturating_add(probe.number % PORTS);
        self.sent.insert(port, probe.number);
        let headers = if self.target.is_ipv6() { 48 } else { 28 };
        let length = probe.size.map_or(32, |size| size.saturating_sub(headers));
        let wishes = SendOptions {
            ttl: Some(probe.ttl),
            dont_fragment: probe.size.is_some(),
            ..SendOptions::default()
        };
        self.socket.send_with(&vec![0; length], SocketAddr::new(self.target, port), wishes).await
    }

    async fn reply(&mut self) -> io::Result<Reply> {
        loop {
            let (port, reply) = match self.socket.receive_event().await? {
                UdpEvent::Icmp(report) => (report.quoted_destination.port(), of_report(0, &report)),
                // Somebody listens on that port after all: that is the destination too.
                UdpEvent::Datagram(received) if received.from.ip() == self.target => {
                    let from = received.from.ip();
                    let reply =
                        Reply { number: 0, from, at: received.at, what: What::Destination, rewritten: false };
                    (received.from.port(), reply)
                }
                UdpEvent::Datagram(_) => continue,
            };
            if let Some(number) = self.sent.get(&port) {
                return Ok(Reply { number: *number, ..reply });
            }
        }
    }
}

/// TCP by the kernel's own handshakes, each from a port of its own.
pub(super) struct TcpProber {
    network: Network,
    remote: SocketAddr,
    running: JoinSet<io::Result<Option<Reply>>>,
}

impl TcpProber {
    fn send(&mut self, probe: Probe) {
        let (network, remote) = (self.network.clone(), self.remote);
        self.running.spawn(async move {
            let (outcome, at) = network.knock(remote, Some(probe.ttl)).await?;
            let number = probe.number;
            Ok(match outcome {
                KnockOutcome::Open | KnockOutcome::Closed => {
                    Some(Reply { number, from: remote.ip(), at, what: What::Destination, rewritten: false })
                }
                KnockOutcome::Icmp(report) => Some(of_report(number, &report)),
                KnockOutcome::Silent => None,
            })
        });
    }

    async fn reply(&mut self) -> io::Result<Reply> {
        loop {
            match self.running.join_next().await {
                Some(Ok(Ok(Some(reply)))) => return Ok(reply),
                Some(Ok(Err(error))) => return Err(error),
                Some(Ok(Ok(None)) | Err(_)) => {}
                // Nothing is under way: nothing will come.
                None => return std::future::pending().await,
            }
        }
    }
}
