//! Trace and verdict for programs: stable and versioned.
//!
//! One object for a request ([`render`]), one object a line for streams ([`line()`]: pings, hops, flows). Words instead
//! of numbers wherever a value is one of a few; times are nanoseconds since the network's start, and
//! `epoch_unix_nanos` says when that was. Within one `schema` fields may be added; none changes its meaning or goes
//! away.

use serde::Serialize;
use thru_trace::{Trace, Verdict};

use crate::text::steers;

/// Raised when a field changes its meaning or goes away; new fields do not raise it.
pub const SCHEMA: u32 = 1;

/// One JSON object, indented, with `schema`, `verdict`, the request's own fields, `spans` and `packets` (how many), and
/// a newline.
pub fn render(trace: &Trace, verdict: &Verdict) -> String {
    let document = Document { schema: SCHEMA, verdict, trace, packets: trace.packets.len() };
    safe(serde_json::to_string_pretty(&document).expect("text keys and finite numbers only"))
}

/// The same object on one line, for streams of whole requests.
pub fn render_line(trace: &Trace, verdict: &Verdict) -> String {
    let document = Document { schema: SCHEMA, verdict, trace, packets: trace.packets.len() };
    safe(serde_json::to_string(&document).expect("text keys and finite numbers only"))
}

/// One line of a stream: `{"schema":1,"kind":"ping",...}` with the fields of `value`, and a newline.
///
/// # Panics
/// If `value` does not serialize to an object: that is a mistake of the caller, not of the data.
pub fn line(kind: &str, value: &impl Serialize) -> String {
    safe(serde_json::to_string(&Line { schema: SCHEMA, kind, value }).expect("an object"))
}

/// One line of a report on several things: `{"schema":1,"scope":"flow",...}` with the fields of `value`, and a newline.
///
/// # Panics
/// If `value` does not serialize to an object: that is a mistake of the caller, not of the data.
pub fn scoped(scope: &str, value: &impl Serialize) -> String {
    safe(serde_json::to_string(&Scoped { schema: SCHEMA, scope, value }).expect("an object"))
}

/// A document as a terminal may get it, with a newline: what [`escape`](crate::text::escape) would change is written as
/// `\uXXXX`, in UTF-16 as RFC 8259 section 7 has it. JSON itself demands that of the control characters below U+0020 only.
fn safe(json: String) -> String {
    // Outside of strings JSON is ASCII, and so is never changed here.
    let mut text = String::with_capacity(json.len() + 1);
    for c in json.chars() {
        if c < '\u{7f}' || !steers(c) {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text.push('\n');
    text
}

#[derive(Serialize)]
struct Scoped<'a, T> {
    schema: u32,
    scope: &'a str,
    #[serde(flatten)]
    value: &'a T,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    verdict: &'a Verdict,
    #[serde(flatten)]
    trace: &'a Trace,
    packets: usize,
}

#[derive(Serialize)]
struct Line<'a, T> {
    schema: u32,
    kind: &'a str,
    #[serde(flatten)]
    value: &'a T,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use thru_diagnose::diagnose;

    #[test]
    fn the_document_has_the_fields_it_promises() {
        let trace = fixture::healthy();
        let text = render(&trace, &diagnose(&trace));
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
        assert_eq!(
            keys,
            [
                "epoch_unix_nanos",
                "interfaces",
                "names",
                "network",
                "packets",
                "schema",
                "seed",
                "spans",
                "target",
                "verdict"
            ]
        );
        assert_eq!(json["schema"], 1);
        assert_eq!(json["packets"], 6);
        let verdict = &json["verdict"];
        assert_eq!((verdict["layer"].as_str(), verdict["status"].as_str()), (Some("none"), Some("healthy")));
        assert!(verdict["causes"].as_array().unwrap().is_empty());
        assert!(verdict["confidence"].as_f64().unwrap() > 0.9);
        assert!(verdict["evidence"][0]["probe"].is_u64());
        let connect =
            json["spans"].as_array().unwrap().iter().find(|span| span["what"] == "connect").unwrap();
        assert_eq!((connect["layer"].as_str(), connect["outcome"].as_str()), (Some("tcp"), Some("ok")));
        assert_eq!(connect["values"]["tcp.rtt"], 20_000_000);
        assert!(!text.contains("CLIENT_TRAFFIC_SECRET"), "secrets stay out of reports");
    }

    #[test]
    fn the_same_trace_gives_the_same_text_and_hostile_bytes_are_escaped() {
        let mut trace = fixture::healthy();
        trace.target = "\u{1b}[2J\"\n".into();
        let verdict = diagnose(&trace);
        assert_eq!(render(&trace, &verdict), render(&trace, &verdict));
        let line = render_line(&trace, &verdict);
        assert!(line.ends_with('\n') && line.matches('\n').count() == 1 && !line.contains('\u{1b}'));
    }

    #[test]
    fn what_steers_a_terminal_or_deceives_is_spelled_out() {
        let mut trace = fixture::healthy();
        let hostile = "a\u{9b}31m\u{7f}\u{202e}b\u{2066}\u{e0041}\u{1b}";
        trace.target = format!("{hostile} münchen 東京");
        let verdict = diagnose(&trace);
        let value = serde_json::json!({ "said": hostile });
        let written = [
            render(&trace, &verdict),
            render_line(&trace, &verdict),
            line("ping", &value),
            scoped("flow", &value),
        ];
        for text in &written {
            assert!(
                !text.chars().any(|c| c != '\n' && crate::text::escape(&c.to_string()) != c.to_string()),
                "{text}"
            );
            assert!(text.contains(r"a\u009b31m\u007f\u202eb\u2066\udb40\udc41\u001b"), "{text}");
        }
        assert!(written[0].contains("münchen 東京"));
        let read: serde_json::Value = serde_json::from_str(&written[0]).unwrap();
        assert_eq!(read["target"], trace.target);
        let read: serde_json::Value = serde_json::from_str(&written[2]).unwrap();
        assert_eq!(read["said"], hostile);
    }

    #[test]
    fn a_stream_is_one_object_a_line() {
        let value = serde_json::json!({"sequence": 1, "rtt": 20_000_000});
        assert_eq!(
            line("ping", &value),
            "{\"schema\":1,\"kind\":\"ping\",\"rtt\":20000000,\"sequence\":1}\n"
        );
    }
}
