//! Ends that stood still: a window that was shut, a program that sent nothing.

use super::SHUT_MIN;
use crate::facts::{Facts, ms};
use crate::thresholds::MS;
use crate::vote::Vote;
use thru_trace::Span;

/// A server that has shown so long after the request that it has sent nothing is not about to.
const STILL_MIN: u64 = 1_000 * MS;

/// Of the connection's time, at least this part.
const SHUT_SHARE: u64 = 7;
/// What was sent again so often without an acknowledgement arrives nowhere.
const GONE_TRIES: i64 = 3;

/// A receiver that took nothing for a while.
pub(super) fn shut(facts: &Facts<'_>) -> Option<Vote> {
    let connection = facts.steps("connection").max_by_key(|span| {
        span.nanos_of("tcp.peer_shut").unwrap_or(0).max(span.nanos_of("tcp.own_shut").unwrap_or(0))
    })?;
    let (peer, own) =
        (connection.nanos_of("tcp.peer_shut").unwrap_or(0), connection.nanos_of("tcp.own_shut").unwrap_or(0));
    let often = connection.nanos_of("tcp.shut_often").unwrap_or(0);
    if peer.max(own) < SHUT_MIN && (often < SHUT_MIN || often * SHUT_SHARE < connection.nanos()) {
        return None;
    }
    // Players and limits of the rate read as fast as they want to, and leave when they have enough.
    let failed = facts.own.iter().any(|span| span.code().is_some());
    // Of a capture that has only headers, all is there when the server's end was acknowledged.
    let taken = facts.delivered().is_some() || connection.bool("tcp.taken_whole") == Some(true);
    if peer < own && !failed && !taken {
        return None;
    }
    let subject = facts.subject();
    let (cause, summary, who): (&'static str, String, &str) = if peer >= own {
        (
            "TCP12",
            format!("{subject} does not read what it is sent: its receive window was shut for {}.", ms(peer)),
            "the server",
        )
    } else {
        (
            "APP08",
            format!(
                "The visitor of {subject} does not read the answer as fast as it comes: its own window was shut for {}.",
                ms(own)
            ),
            "the visitor's machine",
        )
    };
    let vote = Vote::broken(&[cause], 0.92, summary)
        .explains(&["IP09", "APP05", "IP10", "TCP11", "APP06", "TCP12", "APP01"])
        .cost(peer.max(own))
        .cite(
            connection,
            format!("{who} announced a window of 0 bytes, for {} at a stretch", ms(peer.max(own))),
        )
        .rule_out("IP19", "the receiver itself says that it takes nothing now; nothing was lost")
        .rule_out("APP05", "the machine answers each probe; it is its program that does not read");
    Some(if peer >= own {
        vote.service("look why the server's program does not read: it is busy, or waits for something else")
    } else {
        vote.user("look why the program here does not read: a slow disk, a limit, or it is busy")
    })
}

/// Nothing came, and what the server did send later shows that nothing had been on the way.
pub(super) fn hangs(facts: &Facts<'_>) -> Option<Vote> {
    let failed = facts.own.iter().copied().rfind(|span| {
        ["http.timeout", "http.stalled", "tls.timeout"].iter().any(|code| span.failed_with(code))
    })?;
    let connection = facts.connection()?;
    let still = connection.nanos_of("tcp.peer_still").filter(|still| *still >= STILL_MIN)?;
    let unheard = connection.int("tcp.bytes_acked") == Some(0) && connection.int("tcp.uncaptured") == Some(0);
    // What is sent again after something else had been acknowledged is not acknowledged by a machine that is gone.
    let value = |key: &str| connection.int(key).unwrap_or(0);
    let unheard = unheard
        || value("tcp.bytes_sent") > value("tcp.bytes_acked")
            && connection.int("tcp.stuck").is_some()
            && value("tcp.timeouts") >= GONE_TRIES;
    // What the server's machine sends again and again was said, and did not arrive.
    let lost = connection.int("tcp.peer_unheard").unwrap_or(0) > 0;
    if connection.int("tcp.gap_bytes").unwrap_or(0) > 0 || unheard || lost || told(failed).is_some() {
        return None;
    }
    let subject = facts.subject();
    if failed.bool("http.silent") == Some(true) && failed.failed_with("http.timeout") {
        return Some(
            Vote::broken(
                &["H206"],
                0.9,
                format!("{subject} agreed to speak HTTP/2 and then never said a word of it."),
            )
            .explains(&["IP09", "APP05", "IP11", "TCP11"])
            .cite(
                failed,
                format!(
                    "not even the settings that open an HTTP/2 connection came within {}",
                    ms(failed.nanos())
                ),
            )
            .cite(
                connection,
                "what was sent was acknowledged, and nothing is missing below the server's sequence number",
            )
            .rule_out("APP05", "a program that only hangs over a page still opens the connection")
            .rule_out("IP09", "nothing is missing below the server's sequence number, so nothing was lost")
            .service("check the server's HTTP/2 module, or turn HTTP/2 off")
            .user("as a stopgap, use HTTP/1.1 (--http 1.1)"),
        );
    }
    let (cause, summary): (&'static str, String) =
        match (failed.what == "handshake", failed.failed_with("http.stalled")) {
            (true, _) => (
                "TLS23",
                format!("{subject} took the connection and did not go on with the encryption handshake."),
            ),
            (false, true) => (
                "APP05",
                format!("{subject} began to answer and then sent no more: the server's program hangs."),
            ),
            (false, false) => (
                "APP05",
                format!("{subject} took the request and never answered: the server's program hangs."),
            ),
        };
    Some(
        Vote::broken(&[cause], 0.9, summary)
            .explains(&["IP09", "APP05", "TLS23", "IP11", "TCP11"])
            .cite(failed, format!("nothing more came for {}", ms(failed.nanos())))
            .cite(connection, format!("{} later the server's machine acknowledged something, and by its sequence number it had sent nothing since", ms(still)))
            .rule_out("IP09", "nothing is missing below the server's sequence number, so nothing was lost")
            .rule_out("TCP11", "the server's machine still acknowledges what it is sent")
            .service("look at the server's program: it took the request and does not answer")
            .user("nothing to repair here; try again later"),
    )
}

/// The error that somebody on the way told of a packet of this exchange, by its stable word.
pub(crate) fn told(failed: &Span) -> Option<&str> {
    failed.text("icmp.outcome")
}
