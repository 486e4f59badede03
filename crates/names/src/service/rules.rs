//! What policies, views and rules about addresses make of questions and answers.

use std::net::IpAddr;

use hickory_proto::rr::{Name, RecordType};
use thru_wire::Instant;

use super::clients::{Client, Tags};
use super::{Out, POLICY_ALIASES, Service, Ticket, Waiting, local, policy, responses};
use crate::resolver::Answer;
use crate::rrset::Security;
use crate::wire::{Question, RawRecord};

impl Service {
    /// What is known of a client; nothing where all are alike.
    pub(super) fn client(&self, from: IpAddr) -> Option<&Client> {
        if self.config.clients.alike() { None } else { self.config.clients.client(from) }
    }

    pub(super) fn tags(&self, from: IpAddr) -> Tags {
        self.client(from).map_or(Tags::NONE, |client| client.tags)
    }

    /// Whether rules about addresses may concern answers to a question of this client.
    pub(super) fn has_address_rules(&self, question: &Question, from: IpAddr) -> bool {
        let addresses = matches!(question.rtype, RecordType::A | RecordType::AAAA | RecordType::ANY);
        let own = || self.config.clients.view(from).is_some_and(|view| !view.responses.is_empty());
        addresses && (!self.config.responses.is_empty() || (!self.config.clients.alike() && own()))
    }

    /// What rules about addresses make of an answer: those of the client's view, then those that everybody has.
    pub(super) fn by_address(&self, answer: &Answer, from: IpAddr) -> Option<responses::Verdict> {
        let client = self.client(from);
        if let Some(view) = client.and_then(|client| self.config.clients.views.get(client.view?)) {
            let found = view.responses.judge(answer, client);
            if found.is_some() || !view.first {
                return found;
            }
        }
        self.config.responses.judge(answer, client)
    }

    /// Whether every client gets the same answers.
    pub(super) fn alike(&self) -> bool {
        self.policies.is_empty() && self.config.clients.alike() && self.config.responses.is_empty()
    }

    /// Asks the policies, follows the aliases that they give, and begins what is left to resolve.
    pub(super) fn route(&mut self, now: Instant, mut ticket: Ticket) -> Option<Option<Vec<u8>>> {
        while !ticket.free && ticket.followed < POLICY_ALIASES {
            let first = ticket.followed == 0;
            let tags = self.tags(ticket.from);
            let said = self.policies.on_question(&ticket.asked, ticket.from, tags, first);
            match said {
                policy::Verdict::Pass => break,
                policy::Verdict::PassThrough => ticket.free = true,
                verdict => {
                    // What begins with others' aliases is not ours.
                    let own = ticket.prefix.is_empty()
                        || ticket.reply.is_authoritative()
                        || matches!(verdict, policy::Verdict::Answer(_));
                    match self.apply(&mut ticket, verdict, own) {
                        Some(message) => return Some(message),
                        None => continue,
                    }
                }
            }
        }
        self.begin(now, ticket)
    }

    /// Does what a policy says. `None`: the ticket's question is another one now, or no policy's matter any more.
    pub(super) fn apply(
        &self,
        ticket: &mut Ticket,
        verdict: policy::Verdict,
        by_name: bool,
    ) -> Option<Option<Vec<u8>>> {
        match verdict {
            policy::Verdict::Pass | policy::Verdict::PassThrough => ticket.free = true,
            policy::Verdict::Drop => return Some(None),
            policy::Verdict::Truncate if ticket.reply.over_tcp() => ticket.free = true,
            policy::Verdict::Truncate => {
                if by_name {
                    ticket.reply.claim_authority();
                }
                return Some(Some(ticket.reply.truncated()));
            }
            policy::Verdict::Answer(said) => {
                let mut answer = std::mem::take(&mut ticket.prefix);
                // RFC 8914 sections 4.16 and 4.5: blocked by the operator of this server, or forged.
                let blocked = if said.records.is_empty() { 15 } else { 4 };
                answer.extend(said.records);
                let local = local::LocalAnswer {
                    rcode: said.code,
                    answer,
                    authority: Vec::new(),
                    extended_error: Some(blocked),
                    authoritative: by_name || ticket.reply.is_authoritative(),
                    additional: said.soa.into_iter().collect(),
                    hides_recursion: said.signals,
                };
                return Some(Some(ticket.reply.local(&local)));
            }
            policy::Verdict::Alias(record, target) => {
                if by_name {
                    ticket.reply.claim_authority();
                }
                ticket.prefix.push(record);
                ticket.asked.name = target;
                ticket.followed += 1;
            }
        }
        None
    }

    /// A policy concerns an answer: `kept` of its aliases stay.
    pub(super) fn judged(
        &mut self,
        now: Instant,
        waiting: Waiting,
        verdict: policy::Verdict,
        kept: Vec<RawRecord>,
        by_name: bool,
    ) {
        let Waiting { token, reply, asked, from, mut prefix, followed, .. } = waiting;
        prefix.extend(kept);
        let mut ticket = Ticket { token, from, reply, asked, prefix, free: false, followed, stale: false };
        let message = match self.apply(&mut ticket, verdict, by_name) {
            Some(message) => Some(message),
            None => self.route(now, ticket),
        };
        if let Some(message) = message {
            self.out.push_back(Out::Reply { token, message });
        }
    }

    /// A rule about an address concerns an answer.
    pub(super) fn rewritten(
        &mut self,
        now: Instant,
        waiting: Waiting,
        verdict: responses::Verdict,
        stale: bool,
    ) {
        let Waiting { token, reply, mut asked, from, mut prefix, followed, free, .. } = waiting;
        let message = match verdict {
            responses::Verdict::Drop => None,
            responses::Verdict::Refuse => {
                Some(reply.local(&local::LocalAnswer { rcode: 5, ..local::LocalAnswer::default() }))
            }
            responses::Verdict::Answer { code, kept } => {
                prefix.extend(kept);
                let answer =
                    local::LocalAnswer { rcode: code, answer: prefix, ..local::LocalAnswer::default() };
                Some(reply.local(&answer))
            }
            responses::Verdict::Alias { .. } if followed >= POLICY_ALIASES => {
                Some(reply.failed("aliases of rules lead in a circle"))
            }
            responses::Verdict::Alias { kept, target } => {
                prefix.extend(kept);
                asked.name = target;
                let ticket =
                    Ticket { token, from, reply, asked, prefix, free, followed: followed + 1, stale };
                match self.route(now, ticket) {
                    Some(message) => message,
                    None => return,
                }
            }
        };
        self.out.push_back(Out::Reply { token, message });
    }

    /// What rules make of the IPv4 addresses that DNS64 is to start from.
    pub(super) fn plain_rewritten(&self, asked: &Question, answer: &Answer, waiting: &Waiting) -> Plain {
        if self.has_address_rules(asked, waiting.from)
            && let Some(verdict) = self.by_address(answer, waiting.from)
        {
            return match verdict {
                responses::Verdict::Drop | responses::Verdict::Refuse => Plain::Not,
                responses::Verdict::Answer { code: 0, kept } if !kept.is_empty() => Plain::with(answer, kept),
                responses::Verdict::Answer { .. } => Plain::Not,
                responses::Verdict::Alias { kept, target } if waiting.followed < POLICY_ALIASES => {
                    Plain::Alias(kept, target)
                }
                responses::Verdict::Alias { .. } => Plain::Not,
            };
        }
        if waiting.free {
            return Plain::As(Box::new(answer.clone()));
        }
        match self.policies.on_answer(asked, answer, waiting.from, self.tags(waiting.from)) {
            None => Plain::As(Box::new(answer.clone())),
            Some((policy::Verdict::Answer(said), mut kept, _))
                if said.code == 0 && !said.records.is_empty() =>
            {
                kept.extend(said.records);
                Plain::with(answer, kept)
            }
            Some((policy::Verdict::Alias(record, target), mut kept, _))
                if waiting.followed < POLICY_ALIASES =>
            {
                kept.push(record);
                Plain::Alias(kept, target)
            }
            Some(_) => Plain::Not,
        }
    }
}

/// What the IPv4 addresses are from which DNS64 makes others.
pub(super) enum Plain {
    /// These.
    As(Box<Answer>),
    /// None: they are not to be seen.
    Not,
    /// Those of another name.
    Alias(Vec<RawRecord>, Name),
}

impl Plain {
    /// The answer with these records instead of its own.
    fn with(answer: &Answer, records: Vec<RawRecord>) -> Plain {
        let mut answer = answer.clone();
        answer.sections.answer = records;
        answer.security = Security::Insecure;
        Plain::As(Box::new(answer))
    }
}
