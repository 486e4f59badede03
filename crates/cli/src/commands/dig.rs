//! `thru dig`: one question, everything about its answer, in dig's habits.

use serde_json::json;
use thru_names::resolver::{ResolverConfig, iana_root_hints};
use thru_names::text::parse_name;
use thru_probe::Recorder;
use thru_probe::dig::{DigAnswer, DigRequest, dig};

use crate::Outcome;
use crate::args::{DigArgs, OwnArgs};
use crate::failure::{FAULT, Failure, HEALTHY};
use crate::output;
use crate::place::Place;
use crate::session::Session;

/// Runs the command.
pub fn run(args: &DigArgs) -> Outcome {
    let (own, words) = OwnArgs::split(&args.words)?;
    let request = DigRequest::parse(&words).map_err(|usage| Failure::usage(usage.what, usage.hint))?;
    let name = thru_names::text::name_text(&request.name);
    let place = Place::choose(&own, &name)?;
    let json = own.json;
    place.run(move |session| async move {
        let recorder = Recorder::new(session.network());
        let answer =
            dig(&recorder, &request, roots(&session), &session.hosts()).await.map_err(|failure| Failure {
                code: FAULT,
                message: failure.text,
                hint: "ask another server with @SERVER, or from the root down with +trace".to_string(),
                excerpt: None,
            })?;
        output::print(&if json { as_json(&answer) } else { as_text(&request, &answer) });
        // As with dig itself, an answer is an answer, whatever it says.
        Ok(HEALTHY)
    })?
}

fn roots(session: &Session) -> ResolverConfig {
    let hints = match session {
        Session::Host(_) => iana_root_hints(),
        Session::Lab(internet) => {
            let name = parse_name("a.root-servers.lab.").expect("a legal name");
            vec![(name, internet.root_hints())]
        }
    };
    ResolverConfig::new(hints)
}

fn as_text(request: &DigRequest, answer: &DigAnswer) -> String {
    let mut out = String::new();
    if request.short {
        for line in &answer.short {
            out.push_str(&format!("{line}\n"));
        }
        return out;
    }
    if request.trace {
        for step in &answer.steps {
            out.push_str(&format!(";; {step}\n"));
        }
    }
    out.push_str(&format!(";; ->>HEADER<<- status: {}, id: {}\n", answer.rcode, answer.id));
    out.push_str(&format!(
        ";; flags: {}; ANSWER: {}, AUTHORITY: {}, ADDITIONAL: {}\n",
        answer.flags.join(" "),
        answer.answers.len(),
        answer.authorities.len(),
        answer.additionals.len()
    ));
    if let Some((version, size)) = answer.edns {
        out.push_str(&format!("; EDNS: version: {version}, udp: {size}\n"));
    }
    if let Some((code, text)) = &answer.extended_error {
        out.push_str(&format!("; EDE: {code} ({text})\n"));
    }
    out.push_str(&format!("\n;; QUESTION SECTION:\n;{}\n", answer.question));
    for (title, lines) in
        [("ANSWER", &answer.answers), ("AUTHORITY", &answer.authorities), ("ADDITIONAL", &answer.additionals)]
    {
        if !lines.is_empty() {
            out.push_str(&format!("\n;; {title} SECTION:\n{}\n", lines.join("\n")));
        }
    }
    out.push_str(&format!("\n;; Query time: {}\n", super::ping::milliseconds(answer.took)));
    if let Some(server) = answer.server {
        let over = if answer.over_tcp { "TCP" } else { "UDP" };
        out.push_str(&format!(";; SERVER: {}#{} ({over})\n", server.ip(), server.port()));
    }
    out.push_str(&format!(";; MSG SIZE  rcvd: {}\n", answer.size));
    out
}

fn as_json(answer: &DigAnswer) -> String {
    let value = json!({
        "schema_version": 1, "question": answer.question, "status": answer.rcode, "id": answer.id,
        "flags": answer.flags, "server": answer.server, "tcp": answer.over_tcp,
        "took_nanos": answer.took.as_nanos() as u64, "size": answer.size,
        "extended_error": answer.extended_error.as_ref().map(|(code, text)| json!({"code": code, "text": text})),
        "answers": answer.answers, "authorities": answer.authorities, "additionals": answer.additionals,
        "short": answer.short,
    });
    format!("{value}\n")
}
