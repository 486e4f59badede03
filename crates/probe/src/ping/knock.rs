//! Pings without ICMP: connections that are opened and let go, or datagrams to a port; what answers counts.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use thru_net::{ConnectErrorKind, ConnectOptions, IcmpErrorKind, Network, UdpEvent, UdpSocket};
use thru_trace::{Layer, SpanId};
use thru_wire::Instant;

use super::{Answer, Echo, PingOptions, PingResult, note};
use crate::Recorder;

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Knock {
    /// A TCP handshake. That it is refused is an answer, too.
    Tcp,
    /// A datagram. That nobody listens is an answer, too.
    Udp,
}

impl Knock {
    fn name(self) -> &'static str {
        match self {
            Knock::Tcp => "tcp",
            Knock::Udp => "udp",
        }
    }
}

/// As [`super::ping`], by connections or datagrams to a port. They go one after the other: the next one is not sent
/// before the last one was answered or waited for.
pub async fn knocks(
    recorder: &Recorder,
    parent: Option<SpanId>,
    to: SocketAddr,
    method: Knock,
    options: PingOptions,
    mut each: impl FnMut(&Echo),
) -> io::Result<PingResult> {
    let span = recorder.open(parent, Layer::Ip, "ping", format!("{to}, by {}", method.name()));
    recorder.set(span, "ping.target", to.ip());
    recorder.set(span, "ping.purpose", method.name());
    let network = recorder.network();
    let mut next = network.now();
    let mut echoes = Vec::new();
    for sequence in 0..options.count {
        network.sleep_until(next).await;
        let sent = network.now();
        next = sent + options.interval;
        let answer = match method {
            Knock::Tcp => by_tcp(network, to, sent, options).await,
            Knock::Udp => by_udp(network, to, sent, options).await,
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                recorder.skip(span, error.to_string());
                return Err(error);
            }
        };
        let echo = Echo { sequence, sent, answer };
        if echo.answer.is_some() {
            each(&echo);
        }
        echoes.push(echo);
    }
    let result = PingResult { echoes };
    note(recorder, span, &result);
    Ok(result)
}

async fn by_tcp(
    network: &Network,
    to: SocketAddr,
    sent: Instant,
    options: PingOptions,
) -> io::Result<Option<Answer>> {
    let wishes = ConnectOptions { limit: Some(options.wait), ..ConnectOptions::default() };
    let reply = || Answer::Reply { from: to.ip(), ttl: None, rtt: network.now().since(sent), bytes: 0 };
    match network.connect_tcp(to, wishes).await {
        Ok(stream) => {
            let answer = reply();
            // Only the handshake was wanted: no data follows, and no TIME-WAIT.
            stream.inspector().reset();
            Ok(Some(answer))
        }
        Err(error) => match error.kind {
            ConnectErrorKind::Refused => Ok(Some(reply())),
            ConnectErrorKind::TimedOut { icmp: None } => Ok(None),
            ConnectErrorKind::TimedOut { icmp: Some(report) }
            | ConnectErrorKind::Unreachable { icmp: Some(report), .. } => {
                Ok(Some(Answer::Error { from: report.from, kind: report.kind, rtt: report.at.since(sent) }))
            }
            ConnectErrorKind::Unreachable { icmp: None, .. } => {
                let (from, kind) = (to.ip(), IcmpErrorKind::HostUnreachable);
                Ok(Some(Answer::Error { from, kind, rtt: network.now().since(sent) }))
            }
            ConnectErrorKind::NoRoute => {
                Err(io::Error::new(io::ErrorKind::NetworkUnreachable, "no route to the destination"))
            }
            ConnectErrorKind::NoPorts => Err(io::Error::other("no local port is free")),
            ConnectErrorKind::Forbidden(words) | ConnectErrorKind::Other(words) => {
                Err(io::Error::other(words))
            }
        },
    }
}

async fn by_udp(
    network: &Network,
    to: SocketAddr,
    sent: Instant,
    options: PingOptions,
) -> io::Result<Option<Answer>> {
    let any: IpAddr = if to.is_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    // A socket of its own: an answer that comes late belongs to no later datagram.
    let socket = network.bind_udp(SocketAddr::new(any, 0)).await?;
    socket.send_to(&vec![0; options.payload], to).await?;
    network.timeout(options.wait, heard(&socket, to, sent)).await.transpose()
}

async fn heard(socket: &UdpSocket, to: SocketAddr, sent: Instant) -> io::Result<Answer> {
    loop {
        match socket.receive_event().await? {
            UdpEvent::Datagram(received) if received.from == to => {
                let (rtt, bytes) = (received.at.since(sent), received.payload.len());
                return Ok(Answer::Reply { from: to.ip(), ttl: received.ttl, rtt, bytes });
            }
            UdpEvent::Datagram(_) => {}
            UdpEvent::Icmp(report) => {
                let rtt = report.at.since(sent);
                // The host itself says that nobody listens: it lives, and that is what was asked.
                return Ok(if report.kind == IcmpErrorKind::PortUnreachable && report.from == to.ip() {
                    Answer::Reply { from: report.from, ttl: None, rtt, bytes: 0 }
                } else {
                    Answer::Error { from: report.from, kind: report.kind, rtt }
                });
            }
        }
    }
}
