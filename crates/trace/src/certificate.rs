//! What certificates say (RFC 5280), in the words that spans carry: a live probe and a capture tell the same of one.

use std::collections::BTreeMap;

use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::oid_registry::OID_PKIX_ACCESS_DESCRIPTOR_CA_ISSUERS;
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

use crate::Value;

/// Names of one certificate that are looked at.
const NAMES_MAX: usize = 1_000;
/// Names that its value shows.
const NAMES_SHOWN: usize = 100;
/// Octets of a serial number (RFC 5280 4.1.2.2 allows 20).
const SERIAL_MAX: usize = 32;
/// Octets of one text that are kept.
const TEXT_MAX: usize = 512;

/// One certificate of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whom it is for: a distinguished name as text.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Its number among those of its issuer: the contents of the INTEGER (RFC 5280 4.1.2.2).
    pub serial: Vec<u8>,
    /// From when it holds, in seconds since 1970.
    pub not_before: i64,
    /// Until when it holds, in seconds since 1970.
    pub not_after: i64,
    /// Names and addresses that it is for (RFC 5280 4.2.1.6).
    pub names: Vec<String>,
    /// How many those are; some carry thousands, of which [`Certificate::names`] has the first thousand.
    pub names_count: usize,
    /// It says where its issuer's certificate can be fetched (RFC 5280 4.2.2.1).
    pub names_issuer: bool,
    /// Bits of its RSA key, if it has one.
    pub rsa_bits: Option<usize>,
    /// It says what it is for, and that is not servers (RFC 5280 4.2.1.12).
    pub not_for_servers: bool,
    /// It says that it may vouch for others (RFC 5280 4.2.1.9).
    pub is_authority: bool,
    /// It promises a word of its issuer's with each handshake (RFC 7633).
    pub must_staple: bool,
}

impl Certificate {
    /// Reads a certificate, DER; `None` if the bytes are none.
    pub fn read(der: &[u8]) -> Option<Certificate> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let validity = certificate.validity();
        let (names, names_count) = names(&certificate);
        Some(Certificate {
            subject: shortened(certificate.subject().to_string()),
            issuer: shortened(certificate.issuer().to_string()),
            serial: certificate.raw_serial().iter().take(SERIAL_MAX).copied().collect(),
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
            names,
            names_count,
            names_issuer: names_issuer(&certificate),
            rsa_bits: rsa_bits(&certificate),
            not_for_servers: not_for_servers(&certificate),
            is_authority: certificate.is_ca(),
            must_staple: must_staple(&certificate),
        })
    }

    /// As it stands in a span's `tls.chain`: `subject`, `issuer`, `not_before` and `not_after` (RFC 3339), `sans` (and
    /// `sans_count`, since not all are shown), `aia` ([`Certificate::names_issuer`]) and `must_staple`.
    pub fn value(&self) -> Value {
        let texts = [
            ("subject", self.subject.clone()),
            ("issuer", self.issuer.clone()),
            ("not_before", date_text(self.not_before)),
            ("not_after", date_text(self.not_after)),
        ];
        let mut map: BTreeMap<String, Value> =
            texts.into_iter().map(|(key, text)| (key.to_owned(), Value::Text(text))).collect();
        let names = self.names.iter().take(NAMES_SHOWN).cloned().map(Value::Text).collect();
        map.insert("sans".to_owned(), Value::List(names));
        map.insert("sans_count".to_owned(), Value::from(self.names_count as u64));
        map.insert("aia".to_owned(), Value::Bool(self.names_issuer));
        map.insert("must_staple".to_owned(), Value::Bool(self.must_staple));
        Value::Map(map)
    }

    /// Whether it is for this name (RFC 9525 6.3: a star stands for one whole label, the first).
    pub fn is_for(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        self.names.iter().any(|own| {
            let own = own.trim_end_matches('.').to_ascii_lowercase();
            match own.strip_prefix("*.") {
                Some(rest) => name.split_once('.').is_some_and(|(_, tail)| tail == rest),
                None => own == name,
            }
        })
    }

    /// Whether it vouches for itself.
    pub fn is_self_signed(&self) -> bool {
        self.subject == self.issuer
    }
}

/// A chain as a span's value, leaf first. What is no certificate is shown by its length.
pub fn chain_value<'a>(chain: impl IntoIterator<Item = &'a [u8]>) -> Value {
    let one = |der: &'a [u8]| {
        let unreadable = || {
            let text = Value::Text(format!("{} bytes that are no certificate", der.len()));
            Value::Map(BTreeMap::from([("subject".to_owned(), text)]))
        };
        Certificate::read(der).map_or_else(unreadable, |certificate| certificate.value())
    };
    Value::List(chain.into_iter().map(one).collect())
}

/// Seconds since 1970 as `2026-11-21T03:50:00Z`.
pub fn date_text(seconds: i64) -> String {
    let Ok(time) = ASN1Time::from_timestamp(seconds) else { return format!("second {seconds}") };
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

/// A text that came from the network, cut at a sensible length.
pub fn shortened(mut text: String) -> String {
    if text.len() > TEXT_MAX {
        let end = (0..=TEXT_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

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

/// The names, as many as are looked at, and how many there are.
fn names(certificate: &X509Certificate<'_>) -> (Vec<String>, usize) {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return (Vec::new(), 0) };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(shortened((*name).to_owned())),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    };
    let mut all = extension.value.general_names.iter().filter_map(name);
    let kept: Vec<String> = all.by_ref().take(NAMES_MAX).collect();
    let count = kept.len() + all.count();
    (kept, count)
}

fn address(bytes: &[u8]) -> Option<String> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(|bytes| std::net::Ipv4Addr::from(bytes).to_string()),
        16 => <[u8; 16]>::try_from(bytes).ok().map(|bytes| std::net::Ipv6Addr::from(bytes).to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
