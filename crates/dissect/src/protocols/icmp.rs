//! ICMP (RFC 792, 4884, 4950).

use super::names::{self, CHECKSUM_STATUS};
use super::{data, ip};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::{Names, protocol};
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
}

pub(crate) fn dissect(cx: &mut Context<'_>, message: Data<'_>) {
    cx.layer(&ICMP, message, body);
}

fn body(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
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
            quoted(cx, c.rest(), ip::dissect);
        }
        10 => c.skip(c.left())?,
        _ => data::show(cx, c.rest()),
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
            (cx.dst, cx.src, ident, seq, sum)
        };
        let (number, time) = (cx.number, cx.time);
        if request {
            cx.state.echoes.insert(key, (number, time));
        } else if let Some((frame, then)) = cx.state.echoes.get(&key) {
            cx.conclude(&RESP_TO, frame);
            cx.conclude(&RESPTIME, (time.saturating_sub(then) as f64 / 1e6).to_bits());
        }
    }
    moment(cx, c);
    data::show(cx, c.rest());
    Ok(())
}

/// The checksum of the answer that repeats a request, from the request's: its type makes it larger by so much.
pub(super) fn answered_sum(request: u16, larger: u16) -> u16 {
    let sum = u32::from(!request) + u32::from(!larger);
    !((sum & 0xFFFF) + (sum >> 16)) as u16
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
