use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use hickory_proto::rr::{Name, RecordType};
use proptest::prelude::*;
use thru_wire::Instant;

use super::zone::{Chain, KeyState, Plan, sign};
use super::*;
use crate::authority::SignedZone;
use crate::dnssec::algorithm::Algorithms;
use crate::dnssec::nsec3::{Denial, Proof};
use crate::dnssec::records::Dnskey;
use crate::dnssec::upkeep::{Stage, TrustPoint};
use crate::dnssec::verify::{Context, verify_set};
use crate::dnssec::{nsec, upkeep};
use crate::rdata::master_records;
use crate::rrset::Data;
use crate::text::parse_name;
use crate::wire::{Opt, Packet, Question, RawRecord};

const NOW: u32 = 1_780_272_000;
const DAY: u32 = 86_400;
const WINDOW: Window = Window { inception: NOW - 10 * DAY, expiration: NOW + 400 * DAY };

const ZONE: &str = "
shop.lab. 3600 IN SOA ns.shop.lab. nobody.invalid. 7 3600 900 604800 300
shop.lab. 3600 IN NS ns.shop.lab.
ns.shop.lab. 3600 IN A 192.0.2.1
www.shop.lab. 300 IN A 192.0.2.80
www.shop.lab. 300 IN HTTPS 1 . alpn=h3,h2
*.wild.shop.lab. 300 IN A 192.0.2.81
a.deep.empty.shop.lab. 300 IN TXT \"below an empty name\"
alias.shop.lab. 300 IN CNAME www.shop.lab.
old.shop.lab. 300 IN DNAME new.shop.lab.
signed.shop.lab. 3600 IN NS ns.signed.shop.lab.
signed.shop.lab. 3600 IN DS 1 15 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
ns.signed.shop.lab. 3600 IN A 192.0.2.2
plain.shop.lab. 3600 IN NS ns.plain.shop.lab.
ns.plain.shop.lab. 3600 IN A 192.0.2.3
";

fn name(text: &str) -> Name {
    parse_name(text).expect("a legal name")
}

fn key(number: u8, flags: u16) -> SigningKey {
    SigningKey::ed25519(&[number; 32], flags)
}

fn plan(chain: Chain) -> Plan {
    let keys = vec![(key(1, KEY_SIGNING), KeyState::Active), (key(2, ZONE_SIGNING), KeyState::Active)];
    Plan { keys, window: WINDOW, chain, dnskey_ttl: 3600 }
}

fn signed(chain: Chain) -> SignedZone {
    let records = master_records(ZONE, &Name::root()).expect("legal records");
    let records = sign(&name("shop.lab"), &records, &plan(chain)).expect("a good zone");
    SignedZone::new(&records).expect("it has a SOA")
}

fn chains() -> [Chain; 4] {
    let nsec3 = |iterations, salt: &[u8], opt_out| Chain::Nsec3 { iterations, salt: salt.to_vec(), opt_out };
    [Chain::Nsec, nsec3(0, &[], false), nsec3(0, &[], true), nsec3(3, &[0xab], false)]
}

fn with_context<T>(check: impl FnOnce(Context<'_>) -> T) -> T {
    let operations = Cell::new(1000);
    check(Context {
        algorithms: Algorithms::default(),
        now: NOW,
        ignore_times: false,
        every_algorithm: false,
        operations: &operations,
    })
}

fn zone_key() -> Vec<Data> {
    vec![key(2, ZONE_SIGNING).dnskey().into()]
}

fn ask(zone: &SignedZone, asked: &str, rtype: RecordType) -> Packet {
    let query = Packet {
        questions: vec![Question::new(name(asked), rtype)],
        opt: Some(Opt { payload: 1232, dnssec_ok: true, ..Opt::default() }),
        ..Packet::default()
    };
    let bytes = zone.answer(&query.write(512).expect("it fits"), false).expect("an answer");
    Packet::read(&bytes).expect("our own message")
}

/// The sets of a section, every one of them verified.
fn verified(section: &[RawRecord]) -> Vec<Arc<Rrset>> {
    let mut sets: BTreeMap<(Name, u16), Rrset> = BTreeMap::new();
    for record in section.iter().filter(|record| record.rtype != RecordType::RRSIG) {
        let fresh = || Rrset::new(record.name.clone(), record.rtype, 1, record.ttl, Instant::START);
        let set = sets.entry((record.name.clone(), record.rtype.into())).or_insert_with(fresh);
        set.data.push(record.data.clone());
    }
    for record in section.iter().filter(|record| record.rtype == RecordType::RRSIG) {
        let covered = u16::from_be_bytes([record.data[0], record.data[1]]);
        if let Some(set) = sets.get_mut(&(record.name.clone(), covered)) {
            set.sigs.push(record.data.clone());
        }
    }
    let check =
        |set: &Rrset| with_context(|context| verify_set(context, set, &name("shop.lab"), &zone_key()));
    for set in
        sets.values().filter(|set| !matches!(set.rtype, RecordType::NS) || set.name == name("shop.lab"))
    {
        if !set.sigs.is_empty() || matches!(set.rtype, RecordType::NSEC | RecordType::NSEC3) {
            assert!(check(set).is_ok(), "{} {}: {:?}", set.name, set.rtype, check(set));
        }
    }
    sets.into_values().map(Arc::new).collect()
}

#[test]
fn what_is_there_is_signed() {
    for chain in chains() {
        let zone = signed(chain);
        for (asked, rtype) in [("www.shop.lab", RecordType::A), ("www.shop.lab", RecordType::HTTPS)] {
            let packet = ask(&zone, asked, rtype);
            let sets = verified(&packet.answers);
            assert!(sets.len() == 1 && sets[0].sigs.len() == 1, "{packet:?}");
        }
        let through = verified(&ask(&zone, "alias.shop.lab", RecordType::A).answers);
        assert_eq!(through.len(), 2, "the alias and its end");
        let renamed = ask(&zone, "x.old.shop.lab", RecordType::A);
        let types: Vec<RecordType> = renamed.answers.iter().map(|record| record.rtype).collect();
        assert_eq!(
            types,
            [RecordType::from(39), RecordType::RRSIG, RecordType::CNAME],
            "the alias is not signed"
        );
    }
}

/// What is not there is denied so that our own validator takes it.
#[test]
fn what_is_not_there_is_denied() {
    for chain in chains() {
        let zone = signed(chain.clone());
        let nsec3 = chain != Chain::Nsec;
        let opt_out = matches!(chain, Chain::Nsec3 { opt_out: true, .. });
        let missing = if opt_out { Proof::Insecure } else { Proof::Secure };
        for asked in ["nope.shop.lab", "x.y.www.shop.lab", "zzz.shop.lab", "0.shop.lab"] {
            let packet = ask(&zone, asked, RecordType::A);
            assert_eq!(packet.header.rcode, 3, "{asked}");
            let sets = verified(&packet.authorities);
            if nsec3 {
                let denial = Denial::new(&sets, &name(asked)).expect("there are NSEC3 records");
                assert_eq!(denial.no_name(&name(asked)), missing, "{asked} with {chain:?}");
            } else {
                assert!(sets.iter().any(|set| nsec::proves_no_name(set, &name(asked))), "{asked}");
            }
        }
        for asked in ["www.shop.lab", "empty.shop.lab", "deep.empty.shop.lab"] {
            let packet = ask(&zone, asked, RecordType::MX);
            assert_eq!((packet.header.rcode, packet.answers.len()), (0, 0), "{asked}");
            let sets = verified(&packet.authorities);
            if nsec3 {
                let denial = Denial::new(&sets, &name(asked)).expect("there are NSEC3 records");
                assert_eq!(
                    denial.no_data(&name(asked), RecordType::MX),
                    Proof::Secure,
                    "{asked} with {chain:?}"
                );
            } else {
                let proven =
                    |set: &Arc<Rrset>| nsec::proves_nodata(set, &name(asked), RecordType::MX).is_some();
                assert!(sets.iter().any(proven), "{asked}");
            }
        }
    }
}

#[test]
fn a_wildcard_comes_with_the_denial_of_the_name() {
    for chain in chains() {
        let zone = signed(chain.clone());
        let asked = name("one.two.wild.shop.lab");
        let packet = ask(&zone, "one.two.wild.shop.lab", RecordType::A);
        assert!(packet.answers.iter().all(|record| record.name == asked), "expanded");
        let sets = verified(&packet.authorities);
        let encloser = name("wild.shop.lab");
        let proven = match chain {
            Chain::Nsec => sets.iter().any(|set| nsec::proves_wildcard_answer(set, &asked, &encloser)),
            Chain::Nsec3 { .. } => Denial::new(&sets, &asked)
                .is_some_and(|denial| denial.wildcard_answer(&asked, &encloser) != Proof::Bogus),
        };
        assert!(proven, "{chain:?}: {sets:?}");
        let none = ask(&zone, "one.wild.shop.lab", RecordType::MX);
        assert!(none.answers.is_empty() && none.header.rcode == 0, "no data out of a wildcard");
        verified(&none.authorities);
    }
}

#[test]
fn a_referral_says_whether_the_child_is_signed() {
    for chain in chains() {
        let zone = signed(chain.clone());
        let packet = ask(&zone, "www.signed.shop.lab", RecordType::A);
        let sets = verified(&packet.authorities);
        assert!(sets.iter().any(|set| set.rtype == RecordType::DS && !set.sigs.is_empty()), "{packet:?}");
        assert!(!packet.header.authoritative && packet.additionals.len() == 1, "glue");
        let packet = ask(&zone, "www.plain.shop.lab", RecordType::A);
        let sets = verified(&packet.authorities);
        let cut = name("plain.shop.lab");
        let proven = match chain {
            Chain::Nsec => sets.iter().any(|set| nsec::proves_nodata(set, &cut, RecordType::DS).is_some()),
            Chain::Nsec3 { .. } => Denial::new(&sets, &cut)
                .is_some_and(|denial| matches!(denial.no_ds(&cut), Proof::Secure | Proof::Insecure)),
        };
        assert!(proven, "{chain:?}: {sets:?}");
    }
}

/// A resolver asks for the DS of a cut by itself, too, of one that an opt-out span leaves out as well.
#[test]
fn who_asks_for_the_ds_of_an_unsigned_child_gets_the_proof() {
    for chain in chains() {
        let zone = signed(chain.clone());
        let packet = ask(&zone, "plain.shop.lab", RecordType::DS);
        assert_eq!((packet.header.rcode, packet.answers.len()), (0, 0));
        let sets = verified(&packet.authorities);
        let cut = name("plain.shop.lab");
        let proven = match chain {
            Chain::Nsec => sets.iter().any(|set| nsec::proves_nodata(set, &cut, RecordType::DS).is_some()),
            Chain::Nsec3 { .. } => Denial::new(&sets, &cut)
                .is_some_and(|denial| matches!(denial.no_ds(&cut), Proof::Secure | Proof::Insecure)),
        };
        assert!(proven, "{chain:?}: {sets:?}");
    }
}

#[test]
fn a_key_signs_as_its_state_says() {
    let records = master_records(ZONE, &Name::root()).expect("legal records");
    let mut plan = plan(Chain::Nsec);
    plan.keys.push((key(3, ZONE_SIGNING), KeyState::Published));
    plan.keys.push((key(4, ZONE_SIGNING), KeyState::Retired));
    plan.keys.push((key(5, KEY_SIGNING), KeyState::Revoked));
    let records = sign(&name("shop.lab"), &records, &plan).expect("a good zone");
    let zone = SignedZone::new(&records).expect("it has a SOA");
    let keys = zone.set(&name("shop.lab"), RecordType::DNSKEY).expect("its keys");
    assert_eq!(keys.data.len(), 5, "all are published");
    let by = |rtype: RecordType| {
        let set = zone.set(&name("shop.lab"), rtype).expect("it is there");
        set.sigs.iter().map(|sig| u16::from_be_bytes([sig[16], sig[17]])).collect::<Vec<u16>>()
    };
    assert_eq!(by(RecordType::SOA), [key(2, ZONE_SIGNING).tag()], "only the active one signs data");
    let revoked = crate::dnssec::records::key_tag(&key(5, KEY_SIGNING).revoked_dnskey());
    assert_eq!(by(RecordType::DNSKEY), [key(1, KEY_SIGNING).tag(), revoked]);
    assert!(keys.data.iter().filter_map(|data| Dnskey::read(data)).any(|key| key.is_revoked()));
    plan.keys.retain(|(_, state)| *state != KeyState::Active);
    assert!(sign(&name("shop.lab"), &zone.records(), &plan).is_err(), "nobody signs");
}

/// A DNSKEY set signed by some of its keys.
fn key_set(keys: &[&SigningKey], revoked: &[&SigningKey], signers: &[&SigningKey]) -> Rrset {
    let zone = name("shop.lab");
    let mut set = Rrset::new(zone.clone(), RecordType::DNSKEY, 1, 3600, Instant::START);
    set.data.extend(keys.iter().map(|key| Data::from(key.dnskey())));
    set.data.extend(revoked.iter().map(|key| Data::from(key.revoked_dnskey())));
    let mut sigs: Vec<Data> = signers.iter().map(|key| key.sign(&set, &zone, WINDOW).into()).collect();
    sigs.extend(revoked.iter().map(|key| Data::from(key.sign_revoked(&set, &zone, WINDOW))));
    set.sigs = sigs;
    set
}

/// RFC 5011: a new key waits 30 days, and a revoked one is never trusted again.
#[test]
fn a_trust_point_follows_a_rollover() {
    let (old, new, thief) = (key(1, KEY_SIGNING), key(3, KEY_SIGNING), key(9, KEY_SIGNING));
    let mut point = TrustPoint::new(name("shop.lab"));
    point.trust(old.dnskey().into(), 3600);
    let day = u64::from(DAY);
    let start = u64::from(NOW);
    let stages = |point: &TrustPoint| point.keys.iter().map(|key| key.stage).collect::<Vec<_>>();
    let see = |point: &mut TrustPoint, at: u64, set: &Rrset| {
        with_context(|context| point.observe(context, at, set)).map_err(|why| why.why)
    };
    see(&mut point, start, &key_set(&[&old], &[], &[&old])).expect("it signs itself");
    assert_eq!(stages(&point), [Stage::Valid]);
    let both = key_set(&[&old, &new], &[], &[&old, &new]);
    see(&mut point, start + day, &both).expect("the old one vouches");
    see(&mut point, start + 20 * day, &both).expect("still");
    assert_eq!(stages(&point), [Stage::AddPending, Stage::Valid], "not yet");
    // Somebody who stole no trusted key gets nowhere.
    let forged = key_set(&[&thief, &old], &[], &[&thief]);
    assert!(see(&mut point, start + 25 * day, &forged).is_err());
    assert_eq!(stages(&point), [Stage::AddPending, Stage::Valid]);
    see(&mut point, start + 32 * day, &both).expect("its time has come");
    assert_eq!(stages(&point), [Stage::Valid, Stage::Valid]);
    see(&mut point, start + 40 * day, &key_set(&[&new], &[&old], &[&new])).expect("the new one vouches");
    assert_eq!(stages(&point), [Stage::Valid, Stage::Revoked]);
    assert_eq!(point.trusted(), [Data::from(new.dnskey())]);
    see(&mut point, start + 80 * day, &key_set(&[&new], &[], &[&new])).expect("the new one alone");
    assert_eq!(stages(&point), [Stage::Valid], "long forgotten");
    see(&mut point, start + 90 * day, &key_set(&[], &[&new], &[])).expect("it speaks for itself");
    assert!(point.revoked && point.trusted().is_empty(), "nothing is left to trust");
    let again = upkeep::TrustPoint::from_text(&point.to_text()).expect("its own file");
    assert!(again.revoked);
}

#[test]
fn a_transfer_carries_the_zone() {
    let zone = signed(chains()[1].clone());
    let query =
        Packet { questions: vec![Question::new(name("shop.lab"), RecordType::AXFR)], ..Packet::default() };
    let messages = zone.transfer(&query.write(512).expect("it fits")).expect("a transfer");
    let records: Vec<RawRecord> =
        messages.iter().flat_map(|bytes| Packet::read(bytes).expect("our own message").answers).collect();
    assert_eq!(records.first(), records.last(), "from SOA to SOA");
    let again = SignedZone::new(&records[..records.len() - 1]).expect("the same zone");
    assert_eq!(again.records(), zone.records());
    assert!(zone.transfer(&[0; 12]).is_none());
}

proptest! {
    #[test]
    fn no_question_makes_an_authority_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let zone = signed(Chain::Nsec);
        zone.answer(&bytes, true);
        zone.transfer(&bytes);
    }
}
