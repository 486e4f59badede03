//! What everybody's captures hold, and what is no fault; beside each scene one that is.

use super::*;

fn is_well(scene: &Scene) -> bool {
    !matches!(scene.judge().verdict.status, Status::Failed | Status::Degraded)
}

/// Whether nobody is blamed, with what was said for when somebody is.
#[track_caller]
fn check_well(scene: &Scene) {
    let verdict = scene.judge().verdict;
    assert!(is_well(scene), "{:?}: {}", verdict.causes, verdict.summary);
}

/// A handshake of TLS 1.3 and a request with its answer, all sealed, on an open connection: what comes next of each side.
fn sealed(scene: &mut Scene, at: u64, name: &str, mut sent: u32, mut heard: u32) -> (u32, u32) {
    let first = hello(Some(name));
    scene.up(at, ACK | Flags::PSH, sent, heard, &first);
    sent += first.len() as u32;
    let mut flight = vec![22, 3, 3, 0, 50, 2, 0, 0, 46, 3, 3];
    flight.extend([9; 32]);
    flight.extend([0, 0x13, 1, 0, 0, 6, 0, 43, 0, 2, 3, 4]);
    flight.extend([23, 3, 3, 0, 60]);
    flight.extend([5; 60]);
    scene.down(at + 20, ACK | Flags::PSH, heard, sent, &flight);
    heard += flight.len() as u32;
    let record = |len: u16| {
        let mut record = vec![23, 3, 3];
        record.extend(len.to_be_bytes());
        record.resize(5 + usize::from(len), 4);
        record
    };
    // The end of the handshake, the request, and a page.
    for (wait, up, len) in [(21, true, 90), (22, true, 120), (45, false, 1_300), (46, false, 1_300)] {
        let record = record(len);
        if up {
            scene.up(at + wait, ACK | Flags::PSH, sent, heard, &record);
            sent += record.len() as u32;
        } else {
            scene.down(at + wait, ACK | Flags::PSH, heard, sent, &record);
            heard += record.len() as u32;
        }
    }
    scene.up(at + 47, ACK, sent, heard, b"");
    (sent, heard)
}

#[test]
fn a_tunnel_through_a_proxy_is_no_answer_that_stopped() {
    let tunnel = |status: &str| {
        let mut scene = Scene::new(3_128);
        let request = b"CONNECT www.made.example:443 HTTP/1.1\r\nHost: www.made.example:443\r\n\r\n";
        let answer = format!("HTTP/1.1 {status}\r\n\r\n");
        let (asked, told) = (100 + request.len() as u32, 500 + answer.len() as u32);
        scene.open(0, 20, 1_460).up(21, ACK | Flags::PSH, 100, 500, request);
        scene.down(60, ACK | Flags::PSH, 500, asked, answer.as_bytes()).up(60, ACK, asked, told, b"");
        (scene, asked, told)
    };
    for ends in [false, true] {
        let (mut scene, asked, told) = tunnel("200 Connection established");
        let (asked, told) = sealed(&mut scene, 61, "www.made.example", asked, told);
        // It lies idle, and is kept alive.
        scene.up(45_000, ACK, asked - 1, told, b"").down(45_020, ACK, told, asked, b"");
        if ends {
            scene.up(50_000, Flags::RST | ACK, asked, told, b"");
        }
        check_well(&scene);
        let found = scene.judge();
        assert!(found.trace.all("handshake").any(|span| span.is_ok()));
        assert_eq!(found.trace.all("exchange").count(), 2, "the tunnel, and what is within");
    }
    // What is within the tunnel fails by itself.
    let (mut scene, asked, told) = tunnel("200 Connection established");
    let first = hello(Some("www.made.example"));
    scene.up(61, ACK | Flags::PSH, asked, told, &first);
    scene.down(90, ACK | Flags::PSH, told, asked + first.len() as u32, &[21, 3, 3, 0, 2, 2, 40]);
    scene.up(90, ACK | Flags::FIN, asked + first.len() as u32, told + 7, b"");
    assert_eq!(scene.judge().verdict.layer, thru_trace::Layer::Tls);
}

/// A request, the answer's parts by time, and when the client leaves, if it does.
fn parts(request: &str, parts: &[(u64, &[u8])], left: Option<u64>) -> Scene {
    let mut scene = Scene::new(80);
    let asked = 100 + request.len() as u32;
    scene.open(0, 20, 1_460).up(21, ACK | Flags::PSH, 100, 500, request.as_bytes());
    scene.down(41, ACK, 500, asked, b"");
    let mut seq = 500;
    for (at, part) in parts {
        scene.down(*at, ACK | Flags::PSH, seq, asked, part);
        seq += part.len() as u32;
        scene.up(*at, ACK, asked, seq, b"");
    }
    if let Some(left) = left {
        scene.up(left, ACK | Flags::FIN, asked, seq, b"").down(left + 20, ACK, seq, asked + 1, b"");
    }
    scene
}

/// Something of another machine's, so that the capture goes on so long.
fn goes_on_until(scene: &mut Scene, end: u64) {
    scene.datagram(end, true, 4_001, &dns(1, "www.made.example", 1, None));
    scene.datagram(end + 1, false, 4_001, &dns(1, "www.made.example", 1, Some((0, Some(SERVER)))));
}

#[test]
fn streams_of_events_end_when_nobody_listens() {
    let head = |kind: &str| {
        format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes()
    };
    let event = b"b\r\ndata: new\n\n\r\n";
    let listen = |request: &str, kind: &str, every: u64| {
        let head = head(kind);
        let said: Vec<(u64, &[u8])> =
            vec![(42, &head), (43, event), (43 + every, event), (43 + 2 * every, event)];
        let mut scene = parts(request, &said, Some(43 + 2 * every + 5_000));
        goes_on_until(&mut scene, 60_000);
        scene
    };
    check_well(&listen(REQUEST, "text/event-stream", 15_000));
    // What has paused before goes on after a pause, whatever it is called.
    check_well(&listen(REQUEST, "application/json", 15_000));
    check_well(&listen(
        "GET /api/v1/pods?watch=true HTTP/1.1\r\nHost: www.made.example\r\n\r\n",
        "application/json",
        100,
    ));
    // A page that came at once and then stopped.
    assert!(!is_well(&listen(REQUEST, "text/html", 100)));
}

#[test]
fn a_request_that_asks_to_be_held_is_not_unanswered() {
    let held = |path: &str, left: Option<u64>| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: www.made.example\r\n\r\n");
        let mut scene = parts(&request, &[], left);
        goes_on_until(&mut scene, 25_000);
        scene
    };
    check_well(&held("/poll", None));
    check_well(&held("/v1/kv/key?index=7&wait=60s", None));
    check_well(&held("/_matrix/client/v3/sync?timeout=30000", Some(20_000)));
    assert!(!is_well(&held("/shop", None)));
    assert!(!is_well(&held("/shop?wait=0", Some(20_000))));
}

#[test]
fn a_refusal_of_all_that_was_sent_is_the_answer_itself() {
    let refused = |status: &str, cut: u64| {
        let mut scene = Scene::new(80);
        scene.open(0, 20, 1_460);
        let (mut asked, mut told) = (100, 500);
        let mut say = |scene: &mut Scene, at: u64, request: String, status: &str| {
            let answer = answer(status);
            scene.up(at, ACK | Flags::PSH, asked, told, request.as_bytes());
            asked += request.len() as u32;
            scene.down(at + 20, ACK | Flags::PSH, told, asked, &answer);
            told += answer.len() as u32;
            scene.up(at + 20, ACK, asked, told, b"");
            (asked, told)
        };
        for place in 0..10 {
            let cookie = "c".repeat(860);
            let request = format!("GET / HTTP/1.1\r\nHost: www.made.example\r\nCookie: {cookie}\r\n\r\n");
            say(&mut scene, 100 + place * 100, request, "200 OK");
        }
        let post = "POST /login HTTP/1.1\r\nHost: www.made.example\r\nContent-Length: 4\r\n\r\nname";
        let (asked, told) = say(&mut scene, 2_000, post.to_owned(), status);
        scene.down(cut, Flags::RST | ACK, told, asked, b"");
        scene.causes()
    };
    assert_eq!(refused("401 Unauthorized", 62_000), ["H101"]);
    assert_eq!(refused("403 Forbidden", 62_000), ["H101", "FW21"]);
    assert_eq!(refused("500 Internal Server Error", 2_030), ["H105"]);
}

#[test]
fn idle_connections_that_are_tidied_up_are_cut_from_nobody() {
    let pool = |reset: u64| {
        let mut scene = Scene::new(80);
        let answer = answer("200 OK");
        let (asked, told) = (100 + REQUEST.len() as u32, 500 + answer.len() as u32);
        for place in 0..4 {
            scene.ports.0 = place;
            let at = u64::from(place) * 20;
            scene.open(at, 20, 1_460).up(at + 21, ACK | Flags::PSH, 100, 500, REQUEST.as_bytes());
            scene.down(at + 45, ACK | Flags::PSH, 500, asked, &answer).up(at + 45, ACK, asked, told, b"");
        }
        for place in 0..4 {
            scene.ports.0 = place;
            scene.down(reset + u64::from(place), Flags::RST | ACK, told, asked, b"");
        }
        scene
    };
    check_well(&pool(60_000));
    // Nobody had time to be done with them; and yet what had been asked for was there.
    let verdict = pool(1_300).judge().verdict;
    assert_eq!((verdict.status, verdict.causes), (Status::Degraded, vec![String::from("TCP29")]));
}

#[test]
fn an_answer_in_fragments_is_not_lost_because_a_filter_on_ports_left_the_rest_out() {
    let fragment = |scene: &mut Scene, at: u64, first: bool| {
        let ip = Ipv4 {
            ttl: 60,
            more_fragments: first,
            fragment_offset: if first { 0 } else { 1_480 },
            identification: 7,
            ..Ipv4::new(Ipv4Addr::from(RESOLVER), Ipv4Addr::from(CLIENT), Protocol::UDP)
        };
        let frame = (Ethernet::default() / ip / bytes::Bytes::from(vec![0; 1_480])).to_vec();
        scene.frames.push((at, frame));
    };
    let asked = |times: u64| {
        let mut scene = Scene::new(80);
        for time in 0..times {
            let port = 4_001 + time as u16;
            scene.datagram(time * 2_000, true, port, &dns(1 + time as u16, "www.made.example", 1, None));
            fragment(&mut scene, time * 2_000 + 20, true);
        }
        // Later the machine asks for something else.
        scene.datagram(30_000, true, 4_100, &dns(99, "other.example", 1, None));
        scene.datagram(30_009, false, 4_100, &dns(99, "other.example", 1, Some((0, Some(SERVER)))));
        scene
    };
    check_well(&asked(1));
    assert_eq!(asked(3).causes(), ["DNS17"]);
    // Later fragments of something else are in the capture: this one's are not missing for a filter's sake.
    let mut whole = asked(1);
    fragment(&mut whole, 31_000, false);
    assert_eq!(whole.causes(), ["DNS17"]);
}

#[test]
fn who_reads_as_fast_as_he_wants_to_is_not_in_trouble() {
    let paced = |left: Option<u64>| {
        let mut scene = Scene::new(80);
        let asked = 100 + REQUEST.len() as u32;
        scene.open(0, 20, 1_460).up(21, ACK | Flags::PSH, 100, 500, REQUEST.as_bytes());
        let mut film = b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n".to_vec();
        film.resize(1_400, b'f');
        let mut seq = 500;
        for round in 0..8 {
            let at = 50 + round * 6_000;
            for piece in 0..4 {
                scene.down(at + piece, ACK, seq, asked, &film);
                seq += 1_400;
            }
            // The window is shut, and opened again when it has been played.
            let (tcp, open) = (
                Tcp { seq: SeqNumber(asked), ack: SeqNumber(seq), flags: ACK, ..Tcp::default() },
                at + 5_980,
            );
            scene.frames.push((at + 4, shut(&tcp)));
            if round < 7 {
                scene.up(open, ACK, asked, seq, b"");
            }
        }
        if let Some(left) = left {
            scene.up(left, Flags::RST | ACK, asked, seq, b"");
        }
        scene
    };
    // In the middle of a silence.
    check_well(&paced(Some(47_500)));
    let mut stuck = paced(None);
    goes_on_until(&mut stuck, 90_000);
    assert_eq!(stuck.causes(), ["APP08"]);
}

/// A segment of the client's with a window of nothing.
fn shut(tcp: &Tcp) -> Vec<u8> {
    let ip = Ipv4 { ttl: 64, ..Ipv4::new(Ipv4Addr::from(CLIENT), Ipv4Addr::from(SERVER), Protocol::TCP) };
    let tcp = Tcp { src_port: 50_000, dst_port: 80, window: 0, ..*tcp };
    (Ethernet::default() / ip / tcp / bytes::Bytes::new()).to_vec()
}

#[test]
fn names_that_are_not_there_for_good_decide_nothing() {
    let beside = |name: &str, fails: bool| {
        let mut scene = Scene::new(80);
        for (at, id, name, code) in [(0, 1, name, 3), (20, 2, "www.made.example", 0)] {
            scene.datagram(at, true, 4_000 + id, &dns(id, name, 1, None));
            let address = (code == 0).then_some(SERVER);
            scene.datagram(at + 9, false, 4_000 + id, &dns(id, name, 1, Some((code, address))));
        }
        let status = if fails { "503 Service Unavailable" } else { "200 OK" };
        scene.open(40, 20, 1_460).page(60, 20, REQUEST, &answer(status), 1_400);
        scene
    };
    check_well(&beside("4.3.2.1.zen.list.example", false));
    check_well(&beside("use-application-dns.net", false));
    check_well(&beside("isatap.corp.example", false));
    // A name that somebody wanted is a fault, and what else fails comes before it.
    assert_eq!(beside("mistyped.example", false).causes(), ["DNS05", "DNS12", "DNS36"]);
    assert_eq!(beside("mistyped.example", true).causes(), ["H103"]);
}

#[test]
fn a_name_that_is_tried_with_a_suffix_first_is_the_one_without() {
    let tried = |with: &str| {
        let mut scene = Scene::new(80);
        for (at, id, name, code) in [(0, 1, with, 3), (20, 2, "www.made.example", 3)] {
            scene.datagram(at, true, 4_000 + id, &dns(id, name, 1, None));
            scene.datagram(at + 9, false, 4_000 + id, &dns(id, name, 1, Some((code, None))));
        }
        scene.judge().verdict.summary
    };
    assert!(tried("www.made.example.corp.example").contains("\"www.made.example\""));
    // Of two others neither is the other's try.
    assert!(tried("mail.made.example").contains("\"mail.made.example\""));
}

#[test]
fn who_says_goodbye_to_somebody_who_has_gone_misses_nothing() {
    let used_again = |words: &[u8], leaves: bool| {
        let mut scene = Scene::new(443);
        let page = answer("200 OK");
        let (asked, told) = (100 + REQUEST.len() as u32, 500 + page.len() as u32);
        scene.open(0, 20, 1_460).up(21, ACK | Flags::PSH, 100, 500, REQUEST.as_bytes());
        scene.down(45, ACK | Flags::PSH, 500, asked, &page).up(45, ACK, asked, told, b"");
        scene.up(17_000, ACK | Flags::PSH, asked, told, words);
        if leaves {
            scene.up(17_000, ACK | Flags::FIN, asked + words.len() as u32, told, b"");
        }
        scene.down(17_020, Flags::RST, told, 0, b"");
        scene
    };
    check_well(&used_again(&[21; 23], true));
    assert_eq!(used_again(REQUEST.as_bytes(), false).causes(), ["TCP10"]);
    assert_eq!(used_again(&[7; 300], true).causes(), ["TCP10"]);
}

#[test]
fn who_controls_a_camera_does_not_speak_http_badly() {
    let asks = |target: &str, version: &str| {
        let mut scene = Scene::new(8_554);
        let request = format!("OPTIONS {target} {version}\r\nCSeq: 2\r\n\r\n");
        let answer = b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nPublic: DESCRIBE,SETUP,PLAY\r\n\r\n";
        let (asked, told) = (100 + request.len() as u32, 500 + answer.len() as u32);
        scene.open(0, 20, 1_460).up(21, ACK | Flags::PSH, 100, 500, request.as_bytes());
        scene.down(45, ACK | Flags::PSH, 500, asked, answer).up(45, ACK, asked, told, b"");
        scene.up(60, ACK | Flags::FIN, asked, told, b"").down(80, ACK | Flags::FIN, told, asked + 1, b"");
        scene.up(80, ACK, asked + 1, told + 1, b"");
        scene
    };
    check_well(&asks("rtsp://198.51.100.40:8554/", "RTSP/1.0"));
    check_well(&asks("*", "RTSP/1.0"));
    assert!(!is_well(&asks("*", "HTTP/1.1")));
}

#[test]
fn a_request_may_be_torn_anywhere_in_its_first_word() {
    let request = REQUEST.replacen("GET", "OPTIONS", 1);
    for torn in 1..12 {
        let mut scene = Scene::new(80);
        let page = answer("200 OK");
        let (asked, told) = (100 + request.len() as u32, 500 + page.len() as u32);
        let (begin, rest) = request.as_bytes().split_at(torn);
        scene.open(0, 20, 1_460).up(21, ACK | Flags::PSH, 100, 500, begin);
        scene.up(22, ACK | Flags::PSH, 100 + torn as u32, 500, rest);
        scene.down(45, ACK | Flags::PSH, 500, asked, &page).up(45, ACK, asked, told, b"");
        scene.up(60, ACK | Flags::FIN, asked, told, b"").down(80, ACK | Flags::FIN, told, asked + 1, b"");
        scene.up(80, ACK, asked + 1, told + 1, b"");
        let trace = scene.judge().trace;
        let exchange = trace.all("exchange").next().expect("it was read");
        assert_eq!(exchange.text("http.method"), Some("OPTIONS"), "torn at {torn}");
    }
}

#[test]
fn a_server_that_took_extensions_before_does_not_throw_them_away() {
    let question = |id: u16, name: &str, modern: bool| {
        let mut message = dns(id, name, 1, None);
        if modern {
            message[11] = 1;
            message.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 0]);
        }
        message
    };
    let wakes = |before: bool| {
        let mut scene = Scene::new(80);
        if before {
            let reply = dns(7, "mail.made.example", 1, Some((0, Some(SERVER))));
            scene.datagram(0, true, 4_007, &question(7, "mail.made.example", true));
            scene.datagram(9, false, 4_007, &reply);
        }
        for at in [100_000, 101_000] {
            scene.datagram(at, true, 4_001, &question(1, "www.made.example", true));
        }
        scene.datagram(103_000, true, 4_002, &question(2, "www.made.example", false));
        scene.datagram(103_009, false, 4_002, &dns(2, "www.made.example", 1, Some((0, Some(SERVER)))));
        scene.open(103_010, 20, 1_460).page(103_030, 20, REQUEST, &answer("200 OK"), 1_400);
        scene.causes()
    };
    assert_eq!(wakes(false), ["DNS08"]);
    assert_ne!(wakes(true), ["DNS08"]);
}

#[test]
fn an_address_with_two_machines_behind_it_may_work_all_the_same() {
    let answered = |by: u8| {
        let mac = thru_wire::MacAddr([2, 0, 0, 0, 0, by]);
        let arp = thru_wire::arp::Arp {
            operation: thru_wire::arp::ArpOperation::Reply,
            sender_mac: mac,
            sender_ip: Ipv4Addr::from(SERVER),
            target_mac: thru_wire::MacAddr([2, 0, 0, 0, 0, 9]),
            target_ip: Ipv4Addr::from(CLIENT),
        };
        let ethernet =
            Ethernet { src: mac, ethertype: thru_wire::ethernet::EtherType::ARP, ..Ethernet::default() };
        (ethernet / arp).to_vec()
    };
    let status = |port: u16, greets: bool| {
        let mut scene = Scene::new(port);
        scene.frames.extend([(0, answered(1)), (1, answered(2))]);
        if greets {
            scene.open(10, 20, 1_460).down(40, ACK | Flags::PSH, 500, 100, b"SSH-2.0-OpenSSH_9.6\r\n");
            scene.up(60, ACK | Flags::PSH, 100, 521, b"SSH-2.0-OpenSSH_9.6\r\n");
            scene.down(80, ACK, 521, 121, b"");
        } else {
            for at in [10, 1_010, 3_010, 7_010] {
                scene.up(at, SYN, 99, 0, b"");
            }
        }
        let verdict = scene.judge().verdict;
        (verdict.status, verdict.causes)
    };
    let both = vec![String::from("LNK06")];
    assert_eq!(status(22, true), (Status::Degraded, both.clone()));
    assert_eq!(status(22, false), (Status::Failed, both));
}

/// A handshake of TLS 1.2 with a certificate for `other.example`, by a client that asks for nothing.
fn looked_at(name: Option<&str>, goodbye: bool) -> Scene {
    let key = rcgen::KeyPair::generate().expect("a key");
    let mut request = rcgen::CertificateParams::new(vec!["other.example".into()]).expect("a name");
    request.not_before = rcgen::date_time_ymd(2026, 1, 2);
    request.not_after = rcgen::date_time_ymd(2036, 3, 4);
    let certificate = request.self_signed(&key).expect("it can be signed").der().to_vec();
    let record =
        |kind: u8, body: &[u8]| [&[kind, 3, 3][..], &(body.len() as u16).to_be_bytes(), body].concat();
    let len = |more: usize| (certificate.len() as u32 + more as u32).to_be_bytes();
    let mut flight = record(22, &[&[2, 0, 0, 38, 3, 3][..], &[9; 32], &[0, 0xc0, 0x2f, 0]].concat());
    let list = [&[11][..], &len(6)[1..], &len(3)[1..], &len(0)[1..], &certificate].concat();
    flight.extend(record(22, &list));
    flight.extend(record(22, &[14, 0, 0, 0]));
    let mut last_words = record(22, &[&[16, 0, 0, 33][..], &[32], &[6; 32]].concat());
    last_words.extend(record(20, &[1]));
    last_words.extend(record(22, &[3; 40]));
    let first = hello(name);
    let mut scene = Scene::new(443);
    let (mut asked, mut heard) = (100 + first.len() as u32, 500);
    scene.open(0, 20, 1_460).up(21, ACK | Flags::PSH, 100, 500, &first);
    for piece in flight.chunks(1_400) {
        scene.down(42, ACK | Flags::PSH, heard, asked, piece);
        heard += piece.len() as u32;
    }
    scene.up(45, ACK | Flags::PSH, asked, heard, &last_words);
    asked += last_words.len() as u32;
    let done = [record(20, &[1]), record(22, &[3; 40])].concat();
    scene.down(66, ACK | Flags::PSH, heard, asked, &done);
    heard += done.len() as u32;
    if goodbye {
        let goodbye = record(21, &[2; 26]);
        scene.up(67, ACK | Flags::PSH, asked, heard, &goodbye);
        asked += goodbye.len() as u32;
    }
    scene.up(67, ACK | Flags::FIN, asked, heard, b"");
    scene.down(88, ACK | Flags::FIN, heard, asked + 1, b"").up(88, ACK, asked + 1, heard + 1, b"");
    scene
}

#[test]
fn who_only_looks_whether_a_server_is_there_has_taken_its_certificate() {
    check_well(&looked_at(None, true));
    check_well(&looked_at(None, false));
    check_well(&looked_at(Some("other.example"), true));
    // Programs that look at the name by themselves leave without a word, or with the one that they always say.
    for goodbye in [false, true] {
        assert_eq!(looked_at(Some("www.made.example"), goodbye).causes(), ["TLS09"]);
    }
}

#[test]
fn redirects_of_which_only_the_answers_were_captured_are_no_circle() {
    let circle = |asked: bool| {
        let mut scene = Scene::new(80);
        let (mut sent, mut told) = (100, 500);
        scene.open(0, 20, 1_460);
        for round in 0..5 {
            let at = 100 + round * 100;
            if asked {
                scene.up(at, ACK | Flags::PSH, sent, told, REQUEST.as_bytes());
            }
            sent += REQUEST.len() as u32;
            let answer =
                b"HTTP/1.1 302 Found\r\nLocation: http://www.made.example/\r\nContent-Length: 0\r\n\r\n";
            scene.down(at + 20, ACK | Flags::PSH, told, sent, answer);
            told += answer.len() as u32;
        }
        scene
    };
    check_well(&circle(false));
    assert_eq!(circle(true).causes(), ["H107"]);
}

#[test]
fn who_shares_files_tries_the_old_port_as_well() {
    let shared = |works: bool| {
        let mut scene = Scene::new(445);
        if works {
            scene.open(0, 20, 1_460).up(30, ACK | Flags::PSH, 100, 500, b"\0\0\0\x04ask!");
            scene.down(50, ACK | Flags::PSH, 500, 108, b"\0\0\0\x04yes.").up(50, ACK, 108, 508, b"");
        }
        scene.ports = (1, 139);
        scene.up(5, SYN, 99, 0, b"").down(25, Flags::RST | ACK, 0, 100, b"");
        scene
    };
    check_well(&shared(true));
    assert_eq!(shared(false).judge().verdict.status, Status::Failed);
}

#[test]
fn who_leaves_while_his_last_words_are_under_way_was_not_unheard() {
    // Two peers of a protocol we do not read; one closes, and has its last word sent again in time of the round trip.
    let leaves = |every: u64| {
        let mut scene = Scene::new(30_303);
        scene.open(0, 30, 1_460).up(31, ACK | Flags::PSH, 100, 500, &[7; 300]);
        scene.down(62, ACK | Flags::PSH, 500, 400, &[8; 300]).up(62, ACK, 400, 800, b"");
        for again in 0..3 {
            scene.up(70 + again * every, ACK | Flags::PSH, 400, 800, &[9; 60]);
        }
        scene.up(70 + 3 * every, Flags::RST, 460, 0, b"");
        scene
    };
    check_well(&leaves(35));
    assert!(!is_well(&leaves(900)));
}

#[test]
fn a_capture_that_was_broken_off_tells_of_no_silence() {
    let hung = |later: u64| {
        let mut scene = parts(REQUEST, &[], None);
        goes_on_until(&mut scene, later);
        scene
    };
    assert!(!is_well(&hung(60_000)));
    // Two captures, put together.
    check_well(&hung(86_400_000));
}

/// A frame of HTTP/2 (RFC 9113 4.1).
fn frame(kind: u8, flags: u8, stream: u8, body: &[u8]) -> Vec<u8> {
    let len = (body.len() as u32).to_be_bytes();
    [&len[1..], &[kind, flags, 0, 0, 0, stream], body].concat()
}

#[test]
fn a_body_that_was_unpacked_for_the_reader_was_packed_as_its_head_says() {
    let page = |packed: bool| {
        let text = b"this is what the page says, in words that anybody can read";
        // One block that is stored as it is (RFC 1951 3.2.4, RFC 1952 2.3).
        let mut body = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
        body.extend((text.len() as u16).to_le_bytes());
        body.extend((!(text.len() as u16)).to_le_bytes());
        body.extend(text);
        body.extend(0x631b_e439_u32.to_le_bytes());
        body.extend((text.len() as u32).to_le_bytes());
        let body = if packed { &body[..] } else { &text[..] };
        let mut asked = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        asked.extend(frame(4, 0, 0, b""));
        // GET http / of www.made.example, by HPACK's static table (RFC 7541 A).
        asked.extend(frame(1, 5, 1, b"\x82\x86\x84\x41\x10www.made.example"));
        let mut told = frame(4, 0, 0, b"");
        told.extend(frame(1, 4, 1, b"\x88\x5a\x04gzip"));
        told.extend(frame(0, 1, 1, body));
        let mut scene = Scene::new(80);
        let (end, heard) = (100 + asked.len() as u32, 500 + told.len() as u32);
        scene.open(0, 20, 1_460).up(21, ACK | Flags::PSH, 100, 500, &asked);
        scene.down(41, ACK | Flags::PSH, 500, end, &told).up(42, ACK | Flags::FIN, end, heard, b"");
        scene.down(62, ACK | Flags::FIN, heard, end + 1, b"").up(62, ACK, end + 1, heard + 1, b"");
        let found = scene.judge();
        let exchange = found.trace.all("exchange").next().expect("it was read");
        assert_eq!(exchange.int("http.bytes"), Some(body.len() as i64));
        found.verdict.causes
    };
    assert_eq!(page(true), [""; 0]);
    assert_eq!(page(false), ["H118"]);
}

#[test]
fn scans_and_busy_name_servers_are_judged_in_a_time_that_grows_as_they_do() {
    // With a look at all others for each of them these take minutes.
    let mut scan = Scene::new(80);
    for port in 0..12_000 {
        scan.ports = (port % 7, 1_000 + port);
        scan.up(u64::from(port), SYN, 99, 0, b"").down(u64::from(port) + 1, Flags::RST | ACK, 0, 100, b"");
    }
    assert_eq!(scan.judge().flows.len(), 12_000);
    let mut resolver = Scene::new(80);
    for place in 0..12_000u16 {
        let name = format!("n{place}.made.example");
        let (at, port) = (u64::from(place), 1_024 + place);
        resolver.datagram(at, true, port, &dns(place, &name, 1, None));
        let answer = (
            3 * u8::from(place % 2 == 0),
            (place % 2 == 1).then_some([10, 9, (place >> 8) as u8, place as u8]),
        );
        resolver.datagram(at + 3, false, port, &dns(place, &name, 1, Some(answer)));
    }
    assert_eq!(resolver.judge().flows.len(), 12_000);
}
