//! The recursive resolver: a machine that is told what arrives and when, and says what to send.
//!
//! It starts at the root hints, follows referrals down, believes servers only about their own zones, keeps what it
//! learns, validates it from the trust anchors down, and gives each client query one answer after bounded work. Rule
//! for the loop: after each [`Resolver::handle`], take [`Resolver::poll_output`] until it is empty; call again with
//! [`Input::Timeout`] when [`Resolver::next_deadline`] has come.
//!
//! ```text
//!   Query ──> job ──> iterate: cache? ──> closest known zone ──> ask a server ──> scrub, classify ──> referral: deeper
//!              │                               ^   │ no address: a job for it              ├──> alias: from the top
//!              │                               └───┘                                       ├──> error: next server
//!              └────> validate: keys from the anchor down (jobs for DS, DNSKEY) <──────────┴──> answer
//! ```
//!
//! - [`ResolverConfig`]: root hints, anchors, limits, patience.
//! - [`Answer`] with its [`Step`]s: what the client gets, and the diary of how it came about.
//! - Rooms: `jobs` (futures that wait for each other), `exchange` (one question to one server), `iterate` (down the
//!   tree), `delegation`, `scrub`, `classify`, `cache`, `servers`, `keys`, `validate` and `whole` (DNSSEC), `chain` (what those
//!   decided, to be shown), `cookies`, `watch` (who may stop a resolution), `report` (errors told to who wants them).

mod answer;
mod cache;
mod chain;
mod classify;
mod config;
mod cookies;
mod core;
mod delegation;
mod exchange;
mod iterate;
mod jobs;
mod keys;
mod message;
mod random;
mod report;
mod scrub;
mod servers;
mod step;
mod upkeep;
mod validate;
mod watch;
mod whole;

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use hickory_proto::rr::{Name, RecordType};
use thru_wire::Instant;

use self::core::Core;
use crate::text::parse_name;
use crate::wire::Question;
pub use answer::{Answer, Sections};
pub use cache::Lifetimes;
pub use config::{Limits, ResolverConfig};
pub use cookies::server as server_cookie;
pub use cookies::{Shown as ShownCookie, shown as shown_cookie};
pub use delegation::{Upstream, UpstreamKind};
pub use iterate::Minimise;
use jobs::{Budget, Cx, Failure, JobId, Key, Kind, Outcome, Waiter};
pub use scrub::Scrubbing;
pub use step::{Said, Step};
pub use watch::{Leave, Met, Stopped, Watch};
pub use whole::{Anchoring, Vouched};

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
        /// CD: the client validates by itself (RFC 4035 section 3.2.2).
        checking_disabled: bool,
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
    /// Nobody answers on this exchange: told by who keeps the time instead of us
    /// ([`ResolverConfig::own_timers`] is off).
    NoAnswer {
        /// Which one.
        exchange: ExchangeId,
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

/// The recursive resolver. Bounded in memory and in work per query.
#[derive(Debug)]
pub struct Resolver {
    shared: Arc<Mutex<Core>>,
}

/// Why the machine wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Deadline {
    /// The server has had its time: try another.
    Exchange(ExchangeId),
    /// The client has waited long enough: SERVFAIL.
    Job(JobId),
    /// The keys of the trust point with this number are to be looked at.
    Probe(usize),
}

impl Resolver {
    /// A resolver with an empty cache; ids, letter cases and choices come from `seed`.
    pub fn new(config: ResolverConfig, seed: [u8; 32]) -> Resolver {
        Resolver { shared: Arc::new(Mutex::new(Core::new(config, seed))) }
    }

    fn core(&self) -> MutexGuard<'_, Core> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what happened at `now`.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        {
            let mut core = self.core();
            core.now = core.now.max(now);
            match input {
                Input::Query { token, name, record_type, checking_disabled } => {
                    let question = Question::new(name.clone(), record_type);
                    core.query(token, question, checking_disabled, 0);
                }
                Input::Response { exchange, from, message } => core.response(exchange, from, message),
                Input::Unreachable { exchange, why } => core.unreachable(exchange, why),
                Input::NoAnswer { exchange } => core.gave_no_answer(exchange),
                Input::Timeout => core.timeout(),
            }
        }
        self.run();
    }

    /// As [`Input::Query`], for a client whom rules concern, a bit each: whoever watches ([`Resolver::watch_with`])
    /// looks at what this resolution meets.
    pub fn query_watched(
        &mut self,
        now: Instant,
        token: u64,
        question: &Question,
        checking_disabled: bool,
        rules: u64,
    ) {
        {
            let mut core = self.core();
            core.now = core.now.max(now);
            core.query(token, question.clone(), checking_disabled, rules);
        }
        self.run();
    }

    /// Polls every job that something happened for, until nothing more can happen.
    fn run(&mut self) {
        loop {
            let next = {
                let mut core = self.core();
                let Some(id) = core.runnable.pop_front() else { return };
                let Some(job) = core.jobs.get_mut(&id) else { continue };
                match job.future.take() {
                    Some(future) => (id, future),
                    None if !job.started => {
                        job.started = true;
                        let cx = Cx {
                            shared: self.shared.clone(),
                            job: id,
                            budget: job.budget.clone(),
                            depth: job.depth,
                        };
                        let key = job.key.clone();
                        (id, Box::pin(work(cx, key)) as Pin<Box<dyn Future<Output = Outcome> + Send>>)
                    }
                    None => continue,
                }
            };
            let (id, mut future) = next;
            let mut context = Context::from_waker(Waker::noop());
            match future.as_mut().poll(&mut context) {
                Poll::Ready(outcome) => self.core().finish(id, outcome),
                Poll::Pending => {
                    // The job may have been ended meanwhile; then its future ends here, outside of the lock.
                    let mut core = self.core();
                    if let Some(job) = core.jobs.get_mut(&id) {
                        job.future = Some(future);
                    }
                }
            }
        }
    }

    /// The next thing to do; `None` when all is done until the next input.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.core().outputs.pop_front()
    }

    /// When to call with [`Input::Timeout`]; [`Instant::NEVER`] when idle.
    pub fn next_deadline(&self) -> Instant {
        self.core().deadlines.first().map_or(Instant::NEVER, |(at, _)| *at)
    }

    /// From now on, this is who looks at what resolutions with rules meet on their way.
    pub fn watch_with(&mut self, watch: Option<Arc<dyn Watch>>) {
        self.core().watch = watch;
    }

    /// Forgets every answer and every measurement, as a flush does. Resolutions under way go on.
    pub fn flush(&mut self) {
        let mut core = self.core();
        core.cache.clear();
        core.keys.clear();
        core.servers.clear();
    }

    /// Forgets what is known of a name and of all names below it; how many entries that were.
    pub fn flush_below(&mut self, name: &Name) -> usize {
        self.core().cache.drop_below(name)
    }

    /// Forgets the answer to a question; its records stay known.
    pub fn flush_message(&mut self, question: &Question) {
        self.core().cache.drop_message(question);
    }

    /// Lets the time of an answer be over.
    pub fn expire_message(&mut self, question: &Question) {
        let mut core = self.core();
        let now = core.now;
        core.cache.expire_message(now, question);
    }

    /// The answer as the cache has it, if `validated` only when it has been validated; and whether it is due to be
    /// fetched anew. Extended errors for bogus ones included.
    pub fn cached_answer(
        &mut self,
        now: Instant,
        question: &Question,
        validated: bool,
    ) -> Option<(Answer, bool)> {
        let mut core = self.core();
        core.now = core.now.max(now);
        let now = core.now;
        let msg = core.cache.message(now, question)?;
        if validated
            && core.config.validate
            && !core.anchors.is_empty()
            && msg.security == crate::rrset::Security::Unchecked
            && !msg.local
        {
            return None;
        }
        let bogus = msg.security == crate::rrset::Security::Bogus;
        if !bogus && msg.is_negative() && msg.soa().is_none() && msg.final_name() != question.name {
            return None;
        }
        Some((answer::from_message(now, &msg, core.config.lifetimes.original), now >= msg.prefetch_at))
    }

    /// An answer that verified denials give without asking anybody (RFC 8198).
    pub fn denied_answer(&mut self, now: Instant, question: &Question) -> Option<Answer> {
        let mut core = self.core();
        core.now = core.now.max(now);
        let msg = validate::by_denials(&core, question)?;
        Some(answer::from_message(core.now, &msg, core.config.lifetimes.original))
    }

    /// The deepest known delegation above a name, as an answer without answer: what servers of that zone would be asked.
    pub fn referral(&mut self, now: Instant, question: &Question) -> Option<Answer> {
        let mut core = self.core();
        core.now = core.now.max(now);
        let delegation = core.cached_delegation(&question.name)?;
        let mut msg = message::Msg::empty(question.clone(), 0, now);
        msg.authority.extend(core.cache.set(now, &delegation.zone, RecordType::NS));
        for (server, _) in &delegation.servers {
            for rtype in [RecordType::A, RecordType::AAAA] {
                msg.additional.extend(core.cache.set(now, server, rtype));
            }
        }
        keys::vouch(&mut core, &mut msg);
        Some(answer::from_message(now, &msg, core.config.lifetimes.original))
    }

    /// An answer whose time is over but that may still be served (RFC 8767), with this TTL in every record.
    pub fn stale_answer(&mut self, question: &Question, ttl: u32) -> Option<Answer> {
        let core = self.core();
        let msg = core.cache.stale(core.now, question)?;
        if msg.security == crate::rrset::Security::Bogus {
            return None;
        }
        if core.config.validate
            && !core.anchors.is_empty()
            && msg.security == crate::rrset::Security::Unchecked
            && !msg.local
        {
            return None;
        }
        let mut msg = (*msg).clone();
        for sets in [&mut msg.answer, &mut msg.authority, &mut msg.additional] {
            for set in sets {
                // Of the answer's sets, some may have been heard anew since.
                let fresh = core.cache.set(core.now, &set.name, set.rtype);
                // Those that have not been found good do not count.
                match fresh.filter(|now| now.same_data(set) && now.security >= set.security) {
                    Some(fresh) => *set = fresh,
                    None if core.config.lifetimes.original => {}
                    None => {
                        let shown = if set.ttl == 0 { ttl } else { set.ttl.min(ttl) };
                        Arc::make_mut(set).set_ttl(core.now, shown);
                    }
                }
            }
        }
        Some(answer::from_message(core.now, &msg, core.config.lifetimes.original))
    }

    /// Lets an answer whose time is over be served for as long again ([`Lifetimes::stale`]).
    pub fn prolong_stale(&mut self, question: &Question) {
        let mut core = self.core();
        let now = core.now;
        core.cache.prolong_stale(now, question);
    }

    /// Fetches a question anew though the cache may have it: its answer is kept, and nobody waits.
    pub fn refresh(&mut self, question: &Question) {
        {
            let mut core = self.core();
            let key = Key { kind: Kind::Fresh, question: question.clone(), rules: 0 };
            let failed = core.cache.failure(core.now, question).is_some();
            if failed || core.by_key.contains_key(&key) || core.jobs.len() >= core.config.limits.tasks {
                return;
            }
            let budget = Arc::new(Budget::new(core.now + core.config.patience));
            core.begin(key, budget, 0);
        }
        self.run();
    }

    /// Takes a round trip for measured, in milliseconds.
    pub fn assume_round_trip(&mut self, server: IpAddr, millis: u32) {
        let mut core = self.core();
        let now = core.now;
        core.servers.answered(now, server, std::time::Duration::from_millis(u64::from(millis)));
    }

    /// Zones with trust anchors, and the tags of the keys trusted for each.
    pub fn anchor_tags(&self) -> Vec<(Name, Vec<u16>)> {
        let core = self.core();
        core.anchors.zones().map(|zone| (zone.clone(), core.anchors.tags(zone))).collect()
    }

    /// The tags of the keys trusted for the root.
    pub fn root_tags(&self) -> Vec<u16> {
        self.core().anchors.tags(&Name::root())
    }

    /// Trust points that have changed since this was last asked, as files to keep
    /// ([`crate::dnssec::upkeep::TrustPoint::from_text`]).
    pub fn changed_trust_points(&mut self) -> Vec<(Name, String)> {
        let mut core = self.core();
        let changed = std::mem::take(&mut core.points_changed);
        changed.into_iter().map(|at| (core.points[at].zone.clone(), core.points[at].to_text())).collect()
    }

    /// Stops working on a client's query; nothing is answered.
    pub fn cancel(&mut self, token: u64) {
        let mut core = self.core();
        let Some(id) = core.clients.remove(&token) else { return };
        let Some(job) = core.jobs.get_mut(&id) else { return };
        job.waiters.retain(|waiter| *waiter != Waiter::Client(token));
        if job.waiters.is_empty() {
            let failure = Failure { code: 0, text: "nobody waits any more".into(), remember: false };
            core.finish(id, Outcome::Failed(failure));
        }
    }

    /// Cache entries held.
    pub fn cached(&self) -> usize {
        self.core().cache.len()
    }

    /// Signatures checked so far: what somebody could make us spend.
    pub fn signature_checks(&self) -> u64 {
        self.core().checks.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Octets that the cache's contents weigh.
    pub fn cached_octets(&self) -> usize {
        self.core().cache.octets()
    }

    /// Resolutions and exchanges under way.
    pub fn under_way(&self) -> (usize, usize) {
        let core = self.core();
        (core.jobs.len(), core.exchanges.len())
    }
}

/// What a job does.
async fn work(cx: Cx, key: Key) -> Outcome {
    let fetched = |result: Result<iterate::Fetched, Failure>| result.map(|fetched| fetched.msg);
    let fresh = iterate::Options { fresh: true, ..iterate::Options::default() };
    let question = &key.question;
    let result = match &key.kind {
        Kind::Checked => validate::resolve(&cx, question, false).await,
        Kind::Fresh => validate::resolve(&cx, question, true).await,
        Kind::Plain => fetched(iterate::iterate(&cx, question, &iterate::Options::default()).await),
        Kind::PlainFresh => fetched(iterate::iterate(&cx, question, &fresh).await),
        Kind::Probe => {
            upkeep::probe(&cx, &question.name).await;
            Err(Failure { code: 0, text: "keys were looked at".into(), remember: false })
        }
        Kind::Prime => fetched(iterate::prime(&cx, question).await),
        Kind::Above(zone) => {
            let from = Some(zone.clone());
            fetched(iterate::above_only(&cx, question, &iterate::Options { from, ..fresh }).await)
        }
    };
    match result {
        Ok(msg) => Outcome::Done(msg),
        Err(failure) => Outcome::Failed(failure),
    }
}

impl Core {
    fn query(&mut self, token: u64, question: Question, checking_disabled: bool, rules: u64) {
        let kind = if checking_disabled { Kind::Plain } else { Kind::Checked };
        let key = Key { kind, question, rules };
        if let Some(&id) = self.by_key.get(&key) {
            let limit = self.config.limits.waiters;
            let job = self.job(id);
            if job.waiters.len() < limit {
                job.waiters.push(Waiter::Client(token));
                self.clients.insert(token, id);
                return;
            }
        }
        if self.jobs.len() >= self.config.limits.tasks || self.by_key.contains_key(&key) {
            let answer = answer::failed(self.now, &key.question, 14, "too many resolutions under way");
            self.outputs.push_back(Output::Answer { token, answer: Arc::new(answer) });
            return;
        }
        let budget = Arc::new(Budget::new(self.now + self.config.patience));
        let id = self.begin(key, budget, 0);
        self.job(id).waiters.push(Waiter::Client(token));
        self.clients.insert(token, id);
    }

    fn timeout(&mut self) {
        while let Some(&(at, deadline)) = self.deadlines.first() {
            if at > self.now {
                break;
            }
            self.deadlines.pop_first();
            match deadline {
                Deadline::Exchange(exchange) => self.gave_no_answer(exchange),
                Deadline::Job(job) => self.out_of_time(job),
                Deadline::Probe(number) => self.begin_probe(number),
            }
        }
    }
}

/// Whether an address lies in a prefix.
pub fn in_prefix(address: IpAddr, prefix: IpAddr, length: u8) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)) << 96, 32),
        IpAddr::V6(v6) => (u128::from(v6), 128),
    };
    let ((value, width), (start, prefix_width)) = (bits(address), bits(prefix));
    let length = u32::from(length).min(prefix_width);
    let mask = if length == 0 { 0 } else { u128::MAX << (128 - length) };
    width == prefix_width && (value ^ start) & mask == 0
}

/// An IPv4 address inside an IPv6 prefix (RFC 6052 section 2.2).
pub(crate) fn embed(prefix: (Ipv6Addr, u8), address: Ipv4Addr) -> Ipv6Addr {
    let mut octets = prefix.0.octets();
    let mut at = usize::from(prefix.1 / 8).min(12);
    for octet in address.octets() {
        // Bits 64 to 71 stay zero.
        if at == 8 {
            at += 1;
        }
        octets[at] = octet;
        at += 1;
    }
    octets.into()
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
