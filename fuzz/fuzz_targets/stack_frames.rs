//! Any frames into a host with every kind of socket and into a router: nothing panics, nothing runs on for ever.
#![no_main]

use core::time::Duration;

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use thru_stack::raw::RawProtocol;
use thru_stack::{Frame, Host, HostConfig, InterfaceConfig, InterfaceId, Medium};
use thru_wire::address::MacAddr;
use thru_wire::{Cidr, Instant};

#[derive(Arbitrary, Debug)]
struct Input {
    /// A router with two interfaces, or a host with one.
    router: bool,
    ethernet: bool,
    frames: Vec<Arrival>,
}

#[derive(Arbitrary, Debug)]
struct Arrival {
    second_interface: bool,
    /// Checksums are mended before the frame arrives.
    mend: bool,
    /// To the host's own Ethernet address, or wherever the bytes say.
    to_us: bool,
    millis_later: u16,
    bytes: Vec<u8>,
}

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

fn host(input: &Input) -> Host {
    let mut host = Host::new(HostConfig { forwarding: input.router, ..HostConfig::default() });
    let medium = if input.ethernet { Medium::Ethernet } else { Medium::Ip };
    for index in 0..=u8::from(input.router) {
        let id =
            host.add_interface(InterfaceConfig { name: format!("eth{index}"), medium, mac: MAC, mtu: 1500 });
        for address in [format!("10.0.{index}.1/24"), format!("fd00:{index}::1/64")] {
            host.add_address(id, address.parse::<Cidr>().expect("an address"));
        }
    }
    let _ = host.tcp_listen("0.0.0.0:80".parse().expect("an address"), 8);
    let _ = host.tcp_listen("[::]:80".parse().expect("an address"), 8);
    let _ = host.udp_bind("0.0.0.0:53".parse().expect("an address"));
    let _ = host.udp_bind("[::]:53".parse().expect("an address"));
    let _ = host.raw_open(RawProtocol::Ipv4(1));
    let _ = host.raw_open(RawProtocol::PingV6(7));
    host
}

fuzz_target!(|input: Input| {
    let mut host = host(&input);
    let mut now = Instant::START;
    for arrival in &input.frames {
        now += Duration::from_millis(u64::from(arrival.millis_later));
        deadlines(&mut host, now);
        let mut bytes = arrival.bytes.clone();
        let ip_at = if input.ethernet { 14 } else { 0 };
        if arrival.to_us && input.ethernet && bytes.len() >= 14 {
            bytes[..6].copy_from_slice(&MAC.octets());
        }
        if arrival.mend && bytes.len() > ip_at {
            thru_fuzz::mend(&mut bytes[ip_at..]);
        }
        let interface = InterfaceId(u32::from(arrival.second_interface && input.router));
        host.handle_frame(now, interface, Frame::new(Bytes::from(bytes), now));
        drain(&mut host);
    }
    // Whatever is left ends by itself: fragments, half-open connections, neighbours.
    for _ in 0..10_000 {
        let next = host.next_deadline();
        if next.is_never() {
            return;
        }
        now = now.max(next);
        host.handle_deadline(now);
        drain(&mut host);
    }
    panic!("the host is still busy at {now:?}");
});

fn deadlines(host: &mut Host, now: Instant) {
    for _ in 0..10_000 {
        if host.next_deadline() > now {
            return;
        }
        host.handle_deadline(now);
        drain(host);
    }
    panic!("deadlines do not end at {now:?}");
}

fn drain(host: &mut Host) {
    for _ in 0..10_000 {
        if host.poll_transmit().is_none() {
            return;
        }
    }
    panic!("a host sends without end");
}
