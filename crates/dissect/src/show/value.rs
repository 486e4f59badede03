//! A field's value as text, in the form that `tshark -T fields` gives it.

use super::{decimal, escape, padded, put};
use crate::field::{Base, Kind};
use crate::tree::{Field, Tree, Value};
use std::net::IpAddr;

/// Appends a field's value: numbers in their base, addresses, bytes as hex, words escaped. A heading has none.
pub fn write_value(out: &mut Vec<u8>, tree: Tree<'_>, field: &Field) {
    match tree.value(field) {
        Value::None => {}
        Value::Bool(value) => out.push(b'0' + u8::from(value)),
        Value::Uint(value) => match (field.def.base, field.def.kind) {
            (Base::Hex, Kind::Uint(bytes)) => hex(out, value, usize::from(bytes) * 2),
            _ => decimal(out, value),
        },
        Value::Int(value) => {
            if value < 0 {
                out.push(b'-');
            }
            decimal(out, value.unsigned_abs());
        }
        Value::Float(value) => put!(out, "{value}"),
        Value::Address(address) => write_address(out, address),
        Value::Ether(octets) => {
            for (place, octet) in octets.into_iter().enumerate() {
                if place > 0 {
                    out.push(b':');
                }
                hex_byte(out, octet);
            }
        }
        Value::Bytes(bytes) if field.def.kind == Kind::Oid => write_oid(out, bytes),
        Value::Bytes(bytes) if field.def.kind == Kind::Guid => write_guid(out, bytes),
        Value::Bytes(bytes) => hex_bytes(out, bytes),
        // Zeros at the end fill a field up.
        Value::Text(words) => {
            let len = words.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            escape(out, &words[..len]);
        }
        Value::Relative(nanos) => seconds(out, nanos),
        // NTP's way to say that there is none.
        Value::Absolute(-2_208_988_800_000_000_000) => out.extend_from_slice(b"NULL"),
        Value::Absolute(nanos) => date(out, nanos),
    }
}

/// Appends the values of some fields, tabs between: a column for each name, all occurrences in it, commas between.
/// This is what `tshark -T fields` does. Each entry of `wanted` holds the names that one column stands for.
pub fn columns(
    out: &mut Vec<u8>,
    tree: Tree<'_>,
    wanted: &[Vec<&'static crate::field::FieldDef>],
    separator: u8,
) {
    for (place, defs) in wanted.iter().enumerate() {
        if place > 0 {
            out.push(separator);
        }
        let mut first = true;
        for field in tree.fields() {
            if !defs.iter().any(|def| field.def.is(def) || field.def.name == def.name) {
                continue;
            }
            if !first {
                out.push(b',');
            }
            first = false;
            match field.def.kind {
                Kind::Protocol => out.extend_from_slice(field.def.name.as_bytes()),
                Kind::None => out.push(b'1'),
                _ => write_value(out, tree, field),
            }
        }
    }
    out.push(b'\n');
}

pub(super) fn write_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            for (place, octet) in address.octets().into_iter().enumerate() {
                if place > 0 {
                    out.push(b'.');
                }
                decimal(out, u64::from(octet));
            }
        }
        IpAddr::V6(address) => put!(out, "{address}"),
    }
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

pub(super) fn hex_byte(out: &mut Vec<u8>, byte: u8) {
    out.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
}

/// Two digits for each byte, a row at a time: asking for room at every byte would take most of the time.
pub(crate) fn hex_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    for row in bytes.chunks(64) {
        let mut digits = [0; 128];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(row) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        out.extend_from_slice(&digits[..row.len() * 2]);
    }
}

/// `0x` and so many digits.
fn hex(out: &mut Vec<u8>, value: u64, digits: usize) {
    out.extend_from_slice(b"0x");
    for place in (0..digits.max(1)).rev() {
        out.push(DIGITS[(value >> (4 * place) & 15) as usize]);
    }
}

/// Seconds with nine digits behind the point.
pub(super) fn seconds(out: &mut Vec<u8>, nanos: i64) {
    if nanos < 0 {
        out.push(b'-');
    }
    let nanos = nanos.unsigned_abs();
    decimal(out, nanos / 1_000_000_000);
    out.push(b'.');
    padded(out, nanos % 1_000_000_000, 9);
}

/// Year, month and day of days since 1970, by the Gregorian calendar.
pub(super) fn civil(days: i64) -> (i64, u64, u64) {
    // Eras of 400 years that begin on 1 March, so that the leap day is the last day of a year.
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = (day - (153 * month + 2) / 5 + 1) as u64;
    let month = if month < 10 { month + 3 } else { month - 9 } as u64;
    (year + era * 400 + i64::from(month <= 2), month, day_of_month)
}

/// `20261121093000`: date and time of day in UTC of nanoseconds since 1970, for names of files.
pub fn compact_date(nanos: u64) -> String {
    let second = nanos / 1_000_000_000;
    let (year, month, day) = civil((second / 86_400) as i64);
    let (hour, minute, second) = (second / 3600 % 24, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
}

/// `2026-11-21T07:00:00.000000000Z`.
pub(super) fn date(out: &mut Vec<u8>, nanos: i64) {
    let (second, fraction) = (nanos.div_euclid(1_000_000_000), nanos.rem_euclid(1_000_000_000));
    let (year, month, day_of_month) = civil(second.div_euclid(86_400));
    day(out, year, month, day_of_month);
    out.push(b'T');
    clock(out, second.rem_euclid(86_400) as u64);
    out.push(b'.');
    padded(out, fraction as u64, 9);
    out.push(b'Z');
}

/// `2026-11-21`.
pub(super) fn day(out: &mut Vec<u8>, year: i64, month: u64, day: u64) {
    match u64::try_from(year) {
        Ok(year @ 0..=9999) => padded(out, year, 4),
        _ => put!(out, "{year:04}"),
    }
    out.push(b'-');
    padded(out, month, 2);
    out.push(b'-');
    padded(out, day, 2);
}

/// `07:00:00`.
pub(super) fn clock(out: &mut Vec<u8>, second: u64) {
    padded(out, second / 3600, 2);
    out.push(b':');
    padded(out, second / 60 % 60, 2);
    out.push(b':');
    padded(out, second % 60, 2);
}

/// An object identifier as dotted numbers; nonsense is shown as far as it goes.
fn write_oid(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut arc = 0u64;
    let mut first = true;
    for byte in bytes {
        arc = arc << 7 | u64::from(byte & 0x7F);
        if byte & 0x80 != 0 {
            continue;
        }
        if first {
            let root = (arc / 40).min(2);
            put!(out, "{root}.{}", arc - root * 40);
            first = false;
        } else {
            put!(out, ".{arc}");
        }
        arc = 0;
    }
}

fn write_guid(out: &mut Vec<u8>, bytes: &[u8]) {
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        hex_byte(out, *byte);
    }
}
