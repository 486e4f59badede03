//! Causes that look alike: for each pair that the pages of `thru explain` name, there is a lab for both, and the truths of
//! those labs differ or are one set that holds both. That the diagnosis finds exactly these truths is what `labs.rs` shows.

use std::collections::{BTreeMap, BTreeSet};

use thru_lab::scenario::CheckKind;
use thru_lab::{Scenario, builtin};
use thru_trace::fault;
use thru_trace::fault::page;

/// Causes that a page names and no lab shows, a reason on each line. A lab for one of them takes it out.
const WITHOUT_LAB: &str = include_str!("without-lab.txt");

/// The truths of all built-in labs, by cause.
fn truths() -> BTreeMap<String, BTreeSet<BTreeSet<String>>> {
    let mut truths: BTreeMap<String, BTreeSet<BTreeSet<String>>> = BTreeMap::new();
    for lab in builtin::names().filter_map(Scenario::builtin) {
        for check in &lab.checks {
            let CheckKind::Url { causes: Some(causes), .. } = &check.kind else { continue };
            let truth: BTreeSet<String> = causes.iter().cloned().collect();
            for cause in causes {
                truths.entry(cause.clone()).or_default().insert(truth.clone());
            }
        }
    }
    truths
}

/// Pairs of causes that look alike, each once.
fn pairs() -> BTreeSet<(String, String)> {
    let mut pairs = BTreeSet::new();
    for one in fault::all() {
        let Some(page) = page(one.id) else { continue };
        let words = page.alike.split(|letter: char| !letter.is_ascii_alphanumeric());
        for other in words.filter(|word| *word != one.id && fault::by_id(word).is_some()) {
            let (one, other) = (one.id.to_owned(), other.to_owned());
            pairs.insert(if one < other { (one, other) } else { (other, one) });
        }
    }
    pairs
}

#[test]
fn every_pair_has_both_labs_and_is_told_apart_or_is_a_set() {
    let (truths, pairs) = (truths(), pairs());
    let without: BTreeSet<&str> =
        WITHOUT_LAB.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let (mut held, mut wrong) = (0, Vec::new());
    for (one, other) in &pairs {
        match (truths.get(one), truths.get(other)) {
            (Some(first), Some(second)) => {
                held += 1;
                let both = first.iter().any(|truth| truth.contains(other));
                // Two labs with the same truth that names only one of them would be two names of one thing.
                if !both && first.intersection(second).next().is_some() {
                    wrong.push(format!("{one} and {other} are not told apart"));
                }
            }
            _ => {
                for cause in [one, other] {
                    if !truths.contains_key(cause) && !without.contains(cause.as_str()) {
                        wrong.push(format!("{cause}, which looks like {one} or {other}, has no lab"));
                    }
                }
            }
        }
    }
    println!("{held} of {} pairs have both labs", pairs.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(held * 2 > pairs.len(), "most pairs have both labs: {held} of {}", pairs.len());
}

#[test]
fn the_list_of_causes_without_a_lab_is_true() {
    let truths = truths();
    for line in WITHOUT_LAB.lines() {
        let (cause, reason) = line.split_once(' ').expect("a cause and a reason");
        assert!(fault::by_id(cause).is_some(), "{cause} is no cause");
        assert!(!truths.contains_key(cause), "{cause} has a lab by now: take it out of the list");
        assert!(reason.len() > 10, "{cause}: why is there no lab?");
    }
}

#[test]
fn so_many_causes_have_labs() {
    let count = truths().len();
    assert!(count >= 155, "{count}");
}
