//! Recursive, forwarding, authoritative; every transport; orders and logs.

use std::fs;

use thru_peers::peer;

use crate::house::{Folder, Server, Tree, expect, inside, run, thru};

const SHOP: &str = "www.shop.land. 300 IN A 192.0.2.80\n*.wild.shop.land. 300 IN TXT \"any\"\n\
                    alias.shop.land. 300 IN CNAME www.shop.land.\n";
/// A delegation whose DS is of no key that is there.
const WRONG: &str = "wrong.land. 300 IN NS ns.shop.land.\n\
    wrong.land. 300 IN DS 1 15 2 0000000000000000000000000000000000000000000000000000000000000000\n";

#[test]
fn a_resolver_validates_from_the_root_down_and_takes_orders() {
    let Some(dig) = peer("dig against thru serve dns", "dig", "bind9-dnsutils") else { return };
    if !inside("serving::a_resolver_validates_from_the_root_down_and_takes_orders") {
        return;
    }
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
            "www.shop.land A +dnssec",
            &["status: NOERROR", "flags: qr rd ra ad;", "192.0.2.80", "RRSIG\tA 15 3"][..],
        ),
        // Again: ready in octets, in the client's own spelling.
        ("wWw.Shop.land A +dnssec +nocookie", &["flags: qr rd ra ad;", "wWw.Shop.land.", "192.0.2.80"]),
        ("www.SHOP.land A +dnssec +nocookie", &["flags: qr rd ra ad;", "www.SHOP.land.", "192.0.2.80"]),
        ("x.wild.shop.land TXT +dnssec", &["flags: qr rd ra ad;", "\"any\"", "NSEC"]),
        ("alias.shop.land A +adflag", &["flags: qr rd ra ad;", "CNAME\twww.shop.land.", "192.0.2.80"]),
        ("no.shop.land A +dnssec +tcp", &["status: NXDOMAIN", "flags: qr rd ra ad;", "NSEC", "(TCP)"]),
        ("www.wrong.land A", &["status: SERVFAIL", "EDE: "]),
        ("shop.land AXFR", &["Transfer failed"]),
        ("www.shop.land A +tcp +keepalive", &["192.0.2.80", "TCP KEEPALIVE: 10.0 secs"]),
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
        &thru(&["dns", "flush", "shop.land", "--control", &control]),
        &["\"flushed\": \"shop.land.\""],
    );
    expect(
        "flush",
        &thru(&["dns", "flush", "--control", &control]),
        &["\"flushed\": \".\"", "\"entries\": "],
    );
    expect("after the flush", &ask("www.shop.land A +dnssec"), &["flags: qr rd ra ad;"]);
    let said = server.end();
    expect("the end", &said, &["by udp, ", "by tcp; ", "questions to other servers"]);
    let lines = fs::read_to_string(&log).expect("a log");
    expect(
        "the log",
        &lines,
        &["\"name\":\"www.shop.land.\"", "\"transport\":\"tcp\"", "\"rcode\":\"NXDOMAIN\""],
    );
    assert!(!folder.0.join("orders").exists(), "its socket goes with it");
    let gone = thru(&["dns", "stats", "--control", &control]);
    expect("nobody there", &gone, &["no server takes orders at"]);
}

#[test]
fn every_transport_carries_the_same_answer() {
    // Inside nothing can be installed.
    let kdig = peer("kdig against every transport", "kdig", "knot-dnsutils");
    let dig = peer("dig against every transport", "dig", "bind9-dnsutils");
    let curl = peer("curl against DNS over HTTPS", "curl", "curl");
    if !inside("serving::every_transport_carries_the_same_answer") {
        return;
    }
    let folder = Folder::new("transports");
    let zone = folder.write("zone", &(crate::house::head("shop.land.", "127.0.0.1") + SHOP));
    let at = "127.0.0.1";
    let words = ["--listen", at, "--tls", at, "--https", at, "--quic", at, "--zone", &zone, "--sign", "p256"];
    let _server = Server::start(&folder, "orders", &words);
    if let Some(kdig) = kdig {
        for (words, shown) in [
            (&["+notcp"][..], "(UDP)"),
            (&["+tcp"], "(TCP)"),
            (&["+tls", "+padding"], "TLS session (TLS1.3)"),
            (&["+https", "+padding"], "HTTP session (HTTP/2-POST)"),
            (&["+https-get"], "HTTP session (HTTP/2-GET)"),
        ] {
            let all = [&["@127.0.0.1", "www.shop.land", "A", "+dnssec"], words].concat();
            let output = run(&kdig, &all);
            expect(&words.join(" "), &output, &["192.0.2.80", "RRSIG", "status: NOERROR", shown]);
            if words.contains(&"+padding") {
                expect("padding", &output, &["PADDING", "468 B"]);
            }
        }
        // Built without QUIC it knows no such word.
        let output = run(&kdig, &["@127.0.0.1", "www.shop.land", "A", "+quic"]);
        if output.contains("QUIC") {
            expect("+quic", &output, &["192.0.2.80"]);
        }
    }
    if let Some(dig) = dig {
        for (words, shown) in
            [(&["+tls"][..], "(TLS)"), (&["+https"], "(HTTPS)"), (&["+https-get"], "(HTTPS")]
        {
            let all = [&["@127.0.0.1", "www.shop.land", "A"], words].concat();
            expect(&words.join(" "), &run(&dig, &all), &["192.0.2.80", shown]);
        }
        let transfer = run(&dig, &["@127.0.0.1", "shop.land", "AXFR"]);
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
        let all = [&["dig", "@127.0.0.1", "www.shop.land", "A", "--json"], words].concat();
        let transport = format!("\"transport\":\"{shown}\"");
        expect(&words.join(" "), &thru(&all), &["192.0.2.80", "NOERROR", &transport]);
    }
    let unproven = thru(&["dig", "@127.0.0.1", "www.shop.land", "+tls", "+tls-ca"]);
    expect("an authority is asked for", &unproven, &["TLS failed", "UnknownIssuer"]);
    if let Some(curl) = curl {
        let url = "https://127.0.0.1/dns-query?dns=AAABAAABAAAAAAAAA3d3dwRzaG9wBGxhbmQAAAEAAQ";
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
    let Some(dig) = peer("dig's transfers", "dig", "bind9-dnsutils") else { return };
    if !inside("serving::transfers_reach_those_who_may_have_them") {
        return;
    }
    let folder = Folder::new("transfer");
    let many: String = (0..2000).map(|number| format!("n{number}.shop.land. 300 IN A 192.0.2.1\n")).collect();
    let zone = folder.write("zone", &(crate::house::head("shop.land.", "127.0.0.1") + &many));
    let words = ["--listen", "127.0.0.1", "--zone", &zone, "--sign", "--nsec3", "--transfer", "127.0.0.1/32"];
    let _server = Server::start(&folder, "orders", &words);
    let whole = run(&dig, &["@127.0.0.1", "shop.land", "AXFR"]);
    expect("AXFR", &whole, &["n1999.shop.land.", "RRSIG", "NSEC3", "NSEC3PARAM", "XFR size: "]);
    let current = run(&dig, &["@127.0.0.1", "shop.land", "IXFR=7"]);
    expect("IXFR of what is current", &current, &["XFR size: 1 records"]);
    let elsewhere = run(&dig, &["-b", "127.0.0.9", "@127.0.0.1", "shop.land", "AXFR"]);
    expect("from another address", &elsewhere, &["Transfer failed"]);
}

#[test]
fn a_forwarder_asks_its_resolver() {
    let Some(dig) = peer("dig through a forwarder", "dig", "bind9-dnsutils") else { return };
    if !inside("serving::a_forwarder_asks_its_resolver") {
        return;
    }
    let folder = Folder::new("forward");
    let tree = Tree::plant(&folder, SHOP, "", &["--sign", "--nsec3"]);
    let mut words = vec!["--listen", "127.0.0.2"];
    words.extend(tree.resolver());
    let resolver = Server::start(&folder, "resolver", &words);
    let words = ["--listen", "127.0.0.1", "--forward", "127.0.0.2", "--anchor", &tree.anchor];
    let forwarder = Server::start(&folder, "forwarder", &words);
    let output = run(&dig, &["@127.0.0.1", "www.shop.land", "A", "+dnssec"]);
    expect("forwarded", &output, &["flags: qr rd ra ad;", "192.0.2.80"]);
    let output = run(&dig, &["@127.0.0.1", "no.shop.land", "A", "+dnssec"]);
    expect("forwarded", &output, &["status: NXDOMAIN", "flags: qr rd ra ad;", "NSEC3"]);
    let refused = run(&dig, &["-b", "127.0.0.1", "@127.0.0.1", "www.shop.land", "A", "+norecurse"]);
    expect("without RD", &refused, &["status: REFUSED"]);
    drop(forwarder);
    expect("its resolver was asked", &resolver.end(), &["by udp"]);
}

#[test]
fn on_the_wildcard_answers_leave_from_the_address_that_was_asked() {
    if !inside("serving::on_the_wildcard_answers_leave_from_the_address_that_was_asked") {
        return;
    }
    let folder = Folder::new("wildcard");
    let zone = folder.write("zone", &(crate::house::head("shop.land.", "127.0.0.1") + SHOP));
    let words = ["--listen", "0.0.0.0", "--listen", "::", "--zone", &zone];
    let _server = Server::start(&folder, "orders", &words);
    for address in ["127.0.0.1", "127.0.0.9", "127.200.0.1", "::1"] {
        let at = format!("@{address}");
        let output = thru(&["dig", &at, "www.shop.land", "+tries=1", "+time=2"]);
        expect(&at, &output, &["192.0.2.80", "over udp"]);
    }
}
