//! The verdict in words: what is wrong, what proves it, what else was considered, what to do.

use super::escape::for_style;
use super::layout::wrap;
use super::{Mark, Paint, Style, heading, paint};
use thru_trace::{Layer, Next, Status, Verdict, Who, fault};

/// The sentence, the causes it stands on, and how sure it is.
pub(super) fn headline(verdict: &Verdict, style: &Style) -> String {
    let (mark, tone) = match verdict.status {
        Status::Healthy => (Mark::Ok, Paint::Good),
        Status::Degraded => (Mark::Slow, Paint::Warn),
        Status::Failed => (Mark::Failed, Paint::Bad),
        Status::Undecided => (Mark::Unsure, Paint::Warn),
    };
    let plain = Style { color: false, ..*style };
    let sign = format!("{} ", mark.sign(&plain));
    let mut out = paint(&wrap(&for_style(&verdict.summary, style), &sign, style.width), tone, style);
    match verdict.causes.as_slice() {
        [] => {}
        [cause] => {
            out.push_str(&wrap(&for_style(&described(cause), style), "  Cause: ", style.width));
            out.push_str(&wrap(&sureness(verdict), "  ", style.width));
        }
        causes => {
            out.push_str(&wrap("From here these look the same, so it is one of them:", "  ", style.width));
            for cause in causes {
                out.push_str(&wrap(&for_style(&described(cause), style), "  - ", style.width));
            }
            out.push_str(&wrap(&sureness(verdict), "  ", style.width));
        }
    }
    if let Some(whom) = whom_to_call(verdict) {
        out.push_str(&wrap(whom, "  Whom to call: ", style.width));
    }
    for also in &verdict.also {
        out.push_str(&wrap(&for_style(&also.summary, style), "  Also: ", style.width));
    }
    out
}

/// Whose job it is to mend it: the first beside the user who is given something to do. `None`: nothing is wrong.
pub(crate) fn whom_to_call(verdict: &Verdict) -> Option<&'static str> {
    let actions = || {
        verdict.next.iter().filter_map(|next| match next {
            Next::Action { who, .. } => Some(*who),
            Next::Probe { .. } => None,
        })
    };
    let first = actions().find(|who| *who != Who::User).or_else(|| actions().next())?;
    Some(match first {
        Who::Service => "whoever runs the site.",
        Who::Network => "whoever runs your network: the provider, at work the IT department.",
        Who::User if verdict.layer == Layer::Host => "nobody: it is for this machine's owner to mend.",
        Who::User => "nobody yet: what you can do stands below.",
    })
}

pub(crate) fn described(cause: &str) -> String {
    match fault::by_id(cause) {
        Some(fault) => format!("{} ({}). {}", fault.title, fault.id, fault.meaning),
        None => cause.to_owned(),
    }
}

pub(crate) fn sureness(verdict: &Verdict) -> String {
    // A cast makes nonsense 0.
    let percent = (verdict.confidence.clamp(0.0, 1.0) * 100.0).round() as u32;
    let word = match percent {
        95.. => "Certain",
        80..=94 => "Very likely",
        60..=79 => "Likely",
        _ => "A guess",
    };
    match verdict.layer {
        Layer::None => format!("{word} ({percent} %)."),
        layer => format!("{word} ({percent} %). Layer: {}.", layer_name(layer)),
    }
}

/// A layer for a person who does not know the abbreviations.
pub(crate) fn layer_name(layer: Layer) -> &'static str {
    match layer {
        Layer::None => "none",
        Layer::Link => "link (cable, Wi-Fi, local network)",
        Layer::Ip => "ip (the way packets take)",
        Layer::Routing => "routing (between networks)",
        Layer::Dns => "dns (from names to addresses)",
        Layer::Tcp => "tcp (the connection)",
        Layer::Firewall => "firewall (what is let through)",
        Layer::Tls => "tls (encryption and certificates)",
        Layer::Http => "http (request and answer)",
        Layer::Quic => "quic (the connection under HTTP/3)",
        Layer::Proxy => "proxy (a helper in between)",
        Layer::App => "app (the server's program)",
        Layer::Host => "host (this machine)",
    }
}

/// Evidence with frame numbers, and what was ruled out.
pub(super) fn reasons(verdict: &Verdict, style: &Style) -> String {
    let mut out = String::new();
    if !verdict.evidence.is_empty() {
        out.push('\n');
        out.push_str(&heading("How we know", style));
        for evidence in &verdict.evidence {
            let cited = match evidence.frames.len() {
                0 => String::new(),
                _ => format!(" [{}]", frames(&evidence.frames)),
            };
            out.push_str(&wrap(&for_style(&format!("{}{cited}", evidence.says), style), "  - ", style.width));
        }
    }
    if !verdict.ruled_out.is_empty() {
        out.push('\n');
        out.push_str(&heading("What it is not", style));
        for other in &verdict.ruled_out {
            let name = fault::by_id(&other.cause)
                .map_or_else(|| other.cause.clone(), |fault| format!("{} ({})", fault.title, fault.id));
            let line = format!("{name}: {}", other.because);
            out.push_str(&wrap(&for_style(&line, style), "  - ", style.width));
        }
    }
    out
}

/// `frame 7`, `frames 1-3, 7, 9`.
pub(crate) fn frames(numbers: &[u64]) -> String {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for number in sorted {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => runs.push((number, number)),
        }
    }
    let said: Vec<String> = runs
        .iter()
        .map(|&(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") })
        .collect();
    format!("{} {}", if numbers.len() == 1 { "frame" } else { "frames" }, said.join(", "))
}

/// What to do, by whom; then what would tell more.
pub(super) fn next(verdict: &Verdict, style: &Style) -> String {
    if verdict.next.is_empty() {
        return String::new();
    }
    let mut out = String::from("\n");
    out.push_str(&heading("What to do next", style));
    for who in [Who::User, Who::Network, Who::Service] {
        let name = match who {
            Who::User => "You",
            Who::Network => "Whoever runs the network",
            Who::Service => "Whoever runs the site",
        };
        for action in &verdict.next {
            if let Next::Action { who: whose, what } = action
                && *whose == who
            {
                out.push_str(&wrap(&for_style(&format!("{name}: {what}"), style), "  - ", style.width));
            }
        }
    }
    for probe in &verdict.next {
        if let Next::Probe { what, splits } = probe {
            let between = match splits.as_slice() {
                [] => String::new(),
                causes => format!(" (tells apart {})", causes.join(", ")),
            };
            let line = format!("To find out more: {what}{between}");
            out.push_str(&wrap(&for_style(&line, style), "  - ", style.width));
        }
    }
    out
}

/// What other tools call it, for whoever searches a log for it: `curl 28, Chrome ERR_CONNECTION_TIMED_OUT`.
pub(crate) fn other_words(verdict: &Verdict) -> Option<String> {
    let words = verdict.words?;
    let said: Vec<String> = [
        words.curl.map(|code| format!("curl {code}")),
        words.chrome.map(|word| format!("Chrome {word}")),
        words.nel.map(|word| format!("NEL {word}")),
        words.ooni.map(|word| format!("OONI {word}")),
        words.zeek.map(|word| format!("Zeek {word}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!said.is_empty()).then(|| format!("Other tools call it: {}", said.join(", ")))
}
