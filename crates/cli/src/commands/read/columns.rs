//! A table of packets with the columns that were asked for.

use thru_dissect::field::FieldDef;
use thru_dissect::show::{self, LineOptions, TimeStyle};
use thru_dissect::{Tree, Value, fields_named};

use crate::failure::Failure;

/// A column and how wide it is.
pub(super) struct Column {
    name: String,
    what: What,
    width: usize,
}

enum What {
    Protocol,
    Info,
    Fields(Vec<&'static FieldDef>),
}

impl Column {
    /// A well-known column, or a field.
    pub(super) fn new(name: &str) -> Result<Column, Failure> {
        let (fields, width): (&[&str], usize) = match name {
            "number" | "no" => (&["frame.number"], 6),
            "time" => (&["frame.time_relative"], 14),
            "src" => (&["ipv6.src", "ip.src", "eth.src"], 21),
            "dst" => (&["ipv6.dst", "ip.dst", "eth.dst"], 21),
            "length" => (&["frame.len"], 6),
            "protocol" => return Ok(Column { name: name.to_owned(), what: What::Protocol, width: 8 }),
            "info" => return Ok(Column { name: name.to_owned(), what: What::Info, width: 0 }),
            field => (&[field], name.len().max(12)),
        };
        let defs: Vec<_> = fields.iter().flat_map(|name| fields_named(name)).collect();
        if defs.is_empty() {
            return Err(Failure::usage(
                format!("there is no column or field `{name}`"),
                "columns are number, time, src, dst, protocol, length, info and Wireshark's fields",
            ));
        }
        Ok(Column { name: name.to_owned(), what: What::Fields(defs), width })
    }
}

/// The line above the packets.
pub(super) fn heading(out: &mut Vec<u8>, columns: &[Column]) {
    let cells = columns.iter().map(|column| (column.name.clone(), column.width));
    write(out, cells);
}

/// A packet's line.
pub(super) fn row(out: &mut Vec<u8>, tree: Tree<'_>, columns: &[Column]) {
    write(out, columns.iter().map(|column| (cell(tree, column), column.width)));
}

fn write(out: &mut Vec<u8>, cells: impl Iterator<Item = (String, usize)>) {
    let mut line = String::new();
    for (cell, width) in cells {
        if !line.is_empty() {
            line.push_str("  ");
        }
        line.push_str(&format!("{cell:width$}"));
    }
    out.extend_from_slice(line.trim_end().as_bytes());
    out.push(b'\n');
}

fn cell(tree: Tree<'_>, column: &Column) -> String {
    let mut text = Vec::new();
    match &column.what {
        What::Protocol => {
            let last = tree.layers().iter().rfind(|layer| layer.layer.name != "data");
            return last.map_or(String::new(), |layer| layer.short.to_owned());
        }
        What::Info => {
            show::line(&mut text, tree, &LineOptions { time: TimeStyle::None, ..LineOptions::default() });
            let line = String::from_utf8_lossy(&text).trim_end().to_owned();
            // Who it is from and to has columns of its own.
            return line.split_once(": ").map_or(line.clone(), |(_, rest)| rest.to_owned());
        }
        What::Fields(defs) => {
            // The first of the names that the packet has, all its values.
            for def in defs {
                for field in tree.fields().iter().filter(|field| field.def.name == def.name) {
                    if !text.is_empty() {
                        text.push(b',');
                    }
                    match tree.value(field) {
                        Value::None => text.push(b'1'),
                        _ => show::write_value(&mut text, tree, field),
                    }
                }
                if !text.is_empty() {
                    break;
                }
            }
        }
    }
    String::from_utf8_lossy(&text).into_owned()
}
