//! Trace and verdict for a person at a terminal.
//!
//! [`render`] is the whole answer in the order a person reads: what is wrong, which layer, where the time went,
//! what proves it, what to do. Every word that may come from the network is escaped; meaning never hangs on colour.
//!
//! - [`mod@escape`]: shows what must not reach a terminal.
//! - [`ladder`], [`waterfall`], [`answer`]: the parts of the answer.
//! - [`doctor`]: `thru doctor`.
//! - [`explain`]: `thru explain`.
//! - [`tools`]: `thru ping`, `thru route`, `thru dig`.
//! - [`lab`]: `thru lab list` and `thru lab show`. [`score`]: `thru bench verdict`.

pub(crate) mod answer;
pub mod doctor;
mod escape;
pub mod explain;
pub mod lab;
pub(crate) mod ladder;
pub(crate) mod layout;
pub mod score;
pub mod tools;
pub(crate) mod waterfall;

pub use escape::escape;
pub(crate) use escape::steers;
use layout::wrap;
use thru_trace::{Trace, Verdict};

/// How to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Columns of the terminal; 60 to 160 are used well.
    pub width: usize,
    /// Whether escape sequences for colour may be written. Meaning never hangs on colour alone.
    pub color: bool,
    /// Draw with ASCII only, for terminals that are not UTF-8.
    pub ascii: bool,
}

impl Default for Style {
    fn default() -> Self {
        Style { width: 80, color: false, ascii: false }
    }
}

/// The whole answer: verdict, layers, waterfall, evidence, what to do next.
pub fn render(trace: &Trace, verdict: &Verdict, style: &Style) -> String {
    let style = &Style { width: style.width.clamp(WIDTH_MIN, WIDTH_MAX), ..*style };
    let mut out = answer::headline(verdict, style);
    out.push('\n');
    out.push_str(&ladder::render(trace, verdict, style));
    let time = waterfall::render(trace, style);
    if !time.is_empty() {
        out.push('\n');
        out.push_str(&time);
    }
    let checks = waterfall::checks(trace, style);
    if !checks.is_empty() {
        out.push('\n');
        out.push_str(&checks);
    }
    out.push_str(&answer::reasons(verdict, style));
    out.push_str(&answer::next(verdict, style));
    out.push_str(&footer(trace, verdict, style));
    out
}

/// Narrower terminals get lines of this width all the same: bars of three cells say nothing.
const WIDTH_MIN: usize = 40;
/// Wider lines are hard to follow from label to bar.
const WIDTH_MAX: usize = 160;

/// On what this was seen, so that a pasted answer can be repeated.
fn footer(trace: &Trace, verdict: &Verdict, style: &Style) -> String {
    let seed = trace.seed.map(|seed| format!(", seed {seed}")).unwrap_or_default();
    let packets = match trace.packets.len() {
        0 => String::new(),
        n if crate::frames::is_partial(trace) => format!(", {n} packets of the capture kept"),
        1 => String::from(", 1 packet captured"),
        n => format!(", {n} packets captured"),
    };
    let line = format!("{} on {}{seed}{packets}", trace.target, trace.network);
    let mut out = String::from("\n");
    for line in answer::other_words(verdict).into_iter().chain([line]) {
        out.push_str(&paint(&wrap(&escape::for_style(&line, style), "", style.width), Paint::Dim, style));
    }
    out
}

/// What became of a layer or a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Ok,
    Slow,
    Failed,
    /// Failed, and why is not known.
    Unsure,
    /// Nothing got that far, or it was not needed.
    Idle,
}

impl Mark {
    fn sign(self, style: &Style) -> String {
        let (fancy, plain, paint_as) = match self {
            Mark::Ok => ("✓", "+", Paint::Good),
            Mark::Slow => ("~", "~", Paint::Warn),
            Mark::Failed => ("✗", "x", Paint::Bad),
            Mark::Unsure => ("?", "?", Paint::Warn),
            Mark::Idle => ("·", ".", Paint::Dim),
        };
        paint(if style.ascii { plain } else { fancy }, paint_as, style)
    }
}

/// Colours by meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Paint {
    Good,
    Warn,
    Bad,
    Dim,
    Strong,
}

/// The text in colour, if colour is allowed. Give it whole lines or fitted cells: the sequences take no columns.
fn paint(text: &str, paint: Paint, style: &Style) -> String {
    if !style.color || text.is_empty() {
        return text.to_owned();
    }
    let code = match paint {
        Paint::Good => 32,
        Paint::Warn => 33,
        Paint::Bad => 31,
        Paint::Dim => 2,
        Paint::Strong => 1,
    };
    // A newline inside the sequence would colour the prompt of a terminal that wraps.
    let (body, tail) = text.split_at(text.trim_end_matches('\n').len());
    format!("\x1b[{code}m{body}\x1b[0m{tail}")
}

/// A heading on its own line.
fn heading(title: &str, style: &Style) -> String {
    paint(&format!("{title}\n"), Paint::Strong, style)
}

#[cfg(test)]
mod tests;
