//! Places in a stream of sequence numbers that never wrap (RFC 9293 3.4 does, on the wire).
//!
//! A place is a `u64` whose low 32 bits are the sequence number on the wire, so comparisons inside are plain.
//! Initial places lie at or above 2^32: whatever a peer claims, the place of it does not underflow.

use thru_wire::tcp::SeqNumber;

/// The place of an initial sequence number.
pub(crate) fn initial(seq: SeqNumber) -> u64 {
    (1 << 32) | u64::from(seq.0)
}

/// The place that `seq` means, next to a place that is known.
pub(crate) fn place(near: u64, seq: SeqNumber) -> u64 {
    let distance = seq.0.wrapping_sub(near as u32) as i32;
    near.wrapping_add_signed(i64::from(distance))
}

/// The number of a place on the wire.
pub(crate) fn wire(place: u64) -> SeqNumber {
    SeqNumber(place as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_cross_the_wrap() {
        let first = initial(SeqNumber(u32::MAX - 1));
        assert_eq!(wire(first + 3), SeqNumber(1));
        assert_eq!(place(first, SeqNumber(1)), first + 3);
        assert_eq!(place(first + 3, SeqNumber(u32::MAX - 1)), first);
    }

    #[test]
    fn numbers_before_the_beginning_stay_below_it() {
        let first = initial(SeqNumber(0));
        assert_eq!(place(first, SeqNumber(u32::MAX)), first - 1);
        assert_eq!(place(first, SeqNumber(1 << 31)), first - (1 << 31));
    }
}
