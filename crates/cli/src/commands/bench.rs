//! `thru bench`: how often the diagnosis is right.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::json;
use thru_lab::score::baseline::{self, Reading, Said, best_reading};
use thru_lab::score::mutilate::{self, Mutilation};
use thru_lab::score::passive::Opinion;
use thru_lab::score::{self, Case, Judged, Outcome as Score, Tally};
use thru_lab::{Scenario, builtin};
use thru_report::{json as report_json, text::score as view};

use crate::args::Color;
use crate::args::labs::BenchCommand;
use crate::failure::{Failure, HEALTHY, THRESHOLD};
use crate::{Outcome, output, place};

/// Runs the command.
pub(crate) fn run(command: &BenchCommand) -> Outcome {
    let BenchCommand::Verdict { labs, seeds, from, random, verbose, beside, mutilated, json } = command;
    let (mut from, mut seeds) = (*from, *seeds);
    let labs: Vec<Scenario> = if let Some(count) = random {
        let made = (from..from.saturating_add(*count)).map(thru_lab::random::scenario).collect();
        (from, seeds) = (1, 1);
        made
    } else if labs.is_empty() {
        builtin::names().filter_map(Scenario::builtin).collect()
    } else {
        labs.iter().map(|lab| place::scenario(lab, &[])).collect::<Result<_, _>>()?
    };
    let cases = score::cases(&labs, from..=from.saturating_add(seeds.saturating_sub(1)));
    if cases.is_empty() {
        return Err(Failure::usage(
            "none of these labs states a truth",
            "write [[check]] with url = \"https://...\" and causes = [\"IP19\"]",
        ));
    }
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    if *mutilated {
        return mutilated_captures(&labs, &cases, threads, *verbose);
    }
    let mut judged = Vec::with_capacity(cases.len());
    for result in score::run(&labs, &cases, threads) {
        judged.push(result.map_err(|error| Failure::undecided(error.to_string(), ""))?);
    }
    let beside = if *beside { others(&labs, &cases, &judged)? } else { Vec::new() };
    if *json {
        print_json(&judged, &beside)
    } else {
        print_text(&judged, &beside, *verbose)
    }
    let is_bad = |outcome: Score| matches!(outcome, Score::Wrong | Score::FalseAlarm);
    let bad = judged.iter().any(|case| {
        let opinions = [&case.passive, &case.sealed].into_iter().flatten().map(|opinion| opinion.outcome);
        opinions.chain([case.outcome]).any(is_bad) || !case.over_budget().is_empty()
    });
    Ok(if bad { THRESHOLD } else { HEALTHY })
}

/// The score of a doctor on captures of these cases with something done to them, a row for each way to do it.
fn mutilated_captures(labs: &[Scenario], cases: &[Case], threads: usize, verbose: bool) -> Outcome {
    let (mut rows, mut all) = (BTreeMap::<Mutilation, Tally>::new(), Tally::default());
    let mut misses = Vec::new();
    let judged =
        score::run_each(labs, cases, threads, |lab, case| (case.clone(), mutilate::judge(lab, case)));
    for (case, opinions) in judged {
        for (mutilation, opinion) in opinions.map_err(|error| Failure::undecided(error.to_string(), ""))? {
            rows.entry(mutilation).or_default().add_only_opinion(&opinion);
            all.add_only_opinion(&opinion);
            if verbose && matches!(opinion.outcome, Score::Wrong | Score::FalseAlarm) {
                misses.push(view::Miss {
                    command: format!("{} of lab:{}~{}", mutilation.word(), case.lab, case.seed),
                    outcome: opinion.outcome.word().replace('_', " "),
                    truth: case.truth.iter().cloned().collect(),
                    named: opinion.verdict.causes.clone(),
                    said: opinion.verdict.summary.clone(),
                });
            }
        }
    }
    let row = |name: String, tally: &Tally| view::Row {
        name,
        total: tally.total(),
        layers_right: tally.layers_right(),
        outcomes: Score::ALL.map(|outcome| tally.count(outcome)),
        packets: 0,
        seconds: 0.0,
        beyond: 0.0,
    };
    let mut table: Vec<view::Row> = rows.iter().map(|(way, tally)| row(way.word(), tally)).collect();
    table.push(row(String::from("all"), &all));
    output::print(&view::table(&table, &misses, &output::style(Color::Auto)));
    let bad = all.count(Score::Wrong) + all.count(Score::FalseAlarm) > 0;
    Ok(if bad { THRESHOLD } else { HEALTHY })
}

/// What other tools tell of the same cases.
fn others(
    labs: &[Scenario],
    cases: &[Case],
    judged: &[Judged],
) -> Result<Vec<(&'static str, Reading)>, Failure> {
    let codes = judged.iter().map(|case| Said::of(&case.case, baseline::curl(&case.verdict)));
    let mut rows = vec![("curl", best_reading(&codes.collect::<Vec<_>>()))];
    rows.extend(expert(labs, cases)?.map(|reading| ("tshark", reading)));
    Ok(rows)
}

/// What tshark's expert information says of each case of seed 1; `None` where it is not installed.
fn expert(labs: &[Scenario], cases: &[Case]) -> Result<Option<Reading>, Failure> {
    let installed = Command::new("tshark").arg("--version").stdout(Stdio::null()).status();
    if !installed.is_ok_and(|status| status.success()) {
        output::say("tshark is not installed, so its expert information stands in no row\n");
        return Ok(None);
    }
    let mut said = Vec::new();
    for case in cases.iter().filter(|case| case.seed == 1) {
        let Some(lab) = labs.iter().find(|lab| lab.name == case.lab) else { continue };
        let trace =
            baseline::capture(lab, case).map_err(|error| Failure::undecided(error.to_string(), ""))?;
        let mut file = Vec::new();
        thru_report::pcapng::write(&trace, &mut file).expect("memory takes all");
        let words = expert_words(file)
            .map_err(|error| Failure::undecided(format!("tshark cannot be run: {error}"), ""))?;
        said.push(Said::of(case, words));
    }
    Ok(Some(best_reading(&said)))
}

/// The expert items of a capture that are warnings or errors, each once.
fn expert_words(file: Vec<u8>) -> std::io::Result<String> {
    let items = ["-Y", "_ws.expert.severity >= 0x00600000", "-T", "fields", "-e", "_ws.expert.message"];
    let mut tshark = Command::new("tshark")
        .args(["-n", "-r", "-"])
        .args(items)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut input = tshark.stdin.take();
    let writer = std::thread::spawn(move || input.as_mut().map(|input| input.write_all(&file)));
    let answer = tshark.wait_with_output()?;
    // A reader that ends early has said all it will.
    let _ = writer.join();
    let text = String::from_utf8_lossy(&answer.stdout);
    let words: BTreeSet<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    Ok(words.into_iter().collect::<Vec<_>>().join("; "))
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

fn print_text(judged: &[Judged], beside: &[(&str, Reading)], verbose: bool) {
    let (layers, total) = tallies(judged);
    let row = |name: &str, tally: &Tally| view::Row {
        name: name.to_string(),
        total: tally.total(),
        layers_right: tally.layers_right(),
        outcomes: Score::ALL.map(|outcome| tally.count(outcome)),
        packets: tally.most_packets(),
        seconds: tally.longest().as_secs_f64(),
        beyond: tally.most_beyond().as_secs_f64(),
    };
    let mut rows: Vec<view::Row> = layers.iter().map(|(name, tally)| row(name, tally)).collect();
    rows.push(row("all", &total));
    rows.push(row("passive", &opinions(judged, |case| case.passive.as_ref())));
    rows.push(row("sealed", &opinions(judged, |case| case.sealed.as_ref())));
    rows.extend(beside.iter().map(|(name, reading)| view::Row {
        name: (*name).to_owned(),
        total: reading.total,
        layers_right: reading.layers,
        outcomes: [
            reading.causes,
            0,
            0,
            reading.missed,
            reading.total - reading.causes - reading.missed - reading.alarms,
            reading.alarms,
        ],
        packets: 0,
        seconds: 0.0,
        beyond: 0.0,
    }));
    let misses: Vec<view::Miss> = judged
        .iter()
        .filter(|case| verbose && case.outcome != Score::Right)
        .map(|case| view::Miss {
            command: format!(
                "thru {} --on lab:{lab}~{seed} --seed {seed}",
                case.case.url,
                lab = case.case.lab,
                seed = case.case.seed
            ),
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
                    "thru {} --on lab:{lab}~{seed} --seed {seed} -w - | thru doctor -",
                    case.case.url,
                    lab = case.case.lab,
                    seed = case.case.seed
                ),
                outcome: format!("{how}, {}", opinion.outcome.word().replace('_', " ")),
                truth: case.case.truth.iter().cloned().collect(),
                named: opinion.verdict.causes.clone(),
                said: opinion.verdict.summary.clone(),
            });
        }
    }
    for case in judged.iter().filter(|case| verbose && case.mentioned == Some(false)) {
        misses.push(view::Miss {
            command: format!(
                "thru {} --on lab:{lab}~{seed} --seed {seed}",
                case.case.url,
                lab = case.case.lab,
                seed = case.case.seed
            ),
            outcome: "second fault not mentioned".to_string(),
            truth: case.case.also.iter().cloned().collect(),
            named: case.verdict.also.iter().flat_map(|also| also.causes.iter().cloned()).collect(),
            said: case.verdict.summary.clone(),
        });
    }
    output::print(&view::table(&rows, &misses, &output::style(Color::Auto)));
    let dear: Vec<&Judged> = judged.iter().filter(|case| !case.over_budget().is_empty()).collect();
    if !dear.is_empty() {
        output::print(&format!("over the budget of a diagnosis: {} of {}\n", dear.len(), judged.len()));
    }
    for case in dear.iter().filter(|_| verbose) {
        let (lab, seed) = (&case.case.lab, case.case.seed);
        output::print(&format!("  lab:{lab}~{seed}: {}\n", case.over_budget().join("; ")));
    }
    let (both, two) = two_faults(judged);
    if two > 0 {
        output::print(&format!(
            "two faults at once: the first named and the second mentioned in {both} of {two}\n"
        ));
    }
}

/// In how many cases with two faults the first is named and the second mentioned, and how many there are.
fn two_faults(judged: &[Judged]) -> (usize, usize) {
    let two: Vec<&Judged> = judged.iter().filter(|case| case.mentioned.is_some()).collect();
    let both = two.iter().filter(|case| case.outcome == Score::Right && case.mentioned == Some(true)).count();
    (both, two.len())
}

fn opinion_value(opinion: &Opinion) -> serde_json::Value {
    json!({"outcome": opinion.outcome.word(), "layer_right": opinion.layer_right, "causes": opinion.verdict.causes})
}

fn print_json(judged: &[Judged], beside: &[(&str, Reading)]) {
    for case in judged {
        let value = json!({
            "lab": case.case.lab, "url": case.case.url, "seed": case.case.seed,
            "truth": case.case.truth, "truth_layer": case.case.layer,
            "outcome": case.outcome.word(), "layer_right": case.layer_right,
            "second": case.case.also, "second_mentioned": case.mentioned,
            "causes": case.verdict.causes, "layer": case.verdict.layer.to_string(),
            "passive": case.passive.as_ref().map(opinion_value), "sealed": case.sealed.as_ref().map(opinion_value),
            "confidence": case.verdict.confidence, "packets": case.packets, "seconds": case.took.as_secs_f64(),
            "seconds_beyond": case.beyond.as_secs_f64(), "over_budget": case.over_budget(),
        });
        output::print(&report_json::line("case", &value));
    }
    let (layers, total) = tallies(judged);
    let value = |tally: &Tally| {
        let outcomes: BTreeMap<&str, usize> =
            Score::ALL.iter().map(|outcome| (outcome.word(), tally.count(*outcome))).collect();
        json!({"total": tally.total(), "layer_right": tally.layers_right(), "outcomes": outcomes,
            "most_packets": tally.most_packets(), "longest_seconds": tally.longest().as_secs_f64(),
            "most_seconds_beyond": tally.most_beyond().as_secs_f64()})
    };
    let reading = |reading: &Reading| {
        json!({"total": reading.total, "layer_right": reading.layers, "right": reading.causes, "missed": reading.missed,
            "false_alarm": reading.alarms, "words": reading.words})
    };
    let beside: BTreeMap<&str, _> = beside.iter().map(|(name, known)| (*name, reading(known))).collect();
    let by_layer: BTreeMap<&String, _> = layers.iter().map(|(name, tally)| (name, value(tally))).collect();
    let passive = opinions(judged, |case| case.passive.as_ref());
    let sealed = opinions(judged, |case| case.sealed.as_ref());
    output::print(&report_json::line(
        "score",
        &json!({"all": value(&total), "by_layer": by_layer, "passive": value(&passive), "sealed": value(&sealed),
            "two_faults": {"total": two_faults(judged).1, "both": two_faults(judged).0}, "beside": beside}),
    ));
}
