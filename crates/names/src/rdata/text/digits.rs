//! Octets and times as digits: hex, base64, base32, dates.

/// `YYYYMMDDHHmmSS` in UTC, or seconds since 1970 (RFC 4034 section 3.2).
pub fn time(text: &str) -> Option<u32> {
    if text.len() != 14 {
        return text.parse().ok();
    }
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    if !(1..=12).contains(&month) {
        return None;
    }
    // Days since 1970 by counting years from March.
    let shifted = if month <= 2 { year - 1 } else { year };
    let era_day = (month + 9) % 12 * 306 / 10;
    let era_day = if (month + 9) % 12 * 306 % 10 >= 5 { era_day + 1 } else { era_day };
    let days = 365 * shifted + shifted / 4 - shifted / 100 + shifted / 400 + era_day + day - 1 - 719_468;
    let seconds = days * 86_400 + part(8, 10)? * 3600 + part(10, 12)? * 60 + part(12, 14)?;
    // Serial arithmetic: times wrap (RFC 4034 section 3.1.5).
    Some(seconds as u32)
}

/// Hex digits to octets; spaces are not expected.
pub fn hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// Base64 (RFC 4648 section 4) to octets; `None` for anything else, blanks too.
pub fn base64(text: &str) -> Option<Vec<u8>> {
    let value = |c: u8| match c {
        b'A'..=b'Z' => Some(c - b'A'),
        b'a'..=b'z' => Some(c - b'a' + 26),
        b'0'..=b'9' => Some(c - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    bits(text.trim_end_matches('='), 6, value)
}

pub(super) fn base32(text: &str) -> Option<Vec<u8>> {
    let value = |c: u8| match c.to_ascii_lowercase() {
        digit @ b'0'..=b'9' => Some(digit - b'0'),
        letter @ b'a'..=b'v' => Some(letter - b'a' + 10),
        _ => None,
    };
    bits(text.trim_end_matches('='), 5, value)
}

pub(super) fn bits(text: &str, width: u32, value: impl Fn(u8) -> Option<u8>) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() * width as usize / 8);
    let (mut have, mut count) = (0_u32, 0);
    for c in text.bytes() {
        have = have << width | u32::from(value(c)?);
        count += width;
        if count >= 8 {
            count -= 8;
            out.push((have >> count) as u8);
            have &= (1 << count) - 1;
        }
    }
    Some(out)
}

/// Octets in base64 (RFC 4648 section 4).
pub fn base64_text(octets: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(octets.len().div_ceil(3) * 4);
    for chunk in octets.chunks(3) {
        let word =
            chunk.iter().fold(0_u32, |word, octet| word << 8 | u32::from(*octet)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * at) & 63) as usize];
            out.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}
