//! One question to one server: sending it, and judging what comes back.

use std::net::{IpAddr, SocketAddr};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use thru_wire::Instant;

use super::classify::{End, Meaning, classify};
use super::random::RandomStream;
use super::task::{TaskId, note};
use super::{Deadline, ExchangeId, Output, Resolver, Said, Step};
use crate::message::{Peek, QueryOptions, decode, encode_query, extended_error, question_matches};
use crate::text::{name_text, rcode_text, record_text, type_text};

/// Tries per server address.
pub(super) const TRIES_MAX: u32 = 3;
/// Messages that do not fit the question taken on one exchange before it is asked over TCP instead: someone is
/// guessing (RFC 5452 section 4.3).
const MISFITS_MAX: u32 = 16;
/// Records shown in one step.
const SHOWN_MAX: usize = 16;

#[derive(Debug)]
pub(super) struct Exchange {
    task: TaskId,
    zone: Name,
    to: SocketAddr,
    server: Name,
    /// The name as sent, in its mixed case.
    name: Name,
    record_type: RecordType,
    id: u16,
    over_tcp: bool,
    edns: bool,
    sent_at: Instant,
    deadline: Instant,
    /// Others are being tried, but a late answer is still welcome.
    pub(super) given_up: bool,
    misfits: u32,
}

impl Exchange {
    pub(super) fn step(&self, now: Instant, said: Said) -> Step {
        Step {
            at: self.sent_at,
            took: now.since(self.sent_at),
            zone: self.zone.clone(),
            server: self.to,
            server_name: self.server.clone(),
            name: self.name.to_lowercase(),
            record_type: self.record_type,
            over_tcp: self.over_tcp,
            said,
            records: Vec::new(),
            extended_error: None,
        }
    }
}

/// How the same question is to be put again to the same server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    OverTcp,
    WithoutEdns,
}

impl Resolver {
    /// Puts the task's question to its candidate number `index`.
    pub(super) fn ask(&mut self, now: Instant, id: TaskId, index: usize) {
        let Some(candidate) =
            self.tasks.get_mut(&id).and_then(|task| task.asking.as_mut()?.candidates.get_mut(index))
        else {
            return;
        };
        let (address, tries) = (candidate.address, candidate.tries);
        candidate.tries += 1;
        let server = candidate.name.clone();
        let edns = !self.servers.is_plain(address);
        self.send(now, id, address, server, tries, false, edns);
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the facts of one question; a struct would be built to be taken apart"
    )]
    fn send(
        &mut self,
        now: Instant,
        id: TaskId,
        address: IpAddr,
        server: Name,
        tries: u32,
        over_tcp: bool,
        edns: bool,
    ) {
        if !self.may_send(id) {
            let limit = self.config.limits.queries;
            return self.give_up(now, id, Some(format!("more than {limit} questions for one query")));
        }
        let exchange_id = ExchangeId(self.next_id());
        let Some(task) = self.tasks.get_mut(&id) else { return };
        let Some(asking) = task.asking.as_mut() else { return };
        let name =
            if self.config.mix_case { mix_case(&task.name, &mut self.random) } else { task.name.clone() };
        let message_id = self.random.id();
        let options =
            QueryOptions { id: message_id, recursion_desired: false, checking_disabled: false, edns };
        let message = encode_query(&name, task.question.1, &options);
        let to = SocketAddr::new(address, self.config.port);
        // A connection costs a round trip more.
        let patience = self.servers.patience(address, tries) * if over_tcp { 2 } else { 1 };
        let deadline = now + patience;
        asking.exchanges.push(exchange_id);
        self.exchanges.insert(
            exchange_id,
            Exchange {
                task: id,
                zone: asking.zone.clone(),
                to,
                server,
                name,
                record_type: task.question.1,
                id: message_id,
                over_tcp,
                edns,
                sent_at: now,
                deadline,
                given_up: false,
                misfits: 0,
            },
        );
        self.deadlines.insert((deadline, Deadline::Exchange(exchange_id)));
        self.outputs.push_back(Output::Send { exchange: exchange_id, to, over_tcp, message });
    }

    pub(super) fn response(&mut self, now: Instant, id: ExchangeId, from: SocketAddr, bytes: &[u8]) {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        let peek = Peek::at(bytes);
        // RFC 5452 section 9.1: what does not come from where we asked, with the id we sent, is not an answer.
        let fits = peek.is_some_and(|peek| peek.is_response && peek.opcode == 0 && peek.id == exchange.id);
        if from != exchange.to || !fits {
            return self.misfit(now, id);
        }
        let peek = peek.expect("it fits");
        let message = match decode(bytes) {
            Ok(message) => message,
            // Cut in the middle of a record, as some servers do.
            Err(_) if peek.truncated && !exchange.over_tcp => {
                return self.ask_again(now, id, Again::OverTcp, Said::Truncated);
            }
            Err(why) => return self.useless(now, id, Said::Malformed(why), None),
        };
        let code = message.metadata.response_code;
        if message.queries.is_empty() && !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) {
            // Servers that can't read a question can't repeat it.
        } else if let Err(case_only) = question_matches(&message, &exchange.name, exchange.record_type) {
            if case_only && !exchange.over_tcp {
                let said = Said::Malformed("did not keep the letter case".into());
                return self.ask_again(now, id, Again::OverTcp, said);
            }
            if !case_only {
                return self.misfit(now, id);
            }
        }
        if message.metadata.truncation && !exchange.over_tcp {
            return self.ask_again(now, id, Again::OverTcp, Said::Truncated);
        }
        // RFC 6891 section 7: servers that do not know EDNS answer FORMERR or NOTIMP, and BADVERS hides in BADSIG.
        let no_edns = matches!(
            code,
            ResponseCode::FormErr | ResponseCode::NotImp | ResponseCode::BADVERS | ResponseCode::BADSIG
        );
        if no_edns && exchange.edns {
            let address = exchange.to.ip();
            self.servers.refused_edns(now, address);
            return self.ask_again(now, id, Again::WithoutEdns, Said::Code(code));
        }
        self.accept(now, id, &message);
    }

    fn accept(&mut self, now: Instant, id: ExchangeId, message: &Message) {
        let Some(exchange) = self.exchanges.get(&id) else { return };
        let (task_id, over_tcp) = (exchange.task, exchange.over_tcp);
        let Some(task) = self.tasks.get_mut(&task_id) else { return };
        if !over_tcp {
            self.servers.answered(now, exchange.to.ip(), now.since(exchange.sent_at));
        }
        let meaning = classify(message, &exchange.zone, &task.name, exchange.record_type);
        let said = said(&meaning, &task.name);
        if !matches!(meaning, Meaning::Chain { .. } | Meaning::Referral { .. }) {
            return self.useless(now, id, said, Some(message));
        }
        let step = step_with(exchange, now, said, message);
        note(task, step, self.config.limits.steps);
        self.learn(now, task_id, meaning);
    }

    /// This server is no use for this zone: on to the next.
    fn useless(&mut self, now: Instant, id: ExchangeId, said: Said, message: Option<&Message>) {
        let Some(exchange) = self.exchanges.get(&id) else { return };
        let task_id = exchange.task;
        let Some(task) = self.tasks.get_mut(&task_id) else { return };
        let code = match said {
            Said::Code(ResponseCode::Refused) | Said::Lame(_) | Said::Silent => 22,
            Said::Malformed(_) => 24,
            _ => 23,
        };
        task.trouble = Some((code, trouble(exchange, &said)));
        let step = match message {
            Some(message) => step_with(exchange, now, said, message),
            None => exchange.step(now, said),
        };
        note(task, step, self.config.limits.steps);
        let address = exchange.to.ip();
        if let Some(asking) = task.asking.as_mut() {
            for candidate in asking.candidates.iter_mut().filter(|candidate| candidate.address == address) {
                candidate.out = true;
            }
        }
        self.close(id);
        self.ready.push_back(task_id);
    }

    pub(super) fn unreachable(&mut self, now: Instant, id: ExchangeId, why: String) {
        let Some(exchange) = self.exchanges.get(&id) else { return };
        self.servers.failed(now, exchange.to.ip());
        self.useless(now, id, Said::Unreachable(why), None);
    }

    /// The server has had its time. Its answer stays welcome, and the next server is asked.
    pub(super) fn gave_no_answer(&mut self, now: Instant, id: ExchangeId) {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        exchange.given_up = true;
        self.servers.failed(now, exchange.to.ip());
        let task_id = exchange.task;
        let Some(task) = self.tasks.get_mut(&task_id) else { return };
        task.trouble = Some((22, trouble(exchange, &Said::Silent)));
        note(task, exchange.step(now, Said::Silent), self.config.limits.steps);
        self.ready.push_back(task_id);
    }

    /// Something arrived that does not answer the question: noise, or a guess.
    fn misfit(&mut self, now: Instant, id: ExchangeId) {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        exchange.misfits += 1;
        if exchange.misfits > MISFITS_MAX {
            if exchange.over_tcp {
                self.useless(now, id, Said::Malformed("answers another question".into()), None);
            } else {
                let said = Said::Malformed("many messages that answer another question".into());
                self.ask_again(now, id, Again::OverTcp, said);
            }
        }
    }

    /// Puts the same question to the same server in another way.
    fn ask_again(&mut self, now: Instant, id: ExchangeId, how: Again, said: Said) {
        let Some(exchange) = self.exchanges.get(&id) else { return };
        let (task_id, address, server) = (exchange.task, exchange.to.ip(), exchange.server.clone());
        let over_tcp = exchange.over_tcp || how == Again::OverTcp;
        let edns = exchange.edns && how != Again::WithoutEdns;
        let step = exchange.step(now, said);
        if let Some(task) = self.tasks.get_mut(&task_id) {
            note(task, step, self.config.limits.steps);
        }
        self.close(id);
        self.send(now, task_id, address, server, 0, over_tcp, edns);
    }

    /// Forgets the exchange and lets its socket go.
    pub(super) fn close(&mut self, id: ExchangeId) {
        let Some(exchange) = self.exchanges.remove(&id) else { return };
        self.deadlines.remove(&(exchange.deadline, Deadline::Exchange(id)));
        if let Some(asking) = self.tasks.get_mut(&exchange.task).and_then(|task| task.asking.as_mut()) {
            asking.exchanges.retain(|open| *open != id);
        }
        self.outputs.push_back(Output::Finished(id));
    }
}

fn said(meaning: &Meaning, name: &Name) -> Said {
    match meaning {
        Meaning::Code(code) => Said::Code(*code),
        Meaning::Lame(why) => Said::Lame(why.clone()),
        Meaning::Referral { delegation, .. } => Said::Referral(delegation.zone.clone()),
        Meaning::Chain { end, .. } => match end {
            End::Records(_) => Said::Records,
            End::Elsewhere(target) if target != name => Said::Alias(target.clone()),
            End::Elsewhere(_) | End::NoData(_) => Said::NoData,
            End::NoName(_) => Said::NoName,
        },
    }
}

/// The step with what the server sent along.
fn step_with(exchange: &Exchange, now: Instant, said: Said, message: &Message) -> Step {
    let mut step = exchange.step(now, said);
    let section = if message.answers.is_empty() { &message.authorities } else { &message.answers };
    step.records = section.iter().take(SHOWN_MAX).map(record_text).collect();
    step.extended_error = extended_error(message);
    step
}

/// What went wrong, as the text of an extended error.
fn trouble(exchange: &Exchange, said: &Said) -> String {
    let what = match said {
        Said::Code(code) => format!("answered {}", rcode_text(*code)),
        Said::Silent => "did not answer".into(),
        Said::Lame(why) => format!("is lame: {why}"),
        Said::Unreachable(why) => format!("is unreachable: {why}"),
        Said::Malformed(why) => format!("sent an answer that {why}"),
        other => other.to_string(),
    };
    format!(
        "{} ({}) {what} for {} {}",
        exchange.to.ip(),
        name_text(&exchange.server),
        name_text(&exchange.name.to_lowercase()),
        type_text(exchange.record_type)
    )
}

/// The name with each letter in a case chosen at random (draft-vixie-dnsext-dns0x20).
fn mix_case(name: &Name, random: &mut RandomStream) -> Name {
    let mut bits = 0;
    let mut left = 0;
    let labels: Vec<Vec<u8>> = name
        .iter()
        .map(|label| {
            let mix = |byte: &u8| {
                if !byte.is_ascii_alphabetic() {
                    return *byte;
                }
                if left == 0 {
                    (bits, left) = (random.next(), 64);
                }
                left -= 1;
                bits >>= 1;
                if bits & 1 == 0 { byte.to_ascii_lowercase() } else { byte.to_ascii_uppercase() }
            };
            label.iter().map(mix).collect()
        })
        .collect();
    Name::from_labels(labels.iter().map(Vec::as_slice)).unwrap_or_else(|_| name.clone())
}
