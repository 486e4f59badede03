use hickory_proto::rr::RecordType;

use super::*;
use crate::text::{data_text, name_text, parse_name, record_text};

const SHOP: &str = r#"
$ORIGIN shop.lab.
$TTL 5m
@       IN SOA ns1 admin.shop.lab. (
                2026112101 ; serial
                1h 15m 7d
                60 )
        NS    ns1
        NS    ns2.other.lab.
        MX    10 mail
ns1     A     192.0.2.53
        AAAA  2001:db8::53
www  1h IN A  192.0.2.80
        A     192.0.2.81
        A     192.0.2.80        ; given twice; the lowest TTL of a set is the set's
alias   CNAME www
*.wild  TXT   "a \"quoted\" text" second
deep.empty.inner A 192.0.2.9
sub     NS    ns.sub
        NS    ns1
ns.sub  A     192.0.2.54
svc     HTTPS 1 . alpn="h3,h2" port=8443 ipv4hint=192.0.2.80
raw     TYPE64000 \# 3 0a 0b0c
mail    CAA   0 issue "lab"
_x._tcp SRV   1 2 443 www
9.2.0   PTR   www
"#;

fn shop() -> Zone {
    Zone::parse(SHOP, None).expect("the sample parses")
}

fn name(text: &str) -> Name {
    parse_name(text).expect("a name")
}

fn check(question: &str, expected: &str) {
    let zone = shop();
    let (owner, kind) = question.split_once(' ').expect("NAME TYPE");
    let kind = crate::text::parse_type(kind).expect("a type");
    let shown = |set: &RecordSet| set.data.iter().map(data_text).collect::<Vec<_>>().join(", ");
    let got = match zone.lookup(&name(owner), kind) {
        Lookup::OutOfZone => "out of zone".to_owned(),
        Lookup::Found(sets) => {
            sets.iter().map(|(_, set)| format!("{} {}", set.ttl, shown(set))).collect::<Vec<_>>().join(" + ")
        }
        Lookup::Alias(set) => format!("alias {}", shown(set)),
        Lookup::Delegated { cut, servers } => format!("delegated {} to {}", name_text(&cut), shown(servers)),
        Lookup::NoData => "no data".to_owned(),
        Lookup::NoName => "no name".to_owned(),
    };
    assert_eq!(got, expected, "{question}");
}

#[test]
fn lookups() {
    check("www.shop.lab A", "300 192.0.2.80, 192.0.2.81");
    check("WWW.Shop.LAB A", "300 192.0.2.80, 192.0.2.81");
    check("ns1.shop.lab AAAA", "300 2001:db8::53");
    check("www.shop.lab AAAA", "no data");
    check("alias.shop.lab A", "alias www.shop.lab.");
    check("alias.shop.lab CNAME", "300 www.shop.lab.");
    check("nothing.shop.lab A", "no name");
    check("www.other.lab A", "out of zone");
    check("lab A", "out of zone");
    check("shop.lab NS", "300 ns1.shop.lab., ns2.other.lab.");
    check("raw.shop.lab TYPE64000", r"300 \# 3 0a0b0c");
    check("_x._tcp.shop.lab SRV", "300 1 2 443 www.shop.lab.");
    check("svc.shop.lab HTTPS", "300 1 . alpn=h3,h2 port=8443 ipv4hint=192.0.2.80");
    check("mail.shop.lab CAA", "300 0 issue \"lab\"");
}

#[test]
fn names_that_exist_only_on_the_way_to_others_have_no_data() {
    check("empty.inner.shop.lab A", "no data");
    check("inner.shop.lab A", "no data");
    check("_tcp.shop.lab SRV", "no data");
    check("wild.shop.lab TXT", "no data");
    check("x.inner.shop.lab A", "no name");
}

#[test]
fn wildcards_stand_in_below_the_closest_name_only() {
    check("a.wild.shop.lab TXT", r#"300 "a \"quoted\" text" "second""#);
    check("a.b.wild.shop.lab TXT", r#"300 "a \"quoted\" text" "second""#);
    check("a.wild.shop.lab A", "no data");
    check("*.wild.shop.lab TXT", r#"300 "a \"quoted\" text" "second""#);
}

#[test]
fn delegations_cover_the_cut_and_all_below_it_except_ds() {
    check("sub.shop.lab A", "delegated sub.shop.lab. to ns.sub.shop.lab., ns1.shop.lab.");
    check("sub.shop.lab NS", "delegated sub.shop.lab. to ns.sub.shop.lab., ns1.shop.lab.");
    check("ns.sub.shop.lab A", "delegated sub.shop.lab. to ns.sub.shop.lab., ns1.shop.lab.");
    check("a.b.sub.shop.lab TXT", "delegated sub.shop.lab. to ns.sub.shop.lab., ns1.shop.lab.");
    check("sub.shop.lab DS", "no data");
    check("a.sub.shop.lab DS", "delegated sub.shop.lab. to ns.sub.shop.lab., ns1.shop.lab.");
}

#[test]
fn the_text_of_all_records_parses_to_the_same_zone() {
    let zone = shop();
    let text: String = zone.records().map(|record| record_text(&record) + "\n").collect();
    assert_eq!(Zone::parse(&text, None).expect("our own text"), zone);
}

#[test]
fn the_root_zone_parses() {
    let zone = Zone::parse(
        ". 60 SOA a.root. x. 1 1 1 1 30\n. NS a.root.\na.root. A 192.0.2.1\nlab. NS ns.lab.",
        None,
    )
    .expect("a root zone");
    assert!(zone.origin().is_root());
    assert!(matches!(zone.lookup(&name("www.shop.lab"), RecordType::A), Lookup::Delegated { .. }));
    assert_eq!(zone.negative_soa().ttl, 30);
}

#[test]
fn an_origin_given_from_outside_names_the_zone() {
    let zone = Zone::parse("@ SOA ns admin 1 1 1 1 77\n NS ns\nns A 192.0.2.1", Some(&name("a.lab")))
        .expect("a zone");
    assert_eq!(name_text(zone.origin()), "a.lab.");
    let set = zone.set_at(&name("ns.a.lab"), RecordType::A).expect("the address");
    assert_eq!(set.ttl, 77, "the SOA's minimum where nothing else says");
}

fn refused(text: &str, expected: &str) {
    let text = format!("$ORIGIN a.lab.\n@ 60 SOA ns admin 1 1 1 1 60\n@ NS ns\n{text}");
    let error = Zone::parse(&text, None).expect_err(expected);
    assert!(error.to_string().starts_with(expected), "{error}");
}

#[test]
fn errors_say_the_line_and_what() {
    refused("x A 300.1.1.1", "line 4: `300.1.1.1` is not an IPv4 address");
    refused("x AAAA 192.0.2.1", "line 4: `192.0.2.1` is not an IPv6 address");
    refused("\n; comment\nx BOGUS 1", "line 6: `BOGUS` is no record type");
    refused("x A", "line 4: A with 0 values (write `A 192.0.2.1`)");
    refused("x 60", "line 4: a record without a type");
    refused("x CH A 192.0.2.1", "line 4: class CH");
    refused("x MX ten mail", "line 4: `ten` is not a number");
    refused("x TXT \"open", "line 4: a quote that is never closed");
    refused("x TXT ( a\nb", "line 4: a `(` that is never closed");
    refused("x TXT a )", "line 4: a `)` without");
    refused("www.b.lab. A 192.0.2.1", "line 4: www.b.lab. is not below a.lab.");
    refused("x CNAME y\nx A 192.0.2.1", "line 4: a CNAME beside other records at x.a.lab.");
    refused("x CNAME y\nx CNAME z", "line 4: several CNAME records at x.a.lab.");
    refused("$TTL 1x", "line 4: `1x` is not a time");
    refused("$TTL 99999999999", "line 4: `99999999999` is not a time");
    refused("$INCLUDE other", "line 4: $INCLUDE is not supported");
    refused("$TYPO a", "line 4: unknown directive `$TYPO`");
    refused("x TYPE64000 \\# 2 0a", "line 4: 2 hexadecimal digits for 2 bytes");
    refused("x SOA ns admin 1 1 1 1 1", "line 4: a SOA for x.a.lab. in the zone a.lab.");
    refused(&format!("{} A 192.0.2.1", "a".repeat(64)), "line 4: `aaaa");
    refused("x DS 1 2 3 00", "line 4: DS records have no text form here");
    refused("x HTTPS 1 . alpn=h2 alpn=h3", "line 4: ");
    assert_eq!(Zone::parse("", None).expect_err("empty").line, 0);
    assert_eq!(Zone::parse(" A 192.0.2.1", None).expect_err("no owner").line, 1);
    assert_eq!(Zone::parse("x A 192.0.2.1", None).expect_err("no origin").line, 1);
    let no_ns = Zone::parse("a. SOA ns. x. 1 1 1 1 1", None).expect_err("no NS");
    assert_eq!(no_ns.what, "no NS record at a.");
}

proptest::proptest! {
    #[test]
    fn any_text_is_a_zone_or_an_error(text in r#"([a-z.@$*()";\\ \n0-9]|SOA |NS |A |TXT |HTTPS |\$TTL |\\# ){0,120}"#) {
        let _ = Zone::parse(&text, Some(&name("a.lab")));
    }

    #[test]
    fn any_lookup_ends(labels in proptest::collection::vec("[a-z*]{1,4}|shop|lab|sub|wild|ns1", 0..6)) {
        let text = labels.join(".") + ".";
        let zone = shop();
        for kind in [RecordType::A, RecordType::ANY, RecordType::DS, RecordType::CNAME] {
            let _ = zone.lookup(&name(&text), kind);
        }
    }
}
