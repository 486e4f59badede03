//! A network of name servers for one resolver: every message takes a while, every server has a behaviour.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::Message;

use super::super::*;
use crate::responder::Responder;
use crate::text::{parse_type, record_text, type_text};
use crate::zone::Zone;

/// Writes what a server sends back: the query, and whether it came over UDP.
type Script = Box<dyn FnMut(&[u8], bool) -> Vec<Reply>>;

/// One message (or error) on its way back.
pub(super) enum Reply {
    Message(Vec<u8>),
    /// From another address than was asked.
    From(SocketAddr, Vec<u8>),
    Unreachable(&'static str),
}

pub(super) struct Net {
    pub(super) resolver: Resolver,
    pub(super) now: Instant,
    servers: BTreeMap<IpAddr, (Duration, Script)>,
    /// (due, order) to what arrives then.
    arrivals: BTreeMap<(Instant, u64), (ExchangeId, SocketAddr, Reply)>,
    order: u64,
    /// Every question sent: server, name in lower case, type, transport.
    pub(super) asked: Vec<String>,
    answers: BTreeMap<u64, Arc<Answer>>,
    tokens: u64,
}

pub(super) const ROOT: &str = "192.0.2.1";

impl Net {
    pub(super) fn new() -> Net {
        Net::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut ResolverConfig)) -> Net {
        let hints = vec![(parse_name("a.root").expect("a name"), vec![ROOT.parse().expect("an address")])];
        let mut config = ResolverConfig::new(hints);
        change(&mut config);
        Net {
            resolver: Resolver::new(config, [7; 32]),
            now: Instant::START,
            servers: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            order: 0,
            asked: Vec::new(),
            answers: BTreeMap::new(),
            tokens: 0,
        }
    }

    /// A server that does what `script` says, `millis` away (there and back).
    pub(super) fn script(
        &mut self,
        address: &str,
        millis: u64,
        script: impl FnMut(&[u8], bool) -> Vec<Reply> + 'static,
    ) {
        let server = (Duration::from_millis(millis), Box::new(script) as Script);
        self.servers.insert(address.parse().expect("an address"), server);
    }

    /// A true authority of the zones in `texts`, 20 ms away.
    pub(super) fn serve(&mut self, address: &str, texts: &[&str]) {
        let responder = responder(texts);
        self.script(address, 20, move |query, udp| {
            responder.answer(query, udp).into_iter().map(Reply::Message).collect()
        });
    }

    /// The root, delegating `lab` to 192.0.2.10, and `lab`, delegating as `delegations` says.
    pub(super) fn tree(&mut self, delegations: &str) {
        self.serve(ROOT, &[ROOT_ZONE]);
        self.serve("192.0.2.10", &[&format!("{LAB_ZONE}{delegations}")]);
    }

    /// Puts a question; the token of its answer.
    pub(super) fn ask(&mut self, question: &str) -> u64 {
        let (name, kind) = question.split_once(' ').expect("NAME TYPE");
        let name = parse_name(name).expect("a name");
        self.tokens += 1;
        let record_type = parse_type(kind).expect("a type");
        self.resolver.handle(
            self.now,
            Input::Query { token: self.tokens, name: &name, record_type, checking_disabled: false },
        );
        self.drain();
        self.tokens
    }

    /// Puts a question and lets everything happen until it is answered.
    pub(super) fn resolve(&mut self, question: &str) -> Arc<Answer> {
        let token = self.ask(question);
        for _ in 0..10_000 {
            if let Some(answer) = self.answers.remove(&token) {
                return answer;
            }
            self.step();
        }
        panic!("no answer to {question}");
    }

    pub(super) fn answer(&mut self, token: u64) -> Option<Arc<Answer>> {
        self.answers.remove(&token)
    }

    /// Lets everything happen until nothing is under way.
    pub(super) fn settle(&mut self) {
        for _ in 0..10_000 {
            if self.arrivals.is_empty() && self.resolver.next_deadline().is_never() {
                return;
            }
            self.step();
        }
        panic!("it never settles");
    }

    pub(super) fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    fn step(&mut self) {
        let arrival = self.arrivals.first_key_value().map_or(Instant::NEVER, |((at, _), _)| *at);
        let deadline = self.resolver.next_deadline();
        assert!(!arrival.is_never() || !deadline.is_never(), "nothing will ever happen again");
        if arrival <= deadline {
            let ((at, _), (exchange, from, reply)) = self.arrivals.pop_first().expect("there is one");
            self.now = self.now.max(at);
            match reply {
                Reply::Message(message) => {
                    self.resolver.handle(self.now, Input::Response { exchange, from, message: &message });
                }
                Reply::From(from, message) => {
                    self.resolver.handle(self.now, Input::Response { exchange, from, message: &message });
                }
                Reply::Unreachable(why) => {
                    self.resolver.handle(self.now, Input::Unreachable { exchange, why: why.into() });
                }
            }
        } else {
            self.now = self.now.max(deadline);
            self.resolver.handle(self.now, Input::Timeout);
        }
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.resolver.poll_output() {
            match output {
                Output::Finished(_) => {}
                Output::Answer { token, answer } => {
                    assert!(self.answers.insert(token, answer).is_none(), "answered twice");
                }
                Output::Send { exchange, to, over_tcp, message } => {
                    let query = Message::from_vec(&message).expect("our own query");
                    let question = &query.queries[0];
                    let transport = if over_tcp { " tcp" } else { "" };
                    let name = crate::text::name_text(&question.name().to_lowercase());
                    self.asked.push(format!(
                        "{} {name} {}{transport}",
                        to.ip(),
                        type_text(question.query_type())
                    ));
                    let Some((delay, script)) = self.servers.get_mut(&to.ip()) else { continue };
                    for reply in script(&message, !over_tcp) {
                        self.order += 1;
                        self.arrivals.insert((self.now + *delay, self.order), (exchange, to, reply));
                    }
                }
            }
        }
    }
}

pub(super) const ROOT_ZONE: &str = "
. 86400 SOA a.root. x. 1 1 1 1 60
. NS a.root.
a.root. A 192.0.2.1
lab. NS ns.nic.lab.
ns.nic.lab. A 192.0.2.10
";

pub(super) const LAB_ZONE: &str = "
$ORIGIN lab.
$TTL 3600
@ SOA ns.nic x 1 1 1 1 60
@ NS ns.nic
ns.nic A 192.0.2.10
";

pub(super) const SHOP: &str = "shop NS ns1.shop\nns1.shop A 192.0.2.53\n";

pub(super) const SHOP_ZONE: &str = "
$ORIGIN shop.lab.
$TTL 300
@ SOA ns1 x 1 1 1 1 60
@ NS ns1
ns1 A 192.0.2.53
www A 192.0.2.80
www AAAA 2001:db8::80
alias CNAME www
away CNAME www.other.lab.
";

pub(super) fn responder(texts: &[&str]) -> Responder {
    Responder::new(texts.iter().map(|text| Zone::parse(text, None).expect("a zone")))
}

/// Code and records, or the extended error.
pub(super) fn shown(answer: &Answer) -> Vec<String> {
    let mut lines = vec![format!("{:?}", answer.code)];
    lines.extend(answer.records.iter().map(record_text));
    lines.extend(answer.soa.iter().map(|soa| format!("soa {}", record_text(soa))));
    lines.extend(answer.extended_error.iter().map(|(code, text)| format!("ede {code} {text}")));
    lines
}

/// Like [`shown`] for the steps: server, question, what it said.
pub(super) fn steps(answer: &Answer) -> Vec<String> {
    answer
        .steps
        .iter()
        .map(|step| {
            let kind = type_text(step.record_type);
            let transport = if step.over_tcp { " tcp" } else { "" };
            let name = crate::text::name_text(&step.name);
            format!(
                "{} {} {name} {kind}{transport}: {}",
                step.at.nanos() / 1_000_000,
                step.server.ip(),
                step.said
            )
        })
        .collect()
}

/// Changes a true answer before it is sent.
pub(super) fn edited(responder: &Responder, query: &[u8], edit: impl FnOnce(&mut Message)) -> Vec<Reply> {
    let answer = responder.answer(query, true).expect("an answer");
    let mut message = Message::from_vec(&answer).expect("readable");
    edit(&mut message);
    vec![Reply::Message(message.to_vec().expect("bytes"))]
}
