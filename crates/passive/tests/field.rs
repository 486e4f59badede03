//! Recordings by other programs than the rules were made with (`field/record.py`): each has a truth that was written
//! down before any verdict was seen. What is right must stay right; of none may the doctor be sure of something else,
//! and what is healthy must never be called broken.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use thru_dissect::Meta;
use thru_dissect::file::{Item, Reader, SECRETS_TLS_KEY_LOG};
use thru_passive::Doctor;
use thru_trace::{Status, Verdict};

/// From this confidence on a wrong answer is sure of itself.
const SURE: f64 = 0.7;

type Causes = BTreeSet<String>;

/// One accepted answer: a set, or any part of one that has some members.
#[derive(Debug)]
struct Answer {
    must: Causes,
    may: Causes,
    least: usize,
    whole: bool,
}

impl Answer {
    /// `A B` is this set; `~A! B C` any set of these with A; `~>=2 A B C` any of at least two.
    fn read(text: &str) -> Answer {
        let loose = text.trim_start().starts_with('~');
        let words =
            text.split_whitespace().map(|word| word.trim_start_matches('~')).filter(|word| !word.is_empty());
        let mut answer = Answer { must: Causes::new(), may: Causes::new(), least: 1, whole: !loose };
        for word in words {
            if let Some(least) = word.strip_prefix(">=") {
                answer.least = least.parse().expect("a number");
            } else if let Some(must) = word.strip_suffix('!') {
                answer.must.insert(must.to_owned());
                answer.may.insert(must.to_owned());
            } else {
                answer.may.insert(word.to_owned());
            }
        }
        answer
    }

    fn accepts(&self, said: &Causes) -> bool {
        match self.whole {
            true => *said == self.may,
            false => said.len() >= self.least && self.must.is_subset(said) && said.is_subset(&self.may),
        }
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/field/captures")
}

fn examine(path: &Path, keys: Option<&[u8]>) -> Verdict {
    let mut reader = Reader::new(BufReader::new(File::open(path).expect("the capture"))).expect("a capture");
    let mut doctor = Doctor::new();
    if let Some(keys) = keys {
        doctor.key_log(keys);
    }
    let mut interfaces = reader.interfaces().to_vec();
    while let Some(item) = reader.next().expect("it can be read") {
        match item {
            Item::Packet(record) => {
                let meta = Meta::of(&record, interfaces.get(record.interface as usize));
                doctor.packet(&meta, record.bytes);
            }
            Item::Secrets { kind: SECRETS_TLS_KEY_LOG, bytes } => doctor.key_log(bytes),
            Item::Interface(_) => interfaces = reader.interfaces().to_vec(),
            _ => {}
        }
    }
    doctor.finish().verdict
}

fn said(verdict: &Verdict) -> Causes {
    match (verdict.status, verdict.causes.is_empty()) {
        (Status::Healthy, _) => Causes::from(["healthy".to_owned()]),
        (_, true) => Causes::from(["?".to_owned()]),
        (_, false) => verdict.causes.iter().cloned().collect(),
    }
}

#[test]
fn field_recordings_are_judged_right() {
    let table = fs::read_to_string(folder().join("truth.txt")).expect("the table of truths");
    let (mut judged, mut right, mut bad) = (0, 0, Vec::new());
    for line in table.lines() {
        let (file, truth) = line.split_once(": ").expect("a file and its truth");
        let path = folder().join(file);
        let keys = fs::read(path.with_extension("keys")).ok();
        let (opened, sealed) = truth.split_once(" // ").unwrap_or((truth, truth));
        let mut ways = vec![(opened, keys.as_deref())];
        if keys.is_some() {
            ways.push((sealed, None));
        }
        for (truth, keys) in ways {
            let verdict = examine(&path, keys);
            let said = said(&verdict);
            let answers: Vec<Answer> = truth.split('|').map(Answer::read).collect();
            judged += 1;
            if answers.iter().any(|answer| answer.accepts(&said)) {
                right += 1;
                continue;
            }
            let known: Causes = answers.iter().flat_map(|answer| answer.may.iter().cloned()).collect();
            let abstains = said.contains("?") || verdict.confidence < SURE;
            let healthy = known.contains("healthy");
            if (healthy && verdict.status != Status::Undecided) || (!abstains && said.is_disjoint(&known)) {
                let way = if keys.is_some() { " with keys" } else { "" };
                bad.push(format!("{file}{way}: {truth}; said {said:?}: {}", verdict.summary));
            }
        }
    }
    assert!(bad.is_empty(), "wrong and sure of it:\n{}", bad.join("\n"));
    assert!(judged >= 60, "only {judged} were judged");
    assert!(right * 100 >= judged * 95, "only {right} of {judged} are right");
}

/// A clock that is centuries ahead is damage; arithmetic on its times must not overflow.
#[test]
fn a_clock_at_the_end_of_time_is_borne() {
    let table = fs::read_to_string(folder().join("truth.txt")).expect("the table of truths");
    for file in table.lines().filter_map(|line| line.split_once(": ")).map(|(file, _)| file).step_by(8) {
        let mut reader = Reader::new(BufReader::new(File::open(folder().join(file)).expect("the capture")))
            .expect("a capture");
        let mut doctor = Doctor::new();
        while let Some(item) = reader.next().expect("it can be read") {
            if let Item::Packet(record) = item {
                let mut meta = Meta::of(&record, None);
                meta.time = meta.time.map(|time| u64::MAX - time % 100_000_000_000);
                meta.link = 1;
                doctor.packet(&meta, record.bytes);
            }
        }
        doctor.finish();
    }
}
