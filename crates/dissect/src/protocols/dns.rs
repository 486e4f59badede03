//! DNS (RFC 1035) with EDNS, DNSSEC and SVCB, over UDP and TCP; mDNS (RFC 6762), which differs in two bits.

mod keys;
mod rdata;
#[cfg(test)]
mod tests;

pub(crate) use keys::KEYS;
pub(crate) use rdata::RDATA;

use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{FieldDef, Names, Protocol, protocol};
use crate::streams::table::End;

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
    SRV_SERVICE: text "dns.srv.service" "Service";
    SRV_PROTO: text "dns.srv.proto" "Protocol";
    SRV_NAME: text "dns.srv.name" "Name";
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

/// A name with its labels' lengths is shorter (RFC 1035 2.3.4), and has no more pointers in it.
const NAME_MAX: usize = 255;

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
    // Before anything that may be wrong: also a question that can't be read may be answered.
    let found = if cx.is_quoted { Found::Nothing } else { pair(cx, id, is_response) };
    bits(cx, c, parts)?;
    let mut counts = [0; 4];
    for (count, def) in counts.iter_mut().zip(sections) {
        *count = c.u16(cx, def)?;
    }
    for _ in 0..counts[0] {
        question(cx, c, multicast)?;
    }
    // Of a zone transfer more than one message answers.
    if !is_response && counts[0] > 0 && cx.last(&QRY_TYPE).is_some_and(|kind| matches!(kind, 251 | 252)) {
        let key = key(cx, id);
        if let Some(asked) = cx.state.dns.get(&key) {
            cx.state.dns.insert(key, Asked { many: true, ..asked });
        }
    }
    for count in &counts[1..] {
        for _ in 0..*count {
            record(cx, c, multicast)?;
        }
    }
    tell(cx, found);
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

/// Who speaks with whom, about what.
pub(crate) type Key = (End, End, u16, u64, u64);

/// As in Wireshark: per conversation, whoever asks. Over HTTP, where all numbers are 0 (RFC 8484 4.1), per exchange.
fn key(cx: &Context<'_>, id: u16) -> Key {
    let (here, there) = ((cx.src, cx.src_port), (cx.dst, cx.dst_port));
    let (low, high) = if here <= there { (here, there) } else { (there, here) };
    (low, high, id, cx.flow, cx.exchange)
}

/// What a message is to those before it.
enum Found {
    Nothing,
    Repeated(u64),
    /// The frame of the question and when it came.
    Answers(u64, u64),
    AnswersAgain(u64),
    Unsolicited,
}

/// Finds the question to an answer, or remembers a question.
fn pair(cx: &mut Context<'_>, id: u16, is_response: bool) -> Found {
    let (number, time) = (cx.number, cx.time);
    let key = key(cx, id);
    match (is_response, cx.state.dns.get(&key)) {
        // A question with the same number that comes after 5 s, or after the answer, is another one.
        (false, Some(Asked { frame, time: then, answer: 0, .. }))
            if time.saturating_sub(then) < 5_000_000_000 =>
        {
            Found::Repeated(frame)
        }
        (false, _) => {
            cx.state.dns.insert(key, Asked { frame: number, time, answer: 0, many: false });
            Found::Nothing
        }
        (true, Some(Asked { answer, many: false, .. })) if answer != 0 => Found::AnswersAgain(answer),
        (true, Some(asked)) => {
            if asked.answer == 0 {
                cx.state.dns.insert(key, Asked { answer: number, ..asked });
            }
            Found::Answers(asked.frame, asked.time)
        }
        (true, None) => Found::Unsolicited,
    }
}

fn tell(cx: &mut Context<'_>, found: Found) {
    match found {
        Found::Nothing => {}
        Found::Repeated(question) => {
            cx.conclude(&RETRANSMISSION, 1);
            cx.conclude(&RETRANSMIT_REQUEST, question);
        }
        Found::Answers(question, then) => {
            cx.conclude(&RESPONSE_TO, question);
            cx.conclude(&TIME, cx.time.wrapping_sub(then));
        }
        Found::AnswersAgain(answer) => {
            cx.conclude(&RETRANSMIT_RESPONSE, answer);
            cx.conclude(&RETRANSMISSION, 1);
        }
        Found::Unsolicited => cx.conclude(&UNSOLICITED, 1),
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
    // As in Wireshark, a record is shown if all of it is there.
    let mut ahead = *c;
    let kept = cx.arena.fields.len();
    name(cx, &mut ahead, &RESP_NAME)?;
    let (kind, len) = (ahead.data.u16(ahead.pos), ahead.data.u16(ahead.pos + 8));
    let (Ok(kind), Ok(len)) = (kind, len) else {
        cx.arena.fields.truncate(kept);
        return Err(Short);
    };
    let end = ahead.pos + 10 + usize::from(len);
    if end > c.data.len() {
        cx.arena.fields.truncate(kept);
        return Err(Short);
    }
    *c = ahead;
    if kind == SRV {
        service(cx, c);
    }
    c.u16(cx, &RESP_TYPE)?;
    if kind == OPT {
        class(cx, c, multicast, &UDP_SIZE)?;
        c.u8(cx, &EXT_RCODE)?;
        c.u8(cx, &EDNS_VERSION)?;
        c.bits(cx, &RESP_Z, 2, &[&RESP_DO, &RESP_Z_RESERVED])?;
    } else {
        class(cx, c, multicast, &RESP_CLASS)?;
        c.u32(cx, &RESP_TTL)?;
    }
    c.u16(cx, &RESP_LEN)?;
    // Names in the data point back into the message: the cursor stays in the whole of it.
    let mut inside = Cursor { data: c.data.first(end), pos: c.pos };
    // Updates name what must be there, or has to go, without any data (RFC 2136 2.4).
    let result = if len == 0 { Ok(()) } else { rdata::show(cx, &mut inside, kind, c.data) };
    c.pos = end;
    result
}

const SRV: u16 = 33;
const OPT: u16 = 41;

/// The class, of which multicast DNS takes a bit for itself; or what stands in its place.
fn class(cx: &mut Context<'_>, c: &mut Cursor<'_>, multicast: bool, def: &'static FieldDef) -> Read {
    if !multicast {
        return c.u16(cx, def).map(drop);
    }
    let raw = c.peek_u16()?;
    cx.add(def, c.data, c.pos, 2, u64::from(raw & 0x7FFF));
    c.parts(cx, 2, &[&CACHE_FLUSH]).map(drop)
}

/// What the owner of a SRV record says: a service, a protocol, and whose (RFC 2782).
fn service(cx: &mut Context<'_>, c: &Cursor<'_>) {
    let Some(name) = cx.arena.fields.last().copied().filter(|field| field.def.is(&RESP_NAME)) else { return };
    let (mut start, end) = ((name.value >> 32) as usize, cx.arena.text.len());
    for (place, def) in [&SRV_SERVICE, &SRV_PROTO, &SRV_NAME].into_iter().enumerate() {
        let rest = cx.arena.text.get(start..end).unwrap_or(&[]);
        let dot = rest.iter().position(|byte| *byte == b'.').filter(|_| place < 2);
        let len = dot.unwrap_or(rest.len());
        cx.add_text(
            def,
            c.data,
            c.pos - name.len as usize,
            name.len as usize,
            (start as u64) << 32 | len as u64,
        );
        match dot {
            Some(dot) => start += dot + 1,
            None => break,
        }
    }
}

/// What stands in the place of a name that can't be read, and nothing but the name is wrong then: Wireshark's words.
const ODD_NAMES: [&[u8]; 3] =
    [b"<Name too long>", b"<Unknown extended label>", b"<Name contains a pointer that loops>"];

/// Reads a name and adds it; gives its length and how many labels it has.
fn name(cx: &mut Context<'_>, c: &mut Cursor<'_>, def: &'static FieldDef) -> Read<(usize, usize)> {
    let begins = c.pos;
    let kept = cx.arena.text.len();
    let (mut at, mut after) = (begins, None);
    let (mut labels, mut len, mut pointers) = (0, 0, 0);
    let odd = loop {
        let byte = usize::from(c.data.u8(at)?);
        match byte >> 6 {
            0 if byte == 0 => {
                at += 1;
                break (len >= NAME_MAX).then_some(0);
            }
            0 => {
                let label = c.data.bytes.get(at + 1..at + 1 + byte).ok_or(Short)?;
                (labels, len, at) = (labels + 1, len + byte + 1, at + 1 + byte);
                if len < NAME_MAX {
                    if labels > 1 {
                        cx.arena.text.push(b'.');
                    }
                    label.iter().for_each(|byte| escape(&mut cx.arena.text, *byte));
                } else if after.is_some() {
                    // Where the field ends is known, so nothing is left to find.
                    break Some(0);
                }
            }
            // Bits as labels have been given up (RFC 6891 5).
            1 if byte == 0x41 => return Err(Short),
            1 => {
                after = Some(at + 1);
                break Some(1);
            }
            3 => {
                let to = usize::from(c.data.u16(at)? & 0x3FFF);
                after.get_or_insert(at + 2);
                pointers += 1;
                if pointers > NAME_MAX {
                    break Some(2);
                }
                at = to;
            }
            _ => return Err(Short),
        }
    };
    let shown = odd.map(|odd| ODD_NAMES[odd]).or((labels == 0).then_some(&b"<Root>"[..]));
    if let Some(words) = shown {
        cx.arena.text.truncate(kept);
        cx.arena.text.extend_from_slice(words);
        (len, labels) = (words.len() + 1, 1);
    }
    c.pos = after.unwrap_or(at);
    // Nothing but the root is as short.
    if c.pos < begins + if odd.is_some() { 2 } else { 1 } {
        return Err(Short);
    }
    let value = (kept as u64) << 32 | (cx.arena.text.len() - kept) as u64;
    cx.add_text(def, c.data, begins, c.pos - begins, value);
    Ok((len - 1, labels))
}

/// Writes a character of a name. What can't be printed is written as C does, which is what filters compare with; UTF-8
/// can be printed (RFC 6763 4.1.1).
fn escape(text: &mut Vec<u8>, byte: u8) {
    let letter = match byte {
        0x20..=0x7E | 0x80.. => return text.push(byte),
        7 => b'a',
        8 => b'b',
        9 => b't',
        10 => b'n',
        11 => b'v',
        12 => b'f',
        13 => b'r',
        _ => {
            let digits = [byte >> 6, byte >> 3 & 7, byte & 7].map(|digit| b'0' + digit);
            text.push(b'\\');
            return text.extend_from_slice(&digits);
        }
    };
    text.extend_from_slice(&[b'\\', letter]);
}
