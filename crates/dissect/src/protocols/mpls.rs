//! MPLS (RFC 3032): labels, and what the last of them leaves to guess.

use super::{data, ip, ipv6};
use crate::context::Context;
use crate::cursor::Data;
use crate::field::{Names, protocol};

static LABELS: Names = &[
    (0, "IPv4 Explicit-Null"),
    (1, "Router Alert"),
    (2, "IPv6 Explicit-Null"),
    (3, "Implicit-Null"),
    (14, "OAM Alert"),
];

protocol! { MPLS "mpls" "MPLS" "MultiProtocol Label Switching Header";
    LABEL: u32 "mpls.label" "MPLS Label", mask(0xFFFF_F000), names(LABELS);
    EXPERIMENTAL: u32 "mpls.exp" "MPLS Experimental Bits", mask(0x0E00);
    BOTTOM: u32 "mpls.bottom" "MPLS Bottom Of Label Stack", mask(0x0100);
    TTL: u32 "mpls.ttl" "MPLS TTL", mask(0x00FF);
}

/// How many bytes of a frame are labels and the packet behind them.
pub(crate) fn claimed(packet: Data<'_>) -> usize {
    let labels = packet.bytes.as_chunks::<4>().0.iter().position(|label| label[2] & 1 == 1);
    let Some(last) = labels else { return packet.len() };
    let rest = packet.from(4 * last + 4);
    let kind = match rest.bytes.first().map(|first| first >> 4) {
        Some(4) => 0x0800,
        Some(6) => 0x86DD,
        _ => return packet.len(),
    };
    4 * last + 4 + super::ethernet::claimed(kind, rest)
}

/// Labels up to the one that ends the stack, and the packet behind them.
pub(crate) fn dissect(cx: &mut Context<'_>, packet: Data<'_>) {
    let mut end = 0;
    cx.layer(&MPLS, packet, |cx, c| {
        loop {
            let word = c.parts(cx, 4, &[&LABEL, &EXPERIMENTAL, &BOTTOM, &TTL])?;
            end = c.pos;
            if word & 0x0100 != 0 {
                return Ok(());
            }
        }
    });
    let rest = packet.from(end);
    match rest.bytes.first() {
        Some(first) if first >> 4 == 4 => ip::dissect(cx, rest),
        Some(first) if first >> 4 == 6 => ipv6::dissect(cx, rest),
        Some(_) => data::show(cx, rest),
        None => {}
    }
}
