//! What certificates say, for people and for the diagnosis.

use std::time::Duration;

use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use thru_trace::Value;
use thru_trace::certificate::{Certificate, chain_value, date_text, shortened};

/// A chain as a span's value: see [`chain_value`].
pub fn describe(chain: &[CertificateDer<'_>]) -> Value {
    chain_value(chain.iter().map(AsRef::as_ref))
}

/// The stable word for what is wrong with a chain, and a sentence. `now`: the network's date.
pub(super) fn judge(
    error: &CertificateError,
    chain: &[CertificateDer<'_>],
    name: &ServerName<'_>,
    now: Duration,
) -> (&'static str, String) {
    let leaf = chain.first().and_then(|der| Certificate::read(der));
    let now = date(UnixTime::since_unix_epoch(now));
    match error {
        CertificateError::Expired => {
            ("tls.certificate_expired", "a certificate of the chain has expired".to_owned())
        }
        CertificateError::ExpiredContext { not_after, .. } => (
            "tls.certificate_expired",
            format!("{} expired on {}; it is {now}", which(chain, *not_after, false), date(*not_after)),
        ),
        CertificateError::NotValidYet => {
            ("tls.certificate_not_yet_valid", "a certificate of the chain is not valid yet".to_owned())
        }
        CertificateError::NotValidYetContext { not_before, .. } => (
            "tls.certificate_not_yet_valid",
            format!("{} is valid from {}; it is {now}", which(chain, *not_before, true), date(*not_before)),
        ),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let (names, count) = leaf.map(|leaf| (leaf.names, leaf.names_count)).unwrap_or_default();
            let shown = match names.as_slice() {
                [] => "no name at all".to_owned(),
                [first @ .., last] if first.len() < 5 => {
                    first.iter().map(|name| format!("{name}, ")).collect::<String>() + last
                }
                many => format!("{}, {} and {} more", many[0], many[1], count - 2),
            };
            ("tls.wrong_name", format!("the certificate is for {shown}, not for {}", name.to_str()))
        }
        // webpki refuses a leaf that is marked as an authority before it looks for the issuer; what people
        // make for themselves often is one.
        CertificateError::UnknownIssuer | CertificateError::Other(_)
            if leaf.as_ref().is_some_and(Certificate::is_self_signed) =>
        {
            let subject = leaf.map(|leaf| leaf.subject).unwrap_or_default();
            ("tls.self_signed", format!("the certificate is signed by itself: {subject}"))
        }
        CertificateError::UnknownIssuer => {
            let last = chain.last().and_then(|der| Certificate::read(der));
            let issuer = last.map(|last| last.issuer).unwrap_or_default();
            (
                "tls.unknown_ca",
                format!("the chain does not lead to a trusted authority; it ends at \"{issuer}\""),
            )
        }
        other => (
            "tls.bad_certificate",
            format!("the certificate was refused: {}", shortened(format!("{other:?}"))),
        ),
    }
}

/// The certificate of a chain with that end (or start) of its validity.
fn which(chain: &[CertificateDer<'_>], at: UnixTime, start: bool) -> String {
    let subject = chain.iter().enumerate().find_map(|(depth, der)| {
        let certificate = Certificate::read(der)?;
        let edge = if start { certificate.not_before } else { certificate.not_after };
        let same = u64::try_from(edge).is_ok_and(|edge| edge == at.as_secs());
        same.then_some((depth, certificate.subject))
    });
    match subject {
        Some((0, _)) | None => "the certificate".to_owned(),
        Some((_, subject)) => format!("the intermediate certificate \"{subject}\""),
    }
}

fn date(time: UnixTime) -> String {
    date_text(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}
