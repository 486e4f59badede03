//! SHAKE256 (FIPS 202), for Ed448: ring does not have it.

/// Octets taken in or given out between two permutations.
const RATE: usize = 136;

const ROUNDS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];
/// How far each lane is turned, and where it goes, along the path of the pi step.
const TURNS: [u32; 24] =
    [1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44];
const PLACES: [usize; 24] =
    [10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1];

fn permute(state: &mut [u64; 25]) {
    for constant in ROUNDS {
        let column: [u64; 5] =
            std::array::from_fn(|x| state[x] ^ state[x + 5] ^ state[x + 10] ^ state[x + 15] ^ state[x + 20]);
        for (at, lane) in state.iter_mut().enumerate() {
            let x = at % 5;
            *lane ^= column[(x + 4) % 5] ^ column[(x + 1) % 5].rotate_left(1);
        }
        let mut moved = state[1];
        for (turn, place) in TURNS.into_iter().zip(PLACES) {
            let next = state[place];
            state[place] = moved.rotate_left(turn);
            moved = next;
        }
        for row in state.chunks_exact_mut(5) {
            let old: [u64; 5] = std::array::from_fn(|x| row[x]);
            for x in 0..5 {
                row[x] = old[x] ^ (!old[(x + 1) % 5] & old[(x + 2) % 5]);
            }
        }
        state[0] ^= constant;
    }
}

/// The first `N` octets (at most one block of 136) that SHAKE256 gives for the parts one after the other.
pub(super) fn shake256<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    const { assert!(N <= RATE, "one block is enough") };
    let mut state = [0_u64; 25];
    let mut at = 0;
    let take = |state: &mut [u64; 25], at: &mut usize, octet: u8| {
        state[*at / 8] ^= u64::from(octet) << (8 * (*at % 8));
        *at += 1;
    };
    for octet in parts.iter().flat_map(|part| part.iter()) {
        take(&mut state, &mut at, *octet);
        if at == RATE {
            permute(&mut state);
            at = 0;
        }
    }
    take(&mut state, &mut at, 0x1f);
    state[RATE / 8 - 1] ^= 1 << 63;
    permute(&mut state);
    std::array::from_fn(|at| (state[at / 8] >> (8 * (at % 8))) as u8)
}

#[cfg(test)]
mod tests {
    use super::shake256;

    #[test]
    fn it_gives_what_others_give() {
        let check = |parts: &[&[u8]], wanted: &str| {
            assert_eq!(shake256::<32>(parts)[..], crate::rdata::hex(wanted).expect("hexadecimal")[..]);
        };
        check(&[], "46b9dd2b0ba88d13233b3feb743eeb243fcd52ea62b81b82b50c27646ed5762f");
        // More than one block, in pieces.
        check(
            &[&b"abc".repeat(99), b"a", b"bc"],
            "89571b19711d3f1ac9b3761750299438b8c9b8bdedf247fcb32f608a967f935d",
        );
    }
}
