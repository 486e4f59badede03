//! The verdict in words, the layers, the evidence, what to do.

use super::WORDS;
use super::markup::{Page, escape, frames};
use super::packets::Seen;
use crate::text::answer::{described, layer_name, other_words, sureness, whom_to_call};
use crate::text::{Mark, ladder};
use std::fmt::Write;
use thru_trace::{Next, Trace, Verdict, Who, fault};

/// The sentence a person reads first, and what it stands on.
pub(super) fn verdict(page: &mut Page, verdict: &Verdict) {
    let mut out = format!(
        "<div class=\"verdict {}\" id=\"verdict\">\n<h1>{}</h1>\n",
        verdict.status.word(),
        escape(&verdict.summary)
    );
    match verdict.causes.as_slice() {
        [] => {}
        [cause] => {
            let _ = writeln!(out, "<p>Cause: {}</p>", escape(&described(cause)));
        }
        causes => {
            out.push_str("<p>From here these look the same, so it is one of them:</p>\n<ul>\n");
            for cause in causes {
                let _ = writeln!(out, "<li>{}</li>", escape(&described(cause)));
            }
            out.push_str("</ul>\n");
        }
    }
    if !verdict.causes.is_empty() {
        let _ = writeln!(out, "<p class=\"soft\">{}</p>", escape(&sureness(verdict)));
    }
    if let Some(whom) = whom_to_call(verdict) {
        let _ = writeln!(out, "<p>Whom to call: {}</p>", escape(whom));
    }
    for also in &verdict.also {
        let _ = writeln!(out, "<p>Also: {}</p>", escape(&also.summary));
    }
    if let Some(words) = other_words(verdict) {
        let _ = writeln!(out, "<p class=\"soft\">{}</p>", escape(&words));
    }
    out.push_str("</div>\n");
    page.raw(&out);
}

/// What to do, by whom; then what would tell more.
pub(super) fn next(page: &mut Page, verdict: &Verdict) {
    if verdict.next.is_empty() {
        return;
    }
    let mut out = String::from("<ul>\n");
    for (who, name) in [(Who::User, "You"), (Who::Network, "The network"), (Who::Service, "The site")] {
        for next in &verdict.next {
            if let Next::Action { who: whose, what } = next
                && *whose == who
            {
                let _ = writeln!(out, "<li><span class=\"who\">{name}</span> {}</li>", escape(what));
            }
        }
    }
    for next in &verdict.next {
        if let Next::Probe { what, splits } = next {
            let between = match splits.as_slice() {
                [] => String::new(),
                causes => format!(" (tells apart {})", causes.join(", ")),
            };
            let _ = writeln!(
                out,
                "<li><span class=\"who\">To find out more</span> {}{}</li>",
                escape(what),
                escape(&between)
            );
        }
    }
    out.push_str("</ul>\n");
    page.section("next", "What to do next", &out);
}

/// A row for each layer: how far the request got.
pub(super) fn layers(page: &mut Page, trace: &Trace, verdict: &Verdict) {
    let mut out = String::from("<div class=\"layers\">\n");
    for (layer, rung) in ladder::rungs(trace, verdict, &WORDS) {
        let (tone, sign) = tone(rung.mark);
        let _ = writeln!(
            out,
            "<span class=\"name\">{}</span><span class=\"{tone}\">{sign} {}</span><span class=\"detail\">{}</span>",
            escape(layer_name(layer).split(' ').next().unwrap_or("")),
            rung.word(),
            escape(&rung.detail),
        );
    }
    out.push_str("</div>\n");
    page.section("layers", "Layer by layer", &out);
}

/// The class and the sign of a mark.
pub(super) fn tone(mark: Mark) -> (&'static str, &'static str) {
    match mark {
        Mark::Ok => ("good", "✓"),
        Mark::Slow => ("warn", "~"),
        Mark::Failed => ("bad", "✗"),
        Mark::Unsure => ("warn", "?"),
        Mark::Idle => ("idle", "·"),
    }
}

/// Statements with the frames that prove them, and what was ruled out.
pub(super) fn evidence(page: &mut Page, verdict: &Verdict, seen: &[Seen]) {
    let drawn = super::sequence::drawn(seen, verdict);
    if !verdict.evidence.is_empty() {
        let mut out = String::from("<ul>\n");
        for evidence in &verdict.evidence {
            let _ = writeln!(
                out,
                "<li>{} {}</li>",
                escape(&evidence.says),
                frames(&evidence.frames, |number| drawn.contains(&number))
            );
        }
        out.push_str("</ul>\n");
        page.section("evidence", "How we know", &out);
    }
    if !verdict.ruled_out.is_empty() {
        let mut out = String::from("<ul>\n");
        for other in &verdict.ruled_out {
            let name = fault::by_id(&other.cause)
                .map_or_else(|| other.cause.clone(), |fault| format!("{} ({})", fault.title, fault.id));
            let _ = writeln!(out, "<li>{}: {}</li>", escape(&name), escape(&other.because));
        }
        out.push_str("</ul>\n");
        page.section("not", "What it is not", &out);
    }
}
