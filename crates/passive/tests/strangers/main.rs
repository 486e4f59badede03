//! What recordings of strangers' networks showed that the rules had not known: one scene by hand for each, and beside it
//! one that looks alike and is another thing.

mod everyday;

use std::net::Ipv4Addr;

use thru_diagnose::recheck;
use thru_dissect::Meta;
use thru_passive::{Doctor, Examination};
use thru_trace::Status;
use thru_wire::ethernet::Ethernet;
use thru_wire::ipv4::{Ipv4, Protocol};
use thru_wire::tcp::{Flags, SeqNumber, Tcp, TcpOptions};
use thru_wire::udp::Udp;

const CLIENT: [u8; 4] = [192, 168, 7, 20];
const SERVER: [u8; 4] = [198, 51, 100, 40];
const RESOLVER: [u8; 4] = [192, 0, 2, 53];
const EPOCH: u64 = 1_795_000_000_000_000_000;
const MS: u64 = 1_000_000;
const SYN: Flags = Flags::SYN;
const ACK: Flags = Flags::ACK;

/// Frames with their times in milliseconds.
#[derive(Default)]
struct Scene {
    frames: Vec<(u64, Vec<u8>)>,
    /// The client's port is 50,000 and so many; the server's is this one.
    ports: (u16, u16),
    /// The capture is the server's: the client's packets have come a long way.
    at_server: bool,
}

impl Scene {
    fn new(port: u16) -> Scene {
        Scene { ports: (0, port), ..Scene::default() }
    }

    fn segment(&mut self, at: u64, up: bool, tcp: Tcp, payload: &[u8]) -> &mut Scene {
        let (near, far) = if self.at_server { (58, 64) } else { (64, 58) };
        let ports = (50_000 + self.ports.0, self.ports.1);
        let (src, dst, ttl) = if up { (CLIENT, SERVER, near) } else { (SERVER, CLIENT, far) };
        let (src_port, dst_port) = if up { ports } else { (ports.1, ports.0) };
        let ip = Ipv4 { ttl, ..Ipv4::new(Ipv4Addr::from(src), Ipv4Addr::from(dst), Protocol::TCP) };
        let tcp = Tcp { src_port, dst_port, window: 60_000, ..tcp };
        let frame = (Ethernet::default() / ip / tcp / bytes::Bytes::copy_from_slice(payload)).to_vec();
        self.frames.push((at, frame));
        self
    }

    fn up(&mut self, at: u64, flags: Flags, seq: u32, ack: u32, payload: &[u8]) -> &mut Scene {
        let tcp = Tcp { seq: SeqNumber(seq), ack: SeqNumber(ack), flags, ..Tcp::default() };
        self.segment(at, true, tcp, payload)
    }

    fn down(&mut self, at: u64, flags: Flags, seq: u32, ack: u32, payload: &[u8]) -> &mut Scene {
        let tcp = Tcp { seq: SeqNumber(seq), ack: SeqNumber(ack), flags, ..Tcp::default() };
        self.segment(at, false, tcp, payload)
    }

    /// A handshake; both ends offer this segment size.
    fn open(&mut self, at: u64, way: u64, mss: u16) -> &mut Scene {
        let options = TcpOptions { mss: Some(mss), ..TcpOptions::NONE };
        let syn = Tcp { seq: SeqNumber(99), flags: SYN, options, ..Tcp::default() };
        let both =
            Tcp { seq: SeqNumber(499), ack: SeqNumber(100), flags: SYN | ACK, options, ..Tcp::default() };
        self.segment(at, true, syn, b"").segment(at + way, false, both, b"");
        self.up(at + way, ACK, 100, 500, b"")
    }

    /// A request and its answer on an open connection, and a goodbye.
    fn page(&mut self, at: u64, way: u64, request: &str, answer: &[u8], longest: usize) -> &mut Scene {
        let mut asked = 100;
        for piece in request.as_bytes().chunks(1_400) {
            self.up(at, ACK | Flags::PSH, asked, 500, piece);
            asked += piece.len() as u32;
        }
        self.down(at + way, ACK, 500, asked, b"");
        let mut seq = 500;
        for piece in answer.chunks(longest) {
            self.down(at + way + 2, ACK | Flags::PSH, seq, asked, piece);
            seq += piece.len() as u32;
            self.up(at + way + 2, ACK, asked, seq, b"");
        }
        self.up(at + way + 9, ACK | Flags::FIN, asked, seq, b"");
        self.down(at + 2 * way + 9, ACK | Flags::FIN, seq, asked + 1, b"");
        self.up(at + 2 * way + 9, ACK, asked + 1, seq + 1, b"")
    }

    fn datagram(&mut self, at: u64, up: bool, port: u16, payload: &[u8]) -> &mut Scene {
        let (src, dst, ttl) = if up { (CLIENT, RESOLVER, 64) } else { (RESOLVER, CLIENT, 60) };
        let ip = Ipv4 { ttl, ..Ipv4::new(Ipv4Addr::from(src), Ipv4Addr::from(dst), Protocol::UDP) };
        let (src_port, dst_port) = if up { (port, 53) } else { (53, port) };
        let udp = Udp { src_port, dst_port };
        let frame = (Ethernet::default() / ip / udp / bytes::Bytes::copy_from_slice(payload)).to_vec();
        self.frames.push((at, frame));
        self
    }

    fn judge(&self) -> Examination {
        let mut doctor = Doctor::new();
        for (place, (time, bytes)) in self.frames.iter().enumerate() {
            let meta = Meta {
                number: place as u64 + 1,
                time: Some(EPOCH + time * MS),
                interface: 0,
                interface_name: None,
                link: 1,
                original: bytes.len() as u32,
                comments: &[],
            };
            doctor.packet(&meta, bytes);
        }
        let found = doctor.finish();
        assert_eq!(recheck(&found.trace, &found.verdict), [""; 0]);
        found
    }

    fn causes(&self) -> Vec<String> {
        self.judge().verdict.causes
    }
}

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: www.made.example\r\n\r\n";

fn answer(head: &str) -> Vec<u8> {
    format!("HTTP/1.1 {head}\r\nContent-Length: 4\r\n\r\npage").into_bytes()
}

fn asked(path: &str, head: &str) -> Vec<String> {
    let mut scene = Scene::new(80);
    let request = format!("GET {path} HTTP/1.1\r\nHost: www.made.example\r\n\r\n");
    scene.open(0, 20, 1_460).page(20, 20, &request, &answer(head), 1_400).causes()
}

/// A message of the domain name system: a question, or with addresses its answer.
fn dns(id: u16, name: &str, kind: u8, answer: Option<(u8, Option<[u8; 4]>)>) -> Vec<u8> {
    let (flags, count) =
        answer.map_or(([1, 0], 0), |(code, address)| ([0x81, 0x80 | code], u8::from(address.is_some())));
    let mut message = id.to_be_bytes().to_vec();
    message.extend([flags[0], flags[1], 0, 1, 0, count, 0, 0, 0, 0]);
    for label in name.split('.') {
        message.push(label.len() as u8);
        message.extend(label.as_bytes());
    }
    message.extend([0, 0, kind, 0, 1]);
    if let Some((_, Some(address))) = answer {
        message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        message.extend(address);
    }
    message
}

#[test]
fn a_question_that_is_answered_late_was_not_lost() {
    let opened = |answered: u64, way: u64| {
        let mut scene = Scene::new(80);
        scene.up(0, SYN, 99, 0, b"").up(1_000, SYN, 99, 0, b"");
        scene.down(answered, SYN | ACK, 499, 100, b"").up(answered, ACK, 100, 500, b"");
        scene.page(answered, way, REQUEST, &answer("200 OK"), 1_400).causes()
    };
    assert_eq!(opened(1_200, 600), [""; 0]);
    assert_eq!(opened(1_020, 20), ["TCP07"]);
}

#[test]
fn a_name_that_is_looked_up_again_later_took_no_time_between() {
    let mut scene = Scene::new(80);
    let name = "www.made.example";
    scene.datagram(0, true, 4_001, &dns(1, name, 1, None));
    scene.datagram(9, false, 4_001, &dns(1, name, 1, Some((0, Some(SERVER)))));
    for (id, kind, address) in [(2, 1, Some(SERVER)), (3, 28, None)] {
        scene.datagram(6_000, true, 4_002, &dns(id, name, kind, None));
        scene.datagram(6_009, false, 4_002, &dns(id, name, kind, Some((0, address))));
    }
    scene.open(6_010, 20, 1_460).page(6_030, 20, REQUEST, &answer("200 OK"), 1_400);
    assert_eq!(scene.judge().verdict.status, Status::Healthy);
}

#[test]
fn the_first_fragment_of_an_answer_tells_that_the_rest_is_lost() {
    let mut scene = Scene::new(80);
    for at in [0, 2_000, 4_000] {
        scene.datagram(at, true, 4_001, &dns(1, "www.made.example", 1, None));
        let ip = Ipv4 {
            ttl: 60,
            more_fragments: true,
            identification: 7,
            ..Ipv4::new(Ipv4Addr::from(RESOLVER), Ipv4Addr::from(CLIENT), Protocol::UDP)
        };
        let frame = (Ethernet::default() / ip / bytes::Bytes::from(vec![0; 1_480])).to_vec();
        scene.frames.push((at + 20, frame));
    }
    assert_eq!(scene.causes(), ["DNS17"]);
}

#[test]
fn a_machines_own_name_is_nobodys_visit() {
    let mut scene = Scene::new(25);
    scene.open(0, 20, 1_460).down(30, ACK | Flags::PSH, 500, 100, b"220 mx.made.example ESMTP\r\n");
    scene.datagram(40, true, 4_001, &dns(1, "vm", 1, None));
    scene.datagram(49, false, 4_001, &dns(1, "vm", 1, Some((3, None))));
    scene.up(60, ACK | Flags::PSH, 100, 527, b"EHLO vm\r\n");
    scene.down(80, ACK | Flags::PSH, 527, 109, b"250 mx.made.example\r\n");
    scene.up(90, ACK | Flags::FIN, 109, 548, b"").down(110, ACK | Flags::FIN, 548, 110, b"");
    scene.up(110, ACK, 110, 549, b"");
    assert_eq!(scene.judge().verdict.status, Status::Healthy);
    // Alone, it was what somebody wanted.
    let mut alone = Scene::new(25);
    alone.datagram(40, true, 4_001, &dns(1, "vm", 1, None));
    alone.datagram(49, false, 4_001, &dns(1, "vm", 1, Some((3, None))));
    assert_eq!(alone.judge().verdict.status, Status::Failed);
}

#[test]
fn at_the_server_an_answer_counts_when_it_is_acknowledged() {
    let mut scene = Scene { at_server: true, ..Scene::new(80) };
    let end = 100 + REQUEST.len() as u32;
    scene.open(0, 1, 1_460).up(20, ACK | Flags::PSH, 100, 500, REQUEST.as_bytes());
    scene.down(20, ACK, 500, end, b"");
    let mut page = b"HTTP/1.1 200 OK\r\nContent-Length: 4200\r\n\r\n".to_vec();
    page.resize(4_200, b'x');
    for (place, piece) in page.chunks(1_400).enumerate() {
        scene.down(21, ACK, 500 + 1_400 * place as u32, end, piece);
    }
    for at in [300, 800, 1_700, 3_500, 7_000] {
        scene.down(at, ACK, 500, end, &page[..1_400]);
    }
    scene.up(8_000, ACK | Flags::FIN, end, 500, b"").down(8_001, ACK, 4_700, end + 1, b"");
    let verdict = scene.judge().verdict;
    assert_eq!((verdict.status, verdict.causes), (Status::Failed, vec![String::from("IP09")]));
}

#[test]
fn who_acknowledges_no_more_is_gone_and_does_not_hang() {
    let mut scene = Scene::new(7_000);
    scene.open(0, 20, 1_460);
    let piece = [b'u'; 1_400];
    let mut seq = 100;
    for round in 0..40 {
        scene.up(30 + round * 20, ACK, seq, 500, &piece);
        seq += 1_400;
        scene.down(50 + round * 20, ACK, 500, seq, b"");
    }
    // What comes last shows nothing missing, a while after the last data.
    scene.down(2_000, ACK, 500, seq, b"");
    for at in [2_100, 2_400, 2_900, 3_900, 5_900, 9_900, 17_900] {
        scene.up(at, ACK, seq, 500, &piece);
    }
    let verdict = scene.judge().verdict;
    assert_eq!(verdict.status, Status::Failed);
    assert!(verdict.causes.contains(&String::from("TCP11")), "{:?}: {}", verdict.causes, verdict.summary);
}

#[test]
fn a_servers_answers_that_reach_nobody() {
    let asked = |at_server: bool| {
        let mut scene = Scene { at_server, ..Scene::new(80) };
        for at in [0, 1_000, 3_000, 7_000] {
            scene.up(at, SYN, 99, 0, b"").down(at, SYN | ACK, 499, 100, b"");
        }
        scene.causes()
    };
    assert_eq!(asked(true), ["IP07"]);
    // Where the asking machine is, its answer is what is missing: nothing of the way.
    assert_ne!(asked(false), ["IP07"]);
}

/// The first message of a client that speaks TLS.
fn hello(name: Option<&str>) -> Vec<u8> {
    let mut extensions = vec![0, 43, 0, 3, 2, 3, 4];
    if let Some(name) = name {
        let len = name.len() as u8;
        extensions.extend([0, 0, 0, len + 5, 0, len + 3, 0, 0, len]);
        extensions.extend(name.as_bytes());
    }
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 2, 0x13, 1, 1, 0, 0, extensions.len() as u8]);
    body.extend(extensions);
    let mut record = vec![22, 3, 1, 0, body.len() as u8 + 4, 1, 0, 0, body.len() as u8];
    record.extend(body);
    record
}

#[test]
fn a_name_that_is_cut_while_another_passes_is_filtered() {
    let mut scene = Scene::new(443);
    let first = hello(Some("www.made.example"));
    let end = 100 + first.len() as u32;
    scene.open(0, 20, 1_460).up(21, ACK | Flags::PSH, 100, 500, &first);
    // The reset has come another way than the server's own packets.
    scene.at_server = true;
    scene.down(42, Flags::RST | ACK, 500, end, b"");
    scene.at_server = false;
    scene.ports.0 = 1;
    let second = hello(Some("other.made.example"));
    let end = 100 + second.len() as u32;
    scene.open(400, 20, 1_460).up(421, ACK | Flags::PSH, 100, 500, &second);
    let mut flight = vec![22, 3, 3, 0, 44, 2, 0, 0, 40, 3, 3];
    flight.extend([9; 32]);
    flight.extend([0, 0x13, 1, 0, 0, 0]);
    flight.extend([23, 3, 3, 0, 60]);
    flight.extend([5; 60]);
    scene.down(441, ACK | Flags::PSH, 500, end, &flight);
    let heard = 500 + flight.len() as u32;
    let mut sealed = vec![23, 3, 3, 0, 90];
    sealed.extend([4; 90]);
    scene.up(442, ACK | Flags::PSH, end, heard, &sealed);
    scene.down(470, ACK | Flags::PSH, heard, end + 95, &sealed);
    scene.up(471, ACK | Flags::FIN, end + 95, heard + 95, b"");
    scene.down(490, ACK | Flags::FIN, heard + 95, end + 96, b"");
    assert_eq!(scene.causes(), ["FW08"]);
}

#[test]
fn a_page_that_only_tells_whether_the_way_is_free_leads_nowhere() {
    let portal = "302 Found\r\nLocation: http://login.hotel.example/?from=x";
    assert_eq!(asked("/generate_204", portal), ["FW22"]);
    assert_eq!(asked("/shop", portal), [""; 0]);
    assert_eq!(asked("/generate_204", "302 Found\r\nLocation: http://www.made.example/204"), [""; 0]);
}

#[test]
fn heads_that_contradict_themselves() {
    assert_eq!(asked("/", "200 OK\r\nContent-Length: 2"), ["H114"]);
    assert_eq!(asked("/", "200 OK\r\nContent-Length: 4"), [""; 0]);
    assert_eq!(asked("/", "200 OK\r\nno header at all"), ["H115"]);
    assert_eq!(asked("/", "200 OK\r\nX-Long: one\r\n two"), [""; 0]);
}

#[test]
fn tiny_segments_are_somebodys_mistake() {
    let page = [&answer("200 OK")[..], &[]].concat();
    let with = |mss: u16, longest: usize| {
        let mut scene = Scene::new(80);
        scene.open(0, 20, mss).page(20, 20, REQUEST, &page, longest).causes()
    };
    assert_eq!(with(200, 188), ["TCP21"]);
    assert_eq!(with(536, 524), [""; 0]);
}

#[test]
fn a_first_packet_with_data_that_only_passes_without() {
    let opened = |data: &[u8]| {
        let mut scene = Scene::new(80);
        scene.up(0, SYN, 99, 0, data).up(1_010, SYN, 99, 0, b"");
        scene.down(1_030, SYN | ACK, 499, 100, b"").up(1_030, ACK, 100, 500, b"");
        scene.page(1_030, 20, REQUEST, &answer("200 OK"), 1_400).causes()
    };
    // What the first packet carried is sent again, so chance stays in the set.
    assert_eq!(opened(REQUEST.as_bytes())[..2], ["TCP22", "TCP07"]);
    assert_eq!(opened(b""), ["TCP07"]);
}

#[test]
fn a_refusal_while_the_body_is_still_being_sent() {
    let sent = |size: usize| {
        let mut scene = Scene::new(80);
        let head = format!("POST /up HTTP/1.1\r\nHost: www.made.example\r\nContent-Length: {size}\r\n\r\n");
        let end = 100 + head.len() as u32;
        scene.open(0, 20, 1_460).up(21, ACK | Flags::PSH, 100, 500, head.as_bytes());
        let mut seq = end;
        for _ in 0..12 {
            scene.up(22, ACK, seq, 500, &[b'b'; 1_400]);
            seq += 1_400;
        }
        let refusal = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n";
        scene.down(42, ACK | Flags::PSH, 500, end, refusal);
        scene.up(42, ACK, seq, 500 + refusal.len() as u32, b"");
        scene.down(44, Flags::RST | ACK, 500 + refusal.len() as u32, end, b"");
        scene.causes()
    };
    assert_eq!(sent(5_000_000), ["H119"]);
}

#[test]
fn a_head_that_no_server_takes() {
    let with = |cookie: usize| {
        let mut scene = Scene::new(80);
        let request =
            format!("GET / HTTP/1.1\r\nHost: www.made.example\r\nCookie: {}\r\n\r\n", "c".repeat(cookie));
        scene.open(0, 20, 1_460).page(20, 20, &request, &answer("400 Bad Request"), 1_400).causes()
    };
    assert_eq!(with(9_000), ["H116"]);
    assert_eq!(with(20), ["H101"]);
}
