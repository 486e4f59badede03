use std::time::Duration;

use hickory_proto::rr::{Name, RecordType};
use proptest::prelude::*;

use super::*;
use crate::text::parse_name;
use crate::wire::{CLASS_IN, Header, Opt, Packet, Question, RawRecord};

fn name(text: &str) -> Name {
    parse_name(text).expect("a legal name")
}

fn query(id: u16, asked: &str, opt: Option<u16>) -> Vec<u8> {
    let packet = Packet {
        header: Header { id, recursion_desired: true, ..Header::default() },
        questions: vec![Question::new(name(asked), RecordType::A)],
        opt: opt.map(|payload| Opt { payload, dnssec_ok: true, ..Opt::default() }),
        ..Packet::default()
    };
    packet.write(512).expect("it fits")
}

fn reply(asked: &str, records: u8, opt: bool) -> Vec<u8> {
    let record = |last: u8| RawRecord {
        name: name(asked),
        rtype: RecordType::A,
        class: CLASS_IN,
        ttl: 100 + u32::from(last),
        data: [192, 0, 2, last].into(),
    };
    let packet = Packet {
        header: Header { id: 1, response: true, ..Header::default() },
        questions: vec![Question::new(name(asked), RecordType::A)],
        answers: (0..records).map(record).collect(),
        opt: opt.then(|| Opt { payload: 1232, dnssec_ok: true, ..Opt::default() }),
        ..Packet::default()
    };
    packet.write(4096).expect("it fits")
}

fn at(seconds: u64) -> Instant {
    Instant::START + Duration::from_secs(seconds)
}

fn ask(packed: &mut PackedAnswers, now: Instant, query: &[u8]) -> Option<Packet> {
    let plain = PlainQuery::read(query)?;
    let mut out = b"before".to_vec();
    let found = packed.answer(now, &plain, query, &mut out);
    assert_eq!(&out[..6], b"before");
    found.then(|| Packet::read(&out[6..]).expect("a message"))
}

#[test]
fn another_client_gets_its_id_its_spelling_and_the_time_that_is_left() {
    let mut packed = PackedAnswers::new((1, 2), 1 << 20);
    let first = query(1, "www.example.", Some(1232));
    packed.keep(at(10), at(60), &PlainQuery::read(&first).expect("plain"), &reply("www.example.", 2, true));
    let answer = ask(&mut packed, at(15), &query(7, "wWw.Example.", Some(1232))).expect("it is known");
    assert_eq!((answer.header.id, answer.questions[0].name.to_string()), (7, "wWw.Example.".to_string()));
    let ttls: Vec<u32> = answer.answers.iter().map(|record| record.ttl).collect();
    assert_eq!(ttls, [95, 96]);
    assert_eq!(answer.opt.expect("EDNS").payload, 1232);
    assert!(ask(&mut packed, at(60), &first).is_none(), "its time is over");
    assert!(
        ask(&mut packed, at(15), &query(1, "www.example.", None)).is_none(),
        "without EDNS it is another"
    );
}

#[test]
fn what_does_not_fit_a_client_or_was_cut_is_not_given() {
    let mut packed = PackedAnswers::new((1, 2), 1 << 20);
    let small = query(1, "many.example.", Some(512));
    let large = query(1, "many.example.", Some(1232));
    packed.keep(at(0), at(60), &PlainQuery::read(&large).expect("plain"), &reply("many.example.", 40, true));
    assert!(ask(&mut packed, at(1), &small).is_none());
    assert_eq!(ask(&mut packed, at(1), &large).expect("it fits").answers.len(), 40);
    let mut cut = reply("cut.example.", 1, true);
    cut[2] |= 2;
    let asked = query(1, "cut.example.", Some(1232));
    packed.keep(at(0), at(60), &PlainQuery::read(&asked).expect("plain"), &cut);
    assert!(ask(&mut packed, at(1), &asked).is_none());
}

#[test]
fn only_plain_queries_count_as_such() {
    let plain = query(1, "www.example.", Some(1232));
    assert!(PlainQuery::read(&plain).is_some());
    for cut in 0..plain.len() {
        assert!(PlainQuery::read(&plain[..cut]).is_none(), "cut after {cut}");
    }
    let changed = |at: usize, bits: u8| {
        let mut changed = plain.clone();
        changed[at] ^= bits;
        PlainQuery::read(&changed).is_some()
    };
    let length = plain.len();
    for (what, at, bits) in [
        ("a response", 2, 0x80),
        ("another opcode", 2, 0x20),
        ("TC", 2, 0x02),
        ("RA", 3, 0x80),
        ("a code", 3, 0x03),
        ("two questions", 5, 0x03),
        ("an answer", 7, 0x01),
        ("EDNS 1", length - 5, 0x01),
        ("options", length - 1, 0x04),
        ("a flag of EDNS", length - 4, 0x40),
    ] {
        assert!(!changed(at, bits), "{what}");
    }
    assert!(changed(3, 0x10), "CD is a question of its own");
}

#[test]
fn memory_is_bounded_and_what_is_asked_for_stays() {
    let mut packed = PackedAnswers::new((1, 2), 40_000);
    let favourite = query(1, "favourite.example.", Some(1232));
    let keep = |packed: &mut PackedAnswers, asked: &str| {
        let plain = PlainQuery::read(&query(1, asked, Some(1232))).expect("plain");
        packed.keep(at(0), at(60), &plain, &reply(asked, 1, true));
    };
    keep(&mut packed, "favourite.example.");
    for number in 0..5_000 {
        keep(&mut packed, &format!("n{number}.example."));
        assert!(ask(&mut packed, at(1), &favourite).is_some(), "after {number}");
        assert!(packed.len() < 40_000 / (ENTRY_COST + 50));
    }
    packed.clear();
    assert!(packed.is_empty());
}

proptest! {
    #[test]
    fn any_octets_are_read_without_harm(query in prop::collection::vec(any::<u8>(), 0..300), reply in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut packed = PackedAnswers::new((3, 4), 1 << 16);
        if let Some(plain) = PlainQuery::read(&query) {
            packed.keep(at(0), at(9), &plain, &reply);
            packed.answer(at(1), &plain, &query, &mut Vec::new());
        }
    }

    #[test]
    fn damaged_replies_are_kept_without_harm(at_octet in 0_usize..60, octet in any::<u8>()) {
        let mut packed = PackedAnswers::new((3, 4), 1 << 16);
        let asked = query(1, "www.example.", Some(1232));
        let plain = PlainQuery::read(&asked).expect("plain");
        let mut damaged = reply("www.example.", 2, true);
        let place = at_octet % damaged.len();
        damaged[place] = octet;
        packed.keep(at(0), at(9), &plain, &damaged);
        packed.answer(at(1), &plain, &asked, &mut Vec::new());
    }
}
