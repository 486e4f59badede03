//! How many of the fields that tshark finds in captures that others publish we have: `agree/in-use.txt` lists them,
//! `docs/fields.md` shows the table that comes of it. `THRU_BLESS=1` writes that.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use thru_dissect::fields_named;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A protocol's fields that are in use.
#[derive(Default)]
struct Row<'t> {
    /// How many we have, and how often those were found.
    known: usize,
    found: u64,
    /// How often we lack which.
    lacking: Vec<(u64, &'t str)>,
}

/// Where fields with this first word are listed, if not under it.
fn protocol_of(name: &str) -> &str {
    match name.split('.').next().unwrap_or_default() {
        "x509if" | "x509sat" | "x509ce" | "x509af" | "pkcs1" => "certificates",
        word => word,
    }
}

/// What nobody asks for: the same in other words, what Wireshark notes of itself, parts that nobody uses.
fn is_passed_over(name: &str) -> bool {
    name.ends_with("_resolved")
        || name.ends_with("_element")
        || name.contains(".oui")
        || name.contains("reserved")
}

fn rows(text: &str) -> BTreeMap<&str, Row<'_>> {
    let mut rows: BTreeMap<&str, Row<'_>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        let (Some(name), Some(packets)) = (words.next(), words.next()) else { panic!("{line}") };
        let packets: u64 = packets.parse().expect("a number of packets");
        if is_passed_over(name) {
            continue;
        }
        let row = rows.entry(protocol_of(name)).or_default();
        if fields_named(name).is_empty() {
            row.lacking.push((packets, name));
        } else {
            row.known += 1;
            row.found += packets;
        }
    }
    rows
}

/// How many of those that are lacking are named.
const NAMED_MAX: usize = 8;

fn page(rows: BTreeMap<&str, Row<'_>>) -> String {
    let mut out = String::from(
        "# Fields in use\n\n\
         Which of the fields that tshark 4.0.17 finds in 367 captures, or bundles of them, that others publish (the first 1,000\n\
         packets of each) can be filtered by here: per protocol how many there are, how many of them we have, what share\n\
         of all that were found those are, and which are lacking, those of most packets first. Left out are fields that\n\
         less than three captures have, resolved names, reserved bits and headings of ASN.1.\n\n\
         | protocol | in use | known | of what is found | lacking |\n|---|---|---|---|---|\n",
    );
    let (mut in_use, mut known) = (0, 0);
    for (name, mut row) in rows {
        row.lacking.sort_by_key(|(packets, name)| (std::cmp::Reverse(*packets), *name));
        let total = row.known + row.lacking.len();
        let missed: u64 = row.lacking.iter().map(|(packets, _)| packets).sum();
        let share = 100.0 * row.found as f64 / (row.found + missed).max(1) as f64;
        let mut names: Vec<String> =
            row.lacking.iter().take(NAMED_MAX).map(|(_, name)| format!("`{name}`")).collect();
        if row.lacking.len() > NAMED_MAX {
            names.push(format!("{} more", row.lacking.len() - NAMED_MAX));
        }
        (in_use, known) = (in_use + total, known + row.known);
        out += &format!("| {name} | {total} | {} | {share:.1} % | {} |\n", row.known, names.join(", "));
    }
    out + &format!("\nAll in all {known} of {in_use}.\n")
}

/// What a page says of each protocol: how many of its fields we have.
fn told(page: &str) -> BTreeMap<&str, usize> {
    let rows = page.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split(" | ").collect();
        let [name, _, known, ..] = cells[..] else { return None };
        Some((name.trim_start_matches("| "), known.parse().ok()?))
    });
    rows.collect()
}

/// Nothing that the page says we have is gone. What has come since is not worth a failure: the page is written anew now
/// and then.
#[test]
fn the_fields_in_use_that_the_page_names_are_there() {
    let text = std::fs::read_to_string(path("tests/agree/in-use.txt")).expect("the list is there");
    let rows = rows(&text);
    assert!(rows.len() > 50, "the list names all protocols: {}", rows.len());
    let known: BTreeMap<String, usize> =
        rows.iter().map(|(name, row)| (name.to_string(), row.known)).collect();
    let (page, place) = (page(rows), path("../../docs/fields.md"));
    if std::env::var_os("THRU_BLESS").is_some() {
        std::fs::write(&place, &page).expect("the page can be written");
    }
    let old = std::fs::read_to_string(&place).expect("the page is there");
    let told = told(&old);
    assert!(told.len() > 50, "the page has a row for each protocol: {}", told.len());
    for (name, count) in told {
        let now = known.get(name).copied().unwrap_or(0);
        assert!(
            now >= count,
            "{name}: docs/fields.md says that we have {count} fields in use, and it is {now}"
        );
    }
    if old != page {
        println!("docs/fields.md can be written anew: THRU_BLESS=1 does");
    }
}
