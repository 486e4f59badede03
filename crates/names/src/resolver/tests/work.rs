//! What a single question may cost, whatever servers say: counted in signatures, questions and octets, not in time.

use std::sync::Arc;

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{Name, RecordType};

use super::net::*;
use crate::authority::SignedZone;
use crate::dnssec::signing::zone::{Chain, KeyState, Plan, sign};
use crate::dnssec::signing::{KEY_SIGNING, SigningKey, Window};
use crate::rdata::master_records;
use crate::rrset::{Rrset, Security};
use crate::text::parse_name;
use crate::wire::{CLASS_IN, RawRecord};
use thru_wire::Instant;

const EPOCH: u64 = 1_780_272_000;
const WINDOW: Window = Window { inception: 1_780_000_000, expiration: 1_790_000_000 };

fn name(text: &str) -> Name {
    parse_name(text).expect("a name")
}

/// A resolver that trusts `key` for `trap.`, which lies below the root.
fn trusting(key: &SigningKey) -> Net {
    let anchor = RawRecord {
        name: name("trap"),
        rtype: RecordType::DNSKEY,
        class: CLASS_IN,
        ttl: 3600,
        data: key.dnskey().into(),
    };
    let mut net = Net::with(|config| {
        config.epoch = EPOCH;
        assert!(config.anchors.add(&anchor));
    });
    net.serve(ROOT, &[&format!("{ROOT_ZONE}trap. NS ns.trap.\nns.trap. A 192.0.2.66\n")]);
    net
}

fn serve_signed(net: &mut Net, records: &[RawRecord]) {
    let zone = Arc::new(SignedZone::named(&name("trap"), records).expect("a zone"));
    net.script("192.0.2.66", 10, move |query, udp| {
        zone.answer(query, udp).into_iter().map(Reply::Message).collect()
    });
}

fn records_of(set: &Rrset) -> Vec<RawRecord> {
    set.records(&set.name, set.ttl, true)
}

/// Another key with the same tag: the tag is a sum of 16-bit words, so what one gains another may lose.
fn same_tag(key: &[u8], number: u8) -> Vec<u8> {
    let mut other = key.to_vec();
    let (up, down) = (6, 8 + 2 * (usize::from(number) % 10));
    let step = 1 + number / 10;
    other[up] = other[up].wrapping_add(step);
    let carried = other[up] < step;
    let lost = other[down].checked_sub(step);
    match (carried, lost) {
        (false, Some(lost)) => other[down] = lost,
        // Then not by this step: the first octets say which of them it is.
        _ => other[up] = key[up],
    }
    other
}

/// KeyTrap (CVE-2023-50387): every signature fits every key by its tag, and none is good.
#[test]
fn many_keys_with_one_tag_and_many_signatures_cost_little() {
    let key = SigningKey::of_phrase("trap", KEY_SIGNING);
    let tag = key.tag();
    let set = |owner: &str, rtype, data: Vec<Vec<u8>>| {
        let mut set = Rrset::new(name(owner), rtype, CLASS_IN, 300, Instant::START);
        set.data = data.into_iter().map(Into::into).collect();
        set
    };
    let mut keys = vec![key.dnskey()];
    for number in 1..=200 {
        let other = same_tag(&keys[0], number);
        let read = crate::dnssec::records::Dnskey::read(&other).expect("a key");
        if !keys.contains(&other) && read.tag() == tag {
            keys.push(other);
        }
    }
    assert!(keys.len() > 50, "{} keys with the tag {tag}", keys.len());
    let mut dnskey = set("trap", RecordType::DNSKEY, keys);
    dnskey.sigs = vec![key.sign(&dnskey, &name("trap"), WINDOW).into()];
    let mut www = set("www.trap", RecordType::A, vec![vec![192, 0, 2, 80]]);
    let good = key.sign(&www, &name("trap"), WINDOW);
    for number in 1..=100_u8 {
        let mut bad = good.clone();
        let last = bad.len() - 1;
        bad[last] ^= number;
        www.sigs.push(bad.into());
    }
    let text = "trap. 3600 SOA ns.trap. x.trap. 1 7200 900 86400 60\ntrap. 3600 NS ns.trap.\nns.trap. 3600 A 192.0.2.66";
    let mut records = master_records(text, &Name::root()).expect("legal records");
    records.extend(records_of(&dnskey));
    records.extend(records_of(&www));
    let mut net = trusting(&key);
    serve_signed(&mut net, &records);
    let answer = net.resolve("www.trap A");
    assert_eq!((answer.code, answer.security), (ResponseCode::ServFail, Security::Bogus));
    net.settle();
    let (checks, asked) = (net.resolver.signature_checks(), net.asked.len());
    eprintln!("KeyTrap: {checks} signatures checked, {asked} questions");
    assert!(checks <= 250, "{checks} signatures checked");
    assert!(asked <= 40, "{asked} questions");
    // It is remembered: the next one who asks costs nothing.
    let answer = net.resolve("www.trap A");
    assert_eq!(answer.code, ResponseCode::ServFail);
    assert_eq!(net.resolver.signature_checks(), checks);
}

/// CVE-2023-50868: hashing is work, too. Above the bound nothing is hashed, and the zone counts as unsigned (RFC 9276).
#[test]
fn nsec3_iterations_are_bounded() {
    let shown = |iterations| {
        let key = SigningKey::of_phrase("trap", KEY_SIGNING);
        let mut net = trusting(&key);
        let text = "trap. 3600 SOA ns.trap. x.trap. 1 7200 900 86400 60\ntrap. 3600 NS ns.trap.\n\
                    ns.trap. 3600 A 192.0.2.66\n";
        let records = master_records(text, &Name::root()).expect("legal records");
        let plan = Plan {
            keys: vec![(key, KeyState::Active)],
            window: WINDOW,
            chain: Chain::Nsec3 { iterations, salt: vec![], opt_out: false },
            dnskey_ttl: 3600,
        };
        serve_signed(&mut net, &sign(&name("trap"), &records, &plan).expect("a good zone"));
        let answer = net.resolve("nobody.trap A");
        (answer.code, answer.security, answer.extended_error.as_ref().map(|(code, _)| *code))
    };
    assert_eq!(shown(150), (ResponseCode::NXDomain, Security::Secure, None));
    assert_eq!(shown(151), (ResponseCode::NXDomain, Security::Insecure, Some(27)));
    assert_eq!(shown(u16::MAX), (ResponseCode::NXDomain, Security::Insecure, Some(27)));
}

/// A server that gives each name an alias to another that nobody has asked for yet.
#[test]
fn endless_aliases_are_bounded() {
    let mut net = Net::new();
    net.tree(SHOP);
    let responder = responder(&[SHOP_ZONE]);
    net.script("192.0.2.53", 10, move |query, _| {
        let asked = Message::from_vec(query).expect("our query").queries[0].name().to_lowercase();
        let number: u32 =
            asked.to_string().trim_start_matches('c').split('.').next().unwrap_or("").parse().unwrap_or(0);
        edited(&responder, query, |message| {
            message.metadata.response_code = ResponseCode::NoError;
            message.authorities.clear();
            let next = name(&format!("c{}.shop.lab", number + 1));
            let alias = hickory_proto::rr::RData::CNAME(hickory_proto::rr::rdata::CNAME(next));
            message.answers = vec![hickory_proto::rr::Record::from_rdata(asked, 300, alias)];
        })
    });
    let answer = net.resolve("c1.shop.lab A");
    assert_eq!(answer.code, ResponseCode::ServFail);
    net.settle();
    eprintln!("endless aliases: {} questions", net.asked.len());
    assert!(net.asked.len() <= 25, "{} questions", net.asked.len());
}

#[test]
fn aliases_in_a_circle_are_noticed() {
    let circle = "$ORIGIN shop.lab.\n$TTL 300\n@ SOA ns1 x 1 1 1 1 60\n@ NS ns1\nns1 A 192.0.2.53\n\
                  a CNAME b\nb CNAME c\nc CNAME a\nself CNAME self\n";
    let mut net = Net::new();
    net.tree(SHOP);
    net.serve("192.0.2.53", &[circle]);
    for asked in ["a.shop.lab A", "self.shop.lab A"] {
        let before = net.asked.len();
        let answer = net.resolve(asked);
        assert_eq!(answer.code, ResponseCode::ServFail, "{asked}");
        net.settle();
        assert!(net.asked.len() - before <= 8, "{asked}: {} questions", net.asked.len() - before);
    }
}

/// Answers as large as TCP carries: they are given out whole, and the cache stays within its octets.
#[test]
fn huge_sets_do_not_fill_the_memory() {
    const OCTETS: usize = 1 << 20;
    let mut net = Net::with(|config| config.limits.cache_octets = OCTETS);
    net.tree(SHOP);
    let mut zone = SHOP_ZONE.to_owned();
    for number in 0..1500 {
        zone.push_str(&format!("* A 10.{}.{}.1\n", number / 250, number % 250));
    }
    net.serve("192.0.2.53", &[&zone]);
    for number in 0..100 {
        let answer = net.resolve(&format!("n{number}.shop.lab A"));
        assert_eq!(answer.records.len(), 1500, "{:?} {:?}", answer.code, answer.extended_error);
        // Sets and messages have the bound each.
        assert!(net.resolver.cached_octets() <= 3 * OCTETS, "{} octets", net.resolver.cached_octets());
    }
    assert!(net.resolver.cached_octets() > OCTETS / 2, "what there is room for is kept");
}
