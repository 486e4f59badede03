//! GTP-C of version 2 (3GPP TS 29.274): how the tunnels of LTE are made, and whose they are.

use super::{GTP, IMSI, NUMBER, digits, labels};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::{Names, protocol};
use crate::table::{Step::*, walk};

static TYPES: Names = &[
    (1, "Echo Request"),
    (2, "Echo Response"),
    (32, "Create Session Request"),
    (33, "Create Session Response"),
    (34, "Modify Bearer Request"),
    (35, "Modify Bearer Response"),
    (36, "Delete Session Request"),
    (37, "Delete Session Response"),
    (66, "Delete Bearer Command"),
    (95, "Create Bearer Request"),
    (96, "Create Bearer Response"),
    (97, "Update Bearer Request"),
    (98, "Update Bearer Response"),
    (99, "Delete Bearer Request"),
    (100, "Delete Bearer Response"),
    (130, "Context Request"),
    (131, "Context Response"),
    (132, "Context Acknowledge"),
    (170, "Release Access Bearers Request"),
    (171, "Release Access Bearers Response"),
    (176, "Downlink Data Notification"),
    (177, "Downlink Data Notification Acknowledgement"),
];
static RADIOS: Names = &[
    (1, "UTRAN"),
    (2, "GERAN"),
    (3, "WLAN"),
    (4, "GAN"),
    (5, "HSPA Evolution"),
    (6, "EUTRAN"),
    (7, "Virtual"),
    (8, "EUTRAN-NB-IoT"),
    (9, "LTE-M"),
    (10, "NR"),
];
static CAUSES: Names = &[
    (16, "Request accepted"),
    (17, "Request accepted partially"),
    (64, "Context Not Found"),
    (65, "Invalid Message Format"),
    (70, "Mandatory IE missing"),
    (72, "System failure"),
    (73, "No resources available"),
    (78, "Missing or unknown APN"),
    (92, "User authentication failed"),
    (94, "Request rejected"),
];

protocol! { GTPV2 "gtpv2" "GTPv2" "GPRS Tunneling Protocol V2";
    FLAGS: u8 "gtpv2.flags" "Flags", hex;
    VERSION: u8 "gtpv2.version" "Version", mask(0xE0);
    PIGGYBACK: u8 "gtpv2.p" "Piggybacking flag (P)", mask(0x10);
    HAS_TEID: u8 "gtpv2.t" "TEID flag (T)", mask(0x08);
    HAS_PRIORITY: u8 "gtpv2.mp" "Message Priority(MP)", mask(0x04);
    MESSAGE: u8 "gtpv2.message_type" "Message Type", names(TYPES);
    LENGTH: u16 "gtpv2.msg_length" "Message Length";
    TEID: u32 "gtpv2.teid" "Tunnel Endpoint Identifier", hex;
    SEQ: u24 "gtpv2.seq" "Sequence Number", hex;
    IE: u8 "gtpv2.ie_type" "IE Type";
    IE_LENGTH: u16 "gtpv2.ie_len" "IE Length";
    CR: u8 "gtpv2.cr" "CR flag", mask(0xF0);
    INSTANCE: u8 "gtpv2.instance" "Instance", mask(0x0F);
    CAUSE: u8 "gtpv2.cause" "Cause", names(CAUSES);
    CAUSE_PDN: bool "gtpv2.pce" "PCE (PDN Connection IE Error)", mask(0x04);
    CAUSE_BEARER: bool "gtpv2.bce" "BCE (Bearer Context IE Error)", mask(0x02);
    CAUSE_SOURCE: bool "gtpv2.cs" "CS (Cause Source)", mask(0x01);
    RECOVERY: u8 "gtpv2.rec" "Restart Counter";
    APN: text "gtpv2.apn" "APN (Access Point Name)";
    RATE_UP: u32 "gtpv2.ambr_up" "AMBR Uplink (Aggregate Maximum Bit Rate for Uplink)";
    RATE_DOWN: u32 "gtpv2.ambr_down" "AMBR Downlink(Aggregate Maximum Bit Rate for Downlink)";
    BEARER: u8 "gtpv2.ebi" "EPS Bearer ID (EBI)", mask(0x0F);
    EQUIPMENT: text "gtpv2.mei" "MEI(Mobile Equipment Identity)";
    RADIO: u8 "gtpv2.rat_type" "RAT Type", names(RADIOS);
    END_V4: bool "gtpv2.f_teid_v4" "V4", mask(0x80);
    END_V6: bool "gtpv2.f_teid_v6" "V6", mask(0x40);
    END_KIND: u8 "gtpv2.f_teid_interface_type" "Interface Type", mask(0x3F);
    END_KEY: u32 "gtpv2.f_teid_gre_key" "TEID/GRE Key", hex;
    END_IPV4: ipv4 "gtpv2.f_teid_ipv4" "F-TEID IPv4";
    END_IPV6: ipv6 "gtpv2.f_teid_ipv6" "F-TEID IPv6";
}

/// Wireshark counts the protocol of the first versions as a layer, too.
pub(super) fn dissect(cx: &mut Context<'_>, packet: Data<'_>) {
    cx.layer(&GTP, packet.first(0), |_, _| Ok(()));
    cx.layer(&GTPV2, packet, |cx, c| {
        // One that is not the last says so (29.274 5.5.1); no more than two come together.
        if message(cx, c)? & 0x10 != 0 && c.data.u8(c.pos).is_ok_and(|first| first >> 5 == 2) {
            message(cx, c)?;
        }
        Ok(())
    });
}

/// A message. Gives its flags.
fn message(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read<u64> {
    let parts: &[_] = &[&VERSION, &PIGGYBACK, &HAS_TEID, &HAS_PRIORITY];
    let flags = c.bits(cx, &FLAGS, 1, parts)?;
    c.u8(cx, &MESSAGE)?;
    let len = c.u16(cx, &LENGTH)?;
    let mut body = c.take_most(usize::from(len)).cursor();
    if flags & 8 != 0 {
        body.u32(cx, &TEID)?;
    }
    body.u24(cx, &SEQ)?;
    if flags & 4 != 0 {
        cx.add(&HAS_PRIORITY, body.data, body.pos, 1, u64::from(body.peek()? >> 4));
    }
    body.skip(1)?;
    elements(cx, &mut body, 0)?;
    Ok(flags)
}

/// Groups within groups end here.
const DEPTH_MAX: u8 = 4;

fn elements(cx: &mut Context<'_>, c: &mut Cursor<'_>, depth: u8) -> Read {
    while !c.is_done() {
        let kind = c.u8(cx, &IE)?;
        let len = c.u16(cx, &IE_LENGTH)?;
        c.parts(cx, 1, &[&CR, &INSTANCE])?;
        let value = c.take(usize::from(len))?;
        cx.depth += 1;
        let result = element(cx, value, kind, depth);
        cx.depth -= 1;
        result?;
    }
    Ok(())
}

fn element(cx: &mut Context<'_>, value: Data<'_>, kind: u8, depth: u8) -> Read {
    let c = &mut value.cursor();
    match kind {
        1 => cx.add_words(&IMSI, value, &digits(value.bytes)),
        2 => walk(cx, c, &[Is(&CAUSE), Parts(1, &[&CAUSE_PDN, &CAUSE_BEARER, &CAUSE_SOURCE])])?,
        3 => walk(cx, c, &[Is(&RECOVERY)])?,
        71 => cx.add_words(&APN, value, &labels(value.bytes)),
        72 => walk(cx, c, &[Is(&RATE_UP), Is(&RATE_DOWN)])?,
        73 => walk(cx, c, &[Parts(1, &[&BEARER])])?,
        75 => cx.add_words(&EQUIPMENT, value, &digits(value.bytes)),
        76 => cx.add_words(&NUMBER, value, &digits(value.bytes)),
        82 => walk(cx, c, &[Is(&RADIO)])?,
        87 => tunnel_end(cx, c)?,
        93 if depth < DEPTH_MAX => elements(cx, c, depth + 1)?,
        _ => {}
    }
    Ok(())
}

/// Where a tunnel ends: its number there, and the address.
fn tunnel_end(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let flags = c.parts(cx, 1, &[&END_V4, &END_V6, &END_KIND])?;
    c.u32(cx, &END_KEY)?;
    if flags & 0x80 != 0 {
        walk(cx, c, &[Is(&END_IPV4)])?;
    }
    if flags & 0x40 != 0 {
        walk(cx, c, &[Is(&END_IPV6)])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;
    use crate::tree::Arena;

    /// How many fields a message has.
    fn fields(bytes: &[u8]) -> usize {
        let (mut arena, mut state) = (Arena::new(), State::default());
        let mut cx = Context::new(&mut arena, &mut state, 1, 0);
        super::super::dissect(&mut cx, Data { bytes, at: 0, source: 0 });
        arena.fields.len()
    }

    #[test]
    fn groups_within_groups_end_somewhere() {
        let mut group = vec![73, 0, 1, 0, 5];
        for _ in 0..50 {
            let len = (group.len() as u16).to_be_bytes();
            group = [&[93, len[0], len[1], 0], group.as_slice()].concat();
        }
        let len = (group.len() as u16 + 4).to_be_bytes();
        let message = [&[0x40, 32, len[0], len[1], 0, 0, 1, 0], group.as_slice()].concat();
        assert!((20..40).contains(&fields(&message)), "{} fields", fields(&message));
        for end in 0..message.len() {
            fields(&message[..end]);
        }
    }
}
