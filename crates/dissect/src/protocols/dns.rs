//! DNS (RFC 1035) with EDNS, DNSSEC and SVCB, over UDP and TCP; mDNS (RFC 6762), which differs in two bits.

mod keys;
mod rdata;

pub(crate) use keys::KEYS;
pub(crate) use rdata::RDATA;

use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{FieldDef, Names, Protocol, protocol};

pub(crate) static TYPES: Names = &[
    (1, "A"),
    (2, "NS"),
    (5, "CNAME"),
    (6, "SOA"),
    (12, "PTR"),
    (13, "HINFO"),
    (15, "MX"),
    (16, "TXT"),
    (28, "AAAA"),
    (33, "SRV"),
    (35, "NAPTR"),
    (39, "DNAME"),
    (41, "OPT"),
    (43, "DS"),
    (44, "SSHFP"),
    (46, "RRSIG"),
    (47, "NSEC"),
    (48, "DNSKEY"),
    (50, "NSEC3"),
    (51, "NSEC3PARAM"),
    (52, "TLSA"),
    (59, "CDS"),
    (60, "CDNSKEY"),
    (64, "SVCB"),
    (65, "HTTPS"),
    (251, "IXFR"),
    (252, "AXFR"),
    (255, "ANY"),
    (257, "CAA"),
];
static CLASSES: Names = &[(1, "IN"), (3, "CH"), (4, "HS"), (254, "NONE"), (255, "ANY")];
static OPCODES: Names = &[
    (0, "Standard query"),
    (1, "Inverse query"),
    (2, "Server status request"),
    (4, "Zone change notification"),
    (5, "Dynamic update"),
];
static RCODES: Names = &[
    (0, "No error"),
    (1, "Format error"),
    (2, "Server failure"),
    (3, "No such name"),
    (4, "Not implemented"),
    (5, "Refused"),
    (6, "Name exists"),
    (7, "RRset exists"),
    (8, "RRset does not exist"),
    (9, "Not authoritative"),
    (10, "Name out of zone"),
];

protocol! { DNS "dns" "DNS" "Domain Name System";
    LENGTH: u16 "dns.length" "Length";
    ID: u16 "dns.id" "Transaction ID", hex;
    FLAGS: u16 "dns.flags" "Flags", hex;
    RESPONSE: bool "dns.flags.response" "Response", mask(0x8000);
    OPCODE: u16 "dns.flags.opcode" "Opcode", mask(0x7800), names(OPCODES);
    AUTHORITATIVE: bool "dns.flags.authoritative" "Authoritative", mask(0x0400);
    TRUNCATED: bool "dns.flags.truncated" "Truncated", mask(0x0200);
    RECDESIRED: bool "dns.flags.recdesired" "Recursion desired", mask(0x0100);
    RECAVAIL: bool "dns.flags.recavail" "Recursion available", mask(0x0080);
    Z: bool "dns.flags.z" "Z", mask(0x0040);
    AUTHENTICATED: bool "dns.flags.authenticated" "Answer authenticated", mask(0x0020);
    CHECKDISABLE: bool "dns.flags.checkdisable" "Non-authenticated data", mask(0x0010);
    RCODE: u16 "dns.flags.rcode" "Reply code", mask(0x000F), names(RCODES);
    QUERIES: u16 "dns.count.queries" "Questions";
    ANSWERS: u16 "dns.count.answers" "Answer RRs";
    AUTH_RR: u16 "dns.count.auth_rr" "Authority RRs";
    ADD_RR: u16 "dns.count.add_rr" "Additional RRs";
    ZONES: u16 "dns.count.zones" "Zones";
    PREREQUISITES: u16 "dns.count.prerequisites" "Prerequisites";
    UPDATES: u16 "dns.count.updates" "Updates";
    QRY_NAME: text "dns.qry.name" "Name";
    QRY_NAME_LEN: u16 "dns.qry.name.len" "Name Length";
    LABELS: u16 "dns.count.labels" "Label Count";
    QRY_TYPE: u16 "dns.qry.type" "Type", names(TYPES);
    QRY_CLASS: u16 "dns.qry.class" "Class", hex, names(CLASSES);
    QRY_QU: bool "dns.qry.qu" "\"QU\" question", mask(0x8000);
    RESP_NAME: text "dns.resp.name" "Name";
    RESP_TYPE: u16 "dns.resp.type" "Type", names(TYPES);
    RESP_CLASS: u16 "dns.resp.class" "Class", hex, names(CLASSES);
    CACHE_FLUSH: bool "dns.resp.cache_flush" "Cache flush", mask(0x8000);
    RESP_TTL: u32 "dns.resp.ttl" "Time to live";
    RESP_LEN: u16 "dns.resp.len" "Data length";
    UDP_SIZE: u16 "dns.rr.udp_payload_size" "UDP payload size";
    EXT_RCODE: u8 "dns.resp.ext_rcode" "Higher bits in extended RCODE", hex;
    EDNS_VERSION: u8 "dns.resp.edns0_version" "EDNS0 version";
    RESP_Z: u16 "dns.resp.z" "Z", hex;
    RESP_DO: bool "dns.resp.z.do" "DO bit", mask(0x8000);
    RESP_Z_RESERVED: u16 "dns.resp.z.reserved" "Reserved", hex, mask(0x7FFF);
    RESPONSE_TO: frame "dns.response_to" "Request In";
    TIME: relative "dns.time" "Time";
    RETRANSMISSION: bool "dns.retransmission" "Retransmission";
    RETRANSMIT_RESPONSE: frame "dns.retransmit_response_in" "Retransmitted response. Original response in";
    UNSOLICITED: bool "dns.unsolicited" "Unsolicited";
    RETRANSMIT_REQUEST: frame "dns.retransmit_request_in" "Retransmitted request. Original request in";
}
protocol! { LLMNR "llmnr" "LLMNR" "Link-local Multicast Name Resolution";
    CONFLICT: bool "dns.flags.conflict" "Conflict", mask(0x0400);
    TENTATIVE: bool "dns.flags.tentative" "Tentative", mask(0x0100);
}
protocol! { MDNS "mdns" "MDNS" "Multicast Domain Name System"; }

/// Names are not longer in their written form, escapes included.
const NAME_MAX: usize = 1024;

/// Whether bytes on any port are a message, by Wireshark's guess: an ordinary question, or an answer that is not long.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let [_, _, flags, _, counts @ ..] = bytes else { return false };
    let count = |at: usize| {
        counts.get(2 * at..2 * at + 2).map_or(u16::MAX, |two| u16::from_be_bytes([two[0], two[1]]))
    };
    let (questions, answers, authorities, others) = (count(0), count(1), count(2), count(3));
    let fits = match flags & 0x80 {
        0 => questions == 1 && answers == 0 && authorities == 0,
        _ => questions <= 1 && answers <= 100 && authorities <= 10,
    };
    bytes.len() > 12 && flags & 0x78 == 0 && fits && others <= 10
}

/// A message in a datagram.
pub(crate) fn datagram(cx: &mut Context<'_>, message: Data<'_>, multicast: bool) {
    let protocol: &'static Protocol = if multicast { &MDNS } else { &DNS };
    cx.layer(protocol, message, |cx, c| body(cx, c, multicast, false));
}

/// A message of LLMNR (RFC 4795), whose flags have other meanings.
pub(crate) fn local(cx: &mut Context<'_>, message: Data<'_>) {
    cx.layer(&LLMNR, message, |cx, c| body(cx, c, false, true));
}

/// Whether whole messages, and nothing else, are these bytes: behind a loss, nothing else tells where one begins.
pub(crate) fn fill(mut bytes: &[u8]) -> bool {
    const HEADER: usize = 12;
    while let Some((len, rest)) = bytes.split_first_chunk() {
        let len = usize::from(u16::from_be_bytes(*len));
        match rest.get(len..).filter(|_| len >= HEADER) {
            Some(rest) => bytes = rest,
            None => return false,
        }
    }
    bytes.is_empty()
}

/// Messages on a stream, each behind its length. Gives how many bytes were used.
pub(crate) fn stream(cx: &mut Context<'_>, bytes: Data<'_>, one: bool) -> usize {
    let mut used = 0;
    while let Ok(len) = bytes.from(used).u16(0) {
        let total = usize::from(len) + 2;
        if bytes.len() - used < total {
            cx.wants = total;
            break;
        }
        cx.layer(&DNS, bytes.from(used).first(total), |cx, c| {
            c.u16(cx, &LENGTH)?;
            let mut inner = c.rest().cursor();
            let result = body(cx, &mut inner, false, false);
            c.pos += inner.pos;
            result
        });
        used += total;
        if one {
            break;
        }
    }
    used
}

fn body(cx: &mut Context<'_>, c: &mut Cursor<'_>, multicast: bool, local: bool) -> Read {
    let id = c.u16(cx, &ID)?;
    let parts: &[&FieldDef] = &[
        &RESPONSE,
        &OPCODE,
        &AUTHORITATIVE,
        &TRUNCATED,
        &RECDESIRED,
        &RECAVAIL,
        &Z,
        &AUTHENTICATED,
        &CHECKDISABLE,
        &RCODE,
    ];
    let query: &[&FieldDef] = &[&RESPONSE, &OPCODE, &TRUNCATED, &RECDESIRED, &Z, &CHECKDISABLE];
    let asks: &[&FieldDef] =
        &[&RESPONSE, &OPCODE, &TRUNCATED, &RECDESIRED, &Z, &AUTHENTICATED, &CHECKDISABLE];
    let flags = c.peek_u16()?;
    let is_response = flags & 0x8000 != 0;
    const UPDATE: u16 = 5;
    // RFC 2136 gives the sections other names.
    let is_update = flags >> 11 & 15 == UPDATE;
    let sections = if is_update {
        [&ZONES, &PREREQUISITES, &UPDATES, &ADD_RR]
    } else {
        [&QUERIES, &ANSWERS, &AUTH_RR, &ADD_RR]
    };
    let parts: &[&FieldDef] = match (is_response, flags >> 11 & 15) {
        (true, _) if local => &[&RESPONSE, &OPCODE, &CONFLICT, &TRUNCATED, &TENTATIVE, &RCODE],
        (false, _) if local => &[&RESPONSE, &OPCODE, &CONFLICT, &TRUNCATED, &TENTATIVE],
        (true, _) => parts,
        (false, _) if flags & 0x20 != 0 => asks,
        (false, _) => query,
    };
    bits(cx, c, parts)?;
    let mut counts = [0; 4];
    for (count, def) in counts.iter_mut().zip(sections) {
        *count = c.u16(cx, def)?;
    }
    for _ in 0..counts[0] {
        question(cx, c, multicast)?;
    }
    for count in &counts[1..] {
        for _ in 0..*count {
            record(cx, c, multicast)?;
        }
    }
    if !cx.is_quoted {
        // Of a zone transfer more than one message answers.
        let many = counts[0] > 0 && cx.last(&QRY_TYPE).is_some_and(|kind| matches!(kind, 251 | 252));
        pair(cx, id, is_response, many);
    }
    Ok(())
}

fn bits(cx: &mut Context<'_>, c: &mut Cursor<'_>, parts: &[&'static FieldDef]) -> Read {
    let raw = u64::from(c.u16(cx, &FLAGS)?);
    cx.depth += 1;
    for part in parts {
        cx.add(part, c.data, c.pos - 2, 2, crate::cursor::masked(raw, part.mask));
    }
    cx.depth -= 1;
    Ok(())
}

/// Finds the question to an answer.
fn pair(cx: &mut Context<'_>, id: u16, is_response: bool, many: bool) {
    let (number, time, flow) = (cx.number, cx.time, cx.flow);
    let (here, there) = ((cx.src, cx.src_port), (cx.dst, cx.dst_port));
    // By Wireshark's rules: per conversation, whoever asks.
    let key = if here <= there { (here, there, id, flow) } else { (there, here, id, flow) };
    let known = cx.state.dns.get(&key);
    match (is_response, known) {
        // A question with the same number that comes after 5 s, or after the answer, is another one.
        (false, Some(Asked { frame, time: then, answer: 0, .. }))
            if time.saturating_sub(then) < 5_000_000_000 =>
        {
            cx.conclude(&RETRANSMISSION, 1);
            cx.conclude(&RETRANSMIT_REQUEST, frame);
        }
        (false, _) => cx.state.dns.insert(key, Asked { frame: number, time, answer: 0, many }),
        (true, Some(Asked { answer, many: false, .. })) if answer != 0 => {
            cx.conclude(&RETRANSMIT_RESPONSE, answer);
            cx.conclude(&RETRANSMISSION, 1);
        }
        (true, Some(asked)) => {
            cx.conclude(&RESPONSE_TO, asked.frame);
            cx.conclude(&TIME, time.wrapping_sub(asked.time));
            if asked.answer == 0 {
                cx.state.dns.insert(key, Asked { answer: number, ..asked });
            }
        }
        (true, None) => cx.conclude(&UNSOLICITED, 1),
    }
}

/// A question that was seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    frame: u64,
    time: u64,
    /// The frame that answered it; 0: none has.
    answer: u64,
    /// More than one message answers.
    many: bool,
}

fn question(cx: &mut Context<'_>, c: &mut Cursor<'_>, multicast: bool) -> Read {
    let (len, labels) = name(cx, c, &QRY_NAME)?;
    cx.conclude(&QRY_NAME_LEN, len as u64);
    cx.conclude(&LABELS, labels as u64);
    c.u16(cx, &QRY_TYPE)?;
    if multicast {
        let raw = c.peek_u16()?;
        cx.add(&QRY_CLASS, c.data, c.pos, 2, u64::from(raw & 0x7FFF));
        c.parts(cx, 2, &[&QRY_QU])?;
    } else {
        c.u16(cx, &QRY_CLASS)?;
    }
    Ok(())
}

fn record(cx: &mut Context<'_>, c: &mut Cursor<'_>, multicast: bool) -> Read {
    name(cx, c, &RESP_NAME)?;
    let kind = c.u16(cx, &RESP_TYPE)?;
    if kind == 41 {
        if multicast {
            let raw = c.peek_u16()?;
            cx.add(&UDP_SIZE, c.data, c.pos, 2, u64::from(raw & 0x7FFF));
            c.parts(cx, 2, &[&CACHE_FLUSH])?;
        } else {
            c.u16(cx, &UDP_SIZE)?;
        }
        c.u8(cx, &EXT_RCODE)?;
        c.u8(cx, &EDNS_VERSION)?;
        c.bits(cx, &RESP_Z, 2, &[&RESP_DO, &RESP_Z_RESERVED])?;
    } else {
        if multicast {
            let raw = c.peek_u16()?;
            cx.add(&RESP_CLASS, c.data, c.pos, 2, u64::from(raw & 0x7FFF));
            c.parts(cx, 2, &[&CACHE_FLUSH])?;
        } else {
            c.u16(cx, &RESP_CLASS)?;
        }
        c.u32(cx, &RESP_TTL)?;
    }
    let len = usize::from(c.u16(cx, &RESP_LEN)?);
    let end = c.pos + len;
    if end > c.data.len() {
        return Err(Short);
    }
    // Names in the data point back into the message: the cursor stays in the whole of it.
    let mut inside = Cursor { data: c.data.first(end), pos: c.pos };
    // Updates name what must be there, or has to go, without any data (RFC 2136 2.4).
    let result = if len == 0 { Ok(()) } else { rdata::show(cx, &mut inside, kind) };
    c.pos = end;
    result
}

/// Reads a name and adds it; gives its length and how many labels it has. Pointers only go backwards, so it ends.
fn name(cx: &mut Context<'_>, c: &mut Cursor<'_>, def: &'static FieldDef) -> Read<(usize, usize)> {
    let begins = c.pos;
    let kept = cx.arena.text.len();
    let (mut at, mut limit, mut after) = (begins, begins, None);
    let (mut labels, mut len) = (0, 0);
    loop {
        let byte = usize::from(c.data.u8(at)?);
        match byte >> 6 {
            0 if byte == 0 => {
                at += 1;
                break;
            }
            0 => {
                let label = c.data.bytes.get(at + 1..at + 1 + byte).ok_or(Short)?;
                if labels > 0 {
                    cx.arena.text.push(b'.');
                }
                for byte in label {
                    match *byte {
                        // RFC 1035 5.1: what can't be printed is written in decimal; UTF-8 can (RFC 6763 4.1.1).
                        0x20..=0x7E | 0x80.. => cx.arena.text.push(*byte),
                        _ => {
                            let digits = [b'0' + byte / 100, b'0' + byte / 10 % 10, b'0' + byte % 10];
                            cx.arena.text.push(b'\\');
                            cx.arena.text.extend_from_slice(&digits);
                        }
                    }
                }
                labels += 1;
                len += byte + 1;
                at += 1 + byte;
            }
            3 => {
                let to = usize::from(c.data.u16(at)? & 0x3FFF);
                after.get_or_insert(at + 2);
                if to >= limit {
                    return Err(Short);
                }
                (at, limit) = (to, to);
            }
            _ => return Err(Short),
        }
        if len > NAME_MAX {
            return Err(Short);
        }
    }
    if labels == 0 {
        cx.arena.text.extend_from_slice(b"<Root>");
        (len, labels) = (6, 1);
    } else {
        len -= 1;
    }
    c.pos = after.unwrap_or(at);
    let value = (kept as u64) << 32 | (cx.arena.text.len() - kept) as u64;
    cx.add_text(def, c.data, begins, c.pos - begins, value);
    Ok((len, labels))
}
