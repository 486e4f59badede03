//! The values that fields are compared with.

use super::super::lexer::{Kind as Token, Token as Placed};
use super::super::{Function, Literal, Op, Operand, Pattern};
use super::operand::{kind_of, no_field};
use super::{Parsed, time};
use crate::field::{FieldDef, Kind};
use std::net::{IpAddr, Ipv4Addr};

type Hint = Option<(Kind, Option<&'static FieldDef>)>;

/// Reads the values in an operand as what they are compared or reckoned with.
pub(super) fn typed(operand: Operand, hint: Hint, op: Op) -> Parsed<Operand> {
    Ok(match operand {
        Operand::Unread(token) => match hint {
            Some((kind, def)) => Operand::Literal(literal(&token, kind, def, op, false)?),
            None => return Err(no_field(&token)),
        },
        Operand::Negative(inner) => match (*inner, hint) {
            (Operand::Unread(token), Some((kind, def))) => {
                Operand::Literal(literal(&token, kind, def, op, true)?)
            }
            (inner, _) => Operand::Negative(Box::new(typed(inner, hint, Op::Eq)?)),
        },
        Operand::Sum(left, sum, right) => {
            let hint = kind_of(&left).or_else(|| kind_of(&right)).or(hint);
            let (left, right) = (typed(*left, hint, Op::Eq)?, typed(*right, hint, Op::Eq)?);
            Operand::Sum(Box::new(left), sum, Box::new(right))
        }
        Operand::Slice(inner, slices) => Operand::Slice(Box::new(typed(*inner, None, Op::Eq)?), slices),
        Operand::Call(function, arguments) => {
            let own = arguments.iter().find_map(kind_of);
            let hint = match function {
                Function::Max | Function::Min | Function::Abs => own,
                _ => None,
            };
            let arguments = arguments.into_iter().map(|argument| typed(argument, hint, Op::Eq));
            Operand::Call(function, arguments.collect::<Parsed<_>>()?)
        }
        other @ (Operand::Field { .. } | Operand::Literal(_)) => other,
    })
}

fn literal(
    token: &Placed,
    kind: Kind,
    def: Option<&'static FieldDef>,
    op: Op,
    negative: bool,
) -> Parsed<Literal> {
    let read = if op == Op::Matches {
        match &token.kind {
            Token::Text(text) => pattern(text),
            _ => Err(String::from("a regular expression stands in quotes")),
        }
    } else {
        value(&token.kind, kind, def, op, negative)
    };
    read.map_err(|message| token.error(message))
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
fn value(
    token: &Token,
    kind: Kind,
    def: Option<&FieldDef>,
    op: Op,
    negative: bool,
) -> Result<Literal, String> {
    let word = match token {
        Token::Word(word) => word.as_str(),
        Token::Char(byte) => {
            return match kind {
                Kind::Uint(_) | Kind::Bool | Kind::Frame => Ok(Literal::Uint(u64::from(*byte))),
                Kind::Int => Ok(Literal::Int(i64::from(*byte))),
                kind => value(&Token::Text(vec![*byte]), kind, def, op, negative),
            };
        }
        Token::Text(text) => {
            return match kind {
                Kind::Text => Ok(Literal::Text(text.clone())),
                Kind::Bytes | Kind::Protocol => Ok(Literal::Bytes(text.clone())),
                Kind::Uint(_) | Kind::Bool => named(def, &String::from_utf8_lossy(text)),
                // They are no words: what is quoted is how they are written.
                Kind::Absolute | Kind::Ether | Kind::Guid | Kind::Oid => {
                    value(&Token::Word(String::from_utf8_lossy(text).into_owned()), kind, def, op, negative)
                }
                _ => Err(String::from("this value stands without quotes")),
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
    if kind == Kind::Oid
        && let Some(encoded) = object_identifier(word)
    {
        return Ok(Literal::Bytes(encoded));
    }
    if op == Op::Contains && !matches!(kind, Kind::Text) {
        return bytes(word)
            .map(Literal::Bytes)
            .ok_or(format!("`{word}` is neither bytes nor text in quotes"));
    }
    let mask = def.map_or(0, |def| def.mask);
    match kind {
        Kind::Uint(size) => match number(word) {
            Some(number) if !negative => {
                let max = if mask != 0 {
                    mask >> mask.trailing_zeros()
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
        Kind::Bool => match number(word) {
            Some(number) => Ok(Literal::Uint(u64::from(number != 0))),
            None => named(def, word),
        },
        Kind::Relative | Kind::Absolute if let Some(nanos) = time::seconds(word) => {
            Ok(Literal::Span(if negative { -nanos } else { nanos }))
        }
        Kind::Absolute => match time::absolute(word) {
            Some(nanos) => Ok(Literal::Time(nanos)),
            None => wrong("a time, as in \"2026-01-31 12:00:00\""),
        },
        Kind::Relative => wrong("a number of seconds"),
        Kind::Float => match word.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Literal::Float(if negative { -number } else { number })),
            _ => wrong("a number"),
        },
        Kind::Ipv4 | Kind::Ipv6 => net(word, kind == Kind::Ipv6),
        Kind::Ether => match bytes(word) {
            Some(bytes) if bytes.len() == 6 => Ok(Literal::Bytes(bytes)),
            _ => wrong("a MAC address"),
        },
        Kind::Text => Ok(Literal::Text(word.as_bytes().to_vec())),
        Kind::Oid => bytes(word).map(Literal::Bytes).ok_or(format!("`{word}` is not an object identifier")),
        Kind::Bytes | Kind::Protocol | Kind::Guid => {
            bytes(word).map(Literal::Bytes).ok_or(format!("`{word}` is neither bytes nor text in quotes"))
        }
        Kind::None => Err(String::from("a heading has no value to compare with")),
    }
}

/// The number of a value's name.
fn named(def: Option<&FieldDef>, word: &str) -> Result<Literal, String> {
    let names = def.map_or(&[][..], |def| def.names);
    if let Some((number, _)) = names.iter().find(|(_, name)| name.eq_ignore_ascii_case(word)) {
        return Ok(Literal::Uint(*number));
    }
    if def.is_none_or(|def| def.kind != Kind::Bool) {
        return Err(format!("`{word}` is not a number"));
    }
    match word.to_ascii_lowercase().as_str() {
        "true" | "set" => Ok(Literal::Uint(1)),
        "false" | "not set" => Ok(Literal::Uint(0)),
        _ => Err(format!("`{word}` is not true or false")),
    }
}

/// `1.3.6.1` as ASN.1 encodes it (X.690 8.19).
fn object_identifier(word: &str) -> Option<Vec<u8>> {
    let numbers: Vec<u64> = word.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [first @ 0..=2, second, ref rest @ ..] = numbers[..] else { return None };
    let mut encoded = Vec::new();
    for number in std::iter::once(first * 40 + second.min(u64::MAX / 2)).chain(rest.iter().copied()) {
        let groups = (64 - number.leading_zeros()).div_ceil(7).max(1);
        for group in (0..groups).rev() {
            encoded.push((number >> (7 * group)) as u8 & 0x7F | if group > 0 { 0x80 } else { 0 });
        }
    }
    Some(encoded)
}

/// Decimal, `0x` hexadecimal, `0b` binary, or octal with a leading 0.
pub(in crate::filter) fn number(word: &str) -> Option<u64> {
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

/// `aa:bb:cc`, `aa-bb-cc`, `aa.bb.cc`, `aabb.ccdd`, `aabbcc`; a colon in front says that it is a value.
pub(in crate::filter) fn bytes(word: &str) -> Option<Vec<u8>> {
    let word = word.strip_prefix(':').unwrap_or(word);
    if let Some(hex) =
        Some(word).filter(|word| word.contains('.') && word.split('.').all(|part| part.len() == 4))
    {
        return bytes(&hex.replace('.', ""));
    }
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
