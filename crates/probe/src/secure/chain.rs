//! What certificates say, for people and for the diagnosis.

use std::collections::BTreeMap;
use std::time::Duration;

use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use thru_trace::Value;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS;
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};

/// Names shown of one certificate; some carry thousands.
const NAMES: usize = 100;
/// Bytes shown of one text from a certificate.
const TEXT: usize = 512;

/// A chain as a span's value: `subject`, `issuer`, `not_before`, `not_after` (RFC 3339) and `sans` of each certificate
/// (`sans_count` says how many it has, where not all are shown),
/// `aia`: whether it says where its issuer's certificate can be fetched (RFC 5280 4.2.2.1), and `must_staple`: whether the
/// server has to show that it is not revoked (RFC 7633).
pub fn describe(chain: &[CertificateDer<'_>]) -> Value {
    Value::List(chain.iter().map(|certificate| describe_one(certificate)).collect())
}

fn describe_one(der: &[u8]) -> Value {
    let mut map = BTreeMap::new();
    let mut text = |key: &str, value: String| map.insert(key.to_owned(), Value::Text(value));
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        text("subject", format!("{} bytes that are no certificate", der.len()));
        return Value::Map(map);
    };
    text("subject", short(certificate.subject().to_string()));
    text("issuer", short(certificate.issuer().to_string()));
    text("not_before", rfc3339(certificate.validity().not_before));
    text("not_after", rfc3339(certificate.validity().not_after));
    let (names, count) = names(&certificate);
    map.insert("sans".to_owned(), Value::List(names.into_iter().map(Value::Text).collect()));
    map.insert("sans_count".to_owned(), Value::Int(i64::try_from(count).unwrap_or(i64::MAX)));
    map.insert("aia".to_owned(), Value::Bool(names_issuer(&certificate)));
    let feature = |oid: String| oid == "1.3.6.1.5.5.7.1.24";
    let staples = certificate.extensions().iter().any(|extension| feature(extension.oid.to_id_string()));
    map.insert("must_staple".to_owned(), Value::Bool(staples));
    Value::Map(map)
}

/// The contents of its serial number (RFC 5280 4.1.2.2).
pub(super) fn serial<'a>(certificate: &'a CertificateDer<'_>) -> Option<&'a [u8]> {
    X509Certificate::from_der(certificate).ok().map(|(_, certificate)| certificate.raw_serial())
}

fn names_issuer(certificate: &X509Certificate<'_>) -> bool {
    certificate.extensions().iter().any(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityInfoAccess(access) => {
            access.iter().any(|entry| entry.access_method == OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS)
        }
        _ => false,
    })
}

/// Names and addresses a certificate is for, as many as are shown, and how many there are.
fn names(certificate: &X509Certificate<'_>) -> (Vec<String>, usize) {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return (Vec::new(), 0) };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(short((*name).to_owned())),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    };
    let mut all = extension.value.general_names.iter().filter_map(name);
    let shown: Vec<String> = all.by_ref().take(NAMES).collect();
    let count = shown.len() + all.count();
    (shown, count)
}

fn address(bytes: &[u8]) -> Option<String> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(|bytes| std::net::Ipv4Addr::from(bytes).to_string()),
        16 => <[u8; 16]>::try_from(bytes).ok().map(|bytes| std::net::Ipv6Addr::from(bytes).to_string()),
        _ => None,
    }
}

/// The stable word for what is wrong with a chain, and a sentence. `now`: the network's date.
pub(super) fn judge(
    error: &CertificateError,
    chain: &[CertificateDer<'_>],
    name: &ServerName<'_>,
    now: Duration,
) -> (&'static str, String) {
    let leaf = chain.first().and_then(|der| X509Certificate::from_der(der).ok()).map(|(_, leaf)| leaf);
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
            let (names, count) = leaf.as_ref().map(names).unwrap_or_default();
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
            if leaf.as_ref().is_some_and(|leaf| leaf.subject() == leaf.issuer()) =>
        {
            let subject = leaf.map(|leaf| short(leaf.subject().to_string())).unwrap_or_default();
            ("tls.self_signed", format!("the certificate is signed by itself: {subject}"))
        }
        CertificateError::UnknownIssuer => {
            let issuer = chain
                .last()
                .and_then(|der| X509Certificate::from_der(der).ok())
                .map_or_else(String::new, |(_, last)| short(last.issuer().to_string()));
            (
                "tls.unknown_ca",
                format!("the chain does not lead to a trusted authority; it ends at \"{issuer}\""),
            )
        }
        other => {
            ("tls.bad_certificate", format!("the certificate was refused: {}", short(format!("{other:?}"))))
        }
    }
}

/// The certificate of a chain with that end (or start) of its validity.
fn which(chain: &[CertificateDer<'_>], at: UnixTime, start: bool) -> String {
    let subject = chain.iter().enumerate().find_map(|(depth, der)| {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let validity = certificate.validity();
        let edge = if start { validity.not_before } else { validity.not_after };
        let same = u64::try_from(edge.timestamp()).is_ok_and(|edge| edge == at.as_secs());
        same.then(|| (depth, short(certificate.subject().to_string())))
    });
    match subject {
        Some((0, _)) | None => "the certificate".to_owned(),
        Some((_, subject)) => format!("the intermediate certificate \"{subject}\""),
    }
}

fn date(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    ASN1Time::from_timestamp(seconds).map_or_else(|_| format!("second {seconds}"), rfc3339)
}

/// `2026-11-21T03:50:00Z`.
fn rfc3339(time: ASN1Time) -> String {
    let time = time.to_datetime();
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        time.year(),
        u8::from(time.month()),
        time.day(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

/// Cuts a text that came from the network at a sensible length.
fn short(mut text: String) -> String {
    if text.len() > TEXT {
        let end = (0..=TEXT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}
