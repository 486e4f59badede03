//! Our display filters against tshark's: which expressions make sense, and which packets pass. `agree/filters.txt` lists
//! them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use thru_dissect::file::{Item, Reader};
use thru_dissect::filter::Filter;
use thru_dissect::{Arena, Dissector, Meta, Options};

const LIST: &str = include_str!("agree/filters.txt");

/// The headings, in their order.
const HEADINGS: [&str; 4] = ["understood by both", "refused by both", "understood here", "refused here"];

/// The expressions under a heading that begins with these words.
fn listed(heading: &str) -> Vec<&'static str> {
    let headings: Vec<&str> = LIST.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    assert!(headings.iter().zip(HEADINGS).all(|(found, known)| found.starts_with(known)), "{headings:?}");
    assert_eq!(headings.len(), HEADINGS.len(), "a heading nobody reads");
    let mut inside = false;
    let mut found = Vec::new();
    for line in LIST.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("## ") {
            Some(words) => inside = words.starts_with(heading),
            None if inside => found.push(line),
            None => {}
        }
    }
    assert!(!found.is_empty(), "there is no heading `{heading}`");
    found
}

/// What only ours understands, and how tshark would put it.
fn with_meaning() -> Vec<(&'static str, &'static str)> {
    let pair = |line: &'static str| line.split_once("  <=>  ").expect("its meaning stands behind it");
    listed("understood here").into_iter().map(pair).collect()
}

fn captures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agree");
    let files =
        std::fs::read_dir(folder).expect("the folder is there").map(|file| file.expect("a file").path());
    let mut files: Vec<PathBuf> =
        files.filter(|file| file.extension().is_some_and(|end| end == "pcap")).collect();
    files.sort();
    files
}

/// How many packets of a capture each expression lets pass, and how many bytes they have.
type Passed = BTreeMap<&'static str, (u64, u64)>;

fn ours(capture: &Path, expressions: &[&'static str]) -> Passed {
    let filters: Vec<(&str, Filter)> = expressions
        .iter()
        .map(|text| (*text, Filter::display(text).unwrap_or_else(|error| panic!("`{text}`: {error:?}"))))
        .collect();
    let mut passed: Passed = expressions.iter().map(|text| (*text, (0, 0))).collect();
    let bytes = std::fs::read(capture).expect("the capture is there");
    let mut reader = Reader::new(&bytes[..]).expect("a capture");
    let (mut dissector, mut arena) =
        (Dissector::new(Options { reassemble_out_of_order: true, ..Options::default() }), Arena::new());
    while let Some(item) = reader.next().expect("a whole capture") {
        let Item::Packet(record) = item else { continue };
        let tree = dissector.dissect(&Meta::of(&record, None), record.bytes, &mut arena);
        for (text, filter) in &filters {
            if filter.matches(tree) {
                let (packets, bytes) = passed.entry(text).or_default();
                *packets += 1;
                *bytes += u64::from(record.original);
            }
        }
    }
    passed
}

/// All in one run: the hierarchy of protocols of what each filter lets pass, of which the outermost are counted.
fn theirs(tshark: &Path, capture: &Path, expressions: &[&'static str]) -> Passed {
    let mut command = Command::new(tshark);
    command.args(["-n", "-q", "-o", "tcp.reassemble_out_of_order:TRUE", "-r"]).arg(capture).env("TZ", "UTC");
    for text in expressions {
        command.args(["-z", &format!("io,phs,{text}")]);
    }
    let output = command.output().expect("tshark runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut passed: Passed = BTreeMap::new();
    let mut current = None;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if let Some(text) = line.strip_prefix("Filter: ") {
            current = expressions.iter().find(|known| known.trim() == text.trim());
            passed.entry(current.unwrap_or_else(|| panic!("nobody asked for `{text}`"))).or_default();
        } else if let (Some(text), false, Some((_, counts))) =
            (current, line.starts_with(' '), line.split_once(" frames:"))
        {
            let (packets, bytes) = counts.split_once(" bytes:").expect("both are told");
            let sum = passed.entry(text).or_default();
            sum.0 += packets.parse::<u64>().expect("a number");
            sum.1 += bytes.trim().parse::<u64>().expect("a number");
        }
    }
    passed
}

/// What ours lets pass of each first expression beside what theirs lets pass of each second: how many packets each lets
/// pass of all captures.
fn compared(tshark: &Path, pairs: &[(&'static str, &'static str)]) -> BTreeMap<&'static str, u64> {
    let (mine, mut yours): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
    yours.sort_unstable();
    yours.dedup();
    let refused = mine.iter().filter_map(|text| Some(format!("`{text}`: {}", Filter::display(text).err()?)));
    let refused: Vec<String> = refused.collect();
    assert!(refused.is_empty(), "ours refuses\n{}", refused.join("\n"));
    let mut differences = Vec::new();
    let mut passing = BTreeMap::new();
    for capture in captures() {
        let (ours, theirs) = (ours(&capture, &mine), theirs(tshark, &capture, &yours));
        assert_eq!(ours.len(), pairs.len(), "an answer for each");
        for (mine, yours) in pairs {
            let (our, their) = (ours[mine], theirs[yours]);
            *passing.entry(*mine).or_insert(0) += their.0;
            if our != their {
                let name = capture.file_name().unwrap_or_default().to_string_lossy().into_owned();
                differences.push(format!("{name}: `{mine}`: ours {our:?}, theirs {their:?}"));
            }
        }
    }
    assert!(differences.is_empty(), "packets and bytes:\n{}", differences.join("\n"));
    passing
}

#[test]
fn tshark_lets_the_same_packets_pass() {
    let Some(tshark) = thru_peers::peer("dissect: tshark's display filters", "tshark", "tshark") else {
        return;
    };
    let expressions = listed("understood by both").into_iter().map(|text| (text, text));
    let passing = compared(&tshark, &expressions.collect::<Vec<_>>());
    let idle = passing.values().filter(|count| **count == 0).count();
    assert!(idle * 5 < passing.len(), "{idle} of {} let nothing pass", passing.len());
}

#[test]
fn what_only_ours_understands_means_what_it_says() {
    let Some(tshark) = thru_peers::peer("dissect: tshark's display filters", "tshark", "tshark") else {
        return;
    };
    let passing = compared(&tshark, &with_meaning());
    let idle: Vec<_> = passing.iter().filter(|(_, count)| **count == 0).collect();
    assert!(idle.len() < 4, "they let nothing pass: {idle:?}");
}

#[test]
fn tshark_refuses_the_same() {
    let Some(tshark) = thru_peers::peer("dissect: tshark's display filters", "tshark", "tshark") else {
        return;
    };
    let capture = captures().remove(0);
    let lists = [
        ("refused by both", listed("refused by both"), false, false),
        ("understood here", with_meaning().into_iter().map(|(text, _)| text).collect(), true, false),
        ("refused here", listed("refused here"), false, true),
    ];
    let mut complaints = Vec::new();
    for (heading, expressions, we, they) in lists {
        for text in expressions {
            let ours = Filter::display(text);
            if ours.is_ok() != we {
                complaints.push(format!("{heading}, but ours says of `{text}`: {ours:?}"));
            }
            let mut command = Command::new(&tshark);
            command.args(["-n", "-c", "1", "-Y", text, "-r"]).arg(&capture);
            let output = command.stdin(Stdio::null()).output().expect("tshark runs");
            if output.status.success() != they {
                complaints.push(format!("{heading}, but tshark says otherwise of `{text}`"));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
