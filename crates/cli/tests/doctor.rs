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
