//! Agreement with tshark on captures of real programs: for each packet the layers, and the values of
//! every field that both know. Prints a table; each difference needs a reason in `agree/differences.txt`, and each
//! reason a difference, so that the file shrinks.
//!
//! The captures in `agree` were recorded from real programs (see its README). `THRU_AGREE=file.pcap` compares
//! another one and shows the differences; `THRU_CAPTURES=folder` does so with all captures below a folder, of which it
//! takes the first 1,000 packets each. With `THRU_BLESS=1` the columns of `docs/dissect.md` are written.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use thru_agree::page::{Kind, Page};
use thru_agree::{Classes, Lenient, Reasons, Report, fits, pdml, practice};

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

#[test]
fn layers_and_fields_agree() {
    let Some(tshark) = thru_peers::peer("layers_and_fields_agree", "tshark", "tshark") else { return };
    let is_blessed = std::env::var_os("THRU_BLESS").is_some();
    let mut page = Page::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/dissect.md"));
    if let Some(folder) = std::env::var_os("THRU_CAPTURES") {
        let classes = Classes::read(&self::folder("agree").join("classes.txt"));
        let known = Lenient { classes, known: pdml::fields(&tshark).into_keys().collect() };
        let report = practice::run(&tshark, Path::new(&folder), &known);
        if is_blessed {
            page.set(Kind::Public, &report);
            page.write();
        }
        return;
    }
    let reasons = Reasons::read(&folder("agree").join("differences.txt"));
    let mut report = Report::strict(&reasons);
    for capture in captures() {
        match pdml::read(&tshark, &capture, &[]) {
            Ok(packets) => report.compare(&capture, &packets),
            Err(error) => panic!("{}: {error}", capture.display()),
        }
    }
    println!("{}", report.table());
    let unexplained = report.unexplained();
    println!("{}", unexplained.join("\n"));
    if std::env::var_os("THRU_AGREE").is_some() {
        return;
    }
    assert!(
        unexplained.is_empty(),
        "{} kinds of differences have no reason in differences.txt",
        unexplained.len()
    );
    let stale = report.stale();
    assert!(
        stale.is_empty(),
        "these lines of differences.txt explain nothing any more, take them out: {stale:?}"
    );
    // What no difference at all allows for is 1; the reasons are a handful of packets of each kind.
    assert!(report.share() >= 0.997, "only {:.2} % of the packets agree", report.share() * 100.0);
    let is_told = !page.set(Kind::Own, &report);
    if is_blessed {
        page.write();
    } else {
        assert!(is_told, "docs/dissect.md says something else of these captures: THRU_BLESS=1 writes it");
    }
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
            Some(kinds) if !kinds.iter().any(|kind| fits(field.kind, kind)) => {
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
