//! From errors to the stable words of the trace.

use std::error::Error as StdError;
use std::io;

use rustls::{AlertDescription, Error, PeerIncompatible};

/// The word and a sentence for a handshake over TCP that failed; `head`: the first bytes that came from the server.
pub(super) fn of_handshake(error: &io::Error, head: &[u8]) -> (String, String) {
    if let Some(text) = not_tls(head) {
        return ("tls.not_tls".to_owned(), text);
    }
    if let Some(error) = find::<Error>(error) {
        return of_tls(error);
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof if head.is_empty() => (
            "tls.closed".to_owned(),
            "the server closed the connection instead of answering the hello".to_owned(),
        ),
        io::ErrorKind::UnexpectedEof => (
            "tls.closed".to_owned(),
            "the server closed the connection in the middle of the handshake".to_owned(),
        ),
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            ("tls.reset".to_owned(), "the connection was reset during the handshake".to_owned())
        }
        io::ErrorKind::TimedOut => {
            ("tls.timeout".to_owned(), "the connection timed out during the handshake".to_owned())
        }
        _ => ("tls.closed".to_owned(), format!("the connection failed during the handshake: {error}")),
    }
}

/// The word and a sentence for an error of TLS itself.
pub(crate) fn of_tls(error: &Error) -> (String, String) {
    match error {
        Error::AlertReceived(AlertDescription::ProtocolVersion) => (
            "tls.version".to_owned(),
            "the server speaks none of the TLS versions offered (alert 70)".to_owned(),
        ),
        Error::AlertReceived(alert) => (
            format!("tls.alert.{}", name(*alert)),
            format!("the server refused with the alert {} ({})", name(*alert), u8::from(*alert)),
        ),
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => ("tls.version".to_owned(), "the server chose a TLS version that was not offered".to_owned()),
        Error::InvalidCertificate(error) => ("tls.bad_certificate".to_owned(), format!("{error:?}")),
        Error::NoApplicationProtocol => {
            ("tls.alert.no_application_protocol".to_owned(), "no application protocol in common".to_owned())
        }
        other => ("tls.protocol".to_owned(), format!("the server broke the TLS protocol: {other}")),
    }
}

/// The registered name of an alert (RFC 8446 6).
pub(crate) fn name(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::Unknown(code) => format!("unknown_{code}"),
        known => name_of(&format!("{known:?}")),
    }
}

/// The same for an alert in the library's words: `CertificateRequired` as `certificate_required`.
pub(crate) fn name_of(words: &str) -> String {
    match words {
        "UnknownCA" => return "unknown_ca".to_owned(),
        "UnknownPSKIdentity" => return "unknown_psk_identity".to_owned(),
        "UnrecognisedName" => return "unrecognized_name".to_owned(),
        "EncryptedClientHelloRequired" => return "ech_required".to_owned(),
        _ => {}
    }
    let mut name = String::new();
    for letter in words.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// What the server speaks instead, if its first bytes are no TLS record (RFC 8446 5.1: type 20 to 23, version 3.x).
fn not_tls(head: &[u8]) -> Option<String> {
    let first = *head.first()?;
    let record = (20..=23).contains(&first) && head.get(1).is_none_or(|major| *major == 3);
    if record {
        return None;
    }
    let line: String = head
        .iter()
        .take_while(|byte| !matches!(byte, b'\r' | b'\n'))
        .map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' })
        .collect();
    Some(format!("the server answered the hello with something that is not TLS: \"{line}\""))
}

/// Looks for an error of type `T` behind others.
pub(crate) fn find<'e, T: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e T> {
    let mut next = Some(error);
    // Chains are short; the bound is for one that bites its tail.
    for _ in 0..16 {
        let error = next?;
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        // An io::Error shows what is inside it, not the thing itself, as its source.
        if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            next = Some(inner);
            continue;
        }
        next = error.source();
    }
    None
}
