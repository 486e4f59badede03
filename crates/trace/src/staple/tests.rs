use super::*;
use proptest::prelude::*;

fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    assert!(contents.len() < 256);
    // Longer than one digit of length can say.
    let length: &[u8] = if contents.len() < 128 { &[] } else { &[0x81] };
    [&[tag], length, &[contents.len() as u8], contents].concat()
}

/// An answer as responders give it, with as few bytes as it can have.
fn answer(status: &[u8]) -> Vec<u8> {
    let time = |text: &str| tlv(0x18, text.as_bytes());
    let next = tlv(0xa0, &time("20260309090000Z"));
    let single = |serial: &[u8], status: &[u8]| {
        let id = tlv(0x30, &[tlv(0x30, &[]), tlv(4, &[]), tlv(4, &[]), tlv(2, serial)].concat());
        tlv(0x30, &[id, status.to_vec(), time("20260302090000Z"), next.clone()].concat())
    };
    // The first is about another certificate.
    let singles = [single(&[6], &[0x82, 0]), single(&SERIAL, status)].concat();
    let data = tlv(0x30, &[tlv(0xa2, &[]), time("20260302090000Z"), tlv(0x30, &singles)].concat());
    let basic = tlv(0x30, &data);
    let inner = tlv(0x30, &[tlv(6, &[0x2b]), tlv(4, &basic)].concat());
    let outer = tlv(0xa0, &inner);
    tlv(0x30, &[tlv(10, &[0]), outer].concat())
}

const SERIAL: [u8; 3] = [0, 0xF0, 7];

#[test]
fn an_answer_is_read() {
    for (status, word) in [(&[0x80, 0][..], "good"), (&[0xa1, 0], "revoked"), (&[0x82, 0], "unknown")] {
        let read = read(&answer(status), &SERIAL).expect("an answer");
        assert_eq!(read.status.word(), word);
        // 2026-03-02T09:00:00Z, and a week later.
        assert_eq!(read.from, Duration::from_secs(1_772_442_000));
        assert_eq!(read.until, Some(Duration::from_secs(1_772_442_000 + 7 * 86_400)));
    }
}

#[test]
fn an_answer_about_other_certificates_says_nothing_of_this_one() {
    let read = read(&answer(&[0xa1, 0]), &[1, 2, 3]).expect("an answer");
    assert_eq!((read.status.word(), read.until), ("other_certificate", None));
}

#[test]
fn an_error_is_no_answer_and_a_cut_one_is_none() {
    assert_eq!(read(&[0x30, 3, 10, 1, 6], &SERIAL).map(|read| read.status), Some(Revocation::NoAnswer));
    let whole = answer(&[0x80, 0]);
    for cut in 0..whole.len() {
        assert_eq!(read(&whole[..cut], &SERIAL), None, "{cut}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes, &SERIAL);
    }

    #[test]
    fn a_changed_answer_is_read_or_refused(at in 0usize..140, byte in any::<u8>()) {
        let mut bytes = answer(&[0x80, 0]);
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        let _ = read(&bytes, &SERIAL);
    }
}
