//! A client's message, up to where it has to be resolved.

use std::net::IpAddr;

use hickory_proto::rr::RecordType;
use thru_wire::Instant;

use super::access::Action;
use super::local::{self, Verdict};
use super::reply::{self, Reply};
use super::{CLASS_ANY, Service, Ticket};
use crate::wire::{CLASS_CH, CLASS_IN, Question};

impl Service {
    /// `Some`: the reply (or silence) is known at once.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        token: u64,
        from: IpAddr,
        over_tcp: bool,
        bytes: &[u8],
    ) -> Option<Option<Vec<u8>>> {
        if let Some(reply) = self.notice(now, from, bytes) {
            return Some(Some(reply));
        }
        let (packet, reply) = match reply::read(bytes, over_tcp, &self.config.style) {
            reply::Read::Query(packet, reply) => (packet, reply),
            reply::Read::Reply(bytes) => return Some(Some(bytes)),
            reply::Read::Ignore => return Some(None),
        };
        let mut reply = reply;
        match self.config.access.action(from) {
            Action::Deny => return Some(None),
            Action::Refuse => return Some(Some(reply.prohibited())),
            _ => {}
        }
        reply.add_client_options(&packet, from, now, &self.config);
        let action = self.config.access.action(from);
        if action == Action::AllowWithCookie
            && let Some(message) = reply.without_cookie()
        {
            return Some(Some(message));
        }
        let asked = &packet.questions[0];
        // Of all classes we know one; local data may be in any.
        let class = if asked.class == CLASS_ANY { CLASS_IN } else { asked.class };
        let question = Question { class, ..asked.clone() };
        if !self.config.resolver.dnssec_ok {
            reply.without_signatures();
        }
        if question.class == CLASS_CH {
            if let Verdict::Answer(answer) = self.local(asked, from)
                && !answer.answer.is_empty()
            {
                return Some(Some(reply.local(&answer)));
            }
            return Some(Some(self.chaos(&reply, &question)));
        }
        let allowed = action == Action::AllowSnoop;
        let desired = packet.header.recursion_desired || action == Action::AllowAsIfDesired;
        if matches!(question.rtype, RecordType::AXFR | RecordType::IXFR) || question.class != CLASS_IN {
            return Some(Some(reply.transfer_refused()));
        }
        if self.config.deny_any && question.rtype == RecordType::ANY {
            return Some(Some(reply.local(&local::LocalAnswer::default())));
        }
        match self.local(asked, from) {
            Verdict::Pass | Verdict::NoView => {}
            Verdict::Drop => return Some(None),
            Verdict::Answer(answer) => return Some(Some(reply.local(&answer))),
            Verdict::Alias(record, target) => {
                let asked = Question { name: target, ..question };
                let prefix = vec![record];
                let ticket =
                    Ticket { token, from, reply, asked, prefix, free: true, followed: 0, stale: false };
                return self.begin(now, ticket);
            }
        }
        if let Some(answer) = self.held.answer(&question, &reply, desired) {
            return Some(Some(answer));
        }
        match action {
            Action::RefuseNonLocal => return Some(Some(reply.prohibited())),
            Action::DenyNonLocal => return Some(None),
            _ => {}
        }
        if !desired && !allowed {
            return Some(Some(reply.refused(20, "recursion was not asked for")));
        }
        if !desired {
            let cached = self.resolver.cached_answer(now, &question, false);
            let known = cached.or_else(|| Some((self.resolver.denied_answer(now, &question)?, false)));
            return Some(Some(match known {
                Some((answer, _)) => self.encoded(&reply, &answer),
                None => match self
                    .config
                    .stale
                    .enabled
                    .then(|| self.resolver.stale_answer(&question, self.config.stale.reply_ttl))
                    .flatten()
                {
                    Some(answer) => {
                        self.resolver.refresh(&question);
                        reply.stale(&answer)
                    }
                    None => match self.resolver.referral(now, &question) {
                        Some(answer) => reply.referral(&answer),
                        None => reply.refused(20, ""),
                    },
                },
            }));
        }
        let free = self.policies.is_empty();
        let prefix = Vec::new();
        let ticket = Ticket { token, from, reply, asked: question, prefix, free, followed: 0, stale: false };
        self.route(now, ticket)
    }

    /// What local zones say: those of the client's view, then those that everybody has.
    pub(super) fn local(&self, question: &Question, from: IpAddr) -> Verdict {
        if self.config.clients.alike() {
            return self.config.local.answer(question, from, None);
        }
        let client = self.config.clients.client(from);
        if let Some(view) = self.config.clients.view(from) {
            match view.local.answer(question, from, client) {
                Verdict::Pass if !view.first && !view.local.is_empty() => return Verdict::Pass,
                Verdict::Pass | Verdict::NoView => {}
                verdict => return verdict,
            }
        }
        self.config.local.answer(question, from, client)
    }

    /// `version.bind` and its like (RFC 4892).
    pub(super) fn chaos(&self, reply: &Reply, question: &Question) -> Vec<u8> {
        let is = |names: [&str; 2]| {
            names.iter().any(|name| crate::text::parse_name(name).is_ok_and(|name| name == question.name))
        };
        if is(["trustanchor.unbound"; 2]) && self.config.tell_anchors {
            let texts: Vec<String> = self
                .resolver
                .anchor_tags()
                .iter()
                .map(|(zone, tags)| {
                    let tags: Vec<String> = tags.iter().map(u16::to_string).collect();
                    format!("{} {}", crate::text::name_text(zone), tags.join(" "))
                })
                .collect();
            return reply.texts(&question.name, &texts);
        }
        let text = if is(["version.bind", "version.server"]) {
            self.config.version.as_deref()
        } else if is(["hostname.bind", "id.server"]) {
            self.config.identity.as_deref()
        } else {
            None
        };
        match text {
            Some(text) if matches!(question.rtype, RecordType::TXT | RecordType::ANY) => {
                reply.texts(&question.name, &[text.to_owned()])
            }
            _ => reply.refused(20, ""),
        }
    }
}
