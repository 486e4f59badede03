//! Wireshark's display filters.

use super::lexer::{Kind as Token, Token as Placed, Tokens, tokens};
use super::{Expr, FilterError, Literal, Op, Operand, Pattern, Slice};
use crate::field::{FieldDef, Kind};
use crate::protocols::{fields_named, nearest_field};
use std::net::{IpAddr, Ipv4Addr};

const SIGNS: [&str; 24] = [
    "===", "!==", "==", "!=", "~=", ">=", "<=", "&&", "||", "^^", "..", ">", "<", "!", "&", "~", "(", ")",
    "[", "]", "{", "}", ",", "-",
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
    let mut left = and(t)?;
    while t.take(&["^^", "xor"]).is_some() {
        left = Expr::Xor(Box::new(left), Box::new(and(t)?));
    }
    Ok(left)
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
    test(t)
}

fn relation(t: &mut Tokens) -> Option<(Op, Placed)> {
    let words: [(&[&str], Op); 10] = [
        (&["===", "all_eq"], Op::AllEq),
        (&["==", "eq", "any_eq"], Op::Eq),
        (&["!=", "ne", "all_ne"], Op::Ne),
        (&["!==", "~=", "any_ne"], Op::AnyNe),
        (&[">=", "ge"], Op::Ge),
        (&["<=", "le"], Op::Le),
        (&[">", "gt"], Op::Gt),
        (&["<", "lt"], Op::Lt),
        (&["contains"], Op::Contains),
        (&["matches", "~"], Op::Matches),
    ];
    words.into_iter().find_map(|(words, op)| t.take(words).map(|token| (op, token)))
}

fn test(t: &mut Tokens) -> Parsed<Expr> {
    let begins = t.peek().clone();
    let left = operand(t, &begins)?;
    if t.take(&["in"]).is_some() {
        return set(t, left);
    }
    let Some((op, sign)) = relation(t) else {
        return match left {
            Operand::Field { defs, slices } if slices.is_empty() => Ok(Expr::Exists(defs)),
            Operand::Masked(..) => Ok(Expr::Compare {
                left,
                op: Op::Ne,
                right: Operand::Literal(Literal::Uint(0)),
                column: begins.column,
            }),
            _ => Err(t.peek().error("a comparison is missing: ==, !=, >, <, contains, matches")),
        };
    };
    let right = right_side(t, &left, op)?;
    if matches!(op, Op::Gt | Op::Lt | Op::Ge | Op::Le)
        && let Operand::Field { defs, slices } = &left
        && slices.is_empty()
        && defs.iter().any(|def| def.kind == Kind::Bool)
    {
        return Err(sign.error("yes and no have no order"));
    }
    Ok(Expr::Compare { left, op, right, column: begins.column })
}

fn operand(t: &mut Tokens, begins: &Placed) -> Parsed<Operand> {
    let token = t.next();
    let Token::Word(word) = &token.kind else {
        return Err(token.error(format!("a field was expected, not {}", token.shown())));
    };
    if t.peek().kind == Token::Sign("(") {
        let make: fn(Vec<&'static FieldDef>) -> Operand = match word.as_str() {
            "len" => Operand::Len,
            "count" => Operand::Count,
            "lower" => Operand::Lower,
            "upper" => Operand::Upper,
            _ => {
                return Err(
                    token.error(format!("there is no function `{word}`; there are len, count, lower, upper"))
                );
            }
        };
        t.next();
        let field = t.next();
        let defs = field_of(&field)?;
        t.expect(")")?;
        return Ok(make(defs));
    }
    let defs = field_of(begins)?;
    if t.peek().kind == Token::Sign("[") {
        return Ok(Operand::Field { defs, slices: slices(t)? });
    }
    if t.take(&["&", "bitand", "bitwise_and"]).is_some() {
        let mask = t.next();
        let number = match &mask.kind {
            Token::Word(word) => number(word),
            _ => None,
        };
        return Ok(Operand::Masked(
            defs,
            number.ok_or_else(|| mask.error("a number was expected after `&`"))?,
        ));
    }
    Ok(Operand::Field { defs, slices: Vec::new() })
}

fn field_of(token: &Placed) -> Parsed<Vec<&'static FieldDef>> {
    let Token::Word(word) = &token.kind else {
        return Err(token.error(format!("a field was expected, not {}", token.shown())));
    };
    let defs = fields_named(word);
    if defs.is_empty() {
        let hint = nearest_field(word).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        return Err(token.error(format!("there is no field `{word}`{hint}")));
    }
    Ok(defs)
}

/// `[1:2]`, `[1-2]`, `[-4:]`, `[0,3:2]`.
fn slices(t: &mut Tokens) -> Parsed<Vec<Slice>> {
    t.expect("[")?;
    let mut found = Vec::new();
    loop {
        let token = t.next();
        let negative = token.kind == Token::Sign("-");
        let token = if negative { t.next() } else { token };
        let Token::Word(word) = &token.kind else {
            return Err(token.error("a slice looks like [0:2], [4], [2-3] or [-2:]"));
        };
        let slice =
            slice(word).ok_or_else(|| token.error("a slice looks like [0:2], [4], [2-3] or [-2:]"))?;
        found.push(if negative { Slice { start: -slice.start, ..slice } } else { slice });
        if t.take(&[","]).is_none() {
            break;
        }
    }
    t.expect("]")?;
    Ok(found)
}

fn slice(word: &str) -> Option<Slice> {
    let start = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<i64>().ok() };
    if let Some((from, len)) = word.split_once(':') {
        let len = if len.is_empty() { None } else { Some(len.parse().ok()?) };
        return Some(Slice { start: start(from)?, len });
    }
    if let Some((from, to)) = word.split_once('-').filter(|(from, _)| !from.is_empty()) {
        let (from, to): (i64, i64) = (from.parse().ok()?, to.parse().ok()?);
        return (to >= from).then(|| Slice { start: from, len: Some((to - from) as u64 + 1) });
    }
    Some(Slice { start: word.parse().ok()?, len: Some(1) })
}

fn set(t: &mut Tokens, left: Operand) -> Parsed<Expr> {
    t.expect("{")?;
    let mut set = Vec::new();
    loop {
        if t.take(&["}"]).is_some() {
            break;
        }
        let from = literal(t, &left, Op::Eq)?;
        let to = if t.take(&[".."]).is_some() { Some(literal(t, &left, Op::Le)?) } else { None };
        set.push((from, to));
        let _ = t.take(&[","]);
        if t.peek().kind == Token::End {
            return Err(t.peek().error("`}` is missing"));
        }
    }
    Ok(Expr::In { left, set })
}

fn right_side(t: &mut Tokens, left: &Operand, op: Op) -> Parsed<Operand> {
    if let Token::Word(word) = &t.peek().kind {
        let is_field = !fields_named(word).is_empty();
        let is_function = matches!(word.as_str(), "len" | "count" | "lower" | "upper")
            && t.peek_second().kind == Token::Sign("(");
        if is_field || is_function {
            let token = t.peek().clone();
            return operand(t, &token);
        }
    }
    literal(t, left, op).map(Operand::Literal)
}

fn literal(t: &mut Tokens, left: &Operand, op: Op) -> Parsed<Literal> {
    let mut token = t.next();
    let negative = token.kind == Token::Sign("-");
    if negative {
        token = t.next();
    }
    let result = if op == Op::Matches {
        match &token.kind {
            Token::Text(text) => pattern(text),
            _ => Err(String::from("a regular expression stands in quotes")),
        }
    } else {
        match (&token.kind, left) {
            (Token::Text(_) | Token::Word(_), Operand::Len(_) | Operand::Count(_) | Operand::Masked(..)) => {
                match &token.kind {
                    Token::Word(word) => {
                        number(word).map(Literal::Uint).ok_or(String::from("a number was expected"))
                    }
                    _ => Err(String::from("a number was expected")),
                }
            }
            (Token::Text(text), Operand::Lower(_) | Operand::Upper(_)) => Ok(Literal::Text(text.clone())),
            (_, Operand::Field { defs, slices }) => {
                let kind = if slices.is_empty() { defs[0].kind } else { Kind::Bytes };
                value(&token.kind, defs[0], kind, op, negative)
            }
            _ => Err(format!("a value was expected, not {}", token.shown())),
        }
    };
    result.map_err(|message| token.error(message))
}

fn pattern(text: &[u8]) -> Result<Literal, String> {
    let text = String::from_utf8_lossy(text);
    regex_lite::RegexBuilder::new(&text)
        .case_insensitive(true)
        .size_limit(1 << 20)
        .build()
        .map(|regex| Literal::Regex(Pattern(regex)))
        .map_err(|error| format!("the regular expression is wrong: {error}"))
}

/// The value of a token for a field.
fn value(token: &Token, def: &FieldDef, kind: Kind, op: Op, negative: bool) -> Result<Literal, String> {
    let word = match token {
        Token::Word(word) => word.as_str(),
        Token::Text(text) => {
            return match kind {
                Kind::Text => Ok(Literal::Text(text.clone())),
                Kind::Bytes | Kind::Protocol | Kind::Ether | Kind::Guid | Kind::Oid => {
                    Ok(Literal::Bytes(text.clone()))
                }
                _ if op == Op::Contains => Ok(Literal::Bytes(text.clone())),
                Kind::Uint(_) | Kind::Bool => named(def, &String::from_utf8_lossy(text)),
                _ => value(&Token::Word(String::from_utf8_lossy(text).into_owned()), def, kind, op, negative),
            };
        }
        _ => return Err(String::from("a value was expected")),
    };
    let signed = matches!(kind, Kind::Int | Kind::Float | Kind::Relative);
    let (word, negative) = match word.strip_prefix('-').filter(|_| signed) {
        Some(rest) => (rest, !negative),
        None => (word, negative),
    };
    let wrong = |what: &str| Err(format!("`{word}` is not {what}"));
    if op == Op::Contains && !matches!(kind, Kind::Text) {
        return bytes(word)
            .map(Literal::Bytes)
            .ok_or(format!("`{word}` is neither bytes nor text in quotes"));
    }
    match kind {
        Kind::Uint(size) => match number(word) {
            Some(number) if !negative => {
                let max = if def.mask != 0 {
                    def.mask >> def.mask.trailing_zeros()
                } else {
                    u64::MAX >> (64 - 8 * u32::from(size))
                };
                if number > max.max(u64::MAX >> (64 - 8 * u32::from(size))) {
                    return Err(format!("`{word}` does not fit: at most {max}"));
                }
                Ok(Literal::Uint(number))
            }
            Some(_) => wrong("a number from 0 up"),
            None => named(def, word),
        },
        Kind::Frame => number(word).map(Literal::Uint).ok_or(format!("`{word}` is not a frame number")),
        Kind::Int => match number(word).and_then(|number| i64::try_from(number).ok()) {
            Some(number) => Ok(Literal::Int(if negative { -number } else { number })),
            None => wrong("a number"),
        },
        Kind::Bool => match word {
            "1" | "true" | "True" | "TRUE" => Ok(Literal::Uint(1)),
            "0" | "false" | "False" | "FALSE" => Ok(Literal::Uint(0)),
            _ => wrong("true or false"),
        },
        Kind::Float | Kind::Relative | Kind::Absolute => match word.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Literal::Float(if negative { -number } else { number })),
            _ => wrong("a number"),
        },
        Kind::Ipv4 | Kind::Ipv6 => net(word, kind == Kind::Ipv6),
        Kind::Ether => match bytes(word) {
            Some(bytes) if bytes.len() == 6 => Ok(Literal::Bytes(bytes)),
            _ => wrong("a MAC address"),
        },
        Kind::Text => Ok(Literal::Text(word.as_bytes().to_vec())),
        Kind::Bytes | Kind::Protocol | Kind::Guid | Kind::Oid => {
            bytes(word).map(Literal::Bytes).ok_or(format!("`{word}` is neither bytes nor text in quotes"))
        }
        Kind::None => Err(format!("`{}` has no value to compare with", def.name)),
    }
}

/// The number of a value's name.
fn named(def: &FieldDef, word: &str) -> Result<Literal, String> {
    if def.kind == Kind::Bool {
        return value(&Token::Word(word.to_owned()), def, Kind::Bool, Op::Eq, false);
    }
    let found = def.names.iter().find(|(_, name)| name.eq_ignore_ascii_case(word));
    match found {
        Some((number, _)) => Ok(Literal::Uint(*number)),
        None => Err(format!("`{word}` is not a number")),
    }
}

/// Decimal, `0x` hexadecimal, `0b` binary, or octal with a leading 0.
pub(super) fn number(word: &str) -> Option<u64> {
    let lower = word.to_ascii_lowercase();
    if let Some(digits) = lower.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok();
    }
    if let Some(digits) = lower.strip_prefix("0b") {
        return u64::from_str_radix(digits, 2).ok();
    }
    if lower.len() > 1 && lower.starts_with('0') {
        return u64::from_str_radix(&lower, 8).ok();
    }
    lower.parse().ok()
}

fn net(word: &str, v6: bool) -> Result<Literal, String> {
    let (address, prefix) = match word.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (word, None),
    };
    let parsed: Option<IpAddr> = if v6 {
        address.parse().ok().map(IpAddr::V6)
    } else {
        address.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
    };
    let max = if v6 { 128 } else { 32 };
    let prefix = match prefix {
        None => Some(max),
        Some(text) => text.parse().ok().filter(|prefix| *prefix <= max),
    };
    match (parsed, prefix) {
        (Some(address), Some(prefix)) => Ok(Literal::Net(address, prefix)),
        _ => Err(format!("`{word}` is not an {} address", if v6 { "IPv6" } else { "IPv4" })),
    }
}

/// `aa:bb:cc`, `aa-bb-cc`, `aa.bb.cc`, `aabbcc`.
pub(super) fn bytes(word: &str) -> Option<Vec<u8>> {
    let separator = word.chars().find(|c| matches!(c, ':' | '-' | '.'));
    let pair = |text: &str| if text.len() <= 2 { u8::from_str_radix(text, 16).ok() } else { None };
    match separator {
        Some(separator) => word.split(separator).map(pair).collect(),
        None => {
            let digits = word.strip_prefix("0x").unwrap_or(word);
            if !digits.is_ascii() || digits.is_empty() || digits.len() == 1 && digits.parse::<u8>().is_err() {
                return None;
            }
            if digits.len() == 1 {
                return pair(digits).map(|byte| vec![byte]);
            }
            if !digits.len().is_multiple_of(2) {
                return None;
            }
            (0..digits.len() / 2).map(|at| pair(&digits[at * 2..at * 2 + 2])).collect()
        }
    }
}
