//! What a name server did: counters, and a line for each query.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use serde_json::{Value, json};
use thru_names::message::HEADER_LEN;
use thru_names::text::{name_text, rcode_text, type_text};
use thru_names::wire::read_name;
use thru_wire::Instant;

use super::Transport;

/// Upper bounds of the classes that times of resolutions are counted in, in milliseconds.
const CLASSES: [u64; 10] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/// Where the lines of the query log go.
pub type LogFn = dyn Fn(&Logged<'_>) + Send;

/// A query and what became of it.
#[derive(Clone, Copy, Debug)]
pub struct Logged<'a> {
    /// The date: time since the Unix epoch.
    pub date: Duration,
    /// The client.
    pub from: SocketAddr,
    /// How it asked.
    pub transport: Transport,
    /// The query's octets.
    pub query: &'a [u8],
    /// The reply's; of a transfer those of its first message. `None`: it got none.
    pub reply: Option<&'a [u8]>,
    /// From query to reply.
    pub took: Duration,
}

impl Logged<'_> {
    /// One line for people and programs alike.
    pub fn json(&self) -> Value {
        let (name, record_type) = question(self.query).unwrap_or_default();
        let mut value = json!({
            "time": self.date.as_millis() as f64 / 1000.0,
            "client": self.from.to_string(),
            "transport": self.transport.to_string(),
            "name": name,
            "type": record_type,
            "took_us": self.took.as_micros() as u64,
        });
        if let Some(reply) = self.reply {
            value["rcode"] = json!(rcode_text(code(reply)));
            value["bytes"] = json!(reply.len());
            value["ad"] = json!(reply.get(3).is_some_and(|flags| flags & 0x20 != 0));
        }
        value
    }
}

/// Name and type asked for.
fn question(query: &[u8]) -> Option<(String, String)> {
    let (name, after) = read_name(query, HEADER_LEN).ok()?;
    let number = query.get(after..after + 2)?;
    let record_type = RecordType::from(u16::from_be_bytes([number[0], number[1]]));
    Some((name_text(&name), type_text(record_type)))
}

/// The four bits of the code in the header.
fn code(reply: &[u8]) -> ResponseCode {
    ResponseCode::from(0, reply.get(3).map_or(0, |flags| flags & 15))
}

/// Counters since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// When it began.
    pub since: Instant,
    /// Queries by transport.
    pub queries: [u64; Transport::ALL.len()],
    /// Replies by the four bits of their code.
    pub replies: [u64; 16],
    /// Queries that got no reply.
    pub silent: u64,
    /// Replies that were at hand in octets.
    pub packed: u64,
    /// Replies that were made at once, the packed not counted: from the cache, or by an authority.
    pub at_once: u64,
    /// Queries that had to wait for other servers, by time: below 1, 2, 5, 10, ... 1000 ms, and above.
    pub waited: [u64; CLASSES.len() + 1],
    /// Octets of queries.
    pub octets_in: u64,
    /// Octets of replies.
    pub octets_out: u64,
    /// Questions put to other servers.
    pub asked: u64,
    /// How often the cache was flushed.
    pub flushes: u64,
}

impl Statistics {
    /// Counts a query.
    pub(super) fn hear(&mut self, transport: Transport, octets: usize) {
        self.queries[transport as usize] += 1;
        self.octets_in += octets as u64;
    }

    /// Counts a reply that took no waiting.
    pub(super) fn say(&mut self, reply: Option<&[u8]>) {
        match reply {
            Some(reply) => {
                self.replies[usize::from(reply.get(3).map_or(0, |flags| flags & 15))] += 1;
                self.octets_out += reply.len() as u64;
            }
            None => self.silent += 1,
        }
    }

    /// Counts how long a query waited.
    pub(super) fn wait(&mut self, took: Duration) {
        let millis = took.as_millis() as u64;
        let class = CLASSES.iter().position(|bound| millis < *bound).unwrap_or(CLASSES.len());
        self.waited[class] += 1;
    }

    /// As an object, with what the engine holds now.
    pub(super) fn json(&self, now: Instant, held: Value) -> Value {
        let queries: BTreeMap<String, u64> = Transport::ALL
            .iter()
            .map(|transport| (transport.to_string(), self.queries[*transport as usize]))
            .collect();
        let replies: BTreeMap<String, u64> = (0..16)
            .filter(|code| self.replies[usize::from(*code)] > 0)
            .map(|code| (rcode_text(ResponseCode::from(0, code)), self.replies[usize::from(code)]))
            .collect();
        let mut waited = serde_json::Map::new();
        for (class, count) in self.waited.iter().enumerate().filter(|(_, count)| **count > 0) {
            let bound = CLASSES.get(class).map_or("more".to_owned(), |bound| format!("under_{bound}_ms"));
            waited.insert(bound, json!(count));
        }
        json!({
            "uptime_s": now.since(self.since).as_secs(),
            "queries": queries,
            "replies": replies,
            "silent": self.silent,
            "ready": self.packed,
            "at_once": self.at_once,
            "waited": waited,
            "octets": { "in": self.octets_in, "out": self.octets_out },
            "asked_others": self.asked,
            "flushes": self.flushes,
            "now": held,
        })
    }
}
