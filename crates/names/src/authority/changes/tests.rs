use hickory_proto::rr::Name;
use proptest::prelude::*;

use super::*;
use crate::rdata::master_records;

fn zone(serial: u32, lines: &[String]) -> SignedZone {
    let mut text =
        format!("shop.lab. 3600 SOA ns.shop.lab. hostmaster.shop.lab. {serial} 7200 900 86400 300\n");
    lines.iter().for_each(|line| text.push_str(&format!("{line}\n")));
    SignedZone::new(&master_records(&text, &Name::root()).expect("legal records")).expect("a zone")
}

fn sorted(zone: &SignedZone) -> Vec<String> {
    let mut lines: Vec<String> = zone.records().iter().map(|record| format!("{record:?}")).collect();
    lines.sort();
    lines
}

#[test]
fn serials_go_round() {
    assert!(is_newer(2, 1) && !is_newer(1, 2) && !is_newer(7, 7));
    assert!(is_newer(0, u32::MAX) && is_newer(5, u32::MAX - 5));
}

#[test]
fn a_change_that_does_not_fit_is_refused() {
    let old = zone(1, &["www.shop.lab. 300 A 192.0.2.1".into()]);
    let new = zone(2, &["www.shop.lab. 300 A 192.0.2.2".into()]);
    let change = old.change_to(&new);
    assert_eq!((change.from, change.to, change.removed.len(), change.added.len()), (1, 2, 2, 2));
    assert_eq!(sorted(&old.changed(&change).expect("it fits")), sorted(&new));
    let why = new.changed(&change).expect_err("it begins elsewhere");
    assert!(why.contains("begins at serial 1"), "{why}");
    let other = zone(1, &["www.shop.lab. 300 A 192.0.2.9".into()]);
    assert!(other.changed(&change).expect_err("not there").contains("not there: www.shop.lab. A"));
    let both = zone(1, &["www.shop.lab. 300 A 192.0.2.1".into(), "www.shop.lab. 300 A 192.0.2.2".into()]);
    assert!(both.changed(&change).expect_err("there already").contains("there already"));
}

#[test]
fn a_journal_is_bounded_and_has_no_holes() {
    let step =
        |from: u32| Change { from, to: from + 1, removed: vec![], added: zone(from + 1, &[]).records() };
    let mut journal = Journal::new(3);
    (1..=5).for_each(|from| journal.push(step(from)));
    assert_eq!(journal.len(), 3);
    assert!(journal.since(2).is_none(), "long forgotten");
    let told: Vec<u32> = journal.since(4).expect("known").map(|change| change.to).collect();
    assert_eq!(told, [5, 6]);
    journal.push(step(9));
    assert!(journal.since(4).is_none() && journal.since(9).is_some(), "a hole begins it anew");
}

proptest! {
    /// Whatever two versions hold, the change between them leads from one to the other, also over the wire.
    #[test]
    fn a_change_leads_from_one_version_to_the_other(
        old in prop::collection::btree_set((0_u8..20, 0_u8..4), 0..30),
        new in prop::collection::btree_set((0_u8..20, 0_u8..4), 0..30),
    ) {
        let lines = |set: &std::collections::BTreeSet<(u8, u8)>| -> Vec<String> {
            set.iter().map(|(host, last)| format!("h{host}.shop.lab. 300 A 192.0.2.{last}")).collect()
        };
        let (old, new) = (zone(7, &lines(&old)), zone(8, &lines(&new)));
        let change = old.change_to(&new);
        prop_assert_eq!(sorted(&old.changed(&change).expect("it fits")), sorted(&new));
        let mut journal = Journal::default();
        journal.push(change);
        let query = super::super::secondary::tests::ixfr_query(&old);
        let messages = new.transfer_since(&query, &journal).expect("a transfer");
        let mut incoming = super::super::incoming::Incoming::new(
            old.origin().clone(), 7, Some(std::sync::Arc::new(old)));
        let mut got = None;
        for message in &messages {
            if let super::super::incoming::Progress::Done(zone, steps) = incoming.message(message).expect("sound") {
                prop_assert_eq!(steps.len(), 1);
                got = Some(zone);
            }
        }
        prop_assert_eq!(sorted(&got.expect("it ends")), sorted(&new));
    }
}
