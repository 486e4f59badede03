use proptest::prelude::*;

use super::*;
use crate::text::parse_name;

const FILE: &str = "; comment
;;id: shop.lab. 1
;;last_queried: 1258962400 ;;Mon Nov 23 07:46:40 2009
;;last_success: 1258962400 ;;Mon Nov 23 07:46:40 2009
;;next_probe_time: 1258967360 ;;Mon Nov 23 09:09:20 2009
;;query_failed: 2
;;query_interval: 5400
;;retry_time: 3600
shop.lab.	10800	IN	DNSKEY	257 3 13 AwEAAc3Z5DQDJpH4 ;{id = 1 (ksk), size = 256b} ;;state=1 [ ADDPEND ] ;;count=3 ;;lastchange=1258962400 ;;Mon Nov 23 07:46:40 2009
shop.lab.	10800	IN	DNSKEY	257 3 13 AwEAAeiaUiUIpWMf ;{id = 2 (ksk), size = 256b} ;;state=2 [  VALID  ] ;;count=0 ;;lastchange=1256370400 ;;Sat Oct 24 07:46:40 2009
";

#[test]
fn a_file_says_what_was_known() {
    let point = TrustPoint::from_text(FILE).expect("a good file");
    assert_eq!(point.zone, parse_name("shop.lab").expect("a name"));
    assert_eq!((point.last_asked, point.next_probe, point.failures), (1_258_962_400, 1_258_967_360, 2));
    let stages: Vec<_> = point.keys.iter().map(|key| (key.stage, key.seen)).collect();
    assert_eq!(stages, [(Stage::Valid, 0), (Stage::AddPending, 3)], "the last read is the newest");
    assert_eq!(point.trusted().len(), 1, "what waits is not trusted");
    // Written and read twice, since each reading turns the order round.
    let again = TrustPoint::from_text(&TrustPoint::from_text(&point.to_text()).expect("own").to_text());
    assert_eq!(again, Ok(point));
}

#[test]
fn a_bad_file_says_where() {
    assert!(TrustPoint::from_text("").is_err(), "nothing in it");
    let two = "a.lab. DS 1 8 2 00\nb.lab. DS 1 8 2 00\n";
    assert_eq!(TrustPoint::from_text(two), Err("line 2: b.lab. beside a.lab.".into()));
    assert!(TrustPoint::from_text("a.lab. A 192.0.2.1").expect_err("no anchor").starts_with("line 1"));
}

#[test]
fn time_alone_makes_a_key_valid_that_was_seen_often_enough() {
    let mut point = TrustPoint::from_text(FILE).expect("a good file");
    let (since, seen) = point
        .keys
        .iter()
        .find(|key| key.stage == Stage::AddPending)
        .map(|key| (key.since, key.seen))
        .expect("one waits");
    assert!(seen >= SEEN_MIN, "it was seen {seen} times");
    point.ripen(since + ADD_HOLD_DOWN - 1);
    assert_eq!(point.trusted().len(), 1, "not a second too early");
    point.ripen(since + ADD_HOLD_DOWN);
    assert_eq!(point.trusted().len(), 2, "whatever the zone's set says then");
}

#[test]
fn without_an_answer_it_is_asked_again_soon_and_nothing_is_new() {
    let mut point = TrustPoint::from_text(FILE).expect("a good file");
    point.failures = 0;
    let before = point.clone();
    point.schedule(1_300_000_000, 0.0, false);
    assert_eq!(point.next_probe, 1_300_000_000 + before.retry);
    point.schedule(1_300_000_000, 0.0, true);
    assert_eq!(point.next_probe, 1_300_000_000 + before.interval);
    assert_eq!((point.last_asked, point.failures), (before.last_asked, 0));
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(at in 0..FILE.len(), byte in any::<u8>(), cut in 0..FILE.len()) {
        let mut bytes = FILE.as_bytes().to_vec();
        bytes[at] = byte;
        bytes.truncate(cut.max(1));
        if let Ok(point) = TrustPoint::from_text(&String::from_utf8_lossy(&bytes)) {
            point.to_text();
        }
    }
}
