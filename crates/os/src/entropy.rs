//! Random bytes: from the kernel, or, on a thread that runs a lab, from the lab's seed.

use std::cell::Cell;
use std::io::Read as _;

thread_local! {
    /// State of this thread's SplitMix64 stream, if it runs a lab.
    static STREAM: Cell<Option<u64>> = const { Cell::new(None) };
}

/// While it lives, this thread's entropy repeats under its seed.
#[derive(Debug)]
pub struct Guard {
    before: Option<u64>,
}

/// Makes this thread's entropy repeat under `seed` until the guard is dropped.
pub fn enter(seed: u64) -> Guard {
    Guard { before: STREAM.replace(Some(seed)) }
}

impl Drop for Guard {
    fn drop(&mut self) {
        STREAM.set(self.before);
    }
}

/// Fills `bytes`: from the seed on a lab's thread, else from the kernel.
pub fn fill(bytes: &mut [u8]) {
    let Some(mut state) = STREAM.get() else {
        let mut kernel = std::fs::File::open("/dev/urandom").expect("the kernel gives random bytes");
        kernel.read_exact(bytes).expect("the kernel gives random bytes");
        return;
    };
    for chunk in bytes.chunks_mut(8) {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^= word >> 31;
        chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
    }
    STREAM.set(Some(state));
}
