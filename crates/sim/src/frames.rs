//! What links and queues need to know of a frame's inside: where its IP packet starts, its ECN bits, its flow.
//!
//! These read raw bytes and never fail: a frame that is not what it should be has no flow and no ECN bits.

use bytes::{Bytes, BytesMut};
use thru_stack::frame::Checksum;
use thru_stack::offload::Segments;
use thru_stack::offload::segment::complete_checksum;
use thru_stack::{Frame, Medium, Offload};

/// Length of the link header, VLAN tags included.
pub(crate) fn link_header_len(frame: &[u8], medium: Medium) -> usize {
    if medium == Medium::Ip {
        return 0;
    }
    let mut len = 14;
    // Two tags are as many as 802.1ad nests.
    for _ in 0..2 {
        let tagged = matches!(frame.get(len - 2..len), Some([0x81, 0x00] | [0x88, 0xa8]));
        if tagged {
            len += 4;
        }
    }
    len.min(frame.len())
}

/// The IP packet within a frame (with what padding follows), if it holds one.
fn ip_packet(frame: &[u8], medium: Medium) -> Option<(usize, &[u8])> {
    let at = link_header_len(frame, medium);
    let packet = frame.get(at..)?;
    if medium == Medium::Ethernet {
        let kind = frame.get(at.checked_sub(2)?..at)?;
        if kind != [0x08, 0x00] && kind != [0x86, 0xdd] {
            return None;
        }
    }
    let needed = match packet.first()? >> 4 {
        4 => 20,
        6 => 40,
        _ => return None,
    };
    (packet.len() >= needed).then_some((at, packet))
}

/// How many packets a frame stands for.
pub(crate) fn packets(frame: &[u8], offload: Offload) -> u64 {
    offload.segmentation.map_or(1, |how| {
        let payload = frame.len().saturating_sub(usize::from(how.header_len));
        payload.div_ceil(usize::from(how.segment_size).max(1)).max(1) as u64
    })
}

/// Shows each packet that a frame stands for, as a wire would carry it, in order.
pub(crate) fn each_packet(frame: &Bytes, offload: Offload, medium: Medium, mut show: impl FnMut(Bytes)) {
    let header = link_header_len(frame, medium);
    let cut = offload.segmentation.and_then(|how| Segments::of(frame, header, how));
    match cut {
        Some(packets) => packets.for_each(show),
        None => show(frame.clone()),
    }
}

/// The same with checksums that were left to somebody completed, for who takes single packets.
pub(crate) fn each_complete_packet(frame: &Frame, medium: Medium, mut show: impl FnMut(Bytes)) {
    match frame.offload {
        Offload { segmentation: None, checksum: Checksum::Partial { start, offset } } => {
            let mut bytes = BytesMut::from(&frame.bytes[..]);
            complete_checksum(&mut bytes, start, offset);
            show(bytes.freeze());
        }
        offload => each_packet(&frame.bytes, offload, medium, show),
    }
}

/// Sets "congestion experienced" (RFC 3168 5) on a packet that says its sender understands it.
/// `false`, and nothing changed, if it does not.
pub(crate) fn mark_congestion(frame: &mut Bytes, medium: Medium) -> bool {
    let Some((at, packet)) = ip_packet(frame, medium) else { return false };
    let v4 = packet[0] >> 4 == 4;
    let ecn = if v4 { packet[1] & 3 } else { (packet[1] >> 4) & 3 };
    match ecn {
        0 => return false,
        3 => return true,
        _ => {}
    }
    edit(frame, |bytes| {
        let packet = &mut bytes[at..];
        if v4 {
            thru_wire::ipv4::set_ecn(packet, 3);
        } else {
            packet[1] |= 0x30;
        }
    });
    true
}

/// Flips one bit, counted from the end of the link header; `bit` is below [`corruptible_bits`].
pub(crate) fn flip_bit(frame: &mut Bytes, medium: Medium, bit: u64) {
    let at = link_header_len(frame, medium) + (bit / 8) as usize;
    edit(frame, |bytes| bytes[at] ^= 0x80 >> (bit % 8));
}

/// How many bits [`flip_bit`] may choose from.
pub(crate) fn corruptible_bits(frame: &[u8], medium: Medium) -> u64 {
    (frame.len() - link_header_len(frame, medium)) as u64 * 8
}

/// A hash of the flow a frame belongs to: addresses, protocol and, unless it is a fragment, ports.
/// Frames that are not IP share a flow.
pub(crate) fn flow_hash(frame: &[u8], medium: Medium, key: u64) -> u64 {
    let mut hash = crate::digest::Digest::new(key);
    let Some((_, packet)) = ip_packet(frame, medium) else { return hash.finish() };
    let (addresses, protocol, ports_at) = if packet[0] >> 4 == 4 {
        let fragment = u16::from_be_bytes([packet[6], packet[7]]) & 0x3fff != 0;
        let header = usize::from(packet[0] & 0xf) * 4;
        (&packet[12..20], packet[9], (!fragment).then_some(header))
    } else {
        // Behind extension headers the ports are not looked for: the addresses must do.
        (&packet[8..40], packet[6], Some(40))
    };
    hash.bytes(addresses);
    hash.word(u64::from(protocol));
    if matches!(protocol, 6 | 17)
        && let Some(ports) = ports_at.and_then(|at| packet.get(at..at + 4))
    {
        hash.bytes(ports);
    }
    hash.finish()
}

/// Changes a frame's bytes: in place if nobody else holds them, in a copy otherwise.
fn edit(frame: &mut Bytes, change: impl FnOnce(&mut BytesMut)) {
    let mut bytes = match core::mem::take(frame).try_into_mut() {
        Ok(bytes) => bytes,
        Err(shared) => BytesMut::from(&shared[..]),
    };
    change(&mut bytes);
    *frame = bytes.freeze();
}
