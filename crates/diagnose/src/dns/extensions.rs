//! Servers, and devices before them, that trip over the extensions of DNS (RFC 6891).

use thru_trace::Span;

use super::{Case, capital};
use crate::facts::{Facts, times};
use crate::vote::Vote;

/// A lookup that worked in the end: the server answers only questions without extensions.
pub(super) fn unanswered(facts: &Facts<'_>) -> Option<Vote> {
    let query = facts.own.iter().copied().find(|span| span.int("dns.edns_unanswered").is_some())?;
    let asked = query.int("dns.edns_unanswered").unwrap_or(2);
    let server = query.address("dns.server");
    let server = server
        .map_or_else(|| String::from("the name server"), |address| format!("the name server {address}"));
    // Where it answers another question of today's kind, those were lost by chance.
    let answers_today = |span: &&Span| {
        span.what == "dns.query"
            && span.value("dns.server") == query.value("dns.server")
            && span.bool("dns.edns") == Some(true)
            && span.value("dns.rcode").is_some()
            && span.id != query.id
            && span.int("dns.edns_unanswered").is_none()
    };
    if facts.trace.spans.iter().find(answers_today).is_some() {
        return None;
    }
    Some(
        Vote::disturbed(
            &["DNS08"],
            0.88,
            format!(
                "{} throws away questions of today's kind (EDNS), so each name takes until it is asked for in the old way.",
                capital(&server)
            ),
        )
        .cost(query.nanos())
        .explains(&["DNS02", "DNS03", "DNS45", "DNS18", "IP19", "DNS11", "DNS38"])
        .cite(query, format!("asked with extensions {} it was silent, asked once without them it answered", times(asked)))
        .rule_out("DNS02", "the name server is up and answers a question without extensions")
        .rule_out("DNS03", "UDP passes in both directions")
        .network("update the name server, or the device before it that drops questions with EDNS (RFC 6891)")
        .user("use another name server, or switch EDNS off for this one"),
    )
}

impl Case<'_> {
    /// The server said that it cannot read the question, or knows no such kind (FORMERR, NOTIMP).
    pub(super) fn not_understood(&self) -> bool {
        matches!(self.query.text("dns.rcode"), Some("FORMERR" | "NOTIMP"))
            && (self.query.bool("dns.edns") == Some(true) || self.query.text("dns.rcode") == Some("NOTIMP"))
    }

    pub(super) fn trips_over_extensions(&self) -> Vote {
        let rcode = self.query.text("dns.rcode").unwrap_or("FORMERR");
        let plain = self.facts.control("without_edns").filter(|span| span.is_ok());
        if self.query.bool("dns.edns") != Some(true) {
            return Vote::broken(
                &["DNS07", "DNS08"],
                0.6,
                format!(
                    "{} does not answer questions of this kind for {}.",
                    capital(&self.server()),
                    self.name
                ),
            )
            .cite(self.query, format!("it answered {rcode}: not implemented"))
            .undecided()
            .user("use another name server");
        }
        Vote::broken(
            &["DNS08"],
            if plain.is_some() { 0.95 } else { 0.8 },
            format!(
                "{} trips over the extensions of DNS, and so does not tell {}.",
                capital(&self.server()),
                self.name
            ),
        )
        .cite(self.query, format!("asked with EDNS (RFC 6891), it answered {rcode}"))
        .cite_if(plain, "asked without, it gives the answer")
        .rule_out("DNS16", "its answer can be read; it is the question that it could not")
        .network("update the name server, or the device before it that does not know EDNS")
        .user("use another name server, or switch EDNS off for this one")
    }

    /// Asked as before EDNS it answers, asked with EDNS or over TCP it does not.
    pub(super) fn silent_about_extensions(&self, small: &Span, says: String) -> Vote {
        Vote::broken(
            &["DNS08"],
            0.88,
            format!(
                "{} throws away questions of today's kind (EDNS), and so does not tell {}.",
                capital(&self.server()),
                self.name
            ),
        )
        .cite(self.query, says)
        .cite(small, "asked without extensions, as before 1999, the same server answers at once")
        .rule_out("DNS02", "the name server is up and answers a question without extensions")
        .rule_out("DNS03", "UDP passes in both directions")
        .network("update the name server, or the device before it that drops questions with EDNS (RFC 6891)")
        .user("use another name server, or switch EDNS off for this one")
    }
}
