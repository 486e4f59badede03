//! Packets for this host: by protocol, then by socket.

use core::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use thru_wire::Instant;
use thru_wire::checksum::{self, PseudoHeader};
use thru_wire::ipv4::{Ipv4Option, Ipv4View, Protocol};

use super::Host;
use super::ingress::Arrival;
use super::tables::Kind;
use crate::header::{Header, Upper, protocol};
use crate::icmp::send::Tell;
use crate::raw::{RawPacket, RawProtocol};
use crate::tcp::{Path, SegmentIn};
use crate::udp::UdpDatagram;

impl Host {
    /// A packet, exactly as long as its header says, for one of our addresses or groups.
    pub(super) fn deliver(&mut self, now: Instant, arrival: Arrival, header: Header, packet: Bytes) {
        if header.src.is_ipv4() && has_open_source_route(&packet) {
            // RFC 7126 4.3: source routes are refused, as everywhere by default.
            return self.tell(now, Tell::SourceRouteFailed, &packet, arrival.to_group);
        }
        if header.is_v4_fragment() {
            return self.deliver_reassembled(now, arrival, &header, packet);
        }
        match header.upper(&packet) {
            Upper::Protocol { protocol, at, named_at } => {
                self.deliver_upper(now, arrival, header, packet, protocol, at, named_at);
            }
            Upper::Fragment { .. } => self.deliver_reassembled(now, arrival, &header, packet),
            Upper::Nothing => {}
            Upper::Truncated => self.stats.malformed += 1,
            Upper::Problem { code, pointer, even_to_group } => {
                let tell = Tell::ParameterProblem { code, pointer, even_to_group };
                self.tell(now, tell, &packet, arrival.to_group);
            }
        }
    }

    fn deliver_reassembled(&mut self, now: Instant, arrival: Arrival, header: &Header, packet: Bytes) {
        let Some(whole) = self.reassemble(now, header, packet) else { return };
        let whole = whole.into_bytes();
        let Some(header) = Header::parse(&whole) else { return };
        let arrival = Arrival { verify: true, ..arrival };
        match header.upper(&whole) {
            // A fragment within a reassembled packet is an attempt to nest without end.
            Upper::Fragment { .. } => self.stats.malformed += 1,
            _ => self.deliver(now, arrival, header, whole),
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "where the upper layer begins is found once, by the caller"
    )]
    fn deliver_upper(
        &mut self,
        now: Instant,
        arrival: Arrival,
        header: Header,
        packet: Bytes,
        protocol: u8,
        at: usize,
        named_at: usize,
    ) {
        let v6 = header.src.is_ipv6();
        let wanted = if v6 { RawProtocol::Ipv6(protocol) } else { RawProtocol::Ipv4(protocol) };
        let raw = self.raw.deliver(wanted, &RawPacket { packet: packet.clone(), rx_time: arrival.rx_time });
        match (protocol, v6) {
            (protocol::TCP, _) => self.deliver_tcp(arrival, &header, packet.slice(at..)),
            (protocol::UDP, _) => self.deliver_udp(now, arrival, &header, packet, at),
            (protocol::ICMPV4, false) | (protocol::ICMPV6, true) => {
                self.deliver_icmp(now, arrival, &header, packet, at);
            }
            _ if raw => {}
            _ => self.tell(now, Tell::ProtocolUnreachable { pointer: named_at }, &packet, arrival.to_group),
        }
    }

    fn deliver_tcp(&mut self, arrival: Arrival, header: &Header, bytes: Bytes) {
        // RFC 9293 3.9.2.3: segments to or from groups are discarded.
        let unicast = self.tables.is_local(header.dst) && !self.tables.is_group(header.src);
        if arrival.to_group || !unicast || header.src.is_unspecified() {
            return;
        }
        self.hand_to_tcp(arrival, header, bytes);
    }

    #[inline(always)]
    pub(super) fn hand_to_tcp(&mut self, arrival: Arrival, header: &Header, bytes: Bytes) {
        let segment = Host::segment_in(&arrival, header, bytes);
        self.tcp.handle_segment(&self.tables, segment);
    }

    #[inline(always)]
    pub(super) fn segment_in(arrival: &Arrival, header: &Header, bytes: Bytes) -> SegmentIn {
        SegmentIn {
            src: header.src,
            dst: header.dst,
            ttl: header.ttl,
            ecn: header.ecn(),
            rx_time: arrival.rx_time,
            bytes,
            verified: !arrival.verify,
        }
    }

    fn deliver_udp(&mut self, now: Instant, arrival: Arrival, header: &Header, packet: Bytes, at: usize) {
        let Some(ports) = udp_ports(header, &packet[at..], arrival.verify) else {
            self.stats.malformed += 1;
            return;
        };
        let (src_port, dst_port, len) = ports;
        if self.autoconf.is_some()
            && self.autoconf_datagram(now, arrival.interface, (src_port, dst_port), &packet[at + 8..at + len])
        {
            return;
        }
        let to = SocketAddr::new(header.dst, dst_port);
        let Some(id) = self.udp.find(to) else {
            return self.tell(now, Tell::PortUnreachable, &packet, arrival.to_group);
        };
        let datagram = UdpDatagram {
            from: SocketAddr::new(header.src, src_port),
            to,
            payload: packet.slice(at + 8..at + len),
            ttl: header.ttl,
            ecn: header.ecn(),
            rx_time: arrival.rx_time,
        };
        if !self.udp.deliver(id, datagram) {
            self.stats.queue_full += 1;
        }
    }

    fn deliver_icmp(&mut self, now: Instant, arrival: Arrival, header: &Header, packet: Bytes, at: usize) {
        let message = &packet[at..];
        let Some(&[icmp_type, code, _, _, r0, r1, r2, r3]) = message.first_chunk() else {
            self.stats.malformed += 1;
            return;
        };
        if !is_icmp_intact(header, message) {
            self.stats.malformed += 1;
            return;
        }
        let v6 = header.src.is_ipv6();
        let identifier = u16::from_be_bytes([r0, r1]);
        match (v6, icmp_type) {
            (false, 8) | (true, 128) => self.answer_ping(now, arrival, header, &packet, at),
            (false, 0) => {
                let packet = RawPacket { packet: packet.clone(), rx_time: arrival.rx_time };
                self.raw.deliver(RawProtocol::PingV4(identifier), &packet);
            }
            (true, 129) => {
                let packet = RawPacket { packet: packet.clone(), rx_time: arrival.rx_time };
                self.raw.deliver(RawProtocol::PingV6(identifier), &packet);
            }
            (true, 134..=136) => {
                if let Some(interface) = arrival.interface {
                    self.receive_ndp(now, interface, header, message);
                }
            }
            // Redirects, MLD and what else there is: heard and not acted upon.
            _ => self.hear_error(now, arrival, header, &packet, at, [icmp_type, code], [r0, r1, r2, r3]),
        }
    }

    fn answer_ping(&mut self, now: Instant, arrival: Arrival, header: &Header, packet: &[u8], at: usize) {
        if !self.config.answers_ping || self.tables.is_group(header.src) || header.src.is_unspecified() {
            return;
        }
        let to_us = match arrival.interface {
            Some(id) => self.tables.kind(id, header.dst) == Kind::Local,
            None => self.tables.is_local(header.dst),
        };
        // RFC 1122 3.2.2.6: requests to IPv4 groups may be left unanswered, which keeps us from amplifying.
        if !to_us && header.dst.is_ipv4() {
            return;
        }
        let source = if to_us { Some(header.dst) } else { self.tables.source_for(header.src) };
        let Some(source) = source else { return };
        let reply = if header.src.is_ipv6() { 129 } else { 0 };
        self.send_echo_reply(now, source, header, &packet[at..], reply);
    }
}

/// Checks a UDP header (RFC 768, RFC 8200 8.1): source port, destination port, length.
fn udp_ports(header: &Header, bytes: &[u8], verify: bool) -> Option<(u16, u16, usize)> {
    let fixed: &[u8; 8] = bytes.first_chunk()?;
    let len = usize::from(u16::from_be_bytes([fixed[4], fixed[5]]));
    if len < 8 {
        return None;
    }
    let datagram = bytes.get(..len)?;
    let unchecked = fixed[6] == 0 && fixed[7] == 0;
    let intact = match (header.src, header.dst) {
        _ if !verify => true,
        (IpAddr::V4(_), IpAddr::V4(_)) if unchecked => true,
        (IpAddr::V6(_), IpAddr::V6(_)) if unchecked => false,
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            PseudoHeader::v4(src, dst, Protocol(protocol::UDP)).is_valid(datagram)
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            PseudoHeader::v6(src, dst, Protocol(protocol::UDP)).is_valid(datagram)
        }
        _ => false,
    };
    let ports = (u16::from_be_bytes([fixed[0], fixed[1]]), u16::from_be_bytes([fixed[2], fixed[3]]));
    (intact && ports.1 != 0).then_some((ports.0, ports.1, len))
}

fn is_icmp_intact(header: &Header, message: &[u8]) -> bool {
    match (header.src, header.dst) {
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            PseudoHeader::v6(src, dst, Protocol(protocol::ICMPV6)).is_valid(message)
        }
        _ => checksum::is_valid(message),
    }
}

/// Whether IPv4 options hold a source route that has not reached its end.
fn has_open_source_route(packet: &[u8]) -> bool {
    let Ok(view) = Ipv4View::new(packet) else { return false };
    view.options().map_while(Result::ok).any(|option| match option {
        // RFC 791 3.1: the route is at its end when the pointer is past it; three bytes stand in front of it.
        Ipv4Option::LooseSourceRoute { pointer, route }
        | Ipv4Option::StrictSourceRoute { pointer, route } => usize::from(pointer) <= route.len() + 3,
        _ => false,
    })
}
