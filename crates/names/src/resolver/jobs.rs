//! Resolutions under way. Each is a future that waits for exchanges and for other resolutions; the machine polls
//! those that something has happened for. Equal questions share a job, and no job waits for itself.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::task::Poll;

use hickory_proto::rr::Name;
use thru_wire::Instant;

use super::core::Core;
use super::exchange::{Ask, Event};
use super::message::Msg;
use super::{ExchangeId, Step};
use crate::wire::Question;

/// A resolution under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct JobId(pub(super) u64);

/// What a job is for: equal keys share one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) kind: Kind,
    pub(super) question: Question,
    /// The rules that concern the client who asked; 0 for errands.
    pub(super) rules: u64,
}

/// How a question is to be answered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Resolved and validated.
    Checked,
    /// Resolved only: CD, addresses of servers, keys on the way down.
    Plain,
    /// Resolved and validated, not from the cache: prefetching, probes.
    Fresh,
    /// Resolved only, not from the cache: keys that did not fit at first.
    PlainFresh,
    /// The keys of a trust point are looked at (RFC 5011).
    Probe,
    /// The root's name servers from the hints (RFC 9609), or a stub zone's from its configuration.
    Prime,
    /// Asked of the servers of this zone, whatever the cache says of deeper ones: the parent's word.
    Above(Name),
}

/// Who wants the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiter {
    Client(u64),
    Job(JobId),
}

/// How a resolution ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Done(Arc<Msg>),
    Failed(Failure),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// Extended error code (RFC 8914).
    pub(super) code: u16,
    pub(super) text: String,
    /// Whether the name is to blame rather than the state we are in, so that it may be remembered.
    pub(super) remember: bool,
}

/// What one client's query may cost, side errands included.
#[derive(Debug)]
pub(super) struct Budget {
    sent: AtomicU32,
    pub(super) deadline: Instant,
    /// Lookups of servers' addresses begun, and how many found no such name.
    pub(super) lookups: AtomicU32,
    pub(super) no_names: AtomicU32,
}

impl Budget {
    pub(super) fn new(deadline: Instant) -> Budget {
        Budget { sent: AtomicU32::new(0), deadline, lookups: AtomicU32::new(0), no_names: AtomicU32::new(0) }
    }

    pub(super) fn spend(&self, limit: u32) -> bool {
        self.sent.fetch_add(1, Ordering::Relaxed) < limit
    }
}

type Running = Pin<Box<dyn Future<Output = Outcome> + Send>>;

pub(super) struct Job {
    pub(super) key: Key,
    /// `None` while it is being polled.
    pub(super) future: Option<Running>,
    pub(super) started: bool,
    pub(super) waiters: Vec<Waiter>,
    pub(super) waits_for: Vec<JobId>,
    pub(super) events: VecDeque<(ExchangeId, Event)>,
    /// Its exchanges that are still open.
    pub(super) open: BTreeSet<ExchangeId>,
    /// Exchanges that go on under another id.
    pub(super) renamed: BTreeMap<ExchangeId, ExchangeId>,
    pub(super) finished: BTreeMap<JobId, Arc<Outcome>>,
    pub(super) budget: Arc<Budget>,
    pub(super) depth: u32,
    pub(super) began: Instant,
    pub(super) deadline: Instant,
    pub(super) steps: Vec<Step>,
    pub(super) steps_dropped: u32,
    /// The last thing that went wrong, as an extended error.
    pub(super) trouble: Option<(u16, String)>,
    /// Where somebody who watches stopped it.
    pub(super) stopped: Option<Box<super::Stopped>>,
    /// Nobody watches any more.
    pub(super) unwatched: bool,
}

/// A job's view of the machine.
#[derive(Clone)]
pub(super) struct Cx {
    pub(super) shared: Arc<Mutex<Core>>,
    pub(super) job: JobId,
    pub(super) budget: Arc<Budget>,
    pub(super) depth: u32,
}

/// Why a job may not be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It waits for us.
    Cycle,
    /// Too deep, or too many.
    Limit,
}

impl Cx {
    /// The machine. Never held across an await, nor while it is taken again: jobs are polled one at a time, so the
    /// lock is always free unless the caller holds it, and that is a bug to hear of rather than to wait for.
    pub(super) fn core(&self) -> MutexGuard<'_, Core> {
        match self.shared.try_lock() {
            Ok(core) => core,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => panic!("a job took the machine while it held it"),
        }
    }

    pub(super) fn now(&self) -> Instant {
        self.core().now
    }

    /// Begins or joins a job.
    pub(super) fn sub(&self, kind: Kind, question: Question) -> Result<JobId, Refused> {
        let mut core = self.core();
        if self.depth >= core.config.limits.depth {
            return Err(Refused::Limit);
        }
        let key = Key { kind, question, rules: 0 };
        let id = match core.by_key.get(&key) {
            Some(&id) => {
                if core.leads_to(id, self.job) {
                    return Err(Refused::Cycle);
                }
                id
            }
            None => {
                if core.jobs.len() >= core.config.limits.tasks {
                    return Err(Refused::Limit);
                }
                core.begin(key, self.budget.clone(), self.depth + 1)
            }
        };
        core.job(id).waiters.push(Waiter::Job(self.job));
        core.job(self.job).waits_for.push(id);
        Ok(id)
    }

    /// The outcome of a job that [`Cx::sub`] gave.
    pub(super) async fn join(&self, id: JobId) -> Arc<Outcome> {
        self.join_any(&[id]).await.1
    }

    /// The first outcome among several.
    pub(super) async fn join_any(&self, ids: &[JobId]) -> (JobId, Arc<Outcome>) {
        poll_fn(|_| {
            let mut core = self.core();
            let job = core.job(self.job);
            match ids.iter().find_map(|id| job.finished.remove(id).map(|outcome| (*id, outcome))) {
                Some(found) => Poll::Ready(found),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// Begins or joins a job, and waits for its message.
    pub(super) async fn fetch(&self, kind: Kind, question: Question) -> Result<Arc<Msg>, Failure> {
        let id = self.sub(kind, question.clone()).map_err(|refused| Failure {
            code: 0,
            text: match refused {
                Refused::Cycle => {
                    format!("{} is needed to find itself", crate::text::name_text(&question.name))
                }
                Refused::Limit => "too many errands for one question".into(),
            },
            remember: false,
        })?;
        match &*self.join(id).await {
            Outcome::Done(msg) => Ok(msg.clone()),
            Outcome::Failed(failure) => Err(failure.clone()),
        }
    }

    /// Puts a question; `None` when the budget is used up.
    pub(super) fn ask(&self, ask: Ask) -> Option<ExchangeId> {
        self.core().send(ask)
    }

    /// The next thing that happens on one of the job's exchanges, and which one it is now.
    pub(super) async fn event(&self, open: &mut [ExchangeId]) -> (ExchangeId, Event) {
        poll_fn(|_| {
            let mut core = self.core();
            let job = core.job(self.job);
            for id in open.iter_mut() {
                while let Some(new) = job.renamed.remove(id) {
                    *id = new;
                }
            }
            while let Some((id, event)) = job.events.pop_front() {
                if open.contains(&id) {
                    return Poll::Ready((id, event));
                }
            }
            Poll::Pending
        })
        .await
    }
}

impl Core {
    pub(super) fn job(&mut self, id: JobId) -> &mut Job {
        self.jobs.get_mut(&id).expect("a job lives while it is polled, and while others wait for it")
    }

    /// A job to look at.
    pub(super) fn job_ref(&self, id: JobId) -> &Job {
        self.jobs.get(&id).expect("a job lives while it is polled, and while others wait for it")
    }

    /// Whether `from` waits, directly or not, for `to`.
    fn leads_to(&self, from: JobId, to: JobId) -> bool {
        let mut seen = vec![from];
        let mut at = 0;
        while let Some(&id) = seen.get(at) {
            if id == to {
                return true;
            }
            at += 1;
            for next in self.jobs.get(&id).map_or(&[][..], |job| &job.waits_for) {
                if !seen.contains(next) {
                    seen.push(*next);
                }
            }
        }
        false
    }

    /// Adds a step to a job's diary, within its bound.
    pub(super) fn note(&mut self, id: JobId, step: Step) {
        let max = self.config.limits.steps;
        let Some(job) = self.jobs.get_mut(&id) else { return };
        if job.steps.len() < max {
            job.steps.push(step);
        } else {
            job.steps_dropped += 1;
        }
    }

    /// Lets a job be polled.
    pub(super) fn wake(&mut self, id: JobId) {
        if !self.runnable.contains(&id) {
            self.runnable.push_back(id);
        }
    }
}
