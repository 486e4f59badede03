//! TCP (RFC 9293) with its options, and what its segments mean ([`crate::streams::analysis`]). What they carry is handed
//! on by `payload`.

mod payload;

use super::names::{self, CHECKSUM_STATUS};
use super::{ip, ports};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{FieldDef, Names, protocol};
use crate::streams::analysis::{self, FIN, Findings, Flags, RST, SYN, Segment};
use payload::Place;

static OPTION_KINDS: Names = &[
    (0, "End of Option List"),
    (1, "No-Operation"),
    (2, "Maximum Segment Size"),
    (3, "Window Scale"),
    (4, "SACK Permitted"),
    (5, "SACK"),
    (8, "Time Stamp Option"),
    (19, "MD5 Signature Option"),
    (28, "User Timeout Option"),
    (29, "The TCP Authentication Option"),
    (30, "Multipath TCP"),
    (34, "TCP Fast Open Cookie"),
    (172, "Accurate ECN Order 0"),
    (174, "Accurate ECN Order 1"),
];

protocol! { TCP "tcp" "TCP" "Transmission Control Protocol";
    SRC_PORT: u16 "tcp.srcport" "Source Port";
    DST_PORT: u16 "tcp.dstport" "Destination Port";
    PORT: u16 "tcp.port" "Source or Destination Port";
    STREAM: u32 "tcp.stream" "Stream index";
    COMPLETENESS: u8 "tcp.completeness" "Conversation completeness";
    LEN: u32 "tcp.len" "TCP Segment Len";
    SEQ: u32 "tcp.seq" "Sequence Number";
    SEQ_RAW: u32 "tcp.seq_raw" "Sequence Number (raw)";
    NXTSEQ: u32 "tcp.nxtseq" "Next Sequence Number";
    ACK: u32 "tcp.ack" "Acknowledgment Number";
    ACK_RAW: u32 "tcp.ack_raw" "Acknowledgment number (raw)";
    HDR_LEN: u8 "tcp.hdr_len" "Header Length";
    FLAGS: u16 "tcp.flags" "Flags", hex, mask(0x0FFF);
    FLAG_RES: bool "tcp.flags.res" "Reserved", mask(0x0E00);
    FLAG_AE: bool "tcp.flags.ae" "Accurate ECN", mask(0x0100);
    FLAG_CWR: bool "tcp.flags.cwr" "Congestion Window Reduced", mask(0x0080);
    FLAG_ECE: bool "tcp.flags.ece" "ECN-Echo", mask(0x0040);
    FLAG_URG: bool "tcp.flags.urg" "Urgent", mask(0x0020);
    FLAG_ACK: bool "tcp.flags.ack" "Acknowledgment", mask(0x0010);
    FLAG_PUSH: bool "tcp.flags.push" "Push", mask(0x0008);
    FLAG_RESET: bool "tcp.flags.reset" "Reset", mask(0x0004);
    FLAG_SYN: bool "tcp.flags.syn" "Syn", mask(0x0002);
    FLAG_FIN: bool "tcp.flags.fin" "Fin", mask(0x0001);
    WINDOW_VALUE: u16 "tcp.window_size_value" "Window";
    WINDOW: u32 "tcp.window_size" "Calculated window size";
    WINDOW_SCALE: int "tcp.window_size_scalefactor" "Window size scaling factor";
    CHECKSUM: u16 "tcp.checksum" "Checksum", hex;
    STATUS: u8 "tcp.checksum.status" "Checksum Status", names(CHECKSUM_STATUS);
    URGENT: u16 "tcp.urgent_pointer" "Urgent Pointer";
    OPTIONS: bytes "tcp.options" "TCP Options";
    OPTION_KIND: u8 "tcp.option_kind" "Kind", names(OPTION_KINDS);
    OPTION_LEN: u8 "tcp.option_len" "Length";
    MSS: u16 "tcp.options.mss_val" "MSS Value";
    WSCALE: u8 "tcp.options.wscale.shift" "Shift count";
    WSCALE_MULTIPLIER: u16 "tcp.options.wscale.multiplier" "Multiplier";
    SACK_PERM: none "tcp.options.sack_perm" "TCP SACK Permitted";
    SACK_LE: u32 "tcp.options.sack_le" "TCP SACK Left Edge";
    SACK_RE: u32 "tcp.options.sack_re" "TCP SACK Right Edge";
    SACK_COUNT: u8 "tcp.options.sack.count" "TCP SACK Count";
    TSVAL: u32 "tcp.options.timestamp.tsval" "Timestamp value";
    TSECR: u32 "tcp.options.timestamp.tsecr" "Timestamp echo reply";
    MD5: bytes "tcp.options.md5.digest" "MD5 digest";
    AO_KEY: u8 "tcp.options.ao.keyid" "AO KeyID";
    AO_NEXT: u8 "tcp.options.ao.rnextkeyid" "AO RNextKeyID";
    AO_MAC: bytes "tcp.options.ao.mac" "AO MAC";
    USER_TIMEOUT_GRANULARITY: bool "tcp.options.user_to_granularity" "Granularity", mask(0x8000);
    USER_TIMEOUT: u16 "tcp.options.user_to_val" "User Timeout", mask(0x7FFF);
    TFO_REQUEST: none "tcp.options.tfo.request" "Fast Open Cookie Request";
    TFO_COOKIE: bytes "tcp.options.tfo.cookie" "Fast Open Cookie";
    ACC_ECN_0: u24 "tcp.options.acc_ecn.ee0b" "Accurate ECN Echo ECT(0) Byte Counter";
    ACC_ECN_C: u24 "tcp.options.acc_ecn.eceb" "Accurate ECN Echo CE Byte Counter";
    ACC_ECN_1: u24 "tcp.options.acc_ecn.ee1b" "Accurate ECN Echo ECT(1) Byte Counter";
    EXPERIMENT: u16 "tcp.options.experimental.exid" "Experiment Identifier", hex;
    EXPERIMENT_DATA: bytes "tcp.options.experimental.data" "Data";
    OPTION_UNKNOWN: bytes "tcp.options.unknown.payload" "Payload";
    TIME_RELATIVE: relative "tcp.time_relative" "Time since first frame in this TCP stream";
    TIME_DELTA: relative "tcp.time_delta" "Time since previous frame in this TCP stream";
    ANALYSIS: none "tcp.analysis" "SEQ/ACK analysis";
    ACKS_FRAME: frame "tcp.analysis.acks_frame" "This is an ACK to the segment in frame";
    ACK_RTT: relative "tcp.analysis.ack_rtt" "The RTT to ACK the segment was";
    INITIAL_RTT: relative "tcp.analysis.initial_rtt" "iRTT";
    IN_FLIGHT: u32 "tcp.analysis.bytes_in_flight" "Bytes in flight";
    PUSH_BYTES: u32 "tcp.analysis.push_bytes_sent" "Bytes sent since last PSH flag";
    RTO: relative "tcp.analysis.rto" "The RTO for this segment was";
    RTO_FRAME: frame "tcp.analysis.rto_frame" "RTO based on delta from frame";
    ANALYSIS_FLAGS: none "tcp.analysis.flags" "TCP Analysis Flags";
    RETRANSMISSION: none "tcp.analysis.retransmission" "This frame is a (suspected) retransmission";
    FAST_RETRANSMISSION: none "tcp.analysis.fast_retransmission" "This frame is a (suspected) fast retransmission";
    SPURIOUS_RETRANSMISSION: none "tcp.analysis.spurious_retransmission" "This frame is a (suspected) spurious retransmission";
    OUT_OF_ORDER: none "tcp.analysis.out_of_order" "This frame is a (suspected) out-of-order segment";
    LOST_SEGMENT: none "tcp.analysis.lost_segment" "Previous segment(s) not captured (common at capture start)";
    ACK_LOST_SEGMENT: none "tcp.analysis.ack_lost_segment" "ACKed segment that wasn't captured (common at capture start)";
    DUPLICATE_ACK: none "tcp.analysis.duplicate_ack" "Duplicate ACK";
    DUPLICATE_ACK_NUM: u32 "tcp.analysis.duplicate_ack_num" "Duplicate ACK #";
    DUPLICATE_ACK_FRAME: frame "tcp.analysis.duplicate_ack_frame" "Duplicate to the ACK in frame";
    KEEP_ALIVE: none "tcp.analysis.keep_alive" "TCP keep-alive segment";
    KEEP_ALIVE_ACK: none "tcp.analysis.keep_alive_ack" "ACK to a TCP keep-alive segment";
    ZERO_WINDOW: none "tcp.analysis.zero_window" "TCP Zero Window segment";
    ZERO_WINDOW_PROBE: none "tcp.analysis.zero_window_probe" "TCP Zero Window Probe";
    ZERO_WINDOW_PROBE_ACK: none "tcp.analysis.zero_window_probe_ack" "ACK to a TCP Zero Window Probe";
    WINDOW_UPDATE: none "tcp.analysis.window_update" "TCP window update";
    WINDOW_FULL: none "tcp.analysis.window_full" "TCP window specified by the receiver is now completely full";
    REUSED_PORTS: none "tcp.analysis.reused_ports" "A new tcp session is started with the same ports as an earlier session in this trace";
    CONNECTION_SYN: none "tcp.connection.syn" "Connection establish request (SYN)";
    CONNECTION_SYNACK: none "tcp.connection.synack" "Connection establish acknowledge (SYN+ACK)";
    CONNECTION_FIN: none "tcp.connection.fin" "Connection finish (FIN)";
    CONNECTION_RST: none "tcp.connection.rst" "Connection reset (RST)";
    CHECKSUM_BAD: none "tcp.checksum_bad.expert" "Bad checksum";
    PAYLOAD: bytes "tcp.payload" "TCP payload";
    RESET_CAUSE: text "tcp.reset_cause" "Reset cause";
    SEGMENT_DATA: bytes "tcp.segment_data" "TCP segment data";
    REASSEMBLED_LENGTH: u32 "tcp.reassembled.length" "Reassembled TCP length";
}

/// The conclusions in the order in which they are shown.
static CONCLUSIONS: [(u32, &FieldDef); 15] = [
    (Flags::RETRANSMISSION, &RETRANSMISSION),
    (Flags::FAST_RETRANSMISSION, &FAST_RETRANSMISSION),
    (Flags::SPURIOUS_RETRANSMISSION, &SPURIOUS_RETRANSMISSION),
    (Flags::OUT_OF_ORDER, &OUT_OF_ORDER),
    (Flags::LOST_SEGMENT, &LOST_SEGMENT),
    (Flags::ACK_LOST_SEGMENT, &ACK_LOST_SEGMENT),
    (Flags::WINDOW_UPDATE, &WINDOW_UPDATE),
    (Flags::WINDOW_FULL, &WINDOW_FULL),
    (Flags::KEEP_ALIVE, &KEEP_ALIVE),
    (Flags::KEEP_ALIVE_ACK, &KEEP_ALIVE_ACK),
    (Flags::DUPLICATE_ACK, &DUPLICATE_ACK),
    (Flags::ZERO_WINDOW_PROBE, &ZERO_WINDOW_PROBE),
    (Flags::ZERO_WINDOW, &ZERO_WINDOW),
    (Flags::ZERO_WINDOW_PROBE_ACK, &ZERO_WINDOW_PROBE_ACK),
    (Flags::REUSED_PORTS, &REUSED_PORTS),
];

/// No segment is longer, whatever a capture claims.
const LEN_MAX: usize = 1 << 30;

pub(crate) fn dissect(cx: &mut Context<'_>, segment: Data<'_>) {
    cx.layer(&TCP, segment, body);
}

/// What waits behind gaps of a stream when its last packet has been read, for who follows it.
pub(crate) fn rest(cx: &mut Context<'_>, stream: u64) {
    let Some((a, b)) = cx.state.tcp.ends(|flow| flow.index == stream) else { return };
    ((cx.src, cx.src_port), (cx.dst, cx.dst_port), cx.flow) = (a, b, stream);
    for side in 0..2 {
        payload::release(cx, side, None, false);
    }
}

/// What the options said that the analysis needs.
#[derive(Default)]
struct Said {
    scale: Option<u8>,
    sack: [(u32, u32); 4],
    sacks: usize,
}

fn body(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let segment = c.data;
    let src = c.u16(cx, &SRC_PORT)?;
    let dst = c.u16(cx, &DST_PORT)?;
    (cx.src_port, cx.dst_port) = (src, dst);
    if cx.is_quoted {
        return quoted(cx, c);
    }
    let (seq, ack) = (segment.u32(4)?, segment.u32(8)?);
    let flags = segment.u16(12)? & 0x0FFF;
    let window = segment.u16(14)?;
    segment.u16(18)?;
    let hdr_len = usize::from(segment.u8(12)? >> 4) * 4;
    if hdr_len < 20 {
        cx.add(&HDR_LEN, segment, 12, 1, hdr_len as u64);
        return Err(Short);
    }
    let payload = segment.from(hdr_len);
    // What the wire carried, not what the capture kept of it.
    let len = segment.len().saturating_add(cx.missing).saturating_sub(hdr_len).min(LEN_MAX) as u32;
    let said = scan(segment.first(hdr_len).from(20));
    let packet = Segment {
        number: cx.number,
        time: cx.time,
        seq,
        ack,
        flags,
        window,
        len,
        scale: said.scale,
        is_cut: segment.len() < hdr_len,
        sack: &said.sack[..said.sacks],
    };
    let ends = ((cx.src, src), (cx.dst, dst));
    let side = usize::from(ends.0 > ends.1);
    let reused = cx.state.tcp.flow(ends.0, ends.1).is_reused_by(side, seq, flags);
    if reused && cx.state.options.reassemble_out_of_order {
        payload::give_up(cx, side);
    }
    let flow = if reused { cx.state.tcp.renew(ends.0, ends.1) } else { cx.state.tcp.flow(ends.0, ends.1) };
    let mut found = flow.segment(side, &packet);
    let waits = flow.sides[side].order.has_unread() || flow.sides[1 - side].order.waits_behind_gap();
    if reused {
        found.flags.0 |= Flags::REUSED_PORTS;
        // Wireshark tells of this SYN at once, of others from the next segment on.
        found.completeness = 1;
    }
    if flags & SYN != 0 {
        flow.sides[side].order.begin(seq.wrapping_add(1));
        if found.flags.0 & (Flags::RETRANSMISSION | Flags::OUT_OF_ORDER | Flags::SPURIOUS_RETRANSMISSION) == 0
        {
            flow.sides[side].pdus.clear();
        }
    }
    // Wireshark makes the connection when FTP announces it, and does not count its SYN.
    if cx.state.is_announced(ends.0, ends.1) {
        found.completeness &= !1;
    }
    cx.flow = found.stream;
    show(cx, c, &found, flags, len, seq, ack);
    let status = status(cx, segment);
    cx.conclude(&STATUS, status);
    if status == names::BAD {
        cx.expert(&CHECKSUM_BAD);
    }
    c.pos = 18;
    c.u16(cx, &URGENT)?;
    let cut = hdr_len > segment.len();
    if hdr_len > 20 {
        options(cx, segment.first(hdr_len).from(20))?;
    }
    if cut {
        return Err(Short);
    }
    c.pos = hdr_len;
    cx.conclude(&TIME_RELATIVE, found.since_first);
    cx.conclude(&TIME_DELTA, found.since_previous);
    conclusions(cx, &found);
    let place = Place { side, seq, relative: found.relative_seq, len, flags, found: found.flags };
    if waits && cx.state.options.reassemble_out_of_order {
        payload::catch_up(cx, place, (flags & analysis::ACK != 0).then_some(ack));
    }
    if flags & FIN != 0 && payload::finish(cx, place, payload) {
        return Ok(());
    }
    if !payload.is_empty() {
        if flags & RST == 0 {
            cx.add(&PAYLOAD, payload, 0, payload.len(), 0);
            payload::hand_on(cx, place, payload);
        } else {
            cx.add(&RESET_CAUSE, payload, 0, payload.len(), 0);
        }
    }
    Ok(())
}

fn show(
    cx: &mut Context<'_>,
    c: &mut Cursor<'_>,
    found: &Findings,
    flags: u16,
    len: u32,
    seq: u32,
    ack: u32,
) {
    let segment = c.data;
    let flags = u64::from(flags);
    cx.conclude(&STREAM, found.stream);
    cx.conclude(&COMPLETENESS, u64::from(found.completeness));
    cx.conclude(&LEN, u64::from(len));
    cx.add(&SEQ, segment, 4, 4, u64::from(found.relative_seq));
    cx.add(&SEQ_RAW, segment, 4, 4, u64::from(seq));
    cx.conclude(&NXTSEQ, u64::from(found.next_seq.unwrap_or(0)));
    cx.add(&ACK, segment, 8, 4, u64::from(found.relative_ack));
    cx.add(&ACK_RAW, segment, 8, 4, u64::from(ack));
    cx.add(&HDR_LEN, segment, 12, 1, u64::from(segment.bytes[12] >> 4) * 4);
    show_flags(cx, segment, flags);
    let word = |at: usize| u64::from(u16::from_be_bytes([segment.bytes[at], segment.bytes[at + 1]]));
    cx.add(&WINDOW_VALUE, segment, 14, 2, word(14));
    cx.conclude(&WINDOW, u64::from(found.window));
    if found.scale_factor != -1 || flags & u64::from(SYN) == 0 {
        cx.conclude(&WINDOW_SCALE, i64::from(found.scale_factor) as u64);
    }
    cx.add(&CHECKSUM, segment, 16, 2, word(16));
}

fn show_flags(cx: &mut Context<'_>, segment: Data<'_>, flags: u64) {
    cx.add(&FLAGS, segment, 12, 2, flags);
    cx.depth += 1;
    for def in [
        &FLAG_RES,
        &FLAG_AE,
        &FLAG_CWR,
        &FLAG_ECE,
        &FLAG_URG,
        &FLAG_ACK,
        &FLAG_PUSH,
        &FLAG_RESET,
        &FLAG_SYN,
        &FLAG_FIN,
    ] {
        cx.add(def, segment, 12, 2, (flags & def.mask) >> def.mask.trailing_zeros());
    }
    if flags & u64::from(SYN | FIN | RST) != 0 {
        connection(cx, flags as u16);
    }
    cx.depth -= 1;
}

/// What a segment does to its connection.
fn connection(cx: &mut Context<'_>, flags: u16) {
    if flags & RST != 0 {
        cx.expert(&CONNECTION_RST);
    }
    if flags & SYN != 0 {
        cx.expert(if flags & analysis::ACK != 0 { &CONNECTION_SYNACK } else { &CONNECTION_SYN });
    }
    if flags & FIN != 0 {
        cx.expert(&CONNECTION_FIN);
    }
}

/// The beginning of a segment in an ICMP error: of its header all that is there, of its connection what is known.
fn quoted(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    const ENOUGH: usize = 16;
    let segment = c.data;
    let (seq, is_6) = (segment.u32(4)?, cx.src.is_ipv6());
    cx.add(&SEQ, segment, 4, 4, u64::from(seq));
    if segment.len() < ENOUGH {
        c.pos = segment.len().min(8);
        return Ok(());
    }
    let flags = segment.u16(12)? & 0x0FFF;
    let (a, b, now) = ((cx.src, cx.src_port), (cx.dst, cx.dst_port), cx.time);
    let found = cx.state.tcp.flow(a, b).quoted(usize::from(a > b), seq, flags, now);
    cx.conclude(&STREAM, found.stream);
    cx.conclude(&COMPLETENESS, u64::from(found.completeness));
    if is_6 {
        cx.add(&SEQ_RAW, segment, 4, 4, u64::from(seq));
    }
    let hdr_len = usize::from(segment.u8(12)? >> 4) * 4;
    let ack = u64::from(segment.u32(8)?);
    cx.add(&ACK, segment, 8, 4, ack);
    cx.add(&ACK_RAW, segment, 8, 4, ack);
    cx.add(&HDR_LEN, segment, 12, 1, hdr_len as u64);
    show_flags(cx, segment, u64::from(flags));
    let window = u64::from(segment.u16(14)?);
    cx.add(&WINDOW_VALUE, segment, 14, 2, window);
    cx.conclude(&WINDOW, window);
    if flags & SYN == 0 {
        let factor = if found.scale_factor >= 0 { 1 << found.scale_factor } else { found.scale_factor };
        cx.conclude(&WINDOW_SCALE, i64::from(factor) as u64);
    }
    c.pos = 16;
    if c.left() < 4 {
        return Ok(());
    }
    c.u16(cx, &CHECKSUM)?;
    cx.conclude(&STATUS, names::UNVERIFIED);
    c.u16(cx, &URGENT)?;
    if hdr_len > segment.len() || hdr_len < 20 {
        return Ok(());
    }
    if hdr_len > 20 {
        options(cx, segment.first(hdr_len).from(20))?;
    }
    cx.conclude(&TIME_RELATIVE, found.since_first);
    cx.conclude(&TIME_DELTA, found.since_previous);
    if found.analysed || found.initial_rtt.is_some() {
        cx.conclude(&ANALYSIS, 0);
        if let Some(rtt) = found.initial_rtt {
            cx.depth += 1;
            cx.conclude(&INITIAL_RTT, rtt);
            cx.depth -= 1;
        }
    }
    c.pos = hdr_len;
    let payload = c.take_most(usize::MAX);
    if !payload.is_empty() {
        cx.add(&PAYLOAD, payload, 0, payload.len(), 0);
        ports::quoted_stream(cx, payload);
    }
    Ok(())
}

fn status(cx: &Context<'_>, segment: Data<'_>) -> u64 {
    if !cx.state.options.verify_checksums || cx.is_cut {
        return names::UNVERIFIED;
    }
    if ip::transport_sum(cx, 6, segment.bytes) == 0 { names::GOOD } else { names::BAD }
}

/// Reads ahead what the analysis needs of the options.
fn scan(options: Data<'_>) -> Said {
    let mut said = Said::default();
    let mut rest = options.bytes;
    while let [kind, after @ ..] = rest {
        match kind {
            0 => break,
            1 => rest = after,
            _ => {
                let Some(len) = after.first().map(|len| usize::from(*len)).filter(|len| *len >= 2) else {
                    break;
                };
                let Some(body) = rest.get(2..len) else { break };
                match kind {
                    3 => said.scale = body.first().copied(),
                    5 => {
                        for edges in body.chunks_exact(8).take(4) {
                            let word = |at: usize| {
                                u32::from_be_bytes([edges[at], edges[at + 1], edges[at + 2], edges[at + 3]])
                            };
                            said.sack[said.sacks] = (word(0), word(4));
                            said.sacks += 1;
                        }
                    }
                    _ => {}
                }
                rest = &rest[len..];
            }
        }
    }
    said
}

fn options(cx: &mut Context<'_>, data: Data<'_>) -> Read {
    let open = cx.open(&OPTIONS, data, 0, 0);
    let mut c = data.cursor();
    let mut result = Ok(());
    while !c.is_done() && result.is_ok() {
        let kind = c.data.bytes[c.pos];
        if kind <= 1 {
            result = c.u8(cx, &OPTION_KIND).map(|_| ());
            if kind == 0 {
                // What follows is padding (RFC 9293 3.1), which Wireshark shows as the same option again.
                while !c.is_done() && c.data.bytes[c.pos] == 0 {
                    c.u8(cx, &OPTION_KIND)?;
                }
                break;
            }
        } else {
            result = option(cx, &mut c);
        }
    }
    cx.close(open, data.len());
    result
}

fn option(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let kind = c.u8(cx, &OPTION_KIND)?;
    let len = usize::from(c.u8(cx, &OPTION_LEN)?);
    let body = c.take(len.checked_sub(2).ok_or(Short)?)?;
    let mut c = body.cursor();
    match (kind, body.len()) {
        (2, 2) => {
            c.u16(cx, &MSS)?;
        }
        (3, 1) => {
            let shift = c.u8(cx, &WSCALE)?;
            cx.conclude(&WSCALE_MULTIPLIER, 1 << shift.min(14));
        }
        (4, 0) => cx.add(&SACK_PERM, body, 0, 0, 0),
        (5, len) if len % 8 == 0 => {
            let base = cx
                .state
                .tcp
                .flow((cx.src, cx.src_port), (cx.dst, cx.dst_port))
                .base_of_peer((cx.src, cx.src_port), (cx.dst, cx.dst_port));
            while !c.is_done() {
                for def in [&SACK_LE, &SACK_RE] {
                    let edge = c.data.u32(c.pos)?.wrapping_sub(base);
                    cx.add(def, c.data, c.pos, 4, u64::from(edge));
                    c.pos += 4;
                }
            }
            cx.conclude(&SACK_COUNT, (len / 8) as u64);
        }
        (8, 8) => {
            c.u32(cx, &TSVAL)?;
            c.u32(cx, &TSECR)?;
        }
        (19, 16) => {
            c.bytes(cx, &MD5, 16)?;
        }
        (28, 2) => {
            c.parts(cx, 2, &[&USER_TIMEOUT_GRANULARITY, &USER_TIMEOUT])?;
        }
        (29, len) if len >= 2 => {
            c.u8(cx, &AO_KEY)?;
            c.u8(cx, &AO_NEXT)?;
            c.all(cx, &AO_MAC);
        }
        (34, 0) => cx.add(&TFO_REQUEST, body, 0, 0, 0),
        (34, _) => {
            c.all(cx, &TFO_COOKIE);
        }
        // Experiments share two kinds, and tell themselves apart (RFC 6994).
        (253 | 254, 2..) => match (c.u16(cx, &EXPERIMENT)?, c.left()) {
            (0xF989, 0) => cx.add(&TFO_REQUEST, body, 0, 0, 0),
            (0xF989, _) => drop(c.all(cx, &TFO_COOKIE)),
            (_, 0) => {}
            _ => drop(c.all(cx, &EXPERIMENT_DATA)),
        },
        (172 | 174, _) => {
            let order = if kind == 172 {
                [&ACC_ECN_0, &ACC_ECN_C, &ACC_ECN_1]
            } else {
                [&ACC_ECN_1, &ACC_ECN_C, &ACC_ECN_0]
            };
            for def in order.into_iter().take(body.len() / 3) {
                c.u24(cx, def)?;
            }
        }
        _ => {
            c.all(cx, &OPTION_UNKNOWN);
        }
    }
    Ok(())
}

fn conclusions(cx: &mut Context<'_>, found: &Findings) {
    let remarkable = found.flags.0 != 0;
    let measured = found.acks.is_some() || found.bytes_in_flight.is_some();
    if !remarkable && !measured && !found.analysed {
        return;
    }
    cx.conclude(&ANALYSIS, 0);
    cx.depth += 1;
    if let Some((frame, rtt)) = found.acks {
        cx.conclude(&ACKS_FRAME, frame);
        if rtt > 0 {
            cx.conclude(&ACK_RTT, rtt);
        }
    }
    if let Some(rtt) = found.initial_rtt {
        cx.conclude(&INITIAL_RTT, rtt);
    }
    if let Some(bytes) = found.bytes_in_flight {
        cx.conclude(&IN_FLIGHT, u64::from(bytes));
    }
    if let Some(bytes) = found.push_bytes_sent {
        cx.conclude(&PUSH_BYTES, u64::from(bytes));
    }
    if remarkable {
        cx.conclude(&ANALYSIS_FLAGS, 0);
        cx.depth += 1;
        for (flag, def) in &CONCLUSIONS {
            if found.flags.has(*flag) {
                cx.expert(def);
            }
            // These are told as two findings.
            match *flag & found.flags.0 {
                Flags::FAST_RETRANSMISSION | Flags::SPURIOUS_RETRANSMISSION => cx.expert(&RETRANSMISSION),
                Flags::DUPLICATE_ACK => cx.expert(&DUPLICATE_ACK),
                _ => {}
            }
        }
        cx.depth -= 1;
        if let Some((number, frame)) = found.duplicate_ack {
            cx.conclude(&DUPLICATE_ACK_NUM, u64::from(number));
            cx.conclude(&DUPLICATE_ACK_FRAME, frame);
        }
        if let Some((time, frame)) = found.rto {
            cx.conclude(&RTO, time);
            cx.conclude(&RTO_FRAME, frame);
        }
    }
    cx.depth -= 1;
}
