//! The chain of trust of an answer is what validation decided: it holds for everything that is signed well, wildcards,
//! renamed trees and opt-out spans included, and names the link that is broken.

use std::sync::Arc;

use hickory_proto::rr::{Name, RecordType};

use super::net::{Net, ROOT, Reply};
use crate::authority::{Authority, SignedZone};
use crate::dnssec::chain::{Chain, State, svg, text};
use crate::dnssec::signing::flaw::{self, Flaw};
use crate::dnssec::signing::zone::Chain as Denials;
use crate::dnssec::signing::{KEY_SIGNING, SigningKey, ZONE_SIGNING};
use crate::rdata::master_records;
use crate::resolver::{Answer, ResolverConfig};
use crate::rrset::Security;
use crate::text::parse_name;
use crate::wire::{Packet, Question};

const DATE: u32 = 1_780_272_000;
const BELOW: &str = "192.0.2.2";

const ZONE: &str = "
shop. 300 SOA ns.shop. nobody. 1 2 3 4 60
shop. 300 NS ns.shop.
ns.shop. 300 A 192.0.2.2
a.shop. 300 A 192.0.2.2
www.shop. 300 A 192.0.2.3
z.shop. 300 CNAME www.shop.
dead.shop. 300 CNAME nowhere.shop.
away.shop. 300 CNAME www.plain.
far.shop. 300 CNAME none.loose.shop.
home.shop. 300 CNAME ns.
*.wild.shop. 300 TXT any
*.alias.shop. 300 CNAME www.shop.
*.gone.shop. 300 CNAME nowhere.shop.
*.twice.shop. 300 CNAME x.alias.shop.
old.shop. 300 DNAME shop.
deep.er.shop. 300 A 192.0.2.4
loose.shop. 300 NS ns.loose.shop.
ns.loose.shop. 300 A 192.0.2.2
";

fn keys(zone: &str) -> [SigningKey; 3] {
    let key = |purpose, flags| SigningKey::of_phrase(&format!("{purpose} {zone}"), flags);
    [key("k", KEY_SIGNING), key("z", ZONE_SIGNING), key("s", KEY_SIGNING)]
}

fn zone(name: &str, text: &str, denials: Denials, flaws: &[Flaw]) -> Arc<SignedZone> {
    let origin = parse_name(name).expect("a name");
    let records = master_records(text, &Name::root()).expect("legal records");
    let signed = flaw::sign(&origin, &records, keys(name), denials, DATE, flaws).expect("a good zone");
    Arc::new(SignedZone::new(&signed).expect("it has a SOA"))
}

fn plain(text: &str) -> Arc<SignedZone> {
    let records = master_records(text, &Name::root()).expect("legal records");
    Arc::new(SignedZone::new(&records).expect("it has a SOA"))
}

/// A signed root with `shop.` below it, which has these flaws, and `plain.` which nobody signed.
fn world(denials: &Denials, flaws: &[Flaw]) -> Net {
    world_with(denials, flaws, |_| {}, |_, _, _| {})
}

/// The same with other settings, and with something done to what the server below says: it, the question and the answer.
fn world_with(
    denials: &Denials,
    flaws: &[Flaw],
    settings: impl FnOnce(&mut ResolverConfig),
    twist: fn(&Authority, &Packet, &mut Packet),
) -> Net {
    let shop = parse_name("shop").expect("a name");
    let mut root = String::from(
        ". 300 SOA ns. nobody. 1 2 3 4 60\n. 300 NS ns.\nns. 300 A 192.0.2.1\n\
         shop. 300 NS ns.shop.\nns.shop. 300 A 192.0.2.2\nplain. 300 NS ns.plain.\nns.plain. 300 A 192.0.2.2\n",
    );
    if let Some(ds) = flaw::ds(keys("shop")[0].ds(&shop, 2).expect("SHA-256 is known"), flaws) {
        let digest: String = ds[4..].iter().map(|octet| format!("{octet:02x}")).collect();
        let tag = u16::from_be_bytes([ds[0], ds[1]]);
        root.push_str(&format!("shop. 300 DS {tag} {} {} {digest}\n", ds[2], ds[3]));
    }
    let unsigned = "plain. 300 SOA ns.plain. nobody. 1 2 3 4 60\nplain. 300 NS ns.plain.\n\
                    ns.plain. 300 A 192.0.2.2\nwww.plain. 300 A 192.0.2.4\nhome.plain. 300 CNAME www.shop.\n";
    let loose = "loose.shop. 300 SOA ns.loose.shop. nobody. 1 2 3 4 60\nloose.shop. 300 NS ns.loose.shop.\n\
                 ns.loose.shop. 300 A 192.0.2.2\nwww.loose.shop. 300 A 192.0.2.5\n";
    let mut net = Net::with(|config| {
        let anchor = keys(".")[0].ds(&Name::root(), 2).expect("SHA-256 is known");
        config.anchors.add_ds(&Name::root(), anchor.into());
        config.validate = true;
        config.epoch = u64::from(DATE);
        settings(config);
    });
    let above = Authority::new([zone(".", &root, Denials::Nsec, &[])]);
    let below = Authority::new([zone("shop", ZONE, denials.clone(), flaws), plain(unsigned), plain(loose)]);
    for (address, authority) in [(ROOT, above), (BELOW, below)] {
        net.script(address, 10, move |query, udp| {
            let answers = authority.answer(query, udp).into_iter();
            let twisted = answers.map(|bytes| {
                let mut packet = Packet::read(&bytes).expect("its own answer");
                let query = Packet::read(query).expect("our own question");
                twist(&authority, &query, &mut packet);
                Reply::Message(packet.write(usize::from(u16::MAX)).expect("it fits"))
            });
            twisted.collect()
        });
    }
    net
}

#[test]
fn what_a_zone_above_denies_says_nothing_below_a_closer_anchor() {
    let opt_out = Denials::Nsec3 { iterations: 0, salt: Vec::new(), opt_out: true };
    // Whoever sits on the way puts a true denial of the zone above beside the alias: "nothing is signed there".
    let twist = |authority: &Authority, query: &Packet, answer: &mut Packet| {
        let asked = query.questions[0].name.to_ascii();
        if !asked.eq_ignore_ascii_case("far.shop.") {
            return;
        }
        let mut other = query.clone();
        other.questions[0] =
            Question::new(parse_name("loose.shop").expect("a name"), hickory_proto::rr::RecordType::DS);
        let bytes = other.write(usize::from(u16::MAX)).expect("it fits");
        let denial = authority.answer(&bytes, false).expect("it answers");
        answer.authorities.extend(Packet::read(&denial).expect("its own answer").authorities);
        answer.authorities.retain(|record| record.rtype != hickory_proto::rr::RecordType::SOA);
    };
    let answer = world_with(&opt_out, &[], |_| {}, twist).resolve("far.shop AAAA");
    assert_eq!(answer.security, Security::Insecure, "without an anchor of its own: {answer:?}");
    let anchored = |config: &mut ResolverConfig| {
        let zone = parse_name("loose.shop").expect("a name");
        let ds = keys("loose.shop")[0].ds(&zone, 2).expect("SHA-256 is known");
        config.anchors.add_ds(&zone, ds.into());
    };
    let answer = world_with(&opt_out, &[], anchored, twist).resolve("far.shop AAAA");
    assert_eq!(answer.security, Security::Bogus, "the zone has an anchor and no signatures: {answer:?}");
}

fn asked(net: &mut Net, question: &str) -> (Arc<Answer>, Chain) {
    let answer = net.resolve(question);
    let chain = net.resolver.chain(&answer);
    (answer, chain)
}

fn all_denials() -> [Denials; 3] {
    let hashed = |opt_out| Denials::Nsec3 { iterations: 0, salt: Vec::new(), opt_out };
    [Denials::Nsec, hashed(false), hashed(true)]
}

/// Questions whose answers are signed from end to end.
const SIGNED: [&str; 22] = [
    "www.shop A",
    "z.shop A",
    "www.shop AAAA",
    "shop DS",
    "shop DNSKEY",
    "ns A",
    "nope A",
    "x.wild.shop TXT",
    "x.y.wild.shop TXT",
    "x.alias.shop A",
    "x.y.alias.shop A",
    "x.alias.shop CNAME",
    "x.twice.shop A",
    "www.old.shop A",
    "x.alias.old.shop A",
    "er.shop A",
    "deep.er.shop A",
    "home.shop A",
    "wild.shop A",
    "z.old.shop A",
    "www.old.shop CNAME",
    "old.shop DNAME",
];

/// Questions whose answers are denials: in an opt-out span they prove less (RFC 5155 section 9.2).
const DENIED: [&str; 7] = [
    "nope.shop A",
    "nope.shop DS",
    "dead.shop A",
    "x.gone.shop A",
    "x.wild.shop MX",
    "x.alias.shop AAAA",
    "nope.old.shop A",
];

#[test]
fn a_good_chain_holds_to_its_end() {
    for denials in all_denials() {
        let opt_out = matches!(denials, Denials::Nsec3 { opt_out: true, .. });
        for question in SIGNED.into_iter().chain(DENIED) {
            // An answer out of a wildcard, too, is only as good as the denial beside it.
            let loose = opt_out && (DENIED.contains(&question) || question.starts_with("x."));
            let (answer, chain) = asked(&mut world(&denials, &[]), question);
            let drawn = text::draw(&chain);
            assert_eq!(chain.secure(), !loose, "{question} by {denials:?}: {drawn}");
            assert_eq!(chain.broken(), None, "{question} by {denials:?}: {drawn}");
            assert_eq!(chain.secure(), answer.security == Security::Secure, "{question}: {drawn}");
        }
    }
}

#[test]
fn what_nobody_signed_is_insecure_and_never_broken() {
    for denials in all_denials() {
        for (question, from) in [
            ("www.plain A", "plain."),
            ("nope.plain A", "plain."),
            ("home.plain A", "plain."),
            ("away.shop A", "plain."),
            ("www.loose.shop A", "loose.shop."),
            ("loose.shop NS", "loose.shop."),
        ] {
            let (answer, chain) = asked(&mut world(&denials, &[]), question);
            let drawn = text::draw(&chain);
            let insecure = chain.insecure().map(|(name, _)| crate::text::name_text(name));
            assert_eq!(insecure.as_deref(), Some(from), "{question} by {denials:?}: {drawn}");
            assert_eq!((chain.broken(), answer.security), (None, Security::Insecure), "{question}: {drawn}");
        }
    }
}

#[test]
fn an_alias_into_another_zone_has_its_own_chain() {
    let (_, chain) = asked(&mut world(&Denials::Nsec, &[]), "away.shop A");
    let zones: Vec<String> = chain.links.iter().map(|link| crate::text::name_text(&link.zone)).collect();
    assert_eq!(zones, [".", "shop."]);
    assert_eq!(chain.leaf.as_ref().map(|leaf| &leaf.state), Some(&State::Secure));
    let next = chain.next.as_ref().expect("it leads on");
    assert_eq!((next.depth, next.links.len()), (1, 1), "the root is drawn once: {}", text::draw(&chain));
    assert!(next.leaf.as_ref().is_some_and(|leaf| leaf.says == "1 A record"), "{}", text::draw(&chain));
    // To a zone above, whose links stand there already.
    let (_, chain) = asked(&mut world(&Denials::Nsec, &[]), "home.shop A");
    assert!(chain.secure() && chain.next.is_some_and(|next| next.links.is_empty()));
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
        (Flaw::DenialGap, "nope.shop A", 6),
        (Flaw::UnsignedDenial, "nope.shop A", 10),
        (Flaw::BadDenial, "nope.shop A", 6),
        (Flaw::Iterations, "nope.shop A", 0),
    ];
    assert_eq!(table.len(), Flaw::WORDS.len(), "every flaw has its line");
    let mut wrong = Vec::new();
    for (flaw, question, code) in table {
        let (answer, chain) = asked(&mut world(&Denials::Nsec, &[flaw]), question);
        let seen = match chain.broken() {
            Some((_, problem)) => problem.code,
            None if chain.secure() => 100,
            None => 0,
        };
        if seen != code {
            wrong.push(format!("{}: wanted {code}, got {seen}\n{}", flaw.word(), text::draw(&chain)));
        }
        let told = answer.extended_error.as_ref().map(|(code, _)| *code);
        assert_eq!(
            chain.broken().map(|(_, problem)| problem.code),
            told.filter(|_| chain.broken().is_some())
        );
        let svg = svg::draw(&chain);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.contains("BROKEN"), chain.broken().is_some(), "{}", flaw.word());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_cannot_be_asked_is_where_the_chain_ends() {
    let mut net = world(&Denials::Nsec, &[]);
    net.script(BELOW, 10, |_, _| vec![Reply::Unreachable("nobody is there")]);
    let (answer, chain) = asked(&mut net, "www.shop A");
    assert_eq!(answer.code, hickory_proto::op::ResponseCode::ServFail);
    assert!(text::summary(&chain).contains("nobody is there"), "{}", text::summary(&chain));
}

#[test]
fn a_wildcard_kept_in_the_cache_keeps_its_proof() {
    for denials in all_denials() {
        let mut net = world(&denials, &[]);
        let proven = |answer: &Answer| {
            let denial = |rtype| matches!(rtype, RecordType::NSEC | RecordType::NSEC3);
            answer.sections.authority.iter().any(|record| denial(record.rtype))
        };
        for (seconds, question) in [
            (0, "x.alias.shop A"),
            // Another type: the alias is known already.
            (0, "x.alias.shop AAAA"),
            (0, "x.twice.shop A"),
            // The denial lives for 60 s, the alias for 300.
            (100, "x.alias.shop A"),
            (0, "x.alias.shop CNAME"),
            (0, "x.alias.old.shop A"),
        ] {
            net.wait(seconds);
            let answer = net.resolve(question);
            assert!(proven(&answer), "{question} by {denials:?}: {:?}", super::net::shown(&answer));
            assert!(!text::summary(&net.resolver.chain(&answer)).contains("broken"));
        }
    }
}

#[test]
fn a_denial_left_out_behind_an_alias_is_asked_for_by_itself() {
    let mut net = world(&Denials::Nsec, &[]);
    let below = Authority::new([zone("shop", ZONE, Denials::Nsec, &[])]);
    net.script(BELOW, 10, move |query, udp| {
        let mut packet = Packet::read(&below.answer(query, udp).expect("an answer")).expect("our own");
        if packet.answers.iter().any(|record| record.rtype == RecordType::CNAME) {
            // The wildcard's denial stays, that of the name goes.
            let apex = parse_name("shop").expect("a name");
            packet.authorities.retain(|record| record.name == apex);
        }
        vec![Reply::Message(packet.write(4096).expect("it fits"))]
    });
    for question in ["dead.shop A", "nope.old.shop A"] {
        let (answer, chain) = asked(&mut net, question);
        assert!(chain.secure(), "{question}: {}", text::draw(&chain));
        assert_eq!(answer.code, hickory_proto::op::ResponseCode::NXDomain);
    }
}
