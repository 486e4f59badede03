//! Packets of PPP (RFC 1661), on a line of its own (RFC 1662), in PPTP's GRE, or over Ethernet.

use super::{data, ip, ipv6, mpls};
use crate::context::Context;
use crate::cursor::Data;
use crate::field::{Names, protocol};

static PROTOCOLS: Names = &[
    (0x0021, "Internet Protocol version 4"),
    (0x003D, "PPP Multilink Protocol"),
    (0x0057, "Internet Protocol version 6"),
    (0x00FD, "PPP Compressed datagram"),
    (0x0281, "MPLS Unicast"),
    (0x0283, "MPLS Multicast"),
    (0x8021, "Internet Protocol Control Protocol"),
    (0x8057, "IPv6 Control Protocol"),
    (0x80FD, "Compression Control Protocol"),
    (0xC021, "Link Control Protocol"),
    (0xC023, "Password Authentication Protocol"),
    (0xC223, "Challenge Handshake Authentication Protocol"),
];

protocol! { PPP "ppp" "PPP" "Point-to-Point Protocol";
    ADDRESS: u8 "ppp.address" "Address", hex;
    CONTROL: u8 "ppp.control" "Control", hex;
    PROTOCOL: u16 "ppp.protocol" "Protocol", hex, names(PROTOCOLS);
}

/// A packet, with the address and control of a line before it or without.
pub(crate) fn packet(cx: &mut Context<'_>, packet: Data<'_>) {
    let mut next = None;
    cx.layer(&PPP, packet, |cx, c| {
        if c.peek()? == 0xFF {
            c.u8(cx, &ADDRESS)?;
            c.u8(cx, &CONTROL)?;
        }
        // An odd first byte is all of the protocol's number (RFC 1661 6.5).
        let size = if c.peek()? & 1 == 1 { 1 } else { 2 };
        let protocol = c.uint(cx, &PROTOCOL, size)?;
        next = Some((protocol, c.rest()));
        Ok(())
    });
    match next {
        Some((0x0021, rest)) => ip::dissect(cx, rest),
        Some((0x0057, rest)) => ipv6::dissect(cx, rest),
        Some((0x0281 | 0x0283, rest)) => mpls::dissect(cx, rest),
        Some((_, rest)) if !rest.is_empty() => data::show(cx, rest),
        _ => {}
    }
}
