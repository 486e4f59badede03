//! Verdicts that cite frames, and the checker that reads them again.

use super::*;
use thru_trace::{Packet, PacketFate, attach_frames};
use thru_wire::ethernet::Ethernet;
use thru_wire::ipv4::{Ipv4, Protocol};
use thru_wire::tcp::{Flags, Tcp};

const CLIENT: [u8; 4] = [192, 168, 1, 10];
const HOST: [u8; 4] = [203, 0, 113, 10];

fn segment(src: [u8; 4], dst: [u8; 4], ttl: u8, ports: (u16, u16), flags: Flags) -> Vec<u8> {
    let ip = Ipv4 { ttl, ..Ipv4::new(src.into(), dst.into(), Protocol::TCP) };
    let tcp = Tcp { src_port: ports.0, dst_port: ports.1, flags, ..Tcp::default() };
    (Ethernet::default() / ip / tcp).to_vec()
}

/// A refused connection with its frames, and one to port 80 whose answer carries `other_ttl`.
fn refused(other_ttl: u8) -> Visit {
    let mut visit = Visit::new();
    visit.connect_fails("tcp.refused", 20, |step| step.set("tcp.reset_ttl", 60).set("tcp.local", LOCAL));
    visit.control_with(Layer::Tcp, "other_port", Ok(()), |step| {
        step.set("port", 80).set("tcp.remote", "203.0.113.10:80").set("tcp.local", "192.168.1.10:40001")
    });
    visit.trace.interfaces = vec!["home".into()];
    let answer = Flags::SYN | Flags::ACK;
    let frames = [
        (0, segment(CLIENT, HOST, 64, (40000, 443), Flags::SYN)),
        (20, segment(HOST, CLIENT, 60, (443, 40000), Flags::RST | Flags::ACK)),
        (21, segment(CLIENT, HOST, 64, (40001, 80), Flags::SYN)),
        (41, segment(HOST, CLIENT, other_ttl, (80, 40001), answer)),
    ];
    for (at_ms, bytes) in frames {
        let number = visit.trace.packets.len() as u64 + 1;
        let at = at_ms * 1_000_000;
        visit.trace.packets.push(Packet {
            number,
            at,
            interface: 0,
            bytes: bytes.into(),
            fate: PacketFate::Passed,
            comment: None,
        });
    }
    attach_frames(&mut visit.trace);
    visit
}

#[test]
fn hop_counts_of_other_frames_tell_who_refused() {
    let verdict = fails(&refused(60), Layer::Tcp, &["TCP01"]);
    assert_eq!(verdict.evidence[0].frames, [1, 2]);
    let verdict = fails(&refused(53), Layer::Firewall, &["FW02", "TCP01"]);
    assert!(verdict.evidence.iter().any(|evidence| evidence.frames.contains(&2)));
}

#[test]
fn false_citations_are_found() {
    let visit = refused(60);
    let verdict = judged(&visit);
    let with = |edit: fn(&mut Verdict)| {
        let mut verdict = verdict.clone();
        edit(&mut verdict);
        recheck(&visit.trace, &verdict).join("; ")
    };
    assert_eq!(with(|_| {}), "");
    assert!(with(|verdict| verdict.evidence[0].frames.push(99)).contains("was not captured"));
    assert!(with(|verdict| verdict.evidence[0].frames.push(4)).contains("another flow"));
    assert!(with(|verdict| verdict.evidence[0].frames.truncate(1)).contains("no reset"));
    assert!(with(|verdict| verdict.evidence[0].probe = Some(SpanId(77))).contains("does not exist"));
    assert!(with(|verdict| verdict.causes = vec!["ABC1".into()]).contains("not in the catalogue"));
    assert!(with(|verdict| verdict.layer = Layer::Dns).contains("not that of"));
}

#[test]
fn the_fate_of_a_packet_is_no_evidence() {
    // The simulator knows that the answer was dropped; a client does not, so the verdict may not change.
    let mut visit = Visit::healthy();
    let before = diagnose(&visit.trace);
    visit.trace.interfaces = vec!["home".into()];
    visit.trace.packets.push(Packet {
        number: 1,
        at: 70_000_000,
        interface: 0,
        bytes: segment(HOST, CLIENT, 60, (443, 40000), Flags::ACK).into(),
        fate: PacketFate::Dropped("rule: firewall drops port 443".into()),
        comment: Some("injected fault FW01".into()),
    });
    assert_eq!(diagnose(&visit.trace), before);
}
