//! Packet-hops per wall second (Fujimoto's PTS), slowdown and memory, on one core:
//! `cargo bench -p thru-sim -- [hosts]`. It only prints; no test depends on how fast this machine is.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant as Wall};

use thru_sim::link::{LinkConfig, Pipe};
use thru_sim::queue::QueueConfig;
use thru_sim::{NodeId, World};
use thru_stack::route::{Route, RouteTarget};
use thru_stack::udp::{UdpId, UdpSend};
use thru_stack::{Host, HostConfig, InterfaceConfig, Medium};
use thru_wire::{Cidr, Instant, IpPrefix, MacAddr};

fn main() {
    // `cargo bench` adds flags of its own.
    let hosts = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(1000);
    println!(
        "{:<46}{:>12}{:>12}{:>12}{:>10}{:>8}",
        "scenario", "packet-hops", "hops/s", "hops/cpu-s", "slowdown", "MiB"
    );
    idle(hosts);
    let plain = Pipe { delay: Duration::from_millis(5), ..Pipe::default() };
    let limited =
        Pipe { rate: Some(1_000_000_000), queue: QueueConfig::fq_codel(1_000_000), ..plain.clone() };
    star(
        "2 hosts, UDP of 1200 bytes, delay only",
        2,
        Duration::from_secs(4),
        Duration::from_micros(10),
        &plain,
    );
    star(
        "2 hosts, the same, 1 Gbit/s and FQ-CoDel",
        2,
        Duration::from_secs(4),
        Duration::from_micros(10),
        &limited,
    );
    bulk("2 hosts, TCP of 300 MB", 300_000_000, &limited);
    let name = format!("{hosts} hosts, 100 datagrams/s each");
    star(&name, hosts, Duration::from_secs(4), Duration::from_millis(10), &limited);
}

/// Pairs of hosts around one router; each host sends to its partner.
fn star(name: &str, hosts: usize, duration: Duration, every: Duration, pipe: &Pipe) {
    let (mut world, nodes) = build(hosts, pipe);
    let sockets: Vec<UdpId> = nodes
        .iter()
        .map(|&node| {
            world.with_host(node, |host, _| host.udp_bind("0.0.0.0:9".parse().unwrap())).expect("a socket")
        })
        .collect();
    let payload = [0; 1200];
    let started = Started::now();
    let mut due = Instant::START;
    while due < Instant::START + duration {
        for (index, (&node, &socket)) in nodes.iter().zip(&sockets).enumerate() {
            let to = (address(index ^ 1), 9).into();
            let send = UdpSend { to, from: None, payload: &payload, ttl: None, ecn: 0, dont_fragment: false };
            world
                .with_host(node, |host, now| {
                    // What arrived since is read, or the sockets would fill up.
                    while host.udp_receive(socket).is_some() {}
                    host.udp_send(now, socket, send)
                })
                .expect("sent");
        }
        due += every;
        world.run_until(due);
    }
    started.report(name, world.packet_hops(), duration);
}

/// One TCP connection across the router, as fast as it goes.
fn bulk(name: &str, bytes: usize, pipe: &Pipe) {
    let (mut world, nodes) = build(2, pipe);
    let listener = world
        .with_host(nodes[1], |host, _| host.tcp_listen("0.0.0.0:80".parse().unwrap(), 1))
        .expect("listens");
    let remote = (address(1), 80).into();
    let connect = |host: &mut Host, now| host.tcp_connect(now, None, remote, Default::default());
    let connection = world.with_host(nodes[0], connect).expect("connects");
    while world.host(nodes[0]).tcp_connected(connection).is_none() {
        world.step();
    }
    world.run_until(world.now() + Duration::from_secs(1));
    let accepted = world.with_host(nodes[1], |host, _| host.tcp_accept(listener)).expect("a connection");
    let data = vec![7; 1 << 20];
    let mut buffer = vec![0; 1 << 20];
    let (mut sent, mut received) = (0, 0);
    let (started, from, before) = (Started::now(), world.now(), world.packet_hops());
    while received < bytes {
        let write =
            |host: &mut Host, now| host.tcp_write(now, connection, &data[..data.len().min(bytes - sent)]);
        sent += world.with_host(nodes[0], write).expect("it lives");
        world.run_until(world.now() + Duration::from_micros(500));
        let read = |host: &mut Host, now| host.tcp_read(now, accepted, &mut buffer);
        received += world.with_host(nodes[1], read).expect("it lives").unwrap_or(0);
    }
    let simulated = world.now().since(from);
    let rate = received as f64 * 8.0 / 1e6 / simulated.as_secs_f64();
    let name = format!("{name} ({rate:.0} Mbit/s)");
    started.report(&name, world.packet_hops() - before, simulated);
}

/// Hosts that do nothing for a virtual day.
fn idle(hosts: usize) {
    let started = Started::now();
    let (mut world, _) = build(hosts, &Pipe::default());
    let events = world.events();
    world.run_until(Instant::START + Duration::from_secs(86_400));
    let name = format!("{hosts} idle hosts for a day ({} events)", world.events() - events);
    started.report(&name, world.packet_hops(), Duration::from_secs(86_400));
}

/// When a measurement began, by the wall and by the time this process had on a processor.
struct Started {
    wall: Wall,
    cpu: Duration,
}

impl Started {
    fn now() -> Started {
        Started { wall: Wall::now(), cpu: cpu_time() }
    }

    /// On a machine that others use too, the processor's time says more than the wall's.
    fn report(&self, name: &str, hops: u64, simulated: Duration) {
        let (wall, cpu) = (self.wall.elapsed().as_secs_f64(), (cpu_time() - self.cpu).as_secs_f64());
        let slowdown = wall / simulated.as_secs_f64();
        let (per_wall, per_cpu) = (hops as f64 / wall, hops as f64 / cpu.max(0.01));
        println!(
            "{name:<46}{hops:>12}{per_wall:>12.0}{per_cpu:>12.0}{slowdown:>10.6}{:>8.1}",
            resident_mib()
        );
    }
}

/// User and system time of this process, in steps of 10 ms; 0 where /proc does not tell.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    Duration::from_millis(
        fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10,
    )
}

/// Address of host `index`; its router is one below.
fn address(index: usize) -> Ipv4Addr {
    let number = u32::try_from(index).expect("few hosts") * 4 + 2;
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 0, 0, 0)) + number)
}

fn build(hosts: usize, pipe: &Pipe) -> (World, Vec<NodeId>) {
    let mut world = World::new(1);
    let router = world.add_host("router", HostConfig { forwarding: true, ..HostConfig::default() });
    let mut nodes = Vec::new();
    for index in 0..hosts {
        let node = world.add_host(&format!("host{index}"), HostConfig::default());
        let interface = |side: u8| {
            let [_, b, c, d] = u32::try_from(index).expect("few hosts").to_be_bytes();
            let mac = MacAddr([2, side, 0, b, c, d]);
            InterfaceConfig { name: format!("eth{index}"), medium: Medium::Ethernet, mac, mtu: 1500 }
        };
        let ends = [(router, Some(interface(1))), (node, Some(interface(2)))];
        let [on_router, on_node] = ends;
        let link = LinkConfig::symmetric(pipe.clone());
        let (_, on_router, on_node) = world.connect(&format!("link{index}"), on_router, on_node, link);
        let (on_router, on_node) = (on_router.expect("a host"), on_node.expect("a host"));
        let own = address(index);
        let gateway = Ipv4Addr::from(u32::from(own) - 1);
        world
            .with_host(router, |host, _| host.add_address(on_router, Cidr::new(gateway.into(), 30).unwrap()));
        world.with_host(node, |host, _| {
            host.add_address(on_node, Cidr::new(own.into(), 30).unwrap());
            let prefix = IpPrefix::new(Ipv4Addr::UNSPECIFIED.into(), 0).unwrap();
            host.add_route(Route { prefix, target: RouteTarget::Via(on_node, gateway.into()), metric: 0 });
        });
        nodes.push(node);
    }
    (world, nodes)
}

/// Resident memory of this process; 0 where /proc does not tell.
fn resident_mib() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: f64 = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).unwrap_or(0.0);
    pages * 4096.0 / (1 << 20) as f64
}
