use std::time::Duration;

use super::*;
use crate::authority::Authority;
use crate::rdata::master_records;

pub(in crate::authority) fn ixfr_query(held: &SignedZone) -> Vec<u8> {
    let soa = held.set(held.origin(), RecordType::SOA).expect("a SOA");
    let packet = Packet {
        header: Header { id: 7, ..Header::default() },
        questions: vec![Question { name: held.origin().clone(), rtype: RecordType::IXFR, class: CLASS_IN }],
        authorities: soa.records(&soa.name, soa.ttl, false),
        ..Packet::default()
    };
    packet.write(512).expect("it is short")
}

fn zone(serial: u32, address: &str) -> Arc<SignedZone> {
    let text = format!(
        "shop.lab. 3600 SOA ns.shop.lab. hostmaster.shop.lab. {serial} 7200 900 86400 300\n\
         shop.lab. 3600 NS ns.shop.lab.\nns.shop.lab. 3600 A 192.0.2.53\nwww.shop.lab. 300 A {address}\n"
    );
    Arc::new(SignedZone::new(&master_records(&text, &Name::root()).expect("legal records")).expect("a zone"))
}

fn primary(number: u8) -> SocketAddr {
    SocketAddr::new([192, 0, 2, number].into(), 53)
}

fn secondary(primaries: &[SocketAddr], zone: Option<Arc<SignedZone>>) -> Secondary {
    let config = SecondaryConfig {
        zone: crate::text::parse_name("shop.lab").expect("a name"),
        primaries: primaries.to_vec(),
        hosts: Vec::new(),
        notify_from: Vec::new(),
        notify_hosts: Vec::new(),
    };
    Secondary::new(config, Instant::START, zone, 1, 0)
}

/// Lets an authority answer all that is asked; what was asked, and whether the zone changed.
fn serve(
    secondary: &mut Secondary,
    now: Instant,
    authority: &Authority,
) -> (Vec<(SocketAddr, RecordType)>, bool) {
    let (mut asked, mut changed) = (Vec::new(), false);
    while let Some(order) = secondary.poll() {
        match order {
            Order::Send { exchange, to, over_tcp, message } => {
                let rtype = Packet::read(&message).expect("sound").questions[0].rtype;
                asked.push((to, rtype));
                if over_tcp {
                    let messages = authority.transfer(&message);
                    for message in
                        messages.unwrap_or_else(|| vec![authority.answer(&message, false).expect("one")])
                    {
                        secondary.message(now, exchange, &message);
                    }
                } else {
                    secondary.message(now, exchange, &authority.answer(&message, true).expect("an answer"));
                }
            }
            Order::Changed => changed = true,
            Order::Close(_) | Order::LookUp(_) => {}
        }
    }
    (asked, changed)
}

fn at(seconds: u64) -> Instant {
    Instant::START + Duration::from_secs(seconds)
}

fn serial(secondary: &Secondary) -> Option<u32> {
    secondary.handle().zone().map(|zone| zone.serial())
}

#[test]
fn first_whole_then_in_steps_then_nothing_new() {
    let mut authority = Authority::new([zone(1, "192.0.2.80")]);
    let mut copy = secondary(&[primary(1)], None);
    assert_eq!(copy.next_deadline(), Instant::START);
    copy.timeout(Instant::START);
    let (asked, changed) = serve(&mut copy, Instant::START, &authority);
    assert_eq!(asked, [(primary(1), RecordType::SOA), (primary(1), RecordType::AXFR)]);
    assert!(changed && serial(&copy) == Some(1));
    assert_eq!(copy.next_deadline(), at(7200), "the zone's refresh");

    authority.replace(zone(2, "192.0.2.81"));
    copy.timeout(at(7200));
    let (asked, changed) = serve(&mut copy, at(7200), &authority);
    assert_eq!(asked, [(primary(1), RecordType::SOA), (primary(1), RecordType::IXFR)]);
    assert!(changed && serial(&copy) == Some(2));
    assert_eq!(copy.journal().len(), 1, "for secondaries of ours");

    copy.timeout(at(14_400));
    let (asked, changed) = serve(&mut copy, at(14_400), &authority);
    assert_eq!(asked, [(primary(1), RecordType::SOA)]);
    assert!(!changed);
}

#[test]
fn a_notice_hastens_the_refresh_and_strangers_are_not_heard() {
    let mut authority = Authority::new([zone(1, "192.0.2.80")]);
    let mut copy = secondary(&[primary(1)], Some(zone(1, "192.0.2.80")));
    assert!(copy.may_notify(primary(1).ip()) && !copy.may_notify(primary(9).ip()));
    copy.notified(at(10), Some(1));
    assert!(copy.poll().is_none(), "it says nothing new");
    authority.replace(zone(5, "192.0.2.85"));
    copy.notified(at(20), Some(5));
    assert!(serve(&mut copy, at(20), &authority).1);
    assert_eq!(serial(&copy), Some(5));
}

#[test]
fn who_is_silent_is_passed_over_and_what_is_too_old_is_given_to_nobody() {
    let authority = Authority::new([zone(3, "192.0.2.80")]);
    let mut copy = secondary(&[primary(1), primary(2)], Some(zone(1, "192.0.2.80")));
    copy.timeout(at(7200));
    let Some(Order::Send { to, .. }) = copy.poll() else { panic!("the first primary is asked") };
    assert_eq!(to, primary(1));
    copy.timeout(copy.next_deadline());
    assert!(copy.trouble().is_some_and(|why| why.contains("did not answer in time")));
    let (asked, changed) = serve(&mut copy, at(7210), &authority);
    assert_eq!(asked[0], (primary(2), RecordType::SOA));
    assert!(changed && copy.trouble().is_none());

    // From then on nobody answers.
    let mut expired = false;
    for _ in 0..1000 {
        let now = copy.next_deadline();
        copy.timeout(now);
        while let Some(order) = copy.poll() {
            expired |= matches!(order, Order::Changed);
        }
        if expired {
            assert!(now >= at(7210 + 86_400) && now < at(7211 + 86_400), "the zone's expire");
            break;
        }
    }
    assert!(expired && serial(&copy).is_none());
}

#[test]
fn a_primary_that_cannot_send_steps_sends_the_whole() {
    let new = Authority::new([zone(2, "192.0.2.81")]);
    let mut copy = secondary(&[primary(1)], Some(zone(1, "192.0.2.80")));
    copy.timeout(at(7200));
    let mut asked = Vec::new();
    while let Some(order) = copy.poll() {
        let Order::Send { exchange, message, over_tcp, .. } = order else { continue };
        let mut packet = Packet::read(&message).expect("sound");
        asked.push(packet.questions[0].rtype);
        if packet.questions[0].rtype == RecordType::IXFR {
            packet.header.response = true;
            packet.header.rcode = 4;
            copy.message(at(7200), exchange, &packet.write(512).expect("short"));
        } else if over_tcp {
            for message in new.transfer(&message).expect("a transfer") {
                copy.message(at(7200), exchange, &message);
            }
        } else {
            copy.message(at(7200), exchange, &new.answer(&message, true).expect("an answer"));
        }
    }
    assert_eq!(asked, [RecordType::SOA, RecordType::IXFR, RecordType::AXFR]);
    assert_eq!(serial(&copy), Some(2));
}

#[test]
fn a_transfer_cut_anywhere_changes_nothing() {
    let (old, new) = (zone(1, "192.0.2.80"), zone(2, "192.0.2.81"));
    let mut authority = Authority::new([old.clone()]);
    authority.replace(new.clone());
    let messages = authority.transfer(&ixfr_query(&old)).expect("a transfer");
    for cut in 0..messages[0].len() {
        let mut incoming = Incoming::new(old.origin().clone(), 7, Some(old.clone()));
        assert!(incoming.message(&messages[0][..cut]).is_err(), "cut at {cut}");
    }
    let mut packet = Packet::read(&messages[0]).expect("sound");
    packet.answers.pop();
    let short = packet.write(usize::from(u16::MAX)).expect("it fits");
    let mut incoming = Incoming::new(old.origin().clone(), 7, Some(old));
    assert!(matches!(incoming.message(&short), Ok(Progress::More)), "the last SOA is missing");
}

#[test]
fn notices_are_repeated_until_somebody_hears_them() {
    let mut notifier = super::super::notify::Notifier::default();
    let (a, b) = (primary(1), primary(2));
    let mut ids = 0..;
    notifier.changed(at(0), &zone(2, "192.0.2.81"), &[a, b], || ids.next().expect("endless"));
    let first: Vec<_> = std::iter::from_fn(|| notifier.poll(at(0))).collect();
    assert_eq!(first.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [a, b]);
    let mut reply = Packet::read(&first[0].1).expect("sound");
    assert_eq!((reply.header.opcode, reply.answers.len()), (4, 1));
    reply.header.response = true;
    let reply = reply.write(512).expect("short");
    assert!(!notifier.answered(b, &reply), "the id is another");
    assert!(notifier.answered(a, &reply));
    let mut told = 1;
    while !notifier.next_deadline().is_never() && told < 100 {
        let now = notifier.next_deadline();
        while let Some((to, _)) = notifier.poll(now) {
            assert_eq!(to, b);
            told += 1;
        }
    }
    assert_eq!((told, notifier.waiting()), (5, 0), "then it is left");
}
