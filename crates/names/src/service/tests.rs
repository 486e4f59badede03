use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::RecordType;
use proptest::prelude::*;

use super::reply::Style;
use super::*;
use crate::message::{Peek, QueryOptions, decode, encode_query, extended_error};
use crate::rdata::record_from_text;
use crate::resolver::ResolverConfig;
use crate::text::{parse_name, parse_type, record_text};
use crate::wire::RawRecord;

/// What becomes of a client's octets at once: `None`, it is resolved; else the reply, or silence.
fn said(bytes: &[u8]) -> Option<Option<Vec<u8>>> {
    let mut service = Service::new(ServiceConfig::new(ResolverConfig::new(Vec::new())), [7; 32]);
    service.receive(Instant::START, 1, [127, 0, 0, 1].into(), false, bytes)
}

fn query(question: &str, change: impl FnOnce(&mut Message)) -> Vec<u8> {
    let (name, kind) = question.split_once(' ').expect("NAME TYPE");
    let options = QueryOptions {
        id: 77,
        recursion_desired: true,
        checking_disabled: true,
        edns: true,
        dnssec_ok: false,
        nsid: false,
        chaos: false,
    };
    let name = parse_name(name).expect("a name");
    let mut message =
        decode(&encode_query(&name, parse_type(kind).expect("a type"), &options)).expect("readable");
    change(&mut message);
    message.to_vec().expect("bytes")
}

fn refused(bytes: &[u8]) -> Option<u8> {
    Some(Peek::at(&said(bytes)??).expect("a header").rcode_low)
}

#[test]
fn an_answer_goes_back_in_the_clients_spelling() {
    let bytes = query("wWw.shop.lab A", |_| {});
    let reply::Read::Query(_, client) = reply::read(&bytes, false, &Style::default()) else {
        panic!("a query")
    };
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
        stopped: None,
        unwatched: false,
        security: crate::rrset::Security::Secure,
        sections: crate::resolver::Sections { answer: vec![record, signature], ..Default::default() },
    };
    let reply = decode(&client.answer(&answer)).expect("readable");
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
    assert_eq!(said(&[1, 2, 3]), Some(None));
    let response = query("a.lab A", |m| m.metadata.message_type = hickory_proto::op::MessageType::Response);
    assert_eq!(said(&response), Some(None));
}

#[test]
fn localhost_stays_here() {
    let bytes = said(&query("a.LocalHost AAAA", |_| {})).flatten().expect("an answer");
    assert_eq!(record_text(&decode(&bytes).expect("readable").answers[0]), "a.LocalHost. 10800 IN AAAA ::1");
    let bytes = said(&query("localhost MX", |_| {})).flatten().expect("an answer");
    assert!(decode(&bytes).expect("readable").answers.is_empty());
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = said(&bytes);
    }
}
