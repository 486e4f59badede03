//! Replay scripts of our own, and others' where they stand.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use thru_names::replay::{Outcome, run};

/// Outcomes of the scripts in a folder, by file name.
fn outcomes(folder: &Path) -> BTreeMap<String, Outcome> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("a file").path();
        if path.extension().is_some_and(|extension| extension == "rpl") {
            let text = String::from_utf8_lossy(&fs::read(&path).expect("it can be read")).into_owned();
            let name = path.file_name().expect("it has a name").to_string_lossy().into_owned();
            found.insert(name, run(&text));
        }
    }
    found
}

/// Scripts that are known to fail. The list may only shrink: one that passes has to leave it.
const FAILING: &str = include_str!("dns-replay/failing.txt");

#[test]
fn our_own_scripts_pass() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dns-replay");
    let outcomes = outcomes(&folder);
    assert!(outcomes.len() >= 60, "only {} scripts are there", outcomes.len());
    let known: Vec<&str> =
        FAILING.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    let mut wrong = Vec::new();
    for (name, outcome) in &outcomes {
        match (outcome, known.contains(&name.as_str())) {
            (Outcome::Pass, false) => {}
            (Outcome::Pass, true) => wrong.push(format!("{name} passes: take it off the list")),
            (_, true) => eprintln!("known to fail: {name}: {outcome:?}"),
            (_, false) => wrong.push(format!("{name}: {outcome:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_wrong_expectation_fails() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dns-replay");
    let text = fs::read_to_string(folder.join("answer-from-the-root-down.rpl")).expect("it is there");
    let at = text.rfind("192.0.2.80").expect("the answer's address");
    let wrong = format!("{}192.0.2.81{}", &text[..at], &text[at + 10..]);
    assert!(matches!(run(&wrong), Outcome::Fail(..)), "the address is another");
    let wrong = text.replace("QR RD RA NOERROR", "QR RD RA NXDOMAIN");
    assert!(matches!(run(&wrong), Outcome::Fail(..)), "the code is another");
}

/// With `THRU_DNS_REPLAY` naming a folder of scripts, those run, too, and the counts are told.
#[test]
fn others_scripts_where_they_stand() {
    let Some(folder) = std::env::var_os("THRU_DNS_REPLAY") else {
        eprintln!("not run: THRU_DNS_REPLAY names no folder of scripts");
        return;
    };
    let outcomes = outcomes(Path::new(&folder));
    let count = |wanted: fn(&Outcome) -> bool| outcomes.values().filter(|outcome| wanted(outcome)).count();
    let passed = count(|outcome| matches!(outcome, Outcome::Pass));
    let failed = count(|outcome| matches!(outcome, Outcome::Fail(..)));
    for (name, outcome) in outcomes.iter().filter(|(_, outcome)| !matches!(outcome, Outcome::Pass)) {
        eprintln!("{name}: {outcome:?}");
    }
    eprintln!("{passed} passed, {failed} failed, {} skipped", outcomes.len() - passed - failed);
    assert!(passed >= failed, "more scripts fail than pass");
}
