//! STUN (RFC 8489) and TURN (RFC 8656), over UDP and TCP, with TURN's channels.

use super::ports;
use super::spoken::{Length, Spoken, Talk};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{Names, protocol};
use crate::table::{Step::*, walk};

static METHODS: Names = &[
    (1, "Binding"),
    (3, "Allocate"),
    (4, "Refresh"),
    (6, "Send"),
    (7, "Data"),
    (8, "CreatePermission"),
    (9, "Channel-Bind"),
    (10, "Connect"),
    (11, "Connection-Bind"),
    (12, "ConnectionAttempt"),
];
static CLASSES: Names =
    &[(0, "Request"), (1, "Indication"), (0x10, "Success Response"), (0x11, "Error Response")];
static ATTRIBUTES: Names = &[
    (0x0001, "MAPPED-ADDRESS"),
    (0x0002, "RESPONSE_ADDRESS"),
    (0x0003, "CHANGE_REQUEST"),
    (0x0004, "SOURCE_ADDRESS"),
    (0x0005, "CHANGED_ADDRESS"),
    (0x0006, "USERNAME"),
    (0x0007, "PASSWORD"),
    (0x0008, "MESSAGE-INTEGRITY"),
    (0x0009, "ERROR-CODE"),
    (0x000A, "UNKNOWN-ATTRIBUTES"),
    (0x000B, "REFLECTED-FROM"),
    (0x000C, "CHANNEL-NUMBER"),
    (0x000D, "LIFETIME"),
    (0x000E, "MS-ALTERNATE-SERVER"),
    (0x000F, "MAGIC-COOKIE"),
    (0x0010, "BANDWIDTH"),
    (0x0011, "DESTINATION-ADDRESS"),
    (0x0012, "XOR-PEER-ADDRESS"),
    (0x0013, "DATA"),
    (0x0014, "REALM"),
    (0x0015, "NONCE"),
    (0x0016, "XOR-RELAYED-ADDRESS"),
    (0x0017, "REQUESTED-ADDRESS-FAMILY"),
    (0x0018, "EVEN-PORT"),
    (0x0019, "REQUESTED-TRANSPORT"),
    (0x001A, "DONT-FRAGMENT"),
    (0x001B, "ACCESS-TOKEN"),
    (0x001C, "MESSAGE-INTEGRITY-SHA256"),
    (0x001D, "PASSWORD-ALGORITHM"),
    (0x001E, "USERHASH"),
    (0x0020, "XOR-MAPPED-ADDRESS"),
    (0x0022, "RESERVATION-TOKEN"),
    (0x0024, "PRIORITY"),
    (0x0025, "USE-CANDIDATE"),
    (0x0026, "PADDING"),
    (0x0027, "XOR-RESPONSE-TARGET"),
    (0x0028, "XOR-REFELECTED-FROM"),
    (0x002A, "CONNECTION-ID"),
    (0x0030, "LEGACY-ICMP"),
    (0x8000, "ADDITIONAL-ADDRESS-FAMILY"),
    (0x8001, "ADDRESS-ERROR-CODE"),
    (0x8002, "PASSWORD-ALGORITHMS"),
    (0x8003, "ALTERNATE-DOMAIN"),
    (0x8004, "ICMP"),
    (0x8006, "MS-TURN UNKNOWN 8006"),
    (0x8008, "MS-VERSION"),
    (0x8020, "XOR-MAPPED-ADDRESS"),
    (0x8022, "SOFTWARE"),
    (0x8023, "ALTERNATE-SERVER"),
    (0x8025, "TRANSACTION-TRANSMIT-COUNTER"),
    (0x8027, "CACHE-TIMEOUT"),
    (0x8028, "FINGERPRINT"),
    (0x8029, "ICE-CONTROLLED"),
    (0x802A, "ICE-CONTROLLING"),
    (0x802B, "RESPONSE-ORIGIN"),
    (0x802C, "OTHER-ADDRESS"),
    (0x802D, "ECN-CHECK-STUN"),
    (0x802E, "THIRD-PARTY-AUTHORIZATION"),
    (0x8030, "MOBILITY-TICKET"),
    (0x8032, "MS-ALTERNATE-HOST-NAME"),
    (0x8037, "MS-APP-ID"),
    (0x8039, "MS-SECURE-TAG"),
    (0x8050, "MS-SEQUENCE-NUMBER"),
    (0x8054, "MS-CANDIDATE-IDENTIFIER"),
    (0x8055, "MS-SERVICE-QUALITY"),
    (0x8056, "Bandwidth Admission Control Message"),
    (0x8057, "Bandwidth Reservation Identifier"),
    (0x8058, "Bandwidth Reservation Amount"),
    (0x8059, "Remote Site Address"),
    (0x805A, "Remote Relay Site Address"),
    (0x805B, "Local Site Address"),
    (0x805C, "Local Relay Site Address"),
    (0x805D, "Remote Site Address Response"),
    (0x805E, "Remote Relay Site Address Response"),
    (0x805F, "Local Site Address Response"),
    (0x8060, "Local Relay Site Address Response"),
    (0x8061, "SIP Dialog Identifier"),
    (0x8062, "SIP Call Identifier"),
    (0x8068, "Location Profile"),
    (0x8070, "MS-IMPLEMENTATION-VERSION"),
    (0x8090, "MS-ALT-MAPPED-ADDRESS"),
    (0x8095, "MS-MULTIPLEXED-TURN-SESSION-ID"),
    (0xC000, "CISCO-STUN-FLOWDATA"),
    (0xC001, "ENF-FLOW-DESCRIPTION"),
    (0xC002, "ENF-NETWORK-STATUS"),
    (0xC057, "GOOG-NETWORK-INFO"),
    (0xC058, "GOOG-LAST-ICE-CHECK-RECEIVED"),
    (0xC059, "GOOG-MISC-INFO"),
    (0xC05A, "GOOG-OBSOLETE-1"),
    (0xC05B, "GOOG-CONNECTION-ID"),
    (0xC05C, "GOOG-DELTA"),
    (0xC05D, "GOOG-DELTA-ACK"),
    (0xC060, "GOOG-MESSAGE_INTEGRITY-32"),
    (0xFF04, "GOOG-MULTI-MAPPING"),
    (0xFF05, "GOOG-LOGGING-ID"),
];
static FAMILIES: Names = &[(1, "IPv4"), (2, "IPv6")];

protocol! { STUN "stun" "STUN" "Session Traversal Utilities for NAT";
    TCP_LENGTH: u16 "stun.tcp_frame_length" "TCP Frame Length";
    CHANNEL: u16 "stun.channel" "Channel Number", hex;
    TYPE: u16 "stun.type" "Message Type", hex;
    CLASS: u16 "stun.type.class" "Message Class", hex, mask(0x0110), names(CLASSES);
    METHOD: u16 "stun.type.method" "Message Method", hex, names(METHODS);
    ASSIGNMENT: u16 "stun.type.method-assignment" "Message Method Assignment", hex, mask(0x2000);
    LENGTH: u16 "stun.length" "Message Length";
    COOKIE: bytes "stun.cookie" "Message Cookie";
    ID: bytes "stun.id" "Message Transaction ID";
    VERSION: u8 "stun.network_version" "STUN Network Version";
    RESPONSE_TO: frame "stun.response-to" "Request In";
    RESPONSE_IN: frame "stun.response-in" "Response In";
    UNKNOWN_ATTR: none "stun.unknown_attribute" "Attribute unknown";
    WRONG_LENGTH: none "stun.wrong_msglen" "Packet length is not multiple of 4 bytes";
    PASSWORD: bytes "stun.att.password" "Password";
    MAGIC_WORD: u32 "stun.att.magic_cookie" "Magic Cookie", hex;
    BANDWIDTH: u32 "stun.port.bandwidth" "Bandwidth";
    ICMP_TYPE: u8 "stun.att.icmp.type" "ICMP type";
    ICMP_CODE: u8 "stun.att.icmp.code" "ICMP code";
    PW_ALGORITHM: u16 "stun.att.pw_alg" "Password Algorithm";
    PW_ALGORITHM_LENGTH: u16 "stun.att.pw_alg_len" "Password Algorithm Length";
    PW_ALGORITHM_DATA: bytes "stun.att.pw_alg_data" "Password Algorithm Data";
    MS_VERSION: u32 "stun.att.ms.version" "MS Version";
    MS_VERSION_ICE: u32 "stun.att.ms.version.ice" "MS ICE Version";
    MS_CONNECTION: bytes "stun.att.ms.connection_id" "Connection ID";
    MS_SEQUENCE: u32 "stun.att.ms.sequence_number" "Sequence Number";
    MS_STREAM: u16 "stun.att.ms.stream_type" "Stream Type", hex;
    MS_QUALITY: u16 "stun.att.ms.service_quality" "Service Quality", hex;
    MS_FOUNDATION: text "stun.att.ms.foundation" "Foundation";
    MS_UNKNOWN: bytes "stun.att.unknown8006" "Unknown8006";
    GOOGLE_NETWORK: u16 "stun.att.google.network_id" "Google Network ID";
    GOOGLE_COST: u16 "stun.att.google.network_cost" "Google Network Cost";
    DUPLICATE: frame "stun.reqduplicate" "Duplicated original message in";
    TIME: relative "stun.time" "Time";
    ATTRS: none "stun.attributes" "Attributes";
    ATTR: u16 "stun.attribute" "Attribute Type", hex, names(ATTRIBUTES);
    ATT_TYPE: u16 "stun.att.type" "Attribute Type", hex, names(ATTRIBUTES);
    ATT_COMPREHENSION: u16 "stun.att.type.comprehension" "Attribute Type Comprehension", hex, mask(0x8000);
    ATT_ASSIGNMENT: u16 "stun.att.type.assignment" "Attribute Type Assignment", hex, mask(0x4000);
    ATT_LENGTH: u16 "stun.att.length" "Attribute Length";
    RESERVED: bytes "stun.att.reserved" "Reserved";
    FAMILY: u8 "stun.att.family" "Protocol Family", hex, names(FAMILIES);
    PORT: u16 "stun.att.port" "Port";
    IPV4: ipv4 "stun.att.ipv4" "IP";
    IPV6: ipv6 "stun.att.ipv6" "IP";
    PORT_XORED: bytes "stun.att.port-xord" "Port (XOR-d)";
    IPV4_XORED: bytes "stun.att.ipv4-xord" "IP (XOR-d)";
    IPV6_XORED: bytes "stun.att.ipv6-xord" "IP (XOR-d)";
    USERNAME: text "stun.att.username" "Username";
    PADDING: u16 "stun.att.padding" "Padding";
    HMAC: bytes "stun.att.hmac" "HMAC-SHA1";
    CRC: u32 "stun.att.crc32" "CRC-32", hex;
    CRC_STATUS: u8 "stun.att.crc32.status" "CRC-32 Status", names(super::names::CHECKSUM_STATUS);
    ERROR_CLASS: u8 "stun.att.error.class" "Error Class", mask(0x07);
    ERROR: u8 "stun.att.error" "Error Code";
    ERROR_REASON: text "stun.att.error.reason" "Error Reason Phrase";
    REALM: text "stun.att.realm" "Realm";
    NONCE: text "stun.att.nonce" "Nonce";
    UNKNOWN: u16 "stun.att.unknown" "Unknown Attribute", hex, names(ATTRIBUTES);
    SOFTWARE: text "stun.att.software" "Software";
    PRIORITY: u32 "stun.att.priority" "Priority";
    TIE_BREAKER: bytes "stun.att.tie-breaker" "Tie breaker";
    LIFETIME: u32 "stun.att.lifetime" "Lifetime";
    CHANGE_IP: bool "stun.att.change-ip" "Change IP", mask(0x0004);
    CHANGE_PORT: bool "stun.att.change-port" "Change Port", mask(0x0002);
    EVEN_PORT: u8 "stun.att.even-port.reserve-next" "Reserve next", mask(0x80);
    CACHE_TIMEOUT: u32 "stun.att.cache-timeout" "Cache timeout";
    TOKEN: bytes "stun.att.token" "Token";
    VALUE: bytes "stun.value" "Value";
    TRANSPORT: u8 "stun.att.transp" "Transport", hex;
    CHANNEL_NUMBER: u16 "stun.att.channelnum" "Channel-Number", hex;
}
pub(crate) static SPOKEN: Spoken =
    Spoken { protocol: &STUN, ports: &[3478], eager: false, begins: Some(begins), length, show };

const MAGIC: u32 = 0x2112_A442;

/// Whether bytes are a message of RFC 5389 or later, and no more.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let Some(header) = bytes.first_chunk::<20>() else { return false };
    let kind = u16::from_be_bytes([header[0], header[1]]);
    let method = kind & 0x0F | kind >> 1 & 0x70 | kind >> 2 & 0x0F80;
    kind & 0xC000 == 0
        && method <= 0xFF
        && header[4..8] == MAGIC.to_be_bytes()
        && usize::from(u16::from_be_bytes([header[2], header[3]])) + 20 == bytes.len()
}

/// Whether messages on a stream stand behind a length of two bytes (RFC 4571, RFC 6544 10.1).
fn is_framed(bytes: &[u8]) -> bool {
    bytes.get(6..10) == Some(&MAGIC.to_be_bytes()[..])
}

/// Whether a stream begins with a message, or with one behind its length.
fn begins(bytes: &[u8]) -> bool {
    let message = if is_framed(bytes) { &bytes[2..] } else { bytes };
    let Some(header) = message.first_chunk::<20>() else { return false };
    let len = usize::from(u16::from_be_bytes([header[2], header[3]]));
    header[0] & 0xC0 == 0 && header[4..8] == MAGIC.to_be_bytes() && message.len() >= len + 20
}

fn length(_: &Context<'_>, _: &Talk, _: usize, bytes: &[u8]) -> Length {
    if is_framed(bytes) {
        return Length::Whole(2 + usize::from(u16::from_be_bytes([bytes[0], bytes[1]])));
    }
    let [high, _, first, second, ..] = bytes else { return Length::More };
    let len = usize::from(u16::from_be_bytes([*first, *second]));
    match high {
        0..=0x3F => Length::Whole(20 + len),
        0x40..=0x7F => Length::Whole(4 + len.next_multiple_of(4)),
        _ => Length::Foreign,
    }
}

fn show(cx: &mut Context<'_>, c: &mut Cursor<'_>, _: &mut Talk, _: usize) -> Read {
    if !is_framed(c.rest().bytes) {
        return message(cx, c);
    }
    let mut inside = c.data.from(2).cursor();
    // What paired messages show comes first.
    let raw = inside.peek_u16()?;
    let id = inside.data.bytes.get(8..20).and_then(|id| id.first_chunk()).copied().ok_or(Short)?;
    pair(cx, id, raw);
    c.u16(cx, &TCP_LENGTH)?;
    let result = read(cx, &mut inside, raw);
    c.pos += inside.pos;
    result
}

/// A datagram to a STUN or TURN server's port, or between ends that have spoken STUN; `false`: it is none.
pub(crate) fn datagram(cx: &mut Context<'_>, payload: Data<'_>) -> bool {
    let is_channel = matches!(payload.bytes, [0x40..=0x7F, _, high, low, ..] if {
        let len = usize::from(u16::from_be_bytes([*high, *low])) + 4;
        payload.len() == len || payload.len() == len.next_multiple_of(4)
    });
    if !looks_like(payload.bytes) && !is_channel {
        return false;
    }
    cx.layer(&STUN, payload, message);
    true
}

fn message(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    if c.peek()? & 0xC0 == 0x40 {
        return channel_data(cx, c);
    }
    let whole = c.data;
    let raw = whole.u16(0)?;
    let id = whole.bytes.get(8..20).and_then(|id| id.first_chunk()).copied().ok_or(Short)?;
    pair(cx, id, raw);
    read(cx, c, raw)
}

/// A message, from its type on.
fn read(cx: &mut Context<'_>, c: &mut Cursor<'_>, raw: u16) -> Read {
    let whole = c.data;
    cx.add(&TYPE, whole, 0, 2, u64::from(raw));
    cx.depth += 1;
    let class = u64::from(raw >> 4 & 0x10 | raw >> 4 & 1);
    cx.add(&CLASS, whole, 0, 2, class);
    let method = u64::from(raw & 0x0F | raw >> 1 & 0x70 | raw >> 2 & 0x1F80);
    cx.add(&METHOD, whole, 0, 2, method);
    cx.add(&ASSIGNMENT, whole, 0, 2, u64::from(raw >> 13 & 1));
    cx.depth -= 1;
    c.skip(2)?;
    let len = usize::from(c.u16(cx, &LENGTH)?);
    walk(cx, c, &[Bytes(&COOKIE, 4), Bytes(&ID, 12)])?;
    if len == 0 {
        return Ok(());
    }
    cx.conclude(&VERSION, 3);
    if len % 4 != 0 {
        cx.expert(&WRONG_LENGTH);
    }
    let body = c.take(len.min(c.left()))?;
    cx.within(&ATTRS, body, |cx| {
        let mut c = body.cursor();
        while c.left() >= 4 {
            attribute(cx, &mut c, whole)?;
        }
        Ok(())
    })
}

/// Finds what belongs to a message: the request, the answer, or the same message before.
fn pair(cx: &mut Context<'_>, id: [u8; 12], raw: u16) {
    let number = cx.number;
    let key = (id, cx.flow);
    let known = cx.state.stun.get(&key);
    let mut seen = known.unwrap_or(Seen { request: 0, answer: 0, time: cx.time });
    let is_request = raw & 0x0110 == 0;
    let place = if is_request { &mut seen.request } else { &mut seen.answer };
    if *place == 0 {
        if cx.is_quoted {
            return;
        }
        *place = number;
        cx.state.stun.insert(key, seen);
    } else if *place != number {
        cx.conclude(&DUPLICATE, *place);
    }
    if is_request && seen.answer != 0 {
        cx.conclude(&RESPONSE_IN, seen.answer);
    }
    if raw & 0x0100 != 0 && seen.request != 0 {
        cx.conclude(&RESPONSE_TO, seen.request);
        cx.conclude(&TIME, cx.time.wrapping_sub(seen.time));
    }
}

/// A transaction: the frames of its first request and its first other message (0: none yet), when the first came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    request: u64,
    answer: u64,
    time: u64,
}

fn attribute(cx: &mut Context<'_>, c: &mut Cursor<'_>, message: Data<'_>) -> Read {
    let kind = c.peek_u16()?;
    let len = usize::from(c.data.u16(c.pos + 2)?);
    let whole = c.take_most(4 + len.next_multiple_of(4));
    // Of an attribute that nobody knows Wireshark shows the type in a note's text only.
    let is_known = ATTR.name_of(u64::from(kind)).is_some();
    let open = cx.open(if is_known { &ATTR } else { &UNKNOWN_ATTR }, whole, 0, u64::from(kind));
    let depth = cx.depth;
    let mut inner = whole.cursor();
    let result = (|| {
        if is_known {
            inner.bits(cx, &ATT_TYPE, 2, &[&ATT_COMPREHENSION, &ATT_ASSIGNMENT])?;
        } else {
            inner.skip(2)?;
        }
        inner.u16(cx, &ATT_LENGTH)?;
        let mut value = inner.take(len)?.cursor();
        self::value(cx, &mut value, kind, message)?;
        let padding = len.next_multiple_of(4) - len;
        if padding > 0 {
            let rest = inner.rest();
            cx.add(&PADDING, rest, 0, rest.len(), padding as u64);
        }
        Ok(())
    })();
    cx.depth = depth;
    cx.close(open, whole.len());
    result
}

fn value(cx: &mut Context<'_>, c: &mut Cursor<'_>, kind: u16, message: Data<'_>) -> Read {
    match kind {
        0x0001 | 0x0002 | 0x0004 | 0x0005 | 0x000B | 0x000E | 0x0011 | 0x8023 | 0x802B | 0x802C | 0x8090 => {
            address(cx, c)
        }
        0x0012 | 0x0016 | 0x0020 | 0x0027 | 0x0028 | 0x8020 | 0x8059..=0x805C => xored(cx, c, message),
        0x0003 => {
            let word = u64::from(c.data.u32(0)?);
            cx.add(&CHANGE_IP, c.data, 2, 2, word >> 2 & 1);
            cx.add(&CHANGE_PORT, c.data, 2, 2, word >> 1 & 1);
            Ok(())
        }
        0x0006 => walk(cx, c, &[Rest(&USERNAME)]),
        0x0007 => walk(cx, c, &[Rest(&PASSWORD)]),
        0x000F => walk(cx, c, &[Is(&MAGIC_WORD)]),
        0x0010 => walk(cx, c, &[Is(&BANDWIDTH)]),
        0x001D | 0x8002 => algorithms(cx, c),
        0x0030 | 0x8004 => walk(cx, c, &[Is(&ICMP_TYPE), Is(&ICMP_CODE)]),
        0x8006 => walk(cx, c, &[Rest(&MS_UNKNOWN)]),
        0x8008 => walk(cx, c, &[Is(&MS_VERSION)]),
        0x8070 => walk(cx, c, &[Is(&MS_VERSION_ICE)]),
        0x8050 => walk(cx, c, &[Bytes(&MS_CONNECTION, 20), Is(&MS_SEQUENCE)]),
        0x8054 => walk(cx, c, &[Rest(&MS_FOUNDATION)]),
        0x8055 => walk(cx, c, &[Is(&MS_STREAM), Is(&MS_QUALITY)]),
        0xC057 => walk(cx, c, &[Is(&GOOGLE_NETWORK), Is(&GOOGLE_COST)]),
        0x0008 | 0x001C => walk(cx, c, &[Rest(&HMAC)]),
        0x0009 => {
            walk(cx, c, &[Bytes(&RESERVED, 2), Parts(1, &[&ERROR_CLASS]), Is(&ERROR), Rest(&ERROR_REASON)])
        }
        0x000A => walk(cx, c, &[Each(&[Is(&UNKNOWN)])]),
        0x000C => walk(cx, c, &[Is(&CHANNEL_NUMBER), Bytes(&RESERVED, 2)]),
        0x000D => walk(cx, c, &[Is(&LIFETIME)]),
        0x0013 => {
            let inside = c.take_most(usize::MAX);
            cx.add(&VALUE, inside, 0, inside.len(), 0);
            ports::tunnelled(cx, inside);
            Ok(())
        }
        0x0014 => walk(cx, c, &[Rest(&REALM)]),
        0x0015 => walk(cx, c, &[Rest(&NONCE)]),
        0x0017 => walk(cx, c, &[Is(&FAMILY), Bytes(&RESERVED, 3)]),
        0x0018 => walk(cx, c, &[Parts(1, &[&EVEN_PORT])]),
        0x0019 => walk(cx, c, &[Is(&TRANSPORT), Bytes(&RESERVED, 3)]),
        0x0022 => walk(cx, c, &[Bytes(&TOKEN, 8)]),
        0x0024 => walk(cx, c, &[Is(&PRIORITY)]),
        0x8022 => walk(cx, c, &[Rest(&SOFTWARE)]),
        0x8027 => walk(cx, c, &[Is(&CACHE_TIMEOUT)]),
        0x8028 => {
            let at = (c.data.at - message.at) as usize;
            let claimed = c.u32(cx, &CRC)?;
            let covered = message.bytes.get(..at.saturating_sub(4)).ok_or(Short)?;
            cx.conclude(&CRC_STATUS, u64::from(crc32(covered) ^ 0x5354_554E == claimed));
            Ok(())
        }
        0x8029 | 0x802A => walk(cx, c, &[Bytes(&TIE_BREAKER, 8)]),
        _ if c.is_done() => Ok(()),
        _ => walk(cx, c, &[Rest(&VALUE)]),
    }
}

fn algorithms(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    while c.left() >= 4 {
        c.u16(cx, &PW_ALGORITHM)?;
        let len = usize::from(c.u16(cx, &PW_ALGORITHM_LENGTH)?);
        if len > 0 {
            c.bytes(cx, &PW_ALGORITHM_DATA, len)?;
        }
        c.take_most(len.next_multiple_of(4) - len);
    }
    Ok(())
}

fn address(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    walk(
        cx,
        c,
        &[Bytes(&RESERVED, 1), Is(&FAMILY), Is(&PORT), By(&FAMILY, &[(1, &[Is(&IPV4)]), (2, &[Is(&IPV6)])])],
    )
}

/// An address that was combined with the cookie, so that no NAT finds it.
fn xored(cx: &mut Context<'_>, c: &mut Cursor<'_>, message: Data<'_>) -> Read {
    walk(cx, c, &[Bytes(&RESERVED, 1)])?;
    let family = c.u8(cx, &FAMILY)?;
    let port = c.peek_u16()?;
    c.bytes(cx, &PORT_XORED, 2)?;
    cx.add(&PORT, c.data, c.pos - 2, 2, u64::from(port ^ (MAGIC >> 16) as u16));
    match family {
        1 => {
            let word = c.data.u32(c.pos)?;
            c.bytes(cx, &IPV4_XORED, 4)?;
            cx.add(&IPV4, c.data, c.pos - 4, 4, u64::from(word ^ MAGIC));
        }
        2 => {
            let key = message.bytes.get(4..20).ok_or(Short)?;
            let data = c.take(16)?;
            cx.add(&IPV6_XORED, data, 0, 16, 0);
            let mut octets = [0; 16];
            for (octet, (byte, key)) in octets.iter_mut().zip(data.bytes.iter().zip(key)) {
                *octet = byte ^ key;
            }
            cx.add_words(&IPV6, data, &octets);
        }
        _ => {}
    }
    Ok(())
}

/// A channel's number, a length, and what a peer sent.
fn channel_data(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    c.u16(cx, &CHANNEL)?;
    let len = usize::from(c.u16(cx, &LENGTH)?);
    let inside = c.take(len.min(c.left()))?;
    ports::tunnelled(cx, inside);
    Ok(())
}

/// CRC-32 as in Ethernet and zip.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 };
        }
    }
    !crc
}
