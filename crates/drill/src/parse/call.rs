//! System calls: `0.1...0.2 read(3, ..., 1000) = -1 EAGAIN (Try again)`.

use super::{DEEPEST, Error, Parser};
use crate::script::{Call, Expr};
use crate::text::Kind;

impl Parser<'_> {
    pub(super) fn call(&mut self) -> Result<Call, Error> {
        let ends = if self.peek_at(0) == Some(&Kind::Ellipsis) {
            self.at += 1;
            self.sign('+');
            Some(self.duration()?)
        } else {
            None
        };
        let name = self.any_word("the name of a system call")?;
        let arguments = self.arguments(0)?;
        self.expect('=')?;
        let result = self.expression(0)?;
        let errno = match self.peek_at(0) {
            Some(Kind::Word(word)) => {
                let word = word.clone();
                self.at += 1;
                Some(word)
            }
            _ => None,
        };
        if self.sign('(') {
            // A note for people, up to its closing parenthesis.
            let mut open = 1;
            while open > 0 {
                match &self.next().ok_or_else(|| self.error("`)`"))?.kind {
                    Kind::Sign('(') => open += 1,
                    Kind::Sign(')') => open -= 1,
                    _ => {}
                }
            }
        }
        Ok(Call { ends, name, arguments, result, errno })
    }

    fn arguments(&mut self, depth: usize) -> Result<Vec<Expr>, Error> {
        self.expect('(')?;
        self.list(')', depth)
    }

    /// Expressions up to `end`, which is taken.
    fn list(&mut self, end: char, depth: usize) -> Result<Vec<Expr>, Error> {
        let mut items = Vec::new();
        if self.sign(end) {
            return Ok(items);
        }
        loop {
            items.push(self.expression(depth + 1)?);
            if self.sign(end) {
                return Ok(items);
            }
            self.expect(',')?;
            // A comma may stand before the end, too.
            if self.sign(end) {
                return Ok(items);
            }
        }
    }

    fn expression(&mut self, depth: usize) -> Result<Expr, Error> {
        if depth > DEEPEST {
            return Err(Error::new(self.line(), "arguments are nested too deeply"));
        }
        let mut value = self.term(depth)?;
        while self.sign('|') {
            value = Expr::Or(Box::new(value), Box::new(self.term(depth)?));
        }
        Ok(value)
    }

    fn term(&mut self, depth: usize) -> Result<Expr, Error> {
        if depth > DEEPEST {
            return Err(Error::new(self.line(), "arguments are nested too deeply"));
        }
        let Some(token) = self.peek() else { return Err(self.error("a value")) };
        let value = match &token.kind {
            Kind::Ellipsis => Expr::Ellipsis,
            Kind::Integer(text) => Expr::Int(
                text.parse::<u64>()
                    .map_err(|_| Error::new(token.line, format!("`{text}` is out of range")))?
                    as i64,
            ),
            Kind::Decimal(text) => Expr::Float(text.parse().unwrap_or(0.0)),
            Kind::Hex(value) => Expr::Int(*value as i64),
            Kind::Text(_) => return self.text(),
            Kind::Sign('-') => {
                self.at += 1;
                return match self.term(depth + 1)? {
                    Expr::Int(value) => Ok(Expr::Int(value.wrapping_neg())),
                    Expr::Float(value) => Ok(Expr::Float(-value)),
                    _ => Err(Error::new(token.line, "`-` stands before something that is not a number")),
                };
            }
            Kind::Sign('~' | '!') => {
                self.at += 1;
                return Ok(Expr::Not(Box::new(self.term(depth + 1)?)));
            }
            Kind::Sign('[') => {
                self.at += 1;
                return Ok(Expr::Array(self.list(']', depth)?));
            }
            Kind::Sign('(') => {
                self.at += 1;
                let inner = self.expression(depth + 1)?;
                self.expect(')')?;
                return Ok(inner);
            }
            Kind::Sign('{') => {
                self.at += 1;
                return self.structure(depth);
            }
            Kind::Word(word) => {
                self.at += 1;
                if self.peek_at(0) == Some(&Kind::Sign('(')) {
                    return Ok(Expr::Apply(word.clone(), self.arguments(depth + 1)?));
                }
                return Ok(Expr::Word(word.clone()));
            }
            _ => return Err(self.error("a value")),
        };
        self.at += 1;
        Ok(value)
    }

    /// Texts that follow each other are one.
    fn text(&mut self) -> Result<Expr, Error> {
        let mut whole = String::new();
        while let Some(Kind::Text(text)) = self.peek_at(0) {
            whole.push_str(text);
            self.at += 1;
        }
        Ok(Expr::Text(whole))
    }

    fn structure(&mut self, depth: usize) -> Result<Expr, Error> {
        let mut fields = Vec::new();
        loop {
            if self.sign('}') {
                return Ok(Expr::Struct(fields));
            }
            fields.push(self.field(depth)?);
            if !self.sign(',') {
                self.expect('}')?;
                return Ok(Expr::Struct(fields));
            }
        }
    }

    /// `name = value`, `name(…) = value` (what stands in the parentheses is for people), or a bare value.
    fn field(&mut self, depth: usize) -> Result<(String, Expr), Error> {
        if let Some(Kind::Word(name)) = self.peek_at(0) {
            if self.peek_at(1) == Some(&Kind::Sign('=')) {
                self.at += 2;
                return Ok((name.clone(), self.expression(depth + 1)?));
            }
            if self.peek_at(1) == Some(&Kind::Sign('(')) {
                let back = self.at;
                self.at += 1;
                self.arguments(depth + 1)?;
                if self.sign('=') {
                    return Ok((name.clone(), self.expression(depth + 1)?));
                }
                self.at = back;
            }
        }
        Ok((String::new(), self.expression(depth + 1)?))
    }
}
