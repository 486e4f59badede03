//! Packets of any kind, from both sides, through a NAT: no panic, and what goes in with right checksums comes out with right ones.
#![no_main]

use core::net::Ipv4Addr;
use core::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use thru_sim::nat::{Nat, NatConfig};
use thru_stack::InterfaceId;
use thru_stack::hook::{Hook, Judgement, Place};
use thru_wire::Instant;
use thru_wire::icmpv4::{Icmpv4, Unreachable};
use thru_wire::ipv4::{Ipv4, Protocol};
use thru_wire::packet::{Packet, dissect_ip};
use thru_wire::tcp::{Flags, SeqNumber, Tcp};
use thru_wire::udp::Udp;

#[derive(Arbitrary, Debug)]
struct Crossing {
    outwards: bool,
    seconds_later: u16,
    inside_host: u8,
    outside_host: u8,
    ports: (u8, u16),
    content: Content,
}

#[derive(Arbitrary, Debug)]
enum Content {
    Udp(u8),
    Tcp(u16, u8),
    Echo {
        reply: bool,
        identifier: u8,
    },
    /// An error that quotes a UDP datagram going the other way, cut to so many bytes.
    Error {
        kind: u8,
        cut: u8,
    },
    /// Any payload under any protocol, checksums mended.
    Raw(u8, Vec<u8>),
    /// Not even an IP packet.
    Noise(Vec<u8>),
}

const OUTSIDE: InterfaceId = InterfaceId(1);
const INSIDE: InterfaceId = InterfaceId(0);
const OUTER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

fn build(crossing: &Crossing) -> (Vec<u8>, bool) {
    let inside = Ipv4Addr::new(192, 168, 1, crossing.inside_host);
    let outside = Ipv4Addr::new(198, 51, 100, crossing.outside_host);
    let (src, dst) = if crossing.outwards { (inside, outside) } else { (outside, OUTER) };
    let near = u16::from(crossing.ports.0) + 1024;
    let (src_port, dst_port) = if crossing.outwards { (near, 53) } else { (53, crossing.ports.1) };
    let ip = Ipv4::new(src, dst, Protocol(0));
    let packet: Packet = match &crossing.content {
        Content::Udp(count) => ip / Udp::new(src_port, dst_port) / vec![7; usize::from(*count)],
        Content::Tcp(flags, count) => {
            let seq = SeqNumber(u32::from(crossing.seconds_later));
            ip / Tcp { src_port, dst_port, seq, flags: Flags(flags & 0x1ff), ..Tcp::default() }
                / vec![7; usize::from(*count)]
        }
        Content::Echo { reply, identifier } => {
            let (identifier, sequence) = (u16::from(*identifier), 1);
            let request = Icmpv4::EchoRequest { identifier, sequence };
            ip / if *reply { Icmpv4::EchoReply { identifier, sequence } } else { request } / b"ping"
        }
        Content::Error { kind, cut } => {
            let quoted =
                (Ipv4::new(dst, src, Protocol(0)) / Udp::new(dst_port, src_port) / &[7; 64]).to_vec();
            let error = match kind % 3 {
                0 => Icmpv4::DestinationUnreachable(Unreachable::from_code(kind / 3, 1400)),
                1 => Icmpv4::TimeExceeded { code: 0 },
                _ => Icmpv4::ParameterProblem { code: 0, pointer: 1 },
            };
            ip / error / quoted[..usize::from(*cut).min(quoted.len())].to_vec()
        }
        Content::Raw(protocol, bytes) => {
            let mut raw = (Ipv4 { protocol: Protocol(*protocol), ..ip } / bytes.clone()).to_vec();
            thru_fuzz::mend(&mut raw);
            return (raw, false);
        }
        Content::Noise(bytes) => return (bytes.clone(), false),
    };
    (packet.to_vec(), true)
}

fuzz_target!(|crossings: Vec<Crossing>| {
    let mut nat = Nat::new(NatConfig { sessions_max: 16, ..NatConfig::new(OUTSIDE, OUTER) }, 1);
    let mut now = Instant::START;
    for crossing in &crossings {
        now += Duration::from_secs(u64::from(crossing.seconds_later));
        let (mut packet, whole) = build(crossing);
        let (input, output) = if crossing.outwards { (INSIDE, OUTSIDE) } else { (OUTSIDE, INSIDE) };
        let mut passed = nat.judge(now, Place::Prerouting, Some(input), None, &mut packet);
        for place in [Place::Forward, Place::Postrouting] {
            if passed == Judgement::Accept {
                passed = nat.judge(now, place, Some(input), Some(output), &mut packet);
            }
        }
        if passed == Judgement::Accept && whole {
            let (found, error) = dissect_ip(&packet);
            assert_eq!(error, None, "the NAT broke a packet: {found:?}");
        }
        if let Some(wait) = nat.next_expiry(now) {
            nat.expire(now + wait);
        }
    }
});
