//! One reproducible stream of random numbers per purpose, and keys for hashes that an attacker must not foresee.
//!
//! - [`Random`]: a stream for choices (jitter, ports, loss).
//! - [`key`]: 128 bits from (seed, purpose) for SipHash.
//! - [`KeyedState`]: the hasher of every table whose keys come from the network.

use core::hash::BuildHasher;
use siphasher::sip::SipHasher13;

/// xoshiro256++, seeded with SplitMix64 from (seed, purpose). Not for secrets: keys come from the seed by SipHash.
#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 4],
}

impl Random {
    /// The stream of `purpose` under `seed`; equal arguments give equal streams, on every machine.
    pub fn new(seed: u64, purpose: &str) -> Random {
        // FNV-1a spreads the purpose over 64 bits; SplitMix64 does the mixing.
        let mut fold = 0xcbf2_9ce4_8422_2325_u64;
        for byte in purpose.bytes() {
            fold = (fold ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        let mut mixer = SplitMix64(seed);
        mixer.0 = mixer.next() ^ fold;
        let state = [mixer.next(), mixer.next(), mixer.next(), mixer.next()];
        // SplitMix64 is a bijection of a counter, so four outputs in a row can't all be zero.
        Random { state }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        let [s0, s1, s2, s3] = &mut self.state;
        let result = s0.wrapping_add(*s3).rotate_left(23).wrapping_add(*s0);
        let carried = *s1 << 17;
        *s2 ^= *s0;
        *s3 ^= *s1;
        *s1 ^= *s2;
        *s0 ^= *s3;
        *s2 ^= carried;
        *s3 = s3.rotate_left(45);
        result
    }

    /// The next 32 bits (the upper half, which mixes best).
    pub fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    /// Uniform in `0..bound` (Lemire); `bound` > 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "an empty range has no element to choose");
        let mut product = u128::from(self.next_u64()) * u128::from(bound);
        if (product as u64) < bound {
            let unfair = bound.wrapping_neg() % bound;
            while (product as u64) < unfair {
                product = u128::from(self.next_u64()) * u128::from(bound);
            }
        }
        (product >> 64) as u64
    }

    /// True with probability `parts_per_billion` / 10^9.
    pub fn chance(&mut self, parts_per_billion: u64) -> bool {
        match parts_per_billion {
            0 => false,
            1_000_000_000.. => true,
            parts => self.below(1_000_000_000) < parts,
        }
    }

    /// Fills `bytes` from the stream, in little-endian order.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

/// 128 bits that depend on every bit of `seed` and `purpose`: a SipHash key.
pub fn key(seed: u64, purpose: &str) -> [u8; 16] {
    let mut key = [0; 16];
    for (half, bytes) in key.chunks_exact_mut(8).enumerate() {
        let hasher = siphasher::sip::SipHasher24::new_with_keys(seed, half as u64);
        bytes.copy_from_slice(&hasher.hash(purpose.as_bytes()).to_le_bytes());
    }
    key
}

/// Keyed SipHash-1-3 for `HashMap`s whose keys a peer can choose. Order of iteration is the same in every run
/// with the same seed, yet still nothing to rely upon: iterate ordered maps only.
#[derive(Clone, Debug)]
pub struct KeyedState {
    hasher: SipHasher13,
}

impl KeyedState {
    /// The hasher of the table `purpose` of a host with this `seed`.
    pub fn new(seed: u64, purpose: &str) -> KeyedState {
        KeyedState { hasher: SipHasher13::new_with_key(&key(seed, purpose)) }
    }
}

impl BuildHasher for KeyedState {
    type Hasher = SipHasher13;

    fn build_hasher(&self) -> SipHasher13 {
        self.hasher
    }
}

/// A counter with a strong finaliser (Steele, Lea, Flood 2014): spreads a seed over a larger state.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xoshiro_gives_the_published_sequence() {
        // First outputs for the state 1, 2, 3, 4, as the reference C code prints them.
        let mut random = Random { state: [1, 2, 3, 4] };
        let first: Vec<u64> = (0..4).map(|_| random.next_u64()).collect();
        assert_eq!(first, [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386]);
    }

    #[test]
    fn split_mix_gives_the_published_sequence() {
        let mut mixer = SplitMix64(1_234_567);
        assert_eq!(mixer.next(), 6_457_827_717_110_365_317);
        assert_eq!(mixer.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn streams_depend_on_seed_and_purpose_and_repeat() {
        let draw = |seed, purpose| Random::new(seed, purpose).next_u64();
        assert_eq!(draw(7, "loss"), draw(7, "loss"));
        assert_ne!(draw(7, "loss"), draw(8, "loss"));
        assert_ne!(draw(7, "loss"), draw(7, "delay"));
        assert_ne!(key(7, "a"), key(7, "b"));
        assert_ne!(key(7, "a"), key(8, "a"));
        assert_ne!(key(7, "a")[..8], key(7, "a")[8..]);
    }

    #[test]
    fn below_stays_below_and_reaches_every_value() {
        let mut random = Random::new(1, "below");
        let mut seen = [0_u32; 7];
        for _ in 0..7_000 {
            seen[random.below(7) as usize] += 1;
        }
        assert!(seen.iter().all(|&count| (850..1_150).contains(&count)), "{seen:?}");
        assert_eq!(random.below(1), 0);
        assert!(random.below(u64::MAX) < u64::MAX);
    }

    #[test]
    fn chance_keeps_its_extremes_and_its_mean() {
        let mut random = Random::new(1, "chance");
        assert!(!(0..1_000).any(|_| random.chance(0)));
        assert!((0..1_000).all(|_| random.chance(1_000_000_000)));
        let hits = (0..100_000).filter(|_| random.chance(40_000_000)).count();
        assert!((3_700..4_300).contains(&hits), "{hits} of 100000 at 4 %");
    }

    #[test]
    fn fill_writes_every_length() {
        for len in 0..20 {
            let mut bytes = vec![0; len];
            Random::new(3, "fill").fill(&mut bytes);
            let mut longer = [0; 24];
            Random::new(3, "fill").fill(&mut longer);
            assert_eq!(bytes, longer[..len]);
        }
    }
}
