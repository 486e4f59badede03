use std::sync::Arc;

use super::*;
use crate::rdata::master_records;

const SHOP: &str = "shop.lab. 300 SOA ns1.shop.lab. nobody. 7 2 3 4 60
shop.lab. 300 NS ns1.shop.lab.
ns1.shop.lab. 300 A 192.0.2.53
shop.lab. 300 MX 10 mail.shop.lab.
mail.shop.lab. 300 A 192.0.2.25
www.shop.lab. 300 A 192.0.2.80
";
const LAB: &str = "lab. 300 SOA ns.lab. nobody. 1 2 3 4 60
lab. 300 NS ns.lab.
shop.lab. 300 NS ns1.shop.lab.
shop.lab. 300 DS 1 15 2 00
ns1.shop.lab. 300 A 192.0.2.53
";

fn authority() -> Authority {
    let zone = |text| {
        let records = master_records(text, &Name::root()).expect("legal records");
        Arc::new(SignedZone::new(&records).expect("a zone"))
    };
    Authority::new([zone(SHOP), zone(LAB)]).identified(Some("ams1".into()))
}

fn ask(question: &str, change: impl FnOnce(&mut Packet)) -> Packet {
    let (name, rtype) = question.split_once(' ').expect("NAME TYPE");
    let mut packet = Packet {
        header: Header { id: 7, ..Header::default() },
        questions: vec![Question::new(
            parse_name(name).expect("a name"),
            crate::text::parse_type(rtype).expect("a type"),
        )],
        opt: Some(Opt { payload: 1232, dnssec_ok: true, ..Opt::default() }),
        ..Packet::default()
    };
    change(&mut packet);
    let bytes = authority().answer(&packet.write(512).expect("short"), true).expect("an answer");
    Packet::read(&bytes).expect("our own")
}

#[test]
fn the_deepest_zone_answers_and_ds_is_the_parents() {
    let www = ask("wWw.shop.lab A", |_| {});
    assert!(www.header.authoritative && www.answers.len() == 1);
    // The asker's spelling comes back.
    assert_eq!(crate::text::name_text(&www.answers[0].name), "wWw.shop.lab.");
    let ds = ask("shop.lab DS", |_| {});
    assert_eq!((ds.answers.len(), ds.answers[0].rtype), (1, RecordType::DS));
    let mail = ask("shop.lab MX", |_| {});
    assert_eq!(mail.additionals.len(), 1, "the mail server's address comes along");
}

#[test]
fn strangers_names_transfers_and_versions_are_refused() {
    let other = ask("www.example. A", |_| {});
    assert_eq!(other.rcode(), 5);
    assert_eq!(other.opt.as_ref().and_then(|opt| opt.option(EDE)), Some(&[0, 20][..]));
    assert_eq!(ask("shop.lab AXFR", |_| {}).rcode(), 5, "not over UDP");
    assert_eq!(ask("shop.lab A", |packet| packet.opt.as_mut().expect("there").version = 1).rcode(), 16);
}

#[test]
fn a_server_tells_which_one_it_is() {
    let told = ask("www.shop.lab A", |packet| {
        packet.opt.as_mut().expect("there").options.push((NSID, Vec::new()));
    });
    assert_eq!(told.opt.as_ref().and_then(|opt| opt.option(NSID)), Some(&b"ams1"[..]));
    let chaos = ask("hostname.bind TXT", |packet| packet.questions[0].class = CLASS_CH);
    assert_eq!(&chaos.answers[0].data[..], b"\x04ams1");
    let other = ask("version.bind TXT", |packet| packet.questions[0].class = CLASS_CH);
    assert_eq!(other.rcode(), 5);
}

#[test]
fn a_transfer_is_the_whole_zone() {
    let question = Question::new(parse_name("shop.lab").expect("a name"), RecordType::AXFR);
    let query = Packet { questions: vec![question], ..Packet::default() }.write(512).expect("short");
    let messages = authority().transfer(&query).expect("a zone of ours");
    let records: Vec<RawRecord> =
        messages.iter().flat_map(|bytes| Packet::read(bytes).expect("our own").answers).collect();
    assert_eq!(records.len(), 7, "six records, and the SOA once more");
    assert!(records[0].rtype == RecordType::SOA && records[6].rtype == RecordType::SOA);
}

#[test]
fn an_answer_leaves_room_for_its_signature() {
    let texts = (0..20).map(|number| format!("many.shop.lab. 300 TXT {number:020}\n")).collect::<String>();
    let records = master_records(&(SHOP.to_owned() + &texts), &Name::root()).expect("legal records");
    let authority = Authority::new([Arc::new(SignedZone::new(&records).expect("a zone"))]);
    let name = parse_name("many.shop.lab").expect("a name");
    let query = Packet {
        questions: vec![Question::new(name, RecordType::TXT)],
        opt: Some(Opt { payload: 1232, ..Opt::default() }),
        ..Packet::default()
    };
    let query = query.write(512).expect("short");
    let whole = authority.answer(&query, true).expect("an answer");
    for (room, truncated) in
        [(0, false), (1232 - whole.len(), false), (1233 - whole.len(), true), (1230, true)]
    {
        let answer = authority.answer_with_room(&query, true, room).expect("an answer");
        assert_eq!(
            Packet::read(&answer).expect("our own").header.truncated,
            truncated,
            "with room for {room}"
        );
    }
}
