use super::*;
use proptest::prelude::*;

/// RFC 1071 section 4.1, as slowly as it is written there.
fn naive(bytes: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[test]
fn the_example_of_rfc_1071() {
    let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    assert_eq!(of(&bytes), !0xddf2);
}

#[test]
fn the_example_of_rfc_1624() {
    // Section 4: HC = 0xDD2F, m = 0x5555, m' = 0x3285 gives 0x0000, where RFC 1141 said 0xFFFF.
    assert_eq!(update_u16(0xdd2f, 0x5555, 0x3285), 0x0000);
}

proptest! {
    #[test]
    fn equals_the_naive_sum(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert_eq!(of(&bytes), naive(&bytes));
    }

    #[test]
    fn pieces_sum_like_the_whole(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        cuts in proptest::collection::vec(0usize..300, 0..5),
    ) {
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.sort_unstable();
        cuts.push(bytes.len());
        let (mut by_bytes, mut by_sums, mut from) = (Sum::EMPTY, Sum::EMPTY, 0);
        for cut in cuts {
            by_bytes.add_bytes(&bytes[from..cut]);
            by_sums.add_sum(Sum::of(&bytes[from..cut]));
            from = cut;
        }
        prop_assert_eq!(by_bytes.checksum(), naive(&bytes));
        prop_assert_eq!(by_sums.checksum(), naive(&bytes));
    }

    #[test]
    fn an_update_equals_summing_again(
        mut bytes in proptest::collection::vec(any::<u8>(), 16..64),
        at in 0usize..6,
        new in any::<[u8; 4]>(),
    ) {
        // A header never sums to zero: keep the one case out in which 0 and 0xffff are both right.
        bytes[15] |= 1;
        let at = at * 2;
        let before = of(&bytes);
        let old: [u8; 4] = bytes[at..at + 4].try_into().unwrap();
        bytes[at..at + 4].copy_from_slice(&new);
        let after = of(&bytes);
        prop_assert_eq!(update_bytes(before, &old, &new), after);
        prop_assert_eq!(update_u32(before, u32::from_be_bytes(old), u32::from_be_bytes(new)), after);
        prop_assert_eq!(update_address(before, IpAddr::from(old), IpAddr::from(new)), after);
    }

    #[test]
    fn a_filled_in_checksum_verifies(mut bytes in proptest::collection::vec(any::<u8>(), 20..200)) {
        bytes[10..12].fill(0);
        let sum = of(&bytes);
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        prop_assert!(is_valid(&bytes));
    }
}
