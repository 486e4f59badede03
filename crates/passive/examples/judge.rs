//! The doctor without the rest of the program: verdicts on captures as `thru doctor FILE --json` prints them for the
//! whole, for experiments on many files.
//!
//! `cargo run -p thru-passive --example judge -- [--flows] [--sealed] [--keylog FILE] CAPTURE...`, `--sealed` without the secrets in the captures.

use std::fs::File;
use std::io::BufReader;

use serde_json::json;
use thru_dissect::Meta;
use thru_dissect::file::{Item, Reader, SECRETS_TLS_KEY_LOG};
use thru_passive::{Doctor, Examination};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let (mut keys, mut with_flows, mut sealed, mut paths) = (None, false, false, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--keylog" => keys = Some(std::fs::read(arguments.next().ok_or("--keylog wants a file")?)?),
            "--flows" => with_flows = true,
            "--sealed" => sealed = true,
            // So that it can stand in for the program itself.
            "doctor" | "--json" => {}
            path => paths.push(path.to_owned()),
        }
    }
    for path in &paths {
        let found = examine(path, keys.as_deref(), sealed)?;
        let flows = found.flows.iter().filter(|_| with_flows);
        for flow in flows {
            let ends = format!("{} > {}", flow.client, flow.server);
            let line = json!({"file": path, "scope": "flow", "ends": ends, "captured_at": flow.place.word(),
                        "verdict": flow.verdict, "spans": flow.trace.spans});
            println!("{line}");
        }
        let spans = with_flows.then_some(&found.trace.spans);
        let line = json!({"file": path, "scope": "capture", "verdict": found.verdict, "spans": spans});
        println!("{line}");
    }
    Ok(())
}

fn examine(path: &str, keys: Option<&[u8]>, sealed: bool) -> Result<Examination, Failure> {
    let mut reader = Reader::new(BufReader::new(File::open(path)?))?;
    let mut doctor = Doctor::new();
    if let Some(keys) = keys {
        doctor.key_log(keys);
    }
    let mut interfaces = reader.interfaces().to_vec();
    loop {
        match reader.next() {
            Ok(Some(Item::Packet(record))) => {
                let comments: Vec<String> = record.comments().collect();
                let meta = Meta::of(&record, interfaces.get(record.interface as usize));
                doctor.packet(&Meta { comments: &comments, ..meta }, record.bytes);
            }
            Ok(Some(Item::Secrets { kind: SECRETS_TLS_KEY_LOG, bytes })) if !sealed => doctor.key_log(bytes),
            Ok(Some(Item::Section(_))) => interfaces.clear(),
            Ok(Some(Item::Interface(_))) => interfaces = reader.interfaces().to_vec(),
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => return Ok(doctor.finish()),
        }
    }
}
