//! What was learned on the way: certificates, names, the route, the checks beside the request.

use super::WORDS;
use super::answer::tone;
use super::markup::{Page, escape, table};
use crate::text::layout::time;
use crate::text::waterfall::{check_mark, check_result, told, worth_showing};
use std::collections::BTreeMap;
use std::fmt::Write;
use thru_trace::{Outcome, Span, Trace, Value};

/// Rows of a table beyond these are counted, not shown.
const ROWS_MAX: usize = 60;

/// The certificates of each handshake, the server's first.
pub(super) fn certificates(page: &mut Page, trace: &Trace) {
    let mut out = String::new();
    let mut known: Vec<&[Value]> = Vec::new();
    for span in trace.all("handshake") {
        let Some(chain) = span.list("tls.chain").filter(|chain| !chain.is_empty()) else { continue };
        if known.contains(&chain) {
            continue;
        }
        known.push(chain);
        let _ = writeln!(out, "<h3>{}</h3>", escape(&span.label));
        let said: Vec<String> = ["tls.version", "tls.cipher", "tls.group", "tls.alpn"]
            .iter()
            .filter_map(|key| span.text(key))
            .map(escape)
            .collect();
        if !said.is_empty() {
            let _ = writeln!(out, "<p class=\"soft\">{}</p>", said.join(", "));
        }
        let rows: Vec<Vec<String>> = chain.iter().take(ROWS_MAX).map(certificate).collect();
        out.push_str(&table(&["certificate for", "names", "signed by", "from", "until"], &rows));
    }
    if !out.is_empty() {
        page.section("certificates", "Certificates", &out);
    }
}

fn certificate(value: &Value) -> Vec<String> {
    let empty = BTreeMap::new();
    let map = if let Value::Map(map) = value { map } else { &empty };
    let text = |key: &str| match map.get(key) {
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    };
    let day = |key: &str| text(key).split('T').next().unwrap_or("").to_owned();
    let names = match map.get("sans") {
        Some(Value::List(names)) => {
            let names: Vec<String> = names
                .iter()
                .filter_map(|name| if let Value::Text(name) = name { Some(name.clone()) } else { None })
                .collect();
            let count = map
                .get("sans_count")
                .map_or(0, |count| if let Value::Int(count) = count { *count } else { 0 });
            let more = usize::try_from(count).unwrap_or(0).saturating_sub(names.len());
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            names.join(", ") + &more
        }
        _ => String::new(),
    };
    vec![text("subject"), names, text("issuer"), day("not_before"), day("not_after")]
}

/// Each question to a name server and what it said, in order of time: from the root down where that was asked.
pub(super) fn names(page: &mut Page, trace: &Trace) {
    let asked: Vec<&Span> =
        trace.spans.iter().filter(|span| matches!(span.what.as_str(), "dns.query" | "dns.step")).collect();
    if asked.is_empty() {
        return;
    }
    let rows: Vec<Vec<String>> = asked.iter().take(ROWS_MAX).map(|span| question(trace, span)).collect();
    let mut out = table(&["at", "asked", "for", "said", "took"], &rows);
    more(&mut out, asked.len());
    page.section("names", "Names", &out);
}

fn question(trace: &Trace, span: &Span) -> Vec<String> {
    let server = match (span.text("dns.server_name"), span.address("dns.server")) {
        (Some(name), _) => name.trim_end_matches('.').to_owned(),
        (None, Some(address)) => trace.named(address),
        (None, None) => String::new(),
    };
    let by = if span.text("vantage") == Some("resolver") { " (asked by the resolver)" } else { "" };
    let kind = span.text("dns.type").unwrap_or("");
    let name = span.text("dns.name").unwrap_or(span.label.split(' ').next().unwrap_or(""));
    let said = match &span.outcome {
        Outcome::Failed { text, .. } => text.clone(),
        Outcome::Skipped { why } => format!("not asked: {why}"),
        Outcome::Ok => {
            let answers: Vec<&str> = span
                .list("dns.answers")
                .into_iter()
                .flatten()
                .filter_map(|value| if let Value::Text(text) = value { Some(text.as_str()) } else { None })
                .take(6)
                .collect();
            match (span.text("dns.said"), answers.as_slice()) {
                (Some(said), _) => said.to_owned(),
                (None, []) => span.text("dns.rcode").unwrap_or("answered").to_owned(),
                (None, answers) => answers.join("; "),
            }
        }
    };
    vec![
        time(span.start, &WORDS),
        format!("{server}{by}"),
        format!("{} {kind}", name.trim_end_matches('.')),
        said,
        time(span.nanos(), &WORDS),
    ]
}

/// Hop by hop.
pub(super) fn routes(page: &mut Page, trace: &Trace) {
    let mut out = String::new();
    for route in trace.all("route") {
        let hops: Vec<&Span> = trace.children_of(route.id, "hop").collect();
        if hops.is_empty() {
            continue;
        }
        let _ = writeln!(out, "<h3>{}</h3>", escape(&route.label));
        let rows: Vec<Vec<String>> = hops.iter().take(ROWS_MAX).map(|hop| row_of(trace, hop)).collect();
        out.push_str(&table(&["hop", "router", "answered", "round trip"], &rows));
    }
    if !out.is_empty() {
        page.section("route", "The way there", &out);
    }
}

fn row_of(trace: &Trace, hop: &Span) -> Vec<String> {
    let router = match (hop.text("hop.name"), hop.address("hop.address")) {
        (Some(name), Some(address)) => format!("{} ({address})", name.trim_end_matches('.')),
        (_, Some(address)) => trace.named(address),
        _ => String::from("no answer"),
    };
    let count = |key: &str| hop.int(key).unwrap_or(0);
    let rtt = hop.nanos_of("hop.rtt_min").map(|rtt| time(rtt, &WORDS)).unwrap_or_default();
    vec![
        count("hop.ttl").to_string(),
        router,
        format!("{} of {}", count("hop.received"), count("hop.sent")),
        rtt,
    ]
}

/// What was measured besides the request.
pub(super) fn checks(page: &mut Page, trace: &Trace) {
    let checks = worth_showing(trace);
    if checks.is_empty() {
        return;
    }
    let mut out = String::from("<ul>\n");
    for (name, span) in checks {
        let (class, sign) = tone(check_mark(span));
        let _ = writeln!(
            out,
            "<li><span class=\"{class}\">{sign}</span> {}</li>",
            escape(&told(&name, &check_result(trace, span, &WORDS)))
        );
    }
    out.push_str("</ul>\n");
    page.section("checks", "Extra checks, to tell causes apart", &out);
}

fn more(out: &mut String, count: usize) {
    if count > ROWS_MAX {
        let _ = writeln!(out, "<p class=\"soft\">… and {} more</p>", count - ROWS_MAX);
    }
}
