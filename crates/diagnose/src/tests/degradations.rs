//! Requests that worked, but badly.

use super::*;

#[test]
fn four_percent_of_random_loss() {
    let mut visit = Visit::new();
    visit
        .lookup()
        .connect()
        .handshake()
        .answer()
        .counters(&[("tcp.retransmissions", 2), ("tcp.out_of_order_received", 6)])
        .ping("203.0.113.10", "idle", 10, 9, 20)
        .ping("203.0.113.10", "idle", 100, 96, 20)
        .ping("192.168.1.1", "hop", 100, 100, 1)
        .ping("198.51.100.1", "hop", 100, 95, 8)
        .ping("198.51.100.9", "hop", 100, 97, 15);
    let verdict = disturbed(&visit, Layer::Ip, &["IP19"]);
    assert!(verdict.summary.contains("between 192.168.1.1 and 198.51.100.1 (hop 2)"), "{}", verdict.summary);
    assert!(ruled_out(&verdict, "IP18") && ruled_out(&verdict, "IP17"));
}

#[test]
fn the_place_of_loss_is_the_likeliest_change() {
    let place = |counts: [i64; 3], target: i64| {
        let mut visit = Visit::new();
        visit.lookup().connect().handshake().answer().counters(&[]).ping(
            "203.0.113.10",
            "idle",
            100,
            target,
            20,
        );
        for (hop, received) in ["192.168.1.1", "198.51.100.1", "198.51.100.9"].into_iter().zip(counts) {
            visit.ping(hop, "hop", 100, received, 5);
        }
        disturbed(&visit, Layer::Ip, &["IP19"]).summary
    };
    assert!(place([97, 95, 96], 96).contains("between this machine and its first router"));
    assert!(place([100, 100, 95], 96).contains("between 198.51.100.1 and 198.51.100.9"));
    assert!(place([100, 100, 100], 94).contains("on the last stretch to the server"));
    // One unlucky hop in between does not move it.
    assert!(place([100, 99, 100], 94).contains("on the last stretch to the server"));
}

#[test]
fn few_pings_leave_a_stretch() {
    let summary = |hops: [(i64, i64); 3]| {
        let mut visit = Visit::new();
        visit.lookup().connect().handshake().answer().counters(&[]);
        visit.ping("203.0.113.10", "idle", 100, 96, 20);
        for (hop, (sent, received)) in ["192.168.1.1", "198.51.100.1", "198.51.100.9"].iter().zip(hops) {
            if sent > 0 {
                visit.ping(hop, "hop", sent, received, 5);
            }
        }
        disturbed(&visit, Layer::Ip, &["IP19"]).summary
    };
    // Ten clean pings do not prove that a hop has no part in a loss of 4 %, and none proves nothing.
    assert!(!summary([(0, 0), (10, 10), (0, 0)]).contains("between"));
    assert!(!summary([(0, 0), (0, 0), (0, 0)]).contains("(hop"));
    assert!(summary([(0, 0), (40, 36), (10, 9)]).contains("between this machine and its first router"));
    assert!(summary([(73, 73), (0, 0), (40, 36)]).contains("between 192.168.1.1 and 198.51.100.9 (hop 2)"));
}

#[test]
fn loss_with_one_ping_and_one_hole() {
    let mut visit = Visit::new();
    visit.lookup().connect().handshake().answer().counters(&[("tcp.out_of_order_received", 5)]);
    visit.ping("203.0.113.10", "idle", 10, 9, 20);
    let verdict = disturbed(&visit, Layer::Ip, &["IP19"]);
    assert!(verdict.confidence < 0.9);
}

#[test]
fn loss_explains_a_lost_first_packet() {
    let mut visit = Visit::new();
    visit.lookup();
    visit.step(1_020, Visit::connect_step(SERVER).set("tcp.syn_retransmissions", 1).set_ms("tcp.rtt", 20));
    visit.handshake().answer().counters(&[]).ping("203.0.113.10", "idle", 100, 95, 20);
    let verdict = disturbed(&visit, Layer::Ip, &["IP19"]);
    assert!(verdict.also.is_empty(), "{:?}", verdict.also);
}

#[test]
fn loss_explains_a_family_that_was_late_but_not_one_that_fails() {
    let mut late = Visit::new();
    late.lookup();
    late.step(270, Visit::connect_step(SERVER_V6).skipped("another address answered first"));
    late.connect().handshake().answer().counters(&[]).ping("203.0.113.10", "idle", 100, 95, 20);
    assert!(disturbed(&late, Layer::Ip, &["IP19"]).also.is_empty());
    let mut broken = Visit::new();
    broken.lookup().connect_to_fails(SERVER_V6, "tcp.timeout", 10_000, |step| step);
    broken.connect().handshake().answer().counters(&[]).ping("203.0.113.10", "idle", 100, 95, 20);
    assert_eq!(disturbed(&broken, Layer::Ip, &["IP13"]).also[0].causes, ["IP19"]);
}

#[test]
fn loss_only_under_load() {
    let mut visit = Visit::new();
    visit
        .lookup()
        .connect()
        .handshake()
        .answer()
        .counters(&[("tcp.retransmissions", 4), ("tcp.out_of_order_received", 12)])
        .ping("203.0.113.10", "idle", 100, 100, 20);
    disturbed(&visit, Layer::Ip, &["IP17", "IP19", "IP21"]);
}

#[test]
fn loss_without_pings() {
    let mut visit = Visit::new();
    visit
        .lookup()
        .connect()
        .handshake()
        .answer()
        .counters(&[("tcp.retransmissions", 3), ("tcp.out_of_order_received", 9)]);
    disturbed(&visit, Layer::Ip, &["IP19", "IP17"]);
}

#[test]
fn a_long_queue() {
    let mut visit = Visit::healthy();
    visit.ping("203.0.113.10", "loaded", 20, 20, 480);
    let verdict = disturbed(&visit, Layer::Ip, &["IP18"]);
    assert!(verdict.summary.contains("from 21 ms to 481 ms"), "{}", verdict.summary);
    assert!(ruled_out(&verdict, "IP19"));
}

#[test]
fn a_long_queue_seen_by_the_connection_alone() {
    let mut visit = Visit::new();
    visit.lookup().connect().handshake().answer().counters(&[("tcp.rtt_max", 600_000_000)]);
    disturbed(&visit, Layer::Ip, &["IP18", "APP06"]);
}

#[test]
fn a_lost_first_packet() {
    let mut visit = Visit::new();
    visit.lookup();
    visit.step(1_020, Visit::connect_step(SERVER).set("tcp.syn_retransmissions", 1).set_ms("tcp.rtt", 20));
    visit.handshake().answer().counters(&[]).ping("203.0.113.10", "idle", 10, 10, 20);
    disturbed(&visit, Layer::Tcp, &["TCP07"]);
}

#[test]
fn a_slow_program() {
    let mut visit = Visit::new();
    visit.lookup().connect().handshake().answer_after(2_000).counters(&[]);
    let verdict = disturbed(&visit, Layer::App, &["APP01"]);
    assert!(verdict.summary.contains("2.0 s"), "{}", verdict.summary);
}

#[test]
fn a_slow_answer_with_packets_sent_again_is_not_blamed_on_the_program() {
    let mut visit = Visit::new();
    visit
        .lookup()
        .connect()
        .handshake()
        .answer_after(2_000)
        .counters(&[("tcp.retransmissions", 1), ("tcp.timeouts", 1)]);
    healthy(&visit);
}

#[test]
fn a_slow_lookup() {
    let mut visit = Visit::new();
    visit.slow_lookup(2_400).connect().handshake().answer().counters(&[]);
    disturbed(&visit, Layer::Dns, &["DNS45", "DNS18"]);
}

#[test]
fn a_lookup_with_one_silent_server() {
    let slow = |silent_server: &str| {
        let mut visit = Visit::new();
        visit.slow_lookup(3_000);
        visit.trace.add(
            Step::new(Layer::Dns, "dns.query", "AAAA")
                .under(SpanId(0))
                .set("dns.server", silent_server)
                .set("dns.type", "AAAA")
                .at_ms(0, 3_000)
                .failed("dns.timeout", "no answer"),
        );
        visit.connect().handshake().answer().counters(&[]);
        visit
    };
    disturbed(&slow("198.51.100.54"), Layer::Dns, &["DNS02", "IP19"]);
    disturbed(&slow("198.51.100.53"), Layer::Dns, &["DNS38"]);
}

#[test]
fn a_slow_handshake() {
    let mut visit = Visit::new();
    visit.lookup().connect();
    visit.step(1_500, Step::new(Layer::Tls, "handshake", ""));
    visit.answer().counters(&[]);
    disturbed(&visit, Layer::Tls, &["TLS34", "TLS33"]);
}

#[test]
fn one_family_broken() {
    let mut visit = Visit::new();
    visit.lookup();
    visit
        .connect_to_fails(SERVER_V6, "tcp.timeout", 10_000, |step| step)
        .connect()
        .handshake()
        .answer()
        .counters(&[]);
    disturbed(&visit, Layer::Ip, &["IP13"]);

    let mut visit = Visit::new();
    visit.lookup().connect_fails("ip.unreachable", 15, |step| step);
    visit.step(20, Visit::connect_step(SERVER_V6).set_ms("tcp.rtt", 20));
    visit.handshake().answer().counters(&[]);
    disturbed(&visit, Layer::Ip, &["IP14"]);
}

#[test]
fn the_first_family_does_not_answer_in_time() {
    let race = |control: Option<Result<(), &str>>| {
        let mut visit = Visit::new();
        visit.lookup();
        visit.step(270, Visit::connect_step(SERVER_V6).skipped("another address answered first"));
        visit.connect().handshake().answer().counters(&[]);
        if let Some(result) = control {
            visit.control(Layer::Tcp, "other_family", result);
        }
        visit
    };
    disturbed(&race(None), Layer::Ip, &["IP13", "TCP07"]);
    disturbed(&race(Some(Err("tcp.timeout"))), Layer::Ip, &["IP13"]);
    healthy(&race(Some(Ok(()))));
}

#[test]
fn one_family_refused_and_one_address_dead() {
    let mut visit = Visit::new();
    visit.lookup();
    visit
        .connect_to_fails(SERVER_V6, "tcp.refused", 20, |step| step)
        .connect()
        .handshake()
        .answer()
        .counters(&[]);
    disturbed(&visit, Layer::Tcp, &["TCP02"]);
    let mut visit = Visit::new();
    visit.lookup();
    visit
        .connect_to_fails("203.0.113.11:443", "tcp.timeout", 2_000, |step| step)
        .connect()
        .handshake()
        .answer()
        .counters(&[]);
    disturbed(&visit, Layer::Ip, &["IP31"]);
    // The same address, which answers a moment later, is no other one.
    let mut visit = Visit::new();
    visit.lookup();
    visit
        .connect_to_fails("203.0.113.10:443", "tcp.refused", 20, |step| step)
        .connect()
        .handshake()
        .answer()
        .counters(&[]);
    assert!(!judged(&visit).causes.contains(&"IP31".to_string()));
}

#[test]
fn http3_fails_and_http2_delivers() {
    let mut visit = Visit::new();
    visit.lookup();
    visit.step(3_000, Step::new(Layer::Quic, "handshake", "").failed("quic.timeout", "no answer"));
    visit.connect().handshake().answer().counters(&[]);
    disturbed(&visit, Layer::Quic, &["Q01"]);
}

#[test]
fn two_disturbances_are_both_named() {
    let mut visit = Visit::new();
    visit.slow_lookup(2_400).connect().handshake().answer_after(3_000).counters(&[]);
    let verdict = judged(&visit);
    assert_eq!((verdict.causes, verdict.also.len()), (vec!["APP01".to_string()], 1));
    assert_eq!(verdict.also[0].causes, ["DNS45", "DNS18"]);
}

#[test]
fn only_what_says_that_the_certificate_is_good_can_be_out_of_date() {
    let with = |status: &str| {
        let mut visit = Visit::new();
        visit.lookup().connect();
        let step = Step::new(Layer::Tls, "handshake", "www.shop.lab").set("tls.version", "TLS 1.3");
        let chain = std::collections::BTreeMap::from([("subject".to_owned(), "CN=www.shop.lab".into())]);
        let chain = vec![thru_trace::Value::Map(chain)];
        let step = step.set("tls.chain", chain).set("tls.stapled", true);
        let step = step.set("tls.staple", status).set("tls.staple_late", 86_400);
        visit.step(40, step);
        visit.answer().counters(&[]);
        judged(&visit).causes
    };
    assert_eq!(with("good"), ["TLS17"]);
    assert_eq!(with("revoked"), ["TLS16"]);
    for status in ["unknown", "no_answer", "other_certificate"] {
        assert_eq!(with(status), [""; 0], "{status}");
    }
}
