//! What a flow's record says: the elements of NetFlow 9 and IPFIX that are in use.

use super::{PADDING, RESERVED};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read};
use crate::field::{FieldDef, Kind, Names, protocol};
use crate::table::{Step::*, walk};

static END_REASONS: Names = &[
    (1, "Idle timeout"),
    (2, "Active timeout"),
    (3, "End of Flow detected"),
    (4, "Forced end"),
    (5, "Lack of resources"),
];
/// RFC 5477 8.2.1.
static SELECTORS: Names = &[
    (1, "Systematic count-based Sampling"),
    (2, "Systematic time-based Sampling"),
    (3, "Random n-out-of-N Sampling"),
    (4, "Uniform probabilistic Sampling"),
    (5, "Property match Filtering"),
    (6, "Hash based Filtering using BOB"),
    (7, "Hash based Filtering using IPSX"),
    (8, "Hash based Filtering using CRC"),
];

protocol! { ELEMENTS "cflow" "CFLOW" "Cisco NetFlow/IPFIX";
    SRC: ipv4 "cflow.srcaddr" "SrcAddr";
    DST: ipv4 "cflow.dstaddr" "DstAddr";
    SRC6: ipv6 "cflow.srcaddrv6" "SrcAddr";
    DST6: ipv6 "cflow.dstaddrv6" "DstAddr";
    NEXT_HOP: ipv4 "cflow.nexthop" "NextHop";
    NEXT_HOP6: ipv6 "cflow.nexthopv6" "NextHop";
    BGP_HOP: ipv4 "cflow.bgpnexthop" "BGPNextHop";
    INPUT: u32 "cflow.inputint" "InputInt";
    OUTPUT: u32 "cflow.outputint" "OutputInt";
    PACKETS: u64 "cflow.packets" "Packets";
    OCTETS: u64 "cflow.octets" "Octets";
    FLOWS: u64 "cflow.flows" "Flows";
    DURATION: relative "cflow.timedelta" "Duration";
    START: relative "cflow.timestart" "StartTime";
    END: relative "cflow.timeend" "EndTime";
    ABS_START: absolute "cflow.abstimestart" "StartTime";
    ABS_END: absolute "cflow.abstimeend" "EndTime";
    SRC_PORT: u16 "cflow.srcport" "SrcPort";
    DST_PORT: u16 "cflow.dstport" "DstPort";
    PROTOCOL: u8 "cflow.protocol" "Protocol", names(crate::protocols::names::IP_PROTOCOLS);
    TOS: u8 "cflow.tos" "IP ToS", hex;
    FLAGS: u8 "cflow.tcpflags" "TCP Flags", hex;
    FLAG_RES: u8 "cflow.tcpflags.reserved" "Reserved", hex, mask(0xC0);
    FLAG_URG: bool "cflow.tcpflags.urg" "URG", mask(0x20);
    FLAG_ACK: bool "cflow.tcpflags.ack" "ACK", mask(0x10);
    FLAG_PSH: bool "cflow.tcpflags.psh" "PSH", mask(0x08);
    FLAG_RST: bool "cflow.tcpflags.rst" "RST", mask(0x04);
    FLAG_SYN: bool "cflow.tcpflags.syn" "SYN", mask(0x02);
    FLAG_FIN: bool "cflow.tcpflags.fin" "FIN", mask(0x01);
    SRC_AS: u32 "cflow.srcas" "SrcAS";
    DST_AS: u32 "cflow.dstas" "DstAS";
    SRC_MASK: u8 "cflow.srcmask" "SrcMask";
    DST_MASK: u8 "cflow.dstmask" "DstMask";
    SRC_MASK6: u8 "cflow.srcmaskv6" "SrcMask";
    DST_MASK6: u8 "cflow.dstmaskv6" "DstMask";
    DIRECTION: u8 "cflow.direction" "Direction";
    IP_VERSION: u8 "cflow.ip_version" "IPVersion";
    ICMP: u16 "cflow.icmp_type_code_ipv4" "IPv4 ICMP Type", hex;
    VLAN: u16 "cflow.vlanid" "Vlan Id";
    SRC_MAC: ether "cflow.srcmac" "Source Mac Address";
    DST_MAC: ether "cflow.dstmac" "Destination Mac Address";
    INTERFACE: text "cflow.if_name" "IfName";
    SAMPLING_INTERVAL: u32 "cflow.sampling_interval" "Sampling interval";
    SAMPLING_ALGORITHM: u8 "cflow.sampling_algorithm" "Sampling algorithm";
    FRAGMENT_ID: u32 "cflow.frag_ident" "Fragment Identification";
    TTL_MIN: u8 "cflow.ttl_min" "MinTTL";
    TTL_MAX: u8 "cflow.ttl_max" "MaxTTL";
    LENGTH_MIN: u64 "cflow.length_min" "MinLength";
    LENGTH_MAX: u64 "cflow.length_max" "MaxLength";
    END_REASON: u8 "cflow.flow_end_reason" "Flow End Reason", names(END_REASONS);
    ICMP6_TYPE: u8 "cflow.icmp_ipv6_type" "IPv6 ICMP Type";
    ICMP6_CODE: u8 "cflow.icmp_ipv6_code" "IPv6 ICMP Code";
    METERING_PROCESS: u32 "cflow.mp_id" "Metering Process Id";
    SYSTEM_START: absolute "cflow.sys_init_time" "System Init Time";
    SELECTOR: u16 "cflow.selector_algorithm" "Selector Algorithm", names(SELECTORS);
    SAMPLED_PACKETS: u32 "cflow.sampling_packet_interval" "Sampling Packet Interval";
    PASSED_PACKETS: u32 "cflow.sampling_packet_space" "Sampling Packet Space";
    EXPORT_FLAGS: u8 "cflow.flags" "Export Flags", hex;
    SHORTCUT: ipv4 "cflow.routersc" "Router Shortcut";
    SCOPE_SYSTEM: bytes "cflow.scope_system" "ScopeSystem";
    SCOPE_INTERFACE: u32 "cflow.scope_interface" "ScopeInterface";
}

/// Elements that are a field each.
static KNOWN: [(u16, &FieldDef); 43] = [
    (1, &OCTETS),
    (2, &PACKETS),
    (3, &FLOWS),
    (4, &PROTOCOL),
    (5, &TOS),
    (7, &SRC_PORT),
    (8, &SRC),
    (9, &SRC_MASK),
    (10, &INPUT),
    (11, &DST_PORT),
    (12, &DST),
    (13, &DST_MASK),
    (14, &OUTPUT),
    (15, &NEXT_HOP),
    (16, &SRC_AS),
    (17, &DST_AS),
    (18, &BGP_HOP),
    (25, &LENGTH_MIN),
    (26, &LENGTH_MAX),
    (27, &SRC6),
    (28, &DST6),
    (29, &SRC_MASK6),
    (30, &DST_MASK6),
    (32, &ICMP),
    (34, &SAMPLING_INTERVAL),
    (35, &SAMPLING_ALGORITHM),
    (52, &TTL_MIN),
    (53, &TTL_MAX),
    (54, &FRAGMENT_ID),
    (56, &SRC_MAC),
    (58, &VLAN),
    (60, &IP_VERSION),
    (61, &DIRECTION),
    (62, &NEXT_HOP6),
    (80, &DST_MAC),
    (82, &INTERFACE),
    (85, &OCTETS),
    (86, &PACKETS),
    (136, &END_REASON),
    (143, &METERING_PROCESS),
    (304, &SELECTOR),
    (305, &SAMPLED_PACKETS),
    (306, &PASSED_PACKETS),
];

/// The times of a flow: its beginning and end, in whichever unit they came.
#[derive(Default)]
struct Times {
    uptime: [Option<u64>; 2],
    absolute: [Option<u64>; 2],
}

/// A record of versions 1, 5 and 7, which need no template.
pub(super) fn without_template(cx: &mut Context<'_>, c: &mut Cursor<'_>, version: u16) -> Read {
    walk(
        cx,
        c,
        &[
            Is(&SRC),
            Is(&DST),
            Is(&NEXT_HOP),
            Wide(&INPUT, 2),
            Wide(&OUTPUT, 2),
            Wide(&PACKETS, 4),
            Wide(&OCTETS, 4),
        ],
    )?;
    let (start, end) = (c.data.u32(c.pos)?, c.data.u32(c.pos + 4)?);
    // The clock is one of 32 bits, which may pass its end between the two.
    cx.add(&DURATION, c.data, c.pos, 8, u64::from(end.wrapping_sub(start)) * 1_000_000);
    cx.depth += 1;
    cx.add(&START, c.data, c.pos, 4, u64::from(start) * 1_000_000);
    cx.add(&END, c.data, c.pos + 4, 4, u64::from(end) * 1_000_000);
    cx.depth -= 1;
    walk(cx, c, &[Skip(8), Is(&SRC_PORT), Is(&DST_PORT)])?;
    if version == 1 {
        let rest: &[_] = &[Bytes(&PADDING, 2), Is(&PROTOCOL), Is(&TOS), Is(&FLAGS), Bytes(&PADDING, 3)];
        walk(cx, c, rest)?;
        return walk(cx, c, &[Bytes(&RESERVED, 4)]);
    }
    let first = if version == 5 { Bytes(&PADDING, 1) } else { Is(&EXPORT_FLAGS) };
    let places: &[_] =
        &[Wide(&SRC_AS, 2), Wide(&DST_AS, 2), Is(&SRC_MASK), Is(&DST_MASK), Bytes(&PADDING, 2)];
    walk(cx, c, &[first, Is(&FLAGS), Is(&PROTOCOL), Is(&TOS)])?;
    walk(cx, c, places)?;
    if version == 7 { walk(cx, c, &[Is(&SHORTCUT)]) } else { Ok(()) }
}

/// A record in a template's form.
pub(super) fn record(cx: &mut Context<'_>, c: &mut Cursor<'_>, fields: &[(u16, u16, bool)]) -> Read {
    let mut times = Times::default();
    for &(kind, len, is_scope) in fields {
        let len = if len == 0xFFFF { variable(c)? } else { usize::from(len) };
        let data = c.take(len)?;
        match (kind, is_scope) {
            (1, true) => cx.add(&SCOPE_SYSTEM, data, 0, len, 0),
            (2, true) if len == 4 => cx.add(&SCOPE_INTERFACE, data, 0, len, u64::from(data.u32(0)?)),
            (_, true) => {}
            _ => element(cx, data, kind, &mut times)?,
        }
        show_times(cx, &mut times);
    }
    Ok(())
}

/// IPFIX writes the length of a variable field before it.
fn variable(c: &mut Cursor<'_>) -> Read<usize> {
    let first = c.peek()?;
    c.skip(1)?;
    if first < 255 {
        return Ok(usize::from(first));
    }
    let len = c.peek_u16()?;
    c.skip(2)?;
    Ok(usize::from(len))
}

fn element(cx: &mut Context<'_>, data: Data<'_>, kind: u16, times: &mut Times) -> Read {
    let number = data.bytes.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    match kind {
        6 if data.len() == 1 => {
            let parts: &[_] = &[&FLAG_RES, &FLAG_URG, &FLAG_ACK, &FLAG_PSH, &FLAG_RST, &FLAG_SYN, &FLAG_FIN];
            return data.cursor().bits(cx, &FLAGS, 1, parts).map(drop);
        }
        22 => times.uptime[0] = Some(number.wrapping_mul(1_000_000)),
        21 => times.uptime[1] = Some(number.wrapping_mul(1_000_000)),
        139 if data.len() == 2 => {
            cx.add(&ICMP6_TYPE, data, 0, 1, number >> 8);
            cx.add(&ICMP6_CODE, data, 1, 1, number & 0xFF);
        }
        160 => cx.add(&SYSTEM_START, data, 0, data.len(), number.wrapping_mul(1_000_000)),
        150 => times.absolute[0] = Some(number.wrapping_mul(1_000_000_000)),
        151 => times.absolute[1] = Some(number.wrapping_mul(1_000_000_000)),
        152 => times.absolute[0] = Some(number.wrapping_mul(1_000_000)),
        153 => times.absolute[1] = Some(number.wrapping_mul(1_000_000)),
        _ => {}
    }
    let Some((_, def)) = KNOWN.iter().find(|(id, _)| *id == kind) else { return Ok(()) };
    match def.kind {
        Kind::Uint(_) if data.len() <= 8 => cx.add(def, data, 0, data.len(), number),
        Kind::Ipv4 if data.len() == 4 => cx.add(def, data, 0, 4, number),
        Kind::Ether if data.len() == 6 => cx.add(def, data, 0, 6, number),
        Kind::Ipv6 if data.len() == 16 => cx.add(def, data, 0, 16, 0),
        Kind::Text => cx.add(def, data, 0, data.len(), 0),
        _ => {}
    }
    Ok(())
}

/// Shows how long a flow took as soon as both its ends are known.
fn show_times(cx: &mut Context<'_>, times: &mut Times) {
    for (pair, start, end) in [(&mut times.uptime, &START, &END), (&mut times.absolute, &ABS_START, &ABS_END)]
    {
        if let [Some(from), Some(to)] = *pair {
            *pair = [None, None];
            cx.conclude(&DURATION, to.wrapping_sub(from));
            cx.depth += 1;
            cx.conclude(start, from);
            cx.conclude(end, to);
            cx.depth -= 1;
        }
    }
}
