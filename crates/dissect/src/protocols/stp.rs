//! The spanning tree's bridge protocol (IEEE 802.1D, 802.1w, 802.1s).

use crate::context::Context;
use crate::cursor::{Cursor, Read, Short};
use crate::field::{Names, protocol};

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
    V3_LEN: u16 "mstp.version_3_length" "Version 3 Length";
    V4_LEN: u16 "mstp.version_4_length" "Version 4 Length";
    AGREEMENT_NUM: u8 "mstp.agree_flags.agreement_num" "Agreement Number", mask(0x03);
    DISAGREEMENT_NUM: u8 "mstp.agree_flags.dagreement_num" "Disagreement Number", mask(0x0C);
    AGREEMENT_VALID: bool "mstp.agree_flags.agreement_valid" "Agreement Valid Flag", mask(0x10);
    RESTRICTED_ROLE: bool "mstp.agree_flags.rest_role" "Restricted Role", mask(0x20);
    AGREEMENT_DIGEST: bytes "mstp.agreement_digest" "Agreement Digest";
    SELECTOR: u8 "mstp.config_format_selector" "MST Config ID format selector";
    CONFIG_NAME: text "mstp.config_name" "MST Config name";
    REVISION: u16 "mstp.config_revision_level" "MST Config revision";
    DIGEST: bytes "mstp.config_digest" "MST Config digest";
    INTERNAL_COST: u32 "mstp.cist_internal_root_path_cost" "CIST Internal Root Path Cost";
    CIST_PRIO: u16 "mstp.cist_bridge.prio" "CIST Bridge Priority";
    CIST_EXT: u16 "mstp.cist_bridge.ext" "CIST Bridge Identifier System ID Extension";
    CIST_HW: ether "mstp.cist_bridge.hw" "CIST Bridge Identifier System ID";
    CIST_HOPS: u8 "mstp.cist_remaining_hops" "CIST Remaining hops";
    MSTI_FLAGS: u8 "mstp.msti.flags" "MSTI flags", hex;
    MSTI_PRIORITY: u8 "mstp.msti.priority" "Priority", hex, mask(0xF0);
    MSTI_ID: u16 "mstp.msti.msti_id" "MSTID", mask(0x0FFF);
    MSTI_ROOT: ether "mstp.msti.root.hw" "Regional Root";
    MSTI_COST: u32 "mstp.msti.root_cost" "Internal root path cost";
    MSTI_BRIDGE: u8 "mstp.msti.bridge_priority" "Bridge Identifier Priority", mask(0xF0);
    MSTI_PORT: u8 "mstp.msti.port_priority" "Port identifier priority", mask(0xF0);
    MSTI_HOPS: u8 "mstp.msti.remaining_hops" "Remaining hops";
}

static RAPID: &[&crate::field::FieldDef] =
    &[&STP_TCACK, &STP_AGREEMENT, &STP_FORWARDING, &STP_LEARNING, &STP_ROLE, &STP_PROPOSAL, &STP_TC];

/// A BPDU.
pub(crate) fn dissect(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    const GARP: u16 = 1;
    if c.peek_u16()? == GARP {
        return c.skip(c.left());
    }
    // As in Wireshark, nothing is shown of a part.
    const CHANGE: u8 = 0x80;
    const WHOLE: usize = 35;
    if c.left() < if c.data.u8(c.pos + 3)? == CHANGE { 4 } else { WHOLE } {
        return Err(Short);
    }
    c.u16(cx, &STP_PROTOCOL)?;
    let version = c.u8(cx, &STP_VERSION)?;
    let kind = c.u8(cx, &STP_TYPE)?;
    if kind == CHANGE {
        return Ok(());
    }
    if kind == 2 {
        c.bits(cx, &STP_FLAGS, 1, RAPID)?;
    } else {
        c.bits(cx, &STP_FLAGS, 1, &[&STP_TCACK, &STP_TC])?;
    }
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
    if version >= 2 && kind == 2 {
        c.u8(cx, &V1_LEN)?;
    }
    if version >= 3 && kind == 2 && c.left() >= 2 {
        let len = usize::from(c.u16(cx, &V3_LEN)?);
        trees(cx, c, len)?;
        if version >= 4 && c.left() >= 2 {
            return shortest_paths(cx, c);
        }
    }
    Ok(())
}

/// What bridges that compute shortest paths agree on (IEEE 802.1aq, 28.12).
fn shortest_paths(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    c.u16(cx, &V4_LEN)?;
    configuration(cx, c)?;
    c.parts(cx, 1, &[&AGREEMENT_NUM, &DISAGREEMENT_NUM, &AGREEMENT_VALID, &RESTRICTED_ROLE])?;
    // Format, convention and edge count of the digest.
    c.skip(13)?;
    c.bytes(cx, &AGREEMENT_DIGEST, 20)?;
    Ok(())
}

/// How a region is configured: its name and a digest of which VLAN belongs to which tree.
fn configuration(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    c.u8(cx, &SELECTOR)?;
    let name = c.take(32)?;
    let shown = name.bytes.iter().position(|byte| *byte == 0).unwrap_or(32);
    cx.add_slice(&CONFIG_NAME, name, 0, shown);
    c.u16(cx, &REVISION)?;
    c.bytes(cx, &DIGEST, 16)?;
    Ok(())
}

/// The regions' trees (IEEE 802.1Q, 14.6): the common one, then sixteen bytes for each of the others.
fn trees(cx: &mut Context<'_>, c: &mut Cursor<'_>, len: usize) -> Read {
    const COMMON: usize = 64;
    configuration(cx, c)?;
    c.u32(cx, &INTERNAL_COST)?;
    bridge(cx, c, &CIST_PRIO, &CIST_EXT, &CIST_HW)?;
    c.u8(cx, &CIST_HOPS)?;
    for _ in 0..len.saturating_sub(COMMON) / 16 {
        c.bits(cx, &MSTI_FLAGS, 1, RAPID)?;
        c.parts(cx, 2, &[&MSTI_ID])?;
        c.pos -= 2;
        c.parts(cx, 1, &[&MSTI_PRIORITY])?;
        c.skip(1)?;
        c.ether(cx, &MSTI_ROOT)?;
        c.u32(cx, &MSTI_COST)?;
        c.u8(cx, &MSTI_BRIDGE)?;
        c.u8(cx, &MSTI_PORT)?;
        c.u8(cx, &MSTI_HOPS)?;
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
