//! What the frames of the connection show of the way itself: that it changed.

use crate::facts::{Facts, ms};
use crate::thresholds::{LONG_PAUSE, MS};
use crate::vote::Vote;
use thru_trace::ways::way_changed;

pub(super) fn rule(facts: &Facts<'_>) -> Vec<Vote> {
    changed(facts).into_iter().collect()
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
