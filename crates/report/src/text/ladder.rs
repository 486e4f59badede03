//! One line per layer: how far the request got, and where it broke.

use super::answer::layer_name;
use super::escape::for_style;
use super::layout::{fit, time, width, wrap};
use super::{Mark, Paint, Style, heading, paint};
use thru_trace::{Family, Layer, Outcome, Span, Status, Trace, Value, Verdict, fault};

/// The layers in the order a request climbs them.
const ORDER: [Layer; 12] = [
    Layer::Host,
    Layer::Link,
    Layer::Dns,
    Layer::Ip,
    Layer::Routing,
    Layer::Firewall,
    Layer::Tcp,
    Layer::Quic,
    Layer::Tls,
    Layer::Proxy,
    Layer::Http,
    Layer::App,
];

/// The ladder, with its heading.
pub(super) fn render(trace: &Trace, verdict: &Verdict, style: &Style) -> String {
    let mut out = heading("Layer by layer", style);
    for (layer, rung) in rungs(trace, verdict, style) {
        let word = rung.word();
        let plain = Style { color: false, ..*style };
        let name = layer_name(layer).split(' ').next().unwrap_or("");
        let start = format!("  {} {} {} ", rung.mark.sign(&plain), fit(name, 8, style), fit(word, 11, style));
        let lines = wrap(&for_style(&rung.detail, style), &start, style.width);
        // Colour only the mark and the word, after wrapping counted the columns.
        let (head, rest) = lines.split_at(start.len().min(lines.trim_end().len()));
        let tone = match rung.mark {
            Mark::Ok => Paint::Good,
            Mark::Slow => Paint::Warn,
            Mark::Failed => Paint::Bad,
            Mark::Unsure => Paint::Warn,
            Mark::Idle => Paint::Dim,
        };
        out.push_str(&paint(head, tone, style));
        out.push_str(rest);
    }
    debug_assert!(style.color || out.lines().all(|line| width(line) <= style.width.max(40)));
    out
}

/// What is to be said of a layer.
pub(crate) struct Rung {
    pub(crate) mark: Mark,
    /// Instead of the mark's own word.
    word: Option<&'static str>,
    pub(crate) detail: String,
}

impl Rung {
    fn new(mark: Mark, detail: impl Into<String>) -> Rung {
        Rung { mark, word: None, detail: detail.into() }
    }

    fn idle() -> Rung {
        Rung::new(Mark::Idle, "")
    }

    /// The mark in a word.
    pub(crate) fn word(&self) -> &'static str {
        self.word.unwrap_or(match self.mark {
            Mark::Ok => "ok",
            Mark::Slow => "slow",
            Mark::Failed => "failed",
            Mark::Unsure => "not sure",
            Mark::Idle => "not reached",
        })
    }
}

/// The layers that have something to say, in the order a request climbs them.
pub(crate) fn rungs(trace: &Trace, verdict: &Verdict, style: &Style) -> Vec<(Layer, Rung)> {
    let mut rungs = Vec::new();
    let mut broken = false;
    for layer in ORDER {
        let guilty = layer == verdict.layer;
        let second = verdict.also.iter().find(|also| also.layer == layer);
        let Some(mut rung) =
            seen(trace, layer, style).or_else(|| (guilty || second.is_some()).then(Rung::idle))
        else {
            continue;
        };
        if guilty {
            rung.mark = match verdict.status {
                Status::Healthy => Mark::Ok,
                Status::Degraded => Mark::Slow,
                Status::Failed => Mark::Failed,
                Status::Undecided => Mark::Unsure,
            };
            // A degradation that costs no time is no slowness.
            rung.word = (verdict.status == Status::Degraded).then_some("disturbed");
            let title = titles(&verdict.causes);
            rung.detail = join(
                &title,
                if matches!(rung.mark, Mark::Failed | Mark::Unsure) { "" } else { &rung.detail },
            );
        } else if let Some(also) = second {
            rung.mark = Mark::Slow;
            rung.word = Some("disturbed");
            rung.detail = join(&titles(&also.causes), &rung.detail);
        } else if broken {
            // What lies above a broken layer failed because of it, or was never tried.
            if rung.mark == Mark::Failed {
                rung = Rung::idle();
            }
        }
        broken |= guilty && matches!(rung.mark, Mark::Failed | Mark::Unsure);
        rungs.push((layer, rung));
    }
    rungs
}

fn titles(causes: &[String]) -> String {
    match causes {
        [] => String::new(),
        [cause] => fault::by_id(cause).map_or_else(|| cause.clone(), |fault| fault.title.to_owned()),
        [_, ..] => format!("one of {}", causes.join(", ")),
    }
}

fn join(first: &str, second: &str) -> String {
    match (first, second) {
        ("", only) | (only, "") => only.to_owned(),
        (first, second) => format!("{first}; {second}"),
    }
}

/// What the spans of the request itself say about a layer; `None` if the layer has no rung unless it is named.
fn seen(trace: &Trace, layer: Layer, style: &Style) -> Option<Rung> {
    let own: Vec<&Span> = trace.spans.iter().filter(|span| !trace.is_check(span)).collect();
    let of = |what: &str| own.iter().copied().filter(|span| span.what == what).collect::<Vec<_>>();
    match layer {
        Layer::Dns => Some(dns(&of("resolve"), !of("connect").is_empty())),
        Layer::Ip => Some(ip(trace, &of("connect"), &of("handshake"), style)),
        Layer::Tcp => {
            let connects = of("connect");
            // Over HTTP/3 alone there is no TCP connection to speak of.
            if connects.is_empty() && of("handshake").iter().any(|span| span.layer == Layer::Quic) {
                return None;
            }
            Some(tcp(&connects, &of("connection"), style))
        }
        Layer::Quic => {
            let tried: Vec<&Span> =
                of("handshake").into_iter().filter(|span| span.layer == Layer::Quic).collect();
            (!tried.is_empty()).then(|| handshake(&tried, style))
        }
        Layer::Tls => {
            let tried: Vec<&Span> =
                of("handshake").into_iter().filter(|span| span.layer == Layer::Tls).collect();
            let quic = of("handshake").iter().any(|span| span.layer == Layer::Quic && span.is_ok());
            let wanted = trace.target.starts_with("https:") || !tried.is_empty();
            (wanted && !(quic && tried.is_empty())).then(|| handshake(&tried, style))
        }
        Layer::Http => Some(http(&of("exchange"), style)),
        _ => None,
    }
}

fn dns(resolves: &[&Span], connected: bool) -> Rung {
    let Some(last) = resolves.iter().find(|span| span.is_ok()).or(resolves.last()) else {
        return if connected {
            Rung { word: Some("not needed"), ..Rung::new(Mark::Idle, "the address was given") }
        } else {
            Rung::idle()
        };
    };
    match &last.outcome {
        Outcome::Ok => {
            let addresses: Vec<String> =
                last.list("dns.addresses").into_iter().flatten().map(said).take(4).collect();
            let name = last.text("dns.name").unwrap_or(&last.label).trim_end_matches('.');
            Rung::new(Mark::Ok, format!("{name} is at {}", addresses.join(" and ")))
        }
        Outcome::Failed { text, .. } => Rung::new(Mark::Failed, text.clone()),
        Outcome::Skipped { why } => Rung { word: Some("skipped"), ..Rung::new(Mark::Idle, why.clone()) },
    }
}

fn ip(trace: &Trace, connects: &[&Span], handshakes: &[&Span], style: &Style) -> Rung {
    let reached: Option<&&Span> = connects.iter().chain(handshakes).find(|span| span.is_ok());
    let below_tcp = |span: &&&Span| span.code().is_some_and(|code| code.starts_with("ip."));
    if reached.is_none() {
        return match connects.iter().find(below_tcp).map(|span| &span.outcome) {
            Some(Outcome::Failed { text, .. }) => Rung::new(Mark::Failed, text.clone()),
            _ if connects.is_empty() && handshakes.is_empty() => Rung::idle(),
            // Something answered from the address itself: packets find their way there and back.
            _ if connects.iter().any(|span| span.failed_with("tcp.refused")) => {
                Rung::new(Mark::Ok, "packets reach the server and come back")
            }
            _ if answers_pings(trace) => Rung::new(Mark::Ok, "pings reach the server and come back"),
            _ => Rung {
                word: Some("unclear"),
                ..Rung::new(Mark::Idle, "nothing has come back from the server")
            },
        };
    }
    let hops = trace.all("route").find(|route| route.bool("route.reached") == Some(true)).map(|route| {
        trace.children_of(route.id, "hop").filter_map(|hop| hop.int("hop.ttl")).max().unwrap_or(0)
    });
    let rtt = trace
        .all("ping")
        .filter(|ping| ping.text("ping.purpose") == Some("idle"))
        .filter_map(|ping| ping.nanos_of("ping.rtt_min").or(ping.nanos_of("ping.rtt_avg")))
        .chain(connects.iter().filter_map(|connect| connect.nanos_of("tcp.rtt")))
        .min();
    let mut said = String::from("packets reach the server and come back");
    if let Some(hops) = hops.filter(|&hops| hops > 0) {
        said.push_str(&format!(", {hops} {} away", if hops == 1 { "hop" } else { "hops" }));
    }
    if let Some(rtt) = rtt {
        said.push_str(&format!(", round trip {}", time(rtt, style)));
    }
    Rung::new(Mark::Ok, said)
}

/// Whether a ping to the server, not to a router on the way, was answered.
fn answers_pings(trace: &Trace) -> bool {
    let mut pings = trace.all("ping").filter(|ping| ping.text("ping.purpose") != Some("hop"));
    pings.any(|ping| ping.int("ping.received").unwrap_or(0) > 0)
}

fn tcp(connects: &[&Span], connections: &[&Span], style: &Style) -> Rung {
    if let Some(connect) = connects.iter().find(|span| span.is_ok()) {
        let to = connect.text("tcp.remote").unwrap_or(&connect.label);
        let mut said = format!("connected to {to} in {}", time(connect.nanos(), style));
        let again: i64 = connections.iter().filter_map(|span| span.int("tcp.retransmissions")).sum();
        if again > 0 {
            said.push_str(&format!(", {again} {} sent twice", if again == 1 { "packet" } else { "packets" }));
        }
        return Rung::new(Mark::Ok, said);
    }
    let failed = connects.iter().find_map(|span| match &span.outcome {
        Outcome::Failed { code, text } if !code.starts_with("ip.") => Some(text.clone()),
        _ => None,
    });
    failed.map_or_else(Rung::idle, |text| Rung::new(Mark::Failed, text))
}

fn handshake(tried: &[&Span], style: &Style) -> Rung {
    let Some(span) = tried.iter().find(|span| span.is_ok()).or(tried.last()) else {
        return Rung::idle();
    };
    match &span.outcome {
        Outcome::Failed { text, .. } => Rung::new(Mark::Failed, text.clone()),
        Outcome::Skipped { why } => Rung { word: Some("skipped"), ..Rung::new(Mark::Idle, why.clone()) },
        Outcome::Ok => {
            let version = span.text("tls.version").unwrap_or("encrypted");
            let mut said = format!("{version} agreed in {}", time(span.nanos(), style));
            let until = span.list("tls.chain").and_then(<[Value]>::first).and_then(|leaf| match leaf {
                Value::Map(leaf) => leaf.get("not_after"),
                _ => None,
            });
            if let Some(Value::Text(until)) = until {
                said.push_str(&format!(
                    ", certificate good until {}",
                    until.split('T').next().unwrap_or(until)
                ));
            }
            if span.bool("tls.resumed") == Some(true) {
                said.push_str(", shortcut from an earlier visit");
            }
            Rung::new(Mark::Ok, said)
        }
    }
}

fn http(exchanges: &[&Span], style: &Style) -> Rung {
    let Some(span) = exchanges.last() else { return Rung::idle() };
    let version = span.text("http.version").unwrap_or("HTTP");
    match &span.outcome {
        Outcome::Ok => {
            let status =
                span.int("http.status").map(|status| format!(", status {status}")).unwrap_or_default();
            let bytes = span
                .int("http.bytes")
                .and_then(|bytes| u64::try_from(bytes).ok())
                .map(|bytes| format!(", {}", super::layout::size(bytes)))
                .unwrap_or_default();
            let cut = if span.bool("http.cut") == Some(true) { ", not waited for to its end" } else { "" };
            let took = time(span.nanos(), style);
            Rung::new(Mark::Ok, format!("{version} answered in {took}{status}{bytes}{cut}"))
        }
        Outcome::Failed { text, .. } => Rung::new(Mark::Failed, text.clone()),
        Outcome::Skipped { why } => Rung { word: Some("skipped"), ..Rung::new(Mark::Idle, why.clone()) },
    }
}

/// A value in a sentence.
fn said(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Text(value) => value.clone(),
        Value::Address(value) => match Family::of(*value) {
            Family::V4 | Family::V6 => value.to_string(),
        },
        Value::Nanos(value) => format!("{value} ns"),
        Value::List(values) => values.iter().map(said).collect::<Vec<_>>().join(", "),
        Value::Map(_) => String::from("..."),
    }
}
