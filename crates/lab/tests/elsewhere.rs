//! What a person gives beside the address, to compare with: a second place, a control site, a resolver, a pause.

use std::net::SocketAddr;
use std::time::Duration;

use thru_lab::{Scenario, run};
use thru_probe::journey::JourneyOptions;
use thru_probe::journey::tunnel::Proxy;
use url::Url;

/// The shop's port is closed for the home's provider only; a proxy stands elsewhere.
const TWO_PLACES: &str = r#"
use = "internet"
name = "two-places"
nodes = ["proxy"]
links = ["proxy -- transit-b2 : datacenter { net=198.18.5.8/29 }"]

[node.proxy]
addresses = ["198.18.5.10"]
resolvers = ["open-resolver"]

[node.isp]
rules = ["drop tcp 443 to web-shop"]

[service.passes-on]
kind = "proxy"
on = "proxy"
"#;

fn ask(scenario: Scenario, change: impl FnOnce(&mut JourneyOptions) + Send + 'static) -> run::Report {
    let url = Url::parse("https://www.shop.lab/").expect("a URL");
    run::request(scenario, 1, url, Duration::ZERO, change).expect("the lab starts")
}

fn two_places() -> Scenario {
    Scenario::parse(TWO_PLACES, "two-places.toml").unwrap_or_else(|error| panic!("{error}"))
}

fn causes(report: &run::Report) -> Vec<&str> {
    report.verdict.causes.iter().map(String::as_str).collect()
}

#[test]
fn a_second_place_takes_the_server_out_of_the_set() {
    let alone = ask(two_places(), |_| {});
    assert_eq!(causes(&alone), ["FW01", "TCP03"]);
    let vantage = |address: &str| Proxy::parse(address).expect("a proxy");
    let here = vantage("http://198.18.5.10:3128");
    let both = ask(two_places(), move |options| options.vantage = Some(here));
    assert_eq!(causes(&both), ["FW01"]);
    assert!(both.verdict.summary.contains("From another place"), "{}", both.verdict.summary);
    // A proxy that is not there has seen nothing.
    let nobody = vantage("http://198.18.5.11:3128");
    let blind = ask(two_places(), move |options| options.vantage = Some(nobody));
    assert_eq!(causes(&blind), ["FW01", "TCP03"]);
    let control = blind.trace.spans.iter().find(|span| span.text("control.kind") == Some("vantage"));
    let text = format!("{:?}", control.expect("it was tried").outcome);
    assert!(text.contains("that proxy is not reached itself"), "{text}");
}

#[test]
fn a_control_site_that_is_not_found_is_no_proof_against_the_way_out() {
    let lab = || Scenario::builtin("port-dropped").expect("it is built in");
    let usual = ask(lab(), |_| {});
    let mistyped = ask(lab(), |options| {
        options.control_site = Some(Url::parse("https://www.nowhere.lab/").expect("a URL"));
    });
    assert_eq!(causes(&mistyped), causes(&usual));
    let control = mistyped.trace.spans.iter().find(|span| span.text("control.kind") == Some("other_site"));
    let text = format!("{:?}", control.expect("it was tried").outcome);
    assert!(text.contains("nowhere"), "{text}");
}

#[test]
fn another_resolver_is_asked_if_it_is_given() {
    let lab = || Scenario::builtin("dns-silent").expect("it is built in");
    let asked = |report: &run::Report, address: &str| {
        let server =
            |span: &thru_trace::Span| span.socket("dns.server").map(|server| server.ip().to_string());
        report.trace.spans.iter().any(|span| server(span).as_deref() == Some(address) && span.is_ok())
    };
    let resolver: SocketAddr = "198.51.100.53:53".parse().expect("an address");
    let with = ask(lab(), move |options| options.other_resolvers = vec![resolver]);
    assert!(asked(&with, "198.51.100.53"));
    let without = ask(lab(), |options| options.other_resolvers = Vec::new());
    assert!(!asked(&without, "198.51.100.53"));
    for report in [with, without] {
        assert_eq!(causes(&report), ["DNS02"]);
    }
}

#[test]
fn a_pause_shows_what_forgets_connections() {
    let pause = |time| move |options: &mut JourneyOptions| options.again_after = Some(time);
    let healthy = Scenario::builtin("internet").expect("it is built in");
    let remembered = ask(healthy, pause(Duration::from_secs(60)));
    assert_eq!(causes(&remembered), [""; 0]);
    assert!(remembered.trace.spans.iter().any(|span| span.what == "pause"));
}
