//! Whether a DNS message holds the records that it announces (RFC 1035 4.1), by their lengths alone.

/// Octets of the header.
const HEADER: usize = 12;
/// A name has no more labels than this (RFC 1035 2.3.4).
const LABELS_MAX: usize = 128;

/// Whether the bytes end before the records do. Whoever reads such an answer refuses it.
pub(super) fn ends_early(message: &[u8]) -> bool {
    whole(message).is_none()
}

/// Where the last record ends.
fn whole(message: &[u8]) -> Option<usize> {
    let number =
        |at: usize| Some(usize::from(u16::from_be_bytes([*message.get(at)?, *message.get(at + 1)?])));
    let mut at = HEADER;
    for _ in 0..number(4)? {
        at = within(message, behind_name(message, at)? + 4)?;
    }
    for _ in 0..number(6)? + number(8)? + number(10)? {
        let fixed = behind_name(message, at)?;
        at = within(message, fixed + 10 + number(fixed + 8)?)?;
    }
    Some(at)
}

fn within(message: &[u8], at: usize) -> Option<usize> {
    (at <= message.len()).then_some(at)
}

/// What follows a name.
fn behind_name(message: &[u8], mut at: usize) -> Option<usize> {
    for _ in 0..LABELS_MAX {
        match *message.get(at)? {
            0 => return Some(at + 1),
            // The rest of it stands elsewhere (RFC 1035 4.1.4).
            0xC0.. => return within(message, at + 2),
            length => at += 1 + usize::from(length),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `www.a` has the address 192.0.2.1, and the server knows EDNS.
    const ANSWER: &[u8] = b"\x12\x34\x81\x80\0\x01\0\x01\0\0\0\x01\x03www\x01a\0\0\x01\0\x01\
        \xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01\0\0\x29\x04\xd0\0\0\0\0\0\0";

    #[test]
    fn what_is_cut_anywhere_ends_early() {
        assert!(!ends_early(ANSWER));
        for cut in 0..ANSWER.len() {
            assert!(ends_early(&ANSWER[..cut]), "{cut}");
        }
        // What follows the last record does not count.
        assert!(!ends_early(&[ANSWER, b"more"].concat()));
    }

    proptest! {
        #[test]
        fn no_bytes_can_harm(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = ends_early(&bytes);
        }
    }
}
