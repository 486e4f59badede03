//! Handshakes of TLS, by what stands in the clear.

use crate::facts::Facts;
use crate::vote::Vote;
use thru_trace::{Layer, Span};

/// Handshakes, by messages that stand in the clear.
pub(super) fn handshake(facts: &Facts<'_>) -> Option<Vote> {
    let failed = facts.handshakes(Layer::Tls).filter(|span| span.code().is_some()).last()?;
    let subject = facts.subject();
    if failed.failed_with("tls.alert.handshake_failure")
        || failed.failed_with("tls.alert.insufficient_security")
    {
        let (cause, summary, says): (&'static str, String, &str) =
            match (failed.bool("tls.server_hello")?, failed.bool("tls.certificate_requested")?) {
                (_, true) => (
                    "TLS18",
                    format!("{subject} wants the visitor to show a certificate, and none was shown."),
                    "the server asked for a certificate and ended the handshake when none came",
                ),
                (false, false) => (
                    "TLS04",
                    format!("{subject} and the visitor have no encryption method in common."),
                    "the server ended the handshake right after the visitor's offer, without one of its own",
                ),
                _ => return None,
            };
        return Some(
            Vote::broken(&[cause], 0.93, summary)
                .explains(&["TLS04", "TLS18"])
                .cite(failed, says)
                .rule_out("TCP01", "the connection was made")
                .rule_out("TLS03", "an old version has an alert of its own")
                .service(if cause == "TLS18" {
                    "hand out client certificates, or stop asking for them"
                } else {
                    "allow current ciphers and key exchanges (TLS 1.3, X25519, AES-GCM)"
                })
                .user(if cause == "TLS18" {
                    "choose a client certificate, if you have one"
                } else {
                    "update this machine's software"
                }),
        );
    }
    if failed.failed_with("tls.rejected") && failed.int("tls.client_alert") == Some(48) {
        let causes: &[&'static str] = &["TLS11", "TLS10", "TLS12", "TLS15"];
        return Some(
            Vote::broken(
                causes,
                0.88,
                format!("The visitor does not know who vouches for the certificate of {subject}."),
            )
            .explains(&["TLS07", "TLS11"])
            .cite(failed, "the visitor ended the handshake with the alert \"unknown ca\"")
            .rule_out("TLS07", "the alert names the authority, not the dates")
            .rule_out("TLS09", "the alert names the authority, not the name")
            .probe(
                "capture once more with the visitor's key log (SSLKEYLOGFILE), which opens the certificates",
                causes,
            )
            .service("send the intermediate certificates along, of an authority that visitors know")
            .user("trust a private authority only if its owner gave it to you in person"),
        );
    }
    None
}

/// The server says that encryption is wanted on this port, in plain HTTP.
pub(super) fn plain_on_tls_port(facts: &Facts<'_>) -> Option<Vote> {
    let exchange = facts.steps("exchange").filter(|span| span.int("http.status") == Some(400)).last()?;
    let port = exchange.socket("tcp.remote")?.port();
    let plain = exchange.text("http.url").is_some_and(|url| url.starts_with("http:"));
    if !plain || !matches!(port, 443 | 8443) {
        return None;
    }
    Some(
        Vote::broken(
            &["TLS02"],
            0.9,
            format!("{} wants encryption on this port, and was spoken to without.", facts.subject()),
        )
        .explains(&["H101"])
        .cite(exchange, format!("a plain request to port {port} was answered with status 400"))
        .rule_out("TCP01", "the server is there and answers")
        .user("write https:// instead of http://"),
    )
}

/// In TLS 1.3 the server says after the handshake that it wanted a certificate, and its words are encrypted.
pub(super) fn turned_away(facts: &Facts<'_>) -> Option<Vote> {
    let failed = facts.steps("exchange").filter(|span| span.failed_with("http.turned_away")).last()?;
    if failed.bool("tls.certificate_likely") == Some(true) {
        return Some(refused_certificate(facts, failed));
    }
    let causes: &[&'static str] = &["TLS18", "H112"];
    Some(
        Vote::broken(causes, 0.75, format!("{} ended the connection without an answer, in words that are encrypted.", facts.subject()))
            .cite(failed, "right after the request the server sent a short encrypted alert and closed")
            .rule_out("TCP09", "the server said goodbye before the connection was reset")
            .probe("capture once more with the visitor's key log (SSLKEYLOGFILE): the alert \"certificate required\" names the cause", causes)
            .service("say whether visitors need a certificate; if not, look at the program's log"),
    )
}

/// The visitor showed a certificate, as the length of its words tells, and the server ended the connection over it.
fn refused_certificate(facts: &Facts<'_>, failed: &Span) -> Vote {
    Vote::broken(
        &["TLS19"],
        0.78,
        format!("{} does not accept the certificate that this visitor shows.", facts.subject()),
    )
    .cite(failed, "the visitor's part of the handshake is as long as a certificate; right after it the server sent a short encrypted alert and closed")
    .rule_out("TLS18", "a certificate was shown: without one that part has less than a hundred octets")
    .rule_out("H112", "a program that fails closes without an alert, or says its goodbye after a request was read")
    .service("see in the log why the certificate is refused: its authority is not known, or it has run out")
    .user("show another certificate, or have this one renewed")
}
