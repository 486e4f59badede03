use super::*;
use proptest::prelude::*;

fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    assert!(contents.len() < 128);
    [&[tag, contents.len() as u8], contents].concat()
}

/// An answer as responders give it, with as few bytes as it can have.
fn answer(status: &[u8]) -> Vec<u8> {
    let time = |text: &str| tlv(0x18, text.as_bytes());
    let next = tlv(0xa0, &time("20260309090000Z"));
    let single = tlv(0x30, &[tlv(0x30, &[]), status.to_vec(), time("20260302090000Z"), next].concat());
    let data = tlv(0x30, &[tlv(0xa2, &[]), time("20260302090000Z"), tlv(0x30, &single)].concat());
    let basic = tlv(0x30, &data);
    let inner = tlv(0x30, &[tlv(6, &[0x2b]), tlv(4, &basic)].concat());
    // Longer than one digit of length can say.
    let outer = [&[0xa0, 0x81, inner.len() as u8][..], &inner].concat();
    let whole = [tlv(10, &[0]), outer].concat();
    [&[0x30, 0x81, whole.len() as u8][..], &whole].concat()
}

#[test]
fn an_answer_is_read() {
    for (status, word) in [(&[0x80, 0][..], "good"), (&[0xa1, 0], "revoked"), (&[0x82, 0], "unknown")] {
        let read = read(&answer(status)).expect("an answer");
        assert_eq!(read.status.word(), word);
        // 2026-03-02T09:00:00Z, and a week later.
        assert_eq!(read.from, Duration::from_secs(1_772_442_000));
        assert_eq!(read.until, Some(Duration::from_secs(1_772_442_000 + 7 * 86_400)));
    }
}

#[test]
fn an_error_is_no_answer_and_a_cut_one_is_none() {
    assert_eq!(read(&[0x30, 3, 10, 1, 6]).map(|read| read.status), Some(Revocation::NoAnswer));
    let whole = answer(&[0x80, 0]);
    for cut in 0..whole.len() {
        assert_eq!(read(&whole[..cut]), None, "{cut}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
    }

    #[test]
    fn a_changed_answer_is_read_or_refused(at in 0usize..90, byte in any::<u8>()) {
        let mut bytes = answer(&[0x80, 0]);
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        let _ = read(&bytes);
    }
}
