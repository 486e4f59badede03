//! Nanoseconds of processor time per packet through one host: `cargo bench -p thru-stack`.

use std::time::Duration;

use bytes::Bytes;
use thru_stack::frame::Frame;
use thru_stack::tcp::TcpConnectOptions;
use thru_stack::testing::{A4, B4, Link, Pair};
use thru_stack::udp::UdpSend;
use thru_stack::{Host, HostConfig, InterfaceConfig, InterfaceId, Medium};
use thru_wire::{Cidr, Instant, MacAddr};

const ROUNDS: u32 = 1_000_000;

fn main() {
    for (name, payload) in [("64-byte", 22), ("1500-byte", 1_458)] {
        report(&format!("forward a {name} frame"), forward(payload));
        report(&format!("UDP, {name} frames, sent, carried and received"), datagrams(payload));
    }
    bulk();
}

fn report(what: &str, time: Duration) {
    println!("{what}: {} ns", time.as_nanos() / u128::from(ROUNDS));
}

/// What this process had of a processor so far, where /proc tells.
fn cpu_time() -> Duration {
    let schedule = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = schedule.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

/// A router between two bare links.
fn forward(payload: usize) -> Duration {
    let mut host = Host::new(HostConfig { forwarding: true, ..HostConfig::default() });
    for (index, address) in ["10.0.0.254/24", "10.0.1.254/24"].into_iter().enumerate() {
        let id = host.add_interface(InterfaceConfig {
            name: format!("eth{index}"),
            medium: Medium::Ip,
            mac: MacAddr::default(),
            mtu: 1_500,
        });
        host.add_address(id, address.parse::<Cidr>().expect("an address"));
    }
    let sample = datagram_to("10.0.1.7:9", payload);
    // Frames are made before the clock runs: what counts is what the router does.
    let frames: Vec<Bytes> = (0..1_000).map(|_| Bytes::from(sample.clone())).collect();
    let mut spent = Duration::ZERO;
    for round in 0..ROUNDS / 1_000 {
        let now = Instant::from_millis(u64::from(round));
        let batch: Vec<Bytes> = frames.iter().map(|frame| Bytes::from(frame.to_vec())).collect();
        let start = cpu_time();
        for bytes in batch {
            host.handle_frame(now, InterfaceId(0), Frame::new(bytes, now));
            assert!(host.poll_transmit().is_some(), "forwarded");
        }
        spent += cpu_time() - start;
    }
    spent
}

/// What 10.0.0.1 would send there.
fn datagram_to(to: &str, payload: usize) -> Vec<u8> {
    let mut pair = Pair::over(Link { medium: Medium::Ip, ..Link::default() });
    let default = thru_stack::route::Route {
        prefix: "0.0.0.0/0".parse().expect("a prefix"),
        target: thru_stack::route::RouteTarget::OnLink(InterfaceId(0)),
        metric: 0,
    };
    pair.a.add_route(default);
    let now = pair.now();
    let socket = pair.a.udp_bind((A4, 0).into()).expect("a free port");
    let payload = vec![1; payload];
    let to = to.parse().expect("an address");
    let send = UdpSend { to, from: None, payload: &payload, ttl: None, ecn: 0, dont_fragment: false };
    pair.a.udp_send(now, socket, send).expect("sent");
    let (_, frame) = pair.a.poll_transmit().expect("a frame");
    frame.bytes.to_vec()
}

/// From one socket to another over a link in memory.
fn datagrams(payload: usize) -> Duration {
    let mut pair = Pair::over(Link::default());
    let client = pair.a.udp_bind((A4, 0).into()).expect("a free port");
    let server = pair.b.udp_bind((B4, 9).into()).expect("a free port");
    let payload = vec![1; payload];
    let start = cpu_time();
    for _ in 0..ROUNDS {
        let now = pair.now();
        let to = (B4, 9).into();
        let send = UdpSend { to, from: None, payload: &payload, ttl: None, ecn: 0, dont_fragment: false };
        pair.a.udp_send(now, client, send).expect("sent");
        while pair.b.udp_receive(server).is_none() {
            assert!(pair.step(), "carried");
        }
    }
    cpu_time() - start
}

/// One TCP connection over a link in memory, as fast as it goes.
fn bulk() {
    const BYTES: u64 = 400_000_000;
    let delay = Duration::from_micros(100);
    let mut pair = Pair::over(Link { delay, medium: Medium::Ip, ..Link::default() });
    let listener = pair.b.tcp_listen((B4, 80).into(), 1).expect("a free port");
    let now = pair.now();
    let client =
        pair.a.tcp_connect(now, None, (B4, 80).into(), TcpConnectOptions::default()).expect("a route");
    let mut server = None;
    let (block, mut buffer) = (vec![7; 65_536], vec![0; 65_536]);
    let (mut written, mut read) = (0, 0);
    let start = cpu_time();
    while read < BYTES {
        let now = pair.now();
        if pair.a.tcp_connected(client) == Some(Ok(())) {
            written += pair.a.tcp_write(now, client, &block).expect("open") as u64;
        }
        server = server.or_else(|| pair.b.tcp_accept(listener));
        if let Some(server) = server {
            while let Ok(Some(len @ 1..)) = pair.b.tcp_read(now, server, &mut buffer) {
                read += len as u64;
            }
        }
        assert!(pair.step(), "{written} bytes written, {read} read");
    }
    let (time, frames) = (cpu_time() - start, pair.frames());
    let gigabits = BYTES as f64 * 8.0 / time.as_nanos().max(1) as f64;
    let each = time.as_nanos() / u128::from(frames);
    println!("TCP, {BYTES} bytes in {frames} frames: {each} ns a frame, {gigabits:.1} Gbit/s");
}
