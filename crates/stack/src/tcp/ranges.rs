//! Sorted ranges of places that never touch each other: what arrived after a gap, with the order in which it did.

use super::on_demand::idle;

/// `[start, end)`; `generation` rises each time the range grows, so the highest is the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) generation: u64,
}

/// Ranges in ascending order, at most as many as the caller allows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranges {
    ranges: Vec<Range>,
    generation: u64,
}

idle!(Ranges, Ranges { ranges: Vec::new(), generation: 0 });

impl Ranges {
    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.ranges.len()
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Range> {
        self.ranges.iter()
    }

    pub(crate) fn last(&self) -> Option<&Range> {
        self.ranges.last()
    }

    /// Adds `[start, end)`, joined with its neighbours; the joined range, or `None` if it would be one range
    /// more than `most`.
    pub(crate) fn insert(&mut self, start: u64, end: u64, most: usize) -> Option<Range> {
        let first = self.ranges.partition_point(|range| range.end < start);
        let after = first + self.ranges[first..].partition_point(|range| range.start <= end);
        let mut joined = Range { start, end, generation: self.generation + 1 };
        if first == after {
            if self.ranges.len() >= most {
                return None;
            }
            self.ranges.insert(first, joined);
        } else {
            joined.start = start.min(self.ranges[first].start);
            joined.end = end.max(self.ranges[after - 1].end);
            self.ranges[first] = joined;
            self.ranges.drain(first + 1..after);
        }
        self.generation += 1;
        Some(joined)
    }

    /// Whether all of `[start, end)` is in.
    pub(crate) fn contains(&self, start: u64, end: u64) -> bool {
        let index = self.ranges.partition_point(|range| range.end < end);
        self.ranges.get(index).is_some_and(|range| range.start <= start && end <= range.end)
    }

    /// The range with this place in it.
    pub(crate) fn around(&self, place: u64) -> Option<Range> {
        let index = self.ranges.partition_point(|range| range.end <= place);
        self.ranges.get(index).copied().filter(|range| range.start <= place)
    }

    /// Forgets everything below `place`.
    pub(crate) fn remove_below(&mut self, place: u64) {
        let gone = self.ranges.partition_point(|range| range.end <= place);
        if gone > 0 {
            self.ranges.drain(..gone);
        }
        if let Some(first) = self.ranges.first_mut() {
            first.start = first.start.max(place);
        }
        if self.ranges.is_empty() {
            self.ranges = Vec::new();
        }
    }

    pub(crate) fn clear(&mut self) {
        self.ranges = Vec::new();
    }

    /// Up to four ranges, the newest first (RFC 2018 4).
    pub(crate) fn newest(&self) -> impl Iterator<Item = Range> {
        let mut best: [Option<Range>; 4] = [None; 4];
        for range in &self.ranges {
            let mut candidate = Some(*range);
            for slot in &mut best {
                if slot.is_none_or(|held| candidate.is_some_and(|new| new.generation > held.generation)) {
                    core::mem::swap(slot, &mut candidate);
                }
                if candidate.is_none() {
                    break;
                }
            }
        }
        best.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(ranges: &Ranges) -> Vec<(u64, u64)> {
        ranges.iter().map(|range| (range.start, range.end)).collect()
    }

    #[test]
    fn neighbours_join() {
        let mut ranges = Ranges::default();
        ranges.insert(10, 20, 9);
        ranges.insert(30, 40, 9);
        ranges.insert(50, 60, 9);
        assert_eq!(pairs(&ranges), [(10, 20), (30, 40), (50, 60)]);
        ranges.insert(20, 30, 9);
        assert_eq!(pairs(&ranges), [(10, 40), (50, 60)]);
        ranges.insert(5, 100, 9);
        assert_eq!(pairs(&ranges), [(5, 100)]);
        assert!(ranges.contains(5, 100) && ranges.contains(50, 51) && !ranges.contains(4, 6));
    }

    #[test]
    fn the_newest_comes_first_also_when_an_old_one_grows() {
        let mut ranges = Ranges::default();
        for start in [10, 30, 50, 70, 90] {
            ranges.insert(start, start + 10, 9);
        }
        ranges.insert(40, 45, 9);
        let starts: Vec<u64> = ranges.newest().map(|range| range.start).collect();
        assert_eq!(starts, [30, 90, 70, 50]);
    }

    #[test]
    fn the_number_of_ranges_is_bounded() {
        let mut ranges = Ranges::default();
        assert!(ranges.insert(10, 20, 1).is_some());
        assert!(ranges.insert(30, 40, 1).is_none());
        assert!(ranges.insert(20, 25, 1).is_some());
    }

    #[test]
    fn the_front_can_be_cut() {
        let mut ranges = Ranges::default();
        ranges.insert(10, 20, 9);
        ranges.insert(30, 40, 9);
        ranges.remove_below(15);
        assert_eq!(pairs(&ranges), [(15, 20), (30, 40)]);
        ranges.remove_below(100);
        assert!(ranges.is_empty());
    }
}
