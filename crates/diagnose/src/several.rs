//! A request that failed, and passes when it is made again: one of several machines behind a name fails.

use crate::degraded::transfer::dead_for;
use crate::facts::{Facts, failure_text};
use crate::tcp::heavy_loss;
use crate::vote::Vote;

/// Everything that would have to stop the repeated request as well.
const ALWAYS: [&str; 24] = [
    "FW08", "FW09", "FW10", "FW12", "IP09", "IP10", "IP11", "IP12", "APP05", "TLS23", "TLS24", "TLS21",
    "TLS22", "TLS03", "TLS04", "TLS06", "TLS20", "TLS25", "TLS30", "TCP08", "TCP09", "TCP11", "TCP12",
    "H112",
];

pub(crate) fn rule(facts: &Facts<'_>) -> Vec<Vote> {
    vote(facts).into_iter().collect()
}

fn vote(facts: &Facts<'_>) -> Option<Vote> {
    if facts.delivered().is_some() {
        return None;
    }
    let repeat = facts.control("repeat").filter(|repeat| repeat.is_ok())?;
    let (tries, answered) = (repeat.int("repeat.tries")?, repeat.int("repeat.answered")?);
    let failed = facts
        .own
        .iter()
        .rev()
        .copied()
        .find(|span| matches!(span.what.as_str(), "handshake" | "exchange") && span.code().is_some())?;
    let code = failed.code().unwrap_or_default();
    let handshake = code.starts_with("tls.");
    let silent = code.ends_with(".timeout") || code.ends_with(".stalled");
    let refused = code.starts_with("tls.alert") || matches!(code, "tls.reset" | "tls.closed");
    // Answers with a bad status, and none at all, are judged where other statuses are.
    if !(silent || refused || code == "http.reset") {
        return None;
    }
    // On a way that was dead, or loses half, it is the time that differs, not the machine.
    if dead_for(facts).is_some() || heavy_loss(facts, failed).is_some() {
        return None;
    }
    // All of them answered: it may as well be over.
    let causes: &[&'static str] = match (answered < tries, silent, handshake) {
        (true, ..) => &["APP12"],
        (false, true, _) => &["APP12", "APP11"],
        (false, false, true) => &["APP12", "TLS24"],
        (false, false, false) => &["APP12", "TCP09"],
    };
    let vote = Vote::broken(
        causes,
        if answered < tries { 0.9 } else { 0.7 },
        format!(
            "One of several machines behind {} fails: some connections are served well, others not.",
            facts.subject()
        ),
    )
    .explains(&ALWAYS)
    .cite(failed, format!("this request: {}", failure_text(failed)))
    .cite(repeat, format!("of {tries} more over new connections, with packets of the same size and the same name, {answered} were answered"))
    .rule_out("IP09", "packets of the same size pass on other connections")
    .rule_out("FW08", "the same name passes on other connections")
    .service("compare the machines behind the balancer, and take out the one that fails")
    .user("try again: the next connection may meet another machine");
    Some(match causes {
        [_, _, ..] => vote.probe("ask twenty times more: one bad machine fails its share of them", causes),
        _ => vote,
    })
}
