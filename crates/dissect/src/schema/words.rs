//! The words of a `.proto` file.

use super::SchemaError;

/// A word, and the line it stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word<'t> {
    pub(super) text: &'t str,
    pub(super) line: usize,
}

/// The words one after the other; comments are passed over.
#[derive(Debug)]
pub(super) struct Words<'t> {
    rest: &'t str,
    line: usize,
}

impl<'t> Words<'t> {
    pub(super) fn new(text: &'t str) -> Words<'t> {
        Words { rest: text, line: 1 }
    }

    /// The next word, without taking it; nothing at the end.
    pub(super) fn peek(&mut self) -> Option<Word<'t>> {
        self.skip();
        let first = self.rest.chars().next()?;
        let end = match first {
            '"' | '\'' => text_end(self.rest, first),
            first if is_letter(first) => self.rest.find(|c| !is_letter(c)).unwrap_or(self.rest.len()),
            first => first.len_utf8(),
        };
        Some(Word { text: &self.rest[..end], line: self.line })
    }

    pub(super) fn next(&mut self) -> Result<Word<'t>, SchemaError> {
        let Some(word) = self.peek() else { return Err(self.error("the file ends in the middle")) };
        self.pass(word.text.len());
        Ok(word)
    }

    /// Takes the next word if it is this one.
    pub(super) fn takes(&mut self, text: &str) -> bool {
        let is = self.peek().is_some_and(|word| word.text == text);
        if is {
            self.pass(text.len());
        }
        is
    }

    pub(super) fn expect(&mut self, text: &str) -> Result<(), SchemaError> {
        let word = self.next()?;
        match word.text == text {
            true => Ok(()),
            false => Err(wrong(word, &format!("`{text}` was expected"))),
        }
    }

    pub(super) fn error(&self, what: &str) -> SchemaError {
        SchemaError { line: self.line, what: what.to_owned() }
    }

    fn skip(&mut self) {
        loop {
            let blank = self.rest.len() - self.rest.trim_start().len();
            self.pass(blank);
            let len = if self.rest.starts_with("//") {
                self.rest.find('\n').unwrap_or(self.rest.len())
            } else if self.rest.starts_with("/*") {
                self.rest.find("*/").map_or(self.rest.len(), |end| end + 2)
            } else {
                return;
            };
            self.pass(len);
        }
    }

    fn pass(&mut self, len: usize) {
        let (passed, rest) = self.rest.split_at(len);
        self.line += passed.bytes().filter(|byte| *byte == b'\n').count();
        self.rest = rest;
    }
}

/// What is wrong with a word.
pub(super) fn wrong(word: Word<'_>, what: &str) -> SchemaError {
    let text: String = word.text.chars().take(40).collect();
    SchemaError { line: word.line, what: format!("`{text}`: {what}") }
}

/// Names may have dots in them, numbers signs.
fn is_letter(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '+')
}

fn text_end(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if !escaped && c == quote {
            return at + 1;
        }
        escaped = !escaped && c == '\\';
    }
    text.len()
}
