//! Lines of master files to records (RFC 1035 section 5.1).

use hickory_proto::rr::Name;

use super::{TextError, from_text, name_from_text, words};
use crate::text::parse_type;
use crate::wire::{CLASS_CH, CLASS_IN, RawRecord};

/// A whole line: owner, then TTL and class in any order, type, data. `previous` is the owner when the line begins
/// with a space.
pub fn record_from_text(
    line: &str,
    origin: &Name,
    ttl: u32,
    previous: Option<&Name>,
) -> Result<RawRecord, TextError> {
    let words = words(line);
    let mut rest = &words[..];
    let inherits = line.starts_with(char::is_whitespace);
    let name = match (inherits, previous, rest.first()) {
        (true, Some(previous), _) => previous.clone(),
        (_, _, Some(first)) => {
            rest = &rest[1..];
            name_from_text(&first.text, origin)?
        }
        _ => return Err("is empty".into()),
    };
    let (mut ttl, mut class) = (ttl, CLASS_IN);
    loop {
        let Some(word) = rest.first() else { return Err("has no type".into()) };
        if let Some(seconds) = seconds(&word.text) {
            ttl = seconds;
        } else if word.text.eq_ignore_ascii_case("IN") {
            class = CLASS_IN;
        } else if word.text.eq_ignore_ascii_case("CH") || word.text.eq_ignore_ascii_case("CHAOS") {
            class = CLASS_CH;
        } else if word.text.eq_ignore_ascii_case("HS") {
            class = 4;
        } else if let Some(number) = other_class(&rest[0].text, rest.get(1)) {
            class = number;
        } else {
            break;
        }
        rest = &rest[1..];
    }
    let rtype = parse_type(&rest[0].text).ok_or_else(|| format!("has an unknown type {}", rest[0].text))?;
    let data = from_text(rtype, &rest[1..], origin)?;
    Ok(RawRecord { name, rtype, class, ttl, data: data.into() })
}

/// `CLASS255` (RFC 3597 section 5), and ANY where a type follows: else it is one itself.
fn other_class(word: &str, next: Option<&super::Word>) -> Option<u16> {
    if word.eq_ignore_ascii_case("ANY") {
        return next.is_some_and(|next| parse_type(&next.text).is_some()).then_some(255);
    }
    let number = word.get(..5).filter(|start| start.eq_ignore_ascii_case("CLASS"));
    number.and_then(|_| word.get(5..)?.parse().ok())
}

/// The records of a master file: `$ORIGIN`, `$TTL`, inherited owners, and records over several lines in parentheses.
/// The error names the line.
pub fn master_records(text: &str, origin: &Name) -> Result<Vec<RawRecord>, TextError> {
    let mut origin = origin.clone();
    let mut ttl = 3600;
    let mut found: Vec<RawRecord> = Vec::new();
    let mut pending = String::new();
    let mut depth = 0_i32;
    let mut opened = 0;
    for (number, line) in text.lines().enumerate() {
        let bare = uncommented(line);
        if pending.is_empty() {
            opened = number + 1;
        }
        depth += parentheses(bare);
        pending.push_str(bare);
        pending.push(' ');
        if depth > 0 {
            continue;
        }
        let line = std::mem::take(&mut pending);
        if line.trim().is_empty() {
            continue;
        }
        let at = |error: TextError| format!("line {}: {error}", number + 1);
        let words = words(&line);
        match (words.first().map(|word| word.text.as_str()), words.get(1)) {
            (Some("$ORIGIN"), Some(name)) => origin = name_from_text(&name.text, &origin).map_err(at)?,
            (Some("$TTL"), Some(value)) => {
                ttl = seconds(&value.text).ok_or_else(|| at("has a bad TTL".into()))?;
            }
            _ => {
                let previous = found.last().map(|record| record.name.clone());
                found.push(record_from_text(&line, &origin, ttl, previous.as_ref()).map_err(at)?);
            }
        }
    }
    // Half a zone must not pass for a whole one.
    if !pending.trim().is_empty() {
        return Err(format!("line {opened}: has a parenthesis that is never closed"));
    }
    Ok(found)
}

/// The line up to its comment.
pub(super) fn uncommented(line: &str) -> &str {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in line.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ';' if !quoted => return &line[..at],
            _ => {}
        }
    }
    line
}

pub(super) fn parentheses(line: &str) -> i32 {
    let (mut quoted, mut escaped, mut depth) = (false, false, 0);
    for c in line.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
    }
    depth
}

/// A TTL: seconds, or BIND's `1h30m`.
pub(super) fn seconds(text: &str) -> Option<u32> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (mut total, mut current) = (0_u32, 0_u32);
    for c in text.chars() {
        let unit = match c.to_ascii_lowercase() {
            digit @ '0'..='9' => {
                current = current.checked_mul(10)?.checked_add(digit.to_digit(10)?)?;
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        total = total.checked_add(current.checked_mul(unit)?)?;
        current = 0;
    }
    total.checked_add(current)
}
