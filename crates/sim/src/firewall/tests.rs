use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use super::*;
use crate::testing::{answer, echo, end, icmp, ip, tcp, udp};
use thru_wire::tcp::Flags;

const LAN: InterfaceId = InterfaceId(0);
const WAN: InterfaceId = InterfaceId(1);

fn firewall(rules: Vec<Rule>) -> Firewall {
    Firewall::new(FirewallConfig { rules, ..FirewallConfig::default() })
}

fn one(matches: Match) -> Firewall {
    firewall(vec![Rule::new(matches, Action::Drop)])
}

/// Whether a packet on its way from LAN to WAN passes.
fn passes(firewall: &Firewall, packet: &[u8]) -> bool {
    judge(firewall, 0, (LAN, WAN), packet) == Judgement::Accept
}

fn judge(
    firewall: &Firewall,
    seconds: u64,
    (input, output): (InterfaceId, InterfaceId),
    packet: &[u8],
) -> Judgement {
    let now = Instant::START + Duration::from_secs(seconds);
    let mut shown = packet.to_vec();
    let judgement = firewall.clone().judge(now, Place::Forward, Some(input), Some(output), &mut shown);
    assert_eq!(shown, packet, "a firewall changes nothing");
    judgement
}

fn web(payload: &[u8]) -> Vec<u8> {
    tcp(end("192.168.0.10:5000"), end("203.0.113.5:443"), Flags::ACK | Flags::PSH, payload)
}

fn prefix(text: &str, len: u8) -> Option<IpPrefix> {
    IpPrefix::new(ip(text), len)
}

#[test]
fn without_rules_the_policy_decides() {
    assert!(passes(&firewall(vec![]), &web(b"")));
    let closed = Firewall::new(FirewallConfig { otherwise: Action::Drop, ..FirewallConfig::default() });
    assert_eq!(judge(&closed, 0, (LAN, WAN), &web(b"")), Judgement::Drop("firewall policy"));
    assert_eq!(closed.dropped(), 1);
}

#[test]
fn what_is_stripped_of_options_is_known_as_well() {
    let strip = Rule::new(Match { input: Some(LAN), ..Match::default() }, Action::Strip(1 << 8));
    let known = Match { state: Some(State::Established), ..Match::default() };
    let config = FirewallConfig {
        rules: vec![strip, Rule::new(known, Action::Accept)],
        otherwise: Action::Drop,
        ..FirewallConfig::default()
    };
    let firewall = Firewall::new(config);
    let packet = web(b"");
    assert_eq!(judge(&firewall, 0, (LAN, WAN), &packet), Judgement::Accept);
    assert_eq!(judge(&firewall, 1, (WAN, LAN), &answer(&packet)), Judgement::Accept);
}

#[test]
fn the_first_matching_rule_decides() {
    let to = |ports, action| Rule::new(Match { destination_ports: Some(ports), ..Match::default() }, action);
    let firewall = firewall(vec![
        to(443..=443, Action::Accept),
        to(400..=499, Action::RejectReset),
        to(0..=65535, Action::RejectIcmp),
    ]);
    let at_port =
        |port| udp(end("192.168.0.10:5000"), SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 5), port), b"");
    assert_eq!(judge(&firewall, 0, (LAN, WAN), &at_port(443)), Judgement::Accept);
    assert_eq!(judge(&firewall, 0, (LAN, WAN), &at_port(444)), Judgement::RejectReset("firewall rule"));
    assert_eq!(judge(&firewall, 0, (LAN, WAN), &at_port(53)), Judgement::RejectIcmp("firewall rule"));
    assert_eq!(firewall.hits(), [1, 1, 1, 0]);
    firewall.set_rules(vec![]);
    assert!(passes(&firewall, &at_port(53)));
}

#[test]
fn each_field_is_looked_at() {
    let packet = web(b"hello");
    let size = packet.len();
    let hit = |matches: Match| !passes(&one(matches), &packet);
    let none = Match::default;
    assert!(hit(none()));
    assert!(hit(Match { place: Some(Place::Forward), ..none() }));
    assert!(!hit(Match { place: Some(Place::Input), ..none() }));
    assert!(hit(Match { input: Some(LAN), output: Some(WAN), ..none() }));
    assert!(!hit(Match { input: Some(WAN), ..none() }));
    assert!(!hit(Match { output: Some(LAN), ..none() }));
    assert!(hit(Match {
        source: prefix("192.168.0.0", 16),
        destination: prefix("203.0.113.5", 32),
        ..none()
    }));
    assert!(!hit(Match { source: prefix("10.0.0.0", 8), ..none() }));
    assert!(!hit(Match { destination: prefix("2001:db8::", 32), ..none() }));
    assert!(hit(Match { protocol: Some(Protocol::TCP), ..none() }));
    assert!(!hit(Match { protocol: Some(Protocol::UDP), ..none() }));
    assert!(hit(Match { source_ports: Some(5000..=5000), destination_ports: Some(1..=443), ..none() }));
    assert!(!hit(Match { source_ports: Some(443..=443), ..none() }));
    assert!(hit(Match { tcp_flags: Some(FlagMatch { mask: 0x12, set: 0x10 }), ..none() }));
    assert!(!hit(Match { tcp_flags: Some(FlagMatch::OPENING), ..none() }));
    assert!(hit(Match { size: Some(size..=size), ..none() }));
    assert!(!hit(Match { size: Some(size + 1..=9000), ..none() }));
    assert!(!hit(Match { icmp_type: Some(8), ..none() }));
    let ping = echo(Ipv4Addr::new(192, 168, 0, 10), Ipv4Addr::new(203, 0, 113, 5), 1, b"");
    assert!(!passes(&one(Match { icmp_type: Some(8), ..none() }), &ping));
    assert!(passes(&one(Match { destination_ports: Some(0..=65535), ..none() }), &ping));
}

#[test]
fn the_payload_is_searched_without_regard_to_case() {
    let firewall = one(Match { payload: Some(b"blocked.example".to_vec()), ..Match::default() });
    assert!(!passes(&firewall, &web(b"\x16\x03\x01..www.BLOCKED.example..")));
    assert!(passes(&firewall, &web(b"www.allowed.example")));
    assert!(passes(&firewall, &web(b"")));
    // Only the payload: not what is in the headers.
    let header = one(Match { payload: Some(443_u16.to_be_bytes().to_vec()), ..Match::default() });
    assert!(passes(&header, &web(b"")));
}

fn stateful() -> Firewall {
    let state = |state| Rule::new(Match { state: Some(state), ..Match::default() }, Action::Accept);
    let from_lan = Rule::new(Match { input: Some(LAN), ..Match::default() }, Action::Accept);
    let rules = vec![state(State::Established), state(State::Related), from_lan];
    Firewall::new(FirewallConfig { rules, otherwise: Action::Drop, ..FirewallConfig::default() })
}

#[test]
fn answers_pass_and_strangers_do_not() {
    let firewall = stateful();
    let back = |seconds, packet: &[u8]| judge(&firewall, seconds, (WAN, LAN), packet) == Judgement::Accept;
    let ping = echo(Ipv4Addr::new(192, 168, 0, 10), Ipv4Addr::new(203, 0, 113, 5), 1, b"");
    for asked in [web(b""), udp(end("192.168.0.10:5000"), end("203.0.113.5:53"), b"?"), ping] {
        let reply = answer(&asked);
        assert!(!back(0, &reply), "nobody asked");
        assert!(passes(&firewall, &asked));
        assert!(back(0, &reply));
        // An error about it is related, one about something else is not.
        let router = Ipv4Addr::new(203, 0, 113, 77);
        assert!(back(0, &icmp(router, Ipv4Addr::new(192, 168, 0, 10), (11, 0), 0, &asked)));
        let mut other = asked.clone();
        other[19] ^= 1;
        assert!(!back(0, &icmp(router, Ipv4Addr::new(192, 168, 0, 10), (11, 0), 0, &other)));
        firewall.flush();
        assert!(!back(0, &reply));
    }
    assert!(!back(0, &udp(end("203.0.113.6:53"), end("192.168.0.10:5000"), b"")));
}

#[test]
fn connections_are_forgotten_when_idle() {
    let firewall = stateful();
    let asked = udp(end("192.168.0.10:5000"), end("203.0.113.5:53"), b"?");
    let reply = answer(&asked);
    let back = |seconds| judge(&firewall, seconds, (WAN, LAN), &reply) == Judgement::Accept;
    assert!(passes(&firewall, &asked));
    assert!(back(119));
    assert!(back(238));
    assert!(!back(358));
    // An established TCP connection lives for days, one that was reset does not.
    let (syn, days) = (web(b""), 4 * 86_400);
    let reply = answer(&syn);
    let firewall = stateful();
    assert!(passes(&firewall, &syn));
    assert_eq!(judge(&firewall, 1, (WAN, LAN), &reply), Judgement::Accept);
    assert_eq!(judge(&firewall, days, (WAN, LAN), &reply), Judgement::Accept);
    let reset = tcp(end("203.0.113.5:443"), end("192.168.0.10:5000"), Flags::RST, b"");
    assert_eq!(judge(&firewall, days + 1, (WAN, LAN), &reset), Judgement::Accept);
    assert_ne!(judge(&firewall, days + 200, (WAN, LAN), &reply), Judgement::Accept);
}

#[test]
fn the_number_of_connections_is_bounded() {
    let config = FirewallConfig { connections_max: 10, ..stateful().lock().config.clone() };
    let firewall = Firewall::new(config);
    for port in 1..=1000 {
        assert!(passes(
            &firewall,
            &udp(SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, 10), port), end("203.0.113.5:53"), b"")
        ));
    }
    assert!(firewall.lock().tracker.len() <= 10);
}

#[test]
fn ipv6_is_seen_through_its_extension_headers() {
    // Destination options, then UDP to port 53.
    let mut packet = vec![0x60, 0, 0, 0, 0, 16, 60, 64];
    packet.extend_from_slice(&[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    packet.extend_from_slice(&[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    packet.extend_from_slice(&[17, 0, 1, 4, 0, 0, 0, 0]);
    packet.extend_from_slice(&[0x13, 0x88, 0, 53, 0, 8, 0, 0]);
    let dns = Match { protocol: Some(Protocol::UDP), destination_ports: Some(53..=53), ..Match::default() };
    assert!(!passes(&one(dns.clone()), &packet));
    assert!(!passes(&one(Match { source: prefix("2001:db8::", 32), ..Match::default() }), &packet));
    // A later fragment has no ports.
    packet[40..48].copy_from_slice(&[17, 0, 0, 8, 0, 0, 0, 9]);
    packet[6] = 44;
    assert!(passes(&one(dns), &packet));
    // Any beginning of it does no harm.
    let firewall = stateful();
    for cut in 0..packet.len() {
        judge(&firewall, 0, (LAN, WAN), &packet[..cut]);
    }
}

/// A client behind a router whose firewall does this to port 80; how its connection attempt ends within ten seconds.
fn connect_through(action: Action) -> Option<Result<(), thru_stack::tcp::TcpError>> {
    let mut net = crate::testing::Net::new(1);
    let (client, router, server) = (net.host("client"), net.router("router"), net.host("server"));
    let link = crate::LinkConfig::default();
    let (_, on_client, _) = net.join("near", (client, "10.0.0.1/24"), (router, "10.0.0.2/24"), link.clone());
    let (_, _, on_server) = net.join("far", (router, "10.0.1.1/24"), (server, "10.0.1.2/24"), link);
    net.route(client, "0.0.0.0/0", on_client, "10.0.0.2");
    net.route(server, "0.0.0.0/0", on_server, "10.0.1.1");
    let world = &mut net.world;
    let web = Match { destination_ports: Some(80..=80), ..Match::default() };
    world.set_hook(router, Box::new(firewall(vec![Rule::new(web, action)])));
    let at = crate::testing::socket;
    world.with_host(server, |host, _| host.tcp_listen(at("0.0.0.0:80"), 8)).expect("listens");
    let connect =
        |host: &mut thru_stack::Host, now| host.tcp_connect(now, None, at("10.0.1.2:80"), Default::default());
    let connection = world.with_host(client, connect).expect("tries");
    world.run_until(Instant::from_millis(10_000));
    world.host(client).tcp_connected(connection)
}

#[test]
fn a_host_hears_what_the_firewall_wants_it_to_hear() {
    use thru_stack::icmp::IcmpErrorKind;
    use thru_stack::tcp::TcpError;
    assert_eq!(connect_through(Action::Accept), Some(Ok(())));
    assert_eq!(connect_through(Action::RejectReset), Some(Err(TcpError::Refused)));
    assert_eq!(connect_through(Action::Drop), None);
    let Some(Err(TcpError::Unreachable(report))) = connect_through(Action::RejectIcmp) else {
        panic!("no ICMP error")
    };
    assert_eq!((report.kind, report.from), (IcmpErrorKind::AdministrativelyProhibited, ip("10.0.0.2")));
}
