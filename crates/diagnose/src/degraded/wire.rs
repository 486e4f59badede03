//! What the captured frames show of the way, where there is a capture: damage, second copies, overtaking.

use super::loss;
use crate::facts::{Facts, ms};
use crate::thresholds::MS;
use crate::vote::Vote;
use thru_trace::{Arrivals, arrivals};

/// Fewer of a kind than this are an accident.
const EVENTS_MIN: usize = 3;
/// Two damaged frames are enough: an intact way damages none in a million.
const DAMAGED_MIN: usize = 2;

pub(super) fn rule(facts: &Facts<'_>) -> Vec<Vote> {
    let (Some(connection), Some(rtt)) = (facts.connection(), facts.rtt()) else { return Vec::new() };
    if facts.trace.packets.is_empty() {
        return Vec::new();
    }
    let seen = arrivals(facts.trace, connection, rtt);
    let mut votes = Vec::new();
    votes.extend(damage(facts, &seen));
    votes.extend(copies(facts, &seen));
    votes.extend(overtaking(facts, &seen, rtt));
    votes
}

fn percent(part: usize, of: usize) -> String {
    let percent = 100.0 * part as f64 / of.max(1) as f64;
    if percent < 1.0 { String::from("less than 1 %") } else { format!("about {percent:.0} %") }
}

/// Checksums that do not hold. Only what came in counts: what goes out may be summed by the network card later.
fn damage(facts: &Facts<'_>, seen: &Arrivals) -> Option<Vote> {
    let (damaged, all) = (seen.damaged.len(), seen.total + seen.damaged.len());
    // If nearly all are wrong nobody could have talked: then a card sums them, and the capture came before it.
    if damaged < DAMAGED_MIN || damaged * 2 > all {
        return None;
    }
    Some(
        Vote::disturbed(
            &["IP23"],
            0.93,
            format!(
                "{} works, but {} of the packets that arrive are damaged, thrown away and sent again.",
                facts.subject(),
                percent(damaged, all)
            ),
        )
        .cost(facts.rtt().unwrap_or(50 * MS).saturating_mul(damaged as u64))
        .explains(&["IP19", "IP17", "IP21", "TCP07", "TCP18", "DNS11", "DNS02"])
        .cite_frames(&seen.damaged, format!("{damaged} packets arrived with a wrong checksum: their bytes were changed on the way"))
        .rule_out("IP19", "the packets did arrive; what is wrong is their contents")
        .network("look for the link that damages frames: error counters of its interfaces, memory of a router, a bad cable or radio")
        .user("if your own network is the cause: use another cable, or move nearer to the Wi-Fi"),
    )
}

fn copies(facts: &Facts<'_>, seen: &Arrivals) -> Option<Vote> {
    let doubled = seen.doubled.len();
    // Each frame twice is how some captures are made, not how networks fail.
    if doubled < EVENTS_MIN || doubled * 100 < seen.segments || doubled * 5 > seen.segments * 2 {
        return None;
    }
    Some(
        Vote::disturbed(
            &["IP22"],
            0.9,
            format!(
                "{} works, but the network delivers {} of its packets twice.",
                facts.subject(),
                percent(doubled, seen.segments)
            ),
        )
        .cost(MS)
        .explains(&["IP19", "IP17"])
        .cite_frames(&seen.doubled, format!("{doubled} packets arrived a second time, the same to the last bit, sooner than the server could have sent them again"))
        .rule_out("IP19", "nothing is missing; there is too much")
        .network("look for a loop or a doubled path between switches, or for a device that sends each frame out twice"),
    )
}

fn overtaking(facts: &Facts<'_>, seen: &Arrivals, rtt: u64) -> Option<Vote> {
    let overtaken = seen.overtaken.len();
    // One packet that overtakes many is one event, however many come late by it.
    let events =
        seen.overtaken.windows(2).filter(|pair| pair[1] - pair[0] > 3).count() + usize::from(overtaken > 0);
    if events < EVENTS_MIN || events * 100 < seen.segments || seen.repaired.len() * 2 > overtaken {
        return None;
    }
    // Overtaking loses no ping. On a way that does, what seems to come late was sent again by a server that saw the loss early.
    if loss::shown_by_pings(facts) {
        return None;
    }
    Some(
        Vote::disturbed(
            &["IP21"],
            0.9,
            format!(
                "{} works, but {} of its packets are overtaken by later ones, which makes the transfer slower.",
                facts.subject(),
                percent(overtaken, seen.segments)
            ),
        )
        .cost(rtt.saturating_mul(overtaken as u64) / 4)
        .explains(&["IP19", "IP17", "TCP18"])
        .cite_frames(&seen.overtaken, format!("{overtaken} packets came late, but sooner than the {} that sending them again would take", ms(rtt)))
        .rule_out("IP19", "hardly anything was lost: what was late arrived by itself")
        .network("look for parallel links over which single packets, not whole connections, are spread"),
    )
}
