use proptest::prelude::*;

use super::macros::{Clock, ctime, expand};
use super::{Outcome, run};

const SCRIPT: &str = include_str!("../../tests/dns-replay/alias-into-another-zone.rpl");

#[test]
fn a_script_passes_and_every_truncation_of_it_ends() {
    assert_eq!(run(SCRIPT), Outcome::Pass);
    for cut in (0..SCRIPT.len()).filter(|cut| SCRIPT.is_char_boundary(*cut)).step_by(7) {
        run(&SCRIPT[..cut]);
    }
}

#[test]
fn a_script_that_cannot_be_read_has_failed() {
    let said = run("nonsense\n");
    assert_eq!(said, Outcome::Fail(1, "cannot be read: neither setting nor keyword: nonsense".into()));
}

#[test]
fn macros_are_calculated_from_left_to_right() {
    let variables = [("t0".to_owned(), "100".to_owned())].into_iter().collect();
    let clock = Clock { now: 1_251_100_000, timeout: 60 };
    let check = |text: &str, wanted: &str| {
        assert_eq!(expand(text, &variables, clock).as_deref(), Ok(wanted), "{text}")
    };
    check("${$t0 + 50}", "150");
    check("${2+3*4}", "20");
    check("${2+${3*4}}", "14");
    check("${time} and ${timeout}", "1251100000 and 60");
    check("${range 50 $t0 150}", "100");
    check("${ctime ${time}}", "Mon Aug 24 07:46:40 2009");
    assert!(expand("${range 1 $t0 2}", &variables, clock).is_err(), "out of range");
    assert!(expand("${$nobody}", &variables, clock).is_err(), "no such variable");
    assert_eq!(ctime(0), "Thu Jan  1 00:00:00 1970");
}

proptest! {
    #[test]
    fn no_text_makes_the_runner_panic(lines in proptest::collection::vec("[A-Z_]{3,12}( [a-z0-9./:]{0,12}){0,4}", 0..20)) {
        run(&lines.join("\n"));
    }

    #[test]
    fn no_changed_script_makes_the_runner_panic(at in 0..SCRIPT.len(), byte in any::<u8>()) {
        let mut bytes = SCRIPT.as_bytes().to_vec();
        bytes[at] = byte;
        run(&String::from_utf8_lossy(&bytes));
    }
}
