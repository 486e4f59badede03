//! From a [`Trace`] to a [`Verdict`]: which layer is at fault, and what proves it.
//!
//! A rule looks at one kind of evidence and casts a [`Vote`]: causes, how sure, what it saw, what that excludes, what
//! to do. Rules know nothing of each other. [`diagnose`] lets all of them vote, names the fault the request met
//! first, and mentions the others. Where the evidence fits several causes the answer is the set, with the probe
//! that would split it. Nothing here reads a clock, the network, or a packet's fate: what only the simulator can know
//! is no evidence.
//!
//! - [`diagnose`]: start here. [`RULES`](rules) lists the rules in the order a request meets the layers.
//! - `facts`: the trace as the rules see it.
//! - `thresholds`: every number a rule compares with, and why it is that number.
//! - `capture`, `witness`: what only packets show, of any layer. `host`: this machine itself. `link`: who answers for an
//!   address; `local`: no address to be had, loops. `bgp`: sessions of routers.
//! - `proxy`, `dns`, `ip`, `tcp`, `tls`, `http`, `quic`: requests that failed. `degraded`: requests that worked, but badly.
//! - `second`: the second look, by a table of what looks alike: no verdict is sure unless its lookalikes are ruled out.
//! - `several`: servers of several machines, some of which fail.
//! - `vantage`: what the same request showed from another place.
//! - [`recheck()`]: whether the frames a verdict cites exist and say what they are cited for.

mod bgp;
mod capture;
mod degraded;
mod dns;
mod facts;
mod host;
mod http;
mod ip;
mod link;
mod local;
mod proxy;
mod quic;
mod recheck;
mod second;
mod several;
mod tcp;
pub mod thresholds;
mod tls;
mod vantage;
mod vote;
mod witness;

pub use recheck::recheck;

use facts::Facts;
use std::cmp::Ordering;
use thru_trace::{Also, Layer, Status, Trace, Verdict, Words, fault, words};
use vote::{Severity, Vote};

/// One way of looking at the evidence.
type Rule = fn(&Facts<'_>) -> Vec<Vote>;

/// The rules in the order in which a request meets the layers: when several find something broken, the earliest is
/// what the user met.
fn rules() -> [Rule; 16] {
    [
        local::rule,
        bgp::rule,
        several::rule,
        // Whoever reads packets knows more than the steps alone tell, of any layer.
        capture::rule,
        witness::rule,
        host::rule,
        link::rule,
        proxy::rule,
        dns::rule,
        ip::rule,
        tcp::connect_rule,
        quic::rule,
        tls::rule,
        tcp::stall_rule,
        http::rule,
        degraded::rule,
    ]
}

/// Which layer is at fault, and what proves it.
pub fn diagnose(trace: &Trace) -> Verdict {
    let facts = Facts::new(trace);
    let mut verdict = judge(&facts);
    verdict.words = words_of(&facts, &verdict);
    verdict
}

/// What other tools say of the step that failed: the one the verdict stands on, else the last of the request's own.
fn words_of(facts: &Facts<'_>, verdict: &Verdict) -> Option<Words> {
    if !matches!(verdict.status, Status::Failed | Status::Undecided) {
        return None;
    }
    let cited = verdict.evidence.iter().filter_map(|evidence| facts.trace.span(evidence.probe?));
    let own = facts.own.iter().copied().rev();
    cited.filter(|span| !facts.trace.is_check(span)).chain(own).find_map(|span| match span.code() {
        Some(code) => words::of(code),
        // An answer that says no is an answer: the step itself went well.
        None => span.int("http.status").filter(|status| *status >= 400).and(words::of("http.status.")),
    })
}

fn judge(facts: &Facts<'_>) -> Verdict {
    let mut votes: Vec<(usize, Vote)> = Vec::new();
    for (stage, rule) in rules().iter().enumerate() {
        votes.extend(rule(facts).into_iter().map(|vote| (stage, vote)));
    }
    drop_consequences(&mut votes);
    vantage::narrow(facts, &mut votes);
    // Stable: rules list their own votes likeliest first.
    votes.sort_by(|(stage, vote), (other_stage, other)| {
        vote.severity
            .cmp(&other.severity)
            .then(match vote.severity {
                Severity::Broken => stage.cmp(other_stage),
                // What costs most is what the user feels.
                Severity::Disturbed => other.cost.cmp(&vote.cost),
            })
            .then(other.confidence.partial_cmp(&vote.confidence).unwrap_or(Ordering::Equal))
    });
    let mut votes = votes.into_iter().map(|(_, vote)| vote);
    let Some(first) = votes.next() else {
        return without_votes(facts);
    };
    let also = also(&first, votes);
    let first = redirect_told(facts, first);
    second::look(facts, first.into_verdict(also))
}

/// Takes out disturbances that another one explains: on a lossy way the first packet of a connection gets lost now and
/// then, and is no fault of its own. So does a set one of whose members another disturbance has shown to be the case.
fn drop_consequences(votes: &mut Vec<(usize, Vote)>) {
    let explained: Vec<Vec<&'static str>> = (0..votes.len())
        .map(|place| {
            let others = votes.iter().enumerate().filter(|(other, _)| *other != place);
            let is_set = votes[place].1.causes.len() > 1;
            others
                .flat_map(|(_, (_, vote))| {
                    let shown = is_set && vote.causes.len() == 1 && vote.severity == Severity::Disturbed;
                    // What this set itself explains shows nothing about it.
                    let own = &votes[place].1.explains;
                    let shown = vote.causes.iter().filter(move |cause| shown && !own.contains(cause));
                    vote.explains.iter().chain(shown).copied()
                })
                .collect()
        })
        .collect();
    let mut explained = explained.iter();
    votes.retain(|(_, vote)| {
        let explained = explained.next().map_or(&[][..], Vec::as_slice);
        // Of a set, one member that is explained will do: the others need not be true.
        vote.severity == Severity::Broken || !vote.causes.iter().any(|cause| explained.contains(cause))
    });
    // What broke the request is explained only by what is known better to have broken it.
    let known: Vec<&'static str> = votes
        .iter()
        .filter(|(_, vote)| vote.severity == Severity::Broken)
        .flat_map(|(_, vote)| vote.explains.clone())
        .collect();
    votes.retain(|(_, vote)| {
        vote.severity != Severity::Broken
            || !vote.explains.is_empty()
            || !vote.causes.iter().any(|cause| known.contains(cause))
    });
}

/// Who asked for one site and failed at another has to know which sent them there: the slip may be there.
fn redirect_told(facts: &Facts<'_>, mut vote: Vote) -> Vote {
    let Some((site, to, redirect)) = facts.sent_on().filter(|_| vote.severity == Severity::Broken) else {
        return vote;
    };
    vote.summary = format!("{site} sends its visitors on to {to}, and that fails. {}", vote.summary);
    vote.cite(redirect, format!("{site} answered: go on to {to}"))
        .service(format!("of {site}: check the address that it sends its visitors on to"))
}

/// The other findings, unless they are named already.
fn also(first: &Vote, others: impl Iterator<Item = Vote>) -> Vec<Also> {
    let mut also: Vec<Also> = Vec::new();
    for vote in others {
        let explained = vote.causes.iter().all(|cause| {
            first.causes.contains(cause)
                || also.iter().any(|other| other.causes.iter().any(|named| named == cause))
        });
        if !explained {
            also.push(Also {
                layer: vote.layer(),
                causes: vote.causes.iter().map(ToString::to_string).collect(),
                summary: in_addition(&vote.summary, first.severity),
            });
        }
    }
    also
}

/// A finding's sentence behind another that has said already whether the service works.
fn in_addition(summary: &str, first: Severity) -> String {
    if let Some((_, rest)) = summary.split_once(" works, but ") {
        let mut letters = rest.chars();
        letters.next().map_or_else(String::new, |initial| initial.to_uppercase().chain(letters).collect())
    } else if first == Severity::Broken {
        summary.replacen(" works over ", " is reached over ", 1)
    } else {
        summary.to_owned()
    }
}

/// Nothing was found wrong: either all is well, or what went wrong is not understood.
fn without_votes(facts: &Facts<'_>) -> Verdict {
    let mut verdict = Verdict {
        layer: Layer::None,
        causes: Vec::new(),
        confidence: 0.0,
        evidence: Vec::new(),
        next: Vec::new(),
        summary: String::new(),
        status: Status::Undecided,
        ruled_out: Vec::new(),
        also: Vec::new(),
        words: None,
    };
    if facts.trace.spans.is_empty() {
        verdict.summary = String::from("Nothing was tried, so there is nothing to judge.");
        return verdict;
    }
    if let Some(failed) = facts.unexplained_failure() {
        verdict.summary = format!("{} did not work, and what was seen does not tell why.", facts.subject());
        verdict.evidence.push(vote::cite(failed, facts::failure_text(failed)));
        return verdict;
    }
    verdict.status = Status::Healthy;
    if let Some(exchange) = facts.delivered() {
        verdict.confidence = thresholds::SURE_HEALTHY;
        verdict.summary = healthy_sentence(facts, exchange);
        verdict
            .evidence
            .push(vote::cite(exchange, format!("the whole answer arrived: {}", facts::answer(exchange))));
    } else {
        // Only a part was asked for, a name or a ping: that part is well.
        verdict.confidence = thresholds::SURE_PARTIAL;
        verdict.summary = String::from("Everything that was tried worked.");
    }
    verdict
}

fn healthy_sentence(facts: &Facts<'_>, exchange: &thru_trace::Span) -> String {
    let start = facts.own.iter().map(|span| span.start).min().unwrap_or(exchange.start);
    let took = facts::ms(exchange.end.saturating_sub(start));
    let version = exchange.text("http.version").unwrap_or("HTTP");
    format!(
        "{} is healthy: it answered over {version} in {took}, and no layer was in trouble.{}",
        facts.subject(),
        degraded::line::sentence(facts).unwrap_or_default()
    )
}

/// Every cause a rule can name is in the catalogue; the layer of a set is that of its likeliest member.
fn layer_of(causes: &[&'static str]) -> Layer {
    causes.first().and_then(|cause| fault::layer_of(cause)).unwrap_or(Layer::None)
}

#[cfg(test)]
mod tests;
