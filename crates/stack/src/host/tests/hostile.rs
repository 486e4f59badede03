//! Whatever arrives: no panic, no endless work, no memory without bound.

use proptest::prelude::*;

use super::*;
use crate::fragment::split;
use crate::hook::{Hook, Judgement, Place};
use crate::raw::RawProtocol;
use crate::udp::UdpSend;

/// A hook that lets everything pass, so that the reassembling way in is walked too.
struct Open;

impl Hook for Open {
    fn judge(
        &mut self,
        _: Instant,
        _: Place,
        _: Option<InterfaceId>,
        _: Option<InterfaceId>,
        _: &mut Vec<u8>,
    ) -> Judgement {
        Judgement::Accept
    }
}

/// A router with every kind of socket open and neighbours known.
fn target(medium: Medium, hooked: bool) -> Bench {
    let mut bench = Bench::with(HostConfig { forwarding: true, ..HostConfig::default() }, medium);
    if medium == Medium::Ethernet {
        introduce(&mut bench);
    }
    for protocol in
        [RawProtocol::PingV4(5), RawProtocol::PingV6(5), RawProtocol::Ipv4(89), RawProtocol::Ipv6(89)]
    {
        bench.host.raw_open(protocol).unwrap();
    }
    let socket = bench.host.udp_bind("[::]:53".parse().unwrap()).unwrap();
    bench.host.tcp_listen("[::]:80".parse().unwrap(), 8).unwrap();
    for to in ["10.0.0.2:1", "[fd00::2]:1", "10.0.0.77:1"] {
        let send = UdpSend {
            to: to.parse().unwrap(),
            from: None,
            payload: b"x",
            ttl: None,
            ecn: 0,
            dont_fragment: false,
        };
        bench.host.udp_send(bench.now, socket, send).unwrap();
    }
    if hooked {
        bench.host.set_hook(Box::new(Open));
    }
    bench
}

/// Legal frames of every kind the host understands.
fn legal() -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    for (src, dst) in
        [("10.0.0.2", "10.0.0.1"), ("10.0.0.2", "10.0.1.2"), ("fd00::2", "fd00::1"), ("fd00::2", "fd00:1::2")]
    {
        let v6 = src.contains(':');
        let back = Make::new(dst, src).udp(53, 1, b"quoted");
        let mut tcp = [0; 24];
        tcp[..4].copy_from_slice(&[0, 1, 0, 80]);
        tcp[12..16].copy_from_slice(&[0x60, 2, 0xff, 0xff]);
        tcp[20..].copy_from_slice(&[2, 4, 5, 0xb4]);
        let udp = Make::new(src, dst).udp(1, 53, &[1; 900]);
        let pieces = if v6 { split::ipv6(&udp, 400, 9) } else { split::ipv4(&udp, 400) };
        packets.extend(pieces.unwrap().iter().map(|piece| piece.bytes().to_vec()));
        packets.extend([
            udp,
            Make::new(src, dst).echo_request(5, 20),
            Make::new(src, dst).any(protocol::TCP, &tcp),
            Make::new(src, dst).error(if v6 { 2 } else { 3 }, if v6 { 0 } else { 4 }, 1_300, &back),
            Make::new(src, dst).error(if v6 { 1 } else { 3 }, 1, 0, &back),
        ]);
        if v6 {
            packets.push(Make::new(src, dst).ttl(255).icmp(&solicitation("fd00::1", PEER_MAC)));
            packets.push(Make::new(src, dst).ttl(255).icmp(&advertisement("fd00::1", PEER_MAC, 0x60)));
            for (kind, options) in [
                (0, [0, 0, 5, 2, 0, 0, 1, 0]),
                (60, [0, 0, 1, 4, 0, 0, 0, 0]),
                (43, [0, 0, 0, 1, 0, 0, 0, 0]),
            ] {
                let mut payload = options.to_vec();
                payload[0] = protocol::UDP;
                payload.extend_from_slice(&Make::new(src, dst).udp(1, 53, b"behind")[40..]);
                packets.push(Make::new(src, dst).any(kind, &payload));
            }
        }
    }
    packets
}

fn framed(packet: &[u8]) -> Vec<u8> {
    let kind = if packet[0] >> 4 == 6 { EtherType::IPV6 } else { EtherType::IPV4 };
    let mut frame = ethernet_header(PEER_MAC, OUR_MAC, kind).to_vec();
    frame.extend_from_slice(packet);
    frame
}

/// Drains what came out and lets some time pass.
fn rest(bench: &mut Bench, ms: u64) {
    bench.frames();
    let until = bench.now.nanos() / 1_000_000 + ms;
    bench.at(until);
    bench.frames();
}

/// What the host holds because of others.
fn assert_bounded(bench: &Bench) {
    assert!(bench.host.neighbors.len() <= 1_024);
    assert!(bench.host.reassembler.memory() <= 4 << 20);
    assert!(bench.host.looped.is_empty());
    assert!(bench.host.outgoing.is_empty());
}

/// Recomputes the checksums of a mutated packet, so that the mutation reaches the code behind them.
fn repair(packet: &mut [u8]) {
    let Some(header) = Header::parse_quoted(packet) else { return };
    if header.src.is_ipv4() {
        crate::header::set_ipv4_checksum(&mut packet[..header.len]);
    }
    let Upper::Protocol { protocol, at, .. } = header.upper(packet) else { return };
    let end = header.total_len.min(packet.len());
    let field = match protocol {
        protocol::ICMPV4 | protocol::ICMPV6 => at + 2,
        protocol::UDP => at + 6,
        protocol::TCP => at + 16,
        _ => return,
    };
    if field + 2 > end {
        return;
    }
    packet[field..field + 2].fill(0);
    let sum = if protocol == protocol::ICMPV4 {
        thru_wire::checksum::of(&packet[at..end])
    } else {
        let mut sum = PseudoHeader::new(header.src, header.dst, Protocol(protocol)).sum(end - at);
        sum.add_bytes(&packet[at..end]);
        sum.checksum()
    };
    packet[field..field + 2].copy_from_slice(&sum.to_be_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_bytes(
        frames in proptest::collection::vec((0_u32..3, proptest::collection::vec(any::<u8>(), 0..200)), 1..100),
        bare: bool, hooked: bool,
    ) {
        let mut bench = target(if bare { Medium::Ip } else { Medium::Ethernet }, hooked);
        for (interface, mut bytes) in frames {
            // Point most of them past the first checks.
            if !bare && bytes.len() > 14 {
                bytes[..6].copy_from_slice(&OUR_MAC.0);
                bytes[6] &= 0xfe;
                let kind: [u8; 2] = [[8, 0], [8, 6], [0x86, 0xdd], [0x81, 0]][usize::from(bytes[12] & 3)];
                bytes[12..14].copy_from_slice(&kind);
            }
            bench.frame(interface, bytes);
            rest(&mut bench, 10);
        }
        rest(&mut bench, 200_000);
        assert_bounded(&bench);
    }

    #[test]
    fn mutated_legal_frames(
        edits in proptest::collection::vec((any::<proptest::sample::Index>(), proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4), any::<bool>(), 0_usize..30, 0_u64..2_000), 1..150),
        bare: bool, hooked: bool,
    ) {
        let mut bench = target(if bare { Medium::Ip } else { Medium::Ethernet }, hooked);
        let legal = legal();
        for (which, changes, repaired, cut, wait) in edits {
            let mut packet = which.get(&legal).clone();
            for (at, value) in changes {
                let at = at.index(packet.len());
                packet[at] = value;
            }
            if cut < 10 {
                packet.truncate(packet.len() - cut.min(packet.len() - 1));
            }
            if repaired {
                repair(&mut packet);
            }
            bench.frame(0, if bare { packet } else { framed(&packet) });
            rest(&mut bench, wait);
            assert_bounded(&bench);
        }
        rest(&mut bench, 200_000);
        prop_assert_eq!(bench.host.reassembler.memory(), 0);
    }
}

#[test]
fn every_truncation_and_every_flipped_bit_of_legal_packets() {
    for hooked in [false, true] {
        let mut bench = target(Medium::Ip, hooked);
        for packet in legal() {
            for cut in 0..=packet.len() {
                bench.frame(0, packet[..cut].to_vec());
            }
            for bit in 0..packet.len().min(120) * 8 {
                let mut flipped = packet.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                bench.frame(0, flipped.clone());
                repair(&mut flipped);
                bench.frame(0, flipped);
            }
            rest(&mut bench, 1);
        }
        assert_bounded(&bench);
    }
}

#[test]
fn floods_of_fragments_and_neighbours_stay_within_bounds() {
    for hooked in [false, true] {
        let mut bench = target(Medium::Ethernet, hooked);
        for index in 0..30_000_u32 {
            let mut piece = split::ipv4(&Make::new("10.0.0.2", "10.0.0.1").udp(1, 53, &[0; 2_000]), 1_500)
                .unwrap()
                .remove(0)
                .bytes()
                .to_vec();
            piece[4..6].copy_from_slice(&(index as u16).to_be_bytes());
            piece[12..16].copy_from_slice(&(0x0b00_0000 + (index >> 16)).to_be_bytes());
            crate::header::set_ipv4_checksum(&mut piece[..20]);
            bench.frame(0, framed(&piece));
            let asker: Ipv4Addr = (0x0a00_0000 + index).into();
            bench.arp(Arp::request(PEER_MAC, asker, [10, 0, 0, 1].into()));
            bench.frames();
            assert_bounded(&bench);
        }
    }
}
