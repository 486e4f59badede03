//! Sessions between routers that one of them ended, by what it said of it (RFC 4271 6, RFC 4486).

use crate::facts::{Facts, failure_text, remote};
use crate::vote::Vote;

/// A message of this size that is sent again and again was too large for the way.
const LARGE: i64 = 1_000;

pub(crate) fn rule(facts: &Facts<'_>) -> Vec<Vote> {
    ended(facts).into_iter().collect()
}

fn ended(facts: &Facts<'_>) -> Option<Vote> {
    let ended = facts.steps("exchange").find(|span| span.failed_with("bgp.notification"))?;
    let (code, subcode) = (ended.int("bgp.code")?, ended.int("bgp.subcode")?);
    let peer = remote(ended);
    let large = ended.int("bgp.stuck").is_some_and(|len| len >= LARGE);
    let (cause, why, remedy): (&'static str, &str, &str) = match (code, subcode) {
        (2, 2) => (
            "BGP12",
            "the other side has another number (AS) than was expected",
            "compare the AS numbers that both routers are told for this session",
        ),
        (2, 6) => ("BGP12", "the hold time is not accepted", "agree on a hold time"),
        (2, 7 | 4) => (
            "BGP12",
            "a capability is wanted that the other side does not have",
            "turn the capability off for this session, or update the other router",
        ),
        (2, _) => (
            "BGP12",
            "the opening message was not accepted",
            "compare what both routers are told for this session",
        ),
        (3, _) => (
            "BGP17",
            "an announcement could not be understood",
            "look at the announcement in the capture, and update the router that sent it",
        ),
        (4, _) if large => (
            "BGP11",
            "nothing was heard for the hold time, while a large message was sent again and again",
            "let \"packet too big\" messages through, or lower the segment size (MSS) of the session",
        ),
        (4, _) => (
            "BGP10",
            "nothing was heard from the other side for the hold time",
            "check the link between both routers at this time",
        ),
        (6, 1) => (
            "BGP13",
            "more routes were announced than are allowed",
            "look why so many routes are announced, or raise the limit",
        ),
        (6, 2..=4) => {
            ("BGP13", "somebody ended or reset the session on purpose", "ask the other network's operators")
        }
        (6, 7) => (
            "BGP13",
            "two connections between the same routers collided",
            "nothing: the other connection goes on",
        ),
        (6, _) => ("BGP13", "the session was ended by a rule", "ask the other network's operators"),
        _ => return None,
    };
    Some(
        Vote::broken(&[cause], 0.95, format!("The session of two routers with {peer} was ended: {why}."))
            .explains(&["TCP09", "TCP08", "TCP11", "FW05", "FW09", "TCP10", "H112", "IP20", "TCP25"])
            .cite(ended, failure_text(ended))
            .rule_out("TCP01", "the connection had been made")
            .rule_out("TCP09", "the reason was said in words before the connection ended")
            .network(remedy),
    )
}
