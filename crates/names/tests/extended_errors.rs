//! Each extended error (RFC 8914) that a resolver can give is given where it belongs: those of signatures are in
//! `misconfigured/table.txt`, the others are here, and what is left out is left out for a reason.

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use hickory_proto::rr::Name;
use thru_names::authority::SignedZone;
use thru_names::dnssec::signing::zone::{Chain, KeyState, Plan, sign};
use thru_names::dnssec::signing::{KEY_SIGNING, SigningKey, Window, ZONE_SIGNING};
use thru_names::rdata::master_records;
use thru_names::resolver::{Input, ResolverConfig};
use thru_names::service::access::Action;
use thru_names::service::policy::PolicyZone;
use thru_names::service::{Out, Service, ServiceConfig, Stale};
use thru_names::text::{extended_error_text, parse_name, parse_type};
use thru_names::wire::{Header, Opt, Packet, Question};
use thru_wire::Instant;

const DATE: u32 = 1_780_272_000;
const WINDOW: Window = Window { inception: DATE - 86_400, expiration: DATE + 86_400 };
const ROOT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Codes that this resolver never gives, and why.
const NEVER: [(u16, &str); 5] = [
    (16, "censored: nobody from outside tells it what to withhold"),
    (17, "filtered: no client can ask it to filter"),
    (26, "too early: it takes no early data"),
    (28, "it has no policy about transports"),
    (30, "no type is denied by name only (RFC 9824 is for authorities)"),
];

/// What servers do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum World {
    Good,
    /// Every server says REFUSED.
    Refuses,
    /// There is no way to any server.
    Gone,
    /// Every server's answer contradicts itself.
    Nonsense,
}

struct Bench {
    service: Service,
    zone: SignedZone,
    world: World,
    now: Instant,
    token: u64,
}

fn name(text: &str) -> Name {
    parse_name(text).expect("a name")
}

/// A signed root that holds all names itself; its entry point has these flags.
fn root(flags: u16) -> (SignedZone, Vec<u8>) {
    let long = "l23456789.".repeat(22);
    let text = format!(
        ". 300 SOA ns. nobody. 1 2 3 4 60\n. 300 NS ns.\nns. 300 A 192.0.2.1\nwww. 300 A 192.0.2.80\n\
         a. 0 CNAME b.\nb. 0 CNAME a.\nold. 300 DNAME {long}\nz. 300 A 192.0.2.81\n"
    );
    let keys = vec![
        (SigningKey::of_phrase("k", flags), KeyState::Active),
        (SigningKey::of_phrase("z", ZONE_SIGNING), KeyState::Active),
    ];
    let ds = keys[0].0.ds(&Name::root(), 2).expect("SHA-256 is known");
    let plan = Plan { keys, window: WINDOW, chain: Chain::Nsec, dnskey_ttl: 300 };
    let records = master_records(&text, &Name::root()).expect("legal records");
    let signed = sign(&Name::root(), &records, &plan).expect("it signs");
    (SignedZone::new(&signed).expect("it has a SOA"), ds)
}

impl Bench {
    fn new(flags: u16, change: impl FnOnce(&mut ServiceConfig)) -> Bench {
        let (zone, ds) = root(flags);
        let mut config = ResolverConfig::new(vec![(name("ns"), vec![ROOT])]);
        config.anchors.add_ds(&Name::root(), ds.into());
        config.epoch = u64::from(DATE);
        let mut config = ServiceConfig::new(config);
        change(&mut config);
        Bench {
            service: Service::new(config, [9; 32]),
            zone,
            world: World::Good,
            now: Instant::START,
            token: 0,
        }
    }

    /// The extended errors of the answer to `NAME TYPE`, without RD if the question ends in ` +norecurse`.
    fn ask(&mut self, question: &str) -> Vec<u16> {
        let mut words = question.split(' ');
        let (asked, kind) = (words.next().expect("a name"), words.next().expect("a type"));
        let query = Packet {
            header: Header { id: 7, recursion_desired: words.next().is_none(), ..Header::default() },
            questions: vec![Question::new(name(asked), parse_type(kind).expect("a type"))],
            opt: Some(Opt { payload: 1232, dnssec_ok: true, ..Opt::default() }),
            ..Packet::default()
        };
        self.token += 1;
        self.service.query(self.now, self.token, CLIENT, true, &query.write(512).expect("it fits"));
        let mut waiting = VecDeque::new();
        for _ in 0..2000 {
            while let Some(out) = self.service.poll() {
                match out {
                    Out::Send { exchange, to, over_tcp, message } => {
                        waiting.push_back((exchange, to, over_tcp, message));
                    }
                    Out::Finished(exchange) => waiting.retain(|(open, ..)| *open != exchange),
                    Out::Answered(_) => {}
                    Out::Reply { message, token } if token == self.token => {
                        let packet = Packet::read(&message.expect("nobody is ignored")).expect("our own");
                        return codes(&packet);
                    }
                    Out::Reply { .. } => {}
                }
            }
            self.now += Duration::from_millis(20);
            let Some((exchange, to, over_tcp, message)) = waiting.pop_front() else {
                self.now = self.now.max(self.service.next_deadline());
                self.service.handle(self.now, Input::Timeout);
                continue;
            };
            match self.reply(&message, !over_tcp) {
                Some(bytes) => {
                    self.service.handle(self.now, Input::Response { exchange, from: to, message: &bytes });
                }
                None => {
                    self.service.handle(self.now, Input::Unreachable { exchange, why: "no route".into() });
                }
            }
        }
        panic!("{question} was never answered");
    }

    fn reply(&self, message: &[u8], over_udp: bool) -> Option<Vec<u8>> {
        let mut packet = Packet::read(message).expect("our own query");
        packet.header.response = true;
        match self.world {
            World::Gone => None,
            World::Good => self.zone.answer(message, over_udp),
            World::Refuses => {
                packet.set_rcode(5);
                packet.write(512)
            }
            World::Nonsense => {
                // Two questions are never answered at once.
                packet.questions.push(packet.questions[0].clone());
                packet.write(512)
            }
        }
    }
}

fn codes(packet: &Packet) -> Vec<u16> {
    let options = packet.opt.iter().flat_map(|opt| &opt.options);
    let errors = options.filter(|(code, data)| *code == 15 && data.len() >= 2);
    errors.map(|(_, data)| u16::from_be_bytes([data[0], data[1]])).collect()
}

fn policy(text: &str) -> PolicyZone {
    let records = master_records(text, &Name::root()).expect("legal records");
    PolicyZone::new(&name("rpz"), &records).expect("a policy zone")
}

/// What each case gives.
fn cases() -> Vec<(&'static str, Vec<u16>, Vec<u16>)> {
    let good = |_: &mut ServiceConfig| {};
    let mut out = Vec::new();
    let mut say = |what, wanted: &[u16], got| out.push((what, wanted.to_vec(), got));
    say("nothing is wrong", &[], Bench::new(KEY_SIGNING, good).ask("www A"));
    say("aliases in a circle", &[0], Bench::new(KEY_SIGNING, good).ask("a A"));
    say(
        "a name too long for a DNAME",
        &[5],
        Bench::new(KEY_SIGNING, good).ask("l23456789.l23456789.l23456789.l23456789.old A"),
    );
    say("an entry point that is no zone key", &[11], Bench::new(1, good).ask("www A"));

    let mut stale = Bench::new(KEY_SIGNING, |config| {
        config.stale = Stale { enabled: true, reply_ttl: 30, reset: false, client_timeout: Duration::ZERO };
        config.resolver.lifetimes.stale = 86_400;
        config.resolver.aggressive = false;
    });
    stale.ask("www A");
    stale.ask("nobody A");
    stale.now += Duration::from_secs(1000);
    stale.world = World::Gone;
    say("an answer whose time is over", &[3], stale.ask("www A"));
    say("a denial whose time is over", &[19], stale.ask("nobody A"));

    let rules = "www.rpz. 60 A 192.0.2.99\nz.rpz. 60 CNAME .\n";
    let ruled = |config: &mut ServiceConfig| config.policies.push(policy(rules));
    say("another answer by policy", &[4], Bench::new(KEY_SIGNING, ruled).ask("www A"));
    say("a name blocked by policy", &[15], Bench::new(KEY_SIGNING, ruled).ask("z A"));

    let in_world = |world| {
        let mut bench = Bench::new(KEY_SIGNING, good);
        bench.world = world;
        bench
    };
    say("servers that refuse", &[22], in_world(World::Refuses).ask("www A"));
    say("no way to a server", &[23], in_world(World::Gone).ask("www A"));
    say("servers that talk nonsense", &[24], in_world(World::Nonsense).ask("www A"));
    let mut again = in_world(World::Gone);
    again.ask("www A");
    say("a failure that is remembered", &[23, 13], again.ask("www A"));

    let full = |config: &mut ServiceConfig| config.resolver.limits.tasks = 0;
    say("too much to do", &[14], Bench::new(KEY_SIGNING, full).ask("www A"));
    let closed = |config: &mut ServiceConfig| config.access.otherwise = Action::Refuse;
    say("a client that may not ask", &[18], Bench::new(KEY_SIGNING, closed).ask("www A"));
    say("a question without RD", &[20], Bench::new(KEY_SIGNING, good).ask("www A +norecurse"));
    say("a transfer from a resolver", &[21], Bench::new(KEY_SIGNING, good).ask("www AXFR"));

    let mut known = Bench::new(KEY_SIGNING, good);
    known.ask("nobody A");
    say("a denial that was known already", &[29], known.ask("nobodx A"));
    out
}

#[test]
fn each_code_is_given_where_it_belongs() {
    let cases = cases();
    let wrong: Vec<_> = cases.iter().filter(|(_, wanted, got)| wanted != got).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let table = include_str!("misconfigured/table.txt");
    let ours = table.lines().filter_map(|line| line.get(39..47)?.split_whitespace().next());
    let mut given: BTreeSet<u16> =
        ours.flat_map(|codes| codes.split(',')).filter_map(|code| code.parse().ok()).collect();
    given.extend(cases.iter().flat_map(|(_, _, got)| got));
    let missing: Vec<String> = (0..=30)
        .filter(|code| !given.contains(code) && !NEVER.iter().any(|(never, _)| never == code))
        .map(|code| format!("{code} {}", extended_error_text(code)))
        .collect();
    assert!(missing.is_empty(), "no case gives {missing:?}");
    assert!((0..=30).all(|code| extended_error_text(code) != "Extended Error"), "each has its name");
}
