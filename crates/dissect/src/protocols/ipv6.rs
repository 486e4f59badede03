//! IPv6 (RFC 8200) and its extension headers, which Wireshark counts as layers of their own.

use super::data;
use super::ip::{FragmentFields, reassemble, upper};
use super::names::{DSCP, ECN, IP_PROTOCOLS};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{Names, protocol};
use crate::streams::fragments::Fragment;
use std::net::IpAddr;

protocol! { IPV6 "ipv6" "IPv6" "Internet Protocol Version 6";
    VERSION: u8 "ipv6.version" "Version", mask(0xF0);
    TCLASS: u32 "ipv6.tclass" "Traffic Class", hex, mask(0x0FF0_0000);
    TCLASS_DSCP: u32 "ipv6.tclass.dscp" "Differentiated Services Codepoint", mask(0x0FC0_0000), names(DSCP);
    TCLASS_ECN: u32 "ipv6.tclass.ecn" "Explicit Congestion Notification", mask(0x0030_0000), names(ECN);
    FLOW: u24 "ipv6.flow" "Flow Label", hex, mask(0x000F_FFFF);
    PLEN: u16 "ipv6.plen" "Payload Length";
    NXT: u8 "ipv6.nxt" "Next Header", names(IP_PROTOCOLS);
    HLIM: u8 "ipv6.hlim" "Hop Limit";
    SRC: ipv6 "ipv6.src" "Source Address";
    DST: ipv6 "ipv6.dst" "Destination Address";
    ADDR: ipv6 "ipv6.addr" "Source or Destination Address";
    BOGUS_VERSION: none "ipv6.bogus_ipv6_version" "Bogus IP version";
    PLEN_EXCEEDS: none "ipv6.plen_exceeds_framing" "IPv6 payload length does not match expected framing length";
    OPT: none "ipv6.opt" "IPv6 Option";
    OPT_TYPE: u8 "ipv6.opt.type" "Type", hex, names(OPTIONS);
    OPT_LENGTH: u8 "ipv6.opt.length" "Length";
    OPT_PAD1: none "ipv6.opt.pad1" "Pad1";
    OPT_PADN: bytes "ipv6.opt.padn" "PadN";
    OPT_ROUTER_ALERT: u16 "ipv6.opt.router_alert" "Router Alert";
    OPT_JUMBO: u32 "ipv6.opt.jumbo" "Payload Length";
    OPT_TEL: u8 "ipv6.opt.tel" "Tunnel Encapsulation Limit";
    OPT_HOME: ipv6 "ipv6.opt.mipv6.home_address" "MIPv6 Home Address";
    OPT_UNKNOWN: bytes "ipv6.opt.unknown" "Unknown Option Payload";
    FRAGMENTS: none "ipv6.fragments" "IPv6 Fragments";
    FRAGMENT: frame "ipv6.fragment" "IPv6 Fragment";
    FRAGMENT_COUNT: u32 "ipv6.fragment.count" "Fragment count";
    FRAGMENT_OVERLAP: bool "ipv6.fragment.overlap" "Fragment overlap";
    FRAGMENT_CONFLICT: bool "ipv6.fragment.overlap.conflict" "Conflicting data in fragment overlap";
    FRAGMENT_ERROR: frame "ipv6.fragment.error" "Defragmentation error";
    REASSEMBLED_LENGTH: u32 "ipv6.reassembled.length" "Reassembled IPv6 length";
}

static OPTIONS: Names = &[
    (0, "Pad1"),
    (1, "PadN"),
    (4, "Tunnel Encapsulation Limit"),
    (5, "Router Alert"),
    (0xC2, "Jumbo Payload"),
    (0xC9, "Home Address"),
];

protocol! { HOPOPTS "ipv6.hopopts" "IPv6 Hop-by-Hop" "IPv6 Hop-by-Hop Option";
    HOP_NXT: u8 "ipv6.hopopts.nxt" "Next Header", names(IP_PROTOCOLS);
    HOP_LEN: u8 "ipv6.hopopts.len" "Length";
    HOP_LEN_OCT: u16 "ipv6.hopopts.len_oct" "Length";
}

protocol! { DSTOPTS "ipv6.dstopts" "IPv6 Destination" "Destination Options for IPv6";
    DST_NXT: u8 "ipv6.dstopts.nxt" "Next Header", names(IP_PROTOCOLS);
    DST_LEN: u8 "ipv6.dstopts.len" "Length";
    DST_LEN_OCT: u16 "ipv6.dstopts.len_oct" "Length";
}

protocol! { ROUTING "ipv6.routing" "IPv6 Routing" "Routing Header for IPv6";
    ROUTING_NXT: u8 "ipv6.routing.nxt" "Next Header", names(IP_PROTOCOLS);
    ROUTING_LEN: u8 "ipv6.routing.len" "Length";
    ROUTING_LEN_OCT: u16 "ipv6.routing.len_oct" "Length";
    ROUTING_TYPE: u8 "ipv6.routing.type" "Type";
    ROUTING_SEGLEFT: u8 "ipv6.routing.segleft" "Segments Left";
    SRH_LAST_ENTRY: u8 "ipv6.routing.srh.last_entry" "Last Entry";
    SRH_FLAGS: u8 "ipv6.routing.srh.flags" "Flags", hex;
    SRH_TAG: bytes "ipv6.routing.srh.tag" "Tag";
    SRH_ADDR: ipv6 "ipv6.routing.srh.addr" "Address";
    SRC_RESERVED: bytes "ipv6.routing.src.reserved" "Reserved";
    SRC_ADDR: ipv6 "ipv6.routing.src.addr" "Address";
    HOME_RESERVED: bytes "ipv6.routing.mipv6.reserved" "Reserved";
    HOME_ADDRESS: ipv6 "ipv6.routing.mipv6.home_address" "Home Address";
    ROUTING_UNKNOWN: bytes "ipv6.routing.unknown_data" "Type-Specific Data";
}

protocol! { FRAGHDR "ipv6.fraghdr" "IPv6 Fragment" "Fragment Header for IPv6";
    FRAG_NXT: u8 "ipv6.fraghdr.nxt" "Next header", names(IP_PROTOCOLS);
    FRAG_RESERVED: u8 "ipv6.fraghdr.reserved_octet" "Reserved octet", hex;
    FRAG_OFFSET: u16 "ipv6.fraghdr.offset" "Offset", mask(0xFFF8);
    FRAG_RESERVED_BITS: u16 "ipv6.fraghdr.reserved_bits" "Reserved bits", mask(0x0006);
    FRAG_MORE: bool "ipv6.fraghdr.more" "More Fragments", mask(0x0001);
    FRAG_IDENT: u32 "ipv6.fraghdr.ident" "Identification", hex;
}

pub(crate) fn dissect(cx: &mut Context<'_>, packet: Data<'_>) {
    if let Some(first) = packet.bytes.first().filter(|first| **first >> 4 != 6) {
        // It is none: all of it is data.
        cx.layer_again(&IPV6, packet, |cx, _| {
            cx.add(&VERSION, packet, 0, 1, u64::from(first >> 4));
            cx.expert(&BOGUS_VERSION);
            Ok(())
        });
        return data::show(cx, packet);
    }
    cx.layer(&IPV6, packet, |cx, c| {
        let first = packet.u8(0)?;
        cx.add(&VERSION, packet, 0, 1, u64::from(first >> 4));
        cx.hide(&super::ip::VERSION, packet, 0, 1, u64::from(first >> 4));
        let word = u64::from(packet.u32(0)?);
        cx.add(&TCLASS, packet, 0, 4, word >> 20 & 0xFF);
        cx.depth += 1;
        cx.add(&TCLASS_DSCP, packet, 0, 4, word >> 22 & 0x3F);
        cx.add(&TCLASS_ECN, packet, 0, 4, word >> 20 & 3);
        cx.depth -= 1;
        cx.add(&FLOW, packet, 1, 3, word & 0xF_FFFF);
        c.pos = 4;
        let plen = usize::from(c.u16(cx, &PLEN)?);
        let next = c.u8(cx, &NXT)?;
        c.u8(cx, &HLIM)?;
        let src = c.ipv6(cx, &SRC)?;
        let dst = c.ipv6(cx, &DST)?;
        (cx.src, cx.dst) = (IpAddr::from(src), IpAddr::from(dst));
        // 0: a jumbogram, or the sender left the length to the network card.
        let payload = if plen == 0 { c.rest() } else { cx.claim(c.rest(), plen) };
        let whole = if plen == 0 { cx.missing == 0 } else { payload.len() == plen };
        if plen == 0 && next == 0 && !is_jumbo(payload) {
            // It says that nothing follows.
            follow(cx, next, payload.first(0), whole);
            return Ok(());
        }
        follow(cx, next, payload, whole);
        Ok(())
    });
}

/// Whether hop-by-hop options have one that says how long the packet is (RFC 2675 2).
fn is_jumbo(payload: Data<'_>) -> bool {
    let mut at = 2;
    let end = payload.u8(1).map_or(0, |units| (usize::from(units) + 1) * 8);
    while let (true, Ok(kind)) = (at < end, payload.u8(at)) {
        match (kind, payload.u8(at + 1)) {
            (0xC2, _) => return true,
            (0, _) => at += 1,
            (_, Ok(len)) => at += 2 + usize::from(len),
            _ => break,
        }
    }
    false
}

/// What a next-header number announces; `whole`: nothing of the packet was cut off.
pub(crate) fn follow(cx: &mut Context<'_>, next: u8, payload: Data<'_>, whole: bool) {
    match next {
        // A quotation ended in front of it.
        0 | 43 | 44 | 60 if payload.is_empty() && cx.is_quoted => {}
        0 => options(cx, payload, whole, true),
        60 => options(cx, payload, whole, false),
        43 => routing(cx, payload, whole),
        44 => fragment(cx, payload, whole),
        // Nothing should follow.
        59 if !payload.is_empty() => data::show(cx, payload),
        _ => upper(cx, next, payload),
    }
}

fn options(cx: &mut Context<'_>, data: Data<'_>, whole: bool, hop: bool) {
    let (protocol, nxt, len, oct) = if hop {
        (&HOPOPTS, &HOP_NXT, &HOP_LEN, &HOP_LEN_OCT)
    } else {
        (&DSTOPTS, &DST_NXT, &DST_LEN, &DST_LEN_OCT)
    };
    cx.layer(protocol, data, |cx, c| {
        let next = c.u8(cx, nxt)?;
        let units = c.u8(cx, len)?;
        let total = (usize::from(units) + 1) * 8;
        cx.conclude(oct, total as u64);
        let body = c.take_most(total - 2);
        let is_cut = body.len() < total - 2;
        let mut body = body.cursor();
        while !body.is_done() {
            option(cx, &mut body)?;
        }
        if is_cut {
            return Err(Short);
        }
        follow(cx, next, c.rest(), whole);
        Ok(())
    });
}

fn option(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let begins = c.pos;
    let open = cx.open(&OPT, c.data, begins, 0);
    let depth = cx.depth;
    let result = option_body(cx, c);
    cx.depth = depth;
    cx.close(open, c.pos - begins);
    result
}

fn option_body(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let kind = c.u8(cx, &OPT_TYPE)?;
    if kind == 0 {
        cx.add(&OPT_PAD1, c.data, c.pos - 1, 1, 0);
        return Ok(());
    }
    let len = usize::from(c.u8(cx, &OPT_LENGTH)?);
    match (kind, len) {
        (1, _) => {
            c.bytes(cx, &OPT_PADN, len)?;
        }
        (4, 1) => {
            c.u8(cx, &OPT_TEL)?;
        }
        (5, 2) => {
            c.u16(cx, &OPT_ROUTER_ALERT)?;
        }
        (0xC2, 4) => {
            c.u32(cx, &OPT_JUMBO)?;
        }
        (0xC9, _) => {
            c.ipv6(cx, &OPT_HOME)?;
        }
        _ => {
            c.bytes(cx, &OPT_UNKNOWN, len)?;
        }
    }
    Ok(())
}

fn routing(cx: &mut Context<'_>, data: Data<'_>, whole: bool) {
    cx.layer(&ROUTING, data, |cx, c| {
        let next = c.u8(cx, &ROUTING_NXT)?;
        let units = c.u8(cx, &ROUTING_LEN)?;
        let total = (usize::from(units) + 1) * 8;
        cx.conclude(&ROUTING_LEN_OCT, total as u64);
        let kind = c.u8(cx, &ROUTING_TYPE)?;
        let left = c.u8(cx, &ROUTING_SEGLEFT)?;
        let mut body = c.take(total - 4)?.cursor();
        let end = match kind {
            // Source routes (RFC 2460, deprecated by RFC 5095): the last address is where it goes in the end.
            0 => {
                body.bytes(cx, &SRC_RESERVED, 4)?;
                while body.left() >= 16 {
                    body.ipv6(cx, &SRC_ADDR)?;
                }
                Some(&SRC_ADDR)
            }
            // A mobile node's own address (RFC 6275 6.4).
            2 => {
                body.bytes(cx, &HOME_RESERVED, 4)?;
                body.ipv6(cx, &HOME_ADDRESS)?;
                Some(&HOME_ADDRESS)
            }
            4 => {
                let last = body.u8(cx, &SRH_LAST_ENTRY)?;
                body.u8(cx, &SRH_FLAGS)?;
                body.bytes(cx, &SRH_TAG, 2)?;
                for _ in 0..=last {
                    body.ipv6(cx, &SRH_ADDR)?;
                }
                None
            }
            _ => {
                body.all(cx, &ROUTING_UNKNOWN);
                None
            }
        };
        if left > 0
            && end.is_some()
            && let Some(address) = body.data.bytes.get(..body.pos).and_then(|read| read.last_chunk::<16>())
        {
            cx.dst = std::net::Ipv6Addr::from(*address).into();
        }
        follow(cx, next, c.rest(), whole);
        Ok(())
    });
}

fn fragment(cx: &mut Context<'_>, data: Data<'_>, whole: bool) {
    cx.layer(&FRAGHDR, data, |cx, c| {
        // As tshark, nothing of it is shown if it isn't whole.
        data.u32(4)?;
        let next = c.u8(cx, &FRAG_NXT)?;
        c.u8(cx, &FRAG_RESERVED)?;
        let word = c.parts(cx, 2, &[&FRAG_OFFSET, &FRAG_RESERVED_BITS, &FRAG_MORE])?;
        let id = c.u32(cx, &FRAG_IDENT)?;
        let (offset, more) = ((word & 0xFFF8) as usize, word & 1 == 1);
        if !more && offset == 0 {
            follow(cx, next, c.rest(), whole);
            return Ok(());
        }
        if cx.is_quoted {
            data::show(cx, c.rest());
            return Ok(());
        }
        let fields = FragmentFields {
            fragments: &FRAGMENTS,
            fragment: &FRAGMENT,
            count: &FRAGMENT_COUNT,
            overlap: &FRAGMENT_OVERLAP,
            conflict: &FRAGMENT_CONFLICT,
            error: &FRAGMENT_ERROR,
            length: &REASSEMBLED_LENGTH,
        };
        let fragment = Fragment { id, protocol: next, offset, more, whole };
        reassemble(cx, fragment, c.rest(), &fields, "Reassembled IPv6", |cx, first, packet| {
            follow(cx, first, packet, true);
        });
        Ok(())
    });
}
