//! `${...}` in steps: variables, arithmetic from left to right, `time`, `timeout`, `ctime`, `range`.

use std::collections::BTreeMap;

/// What an expression may ask of the run.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Seconds since 1970.
    pub now: i64,
    /// Seconds until the resolver wants to be woken.
    pub timeout: i64,
}

/// Deepest nesting of `${`.
const DEPTH_MAX: u32 = 16;

/// The text with every `${...}` and `$name` replaced.
pub fn expand(text: &str, variables: &BTreeMap<String, String>, clock: Clock) -> Result<String, String> {
    expand_at(text, variables, clock, DEPTH_MAX)
}

fn expand_at(
    text: &str,
    variables: &BTreeMap<String, String>,
    clock: Clock,
    depth: u32,
) -> Result<String, String> {
    if depth == 0 {
        return Err("macros nested too deep".into());
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        out.push_str(&rest[..at]);
        let inner = &rest[at + 2..];
        let mut level = 1;
        let end = inner.char_indices().find_map(|(at, c)| {
            match c {
                '{' => level += 1,
                '}' => level -= 1,
                _ => {}
            }
            (level == 0).then_some(at)
        });
        let Some(end) = end else { return Err("a macro without }".into()) };
        out.push_str(&value(&inner[..end], variables, clock, depth)?);
        rest = &inner[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

fn value(
    text: &str,
    variables: &BTreeMap<String, String>,
    clock: Clock,
    depth: u32,
) -> Result<String, String> {
    match text.trim() {
        "time" => return Ok(clock.now.to_string()),
        "timeout" => return Ok(clock.timeout.to_string()),
        _ => {}
    }
    let text = substituted(&expand_at(text, variables, clock, depth - 1)?, variables)?;
    if let Some(argument) = text.trim_start().strip_prefix("ctime ") {
        return Ok(ctime(calculated(argument)?.parse().map_err(|_| "ctime of no number")?));
    }
    if let Some(arguments) = text.trim_start().strip_prefix("range ") {
        let numbers: Vec<f64> = arguments
            .split_whitespace()
            .map(|word| word.parse().map_err(|_| format!("range of {word}")))
            .collect::<Result<_, _>>()?;
        let &[low, value, high] = &numbers[..] else { return Err("range needs three numbers".into()) };
        return if low <= value && value <= high {
            Ok(shown(value))
        } else {
            Err(format!("{value} is not between {low} and {high}"))
        };
    }
    calculated(&text)
}

fn substituted(text: &str, variables: &BTreeMap<String, String>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let name_and_rest = &rest[at + 1..];
        let end = name_and_rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(name_and_rest.len());
        let name = &name_and_rest[..end];
        out.push_str(variables.get(name).ok_or_else(|| format!("no variable {name}"))?);
        rest = &name_and_rest[end..];
    }
    out.push_str(rest);
    Ok(out)
}

/// Arithmetic from left to right; text that is none stays.
fn calculated(text: &str) -> Result<String, String> {
    let mut words: Vec<String> = Vec::new();
    for c in text.chars() {
        match c {
            '+' | '*' | '/' => words.push(c.to_string()),
            '-' if words.last().is_some_and(|word| word.parse::<f64>().is_ok() || word.is_empty()) => {
                words.push("-".into())
            }
            c if c.is_whitespace() => words.push(String::new()),
            c => match words.last_mut() {
                Some(word) if !matches!(word.as_str(), "+" | "-" | "*" | "/") => word.push(c),
                _ => words.push(c.to_string()),
            },
        }
    }
    words.retain(|word| !word.is_empty());
    let Some(Ok(mut total)) = words.first().map(|word| word.parse::<f64>()) else {
        return Ok(text.trim().to_owned());
    };
    let mut at = 1;
    while let (Some(sign), Some(Ok(number))) =
        (words.get(at), words.get(at + 1).map(|word| word.parse::<f64>()))
    {
        match sign.as_str() {
            "+" => total += number,
            "-" => total -= number,
            "*" => total *= number,
            "/" => total /= number,
            _ => return Ok(text.trim().to_owned()),
        }
        at += 2;
    }
    if at == words.len() { Ok(shown(total)) } else { Ok(text.trim().to_owned()) }
}

fn shown(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { value.to_string() }
}

/// A time as C's `ctime` writes it, without the line's end.
pub fn ctime(seconds: i64) -> String {
    crate::text::date(seconds)
}
