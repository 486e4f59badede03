//! Runs a script: the steps in order, and between them whatever the ranges can answer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use thru_wire::Instant;

use super::entry::Entry;
use super::macros::{Clock, expand};
use super::script::{Dialect, Event, Script, Step, parse};
use super::settings;
use crate::resolver::{ExchangeId, Input};
use crate::service::{Out, Service};
use crate::wire::{CLASS_IN, Packet, Question};

mod deckard;
mod files;

/// Rounds after which a script that does not end is ended.
const ROUNDS_MAX: u32 = 20_000;

/// How a script ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Pass,
    /// Otherwise: the line and why.
    Fail(usize, String),
    /// It needs what we do not have: the line and what.
    Skip(usize, String),
}

/// Runs a script from its text.
pub fn run(text: &str) -> Outcome {
    let script = match parse(text) {
        Ok(script) => script,
        Err((line, why)) => return Outcome::Fail(line, format!("cannot be read: {why}")),
    };
    if let Some((line, word)) = unknown_word(&script) {
        return Outcome::Skip(line, format!("{word} is not modelled"));
    }
    let service = match settings::service(&script) {
        Ok(service) => service,
        Err(why) => {
            let (line, why) = placed(&why);
            return Outcome::Skip(line, why);
        }
    };
    let mut runner = Runner {
        script: &script,
        service,
        now: Instant::START,
        at: 0,
        pending: VecDeque::new(),
        answers: VecDeque::new(),
        clients: BTreeMap::new(),
        variables: BTreeMap::new(),
        anchor_files: BTreeMap::new(),
        tokens: 0,
        used: BTreeSet::new(),
    };
    match runner.run() {
        Ok(()) => Outcome::Pass,
        Err((line, why)) => Outcome::Fail(line, why),
    }
}

/// `line 7: why` in two parts.
fn placed(why: &str) -> (usize, String) {
    let parts = why.strip_prefix("line ").and_then(|rest| rest.split_once(": "));
    let found = parts.and_then(|(line, rest)| Some((line.parse().ok()?, rest.to_owned())));
    found.unwrap_or_else(|| (1, why.to_owned()))
}

fn unknown_word(script: &Script) -> Option<(usize, String)> {
    let of_steps = script.steps.iter().filter_map(|step| match &step.event {
        Event::Query(entry)
        | Event::CheckAnswer(entry)
        | Event::CheckOutQuery(entry)
        | Event::Reply(entry) => Some(&**entry),
        _ => None,
    });
    let of_ranges = script.ranges.iter().flat_map(|range| &range.entries);
    let mut entries = of_steps.chain(of_ranges);
    entries.find_map(|entry| Some((entry.line, entry.matches.unknown.first()?.clone())))
}

/// A question of the resolver that nobody has answered yet.
struct Pending {
    exchange: ExchangeId,
    to: SocketAddr,
    over_tcp: bool,
    packet: Packet,
}

/// An answer that nobody has looked at yet.
struct Given {
    from: IpAddr,
    over_tcp: bool,
    packet: Packet,
}

struct Runner<'a> {
    script: &'a Script,
    service: Service,
    now: Instant,
    at: usize,
    /// Newest first.
    pending: VecDeque<Pending>,
    answers: VecDeque<Given>,
    clients: BTreeMap<u64, (IpAddr, bool)>,
    variables: BTreeMap<String, String>,
    /// Trust anchor files as they were last written.
    anchor_files: BTreeMap<String, String>,
    tokens: u64,
    /// Steps whose answers have served, for Deckard.
    used: BTreeSet<usize>,
}

type Failed = (usize, String);

impl Runner<'_> {
    fn run(&mut self) -> Result<(), Failed> {
        let script = self.script;
        self.service.start(self.now);
        self.drain();
        for _ in 0..ROUNDS_MAX {
            let Some(step) = self.script.steps.get(self.at) else {
                // Errands that nobody waits for any more may still be answered.
                let last = self.script.steps.last().map_or(0, |step| step.number);
                if script.dialect == Dialect::Testbound && self.answer_from_ranges(last) {
                    continue;
                }
                return self.end();
            };
            if script.dialect == Dialect::Deckard {
                self.at += 1;
                self.play(step)?;
                continue;
            }
            if self.asked_as(step)? {
                continue;
            }
            if let Event::CheckAnswer(entry) = &step.event
                && !self.answers.is_empty()
            {
                self.check_answer(step, entry)?;
                self.at += 1;
                continue;
            }
            if self.answer_from_ranges(step.number) {
                continue;
            }
            self.act(step)?;
        }
        let line = self.script.steps.get(self.at).map_or(0, |step| step.line);
        Err((line, format!("more than {ROUNDS_MAX} rounds")))
    }

    fn end(&self) -> Result<(), Failed> {
        if self.script.dialect == Dialect::Deckard {
            return Ok(());
        }
        let line = self.script.steps.last().map_or(0, |step| step.line);
        if let Some(pending) = self.pending.front() {
            return Err((line, format!("still asked at the end: {}", shown(pending))));
        }
        if let Some(given) = self.answers.front() {
            let question = given.packet.question().map(question_text).unwrap_or_default();
            return Err((line, format!("an answer that nobody checked: {question}")));
        }
        Ok(())
    }

    /// When the step expects a question that has been asked: on to the next step.
    fn asked_as(&mut self, step: &Step) -> Result<bool, Failed> {
        let Event::CheckOutQuery(entry) = &step.event else { return Ok(false) };
        let found = self.pending.iter().position(|pending| {
            step.address.is_none_or(|address| address == pending.to.ip())
                && entry.check(&pending.packet, pending.over_tcp).is_ok()
        });
        let Some(found) = found else { return Ok(false) };
        self.at += 1;
        if entry.copy_id {
            self.reply(found, entry);
        }
        Ok(true)
    }

    fn check_answer(&mut self, step: &Step, entry: &Entry) -> Result<(), Failed> {
        let (mut why, mut told) = (String::new(), false);
        let found = self.answers.iter().position(|given| {
            if step.address.is_some_and(|address| address != given.from) {
                return false;
            }
            match entry.check(&given.packet, given.over_tcp) {
                Ok(()) => true,
                Err(reason) => {
                    // Of several answers, the one to this question tells most.
                    let same = given.packet.question() == entry.packet.question();
                    if why.is_empty() || same && !told {
                        why = reason;
                        told = same;
                    }
                    false
                }
            }
        });
        match found {
            Some(found) => {
                self.answers.remove(found);
                Ok(())
            }
            None if why.is_empty() => {
                let from: Vec<String> = self.answers.iter().map(|given| given.from.to_string()).collect();
                Err((step.line, format!("STEP {}: an answer, but to {}", step.number, from.join(", "))))
            }
            None => Err((step.line, format!("STEP {}: {why}", step.number))),
        }
    }

    fn answer_from_ranges(&mut self, number: u32) -> bool {
        let script = self.script;
        for at in 0..self.pending.len() {
            let pending = &self.pending[at];
            let entry = script
                .ranges
                .iter()
                .filter(|range| range.from <= number && number <= range.to)
                .filter(|range| range.addresses.is_empty() || range.addresses.contains(&pending.to.ip()))
                .flat_map(|range| &range.entries)
                .find(|entry| entry.check(&pending.packet, pending.over_tcp).is_ok());
            if let Some(entry) = entry {
                self.reply(at, entry);
                return true;
            }
        }
        false
    }

    /// A server answers a question.
    fn reply(&mut self, at: usize, entry: &Entry) {
        let Some(pending) = self.pending.remove(at) else { return };
        for packet in 0..=entry.extra.len() {
            let bytes = entry.reply_to(Some(&pending.packet), packet);
            let input = Input::Response { exchange: pending.exchange, from: pending.to, message: &bytes };
            self.service.handle(self.now, input);
        }
        self.drain();
    }

    fn act(&mut self, step: &Step) -> Result<(), Failed> {
        let fail = |why: String| Err((step.line, format!("STEP {}: {why}", step.number)));
        self.at += 1;
        match &step.event {
            Event::Nothing | Event::Traffic => {}
            Event::Query(entry) => self.query(step, entry),
            Event::CheckAnswer(_) => {
                let asked: Vec<String> = self.pending.iter().map(shown).collect();
                let under_way = self.service.resolver().under_way();
                return fail(format!(
                    "no answer; asked and not answered: {asked:?}, under way {under_way:?}"
                ));
            }
            Event::CheckOutQuery(entry) => {
                let wanted = entry.packet.question().map(question_text).unwrap_or_default();
                let asked: Vec<String> = self.pending.iter().map(shown).collect();
                return fail(format!("{wanted} was not asked, but {asked:?}"));
            }
            Event::Reply(entry) => {
                if self.pending.is_empty() {
                    return fail("a reply, but nothing was asked".into());
                }
                self.reply(0, entry);
            }
            Event::Timeout => {
                let Some(pending) = self.pending.pop_front() else {
                    return fail("nothing to time out".into());
                };
                self.service.handle(self.now, Input::NoAnswer { exchange: pending.exchange });
                self.drain();
            }
            Event::Error => {
                let Some(pending) = self.pending.pop_front() else { return fail("nothing to fail".into()) };
                let input = Input::Unreachable { exchange: pending.exchange, why: "closed".into() };
                self.service.handle(self.now, input);
                self.drain();
            }
            Event::TimePasses(text) => {
                let text = expand(text, &self.variables, self.clock()).or_else(fail_with(step))?;
                let Ok(seconds) = text.trim().parse::<f64>() else { return fail(format!("no time: {text}")) };
                let Ok(time) = Duration::try_from_secs_f64(seconds) else {
                    return fail(format!("no time: {text}"));
                };
                self.now += time;
                self.service.handle(self.now, Input::Timeout);
                self.drain();
            }
            Event::Assign(name, value) => {
                let value = expand(value, &self.variables, self.clock()).or_else(fail_with(step))?;
                self.variables.insert(name.clone(), value);
            }
            Event::RoundTrip(_, millis) => {
                if let Some(address) = step.address {
                    self.service.resolver().assume_round_trip(address, *millis);
                }
            }
            Event::FlushMessage(text) => match question(text) {
                Some(question) => self.service.resolver().flush_message(&question),
                None => return fail(format!("no question: {text}")),
            },
            Event::ExpireMessage(text) => match question(text) {
                Some(question) => self.service.resolver().expire_message(&question),
                None => return fail(format!("no question: {text}")),
            },
            Event::CheckAutotrust(id, lines) => {
                self.check_anchors(id, lines)
                    .map_err(|why| (step.line, format!("STEP {}: {why}", step.number)))?;
            }
            Event::CheckFile(name, lines) => {
                self.check_file(name, lines)
                    .map_err(|why| (step.line, format!("STEP {}: {why}", step.number)))?;
            }
        }
        Ok(())
    }

    fn query(&mut self, step: &Step, entry: &Entry) {
        self.tokens += 1;
        let from = step.address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let over_tcp = entry.matches.tcp == Some(true);
        self.clients.insert(self.tokens, (from, over_tcp));
        let bytes = entry.reply_to(None, 0);
        self.service.query(self.now, self.tokens, from, over_tcp, &bytes);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(out) = self.service.poll() {
            match out {
                Out::Send { exchange, to, over_tcp, message } => {
                    let packet = Packet::read(&message).expect("our own query can be read");
                    self.pending.push_front(Pending { exchange, to, over_tcp, packet });
                }
                Out::Answered(_) => {}
                Out::Finished(exchange) => self.pending.retain(|pending| pending.exchange != exchange),
                Out::Reply { token, message } => {
                    let (from, over_tcp) =
                        self.clients.remove(&token).unwrap_or((IpAddr::V4(Ipv4Addr::LOCALHOST), false));
                    if let Some(packet) = message.and_then(|bytes| Packet::read(&bytes).ok()) {
                        self.answers.push_back(Given { from, over_tcp, packet });
                    }
                }
            }
        }
    }

    fn clock(&self) -> Clock {
        let now = (self.now.nanos() / 1_000_000_000) as i64;
        let next = self.service.next_deadline();
        let timeout = if next.is_never() { 0 } else { (next.nanos() / 1_000_000_000) as i64 - now };
        Clock { now, timeout: timeout.max(0) }
    }
}

fn fail_with(step: &Step) -> impl Fn(String) -> Result<String, Failed> {
    let (line, number) = (step.line, step.number);
    move |why| Err((line, format!("STEP {number}: {why}")))
}

fn question_text(question: &Question) -> String {
    format!("{} {}", crate::text::name_text(&question.name), crate::text::type_text(question.rtype))
}

fn shown(pending: &Pending) -> String {
    let question = pending.packet.question().map(question_text).unwrap_or_default();
    format!("{} {question}", pending.to.ip())
}

/// `name type class`, in any order after the name.
fn question(text: &str) -> Option<Question> {
    let mut words = text.split_whitespace();
    let name = crate::text::parse_name(words.next()?).ok()?;
    let rtype = words.filter(|word| *word != "IN").find_map(crate::text::parse_type)?;
    Some(Question { name, rtype, class: CLASS_IN })
}
