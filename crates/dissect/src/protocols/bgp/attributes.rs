//! BGP's UPDATE: prefixes, and what is said of them.

use super::{AFI, SAFI, communities, flowspec};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{FieldDef, Names, protocol};
use crate::table::{Step::*, walk};

static ORIGINS: Names = &[(0, "IGP"), (1, "EGP"), (2, "INCOMPLETE")];
static CODES: Names = &[
    (1, "ORIGIN"),
    (2, "AS_PATH"),
    (3, "NEXT_HOP"),
    (4, "MULTI_EXIT_DISC"),
    (5, "LOCAL_PREF"),
    (6, "ATOMIC_AGGREGATE"),
    (7, "AGGREGATOR"),
    (8, "COMMUNITIES"),
    (9, "ORIGINATOR_ID"),
    (10, "CLUSTER_LIST"),
    (14, "MP_REACH_NLRI"),
    (15, "MP_UNREACH_NLRI"),
    (16, "EXTENDED_COMMUNITIES"),
    (17, "AS4_PATH"),
    (18, "AS4_AGGREGATOR"),
    (32, "LARGE_COMMUNITY"),
    (128, "ATTR_SET"),
];
pub(super) static RD_TYPES: Names = &[(0, "2-Octet AS"), (1, "IPv4"), (2, "4-Octet AS")];
static SEGMENTS: Names =
    &[(1, "AS_SET"), (2, "AS_SEQUENCE"), (3, "AS_CONFED_SEQUENCE"), (4, "AS_CONFED_SET")];

protocol! { ATTRIBUTES "bgp" "BGP" "Border Gateway Protocol";
    WITHDRAWN_LEN: u16 "bgp.update.withdrawn_routes.length" "Withdrawn Routes Length";
    WITHDRAWN: none "bgp.update.withdrawn_routes" "Withdrawn Routes";
    WITHDRAWN_PREFIX: ipv4 "bgp.withdrawn_prefix" "Withdrawn prefix";
    ATTRS_LEN: u16 "bgp.update.path_attributes.length" "Total Path Attribute Length";
    ATTRS: none "bgp.update.path_attributes" "Path attributes";
    ATTR: none "bgp.update.path_attribute" "Path Attribute";
    FLAGS: u8 "bgp.update.path_attribute.flags" "Flags", hex;
    FLAG_OPTIONAL: bool "bgp.update.path_attribute.flags.optional" "Optional", mask(0x80);
    FLAG_TRANSITIVE: bool "bgp.update.path_attribute.flags.transitive" "Transitive", mask(0x40);
    FLAG_PARTIAL: bool "bgp.update.path_attribute.flags.partial" "Partial", mask(0x20);
    FLAG_LONG: bool "bgp.update.path_attribute.flags.extended_length" "Extended-Length", mask(0x10);
    FLAG_UNUSED: u8 "bgp.update.path_attribute.flags.unused" "Unused", hex, mask(0x0F);
    CODE: u8 "bgp.update.path_attribute.type_code" "Type Code", names(CODES);
    LEN: u16 "bgp.update.path_attribute.length" "Length";
    ORIGIN: u8 "bgp.update.path_attribute.origin" "Origin", names(ORIGINS);
    SEGMENT: none "bgp.update.path_attribute.as_path_segment" "AS Path segment";
    SEGMENT_TYPE: u8 "bgp.update.path_attribute.as_path_segment.type" "Segment type", names(SEGMENTS);
    SEGMENT_LEN: u8 "bgp.update.path_attribute.as_path_segment.length" "Segment length (number of ASN)";
    AS2: u16 "bgp.update.path_attribute.as_path_segment.as2" "AS2";
    AS4: u32 "bgp.update.path_attribute.as_path_segment.as4" "AS4";
    NEXT_HOP: ipv4 "bgp.update.path_attribute.next_hop" "Next hop";
    MED: u32 "bgp.update.path_attribute.multi_exit_disc" "Multiple exit discriminator";
    LOCAL_PREF: u32 "bgp.update.path_attribute.local_pref" "Local preference";
    AGGREGATOR_AS: u32 "bgp.update.path_attribute.aggregator_as" "Aggregator AS";
    AGGREGATOR: ipv4 "bgp.update.path_attribute.aggregator_origin" "Aggregator origin";
    ORIGINATOR: ipv4 "bgp.update.path_attribute.originator_id" "Originator identifier";
    CLUSTER_LIST: none "bgp.path_attribute.cluster_list" "Cluster List";
    CLUSTER: ipv4 "bgp.path_attribute.cluster_id" "Cluster ID";
    REACH_AFI: u16 "bgp.update.path_attribute.mp_reach_nlri.afi" "Address family identifier (AFI)", names(AFI);
    REACH_SAFI: u8 "bgp.update.path_attribute.mp_reach_nlri.safi" "Subsequent address family identifier (SAFI)", names(SAFI);
    REACH_HOP: bytes "bgp.update.path_attribute.mp_reach_nlri.next_hop" "Next hop";
    REACH_HOP4: ipv4 "bgp.update.path_attribute.mp_reach_nlri.next_hop.ipv4" "IPv4 Address";
    REACH_HOP6: ipv6 "bgp.update.path_attribute.mp_reach_nlri.next_hop.ipv6" "IPv6 Address";
    REACH_LOCAL: ipv6 "bgp.update.path_attribute.mp_reach_nlri.next_hop.ipv6.link_local" "Link-local Address";
    REACH_SNPA: u8 "bgp.update.path_attribute.mp_reach_nlri.nbr_snpa" "Number of Subnetwork points of attachment (SNPA)";
    REACH: none "bgp.update.path_attribute.mp_reach_nlri" "Network Layer Reachability Information (NLRI)";
    REACH_PREFIX4: ipv4 "bgp.mp_reach_nlri_ipv4_prefix" "MP Reach NLRI IPv4 prefix";
    REACH_PREFIX6: ipv6 "bgp.mp_reach_nlri_ipv6_prefix" "MP Reach NLRI IPv6 prefix";
    UNREACH_AFI: u16 "bgp.update.path_attribute.mp_unreach_nlri.afi" "Address family identifier (AFI)", names(AFI);
    UNREACH_SAFI: u8 "bgp.update.path_attribute.mp_unreach_nlri.safi" "Subsequent address family identifier (SAFI)", names(SAFI);
    UNREACH: none "bgp.update.path_attribute.mp_unreach_nlri" "Withdrawn Routes";
    UNREACH_PREFIX4: ipv4 "bgp.mp_unreach_nlri_ipv4_prefix" "MP Unreach NLRI IPv4 prefix";
    UNREACH_PREFIX6: ipv6 "bgp.mp_unreach_nlri_ipv6_prefix" "MP Unreach NLRI IPv6 prefix";
    REACH_RD: text "bgp.update.path_attribute.mp_reach_nlri.next_hop.rd" "Route Distinguisher";
    LABELS: text "bgp.label_stack" "Label Stack";
    RD: text "bgp.rd" "Route Distinguisher";
    ORIGINATING_AS: u32 "bgp.originating_as" "Originating AS";
    COMMUNITY_PREFIX: text "bgp.community_prefix" "Community Prefix";
    AIGP: none "bgp.update.path_attribute.aigp" "AIGP Attribute";
    AIGP_TYPE: u8 "bgp.update.attribute.aigp.type" "AIGP attribute type";
    AIGP_LEN: u16 "bgp.update.attribute.aigp.length" "AIGP TLV length";
    AIGP_METRIC: u64 "bgp.update.attribute.aigp.accu_igp_metric" "AIGP Accumulated IGP Metric";
    SET_ORIGIN: u32 "bgp.update.path_attribute.attr_set.origin_as" "Origin AS";
    NLRI: none "bgp.update.nlri" "Network Layer Reachability Information (NLRI)";
    PATH_ID: u32 "bgp.nlri_path_id" "NLRI path id";
    PREFIX_LEN: u8 "bgp.prefix_length" "Prefix length";
    NLRI_PREFIX: ipv4 "bgp.nlri_prefix" "NLRI prefix";
}

pub(super) fn update(cx: &mut Context<'_>, c: &mut Cursor<'_>, four: bool) -> Read {
    let withdrawn = usize::from(c.u16(cx, &WITHDRAWN_LEN)?);
    let routes = c.take(withdrawn)?;
    if withdrawn > 0 {
        cx.within(&WITHDRAWN, routes, |cx| {
            prefixes(cx, &mut routes.cursor(), &WITHDRAWN_PREFIX, &UNREACH_PREFIX6, false)
        })?;
    }
    let len = usize::from(c.u16(cx, &ATTRS_LEN)?);
    let attributes = c.take_most(len);
    if len > 0 {
        cx.within(&ATTRS, attributes, |cx| list(cx, attributes, four, 0))?;
    }
    if attributes.len() < len {
        return Err(Short);
    }
    if c.is_done() {
        return Ok(());
    }
    let rest = c.take_most(usize::MAX);
    cx.within(&NLRI, rest, |cx| prefixes(cx, &mut rest.cursor(), &NLRI_PREFIX, &REACH_PREFIX6, false))
}

/// Attributes until the bytes end; `depth`: 1 within a customer's set, which has none of its own.
fn list(cx: &mut Context<'_>, attributes: Data<'_>, four: bool, depth: u8) -> Read {
    let mut c = attributes.cursor();
    while !c.is_done() {
        let header = if c.peek()? & 0x10 == 0 { 3 } else { 4 };
        let long = if header == 4 { c.data.u16(c.pos + 2)? } else { u16::from(c.data.u8(c.pos + 2)?) };
        let whole = c.take(header + usize::from(long))?;
        cx.within(&ATTR, whole, |cx| attribute(cx, &mut whole.cursor(), four, depth))?;
    }
    Ok(())
}

fn attribute(cx: &mut Context<'_>, c: &mut Cursor<'_>, four: bool, depth: u8) -> Read {
    let parts: &[_] = &[&FLAG_OPTIONAL, &FLAG_TRANSITIVE, &FLAG_PARTIAL, &FLAG_LONG, &FLAG_UNUSED];
    let flags = c.bits(cx, &FLAGS, 1, parts)?;
    let code = c.u8(cx, &CODE)?;
    c.uint(cx, &LEN, if flags & 0x10 == 0 { 1 } else { 2 })?;
    match code {
        // One of the wrong length says nothing, and the others still count (RFC 7606).
        1 if c.left() != 1 => Ok(()),
        3 | 4 | 5 | 9 if c.left() != 4 => Ok(()),
        1 => walk(cx, c, &[Is(&ORIGIN)]),
        2 | 17 => path(cx, c, if code == 17 { 4 } else { as_size(c.rest().bytes, four) }),
        3 => walk(cx, c, &[Is(&NEXT_HOP)]),
        4 => walk(cx, c, &[Is(&MED)]),
        5 => walk(cx, c, &[Is(&LOCAL_PREF)]),
        7 | 18 => {
            let size = if c.left() == 8 { 4 } else { 2 };
            c.uint(cx, &AGGREGATOR_AS, size)?;
            walk(cx, c, &[Is(&AGGREGATOR)])
        }
        8 => communities::plain(cx, c),
        9 => walk(cx, c, &[Is(&ORIGINATOR)]),
        10 => {
            let rest = c.take_most(usize::MAX);
            cx.within(&CLUSTER_LIST, rest, |cx| walk(cx, &mut rest.cursor(), &[Each(&[Is(&CLUSTER)])]))
        }
        14 => reach(cx, c),
        15 => {
            let afi = c.u16(cx, &UNREACH_AFI)?;
            let safi = c.u8(cx, &UNREACH_SAFI)?;
            let rest = c.take_most(usize::MAX);
            cx.within(&UNREACH, rest, |cx| {
                routes(cx, &mut rest.cursor(), &UNREACH_PREFIX4, &UNREACH_PREFIX6, (afi, safi))
            })
        }
        16 => communities::extended(cx, c),
        26 => walk(cx, c, &[Under(&AIGP, &[Each(&[Is(&AIGP_TYPE), Is(&AIGP_LEN), Is(&AIGP_METRIC)])])]),
        32 => communities::large(cx, c),
        128 => {
            walk(cx, c, &[Is(&SET_ORIGIN)])?;
            let rest = c.take_most(usize::MAX);
            match depth {
                0 => cx.within(&ATTRS, rest, |cx| list(cx, rest, four, 1)),
                _ => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// How many bytes an AS number has: what fits all of the path counts for more than what the OPENs said, since a capture
/// may have missed them.
fn as_size(path: &[u8], four: bool) -> usize {
    let fits = |size: usize| {
        let mut rest = path;
        while let [kind, count, after @ ..] = rest {
            let Some(next) = after.get(usize::from(*count) * size..).filter(|_| (1..=4).contains(kind))
            else {
                return false;
            };
            rest = next;
        }
        rest.is_empty()
    };
    match (fits(2), fits(4)) {
        (true, false) => 2,
        (false, true) => 4,
        _ if four => 4,
        _ => 2,
    }
}

fn path(cx: &mut Context<'_>, c: &mut Cursor<'_>, size: usize) -> Read {
    let def = if size == 4 { &AS4 } else { &AS2 };
    while !c.is_done() {
        let count = usize::from(c.data.u8(c.pos + 1)?);
        let whole = c.take(2 + count * size)?;
        cx.within(&SEGMENT, whole, |cx| {
            let mut c = whole.cursor();
            c.u8(cx, &SEGMENT_TYPE)?;
            c.u8(cx, &SEGMENT_LEN)?;
            (0..count).try_for_each(|_| c.uint(cx, def, size).map(drop))
        })?;
    }
    Ok(())
}

fn reach(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let afi = c.u16(cx, &REACH_AFI)?;
    let safi = c.u8(cx, &REACH_SAFI)?;
    let len = usize::from(c.peek()?);
    let hop = c.take(len + 1)?;
    cx.within(&REACH_HOP, hop, |cx| {
        let mut c = hop.from(1).cursor();
        match len {
            4 => walk(cx, &mut c, &[Is(&REACH_HOP4)]),
            12 if safi == 128 => {
                distinguisher(cx, &mut c, &REACH_RD)?;
                walk(cx, &mut c, &[Is(&REACH_HOP4)])
            }
            24 if safi == 128 => {
                distinguisher(cx, &mut c, &REACH_RD)?;
                walk(cx, &mut c, &[Is(&REACH_HOP6)])
            }
            16 => walk(cx, &mut c, &[Is(&REACH_HOP6)]),
            32 => walk(cx, &mut c, &[Is(&REACH_HOP6), Is(&REACH_LOCAL)]),
            _ => Ok(()),
        }
    })?;
    c.u8(cx, &REACH_SNPA)?;
    let rest = c.take_most(usize::MAX);
    cx.within(&REACH, rest, |cx| routes(cx, &mut rest.cursor(), &REACH_PREFIX4, &REACH_PREFIX6, (afi, safi)))
}

/// Routes of an address family: plain, with labels (RFC 8277), of a VPN (RFC 4364), or route targets (RFC 4684).
fn routes(
    cx: &mut Context<'_>,
    c: &mut Cursor<'_>,
    v4: &'static FieldDef,
    v6: &'static FieldDef,
    family: (u16, u8),
) -> Read {
    match family {
        (1 | 2, 1 | 2) => prefixes(cx, c, v4, v6, family.0 == 2),
        (1 | 2, 4 | 128) => labelled(cx, c, if family.0 == 2 { v6 } else { v4 }, family.1 == 128),
        (1, 132) => targets(cx, c),
        (1 | 2, 133 | 134) => flowspec::specifications(cx, c, family.0 == 2, family.1 == 134),
        _ => Ok(()),
    }
}

/// Prefixes behind labels, and for VPNs behind who they belong to; the length in bits counts all of it.
fn labelled(cx: &mut Context<'_>, c: &mut Cursor<'_>, def: &'static FieldDef, is_vpn: bool) -> Read {
    const BOTTOM: u8 = 1;
    while !c.is_done() {
        let mut bits = usize::from(c.u8(cx, &PREFIX_LEN)?);
        let stack = c.rest();
        let mut words = String::new();
        loop {
            let label = c.take(3)?;
            bits = bits.checked_sub(24).ok_or(Short)?;
            let number = u32::from_be_bytes([0, label.bytes[0], label.bytes[1], label.bytes[2]]);
            if !words.is_empty() {
                words.push(',');
            }
            words += &(number >> 4).to_string();
            match (label.bytes[2] & BOTTOM, number) {
                (0, 0 | 0x80_0000) => {
                    words += " (withdrawn)";
                    break;
                }
                (0, _) if bits >= 24 && words.len() < 200 => {}
                (0, _) => break,
                _ => {
                    words += " (bottom)";
                    break;
                }
            }
        }
        let used = stack.len() - c.left();
        cx.add_words(&LABELS, stack.first(used), words.as_bytes());
        if is_vpn {
            bits = bits.checked_sub(64).ok_or(Short)?;
            distinguisher(cx, c, &RD)?;
        }
        short_prefix(cx, c, def, bits)?;
    }
    Ok(())
}

/// Whose route it is (RFC 4364 4.2).
fn distinguisher(cx: &mut Context<'_>, c: &mut Cursor<'_>, def: &'static FieldDef) -> Read {
    let whole = c.take(8)?;
    let (kind, word) = (whole.u16(0)?, whole.u32(2)?);
    let words = match kind {
        0 => format!("{}:{}", whole.u16(2)?, whole.u32(4)?),
        1 => format!("{}:{}", std::net::Ipv4Addr::from_bits(word), whole.u16(6)?),
        2 => format!("{word}:{}", whole.u16(6)?),
        _ => format!("Unknown (0x{kind:04x}) RD type"),
    };
    cx.add_words(def, whole, words.as_bytes());
    Ok(())
}

/// Which route targets somebody wants to hear of.
fn targets(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    while !c.is_done() {
        let bits = usize::from(c.u8(cx, &PREFIX_LEN)?);
        if bits == 0 {
            continue;
        }
        walk(cx, c, &[Is(&ORIGINATING_AS)])?;
        let rest = c.take(bits.div_ceil(8).saturating_sub(4).min(8))?;
        let mut octets = [0; 8];
        octets[..rest.len()].copy_from_slice(rest.bytes);
        let [_, _, a, b, d, e, f, g] = octets;
        let words = match octets[0] & 0x3F {
            0 => format!("{}:{}", u16::from_be_bytes([a, b]), u32::from_be_bytes([d, e, f, g])),
            1 => format!("{}.{}.{}.{}:{}", a, b, d, e, u16::from_be_bytes([f, g])),
            _ => format!("{}:{}", u32::from_be_bytes([a, b, d, e]), u16::from_be_bytes([f, g])),
        };
        cx.add_words(&COMMUNITY_PREFIX, rest, words.as_bytes());
    }
    Ok(())
}

/// Prefixes: a length in bits, and as many bytes as that needs.
fn prefixes(
    cx: &mut Context<'_>,
    c: &mut Cursor<'_>,
    v4: &'static FieldDef,
    v6: &'static FieldDef,
    is_6: bool,
) -> Read {
    let with_path = is_with_paths(c.rest().bytes, if is_6 { 128 } else { 32 });
    while !c.is_done() {
        if with_path {
            c.u32(cx, &PATH_ID)?;
        }
        let bits = usize::from(c.u8(cx, &PREFIX_LEN)?);
        short_prefix(cx, c, if is_6 { v6 } else { v4 }, bits)?;
    }
    Ok(())
}

/// Whether prefixes have the numbers of their paths before them (RFC 7911): then they can't be read without.
fn is_with_paths(bytes: &[u8], bits_max: usize) -> bool {
    let fits = |before: usize| {
        let mut rest = bytes;
        while !rest.is_empty() {
            let Some(bits) = rest.get(before).map(|bits| usize::from(*bits)) else { return false };
            let Some(after) = rest.get(before + 1 + bits.div_ceil(8)..) else { return false };
            if bits > bits_max {
                return false;
            }
            rest = after;
        }
        true
    };
    !fits(0) && fits(4)
}

/// An address of which only so many bits are there.
pub(super) fn short_prefix(
    cx: &mut Context<'_>,
    c: &mut Cursor<'_>,
    def: &'static FieldDef,
    bits: usize,
) -> Read {
    let is_6 = def.kind == crate::field::Kind::Ipv6;
    if bits > if is_6 { 128 } else { 32 } {
        return Err(Short);
    }
    let data = c.take(bits.div_ceil(8))?;
    let mut octets = [0; 16];
    octets[..data.len()].copy_from_slice(data.bytes);
    if is_6 {
        cx.add_words(def, data, &octets);
    } else {
        let word = u32::from_be_bytes([octets[0], octets[1], octets[2], octets[3]]);
        cx.add(def, data, 0, data.len(), u64::from(word));
    }
    Ok(())
}
