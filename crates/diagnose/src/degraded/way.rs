//! What the frames of the connection show of the way itself: a limit that discards, a way that changed.

use crate::facts::{Facts, ms};
use crate::thresholds::{LONG_PAUSE, LOST_PINGS_MIN, MS};
use crate::vote::Vote;
use thru_trace::ways::way_changed;
use thru_trace::{Span, arrivals};

/// A limit on the rate takes some packets all the time; fewer than this are what any full queue takes.
const LIMITED_MIN: usize = 10;

pub(super) fn rule(facts: &Facts<'_>) -> Vec<Vote> {
    limited(facts).into_iter().chain(changed(facts)).collect()
}

/// Segments were lost all through the transfer, no ping was, at idle times or beside the transfer in a longer queue: what
/// is above a rate is discarded, and nothing waits.
fn limited(facts: &Facts<'_>) -> Option<Vote> {
    let (connection, rtt) = (facts.connection()?, facts.rtt()?);
    if facts.trace.packets.is_empty() || told_by_capture(connection) {
        return None;
    }
    let seen = arrivals(facts.trace, connection, rtt);
    let lost = seen.repaired.len();
    let (sent, missing, pings) = facts.lost_pings()?;
    if lost < LIMITED_MIN || lost * 200 < seen.segments || missing >= LOST_PINGS_MIN {
        return None;
    }
    let calm = facts.pings("idle").filter_map(|span| span.nanos_of("ping.rtt_avg")).min()?;
    let loaded = facts.pings("loaded").max_by_key(|span| span.int("ping.sent"));
    let busy = loaded.and_then(|span| span.nanos_of("ping.rtt_avg"))?;
    if busy > calm.saturating_mul(3) / 2 + 10 * MS {
        return None;
    }
    let share = lost as f64 / seen.segments.max(1) as f64;
    let causes: &[&str] = &["IP17", "IP19"];
    let percent = 100.0 * share;
    let vote = Vote::disturbed(
        causes,
        0.85,
        format!(
            "{} works, but something on the way limits the rate and throws away what is above it: about {percent:.0} % of the answer had to be sent again.",
            facts.subject()
        ),
    )
    .cost(rtt.saturating_mul(lost as u64))
    .explains(&["TCP07", "TCP18", "IP19", "IP17", "IP21", "APP06"])
    .cite_frames(&seen.repaired, format!("{lost} of {} packets of the answer were lost and came later", seen.segments))
    .cite(pings, format!("of {sent} pings without a transfer {missing} were lost"))
    .cite_if(loaded, format!("beside the transfer a round trip took {}, at idle times {}", ms(busy), ms(calm)))
    .rule_out("IP18", "round trips did not grow, so nothing waited in a queue")
    .network("look for a limit on the rate (policer) without a queue, and let it delay packets rather than discard them")
    .user("ask the provider which rate was bought; slower senders lose less");
    Some(vote.probe("download at several speeds: a limit loses packets only above one rate", causes))
}

/// A reader of captures has counted losses of its own.
fn told_by_capture(connection: &Span) -> bool {
    connection.int("tcp.lost").is_some()
}

/// The server's packets came over another number of routers after a pause.
fn changed(facts: &Facts<'_>) -> Option<Vote> {
    let connection = facts.connection()?;
    let change = way_changed(facts.trace, connection)?;
    let pause = LONG_PAUSE.min(4 * facts.rtt().unwrap_or(LONG_PAUSE).max(50 * MS));
    // A change that costs nothing harms nobody.
    if change.gap < pause {
        return None;
    }
    let hops = i64::from(change.ttl.0) - i64::from(change.ttl.1);
    let how = match hops {
        1 => String::from("one router more"),
        -1 => String::from("one router less"),
        more if more > 0 => format!("{more} routers more"),
        less => format!("{} routers less", -less),
    };
    Some(
        Vote::disturbed(
            &["IP25"],
            0.9,
            format!(
                "{} works, but in the middle of its answer the way changed, and for {} nothing came through.",
                facts.subject(),
                ms(change.gap)
            ),
        )
        .cost(change.gap)
        .explains(&["IP20", "IP19", "IP17", "TCP18", "TCP07", "APP06", "IP31", "IP21"])
        .cite_frames(
            &[change.frames.0, change.frames.1],
            format!(
                "before the pause the server's packets came with hop count {}, after it with {}: {how}",
                change.ttl.0, change.ttl.1
            ),
        )
        .rule_out("IP20", "after an outage alone the way would be the same")
        .rule_out("APP13", "a program that pauses does not change the way")
        .network(
            "look which link failed at this time, and why the routers took so long to find the other way",
        )
        .user("nothing to repair here; if it happens often, tell the provider the time"),
    )
}
