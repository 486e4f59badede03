//! What opaque advertisements say: of a router (RFC 7770) and of prefixes (RFC 7684), with the labels of segment routing
//! (RFC 8665), of links (RFC 3630) and of restarts (RFC 3623); and what stands behind packets in the same form (RFC 5613). Types without a layout are shown with their length only.

use super::RESERVED;
use super::lsa::PREFIX_LENGTH;
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::{FieldDef, Names, protocol};
use crate::table::{Layout, Step::*, walk};

static ABOUT_ROUTERS: Names = &[
    (1, "OSPF Informational Capabilities"),
    (7, "OSPF Dynamic Hostname"),
    (8, "SR-Algorithm "),
    (9, "SID/Label Range"),
    (12, "Node MSD"),
    (14, "SR Local Block"),
    (15, "SRMS Preference"),
    (16, "Flex Algorithm Definition"),
];
static ABOUT_PREFIXES: Names = &[(1, "OSPFv2 Extended Prefix"), (2, "OSPFv2 Extended Prefix Range")];
static ALGORITHMS: Names = &[(0, "Shortest Path First"), (1, "Strict Shortest Path First")];

protocol! { OPAQUE "ospf" "OSPF" "Open Shortest Path First";
    ROUTER_TLV: u16 "ospf.tlv_type.opaque" "TLV Type", names(ABOUT_ROUTERS);
    LENGTH: u16 "ospf.tlv_length" "TLV Length";
    SIGNALS_CHECKSUM: u16 "ospf.lls.checksum" "Checksum", hex;
    SIGNALS_LENGTH: u16 "ospf.lls.data_length" "LLS Data Length";
    TLV: u16 "ospf.tlv_type" "TLV Type";
    TE_ROUTER: ipv4 "ospf.mpls.routerid" "MPLS/TE Router ID";
    TE_LINK_TYPE: u8 "ospf.mpls.linktype" "MPLS/TE Link Type";
    TE_LINK: ipv4 "ospf.mpls.linkid" "MPLS/TE Link ID";
    TE_LOCAL: ipv4 "ospf.mpls.local_addr" "MPLS/TE Local Interface Address";
    TE_REMOTE: ipv4 "ospf.mpls.remote_addr" "MPLS/TE Remote Interface Address";
    TE_METRIC: u32 "ospf.mpls.te_metric" "MPLS/TE Metric";
    TE_COLOR: u32 "ospf.mpls.linkcolor" "MPLS/TE Link Resource Class/Color", hex;
    GRACE_PERIOD: u32 "ospf.v2.grace.period" "Grace Period";
    GRACE_REASON: u8 "ospf.v2.grace.reason" "Restart Reason";
    GRACE_ADDRESS: ipv4 "ospf.v2.grace.ip" "Restart IP";
    EXTENDED: u32 "ospf.lls.ext.options" "Options", hex;
    EXTENDED_RS: bool "ospf.lls.ext.options.rs" "(RS) Restart Signal", mask(0x2);
    EXTENDED_LR: bool "ospf.lls.ext.options.lr" "(LR) LSDB Resynchronization", mask(0x1);
    SIGNAL_SEQUENCE: u32 "ospf.v2.lls.sequence_number" "Sequence number", hex;
    SIGNAL_AUTHENTICATION: bytes "ospf.v2.lls.auth_data" "Auth Data";
    RI: u8 "ospf.ri.options" "RI Options", hex;
    RI_GRC: bool "ospf.ri.options.grc" "(GRC) Graceful Restart", mask(0x80);
    RI_GRH: bool "ospf.ri.options.grh" "(GRH) Graceful Restart Helper", mask(0x40);
    RI_SRS: bool "ospf.ri.options.srs" "Stub Router Support", mask(0x20);
    RI_TES: bool "ospf.ri.options.tes" "(TES) Traffic Engineering", mask(0x10);
    RI_P2PLAN: bool "ospf.ri.options.p2plan" "(P2PLAN) Point-to-point over LAN", mask(0x08);
    RI_ETE: bool "ospf.ri.options.ete" "(ETE) Experimental TE", mask(0x04);
    RI_HOST: bool "ospf.ri.options.host" "Host Router", mask(0x01);
    HOSTNAME: text "ospf.dynhostname" "Dynamic Hostname";
    ALGORITHM: u8 "ospf.lsa_sa" "SR-Algorithm", names(ALGORITHMS);
    RANGE_SIZE: u24 "ospf.tlv.range_size" "Range Size";
    LABEL_TLV: u16 "ospf.tlv.sidlabel_range.type" "TLV Type";
    LABEL: u32 "ospf.tlv.sid_label" "SID/Label";
    MSD_TYPE: u8 "ospf.tlv.igp_msd_type" "MSD Type";
    MSD_VALUE: u8 "ospf.tlv.igp_msd_value" "MSD Value";
    PREFERENCE: u24 "ospf.tlv.preference" "Preference";
    PREFIX_TLV: u16 "ospf.tlv.extpfx.tlv_type" "TLV Type", names(ABOUT_PREFIXES);
    PREFIX_PART: u16 "ospf.tlv.extpfx.subtlv_type" "TLV Type";
    ROUTE_TYPE: u16 "ospf.tlv.extpfx.rotuetype" "Route Type";
    FAMILY: u8 "ospf.tlv.extpfx.af" "Address Family";
    PREFIX_FLAGS: u8 "ospf.tlv.extpfx.flags" "Flags", hex;
    PREFIX_A: bool "ospf.tlv.extpfx.flags.a" "(A) Attach Flag", mask(0x80);
    PREFIX_N: bool "ospf.tlv.extpfx.flags.n" "(N) Node Flag", mask(0x40);
    RANGE_FLAGS: u8 "ospf.tlv.extpfx_range.flags" "Flags", hex;
    RANGE_IA: bool "ospf.tlv.extpfx_range.flags.ia" "(IA) Inter-Area Flag", mask(0x80);
    PREFIX: ipv4 "ospf.v3.address_prefix.ipv4" "Address Prefix";
    SID_FLAGS: u8 "ospf.tlv.pfxsid.flags" "Flags", hex;
    SID_NP: bool "ospf.tlv.pfxsid.flags.np" "(NP) No-PHP Flag", mask(0x40);
    SID_M: bool "ospf.tlv.pfxsid.flags.m" "(M) Mapping Server Flag", mask(0x20);
    SID_E: bool "ospf.tlv.pfxsid.flags.e" "(E) Explicit-Null Flag", mask(0x10);
    SID_V: bool "ospf.tlv.pfxsid.flags.v" "(V) Value/Index Flag", mask(0x08);
    SID_L: bool "ospf.tlv.pfxsid.flags.l" "(L) Local/Global Flag", mask(0x04);
    TOPOLOGY: u8 "ospf.tlv.extlink.mt_id" "Multi-Topology ID";
}

static RI_PARTS: [&FieldDef; 7] = [&RI_GRC, &RI_GRH, &RI_SRS, &RI_TES, &RI_P2PLAN, &RI_ETE, &RI_HOST];
static SID_PARTS: [&FieldDef; 5] = [&SID_NP, &SID_M, &SID_E, &SID_V, &SID_L];

/// Layouts by type.
type Kinds = &'static [(u64, Layout<'static>)];

static OF_ROUTERS: Kinds = &[
    (1, &[Bits(&RI, 1, &RI_PARTS)]),
    (7, &[Rest(&HOSTNAME)]),
    (8, &[Each(&[Is(&ALGORITHM)])]),
    (9, LABELS),
    (12, &[Each(&[Is(&MSD_TYPE), Is(&MSD_VALUE)])]),
    (14, LABELS),
    (15, &[Wide(&PREFERENCE, 1), Bytes(&RESERVED, 3)]),
];
/// Labels from one on.
static LABELS: Layout<'static> = &[Is(&RANGE_SIZE), Bytes(&RESERVED, 1), Call(label_parts)];
static OF_PREFIXES: Kinds = &[
    (
        1,
        &[
            Wide(&ROUTE_TYPE, 1),
            Is(&PREFIX_LENGTH),
            Is(&FAMILY),
            Bits(&PREFIX_FLAGS, 1, &[&PREFIX_A, &PREFIX_N]),
            Is(&PREFIX),
            Call(prefix_parts),
        ],
    ),
    (
        2,
        &[
            Is(&PREFIX_LENGTH),
            Is(&FAMILY),
            Wide(&RANGE_SIZE, 2),
            Bits(&RANGE_FLAGS, 1, &[&RANGE_IA]),
            Bytes(&RESERVED, 3),
            Is(&PREFIX),
            Call(prefix_parts),
        ],
    ),
];
static OF_LABELS: Kinds = &[(1, &[Call(label)])];
static OF_SIDS: Kinds = &[(
    2,
    &[Bits(&SID_FLAGS, 1, &SID_PARTS), Bytes(&RESERVED, 1), Is(&TOPOLOGY), Is(&ALGORITHM), Call(label)],
)];

static OF_ENGINEERING: Kinds = &[(1, &[Is(&TE_ROUTER)]), (2, &[Call(link_parts)])];
static OF_LINKS: Kinds = &[
    (1, &[Is(&TE_LINK_TYPE)]),
    (2, &[Is(&TE_LINK)]),
    (3, &[Each(&[Is(&TE_LOCAL)])]),
    (4, &[Each(&[Is(&TE_REMOTE)])]),
    (5, &[Is(&TE_METRIC)]),
    (9, &[Is(&TE_COLOR)]),
];
static OF_GRACE: Kinds = &[(1, &[Is(&GRACE_PERIOD)]), (2, &[Is(&GRACE_REASON)]), (3, &[Is(&GRACE_ADDRESS)])];
static OF_SIGNALS: Kinds = &[
    (1, &[Bits(&EXTENDED, 4, &[&EXTENDED_RS, &EXTENDED_LR])]),
    (2, &[Is(&SIGNAL_SEQUENCE), Rest(&SIGNAL_AUTHENTICATION)]),
];

/// What neighbors tell each other behind a packet's end (RFC 5613).
pub(super) fn local_signals(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    c.u16(cx, &SIGNALS_CHECKSUM)?;
    // In words; a decimal number of bytes in Wireshark.
    let words = usize::from(c.rest().u16(0)?);
    cx.add(&SIGNALS_LENGTH, c.data, c.pos, 2, words as u64 * 4);
    c.skip(2)?;
    let mut inside = c.take_most((4 * words).saturating_sub(4)).cursor();
    each(cx, &mut inside, &TLV, OF_SIGNALS)
}

/// An opaque advertisement's body, by its own type.
pub(super) fn body(cx: &mut Context<'_>, c: &mut Cursor<'_>, kind: u8) -> Read {
    match kind {
        1 => each(cx, c, &TLV, OF_ENGINEERING),
        3 => each(cx, c, &TLV, OF_GRACE),
        4 => each(cx, c, &ROUTER_TLV, OF_ROUTERS),
        7 => each(cx, c, &PREFIX_TLV, OF_PREFIXES),
        _ => Ok(()),
    }
}

fn label_parts(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    each(cx, c, &LABEL_TLV, OF_LABELS)
}

fn link_parts(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    each(cx, c, &TLV, OF_LINKS)
}

fn prefix_parts(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    each(cx, c, &PREFIX_PART, OF_SIDS)
}

/// A label has three bytes, an index four (RFC 8665 2.1).
fn label(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    c.uint(cx, &LABEL, c.left().min(4)).map(drop)
}

/// Values behind a type and a length, each filled up to whole words. They lie two deep at most.
fn each(cx: &mut Context<'_>, c: &mut Cursor<'_>, kind: &'static FieldDef, kinds: Kinds) -> Read {
    while c.left() >= 4 {
        let tlv = c.rest();
        let len = usize::from(tlv.u16(2)?);
        let whole = c.take_most(4 + len.next_multiple_of(4));
        let depth = cx.depth;
        let result = one(cx, whole.first(4 + len), kind, kinds);
        cx.depth = depth;
        result?;
    }
    Ok(())
}

fn one(cx: &mut Context<'_>, tlv: Data<'_>, kind: &'static FieldDef, kinds: Kinds) -> Read {
    let mut c = tlv.cursor();
    let found = c.u16(cx, kind)?;
    cx.depth += 1;
    c.u16(cx, &LENGTH)?;
    match kinds.iter().find(|(number, _)| *number == u64::from(found)) {
        Some((_, layout)) => walk(cx, &mut c, layout),
        None => Ok(()),
    }
}
