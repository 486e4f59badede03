//! Redis's RESP: values behind a sign, in lines.

use super::spoken::{Length, Spoken, Talk};
use crate::context::Context;
use crate::cursor::{Cursor, Read, Short};
use crate::field::protocol;
use crate::table::line;

protocol! { RESP "resp" "RESP" "REdis Serialization Protocol";
    STRING: text "resp.string" "String";
    ERROR: text "resp.error" "Error";
    BULK: none "resp.bulk_string" "Bulk String";
    BULK_LENGTH: int "resp.bulk_string.length" "Length";
    BULK_VALUE: bytes "resp.bulk_string.value" "Value";
    INTEGER: int "resp.integer" "Integer";
    ARRAY: none "resp.array" "Array";
    ARRAY_LENGTH: int "resp.array.length" "Length";
}

/// Arrays within arrays end here.
const DEPTH_MAX: usize = 100;

pub(crate) static SPOKEN: Spoken =
    Spoken { protocol: &RESP, ports: &[6379], eager: true, begins: None, length, show };

fn length(_: &Context<'_>, _: &Talk, _: usize, bytes: &[u8]) -> Length {
    total(bytes)
}

/// How long the value is that bytes begin with.
fn total(bytes: &[u8]) -> Length {
    if !matches!(bytes.first(), Some(b'+' | b'-' | b':' | b'$' | b'*')) {
        return Length::Whole(bytes.len()); // a command in one line, without signs
    }
    let mut at = 0;
    let mut open = 1u64;
    while open > 0 {
        let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) else { return Length::More };
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else { return Length::More };
        // An empty line is no value, and has nothing behind its first byte.
        let number = number(rest.get(1..end).unwrap_or_default());
        at += end + 1;
        open -= 1;
        match rest[0] {
            b'$' if number >= 0 => at = at.saturating_add(number as usize).saturating_add(2),
            b'*' if number > 0 => open = open.saturating_add(number as u64),
            _ => {}
        }
    }
    Length::Whole(at)
}

fn number(text: &[u8]) -> i64 {
    use std::num::IntErrorKind::{NegOverflow, PosOverflow};
    match std::str::from_utf8(text.trim_ascii()).unwrap_or_default().parse::<i64>() {
        Ok(number) => number,
        Err(error) if *error.kind() == PosOverflow => i64::MAX,
        Err(error) if *error.kind() == NegOverflow => i64::MIN,
        Err(_) => 0,
    }
}

fn show(cx: &mut Context<'_>, c: &mut Cursor<'_>, _: &mut Talk, _: usize) -> Read {
    value(cx, c, 0)
}

fn value(cx: &mut Context<'_>, c: &mut Cursor<'_>, depth: usize) -> Read {
    let whole = c.rest();
    let (text, used) = line(&whole).ok_or(Short)?;
    let body = text.from(1);
    let number = number(body.bytes);
    match whole.u8(0)? {
        b'+' => cx.add_slice(&STRING, whole.first(used), 1, body.len()),
        b'-' => cx.add_slice(&ERROR, whole.first(used), 1, body.len()),
        b':' => cx.add(&INTEGER, whole, 0, used, number as u64),
        b'$' => {
            let content = usize::try_from(number).unwrap_or(0);
            let total = if number < 0 { used } else { used + content + 2 };
            let bulk = c.take(total)?;
            return cx.within(&BULK, bulk, |cx| {
                cx.add(&BULK_LENGTH, bulk, 0, used, number as u64);
                if number >= 0 {
                    cx.add(&BULK_VALUE, bulk, used, content, 0);
                }
                Ok(())
            });
        }
        b'*' => {
            let begins = c.pos;
            let open = cx.open(&ARRAY, whole, 0, 0);
            cx.add(&ARRAY_LENGTH, whole, 0, used, number as u64);
            c.skip(used)?;
            let mut result = Ok(());
            for _ in 0..number {
                if result.is_err() || depth >= DEPTH_MAX {
                    break;
                }
                result = value(cx, c, depth + 1);
            }
            cx.close(open, c.pos - begins);
            return result;
        }
        _ => {
            c.skip(whole.len())?;
            return Ok(());
        }
    }
    c.skip(used)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_line_within_an_array_is_passed_over() {
        assert_eq!(total(b"*2\r\n\n+OK\r\n"), Length::Whole(10));
        assert_eq!(total(b"\n"), Length::Whole(1));
        assert_eq!(total(b"*1\r\n$3\r\nabc"), Length::Whole(13));
        assert_eq!(number(b"99999999999999999999"), i64::MAX);
        assert_eq!(number(b"-99999999999999999999"), i64::MIN);
    }
}
