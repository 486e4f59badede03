//! Agreement over a folder of captures that others wrote, to find what to mend: nothing in it is expected to agree.

use crate::classes::Verdict;
use crate::compare::{Difference, Lenient, Report};
use crate::pdml::{self, Packet};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use thru_dissect::protocols;

/// The captures in a folder and those below it.
fn captures(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).expect("a folder that can be read");
            open.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else if path.extension().is_some_and(|end| {
            ["pcap", "pcapng", "cap", "trace", "dmp"].iter().any(|known| end.eq_ignore_ascii_case(known))
        }) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Compares all captures of a folder, on two threads, and prints a table, and one line for each field that differs:
/// how many packets and captures, and one of them. A word in `THRU_ONLY` narrows down the
/// captures; `THRU_FIELD` names a field of which every difference is shown; `THRU_DIFFERENCES` a file that gets a line
/// for each difference; `THRU_IN_USE` one that gets a line for each field that tshark finds, of protocols that we read.
pub fn run<'a>(tshark: &Path, folder: &Path, known: &'a Lenient) -> Report<'a> {
    let only = std::env::var("THRU_ONLY").unwrap_or_default();
    let files: Vec<PathBuf> =
        captures(folder).into_iter().filter(|path| path.to_string_lossy().contains(&only)).collect();
    let (work, report) = (Mutex::new(files.iter()), Mutex::new(Report::lenient(known)));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let next = work.lock().expect("no thread panicked").next();
                    let Some(capture) = next else { return };
                    match one(tshark, capture, known) {
                        Ok(one) => report.lock().expect("no thread panicked").add(one),
                        Err(error) => println!("{}: {error}", capture.display()),
                    }
                }
            });
        }
    });
    let report = report.into_inner().expect("no thread panicked");
    if let Ok(field) = std::env::var("THRU_FIELD") {
        report.differences.iter().filter(|one| one.field == field).for_each(|one| println!("{one}"));
        return report;
    }
    if let Some(file) = std::env::var_os("THRU_DIFFERENCES") {
        let line = |one: &Difference| {
            let Difference { capture, packet, field, ours, theirs, verdict } = one;
            format!("{verdict:?}\t{capture}\t{packet}\t{field}\t{ours}\t{theirs}\n")
        };
        let lines: String = report.differences.iter().map(line).collect();
        std::fs::write(file, lines).expect("the file can be written");
    }
    if let Some(file) = std::env::var_os("THRU_IN_USE") {
        std::fs::write(file, in_use(&report)).expect("the file can be written");
    }
    println!("{}", report.table());
    for (verdict, name) in
        [(Verdict::Unexplained, "unexplained"), (Verdict::Gap, "gaps"), (Verdict::Explained, "explained")]
    {
        let of: Vec<&Difference> = report.differences.iter().filter(|one| one.verdict == verdict).collect();
        println!("== {name}\n{}", kinds(&of));
    }
    println!("unknown here:\n{}", unknown(&report));
    report
}

/// Compares one capture. tshark expects HTTP/2 in the clear only where it is told to, so it is told the ports where we
/// found its beginning: then all that is in it has to agree. What else goes over these ports, such as TLS, it reads as
/// it does untold.
fn one<'a>(tshark: &Path, capture: &Path, known: &'a Lenient) -> Result<Report<'a>, String> {
    let mut report = Report::lenient(known);
    let untold = pdml::read_some(tshark, capture, &BTreeSet::new())?;
    report.compare(capture, &untold);
    report.count_in_use(&untold);
    if report.http2.is_empty() {
        return Ok(report);
    }
    let mut again = Report::lenient(known);
    let packets = merged(untold, pdml::read_some(tshark, capture, &report.http2)?);
    again.compare(capture, &packets);
    again.count_in_use(&packets);
    Ok(again)
}

/// Of connections that turn out to be HTTP/2 where tshark was told so, what it says then; of all others what it says
/// untold.
fn merged(untold: Vec<Packet>, told: Vec<Packet>) -> Vec<Packet> {
    let has = |packet: &Packet| packet.layers.split(':').any(|layer| layer == "http2");
    let pairs = || untold.iter().zip(&told);
    let gained: BTreeSet<String> = pairs()
        .filter(|(untold, told)| has(told) && !has(untold))
        .filter_map(|(_, told)| told.first("tcp.stream").map(str::to_owned))
        .collect();
    let choose = |(untold, told): (Packet, Packet)| {
        let is_gained = told.first("tcp.stream").is_some_and(|stream| gained.contains(stream));
        if is_gained { told } else { untold }
    };
    untold.into_iter().zip(told).map(choose).collect()
}

/// A line for each field that differs, the most frequent first, each with what most often stands on either side.
fn kinds(differences: &[&Difference]) -> String {
    let mut kinds: BTreeMap<&str, Vec<&Difference>> = BTreeMap::new();
    for &difference in differences {
        kinds.entry(difference.field.as_str()).or_default().push(difference);
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, all)| std::cmp::Reverse(all.len()));
    let mut out = String::new();
    for (field, all) in kinds {
        let captures: BTreeSet<&str> = all.iter().map(|one| one.capture.as_str()).collect();
        out += &format!("{} packets of {} captures: {field}\n", all.len(), captures.len());
        let mut pairs: BTreeMap<(&str, &str), Vec<&Difference>> = BTreeMap::new();
        for one in all {
            pairs.entry((one.ours.as_str(), one.theirs.as_str())).or_default().push(one);
        }
        let mut pairs: Vec<_> = pairs.into_values().collect();
        pairs.sort_by_key(|alike| std::cmp::Reverse(alike.len()));
        for alike in pairs.iter().take(if field == "layers" { 80 } else { 4 }) {
            out += &format!("  {} x {}\n", alike.len(), alike[0]);
        }
    }
    out
}

/// A field of fewer captures is not in use.
const CAPTURES_MIN: usize = 3;

/// Fields of protocols that we read: how many packets, and how many captures, have them.
fn in_use(report: &Report<'_>) -> String {
    let first = |name: &'static str| name.split('.').next().unwrap_or_default();
    let ours: BTreeSet<&str> =
        protocols().iter().flat_map(|protocol| protocol.fields).map(|field| first(field.name)).collect();
    let mut out = String::from(
        "# The fields that tshark 4.0.17 finds in captures that others publish, of the protocols that are read here: how\n\
         # many packets have it, in how many captures. Those of fewer than three captures are left out. Written by the run\n\
         # over such a folder (docs/dissect.md) with THRU_IN_USE=file.\n",
    );
    for (name, [packets, captures]) in &report.in_use {
        let is_ours = name.split_once('.').is_some_and(|(first, _)| ours.contains(first));
        if is_ours && !name.starts_with("frame.") && *captures >= CAPTURES_MIN {
            out += &format!("{name} {packets} {captures}\n");
        }
    }
    out
}

/// Fields of protocols that we read, which tshark has and we don't.
fn unknown(report: &Report<'_>) -> String {
    let mut unknown: Vec<_> = report.unknown.iter().collect();
    unknown.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    unknown.iter().take(400).map(|(name, count)| format!("{count} {name}\n")).collect()
}
