//! The request as a HAR 1.2 file (HTTP Archive), which browsers' developer tools and many viewers open.
//!
//! An entry for each exchange. Times are milliseconds, a phase that did not happen is -1, as the format has it; `dns`,
//! `connect` and `ssl` are what was done between the exchange before and this one; one that used what was there has none. Bodies are not kept by a trace, so none
//! are written; neither are the values of cookies and passwords. What HAR has no field for has a name that begins with
//! `_`, as it asks.

use std::net::IpAddr;

use crate::html::date_iso;
use http::StatusCode;
use serde_json::{Value as Json, json};
use thru_trace::{Layer, Outcome, Span, Trace, Value, Verdict};

/// The whole file, indented, with a newline.
pub fn render(trace: &Trace, verdict: &Verdict) -> String {
    let exchanges: Vec<&Span> = trace.all("exchange").filter(|span| !trace.is_check(span)).collect();
    // What was done between an exchange and the next was done for the next.
    let since = [0].into_iter().chain(exchanges.iter().map(|exchange| exchange.end));
    let mut entries: Vec<Json> =
        exchanges.iter().zip(since).map(|(exchange, since)| entry(trace, exchange, since)).collect();
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

/// The steps that led to an exchange: from when to when, in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
struct Steps {
    dns: Option<(u64, u64)>,
    connect: Option<(u64, u64)>,
    tls: Option<(u64, u64)>,
}

impl Steps {
    /// Of the steps that belong to the request itself and that `chosen` takes, from the first one's start to the last one's end.
    fn of(trace: &Trace, chosen: impl Fn(&Span) -> bool) -> Steps {
        let steps = |what: &'static str, layer: Layer| {
            let spans = trace.all(what).filter(move |span| span.layer == layer && !trace.is_check(span));
            spans
                .filter(|span| chosen(span))
                .map(|span| (span.start, span.end))
                .reduce(|(start, end), other| (start.min(other.0), end.max(other.1)))
        };
        Steps {
            dns: steps("resolve", Layer::Dns),
            connect: steps("connect", Layer::Tcp).or_else(|| steps("handshake", Layer::Quic)),
            tls: steps("handshake", Layer::Tls),
        }
    }

    fn start(&self) -> Option<u64> {
        [self.dns, self.connect, self.tls].into_iter().flatten().map(|(start, _)| start).min()
    }

    /// HAR's `timings`, and the time they add up to, whole microseconds: `blocked` is what is in none of them, between
    /// `start` and `end`.
    fn timings(&self, start: u64, end: u64, [send, wait, receive]: [u64; 3]) -> (Json, f64) {
        let took = |step: Option<(u64, u64)>| step.map(|(start, end)| micros(end.saturating_sub(start)));
        let (dns, tls) = (took(self.dns), took(self.tls));
        // HAR counts the handshake of TLS into `connect`, too.
        let connect = took(self.connect).map(|connect| connect + tls.unwrap_or(0)).or(tls);
        let [send, wait, receive] = [send, wait, receive].map(micros);
        let named = dns.unwrap_or(0) + connect.unwrap_or(0) + send + wait + receive;
        let blocked = micros(end.saturating_sub(start)).saturating_sub(named);
        let timings = json!({
            "blocked": optional((blocked > 0).then_some(blocked)),
            "dns": optional(dns),
            "connect": optional(connect),
            "ssl": optional(tls),
            "send": millis(send),
            "wait": millis(wait),
            "receive": millis(receive),
        });
        (timings, millis(named + blocked))
    }
}

fn entry(trace: &Trace, exchange: &Span, since: u64) -> Json {
    let phase = |what: &str| trace.children_of(exchange.id, what).next().map_or(0, Span::nanos);
    let before = |span: &Span| span.is_ok() && (since..=exchange.start).contains(&span.start);
    let steps = Steps::of(trace, before);
    let start = steps.start().unwrap_or(exchange.start);
    let phases = ["request", "wait", "transfer"].map(phase);
    let (timings, time) = steps.timings(start, exchange.end, phases);
    let status = exchange.int("http.status").unwrap_or(0);
    let bytes = exchange.int("http.bytes").unwrap_or(0);
    let headers = headers(exchange, "http.response.headers");
    let mime =
        headers.iter().find(|header| header["name"] == "content-type").map(|header| header["value"].clone());
    let mime = mime.unwrap_or_else(|| json!("x-unknown"));
    let mut entry = json!({
        "startedDateTime": date_iso(trace.epoch_unix_nanos.saturating_add(start)),
        "time": time,
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
        "timings": timings,
    });
    if let Some(remote) = connection(trace, exchange) {
        entry["serverIPAddress"] = json!(remote.to_string());
    }
    if let Outcome::Failed { code, text } = &exchange.outcome {
        entry["_error"] = json!(format!("{code}: {text}"));
    }
    entry
}

/// The address of the connection that an exchange was made over: the last that was made before it.
fn connection(trace: &Trace, exchange: &Span) -> Option<IpAddr> {
    let made = |span: &&Span| {
        matches!((span.layer, span.what.as_str()), (Layer::Tcp, "connect") | (Layer::Quic, "handshake"))
            && span.is_ok()
            && span.start <= exchange.start
            && !trace.is_check(span)
    };
    let last = trace.spans.iter().filter(made).max_by_key(|span| (span.start, span.id))?;
    last.address("tcp.remote").or(last.address("quic.remote"))
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
    let steps = Steps::of(trace, |_| true);
    let start = steps.start().unwrap_or(0);
    let end = trace.spans.iter().filter(|span| !trace.is_check(span)).map(|span| span.end).max();
    let (timings, time) = steps.timings(start, end.unwrap_or(0), [0; 3]);
    json!({
        "startedDateTime": date_iso(trace.epoch_unix_nanos.saturating_add(start)),
        "time": time,
        "request": {
            "method": "GET", "url": trace.target, "httpVersion": "",
            "cookies": [], "headers": [], "queryString": [], "headersSize": -1, "bodySize": 0,
        },
        "response": {
            "status": 0, "statusText": "", "httpVersion": "", "cookies": [], "headers": [],
            "content": {"size": 0, "mimeType": ""}, "redirectURL": "", "headersSize": -1, "bodySize": -1,
        },
        "cache": {},
        "timings": timings,
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

/// Whole microseconds: the same on every machine.
fn micros(nanos: u64) -> u64 {
    nanos / 1_000
}

fn millis(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}

fn optional(micros: Option<u64>) -> f64 {
    micros.map_or(-1.0, millis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use thru_diagnose::diagnose;
    use thru_trace::Step;

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
    fn each_exchange_has_the_steps_that_led_to_it() {
        let mut trace = Trace { target: "http://x.lab/".into(), ..Trace::default() };
        let mut visit = |start: u64, port: u16, tls: bool| {
            let remote = format!("203.0.113.10:{port}");
            let connect = Step::new(Layer::Tcp, "connect", &remote).at_ms(start, start + 20);
            trace.add(connect.set("tcp.remote", remote.as_str()));
            let mut at = start + 20;
            if tls {
                trace.add(Step::new(Layer::Tls, "handshake", "x.lab").at_ms(at, at + 40));
                at += 40;
            }
            let exchange = trace.add(Step::new(Layer::Http, "exchange", "GET").at_ms(at, at + 30));
            trace.add(Step::new(Layer::Http, "wait", "").under(exchange).at_ms(at, at + 25));
            trace.add(Step::new(Layer::Http, "transfer", "").under(exchange).at_ms(at + 25, at + 30));
        };
        visit(10, 80, false);
        visit(100, 443, true);
        trace.add(Step::new(Layer::Dns, "resolve", "x.lab").at_ms(0, 7));
        // Once more over the second connection, after a pause.
        trace.add(Step::new(Layer::Http, "exchange", "GET").at_ms(500, 530));
        let har: Json = serde_json::from_str(&render(&trace, &diagnose(&trace))).unwrap();
        let entries = har["log"]["entries"].as_array().unwrap();
        let told: Vec<[f64; 5]> = entries
            .iter()
            .map(|entry| {
                let timing = |name: &str| entry["timings"][name].as_f64().unwrap();
                let phases = ["blocked", "dns", "connect", "send", "wait", "receive"].map(timing);
                let sum: f64 = phases.iter().filter(|phase| **phase > 0.0).sum();
                assert_eq!(entry["time"].as_f64().unwrap(), sum);
                assert_eq!(entry["serverIPAddress"], "203.0.113.10");
                [phases[0], phases[1], phases[2], timing("ssl"), sum]
            })
            .collect();
        // Between the lookup and the connection passed 3 ms.
        assert_eq!(told[0], [3.0, 7.0, 20.0, -1.0, 60.0]);
        assert_eq!(told[1], [-1.0, -1.0, 60.0, 40.0, 90.0]);
        assert_eq!(told[2], [30.0, -1.0, -1.0, -1.0, 30.0]);
    }

    #[test]
    fn what_was_never_asked_has_the_times_of_what_was_done() {
        let mut trace = Trace { target: "https://x.lab/".into(), ..Trace::default() };
        trace.add(Step::new(Layer::Dns, "resolve", "x.lab").at_ms(5, 25));
        let connect = Step::new(Layer::Tcp, "connect", "203.0.113.10:443").at_ms(25, 1_025);
        trace.add(connect.failed("tcp.timeout", "no answer"));
        let har: Json = serde_json::from_str(&render(&trace, &diagnose(&trace))).unwrap();
        let entry = &har["log"]["entries"][0];
        let timing = |name: &str| entry["timings"][name].as_f64().unwrap();
        assert_eq!(["blocked", "dns", "connect", "ssl"].map(timing), [-1.0, 20.0, 1_000.0, -1.0]);
        assert_eq!(entry["time"], 1_020.0);
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
