//! Requests that failed.

use super::*;

// Names.

fn name_fails(code: &str) -> Visit {
    let mut visit = Visit::new();
    visit.lookup_fails(code, |step| step.set("dns.tries", 3));
    visit
}

#[test]
fn a_name_that_does_not_exist() {
    let mut visit = name_fails("dns.nxdomain");
    visit.control_with(Layer::Dns, "iterate", Err("dns.nxdomain"), |step| {
        step.set("dns.authority_rcode", "NXDOMAIN").set("dns.authority", "ns1.shop.lab.")
    });
    let verdict = fails(&visit, Layer::Dns, &["DNS05"]);
    assert!(ruled_out(&verdict, "DNS12"));
    assert!(verdict.summary.contains("www.shop.lab"), "{}", verdict.summary);
}

#[test]
fn a_name_that_does_not_exist_according_to_one_resolver() {
    fails(&name_fails("dns.nxdomain"), Layer::Dns, &["DNS05", "DNS12", "DNS36"]);
}

#[test]
fn a_name_that_one_resolver_hides() {
    let mut visit = name_fails("dns.nxdomain");
    visit.control(Layer::Dns, "iterate", Ok(()));
    fails(&visit, Layer::Dns, &["DNS12", "DNS21"]);
    let mut visit = Visit::new();
    visit.lookup_fails("dns.nxdomain", |step| step.set("dns.ede", "15 (Blocked)"));
    visit.control(Layer::Dns, "other_resolver", Ok(()));
    fails(&visit, Layer::Dns, &["DNS12"]);
}

#[test]
fn a_name_without_addresses() {
    let verdict = fails(&name_fails("dns.no_data"), Layer::Dns, &["DNS06"]);
    assert!(ruled_out(&verdict, "DNS05"));
}

#[test]
fn a_silent_resolver() {
    for kind in ["other_resolver", "iterate"] {
        let mut visit = name_fails("dns.timeout");
        visit.control(Layer::Dns, kind, Ok(()));
        let verdict = fails(&visit, Layer::Dns, &["DNS02"]);
        assert!(ruled_out(&verdict, "IP05"));
    }
}

#[test]
fn a_silent_resolver_and_nothing_else_tried() {
    let verdict =
        check(&name_fails("dns.timeout"), Status::Undecided, Layer::Dns, &["DNS02", "DNS03", "IP05"]);
    assert!(verdict.next.iter().any(|next| matches!(next, Next::Probe { .. })));
}

#[test]
fn all_resolvers_silent_while_the_way_out_works() {
    let mut visit = name_fails("dns.timeout");
    visit.control(Layer::Dns, "other_resolver", Err("dns.timeout")).control(Layer::Tcp, "other_site", Ok(()));
    fails(&visit, Layer::Dns, &["DNS03"]);
}

#[test]
fn a_general_outage_is_not_blamed_on_names() {
    let mut visit = name_fails("dns.timeout");
    visit
        .control(Layer::Dns, "other_resolver", Err("dns.timeout"))
        .control(Layer::Dns, "iterate", Err("dns.timeout"))
        .control(Layer::Tcp, "other_site", Err("tcp.timeout"));
    check(&visit, Status::Undecided, Layer::Ip, &["IP02", "IP05", "DNS03"]);
}

#[test]
fn server_failure_by_signatures() {
    let mut visit = name_fails("dns.servfail");
    visit.control(Layer::Dns, "checking_disabled", Ok(())).control(Layer::Dns, "iterate", Ok(()));
    let verdict = fails(&visit, Layer::Dns, &["DNS09"]);
    assert!(ruled_out(&verdict, "DNS10"));
}

#[test]
fn server_failure_by_a_dead_authority() {
    let mut visit = name_fails("dns.servfail");
    visit.control(Layer::Dns, "checking_disabled", Err("dns.servfail")).control(
        Layer::Dns,
        "iterate",
        Err("dns.timeout"),
    );
    let verdict = fails(&visit, Layer::Dns, &["DNS10"]);
    assert!(ruled_out(&verdict, "DNS09") && ruled_out(&verdict, "DNS11"));
}

#[test]
fn server_failure_of_the_resolver_alone() {
    let mut visit = name_fails("dns.servfail");
    visit.control(Layer::Dns, "checking_disabled", Err("dns.servfail")).control(
        Layer::Dns,
        "iterate",
        Ok(()),
    );
    fails(&visit, Layer::Dns, &["DNS11", "DNS10"]);
}

#[test]
fn server_failure_and_nothing_else_tried() {
    fails(&name_fails("dns.servfail"), Layer::Dns, &["DNS10", "DNS09", "DNS11"]);
    let mut hinted = Visit::new();
    hinted.lookup_fails("dns.servfail", |step| step.set("dns.ede", vec![7]));
    fails(&hinted, Layer::Dns, &["DNS27", "DNS09"]);
    let told = |codes: Vec<i64>, says: &str, causes: &[&str], not: &str| {
        let mut cut_off = Visit::new();
        let says = vec![thru_trace::Value::from(says)];
        cut_off.lookup_fails("dns.servfail", |step| step.set("dns.ede", codes).set("dns.ede_says", says));
        assert!(ruled_out(&fails(&cut_off, Layer::Dns, causes), not));
    };
    told(vec![22], "", &["DNS10", "DNS23"], "DNS09");
    told(vec![23], "", &["DNS10"], "DNS09");
    told(vec![22, 23], "192.0.2.1:53 timed out for shop.lab A", &["DNS10"], "DNS09");
    told(vec![22, 23], "192.0.2.1:53 rcode=REFUSED for shop.lab A", &["DNS23"], "DNS10");
}

#[test]
fn other_answers_of_a_resolver() {
    fails(&name_fails("dns.refused"), Layer::Dns, &["DNS07"]);
    fails(&name_fails("dns.malformed"), Layer::Dns, &["DNS16"]);
    fails(&name_fails("dns.unreachable"), Layer::Dns, &["DNS01"]);
    fails(&name_fails("dns.no_resolver"), Layer::Dns, &["DNS01"]);
    let mut visit = Visit::new();
    visit.lookup_fails("dns.unreachable", |step| step.set("icmp.kind", "network unreachable"));
    fails(&visit, Layer::Ip, &["IP04", "DNS01"]);
}

// The way.

fn icmp(step: Step, kind: &str, delay_ms: u64) -> Step {
    step.set("icmp.kind", kind).set("icmp.from", "198.51.100.9").set_ms("icmp.delay", delay_ms)
}

#[test]
fn a_router_without_a_route() {
    let mut visit = Visit::new();
    visit.lookup().connect_fails("ip.unreachable", 15, |step| icmp(step, "network unreachable", 15));
    let verdict = fails(&visit, Layer::Ip, &["IP04"]);
    assert!(ruled_out(&verdict, "LNK05") && verdict.summary.contains("198.51.100.9"), "{}", verdict.summary);
}

#[test]
fn a_router_that_looked_for_the_machine_first() {
    let mut visit = Visit::new();
    visit.lookup().connect_fails("ip.unreachable", 3_080, |step| icmp(step, "host unreachable", 3_080));
    let verdict = fails(&visit, Layer::Link, &["LNK05"]);
    assert!(ruled_out(&verdict, "IP04"));
}

#[test]
fn unreachable_without_a_time() {
    let mut visit = Visit::new();
    visit.lookup().connect_fails("ip.unreachable", 15, |step| step);
    fails(&visit, Layer::Ip, &["IP04", "LNK05"]);
}

#[test]
fn no_route_on_this_machine() {
    let mut visit = Visit::new();
    visit.lookup().connect_fails("ip.no_route", 0, |step| step);
    fails(&visit, Layer::Ip, &["IP01"]);
    // Without IPv6 here, what counts is what IPv4 met.
    let mut visit = Visit::new();
    visit.lookup();
    visit.connect_to_fails(SERVER_V6, "ip.no_route", 0, |step| step).connect_fails(
        "firewall.prohibited",
        12,
        |step| icmp(step, "administratively prohibited", 12),
    );
    fails(&visit, Layer::Firewall, &["FW03"]);
}

#[test]
fn a_routing_loop() {
    let mut visit = Visit::new();
    visit.lookup().connect_fails("ip.ttl_exceeded", 200, |step| icmp(step, "time exceeded", 200));
    fails(&visit, Layer::Ip, &["IP06"]);
    visit.route(false, "198.51.100.9", &["198.51.100.9", "198.51.100.5"]);
    let verdict = fails(&visit, Layer::Ip, &["IP06"]);
    assert!(verdict.summary.contains("198.51.100.9 and 198.51.100.5") && verdict.confidence > 0.95);
}

#[test]
fn a_loop_whose_messages_are_lost_still_shows_in_the_route() {
    let mut visit = Visit::new();
    visit.lookup().connect_fails("tcp.timeout", 10_000, |step| step);
    visit.route(false, "198.51.100.9", &["198.51.100.9"]);
    fails(&visit, Layer::Ip, &["IP06"]);
}

// Ports.

#[test]
fn a_closed_port_with_the_server_s_own_hop_count() {
    let mut visit = Visit::new();
    visit
        .lookup()
        .connect_fails("tcp.refused", 20, |step| step.set("tcp.reset_ttl", 58).set_ms("tcp.rtt", 20));
    fails(&visit, Layer::Tcp, &["TCP01", "FW02"]);
    visit.control(Layer::Ip, "ping", Ok(()));
    visit.step(
        20,
        Step::new(Layer::Ip, "ping", "")
            .set("ping.target", "203.0.113.10")
            .set("ping.purpose", "control")
            .set("ping.sent", 1)
            .set("ping.received", 1)
            .set("ping.ttl", 58)
            .set_ms("ping.rtt_min", 20),
    );
    let verdict = fails(&visit, Layer::Tcp, &["TCP01"]);
    assert!(ruled_out(&verdict, "FW02") && verdict.summary.contains("443"), "{}", verdict.summary);
}

#[test]
fn a_refusal_from_a_firewall() {
    let refused = |ttl: i64, after_ms: u64| {
        let mut visit = Visit::new();
        visit.lookup().connect_fails("tcp.refused", after_ms, |step| {
            step.set("tcp.reset_ttl", ttl).set_ms("tcp.rtt", after_ms)
        });
        visit.step(
            20,
            Step::new(Layer::Ip, "ping", "")
                .set("ping.target", "203.0.113.10")
                .set("ping.purpose", "control")
                .set("ping.sent", 1)
                .set("ping.received", 1)
                .set("ping.ttl", 58)
                .set_ms("ping.rtt_min", 20),
        );
        visit
    };
    fails(&refused(62, 20), Layer::Firewall, &["FW02", "TCP01"]);
    fails(&refused(62, 4), Layer::Firewall, &["FW02"]);
}

#[test]
fn a_silent_port() {
    let mut visit = Visit::new();
    visit.lookup().connect_fails("tcp.timeout", 10_000, |step| step.set("tcp.syn_retransmissions", 4));
    fails(&visit, Layer::Firewall, &["FW01", "IP05", "TCP03", "TCP06", "IP07"]);
}

#[test]
fn a_silent_port_of_a_server_that_answers_pings() {
    let mut visit = Visit::new();
    visit.lookup().connect_fails("tcp.timeout", 10_000, |step| step);
    visit.ping("203.0.113.10", "control", 3, 3, 20);
    let verdict = fails(&visit, Layer::Firewall, &["FW01", "TCP03", "IP07"]);
    assert!(ruled_out(&verdict, "IP05") && ruled_out(&verdict, "TCP06"));
}

#[test]
fn a_silent_port_beside_one_that_answers() {
    for answer in [Ok(()), Err("tcp.refused")] {
        let mut visit = Visit::new();
        visit.lookup().connect_fails("tcp.timeout", 10_000, |step| step);
        visit.control_with(Layer::Tcp, "other_port", answer, |step| step.set("port", 80));
        let verdict = fails(&visit, Layer::Firewall, &["FW01", "TCP03"]);
        assert!(ruled_out(&verdict, "IP07"));
    }
}

#[test]
fn nothing_of_the_server_answers() {
    let mut visit = Visit::new();
    visit.lookup().connect_fails("tcp.timeout", 10_000, |step| step);
    visit.ping("203.0.113.10", "control", 3, 0, 0).route(false, "198.51.100.9", &[]);
    visit.control_with(Layer::Tcp, "other_port", Err("tcp.timeout"), |step| step.set("port", 80));
    let verdict = fails(&visit, Layer::Ip, &["IP05", "TCP06", "FW01", "IP07", "TCP03"]);
    assert!(verdict.summary.contains("198.51.100.9"), "{}", verdict.summary);
}

#[test]
fn the_service_is_not_blamed_when_nothing_works() {
    let mut visit = Visit::new();
    visit.lookup().connect_fails("tcp.timeout", 10_000, |step| step);
    visit.control(Layer::Tcp, "other_site", Err("tcp.timeout"));
    check(&visit, Status::Undecided, Layer::Ip, &["IP05", "IP02", "FW04"]);
}

#[test]
fn a_firewall_that_says_so() {
    let mut visit = Visit::new();
    visit
        .lookup()
        .connect_fails("firewall.prohibited", 12, |step| icmp(step, "administratively prohibited", 12));
    let verdict = fails(&visit, Layer::Firewall, &["FW03"]);
    assert!(ruled_out(&verdict, "IP04"));
}

#[test]
fn both_families_meet_their_own_fault() {
    let mut visit = Visit::new();
    visit.lookup();
    visit.connect_to_fails(SERVER_V6, "ip.unreachable", 15, |step| icmp(step, "network unreachable", 15));
    visit.connect_fails("tcp.refused", 20, |step| step);
    let verdict = fails(&visit, Layer::Ip, &["IP04"]);
    assert_eq!(verdict.also.len(), 1);
    assert_eq!(verdict.also[0].causes, ["TCP01", "FW02"]);
}

// Standing still.

fn stalled(code: &str, gap: i64) -> Visit {
    let mut visit = Visit::new();
    visit
        .lookup()
        .connect()
        .handshake()
        .answer_fails(code, 10_000, |step| step)
        .counters(&[("tcp.gap_bytes", gap)]);
    visit
}

#[test]
fn large_packets_to_the_client_are_lost() {
    for code in ["http.timeout", "http.stalled"] {
        let mut visit = stalled(code, 8_000);
        visit.control(Layer::Tcp, "small_mss", Ok(()));
        let verdict = fails(&visit, Layer::Ip, &["IP09"]);
        assert!(ruled_out(&verdict, "APP05") && verdict.confidence > 0.95);
    }
    fails(&stalled("http.timeout", 8_000), Layer::Ip, &["IP09"]);
    // No later small packet showed the gap, but small packets pass.
    let mut visit = stalled("http.timeout", 0);
    visit.control(Layer::Tcp, "small_mss", Ok(()));
    fails(&visit, Layer::Ip, &["IP09"]);
}

#[test]
fn a_stall_without_gap_and_control_is_a_set() {
    fails(&stalled("http.timeout", 0), Layer::Ip, &["IP09", "APP05"]);
    // The kernel tells no counters.
    let mut visit = Visit::new();
    visit.lookup().connect().handshake().answer_fails("http.timeout", 10_000, |step| step);
    fails(&visit, Layer::Ip, &["IP09", "APP05"]);
}

#[test]
fn a_goodbye_that_is_not_acknowledged_yet_is_no_lost_request() {
    let mut visit = Visit::new();
    visit
        .lookup()
        .connect()
        .handshake()
        .answer_fails("http.timeout", 10_000, |step| step)
        .counters(&[("tcp.bytes_sent", 635), ("tcp.bytes_acked", 537)])
        .control(Layer::Tcp, "small_mss", Err("http.timeout"));
    fails(&visit, Layer::App, &["APP05"]);
}

#[test]
fn a_server_that_never_answers() {
    let mut visit = stalled("http.timeout", 0);
    visit.control(Layer::Tcp, "small_mss", Err("http.timeout"));
    let verdict = fails(&visit, Layer::App, &["APP05"]);
    assert!(ruled_out(&verdict, "IP09"));
    let mut visit = stalled("http.stalled", 0);
    visit.control(Layer::Tcp, "small_mss", Err("http.stalled"));
    fails(&visit, Layer::App, &["APP05", "TCP11"]);
}

#[test]
fn lost_in_small_packets_too() {
    let mut visit = stalled("http.timeout", 8_000);
    visit.control(Layer::Tcp, "small_mss", Err("http.timeout"));
    check(&visit, Status::Undecided, Layer::Ip, &["IP09", "TCP11", "IP05"]);
}

#[test]
fn requests_that_never_reach_the_server() {
    let mut visit = Visit::new();
    visit.lookup().connect().handshake().answer_fails("http.timeout", 10_000, |step| step).counters(&[
        ("tcp.bytes_sent", 9_000),
        ("tcp.bytes_acked", 600),
        ("tcp.timeouts", 5),
    ]);
    fails(&visit, Layer::Ip, &["IP10", "TCP11", "FW12"]);
    visit.control(Layer::Tcp, "small_mss", Ok(()));
    let verdict = fails(&visit, Layer::Ip, &["IP10"]);
    assert!(ruled_out(&verdict, "TLS21"));
}

#[test]
fn handshakes_that_stand_still() {
    let stalled = |counters: &[(&str, i64)]| {
        let mut visit = Visit::new();
        visit.lookup().connect().handshake_fails("tls.timeout", 10_000, &[]).counters(counters);
        visit
    };
    fails(&stalled(&[]), Layer::Tls, &["TLS23", "IP11"]);
    let mut hangs = stalled(&[]);
    hangs.control(Layer::Tcp, "small_mss", Err("tls.timeout"));
    fails(&hangs, Layer::Tls, &["TLS23"]);
    let mut large = stalled(&[("tcp.gap_bytes", 2_800)]);
    large.control(Layer::Tcp, "small_mss", Ok(()));
    let verdict = judged(&large);
    assert_eq!((verdict.layer, verdict.causes[0].as_str()), (Layer::Ip, "IP09"));
    fails(
        &stalled(&[("tcp.bytes_sent", 1_700), ("tcp.bytes_acked", 0), ("tcp.timeouts", 5)]),
        Layer::Tls,
        &["TLS21", "FW10", "IP10"],
    );
}

#[test]
fn http3_that_stands_still() {
    let mut visit = Visit::new();
    visit.lookup();
    visit.step(40, Step::new(Layer::Quic, "handshake", "HTTP/3"));
    visit.answer_fails("http.timeout", 10_000, |step| step.set("http.version", "HTTP/3"));
    fails(&visit, Layer::App, &["APP05", "Q17"]);
}

// Certificates.

type Certificate = (&'static str, &'static str, &'static str, &'static str);
const ROOT: Certificate = ("Lab Root", "Lab Root", "2020-01-01T00:00:00Z", "2040-01-01T00:00:00Z");

fn leaf(not_before: &'static str, not_after: &'static str) -> Certificate {
    ("www.shop.lab", "Lab Root", not_before, not_after)
}

fn tls_fails(code: &str, chain: &[Certificate]) -> Visit {
    let mut visit = Visit::new();
    visit.lookup().connect().handshake_fails(code, 40, chain);
    visit
}

#[test]
fn an_expired_certificate() {
    let chain = [leaf("2025-01-01T00:00:00Z", "2025-12-18T00:00:00Z"), ROOT];
    let mut visit = tls_fails("tls.certificate_expired", &chain);
    let verdict = fails(&visit, Layer::Tls, &["TLS07"]);
    assert!(verdict.evidence[0].says.contains("2025-12-18, 14 days before"), "{}", verdict.evidence[0].says);
    visit.control(Layer::Tls, "other_site", Ok(()));
    assert!(ruled_out(&fails(&visit, Layer::Tls, &["TLS07"]), "HST01"));
}

#[test]
fn a_wrong_clock_makes_every_certificate_look_expired() {
    let mut visit = tls_fails("tls.certificate_expired", &[]);
    visit.control(Layer::Tls, "other_site", Err("tls.certificate_expired"));
    fails(&visit, Layer::Host, &["HST01", "TLS07"]);
}

#[test]
fn another_site_s_other_trouble_is_not_the_clock() {
    let mut visit = tls_fails("tls.certificate_expired", &[]);
    visit.control(Layer::Tls, "other_site", Err("tcp.timeout"));
    fails(&visit, Layer::Tls, &["TLS07"]);
}

#[test]
fn an_expired_certificate_above_a_good_one() {
    let chain = [
        ("www.shop.lab", "Lab Inter", "2025-06-01T00:00:00Z", "2026-06-01T00:00:00Z"),
        ("Lab Inter", "Lab Root", "2020-01-01T00:00:00Z", "2025-11-01T00:00:00Z"),
    ];
    let verdict = fails(&tls_fails("tls.certificate_expired", &chain), Layer::Tls, &["TLS14"]);
    assert!(ruled_out(&verdict, "TLS07"));
}

#[test]
fn a_certificate_of_the_future() {
    let chain = [leaf("2026-02-01T00:00:00Z", "2027-02-01T00:00:00Z"), ROOT];
    let mut visit = tls_fails("tls.certificate_not_yet_valid", &chain);
    fails(&visit, Layer::Tls, &["TLS08", "HST01"]);
    visit.control(Layer::Tls, "other_site", Ok(()));
    let verdict = fails(&visit, Layer::Tls, &["TLS08"]);
    assert!(verdict.evidence[0].says.contains("31 days after"), "{}", verdict.evidence[0].says);
}

#[test]
fn a_certificate_for_another_name() {
    fails(&tls_fails("tls.wrong_name", &[]), Layer::Tls, &["TLS09"]);
}

#[test]
fn an_unknown_authority() {
    let private = [("www.shop.lab", "Corner CA", "", ""), ("Corner CA", "Corner CA", "", "")];
    let mut visit = tls_fails("tls.unknown_ca", &private);
    fails(&visit, Layer::Tls, &["TLS11", "TLS15"]);
    visit.control(Layer::Tls, "other_site", Ok(()));
    assert!(ruled_out(&fails(&visit, Layer::Tls, &["TLS11"]), "TLS15"));
    // Only the leaf was sent: perhaps the link to a known authority is missing.
    let mut lone = tls_fails("tls.unknown_ca", &private[..1]);
    lone.control(Layer::Tls, "other_site", Ok(()));
    fails(&lone, Layer::Tls, &["TLS11", "TLS12"]);
    // Unless it comes straight from a root.
    if let Some(thru_trace::Value::List(chain)) = lone.trace.spans[3].values.get_mut("tls.chain")
        && let thru_trace::Value::Map(leaf) = &mut chain[0]
    {
        leaf.insert("aia".into(), false.into());
    }
    assert!(ruled_out(&fails(&lone, Layer::Tls, &["TLS11"]), "TLS12"));
    let mut everywhere = tls_fails("tls.unknown_ca", &private);
    everywhere.control(Layer::Tls, "other_site", Err("tls.unknown_ca"));
    fails(&everywhere, Layer::Tls, &["TLS15", "TLS11"]);
}

#[test]
fn other_handshake_failures() {
    for (code, causes) in [
        ("tls.self_signed", &["TLS10"][..]),
        ("tls.bad_certificate", &["TLS27", "TLS26"]),
        ("tls.version", &["TLS03"]),
        ("tls.not_tls", &["TLS01"]),
        ("tls.closed", &["TLS24"]),
        ("tls.reset", &["TLS24", "FW08"]),
        ("tls.alert.protocol_version", &["TLS03"]),
        ("tls.alert.handshake_failure", &["TLS04", "TLS18"]),
        ("tls.alert.unrecognized_name", &["TLS06"]),
        ("tls.alert.certificate_required", &["TLS18"]),
        ("tls.alert.no_application_protocol", &["TLS20"]),
        ("tls.alert.unknown_ca", &["TLS19"]),
        ("tls.alert.internal_error", &["TLS24"]),
    ] {
        fails(&tls_fails(code, &[]), Layer::Tls, causes);
    }
}

#[test]
fn a_reset_that_came_too_soon_to_be_an_answer() {
    let mut visit = Visit::new();
    visit.lookup().connect().handshake_fails("tls.reset", 2, &[]);
    let verdict = fails(&visit, Layer::Tcp, &["TCP08"]);
    assert!(ruled_out(&verdict, "FW08"));
}

// Answers.

#[test]
fn statuses() {
    for (status, layer, causes) in [
        (500, Layer::Http, &["H105"][..]),
        (502, Layer::Http, &["H102"]),
        (503, Layer::Http, &["H103"]),
        (504, Layer::Http, &["H104"]),
        (404, Layer::Http, &["H101"]),
        (403, Layer::Http, &["H101", "FW21"]),
        (421, Layer::Http, &["H109"]),
        (429, Layer::Http, &["H106"]),
        (431, Layer::Http, &["H116"]),
        (407, Layer::Proxy, &["PX03"]),
        (511, Layer::Firewall, &["FW22"]),
        (418, Layer::Http, &["H101"]),
    ] {
        let mut visit = Visit::new();
        visit.lookup().connect().handshake().answer_fails(&format!("http.status.{status}"), 25, |step| {
            step.set("http.status", status).set("http.retry_after", "30")
        });
        fails(&visit, layer, causes);
    }
}

#[test]
fn redirects_in_a_circle() {
    let mut visit = Visit::new();
    visit.lookup().connect().handshake().answer_fails("http.redirect_loop", 25, |step| step);
    fails(&visit, Layer::Http, &["H107"]);
}

#[test]
fn answers_that_break_off() {
    for (code, layer, causes) in [
        ("http.closed", Layer::Http, &["H112"][..]),
        ("http.protocol", Layer::Http, &["H115"]),
        ("http.truncated", Layer::Http, &["H110", "H111"]),
        ("http.reset", Layer::Tcp, &["TCP09", "FW09"]),
    ] {
        let mut visit = Visit::new();
        visit
            .lookup()
            .connect()
            .handshake()
            .answer_fails(code, 25, |step| step)
            .counters(&[("tcp.bytes_received", 4_000)]);
        let verdict = judged(&visit);
        assert_eq!(
            (verdict.layer, verdict.causes),
            (layer, causes.iter().map(ToString::to_string).collect())
        );
    }
}

// QUIC.

fn quic_fails(code: &str) -> Step {
    Step::new(Layer::Quic, "handshake", "HTTP/3").failed(code, "no HTTP/3")
}

#[test]
fn blocked_udp() {
    let mut visit = Visit::new();
    visit.lookup();
    visit.step(10_000, quic_fails("quic.timeout"));
    check(&visit, Status::Failed, Layer::Quic, &["Q01", "IP05", "TCP06", "FW15"]);
    visit.connect();
    let verdict = fails(&visit, Layer::Quic, &["Q01"]);
    assert!(ruled_out(&verdict, "Q12"));
}

#[test]
fn silent_udp_and_silent_tcp_are_not_blamed_on_udp() {
    let mut visit = Visit::new();
    visit.lookup();
    visit.step(10_000, quic_fails("quic.timeout"));
    visit.connect_fails("tcp.timeout", 10_000, |step| step);
    fails(&visit, Layer::Firewall, &["FW01", "IP05", "TCP03", "TCP06", "IP07"]);
}

#[test]
fn other_quic_failures() {
    for (code, causes) in
        [("quic.refused", &["Q12"][..]), ("quic.version", &["Q03"]), ("quic.closed", &["Q08", "Q13"])]
    {
        let mut visit = Visit::new();
        visit.lookup();
        visit.step(100, quic_fails(code));
        let verdict = judged(&visit);
        assert_eq!(verdict.causes, causes.iter().map(ToString::to_string).collect::<Vec<_>>());
    }
    // A certificate is the same certificate inside QUIC.
    let mut visit = Visit::new();
    visit.lookup();
    visit.step(100, quic_fails("tls.wrong_name"));
    fails(&visit, Layer::Tls, &["TLS09"]);
}

#[test]
fn a_signed_connection_that_nobody_answers() {
    let mut visit = Visit::new();
    visit.connect_fails("tcp.timeout", 10_000, |step| step.set("tcp.signed", true));
    fails(&visit, Layer::Routing, &["BGP14", "FW01", "IP05", "TCP06"]);
}
