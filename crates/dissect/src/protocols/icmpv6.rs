//! ICMPv6 (RFC 4443), neighbour discovery (RFC 4861, 8106), multicast listeners (RFC 2710, 9777).

use super::names::{self, CHECKSUM_STATUS};
use super::{data, icmp, ip, ipv6};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{Names, protocol};
use crate::table::{Step::*, walk};

static TYPES: Names = &[
    (1, "Destination Unreachable"),
    (2, "Packet Too Big"),
    (3, "Time Exceeded"),
    (4, "Parameter Problem"),
    (128, "Echo (ping) request"),
    (129, "Echo (ping) reply"),
    (130, "Multicast Listener Query"),
    (131, "Multicast Listener Report"),
    (132, "Multicast Listener Done"),
    (133, "Router Solicitation"),
    (134, "Router Advertisement"),
    (135, "Neighbor Solicitation"),
    (136, "Neighbor Advertisement"),
    (137, "Redirect"),
    (139, "Node Information Query"),
    (140, "Node Information Reply"),
    (143, "Multicast Listener Report Message v2"),
    (160, "Extended Echo request"),
    (161, "Extended Echo reply"),
];

static OPTIONS: Names = &[
    (1, "Source link-layer address"),
    (2, "Target link-layer address"),
    (3, "Prefix information"),
    (4, "Redirected header"),
    (5, "MTU"),
    (7, "Advertisement Interval"),
    (8, "Home Agent Information"),
    (14, "Nonce"),
    (24, "Route Information"),
    (25, "Recursive DNS Server"),
    (31, "DNS Search List Option"),
];

static NODE_QUESTIONS: Names = &[(0, "NOOP"), (2, "Node Name"), (3, "Node Addresses"), (4, "IPv4 Addresses")];

protocol! { ICMPV6 "icmpv6" "ICMPv6" "Internet Control Message Protocol v6";
    TYPE: u8 "icmpv6.type" "Type", names(TYPES);
    CODE: u8 "icmpv6.code" "Code";
    CHECKSUM: u16 "icmpv6.checksum" "Checksum", hex;
    STATUS: u8 "icmpv6.checksum.status" "Checksum Status", names(CHECKSUM_STATUS);
    RESERVED: bytes "icmpv6.reserved" "Reserved";
    OPT_RESERVED: none "icmpv6.opt.reserved" "Reserved";
    IDENT: u16 "icmpv6.echo.identifier" "Identifier", hex;
    SEQ: u16 "icmpv6.echo.sequence_number" "Sequence";
    RESP_TO: frame "icmpv6.resp_to" "Response To";
    RESPTIME: float "icmpv6.resptime" "Response Time";
    MTU: u32 "icmpv6.mtu" "MTU";
    POINTER: u32 "icmpv6.pointer" "Pointer";
    RA_HOP_LIMIT: u8 "icmpv6.nd.ra.cur_hop_limit" "Cur hop limit";
    RA_FLAG: u8 "icmpv6.nd.ra.flag" "Flags", hex;
    RA_FLAG_M: bool "icmpv6.nd.ra.flag.m" "Managed address configuration", mask(0x80);
    RA_FLAG_O: bool "icmpv6.nd.ra.flag.o" "Other configuration", mask(0x40);
    RA_FLAG_H: bool "icmpv6.nd.ra.flag.h" "Home Agent", mask(0x20);
    RA_FLAG_PRF: u8 "icmpv6.nd.ra.flag.prf" "Prf (Default Router Preference)", mask(0x18);
    RA_FLAG_P: bool "icmpv6.nd.ra.flag.p" "ND Proxy", mask(0x04);
    RA_LIFETIME: u16 "icmpv6.nd.ra.router_lifetime" "Router lifetime (s)";
    RA_REACHABLE: u32 "icmpv6.nd.ra.reachable_time" "Reachable time (ms)";
    RA_RETRANS: u32 "icmpv6.nd.ra.retrans_timer" "Retrans timer (ms)";
    NS_TARGET: ipv6 "icmpv6.nd.ns.target_address" "Target Address";
    NA_FLAG: u32 "icmpv6.nd.na.flag" "Flags", hex;
    NA_FLAG_R: bool "icmpv6.nd.na.flag.r" "Router", mask(0x8000_0000);
    NA_FLAG_S: bool "icmpv6.nd.na.flag.s" "Solicited", mask(0x4000_0000);
    NA_FLAG_O: bool "icmpv6.nd.na.flag.o" "Override", mask(0x2000_0000);
    NA_TARGET: ipv6 "icmpv6.nd.na.target_address" "Target Address";
    RD_TARGET: ipv6 "icmpv6.nd.rd.target_address" "Target Address";
    RD_DESTINATION: ipv6 "icmpv6.rd.na.destination_address" "Destination Address";
    OPT: none "icmpv6.opt" "ICMPv6 Option";
    OPT_TYPE: u8 "icmpv6.opt.type" "Type", names(OPTIONS);
    OPT_LENGTH: u8 "icmpv6.opt.length" "Length";
    OPT_LLA: ether "icmpv6.opt.linkaddr" "Link-layer address";
    OPT_SEARCH_LIFETIME: u32 "icmpv6.opt.dnssl.lifetime" "Lifetime";
    OPT_SEARCH: text "icmpv6.opt.dnssl" "Domain Names";
    OPT_PADDING: none "icmpv6.opt.padding" "Padding";
    OPT_ROUTE_FLAG: u8 "icmpv6.opt.route_info.flag" "Flag", hex;
    OPT_ROUTE_PREFERENCE: u8 "icmpv6.opt.route_info.flag.route_preference" "Route Preference", mask(0x18);
    OPT_ROUTE_RESERVED: u8 "icmpv6.opt.route_info.flag.reserved" "Reserved", mask(0xE7);
    OPT_ROUTE_LIFETIME: u32 "icmpv6.opt.route_lifetime" "Route Lifetime";
    OPT_PREFIX_LEN: u8 "icmpv6.opt.prefix.length" "Prefix Length";
    OPT_PREFIX_FLAG: u8 "icmpv6.opt.prefix.flag" "Flag", hex;
    OPT_PREFIX_L: bool "icmpv6.opt.prefix.flag.l" "On-link flag(L)", mask(0x80);
    OPT_PREFIX_A: bool "icmpv6.opt.prefix.flag.a" "Autonomous address-configuration flag(A)", mask(0x40);
    OPT_PREFIX_R: bool "icmpv6.opt.prefix.flag.r" "Router address flag(R)", mask(0x20);
    OPT_VALID: u32 "icmpv6.opt.prefix.valid_lifetime" "Valid Lifetime";
    OPT_PREFERRED: u32 "icmpv6.opt.prefix.preferred_lifetime" "Preferred Lifetime";
    OPT_PREFIX: ipv6 "icmpv6.opt.prefix" "Prefix";
    OPT_MTU: u32 "icmpv6.opt.mtu" "MTU";
    OPT_RDNSS_LIFETIME: u32 "icmpv6.opt.rdnss.lifetime" "Lifetime";
    OPT_RDNSS: ipv6 "icmpv6.opt.rdnss" "Recursive DNS Servers";
    OPT_INTERVAL: u32 "icmpv6.opt.advertisement_interval" "Advertisement Interval";
    OPT_HOME_PREFERENCE: u16 "icmpv6.opt.home_agent_preference" "Home Agent Preference";
    OPT_HOME_LIFETIME: u16 "icmpv6.opt.home_agent_lifetime" "Home Agent Lifetime";
    OPT_NONCE: bytes "icmpv6.opt.nonce" "Nonce";
    OPT_REDIRECTED: none "icmpv6.opt.redirected_packet" "Redirected Packet";
    MLD_DELAY: u16 "icmpv6.mld.maximum_response_delay" "Maximum Response Delay [ms]";
    MLD_CODE: u16 "icmpv6.mld.maximum_response_code" "Maximum Response Code";
    MLD_GROUP: ipv6 "icmpv6.mld.multicast_address" "Multicast Address";
    MLD_FLAG: u8 "icmpv6.mld.flag" "Flags", hex;
    MLD_FLAG_S: bool "icmpv6.mld.flag.s" "Suppress Router-Side Processing", mask(0x08);
    MLD_QRV: u8 "icmpv6.mld.flag.qrv" "QRV (Querier's Robustness Variable)", mask(0x07);
    MLD_QQI: u8 "icmpv6.mld.qqi" "QQIC (Querier's Query Interval Code)";
    MLD_SOURCES: u16 "icmpv6.mld.nb_sources" "Number of Sources";
    MLD_SOURCE: ipv6 "icmpv6.mld.source_address" "Source Address";
    MLDR_RECORDS: u16 "icmpv6.mldr.nb_mcast_records" "Number of Multicast Address Records";
    MAR: none "icmpv6.mldr.mar" "Multicast Address Record";
    MAR_TYPE: u8 "icmpv6.mldr.mar.record_type" "Record Type";
    MAR_AUX: u8 "icmpv6.mldr.mar.aux_data_len" "Aux Data Len";
    MAR_SOURCES: u16 "icmpv6.mldr.mar.nb_sources" "Number of Sources";
    MAR_GROUP: ipv6 "icmpv6.mldr.mar.multicast_address" "Multicast Address";
    MAR_SOURCE: ipv6 "icmpv6.mldr.mar.source_address" "Source Address";
    MAR_DATA: bytes "icmpv6.mldr.mar.auxiliary_data" "Auxiliary Data";
    NI_QTYPE: u16 "icmpv6.ni.qtype" "Qtype", names(NODE_QUESTIONS);
    NI_FLAG: u16 "icmpv6.ni.flag" "Flags", hex;
    NI_FLAG_G: bool "icmpv6.ni.flag.g" "Global-scope addresses", mask(0x0020);
    NI_FLAG_S: bool "icmpv6.ni.flag.s" "Site-local addresses", mask(0x0010);
    NI_FLAG_L: bool "icmpv6.ni.flag.l" "Link-local addresses", mask(0x0008);
    NI_FLAG_C: bool "icmpv6.ni.flag.c" "Compression", mask(0x0004);
    NI_FLAG_A: bool "icmpv6.ni.flag.a" "Unicast Addresses", mask(0x0002);
    NI_FLAG_T: bool "icmpv6.ni.flag.t" "Truncated", mask(0x0001);
    NI_NONCE: u64 "icmpv6.ni.nonce" "Nonce", hex;
    NI_SUBJECT_6: ipv6 "icmpv6.ni.query.subject_ipv6" "IPv6 subject address";
    NI_SUBJECT_4: ipv4 "icmpv6.ni.query.subject_ipv4" "IPv4 subject address";
    NI_TTL: u32 "icmpv6.ni.reply.node_ttl" "TTL";
    NI_ADDRESS_6: ipv6 "icmpv6.ni.reply.node_address" "IPv6 Node address";
    NI_ADDRESS_4: ipv4 "icmpv6.ni.reply.ipv4_address" "IPv4 Node address";
    EXT_SEQ: u8 "icmpv6.ext.echo.seq" "Sequence number";
    EXT_RESERVED: u8 "icmpv6.ext.echo.req.res" "Reserved", hex, mask(0xFE);
    EXT_LOCAL: bool "icmpv6.ext.echo.req.local" "Local bit", mask(0x01);
    EXT_STATE: u8 "icmpv6.ext.echo.rsp.state" "State", mask(0xE0);
    EXT_ANSWER_RESERVED: u8 "icmpv6.ext.echo.rsp.res" "Reserved", hex, mask(0x18);
    EXT_ACTIVE: bool "icmpv6.ext.echo.rsp.active" "Active bit", mask(0x04);
    EXT_IPV4: bool "icmpv6.ext.echo.rsp.ipv4" "IPv4 bit", mask(0x02);
    EXT_IPV6: bool "icmpv6.ext.echo.rsp.ipv6" "IPv6 bit", mask(0x01);
    CHECKSUM_BAD: none "icmpv6.checksum_bad.expert" "Bad checksum";
}

pub(crate) fn dissect(cx: &mut Context<'_>, message: Data<'_>) {
    cx.layer(&ICMPV6, message, body);
}

fn body(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let kind = c.u8(cx, &TYPE)?;
    c.u8(cx, &CODE)?;
    c.u16(cx, &CHECKSUM)?;
    let status = if cx.is_cut || cx.is_quoted {
        names::UNVERIFIED
    } else if ip::transport_sum(cx, 58, c.data.bytes) == 0 {
        names::GOOD
    } else {
        names::BAD
    };
    cx.conclude(&STATUS, status);
    if status == names::BAD {
        cx.expert(&CHECKSUM_BAD);
    }
    match kind {
        1 | 3 => {
            c.bytes(cx, &RESERVED, 4)?;
            icmp::quoted(cx, c.rest(), ipv6::dissect);
        }
        2 => {
            c.u32(cx, &MTU)?;
            icmp::quoted(cx, c.rest(), ipv6::dissect);
        }
        4 => {
            c.u32(cx, &POINTER)?;
            icmp::quoted(cx, c.rest(), ipv6::dissect);
        }
        128 | 129 => echo(cx, c, kind == 128)?,
        130 => query(cx, c)?,
        131 | 132 => {
            c.u16(cx, &MLD_DELAY)?;
            c.bytes(cx, &RESERVED, 2)?;
            c.ipv6(cx, &MLD_GROUP)?;
        }
        133..=137 => discovery(cx, c, kind)?,
        143 => report(cx, c)?,
        139 | 140 => node_information(cx, c, kind == 140)?,
        160 | 161 => extended(cx, c, kind == 160)?,
        _ => data::show(cx, c.rest()),
    }
    Ok(())
}

fn echo(cx: &mut Context<'_>, c: &mut Cursor<'_>, request: bool) -> Read {
    let ident = c.u16(cx, &IDENT)?;
    let seq = c.u16(cx, &SEQ)?;
    if !cx.is_quoted {
        // The answer's type is one more, so its checksum one less.
        let sum = c.data.u16(2)?;
        let key = if request {
            (cx.src, cx.dst, ident, seq, icmp::answered_sum(sum, !0x0100))
        } else {
            (cx.dst, cx.src, ident, seq, icmp::plain_sum(sum))
        };
        let (number, time) = (cx.number, cx.time);
        if request {
            cx.state.echoes.insert(key, (number, time));
        } else if let Some((frame, then)) = cx.state.echoes.remove(&key) {
            cx.conclude(&RESP_TO, frame);
            cx.conclude(&RESPTIME, (time.wrapping_sub(then) as i64 as f64 / 1e6).to_bits());
        }
    }
    data::show(cx, c.rest());
    Ok(())
}

/// What a node is asked about itself, and what it answers (RFC 4620). Names are passed over.
fn node_information(cx: &mut Context<'_>, c: &mut Cursor<'_>, is_reply: bool) -> Read {
    let what = c.u16(cx, &NI_QTYPE)?;
    let flags: &[_] = &[&NI_FLAG_G, &NI_FLAG_S, &NI_FLAG_L, &NI_FLAG_C, &NI_FLAG_A, &NI_FLAG_T];
    c.bits(cx, &NI_FLAG, 2, flags)?;
    c.uint(cx, &NI_NONCE, 8)?;
    match (is_reply, c.data.u8(1)?, what) {
        (false, 0, _) => walk(cx, c, &[Each(&[Is(&NI_SUBJECT_6)])]),
        (false, 2, _) => walk(cx, c, &[Each(&[Is(&NI_SUBJECT_4)])]),
        (true, 0, 3) => walk(cx, c, &[Each(&[Is(&NI_TTL), Is(&NI_ADDRESS_6)])]),
        (true, 0, 4) => walk(cx, c, &[Each(&[Is(&NI_TTL), Is(&NI_ADDRESS_4)])]),
        _ => c.skip(c.left()),
    }
}

/// What a node is asked about its interfaces, and what it answers (RFC 8335).
fn extended(cx: &mut Context<'_>, c: &mut Cursor<'_>, request: bool) -> Read {
    c.u16(cx, &IDENT)?;
    c.u8(cx, &EXT_SEQ)?;
    if request {
        c.parts(cx, 1, &[&EXT_RESERVED, &EXT_LOCAL])?;
        icmp::extension_layer(cx, c.rest());
        return Ok(());
    }
    c.parts(cx, 1, &[&EXT_STATE, &EXT_ANSWER_RESERVED, &EXT_ACTIVE, &EXT_IPV4, &EXT_IPV6])?;
    c.skip(c.left())
}

fn discovery(cx: &mut Context<'_>, c: &mut Cursor<'_>, kind: u8) -> Read {
    match kind {
        134 => {
            c.u8(cx, &RA_HOP_LIMIT)?;
            c.bits(cx, &RA_FLAG, 1, &[&RA_FLAG_M, &RA_FLAG_O, &RA_FLAG_H, &RA_FLAG_PRF, &RA_FLAG_P])?;
            c.u16(cx, &RA_LIFETIME)?;
            c.u32(cx, &RA_REACHABLE)?;
            c.u32(cx, &RA_RETRANS)?;
        }
        135 => {
            c.bytes(cx, &RESERVED, 4)?;
            c.ipv6(cx, &NS_TARGET)?;
        }
        136 => {
            c.bits(cx, &NA_FLAG, 4, &[&NA_FLAG_R, &NA_FLAG_S, &NA_FLAG_O])?;
            c.ipv6(cx, &NA_TARGET)?;
        }
        137 => {
            c.bytes(cx, &RESERVED, 4)?;
            c.ipv6(cx, &RD_TARGET)?;
            c.ipv6(cx, &RD_DESTINATION)?;
        }
        _ => {
            c.bytes(cx, &RESERVED, 4)?;
        }
    }
    while !c.is_done() {
        option(cx, c)?;
    }
    Ok(())
}

fn option(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let len = usize::from(c.data.u8(c.pos + 1)?) * 8;
    if len == 0 {
        return Err(Short);
    }
    let body = c.take_most(len);
    let short = body.len() < len;
    cx.within(&OPT, body, |cx| {
        let mut c = body.cursor();
        let kind = c.u8(cx, &OPT_TYPE)?;
        c.u8(cx, &OPT_LENGTH)?;
        match kind {
            1 | 2 if len == 8 => {
                c.ether(cx, &OPT_LLA)?;
            }
            3 => {
                c.u8(cx, &OPT_PREFIX_LEN)?;
                c.bits(cx, &OPT_PREFIX_FLAG, 1, &[&OPT_PREFIX_L, &OPT_PREFIX_A, &OPT_PREFIX_R])?;
                c.u32(cx, &OPT_VALID)?;
                c.u32(cx, &OPT_PREFERRED)?;
                c.bytes(cx, &OPT_RESERVED, 4)?;
                c.ipv6(cx, &OPT_PREFIX)?;
            }
            4 => {
                c.bytes(cx, &OPT_RESERVED, 6)?;
                let rest = c.rest();
                cx.add(&OPT_REDIRECTED, rest, 0, rest.len(), 0);
                icmp::quoted(cx, rest, ipv6::dissect);
            }
            5 => {
                c.bytes(cx, &OPT_RESERVED, 2)?;
                c.u32(cx, &OPT_MTU)?;
            }
            7 => walk(cx, &mut c, &[Bytes(&OPT_RESERVED, 2), Is(&OPT_INTERVAL)])?,
            8 => walk(
                cx,
                &mut c,
                &[Bytes(&OPT_RESERVED, 2), Is(&OPT_HOME_PREFERENCE), Is(&OPT_HOME_LIFETIME)],
            )?,
            14 => {
                c.all(cx, &OPT_NONCE);
            }
            24 => {
                c.u8(cx, &OPT_PREFIX_LEN)?;
                c.bits(cx, &OPT_ROUTE_FLAG, 1, &[&OPT_ROUTE_PREFERENCE, &OPT_ROUTE_RESERVED])?;
                c.u32(cx, &OPT_ROUTE_LIFETIME)?;
                let prefix = c.take(c.left().min(16))?;
                let mut octets = [0; 16];
                octets[..prefix.len()].copy_from_slice(prefix.bytes);
                cx.add_words(&OPT_PREFIX, prefix, &octets);
            }
            31 => {
                c.bytes(cx, &OPT_RESERVED, 2)?;
                c.u32(cx, &OPT_SEARCH_LIFETIME)?;
                // Names, and zeros behind the last (RFC 8106 5.2).
                while c.peek().is_ok_and(|len| len != 0) {
                    search_name(cx, &mut c)?;
                }
                c.all(cx, &OPT_PADDING);
            }
            25 => {
                c.bytes(cx, &OPT_RESERVED, 2)?;
                c.u32(cx, &OPT_RDNSS_LIFETIME)?;
                while c.left() >= 16 {
                    c.ipv6(cx, &OPT_RDNSS)?;
                }
            }
            _ => {}
        }
        if short { Err(Short) } else { Ok(()) }
    })
}

/// A label is not longer (RFC 1035 2.3.4).
const LABEL_MAX: usize = 63;

/// A name in labels, none of them a pointer.
fn search_name(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let begins = c.pos;
    let mut name = Vec::new();
    loop {
        let len = usize::from(c.peek()?);
        c.skip(1)?;
        if len == 0 {
            break;
        }
        if len > LABEL_MAX {
            return Err(Short);
        }
        if !name.is_empty() {
            name.push(b'.');
        }
        name.extend_from_slice(c.take(len)?.bytes);
    }
    let whole = c.data.from(begins).first(c.pos - begins);
    cx.add_words(&OPT_SEARCH, whole, &name);
    Ok(())
}

fn query(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let is_v2 = c.data.len() >= 28;
    c.u16(cx, if is_v2 { &MLD_CODE } else { &MLD_DELAY })?;
    c.bytes(cx, &RESERVED, 2)?;
    c.ipv6(cx, &MLD_GROUP)?;
    if is_v2 {
        c.bits(cx, &MLD_FLAG, 1, &[&MLD_FLAG_S, &MLD_QRV])?;
        c.u8(cx, &MLD_QQI)?;
        for _ in 0..c.u16(cx, &MLD_SOURCES)? {
            c.ipv6(cx, &MLD_SOURCE)?;
        }
    }
    Ok(())
}

fn report(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    c.bytes(cx, &RESERVED, 2)?;
    for _ in 0..c.u16(cx, &MLDR_RECORDS)? {
        let begins = c.pos;
        let open = cx.open(&MAR, c.data, begins, 0);
        c.u8(cx, &MAR_TYPE)?;
        let aux = c.u8(cx, &MAR_AUX)?;
        let sources = c.u16(cx, &MAR_SOURCES)?;
        c.ipv6(cx, &MAR_GROUP)?;
        for _ in 0..sources {
            c.ipv6(cx, &MAR_SOURCE)?;
        }
        if aux > 0 {
            c.bytes(cx, &MAR_DATA, usize::from(aux) * 4)?;
        }
        cx.close(open, c.pos - begins);
    }
    Ok(())
}
