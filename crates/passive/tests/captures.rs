//! Captures made by hand, whole and mutilated: what a doctor says of them, and what he must never say.

use std::net::Ipv4Addr;

use proptest::prelude::*;
use thru_diagnose::recheck;
use thru_dissect::Meta;
use thru_passive::{Doctor, Examination, Place};
use thru_trace::Status;
use thru_wire::ethernet::Ethernet;
use thru_wire::ipv4::{Ipv4, Protocol};
use thru_wire::tcp::{Flags, SeqNumber, Tcp};

const CLIENT: [u8; 4] = [192, 168, 1, 10];
const SERVER: [u8; 4] = [203, 0, 113, 10];
const EPOCH: u64 = 1_772_442_000_000_000_000;
const MS: u64 = 1_000_000;

/// A capture under construction, at the client.
#[derive(Clone, Default)]
struct Capture {
    packets: Vec<(u64, Vec<u8>)>,
    /// What a comment says of packets of the client's port 40,001.
    check: Option<&'static str>,
    /// The client's port is 40,000 and so many.
    port: u16,
}

impl Capture {
    fn tcp(
        &mut self,
        at_ms: u64,
        up: bool,
        flags: Flags,
        seq: u32,
        ack: u32,
        payload: &[u8],
    ) -> &mut Capture {
        let port = 40_000 + self.port;
        let (src, dst, ports, ttl) =
            if up { (CLIENT, SERVER, (port, 80), 64) } else { (SERVER, CLIENT, (80, port), 57) };
        let ip = Ipv4 { ttl, ..Ipv4::new(Ipv4Addr::from(src), Ipv4Addr::from(dst), Protocol::TCP) };
        let tcp = Tcp {
            src_port: ports.0,
            dst_port: ports.1,
            seq: SeqNumber(seq),
            ack: SeqNumber(ack),
            flags,
            window: 60_000,
            ..Tcp::default()
        };
        let frame = (Ethernet::default() / ip / tcp / bytes::Bytes::copy_from_slice(payload)).to_vec();
        self.packets.push((EPOCH + at_ms * MS, frame));
        self
    }

    fn handshake(&mut self) -> &mut Capture {
        self.tcp(0, true, Flags::SYN, 99, 0, b"").tcp(20, false, Flags::SYN | Flags::ACK, 499, 100, b"").tcp(
            20,
            true,
            Flags::ACK,
            100,
            500,
            b"",
        )
    }

    /// A page of several segments, asked for and delivered, and a goodbye.
    fn page(status: &str) -> Capture {
        let mut answer = format!("HTTP/1.1 {status}\r\nContent-Length: 5000\r\n\r\n").into_bytes();
        answer.extend([b'x'; 5000]);
        Capture::answered(&answer)
    }

    /// A request, this answer, and a goodbye.
    fn answered(answer: &[u8]) -> Capture {
        Capture::answered_at(0, answer)
    }

    fn answered_at(port: u16, answer: &[u8]) -> Capture {
        let mut capture = Capture { port, ..Capture::default() };
        let request = b"GET / HTTP/1.1\r\nHost: www.shop.lab\r\n\r\n";
        let asked = 100 + request.len() as u32;
        capture.handshake().tcp(21, true, Flags::ACK | Flags::PSH, 100, 500, request);
        capture.tcp(41, false, Flags::ACK, 500, asked, b"");
        let mut seq = 500;
        for piece in answer.chunks(1400) {
            capture.tcp(45, false, Flags::ACK, seq, asked, piece);
            seq += piece.len() as u32;
            capture.tcp(45, true, Flags::ACK, asked, seq, b"");
        }
        capture.tcp(50, true, Flags::ACK | Flags::FIN, asked, seq, b"");
        capture.tcp(70, false, Flags::ACK | Flags::FIN, seq, asked + 1, b"");
        capture.tcp(70, true, Flags::ACK, asked + 1, seq + 1, b"");
        capture
    }

    /// The verdicts; packets are cut at `snap` bytes.
    fn judge(&self, snap: usize) -> Examination {
        let mut doctor = Doctor::new();
        for (place, (time, bytes)) in self.packets.iter().enumerate() {
            let of_check = bytes.get(34..38).is_some_and(|ports| ports.contains(&0x41));
            let comments: Vec<String> =
                self.check.iter().filter(|_| of_check).map(|check| (*check).to_owned()).collect();
            let meta = Meta {
                number: place as u64 + 1,
                time: Some(*time),
                interface: 0,
                interface_name: None,
                link: 1,
                original: bytes.len() as u32,
                comments: &comments,
            };
            doctor.packet(&meta, &bytes[..bytes.len().min(snap)]);
        }
        doctor.finish()
    }
}

fn is_fault(found: &Examination) -> bool {
    let flows = found.flows.iter().map(|flow| flow.verdict.status);
    flows.chain([found.verdict.status]).any(|status| matches!(status, Status::Failed | Status::Degraded))
}

#[test]
fn a_page_that_came_is_healthy_and_the_capture_was_made_at_the_client() {
    let found = Capture::page("200 OK").judge(usize::MAX);
    assert_eq!(found.verdict.status, Status::Healthy, "{}", found.verdict.summary);
    assert_eq!((found.place, found.flows.len()), (Place::Client, 1));
    assert_eq!(recheck(&found.trace, &found.verdict), [""; 0]);
    let exchange = found.trace.all("exchange").next().expect("an exchange was told");
    assert_eq!((exchange.int("http.status"), exchange.int("http.bytes")), (Some(200), Some(5000)));
}

#[test]
fn a_healthy_capture_is_never_a_fault_however_it_is_cut() {
    let whole = Capture::page("200 OK");
    for end in 0..=whole.packets.len() {
        let start = Capture { packets: whole.packets[..end].to_vec(), ..Capture::default() };
        assert!(
            !is_fault(&start.judge(usize::MAX)),
            "cut behind packet {end}: {}",
            start.judge(9999).verdict.summary
        );
        let rest = Capture { packets: whole.packets[end..].to_vec(), ..Capture::default() };
        assert!(
            !is_fault(&rest.judge(usize::MAX)),
            "begins behind packet {end}: {}",
            rest.judge(9999).verdict.summary
        );
    }
    for gone in 0..whole.packets.len() {
        let mut packets = whole.packets.clone();
        packets.remove(gone);
        let found = Capture { packets, ..Capture::default() }.judge(usize::MAX);
        assert!(!is_fault(&found), "packet {gone} was not captured: {}", found.verdict.summary);
    }
    for snap in 0..200 {
        let found = whole.judge(snap);
        assert!(!is_fault(&found), "cut at {snap} bytes: {}", found.verdict.summary);
    }
}

#[test]
fn what_the_server_says_is_heard() {
    let found = Capture::page("503 Service Unavailable").judge(usize::MAX);
    assert_eq!(found.verdict.causes, ["H103"]);
    assert_eq!(recheck(&found.trace, &found.verdict), [""; 0]);
}

#[test]
fn what_is_no_answer_of_http_is_told_from_one() {
    let cases: [(&[u8], &[&str]); 7] = [
        (b"HTTP/1.1 2OO OK\r\nContent-Length: 0\r\n\r\n", &["H115"]),
        (b"HTTP/one.one 200 OK\r\n\r\n", &["H115"]),
        (b"SSH-2.0-OpenSSH_9.6\r\n", &["TCP26"]),
        // An alert of TLS: encryption is wanted here.
        (&[21, 3, 3, 0, 2, 2, 70], &["TLS02"]),
        (b"HTTP/1.1 302 Found\r\nLocation: https://\r\nContent-Length: 0\r\n\r\n", &["H108"]),
        (b"HTTP/1.1 302 Found\r\nLocation: htp://www.shop.lab/\r\nContent-Length: 0\r\n\r\n", &["H108"]),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npage\r\n0\r\n\r\n", &["H114"]),
    ];
    for (answer, causes) in cases {
        let found = Capture::answered(answer).judge(usize::MAX);
        let says = String::from_utf8_lossy(answer);
        assert_eq!(found.verdict.causes, causes, "{says}: {}", found.verdict.summary);
        assert_eq!(recheck(&found.trace, &found.verdict), [""; 0], "{says}");
    }
    // A place on the same server is an address.
    for location in ["/login", "login", "//www.shop.lab/", "http://www.shop.lab:8080/a:b"] {
        let answer = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        let found = Capture::answered(answer.as_bytes()).judge(usize::MAX);
        assert!(!is_fault(&found), "{location}: {}", found.verdict.summary);
    }
}

#[test]
fn old_copies_and_slow_parts_are_told_by_headers() {
    let page = |headers: &str| format!("HTTP/1.1 200 OK\r\n{headers}\r\nContent-Length: 4\r\n\r\npage");
    let judge = |headers: &str| Capture::answered(page(headers).as_bytes()).judge(usize::MAX).verdict.causes;
    assert_eq!(judge("Age: 7200\r\nCache-Control: max-age=600"), ["H122"]);
    assert_eq!(judge("Age: 500\r\nCache-Control: max-age=600"), [""; 0]);
    let mut slow = Capture::answered(page("Server-Timing: app;dur=12, db;dur=2900").as_bytes());
    for (time, _) in slow.packets.iter_mut().skip(5) {
        *time += 3_000 * MS;
    }
    assert_eq!(slow.judge(usize::MAX).verdict.causes, ["APP03"]);
}

#[test]
fn a_reset_tells_by_what_it_acknowledges_whether_the_request_had_come() {
    let asked = b"GET / HTTP/1.1\r\nHost: www.shop.lab\r\n\r\n";
    let reset = |acknowledged: u32| {
        let mut capture = Capture::default();
        capture.handshake().tcp(21, true, Flags::ACK | Flags::PSH, 100, 500, asked);
        capture.tcp(42, false, Flags::RST | Flags::ACK, 500, acknowledged, b"");
        capture.judge(usize::MAX).verdict
    };
    let before = reset(100);
    assert_eq!(before.causes, ["TCP08"]);
    assert!(before.evidence.iter().any(|evidence| evidence.says.contains("acknowledges nothing")));
    assert!(
        !reset(100 + asked.len() as u32)
            .evidence
            .iter()
            .any(|evidence| evidence.says.contains("acknowledges nothing"))
    );
}

#[test]
fn what_a_comment_calls_a_check_is_judged_as_one() {
    let mut capture = Capture::page("200 OK");
    let mut other = Capture::answered_at(1, b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
    for (time, _) in &mut other.packets {
        *time += 200 * MS;
    }
    capture.packets.append(&mut other.packets);
    assert_eq!(capture.judge(usize::MAX).verdict.causes, ["H103"], "without a mark it is a request");
    capture.check = Some("check 7 once_more");
    let found = capture.judge(usize::MAX);
    assert_eq!(found.verdict.status, Status::Healthy, "{}", found.verdict.summary);
    let control = found.trace.all("control").next().expect("the check is told");
    assert_eq!(control.text("control.kind"), Some("once_more"));
    assert_eq!(found.flows.len(), 2, "each flow has its own line all the same");
}

#[test]
fn a_refusal_and_silence_are_two_things() {
    let mut refused = Capture::default();
    refused.tcp(0, true, Flags::SYN, 99, 0, b"").tcp(20, false, Flags::RST | Flags::ACK, 0, 100, b"");
    let found = refused.judge(usize::MAX);
    assert_eq!(found.verdict.causes, ["TCP01", "FW02"]);
    assert_eq!(recheck(&found.trace, &found.verdict), [""; 0]);
    let mut silent = Capture::default();
    for at in [0, 1000, 3000, 7000] {
        silent.tcp(at, true, Flags::SYN, 99, 0, b"");
    }
    let found = silent.judge(usize::MAX);
    assert_eq!(found.verdict.causes, ["FW01", "IP05", "TCP03", "TCP06", "IP07"]);
    // One question proves nothing: the answer may not have been captured.
    silent.packets.truncate(1);
    assert!(!is_fault(&silent.judge(usize::MAX)));
}

#[test]
fn an_answer_that_is_cut_short_by_its_server() {
    let mut capture = Capture::page("200 OK");
    // The last piece of the page was never sent: the goodbye stands in its place.
    let (request, body) = (138, 500 + 1400 * 3);
    capture.packets.truncate(5 + 3 * 2);
    capture.tcp(60, false, Flags::ACK | Flags::FIN, body, request, b"");
    capture.tcp(60, true, Flags::ACK | Flags::FIN, request, body + 1, b"");
    let found = capture.judge(usize::MAX);
    assert_eq!(found.verdict.causes, ["H110"], "{}", found.verdict.summary);
}

#[test]
fn what_follows_another_protocol_is_no_answer_that_stopped() {
    let mut capture = Capture::default();
    let request =
        b"GET /chat HTTP/1.1\r\nHost: www.shop.lab\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    let (asked, told) = (100 + request.len() as u32, 500 + answer.len() as u32);
    capture.handshake().tcp(21, true, Flags::ACK | Flags::PSH, 100, 500, request);
    capture.tcp(45, false, Flags::ACK | Flags::PSH, 500, asked, answer);
    capture.tcp(46, true, Flags::ACK, asked, told, b"");
    capture.tcp(9_000, true, Flags::ACK | Flags::PSH, asked, told, b"\x81\x82....hi");
    capture.tcp(9_020, false, Flags::ACK | Flags::PSH, told, asked + 8, b"\x81\x02hi");
    capture.tcp(9_021, true, Flags::ACK, asked + 8, told + 4, b"");
    capture.tcp(54_000, true, Flags::ACK, asked + 7, told + 4, b"");
    capture.tcp(54_020, false, Flags::ACK, told + 4, asked + 8, b"");
    assert!(!is_fault(&capture.judge(usize::MAX)));
}

#[test]
fn what_nobody_acknowledged_and_nobody_repeated_was_not_followed_to_its_end() {
    let late = Capture::answered_at(1, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").packets;
    let shifted = |by: u64| late.iter().map(move |(time, bytes)| (time + by * MS, bytes.clone()));
    let mut torn = Capture::page("200 OK");
    // The first packets of the answer; the last of them is not acknowledged.
    torn.packets.truncate(8);
    torn.packets.extend(shifted(20_000));
    assert!(!is_fault(&torn.judge(usize::MAX)));
    // Acknowledged, and then silence: that is what a program that hangs looks like.
    let mut hung = Capture::page("200 OK");
    hung.packets.truncate(7);
    hung.packets.extend(shifted(20_000));
    assert!(is_fault(&hung.judge(usize::MAX)));
}

#[test]
fn a_server_that_hangs_is_found_however_long_the_capture_goes_on() {
    for silence in [20_000, 200_000, 3_600_000] {
        let mut hung = Capture::page("200 OK");
        // The request, acknowledged, and no answer.
        hung.packets.truncate(5);
        let late = Capture::answered_at(1, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").packets;
        hung.packets.extend(late.into_iter().map(|(time, bytes)| (time + silence * MS, bytes)));
        assert!(is_fault(&hung.judge(usize::MAX)), "{silence} ms later");
    }
}

#[test]
fn programs_that_keep_the_first_packets_of_each_connection_leave_them_all() {
    let mut torn = Capture::default();
    for port in 0..3 {
        let mut one = Capture::answered_at(
            port,
            &[b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", &[b'x'; 5000][..]].concat(),
        );
        // Of two the last segment is not acknowledged, and of one it is.
        one.packets.truncate(if port == 2 { 7 } else { 8 });
        torn.packets.append(&mut one.packets);
    }
    let late = Capture::answered_at(9, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").packets;
    torn.packets.extend(late.into_iter().map(|(time, bytes)| (time + 200_000 * MS, bytes)));
    let found = torn.judge(usize::MAX);
    assert!(!is_fault(&found), "{}", found.verdict.summary);
}

#[test]
fn a_reset_after_the_servers_own_goodbye_cuts_nothing() {
    let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    let (asked, told) = (100 + 38, 500 + whole.len() as u32);
    let closed = || {
        let mut capture = Capture::answered(whole);
        let last = capture.packets.len();
        capture.packets.truncate(last - 3);
        capture.tcp(50, false, Flags::ACK | Flags::FIN, told, asked, b"");
        capture.tcp(51, true, Flags::ACK, asked, told + 1, b"");
        capture
    };
    let mut left = closed();
    left.tcp(52, true, Flags::ACK | Flags::FIN, asked, told + 1, b"");
    left.tcp(72, false, Flags::RST, told + 1, 0, b"");
    let found = left.judge(usize::MAX);
    assert!(!is_fault(&found), "{}", found.verdict.summary);
    // What is asked on it afterwards is lost, and was asked too late.
    let mut late = closed();
    late.tcp(52, true, Flags::ACK | Flags::PSH, asked, told + 1, b"GET /more HTTP/1.1\r\n\r\n");
    late.tcp(72, false, Flags::RST, told + 1, 0, b"");
    assert_eq!(late.judge(usize::MAX).verdict.causes, ["H113"]);
}

#[test]
fn times_of_another_age_are_no_times() {
    for wild in [0, 1, u64::MAX / 3, u64::MAX - 1, u64::MAX] {
        for place in 0..Capture::page("200 OK").packets.len() {
            let mut capture = Capture::page("200 OK");
            capture.packets[place].0 = wild;
            let _ = capture.judge(usize::MAX);
            // A reset after an age, too.
            capture.tcp(60, false, Flags::RST, 5_500, 0, b"").packets.last_mut().expect("it was added").0 =
                wild;
            let _ = capture.judge(usize::MAX);
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_can_harm(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 0..20),
        link in prop::sample::select(vec![0u16, 1, 101, 113, 276, 228, 12]),
        at in any::<u64>(),
    ) {
        let mut doctor = Doctor::new();
        for (place, bytes) in frames.iter().enumerate() {
            let meta = Meta {
                number: place as u64 + 1,
                time: Some(at.wrapping_add(place as u64)),
                interface: 0,
                interface_name: None,
                link,
                original: bytes.len() as u32,
                comments: &[],
            };
            doctor.packet(&meta, bytes);
        }
        let _ = doctor.finish();
    }

    #[test]
    fn no_flipped_bytes_can_harm(flips in prop::collection::vec((0usize..16, 14usize..80, any::<u8>()), 1..8)) {
        let mut capture = Capture::page("200 OK");
        for (packet, byte, value) in flips {
            if let Some(byte) = capture.packets.get_mut(packet).and_then(|(_, bytes)| bytes.get_mut(byte)) {
                *byte = value;
            }
        }
        let _ = capture.judge(usize::MAX);
    }
}
