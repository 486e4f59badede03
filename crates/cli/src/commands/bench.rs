//! `thru bench`: how often the diagnosis is right.

use std::collections::BTreeMap;

use serde_json::json;
use thru_lab::score::passive::Opinion;
use thru_lab::score::{self, Judged, Outcome as Score, Tally};
use thru_lab::{Scenario, builtin};
use thru_report::{json as report_json, text::score as view};

use crate::args::{BenchCommand, Color};
use crate::failure::{Failure, HEALTHY, THRESHOLD};
use crate::{Outcome, output, place};

/// Runs the command.
pub(crate) fn run(command: &BenchCommand) -> Outcome {
    let BenchCommand::Verdict { labs, seeds, verbose, json } = command;
    let labs: Vec<Scenario> = if labs.is_empty() {
        builtin::names().filter_map(Scenario::builtin).collect()
    } else {
        labs.iter().map(|lab| place::scenario(lab, &[])).collect::<Result<_, _>>()?
    };
    let cases = score::cases(&labs, *seeds);
    if cases.is_empty() {
        return Err(Failure::usage(
            "none of these labs states a truth",
            "write [[check]] with url = \"https://...\" and causes = [\"IP19\"]",
        ));
    }
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let mut judged = Vec::with_capacity(cases.len());
    for result in score::run(&labs, &cases, threads) {
        judged.push(result.map_err(|error| Failure::undecided(error.to_string(), ""))?);
    }
    if *json {
        print_json(&judged)
    } else {
        print_text(&judged, *verbose)
    }
    let bad = judged.iter().any(|case| matches!(case.outcome, Score::Wrong | Score::FalseAlarm));
    Ok(if bad { THRESHOLD } else { HEALTHY })
}

/// Tallies by the layer of the truth, and over all.
fn tallies(judged: &[Judged]) -> (BTreeMap<String, Tally>, Tally) {
    let (mut layers, mut total) = (BTreeMap::<String, Tally>::new(), Tally::default());
    for case in judged {
        layers.entry(case.case.layer.clone()).or_default().add(case);
        total.add(case);
    }
    (layers, total)
}

/// What doctors say who have nothing but the capture; cases that a capture cannot tell are left out.
fn opinions<'a>(judged: &'a [Judged], of: impl Fn(&'a Judged) -> Option<&'a Opinion>) -> Tally {
    let mut tally = Tally::default();
    for case in judged {
        if let Some(opinion) = of(case) {
            tally.add_opinion(case, opinion);
        }
    }
    tally
}

fn print_text(judged: &[Judged], verbose: bool) {
    let (layers, total) = tallies(judged);
    let row = |name: &str, tally: &Tally| view::Row {
        name: name.to_string(),
        total: tally.total(),
        layers_right: tally.layers_right(),
        outcomes: Score::ALL.map(|outcome| tally.count(outcome)),
        packets: tally.most_packets(),
        seconds: tally.longest().as_secs_f64(),
    };
    let mut rows: Vec<view::Row> = layers.iter().map(|(name, tally)| row(name, tally)).collect();
    rows.push(row("all", &total));
    rows.push(row("passive", &opinions(judged, |case| case.passive.as_ref())));
    rows.push(row("sealed", &opinions(judged, |case| case.sealed.as_ref())));
    let misses: Vec<view::Miss> = judged
        .iter()
        .filter(|case| verbose && case.outcome != Score::Right)
        .map(|case| view::Miss {
            command: format!("thru {} --on lab:{} --seed {}", case.case.url, case.case.lab, case.case.seed),
            outcome: case.outcome.word().replace('_', " "),
            truth: case.case.truth.iter().cloned().collect(),
            named: case.verdict.causes.clone(),
            said: case.verdict.summary.clone(),
        })
        .collect();
    let mut misses = misses;
    for case in judged.iter().filter(|_| verbose) {
        for (how, opinion) in [("passive", &case.passive), ("sealed", &case.sealed)] {
            let Some(opinion) = opinion.as_ref().filter(|opinion| opinion.outcome != Score::Right) else {
                continue;
            };
            misses.push(view::Miss {
                command: format!(
                    "thru {} --on lab:{} --seed {} -w - | thru doctor -",
                    case.case.url, case.case.lab, case.case.seed
                ),
                outcome: format!("{how}, {}", opinion.outcome.word().replace('_', " ")),
                truth: case.case.truth.iter().cloned().collect(),
                named: opinion.verdict.causes.clone(),
                said: opinion.verdict.summary.clone(),
            });
        }
    }
    output::print(&view::table(&rows, &misses, &output::style(Color::Auto)));
}

fn opinion_value(opinion: &Opinion) -> serde_json::Value {
    json!({"outcome": opinion.outcome.word(), "layer_right": opinion.layer_right, "causes": opinion.verdict.causes})
}

fn print_json(judged: &[Judged]) {
    for case in judged {
        let value = json!({
            "lab": case.case.lab, "url": case.case.url, "seed": case.case.seed,
            "truth": case.case.truth, "truth_layer": case.case.layer,
            "outcome": case.outcome.word(), "layer_right": case.layer_right,
            "causes": case.verdict.causes, "layer": case.verdict.layer.to_string(),
            "passive": case.passive.as_ref().map(opinion_value), "sealed": case.sealed.as_ref().map(opinion_value),
            "confidence": case.verdict.confidence, "packets": case.packets, "seconds": case.took.as_secs_f64(),
        });
        output::print(&report_json::line("case", &value));
    }
    let (layers, total) = tallies(judged);
    let value = |tally: &Tally| {
        let outcomes: BTreeMap<&str, usize> =
            Score::ALL.iter().map(|outcome| (outcome.word(), tally.count(*outcome))).collect();
        json!({"total": tally.total(), "layer_right": tally.layers_right(), "outcomes": outcomes,
            "most_packets": tally.most_packets(), "longest_seconds": tally.longest().as_secs_f64()})
    };
    let by_layer: BTreeMap<&String, _> = layers.iter().map(|(name, tally)| (name, value(tally))).collect();
    let passive = opinions(judged, |case| case.passive.as_ref());
    let sealed = opinions(judged, |case| case.sealed.as_ref());
    output::print(&report_json::line(
        "score",
        &json!({"all": value(&total), "by_layer": by_layer, "passive": value(&passive), "sealed": value(&sealed)}),
    ));
}
