//! ICMP (RFC 792, 4884, 4950).

#[cfg(test)]
mod tests;

use super::names::{self, CHECKSUM_STATUS};
use super::{data, ip};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::{Names, protocol};
use crate::table::{Layout, Step::*, walk};
use thru_wire::checksum;

static TYPES: Names = &[
    (0, "Echo (ping) reply"),
    (3, "Destination unreachable"),
    (4, "Source quench (flow control)"),
    (5, "Redirect"),
    (8, "Echo (ping) request"),
    (9, "Router advertisement"),
    (10, "Router solicitation"),
    (11, "Time-to-live exceeded"),
    (12, "Parameter problem"),
    (13, "Timestamp request"),
    (14, "Timestamp reply"),
    (17, "Address mask request"),
    (18, "Address mask reply"),
];

protocol! { ICMP "icmp" "ICMP" "Internet Control Message Protocol";
    TYPE: u8 "icmp.type" "Type", names(TYPES);
    CODE: u8 "icmp.code" "Code";
    CHECKSUM: u16 "icmp.checksum" "Checksum", hex;
    STATUS: u8 "icmp.checksum.status" "Checksum Status", names(CHECKSUM_STATUS);
    IDENT: u16 "icmp.ident" "Identifier (BE)";
    IDENT_LE: u16 "icmp.ident_le" "Identifier (LE)";
    SEQ: u16 "icmp.seq" "Sequence Number (BE)";
    SEQ_LE: u16 "icmp.seq_le" "Sequence Number (LE)";
    RESP_TO: frame "icmp.resp_to" "Request frame";
    RESPTIME: float "icmp.resptime" "Response time";
    DATA_TIME: absolute "icmp.data_time" "Timestamp from icmp data";
    DATA_TIME_RELATIVE: relative "icmp.data_time_relative" "Timestamp from icmp data (relative)";
    UNUSED: bytes "icmp.unused" "Unused";
    LENGTH: u8 "icmp.length" "Length";
    LENGTH_ORIGINAL: u8 "icmp.length.original_datagram" "Length of original datagram";
    MTU: u16 "icmp.mtu" "MTU of next hop";
    REDIR_GW: ipv4 "icmp.redir_gw" "Gateway Address";
    POINTER: u32 "icmp.pointer" "Pointer";
    ORIGINATE: u32 "icmp.originate_timestamp" "Originate Timestamp";
    RECEIVE: u32 "icmp.receive_timestamp" "Receive Timestamp";
    TRANSMIT: u32 "icmp.transmit_timestamp" "Transmit Timestamp";
    ADDRESS_MASK: ipv4 "icmp.address_mask" "Address Mask";
    CHECKSUM_BAD: none "icmp.checksum_bad" "Bad checksum";
    EXT: none "icmp.ext" "ICMP Extensions";
    EXT_VERSION: u8 "icmp.ext.version" "Version", mask(0xF0);
    EXT_RESERVED: u16 "icmp.ext.res" "Reserved", hex, mask(0x0FFF);
    EXT_CHECKSUM: u16 "icmp.ext.checksum" "Checksum", hex;
    EXT_STATUS: u8 "icmp.ext.checksum.status" "Checksum Status", names(CHECKSUM_STATUS);
    EXT_LENGTH: u16 "icmp.ext.length" "Length";
    EXT_CLASS: u8 "icmp.ext.class" "Class", names(CLASSES);
    EXT_TYPE: u8 "icmp.ext.ctype" "C-Type";
    EXT_DATA: bytes "icmp.ext.data" "Data";
    MPLS_LABEL: u24 "icmp.mpls.label" "Label", mask(0xFF_FFF0);
    MPLS_EXP: u24 "icmp.mpls.exp" "Experimental", mask(0x0E);
    MPLS_S: bool "icmp.mpls.s" "Stack bit", mask(0x01);
    MPLS_TTL: u8 "icmp.mpls.ttl" "Time to live";
    INFO_ROLE: u8 "icmp.int_info.role" "Interface Role", mask(0xC0);
    INFO_HAS_INDEX: bool "icmp.int_info.ifindex" "ifIndex", mask(0x08);
    INFO_HAS_ADDRESS: bool "icmp.int_info.ipaddr" "IP Address", mask(0x04);
    INFO_HAS_NAME: bool "icmp.int_info.name_present" "Interface Name", mask(0x02);
    INFO_HAS_MTU: bool "icmp.int_info.mtu_present" "MTU", mask(0x01);
    INFO_INDEX: u32 "icmp.int_info.index" "Interface Index";
    INFO_FAMILY: u16 "icmp.int_info.afi" "Address Family Identifier";
    INFO_IPV4: ipv4 "icmp.int_info.ipv4" "Source";
    INFO_IPV6: ipv6 "icmp.int_info.ipv6" "Source";
    INFO_NAME_LEN: u8 "icmp.int_info.name_length" "Name Length";
    INFO_NAME: text "icmp.int_info.name" "Name";
    INFO_MTU: u32 "icmp.int_info.mtu" "Maximum Transmission Unit";
    IDENT_NAME: text "icmp.int_ident.name" "Name";
    IDENT_INDEX: u32 "icmp.int_ident.index" "Interface Index";
    IDENT_FAMILY: u16 "icmp.int_ident.afi" "Address Family Identifier";
    IDENT_ADDRESS_LEN: u8 "icmp.int_ident.addr_length" "Address Length";
    IDENT_RESERVED: bytes "icmp.int_ident.reserved" "Reserved";
    IDENT_IPV4: ipv4 "icmp.int_ident.ipv4" "Address";
    IDENT_IPV6: ipv6 "icmp.int_ident.ipv6" "Address";
    IDENT_ADDRESS: bytes "icmp.int_ident.address" "Address";
}

static CLASSES: Names = &[
    (1, "MPLS Label Stack Class"),
    (2, "Interface Information Object"),
    (3, "Interface Identification Object"),
];

pub(crate) fn dissect(cx: &mut Context<'_>, message: Data<'_>) {
    cx.layer(&ICMP, message, body);
}

fn body(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    // Wireshark reads so far before it shows anything.
    c.data.u8(5)?;
    let kind = c.u8(cx, &TYPE)?;
    let code = c.u8(cx, &CODE)?;
    c.u16(cx, &CHECKSUM)?;
    // It covers all of the message, so it is cheap to tell whether it holds; a quoted message is rarely whole.
    let status = if cx.is_cut || cx.is_quoted {
        names::UNVERIFIED
    } else if checksum::of(c.data.bytes) == 0 {
        names::GOOD
    } else {
        names::BAD
    };
    cx.conclude(&STATUS, status);
    if status == names::BAD {
        cx.expert(&CHECKSUM_BAD);
    }
    match kind {
        0 | 8 => echo(cx, c, kind == 8)?,
        13 | 14 => {
            identity(cx, c)?;
            c.u32(cx, &ORIGINATE)?;
            c.u32(cx, &RECEIVE)?;
            c.u32(cx, &TRANSMIT)?;
        }
        17 | 18 => {
            identity(cx, c)?;
            c.ipv4(cx, &ADDRESS_MASK)?;
        }
        3 | 4 | 5 | 11 | 12 => {
            match (kind, code) {
                (3, 4) => {
                    c.bytes(cx, &UNUSED, 2)?;
                    c.u16(cx, &MTU)?;
                }
                (5, _) => {
                    c.ipv4(cx, &REDIR_GW)?;
                }
                (4, _) => c.skip(4)?,
                (12, _) => {
                    c.uint(cx, &POINTER, 1)?;
                    length(cx, c)?;
                    c.bytes(cx, &UNUSED, 2)?;
                }
                (3 | 11, _) if c.data.u8(5)? == 0 => {
                    c.bytes(cx, &UNUSED, 4)?;
                }
                (3 | 11, _) => {
                    c.bytes(cx, &UNUSED, 1)?;
                    length(cx, c)?;
                    c.bytes(cx, &UNUSED, 2)?;
                }
                _ => {
                    c.bytes(cx, &UNUSED, 4)?;
                }
            }
            let (packet, objects) = match kind {
                3 | 11 | 12 => parts(c.rest(), c.data.u8(5)?),
                _ => (c.rest(), None),
            };
            quoted(cx, packet, ip::dissect);
            if let Some(objects) = objects {
                let _short = cx.within(&EXT, objects, |cx| extension(cx, &mut objects.cursor()));
            }
        }
        10 => c.skip(c.left())?,
        _ => data::show(cx, c.rest()),
    }
    Ok(())
}

/// What an error carries: the beginning of a packet, and what follows it (RFC 4884 5). Without a length of the first,
/// which was not there before, 128 bytes are kept for it; that is believed where its packet ends in them.
fn parts(body: Data<'_>, words: u8) -> (Data<'_>, Option<Data<'_>>) {
    const KEPT: usize = 128;
    let (given, claimed) = (usize::from(words) * 4, body.u16(2).map_or(0, usize::from));
    let at = if given > 0 && body.len() > given { given } else { KEPT };
    let packet = if given > 0 && body.len() > given && claimed > given { body.first(given) } else { body };
    let has_objects = body.len() > KEPT && (claimed <= KEPT || packet.len() < body.len());
    (packet, has_objects.then(|| body.from(at)).filter(|objects| !objects.is_empty()))
}

/// Objects that were added to a message (RFC 4884 7, 4950, 5837, 8335), in a layer of their own.
pub(super) fn extension_layer(cx: &mut Context<'_>, data: Data<'_>) {
    cx.layer(&ICMP, data, |cx, c| cx.within(&EXT, data, |cx| extension(cx, c)));
}

fn extension(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    c.parts(cx, 1, &[&EXT_VERSION])?;
    c.pos -= 1;
    c.parts(cx, 2, &[&EXT_RESERVED])?;
    let status = match c.u16(cx, &EXT_CHECKSUM)? {
        0 => names::NOT_PRESENT,
        _ if checksum::of(c.data.bytes) == 0 => names::GOOD,
        _ => names::BAD,
    };
    cx.conclude(&EXT_STATUS, status);
    while c.left() >= 4 {
        let len = usize::from(c.peek_u16()?).max(4);
        let object = c.take_most(len);
        cx.depth += 1;
        let result = self::object(cx, &mut object.cursor());
        cx.depth -= 1;
        result?;
    }
    Ok(())
}

fn object(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    c.u16(cx, &EXT_LENGTH)?;
    let class = c.u8(cx, &EXT_CLASS)?;
    let kind = c.u8(cx, &EXT_TYPE)?;
    if class == 2 {
        c.pos -= 1;
        c.parts(cx, 1, &[&INFO_ROLE, &INFO_HAS_INDEX, &INFO_HAS_ADDRESS, &INFO_HAS_NAME, &INFO_HAS_MTU])?;
        return interface(cx, c, kind);
    }
    match (class, kind) {
        (1, 1) => {
            let label: &[_] = &[&MPLS_LABEL, &MPLS_EXP, &MPLS_S];
            walk(cx, c, &[Each(&[Parts(3, label), Is(&MPLS_TTL)])])
        }
        (3, 1) => walk(cx, c, &[Rest(&IDENT_NAME)]),
        (3, 2) => walk(cx, c, &[Is(&IDENT_INDEX)]),
        (3, 3) => {
            walk(cx, c, &[Is(&IDENT_FAMILY), Is(&IDENT_ADDRESS_LEN), Bytes(&IDENT_RESERVED, 1)])?;
            let families: &[(u64, Layout<'_>)] = &[(1, &[Is(&IDENT_IPV4)]), (2, &[Is(&IDENT_IPV6)])];
            walk(cx, c, &[By(&IDENT_FAMILY, families), Rest(&IDENT_ADDRESS)])
        }
        _ => walk(cx, c, &[Rest(&EXT_DATA)]),
    }
}

/// What is told of an interface (RFC 5837 4).
fn interface(cx: &mut Context<'_>, c: &mut Cursor<'_>, has: u8) -> Read {
    if has & 8 != 0 {
        c.u32(cx, &INFO_INDEX)?;
    }
    if has & 4 != 0 {
        let families: &[(u64, Layout<'_>)] = &[(1, &[Is(&INFO_IPV4)]), (2, &[Is(&INFO_IPV6)])];
        walk(cx, c, &[Is(&INFO_FAMILY), Skip(2), By(&INFO_FAMILY, families)])?;
    }
    if has & 2 != 0 {
        // The length counts itself, zeros fill up.
        let len = usize::from(c.u8(cx, &INFO_NAME_LEN)?);
        c.bytes(cx, &INFO_NAME, len.saturating_sub(1))?;
    }
    if has & 1 != 0 {
        c.u32(cx, &INFO_MTU)?;
    }
    Ok(())
}

fn length(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    // RFC 4884: in words of four bytes.
    if c.peek()? == 0 {
        cx.add(&UNUSED, c.data, c.pos, 1, 0);
    } else {
        let words = c.data.u8(c.pos)?;
        cx.add(&LENGTH, c.data, c.pos, 1, u64::from(words));
        cx.conclude(&LENGTH_ORIGINAL, u64::from(words) * 4);
    }
    c.skip(1)
}

fn identity(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read<(u16, u16)> {
    let mut pair = [0; 2];
    for (value, (be, le)) in pair.iter_mut().zip([(&IDENT, &IDENT_LE), (&SEQ, &SEQ_LE)]) {
        let at = c.pos;
        *value = c.u16(cx, be)?;
        cx.add(le, c.data, at, 2, u64::from(value.swap_bytes()));
    }
    Ok((pair[0], pair[1]))
}

fn echo(cx: &mut Context<'_>, c: &mut Cursor<'_>, request: bool) -> Read {
    let (ident, seq) = identity(cx, c)?;
    if !cx.is_quoted {
        // As in Wireshark, the answer's checksum tells which request it belongs to: it has another type, and no more.
        let sum = c.data.u16(2)?;
        let key = if request {
            (cx.src, cx.dst, ident, seq, answered_sum(sum, 0x0800))
        } else {
            (cx.dst, cx.src, ident, seq, plain_sum(sum))
        };
        let (number, time) = (cx.number, cx.time);
        if request {
            cx.state.echoes.insert(key, (number, time));
        } else if let Some((frame, then)) = cx.state.echoes.remove(&key) {
            // Whoever answers next has been asked by nobody.
            cx.conclude(&RESP_TO, frame);
            cx.conclude(&RESPTIME, (time.wrapping_sub(then) as i64 as f64 / 1e6).to_bits());
        }
    }
    moment(cx, c);
    data::show(cx, c.rest());
    Ok(())
}

/// The checksum of the answer that repeats a request, from the request's: its type makes it larger by so much.
pub(super) fn answered_sum(request: u16, larger: u16) -> u16 {
    let sum = u32::from(!request) + u32::from(!larger);
    plain_sum(!((sum & 0xFFFF) + (sum >> 16)) as u16)
}

/// Zero has two forms.
pub(super) fn plain_sum(sum: u16) -> u16 {
    if sum == 0xFFFF { 0 } else { sum }
}

/// When `ping` sent a request, which it writes into it: seconds and microseconds in either order of bytes, less than a
/// day from the capture's time.
fn moment(cx: &mut Context<'_>, c: &mut Cursor<'_>) {
    let Some(eight) = c.rest().bytes.first_chunk::<8>() else { return };
    let words = [[eight[0], eight[1], eight[2], eight[3]], [eight[4], eight[5], eight[6], eight[7]]];
    let now = cx.time as i64;
    let fits = |[seconds, micros]: [u32; 2]| {
        let late = (now.div_euclid(1_000_000_000) as i32).wrapping_sub(seconds as i32);
        late.unsigned_abs() < 86_400 && micros < 1_000_000
    };
    let found =
        [words.map(u32::from_be_bytes), words.map(u32::from_le_bytes)].into_iter().find(|pair| fits(*pair));
    if let Some([seconds, micros]) = found {
        let sent = i64::from(seconds) * 1_000_000_000 + i64::from(micros) * 1000;
        cx.add(&DATA_TIME, c.data, c.pos, 8, sent as u64);
        cx.conclude(&DATA_TIME_RELATIVE, now.wrapping_sub(sent) as u64);
        c.pos += 8;
    }
}

/// The packet that an ICMP error quotes: shown, but nothing is learned from it.
pub(super) fn quoted(
    cx: &mut Context<'_>,
    packet: Data<'_>,
    dissect: impl FnOnce(&mut Context<'_>, Data<'_>),
) {
    if packet.is_empty() {
        return;
    }
    let outside = (cx.src, cx.dst, cx.src_port, cx.dst_port, cx.is_quoted, cx.is_cut);
    (cx.is_quoted, cx.is_cut) = (true, true);
    dissect(cx, packet);
    (cx.src, cx.dst, cx.src_port, cx.dst_port, cx.is_quoted, cx.is_cut) = outside;
}
