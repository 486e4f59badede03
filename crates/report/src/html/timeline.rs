//! Where the time went: a bar for each step, as in a browser's developer tools.

use super::WORDS;
use super::answer::tone;
use super::markup::{Page, escape, place};
use crate::text::Mark;
use crate::text::layout::time;
use crate::text::waterfall::{Row, mark, name, steps};
use std::fmt::Write;
use thru_trace::{Outcome, Span, Trace};

/// The section; nothing if there is no step.
pub(super) fn draw(page: &mut Page, trace: &Trace) {
    let rows = steps(trace);
    let start = rows.iter().filter_map(|row| row.span()).map(|span| span.start).min();
    let end = rows.iter().filter_map(|row| row.span()).map(|span| span.end).max();
    let Some((start, end)) = start.zip(end) else { return };
    let mut out = String::from("<div class=\"bars\">\n");
    for row in &rows {
        match row {
            Row::More { depth, count } => {
                let _ = writeln!(
                    out,
                    "<div class=\"step\"><span class=\"label soft\" style=\"padding-left:{}px\">… and {count} more</span>\
                     <span class=\"track\"></span><span class=\"took\"></span></div>",
                    18 + depth * 14
                );
            }
            Row::Step { depth, span } => step(&mut out, span, *depth, start, end),
        }
    }
    out.push_str("</div>\n");
    page.section("time", &format!("Where the time went: {} in all", time(end - start, &WORDS)), &out);
}

fn step(out: &mut String, span: &Span, depth: usize, start: u64, end: u64) {
    // A packet seen is a moment, not a step that went well or not.
    let moment = span.what == "segment" && span.nanos() == 0;
    let skipped = matches!(span.outcome, Outcome::Skipped { .. });
    let (class, sign) = if moment { ("idle", " ") } else { tone(mark(span)) };
    let name = escape(&name(span));
    let took = match () {
        () if skipped => String::from("skipped"),
        () if moment => String::new(),
        () => time(span.nanos(), &WORDS),
    };
    let part =
        |at: u64| (at.saturating_sub(start)) as f64 * 100.0 / (end.saturating_sub(start)).max(1) as f64;
    let bar = if skipped {
        String::new()
    } else {
        format!(
            "<span class=\"bar {}{}\" style=\"left:{}%;width:{}%\"></span>",
            span.layer.word(),
            if mark(span) == Mark::Failed { " failed" } else { "" },
            place(part(span.start).min(99.6)),
            place((part(span.end) - part(span.start)).max(0.0)),
        )
    };
    let told = match &span.outcome {
        Outcome::Failed { text, .. } => text.clone(),
        Outcome::Skipped { why } => why.clone(),
        Outcome::Ok => String::new(),
    };
    let title = if told.is_empty() { name.clone() } else { format!("{name}: {}", escape(&told)) };
    let _ = writeln!(
        out,
        "<div class=\"step\"><span class=\"label\" title=\"{title}\" style=\"padding-left:{}px\"><span class=\"{class}\">{sign}</span> {name}</span>\
         <span class=\"track\">{bar}</span><span class=\"took\">{took}</span></div>",
        depth * 14,
    );
}
