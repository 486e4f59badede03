//! Ten million forged segments with the right addresses and ports, and numbers drawn at random (RFC 5961), over 100 s:
//! the connection lives on, and no more answers leave than challenges are allowed.
//! `cargo bench -p thru-stack --bench injection`; a number after `--` makes it another count.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use thru_stack::frame::Frame;
use thru_stack::random::Random;
use thru_stack::tcp::{State, TcpConfig, TcpConnectOptions, TcpId};
use thru_stack::testing::{B4, Link, Pair};
use thru_stack::{InterfaceId, Medium};
use thru_wire::ipv4::Ipv4;
use thru_wire::tcp::{Flags, SeqNumber, Tcp, TcpOptions, Timestamps};

/// How long the attack lasts.
const SECONDS: u64 = 100;

fn main() {
    let count = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(10_000_000u64);
    let mut pair = Pair::over(Link { medium: Medium::Ip, ..Link::default() });
    let listener = pair.b.tcp_listen((B4, 80).into(), 1).expect("a free port");
    let (now, to) = (pair.now(), (B4, 80).into());
    let client = pair.a.tcp_connect(now, None, to, TcpConnectOptions::default()).expect("a route");
    pair.run_until_idle(1_000);
    let server = pair.b.tcp_accept(listener).expect("a connection");
    exchange(&mut pair, client, server);

    let from = pair.a.tcp_local_addr(client).expect("a connection");
    let mut random = Random::new(1, "injection");
    let (began, spent) = (pair.now(), cpu_time());
    let mut answers = 0u64;
    for index in 0..count {
        let at = began + Duration::from_nanos(index * (SECONDS * 1_000_000_000 / count));
        let frame = Frame::new(forged(&mut random, from), at);
        pair.b.handle_frame(at, InterfaceId(0), frame);
        while pair.b.poll_transmit().is_some() {
            answers += 1;
        }
        if index % 1_000_000 == 0 {
            let state = pair.b.tcp_info(server).map(|info| info.state);
            assert_eq!(state, Some(State::Established), "after {index} segments");
        }
    }
    let each = (cpu_time() - spent).as_nanos() / u128::from(count.max(1));
    pair.run_for(Duration::from_secs(SECONDS + 1));
    exchange(&mut pair, client, server);
    let allowed = u64::from(TcpConfig::default().challenge_acks_per_second) * (SECONDS + 1);
    println!(
        "{count} forged segments in {SECONDS} s: the connection lives, {answers} answers ({allowed} challenges"
    );
    println!("allowed), {each} ns of processor time each");
    assert!(answers <= allowed);
}

/// A kilobyte each way.
fn exchange(pair: &mut Pair, client: TcpId, server: TcpId) {
    let (now, mut buffer) = (pair.now(), [0; 2_000]);
    pair.a.tcp_write(now, client, &[1; 1_000]).expect("open");
    pair.b.tcp_write(now, server, &[2; 1_000]).expect("open");
    pair.run_for(Duration::from_secs(1));
    let now = pair.now();
    assert_eq!(pair.a.tcp_read(now, client, &mut buffer), Ok(Some(1_000)));
    assert_eq!(pair.b.tcp_read(now, server, &mut buffer), Ok(Some(1_000)));
}

/// A segment of one of six kinds from `from` to port 80 of host B.
fn forged(random: &mut Random, from: SocketAddr) -> Bytes {
    let flags = match random.below(6) {
        0 => Flags::RST,
        1 => Flags::RST | Flags::ACK,
        2 => Flags::SYN,
        3 => Flags::SYN | Flags::ACK,
        4 => Flags::FIN | Flags::ACK,
        _ => Flags::ACK,
    };
    let stamps = Timestamps { value: random.next_u32(), echo: random.next_u32() };
    let tcp = Tcp {
        src_port: from.port(),
        dst_port: 80,
        seq: SeqNumber(random.next_u32()),
        ack: SeqNumber(random.next_u32()),
        flags,
        window: random.next_u32() as u16,
        options: TcpOptions { timestamps: Some(stamps), ..TcpOptions::NONE },
        ..Tcp::default()
    };
    let payload: &[u8] = if flags == Flags::ACK { &[7; 100] } else { &[] };
    let packet = Ipv4 { src: v4(from.ip()), dst: v4(B4), ..Ipv4::default() } / tcp / payload;
    Bytes::from(packet.to_vec())
}

fn v4(address: IpAddr) -> Ipv4Addr {
    match address {
        IpAddr::V4(address) => address,
        IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    }
}

/// What this process had of a processor so far, where /proc tells.
fn cpu_time() -> Duration {
    let schedule = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    let nanos = schedule.split_whitespace().next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}
