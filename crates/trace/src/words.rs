//! What other tools call a failure: curl, Chrome, Network Error Logging, OONI, Zeek.
//!
//! Those words stand for what was *seen*, not for its cause: curl's exit code 28 is a silent firewall, a lost route and a
//! slow program alike. So they follow the failed step's code, and a verdict carries them beside its own causes, for whoever
//! has to find the ticket, the log line or the dashboard that another tool wrote about the same event.

use serde::Serialize;

/// What other tools would have said of the same failure. `None`: that tool has no word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Words {
    /// curl's exit code (`man curl`, EXIT CODES).
    pub curl: Option<u8>,
    /// Chrome's network error, as its error page shows it.
    pub chrome: Option<&'static str>,
    /// The `type` of a Network Error Logging report (W3C Network Error Logging, section 6).
    pub nel: Option<&'static str>,
    /// The `failure` string of OONI's data format df-007.
    pub ooni: Option<&'static str>,
    /// Zeek's `conn_state`, of the connection that failed.
    pub zeek: Option<&'static str>,
}

/// Keeps the table to what differs between rows; an empty string is no word.
const fn words(
    curl: u8,
    chrome: &'static str,
    nel: &'static str,
    ooni: &'static str,
    zeek: &'static str,
) -> Words {
    const fn some(word: &'static str) -> Option<&'static str> {
        if word.is_empty() { None } else { Some(word) }
    }
    Words {
        curl: if curl == 0 { None } else { Some(curl) },
        chrome: some(chrome),
        nel: some(nel),
        ooni: some(ooni),
        zeek: some(zeek),
    }
}

/// By the code of the failed step; a code that ends in a dot stands for all that begin with it.
const TABLE: [(&str, Words); 47] = [
    ("dns.timeout", words(6, "ERR_NAME_RESOLUTION_FAILED", "dns.unreachable", "generic_timeout_error", "S0")),
    ("dns.unreachable", words(6, "ERR_NAME_RESOLUTION_FAILED", "dns.unreachable", "host_unreachable", "S0")),
    ("dns.no_resolver", words(6, "ERR_NAME_RESOLUTION_FAILED", "dns.unreachable", "", "")),
    ("dns.nxdomain", words(6, "ERR_NAME_NOT_RESOLVED", "dns.name_not_resolved", "dns_nxdomain_error", "SF")),
    ("dns.no_data", words(6, "ERR_NAME_NOT_RESOLVED", "dns.name_not_resolved", "dns_no_answer", "SF")),
    ("dns.servfail", words(6, "ERR_NAME_RESOLUTION_FAILED", "dns.failed", "dns_servfail_error", "SF")),
    ("dns.refused", words(6, "ERR_NAME_RESOLUTION_FAILED", "dns.failed", "dns_refused_error", "SF")),
    ("dns.malformed", words(6, "ERR_DNS_MALFORMED_RESPONSE", "dns.failed", "dns_server_misbehaving", "SF")),
    ("dns.", words(6, "ERR_NAME_RESOLUTION_FAILED", "dns.failed", "dns_server_misbehaving", "SF")),
    (
        "ip.no_route",
        words(7, "ERR_ADDRESS_UNREACHABLE", "tcp.address_unreachable", "network_unreachable", ""),
    ),
    (
        "ip.unreachable",
        words(7, "ERR_ADDRESS_UNREACHABLE", "tcp.address_unreachable", "host_unreachable", "S0"),
    ),
    (
        "ip.ttl_exceeded",
        words(7, "ERR_ADDRESS_UNREACHABLE", "tcp.address_unreachable", "host_unreachable", "S0"),
    ),
    ("ip.", words(7, "ERR_ADDRESS_UNREACHABLE", "tcp.address_unreachable", "host_unreachable", "S0")),
    ("tcp.timeout", words(28, "ERR_CONNECTION_TIMED_OUT", "tcp.timed_out", "generic_timeout_error", "S0")),
    ("tcp.refused", words(7, "ERR_CONNECTION_REFUSED", "tcp.refused", "connection_refused", "REJ")),
    ("tcp.reset", words(56, "ERR_CONNECTION_RESET", "tcp.reset", "connection_reset", "RSTR")),
    ("tcp.closed", words(52, "ERR_CONNECTION_CLOSED", "tcp.closed", "eof_error", "SF")),
    ("tcp.", words(7, "ERR_CONNECTION_FAILED", "tcp.failed", "", "")),
    ("tls.timeout", words(28, "ERR_TIMED_OUT", "tcp.timed_out", "generic_timeout_error", "S1")),
    ("tls.closed", words(35, "ERR_CONNECTION_CLOSED", "tcp.closed", "eof_error", "SF")),
    ("tls.reset", words(35, "ERR_CONNECTION_RESET", "tcp.reset", "connection_reset", "RSTR")),
    ("tls.not_tls", words(35, "ERR_SSL_PROTOCOL_ERROR", "tls.protocol.error", "ssl_failed_handshake", "SF")),
    (
        "tls.version",
        words(
            35,
            "ERR_SSL_VERSION_OR_CIPHER_MISMATCH",
            "tls.version_or_cipher_mismatch",
            "ssl_failed_handshake",
            "SF",
        ),
    ),
    (
        "tls.alert.protocol_version",
        words(
            35,
            "ERR_SSL_VERSION_OR_CIPHER_MISMATCH",
            "tls.version_or_cipher_mismatch",
            "ssl_failed_handshake",
            "SF",
        ),
    ),
    (
        "tls.alert.handshake_failure",
        words(
            35,
            "ERR_SSL_VERSION_OR_CIPHER_MISMATCH",
            "tls.version_or_cipher_mismatch",
            "ssl_failed_handshake",
            "SF",
        ),
    ),
    (
        "tls.alert.certificate_required",
        words(56, "ERR_BAD_SSL_CLIENT_AUTH_CERT", "tls.bad_client_auth_cert", "ssl_failed_handshake", "SF"),
    ),
    (
        "tls.alert.unrecognized_name",
        words(
            35,
            "ERR_SSL_UNRECOGNIZED_NAME_ALERT",
            "tls.unrecognized_name_alert",
            "ssl_failed_handshake",
            "SF",
        ),
    ),
    (
        "tls.certificate_expired",
        words(60, "ERR_CERT_DATE_INVALID", "tls.cert.date_invalid", "ssl_invalid_certificate", "SF"),
    ),
    (
        "tls.certificate_not_yet_valid",
        words(60, "ERR_CERT_DATE_INVALID", "tls.cert.date_invalid", "ssl_invalid_certificate", "SF"),
    ),
    (
        "tls.wrong_name",
        words(60, "ERR_CERT_COMMON_NAME_INVALID", "tls.cert.name_invalid", "ssl_invalid_hostname", "SF"),
    ),
    (
        "tls.unknown_ca",
        words(60, "ERR_CERT_AUTHORITY_INVALID", "tls.cert.authority_invalid", "ssl_unknown_authority", "SF"),
    ),
    (
        "tls.self_signed",
        words(60, "ERR_CERT_AUTHORITY_INVALID", "tls.cert.authority_invalid", "ssl_unknown_authority", "SF"),
    ),
    (
        "tls.bad_certificate",
        words(60, "ERR_CERT_INVALID", "tls.cert.invalid", "ssl_invalid_certificate", "SF"),
    ),
    ("tls.", words(35, "ERR_SSL_PROTOCOL_ERROR", "tls.protocol.error", "ssl_failed_handshake", "SF")),
    ("quic.timeout", words(28, "ERR_QUIC_HANDSHAKE_FAILED", "tcp.timed_out", "generic_timeout_error", "S0")),
    ("quic.refused", words(7, "ERR_CONNECTION_REFUSED", "tcp.refused", "connection_refused", "S0")),
    (
        "quic.version",
        words(96, "ERR_QUIC_PROTOCOL_ERROR", "h3.protocol.error", "quic_incompatible_version", "SF"),
    ),
    ("quic.", words(95, "ERR_QUIC_PROTOCOL_ERROR", "h3.protocol.error", "", "SF")),
    ("http.timeout", words(28, "ERR_TIMED_OUT", "abandoned", "generic_timeout_error", "S1")),
    ("http.stalled", words(28, "ERR_TIMED_OUT", "abandoned", "generic_timeout_error", "S1")),
    ("http.closed", words(52, "ERR_EMPTY_RESPONSE", "tcp.closed", "eof_error", "SF")),
    ("http.reset", words(56, "ERR_CONNECTION_RESET", "tcp.reset", "connection_reset", "RSTR")),
    (
        "http.truncated",
        words(
            18,
            "ERR_CONTENT_LENGTH_MISMATCH",
            "http.response.invalid.content_length_mismatch",
            "eof_error",
            "SF",
        ),
    ),
    ("http.redirect_loop", words(47, "ERR_TOO_MANY_REDIRECTS", "http.response.redirect_loop", "", "SF")),
    ("http.protocol", words(1, "ERR_INVALID_HTTP_RESPONSE", "http.response.invalid", "", "SF")),
    ("http.status.", words(22, "ERR_HTTP_RESPONSE_CODE_FAILURE", "http.error", "", "SF")),
    ("http.", words(1, "ERR_INVALID_RESPONSE", "http.failed", "", "SF")),
];

/// What the other tools call a step that failed with this code, such as `tcp.timeout`; `None` for codes of no layer they
/// know.
pub fn of(code: &str) -> Option<Words> {
    let whole = TABLE.iter().find(|(known, _)| *known == code);
    let family = || {
        TABLE
            .iter()
            .filter(|(known, _)| known.ends_with('.') && code.starts_with(known))
            .max_by_key(|(known, _)| known.len())
    };
    whole.or_else(family).map(|(_, words)| *words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stand_once_and_families_catch_the_rest() {
        for (place, (code, _)) in TABLE.iter().enumerate() {
            assert!(TABLE[..place].iter().all(|(known, _)| known != code), "{code} stands twice");
        }
        assert_eq!(of("tls.alert.internal_error").unwrap().curl, Some(35));
        assert_eq!(of("http.status.503").unwrap().nel, Some("http.error"));
        assert_eq!(of("tcp.refused").unwrap().zeek, Some("REJ"));
        assert_eq!(of("dns.nxdomain").unwrap().ooni, Some("dns_nxdomain_error"));
        assert_eq!(of("nothing"), None);
        assert_eq!(of(""), None);
    }

    #[test]
    fn words_are_spelled_as_their_owners_spell_them() {
        for (code, words) in TABLE {
            assert!(words.chrome.is_none_or(|word| word.starts_with("ERR_")), "{code}");
            for word in [words.nel, words.ooni].into_iter().flatten() {
                assert!(
                    word.bytes().all(|b| b.is_ascii_lowercase() || b"._0123456789".contains(&b)),
                    "{code}"
                );
            }
            let states =
                ["S0", "S1", "SF", "REJ", "S2", "S3", "RSTO", "RSTR", "RSTOS0", "RSTRH", "SH", "SHR", "OTH"];
            assert!(words.zeek.is_none_or(|word| states.contains(&word)), "{code}");
        }
    }
}
