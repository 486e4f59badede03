use super::judge::Said;
use super::*;
use crate::rdata::master_records;
use crate::resolver::{Leave, Met, Watch};
use crate::text::parse_name;
use crate::wire::Question;

const RULES: &str = "rpz. SOA . . 1 2 3 4 5\nbad.example.rpz. CNAME .\n*.bad.example.rpz. CNAME *.\n\
                     good.bad.example.rpz. CNAME rpz-passthru.\nwalled.rpz. CNAME *.garden.\n\
                     24.0.2.0.192.rpz-client-ip.rpz. CNAME rpz-drop.\n32.9.113.0.203.rpz-ip.rpz. A 192.0.2.1\n\
                     128.1.zz.db8.2001.rpz-ip.rpz. CNAME .\n";

fn name(text: &str) -> Name {
    parse_name(text).expect("a legal name")
}

fn code(code: u16) -> Verdict {
    Verdict::Answer(Said { code, ..Said::default() })
}

fn zone() -> PolicyZone {
    let records = master_records(RULES, &Name::root()).expect("legal records");
    PolicyZone::new(&name("rpz"), &records).expect("rules that are understood")
}

#[test]
fn the_closest_rule_counts() {
    let zones = Policies { zones: vec![Arc::new(zone())] };
    let client = |text: &str| text.parse::<IpAddr>().expect("an address");
    let check = |asked: &str, from: &str, wanted: Verdict| {
        let question = Question::new(name(asked), RecordType::A);
        assert_eq!(
            zones.on_question(&question, client(from), Tags::NONE, true),
            wanted,
            "{asked} from {from}"
        );
    };
    check("bad.example", "10.0.0.1", code(3));
    check("www.BAD.example", "10.0.0.1", code(0));
    check("good.bad.example", "10.0.0.1", Verdict::PassThrough);
    check("other.example", "10.0.0.1", Verdict::Pass);
    check("other.example", "192.0.2.7", Verdict::Drop);
    let question = Question::new(name("walled"), RecordType::A);
    let Verdict::Alias(_, target) = zones.on_question(&question, client("10.0.0.1"), Tags::NONE, true) else {
        panic!("an alias into the garden");
    };
    assert_eq!(target, name("walled.garden"));
}

#[test]
fn addresses_are_spelled_from_their_end() {
    let check = |text: &str, wanted: Option<(&str, u8)>| {
        let labels: Vec<&[u8]> = text.split('.').map(str::as_bytes).collect();
        let wanted = wanted.map(|(text, bits)| (text.parse().expect("an address"), bits));
        assert_eq!(place(&labels), wanted, "{text}");
    };
    check("32.1.2.0.192", Some(("192.0.2.1", 32)));
    check("128.1.zz.db8.2001", Some(("2001:db8::1", 128)));
    check("48.zz.1.db8.2001", Some(("2001:db8:1::", 48)));
    check("33.1.2.0.192", None);
    check("x.1.2.0.192", None);
}

#[test]
fn rules_that_are_not_understood_are_refused() {
    let records = master_records("33.1.2.0.192.rpz-nsip.rpz. CNAME .\nbad.rpz. CNAME .", &Name::root())
        .expect("legal records");
    assert!(PolicyZone::new(&name("rpz"), &records).is_err());
    let (zone, unused) = PolicyZone::read(&name("rpz"), &records);
    assert_eq!(unused.len(), 1, "{unused:?}");
    assert!(of_name(&zone.names, &name("bad")).is_some(), "the others count");
}

#[test]
fn a_wildcard_ends_at_the_closest_name() {
    let records = master_records("*.a.rpz. CNAME .\nb.a.rpz. CNAME *.\nx.c.a.rpz. CNAME .", &Name::root())
        .expect("legal records");
    let zone = PolicyZone::new(&name("rpz"), &records).expect("rules");
    assert_eq!(of_name(&zone.names, &name("z.a")), Some(&Action::NoName));
    assert_eq!(of_name(&zone.names, &name("z.y.a")), Some(&Action::NoName));
    assert_eq!(of_name(&zone.names, &name("z.b.a")), None, "b.a exists");
    assert_eq!(of_name(&zone.names, &name("a")), None);
}

/// As in unbound, a policy's wildcard stands in for names that only have names below; RFC 4592 section 2.2.2 says that they
/// exist, and an authority with the same records says so.
#[test]
fn a_wildcard_above_an_empty_name_is_a_policys_matter_only() {
    let text = "zone. SOA . . 1 2 3 4 5\nzone. NS ns.zone.\n*.a.zone. A 192.0.2.1\nx.c.a.zone. A 192.0.2.2";
    let records = master_records(text, &Name::root()).expect("legal records");
    let zone = PolicyZone::new(&name("zone"), &records).expect("rules");
    assert!(matches!(of_name(&zone.names, &name("c.a")), Some(Action::Data(_))));
    let zone = crate::authority::SignedZone::new(&records).expect("a zone");
    let said = |asked: &str| {
        let answer = zone.response(&Question::new(name(asked), RecordType::A), false);
        (answer.rcode(), answer.answers.len())
    };
    assert_eq!(said("d.a.zone"), (0, 1), "the wildcard");
    assert_eq!(said("c.a.zone"), (0, 0), "it exists, and has no address");
    assert_eq!(said("d.c.a.zone"), (3, 0), "below it there is no wildcard");
    assert_eq!(said("x.c.a.zone"), (0, 1), "a name of its own");
}

#[test]
fn servers_are_met_by_name_and_by_address() {
    let records = master_records(
        "ns.bad.rpz-nsdname.rpz. CNAME .\n24.0.2.0.192.rpz-nsip.rpz. CNAME rpz-passthru.",
        &Name::root(),
    )
    .expect("legal records");
    let policies =
        Policies { zones: vec![Arc::new(PolicyZone::new(&name("rpz"), &records).expect("rules"))] };
    let rules = policies.rules(Tags::NONE, false);
    let address = ["192.0.2.9".parse().expect("an address")];
    assert_eq!(policies.look(rules, Met::Servers(&[name("ns.good")], &[])), Leave::On);
    assert_eq!(policies.look(rules, Met::Servers(&[name("ns.bad")], &address)), Leave::Stop);
    assert_eq!(policies.look(rules, Met::Servers(&[], &address)), Leave::Unwatched);
}
