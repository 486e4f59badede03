//! One address or one IP version that does not work while another does.

use crate::facts::{Facts, failure_text, family, ms, remote};
use crate::thresholds::{LOST_IN_A_ROW_MIN, MS};
use crate::vote::Vote;
use thru_trace::{Family, Outcome, Span};

/// How long a race waits for the first family before it starts the second (RFC 8305 5 says 250 ms, curl 200).
const RACE_HEAD_START: u64 = 180 * MS;

pub(super) fn rule(facts: &Facts<'_>) -> Option<Vote> {
    if let Some(vote) = hollow_family(facts) {
        return Some(vote);
    }
    let won = facts.connected()?;
    let won_family = family(won)?;
    // A family that failed outright.
    let failed = facts.connects().find(|span| span.code().is_some() && family(span).is_some());
    if let Some(failed) = failed {
        return failed_branch(facts, won, won_family, failed);
    }
    unanswered_branch(facts, won, won_family).or_else(|| untried_branch(facts, won, won_family))
}

/// The family that the race never needed, tried on its own afterwards.
fn untried_branch(facts: &Facts<'_>, won: &Span, won_family: Family) -> Option<Vote> {
    let control = facts.control("other_family")?;
    let lost = other(won_family);
    let attempt = facts.trace.children_of(control.id, "connect").last()?;
    // A machine without that family, and a path that says so at once, harm nobody who has the other.
    if family(attempt) != Some(lost) || !control.failed_with("tcp.timeout") {
        return None;
    }
    if let Some(vote) = way_gone(facts, won, attempt) {
        return Some(vote);
    }
    let subject = facts.subject();
    Some(
        Vote::disturbed(
            &[broken(lost)],
            0.9,
            format!(
                "{subject} works over {}, but not over {}: whoever has nothing else does not get through.",
                version(won_family),
                version(lost)
            ),
        )
        .cite(attempt, format!("over {}: {}", version(lost), failure_text(attempt)))
        .cite(won, format!("over {}: {} answers", version(won_family), remote(won)))
        .network(format!("repair {} on the way to this server", version(lost)))
        .service(format!("check that the server is reachable over {} from outside", version(lost)))
        .user(format!("nothing to repair here: this machine uses {}", version(won_family))),
    )
}

/// When the other family was tried, the way was dead for the one that had worked as well: pings, which the server had answered
/// before, were all lost.
fn way_gone(facts: &Facts<'_>, won: &Span, attempt: &Span) -> Option<Vote> {
    let address = won.socket("tcp.remote")?.ip();
    let pings = || {
        let all = facts.pings("idle").chain(facts.pings("loaded"));
        all.filter(|span| span.address("ping.target") == Some(address))
    };
    let count = |span: &Span, key: &str| span.int(key).unwrap_or(0);
    let answered_before = pings().any(|span| count(span, "ping.received") > 0 && span.start <= attempt.start);
    let lost = pings().find(|span| {
        count(span, "ping.sent") >= LOST_IN_A_ROW_MIN
            && count(span, "ping.received") == 0
            && (attempt.start..attempt.end).contains(&span.start)
    })?;
    answered_before.then(|| {
        Vote::disturbed(
            &["IP20"],
            0.82,
            format!("{} works, but right after its answer the way to it was dead.", facts.subject()),
        )
        .cost(lost.nanos())
        .explains(&["IP13", "IP14", "IP19", "IP17", "TCP07"])
        .cite(
            lost,
            format!("{} pings in a row were lost, which had been answered before", count(lost, "ping.sent")),
        )
        .cite(attempt, failure_text(attempt))
        .rule_out(
            broken(family(attempt).unwrap_or(Family::V4)),
            "the version that had worked was dead at the same time",
        )
        .network("look for a link that went down, or a route that changed, at this time")
        .user("try again now; on Wi-Fi or mobile a change of cell or access point looks like this")
    })
}

fn failed_branch(facts: &Facts<'_>, won: &Span, won_family: Family, failed: &Span) -> Option<Vote> {
    let code = failed.code()?;
    // A machine without this IP version is healthy: it never sent anything.
    if code == "ip.no_route" {
        return None;
    }
    let says = failure_text(failed);
    let delay = won.end.saturating_sub(failed.start);
    if family(failed) == Some(won_family) {
        let ip = |span: &Span| span.socket("tcp.remote").map(|socket| socket.ip());
        // The same machine later, or at another port, is no other address.
        if ip(failed) == ip(won) {
            return None;
        }
        return Some(
            Vote::disturbed(
                &["IP31"],
                0.85,
                format!(
                    "{} works, but one of its addresses ({}) does not answer.",
                    facts.subject(),
                    remote(failed)
                ),
            )
            .cost(delay)
            .cite(failed, says)
            .cite(won, format!("{} answers", remote(won)))
            .service("repair the machine behind this address, or take the address out of the name"),
        );
    }
    if code == "tcp.refused" {
        return Some(
            Vote::disturbed(
                &["TCP02"],
                0.8,
                format!(
                    "{} works over {}, but refuses connections over {}.",
                    facts.subject(),
                    version(won_family),
                    version(other(won_family))
                ),
            )
            .cost(won.nanos())
            .cite(failed, says)
            .cite(won, format!("{} answers", remote(won)))
            .rule_out(broken(other(won_family)), "a refusal is an answer: packets pass in both directions")
            .service(format!(
                "let the service listen on its {} address too, or take that address out of the name",
                version(other(won_family))
            )),
        );
    }
    Some(broken_family(facts, won, won_family, failed, says, 0.92))
}

/// One family took the request and never brought the answer; the other did.
fn hollow_family(facts: &Facts<'_>) -> Option<Vote> {
    let won = facts.delivered()?;
    let of = |span: &Span| span.socket("tcp.remote").map(|socket| Family::of(socket.ip()));
    let works = of(won)?;
    let stalled = facts.steps("exchange").find(|span| {
        span.code().is_some_and(|code| code == "http.timeout" || code == "http.stalled")
            && of(span).is_some_and(|family| family != works)
            && span.start < won.start
    })?;
    let lost = other(works);
    let causes: &[&'static str] =
        if lost == Family::V6 { &["IP13", "IP12", "IP09"] } else { &["IP14", "IP09"] };
    Some(
        Vote::disturbed(
            causes,
            0.85,
            format!(
                "{} works over {}; over {} it takes the request and the answer never comes.",
                facts.subject(),
                version(works),
                version(lost)
            ),
        )
        .cost(stalled.nanos())
        .explains(&["IP09", "APP05", "TCP11"])
        .cite(stalled, format!("over {}: {}", version(lost), failure_text(stalled)))
        .cite(won, format!("over {}: the whole answer", version(works)))
        .rule_out("APP05", "the same server answers over the other version")
        .probe(
            format!(
                "ask for something small over {}: an answer means that only large packets are lost",
                version(lost)
            ),
            causes,
        )
        .network(format!("let \"packet too big\" messages of {} through", version(lost))),
    )
}

/// The first family was asked first, got a head start, and had not answered when the second one won.
fn unanswered_branch(facts: &Facts<'_>, won: &Span, won_family: Family) -> Option<Vote> {
    let rtt = won.nanos_of("tcp.rtt").unwrap_or(won.nanos()).max(MS);
    let waited = facts.steps("connect").find(|span| {
        matches!(span.outcome, Outcome::Skipped { .. })
            && family(span).is_some()
            && span.nanos() >= RACE_HEAD_START
            && span.nanos() > rtt.saturating_mul(4)
    })?;
    if family(waited) == Some(won_family) {
        let control = facts.control("other_family").filter(|control| control.code().is_some())?;
        return Some(
            Vote::disturbed(
                &["IP31"],
                0.9,
                format!(
                    "{} works, but one of its addresses ({}) does not answer.",
                    facts.subject(),
                    remote(waited)
                ),
            )
            .cost(waited.nanos())
            .cite(waited, format!("no answer for {}", ms(waited.nanos())))
            .cite(control, format!("asked once more, it fails again: {}", failure_text(control)))
            .cite(won, format!("{} answers", remote(won)))
            .rule_out(broken(won_family), "another address of the same IP version works")
            .service("repair the machine behind this address, or take the address out of the name")
            .user("nothing to repair here: each visit only takes a little longer"),
        );
    }
    let says = format!("no answer for {}, while the other version needs {}", ms(waited.nanos()), ms(rtt));
    match facts.control("other_family") {
        // One lost packet: it answers when asked again.
        Some(control) if control.is_ok() => None,
        Some(control) => Some(
            broken_family(facts, won, won_family, waited, says, 0.94)
                .cite(control, format!("asked once more, it fails again: {}", failure_text(control))),
        ),
        None => Some(
            Vote::disturbed(
                &[broken(other(won_family)), "TCP07"],
                0.8,
                format!("{} works over {}, but did not answer over {} in time.", facts.subject(), version(won_family), version(other(won_family))),
            )
            .cost(waited.nanos())
            .cite(waited, says)
            .probe(format!("connect over {} alone: silence means that it is broken, an answer that one packet was lost", version(other(won_family))), &[
                broken(other(won_family)),
                "TCP07",
            ]),
        ),
    }
}

fn broken_family(
    facts: &Facts<'_>,
    won: &Span,
    won_family: Family,
    failed: &Span,
    says: String,
    confidence: f64,
) -> Vote {
    let lost = other(won_family);
    Vote::disturbed(
        &[broken(lost)],
        confidence,
        format!(
            "{} works over {}, but not over {}, which costs time at every visit.",
            facts.subject(),
            version(won_family),
            version(lost)
        ),
    )
    .cost(won.end.saturating_sub(failed.start))
    .cite(failed, format!("over {}: {says}", version(lost)))
    .cite(won, format!("over {}: {} answers", version(won_family), remote(won)))
    .rule_out("APP01", format!("the server answers at once over {}", version(won_family)))
    .network(format!("repair {} on the way, or stop offering it to this machine", version(lost)))
    .service(format!("check that the server is reachable over {} from outside", version(lost)))
    .user(format!(
        "as a stopgap, turn {} off or use the switch {}",
        version(lost),
        if lost == Family::V6 { "-4" } else { "-6" }
    ))
}

fn other(family: Family) -> Family {
    match family {
        Family::V4 => Family::V6,
        Family::V6 => Family::V4,
    }
}

fn version(family: Family) -> &'static str {
    match family {
        Family::V4 => "IPv4",
        Family::V6 => "IPv6",
    }
}

fn broken(family: Family) -> &'static str {
    match family {
        Family::V4 => "IP14",
        Family::V6 => "IP13",
    }
}
