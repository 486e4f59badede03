//! From a frame to a decision: whose packet is it?

use core::net::IpAddr;

use bytes::{Buf, Bytes, BytesMut};
use thru_wire::Instant;
use thru_wire::checksum;
use thru_wire::ethernet::{EtherType, EthernetView};

use super::tables::Kind;
use super::{Host, InterfaceId, Medium};
use crate::fragment::reassemble::{Fragment, FragmentKey, Outcome, V6Fragment};
use crate::frame::{Checksum, Frame};
use crate::header::{Header, Upper, base_len, protocol};
use crate::hook::Place;
use crate::icmp::send::Tell;
use crate::offload::segment::{Segments, complete_checksum};
use crate::packet::Packet;
use crate::raw::{RawPacket, RawProtocol};
use crate::tcp::{Path, TrainEnds};

/// How a packet came to us.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    /// `None`: from ourselves.
    pub(super) interface: Option<InterfaceId>,
    /// The frame was for more than one station.
    pub(super) to_group: bool,
    pub(super) rx_time: Instant,
    /// Whether the checksum of the upper layer has to be verified here.
    pub(super) verify: bool,
}

/// Addresses of a packet, the interface it came in by, and the version of the tables that judged them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Between {
    id: InterfaceId,
    src: IpAddr,
    dst: IpAddr,
    version: u64,
}

impl Host {
    pub(super) fn receive_frame(&mut self, now: Instant, id: InterfaceId, frame: Frame) {
        let Some(interface) = self.tables.interface(id) else { return };
        if self.raw.is_wanted() && frame.payload[0].is_none() {
            let copy = RawPacket { packet: frame.bytes.clone(), rx_time: frame.rx_time };
            self.raw.deliver(RawProtocol::Link(id), &copy);
        }
        let verify = frame.offload.checksum.must_be_verified();
        let mut arrival = Arrival { interface: Some(id), to_group: false, rx_time: frame.rx_time, verify };
        if interface.config.medium == Medium::Ip {
            return self.receive_ip(now, arrival, frame, 0);
        }
        let Ok(ethernet) = EthernetView::new(&frame.bytes) else {
            self.stats.malformed += 1;
            return;
        };
        let dst = ethernet.dst();
        // A tag names a VLAN we are not in; priority tags (identifier 0) are for everyone.
        let tagged = ethernet.tags().any(|tag| tag.id != 0);
        if tagged || ethernet.src().is_multicast() || (dst != interface.config.mac && !dst.is_multicast()) {
            self.stats.not_for_us += 1;
            return;
        }
        arrival.to_group = dst.is_multicast();
        let start = ethernet.header_len();
        match ethernet.ethertype() {
            EtherType::ARP => self.receive_arp(now, id, &frame.bytes[start..]),
            EtherType::IPV4 if frame.bytes.get(start).is_some_and(|byte| byte >> 4 == 4) => {
                self.receive_ip(now, arrival, frame, start);
            }
            EtherType::IPV6 if frame.bytes.get(start).is_some_and(|byte| byte >> 4 == 6) => {
                self.receive_ip(now, arrival, frame, start);
            }
            _ => self.stats.malformed += 1,
        }
    }

    /// The packet that starts at `start` of a frame's bytes, from a link.
    fn receive_ip(&mut self, now: Instant, arrival: Arrival, frame: Frame, start: usize) {
        if frame.payload[0].is_some() {
            return self.receive_gathered(now, arrival, frame, start);
        }
        let Frame { bytes, offload, .. } = frame;
        let Some(header) = Header::parse(&bytes[start..]).filter(may_come_from_a_link) else {
            self.stats.malformed += 1;
            return;
        };
        if self.is_plain_tcp(&arrival, &header) {
            return self.receive_plain_tcp(arrival, &header, bytes, start);
        }
        if self.tables.is_local(header.src) {
            // Somebody uses our address, to make us talk to ourselves.
            self.stats.malformed += 1;
            return;
        }
        let end = start + header.total_len;
        let Some(id) = arrival.interface else { return };
        let kind = self.tables.kind(id, header.dst);
        let untouched = self.hook.is_none() && kind != Kind::Other;
        if !untouched && !offload.is_packet() {
            let frame = Frame { offload, ..Frame::new(bytes, arrival.rx_time) };
            if let Err(frame) = self.forward_if_whole(now, &arrival, &header, frame, start) {
                self.receive_as_packets(now, arrival, frame, start);
            }
            return;
        }
        if self.hook.is_some() {
            let packet = Packet::from_frame(bytes, start, end);
            return self.receive_hooked(now, arrival, header, packet);
        }
        match kind {
            Kind::Local | Kind::LocalGroup => self.deliver(now, arrival, header, bytes.slice(start..end)),
            Kind::Other if self.autoconf_wants(arrival.interface, &header, &bytes[start..end]) => {
                self.deliver(now, arrival, header, bytes.slice(start..end));
            }
            Kind::Other => {
                self.forward(now, arrival, header, Packet::from_frame(bytes, start, end));
            }
            Kind::OtherGroup => self.stats.not_for_us += 1,
        }
    }

    /// A super-segment whose payload stands beside its headers: for us, it is taken as it is.
    fn receive_gathered(&mut self, now: Instant, arrival: Arrival, frame: Frame, start: usize) {
        let len = frame.len() - start;
        let header = frame.bytes.get(start..).and_then(Header::parse_quoted).filter(|header| {
            let sound = header.src.is_ipv6() || checksum::is_valid(&frame.bytes[start..start + header.len]);
            sound && header.total_len == len && may_come_from_a_link(header)
        });
        let Some(header) = header else {
            self.stats.malformed += 1;
            return;
        };
        let verified = !arrival.verify;
        if !verified || !self.is_plain_tcp(&arrival, &header) {
            if let Err(frame) = self.forward_if_whole(now, &arrival, &header, frame, start) {
                let frame = frame.contiguous(self.tcp.buffer_pool());
                self.receive_ip(now, arrival, frame, start);
            }
            return;
        }
        let Frame { mut bytes, payload, offload, .. } = frame;
        bytes.advance(start + header.len);
        let segment = Host::segment_in(&arrival, &header, bytes);
        let fin = segment.bytes.get(13).is_some_and(|flags| flags & 1 != 0);
        let ends = TrainEnds { fin, cwr_once: offload.segmentation.is_some_and(|how| how.cwr_once) };
        let pieces: [Bytes; 2] = payload.map(Option::unwrap_or_default);
        let count = 1 + usize::from(!pieces[1].is_empty());
        self.tcp.handle_train(&self.tables, segment, pieces.into_iter().take(count), ends);
    }

    /// See [`Host::forward_whole`]; gives back what is not for somebody else.
    fn forward_if_whole(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        header: &Header,
        frame: Frame,
        start: usize,
    ) -> Result<(), Frame> {
        let foreign = !self.tables.is_local(header.src)
            && arrival.interface.is_some_and(|id| self.tables.kind(id, header.dst) == Kind::Other);
        if foreign { self.forward_whole(now, arrival, header, frame, start) } else { Err(frame) }
    }

    /// Whether a packet is what most packets are: a segment for us, between addresses that were found good before,
    /// without anything to look at on the way.
    pub(super) fn is_plain_tcp(&mut self, arrival: &Arrival, header: &Header) -> bool {
        let plain = header.protocol == protocol::TCP
            && header.len == base_len(header.src)
            && !header.is_v4_fragment()
            && !arrival.to_group
            && self.hook.is_none()
            && !self.raw.is_wanted();
        let Some(id) = arrival.interface.filter(|_| plain) else { return false };
        let known = self.good_between.as_ref().is_some_and(|known| {
            known.id == id
                && known.version == self.tables.version
                && known.src == header.src
                && known.dst == header.dst
        });
        if known {
            return true;
        }
        let good = !self.tables.is_local(header.src)
            && !self.tables.is_group(header.src)
            && !header.src.is_unspecified()
            && self.tables.kind(id, header.dst) == Kind::Local;
        if good {
            let version = self.tables.version;
            self.good_between = Some(Between { id, src: header.src, dst: header.dst, version });
        }
        good
    }

    #[inline(always)]
    fn receive_plain_tcp(&mut self, arrival: Arrival, header: &Header, mut bytes: Bytes, start: usize) {
        bytes.truncate(start + header.total_len);
        bytes.advance(start + header.len);
        self.hand_to_tcp(arrival, header, bytes);
    }

    /// The same, for who has to see packets as they are on a wire: hooks, and links that the packet goes out by.
    fn receive_as_packets(&mut self, now: Instant, mut arrival: Arrival, frame: Frame, start: usize) {
        arrival.verify = false;
        let Frame { bytes, rx_time, offload, .. } = frame;
        if let Some(segmentation) = offload.segmentation {
            let Some(packets) = Segments::of(&bytes, start, segmentation) else {
                self.stats.malformed += 1;
                return;
            };
            for packet in packets {
                self.receive_ip(now, arrival, Frame::new(packet, rx_time), start);
            }
        } else if let Checksum::Partial { start: from, offset } = offload.checksum {
            let mut packet = BytesMut::from(bytes);
            complete_checksum(&mut packet, from, offset);
            self.receive_ip(now, arrival, Frame::new(packet.freeze(), rx_time), start);
        }
    }

    /// The same on a host with a hook: fragments are put together first, then the hook looks.
    fn receive_hooked(&mut self, now: Instant, arrival: Arrival, header: Header, packet: Packet) {
        let Some(id) = arrival.interface else { return };
        let (header, packet) = match fragment_of(&header, packet.bytes()) {
            None => (header, packet),
            Some(_) => {
                let Some(whole) = self.reassemble(now, &header, packet.into_bytes()) else { return };
                let Some(header) = Header::parse(whole.bytes()) else { return };
                (header, whole)
            }
        };
        let Some((header, packet)) = self.ask_hook(now, Place::Prerouting, Some(id), None, header, packet)
        else {
            return;
        };
        match self.tables.kind(id, header.dst) {
            Kind::Local | Kind::LocalGroup => {
                let asked = self.ask_hook(now, Place::Input, Some(id), None, header, packet);
                if let Some((header, packet)) = asked {
                    self.deliver(now, arrival, header, packet.into_bytes());
                }
            }
            Kind::Other => self.forward(now, arrival, header, packet),
            Kind::OtherGroup => self.stats.not_for_us += 1,
        }
    }

    /// A packet from ourselves to ourselves.
    pub(super) fn receive_looped(&mut self, now: Instant, packet: Bytes) {
        let Some(header) = Header::parse(&packet) else { return };
        let arrival = Arrival { interface: None, to_group: false, rx_time: now, verify: true };
        let packet = packet.slice(..header.total_len);
        self.deliver(now, arrival, header, packet);
    }

    /// Takes one fragment; gives the packet if it was the last one missing.
    pub(super) fn reassemble(&mut self, now: Instant, header: &Header, packet: Bytes) -> Option<Packet> {
        let fragment = Fragment { packet: packet.clone(), ..fragment_of(header, &packet)? };
        match self.reassembler.insert(now, fragment) {
            Outcome::Whole(packet) => Some(packet),
            Outcome::Illegal { at } => {
                let tell = Tell::ParameterProblem { code: 0, pointer: at, even_to_group: false };
                self.tell(now, tell, &packet, false);
                None
            }
            Outcome::Waiting | Outcome::Discarded => None,
        }
    }
}

/// RFC 1122 3.2.1.3, RFC 4291 2.5.3: such sources and destinations never cross a link.
fn may_come_from_a_link(header: &Header) -> bool {
    let source = match header.src {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_multicast() && !v4.is_broadcast(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_multicast(),
    };
    source && !header.dst.is_loopback() && !header.dst.is_unspecified()
}

/// What `packet` is if it is a fragment (its bytes are left out).
fn fragment_of(header: &Header, packet: &[u8]) -> Option<Fragment> {
    let fragment = |id, protocol, offset, more, data: usize, v6: Option<V6Fragment>| Fragment {
        key: FragmentKey { src: header.src, dst: header.dst, protocol, id },
        offset,
        more,
        dont_fragment: header.dont_fragment,
        ecn: header.ecn(),
        packet: Bytes::new(),
        data: data..header.total_len,
        v6,
    };
    if header.src.is_ipv4() {
        let (offset, more) = header.fragment;
        return header
            .is_v4_fragment()
            .then(|| fragment(u32::from(header.id), header.protocol, offset, more, header.len, None));
    }
    match header.upper(packet) {
        Upper::Fragment { id, offset, more, header: v6 } => {
            Some(fragment(id, 0, offset, more, v6.header_at + 8, Some(v6)))
        }
        _ => None,
    }
}
