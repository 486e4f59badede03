//! Probes as whole packets: every one of a flow looks the same to a router that balances by flow (Paris traceroute), and
//! what comes back quoted is compared with what was sent (Dublin traceroute).

use std::io;
use std::net::IpAddr;

use thru_net::packet::{PacketSocket, Seen};
use thru_net::{IcmpErrorKind, Network};
use thru_wire::icmpv4::Icmpv4;
use thru_wire::icmpv6::Icmpv6;
use thru_wire::ipv4::Ipv4;
use thru_wire::ipv6::Ipv6;
use thru_wire::packet::{Packet, Transport};
use thru_wire::tcp::{Flags, SeqNumber, Tcp};
use thru_wire::udp::Udp;

use super::prober::{Probe, Reply, What, steady_payload};
use super::{FlowControl, Method, RouteOptions};

/// A packet socket and what its probes look like.
pub(super) struct Raw {
    socket: PacketSocket,
    method: Method,
    classic: bool,
    source: IpAddr,
    target: IpAddr,
    /// The first source port; a flow's number is added. Of ICMP: the identifier.
    from: u16,
    to: u16,
    /// The first sequence number of TCP; a probe's number is in its upper half.
    sequence: u16,
}

/// Bytes of a probe's payload unless a size is asked for; the number stands at its start.
const PAYLOAD: usize = 32;
/// Identifications of IPv4 begin here, so that none is zero, which kernels replace.
const FIRST_ID: u16 = 1;

impl Raw {
    pub(super) async fn open(network: &Network, target: IpAddr, options: &RouteOptions) -> io::Result<Raw> {
        let no_route = || io::Error::new(io::ErrorKind::NetworkUnreachable, "no route to the destination");
        let source = network.source_for(target).ok_or_else(no_route)?;
        let random = network.random("route probes");
        let word = |at: usize| u16::from_be_bytes([random[at], random[at + 1]]);
        let port = match options.method {
            Method::Tcp => 80,
            Method::Udp | Method::Icmp => 33_434,
        };
        Ok(Raw {
            socket: network.packets().await?,
            method: options.method,
            classic: options.flow == FlowControl::Classic,
            source,
            target,
            // Well within the ports that clients choose from, with room for flows.
            from: 40_000 + word(0) % 8_000,
            to: options.port.unwrap_or(port),
            sequence: word(2),
        })
    }

    fn flow(&self, probe: Probe) -> u16 {
        let flow = if self.classic { probe.number % 8_000 } else { probe.flow };
        self.from.wrapping_add(flow)
    }

    pub(super) async fn send(&self, probe: Probe) -> io::Result<()> {
        self.socket.send_ip(&self.packet(probe)).await
    }

    /// The probe as bytes.
    fn packet(&self, probe: Probe) -> Vec<u8> {
        let headers = if self.target.is_ipv6() { 40 } else { 20 } + 8;
        let length = probe.size.map_or(PAYLOAD, |size| size.saturating_sub(headers));
        let flow = self.flow(probe);
        let upper: Packet = match self.method {
            Method::Udp => {
                let mut payload = vec![0; length.max(2)];
                // IPv6 has no identification: there the payload tells probes apart.
                if self.target.is_ipv6() {
                    payload[..2].copy_from_slice(&probe.number.to_be_bytes());
                }
                Udp::new(flow, self.to) / payload
            }
            Method::Tcp => Packet::from(Tcp {
                src_port: flow,
                dst_port: self.to,
                seq: SeqNumber(u32::from(probe.number) << 16 | u32::from(self.sequence)),
                flags: Flags::SYN,
                window: 64_240,
                ..Tcp::default()
            }),
            Method::Icmp => {
                let (identifier, sequence) = (flow, probe.number);
                let payload = steady_payload(sequence, length);
                if self.target.is_ipv6() {
                    Icmpv6::EchoRequest { identifier, sequence } / payload
                } else {
                    Icmpv4::EchoRequest { identifier, sequence } / payload
                }
            }
        };
        let packet = match (self.source, self.target) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                let header = Ipv4 {
                    src,
                    dst,
                    ttl: probe.ttl,
                    identification: probe.number.wrapping_add(FIRST_ID),
                    dont_fragment: probe.size.is_some(),
                    ..Ipv4::default()
                };
                header / upper
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                Ipv6 { src, dst, hop_limit: probe.ttl, ..Ipv6::default() } / upper
            }
            // The source was chosen for the target.
            _ => upper,
        };
        packet.to_vec()
    }

    pub(super) async fn reply(&self) -> io::Result<Reply> {
        loop {
            let seen = self.socket.receive().await?;
            if let Some(reply) = self.understand(&seen) {
                return Ok(reply);
            }
        }
    }

    /// A packet that answers a probe of ours.
    fn understand(&self, seen: &Seen) -> Option<Reply> {
        let packet = seen.ip()?;
        let parts = Transport::of(packet).ok()?;
        if parts.dst != self.source {
            return None;
        }
        let message = packet.get(parts.at..parts.end)?;
        let v6 = parts.src.is_ipv6();
        let is_icmp = parts.protocol.0 == if v6 { 58 } else { 1 };
        if is_icmp && let Some(kind) = error_kind(v6, message) {
            let (number, rewritten) = self.quoted(message.get(8..)?)?;
            return Some(Reply { number, from: parts.src, at: seen.at, what: What::Error(kind), rewritten });
        }
        if parts.src != self.target {
            return None;
        }
        let number = self.direct(&parts, message)?;
        Some(Reply { number, from: parts.src, at: seen.at, what: What::Destination, rewritten: false })
    }

    /// The probe that the destination answers in its own words.
    fn direct(&self, parts: &Transport, message: &[u8]) -> Option<u16> {
        match (self.method, parts.protocol.0) {
            (Method::Tcp, 6) => {
                if word(message, 0)? != self.to {
                    return None;
                }
                let acknowledged = u32::from_be_bytes(message.get(8..12)?.try_into().ok()?).wrapping_sub(1);
                (acknowledged as u16 == self.sequence).then_some((acknowledged >> 16) as u16)
            }
            (Method::Icmp, 1 | 58) if matches!(message.first()?, 0 | 129) => {
                let ours = word(message, 4)?.wrapping_sub(self.from) < 8_000;
                if ours { word(message, 6) } else { None }
            }
            // A service that answers does not tell which probe; it is the flow's.
            (Method::Udp, 17) if word(message, 0)? == self.to => None,
            _ => None,
        }
    }

    /// The number of a probe that an ICMP error quotes, and whether the quote is not what we sent.
    fn quoted(&self, quoted: &[u8]) -> Option<(u16, bool)> {
        let parts = Transport::of(quoted).ok()?;
        let upper = quoted.get(parts.at..)?;
        let (number, flow, to) = match (self.method, parts.protocol.0) {
            (Method::Udp, 17) => {
                let number = match parts.dst {
                    IpAddr::V4(_) => word(quoted, 4)?.wrapping_sub(FIRST_ID),
                    IpAddr::V6(_) => word(upper, 8)?,
                };
                (number, word(upper, 0)?, word(upper, 2)?)
            }
            (Method::Tcp, 6) => {
                let sequence = u32::from_be_bytes(upper.get(4..8)?.try_into().ok()?);
                if sequence as u16 != self.sequence {
                    return None;
                }
                ((sequence >> 16) as u16, word(upper, 0)?, word(upper, 2)?)
            }
            (Method::Icmp, 1 | 58) => (word(upper, 6)?, word(upper, 4)?, self.to),
            _ => return None,
        };
        if to != self.to && self.method != Method::Icmp {
            return None;
        }
        let in_range = flow.wrapping_sub(self.from) < 8_000;
        let rewritten = parts.src != self.source || parts.dst != self.target || !in_range;
        // A stranger's packet to the same port is not ours; one of ours that was rewritten still goes to the target.
        if parts.dst != self.target && parts.src != self.source {
            return None;
        }
        Some((number, rewritten))
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn error_kind(v6: bool, message: &[u8]) -> Option<IcmpErrorKind> {
    let (kind, code) = (*message.first()?, *message.get(1)?);
    let is_error = if v6 { kind < 128 } else { matches!(kind, 3 | 11 | 12) };
    let rest: [u8; 4] = message.get(4..8)?.try_into().ok()?;
    // The MTU of ICMP's "fragmentation needed" has 16 bits behind 16 others.
    let rest = if v6 { rest } else { [0, 0, rest[2], rest[3]] };
    if is_error { IcmpErrorKind::of(v6, kind, code, rest) } else { None }
}
