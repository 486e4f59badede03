//! `thru explain`: what a cause is, how it is seen, what looks the same, how to mend it.

use serde_json::json;
use thru_lab::scenario::check::CheckKind;
use thru_lab::{Scenario, builtin};
use thru_report::{json as report_json, text::explain as view};
use thru_trace::fault::{self, Fault};

use super::shown;
use crate::args::ExplainArgs;
use crate::failure::{Failure, HEALTHY};
use crate::{Outcome, output};

/// Runs the command.
pub(crate) fn run(args: &ExplainArgs) -> Outcome {
    let words = args.words.join(" ");
    let found: Vec<&Fault> = match fault::by_id(&words) {
        Some(cause) => vec![cause],
        None => fault::all().filter(|cause| speaks_of(cause, &words)).collect(),
    };
    if found.is_empty() {
        return Err(Failure::usage(
            format!("no cause is called `{words}`, and none speaks of it"),
            "`thru explain` without a word lists all causes",
        ));
    }
    let labs: Vec<Scenario> = builtin::names().filter_map(Scenario::builtin).collect();
    if args.json {
        for cause in &found {
            output::print(&report_json::line("cause", &object(cause, &labs)));
        }
        return Ok(HEALTHY);
    }
    let style = output::style(args.color);
    match found.as_slice() {
        [cause] => {
            let commands: Vec<String> =
                showing(&labs, cause).iter().filter_map(|lab| shown::command(lab, Some(cause.id))).collect();
            output::print(&view::page(cause, &commands, &style));
        }
        causes => {
            output::print(&view::list(causes, &style));
            output::say("`thru explain CODE` tells more\n");
        }
    }
    Ok(HEALTHY)
}

/// Whether every word stands in the cause's title, meaning or layer.
fn speaks_of(cause: &Fault, words: &str) -> bool {
    let text = format!("{} {} {}", cause.title, cause.meaning, cause.layer().word()).to_lowercase();
    words.to_lowercase().split_whitespace().all(|word| text.contains(word))
}

/// Those of the labs whose truth names the cause, alone or in a set; those where it stands alone come first.
fn showing<'l>(labs: &'l [Scenario], cause: &Fault) -> Vec<&'l Scenario> {
    let mut found: Vec<(usize, &Scenario)> = labs
        .iter()
        .filter_map(|lab| {
            let sets = lab.checks.iter().filter_map(|check| match &check.kind {
                CheckKind::Url { causes, .. } => causes.as_ref(),
                _ => None,
            });
            let size = sets.filter(|set| set.iter().any(|id| id == cause.id)).map(Vec::len).min()?;
            Some((size, lab))
        })
        .collect();
    found.sort_by(|(size, lab), (other_size, other)| (size, &lab.name).cmp(&(other_size, &other.name)));
    found.into_iter().map(|(_, lab)| lab).collect()
}

fn object(cause: &Fault, labs: &[Scenario]) -> serde_json::Value {
    let page = fault::page(cause.id);
    let labs = showing(labs, cause);
    json!({
        "id": cause.id,
        "layer": cause.layer(),
        "title": cause.title,
        "meaning": cause.meaning,
        "see": page.map(|page| page.see),
        "alike": page.map(|page| page.alike),
        "fix": page.map(|page| page.fix),
        "labs": labs.iter().map(|lab| &lab.name).collect::<Vec<_>>(),
        "commands": labs.iter().filter_map(|lab| shown::command(lab, Some(cause.id))).collect::<Vec<_>>(),
    })
}
