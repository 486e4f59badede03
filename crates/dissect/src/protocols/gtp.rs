//! GTP: packets of mobile users with extension headers (GTP-U, 3GPP TS 29.281), the tunnels' control (GTP-C, 29.060 and,
//! for version 2, 29.274), and the header of the protocol for charging (GTP', 32.295).

mod second;

pub(crate) use second::GTPV2;

use super::{data, link};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{Names, protocol};
use crate::table::{Step::*, walk};

static TYPES: Names = &[
    (1, "Echo request"),
    (2, "Echo response"),
    (26, "Error indication"),
    (31, "Supported extension header notification"),
    (254, "End Marker"),
    (255, "T-PDU"),
];
static EXTENSIONS: Names = &[
    (0, "No more extension headers"),
    (0x20, "Service Class Indicator"),
    (0x40, "UDP Port number"),
    (0x84, "NR RAN Container"),
    (0x85, "PDU Session container"),
    (0xC0, "PDCP PDU number"),
];

protocol! { GTP "gtp" "GTP" "GPRS Tunneling Protocol";
    FLAGS: u8 "gtp.flags" "Flags", hex;
    VERSION: u8 "gtp.flags.version" "Version", mask(0xE0);
    PAYLOAD: u8 "gtp.flags.payload" "Protocol type", mask(0x10);
    RESERVED: u8 "gtp.flags.reserved" "Reserved", mask(0x08);
    FLAG_E: bool "gtp.flags.e" "Is Next Extension Header present?", mask(0x04);
    FLAG_S: bool "gtp.flags.s" "Is Sequence Number present?", mask(0x02);
    FLAG_PN: bool "gtp.flags.pn" "Is N-PDU number present?", mask(0x01);
    MESSAGE: u8 "gtp.message" "Message Type", hex, names(TYPES);
    LENGTH: u16 "gtp.length" "Length";
    TEID: u32 "gtp.teid" "TEID", hex;
    SEQ: u16 "gtp.seq_number" "Sequence number", hex;
    NPDU: u8 "gtp.npdu_number" "N-PDU Number", hex;
    EXTENSION: none "gtp.ext_hdr" "Extension header";
    NEXT: u8 "gtp.ext_hdr.next" "Next extension header type", hex, names(EXTENSIONS);
    EXTENSION_LENGTH: u8 "gtp.ext_hdr.length" "Extension Header Length";
    PDU_TYPE: u8 "gtp.ext_hdr.pdu_ses_con.pdu_type" "PDU Type", mask(0xF0);
    QFI: u8 "gtp.ext_hdr.pdu_ses_con.qos_flow_id" "QoS Flow Identifier (QFI)", mask(0x3F);
    PRIME_VERSION: u8 "gtp.prim.flags.version" "Version", mask(0xE0);
    SNN: bool "gtp.flags.snn" "Is SNDCP N-PDU included?", mask(0x01);
    FLOW_LABEL: u16 "gtp.flow_label" "Flow label", hex;
    SNDCP: u8 "gtp.sndcp_number" "SNDCP N-PDU LLC Number", hex;
    TID: text "gtp.tid" "TID";
    CAUSE: u8 "gtp.cause" "Cause";
    NSAPI: u8 "gtp.nsapi" "NSAPI", mask(0x0F);
    TEID_CONTROL: u32 "gtp.teid_cp" "TEID Control Plane", hex;
    APN_LENGTH: u16 "gtp.apn_length" "APN length";
    APN: text "gtp.apn" "APN";
    IMSI: text "e212.imsi" "IMSI";
    NUMBER: text "e164.msisdn" "E.164 number (MSISDN)";
    RECOVERY: u8 "gtp.recovery" "Recovery";
    TEID_DATA: u32 "gtp.teid_data" "TEID Data I", hex;
    GSN_LENGTH: u16 "gtp.gsn_address_length" "GSN Address Length";
    GSN_IPV4: ipv4 "gtp.gsn_ipv4" "GSN address IPv4";
    GSN_IPV6: ipv6 "gtp.gsn_ipv6" "GSN address IPv6";
}

protocol! { PRIME "gtpprime" "GTP (Prime)" "GPRS Tunneling Protocol Prime"; }

/// What is said on the port for charging: a message of some kind.
pub(crate) fn charging(cx: &mut Context<'_>, packet: Data<'_>) {
    match *packet.bytes {
        [0x10..0x20, (1..), ..] => cx.layer(&PRIME, packet, version0),
        [0..0x40, (1..), ..] => cx.layer(&PRIME, packet, prime),
        _ => data::show(cx, packet),
    }
}

pub(crate) fn dissect(cx: &mut Context<'_>, packet: Data<'_>) {
    let Some(first) = packet.bytes.first() else { return data::show(cx, packet) };
    match (first >> 5, first & 0x10 != 0) {
        (0, true) => cx.layer(&GTP, packet, version0),
        (1, true) => cx.layer(&GTP, packet, version1),
        (0 | 1, false) => cx.layer(&GTP, packet, prime),
        (2, _) => second::dissect(cx, packet),
        _ => data::show(cx, packet),
    }
}

fn version0(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let flags = c.bits(cx, &FLAGS, 1, &[&VERSION, &PAYLOAD])?;
    cx.depth += 1;
    reserved(cx, c, flags);
    cx.add(&SNN, c.data, 0, 1, flags & 1);
    cx.depth -= 1;
    let kind = c.u8(cx, &MESSAGE)?;
    walk(cx, c, &[Is(&LENGTH), Is(&SEQ), Is(&FLOW_LABEL), Is(&SNDCP), Skip(3)])?;
    let tunnel = c.take(8)?;
    cx.add_words(&TID, tunnel, &digits(tunnel.bytes));
    if kind == 255 {
        link::by_version(cx, c.rest());
        return Ok(());
    }
    elements(cx, c, true)
}

/// Three bits that are set where they mean nothing.
fn reserved(cx: &mut Context<'_>, c: &Cursor<'_>, flags: u64) {
    cx.add(&RESERVED, c.data, 0, 1, flags >> 1 & 7);
}

/// Records for charging: who sends what to whom is left to other tools.
fn prime(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let flags = c.bits(cx, &FLAGS, 1, &[&PRIME_VERSION, &PAYLOAD])?;
    cx.depth += 1;
    reserved(cx, c, flags);
    cx.depth -= 1;
    walk(cx, c, &[Is(&MESSAGE), Is(&LENGTH), Is(&SEQ)])?;
    c.skip(c.left())
}

/// Digits, two in a byte, the lower four bits first; fifteen bits set end them.
fn digits(bytes: &[u8]) -> Vec<u8> {
    let halves = bytes.iter().flat_map(|byte| [byte & 15, byte >> 4]);
    halves.take_while(|half| *half < 15).map(|half| b"0123456789*#abc"[usize::from(half)]).collect()
}

/// Words of a name behind their lengths, with dots between.
fn labels(bytes: &[u8]) -> Vec<u8> {
    let (mut words, mut rest) = (Vec::with_capacity(bytes.len()), bytes);
    while let Some((len, after)) = rest.split_first() {
        let (label, after) = after.split_at(usize::from(*len).min(after.len()));
        if !words.is_empty() {
            words.push(b'.');
        }
        words.extend_from_slice(label);
        rest = after;
    }
    words
}

fn version1(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let parts: &[_] = &[&VERSION, &PAYLOAD, &RESERVED, &FLAG_E, &FLAG_S, &FLAG_PN];
    let flags = c.bits(cx, &FLAGS, 1, parts)?;
    let kind = c.u8(cx, &MESSAGE)?;
    walk(cx, c, &[Is(&LENGTH), Is(&TEID)])?;
    if flags & 7 != 0 {
        if flags & 2 != 0 {
            c.u16(cx, &SEQ).map(drop)?
        } else {
            c.skip(2)?
        }
        if flags & 1 != 0 {
            c.u8(cx, &NPDU).map(drop)?
        } else {
            c.skip(1)?
        }
        if flags & 4 != 0 { extensions(cx, c)? } else { c.skip(1)? }
    }
    if kind == 255 {
        link::by_version(cx, c.rest());
        return Ok(());
    }
    elements(cx, c, false)
}

/// Extension headers: each says its length in words and what comes next.
fn extensions(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let mut kind = c.u8(cx, &NEXT)?;
    while kind != 0 {
        let len = usize::from(c.peek()?) * 4;
        let whole = c.take(len)?;
        if len == 0 {
            return Err(Short);
        }
        kind = cx.within(&EXTENSION, whole, |cx| {
            let mut c = whole.cursor();
            c.u8(cx, &EXTENSION_LENGTH)?;
            let mut body = c.take(len - 2)?.cursor();
            if kind == 0x85 {
                let parts: &[_] = &[&PDU_TYPE];
                walk(cx, &mut body, &[Parts(1, parts), Parts(1, &[&QFI])])?;
            }
            c.u8(cx, &NEXT)
        })?;
    }
    Ok(())
}

/// Information elements without a field here: how long they are.
static LENGTHS: [(u8, usize); 22] = [
    (3, 6),
    (4, 4),
    (5, 4),
    (8, 1),
    (9, 28),
    (11, 1),
    (12, 3),
    (13, 1),
    (15, 1),
    (18, 5),
    (19, 1),
    (21, 1),
    (22, 9),
    (23, 1),
    (24, 1),
    (25, 2),
    (26, 2),
    (27, 2),
    (28, 2),
    (29, 1),
    (126, 1),
    (127, 4),
];

/// Information elements: the lower types have a fixed length, the upper ones tell it.
fn elements(cx: &mut Context<'_>, c: &mut Cursor<'_>, is_old: bool) -> Read {
    while !c.is_done() {
        let kind = c.peek()?;
        c.skip(1)?;
        match kind {
            1 => walk(cx, c, &[Is(&CAUSE)])?,
            2 => {
                let number = c.take(8)?;
                cx.add_words(&IMSI, number, &digits(number.bytes));
            }
            // Quality of service, which has a type of its own later.
            6 if is_old => c.skip(3)?,
            14 => walk(cx, c, &[Is(&RECOVERY)])?,
            // Labels of flows, before tunnels had ends.
            16 | 17 if is_old => c.skip(2)?,
            16 => walk(cx, c, &[Is(&TEID_DATA)])?,
            17 => walk(cx, c, &[Is(&TEID_CONTROL)])?,
            20 => walk(cx, c, &[Parts(1, &[&NSAPI])])?,
            131 => {
                let len = c.u16(cx, &APN_LENGTH)?;
                let name = c.take(usize::from(len))?;
                cx.add_words(&APN, name, &labels(name.bytes));
            }
            133 => {
                let len = c.u16(cx, &GSN_LENGTH)?;
                let mut address = c.take(usize::from(len))?.cursor();
                walk(cx, &mut address, &[Is(if len == 4 { &GSN_IPV4 } else { &GSN_IPV6 })])?;
            }
            // The user's address, what was configured, the user's number.
            128 | 132 | 134 => {
                let len = c.u16(cx, &LENGTH)?;
                let value = c.take(usize::from(len))?.from(1);
                if kind == 134 {
                    cx.add_words(&NUMBER, value, &digits(value.bytes));
                }
            }
            128.. => {
                let len = usize::from(c.peek_u16()?);
                c.skip(2 + len)?;
            }
            _ => match LENGTHS.iter().find(|(known, _)| *known == kind) {
                Some((_, len)) => c.skip(*len)?,
                None => return c.skip(c.left()),
            },
        }
    }
    Ok(())
}
