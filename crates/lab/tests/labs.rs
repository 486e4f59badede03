//! Every built-in lab, run: the internet is healthy, and each injected fault is found for what it is.

use std::time::Duration;

use thru_lab::run::check;
use thru_lab::scenario::CheckKind;
use thru_lab::scenario::check::Bounds;
use thru_lab::{Scenario, builtin};

/// Runs every check of a lab with these seeds; gives the complaints.
fn complaints(name: &str, seeds: std::ops::RangeInclusive<u64>) -> Vec<String> {
    let mut complaints = Vec::new();
    for seed in seeds {
        // The first as it is written, every other one varied.
        let scenario = if seed == 1 { Scenario::builtin(name) } else { Scenario::varied(name, seed) };
        let scenario = scenario.expect("it is built in");
        for wanted in &scenario.checks {
            match check(&scenario, seed, wanted) {
                Ok(result) if result.passed() => {}
                Ok(result) => complaints.push(format!(
                    "{name}, seed {seed}, {}: {} (seen: {})",
                    wanted.name,
                    result.complaints.join("; "),
                    result.seen
                )),
                Err(error) => complaints.push(format!("{name}, seed {seed}, {}: {error}", wanted.name)),
            }
        }
    }
    complaints
}

#[test]
fn every_fault_is_found_for_what_it_is() {
    let faults = builtin::names().filter(|name| *name != "internet");
    let complaints: Vec<String> = faults.flat_map(|name| complaints(name, 1..=2)).collect();
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn the_healthy_internet_raises_no_alarm() {
    let complaints = complaints("internet", 1..=8);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// The lab's own bounds leave room for every variation; as it is written, its shop is 25 to 40 ms away.
#[test]
fn the_internet_as_written_has_the_round_trips_of_its_links() {
    let mut internet = Scenario::builtin("internet").expect("it is built in");
    for wanted in &mut internet.checks {
        if let CheckKind::Ping { rtt: Some(bounds), .. } = &mut wanted.kind {
            *bounds = Bounds { from: Duration::from_millis(25), to: Some(Duration::from_millis(40)) };
        }
    }
    let pings =
        internet.checks.iter().filter(|wanted| matches!(wanted.kind, CheckKind::Ping { rtt: Some(_), .. }));
    let results: Vec<_> = pings.map(|wanted| check(&internet, 1, wanted).expect("it runs")).collect();
    assert!(!results.is_empty() && results.iter().all(|result| result.passed()));
}
