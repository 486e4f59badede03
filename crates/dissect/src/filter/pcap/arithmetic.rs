//! Comparisons of numbers: `tcp[13] & 2 != 0`, `len > 100`.

use super::words::{Word, constant, number, value, word_of};
use super::{Parsed, Parser, Placed, Token};
use crate::filter::{Arith, ArithOp, Base, Expr, Header, Op};

impl Parser {
    pub(super) fn begins_arithmetic(&self) -> bool {
        match &self.t.peek().kind {
            Token::Sign("(" | "-") => true,
            Token::Word(word) => {
                let then = &self.t.peek_second().kind;
                let operator = matches!(
                    then,
                    Token::Sign(
                        "==" | "!="
                            | ">="
                            | "<="
                            | "="
                            | ">"
                            | "<"
                            | "+"
                            | "-"
                            | "*"
                            | "/"
                            | "%"
                            | "&"
                            | "|"
                            | "^"
                            | "<<"
                            | ">>"
                    )
                );
                word == "len"
                    || *then == Token::Sign("[")
                    || operator && (number(word).is_some() || constant(word).is_some())
            }
            _ => false,
        }
    }

    pub(super) fn relation(&mut self) -> Parsed<Expr> {
        let depth = self.t.depth;
        let left = self.arith(0)?;
        let signs = [
            ("==", Op::Eq),
            ("=", Op::Eq),
            ("!=", Op::Ne),
            (">=", Op::Ge),
            ("<=", Op::Le),
            (">", Op::Gt),
            ("<", Op::Lt),
        ];
        let Some(op) = signs.into_iter().find_map(|(sign, op)| self.t.take(&[sign]).map(|_| op)) else {
            return Err(self.t.peek().error("a comparison is missing: =, !=, <, >, <=, >="));
        };
        let right = self.arith(0)?;
        self.t.depth = depth;
        self.last = None;
        Ok(Expr::Header(Header::Relation { left, op, right }))
    }

    /// Binary operators by precedence, loosest first. `%` and `^` stand outside of it: libpcap's grammar gives them none, so
    /// they bind to the one operand before them, whatever comes before that, and to all that follows: `-a * b % c + d` is
    /// `-a * (b % (c + d))`. Who means something else writes brackets.
    fn arith(&mut self, level: usize) -> Parsed<Arith> {
        const LEVELS: [&[(&str, ArithOp)]; 5] = [
            &[("|", ArithOp::Or)],
            &[("&", ArithOp::And)],
            &[("<<", ArithOp::Shl), (">>", ArithOp::Shr)],
            &[("+", ArithOp::Add), ("-", ArithOp::Sub)],
            &[("*", ArithOp::Mul), ("/", ArithOp::Div)],
        ];
        let Some(operators) = LEVELS.get(level) else { return self.operand() };
        let mut left = self.arith(level + 1)?;
        loop {
            let Some((sign, op)) = operators.iter().find_map(|(sign, op)| Some((self.t.take(&[sign])?, *op)))
            else {
                return Ok(left);
            };
            let right = self.arith(level + 1)?;
            left = self.binary(left, &sign, op, right)?;
        }
    }

    fn binary(&mut self, left: Arith, sign: &Placed, op: ArithOp, right: Arith) -> Parsed<Arith> {
        let known = value(&right);
        if matches!(op, ArithOp::Div | ArithOp::Mod) && known == Some(0) {
            return Err(sign.error("division by zero"));
        }
        if matches!(op, ArithOp::Shl | ArithOp::Shr) && known.is_some_and(|count| count > 31) {
            return Err(sign.error("numbers have 32 bits: a shift by more has no meaning"));
        }
        self.t.enter()?;
        Ok(Arith::Binary(Box::new(left), op, Box::new(right)))
    }

    fn operand(&mut self) -> Parsed<Arith> {
        if self.t.take(&["-"]).is_some() {
            self.t.enter()?;
            return Ok(Arith::Negate(Box::new(self.operand()?)));
        }
        let left = self.atom()?;
        for (word, op) in [("%", ArithOp::Mod), ("^", ArithOp::Xor)] {
            if let Some(sign) = self.t.take(&[word]) {
                self.t.enter()?;
                let right = self.arith(0)?;
                return self.binary(left, &sign, op, right);
            }
        }
        Ok(left)
    }

    fn atom(&mut self) -> Parsed<Arith> {
        if self.t.take(&["("]).is_some() {
            self.t.enter()?;
            let inner = self.arith(0)?;
            self.t.expect(")")?;
            return Ok(inner);
        }
        let token = self.t.next();
        let Token::Word(word) = &token.kind else {
            return Err(
                token.error(format!("a number or protocol[offset] was expected, not {}", token.shown()))
            );
        };
        if word == "len" {
            return Ok(Arith::Len);
        }
        if self.t.take(&["["]).is_some() {
            let base = match word_of(word) {
                Some(Word::Ether) => Base::Ether,
                Some(Word::Proto(proto)) => Base::Proto(proto),
                None => return Err(token.error(format!("`{word}` is not a protocol"))),
            };
            self.t.enter()?;
            let offset = self.arith(0)?;
            let size = if self.t.take(&[":"]).is_some() {
                let size = self.t.next();
                match &size.kind {
                    Token::Word(word) if matches!(word.as_str(), "1" | "2" | "4") => {
                        word.parse().unwrap_or(1)
                    }
                    _ => return Err(size.error("the size is 1, 2 or 4 bytes")),
                }
            } else {
                1
            };
            self.t.expect("]")?;
            return Ok(Arith::Load(base, Box::new(offset), size));
        }
        let value = number(word).or_else(|| constant(word));
        value.map(Arith::Number).ok_or_else(|| token.error(format!("`{word}` is not a number")))
    }
}
