//! Dates: RFC 3339 text to nanoseconds since the Unix epoch and back, for the years 1970 to 2262.

/// Reads `2026-03-02`, `2026-03-02T12:00:00Z` or `2026-03-02T12:00:00+01:00`; `None` if it is no such date.
pub fn parse(text: &str) -> Option<u64> {
    let (day, time) = match text.split_once(['T', 't', ' ']) {
        Some((day, time)) => (day, Some(time)),
        None => (text, None),
    };
    let mut parts = day.split('-');
    let year = number(parts.next()?, 4)?;
    let month = number(parts.next()?, 2)?;
    let date = number(parts.next()?, 2)?;
    if parts.next().is_some()
        || !(1970..=2261).contains(&year)
        || !(1..=12).contains(&month)
        || date == 0
        || date > days_in(year, month)
    {
        return None;
    }
    let days = days_before_year(year) + (1..month).map(|month| days_in(year, month)).sum::<u64>() + date - 1;
    let mut seconds = i64::try_from(days * 86_400).ok()?;
    let mut nanos = 0;
    if let Some(time) = time {
        let (clock, offset) = match time.find(['Z', 'z', '+', '-']) {
            Some(at) => time.split_at(at),
            None => (time, "Z"),
        };
        let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
        let mut parts = clock.split(':');
        let (hour, minute) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
        let second = parts.next().map_or(Some(0), |second| number(second, 2))?;
        if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 || fraction.len() > 9 {
            return None;
        }
        if !fraction.is_empty() {
            nanos = number(fraction, fraction.len())? * 10u64.pow(9 - fraction.len() as u32);
        }
        seconds += (hour * 3600 + minute * 60 + second) as i64;
        if !offset.eq_ignore_ascii_case("Z") {
            let (hours, minutes) = offset[1..].split_once(':')?;
            let shift = (number(hours, 2)? * 3600 + number(minutes, 2)? * 60) as i64;
            seconds -= if offset.starts_with('-') { -shift } else { shift };
        }
    }
    u64::try_from(seconds).ok()?.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// `2026-03-02T12:00:00Z`, with a fraction only if there is one.
pub fn show(unix_nanos: u64) -> String {
    let (seconds, nanos) = (unix_nanos / 1_000_000_000, unix_nanos % 1_000_000_000);
    let (mut days, clock) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let mut month = 1;
    while days >= days_in(year, month) {
        days -= days_in(year, month);
        month += 1;
    }
    let fraction =
        if nanos == 0 { String::new() } else { format!(".{}", format!("{nanos:09}").trim_end_matches('0')) };
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z", days + 1)
}

fn number(text: &str, digits: usize) -> Option<u64> {
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn is_leap(year: u64) -> bool {
    (year.is_multiple_of(4) && !year.is_multiple_of(100)) || year.is_multiple_of(400)
}

fn days_in(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + u64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_before_year(year: u64) -> u64 {
    (1970..year).map(|year| 365 + u64::from(is_leap(year))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_dates() {
        assert_eq!(parse("1970-01-01"), Some(0));
        assert_eq!(parse("2000-03-01T00:00:00Z"), Some(951_868_800_000_000_000));
        assert_eq!(parse("2026-03-02T12:00:00+01:00"), parse("2026-03-02T11:00:00Z"));
        assert_eq!(show(parse("2024-02-29T23:59:59.5Z").unwrap()), "2024-02-29T23:59:59.5Z");
        for wrong in [
            "",
            "2026",
            "2026-02-30",
            "2026-13-01",
            "1969-01-01",
            "2026-01-01T25:00:00Z",
            "2026-01-01T00:00:00+1",
            "é",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back(nanos in 0u64..9_000_000_000_000_000_000) {
            prop_assert_eq!(parse(&show(nanos)), Some(nanos));
        }

        #[test]
        fn nothing_panics(text in ".{0,32}") {
            let _ = parse(&text);
        }
    }
}
