//! Classes of differences, each with its reason: `agree/classes.txt`, which says how it is read.

use std::collections::BTreeMap;
use std::path::Path;

/// Whose matter a difference is, the lightest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// tshark reads it wrongly, or as its version does, or we have chosen otherwise, with a reason.
    Explained,
    /// We don't read it yet.
    Gap,
    /// Nobody has said why.
    Unexplained,
}

/// A line of the file.
#[derive(Debug)]
struct Class {
    verdict: Verdict,
    /// Fields, with `*` at the end for any that begin so; or `layers`.
    field: String,
    test: Test,
}

#[derive(Debug)]
pub(crate) enum Test {
    Any,
    /// Here is nothing of it.
    OursEmpty,
    /// There is nothing of it.
    TheirsEmpty,
    /// Ours goes on behind a zero byte, where theirs ends.
    AfterZero,
    /// Theirs is ours with something before it.
    Suffix,
    /// Theirs is a number of seconds beyond what 64 bits of nanoseconds hold.
    Far,
    /// The list of layers differs in nothing but these: what we have and they have not, and the other way round. At
    /// least one of them is among the first.
    Layers(Vec<String>, Vec<String>),
}

/// The classes, in the order in which they are tried.
#[derive(Debug, Default)]
pub struct Classes(Vec<Class>);

impl Classes {
    /// Reads the file. Panics if it is not there or has a line without a reason: a test cannot go on without.
    pub fn read(path: &Path) -> Classes {
        let text = std::fs::read_to_string(path).expect("the classes are there");
        let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        Classes(
            lines.map(|(at, line)| class(line).unwrap_or_else(|| panic!("classes.txt:{}", at + 1))).collect(),
        )
    }

    /// Whose matter a difference is.
    pub fn judge(&self, field: &str, ours: &str, theirs: &str) -> Verdict {
        let fits = self.0.iter().filter(|class| class.fits(field, ours, theirs));
        fits.map(|class| class.verdict).next().unwrap_or(Verdict::Unexplained)
    }
}

/// `verdict field test reason`.
fn class(line: &str) -> Option<Class> {
    let mut words = line.splitn(4, char::is_whitespace).map(str::trim);
    let verdict = match words.next()? {
        "tshark" | "version" | "choice" => Verdict::Explained,
        "gap" => Verdict::Gap,
        _ => return None,
    };
    let field = words.next()?.to_owned();
    let test = match words.next()? {
        "any" => Test::Any,
        "ours-empty" => Test::OursEmpty,
        "theirs-empty" => Test::TheirsEmpty,
        "after-zero" => Test::AfterZero,
        "suffix" => Test::Suffix,
        "far" => Test::Far,
        both => Test::layers(both)?,
    };
    words.next().filter(|reason| !reason.is_empty())?;
    Some(Class { verdict, field, test })
}

impl Class {
    fn fits(&self, field: &str, ours: &str, theirs: &str) -> bool {
        let named = match self.field.strip_suffix('*') {
            Some(begin) => field.starts_with(begin),
            None => field == self.field,
        };
        named && self.test.fits(ours, theirs)
    }
}

impl Test {
    /// `a,b/c,d`, for the list of layers.
    pub(crate) fn layers(both: &str) -> Option<Test> {
        let (ours, theirs) = both.split_once('/')?;
        let names = |list: &str| list.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Some(Test::Layers(names(ours), names(theirs)))
    }

    pub(crate) fn fits(&self, ours: &str, theirs: &str) -> bool {
        match self {
            Test::Any => true,
            Test::OursEmpty => ours.is_empty(),
            Test::TheirsEmpty => theirs.is_empty(),
            Test::Suffix => !ours.is_empty() && theirs.ends_with(ours),
            Test::Far => theirs.parse::<f64>().is_ok_and(|seconds| seconds.abs() > 18e9),
            Test::AfterZero => {
                let (ours, theirs): (Vec<&str>, Vec<&str>) =
                    (ours.split(" | ").collect(), theirs.split(" | ").collect());
                ours.len() == theirs.len()
                    && ours.iter().zip(theirs).all(|(ours, theirs)| {
                        let rest = ours.strip_prefix(theirs);
                        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("\\x0"))
                    })
            }
            Test::Layers(here, there) => {
                let (more, less) = beyond(ours, theirs);
                let known = more.iter().all(|name| here.contains(name))
                    && less.iter().all(|name| there.contains(name));
                let first = here.first().is_none_or(|name| more.contains(name));
                let other = there.first().is_none_or(|name| !here.is_empty() || less.contains(name));
                known && first && other
            }
        }
    }
}

/// Which layers either side has more of.
fn beyond(ours: &str, theirs: &str) -> (Vec<String>, Vec<String>) {
    let mut counts: BTreeMap<&str, i32> = BTreeMap::new();
    ours.split(':').for_each(|name| *counts.entry(name).or_default() += 1);
    theirs.split(':').for_each(|name| *counts.entry(name).or_default() -= 1);
    let with = |sign: i32| {
        counts
            .iter()
            .filter(|(_, count)| count.signum() == sign)
            .map(|(name, _)| (*name).to_owned())
            .collect()
    };
    (with(1), with(-1))
}
