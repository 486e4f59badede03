//! Sixty-three ways to get a zone wrong: what our resolver says to each, beside what unbound says, in a table.
//!
//! `THRU_BLESS=1` writes the table anew. Unbound's column comes from `unbound.txt`, which `unbound.sh` beside it makes
//! with a real unbound in a network namespace, against these same zones.

mod zones;

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::{Name, RecordType};
use thru_names::resolver::{Input, ResolverConfig};
use thru_names::service::{Out, Service, ServiceConfig};
use thru_names::text::{name_text, rcode_text};
use thru_names::wire::{Header, Opt, Packet, Question};
use thru_wire::Instant;
use zones::{DATE, ROOT, Server, World, name, world};

/// Response code, AD, and the codes of the extended errors.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    rcode: String,
    authentic: bool,
    errors: Vec<u16>,
}

impl Said {
    fn of(packet: &Packet) -> Said {
        let code = hickory_proto::op::ResponseCode::from_low(packet.header.rcode);
        let options = packet.opt.iter().flat_map(|opt| &opt.options);
        let errors = options
            .filter(|(code, data)| *code == 15 && data.len() >= 2)
            .map(|(_, data)| u16::from_be_bytes([data[0], data[1]]));
        Said { rcode: rcode_text(code), authentic: packet.header.authentic_data, errors: errors.collect() }
    }

    fn text(&self) -> String {
        let errors: Vec<String> = self.errors.iter().map(u16::to_string).collect();
        let authentic = if self.authentic { "AD" } else { "-" };
        let errors = if errors.is_empty() { "-".to_owned() } else { errors.join(",") };
        format!("{:<8} {authentic:<2} {errors}", self.rcode)
    }
}

fn query(name: &Name) -> Vec<u8> {
    Packet {
        header: Header { id: 7, recursion_desired: true, ..Header::default() },
        questions: vec![Question::new(name.clone(), RecordType::A)],
        opt: Some(Opt { payload: 1232, dnssec_ok: true, ..Opt::default() }),
        ..Packet::default()
    }
    .write(512)
    .expect("it fits")
}

/// Asks a resolver with an empty cache, over a network that takes 10 ms each way and reaches only what is there.
fn ask(world: &World, asked: &Name) -> Said {
    let mut config = ResolverConfig::new(vec![(name("ns.root"), vec![ROOT])]);
    assert!(config.anchors.add(&world.anchor), "a DS is an anchor");
    config.epoch = u64::from(DATE);
    let mut service = Service::new(ServiceConfig::new(config), [9; 32]);
    let mut now = Instant::START;
    service.query(now, 1, IpAddr::V4(Ipv4Addr::LOCALHOST), true, &query(asked));
    let mut waiting = VecDeque::new();
    for _ in 0..2000 {
        while let Some(out) = service.poll() {
            match out {
                Out::Send { exchange, to, over_tcp, message } => {
                    waiting.push_back((exchange, to, over_tcp, message))
                }
                Out::Answered(_) => {}
                Out::Finished(exchange) => waiting.retain(|(open, ..)| *open != exchange),
                Out::Reply { message, .. } => {
                    let bytes = message.expect("nobody is ignored");
                    return Said::of(&Packet::read(&bytes).expect("our own message"));
                }
            }
        }
        now += Duration::from_millis(20);
        let Some((exchange, to, over_tcp, message)) = waiting.pop_front() else {
            now = now.max(service.next_deadline());
            service.handle(now, Input::Timeout);
            continue;
        };
        match world.servers.get(&to.ip()).and_then(|server| reply(server, &message, !over_tcp)) {
            Some(bytes) => service.handle(now, Input::Response { exchange, from: to, message: &bytes }),
            None => service.handle(now, Input::Unreachable { exchange, why: "no route".into() }),
        }
    }
    panic!("{} was never answered", name_text(asked));
}

fn reply(server: &Server, message: &[u8], over_udp: bool) -> Option<Vec<u8>> {
    match server {
        Server::Zone(zone) => zone.answer(message, over_udp),
        Server::Refuses => {
            let mut packet = Packet::read(message).ok()?;
            packet.header.response = true;
            packet.set_rcode(5);
            packet.write(512)
        }
    }
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/misconfigured"))
}

/// What is right, by the RFCs: response code, AD, and the extended errors of which one should be given (empty: none
/// needed, and any that says "insecure" does no harm).
fn wanted(label: &str) -> (&'static str, bool, &'static [u16]) {
    const SERVFAIL: &str = "SERVFAIL";
    match label {
        "valid" => ("NOERROR", true, &[]),
        "unsigned" | "no-ds" => ("NOERROR", false, &[]),
        // RFC 4035 section 5.2: nothing that is known, so as if unsigned.
        "ds-unassigned-key-algo" | "ds-reserved-key-algo" | "rsamd5" | "dsa" => ("NOERROR", false, &[1]),
        "ds-unassigned-digest-algo" => ("NOERROR", false, &[2]),
        "ed448" => ("NOERROR", true, &[]),
        // RFC 9276 section 3.2.
        "nsec3-iter-200" => ("NXDOMAIN", false, &[27]),
        "ds-bad-tag" | "ds-bad-key-algo" | "ds-bogus-digest-value" | "no-ksk" | "bad-ksk" => {
            (SERVFAIL, false, &[9])
        }
        "rrsig-exp-all" | "rrsig-exp-a" => (SERVFAIL, false, &[7]),
        "rrsig-not-yet-all" | "rrsig-not-yet-a" => (SERVFAIL, false, &[8]),
        // RFC 8914 section 4.26.
        "rrsig-exp-before-all" | "rrsig-exp-before-a" => (SERVFAIL, false, &[25]),
        "rrsig-no-all" | "rrsig-no-a" | "no-rrsig-dnskey" => (SERVFAIL, false, &[10]),
        "no-rrsig-ksk" => (SERVFAIL, false, &[9, 10]),
        "no-dnskey-257" | "no-dnskey-256-257" => (SERVFAIL, false, &[9, 11]),
        "nsec3-rrsig-missing" => (SERVFAIL, false, &[10, 12]),
        // Changed after they were signed: no denial that counts, and a signature that does not verify.
        // With the wrong salt, the server finds denials that are good and beside the point.
        "bad-nsec3-rrsig" | "bad-nsec3-hash" | "bad-nsec3-next" | "bad-nsec3param-salt" => {
            (SERVFAIL, false, &[6, 12])
        }
        label if label.contains("nsec3") => (SERVFAIL, false, &[12]),
        label if label.starts_with("allow-query") => (SERVFAIL, false, &[18, 22, 23]),
        label if label.starts_with("v4-") || label.starts_with("v6-") => (SERVFAIL, false, &[22, 23]),
        _ => (SERVFAIL, false, &[6, 9]),
    }
}

fn is_right(label: &str, said: &Said) -> bool {
    let (rcode, authentic, errors) = wanted(label);
    said.rcode == rcode
        && said.authentic == authentic
        && (errors.is_empty() || said.errors.iter().any(|error| errors.contains(error)))
        && (rcode != "NOERROR" || !authentic || said.errors.is_empty())
}

#[test]
fn each_kind_is_told_from_the_others() {
    let world = world();
    assert_eq!(world.questions.len(), 63, "the set has 63 kinds");
    let unbound = std::fs::read_to_string(folder().join("unbound.txt")).unwrap_or_default();
    let unbound: BTreeMap<&str, &str> = unbound.lines().filter_map(|line| line.split_once('\t')).collect();
    let mut table =
        String::from("kind                       ours                 unbound              right\n");
    let mut right = 0;
    let mut wrong = Vec::new();
    for (label, asked) in &world.questions {
        let said = ask(&world, asked);
        let good = is_right(label, &said);
        right += usize::from(good);
        if !good {
            wrong.push(format!("{label}: {said:?}, wanted {:?}", wanted(label)));
        }
        let theirs = unbound.get(label.as_str()).copied().unwrap_or("?");
        let mark = if good { "yes" } else { "no" };
        writeln!(table, "{label:<26} {:<20} {theirs:<20} {mark}", said.text())
            .expect("a String takes all text");
    }
    writeln!(table, "\n{right} of {} right", world.questions.len()).expect("a String takes all text");
    let path = folder().join("table.txt");
    if std::env::var_os("THRU_BLESS").is_some() {
        std::fs::write(&path, &table).expect("the table can be written");
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(right >= 60, "only {right} right:\n{}", wrong.join("\n"));
    assert_eq!(table, known, "the table has changed; THRU_BLESS=1 writes it anew");
}

/// With `THRU_MISCONFIGURED_SERVE` naming a file, serves the zones on the loopback addresses that they are delegated
/// to, for as long as that file is there, and writes questions and anchor into it: for `unbound.sh`.
#[test]
fn zones_for_others() {
    let Some(file) = std::env::var_os("THRU_MISCONFIGURED_SERVE") else {
        eprintln!("not run: THRU_MISCONFIGURED_SERVE names no file");
        return;
    };
    let world = Arc::new(world());
    for address in world.servers.keys().copied() {
        let world = world.clone();
        let socket = UdpSocket::bind(SocketAddr::new(address, 53)).expect("root in a namespace may");
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                if let Some(bytes) = reply(&world.servers[&address], &buffer[..length], true) {
                    let _ = socket.send_to(&bytes, from);
                }
            }
        });
    }
    let digest: String = world.anchor.data[4..].iter().map(|octet| format!("{octet:02x}")).collect();
    let tag = u16::from_be_bytes([world.anchor.data[0], world.anchor.data[1]]);
    let mut text = format!("anchor . DS {tag} {} {} {digest}\n", world.anchor.data[2], world.anchor.data[3]);
    for (label, asked) in &world.questions {
        writeln!(text, "{label} {}", name_text(asked)).expect("a String takes all text");
    }
    std::fs::write(&file, text).expect("the file can be written");
    while Path::new(&file).exists() {
        std::thread::yield_now();
        std::thread::park_timeout(Duration::from_millis(100));
    }
}
