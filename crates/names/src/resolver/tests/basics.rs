use super::net::*;

#[test]
fn from_the_root_down() {
    let mut net = Net::new();
    net.tree(SHOP);
    net.serve("192.0.2.53", &[SHOP_ZONE]);
    let answer = net.resolve("www.shop.lab A");
    assert_eq!(shown(&answer), ["NoError", "www.shop.lab. 300 IN A 192.0.2.80"]);
    assert_eq!(
        steps(&answer),
        [
            "0 192.0.2.1 www.shop.lab. A: referral to lab.",
            "20 192.0.2.10 www.shop.lab. A: referral to shop.lab.",
            "40 192.0.2.53 www.shop.lab. A: answer",
        ]
    );
    assert!(!answer.from_cache);
    assert_eq!(answer.ended.since(answer.began).as_millis(), 60);
    net.settle();
    assert_eq!(net.resolver.under_way(), (0, 0));
}

#[test]
fn what_is_known_is_not_asked_again_until_its_ttl_is_over() {
    let mut net = Net::new();
    net.tree(SHOP);
    net.serve("192.0.2.53", &[SHOP_ZONE]);
    net.resolve("www.shop.lab A");
    net.wait(100);
    let again = net.resolve("www.shop.lab A");
    assert_eq!(shown(&again), ["NoError", "www.shop.lab. 200 IN A 192.0.2.80"]);
    assert!(again.from_cache && again.steps.is_empty());
    // The delegation is known: one question.
    net.asked.clear();
    net.resolve("www.shop.lab AAAA");
    assert_eq!(net.asked, ["192.0.2.53 www.shop.lab. AAAA"]);
    net.wait(250);
    net.asked.clear();
    assert_eq!(shown(&net.resolve("WWW.shop.lab A")), ["NoError", "WWW.shop.lab. 300 IN A 192.0.2.80"]);
    assert_eq!(net.asked, ["192.0.2.53 www.shop.lab. A"]);
    // After the delegations' hour, from the root again.
    net.wait(90_000);
    net.asked.clear();
    net.resolve("www.shop.lab A");
    assert_eq!(net.asked.len(), 3);
}

#[test]
fn negative_answers_are_kept_as_long_as_the_soa_says() {
    let mut net = Net::new();
    net.tree(SHOP);
    net.serve("192.0.2.53", &[SHOP_ZONE]);
    let soa = |ttl: u32| format!("soa shop.lab. {ttl} IN SOA ns1.shop.lab. x.shop.lab. 1 1 1 1 60");
    assert_eq!(shown(&net.resolve("no.shop.lab A")), ["NXDomain".to_owned(), soa(60)]);
    assert_eq!(shown(&net.resolve("www.shop.lab MX")), ["NoError".to_owned(), soa(60)]);
    net.asked.clear();
    net.wait(10);
    assert_eq!(shown(&net.resolve("no.shop.lab AAAA")), ["NXDomain".to_owned(), soa(50)], "of all types");
    assert_eq!(shown(&net.resolve("www.shop.lab MX")), ["NoError".to_owned(), soa(50)]);
    assert!(net.asked.is_empty());
    net.wait(51);
    net.resolve("no.shop.lab A");
    net.resolve("www.shop.lab MX");
    assert_eq!(net.asked.len(), 2);
}

#[test]
fn aliases_inside_and_across_zones() {
    let mut net = Net::new();
    net.tree(&format!("{SHOP}other NS ns.other\nns.other A 192.0.2.54\n"));
    net.serve("192.0.2.53", &[SHOP_ZONE]);
    net.serve("192.0.2.54", &["$ORIGIN other.lab.\n@ 60 SOA ns x 1 1 1 1 1\n@ NS ns\nwww A 192.0.2.90\n"]);
    assert_eq!(
        shown(&net.resolve("alias.shop.lab A")),
        ["NoError", "alias.shop.lab. 300 IN CNAME www.shop.lab.", "www.shop.lab. 300 IN A 192.0.2.80"]
    );
    let away = net.resolve("away.shop.lab A");
    assert_eq!(
        shown(&away),
        ["NoError", "away.shop.lab. 300 IN CNAME www.other.lab.", "www.other.lab. 60 IN A 192.0.2.90"]
    );
    assert_eq!(
        steps(&away),
        [
            "60 192.0.2.53 away.shop.lab. A: alias of www.other.lab.",
            "80 192.0.2.10 www.other.lab. A: referral to other.lab.",
            "100 192.0.2.54 www.other.lab. A: answer",
        ]
    );
    assert_eq!(
        shown(&net.resolve("alias.shop.lab CNAME")),
        ["NoError", "alias.shop.lab. 300 IN CNAME www.shop.lab."]
    );
    net.asked.clear();
    assert_eq!(shown(&net.resolve("away.shop.lab A")).len(), 3, "the chain from the cache");
    assert!(net.asked.is_empty());
    assert_eq!(shown(&net.resolve("away.shop.lab MX"))[0], "NoError");
}

#[test]
fn servers_known_only_by_name_are_looked_up() {
    let mut net = Net::new();
    net.tree(&format!("{SHOP}far NS ns1.shop\n"));
    net.serve(
        "192.0.2.53",
        &[SHOP_ZONE, "far.lab. 60 SOA x. x. 1 1 1 1 1\nfar.lab. NS ns1.shop.lab.\nfar.lab. A 192.0.2.99"],
    );
    let answer = net.resolve("far.lab A");
    assert_eq!(shown(&answer), ["NoError", "far.lab. 60 IN A 192.0.2.99"]);
    // `lab` gives ns1.shop's address along, but only as additional data of another zone: it is in lab's bailiwick.
    assert_eq!(answer.steps.len(), 3);

    let mut net = Net::new();
    net.serve(ROOT, &[&format!("{ROOT_ZONE}net. NS ns.elsewhere.lab.\n")]);
    net.serve("192.0.2.10", &[&format!("{LAB_ZONE}elsewhere NS ns.elsewhere\nns.elsewhere A 192.0.2.60\n")]);
    net.serve(
        "192.0.2.60",
        &[
            "$ORIGIN elsewhere.lab.\n@ 60 SOA ns x 1 1 1 1 1\n@ NS ns\nns A 192.0.2.60\n",
            "$ORIGIN net.\n@ 60 SOA ns x 1 1 1 1 1\n@ NS ns.elsewhere.lab.\nwww A 192.0.2.91\n",
        ],
    );
    let answer = net.resolve("www.net A");
    assert_eq!(shown(&answer), ["NoError", "www.net. 60 IN A 192.0.2.91"]);
    assert!(
        steps(&answer).iter().any(|step| step.contains("ns.elsewhere.lab. A: answer")),
        "{:#?}",
        steps(&answer)
    );
}

#[test]
fn equal_questions_are_asked_once() {
    let mut net = Net::new();
    net.tree(SHOP);
    net.serve("192.0.2.53", &[SHOP_ZONE]);
    let tokens = [net.ask("www.shop.lab A"), net.ask("www.SHOP.lab A"), net.ask("www.shop.lab A")];
    net.settle();
    assert_eq!(net.asked.len(), 3);
    for token in tokens {
        assert_eq!(
            shown(&net.answer(token).expect("an answer")),
            ["NoError", "www.shop.lab. 300 IN A 192.0.2.80"]
        );
    }
}

#[test]
fn long_answers_come_over_tcp() {
    let mut net = Net::new();
    net.tree(SHOP);
    let long = format!("{SHOP_ZONE}big TXT {}\n", format!("\"{}\" ", "x".repeat(200)).repeat(8));
    net.serve("192.0.2.53", &[&long]);
    let answer = net.resolve("big.shop.lab TXT");
    assert_eq!(answer.records.len(), 1);
    assert_eq!(
        steps(&answer)[2..],
        [
            "40 192.0.2.53 big.shop.lab. TXT: truncated, again over TCP",
            "60 192.0.2.53 big.shop.lab. TXT tcp: answer",
        ]
    );
}

#[test]
fn the_fast_server_is_preferred_once_known() {
    let mut net = Net::new();
    net.serve(ROOT, &[ROOT_ZONE]);
    net.serve(
        "192.0.2.10",
        &[&format!("{LAB_ZONE}shop NS a.shop\nshop NS b.shop\na.shop A 192.0.2.53\nb.shop A 192.0.2.54\n")],
    );
    let zone = "$ORIGIN shop.lab.\n@ 0 SOA a x 1 1 1 1 0\n@ NS a\n@ NS b\n* A 192.0.2.80\n";
    for (address, millis) in [("192.0.2.53", 150), ("192.0.2.54", 10)] {
        let responder = responder(&[zone]);
        net.script(address, millis, move |query, udp| {
            responder.answer(query, udp).into_iter().map(Reply::Message).collect()
        });
    }
    for i in 0..20 {
        net.resolve(&format!("n{i}.shop.lab A"));
    }
    let slow = net.asked.iter().filter(|line| line.starts_with("192.0.2.53")).count();
    assert!(slow <= 2, "asked the slow one {slow} times");
}

#[test]
fn the_same_seed_asks_the_same_bytes() {
    let run = |seed: u8| {
        let mut resolver = super::super::Resolver::new(
            super::super::ResolverConfig::new(super::super::iana_root_hints()),
            [seed; 32],
        );
        let name = crate::text::parse_name("www.shop.lab").expect("a name");
        let record_type = hickory_proto::rr::RecordType::A;
        let now = thru_wire::Instant::START;
        resolver.handle(
            now,
            super::super::Input::Query { token: 1, name: &name, record_type, checking_disabled: false },
        );
        format!("{:?}", resolver.poll_output())
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_flush_forgets() {
    let mut net = Net::new();
    net.tree(SHOP);
    net.serve("192.0.2.53", &[SHOP_ZONE]);
    net.resolve("www.shop.lab A");
    assert!(net.resolver.cached() > 0);
    net.resolver.flush();
    assert_eq!(net.resolver.cached(), 0);
    net.asked.clear();
    net.resolve("www.shop.lab A");
    assert_eq!(net.asked.len(), 3);
}
