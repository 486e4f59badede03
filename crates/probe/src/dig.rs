//! `thru dig`: one question, everything about its answer, in dig's habits.
//!
//! - [`DigRequest::parse`]: dig's command line: `[@server] [name] [type] [-x address] [+short] [+trace] [+tcp] ...`.
//! - [`dig`]: asks, and returns the sections as text in master-file form with the facts around them.
//! - [`secured`]: over TLS, HTTPS and QUIC. [`chain`]: the chain of trust of an answer. [`check`]: an audit of a zone.

pub mod chain;
pub mod check;
mod parse;
pub mod secured;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::Message;
use hickory_proto::rr::{Name, Record, RecordType};
use thru_names::message::extended_error;
use thru_names::resolver::{ResolverConfig, Step};
use thru_names::text::{data_text, name_text, rcode_text, record_text, type_text};
use thru_names::wire::Packet;
use thru_trace::{Layer, SpanId};

use crate::Recorder;
use crate::resolve::stub::{Heard, Patience, Question, ask};
use crate::resolve::{Families, ResolveOptions, control, iterate, resolve};
use secured::Encryption;

/// Option code of the name server's identity (RFC 5001).
const NSID: u16 = 3;

/// What to ask, and whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigRequest {
    /// `@server`: an address or a name; `None`: the network's resolvers.
    pub server: Option<String>,
    /// `-p`: the port, 53.
    pub port: u16,
    /// The name asked for.
    pub name: Name,
    /// The type asked for.
    pub record_type: RecordType,
    /// `+short`: only the data of the answers.
    pub short: bool,
    /// `+brief`: one line that says it all.
    pub brief: bool,
    /// `+trace`: from the root down ourselves.
    pub trace: bool,
    /// `+dnssec`: ask for signatures, too.
    pub dnssec: bool,
    /// `+chain`: follow the chain of trust (`--svg FILE`: as a picture there).
    pub chain: bool,
    /// Where the picture of the chain goes.
    pub svg: Option<String>,
    /// `--check`: audit the zone of the name.
    pub check: bool,
    /// `+nsid`: ask which of several servers this is.
    pub nsid: bool,
    /// `CH` or `-c CH`: class CHAOS, in which servers tell about themselves.
    pub chaos: bool,
    /// `+tcp`: no UDP.
    pub tcp: bool,
    /// `+tls`, `+https`, `+h3`, `+quic`: an encrypted transport.
    pub encryption: Option<Encryption>,
    /// `+recurse` (the default) sets RD.
    pub recursion_desired: bool,
    /// `+cd`: answer even if validation fails.
    pub checking_disabled: bool,
    /// `-4`, `-6`: how to reach a server given by name.
    pub families: Families,
    /// `+tries=N` and `+time=SECONDS`; dig's own 3 and 5.
    pub patience: Patience,
    /// `+after=SECONDS`: to be asked only then, counted from the question before. For the caller to obey.
    pub after: Duration,
}

/// A command line that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigUsage {
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

/// An answer, or the end of a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigAnswer {
    /// The question as `name. IN TYPE`.
    pub question: String,
    /// Who answered last.
    pub server: Option<SocketAddr>,
    /// Whether that came over TCP.
    pub over_tcp: bool,
    /// How it came: `udp`, `tcp`, `tls`, `https`, `h3`, `quic`.
    pub transport: &'static str,
    /// From question to answer; of a trace, from its beginning to its end.
    pub took: Duration,
    /// Bytes of the answer; 0 for a trace.
    pub size: usize,
    /// Message id.
    pub id: u16,
    /// `NOERROR`, `NXDOMAIN`, ...
    pub rcode: String,
    /// `qr`, `aa`, `tc`, `rd`, `ra`, `ad`, `cd`, as set.
    pub flags: Vec<&'static str>,
    /// Version and announced payload in bytes, if the answer had EDNS.
    pub edns: Option<(u8, u16)>,
    /// Which of several servers it is, as it says by NSID.
    pub identity: Option<String>,
    /// The extended error: code and text.
    pub extended_error: Option<(u16, String)>,
    /// The answer section in master-file form.
    pub answers: Vec<String>,
    /// The authority section.
    pub authorities: Vec<String>,
    /// The additional section, without OPT.
    pub additionals: Vec<String>,
    /// The data of the answers, as `+short` shows them.
    pub short: Vec<String>,
    /// The whole message, as it came; `None` for a trace.
    pub packet: Option<Box<Packet>>,
    /// Of a trace: each question on the way.
    pub steps: Vec<Step>,
    /// The span it was recorded under.
    pub span: SpanId,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigFailure {
    /// The code of the span: `dns.timeout`, `dns.unreachable`, ...
    pub code: &'static str,
    /// For people.
    pub text: String,
    /// The span it was recorded under.
    pub span: SpanId,
}

/// Asks. `root` is where a trace begins; `hosts` helps to find a server given by name.
pub async fn dig(
    recorder: &Recorder,
    request: &DigRequest,
    root: ResolverConfig,
    hosts: &[(String, IpAddr)],
) -> Result<DigAnswer, DigFailure> {
    let kind = type_text(request.record_type);
    let label = format!("{} {kind}", name_text(&request.name).trim_end_matches('.'));
    let span = recorder.open(None, Layer::Dns, "dig", label);
    recorder.set(span, "dns.name", name_text(&request.name));
    recorder.set(span, "dns.type", kind);
    let result = if request.trace {
        Ok(trace(recorder, span, request, root).await)
    } else {
        query(recorder, span, request, hosts).await
    };
    match &result {
        Ok(answer) => {
            recorder.set(span, "dns.rcode", answer.rcode.clone());
            recorder.ok(span);
        }
        Err(failure) => recorder.fail(span, failure.code, failure.text.clone()),
    }
    result
}

async fn query(
    recorder: &Recorder,
    span: SpanId,
    request: &DigRequest,
    hosts: &[(String, IpAddr)],
) -> Result<DigAnswer, DigFailure> {
    let servers = match &request.server {
        None => recorder.network().resolvers(),
        Some(server) => {
            let options = ResolveOptions {
                families: request.families,
                hosts: hosts.to_vec(),
                ..ResolveOptions::default()
            };
            let found = resolve(recorder, Some(span), server, &options).await;
            let found =
                found.map_err(|failure| DigFailure { code: failure.code, text: failure.text, span })?;
            found.addresses.into_iter().map(|address| SocketAddr::new(address, request.port)).collect()
        }
    };
    if let Some(encryption) = &request.encryption {
        let heard = secured::ask(recorder, span, request, encryption, &servers).await?;
        return Ok(DigAnswer { transport: encryption.way.name(), ..answer(span, request, &heard) });
    }
    let question = Question {
        name: request.name.clone(),
        record_type: request.record_type,
        recursion_desired: request.recursion_desired,
        checking_disabled: request.checking_disabled,
        // Whether it was checked is told (AD) to those who ask with DO.
        dnssec_ok: request.dnssec || request.brief,
        tcp: request.tcp,
        edns: true,
        keep_cut: false,
        nsid: request.nsid,
        chaos: request.chaos,
    };
    match ask(recorder, span, &servers, &question, request.patience).await {
        Ok(reply) => Ok(answer(span, request, &reply.heard)),
        // Whatever the code: an answer is an answer.
        Err(trouble) => match &trouble.heard {
            Some(heard) => Ok(answer(span, request, heard)),
            None => Err(DigFailure { code: trouble.code, text: trouble.text, span }),
        },
    }
}

fn answer(span: SpanId, request: &DigRequest, heard: &Heard) -> DigAnswer {
    let message = &heard.message;
    let texts = |records: &[Record]| records.iter().map(record_text).collect();
    DigAnswer {
        question: question_text(request),
        server: Some(heard.server),
        over_tcp: heard.over_tcp,
        transport: if heard.over_tcp { "tcp" } else { "udp" },
        took: heard.took,
        size: heard.octets.len(),
        id: message.metadata.id,
        rcode: rcode_text(message.metadata.response_code),
        flags: flags(message),
        edns: message.edns.as_ref().map(|edns| (edns.version(), edns.max_payload())),
        identity: identity(&heard.octets),
        extended_error: extended_error(message),
        answers: texts(&message.answers),
        authorities: texts(&message.authorities),
        additionals: texts(&message.additionals),
        short: message.answers.iter().map(|record| data_text(&record.data)).collect(),
        packet: Packet::read(&heard.octets).ok().map(Box::new),
        steps: Vec::new(),
        span,
    }
}

async fn trace(recorder: &Recorder, span: SpanId, request: &DigRequest, root: ResolverConfig) -> DigAnswer {
    let answer = iterate::resolve_once(recorder.network(), root, &request.name, request.record_type).await;
    control::record_questions(recorder, span, &answer);
    DigAnswer {
        question: question_text(request),
        server: answer.steps.last().map(|step| step.server),
        over_tcp: answer.steps.last().is_some_and(|step| step.over_tcp),
        transport: if answer.steps.last().is_some_and(|step| step.over_tcp) { "tcp" } else { "udp" },
        took: answer.ended.since(answer.began),
        size: 0,
        id: 0,
        rcode: rcode_text(answer.code),
        flags: Vec::new(),
        edns: None,
        identity: None,
        extended_error: answer.extended_error.clone(),
        answers: answer.records.iter().map(record_text).collect(),
        authorities: answer.soa.iter().map(record_text).collect(),
        additionals: Vec::new(),
        short: answer.records.iter().map(|record| data_text(&record.data)).collect(),
        packet: None,
        steps: answer.steps.clone(),
        span,
    }
}

/// The NSID option as text, or in hexadecimal (RFC 5001 section 2.3).
fn identity(octets: &[u8]) -> Option<String> {
    let packet = Packet::read(octets).ok()?;
    let data = packet.opt.as_ref()?.option(NSID)?;
    match std::str::from_utf8(data) {
        Ok(text) if !data.is_empty() && !text.chars().any(char::is_control) => Some(text.to_owned()),
        _ => Some(data.iter().map(|octet| format!("{octet:02x}")).collect()),
    }
}

fn question_text(request: &DigRequest) -> String {
    let class = if request.chaos { "CH" } else { "IN" };
    format!("{} {class} {}", name_text(&request.name), type_text(request.record_type))
}

fn flags(message: &Message) -> Vec<&'static str> {
    let metadata = &message.metadata;
    let set = [
        ("qr", metadata.message_type == hickory_proto::op::MessageType::Response),
        ("aa", metadata.authoritative),
        ("tc", metadata.truncation),
        ("rd", metadata.recursion_desired),
        ("ra", metadata.recursion_available),
        ("ad", metadata.authentic_data),
        ("cd", metadata.checking_disabled),
    ];
    set.into_iter().filter(|(_, set)| *set).map(|(name, _)| name).collect()
}
