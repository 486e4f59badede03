//! Who talks to whom, how much, how long.

use super::{bytes, length, time};
use crate::protocols::{ethernet, ip, ipv6, tcp, udp};
use crate::show::put;
use crate::tree::{Tree, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// So many conversations are told apart; what comes after is counted together.
const KNOWN_MAX: usize = 100_000;
/// A packet is part of no more of them: tunnels have headers within headers.
const OF_ONE_PACKET_MAX: usize = 16;

/// Where an end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// On a link.
    Ether([u8; 6]),
    /// On a network.
    Ip(IpAddr),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Ether([a, b, c, d, e, g]) => {
                write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
            }
            Address::Ip(address) => address.fmt(f),
        }
    }
}

/// An address and a port; 0 where there are none.
pub type End = (Address, u16);

/// On which level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Eth,
    Ip,
    Tcp,
    Udp,
}

const LEVELS: [(Level, &str); 4] =
    [(Level::Eth, "eth"), (Level::Ip, "ip"), (Level::Tcp, "tcp"), (Level::Udp, "udp")];

impl Level {
    fn name(self) -> &'static str {
        LEVELS[self as usize].1
    }

    fn has_ports(self) -> bool {
        matches!(self, Level::Tcp | Level::Udp)
    }

    /// As people write it: `192.0.2.1:80`, `[2001:db8::1]:80`.
    fn end(self, (address, port): End) -> String {
        match address {
            Address::Ip(address) if self.has_ports() => SocketAddr::new(address, port).to_string(),
            address => address.to_string(),
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    packets: u64,
    bytes: u64,
}

impl Talk {
    fn lasts(&self) -> u64 {
        self.last.abs_diff(self.begins)
    }
}

impl Count {
    fn add(&mut self, bytes: u64) {
        self.packets += 1;
        self.bytes += bytes;
    }
}

#[derive(Clone, Copy, Debug)]
struct Talk {
    /// Who spoke first, to whom.
    ends: (End, End),
    /// From the first to the second, and back.
    ways: [Count; 2],
    /// Of its oldest packet and its newest, in whatever order they came.
    begins: i64,
    last: i64,
    /// Of hosts: there are conversations of TCP or UDP between them.
    carries: bool,
}

/// A conversation, as it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// `ip` (which has no ports), `tcp` or `udp`.
    pub protocol: &'static str,
    /// Address and port of who spoke first, and of the other.
    pub ends: (End, End),
    /// Packets and bytes from the first to the other, and back.
    pub ways: [(u64, u64); 2],
    /// When it began: nanoseconds since the capture's first packet, less than 0 if that one is not the oldest.
    pub begins: i64,
    /// Nanoseconds from its oldest packet to its newest.
    pub lasts: u64,
}

/// A conversation: its level, its ends, the number of its stream where it has one. Ports can be used again for another.
type Key = (Level, End, End, u64);

/// The conversations and endpoints of a capture.
#[derive(Debug, Default)]
pub struct Conversations {
    talks: BTreeMap<Key, Talk>,
    points: BTreeMap<(Level, End), [Count; 2]>,
    others: Count,
}

/// A conversation to be told; `None` for hosts about whom those of TCP and UDP tell more, and for links.
fn flow((level, ..): &Key, talk: &Talk) -> Option<Flow> {
    (!talk.carries && *level != Level::Eth).then(|| Flow {
        protocol: level.name(),
        ends: talk.ends,
        ways: talk.ways.map(|count| (count.packets, count.bytes)),
        begins: talk.begins,
        lasts: talk.lasts(),
    })
}

/// What a packet is a part of on one level.
struct Said {
    level: Level,
    from: End,
    to: End,
    stream: u64,
    carries: bool,
}

/// The conversations a packet belongs to, from the outside in: of a tunnel those outside and inside, but not what an
/// ICMP error quotes.
fn said(tree: Tree<'_>) -> Vec<Said> {
    let mut all: Vec<Said> = Vec::with_capacity(4);
    let mut macs = [Address::Ether([0; 6]); 2];
    let mut hosts = [None; 2];
    let mut ports = [0; 2];
    for field in tree.fields() {
        let def = field.def;
        let address = || match tree.value(field) {
            Value::Address(address) => Some(Address::Ip(address)),
            _ => None,
        };
        let level = if def.is(&ethernet::DST) {
            if let Value::Ether(mac) = tree.value(field) {
                macs[1] = Address::Ether(mac);
            }
            continue;
        } else if def.is(&ethernet::SRC) {
            if let Value::Ether(mac) = tree.value(field) {
                macs[0] = Address::Ether(mac);
            }
            Level::Eth
        } else if def.is(&ip::SRC) || def.is(&ipv6::SRC) {
            hosts[0] = address();
            continue;
        } else if def.is(&ip::DST) || def.is(&ipv6::DST) {
            hosts[1] = address();
            Level::Ip
        } else if def.is(&tcp::SRC_PORT) || def.is(&udp::SRC_PORT) {
            ports[0] = field.value as u16;
            continue;
        } else if def.is(&tcp::DST_PORT) || def.is(&udp::DST_PORT) {
            ports[1] = field.value as u16;
            continue;
        } else if def.is(&tcp::STREAM) {
            Level::Tcp
        } else if def.is(&udp::STREAM) {
            Level::Udp
        } else if def.name == "icmp" || def.name == "icmpv6" {
            break; // what follows is quoted
        } else {
            continue;
        };
        let (from, to) = match (level, hosts) {
            (Level::Eth, _) => (macs[0], macs[1]),
            (_, [Some(from), Some(to)]) => (from, to),
            _ => continue,
        };
        let has_ports = level.has_ports();
        let ports = if has_ports { ports } else { [0; 2] };
        if let Some(outer) = all.last_mut().filter(|outer| has_ports && outer.level == Level::Ip) {
            outer.carries = true;
        }
        let stream = if has_ports { field.value } else { 0 };
        all.push(Said { level, from: (from, ports[0]), to: (to, ports[1]), stream, carries: false });
        if all.len() == OF_ONE_PACKET_MAX {
            break;
        }
    }
    all
}

impl Conversations {
    /// Counts a packet.
    pub fn take(&mut self, tree: Tree<'_>) {
        let (size, now) = (length(tree), time(tree));
        for said in said(tree) {
            self.count(&said, size, now);
        }
    }

    fn count(&mut self, said: &Said, size: u64, now: i64) {
        let Said { level, from, to, stream, carries } = *said;
        let key = if from <= to { (level, from, to, stream) } else { (level, to, from, stream) };
        if self.talks.len() >= KNOWN_MAX && !self.talks.contains_key(&key) {
            return self.others.add(size);
        }
        let fresh = Talk { ends: (from, to), ways: Default::default(), begins: now, last: now, carries };
        let talk = self.talks.entry(key).or_insert(fresh);
        talk.ways[usize::from(talk.ends.0 != from)].add(size);
        (talk.begins, talk.last) = (talk.begins.min(now), talk.last.max(now));
        talk.carries |= carries;
        self.points.entry((level, from)).or_default()[0].add(size);
        self.points.entry((level, to)).or_default()[1].add(size);
    }

    /// The conversations of TCP and UDP, and of hosts that spoke something else only, in the order of their addresses.
    pub fn flows(&self) -> impl Iterator<Item = Flow> {
        self.talks.iter().filter_map(|(key, talk)| flow(key, talk))
    }

    /// When there is no room for another conversation, makes room for half of them: those that were silent for longest are
    /// given and forgotten. Who asks after each packet is given all of them in the end, however many there are; one that
    /// goes on afterwards begins anew.
    pub fn make_room(&mut self) -> Vec<Flow> {
        if self.talks.len() + OF_ONE_PACKET_MAX <= KNOWN_MAX {
            return Vec::new();
        }
        let mut ages: Vec<i64> = self.talks.values().map(|talk| talk.last).collect();
        let half = ages.len() / 2;
        let (_, &mut limit, _) = ages.select_nth_unstable(half);
        let mut gone = Vec::new();
        self.talks.retain(|key, talk| {
            let stays = talk.last > limit;
            if !stays {
                gone.extend(flow(key, talk));
            }
            stays
        });
        self.points.clear();
        gone
    }

    /// The conversations of each level, the largest first.
    pub fn text(&self, out: &mut Vec<u8>) {
        for (level, name) in LEVELS {
            let mut talks: Vec<(u64, &Talk)> = self
                .talks
                .iter()
                .filter(|(key, _)| key.0 == level)
                .map(|(key, talk)| (key.3, talk))
                .collect();
            if talks.is_empty() {
                continue;
            }
            talks.sort_by_key(|(_, talk)| std::cmp::Reverse(talk.ways[0].bytes + talk.ways[1].bytes));
            let width = talks.iter().map(|(_, talk)| level.end(talk.ends.0).len()).max().unwrap_or(0);
            let wide = talks.iter().map(|(_, talk)| level.end(talk.ends.1).len()).max().unwrap_or(0);
            put!(out, "conversations: {name}\n");
            put!(out, "{:width$}     {:wide$}  {:>8} {:>10}  {:>8} {:>10}", "A", "B", "A>B", "", "B>A", "");
            put!(out, "  {:>12} {:>12}", "begins", "lasts");
            out.extend_from_slice(if level.has_ports() { b"  flow\n" } else { b"\n" });
            for (stream, talk) in talks {
                let [there, back] = talk.ways;
                put!(out, "{:width$} <-> {:wide$}", level.end(talk.ends.0), level.end(talk.ends.1));
                put!(out, "  {:>8} {:>10}", there.packets, bytes(there.bytes));
                put!(out, "  {:>8} {:>10}", back.packets, bytes(back.bytes));
                put!(out, "  {:>12.6} {:>12.6}", talk.begins as f64 / 1e9, talk.lasts() as f64 / 1e9);
                if level.has_ports() {
                    put!(out, "  {name}:{stream}");
                }
                out.push(b'\n');
            }
            out.push(b'\n');
        }
        self.others_text(out);
    }

    /// The endpoints of each level, the largest first.
    pub fn endpoints_text(&self, out: &mut Vec<u8>) {
        for (level, name) in LEVELS {
            let mut points: Vec<(String, [Count; 2])> = self
                .points
                .iter()
                .filter(|(key, _)| key.0 == level)
                .map(|(key, counts)| (level.end(key.1), *counts))
                .collect();
            if points.is_empty() {
                continue;
            }
            points.sort_by_key(|(_, [sent, got])| std::cmp::Reverse(sent.bytes + got.bytes));
            let width = points.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
            put!(out, "endpoints: {name}\n");
            put!(out, "{:width$}  {:>8} {:>10}  {:>8} {:>10}\n", "", "sent", "", "received", "");
            for (name, [sent, got]) in points {
                put!(out, "{name:width$}  {:>8} {:>10}", sent.packets, bytes(sent.bytes));
                put!(out, "  {:>8} {:>10}\n", got.packets, bytes(got.bytes));
            }
            out.push(b'\n');
        }
        self.others_text(out);
    }

    fn others_text(&self, out: &mut Vec<u8>) {
        if self.others.packets > 0 {
            let Count { packets, bytes } = self.others;
            put!(
                out,
                "{packets} packets ({bytes} bytes) belong to conversations beyond the first {KNOWN_MAX}\n\n"
            );
        }
    }

    /// One JSON object a conversation.
    pub fn json(&self, out: &mut Vec<u8>) {
        for ((level, _, _, stream), talk) in &self.talks {
            let [there, back] = talk.ways;
            put!(out, "{{\"schema\":1,\"kind\":\"conversation\",\"level\":\"{}\",", level.name());
            if level.has_ports() {
                put!(out, "\"stream\":{stream},");
            }
            put!(out, "\"a\":\"{}\",\"b\":\"{}\",", level.end(talk.ends.0), level.end(talk.ends.1));
            put!(out, "\"packets_ab\":{},\"bytes_ab\":{},", there.packets, there.bytes);
            put!(out, "\"packets_ba\":{},\"bytes_ba\":{},", back.packets, back.bytes);
            let (begins, lasts) = (talk.begins as f64 / 1e9, talk.lasts() as f64 / 1e9);
            put!(out, "\"begins\":{begins:.9},\"lasts\":{lasts:.9}}}\n");
        }
    }

    /// One JSON object an endpoint.
    pub fn endpoints_json(&self, out: &mut Vec<u8>) {
        for ((level, end), [sent, got]) in &self.points {
            put!(out, "{{\"schema\":1,\"kind\":\"endpoint\",\"level\":\"{}\",", level.name());
            put!(out, "\"end\":\"{}\",", level.end(*end));
            put!(out, "\"packets_sent\":{},\"bytes_sent\":{},", sent.packets, sent.bytes);
            put!(out, "\"packets_received\":{},\"bytes_received\":{}}}\n", got.packets, got.bytes);
        }
    }
}
