//! The questions a diagnosis asks to split what looks alike: is it the resolver, the name's own servers, or its
//! signatures? Each is one `control` span; its failure codes are those of a query.

use std::net::SocketAddr;
use std::sync::Arc;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RecordType};
use thru_names::resolver::{Answer, ResolverConfig, Said};
use thru_names::rrset::Security;
use thru_names::text::{extended_error_text, name_text, rcode_text, type_text};
use thru_trace::{Layer, SpanId};

use super::iterate::{describe, resolve_once, step_code, step_failure};
use super::stub::{self, Heard, Patience, Question};
use crate::Recorder;

/// How a control ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Control {
    /// The `control` span.
    pub span: SpanId,
    /// The failure code; `None` if there were records.
    pub code: Option<&'static str>,
}

/// A question asked in another way than the request's own lookup asked it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// `other_resolver`: do these resolvers, which were not asked before, answer?
    OtherResolver,
    /// `checking_disabled`: do the same resolvers answer when asked not to validate (CD, RFC 4035 section 3.2.2)?
    CheckingDisabled,
    /// `over_tcp`: do the same resolvers answer over TCP (RFC 7766), where UDP may be filtered?
    OverTcp,
    /// `without_edns`: do the same resolvers answer over UDP when asked as before RFC 6891, with at most 512 bytes? A cut
    /// answer (`dns.truncated`) is one, and is not asked for again over TCP.
    WithoutEdns,
}

impl Way {
    /// All of them.
    pub const ALL: [Way; 4] = [Way::OtherResolver, Way::CheckingDisabled, Way::OverTcp, Way::WithoutEdns];

    /// The `control.kind`.
    pub const fn kind(self) -> &'static str {
        match self {
            Way::OtherResolver => "other_resolver",
            Way::CheckingDisabled => "checking_disabled",
            Way::OverTcp => "over_tcp",
            Way::WithoutEdns => "without_edns",
        }
    }

    /// The question, and how long an answer is waited for.
    fn ask_for(self, name: &Name, record_type: RecordType, patience: Patience) -> (Question, Patience) {
        let mut question = Question::plain(name.clone(), record_type);
        let once = Patience { tries: 1, ..patience };
        match self {
            Way::OtherResolver => return (question, patience),
            Way::CheckingDisabled => {
                question.checking_disabled = true;
                return (question, patience);
            }
            Way::OverTcp => question.tcp = true,
            Way::WithoutEdns => (question.edns, question.keep_cut) = (false, true),
        }
        (question, once)
    }
}

/// Asks `resolvers` for `name` in another way.
pub async fn control(
    recorder: &Recorder,
    parent: Option<SpanId>,
    way: Way,
    name: &Name,
    record_type: RecordType,
    resolvers: &[SocketAddr],
    patience: Patience,
) -> Control {
    let (question, patience) = way.ask_for(name, record_type, patience);
    let span = open(recorder, parent, way.kind(), &question.name, question.record_type);
    match stub::ask(recorder, span, resolvers, &question, patience).await {
        Ok(reply) => {
            note_server(recorder, span, &reply.heard);
            recorder.set(span, "dns.rcode", rcode_text(reply.heard.message.metadata.response_code));
            recorder.ok(span);
            Control { span, code: None }
        }
        Err(trouble) => {
            if let Some(heard) = &trouble.heard {
                note_server(recorder, span, heard);
                recorder.set(span, "dns.rcode", rcode_text(heard.message.metadata.response_code));
            }
            recorder.fail(span, trouble.code, trouble.text);
            Control { span, code: Some(trouble.code) }
        }
    }
}

/// `iterate`: what do we hear when we ask from the root down ourselves? Children are the questions (`dns.query`);
/// `dns.authority` is the last server that was asked as an authority of the name's zone, `dns.authority_rcode` what it
/// answered, if it did. `dns.security` is what our own validation said, and `dns.ede` why, if it found something wrong.
pub async fn control_iterate(
    recorder: &Recorder,
    parent: Option<SpanId>,
    name: &Name,
    record_type: RecordType,
    config: ResolverConfig,
) -> (Control, Arc<Answer>) {
    let span = open(recorder, parent, "iterate", name, record_type);
    let answer = resolve_once(recorder.network(), config, name, record_type).await;
    record_questions(recorder, span, &answer);
    if let Some(last) = answer.steps.iter().rev().find(|step| !matches!(step.said, Said::Referral(_))) {
        recorder.set(span, "dns.authority", last.server.ip());
        recorder.set(span, "dns.authority_zone", name_text(&last.zone));
        if let Some(code) = step_code(last) {
            recorder.set(span, "dns.authority_rcode", rcode_text(code));
        }
    }
    recorder.set(span, "dns.security", security_word(answer.security));
    if let (Security::Bogus, Some((code, text))) = (answer.security, &answer.extended_error) {
        recorder.set(span, "dns.ede", format!("{code} {}: {text}", extended_error_text(*code)));
    }
    let code = failure(&answer);
    match code {
        None => recorder.ok(span),
        Some(code) => recorder.fail(span, code, in_words(&answer)),
    }
    (Control { span, code }, answer)
}

/// Writes the questions of a resolution as `dns.query` spans below `span`.
pub fn record_questions(recorder: &Recorder, span: SpanId, answer: &Answer) {
    for step in &answer.steps {
        let name = name_text(&step.name);
        let name = name.trim_end_matches('.');
        let label = format!("{name} {} @ {}", type_text(step.record_type), step.server.ip());
        let child = recorder.open_at(Some(span), Layer::Dns, "dns.query", label, step.at);
        describe(recorder, child, step);
    }
}

/// The failure code of a resolution of our own.
fn failure(answer: &Answer) -> Option<&'static str> {
    match answer.code {
        ResponseCode::NoError
            if answer.records.iter().any(|record| record.record_type() == answer.record_type) =>
        {
            None
        }
        ResponseCode::NoError => Some("dns.no_data"),
        ResponseCode::NXDomain => Some("dns.nxdomain"),
        _ => Some(answer.steps.iter().rev().find_map(step_failure).unwrap_or("dns.servfail")),
    }
}

/// What our own validation said.
fn security_word(security: Security) -> &'static str {
    match security {
        Security::Unchecked | Security::Indeterminate => "unchecked",
        Security::Bogus => "bogus",
        Security::Insecure => "insecure",
        Security::Secure => "secure",
    }
}

fn in_words(answer: &Answer) -> String {
    let name = name_text(&answer.name);
    match (&answer.extended_error, answer.code) {
        (Some((_, text)), _) => text.clone(),
        (None, ResponseCode::NXDomain) => format!("its own servers say that {name} does not exist"),
        (None, _) => format!("its own servers have no {} record for {name}", type_text(answer.record_type)),
    }
}

fn note_server(recorder: &Recorder, span: SpanId, heard: &Heard) {
    recorder.set(span, "dns.server", heard.server.to_string());
    recorder.set(span, "dns.transport", if heard.over_tcp { "tcp" } else { "udp" });
}

fn open(
    recorder: &Recorder,
    parent: Option<SpanId>,
    kind: &str,
    name: &Name,
    record_type: RecordType,
) -> SpanId {
    let name = name_text(name);
    let label = format!("{} {}", name.trim_end_matches('.'), type_text(record_type));
    let span = recorder.open(parent, Layer::Dns, "control", label);
    recorder.set(span, "control.kind", kind);
    recorder.set(span, "dns.name", name);
    recorder.set(span, "dns.type", type_text(record_type));
    span
}
