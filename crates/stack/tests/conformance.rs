//! `conformance/*.toml` says of each MUST of nine RFCs whether it is met, why not, and which test shows it. This keeps the
//! list in step with the code: every test it names exists, every number has its entry, and no gap is without a reason.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The RFCs whose MUSTs are listed.
const RFCS: [u64; 9] = [1122, 2018, 5681, 5961, 6298, 7323, 8985, 9293, 9438];
/// RFC 9293 numbers its own, from MUST-1 to this.
const NUMBERED: u64 = 69;

struct Must {
    rfc: u64,
    id: String,
    met: String,
    reason: Option<String>,
    tests: Vec<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn listed() -> Vec<Must> {
    let mut all = Vec::new();
    for rfc in RFCS {
        let file = root().join(format!("conformance/rfc{rfc}.toml"));
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let keys: Vec<_> = table.keys().map(String::as_str).collect();
        assert_eq!(keys, ["must", "rfc"], "{}", file.display());
        assert_eq!(table["rfc"].as_integer(), Some(rfc as i64), "{}", file.display());
        for entry in table["must"].as_array().expect("a list of MUSTs") {
            let entry = entry.as_table().expect("a table");
            let word = |key: &str| entry.get(key).and_then(|value| value.as_str()).map(str::to_owned);
            let id = word("id").unwrap_or_else(|| panic!("an id in {}: {entry}", file.display()));
            for key in entry.keys() {
                assert!(
                    ["id", "what", "met", "reason", "tests"].contains(&key.as_str()),
                    "RFC {rfc} {id}: {key}"
                );
            }
            assert!(word("what").is_some_and(|what| !what.is_empty()), "RFC {rfc} {id}: what is asked for?");
            let tests = entry.get("tests").and_then(|tests| tests.as_array());
            let tests =
                tests.into_iter().flatten().filter_map(|test| test.as_str()).map(str::to_owned).collect();
            let met = word("met").unwrap_or_else(|| panic!("RFC {rfc} {id}: is it met?"));
            all.push(Must { rfc, id, met, reason: word("reason"), tests });
        }
    }
    all
}

/// `stack:tcp/tests/rfc5961::name` is the test `name` in `crates/stack/src/tcp/tests/rfc5961.rs`.
fn exists(test: &str) -> Result<(), String> {
    let (place, name) = test.rsplit_once("::").ok_or("no name")?;
    let (krate, path) = place.split_once(':').ok_or("no crate")?;
    let file = root().join(format!("../{krate}/src/{path}.rs"));
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let at = lines.iter().position(|line| line.starts_with(&format!("fn {name}(")));
    let at = at.ok_or_else(|| format!("no fn {name} in {}", file.display()))?;
    // Above it, among its comments and attributes, or, for a property, with arguments drawn by proptest.
    let is_test = lines[..at].iter().rev().take(6).any(|line| *line == "#[test]");
    if is_test { Ok(()) } else { Err(format!("{name} is no test")) }
}

#[test]
fn every_test_named_exists() {
    let wrong: Vec<String> = listed()
        .iter()
        .flat_map(|must| must.tests.iter().map(move |test| (must, test)))
        .filter_map(|(must, test)| {
            Some(format!("RFC {} {}: {test}: {}", must.rfc, must.id, exists(test).err()?))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_met_is_shown_and_what_is_not_has_a_reason() {
    for must in listed() {
        let Must { rfc, id, met, reason, tests } = &must;
        match met.as_str() {
            "yes" => assert!(!tests.is_empty(), "RFC {rfc} {id}: which test shows it?"),
            "partly" => assert!(
                !tests.is_empty() && reason.is_some(),
                "RFC {rfc} {id}: what shows it, what is missing?"
            ),
            "no" => {
                assert!(reason.as_ref().is_some_and(|reason| !reason.is_empty()), "RFC {rfc} {id}: why not?")
            }
            other => panic!("RFC {rfc} {id}: met is yes, partly or no, not {other}"),
        }
    }
}

#[test]
fn nothing_is_listed_twice_or_left_out() {
    let all = listed();
    let ids: BTreeSet<(u64, &str)> = all.iter().map(|must| (must.rfc, must.id.as_str())).collect();
    assert_eq!(ids.len(), all.len(), "an id twice");
    let numbered: BTreeSet<&str> = ids.iter().filter(|(rfc, _)| *rfc == 9293).map(|(_, id)| *id).collect();
    let expected: Vec<String> = (1..=NUMBERED).map(|number| format!("MUST-{number}")).collect();
    assert_eq!(numbered, expected.iter().map(String::as_str).collect());
    // A file nobody reads, or traces of an RFC that the list does not know of.
    for file in fs::read_dir(root().join("conformance")).expect("the lists") {
        let name = file.expect("an entry").file_name().into_string().expect("a name");
        assert!(RFCS.iter().any(|rfc| name == format!("rfc{rfc}.toml")), "{name} is not read");
    }
    for rfc in RFCS {
        let traces = root().join(format!("src/tcp/tests/rfc{rfc}.rs"));
        let named = format!("tests/rfc{rfc}::");
        let used = all.iter().flat_map(|must| &must.tests).any(|test| test.contains(&named));
        assert!(used || !traces.exists(), "{} shows no MUST", traces.display());
    }
}
