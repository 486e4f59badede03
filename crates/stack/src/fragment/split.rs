//! Cutting a packet into fragments.

use crate::header::{Header, Upper, protocol, set_ipv4_checksum};
use crate::packet::Packet;

/// Cuts an IPv4 packet (or a fragment, again) into fragments of at most `mtu` bytes. `None` if `mtu` leaves no room
/// for data behind the header, or the packet is not legal.
pub(crate) fn ipv4(bytes: &[u8], mtu: usize) -> Option<Vec<Packet>> {
    let header = Header::parse_quoted(bytes)?;
    let (offset, more) = header.fragment;
    let data = bytes.get(header.len..header.total_len)?;
    let first = &bytes[..header.len];
    let later = without_uncopied_options(first);
    // Sizes of all but the last are multiples of 8; the first header may be the longer one.
    let room = |header_len: usize| (mtu.checked_sub(header_len)? / 8 * 8).checked_sub(1).map(|room| room + 1);
    let (first_room, later_room) = (room(first.len())?, room(later.len())?);

    let mut packets = Vec::with_capacity(data.len() / first_room + 1);
    let mut at = 0;
    while at < data.len() {
        let (head, room) = if at == 0 { (first, first_room) } else { (&later[..], later_room) };
        let end = data.len().min(at + room);
        let mut packet = Packet::with_room(head.len() + end - at);
        packet.extend(head);
        packet.extend(&data[at..end]);
        let total_len = u16::try_from(packet.len()).ok()?;
        let word = u16::try_from((offset + at) / 8).ok()?;
        let flag = if more || end < data.len() { 0x2000 } else { 0 };
        let bytes = packet.bytes_mut();
        bytes[2..4].copy_from_slice(&total_len.to_be_bytes());
        bytes[6..8].copy_from_slice(&(word | flag).to_be_bytes());
        set_ipv4_checksum(&mut bytes[..head.len()]);
        packets.push(packet);
        at = end;
    }
    Some(packets)
}

/// Cuts an IPv6 packet into fragments of at most `mtu` bytes with this identification.
pub(crate) fn ipv6(bytes: &[u8], mtu: usize, id: u32) -> Option<Vec<Packet>> {
    let header = Header::parse(bytes)?;
    let (at, named_at) = unfragmentable(&header, bytes)?;
    let head = &bytes[..at];
    let data = bytes.get(at..header.total_len)?;
    let next_header = head[named_at];
    let room = mtu.checked_sub(head.len() + 8)? / 8 * 8;
    if room == 0 {
        return None;
    }

    let mut packets = Vec::with_capacity(data.len() / room + 1);
    for (index, piece) in data.chunks(room).enumerate() {
        let offset = index * room;
        let more = offset + piece.len() < data.len();
        let mut packet = Packet::with_room(head.len() + 8 + piece.len());
        packet.extend(head);
        let word = u16::try_from(offset).ok()? | u16::from(more);
        packet.extend(&[next_header, 0]);
        packet.extend(&word.to_be_bytes());
        packet.extend(&id.to_be_bytes());
        packet.extend(piece);
        let payload_len = u16::try_from(packet.len() - 40).ok()?;
        let bytes = packet.bytes_mut();
        bytes[4..6].copy_from_slice(&payload_len.to_be_bytes());
        bytes[named_at] = protocol::FRAGMENT;
        packets.push(packet);
    }
    Some(packets)
}

/// RFC 8200 4.5: hop-by-hop options and routing headers stay in front of each fragment. Answers where the
/// fragmentable part begins and which byte names it.
fn unfragmentable(header: &Header, bytes: &[u8]) -> Option<(usize, usize)> {
    let (mut next, mut at, mut named_at) = (header.protocol, header.len, 6);
    let mut found = (at, named_at);
    while matches!(next, protocol::HOP_BY_HOP | protocol::ROUTING | protocol::DESTINATION_OPTIONS) {
        let &[following, units] = bytes.get(at..at + 2)?.first_chunk()?;
        let keeps = next != protocol::DESTINATION_OPTIONS;
        (next, named_at, at) = (following, at, at + 8 + usize::from(units) * 8);
        if at > header.total_len {
            return None;
        }
        if keeps {
            found = (at, named_at);
        }
    }
    // Never a fragment header in front of another one.
    match header.upper(bytes) {
        Upper::Fragment { .. } => None,
        _ => Some(found),
    }
}

/// The header of the fragments after the first: only options whose copied flag is set (RFC 791 3.1).
fn without_uncopied_options(header: &[u8]) -> Vec<u8> {
    const END: u8 = 0;
    const NOTHING: u8 = 1;
    const COPIED: u8 = 0x80;
    let mut kept = header[..20].to_vec();
    let mut options = &header[20..];
    while let Some(&kind) = options.first() {
        let len = match kind {
            END => break,
            NOTHING => 1,
            _ => options.get(1).map_or(0, |&len| usize::from(len)),
        };
        if len == 0 || len > options.len() {
            break;
        }
        if kind & COPIED != 0 {
            kept.extend_from_slice(&options[..len]);
        }
        options = &options[len..];
    }
    kept.resize(kept.len().next_multiple_of(4), END);
    kept[0] = 0x40 | (kept.len() / 4) as u8;
    kept
}

#[cfg(test)]
mod tests;
