//! What a capture counts of losses, and the silences that they make.

use super::SHUT_MIN;
use crate::facts::{Facts, ms};
use crate::thresholds::MS;
use crate::vote::Vote;
use thru_trace::Span;

/// Fewer lost segments than this are an accident.
const LOST_MIN: i64 = 6;

/// Of a thousand segments, so many lost ones are what a queue that fills now and then loses.
const LOST_PER_MILLE_MIN: i64 = 5;

/// Every link carries packets up to about this size.
const LARGE: i64 = 500;
/// So few full segments say nothing of whether their size passes.
const UNTRIED: i64 = 20;

/// Variance by mean of the losses in stretches of a transfer: above, they come in clusters.
const CLUSTERED: f64 = 3.0;

/// A sender that finds out how much fits loses many packets once; a limit takes some all the time.
const LASTING_PERCENT: i64 = 25;

/// What fills a queue loses packets now and then, and not in every stretch.
const EVERYWHERE_PERCENT: i64 = 80;

/// What a capture counts of losses: how many, of how many segments, and whether they come in clusters.
struct Losses<'a> {
    connection: &'a Span,
    lost: i64,
    segments: i64,
    rounds: i64,
    clustered: bool,
    /// They go on through the whole transfer.
    lasting: bool,
    /// Hardly any stretch of the transfer is without one.
    everywhere: bool,
    calm: bool,
}

fn losses<'a>(facts: &Facts<'a>) -> Option<Losses<'a>> {
    let connection = facts.steps("connection").max_by_key(|span| span.int("tcp.lost"))?;
    let lost = connection.int("tcp.lost")?;
    let (least, most) = (connection.nanos_of("tcp.rtt_min"), connection.nanos_of("tcp.rtt_max"));
    let spread = connection.int("tcp.loss_spread_percent").map_or(1.0, |percent| percent as f64 / 100.0);
    Some(Losses {
        connection,
        lost,
        segments: connection.int("tcp.data_segments").unwrap_or(0).max(1),
        rounds: connection.int("tcp.holes").unwrap_or(0),
        clustered: spread >= CLUSTERED,
        everywhere: connection.int("tcp.loss_touches_percent").unwrap_or(0) >= EVERYWHERE_PERCENT,
        lasting: connection.int("tcp.loss_touches_percent").unwrap_or(0) >= LASTING_PERCENT,
        calm: matches!((least, most), (Some(least), Some(most)) if most < least.saturating_mul(3) / 2 + 5 * MS),
    })
}

/// So much was lost that the request came to a standstill.
pub(super) fn lost_to_death(facts: &Facts<'_>) -> Option<Vote> {
    let failed = facts
        .own
        .iter()
        .copied()
        .rfind(|span| ["http.timeout", "http.stalled"].iter().any(|code| span.failed_with(code)))?;
    let seen = losses(facts)?;
    // What is large and never acknowledged is not lost by chance.
    let value = |key: &str| seen.connection.int(key).unwrap_or(0);
    let few = value("tcp.bytes_received") < UNTRIED * value("tcp.mss").max(536);
    if value("tcp.peer_unheard") > 0 && value("tcp.peer_stuck") >= LARGE && few {
        return None;
    }
    if seen.lost < 2 * LOST_MIN || seen.rounds < LOST_MIN || seen.lost * 20 < seen.segments {
        return None;
    }
    Some(
        Vote::broken(
            &["IP19"],
            0.8,
            format!("The way to {} loses so much that the request came to a standstill.", facts.subject()),
        )
        .explains(&["IP09", "APP05", "IP10", "TCP11", "IP05"])
        .cite(failed, format!("it was not done after {}", ms(failed.nanos())))
        .cite(
            seen.connection,
            format!(
                "{} of {} packets with data had to be sent again, again and again",
                seen.lost, seen.segments
            ),
        )
        .rule_out("IP09", "large packets passed, now and then")
        .network("check the link where the loss begins: cable, radio, errors on its interfaces"),
    )
}

/// Losses that go on while nothing waits in a queue. Any sender makes some where a queue is full: those come after the
/// round trips have grown.
pub(super) fn loss(facts: &Facts<'_>) -> Option<Vote> {
    let seen = losses(facts)?;
    let enough = seen.lost >= LOST_MIN && seen.lost * 1000 >= seen.segments * LOST_PER_MILLE_MIN;
    if !enough || seen.rounds < 3 || facts.pings("idle").next().is_some() {
        return None;
    }
    let heavy = seen.lost * 50 >= seen.segments;
    let causes: &[&'static str] = match (seen.clustered, seen.calm, heavy) {
        (false, true, _) => &["IP19"],
        // Where round trips grow, a full queue loses some, too: only more than any sender makes one lose is the way's.
        (false, false, _) if seen.lost * 20 >= seen.segments => &["IP19"],
        (false, false, _) if seen.everywhere && seen.lost * 30 >= seen.segments => &["IP19"],
        (true, true, true) if seen.lasting => &["IP17", "IP19"],
        _ => return None,
    };
    let subject = facts.subject();
    let says = format!(
        "{} of {} packets with data had to be sent again, {}",
        seen.lost,
        seen.segments,
        if seen.clustered { "many at a time" } else { "spread evenly over the transfer" }
    );
    let mut vote = Vote::disturbed(
        causes,
        0.82,
        if seen.clustered {
            format!("{subject} works, but packets are lost as soon as much is sent.")
        } else {
            format!("{subject} works, but packets are lost on the way.")
        },
    )
    .cost(facts.rtt().unwrap_or(50 * MS).saturating_mul(u64::try_from(seen.lost).unwrap_or(0)))
    .explains(&["TCP07", "TCP18", "DNS11", "IP17", "IP19", "IP21"])
    .cite(seen.connection, says)
    .network(
        "check the link where the loss begins: cable, radio, errors on its interfaces, limits on the rate",
    );
    if seen.calm {
        vote = vote.rule_out("IP18", "round trips did not grow, so nothing waited in a queue");
    }
    if causes.len() > 1 {
        vote = vote.probe("download at several speeds: a limit loses packets only above one rate", causes);
    } else {
        vote = vote
            .rule_out("IP17", "a limit on the rate takes many packets at a time; these are lost one by one");
    }
    Some(vote)
}

/// So much of what is missing, in one piece, was lost at one time.
const ONE_PIECE_PERCENT: i64 = 60;

/// Nearly all that is missing was lost in one piece, beside a long silence: all that was on the way when it died.
fn swallowed(facts: &Facts<'_>) -> Option<Vote> {
    let seen = losses(facts).filter(|seen| seen.lost >= LOST_MIN)?;
    let widest = seen.connection.int("tcp.widest_hole_percent")?;
    let pause = facts.steps("exchange").filter_map(|span| span.nanos_of("http.longest_pause")).max()?;
    if widest < ONE_PIECE_PERCENT || pause < SHUT_MIN.max(8 * facts.rtt().unwrap_or(0)) {
        return None;
    }
    Some(
        Vote::disturbed(
            &["IP20"],
            0.85,
            format!(
                "{} works, but the way was dead for a while: for {} nothing came through.",
                facts.subject(),
                ms(pause)
            ),
        )
        .cost(pause)
        .explains(&["TCP18", "IP19", "IP17", "TCP07"])
        .cite(
            seen.connection,
            format!(
                "{} packets were lost, {widest} % of their bytes in one piece, and for {} nothing came",
                seen.lost,
                ms(pause)
            ),
        )
        .rule_out("IP19", "losses by chance are spread over the whole transfer; these follow one another")
        .rule_out(
            "IP17",
            "a limit on the rate loses packets all the time; before and after this silence all is well",
        )
        .rule_out("APP13", "a program that pauses loses nothing")
        .network("look for a link that went down and came back, or a route that changed, at this time"),
    )
}

/// A stream that stood still, and began again as a sender does whose timer has run out: with one packet.
pub(super) fn outage(facts: &Facts<'_>) -> Option<Vote> {
    if let Some(vote) = swallowed(facts) {
        return Some(vote);
    }
    let connection = facts.steps("connection").find(|span| span.nanos_of("tcp.outage").is_some())?;
    let silent = connection.nanos_of("tcp.outage")?;
    let rtt = facts.rtt().unwrap_or(0);
    // A sender that is told to wait sends one packet now and then to see whether it may go on.
    let shut = connection
        .nanos_of("tcp.own_shut")
        .unwrap_or(0)
        .max(connection.nanos_of("tcp.peer_shut").unwrap_or(0));
    if shut >= silent / 2 {
        return None;
    }
    if silent < SHUT_MIN.max(8 * rtt) || losses(facts).is_some_and(|seen| seen.lost * 20 >= seen.segments) {
        return None;
    }
    Some(
        Vote::disturbed(
            &["IP20"],
            0.8,
            format!("{} works, but the way was dead for a while: for {} nothing came through.", facts.subject(), ms(silent)),
        )
        .cost(silent)
        .explains(&["TCP18", "IP19", "IP17", "TCP07"])
        .cite(connection, format!("in the middle of the answer nothing came for {}; then it went on with a single packet, as after a timer that ran out", ms(silent)))
        .rule_out("APP13", "a program that pauses goes on with as much as the window allows")
        .network("look for a link that went down and came back, or a route that changed, at this time"),
    )
}
