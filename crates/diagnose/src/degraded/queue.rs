//! A queue that fills when the link is busy (bufferbloat).

use crate::facts::{Facts, ms};
use crate::thresholds::{BLOAT_FACTOR, BLOAT_FACTOR_TCP, BLOAT_GROWTH, BLOAT_GROWTH_TCP};
use crate::vote::Vote;
use thru_trace::Span;

pub(super) fn rule(facts: &Facts<'_>) -> Option<Vote> {
    by_pings(facts).or_else(|| by_connection(facts))
}

fn by_pings(facts: &Facts<'_>) -> Option<Vote> {
    let idle = facts.pings("idle").filter_map(|span| span.nanos_of("ping.rtt_min")).min()?;
    let calm = facts.pings("idle").min_by_key(|span| span.nanos_of("ping.rtt_avg").unwrap_or(u64::MAX))?;
    let idle_avg = calm.nanos_of("ping.rtt_avg").unwrap_or(idle);
    let target = calm.address("ping.target");
    let loaded = facts
        .pings("loaded")
        .filter(|span| span.address("ping.target") == target || target.is_none())
        .max_by_key(|span| span.nanos_of("ping.rtt_avg").unwrap_or(0))?;
    let busy = loaded.nanos_of("ping.rtt_avg")?;
    if busy < idle_avg.saturating_mul(BLOAT_FACTOR) || busy.saturating_sub(idle_avg) < BLOAT_GROWTH {
        return None;
    }
    let (sent, received) = (loaded.int("ping.sent").unwrap_or(0), loaded.int("ping.received").unwrap_or(0));
    let kept = received * 10 >= sent * 9;
    let first = first_slow_hop(facts, idle_avg);
    let at = first
        .and_then(|span| span.address("ping.target"))
        .map(|hop| format!(" before {hop}"))
        .unwrap_or_default();
    let mut vote = Vote::disturbed(
        &["IP18"],
        if kept { 0.93 } else { 0.8 },
        format!(
            "{} works, but the way gets slow when it is busy: a round trip grows from {} to {}, because packets wait in a long queue{at}.",
            facts.subject(),
            ms(idle_avg),
            ms(busy)
        ),
    )
    .cost(busy - idle_avg)
    .cite(calm, format!("at idle times a ping takes {}", ms(idle_avg)))
    .cite(loaded, format!("while the answer was downloaded, pings took {} on average", ms(busy)))
    .rule_out("IP26", "a far away server is slow at idle times too");
    if kept {
        vote = vote.rule_out(
            "IP19",
            format!("{received} of {sent} pings came back under load: packets wait, they are not lost"),
        );
    }
    Some(with_remedy(vote.cite_if(first, "the wait begins at this hop")))
}

/// The first hop whose pings grew alike, where hops were pinged under load.
fn first_slow_hop<'a>(facts: &Facts<'a>, idle: u64) -> Option<&'a Span> {
    let target = facts.pings("idle").find_map(|span| span.address("ping.target"));
    facts
        .pings("loaded")
        .filter(|span| span.address("ping.target") != target)
        .find(|span| span.nanos_of("ping.rtt_avg").is_some_and(|rtt| rtt > idle.saturating_mul(BLOAT_FACTOR)))
}

/// From the connection's own round trips, when nobody pinged under load. Weaker: a slow sender looks alike.
fn by_connection(facts: &Facts<'_>) -> Option<Vote> {
    if facts.pings("loaded").any(|span| span.int("ping.received").unwrap_or(0) > 0) {
        return None;
    }
    let connection = facts.connection()?;
    let least = connection.nanos_of("tcp.rtt_min")?;
    let most = connection.nanos_of("tcp.rtt_max").or(connection.nanos_of("tcp.rtt"))?;
    let grown = most.saturating_sub(least);
    let lost =
        connection.int("tcp.retransmissions").unwrap_or(0) + connection.int("tcp.timeouts").unwrap_or(0);
    if most < least.saturating_mul(BLOAT_FACTOR_TCP) || grown < BLOAT_GROWTH_TCP || lost > 0 {
        return None;
    }
    Some(with_remedy(
        Vote::disturbed(
            &["IP18", "APP06"],
            0.75,
            format!(
                "{} works, but round trips grew from {} to {} during the transfer.",
                facts.subject(),
                ms(least),
                ms(most)
            ),
        )
        .cost(grown)
        .cite(
            connection,
            format!(
                "the connection's round trip grew from {} to {} without a lost packet",
                ms(least),
                ms(most)
            ),
        )
        .rule_out("IP19", "no packet had to be sent again")
        .probe("ping the server during a large download and compare with idle times", &["IP18", "APP06"]),
    ))
}

fn with_remedy(vote: Vote) -> Vote {
    vote.network(
        "turn on a fair, short queue (FQ-CoDel or CAKE) at the slow link, usually the home router's uplink",
    )
    .user("as a stopgap, limit large transfers to a little below the line's speed")
}
