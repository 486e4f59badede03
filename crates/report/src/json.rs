//! Trace and verdict for programs: stable and versioned.

use thru_trace::{Trace, Verdict};

/// Raised when a field changes its meaning or goes away; new fields do not raise it.
pub const SCHEMA: u32 = 1;

/// One JSON object with `schema`, `verdict`, `trace` and `packets` (how many), and a newline.
pub fn render(trace: &Trace, verdict: &Verdict) -> String {
    let object = serde_json::json!({
        "schema": SCHEMA,
        "verdict": verdict,
        "trace": trace,
        "packets": trace.packets.len(),
    });
    format!("{object:#}\n")
}
