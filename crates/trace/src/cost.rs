//! What a diagnosis took beyond the request itself, as far as the steps tell.
//!
//! Whoever probes reads it to know what is left of a budget; whoever scores reads it to know what was spent.

use crate::{Outcome, Span, Trace};

/// A wait for an answer that did come, if it was longer than this, was the fault's, not the diagnosis's: nanoseconds.
const LATE: u64 = 1_000_000_000;

/// Nanoseconds between the first step and the last in which neither a step of the request was under way, nor any step
/// that waited for an answer in vain, which a fault forces on whoever looks for it.
pub fn beyond(spans: &[Span]) -> u64 {
    let Some(start) = spans.iter().map(|span| span.start).min() else { return 0 };
    let end = spans.iter().map(|span| span.end).max().unwrap_or(start);
    let mut forced: Vec<(u64, u64)> = spans
        .iter()
        .filter(|span| is_own_step(span) || waits_in_vain(span))
        .map(|span| (span.start, span.end))
        .collect();
    forced.sort_unstable();
    let (mut covered, mut until) = (0, start);
    for (from, to) in forced {
        covered += to.saturating_sub(from.max(until));
        until = until.max(to);
    }
    (end - start).saturating_sub(covered)
}

/// A step of the request itself, which would have been taken without any diagnosis.
fn is_own_step(span: &Span) -> bool {
    let steps = ["lease", "advertisement", "resolve", "connect", "tunnel", "handshake", "exchange", "pause"];
    span.parent.is_none() && steps.contains(&span.what.as_str())
}

/// A step that ended by running out of patience, or a router that never answered.
fn waits_in_vain(span: &Span) -> bool {
    let timed_out = |code: &str| code.ends_with(".timeout") || code.ends_with(".stalled");
    match span.what.as_str() {
        "connect" | "dns.query" | "handshake" | "exchange" => span.code().is_some_and(timed_out),
        "hop" => span.address("hop.address").is_none(),
        "ping" => span.int("ping.sent").is_some() && span.int("ping.received") == Some(0),
        "control" => span.failed_with("udp.timeout"),
        "wait" | "transfer" | "segment" => span.nanos() > LATE,
        _ => false,
    }
}

/// About how many packets the diagnosis sent and received, by what its steps wrote down. Neighbour searches and what
/// the request's own connections moved are not among them.
pub fn packets(trace: &Trace) -> u64 {
    let count = |span: &Span, key: &str| span.int(key).and_then(|count| u64::try_from(count).ok());
    let of = |span: &Span| match span.what.as_str() {
        "ping" => count(span, "ping.sent").unwrap_or(0) + count(span, "ping.received").unwrap_or(0),
        "route" => count(span, "route.packets").unwrap_or(0),
        "dns.query" if span.text("dns.transport") == Some("tcp") => OVER_TCP,
        "dns.query" => count(span, "dns.tries").unwrap_or(1) + u64::from(span.value("dns.rcode").is_some()),
        "connect" if trace.is_check(span) => match &span.outcome {
            Outcome::Skipped { .. } => 1,
            _ => count(span, "tcp.segments")
                .unwrap_or(HANDSHAKE + count(span, "tcp.syn_retransmissions").unwrap_or(0)),
        },
        "handshake" if trace.is_check(span) => HANDSHAKE_TLS,
        _ => 0,
    };
    trace.spans.iter().map(of).sum()
}

/// A question over TCP: handshake, question, answer, farewell.
const OVER_TCP: u64 = 10;

/// A connection that was made and let go.
const HANDSHAKE: u64 = 4;

/// Encryption over it.
const HANDSHAKE_TLS: u64 = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Layer, Step};

    const SECOND: u64 = 1_000_000_000;

    fn step(what: &str) -> Step {
        Step::new(Layer::Tcp, what, "")
    }

    #[test]
    fn only_what_is_neither_the_request_nor_a_wait_in_vain_counts() {
        let mut trace = Trace::default();
        trace.add(step("connect").at(0, SECOND).failed("tcp.timeout", ""));
        let control = trace.add(step("control").at(SECOND, 4 * SECOND));
        trace.add(step("connect").at(SECOND, 2 * SECOND).failed("tcp.timeout", "").under(control));
        trace.add(step("connect").at(2 * SECOND, 3 * SECOND).under(control));
        trace.add(step("ping").set("ping.sent", 3).set("ping.received", 0).at(5 * SECOND, 7 * SECOND));
        trace.add(step("ping").set("ping.sent", 3).set("ping.received", 1).at(7 * SECOND, 8 * SECOND));
        // From 2 to 5 and from 7 to 8.
        assert_eq!(beyond(&trace.spans), 4 * SECOND);
        assert_eq!(beyond(&[]), 0);
    }

    #[test]
    fn packets_are_those_of_checks_and_pings_and_questions() {
        let mut trace = Trace::default();
        trace.add(step("connect"));
        let control = trace.add(step("control"));
        trace.add(step("connect").set("tcp.segments", 30).under(control));
        trace.add(step("connect").under(control));
        trace.add(step("dns.query").set("dns.tries", 2).set("dns.rcode", "NOERROR"));
        trace.add(step("ping").set("ping.sent", 10).set("ping.received", 8));
        trace.add(step("route").set("route.packets", 16));
        assert_eq!(packets(&trace), 30 + HANDSHAKE + 3 + 18 + 16);
    }
}
