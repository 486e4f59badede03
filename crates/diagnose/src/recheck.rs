//! Re-reads the frames a verdict cites: do they exist, and do they say what they are cited for?

use thru_trace::{PacketFate, Span, Trace, Verdict, fault, frames};

/// What is wrong with a verdict's citations; empty when every one holds.
///
/// Each cited span must exist, each cited frame must have been captured, belong to the flow of the span it is cited
/// for, and carry what the span claims: a refused connection needs a reset among its frames, an unanswered one must
/// not have an answer. Causes must stand in the catalogue.
pub fn recheck(trace: &Trace, verdict: &Verdict) -> Vec<String> {
    let mut wrong = Vec::new();
    for cause in &verdict.causes {
        if fault::by_id(cause).is_none() {
            wrong.push(format!("{cause} is not in the catalogue"));
        }
    }
    let leading = verdict.causes.first().and_then(|cause| fault::layer_of(cause));
    if leading.is_some_and(|layer| layer != verdict.layer) {
        wrong.push(format!("the layer {} is not that of the likeliest cause", verdict.layer));
    }
    for evidence in &verdict.evidence {
        let span = match evidence.probe {
            Some(id) => match trace.span(id) {
                Some(span) => Some(span),
                None => {
                    wrong.push(format!("\"{}\" cites probe {}, which does not exist", evidence.says, id.0));
                    continue;
                }
            },
            None => None,
        };
        for &number in &evidence.frames {
            let Some(packet) = trace.packet(number) else {
                wrong.push(format!("\"{}\" cites frame {number}, which was not captured", evidence.says));
                continue;
            };
            if let Some(span) = span
                && frames::belongs(trace, span, packet) == Some(false)
            {
                wrong.push(format!(
                    "\"{}\" cites frame {number}, which belongs to another flow",
                    evidence.says
                ));
            }
        }
        if let Some(span) = span {
            wrong.extend(
                claims(trace, span, &evidence.frames).map(|claim| format!("\"{}\": {claim}", evidence.says)),
            );
        }
    }
    wrong
}

/// What the span's outcome promises about its frames.
fn claims(trace: &Trace, span: &Span, numbers: &[u64]) -> Option<String> {
    if numbers.is_empty() || span.what != "connect" {
        return None;
    }
    let remote = span.address("tcp.remote")?;
    let looks: Vec<frames::Look> = numbers
        .iter()
        .filter_map(|&number| trace.packet(number))
        .filter(|packet| packet.fate == PacketFate::Passed)
        .filter_map(|packet| frames::look(&packet.bytes))
        .collect();
    let from_server = |look: &&frames::Look| look.src == remote && look.about.is_none();
    match span.code() {
        Some("tcp.refused") if !looks.iter().any(|look| from_server(&look) && look.is_reset()) => {
            Some(String::from("no reset is among the cited frames"))
        }
        Some("tcp.timeout") if looks.iter().any(|look| from_server(&look)) => {
            Some(String::from("a cited frame is an answer, although none is said to have come"))
        }
        Some("ip.unreachable" | "ip.ttl_exceeded" | "firewall.prohibited")
            if span.value("icmp.from").is_some() && !looks.iter().any(|look| look.about.is_some()) =>
        {
            Some(String::from("no ICMP error is among the cited frames"))
        }
        _ => None,
    }
}
