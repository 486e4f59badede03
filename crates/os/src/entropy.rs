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
    let mut filled = 0;
    while filled < bytes.len() {
        let rest = &mut bytes[filled..];
        // SAFETY: pointer and length describe `rest`.
        let result = unsafe { getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        match usize::try_from(result) {
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

/// The next eight bytes of this thread's stream; `None` if it runs no lab.
fn next_word() -> Option<[u8; 8]> {
    // During a thread's end its locals are gone already: then the kernel answers.
    let state = STREAM.try_with(Cell::get).ok().flatten()?.wrapping_add(0x9e37_79b9_7f4a_7c15);
    STREAM.set(Some(state));
    let mut word = state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    Some((word ^ (word >> 31)).to_le_bytes())
}

/// The C library's `getrandom`, replaced: seeded on a lab's thread, the kernel's otherwise.
///
/// # Safety
/// As for the C function: `buffer` points to `length` writable bytes, initialised or not (or `length` is 0).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getrandom(
    buffer: *mut libc::c_void,
    length: libc::size_t,
    flags: libc::c_uint,
) -> libc::ssize_t {
    let mut filled = 0;
    // A call of length 0 asks whether the function is there: it must not move the stream.
    while filled < length {
        let Some(word) = next_word() else { break };
        let count = word.len().min(length - filled);
        // SAFETY: the caller vouches for `length` writable bytes, and `filled + count <= length`. Written through
        // the pointer, since the bytes may be uninitialised and so may not be borrowed as a slice.
        unsafe { std::ptr::copy_nonoverlapping(word.as_ptr(), buffer.cast::<u8>().add(filled), count) };
        filled += count;
    }
    if filled > 0 {
        return filled as libc::ssize_t;
    }
    // SAFETY: the caller vouches for pointer and length; the kernel only writes there.
    let result = unsafe { libc::syscall(libc::SYS_getrandom, buffer, length, flags) };
    result as libc::ssize_t
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
    fn odd_lengths_are_filled_to_the_end() {
        let _guard = enter(3);
        let mut whole = [0; 16];
        fill(&mut whole);
        let _again = enter(3);
        let mut cut = [0; 13];
        fill(&mut cut);
        assert_eq!(cut, whole[..13]);
    }

    #[test]
    fn a_guard_within_a_guard_gives_the_outer_stream_back() {
        let draw = || {
            let mut bytes = [0; 8];
            fill(&mut bytes);
            bytes
        };
        let _outer = enter(5);
        let first = draw();
        let inner = enter(5);
        assert_eq!(draw(), first);
        drop(inner);
        assert_ne!(draw(), first);
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
