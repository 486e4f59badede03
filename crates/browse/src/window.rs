//! Rows and trees of the packets on the screen and around it, within a bound.
//!
//! What is not there is read: on from where the last reading stands if it is behind that, else from the first packet.

use std::collections::BTreeMap;

use crate::detail::Detail;
use crate::hits::Hits;
use crate::mark::Marks;
use crate::pass::{Capture, Pass};
use crate::row::Row;

/// So many rows are kept.
const ROWS_MAX: usize = 10_000;
/// So many bytes of trees are kept.
const DETAIL_BYTES_MAX: usize = 12 << 20;
/// So many rows in front of the screen are kept when a reading comes by.
const BEFORE: u64 = 2000;

/// What the screen needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// The packets whose rows are shown.
    pub(crate) rows: Vec<u64>,
    /// The packet whose tree is shown.
    pub(crate) detail: u64,
}

/// See the module.
pub(crate) struct Window {
    pass: Option<Pass>,
    marks: Marks,
    rows: BTreeMap<u64, Row>,
    details: BTreeMap<u64, Detail>,
    detail_bytes: usize,
    needs: Needs,
    /// What the reading is for, and from where on it keeps what it sees.
    goal: u64,
    keep_from: u64,
}

impl Window {
    pub(crate) fn new() -> Window {
        Window {
            pass: None,
            marks: Marks::new(),
            rows: BTreeMap::new(),
            details: BTreeMap::new(),
            detail_bytes: 0,
            needs: Needs::default(),
            goal: 0,
            keep_from: 0,
        }
    }

    pub(crate) fn row(&self, number: u64) -> Option<&Row> {
        self.rows.get(&number)
    }

    pub(crate) fn detail(&self, number: u64) -> Option<&Detail> {
        self.details.get(&number)
    }

    /// How many rows are kept, and how many bytes of trees.
    #[cfg(test)]
    pub(crate) fn kept(&self) -> (usize, usize) {
        (self.rows.len(), self.detail_bytes)
    }

    /// How far a reading from the first packet has come that the screen waits for.
    pub(crate) fn waits(&self) -> Option<(u64, u64)> {
        let at = self.pass.as_ref()?.number;
        (at < self.goal).then_some((at, self.goal))
    }

    /// Says what is needed; reading begins where it has to.
    pub(crate) fn want(&mut self, needs: Needs, capture: &Capture, hits: &Hits) -> Result<(), String> {
        self.needs = needs;
        let missing_row = self.needs.rows.iter().filter(|number| !self.rows.contains_key(number)).min();
        let missing_detail = (self.needs.detail > 0 && !self.details.contains_key(&self.needs.detail))
            .then_some(&self.needs.detail);
        let Some(&first) = missing_row.into_iter().chain(missing_detail).min() else {
            self.goal = 0;
            return Ok(());
        };
        let last = self.needs.rows.iter().chain([&self.needs.detail]).max();
        self.goal = last.copied().unwrap_or(first);
        if self.pass.as_ref().is_none_or(|pass| pass.number >= first || pass.is_done) {
            self.pass = Some(Pass::new(capture)?);
        }
        let place = hits.rank(first).saturating_sub(BEFORE);
        self.keep_from = hits.nth(place).unwrap_or(first);
        Ok(())
    }

    /// Reads so many packets; `false`: nothing is missing.
    pub(crate) fn work(&mut self, hits: &Hits, packets: usize) -> bool {
        for _ in 0..packets {
            let Window { pass: Some(pass), marks, rows, details, detail_bytes, goal, keep_from, .. } = self
            else {
                return false;
            };
            if pass.number >= *goal {
                break;
            }
            let more = pass.next(|number, tree| {
                if number >= *keep_from && hits.has(number) {
                    rows.entry(number).or_insert_with(|| Row::of(number, tree, marks));
                    details.entry(number).or_insert_with(|| {
                        let detail = Detail::of(tree);
                        *detail_bytes += detail.size();
                        detail
                    });
                }
            });
            if !more {
                *goal = 0;
            }
            self.evict();
        }
        self.waits().is_some()
    }

    /// Forgets what is farthest from the screen.
    fn evict(&mut self) {
        let middle = self.needs.detail;
        while self.rows.len() > ROWS_MAX {
            let (Some((first, _)), Some((last, _))) =
                (self.rows.first_key_value(), self.rows.last_key_value())
            else {
                break;
            };
            if middle.abs_diff(*first) >= middle.abs_diff(*last) {
                self.rows.pop_first();
            } else {
                self.rows.pop_last();
            }
        }
        while self.detail_bytes > DETAIL_BYTES_MAX && self.details.len() > 1 {
            let (Some((first, _)), Some((last, _))) =
                (self.details.first_key_value(), self.details.last_key_value())
            else {
                break;
            };
            let gone = if middle.abs_diff(*first) >= middle.abs_diff(*last) {
                self.details.pop_first()
            } else {
                self.details.pop_last()
            };
            self.detail_bytes -= gone.map_or(0, |(_, detail)| detail.size());
        }
    }
}
