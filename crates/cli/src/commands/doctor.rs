//! `thru doctor`: a capture file, judged.

use std::path::Path;

use serde_json::json;
use thru_dissect::Meta;
use thru_dissect::file::{FileError, Interface, Item, Reader, SECRETS_TLS_KEY_LOG};
use thru_lab::run::exit_code;
use thru_passive::{Doctor, Examination, FlowReport};
use thru_report::json as report_json;
use thru_report::text::doctor as view;
use thru_trace::{Trace, Verdict};

use super::read::source::{self, Source};
use crate::args::captures::DoctorArgs;
use crate::failure::Failure;
use crate::{Outcome, output, save};

/// Runs the command.
pub(crate) fn run(args: &DoctorArgs) -> Outcome {
    let path = args.file.display();
    for to in args.report.iter().chain(&args.qlog) {
        args.keylog.iter().chain([&args.file]).try_for_each(|from| save::not_over(from, to))?;
    }
    let mut reader =
        Reader::new(source::open(&args.file)?).map_err(|error| source::no_capture(&args.file, error))?;
    let mut doctor = Doctor::new();
    for path in &args.keylog {
        doctor.key_log(&key_log(path)?);
    }
    if let Some(error) = take_all(&mut reader, &mut doctor) {
        output::say(&format!("note: `{path}` cannot be read to its end: {error}\n"));
    }
    let found = doctor.finish();
    // A file that cannot be written does not take the answer along.
    let saved = save_all(args, &found.trace, &found.verdict);
    if args.json {
        for flow in &found.flows {
            output::print(&flow_line(flow));
        }
        output::print(&capture_line(&found));
    } else {
        let flows: Vec<view::Flow> = found.flows.iter().map(view_of).collect();
        let style = output::style(args.color);
        output::print(&view::render(
            &found.trace,
            &found.verdict,
            found.place.word(),
            &flows,
            args.all,
            &style,
        ));
    }
    saved.map(|()| exit_code(&found.verdict))
}

/// Writes the files that were asked for.
fn save_all(args: &DoctorArgs, trace: &Trace, verdict: &Verdict) -> Result<(), Failure> {
    if let Some(path) = &args.report {
        save::report(path, trace, verdict)?;
    }
    if let Some(path) = &args.qlog {
        save::qlog(path, trace, verdict)?;
    }
    Ok(())
}

fn key_log(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| {
        Failure::usage(
            format!("cannot read `{}`: {error}", path.display()),
            "a key log has lines such as CLIENT_RANDOM 12ab... 34cd...; programs write it when SSLKEYLOGFILE is set",
        )
    })
}

/// Reads to the end; gives what was wrong with the file. What comes before it is judged all the same.
fn take_all(reader: &mut Reader<Source>, doctor: &mut Doctor) -> Option<FileError> {
    let mut interfaces: Vec<Interface> = reader.interfaces().to_vec();
    loop {
        match reader.next() {
            Ok(None) => return None,
            Err(error) => return Some(error),
            Ok(Some(Item::Packet(record))) => {
                let interface = interfaces.get(record.interface as usize);
                // They tell what `thru` itself sent to explain a request from the request.
                let comments: Vec<String> = record.comments().collect();
                let meta = Meta { comments: &comments, ..Meta::of(&record, interface) };
                doctor.packet(&meta, record.bytes);
            }
            Ok(Some(Item::Secrets { kind: SECRETS_TLS_KEY_LOG, bytes })) => doctor.key_log(bytes),
            Ok(Some(Item::Section(_))) => interfaces.clear(),
            Ok(Some(Item::Interface(at))) => interfaces.extend(reader.interfaces().get(at as usize).cloned()),
            Ok(Some(_)) => {}
        }
    }
}

fn flow_line(flow: &FlowReport) -> String {
    report_json::scoped(
        "flow",
        &json!({
            "protocol": flow.protocol.word(),
            "client": flow.client.to_string(),
            "server": flow.server.to_string(),
            "name": flow.name,
            "first_frame": flow.frames.0,
            "last_frame": flow.frames.1,
            "packets": flow.packets,
            "captured_at": flow.place.word(),
            "epoch_unix_nanos": flow.trace.epoch_unix_nanos,
            "verdict": flow.verdict,
            "spans": flow.trace.spans,
        }),
    )
}

fn capture_line(found: &Examination) -> String {
    report_json::scoped(
        "capture",
        &json!({
            "target": found.trace.target,
            "flows": found.flows.len(),
            "captured_at": found.place.word(),
            "epoch_unix_nanos": found.trace.epoch_unix_nanos,
            "verdict": found.verdict,
            "spans": found.trace.spans,
        }),
    )
}

fn view_of(flow: &FlowReport) -> view::Flow {
    view::Flow {
        protocol: flow.protocol.word().to_owned(),
        client: flow.client.to_string(),
        server: flow.server.to_string(),
        name: flow.name.clone().unwrap_or_default(),
        frames: flow.frames,
        status: flow.verdict.status,
        causes: flow.verdict.causes.clone(),
        says: flow.verdict.summary.clone(),
    }
}
