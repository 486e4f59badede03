//! Connections that were left alone, and were dead when they were wanted again.

use super::resets::{is_foreign, ttl_says};
use crate::facts::{Facts, ms};
use crate::thresholds::MS;
use crate::vote::Vote;

/// A connection that was left alone for a while, and was dead when it was wanted again.
pub(super) fn forgotten(facts: &Facts<'_>) -> Option<Vote> {
    let aged = facts.steps("connection").find(|span| span.text("tcp.after_idle").is_some())?;
    let idle = ms(aged.nanos_of("tcp.idle").unwrap_or(0));
    let subject = facts.subject();
    let resets = aged.text("tcp.after_idle") == Some("reset");
    let begun = aged.start + aged.nanos_of("tcp.idle").unwrap_or(0);
    let later = facts
        .connects()
        .find(|span| span.is_ok() && span.start > begun)
        .or_else(|| facts.control("new_connection").filter(|span| span.is_ok()));
    let gone = facts.control("new_connection").filter(|span| span.failed_with("tcp.timeout"));
    let foreign = is_foreign(aged);
    let causes: &[&'static str] = match (resets, foreign, later) {
        (false, _, None) if gone.is_some() => &["TCP11"],
        (true, Some(true), _) => &["FW06"],
        (true, Some(false), _) => &["TCP10"],
        (true, None, _) => &["TCP10", "FW06"],
        (false, _, Some(_)) => &["FW05"],
        (false, _, None) => &["FW05", "TCP11"],
    };
    let what = if resets {
        "the first packet after the pause was answered with a reset"
    } else {
        "what was sent after the pause was never answered, however often it was sent again"
    };
    let mut vote = Vote::broken(
        causes,
        0.87,
        match causes {
            ["TCP10"] => format!("{subject} no longer knew the connection when it was used again: its machine or program had been restarted."),
            ["TCP11"] => format!("{subject} has vanished: the connection worked, {idle} later neither it nor a new one is answered."),
            ["FW06" | "FW05"] => format!("Something on the way had forgotten the connection to {subject} when it was used again after {idle} of silence."),
            _ => format!("The connection to {subject} was dead when it was used again after {idle} of silence."),
        },
    )
    .explains(&["IP10", "TCP11", "FW12", "TCP08", "TCP09", "FW09", "IP09", "APP05", "H112"])
    .cite(aged, format!("the connection had worked, was idle for {idle}, and then {what}"))
    .rule_out("IP10", "large and small packets had passed on the same connection before")
    .rule_out("FW01", "the port had taken the connection");
    vote = match gone.filter(|_| causes == ["TCP11"]) {
        Some(gone) => vote
            .cite(gone, "a new connection is not answered either")
            .rule_out("FW05", "a device that had only forgotten the connection would let a new one through")
            .network("look whether a link or a router on the way failed in the meantime")
            .service("look whether the server's machine is still running and connected")
            .user("try again in a while; it worked before"),
        None => vote
            .network("look for a NAT or firewall that forgets idle connections too early (RFC 5382 asks for two hours)")
            .user("turn on keep-alive in the program, with an interval shorter than the pause")
            .service("close idle connections in order before devices on the way forget them"),
    };
    if foreign.is_some() && resets {
        vote = vote.cite(aged, ttl_says(aged));
    }
    if let Some(later) = later.filter(|_| !resets) {
        vote = vote.cite(later, "a new connection works at once").rule_out("TCP11", "the server is there");
    }
    if causes.len() > 1 {
        vote = vote.probe(
            "open a new connection: if it works at once, the old one was forgotten on the way",
            causes,
        );
    }
    Some(if facts.delivered().is_some() { vote.only_disturbs().cost(1_000 * MS) } else { vote })
}
