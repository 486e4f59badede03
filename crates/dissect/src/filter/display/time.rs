//! Times as people write them.

/// Nanoseconds since the Unix epoch of `2026-01-31 12:00:00.5`, `2026-01-31T12:00:00+01:00`, `Jan 31, 2026 12:00:00`,
/// `2026-01-31`. Without a zone it is UTC: what a filter means does not depend on where it is used.
pub(super) fn absolute(words: &str) -> Option<i64> {
    let (date, rest) = iso_date(words).or_else(|| named_date(words))?;
    let rest = rest.trim_start_matches(['T', ' ']);
    let (clock, zone) = match rest.find(['Z', 'U', '+', '-']) {
        Some(at) => (rest[..at].trim_end(), zone(&rest[at..])?),
        None => (rest.trim_end(), 0),
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut seconds = 0;
    if !clock.is_empty() {
        let parts: Vec<i64> = clock.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        let (hour, minute, second) = match parts[..] {
            [hour, minute] => (hour, minute, 0),
            [hour, minute, second] => (hour, minute, second),
            _ => return None,
        };
        if !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0..=60).contains(&second) {
            return None;
        }
        seconds = hour * 3600 + minute * 60 + second;
    }
    if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanos: i64 = format!("{fraction:0<9}").parse().ok()?;
    let (year, month, day) = date;
    let whole = days(year, month, day)? * 86_400 + seconds - zone;
    whole.checked_mul(1_000_000_000)?.checked_add(nanos)
}

/// Nanoseconds of seconds with a fraction, of which nothing is lost on the way; of what is smaller there are none.
pub(super) fn seconds(word: &str) -> Option<i64> {
    let (whole, fraction) = word.split_once('.').unwrap_or((word, ""));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || whole.is_empty() && fraction.is_empty() {
        // `1e-3`.
        let number = word.parse::<f64>().ok().filter(|_| word.contains(['e', 'E']))? * 1e9;
        return (number.abs() < i64::MAX as f64).then_some(number.round() as i64);
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let nanos: i64 = format!("{:0<9.9}", fraction).parse().ok()?;
    whole.checked_mul(1_000_000_000)?.checked_add(nanos)
}

type Date = (i64, i64, i64);

fn iso_date(words: &str) -> Option<(Date, &str)> {
    let date = words.get(..10)?;
    let mut parts = date.splitn(3, '-').map(|part| part.parse().ok());
    Some(((parts.next()??, parts.next()??, parts.next()??), &words[10..]))
}

/// `Jan  1, 2026`.
fn named_date(words: &str) -> Option<(Date, &str)> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let at = MONTHS.find(words.get(..3)?).filter(|at| at % 3 == 0)?;
    let (day, rest) = words[3..].trim_start().split_once(',')?;
    let rest = rest.trim_start();
    let end = rest.find(' ').unwrap_or(rest.len());
    Some(((rest[..end].parse().ok()?, at as i64 / 3 + 1, day.trim().parse().ok()?), &rest[end..]))
}

/// Seconds east of Greenwich.
fn zone(words: &str) -> Option<i64> {
    let sign = match words.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return matches!(words, "Z" | "UTC").then_some(0),
    };
    let digits: String = words[1..].chars().filter(|c| *c != ':').collect();
    let number: i64 = Some(digits).filter(|digits| digits.len() == 4)?.parse().ok()?;
    Some(sign * (number / 100 * 3600 + number % 100 * 60))
}

/// Days since 1970-01-01 in the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years that begin in March have the leap day at their end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}
