//! One resolution: from a question down the tree to its answer.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use thru_wire::Instant;

use super::cache::Known;
use super::classify::{Delegation, End, Meaning};
use super::exchange::TRIES_MAX;
use super::{Answer, Deadline, ExchangeId, Output, Resolver, Step};
use crate::text::{name_text, type_text};

/// A resolution under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TaskId(pub(super) u64);

/// Who wants the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiter {
    Client(u64),
    /// A resolution that needs the address of a name server.
    Task(TaskId),
}

#[derive(Debug)]
pub(super) struct Task {
    pub(super) question: (Name, RecordType),
    pub(super) waiters: Vec<Waiter>,
    began: Instant,
    deadline: Instant,
    /// Questions sent for the client query that all this is for.
    pub(super) sent: Arc<AtomicU32>,
    depth: u32,
    /// The name looked for now: the question's, or an alias's target.
    pub(super) name: Name,
    aliases: Vec<Record>,
    referrals: u32,
    pub(super) asking: Option<Asking>,
    pub(super) steps: Vec<Step>,
    pub(super) steps_dropped: u32,
    /// The last thing that went wrong, as an extended error.
    pub(super) trouble: Option<(u16, String)>,
}

/// The zone whose servers are being asked.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) zone: Name,
    pub(super) candidates: Vec<Candidate>,
    /// Servers whose addresses are not known yet.
    unknown: Vec<Name>,
    /// Lookups of such addresses begun, and under way.
    lookups: u32,
    pending: Vec<TaskId>,
    pub(super) exchanges: Vec<ExchangeId>,
}

/// An address that may be asked.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) address: IpAddr,
    pub(super) name: Name,
    pub(super) tries: u32,
    /// Answered in a way that makes asking it again useless.
    pub(super) out: bool,
}

/// How a resolution ends.
enum Outcome {
    Found(Vec<Record>),
    NoName(Option<Record>),
    NoData(Option<Record>),
    Failed {
        code: u16,
        text: String,
        /// Whether the name is to blame rather than the state we are in, so that it may be remembered.
        remember: bool,
    },
}

impl Resolver {
    /// Begins a resolution; the caller puts it in `ready`.
    pub(super) fn begin(
        &mut self,
        now: Instant,
        question: (Name, RecordType),
        waiter: Waiter,
        parent: Option<&Task>,
    ) -> TaskId {
        let id = TaskId(self.next_id());
        // An errand ends a moment before whoever sent it, so that its diary is heard.
        let moment = Duration::from_nanos(1);
        let deadline = parent.map_or(now + self.config.patience, |parent| parent.deadline - moment);
        let task = Task {
            name: question.0.clone(),
            question: question.clone(),
            waiters: vec![waiter],
            began: now,
            deadline,
            sent: parent.map_or_else(Arc::default, |parent| parent.sent.clone()),
            depth: parent.map_or(0, |parent| parent.depth + 1),
            aliases: Vec::new(),
            referrals: 0,
            asking: None,
            steps: Vec::new(),
            steps_dropped: 0,
            trouble: None,
        };
        self.tasks.insert(id, task);
        self.by_question.insert(question, id);
        self.deadlines.insert((deadline, Deadline::Task(id)));
        id
    }

    /// Does what the task can do now: answer from the cache, choose a zone, ask a server, look up an address, or end.
    pub(super) fn advance(&mut self, now: Instant, id: TaskId) {
        loop {
            let Some(task) = self.tasks.get(&id) else { return };
            if task.asking.is_some() {
                break;
            }
            let known = self.cache.look_up(now, &task.name, task.question.1);
            match known {
                Some(Known::Records(records)) => return self.finish(now, id, Outcome::Found(records)),
                Some(Known::NoName(soa)) => return self.finish(now, id, Outcome::NoName(Some(soa))),
                Some(Known::NoData(soa)) => return self.finish(now, id, Outcome::NoData(Some(soa))),
                Some(Known::Failed(code, text)) => {
                    return self.finish(now, id, Outcome::Failed { code, text, remember: false });
                }
                Some(Known::Alias(record)) => {
                    if !self.take_aliases(now, id, vec![record]) {
                        return;
                    }
                }
                None => self.choose_zone(now, id),
            }
        }
        self.ask_next(now, id);
    }

    /// What an answer of one of the asked zone's servers means for the task. `false`: try another server.
    pub(super) fn learn(&mut self, now: Instant, id: TaskId, meaning: Meaning) -> bool {
        match meaning {
            Meaning::Code(_) | Meaning::Lame(_) => false,
            Meaning::Referral { delegation, ttl } => {
                let limit = self.config.limits.referrals;
                self.cache.keep_delegation(now, delegation.clone(), ttl);
                let Some(task) = self.tasks.get_mut(&id) else { return true };
                task.referrals += 1;
                if task.referrals > limit {
                    let text = format!("more than {limit} referrals for {}", name_text(&task.name));
                    self.finish(now, id, Outcome::Failed { code: 0, text, remember: true });
                } else {
                    self.leave_zone(id);
                    self.enter_zone(now, id, &delegation);
                    self.ready.push_back(id);
                }
                true
            }
            Meaning::Chain { aliases, end } => {
                self.leave_zone(id);
                for alias in &aliases {
                    self.cache.keep_records(now, std::slice::from_ref(alias));
                }
                if !aliases.is_empty() && !self.take_aliases(now, id, aliases) {
                    return true;
                }
                let Some(task) = self.tasks.get(&id) else { return true };
                let (name, record_type) = (task.name.clone(), task.question.1);
                match end {
                    End::Records(records) => {
                        if record_type != RecordType::ANY {
                            self.cache.keep_records(now, &records);
                        }
                        self.finish(now, id, Outcome::Found(records));
                    }
                    End::Elsewhere(_) => self.ready.push_back(id),
                    End::NoName(soa) => {
                        if let Some(soa) = &soa {
                            self.cache.keep_negative(now, &name, None, soa);
                        }
                        self.finish(now, id, Outcome::NoName(soa));
                    }
                    End::NoData(soa) => {
                        if let Some(soa) = &soa {
                            self.cache.keep_negative(now, &name, Some(record_type), soa);
                        }
                        self.finish(now, id, Outcome::NoData(soa));
                    }
                }
                true
            }
        }
    }

    /// The client's patience is over.
    pub(super) fn out_of_time(&mut self, now: Instant, id: TaskId) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        for step in waiting_steps(task, &self.exchanges, now) {
            note(task, step, self.config.limits.steps);
        }
        let (code, text) = task
            .trouble
            .take()
            .unwrap_or_else(|| (22, format!("no answer in time for {}", name_text(&task.name))));
        self.finish(now, id, Outcome::Failed { code, text, remember: true });
    }

    /// Ends the task because a bound was met or nothing is left to try.
    pub(super) fn give_up(&mut self, now: Instant, id: TaskId, limit: Option<String>) {
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let zone = task.asking.as_ref().map_or_else(Name::root, |asking| asking.zone.clone());
        let (code, text, remember) = match limit {
            Some(text) => (0, text, false),
            None => match task.trouble.take() {
                Some((code, text)) => (code, text, true),
                None => (22, format!("no address of a name server for {}", name_text(&zone)), true),
            },
        };
        self.finish(now, id, Outcome::Failed { code, text, remember });
    }

    /// Follows aliases from the task's name; `false` when that ended the task.
    fn take_aliases(&mut self, now: Instant, id: TaskId, aliases: Vec<Record>) -> bool {
        let limit = self.config.limits.aliases;
        let Some(task) = self.tasks.get_mut(&id) else { return false };
        for record in aliases {
            let RData::CNAME(target) = &record.data else { continue };
            let target = target.0.clone();
            task.aliases.push(record);
            let looped = task.aliases.iter().any(|alias| alias.name == target);
            if looped || task.aliases.len() > limit {
                let text = if looped {
                    format!("the alias {} leads back to itself", name_text(&target))
                } else {
                    format!("more than {limit} aliases from {}", name_text(&task.question.0))
                };
                self.finish(now, id, Outcome::Failed { code: 0, text, remember: true });
                return false;
            }
            task.name = target;
        }
        true
    }

    /// Enters the deepest zone known to hold the task's name.
    fn choose_zone(&mut self, now: Instant, id: TaskId) {
        let Some(task) = self.tasks.get(&id) else { return };
        // DS is answered above the cut (RFC 4035 section 3.1.4.1).
        let above = if task.question.1 == RecordType::DS { task.name.base_name() } else { task.name.clone() };
        let delegation = self.cache.closest_delegation(now, &above).cloned().unwrap_or_else(|| self.root());
        self.enter_zone(now, id, &delegation);
    }

    fn enter_zone(&mut self, now: Instant, id: TaskId, delegation: &Delegation) {
        let mut asking = Asking {
            zone: delegation.zone.clone(),
            candidates: Vec::new(),
            unknown: Vec::new(),
            lookups: 0,
            pending: Vec::new(),
            exchanges: Vec::new(),
        };
        for (server, glue) in &delegation.servers {
            let mut addresses = Vec::new();
            for record_type in [RecordType::A, RecordType::AAAA] {
                if let Some(Known::Records(records)) = self.cache.look_up(now, server, record_type) {
                    addresses.extend(records.iter().filter_map(|record| record.data.ip_addr()));
                }
            }
            addresses.extend(glue);
            let known = !addresses.is_empty();
            self.add_candidates(&mut asking, server, &addresses);
            // Without glue, a server inside the zone can be found by asking that zone only: never.
            if !known && !delegation.zone.zone_of(server) {
                asking.unknown.push(server.clone());
            }
        }
        if let Some(task) = self.tasks.get_mut(&id) {
            if asking.candidates.is_empty() && asking.unknown.is_empty() {
                let text = format!("the delegation of {} comes without addresses", name_text(&asking.zone));
                task.trouble = Some((22, text));
            }
            task.asking = Some(asking);
        }
    }

    fn add_candidates(&self, asking: &mut Asking, server: &Name, addresses: &[IpAddr]) {
        for &address in addresses {
            let usable = if address.is_ipv4() { self.config.v4 } else { self.config.v6 };
            if usable && !asking.candidates.iter().any(|candidate| candidate.address == address) {
                asking.candidates.push(Candidate { address, name: server.clone(), tries: 0, out: false });
            }
        }
    }

    /// Stops asking the zone's servers.
    fn leave_zone(&mut self, id: TaskId) {
        let Some(asking) = self.tasks.get_mut(&id).and_then(|task| task.asking.take()) else { return };
        for exchange in asking.exchanges {
            self.close(exchange);
        }
        // Lookups still under way go on: their answers are worth keeping, and others may wait for them.
        for lookup in asking.pending {
            if let Some(task) = self.tasks.get_mut(&lookup) {
                task.waiters.retain(|waiter| *waiter != Waiter::Task(id));
            }
        }
    }

    /// Asks the best server that is left, looks for more addresses, waits, or gives up.
    fn ask_next(&mut self, now: Instant, id: TaskId) {
        let Some(asking) = self.tasks.get(&id).and_then(|task| task.asking.as_ref()) else { return };
        let waiting = asking.exchanges.iter().any(|id| self.exchanges.get(id).is_some_and(|x| !x.given_up));
        if waiting {
            return;
        }
        let mut best: Option<((u32, bool, Duration), usize)> = None;
        let mut equals = 0;
        for (index, candidate) in asking.candidates.iter().enumerate() {
            if candidate.out || candidate.tries >= TRIES_MAX {
                continue;
            }
            let (avoid, speed) = self.servers.rank(now, candidate.address);
            let rank = (candidate.tries, avoid, speed);
            match &best {
                Some((other, _)) if *other < rank => {}
                Some((other, _)) if *other == rank => {
                    // Each of n equals is chosen with probability 1/n.
                    equals += 1;
                    if self.random.next().is_multiple_of(equals) {
                        best = Some((rank, index));
                    }
                }
                _ => {
                    equals = 1;
                    best = Some((rank, index));
                }
            }
        }
        // Before a server gets a second try, others that are only known by name are worth an errand.
        let fresh = best.as_ref().is_some_and(|((tries, ..), _)| *tries == 0);
        if !fresh && self.look_up_servers(now, id) {
            return;
        }
        match best {
            Some((_, index)) => self.ask(now, id, index),
            None => {
                let pending =
                    |task: &Task| task.asking.as_ref().is_some_and(|asking| !asking.pending.is_empty());
                if !self.tasks.get(&id).is_some_and(pending) {
                    self.give_up(now, id, None);
                }
            }
        }
    }

    /// Begins lookups for the next server known only by name; whether there is one to wait for.
    fn look_up_servers(&mut self, now: Instant, id: TaskId) -> bool {
        let limits = self.config.limits;
        loop {
            let Some(task) = self.tasks.get_mut(&id) else { return false };
            let depth = task.depth;
            let Some(asking) = task.asking.as_mut() else { return false };
            if !asking.pending.is_empty() {
                return true;
            }
            if asking.unknown.is_empty() || asking.lookups >= limits.lookups || depth >= limits.depth {
                return false;
            }
            asking.lookups += 1;
            let server = asking.unknown.remove(0);
            let families = [(RecordType::A, self.config.v4), (RecordType::AAAA, self.config.v6)];
            for (record_type, _) in families.into_iter().filter(|(_, usable)| *usable) {
                self.look_up_server(now, id, &server, record_type);
            }
        }
    }

    fn look_up_server(&mut self, now: Instant, id: TaskId, server: &Name, record_type: RecordType) {
        let question = (server.clone(), record_type);
        let lookup = match self.by_question.get(&question) {
            // Waiting for what waits for us would never end.
            Some(&lookup) if self.waits_for(lookup, id) => return,
            Some(&lookup) => {
                let task = self.tasks.get_mut(&lookup).expect("indexed tasks exist");
                if task.waiters.len() >= self.config.limits.waiters {
                    return;
                }
                task.waiters.push(Waiter::Task(id));
                lookup
            }
            None if self.tasks.len() >= self.config.limits.tasks => return,
            None => {
                let Some(parent) = self.tasks.remove(&id) else { return };
                let lookup = self.begin(now, question, Waiter::Task(id), Some(&parent));
                self.tasks.insert(id, parent);
                self.ready.push_back(lookup);
                lookup
            }
        };
        if let Some(asking) = self.tasks.get_mut(&id).and_then(|task| task.asking.as_mut()) {
            asking.pending.push(lookup);
        }
    }

    /// Whether the task `waiting` can't end before `awaited` does, directly or through others, or is it.
    fn waits_for(&self, waiting: TaskId, awaited: TaskId) -> bool {
        let mut above = vec![awaited];
        let mut seen = Vec::new();
        while let Some(id) = above.pop() {
            if id == waiting {
                return true;
            }
            if seen.contains(&id) {
                continue;
            }
            seen.push(id);
            if let Some(task) = self.tasks.get(&id) {
                above.extend(task.waiters.iter().filter_map(|waiter| match waiter {
                    Waiter::Task(id) => Some(*id),
                    Waiter::Client(_) => None,
                }));
            }
        }
        false
    }

    fn finish(&mut self, now: Instant, id: TaskId, outcome: Outcome) {
        self.leave_zone(id);
        let Some(task) = self.tasks.remove(&id) else { return };
        self.by_question.remove(&task.question);
        self.deadlines.remove(&(task.deadline, Deadline::Task(id)));
        let (name, record_type) = task.question;
        let mut answer = Answer {
            name,
            record_type,
            code: ResponseCode::NoError,
            records: task.aliases,
            soa: None,
            extended_error: None,
            from_cache: task.steps.is_empty(),
            began: task.began,
            ended: now,
            steps: task.steps,
            steps_dropped: task.steps_dropped,
        };
        match outcome {
            Outcome::Found(records) => answer.records.extend(records),
            Outcome::NoData(soa) => answer.soa = soa,
            Outcome::NoName(soa) => {
                answer.code = ResponseCode::NXDomain;
                answer.soa = soa;
            }
            Outcome::Failed { code, text, remember } => {
                if remember {
                    self.cache.keep_failure(now, &answer.name, record_type, code, &text);
                }
                answer.code = ResponseCode::ServFail;
                answer.extended_error = Some((code, text));
            }
        }
        let answer = Arc::new(answer);
        for waiter in task.waiters {
            match waiter {
                Waiter::Client(token) => {
                    self.outputs.push_back(Output::Answer { token, answer: answer.clone() });
                }
                Waiter::Task(parent) => self.server_found(parent, id, &answer),
            }
        }
    }

    /// An errand for the address of a name server is done.
    fn server_found(&mut self, id: TaskId, lookup: TaskId, answer: &Answer) {
        let steps_max = self.config.limits.steps;
        let Some(task) = self.tasks.get_mut(&id) else { return };
        for step in &answer.steps {
            note(task, step.clone(), steps_max);
        }
        task.steps_dropped += answer.steps_dropped;
        task.steps.sort_by_key(|step| step.at);
        if answer.records.iter().all(|record| record.data.ip_addr().is_none()) && task.trouble.is_none() {
            let (server, kind) = (name_text(&answer.name), type_text(answer.record_type));
            task.trouble = Some((22, format!("no {kind} record for the name server {server}")));
        }
        let Some(mut asking) = task.asking.take() else { return };
        asking.pending.retain(|pending| *pending != lookup);
        let addresses: Vec<IpAddr> =
            answer.records.iter().filter_map(|record| record.data.ip_addr()).take(8).collect();
        self.add_candidates(&mut asking, &answer.name, &addresses);
        if let Some(task) = self.tasks.get_mut(&id) {
            task.asking = Some(asking);
        }
        self.ready.push_back(id);
    }

    /// Counts one question against the client query's allowance; `false` when it is used up.
    pub(super) fn may_send(&self, id: TaskId) -> bool {
        self.tasks
            .get(&id)
            .is_some_and(|task| task.sent.fetch_add(1, Ordering::Relaxed) < self.config.limits.queries)
    }
}

/// Adds a step to the diary, within its bound.
pub(super) fn note(task: &mut Task, step: Step, max: usize) {
    if task.steps.len() < max {
        task.steps.push(step);
    } else {
        task.steps_dropped += 1;
    }
}

/// Steps for questions still unanswered when the time is over.
fn waiting_steps(
    task: &Task,
    exchanges: &std::collections::BTreeMap<ExchangeId, super::Exchange>,
    now: Instant,
) -> Vec<Step> {
    let asked = task.asking.as_ref().map_or(&[][..], |asking| &asking.exchanges);
    asked
        .iter()
        .filter_map(|id| exchanges.get(id))
        .filter(|exchange| !exchange.given_up)
        .map(|exchange| exchange.step(now, super::Said::Silent))
        .collect()
}
