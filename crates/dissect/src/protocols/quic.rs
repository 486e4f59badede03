//! QUIC versions 1 and 2 (RFC 9000, 9369): headers, and the Initial packets, whose keys anyone can compute
//! (RFC 9001 5.2).

mod frames;
mod initial;

pub(crate) use frames::FRAMES;

use super::tls;
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{FieldDef, Names, protocol};

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
    PROTECTED: bytes "quic.protected_payload" "Protected Payload";
    REMAINING: bytes "quic.remaining_payload" "Remaining Payload";
}

/// What is remembered of a QUIC connection, by its UDP ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connection {
    /// The client's first destination ID: all Initial keys come from it.
    first_id: Vec<u8>,
    /// Who the client is: the side that sent the first packet.
    client: Option<(std::net::IpAddr, u16)>,
    /// How long the IDs are that each end chose: [client's, server's].
    id_lengths: [Option<u8>; 2],
    /// Pieces of the handshake that came out of order, per side: offset and bytes.
    crypto: [Vec<(u64, Vec<u8>)>; 2],
}

/// Whether a datagram begins a QUIC connection: a long header of a version we know.
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    let version = bytes.get(1..5).and_then(|word| word.first_chunk()).map(|word| u32::from_be_bytes(*word));
    bytes.first().is_some_and(|first| first & 0xC0 == 0xC0)
        && matches!(version, Some(VERSION_1 | VERSION_2))
        && bytes.len() >= 21
}

/// A datagram: one packet or several.
pub(crate) fn dissect(cx: &mut Context<'_>, datagram: Data<'_>) {
    let ends = ((cx.src, cx.src_port), (cx.dst, cx.dst_port));
    let key = if ends.0 <= ends.1 { ends } else { (ends.1, ends.0) };
    let mut connection = cx.state.quic.remove(&key).unwrap_or_default();
    cx.layer(&QUIC, datagram, |cx, c| {
        while !c.is_done() {
            let rest = c.rest();
            let len = packet_length(rest).unwrap_or(rest.len()).min(rest.len());
            let packet = c.take(len)?;
            cx.conclude(&PACKET_LENGTH, len as u64);
            self::packet(cx, &mut connection, packet)?;
        }
        Ok(())
    });
    cx.state.quic.insert(key, connection);
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
pub(super) fn varint(data: Data<'_>, at: usize) -> Read<(u64, usize)> {
    let first = data.u8(at)?;
    let size = 1usize << (first >> 6);
    let bytes = data.bytes.get(at..at + size).ok_or(Short)?;
    let value = bytes[1..].iter().fold(u64::from(first & 0x3F), |value, byte| value << 8 | u64::from(*byte));
    Ok((value, size))
}

/// Reads and names a number of variable length.
pub(super) fn number(cx: &mut Context<'_>, c: &mut Cursor<'_>, def: &'static FieldDef) -> Read<u64> {
    let (value, size) = varint(c.data, c.pos)?;
    cx.add(def, c.data, c.pos, size, value);
    c.pos += size;
    Ok(value)
}

fn packet(cx: &mut Context<'_>, connection: &mut Connection, packet: Data<'_>) -> Read {
    let first = packet.u8(0)?;
    if first & 0x80 == 0 {
        return short(cx, connection, packet);
    }
    let mut c = packet.cursor();
    let version = packet.u32(1)?;
    c.parts(cx, 1, &[&HEADER_FORM])?;
    let kind = kind(first, version);
    if version != 0 {
        let type_def = if version == VERSION_2 { &LONG_TYPE_2 } else { &LONG_TYPE };
        for def in [&FIXED_BIT, type_def] {
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
    let here = (cx.src, cx.src_port);
    if connection.client.is_none() && kind == Kind::Initial {
        connection.client = Some(here);
        connection.first_id = destination.to_vec();
    }
    let side = usize::from(connection.client != Some(here));
    connection.id_lengths[side] = Some(source.len() as u8);
    match kind {
        Kind::Retry => {
            let token = c.left().checked_sub(16).ok_or(Short)?;
            c.bytes(cx, &RETRY_TOKEN, token)?;
            c.bytes(cx, &RETRY_TAG, 16)?;
            // The client begins anew, with the ID that the server chose.
            connection.first_id = source.to_vec();
            connection.crypto = Default::default();
        }
        Kind::Initial => {
            let token = usize::try_from(number(cx, &mut c, &TOKEN_LENGTH)?).map_err(|_| Short)?;
            if token > 0 {
                c.bytes(cx, &TOKEN, token)?;
            }
            number(cx, &mut c, &LENGTH)?;
            initial::decrypt(cx, connection, side, version, packet, c.pos)?;
        }
        Kind::ZeroRtt | Kind::Handshake => {
            number(cx, &mut c, &LENGTH)?;
            c.all(cx, &REMAINING);
        }
    }
    Ok(())
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

fn short(cx: &mut Context<'_>, connection: &Connection, packet: Data<'_>) -> Read {
    let mut c = packet.cursor();
    cx.within(&SHORT, packet, |cx| {
        c.parts(cx, 1, &[&HEADER_FORM, &FIXED_BIT])?;
        // The destination's ID is as long as the receiver chose: it is not told here.
        let receiver = usize::from(connection.client == Some((cx.src, cx.src_port)));
        if let Some(len) = connection.id_lengths[receiver].filter(|len| *len > 0) {
            c.bytes(cx, &DCID, usize::from(len))?;
        }
        Ok(())
    })?;
    c.all(cx, &REMAINING);
    Ok(())
}

/// Hands the handshake's bytes on when they follow on what is known.
fn crypto(cx: &mut Context<'_>, connection: &mut Connection, side: usize, offset: u64, bytes: Data<'_>) {
    /// A client hello with post-quantum keys has some two kilobytes.
    const CRYPTO_MAX: usize = 64 << 10;
    let pieces = &mut connection.crypto[side];
    let have: usize = pieces.iter().map(|(_, bytes)| bytes.len() + 16).sum();
    let whole_alone = offset == 0 && handshake_is_whole(bytes.bytes);
    if !whole_alone {
        if have + bytes.len() > CRYPTO_MAX || pieces.iter().any(|(known, _)| *known == offset) {
            return;
        }
        pieces.push((offset, bytes.bytes.to_vec()));
        pieces.sort_by_key(|(offset, _)| *offset);
        let mut joined: Vec<u8> = Vec::new();
        for (offset, piece) in pieces.iter() {
            let Some(known) = (joined.len() as u64).checked_sub(*offset) else { break };
            if let Some(fresh) = piece.get(known as usize..) {
                joined.extend_from_slice(fresh);
            }
        }
        if handshake_is_whole(&joined) {
            pieces.clear();
            cx.with_source("Reassembled CRYPTO", joined, |cx, whole| hello(cx, whole));
        }
        return;
    }
    hello(cx, bytes);
}

fn handshake_is_whole(bytes: &[u8]) -> bool {
    matches!(bytes, [_, a, b, c, rest @ ..] if rest.len() >= usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c))
}

fn hello(cx: &mut Context<'_>, bytes: Data<'_>) {
    let depth = cx.depth;
    cx.layer(&tls::TLS, bytes, |cx, c| {
        c.pos = tls::messages(cx, bytes, &mut tls::Said::quic());
        Ok(())
    });
    cx.depth = depth;
}
