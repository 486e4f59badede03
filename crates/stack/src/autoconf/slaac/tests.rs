//! The machine against routers of this file.

use proptest::prelude::*;
use thru_wire::ndp::{DnsServers, PrefixInformation, RouteInformation};

use super::*;

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const OTHER: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);
const SECRET: [u8; 16] = [7; 16];

struct Bench {
    slaac: Slaac,
    now: Instant,
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn router(last: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last)
}

fn prefix(text: &str) -> IpPrefix {
    text.parse().unwrap()
}

/// What we make in a prefix, at the given attempt.
fn ours(network: &str, attempt: u8) -> Ipv6Addr {
    stable::address(&SECRET, prefix(network), "eth0", attempt).unwrap()
}

fn advertisement(network: &str, preferred: u64, valid: u64) -> RouterAdvertisement {
    RouterAdvertisement {
        lifetime: secs(1_800),
        prefixes: vec![PrefixInformation {
            prefix: prefix(network),
            on_link: true,
            autonomous: true,
            valid: secs(valid),
            preferred: secs(preferred),
        }],
        dns: vec![DnsServers { lifetime: secs(600), servers: vec!["2001:db8::53".parse().unwrap()] }],
        ..RouterAdvertisement::default()
    }
}

impl Bench {
    fn new() -> Bench {
        let mut bench = Bench { slaac: Slaac::new("eth0", MAC, SECRET, 7), now: Instant::START };
        bench.slaac.start(bench.now);
        bench
    }

    /// With an address in 2001:db8::/64.
    fn settled() -> Bench {
        let mut bench = Bench::new();
        bench.hear(1, advertisement("2001:db8::/64", 3_600, 7_200));
        bench.at(1_000);
        bench.outputs();
        assert!(bench.slaac.is_settled());
        bench
    }

    fn at(&mut self, millis: u64) -> &mut Bench {
        self.now = Instant::from_millis(millis);
        self.slaac.handle_deadline(self.now);
        self
    }

    fn hear(&mut self, from: u16, advertisement: RouterAdvertisement) -> &mut Bench {
        self.slaac.handle_ndp(self.now, router(from), &Ndp::RouterAdvertisement(advertisement));
        self
    }

    fn outputs(&mut self) -> Vec<String> {
        let mut seen = Vec::new();
        while let Some(output) = self.slaac.poll_output() {
            seen.push(match output {
                Output::Send {
                    src,
                    dst,
                    message: Ndp::NeighborSolicitation { target, source_mac: None },
                } => {
                    assert_eq!((src, dst), (Ipv6Addr::UNSPECIFIED, solicited_node(target)));
                    format!("has anybody {target}?")
                }
                Output::Send { src, dst: ALL_ROUTERS, message: Ndp::RouterSolicitation { source_mac } } => {
                    assert_eq!(source_mac.is_some(), !src.is_unspecified());
                    format!("routers? {src}")
                }
                Output::Send { message, .. } => format!("{message:?}"),
                Output::Watch(address) => format!("watch {address}"),
                Output::Unwatch(address) => format!("unwatch {address}"),
                Output::Assign(cidr) => format!("assign {cidr}"),
                Output::Deprecate(address, deprecated) => format!("deprecated {deprecated} {address}"),
                Output::Remove(address) => format!("remove {address}"),
                Output::Mtu(mtu) => format!("mtu {mtu}"),
                Output::Tell(AutoconfEvent::Conflict { address, .. }) => format!("conflict {address}"),
                Output::Tell(AutoconfEvent::Router { address, .. }) => format!("router {address}"),
                Output::Tell(_) => continue,
            });
        }
        seen
    }

    fn routes(&self) -> Vec<String> {
        let text = |router: Option<Ipv6Addr>| router.map_or("link".to_owned(), |router| router.to_string());
        self.slaac.routes().map(|(prefix, router)| format!("{prefix} {}", text(router))).collect()
    }
}

/// RFC 4862 5.3 and 5.5: the link-local address and the router take their time together.
#[test]
fn an_address_is_made_checked_and_used() {
    let mut bench = Bench::new();
    let (local, global) = (ours("fe80::/64", 0), ours("2001:db8::/64", 0));
    assert_eq!(
        bench.outputs(),
        [format!("watch {local}"), format!("has anybody {local}?"), "routers? ::".to_owned()]
    );
    bench.now = Instant::from_millis(100);
    bench.hear(1, advertisement("2001:db8::/64", 3_600, 7_200));
    assert_eq!(
        bench.outputs(),
        ["router fe80::1".to_owned(), format!("watch {global}"), format!("has anybody {global}?")]
    );
    assert!(!bench.slaac.is_settled());
    bench.at(1_000);
    assert_eq!(bench.outputs(), [format!("unwatch {local}"), format!("assign {local}/64")]);
    bench.at(1_100);
    assert_eq!(bench.outputs(), [format!("unwatch {global}"), format!("assign {global}/128")]);
    assert!(bench.slaac.is_settled());
    assert_eq!(bench.routes(), ["::/0 fe80::1", "2001:db8::/64 link"]);
    assert_eq!(
        bench.slaac.resolvers().map(|address| address.to_string()).collect::<Vec<_>>(),
        ["2001:db8::53"]
    );
    // RFC 8106 5.1, RFC 4861 6.3.5, RFC 4862 5.5.4: each thing ends when it was promised to.
    bench.at(601_000);
    assert_eq!(bench.slaac.resolvers().count(), 0);
    bench.at(1_801_000);
    assert_eq!(bench.routes(), ["2001:db8::/64 link"]);
    bench.at(3_601_000);
    assert_eq!(bench.outputs(), [format!("deprecated true {global}")]);
    bench.at(7_201_000);
    assert_eq!(bench.outputs(), [format!("remove {global}")]);
    assert!(bench.routes().is_empty());
}

/// RFC 7559: 4, 8, 16 seconds, a tenth more or less, until a router answers; from our address once we have one.
#[test]
fn routers_are_looked_for_without_end() {
    let mut bench = Bench::new();
    let mut waits = Vec::new();
    let mut last = Instant::START;
    bench.outputs();
    for _ in 0..6 {
        bench.now = bench.slaac.next_deadline();
        bench.slaac.handle_deadline(bench.now);
        if bench.outputs().iter().any(|line| line == &format!("routers? {}", ours("fe80::/64", 0))) {
            waits.push(bench.now.since(last).as_millis());
            last = bench.now;
        }
    }
    for (wait, base) in waits.iter().zip([4_000, 8_000, 16_000, 32_000]) {
        assert!((base * 9 / 10..=base * 11 / 10).contains(wait), "{waits:?}");
    }
    assert!(waits.len() >= 4, "{waits:?}");
    // One that is no default router does not end it (RFC 7559 2.1); one that is does.
    let next = bench.slaac.next_deadline();
    bench.hear(1, RouterAdvertisement::default());
    assert_eq!(bench.slaac.next_deadline(), next);
    bench.hear(1, RouterAdvertisement { lifetime: secs(1_800), ..RouterAdvertisement::default() });
    assert!(bench.slaac.next_deadline() > next);
}

/// RFC 4862 5.4.3, 5.4.4, RFC 7217 6: another address is tried, three times.
#[test]
fn an_address_that_somebody_has_is_not_taken() {
    let mut bench = Bench::new();
    bench.outputs();
    for attempt in 0..=3 {
        let target = ours("fe80::/64", attempt);
        bench.now += Duration::from_millis(10);
        bench.slaac.handle_deadline(bench.now);
        // Alternately: somebody who checks it too, and somebody who has it.
        let (src, message) = if attempt % 2 == 0 {
            (Ipv6Addr::UNSPECIFIED, Ndp::NeighborSolicitation { target, source_mac: None })
        } else {
            (
                target,
                Ndp::NeighborAdvertisement {
                    router: false,
                    solicited: false,
                    override_flag: true,
                    target,
                    target_mac: Some(OTHER),
                },
            )
        };
        bench.slaac.handle_ndp(bench.now, src, &message);
        let seen = bench.outputs();
        assert!(seen.contains(&format!("conflict {target}")), "{seen:?}");
        let next = format!("watch {}", ours("fe80::/64", attempt + 1));
        assert_eq!(seen.contains(&next), attempt < 3, "{seen:?}");
    }
    bench.at(5_000);
    assert!(!bench.outputs().iter().any(|line| line.starts_with("assign")));
}

/// Somebody's question about the address (it has one of its own), and what we say ourselves, are no conflict.
#[test]
fn ordinary_talk_about_our_address_is_no_conflict() {
    let mut bench = Bench::new();
    let target = ours("fe80::/64", 0);
    let question = Ndp::NeighborSolicitation { target, source_mac: Some(OTHER) };
    bench.slaac.handle_ndp(bench.now, router(9), &question);
    let own = Ndp::NeighborAdvertisement {
        router: false,
        solicited: false,
        override_flag: true,
        target,
        target_mac: Some(MAC),
    };
    bench.slaac.handle_ndp(bench.now, target, &own);
    bench.at(1_000);
    assert!(bench.outputs().contains(&format!("assign {target}/64")));
}

/// RFC 4862 5.5.3 e: nobody can take a working address away with one packet.
#[test]
fn a_lifetime_is_not_cut_below_two_hours() {
    let address = ours("2001:db8::/64", 0);
    for (first, then, ends) in [(86_400, 1, 7_200), (3_600, 1, 3_600), (3_600, 86_400, 86_400)] {
        let mut bench = Bench::new();
        bench.hear(1, advertisement("2001:db8::/64", 0, first)).at(1_000);
        bench.now = Instant::START;
        bench.hear(1, advertisement("2001:db8::/64", 0, then));
        bench.outputs();
        bench.at((ends - 1) * 1_000);
        assert!(!bench.outputs().contains(&format!("remove {address}")), "{first} {then}");
        bench.at(ends * 1_000);
        assert!(bench.outputs().contains(&format!("remove {address}")), "{first} {then}");
    }
}

#[test]
fn the_best_router_is_used_and_specific_routes_go_by_theirs() {
    let mut bench = Bench::settled();
    let with = |preference, seconds| RouterAdvertisement {
        lifetime: secs(seconds),
        preference,
        routes: vec![RouteInformation { prefix: prefix("2001:db8:9::/48"), preference, lifetime: secs(600) }],
        ..RouterAdvertisement::default()
    };
    bench.hear(2, with(0, 600)).hear(3, with(1, 600)).hear(4, with(1, 600));
    assert_eq!(bench.routes(), ["::/0 fe80::3", "2001:db8::/64 link", "2001:db8:9::/48 fe80::3"]);
    bench.hear(3, RouterAdvertisement { routes: with(-1, 0).routes, ..with(1, 0) });
    assert_eq!(bench.routes(), ["::/0 fe80::4", "2001:db8::/64 link", "2001:db8:9::/48 fe80::4"]);
}

/// Whatever routers say, we keep so much of it and no more.
#[test]
fn a_flood_of_advertisements_is_bounded() {
    let mut bench = Bench::settled();
    for number in 0..1_000_u16 {
        let mut told = advertisement(&format!("2001:db8:{number:x}::/64"), 600, 600);
        told.routes = vec![RouteInformation {
            prefix: prefix(&format!("3fff:{number:x}::/32")),
            preference: 0,
            lifetime: secs(600),
        }];
        told.dns[0].servers = vec![Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 1, number)];
        bench.hear(number, told);
        bench.outputs();
    }
    assert!(bench.slaac.addresses.len() <= PREFIXES + 1);
    assert!(bench.routes().len() <= 1 + 16 + 32, "{}", bench.routes().len());
    assert_eq!(bench.slaac.resolvers().count(), 8);
}

#[test]
fn prefixes_that_make_no_sense_give_no_address() {
    let mut bench = Bench::new();
    bench.outputs();
    for network in ["2001:db8::/48", "fe80::/64", "ff02::/64"] {
        bench.hear(1, advertisement(network, 600, 600));
    }
    bench.hear(1, advertisement("2001:db8:1::/64", 700, 600)).hear(1, advertisement("2001:db8:2::/64", 0, 0));
    // From an address that no router may speak from (RFC 4861 6.1.2).
    let forged = Ndp::RouterAdvertisement(advertisement("2001:db8:3::/64", 600, 600));
    bench.slaac.handle_ndp(bench.now, "2001:db8::9".parse().unwrap(), &forged);
    let seen = bench.outputs();
    assert!(!seen.iter().any(|line| line.starts_with("watch")), "{seen:?}");
}

proptest! {
    #[test]
    fn any_advertisements_are_survived(
        script in prop::collection::vec((0_u16..4, any::<u32>(), any::<u32>(), 0_u64..9_000_000), 1..60),
    ) {
        let mut bench = Bench::new();
        for (from, a, b, wait) in script {
            let network = format!("2001:db8:{:x}::/64", a % 5);
            let mut told = advertisement(&network, u64::from(a), u64::from(b));
            told.lifetime = secs(u64::from(a as u16));
            told.preference = (b % 3) as i8 - 1;
            told.mtu = Some(b);
            bench.hear(from, told);
            let target = ours(&network, 0);
            if b % 3 == 0 {
                let message = Ndp::NeighborSolicitation { target, source_mac: None };
                bench.slaac.handle_ndp(bench.now, Ipv6Addr::UNSPECIFIED, &message);
            }
            bench.outputs();
            prop_assert!(bench.slaac.next_deadline() > bench.now);
            bench.now += Duration::from_millis(wait);
            bench.slaac.handle_deadline(bench.now);
        }
    }
}
