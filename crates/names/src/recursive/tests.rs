use proptest::prelude::*;
use thru_wire::Instant;

use hickory_proto::op::{Message, ResponseCode};

use super::*;
use crate::message::{QueryOptions, decode, encode_query, extended_error};
use crate::rdata::record_from_text;
use crate::text::{parse_type, record_text};

fn query(question: &str, change: impl FnOnce(&mut Message)) -> Vec<u8> {
    let (name, kind) = question.split_once(' ').expect("NAME TYPE");
    let options = QueryOptions {
        id: 77,
        recursion_desired: true,
        checking_disabled: true,
        edns: true,
        dnssec_ok: false,
    };
    let name = parse_name(name).expect("a name");
    let mut message =
        decode(&encode_query(&name, parse_type(kind).expect("a type"), &options)).expect("readable");
    change(&mut message);
    message.to_vec().expect("bytes")
}

fn refused(bytes: &[u8]) -> Option<u8> {
    match read(bytes, true) {
        Incoming::Reply(bytes) => Some(Peek::at(&bytes).expect("a header").rcode_low),
        _ => None,
    }
}

#[test]
fn an_answer_goes_back_in_the_clients_spelling() {
    let Incoming::Resolve(client) = read(&query("wWw.shop.lab A", |_| {}), true) else { panic!("a query") };
    let owner = parse_name("www.shop.lab").expect("a name");
    let record = record_from_text("www.shop.lab. 60 A 192.0.2.80", &Name::root(), 60, None).expect("data");
    let signature = RawRecord { rtype: RecordType::RRSIG, data: vec![0; 20].into(), ..record.clone() };
    let answer = Answer {
        name: owner.clone(),
        record_type: RecordType::A,
        code: ResponseCode::NoError,
        records: Vec::new(),
        soa: None,
        extended_error: Some((3, "old".into())),
        from_cache: true,
        began: Instant::START,
        ended: Instant::START,
        steps: Vec::new(),
        steps_dropped: 0,
        security: crate::rrset::Security::Secure,
        sections: crate::resolver::Sections { answer: vec![record, signature], ..Default::default() },
    };
    let reply = decode(&client.reply(&answer)).expect("readable");
    assert_eq!(record_text(&reply.answers[0]), "wWw.shop.lab. 60 IN A 192.0.2.80");
    assert_eq!(reply.metadata.id, 77);
    assert_eq!(reply.answers.len(), 1, "no signatures for who did not ask for them");
    let flags = reply.metadata;
    assert!(!flags.authentic_data, "who disables checking is told nothing of it");
    assert!(
        flags.recursion_available
            && flags.recursion_desired
            && flags.checking_disabled
            && !flags.authoritative
    );
    assert_eq!(extended_error(&reply), Some((3, "old".into())));
}

#[test]
fn what_can_not_be_resolved_is_answered_at_once() {
    assert_eq!(refused(&query("a.lab A", |m| m.metadata.recursion_desired = false)), Some(5));
    assert_eq!(refused(&query("a.lab AXFR", |_| {})), Some(5));
    assert_eq!(refused(&query("a.lab A", |m| m.queries.clear())), Some(1));
    assert_eq!(
        refused(&query("a.lab A", |m| m.metadata.op_code = hickory_proto::op::OpCode::Status)),
        Some(4)
    );
    assert_eq!(refused(&query("a.lab A", |_| {})[..20]), Some(1));
    assert!(matches!(read(&[1, 2, 3], true), Incoming::Ignore));
    let response = query("a.lab A", |m| m.metadata.message_type = hickory_proto::op::MessageType::Response);
    assert!(matches!(read(&response, true), Incoming::Ignore));
}

#[test]
fn localhost_stays_here() {
    let Incoming::Reply(bytes) = read(&query("a.LocalHost AAAA", |_| {}), true) else { panic!("an answer") };
    assert_eq!(record_text(&decode(&bytes).expect("readable").answers[0]), "a.LocalHost. 3600 IN AAAA ::1");
    let Incoming::Reply(bytes) = read(&query("localhost MX", |_| {}), true) else { panic!("an answer") };
    assert!(decode(&bytes).expect("readable").answers.is_empty());
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes, true);
    }
}
