//! gRPC's messages over HTTP/2, and protobuf without a schema: numbers, types and lengths are told, meanings are not.

use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{Names, protocol};

static WIRE_TYPES: Names = &[
    (0, "varint"),
    (1, "64-bit"),
    (2, "Length-delimited"),
    (3, "Start group"),
    (4, "End group"),
    (5, "32-bit"),
];
static COMPRESSED: Names = &[(0, "Not Compressed"), (1, "Compressed")];

protocol! { GRPC "grpc" "GRPC" "GRPC Message";
    FRAME_TYPE: u8 "grpc.frame_type" "Frame Type", mask(0x80);
    COMPRESSED_FLAG: u8 "grpc.compressed_flag" "Compressed Flag", mask(0x01), names(COMPRESSED);
    LENGTH: u32 "grpc.message_length" "Message Length";
    MESSAGE: bytes "grpc.message_data" "Message Data";
}
protocol! { PROTOBUF "protobuf" "ProtoBuf" "Protocol Buffers";
    NUMBER: u64 "protobuf.field.number" "Field Number";
    WIRE_TYPE: u8 "protobuf.field.wiretype" "Wire Type", names(WIRE_TYPES);
    VALUE_LENGTH: u64 "protobuf.field.value.length" "Value Length";
    VALUE: bytes "protobuf.field.value" "Value";
    UINT: u64 "protobuf.field.value.uint64" "Uint64";
}

/// The messages of a gRPC body: each behind a flag and its length.
pub(crate) fn body(cx: &mut Context<'_>, body: Data<'_>) {
    if body.is_empty() {
        return;
    }
    cx.layer(&GRPC, body, |cx, c| {
        while !c.is_done() {
            let flag = c.parts(cx, 1, &[&FRAME_TYPE, &COMPRESSED_FLAG])?;
            let len = c.u32(cx, &LENGTH)? as usize;
            let message = c.take(len)?;
            if message.is_empty() {
                continue;
            }
            cx.add(&MESSAGE, message, 0, len, 0);
            if flag & 1 == 0 {
                cx.layer(&PROTOBUF, message, protobuf);
            }
        }
        Ok(())
    });
}

/// How many bytes at the beginning are whole messages.
pub(crate) fn whole_messages(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(header) = bytes.get(at..at + 5) {
        let len = u32::from_be_bytes([header[1], header[2], header[3], header[4]]) as usize;
        match at.checked_add(5 + len).filter(|end| *end <= bytes.len()) {
            Some(end) => at = end,
            None => break,
        }
    }
    at
}

fn protobuf(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    while !c.is_done() {
        let begins = c.pos;
        let (tag, _) = varint(c)?;
        cx.add(&NUMBER, c.data, begins, c.pos - begins, tag >> 3);
        cx.add(&WIRE_TYPE, c.data, begins, c.pos - begins, tag & 7);
        match tag & 7 {
            0 => {
                let at = c.pos;
                let (number, len) = varint(c)?;
                cx.add(&VALUE, c.data, at, len, 0);
                cx.add(&UINT, c.data, at, len, number);
            }
            1 => c.bytes(cx, &VALUE, 8).map(drop)?,
            2 => {
                let at = c.pos;
                let (len, used) = varint(c)?;
                cx.add(&VALUE_LENGTH, c.data, at, used, len);
                let len = usize::try_from(len).map_err(|_| Short)?;
                if len > 0 {
                    c.bytes(cx, &VALUE, len)?;
                }
            }
            5 => c.bytes(cx, &VALUE, 4).map(drop)?,
            _ => return Err(Short),
        }
    }
    Ok(())
}

/// A number of up to ten bytes, seven bits each, and how many bytes it had.
fn varint(c: &mut Cursor<'_>) -> Read<(u64, usize)> {
    let mut number = 0u64;
    for place in 0..10 {
        let byte = c.peek()?;
        c.skip(1)?;
        number |= u64::from(byte & 0x7F) << (7 * place).min(63);
        if byte & 0x80 == 0 {
            return Ok((number, place + 1));
        }
    }
    Err(Short)
}
