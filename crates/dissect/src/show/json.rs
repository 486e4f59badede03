//! One JSON object a packet. Values keep their types: numbers are numbers, yes and no are `true` and `false`.

use super::put;
use super::value::{hex_byte, seconds, write_value};
use crate::field::Kind;
use crate::tree::{Field, Tree, Value};

/// Raised when a field of the object changes its meaning or goes away.
const SCHEMA: u32 = 1;

/// Appends a line: `{"schema":1,"kind":"packet","number":...,"time":"...","layers":["eth","ip"],"fields":{...}}`.
/// A field that occurs more than once is a list. Headings have no value and are left out, unless they are findings
/// such as `tcp.analysis.retransmission`, which are `true`.
pub fn json_line(out: &mut Vec<u8>, tree: Tree<'_>, scratch: &mut JsonScratch) {
    out.extend_from_slice(b"{\"schema\":");
    super::decimal(out, u64::from(SCHEMA));
    out.extend_from_slice(b",\"kind\":\"packet\",\"layers\":[");
    for (place, protocol) in tree.layers().iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.push(b'"');
        out.extend_from_slice(protocol.layer.name.as_bytes());
        out.push(b'"');
    }
    out.extend_from_slice(b"],\"fields\":{");
    let fields = tree.fields();
    scratch.group(fields);
    let mut first = true;
    for (place, field) in fields.iter().enumerate() {
        if !shown(field) || scratch.previous[place] {
            continue;
        }
        if !first {
            out.push(b',');
        }
        first = false;
        out.push(b'"');
        out.extend_from_slice(field.def.name.as_bytes());
        out.extend_from_slice(b"\":");
        let next = scratch.next[place];
        if next == 0 {
            value(out, tree, field);
            continue;
        }
        out.push(b'[');
        value(out, tree, field);
        let mut at = next as usize;
        loop {
            out.push(b',');
            value(out, tree, &fields[at]);
            match scratch.next[at] {
                0 => break,
                next => at = next as usize,
            }
        }
        out.push(b']');
    }
    out.extend_from_slice(b"}}\n");
}

/// Memory for [`json_line`], used again for the next packet.
#[derive(Debug, Default)]
pub struct JsonScratch {
    /// For each field the place of the next occurrence of its name; 0: none.
    next: Vec<u32>,
    /// Whether there was an earlier occurrence.
    previous: Vec<bool>,
    /// Hash of the definition's address to the last place where it occurred, plus one.
    slots: Vec<(usize, u32)>,
}

impl JsonScratch {
    /// Links the occurrences of each field.
    fn group(&mut self, fields: &[Field]) {
        self.next.clear();
        self.next.resize(fields.len(), 0);
        self.previous.clear();
        self.previous.resize(fields.len(), false);
        let size = (fields.len() * 2).next_power_of_two().max(64);
        self.slots.clear();
        self.slots.resize(size, (0, 0));
        for (place, field) in fields.iter().enumerate().filter(|(_, field)| shown(field)) {
            let key = std::ptr::from_ref(field.def).addr();
            let mut slot = (key >> 4).wrapping_mul(0x9E37_79B9) & (size - 1);
            loop {
                let (known, last) = self.slots[slot];
                if last == 0 || known == key {
                    if last != 0 {
                        self.next[last as usize - 1] = place as u32;
                        self.previous[place] = true;
                    }
                    self.slots[slot] = (key, place as u32 + 1);
                    break;
                }
                slot = (slot + 1) & (size - 1);
            }
        }
    }
}

fn shown(field: &Field) -> bool {
    match field.def.kind {
        Kind::Protocol => false,
        Kind::None => field.is_generated(),
        _ => !field.is_hidden(),
    }
}

fn value(out: &mut Vec<u8>, tree: Tree<'_>, field: &Field) {
    match tree.value(field) {
        Value::None => out.extend_from_slice(b"true"),
        Value::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Value::Uint(number) => super::decimal(out, number),
        Value::Int(_) => write_value(out, tree, field),
        Value::Float(number) if number.is_finite() => put!(out, "{number}"),
        Value::Float(_) => out.extend_from_slice(b"null"),
        Value::Relative(nanos) => seconds(out, nanos),
        Value::Text(words) => text(out, words),
        _ => {
            out.push(b'"');
            write_value(out, tree, field);
            out.push(b'"');
        }
    }
}

/// A JSON string; bytes that are no UTF-8 become U+FFFD.
pub(crate) fn text(out: &mut Vec<u8>, words: &[u8]) {
    out.push(b'"');
    let plain = |byte: &u8| (0x20..0x7F).contains(byte) && !matches!(byte, b'"' | b'\\');
    if words.iter().all(plain) {
        out.extend_from_slice(words);
    } else {
        for c in String::from_utf8_lossy(words).chars() {
            match c {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                c if (c as u32) < 0x20 || (0x7F..0xA0).contains(&(c as u32)) || super::deceives(c) => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        put!(out, "\\u");
                        hex_byte(out, (*unit >> 8) as u8);
                        hex_byte(out, *unit as u8);
                    }
                }
                c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
    }
    out.push(b'"');
}
