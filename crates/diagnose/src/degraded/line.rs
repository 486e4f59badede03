//! The rate of a line: one that is slow from the beginning, and evenly so, which is no fault but the reason for much that
//! looks like one; and one on which somebody drops what goes beyond a limit.

use crate::facts::{Facts, ms};
use crate::thresholds::MS;
use crate::vote::Vote;
use thru_trace::arrivals::{arrivals, arrived};
use thru_trace::frames::length_on_the_wire;
use thru_trace::{Span, Value};

/// Frames of this size on are as large as a line carries, or nearly so.
const FULL: usize = 1_000;
/// So many of them show a pace.
const GAPS_MIN: usize = 6;
/// What telephone lines carried, and a little more: bits per second. Faster lines empty their queues soon enough.
const SLOW: u64 = 300_000;
/// So many full packets may wait before a slow line without its queue being too long: any sender begins with ten (RFC
/// 6928).
const QUEUE: u64 = 12;

/// When something arrived, in nanoseconds, and how many bytes.
type Piece = (u64, u64);

/// The server's full packets, as they arrived on the link nearest to this machine.
fn full(facts: &Facts<'_>, connection: &Span) -> Vec<Piece> {
    let packets = arrived(facts.trace, connection).into_iter();
    let sized = packets.map(|packet| (packet.at, length_on_the_wire(&packet.bytes)));
    sized.filter(|(_, size)| *size >= FULL).map(|(at, size)| (at, size as u64)).collect()
}

/// The pace of a slow line, in bits per second: the server's full packets came one after the other at the same distance,
/// from the first flight on. Behind a limit that drops there is none: what passes it passes at the speed of the line.
pub(super) fn slow(facts: &Facts<'_>) -> Option<u64> {
    let full = full(facts, facts.connection()?);
    let pace =
        |pair: &[Piece]| pair[1].1.saturating_mul(8_000_000_000) / pair[1].0.saturating_sub(pair[0].0).max(1);
    let mut paces: Vec<u64> = full.windows(2).map(pace).collect();
    if paces.len() < GAPS_MIN {
        return None;
    }
    paces.sort_unstable();
    let pace = paces[paces.len() / 2];
    let near = pace.saturating_mul(4) / 5..=pace.saturating_mul(5) / 4;
    let even = paces.iter().filter(|one| near.contains(*one)).count();
    (pace < SLOW && even * 3 >= paces.len() * 2).then_some(pace)
}

/// Whether the pace alone accounts for round trips under load and for what was lost: the queue before the line is short,
/// and nothing was lost while it was empty.
pub(super) fn explains(facts: &Facts<'_>, pace: u64) -> bool {
    let least = facts.rtt().unwrap_or(0);
    let packet = 1_514 * 8_000_000_000 / pace.max(1);
    let busy = facts
        .pings("loaded")
        .chain(facts.pings("idle"))
        .filter_map(|span| span.nanos_of("ping.rtt_avg"))
        .max();
    let own = facts.connection().and_then(|span| span.nanos_of("tcp.rtt_max"));
    let waits = busy.max(own).unwrap_or(0).saturating_sub(least);
    // A train that loses some and whose others come as soon as ever was lost by something else.
    let calm_loss = facts.pings("idle").any(|span| {
        let lost = span.int("ping.sent").unwrap_or(0) - span.int("ping.received").unwrap_or(0);
        lost > 1
            && span.nanos_of("ping.rtt_avg").is_some_and(|average| average < least.saturating_add(packet))
    });
    waits <= QUEUE * packet && !calm_loss
}

/// What to say of a slow line beside that all is well.
pub(crate) fn sentence(facts: &Facts<'_>) -> Option<String> {
    let pace = slow(facts)?;
    Some(format!(
        " The line is slow (about {} kbit/s), evenly and from the first packet on: that is its speed, not a fault.",
        pace.div_ceil(1_000)
    ))
}

/// A transfer that took no longer than this tells little of limits.
const LONG: u64 = 3_000 * MS;
/// Of fewer bytes the parts are too small to be compared.
const MUCH: u64 = 100_000;
/// Parts of a transfer whose rates are compared.
const PARTS: u64 = 8;
/// So many lost packets that were sent again show that somebody drops.
const REPAIRED_MIN: usize = 6;
/// Without a lost ping among so many, loss by chance would not hold up a transfer for seconds.
const PINGS_MIN: i64 = 30;

/// A limit on the rate that drops what goes beyond it (a policer): the same rate all the time, packets lost all the time,
/// round trips as short as ever, and no ping lost.
pub(super) fn policed(facts: &Facts<'_>) -> Option<Vote> {
    let (connection, exchange, rtt) = (facts.connection()?, facts.delivered()?, facts.rtt()?);
    let transfer = facts.trace.children_of(exchange.id, "transfer").last()?;
    if transfer.nanos() < LONG {
        return None;
    }
    let seen = arrivals(facts.trace, connection, rtt);
    if seen.repaired.len() < REPAIRED_MIN || !seen.damaged.is_empty() {
        return None;
    }
    let rate = steady(&carried(connection).unwrap_or_else(|| full(facts, connection)))?;
    let pings = || facts.pings("idle").chain(facts.pings("loaded"));
    let count = |key: &str| pings().filter_map(|span| span.int(key)).sum::<i64>();
    let (sent, received) = (count("ping.sent"), count("ping.received"));
    let calm =
        pings().filter_map(|span| span.nanos_of("ping.rtt_avg")).all(|average| average < 2 * rtt + 20 * MS);
    // One ping may meet the limit itself.
    if sent < PINGS_MIN || sent - received > sent / 20 || !calm {
        return None;
    }
    let kilobits = rate.div_ceil(1_000);
    Some(
        Vote::disturbed(
            &["IP17"],
            0.85,
            format!(
                "{} works, but a limit on the rate slows the answer down: about {kilobits} kbit/s pass, and what comes faster is thrown away.",
                facts.subject()
            ),
        )
        .cost(transfer.nanos())
        .explains(&["IP19", "IP21", "TCP18", "APP07", "APP06"])
        .cite(transfer, format!("the answer took {}, at the same rate all the time", ms(transfer.nanos())))
        .cite_frames(&seen.repaired, format!("{} packets were lost and sent again", seen.repaired.len()))
        .cite_if(
            pings().max_by_key(|span| span.int("ping.sent")),
            format!("{received} of {sent} pings came back, as soon as ever: without much to carry nothing is lost"),
        )
        .rule_out("IP19", "loss by chance would take pings as well, and the rate would go up and down")
        .rule_out("IP18", "round trips stay as short as ever: nothing waits in a queue")
        .network("look for a limit (policer) on the way: a contract's rate, a fair use rule; one that lets packets wait (a shaper) would waste less")
        .user("compare with what your contract promises, and whether other sites are as slow; if they are, ask your provider"),
    )
}

/// How much the server's packets carried, moment by moment, where whoever read a capture as a whole has counted it.
fn carried(connection: &Span) -> Option<Vec<Piece>> {
    let each = connection.nanos_of("arrivals.carried_each")?;
    let counts = connection.list("arrivals.carried")?.iter().zip(0u64..);
    let piece = |(count, place): (&Value, u64)| match count {
        Value::Int(bytes) => Some((place.saturating_mul(each), u64::try_from(*bytes).ok()?)),
        _ => None,
    };
    Some(counts.filter_map(piece).collect())
}

/// The rate of a transfer, in bits per second, if it is about the same in all its parts but the first, in which a limit
/// lets a burst pass.
fn steady(pieces: &[Piece]) -> Option<u64> {
    let (first, last) = (pieces.iter().min()?.0, pieces.iter().max()?.0);
    if pieces.iter().fold(0, |sum: u64, (_, len)| sum.saturating_add(*len)) < MUCH {
        return None;
    }
    let part = ((last - first) / PARTS).max(1);
    let mut bytes = [0u64; PARTS as usize];
    for (at, len) in pieces {
        let place = ((at - first) / part).min(PARTS - 1);
        let sum = &mut bytes[usize::try_from(place).unwrap_or(0)];
        *sum = sum.saturating_add(*len);
    }
    let later = &bytes[1..];
    let mean = later.iter().fold(0, |sum: u64, part| sum.saturating_add(*part)) / (PARTS - 1);
    let even = later.iter().all(|part| (mean * 3 / 4..=mean.saturating_mul(5) / 4).contains(part));
    even.then_some(mean.saturating_mul(8_000_000_000) / part)
}
