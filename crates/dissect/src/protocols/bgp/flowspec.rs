//! Flow specifications (RFC 8955, RFC 8956): which packets a route speaks of, as a row of filters.

use super::attributes::{PREFIX_LEN, RD_TYPES, short_prefix};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{FieldDef, Names, protocol};
use crate::table::{Step::*, walk};

static FILTERS: Names = &[
    (1, "Destination prefix filter"),
    (2, "Source prefix filter"),
    (3, "Protocol / Next Header filter"),
    (4, "Port filter"),
    (5, "Destination port filter"),
    (6, "Source port filter"),
    (7, "ICMP type filter"),
    (8, "ICMP code filter"),
    (9, "TCP flags filter"),
    (10, "Packet Length filter"),
    (11, "DSCP marking filter"),
    (12, "IP fragment filter"),
];

protocol! { FLOWSPEC "bgp" "BGP" "Border Gateway Protocol";
    NLRI: bytes "bgp.flowspec_nlri" "FLOW-SPEC nlri";
    LENGTH: u16 "bgp.flowspec_nlri.length" "NRLI length";
    RD: none "bgp.flowspec_route_distinguisher" "Route Distinguisher";
    RD_TYPE: u16 "bgp.flowspec_route_distinguisher_type" "Route Distinguisher Type", names(RD_TYPES);
    RD_AS2: u16 "bgp.flowspec_route_distinguisher_admin_as_num_2" "Administrator Subfield";
    RD_IP4: ipv4 "bgp.flowspec_route_distinguisher_admin_ipv4" "Administrator Subfield";
    RD_AS4: u32 "bgp.flowspec_route_distinguisher_admin_as_num_4" "Administrator Subfield";
    RD_NUMBER2: u16 "bgp.flowspec_route_distinguisher_asnum_2" "Assigned Number Subfield";
    RD_NUMBER4: u32 "bgp.flowspec_route_distinguisher_asnum_4" "Assigned Number Subfield";
    FILTER: none "bgp.flowspec_nlri.filter" "Filter";
    FILTER_TYPE: u8 "bgp.flowspec_nlri.filter_type" "Filter type", names(FILTERS);
    DST: ipv4 "bgp.flowspec_nlri.dst_prefix_filter" "Destination IP filter";
    SRC: ipv4 "bgp.flowspec_nlri.src_prefix_filter" "Source IP filter";
    DST6: ipv6 "bgp.flowspec_nlri.dst_ipv6_pref" "Destination IPv6 prefix";
    SRC6: ipv6 "bgp.flowspec_nlri.src_ipv6_pref" "Source IPv6 prefix";
    PREFIX6_LEN: u8 "bgp.flowspec_nlri.ipv6_pref_length" "IPv6 prefix length";
    PREFIX6_OFFSET: u8 "bgp.flowspec_nlri.ipv6_pref_offset" "IPv6 prefix offset";
    OPERATOR: u8 "bgp.flowspec_nlri.opflags" "Operator flags", hex;
    OP_END: bool "bgp.flowspec_nlri.op.eol" "end-of-list", mask(0x80);
    OP_AND: bool "bgp.flowspec_nlri.op.and" "and", mask(0x40);
    OP_LEN: u8 "bgp.flowspec_nlri.op.val_len" "Value length", mask(0x30);
    OP_BIT4: bool "bgp.flowspec_nlri.op.un_bit4" "Reserved", mask(0x08);
    OP_BIT5: bool "bgp.flowspec_nlri.op.un_bit5" "Reserved", mask(0x04);
    OP_LESS: bool "bgp.flowspec_nlri.op.lt" "less than", mask(0x04);
    OP_GREATER: bool "bgp.flowspec_nlri.op.gt" "greater than", mask(0x02);
    OP_EQUAL: bool "bgp.flowspec_nlri.op.equal" "equal", mask(0x01);
    OP_NOT: bool "bgp.flowspec_nlri.op.flg_not" "logical negation", mask(0x02);
    OP_MATCH: bool "bgp.flowspec_nlri.op.flg_match" "Match bit", mask(0x01);
    VALUE_8: u8 "bgp.flowspec_nlri.dec_val_8" "Decimal value";
    VALUE_16: u16 "bgp.flowspec_nlri.dec_val_16" "Decimal value";
    VALUE_32: u32 "bgp.flowspec_nlri.dec_val_32" "Decimal value";
    VALUE_64: u64 "bgp.flowspec_nlri.dec_val_64" "Decimal value";
    TCP: u8 "bgp.flowspec_nlri.val_tcp.flags" "TCP flags", hex;
    TCP_CWR: bool "bgp.flowspec_nlri.val_tcp.flags.cwr" "Congestion Window Reduced (CWR)", mask(0x80);
    TCP_ECN: bool "bgp.flowspec_nlri.val_tcp.flags.ecn" "ECN-Echo", mask(0x40);
    TCP_URG: bool "bgp.flowspec_nlri.val_tcp.flags.urg" "Urgent", mask(0x20);
    TCP_ACK: bool "bgp.flowspec_nlri.val_tcp.flags.ack" "Acknowledgment", mask(0x10);
    TCP_PUSH: bool "bgp.flowspec_nlri.val_tcp.flags.push" "Push", mask(0x08);
    TCP_RESET: bool "bgp.flowspec_nlri.val_tcp.flags.reset" "Reset", mask(0x04);
    TCP_SYN: bool "bgp.flowspec_nlri.val_tcp.flags.syn" "Syn", mask(0x02);
    TCP_FIN: bool "bgp.flowspec_nlri.val_tcp.flags.fin" "Fin", mask(0x01);
    FRAGMENT: u8 "bgp.flowspec_nlri.val_frag" "Fragment Flag", hex;
    FRAGMENT_LAST: bool "bgp.flowspec_nlri.val_frag_lf" "Last fragment", mask(0x08);
    FRAGMENT_FIRST: bool "bgp.flowspec_nlri.val_frag_ff" "First fragment", mask(0x04);
    FRAGMENT_IS: bool "bgp.flowspec_nlri.val_frag_isf" "Is a fragment", mask(0x02);
    FRAGMENT_DONT: bool "bgp.flowspec_nlri.val_frag_df" "Don't fragment", mask(0x01);
    DSCP: u8 "bgp.flowspec_nlri.val_dsfield" "Differentiated Services Codepoint", hex, mask(0x3F);
}

static TCP_FLAGS: [&FieldDef; 8] =
    [&TCP_CWR, &TCP_ECN, &TCP_URG, &TCP_ACK, &TCP_PUSH, &TCP_RESET, &TCP_SYN, &TCP_FIN];
static FRAGMENT_FLAGS: [&FieldDef; 4] = [&FRAGMENT_LAST, &FRAGMENT_FIRST, &FRAGMENT_IS, &FRAGMENT_DONT];

/// Flow specifications until the bytes end; those of a VPN tell whose they are.
pub(super) fn specifications(cx: &mut Context<'_>, c: &mut Cursor<'_>, is_6: bool, is_vpn: bool) -> Read {
    while !c.is_done() {
        // From 240 bytes on the length takes two (RFC 8955 4.1).
        let first = c.peek()?;
        let (size, len) = match first {
            0..0xF0 => (1, usize::from(first)),
            _ => (2, usize::from(c.peek_u16()? & 0x0FFF)),
        };
        let whole = c.take(size + len)?;
        cx.within(&NLRI, whole, |cx| {
            cx.add(&LENGTH, whole, 0, size, len as u64);
            let mut c = whole.from(size).cursor();
            if is_vpn {
                distinguisher(cx, &mut c)?;
            }
            while !c.is_done() {
                filter(cx, &mut c, is_6)?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn distinguisher(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let whole = c.take(8)?;
    cx.within(&RD, whole, |cx| {
        let mut c = whole.cursor();
        match c.u16(cx, &RD_TYPE)? {
            0 => walk(cx, &mut c, &[Is(&RD_AS2), Is(&RD_NUMBER4)]),
            1 => walk(cx, &mut c, &[Is(&RD_IP4), Is(&RD_NUMBER2)]),
            2 => walk(cx, &mut c, &[Is(&RD_AS4), Is(&RD_NUMBER2)]),
            _ => Ok(()),
        }
    })
}

fn filter(cx: &mut Context<'_>, c: &mut Cursor<'_>, is_6: bool) -> Read {
    let rest = c.rest();
    let open = cx.open(&FILTER, rest, 0, 0);
    let depth = cx.depth;
    let result = match c.u8(cx, &FILTER_TYPE)? {
        kind @ (1 | 2) if is_6 => prefix_6(cx, c, if kind == 1 { &DST6 } else { &SRC6 }),
        kind @ (1 | 2) => {
            let bits = usize::from(c.u8(cx, &PREFIX_LEN)?);
            short_prefix(cx, c, if kind == 1 { &DST } else { &SRC }, bits)
        }
        kind => operators(cx, c, kind),
    };
    cx.depth = depth;
    cx.close(open, rest.len() - c.left());
    result
}

/// A pattern within an address. Its length counts from the address's first bit; those before the offset are left out
/// (RFC 8956 3.1). Some routers send them all the same, as Wireshark reads it: then only that fits what follows.
fn prefix_6(cx: &mut Context<'_>, c: &mut Cursor<'_>, def: &'static FieldDef) -> Read {
    let kind = c.data.u8(c.pos.wrapping_sub(1))?;
    let bits = usize::from(c.u8(cx, &PREFIX6_LEN)?);
    let offset = usize::from(c.u8(cx, &PREFIX6_OFFSET)?);
    let short = bits.saturating_sub(offset).div_ceil(8);
    if offset == 0 || !c.rest().bytes.get(short..).is_some_and(|rest| follows(rest, kind)) {
        return short_prefix(cx, c, def, bits);
    }
    let pattern = c.take(short)?;
    let mut address = [0; 16];
    for bit in offset..bits {
        let (from, value) = (bit - offset, 0x80 >> (bit % 8));
        if pattern.bytes[from / 8] << (from % 8) & 0x80 != 0 {
            *address.get_mut(bit / 8).ok_or(Short)? |= value;
        }
    }
    cx.add_words(def, pattern, &address);
    Ok(())
}

/// Whether bytes are filters of types above `last` and nothing else: a specification has each once, in order.
fn follows(bytes: &[u8], last: u8) -> bool {
    match *bytes {
        [] => true,
        [kind, ..] if kind <= last || kind > 13 => false,
        [kind @ 2, bits, offset, ref rest @ ..] => [bits.saturating_sub(offset), bits]
            .iter()
            .any(|bits| rest.get(usize::from(*bits).div_ceil(8)..).is_some_and(|rest| follows(rest, kind))),
        [kind, ref rest @ ..] => {
            let mut rest = rest;
            while let Some((operator, after)) = rest.split_first() {
                let Some(after) = after.get(1 << (operator >> 4 & 3)..) else { return false };
                rest = after;
                if operator & 0x80 != 0 {
                    return follows(rest, kind);
                }
            }
            false
        }
    }
}

/// Operators with their values, up to the one that says it is the last.
fn operators(cx: &mut Context<'_>, c: &mut Cursor<'_>, kind: u8) -> Read {
    const LAST: u64 = 0x80;
    loop {
        let is_bits = matches!(kind, 9 | 12);
        let parts: &[&FieldDef] = if is_bits {
            &[&OP_END, &OP_AND, &OP_LEN, &OP_BIT4, &OP_BIT5, &OP_NOT, &OP_MATCH]
        } else {
            &[&OP_END, &OP_AND, &OP_LEN, &OP_BIT4, &OP_LESS, &OP_GREATER, &OP_EQUAL]
        };
        let operator = c.bits(cx, &OPERATOR, 1, parts)?;
        value(cx, &c.take(1 << (operator >> 4 & 3))?, kind)?;
        if operator & LAST != 0 {
            return Ok(());
        }
    }
}

fn value(cx: &mut Context<'_>, value: &Data<'_>, kind: u8) -> Read {
    let (len, mut c) = (value.len(), value.cursor());
    match (kind, len) {
        (9, 1) => walk(cx, &mut c, &[Bits(&TCP, 1, &TCP_FLAGS)]),
        (9, 2) => {
            // The flags are the header's two bytes; the first has none that Wireshark names.
            c.skip(1)?;
            walk(cx, &mut c, &[Bits(&TCP, 1, &TCP_FLAGS)])
        }
        (12, 1) => walk(cx, &mut c, &[Bits(&FRAGMENT, 1, &FRAGMENT_FLAGS)]),
        (11, 1) => walk(cx, &mut c, &[Parts(1, &[&DSCP])]),
        (_, 1) => walk(cx, &mut c, &[Is(&VALUE_8)]),
        (_, 2) => walk(cx, &mut c, &[Is(&VALUE_16)]),
        (_, 4) => walk(cx, &mut c, &[Is(&VALUE_32)]),
        (_, 8) => walk(cx, &mut c, &[Is(&VALUE_64)]),
        _ => Err(Short),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cursor::Data;
    use crate::state::State;
    use crate::tree::Arena;

    /// The names of the fields that some bytes are read as, and whether they were whole.
    fn fields(bytes: &[u8], is_6: bool) -> (Vec<&'static str>, bool) {
        let (mut arena, mut state) = (Arena::new(), State::default());
        let mut cx = Context::new(&mut arena, &mut state, 1, 0);
        let data = Data { bytes, at: 0, source: 0 };
        let whole = specifications(&mut cx, &mut data.cursor(), is_6, false).is_ok();
        (arena.fields.iter().map(|field| field.def.name).collect(), whole)
    }

    /// To 192.0.2.0/24, TCP, port 80 or over 1024, with SYN.
    const RULE: [u8; 18] = [17, 1, 24, 192, 0, 2, 3, 0x81, 6, 4, 0x01, 80, 0x92, 4, 0, 9, 0x81, 2];

    #[test]
    fn a_specification_is_a_row_of_filters() {
        let (names, whole) = fields(&RULE, false);
        let count = |name: &str| names.iter().filter(|known| **known == name).count();
        assert!(whole);
        assert_eq!(count("bgp.flowspec_nlri.filter"), 4);
        assert_eq!(count("bgp.flowspec_nlri.opflags"), 4);
        assert_eq!(count("bgp.flowspec_nlri.dst_prefix_filter"), 1);
        assert_eq!(count("bgp.flowspec_nlri.dec_val_16"), 1);
        assert_eq!(count("bgp.flowspec_nlri.val_tcp.flags.syn"), 1);
    }

    /// The address that the first filter of a specification for IPv6 names.
    fn address(bytes: &[u8]) -> [u8; 16] {
        let (mut arena, mut state) = (Arena::new(), State::default());
        let mut cx = Context::new(&mut arena, &mut state, 1, 0);
        let data = Data { bytes, at: 0, source: 0 };
        specifications(&mut cx, &mut data.cursor(), true, false).expect("all of it is there");
        let field = arena.fields.iter().find(|field| field.def.is(&DST6)).expect("it has an address");
        let (start, len) = ((field.value >> 32) as usize, (field.value & 0xFFFF_FFFF) as usize);
        arena.text[start..start + len].try_into().expect("of 16 bytes")
    }

    #[test]
    fn a_pattern_begins_at_its_offset() {
        // RFC 8956 3.8.2: from ::1234:5678:9a00:0/64-104, TCP; and as some routers send the same.
        let pattern = [0, 0, 0, 0, 0, 0, 0, 0, 0x12, 0x34, 0x56, 0x78, 0x9A, 0, 0, 0];
        assert_eq!(address(&[11, 1, 104, 64, 0x12, 0x34, 0x56, 0x78, 0x9A, 3, 0x81, 6]), pattern);
        let whole = [[19, 1, 104, 64].as_slice(), &pattern[..13], &[3, 0x81, 6]].concat();
        assert_eq!(address(&whole), pattern);
    }

    #[test]
    fn a_specification_may_end_anywhere() {
        for len in 1..RULE.len() {
            assert!(!fields(&RULE[..len], false).1, "{len} bytes are not all of it");
        }
        let mut lies = RULE;
        for at in 0..RULE.len() {
            for byte in 0..=255 {
                lies[at] = byte;
                fields(&lies, false);
                fields(&lies, true);
            }
            lies[at] = RULE[at];
        }
    }
}
