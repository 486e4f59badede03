//! Servers that are broken, silent or gone.

use hickory_proto::op::{Message, ResponseCode};

use super::net::*;
use crate::message::Peek;

fn two_servers(net: &mut Net) {
    net.serve(ROOT, &[ROOT_ZONE]);
    let delegation = "shop NS a.shop\nshop NS b.shop\na.shop A 192.0.2.53\nb.shop A 192.0.2.54\n";
    net.serve("192.0.2.10", &[&format!("{LAB_ZONE}{delegation}")]);
}

const SHOP_TWO: &str = "$ORIGIN shop.lab.\n@ 60 SOA a x 1 1 1 1 60\n@ NS a\n@ NS b\nwww A 192.0.2.80\n";

fn code(answer: ResponseCode) -> impl FnMut(&[u8], bool) -> Vec<Reply> {
    move |query, _| {
        vec![Reply::Message(crate::message::bare_error(Peek::at(query).expect("a header"), answer))]
    }
}

#[test]
fn a_silent_server_is_passed_over_for_another() {
    for dead in ["192.0.2.53", "192.0.2.54"] {
        let mut net = Net::new();
        two_servers(&mut net);
        let alive = if dead == "192.0.2.53" { "192.0.2.54" } else { "192.0.2.53" };
        net.serve(alive, &[SHOP_TWO]);
        let answer = net.resolve("www.shop.lab A");
        assert_eq!(shown(&answer), ["NoError", "www.shop.lab. 60 IN A 192.0.2.80"]);
        let took = answer.ended.since(answer.began).as_millis();
        assert!(took == 60 || took == 460, "{took}");
        // The one known to answer is asked first.
        net.wait(5);
        let answer = net.resolve("nothing.shop.lab A");
        assert_eq!(answer.ended.since(answer.began).as_millis(), 20);
    }
}

#[test]
fn all_servers_silent_ends_in_time_with_the_reason() {
    let mut net = Net::new();
    net.tree(SHOP);
    let answer = net.resolve("www.shop.lab A");
    assert_eq!(
        shown(&answer),
        ["ServFail", "ede 22 192.0.2.53 (ns1.shop.lab.) did not answer for www.shop.lab. A"]
    );
    assert_eq!(
        steps(&answer)[2..],
        [
            "40 192.0.2.53 www.shop.lab. A: no answer",
            "440 192.0.2.53 www.shop.lab. A: no answer",
            "1240 192.0.2.53 www.shop.lab. A: no answer",
        ],
        "patience doubles"
    );
    assert_eq!(answer.ended.since(answer.began).as_millis(), 2840);
    // The failure is remembered for a moment.
    net.asked.clear();
    net.wait(2);
    assert_eq!(shown(&net.resolve("www.shop.lab A"))[0], "ServFail");
    assert!(net.asked.is_empty());
    net.wait(5);
    net.serve("192.0.2.53", &[SHOP_ZONE]);
    assert_eq!(shown(&net.resolve("www.shop.lab A"))[0], "NoError");
}

#[test]
fn a_late_answer_is_still_taken() {
    let mut net = Net::new();
    net.tree(SHOP);
    let responder = responder(&[SHOP_ZONE]);
    net.script("192.0.2.53", 900, move |query, udp| {
        responder.answer(query, udp).into_iter().map(Reply::Message).collect()
    });
    let answer = net.resolve("www.shop.lab A");
    assert_eq!(shown(&answer)[0], "NoError");
    assert_eq!(answer.ended.since(answer.began).as_millis(), 940, "the first question's answer");
}

#[test]
fn servfail_refused_and_lame_servers_are_passed_over() {
    for bad in [ResponseCode::ServFail, ResponseCode::Refused, ResponseCode::NotImp] {
        let mut net = Net::new();
        two_servers(&mut net);
        net.script("192.0.2.53", 5, code(bad));
        net.serve("192.0.2.54", &[SHOP_TWO]);
        for i in 0..6 {
            assert_eq!(shown(&net.resolve(&format!("n{i}.shop.lab A")))[0], "NXDomain", "{bad:?}");
        }
    }
    // A server that knows only its own root refers upwards.
    let mut net = Net::new();
    two_servers(&mut net);
    net.serve("192.0.2.53", &[ROOT_ZONE]);
    net.serve("192.0.2.54", &[ROOT_ZONE]);
    let answer = net.resolve("www.shop.lab A");
    assert_eq!(answer.code, ResponseCode::ServFail);
    let (code, text) = answer.extended_error.clone().expect("a reason");
    assert_eq!(code, 22);
    assert!(text.contains("is lame: refers to lab. instead"), "{text}");
}

#[test]
fn an_authority_that_fails_is_named() {
    let mut net = Net::new();
    net.tree(SHOP);
    net.script("192.0.2.53", 5, code(ResponseCode::ServFail));
    let answer = net.resolve("www.shop.lab A");
    assert_eq!(
        shown(&answer),
        ["ServFail", "ede 23 192.0.2.53 (ns1.shop.lab.) answered SERVFAIL for www.shop.lab. A"]
    );
}

#[test]
fn unreachable_servers_are_given_up_at_once() {
    let mut net = Net::new();
    net.tree(SHOP);
    net.script("192.0.2.53", 10, |_, _| vec![Reply::Unreachable("port unreachable")]);
    let answer = net.resolve("www.shop.lab A");
    assert_eq!(
        shown(&answer),
        [
            "ServFail",
            "ede 23 192.0.2.53 (ns1.shop.lab.) is unreachable: port unreachable for www.shop.lab. A"
        ]
    );
    assert_eq!(answer.ended.since(answer.began).as_millis(), 50);
}

#[test]
fn edns_is_left_out_for_servers_that_choke_on_it() {
    let mut net = Net::new();
    net.tree(SHOP);
    let responder = responder(&[SHOP_ZONE]);
    net.script("192.0.2.53", 5, move |query, udp| {
        if Message::from_vec(query).expect("our query").edns.is_some() {
            return code(ResponseCode::FormErr)(query, udp);
        }
        responder.answer(query, udp).into_iter().map(Reply::Message).collect()
    });
    let answer = net.resolve("www.shop.lab A");
    assert_eq!(shown(&answer)[0], "NoError");
    assert_eq!(answer.steps.len(), 4);
    assert_eq!(net.resolve("www.shop.lab AAAA").steps.len(), 1, "remembered");
}

#[test]
fn tcp_that_fails_after_truncation_is_a_failure_with_its_reason() {
    let mut net = Net::new();
    net.tree(SHOP);
    let responder = responder(&[SHOP_ZONE]);
    net.script("192.0.2.53", 5, move |query, udp| {
        if udp {
            edited(&responder, query, |m| m.metadata.truncation = true)
        } else {
            vec![Reply::Unreachable("connection refused")]
        }
    });
    let answer = net.resolve("www.shop.lab A");
    assert_eq!(
        shown(&answer),
        [
            "ServFail",
            "ede 23 192.0.2.53 (ns1.shop.lab.) is unreachable: connection refused for www.shop.lab. A"
        ]
    );
}

#[test]
fn a_delegation_without_usable_addresses_fails_at_once() {
    // A server inside the zone, and no glue.
    let mut net = Net::new();
    net.serve(ROOT, &[ROOT_ZONE]);
    let responder = responder(&[&format!("{LAB_ZONE}{SHOP}")]);
    net.script("192.0.2.10", 5, move |query, _| edited(&responder, query, |m| m.additionals.clear()));
    let answer = net.resolve("www.shop.lab A");
    assert_eq!(shown(&answer), ["ServFail", "ede 22 the delegation of shop.lab. comes without addresses"]);
    // Only an IPv6 address, and no IPv6.
    let mut net = Net::with(|config| config.v6 = false);
    net.tree("shop NS ns1.shop\nns1.shop AAAA 2001:db8::53\n");
    assert_eq!(net.resolve("www.shop.lab A").code, ResponseCode::ServFail);
    assert!(net.asked.iter().all(|line| line.starts_with("192.")));
}

#[test]
fn name_servers_that_need_each_other_end_soon() {
    let mut net = Net::new();
    net.serve(ROOT, &[&format!("{ROOT_ZONE}one. NS ns.two.\ntwo. NS ns.one.\n")]);
    let answer = net.resolve("www.one A");
    assert_eq!(answer.code, ResponseCode::ServFail);
    assert!(net.asked.len() < 20, "{:#?}", net.asked);
    net.settle();
    assert_eq!(net.resolver.under_way(), (0, 0));
}

#[test]
fn alias_loops_end() {
    let mut net = Net::new();
    net.tree(&format!("{SHOP}other NS ns.other\nns.other A 192.0.2.54\n"));
    net.serve("192.0.2.53", &[&format!("{SHOP_ZONE}l1 CNAME l2\nl2 CNAME l1\nx1 CNAME x1.other.lab.\n")]);
    net.serve(
        "192.0.2.54",
        &["$ORIGIN other.lab.\n@ 60 SOA ns x 1 1 1 1 1\n@ NS ns\nx1 CNAME x1.shop.lab.\n"],
    );
    for name in ["l1.shop.lab A", "x1.shop.lab A"] {
        let answer = net.resolve(name);
        assert_eq!(answer.code, ResponseCode::ServFail, "{name}");
        let (code, text) = answer.extended_error.clone().expect("a reason");
        assert_eq!(code, 0);
        assert!(text.contains("leads back to itself"), "{text}");
    }
    // A chain that never loops and never ends.
    let mut net = Net::new();
    let mut chain = SHOP_ZONE.to_owned();
    for i in 0..100 {
        chain.push_str(&format!("c{i} CNAME c{}\n", i + 1));
    }
    net.tree(SHOP);
    net.serve("192.0.2.53", &[&chain]);
    let answer = net.resolve("c0.shop.lab A");
    assert_eq!(answer.code, ResponseCode::ServFail);
    assert_eq!(answer.extended_error.clone().expect("a reason").1, "more than 12 aliases from c0.shop.lab.");
}

#[test]
fn the_client_hears_within_its_patience() {
    // Many servers, all silent.
    let mut net = Net::new();
    let mut delegation = String::new();
    for i in 0..13 {
        delegation.push_str(&format!("shop NS n{i}.shop\nn{i}.shop A 192.0.2.{}\n", 100 + i));
    }
    net.tree(&delegation);
    let answer = net.resolve("www.shop.lab A");
    assert_eq!(answer.code, ResponseCode::ServFail);
    assert_eq!(answer.ended.since(answer.began).as_millis(), 3600);
    assert_eq!(answer.extended_error.as_ref().expect("a reason").0, 22);
}
