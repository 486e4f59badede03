use thru_names::text::{name_text, type_text};

use super::*;

fn parse(line: &str) -> Result<DigRequest, DigUsage> {
    let words: Vec<&str> = line.split_whitespace().collect();
    DigRequest::parse(&words)
}

fn question(line: &str) -> String {
    let request = parse(line).unwrap_or_else(|usage| panic!("{line}: {}", usage.what));
    format!("{} {}", name_text(&request.name), type_text(request.record_type))
}

#[test]
fn questions_as_dig_reads_them() {
    for (line, expected) in [
        ("", ". NS"),
        ("www.shop.lab", "www.shop.lab. A"),
        ("www.shop.lab aaaa", "www.shop.lab. AAAA"),
        ("mx shop.lab", "shop.lab. MX"),
        ("shop.lab mx", "shop.lab. MX"),
        ("mx", ". MX"),
        ("-q mx", "mx. A"),
        ("-t TYPE65 shop.lab", "shop.lab. HTTPS"),
        ("-x 192.0.2.80", "80.2.0.192.in-addr.arpa. PTR"),
        ("-x 192.0.2.80 any", "80.2.0.192.in-addr.arpa. ANY"),
        ("_443._tcp.shop.lab tlsa", "_443._tcp.shop.lab. TLSA"),
    ] {
        assert_eq!(question(line), expected, "{line}");
    }
}

#[test]
fn switches_and_servers() {
    let request =
        parse("@192.0.2.53 shop.lab +short +trace +tcp +norecurse +cd -p 5353 -6 +tries=1 +time=2").unwrap();
    assert_eq!(request.server.as_deref(), Some("192.0.2.53"));
    assert!(request.short && request.trace && request.tcp && request.checking_disabled);
    assert!(!request.recursion_desired);
    assert_eq!((request.port, request.families), (5353, Families::V6));
    assert_eq!(request.patience, Patience { tries: 1, timeout: Duration::from_secs(2) });
    let back = parse("shop.lab +short +noshort +tcp +notcp").unwrap();
    assert!(!back.short && !back.tcp && back.recursion_desired);
}

#[test]
fn what_makes_no_sense_gets_a_line_and_a_hint() {
    for (line, expected) in [
        ("-x www.shop.lab", "`www.shop.lab` is not an address"),
        ("-t", "`-t` without a type"),
        ("-t nonsense", "`nonsense` is no record type"),
        ("-p 99999 a", "`99999` is not a port"),
        ("@", "`@` without a server"),
        ("shop.lab +colour", "unknown query option `+colour`"),
        ("shop.lab +tries=0", "`0` in `+tries=0`"),
        ("--help", "unknown option `--help`"),
        ("shop.lab other.lab", "`other.lab` is no record type, and there is a name already"),
        ("a..b", "`a..b` can't be asked for: an empty label in `a..b`"),
    ] {
        let usage = parse(line).expect_err(line);
        assert_eq!(usage.what, expected);
        assert!(!usage.hint.is_empty());
    }
}

proptest::proptest! {
    #[test]
    fn any_words_are_read_or_refused(words in proptest::collection::vec("\\PC{0,12}|[@+-][a-z0-9=]{0,8}", 0..6)) {
        let _ = DigRequest::parse(&words);
    }
}
