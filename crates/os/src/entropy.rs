//! Random bytes: from the kernel, or, on a thread that runs a lab, from the lab's seed.
//!
//! Libraries draw randomness by themselves: the standard library for its hash maps, the `getrandom` crates for
//! `rand` and so for quinn. All of them end in the C function `getrandom`. This module defines that function, so
//! that on a lab's thread those draws repeat too; on every other thread it asks the kernel, as the C library would.
//! The `getrandom` crates look the symbol up at run time: a binary has to export it
//! (`-Wl,--export-dynamic-symbol=getrandom`, given by the build scripts of `net` and `cli`).

use std::cell::Cell;

thread_local! {
    /// State of this thread's SplitMix64 stream, if it runs a lab.
    static STREAM: Cell<Option<u64>> = const { Cell::new(None) };
}

/// While it lives, this thread's entropy repeats under its seed.
#[derive(Debug)]
#[must_use = "the seeded entropy ends when the guard is dropped"]
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
///
/// # Panics
/// If the kernel has no random bytes to give.
pub fn fill(bytes: &mut [u8]) {
    if fill_seeded(bytes) {
        return;
    }
    let mut filled = 0;
    while filled < bytes.len() {
        match usize::try_from(from_kernel(&mut bytes[filled..], 0)) {
            Ok(count) => filled += count,
            Err(_) => {
                let error = std::io::Error::last_os_error();
                assert!(
                    error.kind() == std::io::ErrorKind::Interrupted,
                    "the kernel gives no random bytes: {error}"
                );
            }
        }
    }
}

/// Whether this thread runs a lab; if so, `bytes` are filled from its stream.
fn fill_seeded(bytes: &mut [u8]) -> bool {
    // During a thread's end its locals are gone already: then the kernel answers.
    let Ok(Some(mut state)) = STREAM.try_with(Cell::get) else {
        return false;
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
    true
}

/// The system call, with its own error convention (-1 and errno).
fn from_kernel(bytes: &mut [u8], flags: libc::c_uint) -> libc::ssize_t {
    // SAFETY: the pointer and length describe `bytes`, which the kernel may write.
    let result = unsafe { libc::syscall(libc::SYS_getrandom, bytes.as_mut_ptr(), bytes.len(), flags) };
    result as libc::ssize_t
}

/// The C library's `getrandom`, replaced: seeded on a lab's thread, the kernel's otherwise.
///
/// # Safety
/// As for the C function: `buffer` points to `length` writable bytes (or `length` is 0).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getrandom(
    buffer: *mut libc::c_void,
    length: libc::size_t,
    flags: libc::c_uint,
) -> libc::ssize_t {
    // A call of length 0 asks whether the function is there: it must not move the stream.
    if length == 0 || buffer.is_null() {
        return from_kernel(&mut [], flags);
    }
    // SAFETY: the caller vouches for the buffer.
    let bytes = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), length) };
    if fill_seeded(bytes) {
        return bytes.len() as libc::ssize_t;
    }
    from_kernel(bytes, flags)
}

#[cfg(test)]
mod tests {
    use std::collections::hash_map::RandomState;
    use std::hash::BuildHasher as _;

    use super::*;

    /// Draws on a fresh thread: the standard library keeps its hash keys per thread.
    fn drawn(seed: Option<u64>) -> ([u8; 16], u64) {
        let draw = move || {
            let _guard = seed.map(enter);
            let mut bytes = [0; 16];
            fill(&mut bytes);
            (bytes, RandomState::new().hash_one(1u8))
        };
        std::thread::spawn(draw).join().expect("drawing does not panic")
    }

    #[test]
    fn equal_seeds_give_equal_bytes_and_equal_hash_keys() {
        assert_eq!(drawn(Some(7)), drawn(Some(7)));
        assert_ne!(drawn(Some(7)), drawn(Some(8)));
    }

    #[test]
    fn outside_a_lab_nothing_repeats() {
        assert_ne!(drawn(None), drawn(None));
    }

    #[test]
    fn a_call_of_length_zero_does_not_move_the_stream() {
        let _guard = enter(1);
        let before = STREAM.get();
        // SAFETY: no byte is written for length 0.
        unsafe { getrandom(std::ptr::null_mut(), 0, 0) };
        assert_eq!(STREAM.get(), before);
    }
}
