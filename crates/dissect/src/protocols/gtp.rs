//! GTP-U (3GPP TS 29.281): packets of mobile users, with extension headers.

use super::link;
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
    RECOVERY: u8 "gtp.recovery" "Recovery";
    TEID_DATA: u32 "gtp.teid_data" "TEID Data I", hex;
    GSN_LENGTH: u16 "gtp.gsn_address_length" "GSN Address Length";
    GSN_IPV4: ipv4 "gtp.gsn_ipv4" "GSN address IPv4";
    GSN_IPV6: ipv6 "gtp.gsn_ipv6" "GSN address IPv6";
}

pub(crate) fn dissect(cx: &mut Context<'_>, packet: Data<'_>) {
    cx.layer(&GTP, packet, |cx, c| {
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
        match kind {
            255 => link::by_version(cx, c.rest()),
            1 | 2 | 26 | 31 => elements(cx, c)?,
            _ => {}
        }
        Ok(())
    });
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

/// Information elements: the lower types have a fixed length, the upper ones tell it.
fn elements(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    while !c.is_done() {
        let kind = c.peek()?;
        c.skip(1)?;
        match kind {
            14 => walk(cx, c, &[Is(&RECOVERY)])?,
            16 => walk(cx, c, &[Is(&TEID_DATA)])?,
            133 => {
                let len = c.u16(cx, &GSN_LENGTH)?;
                let mut address = c.take(usize::from(len))?.cursor();
                walk(cx, &mut address, &[Is(if len == 4 { &GSN_IPV4 } else { &GSN_IPV6 })])?;
            }
            128.. => {
                let len = usize::from(c.peek_u16()?);
                c.skip(2 + len)?;
            }
            _ => return c.skip(c.left()),
        }
    }
    Ok(())
}
