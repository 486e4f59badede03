//! One question to the resolvers in turn, each of them one `dns.query` span.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, Record, RecordType};
use thru_names::message::{QueryOptions, answer_records, extended_error};
use thru_names::text::{extended_error_text, name_text, rcode_text, record_text, type_text};
use thru_net::{Network, UdpSocket};
use thru_trace::{Layer, Outcome as SpanOutcome, SpanId, Value};

use super::exchange::{self, Outcome};
use crate::Recorder;
use crate::connect::note_icmp;

/// How often to ask, and how long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Rounds over the servers.
    pub tries: u32,
    /// For each answer.
    pub timeout: Duration,
}

/// Two rounds over the servers, as the C library makes, with 2 s for each answer where that waits 5: a person is
/// watching, and resolvers that live answer within a second.
impl Default for Patience {
    fn default() -> Patience {
        Patience { tries: 2, timeout: Duration::from_secs(2) }
    }
}

/// What is asked, and how.
#[derive(Clone, Debug)]
pub struct Question {
    /// The name.
    pub name: Name,
    /// The type.
    pub record_type: RecordType,
    /// RD.
    pub recursion_desired: bool,
    /// CD: answer even if validation fails.
    pub checking_disabled: bool,
    /// DO: ask for signatures (RFC 3225).
    pub dnssec_ok: bool,
    /// Go over TCP at once.
    pub tcp: bool,
    /// With the extensions of RFC 6891, until the server says that it does not know them.
    pub edns: bool,
    /// A cut answer is the answer: do not ask for it again over TCP.
    pub keep_cut: bool,
    /// Ask which of several servers this is (RFC 5001).
    pub nsid: bool,
    /// Ask in class CHAOS.
    pub chaos: bool,
}

impl Question {
    /// A stub's usual question: RD set, UDP first.
    pub fn plain(name: Name, record_type: RecordType) -> Question {
        Question {
            name,
            record_type,
            recursion_desired: true,
            checking_disabled: false,
            dnssec_ok: false,
            tcp: false,
            edns: true,
            keep_cut: false,
            nsid: false,
            chaos: false,
        }
    }
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The whole message.
    pub message: Box<Message>,
    /// The same as it came, without TCP's length.
    pub octets: Box<[u8]>,
    /// Who sent it.
    pub server: SocketAddr,
    /// Whether it came over TCP.
    pub over_tcp: bool,
    /// From the first byte sent in the last try to its answer.
    pub took: Duration,
}

/// A positive answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Aliases on the way.
    pub aliases: Vec<Record>,
    /// The records asked for; at least one.
    pub records: Vec<Record>,
    /// The answer itself.
    pub heard: Heard,
    /// The `dns.query` span.
    pub span: SpanId,
}

/// Why there are no records.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// The code of the span.
    pub code: &'static str,
    /// For people.
    pub text: String,
    /// The answer that says so, if one came.
    pub heard: Option<Heard>,
    /// The `dns.query` span; `None` when there was nobody to ask.
    pub span: Option<SpanId>,
}

/// Asks `servers` in turn until one gives a final answer: records, "no such name", "no such record".
/// SERVFAIL, REFUSED, silence and the like move on to the next; the last round's most telling failure is returned.
pub async fn ask(
    recorder: &Recorder,
    parent: SpanId,
    servers: &[SocketAddr],
    question: &Question,
    patience: Patience,
) -> Result<Reply, Trouble> {
    let Some(_) = servers.first() else {
        let text = "this machine is told of no resolver".to_owned();
        return Err(Trouble { code: "dns.no_resolver", text, heard: None, span: None });
    };
    let mut asked: Vec<Server<'_>> =
        servers.iter().map(|server| Server::new(recorder, *server, question)).collect();
    for round in 0..patience.tries.max(1) {
        for server in &mut asked {
            // Whoever answered, if only with an error, has said its word.
            if round > 0 && server.trouble.as_ref().is_some_and(|trouble| !WAITED.contains(&trouble.code)) {
                continue;
            }
            match server.ask(parent, patience.timeout).await {
                Ok(reply) => return Ok(reply),
                Err(trouble) => {
                    let last_word = matches!(trouble.code, "dns.nxdomain" | "dns.no_data");
                    server.trouble = Some(trouble.clone());
                    if last_word {
                        return Err(trouble);
                    }
                }
            }
        }
    }
    let troubles = asked.into_iter().filter_map(|server| server.trouble);
    Err(troubles.min_by_key(|trouble| super::telling(trouble.code)).expect("every server was asked"))
}

/// Nothing came that could be taken: asking again may help.
const WAITED: [&str; 2] = ["dns.timeout", "dns.wrong_id"];

/// Marks the unfinished queries for `record_type` below `parent` as no longer waited for.
pub(super) fn abandon(recorder: &Recorder, parent: SpanId, record_type: RecordType) {
    let kind = Value::Text(type_text(record_type));
    for span in recorder.spans() {
        let unfinished = span.parent == Some(parent)
            && span.what == "dns.query"
            && span.values.get("dns.type") == Some(&kind)
            && !span.values.contains_key("dns.rcode");
        if unfinished && span.outcome == SpanOutcome::Ok {
            recorder.skip(span.id, "the other family's answer came, and this one did not follow in time");
        }
    }
}

/// One server and how it fared so far.
struct Server<'a> {
    recorder: &'a Recorder,
    address: SocketAddr,
    question: &'a Question,
    /// One id for all tries, so that a late answer to the first still counts.
    id: u16,
    edns: bool,
    socket: Option<UdpSocket>,
    span: Option<SpanId>,
    tries: u32,
    trouble: Option<Trouble>,
}

impl<'a> Server<'a> {
    fn new(recorder: &'a Recorder, address: SocketAddr, question: &'a Question) -> Server<'a> {
        let random = recorder.network().random("dns stub");
        let id = u16::from_le_bytes([random[0], random[1]]);
        Server {
            recorder,
            address,
            question,
            id,
            edns: question.edns,
            socket: None,
            span: None,
            tries: 0,
            trouble: None,
        }
    }

    async fn ask(&mut self, parent: SpanId, timeout: Duration) -> Result<Reply, Trouble> {
        let recorder = self.recorder;
        let kind = type_text(self.question.record_type);
        let span = *self.span.get_or_insert_with(|| {
            let name = name_text(&self.question.name);
            let label = format!("{} {kind} @ {}", name.trim_end_matches('.'), self.address.ip());
            let span = recorder.open(Some(parent), Layer::Dns, "dns.query", label);
            recorder.set(span, "dns.server", self.address.to_string());
            recorder.set(span, "dns.type", kind.clone());
            span
        });
        self.tries += 1;
        recorder.set(span, "dns.tries", self.tries);
        let mut started = recorder.network().now();
        let mut over_tcp = self.question.tcp;
        let mut outcome = self.exchange(over_tcp, timeout).await;
        if let Outcome::Answer(message, _) = &outcome {
            let code = message.metadata.response_code;
            // RFC 6891 section 7: a server that does not know EDNS says so with one of these.
            if self.edns && matches!(code, ResponseCode::FormErr | ResponseCode::NotImp) {
                self.edns = false;
                recorder.set(span, "dns.edns_refused", rcode_text(code));
                outcome = self.exchange(over_tcp, timeout).await;
            }
        }
        if let Outcome::Answer(message, _) = &outcome
            && message.metadata.truncation
            && !over_tcp
        {
            recorder.set(span, "dns.truncated", true);
            if !self.question.keep_cut {
                over_tcp = true;
                started = recorder.network().now();
                outcome = self.exchange(over_tcp, timeout).await;
            }
        }
        recorder.set(span, "dns.transport", if over_tcp { "tcp" } else { "udp" });
        let result = match outcome {
            Outcome::Answer(message, octets) => {
                let took = recorder.network().now().since(started);
                self.read(span, Heard { message, octets, server: self.address, over_tcp, took })
            }
            Outcome::Silent => Err(("dns.timeout", self.silence(over_tcp), None)),
            Outcome::Stray(from) => {
                if let Some(from) = from {
                    recorder.set(span, "dns.stray_from", from.to_string());
                }
                let text = format!("{}; what came cannot be its answer", self.silence(over_tcp));
                Err(("dns.wrong_id", text, None))
            }
            Outcome::NoRoute => {
                let text = format!("this machine knows no way to {}; nothing was sent", self.address.ip());
                Err(("ip.no_route", text, None))
            }
            Outcome::Malformed(why) => Err(("dns.malformed", format!("{} sent {why}", self.address), None)),
            Outcome::Unreachable { text, icmp } => {
                if let Some(report) = &icmp {
                    note_icmp(recorder, span, started, report);
                }
                Err(("dns.unreachable", format!("{} can't be reached: {text}", self.address), None))
            }
        };
        match result {
            Ok(reply) => {
                // An earlier try may have marked it as failed.
                recorder.edit(span, |span| span.outcome = SpanOutcome::Ok);
                recorder.ok(span);
                Ok(reply)
            }
            Err((code, text, heard)) => {
                recorder.fail(span, code, text.clone());
                Err(Trouble { code, text, heard, span: Some(span) })
            }
        }
    }

    async fn exchange(&mut self, over_tcp: bool, timeout: Duration) -> Outcome {
        let network: Network = self.recorder.network().clone();
        let question = exchange::Question {
            name: self.question.name.clone(),
            record_type: self.question.record_type,
            options: QueryOptions {
                id: self.id,
                recursion_desired: self.question.recursion_desired,
                checking_disabled: self.question.checking_disabled,
                edns: self.edns,
                dnssec_ok: self.question.dnssec_ok,
                nsid: self.question.nsid,
                chaos: self.question.chaos,
            },
        };
        if over_tcp {
            return exchange::over_tcp(&network, self.address, &question, timeout).await;
        }
        if self.socket.is_none() {
            match exchange::bind_for(&network, self.address).await {
                Ok(socket) => self.socket = Some(socket),
                Err(error) => {
                    return Outcome::Unreachable {
                        text: format!("cannot open a socket: {error}"),
                        icmp: None,
                    };
                }
            }
        }
        let socket = self.socket.as_ref().expect("just opened");
        exchange::over_udp(&network, socket, self.address, &question, timeout).await
    }

    fn read(&self, span: SpanId, heard: Heard) -> Result<Reply, (&'static str, String, Option<Heard>)> {
        let recorder = self.recorder;
        let message = &heard.message;
        let (name, record_type) = (&self.question.name, self.question.record_type);
        let code = message.metadata.response_code;
        recorder.set(span, "dns.rcode", rcode_text(code));
        let (aliases, records) = answer_records(message, name, record_type);
        let shown: Vec<Value> =
            message.answers.iter().map(|record| Value::Text(record_text(record))).collect();
        recorder.set(span, "dns.answers", shown);
        let mut reason = String::new();
        if let Some((code, text)) = extended_error(message) {
            let words = extended_error_text(code);
            reason =
                if text.is_empty() { format!("{code} {words}") } else { format!("{code} {words}: {text}") };
            recorder.set(span, "dns.ede", reason.clone());
        }
        let (shown_name, kind) = (name_text(name), type_text(record_type));
        let shown_name = shown_name.trim_end_matches('.');
        let because = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
        let says = format!("{} answers {}", self.address.ip(), rcode_text(code));
        match code {
            ResponseCode::NoError if !records.is_empty() => Ok(Reply { aliases, records, heard, span }),
            ResponseCode::NoError => {
                Err(("dns.no_data", format!("{shown_name} exists but has no {kind} record"), Some(heard)))
            }
            ResponseCode::NXDomain => {
                Err(("dns.nxdomain", format!("{shown_name} does not exist"), Some(heard)))
            }
            ResponseCode::Refused => Err(("dns.refused", format!("{says}{because}"), Some(heard))),
            ResponseCode::FormErr => Err(("dns.malformed", format!("{says}{because}"), Some(heard))),
            _ => Err(("dns.servfail", format!("{says}{because}"), Some(heard))),
        }
    }

    fn silence(&self, over_tcp: bool) -> String {
        let times = if self.tries == 1 { "one question".into() } else { format!("{} questions", self.tries) };
        let transport = if over_tcp { " over TCP" } else { "" };
        format!("{} did not answer {times}{transport}", self.address.ip())
    }
}
