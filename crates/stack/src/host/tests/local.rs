//! Packets that never leave the host, and who wakes up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Wake, Waker};

use super::*;
use crate::icmp::IcmpErrorKind;
use crate::raw::RawProtocol;
use crate::udp::UdpSend;

fn to<'a>(to: &str, payload: &'a [u8]) -> UdpSend<'a> {
    UdpSend { to: to.parse().unwrap(), from: None, payload, ttl: None, ecn: 0, dont_fragment: false }
}

#[test]
fn own_addresses_and_loopback_are_here() {
    for address in ["127.0.0.1", "127.3.4.5", "10.0.0.1", "10.0.1.1", "[::1]", "[fd00:1::1]"] {
        let mut bench = Bench::host();
        let server = bench.host.udp_bind("[::]:53".parse().unwrap()).unwrap();
        let client = bench.host.udp_bind("[::]:0".parse().unwrap()).unwrap();
        let destination = format!("{address}:53");
        bench.host.udp_send(bench.now, client, to(&destination, b"hello")).unwrap();
        let datagram = bench.host.udp_receive(server).expect(address);
        assert_eq!(datagram.to, destination.parse().unwrap());
        bench
            .host
            .udp_send(
                bench.now,
                server,
                UdpSend { from: Some(datagram.to.ip()), ..to(&datagram.from.to_string(), b"back") },
            )
            .unwrap();
        assert_eq!(bench.host.udp_receive(client).unwrap().from, destination.parse().unwrap());
        bench.expect_silence();
        assert!(bench.host.next_deadline().is_never());
    }
}

#[test]
fn a_closed_port_here_is_told_to_the_socket() {
    let mut bench = Bench::host();
    let client = bench.host.udp_bind("0.0.0.0:0".parse().unwrap()).unwrap();
    bench.host.udp_send(bench.now, client, to("127.0.0.1:53", b"x")).unwrap();
    let report = bench.host.udp_error(client).expect("an error");
    assert_eq!((report.kind, report.from), (IcmpErrorKind::PortUnreachable, ip("127.0.0.1")));
    bench.expect_silence();
}

#[test]
fn we_can_ping_ourselves_with_large_packets() {
    let mut bench = Bench::host();
    let socket = bench.host.raw_open(RawProtocol::PingV6(9)).unwrap();
    let request = Make::new("::1", "::1").echo_request(9, 20_000);
    bench.host.raw_send(bench.now, socket, request.into()).unwrap();
    let reply = bench.host.raw_receive(socket).expect("a reply");
    assert_eq!(say_packet(&reply.packet), "::1>::1 ttl=64 echo reply 9 len=20000");
}

#[test]
fn loopback_addresses_never_come_from_a_link() {
    let mut bench = Bench::bare_router();
    bench.host.udp_bind("[::]:53".parse().unwrap()).unwrap();
    for packet in [
        Make::new("127.0.0.1", "10.0.0.1").udp(1, 53, b"x"),
        Make::new("10.0.0.2", "127.0.0.1").udp(1, 53, b"x"),
        Make::new("::1", "fd00::1").udp(1, 53, b"x"),
        Make::new("fd00::2", "::1").udp(1, 53, b"x"),
        // Nor do our own addresses as sources.
        Make::new("10.0.0.1", "10.0.0.1").udp(53, 53, b"x"),
        Make::new("10.0.1.1", "10.0.0.1").udp(1, 9, b"x"),
        Make::new("fd00::1", "fd00::1").udp(1, 9, b"x"),
    ] {
        bench.packet(0, &packet).expect_silence();
    }
    assert_eq!(bench.host.stats().malformed, 7);
}

struct Counter(AtomicU32);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_waker_is_woken_once() {
    let mut bench = Bench::bare_router();
    let socket = bench.host.udp_bind("0.0.0.0:53".parse().unwrap()).unwrap();
    let counter = Arc::new(Counter(AtomicU32::new(0)));
    let waker = Waker::from(counter.clone());
    bench.host.udp_waker(socket, &waker);
    bench.host.udp_waker(socket, &waker);
    for _ in 0..3 {
        bench.packet(0, &Make::new("10.0.0.2", "10.0.0.1").udp(1, 53, b"x"));
    }
    assert_eq!(counter.0.load(Ordering::Relaxed), 1);
    assert_eq!(bench.host.wakes(), 1);
}
