//! Numbers of packets as a bit each, with their ranks: the 7th of them is found without a list of them.

/// So many words make a block, whose ones are counted.
const BLOCK: usize = 64;

/// A set of numbers that grows at its end.
#[derive(Debug, Default)]
pub(crate) struct Hits {
    words: Vec<u64>,
    /// How many are in front of each block.
    before: Vec<u64>,
    count: u64,
}

impl Hits {
    /// Adds a number that is larger than all before.
    pub(crate) fn push(&mut self, number: u64) {
        let word = (number / 64) as usize;
        while self.words.len() <= word {
            if self.words.len().is_multiple_of(BLOCK) {
                self.before.push(self.count);
            }
            self.words.push(0);
        }
        self.words[word] |= 1 << (number % 64);
        self.count += 1;
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn has(&self, number: u64) -> bool {
        self.words.get((number / 64) as usize).is_some_and(|word| word >> (number % 64) & 1 == 1)
    }

    /// The number at a place, counted from 0.
    pub(crate) fn nth(&self, place: u64) -> Option<u64> {
        if place >= self.count {
            return None;
        }
        let block = self.before.partition_point(|before| *before <= place) - 1;
        let mut left = place - self.before[block];
        for (at, word) in self.words.iter().enumerate().skip(block * BLOCK) {
            let ones = u64::from(word.count_ones());
            if left < ones {
                let mut word = *word;
                for _ in 0..left {
                    word &= word - 1;
                }
                return Some(at as u64 * 64 + u64::from(word.trailing_zeros()));
            }
            left -= ones;
        }
        None
    }

    /// How many are smaller than a number.
    pub(crate) fn rank(&self, number: u64) -> u64 {
        let word = (number / 64) as usize;
        if word >= self.words.len() {
            return self.count;
        }
        let block = word / BLOCK;
        let whole: u64 =
            self.words[block * BLOCK..word].iter().map(|word| u64::from(word.count_ones())).sum();
        let part = self.words[word] & ((1 << (number % 64)) - 1);
        self.before[block] + whole + u64::from(part.count_ones())
    }

    /// The first that is larger than a number.
    pub(crate) fn after(&self, number: u64) -> Option<u64> {
        self.nth(self.rank(number + 1))
    }

    /// The last that is smaller than a number.
    pub(crate) fn before(&self, number: u64) -> Option<u64> {
        self.nth(self.rank(number).checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_ranks_belong_together() {
        let mut hits = Hits::default();
        let numbers: Vec<u64> = (1..60_000).filter(|n| n % 7 == 0 || n % 4097 < 3).collect();
        numbers.iter().for_each(|number| hits.push(*number));
        assert_eq!(hits.count(), numbers.len() as u64);
        for (place, number) in numbers.iter().enumerate() {
            assert_eq!(hits.nth(place as u64), Some(*number));
            assert_eq!(hits.rank(*number), place as u64);
            assert!(hits.has(*number));
            assert_eq!(hits.before(*number), place.checked_sub(1).map(|place| numbers[place]));
            assert_eq!(hits.after(*number), numbers.get(place + 1).copied());
        }
        assert_eq!(hits.nth(hits.count()), None);
        assert_eq!(hits.rank(1 << 40), hits.count());
        assert!(!hits.has(8) && !hits.has(1 << 40));
    }
}
