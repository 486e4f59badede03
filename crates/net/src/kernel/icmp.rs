//! Echo sockets of the kernel: unprivileged where `net.ipv4.ping_group_range` allows it, else raw.

use std::io;
use std::net::IpAddr;

use bytes::Bytes;
use thru_os::datagram::{self, DatagramSocket, SendWishes};
use thru_stack::icmp::IcmpReport;
use thru_wire::ipv4::Ipv4View;
use tokio::io::unix::AsyncFd;

use super::udp::{Heard, receive, report, send, without_port};
use crate::icmp::{IcmpEvent, IcmpSocket, Socket as AnySocket, error_kind};

const FORBIDDEN: &str = "this user may not send echo requests";

pub(crate) fn open(to: IpAddr) -> io::Result<IcmpSocket> {
    let v6 = to.is_ipv6();
    let (socket, raw) = match DatagramSocket::icmp(v6) {
        Ok(socket) => (socket, false),
        Err(_) => match DatagramSocket::raw_icmp(v6) {
            Ok(socket) => (socket, true),
            Err(error) => return Err(io::Error::new(error.kind(), FORBIDDEN)),
        },
    };
    let mut identifier = [0; 2];
    thru_os::entropy::fill(&mut identifier);
    let socket = datagram::register(socket)?;
    Ok(IcmpSocket(AnySocket::Kernel(Socket { socket, raw, v6, identifier })))
}

/// One socket.
#[derive(Debug)]
pub struct Socket {
    socket: AsyncFd<DatagramSocket>,
    /// A raw socket sees everybody's ICMP, and ours are known by their identifier; on the other kind the kernel
    /// replaces the identifier by one of its own and sorts for us.
    raw: bool,
    v6: bool,
    identifier: [u8; 2],
}

impl Socket {
    pub(crate) async fn send_echo(
        &self,
        to: IpAddr,
        sequence: u16,
        ttl: Option<u8>,
        payload: &[u8],
    ) -> io::Result<()> {
        let request = if self.v6 { 128 } else { 8 };
        let mut message = vec![request, 0, 0, 0, self.identifier[0], self.identifier[1]];
        message.extend(sequence.to_be_bytes());
        message.extend(payload);
        if self.raw && !self.v6 {
            // The kernel fills in ICMPv6's checksum (its pseudo header needs the source address), not ICMPv4's.
            let checksum = thru_wire::checksum::of(&message);
            message[2..4].copy_from_slice(&checksum.to_be_bytes());
        }
        send(&self.socket, &message, without_port(to), SendWishes { ttl, ecn: 0 }).await
    }

    pub(crate) async fn receive(&self) -> io::Result<IcmpEvent> {
        loop {
            let event = match receive(&self.socket).await? {
                Heard::Error(error) => {
                    let sequence =
                        error.payload.get(6..8).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
                    Some(IcmpEvent::Error { report: report(&error, 0), sequence })
                }
                Heard::Message(message) => self.understand(message.from.ip(), message.ttl, &message.payload),
            };
            if let Some(event) = event {
                return Ok(event);
            }
        }
    }

    /// A reply to us, or (on a raw socket) an error about a request of ours; `None` for what is not ours.
    fn understand(&self, from: IpAddr, ttl: Option<u8>, bytes: &[u8]) -> Option<IcmpEvent> {
        let message = if self.raw && !self.v6 { Ipv4View::new(bytes).ok()?.payload() } else { bytes };
        let (reply, at) = (if self.v6 { 129 } else { 0 }, thru_os::clock::now());
        if *message.first()? == reply {
            if self.raw && message.get(4..6)? != self.identifier {
                return None;
            }
            let sequence = u16::from_be_bytes(message.get(6..8)?.try_into().ok()?);
            return Some(IcmpEvent::Reply {
                from,
                sequence,
                ttl,
                payload: Bytes::copy_from_slice(message.get(8..)?),
                at,
            });
        }
        self.understand_error(from, ttl, message)
    }

    /// A raw socket gets errors in band, with the quoted packet behind them.
    fn understand_error(&self, from: IpAddr, ttl: Option<u8>, message: &[u8]) -> Option<IcmpEvent> {
        let (icmp_type, icmp_code) = (*message.first()?, *message.get(1)?);
        let is_error = if self.v6 { (1..=4).contains(&icmp_type) } else { matches!(icmp_type, 3 | 11 | 12) };
        if !self.raw || !is_error {
            return None;
        }
        let quoted = message.get(8..)?;
        let (source, destination, echo): (IpAddr, IpAddr, &[u8]) = if self.v6 {
            let source: [u8; 16] = quoted.get(8..24)?.try_into().ok()?;
            let destination: [u8; 16] = quoted.get(24..40)?.try_into().ok()?;
            (source.into(), destination.into(), quoted.get(40..)?)
        } else {
            let header = usize::from(quoted.first()? & 0x0f) * 4;
            let source: [u8; 4] = quoted.get(12..16)?.try_into().ok()?;
            let destination: [u8; 4] = quoted.get(16..20)?.try_into().ok()?;
            (source.into(), destination.into(), quoted.get(header..)?)
        };
        if echo.get(4..6)? != self.identifier {
            return None;
        }
        let info = u32::from_be_bytes(message.get(4..8)?.try_into().ok()?);
        let info = if self.v6 { info } else { info & 0xffff };
        let report = IcmpReport {
            at: thru_os::clock::now(),
            from,
            kind: error_kind(self.v6, icmp_type, icmp_code, info),
            icmp_type,
            icmp_code,
            quoted_destination: without_port(destination),
            quoted_source_port: 0,
            quoted_source: source,
            ttl: ttl.unwrap_or(0),
        };
        let sequence = echo.get(6..8).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
        Some(IcmpEvent::Error { report, sequence })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn loopback_answers_a_ping_in_both_families() {
        for address in ["127.0.0.1", "::1"] {
            let target: IpAddr = address.parse().unwrap();
            let socket = match open(target) {
                Ok(socket) => socket,
                Err(error) => return thru_peers::not_run("ping on loopback", &error.to_string()),
            };
            socket.send_echo(target, 7, None, b"thru").await.unwrap();
            let IcmpEvent::Reply { from, sequence, payload, .. } = socket.receive().await.unwrap() else {
                panic!("an error came back");
            };
            assert_eq!((from, sequence, payload.as_ref()), (target, 7, &b"thru"[..]));
        }
    }
}
