//! Link layers of captures that are not Ethernet: loopback, raw IP, Linux cooked; and which number means which.

use super::ethernet::{claimed, ethertype, llc, trailing};
use super::names::ETHERTYPES;
use super::{data, ethernet, ip, ipv6, ppp, pppoe};
use crate::context::Context;
use crate::cursor::Data;
use crate::field::{Names, protocol};
use crate::file::link as types;

protocol! { NULL "null" "NULL" "Null/Loopback";
    FAMILY: u32 "null.family" "Family";
}

static PACKET_TYPES: Names = &[
    (0, "Unicast to us"),
    (1, "Broadcast"),
    (2, "Multicast"),
    (3, "Unicast to another host"),
    (4, "Sent by us"),
];

protocol! { SLL "sll" "SLL" "Linux cooked capture";
    PKTTYPE: u16 "sll.pkttype" "Packet type", names(PACKET_TYPES);
    HATYPE: u16 "sll.hatype" "Link-layer address type";
    HALEN: u16 "sll.halen" "Link-layer address length";
    SRC_ETH: ether "sll.src.eth" "Source";
    SRC_OTHER: bytes "sll.src.other" "Source";
    UNUSED: bytes "sll.unused" "Unused";
    ETYPE: u16 "sll.etype" "Protocol", hex, names(ETHERTYPES);
    LTYPE: u16 "sll.ltype" "Protocol", hex;
    TRAILER: bytes "sll.trailer" "Trailer";
    IFINDEX: u32 "sll.ifindex" "Interface index";
}

protocol! { RAW "raw" "Raw" "Raw packet data"; }

/// Dissects a frame of a LINKTYPE_.
pub(crate) fn dissect(cx: &mut Context<'_>, link: u16, frame: Data<'_>) {
    match link {
        types::ETHERNET => ethernet::dissect(cx, frame),
        types::NULL | types::LOOP => null(cx, frame),
        types::IPV4 => ip::dissect(cx, frame),
        types::IPV6 => ipv6::dissect(cx, frame),
        types::RAW | types::RAW_BSD | types::RAW_OLD => {
            cx.layer(&RAW, frame, |_, _| Ok(()));
            by_version(cx, frame);
        }
        types::PPP | types::PPP_HDLC => ppp::packet(cx, frame),
        types::PPP_ETHER => pppoe::session(cx, frame),
        types::LINUX_SLL => sll(cx, frame),
        types::LINUX_SLL2 => sll2(cx, frame),
        _ => data::show(cx, frame),
    }
}

/// A packet without a type: the first nibble tells.
pub(crate) fn by_version(cx: &mut Context<'_>, packet: Data<'_>) {
    match packet.bytes.first().map(|first| first >> 4) {
        Some(4) => ip::dissect(cx, packet),
        Some(6) => ipv6::dissect(cx, packet),
        _ => data::show(cx, packet),
    }
}

fn null(cx: &mut Context<'_>, frame: Data<'_>) {
    cx.layer(&NULL, frame, |cx, c| {
        let word = frame.u32(0)?;
        // The writer's byte order is not known: families are small numbers in one of the two.
        let family = if word > 0xFFFF { word.swap_bytes() } else { word };
        cx.add(&FAMILY, frame, 0, 4, u64::from(family));
        c.skip(4)?;
        match family {
            2 => ip::dissect(cx, c.rest()),
            10 | 24 | 28 | 30 => ipv6::dissect(cx, c.rest()),
            _ => data::show(cx, c.rest()),
        }
        Ok(())
    });
}

fn sll(cx: &mut Context<'_>, frame: Data<'_>) {
    cx.layer(&SLL, frame, |cx, c| {
        c.u16(cx, &PKTTYPE)?;
        c.u16(cx, &HATYPE)?;
        let len = c.u16(cx, &HALEN)?;
        address(cx, c, usize::from(len))?;
        let kind = c.peek_u16()?;
        protocol(cx, c, kind)?;
        let rest = c.rest();
        trailing(cx, rest, claimed(kind, rest), &TRAILER, None);
        follow(cx, kind, rest);
        Ok(())
    });
}

fn sll2(cx: &mut Context<'_>, frame: Data<'_>) {
    cx.layer(&SLL, frame, |cx, c| {
        let kind = c.peek_u16()?;
        protocol(cx, c, kind)?;
        c.skip(2)?;
        c.u32(cx, &IFINDEX)?;
        c.u16(cx, &HATYPE)?;
        c.uint(cx, &PKTTYPE, 1)?;
        let len = c.uint(cx, &HALEN, 1)?;
        address(cx, c, len as usize)?;
        follow(cx, kind, c.rest());
        Ok(())
    });
}

fn protocol(cx: &mut Context<'_>, c: &mut crate::cursor::Cursor<'_>, kind: u16) -> crate::cursor::Read {
    c.u16(cx, if kind < 0x0600 { &LTYPE } else { &ETYPE })?;
    Ok(())
}

fn address(cx: &mut Context<'_>, c: &mut crate::cursor::Cursor<'_>, len: usize) -> crate::cursor::Read {
    let len = len.min(8);
    match len {
        0 => {}
        6 => {
            c.ether(cx, &SRC_ETH)?;
        }
        len => {
            c.bytes(cx, &SRC_OTHER, len)?;
        }
    }
    if len < 8 {
        c.bytes(cx, &UNUSED, 8 - len)?;
    }
    Ok(())
}

fn follow(cx: &mut Context<'_>, kind: u16, payload: Data<'_>) {
    match kind {
        4 => llc(cx, payload),
        kind if kind >= 0x0600 => ethertype(cx, kind, payload),
        _ => data::show(cx, payload),
    }
}
