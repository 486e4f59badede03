//! The machine's state: everything that jobs share.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use hickory_proto::rr::Name;
use thru_wire::Instant;

use super::cache::{Cache, Timed};
use super::classify::Meaning;
use super::delegation::Delegation;
use super::exchange::Exchange;
use super::jobs::{Budget, Job, JobId, Key, Outcome, Waiter};
use super::keys::KeyCache;
use super::message::Msg;
use super::random::RandomStream;
use super::servers::Servers;
use super::{Deadline, ExchangeId, Output, ResolverConfig, Said, answer};
use crate::dnssec::anchors::Anchors;
use crate::dnssec::upkeep::TrustPoint;
use crate::text::{name_text, type_text};
use crate::wire::Packet;

/// Delegations remembered as parents gave them.
const PARENTS_MAX: usize = 10_000;

pub(super) struct Core {
    pub(super) config: Arc<ResolverConfig>,
    pub(super) now: Instant,
    pub(super) random: RandomStream,
    pub(super) cookie_key: (u64, u64),
    pub(super) cache: Cache,
    pub(super) servers: Servers,
    /// Delegations as parents gave them.
    pub(super) parents: Timed<Name, Delegation>,
    pub(super) keys: KeyCache,
    /// Signatures checked so far.
    pub(super) checks: std::sync::atomic::AtomicU64,
    pub(super) anchors: Anchors,
    /// Anchors that follow their zone's keys.
    pub(super) points: Vec<TrustPoint>,
    /// Those that have changed since somebody asked.
    pub(super) points_changed: BTreeSet<usize>,
    pub(super) jobs: BTreeMap<JobId, Job>,
    pub(super) by_key: BTreeMap<Key, JobId>,
    /// The jobs that clients wait for, by their tokens.
    pub(super) clients: BTreeMap<u64, JobId>,
    pub(super) exchanges: BTreeMap<ExchangeId, Exchange>,
    pub(super) deadlines: BTreeSet<(Instant, Deadline)>,
    /// Jobs that something happened for.
    pub(super) runnable: VecDeque<JobId>,
    pub(super) outputs: VecDeque<Output>,
    /// Who looks at what resolutions meet on their way.
    pub(super) watch: Option<Arc<dyn super::Watch>>,
    last_id: u64,
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("now", &self.now)
            .field("jobs", &self.jobs.len())
            .field("exchanges", &self.exchanges.len())
            .field("cached", &self.cache.len())
            .finish_non_exhaustive()
    }
}

impl Core {
    pub(super) fn new(config: ResolverConfig, seed: [u8; 32]) -> Core {
        let mut random = RandomStream::new(seed);
        let cookie_key = (random.next(), random.next());
        let mut core = Core {
            points: config.trust_points.clone(),
            points_changed: BTreeSet::new(),
            cache: Cache::new(config.limits.cache, config.limits.cache_octets, config.lifetimes),
            anchors: config.anchors.clone(),
            config: Arc::new(config),
            now: Instant::START,
            random,
            cookie_key,
            servers: Servers::default(),
            parents: Timed::new(PARENTS_MAX),
            keys: KeyCache::default(),
            checks: std::sync::atomic::AtomicU64::new(0),
            jobs: BTreeMap::new(),
            by_key: BTreeMap::new(),
            clients: BTreeMap::new(),
            exchanges: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            runnable: VecDeque::new(),
            outputs: VecDeque::new(),
            watch: None,
            last_id: 0,
        };
        core.begin_upkeep();
        core
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Seconds since 1970, modulo 2^32, as signatures count them.
    pub(super) fn wall(&self) -> u32 {
        self.config
            .fixed_date
            .unwrap_or_else(|| (self.config.epoch + self.now.nanos() / 1_000_000_000) as u32)
    }

    /// Begins a job; it is polled later.
    pub(super) fn begin(&mut self, key: Key, budget: Arc<Budget>, depth: u32) -> JobId {
        let id = JobId(self.next_id());
        // An errand ends a moment before whoever sent it, so that its diary is heard.
        let deadline = Instant::from_nanos(budget.deadline.nanos().saturating_sub(u64::from(depth)));
        self.by_key.insert(key.clone(), id);
        let job = Job {
            key,
            future: None,
            started: false,
            waiters: Vec::new(),
            waits_for: Vec::new(),
            events: VecDeque::new(),
            open: BTreeSet::new(),
            renamed: BTreeMap::new(),
            finished: BTreeMap::new(),
            budget,
            depth,
            began: self.now,
            deadline,
            steps: Vec::new(),
            steps_dropped: 0,
            trouble: None,
            stopped: None,
            unwatched: false,
        };
        self.jobs.insert(id, job);
        if self.config.own_timers {
            self.deadlines.insert((deadline, Deadline::Job(id)));
        }
        self.wake(id);
        id
    }

    /// Ends a job: everybody who waits is told.
    pub(super) fn finish(&mut self, id: JobId, outcome: Outcome) {
        let Some(job) = self.jobs.remove(&id) else { return };
        if self.by_key.get(&job.key) == Some(&id) {
            self.by_key.remove(&job.key);
        }
        self.deadlines.remove(&(job.deadline, Deadline::Job(id)));
        for exchange in &job.open {
            self.close(*exchange);
        }
        // Errands still under way go on: their answers are worth keeping, and others may wait for them.
        for errand in &job.waits_for {
            if let Some(errand) = self.jobs.get_mut(errand) {
                errand.waiters.retain(|waiter| *waiter != Waiter::Job(id));
            }
        }
        if let Outcome::Failed(failure) = &outcome
            && failure.remember
        {
            self.cache.keep_failure(self.now, &job.key.question, failure.code, &failure.text);
        }
        let outcome = Arc::new(outcome);
        let mut answer = None;
        let original = self.config.lifetimes.original;
        for waiter in &job.waiters {
            match waiter {
                Waiter::Client(token) => {
                    self.clients.remove(token);
                    let answer = answer
                        .get_or_insert_with(|| Arc::new(answer::from_job(self.now, &job, &outcome, original)))
                        .clone();
                    self.outputs.push_back(Output::Answer { token: *token, answer });
                }
                Waiter::Job(waiter) => {
                    for step in &job.steps {
                        self.note(*waiter, step.clone());
                    }
                    if let Some(waiting) = self.jobs.get_mut(waiter) {
                        waiting.waits_for.retain(|other| *other != id);
                        waiting.finished.insert(id, outcome.clone());
                        if waiting.trouble.is_none() {
                            waiting.trouble.clone_from(&job.trouble);
                        }
                    }
                    self.wake(*waiter);
                }
            }
        }
    }

    /// The client's patience is over.
    pub(super) fn out_of_time(&mut self, id: JobId) {
        let open = self.jobs.get(&id).map(|job| job.open.clone()).unwrap_or_default();
        let waiting: Vec<_> = open
            .iter()
            .filter_map(|exchange| self.exchanges.get(exchange))
            .filter(|exchange| !exchange.given_up)
            .map(|exchange| exchange.step(self.now, Said::Silent))
            .collect();
        for step in waiting {
            self.note(id, step);
        }
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let name = crate::text::name_text(&job.key.question.name);
        let (code, text) =
            job.trouble.take().unwrap_or_else(|| (22, format!("no answer in time for {name}")));
        self.finish(id, Outcome::Failed(super::jobs::Failure { code, text, remember: true }));
    }

    /// Writes into the diary what a server did wrong.
    pub(super) fn complain(&mut self, id: &ExchangeId, said: &Said, packet: Option<&Packet>) {
        let Some(exchange) = self.exchanges.get(id) else { return };
        let step = match packet {
            Some(packet) => exchange.step_with(self.now, said.clone(), packet),
            None => exchange.step(self.now, said.clone()),
        };
        let job = exchange.ask.job;
        let question = format!("{} {}", name_text(&step.name), type_text(step.record_type));
        let trouble = answer::complaint(step.server.ip(), &name_text(&step.server_name), &question, said);
        self.note(job, step);
        self.job(job).trouble = Some(trouble);
    }

    /// Writes into the diary what a server said.
    pub(super) fn tell(&mut self, id: &ExchangeId, meaning: &Meaning, msg: &Msg, packet: &Packet) {
        let said = match meaning {
            Meaning::Lame(why) => return self.complain(id, &Said::Lame(why.clone()), Some(packet)),
            Meaning::Recursive => {
                let why = "it resolves for others and is no authority".to_owned();
                return self.complain(id, &Said::Lame(why), Some(packet));
            }
            Meaning::Useless(0) => {
                return self.complain(id, &Said::Lame("an empty answer".to_owned()), Some(packet));
            }
            Meaning::Useless(code) => {
                return self.complain(id, &Said::Code(super::exchange::code_of(*code)), Some(packet));
            }
            Meaning::Referral(ns) => Said::Referral(ns.name.to_lowercase()),
            Meaning::Alias => Said::Alias(msg.final_name()),
            Meaning::Answer if msg.rcode == super::message::rcode::NXDOMAIN => Said::NoName,
            Meaning::Answer if msg.is_negative() => Said::NoData,
            Meaning::Answer => Said::Records,
        };
        let Some(exchange) = self.exchanges.get(id) else { return };
        let (job, step) = (exchange.ask.job, exchange.step_with(self.now, said, packet));
        self.note(job, step);
    }
}
