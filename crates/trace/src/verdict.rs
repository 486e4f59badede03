//! Which layer, which causes, how sure, by what evidence. The JSON form is stable.
use crate::span::{Layer, SpanId};
use crate::words::Words;
use serde::Serialize;

/// The answer: one layer, the causes that fit, and the proof.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// The layer at fault; [`Layer::None`] when nothing is.
    pub layer: Layer,
    /// Ids of the fault catalogue; several: the set that could not be split, likeliest first; empty: healthy.
    pub causes: Vec<String>,
    /// 0..1: how sure that the true cause is among `causes`.
    pub confidence: f64,
    /// What was seen, each with its probe and its frames.
    pub evidence: Vec<Evidence>,
    /// What to do next.
    pub next: Vec<Next>,
    /// One sentence for people, first thing they read.
    pub summary: String,
    /// `healthy`, `degraded` (it worked, but something is wrong) or `failed`; `undecided` if it can't tell.
    pub status: Status,
    /// What was considered and excluded, and by what.
    pub ruled_out: Vec<RuledOut>,
    /// Other things that are wrong, which this request met later or not at all.
    pub also: Vec<Also>,
    /// What other tools call what was seen; `None` when the request worked.
    pub words: Option<Words>,
}

/// How the request fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It worked and nothing is wrong.
    Healthy,
    /// It worked, but something is wrong.
    Degraded,
    /// It did not work, and the layer is known.
    Failed,
    /// It did not work, and what was seen fits several layers.
    Undecided,
}

impl Status {
    /// The word used in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Status::Healthy => "healthy",
            Status::Degraded => "degraded",
            Status::Failed => "failed",
            Status::Undecided => "undecided",
        }
    }

    /// The exit code of `thru`: 0 healthy, 1 fault found, 3 could not decide.
    pub const fn exit_code(self) -> u8 {
        match self {
            Status::Healthy => 0,
            Status::Degraded | Status::Failed => 1,
            Status::Undecided => 3,
        }
    }
}

/// What is cited: a span (a probe) and the frames behind the statement.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// The statement, for people.
    pub says: String,
    /// The span it was read from.
    pub probe: Option<SpanId>,
    /// Frames that show it, by number.
    pub frames: Vec<u64>,
}

/// A probe that would split the set, or an action and whose it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Next {
    /// Something to measure.
    Probe {
        /// What to run, and what its result would mean.
        what: String,
        /// The causes it would tell apart.
        splits: Vec<String>,
    },
    /// Something to do.
    Action {
        /// Whose job it is.
        who: Who,
        /// What to do.
        what: String,
    },
}

/// Whose job an action is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// The person at this machine.
    User,
    /// Whoever runs a network on the way, the provider for one.
    Network,
    /// Whoever runs the site or its names.
    Service,
}

/// A cause that was considered and does not fit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuledOut {
    /// Id in the fault catalogue.
    pub cause: String,
    /// What was seen that excludes it.
    pub because: String,
}

/// A second thing that is wrong.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Also {
    /// Its layer.
    pub layer: Layer,
    /// Its causes, as in [`Verdict::causes`].
    pub causes: Vec<String>,
    /// One sentence for people.
    pub summary: String,
}
