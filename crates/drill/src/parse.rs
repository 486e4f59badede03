//! From tokens to a [`Script`]: settings, then events. Every error names its line.

use core::time::Duration;

use crate::script::{Action, Direction, Event, Script, Setting, Time};
use crate::text::{Kind, Token, tokens};

mod call;
mod packet;

/// What is wrong with a script, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Line, from 1.
    pub line: u32,
    /// What was expected, and what stands there.
    pub what: String,
}

impl Error {
    pub(crate) fn new(line: u32, what: impl Into<String>) -> Error {
        Error { line, what: what.into() }
    }
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl core::error::Error for Error {}

/// Reads a script. `defined` names what its `#ifdef` lines ask for, and with `NAME=value` what a name stands for.
pub fn parse(source: &str, defined: &[&str]) -> Result<Script, Error> {
    let tokens = tokens(source, defined)?;
    let mut parser = Parser { tokens: &tokens, at: 0 };
    let mut script = Script::default();
    while let Some(token) = parser.peek() {
        if let Kind::Setting(name, value) = &token.kind {
            script.settings.push(Setting { name: name.clone(), value: value.clone(), line: token.line });
            parser.at += 1;
        } else {
            script.events.push(parser.event()?);
        }
    }
    Ok(script)
}

/// How deep arguments may be nested.
pub(crate) const DEEPEST: usize = 16;

/// A place in the tokens.
pub(crate) struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at)
    }

    fn peek_at(&self, ahead: usize) -> Option<&'a Kind> {
        self.tokens.get(self.at + ahead).map(|token| &token.kind)
    }

    fn next(&mut self) -> Option<&'a Token> {
        let token = self.tokens.get(self.at)?;
        self.at += 1;
        Some(token)
    }

    /// The line of what comes next, or the last one.
    fn line(&self) -> u32 {
        self.peek().or(self.tokens.last()).map_or(1, |token| token.line)
    }

    fn error(&self, wanted: &str) -> Error {
        let found = self.peek().map_or_else(|| "the end of the script".to_owned(), |t| t.kind.describe());
        Error::new(self.line(), format!("expected {wanted}, found {found}"))
    }

    fn sign(&mut self, sign: char) -> bool {
        let is = self.peek().is_some_and(|token| token.kind == Kind::Sign(sign));
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, sign: char) -> Result<(), Error> {
        if self.sign(sign) { Ok(()) } else { Err(self.error(&format!("`{sign}`"))) }
    }

    fn word(&mut self, word: &str) -> bool {
        let is = matches!(self.peek_at(0), Some(Kind::Word(found)) if found == word);
        self.at += usize::from(is);
        is
    }

    fn any_word(&mut self, wanted: &str) -> Result<String, Error> {
        match self.peek_at(0) {
            Some(Kind::Word(word)) => {
                self.at += 1;
                Ok(word.clone())
            }
            _ => Err(self.error(wanted)),
        }
    }

    fn integer<T: TryFrom<u64>>(&mut self, wanted: &str) -> Result<T, Error> {
        let value = match self.peek_at(0) {
            Some(Kind::Integer(text)) => text.parse().ok(),
            Some(Kind::Hex(value)) => Some(*value),
            _ => return Err(self.error(wanted)),
        };
        let number = value.and_then(|value: u64| T::try_from(value).ok());
        let number = number.ok_or_else(|| {
            let found = self.peek().map_or_else(String::new, |token| token.kind.describe());
            Error::new(self.line(), format!("{found} is out of range for {wanted}"))
        })?;
        self.at += 1;
        Ok(number)
    }

    fn event(&mut self) -> Result<Event, Error> {
        let line = self.line();
        let timeless = matches!(self.peek_at(0), Some(Kind::Shell(_) | Kind::Code(_)));
        let time = if timeless { Time::After(Duration::ZERO) } else { self.time()? };
        // `+0 `a` and `b``: some scripts write several shell lines under one time; each is an event.
        let action = match self.peek_at(0) {
            Some(Kind::Shell(text)) => {
                self.at += 1;
                Action::Shell(text.clone())
            }
            Some(Kind::Code(text)) => {
                self.at += 1;
                Action::Code(text.clone())
            }
            Some(Kind::Sign('<')) => {
                self.at += 1;
                Action::Packet(Box::new(self.packet(Direction::In)?))
            }
            Some(Kind::Sign('>')) => {
                self.at += 1;
                Action::Packet(Box::new(self.packet(Direction::Out)?))
            }
            Some(Kind::Word(_) | Kind::Ellipsis) => Action::Call(Box::new(self.call()?)),
            _ => return Err(self.error("a packet, a call, a shell line or a code block")),
        };
        let outbound = matches!(&action, Action::Packet(packet) if packet.direction == Direction::Out);
        if !outbound && matches!(time, Time::Any | Time::Between(..) | Time::AfterBetween(..)) {
            return Err(Error::new(
                line,
                "only a packet that is expected may come at any time or in a range",
            ));
        }
        Ok(Event { line, time, action })
    }

    fn time(&mut self) -> Result<Time, Error> {
        if self.sign('*') {
            return Ok(Time::Any);
        }
        let after = self.sign('+');
        let begin = self.duration()?;
        if !self.sign('~') {
            return Ok(if after { Time::After(begin) } else { Time::At(begin) });
        }
        self.sign('+');
        let end = self.duration()?;
        if end < begin {
            return Err(Error::new(self.line(), "the range of times runs backwards"));
        }
        Ok(if after { Time::AfterBetween(begin, end) } else { Time::Between(begin, end) })
    }

    fn duration(&mut self) -> Result<Duration, Error> {
        let text = match self.peek_at(0) {
            Some(Kind::Integer(text) | Kind::Decimal(text)) => text,
            _ => return Err(self.error("a time in seconds")),
        };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let seconds = if whole.is_empty() { Some(0) } else { whole.parse::<u64>().ok() };
        let mut nanos = 0;
        for digit in fraction.bytes().chain(core::iter::repeat(b'0')).take(9) {
            nanos = nanos * 10 + u32::from(digit - b'0');
        }
        // Three years: far beyond any script, and far from where arithmetic ends.
        let seconds = seconds.filter(|seconds| *seconds < 100_000_000);
        let seconds =
            seconds.ok_or_else(|| Error::new(self.line(), format!("`{text}` is too long a time")))?;
        self.at += 1;
        Ok(Duration::new(seconds, nanos))
    }
}

#[cfg(test)]
mod tests;
