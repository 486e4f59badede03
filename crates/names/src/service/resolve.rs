//! From a question to what a client gets: out of the cache, stale, or after waiting for the resolver.

use std::time::Duration;

use hickory_proto::rr::RecordType;
use thru_wire::Instant;

use super::reply::Reply;
use super::rules::Plain;
use super::{Out, Service, Stage, Ticket, Waiting, policy, sentinel};
use crate::resolver::{Answer, Input};
use crate::rrset::Security;
use crate::wire::Question;

impl Service {
    pub(super) fn begin(&mut self, now: Instant, ticket: Ticket) -> Option<Option<Vec<u8>>> {
        let Ticket { token, from, reply, mut asked, prefix, free, followed, stale: late } = ticket;
        let mut synthesis = self.config.dns64.as_ref().is_some_and(|dns64| dns64.concerns(&asked));
        let mut stage = Stage::Plain;
        if let Some(plain) = self.config.dns64.as_ref().and_then(|dns64| dns64.plain_reverse(&asked)) {
            stage = Stage::Reverse(std::mem::replace(&mut asked, plain).name);
            synthesis = true;
        }
        let by_address = self.has_address_rules(&asked, from);
        let known = self
            .resolver
            .cached_answer(now, &asked, !reply.checking_disabled())
            .filter(|(answer, _)| !(reply.checking_disabled() && answer.security == Security::Bogus));
        if let Some((_, true)) = &known
            && synthesis
            && self.config.prefetch
        {
            self.resolver.refresh(&asked);
            self.resolver.refresh(&Question { rtype: RecordType::A, ..asked.clone() });
        }
        if let Some((answer, due)) = &known
            && !synthesis
            && prefix.is_empty()
            && free
            && !by_address
        {
            if *due && self.config.prefetch {
                self.resolver.refresh(&asked);
            }
            // Policies may judge clients and answers one by one; without them all get the same.
            if !*due && self.alike() {
                self.packable = self.packable_until(now, answer);
            }
            return Some(Some(self.encoded(&reply, answer)));
        }
        let stale = self.config.stale;
        if stale.enabled
            && known.is_none()
            && stale.client_timeout.is_zero()
            && !synthesis
            && prefix.is_empty()
            && free
            && !by_address
            && let Some(answer) = self.resolver.stale_answer(&asked, stale.reply_ttl)
        {
            self.resolver.refresh(&asked);
            return Some(Some(reply.stale(&answer)));
        }
        if self.waiting.len() >= self.config.clients_max {
            let oldest = self.movable.first().copied();
            let Some(oldest) = oldest.filter(|id| now.since(self.waiting[id].since) > self.config.jostle)
            else {
                return Some(None);
            };
            self.forget(oldest);
        }
        self.last += 1;
        let id = self.last;
        if self.waiting.len() - self.movable.len() >= self.config.clients_max.div_ceil(2) {
            self.movable.insert(id);
        }
        let (checking_disabled, over_tcp) = (reply.checking_disabled(), reply.over_tcp());
        let mut waiting = Waiting {
            token,
            reply,
            asked: asked.clone(),
            stage,
            from,
            since: now,
            stale_at: None,
            prefix,
            free,
            followed,
        };
        if stale.enabled && !stale.client_timeout.is_zero() {
            let at = if late { now } else { now + stale.client_timeout };
            waiting.stale_at = Some(at);
            self.stale_timers.insert((at, id));
        }
        self.waiting.insert(id, waiting);
        if late && stale.enabled && !stale.client_timeout.is_zero() {
            self.stale_timers.remove(&(now, id));
            self.serve_stale(now, id);
            if !self.waiting.contains_key(&id) {
                return None;
            }
        }
        let rules = if free { 0 } else { self.policies.rules(self.tags(from), over_tcp) };
        self.resolver.query_watched(now, id, &asked, checking_disabled, rules);
        None
    }

    /// Until the first record of the answer is over, or until it is time to fetch it anew.
    pub(super) fn packable_until(&self, now: Instant, answer: &Answer) -> Option<Instant> {
        let sections = &answer.sections;
        let records = sections.answer.iter().chain(&sections.authority).chain(&sections.additional);
        let left = Duration::from_secs(u64::from(records.map(|record| record.ttl).min()?));
        Some(now + if self.config.prefetch { left * 9 / 10 } else { left })
    }

    pub(super) fn take(&mut self, id: u64) -> Option<Waiting> {
        self.movable.remove(&id);
        self.waiting.remove(&id)
    }

    /// A client that waits gets nothing any more.
    pub(super) fn forget(&mut self, id: u64) {
        let Some(waiting) = self.take(id) else { return };
        if let Some(at) = waiting.stale_at {
            self.stale_timers.remove(&(at, id));
        }
        self.resolver.cancel(id);
        self.out.push_back(Out::Reply { token: waiting.token, message: None });
    }

    /// The resolver's answer in wire form, unless the question was about our trust anchors.
    pub(super) fn encoded(&self, reply: &Reply, answer: &Answer) -> Vec<u8> {
        let question = Question::new(answer.name.clone(), answer.record_type);
        if self.config.key_sentinel && !reply.checking_disabled() {
            let tags = self.resolver.root_tags();
            if sentinel::denies(&question, answer, &tags) {
                return reply.answer(&answer.denied(6, "another root key was asked about"));
            }
        }
        reply.answer(answer)
    }

    pub(super) fn answered(&mut self, now: Instant, id: u64, answer: &Answer) {
        if self.looked_up(now, id, answer) {
            return;
        }
        let Some(mut waiting) = self.take(id) else { return };
        if let Some(at) = waiting.stale_at {
            self.stale_timers.remove(&(at, id));
        }
        let failed = answer.code == hickory_proto::op::ResponseCode::ServFail;
        if failed && self.config.stale.enabled && self.config.stale.reset {
            self.resolver.prolong_stale(&waiting.asked);
        }
        if failed
            && self.config.stale.enabled
            && let Some(stale) = self.resolver.stale_answer(&waiting.asked, self.config.stale.reply_ttl)
        {
            return self.give_stale(now, waiting, &stale);
        }
        let mut answer = answer.clone();
        if let Some(stopped) = answer.stopped.take() {
            let verdict = self.policies.on_way(&waiting.asked, &stopped, self.tags(waiting.from));
            // An answer of a rule's own is ours; what is followed further on, or over TCP, is not.
            let own = matches!(verdict, policy::Verdict::Answer(_));
            return self.judged(now, waiting, verdict, stopped.chain, own);
        }
        waiting.free |= answer.unwatched;
        if let Some(dns64) = &self.config.dns64 {
            match std::mem::replace(&mut waiting.stage, Stage::Plain) {
                Stage::Plain if dns64.needs_a(&waiting.asked, &answer, &waiting.reply) => {
                    let asked = Question { rtype: RecordType::A, ..waiting.asked.clone() };
                    waiting.stage = Stage::Dns64(Box::new(answer));
                    waiting.stale_at = None;
                    self.waiting.insert(id, waiting);
                    let input = Input::Query {
                        token: id,
                        name: &asked.name,
                        record_type: RecordType::A,
                        checking_disabled: false,
                    };
                    self.resolver.handle(now, input);
                    return;
                }
                Stage::Dns64(first) => {
                    // What rules say of an IPv4 address holds for the IPv6 one that is made of it.
                    let asked = Question { rtype: RecordType::A, ..waiting.asked.clone() };
                    answer.record_type = RecordType::A;
                    match self.plain_rewritten(&asked, &answer, &waiting) {
                        Plain::As(second) => answer = dns64.synthesize(&first, &second),
                        Plain::Not => answer = *first,
                        Plain::Alias(kept, target) => {
                            waiting.prefix.extend(kept);
                            waiting.asked.name = target;
                            waiting.followed += 1;
                            waiting.stage = Stage::Dns64(first);
                            let asked = Question { name: waiting.asked.name.clone(), ..asked };
                            self.waiting.insert(id, waiting);
                            self.resolver.query_watched(now, id, &asked, false, 0);
                            return;
                        }
                    }
                }
                Stage::Reverse(name) => {
                    let own = &mut answer.sections.answer;
                    own.retain(|record| record.rtype != RecordType::RRSIG);
                    for record in own.iter_mut().filter(|record| record.name == waiting.asked.name) {
                        record.name = name.clone();
                    }
                    answer.security = Security::Insecure;
                }
                Stage::Plain => {}
            }
        }
        if self.has_address_rules(&waiting.asked, waiting.from)
            && let Some(verdict) = self.by_address(&answer, waiting.from)
        {
            return self.rewritten(now, waiting, verdict, false);
        }
        if !waiting.free
            && let Some(found) =
                self.policies.on_answer(&waiting.asked, &answer, waiting.from, self.tags(waiting.from))
        {
            let (verdict, kept, by_name) = found;
            return self.judged(now, waiting, verdict, kept, by_name);
        }
        if !waiting.prefix.is_empty() {
            answer.sections.answer.splice(0..0, waiting.prefix.drain(..));
            answer.security = Security::Insecure;
        }
        let message = Some(self.encoded(&waiting.reply, &answer));
        self.out.push_back(Out::Reply { token: waiting.token, message });
    }

    /// The client has waited long enough for something fresh.
    pub(super) fn serve_stale(&mut self, now: Instant, id: u64) {
        let Some(waiting) = self.waiting.get(&id) else { return };
        let Some(answer) = self.resolver.stale_answer(&waiting.asked, self.config.stale.reply_ttl) else {
            return;
        };
        let waiting = self.take(id).expect("just looked at");
        self.give_stale(now, waiting, &answer);
    }

    /// A stale answer, unless a rule concerns it.
    pub(super) fn give_stale(&mut self, now: Instant, waiting: Waiting, answer: &Answer) {
        if self.has_address_rules(&waiting.asked, waiting.from)
            && let Some(verdict) = self.by_address(answer, waiting.from)
        {
            return self.rewritten(now, waiting, verdict, true);
        }
        if !waiting.free {
            let tags = self.tags(waiting.from);
            let found = self.policies.on_answer(&waiting.asked, answer, waiting.from, tags);
            if let Some((verdict, kept, by_name)) = found {
                return self.judged(now, waiting, verdict, kept, by_name);
            }
        }
        let mut answer = answer.clone();
        if !waiting.prefix.is_empty() {
            answer.sections.answer.splice(0..0, waiting.prefix);
            answer.security = Security::Insecure;
        }
        let message = Some(waiting.reply.stale(&answer));
        self.out.push_back(Out::Reply { token: waiting.token, message });
    }
}
