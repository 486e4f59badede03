//! Lookups, by answers that were there: forged, from elsewhere, cut short, or only now and then.

use crate::facts::Facts;
use crate::thresholds::MS;
use crate::vote::Vote;
use thru_trace::Span;

/// A name server that answers some of the same questions and not the others.
pub(super) fn rationed(facts: &Facts<'_>) -> Option<Vote> {
    let asked = facts.steps("rationed").next()?;
    let count = |key: &str| asked.int(key).unwrap_or(0);
    let server = asked
        .address("dns.server")
        .map_or_else(|| "The name server".to_owned(), |a| format!("The name server {a}"));
    // To be told to come back over TCP is what limits do to some, so that nobody real is shut out.
    let causes: &[&'static str] = if count("dns.cut") > 0 { &["DNS43"] } else { &["DNS43", "DNS11"] };
    let vote = Vote::disturbed(causes, 0.8, format!("{server} answers only some of the questions that are repeated: it limits them, or has too much to do."))
        .cost(1_000 * MS)
        .explains(&["DNS38", "DNS45", "DNS18", "DNS11"])
        .cite(asked, format!("of {} times the same question {} got no answer at all, {} only a cut one", count("dns.asked"), count("dns.silent"), count("dns.cut")))
        .rule_out("DNS02", "it answers others of the same questions")
        .network("raise the limit on repeated answers (RRL) for this client, or look at the name server's load")
        .user("ask less often, and keep answers as long as they may be kept");
    Some(if causes.len() > 1 {
        vote.probe("ask once in ten seconds: answers to all of them mean a limit, silence now and then an overloaded server", causes)
    } else {
        vote
    })
}

/// One question, two answers that have nothing in common: somebody on the way answered before the name server could.
pub(super) fn forged(facts: &Facts<'_>) -> Option<Vote> {
    let query = facts.steps("dns.query").find(|span| span.value("dns.second_answer").is_some())?;
    let name = facts.host();
    let server = query.address("dns.server").map_or_else(|| "the name server".to_owned(), |a| a.to_string());
    Some(
        Vote::broken(
            &["DNS13"],
            0.92,
            format!("Somebody on the way forges answers about {name}: two came to one question, and they contradict each other."),
        )
        .explains(&["IP04", "LNK05", "FW01", "IP05", "TCP01", "TCP03", "TCP06", "IP07", "FW02", "FW03", "DNS05", "TLS09", "TLS10", "TLS11", "TLS15"])
        .cite(query, format!("asked once, {server} seems to have answered twice, with different addresses; a server answers once"))
        .rule_out("DNS21", "both answers came to the same question, within moments")
        .network("look for a device on the way that answers questions about names it wants to hide")
        .user("have names looked up where nobody on the way can join in: over TLS or HTTPS"),
    )
}

/// Lookups, by answers that were there and could not be used.
pub(super) fn names(facts: &Facts<'_>) -> Option<Vote> {
    let query = |code: &str| {
        facts.own.iter().copied().find(|span| span.what == "dns.query" && span.failed_with(code))
    };
    let name = facts.host();
    if facts.steps("resolve").any(Span::is_ok) {
        return None;
    }
    if let Some(cut) = query("dns.truncated") {
        return Some(
            Vote::broken(&["DNS04"], 0.92, format!("The answer about {name} does not fit into one packet, and the name server cannot be reached over TCP."))
                .explains(&["DNS02", "DNS03", "IP05", "DNS06"])
                .cite(cut, "the answer over UDP was cut short on purpose (TC), which means: ask again over TCP; that was never answered")
                .rule_out("DNS02", "the name server answers over UDP")
                .rule_out("DNS06", "the answer is not empty but cut")
                .network("let TCP connections to port 53 of the name server through")
                .user("ask another name server"),
        );
    }
    if let Some((foreign, from)) =
        query("dns.wrong_id").and_then(|query| Some((query, query.text("dns.stray_from")?)))
    {
        return Some(
            Vote::broken(&["DNS15"], 0.9, format!("Answers about {name} come from somebody who was not asked, so they are thrown away."))
                .explains(&["DNS02", "DNS03", "IP05"])
                .cite(foreign, format!("the question went to the name server, and an answer came from {from}"))
                .rule_out("DNS02", "there are answers, only from the wrong address or port")
                .network("have the name server answer from the address and port that it was asked at; look for a translation of addresses on the way that changes only one direction")
                .user("ask another name server"),
        );
    }
    if let Some(foreign) = query("dns.wrong_id") {
        return Some(
            Vote::broken(&["DNS15"], 0.9, format!("Answers about {name} come, but with a number or to a question that nobody asked with, so they are thrown away."))
                .explains(&["DNS02", "DNS03", "IP05"])
                .cite(foreign, "each answer carries another number (ID) than the question, or is about something else")
                .rule_out("DNS02", "the name server does answer")
                .network("look for a device that answers or alters questions on the way, and repair the name server")
                .user("ask another name server"),
        );
    }
    None
}
