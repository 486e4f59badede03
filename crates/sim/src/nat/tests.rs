//! Translation on bytes; in [`hosts`], in a network.

mod hosts;

use super::*;
use crate::testing::*;
use proptest::prelude::*;
use thru_wire::tcp::Flags;

const INSIDE: InterfaceId = InterfaceId(0);
const OUTSIDE: InterfaceId = InterfaceId(1);
const EXTERNAL: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

/// A NAT without a router: packets are shown to it as netfilter would.
struct Bench {
    nat: Nat,
    now: Instant,
}

impl Bench {
    fn new(change: impl FnOnce(&mut NatConfig)) -> Bench {
        let mut config = NatConfig::new(OUTSIDE, EXTERNAL);
        change(&mut config);
        Bench { nat: Nat::new(config, 1), now: Instant::START }
    }

    fn home() -> Bench {
        Bench::new(|_| ())
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    fn judge(
        &mut self,
        places: [(Place, Option<InterfaceId>, Option<InterfaceId>); 2],
        packet: &[u8],
    ) -> Result<Vec<u8>, &'static str> {
        let mut packet = packet.to_vec();
        let valid = checksums_are_right(&packet);
        for (place, input, output) in places {
            match self.nat.judge(self.now, place, input, output, &mut packet) {
                Judgement::Accept => {}
                Judgement::Drop(reason) => return Err(reason),
                other => panic!("a NAT does not {other:?}"),
            }
        }
        assert_eq!(checksums_are_right(&packet), valid, "{packet:02x?}");
        Ok(packet)
    }

    /// From inside to outside.
    fn out(&mut self, packet: &[u8]) -> Result<Vec<u8>, &'static str> {
        let places =
            [(Place::Prerouting, Some(INSIDE), None), (Place::Postrouting, Some(INSIDE), Some(OUTSIDE))];
        self.judge(places, packet)
    }

    /// From outside to inside (or to the router).
    fn back(&mut self, packet: &[u8]) -> Result<Vec<u8>, &'static str> {
        let places =
            [(Place::Prerouting, Some(OUTSIDE), None), (Place::Postrouting, Some(OUTSIDE), Some(INSIDE))];
        self.judge(places, packet)
    }

    /// From inside to inside.
    fn across(&mut self, packet: &[u8]) -> Result<Vec<u8>, &'static str> {
        let places =
            [(Place::Prerouting, Some(INSIDE), None), (Place::Postrouting, Some(INSIDE), Some(INSIDE))];
        self.judge(places, packet)
    }

    /// From the router itself to outside.
    fn own(&mut self, packet: &[u8]) -> Result<Vec<u8>, &'static str> {
        let places = [(Place::Output, None, Some(OUTSIDE)), (Place::Postrouting, None, Some(OUTSIDE))];
        self.judge(places, packet)
    }

    /// Opens a UDP mapping and says what the outside sees.
    fn open(&mut self, inside: &str, remote: &str) -> SocketAddrV4 {
        source_of(&self.out(&udp(end(inside), end(remote), b"open")).expect("passes"))
    }
}

fn checksums_are_right(packet: &[u8]) -> bool {
    std::panic::catch_unwind(|| assert_checksums(packet)).is_ok()
}

fn source_of(packet: &[u8]) -> SocketAddrV4 {
    Ends::of(packet).expect("IPv4").source
}

fn destination_of(packet: &[u8]) -> SocketAddrV4 {
    Ends::of(packet).expect("IPv4").destination
}

#[test]
fn the_source_becomes_ours_and_the_answer_finds_back() {
    let mut bench = Bench::home();
    let sent = udp(end("192.168.0.10:5000"), end("203.0.113.5:53"), b"question");
    let outside = bench.out(&sent).expect("passes");
    assert_eq!(source_of(&outside), end("198.51.100.1:5000"));
    let inside = bench.back(&answer(&outside)).expect("passes");
    assert_eq!(inside, answer(&sent));
    let stats = bench.nat.stats();
    assert_eq!((stats.mappings, stats.sessions, stats.outbound, stats.inbound), (1, 1, 1, 1));
}

#[test]
fn one_internal_endpoint_keeps_one_port_for_everybody() {
    let mut bench = Bench::home();
    let first = bench.open("192.168.0.10:5000", "203.0.113.5:53");
    assert_eq!(bench.open("192.168.0.10:5000", "203.0.113.6:99"), first);
    // Another host with the same port gets another one, of the same parity.
    let other = bench.open("192.168.0.11:5000", "203.0.113.5:53");
    assert_ne!(other, first);
    assert_eq!(other.port() % 2, first.port() % 2);
    // Privileged ports are not given out, but keep their parity too.
    let privileged = bench.open("192.168.0.11:123", "203.0.113.5:123");
    assert!(privileged.port() >= 1024 && privileged.port() % 2 == 1, "{privileged}");
}

#[test]
fn a_symmetric_nat_gives_a_port_per_remote() {
    let mut bench = Bench::new(|config| config.mapping = Mapping::AddressAndPortDependent);
    let first = bench.open("192.168.0.10:5000", "203.0.113.5:53");
    let second = bench.open("192.168.0.10:5000", "203.0.113.5:54");
    assert_ne!(first, second);
    assert_eq!(bench.open("192.168.0.10:5000", "203.0.113.5:53"), first);
    assert_eq!(
        destination_of(&bench.back(&udp(end("203.0.113.5:54"), second, b"")).expect("passes")),
        end("192.168.0.10:5000")
    );
    assert_eq!(bench.back(&udp(end("203.0.113.5:53"), second, b"")), Err(reason::FILTERED));
}

#[test]
fn the_filter_lets_in_whom_it_should() {
    let knock = |filtering: Filtering| -> [bool; 3] {
        let mut bench = Bench::new(|config| config.filtering = filtering);
        let external = bench.open("192.168.0.10:5000", "203.0.113.5:53");
        ["203.0.113.5:53", "203.0.113.5:54", "203.0.113.6:53"]
            .map(|from| bench.back(&udp(end(from), external, b"knock")).is_ok())
    };
    assert_eq!(knock(Filtering::EndpointIndependent), [true, true, true]);
    assert_eq!(knock(Filtering::AddressDependent), [true, true, false]);
    assert_eq!(knock(Filtering::AddressAndPortDependent), [true, false, false]);
}

#[test]
fn what_belongs_to_nothing_is_dropped_or_for_the_router() {
    let knock = udp(end("203.0.113.5:53"), end("198.51.100.1:5000"), b"knock");
    assert_eq!(Bench::home().back(&knock), Err(reason::UNKNOWN));
    let mut open = Bench::new(|config| config.unsolicited = Unsolicited::ToRouter);
    assert_eq!(open.back(&knock), Ok(knock.clone()));
    // The router may refuse a connection although it has no entry for it.
    let refusal = tcp(end("198.51.100.1:80"), end("203.0.113.5:5000"), Flags::RST | Flags::ACK, b"");
    assert_eq!(open.own(&refusal), Ok(refusal.clone()));
    // Somebody else's packets pass through untouched.
    let foreign = udp(end("203.0.113.5:53"), end("198.51.100.2:5000"), b"");
    assert_eq!(Bench::home().back(&foreign), Ok(foreign));
    // The router answers pings from outside itself.
    let ping = echo("203.0.113.5".parse().unwrap(), EXTERNAL, 3, b"");
    assert_eq!(Bench::home().back(&ping), Ok(ping));
}

#[test]
fn udp_entries_expire_and_both_directions_refresh_them() {
    let mut bench = Bench::home();
    let external = bench.open("192.168.0.10:5000", "203.0.113.5:53");
    let inward = udp(end("203.0.113.5:53"), external, b"");
    for _ in 0..3 {
        bench.wait(299);
        bench.back(&inward).expect("refreshed");
    }
    assert_eq!(bench.nat.mappings(bench.now).len(), 1);
    bench.wait(300);
    assert!(bench.nat.mappings(bench.now).is_empty());
    assert_eq!(bench.back(&inward), Err(reason::UNKNOWN));
    assert_eq!(bench.nat.stats().expired, 1);
    assert_eq!(bench.nat.stats().sessions, 0);
}

/// A TCP connection through the NAT; `true`: from inside.
fn tcp_steps(bench: &mut Bench, steps: &[(bool, Flags)]) -> Result<(), &'static str> {
    let (inside, remote) = (end("192.168.0.10:5000"), end("203.0.113.5:80"));
    for &(outwards, flags) in steps {
        if outwards {
            bench.out(&tcp(inside, remote, flags, b""))?;
        } else {
            bench.back(&tcp(remote, end("198.51.100.1:5000"), flags, b""))?;
        }
    }
    Ok(())
}

const OPENING: [(bool, Flags); 3] = [(true, Flags::SYN), (false, Flags(0x12)), (true, Flags::ACK)];

#[test]
fn tcp_entries_live_as_long_as_their_state_says() {
    let after = |steps: &[(bool, Flags)], seconds: u64| {
        let mut bench = Bench::home();
        tcp_steps(&mut bench, steps).expect("passes");
        bench.wait(seconds);
        tcp_steps(&mut bench, &[(true, Flags::ACK)]).is_ok()
    };
    let hours = 2 * 3600 + 4 * 60;
    // Half open.
    assert!(after(&OPENING[..1], 239));
    assert!(!after(&OPENING[..1], 240));
    assert!(!after(&OPENING[..2], 240));
    // Established.
    assert!(after(&OPENING, hours - 1));
    assert!(!after(&OPENING, hours));
    // One side closed: data may still flow. Both: it is over.
    let half = [&OPENING[..], &[(true, Flags(0x11))]].concat();
    assert!(after(&half, hours - 1));
    let closed = [&half[..], &[(false, Flags(0x11)), (true, Flags::ACK)]].concat();
    assert!(after(&closed, 239));
    assert!(!after(&closed, 240));
    // Reset.
    let reset = [&OPENING[..], &[(false, Flags::RST)]].concat();
    assert!(!after(&reset, 240));
    // The ports may be used again at once.
    let again = [&reset[..], &OPENING[..]].concat();
    assert!(after(&again, hours - 1));
}

#[test]
fn only_syn_opens_a_connection_unless_told_otherwise() {
    let segment = tcp(end("192.168.0.10:5000"), end("203.0.113.5:80"), Flags::ACK | Flags::PSH, b"data");
    let mut strict = Bench::home();
    assert_eq!(strict.out(&segment), Err(reason::UNKNOWN));
    let mut loose = Bench::new(|config| config.loose_tcp = true);
    assert!(loose.out(&segment).is_ok());
    tcp_steps(&mut loose, &OPENING).expect("passes");
    // After a restart the strict one has forgotten the connection.
    tcp_steps(&mut strict, &OPENING).expect("passes");
    strict.nat.flush();
    assert_eq!(tcp_steps(&mut strict, &[(true, Flags::ACK)]), Err(reason::UNKNOWN));
    assert_eq!(tcp_steps(&mut strict, &[(false, Flags::ACK)]), Err(reason::UNKNOWN));
}

#[test]
fn a_forwarded_port_leads_inside_for_everybody() {
    let forward = PortForward {
        protocol: Protocol::TCP,
        external: end("198.51.100.1:8080"),
        internal: end("192.168.0.80:80"),
    };
    let mut bench = Bench::new(|config| config.forwards = vec![forward]);
    let syn = tcp(end("203.0.113.5:5000"), end("198.51.100.1:8080"), Flags::SYN, b"");
    let inside = bench.back(&syn).expect("passes");
    assert_eq!(destination_of(&inside), end("192.168.0.80:80"));
    assert_eq!(bench.out(&answer(&inside)).expect("passes"), answer(&syn));
    // It survives idleness and restarts.
    bench.wait(100_000);
    bench.nat.flush();
    assert!(bench.back(&syn).is_ok());
}

#[test]
fn inside_hosts_reach_each_other_through_the_outside() {
    let mut bench = Bench::new(|config| config.filtering = Filtering::EndpointIndependent);
    let server = bench.open("192.168.0.10:5000", "203.0.113.5:53");
    let sent = udp(end("192.168.0.11:6000"), server, b"hairpin");
    let arrived = bench.across(&sent).expect("passes");
    // RFC 4787 REQ-9: the source is the external one.
    assert_eq!(source_of(&arrived), end("198.51.100.1:6000"));
    assert_eq!(destination_of(&arrived), end("192.168.0.10:5000"));
    assert_eq!(bench.across(&answer(&arrived)).expect("passes"), answer(&sent));
    // An error about it finds its way too.
    let error = icmp("192.168.0.10".parse().unwrap(), EXTERNAL, (3, 3), 0, &arrived);
    let told = bench.across(&error).expect("passes");
    assert_eq!(*destination_of(&told).ip(), Ipv4Addr::new(192, 168, 0, 11));
    assert_eq!(&told[28..], &sent[..]);
    // Without hairpinning the router itself is spoken to.
    let mut without = Bench::new(|config| config.hairpin = false);
    let server = without.open("192.168.0.10:5000", "203.0.113.5:53");
    let sent = udp(end("192.168.0.11:6000"), server, b"hairpin");
    assert_eq!(without.across(&sent), Ok(sent.clone()));
}

#[test]
fn ports_run_out() {
    let mut bench = Bench::new(|config| config.ports = 4000..=4009);
    let mut ports: Vec<u16> =
        (0..10).map(|n| bench.open(&format!("192.168.0.10:{}", 5000 + n), "203.0.113.5:53").port()).collect();
    ports.sort_unstable();
    assert_eq!(ports, (4000..=4009).collect::<Vec<u16>>());
    let more = udp(end("192.168.0.10:6000"), end("203.0.113.5:53"), b"");
    assert_eq!(bench.out(&more), Err(reason::NO_PORT));
    assert_eq!(bench.nat.stats().no_port, 1);
    // TCP has ports of its own, and so has another pool address.
    assert!(bench.out(&tcp(end("192.168.0.10:6000"), end("203.0.113.5:53"), Flags::SYN, b"")).is_ok());
    // Idle ones come free.
    bench.wait(300);
    assert!(bench.out(&more).is_ok());
    assert_eq!(bench.nat.stats().mappings, 1);
}

#[test]
fn an_internal_address_stays_with_one_address_of_the_pool() {
    let pool: Vec<Ipv4Addr> = (1..=4).map(|last| Ipv4Addr::new(198, 51, 100, last)).collect();
    let mut bench = Bench::new(|config| config.addresses = pool.clone());
    let mut used = std::collections::BTreeSet::new();
    for host in 0..40 {
        let one = bench.open(&format!("192.168.0.{host}:5000"), "203.0.113.5:53");
        let two = bench.open(&format!("192.168.0.{host}:5001"), "203.0.113.6:53");
        assert_eq!(one.ip(), two.ip());
        used.insert(*one.ip());
    }
    assert_eq!(used.into_iter().collect::<Vec<_>>(), pool);
}

#[test]
fn a_full_table_gives_up_what_nobody_would_miss() {
    let mut bench = Bench::new(|config| config.sessions_max = 3);
    // An answered datagram, an established connection, an unanswered datagram.
    let external = bench.open("192.168.0.10:1111", "203.0.113.5:53");
    bench.back(&udp(end("203.0.113.5:53"), external, b"")).expect("passes");
    tcp_steps(&mut bench, &OPENING).expect("passes");
    bench.open("192.168.0.10:2222", "203.0.113.5:53");
    bench.wait(1);
    bench.open("192.168.0.10:3333", "203.0.113.5:53");
    let internals: Vec<u16> = bench.nat.mappings(bench.now).iter().map(|info| info.internal.port()).collect();
    assert_eq!(internals, [5000, 1111, 3333]);
    bench.back(&udp(end("203.0.113.5:53"), end("198.51.100.1:3333"), b"")).expect("passes");
    // Now all of them are alive.
    assert_eq!(bench.out(&udp(end("192.168.0.10:4444"), end("203.0.113.5:53"), b"")), Err(reason::FULL));
    let stats = bench.nat.stats();
    assert_eq!((stats.evicted, stats.table_full, stats.sessions), (1, 1, 3));
}

#[test]
fn errors_from_outside_find_the_inside_with_what_they_quote() {
    let mut bench = Bench::new(|config| config.ports = 20_000..=20_100);
    let router = Ipv4Addr::new(203, 0, 113, 77);
    let sent = [
        udp(end("192.168.0.10:5000"), end("203.0.113.5:33434"), b"probe"),
        tcp(end("192.168.0.10:5001"), end("203.0.113.5:80"), Flags::SYN, b""),
        echo("192.168.0.10".parse().unwrap(), "203.0.113.5".parse().unwrap(), 9, b"probe"),
    ];
    for sent in sent {
        let outside = bench.out(&sent).expect("passes");
        assert_ne!(outside, sent);
        // Whole, and as little as RFC 792 demands.
        for quoted in [outside.len(), 28] {
            let told = bench.back(&icmp(router, EXTERNAL, (11, 0), 0, &outside[..quoted])).expect("passes");
            assert_eq!(source_of(&told), SocketAddrV4::new(router, 0));
            assert_eq!(*destination_of(&told).ip(), Ipv4Addr::new(192, 168, 0, 10));
            assert_eq!(&told[28..], &sent[..quoted]);
        }
        // Too short to say what it is about, and about a conversation that does not exist.
        assert_eq!(bench.back(&icmp(router, EXTERNAL, (11, 0), 0, &outside[..27])), Err(reason::ICMP));
        let mut elsewhere = outside.clone();
        elsewhere[19] ^= 1;
        assert_eq!(bench.back(&icmp(router, EXTERNAL, (11, 0), 0, &elsewhere)), Err(reason::ICMP));
    }
}

#[test]
fn errors_from_inside_leave_with_what_the_outside_knows() {
    let mut bench = Bench::new(|config| config.ports = 20_000..=20_100);
    let outside =
        bench.out(&udp(end("192.168.0.10:5000"), end("203.0.113.5:53"), b"question")).expect("passes");
    let reply = answer(&outside);
    let inside = bench.back(&reply).expect("passes");
    // From the host, and from a router between it and the NAT.
    for from in [Ipv4Addr::new(192, 168, 0, 10), Ipv4Addr::new(192, 168, 0, 254)] {
        let error = icmp(from, "203.0.113.5".parse().unwrap(), (3, 3), 0, &inside);
        let told = bench.out(&error).expect("passes");
        assert_eq!(source_of(&told), SocketAddrV4::new(EXTERNAL, 0));
        assert_eq!(&told[28..], &reply[..]);
    }
    // The NAT's own error about a packet that it has translated already.
    let error = icmp(EXTERNAL, "203.0.113.5".parse().unwrap(), (11, 0), 0, &inside);
    assert_eq!(&bench.own(&error).expect("passes")[28..], &reply[..]);
    let unknown = icmp(
        "192.168.0.10".parse().unwrap(),
        "203.0.113.9".parse().unwrap(),
        (3, 3),
        0,
        &udp(end("203.0.113.9:1"), end("192.168.0.99:2"), b""),
    );
    assert_eq!(bench.out(&unknown), Err(reason::ICMP));
}

#[test]
fn damage_is_not_repaired() {
    let mut bench = Bench::home();
    let mut sent = udp(end("192.168.0.10:5000"), end("203.0.113.5:53"), b"question");
    *sent.last_mut().unwrap() ^= 4;
    assert!(!checksums_are_right(&sent));
    // `judge` asserts that it stays wrong.
    bench.out(&sent).expect("passes");
    // A UDP datagram without a checksum stays without.
    let mut none = udp(end("192.168.0.10:5000"), end("203.0.113.5:53"), b"question");
    none[26..28].fill(0);
    assert_eq!(bench.out(&none).expect("passes")[26..28], [0, 0]);
}

#[test]
fn what_can_not_be_translated_does_not_pass() {
    let mut bench = Bench::home();
    let (inside, remote) = ("192.168.0.10".parse().unwrap(), "203.0.113.5".parse().unwrap());
    let esp = ipv4(inside, remote, Protocol::ESP, &[0; 40]);
    assert_eq!(bench.out(&esp), Err(reason::PROTOCOL));
    let mut fragment = udp(end("192.168.0.10:5000"), end("203.0.113.5:53"), &[0; 32]);
    fragment[7] = 4;
    assert_eq!(bench.out(&fragment), Err(reason::FRAGMENT));
    // IPv6 is none of its business, nor is what is too short to be anything.
    for other in [&[0x60; 60][..], &[0x45; 10], &[]] {
        let mut packet = other.to_vec();
        assert_eq!(
            bench.nat.judge(bench.now, Place::Postrouting, Some(INSIDE), Some(OUTSIDE), &mut packet),
            Judgement::Accept
        );
        assert_eq!(packet, other);
    }
}

fn any_packet() -> impl Strategy<Value = Vec<u8>> {
    let hosts = (1u8..250, any::<[u8; 3]>());
    (hosts, any::<u16>(), any::<u16>(), 0u8..4, proptest::collection::vec(any::<u8>(), 0..200)).prop_map(
        |((host, remote), port, remote_port, kind, payload)| {
            let inside = SocketAddrV4::new(Ipv4Addr::new(192, 168, 0, host), port);
            let remote = SocketAddrV4::new(Ipv4Addr::new(100, remote[0], remote[1], remote[2]), remote_port);
            match kind {
                0 => udp(inside, remote, &payload),
                1 => tcp(inside, remote, Flags::SYN, &payload),
                2 => echo(*inside.ip(), *remote.ip(), port, &payload),
                _ => {
                    let mut packet = udp(inside, remote, &payload);
                    packet[26..28].fill(0);
                    packet
                }
            }
        },
    )
}

proptest! {
    /// Out and back restores the ends, with every checksum right, whatever ports are left; so does an error about it.
    #[test]
    fn there_and_back_restores_the_packet(packets in proptest::collection::vec(any_packet(), 1..40), few_ports: bool) {
        let mut bench = Bench::new(|config| if few_ports { config.ports = 30_000..=30_063 });
        for sent in packets {
            let outside = bench.out(&sent).expect("there are ports enough");
            prop_assert_eq!(*source_of(&outside).ip(), EXTERNAL);
            assert_checksums(&outside);
            let inside = bench.back(&answer(&outside)).expect("the answer passes");
            prop_assert_eq!(&inside, &answer(&sent));
            let error = icmp(Ipv4Addr::new(203, 0, 113, 77), EXTERNAL, (3, 1), 0, &outside);
            let told = bench.back(&error).expect("the error passes");
            prop_assert_eq!(&told[28..], &sent[..]);
        }
    }

    /// Any bytes at any place: no panic, and the table keeps its bound.
    #[test]
    fn nonsense_does_no_harm(packets in proptest::collection::vec((proptest::collection::vec(any::<u8>(), 0..80), 0u8..4), 1..60)) {
        let mut bench = Bench::new(|config| config.sessions_max = 8);
        for (mut packet, way) in packets {
            // Half of the time it should at least look like IPv4 to or from us.
            if packet.len() > 20 {
                packet[0] = 0x45;
                if way % 2 == 0 { packet[16..20].copy_from_slice(&EXTERNAL.octets()); }
            }
            let mut shown = packet.clone();
            let (place, input, output) = match way {
                0 => (Place::Prerouting, OUTSIDE, None),
                1 => (Place::Postrouting, INSIDE, Some(OUTSIDE)),
                2 => (Place::Prerouting, INSIDE, None),
                _ => (Place::Forward, INSIDE, Some(OUTSIDE)),
            };
            bench.nat.judge(bench.now, place, Some(input), output, &mut shown);
            prop_assert_eq!(shown.len(), packet.len());
            prop_assert!(bench.nat.stats().sessions <= 8);
        }
    }
}
