//! JSON (RFC 8259): keys, values, and the paths to them. What is no JSON is shown as far as it is.

use crate::context::Context;
use crate::cursor::{Cursor, Data, Read, Short};
use crate::field::{FieldDef, protocol};

protocol! { JSON "json" "JSON" "JavaScript Object Notation";
    OBJECT: none "json.object" "Object";
    ARRAY: none "json.array" "Array";
    MEMBER: text "json.member" "Member";
    KEY: text "json.key" "Key";
    PATH: text "json.path" "Path";
    PATH_VALUE: text "json.path_with_value" "Path with value";
    MEMBER_VALUE: text "json.member_with_value" "Member with value";
    STRING: text "json.value.string" "String value";
    NUMBER: text "json.value.number" "Number value";
    TRUE: none "json.value.true" "True value";
    FALSE: none "json.value.false" "False value";
    NULL: none "json.value.null" "Null value";
}

/// Values are not nested deeper.
const DEPTH_MAX: usize = 40;

/// So many values are shown, each with its path; a path is not longer.
const VALUES_MAX: usize = 2000;
const PATH_MAX: usize = 512;

/// Shows a text as a layer.
pub(crate) fn dissect(cx: &mut Context<'_>, data: Data<'_>) {
    let (mut good, mut is_all) = (0, true);
    cx.layer(&JSON, data, |cx, c| {
        let depth = cx.depth;
        let mut walk = Walk { path: Vec::new(), values: 0, nested: 0 };
        // What ends early was told as far as it goes.
        while !c.is_done() && walk.value(cx, c, None).is_ok() {
            space(c);
            good = c.pos;
        }
        is_all = walk.values <= VALUES_MAX;
        cx.depth = depth;
        c.skip(c.left())
    });
    // What is none is lines, as in Wireshark; what we stopped before may be JSON.
    let rest = data.from(good);
    if !rest.is_empty() && is_all {
        super::media::lines(cx, rest);
    }
}

/// On the way through a text.
struct Walk {
    /// The keys that lead here, with a slash before each.
    path: Vec<u8>,
    values: usize,
    nested: usize,
}

fn space(c: &mut Cursor<'_>) {
    while matches!(c.peek(), Ok(b' ' | b'\t' | b'\r' | b'\n')) {
        c.pos += 1;
    }
}

/// Goes on behind this byte, if it is the next.
fn skips(c: &mut Cursor<'_>, byte: u8) -> bool {
    space(c);
    let is_next = c.peek() == Ok(byte);
    c.pos += usize::from(is_next);
    is_next
}

impl Walk {
    /// A value, which belongs to a key or is one of a list.
    fn value(&mut self, cx: &mut Context<'_>, c: &mut Cursor<'_>, name: Option<&[u8]>) -> Read {
        space(c);
        self.values += 1;
        if self.nested >= DEPTH_MAX || self.values > VALUES_MAX {
            return Err(Short);
        }
        let rest = c.rest();
        self.nested += 1;
        let read = match c.peek()? {
            b'{' => self.inside(cx, c, &OBJECT, b'}'),
            b'[' => self.inside(cx, c, &ARRAY, b']'),
            b'"' => {
                let words = string(c)?;
                let whole = rest.first(rest.len() - c.left());
                self.plain(cx, &STRING, name, whole, &words);
                Ok(())
            }
            _ => self.word(cx, c, name, rest),
        };
        self.nested -= 1;
        read
    }

    /// A number, or one of three words.
    fn word(
        &mut self,
        cx: &mut Context<'_>,
        c: &mut Cursor<'_>,
        name: Option<&[u8]>,
        rest: Data<'_>,
    ) -> Read {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let word = rest.first(rest.bytes.iter().take_while(|byte| is_part(byte)).count());
        let def = match word.bytes {
            b"true" => &TRUE,
            b"false" => &FALSE,
            b"null" => &NULL,
            [b'0'..=b'9' | b'-', ..] => &NUMBER,
            _ => return Err(Short),
        };
        c.skip(word.len())?;
        self.plain(cx, def, name, word, word.bytes);
        Ok(())
    }

    /// Shows a value that has no parts, and its path.
    fn plain(
        &mut self,
        cx: &mut Context<'_>,
        def: &'static FieldDef,
        name: Option<&[u8]>,
        whole: Data<'_>,
        words: &[u8],
    ) {
        let name = name.unwrap_or(b"[]");
        if !self.path.is_empty() {
            cx.add_words(&PATH_VALUE, whole, &[&self.path, &b":"[..], words].concat());
            cx.add_words(&MEMBER_VALUE, whole, &[name, b":", words].concat());
        }
        cx.add_words(def, whole, words);
    }

    /// An object or an array.
    fn inside(
        &mut self,
        cx: &mut Context<'_>,
        c: &mut Cursor<'_>,
        heading: &'static FieldDef,
        end: u8,
    ) -> Read {
        let begins = c.pos;
        let open = cx.open(heading, c.data, begins, 0);
        let depth = cx.depth;
        c.pos += 1;
        let read = self.parts(cx, c, end);
        cx.depth = depth;
        cx.close(open, c.pos - begins);
        read
    }

    /// Its members or values, up to where it ends.
    fn parts(&mut self, cx: &mut Context<'_>, c: &mut Cursor<'_>, end: u8) -> Read {
        if skips(c, end) {
            return Ok(());
        }
        loop {
            if end == b'}' {
                self.member(cx, c)?
            } else {
                self.item(cx, c)?
            }
            if skips(c, end) {
                return Ok(());
            }
            if !skips(c, b',') {
                return Err(Short);
            }
        }
    }

    fn item(&mut self, cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
        let len = self.enter(b"[]");
        let read = self.value(cx, c, None);
        self.path.truncate(len);
        read
    }

    fn member(&mut self, cx: &mut Context<'_>, c: &mut Cursor<'_>) -> Read {
        space(c);
        let begins = c.pos;
        let key = string(c)?;
        let open = cx.open_words(&MEMBER, c.data.from(begins), &key);
        if !skips(c, b':') {
            cx.close(open, c.pos - begins);
            return Err(Short);
        }
        let len = self.enter(&key);
        let depth = cx.depth;
        let read = self.value(cx, c, Some(&key));
        cx.depth = depth;
        let whole = c.data.from(begins).first(c.pos - begins);
        cx.add_words(&KEY, whole, &key);
        cx.add_words(&PATH, whole, &self.path);
        self.path.truncate(len);
        cx.close(open, whole.len());
        read
    }

    /// Goes a step down; gives how long the path was.
    fn enter(&mut self, name: &[u8]) -> usize {
        let len = self.path.len();
        if len + name.len() < PATH_MAX {
            self.path.push(b'/');
            self.path.extend_from_slice(name);
        }
        len
    }
}

/// A string, without its quotes and with what escapes stand for.
fn string(c: &mut Cursor<'_>) -> Read<Vec<u8>> {
    if c.peek()? != b'"' {
        return Err(Short);
    }
    c.pos += 1;
    let mut words = Vec::new();
    loop {
        let byte = c.peek()?;
        c.pos += 1;
        match byte {
            b'"' => return Ok(words),
            b'\\' => escaped(c, &mut words)?,
            byte => words.push(byte),
        }
    }
}

fn escaped(c: &mut Cursor<'_>, words: &mut Vec<u8>) -> Read {
    let byte = c.peek()?;
    c.pos += 1;
    match byte {
        b'n' => words.push(b'\n'),
        b't' => words.push(b'\t'),
        b'r' => words.push(b'\r'),
        b'b' => words.push(8),
        b'f' => words.push(12),
        b'u' => {
            let mut unit = unit(c)?;
            // Half of a character beyond the first 65,536: the other half follows.
            if (0xD800..0xDC00).contains(&unit) && c.rest().bytes.starts_with(b"\\u") {
                let mut next = *c;
                next.pos += 2;
                let low = self::unit(&mut next)?;
                // Anything else is a character of its own.
                if (0xDC00..0xE000).contains(&low) {
                    unit = 0x1_0000 + ((unit & 0x3FF) << 10 | low & 0x3FF);
                    *c = next;
                }
            }
            let letter = char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER);
            words.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
        }
        other => words.push(other),
    }
    Ok(())
}

/// Four hexadecimal digits.
fn unit(c: &mut Cursor<'_>) -> Read<u32> {
    c.take(4)?.bytes.iter().try_fold(0, |unit, digit| {
        char::from(*digit).to_digit(16).map(|digit| unit << 4 | digit).ok_or(Short)
    })
}

#[cfg(test)]
mod tests;
