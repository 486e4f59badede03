//! Link state advertisements.

use super::opaque;
use super::{ADVERTISING, OPTION2, OPTION3, OPTIONS2, OPTIONS3, REQ_ID, RESERVED};
use crate::context::Context;
use crate::cursor::{Cursor, Read, Short};
use crate::field::{FieldDef, Names, protocol};
use crate::table::{Step::*, walk};

static KINDS: Names = &[
    (1, "Router-LSA"),
    (2, "Network-LSA"),
    (3, "Summary-LSA (IP network)"),
    (4, "Summary-LSA (ASBR)"),
    (5, "AS-External-LSA (ASBR)"),
    (7, "NSSA AS-External-LSA"),
    (9, "Opaque LSA, Link-local scope"),
    (10, "Opaque LSA, Area-local scope"),
    (11, "Opaque LSA, AS-local scope"),
];
static KINDS3: Names = &[
    (0x0008, "Link-LSA"),
    (0x2001, "Router-LSA"),
    (0x2002, "Network-LSA"),
    (0x2003, "Inter-Area-Prefix-LSA"),
    (0x2004, "Inter-Area-Router-LSA"),
    (0x2009, "Intra-Area-Prefix-LSA"),
    (0x4005, "AS-External-LSA"),
];
static LINKS: Names = &[(1, "PTP"), (2, "Transit"), (3, "Stub"), (4, "Virtual")];

protocol! { LSA "ospf" "OSPF" "Open Shortest Path First";
    AGE: u16 "ospf.lsa.age" "LS Age (seconds)", mask(0x7FFF);
    DO_NOT_AGE: u16 "ospf.lsa.donotage" "Do Not Age Flag", mask(0x8000);
    DO_NOT_AGE3: bool "ospf.v3.lsa.do_not_age" "Do Not Age", mask(0x8000);
    KIND: u8 "ospf.lsa" "LS Type", names(KINDS);
    IS_ROUTER: bool "ospf.lsa.router" "Router LSA";
    IS_NETWORK: bool "ospf.lsa.network" "Network LSA";
    IS_SUMMARY: bool "ospf.lsa.summary" "Summary LSA (IP Network)";
    IS_ASBR: bool "ospf.lsa.asbr" "Summary LSA (ASBR)";
    IS_EXTERNAL: bool "ospf.lsa.asext" "AS-External LSA (ASBR)";
    IS_NSSA: bool "ospf.lsa.nssa" "NSSA AS-External LSA";
    IS_OPAQUE: bool "ospf.lsa.opaque" "Opaque LSA";
    ID: ipv4 "ospf.lsa.id" "Link State ID";
    OPAQUE_TYPE: u8 "ospf.lsid_opaque_type" "Link State ID Opaque Type";
    OPAQUE_ID: u24 "ospf.lsid.opaque_id" "Link State ID Opaque ID";
    TE_RESERVED: u8 "ospf.lsid_te_lsa.reserved" "Link State ID TE-LSA Reserved";
    TE_INSTANCE: u16 "ospf.lsid_te_lsa.instance" "Link State ID TE-LSA Instance";
    DESTINATION: ipv4 "ospf.v3.lsa.destination_router_id" "Destination Router ID";
    SEQ: u32 "ospf.lsa.seqnum" "Sequence Number", hex;
    CHECKSUM: u16 "ospf.lsa.chksum" "Checksum", hex;
    LENGTH: u16 "ospf.lsa.length" "Length";
    ROUTER_FLAGS: u8 "ospf.v2.router.lsa.flags" "Flags", hex;
    ROUTER_H: bool "ospf.v2.router.lsa.flags.h" "(H) flag", mask(0x80);
    ROUTER_N: bool "ospf.v2.router.lsa.flags.n" "(N) flag", mask(0x10);
    ROUTER_W: bool "ospf.v2.router.lsa.flags.w" "(W) Wild-card multicast receiver", mask(0x08);
    ROUTER_V: bool "ospf.v2.router.lsa.flags.v" "(V) Virtual link endpoint", mask(0x04);
    ROUTER_E: bool "ospf.v2.router.lsa.flags.e" "(E) AS boundary router", mask(0x02);
    ROUTER_B: bool "ospf.v2.router.lsa.flags.b" "(B) Area border router", mask(0x01);
    LINK_COUNT: u16 "ospf.lsa.number_of_links" "Number of Links";
    LINK_ID: ipv4 "ospf.lsa.router.linkid" "Link ID";
    LINK_DATA: ipv4 "ospf.lsa.router.linkdata" "Link Data";
    LINK_TYPE: u8 "ospf.lsa.router.linktype" "Link Type", names(LINKS);
    LINK_METRICS: u8 "ospf.lsa.router.nummetrics" "Number of Metrics";
    LINK_METRIC: u16 "ospf.lsa.router.metric0" "0 Metric";
    NETWORK_MASK: ipv4 "ospf.lsa.network.netmask" "Netmask";
    NETWORK_ROUTER: ipv4 "ospf.lsa.network.attchrtr" "Attached Router";
    SUMMARY_MASK: ipv4 "ospf.lsa.asbr.netmask" "Netmask";
    TOS: u8 "ospf.lsa.tos" "TOS";
    EXTERNAL_MASK: ipv4 "ospf.lsa.asext.netmask" "Netmask";
    EXTERNAL_TYPE: bool "ospf.lsa.asext.type" "External Type", mask(0x80);
    EXTERNAL_TOS: u8 "ospf.lsa.tos" "TOS", mask(0x7F);
    METRIC: u24 "ospf.metric" "Metric";
    FORWARDING: ipv4 "ospf.lsa.asext.fwdaddr" "Forwarding Address";
    ROUTE_TAG: u32 "ospf.lsa.asext.extrttag" "External Route Tag";
    KIND3: u16 "ospf.v3.lsa" "LS Type", hex, names(KINDS3);
    KIND3_U: bool "ospf.v3.lsa.u" "U", mask(0x8000);
    KIND3_S: u16 "ospf.v3.lsa.s12" "S1/S2", hex, mask(0x6000);
    KIND3_CODE: u16 "ospf.v3.lsa.fc" "Function Code", mask(0x1FFF);
    IS3_ROUTER: bool "ospf.v3.lsa.router" "Router-LSA";
    IS3_NETWORK: bool "ospf.v3.lsa.network" "Network-LSA";
    IS3_PREFIX: bool "ospf.v3.lsa.interprefix" "Inter-Area-Prefix-LSA";
    IS3_INTERROUTER: bool "ospf.v3.lsa.interrouter" "Inter-Area-Router-LSA";
    IS3_EXTERNAL: bool "ospf.v3.lsa.asext" "AS-External-LSA";
    IS3_LINK: bool "ospf.v3.lsa.link" "Link-LSA";
    IS3_INTRA: bool "ospf.v3.lsa.intraprefix" "Intra-Area-Prefix-LSA";
    FLAGS3: u8 "ospf.v3.router.lsa.flags" "Flags", hex;
    FLAGS3_W: bool "ospf.v3.router.lsa.flags.w" "(W) Wild-card multicast receiver", mask(0x08);
    FLAGS3_V: bool "ospf.v3.router.lsa.flags.v" "(V) Virtual link endpoint", mask(0x04);
    FLAGS3_E: bool "ospf.v3.router.lsa.flags.e" "(E) AS boundary router", mask(0x02);
    FLAGS3_B: bool "ospf.v3.router.lsa.flags.b" "(B) Area border router", mask(0x01);
    ROUTER_PRIORITY: u8 "ospf.v3.lsa.router_priority" "Router Priority";
    LINK_LOCAL: ipv6 "ospf.v3.lsa.link_local_interface_address.ipv6" "Link-local Interface Address";
    EXTERNAL_FLAGS: u8 "ospf.v3.as.external.flags" "Flags", hex;
    EXTERNAL_E: bool "ospf.v3.as.external.flags.e" "(E) bit", mask(0x04);
    EXTERNAL_F: bool "ospf.v3.as.external.flags.f" "(F) bit", mask(0x02);
    EXTERNAL_T: bool "ospf.v3.as.external.flags.t" "(T) bit", mask(0x01);
    PREFIX_LENGTH: u8 "ospf.prefix_length" "PrefixLength";
    PREFIX_OPTIONS: u8 "ospf.v3.prefix.options" "PrefixOptions", hex;
    PREFIX_P: bool "ospf.v3.prefix.options.p" "P", mask(0x08);
    PREFIX_MC: bool "ospf.v3.prefix.options.mc" "MC", mask(0x04);
    PREFIX_LA: bool "ospf.v3.prefix.options.la" "LA", mask(0x02);
    PREFIX_NU: bool "ospf.v3.prefix.options.nu" "NU", mask(0x01);
    REFERENCED: u16 "ospf.v3.lsa.referenced_ls_type" "Referenced LS Type", hex;
    PREFIX: ipv6 "ospf.v3.address_prefix.ipv6" "Address Prefix";
    LINK3_TYPE: u8 "ospf.v3.lsa.type" "Type", names(LINKS);
    LINK3_INTERFACE: u32 "ospf.v3.lsa.interface_id" "Interface ID";
    LINK3_NEIGHBOR_INTERFACE: u32 "ospf.v3.lsa.neighbor_interface_id" "Neighbor Interface ID";
    LINK3_NEIGHBOR: ipv4 "ospf.v3.lsa.neighbor_router_id" "Neighbor Router ID";
    REFERENCED_ID: ipv4 "ospf.v3.lsa.referenced_link_state_id" "Referenced Link State ID";
    REFERENCED_ROUTER: ipv4 "ospf.v3.lsa.referenced_advertising_router" "Referenced Advertising Router";
    PREFIX_COUNT: u16 "ospf.v3.lsa.num_prefixes" "# prefixes";
}

static PREFIX_PARTS: [&FieldDef; 4] = [&PREFIX_P, &PREFIX_MC, &PREFIX_LA, &PREFIX_NU];

/// Headers until the packet ends.
pub(super) fn headers(cx: &mut Context<'_>, c: &mut Cursor<'_>, is_3: bool) -> Read {
    while c.left() >= 20 {
        header(cx, c, is_3)?;
    }
    Ok(())
}

/// The type of an advertisement, and how long it is.
fn header(cx: &mut Context<'_>, c: &mut Cursor<'_>, is_3: bool) -> Read<(u16, usize)> {
    let age: &[_] = if is_3 { &[&AGE, &DO_NOT_AGE3] } else { &[&AGE, &DO_NOT_AGE] };
    c.parts(cx, 2, age)?;
    let kind;
    if is_3 {
        kind = kind_3(cx, c, true)?;
        walk(cx, c, &[Is(&REQ_ID)])?;
    } else {
        walk(cx, c, &[Bits(&OPTIONS2, 1, &OPTION2)])?;
        kind = u16::from(c.u8(cx, &KIND)?);
        let is = match kind {
            1 => Some(&IS_ROUTER),
            2 => Some(&IS_NETWORK),
            3 => Some(&IS_SUMMARY),
            4 => Some(&IS_ASBR),
            5 => Some(&IS_EXTERNAL),
            7 => Some(&IS_NSSA),
            9..=11 => Some(&IS_OPAQUE),
            _ => None,
        };
        if let Some(def) = is {
            cx.hide(def, c.data, c.pos - 1, 1, 1);
        }
        if matches!(kind, 9..=11) { opaque_id(cx, c)? } else { walk(cx, c, &[Is(&ID)])? }
    }
    walk(cx, c, &[Is(&ADVERTISING), Is(&SEQ), Is(&CHECKSUM)])?;
    let len = usize::from(c.u16(cx, &LENGTH)?);
    Ok((kind, len))
}

/// An opaque advertisement has its kind where others have an address (RFC 5250 3; RFC 3630 2.2).
fn opaque_id(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    const TRAFFIC_ENGINEERING: u8 = 1;
    match c.u8(cx, &OPAQUE_TYPE)? {
        TRAFFIC_ENGINEERING => walk(cx, c, &[Is(&TE_RESERVED), Is(&TE_INSTANCE)]),
        _ => walk(cx, c, &[Is(&OPAQUE_ID)]),
    }
}

/// The type, and the field for filters that says so where it `is_told`.
pub(super) fn kind_3(cx: &mut Context<'_>, c: &mut Cursor<'_>, is_told: bool) -> Read<u16> {
    let kind = c.bits(cx, &KIND3, 2, &[&KIND3_U, &KIND3_S, &KIND3_CODE])? as u16;
    let is = match kind {
        0x0008 => Some(&IS3_LINK),
        0x2001 => Some(&IS3_ROUTER),
        0x2002 => Some(&IS3_NETWORK),
        0x2003 => Some(&IS3_PREFIX),
        0x2004 => Some(&IS3_INTERROUTER),
        0x2009 => Some(&IS3_INTRA),
        0x4005 => Some(&IS3_EXTERNAL),
        _ => None,
    };
    if let Some(def) = is.filter(|_| is_told) {
        cx.hide(def, c.data, c.pos - 2, 2, 1);
    }
    Ok(kind)
}

/// An advertisement with what it says.
pub(super) fn whole(cx: &mut Context<'_>, c: &mut Cursor<'_>, is_3: bool) -> Read {
    let opaque = c.rest().u8(4);
    let (kind, len) = header(cx, c, is_3)?;
    let body = c.take(len.checked_sub(20).ok_or(Short)?)?;
    let c = &mut body.cursor();
    match (is_3, kind) {
        (true, _) => body_3(cx, c, kind),
        (false, 9..=11) => opaque::body(cx, c, opaque?),
        (false, _) => body_2(cx, c, kind),
    }
}

fn body_2(cx: &mut Context<'_>, c: &mut Cursor<'_>, kind: u16) -> Read {
    match kind {
        1 => {
            let parts: &[_] = &[&ROUTER_H, &ROUTER_N, &ROUTER_W, &ROUTER_V, &ROUTER_E, &ROUTER_B];
            walk(cx, c, &[Bits(&ROUTER_FLAGS, 1, parts), Skip(1)])?;
            let links = c.u16(cx, &LINK_COUNT)?;
            for _ in 0..links {
                walk(cx, c, &[Is(&LINK_ID), Is(&LINK_DATA), Is(&LINK_TYPE)])?;
                let metrics = usize::from(c.u8(cx, &LINK_METRICS)?);
                walk(cx, c, &[Is(&LINK_METRIC), Skip(4 * metrics)])?;
            }
            Ok(())
        }
        2 => walk(cx, c, &[Is(&NETWORK_MASK), Each(&[Is(&NETWORK_ROUTER)])]),
        3 | 4 => walk(cx, c, &[Is(&SUMMARY_MASK), Each(&[Is(&TOS), Is(&METRIC)])]),
        5 | 7 => {
            walk(cx, c, &[Is(&EXTERNAL_MASK)])?;
            let parts: &[_] = &[&EXTERNAL_TYPE, &EXTERNAL_TOS];
            walk(cx, c, &[Each(&[Parts(1, parts), Is(&METRIC), Is(&FORWARDING), Is(&ROUTE_TAG)])])
        }
        _ => Ok(()),
    }
}

fn body_3(cx: &mut Context<'_>, c: &mut Cursor<'_>, kind: u16) -> Read {
    match kind {
        0x2001 => {
            let parts: &[_] = &[&FLAGS3_W, &FLAGS3_V, &FLAGS3_E, &FLAGS3_B];
            walk(cx, c, &[Bits(&FLAGS3, 1, parts), Bits(&OPTIONS3, 3, &OPTION3)])?;
            let link = &[
                Is(&LINK3_TYPE),
                Bytes(&RESERVED, 1),
                Wide(&METRIC, 2),
                Is(&LINK3_INTERFACE),
                Is(&LINK3_NEIGHBOR_INTERFACE),
                Is(&LINK3_NEIGHBOR),
            ];
            walk(cx, c, &[Each(link)])
        }
        0x2002 => walk(cx, c, &[Bytes(&RESERVED, 1), Bits(&OPTIONS3, 3, &OPTION3)]),
        0x2003 => {
            walk(cx, c, &[Bytes(&RESERVED, 1), Is(&METRIC)])?;
            prefix(cx, c, None)
        }
        0x2004 => {
            walk(cx, c, &[Bytes(&RESERVED, 1), Bits(&OPTIONS3, 3, &OPTION3)])?;
            walk(cx, c, &[Bytes(&RESERVED, 1), Is(&METRIC), Is(&DESTINATION)])
        }
        0x4005 => {
            let parts: &[_] = &[&EXTERNAL_E, &EXTERNAL_F, &EXTERNAL_T];
            walk(cx, c, &[Bits(&EXTERNAL_FLAGS, 1, parts), Is(&METRIC)])?;
            prefix(cx, c, Some(&REFERENCED))
        }
        0x0008 => {
            walk(cx, c, &[Is(&ROUTER_PRIORITY), Bits(&OPTIONS3, 3, &OPTION3), Is(&LINK_LOCAL)])?;
            let count = c.uint(cx, &PREFIX_COUNT, 4)?;
            (0..count).try_for_each(|_| prefix(cx, c, None))
        }
        0x2009 => {
            let count = c.u16(cx, &PREFIX_COUNT)?;
            walk(cx, c, &[Is(&REFERENCED), Is(&REFERENCED_ID), Is(&REFERENCED_ROUTER)])?;
            (0..count).try_for_each(|_| prefix(cx, c, Some(&METRIC)))
        }
        _ => Ok(()),
    }
}

/// A prefix: its length, options, a number that depends on the place, as many words as the length needs.
fn prefix(cx: &mut Context<'_>, c: &mut Cursor<'_>, number: Option<&'static FieldDef>) -> Read {
    let bits = usize::from(c.u8(cx, &PREFIX_LENGTH)?);
    walk(cx, c, &[Bits(&PREFIX_OPTIONS, 1, &PREFIX_PARTS)])?;
    match number {
        Some(def) => walk(cx, c, &[Wide(def, 2)])?,
        None => walk(cx, c, &[Bytes(&RESERVED, 2)])?,
    }
    let data = c.take(bits.div_ceil(32) * 4)?;
    let mut octets = [0; 16];
    let len = data.len().min(16);
    octets[..len].copy_from_slice(&data.bytes[..len]);
    cx.add_words(&PREFIX, data, &octets);
    Ok(())
}
