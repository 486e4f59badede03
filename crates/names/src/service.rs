//! A recursive server as a machine: clients' octets in, replies out, and the resolver between.
//!
//! - [`Service`]: start here. Rule for the loop as for [`crate::resolver::Resolver`]. [`ServiceConfig`]: how clients are served.
//! - A question's way: `receive` (what needs no resolving), `rules` (what policies and views make of it), `resolve` (the
//!   cache, the resolver, stale answers).
//! - [`policy`]: rules about names and addresses, as zones (RPZ); [`responses`]: about addresses, one by one.
//! - [`clients`]: who they are: tags and views.
//! - [`local`]: names answered by configuration; [`access`]: who may ask; [`reply`]: an answer in wire form;
//!   [`dns64`]: IPv6 addresses for names that have none (RFC 6147); [`held`]: zones of our own, transfers included.

pub mod access;
pub mod clients;
mod config;
pub mod dns64;
pub mod held;
pub mod local;
pub mod policy;
mod receive;
pub mod reply;
mod resolve;
pub mod responses;
mod rules;
mod sentinel;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use hickory_proto::rr::Name;
use thru_wire::Instant;

use crate::packed::{PackedAnswers, PlainQuery};
use crate::resolver::{Answer, ExchangeId, Input, Output, Resolver};
use crate::wire::{Packet, Question, RawRecord};
use access::Action;
pub use config::{ServiceConfig, Stale};
use policy::Policies;
use reply::Reply;

/// What to do outside.
#[derive(Clone, Debug)]
pub enum Out {
    /// For the resolver; see [`Output`].
    Send {
        /// Names the exchange.
        exchange: ExchangeId,
        /// The server.
        to: std::net::SocketAddr,
        /// Over TCP.
        over_tcp: bool,
        /// The query.
        message: Vec<u8>,
    },
    /// The exchange is over.
    Finished(ExchangeId),
    /// The resolver answered a client's question; only if [`ServiceConfig::tell_answers`] wants it told.
    Answered(Arc<Answer>),
    /// Send this to the client with this token; nothing if `None`.
    Reply {
        /// The client's handle.
        token: u64,
        /// The reply.
        message: Option<Vec<u8>>,
    },
}

/// The class of questions for every class.
const CLASS_ANY: u16 = 255;
/// Aliases that policies may give one question.
const POLICY_ALIASES: u8 = 10;

/// A client's question on its way through policies and local data.
#[derive(Debug)]
struct Ticket {
    token: u64,
    from: IpAddr,
    reply: Reply,
    /// What is asked now: aliases have changed it.
    asked: Question,
    /// Records to put before the answer.
    prefix: Vec<RawRecord>,
    /// No policy concerns it any more.
    free: bool,
    /// Aliases that policies gave.
    followed: u8,
    /// The answer so far is stale: what follows may be, too.
    stale: bool,
}

/// A client that waits.
#[derive(Debug)]
struct Waiting {
    token: u64,
    reply: Reply,
    /// What the client asked, and what is asked for it: aliases of local zones and DNS64 change it.
    asked: Question,
    stage: Stage,
    from: IpAddr,
    since: Instant,
    /// When a stale answer will do.
    stale_at: Option<Instant>,
    /// Records to put before the answer.
    prefix: Vec<RawRecord>,
    /// No policy concerns it any more.
    free: bool,
    /// Aliases that policies gave.
    followed: u8,
}

#[derive(Debug)]
enum Stage {
    Plain,
    /// The AAAA question was answered so; the A question is under way.
    Dns64(Box<Answer>),
    /// The reverse name of an IPv4 address is asked for instead of this one, of an address made by DNS64.
    Reverse(Name),
}

/// A recursive server.
#[derive(Debug)]
pub struct Service {
    config: ServiceConfig,
    resolver: Resolver,
    policies: Arc<Policies>,
    held: held::HeldZones,
    waiting: BTreeMap<u64, Waiting>,
    /// Those of the waiting that have to make room for others.
    movable: BTreeSet<u64>,
    stale_timers: BTreeSet<(Instant, u64)>,
    last: u64,
    out: VecDeque<Out>,
    /// The zones held were looked at.
    started: bool,
    packed: PackedAnswers,
    /// The last client that was found to be allowed to ask: it often asks again.
    allowed: Option<IpAddr>,
    /// Until when the reply that was just made may be given to others, too.
    packable: Option<Instant>,
}

impl Service {
    /// A server with an empty cache.
    pub fn new(mut config: ServiceConfig, seed: [u8; 32]) -> Service {
        let word = |at: usize| u64::from_le_bytes(seed[at..at + 8].try_into().expect("eight octets"));
        // Not the words that ids come from: who could time collisions should learn nothing about those.
        let packed = PackedAnswers::new(
            (word(16) ^ word(0).rotate_left(7), word(24) ^ 0x7061_636b),
            config.packed_max,
        );
        let (held, upstreams) = held::HeldZones::new(&config.zones, word(8) ^ 0x7a6f_6e65);
        config.resolver.upstreams.extend(upstreams);
        let resolver = Resolver::new(config.resolver.clone(), seed);
        let zones = std::mem::take(&mut config.policies).into_iter().take(policy::ZONES_MAX);
        let policies = Arc::new(Policies { zones: zones.map(Arc::new).collect() });
        let mut service = Service {
            packed,
            policies: policies.clone(),
            allowed: None,
            held,
            packable: None,
            config,
            resolver,
            waiting: BTreeMap::new(),
            movable: BTreeSet::new(),
            stale_timers: BTreeSet::new(),
            last: 0,
            out: VecDeque::new(),
            started: false,
        };
        if !policies.is_empty() {
            service.resolver.watch_with(Some(policies));
        }
        service
    }

    /// Begins what has to be known before the first question: whether the zones held are whole, and who may tell of
    /// changes. The first question does so, too.
    pub fn start(&mut self, now: Instant) {
        if !std::mem::replace(&mut self.started, true) {
            self.examine_all(now);
            self.drain(now);
        }
    }

    /// The resolver, for whoever wants to look into it.
    pub fn resolver(&mut self) -> &mut Resolver {
        &mut self.resolver
    }

    /// The short way for a client's message over UDP: if its reply is at hand in octets, appends it to `out`. `false`:
    /// it has to go through [`Service::query`].
    pub fn quick(&mut self, now: Instant, from: IpAddr, bytes: &[u8], out: &mut Vec<u8>) -> bool {
        if self.allowed != Some(from) {
            if !matches!(self.config.access.action(from), Action::Allow | Action::AllowSnoop) {
                return false;
            }
            self.allowed = Some(from);
        }
        PlainQuery::read(bytes).is_some_and(|plain| self.packed.answer(now, &plain, bytes, out))
    }

    /// A client's message.
    pub fn query(&mut self, now: Instant, token: u64, from: IpAddr, over_tcp: bool, bytes: &[u8]) {
        self.start(now);
        self.packable = None;
        if let Some(message) = self.receive(now, token, from, over_tcp, bytes) {
            if let Some(until) = self.packable
                && let Some(message) = &message
                && let Some(plain) = PlainQuery::read(bytes)
            {
                self.packed.keep(now, until, &plain, message);
            }
            self.out.push_back(Out::Reply { token, message });
        }
        self.drain(now);
    }

    /// Forgets every answer.
    pub fn flush(&mut self) {
        self.packed.clear();
        self.resolver.flush();
    }

    /// Forgets the answers about a name and all below it; how many entries of the cache that were.
    pub fn flush_below(&mut self, name: &Name) -> usize {
        self.packed.clear();
        self.resolver.flush_below(name)
    }

    /// Clients that wait for a resolution.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Replies at hand in octets.
    pub fn packed(&self) -> usize {
        self.packed.len()
    }

    /// Something for the resolver.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.start(now);
        if !self.held_input(now, &input) {
            self.resolver.handle(now, input);
        }
        self.drain(now);
        while let Some(&(at, id)) = self.stale_timers.first()
            && at <= now
        {
            self.stale_timers.pop_first();
            self.serve_stale(now, id);
        }
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Option<Out> {
        self.out.pop_front()
    }

    /// When to call with [`Input::Timeout`].
    pub fn next_deadline(&self) -> Instant {
        let stale = self.stale_timers.first().map_or(Instant::NEVER, |(at, _)| *at);
        self.resolver.next_deadline().min(stale).min(self.held.next_deadline())
    }

    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.resolver.poll_output() {
            match output {
                Output::Send { exchange, to, over_tcp, message } => {
                    self.out.push_back(Out::Send { exchange, to, over_tcp, message });
                }
                Output::Finished(exchange) => self.out.push_back(Out::Finished(exchange)),
                Output::Answer { token, answer } => {
                    if self.config.tell_answers {
                        self.out.push_back(Out::Answered(answer.clone()));
                    }
                    self.answered(now, token, &answer);
                }
            }
        }
    }
}

/// A packet that asks exactly one thing.
pub(crate) fn single_question(packet: &Packet) -> Option<&Question> {
    if packet.questions.len() == 1 { packet.questions.first() } else { None }
}

/// A name in lower case, for comparison with what is configured.
pub(crate) fn lower(name: &Name) -> Name {
    name.to_lowercase()
}

#[cfg(test)]
mod tests;
