use super::*;
use crate::Step;
use thru_wire::ethernet::Ethernet;
use thru_wire::icmpv4::{Icmpv4, Unreachable};
use thru_wire::ipv4::Ipv4;
use thru_wire::ipv6::Ipv6;
use thru_wire::tcp::Tcp;
use thru_wire::udp::Udp;

const CLIENT: [u8; 4] = [192, 168, 1, 10];
const SERVER: [u8; 4] = [203, 0, 113, 10];
const RESOLVER: [u8; 4] = [198, 51, 100, 53];
const ROUTER: [u8; 4] = [198, 51, 100, 9];

fn ipv4(src: [u8; 4], dst: [u8; 4], ttl: u8) -> Ipv4 {
    Ipv4 { ttl, ..Ipv4::new(src.into(), dst.into(), Protocol::TCP) }
}

fn tcp(src: [u8; 4], dst: [u8; 4], ttl: u8, ports: (u16, u16), flags: Flags) -> Vec<u8> {
    let header = Tcp { src_port: ports.0, dst_port: ports.1, flags, ..Tcp::default() };
    (Ethernet::default() / ipv4(src, dst, ttl) / header).to_vec()
}

fn udp(src: [u8; 4], dst: [u8; 4], ports: (u16, u16)) -> Vec<u8> {
    (Ethernet::default() / ipv4(src, dst, 64) / Udp::new(ports.0, ports.1) / b"question").to_vec()
}

struct Capture(Trace);

impl Capture {
    fn new() -> Capture {
        Capture(Trace { interfaces: vec!["home".into(), "isp".into()], ..Trace::default() })
    }

    fn frame(&mut self, at: u64, interface: u32, bytes: Vec<u8>) -> &mut Capture {
        self.frame_with_fate(at, interface, bytes, PacketFate::Passed)
    }

    fn frame_with_fate(&mut self, at: u64, interface: u32, bytes: Vec<u8>, fate: PacketFate) -> &mut Capture {
        let number = self.0.packets.len() as u64 + 1;
        self.0.packets.push(Packet { number, at, interface, bytes: bytes.into(), fate, comment: None });
        self
    }
}

fn connect(start: u64, end: u64) -> Step {
    Step::new(Layer::Tcp, "connect", "")
        .set("tcp.remote", "203.0.113.10:443")
        .set("tcp.local", "192.168.1.10:40000")
        .at(start, end)
}

#[test]
fn a_connection_gets_its_frames_once_and_only_those_it_could_see() {
    let mut capture = Capture::new();
    let (up, down) = ((40000, 443), (443, 40000));
    capture
        .frame(10, 0, tcp(CLIENT, SERVER, 64, up, Flags::SYN))
        // The same packet one link further.
        .frame(11, 1, tcp(CLIENT, SERVER, 63, up, Flags::SYN))
        .frame(12, 0, tcp(CLIENT, RESOLVER, 64, (40001, 443), Flags::SYN))
        .frame_with_fate(
            20,
            0,
            tcp(SERVER, CLIENT, 60, down, Flags::SYN | Flags::ACK),
            PacketFate::Dropped("loss".into()),
        )
        .frame(30, 0, tcp(SERVER, CLIENT, 60, down, Flags::SYN | Flags::ACK))
        .frame(99, 0, tcp(CLIENT, SERVER, 64, up, Flags::ACK));
    let parent = capture.0.add(connect(10, 30));
    capture.0.add(Step::new(Layer::Tcp, "segment", "SYN").under(parent).at(10, 10));
    capture.0.add(Step::new(Layer::Tls, "handshake", "").at(31, 99));
    attach_frames(&mut capture.0);
    let frames: Vec<&[u64]> = capture.0.spans.iter().map(|span| span.frames.as_slice()).collect();
    assert_eq!(frames, [&[1, 5][..], &[1], &[6]]);
    assert_eq!(capture.0.check(), []);
}

#[test]
fn an_icmp_error_belongs_to_the_packet_it_quotes() {
    let mut capture = Capture::new();
    let syn = tcp(CLIENT, SERVER, 61, (40000, 443), Flags::SYN);
    let error = Icmpv4::DestinationUnreachable(Unreachable::Network);
    let quote = bytes::Bytes::copy_from_slice(&syn[14..14 + 28]);
    let icmp = (Ethernet::default() / ipv4(ROUTER, CLIENT, 60) / error / quote).to_vec();
    capture.frame(1, 0, syn).frame(9, 0, icmp);
    let span = connect(0, 10).failed("ip.unreachable", "");
    capture.0.add(span);
    attach_frames(&mut capture.0);
    assert_eq!(capture.0.spans[0].frames, [1, 2]);
    let look = look(&capture.0.packets[1].bytes).unwrap();
    assert_eq!(look.about, Some((CLIENT.into(), SERVER.into(), Some((40000, 443)))));
    assert_eq!(look.icmp, Some((3, 0)));
}

#[test]
fn questions_pings_and_hops_get_theirs() {
    let mut capture = Capture::new();
    let echo =
        |src, dst, message: Icmpv4| (Ethernet::default() / ipv4(src, dst, 64) / message / b"ping").to_vec();
    capture
        .frame(1, 0, udp(CLIENT, RESOLVER, (5000, 53)))
        .frame(2, 0, udp(RESOLVER, CLIENT, (53, 5000)))
        .frame(11, 0, echo(CLIENT, SERVER, Icmpv4::EchoRequest { identifier: 1, sequence: 0 }))
        .frame(12, 0, echo(SERVER, CLIENT, Icmpv4::EchoReply { identifier: 1, sequence: 0 }))
        .frame(13, 0, echo(ROUTER, CLIENT, Icmpv4::EchoReply { identifier: 2, sequence: 0 }));
    capture.0.add(Step::new(Layer::Dns, "dns.query", "").set("dns.server", "198.51.100.53:53").at(0, 5));
    capture.0.add(Step::new(Layer::Ip, "ping", "").set("ping.target", IpAddr::from(SERVER)).at(10, 20));
    let route = capture.0.add(Step::new(Layer::Routing, "route", "").at(10, 20));
    capture.0.add(
        Step::new(Layer::Routing, "hop", "").under(route).set("hop.address", IpAddr::from(ROUTER)).at(10, 20),
    );
    attach_frames(&mut capture.0);
    let frames: Vec<&[u64]> = capture.0.spans.iter().map(|span| span.frames.as_slice()).collect();
    assert_eq!(frames, [&[1, 2][..], &[3, 4], &[5], &[5]], "the route stands on the frames of its hops");
    let packet = &capture.0.packets;
    assert_eq!(belongs(&capture.0, &capture.0.spans[2], &packet[4]), Some(true));
    assert_eq!(belongs(&capture.0, &capture.0.spans[2], &packet[0]), Some(false));
}

#[test]
fn long_flows_list_their_ends_and_count_the_rest() {
    let mut capture = Capture::new();
    for at in 0..100 {
        capture.frame(at, 0, tcp(CLIENT, SERVER, 64, (40000, 443), Flags::ACK));
    }
    capture.0.add(connect(0, 100));
    attach_frames(&mut capture.0);
    assert_eq!(capture.0.spans[0].frames, [1, 2, 3, 4, 5, 6, 97, 98, 99, 100]);
    assert_eq!(capture.0.spans[0].int("frames.count"), Some(100));
}

#[test]
fn the_hop_count_of_another_packet_of_the_host() {
    let mut capture = Capture::new();
    let reset = Flags::RST | Flags::ACK;
    capture
        .frame(1, 0, tcp(CLIENT, SERVER, 64, (40000, 443), Flags::SYN))
        .frame(2, 0, tcp(SERVER, CLIENT, 60, (443, 40000), reset))
        .frame(5, 1, tcp(SERVER, CLIENT, 61, (80, 40001), Flags::SYN | Flags::ACK))
        .frame(6, 0, tcp(SERVER, CLIENT, 59, (80, 40001), Flags::SYN | Flags::ACK));
    capture.0.add(connect(0, 3).failed("tcp.refused", ""));
    attach_frames(&mut capture.0);
    let span = capture.0.spans[0].clone();
    assert_eq!(other_ttl(&capture.0, &span, SERVER.into()), Some((59, 4)));
    assert_eq!(other_ttl(&capture.0, &span, ROUTER.into()), None);
}

#[test]
fn ipv6_is_read_behind_its_extension_headers() {
    let (src, dst) = ("2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap());
    let header = Tcp { src_port: 1, dst_port: 2, flags: Flags::SYN, ..Tcp::default() };
    let plain = (Ethernet::default() / Ipv6::new(src, dst, Protocol::TCP) / header).to_vec();
    // A destination options header of 8 bytes in between, by hand.
    let mut extended = plain.clone();
    extended[14 + 6] = 60;
    extended.splice(54..54, [6, 0, 1, 4, 0, 0, 0, 0]);
    let length = (extended.len() - 54) as u16;
    extended[18..20].copy_from_slice(&length.to_be_bytes());
    for frame in [plain, extended] {
        let look = look(&frame).unwrap();
        assert_eq!((look.protocol, look.ports, look.flags), (Protocol::TCP, Some((1, 2)), Some(Flags::SYN)));
    }
}

#[test]
fn no_cut_of_a_frame_can_harm() {
    let syn = tcp(CLIENT, SERVER, 61, (40000, 443), Flags::SYN);
    let error = Icmpv4::DestinationUnreachable(Unreachable::Network);
    let quote = bytes::Bytes::copy_from_slice(&syn[14..]);
    let icmp = (Ethernet::default() / ipv4(ROUTER, CLIENT, 60) / error / quote).to_vec();
    for frame in [syn, icmp, udp(CLIENT, RESOLVER, (5000, 53))] {
        for cut in 0..=frame.len() {
            let _ = look(&frame[..cut]);
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_can_harm(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..120), six: bool) {
        let mut frame = vec![0; 12];
        frame.extend(if six { [0x86, 0xDD] } else { [8, 0] });
        frame.push(if six { 0x60 } else { 0x45 });
        frame.extend(bytes);
        let _ = look(&frame);
    }
}

#[test]
fn connections_of_checks_are_told_from_the_request() {
    let mut capture = Capture::new();
    let request = (40000, 443);
    let check = (40001, 443);
    capture.frame(10, 0, tcp(CLIENT, SERVER, 64, request, Flags::SYN));
    capture.frame(20, 0, tcp(CLIENT, SERVER, 64, check, Flags::SYN));
    capture.frame(30, 0, tcp(SERVER, CLIENT, 57, (443, 40001), Flags::SYN | Flags::ACK));
    let trace = &mut capture.0;
    trace.add(connect(10, 15));
    let control =
        trace.add(Step::new(Layer::Tls, "control", "").set("control.kind", "other_name").at(20, 40));
    trace.add(connect(20, 30).set("tcp.local", "192.168.1.10:40001").under(control));
    // The same connection used again for a check stays the request's.
    let again = trace.add(Step::new(Layer::App, "control", "").set("control.kind", "once_more").at(50, 60));
    trace.add(
        Step::new(Layer::Http, "exchange", "")
            .set("tcp.remote", "203.0.113.10:443")
            .set("tcp.local", "192.168.1.10:40000")
            .at(50, 60)
            .under(again),
    );
    let checks = checks(trace);
    assert_eq!(
        checks.into_iter().collect::<Vec<_>>(),
        [(2, "1 other_name".to_owned()), (3, "1 other_name".to_owned())]
    );
}

#[test]
fn a_frame_that_was_cut_tells_how_long_it_was() {
    let v4 = udp(CLIENT, RESOLVER, (40_000, 53));
    let v6 = Ipv6::new([0; 16].into(), [0; 16].into(), Protocol::UDP);
    let v6 = (Ethernet::default() / v6 / Udp::new(1, 2) / b"question").to_vec();
    for whole in [&v4, &v6] {
        for cut in 0..=whole.len() {
            let told = if cut < if whole == &v4 { 18 } else { 20 } { cut } else { whole.len() };
            assert_eq!(length_on_the_wire(&whole[..cut]), told, "{cut}");
        }
    }
    // What network cards have yet to cut into segments has no length, and what is no IP has its own.
    let mut merged = v4;
    merged[16..18].fill(0);
    assert_eq!(length_on_the_wire(&merged), merged.len());
    assert_eq!(length_on_the_wire(&[7; 99]), 99);
}
