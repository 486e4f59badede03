//! Packets of this host, and the last step of every packet: hook, fragments, link.

use core::net::IpAddr;

use bytes::{Buf, Bytes, BytesMut};
use thru_wire::Instant;
use thru_wire::MacAddr;
use thru_wire::checksum::{PseudoHeader, Sum};
use thru_wire::ethernet::EtherType;
use thru_wire::ipv4::{Ipv4, Protocol};

use super::lanes::Lane;
use super::tables::NextHop;
use super::{Host, InterfaceId};
use crate::fragment::split;
use crate::frame::{Checksum, Frame, Offload, Segmentation};
use crate::header::{Header, Origin, base_len, protocol};
use crate::hook::{Judgement, Place};
use crate::icmp::path_mtu::PathMtu;
use crate::icmp::send::{Tell, fill_checksum};
use crate::neighbor::cache::Resolve;
use crate::offload::segment::PacketHeaders;
use crate::offload::train::{Cars, Packets, Train};
use crate::packet::{HEADROOM, Packet};
use crate::route::RouteTarget;
use crate::tcp::{SegmentBytes, SegmentOut};

/// No route leads to a packet's destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoRoute;

impl Host {
    /// What TCP wants to send. If it can't leave, TCP finds out by silence, as it must anyway.
    pub(super) fn send_segment(&mut self, now: Instant, mut segment: SegmentOut) {
        if segment.train.is_some() {
            return self.send_train(now, segment);
        }
        if !self.send_in_lane(now, &mut segment) {
            self.send_segment_slowly(now, segment);
        }
    }

    /// Several segments in one: whole if the device takes them so, else packet by packet.
    fn send_train(&mut self, now: Instant, mut segment: SegmentOut) {
        if self.send_in_packets(now, &mut segment) {
            return;
        }
        let Some(mut cars) = Cars::of(segment) else { return };
        while let Some(mut segment) = cars.next(self.tcp.spare()) {
            if !self.send_in_lane(now, &mut segment) {
                self.send_segment_slowly(now, segment);
            }
        }
        self.tcp.spare().give_mut(cars.into_buffer());
    }

    /// The short way, for a train whose lane is known and whose packets fit there: all headers are written once, and
    /// counted up from packet to packet if they are cut here. `false`, and nothing done, for any other.
    fn send_in_packets(&mut self, now: Instant, segment: &mut SegmentOut) -> bool {
        let (Some(lane), Some(train)) = (self.lane(segment), &segment.train) else { return false };
        let (src, dst, tcp_len) = (segment.src, segment.dst, segment.bytes.len());
        let whole = tcp_len + train.len();
        let single = tcp_len + train.len().min(train.segment_size.into());
        let offloads = self.tables.offloads(lane.out);
        let goes_whole = base_len(src) + whole <= offloads.segmentation;
        if !goes_whole && base_len(src) + single > lane.mtu {
            return false;
        }
        let Some(link_header) = self.link_header(now, lane.out, lane.next_hop) else { return false };
        let Some(train) = segment.train.take() else { return false };
        let len = if goes_whole { whole } else { single };
        let mut start = self.write_ip_header(lane.flow, segment, len);
        let mut buffer = core::mem::take(&mut segment.bytes).into_buffer();
        // Each of its packets has an identification of its own.
        self.identification.skip(lane.flow, train.segments() as u32 - 1);
        if let Some(header) = link_header {
            start -= header.len();
            buffer[start..start + header.len()].copy_from_slice(&header);
        }
        if goes_whole {
            self.send_whole(now, &lane, buffer, start, train);
            return true;
        }
        let (ip_at, tcp_at) =
            (SegmentBytes::HEADROOM - base_len(src) - start, SegmentBytes::HEADROOM - start);
        let pseudo = PseudoHeader::new(src, dst, Protocol::TCP);
        let Train { segment_size, cwr_once, .. } = train;
        let headers = PacketHeaders::new(&buffer[start..], ip_at, tcp_at, pseudo, segment_size, cwr_once);
        self.tcp.spare().give_mut(buffer);
        let mut packets = Packets::new(headers, train);
        while let Some(len) = packets.next_len() {
            let mut packet = self.tcp.spare().take(len);
            packets.write_next(&mut packet);
            self.put(now, lane.out, packet);
        }
        true
    }

    /// A whole frame joins those that leave.
    #[inline(always)]
    fn put(&mut self, now: Instant, out: InterfaceId, frame: BytesMut) {
        self.stats.frames_sent += 1;
        // Written where it stays: what was just written in pieces is slow to be moved.
        let blank = Frame::new(Bytes::new(), now);
        self.outgoing.push_back_mut((out, blank)).1.bytes = frame.freeze();
    }

    /// The header of the link towards a neighbour; `Some(None)`: the link has none; `None`: the neighbour's address is not
    /// known.
    pub(super) fn link_header(
        &mut self,
        now: Instant,
        out: InterfaceId,
        next_hop: IpAddr,
    ) -> Option<Option<[u8; HEADROOM]>> {
        let Some(source) = self.tables.mac(out) else { return Some(None) };
        let kind = if next_hop.is_ipv6() { EtherType::IPV6 } else { EtherType::IPV4 };
        let mac = self.neighbors.resolved(now, (out, next_hop))?;
        Some(Some(ethernet_header(source, mac, kind)))
    }

    /// A super-segment whose headers begin at `start` of `buffer`.
    fn send_whole(&mut self, now: Instant, lane: &Lane, mut buffer: BytesMut, start: usize, train: Train) {
        buffer.advance(start);
        let segmentation = Segmentation {
            segment_size: train.segment_size,
            header_len: buffer.len() as u16,
            cwr_once: train.cwr_once,
        };
        let checksum = Checksum::Partial { start: (SegmentBytes::HEADROOM - start) as u16, offset: 16 };
        let offload = Offload { segmentation: Some(segmentation), checksum };
        let mut frame = Frame { offload, payload: train.payload, ..Frame::new(buffer.freeze(), now) };
        if !self.tables.offloads(lane.out).gather {
            frame = frame.contiguous(self.tcp.buffer_pool());
        }
        self.stats.frames_sent += 1;
        self.outgoing.push_back((lane.out, frame));
    }

    fn lane(&mut self, segment: &SegmentOut) -> Option<Lane> {
        self.known_lane(segment).copied()
    }

    fn known_lane(&mut self, segment: &SegmentOut) -> Option<&Lane> {
        if self.hook.is_some() {
            return None;
        }
        let flow = || self.identification.flow(segment.src, segment.dst, protocol::TCP);
        self.lanes.find(&self.tables, segment.src, segment.dst, flow)
    }

    /// The short way, for a segment whose lane is known and that fits there. `false`, and nothing done, for any other.
    fn send_in_lane(&mut self, now: Instant, segment: &mut SegmentOut) -> bool {
        let len = segment.bytes.len();
        let Some(lane) = self.known_lane(segment) else { return false };
        let (out, flow, mtu) = (lane.out, lane.flow, lane.mtu);
        if base_len(segment.src) + len > mtu {
            return false;
        }
        let start = self.write_ip_header(flow, segment, len);
        if self.tables.mac(out).is_some() {
            let Some(next_hop) = self.known_lane(segment).map(|lane| lane.next_hop) else { return true };
            let buffer = core::mem::take(&mut segment.bytes).into_buffer();
            self.put_on_link(now, out, next_hop, Packet::from_buffer(buffer, start));
            return true;
        }
        let mut buffer = core::mem::take(&mut segment.bytes).into_buffer();
        buffer.advance(start);
        self.put(now, out, buffer);
        true
    }

    /// Writes the IP header of a segment, whose upper layer has `len` bytes in all, in front of it; where in its buffer
    /// the packet begins.
    fn write_ip_header(&mut self, flow: u64, segment: &mut SegmentOut, len: usize) -> usize {
        let (src, dst) = (segment.src, segment.dst);
        let start = SegmentBytes::HEADROOM - base_len(src);
        let (class, ttl) = (segment.class & !3 | segment.ecn & 3, segment.ttl.unwrap_or(self.config.ttl));
        let (front, upper) = segment.bytes.whole_mut().split_at_mut(SegmentBytes::HEADROOM);
        let header = &mut front[start..];
        match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                let total_len = Ipv4::MIN_LEN + len;
                let id = self.identification.next_of(flow) as u16;
                header[..4].copy_from_slice(&[0x45, class, (total_len >> 8) as u8, total_len as u8]);
                header[4..6].copy_from_slice(&id.to_be_bytes());
                header[6..12].copy_from_slice(&[0x40, 0, ttl, protocol::TCP, 0, 0]);
                header[12..16].copy_from_slice(&src.octets());
                header[16..].copy_from_slice(&dst.octets());
                // From the values: the bytes were written just now.
                let mut sum = Sum::EMPTY;
                sum.add_u16(0x4500 | u16::from(class));
                sum.add_u16(total_len as u16);
                sum.add_u16(id);
                sum.add_u16(0x4000);
                sum.add_u16(u16::from(ttl) << 8 | u16::from(protocol::TCP));
                sum.add_u32(src.to_bits());
                sum.add_u32(dst.to_bits());
                header[10..12].copy_from_slice(&sum.checksum().to_be_bytes());
            }
            (IpAddr::V6(v6_src), IpAddr::V6(v6_dst)) => {
                let label = self.identification.flow_label(src, dst, protocol::TCP, upper);
                let first = 6 << 28 | u32::from(class) << 20 | label;
                header[..4].copy_from_slice(&first.to_be_bytes());
                header[4..8].copy_from_slice(&[(len >> 8) as u8, len as u8, protocol::TCP, ttl]);
                header[8..24].copy_from_slice(&v6_src.octets());
                header[24..].copy_from_slice(&v6_dst.octets());
            }
            // A lane joins addresses of one family.
            _ => {}
        }
        start
    }

    fn send_segment_slowly(&mut self, now: Instant, segment: SegmentOut) {
        let SegmentOut { src, dst, ecn, class, ttl, bytes, train: _ } = segment;
        let dont_fragment = !self.tables.path(dst).fragment_on_the_way;
        let origin = Origin {
            src,
            dst,
            protocol: protocol::TCP,
            ttl: ttl.unwrap_or(self.config.ttl),
            class: class & !3 | ecn & 3,
            dont_fragment,
            ..self.numbers(src, dst, protocol::TCP, &bytes)
        };
        let packet = origin.packet_around(bytes.into_buffer(), SegmentBytes::HEADROOM);
        let Some(packet) = packet else { return };
        // A segment built before the path MTU shrank is fragmented this once; TCP cuts the next ones smaller.
        let _ = self.send(now, packet);
    }

    /// The reply to an echo request; `message` is the request.
    pub(super) fn send_echo_reply(
        &mut self,
        now: Instant,
        source: IpAddr,
        request: &Header,
        message: &[u8],
        icmp_type: u8,
    ) {
        let kind = if source.is_ipv6() { protocol::ICMPV6 } else { protocol::ICMPV4 };
        let origin = Origin {
            src: source,
            dst: request.src,
            protocol: kind,
            ttl: self.config.ttl,
            class: request.class & !3,
            dont_fragment: false,
            ..self.numbers(source, request.src, kind, &[])
        };
        let Some(mut packet) = origin.packet(message.len()) else { return };
        packet.extend(message);
        packet.bytes_mut()[base_len(source)] = icmp_type;
        fill_checksum(&mut packet, source, request.src);
        let _ = self.send(now, packet);
    }

    /// An [`Origin`] whose identification and flow label are chosen; the rest is for the caller to fill in.
    pub(super) fn numbers(&mut self, src: IpAddr, dst: IpAddr, protocol: u8, ports: &[u8]) -> Origin {
        let v6 = src.is_ipv6();
        Origin {
            src,
            dst,
            protocol,
            ttl: 0,
            class: 0,
            dont_fragment: false,
            id: if v6 { 0 } else { self.identification.next(src, dst, protocol) as u16 },
            flow_label: if v6 { self.identification.flow_label(src, dst, protocol, ports) } else { 0 },
        }
    }

    /// Sends a packet of this host: to itself or through a link, in fragments if it must and may be.
    pub(super) fn send(&mut self, now: Instant, packet: Packet) -> Result<(), NoRoute> {
        let Some(header) = Header::parse(packet.bytes()) else { return Err(NoRoute) };
        let next = self.tables.next_hop(header.dst);
        let (mut out, mut next_hop) = match next {
            NextHop::Local => {
                self.looped.push_back(packet.into_bytes());
                return Ok(());
            }
            NextHop::Neighbor(out, next_hop) => (out, next_hop),
            NextHop::Refused(RouteTarget::Blackhole) => return Ok(()),
            NextHop::Refused(_) | NextHop::None => {
                self.stats.no_route += 1;
                return Err(NoRoute);
            }
        };
        let Some((asked, packet)) = self.ask_hook(now, Place::Output, None, Some(out), header, packet) else {
            return Ok(());
        };
        if asked.dst != header.dst {
            match self.tables.next_hop(asked.dst) {
                NextHop::Neighbor(id, hop) => (out, next_hop) = (id, hop),
                NextHop::Local => {
                    self.looped.push_back(packet.into_bytes());
                    return Ok(());
                }
                NextHop::Refused(_) | NextHop::None => return Err(NoRoute),
            }
        }
        self.leave(now, None, out, next_hop, packet);
        Ok(())
    }

    /// Where a packet of this host to `destination` goes, and what fits on the way.
    pub(super) fn check_path(&self, destination: IpAddr) -> Result<PathMtu, NoRoute> {
        match self.tables.next_hop(destination) {
            NextHop::Local | NextHop::Neighbor(..) | NextHop::Refused(RouteTarget::Blackhole) => {
                Ok(self.tables.path(destination))
            }
            NextHop::Refused(_) | NextHop::None => Err(NoRoute),
        }
    }

    /// The last look of the hook, fragments, and onto the link. `input`: where it came from, if not from here.
    pub(super) fn leave(
        &mut self,
        now: Instant,
        input: Option<InterfaceId>,
        out: InterfaceId,
        next_hop: IpAddr,
        mut packet: Packet,
    ) {
        if self.hook.is_some() {
            let Some(header) = Header::parse(packet.bytes()) else { return };
            let asked = self.ask_hook(now, Place::Postrouting, input, Some(out), header, packet);
            let Some((_, asked)) = asked else { return };
            packet = asked;
        }
        let link = self.tables.link_mtu(out);
        let limit = match (packet.fragment, input) {
            (Some(was), Some(_)) => link.min(was.largest),
            (_, Some(_)) => link,
            // Our own packets are cut for the whole path, not only for the first link.
            (_, None) => match Header::parse_quoted(packet.bytes()) {
                Some(header) => link.min(self.tables.path(header.dst).mtu),
                None => return,
            },
        };
        if packet.len() <= limit {
            return self.put_on_link(now, out, next_hop, packet);
        }
        let pieces = if packet.bytes()[0] >> 4 == 4 {
            split::ipv4(packet.bytes(), limit)
        } else {
            let id = match (packet.fragment, Header::parse_quoted(packet.bytes())) {
                (Some(was), _) => was.id,
                (None, Some(header)) => self.identification.next(header.src, header.dst, protocol::FRAGMENT),
                (None, None) => return,
            };
            split::ipv6(packet.bytes(), limit, id)
        };
        let was = packet.fragment;
        for mut piece in pieces.unwrap_or_default() {
            if was.is_some_and(|was| was.dont_fragment) && piece.bytes()[0] >> 4 == 4 {
                set_dont_fragment(piece.bytes_mut());
            }
            self.put_on_link(now, out, next_hop, piece);
        }
    }

    /// Puts a packet that fits onto the link, or lets it wait for its neighbour's address.
    pub(super) fn put_on_link(&mut self, now: Instant, out: InterfaceId, next_hop: IpAddr, packet: Packet) {
        let Some(source) = self.tables.mac(out) else {
            let bytes = packet.into_bytes();
            return self.transmit(now, out, bytes);
        };
        if self.tables.is_group(next_hop) {
            let group = MacAddr::of_group(next_hop).unwrap_or(MacAddr::BROADCAST);
            return self.transmit_ip(now, out, source, group, packet);
        }
        let prompted_by = Header::parse_quoted(packet.bytes()).map(|header| header.src);
        match self.neighbors.resolve(now, (out, next_hop), packet) {
            Resolve::To(mac, packet) => self.transmit_ip(now, out, source, mac, packet),
            Resolve::QueuedAsk => self.ask_neighbor(now, out, next_hop, prompted_by),
            Resolve::Queued => {}
        }
    }

    pub(super) fn transmit_ip(
        &mut self,
        now: Instant,
        out: InterfaceId,
        source: MacAddr,
        destination: MacAddr,
        packet: Packet,
    ) {
        let v6 = packet.bytes().first().is_some_and(|byte| byte >> 4 == 6);
        let ethertype = if v6 { EtherType::IPV6 } else { EtherType::IPV4 };
        let header = ethernet_header(source, destination, ethertype);
        self.transmit(now, out, packet.into_frame(&header));
    }

    pub(super) fn transmit(&mut self, now: Instant, out: InterfaceId, bytes: Bytes) {
        self.stats.frames_sent += 1;
        self.outgoing.push_back((out, Frame::new(bytes, now)));
    }

    /// Shows a packet to the hook, if there is one, and does what it says; gives the packet back if it goes on.
    pub(super) fn ask_hook(
        &mut self,
        now: Instant,
        place: Place,
        input: Option<InterfaceId>,
        output: Option<InterfaceId>,
        header: Header,
        mut packet: Packet,
    ) -> Option<(Header, Packet)> {
        let Some(hook) = &mut self.hook else { return Some((header, packet)) };
        self.hook_packet.clear();
        self.hook_packet.extend_from_slice(packet.bytes());
        let judgement = hook.judge(now, place, input, output, &mut self.hook_packet);
        packet.replace(&self.hook_packet);
        if judgement == Judgement::Accept {
            // The hook may have rewritten anything: believe only what can be read again.
            let header = Header::parse(packet.bytes())?;
            return Some((header, packet));
        }
        self.stats.hook_dropped += 1;
        match judgement {
            Judgement::Accept | Judgement::Drop(_) => {}
            Judgement::RejectIcmp(_) => self.tell(now, Tell::Prohibited, packet.bytes(), false),
            Judgement::RejectReset(_) => self.reject_with_reset(now, packet.bytes()),
        }
        None
    }
}

/// An untagged Ethernet header.
pub(super) fn ethernet_header(source: MacAddr, destination: MacAddr, kind: EtherType) -> [u8; HEADROOM] {
    let mut header = [0; HEADROOM];
    header[..6].copy_from_slice(&destination.0);
    header[6..12].copy_from_slice(&source.0);
    header[12..].copy_from_slice(&kind.0.to_be_bytes());
    header
}

fn set_dont_fragment(bytes: &mut [u8]) {
    bytes[6] |= 0x40;
    let len = usize::from(bytes[0] & 0xf) * 4;
    crate::header::set_ipv4_checksum(&mut bytes[..len]);
}
