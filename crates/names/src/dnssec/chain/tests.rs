use super::*;
use crate::authority::{Authority, SignedZone};
use crate::dnssec::signing::flaw::{self, Flaw};
use crate::dnssec::signing::zone::Chain as Denials;
use crate::dnssec::signing::{KEY_SIGNING, SigningKey, ZONE_SIGNING};
use crate::rdata::{master_records, record_from_text};
use crate::text::{parse_name, parse_type};
use crate::wire::{Header, Opt, Packet, Question};

const DATE: u32 = 1_780_272_000;

fn keys(zone: &str) -> [SigningKey; 3] {
    let key = |purpose, flags| SigningKey::of_phrase(&format!("{purpose} {zone}"), flags);
    [key("k", KEY_SIGNING), key("z", ZONE_SIGNING), key("s", KEY_SIGNING)]
}

fn zone(name: &str, text: &str, denials: Denials, flaws: &[Flaw]) -> std::sync::Arc<SignedZone> {
    let origin = parse_name(name).expect("a name");
    let records = master_records(text, &Name::root()).expect("legal records");
    let signed = flaw::sign(&origin, &records, keys(name), denials, DATE, flaws).expect("a good zone");
    std::sync::Arc::new(SignedZone::new(&signed).expect("it has a SOA"))
}

/// A signed root with `shop.` below it, which has these flaws, and `plain.` which nobody signed.
fn world(denials: &Denials, flaws: &[Flaw]) -> (Authority, Anchors) {
    let shop = parse_name("shop").expect("a name");
    let mut root = String::from(
        ". 300 SOA ns. nobody. 1 2 3 4 60\n. 300 NS ns.\nns. 300 A 192.0.2.1\n\
         shop. 300 NS ns.\nplain. 300 NS ns.\n",
    );
    if let Some(ds) = flaw::ds(keys("shop")[0].ds(&shop, 2).expect("SHA-256 is known"), flaws) {
        let digest: String = ds[4..].iter().map(|octet| format!("{octet:02x}")).collect();
        let tag = u16::from_be_bytes([ds[0], ds[1]]);
        root.push_str(&format!("shop. 300 DS {tag} {} {} {digest}\n", ds[2], ds[3]));
    }
    let text = "shop. 300 SOA ns. nobody. 1 2 3 4 60\nshop. 300 NS ns.\na.shop. 300 A 192.0.2.2\n\
                www.shop. 300 A 192.0.2.3\nz.shop. 300 CNAME www.shop.\n";
    let plain = "plain. 300 SOA ns. nobody. 1 2 3 4 60\nplain. 300 NS ns.\nwww.plain. 300 A 192.0.2.4\n";
    let plain = master_records(plain, &Name::root()).expect("legal records");
    let mut anchors = Anchors::default();
    anchors.add_ds(&Name::root(), keys(".")[0].ds(&Name::root(), 2).expect("SHA-256 is known").into());
    let zones = [
        zone(".", &root, Denials::Nsec, &[]),
        zone("shop", text, denials.clone(), flaws),
        std::sync::Arc::new(SignedZone::new(&plain).expect("it has a SOA")),
    ];
    (Authority::new(zones), anchors)
}

fn walked(denials: &Denials, flaws: &[Flaw], question: &str) -> Chain {
    let (authority, anchors) = world(denials, flaws);
    let (name, rtype) = question.split_once(' ').expect("NAME TYPE");
    let name = parse_name(name).expect("a name");
    let mut walk = Walk::new(&name, parse_type(rtype).expect("a type"), &anchors, DATE);
    for _ in 0..20 {
        let Some((name, rtype)) = walk.wanted() else { return walk.finish() };
        let query = Packet {
            header: Header { id: 7, ..Header::default() },
            questions: vec![Question::new(name, rtype)],
            opt: Some(Opt { payload: 1232, dnssec_ok: true, ..Opt::default() }),
            ..Packet::default()
        };
        let bytes = query.write(512).expect("short");
        let answer = authority.answer(&bytes, false).expect("an answer");
        let answer = Packet::read(&answer).expect("our own");
        let rcode = answer.rcode();
        let sections =
            Sections { answer: answer.answers, authority: answer.authorities, ..Sections::default() };
        walk.heard(rcode, &sections);
    }
    panic!("the walk to {question} does not end");
}

#[test]
fn a_good_chain_holds_to_its_end() {
    for denials in [Denials::Nsec, Denials::Nsec3 { iterations: 0, salt: Vec::new(), opt_out: false }] {
        for question in
            ["www.shop A", "z.shop A", "www.shop AAAA", "nope.shop A", "shop DS", "ns A", "nope A"]
        {
            let chain = walked(&denials, &[], question);
            assert!(chain.secure(), "{question}: {}", text::draw(&chain));
        }
    }
    let chain = walked(&Denials::Nsec, &[], "www.plain A");
    assert!(chain.insecure().is_some() && !chain.secure(), "{}", text::draw(&chain));
}

#[test]
fn each_flaw_breaks_the_chain_where_it_is_and_says_so() {
    // Flaw, question, the code of the break; 0: none, and unsigned; 100: none, and secure.
    let table = [
        (Flaw::Expired, "www.shop A", 7),
        (Flaw::ExpiredData, "www.shop A", 7),
        (Flaw::NotYetValid, "www.shop A", 8),
        (Flaw::Expiring, "www.shop A", 100),
        (Flaw::NoSignatures, "www.shop A", 10),
        (Flaw::UnsignedData, "www.shop A", 10),
        (Flaw::BadSignatures, "www.shop A", 6),
        (Flaw::BadKeySignatures, "www.shop A", 6),
        (Flaw::NoKeySignatures, "www.shop A", 10),
        (Flaw::NoKeys, "www.shop A", 9),
        (Flaw::NoKsk, "www.shop A", 9),
        (Flaw::NoZsk, "www.shop A", 6),
        (Flaw::BadZsk, "www.shop A", 6),
        (Flaw::NotZoneKeys, "www.shop A", 9),
        (Flaw::UnknownAlgorithm, "www.shop A", 0),
        (Flaw::KskReplaced, "www.shop A", 9),
        (Flaw::DsDigest, "www.shop A", 9),
        (Flaw::DsTag, "www.shop A", 9),
        (Flaw::DsAlgorithm, "www.shop A", 9),
        (Flaw::DsUnknownAlgorithm, "www.shop A", 0),
        (Flaw::DsUnknownDigest, "www.shop A", 0),
        (Flaw::NoDs, "www.shop A", 0),
        (Flaw::NoDenial, "nope.shop A", 12),
        (Flaw::DenialGap, "nope.shop A", 12),
        (Flaw::UnsignedDenial, "nope.shop A", 10),
        (Flaw::BadDenial, "nope.shop A", 6),
        (Flaw::Iterations, "nope.shop A", 0),
    ];
    assert_eq!(table.len(), Flaw::WORDS.len(), "every flaw has its line");
    let mut wrong = Vec::new();
    for (flaw, question, code) in table {
        let chain = walked(&Denials::Nsec, &[flaw], question);
        let seen = match chain.broken() {
            Some((_, problem)) => problem.code,
            None if chain.secure() => 100,
            None => 0,
        };
        if seen != code {
            wrong.push(format!("{}: wanted {code}, got {seen}\n{}", flaw.word(), text::draw(&chain)));
        }
        let svg = svg::draw(&chain);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.contains("BROKEN"), chain.broken().is_some(), "{}", flaw.word());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_cannot_be_asked_ends_the_walk() {
    let (_, anchors) = world(&Denials::Nsec, &[]);
    let mut walk = Walk::new(&parse_name("www.shop").expect("a name"), RecordType::A, &anchors, DATE);
    walk.failed("nobody answers");
    assert_eq!(walk.wanted(), None);
    let chain = walk.finish();
    assert!(text::summary(&chain).contains("nobody answers"), "{}", text::summary(&chain));
}

#[test]
fn hostile_text_stays_text_in_the_picture() {
    let record = record_from_text("\\<script\\>.shop. 300 A 192.0.2.9", &Name::root(), 60, None);
    let name = record.expect("a legal record").name;
    let (_, anchors) = world(&Denials::Nsec, &[]);
    let mut walk = Walk::new(&name, RecordType::A, &anchors, DATE);
    walk.failed("<b>&\u{1b}[2J");
    let svg = svg::draw(&walk.finish());
    assert!(!svg.contains("<b>") && !svg.contains("<script") && !svg.contains('\u{1b}'), "{svg}");
}
