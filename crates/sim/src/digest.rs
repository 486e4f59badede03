//! A fast hash with fixed constants: the same on every machine and in every version, for the digest of a run and
//! for choosing among flows and ports. It resists accidents, not enemies.

/// A hash in the making.
#[derive(Clone, Debug)]
pub(crate) struct Digest {
    /// Four lanes, so that the multiplications of a long frame overlap.
    lanes: [u64; 4],
}

const SEEDS: [u64; 4] =
    [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f, 0x1656_67b1_9e37_79f9, 0x27d4_eb2f_1656_67c5];
const FACTOR: u64 = 0xd6e8_feb8_6659_fd93;

impl Digest {
    pub(crate) fn new(key: u64) -> Digest {
        Digest { lanes: SEEDS.map(|seed| mix(seed ^ key)) }
    }

    pub(crate) fn word(&mut self, word: u64) {
        self.lanes[0] = step(self.lanes[0], word);
        self.lanes.rotate_left(1);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        // The length first, so that no two sequences of calls look alike.
        self.word(bytes.len() as u64);
        let (blocks, rest) = bytes.as_chunks::<32>();
        for block in blocks {
            let (words, _) = block.as_chunks::<8>();
            for (lane, word) in self.lanes.iter_mut().zip(words) {
                *lane = step(*lane, u64::from_le_bytes(*word));
            }
        }
        for part in rest.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.word(u64::from_le_bytes(word));
        }
    }

    pub(crate) fn finish(&self) -> u64 {
        self.lanes.iter().fold(0, |sum, &lane| mix(sum ^ lane).wrapping_mul(FACTOR))
    }
}

fn step(lane: u64, word: u64) -> u64 {
    (lane ^ word).wrapping_mul(FACTOR).rotate_left(29)
}

/// Spreads every bit over the word (the finaliser of SplitMix64).
pub(crate) fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_length_and_key_matter() {
        let of = |key, parts: &[&[u8]]| {
            let mut digest = Digest::new(key);
            for part in parts {
                digest.bytes(part);
            }
            digest.finish()
        };
        let long: Vec<u8> = (0..100).collect();
        let mut other = long.clone();
        other[77] ^= 1;
        let all = [
            of(0, &[]),
            of(1, &[]),
            of(0, &[b""]),
            of(0, &[b"", b""]),
            of(0, &[b"ab", b"c"]),
            of(0, &[b"a", b"bc"]),
            of(0, &[b"a\0"]),
            of(0, &[b"a"]),
            of(0, &[&long]),
            of(0, &[&other]),
        ];
        for (i, one) in all.iter().enumerate() {
            assert!(!all[..i].contains(one), "{i}: {all:?}");
        }
    }

    /// A digest is compared between processes, machines and versions: it must never change by itself.
    #[test]
    fn is_the_same_everywhere() {
        let mut digest = Digest::new(7);
        digest.word(3);
        digest.bytes(&(0..=255).collect::<Vec<u8>>());
        assert_eq!(digest.finish(), 12_676_876_885_173_872_829);
    }
}
