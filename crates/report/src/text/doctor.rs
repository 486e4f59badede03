//! What `thru doctor` prints: the verdict on the whole capture, then its flows, those in trouble first.

use super::escape::for_style;
use super::layout::wrap;
use super::{Mark, Paint, Style, answer, heading, ladder, paint};
use thru_trace::{Status, Trace, Verdict};

/// One flow, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// `tcp`, `quic`, `dns`.
    pub protocol: String,
    /// Who asked, with its port.
    pub client: String,
    /// Who was asked, with its port.
    pub server: String,
    /// The name that was wanted; empty: none was said.
    pub name: String,
    /// Numbers of its first and last frame.
    pub frames: (u64, u64),
    /// How it fared.
    pub status: Status,
    /// Why.
    pub causes: Vec<String>,
    /// The verdict's sentence.
    pub says: String,
}

/// Flows in trouble that are listed.
const LISTED: usize = 20;

/// The whole answer: verdict, layers, evidence, what to do, flows. `place`: where the capture was made. `all`: healthy
/// flows are listed, too.
pub fn render(
    trace: &Trace,
    verdict: &Verdict,
    place: &str,
    flows: &[Flow],
    all: bool,
    style: &Style,
) -> String {
    let style = &Style { width: style.width.clamp(super::WIDTH_MIN, super::WIDTH_MAX), ..*style };
    let mut out = answer::headline(verdict, style);
    if !trace.spans.is_empty() {
        out.push('\n');
        out.push_str(&ladder::render(trace, verdict, style));
    }
    out.push_str(&answer::reasons(verdict, style));
    out.push_str(&answer::next(verdict, style));
    out.push_str(&list(flows, all, style));
    out.push_str(&footer(trace, place, flows, style));
    out
}

fn list(flows: &[Flow], all: bool, style: &Style) -> String {
    let rank = |status: Status| match status {
        Status::Failed => 0,
        Status::Degraded => 1,
        Status::Undecided => 2,
        Status::Healthy => 3,
    };
    let mut shown: Vec<&Flow> = flows.iter().filter(|flow| all || flow.status != Status::Healthy).collect();
    shown.sort_by_key(|flow| (rank(flow.status), flow.frames.0));
    if shown.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{}", heading(if all { "Flows" } else { "Flows in trouble" }, style));
    let most = if all { usize::MAX } else { LISTED };
    for flow in shown.iter().take(most) {
        let (mark, tone) = match flow.status {
            Status::Healthy => (Mark::Ok, Paint::Good),
            Status::Degraded => (Mark::Slow, Paint::Warn),
            Status::Failed => (Mark::Failed, Paint::Bad),
            Status::Undecided => (Mark::Unsure, Paint::Warn),
        };
        let plain = Style { color: false, ..*style };
        let name = if flow.name.is_empty() { String::new() } else { format!(" ({})", flow.name) };
        let line = format!("{} {} → {}{name}", flow.protocol, flow.client, flow.server);
        let line = if style.ascii { line.replace('→', "->") } else { line };
        let start = format!("  {} ", mark.sign(&plain));
        out.push_str(&paint(&wrap(&for_style(&line, style), &start, style.width), tone, style));
        let causes =
            if flow.causes.is_empty() { String::new() } else { format!(" [{}]", flow.causes.join(", ")) };
        let says = format!("{}{causes} Frames {} to {}.", flow.says, flow.frames.0, flow.frames.1);
        out.push_str(&wrap(&for_style(&says, style), "    ", style.width));
    }
    if shown.len() > most {
        out.push_str(&wrap(
            &format!("and {} more; --all lists every flow", shown.len() - most),
            "  ",
            style.width,
        ));
    }
    out
}

fn footer(trace: &Trace, place: &str, flows: &[Flow], style: &Style) -> String {
    let healthy = flows.iter().filter(|flow| flow.status == Status::Healthy).count();
    let place = match place {
        "client" => ", captured at the asking host",
        "server" => ", captured at the answering host",
        "between" => ", captured between both ends",
        _ => "",
    };
    let about = if trace.target.is_empty() { String::new() } else { format!("about {}; ", trace.target) };
    let line = format!("{about}{} flows, {healthy} of them well{place}", flows.len());
    format!("\n{}", paint(&wrap(&for_style(&line, style), "", style.width), Paint::Dim, style))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use thru_diagnose::diagnose;

    #[test]
    fn troubled_flows_come_first_and_lines_fit() {
        let trace = fixture::healthy();
        let verdict = diagnose(&trace);
        let flow = |status, frame| Flow {
            protocol: "tcp".into(),
            client: "192.168.1.10:40000".into(),
            server: "203.0.113.10:443".into(),
            name: "www.shop.lab\u{1b}[2J".into(),
            frames: (frame, frame + 9),
            status,
            causes: vec!["TCP01".into()],
            says: "It was refused.".into(),
        };
        let flows = [flow(Status::Healthy, 1), flow(Status::Degraded, 2), flow(Status::Failed, 3)];
        let style = Style { width: 60, ..Style::default() };
        let text = render(&trace, &verdict, "client", &flows, false, &style);
        let place = |needle: &str| text.find(needle).unwrap_or(usize::MAX);
        assert!(place("Frames 3 to 12") < place("Frames 2 to 11"), "{text}");
        assert!(!text.contains("Frames 1 to 10") && !text.contains('\u{1b}'), "{text}");
        assert!(text.lines().all(|line| super::super::layout::width(line) <= 60), "{text}");
        assert!(text.contains("1 of them well"));
    }
}
