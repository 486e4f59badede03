//! Recursive, forwarding, authoritative; every transport; orders and logs.

use std::fs;

use thru_peers::peer;

use crate::house::{Folder, Server, Tree, expect, inside, run, thru};

const SHOP: &str = "www.shop.test. 300 IN A 192.0.2.80\n*.wild.shop.test. 300 IN TXT \"any\"\n\
                    alias.shop.test. 300 IN CNAME www.shop.test.\n";
/// A delegation whose DS is of no key that is there.
const WRONG: &str = "wrong.test. 300 IN NS ns.shop.test.\n\
    wrong.test. 300 IN DS 1 15 2 0000000000000000000000000000000000000000000000000000000000000000\n";

#[test]
fn a_resolver_validates_from_the_root_down_and_takes_orders() {
    if !inside("serving::a_resolver_validates_from_the_root_down_and_takes_orders") {
        return;
    }
    let Some(dig) = peer("dig against thru serve dns", "dig", "bind9-dnsutils") else { return };
    let folder = Folder::new("recursive");
    let tree = Tree::plant(&folder, SHOP, WRONG, &["--sign"]);
    let log = folder.path("log");
    let mut words = vec!["--listen", "127.0.0.1", "--query-log", &log];
    words.extend(tree.resolver());
    let server = Server::start(&folder, "orders", &words);
    let ask = |question: &str| {
        let mut words = vec!["@127.0.0.1", "+tries=1", "+time=9"];
        words.extend(question.split(' '));
        run(&dig, &words)
    };
    for (question, expected) in [
        (
            "www.shop.test A +dnssec",
            &["status: NOERROR", "flags: qr rd ra ad;", "192.0.2.80", "RRSIG\tA 15 3"][..],
        ),
        // Again: ready in octets, in the client's own spelling.
        ("wWw.Shop.test A +dnssec +nocookie", &["flags: qr rd ra ad;", "wWw.Shop.test.", "192.0.2.80"]),
        ("www.SHOP.test A +dnssec +nocookie", &["flags: qr rd ra ad;", "www.SHOP.test.", "192.0.2.80"]),
        ("x.wild.shop.test TXT +dnssec", &["flags: qr rd ra ad;", "\"any\"", "NSEC"]),
        ("alias.shop.test A +adflag", &["flags: qr rd ra ad;", "CNAME\twww.shop.test.", "192.0.2.80"]),
        ("no.shop.test A +dnssec +tcp", &["status: NXDOMAIN", "flags: qr rd ra ad;", "NSEC", "(TCP)"]),
        ("www.wrong.test A", &["status: SERVFAIL", "EDE: "]),
        ("shop.test AXFR", &["Transfer failed"]),
        ("www.shop.test A +tcp +keepalive", &["192.0.2.80", "TCP-KEEPALIVE: 10.0 secs"]),
    ] {
        let output = ask(question);
        expect(question, &output, expected);
        assert!(!output.contains("malformed") && !output.contains("mismatch"), "{question}: {output}");
    }
    let control = folder.path("orders");
    let stats = thru(&["dns", "stats", "--control", &control]);
    expect(
        "stats",
        &stats,
        &["\"role\": \"recursive\"", "\"ready\": ", "\"NXDOMAIN\": 1", "\"SERVFAIL\": 1"],
    );
    expect(
        "flush",
        &thru(&["dns", "flush", "shop.test", "--control", &control]),
        &["\"flushed\": \"shop.test.\""],
    );
    expect(
        "flush",
        &thru(&["dns", "flush", "--control", &control]),
        &["\"flushed\": \".\"", "\"entries\": "],
    );
    expect("after the flush", &ask("www.shop.test A +dnssec"), &["flags: qr rd ra ad;"]);
    let said = server.end();
    expect("the end", &said, &["by udp, ", "by tcp; ", "questions to other servers"]);
    let lines = fs::read_to_string(&log).expect("a log");
    expect(
        "the log",
        &lines,
        &["\"name\":\"www.shop.test.\"", "\"transport\":\"tcp\"", "\"rcode\":\"NXDOMAIN\""],
    );
    assert!(!folder.0.join("orders").exists(), "its socket goes with it");
    let gone = thru(&["dns", "stats", "--control", &control]);
    expect("nobody there", &gone, &["no server takes orders at"]);
}

#[test]
fn every_transport_carries_the_same_answer() {
    if !inside("serving::every_transport_carries_the_same_answer") {
        return;
    }
    let folder = Folder::new("transports");
    let zone = folder.write("zone", &(crate::house::head("shop.test.", "127.0.0.1") + SHOP));
    let at = "127.0.0.1";
    let words = ["--listen", at, "--tls", at, "--https", at, "--quic", at, "--zone", &zone, "--sign", "p256"];
    let _server = Server::start(&folder, "orders", &words);
    if let Some(kdig) = peer("kdig against every transport", "kdig", "knot-dnsutils") {
        for (words, shown) in [
            (&["+notcp"][..], "(UDP)"),
            (&["+tcp"], "(TCP)"),
            (&["+tls", "+padding"], "TLS session (TLS1.3)"),
            (&["+https", "+padding"], "HTTP session (HTTP/2-POST)"),
            (&["+https-get"], "HTTP session (HTTP/2-GET)"),
        ] {
            let all = [&["@127.0.0.1", "www.shop.test", "A", "+dnssec"], words].concat();
            let output = run(&kdig, &all);
            expect(&words.join(" "), &output, &["192.0.2.80", "RRSIG", "status: NOERROR", shown]);
            if words.contains(&"+padding") {
                expect("padding", &output, &["PADDING", "468 B"]);
            }
        }
        // Built without QUIC it knows no such word.
        let output = run(&kdig, &["@127.0.0.1", "www.shop.test", "A", "+quic"]);
        if output.contains("QUIC") {
            expect("+quic", &output, &["192.0.2.80"]);
        }
    }
    if let Some(dig) = peer("dig against every transport", "dig", "bind9-dnsutils") {
        for (words, shown) in
            [(&["+tls"][..], "(TLS)"), (&["+https"], "(HTTPS)"), (&["+https-get"], "(HTTPS")]
        {
            let all = [&["@127.0.0.1", "www.shop.test", "A"], words].concat();
            expect(&words.join(" "), &run(&dig, &all), &["192.0.2.80", shown]);
        }
        let transfer = run(&dig, &["@127.0.0.1", "shop.test", "AXFR"]);
        expect("a transfer nobody may have", &transfer, &["Transfer failed"]);
    }
    for (words, shown) in [
        (&[][..], "udp"),
        (&["+tcp"], "tcp"),
        (&["+tls"], "tls"),
        (&["+https"], "https"),
        (&["+https-get"], "https"),
        (&["+h3"], "h3"),
        (&["+quic"], "quic"),
    ] {
        let all = [&["dig", "@127.0.0.1", "www.shop.test", "A", "--json"], words].concat();
        let transport = format!("\"transport\":\"{shown}\"");
        expect(&words.join(" "), &thru(&all), &["192.0.2.80", "NOERROR", &transport]);
    }
    let unproven = thru(&["dig", "@127.0.0.1", "www.shop.test", "+tls", "+tls-ca"]);
    expect("an authority is asked for", &unproven, &["TLS failed", "UnknownIssuer"]);
    if let Some(curl) = peer("curl against DNS over HTTPS", "curl", "curl") {
        let url = "https://127.0.0.1/dns-query?dns=AAABAAABAAAAAAAAA3d3dwRzaG9wBHRlc3QAAAEAAQ";
        for version in ["--http1.1", "--http2"] {
            let output = run(
                &curl,
                &[
                    "-sk",
                    version,
                    "-o",
                    "/dev/null",
                    "-w",
                    "%{http_code} %{content_type} %{size_download}",
                    url,
                ],
            );
            expect(version, &output, &["200 application/dns-message "]);
        }
        let headers = run(&curl, &["-skD", "-", "-o", "/dev/null", url]);
        expect("freshness", &headers, &["cache-control: max-age=300"]);
        for (url, status) in [
            ("https://127.0.0.1/elsewhere", "404"),
            ("https://127.0.0.1/dns-query", "400"),
            ("https://127.0.0.1/dns-query?dns=AAAA", "400"),
        ] {
            let output = run(&curl, &["-sk", "-o", "/dev/null", "-w", "%{http_code}", url]);
            assert_eq!(output, status, "{url}");
        }
    }
}

#[test]
fn transfers_reach_those_who_may_have_them() {
    if !inside("serving::transfers_reach_those_who_may_have_them") {
        return;
    }
    let Some(dig) = peer("dig's transfers", "dig", "bind9-dnsutils") else { return };
    let folder = Folder::new("transfer");
    let many: String = (0..2000).map(|number| format!("n{number}.shop.test. 300 IN A 192.0.2.1\n")).collect();
    let zone = folder.write("zone", &(crate::house::head("shop.test.", "127.0.0.1") + &many));
    let words = ["--listen", "127.0.0.1", "--zone", &zone, "--sign", "--nsec3", "--transfer", "127.0.0.1/32"];
    let _server = Server::start(&folder, "orders", &words);
    let whole = run(&dig, &["@127.0.0.1", "shop.test", "AXFR"]);
    expect("AXFR", &whole, &["n1999.shop.test.", "RRSIG", "NSEC3", "NSEC3PARAM", "XFR size: "]);
    let current = run(&dig, &["@127.0.0.1", "shop.test", "IXFR=7"]);
    expect("IXFR of what is current", &current, &["XFR size: 1 records"]);
    let elsewhere = run(&dig, &["-b", "127.0.0.9", "@127.0.0.1", "shop.test", "AXFR"]);
    expect("from another address", &elsewhere, &["Transfer failed"]);
}

#[test]
fn a_forwarder_asks_its_resolver() {
    if !inside("serving::a_forwarder_asks_its_resolver") {
        return;
    }
    let Some(dig) = peer("dig through a forwarder", "dig", "bind9-dnsutils") else { return };
    let folder = Folder::new("forward");
    let tree = Tree::plant(&folder, SHOP, "", &["--sign", "--nsec3"]);
    let mut words = vec!["--listen", "127.0.0.2"];
    words.extend(tree.resolver());
    let resolver = Server::start(&folder, "resolver", &words);
    let words = ["--listen", "127.0.0.1", "--forward", "127.0.0.2", "--anchor", &tree.anchor];
    let forwarder = Server::start(&folder, "forwarder", &words);
    let output = run(&dig, &["@127.0.0.1", "www.shop.test", "A", "+dnssec"]);
    expect("forwarded", &output, &["flags: qr rd ra ad;", "192.0.2.80"]);
    let output = run(&dig, &["@127.0.0.1", "no.shop.test", "A", "+dnssec"]);
    expect("forwarded", &output, &["status: NXDOMAIN", "flags: qr rd ra ad;", "NSEC3"]);
    let refused = run(&dig, &["-b", "127.0.0.1", "@127.0.0.1", "www.shop.test", "A", "+norecurse"]);
    expect("without RD", &refused, &["status: REFUSED"]);
    drop(forwarder);
    expect("its resolver was asked", &resolver.end(), &["by udp"]);
}
