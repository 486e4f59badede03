//! QUIC packets as the capture has them, opened with the trace's secrets: qlog's events `transport:packet_sent`,
//! `transport:packet_received` and, worked out from them, `recovery:metrics_updated`
//! (draft-ietf-quic-qlog-quic-events).

use super::frames::frame;
use super::recovery::Recovery;
use crate::frames;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use thru_dissect::file::SECRETS_TLS_KEY_LOG;
use thru_dissect::{Dissector, Field, Options, Tree, Value};
use thru_trace::{Packet, PacketFate, Trace};

/// Further packets are left out: viewers of qlog hold a file in memory several times over.
const PACKETS_MAX: usize = 50_000;

/// One event: when, and what.
pub(super) type Event = (u64, Json);

/// The packets of all QUIC connections of a trace.
#[derive(Default)]
pub(super) struct Packets {
    connections: BTreeMap<u64, Connection>,
    /// Which connection a frame of the capture belongs to.
    frames: BTreeMap<u64, u64>,
}

#[derive(Default)]
struct Connection {
    events: Vec<Event>,
    recovery: Recovery,
    /// The port of who sent the first packet, and so asks.
    asking: Option<u64>,
}

impl Packets {
    /// Dissects the frames that passed on the asking host's link.
    pub(super) fn read(trace: &Trace) -> Packets {
        let mut dissector = Dissector::new(Options::default());
        dissector.secrets(SECRETS_TLS_KEY_LOG, trace.key_log.as_bytes());
        let nearest = |packet: &&Packet| packet.interface == 0 && packet.fate == PacketFate::Passed;
        let mut packets = Packets::default();
        frames::each(
            trace,
            dissector,
            trace.packets.iter().filter(nearest).take(PACKETS_MAX),
            |tree, packet| {
                packets.datagram(tree, packet.number, packet.at);
            },
        );
        packets
    }

    /// The events of the connection that one of these frames belongs to, in order of time.
    pub(super) fn of(&self, frames: &[u64]) -> Option<&[Event]> {
        let connection = frames.iter().find_map(|frame| self.frames.get(frame))?;
        self.connections.get(connection).map(|connection| connection.events.as_slice())
    }

    fn datagram(&mut self, tree: Tree<'_>, frame: u64, at: u64) {
        let first = |name: &str| tree.first(name).and_then(|field| uint(tree, field));
        let Some((number, port)) = first("quic.connection.number").zip(first("udp.srcport")) else { return };
        self.frames.insert(frame, number);
        let connection = self.connections.entry(number).or_default();
        let sent = *connection.asking.get_or_insert(port) == port;
        for mut data in packets(tree) {
            data["datagram_id"] = json!(frame);
            let metrics = connection.recovery.learn(at, sent, &data);
            let event = if sent { "transport:packet_sent" } else { "transport:packet_received" };
            connection.events.push((at, json!({"name": event, "data": data})));
            if let Some(metrics) = metrics {
                connection.events.push((at, json!({"name": "recovery:metrics_updated", "data": metrics})));
            }
        }
    }
}

/// The packets of one datagram, each as the data of qlog's event.
fn packets(tree: Tree<'_>) -> Vec<Json> {
    let fields = tree.fields();
    let begins: Vec<usize> =
        (0..fields.len()).filter(|&place| fields[place].def.name == "quic.packet_length").collect();
    let ends = begins.iter().skip(1).copied().chain([fields.len()]);
    begins.iter().zip(ends).map(|(&begin, end)| packet(tree, &fields[begin..end])).collect()
}

/// One packet: the fields from its length to the next one's.
fn packet(tree: Tree<'_>, fields: &[Field]) -> Json {
    let find = |name: &str| fields.iter().find(|field| field.def.name == name);
    let number = |name: &str| find(name).and_then(|field| uint(tree, field));
    let mut header = Map::new();
    header.insert("packet_type".into(), json!(packet_type(&number)));
    for (key, value) in [
        ("packet_number", number("quic.packet_number")),
        ("scil", number("quic.scil")),
        ("dcil", number("quic.dcil")),
    ] {
        if let Some(value) = value {
            header.insert(key.into(), json!(value));
        }
    }
    if let Some(version) = number("quic.version") {
        header.insert("version".into(), json!(format!("{version:x}")));
    }
    for (key, name) in [("dcid", "quic.dcid"), ("scid", "quic.scid")] {
        if let Some(id) = find(name) {
            header.insert(key.into(), json!(hex(tree.bytes(id))));
        }
    }
    let mut data = json!({"header": header, "raw": {"length": number("quic.packet_length")}});
    let frames: Vec<Json> = (0..fields.len())
        .filter(|&place| fields[place].def.name == "quic.frame")
        .map(|place| frame(tree, parts(fields, place)))
        .collect();
    // None: the packet stayed shut.
    if !frames.is_empty() {
        data["frames"] = json!(frames);
    }
    data
}

/// What is below a field.
fn parts(fields: &[Field], place: usize) -> &[Field] {
    let rest = &fields[place + 1..];
    let end = rest.iter().position(|field| field.depth <= fields[place].depth).unwrap_or(rest.len());
    &rest[..end]
}

fn packet_type(number: &impl Fn(&str) -> Option<u64>) -> &'static str {
    let kinds = ["initial", "0RTT", "handshake", "retry"];
    let second = ["retry", "initial", "0RTT", "handshake"];
    let kind = |kinds: [&'static str; 4], kind: u64| kinds[(kind & 3) as usize];
    match (number("quic.long.packet_type"), number("quic.long.packet_type_v2"), number("quic.version")) {
        (Some(of), ..) => kind(kinds, of),
        (_, Some(of), _) => kind(second, of),
        (_, _, Some(0)) => "version_negotiation",
        (_, _, Some(_)) => "unknown",
        _ => "1RTT",
    }
}

/// A number of any kind.
pub(super) fn uint(tree: Tree<'_>, field: &Field) -> Option<u64> {
    match tree.value(field) {
        Value::Uint(value) => Some(value),
        Value::Bool(value) => Some(u64::from(value)),
        _ => None,
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
