//! PPP over Ethernet (RFC 2516), once its session stands, and the packets of PPP (RFC 1661) in it.

use super::{data, ip, ipv6};
use crate::context::Context;
use crate::cursor::Data;
use crate::field::{Names, protocol};
use crate::table::{Step::*, walk};

static PROTOCOLS: Names = &[
    (0x0021, "Internet Protocol version 4"),
    (0x0057, "Internet Protocol version 6"),
    (0x8021, "Internet Protocol Control Protocol"),
    (0x8057, "IPv6 Control Protocol"),
    (0xC021, "Link Control Protocol"),
    (0xC023, "Password Authentication Protocol"),
    (0xC223, "Challenge Handshake Authentication Protocol"),
];

protocol! { PPPOE "pppoes" "PPPoES" "PPP-over-Ethernet Session";
    VERSION: u8 "pppoe.version" "Version", mask(0xF0);
    TYPE: u8 "pppoe.type" "Type", mask(0x0F);
    CODE: u8 "pppoe.code" "Code", hex;
    SESSION: u16 "pppoe.session_id" "Session ID", hex;
    LENGTH: u16 "pppoe.payload_length" "Payload Length";
}
protocol! { PPP "ppp" "PPP" "Point-to-Point Protocol";
    PROTOCOL: u16 "ppp.protocol" "Protocol", hex, names(PROTOCOLS);
}

/// A frame of a session.
pub(crate) fn session(cx: &mut Context<'_>, frame: Data<'_>) {
    let mut inside = None;
    cx.layer(&PPPOE, frame, |cx, c| {
        walk(cx, c, &[Parts(1, &[&VERSION, &TYPE]), Is(&CODE), Is(&SESSION)])?;
        let len = usize::from(c.u16(cx, &LENGTH)?);
        inside = Some(c.rest().first(len));
        Ok(())
    });
    if let Some(inside) = inside {
        packet(cx, inside);
    }
}

fn packet(cx: &mut Context<'_>, packet: Data<'_>) {
    let mut next = None;
    cx.layer(&PPP, packet, |cx, c| {
        // An odd first byte is all of the protocol's number (RFC 1661 6.5).
        let size = if c.peek()? & 1 == 1 { 1 } else { 2 };
        let protocol = c.uint(cx, &PROTOCOL, size)?;
        next = Some((protocol, c.rest()));
        Ok(())
    });
    match next {
        Some((0x0021, rest)) => ip::dissect(cx, rest),
        Some((0x0057, rest)) => ipv6::dissect(cx, rest),
        Some((_, rest)) if !rest.is_empty() => data::show(cx, rest),
        _ => {}
    }
}
