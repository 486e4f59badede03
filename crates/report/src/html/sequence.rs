//! The ladder: who sent what to whom, and where it was lost.

use super::WORDS;
use super::markup::{Page, escape, place};
use super::packets::Seen;
use crate::text::layout::{cut, size, time};
use std::collections::BTreeSet;
use std::fmt::Write;
use thru_trace::{Trace, Verdict};

/// After so many rows only what the verdict cites is drawn; the rest is left to the capture file.
const ROWS_MAX: usize = 160;
/// From so many like packets in a row only the first and the last are drawn.
const RUN_MIN: usize = 5;
/// Hosts beyond these share the last line.
const LIVES_MAX: usize = 4;

const ROW: f64 = 20.0;
const TOP: f64 = 44.0;
const TIME_WIDTH: f64 = 74.0;
const LIVES_WIDTH: f64 = 330.0;
const WIDTH: f64 = 980.0;
/// Columns of the words beside an arrow.
const COLUMNS: usize = 74;

enum Row<'a> {
    One(&'a Seen),
    /// So many like the one before, with so many bytes.
    More(usize, usize),
}

/// The frames that stand in the ladder, so that links to them lead somewhere.
pub(super) fn drawn(seen: &[Seen], verdict: &Verdict) -> BTreeSet<u64> {
    let rows = rows(seen, &cited(verdict));
    rows.iter().filter_map(|row| if let Row::One(one) = row { Some(one.number) } else { None }).collect()
}

fn cited(verdict: &Verdict) -> BTreeSet<u64> {
    verdict.evidence.iter().flat_map(|evidence| evidence.frames.iter().copied()).collect()
}

/// The section; nothing if nothing was captured.
pub(super) fn draw(page: &mut Page, trace: &Trace, verdict: &Verdict, seen: &[Seen]) {
    let cited = cited(verdict);
    let rows = rows(seen, &cited);
    if rows.is_empty() {
        return;
    }
    let lives = lives(trace, &rows);
    let height = TOP + ROW * rows.len() as f64 + 10.0;
    let mut svg = format!(
        "<div class=\"scroll\"><svg class=\"wide\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"packets in order of time\">\n",
        place(WIDTH),
        place(height)
    );
    for (index, name) in lives.iter().enumerate() {
        let x = column(index, lives.len());
        let anchor = if index == 0 { "start" } else { "middle" };
        // Every second name stands higher: they are longer than the way between the lines.
        let y = if index % 2 == 0 { 14.0 } else { 30.0 };
        let _ = writeln!(
            svg,
            "<line class=\"life\" x1=\"{x}\" y1=\"{}\" x2=\"{x}\" y2=\"{}\"/><text class=\"head\" x=\"{}\" y=\"{}\" text-anchor=\"{anchor}\">{}</text>",
            place(y + 4.0),
            place(height),
            if index == 0 { place(TIME_WIDTH - 8.0) } else { place(x) },
            place(y),
            escape(&cut(name, 22, &WORDS)),
            x = place(x),
        );
    }
    let first = seen.first().map_or(0, |one| one.at);
    for (index, row) in rows.iter().enumerate() {
        let y = TOP + ROW * index as f64 + ROW / 2.0;
        match row {
            Row::More(count, bytes) => {
                let _ = writeln!(
                    svg,
                    "<text class=\"soft\" x=\"{}\" y=\"{}\">… {count} more, {}</text>",
                    place(TIME_WIDTH + LIVES_WIDTH + 20.0),
                    place(y + 4.0),
                    size(*bytes as u64)
                );
            }
            Row::One(one) => {
                let there = life_of(&lives, &peer_name(trace, one));
                let far = column(there, lives.len());
                arrow(&mut svg, one, far, y, one.at.saturating_sub(first), cited.contains(&one.number));
            }
        }
    }
    svg.push_str("</svg></div>\n");
    let drawn = rows.iter().filter(|row| matches!(row, Row::One(_))).count();
    let mut out = String::from(
        "<p class=\"soft\">Time since the first frame; the number of each frame in the capture; what the verdict cites is marked.</p>\n",
    );
    out.push_str(&svg);
    if drawn < seen.len() {
        let _ = writeln!(
            out,
            "<p class=\"soft\">{drawn} of {} frames are drawn: those of pings and route probes are left out unless the verdict cites them, \
             and runs of like packets are shortened.</p>",
            seen.len()
        );
    }
    if crate::frames::is_partial(trace) {
        out.push_str(
            "<p class=\"soft\">Of this capture those packets were kept that tell most, mostly by their headers; the others \
             are in the file under the numbers that are missing here.</p>\n",
        );
    }
    page.section("packets", "Packets", &out);
}

fn arrow(svg: &mut String, one: &Seen, far: f64, y: f64, at: u64, cited: bool) {
    let near = column(0, 1);
    let (from, to) = if one.outbound { (near, far) } else { (far, near) };
    let back = if one.outbound { "" } else { " back" };
    let _ = write!(svg, "<g id=\"f{}\">", one.number);
    if cited {
        let _ = write!(
            svg,
            "<rect class=\"cited\" x=\"0\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
            place(y - ROW / 2.0),
            place(WIDTH),
            place(ROW)
        );
    }
    let _ = write!(
        svg,
        "<text class=\"soft\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
        place(TIME_WIDTH - 12.0),
        place(y + 4.0),
        time(at, &WORDS)
    );
    let side = if to > from { -7.0 } else { 7.0 };
    if one.dropped.is_some() {
        let middle = (from + to) / 2.0;
        let _ = write!(
            svg,
            "<path class=\"lost\" d=\"M{} {y}H{}\"/><path class=\"lost\" d=\"M{} {}l8 8m0 -8l-8 8\"/>",
            place(from),
            place(middle),
            place(middle - 4.0),
            place(y - 4.0),
            y = place(y),
        );
    } else {
        let _ = write!(
            svg,
            "<path class=\"way{back}\" d=\"M{} {y}H{}\"/><path class=\"tip{back}\" d=\"M{} {y}l{} -4v8z\"/>",
            place(from),
            place(to),
            place(to),
            place(side),
            y = place(y),
        );
    }
    let (class, told) = match &one.dropped {
        Some(reason) => ("lost-text", format!("{reason}; {}", one.info)),
        None if !one.trouble.is_empty() => ("note", format!("{}; {}", one.trouble.join(", "), one.info)),
        None => ("", one.info.clone()),
    };
    let told = format!("{} {} {told}", one.number, one.protocol);
    let _ = writeln!(
        svg,
        "<text class=\"{class}\" x=\"{}\" y=\"{}\">{}<title>{}</title></text></g>",
        place(TIME_WIDTH + LIVES_WIDTH + 20.0),
        place(y + 4.0),
        escape(&cut(&told, COLUMNS, &WORDS)),
        escape(&told),
    );
}

/// Where a host's line stands.
fn column(index: usize, count: usize) -> f64 {
    TIME_WIDTH + LIVES_WIDTH * index as f64 / count.saturating_sub(1).max(1) as f64
}

/// The asking host first, then its peers in the order in which they come. A peer's addresses share a line.
fn lives(trace: &Trace, rows: &[Row<'_>]) -> Vec<String> {
    let mut lives = vec![String::from(YOU)];
    for row in rows {
        let Row::One(one) = row else { continue };
        let peer = peer_name(trace, one);
        if lives.contains(&peer) {
            continue;
        }
        if lives.len() <= LIVES_MAX {
            lives.push(peer);
        } else if let Some(last) = lives.last_mut() {
            *last = String::from(OTHERS);
        }
    }
    if lives.len() == 1 {
        lives.push(String::from(OTHERS));
    }
    lives
}

const YOU: &str = "you";
const OTHERS: &str = "others";

/// The place of a peer's line; whoever has none shares the last.
fn life_of(lives: &[String], peer: &str) -> usize {
    lives.iter().position(|life| life == peer).unwrap_or(lives.len() - 1)
}

fn peer_name(trace: &Trace, one: &Seen) -> String {
    match if one.outbound { one.to } else { one.from } {
        Some(address) => match trace.names.iter().find(|(known, _)| *known == address) {
            Some((_, name)) => name.trim_end_matches('.').to_owned(),
            None => address.to_string(),
        },
        None => String::from(OTHERS),
    }
}

/// What is drawn: the request's own packets, what was lost, and what the verdict cites.
fn rows<'a>(seen: &'a [Seen], cited: &BTreeSet<u64>) -> Vec<Row<'a>> {
    let wanted = |one: &&Seen| {
        cited.contains(&one.number)
            || one.dropped.is_some() && one.tcp.is_some()
            || one.tcp.is_some()
            || matches!(one.protocol, "dns" | "quic" | "arp" | "tls" | "http3")
            || one.protocol.starts_with("icmp") && is_error(one)
    };
    let picked: Vec<&Seen> = seen.iter().filter(wanted).collect();
    let mut rows = Vec::new();
    let mut place = 0;
    while place < picked.len() {
        let rest = &picked[place..];
        let run = if rows.len() < ROWS_MAX { run(rest, cited) } else { uncited(rest, cited) };
        // The first and the last of a run are drawn; beyond the page's length only that there were so many.
        let edge = usize::from(rows.len() < ROWS_MAX);
        if run >= RUN_MIN || run > 0 && edge == 0 {
            let hidden = &rest[edge..run - edge];
            if edge == 1 {
                rows.push(Row::One(rest[0]));
            }
            rows.push(Row::More(hidden.len(), hidden.iter().map(|one| one.size).sum()));
            if edge == 1 {
                rows.push(Row::One(rest[run - 1]));
            }
            place += run;
        } else {
            rows.push(Row::One(rest[0]));
            place += 1;
        }
    }
    rows
}

/// How many frames from here on the verdict does not cite.
fn uncited(picked: &[&Seen], cited: &BTreeSet<u64>) -> usize {
    picked.iter().take_while(|one| !cited.contains(&one.number)).count()
}

fn is_error(one: &Seen) -> bool {
    ["unreachable", "exceeded", "too big", "redirect"].iter().any(|word| one.info.contains(word))
}

/// How many packets from here on say nothing new: ordinary segments of one connection, data or acknowledgements.
fn run(picked: &[&Seen], cited: &BTreeSet<u64>) -> usize {
    let plain = |one: &Seen| {
        !cited.contains(&one.number)
            && one.dropped.is_none()
            && one.trouble.is_empty()
            && !matches!(one.protocol, "dns" | "http" | "http2" | "http3" | "arp")
            && match &one.tcp {
                Some(tcp) => !tcp.syn && !one.info.contains("[R") && !one.info.contains("[F"),
                None => one.protocol == "quic",
            }
    };
    let flow = |one: &Seen| (one.tcp.as_ref().map(|tcp| tcp.stream), one.udp);
    let Some(first) = picked.first().filter(|one| plain(one)) else { return 1 };
    picked.iter().take_while(|one| plain(one) && flow(one) == flow(first)).count()
}
