//! `+brief`: the answer in one line for people.

use thru_names::text::{name_text, type_text};
use thru_probe::dig::{DigAnswer, DigRequest};

/// One line: what the name is, whether it was checked, for how long it holds, who said so.
pub(super) fn line(request: &DigRequest, answer: &DigAnswer) -> String {
    let (name, kind) = (name_text(&request.name), type_text(request.record_type));
    let name = if name == "." { "the root" } else { name.trim_end_matches('.') };
    let kind_suffix = format!(" {kind} ");
    let wanted: Vec<&String> =
        answer.answers.iter().filter(|line| line.contains(&format!(" IN{kind_suffix}"))).collect();
    let data = |line: &&String| {
        line.split_once(&format!(" IN{kind_suffix}")).map_or("", |(_, data)| data).to_owned()
    };
    let says = match (answer.rcode.as_str(), wanted.is_empty()) {
        ("NXDOMAIN", _) => "does not exist".to_owned(),
        ("NOERROR", true) => format!("has no {kind} record"),
        ("NOERROR", false) => {
            let all: Vec<String> = wanted.iter().map(data).collect();
            let verb = if matches!(kind.as_str(), "A" | "AAAA") {
                "is at".to_owned()
            } else {
                format!("has {kind}")
            };
            format!("{verb} {}", all.join(", "))
        }
        (code, _) => match &answer.extended_error {
            Some((_, why)) if !why.is_empty() => format!("could not be looked up ({code}): {why}"),
            _ => format!("could not be looked up ({code})"),
        },
    };
    let mut notes = Vec::new();
    if answer.flags.contains(&"ad") {
        notes.push("signed and checked".to_owned());
    }
    let ttl = wanted.iter().filter_map(|line| line.split(' ').nth(1)?.parse::<u64>().ok()).min();
    if let Some(seconds) = ttl {
        notes.push(format!("good for {}", duration(seconds)));
    }
    if let Some(server) = answer.server {
        notes.push(format!("{} said so in {:.1} ms", server.ip(), answer.took.as_nanos() as f64 / 1e6));
    }
    format!("{name} {says} ({})", notes.join("; "))
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
