//! From a [`Trace`] to a [`Verdict`]: which layer is at fault, and what proves it.
//!
//! - [`diagnose`]: start here.

use thru_trace::{Layer, Status, Trace, Verdict};

/// Which layer is at fault, and what proves it.
pub fn diagnose(trace: &Trace) -> Verdict {
    let _ = trace;
    Verdict {
        layer: Layer::None,
        causes: Vec::new(),
        confidence: 0.0,
        evidence: Vec::new(),
        next: Vec::new(),
        summary: String::from("No rule has looked at this request yet."),
        status: Status::Undecided,
        ruled_out: Vec::new(),
        also: Vec::new(),
    }
}

/// What is wrong with the evidence a verdict cites; empty when every citation holds.
pub fn recheck(trace: &Trace, verdict: &Verdict) -> Vec<String> {
    let _ = (trace, verdict);
    Vec::new()
}
