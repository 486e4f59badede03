use super::*;
use crate::rdata::record_from_text;
use crate::rrset::Rrset;
use thru_wire::Instant;

#[test]
fn hostile_text_stays_text_in_the_picture() {
    let record = record_from_text("\\<script\\>.shop. 300 A 192.0.2.9", &Name::root(), 60, None);
    let name = record.expect("a legal record").name;
    let what = "<b>&\u{1b}[2J".to_owned();
    let leaf = Leaf {
        name,
        rtype: RecordType::A,
        says: "<i>".to_owned(),
        signed: Vec::new(),
        state: State::Broken(Problem { code: 6, what, rfc: "RFC 4035 5.3.3" }),
    };
    let root = Link::new(Name::root(), &[], Vec::new(), None);
    let chain = Chain { depth: 0, links: vec![root], leaf: Some(leaf), next: None, now: 0 };
    let svg = svg::draw(&chain);
    assert!(svg.contains("BROKEN"));
    assert!(
        !svg.contains("<b>") && !svg.contains("<script") && !svg.contains("<i>") && !svg.contains('\u{1b}'),
        "{svg}"
    );
}

#[test]
fn records_that_are_no_keys_and_no_ds_are_left_out() {
    let mut keys = Rrset::new(Name::root(), RecordType::DNSKEY, 1, 60, Instant::START);
    keys.data.push([1, 2][..].into());
    keys.sigs.push([3][..].into());
    let link = Link::new(Name::root(), &[[9][..].into()], Vec::new(), Some(&keys));
    assert!(link.keys.is_empty() && link.vouches.is_empty() && link.keys_signed.is_empty());
}
