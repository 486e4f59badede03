//! `thru dig`: one question, everything about its answer, in dig's habits.

mod audit;
mod brief;
mod chain;
mod message;

use serde_json::json;
use thru_names::resolver::{ResolverConfig, Step};
use thru_probe::Recorder;
use thru_probe::dig::{DigAnswer, DigRequest, dig};
use thru_report::json as report_json;
use thru_report::text::{Style, tools};

use crate::Outcome;
use crate::args::{DigArgs, OwnArgs};
use crate::commands::masters;
use crate::failure::{FAULT, Failure, HEALTHY};
use crate::output;
use crate::place::Place;
use crate::session::Session;

/// Runs the command.
pub(crate) fn run(args: &DigArgs) -> Outcome {
    let (own, words) = OwnArgs::split(&args.words)?;
    let requests = requests(&words)?;
    let name = requests.first().map(|request| thru_names::text::name_text(&request.name));
    let place = Place::choose(&own.place, name.as_deref().unwrap_or_default())?;
    let hints = own.root_hints.as_deref().map(masters::hints).transpose()?;
    let anchors = (!own.anchor.is_empty()).then(|| masters::anchors(&own.anchor)).transpose()?;
    let (json, style) = (own.place.json, output::style(own.place.color));
    place.run(move |session| async move {
        let mut roots = match hints {
            Some(hints) => ResolverConfig::new(hints),
            None => roots(&session),
        };
        if let Some(anchors) = anchors {
            roots.anchors = anchors;
        }
        let mut worst = HEALTHY;
        for request in &requests {
            if !request.after.is_zero() {
                let network = session.network();
                network.sleep_until(network.now() + request.after).await;
            }
            match one(&session, request, &roots, json, &style).await {
                Ok(code) => worst = worst.max(code),
                Err(failure) if requests.len() == 1 => return Err(failure),
                // The others are asked all the same.
                Err(failure) => {
                    output::say(&failure.to_string());
                    worst = worst.max(failure.code);
                }
            }
        }
        Ok(worst)
    })?
}

/// The questions: one, or with `-f FILE` one for each line of the file, each with the words beside it, too.
fn requests(words: &[String]) -> Result<Vec<DigRequest>, Failure> {
    let parse =
        |words: &[String]| DigRequest::parse(words).map_err(|usage| Failure::usage(usage.what, usage.hint));
    let Some(at) = words.iter().position(|word| word == "-f") else { return Ok(vec![parse(words)?]) };
    let file = words.get(at + 1).ok_or_else(|| {
        Failure::usage("`-f` without a file", "write -f FILE, with a question on each line")
    })?;
    let text = std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("cannot read {file}: {error}"), "is the path right?"))?;
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.trim_start().starts_with([';', '#']) {
            continue;
        }
        let mut all: Vec<String> = words[..at].iter().chain(&words[at + 2..]).cloned().collect();
        all.extend(line.split_whitespace().map(str::to_owned));
        found.push(parse(&all).map_err(|failure| Failure {
            message: format!("{file}, line {}: {}", number + 1, failure.message),
            ..failure
        })?);
    }
    if found.is_empty() {
        return Err(Failure::usage(
            format!("{file} has no question"),
            "a line looks like `www.shop.lab AAAA`",
        ));
    }
    Ok(found)
}

/// Asks one question, and shows what came.
async fn one(
    session: &Session,
    request: &DigRequest,
    roots: &ResolverConfig,
    json: bool,
    style: &Style,
) -> Outcome {
    if request.check {
        return audit::run(session, request, roots.clone(), json).await;
    }
    if request.chain {
        return chain::run(session, request, roots.clone(), json).await;
    }
    let recorder = Recorder::new(session.network());
    let answer =
        dig(&recorder, request, roots.clone(), &session.hosts()).await.map_err(|failure| Failure {
            code: FAULT,
            message: failure.text,
            hint: "ask another server with @SERVER, or from the root down with +trace".to_string(),
            excerpt: None,
        })?;
    if json {
        output::print(&as_json(&answer));
    } else if request.short {
        output::print(&tools::lookup_short(&as_shown(request, &answer), style));
    } else if request.brief {
        output::print(&escape(&brief::line(request, &answer)));
    } else {
        for step in &answer.steps {
            let millis = step.took.as_nanos() as f64 / 1e6;
            output::print(&format!(";; {millis:7.1} ms  {}", escape(&step.to_string())));
        }
        output::print(&tools::lookup(&as_shown(request, &answer), style));
    }
    // As with dig itself, an answer is an answer, whatever it says.
    Ok(HEALTHY)
}

/// A line that no terminal acts on, ended.
fn escape(line: &str) -> String {
    thru_report::text::escape(line) + "\n"
}

fn roots(session: &Session) -> ResolverConfig {
    match session {
        Session::Host(_) | Session::Iface(_) => ResolverConfig::internet(),
        Session::Lab(internet) => internet.resolver_config(),
    }
}

fn as_shown(request: &DigRequest, answer: &DigAnswer) -> tools::Lookup {
    tools::Lookup {
        name: thru_names::text::name_text(&request.name),
        kind: thru_names::text::type_text(request.record_type),
        server: answer.server.map(|server| server.to_string()).unwrap_or_default(),
        transport: answer.transport.to_string(),
        rcode: answer.rcode.clone(),
        flags: answer.flags.iter().map(ToString::to_string).collect(),
        answer: records(&answer.answers),
        authority: records(&answer.authorities),
        additional: records(&answer.additionals),
        identity: answer.identity.clone(),
        extended_errors: answer
            .extended_error
            .iter()
            .map(|(code, text)| format!("{code} ({text})"))
            .collect(),
        took: answer.took.as_nanos() as u64,
        bytes: answer.size,
        failed: None,
    }
}

/// Master-file lines, `name ttl class type data`, in columns.
fn records(lines: &[String]) -> Vec<tools::Record> {
    lines
        .iter()
        .map(|line| {
            let mut words = line.splitn(5, [' ', '\t']);
            let mut next = || words.next().unwrap_or_default().to_string();
            let (name, ttl, class, kind, data) = (next(), next(), next(), next(), next());
            tools::Record { name, ttl: ttl.parse().unwrap_or_default(), class, kind, data }
        })
        .collect()
}

fn as_json(answer: &DigAnswer) -> String {
    let value = json!({
        "question": answer.question, "status": answer.rcode, "id": answer.id,
        "flags": answer.flags, "server": answer.server, "tcp": answer.over_tcp, "transport": answer.transport,
        "took_nanos": answer.took.as_nanos() as u64, "size": answer.size, "nsid": answer.identity,
        "extended_error": answer.extended_error.as_ref().map(|(code, text)| json!({"code": code, "text": text})),
        "answers": answer.answers, "authorities": answer.authorities, "additionals": answer.additionals,
        "message": answer.packet.as_deref().map(message::object),
        "short": answer.short, "steps": answer.steps.iter().map(step_json).collect::<Vec<_>>(),
    });
    report_json::line("dig", &value)
}

fn step_json(step: &Step) -> serde_json::Value {
    json!({
        "text": step.to_string(), "server": step.server, "zone": thru_names::text::name_text(&step.zone),
        "name": thru_names::text::name_text(&step.name),
        "type": thru_names::text::type_text(step.record_type),
        "at_nanos": step.at.nanos(), "took_nanos": step.took.as_nanos() as u64, "said": step.said.to_string(),
    })
}
