//! All that is known of one packet: its tree as lines, its bytes, its streams.

use std::fmt::Write as _;

use thru_dissect::field::{Base, Kind};
use thru_dissect::show;
use thru_dissect::summary::flow::FlowId;
use thru_dissect::{Carrier, Field, Tree, Value};

/// Longer values make no filter.
const FILTER_BYTES_MAX: usize = 64;

/// A line of the tree.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) depth: u8,
    pub(crate) text: String,
    /// The field's name.
    pub(crate) name: &'static str,
    /// Which bytes it was read from.
    pub(crate) source: usize,
    pub(crate) start: usize,
    pub(crate) len: usize,
    /// The display filter that it passes.
    pub(crate) filter: String,
}

/// A packet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Detail {
    /// As `thru read` shows it.
    pub(crate) line: String,
    pub(crate) lines: Vec<Line>,
    /// The frame, and what was reassembled or decrypted.
    pub(crate) sources: Vec<(&'static str, Vec<u8>)>,
    /// The streams that it belongs to, from the outside in.
    pub(crate) streams: Vec<FlowId>,
}

impl Detail {
    pub(crate) fn of(tree: Tree<'_>) -> Detail {
        let lines = tree.fields().iter().filter(|field| !field.is_hidden());
        let mut sources = vec![("Frame", tree.frame().to_vec())];
        sources.extend(tree.sources().iter().map(|source| (source.name, source.bytes.clone())));
        Detail {
            line: crate::row::line(tree),
            lines: lines.map(|field| line(tree, field)).collect(),
            sources,
            streams: streams(tree),
        }
    }

    /// About how much memory it takes.
    pub(crate) fn size(&self) -> usize {
        let lines: usize =
            self.lines.iter().map(|line| size_of::<Line>() + line.text.len() + line.filter.len()).sum();
        lines + self.sources.iter().map(|(_, bytes)| bytes.len()).sum::<usize>()
    }

    /// Whether a line has lines below it.
    pub(crate) fn has_children(&self, at: usize) -> bool {
        self.lines.get(at + 1).is_some_and(|next| next.depth > self.lines[at].depth)
    }
}

fn line(tree: Tree<'_>, field: &Field) -> Line {
    let mut text = Vec::new();
    show::outline_field(&mut text, tree, field);
    Line {
        depth: field.depth,
        text: String::from_utf8_lossy(&text).into_owned(),
        name: field.def.name,
        source: usize::from(field.source),
        start: field.start as usize,
        len: field.len as usize,
        filter: filter(tree, field),
    }
}

/// `tcp.port == 443`: what this field passes.
fn filter(tree: Tree<'_>, field: &Field) -> String {
    let name = field.def.name;
    let value = match tree.value(field) {
        Value::None => return name.to_owned(),
        Value::Bool(value) => u8::from(value).to_string(),
        Value::Uint(value) if field.def.base == Base::Hex => format!("{value:#x}"),
        Value::Uint(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Address(address) => address.to_string(),
        Value::Ether(octets) => hex(&octets),
        Value::Bytes(bytes)
            if !bytes.is_empty() && bytes.len() <= FILTER_BYTES_MAX && field.def.kind == Kind::Bytes =>
        {
            hex(bytes)
        }
        Value::Text(words) if words.len() <= FILTER_BYTES_MAX => match std::str::from_utf8(words) {
            Ok(words) if !words.chars().any(char::is_control) => {
                format!("\"{}\"", words.replace('\\', "\\\\").replace('"', "\\\""))
            }
            _ => return name.to_owned(),
        },
        _ => return name.to_owned(),
    };
    format!("{name} == {value}")
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (place, byte) in bytes.iter().enumerate() {
        let colon = if place > 0 { ":" } else { "" };
        let _ = write!(text, "{colon}{byte:02x}");
    }
    text
}

/// The streams of a packet: what carries, then what is carried.
fn streams(tree: Tree<'_>) -> Vec<FlowId> {
    let number = |name: &str| match tree.first(name).map(|field| tree.value(field)) {
        Some(Value::Uint(number)) => Some(number),
        _ => None,
    };
    let has = |name: &str| tree.layers().iter().any(|layer| layer.layer.name == name);
    let mut streams = Vec::new();
    let mut add = |carrier, flow, stream| streams.push(FlowId { carrier, flow, stream });
    if let Some(flow) = number("tcp.stream") {
        add(Carrier::Tcp, flow, None);
        if has("tls") {
            add(Carrier::Tls, flow, None);
        }
        if let Some(stream) = number("http2.streamid").filter(|stream| *stream > 0) {
            add(Carrier::Http2, flow, Some(stream));
        }
    } else if let Some(flow) = number("udp.stream") {
        add(Carrier::Udp, flow, None);
        if has("dtls") {
            add(Carrier::Dtls, flow, None);
        }
        if let Some(flow) = number("quic.connection.number") {
            add(Carrier::Quic, flow, None);
            if has("http3") {
                add(Carrier::Http3, flow, None);
            }
        }
    }
    streams
}
