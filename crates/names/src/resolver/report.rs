//! Telling operators what is wrong with their zones (RFC 9567): a question whose name is the report.

use std::sync::Arc;

use hickory_proto::rr::{Name, RecordType};

use super::core::Core;
use super::jobs::{Budget, Key, Kind};
use super::message::Msg;
use crate::wire::Question;

/// The EDNS option in which an authority names the agent to report to.
pub(super) const CHANNEL: u16 = 18;

/// The agent in that option: one whole name and nothing else, and not the root (RFC 9567 section 6.1).
pub(super) fn agent(data: &[u8]) -> Option<Name> {
    let (name, end) = crate::wire::read_name(data, 0).ok()?;
    (end == data.len() && !name.is_root()).then_some(name)
}

/// The name of a report: `_er.TYPE.NAME.CODE._er.AGENT`; `None` if that would be too long.
fn report(question: &Question, code: u16, agent: &Name) -> Option<Name> {
    let (rtype, code) = (u16::from(question.rtype).to_string(), code.to_string());
    let before = [&b"_er"[..], rtype.as_bytes()];
    let after = [code.as_bytes(), &b"_er"[..]];
    let labels = before.into_iter().chain(question.name.iter()).chain(after).chain(agent.iter());
    Name::from_labels(labels).ok()
}

impl Core {
    /// Reports that an answer is bogus, if its zone wants to hear of that. Who was told lately is not told again: the
    /// answer to the report is in the cache.
    pub(super) fn report(&mut self, msg: &Msg) {
        let (Some(agent), Some((code, _))) = (&msg.agent, &msg.extended_error) else { return };
        // No reports about reports (RFC 9567 section 6.1.1).
        let about_report = msg.question.name.iter().any(|label| label == b"_er");
        if !self.config.report_errors || about_report || self.jobs.len() >= self.config.limits.tasks {
            return;
        }
        let Some(name) = report(&msg.question, *code, agent) else { return };
        let question = Question::new(name, RecordType::TXT);
        let key = Key { kind: Kind::Plain, question, rules: 0 };
        let known = self.cache.message(self.now, &key.question).is_some();
        let failed = self.cache.failure(self.now, &key.question).is_some();
        if !known && !failed && !self.by_key.contains_key(&key) {
            let budget = Arc::new(Budget::new(self.now + self.config.patience));
            self.begin(key, budget, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::{name_text, parse_name};

    #[test]
    fn an_agent_is_one_name() {
        let data = b"\x02an\x05agent\x00";
        assert_eq!(agent(data).map(|name| name_text(&name)), Some("an.agent.".into()));
        assert_eq!(agent(&[&data[..], &[0xff]].concat()), None, "something follows");
        assert_eq!(agent(&[0]), None, "the root");
        (0..data.len()).for_each(|end| assert_eq!(agent(&data[..end]), None, "cut at {end}"));
    }

    #[test]
    fn a_report_says_all_in_its_name() {
        let question = Question::new(parse_name("broken.test").expect("a name"), RecordType::A);
        let agent = parse_name("a01.agent-domain.example").expect("a name");
        let name = report(&question, 7, &agent).expect("not too long");
        assert_eq!(
            name_text(&name),
            "_er.1.broken.test.7._er.a01.agent-domain.example.",
            "RFC 9567 section 4.2"
        );
        let long = parse_name(&["x".repeat(60).as_str(); 4].join(".")).expect("a name");
        assert_eq!(report(&Question::new(long, RecordType::A), 7, &agent), None);
    }
}
