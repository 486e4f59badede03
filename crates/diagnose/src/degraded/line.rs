//! The rate of a line: one that is slow from the beginning, and evenly so, which is no fault but the reason for much that
//! looks like one; and one on which somebody drops what goes beyond a limit.

use crate::facts::{Facts, ms};
use crate::thresholds::MS;
use crate::vote::Vote;
use thru_trace::{PacketFate, arrivals, frames};

/// Frames of this size on are as large as a line carries, or nearly so.
const FULL: usize = 1_000;
/// So many of them show a pace.
const GAPS_MIN: usize = 6;
/// What telephone lines carried, and a little more: bits per second. Faster lines empty their queues soon enough.
const SLOW: u64 = 300_000;
/// So many full packets may wait before a slow line without its queue being too long: any sender begins with ten (RFC
/// 6928).
const QUEUE: u64 = 12;

/// When the server's packets arrived, in nanoseconds, and how many bytes each had.
fn arrived(facts: &Facts<'_>) -> Option<Vec<(u64, u64)>> {
    let remote = facts.connection()?.socket("tcp.remote")?;
    let ours = |bytes: &[u8]| {
        frames::look(bytes).is_some_and(|look| {
            look.src == remote.ip() && look.ports.is_some_and(|ports| ports.0 == remote.port())
        })
    };
    let passed = facts.trace.packets.iter().filter(|packet| packet.fate == PacketFate::Passed);
    let sized = passed.map(|packet| (packet, size(&packet.bytes)));
    let full = sized.filter(|(packet, size)| *size >= FULL && ours(&packet.bytes));
    Some(full.map(|(packet, size)| (packet.at, size as u64)).collect())
}

/// How large a frame was on the wire, as its IP header says: captures may keep less of it.
fn size(frame: &[u8]) -> usize {
    const ETHERNET: usize = 14;
    let word = |at: usize| {
        let bytes = frame.get(ETHERNET + at..ETHERNET + at + 2);
        bytes.map_or(0, |bytes| usize::from(bytes[0]) << 8 | usize::from(bytes[1]))
    };
    match frame.get(ETHERNET).map(|first| first >> 4) {
        Some(4) => ETHERNET + word(2),
        Some(6) => ETHERNET + 40 + word(4),
        _ => 0,
    }
}

/// The pace of a slow line, in bits per second: the server's full packets came one after the other at the same distance,
/// from the first flight on. Behind a limit that drops there is none: what passes it passes at the speed of the line.
pub(super) fn slow(facts: &Facts<'_>) -> Option<u64> {
    let arrived = arrived(facts)?;
    let pace = |pair: &[(u64, u64)]| pair[1].1 * 8_000_000_000 / pair[1].0.saturating_sub(pair[0].0).max(1);
    let mut paces: Vec<u64> = arrived.windows(2).map(pace).collect();
    if paces.len() < GAPS_MIN {
        return None;
    }
    paces.sort_unstable();
    let pace = paces[paces.len() / 2];
    let even = paces.iter().filter(|one| (pace * 4 / 5..=pace * 5 / 4).contains(*one)).count();
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
    let arrived = arrived(facts)?;
    if seen.repaired.len() < REPAIRED_MIN || !seen.damaged.is_empty() || arrived.len() < 100 {
        return None;
    }
    let rate = steady(&arrived)?;
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

/// The rate of a transfer, in bits per second, if it is about the same in all its parts but the first, in which a limit
/// lets a burst pass.
fn steady(arrived: &[(u64, u64)]) -> Option<u64> {
    let (first, last) = (arrived.first()?.0, arrived.last()?.0);
    let part = (last.saturating_sub(first) / PARTS).max(1);
    let mut bytes = [0u64; PARTS as usize];
    for (at, len) in arrived {
        let place = ((at - first) / part).min(PARTS - 1);
        bytes[usize::try_from(place).unwrap_or(0)] += len;
    }
    let later = &bytes[1..];
    let mean = later.iter().sum::<u64>() / (PARTS - 1);
    let even = later.iter().all(|part| (mean * 3 / 4..=mean * 5 / 4).contains(part));
    even.then_some(mean.saturating_mul(8_000_000_000) / part)
}
