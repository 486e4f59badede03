//! `thru dig`: one question, everything about its answer, in dig's habits.

mod audit;
mod brief;
mod chain;
mod message;

use serde_json::json;
use thru_names::resolver::{ResolverConfig, Step};
use thru_probe::Recorder;
use thru_probe::dig::{DigAnswer, DigRequest, dig};
use thru_report::{json as report_json, text::tools};

use crate::Outcome;
use crate::args::{DigArgs, OwnArgs};
use crate::failure::{FAULT, Failure, HEALTHY};
use crate::output;
use crate::place::Place;
use crate::session::Session;

/// Runs the command.
pub(crate) fn run(args: &DigArgs) -> Outcome {
    let (own, words) = OwnArgs::split(&args.words)?;
    let request = DigRequest::parse(&words).map_err(|usage| Failure::usage(usage.what, usage.hint))?;
    let name = thru_names::text::name_text(&request.name);
    let place = Place::choose(&own, &name)?;
    let (json, style) = (own.json, output::style(own.color));
    place.run(move |session| async move {
        if request.check {
            return audit::run(&session, &request, json).await;
        }
        if request.chain {
            return chain::run(&session, &request, json).await;
        }
        let recorder = Recorder::new(session.network());
        let answer =
            dig(&recorder, &request, roots(&session), &session.hosts()).await.map_err(|failure| Failure {
                code: FAULT,
                message: failure.text,
                hint: "ask another server with @SERVER, or from the root down with +trace".to_string(),
                excerpt: None,
            })?;
        if json {
            output::print(&as_json(&answer));
        } else if request.short {
            output::print(&tools::lookup_short(&as_shown(&request, &answer), &style));
        } else if request.brief {
            output::print(&escape(&brief::line(&request, &answer)));
        } else {
            for step in &answer.steps {
                let millis = step.took.as_nanos() as f64 / 1e6;
                output::print(&format!(";; {millis:7.1} ms  {}", escape(&step.to_string())));
            }
            output::print(&tools::lookup(&as_shown(&request, &answer), &style));
        }
        // As with dig itself, an answer is an answer, whatever it says.
        Ok(HEALTHY)
    })?
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
        "took_nanos": answer.took.as_nanos() as u64, "size": answer.size,
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
