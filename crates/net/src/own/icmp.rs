//! Echo sockets of our own stack.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use thru_stack::icmp::IcmpReport;
use thru_stack::raw::{RawError, RawId, RawPacket, RawProtocol};
use thru_wire::ipv4::{Ipv4, Protocol};

use super::{Driver, OwnNetwork, with};
use crate::icmp::{IcmpEvent, IcmpSocket, Socket as AnySocket, error_kind};

pub(crate) fn open(own: &Arc<OwnNetwork>, to: IpAddr) -> io::Result<IcmpSocket> {
    let mut drawn = [0; 2];
    own.driver.random("echo identifier", &mut drawn);
    let identifier = u16::from_be_bytes(drawn);
    let v6 = to.is_ipv6();
    let protocol = if v6 { RawProtocol::PingV6(identifier) } else { RawProtocol::PingV4(identifier) };
    let id = own.with(|host, _| host.raw_open(protocol)).map_err(io_error)?;
    Ok(IcmpSocket(AnySocket::Own(Socket { driver: own.driver.clone(), id, v6, identifier })))
}

/// One socket. Dropping it closes it.
pub struct Socket {
    driver: Arc<dyn Driver>,
    id: RawId,
    v6: bool,
    identifier: u16,
}

impl Socket {
    pub(crate) fn send_echo(
        &self,
        to: IpAddr,
        sequence: u16,
        ttl: Option<u8>,
        payload: &[u8],
    ) -> io::Result<()> {
        let ttl = ttl.unwrap_or(64);
        let mut message = vec![if self.v6 { 128 } else { 8 }, 0, 0, 0];
        message.extend(self.identifier.to_be_bytes());
        message.extend(sequence.to_be_bytes());
        message.extend(payload);
        let mut packet = Vec::with_capacity(40 + message.len());
        // The stack fills in source address and checksums.
        match to {
            IpAddr::V4(to) if !self.v6 => {
                let header = Ipv4 { ttl, ..Ipv4::new(Ipv4Addr::UNSPECIFIED, to, Protocol::ICMPV4) };
                header.emit_into(message.len(), &mut packet);
            }
            IpAddr::V6(to) if self.v6 => {
                packet.extend([0x60, 0, 0, 0]);
                packet.extend(u16::try_from(message.len()).unwrap_or(u16::MAX).to_be_bytes());
                packet.extend([Protocol::ICMPV6.0, ttl]);
                packet.extend([0; 16]);
                packet.extend(to.octets());
            }
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "an address of the other family")),
        }
        packet.extend(message);
        with(&*self.driver, |host, now| host.raw_send(now, self.id, Bytes::from(packet))).map_err(io_error)
    }

    pub(crate) fn poll_receive(&self, cx: &mut Context<'_>) -> Poll<io::Result<IcmpEvent>> {
        loop {
            let packet = with(&*self.driver, |host, _| {
                let packet = host.raw_receive(self.id);
                if packet.is_none() {
                    host.raw_waker(self.id, cx.waker());
                }
                packet
            });
            let Some(packet) = packet else { return Poll::Pending };
            if let Some(event) = self.understand(&packet) {
                return Poll::Ready(Ok(event));
            }
        }
    }

    /// The stack hands over only what belongs to our identifier: replies, and errors about our requests.
    fn understand(&self, packet: &RawPacket) -> Option<IcmpEvent> {
        let (from, ttl, at) = split(&packet.packet)?;
        let message = packet.packet.slice(at..);
        let (icmp_type, icmp_code) = (*message.first()?, *message.get(1)?);
        if icmp_type == if self.v6 { 129 } else { 0 } {
            return Some(IcmpEvent::Reply {
                from,
                sequence: u16_at(&message, 6)?,
                ttl: Some(ttl),
                payload: message.slice(8.min(message.len())..),
                at: packet.rx_time,
            });
        }
        let info = u32::from_be_bytes(message.get(4..8)?.try_into().ok()?);
        let quoted = message.get(8..)?;
        let (_, _, echo_at) = split(quoted)?;
        let report = IcmpReport {
            at: packet.rx_time,
            from,
            kind: error_kind(self.v6, icmp_type, icmp_code, if self.v6 { info } else { info & 0xffff }),
            icmp_type,
            icmp_code,
            quoted_destination: SocketAddr::new(destination(quoted)?, 0),
            quoted_source_port: 0,
            quoted_source: split(quoted)?.0,
            ttl,
        };
        Some(IcmpEvent::Error { report, sequence: u16_at(quoted, echo_at + 6) })
    }
}

/// Source, TTL and where the upper layer starts. Extension headers in front of ICMPv6 are not looked behind:
/// echo packets carry none.
fn split(packet: &[u8]) -> Option<(IpAddr, u8, usize)> {
    match packet.first()? >> 4 {
        4 => {
            let source: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
            Some((source.into(), *packet.get(8)?, usize::from(packet[0] & 0x0f) * 4))
        }
        6 => {
            let source: [u8; 16] = packet.get(8..24)?.try_into().ok()?;
            Some((source.into(), *packet.get(7)?, 40))
        }
        _ => None,
    }
    .filter(|(_, _, at)| *at <= packet.len())
}

fn destination(packet: &[u8]) -> Option<IpAddr> {
    match packet.first()? >> 4 {
        4 => <[u8; 4]>::try_from(packet.get(16..20)?).ok().map(IpAddr::from),
        6 => <[u8; 16]>::try_from(packet.get(24..40)?).ok().map(IpAddr::from),
        _ => None,
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let pair: [u8; 2] = bytes.get(at..at + 2)?.try_into().ok()?;
    Some(u16::from_be_bytes(pair))
}

fn io_error(error: RawError) -> io::Error {
    match error {
        RawError::NoRoute => io::Error::new(io::ErrorKind::NetworkUnreachable, "no route to the destination"),
        other => io::Error::other(format!("{other:?}")),
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        with(&*self.driver, |host, _| host.raw_close(self.id));
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Socket(echo {})", self.identifier)
    }
}
