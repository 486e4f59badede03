use super::*;
use crate::text::parse_name;

fn query() -> Vec<u8> {
    let options = QueryOptions {
        id: 7,
        recursion_desired: true,
        checking_disabled: true,
        edns: true,
        dnssec_ok: false,
        nsid: false,
        chaos: false,
    };
    encode_query(&parse_name("Www.shop.lab").expect("a name"), RecordType::AAAA, &options)
}

#[test]
fn a_query_reads_back() {
    let message = decode(&query()).expect("readable");
    assert_eq!(message.metadata.id, 7);
    assert!(message.metadata.recursion_desired && message.metadata.checking_disabled);
    assert_eq!(message.edns.as_ref().map(Edns::max_payload), Some(UDP_PAYLOAD));
    let name = parse_name("Www.shop.lab").expect("a name");
    assert_eq!(question_matches(&message, &name, RecordType::AAAA), Ok(()));
    assert_eq!(question_matches(&message, &name.to_lowercase(), RecordType::AAAA), Err(true));
    assert_eq!(question_matches(&message, &name, RecordType::A), Err(false));
}

#[test]
fn decoding_says_why_not() {
    assert_eq!(decode(&[0; 5]).expect_err("short"), "is 5 bytes long, less than a header");
    let mut many = query();
    many[4] = 0xff;
    assert_eq!(decode(&many).expect_err("many"), "claims 65281 questions");
    assert!(decode(&query()[..20]).is_err());
}

#[test]
fn extended_errors_read_back_and_are_made_printable() {
    let mut message = decode(&query()).expect("readable");
    add_extended_error(&mut message, 22, "no \x1b[31mserver");
    let back = decode(&message.to_vec().expect("bytes")).expect("readable");
    assert_eq!(extended_error(&back), Some((22, "no ?[31mserver".into())));
    let mut plain = decode(&query()).expect("readable");
    plain.edns = None;
    add_extended_error(&mut plain, 22, "nowhere to put it");
    assert_eq!(extended_error(&plain), None);
}

#[test]
fn a_bare_error_echoes_id_opcode_and_rd() {
    let mut query = query();
    query[2] |= 4 << 3;
    let peek = Peek::at(&query).expect("a header");
    let answer = Peek::at(&bare_error(peek, ResponseCode::NotImp)).expect("a header");
    assert_eq!((answer.id, answer.opcode, answer.rcode_low), (7, 4, 4));
    assert!(answer.is_response && answer.recursion_desired && answer.questions == 0);
}
