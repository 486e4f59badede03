//! Ethernet II and 802.3, VLAN tags, LLC and SNAP, spanning tree.

use super::names::ETHERTYPES;
use super::{arp, data, ip, ipv6, lldp};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::{Names, protocol};

protocol! { ETH "eth" "Ethernet" "Ethernet II";
    DST: ether "eth.dst" "Destination";
    SRC: ether "eth.src" "Source";
    TYPE: u16 "eth.type" "Type", hex, names(ETHERTYPES);
    LEN: u16 "eth.len" "Length";
    PADDING: bytes "eth.padding" "Padding";
    TRAILER: bytes "eth.trailer" "Trailer";
    INVALID_LENTYPE: u16 "eth.invalid_lentype" "Invalid length/type", hex;
}

protocol! { VLAN "vlan" "VLAN" "802.1Q Virtual LAN";
    PRIORITY: u16 "vlan.priority" "Priority", mask(0xE000);
    DEI: bool "vlan.dei" "DEI", mask(0x1000);
    ID: u16 "vlan.id" "ID", mask(0x0FFF);
    ETYPE: u16 "vlan.etype" "Type", hex, names(ETHERTYPES);
    VLAN_LEN: u16 "vlan.len" "Length";
    VLAN_TRAILER: bytes "vlan.trailer" "Trailer";
}

protocol! { PROVIDER "ieee8021ad" "802.1ad" "IEEE 802.1ad";
    PROVIDER_PRIORITY: u16 "ieee8021ad.priority" "Priority", mask(0xE000);
    PROVIDER_DEI: u16 "ieee8021ad.dei" "DEI", mask(0x1000);
    PROVIDER_ID: u16 "ieee8021ad.id" "ID", mask(0x0FFF);
}

protocol! { LLC "llc" "LLC" "Logical-Link Control";
    DSAP: u8 "llc.dsap" "DSAP", hex;
    SSAP: u8 "llc.ssap" "SSAP", hex;
    CONTROL: u16 "llc.control" "Control", hex;
    OUI: u24 "llc.oui" "Organization Code";
    SNAP_TYPE: u16 "llc.type" "Type", hex, names(ETHERTYPES);
    PID: u16 "llc.pid" "Protocol ID", hex;
}

static BPDU_TYPES: Names =
    &[(0, "Configuration"), (2, "Rapid/Multiple Spanning Tree"), (0x80, "Topology Change Notification")];
static PORT_ROLES: Names = &[(0, "Unknown"), (1, "Alternate or Backup"), (2, "Root"), (3, "Designated")];

protocol! { STP "stp" "STP" "Spanning Tree Protocol";
    STP_PROTOCOL: u16 "stp.protocol" "Protocol Identifier", hex;
    STP_VERSION: u8 "stp.version" "Protocol Version Identifier";
    STP_TYPE: u8 "stp.type" "BPDU Type", hex, names(BPDU_TYPES);
    STP_FLAGS: u8 "stp.flags" "BPDU flags", hex;
    STP_TCACK: bool "stp.flags.tcack" "Topology Change Acknowledgment", mask(0x80);
    STP_AGREEMENT: bool "stp.flags.agreement" "Agreement", mask(0x40);
    STP_FORWARDING: bool "stp.flags.forwarding" "Forwarding", mask(0x20);
    STP_LEARNING: bool "stp.flags.learning" "Learning", mask(0x10);
    STP_ROLE: u8 "stp.flags.port_role" "Port Role", mask(0x0C), names(PORT_ROLES);
    STP_PROPOSAL: bool "stp.flags.proposal" "Proposal", mask(0x02);
    STP_TC: bool "stp.flags.tc" "Topology Change", mask(0x01);
    ROOT_PRIO: u16 "stp.root.prio" "Root Bridge Priority";
    ROOT_EXT: u16 "stp.root.ext" "Root Bridge System ID Extension";
    ROOT_HW: ether "stp.root.hw" "Root Bridge System ID";
    ROOT_COST: u32 "stp.root.cost" "Root Path Cost";
    BRIDGE_PRIO: u16 "stp.bridge.prio" "Bridge Priority";
    BRIDGE_EXT: u16 "stp.bridge.ext" "Bridge System ID Extension";
    BRIDGE_HW: ether "stp.bridge.hw" "Bridge System ID";
    STP_PORT: u16 "stp.port" "Port identifier", hex;
    MSG_AGE: float "stp.msg_age" "Message Age";
    MAX_AGE: float "stp.max_age" "Max Age";
    HELLO: float "stp.hello" "Hello Time";
    FORWARD: float "stp.forward" "Forward Delay";
    V1_LEN: u8 "stp.version_1_length" "Version 1 Length";
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
            trailing(cx, c.rest(), payload.len());
            llc(cx, payload);
            return Ok(());
        }
        c.u16(cx, &TYPE)?;
        let payload = c.rest();
        trailing(cx, payload, claimed(kind, payload));
        ethertype(cx, kind, payload);
        Ok(())
    });
}

/// How many bytes of a frame's payload are the packet; what follows pads the frame to its smallest size.
fn claimed(kind: u16, payload: Data<'_>) -> usize {
    let claimed = match kind {
        0x0800 => payload.u16(2).map(usize::from),
        0x86DD => payload.u16(4).map(|len| if len == 0 { payload.len() } else { usize::from(len) + 40 }),
        0x0806 if payload.len() >= 8 => {
            Ok(8 + 2 * (usize::from(payload.bytes[4]) + usize::from(payload.bytes[5])))
        }
        0x8100 | 0x88A8 => payload.u16(2).map(|kind| claimed(kind, payload.from(4)) + 4),
        _ => return payload.len(),
    };
    claimed.unwrap_or(payload.len()).min(payload.len())
}

/// Shows what follows the packet: zeros that fill the frame up are padding, other bytes are a trailer.
fn trailing(cx: &mut Context<'_>, payload: Data<'_>, used: usize) {
    let rest = payload.from(used);
    if rest.is_empty() {
        return;
    }
    let fills_up = payload.at as usize + payload.len() <= 60;
    let def = if fills_up && rest.bytes.iter().all(|&byte| byte == 0) { &PADDING } else { &TRAILER };
    cx.add(def, rest, 0, rest.len(), 0);
}

/// What an EtherType announces.
pub(crate) fn ethertype(cx: &mut Context<'_>, kind: u16, payload: Data<'_>) {
    match kind {
        0x0800 => ip::dissect(cx, payload),
        0x0806 => arp::dissect(cx, payload),
        0x86DD => ipv6::dissect(cx, payload),
        0x8100 | 0x9100 => vlan(cx, payload),
        0x88A8 => provider(cx, payload),
        0x6558 => dissect(cx, payload),
        0x88CC => lldp::dissect(cx, payload),
        _ => data::show(cx, payload),
    }
}

fn vlan(cx: &mut Context<'_>, tagged: Data<'_>) {
    cx.layer(&VLAN, tagged, |cx, c| {
        c.parts(cx, 2, &[&PRIORITY, &DEI, &ID])?;
        let kind = c.peek_u16()?;
        if kind < 0x0600 {
            c.u16(cx, &VLAN_LEN)?;
            llc(cx, c.rest());
        } else {
            c.u16(cx, &ETYPE)?;
            ethertype(cx, kind, c.rest());
        }
        Ok(())
    });
}

/// A provider's tag (IEEE 802.1ad).
fn provider(cx: &mut Context<'_>, tagged: Data<'_>) {
    cx.layer(&PROVIDER, tagged, |cx, c| {
        c.parts(cx, 2, &[&PROVIDER_PRIORITY, &PROVIDER_DEI, &PROVIDER_ID])?;
        let kind = c.peek_u16()?;
        c.skip(2)?;
        ethertype(cx, kind, c.rest());
        Ok(())
    });
}

/// IEEE 802.2, with SNAP.
pub(crate) fn llc(cx: &mut Context<'_>, frame: Data<'_>) {
    cx.layer(&LLC, frame, |cx, c| {
        let dsap = c.u8(cx, &DSAP)?;
        c.u8(cx, &SSAP)?;
        // Unnumbered frames have one byte of control, the others two.
        if c.peek()? & 3 == 3 {
            c.uint(cx, &CONTROL, 1)?;
        } else {
            c.uint(cx, &CONTROL, 2)?;
        }
        if dsap == 0xAA {
            let oui = c.u24(cx, &OUI)?;
            if oui == 0 {
                let kind = c.u16(cx, &SNAP_TYPE)?;
                ethertype(cx, kind, c.rest());
            } else {
                c.u16(cx, &PID)?;
                data::show(cx, c.rest());
            }
        } else if dsap == 0x42 {
            let rest = c.rest();
            cx.layer(&STP, rest, stp);
        } else {
            data::show(cx, c.rest());
        }
        Ok(())
    });
}

fn stp(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    c.u16(cx, &STP_PROTOCOL)?;
    let version = c.u8(cx, &STP_VERSION)?;
    let kind = c.u8(cx, &STP_TYPE)?;
    if kind == 0x80 {
        return Ok(());
    }
    let rapid: &[_] = &[&STP_AGREEMENT, &STP_FORWARDING, &STP_LEARNING, &STP_ROLE, &STP_PROPOSAL];
    let flags = c.data.u8(c.pos)?;
    c.u8(cx, &STP_FLAGS)?;
    c.pos -= 1;
    cx.depth += 1;
    c.parts(cx, 1, &[&STP_TCACK])?;
    if kind == 2 {
        c.pos -= 1;
        c.parts(cx, 1, rapid)?;
    }
    c.pos -= 1;
    c.parts(cx, 1, &[&STP_TC])?;
    cx.depth -= 1;
    let _ = flags;
    bridge(cx, c, &ROOT_PRIO, &ROOT_EXT, &ROOT_HW)?;
    c.u32(cx, &ROOT_COST)?;
    bridge(cx, c, &BRIDGE_PRIO, &BRIDGE_EXT, &BRIDGE_HW)?;
    c.u16(cx, &STP_PORT)?;
    for def in [&MSG_AGE, &MAX_AGE, &HELLO, &FORWARD] {
        // Counted in 1/256 s.
        let raw = c.data.u16(c.pos)?;
        cx.add(def, c.data, c.pos, 2, (f64::from(raw) / 256.0).to_bits());
        c.pos += 2;
    }
    if version >= 2 {
        c.u8(cx, &V1_LEN)?;
    }
    Ok(())
}

/// Four bits of priority, twelve of extension, a MAC address.
fn bridge(
    cx: &mut Context<'_>,
    c: &mut Cursor<'_>,
    prio: &'static crate::field::FieldDef,
    ext: &'static crate::field::FieldDef,
    hw: &'static crate::field::FieldDef,
) -> Read {
    let raw = u64::from(c.data.u16(c.pos)?);
    cx.add(prio, c.data, c.pos, 1, raw & 0xF000);
    cx.add(ext, c.data, c.pos, 2, raw & 0x0FFF);
    c.pos += 2;
    c.ether(cx, hw)?;
    Ok(())
}
