use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::DNSClass;
use proptest::prelude::*;

use super::*;
use crate::message::{Peek, QueryOptions, UDP_PAYLOAD, encode_query, extended_error};
use crate::text::{parse_name, parse_type, record_text};

const ROOT: &str = "
. 86400 SOA a.root-servers.lab. admin.lab. 1 1h 15m 7d 60
. NS a.root-servers.lab.
lab. NS ns.nic.lab.
ns.nic.lab. A 192.0.2.10
a.root-servers.lab. A 192.0.2.1
";

const SHOP: &str = r#"
$ORIGIN shop.lab.
$TTL 300
@ SOA ns1 admin 7 1h 15m 7d 60
  NS ns1
  MX 10 www
ns1 A 192.0.2.53
www A 192.0.2.80
    AAAA 2001:db8::80
alias CNAME www
away CNAME www.other.lab.
gone CNAME nowhere
loop1 CNAME loop2
loop2 CNAME loop1
*.wild CNAME www
sub NS ns.sub
    NS ns.elsewhere.lab.
ns.sub A 192.0.2.54
       AAAA 2001:db8::54
into CNAME host.sub
big TXT "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
big TXT "1123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
big TXT "2123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
"#;

fn responder() -> Responder {
    Responder::new([ROOT, SHOP].map(|text| Zone::parse(text, None).expect("a zone")))
}

fn query(question: &str, edns: bool) -> Vec<u8> {
    let (name, kind) = question.split_once(' ').expect("NAME TYPE");
    let name = parse_name(name).expect("a name");
    let options = QueryOptions {
        id: 0x1234,
        recursion_desired: true,
        checking_disabled: false,
        edns,
        dnssec_ok: false,
        nsid: false,
        chaos: false,
    };
    encode_query(&name, parse_type(kind).expect("a type"), &options)
}

fn ask(question: &str) -> Message {
    let bytes = responder().answer(&query(question, true), true).expect("an answer");
    Message::from_vec(&bytes).expect("a readable answer")
}

/// `expected`: the code, the flags, then each section's records, one a line with the section's letter first.
fn check(question: &str, expected: &[&str]) {
    let answer = ask(question);
    let mut got = vec![format!(
        "{:?}{}{}",
        answer.metadata.response_code,
        if answer.metadata.authoritative { " aa" } else { "" },
        if answer.metadata.truncation { " tc" } else { "" }
    )];
    for (letter, section) in
        [("an", &answer.answers), ("ns", &answer.authorities), ("ar", &answer.additionals)]
    {
        got.extend(section.iter().map(|record| format!("{letter} {}", record_text(record))));
    }
    assert_eq!(got, expected, "{question}");
    assert_eq!(answer.metadata.id, 0x1234);
    assert!(answer.metadata.recursion_desired && !answer.metadata.recursion_available);
}

const SOA: &str = "ns shop.lab. 60 IN SOA ns1.shop.lab. admin.shop.lab. 7 3600 900 604800 60";

#[test]
fn answers() {
    check("www.shop.lab A", &["NoError aa", "an www.shop.lab. 300 IN A 192.0.2.80"]);
    check(
        "shop.lab MX",
        &[
            "NoError aa",
            "an shop.lab. 300 IN MX 10 www.shop.lab.",
            "ar www.shop.lab. 300 IN A 192.0.2.80",
            "ar www.shop.lab. 300 IN AAAA 2001:db8::80",
        ],
    );
    check(
        "a.root-servers.lab A",
        &["NoError", "ns lab. 86400 IN NS ns.nic.lab.", "ar ns.nic.lab. 86400 IN A 192.0.2.10"],
    );
    check(
        // The address lies below the delegation of lab: it is glue, and comes with referrals only.
        ". NS",
        &["NoError aa", "an . 86400 IN NS a.root-servers.lab."],
    );
}

#[test]
fn negatives_carry_the_soa() {
    check("www.shop.lab TXT", &["NoError aa", SOA]);
    check("nowhere.shop.lab A", &["NXDomain aa", SOA]);
    check(
        "example A",
        &["NXDomain aa", "ns . 60 IN SOA a.root-servers.lab. admin.lab. 1 3600 900 604800 60"],
    );
}

#[test]
fn aliases_are_followed_inside_the_zone() {
    check(
        "alias.shop.lab A",
        &[
            "NoError aa",
            "an alias.shop.lab. 300 IN CNAME www.shop.lab.",
            "an www.shop.lab. 300 IN A 192.0.2.80",
        ],
    );
    check("alias.shop.lab CNAME", &["NoError aa", "an alias.shop.lab. 300 IN CNAME www.shop.lab."]);
    check("away.shop.lab A", &["NoError aa", "an away.shop.lab. 300 IN CNAME www.other.lab."]);
    check("gone.shop.lab A", &["NXDomain aa", "an gone.shop.lab. 300 IN CNAME nowhere.shop.lab.", SOA]);
    check(
        "loop1.shop.lab A",
        &[
            "NoError aa",
            "an loop1.shop.lab. 300 IN CNAME loop2.shop.lab.",
            "an loop2.shop.lab. 300 IN CNAME loop1.shop.lab.",
        ],
    );
    check(
        "x.wild.shop.lab A",
        &[
            "NoError aa",
            "an x.wild.shop.lab. 300 IN CNAME www.shop.lab.",
            "an www.shop.lab. 300 IN A 192.0.2.80",
        ],
    );
    check(
        "into.shop.lab A",
        &[
            "NoError aa",
            "an into.shop.lab. 300 IN CNAME host.sub.shop.lab.",
            "ns sub.shop.lab. 300 IN NS ns.sub.shop.lab.",
            "ns sub.shop.lab. 300 IN NS ns.elsewhere.lab.",
            "ar ns.sub.shop.lab. 300 IN A 192.0.2.54",
            "ar ns.sub.shop.lab. 300 IN AAAA 2001:db8::54",
        ],
    );
}

#[test]
fn referrals_carry_glue_and_no_authority() {
    check(
        "www.sub.shop.lab A",
        &[
            "NoError",
            "ns sub.shop.lab. 300 IN NS ns.sub.shop.lab.",
            "ns sub.shop.lab. 300 IN NS ns.elsewhere.lab.",
            "ar ns.sub.shop.lab. 300 IN A 192.0.2.54",
            "ar ns.sub.shop.lab. 300 IN AAAA 2001:db8::54",
        ],
    );
    check(
        "www.elsewhere.lab A",
        &["NoError", "ns lab. 86400 IN NS ns.nic.lab.", "ar ns.nic.lab. 86400 IN A 192.0.2.10"],
    );
}

#[test]
fn what_it_does_not_serve_is_refused() {
    let only_shop = Responder::new([Zone::parse(SHOP, None).expect("a zone")]);
    let bytes = only_shop.answer(&query("www.other.lab A", true), true).expect("an answer");
    let answer = Message::from_vec(&bytes).expect("readable");
    assert_eq!(answer.metadata.response_code, ResponseCode::Refused);
    assert_eq!(extended_error(&answer), Some((20, String::new())));
    assert!(!answer.metadata.authoritative);
    assert_eq!(ask("shop.lab AXFR").metadata.response_code, ResponseCode::Refused);
    let mut chaos = Message::from_vec(&query("shop.lab TXT", false)).expect("a query");
    chaos.queries[0].set_query_class(DNSClass::CH);
    let bytes = responder().answer(&chaos.to_vec().expect("bytes"), true).expect("an answer");
    assert_eq!(Peek::at(&bytes).expect("a header").rcode_low, 5);
}

#[test]
fn too_large_is_truncated_over_udp_and_whole_over_tcp() {
    let plain = responder().answer(&query("big.shop.lab TXT", false), true).expect("an answer");
    assert!(plain.len() <= 512);
    let cut = Message::from_vec(&plain).expect("readable");
    assert!(cut.metadata.truncation && cut.answers.is_empty() && cut.queries.len() == 1);
    for (edns, over_udp) in [(true, true), (false, false)] {
        let whole = responder().answer(&query("big.shop.lab TXT", edns), over_udp).expect("an answer");
        let whole = Message::from_vec(&whole).expect("readable");
        assert!(!whole.metadata.truncation);
        assert_eq!(whole.answers.len(), 3);
    }
}

#[test]
fn additional_addresses_are_dropped_before_the_answer_is_cut() {
    let mut text = String::from("$ORIGIN m.lab.\n$TTL 60\n@ SOA n x 1 1 1 1 1\n NS n\nn A 192.0.2.1\n");
    for i in 0..12 {
        text.push_str(&format!("@ MX {i} mail-exchanger-{i}\nmail-exchanger-{i} AAAA 2001:db8::{i}\n"));
    }
    let mail = Responder::new([Zone::parse(&text, None).expect("a zone")]);
    let bytes = mail.answer(&query("m.lab MX", false), true).expect("an answer");
    let answer = Message::from_vec(&bytes).expect("readable");
    assert!(bytes.len() <= 512 && !answer.metadata.truncation);
    assert_eq!((answer.answers.len(), answer.additionals.len()), (12, 0));
}

#[test]
fn the_question_comes_back_in_its_own_case() {
    let bytes = responder().answer(&query("wWw.ShOp.LAB A", true), true).expect("an answer");
    let answer = Message::from_vec(&bytes).expect("readable");
    assert!(answer.queries[0].name().eq_case(&parse_name("wWw.ShOp.LAB").expect("a name")));
    assert!(answer.answers[0].name.eq_case(&parse_name("wWw.ShOp.LAB").expect("a name")));
}

#[test]
fn edns_is_answered_with_edns_and_a_later_version_with_badvers() {
    let answer = ask("www.shop.lab A");
    assert_eq!(answer.edns.as_ref().map(Edns::max_payload), Some(UDP_PAYLOAD));
    let mut later = Message::from_vec(&query("www.shop.lab A", true)).expect("a query");
    later.edns.as_mut().expect("edns").set_version(1);
    let bytes = responder().answer(&later.to_vec().expect("bytes"), true).expect("an answer");
    let answer = Message::from_vec(&bytes).expect("readable");
    assert_eq!(crate::text::rcode_text(answer.metadata.response_code), "BADVERS");
    assert_eq!(answer.edns.expect("edns").version(), 0);
    let plain = responder().answer(&query("www.shop.lab A", false), true).expect("an answer");
    assert!(Message::from_vec(&plain).expect("readable").edns.is_none());
}

#[test]
fn hostile_messages_get_formerr_notimp_or_silence() {
    let responder = responder();
    let rcode = |bytes: &[u8]| {
        responder.answer(bytes, true).map(|answer| Peek::at(&answer).expect("a header").rcode_low)
    };
    assert_eq!(rcode(&[]), None);
    assert_eq!(rcode(&[0x12, 0x34, 1]), None);
    let mut response = query("www.shop.lab A", true);
    response[2] |= 0x80;
    assert_eq!(rcode(&response), None, "a response is never answered");
    let mut update = query("www.shop.lab A", true);
    update[2] |= 5 << 3;
    assert_eq!(rcode(&update), Some(4));
    let mut two = query("www.shop.lab A", false);
    two[5] = 2;
    assert_eq!(rcode(&two), Some(1));
    let mut none = query("www.shop.lab A", false);
    none.truncate(12);
    none[5] = 0;
    assert_eq!(rcode(&none), Some(1));
    let garbage = [&query("www.shop.lab A", false)[..12], &[0xff; 40]].concat();
    let answer = responder.answer(&garbage, true).expect("an answer");
    assert_eq!(answer[..2], [0x12, 0x34]);
    assert_eq!(rcode(&garbage), Some(1));
}

#[test]
fn every_truncation_of_a_query_is_survived() {
    let whole = query("www.shop.lab A", true);
    for cut in 0..whole.len() {
        for over_udp in [true, false] {
            let _ = responder().answer(&whole[..cut], over_udp);
        }
    }
}

#[test]
fn ds_at_a_cut_is_answered_by_the_parent() {
    let mut both = responder();
    let sub = "$ORIGIN sub.shop.lab.\n@ 60 SOA ns x 1 1 1 1 1\n@ NS ns\nns A 192.0.2.54\n";
    both.insert(Zone::parse(sub, None).expect("a zone"));
    let bytes = both.answer(&query("sub.shop.lab DS", true), true).expect("an answer");
    let answer = Message::from_vec(&bytes).expect("readable");
    assert_eq!(crate::text::name_text(&answer.authorities[0].name), "shop.lab.");
    let bytes = both.answer(&query("sub.shop.lab SOA", true), true).expect("an answer");
    assert_eq!(Message::from_vec(&bytes).expect("readable").answers.len(), 1);
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), over_udp: bool) {
        let _ = responder().answer(&bytes, over_udp);
    }

    #[test]
    fn a_damaged_query_never_panics_and_keeps_its_id(at in 2usize..41, value: u8) {
        let mut bytes = query("www.sub.shop.lab A", true);
        let at = at.min(bytes.len() - 1);
        bytes[at] = value;
        if let Some(answer) = responder().answer(&bytes, true) {
            prop_assert_eq!(&answer[..2], &bytes[..2]);
            prop_assert!(answer.len() <= usize::from(UDP_PAYLOAD));
        }
    }

    #[test]
    fn every_answer_fits_what_was_announced(size: u16, question in prop_oneof![
        Just("big.shop.lab TXT"), Just("www.sub.shop.lab A"), Just("shop.lab ANY"), Just("no.where.lab A"),
    ]) {
        let mut message = Message::new(7, MessageType::Query, OpCode::Query);
        let (name, kind) = question.split_once(' ').unwrap();
        message.add_query(Query::query(parse_name(name).unwrap(), parse_type(kind).unwrap()));
        let mut edns = Edns::new();
        edns.set_max_payload(size);
        message.set_edns(edns);
        let answer = responder().answer(&message.to_vec().unwrap(), true).unwrap();
        prop_assert!(answer.len() <= usize::from(size.clamp(512, UDP_PAYLOAD)));
        prop_assert!(Message::from_vec(&answer).is_ok());
    }
}
