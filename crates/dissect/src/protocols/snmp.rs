//! SNMP (RFC 1157, 3416, 3412): BER, walked by its tags.

use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{FieldDef, Kind, Names, protocol};

static VERSIONS: Names = &[(0, "version-1"), (1, "v2c"), (2, "v2u"), (3, "snmpv3")];
static PDUS: Names = &[
    (0, "get-request"),
    (1, "get-next-request"),
    (2, "get-response"),
    (3, "set-request"),
    (4, "trap"),
    (5, "getBulkRequest"),
    (6, "informRequest"),
    (7, "snmpV2-trap"),
    (8, "report"),
];
static ERRORS: Names = &[
    (0, "noError"),
    (1, "tooBig"),
    (2, "noSuchName"),
    (3, "badValue"),
    (4, "readOnly"),
    (5, "genErr"),
    (6, "noAccess"),
    (16, "authorizationError"),
    (17, "notWritable"),
];

protocol! { SNMP "snmp" "SNMP" "Simple Network Management Protocol";
    VERSION: int "snmp.version" "version", names(VERSIONS);
    MSG_VERSION: int "snmp.msgVersion" "msgVersion", names(VERSIONS);
    PARAMETERS: bytes "snmp.parameters" "parameters";
    COMMUNITY: text "snmp.community" "community";
    DATA: u32 "snmp.data" "data", names(PDUS);
    GET: none "snmp.get_request_element" "get-request";
    GET_NEXT: none "snmp.get_next_request_element" "get-next-request";
    RESPONSE: none "snmp.get_response_element" "get-response";
    SET: none "snmp.set_request_element" "set-request";
    TRAP: none "snmp.trap_element" "trap";
    BULK: none "snmp.getBulkRequest_element" "getBulkRequest";
    INFORM: none "snmp.informRequest_element" "informRequest";
    TRAP2: none "snmp.snmpV2_trap_element" "snmpV2-trap";
    REPORT: none "snmp.report_element" "report";
    REQUEST_ID: int "snmp.request_id" "request-id";
    ERROR_STATUS: int "snmp.error_status" "error-status", names(ERRORS);
    ERROR_INDEX: int "snmp.error_index" "error-index";
    NON_REPEATERS: u32 "snmp.non_repeaters" "non-repeaters";
    REPETITIONS: u32 "snmp.max_repetitions" "max-repetitions";
    BINDINGS: u32 "snmp.variable_bindings" "variable-bindings";
    NAME: oid "snmp.name" "Object Name";
    VALUE_INT: int "snmp.value.int" "Value (Integer32)";
    VALUE_OCTETS: bytes "snmp.value.octets" "Value (OctetString)";
    VALUE_WORDS: text "snmp.var-bind_str" "Variable-binding-string";
    VALUE_OID: oid "snmp.value.oid" "Value (OID)";
    VALUE_NULL: none "snmp.value.null" "Value (Null)";
    VALUE_IPV4: ipv4 "snmp.value.ipv4" "Value (IpAddress)";
    VALUE_U32: int "snmp.value.u32" "Value (Unsigned32)";
    VALUE_G32: int "snmp.value.g32" "Value (Gauge32)";
    VALUE_COUNTER: u64 "snmp.value.counter" "Value (Counter64)";
    VALUE_TICKS: u64 "snmp.value.timeticks" "Value (Timeticks)";
    VALUE_OPAQUE: bytes "snmp.value.opaque" "Value (Opaque)";
    NO_OBJECT: none "snmp.noSuchObject" "noSuchObject";
    NO_INSTANCE: none "snmp.noSuchInstance" "noSuchInstance";
    END_OF_VIEW: none "snmp.endOfMibView" "endOfMibView";
    ENTERPRISE: oid "snmp.enterprise" "enterprise";
    AGENT: ipv4 "snmp.agent_addr" "agent-addr";
    GENERIC: int "snmp.generic_trap" "generic-trap";
    SPECIFIC: int "snmp.specific_trap" "specific-trap";
    TIME_STAMP: u32 "snmp.time_stamp" "time-stamp";
    GLOBAL: none "snmp.msgGlobalData_element" "msgGlobalData";
    MSG_ID: u32 "snmp.msgID" "msgID";
    MAX_SIZE: u32 "snmp.msgMaxSize" "msgMaxSize";
    FLAGS: bytes "snmp.msgFlags" "msgFlags";
    FLAG_REPORT: bool "snmp.v3.flags.report" "Reportable", mask(0x04);
    FLAG_CRYPT: bool "snmp.v3.flags.crypt" "Encrypted", mask(0x02);
    FLAG_AUTH: bool "snmp.v3.flags.auth" "Authenticated", mask(0x01);
    MODEL: u32 "snmp.msgSecurityModel" "msgSecurityModel";
    ENGINE: bytes "snmp.msgAuthoritativeEngineID" "msgAuthoritativeEngineID";
    BOOTS: u32 "snmp.msgAuthoritativeEngineBoots" "msgAuthoritativeEngineBoots";
    ENGINE_TIME: u32 "snmp.msgAuthoritativeEngineTime" "msgAuthoritativeEngineTime";
    USER: text "snmp.msgUserName" "msgUserName";
    AUTH: bytes "snmp.msgAuthenticationParameters" "msgAuthenticationParameters";
    PRIVACY: bytes "snmp.msgPrivacyParameters" "msgPrivacyParameters";
    MSG_DATA: u32 "snmp.msgData" "msgData";
    PLAIN: none "snmp.plaintext_element" "plaintext";
    ENCRYPTED: bytes "snmp.encryptedPDU" "encryptedPDU";
    CONTEXT_ENGINE: bytes "snmp.contextEngineID" "contextEngineID";
    CONTEXT_NAME: text "snmp.contextName" "contextName";
    RESPONSE_TO: frame "snmp.response_to" "Response To";
    TIME: relative "snmp.time" "Time";
}

/// A value with its tag; both its inside and all of it.
/// The version that names parties.
const PARTY: i64 = 2;

/// The class of a PDU's tag.
const CONTEXT: u8 = 0x80;

struct Tlv<'d> {
    tag: u8,
    inside: Data<'d>,
}

/// A tag, and how long its value is.
fn head(c: &mut Cursor<'_>) -> Read<(u8, usize)> {
    let mut tag = c.peek()?;
    c.skip(1)?;
    if tag & 0x1F == 0x1F {
        // The number stands in a byte of its own, also where there was room for it; larger ones are no PDU's.
        tag = tag & 0xE0 | c.peek()?.min(0x1F);
        c.skip(1)?;
    }
    let first = c.peek()?;
    c.skip(1)?;
    let mut len = usize::from(first);
    if first & 0x80 != 0 {
        len = 0;
        for _ in 0..first & 0x7F {
            len = len.checked_mul(256).ok_or(Short)? + usize::from(c.peek()?);
            c.skip(1)?;
        }
    }
    Ok((tag, len))
}

fn take<'d>(c: &mut Cursor<'d>) -> Read<Tlv<'d>> {
    let (tag, len) = head(c)?;
    Ok(Tlv { tag, inside: c.take(len)? })
}

/// The same, of what holds others: as much as the capture has.
fn take_most<'d>(c: &mut Cursor<'d>) -> Read<Tlv<'d>> {
    let (tag, len) = head(c)?;
    Ok(Tlv { tag, inside: c.take_most(len) })
}

fn signed(bytes: &[u8]) -> i64 {
    let start = if bytes.first().is_some_and(|byte| byte & 0x80 != 0) { -1i64 } else { 0 };
    bytes.iter().fold(start, |number, byte| number << 8 | i64::from(*byte))
}

fn integer(cx: &mut Context<'_>, c: &mut Cursor<'_>, def: &'static FieldDef) -> Read<i64> {
    let Tlv { inside, .. } = take(c)?;
    let number = match def.kind {
        // Some leave out the zero that keeps a number positive (X.690 8.3.2).
        Kind::Uint(_) => inside.bytes.iter().fold(0, |number, byte| number << 8 | i64::from(*byte)),
        _ => signed(inside.bytes),
    };
    cx.add(def, inside, 0, inside.len(), number as u64);
    Ok(number)
}

fn octets<'d>(cx: &mut Context<'_>, c: &mut Cursor<'d>, def: &'static FieldDef) -> Read<Data<'d>> {
    let Tlv { inside, .. } = take(c)?;
    cx.add(def, inside, 0, inside.len(), 0);
    Ok(inside)
}

/// Whether a datagram can be a message: not if it says that it is longer than it is. So many bytes were cut off.
pub(crate) fn accepts(bytes: &[u8], missing: usize) -> bool {
    let mut c = Data { bytes, at: 0, source: 0 }.cursor();
    let mut len = match (c.take(2), bytes) {
        (Ok(_), [0x30, len, ..]) => usize::from(*len),
        _ => return false,
    };
    if len & 0x80 != 0 {
        let digits = bytes.get(2..2 + (len & 0x7F)).filter(|digits| digits.len() <= 4);
        let Some(digits) = digits else { return false };
        c.pos += digits.len();
        len = digits.iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
    }
    len <= c.left() + missing
}

pub(crate) fn dissect(cx: &mut Context<'_>, message: Data<'_>) {
    cx.layer(&SNMP, message, |cx, c| {
        let Tlv { tag, inside } = take_most(c)?;
        if tag != 0x30 {
            return Err(Short);
        }
        let mut c = inside.cursor();
        let mut ahead = c;
        let version = signed(take(&mut ahead)?.inside.bytes);
        if version == 3 {
            integer(cx, &mut c, &MSG_VERSION)?;
            return version3(cx, &mut c);
        }
        integer(cx, &mut c, &VERSION)?;
        if version == PARTY {
            // SNMPv2u (RFC 1910): its users are no communities.
            octets(cx, &mut c, &PARAMETERS)?;
            return pdu(cx, &mut c);
        }
        octets(cx, &mut c, &COMMUNITY)?;
        let rest = c.rest();
        let mut ahead = c;
        let tag = take(&mut ahead)?.tag;
        let kind = u64::from(tag & 0x1F);
        if tag & 0xC0 != CONTEXT || kind > 8 {
            return Ok(());
        }
        let open = cx.open(&DATA, rest, 0, kind);
        let depth = cx.depth;
        let result = pdu(cx, &mut c);
        cx.depth = depth;
        cx.close(open, rest.len());
        result
    });
}

fn version3(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let Tlv { inside, .. } = take_most(c)?;
    let flags = cx.within(&GLOBAL, inside, |cx| {
        let mut c = inside.cursor();
        integer(cx, &mut c, &MSG_ID)?;
        integer(cx, &mut c, &MAX_SIZE)?;
        let flags = octets(cx, &mut c, &FLAGS)?;
        let mut bits = flags.cursor();
        cx.depth += 1;
        let raw = bits.parts(cx, 1, &[&FLAG_REPORT, &FLAG_CRYPT, &FLAG_AUTH])?;
        cx.depth -= 1;
        integer(cx, &mut c, &MODEL)?;
        Ok(raw)
    })?;
    let Tlv { inside, .. } = take(c)?;
    let mut outside = inside.cursor();
    let (_, len) = head(&mut outside)?;
    // A length beyond what it lies in: what is there is shown, and nothing behind it.
    let is_beyond = outside.left() < len;
    let mut security = outside.take_most(len).cursor();
    octets(cx, &mut security, &ENGINE)?;
    integer(cx, &mut security, &BOOTS)?;
    integer(cx, &mut security, &ENGINE_TIME)?;
    octets(cx, &mut security, &USER)?;
    octets(cx, &mut security, &AUTH)?;
    octets(cx, &mut security, &PRIVACY)?;
    if is_beyond {
        return Err(Short);
    }
    let rest = c.rest();
    let encrypted = flags & 2 != 0;
    let open = cx.open(&MSG_DATA, rest, 0, u64::from(encrypted));
    let depth = cx.depth;
    let result = if encrypted { octets(cx, c, &ENCRYPTED).map(drop) } else { plain(cx, c) };
    cx.depth = depth;
    cx.close(open, rest.len());
    result
}

fn plain(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let Tlv { inside, .. } = take(c)?;
    cx.within(&PLAIN, inside, |cx| {
        let mut c = inside.cursor();
        octets(cx, &mut c, &CONTEXT_ENGINE)?;
        octets(cx, &mut c, &CONTEXT_NAME)?;
        let rest = c.rest();
        let kind = u64::from(c.peek()? & 0x1F);
        cx.add(&DATA, rest, 0, rest.len(), kind);
        cx.depth += 1;
        pdu(cx, &mut c)
    })
}

fn pdu(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let Tlv { tag, inside } = take_most(c)?;
    let headings = [&GET, &GET_NEXT, &RESPONSE, &SET, &TRAP, &BULK, &INFORM, &TRAP2, &REPORT];
    let heading = headings.get(usize::from(tag & 0x1F)).copied().ok_or(Short)?;
    cx.within(heading, inside, |cx| {
        let mut c = inside.cursor();
        match tag & 0x1F {
            4 => {
                octets(cx, &mut c, &ENTERPRISE)?;
                let agent = take(&mut c)?.inside;
                cx.add(&AGENT, agent, 0, agent.len(), u64::from(agent.u32(0)?));
                integer(cx, &mut c, &GENERIC)?;
                integer(cx, &mut c, &SPECIFIC)?;
                integer(cx, &mut c, &TIME_STAMP)?;
            }
            5 => {
                let id = integer(cx, &mut c, &REQUEST_ID)?;
                pair(cx, id, false);
                integer(cx, &mut c, &NON_REPEATERS)?;
                integer(cx, &mut c, &REPETITIONS)?;
            }
            kind => {
                let id = integer(cx, &mut c, &REQUEST_ID)?;
                if kind != 8 {
                    pair(cx, id, kind == 2);
                }
                integer(cx, &mut c, &ERROR_STATUS)?;
                integer(cx, &mut c, &ERROR_INDEX)?;
            }
        }
        bindings(cx, &mut c)
    })
}

/// Remembers a request, or finds the one that a response answers.
fn pair(cx: &mut Context<'_>, id: i64, is_response: bool) {
    let (number, time) = (cx.number, cx.time);
    if cx.is_quoted {
        return;
    }
    if !is_response {
        cx.state.snmp.insert(id as u32, (number, time));
    } else if let Some((frame, then)) = cx.state.snmp.get(&(id as u32)) {
        cx.conclude(&RESPONSE_TO, frame);
        cx.conclude(&TIME, time.wrapping_sub(then));
    }
}

fn bindings(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let Tlv { inside, .. } = take(c)?;
    let mut ahead = inside.cursor();
    let mut count = 0;
    while !ahead.is_done() {
        take(&mut ahead)?;
        count += 1;
    }
    let open = cx.open(&BINDINGS, inside, 0, count);
    let depth = cx.depth;
    let mut c = inside.cursor();
    let mut result = Ok(());
    while !c.is_done() && result.is_ok() {
        result = take(&mut c).and_then(|binding| self::binding(cx, &mut binding.inside.cursor()));
    }
    cx.depth = depth;
    cx.close(open, inside.len());
    result
}

fn binding(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let Tlv { tag, inside: name } = take(c)?;
    if tag != 0x06 {
        // No name, so nothing has it.
        return Ok(());
    }
    cx.add(&NAME, name, 0, name.len(), 0);
    let Tlv { tag, inside } = take(c)?;
    let unsigned = inside.bytes.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    let number = |def: &'static FieldDef, cx: &mut Context<'_>, value: u64| {
        cx.add(def, inside, 0, inside.len(), value)
    };
    match tag {
        0x02 => number(&VALUE_INT, cx, signed(inside.bytes) as u64),
        0x04 => {
            number(&VALUE_OCTETS, cx, 0);
            // What a system is and how it is called are words, and a layer of their own in Wireshark.
            if matches!(name.bytes, [0x2B, 6, 1, 2, 1, 1, 1 | 5, 0]) {
                cx.arena.layers.push(&SNMP);
                cx.depth += 1;
                number(&VALUE_WORDS, cx, 0);
                cx.depth -= 1;
            }
        }
        0x05 => number(&VALUE_NULL, cx, 0),
        0x06 => number(&VALUE_OID, cx, 0),
        0x40 => number(&VALUE_IPV4, cx, unsigned),
        0x47 => number(&VALUE_U32, cx, unsigned),
        0x42 => number(&VALUE_G32, cx, unsigned),
        0x43 => number(&VALUE_TICKS, cx, unsigned),
        0x44 => number(&VALUE_OPAQUE, cx, 0),
        0x41 | 0x46 => number(&VALUE_COUNTER, cx, unsigned),
        0x80 => number(&NO_OBJECT, cx, 0),
        0x81 => number(&NO_INSTANCE, cx, 0),
        0x82 => number(&END_OF_VIEW, cx, 0),
        _ => {}
    }
    Ok(())
}
