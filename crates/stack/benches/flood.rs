//! A million SYNs from forged addresses while a transfer runs over the same link (RFC 4987): the transfer's rate in
//! virtual time against the same without, the memory the allocator counts, and what a SYN costs.
//!
//! `cargo bench -p thru-stack --bench flood`; with `quick`, a tenth of it.

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use bytes::Bytes;
use thru_stack::Frame;
use thru_stack::host::{HostConfig, InterfaceId, Medium};
use thru_stack::route::{Route, RouteTarget};
use thru_stack::tcp::{SynCookies, TcpConfig, TcpConnectOptions};
use thru_stack::testing::{B4, Link, Pair};
use thru_wire::checksum::{PseudoHeader, Sum};
use thru_wire::ipv4::Protocol;
use thru_wire::tcp::{Flags, SeqNumber, Tcp, TcpOptions, Timestamps};

#[path = "rival/meter.rs"]
#[allow(dead_code, reason = "shared with the other bench, which needs more of it")]
mod meter;

#[global_allocator]
static ALLOCATOR: meter::Counting = meter::Counting;

const BACKLOG: usize = 128;
/// Bits per second of the link: the flood's answers share it with the transfer.
const RATE: u64 = 1_000_000_000;

fn main() {
    let quick = std::env::args().any(|word| word == "quick");
    let syns: u32 = if quick { 100_000 } else { 1_000_000 };
    let seconds = u64::from(syns) / 100_000 * 2;
    println!("a download over 1 Gbit/s and 10 ms; {syns} SYNs in {seconds} s (virtual)");
    println!("{:<22}{:>12}{:>10}{:>14}{:>16}", "cookies", "Mbit/s", "ratio", "ns a SYN", "bytes held");
    let alone = run(seconds, 0, SynCookies::WhenFull);
    line("no flood", &alone, &alone, 0);
    for (name, cookies) in
        [("when full", SynCookies::WhenFull), ("always", SynCookies::Always), ("never", SynCookies::Never)]
    {
        let flooded = run(seconds, syns, cookies);
        line(name, &flooded, &alone, syns);
    }
}

fn line(name: &str, run: &Run, alone: &Run, syns: u32) {
    let ratio = run.read as f64 / alone.read as f64;
    let each = run.flood.as_nanos() as f64 / f64::from(syns.max(1));
    println!("{name:<22}{:>12.0}{ratio:>10.3}{each:>14.0}{:>16}", run.rate, run.most_held);
}

struct Run {
    read: u64,
    rate: f64,
    /// Processor time of the SYNs' way in and the answers' way out.
    flood: Duration,
    /// Most bytes the allocator counted beyond those before the flood.
    most_held: i64,
}

fn run(seconds: u64, syns: u32, cookies: SynCookies) -> Run {
    let tcp = TcpConfig { syn_cookies: cookies, events: false, ..TcpConfig::default() };
    let config = HostConfig { tcp, ..HostConfig::default() };
    let link = Link { delay: Duration::from_millis(5), rate: RATE, medium: Medium::Ip, ..Link::default() };
    let mut pair = Pair::with(link, config.clone(), config);
    let prefix = "0.0.0.0/0".parse().expect("a prefix");
    pair.b.add_route(Route { prefix, target: RouteTarget::OnLink(InterfaceId(0)), metric: 0 });
    let listener = pair.b.tcp_listen((B4, 80).into(), BACKLOG).expect("a free port");
    let now = pair.now();
    pair.a.tcp_connect(now, None, (B4, 80).into(), TcpConnectOptions::default()).expect("a route");
    let client = {
        // The first connection of this host has the first number.
        let now = pair.now();
        pair.a.tcp_connect(now, None, (B4, 80).into(), TcpConnectOptions::default()).expect("a route")
    };
    let mut server = None;
    while server.is_none() {
        assert!(pair.step());
        let port = pair.a.tcp_local_addr(client).map(|local| local.port());
        while let Some(id) = pair.b.tcp_accept(listener) {
            if pair.b.tcp_remote_addr(id).map(|remote| remote.port()) == port {
                server = Some(id);
            }
        }
    }
    transfer(pair, client, server.expect("accepted"), seconds, syns)
}

fn transfer(
    mut pair: Pair,
    client: thru_stack::tcp::TcpId,
    server: thru_stack::tcp::TcpId,
    seconds: u64,
    syns: u32,
) -> Run {
    let (begin, end) = (pair.now(), pair.now() + Duration::from_secs(seconds));
    let (block, mut buffer) = (vec![7; 65_536], vec![0; 65_536]);
    let (mut read, mut sent, mut flood, mut most_held) = (0u64, 0, Duration::ZERO, 0);
    let before = meter::held() as i64;
    while pair.now() < end {
        let now = pair.now();
        while pair.b.tcp_write(now, server, &block).expect("open") > 0 {}
        while let Ok(Some(len @ 1..)) = pair.a.tcp_read(now, client, &mut buffer) {
            read += len as u64;
        }
        let passed = now.since(begin).as_nanos() as u64;
        let due = (u64::from(syns) * passed / (seconds * 1_000_000_000)) as u32;
        if sent < due {
            let frames: Vec<Bytes> = (sent..due).map(syn).collect();
            let start = std::time::Instant::now();
            for bytes in frames {
                pair.b.handle_frame(now, InterfaceId(0), Frame::new(bytes, now));
            }
            flood += start.elapsed();
            sent = due;
        }
        most_held = most_held.max(meter::held() as i64 - before);
        assert!(pair.step());
    }
    Run { read, rate: read as f64 * 8e-6 / seconds as f64, flood, most_held }
}

/// A SYN in an IPv4 packet from the stranger `number`.
fn syn(number: u32) -> Bytes {
    let source = Ipv4Addr::from_bits(0x0b00_0000 + number / 60_000);
    let IpAddr::V4(destination) = B4 else { unreachable!("B4 is an IPv4 address") };
    let options = TcpOptions {
        mss: Some(1_460),
        window_scale: Some(7),
        sack_permitted: true,
        timestamps: Some(Timestamps { value: number, echo: 0 }),
        ..TcpOptions::default()
    };
    let header = Tcp {
        src_port: 1_024 + (number % 60_000) as u16,
        dst_port: 80,
        seq: SeqNumber(number),
        flags: Flags::SYN,
        window: 64_240,
        options,
        ..Tcp::default()
    };
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 50, 6, 0, 0];
    packet.extend_from_slice(&source.octets());
    packet.extend_from_slice(&destination.octets());
    let pseudo = PseudoHeader::new(source.into(), B4, Protocol::TCP);
    header.emit_into(&[], &pseudo, &mut packet);
    let len = packet.len() as u16;
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    let sum = Sum::of(&packet[..20]).checksum();
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    Bytes::from(packet)
}
