//! Text that knows its place.

use crate::source::{Error, Span};
use crate::units::BadQuantity;

/// A piece of text with its place, so that what is wrong inside can be pointed at.
#[derive(Clone, Debug)]
pub(crate) struct Text<'a> {
    pub(crate) text: &'a str,
    /// Where the text stands; `None` if it came from the command line.
    pub(crate) span: Option<Span>,
}

impl<'a> Text<'a> {
    pub(crate) fn new(text: &'a str, span: Option<Span>) -> Text<'a> {
        Text { text, span }
    }

    /// The part from byte `from` to `to`, without surrounding blanks.
    pub(crate) fn part(&self, from: usize, to: usize) -> Text<'a> {
        let raw = &self.text[from..to];
        let trimmed = raw.trim();
        let from = from + (raw.len() - raw.trim_start().len());
        let span = self.span.as_ref().map(|span| span.part(from, trimmed.len()));
        Text { text: trimmed, span }
    }

    pub(crate) fn trimmed(&self) -> Text<'a> {
        self.part(0, self.text.len())
    }

    pub(crate) fn error(&self, message: impl Into<String>, hint: impl Into<String>) -> Error {
        Error { span: self.span.clone(), message: message.into(), hint: hint.into() }
    }

    pub(crate) fn quantity<T>(&self, read: impl FnOnce(&str) -> Result<T, BadQuantity>) -> Result<T, Error> {
        read(self.text).map_err(|bad| self.error(bad.message, bad.hint))
    }

    /// Splits at `separator` outside parentheses.
    pub(crate) fn split(&self, separator: char) -> Vec<Text<'a>> {
        let mut parts = Vec::new();
        let (mut depth, mut from) = (0i32, 0);
        for (at, c) in self.text.char_indices() {
            match c {
                '(' => depth += 1,
                ')' => depth -= 1,
                c if c == separator && depth <= 0 => {
                    parts.push(self.part(from, at));
                    from = at + c.len_utf8();
                }
                _ => {}
            }
        }
        parts.push(self.part(from, self.text.len()));
        parts
    }

    /// Splits once at the first `separator`.
    pub(crate) fn split_once(&self, separator: char) -> Option<(Text<'a>, Text<'a>)> {
        let at = self.text.find(separator)?;
        Some((self.part(0, at), self.part(at + separator.len_utf8(), self.text.len())))
    }
}

/// Name and arguments of `name` or `name(arguments)`.
pub(super) fn call<'a>(value: &Text<'a>) -> Result<(Text<'a>, Vec<Text<'a>>), Error> {
    let Some(open) = value.text.find('(') else {
        return Ok((value.clone(), Vec::new()));
    };
    if !value.text.ends_with(')') {
        return Err(value.error(format!("`{}` has no closing parenthesis", value.text), "end it with `)`"));
    }
    let inside = value.part(open + 1, value.text.len() - 1);
    let arguments = if inside.text.is_empty() { Vec::new() } else { inside.split(',') };
    Ok((value.part(0, open), arguments))
}
