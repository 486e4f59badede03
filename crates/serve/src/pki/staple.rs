//! What an authority says of a certificate's revocation (RFC 6960), as a server shows it in its handshake (RFC 6066 8).

use std::time::Duration;

use rcgen::SigningKey;

use super::{Authority, Keys};

/// What the answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// When it was made and from when it holds: time since the Unix epoch.
    pub from: Duration,
    /// Until when it holds.
    pub until: Duration,
    /// Since when the certificate is revoked; `None`: it is not.
    pub revoked: Option<Duration>,
}

impl Authority {
    /// The answer of this authority about a certificate that it has signed, DER. `None` if `leaf` is no certificate.
    pub fn staple(&self, leaf: &[u8], statement: Statement) -> Option<Vec<u8>> {
        let fields = Fields::of(leaf)?;
        let key = self.issuer.key();
        let sha1 = |bytes: &[u8]| ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, bytes);
        let key_hash = sha1(key.public_key_raw());
        let id = seq(&[
            seq(&[oid(&[0x2b, 0x0e, 0x03, 0x02, 0x1a]), tlv(5, &[])]),
            tlv(4, sha1(fields.issuer).as_ref()),
            tlv(4, key_hash.as_ref()),
            tlv(2, fields.serial),
        ]);
        let status = match statement.revoked {
            None => tlv(0x80, &[]),
            Some(since) => tlv(0xa1, &time(since)),
        };
        let single = seq(&[id, status, time(statement.from), tlv(0xa0, &time(statement.until))]);
        let data = seq(&[tlv(0xa2, &tlv(4, key_hash.as_ref())), time(statement.from), seq(&[single])]);
        let algorithm: &[u8] = match self.keys {
            Keys::Seeded(_) => &[0x2b, 0x65, 0x70],
            Keys::Fresh => &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
        };
        let signature = key.sign(&data).ok()?;
        let bits = [&[0][..], &signature].concat();
        let basic = seq(&[data, seq(&[oid(algorithm)]), tlv(3, &bits)]);
        // id-pkix-ocsp-basic
        let kind = oid(&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01]);
        Some(seq(&[tlv(10, &[0]), tlv(0xa0, &seq(&[kind, tlv(4, &basic)]))]))
    }
}

/// What of a certificate names it (RFC 5280 4.1).
struct Fields<'a> {
    serial: &'a [u8],
    /// Its issuer's name, with tag and length.
    issuer: &'a [u8],
}

impl<'a> Fields<'a> {
    fn of(certificate: &'a [u8]) -> Option<Fields<'a>> {
        let (_, body, _) = element(certificate)?;
        let (_, mut rest, _) = element(body)?;
        let (tag, _, after) = element(rest)?;
        if tag == 0xa0 {
            rest = after;
        }
        let (_, serial, rest) = element(rest)?;
        let (_, _, rest) = element(rest)?;
        let (_, _, after) = element(rest)?;
        Some(Fields { serial, issuer: &rest[..rest.len() - after.len()] })
    }
}

/// Tag and contents of the first element, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        short @ 0..=0x7f => (usize::from(short), rest),
        long => {
            let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f).min(4))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
    };
    let (contents, after) = rest.split_at_checked(length)?;
    Some((tag, contents, after))
}

fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len();
    let mut out = vec![tag];
    match length {
        0..0x80 => out.push(length as u8),
        0x80..0x100 => out.extend([0x81, length as u8]),
        _ => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    out.extend_from_slice(contents);
    out
}

fn seq(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

fn oid(bytes: &[u8]) -> Vec<u8> {
    tlv(6, bytes)
}

/// GeneralizedTime (X.690 11.7).
fn time(at: Duration) -> Vec<u8> {
    let (days, seconds) = (at.as_secs() / 86_400, at.as_secs() % 86_400);
    let at = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(days * 86_400);
    let date = at.date();
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
    tlv(0x18, format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z").as_bytes())
}
