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
    /// Captures, with one `*` for anything; `None`: all.
    capture: Option<String>,
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
    /// Theirs are some of ours, in the same order.
    More,
    /// Theirs are ours with spaces behind them.
    Spaces,
    /// Exactly this, and exactly that.
    Exactly(String, String),
    /// There the packet has this field, which tells why; of layers it has none that we have not.
    Has(String),
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
    ///
    /// `has`: whether tshark's packet has a field.
    pub fn judge(
        &self,
        capture: &str,
        field: &str,
        ours: &str,
        theirs: &str,
        has: &dyn Fn(&str) -> bool,
    ) -> Verdict {
        let fits = self.0.iter().filter(|class| {
            class.fits(capture, field, ours, theirs)
                && if let Test::Has(name) = &class.test { has(name) } else { true }
        });
        fits.map(|class| class.verdict).next().unwrap_or(Verdict::Unexplained)
    }
}

/// `verdict field test reason`, where `field@capture` holds for one capture only.
fn class(line: &str) -> Option<Class> {
    let mut words = line.splitn(4, char::is_whitespace).map(str::trim);
    let verdict = match words.next()? {
        "tshark" | "version" | "choice" => Verdict::Explained,
        "gap" => Verdict::Gap,
        _ => return None,
    };
    let (field, capture) = match words.next()?.split_once('@') {
        Some((field, capture)) => (field.to_owned(), Some(capture.to_owned())),
        None => (line.split_whitespace().nth(1)?.to_owned(), None),
    };
    let test = match words.next()? {
        "any" => Test::Any,
        "ours-empty" => Test::OursEmpty,
        "theirs-empty" => Test::TheirsEmpty,
        "after-zero" => Test::AfterZero,
        "suffix" => Test::Suffix,
        "more" => Test::More,
        "spaces" => Test::Spaces,
        "far" => Test::Far,
        has if has.starts_with("has:") => Test::Has(has[4..].to_owned()),
        both => match both.strip_prefix('=').and_then(|both| both.split_once('/')) {
            Some((ours, theirs)) => Test::Exactly(ours.to_owned(), theirs.to_owned()),
            None => Test::layers(both)?,
        },
    };
    words.next().filter(|reason| !reason.is_empty())?;
    Some(Class { verdict, field, capture, test })
}

impl Class {
    fn fits(&self, capture: &str, field: &str, ours: &str, theirs: &str) -> bool {
        let meant = self.capture.as_ref().is_none_or(|meant| match meant.split_once('*') {
            Some((begin, end)) => {
                capture.len() >= begin.len() + end.len()
                    && capture.starts_with(begin)
                    && capture.ends_with(end)
            }
            None => meant == capture,
        });
        let named = match self.field.strip_suffix('*') {
            Some(begin) => field.starts_with(begin),
            None => field == self.field,
        };
        meant && named && self.test.fits(ours, theirs)
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
            Test::More => {
                let mut rest = ours.split(" | ");
                theirs.split(" | ").all(|theirs| rest.any(|ours| ours == theirs)) || theirs.is_empty()
            }
            Test::Spaces => {
                let mut both = ours.split(" | ").zip(theirs.split(" | "));
                ours.split(" | ").count() == theirs.split(" | ").count()
                    && both.all(|(ours, theirs)| ours == theirs.trim_end())
            }
            Test::Exactly(here, there) => ours == here && theirs == there,
            Test::Has(_) => !is_layers(ours) || beyond(ours, theirs).1.is_empty(),
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

/// Whether a value is a list of layers: those of a frame begin with that of its link, without spaces.
fn is_layers(text: &str) -> bool {
    !text.contains(' ') && text.split(':').any(|name| name == "ip" || name == "ipv6")
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

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(line: &str, capture: &str, ours: &str, theirs: &str) -> Verdict {
        Classes(vec![class(line).expect("a class")]).judge(capture, "dns.name", ours, theirs, &|_| false)
    }

    #[test]
    fn a_class_holds_for_the_captures_and_values_it_names() {
        const EXPLAINED: Verdict = Verdict::Explained;
        assert_eq!(judge("choice dns.name any why", "a.pcap", "x", "y"), EXPLAINED);
        assert_eq!(judge("choice dns.name@a.pcap any why", "a.pcap", "x", "y"), EXPLAINED);
        assert_eq!(judge("choice dns.*@a*.pcap any why", "ab.pcap", "x", "y"), EXPLAINED);
        assert_eq!(judge("choice dns.name@a.pcap any why", "b.pcap", "x", "y"), Verdict::Unexplained);
        assert_eq!(judge("gap dns.name more why", "a", "x | y | z", "x | z"), Verdict::Gap);
        assert_eq!(judge("gap dns.name more why", "a", "x | z", "z | x"), Verdict::Unexplained);
        assert_eq!(judge("choice dns.name spaces why", "a", "x | y", "x  | y "), EXPLAINED);
        assert_eq!(judge("tshark dns.name =x/y why", "a", "x", "y"), EXPLAINED);
        assert_eq!(judge("tshark dns.name =x/y why", "a", "x", "z"), Verdict::Unexplained);
        let lost = Classes(vec![class("choice layers has:tcp.lost why").expect("a class")]);
        let judge = |theirs, mark| lost.judge("a", "layers", "ip:tcp:tls", theirs, &|name| name == mark);
        assert_eq!(judge("ip:tcp", "tcp.lost"), EXPLAINED);
        assert_eq!(judge("ip:tcp", "tcp.found"), Verdict::Unexplained, "it has another mark there");
        assert_eq!(
            judge("ip:tcp:http", "tcp.lost"),
            Verdict::Unexplained,
            "it was read there as something else"
        );
        assert!(class("choice dns.name any").is_none(), "a class without a reason is none");
    }
}
