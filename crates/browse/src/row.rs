//! A packet in the list.

use thru_dissect::show::{self, LineOptions, TimeStyle};
use thru_dissect::{Field, Tree, Value};

use crate::mark::{Mark, Marks};

/// So many bytes of a packet's line are kept.
const INFO_MAX: usize = 400;

/// How times are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Times {
    /// Since the first packet.
    #[default]
    First,
    /// Since the packet before it in the capture.
    Delta,
    /// Of day, in UTC.
    Clock,
}

impl Times {
    pub(crate) fn next(self) -> Times {
        match self {
            Times::First => Times::Delta,
            Times::Delta => Times::Clock,
            Times::Clock => Times::First,
        }
    }

    pub(crate) fn heading(self) -> &'static str {
        match self {
            Times::First => "Time",
            Times::Delta => "Delta",
            Times::Clock => "UTC",
        }
    }
}

/// What the list shows of a packet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) number: u64,
    pub(crate) mark: Option<Mark>,
    /// Nanoseconds since 1970, since the first packet, since the one before.
    epoch: Option<u64>,
    first: i64,
    delta: i64,
    pub(crate) src: String,
    pub(crate) dst: String,
    pub(crate) protocol: &'static str,
    pub(crate) length: u64,
    pub(crate) info: String,
}

impl Row {
    pub(crate) fn of(number: u64, tree: Tree<'_>, marks: &Marks) -> Row {
        let mut row = Row { number, mark: marks.of(tree), ..Row::default() };
        let mut ends: [Option<&Field>; 2] = [None; 2];
        let mut stations: [Option<&Field>; 2] = [None; 2];
        for field in tree.fields() {
            match (field.def.name, tree.value(field)) {
                ("frame.time", Value::Absolute(nanos)) => row.epoch = u64::try_from(nanos).ok(),
                ("frame.time_relative", Value::Relative(nanos)) => row.first = nanos,
                ("frame.time_delta", Value::Relative(nanos)) => row.delta = nanos,
                ("frame.len", Value::Uint(length)) => row.length = length,
                ("ip.src" | "ipv6.src" | "arp.src.proto_ipv4", _) => ends[0] = Some(field),
                ("ip.dst" | "ipv6.dst" | "arp.dst.proto_ipv4", _) => ends[1] = Some(field),
                ("eth.src", _) => stations[0] = Some(field),
                ("eth.dst", _) => stations[1] = Some(field),
                // What follows is quoted.
                ("icmp" | "icmpv6", _) if field.depth == 0 => break,
                _ => {}
            }
        }
        let words = |field: Option<&Field>| {
            let mut text = Vec::new();
            field.inspect(|field| show::write_value(&mut text, tree, field));
            String::from_utf8_lossy(&text).into_owned()
        };
        row.src = words(ends[0].or(stations[0]));
        row.dst = words(ends[1].or(stations[1]));
        let last = tree.layers().iter().rfind(|layer| layer.layer.name != "data");
        row.protocol = last.map_or("", |layer| layer.short);
        row.info = info(tree, row.protocol);
        row
    }

    /// When it was, in `width` columns if that can be: digits at its end may be left out.
    pub(crate) fn time(&self, times: Times, width: usize) -> String {
        let mut text = self.whole_time(times);
        let point = text.find('.').unwrap_or(text.len());
        text.truncate(width.max(point));
        text
    }

    fn whole_time(&self, times: Times) -> String {
        match times {
            Times::First => seconds(self.first),
            Times::Delta => seconds(self.delta),
            Times::Clock => {
                let Some(nanos) = self.epoch else { return "-".to_owned() };
                let (second, micros) = (nanos / 1_000_000_000 % 86_400, nanos % 1_000_000_000 / 1000);
                format!("{:02}:{:02}:{:02}.{micros:06}", second / 3600, second / 60 % 60, second % 60)
            }
        }
    }
}

/// Seconds with six digits behind the point.
fn seconds(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let micros = nanos.unsigned_abs() / 1000;
    format!("{sign}{}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// The packet's line without its time, cut to what a screen can show.
pub(crate) fn line(tree: Tree<'_>) -> String {
    let mut text = Vec::new();
    show::line(&mut text, tree, &LineOptions { time: TimeStyle::None, ..LineOptions::default() });
    text.truncate(INFO_MAX);
    String::from_utf8_lossy(&text).trim_end().to_owned()
}

/// The line without what has columns of its own: addresses, and the protocol; of a packet that carries a message, the
/// message first.
fn info(tree: Tree<'_>, protocol: &str) -> String {
    let line = line(tree);
    let Some((_, rest)) = line.split_once(": ").filter(|(head, _)| head.contains(" > ")) else {
        return line;
    };
    let Some((from, to)) = ports(tree) else { return rest.to_owned() };
    let message = rest.split_once(", length ").and_then(|(_, rest)| rest.split_once(": "));
    match message {
        Some((length, message)) if length.bytes().next().is_some_and(|byte| byte.is_ascii_digit()) => {
            // Findings stand behind the length.
            let findings = length.split_once(' ').map_or(String::new(), |(_, words)| format!("{words} "));
            let message = message.strip_prefix(protocol).map_or(message, str::trim_start);
            format!("{findings}{message} ({from} > {to})").trim_start().to_owned()
        }
        _ => format!("{from} > {to} {}", rest.strip_prefix("Flags ").unwrap_or(rest)),
    }
}

/// The first ports; an ICMP error has none of its own.
fn ports(tree: Tree<'_>) -> Option<(u64, u64)> {
    if tree.fields().iter().any(|field| field.depth == 0 && matches!(field.def.name, "icmp" | "icmpv6")) {
        return None;
    }
    let number = |name: &str| tree.first(name).map(|field| tree.value(field));
    for [from, to] in [["tcp.srcport", "tcp.dstport"], ["udp.srcport", "udp.dstport"]] {
        if let (Some(Value::Uint(from)), Some(Value::Uint(to))) = (number(from), number(to)) {
            return Some((from, to));
        }
    }
    None
}
