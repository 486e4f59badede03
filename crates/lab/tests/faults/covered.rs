//! `docs/faults.md`: every cause of the catalogue, and whether it is told, live and from a capture, and by which lab.
//!
//! `THRU_BLESS=1 cargo test -p thru-lab --test faults` writes it anew: it runs every lab, to see what a capture tells. Without
//! it, the page is compared with the labs, and the columns of captures are taken as they stand.

use std::collections::BTreeMap;
use std::fmt::Write;

use thru_lab::score::{self, Outcome, passive};
use thru_lab::{Scenario, builtin};
use thru_trace::fault::{self, Fault};

use crate::ground::{Labs, WITHOUT_LAB};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/faults.md");

/// What captures tell, by cause: with secrets, without.
type Captures = BTreeMap<String, (String, String)>;

/// How a cause is told by `thru URL`.
fn live(labs: &Labs, cause: &str) -> String {
    if let Some(truths) = labs.truths.get(cause) {
        if truths.iter().any(|truth| truth.len() == 1) {
            return String::from("told");
        }
        let smallest = truths.iter().min_by_key(|truth| truth.len()).expect("there is one");
        let others: Vec<&str> = smallest.iter().map(String::as_str).filter(|other| *other != cause).collect();
        return format!("set with {}", others.join(", "));
    }
    if labs.asked.contains(cause) {
        return String::from("told by `thru dig`");
    }
    match labs.effects.get(cause).and_then(|effects| effects.iter().min_by_key(|effect| effect.len())) {
        Some(effect) if effect.is_empty() => String::from("harmless to the client"),
        Some(effect) => {
            let seen: Vec<&str> = effect.iter().map(String::as_str).collect();
            format!("effect: {}", seen.join(", "))
        }
        None => String::from("-"),
    }
}

/// The outcome in a word; the best of several labs counts.
fn word(best: Option<Outcome>) -> String {
    String::from(match best {
        None => "-",
        Some(Outcome::Right) => "told",
        Some(Outcome::Near) => "nearly",
        Some(Outcome::Abstained) => "left open",
        Some(_) => "missed",
    })
}

/// Runs every lab once.
fn measured() -> Captures {
    let labs: Vec<Scenario> = builtin::names().filter_map(Scenario::builtin).collect();
    let cases = score::cases(&labs, 1..=1);
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let mut best: BTreeMap<String, [Option<Outcome>; 2]> = BTreeMap::new();
    for judged in score::run(&labs, &cases, threads) {
        let judged = judged.expect("every lab runs");
        for cause in &judged.case.truth {
            let best = best.entry(cause.clone()).or_default();
            for (place, opinion) in [&judged.passive, &judged.sealed].into_iter().enumerate() {
                let outcome = opinion.as_ref().map(|opinion| opinion.outcome);
                best[place] = [best[place], outcome].into_iter().flatten().min();
            }
        }
    }
    best.into_iter().map(|(cause, [with, without])| (cause, (word(with), word(without)))).collect()
}

/// The columns of captures as the page has them.
fn as_written(page: &str) -> Captures {
    page.lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.strip_prefix("| ")?.split(" | ").collect();
            let (with, without) = (*cells.get(3)?, *cells.get(4)?);
            Some((cells[0].to_owned(), (with.to_owned(), without.to_owned())))
        })
        .collect()
}

fn row(labs: &Labs, captures: &Captures, cause: &Fault) -> String {
    let reason = WITHOUT_LAB.lines().find_map(|line| line.strip_prefix(cause.id)?.strip_prefix(' '));
    let shown = match (labs.names.get(cause.id), reason) {
        (Some(names), _) => {
            let mut names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            if names.len() > 4 {
                let more = names.len() - 3;
                names.truncate(3);
                names.push(format!("{more} more"));
            }
            names.join(", ")
        }
        (None, reason) => format!("none: {}", reason.unwrap_or("nobody has written one")),
    };
    let nothing = (String::from("-"), String::from("-"));
    let (with, without) = captures.get(cause.id).unwrap_or(&nothing);
    format!("| {} | {} | {} | {with} | {without} | {shown} |", cause.id, cause.title, live(labs, cause.id))
}

fn page(captures: &Captures) -> String {
    let labs = Labs::all();
    let count = |is: &dyn Fn(&Fault) -> bool| fault::all().filter(|cause| is(cause)).count();
    let live_is = |start: &'static str| count(&|cause| live(&labs, cause.id).starts_with(start));
    let mut out = String::from("# The faults, and which of them are told\n\n");
    let _ = writeln!(
        out,
        "`thru explain CODE` tells of each; this page is written by a test (`THRU_BLESS=1 cargo test -p thru-lab --test faults`).\n\n\
         Of {} causes {} have a lab. Live (`thru URL`), {} are told by themselves and {} within a set that a client cannot split;\n\
         {} are told by an audit (`thru dig`); of {} a client meets only the effect, which is told by another name, or nothing at all.\n\
         The columns of captures say what `thru doctor` tells from the packets of these labs alone, with TLS secrets and without: `told`\n\
         (by itself or as the same set), `nearly` (a set too wide or too narrow), `left open`, `missed`; `-`: packets alone cannot tell it, or\n\
         no lab shows it.\n",
        fault::all().count(),
        count(&|cause| labs.shows(cause.id)),
        count(&|cause| live(&labs, cause.id) == "told"),
        live_is("set with"),
        live_is("told by `thru dig`"),
        live_is("effect:") + live_is("harmless"),
    );
    let mut layer = None;
    for cause in fault::all() {
        if layer != Some(cause.layer()) {
            layer = Some(cause.layer());
            let _ = writeln!(
                out,
                "\n## {}\n\n| code | cause | live | capture | sealed capture | labs |\n|---|---|---|---|---|---|",
                cause.layer().word()
            );
        }
        out.push_str(&row(&labs, captures, cause));
        out.push('\n');
    }
    out
}

#[test]
fn the_page_of_all_faults_is_as_the_labs_are() {
    let written = std::fs::read_to_string(PATH).unwrap_or_default();
    if std::env::var_os("THRU_BLESS").is_some() {
        std::fs::write(PATH, page(&measured())).expect("it can be written");
        return;
    }
    let expected = page(&as_written(&written));
    assert!(written == expected, "docs/faults.md is behind the labs: write it with THRU_BLESS=1");
}

/// What is scored from captures stands in the page's columns: a cause whose packets cannot tell it is not called told.
#[test]
fn what_a_capture_cannot_tell_is_not_called_told() {
    let written = as_written(&std::fs::read_to_string(PATH).expect("the page is there"));
    let labs: Vec<Scenario> = builtin::names().filter_map(Scenario::builtin).collect();
    let mut scored: BTreeMap<String, bool> = BTreeMap::new();
    for case in score::cases(&labs, 1..=1) {
        for cause in &case.truth {
            *scored.entry(cause.clone()).or_default() |= passive::truth(&case, true).is_some();
        }
    }
    for (cause, (with, _)) in written.iter().filter(|(cause, _)| scored.contains_key(*cause)) {
        assert!(scored[cause] || with == "-", "{cause}: {with}, and packets cannot tell it");
    }
}
