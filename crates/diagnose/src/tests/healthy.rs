//! What tools mistake for faults, and partial traces.

use super::*;

#[test]
fn a_healthy_visit() {
    let verdict = healthy(&Visit::healthy());
    assert!(verdict.summary.contains("www.shop.lab is healthy"), "{}", verdict.summary);
    assert!(verdict.confidence > 0.9);
}

#[test]
fn one_lost_packet_is_no_finding() {
    for counters in [
        &[("tcp.retransmissions", 1)][..],
        &[("tcp.out_of_order_received", 3)],
        &[("tcp.duplicates_received", 1)],
        &[("tcp.retransmissions", 1), ("tcp.duplicates_received", 1)],
    ] {
        let mut visit = Visit::new();
        visit.lookup().connect().handshake().answer().counters(counters).ping(
            "203.0.113.10",
            "idle",
            10,
            10,
            20,
        );
        healthy(&visit);
    }
}

#[test]
fn one_lost_ping_is_no_finding() {
    let mut visit = Visit::new();
    visit.lookup().connect().handshake().answer().counters(&[]).ping("203.0.113.10", "idle", 10, 9, 20);
    healthy(&visit);
}

#[test]
fn filtered_pings_are_no_finding() {
    let mut visit = Visit::new();
    visit.lookup().connect().handshake().answer().counters(&[]).ping("203.0.113.10", "idle", 10, 0, 0);
    healthy(&visit);
}

#[test]
fn loss_at_a_middle_hop_only_is_a_busy_router() {
    let mut visit = Visit::healthy();
    visit.ping("203.0.113.10", "idle", 100, 100, 20);
    visit.ping("192.168.1.1", "hop", 100, 100, 1);
    visit.ping("198.51.100.1", "hop", 100, 35, 8);
    healthy(&visit);
}

#[test]
fn a_site_without_ipv6_addresses() {
    let mut visit = Visit::new();
    let resolve =
        visit.step(40, Step::new(Layer::Dns, "resolve", "www.shop.lab").set("dns.name", "www.shop.lab."));
    visit.trace.add(
        Step::new(Layer::Dns, "dns.query", "AAAA")
            .under(resolve)
            .at_ms(0, 40)
            .failed("dns.no_data", "no AAAA record"),
    );
    visit.trace.add(Step::new(Layer::Dns, "dns.query", "A").under(resolve).at_ms(0, 40));
    visit.connect().handshake().answer().counters(&[]);
    healthy(&visit);
}

#[test]
fn a_machine_without_ipv6() {
    let mut visit = Visit::new();
    visit.lookup();
    visit
        .connect_to_fails(SERVER_V6, "ip.no_route", 0, |step| step)
        .connect()
        .handshake()
        .answer()
        .counters(&[]);
    healthy(&visit);
}

#[test]
fn a_race_lost_by_design() {
    let mut visit = Visit::new();
    visit.lookup();
    visit.step(20, Visit::connect_step(SERVER_V6).skipped("another address answered first"));
    visit.connect();
    visit.step(30, Step::new(Layer::Quic, "handshake", "HTTP/3").skipped("HTTP/2 was first"));
    visit.handshake().answer().counters(&[]);
    healthy(&visit);
}

#[test]
fn one_lost_syn_of_the_first_family_that_answers_when_asked_again() {
    let mut visit = Visit::new();
    visit.lookup();
    visit.step(270, Visit::connect_step(SERVER_V6).skipped("another address answered first"));
    visit.connect().handshake().answer().counters(&[]).control(Layer::Tcp, "other_family", Ok(()));
    healthy(&visit);
}

#[test]
fn a_second_hello_costs_one_round_trip() {
    let mut visit = Visit::new();
    visit.lookup().connect();
    visit.step(
        60,
        Step::new(Layer::Tls, "handshake", "www.shop.lab")
            .set("tls.version", "TLS 1.3")
            .set("tls.hello_retry", true),
    );
    visit.answer().counters(&[]);
    healthy(&visit);
}

#[test]
fn round_trips_that_double_under_load_are_normal() {
    let mut visit = Visit::healthy();
    visit.ping("203.0.113.10", "loaded", 20, 20, 45);
    healthy(&visit);
}

#[test]
fn a_long_way_is_not_a_queue() {
    let mut visit = Visit::new();
    visit.lookup();
    visit.step(280, Visit::connect_step(SERVER).set_ms("tcp.rtt", 280));
    visit.step(560, Step::new(Layer::Tls, "handshake", ""));
    visit.answer_after(290).counters(&[("tcp.rtt_min", 280_000_000), ("tcp.rtt", 285_000_000)]);
    visit.ping("203.0.113.10", "idle", 10, 10, 280).ping("203.0.113.10", "loaded", 10, 10, 290);
    healthy(&visit);
}

#[test]
fn a_redirect_and_then_the_page() {
    let mut visit = Visit::new();
    visit.lookup().connect();
    visit.step(45, Step::new(Layer::Http, "exchange", "GET /").set("http.status", 301));
    visit.connect().handshake().answer().counters(&[]);
    healthy(&visit);
}

#[test]
fn only_a_name_was_asked_for() {
    let mut visit = Visit::new();
    visit.lookup();
    let verdict = healthy(&visit);
    assert!(verdict.confidence < 0.9, "a part is not the whole");
}

#[test]
fn only_pings_were_sent() {
    let mut visit = Visit::new();
    visit.ping("203.0.113.10", "idle", 4, 4, 20);
    healthy(&visit);
}

#[test]
fn an_empty_trace_says_nothing() {
    assert_eq!(judged(&Visit::new()).status, Status::Undecided);
}

#[test]
fn the_kernel_s_network_tells_little_and_that_is_enough() {
    // No counters, no pings, no frames, no local address.
    let mut visit = Visit::new();
    visit.lookup();
    visit.step(20, Step::new(Layer::Tcp, "connect", "").set("tcp.remote", SERVER));
    visit.step(40, Step::new(Layer::Tls, "handshake", ""));
    visit.step(60, Step::new(Layer::Http, "exchange", "").set("http.status", 200));
    healthy(&visit);
}

#[test]
fn an_unknown_code_is_no_guess() {
    let mut visit = Visit::new();
    visit.lookup().connect_fails("host.error", 1, |step| step);
    let verdict = judged(&visit);
    assert_eq!((verdict.status, verdict.causes.len()), (Status::Undecided, 0));
    assert_eq!(verdict.evidence.len(), 1, "the failing step is cited");
}

#[test]
fn what_only_the_resolver_of_the_lab_knows_is_no_evidence() {
    let mut visit = Visit::healthy();
    visit.trace.add(
        Step::new(Layer::Dns, "dns.step", "resolver asks the root")
            .under(SpanId(0))
            .set("vantage", "resolver")
            .at_ms(0, 40)
            .failed("dns.timeout", "no answer"),
    );
    healthy(&visit);
}
