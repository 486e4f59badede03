//! Everything in virtual time: a client, its resolver, a root, a top-level domain and a shop around one switch.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::rr::RecordType;
use thru_names::text::parse_name;
use thru_net::Network;
use thru_net::lab::{Lab, LabOptions, run};
use thru_probe::Recorder;
use thru_probe::dig::{DigRequest, dig};
use thru_probe::resolve::control::{Way, control as ask_otherwise, control_iterate};
use thru_probe::resolve::stub::Patience;
use thru_probe::resolve::{Families, ResolveOptions, record_steps, resolve};
use thru_serve::dns::{Behaviour, DnsHandle, authoritative, recursive, service_for};
use thru_sim::link::{LinkConfig, Pipe};
use thru_stack::route::{Route, RouteTarget};
use thru_stack::{HostConfig, InterfaceConfig, InterfaceId, Medium};
use thru_trace::{Outcome, Span, Value};
use thru_wire::{Cidr, MacAddr};

use crate::zones::{Places, responder};

const NODES: [&str; 6] = ["client", "resolver", "root", "tld", "shop", "other"];

pub(crate) fn v4(node: &str) -> IpAddr {
    let index = NODES.iter().position(|known| *known == node).expect("a node");
    Ipv4Addr::new(192, 0, 2, 1 + index as u8).into()
}

fn v6(node: &str) -> IpAddr {
    let index = NODES.iter().position(|known| *known == node).expect("a node");
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1 + index as u16).into()
}

/// The whole internet of this test.
struct Internet {
    client: Network,
    places: Places,
    resolver: DnsHandle,
    shop: DnsHandle,
    lab: Lab,
}

fn at(address: IpAddr) -> SocketAddr {
    SocketAddr::new(address, 53)
}

impl Internet {
    fn build(lab: Lab) -> Internet {
        let networks = wires(&lab);
        let network =
            |node: &str| networks[NODES.iter().position(|known| *known == node).expect("a node")].clone();
        let both = |node: &str| vec![v4(node), v6(node)];
        let places = Places { root: both("root"), lab: both("tld"), shop: both("shop") };
        let shop = DnsHandle::default();
        for (node, text, handle) in [
            ("root", places.root_text(), DnsHandle::default()),
            ("tld", places.lab_text(), DnsHandle::default()),
            ("shop", places.shop_text(), shop.clone()),
        ] {
            for address in both(node) {
                let server = authoritative(network(node), at(address), responder(&text), handle.clone());
                tokio::spawn(async move { server.await.expect("it can be bound") });
            }
        }
        let resolver = DnsHandle::default();
        for (node, handle) in [("resolver", resolver.clone()), ("other", DnsHandle::default())] {
            let config = service_for(places.config(), &[(v4("client"), 24)]);
            let server = recursive(network(node), at(v4(node)), config, handle);
            tokio::spawn(async move { server.await.expect("it can be bound") });
        }
        Internet { client: network("client"), places, resolver, shop, lab }
    }

    async fn resolve(&self, name: &str) -> (Result<Vec<IpAddr>, &'static str>, Vec<Span>) {
        self.resolve_with(name, &ResolveOptions::default()).await
    }

    async fn resolve_with(
        &self,
        name: &str,
        options: &ResolveOptions,
    ) -> (Result<Vec<IpAddr>, &'static str>, Vec<Span>) {
        let recorder = Recorder::new(self.client.clone());
        let found = resolve(&recorder, None, name, options).await;
        (found.map(|found| found.addresses).map_err(|failure| failure.code), recorder.spans())
    }
}

/// Six hosts around a switch, 5 ms from each to it.
pub(crate) fn wires(lab: &Lab) -> Vec<Network> {
    let pipe = Pipe { delay: Duration::from_millis(5), ..Pipe::default() };
    let mut world = lab.world();
    let switch = world.add_switch("switch");
    let mut nodes = Vec::new();
    for (index, name) in NODES.iter().enumerate() {
        let node = world.add_host(name, HostConfig::default());
        let interface = InterfaceConfig {
            name: "eth0".to_owned(),
            medium: Medium::Ethernet,
            mac: MacAddr([2, 0, 0, 0, 0, index as u8 + 1]),
            mtu: 1500,
        };
        let config = LinkConfig { a_to_b: pipe.clone(), b_to_a: pipe.clone() };
        world.connect(&format!("{name}--switch"), (node, Some(interface)), (switch, None), config);
        for (address, length) in [(v4(name), 24), (v6(name), 64)] {
            let cidr = Cidr::new(address, length).expect("the length fits the family");
            world.with_host(node, |host, _| host.add_address(InterfaceId(0), cidr));
        }
        // Nothing lies behind it, but a host without a default route would not ask for AAAA.
        let router = RouteTarget::Via(InterfaceId(0), v6("other"));
        let prefix = "::/0".parse().expect("a prefix");
        world.with_host(node, |host, _| host.add_route(Route { prefix, target: router, metric: 1 }));
        nodes.push(node);
    }
    drop(world);
    nodes.into_iter().map(|node| lab.network(node, vec![at(v4("resolver"))])).collect()
}

fn in_lab<F, Fut, R>(seed: u64, main: F) -> R
where
    F: FnOnce(Internet) -> Fut + Send + 'static,
    Fut: Future<Output = R> + 'static,
    R: Send + 'static,
{
    let options = LabOptions {
        name: "names".to_owned(),
        seed,
        epoch_unix_nanos: 1_800_000_000_000_000_000,
        limit: Duration::from_secs(600),
    };
    let result = run(options, move |lab| async move {
        let internet = Internet::build(lab.clone());
        // Addresses are checked for doubles first; a second later every one is in use.
        internet.client.sleep(Duration::from_secs(2)).await;
        main(internet).await
    });
    result.unwrap_or_else(|error| panic!("{error}; seed {seed}"))
}

fn text<'a>(span: &'a Span, key: &str) -> &'a str {
    match span.values.get(key) {
        Some(Value::Text(text)) => text,
        other => panic!("{key} of {} is {other:?}", span.label),
    }
}

fn code(span: &Span) -> Option<&str> {
    match &span.outcome {
        Outcome::Failed { code, .. } => Some(code),
        _ => None,
    }
}

fn queries(spans: &[Span]) -> Vec<&Span> {
    spans.iter().filter(|span| span.what == "dns.query").collect()
}

#[test]
fn both_families_from_the_root_down() {
    in_lab(1, |net| async move {
        let (found, spans) = net.resolve("www.shop.lab").await;
        let expected: [IpAddr; 2] = [[0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x80].into(), [192, 0, 2, 80].into()];
        assert_eq!(found, Ok(expected.to_vec()));
        assert_eq!(spans[0].what, "resolve");
        assert_eq!(text(&spans[0], "dns.name"), "www.shop.lab.");
        assert_eq!(spans[0].values["dns.addresses"], Value::List(expected.map(Value::Address).into()));
        let queries = queries(&spans);
        assert_eq!(queries.len(), 2);
        for (query, kind) in queries.iter().zip(["AAAA", "A"]) {
            assert_eq!(text(query, "dns.type"), kind);
            assert_eq!(text(query, "dns.server"), "192.0.2.2:53");
            assert_eq!(text(query, "dns.rcode"), "NOERROR");
            assert_eq!(text(query, "dns.transport"), "udp");
            assert_eq!(query.values["dns.tries"], Value::Int(1));
            assert!(query.end <= spans[0].end);
        }
        // The lab's resolver tells how it found out.
        let log = net.resolver.log();
        assert_eq!(log.len(), 2);
        let recorder = Recorder::new(net.client.clone());
        let span = recorder.open(None, thru_trace::Layer::Dns, "resolve", "shown");
        record_steps(&recorder, span, &log[0].steps);
        let steps = recorder.spans();
        let said: Vec<&str> = steps[1..].iter().map(|step| text(step, "dns.said")).collect();
        assert_eq!(said, ["referral to lab.", "referral to shop.lab.", "answer"]);
        assert!(steps[1..].iter().all(|step| text(step, "vantage") == "resolver" && step.what == "dns.step"));
        // Again: from the resolver's cache, one round trip of 20 ms.
        let before = net.lab.now();
        assert!(net.resolve("www.shop.lab").await.0.is_ok());
        assert_eq!(net.lab.now().since(before), Duration::from_millis(20));
        assert_eq!(net.resolver.log().len(), 2);
    });
}

#[test]
fn the_codes_of_every_failure() {
    in_lab(2, |net| async move {
        assert_eq!(net.resolve("nothing.shop.lab").await.0, Err("dns.nxdomain"));
        assert_eq!(net.resolve("shop.lab").await.0, Err("dns.no_data"));
        assert_eq!(net.resolve("bad..name").await.0, Err("dns.bad_name"));

        let (found, spans) = net.resolve("four.shop.lab").await;
        assert_eq!(found, Ok(vec![[192, 0, 2, 84].into()]), "a name with one family is healthy");
        assert_eq!(code(&spans[0]), None);
        let missing =
            queries(&spans).into_iter().find(|span| text(span, "dns.type") == "AAAA").expect("asked");
        assert_eq!(code(missing), Some("dns.no_data"));

        net.resolver.set_behaviour(Behaviour::ServFail);
        assert_eq!(net.resolve("www.shop.lab").await.0, Err("dns.servfail"));
        net.resolver.set_behaviour(Behaviour::Refused);
        assert_eq!(net.resolve("www.shop.lab").await.0, Err("dns.refused"));

        net.resolver.set_behaviour(Behaviour::Silent);
        let before = net.lab.now();
        let (found, spans) = net.resolve("www.shop.lab").await;
        assert_eq!(found, Err("dns.timeout"));
        assert_eq!(net.lab.now().since(before), Duration::from_secs(4), "two tries of 2 s");
        for query in queries(&spans) {
            assert_eq!(code(query), Some("dns.timeout"));
            assert_eq!(query.values["dns.tries"], Value::Int(2));
        }

        net.resolver.set_behaviour(Behaviour::Slow(Duration::from_millis(300)));
        let before = net.lab.now();
        assert!(net.resolve("www.shop.lab").await.0.is_ok());
        assert!(net.lab.now().since(before) >= Duration::from_millis(300));

        // Nobody listens there: ICMP port unreachable, at once.
        let closed = ResolveOptions { resolvers: Some(vec![at(v4("client"))]), ..ResolveOptions::default() };
        assert_eq!(net.resolve_with("www.shop.lab", &closed).await.0, Err("dns.unreachable"));
        let closed = SocketAddr::new(v4("resolver"), 5353);
        let closed = ResolveOptions { resolvers: Some(vec![closed]), ..ResolveOptions::default() };
        let (found, spans) = net.resolve_with("www.shop.lab", &closed).await;
        assert_eq!(found, Err("dns.unreachable"));
        assert_eq!(text(queries(&spans)[0], "icmp.kind"), "port unreachable");
        let none = ResolveOptions { resolvers: Some(Vec::new()), ..ResolveOptions::default() };
        assert_eq!(net.resolve_with("www.shop.lab", &none).await.0, Err("dns.no_resolver"));
    });
}

#[test]
fn an_authority_in_trouble_is_told_by_the_resolver() {
    in_lab(3, |net| async move {
        net.shop.set_behaviour(Behaviour::ServFail);
        let (found, spans) = net.resolve("www.shop.lab").await;
        assert_eq!(found, Err("dns.servfail"));
        let reason = text(queries(&spans)[0], "dns.ede");
        assert!(reason.starts_with("23 Network Error: ") && reason.contains("answered SERVFAIL"), "{reason}");

        net.shop.set_behaviour(Behaviour::Silent);
        net.client.sleep(Duration::from_secs(6)).await;
        let (found, spans) = net.resolve("www.shop.lab").await;
        assert_eq!(found, Err("dns.servfail"), "the resolver gives up before the stub does");
        let reason = text(queries(&spans)[0], "dns.ede");
        assert!(reason.starts_with("22 No Reachable Authority: "), "{reason}");
    });
}

#[test]
fn a_second_resolver_is_asked_when_the_first_fails() {
    in_lab(4, |net| async move {
        let both = ResolveOptions {
            resolvers: Some(vec![at(v4("resolver")), at(v4("other"))]),
            families: Families::V4,
            ..ResolveOptions::default()
        };
        for (behaviour, why) in [
            (Behaviour::Silent, "dns.timeout"),
            (Behaviour::ServFail, "dns.servfail"),
            (Behaviour::Refused, "dns.refused"),
        ] {
            net.resolver.set_behaviour(behaviour);
            let (found, spans) = net.resolve_with("www.shop.lab", &both).await;
            assert_eq!(found, Ok(vec![[192, 0, 2, 80].into()]));
            let codes: Vec<_> = queries(&spans).iter().map(|span| code(span)).collect();
            assert_eq!(codes, [Some(why), None]);
        }
    });
}

#[test]
fn long_answers_go_over_tcp_all_the_way() {
    in_lab(5, |net| async move {
        let recorder = Recorder::new(net.client.clone());
        let request = DigRequest::parse(&["big.shop.lab", "txt"]).expect("a request");
        let answer = dig(&recorder, &request, net.places.config(), &[]).await.expect("an answer");
        assert_eq!((answer.answers.len(), answer.over_tcp), (8, true));
        assert!(answer.size > 1232);
        let steps = &net.resolver.log()[0].steps;
        assert!(steps.last().expect("steps").over_tcp);
    });
}

#[test]
fn what_needs_no_question() {
    in_lab(6, |net| async move {
        let queries_before = net.resolver.queries();
        let (found, spans) = net.resolve("192.0.2.7").await;
        assert_eq!((found, spans.len()), (Ok(vec![[192, 0, 2, 7].into()]), 0));
        assert_eq!(
            net.resolve("[2001:db8::7]").await.0,
            Ok(vec!["2001:db8::7".parse().expect("an address")])
        );
        assert_eq!(net.resolve("localhost").await.0.map(|found| found.len()), Ok(2));
        let hosts = vec![("printer".to_owned(), v4("other"))];
        let options = ResolveOptions { hosts, ..ResolveOptions::default() };
        let (found, spans) = net.resolve_with("Printer", &options).await;
        assert_eq!(found, Ok(vec![v4("other")]));
        assert_eq!(text(&spans[0], "dns.source"), "hosts");
        assert_eq!(net.resolver.queries(), queries_before);
    });
}

#[test]
fn the_controls_split_what_looks_alike() {
    in_lab(7, |net| async move {
        let recorder = Recorder::new(net.client.clone());
        let name = parse_name("www.shop.lab").expect("a name");
        let patience = Patience::default();
        let other = [at(v4("other"))];

        net.resolver.set_behaviour(Behaviour::Silent);
        let asked =
            ask_otherwise(&recorder, None, Way::OtherResolver, &name, RecordType::A, &other, patience).await;
        assert_eq!(asked.code, None);
        let (control, answer) =
            control_iterate(&recorder, None, &name, RecordType::A, net.places.config()).await;
        assert_eq!((control.code, answer.records.len()), (None, 1));
        let span = recorder.span(control.span).expect("recorded");
        assert_eq!(text(&span, "control.kind"), "iterate");
        assert_eq!(text(&span, "dns.authority_rcode"), "NOERROR");
        assert!(
            matches!(span.values["dns.authority"], Value::Address(address) if address == v4("shop") || address == v6("shop"))
        );
        let children =
            recorder.spans().into_iter().filter(|child| child.parent == Some(control.span)).count();
        assert_eq!(children, 3);

        net.shop.set_behaviour(Behaviour::Refused);
        let (control, _) = control_iterate(&recorder, None, &name, RecordType::A, net.places.config()).await;
        assert_eq!(control.code, Some("dns.refused"));
        assert_eq!(text(&recorder.span(control.span).expect("recorded"), "dns.authority_rcode"), "REFUSED");

        net.shop.set_behaviour(Behaviour::Normal);
        let missing = parse_name("nothing.shop.lab").expect("a name");
        let (control, _) =
            control_iterate(&recorder, None, &missing, RecordType::A, net.places.config()).await;
        assert_eq!(control.code, Some("dns.nxdomain"));
        net.resolver.set_behaviour(Behaviour::ServFail);
        let own = [at(v4("resolver"))];
        let asked =
            ask_otherwise(&recorder, None, Way::CheckingDisabled, &name, RecordType::A, &own, patience).await;
        assert_eq!(asked.code, Some("dns.servfail"));
    });
}

#[test]
fn strangers_are_refused() {
    in_lab(8, |net| async move {
        let recorder = Recorder::new(net.client.clone());
        let over_six =
            DigRequest::parse(&[&format!("@{}", v6("resolver")), "www.shop.lab"]).expect("a request");
        assert!(dig(&recorder, &over_six, net.places.config(), &[]).await.is_err(), "not bound there");
        let allow = [([10, 0, 0, 0].into(), 8), ([0x2001, 0xdb8, 1, 0, 0, 0, 0, 0].into(), 48)];
        let config = service_for(net.places.config(), &allow);
        let here = SocketAddr::new(v4("client"), 53);
        tokio::spawn(recursive(net.client.clone(), here, config, DnsHandle::default()));
        net.client.sleep(Duration::from_millis(1)).await;
        let request = DigRequest::parse(&[&format!("@{}", v4("client")), "www.shop.lab"]).expect("a request");
        let answer = dig(&recorder, &request, net.places.config(), &[]).await.expect("an answer");
        assert_eq!(answer.rcode, "REFUSED");
    });
}

#[test]
fn dig_in_all_its_forms() {
    in_lab(9, |net| async move {
        let recorder = Recorder::new(net.client.clone());
        let root = net.places.config();
        let ask = |words: &'static str| {
            let words: Vec<&str> = words.split(' ').collect();
            let request = DigRequest::parse(&words).expect("a request");
            let (recorder, root) = (recorder.clone(), root.clone());
            async move { dig(&recorder, &request, root, &[]).await.expect("an answer") }
        };
        let plain = ask("alias.shop.lab").await;
        assert_eq!(plain.short, ["www.shop.lab.", "192.0.2.80"]);
        assert_eq!(plain.answers[1], "www.shop.lab. 300 IN A 192.0.2.80");
        assert_eq!(plain.flags, ["qr", "rd", "ra"]);
        assert_eq!((plain.rcode.as_str(), plain.edns), ("NOERROR", Some((0, 1232))));
        let direct = ask("@192.0.2.5 www.shop.lab aaaa +norecurse").await;
        assert_eq!(direct.flags, ["qr", "aa"]);
        let referral = ask("@192.0.2.4 www.shop.lab +norec").await;
        assert_eq!(referral.authorities, ["shop.lab. 3600 IN NS ns1.shop.lab."]);
        assert_eq!(referral.additionals.len(), 2);
        assert!(ask("@192.0.2.5 shop.lab mx +tcp").await.over_tcp);
        assert_eq!(ask("nothing.shop.lab").await.rcode, "NXDOMAIN");
        let by_name = ask("@ns1.shop.lab www.shop.lab -4 +norec").await;
        assert_eq!(by_name.server, Some(at(v4("shop"))));
        let trace = ask("www.shop.lab +trace").await;
        assert_eq!(trace.steps.len(), 3);
        assert_eq!(trace.short, ["192.0.2.80"]);
    });
}

#[test]
fn the_same_seed_gives_the_same_spans() {
    let spans = |seed| {
        in_lab(seed, |net| async move {
            let (_, mut spans) = net.resolve("www.shop.lab").await;
            spans.extend(net.resolve("nothing.shop.lab").await.1);
            format!("{spans:?} {:?} {}", net.resolver.log(), net.lab.world().digest())
        })
    };
    assert_eq!(spans(10), spans(10));
    assert_ne!(spans(10), spans(11));
}
