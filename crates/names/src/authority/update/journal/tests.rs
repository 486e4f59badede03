use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::rdata::master_records;
use crate::text::parse_name;

fn origin() -> Name {
    parse_name("shop.").expect("a name")
}

/// A zone with this serial and these further lines.
fn zone(serial: u32, more: &str) -> Vec<RawRecord> {
    let text = format!("@ 300 SOA ns a {serial} 2 3 4 60\n@ 300 NS ns\n{more}");
    master_records(&text, &origin()).expect("legal records")
}

/// The journal of a file and the versions after it.
fn journal(versions: &[Vec<RawRecord>]) -> String {
    let steps = versions.windows(2).map(|pair| step(&Change::between(&origin(), &pair[0], &pair[1])));
    head(&origin(), &print_of(&versions[0]), false) + &steps.collect::<String>()
}

fn read(text: &str) -> Journal {
    Journal::read(text).unwrap_or_else(|why| panic!("{why}\n{text}"))
}

/// Order does not count.
fn same(a: &[RawRecord], b: &[RawRecord]) {
    let lines = |records: &[RawRecord]| records.iter().map(line).collect::<BTreeSet<_>>();
    assert_eq!(lines(a), lines(b));
}

const OLD: &str = "www 300 A 192.0.2.80\n";
const NEW: &str = "www 300 A 192.0.2.81\nx\\.y\\\"\\000 60 TXT \"; a \\\" b\" c\nodd 60 TYPE65280 \\# 3 0a0b0c\n\
                   web 60 HTTPS 1 . alpn=h3,h2 ech=AAAA\n";

#[test]
fn what_is_written_is_read() {
    let versions = [zone(7, OLD), zone(8, NEW), zone(9, ""), zone(12, "www 60 A 192.0.2.80\n")];
    let text = journal(&versions);
    assert_eq!(read(&text).whole, text.len());
    same(&read(&text).on_top_of(&origin(), &versions[0]), &versions[3]);
    assert_eq!(read(&text).changes.iter().map(|change| change.to).collect::<Vec<_>>(), [8, 9, 12]);
}

#[test]
fn what_was_not_finished_does_not_count() {
    let versions = [zone(7, OLD), zone(8, NEW), zone(9, "")];
    let text = journal(&versions);
    let first = journal(&versions[..2]).len();
    for cut in 0..text.len() {
        let Some(begun) = text.get(..cut) else { continue };
        let journal = read(begun);
        assert_eq!(journal.changes.len(), usize::from(cut >= first), "{begun}");
        assert!(journal.whole <= cut);
    }
}

#[test]
fn what_a_power_cut_left_does_not_count() {
    let good = journal(&[zone(7, OLD), zone(8, NEW)]);
    for tail in [
        "\0\0\0\n\0",
        "from 8 to 9\n- www.sh\0\0\n",
        "from 8 to 9\n+ www.shop. 60 I\n",
        "from 8 to 9\nfrom 8 to 9\n",
    ] {
        let journal = read(&(good.clone() + tail));
        assert_eq!((journal.changes.len(), journal.whole), (1, good.len()), "{tail:?}");
        let in_the_middle = good.clone() + tail + "\nend\n";
        assert!(
            Journal::read(&in_the_middle).is_err(),
            "what was confirmed is not given up silently: {tail:?}"
        );
    }
}

/// Each change used to go through the whole zone, at every start.
#[test]
fn many_changes_of_a_large_zone_are_one_pass() {
    let large: String = (0..20_000).map(|number| format!("n{number} 60 A 192.0.2.1\n")).collect();
    let (before, after) =
        (zone(7, &large), |serial: u32| zone(serial, &format!("x{serial} 60 A 192.0.2.2\n")));
    let only = |serial: u32| Change::between(&origin(), &zone(serial, ""), &after(serial + 1));
    let changes: Vec<Change> = (7..2_007).map(only).collect();
    let journal = Journal { file: print_of(&before), changes, ..Journal::default() };
    assert_eq!(journal.on_top_of(&origin(), &before).len(), before.len() + 2_000);
    let short = journal.clone().shortened(1);
    same(&short.on_top_of(&origin(), &before), &journal.on_top_of(&origin(), &before));
}

#[test]
fn a_version_that_was_never_served_is_no_step() {
    let steps = "from 7 to 10\nend\nfrom 10 to 11\nend\n";
    let from = |text: &str| read(text).steps().iter().map(|step| step.from).collect::<Vec<_>>();
    assert_eq!(from(&(head(&origin(), "0", false) + steps)), [7, 10]);
    assert_eq!(from(&(head(&origin(), "0", true) + steps)), [10]);
    assert_eq!(from(&head(&origin(), "0", true)), []);
}

#[test]
fn a_file_that_was_edited_keeps_what_updates_changed() {
    let text = journal(&[zone(7, OLD), zone(8, "www 300 A 192.0.2.81\nnew 60 A 192.0.2.9\n")]);
    let serial_after = |serial: u32, more: &str| {
        let edited = zone(serial, more);
        let now = read(&text).on_top_of(&origin(), &edited);
        let lines: String = now[2..].iter().map(line).collect();
        (soa_of(&origin(), &now).and_then(|soa| soa_serial(&soa.data)).expect("a serial"), lines)
    };
    let both = "www.shop. 300 IN A 192.0.2.81\nnew.shop. 60 IN A 192.0.2.9\n";
    assert_eq!(serial_after(7, OLD), (8, both.to_owned()), "as it was");
    let third = "www 300 A 192.0.2.80\nthird 60 A 192.0.2.3\n";
    let all = "third.shop. 60 IN A 192.0.2.3\n".to_owned() + both;
    assert_eq!(serial_after(7, third), (9, all.clone()), "edited, and its serial forgotten");
    assert_eq!(serial_after(2026, third), (2026, all), "edited, with a later serial");
}

#[test]
fn the_rest_of_a_soa_is_the_files_unless_an_update_changed_it() {
    let other = |text: &str| master_records(text, &origin()).expect("legal records");
    let soa = |records: &[RawRecord]| line(soa_of(&origin(), records).expect("a SOA"));
    let raised = read(&journal(&[zone(7, ""), zone(8, OLD)]));
    let edited = raised.on_top_of(&origin(), &other("@ 300 SOA ns b 7 9 9 9 9\n@ 300 NS ns\n"));
    assert_eq!(soa(&edited), "shop. 300 IN SOA ns.shop. b.shop. 9 9 9 9 9\n");
    let changed = read(&journal(&[zone(7, ""), other("@ 60 SOA ns c 8 5 5 5 5\n@ 300 NS ns\n")]));
    assert_eq!(
        soa(&changed.on_top_of(&origin(), &zone(7, ""))),
        "shop. 60 IN SOA ns.shop. c.shop. 8 5 5 5 5\n"
    );
}

#[test]
fn what_is_not_understood_is_named() {
    for (text, why) in [
        ("file a\nnonsense\n", "line 2: `nonsense` is not understood here"),
        ("from 7 to x\n", "line 1: a serial is no number"),
        ("from 7 to 8\n- www.shop. 60 IN A here\nend\n", "line 2: a record that has a bad address here"),
        ("from 7 to 8\n- www.shop. 60 CH TXT a\nend\n", "line 2: a record of another class"),
        ("end\n", "line 1: `end` is not understood here"),
    ] {
        assert_eq!(Journal::read(text).expect_err("it is wrong"), why);
    }
}

proptest! {
    #[test]
    fn shortening_changes_nothing(seeds in prop::collection::vec(any::<u8>(), 1..12), max in 1_usize..6) {
        // Each version holds those of eight records whose bit is set.
        let version = |at: usize, bits: u8| {
            let lines = (0..8).filter(|bit| bits >> bit & 1 == 1);
            zone(7 + at as u32, &lines.map(|bit| format!("n{bit} 60 A 192.0.2.{}\n", bit % 3)).collect::<String>())
        };
        let versions: Vec<_> = seeds.iter().enumerate().map(|(at, bits)| version(at, *bits)).collect();
        let whole = read(&journal(&versions));
        let short = whole.clone().shortened(max);
        prop_assert!(short.changes.len() <= max.max(1));
        same(&short.on_top_of(&origin(), &versions[0]), &whole.on_top_of(&origin(), &versions[0]));
        same(&short.on_top_of(&origin(), &versions[0]), versions.last().expect("one at least"));
    }

    #[test]
    fn any_text_is_taken_without_harm(text in "(;.*|file [0-9a-f]{0,4}|from [0-9]{1,12} to [0-9]{1,4}|[-+] .{0,30}|end|.{0,20}|\n){0,20}") {
        if let Ok(journal) = Journal::read(&text) {
            prop_assert!(journal.whole <= text.len());
        }
    }
}
