//! What clients get.

use std::net::IpAddr;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, Record, RecordType};
use thru_wire::Instant;

use super::exchange::code_of;
use super::jobs::{Job, Kind, Outcome};
use super::message::Msg;
use super::{Said, Step};
use crate::message::record_of;
use crate::rrset::{Security, seconds_left};
use crate::wire::RawRecord;

/// What a client gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The name asked for.
    pub name: Name,
    /// The type asked for.
    pub record_type: RecordType,
    /// NOERROR, NXDOMAIN, YXDOMAIN or SERVFAIL.
    pub code: ResponseCode,
    /// Aliases first, then the records at their end.
    pub records: Vec<Record>,
    /// The SOA of a negative answer.
    pub soa: Option<Record>,
    /// Code and text (RFC 8914) that explain a SERVFAIL, or belong to the answer.
    pub extended_error: Option<(u16, String)>,
    /// Whether nothing had to be asked.
    pub from_cache: bool,
    /// What validation said.
    pub security: Security,
    /// The answer in full, in sections.
    pub sections: Sections,
    /// When the resolution began.
    pub began: Instant,
    /// When it ended.
    pub ended: Instant,
    /// The questions asked, in order of asking, those about name servers' addresses included.
    pub steps: Vec<Step>,
    /// Steps beyond the bound that were not kept.
    pub steps_dropped: u32,
    /// Where somebody who watches stopped the resolution ([`super::Watch`]).
    pub stopped: Option<Box<super::Stopped>>,
    /// Whoever watches said that nobody need look at the answer.
    pub unwatched: bool,
}

impl Answer {
    /// The same question failed, with this extended error.
    pub fn denied(&self, code: u16, text: &str) -> Answer {
        let question = crate::wire::Question::new(self.name.clone(), self.record_type);
        failed(self.ended, &question, code, text)
    }
}

/// The answer's records in wire form, signatures included, and when each has to be forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sections {
    /// Answer section.
    pub answer: Vec<RawRecord>,
    /// Authority section.
    pub authority: Vec<RawRecord>,
    /// Additional section.
    pub additional: Vec<RawRecord>,
}

/// What an outcome means for a client.
pub(super) fn from_job(now: Instant, job: &Job, outcome: &Outcome, original: bool) -> Answer {
    let mut answer = match outcome {
        // Who checks by itself gets what does not validate, too (RFC 4035 section 3.2.2).
        Outcome::Done(msg) if matches!(job.key.kind, Kind::Plain | Kind::PlainFresh) => {
            unchecked(now, msg, original)
        }
        Outcome::Done(msg) => from_message(now, msg, original),
        Outcome::Failed(failure) => failed(now, &job.key.question, failure.code, &failure.text),
    };
    answer.began = job.began;
    answer.steps.clone_from(&job.steps);
    answer.steps.sort_by_key(|step| step.at);
    answer.steps_dropped = job.steps_dropped;
    answer.from_cache = job.steps.is_empty();
    answer.stopped.clone_from(&job.stopped);
    answer.unwatched = job.unwatched;
    answer
}

pub(super) fn failed(now: Instant, question: &crate::wire::Question, code: u16, text: &str) -> Answer {
    Answer {
        name: question.name.clone(),
        record_type: question.rtype,
        code: ResponseCode::ServFail,
        records: Vec::new(),
        soa: None,
        extended_error: Some((code, text.to_owned())),
        from_cache: true,
        security: Security::Unchecked,
        sections: Sections::default(),
        began: now,
        ended: now,
        steps: Vec::new(),
        steps_dropped: 0,
        stopped: None,
        unwatched: false,
    }
}

/// What a message means for a client; `original`: with the TTLs that its records came with.
pub(super) fn from_message(now: Instant, msg: &Msg, original: bool) -> Answer {
    let question = &msg.question;
    if msg.security == Security::Bogus {
        let (code, text) = msg.extended_error.clone().unwrap_or((6, String::new()));
        let mut answer = failed(now, question, code, &text);
        answer.security = Security::Bogus;
        return answer;
    }
    unchecked(now, msg, original)
}

/// The message as it is, whatever validation said.
fn unchecked(now: Instant, msg: &Msg, original: bool) -> Answer {
    let question = &msg.question;
    let left = |set: &super::message::Set| {
        if original { set.ttl } else { seconds_left(now, set.expires).min(set.ttl) }
    };
    let section = |sets: &[super::message::Set]| {
        sets.iter().flat_map(|set| set.records(&set.name, left(set), true)).collect::<Vec<_>>()
    };
    let sections = Sections {
        answer: section(&msg.answer),
        authority: section(&msg.authority),
        additional: section(&msg.additional),
    };
    let plain = |records: &[RawRecord]| {
        records
            .iter()
            .filter(|record| record.rtype != RecordType::RRSIG || question.rtype == RecordType::RRSIG)
            .filter_map(record_of)
            .collect::<Vec<_>>()
    };
    let soa = msg.soa().filter(|_| msg.is_negative());
    Answer {
        name: question.name.clone(),
        record_type: question.rtype,
        code: code_of(msg.rcode),
        records: plain(&sections.answer),
        soa: soa.and_then(|soa| plain(&soa.records(&soa.name, left(soa), false)).pop()),
        extended_error: msg.extended_error.clone(),
        from_cache: true,
        security: msg.security,
        sections,
        began: now,
        ended: now,
        steps: Vec::new(),
        steps_dropped: 0,
        stopped: None,
        unwatched: false,
    }
}

/// What went wrong with a server, as the text of an extended error.
pub(super) fn complaint(address: IpAddr, server: &str, question: &str, said: &Said) -> (u16, String) {
    let what = match said {
        Said::Code(code) => format!("answered {}", crate::text::rcode_text(*code)),
        Said::Silent => "did not answer".into(),
        Said::Lame(why) => format!("is lame: {why}"),
        Said::Unreachable(why) => format!("is unreachable: {why}"),
        Said::Malformed(why) => format!("sent an answer that {why}"),
        other => other.to_string(),
    };
    let code = match said {
        Said::Code(ResponseCode::Refused) | Said::Lame(_) | Said::Silent => 22,
        Said::Malformed(_) => 24,
        _ => 23,
    };
    (code, format!("{address} ({server}) {what} for {question}"))
}
