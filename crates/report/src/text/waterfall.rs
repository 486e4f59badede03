//! Where the time went: one bar per step of the request, and the extra checks below without bars.

use super::escape::for_style;
use super::layout::{fit, right, time, width, wrap};
use super::{Mark, Paint, Style, heading, paint};
use thru_trace::{Layer, Outcome, Span, Trace};

/// Steps of one parent beyond these are counted, not drawn.
const SIBLINGS_MAX: usize = 8;
/// Deeper steps are left to the JSON.
const DEPTH_MAX: usize = 3;
/// Checks beyond these are left to the JSON.
const CHECKS_MAX: usize = 24;
const TIME_COLUMNS: usize = 8;

/// The bars, with their heading; nothing when there is no span.
pub(super) fn render(trace: &Trace, style: &Style) -> String {
    let rows = steps(trace);
    let start = rows.iter().filter_map(|row| row.span()).map(|span| span.start).min().unwrap_or(0);
    let end = rows.iter().filter_map(|row| row.span()).map(|span| span.end).max().unwrap_or(0);
    if rows.is_empty() {
        return String::new();
    }
    let label_columns = label_columns(&rows, style);
    let bar_columns = style.width.saturating_sub(label_columns + TIME_COLUMNS + 2).max(8);
    let total = format!("total {}", time(end.saturating_sub(start), style));
    let mut out = heading("Where the time went", style);
    let scale = Scale { start, end, columns: bar_columns };
    out.push_str(&paint(
        &format!("{} {}\n", " ".repeat(label_columns), right(&total, bar_columns + 1 + TIME_COLUMNS)),
        Paint::Dim,
        style,
    ));
    for row in &rows {
        match row {
            Row::More { depth, count } => {
                out.push_str(&for_style(&format!("  {}… and {count} more", "  ".repeat(*depth)), style));
                out.push('\n');
            }
            Row::Step { depth, span } => {
                let mark = mark(span);
                // A packet seen is a moment, not a step that went well or not.
                let moment = span.what == "segment" && span.nanos() == 0;
                let label = fit(
                    &format!("{}{}", "  ".repeat(*depth), for_style(&name(span), style)),
                    label_columns - 2,
                    style,
                );
                let took = match span.outcome {
                    Outcome::Skipped { .. } => String::from("skipped"),
                    _ if moment => String::new(),
                    _ => time(span.nanos(), style),
                };
                let bar = match span.outcome {
                    Outcome::Skipped { .. } => " ".repeat(bar_columns),
                    _ => scale.bar(span, style),
                };
                let tone = match mark {
                    Mark::Failed => Paint::Bad,
                    _ => Paint::Good,
                };
                let line = format!(
                    "{} {label} {} {}",
                    if moment { String::from(" ") } else { mark.sign(style) },
                    paint(bar.trim_end(), tone, style) + &" ".repeat(bar.len() - bar.trim_end().len()),
                    right(&took, TIME_COLUMNS)
                );
                out.push_str(line.trim_end());
                out.push('\n');
            }
        }
    }
    out
}

/// What was measured besides the request, to tell causes apart.
pub(super) fn checks(trace: &Trace, style: &Style) -> String {
    let checks = worth_showing(trace);
    if checks.is_empty() {
        return String::new();
    }
    let mut out = heading("Extra checks, to tell causes apart", style);
    for (name, check) in &checks {
        let plain = Style { color: false, ..*style };
        let mark = check_mark(check);
        let start = format!("{} ", mark.sign(&plain));
        let line = told(name, &check_result(trace, check, style));
        let lines = wrap(&for_style(&line, style), &start, style.width);
        let (head, rest) = lines.split_at(start.len());
        let tone = match mark {
            Mark::Failed => Paint::Bad,
            Mark::Slow => Paint::Warn,
            _ => Paint::Good,
        };
        out.push_str(&paint(head, tone, style));
        out.push_str(rest);
    }
    out
}

/// A check and what came of it, in a line.
pub(crate) fn told(name: &str, result: &str) -> String {
    format!("{name}{} {result}", if name.ends_with('?') { "" } else { ":" })
}

/// The checks with their names, each name once.
pub(crate) fn worth_showing(trace: &Trace) -> Vec<(String, &Span)> {
    let checks: Vec<(String, &Span)> = trace
        .spans
        .iter()
        .filter(|span| trace.is_check(span))
        .filter(|span| {
            span.parent.and_then(|parent| trace.span(parent)).is_none_or(|parent| !trace.is_check(parent))
        })
        .map(|span| (check_name(trace, span), span))
        .collect();
    let mut shown: Vec<(String, &Span)> = Vec::new();
    for (name, check) in &checks {
        // Of several trains of pings to one place the longest says it all.
        let longer = |(other_name, other): &(String, &Span)| {
            other_name == name && count(other, "ping.sent") > count(check, "ping.sent")
        };
        if shown.iter().any(|(known, _)| known == name) || check.what == "ping" && checks.iter().any(longer) {
            continue;
        }
        if shown.len() == CHECKS_MAX {
            break;
        }
        shown.push((name.clone(), check));
    }
    shown
}

fn count(span: &Span, key: &str) -> i64 {
    span.int(key).unwrap_or(0)
}

/// Pings that came back only in part are neither well nor failed; a question whose answer is no has not failed either.
pub(crate) fn check_mark(span: &Span) -> Mark {
    if let Some((mark, _)) = answered(span) {
        return mark;
    }
    if let Some((answered, tries)) = some_of(span) {
        return match answered {
            0 => Mark::Failed,
            _ if answered < tries => Mark::Slow,
            _ => Mark::Ok,
        };
    }
    if span.what == "ping" && span.is_ok() && count(span, "ping.received") < count(span, "ping.sent") {
        return Mark::Slow;
    }
    mark(span)
}

/// A line of the waterfall.
pub(crate) enum Row<'a> {
    Step { depth: usize, span: &'a Span },
    More { depth: usize, count: usize },
}

impl<'a> Row<'a> {
    pub(crate) fn span(&self) -> Option<&'a Span> {
        match self {
            Row::Step { span, .. } => Some(span),
            Row::More { .. } => None,
        }
    }
}

/// The steps of the request, parents before their parts.
pub(crate) fn steps(trace: &Trace) -> Vec<Row<'_>> {
    let mut rows = Vec::new();
    for span in trace.roots().filter(|span| !trace.is_check(span)) {
        collect(trace, span, 0, &mut rows);
    }
    rows
}

fn collect<'a>(trace: &'a Trace, span: &'a Span, depth: usize, rows: &mut Vec<Row<'a>>) {
    // The connection's final counters are facts, not a step.
    if span.what == "connection" {
        return;
    }
    rows.push(Row::Step { depth, span });
    if depth == DEPTH_MAX {
        return;
    }
    let parts: Vec<&Span> = parts(trace, span).collect();
    for (place, part) in parts.iter().take(SIBLINGS_MAX).enumerate() {
        // The same steps below two neighbours are shown once.
        if parts[..place].iter().any(|before| same_steps(trace, before, part)) {
            rows.push(Row::Step { depth: depth + 1, span: part });
        } else {
            collect(trace, part, depth + 1, rows);
        }
    }
    if parts.len() > SIBLINGS_MAX {
        rows.push(Row::More { depth: depth + 1, count: parts.len() - SIBLINGS_MAX });
    }
}

fn parts<'a>(trace: &'a Trace, span: &'a Span) -> impl Iterator<Item = &'a Span> {
    trace.children(span.id).filter(|part| !trace.is_check(part))
}

/// Whether two questions were worked on in the same steps with the same success.
fn same_steps(trace: &Trace, one: &Span, other: &Span) -> bool {
    let steps = |span| parts(trace, span).map(|part| (name(part), part.is_ok()));
    (one.what.as_str(), other.what.as_str()) == ("dns.query", "dns.query")
        && parts(trace, one).next().is_some()
        && steps(one).eq(steps(other))
}

/// Labels get what they need, up to two fifths of the line.
fn label_columns(rows: &[Row<'_>], style: &Style) -> usize {
    let need = rows
        .iter()
        .map(|row| match row {
            Row::Step { depth, span } => 2 * depth + width(&for_style(&name(span), style)),
            Row::More { depth, .. } => 2 * depth + 14,
        })
        .max()
        .unwrap_or(0);
    (need + 2).clamp(16, (style.width * 9 / 20).max(16))
}

struct Scale {
    start: u64,
    end: u64,
    columns: usize,
}

impl Scale {
    /// Eighths of a cell from the left edge; exact in integers, so it is the same everywhere.
    fn eighths(&self, at: u64) -> usize {
        let whole = u128::from(self.end.saturating_sub(self.start)).max(1);
        let part = u128::from(at.saturating_sub(self.start));
        (part * (self.columns as u128) * 8 / whole) as usize
    }

    fn bar(&self, span: &Span, style: &Style) -> String {
        let from = (self.eighths(span.start) / 8).min(self.columns.saturating_sub(1));
        // What took no time is a tick, wherever in its cell it happened.
        let end = if span.nanos() == 0 { 0 } else { self.eighths(span.end) };
        let to = end.min(self.columns * 8).max(from * 8 + 1);
        let failed = span.code().is_some();
        let mut bar = " ".repeat(from);
        let (full, rest) = ((to - from * 8) / 8, (to - from * 8) % 8);
        if style.ascii {
            let cell = if failed { "x" } else { "=" };
            bar.push_str(&cell.repeat(full + usize::from(rest > 3 || full == 0)));
        } else if failed {
            bar.push_str(&"▒".repeat(full + usize::from(rest > 3 || full == 0)));
        } else {
            bar.push_str(&"█".repeat(full));
            bar.push_str(["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][rest]);
        }
        fit(&bar, self.columns, style)
    }
}

pub(crate) fn mark(span: &Span) -> Mark {
    match span.outcome {
        Outcome::Ok => Mark::Ok,
        Outcome::Failed { .. } => Mark::Failed,
        Outcome::Skipped { .. } => Mark::Idle,
    }
}

/// The step in plain words. Built from values where there are any, so that what tells steps apart comes early: a
/// narrow terminal cuts the end.
pub(crate) fn name(span: &Span) -> String {
    let label = span.label.as_str();
    let with = |verb: &str, object: Option<String>| match object {
        Some(object) if !object.is_empty() => format!("{verb} {object}"),
        _ => verb.to_owned(),
    };
    let of = |key: &str| span.text(key).map(|text| text.trim_end_matches('.').to_owned());
    let server = || span.address("dns.server").map(|address| address.to_string());
    match span.what.as_str() {
        "resolve" => with("find the address of", of("dns.name").or(Some(label.to_owned()))),
        what @ ("dns.query" | "dns.step") => match (server(), of("dns.type")) {
            (Some(server), Some(kind)) if what == "dns.query" => format!("ask {server}: {kind}"),
            (server, kind) if what == "dns.step" => {
                // What a validating resolver asks beside the question.
                let asks = match kind.as_deref() {
                    Some("DNSKEY") => "keys from",
                    Some("DS") => "DS from",
                    _ => "it asks",
                };
                with(asks, of("dns.server_name").or(server))
            }
            _ => with("ask", Some(label.to_owned())),
        },
        "connect" => with("connect to", of("tcp.remote").or(Some(label.to_owned()))),
        "handshake" if span.layer == Layer::Quic => String::from("connect with encryption (QUIC)"),
        "handshake" => String::from("agree on encryption"),
        "request" => String::from("send the request"),
        "wait" => String::from("wait for the server"),
        "transfer" => String::from("receive the answer"),
        what if label.is_empty() => what.to_owned(),
        "exchange" | "segment" => label.to_owned(),
        what if label.starts_with(what) => label.to_owned(),
        what => format!("{what} {label}"),
    }
}

pub(crate) fn check_name(trace: &Trace, span: &Span) -> String {
    let target = |verb: &str| match span.address("ping.target") {
        Some(address) => format!("{verb} {}", trace.named(address)),
        None => format!("{verb} {}", span.label),
    };
    let port = || match span.int("port") {
        Some(port) => format!("port {port} of the same server"),
        None => String::from("another port of the same server"),
    };
    match (span.what.as_str(), span.text("control.kind"), span.text("ping.purpose")) {
        ("control", Some("other_resolver"), _) => String::from("another name server"),
        ("control", Some("iterate"), _) => {
            String::from("asking the name's own servers ourselves, from the root down")
        }
        ("control", Some("checking_disabled"), _) => String::from("asking without a check of signatures"),
        ("control", Some("small_mss"), _) => String::from("the same request in small packets"),
        ("control", Some("other_port"), _) => port(),
        ("control", Some("ping"), _) => String::from("pings to the server"),
        ("control", Some("other_site"), _) => String::from("another site, to prove our own way out"),
        ("control", Some("other_family"), _) => String::from("the other IP version"),
        ("control", Some("over_tcp"), _) => String::from("the same name server over TCP"),
        ("control", Some("clock"), _) => String::from("the clock of another server"),
        ("control", Some("repeated"), _) => String::from("the same name once more"),
        ("control", Some("without_edns"), _) => {
            String::from("the same name server, asked for a small answer")
        }
        ("control", Some("other_source"), _) => String::from("new connections to the same server"),
        ("control", Some("other_site_source"), _) => String::from("new connections to another site"),
        ("control", Some("other_site_name"), _) => String::from("finding the address of another site"),
        ("route", ..) => span.label.clone(),
        ("ping", _, Some("loaded")) => format!("{} while the answer was awaited", target("ping")),
        ("ping", _, Some("hop")) => target("ping the router"),
        ("ping", ..) => target("ping"),
        _ => span.label.clone(),
    }
}

/// Of a check that tries several times: how often it was answered, and how often it tried.
fn some_of(span: &Span) -> Option<(i64, i64)> {
    let of = |kind: &str| span.int(&format!("{kind}.answered")).zip(span.int(&format!("{kind}.tries")));
    of("source").or_else(|| of("repeat"))
}

/// The answers to questions for which "worked" and "failed" are not the words.
fn answered(span: &Span) -> Option<(Mark, &'static str)> {
    let failed = |code: &str| matches!(&span.outcome, Outcome::Failed { code: found, .. } if found == code);
    match span.text("control.kind")? {
        "other_address" if span.is_ok() => Some((Mark::Ok, "no, another one is in order")),
        "other_address" if failed("tls.alike") => Some((Mark::Idle, "yes, or they do not answer")),
        // Cut to the size that was asked for, it has room for no address.
        "without_edns" if failed("dns.no_data") => Some((Mark::Ok, "it answers")),
        "nonsense" if failed("dns.nxdomain") => Some((Mark::Ok, "no, as it should be")),
        "nonsense" if span.bool("nonsense.same") == Some(true) => {
            Some((Mark::Failed, "yes, at the same address, though nobody has that name"))
        }
        "nonsense" if span.is_ok() => Some((Mark::Idle, "yes, at another address")),
        _ => None,
    }
}

pub(crate) fn check_result(trace: &Trace, span: &Span, style: &Style) -> String {
    if let Some((_, words)) = answered(span) {
        return words.to_owned();
    }
    let took = time(span.nanos(), style);
    // A check that is a ping says what the ping says.
    if span.text("control.kind") == Some("ping")
        && let Some(ping) = trace.children_of(span.id, "ping").next()
    {
        return check_result(trace, ping, style);
    }
    if let Some((answered, tries)) = some_of(span) {
        return format!("{answered} of {tries} were answered, {took}");
    }
    if let Outcome::Failed { text, .. } = &span.outcome {
        let last = span.address("route.last_responding").map(|address| trace.named(address));
        return match last {
            Some(last) => format!("{text}; the last to answer was {last}"),
            None => format!("{text}, {took}"),
        };
    }
    if let Outcome::Skipped { why } = &span.outcome {
        return format!("not done, {why}");
    }
    match span.what.as_str() {
        "ping" => {
            let received = span.int("ping.received").unwrap_or(0);
            let sent = span.int("ping.sent").unwrap_or(0);
            let rtt = span
                .nanos_of("ping.rtt_avg")
                .map(|rtt| format!(", round trip {}", time(rtt, style)))
                .unwrap_or_default();
            format!("{received} of {sent} came back{rtt}")
        }
        "route" => {
            let hops =
                trace.children_of(span.id, "hop").filter_map(|hop| hop.int("hop.ttl")).max().unwrap_or(0);
            match span.bool("route.reached") {
                Some(true) => format!("reached in {hops} {}", if hops == 1 { "hop" } else { "hops" }),
                _ => format!(
                    "not reached; the last to answer was {}",
                    span.address("route.last_responding")
                        .map_or_else(|| String::from("nobody"), |address| trace.named(address))
                ),
            }
        }
        _ => format!("worked, {took}"),
    }
}
