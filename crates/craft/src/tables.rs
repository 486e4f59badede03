//! The layers and their fields.

use crate::layout::{Auto, FieldDef, Kind, LayerDef, Number, PartDef, PartKind};

use Auto::{Is, Rest};

const PLAIN: Kind = Kind::Number(&[]);
const HEX: Kind = Kind::Hex(&[]);

const fn field(names: &'static [&'static str], at: u16, bits: u8, kind: Kind, auto: Auto) -> FieldDef {
    FieldDef { names, at, bits, kind, auto, scale: 1 }
}

const fn scaled(names: &'static [&'static str], at: u16, bits: u8, scale: u8, auto: Auto) -> FieldDef {
    FieldDef { names, at, bits, kind: PLAIN, auto, scale }
}

const fn part(name: &'static str, kind: PartKind) -> PartDef {
    PartDef { name, kind }
}

const ETHER_TYPES: &[(&str, u64)] = &[
    ("ip", 0x0800),
    ("arp", 0x0806),
    ("vlan", 0x8100),
    ("ipv6", 0x86dd),
    ("mpls", 0x8847),
    ("pppoe", 0x8864),
];

const PROTOCOLS: &[(&str, u64)] = &[
    ("hopopts", 0),
    ("icmp", 1),
    ("igmp", 2),
    ("ip", 4),
    ("tcp", 6),
    ("udp", 17),
    ("ipv6", 41),
    ("routing", 43),
    ("frag", 44),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("icmpv6", 58),
    ("none", 59),
    ("dstopts", 60),
    ("ospf", 89),
    ("sctp", 132),
];

const PORTS: &[(&str, u64)] = &[
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("dns", 53),
    ("domain", 53),
    ("http", 80),
    ("ntp", 123),
    ("snmp", 161),
    ("bgp", 179),
    ("https", 443),
    ("mqtt", 1883),
    ("vxlan", 4789),
    ("mdns", 5353),
];

const ICMP_TYPES: &[(&str, u64)] = &[
    ("echo-reply", 0),
    ("unreachable", 3),
    ("redirect", 5),
    ("echo-request", 8),
    ("echo", 8),
    ("router-advertisement", 9),
    ("router-solicitation", 10),
    ("time-exceeded", 11),
    ("parameter-problem", 12),
    ("timestamp", 13),
    ("timestamp-reply", 14),
];

const ICMPV6_TYPES: &[(&str, u64)] = &[
    ("unreachable", 1),
    ("too-big", 2),
    ("time-exceeded", 3),
    ("parameter-problem", 4),
    ("echo-request", 128),
    ("echo", 128),
    ("echo-reply", 129),
    ("router-solicitation", 133),
    ("router-advertisement", 134),
    ("neighbor-solicitation", 135),
    ("neighbor-advertisement", 136),
    ("redirect", 137),
];

pub(crate) static ETH: LayerDef = LayerDef {
    names: &["eth", "ether", "ethernet"],
    header: 14,
    fields: &[
        field(&["dst"], 0, 48, Kind::Mac, Is(0xffff_ffff_ffff)),
        field(&["src"], 48, 48, Kind::Mac, Is(0)),
        field(&["type", "ethertype"], 96, 16, Kind::Hex(ETHER_TYPES), Auto::Next),
    ],
    parts: &[],
    number: Number::EtherType(0x6558),
};

pub(crate) static VLAN: LayerDef = LayerDef {
    names: &["vlan", "dot1q"],
    header: 4,
    fields: &[
        field(&["priority", "pcp"], 0, 3, PLAIN, Is(0)),
        field(&["dei"], 3, 1, PLAIN, Is(0)),
        field(&["id", "vid"], 4, 12, PLAIN, Is(1)),
        field(&["etype", "type"], 16, 16, Kind::Hex(ETHER_TYPES), Auto::Next),
    ],
    parts: &[],
    number: Number::EtherType(0x8100),
};

pub(crate) static ARP: LayerDef = LayerDef {
    names: &["arp"],
    header: 28,
    fields: &[
        field(&["hw.type"], 0, 16, PLAIN, Is(1)),
        field(&["proto.type"], 16, 16, HEX, Is(0x0800)),
        field(&["hw.size"], 32, 8, PLAIN, Is(6)),
        field(&["proto.size"], 40, 8, PLAIN, Is(4)),
        field(&["opcode", "op"], 48, 16, Kind::Number(&[("request", 1), ("reply", 2)]), Is(1)),
        field(&["src.hw_mac", "sha"], 64, 48, Kind::Mac, Is(0)),
        field(&["src.proto_ipv4", "spa", "psrc"], 112, 32, Kind::Ipv4, Is(0)),
        field(&["dst.hw_mac", "tha"], 144, 48, Kind::Mac, Is(0)),
        field(&["dst.proto_ipv4", "tpa", "pdst"], 192, 32, Kind::Ipv4, Is(0)),
    ],
    parts: &[],
    number: Number::EtherType(0x0806),
};

pub(crate) static IP: LayerDef = LayerDef {
    names: &["ip", "ipv4"],
    header: 20,
    fields: &[
        field(&["version"], 0, 4, PLAIN, Is(4)),
        scaled(&["hdr_len", "ihl"], 4, 4, 4, Auto::HeaderLength),
        field(&["dsfield", "tos"], 8, 8, HEX, Rest),
        field(&["dsfield.dscp", "dscp"], 8, 6, PLAIN, Is(0)),
        field(&["dsfield.ecn", "ecn"], 14, 2, Kind::Number(&[("ect1", 1), ("ect0", 2), ("ce", 3)]), Is(0)),
        field(&["len", "total_length"], 16, 16, PLAIN, Auto::TotalLength),
        field(&["id", "identification"], 32, 16, PLAIN, Is(0)),
        field(&["flags"], 48, 3, HEX, Rest),
        field(&["flags.rb", "rb"], 48, 1, PLAIN, Is(0)),
        field(&["flags.df", "df"], 49, 1, PLAIN, Is(0)),
        field(&["flags.mf", "mf"], 50, 1, PLAIN, Is(0)),
        scaled(&["frag_offset", "fragment_offset"], 51, 13, 8, Is(0)),
        field(&["ttl"], 64, 8, PLAIN, Is(64)),
        field(&["proto", "protocol"], 72, 8, Kind::Number(PROTOCOLS), Auto::Next),
        field(&["checksum"], 80, 16, HEX, Auto::HeaderChecksum),
        field(&["src"], 96, 32, Kind::Ipv4, Is(0)),
        field(&["dst"], 128, 32, Kind::Ipv4, Is(0)),
    ],
    parts: &[part("options", PartKind::Ipv4Options)],
    number: Number::Ip(0x0800, 4),
};

pub(crate) static IPV6: LayerDef = LayerDef {
    names: &["ipv6", "ip6"],
    header: 40,
    fields: &[
        field(&["version"], 0, 4, PLAIN, Is(6)),
        field(&["tclass", "traffic_class"], 4, 8, HEX, Rest),
        field(&["tclass.dscp", "dscp"], 4, 6, PLAIN, Is(0)),
        field(&["tclass.ecn", "ecn"], 10, 2, Kind::Number(&[("ect1", 1), ("ect0", 2), ("ce", 3)]), Is(0)),
        field(&["flow", "flow_label"], 12, 20, HEX, Is(0)),
        field(&["plen", "payload_length"], 32, 16, PLAIN, Auto::InnerLength),
        field(&["nxt", "next_header"], 48, 8, Kind::Number(PROTOCOLS), Auto::Next),
        field(&["hlim", "hop_limit", "ttl"], 56, 8, PLAIN, Is(64)),
        field(&["src"], 64, 128, Kind::Ipv6, Is(0)),
        field(&["dst"], 192, 128, Kind::Ipv6, Is(0)),
    ],
    parts: &[],
    number: Number::Ip(0x86dd, 41),
};

const fn extension(
    names: &'static [&'static str],
    header: usize,
    fields: &'static [FieldDef],
    parts: &'static [PartDef],
    number: u8,
) -> LayerDef {
    LayerDef { names, header, fields, parts, number: Number::Protocol(number) }
}

const OPTIONS_FIELDS: &[FieldDef] = &[
    field(&["nxt", "next_header"], 0, 8, Kind::Number(PROTOCOLS), Auto::Next),
    field(&["len"], 8, 8, PLAIN, Auto::ExtensionLength),
];

pub(crate) static HOPOPTS: LayerDef =
    extension(&["hopopts"], 2, OPTIONS_FIELDS, &[part("options", PartKind::Ipv6Options)], 0);

pub(crate) static DSTOPTS: LayerDef =
    extension(&["dstopts"], 2, OPTIONS_FIELDS, &[part("options", PartKind::Ipv6Options)], 60);

pub(crate) static ROUTING: LayerDef = extension(
    &["routing"],
    8,
    &[
        field(&["nxt", "next_header"], 0, 8, Kind::Number(PROTOCOLS), Auto::Next),
        field(&["len"], 8, 8, PLAIN, Auto::ExtensionLength),
        field(&["type"], 16, 8, PLAIN, Is(0)),
        field(&["segleft", "segments_left"], 24, 8, PLAIN, Is(0)),
        field(&["reserved"], 32, 32, HEX, Is(0)),
    ],
    &[part("data", PartKind::Bytes)],
    43,
);

pub(crate) static FRAG: LayerDef = extension(
    &["frag", "fraghdr"],
    8,
    &[
        field(&["nxt", "next_header"], 0, 8, Kind::Number(PROTOCOLS), Auto::Next),
        field(&["reserved_octet"], 8, 8, HEX, Is(0)),
        scaled(&["offset"], 16, 13, 8, Is(0)),
        field(&["reserved_bits"], 29, 2, PLAIN, Is(0)),
        field(&["more"], 31, 1, PLAIN, Is(0)),
        field(&["ident", "id"], 32, 32, HEX, Is(0)),
    ],
    &[],
    44,
);

pub(crate) static ICMP: LayerDef = LayerDef {
    names: &["icmp"],
    header: 8,
    fields: &[
        field(&["type"], 0, 8, Kind::Number(ICMP_TYPES), Is(8)),
        field(&["code"], 8, 8, PLAIN, Is(0)),
        field(&["checksum"], 16, 16, HEX, Auto::Checksum),
        field(&["rest"], 32, 32, HEX, Rest),
        field(&["ident", "id"], 32, 16, PLAIN, Is(0)),
        field(&["seq"], 48, 16, PLAIN, Is(0)),
        field(&["mtu"], 48, 16, PLAIN, Rest),
        field(&["gateway", "redir_gw"], 32, 32, Kind::Ipv4, Rest),
        field(&["pointer"], 32, 8, PLAIN, Rest),
        field(&["length"], 40, 8, PLAIN, Rest),
    ],
    parts: &[],
    number: Number::Protocol(1),
};

pub(crate) static ICMPV6: LayerDef = LayerDef {
    names: &["icmpv6", "icmp6"],
    header: 8,
    fields: &[
        field(&["type"], 0, 8, Kind::Number(ICMPV6_TYPES), Is(128)),
        field(&["code"], 8, 8, PLAIN, Is(0)),
        field(&["checksum"], 16, 16, HEX, Auto::PseudoChecksum),
        field(&["rest"], 32, 32, HEX, Rest),
        field(&["echo.identifier", "ident", "id"], 32, 16, PLAIN, Is(0)),
        field(&["echo.sequence_number", "seq"], 48, 16, PLAIN, Is(0)),
        field(&["mtu"], 32, 32, PLAIN, Rest),
        field(&["pointer"], 32, 32, PLAIN, Rest),
    ],
    parts: &[],
    number: Number::Protocol(58),
};

pub(crate) static IGMP: LayerDef = LayerDef {
    names: &["igmp"],
    header: 8,
    fields: &[
        field(&["type"], 0, 8, Kind::Hex(&[("query", 0x11), ("report", 0x16), ("leave", 0x17)]), Is(0x11)),
        field(&["max_resp"], 8, 8, PLAIN, Is(0)),
        field(&["checksum"], 16, 16, HEX, Auto::Checksum),
        field(&["maddr"], 32, 32, Kind::Ipv4, Is(0)),
    ],
    parts: &[],
    number: Number::Protocol(2),
};

pub(crate) static UDP: LayerDef = LayerDef {
    names: &["udp"],
    header: 8,
    fields: &[
        field(&["srcport", "sport"], 0, 16, Kind::Number(PORTS), Is(49_152)),
        field(&["dstport", "dport"], 16, 16, Kind::Number(PORTS), Auto::Next),
        field(&["length", "len"], 32, 16, PLAIN, Auto::TotalLength),
        field(&["checksum"], 48, 16, HEX, Auto::PseudoChecksum),
    ],
    parts: &[],
    number: Number::Protocol(17),
};

pub(crate) static TCP: LayerDef = LayerDef {
    names: &["tcp"],
    header: 20,
    fields: &[
        field(&["srcport", "sport"], 0, 16, Kind::Number(PORTS), Is(49_152)),
        field(&["dstport", "dport"], 16, 16, Kind::Number(PORTS), Auto::Next),
        field(&["seq"], 32, 32, PLAIN, Is(0)),
        field(&["ack"], 64, 32, PLAIN, Is(0)),
        scaled(&["hdr_len", "data_offset"], 96, 4, 4, Auto::HeaderLength),
        field(&["flags.res", "reserved"], 100, 3, PLAIN, Is(0)),
        field(&["flags"], 103, 9, Kind::TcpFlags, Is(2)),
        field(&["flags.ae"], 103, 1, PLAIN, Rest),
        field(&["flags.cwr"], 104, 1, PLAIN, Rest),
        field(&["flags.ece"], 105, 1, PLAIN, Rest),
        field(&["flags.urg"], 106, 1, PLAIN, Rest),
        field(&["flags.ack"], 107, 1, PLAIN, Rest),
        field(&["flags.push"], 108, 1, PLAIN, Rest),
        field(&["flags.reset"], 109, 1, PLAIN, Rest),
        field(&["flags.syn"], 110, 1, PLAIN, Rest),
        field(&["flags.fin"], 111, 1, PLAIN, Rest),
        field(&["window", "window_size_value"], 112, 16, PLAIN, Is(64_240)),
        field(&["checksum"], 128, 16, HEX, Auto::PseudoChecksum),
        field(&["urgent_pointer", "urg"], 144, 16, PLAIN, Is(0)),
    ],
    parts: &[part("options", PartKind::TcpOptions)],
    number: Number::Protocol(6),
};

pub(crate) static GRE: LayerDef = LayerDef {
    names: &["gre"],
    header: 4,
    fields: &[
        field(&["flags_and_version", "flags"], 0, 16, HEX, Is(0)),
        field(&["proto"], 16, 16, Kind::Hex(ETHER_TYPES), Auto::Next),
    ],
    parts: &[],
    number: Number::Protocol(47),
};

pub(crate) static VXLAN: LayerDef = LayerDef {
    names: &["vxlan"],
    header: 8,
    fields: &[
        field(&["flags"], 0, 16, HEX, Is(0x0800)),
        field(&["gbp"], 16, 16, PLAIN, Is(0)),
        field(&["vni"], 32, 24, PLAIN, Is(0)),
        field(&["reserved8"], 56, 8, PLAIN, Is(0)),
    ],
    parts: &[],
    number: Number::Port(4789),
};

const OPCODES: &[(&str, u64)] = &[("query", 0), ("status", 2), ("notify", 4), ("update", 5)];
const RCODES: &[(&str, u64)] =
    &[("noerror", 0), ("formerr", 1), ("servfail", 2), ("nxdomain", 3), ("notimp", 4), ("refused", 5)];

pub(crate) static DNS: LayerDef = LayerDef {
    names: &["dns"],
    header: 12,
    fields: &[
        field(&["id"], 0, 16, HEX, Is(0)),
        field(&["flags"], 16, 16, HEX, Rest),
        field(&["flags.response", "qr"], 16, 1, PLAIN, Is(0)),
        field(&["flags.opcode", "opcode"], 17, 4, Kind::Number(OPCODES), Is(0)),
        field(&["flags.authoritative", "aa"], 21, 1, PLAIN, Is(0)),
        field(&["flags.truncated", "tc"], 22, 1, PLAIN, Is(0)),
        field(&["flags.recdesired", "rd"], 23, 1, PLAIN, Is(1)),
        field(&["flags.recavail", "ra"], 24, 1, PLAIN, Is(0)),
        field(&["flags.z", "z"], 25, 1, PLAIN, Is(0)),
        field(&["flags.authenticated", "ad"], 26, 1, PLAIN, Is(0)),
        field(&["flags.checkdisable", "cd"], 27, 1, PLAIN, Is(0)),
        field(&["flags.rcode", "rcode"], 28, 4, Kind::Number(RCODES), Is(0)),
        field(&["count.queries", "qdcount"], 32, 16, PLAIN, Auto::Questions),
        field(&["count.answers", "ancount"], 48, 16, PLAIN, Is(0)),
        field(&["count.auth_rr", "nscount"], 64, 16, PLAIN, Is(0)),
        field(&["count.add_rr", "arcount"], 80, 16, PLAIN, Is(0)),
    ],
    parts: &[
        part("qry.name", PartKind::DnsName),
        part("qry.type", PartKind::DnsType),
        part("qry.class", PartKind::DnsClass),
    ],
    number: Number::Port(53),
};

/// Bytes as they are.
pub(crate) static DATA: LayerDef = LayerDef {
    names: &["data", "raw", "payload"],
    header: 0,
    fields: &[],
    parts: &[part("data", PartKind::Bytes), part("len", PartKind::Length)],
    number: Number::None,
};

/// Bytes behind the packet, which no length and no checksum counts: what an Ethernet card pads with.
pub(crate) static PADDING: LayerDef = LayerDef {
    names: &["padding", "trailer"],
    header: 0,
    fields: &[],
    parts: &[part("data", PartKind::Bytes), part("len", PartKind::Length)],
    number: Number::None,
};

pub(crate) static ALL: &[&LayerDef] = &[
    &ETH, &VLAN, &ARP, &IP, &IPV6, &HOPOPTS, &DSTOPTS, &ROUTING, &FRAG, &ICMP, &ICMPV6, &IGMP, &UDP, &TCP,
    &GRE, &VXLAN, &DNS, &DATA, &PADDING,
];
