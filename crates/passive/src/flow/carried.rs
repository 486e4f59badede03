//! How much one side carried, moment by moment.

/// Moments that are told apart; when there are more, each becomes twice as long.
const PLACES: usize = 256;
/// How long the first ones are.
const SHORTEST: u64 = 16_000_000;

/// Bytes by moments of one length, from the first packet on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Carried {
    begin: Option<u64>,
    /// How often the length was doubled.
    doubled: u32,
    bytes: Vec<u32>,
}

impl Carried {
    /// Takes a packet of so many bytes.
    pub(crate) fn take(&mut self, time: u64, bytes: u32) {
        let begin = *self.begin.get_or_insert(time);
        let since = time.saturating_sub(begin);
        while since / self.each() >= PLACES as u64 {
            self.bytes = self
                .bytes
                .chunks(2)
                .map(|pair| pair.iter().fold(0, |sum: u32, one| sum.saturating_add(*one)))
                .collect();
            self.doubled += 1;
        }
        let place = (since / self.each()) as usize;
        if self.bytes.len() <= place {
            self.bytes.resize(place + 1, 0);
        }
        self.bytes[place] = self.bytes[place].saturating_add(bytes);
    }

    /// How long each moment is, in nanoseconds.
    pub(crate) fn each(&self) -> u64 {
        SHORTEST.saturating_mul(1u64.checked_shl(self.doubled).unwrap_or(u64::MAX))
    }

    /// The bytes of each.
    pub(crate) fn bytes(&self) -> &[u32] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_is_told_by_longer_moments() {
        let mut carried = Carried::default();
        for place in 0..1_000 {
            carried.take(7 + place * SHORTEST, 10);
        }
        assert_eq!(carried.each(), SHORTEST * 4);
        assert_eq!(carried.bytes().len(), 250);
        assert!(carried.bytes().iter().all(|bytes| *bytes == 40));
        // A clock that leaps, or goes back.
        carried.take(u64::MAX, 1);
        carried.take(0, 1);
        assert!(carried.bytes().len() <= PLACES);
        assert_eq!(carried.bytes().iter().sum::<u32>(), 10_002);
    }
}
