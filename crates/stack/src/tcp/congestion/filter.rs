//! Windowed maximum of a stream of values: the best, the second and the third best of nested parts of the window
//! (Kathleen Nichols' algorithm), in constant space.

/// The largest value of the last so many units of whatever time is.
#[derive(Clone, Debug, Default)]
pub(crate) struct MaxFilter {
    /// (time, value), best first; later ones are more recent.
    best: [(u64, u64); 3],
}

impl MaxFilter {
    pub(crate) fn get(&self) -> u64 {
        self.best[0].1
    }

    /// Forgets all but `value`.
    pub(crate) fn reset(&mut self, time: u64, value: u64) -> u64 {
        self.best = [(time, value); 3];
        value
    }

    /// Takes `value` of `time` in; the maximum of the last `window` units.
    pub(crate) fn update(&mut self, window: u64, time: u64, value: u64) -> u64 {
        let new = (time, value);
        if value >= self.best[0].1 || time.saturating_sub(self.best[2].0) > window {
            return self.reset(time, value);
        }
        if value >= self.best[1].1 {
            self.best[1] = new;
            self.best[2] = new;
        } else if value >= self.best[2].1 {
            self.best[2] = new;
        }
        self.age(window, new);
        self.get()
    }

    fn age(&mut self, window: u64, new: (u64, u64)) {
        let elapsed = new.0.saturating_sub(self.best[0].0);
        if elapsed > window {
            // The best has left the window: the next move up, twice if the second is as old.
            self.best = [self.best[1], self.best[2], new];
            if new.0.saturating_sub(self.best[0].0) > window {
                self.best = [self.best[1], self.best[2], new];
            }
        } else if self.best[1].0 == self.best[0].0 && elapsed > window / 4 {
            // A quarter has passed without a second best: take one from here on.
            self.best[1] = new;
            self.best[2] = new;
        } else if self.best[2].0 == self.best[1].0 && elapsed > window / 2 {
            self.best[2] = new;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// Never below the maximum of the last quarter of a window that was seen whole, never above the true maximum, and
    /// at most a window old.
    #[test]
    fn the_filter_stays_between_the_recent_and_the_true_maximum() {
        for seed in 0..100 {
            let mut random = Random::new(seed, "filter");
            let mut filter = MaxFilter::default();
            let mut all: Vec<(u64, u64)> = Vec::new();
            let window = 4 + random.below(20);
            let mut time = 0;
            for _ in 0..400 {
                time += random.below(3);
                let value = random.below(1_000);
                all.push((time, value));
                let got = filter.update(window, time, value);
                let max = |from: u64| {
                    all.iter().filter(|(at, _)| *at >= from).map(|(_, value)| *value).max().unwrap_or(0)
                };
                assert!(got <= max(time.saturating_sub(window)), "seed {seed} at {time}");
                assert!(got >= value);
            }
        }
    }

    #[test]
    fn a_maximum_is_kept_for_its_window_and_no_longer() {
        let mut filter = MaxFilter::default();
        filter.update(10, 0, 100);
        for time in 1..=10 {
            assert_eq!(filter.update(10, time, 50 - time), 100);
        }
        assert!(filter.update(10, 11, 1) < 100);
    }
}
