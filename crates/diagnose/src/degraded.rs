//! Requests that worked, but badly: lost packets, queues, retries, slow parts, a family that is broken.
//!
//! Nothing here speaks unless the answer arrived. What a healthy path shows now and then (one lost packet, a few out
//! of order, a race lost by design, unanswered pings) is no finding.

use crate::facts::Facts;
use crate::vote::Vote;

mod answer;
mod family;
pub(crate) mod line;
mod loss;
pub(crate) mod offers;
mod queue;
mod slow;
pub(crate) mod transfer;
mod way;
mod wire;

/// What else is wrong, of a request that failed for a reason of its own: only what concerns the way to a server that was
/// reached, and the lookup of its name.
fn beside_a_failure(facts: &Facts<'_>) -> Vec<Vote> {
    // Who fell silent in the middle may have done so because of what these rules see: others judge that.
    let silent = facts.own.iter().any(|span| {
        span.code().is_some_and(|code| code.ends_with(".timeout") || code.ends_with(".stalled"))
            && matches!(span.what.as_str(), "exchange" | "handshake")
    });
    if facts.connected().is_none() || silent {
        return Vec::new();
    }
    let mut votes = Vec::new();
    votes.extend(loss::rule(facts));
    votes.extend(family::rule(facts));
    votes.extend(slow::lookup(facts));
    votes.extend(slow::handshake(facts));
    votes.extend(offers::ecn(facts));
    votes.extend(wire::rule(facts));
    votes
}

pub(crate) fn rule(facts: &Facts<'_>) -> Vec<Vote> {
    if facts.delivered().is_none() {
        return beside_a_failure(facts);
    }
    let mut votes = Vec::new();
    // What a slow line's short queue drops while it is full is no loss of the way.
    if line::slow(facts).is_none_or(|pace| !line::explains(facts, pace)) {
        let limit = line::policed(facts);
        if limit.is_none() {
            votes.extend(loss::rule(facts));
        }
        votes.extend(limit);
        votes.extend(queue::rule(facts));
    }
    votes.extend(family::rule(facts));
    votes.extend(slow::rule(facts));
    votes.extend(wire::rule(facts));
    votes.extend(way::rule(facts));
    votes.extend(offers::rule(facts));
    votes.extend(answer::rule(facts));
    votes.extend(crate::dns::disturbed(facts));
    votes
}
