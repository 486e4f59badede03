//! `thru explain`: what a cause is, how it is seen, what looks the same, how to mend it.

use serde_json::json;
use thru_lab::scenario::check::{Check, CheckKind};
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
            let labs = showing(&labs, cause);
            let commands: Vec<String> =
                labs.iter().filter_map(|lab| shown::command(lab, Some(cause.id))).collect();
            output::print(&view::page(cause, &commands, seen_as(&labs, cause).as_deref(), &style));
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

/// Those of the labs whose truth names the cause, alone or in a set; those where it stands alone come first, those that
/// only have its effect last.
fn showing<'l>(labs: &'l [Scenario], cause: &Fault) -> Vec<&'l Scenario> {
    let size = |check: &Check| match &check.kind {
        CheckKind::Url { causes: Some(causes), .. } if causes.iter().any(|id| id == cause.id) => {
            Some(causes.len())
        }
        _ => check.injected.iter().any(|id| id == cause.id).then_some(usize::MAX),
    };
    let mut found: Vec<(usize, &Scenario)> =
        labs.iter().filter_map(|lab| Some((lab.checks.iter().filter_map(size).min()?, lab))).collect();
    found.sort_by(|(size, lab), (other_size, other)| (size, &lab.name).cmp(&(other_size, &other.name)));
    found.into_iter().map(|(_, lab)| lab).collect()
}

/// What else is to be said of the labs: that a client there sees an effect, and not the cause.
fn seen_as(labs: &[&Scenario], cause: &Fault) -> Option<String> {
    let mut seen: Vec<&str> = Vec::new();
    for check in labs.iter().flat_map(|lab| &lab.checks) {
        let CheckKind::Url { causes: Some(causes), .. } = &check.kind else { continue };
        if causes.iter().any(|id| id == cause.id) {
            return None;
        }
        if check.injected.iter().any(|id| id == cause.id) {
            seen.extend(causes.iter().map(String::as_str));
            if causes.is_empty() {
                seen.push("nothing wrong");
            }
        }
    }
    seen.sort_unstable();
    seen.dedup();
    (!seen.is_empty()).then(|| format!("There a client sees only its effect: {}.", seen.join(", ")))
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
        "seen_as": seen_as(&labs, cause),
        "commands": labs.iter().filter_map(|lab| shown::command(lab, Some(cause.id))).collect::<Vec<_>>(),
    })
}
