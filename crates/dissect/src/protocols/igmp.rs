//! IGMP, versions 1 to 3 (RFC 1112, 2236, 9776).

use super::data;
use super::names::{self, CHECKSUM_STATUS};
use crate::context::Context;
use crate::cursor::Data;
use crate::field::{Names, protocol};
use thru_wire::checksum;

static TYPES: Names = &[
    (0x11, "Membership Query"),
    (0x12, "Membership Report"),
    (0x16, "Membership Report"),
    (0x17, "Leave Group"),
    (0x22, "Membership Report"),
];

protocol! { IGMP "igmp" "IGMP" "Internet Group Management Protocol";
    VERSION: u8 "igmp.version" "IGMP Version";
    TYPE: u8 "igmp.type" "Type", hex, names(TYPES);
    MAX_RESP: u8 "igmp.max_resp" "Max Resp Time";
    RESERVED: bytes "igmp.reserved" "Reserved";
    CHECKSUM: u16 "igmp.checksum" "Checksum", hex;
    STATUS: u8 "igmp.checksum.status" "Checksum Status", names(CHECKSUM_STATUS);
    MADDR: ipv4 "igmp.maddr" "Multicast Address";
    S: bool "igmp.s" "S", mask(0x08);
    QRV: u8 "igmp.qrv" "QRV", mask(0x07);
    QQIC: u8 "igmp.qqic" "QQIC";
    NUM_SRC: u16 "igmp.num_src" "Num Src";
    SADDR: ipv4 "igmp.saddr" "Source Address";
    NUM_GRP: u16 "igmp.num_grp_recs" "Num Group Records";
    RECORD_TYPE: u8 "igmp.record_type" "Record Type";
    AUX_LEN: u8 "igmp.aux_data_len" "Aux Data Len";
    AUX: bytes "igmp.aux_data" "Aux Data";
}

/// A large number in a byte, of which three bits are an exponent (RFC 3376 4.1.1).
fn exponential(code: u8) -> u64 {
    match code {
        0..=127 => u64::from(code),
        _ => u64::from(code & 15 | 16) << ((code >> 4 & 7) + 3),
    }
}

pub(crate) fn dissect(cx: &mut Context<'_>, message: Data<'_>) {
    // As in Wireshark, where the protocol hands the message to its versions.
    if message
        .u8(0)
        .is_ok_and(|kind| matches!(kind, 0x00..=0x0F | 0x11 | 0x12 | 0x16 | 0x17 | 0x1E | 0x1F | 0x22))
    {
        cx.arena.layers.push(&IGMP);
    }
    cx.layer(&IGMP, message, |cx, c| {
        let kind = message.u8(0)?;
        // DVMRP and the first PIM, which went by the same number, are protocols of their own.
        if matches!(kind, 0x13 | 0x14) {
            return c.skip(c.left());
        }
        let version = match kind {
            0x12 => 1,
            0x16 | 0x17 => 2,
            0x22 => 3,
            0x11 if message.len() >= 12 => 3,
            0x11 if message.u8(1)? == 0 => 1,
            _ => 2,
        };
        cx.conclude(&VERSION, version);
        c.u8(cx, &TYPE)?;
        if kind == 0x22 || version == 1 {
            c.bytes(cx, &RESERVED, 1)?;
        } else {
            let code = c.peek()?;
            let time = if version == 3 { exponential(code) } else { u64::from(code) };
            cx.add(&MAX_RESP, message, 1, 1, time);
            c.skip(1)?;
        }
        c.u16(cx, &CHECKSUM)?;
        let good = checksum::of(message.bytes) == 0;
        cx.conclude(&STATUS, if good { names::GOOD } else { names::BAD });
        match kind {
            0x22 => {
                c.bytes(cx, &RESERVED, 2)?;
                for _ in 0..c.u16(cx, &NUM_GRP)? {
                    c.u8(cx, &RECORD_TYPE)?;
                    let aux = c.u8(cx, &AUX_LEN)?;
                    let sources = c.u16(cx, &NUM_SRC)?;
                    c.ipv4(cx, &MADDR)?;
                    for _ in 0..sources {
                        c.ipv4(cx, &SADDR)?;
                    }
                    if aux > 0 {
                        c.bytes(cx, &AUX, usize::from(aux) * 4)?;
                    }
                }
            }
            0x11 | 0x12 | 0x16 | 0x17 => {
                c.ipv4(cx, &MADDR)?;
                if kind == 0x11 && version == 3 {
                    c.parts(cx, 1, &[&S, &QRV])?;
                    c.u8(cx, &QQIC)?;
                    for _ in 0..c.u16(cx, &NUM_SRC)? {
                        c.ipv4(cx, &SADDR)?;
                    }
                }
            }
            _ => data::show(cx, c.rest()),
        }
        Ok(())
    });
}
