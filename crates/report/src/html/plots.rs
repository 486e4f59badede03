//! What the packets show over time: bytes that arrived, round trips, bytes under way.

use super::chart::{Series, Shape, Unit, chart};
use super::limits;
use super::markup::Page;
use super::packets::{Seen, Tcp};
use std::collections::BTreeMap;
use std::fmt::Write;
use thru_dissect::summary::insight::Insight;

/// A connection of fewer packets has nothing to plot.
const FRAMES_MIN: usize = 12;

/// The section: the connection that carried most, be it TCP or QUIC. `partial`: packets of the capture are missing; then what
/// was carried is told by sequence numbers, which QUIC does not show.
pub(super) fn draw(page: &mut Page, seen: &[Seen], insight: &Insight, partial: bool) {
    let mut flows: BTreeMap<(bool, u64, u64), u64> = BTreeMap::new();
    for one in seen {
        let Some(key) = key(one) else { continue };
        let carried = flows.entry(key).or_default();
        match &one.tcp {
            Some(tcp) if partial => *carried = (*carried).max(tcp.seq + tcp.len),
            _ => *carried += one.size as u64,
        }
    }
    flows.retain(|(tcp, ..), _| *tcp || !partial);
    let Some((&flow, _)) = flows.iter().max_by_key(|(_, bytes)| **bytes) else { return };
    let frames: Vec<&Seen> = seen.iter().filter(|one| key(one) == Some(flow)).collect();
    if frames.len() < FRAMES_MIN {
        return;
    }
    // Times of a capture may run backwards: the last frame need not be the latest.
    let times = || frames.iter().map(|frame| frame.at);
    let span = (times().min().unwrap_or_default(), times().max().unwrap_or_default());
    let mut out = String::new();
    if flow.0 {
        out.push_str(&chart("Bytes carried", Unit::Bytes, &carried(&frames), span));
        out.push_str(&chart("Round trips", Unit::Nanos, &round_trips(&frames), span));
        out.push_str(&chart("Bytes under way, as seen from here", Unit::Bytes, &under_way(&frames), span));
        out.push_str(&held_back(&frames, insight, flow.1, span));
    } else {
        out.push_str(&chart("Bytes carried", Unit::Bytes, &datagrams(&frames), span));
    }
    let others = flows.len() - 1;
    if others > 0 {
        let _ = writeln!(
            out,
            "<p class=\"soft\">The connection that carried most; {others} {} not plotted.</p>",
            if others == 1 { "other is" } else { "others are" }
        );
    }
    page.section("plots", "Over time", &out);
}

/// What held each direction's sender back.
fn held_back(frames: &[&Seen], insight: &Insight, stream: u64, span: (u64, u64)) -> String {
    let Some([opener, other]) = insight.held_back(stream) else { return String::new() };
    let by_us = insight
        .opened_by(stream)
        .is_some_and(|(address, _)| frames.iter().any(|one| one.outbound && one.from == Some(address)));
    let (sent, received) = if by_us { (opener, other) } else { (other, opener) };
    limits::band(&[("received", &received), ("sent", &sent)], span.0, span)
}

fn key(one: &Seen) -> Option<(bool, u64, u64)> {
    match (&one.tcp, one.udp) {
        (Some(tcp), _) => Some((true, tcp.stream, 0)),
        (None, Some((ours, theirs))) if one.protocol == "quic" || theirs == 443 => {
            Some((false, ours, theirs))
        }
        _ => None,
    }
}

fn segments<'a>(frames: &'a [&'a Seen]) -> impl Iterator<Item = (&'a Seen, &'a Tcp)> {
    frames.iter().filter_map(|one| Some((*one, one.tcp.as_ref()?)))
}

/// How far each direction got, and what had to be sent again or was lost.
fn carried(frames: &[&Seen]) -> Vec<Series> {
    let mut ways = [Vec::new(), Vec::new()];
    let mut highest = [0u64; 2];
    let mut trouble = Vec::new();
    for (one, tcp) in segments(frames) {
        let way = usize::from(one.outbound);
        let end = tcp.seq + tcp.len;
        let again = one.dropped.is_some() || one.trouble.iter().any(|word| word.contains("retransmission"));
        if again && tcp.len > 0 {
            trouble.push((one.at, end));
        }
        if one.dropped.is_none() && tcp.len > 0 && end > highest[way] {
            highest[way] = end;
            ways[way].push((one.at, end));
        }
    }
    let [received, sent] = ways;
    vec![
        Series { name: "received".into(), shape: Shape::Steps, points: received },
        Series { name: "sent".into(), shape: Shape::Steps, points: sent },
        Series { name: "lost, or sent again".into(), shape: Shape::Trouble, points: trouble },
    ]
}

/// From a timestamp we sent to its return, and from data we sent to its acknowledgement.
fn round_trips(frames: &[&Seen]) -> Vec<Series> {
    let mut stamped: BTreeMap<u64, u64> = BTreeMap::new();
    let mut echoed = Vec::new();
    let mut acknowledged = Vec::new();
    let mut unanswered: Vec<(u64, u64)> = Vec::new();
    let mut last_echo = None;
    for (one, tcp) in segments(frames) {
        if one.outbound {
            if let Some((value, _)) = tcp.timestamps {
                stamped.entry(value).or_insert(one.at);
            }
            if tcp.len > 0 && one.trouble.is_empty() {
                unanswered.push((tcp.seq + tcp.len, one.at));
            }
            continue;
        }
        if let Some((_, echo)) = tcp.timestamps
            && last_echo != Some(echo)
        {
            last_echo = Some(echo);
            if let Some(&sent) = stamped.get(&echo) {
                echoed.push((one.at, one.at.saturating_sub(sent)));
            }
            // What is older will not be sent back any more.
            stamped = stamped.split_off(&echo);
        }
        if let Some(ack) = tcp.ack {
            let covered = unanswered.iter().rev().find(|(end, _)| *end <= ack).copied();
            if let Some((_, sent)) = covered {
                acknowledged.push((one.at, one.at.saturating_sub(sent)));
            }
            unanswered.retain(|(end, _)| *end > ack);
        }
    }
    vec![
        Series { name: "by timestamps".into(), shape: Shape::Dots, points: echoed },
        Series { name: "by acknowledgements".into(), shape: Shape::Dots, points: acknowledged },
    ]
}

/// What was sent and not yet acknowledged, for each direction.
fn under_way(frames: &[&Seen]) -> Vec<Series> {
    let mut ways = [Vec::new(), Vec::new()];
    let (mut highest, mut acked) = ([1u64; 2], [1u64; 2]);
    for (one, tcp) in segments(frames) {
        let way = usize::from(one.outbound);
        highest[way] = highest[way].max(tcp.seq + tcp.len);
        if let Some(ack) = tcp.ack {
            acked[1 - way] = acked[1 - way].max(ack);
        }
        for side in [0, 1] {
            ways[side].push((one.at, highest[side].saturating_sub(acked[side])));
        }
    }
    let [theirs, ours] = ways;
    vec![
        Series { name: "from the server".into(), shape: Shape::Steps, points: theirs },
        Series { name: "from us".into(), shape: Shape::Steps, points: ours },
    ]
}

/// Datagrams have no sequence numbers to read: their bytes are summed up.
fn datagrams(frames: &[&Seen]) -> Vec<Series> {
    let mut ways = [Vec::new(), Vec::new()];
    let mut sums = [0u64; 2];
    let mut lost = Vec::new();
    for one in frames {
        let way = usize::from(one.outbound);
        if one.dropped.is_some() {
            lost.push((one.at, sums[way]));
            continue;
        }
        sums[way] += one.size as u64;
        ways[way].push((one.at, sums[way]));
    }
    let [received, sent] = ways;
    vec![
        Series { name: "received".into(), shape: Shape::Steps, points: received },
        Series { name: "sent".into(), shape: Shape::Steps, points: sent },
        Series { name: "lost".into(), shape: Shape::Trouble, points: lost },
    ]
}
