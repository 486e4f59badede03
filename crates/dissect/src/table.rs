//! The form of a small protocol: a table of its fields, and layouts that say in which order they come.
//!
//! [`protocol!`](crate::field::protocol) declares the fields; a [`Layout`] is a list of [`Step`]s over them, and
//! [`walk`] reads bytes by it. What a layout can't say is a function among its steps. See `protocols/wireguard` for a
//! protocol that is nothing but tables, `protocols/lldp` for values behind tags, `protocols/smtp` for lines of text.

use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short, masked};
use crate::field::{FieldDef, Kind};

/// Steps in their order.
pub(crate) type Layout<'l> = &'l [Step<'l>];

/// How the next bytes are read.
#[derive(Debug)]
pub(crate) enum Step<'l> {
    /// A field that is as wide as its kind: numbers, addresses.
    Is(&'static FieldDef),
    /// The same, least significant byte first.
    Le(&'static FieldDef),
    /// A number of so many bytes, whatever its kind says.
    Wide(&'static FieldDef, usize),
    /// A number of so many bytes, and the named bits in it one level deeper.
    Bits(&'static FieldDef, usize, &'l [&'static FieldDef]),
    /// A number of so many bytes of which only parts have names.
    Parts(usize, &'l [&'static FieldDef]),
    /// So many bytes or characters.
    Bytes(&'static FieldDef, usize),
    /// A length, and so many bytes or characters; none are not shown.
    Counted(&'static FieldDef, &'static FieldDef),
    /// Characters up to a zero byte, which belongs to the field.
    Words(&'static FieldDef),
    /// All that is left, if anything is.
    Rest(&'static FieldDef),
    /// Bytes without a name.
    Skip(usize),
    /// The layout again and again, until the bytes end.
    Each(Layout<'l>),
    /// A heading over the rest.
    Under(&'static FieldDef, Layout<'l>),
    /// The layout that belongs to the last value of the field; none if no entry has it.
    By(&'static FieldDef, &'l [(u64, Layout<'l>)]),
    /// What no layout can say.
    Call(fn(&mut Context<'_>, &mut Cursor<'_>) -> Read),
}

/// How many bytes a field of this kind has on the wire.
fn width(def: &FieldDef) -> usize {
    match def.kind {
        Kind::Uint(bytes) => usize::from(bytes),
        Kind::Ipv4 => 4,
        Kind::Ipv6 | Kind::Guid => 16,
        Kind::Ether => 6,
        Kind::Bool => 1,
        _ => 0,
    }
}

/// Reads by a layout. It ends early where the bytes do.
pub(crate) fn walk(cx: &mut Context<'_>, c: &mut Cursor<'_>, layout: Layout<'_>) -> Read {
    layout.iter().try_for_each(|step| take(cx, c, step))
}

fn take(cx: &mut Context<'_>, c: &mut Cursor<'_>, step: &Step<'_>) -> Read {
    match *step {
        Step::Is(def) => match def.kind {
            Kind::Ipv6 | Kind::Guid => c.bytes(cx, def, 16).map(drop),
            _ => c.uint(cx, def, width(def)).map(drop),
        },
        Step::Le(def) => little(cx, c, def, width(def)).map(drop),
        Step::Wide(def, size) if def.kind == Kind::Int => c.int(cx, def, size).map(drop),
        Step::Wide(def, size) => c.uint(cx, def, size).map(drop),
        Step::Bits(whole, size, parts) => c.bits(cx, whole, size, parts).map(drop),
        Step::Parts(size, parts) => c.parts(cx, size, parts).map(drop),
        Step::Bytes(def, len) => c.bytes(cx, def, len).map(drop),
        Step::Counted(len, def) => {
            let count = c.uint(cx, len, width(len))?;
            counted(cx, c, def, count)
        }
        Step::Words(def) => words(cx, c, def).map(drop),
        Step::Rest(def) => {
            c.all(cx, def);
            Ok(())
        }
        Step::Skip(count) => c.skip(count),
        Step::Each(inner) => {
            while !c.is_done() {
                let before = c.pos;
                walk(cx, c, inner)?;
                if c.pos == before {
                    return Err(Short);
                }
            }
            Ok(())
        }
        Step::Under(def, inner) => {
            let rest = c.take_most(usize::MAX);
            cx.within(def, rest, |cx| walk(cx, &mut rest.cursor(), inner))
        }
        Step::By(def, choices) => {
            let value = cx.last(def);
            match choices.iter().find(|(key, _)| Some(*key) == value) {
                Some((_, inner)) => walk(cx, c, inner),
                None => Ok(()),
            }
        }
        Step::Call(read) => read(cx, c),
    }
}

/// So many bytes, if any.
pub(crate) fn counted(cx: &mut Context<'_>, c: &mut Cursor<'_>, def: &'static FieldDef, count: u64) -> Read {
    if count == 0 {
        return Ok(());
    }
    c.bytes(cx, def, usize::try_from(count).map_err(|_| Short)?).map(drop)
}

/// A number whose least significant byte comes first.
pub(crate) fn little(
    cx: &mut Context<'_>,
    c: &mut Cursor<'_>,
    def: &'static FieldDef,
    size: usize,
) -> Read<u64> {
    let bytes = c.rest().bytes.get(..size).ok_or(Short)?;
    let raw = bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
    let value = masked(raw, def.mask);
    cx.add(def, c.data, c.pos, size, value);
    c.pos += size;
    Ok(value)
}

/// The named bits of a number whose least significant byte comes first; `whole` shows all of it above them.
pub(crate) fn little_bits(
    cx: &mut Context<'_>,
    c: &mut Cursor<'_>,
    whole: &'static FieldDef,
    size: usize,
    parts: &[&'static FieldDef],
) -> Read<u64> {
    let begins = c.pos;
    let raw = little(cx, c, whole, size)?;
    cx.depth += 1;
    for part in parts {
        cx.add(part, c.data, begins, size, masked(raw, part.mask));
    }
    cx.depth -= 1;
    Ok(raw)
}

/// Characters up to a zero byte; the field's value is without it. Gives how many characters there are.
pub(crate) fn words(cx: &mut Context<'_>, c: &mut Cursor<'_>, def: &'static FieldDef) -> Read<usize> {
    let rest = c.rest();
    let len = rest.bytes.iter().position(|byte| *byte == 0).ok_or(Short)?;
    cx.add_slice(def, rest.first(len + 1), 0, len);
    c.pos += len + 1;
    Ok(len)
}

/// Values behind a tag and a length.
#[derive(Debug)]
pub(crate) struct Tlv {
    /// A heading for each, over all of it.
    pub(crate) heading: Option<&'static FieldDef>,
    pub(crate) tag: &'static FieldDef,
    pub(crate) len: &'static FieldDef,
    /// The length counts this many bytes of the header.
    pub(crate) counts: usize,
    /// What follows is aligned to so many bytes; 1: it is not.
    pub(crate) align: usize,
    /// Layouts of the values.
    pub(crate) values: &'static [(u64, Layout<'static>)],
    /// For values without a layout.
    pub(crate) other: Option<&'static FieldDef>,
}

/// Reads values behind tags until the bytes end.
pub(crate) fn tlvs(cx: &mut Context<'_>, c: &mut Cursor<'_>, form: &Tlv) -> Read {
    while !c.is_done() {
        one(cx, c, form)?;
    }
    Ok(())
}

fn one(cx: &mut Context<'_>, c: &mut Cursor<'_>, form: &Tlv) -> Read {
    let (tag, len) = (width(form.tag), width(form.len));
    let value = c.rest().bytes.get(tag..tag + len).ok_or(Short)?;
    let claimed = value.iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
    let total = (tag + len + claimed).checked_sub(form.counts).filter(|total| *total >= tag + len);
    let whole = c.take(total.ok_or(Short)?)?;
    let padding = whole.len().next_multiple_of(form.align) - whole.len();
    c.take_most(padding);
    let read = |cx: &mut Context<'_>| {
        let mut c = whole.cursor();
        let kind = c.uint(cx, form.tag, tag)?;
        c.uint(cx, form.len, len)?;
        let known = form.values.iter().find(|(key, _)| *key == kind);
        match (known, form.other) {
            (Some((_, layout)), _) => walk(cx, &mut c, layout),
            (None, Some(other)) => {
                c.all(cx, other);
                Ok(())
            }
            (None, None) => Ok(()),
        }
    };
    match form.heading {
        Some(heading) => cx.within(heading, whole, read),
        None => read(cx),
    }
}

/// The next line without its end, and how long it is with it; `None`: it has no end yet.
pub(crate) fn line<'d>(data: &Data<'d>) -> Option<(Data<'d>, usize)> {
    let end = data.bytes.iter().position(|byte| *byte == b'\n')?;
    let text = if end > 0 && data.bytes[end - 1] == b'\r' { end - 1 } else { end };
    Some((data.first(text), end + 1))
}

/// The next line, or what there is of it if the packet ends within.
pub(crate) fn line_or_rest<'d>(data: &Data<'d>) -> (Data<'d>, usize) {
    line(data).unwrap_or((*data, data.len()))
}

/// Words before the first `sep`, and what follows it; without `sep` all of it and nothing.
pub(crate) fn split<'d>(data: Data<'d>, sep: u8) -> (Data<'d>, Data<'d>) {
    let at = data.bytes.iter().position(|byte| *byte == sep).unwrap_or(data.len());
    (data.first(at), data.from(at + 1))
}

/// Digits as a number; 0 if they are none.
pub(crate) fn digits(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .fold(0u64, |number, byte| number.saturating_mul(10).saturating_add(u64::from(byte - b'0')))
}
