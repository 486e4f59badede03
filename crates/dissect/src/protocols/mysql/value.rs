//! Values in binary form: parameters of prepared statements, rows of their results.

use super::*;

protocol! { VALUES "mysql" "MySQL" "MySQL Protocol";
    ROW: text "mysql.row.text" "text";
    NULLS: bytes "mysql.row.nullbuffer" "Row null buffer";
    PARAMETER: none "mysql.exec_param" "Parameter";
    UNSIGNED: u8 "mysql.exec.unsigned" "Unsigned";
    NULL: none "mysql.exec.field.null" "Value: -NULL-";
    TINY: int "mysql.exec.field.tiny" "Value (INT8)";
    UNSIGNED_TINY: u8 "mysql.exec.field.unsigned_tiny" "Value (UINT8)";
    SHORT: int "mysql.exec.field.short" "Value (INT16)";
    UNSIGNED_SHORT: u16 "mysql.exec.field.unsigned_short" "Value (UINT16)";
    LONG: int "mysql.exec.field.long" "Value (INT32)";
    UNSIGNED_LONG: u32 "mysql.exec.field.unsigned_long" "Value (UINT32)";
    LONGLONG: int "mysql.exec.field.longlong" "Value (INT64)";
    UNSIGNED_LONGLONG: u64 "mysql.exec.field.unsigned_longlong" "Value (UINT64)";
    FLOAT: float "mysql.exec.field.float" "Value (Float)";
    DOUBLE: float "mysql.exec.field.double" "Value (Double)";
    STRING: text "mysql.exec.field.string" "Value (String)";
    MOMENT_LENGTH: int "mysql.exec.field.datetime.length" "Length";
    YEAR: int "mysql.exec.field.year" "Year";
    MONTH: int "mysql.exec.field.month" "Month";
    DAY: int "mysql.exec.field.day" "Day";
    HOUR: int "mysql.exec.field.hour" "Hour";
    MINUTE: int "mysql.exec.field.minute" "Minute";
    SECOND: int "mysql.exec.field.second" "Second";
    FRACTION: int "mysql.exec.field.secondb" "Billionth of a second";
    TIME_LENGTH: int "mysql.exec.field.time.length" "Length";
    TIME_SIGN: u8 "mysql.exec.field.time.sign" "Flags";
    TIME_DAYS: int "mysql.exec.field.time.days" "Days";
}

/// A row of a prepared statement's result.
pub(super) fn row(cx: &mut Context<'_>, c: &mut Cursor<'_>, session: &Session) -> Read {
    const UNSIGNED: u16 = 0x20;
    if session.columns.is_empty() {
        return Ok(());
    }
    let nulls = answer::nulls(cx, c, session.columns.len())?;
    for (at, (kind, flags)) in session.columns.iter().enumerate() {
        let bit = at + 2;
        if nulls[bit / 8] & 1 << (bit % 8) != 0 {
            cx.add(&NULL, c.data, c.pos, 0, 0);
        } else if !c.is_done() && !show(cx, c, *kind, flags & UNSIGNED != 0)? {
            break;
        }
    }
    Ok(())
}

/// Shows a value of a type; `false`: the type is not known.
pub(super) fn show(cx: &mut Context<'_>, c: &mut Cursor<'_>, kind: u8, unsigned: bool) -> Read<bool> {
    match (kind, unsigned) {
        (1, false) => signed(cx, c, &TINY, 1)?,
        (1, true) => drop(c.u8(cx, &UNSIGNED_TINY)?),
        (2, false) => signed(cx, c, &SHORT, 2)?,
        (2, true) => drop(little(cx, c, &UNSIGNED_SHORT, 2)?),
        (3, false) => signed(cx, c, &LONG, 4)?,
        (3, true) => drop(little(cx, c, &UNSIGNED_LONG, 4)?),
        (4, false) => {
            let bytes = c.take(4)?;
            let value = f32::from_le_bytes(*bytes.bytes.first_chunk().ok_or(Short)?);
            cx.add(&FLOAT, bytes, 0, 4, f64::from(value).to_bits());
        }
        (5, false) => {
            let bytes = c.take(8)?;
            cx.add(&DOUBLE, bytes, 0, 8, u64::from_le_bytes(*bytes.bytes.first_chunk().ok_or(Short)?));
        }
        (6, false) => {}
        (7 | 10 | 12, false) => moment(cx, c)?,
        (8, false) => signed(cx, c, &LONGLONG, 8)?,
        (8, true) => drop(little(cx, c, &UNSIGNED_LONGLONG, 8)?),
        (11, false) => time(cx, c)?,
        (0xF6 | 0xFC | 0xFD | 0xFE, false) => text(cx, c)?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn signed(cx: &mut Context<'_>, c: &mut Cursor<'_>, def: &'static FieldDef, size: usize) -> Read {
    let bytes = c.take(size)?;
    let raw = bytes.bytes.iter().rev().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    let shift = 64 - 8 * size as u32;
    cx.add(def, bytes, 0, size, (((raw << shift) as i64) >> shift) as u64);
    Ok(())
}

fn text(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let (head, len) = match *c.rest().bytes {
        [0xFC, a, b, ..] => (3, usize::from(u16::from_le_bytes([a, b]))),
        [0xFD, a, b, d, ..] => (4, u32::from_le_bytes([a, b, d, 0]) as usize),
        [len, ..] => (1, usize::from(len)),
        [] => return Err(Short),
    };
    let whole = c.take(head + len)?;
    cx.add_slice(&STRING, whole, head, len);
    Ok(())
}

/// Day and time.
fn moment(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let mut inner = timed(cx, c, &MOMENT_LENGTH)?;
    parts(
        cx,
        &mut inner,
        &[(&YEAR, 2), (&MONTH, 1), (&DAY, 1), (&HOUR, 1), (&MINUTE, 1), (&SECOND, 1), (&FRACTION, 4)],
    )
}

/// A duration.
fn time(cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
    let mut inner = timed(cx, c, &TIME_LENGTH)?;
    if inner.is_done() {
        return Ok(());
    }
    inner.u8(cx, &TIME_SIGN)?;
    parts(cx, &mut inner, &[(&TIME_DAYS, 4), (&HOUR, 1), (&MINUTE, 1), (&SECOND, 1), (&FRACTION, 4)])
}

fn timed<'d>(cx: &mut Context<'_>, c: &mut Cursor<'d>, def: &'static FieldDef) -> Read<Cursor<'d>> {
    let len = usize::from(c.peek()?);
    signed(cx, c, def, 1)?;
    c.take(len).map(|inside| inside.cursor())
}

/// As many of the numbers as are there: zeros at the end are left out.
fn parts(cx: &mut Context<'_>, c: &mut Cursor<'_>, parts: &[(&'static FieldDef, usize)]) -> Read {
    for (def, size) in parts {
        if c.left() < *size {
            break;
        }
        signed(cx, c, def, *size)?;
    }
    Ok(())
}
