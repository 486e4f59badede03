//! Captures that tcpdump made of real kernels and programs (`kernel/record.py`), each with the fault that was put there:
//! whole, the doctor finds it; mutilated, he may not know, but he must not be sure of something else.

use std::collections::BTreeSet;
use std::fs;
use std::io::Cursor;
use std::path::PathBuf;

use thru_diagnose::recheck;
use thru_dissect::Meta;
use thru_dissect::file::{Item, Reader};
use thru_passive::{Doctor, Examination};
use thru_trace::{Status, Verdict};

type Causes = BTreeSet<String>;

/// One capture: its packets, and what may be said of it.
struct Capture {
    name: String,
    packets: Vec<Packet>,
    keys: Option<Vec<u8>>,
    /// With the key log, and without; the first answer is the best.
    clear: Vec<Causes>,
    sealed: Vec<Causes>,
}

#[derive(Clone)]
struct Packet {
    time: u64,
    link: u16,
    original: u32,
    bytes: Vec<u8>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/kernel/captures")
}

fn answers(text: &str) -> Vec<Causes> {
    text.split('|').map(|one| one.split_whitespace().map(str::to_owned).collect()).collect()
}

fn captures() -> Vec<Capture> {
    let table = fs::read_to_string(folder().join("truth.txt")).expect("the table of truths");
    let rows = table.lines().map(|line| line.split_once(':').expect("a name and a truth"));
    rows.map(|(name, truth)| {
        let (clear, sealed) = truth.split_once("//").unwrap_or((truth, truth));
        let file = fs::read(folder().join(format!("{name}.pcap"))).expect("its capture");
        Capture {
            name: name.to_owned(),
            packets: packets(&file),
            keys: fs::read(folder().join(format!("{name}.keys"))).ok(),
            clear: answers(clear),
            sealed: answers(sealed),
        }
    })
    .collect()
}

fn packets(file: &[u8]) -> Vec<Packet> {
    let mut reader = Reader::new(Cursor::new(file)).expect("a capture");
    let mut packets = Vec::new();
    let mut interfaces = reader.interfaces().to_vec();
    while let Some(item) = reader.next().expect("it can be read") {
        match item {
            Item::Interface(_) => interfaces = reader.interfaces().to_vec(),
            Item::Packet(record) => {
                let meta = Meta::of(&record, interfaces.get(record.interface as usize));
                packets.push(Packet {
                    time: meta.time.expect("a time"),
                    link: meta.link,
                    original: meta.original,
                    bytes: record.bytes.to_vec(),
                });
            }
            _ => {}
        }
    }
    packets
}

fn examine(packets: &[Packet], keys: Option<&[u8]>) -> Examination {
    let mut doctor = Doctor::new();
    if let Some(keys) = keys {
        doctor.key_log(keys);
    }
    for (place, packet) in packets.iter().enumerate() {
        let meta = Meta {
            number: place as u64 + 1,
            time: Some(packet.time),
            interface: 0,
            interface_name: None,
            link: packet.link,
            original: packet.original,
            comments: &[],
        };
        doctor.packet(&meta, &packet.bytes);
    }
    doctor.finish()
}

/// A verdict in the words of the table.
fn said(verdict: &Verdict) -> Causes {
    match (verdict.status, verdict.causes.is_empty()) {
        (Status::Healthy, _) => BTreeSet::from(["healthy".to_owned()]),
        (_, true) => BTreeSet::from(["?".to_owned()]),
        (_, false) => verdict.causes.iter().cloned().collect(),
    }
}

#[test]
fn whole_captures_are_judged_right() {
    let mut wrong = Vec::new();
    let mut judged = 0;
    for capture in captures() {
        let ways = [(&capture.clear, capture.keys.as_deref()), (&capture.sealed, None)];
        // Without its keys a capture may not be told in the clear.
        let ways =
            ways.into_iter().filter(|(_, keys)| keys.is_some() == capture.keys.is_some() || keys.is_none());
        for (truth, keys) in ways.filter(|(truth, keys)| keys.is_some() || **truth == capture.sealed) {
            let found = examine(&capture.packets, keys);
            judged += 1;
            if !truth.contains(&said(&found.verdict)) {
                wrong.push(format!("{}: {:?} {}", capture.name, said(&found.verdict), found.verdict.summary));
            }
            for report in &found.flows {
                assert_eq!(recheck(&report.trace, &report.verdict), [""; 0], "{}", capture.name);
            }
            assert_eq!(recheck(&found.trace, &found.verdict), [""; 0], "{}", capture.name);
        }
    }
    assert!(judged >= 100, "only {judged} were judged");
    assert_eq!(wrong, [""; 0], "of {judged}");
}

/// Numbers that look random and are the same each time (Knuth's 64-bit generator).
struct Dice(u64);

impl Dice {
    fn percent(&mut self, chance: u64) -> bool {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % 100 < chance
    }

    fn below(&mut self, limit: usize) -> usize {
        self.percent(0);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

/// What can befall a capture before anybody sees it.
fn mutilations(packets: &[Packet], dice: &mut Dice) -> Vec<(&'static str, Vec<Packet>)> {
    let mut less =
        |chance: u64| -> Vec<Packet> { packets.iter().filter(|_| !dice.percent(chance)).cloned().collect() };
    let (few, many) = (less(5), less(20));
    let at = dice.below(packets.len());
    let burst = [&packets[..at], packets.get(at + 5..).unwrap_or(&[])].concat();
    let (front, back) = (packets[at..].to_vec(), packets[..at].to_vec());
    let from = |packet: &Packet| packet.bytes.get(6..12).map(<[u8]>::to_vec);
    let first = packets.first().and_then(from);
    let (one, other): (Vec<Packet>, Vec<Packet>) =
        packets.iter().cloned().partition(|packet| from(packet) == first);
    let mut shaken = packets.to_vec();
    for place in 1..shaken.len() {
        if dice.percent(10) {
            shaken.swap(place - 1, place);
        }
    }
    let mut backwards = packets.to_vec();
    for packet in &mut backwards {
        if dice.percent(10) {
            packet.time = packet.time.saturating_sub(3_000_000);
        }
    }
    let cut = packets.iter().cloned().map(|mut packet| {
        packet.bytes.truncate(96);
        packet
    });
    vec![
        ("5 % lost", few),
        ("20 % lost", many),
        ("a burst lost", burst),
        ("without its beginning", front),
        ("without its end", back),
        ("one direction", one),
        ("the other direction", other),
        ("swapped", shaken),
        ("times that go back", backwards),
        ("96 bytes of each", cut.collect()),
    ]
}

/// What is left to be seen of some faults when their beginning or their witness is missing, and is true as well.
const LEFT: [(&str, &str); 8] = [
    // That it had worked before was not captured.
    ("nat-forgets-reset", "TCP08"),
    // The address of this machine itself refuses.
    ("private-address", "TCP01"),
    ("plain-on-443", "H101"),
    ("half-open-after-restart", "TCP08"),
    ("half-open-after-restart", "APP05"),
    // The reset stands before the hello when packets change places.
    ("reset-on-hello", "TCP08"),
    // The name with the suffix of the list does not exist.
    ("ok-search-list", "DNS05"),
    ("ok-ping", "?"),
];

#[test]
fn mutilated_captures_make_nobody_sure_of_something_else() {
    let mut wrong = Vec::new();
    let mut judged = 0;
    for capture in captures() {
        let mut truth: Causes = capture.clear.iter().chain(&capture.sealed).flatten().cloned().collect();
        truth.extend(
            LEFT.iter().filter(|(name, _)| *name == capture.name).map(|(_, cause)| (*cause).to_owned()),
        );
        // A question that is sent again and again without an answer in the capture is a fact, whatever is missing.
        truth.insert("FW01".to_owned());
        for seed in 1..=4 {
            for (what, packets) in mutilations(&capture.packets, &mut Dice(seed)) {
                let found = examine(&packets, capture.keys.as_deref());
                judged += 1;
                let sure = matches!(found.verdict.status, Status::Failed | Status::Degraded);
                if sure && said(&found.verdict).is_disjoint(&truth) {
                    wrong.push(format!(
                        "{}, {what} {seed}: {:?} {}",
                        capture.name,
                        said(&found.verdict),
                        found.verdict.summary
                    ));
                }
            }
        }
    }
    println!("{} of {judged}", wrong.len());
    assert_eq!(wrong, [""; 0], "of {judged}");
}
