//! What the two ends offered each other at the beginning of the connection, and what it cost: options that a device on the
//! way took out, windows that are too small for the distance, a question for ECN that is never answered.

use crate::facts::{Facts, ms, times};
use crate::thresholds::{MS, SLOW_TRANSFER};
use crate::vote::Vote;
use thru_trace::Span;
use thru_trace::offers::{Offers, offers};

/// Without a scale no window is larger.
const UNSCALED: u64 = 65_535;
/// A transfer that moved this share of what the window allows was limited by it.
const LIMITED_PERCENT: u64 = 55;
/// What a host has to take that was told of no segment size (RFC 9293 3.7.1), for IPv4 and for IPv6.
const UNTOLD: i64 = 1_220;
/// Below this no host goes by itself: 536 is what everybody takes, less room for options.
const TINY: i64 = 400;

pub(super) fn rule(facts: &Facts<'_>) -> Vec<Vote> {
    let mut votes: Vec<Vote> = ecn(facts).into_iter().collect();
    let Some(connection) = facts.connection().filter(|_| !facts.trace.packets.is_empty()) else {
        return votes;
    };
    let seen = offers(facts.trace, connection);
    votes.extend(no_segment_size(facts, connection, &seen));
    votes.extend(tiny_segments(facts, connection, &seen));
    votes.extend(small_window(facts, &seen));
    votes
}

/// The server's first packet says nothing of segments, so both ends send the smallest.
fn no_segment_size(facts: &Facts<'_>, connection: &Span, seen: &Offers) -> Option<Vote> {
    let (ours, theirs) = (seen.ours.last()?, seen.theirs.as_ref()?);
    let agreed = connection.int("tcp.mss")?;
    if ours.segment.is_none() || theirs.segment.is_some() || agreed > UNTOLD {
        return None;
    }
    Some(
        Vote::disturbed(
            &["TCP21"],
            0.9,
            format!(
                "{} works, but only in the smallest packets ({agreed} bytes): the size of segments is missing from the handshake.",
                facts.subject()
            ),
        )
        .cost(facts.rtt().unwrap_or(MS))
        .cite_frames(&[ours.frame, theirs.frame], "this machine says which segments it takes (MSS), the answer does not")
        .cite(connection, format!("so segments of {agreed} bytes were used, where about 1400 would fit"))
        .rule_out("IP09", "no packet was too large; all are far too small")
        .network("look for a firewall or router that takes options out of TCP's first packets, and let it leave them")
        .service("if visitors from everywhere see it: check the server's own TCP settings"),
    )
}

/// A size of segments was told that no host has to put up with (RFC 9293 3.7.1: 536).
fn tiny_segments(facts: &Facts<'_>, connection: &Span, seen: &Offers) -> Option<Vote> {
    let (ours, theirs) = (seen.ours.last()?, seen.theirs.as_ref()?);
    let agreed = connection.int("tcp.mss").filter(|agreed| (1..TINY).contains(agreed))?;
    theirs.segment?;
    Some(
        Vote::disturbed(
            &["TCP21"],
            0.9,
            format!("{} works, but only in tiny packets ({agreed} bytes): somebody on the way, or one of both ends, asks for no more.", facts.subject()),
        )
        .cost(facts.rtt().unwrap_or(MS))
        .cite_frames(&[ours.frame, theirs.frame], format!("the handshake agrees on segments of {agreed} bytes, where about 1400 would fit"))
        .rule_out("IP09", "no packet was too large; all are far too small")
        .network("look for a router or VPN that rewrites the segment size (MSS clamping) with a wrong value")
        .service("check the MTU of the server's interface and the segment size set on its routes (advmss)"),
    )
}

/// As much was on the way as the receiver's window allows, all the time.
fn small_window(facts: &Facts<'_>, seen: &Offers) -> Option<Vote> {
    let exchange = facts.delivered()?;
    let transfer = facts.trace.children_of(exchange.id, "transfer").last()?;
    let (rtt, bytes) = (facts.rtt()?, u64::try_from(exchange.int("http.bytes")?).ok()?);
    let (ours, theirs) = (seen.ours.last()?, seen.theirs.as_ref()?);
    let took = transfer.nanos();
    let window = seen.own_window;
    if took < SLOW_TRANSFER || window == 0 || window > UNSCALED || bytes < 4 * window {
        return None;
    }
    let on_the_way = u64::try_from(u128::from(bytes) * u128::from(rtt) / u128::from(took.max(1))).ok()?;
    if on_the_way * 100 < window * LIMITED_PERCENT {
        return None;
    }
    let subject = facts.subject();
    let rate = format!("{} kB in each round trip of {}", on_the_way / 1_000, ms(rtt));
    let modern = theirs.sack || theirs.timestamps;
    if ours.scale.is_some() && theirs.scale.is_none() {
        let causes: &[&str] = &["TCP14"];
        return Some(
            Vote::disturbed(
                causes,
                if modern { 0.9 } else { 0.75 },
                format!("{subject} works, but slowly: its answer does not know larger windows, so only 64 kB may be on the way at once."),
            )
            .cost(took)
            .explains(&["TCP13", "IP18", "APP06"])
            .cite_frames(&[ours.frame, theirs.frame], "this machine offers larger windows (window scale), the answer does not take it up")
            .cite(transfer, format!("the answer came at {rate}, about as much as fits into a window without a scale"))
            .rule_out("TCP13", "this machine offered a larger window; it is the scale that is missing")
            .rule_out("IP17", "no packet was lost")
            .network("look for a firewall or router that takes options out of TCP's first packets, and let it leave them")
            .service("if visitors from everywhere see it: turn window scaling on at the server"),
        );
    }
    Some(
        Vote::disturbed(
            &["TCP13"],
            0.9,
            format!("{subject} works, but slowly: this machine lets only {} kB be on the way at once, too little for the distance.", window / 1_000),
        )
        .cost(took)
        .explains(&["IP18", "APP06"])
        .cite(transfer, format!("the answer came at {rate}, as much as this machine's window of {} kB allows", window / 1_000))
        .rule_out("IP17", "no packet was lost")
        .rule_out("TCP14", "the scale of windows is not what is missing")
        .rule_out("APP06", "the server sends as soon as it may")
        .user("raise the receive buffers of this machine, or let them grow by themselves (tcp_rmem, SO_RCVBUF of the program)"),
    )
}

/// Connections that ask for ECN are never answered, and at once when they do not.
pub(super) fn ecn(facts: &Facts<'_>) -> Option<Vote> {
    let mut dropped = Vec::new();
    let mut waited = 0;
    let mut connections = 0;
    let mut first: Option<&Span> = None;
    for connect in facts.trace.all("connect") {
        let seen = offers(facts.trace, connect);
        let asking: Vec<u64> = seen.ours.iter().filter(|offer| offer.ecn).map(|offer| offer.frame).collect();
        if asking.is_empty() {
            continue;
        }
        // One that was answered although it asked shows that asking does no harm.
        let plain = seen.ours.iter().find(|offer| !offer.ecn);
        match (plain, &seen.theirs) {
            (Some(plain), Some(answer)) if answer.at >= plain.at => {
                waited += plain.at.saturating_sub(seen.ours[0].at);
                first.get_or_insert(connect);
            }
            (_, None) => {}
            _ => return None,
        }
        connections += i64::from(seen.theirs.is_some());
        dropped.extend(asking);
    }
    let first = first?;
    let causes: &[&str] = if connections > 1 { &["IP28"] } else { &["IP28", "TCP07"] };
    let vote = Vote::disturbed(
        causes,
        if connections > 1 { 0.92 } else { 0.7 },
        format!(
            "{} works, but something on the way drops connections that ask for congestion notification (ECN), which cost {}.",
            facts.subject(),
            ms(waited)
        ),
    )
    .cost(waited)
    .explains(&["TCP07", "TCP03", "IP13", "IP14", "IP31", "IP19", "TCP18"])
    .cite_frames(&dropped, format!("{} asking for ECN, no answer came, in {}", times(dropped.len() as i64), of(connections)))
    .cite(first, "asked again without ECN, the answer came at once")
    .rule_out("FW01", "the same port answers who does not ask for ECN")
    .network("look for an old firewall that drops TCP packets with the ECE and CWR bits (RFC 3168), and update it")
    .user("as a stopgap, turn ECN off on this machine (net.ipv4.tcp_ecn = 2)");
    Some(match causes {
        [_, _, ..] => {
            vote.probe("connect several times with and without ECN: chance does not choose", causes)
        }
        _ => vote.rule_out("TCP07", "it happened to every connection that asked, and to none that did not"),
    })
}

fn of(connections: i64) -> String {
    match connections {
        1 => String::from("one connection"),
        many => format!("{many} connections"),
    }
}

/// What the capture shows of a window that stays shut, for requests that came to a standstill.
pub(crate) fn shut(facts: &Facts<'_>, stalled: &Span, waited: &str) -> Option<Vote> {
    let connection = facts.connection()?;
    let (since, frames) = offers(facts.trace, connection).shut?;
    if stalled.end.saturating_sub(since) < SLOW_TRANSFER || frames.len() < 2 {
        return None;
    }
    Some(
        Vote::broken(
            &["TCP12"],
            0.92,
            format!("{} does not read what it is sent: its receive window has been shut for {}.", facts.subject(), ms(stalled.end - since)),
        )
        .explains(&["APP05", "TLS23", "IP10", "IP09", "TCP11"])
        .cite(stalled, format!("nothing came for {waited}"))
        .cite_frames(&frames, "the server's machine answers each probe with a window of 0 bytes")
        .rule_out("IP10", "the server's machine says itself that it takes nothing now; nothing was lost")
        .rule_out("APP05", "a program that only thinks has read the request")
        .service("look why the server's program does not read: it is stopped, overloaded, or waits for something else")
        .user("nothing to repair here; try again later"),
    )
}
