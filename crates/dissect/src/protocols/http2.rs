//! HTTP/2 (RFC 9113): frames, and the header blocks in them.
//!
//! - `headers`: what a block's lines become. `connection`: what is remembered.

mod body;
mod connection;
pub(crate) mod headers;

pub(crate) use connection::Connection;
pub(crate) use headers::HEADERS;

use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{FieldDef, Names, protocol};
use connection::Block;

static TYPES: Names = &[
    (0, "DATA"),
    (1, "HEADERS"),
    (2, "PRIORITY"),
    (3, "RST_STREAM"),
    (4, "SETTINGS"),
    (5, "PUSH_PROMISE"),
    (6, "PING"),
    (7, "GOAWAY"),
    (8, "WINDOW_UPDATE"),
    (9, "CONTINUATION"),
    (10, "ALTSVC"),
    (12, "ORIGIN"),
    (16, "PRIORITY_UPDATE"),
];
static ERRORS: Names = &[
    (0, "NO_ERROR"),
    (1, "PROTOCOL_ERROR"),
    (2, "INTERNAL_ERROR"),
    (3, "FLOW_CONTROL_ERROR"),
    (4, "SETTINGS_TIMEOUT"),
    (5, "STREAM_CLOSED"),
    (6, "FRAME_SIZE_ERROR"),
    (7, "REFUSED_STREAM"),
    (8, "CANCEL"),
    (9, "COMPRESSION_ERROR"),
    (10, "CONNECT_ERROR"),
    (11, "ENHANCE_YOUR_CALM"),
    (12, "INADEQUATE_SECURITY"),
    (13, "HTTP_1_1_REQUIRED"),
];
static SETTINGS: Names = &[
    (1, "Header table size"),
    (2, "Enable PUSH"),
    (3, "Max concurrent streams"),
    (4, "Initial Windows size"),
    (5, "Max frame size"),
    (6, "Max header list size"),
    (8, "Extended CONNECT"),
];

protocol! { HTTP2 "http2" "HTTP2" "HyperText Transfer Protocol 2";
    STREAM: none "http2.stream" "Stream";
    MAGIC: text "http2.magic" "Magic";
    LENGTH: u24 "http2.length" "Length";
    TYPE: u8 "http2.type" "Type", names(TYPES);
    FLAGS: u8 "http2.flags" "Flags", hex;
    FLAG_END_STREAM: bool "http2.flags.end_stream" "End Stream", mask(0x01);
    FLAG_END_HEADERS: bool "http2.flags.eh" "End Headers", mask(0x04);
    FLAG_PADDED: bool "http2.flags.padded" "Padded", mask(0x08);
    FLAG_PRIORITY: bool "http2.flags.priority" "Priority", mask(0x20);
    FLAG_ACK_SETTINGS: bool "http2.flags.ack.settings" "ACK", mask(0x01);
    FLAG_ACK_PING: bool "http2.flags.ack.ping" "ACK", mask(0x01);
    UNUSED: u8 "http2.flags.unused" "Unused", hex, mask(0xFF);
    UNUSED_DATA: u8 "http2.flags.unused_data" "Unused", hex, mask(0xF6);
    UNUSED_HEADERS: u8 "http2.flags.unused_headers" "Unused", hex, mask(0xD2);
    UNUSED_SETTINGS: u8 "http2.flags.unused_settings" "Unused", hex, mask(0xFE);
    UNUSED_PROMISE: u8 "http2.flags.unused_push_promise" "Unused", hex, mask(0xF3);
    UNUSED_PING: u8 "http2.flags.unused_ping" "Unused", hex, mask(0xFE);
    UNUSED_CONTINUATION: u8 "http2.flags.unused_continuation" "Unused", hex, mask(0xFB);
    RESERVED: u32 "http2.r" "Reserved", hex, mask(0x8000_0000);
    STREAM_ID: u32 "http2.streamid" "Stream Identifier", mask(0x7FFF_FFFF);
    PADDING: u8 "http2.padding" "Pad Length";
    PAD_LENGTH: u16 "http2.pad_length" "Pad Length";
    EXCLUSIVE: bool "http2.exclusive" "Exclusive", mask(0x8000_0000);
    DEPENDENCY: u32 "http2.stream_dependency" "Stream Dependency", mask(0x7FFF_FFFF);
    WEIGHT: u8 "http2.headers.weight" "Weight";
    WEIGHT_REAL: u8 "http2.headers.weight_real" "Weight real";
    DATA: bytes "http2.data.data" "Data";
    DATA_PADDING: bytes "http2.data.padding" "Padding";
    BLOCK: bytes "http2.headers" "Header Block Fragment";
    BLOCK_PADDING: bytes "http2.headers.padding" "Padding";
    CONTINUATION: bytes "http2.continuation.header" "Continuation Header";
    RST_ERROR: u32 "http2.rst_stream.error" "Error", names(ERRORS);
    SETTING: none "http2.settings" "Settings";
    SETTING_ID: u16 "http2.settings.id" "Settings Identifier", names(SETTINGS);
    SET_TABLE_SIZE: u32 "http2.settings.header_table_size" "Header table size";
    SET_PUSH: u32 "http2.settings.enable_push" "Enable PUSH";
    SET_STREAMS: u32 "http2.settings.max_concurrent_streams" "Max concurrent streams";
    SET_WINDOW: u32 "http2.settings.initial_window_size" "Initial Windows Size";
    SET_FRAME_SIZE: u32 "http2.settings.max_frame_size" "Max frame size";
    SET_LIST_SIZE: u32 "http2.settings.max_header_list_size" "Max header list size";
    SET_CONNECT: u32 "http2.settings.extended_connect" "Extended CONNECT";
    SET_UNKNOWN: u32 "http2.settings.unknown" "Unknown Settings";
    PROMISED_RESERVED: u32 "http2.push_promise.r" "Reserved", hex, mask(0x8000_0000);
    PROMISED: u32 "http2.push_promise.promised_stream_id" "Promised-Stream-ID", mask(0x7FFF_FFFF);
    PROMISED_BLOCK: bytes "http2.push_promise.header" "Header Block Fragment";
    PING: bytes "http2.ping" "Ping";
    PONG: bytes "http2.pong" "Pong";
    GOAWAY_RESERVED: u32 "http2.goway.r" "Reserved", hex, mask(0x8000_0000);
    GOAWAY_LAST: u32 "http2.goaway.last_stream_id" "Last-Stream-ID", mask(0x7FFF_FFFF);
    GOAWAY_ERROR: u32 "http2.goaway.error" "Error", names(ERRORS);
    GOAWAY_DATA: bytes "http2.goaway.addata" "Additional Debug Data";
    WINDOW_RESERVED: u32 "http2.window_update.r" "Reserved", hex, mask(0x8000_0000);
    WINDOW: u32 "http2.window_update.window_size_increment" "Window Size Increment", mask(0x7FFF_FFFF);
    UNKNOWN: bytes "http2.unknown" "Unknown";
    BODY_LENGTH: u32 "http2.body.reassembled.length" "Reassembled length";
    BLOCK_BROKEN: none "http2.header_block.broken" "Header block can't be read: it is damaged, or refers to what was not captured";
}

const MAGIC_BYTES: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const FRAME_HEADER: usize = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;

/// Whether bytes begin a connection: the client's, or the server's settings where it speaks first (RFC 9113 3.4).
pub(crate) fn looks_like(bytes: &[u8]) -> bool {
    if let [0, 0, len, 4, 0, 0, 0, 0, 0, settings @ ..] = bytes {
        return len.is_multiple_of(6) && settings.len() >= usize::from(*len);
    }
    bytes.len() >= 16 && bytes.starts_with(&MAGIC_BYTES[..bytes.len().min(MAGIC_BYTES.len())])
}

/// Frames on a stream, in one layer. Gives how many bytes were used.
pub(crate) fn stream(
    cx: &mut Context<'_>,
    connection: &mut Connection,
    side: usize,
    bytes: Data<'_>,
    one: bool,
) -> usize {
    let mut used = 0;
    loop {
        let rest = bytes.from(used);
        if rest.is_empty() {
            break;
        }
        let total = frame_length(rest.bytes);
        if rest.len() < total {
            cx.wants = total;
            break;
        }
        used += total;
        if one {
            break;
        }
    }
    if used > 0 {
        cx.layer(&HTTP2, bytes.first(used), |cx, c| {
            while !c.is_done() {
                let frame = c.take(frame_length(c.rest().bytes))?;
                // A frame that is damaged ends where its length says.
                let _damaged = cx.within(&STREAM, frame, |cx| self::frame(cx, connection, side, frame));
                cx.exchange = 0;
            }
            Ok(())
        });
    }
    used
}

/// Whether a frame is there that is whole.
pub(crate) fn begins_whole(bytes: &[u8]) -> bool {
    bytes.len() >= frame_length(bytes)
}

/// How long the next frame is, as far as the bytes tell.
pub(crate) fn frame_length(bytes: &[u8]) -> usize {
    match bytes {
        [b'P', b'R', b'I', b' ', ..] => MAGIC_BYTES.len(),
        [a, b, c, ..] => FRAME_HEADER + (usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c)),
        _ => FRAME_HEADER,
    }
}

fn frame(cx: &mut Context<'_>, connection: &mut Connection, side: usize, frame: Data<'_>) -> Read {
    let mut c = frame.cursor();
    if frame.bytes.starts_with(b"PRI ") {
        c.all(cx, &MAGIC);
        return Ok(());
    }
    c.u24(cx, &LENGTH)?;
    let kind = c.u8(cx, &TYPE)?;
    let shown: &[&FieldDef] = match kind {
        0 => &[&UNUSED_DATA, &FLAG_PADDED, &FLAG_END_STREAM],
        1 => &[&UNUSED_HEADERS, &FLAG_PRIORITY, &FLAG_PADDED, &FLAG_END_HEADERS, &FLAG_END_STREAM],
        4 => &[&UNUSED_SETTINGS, &FLAG_ACK_SETTINGS],
        5 => &[&UNUSED_PROMISE, &FLAG_PADDED, &FLAG_END_HEADERS],
        6 => &[&UNUSED_PING, &FLAG_ACK_PING],
        9 => &[&UNUSED_CONTINUATION, &FLAG_END_HEADERS],
        _ => &[&UNUSED],
    };
    let flags = c.bits(cx, &FLAGS, 1, shown)? as u8;
    let id = c.parts(cx, 4, &[&RESERVED, &STREAM_ID])? as u32 & 0x7FFF_FFFF;
    cx.exchange = u64::from(id);
    match kind {
        0 => data(cx, connection, side, id, flags, &mut c),
        1 => {
            let padding = padding(cx, &mut c, flags)?;
            if flags & PRIORITY != 0 {
                priority(cx, &mut c)?;
            }
            let fragment = c.take(c.left().checked_sub(padding).ok_or(Short)?)?;
            cx.add(&BLOCK, fragment, 0, fragment.len(), 0);
            c.all(cx, &BLOCK_PADDING);
            let block = Block { stream: id, ends: flags & END_STREAM != 0, bytes: Vec::new() };
            connection.begin_block(cx, side, block, fragment, flags & END_HEADERS != 0)
        }
        2 => priority(cx, &mut c),
        3 => {
            connection.reset(id);
            c.u32(cx, &RST_ERROR).map(|_| ())
        }
        4 => settings(cx, &mut c),
        5 => {
            let padding = padding(cx, &mut c, flags)?;
            let promised = c.parts(cx, 4, &[&PROMISED_RESERVED, &PROMISED])? as u32 & 0x7FFF_FFFF;
            let fragment = c.take(c.left().checked_sub(padding).ok_or(Short)?)?;
            cx.add(&PROMISED_BLOCK, fragment, 0, fragment.len(), 0);
            let block = Block { stream: promised, ends: false, bytes: Vec::new() };
            connection.begin_block(cx, side, block, fragment, flags & END_HEADERS != 0)
        }
        6 => c.bytes(cx, if flags & 1 == 0 { &PING } else { &PONG }, 8).map(|_| ()),
        7 => {
            c.parts(cx, 4, &[&GOAWAY_RESERVED, &GOAWAY_LAST])?;
            c.u32(cx, &GOAWAY_ERROR)?;
            c.all(cx, &GOAWAY_DATA);
            Ok(())
        }
        8 => c.parts(cx, 4, &[&WINDOW_RESERVED, &WINDOW]).map(|_| ()),
        9 => {
            let fragment = c.rest();
            c.all(cx, &CONTINUATION);
            connection.continue_block(cx, side, id, fragment, flags & END_HEADERS != 0)
        }
        _ => {
            c.all(cx, &UNKNOWN);
            Ok(())
        }
    }
}

/// How many bytes of padding end a frame.
fn padding(cx: &mut Context<'_>, c: &mut Cursor<'_>, flags: u8) -> Read<usize> {
    let mut len = 0;
    if flags & PADDED != 0 {
        len = usize::from(c.u8(cx, &PADDING)?);
    }
    cx.conclude(&PAD_LENGTH, len as u64);
    Ok(len)
}

fn priority(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    c.parts(cx, 4, &[&EXCLUSIVE, &DEPENDENCY])?;
    let weight = c.u8(cx, &WEIGHT)?;
    cx.conclude(&WEIGHT_REAL, u64::from(weight) + 1);
    Ok(())
}

fn data(
    cx: &mut Context<'_>,
    connection: &mut Connection,
    side: usize,
    id: u32,
    flags: u8,
    c: &mut Cursor<'_>,
) -> Read {
    let padding = padding(cx, c, flags)?;
    let body = c.take(c.left().checked_sub(padding).ok_or(Short)?)?;
    c.all(cx, &DATA_PADDING);
    connection.body(cx, side, id, body, flags & END_STREAM != 0);
    Ok(())
}

/// What either side asks of the other.
pub(crate) fn settings(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    while !c.is_done() {
        let setting = c.take(6)?;
        cx.within(&SETTING, setting, |cx| {
            let mut c = setting.cursor();
            let value = match c.u16(cx, &SETTING_ID)? {
                1 => &SET_TABLE_SIZE,
                2 => &SET_PUSH,
                3 => &SET_STREAMS,
                4 => &SET_WINDOW,
                5 => &SET_FRAME_SIZE,
                6 => &SET_LIST_SIZE,
                8 => &SET_CONNECT,
                _ => &SET_UNKNOWN,
            };
            c.u32(cx, value).map(|_| ())
        })?;
    }
    Ok(())
}
