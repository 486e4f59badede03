//! Encryption that could not be agreed on, and certificates that do not hold.

mod alert;
mod chain;
mod dates;
mod reset;
mod trust;

use crate::facts::{Facts, failure_text};
use crate::vote::Vote;
use alert::version;
use chain::{Certificate, chain};
use thru_trace::{Layer, Span};

pub(crate) fn rule(facts: &Facts<'_>) -> Vec<Vote> {
    if facts.delivered().is_some() {
        return Vec::new();
    }
    // Inside QUIC the certificate is the same certificate. With TLS 1.3 the server's word on the client's certificate
    // comes when the handshake is over (RFC 8446 4.4.2.4).
    let failed = facts
        .own
        .iter()
        .copied()
        .filter(|span| matches!(span.what.as_str(), "handshake" | "exchange"))
        .rfind(|span| span.code().is_some_and(|code| code.starts_with("tls.")));
    let Some(failed) = failed else { return Vec::new() };
    if facts.handshakes(failed.layer).any(|span| span.is_ok() && span.start > failed.start) {
        return Vec::new();
    }
    let case = Case { facts, failed, subject: facts.subject(), chain: chain(failed) };
    case.judge().into_iter().collect()
}

struct Case<'a> {
    facts: &'a Facts<'a>,
    failed: &'a Span,
    subject: String,
    chain: Vec<Certificate>,
}

impl Case<'_> {
    fn judge(&self) -> Option<Vote> {
        let subject = &self.subject;
        let says = failure_text(self.failed);
        if let Some(vote) = self.one_of_several() {
            return Some(vote);
        }
        Some(match self.failed.code()? {
            "tls.certificate_expired" => self.expired(),
            "tls.certificate_not_yet_valid" => self.not_yet_valid(),
            "tls.wrong_name" => self.wrong_name(),
            "tls.unknown_ca" => self.unknown_authority(),
            "tls.self_signed" => self.self_signed(),
            "tls.bad_certificate" if says.contains("Purpose") => Vote::broken(
                &["TLS27"],
                0.93,
                format!("The certificate of {subject} is not meant for a web server."),
            )
            .cite(self.failed, says)
            .rule_out("TLS07", "its dates are not the objection")
            .rule_out("TLS11", "its authority is not the objection")
            .service("get a certificate for servers (extended key usage serverAuth)"),
            "tls.bad_certificate" if says.contains("Key:") => Vote::broken(
                &["TLS26"],
                0.92,
                format!("The key in the certificate of {subject} is too weak to be accepted."),
            )
            .cite(self.failed, says)
            .rule_out("TLS07", "its dates are not the objection")
            .rule_out("TLS11", "its authority is not the objection")
            .service("get a certificate with a key of today: RSA of 2048 bits or more, or an elliptic curve"),
            "tls.bad_certificate" => Vote::broken(
                &["TLS27", "TLS26"],
                0.8,
                format!("The certificate of {subject} cannot be accepted."),
            )
            .cite(self.failed, says)
            .rule_out("TLS07", "its dates are not the objection")
            .probe("look at the certificate's key, purpose and limits", &["TLS27", "TLS26"])
            .service("get a new certificate that is meant for a web server, with a strong key"),
            "tls.version" => version(subject, self.failed),
            "tls.not_tls" if self.failed.text("tls.head").is_some_and(crate::http::is_unknown) => {
                Vote::broken(
                    &["TLS01", "TCP26"],
                    0.9,
                    format!("Something lives at this port of {subject} that speaks no TLS."),
                )
                .cite(self.failed, says)
                .rule_out("TLS24", "the server did answer, in another protocol")
                .probe(
                    "connect without TLS and look at the first bytes: a greeting names the service",
                    &["TLS01", "TCP26"],
                )
                .user("check the port in the address: another service may live there")
                .service("look which program answers on this port")
            }
            "tls.not_tls" if self.failed.text("tls.head").is_some_and(|head| !head.starts_with("HTTP/")) => {
                crate::http::other_service(
                    self.facts,
                    self.failed,
                    self.failed.text("tls.head").unwrap_or_default(),
                )
            }
            "tls.not_tls" => Vote::broken(
                &["TLS01"],
                0.95,
                format!("{subject} answers unencrypted on a port where encryption was expected."),
            )
            .cite(self.failed, says)
            .rule_out("TLS24", "the server did answer, in another protocol")
            .user("check the address: http:// instead of https://, or another port")
            .service("turn on TLS for this port"),
            "tls.closed" => Vote::broken(
                &["TLS24"],
                0.85,
                format!("{subject} closes the connection as soon as encryption is asked for."),
            )
            .cite(self.failed, says)
            .rule_out("FW08", "a filter resets connections, this one was closed in an orderly way")
            .service("check the server's TLS settings and its log for this moment"),
            "tls.rejected" => self.rejected(),
            "tls.reset" => self.reset(),
            "tls.timeout" if self.failed.layer == Layer::Quic => return None,
            // Silence is judged with the transfer's silence, where the connection's counters are at hand.
            "tls.timeout" => return None,
            code if self.failed.layer == Layer::Quic
                && code.starts_with("tls.alert.")
                && code != "tls.alert.no_application_protocol" =>
            {
                self.alert_in_quic()
            }
            code => self.alert(code.strip_prefix("tls.alert.")?),
        })
    }

    /// Another address of the same name, or the same one when asked again, shows a certificate that holds.
    fn one_of_several(&self) -> Option<Vote> {
        let other = self.facts.control("other_address").filter(|other| other.is_ok())?;
        let here = self
            .failed
            .address("tcp.remote")
            .map_or_else(|| String::from("one address"), |address| address.to_string());
        let there = other
            .address("tcp.remote")
            .map_or_else(|| String::from("another"), |address| address.to_string());
        let again = here == there;
        Some(
            Vote::broken(
                &["TLS32"],
                0.93,
                format!("One of the machines that answer for {} shows a wrong or old certificate, the others a good one.", self.subject),
            )
            .cite(self.failed, format!("{here}: {}", failure_text(self.failed)))
            .cite(other, if again { format!("asked again, {there} shows a certificate that holds") } else { format!("{there} shows a certificate that holds") })
            .rule_out("TLS07", "another machine of the same site has a good certificate")
            .rule_out("HST01", "by the same clock the other certificate holds")
            .rule_out("TLS15", "the other connection is not opened on the way")
            .service(format!("install the current certificate on every machine behind {}, and restart what still holds the old one", self.subject))
            .user("try again: the next visit may meet another machine"),
        )
    }

    /// Whether another site's certificate fails for the same reason: then it is the clock.
    fn other_site_alike(&self, code: &str) -> Option<bool> {
        let other = self.facts.control("other_site")?;
        if other.is_ok() {
            return Some(false);
        }
        let inside = self
            .facts
            .trace
            .spans
            .iter()
            .filter(|span| self.facts.trace.within(span, |around| around.id == other.id));
        Some(inside.filter_map(Span::code).any(|inner| inner == code))
    }

    /// Steps within a check.
    fn inside(&self, check: &Span) -> impl Iterator<Item = &Span> {
        let id = check.id;
        self.facts
            .trace
            .spans
            .iter()
            .filter(move |span| self.facts.trace.within(span, |around| around.id == id))
    }
}
