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
    "1.2.3.4",
    "not 1.2.3.4",
    "icmp or 1.2.3.4",
    "ip 192.168.1.23",
    "src 192.168",
    "host 192.168",
    "port (53 or 443)",
    "host (192.168.1.1 or not 192.0.2.53)",
    "host not 192.168.1.23",
    "port 53 or (80 or 443)",
    "host 192.168.1.1 and not 192.0.2.53",
    "len > 60 or 53",
    // A minus in front of something, and behind.
    "-len < 5",
    "- len < 5",
    "-5 < len",
    "len- 5 > 60",
    "len -5 > 60",
    "len-5 > 60",
    "5-3 = 2",
    "-ip[8] > 5",
    "-(tcp[13]) = 0xffffffee",
    "--len > 60",
    "tcp[-1] = 0",
    "ip[2:2]-20 > 100",
    "ip[2:2]- 20 > 100",
    // `%` and `^` have no place in libpcap's order of operators.
    "-(ether[1]) % 7 < 3",
    "(-(ether[1])) % 7 < 3",
    "ether[0] * ether[1] % 5 + ether[3] = 2",
    "ether[1] % ether[3] % 5 = 1",
    "ip[8] & 0xf ^ ip[9] | 1 = 7",
    "ip[8] ^ 3 - 1 > 40",
    "ip[9] | 3 ^ 1 != 2",
    "len % 4 + 2 = 1",
    "2 * len % 7 <= 3",
    "ip[2:2] - 20 % 8 = 0",
    // What stands in brackets lends no words to what follows.
    "dst port 443 or (src port 443) or 53",
    "port 53 or (host 192.168.1.23) or 443",
    "(port 53) or 443",
    "port 53 or (src port 443 or 80) and 443",
    "not (port 53) and 443",
    "(icmp) or 53",
    // Numbers that are no types.
    "ether proto 66",
    "ether proto 6",
    "ether proto 0xe0",
    "ether proto 0xf0",
    "ether proto 0xfe",
    "ether proto 1500",
    "ether proto 1501",
    "not ether proto 66",
    "ether proto 0x8137",
];

/// In packets of links that the captures do not have.
const LINKS: &[&str] = &[
    "ip",
    "ip6",
    "not ip",
    "udp",
    "port 53",
    "host 192.0.2.1",
    "ip6 host 2001:db8::1",
    "ip[8] = 64",
    "ether proto 66",
    "ether proto 6",
    "ether proto 0xe0",
    "ether proto 0xf0",
    "ether proto 0xfe",
    "ether proto 0x8137",
    "ether proto 0x21",
    "ether proto 0x800",
    "less 40",
    "arp",
    "ip and not port 80",
];

/// A datagram from 192.0.2.1 to a port of 192.0.2.2, and one of 2001:db8::1.
fn datagrams(port: u8) -> [Vec<u8>; 2] {
    let udp = [0x9C, 0x40, 0, port, 0, 8, 0, 0];
    let v4 = [0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
    let mut v6 = vec![0x60, 0, 0, 0, 0, 8, 17, 64, 0x20, 1, 0x0D, 0xB8];
    v6.resize(39, 0);
    v6[23] = 1;
    v6.push(2);
    [[&v4[..], &udp].concat(), [&v6[..], &udp].concat()]
}

/// Every link's ways to say that IPv4, IPv6, LLC or IPX follows.
fn frames(link: u16) -> Vec<Vec<u8>> {
    let headers: Vec<(Vec<u8>, bool)> = match link {
        9 | 50 => [[0xFF, 3, 0, 0x21], [0xFF, 3, 0, 0x57], [0xFF, 3, 0, 0x31], [0xFF, 3, 0, 0x2B]]
            .map(|header| (header.to_vec(), header[3] == 0x57))
            .into(),
        51 => [0x21, 0x57, 0x31].map(|last| (vec![0x11, 0, 0, 1, 0, 30, 0, last], last == 0x57)).into(),
        _ => {
            let front =
                if link == 113 { vec![0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0] } else { vec![2; 12] };
            let length: &[u8] = if link == 113 { &[0, 4] } else { &[0, 40] };
            let kinds: [&[u8]; 7] = [
                &[8, 0],
                &[0x86, 0xDD],
                &[0x81, 0x37],
                &[0x42, 0x42, 3],
                &[6, 6, 3],
                &[0xAA, 0xAA, 3, 0, 0, 0, 0x81, 0x37],
                &[0xE0, 0xE0, 3],
            ];
            let ends = kinds.iter().enumerate().map(|(place, kind)| {
                let length = if place < 3 { &[] } else { length };
                ([&front[..], length, kind].concat(), place == 1)
            });
            let novell =
                ([&front[..], if link == 113 { &[0, 1] } else { length }, &[0xFF, 0xFF]].concat(), false);
            ends.chain([novell]).collect()
        }
    };
    let bodies = [datagrams(53), datagrams(80)];
    let all = headers.iter().flat_map(|(header, is_v6)| {
        bodies.iter().map(move |both| [&header[..], &both[usize::from(*is_v6)]].concat())
    });
    all.collect()
}

#[test]
fn libpcap_agrees_on_other_links() {
    let Some(tcpdump) = thru_peers::peer("dissect: libpcap's compiler on links", "tcpdump", "tcpdump") else {
        return;
    };
    let folder = std::env::temp_dir().join(format!("thru-links-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut complaints = Vec::new();
    let mut passed = 0;
    for link in [1, 9, 50, 51, 113] {
        let path = folder.join(format!("{link}.pcap"));
        let mut file = vec![0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0];
        file.extend_from_slice(&u32::from(link).to_le_bytes());
        for frame in frames(link) {
            let length = (frame.len() as u32).to_le_bytes();
            file.extend_from_slice(&[&[0; 8][..], &length, &length, &frame].concat());
        }
        std::fs::write(&path, file).expect("a file");
        let packets = frames(link).into_iter().map(|frame| (link, frame.clone(), frame.len() as u32));
        let capture = [Capture { path, packets: packets.collect() }];
        for expression in LINKS {
            compare(&tcpdump, &capture, expression, &mut complaints);
            passed += ours(&capture[0], expression).unwrap_or(0);
        }
    }
    std::fs::remove_dir_all(&folder).expect("it can go");
    assert!(complaints.is_empty(), "{complaints:#?}");
    assert!(passed > 100, "{passed}");
}

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
        .args(["--", expression])
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

/// Arithmetic made at random.
fn arithmetic() -> impl Strategy<Value = String> {
    let one = prop_oneof![
        (0u32..2000).prop_map(|number| number.to_string()),
        (0u32..0x10000).prop_map(|number| format!("{number:#x}")),
        Just("len".to_owned()),
        (
            prop::sample::select(vec!["ip", "tcp", "udp", "ether", "ip6", "icmp", "arp"]),
            0u8..24,
            prop::sample::select(vec!["", ":1", ":2", ":4"])
        )
            .prop_map(|(proto, at, size)| format!("{proto}[{at}{size}]")),
        prop::sample::select(vec![
            "tcp-syn",
            "icmp-echo",
            "tcp[tcpflags]",
            "icmp[icmptype]",
            "tcp[ip[0] & 15]"
        ])
        .prop_map(String::from),
    ];
    one.prop_recursive(2, 6, 2, |inner| {
        let operators = vec!["+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>", " - ", " + "];
        prop_oneof![
            (inner.clone(), prop::sample::select(operators), inner.clone()).prop_map(|(a, op, b)| {
                // A shift by more than 31, or a division by zero, differs with the compiler's version.
                match op {
                    "<<" | ">>" => format!("({a}) {op} 3"),
                    "/" | "%" => format!("({a}) {op} 7"),
                    op => format!("({a}){op}({b})"),
                }
            }),
            // Without brackets the order of operators shows. A divisor that is no number could be zero in some packet.
            (
                inner.clone(),
                prop::sample::select(vec!["+", "-", "*", "&", "|", "^", " << 2 & ", " % 7 - ", " % 9 ^ "]),
                inner.clone()
            )
                .prop_map(|(a, op, b)| format!("{a}{op}{b}")),
            inner.clone().prop_map(|a| format!("-{a}")),
            inner.prop_map(|a| format!("- ({a})")),
        ]
    })
}

/// An expression made at random of parts that make sense.
fn expressions() -> impl Strategy<Value = String> {
    let select = |words: &'static [&'static str]| prop::sample::select(words.to_vec());
    let primitive = prop_oneof![
        select(&[
            "ip",
            "ip6",
            "tcp",
            "udp",
            "icmp",
            "icmp6",
            "arp",
            "igmp",
            "rarp",
            "sctp",
            "esp",
            "vlan",
            "broadcast",
            "multicast",
            "ip multicast",
            "ip6 multicast",
            "ether broadcast",
            "less 70",
            "ip proto 6",
            "proto 17",
            "ip6 proto 58",
            "ether proto 0x800",
            "ether proto \\ip6",
            "ip proto \\udp"
        ])
        .prop_map(String::from),
        (
            select(&["", "src ", "dst ", "tcp ", "udp src ", "src or dst ", "src and dst ", "udp "]),
            select(&[
                "port 53",
                "port 443",
                "port 49844",
                "port domain",
                "portrange 50-60",
                "portrange 443-40",
                "port https",
                "port 80 or 443",
                "port 53 and 443",
                "port (53 or 443)"
            ])
        )
            .prop_map(|(words, port)| format!("{words}{port}")),
        (
            select(&[
                "",
                "src ",
                "dst ",
                "src or dst ",
                "src and dst ",
                "ip ",
                "ip src ",
                "arp ",
                "arp dst "
            ]),
            select(&[
                "host 192.168.1.23",
                "host 203.0.113.10",
                "192.168.1.1",
                "net 192.168.1",
                "net 192.168.0.0/16",
                "net 203.0.113.0 mask 255.255.255.0",
                "host 192.168.1.1 or 192.0.2.53",
                "net 10",
                "192.168"
            ])
        )
            .prop_map(|(words, host)| format!("{words}{host}")),
        (
            select(&["", "src ", "dst ", "ip6 ", "ip6 src "]),
            select(&[
                "host 2001:db8:a:1::23",
                "2001:db8:a:1::1",
                "net 2001:db8:a::/48",
                "net 2001:db8::/32",
                "host ff02::1"
            ])
        )
            .prop_map(|(words, host)| format!("{words}{host}")),
        (
            select(&["ether host", "ether src", "ether dst"]),
            select(&["02:6c:00:04:00:00", "ff:ff:ff:ff:ff:ff"])
        )
            .prop_map(|(words, host)| format!("{words} {host}")),
        (arithmetic(), select(&["=", ">", "<", "!=", ">=", "<=", "=="]), arithmetic())
            .prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        (0u16..1500).prop_map(|len| format!("greater {len}")),
    ];
    primitive.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} and {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} or {b})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("{a} or {b} and {c}")),
            inner.clone().prop_map(|a| format!("not ({a})")),
            inner.prop_map(|a| format!("! {a}")),
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
    // THRU_EXPRESSIONS=3000 looks further.
    let count = std::env::var("THRU_EXPRESSIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(200);
    for _ in 0..count {
        let expression = expressions().new_tree(&mut runner).expect("a value").current();
        compare(&tcpdump, &captures[..2], &expression, &mut complaints);
    }
    assert!(complaints.is_empty(), "{complaints:#?}");
}
