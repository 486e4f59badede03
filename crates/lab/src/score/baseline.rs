//! What one would know without us: the word that another tool has for a case, read as well as it can be read.
//!
//! A tool that says the same of seven faults leaves whoever reads it to guess. The best guess is the fault that is behind
//! the word most often, so that is what is counted as its answer: no reader of these words can do better on these cases.

use std::collections::{BTreeMap, BTreeSet};

use thru_trace::{Status, Trace, Verdict};
use url::Url;

use super::Case;
use crate::Scenario;
use crate::run::{RunError, request, version};

/// What a tool said of one case whose truth is known.
#[derive(Clone, Debug)]
pub struct Said {
    /// All that it said, as one word.
    pub word: String,
    /// The truth.
    pub truth: BTreeSet<String>,
    /// Its layer.
    pub layer: String,
}

impl Said {
    /// A tool's word for a case.
    pub fn of(case: &Case, word: String) -> Said {
        Said { word, truth: case.truth.clone(), layer: case.layer.clone() }
    }
}

/// How far the best reader of a tool's words comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// How many cases there are.
    pub total: usize,
    /// How many of which the word, read as well as can be, gives the cause or its exact set (or "healthy").
    pub causes: usize,
    /// The same for the layer.
    pub layers: usize,
    /// Faults of which it said what it says of a healthy case.
    pub missed: usize,
    /// Healthy cases of which it said something that it says of faults mostly.
    pub alarms: usize,
    /// How many different words it had.
    pub words: usize,
}

/// Reads a tool's words with the truths before one's eyes.
pub fn best_reading(said: &[Said]) -> Reading {
    let mut by_word: BTreeMap<&str, Vec<&Said>> = BTreeMap::new();
    for one in said {
        by_word.entry(&one.word).or_default().push(one);
    }
    let mut reading = Reading { total: said.len(), words: by_word.len(), ..Reading::default() };
    for cases in by_word.values() {
        let (causes, truth) = most(cases.iter().map(|one| &one.truth));
        let (layers, _) = most(cases.iter().map(|one| &one.layer));
        reading.causes += causes;
        reading.layers += layers;
        let healthy = cases.iter().filter(|one| one.truth.is_empty()).count();
        if truth.is_some_and(BTreeSet::is_empty) {
            reading.missed += cases.len() - healthy;
        } else {
            reading.alarms += healthy;
        }
    }
    reading
}

/// What stands there most often, and how often; of equals the first.
fn most<'a, T: Ord>(all: impl Iterator<Item = &'a T>) -> (usize, Option<&'a T>) {
    let mut counts: BTreeMap<&T, usize> = BTreeMap::new();
    for one in all {
        *counts.entry(one).or_default() += 1;
    }
    counts
        .into_iter()
        .rev()
        .max_by_key(|(_, count)| *count)
        .map_or((0, None), |(one, count)| (count, Some(one)))
}

/// curl's exit code for a case, as its verdict carries it: 0 for what worked, however badly.
pub fn curl(verdict: &Verdict) -> String {
    let code = match verdict.status {
        Status::Healthy | Status::Degraded => Some(0),
        _ => verdict.words.and_then(|words| words.curl),
    };
    code.map_or_else(|| "-".to_owned(), |code| code.to_string())
}

/// The packets of a case, for tools that read captures.
///
/// # Errors
/// If the lab cannot be run.
pub fn capture(scenario: &Scenario, case: &Case) -> Result<Trace, RunError> {
    let url = Url::parse(&case.url).map_err(|_| RunError::Url(case.url.clone()))?;
    let http = case.http.map(version);
    Ok(request(scenario.clone(), case.seed, url, case.at, move |options| options.http = http)?.trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(word: &str, truth: &[&str], layer: &str) -> Said {
        let truth = truth.iter().map(ToString::to_string).collect();
        Said { word: word.into(), truth, layer: layer.into() }
    }

    #[test]
    fn a_word_is_read_as_what_it_means_most_often() {
        let cases = [
            said("28", &["FW01"], "firewall"),
            said("28", &["IP09"], "ip"),
            said("28", &["APP05"], "ip"),
            said("0", &[], "none"),
            said("0", &[], "none"),
            said("0", &["IP19"], "ip"),
            said("60", &["TLS07"], "tls"),
            said("60", &["TLS07"], "tls"),
            said("60", &[], "none"),
        ];
        let reading = best_reading(&cases);
        let wanted =
            Reading { total: 9, causes: 1 + 2 + 2, layers: 2 + 2 + 2, missed: 1, alarms: 1, words: 3 };
        assert_eq!(reading, wanted);
    }
}
