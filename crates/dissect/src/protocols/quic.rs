//! QUIC versions 1 and 2 (RFC 9000, 9369). Anyone can open Initial packets (RFC 9001 5.2); the others are opened if a
//! key log has their secrets.
//!
//! - `connection`: who is who, which keys open what comes next. `protection`: how packets are sealed.
//! - `frames`: what is in them. `streams`: what the frames carry, in order.

mod connection;
mod frames;
mod protection;
mod streams;

pub(crate) use connection::Connections;
pub(crate) use frames::{FRAMES, RESET_STREAM};

use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short, masked};
use crate::field::{FieldDef, Names, protocol};
use connection::{Connection, Level};
use streams::Carried;

static LONG_TYPES: Names = &[(0, "Initial"), (1, "0-RTT"), (2, "Handshake"), (3, "Retry")];
static LONG_TYPES_2: Names = &[(0, "Retry"), (1, "Initial"), (2, "0-RTT"), (3, "Handshake")];
static FORMS: Names = &[(0, "Short Header"), (1, "Long Header")];
static VERSIONS: Names = &[(0, "Version Negotiation"), (VERSION_1 as u64, "1"), (VERSION_2 as u64, "2")];

pub(super) const VERSION_1: u32 = 1;
pub(super) const VERSION_2: u32 = 0x6B33_43CF;

protocol! { QUIC "quic" "QUIC" "QUIC IETF";
    PACKET_LENGTH: u32 "quic.packet_length" "Packet Length";
    HEADER_FORM: u8 "quic.header_form" "Header Form", mask(0x80), names(FORMS);
    FIXED_BIT: bool "quic.fixed_bit" "Fixed Bit", mask(0x40);
    LONG_TYPE: u8 "quic.long.packet_type" "Packet Type", mask(0x30), names(LONG_TYPES);
    LONG_TYPE_2: u8 "quic.long.packet_type_v2" "Packet Type", mask(0x30), names(LONG_TYPES_2);
    LONG_RESERVED: u8 "quic.long.reserved" "Reserved", mask(0x0C);
    NUMBER_LENGTH: u8 "quic.packet_number_length" "Packet Number Length", mask(0x03);
    VERSION: u32 "quic.version" "Version", hex, names(VERSIONS);
    DCIL: u8 "quic.dcil" "Destination Connection ID Length";
    DCID: bytes "quic.dcid" "Destination Connection ID";
    SCIL: u8 "quic.scil" "Source Connection ID Length";
    SCID: bytes "quic.scid" "Source Connection ID";
    TOKEN_LENGTH: u64 "quic.token_length" "Token Length";
    TOKEN: bytes "quic.token" "Token";
    LENGTH: u64 "quic.length" "Length";
    NUMBER: u64 "quic.packet_number" "Packet Number";
    PAYLOAD: bytes "quic.payload" "Payload";
    SUPPORTED_VERSION: u32 "quic.supported_version" "Supported Version", hex, names(VERSIONS);
    RETRY_TOKEN: bytes "quic.retry_token" "Retry Token";
    RETRY_TAG: bytes "quic.retry_integrity_tag" "Retry Integrity Tag";
    SHORT: none "quic.short" "QUIC Short Header";
    SPIN: bool "quic.spin_bit" "Spin Bit", mask(0x20);
    SHORT_RESERVED: u8 "quic.short.reserved" "Reserved", mask(0x18);
    KEY_PHASE: bool "quic.key_phase" "Key Phase Bit", mask(0x04);
    PROTECTED: bytes "quic.protected_payload" "Protected Payload";
    CONNECTION: u32 "quic.connection.number" "Connection Number";
    FILLED: bytes "quic.coalesced_padding_data" "Coalesced Padding Data";
    NOT_OPENED: text "quic.not_decrypted" "Not decrypted, because";
    REMAINING: bytes "quic.remaining_payload" "Remaining Payload";
}

/// Whether a datagram begins a QUIC connection: a long header of a version we know.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let version = bytes.get(1..5).and_then(|word| word.first_chunk()).map(|word| u32::from_be_bytes(*word));
    bytes.first().is_some_and(|first| first & 0xC0 == 0xC0)
        && version.is_some_and(is_version)
        && bytes.len() >= 21
}

/// Whether a version is in use, or was on the way to the standard: drafts, mvfst's and Google's, and those that keep
/// servers in the habit of negotiating (RFC 9000 15).
fn is_version(version: u32) -> bool {
    matches!(version, VERSION_1 | VERSION_2 | DRAFT_FIRST..=DRAFT_LAST | 0xFACE_B001..=0xFACE_B002 | 0xFACE_B00E)
        || matches!(version, 0x5130_3530 | 0x5430_3530 | 0x5430_3531)
        || version & 0x0F0F_0F0F == 0x0A0A_0A0A
}

/// Drafts 21 to 34.
const DRAFT_FIRST: u32 = 0xFF00_0015;
const DRAFT_LAST: u32 = 0xFF00_0022;

/// A datagram: one packet or several.
pub(crate) fn dissect(cx: &mut Context<'_>, datagram: Data<'_>) {
    let (from, to) = ((cx.src, cx.src_port), (cx.dst, cx.dst_port));
    let mut connection = cx.state.quic.take(from, to, datagram.bytes);
    connection.migrate(from, to);
    let flow = std::mem::replace(&mut cx.flow, connection.index);
    let mut carried = Vec::new();
    cx.layer(&QUIC, datagram, |cx, c| {
        cx.conclude(&CONNECTION, connection.index);
        let mut first: &[u8] = &[];
        while !c.is_done() {
            let rest = c.rest();
            if c.pos > 0 && destination(cx, &connection, rest) != first {
                // No packet: the datagram was filled up (RFC 9000 12.2, 14.1).
                c.all(cx, &FILLED);
                break;
            }
            if c.pos == 0 {
                first = destination(cx, &connection, rest);
            }
            if rest.u8(0)? & 0x80 != 0 {
                has_ids(rest)?;
            }
            let on_wire = rest.len().saturating_add(cx.missing);
            let len = packet_length(rest).unwrap_or(on_wire).min(on_wire);
            let packet = c.take(len.min(rest.len()))?;
            cx.conclude(&PACKET_LENGTH, len as u64);
            self::packet(cx, &mut connection, packet, &mut carried)?;
        }
        Ok(())
    });
    for one in carried {
        streams::speak(cx, &mut connection, one);
    }
    cx.flow = flow;
    cx.state.quic.put_back(from, to, connection);
}

/// No connection has a longer ID (RFC 9000 17.2).
const ID_MAX: usize = 20;

/// The connection that a packet is for, as far as the packet tells or the connection is known: packets of one datagram
/// have the same (RFC 9000 12.2).
fn destination<'d>(cx: &Context<'_>, connection: &Connection, packet: Data<'d>) -> &'d [u8] {
    let (at, len) = match packet.bytes {
        [first, _, _, _, _, len, ..] if first & 0x80 != 0 => (6, usize::from(*len)),
        _ => {
            let side = connection.side_of((cx.src, cx.src_port), (cx.dst, cx.dst_port));
            (1, connection.chosen[1 - side].as_ref().map_or(0, Vec::len))
        }
    };
    if len > ID_MAX {
        return &[];
    }
    packet.bytes.get(at..at + len).unwrap_or_default()
}

/// Whether both IDs of a long header are there: without them nothing of it can be told.
fn has_ids(packet: Data<'_>) -> Read {
    let mut c = packet.cursor();
    c.skip(5)?;
    for _ in 0..2 {
        let len = usize::from(c.peek()?);
        c.skip(1 + len)?;
    }
    Ok(())
}

/// How long the first packet of a datagram is. Only those with a length can be followed by another.
fn packet_length(data: Data<'_>) -> Option<usize> {
    let first = data.bytes.first()?;
    let version = data.u32(1).ok()?;
    if first & 0x80 == 0 || version == 0 {
        return None;
    }
    let kind = kind(*first, version);
    let mut c = data.cursor();
    c.pos = 5;
    let skip_id = |c: &mut Cursor<'_>| c.peek().and_then(|len| c.skip(usize::from(len) + 1));
    skip_id(&mut c).ok()?;
    skip_id(&mut c).ok()?;
    if kind == Kind::Retry {
        return None;
    }
    if kind == Kind::Initial {
        let (len, size) = varint(c.data, c.pos).ok()?;
        c.skip(usize::try_from(len).ok()?.checked_add(size)?).ok()?;
    }
    let (len, size) = varint(c.data, c.pos).ok()?;
    (c.pos + size).checked_add(usize::try_from(len).ok()?)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Initial,
    ZeroRtt,
    Handshake,
    Retry,
}

fn kind(first: u8, version: u32) -> Kind {
    let order = if version == VERSION_2 {
        [Kind::Retry, Kind::Initial, Kind::ZeroRtt, Kind::Handshake]
    } else {
        [Kind::Initial, Kind::ZeroRtt, Kind::Handshake, Kind::Retry]
    };
    order[usize::from(first >> 4 & 3)]
}

/// A number of variable length (RFC 9000 16): its value and how many bytes it takes.
pub(crate) fn varint(data: Data<'_>, at: usize) -> Read<(u64, usize)> {
    let first = data.u8(at)?;
    let size = 1usize << (first >> 6);
    let bytes = data.bytes.get(at..at + size).ok_or(Short)?;
    let value = bytes[1..].iter().fold(u64::from(first & 0x3F), |value, byte| value << 8 | u64::from(*byte));
    Ok((value, size))
}

/// Reads and names a number of variable length.
pub(crate) fn number(cx: &mut Context<'_>, c: &mut Cursor<'_>, def: &'static FieldDef) -> Read<u64> {
    let (value, size) = varint(c.data, c.pos)?;
    cx.add(def, c.data, c.pos, size, value);
    c.pos += size;
    Ok(value)
}

fn packet(
    cx: &mut Context<'_>,
    connection: &mut Connection,
    packet: Data<'_>,
    carried: &mut Vec<Carried>,
) -> Read {
    let first = packet.u8(0)?;
    if first & 0x80 == 0 {
        return short(cx, connection, packet, carried);
    }
    let mut c = packet.cursor();
    let version = packet.u32(1)?;
    c.parts(cx, 1, &[&HEADER_FORM])?;
    let kind = kind(first, version);
    if version != 0 {
        let type_def = if version == VERSION_2 { &LONG_TYPE_2 } else { &LONG_TYPE };
        // Of a Retry Wireshark does not name it.
        let shown = [&FIXED_BIT, type_def];
        for def in if kind == Kind::Retry { &shown[1..] } else { &shown[..] } {
            cx.add(def, packet, 0, 1, crate::cursor::masked(u64::from(first), def.mask));
        }
    }
    c.u32(cx, &VERSION)?;
    let destination = id(cx, &mut c, &DCIL, &DCID)?;
    let source = id(cx, &mut c, &SCIL, &SCID)?;
    if version == 0 {
        while c.left() >= 4 {
            c.u32(cx, &SUPPORTED_VERSION)?;
        }
        return Ok(());
    }
    let (from, to) = ((cx.src, cx.src_port), (cx.dst, cx.dst_port));
    if kind == Kind::Initial {
        connection.begin(from, to, destination);
    }
    connection.version = version;
    let side = connection.side_of(from, to);
    if connection.chosen[side].is_none() || kind == Kind::Initial {
        connection.learn_id(source);
        connection.chosen[side] = Some(source.to_vec());
    }
    let level = match kind {
        Kind::Retry => {
            let token = c.left().checked_sub(16).ok_or(Short)?;
            c.bytes(cx, &RETRY_TOKEN, token)?;
            c.bytes(cx, &RETRY_TAG, 16)?;
            if !cx.is_quoted {
                connection.retry(source);
            }
            return Ok(());
        }
        Kind::Initial => {
            let token = usize::try_from(number(cx, &mut c, &TOKEN_LENGTH)?).map_err(|_| Short)?;
            if token > 0 {
                c.bytes(cx, &TOKEN, token)?;
            }
            Level::Initial
        }
        Kind::ZeroRtt => Level::ZeroRtt,
        Kind::Handshake => Level::Handshake,
    };
    number(cx, &mut c, &LENGTH)?;
    open(cx, connection, side, level, packet, c.pos, carried)
}

/// Opens the packet, whose packet number begins at `at`, and shows its frames.
fn open(
    cx: &mut Context<'_>,
    connection: &mut Connection,
    side: usize,
    level: Level,
    packet: Data<'_>,
    at: usize,
    carried: &mut Vec<Carried>,
) -> Read {
    // Of a packet that was cut when it was captured, or where it is quoted, the header can be opened, and not the rest.
    let is_cut = cx.missing > 0 || cx.is_quoted;
    let Some(opened) = connection.open(cx, side, level, packet.bytes, at, is_cut) else {
        let rest = packet.from(at);
        let def = if level == Level::Initial { &PAYLOAD } else { &REMAINING };
        cx.add(def, rest, 0, rest.len(), 0);
        if let Some(why) = connection.why_shut(cx) {
            cx.conclude_words(&NOT_OPENED, why.as_bytes());
        }
        return Ok(());
    };
    let first = u64::from(opened.first);
    let bits: &[&FieldDef] = match level {
        Level::OneRtt => &[&SHORT_RESERVED, &KEY_PHASE, &NUMBER_LENGTH],
        _ => &[&LONG_RESERVED, &NUMBER_LENGTH],
    };
    for def in bits {
        cx.add(def, packet, 0, 1, masked(first, def.mask));
    }
    cx.add(&NUMBER, packet, at, opened.number_size, opened.number);
    let rest = packet.from(at + opened.number_size);
    cx.add(if level == Level::OneRtt { &PROTECTED } else { &PAYLOAD }, rest, 0, rest.len(), 0);
    if opened.payload.is_empty() {
        return Ok(());
    }
    let mut result = Ok(());
    let mut handshake = Vec::new();
    cx.feed("Decrypted QUIC", opened.payload, |cx, payload| {
        let mut found = frames::Found { handshake: &mut handshake, carried };
        result = frames::show(cx, connection, side, level, payload, &mut found);
    });
    // The messages come after the frames, so that they are a layer of their own.
    for bytes in handshake {
        streams::handshake(cx, connection, side, level, bytes);
    }
    result
}

fn id<'d>(
    cx: &mut Context<'_>,
    c: &mut Cursor<'d>,
    len: &'static FieldDef,
    def: &'static FieldDef,
) -> Read<&'d [u8]> {
    let count = usize::from(c.u8(cx, len)?);
    if count == 0 {
        return Ok(&[]);
    }
    c.bytes(cx, def, count)
}

fn short(
    cx: &mut Context<'_>,
    connection: &mut Connection,
    packet: Data<'_>,
    carried: &mut Vec<Carried>,
) -> Read {
    let side = connection.side_of((cx.src, cx.src_port), (cx.dst, cx.dst_port));
    // The destination's ID is as long as the receiver chose: it is not told here.
    let len = connection.chosen[1 - side].as_ref().map(Vec::len);
    let mut c = packet.cursor();
    let open = cx.open(&SHORT, packet, 0, 0);
    let depth = cx.depth;
    let mut result = c.parts(cx, 1, &[&HEADER_FORM, &FIXED_BIT, &SPIN]).map(|_| ());
    if let (Ok(()), Some(len)) = (result, len.filter(|len| *len > 0)) {
        result = c.bytes(cx, &DCID, len).map(|_| ());
    }
    match (result, len) {
        (Ok(()), Some(_)) => result = self::open(cx, connection, side, Level::OneRtt, packet, c.pos, carried),
        _ => {
            c.all(cx, &REMAINING);
            if let Some(why) = connection.why_shut(cx) {
                cx.conclude_words(&NOT_OPENED, why.as_bytes());
            }
        }
    }
    cx.depth = depth;
    cx.close(open, packet.len());
    result
}
