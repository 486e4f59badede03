//! Packets for others.

use core::net::IpAddr;

use bytes::{Buf, BytesMut};
use thru_wire::Instant;

use super::ingress::Arrival;
use super::tables::NextHop;
use super::{Host, InterfaceId};
use crate::frame::{Checksum, Frame};
use crate::header::{Header, base_len, decrement_ttl, protocol};
use crate::hook::Place;
use crate::icmp::send::Tell;
use crate::packet::Packet;
use crate::route::RouteTarget;

impl Host {
    /// RFC 1812 5.2, RFC 8200 3: one hop less, towards the next router, or an error to the source.
    pub(super) fn forward(&mut self, now: Instant, arrival: Arrival, header: Header, packet: Packet) {
        if !self.config.forwarding
            || arrival.to_group
            || !may_be_forwarded(&header)
            || self.tables.is_group(header.src)
        {
            self.stats.not_for_us += 1;
            return;
        }
        if header.ttl <= 1 {
            self.stats.ttl_exceeded += 1;
            return self.tell(now, Tell::TimeExceeded, packet.bytes(), false);
        }
        let refusal = match self.tables.next_hop(header.dst) {
            NextHop::Neighbor(out, next_hop) => {
                return self.forward_to(now, arrival, (header, packet), out, next_hop);
            }
            // One of our addresses, but of another link's scope.
            NextHop::Local => None,
            NextHop::Refused(RouteTarget::Blackhole) => None,
            NextHop::Refused(RouteTarget::Prohibit) => Some(Tell::Prohibited),
            NextHop::Refused(_) | NextHop::None => Some(Tell::NoRoute),
        };
        self.stats.no_route += 1;
        if let Some(tell) = refusal {
            self.tell(now, tell, packet.bytes(), false);
        }
    }

    /// A super-segment for somebody else, where the next link takes it whole and nobody here wants to see its packets:
    /// as if each of them had been passed on. `header` is at `start`. Gives any other back.
    pub(super) fn forward_whole(
        &mut self,
        now: Instant,
        arrival: &Arrival,
        header: &Header,
        frame: Frame,
        start: usize,
    ) -> Result<(), Frame> {
        let way = self.way_of_whole(arrival, header, &frame, start);
        let link_header = way.and_then(|(out, next_hop)| self.link_header(now, out, next_hop));
        let (Some((out, _)), Some(link_header)) = (way, link_header) else { return Err(frame) };
        let link_header = link_header.as_ref().map_or(&[][..], |header| &header[..]);
        let Frame { bytes, mut offload, mut payload, .. } = frame;
        let Some(how) = &mut offload.segmentation else { return Ok(()) };
        let payload_len = start + header.total_len - usize::from(how.header_len);
        self.stats.forwarded += payload_len.div_ceil(how.segment_size.into()) as u64;
        how.header_len = (usize::from(how.header_len) - start + link_header.len()) as u16;
        let upper = (link_header.len() + header.len) as u16;
        offload.checksum = Checksum::Partial { start: upper, offset: 16 };

        // Padding is not passed on. What stands beside the headers stays there.
        let end = if payload[0].is_some() { bytes.len() } else { start + header.total_len };
        let mut buffer = if link_header.len() <= start {
            let mut buffer = BytesMut::from(bytes);
            buffer.truncate(end);
            buffer.advance(start - link_header.len());
            buffer
        } else {
            let mut buffer = self.tcp.buffer_pool().take(link_header.len() + end - start);
            buffer.resize(link_header.len(), 0);
            buffer.extend_from_slice(&bytes[start..end]);
            buffer
        };
        buffer[..link_header.len()].copy_from_slice(link_header);
        decrement_ttl(&mut buffer[link_header.len()..]);
        let pieces = core::mem::take(&mut payload);
        let mut frame = Frame { offload, payload: pieces, ..Frame::new(buffer.freeze(), now) };
        if !self.tables.offloads(out).gather {
            frame = frame.contiguous(self.tcp.buffer_pool());
        }
        self.stats.frames_sent += 1;
        self.outgoing.push_back((out, frame));
        Ok(())
    }

    /// Where a super-segment goes whole, if it may.
    fn way_of_whole(
        &self,
        arrival: &Arrival,
        header: &Header,
        frame: &Frame,
        start: usize,
    ) -> Option<(InterfaceId, IpAddr)> {
        let how = frame.offload.segmentation?;
        let (tcp_at, header_len) = (start + header.len, usize::from(how.header_len));
        let tcp_len = usize::from(frame.bytes.get(tcp_at + 12)? >> 4) * 4;
        let sound = header.protocol == protocol::TCP
            && header.len == base_len(header.src)
            && !header.is_v4_fragment()
            && matches!(frame.offload.checksum, Checksum::Partial { .. })
            && how.segment_size > 0
            && tcp_len >= 20
            && tcp_at + tcp_len == header_len
            && header_len < start + header.total_len
            && header_len <= frame.bytes.len();
        let passes = self.config.forwarding
            && self.hook.is_none()
            && !arrival.to_group
            && header.ttl > 1
            && may_be_forwarded(header)
            && !self.tables.is_group(header.src);
        if !sound || !passes {
            return None;
        }
        let NextHop::Neighbor(out, next_hop) = self.tables.next_hop(header.dst) else { return None };
        let largest = header_len - start + usize::from(how.segment_size);
        let fits = header.total_len <= self.tables.offloads(out).segmentation
            && largest <= self.tables.link_mtu(out)
            && !self.tables.is_group(next_hop);
        fits.then_some((out, next_hop))
    }

    fn forward_to(
        &mut self,
        now: Instant,
        arrival: Arrival,
        (header, mut packet): (Header, Packet),
        out: InterfaceId,
        next_hop: IpAddr,
    ) {
        let mtu = self.tables.link_mtu(out);
        // What was put together here for the hook goes out as it was cut; so that is what has to fit.
        let (largest, fixed) = match packet.fragment {
            Some(was) => (was.largest, was.dont_fragment || header.src.is_ipv6()),
            None => (packet.len(), header.dont_fragment),
        };
        if largest > mtu && fixed {
            self.stats.too_big += 1;
            return self.tell(now, Tell::TooBig { mtu }, packet.bytes(), false);
        }
        decrement_ttl(packet.bytes_mut());
        let Some((_, packet)) =
            self.ask_hook(now, Place::Forward, arrival.interface, Some(out), header, packet)
        else {
            return;
        };
        self.stats.forwarded += 1;
        self.leave(now, arrival.interface, out, next_hop, packet);
    }
}

/// Addresses with a meaning only on their link, or none at all, stay there (RFC 3927 7, RFC 4291 2.5.6, RFC 1812 5.3.7).
fn may_be_forwarded(header: &Header) -> bool {
    match (header.src, header.dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            !src.is_unspecified()
                && !src.is_link_local()
                && !dst.is_link_local()
                && dst.octets()[0] != 0
                && dst.octets()[0] < 240
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            !src.is_unspecified() && !src.is_unicast_link_local() && !dst.is_unicast_link_local()
        }
        _ => false,
    }
}
