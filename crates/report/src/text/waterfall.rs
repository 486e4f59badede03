//! Where the time went: one bar per step of the request, and the extra checks below without bars.

use super::escape::for_style;
use super::layout::{fit, right, time, width, wrap};
use super::{Mark, Paint, Style, heading, paint};
use thru_trace::{Outcome, Span, Trace};

/// Steps of one parent beyond these are counted, not drawn.
const SIBLINGS_MAX: usize = 12;
/// Deeper steps are left to the JSON.
const DEPTH_MAX: usize = 3;
const TIME_COLUMNS: usize = 8;

/// The bars, with their heading; nothing when there is no span.
pub(super) fn render(trace: &Trace, style: &Style) -> String {
    let mut rows = Vec::new();
    for span in trace.roots().filter(|span| !trace.is_check(span)) {
        collect(trace, span, 0, &mut rows);
    }
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
                out.push_str(&for_style(&format!("  {}… and {count} more\n", "  ".repeat(*depth)), style));
            }
            Row::Step { depth, span } => {
                let mark = mark(span);
                let label = fit(
                    &format!("{}{}", "  ".repeat(*depth), for_style(&name(span), style)),
                    label_columns - 2,
                    style,
                );
                let took = match span.outcome {
                    Outcome::Skipped { .. } => String::from("skipped"),
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
                    mark.sign(style),
                    paint(&bar, tone, style),
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
    let checks: Vec<&Span> = trace
        .spans
        .iter()
        .filter(|span| trace.is_check(span))
        .filter(|span| {
            span.parent.and_then(|parent| trace.span(parent)).is_none_or(|parent| !trace.is_check(parent))
        })
        .collect();
    if checks.is_empty() {
        return String::new();
    }
    let mut out = heading("Extra checks, to tell causes apart", style);
    for check in checks.iter().take(2 * SIBLINGS_MAX) {
        let plain = Style { color: false, ..*style };
        let mark = mark(check);
        let start = format!("{} ", mark.sign(&plain));
        let line = format!("{}: {}", check_name(check), check_result(trace, check, style));
        let lines = wrap(&for_style(&line, style), &start, style.width);
        let (head, rest) = lines.split_at(start.len());
        out.push_str(&paint(head, if mark == Mark::Failed { Paint::Bad } else { Paint::Good }, style));
        out.push_str(rest);
    }
    out
}

enum Row<'a> {
    Step { depth: usize, span: &'a Span },
    More { depth: usize, count: usize },
}

impl<'a> Row<'a> {
    fn span(&self) -> Option<&'a Span> {
        match self {
            Row::Step { span, .. } => Some(span),
            Row::More { .. } => None,
        }
    }
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
    let parts: Vec<&Span> = trace.children(span.id).filter(|part| !trace.is_check(part)).collect();
    for part in parts.iter().take(SIBLINGS_MAX) {
        collect(trace, part, depth + 1, rows);
    }
    if parts.len() > SIBLINGS_MAX {
        rows.push(Row::More { depth: depth + 1, count: parts.len() - SIBLINGS_MAX });
    }
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

fn mark(span: &Span) -> Mark {
    match span.outcome {
        Outcome::Ok => Mark::Ok,
        Outcome::Failed { .. } => Mark::Failed,
        Outcome::Skipped { .. } => Mark::Idle,
    }
}

/// The step in plain words, then its label.
fn name(span: &Span) -> String {
    let verb = match span.what.as_str() {
        "resolve" => "find the address",
        "dns.query" => "ask",
        "dns.step" => "resolver asks",
        "connect" => "connect",
        "handshake" => "encrypt",
        "exchange" => "ask for the page",
        "request" => "send the request",
        "wait" => "wait for the server",
        "transfer" => "receive the answer",
        "segment" => "",
        other => other,
    };
    match (verb, span.label.as_str()) {
        ("", label) => label.to_owned(),
        (verb, "") => verb.to_owned(),
        // These three happen once inside their exchange: a label would repeat it.
        (verb, _) if matches!(span.what.as_str(), "request" | "wait" | "transfer") => verb.to_owned(),
        (verb, label) if label.starts_with(verb) => label.to_owned(),
        (verb, label) => format!("{verb} {label}"),
    }
}

fn check_name(span: &Span) -> String {
    let kind = match (span.what.as_str(), span.text("control.kind")) {
        ("control", Some("other_resolver")) => "another name server",
        ("control", Some("iterate")) => "asking from the root down ourselves",
        ("control", Some("checking_disabled")) => "asking without signature checks",
        ("control", Some("small_mss")) => "the same request in small packets",
        ("control", Some("other_port")) => "another port of the same server",
        ("control", Some("ping")) => "ping",
        ("control", Some("other_site")) => "another site, to prove our own way out",
        ("control", Some("other_family")) => "the other IP version",
        ("route", _) => "the way there",
        ("ping", _) => "ping",
        _ => "",
    };
    match kind {
        "" => span.label.clone(),
        kind if span.label.is_empty() => kind.to_owned(),
        kind if span.label.to_lowercase().starts_with(kind) => span.label.clone(),
        kind => format!("{kind}, {}", span.label),
    }
}

fn check_result(trace: &Trace, span: &Span, style: &Style) -> String {
    let took = time(span.nanos(), style);
    if let Outcome::Failed { text, .. } = &span.outcome {
        return format!("{text}, {took}");
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
                    span.text("route.last_responding")
                        .map(str::to_owned)
                        .or_else(|| span.address("route.last_responding").map(|address| address.to_string()))
                        .unwrap_or_else(|| String::from("nobody"))
                ),
            }
        }
        _ => format!("worked, {took}"),
    }
}
