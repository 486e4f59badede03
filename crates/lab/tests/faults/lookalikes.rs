//! Causes that look alike: each pair of `pairs.txt`, and each that the pages of `thru explain` name, has a lab for both sides,
//! or one side stands in `without-lab.txt` with the reason. Where both have labs, their truths differ or are one set that
//! holds both. That the diagnosis finds exactly these truths is what `labs.rs` shows.

use std::collections::BTreeSet;

use thru_trace::fault;
use thru_trace::fault::page;

use crate::ground::{self, Labs, WITHOUT_LAB};

/// Pairs of causes that look alike, as people who look for faults have noted them, each once.
const PAIRS: &str = include_str!("pairs.txt");

fn pair(one: &str, other: &str) -> (String, String) {
    let (one, other) = (one.to_owned(), other.to_owned());
    if one < other { (one, other) } else { (other, one) }
}

/// The pairs of the list.
fn listed() -> BTreeSet<(String, String)> {
    PAIRS.lines().filter_map(|line| line.split_once(' ')).map(|(one, other)| pair(one, other)).collect()
}

/// The pairs that pages name.
fn of_pages() -> BTreeSet<(String, String)> {
    let mut pairs = BTreeSet::new();
    for one in fault::all() {
        let Some(page) = page(one.id) else { continue };
        let words = page.alike.split(|letter: char| !letter.is_ascii_alphanumeric());
        for other in words.filter(|word| *word != one.id && fault::by_id(word).is_some()) {
            pairs.insert(pair(one.id, other));
        }
    }
    pairs
}

/// What is wrong with the labs of these pairs, and of how many both sides have one.
fn looked_at(pairs: &BTreeSet<(String, String)>) -> (usize, Vec<String>) {
    let labs = Labs::all();
    let (mut held, mut wrong) = (0, Vec::new());
    for (one, other) in pairs {
        for cause in [one, other] {
            if fault::by_id(cause).is_none() {
                wrong.push(format!("{cause} is no cause"));
            } else if !labs.shows(cause) && !ground::without(cause) {
                wrong.push(format!("{cause}, which looks like {one} or {other}, has no lab"));
            }
        }
        held += usize::from(labs.shows(one) && labs.shows(other));
        let (Some(first), Some(second)) = (labs.truths.get(one), labs.truths.get(other)) else { continue };
        let both = first.iter().any(|truth| truth.contains(other));
        // Two labs with the same truth that names only one of them would be two names of one thing.
        if !both && first.intersection(second).next().is_some() {
            wrong.push(format!("{one} and {other} are not told apart"));
        }
    }
    (held, wrong)
}

#[test]
fn every_pair_of_the_list_has_both_labs_or_a_reason() {
    let pairs = listed();
    let (held, wrong) = looked_at(&pairs);
    println!("{held} of {} pairs of the list have both labs", pairs.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(pairs.len() >= 156 && held >= 119, "{held} of {}", pairs.len());
}

#[test]
fn every_pair_of_the_pages_has_both_labs_or_a_reason() {
    let pairs = of_pages();
    let (held, wrong) = looked_at(&pairs);
    println!("{held} of {} pairs of the pages have both labs", pairs.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(held * 10 > pairs.len() * 7, "most pairs have both labs: {held} of {}", pairs.len());
}

#[test]
fn the_list_of_causes_without_a_lab_is_true_and_whole() {
    let labs = Labs::all();
    for line in WITHOUT_LAB.lines() {
        let (cause, reason) = line.split_once(' ').expect("a cause and a reason");
        assert!(fault::by_id(cause).is_some(), "{cause} is no cause");
        assert!(!labs.shows(cause), "{cause} has a lab by now: take it out of the list");
        assert!(reason.len() > 10, "{cause}: why is there no lab?");
    }
    for cause in fault::all() {
        assert!(labs.shows(cause.id) || ground::without(cause.id), "{}: no lab, and no reason", cause.id);
    }
}

#[test]
fn so_many_causes_have_labs() {
    let labs = Labs::all();
    let count = fault::all().filter(|cause| labs.shows(cause.id)).count();
    assert!(count >= 204, "{count}");
}
