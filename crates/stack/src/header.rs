//! What the host reads in and writes into IP headers: the few fields that decide, for both versions alike.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thru_wire::checksum;

use crate::fragment::reassemble::V6Fragment;
use crate::packet::Packet;

/// Protocol numbers that the host acts upon.
pub(crate) mod protocol {
    pub(crate) const HOP_BY_HOP: u8 = 0;
    pub(crate) const ICMPV4: u8 = 1;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
    pub(crate) const ROUTING: u8 = 43;
    pub(crate) const FRAGMENT: u8 = 44;
    pub(crate) const ICMPV6: u8 = 58;
    pub(crate) const NO_NEXT: u8 = 59;
    pub(crate) const DESTINATION_OPTIONS: u8 = 60;
}

/// An IP header, checked: lengths are within the bytes, the IPv4 checksum is right.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    /// What follows this header (IPv6: perhaps an extension header, see [`Header::upper`]).
    pub(crate) protocol: u8,
    /// Bytes of this header, with IPv4 options.
    pub(crate) len: usize,
    /// Bytes of the whole packet; what the frame holds beyond is padding.
    pub(crate) total_len: usize,
    pub(crate) ttl: u8,
    /// TOS or traffic class: DSCP and ECN.
    pub(crate) class: u8,
    pub(crate) dont_fragment: bool,
    /// IPv4 only: offset in bytes and "more fragments"; `(0, false)` is a whole packet.
    pub(crate) fragment: (usize, bool),
    /// IPv4 only.
    pub(crate) id: u16,
}

impl Header {
    /// Reads the header of a whole packet; `None` if it is not legal.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Header> {
        let header = Header::parse_quoted(bytes)?;
        let whole = header.total_len <= bytes.len();
        let undamaged = header.src.is_ipv6() || checksum::is_valid(&bytes[..header.len]);
        (whole && undamaged).then_some(header)
    }

    /// Reads the header of a packet that may be cut short, as in an ICMP error, where the checksum may have been
    /// left as it was before a router changed the header.
    pub(crate) fn parse_quoted(bytes: &[u8]) -> Option<Header> {
        match bytes.first()? >> 4 {
            4 => Header::parse_v4(bytes),
            6 => Header::parse_v6(bytes),
            _ => None,
        }
    }

    fn parse_v4(bytes: &[u8]) -> Option<Header> {
        let fixed: &[u8; 20] = bytes.first_chunk()?;
        let len = usize::from(fixed[0] & 0xf) * 4;
        let total_len = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
        if len < 20 || len > bytes.len() || total_len < len {
            return None;
        }
        let flags = u16::from_be_bytes([fixed[6], fixed[7]]);
        Some(Header {
            src: Ipv4Addr::new(fixed[12], fixed[13], fixed[14], fixed[15]).into(),
            dst: Ipv4Addr::new(fixed[16], fixed[17], fixed[18], fixed[19]).into(),
            protocol: fixed[9],
            len,
            total_len,
            ttl: fixed[8],
            class: fixed[1],
            dont_fragment: flags & 0x4000 != 0,
            fragment: (usize::from(flags & 0x1fff) * 8, flags & 0x2000 != 0),
            id: u16::from_be_bytes([fixed[4], fixed[5]]),
        })
    }

    fn parse_v6(bytes: &[u8]) -> Option<Header> {
        let fixed: &[u8; 40] = bytes.first_chunk()?;
        Some(Header {
            src: v6_at(bytes, 8)?.into(),
            dst: v6_at(bytes, 24)?.into(),
            protocol: fixed[6],
            len: 40,
            total_len: 40 + usize::from(u16::from_be_bytes([fixed[4], fixed[5]])),
            ttl: fixed[7],
            class: fixed[0] << 4 | fixed[1] >> 4,
            dont_fragment: true,
            fragment: (0, false),
            id: 0,
        })
    }

    /// The two ECN bits.
    pub(crate) fn ecn(&self) -> u8 {
        self.class & 3
    }

    /// Whether it is an IPv4 fragment.
    pub(crate) fn is_v4_fragment(&self) -> bool {
        self.fragment != (0, false)
    }

    /// Finds the upper-layer protocol behind IPv6 extension headers. `bytes` is the packet, perhaps cut short.
    pub(crate) fn upper(&self, bytes: &[u8]) -> Upper {
        if self.src.is_ipv4() {
            return Upper::Protocol { protocol: self.protocol, at: self.len, named_at: 9 };
        }
        let end = self.total_len.min(bytes.len());
        let (mut next, mut at, mut named_at) = (self.protocol, self.len, 6);
        loop {
            match next {
                protocol::HOP_BY_HOP if named_at != 6 => {
                    // RFC 8200 4.1: only right after the fixed header.
                    return Upper::Problem { code: 1, pointer: named_at, even_to_group: false };
                }
                protocol::HOP_BY_HOP | protocol::DESTINATION_OPTIONS | protocol::ROUTING => {}
                protocol::FRAGMENT => {
                    let Some(fixed) = bytes[..end].get(at..at + 8) else { return Upper::Truncated };
                    let word = u16::from_be_bytes([fixed[2], fixed[3]]);
                    let offset = usize::from(word & 0xfff8);
                    let more = word & 1 != 0;
                    if offset == 0 && !more {
                        // RFC 6946: an atomic fragment stands alone, whatever others have its identification.
                        (next, named_at, at) = (fixed[0], at, at + 8);
                        continue;
                    }
                    return Upper::Fragment {
                        id: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
                        offset,
                        more,
                        header: V6Fragment { header_at: at, named_at, next_header: fixed[0] },
                    };
                }
                protocol::NO_NEXT => return Upper::Nothing,
                protocol => return Upper::Protocol { protocol, at, named_at },
            }
            let Some(&[following, units]) = bytes[..end].get(at..at + 2).and_then(|b| b.first_chunk()) else {
                return Upper::Truncated;
            };
            let len = 8 + usize::from(units) * 8;
            let Some(extension) = bytes[..end].get(at..at + len) else { return Upper::Truncated };
            let problem = if next == protocol::ROUTING {
                routing_problem(extension)
            } else {
                option_problem(extension)
            };
            match problem {
                None => {}
                Some(Problem::Discard) => return Upper::Nothing,
                Some(Problem::Tell { code, offset, even_to_group }) => {
                    return Upper::Problem { code, pointer: at + offset, even_to_group };
                }
            }
            (next, named_at, at) = (following, at, at + len);
        }
    }
}

/// What the headers of a packet lead to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Upper {
    /// An upper-layer packet at offset `at`; `named_at` is the byte that says so.
    Protocol { protocol: u8, at: usize, named_at: usize },
    /// An IPv6 fragment.
    Fragment { id: u32, offset: usize, more: bool, header: V6Fragment },
    /// Nothing for anyone, or to be discarded without a word.
    Nothing,
    /// The packet ends within a header.
    Truncated,
    /// An ICMPv6 parameter problem is due; `even_to_group`: although the destination is a group (RFC 4443 2.4(e)).
    Problem { code: u8, pointer: usize, even_to_group: bool },
}

enum Problem {
    Discard,
    Tell { code: u8, offset: usize, even_to_group: bool },
}

/// RFC 8200 4.4: a routing header that still has somewhere to go is none of ours (type 0 is forbidden, RFC 5095).
fn routing_problem(extension: &[u8]) -> Option<Problem> {
    (extension[3] != 0).then_some(Problem::Tell { code: 0, offset: 2, even_to_group: false })
}

/// RFC 8200 4.2: the two highest bits of an option we don't know say what to do.
fn option_problem(extension: &[u8]) -> Option<Problem> {
    const PAD_1: u8 = 0;
    const PAD_N: u8 = 1;
    const ROUTER_ALERT: u8 = 5;
    let mut at = 2;
    while at < extension.len() {
        let kind = extension[at];
        if kind == PAD_1 {
            at += 1;
            continue;
        }
        let Some(&len) = extension.get(at + 1) else { return Some(Problem::Discard) };
        if !matches!(kind, PAD_N | ROUTER_ALERT) {
            let tell = |even_to_group| Problem::Tell { code: 2, offset: at, even_to_group };
            match kind >> 6 {
                0 => {}
                1 => return Some(Problem::Discard),
                2 => return Some(tell(true)),
                _ => return Some(tell(false)),
            }
        }
        at += 2 + usize::from(len);
    }
    None
}

/// The header fields of a packet that this host makes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    pub(crate) protocol: u8,
    pub(crate) ttl: u8,
    pub(crate) class: u8,
    pub(crate) dont_fragment: bool,
    /// IPv4 only.
    pub(crate) id: u16,
    /// IPv6 only; 20 bits.
    pub(crate) flow_label: u32,
}

impl Origin {
    /// A packet of this header in front of `payload_len` bytes that the caller appends; `None` if that many don't
    /// fit into an IP packet, or the addresses are of different families.
    pub(crate) fn packet(&self, payload_len: usize) -> Option<Packet> {
        match (self.src, self.dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                let total_len = u16::try_from(20 + payload_len).ok()?;
                let mut packet = Packet::with_room(20 + payload_len);
                let mut header = [0; 20];
                header[0] = 0x45;
                header[1] = self.class;
                header[2..4].copy_from_slice(&total_len.to_be_bytes());
                header[4..6].copy_from_slice(&self.id.to_be_bytes());
                header[6] = if self.dont_fragment { 0x40 } else { 0 };
                header[8] = self.ttl;
                header[9] = self.protocol;
                header[12..16].copy_from_slice(&src.octets());
                header[16..].copy_from_slice(&dst.octets());
                set_ipv4_checksum(&mut header);
                packet.extend(&header);
                Some(packet)
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                let payload = u16::try_from(payload_len).ok()?;
                let mut packet = Packet::with_room(40 + payload_len);
                let mut header = [0; 40];
                let first = 6 << 28 | u32::from(self.class) << 20 | self.flow_label & 0xf_ffff;
                header[..4].copy_from_slice(&first.to_be_bytes());
                header[4..6].copy_from_slice(&payload.to_be_bytes());
                header[6] = self.protocol;
                header[7] = self.ttl;
                header[8..24].copy_from_slice(&src.octets());
                header[24..].copy_from_slice(&dst.octets());
                packet.extend(&header);
                Some(packet)
            }
            _ => None,
        }
    }
}

/// Bytes of the header that [`Origin::packet`] writes.
pub(crate) fn base_len(address: IpAddr) -> usize {
    if address.is_ipv6() { 40 } else { 20 }
}

/// Fills in the checksum of an IPv4 header.
pub(crate) fn set_ipv4_checksum(header: &mut [u8]) {
    header[10..12].fill(0);
    let sum = checksum::of(header);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// One hop less, with the IPv4 checksum updated (RFC 1624).
pub(crate) fn decrement_ttl(bytes: &mut [u8]) {
    if bytes[0] >> 4 == 6 {
        bytes[7] = bytes[7].saturating_sub(1);
        return;
    }
    let old = u16::from_be_bytes([bytes[8], bytes[9]]);
    bytes[8] = bytes[8].saturating_sub(1);
    let new = u16::from_be_bytes([bytes[8], bytes[9]]);
    let sum = u16::from_be_bytes([bytes[10], bytes[11]]);
    bytes[10..12].copy_from_slice(&checksum::update_u16(sum, old, new).to_be_bytes());
}

fn v6_at(bytes: &[u8], at: usize) -> Option<Ipv6Addr> {
    let octets: [u8; 16] = bytes.get(at..at + 16)?.try_into().ok()?;
    Some(octets.into())
}
