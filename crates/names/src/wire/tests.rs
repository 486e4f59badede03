use hickory_proto::rr::{Name, RecordType};
use proptest::prelude::*;

use super::{Opt, Packet, Question};
use crate::rdata::record_from_text;

fn sample() -> Packet {
    let record = |line: &str| record_from_text(line, &Name::root(), 60, None).expect("a record");
    let mut packet = Packet::default();
    packet.header.id = 0x1234;
    packet.header.response = true;
    packet.questions.push(Question::new(Name::from_ascii("www.shop.lab.").expect("a name"), RecordType::A));
    packet.answers.push(record("www.shop.lab. 60 IN CNAME web.shop.lab."));
    packet.answers.push(record("web.shop.lab. 60 IN A 192.0.2.80"));
    packet.authorities.push(record("shop.lab. 60 IN SOA ns.shop.lab. x.shop.lab. 1 2 3 4 5"));
    packet.authorities.push(record("a.shop.lab. 60 IN NSEC b.shop.lab. A RRSIG NSEC"));
    packet.additionals.push(record("shop.lab. 60 IN MX 10 web.shop.lab."));
    packet.opt =
        Some(Opt { payload: 1232, dnssec_ok: true, options: vec![(10, vec![1; 8])], ..Opt::default() });
    packet
}

#[test]
fn what_is_written_is_read_again() {
    let packet = sample();
    let bytes = packet.write(65_535).expect("it fits");
    assert_eq!(Packet::read(&bytes).as_ref(), Ok(&packet));
    // Compressed: the plain names alone would take more.
    assert!(bytes.len() < 240, "{} octets", bytes.len());
    assert!(packet.write(bytes.len() - 1).is_none(), "a limit is a limit");
}

#[test]
fn every_truncation_is_an_error_with_a_place() {
    let bytes = sample().write(65_535).expect("it fits");
    for cut in 0..bytes.len() {
        let error = Packet::read(&bytes[..cut]).expect_err("it is cut");
        assert!(error.at <= bytes.len(), "{error}");
    }
}

#[test]
fn pointers_that_do_not_lead_back_are_refused() {
    let mut bytes = sample().write(65_535).expect("it fits");
    bytes[12] = 0xc0;
    bytes[13] = 12;
    assert_eq!(
        Packet::read(&bytes).expect_err("a loop").why,
        "has a compression pointer that does not lead back"
    );
}

proptest! {
    #[test]
    fn no_octets_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(packet) = Packet::read(&bytes) {
            let written = packet.write(65_535).expect("what was read can be written");
            prop_assert_eq!(Packet::read(&written), Ok(packet));
        }
    }

    #[test]
    fn no_changed_octet_makes_reading_panic(at in 0_usize..200, byte in any::<u8>()) {
        let mut bytes = sample().write(65_535).expect("it fits");
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(packet) = Packet::read(&bytes) {
            let _ = packet.write(65_535);
        }
    }
}
