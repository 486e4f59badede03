//! Our pcap filters against libpcap's compiler: which expressions make sense, and which packets pass.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::path::{Path, PathBuf};
use std::process::Command;
use thru_dissect::file::{Item, Reader};
use thru_dissect::filter::Filter;

/// Expressions that make sense, and some that do not.
const CORPUS: &[&str] = &[
    "ip",
    "ip6",
    "arp",
    "rarp",
    "tcp",
    "udp",
    "icmp",
    "icmp6",
    "igmp",
    "sctp",
    "not ip",
    "tcp or udp",
    "icmp or icmp6",
    "host 192.168.1.23",
    "src host 192.168.1.23",
    "dst 192.168.1.23",
    "src or dst host 192.0.2.53",
    "net 192.168.1.0/24",
    "net 192.168",
    "src net 10",
    "net 192.168.1.0 mask 255.255.255.0",
    "ip host 203.0.113.10",
    "arp host 192.168.1.1",
    "host 2001:db8:a:1::23",
    "net 2001:db8::/32",
    "dst net 2001:db8:b::/48",
    "port 53",
    "udp port 53",
    "tcp port 443",
    "src port 443",
    "dst port 443",
    "src and dst port 443",
    "portrange 1-1024",
    "udp dst portrange 40000-65535",
    "port domain",
    "tcp port https",
    "port 53 or 443",
    "port 80 or port 443 and udp",
    "not port 53 and not arp",
    "ether host 02:6c:00:04:00:00",
    "ether src 02:6c:00:04:00:00",
    "ether proto 0x86dd",
    "ether proto \\arp",
    "ether broadcast",
    "broadcast",
    "multicast",
    "ether multicast",
    "ip multicast",
    "ip6 multicast",
    "less 80",
    "greater 1000",
    "len > 100",
    "len = 60",
    "tcp[tcpflags] & tcp-syn != 0",
    "tcp[13] = 18",
    "tcp[tcpflags] = tcp-ack",
    "ip[8] < 64",
    "ip[0] & 0xf != 5",
    "ip[2:2] > 576",
    "udp[4:2] > 60",
    "ether[0] & 1 = 1",
    "ip6[6] = 6",
    "icmp[0] = 8",
    "icmp[icmptype] = icmp-unreach",
    "icmp6[0] = 135",
    "ip proto 6",
    "ip proto \\tcp",
    "ip6 proto 17",
    "proto 1",
    "tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x16030100",
    "(tcp or udp) and port 443",
    "not (tcp and port 443)",
    "ip and not tcp and not udp",
    "vlan",
    "vlan 5",
    "not vlan and ip",
    "ip[6:2] & 0x1fff = 0",
    "1 = 1",
    "2 + 3 * 4 = 14",
    "len - 14 > 100",
    "arp[7] = 1",
    "arp[6:2] = 2",
    "tcp[20:4] = 0x16030100",
    "ip[-1] = 0",
    "host 1.2.3.4 or 5.6.7.8",
    "tcp src port 443 and host 203.0.113.10",
    "icmp[0] = 11 or icmp6[0] = 3",
    // Nonsense.
    "tcp[",
    "port",
    "port 70000",
    "host",
    "tcp port 443 and",
    "and tcp",
    "(tcp",
    "tcp)",
    "ip[0:3] = 1",
    "net 10.0.0.1/8",
    "foo",
    "ether host 1.2.3.4",
    "vlan 5000",
    "tcp[0] =",
    "less",
    "port 1-",
    "1.2.3.4.5",
    "host 10.0.0.0/8",
    "= 5",
    "not",
    "ip broadcast",
    "len / 0 = 1",
    "host 1.2.3",
    "ip ip",
    "src tcp",
];

struct Capture {
    path: PathBuf,
    packets: Vec<(u16, Vec<u8>, u32)>,
}

fn captures() -> Vec<Capture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let read = |name: &str| {
        let path = folder.join(name);
        let file = std::fs::read(&path).expect("the capture is there");
        let mut reader = Reader::new(&file[..]).expect("a capture");
        let mut packets = Vec::new();
        while let Some(item) = reader.next().expect("a whole capture") {
            if let Item::Packet(packet) = item {
                packets.push((packet.link, packet.bytes.to_vec(), packet.original));
            }
        }
        Capture { path, packets }
    };
    ["tls.pcapng", "icmp.pcapng", "h3.pcapng"].map(read).into()
}

/// The numbers of the packets that tcpdump lets pass; `None`: the expression makes no sense to it.
fn theirs(tcpdump: &Path, capture: &Capture, expression: &str) -> Option<Vec<usize>> {
    let output = Command::new(tcpdump)
        .args(["-nn", "-t", "--number", "-q", "-r"])
        .arg(&capture.path)
        .arg(expression)
        .output()
        .expect("tcpdump runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let passed = text.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
    // A filter that nothing can pass is refused, but it makes sense.
    let nothing = String::from_utf8_lossy(&output.stderr).contains("rejects all packets");
    (output.status.success() || nothing).then_some(passed)
}

/// `--number` counts what passes, not what is read: count instead which of the packets remain.
fn ours(capture: &Capture, expression: &str) -> Option<usize> {
    let mut filter = Filter::pcap(expression).ok()?;
    let mut passed = 0;
    for (link, bytes, original) in &capture.packets {
        passed += usize::from(filter.matches_bytes(*link, bytes, *original).ok()?);
    }
    Some(passed)
}

fn compare(tcpdump: &Path, captures: &[Capture], expression: &str, complaints: &mut Vec<String>) {
    for capture in captures {
        let theirs = theirs(tcpdump, capture, expression).map(|passed| passed.len());
        let ours = ours(capture, expression);
        if theirs != ours {
            complaints.push(format!(
                "`{expression}` in {}: libpcap {theirs:?}, ours {ours:?}",
                capture.path.display()
            ));
            break;
        }
    }
}

#[test]
fn libpcap_agrees_on_a_corpus() {
    let Some(tcpdump) = thru_peers::peer("dissect: libpcap's compiler", "tcpdump", "tcpdump") else { return };
    let captures = captures();
    let mut complaints = Vec::new();
    for expression in CORPUS {
        compare(&tcpdump, &captures, expression, &mut complaints);
    }
    assert!(complaints.is_empty(), "{complaints:#?}");
}

/// An expression made at random of parts that make sense.
fn expressions() -> impl Strategy<Value = String> {
    let primitive = prop_oneof![
        prop::sample::select(vec!["ip", "ip6", "tcp", "udp", "icmp", "icmp6", "arp"]).prop_map(String::from),
        (
            prop::sample::select(vec!["", "src ", "dst ", "tcp ", "udp src "]),
            prop::sample::select(vec![53u16, 443, 80, 49844])
        )
            .prop_map(|(words, port)| format!("{words}port {port}")),
        (
            prop::sample::select(vec!["", "src ", "dst ", "ip src "]),
            prop::sample::select(vec!["192.168.1.23", "203.0.113.10"])
        )
            .prop_map(|(words, host)| format!("{words}host {host}")),
        (
            prop::sample::select(vec!["ip", "tcp", "udp", "ether", "ip6"]),
            0u8..20,
            prop::sample::select(vec![1, 2]),
            prop::sample::select(vec!["=", ">", "<", "!="]),
            0u16..300
        )
            .prop_map(|(proto, at, size, op, value)| format!("{proto}[{at}:{size}] {op} {value}")),
        (0u16..1500).prop_map(|len| format!("greater {len}")),
    ];
    primitive.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} and {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} or {b})")),
            inner.prop_map(|a| format!("not ({a})")),
        ]
    })
}

#[test]
fn libpcap_agrees_on_generated_expressions() {
    let Some(tcpdump) = thru_peers::peer("dissect: libpcap's compiler, generated", "tcpdump", "tcpdump")
    else {
        return;
    };
    let captures = captures();
    let mut runner = TestRunner::deterministic();
    let mut complaints = Vec::new();
    for _ in 0..120 {
        let expression = expressions().new_tree(&mut runner).expect("a value").current();
        compare(&tcpdump, &captures[..2], &expression, &mut complaints);
    }
    assert!(complaints.is_empty(), "{complaints:#?}");
}
