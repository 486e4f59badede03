//! The certificates that were shown, as far as the trace tells, and their dates.

use std::collections::BTreeMap;
use thru_trace::{Span, Value};

/// One certificate of the chain, as far as the probe told.
pub(super) struct Certificate {
    pub(super) subject: String,
    pub(super) issuer: String,
    pub(super) not_before: Option<i64>,
    pub(super) not_after: Option<i64>,
    pub(super) until: String,
    pub(super) from: String,
    pub(super) names: Vec<String>,
    /// Whether it says where its issuer's certificate can be fetched, as far as the probe told.
    pub(super) names_issuer: Option<bool>,
}

pub(super) fn chain(span: &Span) -> Vec<Certificate> {
    let text = |map: &BTreeMap<String, Value>, key: &str| match map.get(key) {
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    };
    let certificates = span.list("tls.chain").unwrap_or(&[]).iter().filter_map(|value| match value {
        Value::Map(map) => Some(Certificate {
            subject: text(map, "subject"),
            issuer: text(map, "issuer"),
            not_before: unix_seconds(&text(map, "not_before")),
            not_after: unix_seconds(&text(map, "not_after")),
            until: text(map, "not_after"),
            from: text(map, "not_before"),
            names: match map.get("sans") {
                Some(Value::List(names)) => names.iter().filter_map(crate::tcp::plain).collect(),
                _ => Vec::new(),
            },
            names_issuer: match map.get("aia") {
                Some(Value::Bool(says)) => Some(*says),
                _ => None,
            },
        }),
        _ => None,
    });
    certificates.collect()
}

/// The date part of an RFC 3339 time.
pub(super) fn day(text: &str) -> &str {
    text.split('T').next().unwrap_or(text)
}

pub(super) fn span_of_days(seconds: i64) -> String {
    match seconds / 86_400 {
        0 => String::from("less than a day"),
        1 => String::from("1 day"),
        days => format!("{days} days"),
    }
}

/// Seconds since 1970 of an RFC 3339 time in UTC (`2026-03-01T00:00:00Z`); other offsets are not needed, for
/// certificates are always in UTC.
fn unix_seconds(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) =
        (number(11..13).unwrap_or(0), number(14..16).unwrap_or(0), number(17..19).unwrap_or(0));
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days since 1970-01-01 in the proleptic Gregorian calendar, counting years from March.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}
