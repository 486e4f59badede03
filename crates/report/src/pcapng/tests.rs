use super::*;

const SECTION_HEADER: u32 = 0x0A0D_0D0A;
const INTERFACE: u32 = 1;
const NAMES: u32 = 4;
const ENHANCED_PACKET: u32 = 6;
const SECRETS: u32 = 10;
use crate::fixture;
use std::process::Command;
use thru_trace::{Evidence, Layer, Status};

fn verdict() -> Verdict {
    Verdict {
        layer: Layer::Ip,
        causes: vec!["IP19".into()],
        confidence: 0.9,
        evidence: vec![Evidence {
            says: "the server's answer came 20 ms later".into(),
            probe: None,
            frames: vec![2, 5],
        }],
        next: vec![],
        summary: "It works, but packets are lost.".into(),
        status: Status::Degraded,
        ruled_out: vec![],
        also: vec![],
        words: None,
    }
}

fn bytes(trace: &Trace, verdict: Option<&Verdict>) -> Vec<u8> {
    let mut out = Vec::new();
    write_blocks(trace, verdict, &mut out).unwrap();
    out
}

/// Walks the blocks: kind and body.
fn blocks(mut file: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let mut blocks = Vec::new();
    while !file.is_empty() {
        let kind = u32::from_le_bytes(file[..4].try_into().unwrap());
        let total = u32::from_le_bytes(file[4..8].try_into().unwrap()) as usize;
        assert_eq!(total % 4, 0, "blocks are multiples of four bytes");
        assert_eq!(file[total - 4..total], file[4..8], "a block's length stands at both ends");
        blocks.push((kind, file[8..total - 4].to_vec()));
        file = &file[total..];
    }
    blocks
}

#[test]
fn blocks_come_in_the_order_a_streaming_reader_needs() {
    let kinds: Vec<u32> =
        blocks(&bytes(&fixture::healthy(), None)).into_iter().map(|(kind, _)| kind).collect();
    let want = [SECTION_HEADER, INTERFACE, INTERFACE, NAMES, SECRETS];
    assert_eq!(kinds[..5], want);
    assert!(kinds[5..].iter().all(|&kind| kind == ENHANCED_PACKET) && kinds.len() == 11);
}

#[test]
fn the_same_trace_gives_the_same_bytes() {
    assert_eq!(bytes(&fixture::healthy(), Some(&verdict())), bytes(&fixture::healthy(), Some(&verdict())));
}

#[test]
fn times_are_the_epoch_plus_the_instant_in_nanoseconds() {
    let trace = fixture::healthy();
    let (_, body) =
        blocks(&bytes(&trace, None)).into_iter().find(|(kind, _)| *kind == ENHANCED_PACKET).unwrap();
    let word = |at: usize| u64::from(u32::from_le_bytes(body[at..at + 4].try_into().unwrap()));
    assert_eq!(word(4) << 32 | word(8), trace.epoch_unix_nanos + trace.packets[0].at);
}

#[test]
fn odd_traces_still_make_a_file() {
    let empty = Trace::default();
    assert_eq!(blocks(&bytes(&empty, None)).len(), 1);
    let mut trace = fixture::healthy();
    trace.interfaces.clear();
    trace.packets[0].comment = Some("é".repeat(5_000));
    trace.names.push(("10.0.0.1".parse().unwrap(), "\u{1b}[2J\0".into()));
    trace.epoch_unix_nanos = u64::MAX;
    let interfaces = blocks(&bytes(&trace, None)).iter().filter(|(kind, _)| *kind == INTERFACE).count();
    assert_eq!(interfaces, 2, "every interface a packet names exists");
}

#[test]
fn tshark_reads_frames_comments_names_and_secrets() {
    let Some(file) = TemporaryFile::for_tshark(&bytes(&fixture::healthy(), Some(&verdict()))) else { return };
    let fields = |fields: &[&str]| {
        let mut args = vec!["-o", "nameres.network_name:TRUE", "-o", "tcp.check_checksum:TRUE", "-o"];
        args.extend(["ip.check_checksum:TRUE", "-T", "fields", "-E", "separator=|"]);
        for field in fields {
            args.extend(["-e", field]);
        }
        file.run("tshark", &args)
    };
    let lines =
        fields(&["frame.number", "frame.interface_name", "frame.time_epoch", "ip.dst_host", "frame.comment"]);
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.len(), 6);
    assert!(lines[0].starts_with("1|home--pc|1767225600.042000000|"), "{}", lines[0]);
    assert!(lines[0].contains("shop.lab"), "the name block names the server: {}", lines[0]);
    assert!(lines[1].contains("verdict: the server's answer came 20 ms later"), "{}", lines[1]);
    assert!(lines[5].contains("|home--isp|") && lines[5].contains("dropped: random loss"), "{}", lines[5]);
    assert_eq!(fields(&["_ws.malformed"]).trim(), "", "no frame is malformed");
    assert_eq!(
        file.run(
            "tshark",
            &["-o", "tcp.check_checksum:TRUE", "-Y", "tcp.checksum.status == \"Bad\" || _ws.malformed"]
        ),
        ""
    );
    let info = file.run("capinfos", &[]);
    for expected in
        ["nanoseconds", "thru ", "network lab:internet, seed 7", "Number of decryption secrets in file: 1"]
    {
        assert!(info.contains(expected), "capinfos does not mention {expected:?}:\n{info}");
    }
}

/// A file in the system's temporary directory, removed when dropped.
struct TemporaryFile(std::path::PathBuf);

impl TemporaryFile {
    /// `None`, said loudly, when tshark is not installed.
    fn for_tshark(bytes: &[u8]) -> Option<TemporaryFile> {
        if Command::new("tshark").arg("--version").output().is_err() {
            eprintln!(
                "NOT RUN: tshark is missing (apt-get install tshark), so nothing checked that it reads our pcapng"
            );
            return None;
        }
        let path = std::env::temp_dir().join(format!("thru-pcapng-test-{}.pcapng", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        Some(TemporaryFile(path))
    }

    fn run(&self, tool: &str, args: &[&str]) -> String {
        let path = self.0.to_str().unwrap();
        let mut command = Command::new(tool);
        if tool == "tshark" {
            command.args(["-r", path]).args(args);
        } else {
            command.args(args).arg(path);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
