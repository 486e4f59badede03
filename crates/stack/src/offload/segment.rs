//! Segmentation: from one super-segment to the packets it stands for, byte for byte those that TCP would have sent
//! one by one (RFC 9293; the rules for identification, PSH, FIN and CWR are those of Linux and of network cards).

use bytes::{BufMut, Bytes, BytesMut};
use thru_wire::checksum::{PseudoHeader, Sum};
use thru_wire::ipv4::Protocol;
use thru_wire::tcp::Tcp;

#[cfg(doc)]
use crate::frame::Checksum;
use crate::frame::Segmentation;
use crate::header::{Header, Upper, protocol};

/// Headers longer than this belong to no super-segment: Ethernet with two tags, IPv6 with some extensions, TCP.
const LONGEST_HEADERS: usize = 256;

const PSH: u8 = 0x08;
const FIN: u8 = 0x01;
const CWR: u8 = 0x80;

/// The packets of a super-segment, in order.
#[derive(Debug)]
pub struct Segments<'a> {
    headers: PacketHeaders,
    payload: &'a [u8],
    /// Payload bytes already given out.
    done: usize,
    segment_size: usize,
    finished: bool,
}

impl<'a> Segments<'a> {
    /// The packets of `frame`, whose IP header begins at `link_header`. `None` if its headers are not those of one
    /// whole TCP segment, or don't end where `segmentation` says.
    pub fn of(frame: &'a [u8], link_header: usize, segmentation: Segmentation) -> Option<Segments<'a>> {
        let Segmentation { segment_size, header_len, cwr_once } = segmentation;
        let header_len = usize::from(header_len);
        let packet = frame.get(link_header..)?;
        let ip = Header::parse_quoted(packet)?;
        let packet = packet.get(..ip.total_len)?;
        let Upper::Protocol { protocol: protocol::TCP, at, .. } = ip.upper(packet) else { return None };
        let tcp_at = link_header + at;
        let tcp_len = usize::from(frame.get(tcp_at + 12)? >> 4) * 4;
        let ends =
            tcp_len >= 20 && tcp_at + tcp_len == header_len && header_len <= link_header + packet.len();
        if segment_size == 0 || ip.is_v4_fragment() || !ends || header_len > LONGEST_HEADERS {
            return None;
        }
        let pseudo = PseudoHeader::new(ip.src, ip.dst, Protocol::TCP);
        let front = &frame[..header_len];
        Some(Segments {
            headers: PacketHeaders::new(front, link_header, tcp_at, pseudo, segment_size, cwr_once),
            payload: &frame[header_len..link_header + ip.total_len],
            done: 0,
            segment_size: usize::from(segment_size),
            finished: false,
        })
    }

    /// Appends the next packet, complete with checksums, to `out`. `false` if there is none left.
    pub fn next_into(&mut self, out: &mut impl BufMut) -> bool {
        let len = (self.payload.len() - self.done).min(self.segment_size);
        if self.finished {
            return false;
        }
        let payload = &self.payload[self.done..self.done + len];
        self.done += len;
        self.finished = self.done == self.payload.len();
        out.put_slice(self.headers.step(len, self.finished, Sum::of(payload)));
        out.put_slice(payload);
        true
    }
}

/// The headers of a super-segment, from link to TCP, and then of one of its packets after the other.
#[derive(Debug)]
pub(crate) struct PacketHeaders {
    /// Rewritten for each packet.
    front: [u8; LONGEST_HEADERS],
    ip_at: usize,
    tcp_at: usize,
    /// The sum of what is the same in all IPv4 headers: all but length, identification and checksum.
    ip_same: Sum,
    id: u16,
    tcp: SegmentHeader,
}

impl PacketHeaders {
    /// `front` are the headers of the whole, at most 256 bytes; those of IP and TCP begin at these places.
    pub(crate) fn new(
        front: &[u8],
        ip_at: usize,
        tcp_at: usize,
        pseudo: PseudoHeader,
        segment_size: u16,
        cwr_once: bool,
    ) -> PacketHeaders {
        let mut own = [0; LONGEST_HEADERS];
        own[..front.len()].copy_from_slice(front);
        let ip = &mut own[ip_at..tcp_at];
        let id = u16::from_be_bytes([ip[4], ip[5]]);
        let mut ip_same = Sum::EMPTY;
        if ip[0] >> 4 == 4 {
            ip_same.add_bytes(&ip[..2]);
            ip_same.add_bytes(&ip[6..10]);
            ip_same.add_bytes(&ip[12..]);
        }
        let tcp = SegmentHeader::new(&front[tcp_at..], pseudo, segment_size, cwr_once);
        PacketHeaders { front: own, ip_at, tcp_at, ip_same, id, tcp }
    }

    /// Bytes of all headers.
    pub(crate) fn len(&self) -> usize {
        self.tcp_at + self.tcp.len()
    }

    /// Moves on to the headers of the next packet, in front of `payload_len` bytes of this sum.
    pub(crate) fn step(&mut self, payload_len: usize, last: bool, payload: Sum) -> &[u8] {
        let tcp = self.tcp.step(payload_len, last, payload);
        let (ip, rest) = self.front[self.ip_at..].split_at_mut(self.tcp_at - self.ip_at);
        rest[..tcp.len()].copy_from_slice(tcp);
        let packet_len = ip.len() + tcp.len() + payload_len;
        if ip[0] >> 4 == 4 {
            ip[2..4].copy_from_slice(&(packet_len as u16).to_be_bytes());
            ip[4..6].copy_from_slice(&self.id.to_be_bytes());
            let mut sum = self.ip_same;
            sum.add_u16(packet_len as u16);
            sum.add_u16(self.id);
            ip[10..12].copy_from_slice(&sum.checksum().to_be_bytes());
            self.id = self.id.wrapping_add(1);
        } else {
            ip[4..6].copy_from_slice(&((packet_len - 40) as u16).to_be_bytes());
        }
        &self.front[..self.tcp_at + tcp.len()]
    }
}

/// The TCP header of a super-segment, and then of one of its segments after the other.
#[derive(Debug)]
pub(crate) struct SegmentHeader {
    header: [u8; Tcp::MAX_LEN],
    len: usize,
    /// The sum of what is the same in all headers: all but sequence number, flags and checksum; and of the pseudo
    /// header but for the length.
    same: Sum,
    flags: u8,
    segment_size: u32,
    cwr_once: bool,
    first: bool,
}

impl SegmentHeader {
    /// `header` is that of the whole, at most 60 bytes.
    pub(crate) fn new(
        header: &[u8],
        pseudo: PseudoHeader,
        segment_size: u16,
        cwr_once: bool,
    ) -> SegmentHeader {
        let len = header.len();
        let mut own = [0; Tcp::MAX_LEN];
        own[..len].copy_from_slice(header);
        let mut same = own;
        same[4..8].fill(0);
        same[13] = 0;
        same[16..18].fill(0);
        let mut same = Sum::of(&same[..len]);
        same.add_sum(pseudo.sum(0));
        let flags = own[13];
        SegmentHeader {
            header: own,
            len,
            same,
            flags,
            segment_size: segment_size.into(),
            cwr_once,
            first: true,
        }
    }

    /// Moves on to the header of the next segment, in front of `payload_len` bytes of this sum.
    pub(crate) fn step(&mut self, payload_len: usize, last: bool, payload: Sum) -> &[u8] {
        let header = &mut self.header;
        let mut seq = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        let mut flags = self.flags;
        if !self.first {
            seq = seq.wrapping_add(self.segment_size);
            flags &= !if self.cwr_once { CWR } else { 0 };
        }
        if !last {
            flags &= !(PSH | FIN);
        }
        self.first = false;
        header[4..8].copy_from_slice(&seq.to_be_bytes());
        header[13] = flags;
        let mut sum = self.same;
        sum.add_u32((self.len + payload_len) as u32);
        sum.add_u32(seq);
        sum.add_u16(flags.into());
        sum.add_sum(payload);
        header[16..18].copy_from_slice(&sum.checksum().to_be_bytes());
        &self.header[..self.len]
    }

    /// Bytes of the header.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

impl Iterator for Segments<'_> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.finished {
            return None;
        }
        let mut packet = BytesMut::with_capacity(self.headers.len() + self.segment_size);
        self.next_into(&mut packet);
        Some(packet.freeze())
    }
}

/// Completes a [`Checksum::Partial`] of a single packet: after this, `bytes` is what a wire carries. Leaves alone what
/// lies outside of it.
pub fn complete_checksum(bytes: &mut [u8], start: u16, offset: u16) {
    let (start, offset) = (usize::from(start), usize::from(offset));
    let Some(upper) = bytes.get_mut(start..) else { return };
    if upper.get(offset..offset + 2).is_none() {
        return;
    }
    let sum = Sum::of(upper).checksum();
    // RFC 768: zero means "no checksum", so UDP sends a sum of zero as its other form.
    let sum = if sum == 0 && offset == 6 { 0xffff } else { sum };
    upper[offset..offset + 2].copy_from_slice(&sum.to_be_bytes());
}

#[cfg(test)]
mod tests;
