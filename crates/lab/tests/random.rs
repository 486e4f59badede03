//! Labs made up by chance, which no rule was made with: nobody may be sent to the wrong place with confidence, and what is
//! well may not be called ill.

use thru_lab::random;
use thru_lab::score::{Outcome, cases, run};

#[test]
fn labs_that_nobody_has_seen_are_judged_right_or_with_doubt() {
    let labs: Vec<_> = (1..=60).map(random::scenario).collect();
    let cases = cases(&labs, 1..=1);
    assert_eq!(cases.len(), labs.len());
    let (mut right, mut bad) = (0, Vec::new());
    for judged in run(&labs, &cases, 2) {
        let judged = judged.expect("a made up lab runs");
        match judged.outcome {
            Outcome::Right => right += 1,
            Outcome::Near | Outcome::Abstained => {}
            Outcome::Missed | Outcome::Wrong | Outcome::FalseAlarm => bad.push(format!(
                "{} ({}): true {:?}, named {:?}: {}",
                judged.case.lab,
                judged.outcome.word(),
                judged.case.truth,
                judged.verdict.causes,
                judged.verdict.summary
            )),
        }
    }
    println!("{right} of {} right", labs.len());
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    assert!(right * 10 >= labs.len() * 9, "{right} of {}", labs.len());
}
