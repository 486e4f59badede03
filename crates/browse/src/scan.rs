//! Which packets pass a test: the whole capture, in slices.

use thru_dissect::Tree;
use thru_dissect::filter::Filter;
use thru_dissect::show::{self, LineOptions, TimeStyle};

use crate::hits::Hits;
use crate::mark::{Marks, Weight};
use crate::pass::{Capture, Pass};

/// What a packet has to be.
pub(crate) enum Test {
    /// Anything.
    Any,
    /// What a display filter wants.
    Filter(Filter),
    /// With these words in its line or its bytes, whatever their case.
    Words(Vec<u8>),
    /// With these bytes.
    Bytes(Vec<u8>),
}

impl Test {
    fn holds(&self, tree: Tree<'_>, scratch: &mut Vec<u8>) -> bool {
        let anywhere = |find: &dyn Fn(&[u8]) -> bool| {
            find(tree.frame()) || tree.sources().iter().any(|source| find(&source.bytes))
        };
        match self {
            Test::Any => true,
            Test::Filter(filter) => filter.matches(tree),
            Test::Bytes(wanted) => anywhere(&|bytes| bytes.windows(wanted.len()).any(|part| part == wanted)),
            Test::Words(wanted) => {
                let find =
                    |bytes: &[u8]| bytes.windows(wanted.len()).any(|part| part.eq_ignore_ascii_case(wanted));
                scratch.clear();
                show::line(scratch, tree, &LineOptions { time: TimeStyle::None, ..LineOptions::default() });
                find(scratch) || anywhere(&find)
            }
        }
    }
}

/// A search through the whole capture.
pub(crate) struct Scan {
    pass: Pass,
    test: Test,
    marks: Marks,
    scratch: Vec<u8>,
    /// What passed.
    pub(crate) hits: Hits,
    /// What of it is in trouble.
    pub(crate) troubles: Hits,
    /// How many packets there are so far.
    pub(crate) packets: u64,
}

impl Scan {
    pub(crate) fn new(capture: &Capture, test: Test) -> Result<Scan, String> {
        Ok(Scan {
            pass: Pass::new(capture)?,
            test,
            marks: Marks::new(),
            scratch: Vec::new(),
            hits: Hits::default(),
            troubles: Hits::default(),
            packets: 0,
        })
    }

    /// Looks at so many more packets; `false`: that was all.
    pub(crate) fn work(&mut self, packets: usize) -> bool {
        let Scan { pass, test, marks, scratch, hits, troubles, packets: seen } = self;
        for _ in 0..packets {
            let more = pass.next(|number, tree| {
                *seen += 1;
                if test.holds(tree, scratch) {
                    hits.push(number);
                    if marks.of(tree).is_some_and(|mark| mark.weight > Weight::Chat) {
                        troubles.push(number);
                    }
                }
            });
            if !more {
                return false;
            }
        }
        true
    }

    pub(crate) fn is_done(&self) -> bool {
        self.pass.is_done
    }

    /// The last packet that was looked at.
    pub(crate) fn number(&self) -> u64 {
        self.pass.number
    }

    pub(crate) fn bytes_read(&self) -> u64 {
        self.pass.bytes_read()
    }

    /// What was wrong with the file.
    pub(crate) fn error(&self) -> Option<&str> {
        self.pass.error.as_deref()
    }
}
