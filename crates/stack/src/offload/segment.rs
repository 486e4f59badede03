//! Segmentation: from one super-segment to the packets it stands for, byte for byte those that TCP would have sent
//! one by one (RFC 9293; the rules for identification, PSH, FIN and CWR are those of Linux and of network cards).

use bytes::{BufMut, Bytes, BytesMut};
use thru_wire::checksum::{PseudoHeader, Sum};
use thru_wire::ipv4::Protocol;

#[cfg(doc)]
use crate::frame::Checksum;
use crate::frame::Segmentation;
use crate::header::{Header, Upper, protocol, set_ipv4_checksum};

/// Headers longer than this belong to no super-segment: Ethernet with two tags, IPv6 with some extensions, TCP.
const LONGEST_HEADERS: usize = 256;

const PSH: u8 = 0x08;
const FIN: u8 = 0x01;
const CWR: u8 = 0x80;

/// The packets of a super-segment, in order.
#[derive(Debug)]
pub struct Segments<'a> {
    /// Link, IP and TCP headers as they are in front of all of it; rewritten for each packet.
    headers: [u8; LONGEST_HEADERS],
    header_len: usize,
    ip_at: usize,
    tcp_at: usize,
    pseudo: PseudoHeader,
    payload: &'a [u8],
    /// Payload bytes already given out.
    done: usize,
    segment_size: usize,
    /// The flags of the whole.
    flags: u8,
    cwr_once: bool,
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
        let mut headers = [0; LONGEST_HEADERS];
        headers[..header_len].copy_from_slice(&frame[..header_len]);
        Some(Segments {
            headers,
            header_len,
            ip_at: link_header,
            tcp_at,
            pseudo: PseudoHeader::new(ip.src, ip.dst, Protocol::TCP),
            payload: &frame[header_len..link_header + ip.total_len],
            done: 0,
            segment_size: usize::from(segment_size),
            flags: frame[tcp_at + 13],
            cwr_once,
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
        let first = self.done == 0;
        self.done += len;
        self.finished = self.done == self.payload.len();
        self.write_headers(first, payload);
        out.put_slice(&self.headers[..self.header_len]);
        out.put_slice(payload);
        true
    }

    /// Makes the headers those of the packet that carries `payload`, from those of the packet before.
    fn write_headers(&mut self, first: bool, payload: &[u8]) {
        let upper_len = self.header_len - self.tcp_at + payload.len();
        let (ip, tcp) = self.headers[self.ip_at..self.header_len].split_at_mut(self.tcp_at - self.ip_at);
        let packet_len = ip.len() + upper_len;
        if ip[0] >> 4 == 4 {
            ip[2..4].copy_from_slice(&(packet_len as u16).to_be_bytes());
            let id = u16::from_be_bytes([ip[4], ip[5]]).wrapping_add(u16::from(!first));
            ip[4..6].copy_from_slice(&id.to_be_bytes());
            set_ipv4_checksum(ip);
        } else {
            ip[4..6].copy_from_slice(&((packet_len - 40) as u16).to_be_bytes());
        }
        if !first {
            let seq = u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]);
            tcp[4..8].copy_from_slice(&seq.wrapping_add(self.segment_size as u32).to_be_bytes());
        }
        let not_last = if self.finished { 0 } else { PSH | FIN };
        let not_first = if self.cwr_once && !first { CWR } else { 0 };
        tcp[13] = self.flags & !not_last & !not_first;
        tcp[16..18].fill(0);
        let mut sum = self.pseudo.sum(upper_len);
        sum.add_bytes(tcp);
        sum.add_bytes(payload);
        tcp[16..18].copy_from_slice(&sum.checksum().to_be_bytes());
    }
}

impl Iterator for Segments<'_> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.finished {
            return None;
        }
        let mut packet = BytesMut::with_capacity(self.header_len + self.segment_size);
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
