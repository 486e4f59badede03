//! Trace and verdict as one HTML file that needs nothing else: no network, no scripts, no fonts.
//!
//! A page for people who would rather look than read, and for the ticket: it prints, it fits a narrow window, it is dark
//! where the reader's system is. Times, words and marks are those of [`crate::text`]. Everything that may come from the
//! network is escaped in one place, [`markup`].
//!
//! - `answer`: the sentence, the layers, the evidence, what to do. `timeline`: where the time went.
//! - `packets`: the captured frames, read once for all that draw them. `sequence`: the ladder of packets.
//! - `plots`: bytes, round trips and bytes in flight over time. `limits`: what held senders back. `chart`: axes and marks.
//! - `facts`: certificates, names, the route, the checks beside the request.

mod answer;
mod chart;
mod facts;
mod limits;
mod markup;
mod packets;
mod plots;
mod sequence;
mod timeline;

use crate::text::Style;
pub(crate) use markup::date_iso;
use markup::{Page, escape};
use thru_trace::{Status, Trace, Verdict};

/// How texts that other views share are cut: a page has room.
const WORDS: Style = Style { width: 160, color: false, ascii: false };

/// The whole page.
pub fn render(trace: &Trace, verdict: &Verdict) -> String {
    let (seen, insight) = packets::read(trace);
    let mut page = Page::default();
    answer::verdict(&mut page, verdict);
    answer::next(&mut page, verdict);
    answer::layers(&mut page, trace, verdict);
    answer::evidence(&mut page, verdict, &seen);
    timeline::draw(&mut page, trace);
    sequence::draw(&mut page, trace, verdict, &seen);
    plots::draw(&mut page, &seen, &insight, crate::frames::is_partial(trace));
    facts::certificates(&mut page, trace);
    facts::names(&mut page, trace);
    facts::routes(&mut page, trace);
    facts::checks(&mut page, trace);
    document(trace, verdict, &page)
}

fn document(trace: &Trace, verdict: &Verdict, page: &Page) -> String {
    let icon = match verdict.status {
        Status::Healthy => "✓",
        Status::Degraded => "~",
        Status::Failed => "✗",
        Status::Undecided => "?",
    };
    let seed = trace.seed.map(|seed| format!(", seed {seed}")).unwrap_or_default();
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"generator\" content=\"thru {version}\">\n\
         <title>{icon} {target}</title>\n<style>\n{css}</style>\n</head>\n<body>\n\
         <header><p class=\"target\">{target}</p><p class=\"where\">on {network}{seed}, {when}, {count} packets {kept}</p></header>\n\
         <main>\n{body}</main>\n\
         <footer><p>Written by thru {version}. The numbers of frames are those of the capture file.</p></footer>\n\
         </body>\n</html>\n",
        version = env!("CARGO_PKG_VERSION"),
        target = escape(&trace.target),
        network = escape(&trace.network),
        when = markup::date(trace.epoch_unix_nanos),
        count = trace.packets.len(),
        kept = if crate::frames::is_partial(trace) { "of the capture kept" } else { "captured" },
        css = include_str!("html/style.css"),
        body = page.body(),
    )
}

#[cfg(test)]
mod tests;
