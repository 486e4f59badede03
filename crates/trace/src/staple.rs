//! What a server shows about the revocation of its certificate (RFC 6066 8): the answer of an OCSP responder (RFC 6960).
//!
//! Price: the signature of the answer is not verified, as whoever holds a capture may not know the authority. A server that
//! shows a false answer harms itself, and nobody else can put one into its handshake.

use std::time::Duration;

/// What the answer says of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staple {
    /// The verdict.
    pub status: Revocation,
    /// From when the answer holds: time since the Unix epoch.
    pub from: Duration,
    /// Until when; `None`: it does not say.
    pub until: Option<Duration>,
}

/// Whether a certificate is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// It is not.
    Good,
    /// It is.
    Revoked,
    /// The responder does not know it.
    Unknown,
    /// The responder gave an error instead of an answer.
    NoAnswer,
    /// The answer is about other certificates.
    Other,
}

impl Revocation {
    /// The word in the trace.
    pub fn word(self) -> &'static str {
        match self {
            Revocation::Good => "good",
            Revocation::Revoked => "revoked",
            Revocation::Unknown => "unknown",
            Revocation::NoAnswer => "no_answer",
            Revocation::Other => "other_certificate",
        }
    }
}

/// Reads what an OCSP response says of the certificate with this serial number (the contents of its INTEGER, RFC 5280
/// 4.1.2.2); `None` for what is none. Never allocates.
pub fn read(response: &[u8], serial: &[u8]) -> Option<Staple> {
    let none = |status| Staple { status, from: Duration::ZERO, until: None };
    let mut response = Der(response).inside(0x30)?;
    let status = response.take(0x0a)?;
    if status != [0] {
        return Some(none(Revocation::NoAnswer));
    }
    let mut bytes = response.inside(0xa0)?.inside(0x30)?;
    bytes.take(0x06)?;
    let mut data = Der(bytes.take(0x04)?).inside(0x30)?.inside(0x30)?;
    // A version, if it is not the first; who answers, by name or by key; when.
    data.skip(0xa0);
    data.take(0xa1).or_else(|| data.take(0xa2))?;
    data.take(0x18)?;
    let mut answers = data.inside(0x30)?;
    let mut any = false;
    // Each takes at least two bytes off.
    while let Some(mut single) = answers.inside(0x30) {
        any = true;
        // Who signed it, by hashes of name and key in an algorithm of the responder's choice, then the serial number.
        let mut about = single.inside(0x30)?;
        about.take(0x30)?;
        about.take(0x04)?;
        about.take(0x04)?;
        if about.take(0x02)? == serial {
            return stated(single);
        }
    }
    any.then(|| none(Revocation::Other))
}

/// A statement on one certificate, from behind its name on.
fn stated(mut single: Der<'_>) -> Option<Staple> {
    let status = match single.next()? {
        (0x80, _) => Revocation::Good,
        (0xa1, _) => Revocation::Revoked,
        (0x82, _) => Revocation::Unknown,
        _ => return None,
    };
    let from = time(single.take(0x18)?)?;
    let until = single.inside(0xa0).and_then(|mut next| time(next.take(0x18)?));
    Some(Staple { status, from, until })
}

/// GeneralizedTime (X.690 11.7), as RFC 5280 4.1.2.5.2 has it: `20260302090000Z`.
fn time(text: &[u8]) -> Option<Duration> {
    let number = |range: std::ops::Range<usize>| {
        let digits = text.get(range)?;
        digits
            .iter()
            .all(u8::is_ascii_digit)
            .then(|| digits.iter().fold(0u32, |number, digit| number * 10 + u32::from(digit - b'0')))
    };
    if text.len() != 15 || text[14] != b'Z' {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    let (hour, minute, second) = (number(8..10)?, number(10..12)?, number(12..14)?);
    if year < 1970
        || !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    // Days since 1970-01-01 in the proleptic Gregorian calendar, counting years from March.
    let shifted = u64::from(if month <= 2 { year - 1 } else { year });
    let (era, of_era) = (shifted / 400, shifted % 400);
    let of_year = (153 * ((u64::from(month) + 9) % 12) + 2) / 5 + u64::from(day) - 1;
    let days = (era * 146_097 + of_era * 365 + of_era / 4 + of_year).checked_sub(of_era / 100 + 719_468)?;
    Some(Duration::from_secs(days * 86_400 + u64::from(hour * 3_600 + minute * 60 + second)))
}

/// DER (X.690), read from the front.
#[derive(Clone, Copy)]
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// Tag and contents of the next element.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            short @ 0..=0x7f => (usize::from(short), rest),
            long @ 0x81..=0x84 => {
                let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
                (digits.iter().fold(0usize, |length, digit| length << 8 | usize::from(*digit)), rest)
            }
            _ => return None,
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, contents))
    }

    /// The contents of the next element, if it has this tag; else it stays.
    fn take(&mut self, wanted: u8) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let (tag, contents) = ahead.next()?;
        (tag == wanted).then(|| {
            *self = ahead;
            contents
        })
    }

    fn skip(&mut self, tag: u8) {
        let _ = self.take(tag);
    }

    fn inside(&mut self, tag: u8) -> Option<Der<'a>> {
        self.take(tag).map(Der)
    }
}

#[cfg(test)]
mod tests;
