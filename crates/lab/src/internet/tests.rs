use super::*;
use thru_net::lab;

/// Runs `main` on the scenario's internet.
fn on<F, Fut, R>(scenario: Scenario, main: F) -> R
where
    F: FnOnce(Internet) -> Fut + Send + 'static,
    Fut: Future<Output = R> + 'static,
    R: Send + 'static,
{
    lab::run(scenario.options(scenario.seed), move |lab| async move {
        let internet = scenario.start(&lab).await.expect("the scenario starts");
        main(internet).await
    })
    .expect("the lab comes to its end")
}

#[test]
fn the_internet_carries_a_ping() {
    let mut scenario = Scenario::builtin("internet").unwrap();
    scenario.services.clear();
    let rtt = on(scenario, |internet| async move {
        let shop = internet.scenario().node("web-shop").unwrap();
        let mut rtts = Vec::new();
        for v6 in [false, true] {
            let target = internet.scenario().address(shop, v6).unwrap();
            let recorder = thru_probe::Recorder::new(internet.client());
            let result = thru_probe::ping::ping(&recorder, None, target, "idle", Default::default(), |_| {})
                .await
                .unwrap();
            assert_eq!(result.received(), 4, "{target}");
            rtts.extend(result.rtts());
        }
        rtts
    });
    assert!(rtt.iter().all(|rtt| (25..45).contains(&rtt.as_millis())), "{rtt:?}");
}

#[test]
fn names_are_asked_from_the_root_down_by_the_resolver() {
    let (answers, steps) = on(Scenario::builtin("internet").unwrap(), |internet| async move {
        let recorder = thru_probe::Recorder::new(internet.client());
        let options = thru_probe::resolve::ResolveOptions::default();
        let found = thru_probe::resolve::resolve(&recorder, None, "www.shop.lab", &options).await.unwrap();
        let steps: Vec<IpAddr> = internet
            .resolutions()
            .iter()
            .flat_map(|answer| &answer.steps)
            .map(|step| step.server.ip())
            .collect();
        (found.addresses, steps)
    });
    let addresses: Vec<String> = answers.iter().map(ToString::to_string).collect();
    assert_eq!(addresses, ["2001:db8:b:1::10", "203.0.113.10"]);
    let scenario = Scenario::builtin("internet").unwrap();
    for server in ["ns-root", "ns-lab", "ns-hosting"] {
        let node = scenario.node(server).unwrap();
        let own = [false, true].map(|v6| scenario.address(node, v6).unwrap());
        assert!(steps.iter().any(|step| own.contains(step)), "{server} was asked: {steps:?}");
    }
}

/// The internet with a timeline added.
fn with_timeline(timeline: &str) -> Scenario {
    Scenario::parse(&format!("use = \"internet\"\nname = \"timed\"\n{timeline}"), "timed.toml")
        .expect("it is legal")
}

/// Pings the shop ten times a second for `seconds`; for each second, how many came back.
async fn ping_seconds(internet: &Internet, seconds: u16) -> Vec<usize> {
    let shop = internet.scenario().node("web-shop").unwrap();
    let target = internet.scenario().address(shop, false).unwrap();
    let recorder = thru_probe::Recorder::new(internet.client());
    let options = thru_probe::ping::PingOptions {
        count: seconds * 10,
        interval: Duration::from_millis(100),
        ..Default::default()
    };
    let result = thru_probe::ping::ping(&recorder, None, target, "idle", options, |_| {}).await.unwrap();
    let replied =
        |echo: &thru_probe::ping::Echo| matches!(echo.answer, Some(thru_probe::ping::Answer::Reply { .. }));
    result.echoes.chunks(10).map(|second| second.iter().filter(|echo| replied(echo)).count()).collect()
}

#[test]
fn a_link_goes_down_for_a_while() {
    let timeline = "[[at]]\nt = \"950ms\"\nfor = \"2s\"\nlink = \"home--isp\"\nup = false\n";
    let seconds = on(with_timeline(timeline), |internet| async move { ping_seconds(&internet, 4).await });
    assert_eq!(seconds, [10, 0, 0, 10]);
}

#[test]
fn a_route_is_lost_and_found_again() {
    let timeline = "[[at]]\nt = \"1950ms\"\nfor = \"1s\"\nnode = \"transit-a2\"\nroutes = [\"203.0.113.0/26 blackhole\"]\n";
    let seconds = on(with_timeline(timeline), |internet| async move { ping_seconds(&internet, 4).await });
    assert_eq!(seconds, [10, 10, 0, 10]);
}

#[test]
fn rules_and_link_settings_come_and_go() {
    let timeline = "[[at]]\nt = \"950ms\"\nfor = \"1s\"\nnode = \"hosting\"\nrules = [\"drop icmp\"]\n\
        [[at]]\nt = \"2950ms\"\nlink = \"home--isp\"\nset = \"loss_up=100%\"\n";
    let seconds = on(with_timeline(timeline), |internet| async move { ping_seconds(&internet, 4).await });
    assert_eq!(seconds, [10, 0, 10, 0]);
}

/// What ends takes back what it changed, and leaves what others changed meanwhile.
#[test]
fn the_end_of_one_change_is_not_the_end_of_another() {
    let timeline = "[[at]]\nt = \"1950ms\"\nfor = \"2s\"\nlink = \"home--isp\"\nset = \"duplicate=1%\"\n\
        [[at]]\nt = \"2950ms\"\nlink = \"home--isp\"\nset = \"loss_up=100%\"\n";
    let seconds = on(with_timeline(timeline), |internet| async move { ping_seconds(&internet, 5).await });
    assert_eq!(seconds[2..], [10, 0, 0], "the loss stays: {seconds:?}");

    let timeline = "[[at]]\nt = \"950ms\"\nnode = \"hosting\"\nrules = [\"drop icmp\"]\n\
        [[at]]\nt = \"1950ms\"\nfor = \"1s\"\nnode = \"hosting\"\nrules = [\"accept any\"]\n";
    let seconds = on(with_timeline(timeline), |internet| async move { ping_seconds(&internet, 4).await });
    assert_eq!(seconds, [10, 0, 10, 0], "the rules that were replaced are back");

    let down = |t: &str, lasts: &str| {
        format!("[[at]]\nt = \"{t}\"\nfor = \"{lasts}\"\nlink = \"home--isp\"\nup = false\n")
    };
    let timeline = down("950ms", "2s") + &down("1950ms", "2s");
    let seconds = on(with_timeline(&timeline), |internet| async move { ping_seconds(&internet, 5).await });
    assert_eq!(seconds, [10, 0, 0, 0, 10], "down until the last has ended");

    let hole = |t: &str, lasts: &str| {
        format!(
            "[[at]]\nt = \"{t}\"\n{lasts}node = \"transit-a2\"\nroutes = [\"203.0.113.0/26 blackhole\"]\n"
        )
    };
    let timeline = hole("950ms", "for = \"2s\"\n") + &hole("1950ms", "");
    let seconds = on(with_timeline(&timeline), |internet| async move { ping_seconds(&internet, 4).await });
    assert_eq!(seconds, [10, 0, 0, 0], "the second stays");
    let timeline = hole("950ms", "for = \"2s\"\n") + &hole("1950ms", "for = \"2s\"\n");
    let seconds = on(with_timeline(&timeline), |internet| async move { ping_seconds(&internet, 5).await });
    assert_eq!(seconds, [10, 0, 0, 0, 10], "what stood there before either is back");
}

#[test]
fn a_service_keeps_what_others_set_when_one_change_ends() {
    let timeline = "[[at]]\nt = \"1s\"\nfor = \"4s\"\nservice = \"shop\"\nset = { status = 503 }\n\
        [[at]]\nt = \"2s\"\nservice = \"shop\"\nset = { port = 8443 }\n";
    let scenario = with_timeline(timeline);
    let again = Scenario::parse(&scenario.expanded(), "shown.toml").expect("it reads back");
    for scenario in [scenario, again] {
        let seen = |seconds: u64, port: u16| {
            let url = format!("https://www.shop.lab:{port}/").parse().unwrap();
            let at = Duration::from_secs(seconds);
            crate::run::request(scenario.clone(), 1, url, at, |_| {}).unwrap().status
        };
        assert_eq!(seen(1, 443), Some(503));
        assert_eq!(seen(3, 8443), Some(503), "both are in force");
        assert_eq!(seen(6, 8443), Some(200), "the port stays");
    }
}

/// A name server that has a zone and the one above it gives no referral from one to the other.
#[test]
fn a_zone_is_audited_though_its_servers_have_the_one_above_it_too() {
    let text = r#"
use = "internet"
name = "one-server-two-zones"

[service.ns-hosting]
zone = ["""
$ORIGIN shop.lab.
$TTL 300
@     SOA   ns1.hosting.lab. hostmaster.hosting.lab. 2026030201 7200 3600 1209600 300
@     NS    ns1.hosting.lab.
www   A     {web-shop}
www   AAAA  {web-shop}
eu    NS    ns1.hosting.lab.
""", """
$ORIGIN eu.shop.lab.
$TTL 300
@     SOA   ns1.hosting.lab. hostmaster.hosting.lab. 2026030201 7200 3600 1209600 300
@     NS    ns1.hosting.lab.
www   A     {web-shop}
""", """
$ORIGIN hosting.lab.
$TTL 3600
@     SOA   ns1 hostmaster 2026030201 7200 3600 1209600 300
@     NS    ns1
ns1   A     {ns-hosting}
ns1   AAAA  {ns-hosting}
"""]
"#;
    let scenario = Scenario::parse(text, "two-zones.toml").expect("it is legal");
    let audits = on(scenario, |internet| async move {
        let mut audits = Vec::new();
        for name in ["eu.shop.lab", "www.eu.shop.lab", "www.shop.lab"] {
            let name = thru_names::text::parse_name(name).unwrap();
            let audit =
                thru_probe::dig::check::check(&internet.client(), internet.resolver_config(), &name).await;
            audits.push(audit.unwrap());
        }
        audits
    });
    let zones: Vec<String> = audits.iter().map(|audit| audit.zone.to_string()).collect();
    assert_eq!(zones, ["eu.shop.lab.", "eu.shop.lab.", "shop.lab."]);
    let parents: Vec<String> = audits.iter().map(|audit| audit.parent.clone().unwrap().to_string()).collect();
    assert_eq!(parents, ["shop.lab.", "shop.lab.", "lab."]);
    assert!(audits.iter().all(|audit| !audit.servers.is_empty()));
}

#[test]
fn a_site_fails_for_a_while_and_the_date_jumps() {
    let timeline = "[[at]]\nt = \"1s\"\nfor = \"2s\"\nservice = \"shop\"\nset = { status = 503 }\n\
        [[at]]\nt = \"1s\"\nfor = \"2s\"\nservice = \"resolver\"\nset = { behaviour = \"refused\" }\n\
        [[at]]\nt = \"4s\"\ndate = \"2026-06-15\"\n";
    let seen = |seconds: u64| {
        let url = "https://www.shop.lab/".parse().unwrap();
        let at = Duration::from_secs(seconds);
        // By its own address: the resolver is out of order at the same time.
        let adjust = |options: &mut thru_probe::journey::JourneyOptions| {
            options.hosts.push(("www.shop.lab".to_string(), "203.0.113.10".parse().unwrap()));
        };
        let report = crate::run::request(with_timeline(timeline), 1, url, at, adjust).unwrap();
        (report.status, report.verdict.causes)
    };
    assert_eq!(seen(0), (Some(200), vec![]));
    assert_eq!(seen(2), (Some(503), vec!["H103".to_string()]));
    assert_eq!(seen(3), (Some(200), vec![]));
    assert_eq!(seen(5), (None, vec!["TLS07".to_string()]));
}

#[test]
fn a_date_that_stays_outlasts_one_that_ends() {
    let timeline = "[[at]]\nt = \"1s\"\nfor = \"3s\"\ndate = \"2026-06-15\"\n\
        [[at]]\nt = \"2s\"\nfor = \"4s\"\ndate = \"2027-06-15\"\n";
    let years = on(with_timeline(timeline), |internet| async move {
        let mut years = Vec::new();
        for seconds in [0, 1, 3, 5, 7] {
            let network = internet.client();
            network.sleep_until(thru_wire::Instant::from_millis(seconds * 1000 + 500)).await;
            let now = internet.shared.lab.epoch() + network.now().nanos();
            years.push(crate::date::show(now)[..4].to_string());
        }
        years
    });
    assert_eq!(years, ["2026", "2026", "2027", "2027", "2026"]);
}

#[test]
fn a_site_moves_to_another_port_and_back() {
    let timeline = "[[at]]\nt = \"1s\"\nfor = \"2s\"\nservice = \"shop\"\nset = { port = 8443 }\n";
    let seen = on(with_timeline(timeline), |internet| async move {
        let mut seen = Vec::new();
        for seconds in [0, 2, 4] {
            let network = internet.client();
            network.sleep_until(thru_wire::Instant::from_millis(seconds * 1000)).await;
            let open = |port| {
                let remote = SocketAddr::new("203.0.113.10".parse().unwrap(), port);
                let network = network.clone();
                async move { network.connect_tcp(remote, thru_net::ConnectOptions::default()).await.is_ok() }
            };
            seen.push((open(443).await, open(8443).await));
        }
        seen
    });
    assert_eq!(seen, [(true, false), (false, true), (true, false)]);
}

#[test]
fn a_resolver_refuses_for_a_while() {
    let timeline =
        "[[at]]\nt = \"1s\"\nfor = \"2s\"\nservice = \"resolver\"\nset = { behaviour = \"refused\" }\n";
    let seen = on(with_timeline(timeline), |internet| async move {
        let mut seen = Vec::new();
        for seconds in [0, 2, 4] {
            let network = internet.client();
            network.sleep_until(thru_wire::Instant::from_millis(seconds * 1000)).await;
            let recorder = thru_probe::Recorder::new(network);
            let request = thru_probe::dig::DigRequest::parse(&["www.shop.lab"]).unwrap();
            let answer =
                thru_probe::dig::dig(&recorder, &request, internet.resolver_config(), &[]).await.unwrap();
            seen.push(answer.rcode);
        }
        seen
    });
    assert_eq!(seen, ["NOERROR", "REFUSED", "NOERROR"]);
}

#[test]
fn a_drop_far_away_is_told_on_the_packet_that_left() {
    let mut scenario = Scenario::builtin("internet").unwrap();
    scenario.apply_set("home--isp.loss_up=100%").unwrap();
    let trace = on(scenario, |internet| async move {
        let recorder = thru_probe::Recorder::new(internet.client());
        let target = "203.0.113.10".parse().unwrap();
        let options = thru_probe::ping::PingOptions { count: 1, ..Default::default() };
        thru_probe::ping::ping(&recorder, None, target, "idle", options, |_| {}).await.unwrap();
        let mut trace = Trace::default();
        internet.finish(&mut trace);
        trace
    });
    assert_eq!(trace.interfaces, ["laptop--lan"], "one packet, although its addresses changed in the NAT");
    let comments: Vec<&str> = trace.packets.iter().filter_map(|packet| packet.comment.as_deref()).collect();
    assert_eq!(comments, ["dropped on home--isp: lost on the wire (link impairment)"]);
}

#[test]
fn addresses_have_names() {
    let names = on(Scenario::builtin("internet").unwrap(), |internet| async move {
        let mut names = Vec::new();
        for address in ["192.0.2.1", "2001:db8:b:1::10", "192.168.1.1"] {
            let recorder = thru_probe::Recorder::new(internet.client());
            let request = thru_probe::dig::DigRequest::parse(&["-x", address]).unwrap();
            let answer =
                thru_probe::dig::dig(&recorder, &request, internet.resolver_config(), &[]).await.unwrap();
            names.push(format!("{} {}", answer.rcode, answer.short.join(" ")));
        }
        names
    });
    assert_eq!(names, ["NOERROR bng1.access.lab.", "NOERROR www.shop.lab.", "NXDOMAIN "]);
}
