//! STUN as it was at first (RFC 3489): without the cookie by which later versions are told from anything else.

use super::ports;
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{Names, protocol};
use crate::table::{Step::*, walk};

static MESSAGES: Names = &[
    (0x0001, "Binding Request"),
    (0x0101, "Binding Response"),
    (0x0111, "Binding Error Response"),
    (0x0002, "Shared Secret Request"),
    (0x0102, "Shared Secret Response"),
    (0x1112, "Shared Secret Error Response"),
    (0x0003, "Allocate Request"),
    (0x0103, "Allocate Response"),
    (0x0113, "Allocate Error Response"),
    (0x0004, "Send Request"),
    (0x0104, "Send Response"),
    (0x0114, "Send Error Response"),
    (0x0115, "Data Indication"),
    (0x0006, "Set Active Destination Request"),
    (0x0106, "Set Active Destination Response"),
    (0x0116, "Set Active Destination Error Response"),
];

protocol! { CLASSIC "classicstun" "CLASSIC-STUN" "Simple Traversal of UDP Through NAT";
    TYPE: u16 "classicstun.type" "Message Type", hex, names(MESSAGES);
    LENGTH: u16 "classicstun.length" "Message Length";
    ID: bytes "classicstun.id" "Message Transaction ID";
    RESPONSE_TO: frame "classicstun.response_to" "Request In";
    TIME: relative "classicstun.time" "Time";
    ATTRS: none "classicstun.att" "Attributes";
    ATTR_TYPE: u16 "classicstun.att.type" "Attribute Type", hex;
    ATTR_LENGTH: u16 "classicstun.att.length" "Attribute Length";
    VALUE: bytes "classicstun.att.value" "Value";
    FAMILY: u16 "classicstun.att.family" "Protocol Family", hex;
    PORT: u16 "classicstun.att.port" "Port";
    IPV4: ipv4 "classicstun.att.ipv4" "IP";
    IPV6: ipv6 "classicstun.att.ipv6" "IP";
    PORT_XORED: u16 "classicstun.att.port-xord" "Port (XOR-d)";
    IPV4_XORED: ipv4 "classicstun.att.ipv4-xord" "IP (XOR-d)";
    IPV6_XORED: ipv6 "classicstun.att.ipv6-xord" "IP (XOR-d)";
    CHANGE_IP: bool "classicstun.att.change.ip" "Change IP", mask(0x0004);
    CHANGE_PORT: bool "classicstun.att.change.port" "Change Port", mask(0x0002);
    UNKNOWN: u16 "classicstun.att.unknown" "Unknown Attribute";
    ERROR_CLASS: u8 "classicstun.att.error.class" "Error Class", mask(0x07);
    ERROR: u8 "classicstun.att.error" "Error Code";
    ERROR_REASON: text "classicstun.att.error.reason" "Error Reason Phase";
    LIFETIME: u32 "classicstun.att.lifetime" "Lifetime";
    MAGIC: u32 "classicstun.att.magic.cookie" "Magic Cookie", hex;
    BANDWIDTH: u32 "classicstun.att.bandwidth" "Bandwidth";
    DATA: bytes "classicstun.att.data" "Data";
    SERVER: text "classicstun.att.server" "Server version";
    BINDING: text "classicstun.att.connection_request_binding" "Connection Request Binding";
}

/// Whether bytes are a message and no more.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let Some(header) = bytes.first_chunk::<20>() else { return false };
    let kind = u64::from(u16::from_be_bytes([header[0], header[1]]));
    // The later versions' cookie, and that of XMCP, which looks alike.
    let cookie = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
    MESSAGES.iter().any(|(known, _)| *known == kind)
        && !matches!(cookie, 0x2112_A442 | 0x7F5A_9BC7)
        && usize::from(u16::from_be_bytes([header[2], header[3]])) + 20 == bytes.len()
}

pub(crate) fn dissect(cx: &mut Context<'_>, message: Data<'_>) {
    cx.layer(&CLASSIC, message, body);
}

fn body(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let whole = c.data;
    let kind = whole.u16(0)?;
    let id: [u8; 16] = whole.bytes.get(4..20).and_then(|id| id.first_chunk()).copied().ok_or(Short)?;
    let key = (id, cx.flow);
    match kind >> 4 & 0x11 {
        // Of what an ICMP error quotes nothing is learned.
        _ if cx.is_quoted => {}
        0 => cx.state.classic_stun.insert(key, (cx.number, cx.time)),
        0x10 | 0x11 => {
            if let Some((frame, then)) = cx.state.classic_stun.get(&key) {
                cx.conclude(&RESPONSE_TO, frame);
                cx.conclude(&TIME, cx.time.wrapping_sub(then));
            }
        }
        _ => {}
    }
    walk(cx, c, &[Is(&TYPE), Is(&LENGTH), Bytes(&ID, 16)])?;
    if c.is_done() {
        return Ok(());
    }
    let rest = c.take_most(usize::MAX);
    cx.within(&ATTRS, rest, |cx| {
        let mut c = rest.cursor();
        while !c.is_done() {
            let kind = c.u16(cx, &ATTR_TYPE)?;
            let len = usize::from(c.u16(cx, &ATTR_LENGTH)?);
            let value = c.take(len)?;
            attribute(cx, &mut value.cursor(), kind, whole)?;
        }
        Ok(())
    })
}

fn attribute(cx: &mut Context<'_>, c: &mut Cursor<'_>, kind: u16, message: Data<'_>) -> Read {
    match kind {
        _ if c.is_done() => Ok(()),
        0x0001 | 0x0002 | 0x0004 | 0x0005 | 0x000B | 0x000E | 0x0011 | 0x0012 => address(cx, c),
        0x0003 => {
            let word = u64::from(c.data.u32(0)?);
            cx.add(&CHANGE_IP, c.data, 0, 4, word >> 2 & 1);
            cx.add(&CHANGE_PORT, c.data, 0, 4, word >> 1 & 1);
            Ok(())
        }
        0x0006 | 0x0007 | 0x0008 | 0x0014 | 0x0015 => walk(cx, c, &[Rest(&VALUE)]),
        0x0009 => walk(cx, c, &[Skip(2), Parts(1, &[&ERROR_CLASS]), Is(&ERROR), Rest(&ERROR_REASON)]),
        0x000A => walk(cx, c, &[Each(&[Is(&UNKNOWN)])]),
        0x000D => walk(cx, c, &[Is(&LIFETIME)]),
        0x000F => walk(cx, c, &[Is(&MAGIC)]),
        0x0010 => walk(cx, c, &[Is(&BANDWIDTH)]),
        0x0013 => {
            let inside = c.take_most(usize::MAX);
            cx.add(&DATA, inside, 0, inside.len(), 0);
            ports::tunnelled(cx, inside);
            Ok(())
        }
        0x0016 => walk(cx, c, &[Skip(1), Wide(&FAMILY, 1)]),
        0x8020 => xored(cx, c, message),
        0x8022 => walk(cx, c, &[Rest(&SERVER)]),
        0xC001 => walk(cx, c, &[Rest(&BINDING)]),
        _ => Ok(()),
    }
}

fn address(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    walk(cx, c, &[Skip(1), Wide(&FAMILY, 1), Is(&PORT), By(&FAMILY, &[(1, &[Is(&IPV4)]), (2, &[Is(&IPV6)])])])
}

/// An address that was combined with the transaction's number.
fn xored(cx: &mut Context<'_>, c: &mut Cursor<'_>, message: Data<'_>) -> Read {
    let key = message.u32(4)?;
    walk(cx, c, &[Skip(1), Wide(&FAMILY, 1)])?;
    let family = cx.last(&FAMILY);
    let port = c.u16(cx, &PORT_XORED)?;
    cx.add(&PORT, c.data, c.pos - 2, 2, u64::from(port ^ (key >> 16) as u16));
    match family {
        Some(1) => {
            let word = c.ipv4(cx, &IPV4_XORED)?;
            cx.add(&IPV4, c.data, c.pos - 4, 4, u64::from(word ^ key));
            Ok(())
        }
        Some(2) => walk(cx, c, &[Is(&IPV6_XORED)]),
        _ => Ok(()),
    }
}
