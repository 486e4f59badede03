//! The client against a server of this file, message by message.

use proptest::prelude::*;
use thru_wire::arp::ArpOperation;

use super::*;

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const OTHER: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);
const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const OURS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 77);

/// A client, its time, and what it did.
struct Bench {
    client: DhcpClient,
    now: Instant,
    /// The number of the last question.
    xid: u32,
}

impl Bench {
    fn new() -> Bench {
        let client = DhcpClient::new(MAC, 7, Timing::BRIEF);
        let mut bench = Bench { client, now: Instant::START, xid: 0 };
        bench.client.start(bench.now);
        bench
    }

    /// Leased for an hour.
    fn leased() -> Bench {
        let mut bench = Bench::new();
        bench.expect(&["DISCOVER to all"]);
        bench.answer(DhcpKind::Offer, |_| {}).expect(&["REQUEST 192.0.2.77 of 192.0.2.1 to all"]);
        bench.answer(DhcpKind::Ack, |_| {});
        bench.expect(&["who has 192.0.2.77 tell 0.0.0.0"]);
        for _ in 0..2 {
            bench.next().expect(&["who has 192.0.2.77 tell 0.0.0.0"]);
        }
        bench.next().expect(&["use 192.0.2.77", "leased", "who has 192.0.2.77 tell 192.0.2.77"]);
        bench
    }

    /// Goes to the next deadline.
    fn next(&mut self) -> &mut Bench {
        self.now = self.client.next_deadline();
        assert!(!self.now.is_never(), "nothing is due in {}", self.client.state());
        self.client.handle_deadline(self.now);
        self
    }

    fn at(&mut self, seconds: u64) -> &mut Bench {
        self.now = Instant::from_millis(seconds * 1_000);
        self.client.handle_deadline(self.now);
        self
    }

    /// A sound answer, then changed.
    fn answer(&mut self, kind: DhcpKind, change: impl FnOnce(&mut Dhcp)) -> &mut Bench {
        let mut message = Dhcp::new(kind, self.xid, MAC);
        if kind != DhcpKind::Nak {
            message.yiaddr = OURS;
        }
        message.options = DhcpOptions {
            server: Some(SERVER),
            lease: Some(3_600),
            prefix_len: Some(24),
            routers: vec![SERVER],
            dns: vec![SERVER],
            ..DhcpOptions::default()
        };
        change(&mut message);
        let mut bytes = Vec::new();
        message.emit_into(&mut bytes);
        self.client.handle_message(self.now, &bytes);
        self
    }

    fn arp(&mut self, operation: ArpOperation, sender: (MacAddr, Ipv4Addr), target: Ipv4Addr) -> &mut Bench {
        let (sender_mac, sender_ip) = sender;
        let arp = Arp { operation, sender_mac, sender_ip, target_mac: MAC, target_ip: target };
        self.client.handle_arp(self.now, &arp);
        self
    }

    #[track_caller]
    fn expect(&mut self, wanted: &[&str]) -> &mut Bench {
        let mut seen = Vec::new();
        while let Some(output) = self.client.poll_output() {
            seen.push(self.text(output));
        }
        assert_eq!(seen, wanted);
        self
    }

    fn text(&mut self, output: Output) -> String {
        match output {
            Output::Broadcast(message) => format!("{} to all", self.message(&message)),
            Output::Unicast { from, to, message } => {
                assert_eq!(from, message.ciaddr);
                format!("{} to {to}", self.message(&message))
            }
            Output::Arp(arp) => format!("who has {} tell {}", arp.target_ip, arp.sender_ip),
            Output::Use(lease) => format!("use {}", lease.address),
            Output::Drop(address) => format!("drop {address}"),
            Output::Tell(AutoconfEvent::Leased(_)) => "leased".to_owned(),
            Output::Tell(AutoconfEvent::Renewed(_)) => "renewed".to_owned(),
            Output::Tell(AutoconfEvent::DhcpSilent { sent }) => format!("{sent} unanswered"),
            Output::Tell(AutoconfEvent::Expired(_)) => "expired".to_owned(),
            Output::Tell(AutoconfEvent::Refused { message, .. }) => {
                format!("refused: {}", message.unwrap_or_default())
            }
            Output::Tell(event) => format!("{event:?}"),
        }
    }

    fn message(&mut self, message: &Dhcp) -> String {
        assert_eq!(message.chaddr, MAC);
        assert_eq!(message.options.client_id, [1, 2, 0, 0, 0, 0, 1]);
        self.xid = message.xid;
        let mut text = format!("{:?}", message.kind).to_uppercase();
        if !message.ciaddr.is_unspecified() {
            text += &format!(" having {}", message.ciaddr);
        }
        if let Some(requested) = message.options.requested {
            text += &format!(" {requested}");
        }
        if let Some(server) = message.options.server {
            text += &format!(" of {server}");
        }
        text
    }
}

/// RFC 2131 4.4.1 and 4.4.5, from the first word to the second renewal.
#[test]
fn an_address_is_found_checked_and_kept() {
    let mut bench = Bench::leased();
    assert_eq!(bench.client.state(), "BOUND");
    let lease = bench.client.lease().unwrap().clone();
    assert_eq!(lease.cidr().to_string(), "192.0.2.77/24");
    assert_eq!(lease.routes, [(thru_wire::IpPrefix::V4_ALL, SERVER)]);
    assert_eq!(lease.resolvers, [SERVER]);
    assert_eq!(
        [lease.renew_at, lease.rebind_at, lease.expires_at].map(|at| at.nanos() / 1_000_000_000),
        [1_800, 3_150, 3_600]
    );
    bench.next().expect(&["who has 192.0.2.77 tell 192.0.2.77"]);
    bench.next().expect(&["REQUEST having 192.0.2.77 to 192.0.2.1"]);
    assert_eq!((bench.now, bench.client.state()), (lease.renew_at, "RENEWING"));
    bench.answer(DhcpKind::Ack, |_| {}).expect(&["use 192.0.2.77", "renewed"]);
    let renewed = bench.client.lease().unwrap();
    assert_eq!(renewed.expires_at.since(lease.renew_at).as_secs(), 3_600);
}

/// RFC 2131 4.4.5: the questions come at half of what is left, never within a minute; then everyone is asked; then the
/// address is gone.
#[test]
fn a_server_that_is_gone_costs_the_address_in_the_end() {
    let mut bench = Bench::leased();
    bench.next().expect(&["who has 192.0.2.77 tell 192.0.2.77"]);
    let mut asked = Vec::new();
    while bench.client.lease().is_some() {
        bench.now = bench.client.next_deadline();
        bench.client.handle_deadline(bench.now);
        while let Some(output) = bench.client.poll_output() {
            asked.push((bench.now.nanos() / 1_000_000_000, bench.text(output)));
        }
    }
    let unicast = "REQUEST having 192.0.2.77 to 192.0.2.1";
    let broadcast = "REQUEST having 192.0.2.77 to all";
    let times: Vec<_> = asked.iter().map(|(at, text)| (*at, text.as_str())).collect();
    assert_eq!(times[..3], [(1_800, unicast), (2_475, unicast), (2_812, unicast)]);
    let from_all: Vec<u64> = times.iter().filter(|(_, text)| *text == broadcast).map(|(at, _)| *at).collect();
    assert_eq!(from_all, [3_150, 3_375, 3_487, 3_547]);
    assert_eq!(
        times[times.len() - 3..],
        [(3_600, "drop 192.0.2.77"), (3_600, "expired"), (3_600, "DISCOVER to all")]
    );
}

/// RFC 2131 4.1: 4, 8, 16, 32, 64 seconds, each a second more or less.
#[test]
fn silence_is_answered_with_patience() {
    let mut bench = Bench::new();
    bench.expect(&["DISCOVER to all"]);
    for (sent, wait) in [4, 8, 16, 32, 64, 64].into_iter().enumerate() {
        let before = bench.now;
        let unanswered = format!("{} unanswered", sent + 1);
        bench.next().expect(&[&unanswered, "DISCOVER to all"]);
        let waited = bench.now.since(before).as_millis() as i64;
        assert!((waited - wait * 1_000).abs() <= 1_000, "{waited} ms instead of {wait} s");
    }
}

/// RFC 2131 3.1.5.
#[test]
fn an_address_that_somebody_has_is_declined() {
    for (sender, target) in [((OTHER, OURS), SERVER), ((OTHER, Ipv4Addr::UNSPECIFIED), OURS)] {
        let mut bench = Bench::new();
        bench.expect(&["DISCOVER to all"]);
        bench.answer(DhcpKind::Offer, |_| {}).expect(&["REQUEST 192.0.2.77 of 192.0.2.1 to all"]);
        bench.answer(DhcpKind::Ack, |_| {}).expect(&["who has 192.0.2.77 tell 0.0.0.0"]);
        // Our own probe, looped back, is no conflict; nor is somebody's question about the address.
        bench.arp(ArpOperation::Request, (MAC, Ipv4Addr::UNSPECIFIED), OURS).expect(&[]);
        bench.arp(ArpOperation::Request, (OTHER, SERVER), OURS).expect(&[]);
        bench.arp(ArpOperation::Reply, sender, target).expect(&[
            "DECLINE 192.0.2.77 of 192.0.2.1 to all",
            "Conflict { address: 192.0.2.77, mac: Some(02:00:00:00:00:09) }",
        ]);
        let declined = bench.now;
        bench.next().expect(&["DISCOVER to all"]);
        assert!(bench.now.since(declined) >= AFTER_DECLINE);
    }
}

/// RFC 5227 2.4: defended once, given up at the second time within ten seconds.
#[test]
fn an_address_is_defended_once() {
    let mut bench = Bench::leased();
    bench.next().expect(&["who has 192.0.2.77 tell 192.0.2.77"]);
    let theirs = (OTHER, OURS);
    bench.arp(ArpOperation::Request, theirs, OURS).expect(&["who has 192.0.2.77 tell 192.0.2.77"]);
    bench.at(20).arp(ArpOperation::Request, theirs, OURS).expect(&["who has 192.0.2.77 tell 192.0.2.77"]);
    bench.at(29).arp(ArpOperation::Request, theirs, OURS).expect(&[
        "drop 192.0.2.77",
        "DECLINE 192.0.2.77 of 192.0.2.1 to all",
        "Conflict { address: 192.0.2.77, mac: Some(02:00:00:00:00:09) }",
    ]);
    assert!(bench.client.lease().is_none());
}

#[test]
fn a_refusal_begins_again_ever_more_slowly() {
    let mut bench = Bench::new();
    let mut waits = Vec::new();
    for _ in 0..4 {
        bench.expect(&["DISCOVER to all"]);
        bench.answer(DhcpKind::Offer, |_| {}).expect(&["REQUEST 192.0.2.77 of 192.0.2.1 to all"]);
        bench
            .answer(DhcpKind::Nak, |message| message.options.message = Some("no".to_owned()))
            .expect(&["refused: no"]);
        let refused = bench.now;
        waits.push(bench.next().now.since(refused).as_secs());
    }
    assert_eq!(waits, [1, 2, 4, 8]);
    // Refused when it wants more time: the address is dropped at once.
    let mut bench = Bench::leased();
    bench.at(1_800).expect(&["who has 192.0.2.77 tell 192.0.2.77", "REQUEST having 192.0.2.77 to 192.0.2.1"]);
    bench.answer(DhcpKind::Nak, |_| {}).expect(&["drop 192.0.2.77", "refused: "]);
}

#[test]
fn a_request_that_nobody_confirms_is_sent_four_times() {
    let mut bench = Bench::new();
    bench.expect(&["DISCOVER to all"]).answer(DhcpKind::Offer, |_| {});
    for _ in 0..4 {
        bench.expect(&["REQUEST 192.0.2.77 of 192.0.2.1 to all"]).next();
    }
    bench.expect(&["DISCOVER to all"]);
}

#[test]
fn an_address_is_given_back() {
    let mut bench = Bench::leased();
    bench.client.release();
    bench.expect(&["RELEASE having 192.0.2.77 of 192.0.2.1 to 192.0.2.1"]);
    assert!(bench.client.next_deadline().is_never());
}

/// Each of these is passed over; then the sound one is taken.
#[test]
fn what_is_not_for_us_or_makes_no_sense_changes_nothing() {
    let wrong: [fn(&mut Dhcp); 9] = [
        |message| message.xid ^= 1,
        |message| message.chaddr = OTHER,
        |message| message.kind = DhcpKind::Ack,
        |message| message.options.server = None,
        |message| message.options.lease = None,
        |message| message.yiaddr = Ipv4Addr::UNSPECIFIED,
        |message| message.yiaddr = Ipv4Addr::new(127, 0, 0, 1),
        |message| message.yiaddr = Ipv4Addr::new(224, 0, 0, 1),
        |message| message.yiaddr = Ipv4Addr::new(192, 0, 2, 255),
    ];
    let mut bench = Bench::new();
    bench.expect(&["DISCOVER to all"]);
    for change in wrong {
        bench.answer(DhcpKind::Offer, change).expect(&[]);
    }
    bench.answer(DhcpKind::Offer, |_| {}).expect(&["REQUEST 192.0.2.77 of 192.0.2.1 to all"]);
    let wrong: [fn(&mut Dhcp); 4] = [
        |message| message.xid ^= 1,
        |message| message.options.server = Some(Ipv4Addr::new(192, 0, 2, 2)),
        |message| message.yiaddr = Ipv4Addr::new(192, 0, 2, 78),
        |message| message.kind = DhcpKind::Offer,
    ];
    for change in wrong {
        bench.answer(DhcpKind::Ack, change).expect(&[]);
    }
    assert_eq!(bench.client.state(), "REQUESTING");
}

#[test]
fn times_and_routes_that_make_no_sense_are_replaced() {
    let mut bench = Bench::new();
    bench.expect(&["DISCOVER to all"]).answer(DhcpKind::Offer, |_| {});
    bench.expect(&["REQUEST 192.0.2.77 of 192.0.2.1 to all"]).answer(DhcpKind::Ack, |message| {
        message.options.lease = Some(0);
        message.options.renew = Some(9_000);
        message.options.rebind = Some(1);
        message.options.prefix_len = None;
        message.options.mtu = Some(100);
        message.options.routers = vec![OURS, Ipv4Addr::BROADCAST, Ipv4Addr::new(192, 0, 2, 2)];
    });
    while bench.client.lease().is_none() {
        bench.next();
    }
    let lease = bench.client.lease().unwrap();
    assert_eq!(lease.prefix_len, 24, "192/8 was divided so");
    assert_eq!(lease.mtu, None);
    assert_eq!(lease.routes, [(thru_wire::IpPrefix::V4_ALL, Ipv4Addr::new(192, 0, 2, 2))]);
    assert_eq!(lease.expires_at.since(Instant::START).as_secs(), 10);
    assert!(lease.renew_at < lease.rebind_at && lease.rebind_at < lease.expires_at);
}

proptest! {
    /// Whatever is sent to it: it neither panics nor forgets what to do, nor piles up work.
    #[test]
    fn any_messages_are_survived(
        script in prop::collection::vec((0_u8..6, any::<u32>(), any::<u32>(), any::<bool>()), 1..60),
    ) {
        let mut bench = Bench::new();
        for (what, a, b, ours) in script {
            match what {
                0 => { bench.next(); }
                1..=3 => {
                    let kind = [DhcpKind::Offer, DhcpKind::Ack, DhcpKind::Nak][usize::from(what) - 1];
                    bench.answer(kind, |message| {
                        message.options.lease = Some(a);
                        message.options.renew = Some(b);
                        message.options.rebind = Some(a ^ b);
                        message.options.prefix_len = Some((b % 40) as u8);
                        if !ours {
                            message.yiaddr = Ipv4Addr::from_bits(b);
                        }
                    });
                }
                4 => {
                    let target = if ours { OURS } else { Ipv4Addr::from_bits(a) };
                    bench.arp(ArpOperation::Reply, (OTHER, target), OURS);
                }
                _ => bench.client.handle_message(bench.now, &a.to_be_bytes()),
            }
            while let Some(output) = bench.client.poll_output() {
                bench.text(output);
            }
            prop_assert!(bench.client.next_deadline() > bench.now);
            if let Some(lease) = bench.client.lease() {
                prop_assert!(lease.expires_at > bench.now);
            }
            if bench.client.next_deadline().is_never() {
                break;
            }
        }
    }
}

/// Found by the property test: renewals that nobody answered for long, then an answer to the first of them.
#[test]
fn a_late_answer_with_a_short_lease_leaves_nothing_overdue() {
    let with = |lease| move |message: &mut Dhcp| message.options.lease = Some(lease);
    // From the checks of the address over renewing to rebinding.
    for (lease, steps) in
        [0, 3_600, 1_000_000_000].into_iter().flat_map(|lease| (4..14).map(move |n| (lease, n)))
    {
        let mut bench = Bench::new();
        let drain = |bench: &mut Bench| {
            while let Some(output) = bench.client.poll_output() {
                bench.text(output);
            }
        };
        drain(bench.next());
        drain(bench.answer(DhcpKind::Offer, with(0)));
        drain(bench.answer(DhcpKind::Ack, with(2_423_229_643)));
        for _ in 0..steps {
            drain(bench.next());
        }
        bench.answer(DhcpKind::Ack, with(lease));
        let state = bench.client.state();
        assert!(bench.client.next_deadline() > bench.now, "lease {lease}, {steps} steps: {state}");
    }
}
