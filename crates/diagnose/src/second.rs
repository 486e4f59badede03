//! The second look: before a verdict is sure of itself, everything that looks like its causes has to be ruled out by
//! something that was really seen.
//!
//! Rules find causes; each knows its own evidence. What they cannot know is whether the observer saw enough: a capture may
//! lack packets, a direction, or the beginning. [`table::ROWS`] says, cause by cause, what looks alike and which
//! observation tells them apart. [`look`] goes through it: what was observed is named in the answer, and where it was not,
//! the lookalike joins the set, or the verdict is no longer sure.
//!
//! - `table`: the rows, to be held against the lists of lookalikes that `thru explain` shows.
//! - [`Seen`]: the observations.

mod table;

use thru_trace::{Next, RuledOut, Span, Status, Verdict};

use crate::facts::Facts;

/// Who is less sure than this abstains.
pub(crate) const SURE: f64 = 0.7;
/// How sure a verdict may be at most whose lookalikes are not ruled out.
const DOUBT: f64 = 0.6;
/// So many packets without any trouble show that a way loses hardly any.
const PASSED_MIN: i64 = 3;
/// A first question that came so long after the beginning of a capture was really the first: nobody asks again later
/// (a search for a neighbour takes three seconds, RFC 4861 10).
const BEGAN_LATER: u64 = 4_000_000_000;
/// Lookalikes that are named as ruled out here; the rules name their own.
const NAMED_MAX: usize = 3;

/// An observation that tells causes apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// What was acknowledged or answered was captured, and both directions were.
    All,
    /// Both directions were captured.
    BothWays,
    /// Packets were captured from their first to their last byte.
    WholePackets,
    /// Nothing else of the connection was lost.
    NothingElseLost,
    /// No packet arrived with a wrong sum.
    NothingDamaged,
    /// What every ICMP error is about.
    Errors,
    /// The request that was answered.
    Request,
    /// Addresses of both families were tried, or there are none of the other.
    OtherFamily,
    /// The question that was answered was the first.
    FirstQuestion,
    /// Packets were written in the order in which they came.
    InOrder,
}

/// What becomes of a verdict whose lookalike is not ruled out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Otherwise {
    /// The set has one more member.
    Join,
    /// It is not sure.
    Doubt,
}

/// These causes look like those, unless this was seen.
#[derive(Clone, Copy, Debug)]
struct Row {
    causes: &'static [&'static str],
    like: &'static [&'static str],
    unless: Seen,
    otherwise: Otherwise,
}

impl Seen {
    fn holds(self, facts: &Facts<'_>) -> bool {
        let capture = facts.trace.all("capture").next();
        let lacks = |key: &str| capture.is_some_and(|span| span.bool(key) == Some(true));
        match self {
            Seen::All => {
                let whole = |span: &Span| span.int("tcp.uncaptured").unwrap_or(0) == 0;
                !lacks("capture.lacks") && !lacks("capture.one_way") && facts.steps("connection").all(whole)
            }
            Seen::BothWays => !lacks("capture.one_way"),
            Seen::WholePackets => !lacks("capture.cut"),
            Seen::InOrder => !lacks("capture.disordered"),
            Seen::Errors => !lacks("capture.errors_unread"),
            Seen::NothingElseLost => nothing_else_lost(facts),
            Seen::NothingDamaged => !facts
                .steps("connection")
                .any(|span| span.list("arrivals.damaged").is_some_and(|frames| !frames.is_empty())),
            Seen::Request => {
                let answered =
                    facts.steps("exchange").filter(|span| span.int("http.status").is_some()).last();
                answered.is_none_or(|span| span.text("http.method").is_some())
            }
            Seen::OtherFamily => both_families(facts),
            Seen::FirstQuestion => {
                // Whoever looked the name up before had not asked before that.
                capture.is_none_or(|capture| capture.bool("capture.begins_within") != Some(true))
                    || facts.steps("resolve").next().is_some()
                    || facts.connects().all(|span| span.start >= BEGAN_LATER)
            }
        }
    }

    fn says(self) -> &'static str {
        match self {
            Seen::All => "the capture lacks nothing: whatever was acknowledged is there",
            Seen::BothWays => "both directions were captured, so what did not come back was not sent",
            Seen::WholePackets => "the packets were captured from their first to their last byte",
            Seen::Errors => "no router and no host says so in an error that could not be read",
            Seen::InOrder => "the capture has its packets in order",
            Seen::NothingElseLost => "of all other packets of the connection none was lost",
            Seen::NothingDamaged => "no packet arrived with a wrong checksum",
            Seen::Request => "the request was captured, and it went to the server itself",
            Seen::OtherFamily => "addresses of both families were tried, or there are none of the other",
            Seen::FirstQuestion => "the first question was captured, so the time to its answer is known",
        }
    }

    /// What to do to see it.
    fn wanted(self) -> &'static str {
        match self {
            Seen::All | Seen::InOrder => {
                "capture once more with a larger buffer (tcpdump -B 16384), so that no packet is missing"
            }
            Seen::BothWays => "capture once more at a place that both directions pass",
            Seen::WholePackets | Seen::Errors => "capture once more with whole packets (tcpdump -s 0)",
            Seen::NothingElseLost | Seen::NothingDamaged => {
                "send a hundred pings: lost ones mean that the way loses packets all the time"
            }
            Seen::Request | Seen::FirstQuestion => "capture once more, and begin before the request is made",
            Seen::OtherFamily => "try the other IP version by itself (the switches -4 and -6)",
        }
    }

    /// Whether it is about how the capture was made: then it is worth words only where something was doubtful.
    fn is_of_the_capture(self) -> bool {
        matches!(self, Seen::All | Seen::BothWays | Seen::WholePackets | Seen::InOrder | Seen::Errors)
    }
}

fn nothing_else_lost(facts: &Facts<'_>) -> bool {
    let count = |span: &Span, key: &str| span.int(key).unwrap_or(0);
    let troubled = |span: &Span| count(span, "tcp.lost") > 0 || count(span, "tcp.retransmissions") > 0;
    let passed: i64 = facts.steps("connection").map(|span| count(span, "tcp.segments_received")).sum();
    // Only who reads packets knows; a live probe has its pings.
    !is_capture(facts) || (passed >= PASSED_MIN && !facts.steps("connection").any(troubled))
}

fn both_families(facts: &Facts<'_>) -> bool {
    let known: Vec<bool> = facts
        .steps("resolve")
        .filter_map(|span| span.list("dns.addresses"))
        .flatten()
        .filter_map(|value| match value {
            thru_trace::Value::Address(address) => Some(address.is_ipv6()),
            _ => None,
        })
        .collect();
    let tried = |v6: bool| {
        facts
            .steps("connect")
            .any(|span| span.address("tcp.remote").is_some_and(|address| address.is_ipv6() == v6))
    };
    // Who was not seen looking the name up has perhaps another family to try; few connect to IPv6 addresses as such.
    let unknown = known.is_empty() && tried(true) && !tried(false);
    !unknown && [true, false].into_iter().all(|v6| !known.contains(&v6) || tried(v6))
}

/// Whether the trace was read from packets by somebody who was not there.
fn is_capture(facts: &Facts<'_>) -> bool {
    facts.trace.spans.iter().any(|span| span.what == "capture" || span.value("tcp.uncaptured").is_some())
}

/// Holds a verdict against all that looks like it.
pub(crate) fn look(facts: &Facts<'_>, mut verdict: Verdict) -> Verdict {
    if verdict.causes.is_empty() || verdict.confidence < SURE || !is_capture(facts) {
        return verdict;
    }
    let mut named = 0;
    for row in table::ROWS {
        let concerned = verdict.causes.iter().any(|cause| row.causes.contains(&cause.as_str()));
        let open: Vec<&str> = row
            .like
            .iter()
            .copied()
            .filter(|like| {
                !verdict.causes.iter().any(|cause| cause == like)
                    && !verdict.ruled_out.iter().any(|ruled| ruled.cause == *like)
            })
            .collect();
        // What the rules themselves have ruled out stands, unless the observer saw too little to rule anything out.
        if !concerned || (open.is_empty() && !row.unless.is_of_the_capture()) {
            continue;
        }
        if row.unless.holds(facts) {
            let doubtful = !row.unless.is_of_the_capture() || facts.trace.all("capture").next().is_some();
            for like in open.into_iter().filter(|_| doubtful) {
                if named < NAMED_MAX {
                    let because = row.unless.says().to_owned();
                    verdict.ruled_out.push(RuledOut { cause: like.to_owned(), because });
                    named += 1;
                }
            }
            continue;
        }
        let splits = verdict.causes.iter().cloned().chain(open.iter().map(ToString::to_string)).collect();
        let probe = Next::Probe { what: row.unless.wanted().to_owned(), splits };
        if !verdict.next.contains(&probe) {
            verdict.next.insert(0, probe);
        }
        match row.otherwise {
            Otherwise::Join => verdict.causes.extend(open.iter().map(ToString::to_string)),
            Otherwise::Doubt => {
                verdict.confidence = verdict.confidence.min(DOUBT);
                verdict.status = Status::Undecided;
                verdict.ruled_out.retain(|ruled| !row.like.contains(&ruled.cause.as_str()));
            }
        }
    }
    verdict
}

#[cfg(test)]
mod tests;
