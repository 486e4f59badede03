//! The page about labs is true: its example runs, and it names everything there is.

use thru_lab::run::check;
use thru_lab::{Scenario, link};

const PAGE: &str = include_str!("../../../docs/labs.md");

fn example() -> Scenario {
    let text = PAGE
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("the page has an example");
    Scenario::parse(text, "docs/labs.md").unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_example_runs() {
    let scenario = example();
    for wanted in &scenario.checks {
        let result = check(&scenario, 1, wanted).expect("it comes to its end");
        assert!(result.passed(), "{}: {result:?}", wanted.name);
    }
}

#[test]
fn every_key_is_named() {
    let expanded = Scenario::builtin("internet").expect("it is built in").expanded() + &example().expanded();
    let keys = expanded.lines().filter_map(|line| line.split_once(" = ")).map(|(key, _)| key.trim());
    let profiles = link::PROFILES.iter().map(|(name, _)| *name);
    let settings = link::LinkSpec::keys();
    let settings =
        settings.iter().map(String::as_str).filter(|key| !key.ends_with("_up") && !key.ends_with("_down"));
    for word in keys.chain(profiles).chain(settings) {
        assert!(PAGE.contains(&format!("`{word}`")), "`{word}` is not on the page");
    }
}

#[test]
fn every_fault_of_a_name_server_is_named() {
    for (word, _) in thru_serve::dns::faults::Fault::WORDS {
        assert!(PAGE.contains(&format!("`{word}`")), "`{word}` is not on the page");
    }
}

#[test]
fn every_flaw_of_a_signed_zone_is_named() {
    for (word, _) in thru_names::dnssec::signing::flaw::Flaw::WORDS {
        assert!(PAGE.contains(&format!("`{word}`")), "`{word}` is not on the page");
    }
}

#[test]
fn every_step_of_a_roll_is_named() {
    for (word, _) in thru_lab::scenario::service::roll::WORDS {
        assert!(PAGE.contains(&format!("`{word}`")), "`{word}` is not on the page");
    }
}
