//! Ids, letter cases and choices among equals: unpredictable to others, repeatable under a seed.

use std::hash::Hasher;

use siphasher::sip::SipHasher24;

/// A keyed counter through SipHash-2-4: who does not know the seed can't tell its output from chance.
#[derive(Clone, Debug)]
pub(super) struct RandomStream {
    key: (u64, u64),
    salt: (u64, u64),
    counter: u64,
}

impl RandomStream {
    pub(super) fn new(seed: [u8; 32]) -> RandomStream {
        let word = |at: usize| u64::from_le_bytes(seed[at..at + 8].try_into().expect("eight bytes"));
        RandomStream { key: (word(0), word(8)), salt: (word(16), word(24)), counter: 0 }
    }

    pub(super) fn next(&mut self) -> u64 {
        self.counter += 1;
        let mut hasher = SipHasher24::new_with_keys(self.key.0, self.key.1);
        hasher.write_u64(self.salt.0);
        hasher.write_u64(self.salt.1);
        hasher.write_u64(self.counter);
        hasher.finish()
    }

    /// A message id.
    pub(super) fn id(&mut self) -> u16 {
        (self.next() >> 48) as u16
    }
}
