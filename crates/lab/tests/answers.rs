//! What a person and a checker get from every built-in lab: citations that hold, and text that fits.

use std::time::Duration;

use thru_diagnose::recheck;
use thru_lab::{Scenario, builtin, run};
use thru_report::text::{Style, render};
use url::Url;

/// One request to each lab's own target.
fn each(mut look: impl FnMut(&str, &run::Report)) {
    for name in builtin::names() {
        let scenario = Scenario::builtin(name).expect("it is built in");
        let url = Url::parse(&scenario.target.clone().expect("every built-in lab has one"))
            .expect("and it is a URL");
        let report = run::request(scenario, 1, url, Duration::ZERO, |_| {}).expect("the lab starts");
        look(name, &report);
    }
}

/// Whether the lab's fault is within the machine itself, which stops packets before they can be seen.
fn is_of_the_machine(lab: &str) -> bool {
    builtin::GROUPS
        .iter()
        .any(|group| group.name == "host" && group.labs.iter().any(|(name, _)| *name == lab))
}

#[test]
fn every_citation_holds_and_every_trace_is_sound() {
    each(|name, report| {
        assert_eq!(report.trace.check(), [], "{name}");
        assert_eq!(recheck(&report.trace, &report.verdict), Vec::<String>::new(), "{name}");
        for evidence in &report.verdict.evidence {
            // Where nothing ever left the machine there is nothing to cite.
            let nothing_left = report.trace.packets.is_empty() || is_of_the_machine(name);
            assert!(
                nothing_left || !evidence.frames.is_empty(),
                "{name}: \"{}\" cites no frame",
                evidence.says
            );
        }
    });
}

#[test]
fn every_answer_fits_every_terminal() {
    each(|name, report| {
        for (width, ascii) in [(60, false), (80, false), (120, false), (80, true)] {
            let text = render(&report.trace, &report.verdict, &Style { width, color: false, ascii });
            for line in text.lines() {
                assert!(line.chars().count() <= width, "{name} at {width}: {line:?}");
                assert!(!ascii || line.is_ascii(), "{name}: {line:?}");
                assert!(!line.contains('\\'), "{name}: something was escaped: {line:?}");
            }
        }
    });
}
