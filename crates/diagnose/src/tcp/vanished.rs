//! Connections on which both had been heard, until nothing came through any more.

use super::size::{MANY, SMALL_PACKET};
use crate::facts::Facts;
use crate::thresholds::MS;
use crate::vote::Vote;
use thru_trace::Span;

/// Sooner nobody is known to be gone: what is not acknowledged is sent again after a second or so (RFC 6298 2).
const GONE_MIN: u64 = 1_000 * MS;

/// A connection on which both had been heard, until nothing of either came through any more: neither what the visitor
/// sends again, nor its goodbye, nor, seen from the server's side, what the server sends again.
pub(super) fn gone(facts: &Facts<'_>, stalled: &Span, waited: &str) -> Option<Vote> {
    // A goodbye that is said twice within a moment, as many are, was not waited for.
    let connection = facts.connection().filter(|_| stalled.nanos() >= GONE_MIN)?;
    let value = |key: &str| connection.int(key).unwrap_or(0);
    let mss = value("tcp.mss").max(536);
    let (acked, received) = (value("tcp.bytes_acked"), value("tcp.bytes_received"));
    let subject = facts.subject();
    let unheard = value("tcp.bytes_sent") > acked && value("tcp.gap_bytes") == 0 && acked > 0;
    let resent = value("tcp.retransmissions") + value("tcp.timeouts") > 0;
    // What is small, or has followed many large ones, was not too large.
    let stuck = connection.int("tcp.stuck");
    let not_size = acked >= MANY * mss || stuck.is_some_and(|len| len < SMALL_PACKET && received > 0);
    let heard = received > 0 || acked >= MANY * mss;
    let own_silence = unheard && resent && not_size && heard;
    let goodbye = value("tcp.fin_unheard") >= 2 && received > 0;
    if own_silence || goodbye && value("tcp.gap_bytes") == 0 {
        let causes = &["TCP11", "FW05", "IP05"];
        return Some(
            Vote::broken(causes, 0.85, format!("{subject} was there, and then nothing was heard of it any more: it went away, or the way to it did."))
                .explains(&["IP09", "IP10", "APP05", "FW12"])
                .cite(stalled, format!("nothing more came for {waited}"))
                .cite(connection, "both had been heard; then not even what was sent again, or the goodbye, was acknowledged any more")
                .rule_out("IP10", "packets of this size, or larger ones, had passed before")
                .rule_out("APP05", "a machine acknowledges what arrives even while its program hangs")
                .probe("open a new connection: if it works at once, a device on the way had dropped the old one; silence means the server or the way is gone", causes)
                .user("try again; if it fails again, look whether anything of the same network answers"),
        );
    }
    let lost_down = value("tcp.peer_unheard") > 0 && value("tcp.peer_resent") >= 2;
    if lost_down {
        let alive = connection.bool("tcp.own_later") == Some(true);
        let large =
            connection.int("tcp.peer_stuck").is_some_and(|len| len >= SMALL_PACKET) && received < MANY * mss;
        let causes: &[&str] = match (large, alive) {
            (true, true) => &["IP09"],
            (true, false) => &["IP09", "TCP11", "IP20"],
            (false, _) => &["TCP11", "IP20", "IP05"],
        };
        let vote = Vote::broken(causes, 0.85, format!("{subject} sends its answer again and again, and it does not arrive."))
            .explains(&["APP05", "IP10", "FW12"])
            .cite(stalled, format!("the answer was not done after {waited}"))
            .cite(connection, "the server repeats the same bytes, and nobody acknowledges them")
            .rule_out("APP05", "the server's program did answer: its bytes are on the way")
            .network("look for a link on the way that carries less than the others without saying so (\"packet too big\" filtered), or that is down");
        return Some(if causes.len() > 1 {
            vote.probe("ask for something small: if that arrives, it is the size", causes)
        } else {
            vote
        });
    }
    None
}
