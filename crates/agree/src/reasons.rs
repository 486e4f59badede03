//! Why something may differ from what tshark says: a file of lines.

use crate::classes::{Test, Verdict};
use crate::compare::Difference;
use std::collections::BTreeSet;
use std::path::Path;

/// A line of the file: capture (`*`: any), field or `layers`, reason.
#[derive(Debug)]
struct Reason {
    capture: String,
    field: String,
    test: Test,
    line: usize,
    verdict: Verdict,
}

/// Reasons for differences.
#[derive(Debug, Default)]
pub struct Reasons(Vec<Reason>);

impl Reasons {
    /// Reads a file of them: on each line a capture's file name (`*` for any), a field's name (`*` at its end for all that
    /// begin so, or `layers`), and why; what we don't read yet begins with `gap:`. `layers:a,b/c,d` is for lists of layers
    /// that differ in nothing else: ours has more of a (and b, maybe), theirs of c (and d). A line without a reason
    /// panics, as does a file that is not there: a test cannot go on without.
    pub fn read(path: &Path) -> Reasons {
        let name = path.display();
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"));
        let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let reason = |(at, line): (usize, &str)| {
            let mut words = line.splitn(3, char::is_whitespace).map(str::trim);
            let mut word = || words.next().unwrap_or_default().to_owned();
            let (capture, field, reason) = (word(), word(), word());
            assert!(!reason.is_empty(), "line {} of {name} has no reason", at + 1);
            let (field, test) = match field.split_once(':') {
                Some((field, layers)) => {
                    let test = Test::layers(layers);
                    (field.to_owned(), test.unwrap_or_else(|| panic!("line {} of {name}: layers", at + 1)))
                }
                None => (field, Test::Any),
            };
            let verdict = if reason.starts_with("gap:") { Verdict::Gap } else { Verdict::Explained };
            Reason { capture, field, test, line: at + 1, verdict }
        };
        Reasons(lines.map(reason).collect())
    }

    /// Whose matter it is that a field differs in a capture; `None`: nobody has said.
    pub fn judge(&self, capture: &str, field: &str, ours: &str, theirs: &str) -> Option<Verdict> {
        self.of(capture, field, ours, theirs).map(|reason| reason.verdict)
    }

    /// Lines that explain nothing.
    pub fn stale(&self, differences: &[Difference]) -> Vec<usize> {
        let of = |one: &Difference| {
            self.of(&one.capture, &one.field, &one.ours, &one.theirs).map(|reason| reason.line)
        };
        let used: BTreeSet<usize> = differences.iter().filter_map(of).collect();
        self.0.iter().map(|reason| reason.line).filter(|line| !used.contains(line)).collect()
    }

    fn of(&self, capture: &str, field: &str, ours: &str, theirs: &str) -> Option<&Reason> {
        let fits = |reason: &&Reason| {
            let named = match reason.field.strip_suffix('*') {
                Some(begin) => field.starts_with(begin),
                None => field == reason.field,
            };
            named && (reason.capture == "*" || reason.capture == capture) && reason.test.fits(ours, theirs)
        };
        self.0.iter().find(fits)
    }
}
