//! One line a packet, in tcpdump's habits.

use super::value::{civil, clock, day, seconds, write_address, write_value};
use super::{decimal, escape, padded, put};
use crate::field::Kind;
use crate::protocols::{arp, icmp, icmpv6, ip, ipv6, tcp, udp};
use crate::tree::{Field, Tree, Value};
use std::net::IpAddr;

/// How the time is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeStyle {
    /// Time of day in UTC.
    #[default]
    Clock,
    /// Not at all.
    None,
    /// Seconds since 1970.
    Epoch,
    /// Since the packet before.
    Delta,
    /// Date and time of day in UTC.
    Date,
    /// Since the first packet.
    First,
}

/// What a line shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct LineOptions {
    /// How the time is written.
    pub time: TimeStyle,
    /// Begin with the packet's number.
    pub number: bool,
    /// Show the link layer's addresses.
    pub link: bool,
    /// Show the interface's name and, where the link layer tells it, the packet's way.
    pub interface: bool,
}

/// Appends the line of a packet, with its newline.
pub fn line(out: &mut Vec<u8>, tree: Tree<'_>, options: &LineOptions) {
    if options.number {
        put!(out, "{:>5}  ", tree.number(&crate::protocols::frame::NUMBER).unwrap_or(0));
    }
    time(out, tree, options.time);
    if options.interface {
        interface(out, tree);
    }
    if options.link {
        link(out, tree);
    }
    packet(out, tree);
    out.push(b'\n');
}

/// `eth0 Out `: the words of tcpdump.
fn interface(out: &mut Vec<u8>, tree: Tree<'_>) {
    let Some(name) = tree.find(&crate::protocols::frame::INTERFACE_NAME) else { return };
    let begins = out.len();
    write_value(out, tree, name);
    let way = match tree.number(&crate::protocols::link::PKTTYPE) {
        Some(0) => " In",
        Some(1) => " B",
        Some(2) => " M",
        Some(3) => " P",
        Some(4) => " Out",
        _ => "",
    };
    out.extend_from_slice(way.as_bytes());
    while out.len() < begins + 9 {
        out.push(b' ');
    }
    out.push(b' ');
}

fn time(out: &mut Vec<u8>, tree: Tree<'_>, style: TimeStyle) {
    use crate::protocols::frame;
    let def = match style {
        TimeStyle::None => return,
        TimeStyle::Clock | TimeStyle::Date => &frame::TIME,
        TimeStyle::Epoch => &frame::TIME_EPOCH,
        TimeStyle::Delta => &frame::TIME_DELTA,
        TimeStyle::First => &frame::TIME_RELATIVE,
    };
    let Some(nanos) = tree.number(def) else {
        out.extend_from_slice(b"- ");
        return;
    };
    match style {
        TimeStyle::Clock | TimeStyle::Date => {
            // Before 1970 it is less than nothing.
            let nanos = nanos as i64;
            let second = nanos.div_euclid(1_000_000_000);
            if style == TimeStyle::Date {
                let (year, month, day_of_month) = civil(second.div_euclid(86_400));
                day(out, year, month, day_of_month);
                out.push(b' ');
            }
            clock(out, second.rem_euclid(86_400) as u64);
            out.push(b'.');
            padded(out, nanos.rem_euclid(1_000_000_000) as u64 / 1000, 6);
        }
        _ => seconds(out, nanos as i64),
    }
    out.push(b' ');
}

fn link(out: &mut Vec<u8>, tree: Tree<'_>) {
    use crate::protocols::{ethernet as eth, tags};
    if let (Some(src), Some(dst)) = (tree.find(&eth::SRC), tree.find(&eth::DST)) {
        write_value(out, tree, src);
        out.extend_from_slice(b" > ");
        write_value(out, tree, dst);
        if let Some(id) = tree.number(&tags::ID) {
            put!(out, ", vlan {id}");
        }
        out.extend_from_slice(b", ");
    }
}

/// The innermost network layer and what it carries.
fn packet(out: &mut Vec<u8>, tree: Tree<'_>) {
    let fields = tree.fields();
    // Packets quoted in ICMP errors come after the error itself: the first upper layer is the one.
    let network = fields.iter().rposition(|field| field.depth == 0 && is_network(field));
    let error = fields.iter().position(|field| {
        field.depth == 0 && (field.def.is(&icmp::ICMP.layer) || field.def.is(&icmpv6::ICMPV6.layer))
    });
    let network = match error {
        Some(error) => fields[..error].iter().rposition(|field| field.depth == 0 && is_network(field)),
        None => network,
    };
    let Some(at) = network else {
        return other(out, tree);
    };
    let rest = Part { tree, fields: &fields[at..] };
    if fields[at].def.is(&arp::ARP.layer) {
        return arp_line(out, rest);
    }
    let v6 = fields[at].def.is(&ipv6::IPV6.layer);
    // What carries comes right behind: whoever asks it for its fields need not go through the addresses again.
    let upper = fields[at + 1..].iter().position(|field| field.depth == 0).map(|place| at + 1 + place);
    let upper = Part { tree, fields: upper.map_or(&[], |upper| &fields[upper..]) };
    out.extend_from_slice(if v6 { b"IP6 " } else { b"IP " });
    let (src, dst) = if v6 { (&ipv6::SRC, &ipv6::DST) } else { (&ip::SRC, &ip::DST) };
    let (src, dst) = (rest.address(src), rest.address(dst));
    let tcp_at = upper.from(&tcp::TCP.layer).filter(|_| error.is_none());
    let udp_at = upper.from(&udp::UDP.layer).filter(|_| error.is_none() && tcp_at.is_none());
    let ports = if let Some(part) = tcp_at {
        part.number(&tcp::SRC_PORT).zip(part.number(&tcp::DST_PORT))
    } else if let Some(part) = udp_at {
        part.number(&udp::SRC_PORT).zip(part.number(&udp::DST_PORT))
    } else {
        None
    };
    end(out, src, ports.map(|ports| ports.0));
    out.extend_from_slice(b" > ");
    end(out, dst, ports.map(|ports| ports.1));
    out.extend_from_slice(b": ");
    if let Some(part) = tcp_at {
        tcp_line(out, part);
    } else if error.is_some() {
        icmp_line(out, rest);
    } else {
        summary(out, rest);
    }
}

fn is_network(field: &Field) -> bool {
    field.def.is(&ip::IP.layer) || field.def.is(&ipv6::IPV6.layer) || field.def.is(&arp::ARP.layer)
}

/// The fields of a packet from its network layer on.
#[derive(Clone, Copy)]
struct Part<'a> {
    tree: Tree<'a>,
    fields: &'a [Field],
}

impl<'a> Part<'a> {
    fn find(&self, def: &'static crate::field::FieldDef) -> Option<&'a Field> {
        self.fields.iter().find(|field| field.def.is(def))
    }

    /// From a layer on.
    fn from(&self, layer: &'static crate::field::FieldDef) -> Option<Part<'a>> {
        let at = self.fields.iter().position(|field| field.depth == 0 && field.def.is(layer))?;
        Some(Part { tree: self.tree, fields: &self.fields[at..] })
    }

    fn has(&self, def: &'static crate::field::FieldDef) -> bool {
        self.find(def).is_some()
    }

    fn number(&self, def: &'static crate::field::FieldDef) -> Option<u64> {
        self.find(def).map(|field| field.value)
    }

    fn address(&self, def: &'static crate::field::FieldDef) -> Option<IpAddr> {
        match self.tree.value(self.find(def)?) {
            Value::Address(address) => Some(address),
            _ => None,
        }
    }
}

fn end(out: &mut Vec<u8>, address: Option<IpAddr>, port: Option<u64>) {
    match address {
        Some(address) => write_address(out, address),
        None => out.push(b'?'),
    }
    if let Some(port) = port {
        out.push(b'.');
        decimal(out, port);
    }
}

fn arp_line(out: &mut Vec<u8>, part: Part<'_>) {
    let (src, dst) = (part.address(&arp::SRC_IP), part.address(&arp::DST_IP));
    out.extend_from_slice(b"ARP, ");
    match part.number(&arp::OPCODE) {
        Some(1) => {
            out.extend_from_slice(b"Request who-has ");
            end(out, dst, None);
            out.extend_from_slice(b" tell ");
            end(out, src, None);
        }
        Some(2) => {
            out.extend_from_slice(b"Reply ");
            end(out, src, None);
            out.extend_from_slice(b" is-at ");
            if let Some(mac) = part.find(&arp::SRC_MAC) {
                write_value(out, part.tree, mac);
            }
        }
        opcode => put!(out, "opcode {}", opcode.unwrap_or(0)),
    }
    put!(out, ", length {}", part.fields[0].len);
}

const FLAG_LETTERS: [(u64, u8); 9] = [
    (1, b'F'),
    (2, b'S'),
    (4, b'R'),
    (8, b'P'),
    (0x20, b'U'),
    (0x40, b'E'),
    (0x80, b'W'),
    (0x100, b'e'),
    (0x10, b'.'),
];

fn tcp_line(out: &mut Vec<u8>, part: Part<'_>) {
    let flags = part.number(&tcp::FLAGS).unwrap_or(0);
    out.extend_from_slice(b"Flags [");
    for (bit, letter) in FLAG_LETTERS {
        if flags & bit != 0 {
            out.push(letter);
        }
    }
    if flags == 0 {
        out.extend_from_slice(b"none");
    }
    out.push(b']');
    let number = |def| part.number(def).unwrap_or(0);
    let len = number(&tcp::LEN);
    if len > 0 || flags & 7 != 0 {
        // As tcpdump: the SYN's number as it is, later ones counted from there.
        let seq = if flags & 2 != 0 { number(&tcp::SEQ_RAW) } else { number(&tcp::SEQ) };
        out.extend_from_slice(b", seq ");
        decimal(out, seq);
        if len > 0 {
            out.push(b':');
            decimal(out, (seq + len) & 0xFFFF_FFFF);
        }
    }
    if flags & 0x10 != 0 {
        let ack = if flags & 2 != 0 { number(&tcp::ACK_RAW) } else { number(&tcp::ACK) };
        out.extend_from_slice(b", ack ");
        decimal(out, ack);
    }
    out.extend_from_slice(b", win ");
    decimal(out, number(&tcp::WINDOW_VALUE));
    if let Some(at) = part.fields.iter().position(|field| field.def.is(&tcp::OPTIONS)) {
        tcp_options(out, part, at);
    }
    out.extend_from_slice(b", length ");
    decimal(out, len);
    remarks(out, part);
    if len > 0 {
        application(out, part, &tcp::TCP.layer);
    }
}

fn tcp_options(out: &mut Vec<u8>, part: Part<'_>, at: usize) {
    out.extend_from_slice(b", options [");
    let depth = part.fields[at].depth;
    let mut first = true;
    for field in part.fields[at + 1..].iter().take_while(|field| field.depth > depth) {
        if !field.def.is(&tcp::OPTION_KIND) {
            let number = |out: &mut Vec<u8>| decimal(out, field.value);
            match field.def {
                def if def.is(&tcp::MSS) || def.is(&tcp::WSCALE) => {
                    out.push(b' ');
                    number(out);
                }
                def if def.is(&tcp::TSVAL) => {
                    out.extend_from_slice(b" val ");
                    number(out);
                }
                def if def.is(&tcp::TSECR) => {
                    out.extend_from_slice(b" ecr ");
                    number(out);
                }
                def if def.is(&tcp::SACK_LE) => {
                    out.extend_from_slice(b" {");
                    number(out);
                }
                def if def.is(&tcp::SACK_RE) => {
                    out.push(b':');
                    number(out);
                    out.push(b'}');
                }
                _ => {}
            }
            continue;
        }
        if !first {
            out.push(b',');
        }
        first = false;
        match field.value {
            0 => out.extend_from_slice(b"eol"),
            1 => out.extend_from_slice(b"nop"),
            2 => out.extend_from_slice(b"mss"),
            3 => out.extend_from_slice(b"wscale"),
            4 => out.extend_from_slice(b"sackOK"),
            5 => out.extend_from_slice(b"sack"),
            8 => out.extend_from_slice(b"TS"),
            34 => out.extend_from_slice(b"tfo"),
            kind => put!(out, "opt-{kind}"),
        }
    }
    out.push(b']');
}

/// What the analysis found, in brackets: `[retransmission]`.
fn remarks(out: &mut Vec<u8>, part: Part<'_>) {
    let Some(at) = part.fields.iter().position(|field| field.def.is(&tcp::ANALYSIS_FLAGS)) else { return };
    let depth = part.fields[at].depth;
    for field in part.fields[at + 1..].iter().take_while(|field| field.depth > depth) {
        if let Some(word) =
            field.def.name.strip_prefix("tcp.analysis.").filter(|_| field.def.kind == Kind::None)
        {
            out.extend_from_slice(b" [");
            out.extend(word.bytes().map(|byte| if byte == b'_' { b' ' } else { byte }));
            out.push(b']');
        }
    }
}

fn icmp_line(out: &mut Vec<u8>, part: Part<'_>) {
    let v6 = part.has(&icmpv6::ICMPV6.layer);
    let (layer, kind) = if v6 { (&icmpv6::ICMPV6, &icmpv6::TYPE) } else { (&icmp::ICMP, &icmp::TYPE) };
    out.extend_from_slice(if v6 { b"ICMP6, " } else { b"ICMP " });
    if let Some(field) = part.find(kind) {
        match field.def.name_of(field.value) {
            Some(name) => out.extend_from_slice(name.to_ascii_lowercase().as_bytes()),
            None => put!(out, "type {}", field.value),
        }
    }
    let code = if v6 { &icmpv6::CODE } else { &icmp::CODE };
    if let Some(code) = part.number(code).filter(|code| *code != 0) {
        put!(out, ", code {code}");
    }
    let shown: [(&str, &'static crate::field::FieldDef); 10] = [
        ("id", &icmp::IDENT),
        ("seq", &icmp::SEQ),
        ("mtu", &icmp::MTU),
        ("gateway", &icmp::REDIR_GW),
        ("id", &icmpv6::IDENT),
        ("seq", &icmpv6::SEQ),
        ("mtu", &icmpv6::MTU),
        ("who has", &icmpv6::NS_TARGET),
        ("tgt is", &icmpv6::NA_TARGET),
        ("group", &icmpv6::MAR_GROUP),
    ];
    for (word, def) in shown {
        if let Some(field) = part.find(def) {
            put!(out, ", {word} ");
            match field.def.kind {
                Kind::Uint(_) => decimal(out, field.value),
                _ => write_value(out, part.tree, field),
            }
        }
    }
    let len = part
        .fields
        .iter()
        .position(|field| field.def.is(&layer.layer))
        .map_or(0, |at| part.tree.frame().len().saturating_sub(part.fields[at].start as usize));
    put!(out, ", length {len}");
}

/// What is neither TCP nor ICMP: the innermost protocol.
fn summary(out: &mut Vec<u8>, part: Part<'_>) {
    if part.has(&udp::UDP.layer) {
        out.extend_from_slice(b"UDP, length ");
        decimal(out, part.number(&udp::LENGTH).unwrap_or(8).saturating_sub(8));
        return application(out, part, &udp::UDP.layer);
    }
    let carried = part.fields.iter().skip(1).rfind(|field| field.depth == 0);
    match carried {
        Some(layer) if layer.def.name != "data" => {
            out.extend_from_slice(layer.def.name.as_bytes());
            details(out, part, layer);
        }
        _ => {
            let proto = part.find(&ip::PROTO).or_else(|| part.find(&ipv6::NXT));
            match proto.map(|field| (field.value, field.def.name_of(field.value))) {
                Some((_, Some(name))) => out.extend_from_slice(name.as_bytes()),
                Some((number, None)) => put!(out, "ip-proto-{number}"),
                None => out.extend_from_slice(b"nothing"),
            }
            let len = carried.map_or(0, |data| data.len);
            put!(out, ", length {len}");
        }
    }
}

/// The protocols above the transport: name and the few fields that tell most.
fn application(out: &mut Vec<u8>, part: Part<'_>, transport: &'static crate::field::FieldDef) {
    let Some(at) = part.fields.iter().position(|field| field.def.is(transport)) else { return };
    let mut before: Option<&'static str> = None;
    for field in part.fields[at + 1..].iter().filter(|field| field.depth == 0) {
        if field.def.name == "data" || before == Some(field.def.name) {
            continue;
        }
        before = Some(field.def.name);
        out.extend_from_slice(b": ");
        escape(out, short_name(part.tree, field).as_bytes());
        details(out, part, field);
    }
}

fn short_name(tree: Tree<'_>, layer: &Field) -> &'static str {
    let found = tree.layers().iter().find(|protocol| protocol.layer.is(layer.def));
    found.map_or(layer.def.name, |protocol| protocol.short)
}

/// So many details fit into a line.
const DETAILS_MAX: usize = 6;
/// And so long may each be.
const DETAIL_BYTES_MAX: usize = 80;

/// The telling fields of a layer: see [`crate::protocols::tells`].
fn details(out: &mut Vec<u8>, part: Part<'_>, layer: &Field) {
    let Some(at) = part.fields.iter().position(|field| std::ptr::eq(field, layer)) else { return };
    let inside = part.fields[at + 1..].iter().take_while(|field| field.depth > 0);
    let telling = inside.filter(|field| crate::protocols::tells(field.def));
    for field in telling.take(DETAILS_MAX) {
        out.push(b' ');
        let begins = out.len();
        match part.tree.value(field) {
            Value::Uint(number) => match field.def.name_of(number) {
                Some(name) => out.extend_from_slice(name.as_bytes()),
                None => decimal(out, number),
            },
            _ => write_value(out, part.tree, field),
        }
        if out.len() - begins > DETAIL_BYTES_MAX {
            out.truncate(begins + DETAIL_BYTES_MAX);
            // Never leave half a character.
            while std::str::from_utf8(&out[begins..]).is_err() {
                out.pop();
            }
            out.extend_from_slice("…".as_bytes());
        }
    }
}

/// A frame without a network layer.
fn other(out: &mut Vec<u8>, tree: Tree<'_>) {
    let layer = tree.fields().iter().rfind(|field| field.depth == 0 && field.def.name != "data");
    match layer {
        Some(layer) => {
            out.extend_from_slice(short_name(tree, layer).as_bytes());
            details(out, Part { tree, fields: tree.fields() }, layer);
        }
        None => out.extend_from_slice(b"frame"),
    }
    put!(out, ", length {}", tree.frame().len());
}

/// Appends the protocols above TCP or UDP with what tells most of each.
pub(crate) fn summary_words(out: &mut Vec<u8>, tree: Tree<'_>) {
    let part = Part { tree, fields: tree.fields() };
    let transport = if part.has(&tcp::TCP.layer) { &tcp::TCP.layer } else { &udp::UDP.layer };
    application(out, part, transport);
}
