//! ICMP errors told about packets, and errors heard about ours.

use bytes::Bytes;
use thru_wire::Instant;
use thru_wire::checksum::PseudoHeader;
use thru_wire::ipv4::Protocol;
use thru_wire::tcp::SeqNumber;

use super::Host;
use super::ingress::Arrival;
use crate::header::{Header, Origin, Upper, protocol};
use crate::icmp::receive::Quote;
use crate::icmp::send::{self, Tell};
use crate::icmp::{IcmpErrorKind, IcmpReport};
use crate::raw::{RawPacket, RawProtocol};
use crate::tcp::Path;

impl Host {
    /// Tells the source of `about` what happened to it, if that is allowed. Our own packets get their error too: it
    /// travels back to us and finds its socket like any other.
    pub(super) fn tell(&mut self, now: Instant, tell: Tell, about: &[u8], link_group: bool) {
        let Some(header) = Header::parse_quoted(about) else { return };
        let to_group = link_group || self.tables.is_group(header.dst);
        if !send::may_tell(tell, &header, about, to_group) || self.tables.is_group(header.src) {
            return;
        }
        let own = self.tables.is_local(header.src);
        if !own && (!self.config.sends_icmp_errors || !self.errors_limit.allow(now)) {
            self.stats.errors_withheld += 1;
            return;
        }
        let addressed = self.tables.is_local(header.dst).then_some(header.dst);
        let Some(source) = addressed.or_else(|| self.tables.source_for(header.src)) else { return };
        let kind = if source.is_ipv6() { protocol::ICMPV6 } else { protocol::ICMPV4 };
        let id = self.numbers(source, header.src, kind, &[]).id;
        let Some(error) = send::build(tell, source, &header, about, self.config.ttl, id) else { return };
        self.stats.errors_sent += 1;
        let _ = self.send(now, error);
    }

    /// An ICMP message that is neither echo nor neighbour discovery: perhaps an error about a packet of ours.
    #[expect(clippy::too_many_arguments, reason = "the first eight bytes were read once, by the caller")]
    pub(super) fn hear_error(
        &mut self,
        now: Instant,
        arrival: Arrival,
        header: &Header,
        packet: &Bytes,
        at: usize,
        [icmp_type, icmp_code]: [u8; 2],
        rest: [u8; 4],
    ) {
        let v6 = header.src.is_ipv6();
        let Some(kind) = IcmpErrorKind::of(v6, icmp_type, icmp_code, rest) else { return };
        let Some(quote) = Quote::parse(&packet[at + 8..]) else { return };
        // Only what we sent: otherwise anyone could tell us anything about anyone.
        if quote.src.is_ipv6() != v6 || !self.tables.is_local(quote.src) {
            return;
        }
        let report = IcmpReport {
            at: arrival.rx_time,
            from: header.src,
            kind,
            icmp_type,
            icmp_code,
            quoted_destination: quote.destination(),
            quoted_source_port: quote.source().port(),
            quoted_source: quote.src,
            ttl: header.ttl,
        };
        let copy = RawPacket { packet: packet.clone(), rx_time: arrival.rx_time };
        match quote.protocol {
            protocol::UDP => {
                let Some(id) = self.udp.find(quote.source()) else { return };
                self.learn_path_mtu(now, kind, &quote);
                self.udp.deliver_error(id, report);
            }
            protocol::TCP => {
                let [_, _, _, _, number @ ..] = quote.upper;
                let number = SeqNumber(u32::from_be_bytes(number));
                if self.tcp.is_in_flight(quote.source(), quote.destination(), number) {
                    self.learn_path_mtu(now, kind, &quote);
                }
                self.tcp.handle_icmp(&self.tables, &report, number);
            }
            other => {
                let ping = quote.echo_identifier().map(|identifier| {
                    if v6 { RawProtocol::PingV6(identifier) } else { RawProtocol::PingV4(identifier) }
                });
                let raw = if v6 { RawProtocol::Ipv6(other) } else { RawProtocol::Ipv4(other) };
                let known = ping.is_some_and(|ping| self.raw.deliver(ping, &copy));
                if known || self.raw.wants(raw) {
                    self.learn_path_mtu(now, kind, &quote);
                }
            }
        }
    }

    fn learn_path_mtu(&mut self, now: Instant, kind: IcmpErrorKind, quote: &Quote) {
        if let IcmpErrorKind::PacketTooBig { mtu } = kind {
            let mtu = usize::try_from(mtu).unwrap_or(usize::MAX);
            self.tables.told(now, quote.dst, mtu, quote.total_len);
        }
    }

    /// Answers a TCP segment that a hook refuses with a RST (RFC 9293 3.10.7.1), anything else with ICMP.
    pub(super) fn reject_with_reset(&mut self, now: Instant, about: &[u8]) {
        let Some(header) = Header::parse(about) else { return };
        if self.tables.is_group(header.dst) || self.tables.is_group(header.src) || header.src.is_unspecified()
        {
            return;
        }
        let segment = match header.upper(about) {
            Upper::Protocol { protocol: protocol::TCP, at, .. } if header.fragment.0 == 0 => {
                &about[at..header.total_len]
            }
            _ => return self.tell(now, Tell::Prohibited, about, false),
        };
        let Some(reset) = reset_for(segment) else { return };
        let origin = Origin {
            src: header.dst,
            dst: header.src,
            protocol: protocol::TCP,
            ttl: self.config.ttl,
            class: 0,
            dont_fragment: true,
            ..self.numbers(header.dst, header.src, protocol::TCP, &reset)
        };
        let Some(mut packet) = origin.packet(reset.len()) else { return };
        let pseudo = PseudoHeader::new(header.dst, header.src, Protocol(protocol::TCP));
        let mut sum = pseudo.sum(reset.len());
        sum.add_bytes(&reset);
        packet.extend(&reset);
        let at = packet.len() - reset.len() + 16;
        packet.bytes_mut()[at..at + 2].copy_from_slice(&sum.checksum().to_be_bytes());
        let _ = self.send(now, packet);
    }
}

/// The RST that answers `segment`, without checksum; `None` for a RST, which is never answered.
fn reset_for(segment: &[u8]) -> Option<[u8; 20]> {
    const FIN: u8 = 1;
    const SYN: u8 = 2;
    const RST: u8 = 4;
    const ACK: u8 = 16;
    let fixed: &[u8; 20] = segment.first_chunk()?;
    let flags = fixed[13];
    if flags & RST != 0 {
        return None;
    }
    let mut reset = [0; 20];
    reset[..2].copy_from_slice(&fixed[2..4]);
    reset[2..4].copy_from_slice(&fixed[..2]);
    reset[12] = 5 << 4;
    if flags & ACK != 0 {
        reset[4..8].copy_from_slice(&fixed[8..12]);
        reset[13] = RST;
    } else {
        let payload = segment.len().saturating_sub(usize::from(fixed[12] >> 4) * 4);
        let len = payload as u32 + u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0);
        let seq = u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]);
        reset[8..12].copy_from_slice(&seq.wrapping_add(len).to_be_bytes());
        reset[13] = RST | ACK;
    }
    Some(reset)
}
