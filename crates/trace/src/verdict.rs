//! Which layer, which causes, how sure, by what evidence. The JSON form is stable.
use serde::Serialize;
use crate::span::{Layer, SpanId};

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    pub layer: Layer,
    /// Ids of the fault catalogue; several: the set that could not be split; empty: healthy.
    pub causes: Vec<String>,
    /// 0..1.
    pub confidence: f64,
    pub evidence: Vec<Evidence>,
    pub next: Vec<Next>,
    /// One sentence for people, first thing they read.
    pub summary: String,
    /// `healthy`, `degraded` (it worked, but something is wrong) or `failed`; `undecided` if it can't tell.
    pub status: Status,
    /// What was considered and excluded, and by what.
    pub ruled_out: Vec<RuledOut>,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status { Healthy, Degraded, Failed, Undecided }
/// What is cited: a span (a probe) and the frames behind the statement.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence { pub says: String, pub probe: Option<SpanId>, pub frames: Vec<u64> }
/// A probe that would split the set, or an action and whose it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Next { Probe { what: String, splits: Vec<String> }, Action { who: Who, what: String } }
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Who { User, Network, Service }
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuledOut { pub cause: String, pub because: String }
