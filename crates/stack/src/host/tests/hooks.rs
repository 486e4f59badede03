//! What a hook sees, and what becomes of what it says.

use std::sync::{Arc, Mutex};

use super::*;
use crate::fragment::split;
use crate::hook::{Hook, Judgement, Place};
use crate::icmp::IcmpErrorKind;
use crate::udp::UdpSend;

type Judge = dyn FnMut(Place, &mut Vec<u8>) -> Judgement + Send;

/// Notes what it sees, and judges as it is told.
struct Script {
    seen: Arc<Mutex<Vec<String>>>,
    judge: Box<Judge>,
}

impl Hook for Script {
    fn judge(
        &mut self,
        _: Instant,
        place: Place,
        input: Option<InterfaceId>,
        output: Option<InterfaceId>,
        packet: &mut Vec<u8>,
    ) -> Judgement {
        let name = |id: Option<InterfaceId>| id.map_or("-".into(), |id| id.0.to_string());
        let seen = format!("{place:?} {}>{} {}", name(input), name(output), say_packet(packet));
        self.seen.lock().unwrap().push(seen);
        (self.judge)(place, packet)
    }

    fn next_expiry(&self, _: Instant) -> Option<Duration> {
        (!self.seen.lock().unwrap().is_empty()).then_some(millis(500))
    }

    fn expire(&mut self, _: Instant) {
        self.seen.lock().unwrap().clear();
    }
}

fn hooked(
    mut bench: Bench,
    judge: impl FnMut(Place, &mut Vec<u8>) -> Judgement + Send + 'static,
) -> (Bench, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    bench.host.set_hook(Box::new(Script { seen: seen.clone(), judge: Box::new(judge) }));
    (bench, seen)
}

fn accept(_: Place, _: &mut Vec<u8>) -> Judgement {
    Judgement::Accept
}

fn take(seen: &Mutex<Vec<String>>) -> Vec<String> {
    core::mem::take(&mut seen.lock().unwrap())
}

#[test]
fn the_places_in_their_order() {
    let (mut bench, seen) = hooked(Bench::bare_router(), accept);
    bench.packet(0, &Make::new("10.0.0.2", "10.0.1.2").ttl(9).udp(1, 2, b"x"));
    assert_eq!(
        take(&seen),
        [
            "Prerouting 0>- 10.0.0.2>10.0.1.2 ttl=9 udp 1>2 len=1",
            "Forward 0>1 10.0.0.2>10.0.1.2 ttl=8 udp 1>2 len=1",
            "Postrouting 0>1 10.0.0.2>10.0.1.2 ttl=8 udp 1>2 len=1",
        ]
    );
    bench.expect(&["eth1 10.0.0.2>10.0.1.2 ttl=8 udp 1>2 len=1"]);
    bench.packet(0, &Make::new("fd00::2", "fd00::1").echo_request(5, 8));
    assert_eq!(
        take(&seen),
        [
            "Prerouting 0>- fd00::2>fd00::1 ttl=64 echo request 5 len=8",
            "Input 0>- fd00::2>fd00::1 ttl=64 echo request 5 len=8",
            "Output ->0 fd00::1>fd00::2 ttl=64 echo reply 5 len=8",
            "Postrouting ->0 fd00::1>fd00::2 ttl=64 echo reply 5 len=8",
        ]
    );
    bench.expect(&["eth0 fd00::1>fd00::2 ttl=64 echo reply 5 len=8"]);
}

#[test]
fn fragments_are_whole_for_the_hook_and_leave_as_they_were_cut() {
    for (src, dst) in [("10.0.0.2", "10.0.1.2"), ("fd00::2", "fd00:1::2")] {
        let (mut bench, seen) = hooked(Bench::bare_router(), accept);
        let whole = Make::new(src, dst).ttl(9).udp(1, 2, &[7; 3_000]);
        let pieces =
            if src.contains(':') { split::ipv6(&whole, 1_280, 99) } else { split::ipv4(&whole, 1_280) };
        for piece in pieces.unwrap().iter().rev() {
            assert!(take(&seen).is_empty());
            bench.packet(0, piece.bytes());
        }
        let expected = format!("{src}>{dst} ttl=9 udp 1>2 len=3000");
        assert_eq!(take(&seen)[0], format!("Prerouting 0>- {expected}"));
        let out = bench.packets();
        assert_eq!(out.len(), 3);
        assert!(out.iter().all(|piece| piece.len() <= 1_280));
        let id = |packet: &[u8]| match Header::parse(packet).unwrap().upper(packet) {
            Upper::Fragment { id, .. } => id,
            _ => u32::from(Header::parse(packet).unwrap().id),
        };
        assert!(out.iter().all(|piece| id(piece) == if src.contains(':') { 99 } else { 7 }));

        // A narrower link after the router: IPv6 is told, IPv4 is cut smaller.
        bench.host.set_mtu(InterfaceId(1), 1_000);
        let pieces =
            if src.contains(':') { split::ipv6(&whole, 1_280, 99) } else { split::ipv4(&whole, 1_280) };
        for piece in pieces.unwrap() {
            bench.packet(0, piece.bytes());
        }
        let out = bench.packets();
        if src.contains(':') {
            assert_eq!(
                say_packet(&out[0]),
                "fd00::1>fd00::2 ttl=64 icmp 2/0 info=1000 about fd00::2>fd00:1::2"
            );
        } else {
            assert!(out.len() > 3 && out.iter().all(|piece| piece.len() <= 1_000));
        }
    }
}

#[test]
fn a_rewritten_destination_is_routed_anew() {
    // A port forwarding: what comes for 10.0.0.1 goes to 10.0.1.2.
    let (mut bench, _) = hooked(Bench::bare_router(), |place, packet| {
        if place == Place::Prerouting && packet[16..20] == [10, 0, 0, 1] {
            packet[16..20].copy_from_slice(&[10, 0, 1, 2]);
            packet[26..28].fill(0);
            crate::header::set_ipv4_checksum(&mut packet[..20]);
        }
        Judgement::Accept
    });
    bench
        .packet(0, &Make::new("10.0.0.2", "10.0.0.1").udp(1, 2, b"x"))
        .expect(&["eth1 10.0.0.2>10.0.1.2 ttl=63 udp 1>2 len=1"]);
}

#[test]
fn refusals() {
    let syn = |src, dst| {
        let mut segment = [0; 20];
        segment[..8].copy_from_slice(&[0, 80, 0, 81, 0, 0, 0, 9]);
        segment[12..14].copy_from_slice(&[0x50, 2]);
        Make::new(src, dst).any(protocol::TCP, &segment)
    };
    for (judgement, packet, expected) in [
        (Judgement::Drop("no"), Make::new("10.0.0.2", "10.0.1.2").udp(1, 2, b"x"), None),
        (
            Judgement::RejectIcmp("no"),
            Make::new("10.0.0.2", "10.0.1.2").udp(1, 2, b"x"),
            Some("eth0 10.0.0.1>10.0.0.2 ttl=64 icmp 3/13 about 10.0.0.2>10.0.1.2"),
        ),
        (
            Judgement::RejectIcmp("no"),
            Make::new("fd00::2", "fd00:1::2").udp(1, 2, b"x"),
            Some("eth0 fd00::1>fd00::2 ttl=64 icmp 1/1 about fd00::2>fd00:1::2"),
        ),
        (
            Judgement::RejectReset("no"),
            syn("10.0.0.2", "10.0.1.2"),
            Some("eth0 10.0.1.2>10.0.0.2 ttl=64 tcp 81>80 flags=0x14"),
        ),
        (
            Judgement::RejectReset("no"),
            syn("fd00::2", "fd00:1::2"),
            Some("eth0 fd00:1::2>fd00::2 ttl=64 tcp 81>80 flags=0x14"),
        ),
        (
            Judgement::RejectReset("no"),
            Make::new("10.0.0.2", "10.0.1.2").udp(1, 2, b"x"),
            Some("eth0 10.0.0.1>10.0.0.2 ttl=64 icmp 3/13 about 10.0.0.2>10.0.1.2"),
        ),
    ] {
        let (mut bench, _) = hooked(Bench::bare_router(), move |place, _| match place {
            Place::Forward => judgement.clone(),
            _ => Judgement::Accept,
        });
        let expected: Vec<&str> = expected.into_iter().collect();
        bench.packet(0, &packet);
        let out = bench.packets();
        bench.host.set_hook(Box::new(Script { seen: Arc::default(), judge: Box::new(accept) }));
        let said: Vec<String> = out.iter().map(|packet| format!("eth0 {}", say_packet(packet))).collect();
        assert_eq!(said, expected);
        if let Some(packet) = out.first()
            && let Upper::Protocol { protocol: protocol::TCP, at, .. } =
                Header::parse(packet).unwrap().upper(packet)
        {
            let header = Header::parse(packet).unwrap();
            let pseudo = PseudoHeader::new(header.src, header.dst, Protocol(protocol::TCP));
            assert!(pseudo.is_valid(&packet[at..]));
            assert_eq!(packet[at + 8..at + 12], [0, 0, 0, 10], "it acknowledges the SYN");
        }
        assert_eq!(bench.host.stats().hook_dropped, 1);
    }
}

#[test]
fn our_own_refused_packet_is_told_to_its_socket() {
    let (mut bench, _) = hooked(Bench::bare_router(), |place, _| match place {
        Place::Output => Judgement::RejectIcmp("no way out"),
        _ => Judgement::Accept,
    });
    let socket = bench.host.udp_bind("0.0.0.0:1000".parse().unwrap()).unwrap();
    let send = UdpSend {
        to: "10.0.0.2:53".parse().unwrap(),
        from: None,
        payload: b"x",
        ttl: None,
        ecn: 0,
        dont_fragment: false,
    };
    bench.host.udp_send(bench.now, socket, send).unwrap();
    bench.expect_silence();
    let report = bench.host.udp_error(socket).expect("an error");
    assert_eq!(report.kind, IcmpErrorKind::AdministrativelyProhibited);
}

#[test]
fn what_a_hook_spoils_goes_nowhere() {
    let (mut bench, _) = hooked(Bench::bare_router(), |_, packet| {
        packet.truncate(5);
        Judgement::Accept
    });
    bench.packet(0, &Make::new("10.0.0.2", "10.0.1.2").udp(1, 2, b"x")).expect_silence();
    bench.packet(0, &Make::new("10.0.0.2", "10.0.0.1").echo_request(1, 1)).expect_silence();
}

#[test]
fn a_hook_has_a_deadline_of_its_own() {
    let (mut bench, seen) = hooked(Bench::bare_router(), accept);
    assert!(bench.host.next_deadline().is_never());
    bench.packet(0, &Make::new("10.0.0.2", "10.0.1.2").udp(1, 2, b"x"));
    assert_eq!(bench.host.next_deadline(), Instant::from_millis(500));
    bench.at(500);
    assert!(seen.lock().unwrap().is_empty());
    assert!(bench.host.next_deadline().is_never());
}
