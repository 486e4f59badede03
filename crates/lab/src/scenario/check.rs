//! What must be true: `[[check]]`.

use std::time::Duration;

use super::service::Http;
use crate::link::Text;
use crate::source::Error;
use crate::units;

/// Something that must be true. Each check runs on a network of its own, started afresh.
#[derive(Clone, Debug)]
pub struct Check {
    /// What it is called in the list of results.
    pub name: String,
    /// Virtual time at which it begins.
    pub at: Duration,
    /// What is done and expected.
    pub kind: CheckKind,
    /// What was really done, where the client sees no more than its effect (`causes`), or an audit tells it (`findings`).
    pub injected: Vec<String>,
    /// Why it must be so; shown with the result.
    pub explain: Option<String>,
    /// Shown when it fails.
    pub hint: Option<String>,
}

/// What a check does and expects. What is `None` is not looked at.
#[derive(Clone, Debug)]
pub enum CheckKind {
    /// A whole request with its diagnosis.
    Url {
        /// What is asked for.
        url: String,
        /// HTTP version to use.
        http: Option<Http>,
        /// `healthy`, `degraded`, `failed` or `undecided`.
        verdict: Option<String>,
        /// The layer of the verdict.
        layer: Option<String>,
        /// The causes of the verdict, as a set.
        causes: Option<Vec<String>>,
        /// Of a second fault: what the verdict has to mention beside its causes, any of these.
        also: Vec<String>,
        /// Exit code of `thru`.
        exit: Option<u8>,
        /// HTTP status.
        status: Option<u16>,
        /// Bounds of the whole request's time.
        time: Option<Bounds>,
    },
    /// Pings from the client.
    Ping {
        /// Name, node or address.
        to: String,
        /// Bounds of the average round trip.
        rtt: Option<Bounds>,
        /// Whether an answer is expected at all.
        reached: bool,
    },
    /// An audit of a zone, as `thru dig --check` makes it.
    Audit {
        /// The zone, or a name in it.
        zone: String,
        /// The codes of its errors and warnings, as a set.
        findings: Vec<String>,
    },
    /// A DNS question to the client's resolver, or to a server.
    Dns {
        /// The name.
        name: String,
        /// The record type, and perhaps the class: `A`, `TXT CH`.
        rtype: String,
        /// Who is asked: a node, a name or an address; `None`: the client's resolver.
        server: Option<String>,
        /// The response code: `NOERROR`, `NXDOMAIN`...
        rcode: Option<String>,
        /// The addresses, as a set.
        answers: Option<Vec<String>>,
    },
}

/// A range of times; both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// No less than this.
    pub from: Duration,
    /// No more than this; `None`: no upper bound.
    pub to: Option<Duration>,
}

impl Bounds {
    /// Reads `30ms..40ms`, `..40ms`, `30ms..`, `< 40ms`, `> 30ms` or `40ms` (at most).
    pub(crate) fn parse(text: &Text<'_>) -> Result<Bounds, Error> {
        let whole = text.trimmed();
        let time = |part: Text<'_>| part.quantity(units::duration);
        let bounds = if let Some(at) = whole.text.find("..") {
            let (from, to) = (whole.part(0, at), whole.part(at + 2, whole.text.len()));
            Bounds {
                from: if from.text.is_empty() { Duration::ZERO } else { time(from)? },
                to: if to.text.is_empty() { None } else { Some(time(to)?) },
            }
        } else if whole.text.starts_with('>') {
            Bounds { from: time(whole.part(1, whole.text.len()))?, to: None }
        } else {
            let skip = usize::from(whole.text.starts_with('<'));
            Bounds { from: Duration::ZERO, to: Some(time(whole.part(skip, whole.text.len()))?) }
        };
        match bounds.to {
            Some(to) if to < bounds.from => {
                Err(whole.error(format!("`{}` is empty", whole.text), "write the smaller time first"))
            }
            _ => Ok(bounds),
        }
    }

    /// Whether `time` lies within.
    pub fn contain(&self, time: Duration) -> bool {
        time >= self.from && self.to.is_none_or(|to| time <= to)
    }

    /// As in the file.
    pub fn show(&self) -> String {
        let to = self.to.map(units::show_duration).unwrap_or_default();
        let from = if self.from.is_zero() { String::new() } else { units::show_duration(self.from) };
        format!("{from}..{to}")
    }
}
