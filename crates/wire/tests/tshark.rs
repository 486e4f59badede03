//! What we emit, read by a dissector that we did not write: every format, no malformed packet, all checksums right.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use thru_wire::MacAddr;
use thru_wire::address::{ALL_NODES, solicited_node};
use thru_wire::arp::Arp;
use thru_wire::ethernet::{EtherType, Ethernet, VlanTag};
use thru_wire::icmpv4::{self, Icmpv4};
use thru_wire::icmpv6::{self, Icmpv6};
use thru_wire::ipv4::{Ipv4, Ipv4Options, Protocol};
use thru_wire::ipv6::{Authentication, Extension, Fragment, Ipv6, Options, Routing};
use thru_wire::ndp::{DnsServers, Ndp, PrefixInformation, RouteInformation, RouterAdvertisement};
use thru_wire::packet::Packet;
use thru_wire::tcp::{AccEcnCounters, Flags, SeqNumber, Tcp, TcpOptions, Timestamps};
use thru_wire::udp::Udp;

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const OTHER_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);

fn eth() -> Ethernet {
    Ethernet::new(MAC, OTHER_MAC, EtherType(0xffff))
}

fn v4() -> Ipv4 {
    Ipv4::new(Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 2), Protocol(255))
}

fn v6() -> Ipv6 {
    Ipv6::new(address("fe80::1"), address("fe80::2"), Protocol::NO_NEXT)
}

fn address(text: &str) -> Ipv6Addr {
    text.parse().expect("an address")
}

fn tcp(options: TcpOptions) -> Tcp {
    let flags = Flags::PSH | Flags::ACK;
    Tcp {
        src_port: 40000,
        dst_port: 9,
        seq: SeqNumber(1),
        ack: SeqNumber(1),
        flags,
        window: 500,
        options,
        ..Tcp::default()
    }
}

/// A segment with one of the rarer options.
fn with_extra(push: impl FnOnce(&mut TcpOptions) -> bool) -> Packet {
    let mut options = TcpOptions::NONE;
    assert!(push(&mut options), "the option fits");
    eth() / v4() / tcp(options) / b"data"
}

/// Packets, each with a field and what the dissector should find in it.
fn samples() -> Vec<(Packet, &'static str, &'static str)> {
    let quoted4 = v4() / Udp::new(49152, 33434) / b"0123456789abcdef";
    let quoted6 = v6() / Udp::new(49152, 33434) / b"0123456789abcdef";
    let outer = VlanTag { kind: EtherType::SERVICE_VLAN, priority: 3, drop_eligible: true, id: 100 };
    let tagged = Ethernet { tags: [Some(outer), Some(VlanTag::new(7))], ..eth() };
    let recorded =
        Ipv4Options::parse(&[7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0]).expect("a legal record route option");
    let syn = TcpOptions {
        mss: Some(1460),
        window_scale: Some(7),
        sack_permitted: true,
        timestamps: Some(Timestamps { value: 0x1234, echo: 0 }),
        ..TcpOptions::NONE
    };
    let sack = TcpOptions {
        timestamps: Some(Timestamps { value: 5, echo: 6 }),
        sack: (1..4).map(|block| (SeqNumber(block * 1000), SeqNumber(block * 1000 + 500))).collect(),
        ..TcpOptions::NONE
    };
    let advertisement = RouterAdvertisement {
        hop_limit: 64,
        other: true,
        preference: -1,
        lifetime: Duration::from_secs(1800),
        source_mac: Some(MAC),
        mtu: Some(1480),
        prefixes: vec![PrefixInformation {
            prefix: "2001:db8:1::/64".parse().expect("a prefix"),
            on_link: true,
            autonomous: true,
            valid: Duration::from_secs(86400),
            preferred: Duration::from_secs(14400),
        }],
        routes: vec![RouteInformation {
            prefix: "2001:db8:2::/48".parse().expect("a prefix"),
            preference: 1,
            lifetime: Duration::from_secs(600),
        }],
        dns: vec![DnsServers { lifetime: Duration::from_secs(600), servers: vec![address("2001:db8::53")] }],
        ..RouterAdvertisement::default()
    };
    let solicitation = Ndp::NeighborSolicitation { target: address("fe80::2"), source_mac: Some(MAC) };
    let to_group = Ipv6 { dst: solicited_node(address("fe80::2")), hop_limit: 255, ..v6() };
    let to_all = Ipv6 { dst: ALL_NODES, hop_limit: 255, ..v6() };
    let near = Ipv6 { hop_limit: 255, ..v6() };
    let accurate = AccEcnCounters { ect1_first: false, ect0: Some(10), ce: Some(20), ect1: Some(30) };
    // A version 2 report with one record: "changed to exclude nothing" for ff02::fb.
    let mut report = vec![4, 0, 0, 0];
    report.extend(address("ff02::fb").octets());
    let mld = Icmpv6::Other { kind: 143, code: 0, rest: [0, 0, 0, 1] };
    vec![
        (tagged / v4() / Udp::new(1, 9) / b"hi", "vlan.id", "7"),
        (tagged / v4() / Udp::new(1, 9) / b"hi", "ieee8021ad.id", "100"),
        (eth() / Arp::request(MAC, v4().src, v4().dst), "arp.dst.proto_ipv4", "198.51.100.2"),
        (
            eth() / Arp::request(MAC, v4().src, v4().dst).reply(OTHER_MAC),
            "arp.src.hw_mac",
            "02:00:00:00:00:02",
        ),
        (eth() / v4() / Udp::new(1, 9) / b"hi", "udp.length", "10"),
        (
            eth() / Ipv4 { dscp: 46, ecn: 1, ttl: 3, dont_fragment: true, ..v4() } / Udp::new(1, 9),
            "ip.dsfield.dscp",
            "46",
        ),
        (eth() / Ipv4 { options: Ipv4Options::ROUTER_ALERT, ..v4() } / Udp::new(1, 9), "ip.opt.ra", "0"),
        (eth() / Ipv4 { options: recorded, ..v4() } / Udp::new(1, 9), "ip.opt.ptr", "4"),
        (
            eth()
                / Ipv4 { fragment_offset: 1480, protocol: Protocol::UDP, identification: 7, ..v4() }
                / &[0; 40],
            "ip.frag_offset",
            // This dissector shows it as it stands, in units of 8 bytes.
            "185",
        ),
        (eth() / v4() / Icmpv4::EchoRequest { identifier: 258, sequence: 3 } / b"ping", "icmp.ident", "258"),
        (eth() / v4() / Icmpv4::EchoReply { identifier: 1, sequence: 772 } / b"ping", "icmp.seq", "772"),
        (
            eth()
                / v4()
                / Icmpv4::DestinationUnreachable(icmpv4::Unreachable::FragmentationNeeded { mtu: 1400 })
                / quoted4.clone(),
            "icmp.mtu",
            "1400",
        ),
        (eth() / v4() / Icmpv4::TimeExceeded { code: 0 } / quoted4.clone(), "icmp.type", "11"),
        (
            eth() / v4() / Icmpv4::Redirect { code: 1, gateway: v4().dst } / quoted4.clone(),
            "icmp.redir_gw",
            "198.51.100.2",
        ),
        (eth() / v4() / Icmpv4::ParameterProblem { code: 0, pointer: 8 } / quoted4, "icmp.pointer", "8"),
        (eth() / v6() / Udp::new(1, 9) / b"odd", "udp.length", "11"),
        (
            eth() / Ipv6 { flow_label: 0xabcde, ecn: 2, dscp: 10, ..v6() } / Udp::new(1, 9),
            "ipv6.flow",
            "0x0abcde",
        ),
        (
            eth() / v6() / Icmpv6::EchoRequest { identifier: 258, sequence: 3 } / b"ping",
            "icmpv6.echo.identifier",
            "0x0102",
        ),
        (
            eth() / v6() / Icmpv6::DestinationUnreachable(icmpv6::Unreachable::Port) / quoted6.clone(),
            "icmpv6.code",
            "4",
        ),
        (eth() / v6() / Icmpv6::PacketTooBig { mtu: 1280 } / quoted6.clone(), "icmpv6.mtu", "1280"),
        (eth() / v6() / Icmpv6::TimeExceeded { code: 0 } / quoted6.clone(), "icmpv6.type", "3"),
        (eth() / v6() / Icmpv6::ParameterProblem { code: 1, pointer: 40 } / quoted6, "icmpv6.pointer", "40"),
        (
            eth() / near / Ndp::RouterSolicitation { source_mac: Some(MAC) },
            "icmpv6.opt.linkaddr",
            "02:00:00:00:00:01",
        ),
        (
            eth() / to_all / Ndp::RouterAdvertisement(advertisement.clone()),
            "icmpv6.opt.prefix",
            "2001:db8:1::,2001:db8:2::",
        ),
        (
            eth() / to_all / Ndp::RouterAdvertisement(advertisement.clone()),
            "icmpv6.opt.rdnss",
            "2001:db8::53",
        ),
        (eth() / to_all / Ndp::RouterAdvertisement(advertisement), "icmpv6.opt.mtu", "1480"),
        (eth() / to_group / solicitation, "icmpv6.nd.ns.target_address", "fe80::2"),
        (
            eth()
                / near
                / Ndp::NeighborAdvertisement {
                    router: true,
                    solicited: true,
                    override_flag: true,
                    target: address("fe80::1"),
                    target_mac: Some(MAC),
                },
            "icmpv6.nd.na.target_address",
            "fe80::1",
        ),
        (
            eth()
                / near
                / Ndp::Redirect {
                    target: address("fe80::9"),
                    destination: address("2001:db8::9"),
                    target_mac: Some(OTHER_MAC),
                },
            "icmpv6.rd.na.destination_address",
            "2001:db8::9",
        ),
        (
            eth()
                / Ipv6 { dst: address("ff02::16"), hop_limit: 1, ..v6() }
                / Extension::HopByHop(Options::router_alert())
                / mld
                / report,
            "icmpv6.mldr.mar.multicast_address",
            "ff02::fb",
        ),
        (
            eth() / v6() / Extension::HopByHop(Options::router_alert()) / Udp::new(1, 9),
            "ipv6.opt.router_alert",
            "0",
        ),
        (
            eth()
                / v6()
                / Routing::new(4, 0, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
                    .expect("short")
                / Udp::new(1, 9),
            "ipv6.routing.type",
            "4",
        ),
        (
            eth()
                / v6()
                / Extension::DestinationOptions(Options::new([(0x1e, &[1, 2, 3][..])]).expect("short"))
                / Udp::new(1, 9),
            "ipv6.opt.type",
            "0x1e,0x00",
        ),
        (
            eth()
                / v6()
                / Fragment { next_header: Protocol::UDP, offset: 1448, more: false, identification: 9 }
                / &[0; 40],
            "ipv6.fraghdr.ident",
            "0x00000009",
        ),
        (
            eth() / v6() / Authentication::new(77, 1, &[9; 12]).expect("short") / Udp::new(1, 9),
            "ah.spi",
            "0x0000004d",
        ),
        (eth() / v6() / Ipv6 { src: address("2001:db8::1"), ..v6() } / Udp::new(1, 9), "udp.dstport", "9"),
        (
            eth() / v4() / Tcp { flags: Flags::SYN, ack: SeqNumber(0), ..tcp(syn) },
            "tcp.options.mss_val",
            "1460",
        ),
        (
            eth() / v4() / Tcp { flags: Flags::SYN | Flags::AE | Flags::CWR | Flags::ECE, ..tcp(syn) },
            "tcp.flags",
            "0x01c2",
        ),
        (
            eth() / v6() / Tcp { flags: Flags::SYN, ack: SeqNumber(0), ..tcp(syn) },
            "tcp.options.wscale.shift",
            "7",
        ),
        (eth() / v4() / tcp(sack) / b"data", "tcp.options.sack_le", "1000,2000,3000"),
        (eth() / v4() / tcp(sack) / b"data", "tcp.options.timestamp.tsecr", "6"),
        (
            with_extra(|options| options.extra.push_fast_open(&[1, 2, 3, 4])),
            "tcp.options.tfo.cookie",
            "01020304",
        ),
        (
            with_extra(|options| options.extra.push_user_timeout(Duration::from_secs(90))),
            "tcp.options.user_to_val",
            "90",
        ),
        (
            with_extra(|options| options.extra.push_md5(&[1; 16])),
            "tcp.options.md5.digest",
            "01010101010101010101010101010101",
        ),
        (
            with_extra(|options| options.extra.push_authentication(5, 6, &[7; 12])),
            "tcp.options.ao.keyid",
            "5",
        ),
        (with_extra(|options| options.extra.push_acc_ecn(accurate)), "tcp.options.acc_ecn.ee0b", "10"),
        (
            with_extra(|options| options.extra.push_raw(30, &[0x20, 0x01, 0, 0, 0, 1])),
            "tcp.options.mptcp.subtype",
            "2",
        ),
    ]
}

/// A classic pcap file of Ethernet frames.
fn pcap(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65535, 1] {
        file.extend(word.to_le_bytes());
    }
    for (second, frame) in frames.iter().enumerate() {
        for word in [second, 0, frame.len(), frame.len()] {
            file.extend((word as u32).to_le_bytes());
        }
        file.extend(frame);
    }
    file
}

#[test]
fn a_foreign_dissector_agrees() {
    let Some(tshark) = thru_peers::peer("wire: a foreign dissector", "tshark", "tshark") else { return };
    let samples = samples();
    let frames: Vec<Vec<u8>> = samples.iter().map(|(packet, ..)| packet.to_vec()).collect();
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("wire.pcap");
    std::fs::write(&path, pcap(&frames)).expect("the target directory is writable");

    let known = fields_known_to(&tshark);
    let mut command = Command::new(&tshark);
    command.arg("-r").arg(&path).args(["-n", "-T", "fields", "-E", "separator=|", "-E", "occurrence=a"]);
    for preference in [
        "ip.check_checksum:TRUE",
        "udp.check_checksum:TRUE",
        "tcp.check_checksum:TRUE",
        "ip.defragment:FALSE",
    ] {
        command.args(["-o", preference]);
    }
    // A field this version does not know would end the run.
    let fields: BTreeSet<&str> =
        samples.iter().map(|(_, field, _)| *field).filter(|field| known.contains(*field)).collect();
    for field in ["_ws.malformed", "_ws.expert.message"].iter().chain(&fields) {
        command.args(["-e", field]);
    }
    let output = command.output().expect("tshark runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let table = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), samples.len());

    let mut disagreements = Vec::new();
    for ((packet, field, want), line) in samples.iter().zip(lines) {
        let columns: Vec<&str> = line.split('|').collect();
        let (malformed, complaints) = (columns[0], columns[1]);
        let words = ["checksum", "Checksum", "length", "Length", "Malformed", "Bogus"];
        if !malformed.is_empty() || words.iter().any(|word| complaints.contains(word)) {
            disagreements.push(format!("{packet:?}: {malformed} {complaints}"));
        }
        let shown =
            fields.iter().position(|known| known == field).map_or(*want, |column| columns[2 + column]);
        if shown != *want {
            disagreements.push(format!("{field} is {shown}, not {want}, in {packet:?}"));
        }
    }
    assert!(disagreements.is_empty(), "{disagreements:#?}");
    let unknown: Vec<_> =
        samples.iter().map(|(_, field, _)| field).filter(|field| !fields.contains(**field)).collect();
    if !unknown.is_empty() {
        thru_peers::not_run("wire: fields this tshark does not know", &format!("{unknown:?}"));
    }
}

/// Names of all fields that this version can show.
fn fields_known_to(tshark: &Path) -> BTreeSet<String> {
    let output = Command::new(tshark).args(["-G", "fields"]).output().expect("tshark runs");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| line.strip_prefix("F\t")?.split('\t').nth(1).map(str::to_owned))
        .collect()
}
