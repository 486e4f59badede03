//! What one rule found.

use crate::layer_of;
use thru_trace::{Also, Evidence, Layer, Next, RuledOut, Span, Status, Verdict, Who};

/// So many frames show a thing; more are counted in words.
const FRAMES_CITED: usize = 10;

/// Whether the request failed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// The request did not work.
    Broken,
    /// It worked, but something is wrong.
    Disturbed,
}

/// What one rule found: one cause, or the set it could not split, likeliest first.
#[derive(Clone, Debug)]
pub(crate) struct Vote {
    pub(crate) causes: Vec<&'static str>,
    pub(crate) severity: Severity,
    pub(crate) confidence: f64,
    pub(crate) summary: String,
    /// Nanoseconds it cost the user, to order disturbances.
    pub(crate) cost: u64,
    /// The evidence fits causes of several layers too evenly to name one.
    pub(crate) undecided: bool,
    /// Causes that would be found as a consequence of this one.
    pub(crate) explains: Vec<&'static str>,
    evidence: Vec<Evidence>,
    next: Vec<Next>,
    ruled_out: Vec<RuledOut>,
}

impl Vote {
    /// The request failed by one of `causes`.
    pub(crate) fn broken(causes: &[&'static str], confidence: f64, summary: impl Into<String>) -> Vote {
        Vote {
            causes: causes.to_vec(),
            severity: Severity::Broken,
            confidence,
            summary: summary.into(),
            cost: 0,
            undecided: false,
            explains: Vec::new(),
            evidence: Vec::new(),
            next: Vec::new(),
            ruled_out: Vec::new(),
        }
    }

    /// The request worked, but one of `causes` disturbed it.
    pub(crate) fn disturbed(causes: &[&'static str], confidence: f64, summary: impl Into<String>) -> Vote {
        Vote { severity: Severity::Disturbed, ..Vote::broken(causes, confidence, summary) }
    }

    /// The request worked all the same.
    pub(crate) fn only_disturbs(mut self) -> Vote {
        self.severity = Severity::Disturbed;
        self
    }

    pub(crate) fn layer(&self) -> Layer {
        layer_of(&self.causes)
    }

    pub(crate) fn undecided(mut self) -> Vote {
        self.undecided = true;
        self
    }

    pub(crate) fn cost(mut self, nanos: u64) -> Vote {
        self.cost = nanos;
        self
    }

    pub(crate) fn explains(mut self, causes: &[&'static str]) -> Vote {
        self.explains.extend(causes);
        self
    }

    /// A statement and the span it was read from, with its frames.
    pub(crate) fn cite(mut self, span: &Span, says: impl Into<String>) -> Vote {
        self.evidence.push(cite(span, says));
        self
    }

    /// A statement and the frames that show it, of whatever flow: the first few.
    pub(crate) fn cite_frames(mut self, frames: &[u64], says: impl Into<String>) -> Vote {
        let frames = frames[..frames.len().min(FRAMES_CITED)].to_vec();
        self.evidence.push(Evidence { says: says.into(), probe: None, frames });
        self
    }

    /// As [`Vote::cite`], if there is such a span.
    pub(crate) fn cite_if(self, span: Option<&Span>, says: impl Into<String>) -> Vote {
        match span {
            Some(span) => self.cite(span, says),
            None => self,
        }
    }

    pub(crate) fn rule_out(mut self, cause: &'static str, because: impl Into<String>) -> Vote {
        self.ruled_out.push(RuledOut { cause: cause.to_owned(), because: because.into() });
        self
    }

    fn action(mut self, who: Who, what: impl Into<String>) -> Vote {
        self.next.push(Next::Action { who, what: what.into() });
        self
    }

    pub(crate) fn user(self, what: impl Into<String>) -> Vote {
        self.action(Who::User, what)
    }

    pub(crate) fn network(self, what: impl Into<String>) -> Vote {
        self.action(Who::Network, what)
    }

    pub(crate) fn service(self, what: impl Into<String>) -> Vote {
        self.action(Who::Service, what)
    }

    pub(crate) fn probe(mut self, what: impl Into<String>, splits: &[&str]) -> Vote {
        self.next.push(Next::Probe {
            what: what.into(),
            splits: splits.iter().map(ToString::to_string).collect(),
        });
        self
    }

    pub(crate) fn into_verdict(self, also: Vec<Also>) -> Verdict {
        Verdict {
            layer: self.layer(),
            status: match (self.undecided, self.severity) {
                (true, _) => Status::Undecided,
                (false, Severity::Broken) => Status::Failed,
                (false, Severity::Disturbed) => Status::Degraded,
            },
            causes: self.causes.iter().map(ToString::to_string).collect(),
            confidence: self.confidence,
            evidence: self.evidence,
            next: self.next,
            summary: self.summary,
            ruled_out: self.ruled_out,
            words: None,
            also,
        }
    }
}

/// A statement, and the span and frames it was read from.
pub(crate) fn cite(span: &Span, says: impl Into<String>) -> Evidence {
    Evidence { says: says.into(), probe: Some(span.id), frames: span.frames.clone() }
}
