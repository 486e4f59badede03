use proptest::prelude::*;

use super::*;
use crate::rdata::{master_records, record_from_text};
use crate::text::{parse_name, record_line};
use crate::wire::Question;

const ZONE: &str = "shop. 300 SOA ns.shop. nobody. 7 2 3 4 60\nshop. 300 NS ns.shop.\nns.shop. 300 A 192.0.2.1\n\
                    www.shop. 300 A 192.0.2.80\nwww.shop. 300 A 192.0.2.81\nz.shop. 300 CNAME www.shop.\n";

fn origin() -> Name {
    parse_name("shop").expect("a name")
}

fn zone() -> Vec<RawRecord> {
    master_records(ZONE, &Name::root()).expect("legal records")
}

/// A change in words: `add RECORD`, `delete RECORD`, `delete NAME TYPE`, `delete NAME`; or a prerequisite: `yx NAME`,
/// `nx NAME`, `yx NAME TYPE`, `nx NAME TYPE`, `is RECORD`.
fn line(text: &str) -> (bool, RawRecord) {
    let (verb, rest) = text.split_once(' ').expect("a verb");
    let words: Vec<&str> = rest.split_whitespace().collect();
    if matches!(verb, "add" | "is") || words.len() > 2 {
        let mut record = record_from_text(rest, &Name::root(), 60, None).expect("a legal record");
        if verb != "add" {
            record.ttl = 0;
        }
        record.class = if verb == "delete" { NONE } else { CLASS_IN };
        return (matches!(verb, "add" | "delete"), record);
    }
    let rtype = words.get(1).map_or(RecordType::ANY, |word| crate::text::parse_type(word).expect("a type"));
    let name = parse_name(words[0]).expect("a name");
    let class = if verb == "nx" { NONE } else { ANY };
    (verb == "delete", RawRecord { name, rtype, class, ttl: 0, data: [][..].into() })
}

fn message(lines: &[&str]) -> Packet {
    let (changes, wanted): (Vec<_>, Vec<_>) =
        lines.iter().map(|text| line(text)).partition(|(change, _)| *change);
    let only = |list: Vec<(bool, RawRecord)>| list.into_iter().map(|(_, record)| record).collect();
    Packet {
        header: Header { id: 9, opcode: UPDATE, ..Header::default() },
        questions: vec![Question::new(origin(), RecordType::SOA)],
        answers: only(wanted),
        authorities: only(changes),
        ..Packet::default()
    }
}

/// What an update comes to: a response code, or what is gone (`-`) and new (`+`).
fn check(lines: &[&str], expected: &str) {
    // As it travels: types without data have to survive.
    let octets = message(lines).write(usize::from(u16::MAX)).expect("it fits");
    let packet = Packet::read(&octets).expect("our own");
    let found = match changed(&origin(), &zone(), true, &packet) {
        Err(code) => format!("code {code}"),
        Ok(None) => "nothing".to_owned(),
        Ok(Some(new)) => {
            let (old, lacks) = (zone(), |list: &[RawRecord], one: &RawRecord| !list.contains(one));
            let gone = old.iter().filter(|one| lacks(&new, one)).map(|one| format!("-{}", record_line(one)));
            let come = new.iter().filter(|one| lacks(&old, one)).map(|one| format!("+{}", record_line(one)));
            let text = gone.chain(come).collect::<Vec<_>>().join("; ");
            text.replace('\t', " ")
        }
    };
    assert_eq!(found, expected, "{lines:?}");
}

#[test]
fn changes_are_those_of_rfc_2136() {
    check(&["add new.shop. 60 A 192.0.2.9"], "+new.shop. 60 IN A 192.0.2.9");
    check(&["add NEW.Shop. 60 A 192.0.2.9"], "+new.shop. 60 IN A 192.0.2.9");
    check(&["add www.shop. 300 A 192.0.2.80"], "nothing");
    // One TTL for a set.
    check(
        &["add www.shop. 60 A 192.0.2.80"],
        "-www.shop. 300 IN A 192.0.2.80; -www.shop. 300 IN A 192.0.2.81; +www.shop. 60 IN A 192.0.2.80; +www.shop. 60 IN A 192.0.2.81",
    );
    check(&["delete www.shop. 0 A 192.0.2.80"], "-www.shop. 300 IN A 192.0.2.80");
    check(&["delete www.shop. A"], "-www.shop. 300 IN A 192.0.2.80; -www.shop. 300 IN A 192.0.2.81");
    check(&["delete z.shop."], "-z.shop. 300 IN CNAME www.shop.");
    check(&["delete nobody.shop.", "delete www.shop. TXT"], "nothing");
    // In order.
    check(
        &["delete z.shop. CNAME", "add z.shop. 60 A 192.0.2.9"],
        "-z.shop. 300 IN CNAME www.shop.; +z.shop. 60 IN A 192.0.2.9",
    );
    // Beside an alias nothing stands.
    check(&["add z.shop. 60 A 192.0.2.9"], "nothing");
    check(&["add www.shop. 60 CNAME ns.shop."], "nothing");
    check(
        &["add z.shop. 300 CNAME ns.shop."],
        "-z.shop. 300 IN CNAME www.shop.; +z.shop. 300 IN CNAME ns.shop.",
    );
    // The zone keeps its head.
    check(&["delete shop. SOA", "delete shop. NS", "delete shop.", "delete shop. 0 NS ns.shop."], "nothing");
    check(
        &["add shop. 300 NS ns2.shop.", "delete shop. 0 NS ns.shop."],
        "-shop. 300 IN NS ns.shop.; +shop. 300 IN NS ns2.shop.",
    );
    check(&["add shop. 300 SOA ns.shop. nobody. 6 2 3 4 60"], "nothing");
    check(
        &["add shop. 300 SOA ns.shop. nobody. 9 2 3 4 60"],
        "-shop. 300 IN SOA ns.shop. nobody. 7 2 3 4 60; +shop. 300 IN SOA ns.shop. nobody. 9 2 3 4 60",
    );
    // What signing makes goes with nobody's name.
    check(&["add shop. 300 DNSKEY 257 3 15 AAAA"], "code 5");
    check(&["delete shop. NSEC3PARAM"], "code 5");
}

#[test]
fn prerequisites_are_looked_at_first() {
    let new = "add new.shop. 60 A 192.0.2.9";
    let done = "+new.shop. 60 IN A 192.0.2.9";
    for (wanted, expected) in [
        ("yx www.shop.", done),
        ("yx nobody.shop.", "code 3"),
        ("nx nobody.shop.", done),
        ("nx www.shop.", "code 6"),
        ("yx www.shop. A", done),
        ("yx www.shop. TXT", "code 8"),
        ("yx z.shop. CNAME", done),
        ("nx www.shop. TXT", done),
        ("nx www.shop. A", "code 7"),
        ("is www.shop. 0 A 192.0.2.80", "code 8"),
        ("is z.shop. 0 CNAME WWW.shop.", done),
        ("yx elsewhere.", "code 10"),
    ] {
        check(&[wanted, new], expected);
    }
    check(&["is www.shop. 0 A 192.0.2.80", "is www.shop. 0 A 192.0.2.81", new], done);
}

#[test]
fn what_cannot_be_asked_for_is_told_by_its_code() {
    check(&["add www.elsewhere. 60 A 192.0.2.9"], "code 10");
    let with = |change: &dyn Fn(&mut RawRecord)| {
        let mut packet = message(&["add new.shop. 60 A 192.0.2.9"]);
        change(&mut packet.authorities[0]);
        changed(&origin(), &zone(), false, &packet)
    };
    assert!(matches!(with(&|_| {}), Ok(Some(_))));
    assert_eq!(with(&|one| one.class = 3), Err(code::FORMERR));
    assert_eq!(with(&|one| one.class = ANY), Err(code::FORMERR), "data with class ANY");
    assert_eq!(with(&|one| one.rtype = RecordType::AXFR), Err(code::FORMERR));
    assert_eq!(with(&|one| one.rtype = RecordType::ZERO), Err(code::FORMERR));
    assert_eq!(with(&|one| one.data = [1, 2, 3][..].into()), Err(code::FORMERR), "no address");
    // A key in a zone that is not signed here would close it to further updates.
    let by_hand = |line: &str| changed(&origin(), &zone(), false, &message(&[line]));
    assert_eq!(by_hand("add shop. 300 DNSKEY 257 3 15 AAAA"), Err(code::REFUSED));
    assert_eq!(by_hand("add www.shop. 300 NSEC www.shop. A"), Err(code::REFUSED));
    assert!(matches!(by_hand("add shop. 300 CDS 1 15 2 00"), Ok(Some(_))), "that is for the zone above");
    assert_eq!(by_hand("delete shop. DNSKEY"), Ok(None), "what is not there may go");
    let zone = Arc::new(SignedZone::named(&origin(), &zone()).expect("a zone"));
    let new =
        changed_zone(&zone, &message(&["add new.shop. 60 A 192.0.2.9"])).expect("it may").expect("it is new");
    assert_eq!((zone.serial(), new.serial()), (7, 8), "the serial grows by itself");
    let set = message(&["add shop. 300 SOA ns.shop. nobody. 20 2 3 4 60"]);
    assert_eq!(changed_zone(&zone, &set).expect("it may").expect("it is new").serial(), 20);
}

/// Each change used to go through the whole zone: this took minutes.
#[test]
fn many_changes_of_a_large_zone_are_one_pass() {
    let host = |number: u32| format!("n{number}.shop. 60 A 192.0.2.1\n");
    let large = ZONE.to_owned() + &(0..50_000).map(host).collect::<String>();
    let large = master_records(&large, &Name::root()).expect("legal records");
    let lines: Vec<String> = (0..4_000)
        .map(|number| format!("add {}", host(number * 20).trim().replace("192.0.2.1", "192.0.2.2")))
        .collect();
    let packet = message(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let new = changed(&origin(), &large, false, &packet).expect("it may").expect("it is new");
    assert_eq!(new.len(), large.len() + 4_000);
    let wanted: Vec<String> = (0..4_000).map(|number| format!("yx n{number}.shop. A")).collect();
    let packet = message(&wanted.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(changed(&origin(), &large, false, &packet), Ok(None));
}

#[test]
fn who_may_is_asked_before_anything_is_told() {
    let key = super::super::tsig::Key::new("k", "hmac-sha256", b"secret").expect("a key");
    let (key_name, from) = (key.name().clone(), IpAddr::from([192, 0, 2, 9]));
    let octets = message(&["yx nobody.shop.", "delete www.shop."]).write(512).expect("it fits");
    let (signed, _) = super::super::tsig::sign_query(&Arc::new(key.clone()), 1000, &octets);
    let ask = |grant: Grant, bytes: &[u8]| {
        let updates = Updates { keys: Keyring::new([key.clone()]), grant };
        let reply = updates.respond(1000, from, bytes, |name, packet| {
            assert_eq!((name, packet.authorities.len()), (&origin(), 1));
            0
        });
        Packet::read(&reply.expect("a reply")).expect("our own").rcode()
    };
    let here = vec![(IpAddr::from([192, 0, 2, 0]), 24)];
    let elsewhere = vec![(IpAddr::from([10, 0, 0, 0]), 8)];
    let by_key = vec![key_name];
    assert_eq!(ask(Grant::default(), &signed), 5, "nobody may");
    assert_eq!(ask(Grant { from: here.clone(), ..Grant::default() }, &octets), 0);
    assert_eq!(ask(Grant { from: elsewhere.clone(), ..Grant::default() }, &octets), 5);
    assert_eq!(ask(Grant { keys: by_key.clone(), ..Grant::default() }, &octets), 5, "not signed");
    assert_eq!(ask(Grant { keys: by_key.clone(), ..Grant::default() }, &signed), 0);
    assert_eq!(
        ask(Grant { keys: by_key.clone(), from: elsewhere }, &signed),
        5,
        "both, where both are asked for"
    );
    assert_eq!(ask(Grant { keys: by_key, from: here }, &signed), 0);
    let query = [&[0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], &[0, 0, 1, 0, 1]].concat();
    assert_eq!(Updates::default().respond(0, from, &query, |_, _| 0), None, "no update at all");
}

proptest! {
    #[test]
    fn no_update_does_harm(bytes in prop::collection::vec(any::<u8>(), 0..120), at in 0_usize..200, octet: u8) {
        let updates = Updates { grant: Grant { from: vec![(IpAddr::from([0, 0, 0, 0]), 0)], ..Grant::default() }, ..Updates::default() };
        let zone = Arc::new(SignedZone::named(&origin(), &zone()).expect("a zone"));
        let mut good = message(&["yx www.shop. A", "add new.shop. 60 MX 10 www.shop.", "delete www.shop. 0 A 192.0.2.80"])
            .write(512)
            .expect("it fits");
        if let Some(place) = good.get_mut(at) {
            *place = octet;
        }
        for bytes in [bytes, good] {
            let _ = updates.respond(0, IpAddr::from([192, 0, 2, 1]), &bytes, |_, packet| {
                match changed_zone(&zone, packet) {
                    Ok(Some(new)) => {
                        assert!(new.set(&origin(), RecordType::SOA).is_some() && new.set(&origin(), RecordType::NS).is_some());
                        0
                    }
                    Ok(None) => 0,
                    Err(code) => code,
                }
            });
        }
    }
}
