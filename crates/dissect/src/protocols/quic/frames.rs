//! Frames of QUIC (RFC 9000 19, 9221).

use super::connection::{Connection, Level};
use super::protection::is_googles;
use super::streams::Carried;
use super::{number, varint};
use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{FieldDef, Names, protocol};
use crate::protocols::tls::ALERTS;

static TYPES: Names = &[
    (0, "PADDING"),
    (1, "PING"),
    (2, "ACK"),
    (3, "ACK_ECN"),
    (4, "RESET_STREAM"),
    (5, "STOP_SENDING"),
    (6, "CRYPTO"),
    (7, "NEW_TOKEN"),
    (8, "STREAM"),
    (9, "STREAM"),
    (10, "STREAM"),
    (11, "STREAM"),
    (12, "STREAM"),
    (13, "STREAM"),
    (14, "STREAM"),
    (15, "STREAM"),
    (0x10, "MAX_DATA"),
    (0x11, "MAX_STREAM_DATA"),
    (0x12, "MAX_STREAMS (BIDI)"),
    (0x13, "MAX_STREAMS (UNI)"),
    (0x14, "DATA_BLOCKED"),
    (0x15, "STREAM_DATA_BLOCKED"),
    (0x16, "STREAMS_BLOCKED (BIDI)"),
    (0x17, "STREAMS_BLOCKED (UNI)"),
    (0x18, "NEW_CONNECTION_ID"),
    (0x19, "RETIRE_CONNECTION_ID"),
    (0x1A, "PATH_CHALLENGE"),
    (0x1B, "PATH_RESPONSE"),
    (0x1C, "CONNECTION_CLOSE (Transport)"),
    (0x1D, "CONNECTION_CLOSE (Application)"),
    (0x1E, "HANDSHAKE_DONE"),
    (0x1F, "IMMEDIATE_ACK"),
    (0x30, "DATAGRAM"),
    (0x31, "DATAGRAM"),
    (0xAF, "ACK_FREQUENCY"),
];

protocol! { FRAMES "quic" "QUIC" "QUIC IETF";
    FRAME: none "quic.frame" "Frame";
    TYPE: u64 "quic.frame_type" "Frame Type", names(TYPES);
    PADDING: u32 "quic.padding_length" "Padding Length";
    ACK_LARGEST: u64 "quic.ack.largest_acknowledged" "Largest Acknowledged";
    ACK_DELAY: u64 "quic.ack.ack_delay" "ACK Delay";
    ACK_COUNT: u64 "quic.ack.ack_range_count" "ACK Range Count";
    ACK_FIRST: u64 "quic.ack.first_ack_range" "First ACK Range";
    ACK_GAP: u64 "quic.ack.gap" "Gap";
    ACK_RANGE: u64 "quic.ack.ack_range" "ACK Range";
    ACK_ECT0: u64 "quic.ack.ect0_count" "ECT(0) Count";
    ACK_ECT1: u64 "quic.ack.ect1_count" "ECT(1) Count";
    ACK_CE: u64 "quic.ack.ecn_ce_count" "ECN-CE Count";
    CRYPTO_OFFSET: u64 "quic.crypto.offset" "Offset";
    CRYPTO_LENGTH: u64 "quic.crypto.length" "Length";
    CRYPTO_DATA: none "quic.crypto.crypto_data" "Crypto Data";
    RESET_STREAM: u64 "quic.rsts.stream_id" "Stream ID";
    RESET_ERROR: u64 "quic.rsts.application_error_code" "Application Error code";
    RESET_SIZE: u64 "quic.rsts.final_size" "Final Size";
    STOP_STREAM: u64 "quic.ss.stream_id" "Stream ID";
    STOP_ERROR: u64 "quic.ss.application_error_code" "Application Error code";
    NEW_TOKEN_LENGTH: u64 "quic.nt.length" "(Token) Length";
    NEW_TOKEN: bytes "quic.nt.token" "Token";
    STREAM_FIN: bool "quic.stream.fin" "Fin", mask(0x01);
    STREAM_LEN: bool "quic.stream.len" "Len(gth)", mask(0x02);
    STREAM_OFF: bool "quic.stream.off" "Off(set)", mask(0x04);
    STREAM_ID: u64 "quic.stream.stream_id" "Stream ID";
    STREAM_INITIATOR: u64 "quic.stream.initiator" "Stream initiator", mask(0x01);
    STREAM_DIRECTION: u64 "quic.stream.direction" "Stream direction", mask(0x02);
    STREAM_OFFSET: u64 "quic.stream.offset" "Offset";
    STREAM_LENGTH: u64 "quic.stream.length" "Length";
    STREAM_DATA: bytes "quic.stream_data" "Stream Data";
    MAX_DATA: u64 "quic.md.maximum_data" "Maximum Data";
    MAX_STREAM: u64 "quic.msd.stream_id" "Stream ID";
    MAX_STREAM_DATA: u64 "quic.msd.maximum_stream_data" "Maximum Stream Data";
    MAX_STREAMS: u64 "quic.ms.max_streams" "Max Streams";
    BLOCKED_DATA: u64 "quic.sb.stream_data_limit" "Stream Data Limit";
    BLOCKED_STREAM: u64 "quic.sdb.stream_id" "Stream ID";
    BLOCKED_STREAMS: u64 "quic.sib.stream_limit" "Stream Limit";
    NEW_ID_SEQUENCE: u64 "quic.nci.sequence" "Sequence";
    NEW_ID_RETIRE: u64 "quic.nci.retire_prior_to" "Retire Prior To";
    NEW_ID_LENGTH: u8 "quic.nci.connection_id.length" "Connection ID Length";
    NEW_ID: bytes "quic.nci.connection_id" "Connection ID";
    NEW_ID_TOKEN: bytes "quic.nci.stateless_reset_token" "Stateless Reset Token";
    RETIRE_SEQUENCE: u64 "quic.rci.sequence" "Sequence";
    PATH_CHALLENGE: bytes "quic.path_challenge.data" "Data";
    PATH_RESPONSE: bytes "quic.path_response.data" "Data";
    DATAGRAM_LENGTH: u64 "quic.dg.length" "Datagram Length";
    DATAGRAM: bytes "quic.dg" "Datagram";
    AF_SEQUENCE: u64 "quic.af.sequence_number" "Sequence Number";
    AF_THRESHOLD: u64 "quic.af.ack_eliciting_threshold" "Ack-Eliciting Threshold";
    AF_DELAY: u64 "quic.af.request_max_ack_delay" "Request Max Ack Delay";
    AF_LAST: u8 "quic.af.last_byte" "Last Byte", hex;
    AF_IGNORE_CE: bool "quic.af.ignore_ce" "Ignore CE", mask(0x01);
    AF_IGNORE_ORDER: bool "quic.af.ignore_order" "Ignore Order", mask(0x02);
    GOOGLE_OFFSET: u64 "gquic.crypto.offset" "Offset";
    GOOGLE_LENGTH: u64 "gquic.crypto.length" "Length";
    GOOGLE_DATA: none "gquic.crypto.crypto_data" "Crypto Data";
    UNKNOWN: none "quic.ft.unknown" "Unknown Frame Type";
    CC_ERROR: u64 "quic.cc.error_code" "Error code";
    CC_ERROR_APP: u64 "quic.cc.error_code.app" "Application Error code";
    CC_ALERT: u8 "quic.cc.error_code.tls_alert" "TLS Alert Description", names(ALERTS);
    CC_FRAME_TYPE: u64 "quic.cc.frame_type" "Frame Type";
    CC_REASON_LENGTH: u64 "quic.cc.reason_phrase.length" "Reason phrase Length";
    CC_REASON: text "quic.cc.reason_phrase" "Reason phrase";
}

/// What frames carry for others.
pub(super) struct Found<'a> {
    /// Of the handshake, in order.
    pub(super) handshake: &'a mut Vec<Vec<u8>>,
    /// Of streams, in order.
    pub(super) carried: &'a mut Vec<Carried>,
}

/// Shows the frames of a packet that was opened.
pub(super) fn show(
    cx: &mut Context<'_>,
    connection: &mut Connection,
    side: usize,
    level: Level,
    payload: Data<'_>,
    found: &mut Found<'_>,
) -> Read {
    let mut c = payload.cursor();
    if is_googles(connection.version) {
        return googles(cx, &mut c, connection, side, level, found);
    }
    while !c.is_done() {
        let begins = c.pos;
        let open = cx.open(&FRAME, payload, begins, 0);
        let depth = cx.depth;
        let result = frame(cx, &mut c, connection, side, level, found);
        cx.depth = depth;
        cx.close(open, c.pos - begins);
        result?;
    }
    Ok(())
}

/// Reads and names numbers of variable length, one after the other.
fn numbers(cx: &mut Context<'_>, c: &mut Cursor<'_>, defs: &[&'static FieldDef]) -> Read {
    defs.iter().try_for_each(|def| number(cx, c, def).map(|_| ()))
}

/// A length, and so many bytes.
fn counted<'d>(
    cx: &mut Context<'_>,
    c: &mut Cursor<'d>,
    len: &'static FieldDef,
    def: &'static FieldDef,
) -> Read<Data<'d>> {
    let len = usize::try_from(number(cx, c, len)?).map_err(|_| Short)?;
    let bytes = c.take(len)?;
    if len > 0 {
        cx.add(def, bytes, 0, len, 0);
    }
    Ok(bytes)
}

fn frame(
    cx: &mut Context<'_>,
    c: &mut Cursor<'_>,
    connection: &mut Connection,
    side: usize,
    level: Level,
    found: &mut Found<'_>,
) -> Read {
    let at = c.pos;
    let kind = number(cx, c, &TYPE)?;
    match kind {
        0 => {
            let zeros = c.rest().bytes.iter().take_while(|byte| **byte == 0).count();
            cx.conclude(&PADDING, zeros as u64 + 1);
            c.skip(zeros)
        }
        1 | 0x1E | 0x1F => Ok(()),
        2 | 3 => ack(cx, c, kind),
        4 => numbers(cx, c, &[&RESET_STREAM, &RESET_ERROR, &RESET_SIZE]),
        5 => numbers(cx, c, &[&STOP_STREAM, &STOP_ERROR]),
        6 => {
            let offset = number(cx, c, &CRYPTO_OFFSET)?;
            let bytes = counted(cx, c, &CRYPTO_LENGTH, &CRYPTO_DATA)?;
            found.handshake.extend(connection.crypto(side, level, offset, bytes.bytes));
            Ok(())
        }
        7 => counted(cx, c, &NEW_TOKEN_LENGTH, &NEW_TOKEN).map(|_| ()),
        8..=15 => stream(cx, c, connection, side, at, found),
        0x10 => numbers(cx, c, &[&MAX_DATA]),
        0x11 => numbers(cx, c, &[&MAX_STREAM, &MAX_STREAM_DATA]),
        0x12 | 0x13 => numbers(cx, c, &[&MAX_STREAMS]),
        0x14 => numbers(cx, c, &[&BLOCKED_DATA]),
        0x15 => numbers(cx, c, &[&BLOCKED_STREAM, &BLOCKED_DATA]),
        0x16 | 0x17 => numbers(cx, c, &[&BLOCKED_STREAMS]),
        0x18 => {
            numbers(cx, c, &[&NEW_ID_SEQUENCE, &NEW_ID_RETIRE])?;
            let len = usize::from(c.u8(cx, &NEW_ID_LENGTH)?);
            connection.learn_id(c.bytes(cx, &NEW_ID, len)?);
            c.bytes(cx, &NEW_ID_TOKEN, 16).map(|_| ())
        }
        0x19 => numbers(cx, c, &[&RETIRE_SEQUENCE]),
        0x1A => c.bytes(cx, &PATH_CHALLENGE, 8).map(|_| ()),
        0x1B => c.bytes(cx, &PATH_RESPONSE, 8).map(|_| ()),
        0x1C | 0x1D => close(cx, c, kind),
        0x30 => {
            c.all(cx, &DATAGRAM);
            Ok(())
        }
        0x31 => counted(cx, c, &DATAGRAM_LENGTH, &DATAGRAM).map(|_| ()),
        0xAF => {
            numbers(cx, c, &[&AF_SEQUENCE, &AF_THRESHOLD, &AF_DELAY])?;
            // Until draft-ietf-quic-ack-frequency-03; a threshold took its place.
            c.u8(cx, &AF_LAST)?;
            c.pos -= 1;
            c.parts(cx, 1, &[&AF_IGNORE_CE, &AF_IGNORE_ORDER]).map(drop)
        }
        _ => {
            // Its length is not known, and so neither is where the next begins.
            cx.expert(&UNKNOWN);
            c.skip(c.left())
        }
    }
}

/// Google's frames: of those the handshake is read, which is TLS in the versions that begin with T.
fn googles(
    cx: &mut Context<'_>,
    c: &mut Cursor<'_>,
    connection: &mut Connection,
    side: usize,
    level: Level,
    found: &mut Found<'_>,
) -> Read {
    const CRYPTO: u8 = 8;
    let is_tls = connection.version >> 24 == u32::from(b'T');
    while c.peek().is_ok_and(|kind| kind == CRYPTO) {
        c.skip(1)?;
        let offset = number(cx, c, &GOOGLE_OFFSET)?;
        let bytes = counted(cx, c, &GOOGLE_LENGTH, &GOOGLE_DATA)?;
        if is_tls {
            found.handshake.extend(connection.crypto(side, level, offset, bytes.bytes));
        }
    }
    Ok(())
}

fn ack(cx: &mut Context<'_>, c: &mut Cursor<'_>, kind: u64) -> Read {
    numbers(cx, c, &[&ACK_LARGEST, &ACK_DELAY])?;
    let ranges = number(cx, c, &ACK_COUNT)?;
    number(cx, c, &ACK_FIRST)?;
    for _ in 0..ranges {
        numbers(cx, c, &[&ACK_GAP, &ACK_RANGE])?;
    }
    if kind == 3 { numbers(cx, c, &[&ACK_ECT0, &ACK_ECT1, &ACK_CE]) } else { Ok(()) }
}

fn close(cx: &mut Context<'_>, c: &mut Cursor<'_>, kind: u64) -> Read {
    let code = number(cx, c, if kind == 0x1C { &CC_ERROR } else { &CC_ERROR_APP })?;
    if kind == 0x1C {
        // 0x0100 to 0x01FF carry an alert of TLS.
        if code >> 8 == 1 {
            cx.conclude(&CC_ALERT, code & 0xFF);
        }
        number(cx, c, &CC_FRAME_TYPE)?;
    }
    let len = usize::try_from(number(cx, c, &CC_REASON_LENGTH)?).map_err(|_| Short)?;
    c.bytes(cx, &CC_REASON, len).map(drop)
}

fn stream(
    cx: &mut Context<'_>,
    c: &mut Cursor<'_>,
    connection: &mut Connection,
    side: usize,
    at: usize,
    found: &mut Found<'_>,
) -> Read {
    let bits = c.data.u8(at)?;
    for def in [&STREAM_FIN, &STREAM_LEN, &STREAM_OFF] {
        cx.add(def, c.data, at, 1, u64::from(bits & def.mask as u8 != 0));
    }
    let (_, size) = varint(c.data, c.pos)?;
    let place = c.pos;
    let id = number(cx, c, &STREAM_ID)?;
    for def in [&STREAM_INITIATOR, &STREAM_DIRECTION] {
        cx.add(def, c.data, place, size, u64::from(id & def.mask != 0));
    }
    let offset = if bits & 4 != 0 { number(cx, c, &STREAM_OFFSET)? } else { 0 };
    let bytes = if bits & 2 != 0 {
        counted(cx, c, &STREAM_LENGTH, &STREAM_DATA)?
    } else {
        let rest = c.rest();
        c.all(cx, &STREAM_DATA);
        rest
    };
    found.carried.extend(Carried::take(connection, side, id, offset, bytes.bytes, bits & 1 != 0));
    Ok(())
}
