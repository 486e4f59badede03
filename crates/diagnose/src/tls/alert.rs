//! What the server says when it ends a handshake.

use super::Case;
use crate::facts::failure_text;
use crate::vote::Vote;
use thru_trace::Span;

impl Case<'_> {
    /// The server ended the handshake inside QUIC; over TCP it may do better.
    pub(super) fn alert_in_quic(&self) -> Vote {
        let alert = self.failed.code().and_then(|code| code.strip_prefix("tls.alert.")).unwrap_or_default();
        Vote::broken(
            &["Q08"],
            0.9,
            format!(
                "{} ends the encryption handshake of HTTP/3 with an error ({}).",
                self.subject,
                alert.replace('_', " ")
            ),
        )
        .cite(self.failed, failure_text(self.failed))
        .rule_out("Q01", "the server answered, so the packets of HTTP/3 pass")
        .rule_out("Q12", "a program speaks HTTP/3 there; it is its encryption that fails")
        .service(
            "check certificate and TLS settings of the server's HTTP/3 service, and its log for this moment",
        )
        .user("use HTTP/2 (without --http 3); browsers do so by themselves")
    }

    pub(super) fn alert(&self, name: &str) -> Vote {
        let subject = &self.subject;
        let said = format!("the server ended the handshake with the alert \"{}\"", name.replace('_', " "));
        let (causes, confidence, summary, remedy): (&[&str], f64, String, &str) = match name {
            "protocol_version" => return version(subject, self.failed),
            // An alert is seven bytes: the server said nothing else, so it never asked for a certificate.
            "handshake_failure" | "insufficient_security"
                if self.failed.int("tls.bytes_received").is_some_and(|bytes| bytes <= 7) =>
            {
                (
                    &["TLS04"],
                    0.93,
                    format!("{subject} and this machine have no encryption method in common."),
                    "allow current ciphers and key exchanges (TLS 1.3, X25519, AES-GCM)",
                )
            }
            "handshake_failure" | "insufficient_security" => (
                &["TLS04", "TLS18"],
                0.85,
                format!("{subject} and this machine have no encryption method in common."),
                "allow current ciphers and key exchanges (TLS 1.3, X25519, AES-GCM)",
            ),
            "unrecognized_name" => (
                &["TLS06"],
                0.93,
                format!("The server knows no site named {subject}."),
                "configure a site and a certificate for this name",
            ),
            "certificate_required" => (
                &["TLS18"],
                0.95,
                format!("{subject} wants the visitor to show a certificate."),
                "hand out client certificates, or stop asking for them",
            ),
            "bad_certificate"
            | "unsupported_certificate"
            | "certificate_revoked"
            | "certificate_expired"
            | "certificate_unknown"
            | "unknown_ca"
            | "access_denied" => (
                &["TLS19"],
                0.85,
                format!("{subject} does not accept the certificate this machine showed{}.", objection(name)),
                "say which client certificates are accepted",
            ),
            "no_application_protocol" => (
                &["TLS20"],
                0.93,
                format!("{subject} and this machine agree on encryption, but not on the protocol inside it."),
                "offer h2 or http/1.1 (for HTTP/3: h3) in the server's ALPN settings",
            ),
            "bad_record_mac" | "decrypt_error" | "decryption_failed" | "record_overflow" => (
                &["TLS30", "IP23"],
                0.8,
                format!("An encrypted message to or from {subject} was damaged."),
                "check for devices on the way that alter traffic",
            ),
            "illegal_parameter" => (
                &["TLS25", "TLS22"],
                0.6,
                format!("{subject} objects to the first message of the handshake."),
                "update the server's TLS software",
            ),
            _ => (
                &["TLS24"],
                0.6,
                format!("{subject} refuses the encryption handshake."),
                "look at the server's log for this moment",
            ),
        };
        let vote = Vote::broken(causes, confidence, summary)
            .cite(self.failed, said)
            .rule_out("TCP01", "the connection was made")
            .service(remedy);
        match causes {
            [_, _, ..] => vote.probe("repeat the handshake with other offers (versions, ciphers, with and without a client certificate)", causes),
            _ => vote,
        }
    }
}

/// Why a visitor's certificate was not accepted, as far as the alert says (RFC 8446 6.2).
fn objection(alert: &str) -> &'static str {
    match alert {
        "certificate_expired" => ": it has expired",
        "certificate_revoked" => ": it has been revoked",
        "unknown_ca" => ": the authority that signed it is not one the server knows",
        _ => "",
    }
}

pub(super) fn version(subject: &str, failed: &Span) -> Vote {
    Vote::broken(&["TLS03"], 0.93, format!("{subject} and this machine know no version of TLS in common."))
        .cite(failed, failure_text(failed))
        .rule_out("TLS04", "the version is the objection, not the cipher")
        .service("turn on TLS 1.2 and 1.3 on the server")
        .user("update this machine's software if it is old")
}
