//! NAT in a network of hosts: a gateway with a firewall behind it.

use core::net::SocketAddr;

use super::*;
use crate::firewall::{Action, Firewall, FirewallConfig, Match, Rule, State};
use crate::link::{LinkConfig, Pipe};
use crate::tap::{DropReason, Fate};
use crate::{Chain, NodeId, World};
use thru_stack::icmp::IcmpErrorKind;
use thru_stack::raw::RawProtocol;
use thru_stack::udp::{UdpId, UdpSend};
use thru_wire::ipv4::Ipv4View;

/// Two hosts inside, a NAT router, a server and a router outside.
struct Home {
    net: Net,
    inside: [NodeId; 2],
    server: NodeId,
    nat: Nat,
}

fn home(change: impl FnOnce(&mut NatConfig)) -> Home {
    let mut net = Net::new(1);
    let inside = [net.host("pc1"), net.host("pc2")];
    let (gateway, isp, server) = (net.router("gateway"), net.router("isp"), net.host("server"));
    let pipe = Pipe { delay: Duration::from_millis(1), ..Pipe::default() };
    let link = LinkConfig::symmetric(pipe);
    let lan = net.world.add_switch("lan");
    let mut lan_side = None;
    for (node, address) in
        [(gateway, "192.168.0.1/24"), (inside[0], "192.168.0.10/24"), (inside[1], "192.168.0.11/24")]
    {
        let interface = net.interface();
        let (_, on_node, _) = net.world.connect(address, (node, Some(interface)), (lan, None), link.clone());
        let on_node = on_node.expect("a host");
        net.address(node, on_node, address);
        if node == gateway {
            lan_side = Some(on_node);
        } else {
            net.route(node, "0.0.0.0/0", on_node, "192.168.0.1");
        }
    }
    let (_, wan, _) = net.join("wan", (gateway, "198.51.100.1/24"), (isp, "198.51.100.254/24"), link.clone());
    net.route(gateway, "0.0.0.0/0", wan, "198.51.100.254");
    let (_, _, on_server) = net.join("hosting", (isp, "203.0.113.254/24"), (server, "203.0.113.5/24"), link);
    net.route(server, "0.0.0.0/0", on_server, "203.0.113.254");
    assert_eq!(lan_side, Some(INSIDE));
    assert_eq!(wan, OUTSIDE);
    let mut config = NatConfig::new(wan, EXTERNAL);
    change(&mut config);
    let nat = Nat::new(config, 1);
    // What comes from outside and was not asked for is kept out, as far as the NAT lets it through at all.
    let established = Match { state: Some(State::Established), ..Match::default() };
    let related = Match { state: Some(State::Related), ..Match::default() };
    let uninvited = Match { place: Some(Place::Forward), input: Some(wan), ..Match::default() };
    let rules = vec![
        Rule::new(established, Action::Accept),
        Rule::new(related, Action::Accept),
        Rule { reason: "uninvited", ..Rule::new(uninvited, Action::Drop) },
    ];
    let firewall = Firewall::new(FirewallConfig { rules, ..FirewallConfig::default() });
    net.world.set_hook(gateway, Box::new(Chain::new().then(nat.clone()).then(firewall)));
    Home { net, inside, server, nat }
}

fn bind(world: &mut World, node: NodeId, local: &str) -> UdpId {
    world.with_host(node, |host, _| host.udp_bind(socket(local))).expect("a socket")
}

fn send(world: &mut World, node: NodeId, id: UdpId, to: SocketAddr, ttl: Option<u8>) {
    let send = UdpSend { to, from: None, payload: b"hello", ttl, ecn: 0, dont_fragment: false };
    world.with_host(node, |host, now| host.udp_send(now, id, send)).expect("sent");
    world.run_until(world.now() + Duration::from_millis(200));
}

fn received(world: &mut World, node: NodeId, id: UdpId) -> Vec<SocketAddr> {
    world
        .with_host(node, |host, _| core::iter::from_fn(|| host.udp_receive(id)).map(|got| got.from).collect())
}

#[test]
fn udp_crosses_the_nat_and_comes_back() {
    let Home { mut net, inside, server, nat } = home(|_| ());
    let world = &mut net.world;
    let serving = bind(world, server, "0.0.0.0:53");
    for pc in inside {
        let asking = bind(world, pc, "0.0.0.0:5000");
        send(world, pc, asking, socket("203.0.113.5:53"), None);
        let from = received(world, server, serving)[0];
        assert_eq!(from.ip(), ip("198.51.100.1"));
        send(world, server, serving, from, None);
        assert_eq!(received(world, pc, asking), [socket("203.0.113.5:53")]);
    }
    assert_eq!(nat.mappings(world.now()).len(), 2);
    let externals: Vec<u16> = nat.mappings(world.now()).iter().map(|info| info.external.port()).collect();
    assert_eq!(externals[0], 5000);
    assert_ne!(externals[1], 5000);
}

#[test]
fn traceroute_and_ping_work_from_inside() {
    let Home { mut net, inside, .. } = home(|_| ());
    let world = &mut net.world;
    let pc = inside[0];
    let probing = bind(world, pc, "0.0.0.0:5000");
    for (ttl, hop, kind) in [
        (1, "192.168.0.1", IcmpErrorKind::TimeExceeded),
        (2, "198.51.100.254", IcmpErrorKind::TimeExceeded),
        (3, "203.0.113.5", IcmpErrorKind::PortUnreachable),
    ] {
        send(world, pc, probing, socket("203.0.113.5:33434"), Some(ttl));
        let report = world.with_host(pc, |host, _| host.udp_error(probing)).expect("an answer");
        assert_eq!((report.from, report.kind), (ip(hop), kind));
    }
    let raw = world.with_host(pc, |host, _| host.raw_open(RawProtocol::PingV4(77))).expect("a raw socket");
    let ping = echo(Ipv4Addr::UNSPECIFIED, "203.0.113.5".parse().unwrap(), 77, b"");
    world.with_host(pc, |host, now| host.raw_send(now, raw, ping.into())).expect("sent");
    world.run_until(world.now() + Duration::from_secs(1));
    let reply = world.with_host(pc, |host, _| host.raw_receive(raw)).expect("an answer");
    assert_eq!(Ipv4View::new(&reply.packet).unwrap().src(), Ipv4Addr::new(203, 0, 113, 5));
}

#[test]
fn what_the_gateway_refuses_is_kept_with_its_reason() {
    let Home { mut net, inside, server, .. } =
        home(|config| config.filtering = Filtering::EndpointIndependent);
    let world = &mut net.world;
    world.keep_drops(10);
    let (asking, serving) = (bind(world, inside[0], "0.0.0.0:5000"), bind(world, server, "0.0.0.0:53"));
    let stranger = bind(world, server, "0.0.0.0:666");
    send(world, inside[0], asking, socket("203.0.113.5:53"), None);
    send(world, server, serving, socket("198.51.100.1:5000"), None);
    assert_eq!(received(world, inside[0], asking).len(), 1);
    // The NAT lets the stranger in, the firewall does not; and nobody listens on port 7.
    send(world, server, stranger, socket("198.51.100.1:5000"), None);
    send(world, server, stranger, socket("198.51.100.1:7"), None);
    assert!(received(world, inside[0], asking).is_empty());
    let gateway = world.node("gateway").unwrap();
    let drops = world.take_sightings();
    let fates: Vec<Fate> = drops.iter().map(|drop| drop.fate).collect();
    let by_hook = |reason| Fate::Dropped(DropReason::Hook(gateway, reason));
    assert_eq!(fates, [by_hook("uninvited"), by_hook(reason::UNKNOWN)]);
    assert_eq!(drops[0].link, world.link("wan").unwrap());
    assert_eq!(drops[0].direction, crate::Direction::BToA);
    assert_eq!(drops[0].bytes[12..14], [0x08, 0x00]);
    assert_checksums(&drops[0].bytes[14..]);
}

#[test]
fn hairpinning_works_between_hosts() {
    let Home { mut net, inside, .. } = home(|config| {
        config.forwards = vec![PortForward {
            protocol: Protocol::UDP,
            external: end("198.51.100.1:53"),
            internal: end("192.168.0.10:5353"),
        }];
    });
    let world = &mut net.world;
    let (serving, asking) = (bind(world, inside[0], "0.0.0.0:5353"), bind(world, inside[1], "0.0.0.0:5000"));
    send(world, inside[1], asking, socket("198.51.100.1:53"), None);
    assert_eq!(received(world, inside[0], serving), [socket("198.51.100.1:5000")]);
    send(world, inside[0], serving, socket("198.51.100.1:5000"), None);
    assert_eq!(received(world, inside[1], asking), [socket("198.51.100.1:53")]);
}

#[test]
fn tcp_crosses_the_nat_and_closes() {
    let Home { mut net, inside, server, nat } = home(|_| ());
    let world = &mut net.world;
    let listener =
        world.with_host(server, |host, _| host.tcp_listen(socket("0.0.0.0:80"), 8)).expect("listens");
    let remote = socket("203.0.113.5:80");
    let connections = inside.map(|pc| {
        let local = Some(socket("0.0.0.0:5000"));
        let connect =
            |host: &mut thru_stack::Host, now| host.tcp_connect(now, local, remote, Default::default());
        (pc, world.with_host(pc, connect).expect("connects"))
    });
    world.run_until(world.now() + Duration::from_secs(1));
    for (pc, connection) in connections {
        assert_eq!(world.host(pc).tcp_connected(connection), Some(Ok(())));
        let written = world.with_host(pc, |host, now| host.tcp_write(now, connection, b"question"));
        assert_eq!(written, Ok(8));
    }
    world.run_until(world.now() + Duration::from_secs(1));
    for (pc, connection) in connections {
        let accepted = world.with_host(server, |host, _| host.tcp_accept(listener)).expect("a connection");
        let from = world.host(server).tcp_remote_addr(accepted).expect("it has one");
        assert_eq!(from.ip(), ip("198.51.100.1"));
        let mut buffer = [0; 100];
        let read = world.with_host(server, |host, now| host.tcp_read(now, accepted, &mut buffer));
        assert_eq!((read, &buffer[..8]), (Ok(Some(8)), &b"question"[..]));
        world.with_host(server, |host, now| host.tcp_write(now, accepted, b"answer")).expect("writes");
        world.with_host(server, |host, now| host.tcp_shutdown(now, accepted)).expect("closes");
        world.run_until(world.now() + Duration::from_secs(1));
        let read = world.with_host(pc, |host, now| host.tcp_read(now, connection, &mut buffer));
        assert_eq!((read, &buffer[..6]), (Ok(Some(6)), &b"answer"[..]));
        world.with_host(pc, |host, now| host.tcp_shutdown(now, connection)).expect("closes");
        world.run_until(world.now() + Duration::from_secs(1));
    }
    // Both sides have closed: what is left is forgotten after the transitory time.
    assert_eq!(nat.mappings(world.now()).len(), 2);
    let later = world.now() + Duration::from_secs(240);
    assert!(nat.mappings(later).is_empty());
}

#[test]
fn a_connection_forgotten_by_the_nat_falls_silent() {
    let Home { mut net, inside, server, nat } = home(|_| ());
    let world = &mut net.world;
    world.with_host(server, |host, _| host.tcp_listen(socket("0.0.0.0:80"), 8)).expect("listens");
    let remote = socket("203.0.113.5:80");
    let connect = |host: &mut thru_stack::Host, now| host.tcp_connect(now, None, remote, Default::default());
    let connection = world.with_host(inside[0], connect).expect("connects");
    world.schedule(Instant::from_millis(5_000), Box::new(move |_| nat.flush()));
    world.run_until(Instant::from_millis(10_000));
    world.keep_drops(5);
    world.with_host(inside[0], |host, now| host.tcp_write(now, connection, b"question")).expect("writes");
    world.run_until(Instant::from_millis(20_000));
    let info = world.host(inside[0]).tcp_info(connection).expect("it still tries");
    assert_eq!(info.bytes_acked, 0);
    assert!(info.timeouts >= 3);
    let gateway = world.node("gateway").expect("it is there");
    let drops = world.take_sightings();
    assert_eq!(drops.len(), 5);
    assert!(drops.iter().all(|drop| drop.fate == Fate::Dropped(DropReason::Hook(gateway, reason::UNKNOWN))));
}
