//! gRPC's messages over HTTP/2, and protobuf. Without a schema numbers, types and lengths are told, meanings are not;
//! with one ([`crate::schema`]) fields have names, and values types.

use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{FieldDef, Names, protocol};
use crate::protocols::headers::hpack::Line;
use crate::protocols::packed;
use crate::schema::{Meaning, Member, Scalar, Schema};
use std::sync::Arc;

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
    MESSAGE_NAME: text "protobuf.message.name" "Message Name";
    FIELD_NAME: text "protobuf.field.name" "Field Name";
    UINT32: u32 "protobuf.field.value.uint32" "Uint32";
    INT: int "protobuf.field.value.int64" "Int64";
    INT32: int "protobuf.field.value.int32" "Int32";
    BOOL: bool "protobuf.field.value.bool" "Bool";
    DOUBLE: float "protobuf.field.value.double" "Double";
    FLOAT: float "protobuf.field.value.float" "Float";
    TEXT: text "protobuf.field.value.string" "String";
    ENUM: text "protobuf.field.value.enum" "Enum";
}

/// The call that messages belong to.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// As in `/package.Service/Method`.
    pub(crate) path: String,
    /// They answer it.
    pub(crate) is_answer: bool,
}

/// How the messages of a stream are written, as its headers say.
#[derive(Debug, Default)]
pub(crate) struct Form {
    is_json: bool,
    /// What those that are compressed are compressed with: `gzip`.
    coding: Vec<u8>,
}

/// What headers say of the messages behind them. `None`: they are not gRPC's.
pub(crate) fn announced(lines: &[Line<'_>]) -> Option<Form> {
    let mut is_json = None;
    let mut coding = Vec::new();
    for line in lines {
        let Line::Header(header) = line else { continue };
        match &header.name[..] {
            b"content-type" => {
                is_json = Some(header.value.strip_prefix(b"application/grpc")?.ends_with(b"+json"))
            }
            b"grpc-encoding" => coding = header.value[..header.value.len().min(CODING_MAX)].to_vec(),
            _ => {}
        }
    }
    is_json.map(|is_json| Form { is_json, coding })
}

/// Messages within messages, as a schema has them, stop here.
const DEPTH_MAX: usize = 32;
/// A coding's name is not longer.
const CODING_MAX: usize = 16;

/// The messages of a gRPC body: each behind a flag and its length.
pub(crate) fn body(cx: &mut Context<'_>, body: Data<'_>, call: Option<&Call>, form: &Form) {
    if body.is_empty() {
        return;
    }
    let schema = Arc::clone(&cx.state.schema);
    let name = call.and_then(|call| schema.of_method(&call.path, call.is_answer));
    const IS_COMPRESSED: u64 = 1;
    const TRAILERS: u64 = 0x80;
    cx.layer(&GRPC, body, |cx, c| {
        while !c.is_done() {
            let flag = c.parts(cx, 1, &[&FRAME_TYPE, &COMPRESSED_FLAG])?;
            let len = c.u32(cx, &LENGTH)? as usize;
            let message = c.take(len)?;
            if message.is_empty() {
                continue;
            }
            let show = |cx: &mut Context<'_>, message: Data<'_>| {
                cx.add(&MESSAGE, message, 0, message.len(), 0);
                if flag & TRAILERS != 0 {
                    // Of gRPC-Web: what HTTP/2 sends as headers at the end.
                    super::media::lines(cx, message);
                } else if form.is_json {
                    super::media::dissect(cx, b"application/json", message);
                } else {
                    let known = name.map(|name| (&*schema, name));
                    cx.layer(&PROTOBUF, message, |cx, c| protobuf(cx, c, known, 0));
                }
            };
            if flag & IS_COMPRESSED == 0 {
                show(cx, message);
                continue;
            }
            match packed::unpack(&form.coding, message.bytes) {
                Some(plain) => cx.with_source("Decompressed gRPC", plain, show),
                None => cx.add(&MESSAGE, message, 0, len, 0),
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

/// The fields of a message: with the schema and the message's name in it, if they are known.
fn protobuf(cx: &mut Context<'_>, c: &mut Cursor<'_>, known: Option<(&Schema, &str)>, depth: usize) -> Read {
    if let Some((_, name)) = known {
        cx.conclude_words(&MESSAGE_NAME, name.as_bytes());
    }
    while !c.is_done() {
        let begins = c.pos;
        let (tag, _) = varint(c)?;
        let member = known.and_then(|(schema, name)| schema.member(name, tag >> 3));
        if let Some(member) = member {
            cx.conclude_words(&FIELD_NAME, member.name.as_bytes());
        }
        cx.add(&NUMBER, c.data, begins, c.pos - begins, tag >> 3);
        cx.add(&WIRE_TYPE, c.data, begins, c.pos - begins, tag & 7);
        let kind = member.map(|member| &member.kind);
        match tag & 7 {
            0 => {
                let at = c.pos;
                let (number, len) = varint(c)?;
                cx.add(&VALUE, c.data, at, len, 0);
                cx.depth += 1;
                whole_number(cx, c.data.from(at).first(len), number, kind, known);
                cx.depth -= 1;
            }
            1 | 5 => {
                let at = c.pos;
                let len = if tag & 7 == 1 { 8 } else { 4 };
                let value = c
                    .bytes(cx, &VALUE, len)?
                    .iter()
                    .rev()
                    .fold(0, |value, byte| value << 8 | u64::from(*byte));
                cx.depth += 1;
                fixed(cx, c.data.from(at).first(len), value, kind);
                cx.depth -= 1;
            }
            2 => {
                let at = c.pos;
                let (len, used) = varint(c)?;
                cx.add(&VALUE_LENGTH, c.data, at, used, len);
                let len = usize::try_from(len).map_err(|_| Short)?;
                let value = c.take(len)?;
                if len > 0 {
                    cx.add(&VALUE, value, 0, len, 0);
                }
                cx.depth += 1;
                let depths = cx.depth;
                let result = match (member, known) {
                    (Some(member), Some((schema, name))) => long(cx, value, member, schema, name, depth),
                    _ => Ok(()),
                };
                cx.depth = depths - 1;
                result?;
            }
            _ => return Err(Short),
        }
    }
    Ok(())
}

/// A number of variable length, by its type.
fn whole_number(
    cx: &mut Context<'_>,
    data: Data<'_>,
    number: u64,
    kind: Option<&Scalar>,
    known: Option<(&Schema, &str)>,
) {
    let folded = (number >> 1) as i64 ^ -((number & 1) as i64);
    let (def, value): (&'static FieldDef, u64) = match kind {
        Some(Scalar::Bool) => (&BOOL, u64::from(number != 0)),
        Some(Scalar::Int32) => (&INT32, i64::from(number as i32) as u64),
        Some(Scalar::Int64) => (&INT, number),
        Some(Scalar::Sint32) => (&INT32, folded as u64),
        Some(Scalar::Sint64) => (&INT, folded as u64),
        Some(Scalar::Uint64) => (&UINT, number),
        Some(Scalar::Named(name)) => {
            let meaning = known.and_then(|(schema, scope)| schema.resolve(scope, name));
            let label = match meaning {
                Some(Meaning::Enum(names)) => names.get(&i64::from(number as i32)),
                _ => None,
            };
            if let Some(label) = label {
                cx.add_words(&ENUM, data, label.as_bytes());
            }
            (&INT32, i64::from(number as i32) as u64)
        }
        _ if number <= u64::from(u32::MAX) => (&UINT32, number),
        _ => (&UINT, number),
    };
    cx.add(def, data, 0, data.len(), value);
}

/// Four or eight bytes, by their type.
fn fixed(cx: &mut Context<'_>, data: Data<'_>, value: u64, kind: Option<&Scalar>) {
    let (def, value): (&'static FieldDef, u64) = match kind {
        Some(Scalar::Double) if data.len() == 8 => (&DOUBLE, value),
        Some(Scalar::Float) if data.len() == 4 => (&FLOAT, f64::from(f32::from_bits(value as u32)).to_bits()),
        Some(Scalar::Fixed32) if data.len() == 4 => (&UINT32, value),
        Some(Scalar::Fixed64) if data.len() == 8 => (&UINT, value),
        Some(Scalar::Sfixed32) if data.len() == 4 => (&INT32, i64::from(value as i32) as u64),
        Some(Scalar::Sfixed64) if data.len() == 8 => (&INT, value),
        _ => return,
    };
    cx.add(def, data, 0, data.len(), value);
}

/// What has a length: text, a message, or numbers in a row.
fn long(
    cx: &mut Context<'_>,
    data: Data<'_>,
    member: &Member,
    schema: &Schema,
    scope: &str,
    depth: usize,
) -> Read {
    let mut c = data.cursor();
    match &member.kind {
        Scalar::Text => cx.add(&TEXT, data, 0, data.len(), 0),
        Scalar::Bytes => {}
        Scalar::Named(name) => match schema.resolve(scope, name) {
            Some(Meaning::Message(name)) if depth < DEPTH_MAX => {
                return protobuf(cx, &mut c, Some((schema, name)), depth + 1);
            }
            Some(Meaning::Enum(_)) => numbers(cx, &mut c, &member.kind, Some((schema, scope)))?,
            _ => {}
        },
        kind => numbers(cx, &mut c, kind, Some((schema, scope)))?,
    }
    Ok(())
}

/// Numbers one after the other, as a repeated field packs them.
fn numbers(cx: &mut Context<'_>, c: &mut Cursor<'_>, kind: &Scalar, known: Option<(&Schema, &str)>) -> Read {
    let len = match kind {
        Scalar::Double | Scalar::Fixed64 | Scalar::Sfixed64 => 8,
        Scalar::Float | Scalar::Fixed32 | Scalar::Sfixed32 => 4,
        _ => 0,
    };
    while !c.is_done() {
        if len > 0 {
            let data = c.take(len)?;
            let value = data.bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
            fixed(cx, data, value, Some(kind));
        } else {
            let at = c.pos;
            let (number, used) = varint(c)?;
            whole_number(cx, c.data.from(at).first(used), number, Some(kind), known);
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
