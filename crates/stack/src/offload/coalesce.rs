//! Coalescing: packets of one connection that arrive in a row become one segment (generic receive offload).
//!
//! Only packets that [`Segments`](super::Segments) would make of the whole again, byte for byte, are joined: the same
//! headers but for what segmentation counts up, payload of one size but for the last. Whatever else there is about a
//! packet, it ends the train and goes its own way.

use bytes::{Buf, Bytes};
use thru_wire::checksum::{self, PseudoHeader};
use thru_wire::ipv4::Protocol;

use crate::buffers::BufferPool;
use crate::frame::{Checksum, Frame, Offload, Segmentation};
use crate::header::{Header, base_len, protocol};
use crate::tcp::TrainEnds;

const ACK: u8 = 0x10;
const PSH: u8 = 0x08;
const FIN: u8 = 0x01;
const CWR: u8 = 0x80;
const ECE: u8 = 0x40;
/// Most bytes of an IP packet.
const MOST: usize = 65_535;

/// Packets in the making of a super-segment; used again for the next.
#[derive(Debug, Default)]
pub struct Coalescer {
    head: Option<Head>,
    /// Payload of the packets after the first.
    more: Vec<Bytes>,
}

/// The first packet, and where the train stands.
#[derive(Debug)]
struct Head {
    frame: Frame,
    ip_at: usize,
    tcp_at: usize,
    payload_at: usize,
    pseudo: PseudoHeader,
    segment_size: usize,
    /// Sequence number and identification that the next packet must have.
    next_seq: u32,
    next_id: u16,
    /// Bytes of the whole IP packet so far.
    len: usize,
    /// Flags of the packets after the first, once there is one.
    flags: Option<u8>,
    /// Flags of the last packet.
    last_flags: u8,
    /// Nothing may follow.
    complete: bool,
    /// The headers of the packet that comes next if the train goes on as it does: then one comparison tells all. As long
    /// as `payload_at`; 0: it can't be told.
    foreseen: [u8; LONGEST_FORESEEN],
    foreseen_len: usize,
}

/// Ethernet, IPv6 and the longest TCP header.
const LONGEST_FORESEEN: usize = 14 + 40 + 60;

/// What is said of one packet that may belong to a train.
struct Seen {
    ip: Header,
    tcp_at: usize,
    payload_at: usize,
    end: usize,
    flags: u8,
    seq: u32,
}

impl Coalescer {
    /// Takes a frame whose IP header begins at `ip_at` into the train, or begins one with it; gives it back if it
    /// doesn't belong there: then take the train out first and ask again, and if there was none, the frame is not
    /// one that trains are made of.
    pub fn push(&mut self, frame: Frame, ip_at: usize) -> Result<(), Frame> {
        match &mut self.head {
            None => match Head::of(frame, ip_at) {
                Ok(head) => self.head = Some(head),
                Err(frame) => return Err(frame),
            },
            Some(head) => {
                if !head.takes(&frame, ip_at) {
                    return Err(frame);
                }
                let payload = self.more.push_mut(frame.bytes);
                payload.truncate(head.ip_at + head.packet_len(payload));
                payload.advance(head.payload_at);
            }
        }
        Ok(())
    }

    /// Takes a frame out if it goes on with the train exactly as foreseen, which most do; else leaves it as it is, and
    /// nothing is said about it.
    #[inline]
    pub(crate) fn goes_on(&mut self, frame: &mut Frame) -> bool {
        let Some(head) = self.head.as_mut().filter(|head| head.is_foreseen(frame)) else { return false };
        let taken = head.takes_foreseen(frame);
        if taken {
            // What is written here in pieces must not be moved right away: that would wait for the pieces.
            self.more.push_mut(core::mem::take(&mut frame.bytes)).advance(head.payload_at);
        }
        taken
    }

    /// Takes the train out: its first packet as it came, and where its headers end; the payload of the others, to be
    /// drained; whether the last one carries FIN.
    pub(crate) fn take(&mut self) -> Option<Arrived<'_>> {
        let head = self.head.take()?;
        let cwr_once = head.flags.is_some_and(|flags| flags & CWR == 0);
        let ends = TrainEnds { fin: head.last_flags & FIN != 0, cwr_once };
        Some(Arrived { frame: head.frame, ip_at: head.ip_at, ends, more: &mut self.more })
    }

    /// The train as one frame: the first packet itself if nothing followed it, or a super-segment in a buffer of `pool`
    /// whose checksum is left open.
    pub fn take_frame(&mut self, pool: &BufferPool) -> Option<Frame> {
        let head = self.head.take()?;
        if self.more.is_empty() {
            return Some(head.frame);
        }
        let first = &head.frame.bytes;
        let mut buffer = pool.take(head.ip_at + head.len);
        buffer.extend_from_slice(&first[..head.ip_at + head.packet_len(first)]);
        for payload in self.more.drain(..) {
            buffer.extend_from_slice(&payload);
        }
        let (ip, tcp) = buffer[head.ip_at..head.payload_at].split_at_mut(head.tcp_at - head.ip_at);
        if ip[0] >> 4 == 4 {
            ip[2..4].copy_from_slice(&(head.len as u16).to_be_bytes());
            crate::header::set_ipv4_checksum(ip);
        } else {
            let upper_len = head.len - ip.len();
            ip[4..6].copy_from_slice(&(upper_len as u16).to_be_bytes());
        }
        // What holds for the whole is what the first packet says, and how the last one ends.
        tcp[13] |= head.last_flags & (PSH | FIN);
        let open = !head.pseudo.sum(head.len - ip.len()).checksum();
        tcp[16..18].copy_from_slice(&open.to_be_bytes());
        let segmentation = Segmentation {
            segment_size: head.segment_size as u16,
            header_len: head.payload_at as u16,
            cwr_once: tcp[13] & CWR != 0 && head.flags.is_some_and(|flags| flags & CWR == 0),
        };
        let checksum = Checksum::Partial { start: head.tcp_at as u16, offset: 16 };
        let offload = Offload { segmentation: Some(segmentation), checksum };
        Some(Frame { bytes: buffer.freeze(), offload, ..head.frame })
    }

    /// Whether there are several packets.
    pub(crate) fn is_train(&self) -> bool {
        !self.more.is_empty()
    }

    /// The arrival of the first packet.
    pub(crate) fn rx_time(&self) -> thru_wire::Instant {
        self.head.as_ref().map_or(thru_wire::Instant::START, |head| head.frame.rx_time)
    }

    /// The first packet.
    pub(crate) fn ip_header(&self) -> Option<&[u8]> {
        self.head.as_ref().map(|head| &head.frame.bytes[head.ip_at..])
    }

    /// Whether there is no train.
    pub fn is_empty(&self) -> bool {
        self.head.is_none()
    }
}

/// A train that was taken out.
pub(crate) struct Arrived<'a> {
    pub(crate) frame: Frame,
    pub(crate) ip_at: usize,
    pub(crate) ends: TrainEnds,
    pub(crate) more: &'a mut Vec<Bytes>,
}

impl Head {
    /// Begins a train.
    fn of(frame: Frame, ip_at: usize) -> Result<Head, Frame> {
        let Some(seen) = Seen::of(&frame, ip_at) else { return Err(frame) };
        let pseudo = PseudoHeader::new(seen.ip.src, seen.ip.dst, Protocol::TCP);
        let segment_size = seen.end - seen.payload_at;
        if !is_intact(&frame, seen.tcp_at, seen.end, &pseudo) {
            return Err(frame);
        }
        let mut head = Head {
            ip_at,
            tcp_at: seen.tcp_at,
            payload_at: seen.payload_at,
            pseudo,
            segment_size,
            next_seq: seen.seq.wrapping_add(segment_size as u32),
            next_id: seen.ip.id.wrapping_add(1),
            len: seen.ip.total_len,
            flags: None,
            last_flags: seen.flags,
            complete: seen.flags & (PSH | FIN) != 0,
            foreseen: [0; LONGEST_FORESEEN],
            foreseen_len: 0,
            frame,
        };
        head.foresee();
        Ok(head)
    }

    /// Writes down the headers that come next.
    fn foresee(&mut self) {
        let len = self.payload_at;
        let flags = self.flags.unwrap_or(self.last_flags);
        // After a CWR, which may be on the first packet only, there are two ways to go on.
        if self.complete || len > LONGEST_FORESEEN || (self.flags.is_none() && flags & CWR != 0) {
            self.foreseen_len = 0;
            return;
        }
        if self.foreseen_len == 0 {
            self.foreseen[..len].copy_from_slice(&self.frame.bytes[..len]);
            self.foreseen_len = len;
        }
        let (ip, tcp) = self.foreseen[self.ip_at..len].split_at_mut(self.tcp_at - self.ip_at);
        if ip[0] >> 4 == 4 {
            let (id, sum) = (u16::from_be_bytes([ip[4], ip[5]]), u16::from_be_bytes([ip[10], ip[11]]));
            ip[4..6].copy_from_slice(&self.next_id.to_be_bytes());
            ip[10..12].copy_from_slice(&checksum::update_u16(sum, id, self.next_id).to_be_bytes());
        }
        tcp[4..8].copy_from_slice(&self.next_seq.to_be_bytes());
        tcp[13] = flags;
    }

    /// Whether a packet has these headers, and is as long as the others.
    fn is_foreseen(&self, frame: &Frame) -> bool {
        let (bytes, len, sum_at) = (&frame.bytes[..], self.foreseen_len, self.tcp_at + 16);
        len > 0
            && bytes.len() == len + self.segment_size
            && frame.offload.is_packet()
            && frame.payload[0].is_none()
            && bytes[..sum_at] == self.foreseen[..sum_at]
            && bytes[sum_at + 2..len] == self.foreseen[sum_at + 2..len]
            && bytes[sum_at..sum_at + 2] != [0xff, 0xff]
    }

    /// Whether a packet goes on where the train ends; if so, it counts as taken.
    fn takes(&mut self, frame: &Frame, ip_at: usize) -> bool {
        if ip_at == self.ip_at && self.is_foreseen(frame) {
            return self.takes_foreseen(frame);
        }
        let same_length = ip_at == self.ip_at && frame.bytes.len() >= self.payload_at;
        if self.complete || !same_length || !self.is_alike(&frame.bytes) {
            return false;
        }
        let Some(seen) = Seen::of(frame, ip_at) else { return false };
        let payload = seen.end - seen.payload_at;
        let in_order = seen.seq == self.next_seq && (seen.ip.src.is_ipv6() || seen.ip.id == self.next_id);
        let fits = payload <= self.segment_size && self.len + payload <= MOST;
        let taken = in_order
            && fits
            && self.flags_go_on(seen.flags)
            && is_intact(frame, seen.tcp_at, seen.end, &self.pseudo);
        if taken {
            self.count(payload, seen.flags);
        }
        taken
    }

    fn takes_foreseen(&mut self, frame: &Frame) -> bool {
        let fits = self.len + self.segment_size <= MOST;
        let taken = fits && is_intact(frame, self.tcp_at, frame.bytes.len(), &self.pseudo);
        if taken {
            self.count(self.segment_size, frame.bytes[self.tcp_at + 13]);
        }
        taken
    }

    /// A packet with this payload and these flags was taken.
    fn count(&mut self, payload: usize, flags: u8) {
        self.flags = Some(flags & !(PSH | FIN));
        self.last_flags = flags;
        self.complete = payload < self.segment_size || flags & (PSH | FIN) != 0;
        self.next_seq = self.next_seq.wrapping_add(payload as u32);
        self.next_id = self.next_id.wrapping_add(1);
        self.len += payload;
        self.foresee();
    }

    /// Whether all of the headers that is the same in each packet is the same here: link header, addresses, ports,
    /// acknowledgement, window, options, and what kind of packet it is.
    fn is_alike(&self, bytes: &[u8]) -> bool {
        let (own, ip, tcp, end) = (&self.frame.bytes[..], self.ip_at, self.tcp_at, self.payload_at);
        let same = |range: core::ops::Range<usize>| own[range.clone()] == bytes[range];
        let ip_alike = if own[ip] >> 4 == 4 {
            same(ip..ip + 2) && same(ip + 6..ip + 10) && same(ip + 12..tcp)
        } else {
            same(ip..ip + 4) && same(ip + 6..tcp)
        };
        ip_alike
            && same(tcp..tcp + 4)
            && same(tcp + 8..tcp + 13)
            && same(tcp + 14..tcp + 16)
            && same(tcp + 18..end)
            && same(0..ip)
    }

    /// CWR may be on the first packet only, or on all; the rest never changes but at the end.
    fn flags_go_on(&self, flags: u8) -> bool {
        let flags = flags & !(PSH | FIN);
        match self.flags {
            Some(before) => flags == before,
            None => flags == self.last_flags || flags == self.last_flags & !CWR,
        }
    }

    /// Bytes of the IP packet at its place in `bytes`, as its header says.
    fn packet_len(&self, bytes: &[u8]) -> usize {
        let ip = &bytes[self.ip_at..];
        if ip[0] >> 4 == 4 {
            usize::from(u16::from_be_bytes([ip[2], ip[3]]))
        } else {
            40 + usize::from(u16::from_be_bytes([ip[4], ip[5]]))
        }
    }
}

impl Seen {
    /// `None` for what no train is made of.
    fn of(frame: &Frame, ip_at: usize) -> Option<Seen> {
        let Frame { bytes, offload, payload, .. } = frame;
        let partial = matches!(offload.checksum, Checksum::Partial { .. });
        if offload.segmentation.is_some() || payload[0].is_some() || partial {
            return None;
        }
        let ip = Header::parse(bytes.get(ip_at..)?)?;
        let bare = ip.len == base_len(ip.src) && !ip.is_v4_fragment() && ip.protocol == protocol::TCP;
        let tcp_at = ip_at + ip.len;
        let end = ip_at + ip.total_len;
        let tcp: &[u8; 20] = bytes.get(tcp_at..end)?.first_chunk()?;
        let payload_at = tcp_at + usize::from(tcp[12] >> 4) * 4;
        let flags = tcp[13];
        let plain = flags & !(PSH | FIN | CWR | ECE) == ACK && tcp[18..20] == [0, 0];
        // One of two forms of the same checksum is the one we would write.
        let canonical = tcp[16..18] != [0xff, 0xff]
            && (ip.src.is_ipv6() || bytes[ip_at + 10..ip_at + 12] != [0xff, 0xff]);
        // Padding would be lost.
        let exact = end == bytes.len();
        if !bare || !plain || !canonical || !exact || payload_at < tcp_at + 20 || payload_at >= end {
            return None;
        }
        let seq = u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]);
        Some(Seen { ip, tcp_at, payload_at, end, flags, seq })
    }
}

fn is_intact(frame: &Frame, tcp_at: usize, end: usize, pseudo: &PseudoHeader) -> bool {
    !frame.offload.checksum.must_be_verified() || pseudo.is_valid(&frame.bytes[tcp_at..end])
}

#[cfg(test)]
mod tests;
