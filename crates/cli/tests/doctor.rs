//! `thru doctor --json` as programs read it: a line for each flow, one for the whole, and in each the verdict of a live run.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

fn capture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../passive/tests/kernel/captures").join(name)
}

fn doctor(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_thru"))
        .arg("doctor")
        .args(arguments)
        .env_remove("SSLKEYLOGFILE")
        .output()
        .expect("the binary runs")
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    text.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[test]
fn a_line_for_each_flow_and_the_last_for_the_whole() {
    let path = capture("closed-port.pcap");
    let output = doctor(&[path.to_str().unwrap(), "--json"]);
    assert_eq!(output.status.code(), Some(1), "a fault was found");
    let lines = lines(&output);
    let (whole, flows) = lines.split_last().expect("a line for the whole");
    assert_eq!((&whole["scope"], whole["flows"].as_u64()), (&"capture".into(), Some(flows.len() as u64)));
    assert!(!flows.is_empty() && flows.iter().all(|flow| flow["scope"] == "flow"));
    // A live run's verdict has the same fields.
    let live = Command::new(env!("CARGO_BIN_EXE_thru"))
        .args(["https://www.shop.lab", "--on", "lab:port-closed", "--json"])
        .output()
        .expect("the binary runs");
    let live: Value = serde_json::from_slice(&live.stdout).expect("an object");
    for line in &lines {
        assert_eq!(line["schema"], 1);
        assert_eq!(keys(&line["verdict"]), keys(&live["verdict"]));
        assert!(line["spans"].is_array() && line["epoch_unix_nanos"].is_u64());
    }
    // What the page on it promises stands in each line.
    let page = include_str!("../../../docs/doctor.md");
    for (line, scope) in [(whole, "capture"), (&flows[0], "flow")] {
        for key in keys(line) {
            assert!(page.contains(&format!("`{key}`")), "docs/doctor.md does not speak of `{key}` ({scope})");
        }
    }
    assert!(keys(&whole["verdict"]).iter().all(|key| page.contains(&format!("`{key}`"))));
}

#[test]
fn a_healthy_capture_ends_with_0_and_its_connection_becomes_a_qlog() {
    let folder = std::env::temp_dir().join(format!("thru-doctor-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let (path, qlog) = (capture("ok-http.pcap"), folder.join("flow.qlog"));
    let output = doctor(&[path.to_str().unwrap(), "--qlog", qlog.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    let file: Value = serde_json::from_slice(&std::fs::read(&qlog).expect("it was written")).expect("JSON");
    assert_eq!(file["qlog_version"], "0.3");
    assert!(!file["traces"][0]["events"].as_array().expect("events").is_empty());
    std::fs::remove_dir_all(folder).expect("it goes away");
}

/// A packet of TCP between 10.0.0.1:40000 (`side` 0) and 10.0.0.2:80, as in a file of raw IP, at so many microseconds.
fn segment(side: usize, flags: u8, [seq, ack]: [u32; 2], payload: &[u8], micros: u32) -> Vec<u8> {
    let length = (40 + payload.len()) as u32;
    let mut packet: Vec<u8> = [1_700_000_000, micros, length, length].map(u32::to_be_bytes).concat();
    packet.extend([0x45, 0, (length >> 8) as u8, length as u8, 0, 0, 0, 0, 64, 6, 0, 0]);
    let mut ends: [[u8; 6]; 2] = [[10, 0, 0, 1, 0x9C, 0x40], [10, 0, 0, 2, 0, 80]];
    ends.rotate_left(side);
    packet.extend([&ends[0][..4], &ends[1][..4], &ends[0][4..], &ends[1][4..]].concat());
    packet.extend([seq.to_be_bytes(), ack.to_be_bytes()].concat());
    packet.extend([0x50, flags, 0x40, 0, 0, 0, 0, 0]);
    packet.extend(payload);
    packet
}

/// Where times run backwards a little, the last frame of a connection is not its latest.
#[test]
fn a_report_is_made_of_packets_whose_times_run_backwards() {
    let folder = std::env::temp_dir().join(format!("thru-backwards-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let (file, page) = (folder.join("a.pcap"), folder.join("page.html"));
    let mut bytes: Vec<u8> = [0xA1B2_C3D4_u32, 0x0002_0004, 0, 0, 65535, 101].map(u32::to_be_bytes).concat();
    // Somebody else comes first, so that the connection does not begin with the capture.
    let mut other = segment(0, 0x02, [1, 0], b"", 970_000);
    other[16 + 22..16 + 24].copy_from_slice(&81_u16.to_be_bytes());
    bytes.extend(other);
    bytes.extend(segment(0, 0x02, [1000, 0], b"", 980_000));
    bytes.extend(segment(1, 0x12, [5000, 1001], b"", 981_000));
    bytes.extend(segment(0, 0x18, [1001, 5001], b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 982_000));
    let answer = [&b"HTTP/1.1 200 OK\r\nContent-Length: 20000\r\n\r\n"[..], &[b'x'; 20_000]].concat();
    for (count, piece) in answer.chunks(1000).enumerate() {
        let (seq, micros) = (5001 + 1000 * count as u32, 983_000 + 500 * count as u32);
        bytes.extend(segment(1, 0x10, [seq, 1028], piece, micros));
        bytes.extend(segment(0, 0x10, [1028, seq + piece.len() as u32], b"", micros + 100));
    }
    bytes.extend(segment(0, 0x11, [1028, 5001 + answer.len() as u32], b"", 975_000));
    std::fs::write(&file, bytes).expect("the folder is ours");
    let [file, out] = [&file, &page].map(|path| path.to_str().expect("plain letters"));
    let output = doctor(&[file, "--report", out]);
    assert_ne!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(std::fs::read_to_string(&page).is_ok_and(|page| page.contains("What held the sender back")));
    std::fs::remove_dir_all(&folder).expect("gone");
}
