//! Requests that worked, but badly: lost packets, queues, retries, slow parts, a family that is broken.
//!
//! Nothing here speaks unless the answer arrived. What a healthy path shows now and then (one lost packet, a few out
//! of order, a race lost by design, unanswered pings) is no finding.

use crate::facts::Facts;
use crate::vote::Vote;

mod family;
mod loss;
mod queue;
mod slow;
mod transfer;
mod wire;

pub(crate) fn rule(facts: &Facts<'_>) -> Vec<Vote> {
    if facts.delivered().is_none() {
        return Vec::new();
    }
    let mut votes = Vec::new();
    votes.extend(loss::rule(facts));
    votes.extend(queue::rule(facts));
    votes.extend(family::rule(facts));
    votes.extend(slow::rule(facts));
    votes.extend(wire::rule(facts));
    votes
}
