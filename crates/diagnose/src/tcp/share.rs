//! Connections that are answered or not by their port: one of several ways or devices is broken, or has no room.

use crate::facts::{Facts, remote, times};
use crate::vote::Vote;
use thru_trace::Span;

/// The connection was never answered, however often asked, and others to the same port were at once: what decides is
/// the port of ours, so one of several devices or ways that share the work is broken.
pub(super) fn one_of_several(facts: &Facts<'_>, attempt: &Span) -> Option<Vote> {
    let control = facts.control("other_source").filter(|span| span.is_ok())?;
    let (tries, answered) = (control.int("source.tries")?, control.int("source.answered")?);
    let asked = attempt.int("tcp.syn_retransmissions").unwrap_or(0) + 1;
    if asked < 3 {
        return None;
    }
    let to = remote(attempt);
    if let Some(vote) = some_of_all(facts, attempt, control) {
        return Some(vote);
    }
    // All of them answered: it may as well be over, whatever it was.
    let causes: &[&str] = if answered < tries { &["IP08"] } else { &["IP08", "TCP03"] };
    let vote = Vote::broken(
        causes,
        0.88,
        format!("Some connections to {to} are never answered and others at once: one of several ways or devices that share the work is broken."),
    )
    .cite(attempt, format!("asked {}, this connection was never answered", times(asked)))
    .cite(control, format!("of {tries} new connections from other ports of this machine, {answered} were answered at once"))
    .rule_out("IP19", "packets of one connection are all lost, and of another none: loss does not choose")
    .rule_out("TCP06", "the server is up: it answers other connections")
    .network("look for one member of a group of links or routers (ECMP, LAG) that discards packets")
    .service("look for one machine behind the balancer that does not answer")
    .user("try again: the next connection may take a way that works");
    Some(match causes {
        [_, _, ..] => {
            vote.probe("connect many times from fixed ports: the same ports must fail each time", causes)
        }
        _ => vote,
    })
}

/// New connections to an unrelated site fail at random as well: what chooses is near us.
fn some_of_all(facts: &Facts<'_>, attempt: &Span, control: &Span) -> Option<Vote> {
    let other = facts.control("other_site_source")?;
    let count = |span: &Span| Some((span.int("source.tries")?, span.int("source.answered")?));
    let ((tries, answered), (other_tries, other_answered)) = (count(control)?, count(other)?);
    if other_answered >= other_tries {
        return None;
    }
    let causes = &["FW07", "FW16"];
    Some(
        Vote::broken(
            causes,
            0.88,
            "New connections fail at random, to whatever site: the router or the provider has no room for more of them.",
        )
        .explains(&["IP08", "TCP03", "IP31", "FW01"])
        .cite(attempt, format!("asked {}, this connection was never answered", times(attempt.int("tcp.syn_retransmissions").unwrap_or(0) + 1)))
        .cite(control, format!("of {tries} new connections to the same place {answered} were answered"))
        .cite(other, format!("of {other_tries} to an unrelated site {other_answered} were answered"))
        .rule_out("IP08", "an unrelated site is met by it as well, so it is not one of several ways to this one")
        .rule_out("TCP03", "an unrelated site is met by it as well, so it is not this server's queue")
        .probe("look at the number of connections that the router remembers: full means the router, else the provider's address translation has no ports left", causes)
        .network("raise the router's limit of connections (conntrack), or have the provider give more ports to each customer")
        .user("end programs that make very many connections, or restart the router"),
    )
}
