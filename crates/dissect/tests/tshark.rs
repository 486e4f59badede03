//! Agreement with tshark on captures of real programs: for each packet the layers, and the values of
//! every field that both know. Prints a table; each difference needs a reason in `agree/differences.txt`, and each
//! reason a difference, so that the file shrinks.
//!
//! The captures in `agree` were recorded from real programs (see its README). `THRU_AGREE=file.pcap` compares
//! another one and shows the differences; `THRU_CAPTURES=folder` does so with all captures below a folder, of which it
//! takes the first 1,000 packets each.

#[path = "tshark/classes.rs"]
mod classes;
#[path = "tshark/compare.rs"]
mod compare;
#[path = "tshark/pdml.rs"]
mod pdml;
#[path = "tshark/practice.rs"]
mod practice;

use compare::{Difference, Report};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// The captures to compare.
fn captures() -> Vec<PathBuf> {
    if let Some(other) = std::env::var_os("THRU_AGREE") {
        return std::env::split_paths(&other).collect();
    }
    let mut files: Vec<PathBuf> = ["agree"]
        .iter()
        .flat_map(|name| std::fs::read_dir(folder(name)).expect("the folder is there"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "pcap" || end == "pcapng"))
        .collect();
    files.sort();
    files
}

/// A line of the file of differences: capture (`*`: any), field or `layers`, reason.
struct Reason {
    capture: String,
    field: String,
    line: usize,
}

fn reasons() -> Vec<Reason> {
    let text = std::fs::read_to_string(folder("agree").join("differences.txt")).expect("it is there");
    let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|(at, line)| {
            let mut words = line.splitn(3, char::is_whitespace).map(str::trim);
            let mut word = || words.next().unwrap_or_default().to_owned();
            let (capture, field, reason) = (word(), word(), word());
            assert!(!reason.is_empty(), "line {} of differences.txt has no reason", at + 1);
            Reason { capture, field, line: at + 1 }
        })
        .collect()
}

#[test]
fn layers_and_fields_agree() {
    let Some(tshark) = thru_peers::peer("layers_and_fields_agree", "tshark", "tshark") else { return };
    if let Some(folder) = std::env::var_os("THRU_CAPTURES") {
        let classes = classes::Classes::read(&self::folder("agree").join("classes.txt"));
        return practice::run(&tshark, Path::new(&folder), classes);
    }
    let mut report = Report::default();
    for capture in captures() {
        match pdml::read(&tshark, &capture) {
            Ok(packets) => report.compare(&capture, &packets),
            Err(error) => panic!("{}: {error}", capture.display()),
        }
    }
    let reasons = reasons();
    let mut used = BTreeSet::new();
    let mut unexplained: Vec<&Difference> = Vec::new();
    for difference in &report.differences {
        let fits = |reason: &&Reason| {
            (reason.capture == "*" || reason.capture == difference.capture)
                && reason.field == difference.field
        };
        match reasons.iter().find(fits) {
            Some(reason) => {
                used.insert(reason.line);
            }
            None => unexplained.push(difference),
        }
    }
    println!("{}", report.table());
    // One of each kind, and how often it occurs.
    let mut kinds: BTreeMap<(&str, &str), (usize, &Difference)> = BTreeMap::new();
    for difference in &unexplained {
        let key = (difference.capture.as_str(), difference.field.as_str());
        kinds.entry(key).or_insert((0, difference)).0 += 1;
    }
    for (count, difference) in kinds.values() {
        println!("{count} x {difference}");
    }
    if std::env::var_os("THRU_AGREE").is_some() {
        return;
    }
    assert!(unexplained.is_empty(), "{} differences have no reason in differences.txt", unexplained.len());
    let stale: Vec<usize> =
        reasons.iter().map(|reason| reason.line).filter(|line| !used.contains(line)).collect();
    assert!(
        stale.is_empty(),
        "these lines of differences.txt explain nothing any more, take them out: {stale:?}"
    );
    // What no difference at all allows for is 1; the reasons are a handful of packets of each kind.
    assert!(report.share() >= 0.997, "only {:.2} % of the packets agree", report.share() * 100.0);
}

/// Every field that we know is one of tshark's, of the same type: filters and scripts carry over.
#[test]
fn fields_are_those_of_wireshark() {
    let Some(tshark) = thru_peers::peer("fields_are_those_of_wireshark", "tshark", "tshark") else { return };
    let theirs = pdml::fields(&tshark);
    let allowed = std::fs::read_to_string(folder("agree").join("own-fields.txt")).expect("it is there");
    let allowed: BTreeSet<&str> = allowed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for field in thru_dissect::protocols().iter().flat_map(|protocol| protocol.fields) {
        seen.insert(field.name);
        // tshark 4.0 knows hardly more of HTTP/3 than its frames.
        if allowed.contains(field.name) || field.name.starts_with("http3.") {
            continue;
        }
        match theirs.get(field.name) {
            None => wrong.push(format!("{}: tshark has no such field", field.name)),
            Some(kinds) if !kinds.iter().any(|kind| compare::fits(field.kind, kind)) => {
                wrong.push(format!("{}: {:?} here, {kinds:?} there", field.name, field.kind));
            }
            Some(_) => {}
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let stale: Vec<&&str> =
        allowed.iter().filter(|name| !seen.contains(**name) && !name.starts_with('#')).collect();
    assert!(stale.is_empty(), "own-fields.txt names fields that are gone: {stale:?}");
}
