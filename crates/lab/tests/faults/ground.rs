//! Which causes the built-in labs show, and how.

use std::collections::{BTreeMap, BTreeSet};

use thru_lab::scenario::CheckKind;
use thru_lab::{Scenario, builtin};

/// Causes that no lab shows, a reason on each line. A lab for one of them takes it out.
pub(crate) const WITHOUT_LAB: &str = include_str!("without-lab.txt");

/// Whether a cause stands in the list of those without a lab.
pub(crate) fn without(cause: &str) -> bool {
    WITHOUT_LAB.lines().any(|line| line.split(' ').next() == Some(cause))
}

/// What the labs show, by cause.
#[derive(Debug, Default)]
pub(crate) struct Labs {
    /// Truths that the diagnosis is held against: what a client can know.
    pub(crate) truths: BTreeMap<String, BTreeSet<BTreeSet<String>>>,
    /// What a client sees of causes that it cannot know; nothing: that all is well.
    pub(crate) effects: BTreeMap<String, BTreeSet<BTreeSet<String>>>,
    /// Causes that an audit of a zone, or a question to a name server, shows.
    pub(crate) asked: BTreeSet<String>,
    /// The labs of each cause.
    pub(crate) names: BTreeMap<String, Vec<String>>,
}

impl Labs {
    /// All that are built in.
    pub(crate) fn all() -> Labs {
        let mut labs = Labs::default();
        for lab in builtin::names().filter_map(Scenario::builtin) {
            for check in &lab.checks {
                let mut causes: BTreeSet<&String> = check.injected.iter().collect();
                match &check.kind {
                    CheckKind::Url { causes: Some(told), .. } => {
                        let truth: BTreeSet<String> = told.iter().cloned().collect();
                        for cause in told {
                            labs.truths.entry(cause.clone()).or_default().insert(truth.clone());
                        }
                        for cause in &check.injected {
                            labs.effects.entry(cause.clone()).or_default().insert(truth.clone());
                        }
                        causes.extend(told);
                    }
                    _ => labs.asked.extend(check.injected.iter().cloned()),
                }
                for cause in causes {
                    let names = labs.names.entry(cause.clone()).or_default();
                    if names.last() != Some(&lab.name) {
                        names.push(lab.name.clone());
                    }
                }
            }
        }
        labs
    }

    /// Whether a lab shows this cause, or its effect.
    pub(crate) fn shows(&self, cause: &str) -> bool {
        self.names.contains_key(cause)
    }
}
