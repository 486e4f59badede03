//! What may stand behind `=` for a field: numbers, names, addresses, ranges, lists.

use core::net::{Ipv4Addr, Ipv6Addr};

use thru_wire::MacAddr;

use crate::error::CraftError;
use crate::layout::{FieldDef, Kind};
use crate::text::{Span, Tree};

/// The values of a field: inclusive ranges of what stands in the header, in the order written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choices(Vec<(u128, u128)>);

impl Choices {
    pub(crate) fn one(value: u128) -> Choices {
        Choices(vec![(value, value)])
    }

    /// How many.
    pub(crate) fn count(&self) -> u128 {
        self.0.iter().fold(0_u128, |sum, (low, high)| sum.saturating_add((high - low).saturating_add(1)))
    }

    /// One of them.
    pub(crate) fn nth(&self, mut index: u128) -> Option<u128> {
        for (low, high) in &self.0 {
            if index <= high - low {
                return Some(low + index);
            }
            index -= high - low + 1;
        }
        None
    }
}

/// Letters of TCP's flags from the lowest bit on: FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, AE.
pub(crate) const FLAGS: [(char, &str); 9] = [
    ('F', "fin"),
    ('S', "syn"),
    ('R', "rst"),
    ('P', "psh"),
    ('A', "ack"),
    ('U', "urg"),
    ('E', "ece"),
    ('W', "cwr"),
    ('N', "ae"),
];

/// Understands what is written for a field.
pub(crate) fn choices(field: &FieldDef, tree: &Tree) -> Result<Choices, CraftError> {
    let mut ranges = Vec::new();
    collect(field, tree, &mut ranges)?;
    Ok(Choices(ranges))
}

fn collect(field: &FieldDef, tree: &Tree, ranges: &mut Vec<(u128, u128)>) -> Result<(), CraftError> {
    match tree {
        Tree::List(trees, _) => trees.iter().try_for_each(|tree| collect(field, tree, ranges)),
        Tree::Atom(text, span) => {
            ranges.push(range(field, text, *span)?);
            Ok(())
        }
        Tree::Text(_, span) | Tree::Group(_, span) => {
            let wanted = wanted(field.kind);
            Err(span.error(format!("`{}` is {wanted}", field.names[0])))
        }
    }
}

/// A value, a prefix, or two values with `-` between them.
fn range(field: &FieldDef, text: &str, span: Span) -> Result<(u128, u128), CraftError> {
    if let Some((address, length)) = text.split_once('/') {
        return prefix(field, address, length, span);
    }
    if let Some(value) = single(field.kind, text) {
        let value = scaled(field, value, text, span)?;
        return Ok((value, value));
    }
    // Names hold `-` too: what is a value as a whole was one above.
    for (at, _) in text.match_indices('-') {
        let (low, high) = (single(field.kind, &text[..at]), single(field.kind, &text[at + 1..]));
        if let (Some(low), Some(high)) = (low, high) {
            let (low, high) = (scaled(field, low, text, span)?, scaled(field, high, text, span)?);
            if low > high {
                return Err(span.error("the range begins behind its end"));
            }
            return Ok((low, high));
        }
    }
    let shown: String = text.chars().take(40).collect();
    let error = span.error(format!("`{shown}` is not {}", wanted(field.kind)));
    Err(match field.kind {
        Kind::Number(names) | Kind::Hex(names) if !names.is_empty() => {
            let names: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
            error.hint(format!("names it knows: {}", names.join(", ")))
        }
        Kind::TcpFlags => error.hint("letters of FSRPAUEWN, as in SA, or names, as in syn+ack"),
        _ => error,
    })
}

fn prefix(field: &FieldDef, address: &str, length: &str, span: Span) -> Result<(u128, u128), CraftError> {
    let bits = match field.kind {
        Kind::Ipv4 => 32,
        Kind::Ipv6 => 128,
        _ => return Err(span.error("only an address may have a prefix length")),
    };
    let value = single(field.kind, address);
    let length = length.parse::<u32>().ok().filter(|length| *length <= bits);
    let (Some(value), Some(length)) = (value, length) else {
        return Err(
            span.error(format!("this is not {} with a prefix length up to {bits}", wanted(field.kind)))
        );
    };
    let rest = if length == bits { 0 } else { field.max() >> length };
    Ok((value & !rest, value | rest))
}

/// From what is written to what stands in the header.
fn scaled(field: &FieldDef, value: u128, text: &str, span: Span) -> Result<u128, CraftError> {
    let scale = u128::from(field.scale);
    if !value.is_multiple_of(scale) {
        return Err(span.error(format!("`{}` counts bytes, in steps of {scale}", field.names[0])));
    }
    let value = value / scale;
    if value > field.max() {
        let max = field.max().saturating_mul(scale);
        let shown: String = text.chars().take(40).collect();
        return Err(span.error(format!("{shown} does not fit: `{}` is at most {max}", field.names[0])));
    }
    Ok(value)
}

fn wanted(kind: Kind) -> &'static str {
    match kind {
        Kind::Number(_) | Kind::Hex(_) => "a number",
        Kind::Ipv4 => "an IPv4 address",
        Kind::Ipv6 => "an IPv6 address",
        Kind::Mac => "a hardware address",
        Kind::TcpFlags => "a set of flags",
    }
}

/// One value, as a number.
fn single(kind: Kind, text: &str) -> Option<u128> {
    match kind {
        Kind::Number(names) | Kind::Hex(names) => number(text).or_else(|| named(names, text)),
        Kind::Ipv4 => text.parse::<Ipv4Addr>().ok().map(|address| u128::from(address.to_bits())),
        Kind::Ipv6 => text.parse::<Ipv6Addr>().ok().map(Ipv6Addr::to_bits),
        Kind::Mac if text == "broadcast" => Some(0xffff_ffff_ffff),
        Kind::Mac => text
            .parse::<MacAddr>()
            .ok()
            .map(|mac| mac.0.iter().fold(0, |value, byte| value << 8 | u128::from(*byte))),
        Kind::TcpFlags => number(text).or_else(|| flags(text)),
    }
}

/// A number by its name.
pub(crate) fn named(names: &[(&str, u64)], text: &str) -> Option<u128> {
    names.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, value)| u128::from(*value))
}

/// A number: decimal or `0x`; `true` and `false` count as 1 and 0.
pub(crate) fn number(text: &str) -> Option<u128> {
    match text {
        "true" | "yes" => return Some(1),
        "false" | "no" => return Some(0),
        _ => {}
    }
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) if digits.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
            u128::from_str_radix(digits, 16).ok()
        }
        Some(_) => None,
        None if text.bytes().all(|digit| digit.is_ascii_digit()) => text.parse().ok(),
        None => None,
    }
}

fn flags(text: &str) -> Option<u128> {
    if text.is_empty() {
        return None;
    }
    if text == "none" {
        return Some(0);
    }
    let bit_of = |wanted: &dyn Fn(&(char, &str)) -> bool| FLAGS.iter().position(wanted);
    let by_name = || {
        text.split(['+', '|']).try_fold(0_u128, |value, name| {
            bit_of(&|(_, known)| known.eq_ignore_ascii_case(name)).map(|bit| value | 1 << bit)
        })
    };
    let by_letter = || {
        text.chars().try_fold(0_u128, |value, letter| {
            bit_of(&|(known, _)| *known == letter.to_ascii_uppercase()).map(|bit| value | 1 << bit)
        })
    };
    // `AE` is the letters of ACK and ECE, `ae` the name of the flag of accurate ECN: the only word that is both.
    if text.chars().all(|letter| letter.is_ascii_uppercase()) {
        by_letter().or_else(by_name)
    } else {
        by_name().or_else(by_letter)
    }
}

/// Bytes: text, or hexadecimal digits behind `0x`.
pub(crate) fn bytes(tree: &Tree) -> Result<Vec<u8>, CraftError> {
    match tree {
        Tree::Text(bytes, _) => Ok(bytes.clone()),
        Tree::Atom(text, span) => hex(text)
            .ok_or_else(|| span.error("expected \"text\" or pairs of digits behind 0x, as in 0xff00")),
        Tree::List(_, span) | Tree::Group(_, span) => Err(span.error("expected \"text\" or 0xhex")),
    }
}

/// Pairs of hexadecimal digits behind `0x`.
pub(crate) fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .strip_prefix("0x")?
        .chars()
        .map(|digit| digit.to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}
