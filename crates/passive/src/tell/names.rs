//! Lookups: one `resolve` for a name, one `dns.query` for each question and server.

use std::net::{IpAddr, SocketAddr};

use thru_trace::{Layer, SpanId, Step, Value};

use super::Teller;
use crate::flow::{End, TcpFlow};
use crate::kept::Moment;
use crate::questions::{Question, rcode_word, type_word};
use crate::visit::Visit;

/// Which of two failures tells more, as in a live probe.
const TELLING: [&str; 9] = [
    "dns.nxdomain",
    "dns.servfail",
    "dns.refused",
    "dns.malformed",
    "dns.truncated",
    "dns.wrong_id",
    "dns.timeout",
    "dns.unreachable",
    "dns.no_data",
];

/// The same question to the same server.
struct Asked<'a> {
    questions: Vec<&'a Question>,
}

impl Asked<'_> {
    fn start(&self) -> Moment {
        self.questions.iter().map(|question| question.start()).min().unwrap_or_default()
    }

    fn end(&self) -> Moment {
        self.questions.iter().map(|question| question.end()).max().unwrap_or_default()
    }

    /// The question that was answered; one that was understood before one that was not.
    fn answered(&self) -> Option<&Question> {
        let mut answered = self.questions.iter().copied().filter(|question| question.answer.is_some());
        let first = answered.next()?;
        let understood = first.refuses_extensions().is_none();
        let better = answered.find(|question| !understood && question.refuses_extensions().is_none());
        Some(better.unwrap_or(first))
    }

    /// With which code a question with extensions was turned away that was answered without them.
    fn extensions_refused(&self) -> Option<u16> {
        let refused = self.questions.iter().find_map(|question| question.refuses_extensions())?;
        let plain = |question: &&&Question| {
            !question.asked.edns && question.answer.as_ref().is_some_and(|(_, answer)| answer.rcode == 0)
        };
        self.questions.iter().find(plain).map(|_| refused)
    }

    /// How often a question with extensions was sent in vain that was answered at once without them.
    fn extensions_unanswered(&self) -> Option<usize> {
        let (today, plain): (Vec<&Question>, Vec<&Question>) =
            self.questions.iter().partition(|question| question.asked.edns);
        let times = today.iter().map(|question| question.sent.len()).sum();
        let silent = today.iter().all(|question| question.answer.is_none() && question.told.is_empty());
        let first = plain.iter().map(|question| question.start()).min()?;
        let before = today.iter().all(|question| question.start() < first);
        let at_once = plain.iter().any(|question| question.sent.len() == 1 && question.answer.is_some());
        (silent && before && at_once && times >= UNANSWERED_MIN).then_some(times)
    }

    fn failure(&self, end: u64) -> Option<&'static str> {
        match self.answered() {
            // A cut answer is asked for again over TCP.
            Some(question) => question.failure(end),
            None => self.questions.iter().find_map(|question| question.failure(end)),
        }
    }
}

impl Teller<'_> {
    /// The lookup that a visit begins with. What the same machine asked later of other servers, without recursion, or
    /// without checks, are controls.
    pub(super) fn lookup(&mut self, visit: &Visit) {
        let watch = self.watch;
        let questions: Vec<&Question> =
            visit.questions.iter().map(|place| &watch.questions.all[*place]).collect();
        let Some(first) = questions.iter().min_by_key(|question| question.start()) else { return };
        // Names are looked up before they are used; later lookups only keep an answer fresh.
        let used = visit.flows.iter().map(|place| watch.flows[*place].first.time).min();
        let in_time = |question: &&&Question| used.is_none_or(|used| question.start().time <= used);
        let own: Vec<&Question> =
            questions.iter().filter(in_time).copied().filter(|question| !question.asked.unchecked).collect();
        let own = if own.is_empty() { questions.clone() } else { own };
        let before_controls = self.first_lookup(&own, first.server.0, used.is_some());
        self.resolve(&visit.name, &before_controls, used);
        self.rationed(&questions, first.server);
        self.control_lookups(&questions, &before_controls);
    }

    /// The same question again and again, of which some got no answer, or one that only says to ask over TCP.
    fn rationed(&mut self, questions: &[&Question], server: End) {
        let end = self.end();
        let same: Vec<&&Question> = questions.iter().filter(|q| q.server == server && !q.over_tcp).collect();
        let cut = |q: &&&&Question| {
            q.answer.as_ref().is_some_and(|(_, answer)| answer.truncated && answer.addresses.is_empty())
        };
        let cut = same.iter().filter(cut).count();
        let silent = same.iter().filter(|q| q.failure(end) == Some("dns.timeout")).count();
        let answered = same.iter().filter(|q| q.answer.is_some()).count() - cut;
        let (Some(first), Some(last)) = (same.first(), same.last()) else { return };
        if same.len() < RATIONED_MIN || answered == 0 || silent < 2 || (silent + cut) * 10 < same.len() * 3 {
            return;
        }
        let step = Step::new(Layer::Dns, "rationed", "the same question again and again")
            .set("dns.server", SocketAddr::new(server.0, server.1).to_string())
            .set("dns.asked", same.len())
            .set("dns.silent", silent)
            .set("dns.cut", cut);
        let step = self.between(step, first.start(), last.end());
        self.trace.add(step);
    }

    /// The questions of the first lookup: those to the resolvers that were asked first, until it was over. `used`: a
    /// connection followed, so whatever answered before it was no mere check.
    fn first_lookup<'q>(&self, own: &[&'q Question], first: IpAddr, used: bool) -> Vec<&'q Question> {
        let begin = own.iter().map(|question| question.start()).min().unwrap_or_default();
        let mut servers = vec![first];
        let mut picked: Vec<&Question> = Vec::new();
        let mut over = begin.time;
        let mut sorted: Vec<&Question> = own.to_vec();
        sorted.sort_by_key(|question| question.start());
        for question in sorted {
            // A next server in the row is asked while the first has not answered; over TCP only after a cut answer.
            let cut = picked.iter().any(|known| {
                known.asked.kind == question.asked.kind
                    && known.answer.as_ref().is_some_and(|(_, answer)| answer.truncated)
            });
            if question.over_tcp && !cut && picked.iter().any(|known| !known.over_tcp) {
                continue;
            }
            let known = picked
                .iter()
                .find(|known| known.asked.kind == question.asked.kind && known.server == question.server);
            // Whoever does not understand a question is asked once more in the old way.
            let plainer =
                known.is_some_and(|known| known.refuses_extensions().is_some() && !question.asked.edns);
            let repeats = known.is_some_and(|known| known.answer.is_some() && !cut && !plainer);
            // Who has got an address and asks for another kind of it a while later looks it up for something else.
            let got_one = picked
                .iter()
                .any(|known| known.answer.as_ref().is_some_and(|(_, answer)| !answer.addresses.is_empty()));
            let sequel = known.is_none() && got_one && question.start().time > over + SEQUEL;
            let late = sequel || question.start().time > over + 15_000_000_000;
            if repeats || late {
                continue;
            }
            let new_server = !servers.contains(&question.server.0);
            // Another resolver, asked after the ones that were configured had been given up: a control.
            let given_up = picked.iter().any(|known| {
                known.server.0 == question.server.0 || known.failure(self.end()) == Some("dns.timeout")
            });
            let configured = question.start().time.saturating_sub(begin.time) < 6_000_000_000;
            if new_server && !used && !(configured && given_up) {
                continue;
            }
            if new_server {
                servers.push(question.server.0);
            }
            over = over.max(question.end().time);
            picked.push(question);
        }
        picked
    }

    /// `used`: when the first connection was made, for which no answer was waited for any longer.
    fn resolve(&mut self, name: &str, questions: &[&Question], used: Option<u64>) {
        let mut groups: Vec<Asked<'_>> = Vec::new();
        for question in questions {
            let same = |asked: &&mut Asked<'_>| {
                let first = asked.questions[0];
                first.asked.kind == question.asked.kind && first.server == question.server
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.questions.push(question),
                None => groups.push(Asked { questions: vec![question] }),
            }
        }
        let Some(start) = groups.iter().map(Asked::start).min() else { return };
        let capture_end = self.end();
        let used = used.or_else(|| self.used_unnamed(questions));
        let mut addresses: Vec<IpAddr> = Vec::new();
        for (_, answer) in questions.iter().filter_map(|question| question.answer.as_ref()) {
            for address in &answer.addresses {
                if !addresses.contains(address) {
                    addresses.push(*address);
                }
            }
        }
        let failures: Vec<&str> =
            groups.iter().filter_map(|group| self.failure_of(group, capture_end)).collect();
        // That there is no address of one family says nothing of the other.
        let nothing = groups.iter().any(|group| {
            group.questions[0].asked.kind == crate::questions::A
                && group.failure(capture_end) == Some("dns.no_data")
        });
        // What counts is when the lookup could go on: with the first addresses, or when all had failed.
        let found = questions.iter().filter(|question| {
            question.answer.as_ref().is_some_and(|(_, answer)| !answer.addresses.is_empty())
        });
        let ends = found.map(|question| question.end()).max();
        let end = ends.unwrap_or_else(|| groups.iter().map(Asked::end).max().unwrap_or(start));
        let step = Step::new(Layer::Dns, "resolve", name).set("dns.name", format!("{name}."));
        let step = self.between(step, start, end);
        // Records of another kind than addresses are found when they come, and whole.
        let other_kind = questions.iter().any(|question| {
            !question.asks_for_address()
                && question.answer.as_ref().is_some_and(|(_, answer)| answer.rcode == 0 && !answer.truncated)
        });
        let step = if other_kind {
            step
        } else if !addresses.is_empty() {
            step.set("dns.addresses", addresses.into_iter().map(Value::Address).collect::<Vec<_>>())
        } else if questions.iter().any(|question| question.is_unread()) {
            step
        } else if let Some(code) = TELLING.into_iter().find(|code| {
            failures.contains(code)
                && (*code != "dns.no_data" || nothing)
                && (*code != "dns.timeout" || used.is_none())
        }) {
            step.failed(code, &sentence(code, name))
        } else {
            step.skipped("no answer that decides was captured")
        };
        let parent = self.trace.add(step);
        for group in groups {
            self.query(parent, &group, used);
        }
    }

    /// When somebody who had asked once connected to an address of which nobody told the name: that was the answer, and it
    /// was not captured.
    fn used_unnamed(&self, questions: &[&Question]) -> Option<u64> {
        let last = questions.iter().map(|question| question.start().time).max()?;
        if questions.iter().any(|question| question.sent.len() > 1) {
            return None;
        }
        let watch = self.watch;
        let host = watch.host(questions.first()?.client.0);
        let mut after = watch.flows_begun(last..last + WAIT_SHOWN).filter(|flow| {
            flow.remote().1 != 53
                && watch.name_of(flow.remote().0).is_none()
                && watch.host(flow.local().0) == host
        });
        after.next().map(|flow| flow.first.time)
    }

    /// As [`Asked::failure`], and whether a cut answer could be asked for over TCP (RFC 7766 5).
    fn failure_of(&self, asked: &Asked<'_>, end: u64) -> Option<&'static str> {
        let failure = asked.failure(end);
        let cut = asked.answered().filter(|question| {
            question
                .answer
                .as_ref()
                .is_some_and(|(_, answer)| answer.truncated && answer.addresses.is_empty())
        });
        let Some(question) = cut.filter(|_| failure.is_none()) else { return failure };
        let again = self.watch.flows_to(question.server.0).filter(|flow| {
            flow.remote() == question.server && flow.first > question.end() && !flow.syns.is_empty()
        });
        let mut tried = again.peekable();
        tried.peek()?;
        let in_vain = tried.all(|flow| {
            flow.synacks.is_empty()
                && (flow.syns.len() >= 2 || !flow.resets.is_empty() || !flow.told.is_empty())
        });
        in_vain.then_some("dns.truncated")
    }

    fn query(&mut self, parent: SpanId, asked: &Asked<'_>, used: Option<u64>) {
        let first = asked.questions[0];
        let end = used.map_or(self.end(), |used| used.min(self.end()).max(asked.end().time));
        let failure = self.failure_of(asked, end);
        let unanswered = failure == Some("dns.timeout");
        let last = if unanswered {
            // Nobody knows how long it was waited for: until the next thing, or the capture's end.
            let waited = asked.start().time + WAIT_SHOWN;
            Moment { time: waited.min(end).max(asked.end().time), number: asked.end().number }
        } else {
            asked.end()
        };
        let step = self.query_step(first, asked.questions.iter().map(|question| question.sent.len()).sum());
        let mut step = self.between(step, asked.start(), last).under(parent);
        if let Some((_, answer)) = asked.answered().and_then(|question| question.answer.as_ref()) {
            step = step.set("dns.rcode", rcode_word(answer.rcode)).set("dns.answers", answers(answer));
            if !answer.extended.is_empty() {
                step = step
                    .set("dns.ede", answer.extended.iter().map(|code| i64::from(*code)).collect::<Vec<_>>());
                let says = answer.extended_says.iter().map(|says| Value::Text(says.clone()));
                step = step.set("dns.ede_says", says.collect::<Vec<_>>());
            }
        }
        if first.asked.edns {
            step = step.set("dns.edns", true);
        }
        if asked.answered().is_none() && asked.questions.iter().any(|question| question.torn.is_some()) {
            step = step.set("dns.torn", true);
        }
        if let Some(code) = asked.extensions_refused() {
            step = step.set("dns.edns_refused", rcode_word(code));
        } else if let Some(times) = asked
            .extensions_unanswered()
            .filter(|_| !self.was_cut_off(asked) && !self.watch.takes_extensions(first.server))
        {
            step = step.set("dns.edns_unanswered", times);
        }
        if let Some((_, from)) = asked.questions.iter().find_map(|question| question.stray) {
            step = step.set("dns.stray_from", SocketAddr::new(from.0, from.1).to_string());
        }
        let second = asked.questions.iter().find_map(|question| question.second.as_ref());
        if let Some((at, other)) = second {
            let other: Vec<Value> = other.addresses.iter().copied().map(Value::Address).collect();
            let later = at.time.saturating_sub(asked.end().time);
            step = step.set("dns.second_answer", other).set("dns.second_after", Value::Nanos(later));
        }
        for told in asked.questions.iter().flat_map(|question| &question.told).take(1) {
            step = step
                .set("icmp.from", told.from)
                .set("icmp.kind", told.words())
                .set("icmp.local", told.quoted_source == Some(told.from))
                .set("icmp.delay", Value::Nanos(told.at.time.saturating_sub(asked.start().time)));
        }
        step = match failure {
            Some(code) => step.failed(code, &sentence(code, &first.asked.name)),
            None if asked.answered().is_none() => step.skipped("its answer was not waited for"),
            None => step,
        };
        self.trace.add(step);
        for question in &asked.questions {
            self.keep(question.album.packets());
        }
    }

    /// Whether anything else of the same machine was in vain while this was asked: then it was the way.
    fn was_cut_off(&self, asked: &Asked<'_>) -> bool {
        let watch = self.watch;
        let host = watch.host(asked.questions[0].client.0);
        let within = asked.start().time.saturating_sub(BESIDE)..asked.end().time;
        let mut flows = watch.flows_begun(within.clone());
        let in_vain =
            |flow: &TcpFlow| !flow.is_answered() && flow.syns.len() > 1 && watch.host(flow.local().0) == host;
        let unheard = |question: &&Question| {
            within.contains(&question.start().time)
                && question.answer.is_none()
                && !question.asked.edns
                && question.server != asked.questions[0].server
                && watch.host(question.client.0) == host
        };
        flows.any(in_vain) || watch.questions.all.iter().find(unheard).is_some()
    }

    fn query_step(&self, question: &Question, tries: usize) -> Step {
        let kind = type_word(question.asked.kind);
        let label = format!("{} {kind} @ {}", question.asked.name, question.server.0);
        let step = Step::new(Layer::Dns, "dns.query", &label)
            .set("dns.server", server(question))
            .set("dns.type", kind)
            .set("dns.tries", tries);
        if question.over_tcp { step.set("dns.transport", "tcp") } else { step }
    }

    /// Whether a question has the same answer elsewhere, over TCP, or without checks.
    fn control_lookups(&mut self, questions: &[&Question], own: &[&Question]) {
        let is_own = |question: &Question| {
            own.iter().any(|known| known.client == question.client && known.start() == question.start())
        };
        let Some(first) = own.first() else { return };
        let own_servers: Vec<IpAddr> = own.iter().map(|question| question.server.0).collect();
        let rest: Vec<&Question> = questions.iter().copied().filter(|question| !is_own(question)).collect();
        let unchecked = rest.iter().copied().filter(|question| question.asked.unchecked).collect();
        self.control_lookup("checking_disabled", unchecked);
        let ours = |question: &Question| own_servers.contains(&question.server.0);
        let over_tcp = rest.iter().copied().filter(|question| question.over_tcp && ours(question)).collect();
        self.control_lookup("over_tcp", over_tcp);
        let plainer = |question: &Question| ours(question) && first.asked.edns && !question.asked.edns;
        self.control_lookup(
            "without_edns",
            rest.iter().copied().filter(|question| plainer(question)).collect(),
        );
        self.smaller_answers(first);
        self.silent_over_tcp(first);
        self.control_lookup("other_resolver", rest.into_iter().filter(|question| !ours(question)).collect());
        self.iterated(&first.asked.name);
        self.repeated(questions, own);
    }

    fn control_lookup(&mut self, kind: &str, questions: Vec<&Question>) {
        if questions.is_empty() {
            return;
        }
        let asked = Asked { questions };
        let end = self.end();
        let step = Step::new(Layer::Dns, "control", kind).set("control.kind", kind);
        let step = self.between(step, asked.start(), asked.end());
        let (answered, failure) = (asked.answered(), asked.failure(end));
        let step = match failure {
            Some(code) => step.failed(code, &sentence(code, &asked.questions[0].asked.name)),
            None if answered.is_none() => step.skipped("the capture ends before an answer could have come"),
            None => step,
        };
        let parent = self.trace.add(step);
        self.query(parent, &asked, None);
    }

    /// What the same server answered over UDP to others of the same machine's questions.
    fn smaller_answers(&mut self, question: &Question) {
        let watch = self.watch;
        if question.answer.is_some() {
            return;
        }
        // One that was asked later shows that the server is still there.
        let other = watch.answered_by(question.server).rev().find(|other| {
            other.start().time.abs_diff(question.start().time) < NEAR
                && watch.host(other.client.0) == watch.host(question.client.0)
                && (other.asked.kind, &other.asked.name) != (question.asked.kind, &question.asked.name)
        });
        if let Some(other) = other {
            let before = self.trace.spans.len();
            self.control_lookup("other_question", vec![other]);
            let (later, own) = (other.start() > question.start(), other.asked.name != question.asked.name);
            if let Some(control) = self.trace.spans.get_mut(before) {
                control.values.insert("control.later".into(), Value::Bool(later));
                control.values.insert("control.other_name".into(), Value::Bool(own));
            }
        }
    }

    /// Connections to the name server for a question over TCP that were never answered.
    fn silent_over_tcp(&mut self, question: &Question) {
        let watch = self.watch;
        let mut tries = watch.flows_to(question.server.0).filter(|flow| {
            flow.remote() == question.server
                && flow.syns.len() >= 2
                && !flow.is_answered()
                && flow.told.is_empty()
        });
        let Some(flow) = tries.next() else { return };
        self.keep(flow.album.packets());
        let step = Step::new(Layer::Dns, "control", "over_tcp")
            .set("control.kind", "over_tcp")
            .failed("dns.timeout", "the name server does not answer over TCP either");
        let step = self.between(step, flow.first, flow.last);
        self.trace.add(step);
    }

    /// Questions without recursion for the same name: somebody asked from the root down.
    fn iterated(&mut self, name: &str) {
        let watch = self.watch;
        let steps: Vec<&Question> = watch.iterative(name).collect();
        let Some(last) = steps.last() else { return };
        let end = self.end();
        let final_answer = steps.iter().rev().find(|question| {
            question
                .answer
                .as_ref()
                .is_some_and(|(_, a)| a.rcode == 0 && (a.answers > 0 || a.has_soa) || a.rcode == 3)
        });
        let control =
            Step::new(Layer::Dns, "control", "asked from the root down").set("control.kind", "iterate");
        let start = steps.iter().map(|question| question.start()).min().unwrap_or_default();
        let finish = steps.iter().map(|question| question.end()).max().unwrap_or_default();
        let control = self.between(control, start, finish);
        let stuck = final_answer.unwrap_or(last);
        let control = control.set("dns.authority", watch_name(stuck));
        let control = match stuck.answer.as_ref().map(|(_, answer)| answer) {
            Some(answer) if answer.rcode == 3 => control
                .set("dns.authority_rcode", "NXDOMAIN")
                .failed("dns.nxdomain", "the name's own servers know no such name"),
            Some(answer) if answer.rcode == 0 && !answer.addresses.is_empty() => {
                control.set("dns.authority_rcode", "NOERROR")
            }
            Some(answer) if answer.rcode == 0 && !answer.aliases.is_empty() => {
                control.set("dns.authority_rcode", "NOERROR")
            }
            Some(answer) if answer.rcode == 0 => {
                control.set("dns.authority_rcode", "NOERROR").failed("dns.no_data", "the name has no address")
            }
            Some(answer) if answer.rcode == 5 => {
                control.failed("dns.lame", "it refuses to answer for the zone")
            }
            Some(_) => control.failed("dns.servfail", "it answers that it failed"),
            None if Asked {
                questions: steps.iter().copied().filter(|step| step.server == stuck.server).collect(),
            }
            .failure(end)
            .is_none() =>
            {
                control.skipped("the capture ends before an answer could have come")
            }
            None => control.failed("dns.timeout", "it does not answer"),
        };
        let parent = self.trace.add(control);
        for question in steps {
            self.query(parent, &Asked { questions: vec![question] }, None);
        }
    }

    /// The same name again, and a name of its zone that nobody can have asked before.
    fn repeated(&mut self, questions: &[&Question], own: &[&Question]) {
        let watch = self.watch;
        // A second server that was asked as well may answer after all was done.
        let answered = own.iter().filter(|question| question.answer.is_some());
        let Some(over) = answered.map(|question| question.end()).min() else { return };
        let Some(name) = own.first().map(|question| &question.asked.name) else { return };
        let fresh = watch.absent_below(name).find(|question| question.start() > over);
        let Some(fresh) = fresh else { return };
        let again = questions.iter().rfind(|question| {
            question.start() > over
                && question.start() <= fresh.start()
                && question.asked.kind == fresh.asked.kind
                && question.answer.as_ref().is_some_and(|(_, answer)| answer.rcode == 0)
        });
        let Some(again) = again else { return };
        let took = |question: &Question| question.end().time.saturating_sub(question.start().time);
        let step = Step::new(Layer::Dns, "control", "the same name once more, and one that nobody asked for")
            .set("control.kind", "repeated")
            .set("repeated.cached", Value::Nanos(took(again)))
            .set("repeated.fresh", Value::Nanos(took(fresh)));
        let step = self.between(step, again.start(), fresh.end());
        let parent = self.trace.add(step);
        self.query(parent, &Asked { questions: vec![again] }, None);
        self.query(parent, &Asked { questions: vec![fresh] }, None);
    }

    /// A question that is no part of a visit, told by itself.
    pub(crate) fn question(&mut self, question: &Question) {
        let name = question.asked.name.clone();
        // That there is no address of the newer family is an answer as well.
        let other_family =
            question.asked.kind != crate::questions::A && question.failure(self.end()) == Some("dns.no_data");
        if question.asks_for_address() && question.asked.recursion && !other_family {
            return self.resolve(&name, &[question], None);
        }
        // That a record of another kind is not there is an answer.
        let step = Step::new(Layer::Dns, "lookup", &name);
        let step = self.between(step, question.start(), question.end());
        let parent = self.trace.add(step);
        self.query_plain(parent, question);
    }

    fn query_plain(&mut self, parent: SpanId, question: &Question) {
        let step = self.query_step(question, question.sent.len());
        let mut step = self.between(step, question.start(), question.end()).under(parent);
        match &question.answer {
            Some((_, answer)) => step = step.set("dns.rcode", rcode_word(answer.rcode)),
            None => step = step.skipped("no answer was captured"),
        }
        self.trace.add(step);
        self.keep(question.album.packets());
    }
}

/// What began so shortly before met the same way.
const BESIDE: u64 = 5_000_000_000;
/// Fewer questions may have been lost by chance.
const UNANSWERED_MIN: usize = 2;
/// Fewer repetitions of a question tell nothing of a limit.
const RATIONED_MIN: usize = 6;
/// Both kinds of addresses are asked for at once, or one right after the other.
const SEQUEL: u64 = 1_000_000_000;
/// Questions so near to one another met the same network.
const NEAR: u64 = 60_000_000_000;
/// A question is not shown as waiting for longer.
const WAIT_SHOWN: u64 = 5_000_000_000;

fn server(question: &Question) -> String {
    SocketAddr::new(question.server.0, question.server.1).to_string()
}

fn watch_name(question: &Question) -> String {
    question.server.0.to_string()
}

fn answers(answer: &crate::glance::Dns) -> Vec<String> {
    let aliases = answer.aliases.iter().map(|(from, to)| format!("{from}. IN CNAME {to}."));
    let addresses = answer.addresses.iter().map(|address| {
        format!("{}. IN {} {address}", answer.name, if address.is_ipv6() { "AAAA" } else { "A" })
    });
    aliases.chain(addresses).collect()
}

fn sentence(code: &str, name: &str) -> String {
    match code {
        "dns.nxdomain" => format!("there is no name {name}"),
        "dns.no_data" => format!("{name} has no address"),
        "dns.servfail" => "the name server failed".into(),
        "dns.refused" => "the name server refused".into(),
        "dns.malformed" => {
            "the answer cannot be read, or the name server could not make sense of the question".into()
        }
        "dns.unreachable" => "the name server cannot be reached".into(),
        "dns.truncated" => "the answer was cut short, and could not be asked for over TCP".into(),
        "dns.wrong_id" => "answers came with a number that nobody asked with".into(),
        _ => "no answer".into(),
    }
}
