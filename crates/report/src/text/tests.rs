use super::*;
use crate::fixture;
use thru_diagnose::diagnose;
use thru_trace::{Evidence, Layer, Outcome, Status, Step, Value};

fn styles() -> Vec<Style> {
    let mut styles = Vec::new();
    for width in [40, 60, 80, 120, 160] {
        for ascii in [false, true] {
            styles.push(Style { width, color: false, ascii });
        }
    }
    styles
}

/// What must hold for every rendering.
fn check(trace: &Trace, verdict: &Verdict) {
    for style in styles() {
        let text = render(trace, verdict, &style);
        for line in text.lines() {
            assert!(layout::width(line) <= style.width, "wider than {}: {line:?}", style.width);
            assert!(!style.ascii || line.is_ascii(), "not ASCII: {line:?}");
            assert_eq!(line, line.trim_end(), "trailing space: {line:?}");
        }
        assert!(!text.contains('\u{1b}') && !text.contains("\n\n\n"), "{text}");
        let coloured = render(trace, verdict, &Style { color: true, ..style });
        assert_eq!(without_colour(&coloured), text, "colour adds nothing but colour");
    }
}

fn without_colour(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("\u{1b}[") {
        plain.push_str(&rest[..start]);
        let end = rest[start..].find('m').expect("only colours are written");
        rest = &rest[start + end + 1..];
    }
    plain + rest
}

#[test]
fn a_healthy_visit_reads_from_the_verdict_down() {
    let trace = fixture::healthy();
    let verdict = diagnose(&trace);
    check(&trace, &verdict);
    let text = render(&trace, &verdict, &Style::default());
    let order =
        ["www.shop.lab is healthy", "Layer by layer", "Where the time went", "Extra checks", "How we know"];
    let places: Vec<usize> =
        order.iter().map(|part| text.find(part).unwrap_or_else(|| panic!("{part}:\n{text}"))).collect();
    assert!(places.is_sorted(), "{text}");
    for width in [60, 80, 120] {
        println!("{}", render(&trace, &verdict, &Style { width, ..Style::default() }));
    }
}

/// A visit that broke at the connection, with checks beside it.
fn blocked() -> Trace {
    let mut trace = Trace {
        target: "https://www.shop.lab/".into(),
        network: "lab:internet".into(),
        seed: Some(1),
        ..Trace::default()
    };
    trace.add(
        Step::new(Layer::Dns, "resolve", "www.shop.lab")
            .at_ms(0, 42)
            .set("dns.name", "www.shop.lab")
            .set("dns.addresses", vec!["203.0.113.10"]),
    );
    trace.add(
        Step::new(Layer::Tcp, "connect", "203.0.113.10:443")
            .at_ms(42, 10_042)
            .set("tcp.remote", "203.0.113.10:443")
            .set("tcp.syn_retransmissions", 4)
            .failed("tcp.timeout", "no answer to any SYN"),
    );
    trace.add(
        Step::new(Layer::Tcp, "control", "203.0.113.10:80")
            .at_ms(10_042, 10_062)
            .set("control.kind", "other_port")
            .set("port", 80),
    );
    trace.add(
        Step::new(Layer::Ip, "ping", "203.0.113.10, control")
            .at_ms(10_062, 12_000)
            .set("ping.target", "203.0.113.10")
            .set("ping.purpose", "control")
            .set("ping.sent", 3)
            .set("ping.received", 3)
            .set_ms("ping.rtt_min", 20)
            .set_ms("ping.rtt_avg", 21),
    );
    trace
}

#[test]
fn a_blocked_port_names_the_set_and_what_splits_it() {
    let trace = blocked();
    let verdict = diagnose(&trace);
    check(&trace, &verdict);
    let text = render(&trace, &verdict, &Style { width: 100, ..Style::default() });
    for part in [
        "it is one of them",
        "(FW01)",
        "(TCP03)",
        "firewall failed",
        "What it is not",
        "To find out more",
        "Whoever runs the site",
    ] {
        let squeezed = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(squeezed.contains(part), "{part}:\n{text}");
    }
    println!("{}", render(&trace, &verdict, &Style::default()));
}

#[test]
fn no_byte_from_the_network_reaches_the_terminal() {
    let evil = "\u{1b}[2J\u{1b}]0;owned\u{7}\r\n\u{202e}\u{9b}31m";
    let mut trace = fixture::healthy();
    trace.target = evil.into();
    trace.network = evil.into();
    for span in &mut trace.spans {
        span.label = evil.into();
        span.what = if span.what == "dns.query" { evil.into() } else { span.what.clone() };
        for value in span.values.values_mut() {
            if let Value::Text(text) = value {
                *text = evil.into();
            }
        }
        if span.what == "handshake" {
            span.outcome = Outcome::Failed { code: evil.into(), text: evil.into() };
        }
    }
    let mut verdict = diagnose(&trace);
    verdict.summary = evil.into();
    verdict.causes = vec![evil.into(), evil.into()];
    verdict.evidence.push(Evidence { says: evil.into(), probe: None, frames: vec![1] });
    for style in styles() {
        let text = render(&trace, &verdict, &style);
        let bad: Vec<char> =
            text.chars().filter(|&c| (c.is_control() && c != '\n') || c == '\u{202e}').collect();
        assert!(bad.is_empty(), "{bad:?}");
    }
}

#[test]
fn odd_traces_and_widths_do_not_panic() {
    let empty = Trace::default();
    check(&empty, &diagnose(&empty));
    let mut odd = fixture::healthy();
    odd.spans[0].start = u64::MAX;
    odd.spans[1].end = u64::MAX;
    odd.spans[2].label = "東京".repeat(50);
    let verdict = Verdict { confidence: f64::NAN, status: Status::Undecided, ..diagnose(&odd) };
    for width in [0, 1, 10, 39, 1_000] {
        render(&odd, &verdict, &Style { width, color: true, ascii: true });
    }
    check(&odd, &diagnose(&odd));
    let mut long = Trace::default();
    let parent = long.add(Step::new(Layer::Http, "exchange", "page").at_ms(0, 100));
    for n in 0..40 {
        long.add(Step::new(Layer::Http, "object", &format!("/object/{n}")).under(parent).at_ms(n, n + 10));
    }
    let text = render(&long, &diagnose(&long), &Style::default());
    assert!(text.contains("and 32 more"), "{text}");
}

#[test]
fn a_ladder_does_not_blame_what_was_never_reached() {
    let mut trace = blocked();
    trace
        .add(Step::new(Layer::Tls, "handshake", "").at_ms(10_042, 10_042).skipped("there was no connection"));
    let text = render(&trace, &diagnose(&trace), &Style::default());
    let (_, ladder) = text.split_once("Layer by layer").unwrap();
    let line = |name: &str| {
        ladder
            .lines()
            .find(|line| line.contains(name))
            .unwrap_or("")
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert!(line(" firewall ").starts_with("✗ firewall failed"), "{text}");
    assert!(line(" tcp ").starts_with("· tcp not reached"), "{text}");
    assert!(line(" http ").starts_with("· http not reached"), "{text}");
}
