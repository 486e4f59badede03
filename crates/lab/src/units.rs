//! Quantities as people write them: `10ms`, `20Mbit`, `1%`, `64kB`. The unit is never optional.

use std::time::Duration;
use thru_sim::link::Chance;

const DURATIONS: [(&str, u128); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];
const RATES: [(&str, u128); 5] =
    [("bit", 1), ("kbit", 1_000), ("Mbit", 1_000_000), ("Gbit", 1_000_000_000), ("Tbit", 1_000_000_000_000)];
const SIZES: [(&str, u128); 7] = [
    ("B", 1),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// What is wrong with a quantity, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadQuantity {
    /// Completes "failed to ...".
    pub message: String,
    /// The way out.
    pub hint: String,
}

fn bad<T>(message: String, hint: &str) -> Result<T, BadQuantity> {
    Err(BadQuantity { message, hint: hint.to_string() })
}

/// A time: `250us`, `10ms`, `1.5s`, `2min`, `1d`; at most 100 years.
pub fn duration(text: &str) -> Result<Duration, BadQuantity> {
    const HINT: &str = "write a number with a unit: ns, us, ms, s, min, h or d, as in `10ms`";
    let nanos = scaled(text, &DURATIONS, "a time", HINT)?;
    match u64::try_from(nanos) {
        Ok(nanos) if nanos <= 100 * 365 * 86_400_000_000_000 => Ok(Duration::from_nanos(nanos)),
        _ => bad(format!("`{text}` is longer than 100 years"), HINT),
    }
}

/// How far a clock is ahead, in nanoseconds: `+2d`, `-90min`.
pub fn offset(text: &str) -> Result<i64, BadQuantity> {
    let (sign, amount) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        (Some(amount), _) => (1, amount),
        (_, Some(amount)) => (-1, amount),
        _ => {
            return bad(
                format!("`{text}` is not an offset"),
                "write `+2d` for two days ahead, `-1h` for an hour behind",
            );
        }
    };
    let nanos = duration(amount.trim_start())?.as_nanos();
    Ok(sign * i64::try_from(nanos).expect("100 years fit"))
}

/// As [`offset`] reads it.
pub fn show_offset(nanos: i64) -> String {
    let sign = if nanos < 0 { '-' } else { '+' };
    format!("{sign}{}", show_duration(Duration::from_nanos(nanos.unsigned_abs())))
}

/// A bit rate in bits per second, at least 1: `20Mbit`, `1.5Gbit`.
pub fn rate(text: &str) -> Result<u64, BadQuantity> {
    const HINT: &str =
        "write a number with a unit: bit, kbit, Mbit, Gbit or Tbit (per second), as in `20Mbit`";
    let text_without_ps = text.strip_suffix("/s").or_else(|| text.strip_suffix("ps")).unwrap_or(text);
    match u64::try_from(scaled(text_without_ps, &RATES, "a rate", HINT)?) {
        Ok(0) => bad(
            format!("`{text}` lets nothing through"),
            "use `loss=100%`, or take the link down with `up = false`",
        ),
        Ok(rate) if rate <= 1_000_000_000_000_000 => Ok(rate),
        _ => bad(format!("`{text}` is too fast"), HINT),
    }
}

/// A size in bytes, at most 16 GiB: `64kB`, `1MiB`, `1500B`.
pub fn size(text: &str) -> Result<usize, BadQuantity> {
    const HINT: &str = "write a number with a unit: B, kB, MB, KiB, MiB, as in `64kB`";
    match usize::try_from(scaled(text, &SIZES, "a size", HINT)?) {
        Ok(size) if size <= 16 << 30 => Ok(size),
        _ => bad(format!("`{text}` is too large"), HINT),
    }
}

/// A probability: `1%`, `0.05%`, `100%`.
pub fn chance(text: &str) -> Result<Chance, BadQuantity> {
    const HINT: &str = "write a percentage from 0% to 100%, as in `0.5%`";
    let parts = scaled(text, &[("%", 10_000_000)], "a chance", HINT)?;
    if parts > 1_000_000_000 {
        bad(format!("`{text}` is more than always"), HINT)
    } else {
        Ok(Chance(parts as u32))
    }
}

/// Number and unit to the smallest unit, by integers only: no float may decide about a packet.
fn scaled(text: &str, units: &[(&str, u128)], what: &str, hint: &str) -> Result<u128, BadQuantity> {
    let digits_end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits_end);
    let unit = unit.trim();
    if number.is_empty() {
        return bad(format!("`{text}` is not {what}"), hint);
    }
    let Some((_, scale)) = units.iter().find(|(name, _)| *name == unit) else {
        if unit.is_empty() {
            return bad(format!("`{text}` has no unit"), hint);
        }
        let names = units.iter().map(|(name, _)| *name);
        let hint = match names.clone().find(|name| name.eq_ignore_ascii_case(unit)) {
            Some(name) => format!("did you mean `{number}{name}`?"),
            None => hint.to_string(),
        };
        return Err(BadQuantity { message: format!("`{unit}` is not a unit of {what}"), hint });
    };
    let digits: String = number.chars().filter(|c| *c != '_').collect();
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    if whole.is_empty() || whole.len() > 18 || fraction.len() > 12 || fraction.contains('.') {
        return bad(format!("`{number}` is not a number this can hold"), hint);
    }
    let whole: u128 = whole.parse().map_err(|_| BadQuantity {
        message: format!("`{number}` is not a number"),
        hint: hint.to_string(),
    })?;
    let mut value = whole * scale;
    let mut place = *scale;
    for digit in fraction.bytes() {
        if place % 10 != 0 && digit != b'0' {
            return bad(format!("`{text}` is finer than can be kept"), hint);
        }
        place /= 10;
        value += u128::from(digit - b'0') * place;
    }
    Ok(value)
}

/// The shortest exact spelling of a time.
pub fn show_duration(duration: Duration) -> String {
    show(duration.as_nanos(), &[DURATIONS[0], DURATIONS[1], DURATIONS[2], DURATIONS[3]], "s")
}

/// The shortest exact spelling of a rate.
pub fn show_rate(rate: u64) -> String {
    show(u128::from(rate), &RATES, "bit")
}

/// The shortest exact spelling of a size (decimal units).
pub fn show_size(size: usize) -> String {
    show(size as u128, &SIZES[..4], "B")
}

/// A probability as a percentage.
pub fn show_chance(chance: Chance) -> String {
    format!("{}%", decimal(u128::from(chance.0), 10_000_000))
}

fn show(value: u128, units: &[(&str, u128)], zero: &str) -> String {
    let fitting = units.iter().rev().find(|(_, scale)| value >= *scale).copied();
    match fitting {
        Some((unit, scale)) => format!("{}{unit}", decimal(value, scale)),
        None => format!("0{zero}"),
    }
}

fn decimal(value: u128, scale: u128) -> String {
    let width = scale.ilog10() as usize;
    let mut text = format!("{}.{:0width$}", value / scale, value % scale);
    text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantities_are_exact() {
        assert_eq!(duration("1.5ms"), Ok(Duration::from_micros(1500)));
        assert_eq!(duration("2min"), Ok(Duration::from_secs(120)));
        assert_eq!(rate("2.5Mbit"), Ok(2_500_000));
        assert_eq!(rate("20Mbit/s"), Ok(20_000_000));
        assert_eq!(size("64KiB"), Ok(65_536));
        assert_eq!(chance("0.1%"), Ok(Chance(1_000_000)));
        assert_eq!(chance("100%"), Ok(Chance(1_000_000_000)));
    }

    #[test]
    fn what_is_refused_says_why() {
        let message = |bad: BadQuantity| format!("{} / {}", bad.message, bad.hint);
        assert_eq!(
            message(duration("10").unwrap_err()),
            "`10` has no unit / write a number with a unit: ns, us, ms, s, min, h or d, as in `10ms`"
        );
        assert_eq!(
            message(rate("20mbit").unwrap_err()),
            "`mbit` is not a unit of a rate / did you mean `20Mbit`?"
        );
        assert_eq!(
            message(chance("120%").unwrap_err()),
            "`120%` is more than always / write a percentage from 0% to 100%, as in `0.5%`"
        );
        assert!(
            duration("").is_err()
                && duration("ms").is_err()
                && duration("1.2.3s").is_err()
                && rate("0bit").is_err()
        );
        assert!(duration("1.5ns").is_err(), "half a nanosecond cannot be kept");
        assert!(duration("-1s").is_err());
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(nanos in 0u64..1 << 50, bits in 1u64..1 << 49, bytes in 0usize..1 << 33, parts in 0u32..=1_000_000_000) {
            let time = Duration::from_nanos(nanos);
            prop_assert_eq!(duration(&show_duration(time)), Ok(time));
            prop_assert_eq!(rate(&show_rate(bits)), Ok(bits));
            prop_assert_eq!(size(&show_size(bytes)), Ok(bytes));
            prop_assert_eq!(chance(&show_chance(Chance(parts))), Ok(Chance(parts)));
        }

        #[test]
        fn nothing_panics(text in ".{0,24}") {
            let _ = (duration(&text), rate(&text), size(&text), chance(&text));
        }
    }
}
