//! The captured frames, dissected once for all that draw them.

use crate::frames;
use std::collections::BTreeMap;
use std::net::IpAddr;
use thru_dissect::show::{LineOptions, TimeStyle, line};
use thru_dissect::summary::insight::Insight;
use thru_dissect::{Dissector, Options, Tree, Value};
use thru_trace::frames::length_on_the_wire;
use thru_trace::{Packet, PacketFate, Trace};

/// Captures longer than this are drawn up to here: a page of a million frames opens nowhere.
const FRAMES_MAX: usize = 20_000;
/// A description is cut here.
const INFO_MAX: usize = 160;

/// A frame, as far as drawings need it.
pub(super) struct Seen {
    pub(super) number: u64,
    /// Nanoseconds since the network's instant 0.
    pub(super) at: u64,
    /// Source, if it is an IP packet.
    pub(super) from: Option<IpAddr>,
    /// Destination, if it is an IP packet.
    pub(super) to: Option<IpAddr>,
    /// Whether the asking host sent it.
    pub(super) outbound: bool,
    /// The innermost protocol: `tls`, `dns`, `tcp`.
    pub(super) protocol: &'static str,
    /// What it says, in a line.
    pub(super) info: String,
    /// What TCP's analysis found wrong: `retransmission`.
    pub(super) trouble: Vec<&'static str>,
    /// Why it went no further.
    pub(super) dropped: Option<String>,
    /// Bytes of the frame on the wire, of which less may have been kept.
    pub(super) size: usize,
    pub(super) tcp: Option<Tcp>,
    /// UDP's flow by its ports, the asking host's first.
    pub(super) udp: Option<(u64, u64)>,
}

/// What plots need of a segment. Sequence numbers count from the connection's start.
pub(super) struct Tcp {
    pub(super) stream: u64,
    pub(super) seq: u64,
    pub(super) len: u64,
    pub(super) ack: Option<u64>,
    /// The timestamps option: our clock, and the other's that is sent back.
    pub(super) timestamps: Option<(u64, u64)>,
    pub(super) syn: bool,
}

/// Frames as seen on the link nearest to the asking host, and those of other links that were lost there.
/// Also how TCP fared.
pub(super) fn read(trace: &Trace) -> (Vec<Seen>, Insight) {
    let dissector = Dissector::new(Options { reassemble_out_of_order: true, ..Options::default() });
    let nearest = |packet: &&Packet| packet.interface == 0 || packet.fate != PacketFate::Passed;
    let (mut seen, mut insight) = (Vec::new(), Insight::default());
    frames::each(trace, dissector, trace.packets.iter().filter(nearest).take(FRAMES_MAX), |tree, packet| {
        let dropped = match &packet.fate {
            PacketFate::Passed => None,
            PacketFate::Dropped(reason) => Some(reason.clone()),
        };
        if packet.fate == PacketFate::Passed {
            insight.take(tree);
        }
        seen.push(Seen {
            at: packet.at,
            dropped,
            size: length_on_the_wire(&packet.bytes),
            ..look(tree, packet.number)
        });
    });
    let ours = asking(trace, &seen);
    for one in &mut seen {
        one.outbound = one.from.is_some_and(|from| ours.contains(&from));
        one.udp = one.udp.map(|(from, to)| if one.outbound { (from, to) } else { (to, from) });
    }
    (seen, insight)
}

fn look(tree: Tree<'_>, number: u64) -> Seen {
    let uint = |name: &str| match tree.first(name).map(|field| tree.value(field)) {
        Some(Value::Uint(value)) => Some(value),
        Some(Value::Bool(value)) => Some(u64::from(value)),
        _ => None,
    };
    let address = |v4: &str, v6: &str| {
        [v4, v6].iter().find_map(|name| match tree.value(tree.first(name)?) {
            Value::Address(address) => Some(address),
            _ => None,
        })
    };
    let mut words = Vec::new();
    line(&mut words, tree, &LineOptions { time: TimeStyle::None, ..LineOptions::default() });
    let tcp = uint("tcp.stream").map(|stream| Tcp {
        stream,
        seq: uint("tcp.seq").unwrap_or(0),
        len: uint("tcp.len").unwrap_or(0),
        ack: uint("tcp.flags.ack").filter(|&set| set != 0).and(uint("tcp.ack")),
        timestamps: uint("tcp.options.timestamp.tsval").zip(uint("tcp.options.timestamp.tsecr")),
        syn: uint("tcp.flags.syn") == Some(1),
    });
    Seen {
        number,
        at: 0,
        from: address("ip.src", "ipv6.src").or_else(|| address("arp.src.proto_ipv4", "")),
        to: address("ip.dst", "ipv6.dst").or_else(|| address("arp.dst.proto_ipv4", "")),
        outbound: false,
        protocol: protocol(tree),
        info: shorten(&String::from_utf8_lossy(&words)),
        trouble: trouble(tree),
        dropped: None,
        size: 0,
        tcp,
        udp: uint("udp.srcport").zip(uint("udp.dstport")),
    }
}

/// The innermost protocol that says something; of an ICMP error not that of the packet it quotes.
fn protocol(tree: Tree<'_>) -> &'static str {
    let names = || tree.layers().iter().map(|protocol| protocol.layer.name);
    names()
        .find(|name| name.starts_with("icmp"))
        // Bytes that nobody understands are no protocol.
        .or_else(|| names().rev().find(|name| *name != "data"))
        .unwrap_or("frame")
}

/// The line without its addresses, which the drawing shows by itself.
fn shorten(line: &str) -> String {
    let line = line.trim_end();
    let rest = match line.split_once(" > ").and_then(|(_, rest)| rest.split_once(": ")) {
        Some((_, rest)) => rest,
        None => line,
    };
    rest.chars().take(INFO_MAX).collect()
}

/// Words of Wireshark's analysis that mean something went wrong.
const TROUBLE: [(&str, &str); 10] = [
    ("tcp.analysis.retransmission", "retransmission"),
    ("tcp.analysis.fast_retransmission", "fast retransmission"),
    ("tcp.analysis.spurious_retransmission", "needless retransmission"),
    ("tcp.analysis.out_of_order", "out of order"),
    ("tcp.analysis.lost_segment", "a segment before it is missing"),
    ("tcp.analysis.ack_lost_segment", "acknowledges what was not seen"),
    ("tcp.analysis.duplicate_ack", "duplicate ACK"),
    ("tcp.analysis.zero_window", "window closed"),
    ("tcp.analysis.window_full", "window full"),
    ("tcp.analysis.zero_window_probe", "probe of a closed window"),
];

fn trouble(tree: Tree<'_>) -> Vec<&'static str> {
    // A fast retransmission is marked as a retransmission, too: the closer word says it.
    let found: Vec<_> = TROUBLE.iter().filter(|(name, _)| tree.first(name).is_some()).collect();
    let closer = found.iter().any(|(_, word)| word.ends_with(" retransmission"));
    found.iter().map(|(_, word)| *word).filter(|word| !(closer && *word == "retransmission")).collect()
}

/// The addresses of the host that asks: those its connections began at, else the busiest of each family.
fn asking(trace: &Trace, seen: &[Seen]) -> Vec<IpAddr> {
    let mut ours: Vec<IpAddr> = Vec::new();
    for span in &trace.spans {
        if let Some(local) = span.address("tcp.local").or_else(|| span.address("quic.local")) {
            ours.push(local);
        }
    }
    for v4 in [true, false] {
        if ours.iter().any(|address| address.is_ipv4() == v4) {
            continue;
        }
        let mut frames: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for one in seen {
            for address in [one.from, one.to].into_iter().flatten().filter(|one| one.is_ipv4() == v4) {
                *frames.entry(address).or_default() += 1;
            }
        }
        // Of equals the one that spoke first: who asks begins.
        let most = frames.values().max().copied().unwrap_or(0);
        let first = seen.iter().filter_map(|one| one.from).find(|from| frames.get(from) == Some(&most));
        ours.extend(first.filter(|from| from.is_ipv4() == v4));
    }
    ours.dedup();
    ours
}
