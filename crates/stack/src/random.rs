//! One reproducible stream of random numbers per purpose.

/// xoshiro256++, seeded with SplitMix64 from (seed, purpose). Not for secrets: keys come from the seed by SipHash.
#[derive(Clone, Debug)]
pub struct Random { state: [u64; 4] }

impl Random {
    /// The stream of `purpose` under `seed`; equal arguments give equal streams, on every machine.
    pub fn new(seed: u64, purpose: &str) -> Random { todo!() }
    pub fn next_u64(&mut self) -> u64 { todo!() }
    pub fn next_u32(&mut self) -> u32 { todo!() }
    /// Uniform in `0..bound` (Lemire); `bound` > 0.
    pub fn below(&mut self, bound: u64) -> u64 { todo!() }
    /// True with probability `parts_per_billion` / 10^9.
    pub fn chance(&mut self, parts_per_billion: u64) -> bool { todo!() }
    pub fn fill(&mut self, bytes: &mut [u8]) { todo!() }
}
