//! What only somebody who reads packets can tell: who really sent a reset, that a window was shut, that a connection had
//! been forgotten while it was idle, that a server sent nothing although it was there.
//!
//! Everything here stands on values that a capture's reader leaves in the spans; a live probe leaves none of them, and
//! none of these rules speaks then.

mod forgotten;
mod losses;
mod names;
mod resets;
mod secured;
mod still;

pub(crate) use still::told;

use crate::facts::{Facts, remote, times};
use crate::thresholds::MS;
use crate::vote::Vote;
use thru_trace::{Outcome, Span};

/// A window that was shut for less is a program that was busy for a moment.
const SHUT_MIN: u64 = 1_000 * MS;

pub(crate) fn rule(facts: &Facts<'_>) -> Vec<Vote> {
    let mut votes = Vec::new();
    votes.extend(forgotten::forgotten(facts));
    votes.extend(names::rationed(facts));
    votes.extend(giants(facts));
    if facts.delivered().is_none() {
        votes.extend(resets::refused_from_nearby(facts));
        votes.extend(queue_full(facts));
        if votes.is_empty() {
            votes.extend(resets::cut(facts));
        }
        votes.extend(still::shut(facts).or_else(|| still::hangs(facts)));
        votes.extend(secured::handshake(facts));
        votes.extend(names::forged(facts).or_else(|| names::names(facts)));
        votes.extend(secured::plain_on_tls_port(facts));
        votes.extend(secured::turned_away(facts));
        votes.extend(losses::lost_to_death(facts));
        if votes.is_empty() && was_under_way(facts) {
            votes.extend(losses::loss(facts));
        }
    } else {
        votes.extend(names::forged(facts).map(Vote::only_disturbs));
        votes.extend(still::shut(facts).map(Vote::only_disturbs));
        votes.extend(losses::outage(facts));
        votes.extend(losses::loss(facts));
    }
    votes
}

/// A good answer was under way, and its end could not be followed: what was lost of it until then was lost all the same.
fn was_under_way(facts: &Facts<'_>) -> bool {
    let well = |span: &Span| span.int("http.status").is_some_and(|status| status < 400);
    facts.own.iter().all(|span| span.code().is_none() || span.what == "dns.query")
        && facts.steps("exchange").any(|span| matches!(span.outcome, Outcome::Skipped { .. }) && well(span))
}

/// A port that takes connections, and then none any more while the earlier one lives.
fn queue_full(facts: &Facts<'_>) -> Option<Vote> {
    let made = facts.connected()?;
    let silent = facts.connects().find(|span| {
        span.failed_with("tcp.timeout")
            && span.start > made.start
            && span.value("tcp.remote") == made.value("tcp.remote")
    })?;
    // What was made after it shows that the port is well again.
    if facts.connects().any(|span| span.is_ok() && span.start > silent.start) {
        return None;
    }
    let to = remote(silent);
    Some(
        Vote::broken(
            &["TCP03", "FW01"],
            0.85,
            format!("{to} takes no new connections, although an earlier one was made: its queue of waiting connections is full, or a firewall limits them."),
        )
        .explains(&["FW01", "TCP03", "IP05"])
        .cite(silent, format!("asked {}, it never answered", times(silent.int("tcp.syn_retransmissions").unwrap_or(0) + 1)))
        .cite(made, "before that, the same port had taken a connection")
        .rule_out("IP05", "packets to the same address have arrived and were answered")
        .rule_out("TCP06", "the server was up a moment before")
        .probe("try again for some minutes: a full queue lets one through now and then", &["TCP03", "FW01"])
        .service("look why the program does not take waiting connections, and how long its queue may be (backlog)"),
    )
}

/// Whatever is larger than usual frames never came, though both ends announce that they take it, and no router is between
/// them that could have said so.
fn giants(facts: &Facts<'_>) -> Option<Vote> {
    let connection = facts.steps("connection").max_by_key(|span| span.int("tcp.lost"))?;
    let (mss, longest) = (connection.int("tcp.mss")?, connection.int("tcp.longest_received")?);
    let received = connection.int("tcp.bytes_received").unwrap_or(0);
    let troubled = connection.int("tcp.lost").unwrap_or(0) + connection.int("tcp.gap_bytes").unwrap_or(0) > 0;
    let stalled = facts.own.iter().any(|span| {
        ["http.timeout", "http.stalled", "tls.timeout"].iter().any(|code| span.failed_with(code))
    });
    let whole = connection.int("tcp.uncaptured") == Some(0);
    // Who has more to send than one large segment holds sends one.
    let small_only = mss > USUAL && longest <= USUAL && received > mss;
    if !small_only || !whole || !(troubled || stalled) || connection.bool("tcp.beside") != Some(true) {
        return None;
    }
    let subject = facts.subject();
    let vote = Vote::broken(
        &["IP15"],
        0.88,
        format!("This machine and {subject} agree on giant frames, and what is between them loses whatever is larger than usual."),
    )
    .explains(&["APP05", "IP09", "IP10", "IP11", "IP17", "IP19", "IP20", "IP21", "TCP11", "TCP18", "TLS23", "APP06"])
    .cite(connection, format!("both announced segments of {mss} bytes; of {received} bytes none came in a segment of more than {longest}"))
    .rule_out("IP09", "the server's packets passed no router that could have said \"packet too big\"")
    .rule_out("APP05", "the server did send: what it sent in large segments is missing or was sent again in small ones")
    .rule_out("IP19", "chance does not choose by size: nothing large came at all")
    .network("let every device of this network take jumbo frames, or none: the same MTU everywhere")
    .user("as a stopgap, set the MTU of this machine's network interface to 1500");
    Some(if facts.delivered().is_some() { vote.only_disturbs().cost(1_000 * MS) } else { vote })
}

/// What usual Ethernet frames hold of TCP (1500 octets of IP).
const USUAL: i64 = 1_460;
