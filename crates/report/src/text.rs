//! Trace and verdict for a person at a terminal.

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
    let _ = (trace, style);
    format!("{}\n", verdict.summary)
}
