//! The request as a HAR 1.2 file (HTTP Archive), which browsers' developer tools and many viewers open.
//!
//! An entry for each exchange. Times are milliseconds, a phase that did not happen is -1, as the format has it; `dns`,
//! `connect` and `ssl` are the first exchange's own, later ones used what was there. Bodies are not kept by a trace, so none
//! are written; neither are the values of cookies and passwords. What HAR has no field for has a name that begins with
//! `_`, as it asks.

use crate::html::date_iso;
use http::StatusCode;
use serde_json::{Value as Json, json};
use thru_trace::{Layer, Outcome, Span, Trace, Value, Verdict};

/// The whole file, indented, with a newline.
pub fn render(trace: &Trace, verdict: &Verdict) -> String {
    let exchanges: Vec<&Span> = trace.all("exchange").filter(|span| !trace.is_check(span)).collect();
    let mut entries: Vec<Json> =
        exchanges.iter().enumerate().map(|(number, exchange)| entry(trace, exchange, number == 0)).collect();
    if entries.is_empty() {
        // What failed before it could ask is an entry without an answer, as in a browser.
        entries.push(unasked(trace, verdict));
    }
    let har = json!({"log": {
        "version": "1.2",
        "creator": {"name": "thru", "version": env!("CARGO_PKG_VERSION")},
        "pages": [],
        "entries": entries,
        "comment": verdict.summary,
        "_verdict": verdict,
    }});
    let mut text = serde_json::to_string_pretty(&har).expect("text keys and finite numbers only");
    text.push('\n');
    text
}

fn entry(trace: &Trace, exchange: &Span, first: bool) -> Json {
    let phase = |what: &str| trace.children_of(exchange.id, what).next().map(Span::nanos);
    let before = |what, layer| if first { won(trace, what, layer) } else { None };
    let dns = before("resolve", Layer::Dns);
    let connect = before("connect", Layer::Tcp).or_else(|| before("handshake", Layer::Quic));
    let tls = before("handshake", Layer::Tls);
    let start =
        [dns, connect, tls].into_iter().flatten().map(|span| span.start).min().unwrap_or(exchange.start);
    // HAR counts the handshake of TLS into `connect`, too.
    let connected = connect.map(|span| span.nanos() + tls.map_or(0, Span::nanos));
    let status = exchange.int("http.status").unwrap_or(0);
    let bytes = exchange.int("http.bytes").unwrap_or(0);
    let headers = headers(exchange, "http.response.headers");
    let mime =
        headers.iter().find(|header| header["name"] == "content-type").map(|header| header["value"].clone());
    let mime = mime.unwrap_or_else(|| json!("x-unknown"));
    let mut entry = json!({
        "startedDateTime": date_iso(trace.epoch_unix_nanos.saturating_add(start)),
        "time": millis(exchange.end.saturating_sub(start)),
        "request": request(trace, exchange),
        "response": {
            "status": status,
            "statusText": phrase(status),
            "httpVersion": exchange.text("http.version").unwrap_or(""),
            "cookies": [],
            "headers": headers,
            "content": {"size": bytes, "mimeType": mime},
            "redirectURL": exchange.text("http.location").unwrap_or(""),
            "headersSize": -1,
            "bodySize": bytes,
        },
        "cache": {},
        "timings": {
            "blocked": -1,
            "dns": optional(dns.map(Span::nanos)),
            "connect": optional(connected),
            "ssl": optional(tls.map(Span::nanos)),
            "send": millis(phase("request").unwrap_or(0)),
            "wait": millis(phase("wait").unwrap_or(0)),
            "receive": millis(phase("transfer").unwrap_or(0)),
        },
    });
    if let Some(remote) = connect.and_then(|span| span.address("tcp.remote").or(span.address("quic.remote")))
    {
        entry["serverIPAddress"] = json!(remote.to_string());
    }
    if let Outcome::Failed { code, text } = &exchange.outcome {
        entry["_error"] = json!(format!("{code}: {text}"));
    }
    entry
}

/// The first step of its kind that worked and belongs to the request itself.
fn won<'a>(trace: &'a Trace, what: &'static str, layer: Layer) -> Option<&'a Span> {
    trace.all(what).find(|span| span.layer == layer && span.is_ok() && !trace.is_check(span))
}

fn request(trace: &Trace, exchange: &Span) -> Json {
    let url = exchange.text("http.url").unwrap_or(&trace.target);
    json!({
        "method": exchange.text("http.method").unwrap_or("GET"),
        "url": url,
        "httpVersion": exchange.text("http.version").unwrap_or(""),
        "cookies": [],
        "headers": headers(exchange, "http.request.headers"),
        "queryString": query(url),
        "headersSize": -1,
        "bodySize": 0,
    })
}

fn unasked(trace: &Trace, verdict: &Verdict) -> Json {
    json!({
        "startedDateTime": date_iso(trace.epoch_unix_nanos),
        "time": millis(trace.spans.iter().filter(|span| !trace.is_check(span)).map(|span| span.end).max().unwrap_or(0)),
        "request": {
            "method": "GET", "url": trace.target, "httpVersion": "",
            "cookies": [], "headers": [], "queryString": [], "headersSize": -1, "bodySize": 0,
        },
        "response": {
            "status": 0, "statusText": "", "httpVersion": "", "cookies": [], "headers": [],
            "content": {"size": 0, "mimeType": ""}, "redirectURL": "", "headersSize": -1, "bodySize": -1,
        },
        "cache": {},
        "timings": {"blocked": -1, "dns": -1, "connect": -1, "ssl": -1, "send": 0, "wait": 0, "receive": 0},
        "_error": verdict.summary,
    })
}

/// The header fields that a trace keeps, `name: value` each.
fn headers(exchange: &Span, key: &str) -> Vec<Json> {
    let fields = exchange.list(key).unwrap_or_default().iter();
    fields
        .filter_map(|field| match field {
            Value::Text(text) => text.split_once(": "),
            _ => None,
        })
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect()
}

/// What follows the question mark, pair by pair, as it is in the URL.
fn query(url: &str) -> Vec<Json> {
    let url = url.split('#').next().unwrap_or_default();
    let Some((_, query)) = url.split_once('?') else { return Vec::new() };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect()
}

/// The words that usually go with a status (RFC 9110 15); HTTP/2 and HTTP/3 do not send any.
fn phrase(status: i64) -> &'static str {
    let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    status.and_then(|status| status.canonical_reason()).unwrap_or_default()
}

fn millis(nanos: u64) -> f64 {
    // Whole microseconds: the same on every machine.
    (nanos / 1_000) as f64 / 1_000.0
}

fn optional(nanos: Option<u64>) -> f64 {
    nanos.map_or(-1.0, millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use thru_diagnose::diagnose;

    #[test]
    fn an_entry_has_its_phases() {
        let trace = fixture::healthy();
        let har: Json = serde_json::from_str(&render(&trace, &diagnose(&trace))).unwrap();
        let entry = &har["log"]["entries"][0];
        assert_eq!(entry["startedDateTime"], "2026-01-01T00:00:00.000Z");
        assert_eq!(entry["response"]["status"], 200);
        assert_eq!(entry["serverIPAddress"], "203.0.113.10");
        let timings = &entry["timings"];
        let phases =
            ["dns", "connect", "ssl", "send", "wait", "receive"].map(|name| timings[name].as_f64().unwrap());
        assert_eq!(phases, [42.0, 61.0, 41.0, 0.0, 23.0, 64.0]);
        assert_eq!(entry["time"], 190.0);
        // The format's own rule: the phases, without `ssl`, which is part of `connect`, are the whole time.
        assert_eq!(phases[0] + phases[1] + phases[3] + phases[4] + phases[5], 190.0);
    }

    #[test]
    fn what_failed_early_is_an_entry_without_an_answer() {
        let trace = Trace { target: "https://x.lab/".into(), ..Trace::default() };
        let har: Json = serde_json::from_str(&render(&trace, &diagnose(&trace))).unwrap();
        let entry = &har["log"]["entries"][0];
        assert_eq!(
            (entry["response"]["status"].as_i64(), entry["request"]["url"].as_str()),
            (Some(0), Some("https://x.lab/"))
        );
        assert!(!entry["_error"].as_str().unwrap().is_empty());
    }
}
