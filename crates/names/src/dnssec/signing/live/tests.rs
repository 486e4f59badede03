use std::cell::Cell;

use hickory_proto::rr::Name;

use super::super::{ED25519, KEY_SIGNING, ZONE_SIGNING};
use super::*;
use crate::dnssec::algorithm::Algorithms;
use crate::dnssec::keys::{Trusted, keys_by_ds};
use crate::dnssec::verify::{Context, verify_set};
use crate::rdata::master_records;
use crate::rrset::{Data, Rrset};
use crate::text::parse_name;

const NOW: u64 = 1_780_272_000;
const DAY: u64 = 86_400;
const ZONE: &str = "shop.lab. 3600 SOA ns.shop.lab. hostmaster.shop.lab. 7 7200 900 604800 300\n\
                    shop.lab. 3600 NS ns.shop.lab.\nns.shop.lab. 3600 A 192.0.2.1\nwww.shop.lab. 300 A 192.0.2.80\n";

fn origin() -> Name {
    parse_name("shop.lab").expect("a name")
}

fn key(phrase: &str, flags: u16) -> SigningKey {
    SigningKey::of_phrase(phrase, flags)
}

fn live() -> LiveZone {
    let records = master_records(ZONE, &Name::root()).expect("legal records");
    let keys = vec![key("ksk 1", KEY_SIGNING), key("zsk 1", ZONE_SIGNING)];
    LiveZone::new(&origin(), records, keys, Chain::Nsec, Timing::default(), NOW).expect("a zone")
}

fn ds(phrase: &str) -> Vec<u8> {
    key(phrase, KEY_SIGNING).ds(&origin(), 2).expect("a digest that is known")
}

fn set<'a>(zone: &'a SignedZone, owner: &str, rtype: RecordType) -> &'a Rrset {
    zone.set(&parse_name(owner).expect("a name"), rtype).expect("it is there")
}

fn in_context<T>(now: u64, check: impl FnOnce(Context<'_>) -> T) -> T {
    let operations = Cell::new(100);
    let (algorithms, now) = (Algorithms::ALL, now as u32);
    check(Context { algorithms, now, ignore_times: false, every_algorithm: false, operations: &operations })
}

/// Whether somebody validates who has these DS records, the DNSKEY set of one version and the data of another.
fn validates(now: u64, ds: &[Vec<u8>], keys_of: &SignedZone, data_of: &SignedZone) -> Result<(), String> {
    let ds: Vec<Data> = ds.iter().map(|ds| ds.clone().into()).collect();
    let dnskey = set(keys_of, "shop.lab", RecordType::DNSKEY);
    let keys = match in_context(now, |context| keys_by_ds(context, &origin(), &ds, dnskey)) {
        Trusted::Keys(keys, _) => keys,
        Trusted::Insecure(_) => return Err("no DS is of use".into()),
        Trusted::Bogus(why) => return Err(format!("the keys {}", why.why)),
    };
    let www = set(data_of, "www.shop.lab", RecordType::A);
    in_context(now, |context| verify_set(context, www, &origin(), &keys))
        .map(|_| ())
        .map_err(|why| format!("the data {}", why.why))
}

/// Rolls to the end, and lets caches mix what is old and new all the way: the keys of a version that is not older than
/// the DNSKEY TTL, the data of one not older than the longest TTL, and the DS sets of the same.
fn roll_safely(
    zone: &mut LiveZone,
    roll: Roll,
    keys: Vec<SigningKey>,
    new_ds: Option<Vec<u8>>,
) -> Vec<Stage> {
    let timing = Timing::default();
    let mut ds_now = vec![ds("ksk 1")];
    let mut ds_before = (NOW, ds_now.clone());
    let mut versions: Vec<(u64, Arc<SignedZone>)> = vec![(NOW, zone.zone().clone())];
    let mut now = NOW + DAY;
    zone.begin(now, roll, keys).expect("a roll begins");
    let mut stages = Vec::new();
    for _ in 0..400 {
        if versions.last().is_none_or(|(_, last)| last.serial() != zone.zone().serial()) {
            versions.push((now, zone.zone().clone()));
        }
        if let Some((_, stage)) = zone.rolling()
            && stages.last() != Some(&stage)
        {
            stages.push(stage);
        }
        // In a cache: what was replaced less than its TTL ago.
        let cached = |ttl: u32| {
            let replaced = |at: usize| versions.get(at + 1).map_or(u64::MAX, |(next, _)| *next);
            versions.iter().enumerate().filter(move |(at, _)| replaced(*at).saturating_add(ttl.into()) > now)
        };
        let mut ds_sets = vec![ds_now.clone()];
        if ds_before.0 + u64::from(timing.ds_ttl) > now {
            ds_sets.push(ds_before.1.clone());
        }
        for (_, (_, keys_of)) in cached(timing.dnskey_ttl) {
            for (_, (_, data_of)) in cached(timing.longest_ttl) {
                for ds in &ds_sets {
                    let result = validates(now, ds, keys_of, data_of);
                    let serials = (keys_of.serial(), data_of.serial());
                    assert_eq!(result, Ok(()), "at {} with versions {serials:?}", now - NOW);
                }
            }
        }
        if zone.rolling().is_none() {
            return stages;
        }
        if let (Some((_, Stage::AwaitingParent)), Some(new)) = (zone.rolling(), &new_ds) {
            let asked = &set(zone.zone(), "shop.lab", CDS).data;
            assert!(asked.len() == 1 && asked[0][..] == new[..], "CDS tells the new key only");
            ds_before = (now, std::mem::replace(&mut ds_now, vec![new.clone()]));
            zone.parent_has(now, &ds_now);
        }
        now += 1800;
        zone.advance(now);
    }
    panic!("the roll never ends: {:?}", zone.rolling());
}

#[test]
fn a_zone_key_is_rolled_without_a_gap() {
    let mut zone = live();
    let stages = roll_safely(&mut zone, Roll::ZoneKey, vec![key("zsk 2", ZONE_SIGNING)], None);
    assert_eq!(stages, [Stage::Spreading, Stage::Draining]);
    let tags = [key("ksk 1", KEY_SIGNING).tag(), key("zsk 2", ZONE_SIGNING).tag()];
    assert_eq!(zone.states(), tags.map(|tag| (tag, KeyState::Active)));
}

#[test]
fn an_entry_point_is_rolled_without_a_gap() {
    let mut zone = live();
    let new = vec![key("ksk 2", KEY_SIGNING)];
    let stages = roll_safely(&mut zone, Roll::EntryPoint, new, Some(ds("ksk 2")));
    assert_eq!(stages, [Stage::Spreading, Stage::AwaitingParent, Stage::ParentSpreading]);
    let tags = [key("zsk 1", ZONE_SIGNING).tag(), key("ksk 2", KEY_SIGNING).tag()];
    assert_eq!(zone.states(), tags.map(|tag| (tag, KeyState::Active)));
}

#[test]
fn all_keys_are_rolled_without_a_gap() {
    let mut zone = live();
    let new = vec![key("ksk 2", KEY_SIGNING), key("zsk 2", ZONE_SIGNING)];
    let stages = roll_safely(&mut zone, Roll::Algorithm, new, Some(ds("ksk 2")));
    let all = [
        Stage::Presigned,
        Stage::Spreading,
        Stage::AwaitingParent,
        Stage::ParentSpreading,
        Stage::Unpublished,
    ];
    assert_eq!(stages, all);
}

/// While an algorithm is rolled, each algorithm in the DNSKEY set signs everything (RFC 4035 section 2.2).
#[test]
fn no_algorithm_is_published_before_it_signs() {
    let random: super::super::Randomness = Arc::new(ring::rand::SystemRandom::new());
    let mut zone = live();
    let new =
        vec![SigningKey::new_p256(KEY_SIGNING, random.clone()), SigningKey::new_p256(ZONE_SIGNING, random)];
    let new_ds = new[0].ds(&origin(), 2).expect("a digest that is known");
    let stages = roll_safely(&mut zone, Roll::Algorithm, new, Some(new_ds));
    assert_eq!(stages.len(), 5);
    let algorithms: BTreeSet<u8> =
        set(zone.zone(), "shop.lab", RecordType::DNSKEY).data.iter().map(|data| data[3]).collect();
    assert!(!algorithms.contains(&ED25519), "the old one is gone");
}

#[test]
fn a_roll_without_its_parent_waits_for_ever() {
    let mut zone = live();
    zone.begin(NOW, Roll::EntryPoint, vec![key("ksk 2", KEY_SIGNING)]).expect("a roll begins");
    let again = zone.begin(NOW, Roll::ZoneKey, vec![key("zsk 2", ZONE_SIGNING)]);
    assert_eq!(again, Err("a roll is under way already".into()));
    for day in 1..100 {
        zone.advance(NOW + day * DAY);
        zone.parent_has(NOW + day * DAY, &[ds("ksk 1")]);
    }
    assert_eq!(zone.rolling(), Some((Roll::EntryPoint, Stage::AwaitingParent)));
    assert_eq!(zone.states().len(), 3, "both entry points and the zone key");
}

#[test]
fn signatures_are_made_anew_before_they_end() {
    let mut zone = live();
    let mut versions = 0;
    for hour in 0..(100 * 24) {
        let now = NOW + hour * 3600;
        versions += u32::from(zone.next_deadline() <= now && zone.advance(now));
        let left = validates(now, &[ds("ksk 1")], zone.zone(), zone.zone());
        assert_eq!(left, Ok(()), "after {hour} hours");
    }
    assert_eq!(versions, 9, "every ten days");
}

#[test]
fn an_update_is_signed_and_counted() {
    let mut zone = live();
    let serial = zone.zone().serial();
    let record = |text: &str| master_records(text, &Name::root()).expect("a record");
    let (old, new) = (record("www.shop.lab. 300 A 192.0.2.80"), record("www.shop.lab. 300 A 192.0.2.99"));
    zone.update(NOW, &old, &new).expect("it fits");
    assert_eq!(zone.zone().serial(), serial + 1);
    assert_eq!(set(zone.zone(), "www.shop.lab", RecordType::A).data[0][..], [192, 0, 2, 99]);
    assert_eq!(validates(NOW, &[ds("ksk 1")], zone.zone(), zone.zone()), Ok(()));
    assert!(zone.update(NOW, &old, &[]).is_err(), "it is gone");
    assert_eq!(zone.zone().serial(), serial + 1, "then nothing has changed");
}

#[test]
fn only_what_changes_is_signed_anew() {
    let mut zone = live();
    let before = zone.zone().clone();
    let new = master_records("new.shop.lab. 60 A 192.0.2.9\n", &Name::root()).expect("legal records");
    zone.update(NOW + DAY, &[], &new).expect("it fits");
    let change = before.change_to(zone.zone());
    let come: Vec<String> = change.added.iter().map(crate::text::record_line).collect();
    // The SOA, the new address, the denial before it and its own, each with its signature.
    assert_eq!((change.removed.len(), change.added.len()), (4, 8), "{come:#?}");
    assert_eq!(validates(NOW + DAY, &[ds("ksk 1")], zone.zone(), zone.zone()), Ok(()));
    // What was signed first ends first, and is signed anew in time, alone.
    let timing = Timing::default();
    assert_eq!(zone.next_deadline(), NOW + u64::from(timing.validity - timing.refresh));
    let before = zone.zone().clone();
    assert!(zone.advance(zone.next_deadline()));
    let kept =
        |name: &str| set(&before, name, RecordType::A).sigs == set(zone.zone(), name, RecordType::A).sigs;
    assert!(kept("new.shop.lab") && !kept("www.shop.lab"));
    assert_eq!(zone.next_deadline(), NOW + DAY + u64::from(timing.validity - timing.refresh));
}
