use super::*;
use proptest::prelude::*;

fn refused(text: &str) -> String {
    Scenario::parse(text, "x.toml").unwrap_err().to_string()
}

#[track_caller]
fn check_refused(text: &str, expected: &str) {
    assert_eq!(refused(text), expected.trim_start_matches('\n').trim_end(), "\n{}", refused(text));
}

const TWO: &str = "nodes = [\"pc1\", \"r1:router\", \"pc2\"]\nlinks = [\"pc1 -- r1 : lan\", \"r1 -- pc2 { delay=40ms, rate=10Mbit, loss=1% }\"]\n";

fn addresses(scenario: &Scenario, node: &str) -> Vec<String> {
    let node = &scenario.nodes[scenario.node(node).unwrap()];
    node.interfaces
        .iter()
        .flat_map(|interface| &interface.addresses)
        .map(|(address, len)| format!("{address}/{len}"))
        .collect()
}

fn routes(scenario: &Scenario, node: &str) -> Vec<String> {
    scenario.nodes[scenario.node(node).unwrap()].routes.iter().map(show::route).collect()
}

#[test]
fn addresses_follow_the_order_of_declaration() {
    let scenario = Scenario::parse(TWO, "x.toml").unwrap();
    assert_eq!(scenario.name, "x");
    assert_eq!(addresses(&scenario, "pc1"), ["10.0.0.1/24", "2001:db8:ffff::1/64"]);
    assert_eq!(
        addresses(&scenario, "r1"),
        ["10.0.0.2/24", "2001:db8:ffff::2/64", "10.0.1.1/24", "2001:db8:ffff:1::1/64"]
    );
    assert_eq!(addresses(&scenario, "pc2"), ["10.0.1.2/24", "2001:db8:ffff:1::2/64"]);
    let more =
        TWO.replace("\"pc2\"]", "\"pc2\", \"pc3\"]").replace("loss=1% }\"]", "loss=1% }\", \"pc3 -- r1\"]");
    let more = Scenario::parse(&more, "x.toml").unwrap();
    assert_eq!(
        addresses(&more, "pc2"),
        addresses(&scenario, "pc2"),
        "a node at the end changes nobody else's address"
    );
}

#[test]
fn explicit_addresses_win_and_the_rest_goes_around_them() {
    let text = "nodes = [\"a\", \"b\", \"s:switch\", \"r:router\"]\nlinks = [\"a -- s\", \"b -- s\", \"r -- s\"]\n\
        [node.s]\nnet = \"192.168.7.0/29\"\n[node.b]\naddresses = [\"192.168.7.1\"]\n";
    let scenario = Scenario::parse(text, "x").unwrap();
    assert_eq!(addresses(&scenario, "a"), ["192.168.7.2/29", "2001:db8:ffff::1/64"]);
    assert_eq!(addresses(&scenario, "b"), ["192.168.7.1/29", "2001:db8:ffff::2/64"]);
    assert_eq!(addresses(&scenario, "r"), ["192.168.7.3/29", "2001:db8:ffff::3/64"]);
    assert_eq!(routes(&scenario, "a"), ["0.0.0.0/0 via 192.168.7.3", "::/0 via 2001:db8:ffff::3"]);
}

#[test]
fn routes_take_the_fewest_routers_and_the_first_declared_of_equal_ones() {
    let text = "nodes = [\"pc\", \"r1:router\", \"r2:router\", \"r3:router\", \"r4:router\", \"server\"]\n\
        links = [\"pc -- r1\", \"r1 -- r2\", \"r1 -- r3\", \"r2 -- r4\", \"r3 -- r4\", \"r4 -- server\"]\n\
        [node.r1]\nroutes = [\"192.0.2.0/24 blackhole\", \"2001:db8:ffff:5::/64 via r3\"]\n";
    let scenario = Scenario::parse(text, "x").unwrap();
    let r1 = routes(&scenario, "r1");
    assert!(r1.contains(&"10.0.5.0/24 via 10.0.1.2".to_string()), "by r2, which was declared first: {r1:?}");
    assert!(r1.contains(&"2001:db8:ffff:5::/64 via 2001:db8:ffff:2::2".to_string()), "as written: {r1:?}");
    assert!(r1.contains(&"192.0.2.0/24 blackhole".to_string()));
    assert_eq!(routes(&scenario, "r4").iter().filter(|route| route.starts_with("10.0.0.0/24")).count(), 1);
}

#[test]
fn what_is_behind_a_nat_is_unknown_outside() {
    let text = "nodes = [\"pc\", \"home:nat\", \"isp:router\", \"core:router\", \"server\"]\n\
        links = [\"pc -- home\", \"home -- isp\", \"isp -- core\", \"core -- server\"]\n";
    let scenario = Scenario::parse(text, "x").unwrap();
    assert_eq!(routes(&scenario, "home"), ["0.0.0.0/0 via 10.0.1.2", "::/0 via 2001:db8:ffff:1::2"]);
    let core = routes(&scenario, "core");
    assert!(!core.iter().any(|route| route.starts_with("10.0.0.0/24")), "{core:?}");
    assert!(core.iter().any(|route| route.starts_with("2001:db8:ffff::/64")), "IPv6 is native: {core:?}");
}

#[test]
fn every_builtin_lab_is_canonical() {
    for name in crate::builtin::names() {
        let scenario = Scenario::builtin(name).unwrap();
        assert_eq!(scenario.name, name, "a lab is called what its file is called");
        assert!(!scenario.about.is_empty() && !scenario.checks.is_empty(), "{name}");
        let once = scenario.expanded();
        let again = Scenario::parse(&once, name).unwrap_or_else(|error| panic!("{name}: {error}\n{once}"));
        assert_eq!(again.expanded(), once, "{name}");
        for (index, link) in scenario.links.iter().enumerate() {
            assert_eq!(link.spec.config(), again.links[index].spec.config(), "{name} {}", link.name);
        }
        assert_eq!(
            format!("{:?}", scenario.services),
            format!("{:?}", again.services).replace(
                "root_nodes: [\"198.51.100.41\", \"2001:db8:f:40::53\"]",
                "root_nodes: [\"ns-root\"]"
            )
        );
    }
}

#[test]
fn every_builtin_lab_is_one_whatever_the_seed_makes_of_it() {
    for (name, text) in crate::builtin::labs() {
        let seeds = if text.contains("[vary]") { 0..40 } else { 0..1 };
        let urls: std::collections::BTreeSet<String> =
            seeds.map(|seed| Scenario::varied(name, seed).expect("it is built in").expanded()).collect();
        assert!(!text.contains("[vary]") || urls.len() > 1, "{name} varies");
    }
}

#[test]
fn settings_reach_the_link_they_name() {
    let mut scenario = Scenario::builtin("internet").unwrap();
    scenario.apply_set("home--isp.loss_up=4%").unwrap();
    scenario.apply_set("home -- isp.delay = 20ms/30ms").unwrap();
    let link = &scenario.links[scenario.link("home--isp").unwrap()];
    let config = link.spec.config();
    assert_eq!(config.a_to_b.loss, thru_sim::link::Loss::Random(thru_sim::link::Chance(40_000_000)));
    assert_eq!(config.b_to_a.loss, thru_sim::link::Loss::None);
    assert_eq!(config.a_to_b.delay, Duration::from_millis(30));
    let refused = |set: &str| scenario.clone().apply_set(set).unwrap_err().to_string();
    assert_eq!(
        refused("home--ips.loss=1%"),
        "there is no link `home--ips` in lab `internet`\nhint: did you mean `home--isp`?"
    );
    assert_eq!(
        refused("isp--home.loss=1%"),
        "there is no link `isp--home` in lab `internet`\nhint: did you mean `home--isp`? (\"down\" is towards `home`)"
    );
    assert_eq!(refused("home--isp.los=1%"), "unknown link setting `los`\nhint: did you mean `loss`?");
    assert_eq!(
        refused("home--isp.loss=4"),
        "`4` has no unit\nhint: write a percentage from 0% to 100%, as in `0.5%`"
    );
    assert_eq!(refused("loss"), "`loss` sets nothing\nhint: write LINK.KEY=VALUE, as in `home--isp.loss=4%`");
    assert_eq!(
        refused("loss=1%"),
        "`loss` names no setting of a link\nhint: write LINK.KEY=VALUE, as in `home--isp.loss=4%`"
    );
}

#[test]
fn errors_point_at_their_place() {
    check_refused(
        "nodes = [\"pc1\", \"pc2\"]\nlinks = [\"pc1 -- pc2 { dely=10ms }\"]\n",
        r#"
x.toml:2:24: unknown link setting `dely`
hint: did you mean `delay`?
  links = ["pc1 -- pc2 { dely=10ms }"]
                         ^^^^"#,
    );
    check_refused(
        "nodes = [\"pc1\", \"pc2\"]\nlinks = [\"pc1 -- pc3\"]\n",
        r#"
x.toml:2:18: there is no node `pc3`
hint: did you mean `pc1`?
  links = ["pc1 -- pc3"]
                   ^^^"#,
    );
    check_refused(
        "nodes = [\"pc1:ruter\"]\n",
        r#"
x.toml:1:15: unknown kind of node `ruter`
hint: did you mean `router`?
  nodes = ["pc1:ruter"]
                ^^^^^"#,
    );
    check_refused(
        "nodes = [\"a\", \"b\"]\nlinks = [\"a -- b : dls\"]",
        r#"
x.toml:2:20: unknown profile `dls`
hint: did you mean `dsl`?
  links = ["a -- b : dls"]
                     ^^^"#,
    );
    check_refused(
        "nodes = [\"a\", \"b\"]\nlinks = [\"a -- b { delay=10 }\"]",
        r#"
x.toml:2:26: `10` has no unit
hint: write a number with a unit: ns, us, ms, s, min, h or d, as in `10ms`
  links = ["a -- b { delay=10 }"]
                           ^^"#,
    );
    check_refused(
        "nodes = [\"a\", \"b\"]\nlinks = [\"a -- b\"]\nsede = 3\n",
        r#"
x.toml:3:1: unknown key `sede` in a scenario
hint: did you mean `seed`?
  sede = 3
  ^^^^"#,
    );
}

#[test]
fn the_toml_trap_is_told() {
    check_refused(
        "nodes = [\"a\", \"b\"]\n[node.a]\nlabel = \"x\"\nlinks = [\"a -- b\"]\n",
        r#"
x.toml:4:1: unknown key `links` in node `a`
hint: in TOML a key after a [table] header belongs to that table: move `links` above the first header
  links = ["a -- b"]
  ^^^^^"#,
    );
}

#[test]
fn more_refusals() {
    check_refused(
        "nodes = [\"a\"]\n[service.w]\nkind = \"web\"\non = \"a\"\nnames = [\"w.lab\"]\nstatsu = 503\n",
        r#"
x.toml:6:1: unknown key `statsu` in service `w`
hint: did you mean `status`?
  statsu = 503
  ^^^^^^"#,
    );
    check_refused(
        "nodes = [\"a\"]\n[sweep]\nseeds = \"1..200\"\n",
        r#"
x.toml:2:1: [sweep] is not supported yet
hint: run `thru` once for each value with --set LINK.KEY=VALUE
  [sweep]
  ^^^^^^^"#,
    );
    check_refused(
        "nodes = [\"a\"\n",
        r#"
x.toml:1:13: not TOML: unclosed array, expected `]`
hint: see https://toml.io; strings need quotes, and keys stand before `=`
  nodes = ["a"
              ^"#,
    );
    check_refused(
        "nodes = [\"a\", \"b\"]\nlinks = [\"a -- b\"]\n[[at]]\nlink = \"a--b\"\nup = false\n",
        r#"
x.toml:4:1: an [[at]] without its time
hint: write t = "5s"
  link = "a--b"
  ^^^^"#,
    );
    check_refused(
        "nodes = [\"a\", \"b\"]\nlinks = [\"a -- b\"]\n[[at]]\nt = \"1s\"\nlink = \"a -- c\"\nup = false\n",
        r#"
x.toml:5:9: there is no link `a -- c`
hint: did you mean `a--b`?
  link = "a -- c"
          ^^^^^^"#,
    );
    // Nothing that stands there is passed over.
    check_refused(
        "nodes = [\"a\", \"b\"]\nlinks = [\"a -- b\"]\n[[at]]\nt = \"1s\"\nlink = \"a--b\"\nup = false\nnode = \"a\"\nrules = [\"drop icmp\"]\n",
        r#"
x.toml:4:1: an [[at]] with a link and a node
hint: write one [[at]] for each, with the same t
  t = "1s"
  ^"#,
    );
    check_refused(
        "nodes = [\"a\", \"b\"]\nlinks = [\"a -- b\"]\n[[at]]\nt = \"1s\"\nnode = \"a\"\nup = false\nrules = [\"drop icmp\"]\n",
        r#"
x.toml:4:1: an [[at]] with `up` and without a link or a service
hint: `up` changes a link or a service: name it
  t = "1s"
  ^"#,
    );
    check_refused(
        "nodes = [\"a\", \"b\"]\nlinks = [\"a -- b\"]\n[node.a]\naddresses = [\"192.0.2.1\"]\n",
        r#"
x.toml:4:15: `192.0.2.1` lies in no prefix of a link of `a`
hint: its links have 10.0.0.0/24, 2001:db8:ffff::/64
  addresses = ["192.0.2.1"]
                ^^^^^^^^^"#,
    );
    check_refused(
        "nodes = [\"a\"]\n[check]\nurl = \"https://a/\"\n",
        r#"
x.toml:2:1: `check` is a list of tables
hint: write its header with two brackets: [[check]]
  [check]
  ^^^^^^^"#,
    );
    check_refused(
        "nodes = [\"a\"]\nuse = \"intrenet\"\n",
        r#"
x.toml:2:8: there is no lab `intrenet`
hint: did you mean `internet`?
  use = "intrenet"
         ^^^^^^^^"#,
    );
    check_refused(
        "",
        r#"
x.toml:1:1: there are no nodes
hint: begin with nodes = ["pc1", "pc2"] and links = ["pc1 -- pc2"]"#,
    );
}

#[test]
fn the_size_of_a_lab_is_bounded() {
    let names: Vec<String> = (0..1001).map(|n| format!("\"n{n}\"")).collect();
    let error = Scenario::parse(&format!("nodes = [{}]", names.join(", ")), "x.toml").unwrap_err();
    assert_eq!(
        (error.headline().as_str(), error.hint.as_str()),
        ("x.toml:1:9: 1001 nodes are more than a lab can have", "keep to 1000")
    );
}

#[test]
fn a_zone_error_points_at_its_line() {
    check_refused(
        r#"
nodes = ["ns"]
[service.root]
kind = "dns"
on = "ns"
zone = """
$ORIGIN .
$TTL 60
@   SOA  a. b. 1 2 3 4 5
@   NS   a.
www A    192.0.2.300
"""
"#,
        r#"
x.toml:11:1: not a zone: `192.0.2.300` is not an IPv4 address
hint: zones are in master-file form: NAME TTL TYPE DATA
  www A    192.0.2.300
  ^^^^^^^^^^^^^^^^^^^^"#,
    );
}

#[test]
fn a_file_may_use_another_and_change_it() {
    let text = "use = \"internet\"\nname = \"worse\"\nset = [\"home--isp.loss=4%\"]\n\
        [service.shop]\nstatus = 503\n\
        [[at]]\nt = \"2s\"\nfor = \"1s\"\nservice = \"shop\"\nset = { status = 500 }\n\
        [[check]]\nurl = \"https://www.shop.lab/\"\nlayer = \"http\"\n";
    let scenario = Scenario::parse(text, "worse.toml").unwrap();
    assert_eq!(scenario.name, "worse");
    assert_eq!(scenario.checks.len(), 1, "checks are replaced");
    let ServiceKind::Web(shop) = &scenario.services[scenario.service("shop").unwrap()].kind else { panic!() };
    assert_eq!((shop.status, shop.think), (Some(503), Duration::from_millis(3)));
    let link = &scenario.links[scenario.link("home--isp").unwrap()];
    assert_eq!(
        link.spec.config().a_to_b.loss,
        thru_sim::link::Loss::Random(thru_sim::link::Chance(40_000_000))
    );
    assert!(
        matches!(&scenario.timeline[0].change, Change::Service { to, .. } if matches!(&**to, ServiceKind::Web(web) if web.status == Some(500)))
    );
    let circle =
        Scenario::parse_with("use = \"a\"", "a", &|_| Some(("use = \"a\"".into(), "a".into()))).unwrap_err();
    assert_eq!(circle.message, "files use each other in a circle");
}

#[test]
fn zones_know_the_nodes() {
    let scenario = Scenario::builtin("internet").unwrap();
    let ServiceKind::Dns(root) = &scenario.services[scenario.service("root").unwrap()].kind else { panic!() };
    assert!(root.zones[0].contains("A     198.51.100.41"), "{}", root.zones[0]);
    assert!(root.zones[0].contains("AAAA  2001:db8:f:40::53"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_mutation_of_a_file_panics(cuts in prop::collection::vec((0usize..9000, 0usize..40, ".{0,12}"), 1..4)) {
        let mut text = crate::builtin::find("internet").unwrap().1.to_string();
        for (at, len, new) in cuts {
            let mut from = at.min(text.len());
            while !text.is_char_boundary(from) { from -= 1; }
            let mut to = (from + len).min(text.len());
            while !text.is_char_boundary(to) { to -= 1; }
            text.replace_range(from..to.max(from), &new);
        }
        if let Err(error) = Scenario::parse(&text, "x.toml") {
            prop_assert!(!error.to_string().is_empty());
            prop_assert_eq!(error.headline().lines().count(), 1);
        }
    }

    #[test]
    fn no_link_text_panics(text in "[a-b :{}()=%,/.#-]{0,40}") {
        let file = format!("nodes = ['a', 'b']\nlinks = ['{text}']\n");
        let _ = Scenario::parse(&file, "x").map(|scenario| scenario.expanded());
    }
}
