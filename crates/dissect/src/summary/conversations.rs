//! Who talks to whom, how much, how long.

use super::{bytes, ends, length, named, time};
use crate::show::put;
use crate::tree::Tree;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// So many conversations are told apart; what comes after is counted together.
const KNOWN_MAX: usize = 100_000;

/// An address and a port.
pub type End = (IpAddr, u16);

/// On which level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Ip,
    Tcp,
    Udp,
}

const LEVELS: [(Level, &str); 3] = [(Level::Ip, "ip"), (Level::Tcp, "tcp"), (Level::Udp, "udp")];

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

/// The conversations and endpoints of a capture.
#[derive(Debug, Default)]
pub struct Conversations {
    talks: BTreeMap<(Level, End, End), Talk>,
    points: BTreeMap<(Level, End), [Count; 2]>,
    others: Count,
}

/// A conversation to be told; `None` for hosts about whom those of TCP and UDP tell more.
fn flow((level, ..): &(Level, End, End), talk: &Talk) -> Option<Flow> {
    (!talk.carries).then(|| Flow {
        protocol: LEVELS[*level as usize].1,
        ends: talk.ends,
        ways: talk.ways.map(|count| (count.packets, count.bytes)),
        begins: talk.begins,
        lasts: talk.lasts(),
    })
}

impl Conversations {
    /// Counts a packet.
    pub fn take(&mut self, tree: Tree<'_>) {
        let Some(ends) = ends(tree) else { return };
        let (size, now) = (length(tree), time(tree));
        let hosts = ((ends.from.0, 0), (ends.to.0, 0));
        let inner = tree.layers().iter().rev().find_map(|layer| match layer.layer.name {
            "tcp" => Some(Level::Tcp),
            "udp" => Some(Level::Udp),
            "icmp" | "icmpv6" => Some(Level::Ip),
            _ => None,
        });
        let carried = inner.filter(|level| *level != Level::Ip);
        self.count(Level::Ip, hosts.0, hosts.1, size, now, carried.is_some());
        if let Some(level) = carried {
            self.count(level, ends.from, ends.to, size, now, false);
        }
    }

    fn count(&mut self, level: Level, from: End, to: End, size: u64, now: i64, carries: bool) {
        let key = if from <= to { (level, from, to) } else { (level, to, from) };
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
        // A packet begins two conversations at most.
        if self.talks.len() + 2 <= KNOWN_MAX {
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
            let mut talks: Vec<&Talk> =
                self.talks.iter().filter(|(key, _)| key.0 == level).map(|(_, talk)| talk).collect();
            if talks.is_empty() {
                continue;
            }
            talks.sort_by_key(|talk| std::cmp::Reverse(talk.ways[0].bytes + talk.ways[1].bytes));
            let width = talks.iter().map(|talk| named(talk.ends.0).len()).max().unwrap_or(0);
            let wide = talks.iter().map(|talk| named(talk.ends.1).len()).max().unwrap_or(0);
            put!(out, "conversations: {name}\n");
            put!(out, "{:width$}     {:wide$}  {:>8} {:>10}  {:>8} {:>10}", "A", "B", "A>B", "", "B>A", "");
            put!(out, "  {:>12} {:>12}\n", "begins", "lasts");
            for talk in talks {
                let [there, back] = talk.ways;
                put!(out, "{:width$} <-> {:wide$}", named(talk.ends.0), named(talk.ends.1));
                put!(out, "  {:>8} {:>10}", there.packets, bytes(there.bytes));
                put!(out, "  {:>8} {:>10}", back.packets, bytes(back.bytes));
                put!(out, "  {:>12.6} {:>12.6}\n", talk.begins as f64 / 1e9, talk.lasts() as f64 / 1e9);
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
                .map(|(key, counts)| (named(key.1), *counts))
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
        for ((level, ..), talk) in &self.talks {
            let name = LEVELS[*level as usize].1;
            let [there, back] = talk.ways;
            put!(out, "{{\"schema\":1,\"kind\":\"conversation\",\"level\":\"{name}\",");
            put!(out, "\"a\":\"{}\",\"b\":\"{}\",", named(talk.ends.0), named(talk.ends.1));
            put!(out, "\"packets_ab\":{},\"bytes_ab\":{},", there.packets, there.bytes);
            put!(out, "\"packets_ba\":{},\"bytes_ba\":{},", back.packets, back.bytes);
            let (begins, lasts) = (talk.begins as f64 / 1e9, talk.lasts() as f64 / 1e9);
            put!(out, "\"begins\":{begins:.9},\"lasts\":{lasts:.9}}}\n");
        }
    }

    /// One JSON object an endpoint.
    pub fn endpoints_json(&self, out: &mut Vec<u8>) {
        for ((level, end), [sent, got]) in &self.points {
            let name = LEVELS[*level as usize].1;
            put!(
                out,
                "{{\"schema\":1,\"kind\":\"endpoint\",\"level\":\"{name}\",\"end\":\"{}\",",
                named(*end)
            );
            put!(out, "\"packets_sent\":{},\"bytes_sent\":{},", sent.packets, sent.bytes);
            put!(out, "\"packets_received\":{},\"bytes_received\":{}}}\n", got.packets, got.bytes);
        }
    }
}
