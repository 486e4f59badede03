//! Senders with long-lived flows through one bottleneck: world, hosts and applications without tasks, so that many
//! seconds of many flows stay cheap.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Wake, Waker};
use std::time::Duration;

use thru_sim::link::{LinkConfig, LinkStats, Pipe};
use thru_sim::{Direction, LinkId, NodeId, World};
use thru_stack::route::{Route, RouteTarget};
use thru_stack::tcp::{Congestion, ListenerId, TcpConfig, TcpConnectOptions, TcpId, TcpInfo};
use thru_stack::{HostConfig, InterfaceConfig, InterfaceId, Medium};
use thru_wire::{Cidr, Instant, IpPrefix, MacAddr};

/// One flow: who controls it, how long its own way is, when it begins.
#[derive(Clone, Debug)]
pub(crate) struct FlowConfig {
    /// The sender's controller.
    pub(crate) congestion: Congestion,
    /// Round trip of its path, the bottleneck included.
    pub(crate) rtt: Duration,
    /// When it connects.
    pub(crate) begins: Duration,
}

/// Flows over a bottleneck.
pub(crate) struct Flows {
    pub(crate) world: World,
    pub(crate) bottleneck: LinkId,
    flows: Vec<Flow>,
    sink: NodeId,
    listener: ListenerId,
}

struct Flow {
    sender: NodeId,
    id: Option<TcpId>,
    /// The receiver's end.
    accepted: Option<TcpId>,
    begins: Instant,
    received: u64,
    sender_woken: Arc<Flag>,
    receiver_woken: Arc<Flag>,
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

const SINK: Ipv4Addr = Ipv4Addr::new(10, 255, 0, 2);
static CHUNK: [u8; 65_536] = [7; 65_536];

fn source(index: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 1, index as u8, 2)
}

fn gateway(index: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 1, index as u8, 1)
}

impl Flows {
    /// Each flow's own link to a router, and from there the bottleneck `pipe` with its round trip of `pipe.delay`
    /// there and the same back. `tcp` configures all hosts.
    pub(crate) fn new(seed: u64, tcp: &TcpConfig, pipe: Pipe, configs: &[FlowConfig]) -> Flows {
        let mut world = World::new(seed);
        let end = |last: u8| InterfaceConfig {
            name: format!("eth{last}"),
            medium: Medium::Ip,
            mac: MacAddr([2, 0, 0, 0, 0, last]),
            mtu: 1_500,
        };
        let sink = world.add_host("sink", HostConfig { tcp: tcp.clone(), ..HostConfig::default() });
        let router = world.add_host("router", HostConfig { forwarding: true, ..HostConfig::default() });
        let back = Pipe { delay: pipe.delay, ..Pipe::default() };
        let base = pipe.delay * 2;
        let (bottleneck, ..) = connect(
            &mut world,
            ("bottleneck", LinkConfig { a_to_b: pipe, b_to_a: back }),
            (router, Ipv4Addr::new(10, 255, 0, 1), end(0)),
            (sink, SINK, end(0)),
        );
        route(&mut world, sink, "10.1.0.0/16", InterfaceId(0), Ipv4Addr::new(10, 255, 0, 1));
        let mut flows = Vec::new();
        for (index, config) in configs.iter().enumerate() {
            let tcp = TcpConfig { congestion: config.congestion, ..tcp.clone() };
            let sender =
                world.add_host(&format!("source{index}"), HostConfig { tcp, ..HostConfig::default() });
            let own = Pipe { delay: (config.rtt - base) / 2, ..Pipe::default() };
            connect(
                &mut world,
                (&format!("access{index}"), LinkConfig::symmetric(own)),
                (sender, source(index), end(0)),
                (router, gateway(index), end(1 + index as u8)),
            );
            route(&mut world, sender, "0.0.0.0/0", InterfaceId(0), gateway(index));
            flows.push(Flow {
                sender,
                id: None,
                accepted: None,
                begins: Instant::START + config.begins,
                received: 0,
                sender_woken: Arc::default(),
                receiver_woken: Arc::default(),
            });
        }
        let listener = world
            .with_host(sink, |host, _| host.tcp_listen(SocketAddr::from((SINK, 9)), 128))
            .expect("the port is free");
        Flows { world, bottleneck, flows, sink, listener }
    }

    /// Goes on for `time`; what each flow delivered meanwhile, in bytes.
    pub(crate) fn run(&mut self, time: Duration) -> Vec<u64> {
        let end = self.world.now() + time;
        let before: Vec<u64> = self.flows.iter().map(|flow| flow.received).collect();
        loop {
            self.begin();
            self.accept();
            for index in 0..self.flows.len() {
                self.read(index);
                self.write(index);
            }
            let waiting = self.flows.iter().filter(|flow| flow.id.is_none()).map(|flow| flow.begins).min();
            let next = self.world.next_event().min(waiting.unwrap_or(Instant::NEVER));
            if next > end {
                self.world.advance_to(end);
                break;
            }
            if self.world.next_event() > next {
                self.world.advance_to(next);
            } else {
                self.world.step();
            }
        }
        self.flows.iter().zip(before).map(|(flow, before)| flow.received - before).collect()
    }

    fn begin(&mut self) {
        let now = self.world.now();
        for flow in &mut self.flows {
            if flow.id.is_none() && flow.begins <= now {
                let to = SocketAddr::from((SINK, 9));
                let id = self.world.with_host(flow.sender, |host, now| {
                    host.tcp_connect(now, None, to, TcpConnectOptions::default())
                });
                flow.id = Some(id.expect("a route"));
                flow.sender_woken.0.store(true, Ordering::Relaxed);
            }
        }
    }

    fn accept(&mut self) {
        let listener = self.listener;
        while self.flows.iter().any(|flow| flow.accepted.is_none() && flow.id.is_some()) {
            let Some(id) = self.world.with_host(self.sink, |host, _| host.tcp_accept(listener)) else {
                return;
            };
            let from = self.world.host(self.sink).tcp_remote_addr(id).expect("it is connected").ip();
            let index = (0..self.flows.len()).find(|index| IpAddr::V4(source(*index)) == from);
            let flow = &mut self.flows[index.expect("one of ours")];
            flow.accepted = Some(id);
            flow.receiver_woken.0.store(true, Ordering::Relaxed);
        }
    }

    fn read(&mut self, index: usize) {
        let flow = &mut self.flows[index];
        let Some(id) = flow.accepted else { return };
        if !flow.receiver_woken.0.swap(false, Ordering::Relaxed) {
            return;
        }
        let waker = Waker::from(flow.receiver_woken.clone());
        let mut buffer = [0; 65_536];
        flow.received += self.world.with_host(self.sink, |host, now| {
            let mut sum = 0;
            while let Ok(Some(read @ 1..)) = host.tcp_read(now, id, &mut buffer) {
                sum += read as u64;
            }
            host.tcp_read_waker(id, &waker);
            sum
        });
    }

    fn write(&mut self, index: usize) {
        let flow = &mut self.flows[index];
        let Some(id) = flow.id else { return };
        if !flow.sender_woken.0.swap(false, Ordering::Relaxed) {
            return;
        }
        let waker = Waker::from(flow.sender_woken.clone());
        self.world.with_host(flow.sender, |host, now| {
            while host.tcp_write(now, id, &CHUNK).is_ok_and(|written| written > 0) {}
            host.tcp_write_waker(id, &waker);
        });
    }

    /// What the sender of a flow knows.
    pub(crate) fn info(&self, index: usize) -> TcpInfo {
        let flow = &self.flows[index];
        let id = flow.id.expect("it has begun");
        self.world.host(flow.sender).tcp_info(id).expect("it lives")
    }

    /// What the bottleneck did.
    pub(crate) fn bottleneck_stats(&self) -> LinkStats {
        self.world.link_stats(self.bottleneck, Direction::AToB)
    }
}

fn connect(
    world: &mut World,
    (name, config): (&str, LinkConfig),
    (a, a_address, a_interface): (NodeId, Ipv4Addr, InterfaceConfig),
    (b, b_address, b_interface): (NodeId, Ipv4Addr, InterfaceConfig),
) -> (LinkId, InterfaceId, InterfaceId) {
    let (link, on_a, on_b) = world.connect(name, (a, Some(a_interface)), (b, Some(b_interface)), config);
    let (on_a, on_b) = (on_a.expect("a host"), on_b.expect("a host"));
    for (node, interface, address) in [(a, on_a, a_address), (b, on_b, b_address)] {
        let cidr = Cidr::new(address.into(), 24).expect("24 bits");
        world.with_host(node, |host, _| host.add_address(interface, cidr));
    }
    (link, on_a, on_b)
}

fn route(world: &mut World, node: NodeId, prefix: &str, interface: InterfaceId, gateway: Ipv4Addr) {
    let prefix: IpPrefix = prefix.parse().expect("a prefix");
    world.with_host(node, |host, _| {
        host.add_route(Route { prefix, target: RouteTarget::Via(interface, gateway.into()), metric: 0 });
    });
}
