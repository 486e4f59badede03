//! One question to one server: sending it, and judging whether what comes back answers it.

use std::net::{IpAddr, SocketAddr};

use hickory_proto::rr::Name;
use thru_wire::Instant;

use super::core::Core;
use super::jobs::JobId;
use super::message::rcode;
use super::random::RandomStream;
use super::{Deadline, ExchangeId, Output, Said, Step, cookies};
use crate::message::{Peek, extended_error_of};
use crate::text::record_line;
use crate::wire::{Header, Opt, Packet, Question};

/// Messages that do not fit the question taken on one exchange before it is asked over TCP instead: someone is
/// guessing (RFC 5452 section 4.3).
const MISFITS_MAX: u32 = 16;
/// Records shown in one step.
const SHOWN_MAX: usize = 16;
/// Times one question is put again to one server in another way.
const AGAIN_MAX: u32 = 4;

/// What to ask of whom.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) job: JobId,
    pub(super) address: IpAddr,
    pub(super) server: Name,
    pub(super) zone: Name,
    pub(super) question: Question,
    /// How often this server was asked for this.
    pub(super) tries: u32,
    pub(super) over_tcp: bool,
    pub(super) recursion_desired: bool,
    pub(super) checking_disabled: bool,
}

#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) ask: Ask,
    to: SocketAddr,
    /// The name as sent, in its mixed case.
    name: Name,
    id: u16,
    over_tcp: bool,
    edns: bool,
    sent_at: Instant,
    deadline: Instant,
    /// Others are being tried, but a late answer is still welcome.
    pub(super) given_up: bool,
    misfits: u32,
    again: u32,
    client_cookie: Option<[u8; 8]>,
}

/// What came of an exchange.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A message that answers the question, and whether it came over TCP.
    Packet(Box<Packet>),
    /// Nothing in time. The exchange stays open.
    Silent,
    /// No use: why.
    Failed(Said),
}

impl Exchange {
    pub(super) fn step(&self, now: Instant, said: Said) -> Step {
        Step {
            at: self.sent_at,
            took: now.since(self.sent_at),
            zone: self.ask.zone.clone(),
            server: self.to,
            server_name: self.ask.server.clone(),
            name: self.name.to_lowercase(),
            record_type: self.ask.question.rtype,
            over_tcp: self.over_tcp,
            said,
            records: Vec::new(),
            extended_error: None,
        }
    }

    /// The step with what the server sent along.
    pub(super) fn step_with(&self, now: Instant, said: Said, packet: &Packet) -> Step {
        let mut step = self.step(now, said);
        let section = if packet.answers.is_empty() { &packet.authorities } else { &packet.answers };
        step.records = section.iter().take(SHOWN_MAX).map(record_line).collect();
        step.extended_error = extended_error_of(packet);
        step
    }
}

/// How the same question is to be put again to the same server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    OverTcp,
    WithoutEdns,
    WithCookie,
}

impl Core {
    /// Puts a question; `None` when the budget of its job is used up.
    pub(super) fn send(&mut self, ask: Ask) -> Option<ExchangeId> {
        let over_tcp = ask.over_tcp;
        let edns = !self.servers.is_plain(ask.address);
        self.send_as(ask, over_tcp, edns, 0)
    }

    fn send_as(&mut self, ask: Ask, over_tcp: bool, edns: bool, again: u32) -> Option<ExchangeId> {
        let limit = self.config.limits.queries;
        if !self.jobs.get(&ask.job)?.budget.spend(limit) {
            return None;
        }
        let now = self.now;
        let id = ExchangeId(self.next_id());
        let name = if self.config.mix_case {
            mix_case(&ask.question.name, &mut self.random)
        } else {
            ask.question.name.clone()
        };
        let message_id = self.random.id();
        let client_cookie =
            (edns && self.config.cookies).then(|| cookies::client(&self.cookie_key, ask.address));
        let mut options = Vec::new();
        if let Some(cookie) = client_cookie {
            let mut data = cookie.to_vec();
            data.extend_from_slice(self.servers.cookie(ask.address));
            options.push((cookies::OPTION, data));
        }
        if let Some(text) = self.config.client_strings.longest(ask.address) {
            options.push((self.config.client_string_code, text.clone()));
        }
        let packet = Packet {
            header: Header {
                id: message_id,
                recursion_desired: ask.recursion_desired,
                checking_disabled: ask.checking_disabled,
                ..Header::default()
            },
            questions: vec![Question { name: name.clone(), ..ask.question.clone() }],
            opt: edns.then(|| Opt {
                payload: crate::message::UDP_PAYLOAD,
                dnssec_ok: self.config.dnssec_ok,
                options,
                ..Opt::default()
            }),
            ..Packet::default()
        };
        let message = packet.write(usize::from(u16::MAX)).expect("a query with one legal name fits");
        let to = SocketAddr::new(ask.address, self.config.port);
        // A connection costs a round trip more.
        let patience = self.servers.patience(ask.address, ask.tries) * if over_tcp { 2 } else { 1 };
        let deadline = now + patience;
        if self.config.own_timers {
            self.deadlines.insert((deadline, Deadline::Exchange(id)));
        }
        let exchange = Exchange {
            ask,
            to,
            name,
            id: message_id,
            over_tcp,
            edns,
            sent_at: now,
            deadline,
            given_up: false,
            misfits: 0,
            again,
            client_cookie,
        };
        if let Some(job) = self.jobs.get_mut(&exchange.ask.job) {
            job.open.insert(id);
        }
        self.exchanges.insert(id, exchange);
        self.outputs.push_back(Output::Send { exchange: id, to, over_tcp, message });
        Some(id)
    }

    /// Something arrived on an exchange's socket.
    pub(super) fn response(&mut self, id: ExchangeId, from: SocketAddr, bytes: &[u8]) {
        let Some(exchange) = self.exchanges.get(&id) else { return };
        let peek = Peek::at(bytes);
        // RFC 5452 section 9.1: what does not come from where we asked, with the id we sent, is not an answer.
        let fits = peek.is_some_and(|peek| peek.is_response && peek.opcode == 0 && peek.id == exchange.id);
        if from != exchange.to || !fits {
            return self.misfit(id);
        }
        let peek = peek.expect("it fits");
        let packet = match Packet::read(bytes) {
            Ok(packet) => packet,
            // Cut in the middle of a record, as some servers do.
            Err(_) if peek.truncated && !exchange.over_tcp => {
                return self.ask_again(id, Again::OverTcp, Said::Truncated);
            }
            Err(why) => return self.event(id, Event::Failed(Said::Malformed(why.to_string()))),
        };
        if packet.questions.len() > 1 {
            return self.event(id, Event::Failed(Said::Malformed("holds several questions".into())));
        }
        let code = packet.rcode();
        if packet.questions.is_empty() && !matches!(code, rcode::NOERROR | rcode::NXDOMAIN) {
            // Servers that can't read a question can't repeat it.
        } else {
            let question = packet.question();
            let same = question.is_some_and(|question| {
                question.rtype == exchange.ask.question.rtype
                    && question.class == exchange.ask.question.class
                    && question.name == exchange.name
            });
            if !same {
                return self.misfit(id);
            }
            if !question.is_some_and(|question| question.name.eq_case(&exchange.name))
                && !exchange.over_tcp
                && self.config.mix_case
            {
                let said = Said::Malformed("did not keep the letter case".into());
                return self.ask_again(id, Again::OverTcp, said);
            }
        }
        let (edns, over_tcp, address) = (exchange.edns, exchange.over_tcp, exchange.to.ip());
        match self.check_cookie(id, &packet) {
            cookies::Check::Fine => {}
            cookies::Check::Forged if !over_tcp => return self.misfit(id),
            cookies::Check::Forged => {}
            cookies::Check::Bad => {
                return self.ask_again(
                    id,
                    Again::WithCookie,
                    Said::Code(hickory_proto::op::ResponseCode::BADCOOKIE),
                );
            }
        }
        if packet.header.truncated && !over_tcp {
            return self.ask_again(id, Again::OverTcp, Said::Truncated);
        }
        if packet.header.truncated {
            return self.event(id, Event::Failed(Said::Malformed("is truncated even over TCP".into())));
        }
        // RFC 6891 section 7: servers that do not know EDNS answer FORMERR or NOTIMP, and BADVERS is 16.
        if edns && matches!(code, rcode::FORMERR | rcode::NOTIMP | 16) && self.config.own_timers {
            self.servers.refused_edns(self.now, address);
            return self.ask_again(id, Again::WithoutEdns, Said::Code(code_of(code)));
        }
        if !over_tcp {
            let took = self.now.since(self.exchanges[&id].sent_at);
            self.servers.answered(self.now, address, took);
        }
        self.event(id, Event::Packet(Box::new(packet)));
    }

    /// What the answer's cookie says about who sent it (RFC 7873 section 5.3).
    fn check_cookie(&mut self, id: ExchangeId, packet: &Packet) -> cookies::Check {
        let exchange = &self.exchanges[&id];
        let Some(ours) = exchange.client_cookie else { return cookies::Check::Fine };
        let address = exchange.to.ip();
        let theirs = packet.opt.as_ref().and_then(|opt| opt.option(cookies::OPTION));
        let check = cookies::check(
            &ours,
            theirs,
            packet.rcode() == cookies::BADCOOKIE,
            self.servers.has_cookie(address),
        );
        if let (Some(theirs), cookies::Check::Fine | cookies::Check::Bad) = (theirs, check) {
            self.servers.learn_cookie(self.now, address, &theirs[8..]);
        }
        check
    }

    /// The network could not carry it.
    pub(super) fn unreachable(&mut self, id: ExchangeId, why: String) {
        let Some(exchange) = self.exchanges.get(&id) else { return };
        let address = exchange.to.ip();
        self.servers.failed(self.now, address);
        self.event(id, Event::Failed(Said::Unreachable(why)));
    }

    /// The server has had its time. Its answer stays welcome.
    pub(super) fn gave_no_answer(&mut self, id: ExchangeId) {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        exchange.given_up = true;
        let address = exchange.to.ip();
        self.servers.failed(self.now, address);
        self.event(id, Event::Silent);
    }

    /// Something arrived that does not answer the question: noise, or a guess.
    fn misfit(&mut self, id: ExchangeId) {
        let Some(exchange) = self.exchanges.get_mut(&id) else { return };
        exchange.misfits += 1;
        if !self.config.own_timers {
            // Whoever keeps the time for us takes one message for all that comes.
            return self.event(id, Event::Failed(Said::Malformed("answers another question".into())));
        }
        if exchange.misfits > MISFITS_MAX {
            if exchange.over_tcp {
                self.event(id, Event::Failed(Said::Malformed("answers another question".into())));
            } else {
                let said = Said::Malformed("many messages that answer another question".into());
                self.ask_again(id, Again::OverTcp, said);
            }
        }
    }

    /// Puts the same question to the same server in another way, under the same id for its job.
    fn ask_again(&mut self, id: ExchangeId, how: Again, said: Said) {
        let Some(exchange) = self.exchanges.get(&id) else { return };
        if exchange.again >= AGAIN_MAX {
            return self.event(id, Event::Failed(said));
        }
        let ask = Ask { tries: 0, ..exchange.ask.clone() };
        let over_tcp =
            exchange.over_tcp || how == Again::OverTcp || (how == Again::WithCookie && exchange.again > 0);
        let edns = exchange.edns && how != Again::WithoutEdns;
        let (job, again, step) = (ask.job, exchange.again + 1, exchange.step(self.now, said.clone()));
        self.note(job, step);
        match self.send_as(ask, over_tcp, edns, again) {
            Some(new) => {
                self.close(id);
                if let Some(job) = self.jobs.get_mut(&job) {
                    job.renamed.insert(id, new);
                }
            }
            None => self.event(id, Event::Failed(said)),
        }
    }

    fn event(&mut self, id: ExchangeId, event: Event) {
        let Some(exchange) = self.exchanges.get(&id) else { return };
        let job = exchange.ask.job;
        if let Some(waiting) = self.jobs.get_mut(&job) {
            waiting.events.push_back((id, event));
        }
        self.wake(job);
    }

    /// Forgets the exchange and lets its socket go.
    pub(super) fn close(&mut self, id: ExchangeId) {
        let Some(exchange) = self.exchanges.remove(&id) else { return };
        self.deadlines.remove(&(exchange.deadline, Deadline::Exchange(id)));
        if let Some(job) = self.jobs.get_mut(&exchange.ask.job) {
            job.open.remove(&id);
        }
        self.outputs.push_back(Output::Finished(id));
    }
}

pub(super) fn code_of(code: u16) -> hickory_proto::op::ResponseCode {
    hickory_proto::op::ResponseCode::from((code >> 4) as u8, (code & 15) as u8)
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
