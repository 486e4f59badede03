//! Captures of labs with something done to them: of what is left a doctor may say nothing, but must not be sure of another
//! fault, nor find one where there is none.

use thru_lab::Scenario;
use thru_lab::score::{self, Outcome, mutilate};

/// One of each kind of fault, and healthy ways.
const LABS: [&str; 14] = [
    "cert-expired",
    "dns-nxdomain",
    "dns-silent",
    "http-503",
    "loss",
    "mtu-black-hole",
    "ok-http1",
    "ok-redirect",
    "ok-two-addresses",
    "port-closed",
    "reset-in-answer",
    "routing-loop",
    "server-slow",
    "udp-443-blocked",
];

#[test]
fn nothing_that_is_done_to_a_capture_makes_a_doctor_wrong_and_sure() {
    let labs: Vec<Scenario> = LABS.into_iter().filter_map(Scenario::builtin).collect();
    assert_eq!(labs.len(), LABS.len());
    let (mut judged, mut right, mut wrong) = (0, 0, Vec::new());
    for (lab, opinions) in score::run_each(&labs, &score::cases(&labs, 21..=21), 2, |lab, case| {
        (case.lab.clone(), mutilate::judge(lab, case))
    }) {
        for (mutilation, opinion) in opinions.expect("it runs") {
            judged += 1;
            right += usize::from(matches!(opinion.outcome, Outcome::Right | Outcome::Near));
            if matches!(opinion.outcome, Outcome::Wrong | Outcome::FalseAlarm) {
                let word = mutilation.word();
                wrong.push(format!(
                    "{word} of {}: {:?} {}",
                    lab, opinion.verdict.causes, opinion.verdict.summary
                ));
            }
        }
    }
    // A tap's two interfaces, or packets cut within their headers, still mislead it now and then.
    assert!(wrong.len() * 50 <= judged, "wrong and sure, of {judged}:\n{}", wrong.join("\n"));
    // Most of what can be done to a capture leaves the fault in it.
    assert!(right >= 400, "only {right} are right");
}
