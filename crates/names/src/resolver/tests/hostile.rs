//! Forged, poisoned and amplifying answers.

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{A, NS};
use hickory_proto::rr::{RData, Record, RecordType};
use proptest::prelude::*;

use super::net::*;
use crate::text::parse_name;

fn a(name: &str, address: &str) -> Record {
    let data = RData::A(A(address.parse().expect("an address")));
    Record::from_rdata(parse_name(name).expect("a name"), 3600, data)
}

fn ns(zone: &str, server: &str) -> Record {
    Record::from_rdata(
        parse_name(zone).expect("a name"),
        3600,
        RData::NS(NS(parse_name(server).expect("a name"))),
    )
}

/// A shop server whose true answers are preceded by what `forge` makes of them.
fn forged(net: &mut Net, forge: impl Fn(&[u8], Message) -> Vec<Reply> + 'static) {
    net.tree(SHOP);
    let responder = responder(&[SHOP_ZONE]);
    net.script("192.0.2.53", 10, move |query, udp| {
        let truth = responder.answer(query, udp).expect("an answer");
        let mut replies = forge(query, Message::from_vec(&truth).expect("readable"));
        replies.push(Reply::Message(truth));
        replies
    });
}

fn lie(mut message: Message) -> Message {
    message.answers = vec![a("www.shop.lab", "203.0.113.66")];
    message
}

fn expect_truth(net: &mut Net) {
    let answer = net.resolve("www.shop.lab A");
    assert_eq!(shown(&answer), ["NoError", "www.shop.lab. 300 IN A 192.0.2.80"]);
}

#[test]
fn wrong_ids_are_ignored() {
    let mut net = Net::new();
    forged(&mut net, |_, message| {
        (1..=16)
            .map(|difference| {
                let mut lie = lie(message.clone());
                lie.metadata.id = message.metadata.id.wrapping_add(difference);
                Reply::Message(lie.to_vec().expect("bytes"))
            })
            .collect()
    });
    expect_truth(&mut net);
}

#[test]
fn wrong_sources_are_ignored() {
    let mut net = Net::new();
    forged(&mut net, |_, message| {
        let bytes = lie(message).to_vec().expect("bytes");
        ["192.0.2.53:5353", "192.0.2.54:53", "[2001:db8::1]:53"]
            .map(|from| Reply::From(from.parse().expect("an address"), bytes.clone()))
            .into()
    });
    expect_truth(&mut net);
}

#[test]
fn wrong_questions_are_ignored() {
    let mut net = Net::new();
    forged(&mut net, |_, message| {
        let mut other_name = lie(message.clone());
        other_name.queries[0].set_name(parse_name("other.shop.lab").expect("a name"));
        let mut other_type = lie(message.clone());
        other_type.queries[0].set_query_type(RecordType::TXT);
        let mut none = lie(message.clone());
        none.queries.clear();
        let mut query = lie(message);
        query.metadata.message_type = hickory_proto::op::MessageType::Query;
        [other_name, other_type, none, query].map(|m| Reply::Message(m.to_vec().expect("bytes"))).into()
    });
    expect_truth(&mut net);
}

#[test]
fn the_wrong_letter_case_is_asked_again_over_tcp() {
    let mut net = Net::new();
    net.tree(SHOP);
    let responder = responder(&[SHOP_ZONE]);
    net.script("192.0.2.53", 10, move |query, udp| {
        edited(&responder, query, |message| {
            if udp {
                *message = lie(message.clone());
                let lower = message.queries[0].name().to_lowercase();
                message.queries[0].set_name(lower);
            }
        })
    });
    expect_truth(&mut net);
    assert!(net.asked.last().expect("questions").ends_with("tcp"), "{:?}", net.asked);
}

#[test]
fn a_flood_of_guesses_moves_the_question_to_tcp() {
    let mut net = Net::new();
    net.tree(SHOP);
    let responder = responder(&[SHOP_ZONE]);
    net.script("192.0.2.53", 10, move |query, udp| {
        let truth = responder.answer(query, udp).expect("an answer");
        if !udp {
            return vec![Reply::Message(truth)];
        }
        let mut lie = lie(Message::from_vec(&truth).expect("readable"));
        (1..=1000u16)
            .map(|difference| {
                lie.metadata.id = lie.metadata.id.wrapping_add(difference);
                Reply::Message(lie.to_vec().expect("bytes"))
            })
            .collect()
    });
    let answer = net.resolve("www.shop.lab A");
    assert_eq!(shown(&answer), ["NoError", "www.shop.lab. 300 IN A 192.0.2.80"]);
    assert!(answer.steps.last().expect("steps").over_tcp);
}

#[test]
fn records_of_other_zones_are_not_believed() {
    let mut net = Net::new();
    net.tree(&format!("{SHOP}bank NS ns.bank\nns.bank A 192.0.2.55\n"));
    net.serve("192.0.2.55", &["$ORIGIN bank.lab.\n@ 60 SOA ns x 1 1 1 1 1\n@ NS ns\nwww A 192.0.2.55\n"]);
    let responder = responder(&[SHOP_ZONE]);
    net.script("192.0.2.53", 10, move |query, _| {
        edited(&responder, query, |message| {
            message.answers.push(a("www.bank.lab", "203.0.113.66"));
            message.authorities.push(ns("bank.lab", "ns.evil.lab"));
            message.authorities.push(ns("lab", "ns.evil.lab"));
            message.additionals.push(a("www.bank.lab", "203.0.113.66"));
            message.additionals.push(a("ns.bank.lab", "203.0.113.66"));
        })
    });
    net.resolve("www.shop.lab A");
    net.resolve("away.shop.lab A");
    assert_eq!(shown(&net.resolve("www.bank.lab A")), ["NoError", "www.bank.lab. 60 IN A 192.0.2.55"]);
}

#[test]
fn an_alias_into_another_zone_is_resolved_there() {
    let mut net = Net::new();
    net.tree(&format!("{SHOP}other NS ns.other\nns.other A 192.0.2.54\n"));
    net.serve("192.0.2.54", &["$ORIGIN other.lab.\n@ 60 SOA ns x 1 1 1 1 1\n@ NS ns\nwww A 192.0.2.90\n"]);
    let responder = responder(&[SHOP_ZONE]);
    net.script("192.0.2.53", 10, move |query, _| {
        edited(&responder, query, |message| message.answers.push(a("www.other.lab", "203.0.113.66")))
    });
    assert_eq!(shown(&net.resolve("away.shop.lab A"))[2], "www.other.lab. 60 IN A 192.0.2.90");
}

#[test]
fn glue_outside_the_parent_and_delegations_sideways_are_not_believed() {
    let mut net = Net::new();
    net.serve(ROOT, &[ROOT_ZONE]);
    let lab = responder(&[&format!("{LAB_ZONE}{SHOP}")]);
    net.script("192.0.2.10", 10, move |query, _| {
        edited(&lab, query, |message| {
            // `lab` may not say where a server under `com` is, nor delegate `com`.
            message.authorities = vec![ns("shop.lab", "ns.evil.com")];
            message.additionals = vec![a("ns.evil.com", "203.0.113.66")];
        })
    });
    net.script("203.0.113.66", 10, |_, _| panic!("it must never be asked"));
    assert_eq!(net.resolve("www.shop.lab A").code, ResponseCode::ServFail);

    let mut net = Net::new();
    net.serve(ROOT, &[ROOT_ZONE]);
    let lab = responder(&[LAB_ZONE]);
    net.script("192.0.2.10", 10, move |query, _| {
        edited(&lab, query, |message| {
            message.metadata.response_code = ResponseCode::NoError;
            message.metadata.authoritative = false;
            message.authorities = vec![ns("com", "ns.lab")];
            message.additionals = vec![a("ns.lab", "203.0.113.66")];
        })
    });
    let answer = net.resolve("www.shop.lab A");
    assert_eq!(answer.code, ResponseCode::ServFail);
    assert!(answer.extended_error.clone().expect("a reason").1.contains("refers to com. instead"));
}

#[test]
fn a_referral_to_itself_or_up_does_not_loop() {
    for zone in ["lab", "."] {
        let mut net = Net::new();
        net.serve(ROOT, &[ROOT_ZONE]);
        let lab = responder(&[&format!("{LAB_ZONE}{SHOP}")]);
        net.script("192.0.2.10", 10, move |query, _| {
            edited(&lab, query, |message| {
                message.authorities = vec![ns(zone, "ns.nic.lab")];
                message.additionals = vec![a("ns.nic.lab", "192.0.2.10")];
            })
        });
        assert_eq!(net.resolve("www.shop.lab A").code, ResponseCode::ServFail);
        assert!(net.asked.len() < 10, "{:#?}", net.asked);
    }
}

/// A server that delegates one label deeper each time, for ever.
#[test]
fn endless_referrals_are_bounded() {
    let mut net = Net::new();
    net.script(ROOT, 1, |query, _| {
        let query = Message::from_vec(query).expect("our query");
        let mut answer = Message::response(query.metadata.id, query.metadata.op_code);
        let name = query.queries[0].name().clone();
        answer.add_queries(query.queries);
        // Whoever asks is told to ask here, one label deeper than the last time: all depths at once will do.
        for labels in 1..name.iter().len() {
            let zone = crate::text::name_text(&name.trim_to(labels));
            let mut answer = answer.clone();
            answer.authorities.push(ns(&zone, "a.root"));
            answer.additionals.push(a("a.root", ROOT));
        }
        static DEPTH: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let depth = DEPTH.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        let zone = crate::text::name_text(&name.trim_to(depth));
        answer.authorities.push(ns(&zone, "a.root"));
        answer.additionals.push(a("a.root", ROOT));
        vec![Reply::Message(answer.to_vec().expect("bytes"))]
    });
    let answer = net.resolve(&format!("{}lab A", "a.".repeat(100)));
    assert_eq!(answer.code, ResponseCode::ServFail);
    assert!(net.asked.len() <= 21, "{}", net.asked.len());
}

/// NXNSAttack: a referral to many servers without addresses, each under a victim's zone.
#[test]
fn a_referral_to_many_names_costs_little() {
    let mut net = Net::new();
    net.serve(ROOT, &[ROOT_ZONE]);
    let lab = responder(&[&format!("{LAB_ZONE}victim NS ns.victim\nns.victim A 192.0.2.70\n")]);
    net.script("192.0.2.10", 10, move |query, udp| {
        let question = Message::from_vec(query).expect("our query").queries[0].name().to_lowercase();
        if parse_name("attack.lab").expect("a name").zone_of(&question) {
            return edited(&lab, query, |message| {
                message.metadata.response_code = ResponseCode::NoError;
                message.metadata.authoritative = false;
                message.authorities =
                    (0..1000).map(|i| ns("attack.lab", &format!("n{i}.victim.lab"))).collect();
                message.additionals.clear();
            });
        }
        lab.answer(query, udp).into_iter().map(Reply::Message).collect()
    });
    net.serve("192.0.2.70", &["$ORIGIN victim.lab.\n@ 60 SOA ns x 1 1 1 1 1\n@ NS ns\n"]);
    let answer = net.resolve("www.attack.lab A");
    assert_eq!(answer.code, ResponseCode::ServFail);
    let at_victim = net.asked.iter().filter(|line| line.starts_with("192.0.2.70")).count();
    assert!(at_victim <= 8, "{at_victim} questions to the victim");
}

/// Whatever happens, one client query costs at most the allowance.
#[test]
fn work_per_query_is_bounded() {
    let mut net = Net::with(|config| config.limits.queries = 12);
    let mut root = ROOT_ZONE.to_owned();
    for i in 0..40 {
        root.push_str(&format!("z{i}. NS ns.z{}.\nz{i}. NS ns2.z{}.\n", i + 1, i + 2));
    }
    net.serve(ROOT, &[&root]);
    let answer = net.resolve("www.z0 A");
    assert_eq!(answer.code, ResponseCode::ServFail);
    net.settle();
    assert!(net.asked.len() <= 12, "{}", net.asked.len());
    assert_eq!(net.resolver.under_way(), (0, 0));
}

#[test]
fn the_diary_is_bounded() {
    let mut net = Net::with(|config| config.limits.steps = 2);
    net.tree(SHOP);
    net.serve("192.0.2.53", &[SHOP_ZONE]);
    let answer = net.resolve("www.shop.lab A");
    assert_eq!((answer.steps.len(), answer.steps_dropped), (2, 1));
}

#[test]
fn the_cache_is_bounded() {
    let mut net = Net::with(|config| config.limits.cache = 50);
    net.tree(SHOP);
    net.serve("192.0.2.53", &[&format!("{SHOP_ZONE}* A 192.0.2.1\n")]);
    for i in 0..200 {
        net.resolve(&format!("n{i}.shop.lab A"));
    }
    assert!(net.resolver.cached() <= 150);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Random bytes from a server: with the id and without.
    #[test]
    fn garbage_never_panics_and_always_ends(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        with_id: bool,
        flip in proptest::collection::vec((0usize..400, any::<u8>()), 0..6),
    ) {
        let mut net = Net::new();
        net.tree(SHOP);
        let truth = responder(&[SHOP_ZONE]);
        net.script("192.0.2.53", 10, move |query, udp| {
            let mut garbage = bytes.clone();
            if with_id && garbage.len() > 3 {
                garbage[..2].copy_from_slice(&query[..2]);
                garbage[2] = 0x84;
            }
            let mut damaged = truth.answer(query, udp).expect("an answer");
            for (at, value) in &flip {
                let at = at % damaged.len();
                damaged[at] = *value;
            }
            vec![Reply::Message(garbage), Reply::Message(damaged)]
        });
        net.resolve("www.shop.lab A");
        net.settle();
        prop_assert_eq!(net.resolver.under_way(), (0, 0));
    }
}
