//! How often the diagnosis is right: every lab knows its truth (its checks), the diagnosis does not.
//!
//! - [`cases`]: what is to be judged. [`judge`]: one of them, run. [`run`]: all of them, side by side.
//! - [`Outcome`]: how a verdict compares with the truth. [`Tally`]: many of them, counted.
//! - [`baseline`]: what one would know by other tools.
//! - [`mutilate`]: captures as they come in practice, with holes, cut, off other interfaces.
//! - [`passive`]: the same for a doctor who has nothing but the capture, with its secrets and without.

pub mod baseline;
pub mod mutilate;
pub mod passive;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use thru_probe::journey::budget::Budget;
use thru_trace::cost;
use thru_trace::frames::belongs;
use thru_trace::{Layer, Packet, Span, Status, Trace, Verdict};
use url::Url;

use crate::Scenario;
use crate::run::{RunError, request, version};
use crate::scenario::CheckKind;
use crate::scenario::service::Http;

/// One request whose truth is known.
#[derive(Clone, Debug)]
pub struct Case {
    /// The lab it runs in.
    pub lab: String,
    /// What is asked for.
    pub url: String,
    /// Seed of everything random.
    pub seed: u64,
    /// The causes that were injected, or the set that nobody at the client's place can split; empty: healthy.
    pub truth: BTreeSet<String>,
    /// The layer of the fault.
    pub layer: String,
    /// Of a second fault: the verdict has to mention one of these beside its causes.
    pub also: BTreeSet<String>,
    http: Option<Http>,
    at: Duration,
}

/// How a verdict compares with the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Exactly the cause, or exactly the set that can't be split; on a healthy way: healthy.
    Right,
    /// The truth is among the causes named, or stands in a set of which some were named.
    Near,
    /// It said that it can't tell.
    Abstained,
    /// A fault was there, and it said that all is well.
    Missed,
    /// Other causes than the true one, and sure of it.
    Wrong,
    /// All was well, and it named a fault.
    FalseAlarm,
}

impl Outcome {
    /// All of them, best first.
    pub const ALL: [Outcome; 6] = [
        Outcome::Right,
        Outcome::Near,
        Outcome::Abstained,
        Outcome::Missed,
        Outcome::Wrong,
        Outcome::FalseAlarm,
    ];

    /// The word used in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Outcome::Right => "right",
            Outcome::Near => "near",
            Outcome::Abstained => "abstained",
            Outcome::Missed => "missed",
            Outcome::Wrong => "wrong",
            Outcome::FalseAlarm => "false_alarm",
        }
    }
}

/// What became of one case.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The case.
    pub case: Case,
    /// How the verdict compares with the truth.
    pub outcome: Outcome,
    /// Whether the layer is right.
    pub layer_right: bool,
    /// What was said.
    pub verdict: Verdict,
    /// Whether the second fault is mentioned; `None`: there is none.
    pub mentioned: Option<bool>,
    /// Packets that the client sent and received beyond those of the request's own connections: what the diagnosis cost.
    pub packets: usize,
    /// Virtual time from the first step to the last.
    pub took: Duration,
    /// Of that, what the diagnosis took beyond the request itself and beyond the timeouts that the fault forces: the time
    /// in which neither a step of the request was under way, nor any step that waited in vain for an answer.
    pub beyond: Duration,
    /// What a doctor says who has only the capture and its secrets; `None`: a capture cannot tell this fault.
    pub passive: Option<passive::Opinion>,
    /// The same without the secrets.
    pub sealed: Option<passive::Opinion>,
}

/// The requests of these labs whose checks state causes, with each of the seeds. A built-in lab is another one with
/// each seed: see [`Scenario::varied`].
pub fn cases(labs: &[Scenario], seeds: RangeInclusive<u64>) -> Vec<Case> {
    let mut cases = Vec::new();
    for lab in labs {
        for seed in seeds.clone() {
            let varied = of_seed(lab, seed);
            for check in &varied.checks {
                let CheckKind::Url { url, http, causes: Some(causes), also, layer, .. } = &check.kind else {
                    continue;
                };
                cases.push(Case {
                    lab: lab.name.clone(),
                    url: url.clone(),
                    seed,
                    truth: causes.iter().cloned().collect(),
                    layer: layer.clone().unwrap_or_else(|| layer_of(causes)),
                    also: also.iter().cloned().collect(),
                    http: *http,
                    at: check.at,
                });
            }
        }
    }
    cases
}

/// The lab as this seed makes it; one that is not built in stays as it is.
fn of_seed(lab: &Scenario, seed: u64) -> Cow<'_, Scenario> {
    match Scenario::varied(&lab.name, seed).filter(|varied| varied.about == lab.about) {
        Some(varied) => Cow::Owned(varied),
        None => Cow::Borrowed(lab),
    }
}

fn layer_of(causes: &[String]) -> String {
    let layer = causes.first().and_then(|cause| thru_trace::fault::layer_of(cause)).unwrap_or(Layer::None);
    layer.to_string()
}

impl Judged {
    /// What is over the budget of a diagnosis, in words.
    pub fn over_budget(&self) -> Vec<String> {
        exceeds(self.packets, self.beyond)
    }
}

/// Runs one case. The diagnosis sees the trace, never the truth.
pub fn judge(scenario: &Scenario, case: &Case) -> Result<Judged, RunError> {
    let url = Url::parse(&case.url).map_err(|_| RunError::Url(case.url.clone()))?;
    let report = request(of_seed(scenario, case.seed).into_owned(), case.seed, url, case.at, {
        let http = case.http.map(version);
        move |options| options.http = http
    })?;
    let verdict = report.verdict;
    Ok(Judged {
        outcome: compare(&case.truth, &verdict),
        layer_right: verdict.layer.to_string() == case.layer,
        mentioned: (!case.also.is_empty()).then(|| {
            verdict.also.iter().flat_map(|also| &also.causes).any(|cause| case.also.contains(cause))
        }),
        packets: probing(&report.trace),
        took: span_of(&report.trace),
        beyond: Duration::from_nanos(cost::beyond(&report.trace.spans)),
        passive: passive::opinion(case, &report.trace, true),
        sealed: passive::opinion(case, &report.trace, false),
        verdict,
        case: case.clone(),
    })
}

/// Runs all cases on `threads` threads; the results come in the order of the cases, whoever ran them.
pub fn run(labs: &[Scenario], cases: &[Case], threads: usize) -> Vec<Result<Judged, RunError>> {
    run_each(labs, cases, threads, judge)
}

/// As [`run`], with anything that can be done with a case.
pub fn run_each<T: Send>(
    labs: &[Scenario],
    cases: &[Case],
    threads: usize,
    judge: impl Fn(&Scenario, &Case) -> T + Sync,
) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, T)>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, cases.len().max(1)) {
            scope.spawn(|| {
                while let Some((place, case)) = {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    cases.get(place).map(|case| (place, case))
                } {
                    let Some(lab) = labs.iter().find(|lab| lab.name == case.lab) else { continue };
                    let judged = judge(lab, case);
                    results.lock().unwrap_or_else(|poison| poison.into_inner()).push((place, judged));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(|poison| poison.into_inner());
    results.sort_by_key(|(place, _)| *place);
    results.into_iter().map(|(_, judged)| judged).collect()
}

/// How `verdict` compares with the causes that are true.
pub fn compare(truth: &BTreeSet<String>, verdict: &Verdict) -> Outcome {
    let named: BTreeSet<String> = verdict.causes.iter().cloned().collect();
    let healthy = verdict.status == Status::Healthy;
    match (truth.is_empty(), healthy) {
        (true, true) => Outcome::Right,
        (true, false) if named.is_empty() => Outcome::Abstained,
        (true, false) => Outcome::FalseAlarm,
        (false, true) => Outcome::Missed,
        (false, false) if named == *truth => Outcome::Right,
        (false, false) if !named.is_disjoint(truth) => Outcome::Near,
        (false, false) if verdict.status == Status::Undecided => Outcome::Abstained,
        (false, false) => Outcome::Wrong,
    }
}

/// What is over the budget of a diagnosis, in words; nothing: all is within it.
pub fn over_budget(trace: &Trace) -> Vec<String> {
    exceeds(probing(trace), Duration::from_nanos(cost::beyond(&trace.spans)))
}

fn exceeds(packets: usize, beyond: Duration) -> Vec<String> {
    let most = Budget::DIAGNOSIS;
    let mut complaints = Vec::new();
    if packets > most.packets as usize {
        complaints.push(format!("{packets} packets for the diagnosis; it may take {}", most.packets));
    }
    if beyond > most.time {
        complaints.push(format!(
            "{beyond:.1?} for the diagnosis beyond what the fault forces; it may take {:?}",
            most.time
        ));
    }
    complaints
}

/// How many packets belong to no connection of the request itself: lookups, pings, the way, controls.
fn probing(trace: &Trace) -> usize {
    let own: Vec<&Span> = trace
        .spans
        .iter()
        .filter(|span| {
            span.parent.is_none() && matches!(span.what.as_str(), "connect" | "connection" | "handshake")
        })
        .collect();
    let is_own = |packet: &Packet| own.iter().any(|span| belongs(trace, span, packet) == Some(true));
    trace.packets.iter().filter(|packet| !is_own(packet)).count()
}

fn span_of(trace: &Trace) -> Duration {
    let start = trace.spans.iter().map(|span| span.start).min().unwrap_or(0);
    Duration::from_nanos(trace.end().saturating_sub(start))
}

/// Outcomes, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    counts: [usize; Outcome::ALL.len()],
    layers_right: usize,
    packets: usize,
    took: Duration,
    beyond: Duration,
}

impl Tally {
    /// Counts one more.
    pub fn add(&mut self, judged: &Judged) {
        self.counts[judged.outcome as usize] += 1;
        self.layers_right += usize::from(judged.layer_right);
        self.packets = self.packets.max(judged.packets);
        self.took = self.took.max(judged.took);
        self.beyond = self.beyond.max(judged.beyond);
    }

    /// Counts the opinion of a doctor on the same capture.
    pub fn add_opinion(&mut self, judged: &Judged, opinion: &passive::Opinion) {
        self.add_only_opinion(opinion);
        self.packets = self.packets.max(judged.packets);
        self.took = self.took.max(judged.took);
        self.beyond = self.beyond.max(judged.beyond);
    }

    /// Counts an opinion on a capture that nobody diagnosed live.
    pub fn add_only_opinion(&mut self, opinion: &passive::Opinion) {
        self.counts[opinion.outcome as usize] += 1;
        self.layers_right += usize::from(opinion.layer_right);
    }

    /// How many ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.counts[outcome as usize]
    }

    /// How many there are.
    pub fn total(&self) -> usize {
        self.counts.iter().sum()
    }

    /// How many named the right layer.
    pub fn layers_right(&self) -> usize {
        self.layers_right
    }

    /// The most packets that one diagnosis took.
    pub fn most_packets(&self) -> usize {
        self.packets
    }

    /// The most that one diagnosis took beyond the request and the timeouts that its fault forces.
    pub fn most_beyond(&self) -> Duration {
        self.beyond
    }

    /// The longest time that one diagnosis took, in virtual time.
    pub fn longest(&self) -> Duration {
        self.took
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(status: Status, causes: &[&str]) -> Verdict {
        let mut verdict = thru_diagnose::diagnose(&Trace::default());
        verdict.status = status;
        verdict.causes = causes.iter().map(ToString::to_string).collect();
        verdict
    }

    fn truth(causes: &[&str]) -> BTreeSet<String> {
        causes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_verdict_is_held_against_the_truth() {
        let cases: [(&[&str], Status, &[&str], Outcome); 9] = [
            (&[], Status::Healthy, &[], Outcome::Right),
            (&[], Status::Degraded, &["IP19"], Outcome::FalseAlarm),
            (&[], Status::Undecided, &[], Outcome::Abstained),
            (&["IP19"], Status::Degraded, &["IP19"], Outcome::Right),
            (&["FW01", "IP05"], Status::Failed, &["IP05", "FW01"], Outcome::Right),
            (&["FW01", "IP05"], Status::Failed, &["IP05"], Outcome::Near),
            (&["IP19"], Status::Healthy, &[], Outcome::Missed),
            (&["IP19"], Status::Undecided, &[], Outcome::Abstained),
            (&["IP19"], Status::Failed, &["DNS01"], Outcome::Wrong),
        ];
        for (wanted, status, named, outcome) in cases {
            assert_eq!(compare(&truth(wanted), &verdict(status, named)), outcome, "{wanted:?} {named:?}");
        }
    }

    #[test]
    fn a_lab_whose_checks_state_causes_gives_cases() {
        let lab = Scenario::builtin("no-route").expect("it is built in");
        let cases = cases(std::slice::from_ref(&lab), 1..=2);
        assert_eq!(cases.iter().map(|case| case.seed).collect::<Vec<_>>(), [1, 2]);
        let judged = run(&[lab], &cases, 2);
        let mut tally = Tally::default();
        judged.iter().for_each(|judged| tally.add(judged.as_ref().expect("it runs")));
        assert_eq!((tally.total(), tally.count(Outcome::Right), tally.layers_right()), (2, 2, 2));
    }
}
