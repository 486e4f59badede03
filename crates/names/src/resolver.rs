//! The iterative resolver: a machine that is told what arrives and when, and says what to send.
//!
//! It starts at the root hints, follows referrals down, believes servers only about their own zones, keeps what it
//! learns, and gives each client query one answer after bounded work. Rule for the loop: after each
//! [`Resolver::handle`], take [`Resolver::poll_output`] until it is empty; call again with [`Input::Timeout`] when
//! [`Resolver::next_deadline`] has come.
//!
//! ```text
//!   Query ──> cache? ──> Task: closest known zone ──> ask a server ──> classify ──> referral: deeper, again
//!                          ^        │ no address: a Task for it              ├──> alias: from the top, new name
//!                          └────────┘                                        ├──> error, silence: next server
//!                                                                            └──> answer: to all who wait
//! ```
//!
//! - [`ResolverConfig`]: root hints, limits, patience.
//! - [`Answer`] with its [`Step`]s: what the client gets, and the diary of how it came about.
//!
//! Not here yet: validation (DNSSEC), QNAME minimisation, prefetch, serving stale answers.

mod cache;
mod classify;
mod exchange;
mod random;
mod servers;
mod step;
mod task;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, Record, RecordType};
use thru_wire::Instant;

use crate::text::parse_name;
use cache::Cache;
use classify::Delegation;
use exchange::Exchange;
use random::RandomStream;
use servers::Servers;
pub use step::{Said, Step};
use task::{Task, TaskId, Waiter};

/// Where a resolution begins, and how far it may go.
#[derive(Clone, Debug)]
pub struct ResolverConfig {
    /// The root's name servers and their addresses.
    pub root_hints: Vec<(Name, Vec<IpAddr>)>,
    /// Port that name servers listen on: 53.
    pub port: u16,
    /// Whether servers may be asked over IPv4.
    pub v4: bool,
    /// Whether servers may be asked over IPv6.
    pub v6: bool,
    /// When a query without an answer gets SERVFAIL. The 3.6 s chosen end before the usual stub (two tries of 2 s)
    /// gives up, so that it hears the reason.
    pub patience: Duration,
    /// Mix the letter case of questions, so that a forger has more to guess ("0x20").
    pub mix_case: bool,
    /// What bounds the work.
    pub limits: Limits,
}

impl ResolverConfig {
    /// The usual settings over these root hints.
    pub fn new(root_hints: Vec<(Name, Vec<IpAddr>)>) -> ResolverConfig {
        ResolverConfig {
            root_hints,
            port: 53,
            v4: true,
            v6: true,
            patience: Duration::from_millis(3600),
            mix_case: true,
            limits: Limits::default(),
        }
    }
}

/// Bounds on work and memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Questions sent for one client query, all its side errands included.
    pub queries: u32,
    /// Referrals followed for one name.
    pub referrals: u32,
    /// Aliases followed for one query.
    pub aliases: usize,
    /// How deep addresses of name servers of name servers are looked up.
    pub depth: u32,
    /// Name servers whose missing addresses are looked up for one zone (bounds NXNSAttack).
    pub lookups: u32,
    /// Resolutions under way at once.
    pub tasks: usize,
    /// Clients waiting for one resolution.
    pub waiters: usize,
    /// Steps kept of one resolution.
    pub steps: usize,
    /// Cache entries of each kind.
    pub cache: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            queries: 60,
            referrals: 20,
            aliases: 12,
            depth: 6,
            lookups: 4,
            tasks: 2000,
            waiters: 256,
            steps: 64,
            cache: 20_000,
        }
    }
}

/// One question put to one server, from sending to answer or end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId(pub u64);

/// What happened outside.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// A client asks; the answer comes back with this token.
    Query {
        /// The client's handle.
        token: u64,
        /// The name asked for.
        name: &'a Name,
        /// The type asked for.
        record_type: RecordType,
    },
    /// A message arrived on the socket of an exchange.
    Response {
        /// Whose socket.
        exchange: ExchangeId,
        /// Where it came from.
        from: SocketAddr,
        /// The message, without TCP's length.
        message: &'a [u8],
    },
    /// An exchange ended without a message: an ICMP error, a refused or closed connection.
    Unreachable {
        /// Which one.
        exchange: ExchangeId,
        /// In words.
        why: String,
    },
    /// The deadline has come.
    Timeout,
}

/// What to do outside.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send `message` to `to` from a fresh socket with a random port, and keep that socket for its answer.
    Send {
        /// Names the exchange from now on.
        exchange: ExchangeId,
        /// The server.
        to: SocketAddr,
        /// Over TCP (with its length before it) rather than UDP.
        over_tcp: bool,
        /// The query.
        message: Vec<u8>,
    },
    /// Nothing more is wanted on this exchange: close its socket.
    Finished(ExchangeId),
    /// The answer to the query with this token.
    Answer {
        /// The client's handle.
        token: u64,
        /// The answer; shared by all who waited for it.
        answer: Arc<Answer>,
    },
}

/// What a client gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The name asked for.
    pub name: Name,
    /// The type asked for.
    pub record_type: RecordType,
    /// NOERROR, NXDOMAIN or SERVFAIL.
    pub code: ResponseCode,
    /// Aliases first, then the records at their end.
    pub records: Vec<Record>,
    /// The SOA of a negative answer.
    pub soa: Option<Record>,
    /// Code and text (RFC 8914) that explain a SERVFAIL.
    pub extended_error: Option<(u16, String)>,
    /// Whether nothing had to be asked.
    pub from_cache: bool,
    /// When the resolution began.
    pub began: Instant,
    /// When it ended.
    pub ended: Instant,
    /// The questions asked, in order of asking, those about name servers' addresses included.
    pub steps: Vec<Step>,
    /// Steps beyond the bound that were not kept.
    pub steps_dropped: u32,
}

/// The iterative resolver. Bounded in memory and in work per query.
#[derive(Debug)]
pub struct Resolver {
    config: ResolverConfig,
    random: RandomStream,
    cache: Cache,
    servers: Servers,
    tasks: BTreeMap<TaskId, Task>,
    /// Equal questions share a task.
    by_question: BTreeMap<(Name, RecordType), TaskId>,
    exchanges: BTreeMap<ExchangeId, Exchange>,
    deadlines: BTreeSet<(Instant, Deadline)>,
    /// Tasks with something to do now.
    ready: VecDeque<TaskId>,
    outputs: VecDeque<Output>,
    last_id: u64,
}

/// Why the machine wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Deadline {
    /// The server has had its time: try another.
    Exchange(ExchangeId),
    /// The client has waited long enough: SERVFAIL.
    Task(TaskId),
}

impl Resolver {
    /// A resolver with an empty cache; ids, letter cases and choices come from `seed`.
    pub fn new(config: ResolverConfig, seed: [u8; 32]) -> Resolver {
        Resolver {
            cache: Cache::new(config.limits.cache),
            config,
            random: RandomStream::new(seed),
            servers: Servers::default(),
            tasks: BTreeMap::new(),
            by_question: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            ready: VecDeque::new(),
            outputs: VecDeque::new(),
            last_id: 0,
        }
    }

    /// Takes in what happened at `now`.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        match input {
            Input::Query { token, name, record_type } => self.query(now, token, name, record_type),
            Input::Response { exchange, from, message } => self.response(now, exchange, from, message),
            Input::Unreachable { exchange, why } => self.unreachable(now, exchange, why),
            Input::Timeout => self.timeout(now),
        }
        while let Some(task) = self.ready.pop_front() {
            self.advance(now, task);
        }
    }

    /// The next thing to do; `None` when all is done until the next input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call with [`Input::Timeout`]; [`Instant::NEVER`] when idle.
    pub fn next_deadline(&self) -> Instant {
        self.deadlines.first().map_or(Instant::NEVER, |(at, _)| *at)
    }

    /// Forgets every answer and every measurement, as a flush does. Resolutions under way go on.
    pub fn flush(&mut self) {
        self.cache.clear();
        self.servers.clear();
    }

    /// Cache entries held.
    pub fn cached(&self) -> usize {
        self.cache.len()
    }

    /// Resolutions and exchanges under way.
    pub fn under_way(&self) -> (usize, usize) {
        (self.tasks.len(), self.exchanges.len())
    }

    fn query(&mut self, now: Instant, token: u64, name: &Name, record_type: RecordType) {
        let question = (name.clone(), record_type);
        if let Some(task) = self.by_question.get(&question) {
            let task = self.tasks.get_mut(task).expect("indexed tasks exist");
            if task.waiters.len() < self.config.limits.waiters {
                task.waiters.push(Waiter::Client(token));
                return;
            }
        }
        if self.tasks.len() >= self.config.limits.tasks || self.by_question.contains_key(&question) {
            let answer = Answer {
                name: name.clone(),
                record_type,
                code: ResponseCode::ServFail,
                records: Vec::new(),
                soa: None,
                extended_error: Some((14, "too many resolutions under way".into())),
                from_cache: true,
                began: now,
                ended: now,
                steps: Vec::new(),
                steps_dropped: 0,
            };
            self.outputs.push_back(Output::Answer { token, answer: Arc::new(answer) });
            return;
        }
        let id = self.begin(now, question, Waiter::Client(token), None);
        self.ready.push_back(id);
    }

    fn timeout(&mut self, now: Instant) {
        while let Some(&(at, deadline)) = self.deadlines.first() {
            if at > now {
                break;
            }
            self.deadlines.pop_first();
            match deadline {
                Deadline::Exchange(exchange) => self.gave_no_answer(now, exchange),
                Deadline::Task(task) => self.out_of_time(now, task),
            }
        }
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn root(&self) -> Delegation {
        let servers = self
            .config
            .root_hints
            .iter()
            .map(|(name, addresses)| (name.clone(), addresses.clone()))
            .collect();
        Delegation { zone: Name::root(), servers }
    }
}

/// The root's name servers as of 2026, for resolution on the real internet.
pub fn iana_root_hints() -> Vec<(Name, Vec<IpAddr>)> {
    const HINTS: [(&str, &str, &str); 13] = [
        ("a", "198.41.0.4", "2001:503:ba3e::2:30"),
        ("b", "170.247.170.2", "2801:1b8:10::b"),
        ("c", "192.33.4.12", "2001:500:2::c"),
        ("d", "199.7.91.13", "2001:500:2d::d"),
        ("e", "192.203.230.10", "2001:500:a8::e"),
        ("f", "192.5.5.241", "2001:500:2f::f"),
        ("g", "192.112.36.4", "2001:500:12::d0d"),
        ("h", "198.97.190.53", "2001:500:1::53"),
        ("i", "192.36.148.17", "2001:7fe::53"),
        ("j", "192.58.128.30", "2001:503:c27::2:30"),
        ("k", "193.0.14.129", "2001:7fd::1"),
        ("l", "199.7.83.42", "2001:500:9f::42"),
        ("m", "202.12.27.33", "2001:dc3::35"),
    ];
    HINTS
        .iter()
        .map(|(letter, v4, v6)| {
            let name = parse_name(&format!("{letter}.root-servers.net")).expect("a legal name");
            (name, vec![v4.parse().expect("an address"), v6.parse().expect("an address")])
        })
        .collect()
}

#[cfg(test)]
mod tests;
