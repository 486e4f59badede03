//! Whole networks: hosts, routers, links and switches together.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, mpsc};
use std::task::Wake;

use bytes::Bytes;
use thru_stack::icmp::IcmpErrorKind;
use thru_stack::raw::{RawId, RawProtocol};
use thru_stack::udp::{UdpId, UdpSend};
use thru_wire::ipv4::Ipv4View;

use super::*;
use crate::link::{Chance, Loss};
use crate::queue::QueueConfig;
use crate::tap::{DropReason, Fate};
use crate::testing::*;

mod link_end;
mod offload;

const MS: Duration = Duration::from_millis(1);

/// host a -- r1 -- r2 -- r3 -- host b, each link with these settings.
fn chain(seed: u64, config: &LinkConfig) -> (Net, [NodeId; 5], [LinkId; 4]) {
    let mut net = Net::new(seed);
    let nodes = [net.host("a"), net.router("r1"), net.router("r2"), net.router("r3"), net.host("b")];
    let mut links = Vec::new();
    for (index, pair) in nodes.windows(2).enumerate() {
        let (left, right) = (format!("10.0.{index}.1/24"), format!("10.0.{index}.2/24"));
        let name = format!("link{index}");
        let (link, on_left, on_right) = net.join(&name, (pair[0], &left), (pair[1], &right), config.clone());
        links.push(link);
        // Whatever is further right, and whatever is further left.
        for further in index + 1..4 {
            net.route(pair[0], &format!("10.0.{further}.0/24"), on_left, &format!("10.0.{index}.2"));
        }
        for further in 0..index {
            net.route(pair[1], &format!("10.0.{further}.0/24"), on_right, &format!("10.0.{index}.1"));
        }
    }
    (net, nodes, links.try_into().expect("four links"))
}

fn delayed(delay: Duration) -> LinkConfig {
    LinkConfig::symmetric(Pipe { delay, ..Pipe::default() })
}

fn send_echo(world: &mut World, node: NodeId, raw: RawId, to: &str, ttl: u8) {
    let IpAddr::V4(to) = ip(to) else { panic!("IPv4 here") };
    let mut packet = echo(Ipv4Addr::UNSPECIFIED, to, 7, b"are you there?");
    packet[8] = ttl;
    world.with_host(node, |host, now| host.raw_send(now, raw, Bytes::from(packet))).expect("sent");
}

/// What came back: from whom, ICMP type and code, when.
fn heard(world: &mut World, node: NodeId, raw: RawId) -> Vec<(Ipv4Addr, u8, Instant)> {
    let receive = |host: &mut Host, _| {
        core::iter::from_fn(|| host.raw_receive(raw))
            .map(|packet| {
                let view = Ipv4View::new(&packet.packet).expect("IPv4");
                (view.src(), view.payload()[0], packet.rx_time)
            })
            .collect()
    };
    world.with_host(node, receive)
}

#[test]
fn ping_crosses_three_routers() {
    let (mut net, nodes, _) = chain(1, &delayed(10 * MS));
    let world = &mut net.world;
    let raw =
        world.with_host(nodes[0], |host, _| host.raw_open(RawProtocol::PingV4(7))).expect("a raw socket");
    send_echo(world, nodes[0], raw, "10.0.3.2", 64);
    world.run_until(Instant::from_millis(1000));
    let answers = heard(world, nodes[0], raw);
    // Four links there with an ARP exchange on each, four links back.
    assert_eq!(answers, [(Ipv4Addr::new(10, 0, 3, 2), 0, Instant::from_millis(4 * 30 + 4 * 10))]);
    send_echo(world, nodes[0], raw, "10.0.3.2", 64);
    world.run_until(Instant::from_millis(2000));
    let answers = heard(world, nodes[0], raw);
    assert_eq!(answers, [(Ipv4Addr::new(10, 0, 3, 2), 0, Instant::from_millis(1080))]);
}

#[test]
fn routers_tell_when_the_hop_limit_is_reached() {
    let (mut net, nodes, _) = chain(1, &delayed(MS));
    let world = &mut net.world;
    let raw =
        world.with_host(nodes[0], |host, _| host.raw_open(RawProtocol::PingV4(7))).expect("a raw socket");
    let mut hops = Vec::new();
    for ttl in 1..=4 {
        send_echo(world, nodes[0], raw, "10.0.3.2", ttl);
        let later = world.now() + 100 * MS;
        world.run_until(later);
        hops.extend(heard(world, nodes[0], raw).iter().map(|&(from, kind, _)| (from.to_string(), kind)));
    }
    let expected = [("10.0.0.2", 11), ("10.0.1.2", 11), ("10.0.2.2", 11), ("10.0.3.2", 0)];
    assert_eq!(hops, expected.map(|(from, kind)| (from.to_owned(), kind)));
}

#[test]
fn an_idle_network_has_nothing_to_come() {
    let (mut net, nodes, _) = chain(1, &delayed(MS));
    let world = &mut net.world;
    world.run_until(Instant::from_millis(600_000));
    let events = world.events();
    assert_eq!(world.next_event(), Instant::NEVER);
    world.run_until(Instant::from_millis(1_200_000));
    assert_eq!(world.events(), events);
    assert!(!world.step());
    let raw =
        world.with_host(nodes[0], |host, _| host.raw_open(RawProtocol::PingV4(7))).expect("a raw socket");
    send_echo(world, nodes[0], raw, "10.0.3.2", 64);
    world.run_until(Instant::NEVER);
    assert_eq!(world.next_event(), Instant::NEVER, "neighbours need no events while nothing is sent");
}

fn udp_bind(world: &mut World, node: NodeId, local: &str) -> UdpId {
    world.with_host(node, |host, _| host.udp_bind(socket(local))).expect("a socket")
}

fn udp_send(world: &mut World, node: NodeId, id: UdpId, to: &str, payload: &[u8]) {
    let send = UdpSend { to: socket(to), from: None, payload, ttl: None, ecn: 0, dont_fragment: false };
    world.with_host(node, |host, now| host.udp_send(now, id, send)).expect("sent");
}

fn udp_received(world: &mut World, node: NodeId, id: UdpId) -> Vec<(String, Bytes)> {
    world.with_host(node, |host, _| {
        core::iter::from_fn(|| host.udp_receive(id)).map(|got| (got.from.to_string(), got.payload)).collect()
    })
}

/// A busy network with every kind of impairment: its digest and what arrived.
fn busy(seed: u64) -> (u64, u64, Vec<Bytes>) {
    let pipe = Pipe {
        loss: Loss::Random(Chance::percent(5)),
        duplicate: Chance::percent(5),
        corrupt: Chance::percent(5),
        rate: Some(10_000_000),
        queue: QueueConfig::fq_codel(20_000),
        delay: 5 * MS,
        jitter: MS,
        reorder: Chance::percent(5),
        reorder_by: 3 * MS,
        ..Pipe::default()
    };
    let (mut net, nodes, _) = chain(seed, &LinkConfig::symmetric(pipe));
    let world = &mut net.world;
    let (a, b) = (udp_bind(world, nodes[0], "0.0.0.0:1000"), udp_bind(world, nodes[4], "0.0.0.0:2000"));
    for number in 0..200_u32 {
        udp_send(world, nodes[0], a, "10.0.3.2:2000", &[number as u8; 500]);
        udp_send(world, nodes[4], b, "10.0.0.1:1000", &[number as u8; 50]);
        let later = world.now() + MS;
        world.run_until(later);
    }
    world.run_until(Instant::NEVER);
    let arrived = udp_received(world, nodes[4], b).into_iter().map(|(_, payload)| payload).collect();
    (world.digest(), world.packet_hops(), arrived)
}

#[test]
fn the_same_seed_gives_the_same_network_and_another_does_not() {
    let first = busy(5);
    assert!(first.2.len() > 100, "{} arrived", first.2.len());
    assert_eq!(first, busy(5));
    let other = busy(6);
    assert_ne!(first.0, other.0);
}

#[test]
fn events_of_one_instant_have_an_order() {
    let mut world = World::new(1);
    let (sender, receiver) = mpsc::channel();
    struct Tell(Mutex<mpsc::Sender<&'static str>>, &'static str);
    impl Wake for Tell {
        fn wake(self: Arc<Self>) {
            self.0.lock().expect("one thread").send(self.1).expect("a listener");
        }
    }
    let tell = |word| Arc::new(Tell(Mutex::new(sender.clone()), word)).into();
    let at = Instant::from_millis(5);
    world.set_timer(at, tell("timer 1"));
    let cancelled = world.set_timer(at, tell("never"));
    world.set_timer(at, tell("timer 2"));
    let action = sender.clone();
    world.schedule(at, Box::new(move |_| action.send("action 1").expect("a listener")));
    let action = sender.clone();
    world.schedule(
        at,
        Box::new(move |world| {
            action.send("action 2").expect("a listener");
            // The past is now, and before what else is due now.
            world.schedule(Instant::START, Box::new(move |_| action.send("action 3").expect("a listener")));
        }),
    );
    world.cancel_timer(cancelled);
    world.cancel_timer(cancelled);
    assert_eq!(world.next_event(), at);
    world.advance_to(at);
    world.run_until(at);
    let order: Vec<&str> = receiver.try_iter().collect();
    assert_eq!(order, ["action 1", "action 2", "action 3", "timer 1", "timer 2"]);
    assert_eq!(world.wakes(), 2);
    // A key of a timer that has fired does not touch the one that has its slot now.
    world.set_timer(at, tell("timer 3"));
    world.cancel_timer(cancelled);
    world.run_until(at);
    assert_eq!(receiver.try_iter().collect::<Vec<_>>(), ["timer 3"]);
}

#[test]
#[should_panic(expected = "is due before")]
fn time_is_not_advanced_past_an_event() {
    let mut world = World::new(1);
    world.schedule(Instant::from_millis(1), Box::new(|_| ()));
    world.advance_to(Instant::from_millis(2));
}

#[test]
#[should_panic(expected = "time stands still at 0.003000000s: 4000000 events, lately of planned actions")]
fn an_endless_loop_in_no_time_is_noticed() {
    fn again(world: &mut World) {
        world.schedule(world.now(), Box::new(again));
    }
    let mut world = World::new(1);
    world.schedule(Instant::from_millis(3), Box::new(again));
    world.run_until(Instant::NEVER);
}

#[test]
fn a_planned_fault_takes_the_link_down_and_up() {
    let (mut net, nodes, links) = chain(1, &delayed(MS));
    let world = &mut net.world;
    let raw =
        world.with_host(nodes[0], |host, _| host.raw_open(RawProtocol::PingV4(7))).expect("a raw socket");
    let link = links[1];
    world.schedule(Instant::from_millis(500), Box::new(move |world| world.set_up(link, false)));
    world.schedule(Instant::from_millis(900), Box::new(move |world| world.set_up(link, true)));
    world.keep_drops(10);
    for _ in 0..13 {
        send_echo(world, nodes[0], raw, "10.0.3.2", 64);
        let later = world.now() + 100 * MS;
        world.run_until(later);
    }
    // Sent at 0, 100, ... 400 and 900, ... 1200; at 500 the action came before the frame.
    assert_eq!(heard(world, nodes[0], raw).len(), 9);
    let drops = world.take_sightings();
    assert_eq!(drops.len(), 4);
    assert!(
        drops.iter().all(|drop| drop.fate == Fate::Dropped(DropReason::LinkDown)
            && drop.link == link
            && !drop.tapped)
    );
}

#[test]
fn a_tap_sees_its_end_of_the_link() {
    // Towards B every second frame is lost, towards A nothing.
    let lossy = Pipe { delay: 10 * MS, loss: Loss::Pattern(vec![false, true]), ..Pipe::default() };
    let config = LinkConfig { a_to_b: lossy, b_to_a: Pipe { delay: 10 * MS, ..Pipe::default() } };
    let mut net = Net::new(3);
    let (a, b) = (net.host("a"), net.host("b"));
    let (link, ..) = net.join("wire", (a, "10.0.0.1/24"), (b, "10.0.0.2/24"), config);
    let world = &mut net.world;
    world.tap(link);
    let raw = world.with_host(a, |host, _| host.raw_open(RawProtocol::PingV4(7))).expect("a raw socket");
    send_echo(world, a, raw, "10.0.0.2", 64);
    world.run_until(Instant::from_millis(100));
    send_echo(world, a, raw, "10.0.0.2", 64);
    world.run_until(Instant::from_millis(200));
    let seen: Vec<(u128, Direction, Fate)> = world
        .take_sightings()
        .into_iter()
        .map(|seen| (seen.at.since(Instant::START).as_millis(), seen.direction, seen.fate))
        .collect();
    let (out, back) = (Direction::AToB, Direction::BToA);
    let lost = Fate::Dropped(DropReason::Loss);
    // ARP there and back, a lost ping, a ping there and back.
    assert_eq!(
        seen,
        [
            (0, out, Fate::Passed),
            (20, back, Fate::Passed),
            (20, out, lost),
            (100, out, Fate::Passed),
            (120, back, Fate::Passed)
        ]
    );
}

#[test]
fn a_frame_dropped_after_it_was_seen_entering_is_told_so() {
    let slow = Pipe { rate: Some(80_000), queue: QueueConfig::DropHead { limit: 300 }, ..Pipe::default() };
    let mut net = Net::new(3);
    let (a, b) = (net.host("a"), net.host("b"));
    let config = LinkConfig { a_to_b: slow, b_to_a: Pipe::default() };
    let (link, ..) = net.join("wire", (a, "10.0.0.1/24"), (b, "10.0.0.2/24"), config);
    let world = &mut net.world;
    let raw = world.with_host(a, |host, _| host.raw_open(RawProtocol::PingV4(7))).expect("a raw socket");
    send_echo(world, a, raw, "10.0.0.2", 64);
    world.run_until(Instant::from_millis(100));
    world.tap(link);
    for _ in 0..10 {
        send_echo(world, a, raw, "10.0.0.2", 64);
    }
    world.run_until(Instant::from_millis(1000));
    let seen = world.take_sightings();
    let entering: Vec<Fate> =
        seen.iter().filter(|seen| seen.direction == Direction::AToB).map(|seen| seen.fate).collect();
    let full = Fate::Dropped(DropReason::QueueFull);
    // The first was on the wire; of the others the queue kept the last five (56 bytes each).
    assert_eq!(entering.len(), 10);
    assert_eq!(entering[0], Fate::Passed);
    assert_eq!(entering.iter().filter(|&&fate| fate == full).count(), 4);
    assert!(entering[5..].iter().all(|&fate| fate == Fate::Passed));
    assert_eq!(heard(world, a, raw).len(), 1 + 6);
    assert_eq!(world.link_stats(link, Direction::AToB).queue_drops, 4);
}

#[test]
fn hosts_on_a_switch_talk_within_their_vlan() {
    let mut net = Net::new(1);
    let switches = [net.world.add_switch("s1"), net.world.add_switch("s2")];
    let hosts = ["10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/24"].map(|address| (net.host(address), address));
    let config = delayed(MS);
    net.world.connect("trunk", (switches[0], None), (switches[1], None), config.clone());
    for ((host, address), switch) in hosts.iter().zip([0, 1, 1]) {
        let interface = net.interface();
        let (_, on_host, _) =
            net.world.connect(address, (*host, Some(interface)), (switches[switch], None), config.clone());
        net.address(*host, on_host.expect("a host"), address);
    }
    let world = &mut net.world;
    let trunk = PortMode::Trunk { allowed: vec![10, 20], native: None };
    world.set_switch_port(switches[0], 0, trunk.clone());
    world.set_switch_port(switches[1], 0, trunk);
    world.set_switch_port(switches[0], 1, PortMode::Access { vlan: 10 });
    world.set_switch_port(switches[1], 1, PortMode::Access { vlan: 10 });
    world.set_switch_port(switches[1], 2, PortMode::Access { vlan: 20 });
    let raw =
        world.with_host(hosts[0].0, |host, _| host.raw_open(RawProtocol::PingV4(7))).expect("a raw socket");
    send_echo(world, hosts[0].0, raw, "10.0.0.2", 64);
    send_echo(world, hosts[0].0, raw, "10.0.0.3", 64);
    world.run_until(Instant::from_millis(100));
    let answers: Vec<Ipv4Addr> = heard(world, hosts[0].0, raw).into_iter().map(|(from, ..)| from).collect();
    assert_eq!(answers, [Ipv4Addr::new(10, 0, 0, 2)]);
    assert!(world.is_switch(switches[0]));
}

/// A waker that counts.
#[derive(Default)]
struct Count(AtomicU64);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn wakes_change_when_a_socket_becomes_readable() {
    let (mut net, nodes, _) = chain(1, &delayed(MS));
    let world = &mut net.world;
    let (a, b) = (udp_bind(world, nodes[0], "0.0.0.0:1000"), udp_bind(world, nodes[4], "0.0.0.0:2000"));
    let count = Arc::new(Count::default());
    let waker = count.clone().into();
    world.with_host(nodes[4], |host, _| host.udp_waker(b, &waker));
    let before = world.wakes();
    udp_send(world, nodes[0], a, "10.0.3.2:2000", b"hello");
    while world.wakes() == before && world.step() {}
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    assert_eq!(
        udp_received(world, nodes[4], b),
        [("10.0.0.1:1000".to_owned(), Bytes::from_static(b"hello"))]
    );
}

#[test]
fn a_closed_port_is_told_across_routers() {
    let (mut net, nodes, _) = chain(1, &delayed(MS));
    let world = &mut net.world;
    let a = udp_bind(world, nodes[0], "0.0.0.0:1000");
    udp_send(world, nodes[0], a, "10.0.3.2:2000", b"hello");
    world.run_until(Instant::NEVER);
    let report = world.with_host(nodes[0], |host, _| host.udp_error(a)).expect("an ICMP error");
    assert_eq!((report.kind, report.from), (IcmpErrorKind::PortUnreachable, ip("10.0.3.2")));
}

/// 1 MB over four lossy, reordering, duplicating, corrupting links with this queue: what arrived, and when it was over.
fn transfer(seed: u64, queue: QueueConfig) -> (Vec<u8>, Instant, u64) {
    let pipe = Pipe {
        loss: Loss::Random(Chance(2_500_000)),
        duplicate: Chance::percent(1),
        corrupt: Chance(1_000_000),
        rate: Some(50_000_000),
        queue,
        delay: 2 * MS,
        jitter: MS / 2,
        reorder: Chance::percent(1),
        reorder_by: MS,
        ..Pipe::default()
    };
    let (mut net, nodes, _) = chain(seed, &LinkConfig::symmetric(pipe));
    let world = &mut net.world;
    let data: Vec<u8> = (0..1_000_000_u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
    let listener =
        world.with_host(nodes[4], |host, _| host.tcp_listen(socket("0.0.0.0:80"), 8)).expect("listens");
    let remote = socket("10.0.3.2:80");
    let connect = |host: &mut Host, now| host.tcp_connect(now, None, remote, Default::default());
    let connection = world.with_host(nodes[0], connect).expect("connects");
    let (mut accepted, mut sent, mut received) = (None, 0, Vec::new());
    let mut buffer = vec![0; 65_536];
    while received.len() < data.len() && world.step() {
        if sent < data.len() {
            let write = |host: &mut Host, now| host.tcp_write(now, connection, &data[sent..]);
            sent += world.with_host(nodes[0], write).expect("it lives");
        }
        accepted = accepted.or_else(|| world.with_host(nodes[4], |host, _| host.tcp_accept(listener)));
        let Some(accepted) = accepted else { continue };
        while let Ok(Some(read @ 1..)) =
            world.with_host(nodes[4], |host, now| host.tcp_read(now, accepted, &mut buffer))
        {
            received.extend_from_slice(&buffer[..read]);
        }
    }
    assert!(received == data, "{} of {} bytes arrived, or damaged", received.len(), data.len());
    (received, world.now(), world.digest())
}

#[test]
fn tcp_carries_a_megabyte_through_every_impairment_and_queue() {
    let queues = [
        QueueConfig::default(),
        QueueConfig::DropHead { limit: 50_000 },
        QueueConfig::codel(100_000),
        QueueConfig::fq_codel(100_000),
        QueueConfig::pie(100_000),
    ];
    for queue in queues {
        for seed in 1..=3 {
            let (_, over, _) = transfer(seed, queue.clone());
            // 1 MB at 50 Mbit/s takes 0.16 s; loss costs, but not that much.
            assert!(over < Instant::from_millis(20_000), "{queue:?} with seed {seed}: {over:?}");
        }
    }
    assert_eq!(transfer(9, QueueConfig::default()), transfer(9, QueueConfig::default()));
}
