//! The whole tree, indented, as `tshark -V` shows it.

use super::put;
use super::value::{hex_byte, write_value};
use crate::field::Kind;
use crate::tree::{Field, Tree, Value};

/// Bytes beyond this many are left out of a line.
const BYTES_SHOWN: usize = 32;

/// Appends every field on a line of its own: label, value, and its name where the value has one.
pub fn outline(out: &mut Vec<u8>, tree: Tree<'_>) {
    for field in tree.fields().iter().filter(|field| !field.is_hidden()) {
        for _ in 0..field.depth {
            out.extend_from_slice(b"    ");
        }
        outline_field(out, tree, field);
        out.push(b'\n');
    }
}

/// Appends one field as [`outline`] does, without what stands in front of it and behind.
pub fn outline_field(out: &mut Vec<u8>, tree: Tree<'_>, field: &Field) {
    let def = field.def;
    if field.is_generated() && def.kind != Kind::Protocol {
        out.push(b'[');
    }
    out.extend_from_slice(def.label.as_bytes());
    match tree.value(field) {
        Value::None => {}
        Value::Bool(value) => out.extend_from_slice(if value { b": Set" } else { b": Not set" }),
        Value::Bytes(bytes) if bytes.len() > BYTES_SHOWN && !matches!(def.kind, Kind::Oid | Kind::Guid) => {
            out.extend_from_slice(b": ");
            bytes[..BYTES_SHOWN].iter().for_each(|byte| hex_byte(out, *byte));
            put!(out, "... ({} bytes)", bytes.len());
        }
        value => {
            out.extend_from_slice(b": ");
            match value {
                Value::Uint(number) if def.name_of(number).is_some() => {
                    out.extend_from_slice(def.name_of(number).unwrap_or_default().as_bytes());
                    out.extend_from_slice(b" (");
                    write_value(out, tree, field);
                    out.push(b')');
                }
                _ => write_value(out, tree, field),
            }
            if matches!(def.kind, Kind::Relative) {
                out.extend_from_slice(b" seconds");
            }
        }
    }
    if field.is_generated() && def.kind != Kind::Protocol {
        out.push(b']');
    }
}
