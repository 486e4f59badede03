//! Wireshark's display filters.

pub(super) mod literal;
mod operand;
mod time;

use super::lexer::{Kind as Token, Token as Placed, Tokens, tokens};
use super::{Expr, FilterError, Op, Operand, Sum};
use crate::field::Kind;

use self::literal::typed;
use self::operand::{kind_of, sum};

const SIGNS: [&str; 28] = [
    "===", "!==", "==", "!=", "~=", ">=", "<=", "&&", "||", "^^", "..", ">", "<", "!", "&", "~", "(", ")",
    "[", "]", "{", "}", ",", "+", "-", "*", "%", "#",
];

type Parsed<T> = Result<T, FilterError>;

/// Reads a display filter.
pub(super) fn parse(text: &str) -> Parsed<Expr> {
    let in_words = |c: char, _: usize| matches!(c, '.' | '_' | ':' | '/' | '-');
    let mut tokens = Tokens::new(tokens(text, &SIGNS, in_words)?);
    if tokens.peek().kind == Token::End {
        return Ok(Expr::True);
    }
    let expr = or(&mut tokens)?;
    match &tokens.peek().kind {
        Token::End => Ok(expr),
        _ => Err(tokens.peek().error(format!("{} was not expected here", tokens.peek().shown()))),
    }
}

fn or(t: &mut Tokens) -> Parsed<Expr> {
    let mut parts = vec![xor(t)?];
    while t.take(&["||", "or"]).is_some() {
        parts.push(xor(t)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::Or(parts) })
}

fn xor(t: &mut Tokens) -> Parsed<Expr> {
    let mut parts = vec![and(t)?];
    while t.take(&["^^", "xor"]).is_some() {
        parts.push(and(t)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::Xor(parts) })
}

fn and(t: &mut Tokens) -> Parsed<Expr> {
    let mut parts = vec![not(t)?];
    while t.take(&["&&", "and"]).is_some() {
        parts.push(not(t)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Expr::And(parts) })
}

fn not(t: &mut Tokens) -> Parsed<Expr> {
    if t.take(&["!", "not"]).is_some() {
        t.enter()?;
        let inner = not(t)?;
        t.leave();
        return Ok(Expr::Not(Box::new(inner)));
    }
    if t.peek().kind == Token::Sign("(") {
        t.enter()?;
        t.next();
        let inner = or(t)?;
        t.expect(")")?;
        t.leave();
        return Ok(inner);
    }
    let column = t.peek().column;
    Ok(Expr::At(Box::new(test(t)?), column))
}

fn relation(t: &mut Tokens) -> Option<(Op, bool, Placed)> {
    let words: [(&[&str], Op, bool); 10] = [
        (&["===", "all_eq"], Op::Eq, true),
        (&["==", "eq", "any_eq"], Op::Eq, false),
        (&["!=", "ne", "all_ne"], Op::Ne, true),
        (&["!==", "~=", "any_ne"], Op::Ne, false),
        (&[">=", "ge"], Op::Ge, false),
        (&["<=", "le"], Op::Le, false),
        (&[">", "gt"], Op::Gt, false),
        (&["<", "lt"], Op::Lt, false),
        (&["contains"], Op::Contains, false),
        (&["matches", "~"], Op::Matches, false),
    ];
    words.into_iter().find_map(|(words, op, all)| t.take(words).map(|token| (op, all, token)))
}

fn test(t: &mut Tokens) -> Parsed<Expr> {
    let quantifier = t.take(&["any", "all"]).map(|token| token.kind == Token::Word(String::from("all")));
    let begins = t.peek().clone();
    let left = sum(t)?;
    let negated = t.peek().kind == Token::Word(String::from("not"))
        && t.peek_second().kind == Token::Word(String::from("in"));
    if negated {
        t.next();
    }
    if t.take(&["in"]).is_some() {
        let left = typed(left, None, Op::Eq)?;
        let found = set(t, left, quantifier == Some(true))?;
        return Ok(if negated { Expr::Not(Box::new(found)) } else { found });
    }
    let Some((op, all, sign)) = relation(t) else {
        let missing = || t.peek().error("a comparison is missing: ==, !=, >, <, contains, matches");
        return match typed(left, None, Op::Eq)? {
            _ if quantifier.is_some() => Err(missing()),
            Operand::Field { defs, layers } => Ok(Expr::Exists(defs, layers)),
            left @ Operand::Sum(_, Sum::And, _) => Ok(Expr::NonZero(left)),
            _ => Err(missing()),
        };
    };
    let right = sum(t)?;
    let hint = kind_of(&left);
    let left = typed(left, None, Op::Eq)?;
    if let (Some((kind, _)), Op::Contains | Op::Matches) = (hint, op)
        && !matches!(kind, Kind::Text | Kind::Bytes | Kind::Protocol | Kind::Ether | Kind::Oid | Kind::Guid)
    {
        return Err(sign.error(format!("{} have no parts; string() makes words of them", plural(kind))));
    }
    let right = typed(right, hint, op)?;
    if let (Some((one, _)), Some((other, _))) = (hint, kind_of(&right))
        && group(one) != group(other)
    {
        return Err(begins.error(format!("{} and {} cannot be compared", plural(one), plural(other))));
    }
    Ok(Expr::Compare { left, op, right, all: quantifier.unwrap_or(all), column: begins.column })
}

/// Kinds of one group can be compared with each other.
pub(super) fn group(kind: Kind) -> u8 {
    match kind {
        Kind::Uint(_) | Kind::Int | Kind::Frame | Kind::Bool => 0,
        Kind::Float => 1,
        Kind::Ipv4 => 2,
        Kind::Ipv6 => 3,
        Kind::Ether | Kind::Bytes | Kind::Oid | Kind::Guid => 4,
        Kind::Text => 5,
        Kind::Relative => 6,
        Kind::Absolute => 7,
        Kind::Protocol => 8,
        Kind::None => 9,
    }
}

pub(super) fn plural(kind: Kind) -> &'static str {
    match group(kind) {
        0 | 1 => "numbers",
        2 => "IPv4 addresses",
        3 => "IPv6 addresses",
        4 => "bytes",
        5 => "words",
        6 => "durations",
        7 => "times",
        8 => "layers",
        _ => "headings",
    }
}

/// `{80, 443, 8000..8080}`.
fn set(t: &mut Tokens, left: Operand, all: bool) -> Parsed<Expr> {
    let kind = kind_of(&left);
    t.expect("{")?;
    let mut set = Vec::new();
    let element = |t: &mut Tokens, op| match typed(operand::entity(t)?, kind, op)? {
        Operand::Literal(literal) => Ok(literal),
        _ => Err(t.peek().error("a value was expected in front of this")),
    };
    loop {
        let from = element(t, Op::Eq)?;
        let to = if t.take(&[".."]).is_some() { Some(element(t, Op::Le)?) } else { None };
        set.push((from, to));
        let _ = t.take(&[","]);
        if t.take(&["}"]).is_some() {
            break;
        }
        if t.peek().kind == Token::End {
            return Err(t.peek().error("`}` is missing"));
        }
    }
    Ok(Expr::In { left, set, all })
}
