//! The request as a qlog file (draft-ietf-quic-qlog-main-schema), which qvis and other viewers of QUIC and TCP open.
//!
//! One trace for each connection. Of QUIC: its begin and end, its packets with their frames as far as the trace's secrets
//! open them, and what acknowledgments say of round trips and bytes under way. Of TCP the same under names of our own
//! with the prefix `thru:`, which readers must pass over that do not know them. Times are milliseconds since the first
//! event of the request.
//!
//! - `packets`: from captured frames to events. `frames`: what a packet carries. `recovery`: the metrics.

mod frames;
mod packets;
mod recovery;

use packets::Packets;
use serde_json::{Value as Json, json};
use thru_trace::{Layer, Outcome, Packet, PacketFate, Span, Trace, Verdict, frames as wire};

/// Further packets of a connection are left out: viewers of qlog hold a file in memory several times over.
const PACKETS_MAX: usize = 50_000;

/// The whole file, with a newline: version 0.3 of the format, the one that qvis reads.
pub fn render(trace: &Trace, verdict: &Verdict) -> String {
    // Those of checks are no connections of the request.
    let own = |span: &&Span| is_connection(span) && !trace.is_check(span);
    let connections: Vec<&Span> = trace.spans.iter().filter(own).collect();
    let packets = Packets::read(trace);
    let mut traces: Vec<Json> =
        connections.iter().map(|span| one(trace, span, &connections, &packets)).collect();
    if traces.is_empty() {
        // A file without a trace is refused by viewers: what came before any connection is told as one.
        let frames = trace.spans.iter().flat_map(|span| span.frames.iter().copied()).collect();
        traces.push(bare(trace, trace.spans.iter().collect(), frames, &packets));
    }
    let file = json!({
        "qlog_version": "0.3",
        "qlog_format": "JSON",
        "title": trace.target,
        "description": verdict.summary,
        "traces": traces,
    });
    let mut text = serde_json::to_string_pretty(&file).expect("text keys and finite numbers only");
    text.push('\n');
    text
}

/// Handshakes of QUIC and connects of TCP are what connections begin with.
fn is_connection(span: &Span) -> bool {
    matches!((span.layer, span.what.as_str()), (Layer::Quic, "handshake") | (Layer::Tcp, "connect"))
}

fn ends(span: &Span) -> Option<(String, String)> {
    let text = |keys: [&str; 2]| keys.into_iter().find_map(|key| span.text(key)).map(str::to_owned);
    let remote = text(["quic.remote", "tcp.remote"])?;
    Some((text(["quic.local", "tcp.local"]).unwrap_or_default(), remote))
}

/// All that belongs to one connection: the steps that were made over it, and all its packets.
fn one(trace: &Trace, connection: &Span, connections: &[&Span], packets: &Packets) -> Json {
    let own = |span: &&Span| {
        span.id == connection.id
            || carrier(trace, span, connections).is_some_and(|over| over.id == connection.id)
    };
    let spans = trace.spans.iter().filter(|span| !trace.is_check(span)).filter(own).collect();
    bare(trace, spans, flow(trace, connection), packets)
}

/// The connection that a step was made over: the one that it, or what it is a part of, is or names, else the last one that
/// was made before it. Lookups and the like are made over none.
fn carrier<'t>(trace: &Trace, span: &Span, connections: &[&'t Span]) -> Option<&'t Span> {
    let before = |over: &&&Span| over.is_ok() && over.id < span.id && over.start <= span.start;
    for around in trace.ancestry(span) {
        if let Some(over) = connections.iter().find(|over| over.id == around.id) {
            return Some(over);
        }
        let Some((local, remote)) = ends(around) else { continue };
        let same = |over: &&&Span| {
            ends(over).is_some_and(|own| own.1 == remote && (local.is_empty() || own.0 == local))
        };
        return connections
            .iter()
            .filter(before)
            .filter(same)
            .max_by_key(|over| (over.end, over.id))
            .copied();
    }
    let part = matches!(span.what.as_str(), "handshake" | "exchange" | "connection")
        || trace.ancestry(span).any(|around| matches!(around.what.as_str(), "handshake" | "exchange"));
    connections.iter().filter(before).filter(|_| part).max_by_key(|over| (over.end, over.id)).copied()
}

/// The numbers of a connection's packets, as seen on the link nearest to the asking host; without those that never reached it.
fn flow(trace: &Trace, connection: &Span) -> Vec<u64> {
    let remote = connection.address("quic.remote").or(connection.address("tcp.remote"));
    // Who never got a port cannot be told from the next one to the same address but by its time.
    let alone = ["quic.local", "tcp.local"].iter().any(|key| connection.text(key).is_some());
    let here = |packet: &&Packet| {
        let inbound = || wire::look(&packet.bytes).is_some_and(|look| Some(look.src) == remote);
        (alone || (connection.start..=connection.end).contains(&packet.at))
            && wire::belongs(trace, connection, packet) == Some(true)
            && (packet.fate == PacketFate::Passed || !inbound())
    };
    let mut packets = trace.packets.iter().filter(here).peekable();
    let nearest = packets.peek().map(|packet| packet.interface);
    packets
        .filter(|packet| Some(packet.interface) == nearest)
        .take(PACKETS_MAX)
        .map(|packet| packet.number)
        .collect()
}

fn bare(trace: &Trace, spans: Vec<&Span>, frames: Vec<u64>, packets: &Packets) -> Json {
    let quic = spans.iter().any(|span| span.layer == Layer::Quic);
    let mut events: Vec<(u64, Json)> = Vec::new();
    for span in &spans {
        let name = match (span.layer, span.what.as_str()) {
            (Layer::Quic, "handshake") => "connectivity:connection_started".to_owned(),
            (_, what) => format!("thru:{what}_started"),
        };
        events.push((span.start, json!({"name": name, "data": begun(span)})));
        let name = match (&span.outcome, span.layer, span.what.as_str()) {
            (Outcome::Failed { .. }, Layer::Quic, "handshake") => "connectivity:connection_closed".to_owned(),
            (_, _, what) => format!("thru:{what}_done"),
        };
        events.push((span.end, json!({"name": name, "data": done(span)})));
    }
    match packets.of(&frames).filter(|_| quic) {
        Some(opened) => events.extend_from_slice(opened),
        None => events.extend(segments(trace, &spans, frames)),
    }
    events.sort_by_key(|(at, _)| *at);
    let events: Vec<Json> = events
        .into_iter()
        .map(|(at, mut event)| {
            event["time"] = json!(at as f64 / 1e6);
            event
        })
        .collect();
    let title = spans.first().map_or_else(|| trace.target.clone(), |span| span.label.clone());
    json!({
        "title": title,
        "vantage_point": {"name": "thru", "type": "client"},
        "common_fields": {
            "protocol_type": [if quic { "QUIC" } else { "TCP" }],
            "reference_time": trace.epoch_unix_nanos as f64 / 1e6,
            "time_format": "relative",
        },
        "events": events,
    })
}

fn begun(span: &Span) -> Json {
    let mut data = json!({"label": span.label});
    if let Some((local, remote)) = ends(span) {
        let split = |end: &str| {
            let (ip, port) = end.rsplit_once(':')?;
            Some((ip.trim_matches(['[', ']']).to_owned(), port.parse::<u16>().ok()?))
        };
        if let Some((ip, port)) = split(&local) {
            (data["src_ip"], data["src_port"]) = (json!(ip), json!(port));
        }
        if let Some((ip, port)) = split(&remote) {
            data["ip_version"] = json!(if ip.contains(':') { "v6" } else { "v4" });
            (data["dst_ip"], data["dst_port"]) = (json!(ip), json!(port));
        }
    }
    data
}

fn done(span: &Span) -> Json {
    match &span.outcome {
        Outcome::Ok => json!({"outcome": "ok", "values": span.values}),
        Outcome::Skipped { why } => json!({"outcome": "skipped", "reason": why}),
        Outcome::Failed { code, text } => {
            json!({"outcome": "failed", "owner": "remote", "reason": text, "code": code, "values": span.values})
        }
    }
}

/// The frames of these spans, as sent and received: what has no events of qlog's own.
fn segments(trace: &Trace, spans: &[&Span], mut numbers: Vec<u64>) -> Vec<(u64, Json)> {
    numbers.sort_unstable();
    numbers.dedup();
    let remote = spans.iter().find_map(|span| span.address("quic.remote").or(span.address("tcp.remote")));
    let told = numbers.iter().filter_map(|number| {
        let packet = trace.packet(*number)?;
        let look = wire::look(&packet.bytes)?;
        let way = if Some(look.src) == remote { "received" } else { "sent" };
        let raw = json!([{"length": wire::length_on_the_wire(&packet.bytes)}]);
        let data = json!({"count": 1, "raw": raw, "frame": number});
        Some((packet.at, json!({"name": format!("thru:packet_{way}"), "data": data})))
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use thru_trace::Step;

    fn story() -> Trace {
        let mut trace = Trace {
            target: "https://www.shop.lab".into(),
            epoch_unix_nanos: 1_700_000_000_000_000_000,
            ..Trace::default()
        };
        let quic =
            |step: Step| step.set("quic.remote", "203.0.113.10:443").set("quic.local", "192.0.2.1:40000");
        trace.add(
            quic(Step::new(Layer::Quic, "handshake", "QUIC with 203.0.113.10")).at(1_000_000, 21_000_000),
        );
        trace.add(quic(Step::new(Layer::Http, "exchange", "GET /")).at(21_000_000, 50_000_000));
        let tcp =
            Step::new(Layer::Tcp, "connect", "[2001:db8::5]:443").set("tcp.remote", "[2001:db8::5]:443");
        trace.add(tcp.at(2_000_000, 3_000_000).failed("tcp.refused", "refused"));
        trace
    }

    #[test]
    fn each_connection_is_a_trace_with_its_events_in_order() {
        let trace = story();
        let file: Json = serde_json::from_str(&render(&trace, &thru_diagnose::diagnose(&trace))).unwrap();
        assert_eq!((&file["qlog_version"], &file["qlog_format"]), (&json!("0.3"), &json!("JSON")));
        let traces = file["traces"].as_array().unwrap();
        assert_eq!(traces.len(), 2);
        assert_eq!(traces[0]["common_fields"]["protocol_type"], json!(["QUIC"]));
        assert_eq!(traces[0]["common_fields"]["reference_time"], json!(1_700_000_000_000.0));
        for trace in traces {
            assert_eq!(trace["vantage_point"]["type"], "client");
            let times: Vec<f64> = trace["events"]
                .as_array()
                .unwrap()
                .iter()
                .map(|event| event["time"].as_f64().unwrap())
                .collect();
            assert!(times.is_sorted() && !times.is_empty(), "{times:?}");
            for event in trace["events"].as_array().unwrap() {
                let name = event["name"].as_str().unwrap();
                assert!(name.split_once(':').is_some(), "{name} has no category");
                assert!(event["data"].is_object());
            }
        }
        let names: Vec<&str> = traces[0]["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["name"].as_str().unwrap())
            .collect();
        assert_eq!(
            names,
            [
                "connectivity:connection_started",
                "thru:handshake_done",
                "thru:exchange_started",
                "thru:exchange_done"
            ]
        );
        let start = &traces[0]["events"][0];
        assert_eq!(
            (&start["time"], &start["data"]["dst_port"], &start["data"]["ip_version"]),
            (&json!(1.0), &json!(443), &json!("v4"))
        );
        let refused = &traces[1]["events"];
        assert_eq!(
            (&refused[0]["data"]["dst_ip"], &refused[1]["data"]["code"]),
            (&json!("2001:db8::5"), &json!("tcp.refused"))
        );
    }

    #[test]
    fn a_connection_of_tcp_has_its_steps_and_all_its_packets_and_checks_are_none() {
        let mut trace = crate::fixture::healthy();
        let control = trace.add(Step::new(Layer::App, "control", "the same once more").at_ms(200, 300));
        trace.add(
            Step::new(Layer::Tcp, "connect", "203.0.113.10:443")
                .under(control)
                .at_ms(200, 220)
                .set("tcp.remote", "203.0.113.10:443")
                .set("tcp.local", "192.168.1.10:40001"),
        );
        let file: Json = serde_json::from_str(&render(&trace, &thru_diagnose::diagnose(&trace))).unwrap();
        let traces = file["traces"].as_array().unwrap();
        assert_eq!(traces.len(), 1, "a check's connection is none of the request's");
        let events = traces[0]["events"].as_array().unwrap();
        let count = |name: &str| events.iter().filter(|event| event["name"] == name).count();
        assert_eq!((count("thru:packet_sent"), count("thru:packet_received")), (3, 2));
        for what in ["connect", "segment", "handshake", "exchange", "wait", "transfer", "connection"] {
            assert!(count(&format!("thru:{what}_done")) > 0, "{what}");
        }
        for what in ["resolve", "dns.query", "ping"] {
            assert_eq!(count(&format!("thru:{what}_done")), 0, "{what}");
        }
        // What was cut from a frame was on the wire all the same.
        let cut = |trace: &mut Trace| trace.packets[3].bytes.truncate(54);
        cut(&mut trace);
        let again: Json = serde_json::from_str(&render(&trace, &thru_diagnose::diagnose(&trace))).unwrap();
        let lengths = |file: &Json| {
            let events = file["traces"][0]["events"].as_array().unwrap();
            events.iter().filter_map(|event| event["data"]["raw"][0]["length"].as_u64()).collect::<Vec<_>>()
        };
        assert_eq!(lengths(&again), lengths(&file));
        assert_eq!(lengths(&file), [54, 54, 54, 59, 54]);
    }

    #[test]
    fn what_never_connected_is_told_as_well() {
        let mut trace = Trace { target: "https://nowhere.lab".into(), ..Trace::default() };
        trace.add(
            Step::new(Layer::Dns, "resolve", "nowhere.lab")
                .at(0, 5_000_000)
                .failed("dns.nxdomain", "no such name"),
        );
        let file: Json = serde_json::from_str(&render(&trace, &thru_diagnose::diagnose(&trace))).unwrap();
        assert_eq!(file["traces"][0]["events"][1]["name"], "thru:resolve_done");
    }
}
