use super::*;
use crate::{Arena, Dissector, Meta, Options};

/// A SYN from 192.0.2.1:40000 to 192.0.2.2:443.
const SYN: [u8; 40] = [
    0x45, 0, 0, 40, 0, 1, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2, 0x9C, 0x40, 1, 0xBB, 0, 0, 0, 9,
    0, 0, 0, 0, 0x50, 2, 0xFF, 0xFF, 0, 0, 0, 0,
];

fn passes(filter: &str) -> bool {
    let mut arena = Arena::new();
    let meta = Meta {
        number: 7,
        time: Some(5),
        interface: 0,
        interface_name: None,
        link: 101,
        original: 40,
        comments: &[],
    };
    let tree = Dissector::new(Options::default()).dissect(&meta, &SYN, &mut arena);
    Filter::display(filter).unwrap_or_else(|error| panic!("{filter}: {error}")).matches(tree)
}

#[test]
fn display_filters_that_pass() {
    for filter in [
        "",
        "tcp",
        "ip && !udp",
        "tcp.port == 443",
        "tcp.port == 40000 and ip.src == 192.0.2.0/24",
        "ip.addr == 192.0.2.2",
        "!(ip.addr == 10.0.0.0/8)",
        "ip.addr != 10.0.0.1",
        "ip.addr ~= 192.0.2.1",
        "tcp.flags.syn == 1 && tcp.flags.ack == false",
        "tcp.flags == 0x002",
        "tcp.flags & 0x02",
        "tcp.dstport in {80, 443}",
        "tcp.srcport in {30000..50000}",
        "ip.ttl >= 64 && ip.ttl < 65",
        "ip.proto == TCP",
        "frame.number == 7",
        "frame.protocols contains \"tcp\"",
        "frame.protocols matches \"^RAW:.*tcp$\"",
        "ip[0] == 45",
        "ip[12:4] == c0:00:02:01",
        "ip[-8:4] == c0.00.02.01",
        "tcp[2-3] == 01bb",
        "count(ip.addr) == 2",
        "len(frame.protocols) == 10",
        "lower(frame.protocols) == \"raw:ip:tcp\"",
        "ip.src == 192.0.2.1 xor udp",
        "tcp.srcport > tcp.dstport",
        "tcp.window_size_scalefactor == -1 || tcp.syn_is_no_field_but_this_is_short or tcp",
    ] {
        if filter.contains("no_field") {
            assert!(Filter::display(filter).is_err());
            continue;
        }
        assert!(passes(filter), "{filter}");
    }
}

#[test]
fn display_filters_that_do_not_pass() {
    for filter in [
        "udp",
        "tcp.port == 80",
        "tcp.port != 443",
        "tcp.port === 443",
        "ip.src == 192.0.2.2",
        "not tcp",
        "tcp.dstport in {80, 8080..8090}",
        "udp.port != 53",
        "tcp.analysis.retransmission",
        "frame.protocols matches \"udp\"",
        "ip[0:2] == 46:00",
        "ip[100:2] == 00:00",
    ] {
        assert!(!passes(filter), "{filter}");
    }
}

#[track_caller]
fn check_error(filter: Result<Filter, FilterError>, column: usize, part: &str) {
    let error = filter.expect_err("it makes no sense");
    assert!(error.column == column && error.message.contains(part), "{error:?}");
}

#[test]
fn errors_point_at_the_column() {
    check_error(Filter::display("tcp.prt == 4"), 0, "did you mean `tcp.port`");
    check_error(Filter::display("tcp.port == x"), 12, "`x` is not a number");
    check_error(Filter::display("tcp.port == 70000"), 12, "does not fit");
    check_error(Filter::display("ip.src == 1.2.3"), 10, "is not an IPv4 address");
    check_error(Filter::display("(tcp"), 4, "`)` is missing");
    check_error(Filter::display("tcp udp"), 4, "not expected");
    check_error(Filter::display("frame.protocols matches \"(\""), 24, "regular expression");
    check_error(Filter::display("ip.src == \"abc"), 10, "does not end");
    check_error(Filter::pcap("tcp port"), 8, "missing");
    check_error(Filter::pcap("tcp[0:3] = 1"), 6, "1, 2 or 4");
    check_error(Filter::pcap("net 10.0.0.1/8"), 4, "beyond its mask");
    check_error(Filter::display("frame.protocols & 1"), 0, "words cannot be reckoned with");
    check_error(Filter::display("tcp.len + ip.src == 5"), 10, "IPv4 addresses cannot");
    check_error(Filter::display("tcp.len & ip.src"), 10, "do not go together");
    check_error(Filter::display("max(ip.src, tcp.port) == 1"), 12, "do not go together");
    let on_raw_ip = |filter: Filter| filter.compile(101).map(|_| never());
    check_error(Filter::pcap("ip and ether host 02:00:00:00:00:01").and_then(on_raw_ip), 7, "Ethernet");
    check_error(Filter::pcap("ip or (tcp and vlan)").and_then(on_raw_ip), 15, "Ethernet");
    check_error(Filter::display("tcp && http").and_then(on_raw_ip), 7, "dissection");
    check_error(Filter::display("tcp && dns.id in {5}").and_then(on_raw_ip), 7, "dissection");
}

#[test]
fn times_are_compared_to_the_nanosecond() {
    let mut arena = Arena::new();
    let at = 1_700_000_003_003_000_001;
    let meta = Meta {
        number: 7,
        time: Some(at),
        interface: 0,
        interface_name: None,
        link: 101,
        original: 40,
        comments: &[],
    };
    let tree = Dissector::new(Options::default()).dissect(&meta, &SYN, &mut arena);
    let passes = |filter: &str| Filter::display(filter).expect("it makes sense").matches(tree);
    assert!(passes("frame.time_epoch == 1700000003.003000001"));
    assert!(passes("frame.time == 1700000003.003000001"));
    assert!(passes("frame.time == \"2023-11-14 22:13:23.003000001\""));
    assert!(passes("frame.time_epoch + 0.000000001 == 1700000003.003000002"));
    assert!(passes("frame.time_epoch > 1.700000003e9"));
    assert!(!passes("frame.time_epoch == 1700000003.003000000"));
    assert!(!passes("frame.time_epoch in {1700000003.003000002 .. 1700000003.1}"));
}

#[test]
fn filters_may_be_long_but_not_deep() {
    let chain = |part: &str, sign: &str, count: usize| vec![part; count].join(sign);
    assert!(!passes(&chain("ip", "^^", 16_000)), "an even number");
    assert!(passes(&chain("ip", "^^", 15_999)));
    assert!(passes(&chain("ip", "&&", 16_000)));
    assert!(passes(&chain("udp", "||", 13_000).replacen("udp", "tcp", 1)));
    check_error(Filter::display(&format!("tcp.len == {}", chain("1", "+", 20_000))), 2014, "too many terms");
    let long = Filter::pcap(&chain("tcp[13] = 2", " or ", 150)).expect("many terms are no brackets");
    assert!(long.compile(101).expect("it fits").run(&SYN, 40) != 0);
    let turns = Filter::pcap(&chain("ip or ip", " and ", 2000)).expect_err("it is too deep");
    assert!(turns.message.contains("take turns") && turns.column > 5000, "{turns:?}");
    let nested = format!("{}ip{}", "ip ^^ (".repeat(60), ")".repeat(60));
    check_error(
        Filter::display(&nested).expect("it makes sense").compile(101).map(|_| never()),
        0,
        "too large",
    );
}

/// A filter in the place of a program.
fn never() -> Filter {
    unreachable!("it is refused")
}

#[test]
fn display_filters_of_headers_become_the_program_of_the_same_pcap_filter() {
    for (display, pcap) in [
        ("tcp", "tcp"),
        ("tcp.port == 443", "tcp port 443"),
        ("udp.srcport == 53 && ip", "udp src port 53 and ip"),
        ("ip.addr == 10.0.0.0/8", "ip net 10"),
        ("ip.src == 192.0.2.1 || arp", "ip src host 192.0.2.1 or arp"),
        ("ipv6.dst == 2001:db8::1", "ip6 dst host 2001:db8::1"),
        ("eth.dst == ff:ff:ff:ff:ff:ff", "ether dst ff:ff:ff:ff:ff:ff"),
    ] {
        let (display, pcap) = (Filter::display(display).unwrap(), Filter::pcap(pcap).unwrap());
        assert_eq!(display.compile(1).unwrap(), pcap.compile(1).unwrap());
    }
    let error = Filter::display("tcp && dns.id == 5").unwrap().compile(1).unwrap_err();
    assert!(error.column == 7 && error.message.contains("dissection"), "{error:?}");
}

#[test]
fn the_tree_and_the_program_agree_on_what_both_can_test() {
    for filter in [
        "tcp",
        "udp",
        "tcp.port == 443",
        "tcp.port == 80",
        "ip.src == 192.0.2.1",
        "!(ip.dst == 192.0.2.0/24)",
    ] {
        let program = Filter::display(filter).unwrap().compile(101).unwrap();
        assert_eq!(program.run(&SYN, 40) != 0, passes(filter), "{filter}");
    }
}

#[test]
fn programs_that_the_kernel_would_refuse_are_refused() {
    use bpf::{Insn, Program, code};
    let insn = |code, jt, jf, k| Insn { code, jt, jf, k };
    assert!(Program::new(vec![]).is_none());
    assert!(Program::new(vec![insn(code::LD, 0, 0, 1)]).is_none(), "no end");
    assert!(
        Program::new(vec![insn(code::JMP, 0, 0, 5), insn(code::RET, 0, 0, 1)]).is_none(),
        "beyond the end"
    );
    assert!(Program::new(vec![insn(code::JMP | code::JEQ, 0, 9, 0), insn(code::RET, 0, 0, 1)]).is_none());
    assert!(
        Program::new(vec![insn(code::ST, 0, 0, 16), insn(code::RET, 0, 0, 1)]).is_none(),
        "no such memory"
    );
    assert!(Program::new(vec![insn(code::ALU | code::DIV, 0, 0, 0), insn(code::RET, 0, 0, 1)]).is_none());
    let program =
        Program::new(vec![insn(code::LD | code::W | code::ABS, 0, 0, 4), insn(code::RET, 0, 0, 1)]).unwrap();
    assert_eq!((program.run(&[0; 8], 8), program.run(&[0; 7], 7)), (1, 0), "reading beyond the packet");
}
