//! What is told of whole captures against tshark's tables: conversations, endpoints, the hierarchy of protocols.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;
use thru_dissect::file::{Item, Reader};
use thru_dissect::summary::conversations::Conversations;
use thru_dissect::summary::hierarchy::Hierarchy;
use thru_dissect::{Arena, Dissector, Meta, Options};

/// Rows as words, so that a difference can be read.
type Rows = BTreeSet<String>;

const LEVELS: [&str; 5] = ["eth", "ip", "ipv6", "tcp", "udp"];

fn captures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/agree");
    let files =
        std::fs::read_dir(folder).expect("the folder is there").map(|file| file.expect("a file").path());
    let mut files: Vec<PathBuf> =
        files.filter(|file| file.extension().is_some_and(|end| end == "pcap")).collect();
    files.sort();
    files
}

/// As tshark 4.0 writes it.
fn size(bytes: u64) -> String {
    match bytes {
        0..10_000 => format!("{bytes} bytes"),
        _ => format!("{} kB", bytes / 1000),
    }
}

/// A conversation as a row, whoever is named first; `ways` are packets and bytes from the one, and from the other.
fn conversation(level: &str, ends: [&str; 2], ways: [(u64, String); 2]) -> String {
    let [one, other] = [0, 1].map(|way| format!("{} {} packets, {}", ends[way], ways[way].0, ways[way].1));
    let (first, second) = if ends[0] <= ends[1] { (one, other) } else { (other, one) };
    format!("conversation {level}: {first}; {second}")
}

fn endpoint(level: &str, end: &str, counts: [u64; 4]) -> String {
    format!("endpoint {level}: {end} {counts:?}")
}

fn ours(capture: &Path) -> (Rows, BTreeMap<String, u64>) {
    let bytes = std::fs::read(capture).expect("the capture is there");
    let mut reader = Reader::new(&bytes[..]).expect("a capture");
    let (mut dissector, mut arena) =
        (Dissector::new(Options { reassemble_out_of_order: true, ..Options::default() }), Arena::new());
    let (mut talks, mut hierarchy) = (Conversations::default(), Hierarchy::default());
    while let Some(item) = reader.next().expect("a whole capture") {
        if let Item::Packet(record) = item {
            let tree = dissector.dissect(&Meta::of(&record, None), record.bytes, &mut arena);
            talks.take(tree);
            hierarchy.take(tree);
        }
    }
    let mut out = Vec::new();
    talks.json(&mut out);
    talks.endpoints_json(&mut out);
    hierarchy.json(&mut out);
    let (mut rows, mut paths) = (Rows::new(), BTreeMap::new());
    for line in String::from_utf8(out).expect("text").lines() {
        let row: Json = serde_json::from_str(line).expect("an object");
        let text = |name: &str| row[name].as_str().expect(name).replace(['[', ']'], "");
        let number = |name: &str| row[name].as_u64().expect(name);
        // tshark has a table for each version of IP.
        let level = |end: &str| match text("level").as_str() {
            "ip" if end.contains(':') => "ipv6".to_owned(),
            level => level.to_owned(),
        };
        match text("kind").as_str() {
            "conversation" => {
                let (a, b) = (text("a"), text("b"));
                let ways = ["ab", "ba"]
                    .map(|way| (number(&format!("packets_{way}")), size(number(&format!("bytes_{way}")))));
                rows.insert(conversation(&level(&a), [&a, &b], ways));
            }
            "endpoint" => {
                let end = text("end");
                let counts = ["packets_sent", "bytes_sent", "packets_received", "bytes_received"].map(number);
                rows.insert(endpoint(&level(&end), &end, counts));
            }
            _ => drop(paths.insert(text("path"), number("packets"))),
        }
    }
    (rows, paths)
}

fn theirs(tshark: &Path, capture: &Path) -> (Rows, BTreeMap<String, u64>) {
    let mut command = Command::new(tshark);
    command.args(["-n", "-q", "-o", "tcp.reassemble_out_of_order:TRUE", "-z", "io,phs", "-r"]).arg(capture);
    for level in LEVELS {
        command.args(["-z", &format!("conv,{level}"), "-z", &format!("endpoints,{level}")]);
    }
    let output = command.output().expect("tshark runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (mut rows, mut paths) = (Rows::new(), BTreeMap::new());
    let mut level = "";
    let mut path: Vec<String> = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |place: usize| words[place].parse::<u64>().expect("a number");
        match words[..] {
            [table, "Conversations" | "Endpoints"] => {
                let tables = ["Ethernet", "IPv4", "IPv6", "TCP", "UDP"];
                level =
                    LEVELS[tables.iter().position(|known| *known == table).expect("a table we asked for")];
            }
            [a, "<->", b, ..] => {
                let ways = [
                    (number(6), format!("{} {}", words[7], words[8])),
                    (number(3), format!("{} {}", words[4], words[5])),
                ];
                rows.insert(conversation(level, [a, b], ways));
            }
            [host, port, _, _, _, _, _, _] if matches!(level, "tcp" | "udp") && host != "|" => {
                let counts = [4, 5, 6, 7].map(number);
                rows.insert(endpoint(level, &format!("{host}:{port}"), counts));
            }
            [host, _, _, _, _, _, _] if !matches!(level, "tcp" | "udp") && host != "|" => {
                rows.insert(endpoint(level, host, [3, 4, 5, 6].map(number)));
            }
            [name, frames, _] if frames.starts_with("frames:") => {
                path.truncate((line.len() - line.trim_start().len()) / 2);
                path.push(name.to_owned());
                hierarchy_row(&mut paths, &path, frames["frames:".len()..].parse().expect("a number"));
            }
            _ => {}
        }
    }
    (rows, paths)
}

/// What tshark notes of a packet or puts together stands among its protocols; of several messages in a row, each is below the one before.
/// Here they are one, except for tunnels.
fn hierarchy_row(paths: &mut BTreeMap<String, u64>, path: &[String], packets: u64) {
    let is_part = |name: &String| name.contains('.');
    let mut names: Vec<&str> = path.iter().filter(|name| !is_part(name)).map(String::as_str).collect();
    let repeats =
        |pair: &[&str]| pair[0] == pair[1] && !matches!(pair[0], "eth" | "ip" | "ipv6" | "gre" | "vlan");
    let is_again = names.windows(2).last().is_some_and(repeats) || path.last().is_some_and(is_part);
    names.dedup_by(|b, a| repeats(&[a, b]));
    let count = paths.entry(names.join(":")).or_insert(0);
    *count += if is_again { 0 } else { packets };
}

/// What is meant otherwise: capture, row, why.
const EXPLAINED: &[(&str, &str, &str)] = &[
    (
        "dtls.pcap",
        "eth:ip:udp:",
        "the ports were agreed on by STUN: tshark counts RTP, which hands all on, as a layer",
    ),
    (
        "edges.pcap",
        "2001:db8::",
        "a routing header: tshark counts the last stop of the route, not whom the header names",
    ),
    ("http.pcap", "mime_multipart:data", "tshark has the parts of a message inside of it"),
    ("smtp.pcap", "smtp:imf:", "tshark has the parts of a message inside of it"),
    ("voip.pcap", "sip:sdp", "tshark has the parts of a message inside of it"),
    (
        "sctp.pcap",
        "sctp:data",
        "chunks of several messages in one packet: tshark has the layer once for each",
    ),
];

#[test]
fn tshark_counts_the_same() {
    let Some(tshark) = thru_peers::peer("dissect: tshark's tables", "tshark", "tshark") else { return };
    let (mut differences, mut agreed) = (Vec::new(), 0);
    for capture in captures() {
        let name = capture.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let ((ours, our_paths), (theirs, their_paths)) = (ours(&capture), theirs(&tshark, &capture));
        agreed += ours.intersection(&theirs).count();
        differences.extend(ours.difference(&theirs).map(|row| format!("{name}: only ours: {row}")));
        differences.extend(theirs.difference(&ours).map(|row| format!("{name}: only theirs: {row}")));
        for path in our_paths.keys().chain(their_paths.keys()).collect::<BTreeSet<_>>() {
            match (our_paths.get(path), their_paths.get(path)) {
                (our, their) if our == their => agreed += 1,
                (our, their) => differences.push(format!("{name}: {path}: ours {our:?}, theirs {their:?}")),
            }
        }
    }
    let explained =
        |line: &String| EXPLAINED.iter().any(|(name, row, _)| line.starts_with(name) && line.contains(row));
    differences.retain(|line| !explained(line));
    assert!(differences.is_empty(), "{} of them:\n{}", differences.len(), differences.join("\n"));
    assert!(agreed > 500, "{agreed} rows were compared");
}
