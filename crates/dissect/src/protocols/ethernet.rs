//! Ethernet II and 802.3, LLC and SNAP.

use super::names::{self, CHECKSUM_STATUS, ETHERTYPES};
use super::stp::{self, STP};
use super::{arp, data, ip, ipv6, lldp, mpls, ppp, pppoe, tags};
use crate::context::Context;
use crate::cursor::Data;
use crate::field::{FieldDef, protocol};

protocol! { ETH "eth" "Ethernet" "Ethernet II";
    DST: ether "eth.dst" "Destination";
    SRC: ether "eth.src" "Source";
    TYPE: u16 "eth.type" "Type", hex, names(ETHERTYPES);
    LEN: u16 "eth.len" "Length";
    PADDING: bytes "eth.padding" "Padding";
    TRAILER: bytes "eth.trailer" "Trailer";
    FCS: u32 "eth.fcs" "Frame check sequence", hex;
    FCS_STATUS: u8 "eth.fcs.status" "FCS Status", names(CHECKSUM_STATUS);
    INVALID_LENTYPE: u16 "eth.invalid_lentype" "Invalid length/type", hex;
}

protocol! { LLC "llc" "LLC" "Logical-Link Control";
    DSAP: u8 "llc.dsap" "DSAP", hex;
    DSAP_GROUP: bool "llc.dsap.ig" "IG Bit", mask(0x01);
    SSAP: u8 "llc.ssap" "SSAP", hex;
    SSAP_RESPONSE: bool "llc.ssap.cr" "CR Bit", mask(0x01);
    CONTROL: u16 "llc.control" "Control", hex;
    CONTROL_NR: u16 "llc.control.n_r" "N(R)", mask(0xFE00);
    CONTROL_NS: u16 "llc.control.n_s" "N(S)", mask(0x00FE);
    OUI: u24 "llc.oui" "Organization Code";
    SNAP_TYPE: u16 "llc.type" "Type", hex, names(ETHERTYPES);
    PID: u16 "llc.pid" "Protocol ID", hex;
    CISCO_PID: u16 "llc.cisco_pid" "PID", hex;
}

/// An Ethernet frame without its checksum.
pub(crate) fn dissect(cx: &mut Context<'_>, frame: Data<'_>) {
    cx.layer(&ETH, frame, |cx, c| {
        c.ether(cx, &DST)?;
        c.ether(cx, &SRC)?;
        let kind = c.peek_u16()?;
        if kind < 0x0600 {
            let len = usize::from(c.u16(cx, &LEN)?);
            let payload = c.rest().first(len);
            trailing(cx, c.rest(), payload.len(), &TRAILER, Some(frame.len()));
            llc(cx, payload);
            return Ok(());
        }
        c.u16(cx, &TYPE)?;
        let payload = c.rest();
        trailing(cx, payload, claimed(kind, payload), &TRAILER, Some(frame.len()));
        ethertype(cx, kind, payload);
        Ok(())
    });
}

/// How many bytes of a frame's payload are the packet; what follows pads the frame to its smallest size.
pub(crate) fn claimed(kind: u16, payload: Data<'_>) -> usize {
    let claimed = match kind {
        // 0: the network card was to fill it in.
        0x0800 => payload.u16(2).map(|len| if len == 0 { payload.len() } else { usize::from(len) }),
        0x86DD => payload.u16(4).map(|len| if len == 0 { payload.len() } else { usize::from(len) + 40 }),
        0x0806 | 0x8035 if payload.len() >= 8 => {
            Ok(8 + 2 * (usize::from(payload.bytes[4]) + usize::from(payload.bytes[5])))
        }
        // As in Wireshark, which takes the last byte before the end for a part of what follows.
        0x88CC => return lldp::end(payload.bytes).map_or(payload.len(), |end| end.saturating_sub(1)),
        0x8847 | 0x8848 => return mpls::claimed(payload),
        // PTP of version 2 (IEEE 1588 13.3): types, a version and a length.
        0x88F7 if payload.u8(1).is_ok_and(|version| version & 15 == 2) => payload.u16(2).map(usize::from),
        // 802.1X: a version, a type and a length.
        0x888E => payload.u16(2).map(|len| usize::from(len) + 4),
        _ => return payload.len(),
    };
    claimed.unwrap_or(payload.len()).min(payload.len())
}

/// Shows what follows the packet, as Wireshark decides it: zeros that fill the frame up to 60 bytes are padding, the last
/// four bytes of a long frame its check sequence (`checked`: if this layer may have one), other bytes a trailer.
pub(crate) fn trailing(
    cx: &mut Context<'_>,
    payload: Data<'_>,
    used: usize,
    trailer: &'static FieldDef,
    checked: Option<usize>,
) {
    let rest = payload.from(used);
    let reported = rest.len() + cx.missing;
    if reported == 0 || used >= payload.len() {
        return;
    }
    let before = cx.wire.saturating_sub(reported);
    let mut padding = 0;
    if cx.wire >= 60 && before < 60 {
        let fills = 60 - before;
        if rest.bytes.get(..fills).is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0)) {
            padding = fills;
            cx.add(&PADDING, rest, 0, fills, 0);
        }
    }
    let (mut len, over) = (rest.len() - padding, reported - padding);
    let has_fcs = checked.is_some_and(|frame| frame + cx.missing >= 64) && over >= 4;
    if has_fcs {
        len = len.min(over - 4);
    }
    if len > 0 {
        cx.add(trailer, rest, padding, len, 0);
    }
    let fcs = rest.from(padding + len);
    if has_fcs && let Ok(word) = fcs.u32(0) {
        cx.add(&FCS, fcs, 0, 4, u64::from(word));
        cx.conclude(&FCS_STATUS, names::UNVERIFIED);
    }
}

/// What an EtherType announces.
pub(crate) fn ethertype(cx: &mut Context<'_>, kind: u16, payload: Data<'_>) {
    match kind {
        0x0800 => ip::dissect(cx, payload),
        0x0806 | 0x8035 => arp::dissect(cx, payload),
        0x86DD => ipv6::dissect(cx, payload),
        0x8847 | 0x8848 => mpls::dissect(cx, payload),
        0x8863 => pppoe::discovery(cx, payload),
        0x8864 => pppoe::session(cx, payload),
        0x880B => ppp::packet(cx, payload),
        0x8100 | 0x9100 => tags::vlan(cx, payload),
        0x88A8 => tags::provider(cx, payload),
        0x8909 => tags::group(cx, payload),
        0x6558 => dissect(cx, payload),
        0x88CC => lldp::dissect(cx, payload),
        _ => data::show(cx, payload),
    }
}

const CISCO: u32 = 0x00_000C;
/// Cisco's protocol number of spanning trees, one a VLAN.
const PER_VLAN: u16 = 0x010B;

/// IEEE 802.2, with SNAP.
pub(crate) fn llc(cx: &mut Context<'_>, frame: Data<'_>) {
    cx.layer(&LLC, frame, |cx, c| {
        let dsap = c.bits(cx, &DSAP, 1, &[&DSAP_GROUP])?;
        c.bits(cx, &SSAP, 1, &[&SSAP_RESPONSE])?;
        // Unnumbered frames have one byte of control, the others two.
        if c.peek()? & 3 == 3 {
            c.uint(cx, &CONTROL, 1)?;
        } else {
            // The byte that says which they are is the first.
            let control = u64::from(c.peek_u16()?.swap_bytes());
            cx.add(&CONTROL, c.data, c.pos, 2, control);
            cx.depth += 1;
            cx.add(&CONTROL_NR, c.data, c.pos, 2, control >> 9);
            // Only information has a number of its own.
            if control & 1 == 0 {
                cx.add(&CONTROL_NS, c.data, c.pos, 2, control >> 1 & 0x7F);
            }
            cx.depth -= 1;
            c.skip(2)?;
        }
        if dsap == 0xAA {
            let oui = c.u24(cx, &OUI)?;
            if oui == 0 {
                let kind = c.u16(cx, &SNAP_TYPE)?;
                ethertype(cx, kind, c.rest());
            } else if oui == CISCO {
                let pid = c.u16(cx, &CISCO_PID)?;
                let rest = c.rest();
                if pid == PER_VLAN {
                    cx.layer(&STP, rest, stp::dissect);
                } else {
                    data::show(cx, rest);
                }
            } else {
                c.u16(cx, &PID)?;
                data::show(cx, c.rest());
            }
        } else if dsap == 0x42 {
            let rest = c.rest();
            cx.layer(&STP, rest, stp::dissect);
        } else {
            data::show(cx, c.rest());
        }
        Ok(())
    });
}
