//! Lost packets, and between which hops they get lost.

use crate::facts::Facts;
use crate::thresholds::{LOSS_EVENTS_MIN, LOSS_MIN, LOST_PINGS_MIN, MS, PINGS_THAT_SHOW_LOSS};
use crate::vote::Vote;
use std::net::IpAddr;
use thru_trace::Span;

/// Fewer separate holes in one transfer are what a healthy way has.
const HOLES_MIN: i64 = 6;
/// From this share of lost round trips on everything is slow by it.
const HEAVY: f64 = 0.15;
/// A router that drops nothing may still fail to answer so many of its pings.
const QUIET_LOSS: f64 = 0.002;

pub(super) fn rule(facts: &Facts<'_>) -> Option<Vote> {
    // Where a capture counted every loss, it is judged by those.
    if facts.pings("idle").next().is_none()
        && facts.pings("control").next().is_none()
        && facts.steps("connection").any(|span| span.int("tcp.lost").is_some())
    {
        return None;
    }
    let pings = Pings::to_target(facts);
    let connection = facts.connection();
    let count = |key: &str| connection.and_then(|span| span.int(key)).unwrap_or(0);
    // What was too large for the way was sent again in smaller packets, as it should be: nothing was lost.
    let retransmissions =
        if count("tcp.too_big") > 0 || told_too_big(facts) { 0 } else { count("tcp.retransmissions") };
    let out_of_order = count("tcp.out_of_order_received");
    let duplicates = count("tcp.duplicates_received");
    let received = count("tcp.segments_received").max(1);
    let sent = count("tcp.segments_sent").max(1);
    // One hole makes every later segment of its flight arrive out of order: however many, they tell of one event.
    // A capture tells each hole that was mended later. Any sender makes some where a queue is full; those of a way that
    // loses come without the round trips growing, and go on.
    let calm = connection.is_some_and(|span| {
        let (least, most) = (span.nanos_of("tcp.rtt_min"), span.nanos_of("tcp.rtt_max"));
        matches!((least, most), (Some(least), Some(most)) if most < least.saturating_mul(3) / 2 + 5 * MS)
    });
    let holes = count("tcp.holes");
    let holes =
        if calm && pings.sent == 0 && holes >= HOLES_MIN && holes * 100 >= received { holes } else { 0 };
    let events = holes
        + retransmissions.max(count("tcp.timeouts"))
        + i64::from(out_of_order > 0)
        + i64::from(duplicates > 0);

    let by_pings = pings.show_loss();
    let by_both = pings.answered() && pings.lost() >= 1 && events >= 1;
    let pings_prove_none = pings.answered() && pings.lost() == 0 && pings.sent >= PINGS_THAT_SHOW_LOSS;
    let heavy = holes > 0 || retransmissions * 50 >= sent || out_of_order * 10 >= received;
    let by_transfer = events >= LOSS_EVENTS_MIN && heavy;
    if !(by_pings || by_both || by_transfer) {
        return None;
    }
    let subject = facts.subject();
    let percent = (pings.share() * 100.0).max(0.1);
    let repaired = format!(
        "the connection had to send {retransmissions} packets again and got {out_of_order} after a gap, of {received} received"
    );
    let busiest = pings
        .spans
        .iter()
        .copied()
        .max_by_key(|span| span.int("ping.sent").unwrap_or(0) - span.int("ping.received").unwrap_or(0));
    if by_pings || by_both {
        let place = place(facts, &pings);
        let at = place.as_ref().map(|place| format!(", {}", place.text)).unwrap_or_default();
        let mut vote = Vote::disturbed(
            &["IP19"],
            if by_pings { 0.92 } else { 0.75 },
            format!(
                "{subject} works, but about {percent:.0} % of all round trips lose a packet on the way{at}."
            ),
        )
        .cost(cost(facts, retransmissions + i64::from(out_of_order > 0)))
        .explains(&["TCP07", "TCP18", "DNS11"])
        .cite_if(
            busiest,
            format!(
                "{} of {} pings came back; the rest was lost, at idle times as well",
                pings.received, pings.sent
            ),
        );
        if events > 0 {
            vote = vote.cite_if(connection, repaired);
        }
        if let Some(place) = &place {
            vote = vote.cite_if(place.span, format!("losses begin {}", place.text));
        }
        // Where so many are lost, questions about names are, too.
        if pings.share() >= HEAVY {
            vote = vote.explains(&["DNS18", "DNS45"]);
        }
        if pings.calm() {
            vote = vote
                .rule_out("IP18", "the round trips of the pings that came back did not grow")
                .rule_out("IP17", "pings are lost without any load, so it is not a limit on the rate");
        }
        return Some(
            vote.network("check the link where the loss begins: cable, radio, errors on its interfaces")
                .user("if it begins at your own network: use a cable, or move nearer to the Wi-Fi"),
        );
    }
    let vote = if pings_prove_none {
        Vote::disturbed(
            &["IP17", "IP19", "IP21"],
            0.75,
            format!("{subject} works, but packets are lost as soon as much is sent."),
        )
        .cite_if(busiest, format!("all of {} pings came back: without load nothing is lost", pings.sent))
        .probe("download at several speeds: a limit loses packets only above one rate", &["IP17", "IP19"])
    } else {
        Vote::disturbed(
            &["IP19", "IP17"],
            0.8,
            format!("{subject} works, but packets are lost on the way."),
        )
        .probe("ping the server and each hop a hundred times: loss without load is random, and shows where it begins", &[
            "IP19", "IP17",
        ])
    };
    Some(
        vote.cost(cost(facts, retransmissions))
            .explains(&["TCP07", "TCP18", "DNS11"])
            .cite_if(connection, repaired)
            .network("check the slowest link on the way for errors and limits"),
    )
}

/// Whether anybody on the way said that a packet was too big (RFC 792 type 3 code 4, RFC 4443 type 2).
fn told_too_big(facts: &Facts<'_>) -> bool {
    facts.trace.packets.iter().any(|packet| {
        let Some(ip) = packet.bytes.get(14..) else { return false };
        match ip.first().map(|byte| byte >> 4) {
            Some(4) if ip.get(9) == Some(&1) => {
                let header = usize::from(ip[0] & 0xf) * 4;
                ip.get(header..header + 2) == Some(&[3, 4])
            }
            Some(6) if ip.get(6) == Some(&58) => ip.get(40) == Some(&2),
            _ => false,
        }
    })
}

/// A lost packet costs about one round trip until it is repaired.
fn cost(facts: &Facts<'_>, events: i64) -> u64 {
    facts.rtt().unwrap_or(50 * MS).saturating_mul(u64::try_from(events).unwrap_or(0).max(1))
}

/// Pings to the server itself, at idle times or as controls.
/// Whether pings alone prove that packets get lost.
pub(super) fn shown_by_pings(facts: &Facts<'_>) -> bool {
    Pings::to_target(facts).show_loss()
}

struct Pings<'a> {
    spans: Vec<&'a Span>,
    sent: i64,
    received: i64,
}

impl<'a> Pings<'a> {
    fn to_target(facts: &Facts<'a>) -> Pings<'a> {
        let spans: Vec<&Span> = facts.pings("idle").chain(facts.pings("control")).collect();
        Pings {
            sent: spans.iter().filter_map(|span| span.int("ping.sent")).sum(),
            received: spans.iter().filter_map(|span| span.int("ping.received")).sum(),
            spans,
        }
    }

    /// Whether the server answers pings at all: one that does not is filtered, not lossy.
    fn answered(&self) -> bool {
        self.received > 0
    }

    fn lost(&self) -> i64 {
        (self.sent - self.received).max(0)
    }

    /// Whether too many were lost for chance.
    fn show_loss(&self) -> bool {
        self.answered() && self.share() >= LOSS_MIN && self.lost() >= LOST_PINGS_MIN
    }

    fn share(&self) -> f64 {
        if self.sent > 0 { self.lost() as f64 / self.sent as f64 } else { 0.0 }
    }

    /// Whether the round trips stayed near their smallest.
    fn calm(&self) -> bool {
        let of = |key: &str| self.spans.iter().filter_map(|span| span.nanos_of(key)).collect::<Vec<_>>();
        match (of("ping.rtt_min").into_iter().min(), of("ping.rtt_avg").into_iter().max()) {
            (Some(min), Some(avg)) => avg < min.saturating_mul(2).max(min + 20 * MS),
            _ => false,
        }
    }
}

struct Place<'a> {
    text: String,
    /// The pings of the first hop that loses.
    span: Option<&'a Span>,
}

struct Hop<'a> {
    span: &'a Span,
    address: IpAddr,
    /// Its place on the way, from 1.
    number: i64,
    sent: f64,
    lost: f64,
}

/// A place is as good as the likeliest one if the counts are not this many times less likely with it.
const AS_LIKELY: f64 = 10.0;

/// Between which hops packets begin to be lost: the change point that makes all hops' counts likeliest, with next to
/// no loss before it and the same loss from it on. Loss at one hop only, which later hops do not have, does not move
/// it: that is a router too busy to answer. Where few pings leave several places, it is the stretch from the first
/// to the last of them.
fn place<'a>(facts: &Facts<'a>, target: &Pings<'a>) -> Option<Place<'a>> {
    let hops = hops(facts);
    if hops.is_empty() {
        return None;
    }
    let counts: Vec<(f64, f64)> = hops
        .iter()
        .map(|hop| (hop.sent, hop.lost))
        .chain([(target.sent as f64, target.lost() as f64)])
        .collect();
    let likelihoods: Vec<f64> = (0..counts.len()).map(|begin| likelihood(&counts, begin)).collect();
    let best = likelihoods.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let likely = |likelihood: &f64| *likelihood >= best - AS_LIKELY.ln();
    let (first, last) = (likelihoods.iter().position(likely)?, likelihoods.iter().rposition(likely)?);
    if first == 0 && last == hops.len() {
        return None;
    }
    let name = |address: IpAddr| facts.trace.named(address);
    let before = first.checked_sub(1).and_then(|place| hops.get(place));
    let text = match (before, hops.get(last)) {
        (None, Some(hop)) if hop.number == 1 => {
            format!("between this machine and its first router {}", name(hop.address))
        }
        (None, Some(hop)) => {
            format!("between this machine and {} (hop {})", name(hop.address), hop.number)
        }
        (Some(before), Some(hop)) => {
            format!("between {} and {} (hop {})", name(before.address), name(hop.address), hop.number)
        }
        (Some(before), None) => {
            format!(
                "after {} (hop {}), on the last stretch to the server",
                name(before.address),
                before.number
            )
        }
        (None, None) => return None,
    };
    Some(Place { text, span: hops.get(last).map(|hop| hop.span) })
}

/// The hops that were pinged, in the order of the way.
fn hops<'a>(facts: &Facts<'a>) -> Vec<Hop<'a>> {
    let mut hops: Vec<Hop<'a>> = Vec::new();
    for (place, span) in facts.pings("hop").enumerate() {
        let (Some(address), Some(sent)) = (span.address("ping.target"), span.int("ping.sent")) else {
            continue;
        };
        let ttl = facts
            .trace
            .all("hop")
            .find(|hop| hop.address("hop.address") == Some(address))
            .and_then(|hop| hop.int("hop.ttl"));
        let received = span.int("ping.received").unwrap_or(0);
        if sent > 0 && received > 0 {
            let (number, lost) = (ttl.unwrap_or(place as i64 + 1), (sent - received) as f64);
            hops.push(Hop { span, address, number, sent: sent as f64, lost });
        }
    }
    hops.sort_by_key(|hop| hop.number);
    hops
}

fn likelihood(counts: &[(f64, f64)], begin: usize) -> f64 {
    let (sent, lost) = counts[begin..].iter().fold((0.0, 0.0), |(sent, lost), (s, l)| (sent + s, lost + l));
    let share = (lost / sent).clamp(QUIET_LOSS, 1.0 - QUIET_LOSS);
    counts
        .iter()
        .enumerate()
        .map(|(place, (sent, lost))| {
            let p = if place < begin { QUIET_LOSS } else { share };
            lost * p.ln() + (sent - lost) * (1.0 - p).ln()
        })
        .sum()
}
