//! What certificates say, and what a client could object to at the time of the capture.

use std::collections::BTreeMap;

use thru_trace::Value;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS;
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

/// Names of one certificate that are looked at.
const NAMES_MAX: usize = 1_000;
/// Octets of a serial number (RFC 5280 4.1.2.2 allows 20).
const SERIAL_MAX: usize = 32;
/// Letters of one text that are kept.
const TEXT_MAX: usize = 512;

/// One certificate of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    pub(crate) subject: String,
    pub(crate) issuer: String,
    /// As the certificate has it (RFC 5280 4.1.2.2).
    pub(crate) serial: Vec<u8>,
    /// Seconds since 1970.
    pub(crate) not_before: i64,
    pub(crate) not_after: i64,
    dates: (String, String),
    pub(crate) names: Vec<String>,
    names_issuer: bool,
    /// Bits of its RSA key, if it has one.
    rsa_bits: Option<usize>,
    /// It says what it is for, and that is not servers (RFC 5280 4.2.1.12).
    not_for_servers: bool,
    /// It says that it may not vouch for others, or does not say that it may (RFC 5280 4.2.1.9).
    no_authority: bool,
    /// It promises a word of its issuer's with each handshake (RFC 7633).
    must_staple: bool,
}

impl Certificate {
    /// Reads a certificate (RFC 5280); `None` if the bytes are none.
    pub(crate) fn read(der: &[u8]) -> Option<Certificate> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let validity = certificate.validity();
        Some(Certificate {
            subject: short(certificate.subject().to_string()),
            issuer: short(certificate.issuer().to_string()),
            serial: certificate.raw_serial().iter().take(SERIAL_MAX).copied().collect(),
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
            dates: (rfc3339(validity.not_before), rfc3339(validity.not_after)),
            names: names(&certificate),
            names_issuer: names_issuer(&certificate),
            rsa_bits: rsa_bits(&certificate),
            not_for_servers: not_for_servers(&certificate),
            no_authority: !certificate.is_ca(),
            must_staple: must_staple(&certificate),
        })
    }

    /// In the words of a live probe.
    pub(crate) fn value(&self) -> Value {
        let mut map = BTreeMap::new();
        let texts = [
            ("subject", &self.subject),
            ("issuer", &self.issuer),
            ("not_before", &self.dates.0),
            ("not_after", &self.dates.1),
        ];
        for (key, text) in texts {
            map.insert(key.to_owned(), Value::Text(text.clone()));
        }
        let names = self.names.iter().take(100).cloned().map(Value::Text).collect();
        map.insert("sans".to_owned(), Value::List(names));
        map.insert("aia".to_owned(), Value::Bool(self.names_issuer));
        map.insert("must_staple".to_owned(), Value::Bool(self.must_staple));
        Value::Map(map)
    }

    /// Whether it is for this name (RFC 9525 6.3: a star stands for one whole label, the first).
    pub(crate) fn is_for(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        self.names.iter().any(|own| {
            let own = own.trim_end_matches('.').to_ascii_lowercase();
            match own.strip_prefix("*.") {
                Some(rest) => name.split_once('.').is_some_and(|(_, tail)| tail == rest),
                None => own == name,
            }
        })
    }

    pub(crate) fn is_self_signed(&self) -> bool {
        self.subject == self.issuer
    }
}

/// What a client could object to, in the order in which clients look: the stable word of a live probe, and a sentence.
pub(crate) fn objections(chain: &[Certificate], name: Option<&str>, now: i64) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let Some(leaf) = chain.first() else { return found };
    if let Some(old) = chain.iter().find(|certificate| certificate.not_after < now) {
        let text = format!("\"{}\" ran out on {}, before this capture", old.subject, old.dates.1);
        found.push(("tls.certificate_expired", text));
    }
    if let Some(early) = chain.iter().find(|certificate| certificate.not_before > now) {
        let text = format!("\"{}\" begins on {}, after this capture", early.subject, early.dates.0);
        found.push(("tls.certificate_not_yet_valid", text));
    }
    if let Some(name) = name.filter(|name| !leaf.is_for(name)) {
        let shown: Vec<&str> = leaf.names.iter().take(4).map(String::as_str).collect();
        let shown = if shown.is_empty() { String::from("no name at all") } else { shown.join(", ") };
        found.push(("tls.wrong_name", format!("the certificate is for {shown}, not for {name}")));
    }
    if leaf.is_self_signed() {
        let text = format!("the certificate is signed by itself: {}", leaf.subject);
        found.push(("tls.self_signed", text));
    }
    if let Some(bits) = leaf.rsa_bits.filter(|bits| *bits < RSA_BITS_MIN) {
        let text = format!("Key: its RSA key has only {bits} bits");
        found.push(("tls.bad_certificate", text));
    }
    if leaf.not_for_servers {
        let text =
            "Purpose: the certificate says what it is for, and that is not a server (extended key usage)";
        found.push(("tls.bad_certificate", text.into()));
    }
    // Who signed the next one below it has to be an authority.
    let vouches =
        |below: &Certificate, above: &Certificate| below.issuer == above.subject && above.no_authority;
    if let Some(pair) = chain.windows(2).find(|pair| vouches(&pair[0], &pair[1])) {
        let text =
            format!("Purpose: \"{}\" signed it, and is no authority (basic constraints)", pair[1].subject);
        found.push(("tls.bad_certificate", text));
    }
    found
}

/// Shorter keys are refused by every client of today (NIST SP 800-57).
const RSA_BITS_MIN: usize = 2_048;

fn rsa_bits(certificate: &X509Certificate<'_>) -> Option<usize> {
    match certificate.public_key().parsed().ok()? {
        PublicKey::RSA(key) => Some(key.key_size()),
        _ => None,
    }
}

fn not_for_servers(certificate: &X509Certificate<'_>) -> bool {
    let usage = certificate.extended_key_usage().ok().flatten();
    usage.is_some_and(|usage| !usage.value.server_auth && !usage.value.any)
}

/// The TLS features that a certificate promises (RFC 7633 4): a list of numbers, 5 for the status of the certificate.
fn must_staple(certificate: &X509Certificate<'_>) -> bool {
    let feature = |oid: &str| oid == "1.3.6.1.5.5.7.1.24";
    let promised = certificate.extensions().iter().filter(|extension| feature(&extension.oid.to_id_string()));
    promised.into_iter().any(|extension| extension.value.windows(3).any(|number| number == [2, 1, 5]))
}

fn names_issuer(certificate: &X509Certificate<'_>) -> bool {
    certificate.extensions().iter().any(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityInfoAccess(access) => {
            access.iter().any(|entry| entry.access_method == OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS)
        }
        _ => false,
    })
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(short((*name).to_owned())),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|bytes| std::net::Ipv4Addr::from(bytes).to_string()),
            16 => <[u8; 16]>::try_from(*bytes).ok().map(|bytes| std::net::Ipv6Addr::from(bytes).to_string()),
            _ => None,
        },
        _ => None,
    };
    extension.value.general_names.iter().filter_map(name).take(NAMES_MAX).collect()
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

fn short(mut text: String) -> String {
    if text.len() > TEXT_MAX {
        let end = (0..=TEXT_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}
