//! Expressions: what they make, what they say when they are wrong, and the way back.

use proptest::prelude::*;
use thru_wire::packet::{dissect, dissect_ip};

use crate::describe::{First, describe};
use crate::mutate::{Seeded, mutate};
use crate::plan::Plan;

#[track_caller]
fn bytes(text: &str) -> Vec<u8> {
    let plan = Plan::parse(text).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    assert_eq!(plan.count(), 1);
    plan.nth(0).unwrap().bytes().unwrap()
}

#[track_caller]
fn check_hex(text: &str, expected: &str) {
    let shown: String = bytes(text).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(shown, expected.replace(' ', ""));
}

#[track_caller]
fn check_error(text: &str, column: usize, length: usize, expected: &str) {
    let error = Plan::parse(text).expect_err("it is wrong");
    assert_eq!((error.column, error.length, error.message.as_str()), (column, length, expected));
}

#[test]
fn what_is_left_out_is_computed() {
    check_hex(
        "ip(src=192.0.2.2,dst=192.0.2.1)/tcp(dport=80,flags=S)",
        "4500 0028 0000 0000 4006 f6cc c000 0202 c000 0201 c000 0050 0000 0000 0000 0000 5002 faf0 709d 0000",
    );
    for text in [
        "eth()/ip(dst=192.0.2.1,src=192.0.2.9)/udp(dport=53)/dns(id=1,qry.name=www.shop.lab)",
        "eth()/ipv6(dst=2001:db8::1,src=2001:db8::2)/icmpv6()/\"payload\"",
        "eth()/ipv6(dst=2001:db8::1)/hopopts(options=(ra=0))/dstopts()/tcp(options=(mss=1460,sackok,ts=1:0,nop,ws=7))/\"x\"",
        "eth()/ip(dst=192.0.2.1)/icmp(type=time-exceeded)/ip(dst=192.0.2.7,ttl=1)/udp()/0x00010203",
        "eth()/arp(op=reply,spa=192.0.2.1,tpa=192.0.2.2)",
        "eth()/vlan(id=7)/ip(dst=192.0.2.1)/tcp()/padding(len=6)",
    ] {
        // Another reader of packets finds no fault in them.
        let (_, error) = dissect(&bytes(text));
        assert_eq!(error, None, "{text}");
    }
}

#[test]
fn what_is_written_stays() {
    let wrong = bytes(
        "ip(dst=192.0.2.1,len=1000,checksum=0xdead,hdr_len=24,proto=99)/udp(length=3,checksum=1)/\"abc\"",
    );
    assert_eq!(
        (wrong[0], &wrong[2..4], wrong[9], &wrong[10..12]),
        (0x46, &[3, 0xe8][..], 99, &[0xde, 0xad][..])
    );
    assert_eq!((&wrong[24..26], &wrong[26..28], wrong.len()), (&[0, 3][..], &[0, 1][..], 31));
    // Padding is in no length and no checksum.
    let (with, without) =
        (bytes("ip(dst=192.0.2.1)/tcp()/padding(0xffff)"), bytes("ip(dst=192.0.2.1)/tcp()"));
    assert_eq!(with[..with.len() - 2], without);
    // A wide field and its bits: the later one has the last word.
    assert_eq!(bytes("tcp(flags=SA,flags.syn=0)")[13], 0x10);
    assert_eq!(bytes("ip(df)")[6], 0x40);
    assert_eq!(bytes("ip(tcp.x=1)".replace("tcp.x=1", "ip.ttl=9").as_str())[8], 9);
}

#[test]
fn lists_ranges_and_prefixes_are_sets() {
    let plan = Plan::parse("ip(dst=192.0.2.0/30,ttl=[1,2-3])/tcp(dport=1-1024,options=[(mss=[1,2]),(nop)])")
        .unwrap();
    assert_eq!(plan.count(), 4 * 3 * 1024 * 3);
    assert!(plan.nth(plan.count()).is_none());
    let made: Vec<Vec<u8>> = plan.packets().step_by(3 * 1024).map(|packet| packet.bytes().unwrap()).collect();
    let seen: Vec<(u8, u8)> = made.iter().map(|bytes| (bytes[19], bytes[8])).collect();
    assert_eq!(&seen[..5], &[(0, 1), (0, 2), (0, 3), (1, 1), (1, 2)]);
    let names = Plan::parse("dns(qry.name=[a.lab,b.lab],qry.type=[A,AAAA,300])").unwrap();
    assert_eq!(names.count(), 6);
    // A set of everything is counted, not made.
    assert_eq!(Plan::parse("ipv6(dst=::/0,src=::/0)").unwrap().count(), u128::MAX);
}

#[test]
fn errors_point_at_the_place() {
    check_error("ip(dst=192.0.2.1)/tpc()", 18, 3, "there is no layer `tpc`");
    check_error("ip(dst=192.0.2)", 7, 7, "`192.0.2` is not an IPv4 address");
    check_error("tcp(dport=70000)", 10, 5, "70000 does not fit: `dstport` is at most 65535");
    check_error("tcp(dport=9-1)", 10, 3, "the range begins behind its end");
    check_error("tcp(hdr_len=21)", 12, 2, "`hdr_len` counts bytes, in steps of 4");
    check_error("tcp(flags=SX)", 10, 2, "`SX` is not a set of flags");
    check_error("tcp(colour=1)", 4, 6, "`tcp` has no field `colour`");
    check_error("tcp(seq)", 4, 3, "`seq` needs a value");
    check_error("tcp(seq=1,seq=2)", 10, 3, "`seq` is written twice");
    check_error("tcp(seq=1", 9, 1, "expected `,` or `)`");
    check_error("ip()//tcp()", 5, 1, "expected a layer");
    check_error("ip() tcp()", 5, 1, "expected `/` or the end");
    check_error("\"abc", 0, 1, "the text does not end");
    check_error("\"a\\q\"", 2, 2, "`\\q` means nothing");
    check_error("raw(0xabc)", 4, 5, "expected \"text\" or pairs of digits behind 0x, as in 0xff00");
    check_error("tcp(options=(mss=70000))", 17, 5, "expected a number of at most 16 bits");
    check_error("tcp(options=(sackok=1))", 20, 1, "this option has no value");
    check_error("ip(ttl=[])", 7, 2, "an empty list stands for no packet at all");
    check_error("dns(qry.name=a..b)", 13, 4, "a label is empty");
    check_error("", 0, 1, "expected a layer");
    let nested = format!("ip(ttl={}", "[".repeat(50));
    assert_eq!(Plan::parse(&nested).unwrap_err().message, "the brackets are nested too deeply");
    let large = Plan::parse("ip()/data(len=65535)/data(len=65535)").unwrap().nth(0).unwrap();
    assert_eq!(large.bytes().unwrap_err().message, "the packet is too large");
}

#[test]
fn the_way_back_is_as_short_as_it_can_be() {
    for text in [
        "eth(dst=02:00:00:00:00:01)/ip(src=192.0.2.2,dst=192.0.2.1)/tcp(dstport=443,flags=SA)",
        "ip(dst=192.0.2.1,len=1000)/udp()/0x0001",
        "ip(dst=192.0.2.1)/udp()/dns(id=0x7,qry.name=www.shop.lab.,qry.type=AAAA,qry.class=IN)",
        "ipv6(dst=2001:db8::1)/frag(more=1,ident=0x9)/udp()/0x00",
        "ip(dst=192.0.2.1)/icmp(type=11,ident=0)/ip(ttl=1,dst=192.0.2.7)/udp()",
        "eth()/ip(dst=192.0.2.1)/tcp(options=(mss=1460,sackok,ts=1:0,nop,wscale=7))/padding(data=0x0000)",
        "eth()/arp(src.proto_ipv4=192.0.2.1)",
        "ip(dst=192.0.2.1,options=(ra=0))/igmp(maddr=224.0.0.1)",
        "ip(dst=192.0.2.1)/udp()/vxlan(vni=7)/eth()/ipv6(dst=::1)/icmpv6()",
    ] {
        let made = bytes(text);
        let first = if text.starts_with("eth") { First::Ethernet } else { First::Ip };
        let words = describe(first, &made);
        assert_eq!(bytes(&words), made, "{text} became {words}");
        assert!(words.len() <= text.len() + 4, "{text} became {words}");
    }
}

#[test]
fn every_set_of_flags_comes_back() {
    for flags in 0..512_u16 {
        let mut made = bytes("ip(dst=192.0.2.1)/tcp(ack=1,urgent_pointer=1)");
        made[32] = 0x50 | (flags >> 8) as u8;
        made[33] = flags as u8;
        let words = describe(First::Ip, &made);
        assert_eq!(bytes(&words), made, "{words}");
    }
    // The letters of two flags, and the name of one.
    assert_eq!(bytes("tcp(flags=AE)")[12..14], [0x50, 0x50]);
    assert_eq!(bytes("tcp(flags=ae)")[12..14], [0x51, 0x00]);
    assert_eq!(bytes("tcp(flags=ACK)")[12..14], [0x50, 0x10]);
}

#[test]
fn every_truncation_is_described() {
    let whole = bytes(
        "eth()/ipv6(dst=2001:db8::1)/hopopts(options=(ra=0))/tcp(options=(mss=1460,nop))/\"payload\"/padding(0x0000)",
    );
    for cut in 0..=whole.len() {
        for first in [First::Ethernet, First::Ip] {
            let words = describe(first, &whole[..cut]);
            assert_eq!(bytes(&words), whole[..cut], "{words}");
        }
    }
}

#[test]
fn every_truncation_of_an_expression_is_an_expression_or_an_error_within_it() {
    let text =
        "eth()/ip(dst=192.0.2.0/30,ttl=[1,2])/tcp(dport=1-3,options=(mss=1460,ts=1:2))/\"a\\x41\"/0xff";
    for cut in 0..=text.len() {
        if let Err(error) = Plan::parse(&text[..cut]) {
            assert!(error.column <= cut && error.length >= 1, "{cut}: {error:?}");
        }
    }
}

#[test]
fn a_seed_repeats_its_mutations_and_most_still_reach_their_destination() {
    let packet =
        Plan::parse("ip(dst=192.0.2.1)/tcp(dport=80,options=(mss=1460))/\"hello\"").unwrap().nth(0).unwrap();
    let run = |seed| {
        let mut random = Seeded::new(seed);
        (0..500).map(|_| mutate(&packet, &mut random).bytes().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
    let made = run(7);
    assert!(made.iter().all(|bytes| bytes[16..20] == [192, 0, 2, 1]));
    let unharmed = made.iter().filter(|bytes| dissect_ip(bytes).1.is_none()).count();
    assert!((100..450).contains(&unharmed), "{unharmed} of 500 are legal");
    let different: std::collections::BTreeSet<_> = made.iter().collect();
    assert!(different.len() > 250, "only {} differ", different.len());
}

proptest! {
    #[test]
    fn any_text_is_understood_or_refused(text in "[a-z0-9.:/(),=\\[\\]\"\\\\x -]{0,80}") {
        match Plan::parse(&text) {
            Ok(plan) => { let _ = plan.nth(plan.count() - 1).expect("the last one").bytes(); }
            Err(error) => prop_assert!(error.column <= text.chars().count()),
        }
    }

    #[test]
    fn any_bytes_come_back_the_same(ip in any::<bool>(), mut packet in prop::collection::vec(any::<u8>(), 0..120), kind in 0..6_usize) {
        let first = if ip { First::Ip } else { First::Ethernet };
        // Most random bytes are nothing; let some be the beginning of something.
        let start = if ip { 0 } else { 14 };
        if packet.len() > start + 24 {
            let types: [u8; 6] = [1, 6, 17, 0, 43, 58];
            if start > 0 {
                packet[12..14].copy_from_slice(if kind < 3 { &[8, 0] } else { &[0x86, 0xdd] });
            }
            if kind < 3 {
                packet[start] = 0x45 + (packet[start] & 1);
                packet[start + 9] = types[kind];
            } else {
                packet[start] = 0x60;
                packet[start + 6] = types[kind];
            }
        }
        let words = describe(first, &packet);
        prop_assert_eq!(bytes(&words), packet, "{}", words);
    }
}

/// RFC 8200 8.1: the pseudo header has the address where the packet ends, which a routing header may hold.
#[test]
fn checksums_are_made_for_the_final_destination() {
    let sum = |text: &str| {
        let bytes = bytes(text);
        let udp = bytes.len() - 9;
        [bytes[udp + 6], bytes[udp + 7]]
    };
    let (near, far) = ("20010db8000000000000000000000001", "20010db8000000000000000000000009");
    let to = |address: &str| sum(&format!("ipv6(src=2001:db8::2,dst={address})/udp(dport=53)/\"x\""));
    let routed = |kind: u8, left: u8, data: &str| {
        let routing = format!("routing(type={kind},segleft={left},data=0x{data})");
        sum(&format!("ipv6(src=2001:db8::2,dst=2001:db8::1)/{routing}/udp(dport=53)/\"x\""))
    };
    let [here, there] = ["2001:db8::1", "2001:db8::9"].map(to);
    assert_ne!(here, there);
    assert_eq!(routed(0, 1, &format!("{near}{far}")), there);
    assert_eq!(routed(2, 1, far), there);
    // Segment routing lists the last segment first.
    assert_eq!(routed(4, 1, &format!("{far}{near}")), there);
    // It is there already, or goes a way that nobody here knows.
    assert_eq!(routed(0, 0, &format!("{near}{far}")), here);
    assert_eq!(routed(200, 1, far), here);
    assert_eq!(routed(0, 1, ""), here);
}
