//! What a server shows about the revocation of its certificate (RFC 6066 8): the answer of an OCSP responder (RFC 6960).
//!
//! Price: the signature of the answer is not verified, as whoever holds a capture may not know the authority. A server that
//! shows a false answer harms itself, and nobody else can put one into its handshake.

use std::time::Duration;

use x509_parser::asn1_rs::{Any, FromDer};
use x509_parser::time::ASN1Time;

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
    data.time()?;
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
    let from = single.time()?;
    let until = single.inside(0xa0).and_then(|mut next| next.time());
    Some(Staple { status, from, until })
}

/// Elements of DER (X.690), read from the front.
#[derive(Clone, Copy)]
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// Tag, as the octet that it is, and contents of the next element.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (rest, element) = Any::from_der(self.0).ok()?;
        let octet = *self.0.first()?;
        self.0 = rest;
        Some((octet, element.data))
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

    /// The next element as a time since the Unix epoch.
    fn time(&mut self) -> Option<Duration> {
        let (rest, time) = ASN1Time::from_der(self.0).ok()?;
        self.0 = rest;
        u64::try_from(time.timestamp()).ok().map(Duration::from_secs)
    }
}

#[cfg(test)]
mod tests;
